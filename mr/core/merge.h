/*
 * merge.h - one walk over several sorted walks, by a loser tree.
 * Order: key, then position of the cursor in the array. With the cursors in map order (or in spill
 * order within a map) that is the total order (key, map index, emission number).
 */
#ifndef MILLRACE_MR_CORE_MERGE_H
#define MILLRACE_MR_CORE_MERGE_H

#include "mr/core/record.h"

struct merge_leaf;

struct merge {
    struct record_cursor cursor; /* merge's next */
    struct key_order order;
    struct merge_leaf *leaves;
    uint32_t *losers; /* losers[0] is the winner */
    uint32_t count;
    bool is_started;
};

/*
 * cursors are borrowed until merge_close, each yielding keys in order. ERR_NO_MEMORY. count may be
 * 0.
 */
MUST_USE enum status merge_open(struct merge *merge,
                                struct record_cursor *const *cursors,
                                size_t count,
                                struct key_order order);
void merge_close(struct merge *merge); /* a zeroed one is fine */

#endif
