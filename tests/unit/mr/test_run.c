/*
 * test_run.c - mr/core/run.h: what is written is read back, and damage never is.
 */
#include "mr/core/run.h"

#include <string.h>

#include "lib/base/rng.h"
#include "tests/support/unit.h"
#include "tests/unit/mr/memory_host.h"

static struct fixture {
    struct memory_host host;
    struct memory_sink file;
    struct run_segment segments[3];
    struct error error;
} f;

static struct slice from(const char *text)
{
    return slice_from_string(text);
}

/* Three partitions: 300 small records, none, two of which one is larger than a chunk. */
static void setup(void)
{
    static char large[200000];
    struct run_writer writer;

    f = (struct fixture){0};
    f.file.host = &f.host;
    memset(large, 'x', sizeof(large));
    CU_ASSERT_EQUAL_FATAL(run_writer_open(&writer, memory_sink_as_sink(&f.file), &f.error), OK);
    for (unsigned i = 0; i < 300; i++) {
        uint8_t key[4] = {0, 0, (uint8_t)(i >> 8), (uint8_t)i};
        struct record record = {slice_make(key, 4), slice_make(large, i)};
        CU_ASSERT_EQUAL_FATAL(run_writer_add(&writer, record, &f.error), OK);
    }
    CU_ASSERT_EQUAL_FATAL(run_writer_end_partition(&writer, &f.segments[0], &f.error), OK);
    CU_ASSERT_EQUAL_FATAL(run_writer_end_partition(&writer, &f.segments[1], &f.error), OK);
    CU_ASSERT_EQUAL_FATAL(run_writer_add(&writer, (struct record){from(""), from("")}, &f.error),
                          OK);
    CU_ASSERT_EQUAL_FATAL(
        run_writer_add(&writer, (struct record){from("key"), slice_make(large, sizeof(large))},
                       &f.error),
        OK);
    CU_ASSERT_EQUAL_FATAL(run_writer_end_partition(&writer, &f.segments[2], &f.error), OK);
    CU_ASSERT_EQUAL_FATAL(run_writer_finish(&writer, &f.error), OK);
    CU_ASSERT_EQUAL(writer.records_total, 302);
    run_writer_close(&writer);
}

static void teardown(void)
{
    buf_close(&f.file.bytes);
    memory_host_close(&f.host);
}

static struct slice segment_bytes(size_t partition)
{
    return slice_sub(buf_slice(&f.file.bytes), (size_t)f.segments[partition].offset,
                     (size_t)f.segments[partition].bytes);
}

/* Counts the records of a segment; *ret_status how the walk ended. */
static size_t count_records(struct slice segment, enum status *ret_status)
{
    struct run_reader reader;
    struct record record;
    size_t count = 0;
    bool has = true;

    run_reader_open(&reader, (struct byte_store){.memory = segment}, 0, segment.length);
    *ret_status = OK;
    while (has && *ret_status == OK) {
        *ret_status = reader.cursor.next(&reader.cursor, &record, &has, &f.error);
        count += has;
    }
    run_reader_close(&reader);
    return count;
}

static enum status find(struct slice file, uint32_t partition, struct run_segment *ret_segment)
{
    uint64_t index_offset;
    uint32_t partitions;
    struct slice trailer;
    enum status status;

    if (file.length < RUN_TRAILER_BYTES)
        return ERR_CORRUPT;
    trailer = slice_sub(file, file.length - RUN_TRAILER_BYTES, RUN_TRAILER_BYTES);
    status = run_trailer_parse(trailer, file.length, &index_offset, &partitions, &f.error);
    if (status != OK)
        return status;
    return run_index_find(
        slice_sub(file, (size_t)index_offset, (size_t)partitions * RUN_INDEX_ENTRY_BYTES), trailer,
        partition, ret_segment, &f.error);
}

