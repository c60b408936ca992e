/*
 * test_sort.c - mr/core/sort.h and mr/core/merge.h against the plainest way to do the same.
 */
#include "mr/core/sort.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/rng.h"
#include "mr/core/merge.h"
#include "mr/core/sort_buffer.h"
#include "tests/support/unit.h"

enum {
    COUNT_MAX = 3000,
    KEY_MAX = 20
};

struct item {
    uint8_t key[KEY_MAX];
    size_t length;
    uint32_t partition;
    uint32_t number; /* of emission */
};

static struct fixture {
    struct sort_buffer buffer;
    struct item items[COUNT_MAX];
} f;

static void setup(void)
{
    f = (struct fixture){0};
}

static void teardown(void)
{
    sort_buffer_close(&f.buffer);
}

static int compare_bytes(const struct item *left, const struct item *right)
{
    return slice_compare(slice_make(left->key, left->length),
                         slice_make(right->key, right->length));
}

static int compare_items(const void *left_item, const void *right_item)
{
    const struct item *left = left_item;
    const struct item *right = right_item;
    int result;
    if (left->partition != right->partition)
        return left->partition < right->partition ? -1 : 1;
    result = compare_bytes(left, right);
    if (result != 0)
        return result;
    return left->number < right->number ? -1 : 1;
}

static int compare_items_by_length(const void *left_item, const void *right_item)
{
    const struct item *left = left_item;
    const struct item *right = right_item;
    if (left->partition != right->partition)
        return left->partition < right->partition ? -1 : 1;
    if (left->length != right->length)
        return left->length < right->length ? -1 : 1;
    return left->number < right->number ? -1 : 1;
}

static int by_length(struct mr_context *context, struct mr_slice left, struct mr_slice right)
{
    (void)context;
    return left.length < right.length ? -1 : left.length > right.length;
}

/* Fills buffer and items with the same random records; alphabet letters make many ties. */
static void given_records(size_t count, uint32_t partitions, unsigned alphabet, struct rng *rng)
{
    CU_ASSERT_EQUAL_FATAL(sort_buffer_open(&f.buffer, partitions, SIZE_MAX / 2), OK);
    for (uint32_t i = 0; i < count; i++) {
        struct item *item = &f.items[i];
        item->length = rng_below(rng, KEY_MAX + 1);
        for (size_t k = 0; k < item->length; k++)
            item->key[k] = (uint8_t)(rng_below(rng, alphabet) * 255 / (alphabet - 1));
        item->partition = (uint32_t)rng_below(rng, partitions);
        item->number = i;
        CU_ASSERT_EQUAL_FATAL(
            sort_buffer_add(&f.buffer, item->partition,
                            (struct record){slice_make(item->key, item->length),
                                            slice_make(&item->number, sizeof(item->number))}),
            OK);
    }
}

static void expect_order(size_t count, uint32_t partitions)
{
    size_t at = 0;
    for (uint32_t p = 0; p < partitions; p++) {
        struct sort_cursor walk;
        bool has = true;
        sort_buffer_walk(&f.buffer, p, &walk);
        while (has) {
            struct record record;
            CU_ASSERT_EQUAL_FATAL(walk.cursor.next(&walk.cursor, &record, &has, NULL), OK);
            if (!has)
                break;
            CU_ASSERT_TRUE_FATAL(at < count);
            CU_ASSERT_TRUE_FATAL(f.items[at].partition == p);
            CU_ASSERT_TRUE_FATAL(
                slice_equal(record.value, slice_make(&f.items[at].number, sizeof(uint32_t))));
            CU_ASSERT_TRUE_FATAL(
                slice_equal(record.key, slice_make(f.items[at].key, f.items[at].length)));
            at++;
        }
    }
    CU_ASSERT_EQUAL(at, count);
}

static void sort_and_compare(int (*compare)(struct mr_context *, struct mr_slice, struct mr_slice),
                             int (*reference)(const void *, const void *))
{
    static const unsigned alphabets[] = {2, 3, 256};
    struct key_order order = {.compare = compare};
    struct rng rng = rng_seed(unit_seed());

    for (unsigned round = 0; round < 60; round++) {
        size_t count = round < 20 ? round : rng_below(&rng, COUNT_MAX + 1);
        uint32_t partitions = (uint32_t)(1 + rng_below(&rng, 5));
        given_records(count, partitions, alphabets[round % 3], &rng);
        CU_ASSERT_EQUAL_FATAL(sort_buffer_sort(&f.buffer, &order), OK);
        qsort(f.items, count, sizeof(f.items[0]), reference);
        expect_order(count, partitions);
        sort_buffer_close(&f.buffer);
    }
}

static void test_sort__order_is_partition_key_arrival(void)
{
    sort_and_compare(NULL, compare_items);
}

static void test_sort__own_compare_keeps_arrival_order_of_equals(void)
{
    sort_and_compare(by_length, compare_items_by_length);
}

