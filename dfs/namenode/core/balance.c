/*
 * balance.c - moves replicas from datanodes that are fuller than the mean to emptier ones.
 * A move is a copy that remembers whose replica it replaces: when it has arrived that one is given
 * up, unless the block needs it after all. Nothing is moved in safe mode, before repair has begun,
 * or while any block has too few replicas; a move never leaves a block worse spread over the racks.
 * Owns namenode->balancer, arrival->replaces_node_id, tracked->leaving_bytes. What an
 * operator sets is journaled (BalancerPut).
 * Invariants: NN-6 (moving, leaving_bytes), NN-9.
 */
#include <stdlib.h>

#include "dfs/namenode/core/state.h"
#include "lib/base/check.h"

enum {
    PPM = 1000000,
    SOURCES_MAX = 16,  /* looked at in one step, fullest first */
    TARGETS_MAX = 16,  /* ... emptiest first */
    REPLICAS_MAX = 64, /* of a source, for one target */
};

struct node_use {
    struct tracked *node;
    uint64_t ppm;
    size_t order;
};

struct scales {
    struct node_use *usages; /* fullest first */
    size_t count;
    uint64_t mean_ppm;
    uint64_t high_ppm; /* above: over-used */
    uint64_t low_ppm;  /* below: under-used */
};

/* --- how full ------------------------------------------------------------------------ */

static uint64_t used_bytes(const struct tracked *node)
{
    uint64_t used = node->used_bytes + node->expected_bytes;
    return used > node->leaving_bytes ? used - node->leaving_bytes : 0;
}

/* part * PPM / whole, for any numbers. */
static uint64_t ppm_of(uint64_t part, uint64_t whole)
{
    while (part > UINT64_MAX / PPM) {
        part /= 2;
        whole /= 2;
    }
    return whole == 0 ? 0 : part * PPM / whole;
}

static int compare_use(const void *left, const void *right)
{
    const struct node_use *a = left;
    const struct node_use *b = right;
    if (a->ppm != b->ppm) {
        return a->ppm > b->ppm ? -1 : 1;
    }
    return a->order < b->order ? -1 : 1;
}

static struct scales weigh(const struct namenode *nn)
{
    struct scales scales = {
        .usages = ARENA_ARRAY(nn->actions->arena, struct node_use, map_u64_count(nn->nodes) + 1)};
    uint64_t used = 0;
    uint64_t capacity = 0;
    size_t cursor = 0;
    void *value = NULL;
    while (map_u64_next(nn->nodes, &cursor, NULL, &value)) {
        struct tracked *node = value;
        bool counts = node->state == TRACKED_LIVE && !node->is_hung_up &&
                      namenode_node_is_in_service(node) && node->has_reported &&
                      node->capacity_bytes > 0;
        if (counts) {
            used += used_bytes(node);
            capacity += node->capacity_bytes;
            scales.usages[scales.count] =
                (struct node_use){.node = node,
                                  .ppm = ppm_of(used_bytes(node), node->capacity_bytes),
                                  .order = scales.count};
            scales.count++;
        }
    }
    qsort(scales.usages, scales.count, sizeof(*scales.usages), compare_use);
    uint64_t threshold = nn->balancer.threshold_ppm;
    scales.mean_ppm = ppm_of(used, capacity);
    scales.high_ppm = scales.mean_ppm + threshold;
    scales.low_ppm = scales.mean_ppm > threshold ? scales.mean_ppm - threshold : 0;
    return scales;
}

static bool is_balanced(const struct scales *scales)
{
    return scales->count < 2 || (scales->usages[0].ppm <= scales->high_ppm &&
                                 scales->usages[scales->count - 1].ppm >= scales->low_ppm);
}

/* Bytes beyond the threshold, of nodes that are too full or, if more, of those too empty. */
static uint64_t left_bytes(const struct scales *scales)
{
    uint64_t over = 0;
    uint64_t under = 0;
    for (size_t i = 0; i < scales->count; i++) {
        uint64_t ppm = scales->usages[i].ppm;
        uint64_t capacity = scales->usages[i].node->capacity_bytes;
        over += ppm > scales->high_ppm ? capacity / PPM * (ppm - scales->high_ppm) +
                                             capacity % PPM * (ppm - scales->high_ppm) / PPM
                                       : 0;
        under += ppm < scales->low_ppm ? capacity / PPM * (scales->low_ppm - ppm) +
                                             capacity % PPM * (scales->low_ppm - ppm) / PPM
                                       : 0;
    }
    return over > under ? over : under;
}

