/*
 * tree.c - the calls that change the tree of names: mkdirs, rename, delete.
 * Every change is journaled inode by inode, as it is after the change, parents before children.
 */
#include "dfs/namenode/core/state.h"

enum {
    DIRECTORY_PERMISSION = 0755,
};

struct inode *namenode_make_directory(struct namenode *nn,
                                      struct inode *parent,
                                      struct slice name,
                                      uint32_t permission)
{
    struct inode *inode = namenode_inode_new(nn, namenode_new_id(nn), FILE_DIRECTORY);
    inode->state = namenode_transition(&namenode_inode_table, inode->state, INODE_INSTALL);
    namenode_inode_set_name(inode, name);
    inode->permission = permission;
    inode->owner = namenode_intern(nn, nn->event->user);
    inode->group = parent->group; /* as HDFS */
    inode->modified_ms = nn->wall_ms;
    namenode_inode_attach(nn, inode, parent);
    namenode_record_inode(nn, inode);
    return inode;
}

struct inode *namenode_make_parents(struct namenode *nn,
                                    const struct target *target,
                                    uint32_t permission)
{
    struct inode *directory = target->deepest;
    if (target->missing > 0) {
        namenode_inode_touch(nn, directory);
    }
    size_t first = target->path.count - 1 - target->missing;
    for (size_t i = 0; i < target->missing; i++) {
        struct slice name = target->path.names[first + i];
        directory = namenode_make_directory(nn, directory, name, permission);
    }
    return directory;
}

bool namenode_has_room(struct namenode *nn, size_t inodes)
{
    if (map_u64_count(nn->inodes) + inodes <= nn->settings.inodes_max) {
        return true;
    }
    namenode_fail(nn, ERR_LIMIT, "the namespace is full: %llu inodes",
                  (unsigned long long)nn->settings.inodes_max);
    return false;
}

void namenode_remove_journaled(struct namenode *nn, struct inode *inode)
{
    namenode_record_remove(nn, inode->id);
    namenode_inode_remove(nn, inode);
}

/* --- mkdirs -------------------------------------------------------------------------- */

static void mkdirs_over(struct namenode *nn,
                        const struct dfs_mkdirs_request *request,
                        const struct target *target)
{
    bool is_directory = target->installed != NULL && namenode_inode_is_directory(target->installed);
    if (!is_directory || !request->create_parents) {
        namenode_fail(nn, ERR_EXISTS, "%.*s exists", SLICE_ARGS(request->path));
        return;
    }
    namenode_mutation_done(nn, request->client_id, request->request_id, target->installed->id);
    namenode_reply(nn, &(struct dfs_mkdirs_response){0});
}

void namenode_mkdirs(struct namenode *nn, const struct dfs_mkdirs_request *request)
{
    struct target target;
    if (namenode_mutation_is_answered(nn, request->client_id, request->request_id) ||
        !namenode_path_resolve(nn, request->path, request->create_parents, &target)) {
        return;
    }
    if (target.installed != NULL || target.writing != NULL) {
        mkdirs_over(nn, request, &target);
        return;
    }
    if (!namenode_access_check(nn, target.deepest, ACCESS_WRITE | ACCESS_EXECUTE) ||
        !namenode_has_room(nn, target.missing + 1) ||
        !namenode_quota_allows(nn, target.deepest, NULL, (int64_t)target.missing + 1, 0)) {
        return;
    }
    uint32_t permission = request->permission & LIMIT_PERMISSION;
    permission = permission == 0 ? DIRECTORY_PERMISSION : permission;
    /* The owner must be able to go on below the parents. */
    struct inode *parent = namenode_make_parents(nn, &target, permission | 0300U);
    namenode_inode_touch(nn, parent);
    struct inode *made = namenode_make_directory(nn, parent, target.name, permission);
    namenode_mutation_done(nn, request->client_id, request->request_id, made->id);
    namenode_reply(nn, &(struct dfs_mkdirs_response){0});
}

/* --- rename -------------------------------------------------------------------------- */

