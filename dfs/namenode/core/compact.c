/*
 * compact.c - many small blocks at the end of a file that was appended to often become one.
 * A file waits here when its last compact_runs blocks are small. One datanode is told to write
 * them, one after the other, as a new block on itself and other nodes; length and checksum are
 * known beforehand. The new block is one of no file until enough nodes have reported it; then, if
 * the file's blocks are still those, one InodePut puts it in their place. In every other case
 * nothing happened: the new block is deleted like any that no file has, and the file waits for
 * another try, longer after every failure. The old blocks stay on the
 * disks for unknown_grace_ms, for readers that have just looked them up. Only blocks that together
 * outweigh the first of them are merged, so that a byte is rewritten a number of times that grows
 * with the logarithm of what is appended. Owns namenode->merges and compact_waiting. Invariant:
 * NN-23. Rules: docs/namespace.md.
 */
#include "dfs/namenode/core/state.h"
#include "lib/base/check.h"
#include "lib/base/crc32c.h"
#include "lib/base/mem.h"

enum {
    SMALL_PART = 8,    /* a block is small below this part of the file's block size */
    DOUBLINGS_MAX = 7, /* of repair_retry_ms, between two tries */
};

/* A file whose end may be worth merging. */
struct waiting {
    int64_t due_ms;
    uint32_t failures; /* in a row */
};

struct merge {
    uint64_t file_id;
    struct dfs_block_info merged; /* what it must come to */
    uint64_t *source_ids;
    size_t source_count;
    uint64_t node_ids[LIMIT_REPLICAS]; /* where it is to be; the first is told to write it */
    size_t node_count;
    bool was_told;
    int64_t due_ms;
    uint32_t failures; /* of the tries before */
};

/* --- which files --------------------------------------------------------------------- */

static bool is_small(const struct inode *file, size_t index)
{
    return file->blocks[index]->length < file->block_size / SMALL_PART;
}

/* The blocks [*ret_first, *ret_first + *ret_count) are worth merging; false: none are. */
static bool find_run(const struct namenode *nn,
                     const struct inode *file,
                     size_t *ret_first,
                     size_t *ret_count)
{
    size_t runs = nn->settings.compact_runs;
    size_t end = file->sealed_count;
    if (runs == 0 || end < runs || !is_small(file, end - 1)) {
        return false;
    }
    size_t first = end;
    uint64_t behind = 0; /* bytes of the run after first */
    for (size_t at = end; at > 0 && is_small(file, at - 1); at--) {
        if (file->blocks[at - 1]->length <= behind || at == end) {
            first = at - 1; /* a longer one only where it is outweighed */
        }
        behind += file->blocks[at - 1]->length;
    }
    size_t count = 0;
    uint64_t bytes = 0;
    while (first + count < end && bytes + file->blocks[first + count]->length <= file->block_size) {
        bytes += file->blocks[first + count]->length;
        count++;
    }
    *ret_first = first;
    *ret_count = count;
    return end - first >= runs && count >= 2;
}

static struct waiting *waiting_of(struct namenode *nn, uint64_t file_id)
{
    struct waiting *waiting = map_u64_get(nn->compact_waiting, file_id);
    if (waiting == NULL) {
        waiting = MEM_NEW(struct waiting);
        CHECK(map_u64_put(nn->compact_waiting, file_id, waiting) == NULL);
    }
    return waiting;
}

void namenode_compact_consider(struct namenode *nn, const struct inode *file)
{
    size_t first = 0;
    size_t count = 0;
    if (file->state == INODE_INSTALLED && !namenode_inode_is_directory(file) &&
        find_run(nn, file, &first, &count)) {
        waiting_of(nn, file->id)->due_ms = nn->now_ms;
    }
}

static void wait_longer(const struct namenode *nn, struct waiting *waiting)
{
    uint32_t doublings = waiting->failures < DOUBLINGS_MAX ? waiting->failures : DOUBLINGS_MAX;
    waiting->due_ms = nn->now_ms + (nn->settings.repair_retry_ms << doublings);
    waiting->failures++;
}

/* --- merges -------------------------------------------------------------------------- */

static void merge_drop(struct namenode *nn, struct merge *merge)
{
    CHECK(map_u64_remove(nn->merges, merge->merged.block_id) == merge);
    mem_free(merge->source_ids);
    mem_free(merge);
}

/* The file may have changed meanwhile: what then is worth merging is found when its time comes. */
static void merge_retry(struct namenode *nn, struct merge *merge)
{
    struct waiting *waiting = waiting_of(nn, merge->file_id);
    waiting->failures = merge->failures;
    wait_longer(nn, waiting);
    merge_drop(nn, merge);
}

