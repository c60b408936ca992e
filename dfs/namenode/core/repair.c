/*
 * repair.c - copies of blocks that have too few replicas, and the end of surplus and corrupt ones.
 * Owns the repair queue: fewest readable replicas first, of these the blocks with all in one rack,
 * and at last those that have enough replicas but all in one rack. Caps: copies at once per node,
 * bytes per second per node and in all. A block that no node can take is parked and tried again
 * later; a copy that nobody was told of yet is taken back when it is not needed any more. Nothing
 * happens before repair_start_ms after the end of safe mode, so that datanodes that are slow to
 * report cause no storm. Invariants: NN-7, NN-8, NN-9.
 */
#include "dfs/namenode/core/state.h"
#include "lib/base/check.h"

enum {
    PPM = 1000000,
    KEY_MISPLACED = 1000, /* beyond any number of replicas */
    SCAN_MAX = 1000,      /* blocks looked at in one step */
    FAILED_MAX = 64,      /* targets of a block that are left out */
    ASIDE_MAX = 64,       /* ... and put back because nodes they need are at their cap */
};

bool namenode_block_is_in_one_rack(const struct block *block, const struct replica *without)
{
    const struct rack *rack = NULL;
    for (size_t i = 0; i < block->replica_count; i++) {
        const struct replica *replica = block->replicas[i];
        bool is_there = replica->state == REPLICA_STORED || replica->is_expected;
        bool stays =
            namenode_node_is_in_service(replica->node) || namenode_node_is_excused(replica->node);
        if (!is_there || !stays || replica == without) {
            continue;
        }
        if (rack != NULL && replica->node->rack != rack) {
            return false;
        }
        rack = replica->node->rack;
    }
    return true;
}

static bool is_in_one_rack(const struct block *block)
{
    return namenode_block_is_in_one_rack(block, NULL);
}

bool namenode_block_is_misplaced(const struct namenode *nn, const struct block *block)
{
    return namenode_block_wanted(block) >= 2 && nn->live_rack_count >= 2 && is_in_one_rack(block);
}

bool namenode_repair_needs(const struct namenode *nn, const struct block *block, int64_t *ret_key)
{
    size_t stored = namenode_block_stored(block);
    if (block->state != BLOCK_SEALED || stored == 0) {
        return false;
    }
    size_t coming = namenode_block_good(block) + namenode_block_in_flight(block);
    if (coming < namenode_block_needed(nn, block)) {
        *ret_key = 2 * (int64_t)stored + (is_in_one_rack(block) ? 0 : 1);
        return true;
    }
    *ret_key = KEY_MISPLACED;
    return namenode_block_is_misplaced(nn, block);
}

void namenode_repair_queue(struct namenode *nn, struct block *block)
{
    int64_t key = 0;
    CHECK(namenode_repair_needs(nn, block, &key));
    list_remove(&block->in_parked);
    if (!heap_node_is_queued(&block->in_queue)) {
        heap_push(&nn->repair_queue, &block->in_queue, key, block);
    } else if (block->in_queue.key != key) {
        heap_update(&nn->repair_queue, &block->in_queue, key);
    }
    nn->has_repair_work = true;
}

void namenode_repair_unqueue(struct namenode *nn, struct block *block)
{
    list_remove(&block->in_parked);
    heap_remove(&nn->repair_queue, &block->in_queue);
}

void namenode_repair_review_all(struct namenode *nn)
{
    if (!nn->is_repairing) {
        return;
    }
    size_t cursor = 0;
    void *value = NULL;
    while (map_u64_next(nn->blocks, &cursor, NULL, &value)) {
        namenode_block_review(nn, value);
    }
}

void namenode_repair_start(struct namenode *nn)
{
    if (nn->is_repairing || nn->mode != MODE_OPEN ||
        nn->now_ms < nn->open_ms + nn->settings.repair_start_ms) {
        return;
    }
    nn->is_repairing = true;
    NAMENODE_TRACE(nn, "repair on");
    namenode_repair_review_all(nn);
}

/* Nodes may have come back. A copy that somebody was told of arrives and makes others surplus. */
void namenode_repair_cancel(struct namenode *nn, struct block *block)
{
    for (size_t i = block->replica_count; i > 0; i--) {
        struct replica *replica = block->replicas[i - 1];
        bool is_untold =
            replica->arrival != NULL && list_node_is_listed(&replica->arrival->in_outgoing);
        bool is_enough = namenode_block_good(block) >= namenode_block_needed(nn, block);
        bool is_spread = namenode_block_wanted(block) < 2 || nn->live_rack_count < 2 ||
                         !namenode_block_is_in_one_rack(block, replica);
        if (is_untold && is_enough && is_spread && !namenode_replica_is_move(replica)) {
            NAMENODE_TRACE(nn, "copy taken back block=%llu to=%llu", (unsigned long long)block->id,
                           (unsigned long long)replica->node->endpoint.node_id);
            namenode_replica_drop(nn, replica);
        }
    }
}

