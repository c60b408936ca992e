/*
 * test_path.c - lib/model/path.h and lib/model/text.h.
 */
#include "lib/model/path.h"

#include <string.h>

#include "lib/base/arena.h"
#include "lib/model/limits.h"
#include "lib/model/text.h"
#include "tests/support/unit.h"

static struct fixture {
    struct arena *arena;
    struct error error;
} f;

static void setup(void)
{
    f = (struct fixture){.arena = arena_open(0)};
}

static void teardown(void)
{
    arena_close(f.arena);
}

static struct slice text_of(const char *text)
{
    return slice_from_string(text);
}

/* pattern, count times. */
static struct slice repeated(const char *pattern, size_t count)
{
    size_t length = strlen(pattern);
    uint8_t *text = arena_new(f.arena, length * count + 1);
    for (size_t i = 0; i < count; i++)
        memcpy(text + i * length, pattern, length);
    return slice_make(text, length * count);
}

static void expect_refused(struct slice path, const char *sentence)
{
    struct slice normal;
    CU_ASSERT_EQUAL(path_check(path, &f.error), ERR_INVALID);
    CU_ASSERT_STRING_EQUAL(f.error.text, sentence);
    CU_ASSERT_EQUAL(path_normalise(path, f.arena, &normal, &f.error), ERR_INVALID);
    CU_ASSERT_STRING_EQUAL(f.error.text, sentence);
}

static void test_path__normal_paths_are_accepted_as_they_are(void)
{
    const char *const good[] = {"/", "/a", "/a/b", "/...", "/a b", "/.a", "/\xc3\xa9", "/a:b*?\\"};
    for (size_t i = 0; i < UNIT_COUNT(good); i++) {
        struct slice path = text_of(good[i]);
        struct slice normal;
        CU_ASSERT_EQUAL(path_check(path, &f.error), OK);
        CU_ASSERT_EQUAL(path_normalise(path, f.arena, &normal, &f.error), OK);
        CU_ASSERT_PTR_EQUAL(normal.data, path.data);
        CU_ASSERT_EQUAL(normal.length, path.length);
    }
}

static void test_path__superfluous_slashes_are_taken_out(void)
{
    const char *const loose[] = {"//", "/a/", "//a", "/a//b", "///a///b///"};
    const char *const normals[] = {"/", "/a", "/a", "/a/b", "/a/b"};
    for (size_t i = 0; i < UNIT_COUNT(loose); i++) {
        struct slice normal;
        CU_ASSERT_EQUAL(path_normalise(text_of(loose[i]), f.arena, &normal, &f.error), OK);
        CU_ASSERT_TRUE(slice_equal_string(normal, normals[i]));
        CU_ASSERT_EQUAL(path_check(text_of(loose[i]), &f.error), ERR_INVALID);
        CU_ASSERT_EQUAL(path_check(normal, &f.error), OK);
    }
}

static void test_path__each_fault_is_told_in_a_sentence(void)
{
    expect_refused(text_of(""), "the path is empty");
    expect_refused(text_of("a/b"),
                   "the path \"a/b\" is not absolute: it does not start with a slash");
    expect_refused(text_of("/a/./b"),
                   "in the path \"/a/./b\" the name \".\" is \".\" or \"..\", which have no "
                   "meaning in absolute paths");
    expect_refused(text_of("/.."),
                   "in the path \"/..\" the name \"..\" is \".\" or \"..\", which have no "
                   "meaning in absolute paths");
    expect_refused(text_of("/a\nb"),
                   "in the path \"/a?b\" the name \"a?b\" holds a control character");
    expect_refused(slice_make("/a\0b", 4),
                   "in the path \"/a?b\" the name \"a?b\" holds a control character");
    expect_refused(text_of("/\x7f"), "in the path \"/?\" the name \"?\" holds a control character");
    expect_refused(text_of("/\xff"), "in the path \"/?\" the name \"?\" is not UTF-8");
}

