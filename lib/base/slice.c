/*
 * slice.c - borrowed bytes: compare, search, hash, parse.
 */
#include "lib/base/slice.h"

#include <string.h>

#define XXH_INLINE_ALL
#include <xxhash.h>

#include "lib/base/check.h"

struct slice slice_make(const void *data, size_t length)
{
    return (struct slice){.data = data, .length = length};
}

struct slice slice_from_string(const char *string)
{
    if (string == NULL)
        return slice_make(NULL, 0);
    return slice_make(string, strlen(string));
}

bool slice_equal(struct slice left, struct slice right)
{
    if (left.length != right.length)
        return false;
    return left.length == 0 || memcmp(left.data, right.data, left.length) == 0;
}

bool slice_equal_string(struct slice left, const char *right)
{
    return slice_equal(left, slice_from_string(right));
}

int slice_compare(struct slice left, struct slice right)
{
    size_t common = left.length < right.length ? left.length : right.length;
    int order = common == 0 ? 0 : memcmp(left.data, right.data, common);
    if (order != 0)
        return order;
    return (left.length > right.length) - (left.length < right.length);
}

bool slice_has_prefix(struct slice whole, struct slice prefix)
{
    if (prefix.length > whole.length)
        return false;
    return prefix.length == 0 || memcmp(whole.data, prefix.data, prefix.length) == 0;
}

size_t slice_find(struct slice whole, uint8_t byte)
{
    if (whole.length == 0)
        return 0;
    const uint8_t *found = memchr(whole.data, byte, whole.length);
    return found == NULL ? whole.length : (size_t)(found - whole.data);
}

struct slice slice_sub(struct slice whole, size_t from, size_t length)
{
    CHECK(from <= whole.length);
    CHECK(length <= whole.length - from);
    /* No arithmetic on the NULL of an empty slice. */
    return slice_make(from == 0 ? whole.data : whole.data + from, length);
}

uint64_t slice_hash(struct slice slice, uint64_t seed)
{
    return XXH3_64bits_withSeed(slice.data, slice.length, seed);
}

bool slice_parse_u64(struct slice slice, uint64_t *ret_value)
{
    if (slice.length == 0)
        return false;
    uint64_t value = 0;
    for (size_t i = 0; i < slice.length; i++) {
        if (slice.data[i] < '0' || slice.data[i] > '9')
            return false;
        uint64_t digit = (uint64_t)(slice.data[i] - '0');
        if (value > (UINT64_MAX - digit) / 10)
            return false;
        value = value * 10 + digit;
    }
    *ret_value = value;
    return true;
}

/* Length of the well-formed sequence at the front of bytes, 0 when there is none. */
static size_t utf8_sequence_length(const uint8_t *bytes, size_t room)
{
    uint8_t first = bytes[0];
    if (first < 0x80)
        return 1;
    size_t length;
    /* The second byte's range is what excludes overlong forms, surrogates and > U+10FFFF. */
    uint8_t second_min = 0x80;
    uint8_t second_max = 0xbf;
    if (first >= 0xc2 && first <= 0xdf) {
        length = 2;
    } else if (first >= 0xe0 && first <= 0xef) {
        length = 3;
        if (first == 0xe0)
            second_min = 0xa0;
        if (first == 0xed)
            second_max = 0x9f;
    } else if (first >= 0xf0 && first <= 0xf4) {
        length = 4;
        if (first == 0xf0)
            second_min = 0x90;
        if (first == 0xf4)
            second_max = 0x8f;
    } else {
        return 0;
    }
    if (room < length || bytes[1] < second_min || bytes[1] > second_max)
        return 0;
    for (size_t i = 2; i < length; i++) {
        if ((bytes[i] & 0xc0) != 0x80)
            return 0;
    }
    return length;
}

bool slice_is_utf8(struct slice slice)
{
    size_t at = 0;
    while (at < slice.length) {
        size_t length = utf8_sequence_length(slice.data + at, slice.length - at);
        if (length == 0)
            return false;
        at += length;
    }
    return true;
}
