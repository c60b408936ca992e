/*
 * test_table.c - sizes, times and parts as people read them.
 */
#include <stdint.h>

#include "cli/table.h"
#include "tests/support/unit.h"

static void test_table__bytes_are_readable(void)
{
    CU_ASSERT_STRING_EQUAL(cli_bytes(0).text, "0 B");
    CU_ASSERT_STRING_EQUAL(cli_bytes(1023).text, "1023 B");
    CU_ASSERT_STRING_EQUAL(cli_bytes(1024).text, "1.0 KiB");
    CU_ASSERT_STRING_EQUAL(cli_bytes(1536 * 1024).text, "1.5 MiB");
    CU_ASSERT_STRING_EQUAL(cli_bytes((UINT64_C(1) << 20) - 1).text, "1.0 MiB");
    CU_ASSERT_STRING_EQUAL(cli_bytes(UINT64_C(20) << 30).text, "20.0 GiB");
    CU_ASSERT_STRING_EQUAL(cli_bytes(UINT64_MAX).text, "16.0 EiB");
}

static void test_table__durations_are_readable(void)
{
    CU_ASSERT_STRING_EQUAL(cli_duration(999).text, "999 ms");
    CU_ASSERT_STRING_EQUAL(cli_duration(12345).text, "12.3 s");
    CU_ASSERT_STRING_EQUAL(cli_duration(303000).text, "5 m 03 s");
    CU_ASSERT_STRING_EQUAL(cli_duration(12000000).text, "3 h 20 m");
    CU_ASSERT_STRING_EQUAL(cli_duration(UINT64_C(99) * 3600 * 1000).text, "4 d 3 h");
}

static void test_table__times_and_parts_are_readable(void)
{
    CU_ASSERT_STRING_EQUAL(cli_time(0).text, "-");
    CU_ASSERT_STRING_EQUAL(cli_time(UINT64_MAX).text, "-");
    CU_ASSERT_STRING_EQUAL(cli_time(1769853600123).text, "2026-01-31 10:00:00");
    CU_ASSERT_STRING_EQUAL(cli_percent(-1.0F).text, "0 %");
    CU_ASSERT_STRING_EQUAL(cli_percent(0.5F).text, "50 %");
    CU_ASSERT_STRING_EQUAL(cli_percent(2.0F).text, "100 %");
}

static const struct unit_test tests[] = {
    {"test_table__bytes_are_readable",           "Bytes are shown with the unit that fits.",
     test_table__bytes_are_readable          },
    {"test_table__durations_are_readable",       "Durations are shown in two units at most.",
     test_table__durations_are_readable      },
    {"test_table__times_and_parts_are_readable", "Times and parts are shown plainly.",
     test_table__times_and_parts_are_readable},
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "cli/table", tests, UNIT_COUNT(tests), NULL, NULL);
}
