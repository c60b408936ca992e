/*
 * test_input.c - mr/core/input.h: splits own each record once, wherever they are cut.
 */
#include "mr/core/input.h"

#include <string.h>

#include "lib/base/rng.h"
#include "tests/support/unit.h"
#include "tests/unit/mr/memory_host.h"

static struct fixture {
    struct memory_host host;
    struct buf got; /* lines, each as "offset:line|" */
    struct buf expected;
    struct error error;
} f;

static void setup(void)
{
    f = (struct fixture){0};
}

static void teardown(void)
{
    memory_host_close(&f.host);
    buf_close(&f.got);
    buf_close(&f.expected);
}

static void add_line(struct buf *buf, uint64_t offset, struct slice line)
{
    CU_ASSERT_EQUAL_FATAL(
        buf_append_format(buf, "%llu:%.*s|", (unsigned long long)offset, SLICE_ARGS(line)), OK);
}

/* Reads one split, window_bytes at a time, and appends its lines to got. */
static enum status read_split(struct slice input,
                              uint64_t offset,
                              uint64_t length,
                              uint32_t window_bytes)
{
    struct input_reader reader;
    bool has = true;
    enum status status = OK;

    input_reader_open(&reader, memory_host_source(&f.host, input),
                      (struct input_split){offset, length}, 0);
    reader.window_bytes = window_bytes;
    while (status == OK && has) {
        struct slice run;
        uint64_t at = 0;
        status = input_reader_next(&reader, &run, &at, &has, &f.error);
        if (status != OK || !has)
            break;
        CU_ASSERT_TRUE_FATAL(run.length > 0);
        while (run.length > 0) {
            const uint8_t *begin = run.data;
            uint64_t here = at;
            struct slice line = input_take_line(&run);
            at += (uint64_t)(run.data - begin);
            add_line(&f.got, here, line);
        }
    }
    input_reader_close(&reader);
    return status;
}

/* The plain way, without splits. */
static void expect_lines(struct slice input)
{
    size_t begin = 0;
    for (size_t i = 0; i <= input.length; i++) {
        if (i < input.length ? input.data[i] == '\n' : begin < i) {
            size_t length = i - begin;
            if (i < input.length && length > 0 && input.data[i - 1] == '\r')
                length--;
            add_line(&f.expected, begin, slice_sub(input, begin, length));
            begin = i + 1;
        }
    }
}

static void expect_split_reads(struct slice input, uint64_t split_bytes, uint32_t window_bytes)
{
    buf_clear(&f.got);
    for (uint64_t offset = 0; offset < input.length; offset += split_bytes)
        CU_ASSERT_EQUAL_FATAL(read_split(input, offset, split_bytes, window_bytes), OK);
    CU_ASSERT_STRING_EQUAL_FATAL(buf_string(&f.got), buf_string(&f.expected));
}

static void test_input__each_line_belongs_to_the_split_it_begins_in(void)
{
    struct slice input = slice_from_string("ab\ncd\n\nefgh\n");
    CU_ASSERT_EQUAL(read_split(input, 0, 3, 100), OK);
    CU_ASSERT_STRING_EQUAL(buf_string(&f.got), "0:ab|");
    buf_clear(&f.got);
    CU_ASSERT_EQUAL(read_split(input, 3, 1, 100), OK);
    CU_ASSERT_STRING_EQUAL(buf_string(&f.got), "3:cd|");
    buf_clear(&f.got);
    CU_ASSERT_EQUAL(read_split(input, 4, 2, 100), OK);
    CU_ASSERT_STRING_EQUAL(buf_string(&f.got), "");
    CU_ASSERT_EQUAL(read_split(input, 6, 100, 100), OK);
    CU_ASSERT_STRING_EQUAL(buf_string(&f.got), "6:|7:efgh|");
}

static void test_input__every_split_size_and_window_yields_the_same_lines(void)
{
    static const char *const inputs[] = {
        "one\ntwo\r\nthree\n\n\r\n\nfour five six\r\nseven",
        "no line end at all",
        "\n",
        "\r\n",
        "\n\n\n",
        "a\r",
        "a\rb\n\rc\r\r\n",
        "a line that is quite a bit longer than the others are\nb\n",
    };
    for (size_t i = 0; i < sizeof(inputs) / sizeof(inputs[0]); i++) {
        struct slice input = slice_from_string(inputs[i]);
        buf_clear(&f.expected);
        expect_lines(input);
        for (uint64_t split = 1; split <= input.length + 1; split++) {
            for (uint32_t window = 1; window <= input.length + 1; window++)
                expect_split_reads(input, split, window);
        }
    }
}

static void test_input__random_text_survives_random_cuts(void)
{
    struct rng rng = rng_seed(unit_seed());
    for (unsigned round = 0; round < 200; round++) {
        uint8_t bytes[600];
        size_t length = 1 + rng_below(&rng, sizeof(bytes));
        for (size_t i = 0; i < length; i++)
            bytes[i] = (uint8_t)("ab\n\r"[rng_below(&rng, 4)]);
        buf_clear(&f.expected);
        expect_lines(slice_make(bytes, length));
        f.host.lend_max = rng_below(&rng, 50);
        expect_split_reads(slice_make(bytes, length), 1 + rng_below(&rng, 300),
                           (uint32_t)(1 + rng_below(&rng, 300)));
    }
}

