/*
 * failures.c - copies and merges that a datanode says came to nothing, and what follows from it.
 * What failed is not tried again the same way for a quarter of copy_timeout_ms: a target is left
 * out for that block, a source that could not be read, too; a source whose target failed is taken
 * when there is no other. A datanode that fails as a target gets no moves for so long.
 * Owns namenode->failures. Forgotten at a restart: then everything is tried again.
 */
#include "dfs/namenode/core/state.h"
#include "lib/base/check.h"
#include "lib/base/mem.h"

enum {
    FAILURES_MAX = 4096, /* the oldest is forgotten then: it is tried again too early */
    AVOIDED_PART = 4,    /* of copy_timeout_ms */
};

struct failure {
    uint64_t block_id;
    uint64_t source_id;
    uint64_t target_id; /* 0: the source itself failed */
    int64_t until_ms;
    struct failure *next; /* of the same block, older */
    struct list_node in_order;
};

/* --- what is remembered -------------------------------------------------------------- */

static void forget_oldest(struct namenode *nn)
{
    struct failure *oldest = list_pop(&nn->failures);
    struct failure *at = map_u64_get(nn->failures_by_block, oldest->block_id);
    if (at == oldest) {
        CHECK(map_u64_remove(nn->failures_by_block, oldest->block_id) == oldest);
    } else {
        while (at->next != oldest) {
            at = at->next;
        }
        at->next = NULL; /* it is the oldest of its block, too */
    }
    mem_free(oldest);
}

void namenode_failure_note(struct namenode *nn,
                           uint64_t block_id,
                           uint64_t source_id,
                           uint64_t target_id)
{
    if (nn->failures.count >= FAILURES_MAX) {
        forget_oldest(nn);
    }
    struct failure *failure = MEM_NEW(struct failure);
    failure->block_id = block_id;
    failure->source_id = source_id;
    failure->target_id = target_id;
    failure->until_ms = nn->now_ms + nn->settings.copy_timeout_ms / AVOIDED_PART;
    failure->next = map_u64_put(nn->failures_by_block, block_id, failure);
    list_append(&nn->failures, &failure->in_order, failure);
}

void namenode_failures_expire(struct namenode *nn)
{
    while (nn->failures.first != NULL) {
        const struct failure *oldest = nn->failures.first->object;
        if (oldest->until_ms > nn->now_ms) {
            return;
        }
        forget_oldest(nn);
    }
}

enum source_doubt namenode_failure_of_source(const struct namenode *nn,
                                             const struct block *block,
                                             const struct tracked *node)
{
    enum source_doubt doubt = SOURCE_TRUSTED;
    const struct failure *at = map_u64_get(nn->failures_by_block, block->id);
    for (; at != NULL; at = at->next) {
        if (at->source_id == node->endpoint.node_id) {
            doubt = at->target_id == 0 || doubt == SOURCE_FAILED ? SOURCE_FAILED : SOURCE_DOUBTED;
        }
    }
    return doubt;
}

size_t namenode_failed_targets(const struct namenode *nn,
                               const struct block *block,
                               uint64_t *ret_node_ids,
                               size_t room)
{
    size_t count = 0;
    const struct failure *at = map_u64_get(nn->failures_by_block, block->id);
    for (; at != NULL && count < room; at = at->next) {
        if (at->target_id != 0) {
            ret_node_ids[count++] = at->target_id;
        }
    }
    return count;
}

void namenode_failures_close(struct namenode *nn)
{
    while (nn->failures.count > 0) {
        forget_oldest(nn);
    }
    map_u64_close(nn->failures_by_block);
}

/* --- what datanodes say -------------------------------------------------------------- */

static void copy_failed(struct namenode *nn,
                        const struct tracked *source,
                        const struct dfs_failed_work *work)
{
    const struct block *block = map_u64_get(nn->blocks, work->block_id);
    struct tracked *target = map_u64_get(nn->nodes, work->target_node_id);
    struct replica *replica =
        block == NULL || target == NULL ? NULL : namenode_replica_find(block, target);
    /* Of an earlier copy, or it has arrived after all. */
    if (replica == NULL || replica->arrival == NULL || replica->arrival->source != source ||
        list_node_is_listed(&replica->arrival->in_outgoing)) {
        return;
    }
    bool is_target = work->fault != FAULT_SOURCE;
    NAMENODE_TRACE(nn, "copy failed block=%llu from=%llu to=%llu %s", (unsigned long long)block->id,
                   (unsigned long long)source->endpoint.node_id,
                   (unsigned long long)target->endpoint.node_id,
                   dfs_work_fault_name(is_target ? FAULT_TARGET : FAULT_SOURCE));
    namenode_failure_note(nn, block->id, source->endpoint.node_id,
                          is_target ? target->endpoint.node_id : 0);
    if (is_target) {
        target->failed_until_ms = nn->now_ms + nn->settings.copy_timeout_ms / AVOIDED_PART;
    }
    namenode_copy_abandon(nn, replica);
}

void namenode_work_failed(struct namenode *nn,
                          const struct tracked *node,
                          const struct dfs_failed_work *work)
{
    if (!namenode_compact_failed(nn, node, work)) {
        copy_failed(nn, node, work);
    }
}
