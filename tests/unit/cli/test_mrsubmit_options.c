/*
 * test_mrsubmit_options.c - mrsubmit's command line.
 */
#include <stdio.h>
#include <string.h>

#include "cli/mrsubmit.h"
#include "tests/support/unit.h"

enum {
    ARGUMENTS_MAX = 32,
    LONG_BYTES = 10000
};

static struct fixture {
    struct arena *arena;
    struct submit_options options;
    struct error error;
    enum status status;
} f;

static void setup(void)
{
    f = (struct fixture){.arena = arena_open(0)};
}

static void teardown(void)
{
    arena_close(f.arena);
}

/* Reads a command line of the words given, up to NULL. */
static void when_parsed(const char *const *words)
{
    char *arguments[ARGUMENTS_MAX + 1] = {0};
    int count = 0;
    for (; words[count] != NULL; count++)
        arguments[count] =
            (char *)(uintptr_t)arena_copy(f.arena, slice_from_string(words[count])).data;
    f.status = submit_options_parse(count, arguments, f.arena, &f.options, &f.error);
}

#define WHEN_PARSED(...) when_parsed((const char *const[]){"mrsubmit", __VA_ARGS__, NULL})

static void expect_refused(const char *part)
{
    CU_ASSERT_EQUAL(f.status, ERR_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.error.text, part));
    if (strstr(f.error.text, part) == NULL)
        (void)fprintf(stderr, "wanted \"%s\" in \"%s\"\n", part, f.error.text);
}

static void test_options__a_whole_line_is_read(void)
{
    WHEN_PARSED("job.so", "-i", "/a", "-o", "/out", "-r", "7", "-D", "k=v=w", "-D",
                "empty=", "--name", "a name", "--split", "64m", "--json", "--quiet");

    CU_ASSERT_EQUAL(f.status, OK);
    CU_ASSERT_STRING_EQUAL(f.options.job.object, "job.so");
    CU_ASSERT_EQUAL(f.options.job.input_count, 1);
    CU_ASSERT_STRING_EQUAL(f.options.job.inputs[0], "/a");
    CU_ASSERT_STRING_EQUAL(f.options.job.output, "/out");
    CU_ASSERT_EQUAL(f.options.job.reduces, 7);
    CU_ASSERT_EQUAL(f.options.job.parameter_count, 2);
    CU_ASSERT_STRING_EQUAL(f.options.job.parameters[0].key, "k");
    CU_ASSERT_STRING_EQUAL(f.options.job.parameters[0].value, "v=w");
    CU_ASSERT_STRING_EQUAL(f.options.job.parameters[1].value, "");
    CU_ASSERT_STRING_EQUAL(f.options.job.name, "a name");
    CU_ASSERT_EQUAL(f.options.job.split_bytes, 64U << 20);
    CU_ASSERT(f.options.is_json && f.options.is_quiet && !f.options.is_local);
}

static void test_options__inputs_may_follow_one_i(void)
{
    WHEN_PARSED("job.so", "-i", "a", "b", "c", "-o", "out", "-i", "d");

    CU_ASSERT_EQUAL(f.status, OK);
    CU_ASSERT_EQUAL(f.options.job.input_count, 4);
    CU_ASSERT_STRING_EQUAL(f.options.job.inputs[1], "b");
    CU_ASSERT_STRING_EQUAL(f.options.job.inputs[3], "d");
    CU_ASSERT_EQUAL(f.options.job.reduces, 1);
}

static void test_options__the_object_may_stand_last(void)
{
    WHEN_PARSED("-i", "a", "-o", "out", "--local", "job.so");

    CU_ASSERT_EQUAL(f.status, OK);
    CU_ASSERT_STRING_EQUAL(f.options.job.object, "job.so");
    CU_ASSERT(f.options.is_local);
}

static void test_options__what_is_missing_is_named(void)
{
    WHEN_PARSED("-i", "a", "-o", "out");
    expect_refused("which job?");
    WHEN_PARSED("job.so", "-o", "out");
    expect_refused("which input?");
    WHEN_PARSED("job.so", "-i", "a");
    expect_refused("where to?");
    WHEN_PARSED("job.so", "-i", "", "-o", "out");
    expect_refused("-i is empty");
    WHEN_PARSED("job.so", "-i", "a", "-o", "");
    expect_refused("-o is empty");
}

static void test_options__what_is_too_much_is_named(void)
{
    WHEN_PARSED("job.so", "-i", "a", "-o", "out", "other.so");
    expect_refused("\"other.so\": only one job object");
    WHEN_PARSED("job.so", "-i", "a", "-o", "out", "-o", "again");
    expect_refused("-o is given twice");
}

