/*
 * report.c - what datanodes say they hold: full reports in parts, and changes.
 * A block of no file is not deleted at once: a client may still seal a block that was named before
 * a restart of the namenode.
 * Owns namenode->unknown. Invariants: NN-8, NN-10.
 */
#include "dfs/namenode/core/state.h"
#include "lib/base/check.h"
#include "lib/base/mem.h"

/* --- blocks of no file --------------------------------------------------------------- */

void namenode_unknown_drop(struct namenode *nn, struct unknown *unknown)
{
    (void)nn; /* the list knows its owner */
    CHECK(map_u64_remove(unknown->node->unknown, unknown->info.block_id) == unknown);
    list_remove(&unknown->in_unknown);
    mem_free(unknown);
}

void namenode_unknown_add(struct namenode *nn,
                          struct tracked *node,
                          const struct dfs_block_info *info)
{
    if (info->block_id > nn->reserved_up_to) {
        NAMENODE_TRACE(nn, "block beyond the journal block=%llu node=%llu reserved=%llu",
                       (unsigned long long)info->block_id,
                       (unsigned long long)node->endpoint.node_id,
                       (unsigned long long)nn->reserved_up_to);
        return; /* NN-10: kept */
    }
    if (map_u64_get(node->deletions, info->block_id) != NULL) {
        return; /* on its way out */
    }
    struct unknown *unknown = map_u64_get(node->unknown, info->block_id);
    if (unknown == NULL) {
        unknown = MEM_NEW(struct unknown);
        unknown->node = node;
        unknown->since_ms = nn->now_ms;
        (void)map_u64_put(node->unknown, info->block_id, unknown); /* it was absent */
        list_append(&nn->unknown, &unknown->in_unknown, unknown);
    }
    unknown->info = *info;
    unknown->report = node->report;
}

void namenode_unknown_expire(struct namenode *nn)
{
    if (nn->mode != MODE_OPEN) {
        return;
    }
    while (nn->unknown.first != NULL) {
        struct unknown *oldest = nn->unknown.first->object;
        int64_t from_ms = oldest->since_ms > nn->open_ms ? oldest->since_ms : nn->open_ms;
        if (from_ms + nn->settings.unknown_grace_ms > nn->now_ms) {
            return;
        }
        NAMENODE_TRACE(nn, "block of no file block=%llu node=%llu",
                       (unsigned long long)oldest->info.block_id,
                       (unsigned long long)oldest->node->endpoint.node_id);
        namenode_node_delete(nn, oldest->node, oldest->info.block_id);
        namenode_unknown_drop(nn, oldest);
    }
}

bool namenode_unknown_matches(const struct namenode *nn,
                              const struct dfs_block_info *info,
                              const uint64_t *node_ids,
                              size_t node_count,
                              size_t count)
{
    size_t found = 0;
    size_t cursor = 0;
    void *value = NULL;
    while (map_u64_next(nn->nodes, &cursor, NULL, &value)) {
        const struct tracked *node = value;
        const struct unknown *unknown = map_u64_get(node->unknown, info->block_id);
        bool is_named = false;
        for (size_t i = 0; i < node_count; i++) {
            is_named = is_named || node_ids[i] == node->endpoint.node_id;
        }
        bool is_same = unknown != NULL && unknown->info.length == info->length &&
                       unknown->info.crc32c == info->crc32c;
        found += is_named && is_same && namenode_node_is_usable(node) ? 1 : 0;
    }
    return found >= count;
}

/* --- full reports -------------------------------------------------------------------- */

static void take_blocks(struct namenode *nn,
                        struct tracked *node,
                        const struct dfs_block_info *blocks,
                        size_t count)
{
    bool is_new = false;
    for (size_t i = 0; i < count; i++) {
        if (map_u64_get(nn->blocks, blocks[i].block_id) != NULL) {
            namenode_replica_reported(nn, node, &blocks[i]);
        } else {
            namenode_unknown_add(nn, node, &blocks[i]);
            is_new = true;
        }
    }
    if (is_new) {
        namenode_compact_review(nn);
    }
}

