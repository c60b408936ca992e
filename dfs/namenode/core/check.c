/*
 * check.c - asserts the numbered invariants of namenode.h by counting everything anew.
 * Costs time in proportion to the whole state: for tests and the simulator, after every step.
 */
#include <stdio.h>
#include <stdlib.h>

#include "dfs/namenode/core/state.h"
#include "lib/base/check.h"

/* Names the invariant, then aborts as CHECK does. */
static void expect(bool holds, const char *invariant)
{
    if (!holds) {
        fprintf(stderr, "broken invariant %s\n", invariant);
        CHECK(holds);
    }
}

struct tally {
    uint64_t files;
    uint64_t directories;
    uint64_t inodes;
    uint64_t writing;
    uint64_t sealed;
    uint64_t blocks;
    uint64_t quotas;
    uint64_t digest;
};

static void check_file(const struct namenode *nn, const struct inode *file, struct tally *tally)
{
    bool is_writing = file->state == INODE_WRITING;
    uint64_t length = 0;
    expect(file->children == NULL && file->child_count == 0, "NN-1");
    expect(file->sealed_count <= file->block_count, "NN-3");
    expect(is_writing || file->sealed_count == file->block_count, "NN-3");
    expect(is_writing == (file->lease != NULL), "NN-4");
    for (size_t i = 0; i < file->block_count; i++) {
        const struct block *block = file->blocks[i];
        bool is_sealed = block->state == BLOCK_SEALED;
        expect(block->file == file && block->index == i, "NN-3");
        expect(is_sealed == (i < file->sealed_count), "NN-3");
        expect(block->id <= nn->reserved_up_to, "NN-2");
        expect(map_u64_get(nn->blocks, block->id) == block, "NN-3");
        length += is_sealed ? block->length : 0;
    }
    expect(length == file->length, "NN-3");
    if (file->is_append) {
        const struct inode *older = namenode_inode_installed(nn, file->parent, file->name);
        expect(is_writing && (older != NULL || namenode_inode_is_doomed(nn, file)), "NN-22");
        expect(older == NULL || file->replication == older->replication, "NN-22");
        expect(older == NULL || file->keep_blocks <= older->block_count ||
                   namenode_inode_is_doomed(nn, file),
               "NN-22");
    }
    tally->files++;
    tally->writing += is_writing ? 1 : 0;
    tally->sealed += file->sealed_count;
    for (size_t i = 0; i < file->sealed_count; i++) {
        tally->digest ^= namenode_tally_of_block(file->blocks[i]);
    }
    tally->blocks += file->block_count;
}

static void check_directory(const struct inode *directory, struct tally *tally)
{
    size_t count = 0;
    size_t directories = 0;
    const struct inode *before = NULL;
    const struct inode *child = namenode_inode_next_child(directory, slice_make(NULL, 0), false);
    while (child != NULL) {
        expect(child->parent == directory, "NN-1");
        if (before != NULL && slice_equal(before->name, child->name)) {
            expect(before->state == INODE_INSTALLED && child->state == INODE_WRITING, "NN-1");
            expect(child->overwrite || child->is_append, "NN-1");
            expect(before->kind == FILE_REGULAR, "NN-1");
        }
        count++;
        directories += namenode_inode_is_directory(child) ? 1 : 0;
        before = child;
        child = namenode_inode_next_child(directory, child->name, child->state == INODE_WRITING);
    }
    expect(count == directory->child_count && directories == directory->directory_count, "NN-1");
    expect(directory->block_count == 0 && directory->lease == NULL, "NN-4");
    tally->directories++;
}

