/*
 * rpc.h - calls over gRPC: one request, one response, bytes in, bytes out. Knows no message.
 *
 * Threads: the server hands requests to its own threads, the client calls back on its one thread.
 * Such a callback must not block: it posts to somebody's mailbox and returns. Replies and calls may
 * be made from any thread.
 */
#ifndef MILLRACE_LIB_NET_RPC_H
#define MILLRACE_LIB_NET_RPC_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/error.h"
#include "lib/base/slice.h"
#include "lib/base/status.h"
#include "lib/net/net.h"

/* The numbers of gRPC (doc/statuscodes.md). */
enum rpc_code {
    RPC_OK = 0,
    RPC_CANCELLED = 1,
    RPC_UNKNOWN = 2,
    RPC_INVALID_ARGUMENT = 3,
    RPC_DEADLINE_EXCEEDED = 4,
    RPC_NOT_FOUND = 5,
    RPC_ALREADY_EXISTS = 6,
    RPC_PERMISSION_DENIED = 7,
    RPC_RESOURCE_EXHAUSTED = 8,
    RPC_FAILED_PRECONDITION = 9,
    RPC_ABORTED = 10,
    RPC_OUT_OF_RANGE = 11,
    RPC_UNIMPLEMENTED = 12,
    RPC_INTERNAL = 13,
    RPC_UNAVAILABLE = 14,
    RPC_DATA_LOSS = 15,
    RPC_UNAUTHENTICATED = 16,
};

/* Trailing metadata that carries the name of an enum status, for example "ERR_SAFE_MODE". */
#define RPC_STATUS_KEY "millrace-status"

/* The code that says nearest what status says, for clients that do not know RPC_STATUS_KEY. */
enum rpc_code rpc_code_from_status(enum status status);
/* The status for a code without RPC_STATUS_KEY; RPC_OK gives OK. */
enum status rpc_code_status(enum rpc_code code);

#define RPC_NO_DEADLINE INT64_MAX

enum {
    RPC_MESSAGE_BYTES = 16 * 1024 * 1024, /* a message's limit unless told otherwise */
    RPC_TEXT_BYTES = 1024,                /* a longer failure text is cut */
    RPC_METADATA_BYTES = 8 * 1024,        /* all metadata of a call together */
    RPC_SERVER_CALLS = 32 * 1024,         /* calls a server holds unless told otherwise */
};

struct rpc_metadata {
    const char *key;    /* lower case */
    struct slice value; /* printable ASCII */
};

/* --- server
 * ---------------------------------------------------------------------------------
 */

struct rpc_server;
struct rpc_request; /* one call that waits for its answer */

struct rpc_server_options {
    const char *address;      /* "127.0.0.1:0", as net_address_parse reads it; port 0:
                                 any free port */
    unsigned threads;         /* 0: 2 */
    size_t message_bytes_max; /* of requests; 0: RPC_MESSAGE_BYTES. Longer:
                                 RPC_RESOURCE_EXHAUSTED */
    size_t calls_max;         /* held at once; 0: RPC_SERVER_CALLS. More: RPC_UNAVAILABLE */
    const struct net_credentials *credentials; /* NULL: plain, loopback only. Else mutual TLS */
    /*
     * Takes request, which is answered exactly once, here or later, from any thread, by
     * rpc_request_reply or rpc_request_fail. On a server thread: must not block.
     */
    void (*handle)(void *user, struct rpc_request *request);
    /*
     * The caller of a request with this tag has gone (cancelled, died, deadline over) before the
     * answer. It must still be answered; the answer is thrown away. At most once per request, never
     * before its handle has returned; when the answer is on its way at this moment, the call may
     * come just after it, so tags are not used again. May be NULL. Must not block.
     */
    void (*cancelled)(void *user, uint64_t tag);
    void *user;
};

/*
 * Starts to listen and to serve. Fails with ERR_INVALID for a bad address, ERR_DENIED when it is
 * not loopback and credentials are missing, ERR_BUSY when the port is in use.
 */
MUST_USE enum status rpc_server_open(const struct rpc_server_options *options,
                                     struct rpc_server **ret_server,
                                     struct error *reterr_error);
uint16_t rpc_server_port(const struct rpc_server *server);
/*
 * Begins to stop: the port closes, new calls are refused, calls in progress go on. Returns at once.
 * For shells that answer their held calls on the thread that will call rpc_server_close.
 */
void rpc_server_stop(struct rpc_server *server);
/*
 * Stops (if not yet done), waits up to grace_ms for calls in progress, cancels the rest (their
 * cancelled callbacks run), and waits until every request has been answered by its holder. NULL is
 * fine. Never on a thread of the server.
 */
void rpc_server_close(struct rpc_server *server, int64_t grace_ms);

/* All that these return is borrowed until the request is answered. */
struct slice rpc_request_path(const struct rpc_request *request); /* "/package.Service/Method" */
struct slice rpc_request_body(const struct rpc_request *request);
/* The first value under key (lower case); false when there is none. */
bool rpc_request_metadata(const struct rpc_request *request,
                          const char *key,
                          struct slice *ret_value);
