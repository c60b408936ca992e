/*
 * test_local.c - mr/task/local.h with the installed jobs, on local files.
 */
#include "mr/task/local.h"

#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/fault.h"
#include "lib/base/rng.h"
#include "lib/os/crash.h"
#include "lib/os/directory.h"
#include "lib/os/file.h"
#include "mr/task/job_object.h"
#include "tests/support/unit.h"

enum {
    PARAMETERS_MAX = 4
};

static struct fixture {
    struct arena *arena;
    const char *home;
    struct job_object *object;
    struct local_job job;
    const char *inputs[4];
    struct task_parameter parameters[PARAMETERS_MAX];
    struct counters *counters;
    struct local_progress progress;
    struct error error;
    struct buf text;
    atomic_uint asked;
    unsigned stop_at;
} f;

static const char *path(const char *name)
{
    return path_join(f.arena, f.home, name);
}

static void setup(void)
{
    f = (struct fixture){.arena = arena_open(0), .counters = counters_open()};
    CU_ASSERT_EQUAL_FATAL(directory_make_temporary("/tmp/test_local.", f.arena, &f.home, &f.error),
                          OK);
    f.job = (struct local_job){
        .inputs = f.inputs,
        .output = path("out"),
        .reduces = 1,
        .parameters = f.parameters,
        .threads = 3,
    };
}

static void teardown(void)
{
    fault_disarm_all();
    job_object_close(f.object);
    CU_ASSERT_EQUAL(directory_remove_tree(f.home, &f.error), OK);
    counters_close(f.counters);
    buf_close(&f.text);
    arena_close(f.arena);
}

static void given_job(const char *name)
{
    const char *build = getenv("MILLRACE_BUILD_DIR");
    job_object_close(f.object);
    CU_ASSERT_EQUAL_FATAL(
        job_object_open(path_join(f.arena, build != NULL ? build : ".", name), &f.object, &f.error),
        OK);
    f.job.job = job_object_job(f.object);
}

static void given_file(const char *name, const char *text)
{
    CU_ASSERT_EQUAL_FATAL(file_replace(path(name), slice_from_string(text), FILE_PUBLIC, &f.error),
                          OK);
}

static void given_input(const char *name)
{
    f.inputs[f.job.input_count++] = path(name);
}

static void given_parameter(const char *key, const char *value)
{
    f.parameters[f.job.parameter_count++] =
        (struct task_parameter){slice_from_string(key), slice_from_string(value)};
}

static enum status run(void)
{
    counters_clear(f.counters);
    return local_job_run(&f.job, f.counters, &f.progress, &f.error);
}

static const char *output_of(const char *name)
{
    buf_clear(&f.text);
    CU_ASSERT_EQUAL_FATAL(
        file_read_whole(path_join(f.arena, f.job.output, name), &f.text, &f.error), OK);
    return buf_string(&f.text);
}

/* Names in the fixture's directory, each with a space behind. */
static const char *names_in(const char *directory)
{
    struct slice *names;
    size_t count;
    buf_clear(&f.text);
    CU_ASSERT_EQUAL_FATAL(directory_list(directory, f.arena, &names, &count, &f.error), OK);
    for (size_t i = 0; i < count; i++)
        CU_ASSERT_EQUAL_FATAL(buf_append_format(&f.text, "%.*s ", SLICE_ARGS(names[i])), OK);
    return buf_string(&f.text);
}

static void expect_nothing_left(const char *names)
{
    CU_ASSERT_STRING_EQUAL(names_in(f.home), names);
}

/* --- jobs ------------------------------------------------------------------------------------- */

static void test_local__wordcount_splits_at_white_space_as_hadoop_does(void)
{
    given_job("jobs/wordcount.so");
    given_file("a", "to be, or\tnot to\r\nbe\fBe\vbe\n\n  or");
    given_input("a");
    CU_ASSERT_EQUAL_FATAL(run(), OK);
    CU_ASSERT_STRING_EQUAL(output_of("part-r-00000"),
                           "Be\vbe\t1\nbe\t1\nbe,\t1\nnot\t1\nor\t2\nto\t2\n");
    CU_ASSERT_STRING_EQUAL(names_in(f.job.output), "_SUCCESS part-r-00000 ");
    expect_nothing_left("a out ");
}

