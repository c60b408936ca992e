/*
 * segment.c - makes the bytes of segments and checkpoints.
 */
#include "lib/journal/segment.h"

#include <string.h>

#include "lib/base/check.h"
#include "lib/base/crc32c.h"
#include "lib/base/varint.h"

static const uint8_t segment_magic[8] = {'M', 'R', 'J', 'R', 'N', 'L', '1', '\0'};
static const uint8_t frame_magic[4] = {'M', 'R', 'F', '1'};

uint32_t segment_header_encode(const struct segment_header *header,
                               uint8_t bytes[SEGMENT_HEADER_BYTES])
{
    memset(bytes, 0, SEGMENT_HEADER_BYTES);
    memcpy(bytes, segment_magic, sizeof(segment_magic));
    fixed_put_u32(bytes + 8, SEGMENT_VERSION);
    fixed_put_u32(bytes + 12, (uint32_t)header->kind);
    memcpy(bytes + 16, header->id, SEGMENT_ID_BYTES);
    fixed_put_u64(bytes + 32, header->generation);
    fixed_put_u64(bytes + 40, header->first_sequence);
    fixed_put_u64(bytes + 48, header->content_bytes);
    fixed_put_u32(bytes + 56, header->previous);
    uint32_t checksum = crc32c_update(0, bytes, SEGMENT_HEADER_BYTES - 4);
    fixed_put_u32(bytes + 60, checksum);
    return checksum;
}

struct segment_end segment_start(const struct segment_header *header, uint32_t checksum)
{
    struct segment_end end = {.offset = SEGMENT_HEADER_BYTES};
    if (header->kind == SEGMENT_LOG) {
        end.sequence = header->first_sequence - 1;
        end.chain = checksum;
        return end;
    }
    uint8_t bytes[SEGMENT_ID_BYTES + 16];
    memcpy(bytes, header->id, SEGMENT_ID_BYTES);
    fixed_put_u64(bytes + SEGMENT_ID_BYTES, header->generation);
    fixed_put_u64(bytes + SEGMENT_ID_BYTES + 8, header->first_sequence);
    end.chain = crc32c_update(0, bytes, sizeof(bytes));
    return end;
}

uint64_t segment_payload_bytes(const struct journal_record *records, size_t count)
{
    uint64_t bytes = 0;
    for (size_t i = 0; i < count; i++)
        bytes += varint_length_u64(records[i].type.length) + records[i].type.length +
                 varint_length_u64(records[i].bytes.length) + records[i].bytes.length;
    return bytes;
}

static enum status append_records(struct buf *buf,
                                  const struct journal_record *records,
                                  size_t count)
{
    enum status status = OK;
    for (size_t i = 0; i < count && status == OK; i++) {
        if (records[i].type.length == 0 || records[i].type.length > JOURNAL_TYPE_BYTES_MAX)
            return ERR_INVALID;
        status = varint_append_slice(buf, records[i].type);
        if (status == OK)
            status = varint_append_slice(buf, records[i].bytes);
    }
    return status;
}

enum status segment_frame_append(struct buf *buf,
                                 const uint8_t id[SEGMENT_ID_BYTES],
                                 uint64_t synced_sequence,
                                 const struct journal_record *records,
                                 size_t count,
                                 struct segment_end *end)
{
    CHECK(count > 0);
    uint64_t length = segment_payload_bytes(records, count);
    if (length > JOURNAL_BATCH_BYTES_MAX)
        return ERR_LIMIT;
    size_t start = buf->length;
    uint8_t header[SEGMENT_FRAME_BYTES] = {0};
    enum status status = buf_append(buf, header, sizeof(header));
    if (status == OK)
        status = append_records(buf, records, count);
    if (status != OK) {
        buf->length = start;
        return status;
    }
    const uint8_t *payload = buf->data + start + SEGMENT_FRAME_BYTES;
    memcpy(header, frame_magic, sizeof(frame_magic));
    fixed_put_u32(header + 4, (uint32_t)length);
    fixed_put_u64(header + 8, end->sequence + 1);
    fixed_put_u64(header + 16, synced_sequence);
    fixed_put_u32(header + 24, end->chain);
    fixed_put_u32(header + 28, crc32c_update(0, payload, (size_t)length));
    uint32_t checksum = crc32c_update(0, id, SEGMENT_ID_BYTES);
    checksum = crc32c_update(checksum, header, SEGMENT_FRAME_BYTES - 4);
    fixed_put_u32(header + 32, checksum);
    memcpy(buf->data + start, header, sizeof(header));
    end->offset += SEGMENT_FRAME_BYTES + length;
    end->sequence++;
    end->chain = checksum;
    return OK;
}
