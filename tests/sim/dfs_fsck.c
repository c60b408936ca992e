/*
 * dfs_fsck.c - I12: when all is quiet, what the namenode says of every file, block and datanode,
 * what the datanodes say of themselves, the model and the disks agree.
 */
#include <stdio.h>
#include <string.h>

#include "tests/sim/dfs.h"

enum {
    PAGE = 7,
    PAUSE_MS = 2000,
    PAUSES = 60 /* what is under way (a balancer's move, a deletion) may end first */
};

struct tally {
    uint64_t files;
    uint64_t directories;
    uint64_t blocks;
};

static struct tally tally_model(const struct model *model)
{
    struct tally tally = {0};
    for (const struct model_node *node = model_walk(model, NULL); node;
         node = model_walk(model, node)) {
        tally.files += node->kind == FILE_REGULAR;
        tally.directories += node->kind == FILE_DIRECTORY;
        tally.blocks += node->blocks_count;
    }
    return tally;
}

static bool has_good(const struct world *world, const struct model_block *block, uint64_t node_id)
{
    const struct process *datanode = dfs_node_by_id(world, node_id);
    return datanode &&
           dfs_held_replicas(world, block, NULL) > dfs_held_replicas(world, block, datanode);
}

/* As the table says now, or the datanode. */
static bool is_in_its_rack(const struct world *world, const struct dfs_checked_replica *replica)
{
    const struct process *datanode = dfs_node_by_id(world, replica->node_id);
    char rack[24];
    if (!datanode)
        return false;
    (void)snprintf(rack, sizeof rack, "/rack%u", world->dfs->racks[dfs_disk(datanode)->node]);
    return slice_equal_string(replica->rack, rack);
}

static bool block_agrees(const struct world *world,
                         const struct dfs_checked_block *checked,
                         const struct model_block *block,
                         char *why,
                         size_t size)
{
    size_t good = 0;
    for (size_t i = 0; i < checked->replicas_count; i++) {
        const struct dfs_checked_replica *replica = &checked->replicas[i];
        bool is_there = has_good(world, block, replica->node_id);
        good += replica->condition == CHECKED_GOOD && is_there;
        if (replica->condition != CHECKED_GOOD || !is_there) {
            (void)snprintf(why, size, "the replica of block %llu on node %llu is %s, and is %s",
                           (unsigned long long)block->id, (unsigned long long)replica->node_id,
                           dfs_replica_condition_name(replica->condition),
                           is_there ? "there" : "not there");
            return false;
        }
        if (!is_in_its_rack(world, replica)) {
            (void)snprintf(why, size, "node %llu is said to be in %.*s",
                           (unsigned long long)replica->node_id, SLICE_ARGS(replica->rack));
            return false;
        }
    }
    bool is_clean = !checked->is_missing && !checked->is_corrupt && !checked->is_under_replicated &&
                    !checked->is_misplaced && !checked->is_open;
    bool is_same = checked->block_id == block->id && checked->length == block->length &&
                   checked->crc32c == block->crc32c;
    if (is_clean && is_same && checked->good == good && good == dfs_good_replicas(world, block))
        return true;
    (void)snprintf(why, size, "block %llu has %u good replicas of %u wanted, and %zu on the disks",
                   (unsigned long long)block->id, checked->good, checked->wanted,
                   dfs_good_replicas(world, block));
    return false;
}

static bool file_agrees(const struct world *world,
                        const struct dfs_checked_file *checked,
                        char *why,
                        size_t size)
{
    const struct model_node *file = model_node_by_id(world->dfs->model, checked->status.file_id);
    if (!file || file->kind != FILE_REGULAR || checked->blocks_count != file->blocks_count ||
        checked->status.under_construction) {
        (void)snprintf(why, size, "%.*s is another file", SLICE_ARGS(checked->status.path));
        return false;
    }
    for (size_t i = 0; i < file->blocks_count; i++) {
        if (!block_agrees(world, &checked->blocks[i], &file->blocks[i], why, size))
            return false;
        if (checked->blocks[i].wanted != file->replication) {
            (void)snprintf(why, size, "block %llu is wanted %u times instead of %u",
                           (unsigned long long)file->blocks[i].id, checked->blocks[i].wanted,
                           file->replication);
            return false;
        }
    }
    return true;
}

