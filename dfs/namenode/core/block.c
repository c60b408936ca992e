/*
 * block.c - blocks and their replicas.
 * Owns namenode->blocks, the replicas and the counts of blocks by health. Whoever changes a replica
 * calls namenode_block_review for its block afterwards.
 * Invariants: NN-3, NN-5, NN-6.
 */
#include "dfs/namenode/core/state.h"
#include "lib/base/check.h"
#include "lib/base/mem.h"

/* --- blocks -------------------------------------------------------------------------- */

struct block *namenode_block_new(struct namenode *nn,
                                 struct inode *file,
                                 uint64_t id,
                                 uint64_t length)
{
    struct block *block = MEM_NEW(struct block);
    block->id = id;
    block->state = BLOCK_PENDING;
    block->file = file;
    block->length = length;
    block->index = (uint32_t)file->block_count;
    file->blocks = mem_reserve_tight(file->blocks, file->block_count, &file->block_capacity,
                                     sizeof(struct block *));
    file->blocks[file->block_count++] = block;
    CHECK(map_u64_put(nn->blocks, id, block) == NULL);
    nn->health_counts[HEALTH_NONE]++;
    namenode_quota_grown(nn, file, (int64_t)(length * file->replication));
    return block;
}

void namenode_block_seal(struct namenode *nn, struct block *block, uint64_t length, uint32_t crc32c)
{
    struct inode *file = block->file;
    CHECK(block->index == file->sealed_count);
    block->state = namenode_transition(&namenode_block_table, block->state, BLOCK_SEAL);
    int64_t more = (int64_t)length - (int64_t)block->length;
    namenode_quota_grown(nn, file, more * (int64_t)file->replication);
    block->length = length;
    block->crc32c = crc32c;
    file->sealed_count++;
    file->length += length;
    nn->sealed_count++;
    nn->digest ^= namenode_tally_of_block(block);
    namenode_block_review(nn, block);
}

static void take_from_file(struct namenode *nn, struct block *block)
{
    struct inode *file = block->file;
    if (block->state == BLOCK_SEALED) {
        CHECK(block->index + 1U == file->sealed_count);
        file->sealed_count--;
        file->length -= block->length;
        nn->sealed_count--;
        nn->digest ^= namenode_tally_of_block(block);
    }
    namenode_quota_grown(nn, file, -(int64_t)(block->length * file->replication));
    file->block_count--;
    for (size_t i = block->index; i < file->block_count; i++) {
        file->blocks[i] = file->blocks[i + 1];
        file->blocks[i]->index = (uint32_t)i;
    }
}

void namenode_block_remove(struct namenode *nn, struct block *block)
{
    take_from_file(nn, block);
    namenode_block_forget(nn, block);
}

void namenode_block_forget(struct namenode *nn, struct block *block)
{
    while (block->replica_count > 0) {
        struct replica *replica = block->replicas[block->replica_count - 1];
        namenode_node_delete(nn, replica->node, block->id);
        namenode_replica_drop(nn, replica);
    }
    namenode_repair_unqueue(nn, block);
    nn->health_counts[block->health]--;
    bool is_sealed = block->state == BLOCK_SEALED;
    block->state = namenode_transition(&namenode_block_table, block->state,
                                       is_sealed ? BLOCK_REMOVE : BLOCK_ABANDON);
    CHECK(map_u64_remove(nn->blocks, block->id) == block);
    mem_free(block->replicas);
    mem_free(block);
}

size_t namenode_block_stored(const struct block *block)
{
    size_t count = 0;
    for (size_t i = 0; i < block->replica_count; i++) {
        count += block->replicas[i]->state == REPLICA_STORED ? 1 : 0;
    }
    return count;
}

size_t namenode_block_good(const struct block *block)
{
    size_t count = 0;
    for (size_t i = 0; i < block->replica_count; i++) {
        const struct replica *replica = block->replicas[i];
        bool is_stored = replica->state == REPLICA_STORED;
        count += is_stored && namenode_node_is_in_service(replica->node) ? 1 : 0;
    }
    return count;
}

