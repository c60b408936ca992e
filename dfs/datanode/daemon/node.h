/*
 * node.h - what the parts of the datanode's shell share: one struct node, made by main.c.
 * Threads: HTTP threads (receive.c, serve.c), the descriptor server's thread (serve.c), workers
 * (work.c) and the core thread (work.c's effects). They meet in the machine's mailbox, in the
 * store, and in the table of receives, which has the only lock here.
 */
#ifndef MILLRACE_DFS_DATANODE_DAEMON_NODE_H
#define MILLRACE_DFS_DATANODE_DAEMON_NODE_H

#include <stdatomic.h>

#include "dfs/datanode/core/datanode.h"
#include "dfs/datanode/daemon/access.h"
#include "dfs/datanode/daemon/latency.h"
#include "dfs/datanode/daemon/rate.h"
#include "dfs/datanode/daemon/volumes.h"
#include "lib/base/map.h"
#include "lib/model/limits.h"
#include "lib/net/token.h"

struct condition;
struct daemon;
struct fd_pass_server;
struct http_client;
struct http_request;
struct http_server;
struct log;
struct metrics_page;
struct mutex;
struct shell;
struct web_clients;
struct workers;

enum {
    /* Patience with the next node of a pipeline grows with what is behind it, so that the nearest
     * to the broken one notices first. */
    NODE_CLIENTS = 4
};

struct node {
    struct daemon *daemon;
    struct shell *shell;
    struct log *log;
    struct volumes *volumes;
    struct latencies *latencies;
    struct rate *copy_rate; /* of all copies and merges together */
    struct rate *scrub_rate;
    struct workers *workers;
    struct workers *tails; /* for the ends of pipelines whose writers have their answer */
    struct http_server *server;
    struct web_clients *web_clients;
    struct fd_pass_server *fd_server;
    struct http_client *clients[NODE_CLIENTS]; /* by the number of nodes behind the next one */
    struct node_access *access;
    struct token_secret secret;
    uint64_t node_id;
    int64_t pipeline_stall_ms;
    uint64_t pipeline_rate_min; /* bytes per second */
    atomic_ullong cluster_id;

    struct mutex *mutex;         /* of the receives */
    struct condition *condition; /* a receive was answered, or the machine has stopped */
    struct map_u64 *receives;    /* transfer number to struct receive */
    uint64_t transfers;
    bool has_stopped; /* the machine answers no more */
};

/* How a block is to be received, as its request asks. */
struct node_wish {
    uint32_t needed; /* replicas, with the receiver's own; 0: all of the pipeline */
    enum dfs_durability durability;
};

/* "http://<address>/v1/block/<id>?length=N&crc32c=HEX[&pipeline=...]...", from arena. */
const char *node_block_url(struct arena *arena,
                           struct slice address,
                           const struct dfs_block_info *block,
                           struct slice pipeline,
                           const struct node_wish *wish);
/* The client whose patience fits a pipeline of that many more addresses behind the next. */
struct http_client *node_client(struct node *node, size_t behind);
/*
 * Parses the block and checks that the request may have it in one of modes (see node_wanted). OK,
 * or a status and text for http_reply_error: first who asks, then what, then whether he may.
 */
MUST_USE enum status node_admit(struct node *node,
                                const struct http_request *request,
                                unsigned modes,
                                struct dfs_block_info *ret_block,
                                bool *ret_has_claim,
                                struct error *reterr_error);
/* Block id from the path, length and crc32c from the query; ERR_INVALID says what is wrong. */
MUST_USE enum status node_parse_block(const struct http_request *request,
                                      struct dfs_block_info *ret_block,
                                      bool *ret_has_claim,
                                      struct error *reterr_error);

/* What a datanode says of a pipeline that began with it. */
struct node_synced {
    uint64_t ids[LIMIT_REPLICAS]; /* who has the block, in pipeline order */
    size_t count;
    struct error failure; /* what broke behind them; empty: nothing has */
};

/* Takes {"synced": ["<node id>", ...], "failed": "..."}. */
MUST_USE enum status node_parse_synced(struct slice body,
                                       struct node_synced *ret_synced,
                                       struct error *reterr_error);
/*
 * A block on volume could not be read for this reason. The machine is told when it says that the
 * replica is bad (ERR_CORRUPT, ERR_IO); any thread.
 */
void node_tell_corrupt(
    struct node *node, uint64_t block_id, size_t volume, enum status status, const char *how);
/* The machine is told that a volume cannot be used any more; any thread. */
void node_tell_volume(struct node *node, size_t volume, const char *why);

/* --- receive.c ----------------------------------------------------------------------------------
 */
void node_receive_begin(void *user, struct http_request *request);
enum status node_receive_chunk(void *user, struct http_request *request, struct slice data);
void node_receive_handle(void *user, struct http_request *request);
void node_receive_end(void *user, struct http_request *request, bool is_complete);
/* DATANODE_EFFECT_ANSWER_RECEIVE; on the core thread. */
void node_receive_answer(struct node *node, const struct datanode_answer *answer);
/* Nobody is answered from now on: those who wait are refused. */
void node_receives_stop(struct node *node);

/* --- serve.c ------------------------------------------------------------------------------------
 */
void node_serve_block(void *user, struct http_request *request);
void node_serve_status(void *user, struct http_request *request);
enum status node_answer_descriptor(void *user,
                                   uint32_t uid,
                                   struct slice question,
                                   struct buf *answer,
                                   int *ret_fd,
                                   struct error *error);

/* --- webhdfs.c ------------------------------------------------------------------------------- */
void node_webhdfs_get(void *user, struct http_request *request);
void node_webhdfs_begin(void *user, struct http_request *request);
enum status node_webhdfs_chunk(void *user, struct http_request *request, struct slice data);
void node_webhdfs_handle(void *user, struct http_request *request);
void node_webhdfs_end(void *user, struct http_request *request, bool is_complete);

/* --- watch.c: how this datanode is ------------------------------------------------------------ */
void node_serve_metrics(void *user, struct http_request *request);
void node_serve_health(void *user, struct http_request *request);
/* See struct daemon_definition. */
void node_metrics(void *state, struct metrics_page *page);
enum status node_health(void *state, struct buf *notes, struct error *reterr_error);

/* --- work.c -------------------------------------------------------------------------------------
 */
/* ACTION_EFFECT; on the core thread, does not block. */
void node_effect(void *state, struct shell *shell, uint64_t tag, int effect, const void *data);

#endif
