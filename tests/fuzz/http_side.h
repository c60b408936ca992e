/*
 * http_side.h - the two halves of the fuzz target for HTTP: what a namenode and what a datanode
 * serves, each behind the server and the handlers of the daemons, with what the rest of the daemon
 * does done here in memory.
 */
#ifndef MILLRACE_TESTS_FUZZ_HTTP_SIDE_H
#define MILLRACE_TESTS_FUZZ_HTTP_SIDE_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/net/http_server.h"
#include "lib/net/token.h"

/* What signs the tokens of both. */
extern const struct token_secret http_side_secret;

struct http_side {
    const struct http_route *routes;
    size_t route_count;
    void *user;
    bool (*is_idle)(void); /* nothing that a request has taken is held any more */
    void (*reset)(void);   /* checks what is there, and makes it what it was at first */
};

/* The namenode's word that alice may do anything with the datanode's block, or with that one. */
const char *http_side_block_token(bool is_other);

/* Opened at the first call. */
const struct http_side *http_side_namenode(void);
const struct http_side *http_side_datanode(void);

#endif