static bool check_quota(const struct namenode *nn, const struct inode *directory)
{
    const struct directory_extra *extra = directory->extra;
    if (extra == NULL || (extra->name_quota == 0 && extra->space_quota == 0)) {
        return false;
    }
    uint64_t names = 0;
    uint64_t bytes = 0;
    for (const struct inode *at = directory; at != NULL; at = namenode_inode_walk(directory, at)) {
        bool is_second = at->state == INODE_WRITING &&
                         namenode_inode_installed(nn, at->parent, at->name) != NULL;
        names += is_second ? 0 : 1;
        for (size_t i = 0; i < at->block_count; i++) {
            bytes += at->blocks[i]->length * at->replication;
        }
    }
    expect(names == extra->names && bytes == extra->bytes, "NN-21");
    return true;
}

static void check_below(const struct namenode *nn, const struct inode *top, struct tally *tally)
{
    for (const struct inode *at = top; at != NULL; at = namenode_inode_walk(top, at)) {
        expect(at->id <= nn->reserved_up_to, "NN-2");
        expect(map_u64_get(nn->inodes, at->id) == at, "NN-1");
        if (at->parent != NULL) {
            const struct inode *found = at->state == INODE_WRITING
                                            ? namenode_inode_writing(nn, at->parent, at->name)
                                            : namenode_inode_installed(nn, at->parent, at->name);
            expect(found == at, "NN-1");
            tally->digest ^= namenode_tally_of_inode(at);
        }
        if (namenode_inode_is_directory(at)) {
            check_directory(at, tally);
            tally->quotas += check_quota(nn, at) ? 1 : 0;
        } else {
            check_file(nn, at, tally);
        }
        tally->inodes++;
    }
}

static void check_doomed(const struct namenode *nn, struct tally *tally)
{
    for (size_t i = 0; i < nn->doomed_count; i++) {
        const struct inode *top = nn->doomed[i];
        expect(top->parent == NULL && namenode_inode_is_directory(top), "NN-25");
        expect(namenode_inode_by_id(nn, top->id) == NULL, "NN-25");
        check_below(nn, top, tally);
        tally->directories--; /* it is not counted since it was taken off */
    }
    bool will_go_on = heap_node_is_queued(&nn->release_timer.node) || nn->mode != MODE_OPEN ||
                      heap_node_is_queued(&nn->housekeeping.node);
    expect(nn->doomed_count == 0 || will_go_on, "NN-25");
}

static void check_tree(const struct namenode *nn, struct tally *tally)
{
    if (nn->root != NULL) {
        check_below(nn, nn->root, tally);
    }
    check_doomed(nn, tally);
    expect(tally->inodes == map_u64_count(nn->inodes), "NN-1");
    expect(tally->writing == nn->writing.count, "NN-1");
    expect(tally->inodes ==
               tally->writing + nn->installed.count + nn->doomed_count + (nn->root != NULL ? 1 : 0),
           "NN-1");
    expect(tally->blocks == map_u64_count(nn->blocks), "NN-3");
    expect(tally->files == nn->file_count && tally->directories == nn->directory_count, "NN-6");
    expect(tally->sealed == nn->sealed_count && tally->digest == nn->digest, "NN-6");
    expect(tally->quotas == nn->quota_count, "NN-21");
}

static void check_leases(const struct namenode *nn, uint64_t writing)
{
    uint64_t held = 0;
    size_t cursor = 0;
    void *value = NULL;
    while (map_u64_next(nn->leases, &cursor, NULL, &value)) {
        const struct lease *lease = value;
        expect(lease->files.count > 0, "NN-4");
        held += lease->files.count;
    }
    expect(held == writing, "NN-4");
}

static enum block_health health_of(const struct namenode *nn, const struct block *block)
{
    uint32_t counts[ADMIN_IN_MAINTENANCE + 1] = {0};
    size_t stored = 0;
    for (size_t i = 0; i < block->replica_count; i++) {
        if (block->replicas[i]->state == REPLICA_STORED) {
            stored++;
            counts[block->replicas[i]->node->service]++;
        }
    }
    if (block->state != BLOCK_SEALED) {
        return HEALTH_NONE;
    }
    if (stored == 0) {
        return HEALTH_MISSING;
    }
    uint32_t wanted = block->file->replication;
    uint32_t good = counts[ADMIN_IN_SERVICE];
    uint32_t away = counts[ADMIN_ENTERING_MAINTENANCE] + counts[ADMIN_IN_MAINTENANCE];
    bool is_excused =
        away > 0 && good + away >= wanted && good >= nn->settings.maintenance_min_replicas;
    return good >= wanted || is_excused ? HEALTH_GOOD : HEALTH_UNDER; /* NN-13 */
}