static void test_path__limits_are_exact(void)
{
    struct slice longest_name = repeated("n", LIMIT_COMPONENT_BYTES);
    struct slice fits = path_append(text_of("/"), longest_name, f.arena);
    CU_ASSERT_EQUAL(path_check(fits, &f.error), OK);
    CU_ASSERT_EQUAL(path_check(path_append(text_of("/"), repeated("n", 256), f.arena), &f.error),
                    ERR_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.error.text, "is longer than 255 bytes"));
    CU_ASSERT_EQUAL(path_check(repeated("/d", LIMIT_PATH_DEPTH), &f.error), OK);
    CU_ASSERT_EQUAL(path_check(repeated("/d", LIMIT_PATH_DEPTH + 1), &f.error), ERR_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.error.text, "is deeper than 1000 names"));
    CU_ASSERT_EQUAL(path_check(repeated("/seven77", LIMIT_PATH_BYTES / 8), &f.error), OK);
    CU_ASSERT_EQUAL(path_check(repeated("/seven77", LIMIT_PATH_BYTES / 8 + 1), &f.error),
                    ERR_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.error.text, "is longer than 8000 bytes"));
}

static void test_path__name_alone_is_judged_alike(void)
{
    CU_ASSERT_EQUAL(path_check_name(text_of("part-00000"), &f.error), OK);
    CU_ASSERT_EQUAL(path_check_name(text_of(""), &f.error), ERR_INVALID);
    CU_ASSERT_STRING_EQUAL(f.error.text, "the name \"\" is empty");
    CU_ASSERT_EQUAL(path_check_name(text_of("a/b"), &f.error), ERR_INVALID);
    CU_ASSERT_STRING_EQUAL(f.error.text, "the name \"a/b\" holds a slash");
    CU_ASSERT_EQUAL(path_check_name(text_of(".."), NULL), ERR_INVALID);
}

static void test_path__names_come_in_order(void)
{
    struct slice rest = text_of("/a/bc/d");
    struct slice name;
    CU_ASSERT_TRUE(path_next_name(&rest, &name) && slice_equal_string(name, "a"));
    CU_ASSERT_TRUE(path_next_name(&rest, &name) && slice_equal_string(name, "bc"));
    CU_ASSERT_TRUE(path_next_name(&rest, &name) && slice_equal_string(name, "d"));
    CU_ASSERT_FALSE(path_next_name(&rest, &name));
    rest = text_of("/");
    CU_ASSERT_FALSE(path_next_name(&rest, &name));
    CU_ASSERT_EQUAL(path_depth(text_of("/")), 0);
    CU_ASSERT_EQUAL(path_depth(text_of("/a/bc/d")), 3);
}

static void test_path__parent_and_name_split_at_the_last_slash(void)
{
    CU_ASSERT_TRUE(slice_equal_string(path_directory(text_of("/a/b")), "/a"));
    CU_ASSERT_TRUE(slice_equal_string(path_last_name(text_of("/a/b")), "b"));
    CU_ASSERT_TRUE(slice_equal_string(path_directory(text_of("/a")), "/"));
    CU_ASSERT_TRUE(slice_equal_string(path_last_name(text_of("/a")), "a"));
    CU_ASSERT_TRUE(slice_equal_string(path_directory(text_of("/")), "/"));
    CU_ASSERT_EQUAL(path_last_name(text_of("/")).length, 0);
}

static void test_path__join_puts_one_slash_between(void)
{
    CU_ASSERT_TRUE(slice_equal_string(path_append(text_of("/"), text_of("a"), f.arena), "/a"));
    CU_ASSERT_TRUE(slice_equal_string(path_append(text_of("/a"), text_of("b"), f.arena), "/a/b"));
}

static void test_path__within_ends_at_a_name(void)
{
    CU_ASSERT_TRUE(path_is_within(text_of("/a/b"), text_of("/a")));
    CU_ASSERT_TRUE(path_is_within(text_of("/a"), text_of("/a")));
    CU_ASSERT_TRUE(path_is_within(text_of("/a"), text_of("/")));
    CU_ASSERT_TRUE(path_is_within(text_of("/"), text_of("/")));
    CU_ASSERT_FALSE(path_is_within(text_of("/ab"), text_of("/a")));
    CU_ASSERT_FALSE(path_is_within(text_of("/"), text_of("/a")));
}

