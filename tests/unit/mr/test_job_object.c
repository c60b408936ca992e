/*
 * test_job_object.c - mr/task/job_object.h: each wrong object gets its own sentence.
 */
#include "mr/task/job_object.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "tests/support/unit.h"

static struct fixture {
    struct job_object *object;
    struct error error;
    char path[4096];
    char temporary[64];
} f;

static void setup(void)
{
    f = (struct fixture){.temporary = "/tmp/test_job_object.XXXXXX"};
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(f.temporary));
}

static void teardown(void)
{
    char file[100];
    job_object_close(f.object);
    (void)snprintf(file, sizeof(file), "%s/file", f.temporary);
    (void)unlink(file);
    (void)rmdir(f.temporary);
}

static const char *in_build(const char *name)
{
    const char *build = getenv("MILLRACE_BUILD_DIR");
    (void)snprintf(f.path, sizeof(f.path), "%s/%s", build != NULL ? build : ".", name);
    return f.path;
}

/* A file with these first bytes. */
static const char *given_file(const void *bytes, size_t length)
{
    FILE *file;
    (void)snprintf(f.path, sizeof(f.path), "%s/file", f.temporary);
    file = fopen(f.path, "wb");
    CU_ASSERT_PTR_NOT_NULL_FATAL(file);
    CU_ASSERT_EQUAL_FATAL(fwrite(bytes, 1, length, file), length);
    CU_ASSERT_EQUAL_FATAL(fclose(file), 0);
    return f.path;
}

/* expected begins behind the path. */
static void expect_refused(const char *path, enum status status, const char *expected)
{
    char text[5000];
    (void)snprintf(text, sizeof(text), "%s%s", path, expected);
    CU_ASSERT_EQUAL(job_object_open(path, &f.object, &f.error), status);
    CU_ASSERT_STRING_EQUAL(f.error.text, text);
    CU_ASSERT_PTR_NULL(f.object);
}

static void test_job_object__good_object_gives_its_job(void)
{
    CU_ASSERT_EQUAL_FATAL(job_object_open(in_build("jobs/wordcount.so"), &f.object, &f.error), OK);
    CU_ASSERT_STRING_EQUAL(job_object_job(f.object)->name, "wordcount");
    CU_ASSERT_EQUAL(job_object_job(f.object)->aggregator, MR_AGGREGATE_SUM);
}

static void test_job_object__missing_file_is_not_found(void)
{
    CU_ASSERT_EQUAL(job_object_open("/no/such/job.so", &f.object, &f.error), ERR_NOT_FOUND);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.error.text, "/no/such/job.so"));
    CU_ASSERT_PTR_NOT_NULL(strstr(f.error.text, "No such file or directory"));
}

static void test_job_object__directory_is_not_a_file(void)
{
    char text[100];
    (void)snprintf(text, sizeof(text), "job object %s is not a file", f.temporary);
    CU_ASSERT_EQUAL(job_object_open(f.temporary, &f.object, &f.error), ERR_INVALID);
    CU_ASSERT_STRING_EQUAL(f.error.text, text);
}

static void test_job_object__script_is_not_a_shared_object(void)
{
    expect_refused(given_file("#!/bin/sh\n", 10), ERR_INVALID,
                   " is not a shared object; build it with cc -shared -fPIC");
    expect_refused(given_file("", 0), ERR_INVALID,
                   " is not a shared object; build it with cc -shared -fPIC");
}

static void test_job_object__kinds_of_elf_files_are_told_apart(void)
{
    unsigned char header[64] = {0x7f, 'E', 'L', 'F', 2, 1, 1};
    header[16] = 1;
    expect_refused(given_file(header, sizeof(header)), ERR_INVALID,
                   " is an object file that is not linked; link it with cc -shared");
    header[16] = 2;
    expect_refused(given_file(header, sizeof(header)), ERR_INVALID,
                   " is a program, not a shared object; build it with cc -shared -fPIC");
    header[16] = 3;
    header[18] = 0x77;
    CU_ASSERT_EQUAL(job_object_open(f.path, &f.object, &f.error), ERR_INVALID);
    header[4] = 1;
    expect_refused(given_file(header, sizeof(header)), ERR_INVALID,
                   " is not a 64-bit little-endian shared object");
    expect_refused(given_file(header, 20), ERR_INVALID,
                   " is not a 64-bit little-endian shared object");
}

