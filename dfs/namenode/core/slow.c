/*
 * slow.c - datanodes that limp: alive, but much slower than the others.
 * Owns tracked->is_slow and slow_until_ms. A node is slow when one of its percentiles (of its own
 * reads and writes, or of how all peers find it in a pipeline) is above slow_factor times the
 * median of all nodes and above slow_floor_us. It stays slow for slow_keep_ms after that was last
 * so, because a node that gets no blocks has no bad latencies either. Slow is not dead: its
 * replicas count. It is only placed on and read from last.
 */
#include <stdlib.h>

#include "dfs/namenode/core/state.h"
#include "lib/base/check.h"

enum {
    CHECK_MS = 5000,   /* how often */
    NODES_MIN = 3,     /* of which a median says something */
    REPORTERS_MIN = 2, /* peers that agree about a node */
};

enum measure {
    MEASURE_READ_P50,
    MEASURE_READ_P99,
    MEASURE_WRITE_P50,
    MEASURE_WRITE_P99,
    MEASURE_PEERS,
    MEASURE_COUNT
};

struct sample {
    struct tracked *node;
    uint64_t us;
};

/* What the peers say of one node. */
struct opinion {
    struct tracked *node;
    size_t reporters;
    uint64_t least_us;
};

static int compare_us(const void *left, const void *right)
{
    const uint64_t *a = left;
    const uint64_t *b = right;
    return *a < *b ? -1 : *a > *b ? 1 : 0;
}

static uint64_t median_us(struct namenode *nn, const struct sample *samples, size_t count)
{
    uint64_t *values = ARENA_ARRAY(nn->actions->arena, uint64_t, count);
    for (size_t i = 0; i < count; i++) {
        values[i] = samples[i].us;
    }
    qsort(values, count, sizeof(*values), compare_us);
    return values[(count - 1) / 2];
}

static void mark_outliers(struct namenode *nn, const struct sample *samples, size_t count)
{
    if (count < NODES_MIN) {
        return;
    }
    uint64_t median = median_us(nn, samples, count);
    uint64_t limit = median > UINT64_MAX / nn->settings.slow_factor
                         ? UINT64_MAX
                         : median * nn->settings.slow_factor;
    limit = limit > nn->settings.slow_floor_us ? limit : nn->settings.slow_floor_us;
    for (size_t i = 0; i < count; i++) {
        if (samples[i].us > limit) {
            samples[i].node->slow_until_ms = nn->now_ms + nn->settings.slow_keep_ms;
        }
    }
}

/* --- what nodes say of themselves ---------------------------------------------------- */

static bool take_measure(const struct namenode *nn,
                         const struct tracked *node,
                         enum measure measure,
                         uint64_t *ret_us)
{
    const struct dfs_latency_report *latencies = &node->latencies;
    bool is_read = measure == MEASURE_READ_P50 || measure == MEASURE_READ_P99;
    uint64_t count = is_read ? latencies->reads : latencies->writes;
    switch (measure) {
    case MEASURE_READ_P50:
        *ret_us = latencies->read_p50_us;
        break;
    case MEASURE_READ_P99:
        *ret_us = latencies->read_p99_us;
        break;
    case MEASURE_WRITE_P50:
        *ret_us = latencies->write_p50_us;
        break;
    case MEASURE_WRITE_P99:
        *ret_us = latencies->write_p99_us;
        break;
    case MEASURE_PEERS:
    case MEASURE_COUNT:
        return false;
    }
    return count >= nn->settings.slow_samples_min;
}

static void review_measure(struct namenode *nn, enum measure measure)
{
    struct sample *samples =
        ARENA_ARRAY(nn->actions->arena, struct sample, map_u64_count(nn->nodes) + 1);
    size_t count = 0;
    size_t cursor = 0;
    void *value = NULL;
    while (map_u64_next(nn->nodes, &cursor, NULL, &value)) {
        struct tracked *node = value;
        if (namenode_node_is_usable(node) && take_measure(nn, node, measure, &samples[count].us)) {
            samples[count++].node = node;
        }
    }
    mark_outliers(nn, samples, count);
}

/* --- what peers say of them ---------------------------------------------------------- */

static struct map *index_addresses(struct namenode *nn)
{
    struct map *opinions = map_open();
    size_t cursor = 0;
    void *value = NULL;
    while (map_u64_next(nn->nodes, &cursor, NULL, &value)) {
        struct tracked *node = value;
        if (namenode_node_is_usable(node) && node->endpoint.http_address.length > 0) {
            struct opinion *opinion = ARENA_NEW(nn->actions->arena, struct opinion);
            *opinion = (struct opinion){.node = node};
            (void)map_put(opinions, node->endpoint.http_address, opinion); /* the last one wins */
        }
    }
    return opinions;
}

static void collect_opinions(const struct namenode *nn,
                             const struct tracked *reporter,
                             struct map *opinions)
{
    for (size_t i = 0; i < reporter->peer_count; i++) {
        const struct dfs_peer_latency *peer = &reporter->peers[i];
        struct opinion *opinion = map_get(opinions, peer->http_address);
        if (opinion == NULL || peer->latency.writes < nn->settings.slow_samples_min) {
            continue;
        }
        uint64_t us = peer->latency.write_p99_us;
        opinion->least_us =
            opinion->reporters == 0 || us < opinion->least_us ? us : opinion->least_us;
        opinion->reporters++;
    }
}

/* The least of all opinions: a reporter that is slow itself finds everybody slow. */
static void review_peers(struct namenode *nn)
{
    struct map *opinions = index_addresses(nn);
    size_t cursor = 0;
    void *value = NULL;
    while (map_u64_next(nn->nodes, &cursor, NULL, &value)) {
        if (namenode_node_is_usable(value)) {
            collect_opinions(nn, value, opinions);
        }
    }
    struct sample *samples =
        ARENA_ARRAY(nn->actions->arena, struct sample, map_count(opinions) + 1);
    size_t count = 0;
    cursor = 0;
    while (map_next(opinions, &cursor, NULL, &value)) {
        const struct opinion *opinion = value;
        if (opinion->reporters >= REPORTERS_MIN) {
            samples[count++] = (struct sample){.node = opinion->node, .us = opinion->least_us};
        }
    }
    mark_outliers(nn, samples, count);
    map_close(opinions);
}

/* --- all together -------------------------------------------------------------------- */

static void settle(struct namenode *nn, struct tracked *node)
{
    bool is_slow = node->slow_until_ms > nn->now_ms;
    if (is_slow != node->is_slow) {
        node->is_slow = is_slow;
        NAMENODE_TRACE(nn, "datanode node=%llu slow=%d", (unsigned long long)node->endpoint.node_id,
                       is_slow ? 1 : 0);
    }
}

void namenode_slow_housekeeping(struct namenode *nn)
{
    if (nn->settings.slow_factor == 0 || nn->now_ms < nn->slow_check_ms) {
        return;
    }
    nn->slow_check_ms = nn->now_ms + CHECK_MS;
    for (int measure = 0; measure < MEASURE_PEERS; measure++) {
        review_measure(nn, (enum measure)measure);
    }
    review_peers(nn);
    size_t cursor = 0;
    void *value = NULL;
    while (map_u64_next(nn->nodes, &cursor, NULL, &value)) {
        settle(nn, value);
    }
}
