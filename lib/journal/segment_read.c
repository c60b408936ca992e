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

#ifndef SEGMENT_WINDOW_BYTES /* the fuzz targets want a small one: their files are small, too */
# define SEGMENT_WINDOW_BYTES (1 << 20)
#endif

enum {
    WINDOW_BYTES = SEGMENT_WINDOW_BYTES,
    SEARCH_BYTES = 4096,
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
    uint64_t good_batches;
    uint64_t good_sequence;
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

/* The offset and what a person can do; what is good before it, the caller of the family says. */
static enum status corrupt(const struct segment_reader *reader,
                           uint64_t offset,
                           const char *why,
                           struct error *reterr_error)
{
    return error_set(reterr_error, ERR_CORRUPT,
                     "journal %s is damaged at offset %llu: %s; before it %llu batches are good, "
                     "the last is batch %llu; nothing was changed",
                     file_path(reader->file), (unsigned long long)offset, why,
                     (unsigned long long)reader->good_batches,
                     (unsigned long long)reader->good_sequence);
}

static enum status decode_header(struct segment_reader *reader,
                                 const uint8_t *bytes,
                                 struct segment_header *header,
                                 struct error *reterr_error)
{
    if (memcmp(bytes, "MRJRNL1", 8) != 0 ||
        fixed_get_u32(bytes + 60) != crc32c_update(0, bytes, SEGMENT_HEADER_BYTES - 4))
        return corrupt(reader, 0, "the header's checksum is wrong", reterr_error);
    header->version = fixed_get_u32(bytes + 8);
    if (header->version != SEGMENT_VERSION && header->version != SEGMENT_VERSION_OLD)
        return error_set(reterr_error, ERR_UNSUPPORTED,
                         "journal %s has version %u, this program reads versions %d to %d",
                         file_path(reader->file), header->version, SEGMENT_VERSION_OLD,
                         SEGMENT_VERSION);
    uint32_t kind = fixed_get_u32(bytes + 12);
    if (kind >= SEGMENT_KIND_COUNT)
        return error_set(reterr_error, ERR_UNSUPPORTED,
                         "journal %s is of kind %u, which this program does not know",
                         file_path(reader->file), kind);
    header->kind = (enum segment_kind)kind;
    memcpy(header->id, bytes + 16, SEGMENT_ID_BYTES);
    memcpy(reader->id, header->id, SEGMENT_ID_BYTES);
    header->generation = fixed_get_u64(bytes + 32);
    header->first_sequence = fixed_get_u64(bytes + 40);
    header->content_bytes = fixed_get_u64(bytes + 48);
    header->previous = fixed_get_u32(bytes + 56);
    return OK;
}

static enum status read_header(struct segment_reader *reader,
                               const struct segment_reading *reading,
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
    *ret_checksum = fixed_get_u32(bytes + 60);
    status = decode_header(reader, bytes, header, reterr_error);
    if (status != OK)
        return status;
    if (reading->kind != SEGMENT_KIND_COUNT && header->kind != reading->kind)
        return corrupt(reader, 12, "the kind is not the one of the name", reterr_error);
    if (reading->generation != 0 && header->generation != reading->generation)
        return corrupt(reader, 32, "the generation is not the one of the name", reterr_error);
    if (header->first_sequence == 0)
        return corrupt(reader, 40, "no batch has number 0", reterr_error);
    uint64_t room = reader->length - SEGMENT_HEADER_BYTES;
    if (header->content_bytes > room)
        return corrupt(reader, reader->length, "the snapshot is cut", reterr_error);
    if (header->kind == SEGMENT_CHECKPOINT && header->content_bytes < room)
        return corrupt(reader, SEGMENT_HEADER_BYTES + header->content_bytes,
                       "the checkpoint should end here", reterr_error);
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

/*
 * True when a frame header after offset says that the batch with this sequence was synced. Looks
 * for the first letter of a frame piece by piece: behind a torn tail there may be megabytes of
 * zeros.
 */
static enum status is_vouched_for(struct segment_reader *reader,
                                  uint64_t offset,
                                  uint64_t sequence,
                                  bool *ret_vouched,
                                  struct error *reterr_error)
{
    *ret_vouched = false;
    uint64_t at = offset + 1;
    while (at + SEGMENT_FRAME_BYTES <= reader->length) {
        uint64_t rest = reader->length - SEGMENT_FRAME_BYTES - at + 1; /* places for a header */
        size_t bytes = rest < SEARCH_BYTES ? (size_t)rest : SEARCH_BYTES;
        const uint8_t *data = NULL;
        enum status status = look_at(reader, at, bytes, &data, reterr_error);
        if (status != OK)
            return status;
        const uint8_t *found = memchr(data, 'M', bytes);
        if (found == NULL) {
            at += bytes;
            continue;
        }
        at += (uint64_t)(found - data);
        status = look_at(reader, at, SEGMENT_FRAME_BYTES, &data, reterr_error);
        if (status != OK)
            return status;
        struct segment_frame frame;
        if (decode_frame(reader, data, &frame) && frame.synced_sequence >= sequence) {
            *ret_vouched = true;
            return OK;
        }
        at++;
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

static enum status visit_payload(struct segment_reader *reader,
                                 const struct segment_reading *reading,
                                 struct segment_place place,
                                 struct slice payload,
                                 struct segment_content *content,
                                 struct error *reterr_error)
{
    while (payload.length > 0) {
        struct journal_record record;
        if (varint_take_slice(&payload, &record.type) != OK ||
            varint_take_slice(&payload, &record.bytes) != OK || record.type.length == 0 ||
            record.type.length > JOURNAL_TYPE_BYTES_MAX)
            return corrupt(reader, place.offset, "the batch holds no records", reterr_error);
        enum status status = reading->visit == NULL
                                 ? OK
                                 : reading->visit(reading->user, &place, &record, reterr_error);
        if (status != OK)
            return error_prefix(reterr_error, status, "replay %s at offset %llu, batch %llu",
                                file_path(reader->file), (unsigned long long)place.offset,
                                (unsigned long long)place.sequence);
        place.index++;
        content->records++;
    }
    content->batches++;
    return OK;
}

/* What it means that no good frame is at offset; OK: the log ends here. */
static enum status judge(struct segment_reader *reader,
                         const struct segment_reading *reading,
                         bool is_snapshot,
                         enum frame_state state,
                         const struct segment_frame *frame,
                         const struct segment_end *end,
                         struct error *reterr_error)
{
    if (is_snapshot)
        return corrupt(reader, end->offset, "the snapshot had been synced", reterr_error);
    if (reading->is_last)
        return judge_tail(reader, end->offset, state, frame, end->sequence + 1, reterr_error);
    bool is_room = false; /* reserved and never used */
    enum status status = is_zero(reader, end->offset, reader->length, &is_room, reterr_error);
    if (status == OK && !is_room)
        return corrupt(reader, end->offset, "a later segment says that all of this was synced",
                       reterr_error);
    return status;
}

static void probe(const struct segment_reading *reading, struct segment_content *content)
{
    if (content->end.sequence != reading->probe_sequence)
        return;
    content->was_probed = true;
    content->probe_chain = content->end.chain;
}

static enum status read_frames(struct segment_reader *reader,
                               const struct segment_reading *reading,
                               struct segment_content *content,
                               struct error *reterr_error)
{
    uint64_t snapshot_end = SEGMENT_HEADER_BYTES + content->header.content_bytes;
    struct segment_end *end = &content->end;
    while (end->offset < reader->length) {
        enum frame_state state = FRAME_SHORT;
        struct segment_frame frame = {.length = 0};
        const uint8_t *payload = NULL;
        struct segment_place place = {.offset = end->offset, .sequence = end->sequence + 1};
        enum status status =
            examine_frame(reader, place.offset, &state, &frame, &payload, reterr_error);
        if (status != OK)
            return status;
        bool is_snapshot = place.offset < snapshot_end;
        if (state != FRAME_GOOD) {
            status = judge(reader, reading, is_snapshot, state, &frame, end, reterr_error);
            return status != OK ? status
                                : is_zero(reader, end->offset, reader->length, &content->is_room,
                                          reterr_error);
        }
        if (frame.sequence != place.sequence || frame.previous != end->chain)
            return corrupt(reader, place.offset, "the batch is not the one that follows",
                           reterr_error);
        uint64_t next = place.offset + SEGMENT_FRAME_BYTES + frame.length;
        if (is_snapshot && next > snapshot_end)
            return corrupt(reader, place.offset, "the batch reaches over the snapshot",
                           reterr_error);
        status = visit_payload(reader, reading, place, slice_make(payload, frame.length), content,
                               reterr_error);
        if (status != OK)
            return status;
        *end = (struct segment_end){
            .offset = next, .sequence = frame.sequence, .chain = frame.checksum};
        reader->good_batches = content->batches;
        reader->good_sequence = frame.sequence;
        probe(reading, content);
    }
    return OK;
}

enum status segment_read(struct file *file,
                         const struct segment_reading *reading,
                         struct segment_content *ret_content,
                         struct error *reterr_error)
{
    struct segment_reader reader = {.file = file, .window_size = WINDOW_BYTES};
    struct segment_content *content = ret_content;
    uint32_t checksum = 0;
    *content = (struct segment_content){.batches = 0};
    enum status status = file_length(file, &reader.length, reterr_error);
    if (status != OK)
        return status;
    reader.window = mem_new(WINDOW_BYTES);
    status = read_header(&reader, reading, &content->header, &checksum, reterr_error);
    if (status == OK) {
        const struct segment_header *header = &content->header;
        content->end = segment_start(header, checksum);
        content->file_bytes = reader.length;
        reader.good_sequence = content->end.sequence;
        probe(reading, content);
        if (!reading->is_header_only)
            status = read_frames(&reader, reading, content, reterr_error);
    }
    mem_free(reader.window);
    return status;
}
