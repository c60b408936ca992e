/*
 * placement.c - which datanodes receive a block or a copy.
 * Rack-aware: the writer's own host, then another rack, then that rack. Of the nodes that fit
 * equally well, two are drawn and the less busy one is taken: near the best balance, without every
 * writer running to the same node. Source of the placement: HDFS's default policy.
 */
#include <string.h>

#include "dfs/namenode/core/state.h"
#include "lib/base/check.h"

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
};

struct draw {
    const struct placement *placement;
    struct tracked **nodes; /* all that may be taken at all */
    size_t node_count;
    const struct rack *racks[2 * LIMIT_REPLICAS]; /* of replicas there are, then chosen ones */
    size_t rack_count;
    size_t rack_max;
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
    if (placement->is_copy && node->copies_in >= nn->settings.copies_per_node) {
        return false;
    }
    return node->free_bytes >= node->expected_bytes &&
           node->free_bytes - node->expected_bytes >= placement->block_bytes;
}

static void collect_nodes(const struct namenode *nn, struct draw *draw)
{
    size_t cursor = 0;
    void *value = NULL;
    while (map_u64_next(nn->nodes, &cursor, NULL, &value)) {
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
        bool counts = replica->state == REPLICA_STORED || replica->is_expected;
        if (counts && draw->rack_count < LIMIT_REPLICAS) {
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

static uint64_t busyness(const struct tracked *node)
{
    return (uint64_t)node->transfers_active + node->expected_count;
}

/* The n-th node that fits, from 0; *ret_count: how many fit. */
static size_t nth_fitting(const struct draw *draw,
                          const struct want *want,
                          enum tracked_state state,
                          size_t nth,
                          size_t *ret_count)
{
    size_t found = draw->node_count;
    *ret_count = 0;
    for (size_t i = 0; i < draw->node_count; i++) {
        if (draw->nodes[i]->state == (int)state && fits(draw, want, draw->nodes[i])) {
            found = *ret_count == nth ? i : found;
            ++*ret_count;
        }
    }
    return found;
}

static bool draw_one(struct namenode *nn,
                     struct draw *draw,
                     const struct want *want,
                     enum tracked_state state,
                     size_t *ret_at)
{
    size_t count = 0;
    size_t first = nth_fitting(draw, want, state, 0, &count);
    if (count == 0) {
        return false;
    }
    if (count > 1) {
        size_t ignored = 0;
        uint64_t left = rng_below(&nn->rng, count);
        uint64_t right = rng_below(&nn->rng, count - 1);
        right += right >= left ? 1 : 0;
        first = nth_fitting(draw, want, state, left, &ignored);
        size_t second = nth_fitting(draw, want, state, right, &ignored);
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
            wants[count++] = (struct want){.kind = WANT_HOST};
            wants[count++] = (struct want){.kind = WANT_RACK, .rack = own};
        }
    } else {
        const struct rack *last = draw->racks[draw->rack_count - 1];
        if (count_in_rack(draw, last) == draw->rack_count) {
            wants[count++] = (struct want){.kind = WANT_OTHER_RACK, .rack = last};
        } else if (draw->rack_count == 2) {
            wants[count++] = (struct want){.kind = WANT_RACK, .rack = last};
        } else {
            wants[count++] = (struct want){.kind = WANT_THIN_RACK};
        }
    }
    wants[count++] = (struct want){.kind = WANT_ANY};
    return count;
}

static struct tracked *take_next(struct namenode *nn, struct draw *draw)
{
    static const enum tracked_state states[] = {TRACKED_LIVE, TRACKED_STALE};
    struct want wants[3];
    size_t want_count = list_wants(nn, draw, wants);
    for (size_t s = 0; s < sizeof(states) / sizeof(states[0]); s++) {
        for (size_t w = 0; w < want_count; w++) {
            size_t at = 0;
            if (!draw_one(nn, draw, &wants[w], states[s], &at)) {
                continue;
            }
            struct tracked *node = draw->nodes[at];
            draw->node_count--;
            memmove(&draw->nodes[at], &draw->nodes[at + 1],
                    (draw->node_count - at) * sizeof(struct tracked *));
            draw->racks[draw->rack_count++] = node->rack;
            return node;
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
    draw.rack_max = (draw.rack_count + count) / racks + 2;
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