static void test_local__wordcount_counts_letters_in_upper_case(void)
{
    given_job("jobs/wordcount.so");
    given_parameter("wordcount.tokens", "letters");
    given_file("a", "To be, or not2to bE\n@[`{z\n\xc3\xa9tude");
    given_input("a");
    CU_ASSERT_EQUAL_FATAL(run(), OK);
    CU_ASSERT_STRING_EQUAL(output_of("part-r-00000"),
                           "BE\t2\nNOT\t1\nOR\t1\nTO\t2\nTUDE\t1\nZ\t1\n");
}

static void test_local__wordcount_refuses_other_tokens(void)
{
    given_job("jobs/wordcount.so");
    given_parameter("wordcount.tokens", "syllables");
    given_file("a", "x\n");
    given_input("a");
    CU_ASSERT_EQUAL(run(), ERR_INVALID);
    CU_ASSERT_STRING_EQUAL(
        f.error.text, "setup: parameter wordcount.tokens=syllables is neither space nor letters");
    expect_nothing_left("a ");
}

static void test_local__grep_writes_matching_lines_in_input_order(void)
{
    given_job("jobs/grep.so");
    given_parameter("grep.pattern", "need");
    given_file("a", "no\nneedle one\r\nhay\na need, a need\n");
    given_file("b", "needless\nno\nin need");
    given_input("b");
    given_input("a");
    CU_ASSERT_EQUAL_FATAL(run(), OK);
    CU_ASSERT_STRING_EQUAL(output_of("part-r-00000"),
                           "needless\nin need\nneedle one\na need, a need\n");
    f.job.reduces = 0;
    f.job.output = path("out0");
    CU_ASSERT_EQUAL_FATAL(run(), OK);
    CU_ASSERT_STRING_EQUAL(output_of("part-m-00000"), "needless\nin need\n");
    CU_ASSERT_STRING_EQUAL(output_of("part-m-00001"), "needle one\na need, a need\n");
}

static void test_local__grep_knows_regular_expressions(void)
{
    given_job("jobs/grep.so");
    given_parameter("grep.pattern", "^(a|b)+c$");
    given_file("a", "abac\nabacd\nc\nbc\r\nxbc\nBC\n");
    given_input("a");
    CU_ASSERT_EQUAL_FATAL(run(), OK);
    CU_ASSERT_STRING_EQUAL(output_of("part-r-00000"), "abac\nbc\n");
    given_parameter("grep.ignore_case", "true");
    f.job.output = path("out1");
    CU_ASSERT_EQUAL_FATAL(run(), OK);
    CU_ASSERT_STRING_EQUAL(output_of("part-r-00000"), "abac\nbc\nBC\n");
}

static void test_local__grep_counts_matches(void)
{
    given_job("jobs/grep.so");
    given_parameter("grep.pattern", "[0-9]+");
    given_parameter("grep.mode", "count");
    given_file("a", "12 and 7\n7 12 12\nnone\n");
    given_input("a");
    CU_ASSERT_EQUAL_FATAL(run(), OK);
    CU_ASSERT_STRING_EQUAL(output_of("part-r-00000"), "12\t3\n7\t2\n");
    f.job.output = path("out1");
    given_parameter("grep.pattern", "aa");
    given_file("a", "aaaaa aa\nba\n");
    CU_ASSERT_EQUAL_FATAL(run(), OK);
    CU_ASSERT_STRING_EQUAL(output_of("part-r-00000"), "aa\t3\n");
}

static void test_local__grep_explains_what_is_wrong_with_its_pattern(void)
{
    given_job("jobs/grep.so");
    given_file("a", "x\n");
    given_input("a");
    CU_ASSERT_EQUAL(run(), ERR_INVALID);
    CU_ASSERT_STRING_EQUAL(f.error.text,
                           "setup: say what to look for with -D grep.pattern=PATTERN");
    given_parameter("grep.pattern", "(");
    CU_ASSERT_EQUAL(run(), ERR_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.error.text, "parameter grep.pattern=(: "));
}

static int compare_records(const void *left, const void *right)
{
    return memcmp(left, right, 10);
}

