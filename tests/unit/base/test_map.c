/*
 * test_map.c - lib/base/map.h.
 */
#include "lib/base/map.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/fault.h"
#include "lib/base/rng.h"
#include "tests/support/unit.h"

enum {
    MODEL_KEYS = 500
};

static struct map *map;
static struct map_u64 *numbers;
static int values[MODEL_KEYS];

static void setup(void)
{
    map = map_open();
    numbers = map_u64_open();
}

static void teardown(void)
{
    fault_disarm_all();
    map_close(map);
    map_u64_close(numbers);
}

static struct slice text(const char *string)
{
    return slice_from_string(string);
}

static void test_map__value_is_found_replaced_and_removed(void)
{
    CU_ASSERT_PTR_NULL(map_get(map, text("a")));
    CU_ASSERT_PTR_NULL(map_put(map, text("a"), &values[1]));
    CU_ASSERT_PTR_EQUAL(map_get(map, text("a")), &values[1]);
    CU_ASSERT_PTR_EQUAL(map_put(map, text("a"), &values[2]), &values[1]);
    CU_ASSERT_EQUAL(map_count(map), 1);
    CU_ASSERT_PTR_EQUAL(map_remove(map, text("a")), &values[2]);
    CU_ASSERT_PTR_NULL(map_remove(map, text("a")));
    CU_ASSERT_PTR_NULL(map_get(map, text("a")));
    CU_ASSERT_EQUAL(map_count(map), 0);
    map_close(NULL);
    map_u64_close(NULL);
}

static void test_map__keys_are_copied_bytes(void)
{
    char key[] = "key";
    (void)map_put(map, text(key), &values[0]);
    key[0] = 'x';
    CU_ASSERT_PTR_EQUAL(map_get(map, text("key")), &values[0]);
    (void)map_put(map, slice_make("k\0a", 3), &values[1]);
    (void)map_put(map, slice_make("k\0b", 3), &values[2]);
    (void)map_put(map, slice_make(NULL, 0), &values[3]);
    CU_ASSERT_PTR_EQUAL(map_get(map, slice_make("k\0b", 3)), &values[2]);
    CU_ASSERT_PTR_EQUAL(map_get(map, text("")), &values[3]);
    CU_ASSERT_EQUAL(map_count(map), 4);
}

static void test_map__walk_follows_insertion(void)
{
    for (int i = 0; i < 100; i++) {
        char key[16];
        (void)snprintf(key, sizeof(key), "key%d", i * 7919 % 100);
        (void)map_put(map, text(key), &values[i * 7919 % 100]);
    }
    (void)map_put(map, text("key0"), &values[0]);
    (void)map_remove(map, text("key19"));
    (void)map_put(map, text("key19"), &values[19]);
    size_t cursor = 0;
    void *value = NULL;
    struct slice key;
    for (int i = 0; i < 100; i++) {
        if (i == 1)
            continue; /* key19 went to the end */
        CU_ASSERT_TRUE_FATAL(map_next(map, &cursor, &key, &value));
        CU_ASSERT_PTR_EQUAL(value, &values[i * 7919 % 100]);
    }
    CU_ASSERT_TRUE(map_next(map, &cursor, &key, &value));
    CU_ASSERT_TRUE(slice_equal_string(key, "key19"));
    CU_ASSERT_FALSE(map_next(map, &cursor, &key, &value));
    CU_ASSERT_FALSE(map_next(map, &cursor, &key, &value));
}

static void test_map__walk_survives_removals(void)
{
    for (uint64_t i = 0; i < 200; i++)
        (void)map_u64_put(numbers, i, &values[i]);
    size_t cursor = 0;
    uint64_t key = 0;
    uint64_t seen = 0;
    while (map_u64_next(numbers, &cursor, &key, NULL)) {
        CU_ASSERT_EQUAL(key, seen);
        CU_ASSERT_PTR_EQUAL(map_u64_remove(numbers, key), &values[key]);
        seen++;
    }
    CU_ASSERT_EQUAL(seen, 200);
    CU_ASSERT_EQUAL(map_u64_count(numbers), 0);
}

static void test_map__clear_empties(void)
{
    (void)map_put(map, text("a"), &values[0]);
    (void)map_u64_put(numbers, 0, &values[0]);
    (void)map_u64_put(numbers, UINT64_MAX, &values[1]);
    CU_ASSERT_PTR_EQUAL(map_u64_get(numbers, UINT64_MAX), &values[1]);
    map_clear(map);
    map_u64_clear(numbers);
    CU_ASSERT_PTR_NULL(map_get(map, text("a")));
    CU_ASSERT_PTR_NULL(map_u64_get(numbers, 0));
    CU_ASSERT_EQUAL(map_count(map), 0);
    CU_ASSERT_PTR_NULL(map_put(map, text("a"), &values[1]));
}

/* A plain array beside the map: what it should hold, in the order of insertion. */
struct model {
    uint64_t keys[MODEL_KEYS];
    size_t count;
};