static void test_path__bad_bytes_of_text_are_replaced_one_by_one(void)
{
    CU_ASSERT_TRUE(
        slice_equal_string(text_clean(slice_make("a\0\xff\xe2\x82z\xc3\xa9", 8), f.arena),
                           "a\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbdz\xc3\xa9"));
    struct slice clean = text_of("clean \xe2\x82\xac");
    CU_ASSERT_PTR_EQUAL(text_clean(clean, f.arena).data, clean.data);
    CU_ASSERT_TRUE(text_is_clean(clean));
    CU_ASSERT_FALSE(text_is_clean(slice_make("\0", 1)));
}

static void test_path__text_is_cut_between_characters(void)
{
    struct slice text = text_of("a\xe2\x82\xac"
                                "b");
    CU_ASSERT_TRUE(slice_equal_string(text_cut(text, 5), "a\xe2\x82\xac"
                                                         "b"));
    CU_ASSERT_TRUE(slice_equal_string(text_cut(text, 4), "a\xe2\x82\xac"));
    CU_ASSERT_TRUE(slice_equal_string(text_cut(text, 3), "a"));
    CU_ASSERT_TRUE(slice_equal_string(text_cut(text, 0), ""));
    CU_ASSERT_TRUE(slice_equal_string(text_cut_front(text, 4), "\xe2\x82\xac"
                                                               "b"));
    CU_ASSERT_TRUE(slice_equal_string(text_cut_front(text, 3), "b"));
    CU_ASSERT_TRUE(slice_equal_string(text_cut_front(text, 0), ""));
}

static void test_path__long_quotes_end_in_dots(void)
{
    struct text_quote quote = text_quote(repeated("\xe2\x82\xac", 1000));
    size_t length = strlen(quote.text);
    CU_ASSERT_TRUE(length < TEXT_QUOTE_BYTES);
    CU_ASSERT_TRUE(length > TEXT_QUOTE_BYTES - 8);
    CU_ASSERT_STRING_EQUAL(quote.text + length - 4, "...\"");
    CU_ASSERT_TRUE(slice_is_utf8(text_of(quote.text)));
    CU_ASSERT_STRING_EQUAL(text_quote(text_of("a\tb")).text, "\"a?b\"");
    CU_ASSERT_STRING_EQUAL(text_quote(text_of("")).text, "\"\"");
}

static const struct unit_test tests[] = {
    {"test_path__normal_paths_are_accepted_as_they_are",     "Normal paths are accepted as they are.",
     test_path__normal_paths_are_accepted_as_they_are                                                                                                      },
    {"test_path__superfluous_slashes_are_taken_out",         "Superfluous slashes are taken out.",
     test_path__superfluous_slashes_are_taken_out                                                                                                          },
    {"test_path__each_fault_is_told_in_a_sentence",          "Each fault is told in a sentence.",
     test_path__each_fault_is_told_in_a_sentence                                                                                                           },
    {"test_path__limits_are_exact",                          "Limits are exact.",                      test_path__limits_are_exact                         },
    {"test_path__name_alone_is_judged_alike",                "Name alone is judged alike.",
     test_path__name_alone_is_judged_alike                                                                                                                 },
    {"test_path__names_come_in_order",                       "Names come in order.",                   test_path__names_come_in_order                      },
    {"test_path__parent_and_name_split_at_the_last_slash",
     "Parent and name split at the last slash.",                                                       test_path__parent_and_name_split_at_the_last_slash  },
    {"test_path__join_puts_one_slash_between",               "Join puts one slash between.",
     test_path__join_puts_one_slash_between                                                                                                                },
    {"test_path__within_ends_at_a_name",                     "Within ends at a name.",
     test_path__within_ends_at_a_name                                                                                                                      },
    {"test_path__bad_bytes_of_text_are_replaced_one_by_one",
     "Bad bytes of text are replaced one by one.",                                                     test_path__bad_bytes_of_text_are_replaced_one_by_one},
    {"test_path__text_is_cut_between_characters",            "Text is cut between characters.",
     test_path__text_is_cut_between_characters                                                                                                             },
    {"test_path__long_quotes_end_in_dots",                   "Long quotes end in dots.",
     test_path__long_quotes_end_in_dots                                                                                                                    },
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "model/path", tests, UNIT_COUNT(tests), setup,
                     teardown);
}
