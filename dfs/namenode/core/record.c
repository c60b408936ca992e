/*
 * record.c - the journal's records: written after each change, and read back.
 * A record says what is after the change, so replaying it is storing it. Records are our own: one
 * that does not fit what is there means that the journal layer let damage through, and CHECK stops
 * us.
 */
#include "dfs/namenode/core/state.h"
#include "lib/base/check.h"
#include "lib/base/mem.h"

static struct journal_inode_put make_inode_put(const struct namenode *nn,
                                               const struct inode *inode,
                                               struct arena *arena)
{
    static const struct directory_extra nothing;
    const struct directory_extra *extra = inode->extra == NULL ? &nothing : inode->extra;
    const struct inode *older = inode->is_append ? namenode_append_older(nn, inode) : NULL;
    struct dfs_block_info *blocks = NULL;
    if (inode->sealed_count > 0) {
        blocks = ARENA_ARRAY(arena, struct dfs_block_info, inode->sealed_count);
    }
    for (size_t i = 0; i < inode->sealed_count; i++) {
        const struct block *block = inode->blocks[i];
        blocks[i] = (struct dfs_block_info){
            .block_id = block->id, .length = block->length, .crc32c = block->crc32c};
    }
    bool is_writing = inode->state == INODE_WRITING;
    return (struct journal_inode_put){
        .file_id = inode->id,
        .parent_id = inode->parent == NULL ? 0 : inode->parent->id,
        .name = inode->name,
        .kind = inode->kind,
        .permission = inode->permission,
        .owner = inode->owner,
        .group = inode->group,
        .modified_ms = inode->modified_ms,
        .replication = inode->replication,
        .block_size = inode->block_size,
        .blocks = blocks,
        .blocks_count = inode->sealed_count,
        .under_construction = is_writing,
        .lease_client_id = is_writing ? inode->lease->client_id : 0,
        .path = is_writing ? namenode_inode_path(inode, arena) : slice_make(NULL, 0),
        .overwrite = inode->overwrite,
        .durability = (enum dfs_durability)inode->durability,
        .accessed_ms = inode->accessed_ms,
        .name_quota = extra->name_quota,
        .space_quota = extra->space_quota,
        .append_to = older == NULL ? 0 : older->id,
        .keep_blocks = inode->keep_blocks,
        .trash_age_ms = extra->trash_age_ms,
        .cut_count = inode->cut_count,
    };
}

static void append_inode(const struct namenode *nn,
                         struct actions *actions,
                         const struct inode *inode)
{
    struct journal_inode_put record = make_inode_put(nn, inode, actions->arena);
    actions_journal(actions, &journal_inode_put_type, &record);
}

void namenode_record_inode(struct namenode *nn, const struct inode *inode)
{
    append_inode(nn, nn->actions, inode);
}

void namenode_record_access(struct namenode *nn, const struct inode *file)
{
    struct journal_inode_accessed record = {.file_id = file->id, .accessed_ms = file->accessed_ms};
    actions_journal(nn->actions, &journal_inode_accessed_type, &record);
}

void namenode_record_remove(struct namenode *nn, uint64_t file_id)
{
    struct journal_inode_remove record = {.file_id = file_id};
    actions_journal(nn->actions, &journal_inode_remove_type, &record);
}

void namenode_record_seal(struct namenode *nn, const struct block *block)
{
    struct journal_block_sealed record = {
        .file_id = block->file->id,
        .block = {.block_id = block->id, .length = block->length, .crc32c = block->crc32c},
    };
    actions_journal(nn->actions, &journal_block_sealed_type, &record);
}

static void append_ids(const struct namenode *nn, struct actions *actions)
{
    struct journal_block_ids_reserved record = {.up_to = nn->reserved_up_to};
    actions_journal(actions, &journal_block_ids_reserved_type, &record);
}

void namenode_record_ids(struct namenode *nn)
{
    append_ids(nn, nn->actions);
}

