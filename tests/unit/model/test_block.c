/*
 * test_block.c - lib/model/block.h.
 */
#include "lib/model/block.h"

#include <string.h>

#include "lib/base/crc32c.h"
#include "lib/base/mem.h"
#include "tests/support/unit.h"

enum {
    BLOCK_BYTES = 3 * BLOCK_CHUNK_BYTES + 17
};

static struct fixture {
    uint8_t *data;
    struct block_summer summer;
    struct buf sidecar;
} f;

static void setup(void)
{
    f = (struct fixture){.data = mem_new(BLOCK_BYTES)};
    for (size_t i = 0; i < BLOCK_BYTES; i++)
        f.data[i] = (uint8_t)(i * 31 + i / 256);
}

static void teardown(void)
{
    mem_free(f.data);
    block_summer_close(&f.summer);
    buf_close(&f.sidecar);
}

static void given_sidecar(size_t length)
{
    CU_ASSERT_EQUAL_FATAL(block_summer_add(&f.summer, slice_make(f.data, length)), OK);
    CU_ASSERT_EQUAL_FATAL(block_summer_finish(&f.summer, 0xabc, &f.sidecar), OK);
}

static void test_block__sidecar_comes_back_as_it_was_made(void)
{
    given_sidecar(BLOCK_BYTES);
    CU_ASSERT_EQUAL(f.sidecar.length, block_sidecar_bytes(BLOCK_BYTES));
    struct block_sidecar sidecar;
    CU_ASSERT_EQUAL_FATAL(block_sidecar_decode(buf_slice(&f.sidecar), &sidecar, NULL), OK);
    CU_ASSERT_EQUAL(sidecar.block_id, 0xabc);
    CU_ASSERT_EQUAL(sidecar.length, BLOCK_BYTES);
    CU_ASSERT_EQUAL(sidecar.crc32c, crc32c_update(0, f.data, BLOCK_BYTES));
    for (size_t i = 0; i < block_chunk_count(BLOCK_BYTES); i++) {
        struct slice chunk =
            slice_make(f.data + i * BLOCK_CHUNK_BYTES, block_chunk_length(&sidecar, i));
        CU_ASSERT_TRUE(block_chunk_is_good(&sidecar, i, chunk));
    }
    f.data[BLOCK_CHUNK_BYTES] ^= 1;
    CU_ASSERT_FALSE(block_chunk_is_good(&sidecar, 1,
                                        slice_make(f.data + BLOCK_CHUNK_BYTES, BLOCK_CHUNK_BYTES)));
}

/* The bytes of version 1, written down once and for all. */
static void test_block__version_one_looks_like_this(void)
{
    static const uint8_t expected[] = {
        'M',  'R',  'B',  'L',  'K',  'C',  'R',  'C',  1,    0,    0,    0,
        0,    0,    1,    0,    0xbc, 0x0a, 0,    0,    0,    0,    0,    0,
        9,    0,    0,    0,    0,    0,    0,    0,    0x83, 0x92, 0x06, 0xe3,
        0xa8, 0x8b, 0x8e, 0x21, 0x00, 0x00, 0x00, 0x00, 0x83, 0x92, 0x06, 0xe3,
    };
    CU_ASSERT_EQUAL_FATAL(block_summer_add(&f.summer, slice_from_string("123456789")), OK);
    CU_ASSERT_EQUAL_FATAL(block_summer_finish(&f.summer, 0xabc, &f.sidecar), OK);
    CU_ASSERT_EQUAL_FATAL(f.sidecar.length, sizeof(expected));
    CU_ASSERT_EQUAL(memcmp(f.sidecar.data, expected, 36), 0);
    CU_ASSERT_EQUAL(memcmp(f.sidecar.data + 44, expected + 44, 4), 0);
}

static void test_block__pieces_of_any_size_sum_up_the_same(void)
{
    given_sidecar(BLOCK_BYTES);
    for (size_t piece = 1; piece < 3 * BLOCK_CHUNK_BYTES; piece = piece * 3 + 1) {
        struct block_summer summer = {0};
        struct buf sidecar = {0};
        for (size_t at = 0; at < BLOCK_BYTES; at += piece) {
            size_t part = BLOCK_BYTES - at < piece ? BLOCK_BYTES - at : piece;
            CU_ASSERT_EQUAL(block_summer_add(&summer, slice_make(f.data + at, part)), OK);
        }
        CU_ASSERT_EQUAL(block_summer_crc(&summer), crc32c_update(0, f.data, BLOCK_BYTES));
        CU_ASSERT_EQUAL(block_summer_finish(&summer, 0xabc, &sidecar), OK);
        CU_ASSERT_TRUE(slice_equal(buf_slice(&sidecar), buf_slice(&f.sidecar)));
        block_summer_close(&summer);
        buf_close(&sidecar);
    }
}

