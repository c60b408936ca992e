/*
 * serve.h - the gRPC server of a daemon: checks who calls, and hands calls to the shell.
 */
#ifndef MILLRACE_LIB_DAEMON_SERVE_H
#define MILLRACE_LIB_DAEMON_SERVE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/error.h"
#include "lib/daemon/shell.h"

struct metrics_calls;
struct serve;
struct token_secret;

struct serve_options {
    const char *address;         /* "127.0.0.1:0", see lib/net/rpc.h */
    unsigned threads;            /* 0: the server's default */
    const char *const *services; /* ended by NULL */
    const struct token_secret *secret;
    struct shell *shell;
    struct log *log;
    struct metrics_calls *calls; /* counts what is answered; NULL: nobody counts */
    /* See struct daemon_definition; NULL: every authenticated user may. */
    bool (*may_call)(void *user, enum method method, struct slice caller);
    void *user;
};

/* options and what it points to are borrowed until serve_close. Fails as rpc_server_open does. */
MUST_USE enum status serve_open(const struct serve_options *options,
                                struct serve **ret_serve,
                                struct error *reterr_error);
uint16_t serve_port(const struct serve *serve);
/* Refuses new calls; the shell still answers those it has. */
void serve_stop(struct serve *serve);
/* Waits up to grace_ms for open calls, cancels the rest and waits for their answers. */
void serve_close(struct serve *serve, int64_t grace_ms); /* NULL is fine */

/*
 * What event.user shows for a token's subject: "user:alice" is "alice", "daemon:rm" is "millrace";
 * anything else, and "user:millrace", stays as it is. Borrows from subject.
 */
struct slice serve_user_of(struct slice subject);
/*
 * The caller that a genuine token names, by serve_user_of, from arena.
 */
MUST_USE enum status serve_authenticate(const struct token_secret *secret,
                                        struct slice token,
                                        struct arena *arena,
                                        struct slice *ret_user,
                                        struct error *reterr_error);

#endif
