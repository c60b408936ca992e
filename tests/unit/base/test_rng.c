/*
 * test_rng.c - lib/base/rng.h.
 */
#include "lib/base/rng.h"

#include "tests/support/unit.h"

static void test_rng__numbers_are_the_published_ones(void)
{
    /* The reference code of xoshiro256** from the state 1, 2, 3, 4. */
    struct rng rng = {
        .state = {1, 2, 3, 4}
    };
    static const uint64_t expected[] = {11520u, 0u, 1509978240u, 1215971899390074240u,
                                        1216172134540287360u};
    for (size_t i = 0; i < UNIT_COUNT(expected); i++)
        CU_ASSERT_EQUAL(rng_u64(&rng), expected[i]);
    /* splitmix64 from seed 0. */
    CU_ASSERT_EQUAL(rng_seed(0).state[0], 0xe220a8397b1dcdafu);
}

static void test_rng__same_seed_same_numbers(void)
{
    uint64_t seed = unit_seed();
    struct rng left = rng_seed(seed);
    struct rng right = rng_seed(seed);
    struct rng other = rng_seed(seed + 1);
    unsigned differences = 0;
    for (unsigned i = 0; i < 1000; i++) {
        uint64_t number = rng_u64(&left);
        CU_ASSERT_EQUAL(number, rng_u64(&right));
        differences += number != rng_u64(&other);
    }
    CU_ASSERT_TRUE(differences > 990);
}

static void test_rng__below_covers_its_range_evenly(void)
{
    struct rng rng = rng_seed(1);
    unsigned counts[7] = {0};
    for (unsigned i = 0; i < 70000; i++) {
        uint64_t number = rng_below(&rng, 7);
        CU_ASSERT_TRUE_FATAL(number < 7);
        counts[number]++;
    }
    for (unsigned i = 0; i < 7; i++)
        CU_ASSERT_TRUE(counts[i] > 9500 && counts[i] < 10500);
    CU_ASSERT_EQUAL(rng_below(&rng, 1), 0);
    CU_ASSERT_TRUE(rng_below(&rng, UINT64_MAX) < UINT64_MAX);
}

static void test_rng__chance_is_per_million(void)
{
    struct rng rng = rng_seed(2);
    unsigned hits = 0;
    for (unsigned i = 0; i < 100000; i++) {
        CU_ASSERT_FALSE(rng_chance(&rng, 0));
        CU_ASSERT_TRUE(rng_chance(&rng, 1000000));
        hits += rng_chance(&rng, 250000);
    }
    CU_ASSERT_TRUE(hits > 24000 && hits < 26000);
}

static void draw_below_zero(void)
{
    struct rng rng = rng_seed(3);
    (void)rng_below(&rng, 0);
}

static void test_rng__empty_range_aborts(void)
{
    CU_ASSERT_TRUE(unit_aborts(draw_below_zero));
}

static const struct unit_test tests[] = {
    {"test_rng__numbers_are_the_published_ones", "The numbers are those of the reference code.",
     test_rng__numbers_are_the_published_ones},
    {"test_rng__same_seed_same_numbers",         "The same seed gives the same numbers, another others.",
     test_rng__same_seed_same_numbers        },
    {"test_rng__below_covers_its_range_evenly",  "Numbers below a bound are evenly spread.",
     test_rng__below_covers_its_range_evenly },
    {"test_rng__chance_is_per_million",          "A chance is per million, from never to always.",
     test_rng__chance_is_per_million         },
    {"test_rng__empty_range_aborts",             "An empty range is a bug of ours.",
     test_rng__empty_range_aborts            },
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "base/rng", tests, UNIT_COUNT(tests), NULL, NULL);
}