size_t namenode_block_in_flight(const struct block *block)
{
    size_t count = 0;
    for (size_t i = 0; i < block->replica_count; i++) {
        const struct replica *replica = block->replicas[i];
        count += replica->is_expected && namenode_node_is_in_service(replica->node) ? 1 : 0;
    }
    return count;
}

uint32_t namenode_block_wanted(const struct block *block)
{
    return block->file->replication;
}

uint32_t namenode_block_needed(const struct namenode *nn, const struct block *block)
{
    uint32_t wanted = namenode_block_wanted(block);
    uint32_t excused = 0;
    for (size_t i = 0; i < block->replica_count; i++) {
        const struct replica *replica = block->replicas[i];
        bool is_stored = replica->state == REPLICA_STORED;
        excused += is_stored && namenode_node_is_excused(replica->node) ? 1 : 0;
    }
    uint32_t min = excused == 0 ? 0 : nn->settings.maintenance_min_replicas;
    min = min < wanted ? min : wanted;
    uint32_t rest = wanted > excused ? wanted - excused : 0;
    return rest > min ? rest : min;
}

static enum block_health judge(const struct namenode *nn, const struct block *block)
{
    if (block->state != BLOCK_SEALED) {
        return HEALTH_NONE;
    }
    if (namenode_block_stored(block) == 0) {
        return HEALTH_MISSING;
    }
    bool is_enough = namenode_block_good(block) >= namenode_block_needed(nn, block);
    return is_enough ? HEALTH_GOOD : HEALTH_UNDER;
}

void namenode_block_review(struct namenode *nn, struct block *block)
{
    enum block_health health = judge(nn, block);
    nn->health_counts[block->health]--;
    nn->health_counts[health]++;
    block->health = health;
    if (health == HEALTH_NONE) {
        return;
    }
    namenode_service_count_left(block, health == HEALTH_UNDER);
    if (nn->mode == MODE_SAFE && health != HEALTH_MISSING && !block->was_seen) {
        block->was_seen = true;
        nn->safe_seen++;
    }
    if (!nn->is_repairing) {
        return;
    }
    namenode_repair_trim(nn, block);
    namenode_repair_cancel(nn, block);
    int64_t key = 0;
    if (namenode_repair_needs(nn, block, &key)) {
        namenode_repair_queue(nn, block);
    } else {
        namenode_repair_unqueue(nn, block);
    }
}

/* --- replicas ------------------------------------------------------------------------ */

struct replica *namenode_replica_find(const struct block *block, const struct tracked *node)
{
    for (size_t i = 0; i < block->replica_count; i++) {
        if (block->replicas[i]->node == node) {
            return block->replicas[i];
        }
    }
    return NULL;
}

struct replica *namenode_replica_new(struct namenode *nn, struct block *block, struct tracked *node)
{
    CHECK(namenode_replica_find(block, node) == NULL);
    struct replica *replica = MEM_NEW(struct replica);
    replica->block = block;
    replica->node = node;
    replica->state = REPLICA_EXPECTED;
    replica->since_step = nn->step;
    replica->arrival = MEM_NEW(struct arrival);
    replica->arrival->timer.kind = TIMER_REPLICA;
    replica->arrival->timer.object = replica;
    block->replicas = mem_reserve_tight(block->replicas, block->replica_count,
                                        &block->replica_capacity, sizeof(struct replica *));
    block->replicas[block->replica_count++] = replica;
    list_append(&node->replicas, &replica->in_node, replica);
    return replica;
}

void namenode_replica_expect(struct namenode *nn,
                             struct replica *replica,
                             struct tracked *source,
                             int64_t due_ms)
{
    struct arrival *arrival = replica->arrival;
    CHECK(replica->state == REPLICA_EXPECTED);
    if (!replica->is_expected) {
        replica->is_expected = true;
        arrival->reserved_bytes = replica->block->length;
        replica->node->expected_bytes += arrival->reserved_bytes;
        replica->node->expected_count++;
    }
    if (source != NULL) {
        arrival->source = source;
        source->copies_out++;
        replica->node->copies_in++;
        list_append(&source->outgoing, &arrival->in_outgoing, replica);
        namenode_node_wake(nn, source);
    }
    if (due_ms != INT64_MAX) {
        namenode_timer_set(nn, &arrival->timer, due_ms);
    }
}

