/*
 * test_room.c - rm/core/room.h.
 */
#include "rm/core/room.h"

#include "lib/base/rng.h"
#include "tests/support/unit.h"

enum {
    NODE_COUNT = 37,
    STEP_COUNT = 20000
};

static struct rm_room *room;

static void setup(void)
{
    room = rm_room_open();
}

static void teardown(void)
{
    rm_room_close(room);
}

static void test_room__empty_room_holds_nothing(void)
{
    size_t index;
    struct resource wanted = {.memory_bytes = 1, .vcores = 1};
    CU_ASSERT_FALSE(rm_room_find(room, wanted, 0, &index));
    CU_ASSERT_EQUAL(rm_room_get(room, 1000).vcores, 0);
}

static void test_room__both_memory_and_vcores_must_be_on_one_node(void)
{
    size_t index;
    rm_room_set(room, 0, (struct resource){.memory_bytes = 10, .vcores = 1});
    rm_room_set(room, 1, (struct resource){.memory_bytes = 1, .vcores = 10});
    struct resource wanted = {.memory_bytes = 10, .vcores = 10};
    CU_ASSERT_FALSE(rm_room_find(room, wanted, 0, &index));
}

/* The same search, node by node. */
static bool find_slowly(const struct resource *free,
                        struct resource wanted,
                        size_t from,
                        size_t *ret)
{
    for (size_t i = 0; i < NODE_COUNT; i++) {
        size_t index = (from + i) % NODE_COUNT;
        if (from + i < NODE_COUNT + from && free[index].memory_bytes >= wanted.memory_bytes &&
            free[index].vcores >= wanted.vcores) {
            *ret = index;
            return true;
        }
    }
    return false;
}

static void test_room__random_searches_agree_with_a_walk(void)
{
    struct rng rng = rng_seed(unit_seed());
    struct resource free[NODE_COUNT] = {{0}};
    for (size_t step = 0; step < STEP_COUNT; step++) {
        size_t index = (size_t)rng_below(&rng, NODE_COUNT);
        free[index] = (struct resource){.memory_bytes = rng_below(&rng, 8),
                                        .vcores = (uint32_t)rng_below(&rng, 8)};
        rm_room_set(room, index, free[index]);
        struct resource wanted = {.memory_bytes = rng_below(&rng, 9),
                                  .vcores = 1 + (uint32_t)rng_below(&rng, 8)};
        size_t from = (size_t)rng_below(&rng, NODE_COUNT);
        size_t expected = 0;
        size_t found = 0;
        bool is_expected = find_slowly(free, wanted, from, &expected);
        bool is_found = rm_room_find(room, wanted, from, &found);
        CU_ASSERT_EQUAL_FATAL(is_found, is_expected);
        CU_ASSERT_EQUAL_FATAL(found, expected);
    }
}

static const struct unit_test tests[] = {
    {"test_room__empty_room_holds_nothing",                   "An empty room holds nothing.",
     test_room__empty_room_holds_nothing                                                                                                           },
    {"test_room__both_memory_and_vcores_must_be_on_one_node",
     "Memory and vcores must be free on the same node.",                                      test_room__both_memory_and_vcores_must_be_on_one_node},
    {"test_room__random_searches_agree_with_a_walk",
     "Searches find what a walk from the same place finds.",                                  test_room__random_searches_agree_with_a_walk         },
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "rm/room", tests, UNIT_COUNT(tests), setup,
                     teardown);
}
