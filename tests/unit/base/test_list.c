/*
 * test_list.c - lib/base/list.h.
 */
#include "lib/base/list.h"

#include "tests/support/unit.h"

struct item {
    int number;
    struct list_node node;
};

static struct list list;
static struct item items[5];

static void setup(void)
{
    list = (struct list){0};
    for (int i = 0; i < 5; i++)
        items[i] = (struct item){.number = i};
}

/* The numbers as decimal digits: 1, 2, 3 is 123; -1 when going back disagrees. */
static int digits(void)
{
    int forward = 0;
    size_t count = 0;
    for (const struct list_node *node = list.first; node != NULL; node = node->next) {
        const struct item *item = node->object;
        forward = forward * 10 + item->number;
        count++;
    }
    int backward = 0;
    int place = 1;
    for (const struct list_node *node = list.last; node != NULL; node = node->previous) {
        const struct item *item = node->object;
        backward += place * item->number;
        place *= 10;
    }
    return forward == backward && count == list.count ? forward : -1;
}

static void test_list__both_ends_grow(void)
{
    CU_ASSERT_EQUAL(digits(), 0);
    list_append(&list, &items[2].node, &items[2]);
    list_append(&list, &items[3].node, &items[3]);
    list_prepend(&list, &items[1].node, &items[1]);
    CU_ASSERT_EQUAL(digits(), 123);
    CU_ASSERT_TRUE(list_node_is_listed(&items[1].node));
    CU_ASSERT_FALSE(list_node_is_listed(&items[4].node));
}

static void test_list__any_node_may_leave(void)
{
    for (size_t i = 1; i < 5; i++)
        list_append(&list, &items[i].node, &items[i]);
    list_remove(&items[2].node);
    CU_ASSERT_EQUAL(digits(), 134);
    list_remove(&items[2].node);
    list_remove(&items[4].node);
    CU_ASSERT_EQUAL(digits(), 13);
    CU_ASSERT_PTR_EQUAL(list_pop(&list), &items[1]);
    CU_ASSERT_PTR_EQUAL(list_pop(&list), &items[3]);
    CU_ASSERT_PTR_NULL(list_pop(&list));
    CU_ASSERT_EQUAL(digits(), 0);
    list_append(&list, &items[1].node, &items[1]);
    CU_ASSERT_EQUAL(digits(), 1);
}

static void list_twice(void)
{
    list_append(&list, &items[1].node, &items[1]);
    list_append(&list, &items[1].node, &items[1]);
}

static void test_list__node_in_two_lists_aborts(void)
{
    CU_ASSERT_TRUE(unit_aborts(list_twice));
}

static const struct unit_test tests[] = {
    {"test_list__both_ends_grow",           "A list grows at both ends.",                     test_list__both_ends_grow},
    {"test_list__any_node_may_leave",       "Any node may leave, twice even, and come back.",
     test_list__any_node_may_leave                                                                                     },
    {"test_list__node_in_two_lists_aborts", "Listing a node twice is a bug of ours.",
     test_list__node_in_two_lists_aborts                                                                               },
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "base/list", tests, UNIT_COUNT(tests), setup, NULL);
}
