/*
 * varint.c - numbers as bytes; see varint.h.
 */
#include "lib/base/varint.h"

static uint64_t zigzag_encode(int64_t value)
{
    return ((uint64_t)value << 1) ^ (value < 0 ? UINT64_MAX : 0);
}

static int64_t zigzag_decode(uint64_t value)
{
    uint64_t half = value >> 1;
    return (value & 1) != 0 ? -(int64_t)half - 1 : (int64_t)half;
}

size_t varint_put_u64(uint8_t *data, uint64_t value)
{
    size_t length = 0;
    while (value >= 0x80) {
        data[length++] = (uint8_t)(value | 0x80);
        value >>= 7;
    }
    data[length++] = (uint8_t)value;
    return length;
}

size_t varint_put_i64(uint8_t *data, int64_t value)
{
    return varint_put_u64(data, zigzag_encode(value));
}

size_t varint_length_u64(uint64_t value)
{
    size_t length = 1;
    for (; value >= 0x80; value >>= 7)
        length++;
    return length;
}

enum status varint_append_u64(struct buf *buf, uint64_t value)
{
    uint8_t data[VARINT_BYTES_MAX];
    return buf_append(buf, data, varint_put_u64(data, value));
}

enum status varint_append_i64(struct buf *buf, int64_t value)
{
    return varint_append_u64(buf, zigzag_encode(value));
}

enum status varint_take_u64(struct slice *rest, uint64_t *ret_value)
{
    uint64_t value = 0;
    for (unsigned i = 0; i < VARINT_BYTES_MAX && i < rest->length; i++) {
        uint8_t byte = rest->data[i];
        value |= (uint64_t)(byte & 0x7f) << (7 * i);
        if ((byte & 0x80) != 0)
            continue;
        if (i > 0 && byte == 0)
            return ERR_CORRUPT; /* not the shortest form */
        if (i == VARINT_BYTES_MAX - 1 && byte > 1)
            return ERR_CORRUPT; /* more than 64 bits */
        *rest = slice_sub(*rest, i + 1, rest->length - i - 1);
        *ret_value = value;
        return OK;
    }
    return ERR_CORRUPT;
}

enum status varint_take_i64(struct slice *rest, int64_t *ret_value)
{
    uint64_t value;
    enum status status = varint_take_u64(rest, &value);
    if (status == OK)
        *ret_value = zigzag_decode(value);
    return status;
}

enum status varint_take_slice(struct slice *rest, struct slice *ret_slice)
{
    struct slice behind = *rest;
    uint64_t length;
    enum status status = varint_take_u64(&behind, &length);
    if (status != OK)
        return status;
    if (length > behind.length)
        return ERR_CORRUPT;
    *ret_slice = slice_sub(behind, 0, (size_t)length);
    *rest = slice_sub(behind, (size_t)length, behind.length - (size_t)length);
    return OK;
}

enum status varint_append_slice(struct buf *buf, struct slice slice)
{
    if (slice.length > SIZE_MAX - VARINT_BYTES_MAX)
        return ERR_LIMIT;
    /* Room for both first, so that a failure leaves nothing behind. */
    enum status status = buf_reserve(buf, varint_length_u64(slice.length) + slice.length);
    if (status != OK)
        return status;
    status = varint_append_u64(buf, slice.length);
    if (status != OK)
        return status;
    return buf_append_slice(buf, slice);
}

enum status fixed_take_u32(struct slice *rest, uint32_t *ret_value)
{
    if (rest->length < sizeof(*ret_value))
        return ERR_CORRUPT;
    *ret_value = fixed_get_u32(rest->data);
    *rest = slice_sub(*rest, sizeof(*ret_value), rest->length - sizeof(*ret_value));
    return OK;
}

enum status fixed_take_u64(struct slice *rest, uint64_t *ret_value)
{
    if (rest->length < sizeof(*ret_value))
        return ERR_CORRUPT;
    *ret_value = fixed_get_u64(rest->data);
    *rest = slice_sub(*rest, sizeof(*ret_value), rest->length - sizeof(*ret_value));
    return OK;
}

enum status fixed_append_u32(struct buf *buf, uint32_t value)
{
    uint8_t data[sizeof(value)];
    fixed_put_u32(data, value);
    return buf_append(buf, data, sizeof(data));
}

enum status fixed_append_u64(struct buf *buf, uint64_t value)
{
    uint8_t data[sizeof(value)];
    fixed_put_u64(data, value);
    return buf_append(buf, data, sizeof(data));
}
