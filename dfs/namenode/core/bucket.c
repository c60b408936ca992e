/*
 * bucket.c - see bucket.h.
 */
#include "dfs/namenode/core/bucket.h"

#include "lib/base/check.h"

enum {
    MS_PER_SECOND = 1000,
};

#define BYTES_LIMIT ((uint64_t)1 << 40)
#define LEVEL_LEAST (-((int64_t)1 << 60)) /* debts beyond it are forgiven */

static void fill(struct bucket *bucket, int64_t rate, int64_t now_ms)
{
    int64_t full = rate * MS_PER_SECOND;
    int64_t elapsed_ms = now_ms - bucket->filled_ms;
    bool is_full =
        !bucket->is_used || bucket->level >= full || elapsed_ms > (full - bucket->level) / rate;
    bucket->level = is_full ? full : bucket->level + elapsed_ms * rate;
    bucket->filled_ms = now_ms;
    bucket->is_used = true;
}

bool namenode_bucket_is_open(const struct bucket *bucket, int64_t now_ms)
{
    return now_ms >= bucket->due_ms;
}

void namenode_bucket_spend(struct bucket *bucket, uint64_t rate, uint64_t bytes, int64_t now_ms)
{
    CHECK(rate <= BYTES_LIMIT);
    CHECK(bytes <= BYTES_LIMIT);
    if (rate == 0) {
        return;
    }
    fill(bucket, (int64_t)rate, now_ms);
    bucket->level -= (int64_t)bytes * MS_PER_SECOND;
    bucket->level = bucket->level > LEVEL_LEAST ? bucket->level : LEVEL_LEAST;
    /* The first millisecond at which the level is above zero. */
    bucket->due_ms = bucket->level > 0 ? now_ms : now_ms + 1 - bucket->level / (int64_t)rate;
}
