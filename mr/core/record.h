/*
 * record.h - one pair, and a walk over pairs in order.
 */
#ifndef MILLRACE_MR_CORE_RECORD_H
#define MILLRACE_MR_CORE_RECORD_H

#include <stdbool.h>
#include <string.h>

#include "lib/base/error.h"
#include "lib/base/slice.h"
#include "lib/base/status.h"
#include "mr/mr.h"

enum {
    RECORD_BYTES_MAX = 64 << 20, /* key and value together: what one chunk of a run may hold */
    RECORD_MERGE_MAX = 128       /* runs on disk that are merged at once: 64 KiB each */
};

struct record {
    struct slice key;
    struct slice value;
};

/* Base of everything that yields records: a sorted buffer, a run's segment, a merge of those. */
struct record_cursor {
    /*
     * Yields the next record, lent until the next call; *ret_has is false at the end (and on
     * failure).
     */
    enum status (*next)(struct record_cursor *cursor,
                        struct record *ret_record,
                        bool *ret_has,
                        struct error *reterr_error);
};

/* How keys are ordered: job's compare, or bytes when compare is NULL. */
struct key_order {
    int (*compare)(struct mr_context *context, struct mr_slice left, struct mr_slice right);
    struct mr_context *context;
};

/* The first 8 bytes as a number that orders as the bytes do; shorter keys are padded with zeros. */
static inline uint64_t key_prefix(struct slice key)
{
    uint64_t prefix = 0;
    uint8_t bytes[8] = {0};
    if (key.length > 0)
        memcpy(bytes, key.data, key.length < 8 ? key.length : 8);
    for (unsigned i = 0; i < 8; i++)
        prefix = prefix << 8 | bytes[i];
    return prefix;
}

static inline struct mr_slice record_lend(struct slice slice)
{
    return mr_slice_make(slice.data, slice.length);
}

static inline int key_order_compare(const struct key_order *order,
                                    struct slice left,
                                    struct slice right)
{
    size_t common = left.length < right.length ? left.length : right.length;
    int result = 0;
    if (order->compare != NULL)
        return order->compare(order->context, record_lend(left), record_lend(right));
    if (common > 0)
        result = memcmp(left.data, right.data, common);
    if (result != 0)
        return result;
    return left.length < right.length ? -1 : left.length > right.length;
}

#endif
