/*
 * latency.h - how long this node's disks and peers took in the last minute, as percentiles.
 * Log-linear histograms: eight steps to each doubling, so a percentile is at most 1/8 too high. A
 * window of four slots slides: what is older than 45 to 60 seconds is forgotten. Any thread.
 */
#ifndef MILLRACE_DFS_DATANODE_DAEMON_LATENCY_H
#define MILLRACE_DFS_DATANODE_DAEMON_LATENCY_H

#include "lib/base/arena.h"
#include "lib/model/messages.h"

struct latencies;

enum {
    LATENCY_PEERS_MAX = 256 /* beyond, the one that was silent for longest is forgotten */
};

struct latencies *latencies_open(size_t volumes);
void latencies_close(struct latencies *latencies); /* NULL is fine */

/* took_us of what ended at now_us (monotonic). A read is a piece verified and served, a write is a
 * block made durable. */
void latencies_add_read(struct latencies *latencies,
                        size_t volume,
                        int64_t now_us,
                        int64_t took_us);
void latencies_add_write(struct latencies *latencies,
                         size_t volume,
                         int64_t now_us,
                         int64_t took_us);
/* A piece of a block was handed on to the datanode at http_address. */
void latencies_add_peer(struct latencies *latencies,
                        struct slice http_address,
                        int64_t now_us,
                        int64_t took_us);

struct dfs_latency_report latencies_of_volume(struct latencies *latencies,
                                              size_t volume,
                                              int64_t now_us);
/* Of all volumes. */
struct dfs_latency_report latencies_of_node(struct latencies *latencies, int64_t now_us);
/* Peers heard of within the window, from arena. */
const struct dfs_peer_latency *latencies_of_peers(struct latencies *latencies,
                                                  int64_t now_us,
                                                  struct arena *arena,
                                                  size_t *ret_count);

#endif