/* "ipv4:127.0.0.1:4711"; for logs, never proof of anything. */
struct slice rpc_request_peer(const struct rpc_request *request);
/* Milliseconds left; 0 when over; RPC_NO_DEADLINE. */
int64_t rpc_request_remaining_ms(const struct rpc_request *request);
/* A number of the holder's own, given to the cancelled callback. Set it inside handle. */
void rpc_request_set_tag(struct rpc_request *request, uint64_t tag);
uint64_t rpc_request_tag(const struct rpc_request *request);
bool rpc_request_is_cancelled(struct rpc_request *request);

/* Answers with body (copied) and releases the request. */
void rpc_request_reply(struct rpc_request *request, struct slice body);
/*
 * Answers with a failure and releases the request. code is not RPC_OK. status_name travels as
 * RPC_STATUS_KEY (NULL: none). text: UTF-8 for a person, cut at RPC_TEXT_BYTES.
 */
void rpc_request_fail(struct rpc_request *request,
                      enum rpc_code code,
                      const char *status_name,
                      struct slice text);
/* The same with code and name chosen by status, which is not OK. */
void rpc_request_fail_status(struct rpc_request *request, enum status status, struct slice text);

/* --- client
 * ---------------------------------------------------------------------------------
 */

struct rpc_client;  /* one per process: a thread that always polls, and the
                       channels */
struct rpc_channel; /* to one address; counted */
struct rpc_call;    /* one call in flight; counted */

struct rpc_channel_options {
    size_t message_bytes_max;                  /* of responses; 0: RPC_MESSAGE_BYTES */
    bool has_own_connection;                   /* true: do not share the connection of a like
                                                  channel */
    const struct net_credentials *credentials; /* NULL: plain */
};

/* Everything points into the library; borrowed until the callback returns. */
struct rpc_result {
    enum rpc_code code;
    enum status status;       /* of RPC_STATUS_KEY, or the nearest to code; OK exactly
                                 for RPC_OK */
    struct slice status_name; /* the RPC_STATUS_KEY as sent; may be empty */
    struct slice text;        /* why, for a person; empty for RPC_OK */
    struct slice body;        /* the response; empty unless RPC_OK */
};

/* On the client's thread, exactly once per call that was started. Must not block. */
typedef void rpc_call_done(void *user, const struct rpc_result *result);

struct rpc_call_options {
    int64_t timeout_ms;                  /* 1 .. RPC_NO_DEADLINE */
    const struct rpc_metadata *metadata; /* copied */
    size_t metadata_count;
    bool wait_for_ready; /* true: an unreachable server uses up the timeout;
                            false: fails at once */
};

/* channel_options (copied, credentials too; NULL: all defaults) serve rpc_client_channel. */
MUST_USE enum status rpc_client_open(const struct rpc_channel_options *channel_options,
                                     struct rpc_client **ret_client,
                                     struct error *reterr_error);
/*
 * Cancels the calls in flight, waits for their callbacks and closes all cached channels; channels
 * the caller opened are closed before. NULL is fine. Never on the client's thread.
 */
void rpc_client_close(struct rpc_client *client);

/*
 * Opens a channel to address ("host:port"). It connects with the first call and again after every
 * loss, first after 100 ms, later every 500 ms. ERR_INVALID for a bad address. options may be NULL.
 */
MUST_USE enum status rpc_channel_open(struct rpc_client *client,
                                      const char *address,
                                      const struct rpc_channel_options *options,
                                      struct rpc_channel **ret_channel,
                                      struct error *reterr_error);
/* Gives back one reference; calls in flight go on. NULL is fine. */
void rpc_channel_close(struct rpc_channel *channel);
/*
 * The client's channel to address, opened when it is not there. The caller's reference: give it
 * back with rpc_channel_close when the call is started. The channels least recently used, beyond
 * RPC_CLIENT_CHANNELS, are dropped.
 */
MUST_USE enum status rpc_client_channel(struct rpc_client *client,
                                        struct slice address,
                                        struct rpc_channel **ret_channel,
                                        struct error *reterr_error);

enum {
    RPC_CLIENT_CHANNELS = 4096
};

/*
 * Starts a call of path with body (copied). OK: done will be called once. ERR_INVALID, without a
 * callback: metadata that cannot be sent; ERR_CANCELLED: the client is closing. ret_call (may be
 * NULL) is the caller's reference, for rpc_call_cancel; give it back with rpc_call_close.
 */
MUST_USE enum status rpc_call_start(struct rpc_channel *channel,
                                    const char *path,
                                    struct slice body,
                                    const struct rpc_call_options *options,
                                    rpc_call_done *done,
                                    void *user,
                                    struct rpc_call **ret_call);
/* The callback comes soon with RPC_CANCELLED, unless the answer was faster. Any thread. */
void rpc_call_cancel(struct rpc_call *call);
void rpc_call_close(struct rpc_call *call); /* NULL is fine; does not cancel */

/*
 * Calls and waits. Returns the result's status; OK: ret_body (may be NULL), an open buffer of the
 * caller's, has been given the response; else the error says why. Never on the client's thread.
 */
MUST_USE enum status rpc_call_wait(struct rpc_channel *channel,
                                   const char *path,
                                   struct slice body,
                                   const struct rpc_call_options *options,
                                   struct buf *ret_body,
                                   struct error *reterr_error);

#endif
