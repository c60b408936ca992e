/*
 * access.h - who may do what with a block here: the bearer token says who asks, the block token
 * that the namenode lets him (docs/protocols/block-token.md). What is refused is counted, and
 * logged in one line. Any thread.
 */
#ifndef MILLRACE_DFS_DATANODE_DAEMON_ACCESS_H
#define MILLRACE_DFS_DATANODE_DAEMON_ACCESS_H

#include <stdint.h>

#include "lib/base/error.h"
#include "lib/base/slice.h"
#include "lib/base/status.h"

struct arena;
struct http_request;
struct log;
struct metrics_page;
struct node_access;
struct token_secret;

/* What somebody wants, for the check and for the log. */
struct node_wanted {
    const char *what; /* "GET", "PUT", "block", "sidecar" */
    const char *from; /* "127.0.0.1:4711", "uid 1000" */
    struct slice bearer;
    struct slice block_token;
    unsigned modes; /* any of these lets him: bits, 1 << BLOCK_READ */
};

struct node_access *node_access_open(const struct token_secret *secret, struct log *log);
void node_access_close(struct node_access *access); /* NULL is fine */

/* ERR_UNAUTHENTICATED: nobody knows who asks. ret_user: as event.user shows him, from arena. */
MUST_USE enum status node_access_identify(struct node_access *access,
                                          const struct node_wanted *wanted,
                                          struct arena *arena,
                                          struct slice *ret_user,
                                          struct error *reterr_error);
/* ERR_DENIED: the namenode has not said that user may do this with the block. */
MUST_USE enum status node_access_check(struct node_access *access,
                                       const struct node_wanted *wanted,
                                       struct slice user,
                                       uint64_t block_id,
                                       struct error *reterr_error);
/* The family millrace_datanode_refusals_total, a sample for each reason. */
void node_access_metrics(const struct node_access *access, struct metrics_page *page);

#endif
