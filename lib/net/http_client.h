/*
 * http_client.h - fetching and storing bytes over HTTP/1.1: one at a time (http_get, http_put_*),
 * or many at once from one thread (http_fetcher). Connections are kept and used again.
 */
#ifndef MILLRACE_LIB_NET_HTTP_CLIENT_H
#define MILLRACE_LIB_NET_HTTP_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/error.h"
#include "lib/base/slice.h"
#include "lib/base/status.h"
#include "lib/net/http_status.h"

struct http_client;  /* any number of threads */
struct http_put;     /* one upload in progress; one thread at a time */
struct http_fetcher; /* one thread at a time */

enum {
    HTTP_CLIENT_CONNECT_MS = 5 * 1000, /* unless told otherwise */
    HTTP_CLIENT_STALL_MS = 30 * 1000,
    HTTP_RESPONSE_BODY_BYTES = 1024 * 1024, /* a response's body that has no callback */
};

#define HTTP_TO_END         UINT64_MAX /* a range without end */
#define HTTP_LENGTH_CHUNKED UINT64_MAX /* an upload whose length is not known before */

struct http_client_options {
    int64_t connect_ms; /* 0: HTTP_CLIENT_CONNECT_MS */
    int64_t stall_ms;   /* no byte moved for so long: ERR_DEADLINE. 0:
                           HTTP_CLIENT_STALL_MS */
};

struct http_header {
    const char *name;
    const char *value;
};

struct http_request_options {
    const char *url; /* "http://host:port/path?query" */
    const struct http_header *headers;
    size_t header_count;
    const char *bearer; /* token, or NULL */
    uint64_t offset;    /* of a range of the resource (GET) */
    uint64_t length;    /* of the range, 1.., HTTP_TO_END, or 0 with offset 0: no
                           range, all of it */
    /*
     * Takes the next piece of the body of a successful (2xx) GET, borrowed; not OK stops the
     * transfer with that status. NULL: the body goes to the response.
     */
    enum status (*data)(void *user, struct slice data);
    /* One response header, name in lower case; may be NULL. Called before data. */
    void (*header)(void *user, struct slice name, struct slice value);
    void *user;
};

/* A zeroed one is valid; http_response_close frees it. */
struct http_response {
    unsigned code;   /* HTTP's number; 0: no response came */
    struct buf body; /* unless data took it; of a failure always */
};

void http_response_close(struct http_response *response);

/*
 * Appends text to a URL, with percent signs for what may not stand in a path or, '/' apart, in a
 * query's value. Fails as buf_append does.
 */
MUST_USE enum status http_url_append(struct buf *url, struct slice text);

/* options may be NULL. */
MUST_USE enum status http_client_open(const struct http_client_options *options,
                                      struct http_client **ret_client,
                                      struct error *reterr_error);
/* Everything begun with it is over before. NULL is fine. */
void http_client_close(struct http_client *client);

/*
 * Fetches and waits. A response that is not 2xx gives the status of HTTP_STATUS_HEADER or else of
 * the code, and the error names URL, code and the first line of the body. ERR_UNAVAILABLE: no
 * connection, or it broke, also in mid-body; ERR_DEADLINE: connect_ms or stall_ms over. A server
 * that ignores the range: ERR_UNSUPPORTED. ret_response: opened zeroed by the caller; filled in as
 * far as known on failure too; may be NULL.
 */
MUST_USE enum status http_get(struct http_client *client,
                              const struct http_request_options *options,
                              struct http_response *ret_response,
                              struct error *reterr_error);
/* Sends body with the given method ("PUT", "POST", "DELETE", ...) and waits; else as http_get. */
MUST_USE enum status http_send(struct http_client *client,
                               const char *method,
                               const struct http_request_options *options,
                               struct slice body,
                               struct http_response *ret_response,
                               struct error *reterr_error);

/*
 * Opens an upload (PUT) of length bytes, or HTTP_LENGTH_CHUNKED. Returns when the server has agreed
 * to take the body, so a refusal or a dead server shows here; then nothing is left to close.
 */
MUST_USE enum status http_put_begin(struct http_client *client,
                                    const struct http_request_options *options,
                                    uint64_t length,
                                    struct http_put **ret_put,
                                    struct error *reterr_error);
/*
 * Sends data, waiting until the system has taken all of it. After a failure only http_put_abort is
 * left. CHECKs that not more than length is pushed.
 */
MUST_USE enum status http_put_push(struct http_put *put,
                                   struct slice data,
                                   struct error *reterr_error);
/*
 * Ends the body and waits for the response; statuses as http_get; put is gone in any case.
 * ERR_INVALID when less than length was pushed. ret_response as http_get.
 */
MUST_USE enum status http_put_finish(struct http_put *put,
                                     struct http_response *ret_response,
                                     struct error *reterr_error);
/* Breaks the connection, so the server sees an incomplete body. NULL is fine. */
void http_put_abort(struct http_put *put);

/* --- many fetches at once
 * --------------------------------------------------------------------- */

struct http_fetch; /* one of them; gone when its done callback returns */

struct http_fetcher_options {
    unsigned parallel_max;          /* connections in all; 0: 16. More requests wait */
    unsigned parallel_per_host_max; /* 0: 4 */
    int64_t connect_ms;             /* as http_client_options */
    int64_t stall_ms;
};

/* The end of one fetch: status and error as http_get. May add further fetches. */
typedef void http_fetch_done(void *user,
                             enum status status,
                             const struct http_response *response,
                             const struct error *error);

MUST_USE enum status http_fetcher_open(const struct http_fetcher_options *options,
                                       struct http_fetcher **ret_fetcher,
                                       struct error *reterr_error);
/* Fetches not done are dropped without their done callback. NULL is fine. */
void http_fetcher_close(struct http_fetcher *fetcher);
/* Adds a GET; everything in options is copied but user. ret_fetch may be NULL. */
MUST_USE enum status http_fetcher_add(struct http_fetcher *fetcher,
                                      const struct http_request_options *options,
                                      http_fetch_done *done,
                                      struct http_fetch **ret_fetch,
                                      struct error *reterr_error);
/* done comes with ERR_CANCELLED from the next http_fetcher_run. */
void http_fetch_cancel(struct http_fetch *fetch);
/*
 * Moves data and calls back until at least one fetch is done, http_fetcher_wake was called, or
 * wait_ms have passed (0: only what is possible at once). Returns how many fetches are left.
 * Callbacks may block; the time they take is not counted as a stall.
 */
size_t http_fetcher_run(struct http_fetcher *fetcher, int64_t wait_ms);
size_t http_fetcher_count(const struct http_fetcher *fetcher);
/* Ends the http_fetcher_run in progress soon; from one of its callbacks only. */
void http_fetcher_stop(struct http_fetcher *fetcher);
/* Ends the http_fetcher_run in progress, or the next one. Any thread. */
void http_fetcher_wake(struct http_fetcher *fetcher);

#endif
