/*
 * http_transfer.h - one HTTP exchange on a libcurl handle, and the clock that finds those that
 * stand still; for http_client.c and http_fetcher.c only.
 */
#ifndef MILLRACE_LIB_NET_HTTP_TRANSFER_H
#define MILLRACE_LIB_NET_HTTP_TRANSFER_H

#include <curl/curl.h>

#include "lib/net/http_client.h"

/*
 * Time as transfers see it: it stands still while we are not moving data, in callbacks and between
 * two runs, so that the caller's own slowness is not taken for the peer's.
 */
struct http_clock {
    int64_t away_ms;  /* time spent elsewhere so far */
    int64_t since_ms; /* when we went away; 0: we have not */
};

void http_clock_leave(struct http_clock *clock);
void http_clock_return(struct http_clock *clock);
int64_t http_clock_now_ms(const struct http_clock *clock);

struct http_transfer {
    CURL *easy;
    struct http_clock *clock;
    struct curl_slist *headers;
    char *name; /* "GET http://...", for errors */
    bool is_ranged;
    enum status (*data)(void *user, struct slice data);
    void (*header)(void *user, struct slice name, struct slice value);
    void *user;
    struct http_response response;
    enum status told;   /* of HTTP_STATUS_HEADER; OK: none */
    enum status status; /* why we stopped it ourselves, with error; OK: we did not */
    struct error error;
    char curl_text[CURL_ERROR_SIZE];
    bool is_connected; /* the request is on its way: the stall limit counts */
    int64_t stall_ms;
    int64_t moved_ms; /* on clock, when a byte last moved */
    uint64_t moved_bytes;
    /* Of uploads: */
    struct slice pending; /* not yet taken by the library */
    bool is_open;         /* more may be pushed */
    bool is_paused;       /* the library waits for more */
    bool is_asked;        /* it has asked for the first byte */
};

/*
 * A handle for one transfer; NULL when memory is gone. Connections are kept by the multi handle, so
 * a new one costs a microsecond. Not for another: libcurl 7.83 to 8.1.0 then reads memory that is
 * freed when an answer begins its headers with a space (github.com/curl/curl/issues/11101).
 */
CURL *http_transfer_handle(void);

struct http_transfer_limits {
    int64_t connect_ms;
    int64_t stall_ms;
};

/*
 * Sets up easy, a handle as made above, for options. limits: 0 means the default. On failure
 * nothing is left to close.
 */
MUST_USE enum status http_transfer_open(struct http_transfer *transfer,
                                        CURL *easy,
                                        struct http_clock *clock,
                                        const char *method,
                                        const struct http_request_options *options,
                                        const struct http_transfer_limits *limits,
                                        struct error *error);
/* Makes it an upload of length bytes or HTTP_LENGTH_CHUNKED that waits for the server's consent. */
void http_transfer_set_upload(struct http_transfer *transfer, uint64_t length, bool wants_consent);
/* Fails it when the peer has stood still for too long; true when it did. */
bool http_transfer_is_stalled(struct http_transfer *transfer);
/* Gives up on it with status; the first reason stays. */
void http_transfer_stop(struct http_transfer *transfer, enum status status, const char *why);
/* What came of it, once the library is done (code) or it was stopped. */
MUST_USE enum status http_transfer_result(struct http_transfer *transfer,
                                          CURLcode code,
                                          struct error *reterr_error);
/* Lets go of easy, which must not be in a multi handle any more. */
void http_transfer_close(struct http_transfer *transfer);

#endif
