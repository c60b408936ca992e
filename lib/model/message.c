/*
 * message.c - copies, compares and prints messages by their descriptors.
 * No message nests in itself (tools/gen-messages.awk refuses it), so the recursion here is bounded.
 */
#include "lib/model/message.h"

#include <inttypes.h>
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/check.h"

size_t message_field_size(const struct message_field *field)
{
    switch (field->kind) {
    case FIELD_BOOL:
        return sizeof(bool);
    case FIELD_INT32:
    case FIELD_UINT32:
    case FIELD_FLOAT:
    case FIELD_ENUM:
        return sizeof(uint32_t);
    case FIELD_INT64:
    case FIELD_UINT64:
    case FIELD_DOUBLE:
        return sizeof(uint64_t);
    case FIELD_STRING:
    case FIELD_BYTES:
        return sizeof(struct slice);
    case FIELD_MESSAGE:
        return field->subtype->size;
    case FIELD_KIND_COUNT:
        break;
    }
    check_failed(__FILE__, __LINE__, "field kind in range");
}

/* Where the field's elements are, and how many: one for a singular field. */
static const uint8_t *field_elements(const struct message_field *field,
                                     const void *message,
                                     size_t *ret_count)
{
    const uint8_t *at = (const uint8_t *)message + field->offset;
    if (!field->is_repeated) {
        *ret_count = 1;
        return at;
    }
    memcpy(ret_count, (const uint8_t *)message + field->count_offset, sizeof(*ret_count));
    const uint8_t *elements;
    memcpy(&elements, at, sizeof(elements));
    return elements;
}

/* Element is a byte copy of the source's; replaces what it points to by copies. */
static void own_element(const struct message_field *field, uint8_t *element, struct arena *arena);

static void own_fields(const struct message_type *type, uint8_t *message, struct arena *arena)
{
    for (size_t i = 0; i < type->field_count; i++) {
        const struct message_field *field = &type->fields[i];
        if (!field->is_repeated) {
            own_element(field, message + field->offset, arena);
            continue;
        }
        size_t count;
        const uint8_t *source = field_elements(field, message, &count);
        uint8_t *copy = NULL;
        if (count > 0) {
            size_t size = message_field_size(field);
            copy = arena_new(arena, count * size);
            memcpy(copy, source, count * size);
            for (size_t j = 0; j < count; j++)
                own_element(field, copy + j * size, arena);
        }
        memcpy(message + field->offset, &copy, sizeof(copy));
    }
}

static void own_element(const struct message_field *field, uint8_t *element, struct arena *arena)
{
    if (field->kind == FIELD_MESSAGE) {
        own_fields(field->subtype, element, arena);
    } else if (field->kind == FIELD_STRING || field->kind == FIELD_BYTES) {
        struct slice slice;
        memcpy(&slice, element, sizeof(slice));
        slice = slice.length == 0 ? slice_make(NULL, 0) : arena_copy(arena, slice);
        memcpy(element, &slice, sizeof(slice));
    }
}

void message_copy_into(const struct message_type *type,
                       const void *source,
                       void *ret_target,
                       struct arena *arena)
{
    memmove(ret_target, source, type->size);
    own_fields(type, ret_target, arena);
}

void *message_copy(const struct message_type *type, const void *source, struct arena *arena)
{
    void *copy = arena_new(arena, type->size);
    message_copy_into(type, source, copy, arena);
    return copy;
}

static bool real_equal(double left, double right)
{
    return left == right || (isnan(left) && isnan(right));
}

