/*
 * append.c - new blocks for a file that is complete.
 * An appending file is a second inode beside the installed one of its name, under construction like
 * a new file; completing it moves its blocks over. Until then nothing of the installed one changes.
 * Invariant: NN-22. Rules: docs/namespace.md.
 */
#include "dfs/namenode/core/state.h"
#include "lib/base/check.h"

struct inode *namenode_append_older(const struct namenode *nn, const struct inode *appending)
{
    CHECK(appending->is_append);
    struct inode *older = namenode_inode_installed(nn, appending->parent, appending->name);
    CHECK(older != NULL); /* NN-22 */
    return older;
}

static uint64_t length_before(const struct inode *file, size_t block)
{
    uint64_t length = 0;
    for (size_t i = 0; i < block; i++) {
        length += file->blocks[i]->length;
    }
    return length;
}

uint64_t namenode_append_base(const struct namenode *nn, const struct inode *appending)
{
    return length_before(namenode_append_older(nn, appending), appending->keep_blocks);
}

void namenode_reply_append(struct namenode *nn, uint64_t file_id)
{
    struct dfs_append_response response = {.file_id = file_id};
    const struct inode *file = namenode_inode_by_id(nn, file_id);
    if (file != NULL) { /* it may have ended before the client asked again */
        response.length = namenode_append_base(nn, file);
        response.replication = file->replication;
        response.block_size = file->block_size;
        response.min_replicas = namenode_min_replicas(nn, file);
    }
    namenode_reply(nn, &response);
}

/* The file to append to, free of writers. NULL: failed. */
static struct inode *find_file(struct namenode *nn, const struct dfs_append_request *request)
{
    struct target target;
    for (;;) {
        struct inode *file = namenode_path_find(nn, request->path, &target);
        if (file == NULL) {
            return NULL;
        }
        if (namenode_inode_is_directory(file)) {
            namenode_fail(nn, ERR_IS_DIRECTORY, "%.*s is a directory", SLICE_ARGS(request->path));
            return NULL;
        }
        if (!namenode_access_check(nn, file, ACCESS_WRITE)) {
            return NULL;
        }
        if (target.writing == NULL) {
            return file;
        }
        if (!namenode_lease_take_over(nn, target.writing, request->client_id)) {
            return NULL;
        }
    }
}

/* How many of the file's blocks stay; false: failed. */
static bool find_kept(struct namenode *nn,
                      const struct dfs_append_request *request,
                      const struct inode *file,
                      size_t *ret_kept)
{
    if (!request->has_keep_length) {
        *ret_kept = file->block_count;
        return true;
    }
    if (request->keep_length > file->length) {
        namenode_fail(nn, ERR_INVALID, "%.*s has %llu bytes, it cannot keep %llu",
                      SLICE_ARGS(request->path), (unsigned long long)file->length,
                      (unsigned long long)request->keep_length);
        return false;
    }
    uint64_t offset = 0;
    size_t kept = 0;
    while (offset < request->keep_length) {
        offset += file->blocks[kept++]->length;
    }
    if (offset != request->keep_length) {
        namenode_fail(nn, ERR_INVALID, "%llu is inside a block of %.*s: one begins at %llu",
                      (unsigned long long)request->keep_length, SLICE_ARGS(request->path),
                      (unsigned long long)(offset - file->blocks[kept - 1]->length));
        return false;
    }
    *ret_kept = kept;
    return true;
}

void namenode_append(struct namenode *nn, const struct dfs_append_request *request)
{
    size_t kept = 0;
    if (namenode_mutation_is_answered(nn, request->client_id, request->request_id)) {
        return;
    }
    if (!namenode_durability_is_valid(nn, request->durability)) {
        return;
    }
    struct inode *file = find_file(nn, request);
    if (file == NULL || !find_kept(nn, request, file, &kept) || !namenode_has_room(nn, 1)) {
        return;
    }
    struct inode *appending = namenode_inode_new(nn, namenode_new_id(nn), FILE_REGULAR);
    namenode_inode_set_name(appending, file->name);
    appending->permission = file->permission;
    appending->owner = namenode_intern(nn, nn->event->user); /* who may write */
    appending->group = file->group;
    appending->modified_ms = nn->wall_ms;
    appending->accessed_ms = file->accessed_ms;
    appending->replication = file->replication;
    appending->block_size = file->block_size;
    appending->durability = (uint8_t)request->durability;
    appending->is_append = true;
    appending->keep_blocks = (uint32_t)kept;
    namenode_inode_attach(nn, appending, file->parent);
    namenode_lease_add(nn, appending, request->client_id);
    namenode_record_inode(nn, appending);
    namenode_mutation_done(nn, request->client_id, request->request_id, appending->id);
    namenode_reply_append(nn, appending->id);
}

struct inode *namenode_append_finish(struct namenode *nn, struct inode *appending)
{
    struct inode *file = namenode_append_older(nn, appending);
    file->cut_count += file->block_count > appending->keep_blocks ? 1 : 0;
    while (file->block_count > appending->keep_blocks) {
        namenode_block_remove(nn, file->blocks[file->block_count - 1]);
    }
    namenode_blocklist_join(nn, file, appending);
    file->modified_ms = nn->wall_ms;
    namenode_record_inode(nn, file);
    namenode_remove_journaled(nn, appending);
    namenode_compact_consider(nn, file);
    return file;
}
