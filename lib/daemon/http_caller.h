/*
 * http_caller.h - who sends an HTTP request that may come from a client without any notion of
 * Millrace: the rules of docs/decisions/0061-who-calls-over-http.md.
 */
#ifndef MILLRACE_LIB_DAEMON_HTTP_CALLER_H
#define MILLRACE_LIB_DAEMON_HTTP_CALLER_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/error.h"
#include "lib/base/slice.h"
#include "lib/base/status.h"

struct http_request;
struct token_secret;

/* The audience of tokens that http_caller_sign makes; gRPC and the block plane refuse it. */
#define HTTP_CALLER_AUDIENCE "webhdfs"

struct http_caller_rules {
    const struct token_secret *secret;
    const char *host; /* this host's name in addresses, beside localhost; may be NULL */
    /* May caller act for others? NULL: nobody may. */
    bool (*may_act_for_others)(void *user, struct slice caller);
    void *user;
    /* Finds the user of the peer's socket; NULL: http_request_peer_uid and the host's names. */
    enum status (*find_peer)(void *user,
                             const struct http_request *request,
                             struct arena *arena,
                             struct slice *ret_user,
                             struct error *reterr_error);
};

/*
 * The effective user of the request, as event.user shows it, from arena. ERR_UNAUTHENTICATED:
 * nobody, or a bad token; ERR_DENIED: may not be who he says he is, or a browser was made to ask.
 */
MUST_USE enum status http_caller_identify(const struct http_caller_rules *rules,
                                          const struct http_request *request,
                                          struct arena *arena,
                                          struct slice *ret_user,
                                          struct error *reterr_error);
/* A token for user (as event.user shows it) that http_caller_identify takes, from arena. */
MUST_USE enum status http_caller_sign(const struct token_secret *secret,
                                      struct slice user,
                                      int64_t expires_wall_ms,
                                      struct arena *arena,
                                      struct slice *ret_token,
                                      struct error *reterr_error);
/* The same, good for gRPC and the block plane: for a daemon that calls in the name of user. */
MUST_USE enum status http_caller_sign_for_cluster(const struct token_secret *secret,
                                                  struct slice user,
                                                  int64_t expires_wall_ms,
                                                  struct arena *arena,
                                                  struct slice *ret_token,
                                                  struct error *reterr_error);

#endif
