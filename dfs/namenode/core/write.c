/*
 * write.c - the life of a file under construction: create, add and seal blocks, complete, abandon.
 * A file is attached to its directory at once, but beside the installed names; completing it moves
 * it among them, in place of an older file if it was created to overwrite.
 */
#include "dfs/namenode/core/state.h"
#include "lib/base/check.h"

enum {
    FILE_PERMISSION = 0644,
    PARENT_PERMISSION = 0755,
    PENDING_BLOCKS_MAX = 4, /* of one file: a writer is at most a few blocks ahead */
};

uint32_t namenode_min_replicas(const struct namenode *nn, const struct inode *file)
{
    uint32_t min = nn->settings.min_replicas;
    return min < file->replication ? min : file->replication;
}

/* --- create -------------------------------------------------------------------------- */

void namenode_reply_create(struct namenode *nn, uint64_t file_id)
{
    struct dfs_create_response response = {.file_id = file_id};
    const struct inode *file = namenode_inode_by_id(nn, file_id);
    if (file != NULL) { /* it may have been deleted before the client asked again */
        response.replication = file->replication;
        response.block_size = file->block_size;
        response.min_replicas = namenode_min_replicas(nn, file);
    }
    namenode_reply(nn, &response);
}

static bool may_create_over(struct namenode *nn,
                            const struct dfs_create_request *request,
                            const struct target *target)
{
    const struct inode *older = target->installed;
    if (older != NULL && namenode_inode_is_directory(older)) {
        namenode_fail(nn, ERR_IS_DIRECTORY, "%.*s is a directory", SLICE_ARGS(request->path));
        return false;
    }
    if (older != NULL && !request->overwrite) {
        namenode_fail(nn, ERR_EXISTS, "%.*s exists", SLICE_ARGS(request->path));
        return false;
    }
    if (older == NULL) {
        return namenode_access_check(nn, target->deepest, ACCESS_WRITE | ACCESS_EXECUTE);
    }
    return namenode_access_check(nn, older, ACCESS_WRITE) &&
           namenode_access_check_removal(nn, older);
}

static bool create_numbers_are_valid(struct namenode *nn, uint32_t replication, uint64_t block_size)
{
    const struct namenode_settings *settings = &nn->settings;
    if (!namenode_replication_is_valid(nn, replication)) {
        return false;
    }
    if (block_size < settings->block_size_min || block_size > settings->block_size_max) {
        namenode_fail(nn, ERR_INVALID, "block size is %llu to %llu bytes",
                      (unsigned long long)settings->block_size_min,
                      (unsigned long long)settings->block_size_max);
        return false;
    }
    return true;
}

/* What is at the path, where nobody writes then; false: failed. */
static bool resolve_created(struct namenode *nn,
                            const struct dfs_create_request *request,
                            struct target *ret_target)
{
    for (;;) {
        if (!namenode_path_resolve(nn, request->path, request->create_parents, ret_target) ||
            !may_create_over(nn, request, ret_target)) {
            return false;
        }
        if (ret_target->writing == NULL) {
            return true;
        }
        if (!namenode_lease_take_over(nn, ret_target->writing, request->client_id)) {
            return false;
        }
    }
}

bool namenode_durability_is_valid(struct namenode *nn, enum dfs_durability durability)
{
    if ((unsigned)durability >= DFS_DURABILITY_COUNT) {
        namenode_fail(nn, ERR_INVALID, "durability %d is not known", (int)durability);
        return false;
    }
    return true;
}

