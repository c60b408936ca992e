/*
 * test_buf.c - lib/base/buf.h.
 */
#include "lib/base/buf.h"

#include <string.h>

#include "lib/base/fault.h"
#include "tests/support/unit.h"

static struct buf buf;

static void setup(void)
{
    buf_open(&buf, 0);
}

static void teardown(void)
{
    fault_disarm_all();
    buf_close(&buf);
}

static void test_buf__empty_buffer_is_an_empty_string(void)
{
    CU_ASSERT_STRING_EQUAL(buf_string(&buf), "");
    CU_ASSERT_EQUAL(buf_slice(&buf).length, 0);
    buf_clear(&buf);
    CU_ASSERT_PTR_NULL(buf.data);
}

static void test_buf__appends_end_in_nul(void)
{
    CU_ASSERT_EQUAL(buf_append(&buf, "abc", 3), OK);
    CU_ASSERT_EQUAL(buf_append_slice(&buf, slice_from_string("def")), OK);
    CU_ASSERT_EQUAL(buf_append_format(&buf, "-%d-%s", 42, "x"), OK);
    CU_ASSERT_EQUAL(buf_append(&buf, NULL, 0), OK);
    CU_ASSERT_STRING_EQUAL(buf_string(&buf), "abcdef-42-x");
    CU_ASSERT_EQUAL(buf.length, 11);
    buf_clear(&buf);
    CU_ASSERT_STRING_EQUAL(buf_string(&buf), "");
    CU_ASSERT_TRUE(buf.capacity > 0);
}

static void test_buf__growth_keeps_the_content(void)
{
    for (unsigned i = 0; i < 100000; i++) {
        uint8_t byte = (uint8_t)(i % 251);
        CU_ASSERT_EQUAL_FATAL(buf_append(&buf, &byte, 1), OK);
    }
    for (unsigned i = 0; i < 100000; i++) {
        if (buf.data[i] != i % 251)
            CU_FAIL_FATAL("content changed");
    }
    CU_ASSERT_EQUAL(buf.data[100000], 0);
}

static void test_buf__limit_is_exact_and_leaves_the_content(void)
{
    buf_open(&buf, 10);
    CU_ASSERT_EQUAL(buf_append(&buf, "0123456789", 10), OK);
    CU_ASSERT_EQUAL(buf_append(&buf, "x", 1), ERR_LIMIT);
    CU_ASSERT_EQUAL(buf_append_format(&buf, "%d", 1), ERR_LIMIT);
    CU_ASSERT_EQUAL(buf_append(&buf, "x", SIZE_MAX), ERR_LIMIT);
    CU_ASSERT_EQUAL(buf_reserve(&buf, SIZE_MAX - 10), ERR_LIMIT);
    CU_ASSERT_STRING_EQUAL(buf_string(&buf), "0123456789");
    CU_ASSERT_EQUAL(buf.capacity, 11);
}

static void test_buf__every_allocation_may_fail(void)
{
    for (uint64_t nth = 1;; nth++) {
        buf_close(&buf);
        fault_arm(FAULT_MEM, nth, 1);
        enum status status = OK;
        size_t appended = 0;
        while (status == OK && appended < 1000) {
            status = buf_append(&buf, "0123456789", 10);
            if (status == OK)
                appended += 10;
        }
        CU_ASSERT_EQUAL(buf.length, appended);
        if (fault_failures(FAULT_MEM) == 0)
            break;
        CU_ASSERT_EQUAL(status, ERR_NO_MEMORY);
        fault_disarm(FAULT_MEM);
        CU_ASSERT_EQUAL(buf_append(&buf, "0123456789", 10), OK);
    }
    CU_ASSERT_EQUAL(buf.length, 1000);
}

static const struct unit_test tests[] = {
    {"test_buf__empty_buffer_is_an_empty_string",       "An empty buffer is an empty string.",
     test_buf__empty_buffer_is_an_empty_string                                                                                                 },
    {"test_buf__appends_end_in_nul",                    "Whatever is appended, a NUL follows.",
     test_buf__appends_end_in_nul                                                                                                              },
    {"test_buf__growth_keeps_the_content",              "Growing keeps the content.",
     test_buf__growth_keeps_the_content                                                                                                        },
    {"test_buf__limit_is_exact_and_leaves_the_content",
     "A buffer takes exactly its maximum, and a refused append changes nothing.",               test_buf__limit_is_exact_and_leaves_the_content},
    {"test_buf__every_allocation_may_fail",
     "Each allocation may fail; the buffer is whole and usable afterwards.",                    test_buf__every_allocation_may_fail            },
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "base/buf", tests, UNIT_COUNT(tests), setup,
                     teardown);
}
