/*
 * attributes.c - the calls that change one inode and no name: permission, owner, times,
 * replication, quota. Rules: docs/namespace.md.
 */
#include "dfs/namenode/core/state.h"

enum {
    PERMISSION_MASK = 022, /* what clients leave out by default */
    ACCESSED_MAX = 100000, /* files whose access is noted at a time; of others it is forgotten */
};

/* The inode of path, unless the call is a repetition or refused. NULL: answered. */
static struct inode *find_for_change(struct namenode *nn,
                                     uint64_t client_id,
                                     uint64_t request_id,
                                     struct slice path)
{
    struct target target;
    if (namenode_mutation_is_answered(nn, client_id, request_id)) {
        return NULL;
    }
    return namenode_path_find(nn, path, &target);
}

void namenode_set_permission(struct namenode *nn, const struct dfs_set_permission_request *request)
{
    struct inode *inode =
        find_for_change(nn, request->client_id, request->request_id, request->path);
    if (inode == NULL || !namenode_access_check_owner(nn, inode)) {
        return;
    }
    if ((request->permission & ~(uint32_t)LIMIT_PERMISSION) != 0) {
        namenode_fail(nn, ERR_INVALID, "%o is not a permission", request->permission);
        return;
    }
    inode->permission = request->permission;
    namenode_record_inode(nn, inode);
    namenode_mutation_done(nn, request->client_id, request->request_id, inode->id);
    namenode_reply(nn, &(struct dfs_set_permission_response){0});
}

/* --- owner and group ----------------------------------------------------------------- */

static bool may_set_owner(struct namenode *nn,
                          const struct dfs_set_owner_request *request,
                          const struct inode *inode)
{
    if (namenode_is_superuser(nn, nn->event->user)) {
        return true;
    }
    if (request->owner.length > 0 && !slice_equal(request->owner, inode->owner)) {
        namenode_fail(nn, ERR_DENIED, "only the superuser gives files away");
        return false;
    }
    if (!namenode_access_check_owner(nn, inode)) {
        return false;
    }
    if (request->group.length > 0 && !slice_equal(request->group, inode->group) &&
        !namenode_access_is_member(nn, request->group)) {
        namenode_fail(nn, ERR_DENIED, "%.*s is not in group %.*s", SLICE_ARGS(nn->event->user),
                      SLICE_ARGS(request->group));
        return false;
    }
    return true;
}

void namenode_set_owner(struct namenode *nn, const struct dfs_set_owner_request *request)
{
    struct inode *inode =
        find_for_change(nn, request->client_id, request->request_id, request->path);
    if (inode == NULL || !may_set_owner(nn, request, inode)) {
        return;
    }
    if (request->owner.length > LIMIT_OWNER_BYTES || request->group.length > LIMIT_OWNER_BYTES) {
        namenode_fail(nn, ERR_INVALID, "the name of an owner or group is too long");
        return;
    }
    if (request->owner.length > 0) {
        inode->owner = namenode_intern(nn, request->owner);
    }
    if (request->group.length > 0) {
        inode->group = namenode_intern(nn, request->group);
    }
    namenode_record_inode(nn, inode);
    namenode_mutation_done(nn, request->client_id, request->request_id, inode->id);
    namenode_reply(nn, &(struct dfs_set_owner_response){0});
}

/* --- times --------------------------------------------------------------------------- */

void namenode_set_times(struct namenode *nn, const struct dfs_set_times_request *request)
{
    struct inode *inode =
        find_for_change(nn, request->client_id, request->request_id, request->path);
    if (inode == NULL || !namenode_access_check(nn, inode, ACCESS_WRITE)) {
        return;
    }
    if (request->modified_ms > INT64_MAX || request->accessed_ms > INT64_MAX) {
        namenode_fail(nn, ERR_INVALID, "a time is 0 to %lld ms since 1970", (long long)INT64_MAX);
        return;
    }
    if (request->set_modified) {
        inode->modified_ms = request->modified_ms;
    }
    if (request->set_accessed) {
        inode->accessed_ms = request->accessed_ms;
    }
    namenode_record_inode(nn, inode);
    namenode_mutation_done(nn, request->client_id, request->request_id, inode->id);
    namenode_reply(nn, &(struct dfs_set_times_response){0});
}

void namenode_inode_accessed(struct namenode *nn, const struct inode *file)
{
    uint64_t precision_ms = (uint64_t)nn->settings.access_time_precision_ms;
    bool is_due = precision_ms > 0 && nn->wall_ms >= precision_ms &&
                  nn->wall_ms - precision_ms >= file->accessed_ms;
    if (is_due && nn->mode == MODE_OPEN && file->state == INODE_INSTALLED &&
        map_u64_count(nn->accessed) < ACCESSED_MAX) {
        (void)map_u64_put(nn->accessed, file->id, nn); /* once is enough */
    }
}