static void cancel_untold(struct namenode *nn, struct tracked *source)
{
    while (source->outgoing.first != NULL) {
        struct replica *replica = source->outgoing.first->object;
        struct block *block = replica->block;
        namenode_replica_drop(nn, replica);
        namenode_block_review(nn, block);
    }
}

void namenode_copy_abandon(struct namenode *nn, struct replica *replica)
{
    struct block *block = replica->block;
    NAMENODE_TRACE(nn, "copy lost block=%llu to=%llu", (unsigned long long)block->id,
                   (unsigned long long)replica->node->endpoint.node_id);
    namenode_replica_drop(nn, replica);
    namenode_block_review(nn, block);
}

static struct replica *find_copy_from(const struct block *block, const struct tracked *source)
{
    for (size_t i = 0; i < block->replica_count; i++) {
        const struct arrival *arrival = block->replicas[i]->arrival;
        if (arrival != NULL && arrival->source == source) {
            return block->replicas[i];
        }
    }
    return NULL;
}

void namenode_repair_restarted(struct namenode *nn, struct tracked *node)
{
    struct list_node *at = node->copies_in + node->copies_out > 0 ? node->replicas.first : NULL;
    while (at != NULL) {
        struct replica *replica = at->object;
        const struct block *block = replica->block;
        at = at->next; /* a review drops no replica of another block */
        struct replica *copy = NULL;
        if (replica->arrival != NULL && replica->arrival->source != NULL) {
            namenode_copy_abandon(nn, replica);
            continue;
        }
        while ((copy = find_copy_from(block, node)) != NULL) {
            namenode_copy_abandon(nn, copy);
        }
    }
}

void namenode_repair_stop(struct namenode *nn)
{
    if (nn->is_repairing) {
        NAMENODE_TRACE(nn, "repair off");
    }
    nn->is_repairing = false;
    while (heap_pop(&nn->repair_queue) != NULL) {
    }
    while (list_pop(&nn->parked) != NULL) {
    }
    size_t cursor = 0;
    void *value = NULL;
    while (map_u64_next(nn->nodes, &cursor, NULL, &value)) {
        cancel_untold(nn, value);
    }
}

void namenode_repair_unpark(struct namenode *nn)
{
    if (nn->parked.count == 0 || nn->now_ms < nn->unpark_ms) {
        return;
    }
    nn->unpark_ms = nn->now_ms + nn->settings.repair_retry_ms;
    while (nn->parked.count > 0) {
        namenode_repair_queue(nn, nn->parked.first->object);
    }
}

/* --- surplus ------------------------------------------------------------------------- */

static size_t count_stored_in_rack(const struct block *block, const struct rack *rack)
{
    size_t count = 0;
    for (size_t i = 0; i < block->replica_count; i++) {
        const struct replica *replica = block->replicas[i];
        count += replica->state == REPLICA_STORED && replica->node->rack == rack ? 1 : 0;
    }
    return count;
}

void namenode_replica_give_up(struct namenode *nn,
                              struct replica *replica,
                              enum replica_event event)
{
    namenode_replica_apply(nn, replica, event);
    CHECK(namenode_block_stored(replica->block) > 0); /* NN-9 */
    namenode_node_delete(nn, replica->node, replica->block->id);
}

/* Room in parts of a million. */
static uint64_t free_ppm(const struct tracked *node)
{
    uint64_t free_bytes = node->free_bytes;
    uint64_t capacity = node->capacity_bytes;
    if (capacity > UINT64_MAX / PPM) {
        free_bytes /= PPM;
        capacity /= PPM;
    }
    return capacity == 0 ? 0 : free_bytes * PPM / capacity;
}

/* The one least missed: from the rack with the most replicas, then from the fullest node. */
static struct replica *pick_surplus(const struct block *block)
{
    struct replica *best = NULL;
    size_t best_crowd = 0;
    for (size_t i = 0; i < block->replica_count; i++) {
        struct replica *replica = block->replicas[i];
        if (replica->state != REPLICA_STORED || replica->node->state != TRACKED_LIVE ||
            !namenode_node_is_in_service(replica->node)) {
            continue;
        }
        size_t crowd = count_stored_in_rack(block, replica->node->rack);
        if (best == NULL || crowd > best_crowd ||
            (crowd == best_crowd && free_ppm(replica->node) < free_ppm(best->node))) {
            best = replica;
            best_crowd = crowd;
        }
    }
    return best;
}

