/*
 * changes.c - what the namenode has not yet acknowledged about single blocks.
 * Owns changes_waiting, changes_sent and change_by_block. A block has at most one waiting change,
 * the newest; one more may be in flight, and is overtaken when it fails. Invariant: DN-1.
 */
#include "dfs/datanode/core/internal.h"

#include "lib/base/check.h"
#include "lib/base/mem.h"

void datanode_change_note(struct datanode *datanode,
                          enum change_kind kind,
                          struct dfs_block_info block)
{
    struct change *change = map_u64_get(datanode->change_by_block, block.block_id);
    if (change == NULL) {
        change = MEM_NEW(struct change);
        list_append(&datanode->changes_waiting, &change->in_list, change);
        (void)map_u64_put(datanode->change_by_block, block.block_id, change); /* was absent */
    }
    change->kind = kind;
    change->block = block;
}

void datanode_changes_take(struct datanode *datanode,
                           struct arena *arena,
                           struct dfs_block_changes_request *ret_request)
{
    CHECK(datanode->changes_sent.count == 0);
    size_t room = datanode->changes_waiting.count;
    if (room > LIMIT_BLOCK_CHANGES)
        room = LIMIT_BLOCK_CHANGES;
    struct dfs_block_info *received = ARENA_ARRAY(arena, struct dfs_block_info, room);
    uint64_t *deleted = ARENA_ARRAY(arena, uint64_t, room);
    uint64_t *corrupt = ARENA_ARRAY(arena, uint64_t, room);
    for (size_t i = 0; i < room; i++) {
        struct change *change = list_pop(&datanode->changes_waiting);
        (void)map_u64_remove(datanode->change_by_block, change->block.block_id); /* is change */
        list_append(&datanode->changes_sent, &change->in_list, change);
        switch (change->kind) {
        case CHANGE_RECEIVED:
            received[ret_request->received_count++] = change->block;
            break;
        case CHANGE_DELETED:
            deleted[ret_request->deleted_block_ids_count++] = change->block.block_id;
            break;
        case CHANGE_CORRUPT:
            corrupt[ret_request->corrupt_block_ids_count++] = change->block.block_id;
            break;
        }
    }
    ret_request->received = received;
    ret_request->deleted_block_ids = deleted;
    ret_request->corrupt_block_ids = corrupt;
}

void datanode_changes_acknowledged(struct datanode *datanode)
{
    struct change *change;
    while ((change = list_pop(&datanode->changes_sent)) != NULL) {
        struct replica *replica = datanode_replica_get(datanode, change->block.block_id);
        if (replica != NULL && change->kind == CHANGE_RECEIVED)
            replica->known = KNOWN_GOOD;
        if (replica != NULL && change->kind == CHANGE_CORRUPT)
            replica->known = KNOWN_CORRUPT;
        mem_free(change);
    }
}

void datanode_changes_failed(struct datanode *datanode)
{
    struct change *change;
    while ((change = list_pop(&datanode->changes_sent)) != NULL) {
        if (map_u64_get(datanode->change_by_block, change->block.block_id) != NULL) {
            mem_free(change);
            continue;
        }
        list_append(&datanode->changes_waiting, &change->in_list, change);
        (void)map_u64_put(datanode->change_by_block, change->block.block_id, change);
    }
}

void datanode_changes_drop(struct datanode *datanode)
{
    struct change *change;
    while ((change = list_pop(&datanode->changes_sent)) != NULL)
        mem_free(change);
    while ((change = list_pop(&datanode->changes_waiting)) != NULL)
        mem_free(change);
    map_u64_clear(datanode->change_by_block);
}

static bool is_announced(const struct datanode *datanode,
                         const struct replica *replica,
                         enum change_kind kind,
                         enum replica_known known)
{
    const struct change *change = map_u64_get(datanode->change_by_block, replica->block.block_id);
    if (change != NULL)
        return change->kind == kind;
    for (const struct list_node *n = datanode->changes_sent.first; n != NULL; n = n->next) {
        change = n->object;
        if (change->block.block_id == replica->block.block_id && change->kind == kind)
            return true;
    }
    return replica->known == known;
}

void datanode_changes_check(const struct datanode *datanode)
{
    CHECK(map_u64_count(datanode->change_by_block) == datanode->changes_waiting.count);
    CHECK((datanode->changes_lane.tag != 0) == (datanode->changes_sent.count != 0)); /* DN-5 */
    if (datanode->registration != REGISTRATION_ACTIVE)
        return;
    for (const struct list_node *n = datanode->replica_list.first; n != NULL; n = n->next) {
        const struct replica *replica = n->object;
        if (datanode_replica_is_good(replica)) /* DN-1 */
            CHECK(is_announced(datanode, replica, CHANGE_RECEIVED, KNOWN_GOOD));
        if (replica->state == REPLICA_CORRUPT)
            CHECK(is_announced(datanode, replica, CHANGE_CORRUPT, KNOWN_CORRUPT));
    }
}
