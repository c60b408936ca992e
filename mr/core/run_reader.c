/*
 * run_reader.c - reads one segment of a run, chunk by chunk, checking each before its first record
 * leaves (RUN-2). A segment in memory is walked in place.
 */
#include "mr/core/run.h"

#include "lib/base/crc32c.h"
#include "lib/base/mem.h"
#include "lib/base/varint.h"

static enum status corrupt(const struct run_reader *reader,
                           const char *what,
                           struct error *reterr_error)
{
    return error_set(reterr_error, ERR_CORRUPT, "segment at byte %llu: %s",
                     (unsigned long long)reader->position, what);
}

/* Lends length bytes at the position and moves behind them. */
static enum status take(struct run_reader *reader,
                        size_t length,
                        uint8_t *room,
                        const uint8_t **ret_bytes,
                        struct error *reterr_error)
{
    enum status status = OK;
    if (reader->store.memory.data != NULL) {
        *ret_bytes = reader->store.memory.data + reader->position;
    } else {
        status =
            reader->store.read(reader->store.user, reader->position, room, length, reterr_error);
        *ret_bytes = room;
    }
    if (status == OK)
        reader->position += length;
    return status;
}

static enum status read_end(struct run_reader *reader,
                            const uint8_t *head,
                            struct error *reterr_error)
{
    uint8_t room[8];
    const uint8_t *count;
    uint32_t crc;
    enum status status;

    if (reader->end - reader->position != 8)
        return corrupt(reader, "bytes behind the end", reterr_error);
    crc = fixed_get_u32(head + 8);
    if (fixed_get_u32(head + 4) != 0)
        return corrupt(reader, "bad end", reterr_error);
    status = take(reader, 8, room, &count, reterr_error);
    if (status != OK)
        return status;
    if (crc32c_update(crc32c_update(0, (const uint8_t[8]){0}, 8), count, 8) != crc)
        return corrupt(reader, "the end misses its checksum", reterr_error);
    if (fixed_get_u64(count) != reader->records)
        return corrupt(reader, "the number of records is wrong", reterr_error);
    reader->is_at_end = true;
    return OK;
}

static enum status read_payload(struct run_reader *reader,
                                const uint8_t *head,
                                uint32_t stored,
                                struct error *reterr_error)
{
    uint32_t crc_read = fixed_get_u32(head + 8);
    uint32_t crc = crc32c_update(0, head, 8);
    const uint8_t *payload;
    enum status status;

    if (fixed_get_u32(head + 4) != stored)
        return corrupt(reader, "compressed by a later version", reterr_error);
    if (stored > RUN_CHUNK_BYTES_MAX || stored > reader->end - reader->position)
        return corrupt(reader, "a chunk ends behind its segment", reterr_error);
    if (reader->store.memory.data == NULL && stored > reader->room_bytes) {
        uint8_t *room = mem_try_grow(reader->room, stored, 1);
        if (room == NULL)
            return error_set(reterr_error, ERR_NO_MEMORY, "chunk of %u bytes", stored);
        reader->room = room;
        reader->room_bytes = stored;
    }
    status = take(reader, stored, reader->room, &payload, reterr_error);
    if (status != OK)
        return status;
    if (crc32c_update(crc, payload, stored) != crc_read)
        return corrupt(reader, "the chunk before misses its checksum", reterr_error);
    reader->rest = slice_make(payload, stored);
    return OK;
}

static enum status read_chunk(struct run_reader *reader, struct error *reterr_error)
{
    uint8_t room[RUN_CHUNK_HEAD_BYTES];
    const uint8_t *head;
    uint32_t stored;
    enum status status;

    if (reader->end - reader->position < RUN_CHUNK_HEAD_BYTES)
        return corrupt(reader, "it is cut short", reterr_error);
    status = take(reader, RUN_CHUNK_HEAD_BYTES, room, &head, reterr_error);
    if (status != OK)
        return status;
    stored = fixed_get_u32(head);
    return stored == 0 ? read_end(reader, head, reterr_error)
                       : read_payload(reader, head, stored, reterr_error);
}

/* One-byte lengths are nearly all there are; the rest goes the careful way. */
static inline bool take_length(struct slice *rest, uint64_t *ret_length)
{
    if (rest->length > 0 && rest->data[0] < 0x80) {
        *ret_length = rest->data[0];
        rest->data++;
        rest->length--;
        return true;
    }
    return varint_take_u64(rest, ret_length) == OK;
}

static enum status run_reader_next(struct record_cursor *cursor,
                                   struct record *ret_record,
                                   bool *ret_has,
                                   struct error *reterr_error)
{
    struct run_reader *reader = (struct run_reader *)(void *)cursor;
    uint64_t key_bytes;
    uint64_t value_bytes;

    *ret_has = false;
    if (reader->rest.length == 0) {
        enum status status = OK;
        if (reader->is_at_end)
            return OK;
        status = read_chunk(reader, reterr_error);
        if (status != OK || reader->is_at_end)
            return status;
    }
    if (!take_length(&reader->rest, &key_bytes) || !take_length(&reader->rest, &value_bytes) ||
        key_bytes > reader->rest.length || value_bytes > reader->rest.length - key_bytes)
        return corrupt(reader, "a record of the chunk before is malformed", reterr_error);
    ret_record->key = slice_make(reader->rest.data, (size_t)key_bytes);
    ret_record->value = slice_make(reader->rest.data + key_bytes, (size_t)value_bytes);
    reader->rest.data += key_bytes + value_bytes;
    reader->rest.length -= (size_t)(key_bytes + value_bytes);
    reader->records++;
    *ret_has = true;
    return OK;
}

void run_reader_open(struct run_reader *reader,
                     struct byte_store store,
                     uint64_t offset,
                     uint64_t bytes)
{
    *reader = (struct run_reader){
        .cursor = {run_reader_next},
        .store = store,
        .position = offset,
        .end = offset + bytes,
        .is_at_end = bytes == 0,
    };
}

void run_reader_close(struct run_reader *reader)
{
    mem_free(reader->room);
    *reader = (struct run_reader){.is_at_end = true};
}

enum status run_store_verify(struct byte_store store,
                             uint64_t offset,
                             uint64_t bytes,
                             struct error *reterr_error)
{
    struct run_reader reader;
    struct record record;
    bool has = true;
    enum status status = OK;

    run_reader_open(&reader, store, offset, bytes);
    while (status == OK && has)
        status = reader.cursor.next(&reader.cursor, &record, &has, reterr_error);
    run_reader_close(&reader);
    return status;
}

enum status run_segment_verify(struct slice segment, struct error *reterr_error)
{
    return run_store_verify((struct byte_store){.memory = segment}, 0, segment.length,
                            reterr_error);
}
