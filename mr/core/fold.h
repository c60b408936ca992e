/*
 * fold.h - the built-in aggregators: two numbers make one.
 */
#ifndef MILLRACE_MR_CORE_FOLD_H
#define MILLRACE_MR_CORE_FOLD_H

#include "lib/base/buf.h"
#include "lib/base/varint.h"
#include "mr/core/record.h"

/* old came first in the order. COUNT adds what is already counted: an emission counts as 1. */
static inline uint64_t fold_bits(enum mr_aggregator aggregator,
                                 enum mr_value_type type,
                                 uint64_t old,
                                 uint64_t bits)
{
    double old_number;
    double number;
    bool is_less;

    if (type != MR_VALUE_F64) {
        if (aggregator == MR_AGGREGATE_SUM || aggregator == MR_AGGREGATE_COUNT)
            return old + bits; /* the same bits for signed numbers */
        is_less = type == MR_VALUE_I64 ? (int64_t)bits < (int64_t)old : bits < old;
        return is_less == (aggregator == MR_AGGREGATE_MIN) ? bits : old;
    }
    memcpy(&old_number, &old, sizeof(old));
    memcpy(&number, &bits, sizeof(bits));
    if (aggregator == MR_AGGREGATE_SUM) {
        old_number += number;
        memcpy(&old, &old_number, sizeof(old));
        return old;
    }
    if (aggregator == MR_AGGREGATE_MIN)
        return number < old_number ? bits : old;
    return number > old_number ? bits : old;
}

/* A walk in which each key of another walk comes once, with the fold of its values (8 bytes). */
struct fold_cursor {
    struct record_cursor cursor; /* fold_cursor's next */
    struct record_cursor *source;
    struct key_order order;
    enum mr_aggregator aggregator;
    enum mr_value_type type;
    struct buf key;
    struct record pending; /* the first record of the next key */
    bool has_pending;
    bool is_started;
    uint64_t records; /* read from source */
    uint8_t value[8];
};

/* source is borrowed until fold_cursor_close. */
void fold_cursor_open(struct fold_cursor *fold,
                      struct record_cursor *source,
                      struct key_order order,
                      const struct mr_job *job);
void fold_cursor_close(struct fold_cursor *fold);

#endif