static void test_run__records_come_back(void)
{
    struct run_reader reader;
    struct record record;
    bool has = true;

    run_reader_open(&reader, (struct byte_store){.memory = buf_slice(&f.file.bytes)},
                    f.segments[0].offset, f.segments[0].bytes);
    for (unsigned i = 0; i < 300; i++) {
        uint8_t key[4] = {0, 0, (uint8_t)(i >> 8), (uint8_t)i};
        CU_ASSERT_EQUAL_FATAL(reader.cursor.next(&reader.cursor, &record, &has, &f.error), OK);
        CU_ASSERT_TRUE_FATAL(has);
        CU_ASSERT_TRUE(slice_equal(record.key, slice_make(key, 4)));
        CU_ASSERT_EQUAL(record.value.length, i);
    }
    for (unsigned i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL_FATAL(reader.cursor.next(&reader.cursor, &record, &has, &f.error), OK);
        CU_ASSERT_FALSE(has);
    }
    run_reader_close(&reader);
}

static enum status read_file(
    void *user, uint64_t offset, uint8_t *data, size_t length, struct error *reterr_error)
{
    struct fixture *fixture = user;
    if (offset + length > fixture->file.bytes.length)
        return error_set(reterr_error, ERR_IO, "short");
    memcpy(data, fixture->file.bytes.data + offset, length);
    return OK;
}

static void test_run__file_reads_as_memory_does(void)
{
    for (size_t p = 0; p < 3; p++) {
        struct run_reader reader;
        struct record record;
        bool has = true;
        size_t count = 0;
        run_reader_open(&reader, (struct byte_store){.user = &f, .read = read_file},
                        f.segments[p].offset, f.segments[p].bytes);
        while (has) {
            CU_ASSERT_EQUAL_FATAL(reader.cursor.next(&reader.cursor, &record, &has, &f.error), OK);
            count += has;
        }
        CU_ASSERT_EQUAL(count, f.segments[p].records);
        run_reader_close(&reader);
    }
}

static void test_run__index_finds_each_segment(void)
{
    struct run_segment segment;
    for (uint32_t p = 0; p < 3; p++) {
        CU_ASSERT_EQUAL_FATAL(find(buf_slice(&f.file.bytes), p, &segment), OK);
        CU_ASSERT_EQUAL(segment.offset, f.segments[p].offset);
        CU_ASSERT_EQUAL(segment.bytes, f.segments[p].bytes);
        CU_ASSERT_EQUAL(segment.records, f.segments[p].records);
    }
    CU_ASSERT_EQUAL(f.segments[1].bytes, 0);
    CU_ASSERT_EQUAL(find(buf_slice(&f.file.bytes), 3, &segment), ERR_NOT_FOUND);
}

static void test_run__cut_file_has_no_index(void)
{
    struct slice file = buf_slice(&f.file.bytes);
    struct run_segment segment;
    for (size_t length = 0; length < file.length; length += length < 40 ? 1 : 997)
        CU_ASSERT_EQUAL_FATAL(find(slice_sub(file, 0, length), 0, &segment), ERR_CORRUPT);
    for (size_t cut = 1; cut < 200; cut++)
        CU_ASSERT_EQUAL_FATAL(find(slice_sub(file, 0, file.length - cut), 0, &segment),
                              ERR_CORRUPT);
}

static void test_run__changed_index_is_refused(void)
{
    size_t length = f.file.bytes.length;
    struct run_segment segment;
    for (size_t back = 1; back <= RUN_TRAILER_BYTES + 3 * RUN_INDEX_ENTRY_BYTES; back++) {
        for (unsigned bit = 0; bit < 8; bit++) {
            f.file.bytes.data[length - back] ^= (uint8_t)(1u << bit);
            CU_ASSERT_EQUAL_FATAL(find(buf_slice(&f.file.bytes), 0, &segment), ERR_CORRUPT);
            f.file.bytes.data[length - back] ^= (uint8_t)(1u << bit);
        }
    }
    CU_ASSERT_EQUAL(find(buf_slice(&f.file.bytes), 0, &segment), OK);
}