/* Forgets what the node had before the report began and did not name in it. */
static void reconcile(struct namenode *nn, struct tracked *node)
{
    struct list_node *at = node->replicas.first;
    while (at != NULL) {
        struct replica *replica = at->object;
        at = at->next; /* a review never drops a replica of another block */
        bool is_missing = replica->report != node->report && !replica->is_expected &&
                          replica->since_step < node->report_step;
        if (is_missing) {
            namenode_node_deleted(nn, node, replica->block->id);
        }
    }
    size_t cursor = 0;
    void *value = NULL;
    while (map_u64_next(node->unknown, &cursor, NULL, &value)) {
        struct unknown *unknown = value;
        if (unknown->report != node->report) {
            namenode_unknown_drop(nn, unknown);
        }
    }
}

static void end_report(struct namenode *nn, struct tracked *node)
{
    node->is_reporting = false;
    node->has_reported = true;
    node->wants_report = false;
    node->report_due_ms = nn->now_ms + nn->settings.report_interval_ms;
    reconcile(nn, node);
    NAMENODE_TRACE(nn, "report node=%llu replicas=%zu", (unsigned long long)node->endpoint.node_id,
                   node->replicas.count);
}

void namenode_block_report(struct namenode *nn, const struct dfs_block_report_request *request)
{
    struct tracked *node = namenode_node_find(nn, request->node_id, request->session);
    if (node == NULL) {
        return;
    }
    namenode_node_heard(nn, node);
    if (request->serial < node->report_serial) {
        /* It comes late: changes told since are newer than what it says. */
        namenode_reply(nn, &(struct dfs_block_report_response){0});
        return;
    }
    if (request->part == 0 && request->serial > node->report_serial) {
        node->report++;
        node->report_serial = request->serial;
        node->report_step = nn->step;
        node->report_next_part = 0;
        node->is_reporting = true;
    }
    bool is_repeated =
        request->serial == node->report_serial && request->part < node->report_next_part;
    if (!is_repeated && (request->serial != node->report_serial || !node->is_reporting ||
                         request->part != node->report_next_part)) {
        namenode_fail(nn, ERR_INVALID, "part %u of a report is not the next", request->part);
        return;
    }
    if (!is_repeated) {
        node->report_next_part++;
        take_blocks(nn, node, request->blocks, request->blocks_count);
        if (request->is_last) {
            end_report(nn, node);
        }
        namenode_review_safe_mode(nn);
    }
    namenode_reply(nn, &(struct dfs_block_report_response){0});
}

/* --- changes ------------------------------------------------------------------------- */

static void corrupted(struct namenode *nn, struct tracked *node, uint64_t block_id)
{
    struct block *block = map_u64_get(nn->blocks, block_id);
    if (block == NULL) {
        /* Of a file that is gone: nobody else would ever tell the node to delete it. */
        namenode_unknown_add(nn, node, &(struct dfs_block_info){.block_id = block_id});
        return;
    }
    struct replica *replica = namenode_replica_find(block, node);
    if (replica == NULL) {
        replica = namenode_replica_new(nn, block, node);
    }
    namenode_replica_corrupted(nn, replica);
}

void namenode_block_changes(struct namenode *nn, const struct dfs_block_changes_request *request)
{
    struct tracked *node = namenode_node_find(nn, request->node_id, request->session);
    if (node == NULL) {
        return;
    }
    namenode_node_heard(nn, node);
    take_blocks(nn, node, request->received, request->received_count);
    for (size_t i = 0; i < request->verified_block_ids_count; i++) {
        namenode_suspect_verified(nn, node, request->verified_block_ids[i]);
    }
    for (size_t i = 0; i < request->corrupt_block_ids_count; i++) {
        corrupted(nn, node, request->corrupt_block_ids[i]);
    }
    for (size_t i = 0; i < request->deleted_block_ids_count; i++) {
        namenode_node_deleted(nn, node, request->deleted_block_ids[i]);
    }
    for (size_t i = 0; i < request->failed_count; i++) {
        namenode_work_failed(nn, node, &request->failed[i]);
    }
    namenode_review_safe_mode(nn);
    namenode_reply(nn, &(struct dfs_block_changes_response){0});
}
