/*
 * verify.c - replicas that somebody says are bad: the namenode asks, the disk answers.
 * One is read at a time, as fast as the disk allows, beside the scrubber. What is bad takes the way
 * of every bad replica; what is good is told as verified. Owns the list of those that wait.
 */
#include "dfs/datanode/core/internal.h"

#include <inttypes.h>

#include "lib/base/check.h"
#include "lib/base/mem.h"

enum {
    VERIFIES_MAX = 256 /* waiting; of what is dropped the namenode asks again */
};

struct verify {
    uint64_t block_id;
    struct list_node in_list;
};

static bool is_waiting(const struct datanode *datanode, uint64_t block_id)
{
    for (const struct list_node *n = datanode->verifies.first; n != NULL; n = n->next) {
        const struct verify *verify = n->object;
        if (verify->block_id == block_id)
            return true;
    }
    return false;
}

void datanode_verify_asked(struct datanode *datanode, uint64_t block_id)
{
    const struct replica *replica = datanode_replica_get(datanode, block_id);
    if (replica == NULL) {
        struct dfs_block_info block = {.block_id = block_id};
        datanode_change_note(datanode, CHANGE_DELETED, block);
        return;
    }
    if (replica->state == REPLICA_CORRUPT)
        datanode_change_note(datanode, CHANGE_CORRUPT, replica->block);
    if (!datanode_replica_is_good(replica) || is_waiting(datanode, block_id) ||
        datanode->verifies.count >= VERIFIES_MAX)
        return;
    struct verify *verify = MEM_NEW(struct verify);
    verify->block_id = block_id;
    list_append(&datanode->verifies, &verify->in_list, verify);
}

void datanode_verify_pump(struct datanode *datanode, struct actions *actions)
{
    while (datanode->verify_tag == 0 && datanode->verifies.count > 0) {
        struct verify *verify = list_pop(&datanode->verifies);
        const struct replica *replica = datanode_replica_get(datanode, verify->block_id);
        mem_free(verify);
        if (replica == NULL || !datanode_replica_is_good(replica))
            continue; /* which the namenode is told, or has been */
        struct datanode_block *data = ARENA_NEW(actions->arena, struct datanode_block);
        data->block = replica->block;
        data->volume = replica->volume->index;
        data->is_urgent = true;
        datanode->verify_tag =
            datanode_ask_effect(datanode, actions, USE_VERIFY, replica->block.block_id,
                                data->volume, DATANODE_EFFECT_SCRUB_BLOCK, data);
    }
}

void datanode_verify_done(struct datanode *datanode,
                          struct actions *actions,
                          uint64_t block_id,
                          uint32_t volume,
                          const struct event *event)
{
    CHECK(datanode->verify_tag == event->tag);
    datanode->verify_tag = 0;
    trace_emit(actions->trace, "verified %016" PRIx64 " %s", block_id, status_name(event->status));
    struct replica *replica = datanode_replica_get(datanode, block_id);
    if (replica == NULL || replica->volume->index != volume || !datanode_replica_is_good(replica))
        return;
    if (event->status == OK)
        datanode_verified_note(datanode, block_id);
    else if (event->status == ERR_CORRUPT || event->status == ERR_NOT_FOUND ||
             event->status == ERR_IO)
        datanode_replica_is_bad(datanode, actions, block_id, volume, event->status == ERR_IO);
    /* Otherwise it could not be checked now; the namenode asks again. */
}

void datanode_verify_close(struct datanode *datanode)
{
    struct verify *verify;
    while ((verify = list_pop(&datanode->verifies)) != NULL)
        mem_free(verify);
}
