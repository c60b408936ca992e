/*
 * session.h - a command's way into a running cluster: where it is, a token, connections.
 */
#ifndef MILLRACE_CLI_SESSION_H
#define MILLRACE_CLI_SESSION_H

#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/error.h"
#include "lib/base/slice.h"
#include "lib/base/status.h"
#include "lib/daemon/cluster.h"
#include "lib/services/client.h"

struct cli_session;

enum {
    CLI_CALL_MS = 10 * 1000 /* a call's patience unless it waits on purpose */
};

/* directory: of --dir, or NULL. Finds the cluster and gets the calling user's token. */
MUST_USE enum status cli_session_open(const char *directory,
                                      struct cli_session **ret_session,
                                      struct error *reterr_error);
void cli_session_close(struct cli_session *session); /* NULL is fine */
const struct cluster *cli_session_cluster(const struct cli_session *session);
/* Lives as long as the session; responses come from it. */
struct arena *cli_session_arena(struct cli_session *session);
/* NUL-terminated behind its end. */
struct slice cli_session_token(const struct cli_session *session);
/*
 * The target for calls of the service at address ("host:port"), over one kept connection;
 * timeout_ms and the rest may be changed. Lives as long as the session.
 */
MUST_USE enum status cli_session_target_at(struct cli_session *session,
                                           struct slice address,
                                           struct service_target *ret_target,
                                           struct error *reterr_error);
/* The same for the daemon of this role ("namenode", "rm"). */
MUST_USE enum status cli_session_target(struct cli_session *session,
                                        const char *role,
                                        struct service_target *ret_target,
                                        struct error *reterr_error);

#endif
