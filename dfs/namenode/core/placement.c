/*
 * placement.c - which datanodes receive a block or a copy.
 * Rack-aware: the writer's own host, then another rack, then that rack, further ones where there
 * are few. Of the nodes that fit equally well, two are drawn and the less busy one is taken: near
 * the best balance, without every writer running to the same node. Source of the placement: HDFS's
 * default policy; see docs/placement-and-repair.md.
 */
#include <string.h>

#include "dfs/namenode/core/state.h"
#include "lib/base/check.h"

enum {
    OVERLOAD_TRANSFERS = 16, /* below it a node is not overloaded, whatever the others do */
    OVERLOAD_FACTOR = 2,     /* times the mean */
};

/* How well a node could take a block, best first. */
enum grade {
    GRADE_GOOD,
    GRADE_BUSY, /* overloaded */
    GRADE_SLOW,
    GRADE_STALE,
    GRADE_COUNT
};

enum want_kind {
    WANT_HOST,       /* the node with this host name */
    WANT_RACK,       /* a node of the rack */
    WANT_OTHER_RACK, /* a node of another rack */
    WANT_THIN_RACK,  /* a node of a rack that holds fewer than rack_max */
    WANT_ANY,
};

struct want {
    enum want_kind kind;
    const struct rack *rack;
    enum grade worst; /* of live nodes: rather the next wish than a worse one */
};

struct draw {
    const struct placement *placement;
    struct tracked **nodes; /* all that may be taken at all */
    size_t node_count;
    const struct rack *racks[2 * LIMIT_REPLICAS]; /* of replicas there are, then chosen ones */
    size_t rack_count;
    size_t rack_max;
    uint64_t load_sum; /* of load_count nodes */
    size_t load_count;
};

static bool is_eligible(const struct namenode *nn,
                        const struct placement *placement,
                        const struct tracked *node)
{
    if (!namenode_node_is_usable(node) || !namenode_node_is_in_service(node)) {
        return false;
    }
    for (size_t i = 0; i < placement->excluded_count; i++) {
        if (placement->excluded[i] == node->endpoint.node_id) {
            return false;
        }
    }
    if (placement->block != NULL && namenode_replica_find(placement->block, node) != NULL) {
        return false;
    }
    bool has_slot = node->copies_in < nn->settings.copies_per_node &&
                    namenode_bucket_is_open(&node->copied_in, nn->now_ms);
    if (placement->is_copy && !has_slot) {
        return false;
    }
    return node->free_bytes >= node->expected_bytes &&
           node->free_bytes - node->expected_bytes >= placement->block_bytes;
}

static uint64_t busyness(const struct tracked *node)
{
    return (uint64_t)node->transfers_active + node->expected_count;
}

static void collect_nodes(const struct namenode *nn, struct draw *draw)
{
    size_t cursor = 0;
    void *value = NULL;
    while (map_u64_next(nn->nodes, &cursor, NULL, &value)) {
        const struct tracked *node = value;
        if (namenode_node_is_usable(node) && namenode_node_is_in_service(node)) {
            draw->load_sum += busyness(node);
            draw->load_count++;
        }
        if (is_eligible(nn, draw->placement, value)) {
            draw->nodes[draw->node_count++] = value;
        }
    }
}

static void collect_racks(struct draw *draw)
{
    const struct block *block = draw->placement->block;
    for (size_t i = 0; block != NULL && i < block->replica_count; i++) {
        const struct replica *replica = block->replicas[i];
        bool is_there = replica->state == REPLICA_STORED || replica->is_expected;
        bool stays =
            namenode_node_is_in_service(replica->node) || namenode_node_is_excused(replica->node);
        if (is_there && stays && draw->rack_count < LIMIT_REPLICAS) {
            draw->racks[draw->rack_count++] = replica->node->rack;
        }
    }
}

static size_t count_in_rack(const struct draw *draw, const struct rack *rack)
{
    size_t count = 0;
    for (size_t i = 0; i < draw->rack_count; i++) {
        count += draw->racks[i] == rack ? 1 : 0;
    }
    return count;
}

static bool fits(const struct draw *draw, const struct want *want, const struct tracked *node)
{
    switch (want->kind) {
    case WANT_HOST:
        return slice_equal(node->endpoint.host, draw->placement->writer_host);
    case WANT_RACK:
        return node->rack == want->rack;
    case WANT_OTHER_RACK:
        return node->rack != want->rack;
    case WANT_THIN_RACK:
        return count_in_rack(draw, node->rack) < draw->rack_max;
    case WANT_ANY:
        return true;
    }
    return false;
}

static enum grade grade_of(const struct draw *draw, const struct tracked *node)
{
    uint64_t load = busyness(node);
    if (node->state != TRACKED_LIVE || node->is_hung_up) {
        return GRADE_STALE;
    }
    if (node->is_slow) {
        return GRADE_SLOW;
    }
    bool is_overloaded =
        load >= OVERLOAD_TRANSFERS && load * draw->load_count > OVERLOAD_FACTOR * draw->load_sum;
    return is_overloaded ? GRADE_BUSY : GRADE_GOOD;
}