/* It has come, or will not come. */
static void expect_no_more(struct namenode *nn, struct replica *replica)
{
    struct arrival *arrival = replica->arrival;
    namenode_timer_clear(nn, &arrival->timer);
    if (replica->is_expected) {
        replica->is_expected = false;
        replica->node->expected_bytes -= arrival->reserved_bytes;
        replica->node->expected_count--;
    }
    namenode_balance_ended(nn, replica);
    if (arrival->source != NULL) {
        arrival->source->copies_out--;
        replica->node->copies_in--;
        list_remove(&arrival->in_outgoing);
        nn->has_repair_work = true; /* a slot is free */
    }
    mem_free(arrival);
    replica->arrival = NULL;
}

void namenode_replica_apply(struct namenode *nn, struct replica *replica, enum replica_event event)
{
    int before = replica->state;
    namenode_suspect_end(replica);
    replica->state = namenode_transition(&namenode_replica_table, before, (int)event);
    if (before == REPLICA_EXPECTED) {
        expect_no_more(nn, replica);
    }
    namenode_service_uncount(replica); /* the review counts it anew */
    NAMENODE_TRACE(nn, "replica block=%llu node=%llu %s->%s",
                   (unsigned long long)replica->block->id,
                   (unsigned long long)replica->node->endpoint.node_id,
                   namenode_replica_table.state_names[before],
                   namenode_replica_table.state_names[replica->state]);
}

void namenode_replica_drop(struct namenode *nn, struct replica *replica)
{
    struct block *block = replica->block;
    namenode_replica_apply(nn, replica, REPLICA_DROPPED);
    size_t at = 0;
    while (block->replicas[at] != replica) {
        at++;
        CHECK(at < block->replica_count);
    }
    block->replica_count--;
    for (; at < block->replica_count; at++) {
        block->replicas[at] = block->replicas[at + 1];
    }
    list_remove(&replica->in_node);
    mem_free(replica);
}

void namenode_replica_reported(struct namenode *nn,
                               struct tracked *node,
                               const struct dfs_block_info *info)
{
    struct block *block = map_u64_get(nn->blocks, info->block_id);
    CHECK(block != NULL);
    struct replica *replica = namenode_replica_find(block, node);
    if (replica == NULL) {
        replica = namenode_replica_new(nn, block, node);
    }
    replica->report = node->report;
    if (block->state == BLOCK_PENDING) {
        replica->arrival->was_reported = true;
        replica->arrival->reported_length = info->length;
        replica->arrival->reported_crc32c = info->crc32c;
        return;
    }
    bool is_good = info->length == block->length && info->crc32c == block->crc32c;
    if (replica->state == REPLICA_EXPECTED) {
        uint64_t replaces_node_id = replica->arrival->replaces_node_id;
        namenode_replica_apply(nn, replica, is_good ? REPLICA_ARRIVED : REPLICA_MISMATCHED);
        if (is_good && replaces_node_id != 0) {
            namenode_balance_arrived(nn, replica, replaces_node_id);
        }
    } else if (replica->state == REPLICA_STORED && !is_good) {
        namenode_replica_apply(nn, replica, REPLICA_MISMATCHED);
    } else {
        return; /* nothing new: stored, known to be corrupt, or on its way out */
    }
    namenode_block_review(nn, block);
}

void namenode_replica_corrupted(struct namenode *nn, struct replica *replica)
{
    struct block *block = replica->block;
    bool is_new = replica->state == REPLICA_STORED || replica->state == REPLICA_EXPECTED;
    if (block->state == BLOCK_SEALED && is_new) {
        namenode_replica_apply(nn, replica, REPLICA_MISMATCHED);
        namenode_block_review(nn, block);
    }
}

void namenode_replica_overdue(struct namenode *nn, struct replica *replica)
{
    struct block *block = replica->block;
    NAMENODE_TRACE(nn, "replica overdue block=%llu node=%llu", (unsigned long long)block->id,
                   (unsigned long long)replica->node->endpoint.node_id);
    namenode_replica_drop(nn, replica);
    namenode_block_review(nn, block);
}
