/*
 * test_hot_keys.c - mr/core/hot_keys.h: no key is taken for another, and none is lost.
 */
#include "mr/core/hot_keys.h"

#include "lib/base/rng.h"
#include "tests/support/unit.h"

static struct hot_keys hot;

static void setup(void)
{
    static const struct mr_job job = {MR_JOB_HEADER, .value_type = MR_VALUE_U64,
                                      .aggregator = MR_AGGREGATE_SUM};
    CU_ASSERT_EQUAL_FATAL(hot_keys_open(&hot, 1 << 20, &job), OK);
}

static void teardown(void)
{
    hot_keys_close(&hot);
}

static void test_hot_keys__key_of_every_length_comes_back(void)
{
    struct rng rng = rng_seed(unit_seed());
    for (unsigned round = 0; round < 1000; round++) {
        for (size_t length = 0; length <= HOT_KEY_BYTES_MAX; length++) {
            uint8_t bytes[HOT_KEY_BYTES_MAX];
            uint8_t room[HOT_KEY_BYTES_MAX];
            struct hot_key key = {.length = (uint32_t)length};
            for (size_t i = 0; i < length; i++)
                bytes[i] = (uint8_t)rng_u64(&rng);
            hot_key_words(slice_make(bytes, length), key.words);
            CU_ASSERT_TRUE_FATAL(slice_equal(hot_key_bytes(&key, room), slice_make(bytes, length)));
        }
    }
}

/* Every pair of short keys over two letters, zero among them, is told apart. */
static void test_hot_keys__different_keys_have_different_words(void)
{
    for (unsigned left_bits = 0; left_bits < 1u << 9; left_bits++) {
        for (unsigned right_bits = 0; right_bits < 1u << 9; right_bits++) {
            uint8_t left[9];
            uint8_t right[9];
            uint64_t left_words[2];
            uint64_t right_words[2];
            for (unsigned i = 0; i < 9; i++) {
                left[i] = (uint8_t)(left_bits >> i & 1);
                right[i] = (uint8_t)(right_bits >> i & 1);
            }
            hot_key_words(slice_make(left, 9), left_words);
            hot_key_words(slice_make(right, 9), right_words);
            CU_ASSERT_EQUAL_FATAL(left_bits == right_bits, left_words[0] == right_words[0] &&
                                                               left_words[1] == right_words[1]);
        }
    }
}

static void test_hot_keys__sum_of_what_is_in_and_what_was_put_out_is_whole(void)
{
    struct rng rng = rng_seed(unit_seed());
    uint64_t emitted = 0;
    uint64_t found = 0;
    unsigned put_out = 0;

    for (unsigned i = 0; i < 100000; i++) {
        uint8_t key[2] = {(uint8_t)rng_below(&rng, 256), (uint8_t)rng_below(&rng, 200)};
        struct hot_key out;
        uint64_t bits = rng_below(&rng, 1000);
        emitted += bits;
        if (hot_keys_fold(&hot, slice_make(key, 1 + rng_below(&rng, 2)), bits, &out)) {
            found += out.bits;
            put_out++;
        }
    }
    for (size_t i = 0; i < hot_keys_count(&hot); i++)
        found += hot.places[i].is_used ? hot.places[i].bits : 0;
    CU_ASSERT_EQUAL(found, emitted);
    CU_ASSERT_TRUE(put_out > 1000);
}

static const struct unit_test tests[] = {
    {"test_hot_keys__key_of_every_length_comes_back",                  "A key of every length comes back.",
     test_hot_keys__key_of_every_length_comes_back                                                                                                                           },
    {"test_hot_keys__different_keys_have_different_words",             "Different keys have different words.",
     test_hot_keys__different_keys_have_different_words                                                                                                                      },
    {"test_hot_keys__sum_of_what_is_in_and_what_was_put_out_is_whole",
     "The sum of what is in and what was put out is whole.",                                                   test_hot_keys__sum_of_what_is_in_and_what_was_put_out_is_whole},
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "mr/hot_keys", tests, UNIT_COUNT(tests), setup,
                     teardown);
}
