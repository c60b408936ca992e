/*
 * merge.c - the loser tree: log2(count) comparisons a record, most of them of 8-byte prefixes.
 */
#include "mr/core/merge.h"

#include "lib/base/check.h"
#include "lib/base/mem.h"

struct merge_leaf {
    struct record_cursor *cursor;
    struct record record;
    uint64_t prefix;
    bool has; /* false: at its end, which sorts last */
};

static bool is_before(const struct merge *merge, uint32_t left, uint32_t right)
{
    const struct merge_leaf *a = &merge->leaves[left];
    const struct merge_leaf *b = &merge->leaves[right];
    int result;

    if (!a->has || !b->has)
        return a->has != b->has ? a->has : left < right;
    if (merge->order.compare == NULL && a->prefix != b->prefix)
        return a->prefix < b->prefix;
    result = key_order_compare(&merge->order, a->record.key, b->record.key);
    return result != 0 ? result < 0 : left < right;
}

static enum status advance(struct merge *merge, uint32_t leaf, struct error *reterr_error)
{
    struct merge_leaf *at = &merge->leaves[leaf];
    enum status status = at->cursor->next(at->cursor, &at->record, &at->has, reterr_error);
    if (status == OK && at->has && merge->order.compare == NULL)
        at->prefix = key_prefix(at->record.key);
    return status;
}

/* Plays leaf upward from its place; who loses stays, the winner goes on to losers[0]. */
static void replay(struct merge *merge, uint32_t leaf)
{
    uint32_t winner = leaf;
    for (uint32_t node = (leaf + merge->count) / 2; node > 0; node /= 2) {
        if (is_before(merge, merge->losers[node], winner)) {
            uint32_t swap = merge->losers[node];
            merge->losers[node] = winner;
            winner = swap;
        }
    }
    merge->losers[0] = winner;
}

/* First round: each inner node waits for the winners of both sides. */
static uint32_t play(struct merge *merge, uint32_t node)
{
    uint32_t left;
    uint32_t right;
    bool left_wins;
    if (node >= merge->count)
        return node - merge->count;
    left = play(merge, 2 * node);
    right = play(merge, 2 * node + 1);
    left_wins = is_before(merge, left, right);
    merge->losers[node] = left_wins ? right : left;
    return left_wins ? left : right;
}

static enum status start(struct merge *merge, struct error *reterr_error)
{
    for (uint32_t i = 0; i < merge->count; i++) {
        enum status status = advance(merge, i, reterr_error);
        if (status != OK)
            return status;
    }
    merge->losers[0] = play(merge, 1);
    merge->is_started = true;
    return OK;
}

static enum status merge_next(struct record_cursor *cursor,
                              struct record *ret_record,
                              bool *ret_has,
                              struct error *reterr_error)
{
    struct merge *merge = (struct merge *)(void *)cursor;
    enum status status = OK;
    const struct merge_leaf *winner;

    *ret_has = false;
    if (merge->count == 0)
        return OK;
    if (!merge->is_started) {
        status = start(merge, reterr_error);
    } else if (merge->leaves[merge->losers[0]].has) {
        status = advance(merge, merge->losers[0], reterr_error);
        if (status == OK)
            replay(merge, merge->losers[0]);
    }
    if (status != OK)
        return status;
    winner = &merge->leaves[merge->losers[0]];
    *ret_has = winner->has;
    *ret_record = winner->record;
    return OK;
}

enum status merge_open(struct merge *merge,
                       struct record_cursor *const *cursors,
                       size_t count,
                       struct key_order order)
{
    CHECK(count < UINT32_MAX / 2);
    *merge = (struct merge){.cursor = {merge_next}, .order = order, .count = (uint32_t)count};
    if (count == 0)
        return OK;
    merge->leaves = mem_try_array(count, sizeof(*merge->leaves));
    merge->losers = mem_try_array(count, sizeof(*merge->losers));
    if (merge->leaves == NULL || merge->losers == NULL) {
        merge_close(merge);
        return ERR_NO_MEMORY;
    }
    for (size_t i = 0; i < count; i++)
        merge->leaves[i].cursor = cursors[i];
    return OK;
}

void merge_close(struct merge *merge)
{
    mem_free(merge->leaves);
    mem_free(merge->losers);
    *merge = (struct merge){0};
}