/* --- which block --------------------------------------------------------------------- */

static size_t count_others_in_rack(const struct block *block,
                                   const struct replica *without,
                                   const struct rack *rack)
{
    size_t count = 0;
    for (size_t i = 0; i < block->replica_count; i++) {
        const struct replica *replica = block->replicas[i];
        count += replica != without && replica->node->rack == rack ? 1 : 0;
    }
    return count;
}

/* The racks are as good with a replica on target as with this one. */
static bool keeps_racks(const struct namenode *nn,
                        const struct replica *replica,
                        const struct tracked *target)
{
    const struct block *block = replica->block;
    if (replica->node->rack == target->rack || nn->live_rack_count < 2) {
        return true;
    }
    size_t beside = count_others_in_rack(block, replica, target->rack);
    size_t rack_max = (block->replica_count - 1) / nn->live_rack_count + 2;
    bool is_one_rack = block->replica_count > 1 && beside == block->replica_count - 1;
    return !is_one_rack && beside + 1 <= rack_max;
}

static bool may_move(const struct namenode *nn,
                     const struct replica *replica,
                     const struct tracked *target)
{
    const struct block *block = replica->block;
    uint32_t wanted = namenode_block_wanted(block);
    /* Exactly as it should be: nothing corrupt, on its way or to be deleted, and no repair of its
     * racks waiting for a place. */
    bool is_settled = block->state == BLOCK_SEALED && block->health == HEALTH_GOOD &&
                      block->replica_count == wanted && namenode_block_good(block) == wanted &&
                      !list_node_is_listed(&block->in_parked) && !namenode_block_has_suspect(block);
    bool has_room = target->free_bytes >= target->expected_bytes &&
                    target->free_bytes - target->expected_bytes >= block->length;
    return is_settled && has_room && namenode_replica_find(block, target) == NULL &&
           namenode_failure_of_source(nn, block, replica->node) == SOURCE_TRUSTED &&
           keeps_racks(nn, replica, target);
}

/* Those looked at go to the end of the list, so that the next search begins with others. */
static struct replica *pick_replica(const struct namenode *nn,
                                    struct tracked *source,
                                    const struct tracked *target)
{
    size_t room = source->replicas.count < REPLICAS_MAX ? source->replicas.count : REPLICAS_MAX;
    for (size_t i = 0; i < room; i++) {
        struct replica *replica = source->replicas.first->object;
        list_remove(&replica->in_node);
        list_append(&source->replicas, &replica->in_node, replica);
        if (may_move(nn, replica, target)) {
            return replica;
        }
    }
    return NULL;
}

/* --- moves --------------------------------------------------------------------------- */

static void start_move(struct namenode *nn, struct replica *replica, struct tracked *target)
{
    struct tracked *source = replica->node;
    struct block *block = replica->block;
    NAMENODE_TRACE(nn, "move block=%llu from=%llu to=%llu", (unsigned long long)block->id,
                   (unsigned long long)source->endpoint.node_id,
                   (unsigned long long)target->endpoint.node_id);
    struct replica *copy = namenode_copy_start(nn, block, source, target);
    copy->arrival->replaces_node_id = source->endpoint.node_id;
    source->leaving_bytes += block->length;
    nn->balancer.moving++;
    namenode_bucket_spend(&nn->balancer.rate, nn->balancer.bytes_per_second, block->length,
                          nn->now_ms);
}

bool namenode_replica_is_move(const struct replica *replica)
{
    return replica->arrival != NULL && replica->arrival->replaces_node_id != 0;
}

void namenode_balance_ended(struct namenode *nn, struct replica *replica)
{
    if (namenode_replica_is_move(replica)) {
        replica->arrival->replaces_node_id = 0;
        replica->arrival->source->leaving_bytes -= replica->block->length;
        nn->balancer.moving--;
        nn->balancer.has_work = true;
    }
}