static void test_local__sort_makes_one_order_of_all_parts(void)
{
    enum {
        RECORDS = 5000
    };

    static char records[RECORDS][100];
    struct rng rng = rng_seed(unit_seed());
    struct buf sorted = {0};

    for (unsigned i = 0; i < RECORDS; i++) {
        for (unsigned k = 0; k < 10; k++)
            records[i][k] = (char)rng_below(&rng, 256);
        (void)snprintf(records[i] + 10, 90, "record %u", i);
    }
    given_job("jobs/sort.so");
    CU_ASSERT_EQUAL_FATAL(
        file_replace(path("a"), slice_make(records, sizeof(records)), FILE_PUBLIC, &f.error), OK);
    given_input("a");
    f.job.reduces = 3;
    f.job.split_bytes = 77777;
    CU_ASSERT_EQUAL_FATAL(run(), OK);
    for (unsigned i = 0; i < 3; i++) {
        char name[20];
        (void)snprintf(name, sizeof(name), "part-r-0000%u", i);
        (void)output_of(name);
        CU_ASSERT_TRUE(f.text.length > sizeof(records) / 4);
        CU_ASSERT_EQUAL_FATAL(buf_append_slice(&sorted, buf_slice(&f.text)), OK);
    }
    qsort(records, RECORDS, sizeof(records[0]), compare_records);
    CU_ASSERT_TRUE(slice_equal(buf_slice(&sorted), slice_make(records, sizeof(records))));
    buf_close(&sorted);
}

/* --- the engine around them ------------------------------------------------------------------- */

static void test_local__outputs_do_not_depend_on_threads_splits_or_memory(void)
{
    struct rng rng = rng_seed(unit_seed());
    struct buf input = {0};
    struct buf parts = {0};
    struct buf expected = {0};

    given_job("jobs/wordcount.so");
    while (input.length < 300000)
        CU_ASSERT_EQUAL_FATAL(buf_append_format(&input, "w%u%c", (unsigned)rng_below(&rng, 30000),
                                                rng_below(&rng, 9) == 0 ? '\n' : ' '),
                              OK);
    CU_ASSERT_EQUAL_FATAL(file_replace(path("a"), buf_slice(&input), FILE_PUBLIC, &f.error), OK);
    given_input("a");
    f.job.reduces = 3;
    for (uint32_t i = 0; i < 8; i++) {
        char name[20];
        (void)snprintf(name, sizeof(name), "out.%u", i);
        f.job.output = path(name);
        f.job.threads = i % 2 == 0 ? 1 : 4;
        f.job.split_bytes = i < 4 ? 0 : 17001;
        f.job.memory_bytes = i % 4 < 2 ? 0 : TASK_MEMORY_BYTES_MIN;
        CU_ASSERT_EQUAL_FATAL(run(), OK);
        CU_ASSERT_EQUAL(f.progress.reduces_done, 3);
        CU_ASSERT_EQUAL(f.progress.maps_done, f.progress.maps_total);
        CU_ASSERT_TRUE(i < 4 ? f.progress.maps_total == 1 : f.progress.maps_total > 10);
        buf_clear(&parts);
        for (unsigned part = 0; part < 3; part++) {
            (void)snprintf(name, sizeof(name), "part-r-0000%u", part);
            CU_ASSERT_EQUAL_FATAL(buf_append_format(&parts, "#%s", output_of(name)), OK);
        }
        if (i == 0) {
            CU_ASSERT_EQUAL_FATAL(buf_append_slice(&expected, buf_slice(&parts)), OK);
        }
        CU_ASSERT_TRUE(slice_equal(buf_slice(&parts), buf_slice(&expected)));
    }
    buf_close(&parts);
    buf_close(&input);
    buf_close(&expected);
}

static void test_local__directory_is_its_files_without_hidden_ones(void)
{
    given_job("jobs/wordcount.so");
    CU_ASSERT_EQUAL_FATAL(directory_make(path("in"), 0777, &f.error), OK);
    given_file("in/b", "b\n");
    given_file("in/a", "a\n");
    given_file("in/_SUCCESS", "");
    given_file("in/.hidden", "hidden\n");
    given_file("in/empty", "");
    given_input("in");
    CU_ASSERT_EQUAL_FATAL(run(), OK);
    CU_ASSERT_STRING_EQUAL(output_of("part-r-00000"), "a\t1\nb\t1\n");
    CU_ASSERT_EQUAL(f.progress.maps_total, 2);
}

