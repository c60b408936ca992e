/*
 * segment_read.c - reads segments, and decides what a frame that is not good means.
 */
#include <string.h>

#include "lib/base/check.h"
#include "lib/base/crc32c.h"
#include "lib/base/mem.h"
#include "lib/base/varint.h"
#include "lib/journal/segment.h"
#include "lib/os/file.h"

enum {
    WINDOW_BYTES = 1 << 20,
    PIECE_BYTES = 512 /* a disk writes this much or nothing of it */
};

/* Reads the file through a window, so that small frames cost no call each. */
struct segment_reader {
    struct file *file;
    uint64_t length;
    uint8_t *window;
    size_t window_size;
    uint64_t window_offset;
    size_t window_length;
    uint8_t id[SEGMENT_ID_BYTES];
};

struct segment_frame {
    uint32_t length; /* of the payload */
    uint64_t sequence;
    uint64_t synced_sequence;
    uint32_t previous;
    uint32_t payload_checksum;
    uint32_t checksum;
};

enum frame_state {
    FRAME_GOOD,
    FRAME_SHORT,      /* the file ends before it does */
    FRAME_BAD_HEADER, /* its length is not to be trusted */
    FRAME_BAD_PAYLOAD
};

/* Borrows [offset, offset + bytes), which lies in the file, until the next call. */
static enum status look_at(struct segment_reader *reader,
                           uint64_t offset,
                           size_t bytes,
                           const uint8_t **ret_data,
                           struct error *reterr_error)
{
    CHECK(offset + bytes <= reader->length);
    bool is_inside = offset >= reader->window_offset &&
                     offset + bytes <= reader->window_offset + reader->window_length;
    if (!is_inside) {
        if (bytes > reader->window_size) {
            uint8_t *larger = mem_try_grow(reader->window, bytes, 1);
            if (larger == NULL)
                return error_set(reterr_error, ERR_NO_MEMORY, "read %s", file_path(reader->file));
            reader->window = larger;
            reader->window_size = bytes;
        }
        uint64_t rest = reader->length - offset;
        size_t wanted = rest < reader->window_size ? (size_t)rest : reader->window_size;
        reader->window_length = 0;
        enum status status =
            file_read_exactly(reader->file, offset, reader->window, wanted, reterr_error);
        if (status != OK)
            return status;
        reader->window_offset = offset;
        reader->window_length = wanted;
    }
    *ret_data = reader->window + (offset - reader->window_offset);
    return OK;
}

static enum status corrupt(const struct segment_reader *reader,
                           uint64_t offset,
                           const char *why,
                           struct error *reterr_error)
{
    return error_set(reterr_error, ERR_CORRUPT,
                     "journal %s is damaged at offset %llu: %s; nothing was changed",
                     file_path(reader->file), (unsigned long long)offset, why);
}

static enum status read_header(struct segment_reader *reader,
                               uint64_t generation,
                               struct segment_header *header,
                               uint32_t *ret_checksum,
                               struct error *reterr_error)
{
    if (reader->length < SEGMENT_HEADER_BYTES)
        return corrupt(reader, reader->length, "the header is cut", reterr_error);
    const uint8_t *bytes = NULL;
    enum status status = look_at(reader, 0, SEGMENT_HEADER_BYTES, &bytes, reterr_error);
    if (status != OK)
        return status;
    uint32_t checksum = fixed_get_u32(bytes + 60);
    if (memcmp(bytes, "MRJRNL1", 8) != 0 ||
        checksum != crc32c_update(0, bytes, SEGMENT_HEADER_BYTES - 4))
        return corrupt(reader, 0, "the header's checksum is wrong", reterr_error);
    uint32_t version = fixed_get_u32(bytes + 8);
    if (version != SEGMENT_VERSION)
        return error_set(reterr_error, ERR_UNSUPPORTED,
                         "journal %s has version %u, this program reads version %d",
                         file_path(reader->file), version, SEGMENT_VERSION);
    memcpy(header->id, bytes + 16, SEGMENT_ID_BYTES);
    memcpy(reader->id, header->id, SEGMENT_ID_BYTES);
    header->generation = fixed_get_u64(bytes + 32);
    header->first_sequence = fixed_get_u64(bytes + 40);
    header->snapshot_bytes = fixed_get_u64(bytes + 48);
    if (header->generation != generation)
        return corrupt(reader, 32, "the generation is not the one of the name", reterr_error);
    if (header->snapshot_bytes > reader->length - SEGMENT_HEADER_BYTES)
        return corrupt(reader, reader->length, "the snapshot is cut", reterr_error);
    *ret_checksum = checksum;
    return OK;
}