/* Finds the directory and the name that the source gets; false: failed. */
static bool resolve_destination(struct namenode *nn,
                                const struct dfs_rename_request *request,
                                const struct inode *source,
                                struct inode **ret_parent,
                                struct slice *ret_name)
{
    struct target target;
    if (!namenode_path_resolve(nn, request->destination, false, &target)) {
        return false;
    }
    struct inode *parent = target.parent;
    struct slice name = target.name;
    if (target.installed != NULL && namenode_inode_is_directory(target.installed)) {
        parent = target.installed;
        name = source->name;
        if (!namenode_access_check(nn, parent, ACCESS_EXECUTE)) {
            return false;
        }
    }
    if (namenode_inode_is_below(parent, source)) {
        namenode_fail(nn, ERR_INVALID, "%.*s cannot move into itself", SLICE_ARGS(request->source));
        return false;
    }
    if (namenode_inode_installed(nn, parent, name) != NULL ||
        namenode_inode_writing(nn, parent, name) != NULL) {
        struct slice path = namenode_inode_path(parent, nn->actions->arena);
        namenode_fail(nn, ERR_EXISTS, "%.*s already holds %.*s", SLICE_ARGS(path),
                      SLICE_ARGS(name));
        return false;
    }
    if (!namenode_access_check(nn, parent, ACCESS_WRITE | ACCESS_EXECUTE)) {
        return false;
    }
    *ret_parent = parent;
    *ret_name = name;
    return true;
}

static bool quotas_allow_move(struct namenode *nn,
                              const struct inode *source,
                              const struct inode *parent)
{
    struct usage usage = nn->moving_usage;
    return namenode_quota_allows(nn, parent, source, (int64_t)usage.names, (int64_t)usage.bytes);
}

void namenode_rename(struct namenode *nn, const struct dfs_rename_request *request)
{
    struct target from;
    if (namenode_mutation_is_answered(nn, request->client_id, request->request_id)) {
        return;
    }
    struct inode *source = namenode_path_find(nn, request->source, &from);
    if (source == NULL) {
        return;
    }
    if (source->parent == NULL) {
        namenode_fail(nn, ERR_INVALID, "the root cannot be renamed");
        return;
    }
    if (source->state == INODE_WRITING) {
        namenode_fail(nn, ERR_BUSY, "%.*s is being written", SLICE_ARGS(request->source));
        return;
    }
    struct inode *parent = NULL;
    struct slice name;
    if (!namenode_lease_is_free(nn, source) || !namenode_access_check_removal(nn, source) ||
        !resolve_destination(nn, request, source, &parent, &name)) {
        return;
    }
    namenode_quota_begin_move(nn, source, parent);
    if (!quotas_allow_move(nn, source, parent)) {
        namenode_quota_end_move(nn);
        return;
    }
    name = arena_copy(nn->actions->arena, name); /* it may be the source's own */
    struct inode *old_parent = source->parent;
    namenode_inode_detach(nn, source);
    namenode_inode_set_name(source, name);
    namenode_inode_attach(nn, source, parent);
    namenode_quota_end_move(nn);
    namenode_record_inode(nn, source);
    namenode_inode_touch(nn, old_parent);
    if (parent != old_parent) {
        namenode_inode_touch(nn, parent);
    }
    namenode_mutation_done(nn, request->client_id, request->request_id, source->id);
    namenode_reply(nn, &(struct dfs_rename_response){0});
}

/* --- delete -------------------------------------------------------------------------- */

void namenode_delete(struct namenode *nn, const struct dfs_delete_request *request)
{
    struct target target;
    if (namenode_mutation_is_answered(nn, request->client_id, request->request_id)) {
        return;
    }
    struct inode *inode = namenode_path_find(nn, request->path, &target);
    if (inode == NULL) {
        return;
    }
    if (inode->parent == NULL) {
        namenode_fail(nn, ERR_INVALID, "the root cannot be deleted");
        return;
    }
    if (inode->child_count > 0 && !request->recursive) {
        namenode_fail(nn, ERR_NOT_EMPTY, "%.*s is not empty", SLICE_ARGS(request->path));
        return;
    }
    unsigned all = ACCESS_READ | ACCESS_WRITE | ACCESS_EXECUTE;
    if (!namenode_access_check_removal(nn, inode) ||
        !namenode_access_check_below(nn, inode, all, true)) {
        return;
    }
    struct inode *parent = inode->parent;
    uint64_t id = inode->id;
    struct inode *writing = namenode_inode_writing(nn, parent, inode->name);
    if (writing != NULL && writing->is_append) {
        namenode_remove_journaled(nn, writing);
    }
    namenode_remove_journaled(nn, inode);
    namenode_inode_touch(nn, parent);
    namenode_mutation_done(nn, request->client_id, request->request_id, id);
    namenode_reply(nn, &(struct dfs_delete_response){0});
}
