/*
 * test_glob.c - patterns of names: which match, which are refused, and that none takes long.
 */
#include <string.h>

#include "cli/glob.h"
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/os/clock.h"
#include "tests/support/unit.h"

struct fixture {
    struct error error;
    struct arena *arena;
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

static bool matches(const char *pattern, const char *name)
{
    CU_ASSERT_EQUAL(glob_check(slice_from_string(pattern), &f.error), OK);
    return glob_match(slice_from_string(pattern), slice_from_string(name));
}

static void test_glob__stars_and_question_marks_match(void)
{
    CU_ASSERT_TRUE(matches("*", "a"));
    CU_ASSERT_TRUE(matches("*", ""));
    CU_ASSERT_TRUE(matches("a*c", "abbbc"));
    CU_ASSERT_TRUE(matches("a*c", "ac"));
    CU_ASSERT_TRUE(matches("a*b*c", "aXbYbZc"));
    CU_ASSERT_FALSE(matches("a*c", "acd"));
    CU_ASSERT_FALSE(matches("a*b*c", "aXc"));
    CU_ASSERT_TRUE(matches("?", "a"));
    CU_ASSERT_FALSE(matches("?", ""));
    CU_ASSERT_FALSE(matches("?", "ab"));
    CU_ASSERT_TRUE(matches("part-r-0000?", "part-r-00007"));
    CU_ASSERT_TRUE(matches(".*", ".hidden"));
    CU_ASSERT_FALSE(matches("", "a"));
}

static void test_glob__question_mark_is_one_character_of_utf8(void)
{
    CU_ASSERT_TRUE(matches("?", "\u00fc"));
    CU_ASSERT_TRUE(matches("d?j?", "d\u00e9j\u00e0"));
    CU_ASSERT_TRUE(matches("[\u00e0-\u00ff]", "\u00e9"));
    CU_ASSERT_FALSE(matches("[\u00e0-\u00ff]", "e"));
    CU_ASSERT_TRUE(matches("?", "\U0001f600"));
    CU_ASSERT_TRUE(
        glob_match(slice_from_string("??"), slice_from_string("\x80\xff"))); /* no UTF-8 */
}

static void test_glob__classes_match_one_of_their_characters(void)
{
    CU_ASSERT_TRUE(matches("[abc]", "b"));
    CU_ASSERT_FALSE(matches("[abc]", "d"));
    CU_ASSERT_TRUE(matches("[a-c]x", "cx"));
    CU_ASSERT_FALSE(matches("[^a-c]", "b"));
    CU_ASSERT_TRUE(matches("[^a-c]", "d"));
    CU_ASSERT_TRUE(matches("[!a]", "d"));
    CU_ASSERT_TRUE(matches("[]]", "]"));
    CU_ASSERT_TRUE(matches("[a-]", "-"));
    CU_ASSERT_TRUE(matches("[\\]]", "]"));
    CU_ASSERT_TRUE(matches("[a\\-c]", "-"));
    CU_ASSERT_FALSE(matches("[a\\-c]", "b"));
    CU_ASSERT_TRUE(matches("*[0-9]", "part-9"));
}

static void test_glob__backslash_escapes_special_characters_only(void)
{
    CU_ASSERT_TRUE(matches("a\\*b", "a*b"));
    CU_ASSERT_FALSE(matches("a\\*b", "aXb"));
    CU_ASSERT_TRUE(matches("a\\b", "a\\b"));
    CU_ASSERT_TRUE(matches("a\\\\b", "a\\b"));
    CU_ASSERT_TRUE(matches("a\\", "a\\"));
    CU_ASSERT_FALSE(glob_is_pattern(slice_from_string("/a\\*\\?\\[\\{b}]")));
    CU_ASSERT_TRUE(glob_is_pattern(slice_from_string("/a\\**")));
    static const char *const names[] = {"plain", "a*b?[c]{d,e}", "back\\slash", "\\", "^-", ""};
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct slice name = slice_from_string(names[i]);
        struct slice escaped = glob_escape(name, f.arena);
        CU_ASSERT_FALSE(glob_is_pattern(escaped));
        CU_ASSERT_TRUE(slice_equal(glob_unescape(escaped, f.arena), name));
        CU_ASSERT_TRUE(glob_match(escaped, name));
    }
}