/* True when bytes are the header of a frame of this journal. */
static bool decode_frame(const struct segment_reader *reader,
                         const uint8_t *bytes,
                         struct segment_frame *frame)
{
    if (memcmp(bytes, "MRF1", 4) != 0)
        return false;
    frame->checksum = fixed_get_u32(bytes + 32);
    uint32_t checksum = crc32c_update(0, reader->id, SEGMENT_ID_BYTES);
    if (frame->checksum != crc32c_update(checksum, bytes, SEGMENT_FRAME_BYTES - 4))
        return false;
    frame->length = fixed_get_u32(bytes + 4);
    frame->sequence = fixed_get_u64(bytes + 8);
    frame->synced_sequence = fixed_get_u64(bytes + 16);
    frame->previous = fixed_get_u32(bytes + 24);
    frame->payload_checksum = fixed_get_u32(bytes + 28);
    return frame->length >= 1 && frame->length <= JOURNAL_BATCH_BYTES_MAX;
}

/* Looks at the frame at offset; GOOD: *ret_payload is borrowed until the next look. */
static enum status examine_frame(struct segment_reader *reader,
                                 uint64_t offset,
                                 enum frame_state *ret_state,
                                 struct segment_frame *frame,
                                 const uint8_t **ret_payload,
                                 struct error *reterr_error)
{
    const uint8_t *bytes = NULL;
    *ret_state = FRAME_SHORT;
    if (reader->length - offset < SEGMENT_FRAME_BYTES)
        return OK;
    enum status status = look_at(reader, offset, SEGMENT_FRAME_BYTES, &bytes, reterr_error);
    if (status != OK)
        return status;
    *ret_state = FRAME_BAD_HEADER;
    if (!decode_frame(reader, bytes, frame))
        return OK;
    *ret_state = FRAME_SHORT;
    if (reader->length - offset - SEGMENT_FRAME_BYTES < frame->length)
        return OK;
    status =
        look_at(reader, offset + SEGMENT_FRAME_BYTES, frame->length, ret_payload, reterr_error);
    if (status != OK)
        return status;
    bool is_good = crc32c_update(0, *ret_payload, frame->length) == frame->payload_checksum;
    *ret_state = is_good ? FRAME_GOOD : FRAME_BAD_PAYLOAD;
    return OK;
}

/* True when [from, to) holds nothing but zeros. */
static enum status is_zero(struct segment_reader *reader,
                           uint64_t from,
                           uint64_t to,
                           bool *ret_zero,
                           struct error *reterr_error)
{
    *ret_zero = true;
    while (from < to && *ret_zero) {
        size_t bytes = to - from < PIECE_BYTES ? (size_t)(to - from) : PIECE_BYTES;
        const uint8_t *data = NULL;
        enum status status = look_at(reader, from, bytes, &data, reterr_error);
        if (status != OK)
            return status;
        for (size_t i = 0; i < bytes; i++)
            *ret_zero = *ret_zero && data[i] == 0;
        from += bytes;
    }
    return OK;
}

/* True when a whole piece of [from, to) is zero: a sector that never arrived. */
static enum status has_zero_piece(struct segment_reader *reader,
                                  uint64_t from,
                                  uint64_t to,
                                  bool *ret_found,
                                  struct error *reterr_error)
{
    *ret_found = false;
    while (from < to && !*ret_found) {
        uint64_t next = (from / PIECE_BYTES + 1) * PIECE_BYTES;
        uint64_t end = next < to ? next : to;
        enum status status = is_zero(reader, from, end, ret_found, reterr_error);
        if (status != OK)
            return status;
        from = end;
    }
    return OK;
}

/* True when a frame header after offset says that the batch with this sequence was synced. */
static enum status is_vouched_for(struct segment_reader *reader,
                                  uint64_t offset,
                                  uint64_t sequence,
                                  bool *ret_vouched,
                                  struct error *reterr_error)
{
    *ret_vouched = false;
    for (uint64_t at = offset + 1; at + SEGMENT_FRAME_BYTES <= reader->length; at++) {
        const uint8_t *bytes = NULL;
        enum status status = look_at(reader, at, SEGMENT_FRAME_BYTES, &bytes, reterr_error);
        if (status != OK)
            return status;
        struct segment_frame frame;
        if (bytes[0] == 'M' && decode_frame(reader, bytes, &frame) &&
            frame.synced_sequence >= sequence) {
            *ret_vouched = true;
            return OK;
        }
    }
    return OK;
}

