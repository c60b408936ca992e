/*
 * http_server_private.h - what http_server.c and http_reply.c share; for nobody else.
 */
#ifndef MILLRACE_LIB_NET_HTTP_SERVER_PRIVATE_H
#define MILLRACE_LIB_NET_HTTP_SERVER_PRIVATE_H

#include <microhttpd.h>
#include <pthread.h>

#include "lib/base/buf.h"
#include "lib/net/http_server.h"

/* How far a request has come. */
enum http_phase {
    HTTP_PHASE_NEW,     /* nobody has seen it */
    HTTP_PHASE_BODY,    /* begin was called, the body comes */
    HTTP_PHASE_HANDLED, /* handle was called */
};

enum {
    HTTP_PEER_BYTES = 64
};

struct http_request {
    struct http_server *server;
    struct MHD_Connection *connection;
    const struct http_route *route; /* NULL: no route took it */
    enum http_phase phase;
    bool has_bad_uri; /* a %00, which would cut the path without notice */
    char method[16];
    char *path;
    struct buf body;
    enum status body_status;
    void *state;
    char **headers; /* name, value, name, value, ... of the reply */
    size_t header_count;
    size_t header_capacity;
    char peer[HTTP_PEER_BYTES];
    pthread_cond_t replied; /* HTTP_THREAD_EACH: the connection's thread waits for it */
    /* Under the server's mutex: */
    struct MHD_Response *response;
    unsigned code;
    bool is_replied;
    bool is_pending;   /* handle was called and nobody has replied yet */
    bool is_suspended; /* HTTP_POOL: the library waits to be told to go on */
};

struct http_server {
    struct http_server_options options;
    struct MHD_Daemon *daemon;
    int listener; /* ours again once the daemon has been told to stop accepting; else -1 */
    uint16_t port;
    pthread_mutex_t mutex; /* of the fields below and of those of requests named above */
    pthread_cond_t changed;
    size_t active_count; /* requests begun and not over */
    uint64_t by_class[HTTP_CODE_CLASSES];
    size_t pending_count; /* of them those with is_pending */
    bool is_stopping;
    bool is_cut; /* no handle is called any more */
};

/* Makes response (taken) the reply, and wakes whoever waits to send it. */
void http_request_finish(struct http_request *request,
                         unsigned code,
                         struct MHD_Response *response);

#endif
