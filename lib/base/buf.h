/*
 * buf.h - an owned, growing run of bytes with a maximum.
 */
#ifndef MILLRACE_LIB_BASE_BUF_H
#define MILLRACE_LIB_BASE_BUF_H

#include "lib/base/slice.h"
#include "lib/base/status.h"

struct buf {
    uint8_t *data; /* NULL while capacity is 0; one NUL always follows the length bytes otherwise */
    size_t length;
    size_t capacity;
    size_t length_max; /* 0: no limit */
};

/* Starts empty; nothing is allocated. A zeroed struct buf is a valid buffer without limit. */
void buf_open(struct buf *buf, size_t length_max);
/* ERR_LIMIT beyond length_max, ERR_NO_MEMORY; the content is unchanged on failure. */
MUST_USE enum status buf_append(struct buf *buf, const void *data, size_t length);
MUST_USE enum status buf_append_slice(struct buf *buf, struct slice slice);
MUST_USE enum status buf_append_format(struct buf *buf, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
/* Makes room for extra bytes beyond length. */
MUST_USE enum status buf_reserve(struct buf *buf, size_t extra);
struct slice buf_slice(const struct buf *buf);
/* "" when nothing was ever appended. */
const char *buf_string(const struct buf *buf);
void buf_clear(struct buf *buf); /* keeps the room */
void buf_close(struct buf *buf); /* frees; the buffer is empty and usable again */

#endif