static void test_glob__malformed_patterns_are_refused(void)
{
    static const char *const bad[] = {"[", "[a", "a[", "[^", "[]", "[z-a]", "*[a\\]", "[a-"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CU_ASSERT_EQUAL(glob_check(slice_from_string(bad[i]), &f.error), ERR_INVALID);
    static const char *const open[] = {"{", "{a", "a{b,c", "{a,{b}", "{a,\\}"};
    struct slice *patterns = NULL;
    size_t count = 0;
    for (size_t i = 0; i < sizeof(open) / sizeof(open[0]); i++)
        CU_ASSERT_EQUAL(
            glob_expand(slice_from_string(open[i]), f.arena, &patterns, &count, &f.error),
            ERR_INVALID);
}

static void expect_expansion(const char *pattern, const char *expected)
{
    struct slice *patterns = NULL;
    size_t count = 0;
    struct buf all = {0};
    CU_ASSERT_EQUAL_FATAL(
        glob_expand(slice_from_string(pattern), f.arena, &patterns, &count, &f.error), OK);
    for (size_t i = 0; i < count; i++)
        CU_ASSERT_EQUAL(
            buf_append_format(&all, "%s%.*s", i > 0 ? "|" : "", SLICE_ARGS(patterns[i])), OK);
    CU_ASSERT_STRING_EQUAL(buf_string(&all), expected);
    buf_close(&all);
}

static void test_glob__braces_are_written_out(void)
{
    expect_expansion("/a", "/a");
    expect_expansion("/{a,b}/c", "/a/c|/b/c");
    expect_expansion("{a,b}{1,2}", "a1|a2|b1|b2");
    expect_expansion("{a,{b,c}d}", "a|bd|cd");
    expect_expansion("{a}", "a");
    expect_expansion("x{,y}", "x|xy");
    expect_expansion("x{}", "x");
    expect_expansion("/{a/b,c}", "/a/b|/c");
    expect_expansion("\\{a,b\\}", "\\{a,b\\}");
    expect_expansion("{a\\,b,c}", "a\\,b|c");
    expect_expansion("[{,}]", "[{,}]");
    expect_expansion("{[,],b}", "[,]|b");
    expect_expansion("a}b", "a}b");
}

static void test_glob__too_many_alternatives_are_refused(void)
{
    struct slice *patterns = NULL;
    size_t count = 0;
    const char *many = "{0,1}{0,1}{0,1}{0,1}{0,1}{0,1}{0,1}{0,1}{0,1}{0,1}{0,1}{0,1}{0,1}";
    CU_ASSERT_EQUAL(glob_expand(slice_from_string(many), f.arena, &patterns, &count, &f.error),
                    ERR_LIMIT);
    CU_ASSERT_EQUAL(glob_expand(slice_from_string(many + 5), f.arena, &patterns, &count, &f.error),
                    OK);
    CU_ASSERT_EQUAL(count, GLOB_ALTERNATIVES_MAX);
    struct buf deep = {0};
    for (int i = 0; i < 2000; i++)
        CU_ASSERT_EQUAL(buf_append(&deep, "{a}", 3), OK);
    CU_ASSERT_EQUAL(glob_expand(buf_slice(&deep), f.arena, &patterns, &count, &f.error), ERR_LIMIT);
    buf_close(&deep);
}

static void test_glob__many_stars_take_no_exponential_time(void)
{
    struct buf pattern = {0};
    struct buf name = {0};
    for (int i = 0; i < 100; i++)
        CU_ASSERT_EQUAL(buf_append(&pattern, "a*", 2), OK);
    CU_ASSERT_EQUAL(buf_append(&pattern, "b", 1), OK);
    for (int i = 0; i < 255; i++)
        CU_ASSERT_EQUAL(buf_append(&name, "a", 1), OK);
    int64_t begin = clock_monotonic_ms();
    for (int i = 0; i < 100; i++)
        CU_ASSERT_FALSE(glob_match(buf_slice(&pattern), buf_slice(&name)));
    CU_ASSERT_TRUE(clock_monotonic_ms() - begin < 10000);
    buf_close(&pattern);
    buf_close(&name);
}

static const struct unit_test tests[] = {
    {"test_glob__stars_and_question_marks_match",            "Stars and question marks match.",
     test_glob__stars_and_question_marks_match                                                                                                                },
    {"test_glob__question_mark_is_one_character_of_utf8",
     "A question mark is one character of UTF-8.",                                                        test_glob__question_mark_is_one_character_of_utf8   },
    {"test_glob__classes_match_one_of_their_characters",     "A class matches one of its characters.",
     test_glob__classes_match_one_of_their_characters                                                                                                         },
    {"test_glob__backslash_escapes_special_characters_only",
     "A backslash escapes special characters, and stands for itself elsewhere.",                          test_glob__backslash_escapes_special_characters_only},
    {"test_glob__malformed_patterns_are_refused",            "Malformed patterns are refused.",
     test_glob__malformed_patterns_are_refused                                                                                                                },
    {"test_glob__braces_are_written_out",                    "Braces are written out, nested ones, too.",
     test_glob__braces_are_written_out                                                                                                                        },
    {"test_glob__too_many_alternatives_are_refused",         "Too many alternatives are refused.",
     test_glob__too_many_alternatives_are_refused                                                                                                             },
    {"test_glob__many_stars_take_no_exponential_time",       "Many stars take no exponential time.",
     test_glob__many_stars_take_no_exponential_time                                                                                                           },
};

int main(int argc, char **argv)
{
    return unit_main(argc, argv, "cli/glob", tests, UNIT_COUNT(tests), setup, teardown);
}
