/*
 * internal.h - what the files of the filesystem client share. Private to dfs/client.
 */
#ifndef MILLRACE_DFS_CLIENT_INTERNAL_H
#define MILLRACE_DFS_CLIENT_INTERNAL_H

#include <stdatomic.h>

#include "dfs/client/dfs.h"
#include "lib/base/rng.h"
#include "lib/model/limits.h"

struct condition;
struct http_client;
struct http_fetcher;
struct mutex;
struct rpc_channel;
struct rpc_client;
struct thread;

enum {
    DFS_DEADLINE_MS = 60 * 1000,
    DFS_CALL_TIMEOUT_MS = 10 * 1000,
    DFS_RETRY_MIN_MS = 20,
    DFS_RETRY_MAX_MS = 2000,
    DFS_LEASE_GUESS_MS = 3000, /* until the namenode has told how long a lease lasts */
    DFS_EXCLUDED_MAX = 64,     /* nodes one writer avoids at a time */
    DFS_EXCLUDED_MS = 30 * 1000,
    DFS_HEDGED_READ_MS = 500,
    DFS_FETCHERS_MAX = 8, /* kept, with their connections */
    DFS_ABANDON_MS = 5000 /* for giving up a file when its writer is closed */
};

struct dfs {
    struct arena *arena; /* what settings pointed to; read only after dfs_open */
    struct slice host;
    int64_t deadline_ms;
    int64_t call_timeout_ms;
    int64_t hedged_read_ms; /* below 0: never */
    bool no_local_files;
    uint64_t client_id;
    atomic_ullong request_id;
    struct rpc_client *rpc;
    struct rpc_channel *namenode;
    struct http_client *http;

    struct mutex *mutex;         /* of everything below */
    struct condition *condition; /* cancelled, or the lease thread has something new to do */
    char token[LIMIT_TOKEN_BYTES + 1];
    struct rng rng;
    struct http_fetcher *fetchers[DFS_FETCHERS_MAX]; /* not in use */
    size_t fetchers_count;
    bool is_cancelled;
    bool is_closing;
    size_t writers_open;
    struct thread *lease_thread; /* started by the first writer */
};

/* Copies the token in use; ret_token has room for LIMIT_TOKEN_BYTES + 1. */
void dfs_token(struct dfs *dfs, char *ret_token);
/* A new number for one mutation. */
uint64_t dfs_next_request(struct dfs *dfs);
/* How long one operation may be repeated from now on. */
int64_t dfs_deadline(const struct dfs *dfs);
bool dfs_is_cancelled(struct dfs *dfs);
/*
 * Waits before the try after attempt (from 0), with growing, random pauses. False: cancelled, or
 * deadline_ms would pass; then *status and reterr_error say so (status: why the last try failed).
 */
bool dfs_pause(struct dfs *dfs,
               uint32_t attempt,
               int64_t deadline_ms,
               enum status *status,
               struct error *reterr_error);
/* Calls the namenode, again and again for passing failures, until deadline_ms. */
MUST_USE enum status dfs_call(struct dfs *dfs,
                              enum method method,
                              const void *request,
                              struct arena *arena,
                              int64_t deadline_ms,
                              const void **ret_response,
                              struct error *reterr_error);
/* One try, without patience. */
MUST_USE enum status dfs_call_once(struct dfs *dfs,
                                   enum method method,
                                   const void *request,
                                   struct arena *arena,
                                   int64_t timeout_ms,
                                   const void **ret_response,
                                   struct error *reterr_error);

/* --- lease.c ------------------------------------------------------------------------------------
 */
/* From now on the lease is kept; starts the thread. */
MUST_USE enum status dfs_lease_hold(struct dfs *dfs, struct error *reterr_error);
void dfs_lease_release(struct dfs *dfs);
/* Ends the thread. */
void dfs_lease_close(struct dfs *dfs);

/* --- race.c: bytes from the replica that delivers first ------------------------------------------
 */
struct dfs_bad_nodes {
    uint64_t ids[LIMIT_REPLICAS];
    size_t count;
};

struct dfs_range {
    const struct dfs_located_block *block;
    uint64_t offset; /* of a chunk, in the block */
    size_t length;   /* to the end of a chunk */
    uint8_t *to;
    struct dfs_bad_nodes *bad; /* whose replicas are not asked; grows */
    size_t *preferred;         /* the replica that is asked first; the winner in the end */
};

/* Tells the namenode, and remembers it. */
void dfs_report_corrupt(struct dfs *dfs,
                        uint64_t block_id,
                        struct dfs_bad_nodes *bad,
                        uint64_t node_id);
bool dfs_node_is_bad(const struct dfs_bad_nodes *bad, uint64_t node_id);
struct dfs_fetch;

/* Prepares to fetch a range (copied; what it points to is borrowed until the fetch is closed). */
MUST_USE enum status dfs_fetch_open(struct dfs *dfs,
                                    const struct dfs_range *range,
                                    struct dfs_fetch **ret_fetch,
                                    struct error *reterr_error);
/*
 * Waits until the first length bytes of the range are there and verified; length ends a chunk. The
 * rest goes on to come, as far as there is room for it between two calls. Statuses as
 * dfs_fetch_range; after a failure only dfs_fetch_close is left.
 */
MUST_USE enum status dfs_fetch_need(struct dfs_fetch *fetch,
                                    size_t length,
                                    struct dfs_reader_totals *totals,
                                    struct error *reterr_error);
/* What has not come by now is given up. NULL is fine. */
void dfs_fetch_close(struct dfs_fetch *fetch);
/*
 * Fetches and verifies all of it. ERR_UNAVAILABLE, ERR_CORRUPT (all replicas are) and
 * ERR_UNAUTHENTICATED name what each replica said; ERR_CANCELLED.
 */
MUST_USE enum status dfs_fetch_range(struct dfs *dfs,
                                     const struct dfs_range *range,
                                     struct dfs_reader_totals *totals,
                                     struct error *reterr_error);

/* --- source.c: one block, wherever its bytes are -------------------------------------------------
 */
struct dfs_source;

/* Memory of a block that was read, kept for the next: fresh pages cost more than their bytes. */
struct dfs_spare {
    uint8_t *memory;
    size_t bytes;
};

/* block and spare are borrowed: they live until the source is closed. */
struct dfs_source *dfs_source_open(struct dfs *dfs,
                                   const struct dfs_located_block *block,
                                   struct dfs_spare *spare);
/*
 * Makes [offset, offset + length) of the block readable and verified. More may be fetched, from
 * offset on. Failures name the replicas that were tried.
 */
MUST_USE enum status dfs_source_need(struct dfs_source *source,
                                     uint64_t offset,
                                     size_t length,
                                     struct dfs_reader_totals *totals,
                                     struct error *reterr_error);
/* The same block with newer replicas, borrowed as before. */
void dfs_source_relocate(struct dfs_source *source, const struct dfs_located_block *block);
/* Where byte 0 of the block is in memory; what was not needed is not to be read. */
const uint8_t *dfs_source_data(const struct dfs_source *source);
void dfs_source_close(struct dfs_source *source); /* NULL is fine */

#endif