void namenode_accessed_flush(struct namenode *nn)
{
    size_t cursor = 0;
    uint64_t file_id = 0;
    if (nn->mode != MODE_OPEN || map_u64_count(nn->accessed) == 0) {
        return;
    }
    while (map_u64_next(nn->accessed, &cursor, &file_id, NULL)) {
        struct inode *file = namenode_inode_by_id(nn, file_id);
        if (file != NULL && nn->wall_ms > file->accessed_ms) {
            file->accessed_ms = nn->wall_ms;
            namenode_record_access(nn, file);
        }
    }
    map_u64_clear(nn->accessed);
}

/* --- replication --------------------------------------------------------------------- */

bool namenode_replication_is_valid(struct namenode *nn, uint32_t replication)
{
    if (replication >= 1 && replication <= nn->settings.replication_max) {
        return true;
    }
    namenode_fail(nn, ERR_INVALID, "replication is 1 to %u, not %u", nn->settings.replication_max,
                  replication);
    return false;
}

static void change_replication(struct namenode *nn, struct inode *file, uint32_t replication)
{
    uint64_t before = namenode_inode_space(file);
    file->replication = replication;
    namenode_quota_grown(nn, file, (int64_t)(namenode_inode_space(file) - before));
    for (size_t i = 0; i < file->sealed_count; i++) {
        namenode_block_review(nn, file->blocks[i]);
    }
    namenode_record_inode(nn, file);
}

void namenode_set_replication(struct namenode *nn,
                              const struct dfs_set_replication_request *request)
{
    struct inode *file =
        find_for_change(nn, request->client_id, request->request_id, request->path);
    if (file == NULL || !namenode_access_check(nn, file, ACCESS_WRITE)) {
        return;
    }
    if (namenode_inode_is_directory(file)) {
        namenode_fail(nn, ERR_IS_DIRECTORY, "%.*s is a directory; only files are replicated",
                      SLICE_ARGS(request->path));
        return;
    }
    if (!namenode_replication_is_valid(nn, request->replication)) {
        return;
    }
    /* New blocks of an appender become this file's. */
    struct inode *writing = namenode_inode_writing(nn, file->parent, file->name);
    struct inode *appending = writing != NULL && writing->is_append ? writing : NULL;
    uint64_t bytes = namenode_inode_space(file) / file->replication;
    if (appending != NULL) {
        bytes += namenode_inode_space(appending) / appending->replication;
    }
    int64_t more = ((int64_t)request->replication - (int64_t)file->replication) * (int64_t)bytes;
    if (!namenode_quota_allows(nn, file->parent, NULL, 0, more)) {
        return;
    }
    change_replication(nn, file, request->replication);
    if (appending != NULL) {
        change_replication(nn, appending, request->replication);
    }
    namenode_mutation_done(nn, request->client_id, request->request_id, file->id);
    namenode_reply(nn, &(struct dfs_set_replication_response){0});
}

/* --- quota --------------------------------------------------------------------------- */

void namenode_set_quota(struct namenode *nn, const struct dfs_set_quota_request *request)
{
    struct inode *directory =
        find_for_change(nn, request->client_id, request->request_id, request->path);
    if (directory == NULL) {
        return;
    }
    if (!namenode_is_superuser(nn, nn->event->user)) {
        namenode_fail(nn, ERR_DENIED, "only the superuser sets quotas");
        return;
    }
    if (!namenode_inode_is_directory(directory)) {
        namenode_fail(nn, ERR_NOT_DIRECTORY, "%.*s is a file; only directories have quotas",
                      SLICE_ARGS(request->path));
        return;
    }
    const struct directory_extra *extra = directory->extra;
    uint64_t names = extra == NULL ? 0 : extra->name_quota;
    uint64_t bytes = extra == NULL ? 0 : extra->space_quota;
    names = request->set_names ? request->names : names;
    bytes = request->set_bytes ? request->bytes : bytes;
    if (names > INT64_MAX || bytes > INT64_MAX) {
        namenode_fail(nn, ERR_INVALID, "a quota is 1 to %lld, or 0 for none", (long long)INT64_MAX);
        return;
    }
    namenode_quota_set(nn, directory, names, bytes);
    namenode_record_inode(nn, directory);
    namenode_mutation_done(nn, request->client_id, request->request_id, directory->id);
    namenode_reply(nn, &(struct dfs_set_quota_response){0});
}

/* --- the cluster's defaults ---------------------------------------------------------- */

void namenode_get_server_defaults(struct namenode *nn)
{
    const struct namenode_settings *settings = &nn->settings;
    uint32_t min = settings->min_replicas;
    struct dfs_get_server_defaults_response response = {
        .block_size = settings->block_size,
        .replication = settings->replication,
        .min_replicas = min < settings->replication ? min : settings->replication,
        .trash_keep_ms = (uint64_t)settings->trash_keep_ms,
        .trash_checkpoint_ms = (uint64_t)settings->trash_checkpoint_ms,
        .supergroup = settings->supergroup,
        .superuser = settings->superuser,
        .permission_mask = PERMISSION_MASK,
        .block_size_min = settings->block_size_min,
        .block_size_max = settings->block_size_max,
        .replication_max = settings->replication_max,
        .access_time_precision_ms = (uint64_t)settings->access_time_precision_ms,
    };
    namenode_reply(nn, &response);
}