static void test_options__bad_numbers_are_refused(void)
{
    WHEN_PARSED("job.so", "-i", "a", "-o", "b", "-r", "-1");
    expect_refused("-r is a number from 0 to 10000, not \"-1\"");
    WHEN_PARSED("job.so", "-i", "a", "-o", "b", "-r", "10001");
    expect_refused("-r is a number");
    WHEN_PARSED("job.so", "-i", "a", "-o", "b", "-r", "99999999999999999999999");
    expect_refused("-r is a number");
    WHEN_PARSED("job.so", "-i", "a", "-o", "b", "--split", "12x");
    expect_refused("--split is a number of bytes");
    WHEN_PARSED("job.so", "-i", "a", "-o", "b", "--split", "0");
    expect_refused("at least 1");
    WHEN_PARSED("job.so", "-i", "a", "-o", "b", "--split", "18446744073709551615g");
    expect_refused("--split is a number of bytes");
}

static void test_options__odd_paths_pass_untouched(void)
{
    static char long_path[LONG_BYTES + 1];
    memset(long_path, 'x', LONG_BYTES);
    WHEN_PARSED("a job.so", "-i", "two words", "line\nbreak", "../up", "\xff\xfe", long_path, "-o",
                "out put");

    CU_ASSERT_EQUAL(f.status, OK);
    CU_ASSERT_EQUAL(f.options.job.input_count, 5);
    CU_ASSERT_STRING_EQUAL(f.options.job.inputs[1], "line\nbreak");
    CU_ASSERT_STRING_EQUAL(f.options.job.inputs[3], "\xff\xfe");
    CU_ASSERT_STRING_EQUAL(f.options.job.inputs[4], long_path);
}

static void test_options__odd_names_are_refused(void)
{
    static char long_name[LONG_BYTES + 1];
    memset(long_name, 'x', LONG_BYTES);
    WHEN_PARSED("job.so", "-i", "a", "-o", "b", "--name", long_name);
    expect_refused("10000 bytes, at most 255");
    WHEN_PARSED("job.so", "-i", "a", "-o", "b", "--name", "line\nbreak");
    expect_refused("control character");
    WHEN_PARSED("job.so", "-i", "a", "-o", "b", "--name", "\xff");
    expect_refused("not UTF-8");
    WHEN_PARSED("job.so", "-i", "a", "-o", "b", "--name", "");
    expect_refused("is empty");
    WHEN_PARSED("job.so", "-i", "a", "-o", "b", "-D", "nothing");
    expect_refused("-D \"nothing\": it is -D KEY=VALUE");
}

static void test_options__options_are_stronger_than_settings(void)
{
    WHEN_PARSED("job.so", "-i", "a", "-o", "b", "-D", "job.name=d", "-D", "mr.split.bytes=1m");
    CU_ASSERT_EQUAL(f.status, OK);
    CU_ASSERT_STRING_EQUAL(f.options.job.name, "d");
    CU_ASSERT_EQUAL(f.options.job.split_bytes, 1U << 20);

    WHEN_PARSED("job.so", "-i", "a", "-o", "b", "-D", "job.name=d", "--name", "n", "--split", "2m",
                "-D", "mr.split.bytes=1m");
    CU_ASSERT_STRING_EQUAL(f.options.job.name, "n");
    CU_ASSERT_EQUAL(f.options.job.split_bytes, 2U << 20);
}

static void test_options__help_needs_nothing_else(void)
{
    WHEN_PARSED("--help");
    CU_ASSERT_EQUAL(f.status, OK);
    CU_ASSERT(f.options.wants_help);
}

static const struct unit_test tests[] = {
    {"test_options__a_whole_line_is_read",               "A whole command line is read.",
     test_options__a_whole_line_is_read              },
    {"test_options__inputs_may_follow_one_i",            "Several inputs may follow one -i.",
     test_options__inputs_may_follow_one_i           },
    {"test_options__the_object_may_stand_last",          "The job object may stand last.",
     test_options__the_object_may_stand_last         },
    {"test_options__what_is_missing_is_named",           "What is missing is named.",
     test_options__what_is_missing_is_named          },
    {"test_options__what_is_too_much_is_named",          "What is too much is named.",
     test_options__what_is_too_much_is_named         },
    {"test_options__bad_numbers_are_refused",            "Bad numbers are refused.",
     test_options__bad_numbers_are_refused           },
    {"test_options__odd_paths_pass_untouched",           "Paths pass as they are, whatever is in them.",
     test_options__odd_paths_pass_untouched          },
    {"test_options__odd_names_are_refused",              "Names that could not be shown are refused.",
     test_options__odd_names_are_refused             },
    {"test_options__options_are_stronger_than_settings", "Options are stronger than -D settings.",
     test_options__options_are_stronger_than_settings},
    {"test_options__help_needs_nothing_else",            "Help can be asked for alone.",
     test_options__help_needs_nothing_else           },
};

int main(int argc, char **argv)
{
    return unit_main(argc, argv, "mrsubmit_options", tests, UNIT_COUNT(tests), setup, teardown);
}
