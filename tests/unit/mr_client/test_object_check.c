/*
 * test_object_check.c - job objects are looked at in a child process, bin/mrsubmit.
 */
#include <stdio.h>
#include <string.h>

#include "lib/os/clock.h"
#include "lib/os/directory.h"
#include "lib/os/host.h"
#include "mr/client/object_check.h"
#include "tests/support/unit.h"

static struct fixture {
    struct arena *arena;
    const char *program;
    const char *name;
    struct error error;
    enum status status;
} f;

static const char *built(const char *path)
{
    const char *folder = host_environment("MILLRACE_BUILD_DIR");
    return path_join(f.arena, folder != NULL ? folder : ".", path);
}

static void setup(void)
{
    f = (struct fixture){.arena = arena_open(0)};
    f.program = built("bin/mrsubmit");
}

static void teardown(void)
{
    arena_close(f.arena);
}

static void when_checked(const char *object, uint32_t reduces)
{
    f.status = object_check(f.program, built(object), reduces, f.arena, &f.name, &f.error);
}

static void expect_failed(enum status status, const char *part)
{
    CU_ASSERT_EQUAL(f.status, status);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.error.text, part));
    if (strstr(f.error.text, part) == NULL)
        (void)fprintf(stderr, "wanted \"%s\" in \"%s\"\n", part, f.error.text);
}

static void test_object__good_one_tells_its_name(void)
{
    when_checked("jobs/wordcount.so", 2);
    CU_ASSERT_EQUAL(f.status, OK);
    CU_ASSERT_STRING_EQUAL(f.name, "wordcount");
}

static void test_object__bad_ones_are_told_apart(void)
{
    when_checked("jobs/absent.so", 1);
    expect_failed(ERR_NOT_FOUND, "absent.so");
    when_checked("Makefile", 1);
    expect_failed(ERR_INVALID, "is not a shared object");
    when_checked("tests/unit/mr/objects/no_job.so", 1);
    expect_failed(ERR_INVALID, "exports no job");
    when_checked("tests/unit/mr/objects/other_version.so", 1);
    expect_failed(ERR_UNSUPPORTED, "version");
    when_checked("tests/unit/mr/objects/needs_gone.so", 1);
    expect_failed(ERR_UNAVAILABLE, "needs the library libgone.so");
}

static void test_object__reduces_must_suit_the_job(void)
{
    when_checked("jobs/wordcount.so", 0);
    expect_failed(ERR_INVALID, "at least one reduce");
}

static void test_object__one_that_ends_its_process_is_named(void)
{
    when_checked("tests/unit/mr_client/objects/exits.so", 1);
    expect_failed(ERR_INVALID, "ends the process that loads it (exit code 0)");
    when_checked("tests/unit/mr_client/objects/crashes.so", 1);
    expect_failed(ERR_INVALID, "crashes while it is loaded (signal 11)");
}

static void test_object__no_folder_is_left_behind(void)
{
    const char *temporary = NULL;
    const char *tmpdir = host_environment("TMPDIR");
    struct slice *names = NULL;
    size_t count = 0;
    CU_ASSERT_EQUAL_FATAL(directory_make_temporary(
                              path_join(f.arena, tmpdir != NULL ? tmpdir : "/tmp", "check-test-"),
                              f.arena, &temporary, &f.error),
                          OK);
    host_environment_set("TMPDIR", temporary);
    when_checked("jobs/wordcount.so", 2);
    when_checked("tests/unit/mr_client/objects/crashes.so", 2);
    host_environment_set("TMPDIR", tmpdir);

    CU_ASSERT_EQUAL(directory_list(temporary, f.arena, &names, &count, &f.error), OK);
    CU_ASSERT_EQUAL(count, 0);
    CU_ASSERT_EQUAL(directory_remove_tree(temporary, &f.error), OK);
}

static void test_object__answer_can_be_asked_for_twice(void)
{
    struct object_check *check = NULL;
    CU_ASSERT_EQUAL_FATAL(object_check_begin(f.program, built("Makefile"), 1, &check, &f.error),
                          OK);
    CU_ASSERT_EQUAL(object_check_wait(check, &f.name, &f.error), ERR_INVALID);
    f.error = (struct error){0};
    f.status = object_check_wait(check, &f.name, &f.error);
    object_check_close(check);
    expect_failed(ERR_INVALID, "is not a shared object");
}

static void test_object__closing_ends_a_child_that_hangs(void)
{
    struct object_check *check = NULL;
    const char *object = built("tests/unit/mr_client/objects/hangs.so");
    int64_t begun_ms = clock_monotonic_ms();
    CU_ASSERT_EQUAL_FATAL(object_check_begin(f.program, object, 1, &check, &f.error), OK);
    object_check_close(check);
    CU_ASSERT_TRUE(clock_monotonic_ms() - begun_ms < OBJECT_CHECK_TIMEOUT_MS / 2);
}

static const struct unit_test tests[] = {
    {"test_object__good_one_tells_its_name",            "A good object tells its name.",
     test_object__good_one_tells_its_name                                                                                                          },
    {"test_object__bad_ones_are_told_apart",            "Bad objects are told apart.",
     test_object__bad_ones_are_told_apart                                                                                                          },
    {"test_object__reduces_must_suit_the_job",          "The number of reduces must suit the job.",
     test_object__reduces_must_suit_the_job                                                                                                        },
    {"test_object__one_that_ends_its_process_is_named",
     "An object that ends the process that loads it is named.",                                     test_object__one_that_ends_its_process_is_named},
    {"test_object__answer_can_be_asked_for_twice",      "An answer can be asked for twice.",
     test_object__answer_can_be_asked_for_twice                                                                                                    },
    {"test_object__closing_ends_a_child_that_hangs",    "Closing ends a child that hangs.",
     test_object__closing_ends_a_child_that_hangs                                                                                                  },
    {"test_object__no_folder_is_left_behind",           "No folder is left behind.",
     test_object__no_folder_is_left_behind                                                                                                         },
};

int main(int argc, char **argv)
{
    return unit_main(argc, argv, "object_check", tests, UNIT_COUNT(tests), setup, teardown);
}