static void append_format(const struct namenode *nn, struct actions *actions)
{
    struct journal_namenode_format record = {.cluster_id = nn->cluster_id};
    actions_journal(actions, &journal_namenode_format_type, &record);
}

void namenode_record_format(struct namenode *nn)
{
    append_format(nn, nn->actions);
}

void namenode_record_fence(struct namenode *nn, struct slice key, uint64_t epoch, bool is_published)
{
    struct journal_fence_raised record = {.key = key, .epoch = epoch, .is_published = is_published};
    actions_journal(nn->actions, &journal_fence_raised_type, &record);
}

/* --- snapshot ------------------------------------------------------------------------ */

static void append_mutation(struct actions *actions, const struct mutation *mutation)
{
    struct journal_mutation_done record = {
        .client_id = mutation->client_id,
        .request_id = mutation->request_id,
        .method = slice_from_string(method_info(mutation->method)->path),
        .value = mutation->value,
        .wall_ms = mutation->wall_ms,
    };
    actions_journal(actions, &journal_mutation_done_type, &record);
}

void namenode_snapshot(const struct namenode *nn, struct actions *ret_actions)
{
    if (nn->cluster_id != 0) {
        append_format(nn, ret_actions);
    }
    append_ids(nn, ret_actions);
    for (const struct inode *at = nn->root; at != NULL; at = namenode_inode_walk(nn->root, at)) {
        append_inode(nn, ret_actions, at);
    }
    if (nn->balancer.is_set) {
        namenode_record_balancer(nn, ret_actions);
    }
    size_t cursor = 0;
    void *value = NULL;
    while (map_u64_next(nn->nodes, &cursor, NULL, &value)) {
        const struct tracked *node = value;
        struct journal_datanode_put record = {
            .node = node->endpoint,
            .admin_state = (enum dfs_datanode_admin_state)node->service,
            .until_ms = node->until_ms,
        };
        actions_journal(ret_actions, &journal_datanode_put_type, &record);
    }
    for (const struct list_node *at = nn->fence_order.first; at != NULL; at = at->next) {
        const struct fence *fence = at->object;
        struct journal_fence_raised record = {
            .key = fence->key, .epoch = fence->epoch, .is_published = fence->is_published};
        actions_journal(ret_actions, &journal_fence_raised_type, &record);
    }
    for (const struct list_node *at = nn->mutation_order.first; at != NULL; at = at->next) {
        append_mutation(ret_actions, at->object);
    }
}

/* --- replay -------------------------------------------------------------------------- */

/* Takes it from where it is if its place changes. True: it has to be attached. */
static bool replay_place(struct namenode *nn,
                         struct inode *inode,
                         const struct journal_inode_put *record)
{
    uint64_t parent_id = inode->parent == NULL ? 0 : inode->parent->id;
    bool was_writing = inode->state == INODE_WRITING;
    bool is_same = inode == nn->root || (inode->parent != NULL && parent_id == record->parent_id &&
                                         was_writing == record->under_construction &&
                                         slice_equal(inode->name, record->name));
    if (is_same) {
        return false;
    }
    if (inode->parent != NULL) {
        if (namenode_inode_is_directory(inode)) { /* a file's bytes may change on the way */
            namenode_quota_begin_move(nn, inode, map_u64_get(nn->inodes, record->parent_id));
        }
        namenode_inode_detach(nn, inode);
    }
    namenode_inode_set_name(inode, record->name);
    inode->state = record->under_construction ? INODE_WRITING : INODE_INSTALLED;
    return true;
}

static void replay_attach(struct namenode *nn,
                          struct inode *inode,
                          const struct journal_inode_put *record)
{
    if (record->parent_id == 0) {
        CHECK(nn->root == NULL);
        nn->directory_count++;
        nn->root = inode;
        return;
    }
    struct inode *parent = map_u64_get(nn->inodes, record->parent_id);
    CHECK(parent != NULL);
    CHECK(namenode_inode_is_directory(parent));
    namenode_inode_attach(nn, inode, parent);
}