bool namenode_compact_failed(struct namenode *nn,
                             const struct tracked *node,
                             const struct dfs_failed_work *work)
{
    struct merge *merge = map_u64_get(nn->merges, work->block_id);
    if (merge == NULL || merge->node_ids[0] != node->endpoint.node_id) {
        return false;
    }
    NAMENODE_TRACE(nn, "merge failed into=%llu source=%llu at=%llu",
                   (unsigned long long)work->block_id, (unsigned long long)work->source_block_id,
                   (unsigned long long)work->source_node_id);
    if (work->fault == FAULT_SOURCE && work->source_node_id != 0) {
        namenode_failure_note(nn, work->source_block_id, work->source_node_id, 0);
    }
    merge_retry(nn, merge);
    return true;
}

static bool is_good_source(const struct namenode *nn, const struct replica *replica)
{
    return replica->state == REPLICA_STORED && replica->node->state == TRACKED_LIVE &&
           !replica->is_suspect &&
           namenode_failure_of_source(nn, replica->block, replica->node) != SOURCE_FAILED;
}

/* Where a source is read: on the worker if it can be. NULL: nowhere now. */
static const struct tracked *pick_source(const struct namenode *nn,
                                         const struct block *block,
                                         uint64_t worker_id)
{
    const struct tracked *best = NULL;
    for (size_t i = 0; i < block->replica_count; i++) {
        const struct replica *replica = block->replicas[i];
        if (is_good_source(nn, replica) &&
            (best == NULL || replica->node->endpoint.node_id == worker_id)) {
            best = replica->node;
        }
    }
    return best;
}

/* The node that has most bytes of the run. NULL: a block of it is nowhere to be read. */
static const struct tracked *pick_near(const struct namenode *nn,
                                       const struct inode *file,
                                       size_t first,
                                       size_t count)
{
    const struct tracked *best = NULL;
    uint64_t best_bytes = 0;
    for (size_t i = first; i < first + count; i++) {
        if (pick_source(nn, file->blocks[i], 0) == NULL) {
            return NULL;
        }
    }
    size_t cursor = 0;
    void *value = NULL;
    while (map_u64_next(nn->nodes, &cursor, NULL, &value)) {
        const struct tracked *node = value;
        uint64_t bytes = 0;
        for (size_t i = first; i < first + count; i++) {
            const struct replica *replica = namenode_replica_find(file->blocks[i], node);
            bytes += replica != NULL && is_good_source(nn, replica) ? file->blocks[i]->length : 0;
        }
        if (bytes > best_bytes) {
            best_bytes = bytes;
            best = node;
        }
    }
    return best;
}

/* False: not now; some node is missing. */
static bool merge_start(
    struct namenode *nn, const struct inode *file, size_t first, size_t count, uint32_t failures)
{
    struct dfs_block_info merged = {0};
    for (size_t i = first; i < first + count; i++) {
        const struct block *block = file->blocks[i];
        merged.crc32c = crc32c_combine(merged.crc32c, block->crc32c, block->length);
        merged.length += block->length;
    }
    const struct tracked *near = pick_near(nn, file, first, count);
    struct tracked *nodes[LIMIT_REPLICAS];
    size_t node_count = 0;
    if (near != NULL) {
        struct placement placement = {.writer_host = near->endpoint.host,
                                      .block_bytes = merged.length};
        node_count = namenode_placement_choose(nn, &placement, file->replication, nodes);
    }
    if (node_count < namenode_min_replicas(nn, file)) {
        return false;
    }
    merged.block_id = namenode_new_id(nn);
    struct merge *merge = MEM_NEW(struct merge);
    merge->file_id = file->id;
    merge->failures = failures;
    merge->merged = merged;
    merge->source_ids = mem_new(count * sizeof(uint64_t));
    merge->source_count = count;
    for (size_t i = 0; i < count; i++) {
        merge->source_ids[i] = file->blocks[first + i]->id;
    }
    merge->node_count = node_count;
    for (size_t i = 0; i < node_count; i++) {
        merge->node_ids[i] = nodes[i]->endpoint.node_id;
    }
    merge->due_ms = nn->now_ms + nn->settings.copy_timeout_ms;
    CHECK(map_u64_put(nn->merges, merged.block_id, merge) == NULL);
    nn->compact_next_ms =
        nn->now_ms + (int64_t)(merged.length * 1000 / nn->settings.compact_bytes_per_second);
    namenode_node_wake(nn, nodes[0]);
    NAMENODE_TRACE(nn, "merge file=%llu blocks=%zu into=%llu node=%llu",
                   (unsigned long long)file->id, count, (unsigned long long)merged.block_id,
                   (unsigned long long)merge->node_ids[0]);
    return true;
}

enum attempt {
    ATTEMPT_MADE,
    ATTEMPT_LATER,
    ATTEMPT_NEVER, /* the file has gone, or nothing of it is worth merging */
};