static void check_block(const struct namenode *nn, const struct block *block)
{
    int64_t key = 0;
    for (size_t i = 0; i < block->replica_count; i++) {
        const struct replica *replica = block->replicas[i];
        expect(replica->block == block, "NN-5");
        expect(replica->in_node.list == &replica->node->replicas, "NN-5");
        expect(namenode_replica_find(block, replica->node) == replica, "NN-5");
        expect(replica->state != REPLICA_GONE, "NN-5");
        expect(!replica->is_expected || replica->state == REPLICA_EXPECTED, "NN-6");
        bool is_left = block->health == HEALTH_UNDER && replica->state == REPLICA_STORED &&
                       replica->node->service != ADMIN_IN_SERVICE;
        expect(replica->is_left == is_left, "NN-6");
        bool is_suspect = map_u64_get(replica->node->suspects, block->id) != NULL;
        expect(replica->is_suspect == is_suspect, "NN-24");
        expect(!is_suspect || replica->state == REPLICA_STORED, "NN-24");
    }
    bool is_queued = heap_node_is_queued(&block->in_queue);
    bool is_parked = list_node_is_listed(&block->in_parked);
    bool is_needed = nn->is_repairing && namenode_repair_needs(nn, block, &key);
    expect(!(is_queued && is_parked) && (is_queued || is_parked) == is_needed, "NN-7");
}

static void check_blocks(const struct namenode *nn)
{
    uint64_t counts[HEALTH_COUNT] = {0};
    size_t cursor = 0;
    void *value = NULL;
    while (map_u64_next(nn->blocks, &cursor, NULL, &value)) {
        const struct block *block = value;
        check_block(nn, block);
        expect(block->health == health_of(nn, block), "NN-6");
        counts[block->health]++;
    }
    for (size_t i = 0; i < HEALTH_COUNT; i++) {
        expect(counts[i] == nn->health_counts[i], "NN-6");
    }
}

struct node_sums {
    uint64_t expected_bytes;
    uint32_t expected_count;
    uint32_t copies_in;
    uint64_t left_count;
    size_t suspects;
};

static void check_node(const struct namenode *nn, const struct tracked *node)
{
    struct node_sums sums = {0};
    for (const struct list_node *at = node->replicas.first; at != NULL; at = at->next) {
        const struct replica *replica = at->object;
        expect(replica->node == node, "NN-5");
        sums.expected_bytes += replica->is_expected ? replica->arrival->reserved_bytes : 0;
        sums.expected_count += replica->is_expected ? 1 : 0;
        sums.copies_in += replica->arrival != NULL && replica->arrival->source != NULL ? 1 : 0;
        sums.left_count += replica->is_left ? 1 : 0;
        sums.suspects += replica->is_suspect ? 1 : 0;
    }
    expect(sums.left_count == node->left_count, "NN-6");
    expect(sums.expected_bytes == node->expected_bytes, "NN-6");
    expect(sums.expected_count == node->expected_count, "NN-6");
    expect(sums.copies_in == node->copies_in, "NN-6");
    size_t suspects = map_u64_count(node->suspects);
    expect(suspects == node->suspects_waiting.count + node->suspects_told.count, "NN-24");
    expect(suspects == sums.suspects, "NN-24");
    size_t deletions = map_u64_count(node->deletions);
    expect(deletions == node->deletions_waiting.count + node->deletions_told.count, "NN-6");
    expect(nn->mode == MODE_OPEN || node->outgoing.count == 0, "NN-8");
    size_t cursor = 0;
    uint64_t block_id = 0;
    while (map_u64_next(node->deletions, &cursor, &block_id, NULL)) {
        expect(block_id <= nn->reserved_up_to, "NN-10");
    }
    bool is_gone = namenode_node_is_gone(node);
    expect(!is_gone || (!node->has_held && node->replicas.count == 0), "NN-12");
    expect(node->until_ms == 0 || namenode_node_is_excused(node), "NN-13");
    expect(node->has_held == heap_node_is_queued(&node->held_timer.node), "NN-12");
}