static size_t model_find(const struct model *model, uint64_t key)
{
    size_t at = 0;
    while (at < model->count && model->keys[at] != key)
        at++;
    return at;
}

static void model_expect(const struct model *model)
{
    size_t cursor = 0;
    size_t at = 0;
    uint64_t key = 0;
    void *value = NULL;
    while (map_u64_next(numbers, &cursor, &key, &value)) {
        CU_ASSERT_TRUE_FATAL(at < model->count);
        CU_ASSERT_EQUAL_FATAL(key, model->keys[at]);
        CU_ASSERT_PTR_EQUAL(value, &values[key]);
        at++;
    }
    CU_ASSERT_EQUAL(at, model->count);
    CU_ASSERT_EQUAL(map_u64_count(numbers), model->count);
}

static void test_map__random_steps_agree_with_an_array(void)
{
    struct rng rng = rng_seed(unit_seed());
    struct model model = {.count = 0};
    for (unsigned step = 0; step < 20000; step++) {
        uint64_t key = rng_below(&rng, MODEL_KEYS);
        char name[32];
        (void)snprintf(name, sizeof(name), "%u", (unsigned)key);
        size_t at = model_find(&model, key);
        /* Waves of growing and of shrinking reach both kinds of rebuild. */
        bool is_growing = step / 2500 % 2 == 0;
        if (rng_chance(&rng, is_growing ? 700000 : 200000)) {
            void *expected = at < model.count ? &values[key] : NULL;
            CU_ASSERT_PTR_EQUAL_FATAL(map_u64_put(numbers, key, &values[key]), expected);
            CU_ASSERT_PTR_EQUAL_FATAL(map_put(map, text(name), &values[key]), expected);
            if (at == model.count)
                model.keys[model.count++] = key;
        } else {
            void *expected = at < model.count ? &values[key] : NULL;
            CU_ASSERT_PTR_EQUAL_FATAL(map_u64_remove(numbers, key), expected);
            CU_ASSERT_PTR_EQUAL_FATAL(map_remove(map, text(name)), expected);
            if (at < model.count) {
                model.count--;
                memmove(&model.keys[at], &model.keys[at + 1],
                        (model.count - at) * sizeof(model.keys[0]));
            }
        }
        CU_ASSERT_EQUAL_FATAL(map_count(map), model.count);
        if (step % 500 == 0)
            model_expect(&model);
    }
    model_expect(&model);
}

static void test_map__every_allocation_may_fail(void)
{
    for (uint64_t nth = 1;; nth++) {
        map_clear(map);
        fault_arm(FAULT_MEM, nth, 1);
        enum status status = OK;
        size_t stored = 0;
        void *replaced = NULL;
        char key[16];
        while (status == OK && stored < 40) {
            (void)snprintf(key, sizeof(key), "%zu", stored);
            status = map_try_put(map, text(key), &values[stored], &replaced);
            if (status == OK)
                stored++;
        }
        CU_ASSERT_EQUAL_FATAL(map_count(map), stored);
        if (fault_failures(FAULT_MEM) == 0)
            break;
        CU_ASSERT_EQUAL(status, ERR_NO_MEMORY);
        CU_ASSERT_PTR_NULL(map_get(map, text(key)));
        CU_ASSERT_EQUAL(map_try_put(map, text(key), &values[stored], &replaced), OK);
        CU_ASSERT_PTR_EQUAL(map_get(map, text(key)), &values[stored]);
        for (size_t i = 0; i < stored; i++) {
            (void)snprintf(key, sizeof(key), "%zu", i);
            CU_ASSERT_PTR_EQUAL(map_get(map, text(key)), &values[i]);
        }
    }
}

static void put_null(void)
{
    (void)map_put(map, text("a"), NULL);
}

static void test_map__null_is_no_value(void)
{
    CU_ASSERT_TRUE(unit_aborts(put_null));
}

static const struct unit_test tests[] = {
    {"test_map__value_is_found_replaced_and_removed", "A value is found, replaced and removed.",
     test_map__value_is_found_replaced_and_removed                                                                                           },
    {"test_map__keys_are_copied_bytes",               "Keys are copied, and any bytes are a key.",
     test_map__keys_are_copied_bytes                                                                                                         },
    {"test_map__walk_follows_insertion",              "A walk follows the order of insertion.",
     test_map__walk_follows_insertion                                                                                                        },
    {"test_map__walk_survives_removals",              "A walk may remove what it stands on.",
     test_map__walk_survives_removals                                                                                                        },
    {"test_map__clear_empties",                       "A cleared map is empty and usable.",        test_map__clear_empties                   },
    {"test_map__random_steps_agree_with_an_array",
     "After any puts and removals both maps hold what an array holds, in its order.",              test_map__random_steps_agree_with_an_array},
    {"test_map__every_allocation_may_fail",
     "Each allocation may fail; the map is as it was and usable.",                                 test_map__every_allocation_may_fail       },
    {"test_map__null_is_no_value",                    "Storing NULL is a bug of ours.",            test_map__null_is_no_value                },
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "base/map", tests, UNIT_COUNT(tests), setup,
                     teardown);
}
