/*
 * test_mem.c - lib/base/mem.h.
 */
#include "lib/base/mem.h"

#include <stdint.h>

#include "lib/base/fault.h"
#include "tests/support/unit.h"

static void test_mem__new_memory_is_zeroed(void)
{
    uint8_t *block = mem_new(1000);
    uint8_t *array = mem_try_array(10, 100);
    CU_ASSERT_PTR_NOT_NULL_FATAL(array);
    unsigned sum = 0;
    for (size_t i = 0; i < 1000; i++)
        sum += (unsigned)block[i] + array[i];
    CU_ASSERT_EQUAL(sum, 0);
    mem_free(block);
    mem_free(array);
    mem_free(NULL);
}

static void test_mem__nothing_is_still_a_block(void)
{
    void *blocks[] = {mem_new(0), mem_try_array(0, 8), mem_try_array(8, 0),
                      mem_try_grow(NULL, 0, 8)};
    for (size_t i = 0; i < UNIT_COUNT(blocks); i++) {
        CU_ASSERT_PTR_NOT_NULL(blocks[i]);
        mem_free(blocks[i]);
    }
}

static void test_mem__overflow_is_refused(void)
{
    CU_ASSERT_PTR_NULL(mem_try_array(SIZE_MAX / 2, 3));
    uint8_t *block = mem_new(1);
    CU_ASSERT_PTR_NULL(mem_try_grow(block, SIZE_MAX / 2, 3));
    block[0] = 1;
    mem_free(block);
}

static void test_mem__armed_fault_fails_what_may_fail(void)
{
    uint8_t *block = mem_new(1);
    fault_arm(FAULT_MEM, 1, 2);
    CU_ASSERT_PTR_NULL(mem_try_array(1, 1));
    CU_ASSERT_PTR_NULL(mem_try_grow(block, 2, 1));
    void *must = mem_new(1);
    CU_ASSERT_PTR_NOT_NULL(must);
    block = mem_try_grow(block, 2, 1);
    CU_ASSERT_PTR_NOT_NULL(block);
    CU_ASSERT_EQUAL(fault_calls(FAULT_MEM), 3);
    fault_disarm(FAULT_MEM);
    mem_free(block);
    mem_free(must);
}

static void want_new(void)
{
    fault_arm(FAULT_MEM_NEW, 2, 1);
    mem_free(mem_new(1));
    mem_free(mem_new_raw(1));
}

static void want_room(void)
{
    size_t capacity = 0;
    fault_arm(FAULT_MEM_NEW, 1, 1);
    mem_free(mem_reserve(NULL, 0, &capacity, 8));
}

static void want_more_than_there_is(void)
{
    mem_free(mem_new(SIZE_MAX / 2));
}

static void test_mem__what_must_not_fail_ends_the_process(void)
{
    CU_ASSERT_EQUAL(unit_exit_code(want_new), MEM_EXIT_CODE);
    CU_ASSERT_EQUAL(unit_exit_code(want_room), MEM_EXIT_CODE);
    CU_ASSERT_EQUAL(unit_exit_code(want_more_than_there_is), MEM_EXIT_CODE);
}

static void test_mem__reserve_doubles_and_keeps_the_content(void)
{
    uint32_t *numbers = NULL;
    size_t capacity = 0;
    size_t growths = 0;
    for (uint32_t i = 0; i < 10000; i++) {
        size_t before = capacity;
        numbers = mem_reserve(numbers, i, &capacity, sizeof(*numbers));
        growths += capacity != before;
        CU_ASSERT_TRUE_FATAL(capacity > i);
        numbers[i] = i;
    }
    CU_ASSERT_EQUAL(numbers[9999], 9999);
    CU_ASSERT_EQUAL(numbers[0], 0);
    CU_ASSERT_TRUE(growths < 15);
    mem_free(numbers);
}

static void test_mem__tight_array_is_no_longer_than_a_short_content(void)
{
    uint64_t *numbers = NULL;
    size_t capacity = 0;
    for (size_t i = 0; i < 1000; i++) {
        numbers = mem_reserve_tight(numbers, i, &capacity, sizeof(*numbers));
        CU_ASSERT_TRUE_FATAL(capacity > i);
        CU_ASSERT_TRUE(i >= 4 || capacity == i + 1);
        numbers[i] = i;
    }
    CU_ASSERT_EQUAL(numbers[999], 999);
    CU_ASSERT_EQUAL(numbers[3], 3);
    CU_ASSERT_EQUAL(capacity, 1024);
    mem_free(numbers);
}

static const struct unit_test tests[] = {
    {"test_mem__what_must_not_fail_ends_the_process",
     "What must not fail ends the process with its exit code.",                                                test_mem__what_must_not_fail_ends_the_process          },
    {"test_mem__new_memory_is_zeroed",                          "New memory is zeroed; freeing NULL is fine.",
     test_mem__new_memory_is_zeroed                                                                                                                                   },
    {"test_mem__tight_array_is_no_longer_than_a_short_content",
     "A tight array is no longer than a short content.",                                                       test_mem__tight_array_is_no_longer_than_a_short_content},
    {"test_mem__nothing_is_still_a_block",                      "Zero bytes are still a block.",
     test_mem__nothing_is_still_a_block                                                                                                                               },
    {"test_mem__overflow_is_refused",                           "A product beyond SIZE_MAX is refused.",
     test_mem__overflow_is_refused                                                                                                                                    },
    {"test_mem__armed_fault_fails_what_may_fail",
     "The fault point fails the calls that may fail, and only those.",                                         test_mem__armed_fault_fails_what_may_fail              },
    {"test_mem__reserve_doubles_and_keeps_the_content",
     "Reserving doubles the room and keeps the content.",                                                      test_mem__reserve_doubles_and_keeps_the_content        },
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "base/mem", tests, UNIT_COUNT(tests), NULL, NULL);
}