static void test_job_object__other_processor_is_named(void)
{
    unsigned char header[64] = {0x7f, 'E', 'L', 'F', 2, 1, 1};
    header[16] = 3;
    header[18] = 0x77;
    CU_ASSERT_EQUAL(job_object_open(given_file(header, sizeof(header)), &f.object, &f.error),
                    ERR_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.error.text, "was built for another processor"));
}

static void test_job_object__object_without_job_says_how_to_export_one(void)
{
    expect_refused(in_build("tests/unit/mr/objects/no_job.so"), ERR_INVALID,
                   " exports no job; end its source with MR_JOB_EXPORT(job)");
}

static void test_job_object__other_version_names_both(void)
{
    expect_refused(in_build("tests/unit/mr/objects/other_version.so"), ERR_UNSUPPORTED,
                   " was built with version 42 of mr/mr.h; this is version 1: build it again");
    CU_ASSERT_EQUAL(
        job_object_open(in_build("tests/unit/mr/objects/without_header.so"), &f.object, &f.error),
        ERR_UNSUPPORTED);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.error.text, "MR_JOB_HEADER"));
}

static void test_job_object__job_that_cannot_work_is_refused(void)
{
    expect_refused(in_build("tests/unit/mr/objects/no_map.so"), ERR_INVALID,
                   ": job no-map: it needs exactly one of map and map_split");
}

static void test_job_object__undefined_symbol_is_named(void)
{
    expect_refused(in_build("tests/unit/mr/objects/undefined.so"), ERR_UNAVAILABLE,
                   " uses defined_nowhere, which neither it nor a library it names defines");
}

static void test_job_object__missing_library_is_named(void)
{
    expect_refused(in_build("tests/unit/mr/objects/needs_gone.so"), ERR_UNAVAILABLE,
                   " needs the library libgone.so, which is not found on this host");
}

static const struct unit_test tests[] = {
    {"test_job_object__good_object_gives_its_job",                 "A good object gives its job.",
     test_job_object__good_object_gives_its_job                                                                                                                    },
    {"test_job_object__missing_file_is_not_found",                 "A missing file is not found.",
     test_job_object__missing_file_is_not_found                                                                                                                    },
    {"test_job_object__directory_is_not_a_file",                   "A directory is not a file.",
     test_job_object__directory_is_not_a_file                                                                                                                      },
    {"test_job_object__script_is_not_a_shared_object",             "A script is not a shared object.",
     test_job_object__script_is_not_a_shared_object                                                                                                                },
    {"test_job_object__kinds_of_elf_files_are_told_apart",         "Kinds of ELF files are told apart.",
     test_job_object__kinds_of_elf_files_are_told_apart                                                                                                            },
    {"test_job_object__other_processor_is_named",                  "Another processor is named.",
     test_job_object__other_processor_is_named                                                                                                                     },
    {"test_job_object__object_without_job_says_how_to_export_one",
     "An object without job says how to export one.",                                                    test_job_object__object_without_job_says_how_to_export_one},
    {"test_job_object__other_version_names_both",                  "Another version names both.",
     test_job_object__other_version_names_both                                                                                                                     },
    {"test_job_object__job_that_cannot_work_is_refused",           "A job that cannot work is refused.",
     test_job_object__job_that_cannot_work_is_refused                                                                                                              },
    {"test_job_object__undefined_symbol_is_named",                 "An undefined symbol is named.",
     test_job_object__undefined_symbol_is_named                                                                                                                    },
    {"test_job_object__missing_library_is_named",                  "A missing library is named.",
     test_job_object__missing_library_is_named                                                                                                                     },
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "mr/job_object", tests, UNIT_COUNT(tests), setup,
                     teardown);
}
