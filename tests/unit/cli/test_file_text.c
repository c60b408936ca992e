/*
 * test_file_text.c - sizes, times and formats as Hadoop's shell prints them.
 */
#include <string.h>

#include "cli/file_text.h"
#include "lib/model/messages.h"
#include "tests/support/unit.h"

static void expect_size(uint64_t bytes, const char *expected)
{
    CU_ASSERT_STRING_EQUAL(file_text_size(bytes).text, expected);
}

static void test_file_text__sizes_have_at_most_one_decimal(void)
{
    expect_size(0, "0");
    expect_size(1023, "1023");
    expect_size(1024, "1 K");
    expect_size(1536, "1.5 K");
    expect_size(1 << 20, "1 M");
    expect_size((1 << 20) - 1, "1.0 M");
    expect_size((uint64_t)3 << 30, "3 G");
    expect_size(20401094656, "19 G");
    expect_size(20401094657, "19.0 G");
    expect_size((uint64_t)1 << 60, "1 E");
    expect_size(UINT64_MAX, "16.0 E");
}

static void expect_time(const char *text, uint64_t expected)
{
    uint64_t found = 0;
    CU_ASSERT_TRUE(file_text_parse_time(slice_from_string(text), &found));
    CU_ASSERT_EQUAL(found, expected);
}

static void test_file_text__times_are_read_and_shown(void)
{
    expect_time("19700101:000000", 0);
    expect_time("20100113:140000", 1263391200000);
    expect_time("20240229:235959", 1709251199000);
    expect_time("21000301:000000", 4107542400000);
    CU_ASSERT_STRING_EQUAL(file_text_time(1263391200000, false).text, "2010-01-13 14:00");
    CU_ASSERT_STRING_EQUAL(file_text_time(1709251199000, true).text, "2024-02-29 23:59:59");
}

static void test_file_text__other_times_are_refused(void)
{
    static const char *const bad[] = {"",
                                      "2010",
                                      "20100113-140000",
                                      "20101301:000000",
                                      "20230229:000000",
                                      "21000229:000000",
                                      "20100100:000000",
                                      "20100113:240000",
                                      "20100113:006000",
                                      "19691231:235959",
                                      "2010011x:000000",
                                      "20100113:0000000"};
    uint64_t found = 7;
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CU_ASSERT_FALSE(file_text_parse_time(slice_from_string(bad[i]), &found));
    CU_ASSERT_EQUAL(found, 7);
}

static void expect_format(const char *format, const char *expected)
{
    struct buf text = {0};
    const struct dfs_file_status file = {
        .kind = FILE_REGULAR,
        .length = 3276,
        .replication = 3,
        .block_size = 1 << 20,
        .permission = 0644,
        .owner = slice_from_string("ann"),
        .group = slice_from_string("staff"),
        .modified_ms = 1263391200123,
        .accessed_ms = 0,
    };
    file_text_format(slice_from_string(format), slice_from_string("/a b/c"), &file, &text);
    CU_ASSERT_STRING_EQUAL(buf_string(&text), expected);
    buf_close(&text);
}

static void test_file_text__format_is_filled_in(void)
{
    expect_format("%n %b %r %o %u:%g", "c 3276 3 1048576 ann:staff");
    expect_format("%a %A %F", "644 rw-r--r-- regular file");
    expect_format("%y|%Y|%x|%X", "2010-01-13 14:00:00|1263391200123|1970-01-01 00:00:00|0");
    expect_format("100%% %q %", "100% %q %");
    expect_format("", "");
}

static const struct unit_test tests[] = {
    {"test_file_text__sizes_have_at_most_one_decimal", "Sizes have at most one decimal.",
     test_file_text__sizes_have_at_most_one_decimal},
    {"test_file_text__times_are_read_and_shown",       "Times are read and shown.",
     test_file_text__times_are_read_and_shown      },
    {"test_file_text__other_times_are_refused",        "Other times are refused.",
     test_file_text__other_times_are_refused       },
    {"test_file_text__format_is_filled_in",            "A format is filled in; the rest of it stays.",
     test_file_text__format_is_filled_in           },
};

int main(int argc, char **argv)
{
    return unit_main(argc, argv, "cli/file_text", tests, UNIT_COUNT(tests), NULL, NULL);
}
