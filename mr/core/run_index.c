/*
 * run_index.c - the index at the end of a run file; also read by the node manager, which serves
 * segments without looking into them.
 */
#include "mr/core/run.h"

#include <string.h>

#include "lib/base/crc32c.h"
#include "lib/base/varint.h"

static const char run_trailer_magic[8] = {'M', 'R', 'R', 'U', 'N', 'E', 'N', 'D'};

enum status run_head_parse(struct slice head, struct error *reterr_error)
{
    if (head.length != RUN_MAGIC_BYTES || memcmp(head.data, RUN_MAGIC, RUN_MAGIC_BYTES) != 0)
        return error_set(reterr_error, ERR_CORRUPT, "not a run file of version 1");
    return OK;
}

enum status run_trailer_parse(struct slice trailer,
                              uint64_t file_length,
                              uint64_t *ret_index_offset,
                              uint32_t *ret_partitions,
                              struct error *reterr_error)
{
    uint64_t index_offset;
    uint32_t partitions;
    uint64_t index_bytes;

    if (trailer.length != RUN_TRAILER_BYTES || file_length < RUN_MAGIC_BYTES + RUN_TRAILER_BYTES ||
        memcmp(trailer.data + 16, run_trailer_magic, sizeof(run_trailer_magic)) != 0)
        return error_set(reterr_error, ERR_CORRUPT, "not a complete run file: no trailer");
    index_offset = fixed_get_u64(trailer.data);
    partitions = fixed_get_u32(trailer.data + 8);
    index_bytes = (uint64_t)partitions * RUN_INDEX_ENTRY_BYTES;
    if (partitions > RUN_PARTITIONS_MAX || index_offset < RUN_MAGIC_BYTES ||
        index_offset > file_length || file_length - index_offset != index_bytes + RUN_TRAILER_BYTES)
        return error_set(reterr_error, ERR_CORRUPT,
                         "run file's trailer does not fit its %llu bytes",
                         (unsigned long long)file_length);
    *ret_index_offset = index_offset;
    *ret_partitions = partitions;
    return OK;
}

enum status run_index_find(struct slice index,
                           struct slice trailer,
                           uint32_t partition,
                           struct run_segment *ret_segment,
                           struct error *reterr_error)
{
    uint64_t expected = RUN_MAGIC_BYTES;
    uint32_t crc;
    size_t count = index.length / RUN_INDEX_ENTRY_BYTES;

    if (trailer.length != RUN_TRAILER_BYTES || index.length % RUN_INDEX_ENTRY_BYTES != 0)
        return error_set(reterr_error, ERR_CORRUPT, "run file's index is cut");
    crc = crc32c_update(0, index.data, index.length);
    crc = crc32c_update(crc, trailer.data, 12);
    if (crc != fixed_get_u32(trailer.data + 12))
        return error_set(reterr_error, ERR_CORRUPT, "run file's index misses its checksum");
    if (partition >= count)
        return error_set(reterr_error, ERR_NOT_FOUND,
                         "run file has %zu partitions, not one with number %u", count, partition);
    for (size_t i = 0; i < count; i++) {
        const uint8_t *entry = index.data + i * RUN_INDEX_ENTRY_BYTES;
        uint64_t bytes = fixed_get_u64(entry + 8);
        if (fixed_get_u64(entry) != expected || bytes > UINT64_MAX - expected)
            return error_set(reterr_error, ERR_CORRUPT, "run file's segments are not contiguous");
        if (i == partition) {
            ret_segment->offset = expected;
            ret_segment->bytes = bytes;
            ret_segment->records = fixed_get_u64(entry + 16);
        }
        expected += bytes;
    }
    if (expected != fixed_get_u64(trailer.data))
        return error_set(reterr_error, ERR_CORRUPT, "run file's segments do not end at its index");
    return OK;
}