/* The n-th node that fits, from 0; *ret_count: how many fit. */
static size_t nth_fitting(const struct draw *draw,
                          const struct want *want,
                          enum grade grade,
                          size_t nth,
                          size_t *ret_count)
{
    size_t found = draw->node_count;
    *ret_count = 0;
    for (size_t i = 0; i < draw->node_count; i++) {
        const struct tracked *node = draw->nodes[i];
        if (grade_of(draw, node) == grade && fits(draw, want, node)) {
            found = *ret_count == nth ? i : found;
            ++*ret_count;
        }
    }
    return found;
}

static bool draw_one(struct namenode *nn,
                     struct draw *draw,
                     const struct want *want,
                     enum grade grade,
                     size_t *ret_at)
{
    size_t count = 0;
    size_t first = nth_fitting(draw, want, grade, 0, &count);
    if (count == 0) {
        return false;
    }
    if (count > 1) {
        size_t ignored = 0;
        uint64_t left = rng_below(&nn->rng, count);
        uint64_t right = rng_below(&nn->rng, count - 1);
        right += right >= left ? 1 : 0;
        first = nth_fitting(draw, want, grade, left, &ignored);
        size_t second = nth_fitting(draw, want, grade, right, &ignored);
        if (busyness(draw->nodes[second]) < busyness(draw->nodes[first])) {
            first = second;
        }
    }
    *ret_at = first;
    return true;
}

static const struct rack *rack_of_writer(const struct namenode *nn, struct slice host)
{
    size_t cursor = 0;
    void *value = NULL;
    while (map_u64_next(nn->nodes, &cursor, NULL, &value)) {
        const struct tracked *node = value;
        if (slice_equal(node->endpoint.host, host)) {
            return node->rack;
        }
    }
    return NULL;
}

/* What the next replica should have, best first; returns how many wishes. */
static size_t list_wants(const struct namenode *nn, const struct draw *draw, struct want *wants)
{
    size_t count = 0;
    if (draw->rack_count == 0) {
        if (draw->placement->writer_host.length > 0) {
            const struct rack *own = rack_of_writer(nn, draw->placement->writer_host);
            wants[count++] = (struct want){.kind = WANT_HOST, .worst = GRADE_GOOD};
            wants[count++] = (struct want){.kind = WANT_RACK, .rack = own, .worst = GRADE_BUSY};
        }
    } else {
        const struct rack *last = draw->racks[draw->rack_count - 1];
        if (count_in_rack(draw, last) == draw->rack_count) {
            /* A rack that fails takes all: rather a slow node elsewhere. */
            wants[count++] =
                (struct want){.kind = WANT_OTHER_RACK, .rack = last, .worst = GRADE_SLOW};
        } else if (draw->rack_count == 2) {
            wants[count++] = (struct want){.kind = WANT_RACK, .rack = last, .worst = GRADE_BUSY};
        } else {
            wants[count++] = (struct want){.kind = WANT_THIN_RACK, .worst = GRADE_BUSY};
        }
    }
    wants[count++] = (struct want){.kind = WANT_ANY, .worst = GRADE_SLOW};
    return count;
}

static struct tracked *take_at(struct draw *draw, size_t at)
{
    struct tracked *node = draw->nodes[at];
    draw->node_count--;
    memmove(&draw->nodes[at], &draw->nodes[at + 1],
            (draw->node_count - at) * sizeof(struct tracked *));
    draw->racks[draw->rack_count++] = node->rack;
    return node;
}

static struct tracked *take_next(struct namenode *nn, struct draw *draw)
{
    struct want wants[3];
    size_t want_count = list_wants(nn, draw, wants);
    size_t at = 0;
    for (size_t w = 0; w < want_count; w++) {
        for (int grade = GRADE_GOOD; grade <= (int)wants[w].worst; grade++) {
            if (draw_one(nn, draw, &wants[w], (enum grade)grade, &at)) {
                return take_at(draw, at);
            }
        }
    }
    for (size_t w = 0; w < want_count; w++) {
        if (draw_one(nn, draw, &wants[w], GRADE_STALE, &at)) {
            return take_at(draw, at);
        }
    }
    return NULL;
}

size_t namenode_placement_choose(struct namenode *nn,
                                 const struct placement *placement,
                                 size_t count,
                                 struct tracked **ret_nodes)
{
    CHECK(count <= LIMIT_REPLICAS);
    struct draw draw = {.placement = placement};
    draw.nodes = ARENA_ARRAY(nn->actions->arena, struct tracked *, map_u64_count(nn->nodes) + 1);
    collect_nodes(nn, &draw);
    collect_racks(&draw);
    size_t racks = nn->live_rack_count > 0 ? nn->live_rack_count : 1;
    size_t total = draw.rack_count + count;
    draw.rack_max = total == 0 ? 2 : (total - 1) / racks + 2;
    size_t chosen = 0;
    while (chosen < count) {
        struct tracked *node = take_next(nn, &draw);
        if (node == NULL) {
            break;
        }
        ret_nodes[chosen++] = node;
    }
    return chosen;
}
