/*
 * slice.h - a borrowed run of bytes; never owns, never NUL-terminated by promise.
 */
#ifndef MILLRACE_LIB_BASE_SLICE_H
#define MILLRACE_LIB_BASE_SLICE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct slice {
    const uint8_t *data; /* may be NULL when length is 0 */
    size_t length;       /* bytes */
};

/* printf("%.*s", SLICE_ARGS(s)) */
#define SLICE_ARGS(slice_value) (int)(slice_value).length, (const char *)(slice_value).data

struct slice slice_make(const void *data, size_t length);
/* Borrows a NUL-terminated string without its NUL; NULL gives the empty slice. */
struct slice slice_from_string(const char *string);
bool slice_equal(struct slice left, struct slice right);
bool slice_equal_string(struct slice left, const char *right);
/* Compares as unsigned bytes, the shorter first when one is a prefix: <0, 0, >0. */
int slice_compare(struct slice left, struct slice right);
bool slice_has_prefix(struct slice whole, struct slice prefix);
/* Finds byte; returns its index or whole.length. */
size_t slice_find(struct slice whole, uint8_t byte);
/* The part [from, from + length); CHECKs that it lies inside. */
struct slice slice_sub(struct slice whole, size_t from, size_t length);
/* 64-bit hash (xxHash XXH3), the same on every machine. */
uint64_t slice_hash(struct slice slice, uint64_t seed);
/* Whole slice as an unsigned decimal; false when empty, not digits, or above UINT64_MAX. */
bool slice_parse_u64(struct slice slice, uint64_t *ret_value);
/* True when the bytes are well-formed UTF-8 (RFC 3629: no surrogates, no overlong forms). */
bool slice_is_utf8(struct slice slice);

#endif
