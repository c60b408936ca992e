/*
 * test_varint.c - lib/base/varint.h.
 */
#include "lib/base/varint.h"

#include "lib/base/fault.h"
#include "lib/base/rng.h"
#include "tests/support/unit.h"

static struct buf buf;

static void setup(void)
{
    buf_open(&buf, 0);
}

static void teardown(void)
{
    fault_disarm_all();
    buf_close(&buf);
}

static void expect_round_trip(uint64_t value)
{
    uint8_t data[VARINT_BYTES_MAX];
    size_t length = varint_put_u64(data, value);
    CU_ASSERT_EQUAL(length, varint_length_u64(value));
    for (size_t cut = 0; cut < length; cut++) {
        struct slice rest = slice_make(data, cut);
        uint64_t decoded = 99;
        CU_ASSERT_EQUAL(varint_take_u64(&rest, &decoded), ERR_CORRUPT);
        CU_ASSERT_EQUAL(rest.length, cut);
        CU_ASSERT_EQUAL(decoded, 99);
    }
    struct slice rest = slice_make(data, length);
    uint64_t decoded = 0;
    CU_ASSERT_EQUAL(varint_take_u64(&rest, &decoded), OK);
    CU_ASSERT_EQUAL(decoded, value);
    CU_ASSERT_EQUAL(rest.length, 0);

    int64_t number = (int64_t)value;
    rest = slice_make(data, varint_put_i64(data, number));
    int64_t decoded_number = 0;
    CU_ASSERT_EQUAL(varint_take_i64(&rest, &decoded_number), OK);
    CU_ASSERT_EQUAL(decoded_number, number);
}

static void test_varint__every_length_makes_the_round_trip(void)
{
    expect_round_trip(0);
    expect_round_trip(UINT64_MAX);
    for (unsigned bit = 0; bit < 64; bit++) {
        uint64_t power = (uint64_t)1 << bit;
        expect_round_trip(power - 1);
        expect_round_trip(power);
        expect_round_trip(power + 1);
    }
    struct rng rng = rng_seed(unit_seed());
    for (unsigned i = 0; i < 2000; i++)
        expect_round_trip(rng_u64(&rng) >> rng_below(&rng, 64));
}

static void test_varint__encodings_are_the_known_ones(void)
{
    uint8_t data[VARINT_BYTES_MAX];
    CU_ASSERT_EQUAL(varint_put_u64(data, 300), 2);
    CU_ASSERT_TRUE(data[0] == 0xac && data[1] == 0x02);
    CU_ASSERT_EQUAL(varint_put_i64(data, -1), 1);
    CU_ASSERT_EQUAL(data[0], 1);
    CU_ASSERT_EQUAL(varint_put_i64(data, 1), 1);
    CU_ASSERT_EQUAL(data[0], 2);
    CU_ASSERT_EQUAL(varint_put_i64(data, INT64_MIN), 10);
    CU_ASSERT_EQUAL(varint_put_u64(data, UINT64_MAX), 10);
}

static void expect_corrupt(const char *bytes, size_t length)
{
    struct slice rest = slice_make(bytes, length);
    uint64_t value = 0;
    CU_ASSERT_EQUAL(varint_take_u64(&rest, &value), ERR_CORRUPT);
    CU_ASSERT_EQUAL(rest.length, length);
}

static void test_varint__other_forms_are_refused(void)
{
    expect_corrupt("\x80\x00", 2);
    expect_corrupt("\xff\x80\x00", 3);
    expect_corrupt("\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", 10);
    expect_corrupt("\xff\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", 11);
    expect_corrupt("\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80\x80", 12);
}

static void test_varint__fields_follow_each_other(void)
{
    CU_ASSERT_EQUAL(varint_append_u64(&buf, 1000), OK);
    CU_ASSERT_EQUAL(fixed_append_u32(&buf, 0x01020304u), OK);
    CU_ASSERT_EQUAL(varint_append_slice(&buf, slice_from_string("hello")), OK);
    CU_ASSERT_EQUAL(varint_append_i64(&buf, -5), OK);
    CU_ASSERT_EQUAL(fixed_append_u64(&buf, 0x0102030405060708u), OK);
    CU_ASSERT_EQUAL(varint_append_slice(&buf, slice_make(NULL, 0)), OK);
    /* Little-endian. */
    CU_ASSERT_EQUAL(buf.data[2], 4);
    for (size_t length = 0; length <= buf.length; length++) {
        struct slice rest = slice_make(buf.data, length);
        uint64_t first = 0;
        uint32_t second = 0;
        struct slice third = {0};
        int64_t fourth = 0;
        uint64_t fifth = 0;
        struct slice sixth = {0};
        bool is_whole =
            varint_take_u64(&rest, &first) == OK && fixed_take_u32(&rest, &second) == OK &&
            varint_take_slice(&rest, &third) == OK && varint_take_i64(&rest, &fourth) == OK &&
            fixed_take_u64(&rest, &fifth) == OK && varint_take_slice(&rest, &sixth) == OK;
        CU_ASSERT_EQUAL(is_whole, length == buf.length);
        if (!is_whole)
            continue;
        CU_ASSERT_TRUE(first == 1000 && second == 0x01020304u && fourth == -5);
        CU_ASSERT_TRUE(slice_equal_string(third, "hello"));
        CU_ASSERT_TRUE(fifth == 0x0102030405060708u && sixth.length == 0 && rest.length == 0);
    }
}

static void test_varint__length_beyond_the_end_is_corrupt(void)
{
    CU_ASSERT_EQUAL(varint_append_u64(&buf, UINT64_MAX), OK);
    struct slice rest = buf_slice(&buf);
    struct slice slice;
    CU_ASSERT_EQUAL(varint_take_slice(&rest, &slice), ERR_CORRUPT);
    CU_ASSERT_EQUAL(rest.length, buf.length);
}

static void test_varint__refused_append_leaves_nothing(void)
{
    buf_open(&buf, 5);
    CU_ASSERT_EQUAL(varint_append_slice(&buf, slice_from_string("hello")), ERR_LIMIT);
    CU_ASSERT_EQUAL(buf.length, 0);
    CU_ASSERT_EQUAL(varint_append_slice(&buf, slice_from_string("hell")), OK);
}

static const struct unit_test tests[] = {
    {"test_varint__every_length_makes_the_round_trip",
     "Numbers of every length make the round trip; no cut encoding decodes.",                                  test_varint__every_length_makes_the_round_trip},
    {"test_varint__encodings_are_the_known_ones",      "The encodings are LEB128 and zigzag.",
     test_varint__encodings_are_the_known_ones                                                                                                               },
    {"test_varint__other_forms_are_refused",           "Longer forms and numbers beyond 64 bits are refused.",
     test_varint__other_forms_are_refused                                                                                                                    },
    {"test_varint__fields_follow_each_other",
     "A record of fields decodes whole, and at no shorter length.",                                            test_varint__fields_follow_each_other         },
    {"test_varint__length_beyond_the_end_is_corrupt",  "A length beyond the end is corrupt.",
     test_varint__length_beyond_the_end_is_corrupt                                                                                                           },
    {"test_varint__refused_append_leaves_nothing",     "An append that does not fit leaves nothing.",
     test_varint__refused_append_leaves_nothing                                                                                                              },
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "base/varint", tests, UNIT_COUNT(tests), setup,
                     teardown);
}
