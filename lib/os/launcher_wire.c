/*
 * launcher_wire.c - frames to bytes and back.
 */
#include "lib/os/launcher_wire.h"

#include <string.h>

#include "lib/base/check.h"
#include "lib/base/varint.h"

enum {
    FLAG_SESSION = 1,
    FLAG_CORE_DUMPS = 2,
    HEADER_BYTES = 4
};

/* Collects the first failure, so that a frame reads as a list of its fields. */
struct writer {
    struct buf *buf;
    enum status status;
};

static void put_number(struct writer *writer, uint64_t value)
{
    if (writer->status == OK)
        writer->status = varint_append_u64(writer->buf, value);
}

static void put_text(struct writer *writer, struct slice text)
{
    if (writer->status == OK)
        writer->status = varint_append_slice(writer->buf, text);
}

static void put_list(struct writer *writer, const char *const *list)
{
    uint64_t count = 0;
    while (list[count] != NULL)
        count++;
    put_number(writer, count);
    for (uint64_t i = 0; i < count; i++)
        put_text(writer, slice_from_string(list[i]));
}

static void put_spec(struct writer *writer, const struct process_spec *spec)
{
    put_number(writer, (spec->own_session ? FLAG_SESSION : 0u) |
                           (spec->limits.core_dumps ? FLAG_CORE_DUMPS : 0u));
    put_number(writer, spec->limits.address_space_bytes);
    put_number(writer, spec->limits.open_files);
    put_number(writer, spec->limits.cpu_seconds);
    put_number(writer, spec->limits.file_bytes);
    put_text(writer, slice_from_string(spec->directory));
    put_text(writer, slice_from_string(spec->stdin_path));
    put_text(writer, slice_from_string(spec->stdout_path));
    put_text(writer, slice_from_string(spec->stderr_path));
    put_list(writer, spec->arguments);
    put_number(writer, spec->group_files != NULL ? 1 : 0);
    if (spec->group_files != NULL)
        put_list(writer, spec->group_files);
    put_number(writer, spec->environment != NULL ? 1 : 0);
    if (spec->environment != NULL)
        put_list(writer, spec->environment);
}

enum status launcher_frame_append(struct buf *buf, const struct launcher_frame *frame)
{
    size_t start = buf->length;
    uint8_t header[HEADER_BYTES + 1] = {0, 0, 0, 0, (uint8_t)frame->kind};
    struct writer writer = {.buf = buf, .status = buf_append(buf, header, sizeof(header))};
    switch (frame->kind) {
    case LAUNCHER_LAUNCH:
        put_number(&writer, frame->request);
        put_number(&writer, frame->tag);
        put_spec(&writer, &frame->spec);
        break;
    case LAUNCHER_SIGNAL:
        put_number(&writer, frame->request);
        put_number(&writer, (uint64_t)frame->pid);
        put_number(&writer, (uint64_t)frame->signal);
        break;
    case LAUNCHER_ANSWER:
        put_number(&writer, frame->request);
        put_number(&writer, (uint64_t)frame->status);
        put_number(&writer, (uint64_t)frame->pid);
        put_text(&writer, frame->text);
        break;
    case LAUNCHER_ENDED:
        put_number(&writer, frame->tag);
        put_number(&writer, (uint64_t)frame->pid);
        put_number(&writer, frame->exit.by_signal ? 1 : 0);
        put_number(&writer, (uint64_t)frame->exit.code);
        break;
    }
    if (writer.status == OK)
        fixed_put_u32(buf->data + start, (uint32_t)(buf->length - start - HEADER_BYTES));
    else
        buf->length = start;
    return writer.status;
}

static uint64_t take_number(struct slice *body)
{
    uint64_t value = 0;
    CHECK(varint_take_u64(body, &value) == OK);
    return value;
}

static struct slice take_text(struct slice *body)
{
    struct slice text;
    CHECK(varint_take_slice(body, &text) == OK);
    return text;
}

static const char *take_string(struct slice *body, struct arena *arena)
{
    struct slice text = take_text(body);
    return text.length > 0 ? (const char *)arena_copy(arena, text).data : NULL;
}

static const char *const *take_list(struct slice *body, struct arena *arena)
{
    uint64_t count = take_number(body);
    CHECK(count <= body->length); /* each string takes a byte at least */
    const char **list = ARENA_ARRAY(arena, const char *, count + 1);
    for (uint64_t i = 0; i < count; i++)
        list[i] = (const char *)arena_copy(arena, take_text(body)).data;
    return list;
}

static void take_spec(struct slice *body, struct arena *arena, struct process_spec *spec)
{
    uint64_t flags = take_number(body);
    *spec = (struct process_spec){.own_group = true, .dies_with_parent = true};
    spec->own_session = (flags & FLAG_SESSION) != 0;
    spec->limits.core_dumps = (flags & FLAG_CORE_DUMPS) != 0;
    spec->limits.address_space_bytes = take_number(body);
    spec->limits.open_files = take_number(body);
    spec->limits.cpu_seconds = take_number(body);
    spec->limits.file_bytes = take_number(body);
    spec->directory = take_string(body, arena);
    spec->stdin_path = take_string(body, arena);
    spec->stdout_path = take_string(body, arena);
    spec->stderr_path = take_string(body, arena);
    spec->arguments = take_list(body, arena);
    if (take_number(body) != 0)
        spec->group_files = take_list(body, arena);
    if (take_number(body) != 0)
        spec->environment = take_list(body, arena);
}

void launcher_frame_take(struct slice *input,
                         struct arena *arena,
                         bool *ret_found,
                         struct launcher_frame *ret_frame)
{
    *ret_found = false;
    if (input->length < HEADER_BYTES)
        return;
    size_t length = fixed_get_u32(input->data);
    if (input->length - HEADER_BYTES < length)
        return;
    CHECK(length >= 1);
    struct slice body = slice_sub(*input, HEADER_BYTES + 1, length - 1);
    *ret_frame = (struct launcher_frame){.kind = (enum launcher_kind)input->data[HEADER_BYTES]};
    switch (ret_frame->kind) {
    case LAUNCHER_LAUNCH:
        ret_frame->request = take_number(&body);
        ret_frame->tag = take_number(&body);
        take_spec(&body, arena, &ret_frame->spec);
        break;
    case LAUNCHER_SIGNAL:
        ret_frame->request = take_number(&body);
        ret_frame->pid = (int64_t)take_number(&body);
        ret_frame->signal = (enum process_signal)take_number(&body);
        break;
    case LAUNCHER_ANSWER:
        ret_frame->request = take_number(&body);
        ret_frame->status = (enum status)take_number(&body);
        ret_frame->pid = (int64_t)take_number(&body);
        ret_frame->text = take_text(&body);
        break;
    case LAUNCHER_ENDED:
        ret_frame->tag = take_number(&body);
        ret_frame->pid = (int64_t)take_number(&body);
        ret_frame->exit.by_signal = take_number(&body) != 0;
        ret_frame->exit.code = (int)take_number(&body);
        break;
    }
    CHECK(body.length == 0);
    *input = slice_sub(*input, HEADER_BYTES + length, input->length - HEADER_BYTES - length);
    *ret_found = true;
}
