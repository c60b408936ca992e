/*
 * test_heap.c - lib/base/heap.h.
 */
#include "lib/base/heap.h"

#include "lib/base/rng.h"
#include "tests/support/unit.h"

enum {
    ITEM_COUNT = 300
};

struct item {
    int64_t rank;
    struct heap_node node;
};

static struct heap heap;
static struct item items[ITEM_COUNT];

static void setup(void)
{
    heap_open(&heap, NULL);
    for (size_t i = 0; i < ITEM_COUNT; i++)
        items[i] = (struct item){0};
}

static void teardown(void)
{
    heap_close(&heap);
}

static void push(size_t index, int64_t key)
{
    heap_push(&heap, &items[index].node, key, &items[index]);
}

static void test_heap__empty_heap_has_nothing(void)
{
    CU_ASSERT_PTR_NULL(heap_peek(&heap));
    CU_ASSERT_PTR_NULL(heap_pop(&heap));
    heap_remove(&heap, &items[0].node);
    CU_ASSERT_EQUAL(heap_count(&heap), 0);
}

static void test_heap__equal_keys_leave_as_they_came(void)
{
    for (size_t i = 0; i < ITEM_COUNT; i++)
        push(i, (int64_t)(i % 3));
    for (int64_t key = 0; key < 3; key++) {
        for (size_t i = (size_t)key; i < ITEM_COUNT; i += 3) {
            struct heap_node *node = heap_pop(&heap);
            CU_ASSERT_PTR_EQUAL_FATAL(node, &items[i].node);
            CU_ASSERT_PTR_EQUAL(node->object, &items[i]);
            CU_ASSERT_FALSE(heap_node_is_queued(node));
        }
    }
}

/* The queued item that must leave next, found the slow way. */
static struct heap_node *smallest(void)
{
    struct heap_node *best = NULL;
    for (size_t i = 0; i < ITEM_COUNT; i++) {
        struct heap_node *node = &items[i].node;
        if (!heap_node_is_queued(node))
            continue;
        if (best == NULL || node->key < best->key ||
            (node->key == best->key && node->order < best->order))
            best = node;
    }
    return best;
}

static void test_heap__random_steps_agree_with_a_search(void)
{
    struct rng rng = rng_seed(unit_seed());
    for (unsigned step = 0; step < 5000; step++) {
        size_t index = (size_t)rng_below(&rng, ITEM_COUNT);
        int64_t key = (int64_t)rng_below(&rng, 50) - 25;
        struct heap_node *node = &items[index].node;
        uint64_t kind = rng_below(&rng, 4);
        if (kind == 0)
            heap_remove(&heap, node);
        else if (heap_node_is_queued(node))
            heap_update(&heap, node, key);
        else
            push(index, key);
        CU_ASSERT_PTR_EQUAL_FATAL(heap_peek(&heap), smallest());
    }
    while (heap_count(&heap) > 0) {
        struct heap_node *expected = smallest();
        CU_ASSERT_PTR_EQUAL_FATAL(heap_pop(&heap), expected);
    }
}

static int compare_largest_rank_first(const struct heap_node *left, const struct heap_node *right)
{
    const struct item *left_item = left->object;
    const struct item *right_item = right->object;
    return (left_item->rank < right_item->rank) - (left_item->rank > right_item->rank);
}

static void test_heap__own_order_and_its_changes_are_followed(void)
{
    heap_open(&heap, compare_largest_rank_first);
    for (size_t i = 0; i < 10; i++) {
        items[i].rank = (int64_t)i;
        push(i, 0);
    }
    CU_ASSERT_PTR_EQUAL(heap_peek(&heap), &items[9].node);
    items[3].rank = 100;
    heap_update(&heap, &items[3].node, 0);
    CU_ASSERT_PTR_EQUAL(heap_pop(&heap), &items[3].node);
    CU_ASSERT_PTR_EQUAL(heap_pop(&heap), &items[9].node);
}

static void test_heap__close_releases_the_nodes(void)
{
    push(0, 1);
    heap_close(&heap);
    CU_ASSERT_FALSE(heap_node_is_queued(&items[0].node));
    push(0, 1);
    CU_ASSERT_EQUAL(heap_count(&heap), 1);
}

static void push_twice(void)
{
    push(0, 1);
    push(0, 2);
}

static void test_heap__pushing_twice_aborts(void)
{
    CU_ASSERT_TRUE(unit_aborts(push_twice));
}

static const struct unit_test tests[] = {
    {"test_heap__empty_heap_has_nothing",                 "An empty heap has nothing to give.",
     test_heap__empty_heap_has_nothing                                                                                                                 },
    {"test_heap__equal_keys_leave_as_they_came",          "Equal keys leave in the order they came.",
     test_heap__equal_keys_leave_as_they_came                                                                                                          },
    {"test_heap__random_steps_agree_with_a_search",
     "After any pushes, removals and updates the smallest is in front.",                              test_heap__random_steps_agree_with_a_search      },
    {"test_heap__own_order_and_its_changes_are_followed",
     "An order of one's own is followed, its changes after an update.",                               test_heap__own_order_and_its_changes_are_followed},
    {"test_heap__close_releases_the_nodes",               "Closing lets the nodes go.",
     test_heap__close_releases_the_nodes                                                                                                               },
    {"test_heap__pushing_twice_aborts",                   "Pushing a queued node is a bug of ours.",
     test_heap__pushing_twice_aborts                                                                                                                   },
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "base/heap", tests, UNIT_COUNT(tests), setup,
                     teardown);
}
