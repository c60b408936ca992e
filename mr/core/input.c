/*
 * input.c - whole-record runs out of windows of a file. Records that lie inside a window are lent
 * where they stand; only one that lies across two is copied.
 */
#include "mr/core/input.h"

#include <string.h>

#include "lib/base/check.h"

void input_reader_open(struct input_reader *reader,
                       struct byte_source source,
                       struct input_split split,
                       uint32_t record_bytes)
{
    uint64_t end =
        split.length > UINT64_MAX - split.offset ? UINT64_MAX : split.offset + split.length;
    *reader = (struct input_reader){
        .source = source,
        .position = split.offset,
        .end = end < source.length ? end : source.length,
        .record_bytes = record_bytes,
        .window_bytes = INPUT_WINDOW_BYTES,
        .record_bytes_max = INPUT_RECORD_BYTES_MAX,
    };
}

void input_reader_close(struct input_reader *reader)
{
    buf_close(&reader->carry);
}

static enum status read_window(struct input_reader *reader,
                               uint64_t offset,
                               struct slice *ret_window,
                               struct error *reterr_error)
{
    uint64_t left = reader->source.length - offset;
    size_t length = left < reader->window_bytes ? (size_t)left : reader->window_bytes;
    enum status status =
        reader->source.read(reader->source.user, offset, length, ret_window, reterr_error);
    if (status == OK)
        CHECK(ret_window->length > 0 && ret_window->length <= length);
    return status;
}

/* Moves from the split's first byte to the first line that begins in the split (INPUT-1). */
static enum status align_line(struct input_reader *reader, struct error *reterr_error)
{
    uint64_t at = reader->position - 1;
    /* A line that begins before end has its LF before end - 1. */
    while (at + 1 < reader->end) {
        struct slice window;
        size_t found;
        enum status status = read_window(reader, at, &window, reterr_error);
        if (status != OK)
            return status;
        found = slice_find(window, '\n');
        at += found;
        if (found < window.length)
            break;
    }
    reader->position = at + 1;
    return OK;
}

static enum status align(struct input_reader *reader, struct error *reterr_error)
{
    reader->is_aligned = true;
    if (reader->record_bytes > 0) {
        uint64_t over = reader->position % reader->record_bytes;
        if (over > 0)
            reader->position += reader->record_bytes - over;
        return OK;
    }
    if (reader->position == 0 || reader->position >= reader->end)
        return OK;
    return align_line(reader, reterr_error);
}

/* Index behind the last LF of the first length bytes; 0 when there is none. */
static size_t behind_last_line(const uint8_t *data, size_t length)
{
    while (length > 0 && data[length - 1] != '\n')
        length--;
    return length;
}

/* How many bytes of window, which begins at the position, are whole records of this split. */
static size_t whole_bytes(const struct input_reader *reader, struct slice window)
{
    uint64_t owned = reader->end - reader->position; /* records beginning in these bytes are ours */
    bool is_file_end = reader->position + window.length == reader->source.length;
    const uint8_t *line_end;

    if (reader->record_bytes > 0) {
        uint64_t records = (owned + reader->record_bytes - 1) / reader->record_bytes;
        uint64_t fit = window.length / reader->record_bytes;
        return (size_t)((records < fit ? records : fit) * reader->record_bytes);
    }
    if (owned > window.length)
        return is_file_end ? window.length : behind_last_line(window.data, window.length);
    /* The line that holds the split's last byte is the last that begins in it. */
    line_end = memchr(window.data + owned - 1, '\n', window.length - (size_t)owned + 1);
    if (line_end != NULL)
        return (size_t)(line_end - window.data) + 1;
    return is_file_end ? window.length : behind_last_line(window.data, (size_t)owned);
}

/* Bytes of more that still belong to the record in carry; *ret_is_whole: it ends there. */
static size_t record_part(const struct input_reader *reader, struct slice more, bool *ret_is_whole)
{
    size_t part;
    if (reader->record_bytes > 0) {
        size_t missing = reader->record_bytes - reader->carry.length;
        *ret_is_whole = missing <= more.length;
        return *ret_is_whole ? missing : more.length;
    }
    part = slice_find(more, '\n');
    *ret_is_whole = part < more.length;
    return part + *ret_is_whole;
}

/* Gathers the one record at the position, which no window holds whole. */
static enum status gather(struct input_reader *reader, struct error *reterr_error)
{
    bool is_whole = false;
    buf_clear(&reader->carry);
    while (!is_whole) {
        uint64_t offset = reader->position + reader->carry.length;
        struct slice window;
        size_t part;
        enum status status;

        if (offset == reader->source.length) {
            if (reader->record_bytes == 0)
                return OK; /* the last line has no line end */
            return error_set(reterr_error, ERR_CORRUPT,
                             "the file ends inside the record of %u bytes at byte %llu",
                             reader->record_bytes, (unsigned long long)reader->position);
        }
        status = read_window(reader, offset, &window, reterr_error);
        if (status != OK)
            return status;
        part = record_part(reader, window, &is_whole);
        if (reader->carry.length + part > reader->record_bytes_max)
            return error_set(reterr_error, ERR_LIMIT,
                             "the line at byte %llu is longer than %u bytes",
                             (unsigned long long)reader->position, reader->record_bytes_max);
        status = buf_append(&reader->carry, window.data, part);
        if (status != OK)
            return error_set(reterr_error, status, "a record of %zu bytes", part);
    }
    return OK;
}

enum status input_reader_next(struct input_reader *reader,
                              struct slice *ret_run,
                              uint64_t *ret_offset,
                              bool *ret_has,
                              struct error *reterr_error)
{
    struct slice window;
    size_t whole;
    enum status status = OK;

    *ret_has = false;
    if (!reader->is_aligned)
        status = align(reader, reterr_error);
    if (status != OK || reader->position >= reader->end)
        return status;
    status = read_window(reader, reader->position, &window, reterr_error);
    if (status != OK)
        return status;
    whole = whole_bytes(reader, window);
    if (whole > 0) {
        *ret_run = slice_sub(window, 0, whole);
    } else {
        status = gather(reader, reterr_error);
        if (status != OK)
            return status;
        *ret_run = buf_slice(&reader->carry);
    }
    *ret_offset = reader->position;
    reader->position += ret_run->length;
    *ret_has = true;
    return OK;
}

struct slice input_take_line(struct slice *rest)
{
    const uint8_t *line_end = memchr(rest->data, '\n', rest->length);
    struct slice line = *rest;
    if (line_end == NULL) {
        rest->data += rest->length;
        rest->length = 0;
        return line;
    }
    line.length = (size_t)(line_end - rest->data);
    rest->data += line.length + 1;
    rest->length -= line.length + 1;
    if (line.length > 0 && line.data[line.length - 1] == '\r')
        line.length--;
    return line;
}
