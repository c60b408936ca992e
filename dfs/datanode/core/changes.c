/*
 * changes.c - what the namenode has not yet acknowledged about single blocks.
 * Owns changes_waiting, changes_sent and change_by_block. A block has at most one waiting change,
 * the newest; one more may be in flight, and is overtaken when it fails. Owns the failed copies and
 * merges, too, which go with the same call. Invariant: DN-1.
 */
#include "dfs/datanode/core/internal.h"

#include <inttypes.h>
#include <string.h>

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

void datanode_failure_note(struct datanode *datanode,
                           struct actions *actions,
                           const struct dfs_failed_work *work)
{
    trace_emit(actions->trace, "failed %016" PRIx64 " to=%" PRIu64 " %s", work->block_id,
               work->target_node_id, dfs_work_fault_name(work->fault));
    if (datanode->failures_waiting.count >= DATANODE_COPIES_WAITING_MAX)
        return;
    struct failure *failure = MEM_NEW(struct failure);
    size_t length = work->reason.length;
    if (length > sizeof(failure->reason))
        length = sizeof(failure->reason);
    if (length > 0)
        memcpy(failure->reason, work->reason.data, length);
    failure->work = *work;
    failure->work.reason = slice_make(failure->reason, length);
    list_append(&datanode->failures_waiting, &failure->in_list, failure);
}

void datanode_verified_note(struct datanode *datanode, uint64_t block_id)
{
    struct verified *verified = MEM_NEW(struct verified);
    verified->block_id = block_id;
    list_append(&datanode->verified_waiting, &verified->in_list, verified);
}

bool datanode_changes_are_waiting(const struct datanode *datanode)
{
    return datanode->changes_waiting.count != 0 || datanode->failures_waiting.count != 0 ||
           datanode->verified_waiting.count != 0;
}

static void take_failures(struct datanode *datanode,
                          struct arena *arena,
                          struct dfs_block_changes_request *ret_request)
{
    struct dfs_failed_work *failed =
        ARENA_ARRAY(arena, struct dfs_failed_work, datanode->failures_waiting.count);
    struct failure *failure;
    while ((failure = list_pop(&datanode->failures_waiting)) != NULL) {
        list_append(&datanode->failures_sent, &failure->in_list, failure);
        failed[ret_request->failed_count++] = failure->work;
    }
    ret_request->failed = failed;
}

static void take_verified(struct datanode *datanode,
                          struct arena *arena,
                          struct dfs_block_changes_request *ret_request)
{
    uint64_t *ids = ARENA_ARRAY(arena, uint64_t, datanode->verified_waiting.count);
    struct verified *verified;
    while ((verified = list_pop(&datanode->verified_waiting)) != NULL) {
        list_append(&datanode->verified_sent, &verified->in_list, verified);
        ids[ret_request->verified_block_ids_count++] = verified->block_id;
    }
    ret_request->verified_block_ids = ids;
}

void datanode_changes_take(struct datanode *datanode,
                           struct arena *arena,
                           struct dfs_block_changes_request *ret_request)
{
    CHECK(datanode->changes_sent.count == 0);
    CHECK(datanode->failures_sent.count == 0);
    CHECK(datanode->verified_sent.count == 0);
    take_failures(datanode, arena, ret_request);
    take_verified(datanode, arena, ret_request);
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

static void drop_all(struct list *list)
{
    void *object;
    while ((object = list_pop(list)) != NULL)
        mem_free(object);
}

void datanode_changes_acknowledged(struct datanode *datanode)
{
    drop_all(&datanode->failures_sent);
    drop_all(&datanode->verified_sent);
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
    struct failure *failure;
    while ((failure = list_pop(&datanode->failures_sent)) != NULL)
        list_append(&datanode->failures_waiting, &failure->in_list, failure);
    struct verified *verified;
    while ((verified = list_pop(&datanode->verified_sent)) != NULL)
        list_append(&datanode->verified_waiting, &verified->in_list, verified);
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
    drop_all(&datanode->failures_sent);
    drop_all(&datanode->failures_waiting);
    drop_all(&datanode->verified_sent);
    drop_all(&datanode->verified_waiting);
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
    size_t sent = datanode->changes_sent.count + datanode->failures_sent.count +
                  datanode->verified_sent.count;
    CHECK((datanode->changes_lane.tag != 0) == (sent != 0)); /* DN-5 */
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