static bool files_agree(struct world *world, char *why, size_t size)
{
    struct dfs_check_files_request request = {.path = slice_from_string("/"), .limit = PAGE};
    struct tally seen = {0};
    const struct dfs_check_files_response *page = NULL;
    do {
        enum status status = OK;
        page = dfs_ask(world, METHOD_NAMENODE_CHECK_FILES, &request, &status);
        if (!page) {
            (void)snprintf(why, size, "CheckFiles: %s", status_name(status));
            return false;
        }
        seen.directories += page->directory_count;
        for (size_t i = 0; i < page->files_count; i++) {
            seen.files++;
            seen.blocks += page->files[i].blocks_count;
            if (!file_agrees(world, &page->files[i], why, size))
                return false;
        }
        request.start_after = page->next_after;
    } while (page->has_more);
    struct tally own = tally_model(world->dfs->model);
    if (memcmp(&own, &seen, sizeof own) == 0)
        return true;
    (void)snprintf(why, size, "CheckFiles names %llu files and %llu directories, not %llu and %llu",
                   (unsigned long long)seen.files, (unsigned long long)seen.directories,
                   (unsigned long long)own.files, (unsigned long long)own.directories);
    return false;
}

/* --- datanodes
 * ---------------------------------------------------------------------------------------- */
static uint64_t count_replicas(const struct disk *disk)
{
    uint64_t count = 0;
    struct disk_cursor cursor = {0};
    const struct disk_block *block;
    while ((block = disk_next(disk, &cursor)) != NULL)
        count += !disk->is_failed[block->volume];
    return count;
}

static bool datanode_agrees(const struct world *world,
                            const struct dfs_datanode_info *info,
                            char *why,
                            size_t size)
{
    const struct process *datanode = dfs_node_by_id(world, info->node.node_id);
    if (!datanode) {
        (void)snprintf(why, size, "datanode %llu is nobody",
                       (unsigned long long)info->node.node_id);
        return false;
    }
    if (!datanode->is_up)
        return true; /* lost for good */
    struct datanode_totals totals = datanode_totals(datanode->machine);
    uint64_t count = count_replicas(dfs_disk(datanode));
    if (info->state == DATANODE_LIVE && info->admin_state == ADMIN_IN_SERVICE &&
        info->block_count == count && totals.block_count == count && totals.corrupt_count == 0 &&
        totals.changes_waiting == 0 && totals.reserved_bytes == 0)
        return true;
    (void)snprintf(why, size, "dn%u has %llu replicas, says %llu, is said to have %llu (%s, %s)",
                   dfs_disk(datanode)->node, (unsigned long long)count,
                   (unsigned long long)totals.block_count, (unsigned long long)info->block_count,
                   dfs_datanode_state_name(info->state),
                   dfs_datanode_admin_state_name(info->admin_state));
    return false;
}

static bool sums_agree(struct world *world, char *why, size_t size)
{
    struct dfs_cluster_status_request request = {0};
    enum status status = OK;
    const struct dfs_cluster_status_response *said =
        dfs_ask(world, METHOD_NAMENODE_CLUSTER_STATUS, &request, &status);
    if (!said) {
        (void)snprintf(why, size, "ClusterStatus: %s", status_name(status));
        return false;
    }
    struct tally own = tally_model(world->dfs->model);
    if (said->file_count != own.files || said->directory_count != own.directories ||
        said->block_count != own.blocks || said->under_replicated_count != 0 ||
        said->missing_count != 0) {
        (void)snprintf(
            why, size, "there are %llu files, %llu directories and %llu blocks, not %llu",
            (unsigned long long)said->file_count, (unsigned long long)said->directory_count,
            (unsigned long long)said->block_count, (unsigned long long)own.blocks);
        return false;
    }
    for (size_t i = 0; i < said->datanodes_count; i++)
        if (!datanode_agrees(world, &said->datanodes[i], why, size))
            return false;
    return true;
}

/* The model judges the answers: the sums of the root and of every directory with a quota. */
static bool directories_agree(struct world *world, char *why, size_t size)
{
    const struct model *model = world->dfs->model;
    for (const struct model_node *node = model_walk(model, NULL); node;
         node = model_walk(model, node)) {
        char path[DFS_PATH_MAX] = "/";
        uint64_t id = node->id;
        if (node->parent && node->name_quota == 0 && node->space_quota == 0)
            continue;
        if (node->parent)
            dfs_path_of(node, path);
        struct dfs_content_summary_request request = {.path = slice_from_string(path)};
        enum status status = OK;
        bool is_told = dfs_ask(world, METHOD_NAMENODE_CONTENT_SUMMARY, &request, &status) != NULL;
        if (!is_told || model_node_by_id(model, id) != node) {
            (void)snprintf(why, size, "ContentSummary of %s: %s", path, status_name(status));
            return false;
        }
    }
    return true;
}

void dfs_fsck(struct world *world)
{
    char why[200] = "";
    for (int i = 0; i < PAUSES && !world->has_failed; i++) {
        if (files_agree(world, why, sizeof why) && sums_agree(world, why, sizeof why) &&
            directories_agree(world, why, sizeof why))
            return;
        dfs_run_until(world, world->now_ms + PAUSE_MS);
    }
    world_fail(world, "I12 %s", why);
}
