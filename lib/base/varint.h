/*
 * varint.h - numbers as bytes: LEB128 (7 bits a byte, low bits first), zigzag for signed numbers,
 * and fixed little-endian fields. Each number has exactly one encoding; decoders refuse the longer
 * ones.
 */
#ifndef MILLRACE_LIB_BASE_VARINT_H
#define MILLRACE_LIB_BASE_VARINT_H

#include "lib/base/buf.h"
#include "lib/base/slice.h"
#include "lib/base/status.h"

enum {
    VARINT_BYTES_MAX = 10
};

/* Writes 1..VARINT_BYTES_MAX bytes to data and returns how many. */
size_t varint_put_u64(uint8_t *data, uint64_t value);
size_t varint_put_i64(uint8_t *data, int64_t value);
/* How many bytes varint_put_u64 writes. */
size_t varint_length_u64(uint64_t value);
/* Appends to buf; fails as buf_append does. */
MUST_USE enum status varint_append_u64(struct buf *buf, uint64_t value);
MUST_USE enum status varint_append_i64(struct buf *buf, int64_t value);
/*
 * Decodes one number from the front of rest and moves rest behind it. ERR_CORRUPT when the bytes
 * end early, do not fit 64 bits or are not the shortest form; then rest and ret_value are
 * untouched.
 */
MUST_USE enum status varint_take_u64(struct slice *rest, uint64_t *ret_value);
MUST_USE enum status varint_take_i64(struct slice *rest, int64_t *ret_value);
/* Takes a varint length and that many bytes, borrowed from rest. ERR_CORRUPT as above. */
MUST_USE enum status varint_take_slice(struct slice *rest, struct slice *ret_slice);
/* Appends a varint length and the bytes. */
MUST_USE enum status varint_append_slice(struct buf *buf, struct slice slice);

/* Takes a fixed field from the front of rest. ERR_CORRUPT when the bytes end early. */
MUST_USE enum status fixed_take_u32(struct slice *rest, uint32_t *ret_value);
MUST_USE enum status fixed_take_u64(struct slice *rest, uint64_t *ret_value);
MUST_USE enum status fixed_append_u32(struct buf *buf, uint32_t value);
MUST_USE enum status fixed_append_u64(struct buf *buf, uint64_t value);

static inline void fixed_put_u32(uint8_t *data, uint32_t value)
{
    for (unsigned i = 0; i < 4; i++)
        data[i] = (uint8_t)(value >> (8 * i));
}

static inline void fixed_put_u64(uint8_t *data, uint64_t value)
{
    for (unsigned i = 0; i < 8; i++)
        data[i] = (uint8_t)(value >> (8 * i));
}

static inline uint32_t fixed_get_u32(const uint8_t *data)
{
    uint32_t value = 0;
    for (unsigned i = 0; i < 4; i++)
        value |= (uint32_t)data[i] << (8 * i);
    return value;
}

static inline uint64_t fixed_get_u64(const uint8_t *data)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < 8; i++)
        value |= (uint64_t)data[i] << (8 * i);
    return value;
}

#endif