static enum attempt try_file(struct namenode *nn, uint64_t file_id, uint32_t failures)
{
    size_t first = 0;
    size_t count = 0;
    const struct inode *file = namenode_inode_by_id(nn, file_id);
    if (file == NULL || namenode_inode_is_directory(file) || file->state != INODE_INSTALLED ||
        !find_run(nn, file, &first, &count)) {
        return ATTEMPT_NEVER;
    }
    if (namenode_inode_writing(nn, file->parent, file->name) != NULL) {
        return ATTEMPT_LATER;
    }
    return merge_start(nn, file, first, count, failures) ? ATTEMPT_MADE : ATTEMPT_LATER;
}

void namenode_compact_run(struct namenode *nn)
{
    size_t cursor = 0;
    void *value = NULL;
    while (map_u64_next(nn->merges, &cursor, NULL, &value)) {
        struct merge *merge = value;
        if (nn->now_ms >= merge->due_ms) {
            NAMENODE_TRACE(nn, "merge overdue into=%llu",
                           (unsigned long long)merge->merged.block_id);
            merge_retry(nn, merge);
        }
    }
    cursor = 0;
    uint64_t file_id = 0;
    while (nn->mode == MODE_OPEN && nn->is_repairing && nn->now_ms >= nn->compact_next_ms &&
           map_u64_count(nn->merges) < NAMENODE_MERGES_MAX &&
           map_u64_next(nn->compact_waiting, &cursor, &file_id, &value)) {
        struct waiting *waiting = value;
        if (waiting->due_ms > nn->now_ms) {
            continue;
        }
        enum attempt attempt = try_file(nn, file_id, waiting->failures);
        if (attempt == ATTEMPT_LATER) {
            wait_longer(nn, waiting);
            continue;
        }
        CHECK(map_u64_remove(nn->compact_waiting, file_id) == waiting);
        mem_free(waiting);
    }
}

/* --- telling the datanode ------------------------------------------------------------ */

/* False: a source is gone, or nowhere to be read now. */
static bool make_command(struct namenode *nn,
                         const struct merge *merge,
                         struct dfs_datanode_command *ret_command)
{
    struct arena *arena = nn->actions->arena;
    struct dfs_block_info *sources = ARENA_ARRAY(arena, struct dfs_block_info, merge->source_count);
    struct endpoint *source_nodes = ARENA_ARRAY(arena, struct endpoint, merge->source_count);
    struct slice *tokens = ARENA_ARRAY(arena, struct slice, merge->source_count);
    struct endpoint *targets = ARENA_ARRAY(arena, struct endpoint, merge->node_count);
    size_t target_count = 0;
    for (size_t i = 0; i < merge->source_count; i++) {
        const struct block *block = map_u64_get(nn->blocks, merge->source_ids[i]);
        const struct tracked *node =
            block == NULL ? NULL : pick_source(nn, block, merge->node_ids[0]);
        if (node == NULL) {
            return false;
        }
        sources[i] = (struct dfs_block_info){
            .block_id = block->id, .length = block->length, .crc32c = block->crc32c};
        source_nodes[i] = node->endpoint;
        tokens[i] = namenode_grant_datanode(nn, block->id);
    }
    for (size_t i = 1; i < merge->node_count; i++) {
        const struct tracked *node = map_u64_get(nn->nodes, merge->node_ids[i]);
        if (node != NULL) {
            targets[target_count++] = node->endpoint;
        }
    }
    *ret_command = (struct dfs_datanode_command){
        .kind = DATANODE_MERGE_BLOCKS,
        .block = merge->merged,
        .targets = targets,
        .targets_count = target_count,
        .sources = sources,
        .sources_count = merge->source_count,
        .source_nodes = source_nodes,
        .source_nodes_count = merge->source_count,
        .token = namenode_grant_datanode(nn, merge->merged.block_id),
        .source_tokens = tokens,
        .source_tokens_count = merge->source_count,
    };
    return true;
}

static bool is_for(const struct merge *merge, const struct tracked *node)
{
    return !merge->was_told && merge->node_ids[0] == node->endpoint.node_id;
}

bool namenode_compact_waits(const struct namenode *nn, const struct tracked *node)
{
    size_t cursor = 0;
    void *value = NULL;
    while (map_u64_next(nn->merges, &cursor, NULL, &value)) {
        if (is_for(value, node)) {
            return true;
        }
    }
    return false;
}