static void test_input__line_beyond_the_limit_is_refused_with_its_offset(void)
{
    struct slice input = slice_from_string("short\n0123456789012345678901234567890123456789\n");
    struct input_reader reader;
    struct slice run;
    uint64_t offset;
    bool has;

    input_reader_open(&reader, memory_host_source(&f.host, input),
                      (struct input_split){0, input.length}, 0);
    reader.window_bytes = 8;
    reader.record_bytes_max = 40;
    CU_ASSERT_EQUAL(input_reader_next(&reader, &run, &offset, &has, &f.error), OK);
    CU_ASSERT_EQUAL(input_reader_next(&reader, &run, &offset, &has, &f.error), ERR_LIMIT);
    CU_ASSERT_FALSE(has);
    CU_ASSERT_STRING_EQUAL(f.error.text, "the line at byte 6 is longer than 40 bytes");
    input_reader_close(&reader);
}

static void test_input__fixed_records_are_whole_wherever_the_splits_are_cut(void)
{
    struct slice input = slice_from_string("aaabbbcccdddeeefffggg");
    for (uint64_t split = 1; split <= input.length; split++) {
        for (uint32_t window = 1; window <= input.length; window++) {
            buf_clear(&f.got);
            for (uint64_t at = 0; at < input.length; at += split) {
                struct input_reader reader;
                bool has = true;
                input_reader_open(&reader, memory_host_source(&f.host, input),
                                  (struct input_split){at, split}, 3);
                reader.window_bytes = window;
                while (has) {
                    struct slice run;
                    uint64_t offset;
                    CU_ASSERT_EQUAL_FATAL(input_reader_next(&reader, &run, &offset, &has, &f.error),
                                          OK);
                    if (has) {
                        CU_ASSERT_EQUAL_FATAL(run.length % 3, 0);
                        CU_ASSERT_EQUAL_FATAL(buf_append_slice(&f.got, run), OK);
                    }
                }
                input_reader_close(&reader);
            }
            CU_ASSERT_STRING_EQUAL_FATAL(buf_string(&f.got), (const char *)input.data);
        }
    }
}

static void test_input__file_that_ends_inside_a_fixed_record_is_corrupt(void)
{
    struct slice input = slice_from_string("aaabb");
    struct input_reader reader;
    struct slice run;
    uint64_t offset;
    bool has;

    input_reader_open(&reader, memory_host_source(&f.host, input),
                      (struct input_split){0, input.length}, 3);
    CU_ASSERT_EQUAL(input_reader_next(&reader, &run, &offset, &has, &f.error), OK);
    CU_ASSERT_EQUAL(input_reader_next(&reader, &run, &offset, &has, &f.error), ERR_CORRUPT);
    CU_ASSERT_STRING_EQUAL(f.error.text, "the file ends inside the record of 3 bytes at byte 3");
    input_reader_close(&reader);
}

static void test_input__failing_source_ends_the_read(void)
{
    struct slice input = slice_from_string("one\ntwo\nthree\nfour\n");
    for (uint64_t nth = 1;; nth++) {
        enum status status;
        f.host.calls = 0;
        f.host.fail_at = nth;
        status = read_split(input, 2, 15, 5);
        if (f.host.calls < nth) {
            CU_ASSERT_EQUAL(status, OK);
            CU_ASSERT_TRUE(nth > 4);
            break;
        }
        CU_ASSERT_EQUAL(status, ERR_IO);
    }
}

static const struct unit_test tests[] = {
    {"test_input__each_line_belongs_to_the_split_it_begins_in",
     "Each line belongs to the split it begins in.",                                                         test_input__each_line_belongs_to_the_split_it_begins_in        },
    {"test_input__every_split_size_and_window_yields_the_same_lines",
     "Every split size and window yields the same lines.",                                                   test_input__every_split_size_and_window_yields_the_same_lines  },
    {"test_input__random_text_survives_random_cuts",                    "Random text survives random cuts.",
     test_input__random_text_survives_random_cuts                                                                                                                           },
    {"test_input__line_beyond_the_limit_is_refused_with_its_offset",
     "A line beyond the limit is refused with its offset.",                                                  test_input__line_beyond_the_limit_is_refused_with_its_offset   },
    {"test_input__fixed_records_are_whole_wherever_the_splits_are_cut",
     "Fixed records are whole wherever the splits are cut.",                                                 test_input__fixed_records_are_whole_wherever_the_splits_are_cut},
    {"test_input__file_that_ends_inside_a_fixed_record_is_corrupt",
     "A file that ends inside a fixed record is corrupt.",                                                   test_input__file_that_ends_inside_a_fixed_record_is_corrupt    },
    {"test_input__failing_source_ends_the_read",                        "A failing source ends the read.",
     test_input__failing_source_ends_the_read                                                                                                                               },
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "mr/input", tests, UNIT_COUNT(tests), setup,
                     teardown);
}
