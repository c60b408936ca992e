/*
 * test_words.c - command lines with options of one dash or two, anywhere.
 */
#include <string.h>

#include "cli/words.h"
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "tests/support/unit.h"

static const struct words_option own[] = {
    {"r R recursive", 'r', NULL, "x" },
    {"f",             'f', NULL, "x" },
    {"skipTrash",     1,   NULL, "x" },
    {"c count",       'c', "N",  "x" },
    {"block-size",    2,   "N",  "x" },
    {NULL,            0,   NULL, NULL},
};
static const struct words_option common[] = {
    {"cluster", 3, "DIR", "x"                        },
    {"f",       4, NULL,  "hidden by the first table"},
    {NULL,      0, NULL,  NULL                       },
};
static const struct words_option *const tables[] = {own, common, NULL};

struct fixture {
    struct error error;
    struct arena *arena;
    struct words words;
};

static struct fixture f;

static void setup(void)
{
    memset(&f, 0, sizeof(f));
    f.arena = arena_open(0);
}

static void teardown(void)
{
    arena_close(f.arena);
}

/* Words are separated by spaces. */
static enum status parse(const char *line, enum words_unknown unknown)
{
    const char *words[16];
    size_t count = 0;
    char *copy = (char *)arena_new(f.arena, strlen(line) + 1);
    memcpy(copy, line, strlen(line));
    char *rest = copy;
    for (char *word = strtok_r(copy, " ", &rest); word != NULL; word = strtok_r(NULL, " ", &rest))
        words[count++] = word;
    return words_parse(words, count, tables, unknown, f.arena, &f.words, &f.error);
}

static void expect_arguments(const char *expected)
{
    struct buf all = {0};
    for (size_t i = 0; i < f.words.count; i++)
        CU_ASSERT_EQUAL(buf_append_format(&all, "%s%s", i > 0 ? " " : "", f.words.arguments[i]),
                        OK);
    CU_ASSERT_STRING_EQUAL(buf_string(&all), expected);
    CU_ASSERT_PTR_NULL(f.words.arguments[f.words.count]);
    buf_close(&all);
}

static void test_words__options_stand_anywhere(void)
{
    CU_ASSERT_EQUAL_FATAL(parse("-r /a --skipTrash /b -f", WORDS_REFUSE), OK);
    CU_ASSERT_TRUE(f.words.flags['r'] && f.words.flags['f'] && f.words.flags[1]);
    CU_ASSERT_FALSE(f.words.flags['c'] || f.words.flags[4]);
    expect_arguments("/a /b");
    CU_ASSERT_EQUAL_FATAL(parse("-skipTrash --recursive x", WORDS_REFUSE), OK);
    CU_ASSERT_TRUE(f.words.flags['r'] && f.words.flags[1]);
}

static void test_words__letters_may_be_put_together(void)
{
    CU_ASSERT_EQUAL_FATAL(parse("-rf /a", WORDS_REFUSE), OK);
    CU_ASSERT_TRUE(f.words.flags['r'] && f.words.flags['f']);
    CU_ASSERT_EQUAL(parse("-rc /a", WORDS_REFUSE), ERR_INVALID);
    CU_ASSERT_EQUAL(parse("-rq /a", WORDS_REFUSE), ERR_INVALID);
    CU_ASSERT_EQUAL(parse("--rf /a", WORDS_REFUSE), ERR_INVALID);
}

static void test_words__values_follow_or_come_after_an_equals_sign(void)
{
    CU_ASSERT_EQUAL_FATAL(parse("-c 5 --block-size=1m --cluster -x a", WORDS_REFUSE), OK);
    CU_ASSERT_STRING_EQUAL(f.words.values['c'], "5");
    CU_ASSERT_STRING_EQUAL(f.words.values[2], "1m");
    CU_ASSERT_STRING_EQUAL(f.words.values[3], "-x");
    expect_arguments("a");
    CU_ASSERT_EQUAL_FATAL(parse("-c 5 -count 6 -c=", WORDS_REFUSE), OK);
    CU_ASSERT_STRING_EQUAL(f.words.values['c'], "");
    CU_ASSERT_EQUAL(parse("a -c", WORDS_REFUSE), ERR_INVALID);
    CU_ASSERT_EQUAL(parse("--skipTrash=1", WORDS_REFUSE), ERR_INVALID);
}

static void test_words__two_dashes_end_the_options(void)
{
    CU_ASSERT_EQUAL_FATAL(parse("-f -- -r -- x", WORDS_REFUSE), OK);
    CU_ASSERT_FALSE(f.words.flags['r']);
    expect_arguments("-r -- x");
    CU_ASSERT_EQUAL_FATAL(parse("- -f -", WORDS_REFUSE), OK);
    expect_arguments("- -");
}

static void test_words__unknown_options_are_refused_or_kept(void)
{
    CU_ASSERT_EQUAL(parse("-nonsense", WORDS_REFUSE), ERR_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.error.text, "-nonsense"));
    CU_ASSERT_EQUAL_FATAL(parse("-x -r -nonsense /a", WORDS_ARGUMENT), OK);
    expect_arguments("-x -nonsense /a");
    CU_ASSERT_TRUE(f.words.flags['r']);
    CU_ASSERT_EQUAL(parse("--", WORDS_REFUSE), OK);
    CU_ASSERT_EQUAL(f.words.count, 0);
}

static const struct unit_test tests[] = {
    {"test_words__options_stand_anywhere",                     "Options stand anywhere.",
     test_words__options_stand_anywhere                                                                                                              },
    {"test_words__letters_may_be_put_together",                "Letters may be put together.",
     test_words__letters_may_be_put_together                                                                                                         },
    {"test_words__values_follow_or_come_after_an_equals_sign",
     "Values follow, or come after an equals sign.",                                           test_words__values_follow_or_come_after_an_equals_sign},
    {"test_words__two_dashes_end_the_options",                 "Two dashes end the options.",
     test_words__two_dashes_end_the_options                                                                                                          },
    {"test_words__unknown_options_are_refused_or_kept",
     "Unknown options are refused, or kept as arguments.",                                     test_words__unknown_options_are_refused_or_kept       },
};

int main(int argc, char **argv)
{
    return unit_main(argc, argv, "cli/words", tests, UNIT_COUNT(tests), setup, teardown);
}