void namenode_create(struct namenode *nn, const struct dfs_create_request *request)
{
    struct target target;
    if (namenode_mutation_is_answered(nn, request->client_id, request->request_id) ||
        !resolve_created(nn, request, &target)) {
        return;
    }
    uint32_t replication =
        request->replication == 0 ? nn->settings.replication : request->replication;
    uint64_t block_size = request->block_size == 0 ? nn->settings.block_size : request->block_size;
    uint32_t permission = request->permission & LIMIT_PERMISSION;
    if (!namenode_durability_is_valid(nn, request->durability) ||
        !create_numbers_are_valid(nn, replication, block_size) ||
        !namenode_has_room(nn, target.missing + 1)) {
        return;
    }
    int64_t names = (int64_t)target.missing + (target.installed == NULL ? 1 : 0);
    if (!namenode_quota_allows(nn, target.deepest, NULL, names, 0)) {
        return;
    }
    struct inode *parent = namenode_make_parents(nn, &target, PARENT_PERMISSION);
    struct inode *file = namenode_inode_new(nn, namenode_new_id(nn), FILE_REGULAR);
    namenode_inode_set_name(file, target.name);
    file->permission = permission == 0 ? FILE_PERMISSION : permission;
    file->owner = namenode_intern(nn, nn->event->user);
    file->group = parent->group; /* as HDFS */
    file->modified_ms = nn->wall_ms;
    file->accessed_ms = nn->wall_ms;
    file->replication = replication;
    file->block_size = block_size;
    file->overwrite = request->overwrite;
    file->durability = (uint8_t)request->durability;
    namenode_inode_attach(nn, file, parent);
    namenode_lease_add(nn, file, request->client_id);
    namenode_record_inode(nn, file);
    namenode_mutation_done(nn, request->client_id, request->request_id, file->id);
    namenode_reply_create(nn, file->id);
}

/* The caller's file under construction; NULL: failed. */
static struct inode *find_writing(struct namenode *nn, uint64_t client_id, uint64_t file_id)
{
    struct inode *file = namenode_inode_by_id(nn, file_id);
    if (file == NULL || namenode_inode_is_directory(file)) {
        namenode_fail(nn, ERR_NOT_FOUND, "no file %llu", (unsigned long long)file_id);
        return NULL;
    }
    if (!namenode_access_check_owner(nn, file)) {
        return NULL;
    }
    if (file->state != INODE_WRITING) {
        namenode_fail(nn, ERR_BAD_TRANSITION, "file %llu is complete", (unsigned long long)file_id);
        return NULL;
    }
    if (file->lease->client_id != client_id) {
        namenode_fail(nn, ERR_DENIED, "file %llu is another client's to write",
                      (unsigned long long)file_id);
        return NULL;
    }
    return file;
}

/* --- add a block --------------------------------------------------------------------- */

static struct block *find_pending(const struct inode *file, uint64_t request_id, uint64_t block_id)
{
    for (size_t i = file->sealed_count; i < file->block_count; i++) {
        struct block *block = file->blocks[i];
        if (block_id != 0 ? block->id == block_id : block->request_id == request_id) {
            return block;
        }
    }
    return NULL;
}

static void reply_block(struct namenode *nn, const struct block *block)
{
    struct endpoint *targets =
        ARENA_ARRAY(nn->actions->arena, struct endpoint, block->replica_count + 1);
    size_t count = 0;
    for (size_t i = 0; i < block->replica_count; i++) {
        if (block->replicas[i]->is_expected) {
            targets[count++] = block->replicas[i]->node->endpoint;
        }
    }
    struct dfs_add_block_response response = {
        .block_id = block->id,
        .targets = targets,
        .targets_count = count,
        .durability = (enum dfs_durability)block->file->durability,
        .token = namenode_grant_caller(nn, block->id, BLOCK_WRITE)};
    namenode_reply(nn, &response);
}

static bool may_add_block(struct namenode *nn,
                          const struct dfs_add_block_request *request,
                          const struct inode *file)
{
    if (request->length > file->block_size) {
        namenode_fail(nn, ERR_INVALID, "a block of this file has at most %llu bytes",
                      (unsigned long long)file->block_size);
        return false;
    }
    if (file->keep_blocks + file->block_count >= nn->settings.blocks_per_file_max) {
        namenode_fail(nn, ERR_LIMIT, "a file has at most %u blocks",
                      nn->settings.blocks_per_file_max);
        return false;
    }
    if (file->block_count - file->sealed_count >= PENDING_BLOCKS_MAX) {
        namenode_fail(nn, ERR_LIMIT, "seal or abandon a block of this file first");
        return false;
    }
    return true;
}