static void test_run__cut_segment_is_refused_at_every_length(void)
{
    struct slice segment = segment_bytes(0);
    CU_ASSERT_EQUAL(run_segment_verify(segment, &f.error), OK);
    CU_ASSERT_EQUAL(run_segment_verify(slice_sub(segment, 0, 0), &f.error), OK);
    for (size_t length = 1; length < segment.length; length++)
        CU_ASSERT_EQUAL_FATAL(run_segment_verify(slice_sub(segment, 0, length), &f.error),
                              ERR_CORRUPT);
}

static void test_run__lengthened_segment_is_refused(void)
{
    struct buf longer = {0};
    CU_ASSERT_EQUAL_FATAL(buf_append_slice(&longer, segment_bytes(0)), OK);
    for (unsigned i = 0; i < 30; i++) {
        CU_ASSERT_EQUAL_FATAL(buf_append(&longer, "", 1), OK);
        CU_ASSERT_EQUAL(run_segment_verify(buf_slice(&longer), &f.error), ERR_CORRUPT);
    }
    buf_close(&longer);
}

static void test_run__changed_bit_is_refused_anywhere(void)
{
    uint8_t *data = f.file.bytes.data + f.segments[0].offset;
    size_t length = (size_t)f.segments[0].bytes;
    for (size_t i = 0; i < length; i++) {
        uint8_t bit = (uint8_t)(1u << (i % 8));
        data[i] ^= bit;
        CU_ASSERT_EQUAL_FATAL(run_segment_verify(slice_make(data, length), &f.error), ERR_CORRUPT);
        data[i] ^= bit;
    }
}

static void test_run__nothing_of_a_damaged_chunk_is_handed_out(void)
{
    struct slice segment = segment_bytes(2);
    enum status status;
    /* The first chunk holds the first record only; the damage is in the second. */
    f.file.bytes.data[f.segments[2].offset + segment.length / 2] ^= 1;
    CU_ASSERT_EQUAL(count_records(segment, &status), 1);
    CU_ASSERT_EQUAL(status, ERR_CORRUPT);
}

static void test_run__random_bytes_never_pass(void)
{
    struct rng rng = rng_seed(unit_seed());
    for (unsigned round = 0; round < 5000; round++) {
        uint8_t bytes[100];
        size_t length = 1 + rng_below(&rng, sizeof(bytes));
        for (size_t i = 0; i < length; i++)
            bytes[i] = (uint8_t)(rng_chance(&rng, 500000) ? 0 : rng_u64(&rng));
        CU_ASSERT_EQUAL_FATAL(run_segment_verify(slice_make(bytes, length), &f.error), ERR_CORRUPT);
    }
}

static const struct unit_test tests[] = {
    {"test_run__records_come_back",                        "Records come back.",                 test_run__records_come_back                       },
    {"test_run__file_reads_as_memory_does",                "A file reads as memory does.",
     test_run__file_reads_as_memory_does                                                                                                           },
    {"test_run__index_finds_each_segment",                 "The index finds each segment.",
     test_run__index_finds_each_segment                                                                                                            },
    {"test_run__cut_file_has_no_index",                    "A cut file has no index.",
     test_run__cut_file_has_no_index                                                                                                               },
    {"test_run__changed_index_is_refused",                 "A changed index is refused.",
     test_run__changed_index_is_refused                                                                                                            },
    {"test_run__cut_segment_is_refused_at_every_length",
     "A cut segment is refused at every length.",                                                test_run__cut_segment_is_refused_at_every_length  },
    {"test_run__lengthened_segment_is_refused",            "A lengthened segment is refused.",
     test_run__lengthened_segment_is_refused                                                                                                       },
    {"test_run__changed_bit_is_refused_anywhere",          "A changed bit is refused anywhere.",
     test_run__changed_bit_is_refused_anywhere                                                                                                     },
    {"test_run__nothing_of_a_damaged_chunk_is_handed_out",
     "Nothing of a damaged chunk is handed out.",                                                test_run__nothing_of_a_damaged_chunk_is_handed_out},
    {"test_run__random_bytes_never_pass",                  "Random bytes never pass.",
     test_run__random_bytes_never_pass                                                                                                             },
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "mr/run", tests, UNIT_COUNT(tests), setup,
                     teardown);
}
