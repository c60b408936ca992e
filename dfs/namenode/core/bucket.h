/*
 * bucket.h - a rate: bytes per second, spent in advance. Private to this folder.
 * Spending is allowed while the level is above zero and may take it below, so that a block bigger
 * than a second's worth passes, too; then nothing passes until the debt is paid. Time is the
 * machine's monotonic one. A zeroed bucket begins with a full second's worth.
 */
#ifndef MILLRACE_DFS_NAMENODE_CORE_BUCKET_H
#define MILLRACE_DFS_NAMENODE_CORE_BUCKET_H

#include <stdbool.h>
#include <stdint.h>

struct bucket {
    int64_t level;     /* thousandths of bytes */
    int64_t filled_ms; /* when it was that */
    int64_t due_ms;    /* from when on something may be spent */
    bool is_used;
};

bool namenode_bucket_is_open(const struct bucket *bucket, int64_t now_ms);
/* rate: bytes per second, 0: no limit; rate and bytes: at most 2^40. */
void namenode_bucket_spend(struct bucket *bucket, uint64_t rate, uint64_t bytes, int64_t now_ms);

#endif