/* --- merge ------------------------------------------------------------------------------------ */

struct array_cursor {
    struct record_cursor cursor;
    const struct item *items;
    size_t count;
    size_t fail_at; /* 0: never */
};

static enum status array_next(struct record_cursor *cursor,
                              struct record *ret_record,
                              bool *ret_has,
                              struct error *reterr_error)
{
    struct array_cursor *array = (struct array_cursor *)(void *)cursor;
    *ret_has = false;
    if (array->fail_at > 0 && --array->fail_at == 0)
        return error_set(reterr_error, ERR_IO, "broken");
    if (array->count == 0)
        return OK;
    *ret_record = (struct record){slice_make(array->items->key, array->items->length),
                                  slice_make(&array->items->number, sizeof(uint32_t))};
    array->items++;
    array->count--;
    *ret_has = true;
    return OK;
}

/* Cuts items into sources runs in order, each sorted by itself. Numbers grow over the runs. */
static void given_runs(size_t count, size_t sources, struct array_cursor *cursors, struct rng *rng)
{
    size_t begin = 0;
    for (uint32_t i = 0; i < count; i++) {
        f.items[i] = (struct item){.length = rng_below(rng, 12), .number = i};
        for (size_t k = 0; k < f.items[i].length; k++)
            f.items[i].key[k] = (uint8_t)rng_below(rng, 2);
    }
    for (size_t s = 0; s < sources; s++) {
        size_t end = s + 1 == sources ? count : begin + rng_below(rng, count - begin + 1);
        qsort(f.items + begin, end - begin, sizeof(f.items[0]), compare_items);
        cursors[s] = (struct array_cursor){{array_next}, f.items + begin, end - begin, 0};
        begin = end;
    }
}

static void test_merge__order_is_key_then_source(void)
{
    static struct item sorted[COUNT_MAX];
    struct rng rng = rng_seed(unit_seed());

    for (size_t sources = 0; sources < 40; sources++) {
        struct array_cursor cursors[40];
        struct record_cursor *list[40];
        struct merge merge;
        size_t count = sources == 0 ? 0 : rng_below(&rng, 1000);
        bool has = true;
        size_t at = 0;

        if (sources > 0)
            given_runs(count, sources, cursors, &rng);
        for (size_t s = 0; s < sources; s++)
            list[s] = &cursors[s].cursor;
        memcpy(sorted, f.items, count * sizeof(sorted[0]));
        qsort(sorted, count, sizeof(sorted[0]), compare_items);
        CU_ASSERT_EQUAL_FATAL(merge_open(&merge, list, sources, (struct key_order){0}), OK);
        while (has) {
            struct record record;
            CU_ASSERT_EQUAL_FATAL(merge.cursor.next(&merge.cursor, &record, &has, NULL), OK);
            if (has) {
                CU_ASSERT_TRUE_FATAL(at < count);
                CU_ASSERT_TRUE_FATAL(
                    slice_equal(record.value, slice_make(&sorted[at].number, sizeof(uint32_t))));
                at++;
            }
        }
        CU_ASSERT_EQUAL(at, count);
        merge_close(&merge);
    }
}

static void test_merge__failing_source_fails_the_merge(void)
{
    struct rng rng = rng_seed(1);
    struct array_cursor cursors[3];
    struct record_cursor *list[3];
    struct error error;

    for (size_t nth = 1; nth < 12; nth++) {
        struct merge merge;
        struct record record;
        enum status status = OK;
        bool has = true;
        given_runs(30, 3, cursors, &rng);
        cursors[1] = (struct array_cursor){{array_next}, f.items, 10, nth};
        for (size_t s = 0; s < 3; s++)
            list[s] = &cursors[s].cursor;
        CU_ASSERT_EQUAL_FATAL(merge_open(&merge, list, 3, (struct key_order){0}), OK);
        while (has && status == OK)
            status = merge.cursor.next(&merge.cursor, &record, &has, &error);
        CU_ASSERT_EQUAL(status, ERR_IO);
        CU_ASSERT_FALSE(has);
        merge_close(&merge);
    }
}

static const struct unit_test tests[] = {
    {"test_sort__order_is_partition_key_arrival",            "The order is partition, key, arrival.",
     test_sort__order_is_partition_key_arrival                                                                                                            },
    {"test_sort__own_compare_keeps_arrival_order_of_equals",
     "A compare of the job's own keeps the arrival order of equals.",                                 test_sort__own_compare_keeps_arrival_order_of_equals},
    {"test_merge__order_is_key_then_source",                 "A merge's order is key, then source.",
     test_merge__order_is_key_then_source                                                                                                                 },
    {"test_merge__failing_source_fails_the_merge",           "A failing source fails the merge.",
     test_merge__failing_source_fails_the_merge                                                                                                           },
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "mr/sort", tests, UNIT_COUNT(tests), setup,
                     teardown);
}
