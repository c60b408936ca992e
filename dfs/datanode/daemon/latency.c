/*
 * latency.c - see latency.h.
 */
#include "dfs/datanode/daemon/latency.h"

#include <string.h>

#include "lib/base/check.h"
#include "lib/base/map.h"
#include "lib/base/mem.h"
#include "lib/os/thread.h"

enum {
    STEPS_BITS = 3, /* steps to each doubling, as a power of two */
    STEPS = 1 << STEPS_BITS,
    DOUBLINGS = 36, /* 2^36 us are 19 hours */
    BUCKETS = (DOUBLINGS - STEPS_BITS + 1) * STEPS,
    SLOTS = 4,
    SLOT_US = 15 * 1000 * 1000
};

struct slot {
    int64_t number; /* of SLOT_US since the clock began */
    uint32_t buckets[BUCKETS];
};

struct histogram {
    struct slot slots[SLOTS];
};

struct peer {
    struct histogram writes;
    int64_t heard_us;
};

struct latencies {
    struct mutex *mutex;     /* of all below */
    struct histogram *reads; /* one for each volume */
    struct histogram *writes;
    size_t volumes;
    struct map *peers; /* by address, to struct peer */
};

/* --- one histogram -----------------------------------------------------------------------------
 */

static size_t bucket_of(int64_t took_us)
{
    uint64_t value = took_us > 0 ? (uint64_t)took_us : 0;
    if (value < STEPS)
        return (size_t)value;
    unsigned top = 63 - (unsigned)__builtin_clzll(value);
    if (top >= DOUBLINGS)
        return BUCKETS - 1;
    uint64_t step = (value >> (top - STEPS_BITS)) & (STEPS - 1);
    return (size_t)(top - STEPS_BITS + 1) * STEPS + (size_t)step;
}

/* The largest value that falls into the bucket. */
static uint64_t bucket_end(size_t bucket)
{
    if (bucket < STEPS)
        return bucket;
    unsigned shift = (unsigned)(bucket / STEPS) - 1;
    return ((uint64_t)(STEPS + bucket % STEPS + 1) << shift) - 1;
}

static void histogram_add(struct histogram *histogram, int64_t now_us, int64_t took_us)
{
    int64_t number = now_us / SLOT_US;
    struct slot *slot = &histogram->slots[number % SLOTS];
    if (slot->number != number)
        *slot = (struct slot){.number = number};
    slot->buckets[bucket_of(took_us)]++;
}

/* Adds what the window holds to sums. */
static void histogram_sum(const struct histogram *histogram, int64_t now_us, uint64_t *sums)
{
    int64_t number = now_us / SLOT_US;
    for (size_t i = 0; i < SLOTS; i++) {
        const struct slot *slot = &histogram->slots[i];
        if (slot->number > number || slot->number <= number - SLOTS)
            continue;
        for (size_t bucket = 0; bucket < BUCKETS; bucket++)
            sums[bucket] += slot->buckets[bucket];
    }
}

static uint64_t percentile(const uint64_t *sums, uint64_t count, uint64_t percent)
{
    uint64_t rank = (count * percent + 99) / 100;
    uint64_t seen = 0;
    for (size_t bucket = 0; bucket < BUCKETS; bucket++) {
        seen += sums[bucket];
        if (seen >= rank && seen > 0)
            return bucket_end(bucket);
    }
    return 0;
}

static void summarise(const uint64_t *sums,
                      uint64_t *ret_count,
                      uint64_t *ret_p50_us,
                      uint64_t *ret_p99_us)
{
    uint64_t count = 0;
    for (size_t bucket = 0; bucket < BUCKETS; bucket++)
        count += sums[bucket];
    *ret_count = count;
    *ret_p50_us = percentile(sums, count, 50);
    *ret_p99_us = percentile(sums, count, 99);
}

static struct dfs_latency_report report(const uint64_t *reads, const uint64_t *writes)
{
    struct dfs_latency_report report = {0};
    summarise(reads, &report.reads, &report.read_p50_us, &report.read_p99_us);
    summarise(writes, &report.writes, &report.write_p50_us, &report.write_p99_us);
    return report;
}

/* --- adding ------------------------------------------------------------------------------------
 */

struct latencies *latencies_open(size_t volumes)
{
    struct latencies *latencies = MEM_NEW(struct latencies);
    latencies->mutex = mutex_open();
    latencies->volumes = volumes;
    latencies->reads = mem_new(volumes * sizeof(struct histogram));
    latencies->writes = mem_new(volumes * sizeof(struct histogram));
    latencies->peers = map_open();
    return latencies;
}

