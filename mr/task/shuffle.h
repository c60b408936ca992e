/*
 * shuffle.h - gets a reduce its part of every map's output.
 *
 * Outputs are fetched in parallel from the node managers as the master tells of them, into memory
 * while there is room and then into one file. A segment counts only when all its checksums hold.
 * One that cannot be got after several tries is reported; the master runs that map again and tells
 * of the new output, and the reduce waits without failing. How and in which order segments come
 * does not show in the result: they are handed on in map order.
 */
#ifndef MILLRACE_MR_TASK_SHUFFLE_H
#define MILLRACE_MR_TASK_SHUFFLE_H

#include "lib/base/error.h"
#include "lib/model/messages.h"
#include "mr/core/reduce_task.h"

struct reporter;
struct shuffle;
struct umbilical;

enum {
    SHUFFLE_TRIES = 4,
    SHUFFLE_RETRY_MS = 100 /* doubled with each try */
};

/* Everything is borrowed until shuffle_close. */
struct shuffle_settings {
    struct umbilical *umbilical;
    struct reporter *reporter;
    const char *token;
    struct attempt_id attempt;
    uint32_t map_count;
    uint64_t memory_bytes; /* for segments in memory; the rest goes to disk */
    const char *directory; /* for the file */
};

MUST_USE enum status shuffle_open(const struct shuffle_settings *settings,
                                  struct shuffle **ret_shuffle,
                                  struct error *reterr_error);
/*
 * Fetches all segments. ERR_CANCELLED when the attempt is to stop, ERR_UNAVAILABLE when the master
 * is gone; else what the local disk said.
 */
MUST_USE enum status shuffle_run(struct shuffle *shuffle, struct error *reterr_error);
/* map_count segments, in map order; lent until shuffle_close. */
const struct reduce_segment *shuffle_segments(const struct shuffle *shuffle);
uint64_t shuffle_bytes(const struct shuffle *shuffle);
void shuffle_close(struct shuffle *shuffle); /* NULL is fine */

#endif