void namenode_balance_arrived(struct namenode *nn,
                              struct replica *replica,
                              uint64_t replaces_node_id)
{
    struct block *block = replica->block;
    struct tracked *from = map_u64_get(nn->nodes, replaces_node_id);
    struct replica *older = from == NULL ? NULL : namenode_replica_find(block, from);
    /* Something may have changed meanwhile: then the older one stays, or the trim decides. */
    bool is_surplus = older != NULL && older->state == REPLICA_STORED && nn->is_repairing &&
                      !namenode_block_has_suspect(block) && from->state == TRACKED_LIVE &&
                      namenode_node_is_in_service(from) &&
                      namenode_block_good(block) > namenode_block_wanted(block) &&
                      (nn->live_rack_count < 2 || namenode_block_wanted(block) < 2 ||
                       !namenode_block_is_in_one_rack(block, older));
    if (!is_surplus) {
        return;
    }
    namenode_replica_give_up(nn, older, REPLICA_SURPLUS);
    nn->balancer.moved_blocks++;
    nn->balancer.moved_bytes += block->length;
    /* Until their next heartbeats. */
    replica->node->used_bytes += block->length;
    from->used_bytes -= from->used_bytes > block->length ? block->length : from->used_bytes;
}

static uint64_t distance(uint64_t left, uint64_t right)
{
    return left > right ? left - right : right - left;
}

/* One block from source to target, if there is one that brings both nearer to the mean. */
static bool try_move(struct namenode *nn,
                     const struct scales *scales,
                     struct node_use *source,
                     struct node_use *target)
{
    struct tracked *from = source->node;
    struct tracked *to = target->node;
    uint32_t slots = nn->settings.copies_per_node;
    if (from->copies_out >= slots || to->copies_in >= slots || to->is_slow ||
        to->failed_until_ms > nn->now_ms ||
        !namenode_bucket_is_open(&from->copied_out, nn->now_ms) ||
        !namenode_bucket_is_open(&to->copied_in, nn->now_ms)) {
        return false;
    }
    struct replica *replica = pick_replica(nn, from, to);
    if (replica == NULL) {
        return false;
    }
    uint64_t after = ppm_of(used_bytes(to) + replica->block->length, to->capacity_bytes);
    if (distance(after, scales->mean_ppm) >= distance(source->ppm, scales->mean_ppm) &&
        after > scales->mean_ppm) {
        return false;
    }
    start_move(nn, replica, to);
    source->ppm = ppm_of(used_bytes(from), from->capacity_bytes);
    target->ppm = ppm_of(used_bytes(to), to->capacity_bytes);
    return true;
}

/* One of them must be beyond the threshold: else blocks would go to and fro about the mean. */
static bool is_pair(const struct scales *scales,
                    const struct node_use *source,
                    const struct node_use *target)
{
    return (source->ppm > scales->high_ppm && target->ppm < scales->mean_ppm) ||
           (source->ppm > scales->mean_ppm && target->ppm < scales->low_ppm);
}

static void move_some(struct namenode *nn, const struct scales *scales)
{
    size_t sources = scales->count < SOURCES_MAX ? scales->count : SOURCES_MAX;
    size_t targets = scales->count < TARGETS_MAX ? scales->count : TARGETS_MAX;
    for (size_t s = 0; s < sources; s++) {
        struct node_use *source = &scales->usages[s];
        for (size_t t = 0; t < targets; t++) {
            struct node_use *target = &scales->usages[scales->count - 1 - t];
            while (is_pair(scales, source, target) &&
                   namenode_bucket_is_open(&nn->balancer.rate, nn->now_ms) &&
                   try_move(nn, scales, source, target)) {
            }
        }
    }
    nn->balancer.is_stuck = nn->balancer.moving == 0;
}

/* Why nothing may be moved; empty: it may. */
static struct slice find_obstacle(const struct namenode *nn)
{
    if (!nn->balancer.is_enabled) {
        return slice_from_string("it is switched off");
    }
    if (nn->mode != MODE_OPEN) {
        return slice_from_string("safe mode");
    }
    if (!nn->is_repairing) {
        return slice_from_string("repair has not begun yet");
    }
    if (nn->health_counts[HEALTH_UNDER] > 0 || heap_count(&nn->repair_queue) > 0) {
        return arena_format(
            nn->actions->arena, "%llu blocks are under-replicated, %zu wait for repair",
            (unsigned long long)nn->health_counts[HEALTH_UNDER], heap_count(&nn->repair_queue));
    }
    return slice_from_string("");
}

void namenode_balance_run(struct namenode *nn)
{
    if (!nn->balancer.has_work) {
        return;
    }
    nn->balancer.has_work = false;
    nn->balancer.is_stuck = false;
    if (find_obstacle(nn).length > 0 || !namenode_bucket_is_open(&nn->balancer.rate, nn->now_ms)) {
        return;
    }
    struct scales scales = weigh(nn);
    if (!is_balanced(&scales)) {
        move_some(nn, &scales);
    }
}