/* The rules of docs/formats/journal.md, "Opening": OK when what starts at offset is a torn tail. */
static enum status judge_tail(struct segment_reader *reader,
                              uint64_t offset,
                              enum frame_state state,
                              const struct segment_frame *frame,
                              uint64_t sequence,
                              struct error *reterr_error)
{
    bool answer = false;
    enum status status = is_zero(reader, offset, reader->length, &answer, reterr_error);
    if (status != OK || answer)
        return status;
    status = is_vouched_for(reader, offset, sequence, &answer, reterr_error);
    if (status != OK)
        return status;
    if (answer)
        return corrupt(reader, offset, "a later batch says this one was synced", reterr_error);
    if (state == FRAME_SHORT)
        return OK;
    uint64_t end =
        state == FRAME_BAD_PAYLOAD ? offset + SEGMENT_FRAME_BYTES + frame->length : reader->length;
    status = has_zero_piece(reader, offset, end, &answer, reterr_error);
    if (status != OK || answer)
        return status;
    return corrupt(reader, offset, "the batch was written whole and changed later", reterr_error);
}

static enum status replay_payload(struct segment_reader *reader,
                                  uint64_t offset,
                                  struct slice payload,
                                  journal_replay *replay,
                                  void *user,
                                  struct segment_content *content,
                                  struct error *reterr_error)
{
    while (payload.length > 0) {
        struct journal_record record;
        if (varint_take_slice(&payload, &record.type) != OK ||
            varint_take_slice(&payload, &record.bytes) != OK || record.type.length == 0 ||
            record.type.length > JOURNAL_TYPE_BYTES_MAX)
            return corrupt(reader, offset, "the batch holds no records", reterr_error);
        enum status status = replay(user, &record, reterr_error);
        if (status != OK)
            return error_prefix(reterr_error, status, "replay %s at offset %llu",
                                file_path(reader->file), (unsigned long long)offset);
        content->records++;
    }
    content->batches++;
    return OK;
}

static enum status read_frames(struct segment_reader *reader,
                               journal_replay *replay,
                               void *user,
                               struct segment_content *content,
                               struct error *reterr_error)
{
    uint64_t snapshot_end = SEGMENT_HEADER_BYTES + content->header.snapshot_bytes;
    struct segment_end *end = &content->end;
    while (end->offset < reader->length) {
        enum frame_state state = FRAME_SHORT;
        struct segment_frame frame = {.length = 0};
        const uint8_t *payload = NULL;
        uint64_t offset = end->offset;
        enum status status = examine_frame(reader, offset, &state, &frame, &payload, reterr_error);
        if (status != OK)
            return status;
        bool is_snapshot = offset < snapshot_end;
        if (state != FRAME_GOOD && is_snapshot)
            return corrupt(reader, offset, "the snapshot had been synced", reterr_error);
        if (state != FRAME_GOOD)
            return judge_tail(reader, offset, state, &frame, end->sequence + 1, reterr_error);
        if (frame.sequence != end->sequence + 1 || frame.previous != end->chain)
            return corrupt(reader, offset, "the batch is not the one that follows", reterr_error);
        uint64_t next = offset + SEGMENT_FRAME_BYTES + frame.length;
        if (is_snapshot && next > snapshot_end)
            return corrupt(reader, offset, "the batch reaches over the snapshot", reterr_error);
        status = replay_payload(reader, offset, slice_make(payload, frame.length), replay, user,
                                content, reterr_error);
        if (status != OK)
            return status;
        *end = (struct segment_end){
            .offset = next, .sequence = frame.sequence, .chain = frame.checksum};
    }
    return OK;
}

enum status segment_read(struct file *file,
                         uint64_t generation,
                         journal_replay *replay,
                         void *user,
                         struct segment_content *ret_content,
                         struct error *reterr_error)
{
    struct segment_reader reader = {.file = file, .window_size = WINDOW_BYTES};
    struct segment_content content = {.batches = 0};
    enum status status = file_length(file, &reader.length, reterr_error);
    if (status != OK)
        return status;
    reader.window = mem_new(WINDOW_BYTES);
    content.end.offset = SEGMENT_HEADER_BYTES;
    status = read_header(&reader, generation, &content.header, &content.end.chain, reterr_error);
    if (status == OK) {
        content.end.sequence = content.header.first_sequence - 1;
        content.file_bytes = reader.length;
        status = read_frames(&reader, replay, user, &content, reterr_error);
    }
    mem_free(reader.window);
    if (status == OK)
        *ret_content = content;
    return status;
}