void namenode_compact_tell(struct namenode *nn,
                           const struct tracked *node,
                           struct dfs_datanode_command *commands,
                           size_t *count)
{
    size_t cursor = 0;
    void *value = NULL;
    while (map_u64_next(nn->merges, &cursor, NULL, &value)) {
        struct merge *merge = value;
        if (!is_for(merge, node)) {
            continue;
        }
        if (make_command(nn, merge, &commands[*count])) {
            merge->was_told = true;
            (*count)++;
        } else {
            merge_retry(nn, merge);
        }
    }
}

/* --- putting it in ------------------------------------------------------------------- */

/* Where the merge's sources still lie in the file, one after the other. NULL: nowhere. */
static struct inode *find_sources(const struct namenode *nn,
                                  const struct merge *merge,
                                  size_t *ret_first)
{
    const struct block *block = map_u64_get(nn->blocks, merge->source_ids[0]);
    if (block == NULL || block->file->id != merge->file_id ||
        namenode_inode_is_doomed(nn, block->file)) {
        return NULL;
    }
    struct inode *file = block->file;
    size_t first = block->index;
    bool is_quiet = file->state == INODE_INSTALLED &&
                    namenode_inode_writing(nn, file->parent, file->name) == NULL;
    if (!is_quiet || first + merge->source_count > file->sealed_count) {
        return NULL;
    }
    for (size_t i = 0; i < merge->source_count; i++) {
        if (file->blocks[first + i]->id != merge->source_ids[i]) {
            return NULL;
        }
    }
    *ret_first = first;
    return file;
}

static void adopt_replicas(struct namenode *nn, const struct merge *merge, struct block *block)
{
    for (size_t i = 0; i < merge->node_count; i++) {
        struct tracked *node = map_u64_get(nn->nodes, merge->node_ids[i]);
        if (node != NULL && namenode_node_is_usable(node) &&
            map_u64_get(node->unknown, block->id) == NULL) {
            struct replica *replica = namenode_replica_new(nn, block, node);
            namenode_replica_expect(nn, replica, NULL, nn->now_ms + nn->settings.pipeline_wait_ms);
        }
    }
    size_t cursor = 0;
    void *value = NULL;
    while (map_u64_next(nn->nodes, &cursor, NULL, &value)) {
        struct tracked *node = value;
        struct unknown *unknown = map_u64_get(node->unknown, block->id);
        if (unknown != NULL) {
            namenode_replica_reported(nn, node, &unknown->info);
            namenode_unknown_drop(nn, unknown);
        }
    }
}

static void put_in(struct namenode *nn, struct merge *merge, struct inode *file, size_t first)
{
    struct block *block =
        namenode_block_new(nn, file, merge->merged.block_id, merge->merged.length);
    namenode_block_seal(nn, block, merge->merged.length, merge->merged.crc32c);
    adopt_replicas(nn, merge, block);
    namenode_blocklist_replace(nn, file, first, merge->source_count);
    namenode_record_inode(nn, file);
    NAMENODE_TRACE(nn, "merged file=%llu blocks=%zu into=%llu", (unsigned long long)file->id,
                   merge->source_count, (unsigned long long)block->id);
    namenode_compact_consider(nn, file);
}

void namenode_compact_review(struct namenode *nn)
{
    size_t cursor = 0;
    void *value = NULL;
    while (nn->mode == MODE_OPEN && map_u64_next(nn->merges, &cursor, NULL, &value)) {
        struct merge *merge = value;
        size_t first = 0;
        struct inode *file = find_sources(nn, merge, &first);
        if (file == NULL) {
            NAMENODE_TRACE(nn, "merge dropped into=%llu",
                           (unsigned long long)merge->merged.block_id);
            merge_retry(nn, merge);
            continue;
        }
        if (namenode_unknown_matches(nn, &merge->merged, merge->node_ids, merge->node_count,
                                     namenode_min_replicas(nn, file))) {
            put_in(nn, merge, file, first);
            merge_drop(nn, merge);
        }
    }
}

/* --- the end ------------------------------------------------------------------------- */

void namenode_compact_check(const struct namenode *nn, void (*expect)(bool, const char *))
{
    size_t cursor = 0;
    uint64_t block_id = 0;
    expect(map_u64_count(nn->merges) <= NAMENODE_MERGES_MAX, "NN-23");
    while (map_u64_next(nn->merges, &cursor, &block_id, NULL)) {
        expect(block_id <= nn->reserved_up_to && map_u64_get(nn->blocks, block_id) == NULL,
               "NN-23");
    }
}

void namenode_compact_close(struct namenode *nn)
{
    size_t cursor = 0;
    void *value = NULL;
    while (map_u64_next(nn->merges, &cursor, NULL, &value)) {
        merge_drop(nn, value);
    }
    map_u64_close(nn->merges);
    cursor = 0;
    while (map_u64_next(nn->compact_waiting, &cursor, NULL, &value)) {
        mem_free(value);
    }
    map_u64_close(nn->compact_waiting);
}