static void check_addresses(const struct namenode *nn)
{
    struct map *addresses = map_open();
    size_t cursor = 0;
    void *value = NULL;
    while (map_u64_next(nn->nodes, &cursor, NULL, &value)) {
        const struct tracked *node = value;
        if (!namenode_node_is_gone(node) && node->endpoint.http_address.length > 0) {
            expect(map_put(addresses, node->endpoint.http_address, value) == NULL, "NN-14");
        }
    }
    map_close(addresses);
}

static uint64_t count_copies_out(const struct namenode *nn)
{
    uint64_t count = 0;
    size_t cursor = 0;
    void *value = NULL;
    while (map_u64_next(nn->nodes, &cursor, NULL, &value)) {
        count += ((const struct tracked *)value)->copies_out;
    }
    return count;
}

static void check_moves(const struct namenode *nn)
{
    uint32_t moving = 0;
    uint64_t bytes = 0;
    uint64_t leaving = 0;
    size_t cursor = 0;
    void *value = NULL;
    while (map_u64_next(nn->nodes, &cursor, NULL, &value)) {
        const struct tracked *node = value;
        leaving += node->leaving_bytes;
        for (const struct list_node *at = node->replicas.first; at != NULL; at = at->next) {
            const struct replica *replica = at->object;
            if (namenode_replica_is_move(replica)) {
                expect(replica->is_expected && replica->arrival->source != NULL, "NN-6");
                moving++;
                bytes += replica->block->length;
            }
        }
    }
    expect(moving == nn->balancer.moving && bytes == leaving, "NN-6");
}

static void check_nodes(const struct namenode *nn)
{
    uint64_t copies_in = 0;
    size_t cursor = 0;
    void *value = NULL;
    while (map_u64_next(nn->nodes, &cursor, NULL, &value)) {
        const struct tracked *node = value;
        check_node(nn, node);
        copies_in += node->copies_in;
    }
    expect(copies_in == count_copies_out(nn), "NN-6");
    check_addresses(nn);
    check_moves(nn);
    size_t racks = 0;
    cursor = 0;
    while (map_next(nn->racks, &cursor, NULL, &value)) {
        const struct rack *rack = value;
        size_t live = 0;
        size_t node_cursor = 0;
        void *node_value = NULL;
        while (map_u64_next(nn->nodes, &node_cursor, NULL, &node_value)) {
            const struct tracked *node = node_value;
            bool counts = namenode_node_is_usable(node) && node->service == ADMIN_IN_SERVICE;
            live += node->rack == rack && counts ? 1 : 0;
        }
        expect(live == rack->live_count, "NN-6");
        racks += live > 0 ? 1 : 0;
    }
    expect(racks == nn->live_rack_count, "NN-6");
}

void namenode_check(const struct namenode *nn)
{
    struct tally tally = {0};
    check_tree(nn, &tally);
    check_leases(nn, tally.writing);
    check_blocks(nn);
    check_nodes(nn);
    expect(!nn->is_repairing || nn->mode == MODE_OPEN, "NN-8");
    expect(!nn->is_safe_manual || nn->mode == MODE_SAFE, "NN-8");
    namenode_compact_check(nn, expect);
    expect(map_count(nn->mutations) == nn->mutation_order.count, "NN-11");
    expect(nn->mutation_order.count <= nn->settings.mutations_max, "NN-11");
    expect(map_count(nn->fences) == nn->fence_order.count, "NN-11");
}