static void test_local__directory_in_a_directory_is_refused(void)
{
    given_job("jobs/wordcount.so");
    CU_ASSERT_EQUAL_FATAL(directory_make_all(path("in/deep"), 0777, &f.error), OK);
    given_input("in");
    CU_ASSERT_EQUAL(run(), ERR_IS_DIRECTORY);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.error.text, "contains the directory deep"));
}

static void test_local__empty_input_makes_empty_parts(void)
{
    given_job("jobs/wordcount.so");
    given_file("a", "");
    given_input("a");
    f.job.reduces = 2;
    CU_ASSERT_EQUAL_FATAL(run(), OK);
    CU_ASSERT_STRING_EQUAL(output_of("part-r-00001"), "");
    CU_ASSERT_STRING_EQUAL(names_in(f.job.output), "_SUCCESS part-r-00000 part-r-00001 ");
}

static void test_local__existing_output_is_not_touched(void)
{
    given_job("jobs/wordcount.so");
    given_file("a", "x\n");
    given_input("a");
    CU_ASSERT_EQUAL_FATAL(directory_make(path("out"), 0777, &f.error), OK);
    CU_ASSERT_EQUAL(run(), ERR_EXISTS);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.error.text, "already exists; remove it or name another"));
    CU_ASSERT_STRING_EQUAL(names_in(path("out")), "");
    expect_nothing_left("a out ");
}

static void test_local__missing_input_is_named(void)
{
    given_job("jobs/wordcount.so");
    given_input("absent");
    CU_ASSERT_EQUAL(run(), ERR_NOT_FOUND);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.error.text, "absent"));
    expect_nothing_left("");
}

static void test_local__output_may_lie_in_a_new_directory(void)
{
    given_job("jobs/wordcount.so");
    given_file("a", "x\n");
    given_input("a");
    f.job.output = path("new/deep/out/");
    CU_ASSERT_EQUAL_FATAL(run(), OK);
    CU_ASSERT_STRING_EQUAL(output_of("part-r-00000"), "x\t1\n");
    CU_ASSERT_STRING_EQUAL(names_in(path("new/deep")), "out ");
}

static void test_local__failing_map_fails_the_job_and_leaves_nothing(void)
{
    given_job("tests/unit/mr/objects/misbehave.so");
    given_file("a", "good\nbad\ngood\n");
    given_input("a");
    f.job.split_bytes = 2;
    CU_ASSERT_EQUAL(run(), ERR_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.error.text, "map at byte 5 of "));
    CU_ASSERT_PTR_NOT_NULL(strstr(f.error.text, "told to fail"));
    expect_nothing_left("a ");
}

static bool wanted(void *user)
{
    (void)user;
    return atomic_fetch_add(&f.asked, 1) + 1 < f.stop_at;
}

static void test_local__job_stops_when_told(void)
{
    given_job("tests/unit/mr/objects/misbehave.so");
    given_parameter("misbehave.mode", "loop");
    given_file("a", "good\nbad\n");
    given_input("a");
    f.job.is_wanted = wanted;
    f.stop_at = 1000;
    CU_ASSERT_EQUAL(run(), ERR_CANCELLED);
    expect_nothing_left("a ");
}

/* Removes what is left in the fixture's directory but the input; returns how much that was. */
static unsigned remove_all_but_input(void)
{
    struct slice *names;
    size_t count;
    unsigned removed = 0;
    CU_ASSERT_EQUAL_FATAL(directory_list(f.home, f.arena, &names, &count, &f.error), OK);
    for (size_t i = 0; i < count; i++) {
        if (slice_equal_string(names[i], "a"))
            continue;
        removed++;
        CU_ASSERT_EQUAL_FATAL(directory_remove_tree(path((const char *)names[i].data), &f.error),
                              OK);
    }
    return removed;
}

