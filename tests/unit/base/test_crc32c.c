/*
 * test_crc32c.c - lib/base/crc32c.h.
 */
#include "lib/base/crc32c.h"

#include "lib/base/rng.h"
#include "tests/support/unit.h"

enum {
    DATA_BYTES = 70000
};

static uint8_t data[DATA_BYTES];

static void setup(void)
{
    struct rng rng = rng_seed(unit_seed());
    for (size_t i = 0; i < DATA_BYTES; i++)
        data[i] = (uint8_t)rng_u64(&rng);
}

static void test_crc32c__known_values(void)
{
    CU_ASSERT_EQUAL(crc32c_update(0, "123456789", 9), 0xe3069283u);
    CU_ASSERT_EQUAL(crc32c_update_plain(0, "123456789", 9), 0xe3069283u);
    CU_ASSERT_EQUAL(crc32c_update(0, NULL, 0), 0);
    /* RFC 3720, B.4: 32 bytes of zeros, of ones, and counting up. */
    uint8_t block[32] = {0};
    CU_ASSERT_EQUAL(crc32c_update(0, block, 32), 0x8a9136aau);
    for (unsigned i = 0; i < 32; i++)
        block[i] = 0xff;
    CU_ASSERT_EQUAL(crc32c_update(0, block, 32), 0x62a8ab43u);
    for (unsigned i = 0; i < 32; i++)
        block[i] = (uint8_t)i;
    CU_ASSERT_EQUAL(crc32c_update(0, block, 32), 0x46dd794eu);
}

static void test_crc32c__fast_and_plain_agree(void)
{
    for (size_t length = 0; length < 300; length++) {
        for (size_t offset = 0; offset < 9; offset++)
            CU_ASSERT_EQUAL_FATAL(crc32c_update(1, data + offset, length),
                                  crc32c_update_plain(1, data + offset, length));
    }
    CU_ASSERT_EQUAL(crc32c_update(0, data, DATA_BYTES), crc32c_update_plain(0, data, DATA_BYTES));
}

static void test_crc32c__cold_and_plain_agree(void)
{
    for (size_t length = 0; length < 300; length++)
        CU_ASSERT_EQUAL_FATAL(crc32c_update_cold(1, data + 3, length),
                              crc32c_update_plain(1, data + 3, length));
    /* Around each multiple of what it does at a time. */
    for (size_t length = 1024; length < 20000; length += 1024) {
        for (size_t more = 0; more < 3; more++)
            CU_ASSERT_EQUAL_FATAL(crc32c_update_cold(1, data + more, length - 1 + more),
                                  crc32c_update_plain(1, data + more, length - 1 + more));
    }
    CU_ASSERT_EQUAL(crc32c_update_cold(0, data, DATA_BYTES),
                    crc32c_update_plain(0, data, DATA_BYTES));
}

static void test_crc32c__parts_continue(void)
{
    uint32_t whole = crc32c_update(0, data, 1000);
    for (size_t cut = 0; cut <= 1000; cut++) {
        uint32_t first = crc32c_update(0, data, cut);
        CU_ASSERT_EQUAL_FATAL(crc32c_update(first, data + cut, 1000 - cut), whole);
    }
}

static void test_crc32c__parts_combine(void)
{
    uint32_t whole = crc32c_update(0, data, DATA_BYTES);
    struct rng rng = rng_seed(unit_seed());
    for (unsigned i = 0; i < 200; i++) {
        size_t cut = (size_t)rng_below(&rng, DATA_BYTES + 1);
        uint32_t first = crc32c_update(0, data, cut);
        uint32_t second = crc32c_update(0, data + cut, DATA_BYTES - cut);
        CU_ASSERT_EQUAL_FATAL(crc32c_combine(first, second, DATA_BYTES - cut), whole);
    }
    CU_ASSERT_EQUAL(crc32c_combine(whole, 0, 0), whole);
    CU_ASSERT_EQUAL(crc32c_combine(0, whole, DATA_BYTES), whole);
}

static void test_crc32c__fast_and_plain_combine_alike(void)
{
    struct rng rng = rng_seed(unit_seed());
    for (unsigned i = 0; i < 100000; i++) {
        /* Also few bits, at both ends. */
        uint32_t first = (uint32_t)rng_u64(&rng) >> rng_below(&rng, 32);
        uint32_t factor = (uint32_t)rng_u64(&rng) << rng_below(&rng, 32);
        CU_ASSERT_EQUAL_FATAL(crc32c_combine_by(first, i, factor),
                              crc32c_combine_by_plain(first, i, factor));
        CU_ASSERT_EQUAL_FATAL(crc32c_combine_by(factor, i, first),
                              crc32c_combine_by_plain(factor, i, first));
    }
}

static const struct unit_test tests[] = {
    {"test_crc32c__known_values",                 "The checksum is the standard CRC-32C.",
     test_crc32c__known_values                },
    {"test_crc32c__fast_and_plain_agree",         "The fast and the plain code agree at every length.",
     test_crc32c__fast_and_plain_agree        },
    {"test_crc32c__cold_and_plain_agree",         "The code for cold bytes agrees at every length.",
     test_crc32c__cold_and_plain_agree        },
    {"test_crc32c__parts_continue",               "A checksum continues over parts.",
     test_crc32c__parts_continue              },
    {"test_crc32c__fast_and_plain_combine_alike", "The fast and the plain code combine alike.",
     test_crc32c__fast_and_plain_combine_alike},
    {"test_crc32c__parts_combine",                "The checksums of two parts combine to that of the whole.",
     test_crc32c__parts_combine               },
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "base/crc32c", tests, UNIT_COUNT(tests), setup,
                     NULL);
}