static bool element_equal(const struct message_field *field,
                          const uint8_t *left,
                          const uint8_t *right)
{
    if (field->kind == FIELD_MESSAGE)
        return message_equal(field->subtype, left, right);
    if (field->kind == FIELD_STRING || field->kind == FIELD_BYTES) {
        struct slice left_slice;
        struct slice right_slice;
        memcpy(&left_slice, left, sizeof(left_slice));
        memcpy(&right_slice, right, sizeof(right_slice));
        return slice_equal(left_slice, right_slice);
    }
    if (field->kind == FIELD_FLOAT) {
        float left_real;
        float right_real;
        memcpy(&left_real, left, sizeof(left_real));
        memcpy(&right_real, right, sizeof(right_real));
        return real_equal((double)left_real, (double)right_real);
    }
    if (field->kind == FIELD_DOUBLE) {
        double left_real;
        double right_real;
        memcpy(&left_real, left, sizeof(left_real));
        memcpy(&right_real, right, sizeof(right_real));
        return real_equal(left_real, right_real);
    }
    return memcmp(left, right, message_field_size(field)) == 0;
}

bool message_equal(const struct message_type *type, const void *left, const void *right)
{
    for (size_t i = 0; i < type->field_count; i++) {
        const struct message_field *field = &type->fields[i];
        size_t left_count;
        size_t right_count;
        const uint8_t *left_elements = field_elements(field, left, &left_count);
        const uint8_t *right_elements = field_elements(field, right, &right_count);
        if (left_count != right_count)
            return false;
        size_t size = message_field_size(field);
        for (size_t j = 0; j < left_count; j++) {
            if (!element_equal(field, left_elements + j * size, right_elements + j * size))
                return false;
        }
    }
    return true;
}

bool message_is_zero(const struct message_type *type, const void *message)
{
    static const uint8_t zero[sizeof(struct slice)];
    for (size_t i = 0; i < type->field_count; i++) {
        const struct message_field *field = &type->fields[i];
        size_t count;
        const uint8_t *elements = field_elements(field, message, &count);
        if (field->is_repeated) {
            if (count != 0)
                return false;
        } else if (field->kind == FIELD_MESSAGE) {
            if (!message_is_zero(field->subtype, elements))
                return false;
        } else if (!element_equal(field, elements, zero)) {
            return false;
        }
    }
    return true;
}

enum status message_print_json_string(struct slice text, struct buf *buf)
{
    enum status status = buf_append(buf, "\"", 1);
    bool is_utf8 = slice_is_utf8(text);
    size_t plain_from = 0;
    for (size_t i = 0; i < text.length && status == OK; i++) {
        uint8_t byte = text.data[i];
        bool is_bad = byte >= 0x80 && !is_utf8;
        if (byte >= 0x20 && byte != '"' && byte != '\\' && byte != 0x7f && !is_bad)
            continue;
        status = buf_append_slice(buf, slice_sub(text, plain_from, i - plain_from));
        plain_from = i + 1;
        if (status != OK)
            break;
        if (byte == '"' || byte == '\\')
            status = buf_append_format(buf, "\\%c", byte);
        else
            status = buf_append_format(buf, "\\u%04x", is_bad ? 0xfffdu : byte);
    }
    if (status == OK)
        status = buf_append_slice(buf, slice_sub(text, plain_from, text.length - plain_from));
    return status == OK ? buf_append(buf, "\"", 1) : status;
}

static enum status print_base64(struct slice bytes, struct buf *buf)
{
    static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    enum status status = buf_append(buf, "\"", 1);
    for (size_t i = 0; i < bytes.length && status == OK; i += 3) {
        size_t left = bytes.length - i;
        uint32_t group = (uint32_t)bytes.data[i] << 16;
        if (left > 1)
            group |= (uint32_t)bytes.data[i + 1] << 8;
        if (left > 2)
            group |= bytes.data[i + 2];
        char text[4] = {digits[group >> 18 & 63], digits[group >> 12 & 63],
                        left > 1 ? digits[group >> 6 & 63] : '=',
                        left > 2 ? digits[group & 63] : '='};
        status = buf_append(buf, text, sizeof(text));
    }
    return status == OK ? buf_append(buf, "\"", 1) : status;
}