static size_t count_stored_live(const struct block *block)
{
    size_t count = 0;
    for (size_t i = 0; i < block->replica_count; i++) {
        const struct replica *replica = block->replicas[i];
        bool is_live =
            replica->node->state == TRACKED_LIVE && namenode_node_is_in_service(replica->node);
        count += replica->state == REPLICA_STORED && is_live ? 1 : 0;
    }
    return count;
}

/* A silent node may hold one too many: looked at again when it is heard. */
static void note_silent_surplus(const struct block *block)
{
    for (size_t i = 0; i < block->replica_count; i++) {
        struct tracked *node = block->replicas[i]->node;
        node->has_surplus = node->has_surplus || node->state != TRACKED_LIVE;
    }
}

/* Replicas on silent nodes count as good but not as surplus: they may be gone already. */
void namenode_repair_trim(struct namenode *nn, struct block *block)
{
    uint32_t wanted = namenode_block_wanted(block);
    if (namenode_block_has_suspect(block)) {
        return; /* it might be the only good one, or not good at all */
    }
    for (size_t live = count_stored_live(block); live > wanted; live--) {
        struct replica *surplus = pick_surplus(block);
        CHECK(surplus != NULL);
        namenode_replica_give_up(nn, surplus, REPLICA_SURPLUS);
    }
    if (namenode_block_stored(block) > wanted) {
        note_silent_surplus(block);
    }
    if (namenode_block_good(block) < namenode_block_needed(nn, block)) {
        return;
    }
    for (size_t i = 0; i < block->replica_count; i++) {
        if (block->replicas[i]->state == REPLICA_CORRUPT) {
            namenode_replica_give_up(nn, block->replicas[i], REPLICA_REPLACED);
        }
    }
}

/* --- copies -------------------------------------------------------------------------- */

enum copy_outcome {
    COPY_STARTED,
    COPY_CAPPED,     /* a node is busy: soon */
    COPY_IMPOSSIBLE, /* no node: later */
};

static struct tracked *pick_source(const struct namenode *nn,
                                   const struct block *block,
                                   bool *ret_capped)
{
    /* A last replica may not wait behind less urgent copies. */
    bool is_last = namenode_block_stored(block) == 1;
    uint32_t cap = nn->settings.copies_per_node * (is_last ? 2U : 1U);
    struct tracked *best = NULL;
    int best_trouble = 0;
    *ret_capped = false;
    for (size_t i = 0; i < block->replica_count; i++) {
        struct tracked *node = block->replicas[i]->node;
        enum source_doubt doubt = namenode_failure_of_source(nn, block, node);
        int trouble = (doubt == SOURCE_DOUBTED ? TRACKED_STATE_COUNT : 0) + node->state;
        if (block->replicas[i]->state != REPLICA_STORED || !namenode_node_is_usable(node) ||
            block->replicas[i]->is_suspect || doubt == SOURCE_FAILED) {
            continue;
        }
        if (node->copies_out >= cap || !namenode_bucket_is_open(&node->copied_out, nn->now_ms)) {
            *ret_capped = true;
            continue;
        }
        if (best == NULL || trouble < best_trouble ||
            (trouble == best_trouble && node->copies_out < best->copies_out)) {
            best = node;
            best_trouble = trouble;
        }
    }
    return best;
}

/* Every node that could take a copy has a corrupt one: make room on one of them. */
static void free_corrupt(struct namenode *nn, struct block *block)
{
    for (size_t i = 0; i < block->replica_count; i++) {
        struct replica *replica = block->replicas[i];
        if (replica->state == REPLICA_CORRUPT && namenode_node_is_usable(replica->node)) {
            namenode_replica_give_up(nn, replica, REPLICA_REPLACED);
            return;
        }
    }
}

struct replica *namenode_copy_start(struct namenode *nn,
                                    struct block *block,
                                    struct tracked *source,
                                    struct tracked *target)
{
    uint64_t rate = nn->settings.repair_node_bytes_per_second;
    struct replica *replica = namenode_replica_new(nn, block, target);
    namenode_replica_expect(nn, replica, source, nn->now_ms + nn->settings.copy_timeout_ms);
    namenode_bucket_spend(&source->copied_out, rate, block->length, nn->now_ms);
    namenode_bucket_spend(&target->copied_in, rate, block->length, nn->now_ms);
    NAMENODE_TRACE(nn, "copy block=%llu from=%llu to=%llu", (unsigned long long)block->id,
                   (unsigned long long)source->endpoint.node_id,
                   (unsigned long long)target->endpoint.node_id);
    return replica;
}

/* A copy there would leave it in one rack: the other racks are full. */
static bool is_no_help(const struct block *block, const struct tracked *target)
{
    for (size_t i = 0; i < block->replica_count; i++) {
        const struct replica *replica = block->replicas[i];
        if (replica->state == REPLICA_STORED && namenode_node_is_in_service(replica->node)) {
            return replica->node->rack == target->rack;
        }
    }
    return false;
}

