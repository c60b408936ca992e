/*
 * caller.h - performs a machine's ACTION_CALL over gRPC: struct shell_host's call and cancel.
 */
#ifndef MILLRACE_LIB_DAEMON_CALLER_H
#define MILLRACE_LIB_DAEMON_CALLER_H

#include "lib/base/arena.h"
#include "lib/base/slice.h"
#include "lib/daemon/shell.h"

struct caller;
struct rpc_client;

/* The bearer token for the next call, from arena; called on the core thread. */
typedef struct slice caller_token(void *user, struct arena *arena);

/* client is borrowed; its channels are shared by address. */
struct caller *caller_open(struct rpc_client *client, caller_token *token, void *token_user);
/*
 * Starts the call; its end is posted to shell by shell_response, exactly once, also when it cannot
 * be started. tag is not in use by another call.
 */
void caller_call(struct caller *caller,
                 struct shell *shell,
                 uint64_t tag,
                 struct slice address,
                 enum method method,
                 const void *message,
                 int64_t timeout_ms);
/* Makes the end come soon, with ERR_CANCELLED unless the answer was faster. No such tag: nothing.
 */
void caller_cancel(struct caller *caller, uint64_t tag);
/* Close the rpc client first: then no call is in flight. NULL is fine. */
void caller_close(struct caller *caller);

#endif
