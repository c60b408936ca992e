/*
 * buf.c - owned, growing bytes. Invariant: capacity is 0, or length < capacity and a NUL stands at
 * data[length].
 */
#include "lib/base/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/mem.h"

enum {
    BUF_CAPACITY_MIN = 64
};

void buf_open(struct buf *buf, size_t length_max)
{
    *buf = (struct buf){.length_max = length_max};
}

enum status buf_reserve(struct buf *buf, size_t extra)
{
    if (extra >= SIZE_MAX - buf->length)
        return ERR_LIMIT;
    size_t length = buf->length + extra;
    if (buf->length_max != 0 && length > buf->length_max)
        return ERR_LIMIT;
    if (length < buf->capacity)
        return OK;
    size_t capacity = buf->capacity < BUF_CAPACITY_MIN ? BUF_CAPACITY_MIN : buf->capacity;
    while (capacity <= length)
        capacity = capacity > SIZE_MAX / 2 ? SIZE_MAX : capacity * 2;
    if (buf->length_max != 0 && buf->length_max < SIZE_MAX && capacity > buf->length_max + 1)
        capacity = buf->length_max + 1;
    uint8_t *data = mem_try_grow(buf->data, capacity, 1);
    if (data == NULL)
        return ERR_NO_MEMORY;
    buf->data = data;
    buf->capacity = capacity;
    buf->data[buf->length] = '\0';
    return OK;
}

enum status buf_append(struct buf *buf, const void *data, size_t length)
{
    enum status status = buf_reserve(buf, length);
    if (status != OK)
        return status;
    if (length > 0)
        memcpy(buf->data + buf->length, data, length);
    buf->length += length;
    buf->data[buf->length] = '\0';
    return OK;
}

enum status buf_append_slice(struct buf *buf, struct slice slice)
{
    return buf_append(buf, slice.data, slice.length);
}

enum status buf_append_format(struct buf *buf, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    enum status status = length < 0 ? ERR_INVALID : buf_reserve(buf, (size_t)length);
    if (status == OK) {
        (void)vsnprintf((char *)buf->data + buf->length, (size_t)length + 1, format, again);
        buf->length += (size_t)length;
    }
    va_end(again);
    return status;
}

struct slice buf_slice(const struct buf *buf)
{
    return slice_make(buf->data, buf->length);
}

const char *buf_string(const struct buf *buf)
{
    return buf->data == NULL ? "" : (const char *)buf->data;
}

void buf_clear(struct buf *buf)
{
    buf->length = 0;
    if (buf->data != NULL)
        buf->data[0] = '\0';
}

void buf_close(struct buf *buf)
{
    mem_free(buf->data);
    buf->data = NULL;
    buf->length = 0;
    buf->capacity = 0;
}
