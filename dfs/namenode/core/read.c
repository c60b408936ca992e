/*
 * read.c - the calls that only look: status, listing, blocks, content summary, the cluster.
 * Changes nothing but access times and the random numbers that spread readers over equally near
 * replicas.
 */
#include "dfs/namenode/core/state.h"
#include "lib/base/check.h"

void namenode_get_status(struct namenode *nn, const struct dfs_get_status_request *request)
{
    struct target target;
    const struct inode *inode = namenode_path_find(nn, request->path, &target);
    if (inode == NULL) {
        return;
    }
    struct dfs_get_status_response response;
    namenode_inode_status(inode, namenode_inode_path(inode, nn->actions->arena), &response.status);
    namenode_reply(nn, &response);
}

/* --- listing ------------------------------------------------------------------------- */

static void list_directory(struct namenode *nn,
                           const struct dfs_list_status_request *request,
                           const struct inode *directory)
{
    uint32_t limit = nn->settings.list_limit;
    if (request->limit > 0 && request->limit < limit) {
        limit = request->limit;
    }
    size_t room = directory->child_count < limit ? directory->child_count : limit;
    struct dfs_file_status *entries =
        ARENA_ARRAY(nn->actions->arena, struct dfs_file_status, room + 1);
    size_t count = 0;
    /* After both files of a name: one that is to overwrite hides behind the older one. */
    const struct inode *child = namenode_inode_next_child(directory, request->start_after, true);
    while (child != NULL && count < limit) {
        namenode_inode_status(child, child->name, &entries[count++]);
        child = namenode_inode_next_child(directory, child->name, true);
    }
    struct dfs_list_status_response response = {
        .entries = entries, .entries_count = count, .has_more = child != NULL};
    namenode_reply(nn, &response);
}

void namenode_list_status(struct namenode *nn, const struct dfs_list_status_request *request)
{
    struct target target;
    const struct inode *inode = namenode_path_find(nn, request->path, &target);
    if (inode == NULL) {
        return;
    }
    if (namenode_inode_is_directory(inode)) {
        if (namenode_access_check(nn, inode, ACCESS_READ)) {
            list_directory(nn, request, inode);
        }
        return;
    }
    struct dfs_file_status entry;
    namenode_inode_status(inode, inode->name, &entry);
    bool is_before = slice_compare(request->start_after, inode->name) < 0;
    struct dfs_list_status_response response = {.entries = &entry,
                                                .entries_count = is_before ? 1 : 0};
    namenode_reply(nn, &response);
}

/* --- blocks -------------------------------------------------------------------------- */

/* Smaller is nearer: suspect ones last; live before stale before lost, of these the slow and those
 * out of service last, then host, rack, elsewhere, then by lot. */
static uint64_t reading_cost(struct namenode *nn,
                             const struct replica *replica,
                             struct slice host,
                             const struct rack *rack)
{
    const struct tracked *node = replica->node;
    uint64_t distance = 2;
    if (host.length > 0 && slice_equal(node->endpoint.host, host)) {
        distance = 0;
    } else if (rack != NULL && node->rack == rack) {
        distance = 1;
    }
    uint64_t trouble = 2 * (uint64_t)node->state;
    trouble += namenode_node_is_in_service(node) && !node->is_slow ? 0 : 1;
    trouble += replica->is_suspect ? 2 * (uint64_t)TRACKED_STATE_COUNT : 0;
    return (trouble << 34) | (distance << 32) | rng_below(&nn->rng, UINT32_MAX);
}

static const struct rack *rack_of_host(const struct namenode *nn, struct slice host)
{
    size_t cursor = 0;
    void *value = NULL;
    while (host.length > 0 && map_u64_next(nn->nodes, &cursor, NULL, &value)) {
        const struct tracked *node = value;
        if (slice_equal(node->endpoint.host, host)) {
            return node->rack;
        }
    }
    return NULL;
}

static void locate_block(struct namenode *nn,
                         const struct block *block,
                         struct slice host,
                         const struct rack *rack,
                         struct dfs_located_block *ret_located)
{
    struct dfs_block_replica *replicas =
        ARENA_ARRAY(nn->actions->arena, struct dfs_block_replica, block->replica_count + 1);
    uint64_t *costs = ARENA_ARRAY(nn->actions->arena, uint64_t, block->replica_count + 1);
    size_t count = 0;
    for (size_t i = 0; i < block->replica_count; i++) {
        const struct tracked *node = block->replicas[i]->node;
        if (block->replicas[i]->state != REPLICA_STORED) {
            continue;
        }
        uint64_t cost = reading_cost(nn, block->replicas[i], host, rack);
        size_t at = count++;
        for (; at > 0 && costs[at - 1] > cost; at--) {
            costs[at] = costs[at - 1];
            replicas[at] = replicas[at - 1];
        }
        costs[at] = cost;
        replicas[at] = (struct dfs_block_replica){.node = node->endpoint,
                                                  .is_stale = node->state != TRACKED_LIVE};
    }
    ret_located->block_id = block->id;
    ret_located->length = block->length;
    ret_located->crc32c = block->crc32c;
    ret_located->replicas = replicas;
    ret_located->replicas_count = count;
    ret_located->is_corrupt = count == 0;
    ret_located->token = namenode_grant_caller(nn, block->id, BLOCK_READ);
}

/* After a restart a block of which no datanode has told a good replica yet is not lost: the reader
 * asks again. */
