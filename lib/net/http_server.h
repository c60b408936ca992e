/*
 * http_server.h - the HTTP/1.1 server of the bulk bytes and of the pages people read.
 *
 * Two ways to run: HTTP_POOL, a few threads that share all connections and whose handlers must not
 * block (they may answer later, from another thread); HTTP_THREAD_EACH, one thread per connection,
 * whose handlers may block on disks and on the next host of a pipeline.
 */
#ifndef MILLRACE_LIB_NET_HTTP_SERVER_H
#define MILLRACE_LIB_NET_HTTP_SERVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/error.h"
#include "lib/base/slice.h"
#include "lib/base/status.h"
#include "lib/net/http_status.h"

struct http_server;
struct http_request; /* one request; ends with its route's end callback */

enum http_threading {
    HTTP_POOL,
    HTTP_THREAD_EACH,
};

enum {
    HTTP_SERVER_CONNECTIONS = 512,   /* unless told otherwise */
    HTTP_SERVER_IDLE_MS = 60 * 1000, /* a silent connection is closed, unless told otherwise */
    HTTP_SERVER_GRACE_MS = 1000,
    HTTP_SERVER_BLOCK_BYTES = 512 * 1024, /* a file is read and sent in such pieces */
};

/*
 * What to do with one method and path. Callbacks come in this order, one at a time per request:
 * begin, chunk*, handle, end. All run on a thread of the server.
 */
struct http_route {
    const char *method; /* "GET" (answers HEAD too), "PUT", ... */
    const char *prefix; /* of the path; the longest that fits wins */
    /* The largest body collected for http_request_body when chunk is NULL; 0: a body is refused. */
    size_t body_bytes_max;
    /*
     * The headers are here, the body is not. May reply already, for example a refusal; then the
     * body is not read, and chunk and handle are not called. May be NULL.
     */
    void (*begin)(void *user, struct http_request *request);
    /*
     * The next piece of the body, borrowed. Not OK: the rest is thrown away without further calls,
     * and handle finds the status in http_request_body_status. May be NULL, see body_bytes_max.
     */
    enum status (*chunk)(void *user, struct http_request *request, struct slice data);
    /* The request is complete. Replies once, here or later from any thread. */
    void (*handle)(void *user, struct http_request *request);
    /*
     * The request is over, its response sent (is_complete) or its connection lost; releases what
     * http_request_set_state holds. request is gone after it. Exactly once. May be NULL.
     */
    void (*end)(void *user, struct http_request *request, bool is_complete);
};

struct http_server_options {
    const char *address; /* "127.0.0.1:0", loopback only; port 0: any free port */
    enum http_threading threading;
    unsigned threads;         /* HTTP_POOL: 0: 2 */
    unsigned connections_max; /* 0: HTTP_SERVER_CONNECTIONS; more wait to be
                                 accepted */
    int64_t idle_ms;          /* 0: HTTP_SERVER_IDLE_MS; rounded up to whole seconds */
    int64_t grace_ms;   /* http_server_close waits so long for responses; 0: HTTP_SERVER_GRACE_MS */
    size_t piece_bytes; /* headers, and pieces of bodies, are this long at most; 0: 32 KiB in a
                           pool, else 64 KiB. A connection has twice as much memory */
    bool use_sendfile;  /* files by sendfile(2) instead of by
                           HTTP_SERVER_BLOCK_BYTES pieces */
    const struct http_route *routes; /* borrowed until closed */
    size_t route_count;
    void *user; /* of all callbacks */
};

/*
 * Starts to listen and to serve. Fails with ERR_INVALID for a bad address, ERR_DENIED when it is
 * not loopback, ERR_BUSY when the port is in use.
 */
MUST_USE enum status http_server_open(const struct http_server_options *options,
                                      struct http_server **ret_server,
                                      struct error *reterr_error);
uint16_t http_server_port(const struct http_server *server);

/* Requests that are over, by the first digit of their code; [0]: the connection was lost before. */
enum {
    HTTP_CODE_CLASSES = 6
};