static void replay_inode_put(struct namenode *nn, const struct journal_inode_put *record)
{
    struct inode *inode = map_u64_get(nn->inodes, record->file_id);
    if (inode == NULL) {
        inode = namenode_inode_new(nn, record->file_id, record->kind);
    }
    if (inode->lease != NULL) {
        namenode_lease_remove(nn, inode);
    }
    bool is_moved = replay_place(nn, inode, record);
    inode->permission = record->permission;
    inode->owner = namenode_intern(nn, record->owner);
    inode->group = namenode_intern(nn, record->group);
    inode->modified_ms = record->modified_ms;
    inode->accessed_ms = record->accessed_ms;
    uint64_t space = namenode_inode_space(inode);
    inode->replication = record->replication;
    namenode_quota_grown(nn, inode, (int64_t)(namenode_inode_space(inode) - space));
    inode->block_size = record->block_size;
    inode->overwrite = record->overwrite;
    inode->durability = (uint8_t)record->durability;
    inode->is_append = record->append_to != 0;
    inode->keep_blocks = record->keep_blocks;
    inode->cut_count = record->cut_count;
    if (record->under_construction) {
        namenode_lease_add(nn, inode, record->lease_client_id);
    }
    namenode_blocklist_set(nn, inode, record->blocks, record->blocks_count);
    if (is_moved) {
        replay_attach(nn, inode, record);
        namenode_quota_end_move(nn);
    }
    if (namenode_inode_is_directory(inode)) {
        namenode_quota_set(nn, inode, record->name_quota, record->space_quota);
        namenode_trash_set_age(inode, record->trash_age_ms);
    } else {
        namenode_compact_consider(nn, inode);
    }
}

static void replay_inode_remove(struct namenode *nn, const struct journal_inode_remove *record)
{
    struct inode *inode = map_u64_get(nn->inodes, record->file_id);
    CHECK(inode != NULL);
    CHECK(inode != nn->root);
    namenode_inode_remove(nn, inode);
}

static void replay_block_sealed(struct namenode *nn, const struct journal_block_sealed *record)
{
    struct inode *file = map_u64_get(nn->inodes, record->file_id);
    CHECK(file != NULL);
    CHECK(file->state == INODE_WRITING);
    CHECK(map_u64_get(nn->blocks, record->block.block_id) == NULL);
    struct block *block =
        namenode_block_new(nn, file, record->block.block_id, record->block.length);
    namenode_block_seal(nn, block, record->block.length, record->block.crc32c);
}

static void replay_inode_accessed(struct namenode *nn, const struct journal_inode_accessed *record)
{
    struct inode *file = map_u64_get(nn->inodes, record->file_id);
    CHECK(file != NULL);
    file->accessed_ms = record->accessed_ms;
}

void namenode_replay(struct namenode *nn, const struct message_type *type, const void *message)
{
    if (type == &journal_inode_put_type) {
        replay_inode_put(nn, message);
    } else if (type == &journal_inode_remove_type) {
        replay_inode_remove(nn, message);
    } else if (type == &journal_inode_accessed_type) {
        replay_inode_accessed(nn, message);
    } else if (type == &journal_block_sealed_type) {
        replay_block_sealed(nn, message);
    } else if (type == &journal_mutation_done_type) {
        namenode_mutation_restore(nn, message);
    } else if (type == &journal_block_ids_reserved_type) {
        const struct journal_block_ids_reserved *record = message;
        nn->reserved_up_to = record->up_to;
    } else if (type == &journal_fence_raised_type) {
        const struct journal_fence_raised *record = message;
        namenode_fence_set(nn, record->key, record->epoch, record->is_published);
    } else if (type == &journal_balancer_put_type) {
        namenode_replay_balancer(nn, message);
    } else if (type == &journal_datanode_put_type) {
        namenode_replay_node(nn, message);
    } else if (type == &journal_datanode_remove_type) {
        namenode_replay_node_removed(nn, message);
    } else {
        CHECK(type == &journal_namenode_format_type);
        const struct journal_namenode_format *record = message;
        nn->cluster_id = record->cluster_id;
    }
}
