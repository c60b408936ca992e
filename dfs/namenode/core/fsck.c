/*
 * fsck.c - CheckFiles: every file, block and replica below a path, page by page.
 * Changes nothing. A page begins after the path with which the last one ended, whether that still
 * exists or not, so a walk ends although the tree changes under it.
 */
#include "dfs/namenode/core/state.h"
#include "lib/base/check.h"
#include "lib/base/mem.h"
#include "lib/model/path.h"

enum {
    PAGE_BLOCKS_MAX = 10000, /* a page ends after the file that reaches them */
    PAGE_INODES_MAX = 50000, /* inodes looked at: a step stays short */
};

/* --- one file ------------------------------------------------------------------------ */

static enum dfs_replica_condition condition_of_service(const struct tracked *node)
{
    switch ((enum dfs_datanode_admin_state)node->service) {
    case ADMIN_DECOMMISSIONING:
        return CHECKED_DECOMMISSIONING;
    case ADMIN_DECOMMISSIONED:
        return CHECKED_DECOMMISSIONED;
    case ADMIN_ENTERING_MAINTENANCE:
    case ADMIN_IN_MAINTENANCE:
        return CHECKED_MAINTENANCE;
    case ADMIN_IN_SERVICE:
    case DFS_DATANODE_ADMIN_STATE_COUNT:
        break;
    }
    return CHECKED_GOOD;
}

static enum dfs_replica_condition condition_of_node(const struct tracked *node)
{
    if (!namenode_node_is_in_service(node)) {
        return condition_of_service(node);
    }
    switch ((enum tracked_state)node->state) {
    case TRACKED_LIVE:
        return CHECKED_GOOD;
    case TRACKED_STALE:
        return CHECKED_STALE;
    case TRACKED_ABSENT:
    case TRACKED_LOST:
    case TRACKED_GIVEN_UP:
    case TRACKED_STATE_COUNT:
        break;
    }
    return CHECKED_LOST;
}

static enum dfs_replica_condition condition_of(const struct replica *replica)
{
    switch ((enum replica_state)replica->state) {
    case REPLICA_EXPECTED:
        return CHECKED_COPYING;
    case REPLICA_CORRUPT:
        return CHECKED_CORRUPT;
    case REPLICA_DELETING:
        return CHECKED_DELETING;
    case REPLICA_STORED:
    case REPLICA_GONE:
    case REPLICA_STATE_COUNT:
        break;
    }
    return condition_of_node(replica->node);
}

static void check_block(struct namenode *nn,
                        const struct block *block,
                        struct dfs_checked_block *ret_block)
{
    struct dfs_checked_replica *replicas =
        ARENA_ARRAY(nn->actions->arena, struct dfs_checked_replica, block->replica_count + 1);
    bool has_corrupt = false;
    for (size_t i = 0; i < block->replica_count; i++) {
        const struct replica *replica = block->replicas[i];
        replicas[i] = (struct dfs_checked_replica){
            .node_id = replica->node->endpoint.node_id,
            .host = replica->node->endpoint.host,
            .rack = replica->node->endpoint.rack,
            .condition = condition_of(replica),
        };
        has_corrupt = has_corrupt || replica->state == REPLICA_CORRUPT;
    }
    bool is_sealed = block->state == BLOCK_SEALED;
    *ret_block = (struct dfs_checked_block){
        .block_id = block->id,
        .length = block->length,
        .crc32c = block->crc32c,
        .wanted = namenode_block_wanted(block),
        .good = (uint32_t)namenode_block_good(block),
        .replicas = replicas,
        .replicas_count = block->replica_count,
        .is_missing = block->health == HEALTH_MISSING,
        .is_corrupt = block->health == HEALTH_MISSING && has_corrupt,
        .is_under_replicated = block->health == HEALTH_UNDER,
        .is_misplaced =
            is_sealed && block->health != HEALTH_MISSING && namenode_block_is_misplaced(nn, block),
        .is_open = !is_sealed,
    };
}

static void check_file(struct namenode *nn,
                       const struct inode *file,
                       struct dfs_checked_file *ret_file)
{
    struct arena *arena = nn->actions->arena;
    namenode_inode_status(file, namenode_inode_path(file, arena), &ret_file->status);
    struct dfs_checked_block *blocks =
        ARENA_ARRAY(arena, struct dfs_checked_block, file->block_count + 1);
    for (size_t i = 0; i < file->block_count; i++) {
        check_block(nn, file->blocks[i], &blocks[i]);
    }
    ret_file->blocks = blocks;
    ret_file->blocks_count = file->block_count;
}

/* --- the walk ------------------------------------------------------------------------ */

/* What follows inode and all below it. */
static struct inode *after_subtree(const struct inode *top, const struct inode *inode)
{
    while (inode != top) {
        struct inode *next =
            namenode_inode_next_child(inode->parent, inode->name, inode->state == INODE_WRITING);
        if (next != NULL) {
            return next;
        }
        inode = inode->parent;
    }
    return NULL;
}