static enum copy_outcome start_copy(struct namenode *nn, struct block *block)
{
    bool is_capped = false;
    struct tracked *source = pick_source(nn, block, &is_capped);
    if (source == NULL) {
        return is_capped ? COPY_CAPPED : COPY_IMPOSSIBLE;
    }
    uint64_t failed[FAILED_MAX];
    struct placement placement = {
        .block_bytes = block->length,
        .block = block,
        .is_copy = true,
        .excluded = failed,
        .excluded_count = namenode_failed_targets(nn, block, failed, FAILED_MAX),
    };
    struct tracked *target = NULL;
    if (namenode_placement_choose(nn, &placement, 1, &target) == 0) {
        placement.is_copy = false;
        if (namenode_placement_choose(nn, &placement, 1, &target) > 0) {
            return COPY_CAPPED;
        }
        /* Others could take it in a while, or it is needed after all. */
        if (placement.excluded_count == 0 && !namenode_block_has_suspect(block)) {
            free_corrupt(nn, block);
        }
        return COPY_IMPOSSIBLE;
    }
    int64_t key = 0;
    CHECK(namenode_repair_needs(nn, block, &key));
    if (key == KEY_MISPLACED && is_no_help(block, target)) {
        return COPY_IMPOSSIBLE;
    }
    (void)namenode_copy_start(nn, block, source, target); /* it is in the tables now */
    namenode_bucket_spend(&nn->repair_rate, nn->settings.repair_bytes_per_second, block->length,
                          nn->now_ms);
    return COPY_STARTED;
}

/* Without a free slot somewhere no block need be looked at. */
static bool has_free_slots(const struct namenode *nn)
{
    bool has_source = false;
    bool has_target = false;
    size_t cursor = 0;
    void *value = NULL;
    while (!(has_source && has_target) && map_u64_next(nn->nodes, &cursor, NULL, &value)) {
        const struct tracked *node = value;
        if (namenode_node_is_usable(node)) {
            bool may_send = namenode_bucket_is_open(&node->copied_out, nn->now_ms);
            bool may_take = namenode_bucket_is_open(&node->copied_in, nn->now_ms);
            has_source =
                has_source || (may_send && node->copies_out < 2 * nn->settings.copies_per_node);
            has_target = has_target || (may_take && node->copies_in < nn->settings.copies_per_node);
        }
    }
    return has_source && has_target && namenode_bucket_is_open(&nn->repair_rate, nn->now_ms);
}

static int64_t sooner(const struct namenode *nn, const struct bucket *bucket, int64_t due_ms)
{
    bool is_shut = !namenode_bucket_is_open(bucket, nn->now_ms);
    return is_shut && bucket->due_ms < due_ms ? bucket->due_ms : due_ms;
}

/* Copies that only a rate holds back go on when it allows them. */
static void wait_for_rates(struct namenode *nn)
{
    int64_t due_ms = sooner(nn, &nn->repair_rate, INT64_MAX);
    size_t cursor = 0;
    void *value = NULL;
    while (heap_count(&nn->repair_queue) > 0 && map_u64_next(nn->nodes, &cursor, NULL, &value)) {
        const struct tracked *node = value;
        due_ms = sooner(nn, &node->copied_in, due_ms);
        due_ms = sooner(nn, &node->copied_out, due_ms);
    }
    if (heap_count(&nn->repair_queue) > 0 && due_ms != INT64_MAX) {
        namenode_timer_set(nn, &nn->repair_timer, due_ms);
    }
}

void namenode_repair_run(struct namenode *nn)
{
    if (!nn->is_repairing || !nn->has_repair_work) {
        return;
    }
    struct block *aside[ASIDE_MAX];
    size_t aside_count = 0;
    size_t scanned = 0;
    bool has_slots = heap_count(&nn->repair_queue) > 0 && has_free_slots(nn);
    while (has_slots && scanned < SCAN_MAX && aside_count < ASIDE_MAX &&
           heap_count(&nn->repair_queue) > 0) {
        struct block *block = heap_pop(&nn->repair_queue)->object;
        int64_t key = 0;
        scanned++;
        switch (start_copy(nn, block)) {
        case COPY_STARTED:
            if (namenode_repair_needs(nn, block, &key)) {
                namenode_repair_queue(nn, block);
            }
            has_slots = has_free_slots(nn);
            break;
        case COPY_CAPPED:
            aside[aside_count++] = block;
            break;
        case COPY_IMPOSSIBLE:
            list_append(&nn->parked, &block->in_parked, block);
            break;
        }
    }
    for (size_t i = 0; i < aside_count; i++) {
        namenode_repair_queue(nn, aside[i]);
    }
    nn->has_repair_work = scanned == SCAN_MAX;
    wait_for_rates(nn);
}