/* JSON has no words for infinity and NaN. */
static enum status print_real(double value, int digits, struct buf *buf)
{
    if (!isfinite(value))
        return buf_append(buf, "null", 4);
    return buf_append_format(buf, "%.*g", digits, value);
}

/* Reads a value of the struct's, which need not be aligned here. */
#define PRINT_AS(type, format)                                                                     \
 do {                                                                                              \
  type value;                                                                                      \
  memcpy(&value, element, sizeof(value));                                                          \
  return buf_append_format(buf, "%" format, value);                                                \
 } while (0)

static enum status print_element(const struct message_field *field,
                                 const uint8_t *element,
                                 struct buf *buf)
{
    struct slice slice;
    float small_real;
    double real;
    uint32_t number;
    switch (field->kind) {
    case FIELD_BOOL:
        return buf_append_format(buf, "%s", *element != 0 ? "true" : "false");
    case FIELD_INT32:
        PRINT_AS(int32_t, PRId32);
    case FIELD_INT64:
        PRINT_AS(int64_t, PRId64);
    case FIELD_UINT32:
        PRINT_AS(uint32_t, PRIu32);
    case FIELD_UINT64:
        PRINT_AS(uint64_t, PRIu64);
    case FIELD_FLOAT:
        memcpy(&small_real, element, sizeof(small_real));
        return print_real((double)small_real, 9, buf);
    case FIELD_DOUBLE:
        memcpy(&real, element, sizeof(real));
        return print_real(real, 17, buf);
    case FIELD_ENUM:
        memcpy(&number, element, sizeof(number));
        return buf_append_format(buf, "\"%s\"", message_enum_name(field->enumeration, number));
    case FIELD_STRING:
        memcpy(&slice, element, sizeof(slice));
        return message_print_json_string(slice, buf);
    case FIELD_BYTES:
        memcpy(&slice, element, sizeof(slice));
        return print_base64(slice, buf);
    case FIELD_MESSAGE:
        return message_print_json(field->subtype, element, buf);
    case FIELD_KIND_COUNT:
        break;
    }
    check_failed(__FILE__, __LINE__, "field kind in range");
}

static enum status print_field(const struct message_field *field,
                               const void *message,
                               struct buf *buf)
{
    size_t count;
    const uint8_t *elements = field_elements(field, message, &count);
    enum status status =
        buf_append_format(buf, "\"%s\":%s", field->name, field->is_repeated ? "[" : "");
    for (size_t i = 0; i < count && status == OK; i++) {
        if (i > 0)
            status = buf_append(buf, ",", 1);
        if (status == OK)
            status = print_element(field, elements + i * message_field_size(field), buf);
    }
    return status == OK && field->is_repeated ? buf_append(buf, "]", 1) : status;
}

enum status message_print_json(const struct message_type *type,
                               const void *message,
                               struct buf *buf)
{
    enum status status = buf_append(buf, "{", 1);
    for (size_t i = 0; i < type->field_count && status == OK; i++) {
        if (i > 0)
            status = buf_append(buf, ",", 1);
        if (status == OK)
            status = print_field(&type->fields[i], message, buf);
    }
    return status == OK ? buf_append(buf, "}", 1) : status;
}

const char *message_enum_name(const struct message_enum *enumeration, uint32_t value)
{
    return value < enumeration->count ? enumeration->value_names[value] : "?";
}

bool message_enum_from_name(const struct message_enum *enumeration,
                            struct slice name,
                            uint32_t *ret_value)
{
    for (uint32_t i = 0; i < enumeration->count; i++) {
        if (slice_equal_string(name, enumeration->value_names[i])) {
            *ret_value = i;
            return true;
        }
    }
    return false;
}

const struct message_type *message_type_find(const struct message_type *const *types,
                                             size_t count,
                                             struct slice name)
{
    size_t low = 0;
    size_t high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = slice_compare(name, slice_from_string(types[middle]->name));
        if (order == 0)
            return types[middle];
        if (order < 0)
            high = middle;
        else
            low = middle + 1;
    }
    return NULL;
}