/* --- the call ------------------------------------------------------------------------ */

void namenode_balance_open(struct namenode *nn)
{
    nn->balancer = (struct balancer){
        .is_enabled = nn->settings.balance,
        .threshold_ppm = nn->settings.balance_threshold_ppm,
        .bytes_per_second = nn->settings.balance_bytes_per_second,
    };
}

void namenode_record_balancer(const struct namenode *nn, struct actions *actions)
{
    struct journal_balancer_put record = {
        .is_enabled = nn->balancer.is_enabled,
        .threshold_ppm = nn->balancer.threshold_ppm,
        .bytes_per_second = nn->balancer.bytes_per_second,
    };
    actions_journal(actions, &journal_balancer_put_type, &record);
}

void namenode_replay_balancer(struct namenode *nn, const struct journal_balancer_put *record)
{
    nn->balancer.is_set = true;
    nn->balancer.is_enabled = record->is_enabled;
    nn->balancer.threshold_ppm = record->threshold_ppm;
    nn->balancer.bytes_per_second = record->bytes_per_second;
}

static bool change_is_valid(struct namenode *nn, const struct dfs_set_balancer_request *request)
{
    if (!namenode_is_superuser(nn, nn->event->user)) {
        namenode_fail(nn, ERR_DENIED, "only the superuser may change the balancer");
        return false;
    }
    if ((unsigned)request->action >= DFS_BALANCER_ACTION_COUNT) {
        namenode_fail(nn, ERR_INVALID, "no action %d of the balancer", (int)request->action);
        return false;
    }
    if (request->threshold_ppm > PPM || request->bytes_per_second > (uint64_t)1 << 40) {
        namenode_fail(nn, ERR_INVALID, "a threshold is 1 to %d, a rate 1 to 2^40 bytes a second",
                      (int)PPM);
        return false;
    }
    return true;
}

static void change(struct namenode *nn, const struct dfs_set_balancer_request *request)
{
    struct balancer *balancer = &nn->balancer;
    if (request->action != BALANCER_GET) {
        balancer->is_enabled = request->action == BALANCER_ON;
    }
    balancer->threshold_ppm =
        request->threshold_ppm != 0 ? request->threshold_ppm : balancer->threshold_ppm;
    balancer->bytes_per_second =
        request->bytes_per_second != 0 ? request->bytes_per_second : balancer->bytes_per_second;
    balancer->rate = (struct bucket){0}; /* a debt at another rate is none */
    balancer->is_set = true;
    balancer->has_work = true;
    namenode_record_balancer(nn, nn->actions);
}

static void reply_balancer(struct namenode *nn)
{
    struct scales scales = weigh(nn);
    struct slice obstacle = find_obstacle(nn);
    struct dfs_set_balancer_response response = {
        .is_enabled = nn->balancer.is_enabled,
        .is_running = obstacle.length == 0 && !is_balanced(&scales) && !nn->balancer.is_stuck,
        .reason = obstacle,
        .threshold_ppm = nn->balancer.threshold_ppm,
        .bytes_per_second = nn->balancer.bytes_per_second,
        .moved_bytes = nn->balancer.moved_bytes,
        .moved_blocks = nn->balancer.moved_blocks,
        .left_bytes = left_bytes(&scales),
        .moving_blocks = nn->balancer.moving,
        .mean_ppm = scales.mean_ppm,
    };
    if (scales.count > 0) {
        response.most_ppm = scales.usages[0].ppm;
        response.least_ppm = scales.usages[scales.count - 1].ppm;
    }
    if (obstacle.length == 0 && is_balanced(&scales)) {
        response.reason = slice_from_string("all datanodes are within the threshold");
    } else if (obstacle.length == 0 && nn->balancer.is_stuck) {
        response.reason =
            slice_from_string("no block can be moved: of those on the fuller datanodes the emptier "
                              "ones have a replica, or their racks have too many");
    }
    namenode_reply(nn, &response);
}

void namenode_set_balancer(struct namenode *nn, const struct dfs_set_balancer_request *request)
{
    bool is_change = request->action != BALANCER_GET || request->threshold_ppm != 0 ||
                     request->bytes_per_second != 0;
    if (is_change) {
        if (!change_is_valid(nn, request)) {
            return;
        }
        change(nn, request);
    }
    reply_balancer(nn);
}