static void test_block__empty_block_has_a_sidecar(void)
{
    given_sidecar(0);
    struct block_sidecar sidecar;
    CU_ASSERT_EQUAL(f.sidecar.length, BLOCK_SIDECAR_HEADER_BYTES);
    CU_ASSERT_EQUAL(block_sidecar_decode(buf_slice(&f.sidecar), &sidecar, NULL), OK);
    CU_ASSERT_EQUAL(sidecar.length, 0);
    CU_ASSERT_EQUAL(sidecar.crc32c, 0);
}

static void test_block__cut_sidecar_is_refused_at_every_length(void)
{
    given_sidecar(BLOCK_BYTES);
    for (size_t length = 0; length < f.sidecar.length; length++) {
        struct block_sidecar sidecar;
        struct slice cut = slice_make(f.sidecar.data, length);
        CU_ASSERT_EQUAL(block_sidecar_decode(cut, &sidecar, NULL), ERR_CORRUPT);
    }
}

static void test_block__flipped_bit_is_noticed_in_every_byte(void)
{
    given_sidecar(BLOCK_BYTES);
    for (size_t i = 0; i < f.sidecar.length; i++) {
        struct block_sidecar sidecar;
        f.sidecar.data[i] ^= 0x10;
        CU_ASSERT_EQUAL(block_sidecar_decode(buf_slice(&f.sidecar), &sidecar, NULL), ERR_CORRUPT);
        f.sidecar.data[i] ^= 0x10;
    }
}

static void test_block__range_on_chunks_has_its_checksum(void)
{
    given_sidecar(BLOCK_BYTES);
    struct block_sidecar sidecar;
    CU_ASSERT_EQUAL_FATAL(block_sidecar_decode(buf_slice(&f.sidecar), &sidecar, NULL), OK);
    uint32_t crc = 0;
    const uint64_t chunk = BLOCK_CHUNK_BYTES;
    CU_ASSERT_TRUE(block_sidecar_range_crc(&sidecar, chunk, 2 * chunk, &crc));
    CU_ASSERT_EQUAL(crc, crc32c_update(0, f.data + chunk, 2 * chunk));
    CU_ASSERT_TRUE(block_sidecar_range_crc(&sidecar, chunk, BLOCK_BYTES - chunk, &crc));
    CU_ASSERT_EQUAL(crc, crc32c_update(0, f.data + chunk, BLOCK_BYTES - chunk));
    CU_ASSERT_FALSE(block_sidecar_range_crc(&sidecar, 1, chunk, &crc));
    CU_ASSERT_FALSE(block_sidecar_range_crc(&sidecar, 0, chunk - 1, &crc));
    CU_ASSERT_FALSE(block_sidecar_range_crc(&sidecar, chunk, BLOCK_BYTES, &crc));
}

static void test_block__name_is_sixteen_lower_case_digits(void)
{
    char name[BLOCK_NAME_BYTES];
    block_name_format(0x9f3c0a1b2c3d4e5fu, name);
    CU_ASSERT_STRING_EQUAL(name, "9f3c0a1b2c3d4e5f");
    uint64_t block_id = 0;
    CU_ASSERT_TRUE(block_name_parse(slice_from_string(name), &block_id));
    CU_ASSERT_EQUAL(block_id, 0x9f3c0a1b2c3d4e5fu);
    static const char *const bad[] = {"",
                                      "9f3c0a1b2c3d4e5",
                                      "9f3c0a1b2c3d4e5f0",
                                      "9F3C0A1B2C3D4E5F",
                                      "9f3c0a1b2c3d4e5g",
                                      "0000000000000000",
                                      "../../etc/passwd"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CU_ASSERT_FALSE(block_name_parse(slice_from_string(bad[i]), &block_id));
}

#define TEST(name, sentence)                                                                       \
 {                                                                                                 \
#  name, sentence, name                                                                            \
 }

static const struct unit_test tests[] = {
    TEST(test_block__sidecar_comes_back_as_it_was_made, "A sidecar comes back as it was made."),
    TEST(test_block__version_one_looks_like_this, "Version one looks like this."),
    TEST(test_block__pieces_of_any_size_sum_up_the_same, "Pieces of any size sum up the same."),
    TEST(test_block__empty_block_has_a_sidecar, "An empty block has a sidecar."),
    TEST(test_block__cut_sidecar_is_refused_at_every_length,
         "A cut sidecar is refused at every length."),
    TEST(test_block__flipped_bit_is_noticed_in_every_byte,
         "A flipped bit is noticed in every byte."),
    TEST(test_block__range_on_chunks_has_its_checksum, "A range on chunks has its checksum."),
    TEST(test_block__name_is_sixteen_lower_case_digits, "A name is sixteen lower-case digits."),
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "model/block", tests, UNIT_COUNT(tests), setup,
                     teardown);
}
