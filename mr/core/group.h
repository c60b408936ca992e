/*
 * group.h - hands the groups of a sorted walk to a reduce or combine function, one at a time.
 */
#ifndef MILLRACE_MR_CORE_GROUP_H
#define MILLRACE_MR_CORE_GROUP_H

#include "lib/base/buf.h"
#include "mr/core/record.h"

/* One walk over groups; the struct mr_values that user code sees is its first member. */
struct group {
    struct mr_values values;
    struct record_cursor *cursor;
    struct key_order order; /* of grouping: 0 means same group */
    struct buf key;         /* of the group's first record */
    struct record record;   /* the next to hand out */
    bool has;               /* record is one */
    bool is_first;          /* record is the group's first and was not handed out */
    uint64_t records;       /* read from the cursor so far */
    enum status status;
    struct error *reterr_error;
};

/* cursor and reterr_error are borrowed until group_close. */
void group_open(struct group *group,
                struct record_cursor *cursor,
                struct key_order order,
                struct error *reterr_error);
/*
 * Skips what is left of the current group and moves to the next; *ret_has false at the end. ret_key
 * is lent until the next call. Values are then read through group->values.
 */
MUST_USE enum status group_next(struct group *group, struct slice *ret_key, bool *ret_has);
void group_close(struct group *group);

#endif
