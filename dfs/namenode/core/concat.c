/*
 * concat.c - the blocks of several files put behind those of one, which are all that moves.
 * Everything is verified before anything is changed. Rules: docs/namespace.md.
 */
#include "dfs/namenode/core/state.h"
#include "lib/base/check.h"

struct concat {
    const struct dfs_concat_request *request;
    struct inode *target;
    struct inode **sources;
};

/* A complete file that nobody writes. NULL: failed. */
static struct inode *find_complete(struct namenode *nn, struct slice path)
{
    struct target target;
    struct inode *file = namenode_path_find(nn, path, &target);
    if (file == NULL) {
        return NULL;
    }
    if (namenode_inode_is_directory(file)) {
        namenode_fail(nn, ERR_IS_DIRECTORY, "%.*s is a directory", SLICE_ARGS(path));
        return NULL;
    }
    return namenode_lease_is_free(nn, file) ? file : NULL;
}

static bool may_take_source(struct namenode *nn,
                            const struct concat *concat,
                            struct slice path,
                            const struct inode *source)
{
    if (source->block_size > concat->target->block_size) {
        namenode_fail(nn, ERR_INVALID, "%.*s has blocks of up to %llu bytes, %.*s of %llu",
                      SLICE_ARGS(path), (unsigned long long)source->block_size,
                      SLICE_ARGS(concat->request->target),
                      (unsigned long long)concat->target->block_size);
        return false;
    }
    return namenode_access_check(nn, source, ACCESS_READ) &&
           namenode_access_check_removal(nn, source);
}

static bool find_sources(struct namenode *nn, struct concat *concat, struct map_u64 *seen)
{
    size_t blocks = concat->target->block_count;
    (void)map_u64_put(seen, concat->target->id, concat->target); /* it was absent */
    for (size_t i = 0; i < concat->request->sources_count; i++) {
        struct slice path = concat->request->sources[i];
        struct inode *source = find_complete(nn, path);
        if (source == NULL) {
            return false;
        }
        if (map_u64_get(seen, source->id) != NULL) {
            namenode_fail(nn, ERR_INVALID, "%.*s is given twice", SLICE_ARGS(path));
            return false;
        }
        (void)map_u64_put(seen, source->id, source); /* it was absent */
        if (!may_take_source(nn, concat, path, source)) {
            return false;
        }
        concat->sources[i] = source;
        blocks += source->block_count;
    }
    if (blocks > nn->settings.blocks_per_file_max) {
        namenode_fail(nn, ERR_LIMIT, "a file has at most %u blocks, not %zu",
                      nn->settings.blocks_per_file_max, blocks);
        return false;
    }
    return true;
}

/* What a directory holds already is counted with the source's replication, then with the target's.
 */
static bool quotas_allow(struct namenode *nn, const struct concat *concat)
{
    const struct inode *at = namenode_quota_above(nn, concat->target->parent);
    for (; at != NULL; at = namenode_quota_above(nn, at->parent)) {
        int64_t more = 0;
        for (size_t i = 0; i < concat->request->sources_count; i++) {
            const struct inode *source = concat->sources[i];
            bool is_here = namenode_inode_is_below(source, at);
            more += (int64_t)(source->length * concat->target->replication);
            more -= is_here ? (int64_t)namenode_inode_space(source) : 0;
        }
        if (!namenode_quota_admits(nn, at, 0, more)) {
            return false;
        }
    }
    return true;
}

static void join(struct namenode *nn, const struct concat *concat)
{
    struct inode *target = concat->target;
    size_t first = target->block_count;
    size_t count = concat->request->sources_count;
    for (size_t i = 0; i < count; i++) {
        namenode_blocklist_join(nn, target, concat->sources[i]);
    }
    for (size_t i = first; i < target->block_count; i++) {
        namenode_block_review(nn, target->blocks[i]); /* another replication may hold now */
    }
    target->modified_ms = nn->wall_ms;
    namenode_record_inode(nn, target);
    struct inode *touched = NULL;
    for (size_t i = 0; i < count; i++) {
        struct inode *parent = concat->sources[i]->parent;
        namenode_remove_journaled(nn, concat->sources[i]);
        if (parent != touched) {
            namenode_inode_touch(nn, parent);
            touched = parent;
        }
    }
    namenode_compact_consider(nn, target);
}

void namenode_concat(struct namenode *nn, const struct dfs_concat_request *request)
{
    if (namenode_mutation_is_answered(nn, request->client_id, request->request_id)) {
        return;
    }
    if (request->sources_count == 0 || request->sources_count > LIMIT_PUBLISH_ENTRIES) {
        namenode_fail(nn, ERR_INVALID, "concat takes 1 to %d sources, not %zu",
                      (int)LIMIT_PUBLISH_ENTRIES, request->sources_count);
        return;
    }
    struct concat concat = {.request = request, .target = find_complete(nn, request->target)};
    if (concat.target == NULL || !namenode_access_check(nn, concat.target, ACCESS_WRITE)) {
        return;
    }
    concat.sources = ARENA_ARRAY(nn->actions->arena, struct inode *, request->sources_count);
    struct map_u64 *seen = map_u64_open();
    bool is_possible = find_sources(nn, &concat, seen) && quotas_allow(nn, &concat);
    map_u64_close(seen);
    if (!is_possible) {
        return;
    }
    join(nn, &concat);
    namenode_mutation_done(nn, request->client_id, request->request_id, concat.target->id);
    namenode_reply(nn, &(struct dfs_concat_response){0});
}
