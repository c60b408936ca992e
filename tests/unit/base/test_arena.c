/*
 * test_arena.c - lib/base/arena.h.
 */
#include "lib/base/arena.h"

#include <string.h>

#include "lib/base/fault.h"
#include "tests/support/unit.h"

static struct arena *arena;

static void setup(void)
{
    arena = arena_open(0);
}

static void teardown(void)
{
    fault_disarm_all();
    arena_close(arena);
    arena = NULL;
}

static void test_arena__blocks_are_aligned_zeroed_and_apart(void)
{
    uint8_t *previous = NULL;
    size_t previous_bytes = 0;
    for (size_t bytes = 0; bytes < 3000; bytes += 7) {
        uint8_t *block = arena_new(arena, bytes);
        CU_ASSERT_EQUAL((uintptr_t)block % 16, 0);
        for (size_t i = 0; i < bytes; i++) {
            if (block[i] != 0)
                CU_FAIL_FATAL("not zeroed");
        }
        memset(block, 0xff, bytes);
        if (previous != NULL)
            CU_ASSERT_TRUE(block >= previous + previous_bytes || block + bytes <= previous);
        previous = block;
        previous_bytes = bytes;
    }
}

static void test_arena__big_block_gets_its_own_chunk(void)
{
    uint8_t *block = arena_try(arena, (size_t)8 << 20);
    CU_ASSERT_PTR_NOT_NULL_FATAL(block);
    block[((size_t)8 << 20) - 1] = 1;
    CU_ASSERT_EQUAL(arena_bytes(arena), (size_t)8 << 20);
}

static void test_arena__limit_is_kept(void)
{
    struct arena *small = arena_open(100);
    CU_ASSERT_PTR_NOT_NULL(arena_try(small, 90));
    CU_ASSERT_PTR_NULL(arena_try(small, 16));
    CU_ASSERT_PTR_NULL(arena_try(small, SIZE_MAX));
    CU_ASSERT_EQUAL(arena_bytes(small), 96);
    arena_reset(small);
    CU_ASSERT_PTR_NOT_NULL(arena_try(small, 16));
    arena_close(small);
}

static void test_arena__copies_and_texts_end_in_nul(void)
{
    struct slice copy = arena_copy(arena, slice_make("abcdef", 3));
    CU_ASSERT_EQUAL(copy.length, 3);
    CU_ASSERT_STRING_EQUAL((const char *)copy.data, "abc");
    struct slice nothing = arena_copy(arena, slice_make(NULL, 0));
    CU_ASSERT_EQUAL(nothing.length, 0);
    CU_ASSERT_STRING_EQUAL((const char *)nothing.data, "");
    struct slice line = arena_format(arena, "%s-%05d", "task", 42);
    CU_ASSERT_EQUAL(line.length, 10);
    CU_ASSERT_STRING_EQUAL((const char *)line.data, "task-00042");
}

static void test_arena__reset_keeps_the_first_chunk(void)
{
    void *first = arena_new(arena, 100);
    for (unsigned i = 0; i < 1000; i++)
        (void)arena_new(arena, 1000);
    arena_reset(arena);
    CU_ASSERT_EQUAL(arena_bytes(arena), 0);
    CU_ASSERT_PTR_EQUAL(arena_new(arena, 100), first);
}

static void test_arena__memory_fault_is_null_where_allowed(void)
{
    fault_arm(FAULT_MEM, 1, FAULT_FOREVER);
    CU_ASSERT_PTR_NULL(arena_try(arena, 10));
    CU_ASSERT_PTR_NOT_NULL(arena_new(arena, 10));
    /* There is room in the chunk by now. */
    CU_ASSERT_PTR_NOT_NULL(arena_try(arena, 10));
}

static void test_arena__close_accepts_null(void)
{
    arena_close(NULL);
    CU_PASS("no crash");
}

static const struct unit_test tests[] = {
    {"test_arena__blocks_are_aligned_zeroed_and_apart",
     "Blocks are aligned, zeroed and do not overlap.",                                                    test_arena__blocks_are_aligned_zeroed_and_apart},
    {"test_arena__big_block_gets_its_own_chunk",        "A block larger than a chunk gets its own.",
     test_arena__big_block_gets_its_own_chunk                                                                                                            },
    {"test_arena__limit_is_kept",                       "An arena gives no more than its limit.",
     test_arena__limit_is_kept                                                                                                                           },
    {"test_arena__copies_and_texts_end_in_nul",         "Copies and formatted texts end in a NUL.",
     test_arena__copies_and_texts_end_in_nul                                                                                                             },
    {"test_arena__reset_keeps_the_first_chunk",         "A reset arena starts again in its first chunk.",
     test_arena__reset_keeps_the_first_chunk                                                                                                             },
    {"test_arena__memory_fault_is_null_where_allowed",
     "Without memory arena_try returns NULL and arena_new is not asked.",                                 test_arena__memory_fault_is_null_where_allowed },
    {"test_arena__close_accepts_null",                  "Closing NULL is fine.",                          test_arena__close_accepts_null                 },
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "base/arena", tests, UNIT_COUNT(tests), setup,
                     teardown);
}
