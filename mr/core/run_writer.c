/*
 * run_writer.c - writes a run front to back; never holds more than one chunk and the index.
 */
#include "mr/core/run.h"

#include "lib/base/check.h"
#include "lib/base/crc32c.h"
#include "lib/base/varint.h"

static const char run_trailer_magic[8] = {'M', 'R', 'R', 'U', 'N', 'E', 'N', 'D'};

static enum status send(struct run_writer *writer, struct slice bytes, struct error *reterr_error)
{
    enum status status = writer->sink.append(writer->sink.user, bytes, reterr_error);
    if (status == OK)
        writer->offset += bytes.length;
    return status;
}

static enum status no_memory(enum status status, struct error *reterr_error)
{
    return error_set(reterr_error, status, "write a run: %s", status_sentence(status));
}

enum status run_writer_open(struct run_writer *writer,
                            struct byte_sink sink,
                            struct error *reterr_error)
{
    *writer = (struct run_writer){.sink = sink};
    return send(writer, slice_make(RUN_MAGIC, RUN_MAGIC_BYTES), reterr_error);
}

static enum status flush_chunk(struct run_writer *writer, struct error *reterr_error)
{
    uint8_t *data = writer->chunk.data;
    size_t payload;
    uint32_t crc;
    enum status status;

    if (writer->chunk.length == 0)
        return OK;
    payload = writer->chunk.length - RUN_CHUNK_HEAD_BYTES;
    fixed_put_u32(data, (uint32_t)payload);
    fixed_put_u32(data + 4, (uint32_t)payload);
    crc = crc32c_update(0, data, 8);
    crc = crc32c_update(crc, data + RUN_CHUNK_HEAD_BYTES, payload);
    fixed_put_u32(data + 8, crc);
    status = send(writer, buf_slice(&writer->chunk), reterr_error);
    buf_clear(&writer->chunk);
    return status;
}

enum status run_writer_add(struct run_writer *writer,
                           struct record record,
                           struct error *reterr_error)
{
    static const uint8_t head[RUN_CHUNK_HEAD_BYTES];
    size_t bytes = record.key.length + record.value.length;
    size_t needed = bytes + 2 * VARINT_BYTES_MAX + RUN_CHUNK_HEAD_BYTES;
    uint8_t *end;
    enum status status;

    CHECK(bytes <= RECORD_BYTES_MAX);
    if (writer->chunk.length > 0 && writer->chunk.length + needed > RUN_CHUNK_BYTES) {
        status = flush_chunk(writer, reterr_error);
        if (status != OK)
            return status;
    }
    if (writer->segment_offset == 0)
        writer->segment_offset = writer->offset;
    status = buf_reserve(&writer->chunk, needed);
    if (status == OK && writer->chunk.length == 0)
        status = buf_append(&writer->chunk, head, sizeof(head));
    if (status != OK)
        return no_memory(status, reterr_error);
    end = writer->chunk.data + writer->chunk.length;
    end += varint_put_u64(end, record.key.length);
    end += varint_put_u64(end, record.value.length);
    if (record.key.length > 0)
        memcpy(end, record.key.data, record.key.length);
    end += record.key.length;
    if (record.value.length > 0)
        memcpy(end, record.value.data, record.value.length);
    end += record.value.length;
    *end = 0; /* what struct buf promises; the room is there */
    writer->chunk.length = (size_t)(end - writer->chunk.data);
    writer->records++;
    return OK;
}

enum status run_writer_end_partition(struct run_writer *writer,
                                     struct run_segment *ret_segment,
                                     struct error *reterr_error)
{
    struct run_segment segment = {.offset = writer->offset, .records = writer->records};
    uint8_t end[RUN_END_BYTES] = {0};
    enum status status;

    if (writer->records > 0) {
        segment.offset = writer->segment_offset;
        status = flush_chunk(writer, reterr_error);
        if (status != OK)
            return status;
        fixed_put_u64(end + RUN_CHUNK_HEAD_BYTES, writer->records);
        fixed_put_u32(end + 8,
                      crc32c_update(crc32c_update(0, end, 8), end + RUN_CHUNK_HEAD_BYTES, 8));
        status = send(writer, slice_make(end, sizeof(end)), reterr_error);
        if (status != OK)
            return status;
    }
    segment.bytes = writer->offset - segment.offset;
    status = fixed_append_u64(&writer->index, segment.offset);
    if (status == OK)
        status = fixed_append_u64(&writer->index, segment.bytes);
    if (status == OK)
        status = fixed_append_u64(&writer->index, segment.records);
    if (status != OK)
        return no_memory(status, reterr_error);
    writer->records_total += writer->records;
    writer->records = 0;
    writer->segment_offset = 0;
    writer->partitions++;
    if (ret_segment != NULL)
        *ret_segment = segment;
    return OK;
}

enum status run_writer_finish(struct run_writer *writer, struct error *reterr_error)
{
    uint8_t trailer[RUN_TRAILER_BYTES];
    uint32_t crc;
    enum status status;

    CHECK(writer->records == 0);
    fixed_put_u64(trailer, writer->offset);
    fixed_put_u32(trailer + 8, writer->partitions);
    crc = crc32c_update(0, writer->index.data, writer->index.length);
    crc = crc32c_update(crc, trailer, 12);
    fixed_put_u32(trailer + 12, crc);
    memcpy(trailer + 16, run_trailer_magic, sizeof(run_trailer_magic));
    status = writer->index.length == 0 ? OK : send(writer, buf_slice(&writer->index), reterr_error);
    if (status == OK)
        status = send(writer, slice_make(trailer, sizeof(trailer)), reterr_error);
    return status;
}

void run_writer_close(struct run_writer *writer)
{
    buf_close(&writer->chunk);
    buf_close(&writer->index);
}