static bool is_not_found_yet(struct namenode *nn, const struct block *block)
{
    if (nn->mode == MODE_OPEN || namenode_block_stored(block) > 0) {
        return false;
    }
    namenode_fail(nn, ERR_SAFE_MODE,
                  "safe mode: no good replica of block %016llx has been found yet",
                  (unsigned long long)block->id);
    return true;
}

void namenode_get_blocks(struct namenode *nn, const struct dfs_get_blocks_request *request)
{
    struct target target;
    struct inode *inode = namenode_path_find(nn, request->path, &target);
    if (inode == NULL) {
        return;
    }
    if (namenode_inode_is_directory(inode)) {
        namenode_fail(nn, ERR_IS_DIRECTORY, "%.*s is a directory", SLICE_ARGS(request->path));
        return;
    }
    if (!namenode_access_check(nn, inode, ACCESS_READ)) {
        return;
    }
    struct arena *arena = nn->actions->arena;
    struct dfs_get_blocks_response response = {0};
    namenode_inode_status(inode, namenode_inode_path(inode, arena), &response.status);
    const struct rack *rack = rack_of_host(nn, request->client_host);
    struct dfs_located_block *blocks =
        ARENA_ARRAY(arena, struct dfs_located_block, inode->sealed_count + 1);
    uint64_t offset = 0;
    for (size_t i = 0; i < inode->sealed_count; i++) {
        const struct block *block = inode->blocks[i];
        bool is_after = request->length > 0 && offset >= request->offset &&
                        offset - request->offset >= request->length;
        if (is_after) {
            break;
        }
        if (offset + block->length > request->offset) {
            if (is_not_found_yet(nn, block)) {
                return;
            }
            struct dfs_located_block *located = &blocks[response.blocks_count++];
            located->offset = offset;
            locate_block(nn, block, request->client_host, rack, located);
        }
        offset += block->length;
    }
    response.blocks = blocks;
    namenode_inode_accessed(nn, inode);
    namenode_reply(nn, &response);
}

/* --- sums ---------------------------------------------------------------------------- */

void namenode_content_summary(struct namenode *nn,
                              const struct dfs_content_summary_request *request)
{
    struct target target;
    const struct inode *top = namenode_path_find(nn, request->path, &target);
    if (top == NULL || !namenode_access_check_below(nn, top, ACCESS_READ | ACCESS_EXECUTE, false)) {
        return;
    }
    struct dfs_content_summary_response response = {0};
    for (const struct inode *at = top; at != NULL; at = namenode_inode_walk(top, at)) {
        if (namenode_inode_is_directory(at)) {
            response.directory_count++;
            continue;
        }
        response.space_consumed += namenode_inode_space(at);
        bool is_hidden = at->state == INODE_WRITING &&
                         namenode_inode_installed(nn, at->parent, at->name) != NULL;
        response.file_count += is_hidden ? 0 : 1;
        response.length += is_hidden ? 0 : at->length;
    }
    if (top->extra != NULL) {
        response.name_quota = top->extra->name_quota;
        response.space_quota = top->extra->space_quota;
    }
    namenode_reply(nn, &response);
}

static enum dfs_datanode_state shown_state(const struct tracked *node)
{
    switch ((enum tracked_state)node->state) {
    case TRACKED_LIVE:
        return DATANODE_LIVE;
    case TRACKED_STALE:
        return DATANODE_STALE;
    case TRACKED_ABSENT:
    case TRACKED_LOST:
    case TRACKED_GIVEN_UP:
    case TRACKED_STATE_COUNT:
        break;
    }
    return DATANODE_LOST;
}

void namenode_datanode_info(const struct namenode *nn,
                            const struct tracked *node,
                            struct dfs_datanode_info *ret_info)
{
    *ret_info = (struct dfs_datanode_info){
        .node = node->endpoint,
        .state = shown_state(node),
        .capacity_bytes = node->capacity_bytes,
        .used_bytes = node->used_bytes,
        .free_bytes = node->free_bytes,
        .block_count = node->replicas.count,
        .silent_ms = (uint64_t)(nn->now_ms - node->heard_ms),
        .admin_state = (enum dfs_datanode_admin_state)node->service,
        .blocks_left = node->left_count,
        .maintenance_until_ms = node->until_ms,
        .rack = node->endpoint.rack,
        .volumes = node->volumes,
        .volumes_count = node->volume_count,
        .latencies = node->latencies,
        .is_slow = node->is_slow,
    };
}

void namenode_cluster_status(struct namenode *nn)
{
    size_t count = map_u64_count(nn->nodes);
    struct dfs_datanode_info *infos =
        ARENA_ARRAY(nn->actions->arena, struct dfs_datanode_info, count + 1);
    size_t cursor = 0;
    size_t at = 0;
    void *value = NULL;
    while (map_u64_next(nn->nodes, &cursor, NULL, &value)) {
        namenode_datanode_info(nn, value, &infos[at++]);
    }
    struct dfs_cluster_status_response response = {
        .datanodes = infos,
        .datanodes_count = at,
        .in_safe_mode = nn->mode != MODE_OPEN,
        .file_count = nn->file_count,
        .directory_count = nn->directory_count,
        .block_count = nn->sealed_count,
        .under_replicated_count = nn->health_counts[HEALTH_UNDER],
        .missing_count = nn->health_counts[HEALTH_MISSING],
        .cluster_id = nn->cluster_id,
    };
    namenode_reply(nn, &response);
}
