/*
 * suspect.c - replicas that a reader says are corrupt, until their datanode has looked.
 * A reader may be wrong: his own memory, or the way there, spoils bytes as well. So the datanode is
 * told to verify the replica, again and again until it has answered, and is believed. Meanwhile the
 * replica counts, is read last, and is not copied, merged or moved from; and no replica of the
 * block is deleted.
 * Owns replica->is_suspect and the suspicions of each node. Not journaled. Invariant: NN-24.
 */
#include "dfs/namenode/core/state.h"
#include "lib/base/check.h"
#include "lib/base/mem.h"

struct suspicion {
    uint64_t block_id;
    int64_t retry_ms;         /* told: when it is told again */
    struct list_node in_node; /* tracked->suspects_waiting or suspects_told */
};

bool namenode_block_has_suspect(const struct block *block)
{
    for (size_t i = 0; i < block->replica_count; i++) {
        if (block->replicas[i]->is_suspect) {
            return true;
        }
    }
    return false;
}

void namenode_suspect(struct namenode *nn, struct replica *replica)
{
    struct tracked *node = replica->node;
    if (replica->state != REPLICA_STORED || replica->block->state != BLOCK_SEALED ||
        replica->is_suspect) {
        return; /* it is not read, or has been asked for already */
    }
    NAMENODE_TRACE(nn, "replica suspected block=%llu node=%llu",
                   (unsigned long long)replica->block->id,
                   (unsigned long long)node->endpoint.node_id);
    struct suspicion *suspicion = MEM_NEW(struct suspicion);
    suspicion->block_id = replica->block->id;
    replica->is_suspect = true;
    CHECK(map_u64_put(node->suspects, suspicion->block_id, suspicion) == NULL);
    list_append(&node->suspects_waiting, &suspicion->in_node, suspicion);
    namenode_node_wake(nn, node);
}

void namenode_suspect_end(struct replica *replica)
{
    if (!replica->is_suspect) {
        return;
    }
    struct suspicion *suspicion = map_u64_remove(replica->node->suspects, replica->block->id);
    CHECK(suspicion != NULL);
    list_remove(&suspicion->in_node);
    mem_free(suspicion);
    replica->is_suspect = false;
}

void namenode_suspect_verified(struct namenode *nn, struct tracked *node, uint64_t block_id)
{
    struct block *block = map_u64_get(nn->blocks, block_id);
    struct replica *replica = block == NULL ? NULL : namenode_replica_find(block, node);
    if (replica == NULL || !replica->is_suspect) {
        return;
    }
    NAMENODE_TRACE(nn, "replica verified block=%llu node=%llu", (unsigned long long)block_id,
                   (unsigned long long)node->endpoint.node_id);
    namenode_suspect_end(replica);
    namenode_block_review(nn, block); /* what waited for it */
}

static void tell_again(struct tracked *node, struct suspicion *suspicion)
{
    list_remove(&suspicion->in_node);
    list_append(&node->suspects_waiting, &suspicion->in_node, suspicion);
}

void namenode_suspects_restarted(struct tracked *node)
{
    while (node->suspects_told.first != NULL) {
        tell_again(node, node->suspects_told.first->object);
    }
}

void namenode_suspects_housekeeping(struct namenode *nn, struct tracked *node)
{
    while (node->suspects_told.first != NULL) {
        struct suspicion *oldest = node->suspects_told.first->object;
        if (oldest->retry_ms > nn->now_ms) {
            return;
        }
        tell_again(node, oldest);
        namenode_node_wake(nn, node);
    }
}

void namenode_suspects_tell(struct namenode *nn,
                            struct tracked *node,
                            struct dfs_datanode_command *commands,
                            size_t room,
                            size_t *count)
{
    while (room-- > 0 && node->suspects_waiting.count > 0) {
        struct suspicion *suspicion = list_pop(&node->suspects_waiting);
        suspicion->retry_ms = nn->now_ms + nn->settings.delete_retry_ms;
        list_append(&node->suspects_told, &suspicion->in_node, suspicion);
        commands[(*count)++] = (struct dfs_datanode_command){
            .kind = DATANODE_VERIFY_BLOCK, .block = {.block_id = suspicion->block_id}};
    }
}
