/*
 * test_slice.c - lib/base/slice.h.
 */
#include "lib/base/slice.h"

#include <string.h>

#include "tests/support/unit.h"

static struct slice text(const char *string)
{
    return slice_from_string(string);
}

static void test_slice__equality_is_of_bytes(void)
{
    CU_ASSERT_TRUE(slice_equal(text("abc"), text("abc")));
    CU_ASSERT_FALSE(slice_equal(text("abc"), text("abd")));
    CU_ASSERT_FALSE(slice_equal(text("abc"), text("ab")));
    CU_ASSERT_TRUE(slice_equal(text(""), text(NULL)));
    CU_ASSERT_TRUE(slice_equal_string(slice_make("ab\0c", 2), "ab"));
    CU_ASSERT_FALSE(slice_equal(slice_make("a\0b", 3), slice_make("a\0c", 3)));
}

static void test_slice__order_is_of_unsigned_bytes(void)
{
    CU_ASSERT_EQUAL(slice_compare(text("a"), text("a")), 0);
    CU_ASSERT_TRUE(slice_compare(text("a"), text("b")) < 0);
    CU_ASSERT_TRUE(slice_compare(text("a"), text("ab")) < 0);
    CU_ASSERT_TRUE(slice_compare(text("b"), text("ab")) > 0);
    CU_ASSERT_TRUE(slice_compare(text("\x80"), text("a")) > 0);
    CU_ASSERT_TRUE(slice_compare(text(NULL), text("a")) < 0);
    CU_ASSERT_EQUAL(slice_compare(text(NULL), text("")), 0);
}

static void test_slice__prefix_find_and_sub(void)
{
    CU_ASSERT_TRUE(slice_has_prefix(text("abc"), text("ab")));
    CU_ASSERT_TRUE(slice_has_prefix(text("abc"), text("")));
    CU_ASSERT_FALSE(slice_has_prefix(text("ab"), text("abc")));
    CU_ASSERT_EQUAL(slice_find(text("abc"), 'c'), 2);
    CU_ASSERT_EQUAL(slice_find(text("abc"), 'x'), 3);
    CU_ASSERT_EQUAL(slice_find(text(NULL), 'x'), 0);
    CU_ASSERT_TRUE(slice_equal_string(slice_sub(text("abcd"), 1, 2), "bc"));
    CU_ASSERT_EQUAL(slice_sub(text("abcd"), 4, 0).length, 0);
    CU_ASSERT_EQUAL(slice_sub(text(NULL), 0, 0).length, 0);
}

static void take_a_part_beyond_the_end(void)
{
    (void)slice_sub(text("abcd"), 3, 2);
}

static void test_slice__part_beyond_the_end_aborts(void)
{
    CU_ASSERT_TRUE(unit_aborts(take_a_part_beyond_the_end));
}

static void test_slice__hash_is_the_published_one(void)
{
    /* XXH3 of no bytes with seed 0, from the specification's sanity checks. */
    CU_ASSERT_EQUAL(slice_hash(text(""), 0), 0x2d06800538d394c2u);
    CU_ASSERT_NOT_EQUAL(slice_hash(text("a"), 0), slice_hash(text("a"), 1));
    CU_ASSERT_EQUAL(slice_hash(text("millrace"), 7), slice_hash(text("millrace"), 7));
}

static void test_slice__decimal_is_parsed_whole_or_not(void)
{
    uint64_t value = 7;
    CU_ASSERT_TRUE(slice_parse_u64(text("0"), &value));
    CU_ASSERT_EQUAL(value, 0);
    CU_ASSERT_TRUE(slice_parse_u64(text("00012"), &value));
    CU_ASSERT_EQUAL(value, 12);
    CU_ASSERT_TRUE(slice_parse_u64(text("18446744073709551615"), &value));
    CU_ASSERT_EQUAL(value, UINT64_MAX);
    static const char *const refused[] = {
        "", "18446744073709551616", "99999999999999999999", "-1", "+1", " 1", "1 ", "1x", "0x1"};
    for (size_t i = 0; i < UNIT_COUNT(refused); i++)
        CU_ASSERT_FALSE(slice_parse_u64(text(refused[i]), &value));
    CU_ASSERT_EQUAL(value, UINT64_MAX);
}

static void test_slice__utf8_is_that_of_rfc_3629(void)
{
    static const char *const good[] = {"",
                                       "plain",
                                       "\xc2\x80",
                                       "\xdf\xbf",
                                       "\xe0\xa0\x80",
                                       "\xed\x9f\xbf",
                                       "\xee\x80\x80",
                                       "\xef\xbf\xbf",
                                       "\xf0\x90\x80\x80",
                                       "\xf4\x8f\xbf\xbf",
                                       "a\xc3\xa4z"};
    static const char *const bad[] = {"\x80",
                                      "\xc0\x80",
                                      "\xc1\xbf",
                                      "\xc2",
                                      "\xc2z",
                                      "\xe0\x9f\xbf",
                                      "\xe2\x82",
                                      "\xed\xa0\x80",
                                      "\xf0\x8f\xbf\xbf",
                                      "\xf0\x90\x80",
                                      "\xf4\x90\x80\x80",
                                      "\xf5\x80\x80\x80",
                                      "\xff"};
    for (size_t i = 0; i < UNIT_COUNT(good); i++)
        CU_ASSERT_TRUE(slice_is_utf8(text(good[i])));
    for (size_t i = 0; i < UNIT_COUNT(bad); i++)
        CU_ASSERT_FALSE(slice_is_utf8(text(bad[i])));
}

static const struct unit_test tests[] = {
    {"test_slice__equality_is_of_bytes",           "Slices are equal when their bytes are.",
     test_slice__equality_is_of_bytes                                                                                                   },
    {"test_slice__order_is_of_unsigned_bytes",
     "Slices compare as unsigned bytes, a prefix before the longer one.",                     test_slice__order_is_of_unsigned_bytes    },
    {"test_slice__prefix_find_and_sub",            "Prefixes, bytes and parts are found.",
     test_slice__prefix_find_and_sub                                                                                                    },
    {"test_slice__part_beyond_the_end_aborts",     "A part beyond the end is a bug of ours.",
     test_slice__part_beyond_the_end_aborts                                                                                             },
    {"test_slice__hash_is_the_published_one",      "The hash is XXH3 with a seed.",
     test_slice__hash_is_the_published_one                                                                                              },
    {"test_slice__decimal_is_parsed_whole_or_not",
     "A decimal is parsed as a whole or refused, untouched.",                                 test_slice__decimal_is_parsed_whole_or_not},
    {"test_slice__utf8_is_that_of_rfc_3629",
     "Well-formed UTF-8 has no overlong form, surrogate or number beyond U+10FFFF.",          test_slice__utf8_is_that_of_rfc_3629      },
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "base/slice", tests, UNIT_COUNT(tests), NULL, NULL);
}