static void test_local__every_file_call_may_fail(void)
{
    static const enum fault_point points[] = {FAULT_FILE_OPEN, FAULT_FILE_READ,   FAULT_FILE_WRITE,
                                              FAULT_FILE_SYNC, FAULT_FILE_RENAME, FAULT_FILE_REMOVE,
                                              FAULT_DIRECTORY};

    unsigned failures = 0;
    unsigned synced_late = 0;

    given_job("jobs/wordcount.so");
    given_file("a", "to be or not to be\n");
    given_input("a");
    f.job.threads = 1;
    for (size_t p = 0; p < sizeof(points) / sizeof(points[0]); p++) {
        bool was_hit = true;
        for (uint64_t nth = 1; was_hit; nth++) {
            enum status status;
            fault_arm(points[p], nth, 1);
            status = run();
            was_hit = fault_failures(points[p]) > 0;
            fault_disarm_all();
            failures += status != OK;
            /* Removing the temporary directory may fail without harm to the output. */
            if (status == OK)
                CU_ASSERT_STRING_EQUAL(output_of("part-r-00000"), "be\t2\nnot\t1\nor\t1\nto\t2\n");
            /* A directory that could not be synced after the rename is there, and whole. */
            if (status != OK && remove_all_but_input() > 0)
                synced_late++;
            (void)remove_all_but_input();
        }
    }
    CU_ASSERT_TRUE(failures > 20);
    CU_ASSERT_EQUAL(synced_late, 2); /* opening the parent, and syncing it */
}

static const struct unit_test tests[] = {
    {"test_local__wordcount_splits_at_white_space_as_hadoop_does",
     "wordcount splits at white space as Hadoop does.",                                                         test_local__wordcount_splits_at_white_space_as_hadoop_does   },
    {"test_local__wordcount_counts_letters_in_upper_case",
     "wordcount counts letters in upper case.",                                                                 test_local__wordcount_counts_letters_in_upper_case           },
    {"test_local__wordcount_refuses_other_tokens",                    "wordcount refuses other tokens.",
     test_local__wordcount_refuses_other_tokens                                                                                                                              },
    {"test_local__grep_writes_matching_lines_in_input_order",
     "grep writes matching lines in input order.",                                                              test_local__grep_writes_matching_lines_in_input_order        },
    {"test_local__grep_knows_regular_expressions",                    "grep knows regular expressions.",
     test_local__grep_knows_regular_expressions                                                                                                                              },
    {"test_local__grep_counts_matches",                               "grep counts matches.",                   test_local__grep_counts_matches                              },
    {"test_local__grep_explains_what_is_wrong_with_its_pattern",
     "grep explains what is wrong with its pattern.",                                                           test_local__grep_explains_what_is_wrong_with_its_pattern     },
    {"test_local__sort_makes_one_order_of_all_parts",                 "sort makes one order of all parts.",
     test_local__sort_makes_one_order_of_all_parts                                                                                                                           },
    {"test_local__outputs_do_not_depend_on_threads_splits_or_memory",
     "Outputs do not depend on threads, splits or memory.",                                                     test_local__outputs_do_not_depend_on_threads_splits_or_memory},
    {"test_local__directory_is_its_files_without_hidden_ones",
     "A directory is its files without hidden ones.",                                                           test_local__directory_is_its_files_without_hidden_ones       },
    {"test_local__directory_in_a_directory_is_refused",               "A directory in a directory is refused.",
     test_local__directory_in_a_directory_is_refused                                                                                                                         },
    {"test_local__empty_input_makes_empty_parts",                     "Empty input makes empty parts.",
     test_local__empty_input_makes_empty_parts                                                                                                                               },
    {"test_local__existing_output_is_not_touched",                    "An existing output is not touched.",
     test_local__existing_output_is_not_touched                                                                                                                              },
    {"test_local__missing_input_is_named",                            "A missing input is named.",
     test_local__missing_input_is_named                                                                                                                                      },
    {"test_local__output_may_lie_in_a_new_directory",                 "The output may lie in a new directory.",
     test_local__output_may_lie_in_a_new_directory                                                                                                                           },
    {"test_local__failing_map_fails_the_job_and_leaves_nothing",
     "A failing map fails the job and leaves nothing.",                                                         test_local__failing_map_fails_the_job_and_leaves_nothing     },
    {"test_local__job_stops_when_told",                               "A job stops when told.",                 test_local__job_stops_when_told                              },
    {"test_local__every_file_call_may_fail",                          "Every file call may fail.",
     test_local__every_file_call_may_fail                                                                                                                                    },
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "mr/local", tests, UNIT_COUNT(tests), setup,
                     teardown);
}