void namenode_add_block(struct namenode *nn, const struct dfs_add_block_request *request)
{
    if (namenode_mutation_is_refused(nn, request->client_id, request->request_id)) {
        return;
    }
    struct inode *file = find_writing(nn, request->client_id, request->file_id);
    if (file == NULL) {
        return;
    }
    struct block *block = find_pending(file, request->request_id, 0);
    if (block != NULL) {
        reply_block(nn, block);
        return;
    }
    if (request->request_id <= file->add_request_id) {
        /* It was overtaken: the block it got then has been sealed or given up since. */
        namenode_fail(nn, ERR_STALE, "a later block of file %llu was added already",
                      (unsigned long long)file->id);
        return;
    }
    block = request->abandoned_block_id == 0 ? NULL
                                             : find_pending(file, 0, request->abandoned_block_id);
    if (block != NULL) {
        namenode_block_remove(nn, block);
    }
    if (!may_add_block(nn, request, file)) {
        return;
    }
    struct placement placement = {
        .writer_host = request->client_host,
        .block_bytes = request->length == 0 ? file->block_size : request->length,
        .excluded = request->excluded_node_ids,
        .excluded_count = request->excluded_node_ids_count,
    };
    int64_t bytes = (int64_t)(placement.block_bytes * file->replication);
    if (!namenode_quota_allows(nn, file->parent, NULL, 0, bytes)) {
        return;
    }
    struct tracked *nodes[LIMIT_REPLICAS];
    size_t count = namenode_placement_choose(nn, &placement, file->replication, nodes);
    if (count < namenode_min_replicas(nn, file)) {
        namenode_fail(nn, ERR_NO_NODES, "%zu datanodes can take the block, %u are needed", count,
                      namenode_min_replicas(nn, file));
        return;
    }
    block = namenode_block_new(nn, file, namenode_new_id(nn), placement.block_bytes);
    block->request_id = request->request_id;
    file->add_request_id = request->request_id;
    for (size_t i = 0; i < count; i++) {
        struct replica *replica = namenode_replica_new(nn, block, nodes[i]);
        namenode_replica_expect(nn, replica, NULL, INT64_MAX);
    }
    reply_block(nn, block);
}

/* --- seal a block -------------------------------------------------------------------- */

static bool is_named(const struct dfs_seal_block_request *request, const struct replica *replica)
{
    for (size_t i = 0; i < request->node_ids_count; i++) {
        if (request->node_ids[i] == replica->node->endpoint.node_id) {
            return true;
        }
    }
    return false;
}

static bool is_reported_otherwise(const struct dfs_seal_block_request *request,
                                  const struct replica *replica)
{
    const struct arrival *arrival = replica->arrival; /* there, as the block is pending */
    return arrival->was_reported && (arrival->reported_length != request->length ||
                                     arrival->reported_crc32c != request->crc32c);
}

/* A block named before the namenode was restarted: the datanodes' reports vouch for the client. */
static struct block *adopt_block(struct namenode *nn,
                                 const struct dfs_seal_block_request *request,
                                 struct inode *file)
{
    struct dfs_block_info info = {
        .block_id = request->block_id, .length = request->length, .crc32c = request->crc32c};
    bool is_known = request->block_id > 0 && request->block_id <= nn->older_id &&
                    file->block_count == file->sealed_count &&
                    file->keep_blocks + file->block_count < nn->settings.blocks_per_file_max &&
                    namenode_unknown_matches(nn, &info, request->node_ids, request->node_ids_count,
                                             namenode_min_replicas(nn, file));
    if (!is_known) {
        namenode_fail(nn, ERR_NOT_FOUND, "no block %llu; add it again",
                      (unsigned long long)request->block_id);
        return NULL;
    }
    struct block *block = namenode_block_new(nn, file, request->block_id, request->length);
    size_t cursor = 0;
    void *value = NULL;
    while (map_u64_next(nn->nodes, &cursor, NULL, &value)) {
        struct tracked *node = value;
        struct unknown *unknown = map_u64_get(node->unknown, request->block_id);
        if (unknown != NULL) {
            namenode_replica_reported(nn, node, &unknown->info);
            namenode_unknown_drop(nn, unknown);
        }
    }
    return block;
}