/*
 * The first inode of the walk below top that comes after the names in rest (normal, below top),
 * which may be gone. False: the caller may not read a directory on the way, and has been told so.
 */
static bool first_after(struct namenode *nn,
                        struct inode *top,
                        struct slice rest,
                        struct inode **ret_first)
{
    struct inode *directory = top;
    struct slice name;
    while (path_next_name(&rest, &name)) {
        struct inode *next = namenode_inode_installed(nn, directory, name);
        if (next == NULL || !namenode_inode_is_directory(next)) {
            /* A file, or gone. Both files of a name were on one page. */
            next = namenode_inode_next_child(directory, name, true);
            *ret_first = next != NULL ? next : after_subtree(top, directory);
            return true;
        }
        directory = next;
        if (!namenode_access_check(nn, directory, ACCESS_READ | ACCESS_EXECUTE)) {
            return false;
        }
    }
    *ret_first = namenode_inode_walk(top, directory);
    return true;
}

/* Where the page begins; NULL: nowhere. False: the call failed. */
static bool find_start(struct namenode *nn,
                       const struct dfs_check_files_request *request,
                       struct inode *top,
                       struct inode **ret_first)
{
    struct error error = {0};
    struct slice after = slice_make(NULL, 0);
    *ret_first = top;
    if (request->start_after.length == 0) {
        return true;
    }
    if (path_normalise(request->start_after, nn->actions->arena, &after, &error) != OK) {
        namenode_fail(nn, ERR_INVALID, "start_after: %s", error.text);
        return false;
    }
    struct slice path = namenode_inode_path(top, nn->actions->arena);
    if (!path_is_within(after, path)) {
        namenode_fail(nn, ERR_INVALID, "start_after: %.*s is not below %.*s", SLICE_ARGS(after),
                      SLICE_ARGS(path));
        return false;
    }
    if (!namenode_inode_is_directory(top)) {
        *ret_first = NULL;
        return true;
    }
    size_t skipped = path_is_root(path) ? 0 : path.length;
    return first_after(nn, top, slice_sub(after, skipped, after.length - skipped), ret_first);
}

struct page {
    struct dfs_checked_file *files;
    size_t count;
    size_t capacity;
    size_t blocks;
    size_t inodes;
    uint64_t directories;
    const struct inode *last; /* NULL: the page is empty */
};

/* True when the page may end before inode: never between the two files of one name. */
static bool is_full(const struct page *page, size_t limit, const struct inode *inode)
{
    bool is_enough =
        page->count >= limit || page->blocks >= PAGE_BLOCKS_MAX || page->inodes >= PAGE_INODES_MAX;
    return is_enough && page->last != NULL &&
           (inode->parent != page->last->parent || !slice_equal(inode->name, page->last->name));
}

static bool add_inode(struct namenode *nn, struct page *page, const struct inode *inode)
{
    bool is_directory = namenode_inode_is_directory(inode);
    unsigned bits = is_directory ? ACCESS_READ | ACCESS_EXECUTE : ACCESS_READ;
    if (!namenode_access_check(nn, inode, bits)) {
        return false;
    }
    page->inodes++;
    page->last = inode;
    if (is_directory) {
        page->directories++;
        return true;
    }
    page->files = mem_reserve(page->files, page->count, &page->capacity, sizeof(*page->files));
    page->files[page->count] = (struct dfs_checked_file){0};
    check_file(nn, inode, &page->files[page->count++]);
    page->blocks += inode->block_count;
    return true;
}

static void reply_page(struct namenode *nn, const struct page *page, bool has_more)
{
    struct dfs_check_files_response response = {
        .files = page->files,
        .files_count = page->count,
        .has_more = has_more,
        .directory_count = page->directories,
        .rack_count = (uint32_t)nn->live_rack_count,
        .replication = nn->settings.replication,
    };
    size_t cursor = 0;
    void *value = NULL;
    while (map_u64_next(nn->nodes, &cursor, NULL, &value)) {
        response.datanode_count += namenode_node_is_usable(value) ? 1 : 0;
    }
    if (has_more) {
        response.next_after = namenode_inode_path(page->last, nn->actions->arena);
    }
    namenode_reply(nn, &response);
}

void namenode_check_files(struct namenode *nn, const struct dfs_check_files_request *request)
{
    struct target target;
    struct inode *at = NULL;
    struct inode *top = namenode_path_find(nn, request->path, &target);
    if (top == NULL || !find_start(nn, request, top, &at)) {
        return;
    }
    size_t limit = nn->settings.list_limit;
    if (request->limit > 0 && request->limit < limit) {
        limit = request->limit;
    }
    struct page page = {0};
    bool may_read = true;
    while (at != NULL && may_read && !is_full(&page, limit, at)) {
        may_read = add_inode(nn, &page, at);
        at = namenode_inode_walk(top, at);
    }
    if (may_read) {
        reply_page(nn, &page, at != NULL);
    }
    mem_free(page.files);
}