struct http_server_counts {
    uint64_t by_class[HTTP_CODE_CLASSES];
    uint64_t active; /* in progress */
};

struct http_server_counts http_server_counts_get(struct http_server *server);
/* Stops accepting; new requests get 503. Returns at once. */
void http_server_stop(struct http_server *server);
/*
 * Stops, waits up to grace_ms for the requests in progress, then until everybody who holds a
 * request has replied, and cuts the connections that are left. NULL is fine. Never on a thread of
 * the server.
 */
void http_server_close(struct http_server *server);

/* Borrowed until the request is replied to. */
const char *http_request_method(const struct http_request *request);
const char *http_request_path(const struct http_request *request); /* percent signs decoded */
/* The path behind the route's prefix. */
const char *http_request_rest(const struct http_request *request);
/* NULL when absent; "" when without a value. Names of headers in any case. */
const char *http_request_query(const struct http_request *request, const char *name);
const char *http_request_header(const struct http_request *request, const char *name);
/* The token of "Authorization: Bearer <token>", or of the query argument "token", or empty. */
struct slice http_request_bearer(const struct http_request *request);
/* "127.0.0.1:4711"; for logs. */
const char *http_request_peer(const struct http_request *request);
/* True when the peer is on this host, by way of its loopback interface. */
bool http_request_is_loopback(const struct http_request *request);
/*
 * The user of this host who holds the peer's end of the connection open, as the kernel tells.
 * ERR_UNAUTHENTICATED when there is none, or the peer is elsewhere. Asks the kernel each time.
 */
MUST_USE enum status http_request_peer_uid(const struct http_request *request,
                                           uint32_t *ret_uid,
                                           struct error *reterr_error);
/* False when the client did not say (chunked) or sends none. */
bool http_request_content_length(const struct http_request *request, uint64_t *ret_length);
/* The whole body, for routes without chunk; from handle on. */
struct slice http_request_body(const struct http_request *request);
enum status http_request_body_status(const struct http_request *request);
/* The handlers' own pointer. */
void http_request_set_state(struct http_request *request, void *state);
void *http_request_state(const struct http_request *request);

/* Adds a header (copied) to the coming reply. A control character in value becomes '?'. */
void http_reply_header(struct http_request *request, const char *name, const char *value);
/* Replies with body (copied). content_type NULL: none. */
void http_reply(struct http_request *request,
                unsigned code,
                const char *content_type,
                struct slice body);
/*
 * Replies with status's code, its name in HTTP_STATUS_HEADER, and text and a newline as the body.
 */
void http_reply_error(struct http_request *request, enum status status, const char *text);
/* The same with code 503 whatever status says, for pages that tell how a daemon is. */
void http_reply_unavailable(struct http_request *request, enum status status, const char *text);
/*
 * Replies with the bytes [offset, offset + length) of fd (taken), or the part of them the request's
 * Range header asks for (206), or 416 when it asks for none of them. A read that fails or finds the
 * end too early breaks the connection, so the client notices.
 */
void http_reply_file(struct http_request *request,
                     const char *content_type,
                     int fd,
                     uint64_t offset,
                     uint64_t length);

/* The source of a streamed reply. */
struct http_stream {
    /*
     * Writes 1..room bytes at data and says how many; 0: the end. Not OK: the connection breaks. On
     * a thread of the server; blocking is fine with HTTP_THREAD_EACH only.
     */
    enum status (*read)(
        void *state, uint64_t offset, uint8_t *data, size_t room, size_t *ret_length);
    void (*close)(void *state); /* exactly once; may be NULL */
    void *state;
};

#define HTTP_LENGTH_UNKNOWN UINT64_MAX

/* length: exact, or HTTP_LENGTH_UNKNOWN (sent in chunks). No Range. */
void http_reply_stream(struct http_request *request,
                       unsigned code,
                       const char *content_type,
                       uint64_t length,
                       const struct http_stream *stream);

#endif