static bool may_seal(struct namenode *nn,
                     const struct dfs_seal_block_request *request,
                     const struct block *block)
{
    const struct inode *file = block->file;
    if (block->index != file->sealed_count) {
        namenode_fail(nn, ERR_BAD_TRANSITION, "the file's blocks before this one are not sealed");
        return false;
    }
    size_t count = 0;
    for (size_t i = 0; i < block->replica_count; i++) {
        const struct replica *replica = block->replicas[i];
        /* It may be switched off for good: somebody was told so. */
        bool may_go = replica->node->service == ADMIN_DECOMMISSIONED;
        bool counts = is_named(request, replica) && namenode_node_is_usable(replica->node) &&
                      !may_go && !is_reported_otherwise(request, replica);
        count += counts ? 1 : 0;
    }
    if (count < namenode_min_replicas(nn, file)) {
        namenode_fail(nn, ERR_NO_NODES, "%zu of the block's datanodes have it, %u are needed",
                      count, namenode_min_replicas(nn, file));
        return false;
    }
    return true;
}

static void seal(struct namenode *nn,
                 const struct dfs_seal_block_request *request,
                 struct block *block)
{
    for (size_t i = 0; i < block->replica_count; i++) {
        struct replica *replica = block->replicas[i];
        if (is_reported_otherwise(request, replica)) {
            namenode_replica_apply(nn, replica, REPLICA_MISMATCHED);
        } else if (replica->arrival->was_reported || is_named(request, replica)) {
            namenode_replica_apply(nn, replica, REPLICA_ARRIVED);
        } else {
            int64_t due_ms = nn->now_ms + nn->settings.pipeline_wait_ms;
            namenode_replica_expect(nn, replica, NULL, due_ms);
        }
    }
    namenode_block_seal(nn, block, request->length, request->crc32c);
    namenode_record_seal(nn, block);
}

/* True when the block is sealed already; the call is answered then. */
static bool is_sealed_already(struct namenode *nn,
                              const struct dfs_seal_block_request *request,
                              const struct block *block)
{
    if (block == NULL || block->state != BLOCK_SEALED || block->file->id != request->file_id) {
        return false;
    }
    if (!namenode_access_check_owner(nn, block->file)) {
        return true;
    }
    if (block->length != request->length || block->crc32c != request->crc32c) {
        namenode_fail(nn, ERR_BAD_TRANSITION, "the block is sealed with other bytes");
        return true;
    }
    namenode_reply(nn, &(struct dfs_seal_block_response){0});
    return true;
}

void namenode_seal_block(struct namenode *nn, const struct dfs_seal_block_request *request)
{
    if (namenode_mutation_is_refused(nn, request->client_id, request->request_id)) {
        return;
    }
    struct block *block = map_u64_get(nn->blocks, request->block_id);
    if (is_sealed_already(nn, request, block)) {
        return;
    }
    struct inode *file = find_writing(nn, request->client_id, request->file_id);
    if (file == NULL) {
        return;
    }
    if (request->length == 0 || request->length > file->block_size) {
        namenode_fail(nn, ERR_INVALID, "a block of this file has 1 to %llu bytes",
                      (unsigned long long)file->block_size);
        return;
    }
    /* More than was asked for with the block, or a block that was forgotten by a restart. */
    int64_t more = (int64_t)request->length - (block == NULL ? 0 : (int64_t)block->length);
    if (!namenode_quota_allows(nn, file->parent, NULL, 0, more * (int64_t)file->replication)) {
        return;
    }
    if (block == NULL) {
        block = adopt_block(nn, request, file);
    } else if (block->file != file) {
        namenode_fail(nn, ERR_NOT_FOUND, "the block is another file's");
        return;
    }
    if (block == NULL || !may_seal(nn, request, block)) {
        return;
    }
    seal(nn, request, block);
    namenode_reply(nn, &(struct dfs_seal_block_response){0});
}