void latencies_close(struct latencies *latencies)
{
    if (latencies == NULL)
        return;
    size_t cursor = 0;
    void *peer;
    while (map_next(latencies->peers, &cursor, NULL, &peer))
        mem_free(peer);
    map_close(latencies->peers);
    mem_free(latencies->reads);
    mem_free(latencies->writes);
    mutex_close(latencies->mutex);
    mem_free(latencies);
}

void latencies_add_read(struct latencies *latencies, size_t volume, int64_t now_us, int64_t took_us)
{
    CHECK(volume < latencies->volumes);
    mutex_lock(latencies->mutex);
    histogram_add(&latencies->reads[volume], now_us, took_us);
    mutex_unlock(latencies->mutex);
}

void latencies_add_write(struct latencies *latencies,
                         size_t volume,
                         int64_t now_us,
                         int64_t took_us)
{
    CHECK(volume < latencies->volumes);
    mutex_lock(latencies->mutex);
    histogram_add(&latencies->writes[volume], now_us, took_us);
    mutex_unlock(latencies->mutex);
}

static void forget_oldest_peer(struct latencies *latencies)
{
    size_t cursor = 0;
    struct slice address = {0};
    struct slice oldest = {0};
    void *value;
    int64_t heard_us = INT64_MAX;
    while (map_next(latencies->peers, &cursor, &address, &value)) {
        const struct peer *peer = value;
        if (peer->heard_us < heard_us) {
            heard_us = peer->heard_us;
            oldest = address;
        }
    }
    mem_free(map_remove(latencies->peers, oldest));
}

void latencies_add_peer(struct latencies *latencies,
                        struct slice http_address,
                        int64_t now_us,
                        int64_t took_us)
{
    mutex_lock(latencies->mutex);
    struct peer *peer = map_get(latencies->peers, http_address);
    if (peer == NULL) {
        if (map_count(latencies->peers) >= LATENCY_PEERS_MAX)
            forget_oldest_peer(latencies);
        peer = MEM_NEW(struct peer);
        (void)map_put(latencies->peers, http_address, peer); /* was absent */
    }
    peer->heard_us = now_us;
    histogram_add(&peer->writes, now_us, took_us);
    mutex_unlock(latencies->mutex);
}

/* --- telling -----------------------------------------------------------------------------------
 */

static struct dfs_latency_report report_volumes(struct latencies *latencies,
                                                size_t first,
                                                size_t end,
                                                int64_t now_us)
{
    uint64_t reads[BUCKETS] = {0};
    uint64_t writes[BUCKETS] = {0};
    mutex_lock(latencies->mutex);
    for (size_t i = first; i < end; i++) {
        histogram_sum(&latencies->reads[i], now_us, reads);
        histogram_sum(&latencies->writes[i], now_us, writes);
    }
    mutex_unlock(latencies->mutex);
    return report(reads, writes);
}

struct dfs_latency_report latencies_of_volume(struct latencies *latencies,
                                              size_t volume,
                                              int64_t now_us)
{
    CHECK(volume < latencies->volumes);
    return report_volumes(latencies, volume, volume + 1, now_us);
}

struct dfs_latency_report latencies_of_node(struct latencies *latencies, int64_t now_us)
{
    return report_volumes(latencies, 0, latencies->volumes, now_us);
}

const struct dfs_peer_latency *latencies_of_peers(struct latencies *latencies,
                                                  int64_t now_us,
                                                  struct arena *arena,
                                                  size_t *ret_count)
{
    static const uint64_t none[BUCKETS];
    mutex_lock(latencies->mutex);
    struct dfs_peer_latency *list =
        ARENA_ARRAY(arena, struct dfs_peer_latency, map_count(latencies->peers));
    size_t count = 0;
    size_t cursor = 0;
    struct slice address = {0};
    void *value;
    while (map_next(latencies->peers, &cursor, &address, &value)) {
        const struct peer *peer = value;
        uint64_t writes[BUCKETS] = {0};
        histogram_sum(&peer->writes, now_us, writes);
        struct dfs_latency_report latency = report(none, writes);
        if (latency.writes > 0)
            list[count++] = (struct dfs_peer_latency){arena_copy(arena, address), latency};
    }
    mutex_unlock(latencies->mutex);
    *ret_count = count;
    return list;
}
