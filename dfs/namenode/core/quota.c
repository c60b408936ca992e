/*
 * quota.c - limits on the names and bytes below directories, and the sums that they are held to.
 * A directory with a quota keeps its two sums; whoever attaches, detaches or fills an inode tells
 * here, and the sums of all directories above follow. Without any quota that costs one comparison.
 * A directory that moves is counted once, and not at all if the same quotas hold it before and
 * after.
 * Invariant: NN-21. Rules: docs/namespace.md.
 */
#include "dfs/namenode/core/state.h"
#include "lib/base/check.h"
#include "lib/base/mem.h"

static bool has_quota(const struct inode *inode)
{
    return inode->extra != NULL &&
           (inode->extra->name_quota != 0 || inode->extra->space_quota != 0);
}

/* --- counting ------------------------------------------------------------------------ */

uint64_t namenode_inode_space(const struct inode *inode)
{
    uint64_t bytes = inode->length;
    for (size_t i = inode->sealed_count; i < inode->block_count; i++) {
        bytes += inode->blocks[i]->length;
    }
    return bytes * inode->replication;
}

static bool is_beside_older(const struct namenode *nn, const struct inode *inode)
{
    return inode->state == INODE_WRITING && inode->parent != NULL &&
           namenode_inode_installed(nn, inode->parent, inode->name) != NULL;
}

struct usage namenode_quota_usage(const struct namenode *nn, const struct inode *inode)
{
    struct usage usage = {0};
    if (has_quota(inode)) {
        return (struct usage){.names = inode->extra->names, .bytes = inode->extra->bytes};
    }
    for (const struct inode *at = inode; at != NULL; at = namenode_inode_walk(inode, at)) {
        usage.names += is_beside_older(nn, at) ? 0 : 1;
        usage.bytes += namenode_inode_space(at);
    }
    return usage;
}

const struct inode *namenode_quota_above(const struct namenode *nn, const struct inode *inode)
{
    if (nn->quota_count == 0) {
        return NULL;
    }
    while (inode != NULL && !has_quota(inode)) {
        inode = inode->parent;
    }
    return inode;
}

static void add_above(const struct namenode *nn,
                      const struct inode *from,
                      uint64_t names,
                      uint64_t bytes)
{
    const struct inode *at = namenode_quota_above(nn, from);
    for (; at != NULL; at = namenode_quota_above(nn, at->parent)) {
        at->extra->names += names; /* unsigned: adding a negated number takes it away */
        at->extra->bytes += bytes;
    }
}

void namenode_quota_begin_move(struct namenode *nn,
                               const struct inode *inode,
                               const struct inode *parent)
{
    const struct inode *from = namenode_quota_above(nn, inode->parent);
    nn->moving = inode;
    nn->moving_usage = (struct usage){0};
    if (from != namenode_quota_above(nn, parent)) {
        nn->moving_usage = namenode_quota_usage(nn, inode);
    }
}

void namenode_quota_end_move(struct namenode *nn)
{
    nn->moving = NULL;
}

void namenode_quota_moved(struct namenode *nn, const struct inode *inode, bool is_added)
{
    if (namenode_quota_above(nn, inode->parent) == NULL) {
        return;
    }
    struct usage usage = inode == nn->moving ? nn->moving_usage : namenode_quota_usage(nn, inode);
    bool shares_name = inode->state == INODE_INSTALLED &&
                       namenode_inode_writing(nn, inode->parent, inode->name) != NULL;
    usage.names -= shares_name ? 1 : 0; /* while it is here, the other one does not count */
    if (is_added) {
        add_above(nn, inode->parent, usage.names, usage.bytes);
    } else {
        add_above(nn, inode->parent, 0 - usage.names, 0 - usage.bytes);
    }
}

void namenode_quota_grown(struct namenode *nn, const struct inode *file, int64_t bytes)
{
    if (bytes != 0 && nn->quota_count > 0) {
        add_above(nn, file->parent, 0, (uint64_t)bytes);
    }
}

void namenode_quota_set(struct namenode *nn,
                        struct inode *directory,
                        uint64_t names,
                        uint64_t bytes)
{
    bool had_one = has_quota(directory);
    bool gets_one = names != 0 || bytes != 0;
    if (!had_one && !gets_one) {
        return;
    }
    if (directory->extra == NULL) {
        directory->extra = MEM_NEW(struct directory_extra);
    }
    if (!had_one) {
        struct usage usage = namenode_quota_usage(nn, directory);
        directory->extra->names = usage.names;
        directory->extra->bytes = usage.bytes;
        nn->quota_count++;
    }
    directory->extra->name_quota = names;
    directory->extra->space_quota = bytes;
    if (!gets_one) {
        nn->quota_count--;
        directory->extra->names = 0;
        directory->extra->bytes = 0;
    }
}

/* --- asking -------------------------------------------------------------------------- */

static bool admits(struct namenode *nn,
                   const struct inode *directory,
                   const char *what,
                   uint64_t quota,
                   uint64_t used,
                   int64_t more)
{
    if (quota == 0 || more <= 0 || (used <= quota && (uint64_t)more <= quota - used)) {
        return true;
    }
    struct slice path = namenode_inode_path(directory, nn->actions->arena);
    namenode_fail(nn, ERR_QUOTA,
                  "the quota of %s on %.*s is %llu: %llu are used, %llu more are asked for", what,
                  SLICE_ARGS(path), (unsigned long long)quota, (unsigned long long)used,
                  (unsigned long long)more);
    return false;
}

bool namenode_quota_admits(struct namenode *nn,
                           const struct inode *directory,
                           int64_t names,
                           int64_t bytes)
{
    const struct directory_extra *extra = directory->extra;
    CHECK(extra != NULL);
    return admits(nn, directory, "names", extra->name_quota, extra->names, names) &&
           admits(nn, directory, "bytes", extra->space_quota, extra->bytes, bytes);
}

bool namenode_quota_allows(struct namenode *nn,
                           const struct inode *directory,
                           const struct inode *source,
                           int64_t names,
                           int64_t bytes)
{
    const struct inode *at = namenode_quota_above(nn, directory);
    for (; at != NULL; at = namenode_quota_above(nn, at->parent)) {
        if (source != NULL && namenode_inode_is_below(source, at)) {
            return true; /* and so do those above */
        }
        if (!namenode_quota_admits(nn, at, names, bytes)) {
            return false;
        }
    }
    return true;
}