/* --- complete, abandon --------------------------------------------------------------- */

void namenode_reply_complete(struct namenode *nn, uint64_t file_id)
{
    struct dfs_complete_response response = {.status = {.file_id = file_id}};
    const struct inode *file = namenode_inode_by_id(nn, file_id);
    if (file != NULL) {
        struct slice path = namenode_inode_path(file, nn->actions->arena);
        namenode_inode_status(file, path, &response.status);
    }
    namenode_reply(nn, &response);
}

struct inode *namenode_finish_file(struct namenode *nn, struct inode *file)
{
    while (file->block_count > file->sealed_count) {
        namenode_block_remove(nn, file->blocks[file->block_count - 1]);
    }
    if (file->is_append) {
        return namenode_append_finish(nn, file);
    }
    struct inode *older = namenode_inode_installed(nn, file->parent, file->name);
    if (older != NULL) {
        CHECK(file->overwrite);
        namenode_remove_journaled(nn, older);
    }
    file->modified_ms = nn->wall_ms;
    namenode_inode_install(nn, file);
    namenode_record_inode(nn, file);
    namenode_inode_touch(nn, file->parent);
    return file;
}

void namenode_complete(struct namenode *nn, const struct dfs_complete_request *request)
{
    if (namenode_mutation_is_answered(nn, request->client_id, request->request_id)) {
        return;
    }
    struct inode *file = find_writing(nn, request->client_id, request->file_id);
    if (file == NULL) {
        return;
    }
    uint64_t length = file->length + (file->is_append ? namenode_append_base(nn, file) : 0);
    if (length != request->length) {
        namenode_fail(nn, ERR_INVALID, "the file's sealed blocks have %llu bytes, not %llu",
                      (unsigned long long)length, (unsigned long long)request->length);
        return;
    }
    file = namenode_finish_file(nn, file);
    namenode_mutation_done(nn, request->client_id, request->request_id, file->id);
    namenode_reply_complete(nn, file->id);
}

void namenode_abandon(struct namenode *nn, const struct dfs_abandon_request *request)
{
    if (namenode_mutation_is_answered(nn, request->client_id, request->request_id)) {
        return;
    }
    struct inode *file = find_writing(nn, request->client_id, request->file_id);
    if (file == NULL) {
        return;
    }
    namenode_remove_journaled(nn, file);
    namenode_mutation_done(nn, request->client_id, request->request_id, request->file_id);
    namenode_reply(nn, &(struct dfs_abandon_response){0});
}

void namenode_report_corrupt(struct namenode *nn, const struct dfs_report_corrupt_request *request)
{
    const struct block *block = map_u64_get(nn->blocks, request->block_id);
    const struct tracked *node = map_u64_get(nn->nodes, request->node_id);
    struct replica *replica = NULL;
    if (block != NULL && node != NULL) {
        replica = namenode_replica_find(block, node);
    }
    if (replica == NULL) {
        namenode_fail(nn, ERR_NOT_FOUND, "node %llu has no block %llu",
                      (unsigned long long)request->node_id, (unsigned long long)request->block_id);
        return;
    }
    if (!namenode_access_check(nn, block->file, ACCESS_READ)) {
        return;
    }
    namenode_suspect(nn, replica);
    namenode_reply(nn, &(struct dfs_report_corrupt_response){0});
}
