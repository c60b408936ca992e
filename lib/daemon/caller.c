/*
 * caller.c - calls in flight by tag. The core thread starts and cancels them, the rpc client's
 * thread ends them, perhaps before the start has returned; so each is held by both until both are
 * through.
 */
#include "lib/daemon/caller.h"

#include "lib/base/check.h"
#include "lib/base/map.h"
#include "lib/base/mem.h"
#include "lib/net/rpc.h"
#include "lib/os/thread.h"
#include "lib/services/client.h"

struct caller {
    struct rpc_client *client;
    caller_token *token;
    void *token_user;
    struct mutex *mutex;   /* guards calls and what they hold */
    struct map_u64 *calls; /* tag to struct caller_call_state, those in flight */
};

struct caller_call_state {
    struct caller *caller;
    struct shell *shell;
    uint64_t tag;
    struct rpc_call *call; /* NULL until the start has returned */
    unsigned holders;      /* the starter and the callback */
};

struct caller *caller_open(struct rpc_client *client, caller_token *token, void *token_user)
{
    struct caller *caller = MEM_NEW(struct caller);
    caller->client = client;
    caller->token = token;
    caller->token_user = token_user;
    caller->mutex = mutex_open();
    caller->calls = map_u64_open();
    return caller;
}

void caller_close(struct caller *caller)
{
    if (caller == NULL)
        return;
    CHECK(map_u64_count(caller->calls) == 0);
    map_u64_close(caller->calls);
    mutex_close(caller->mutex);
    mem_free(caller);
}

/* Gives up one hold; called with the mutex held. */
static void leave(struct caller_call_state *state)
{
    if (--state->holders > 0)
        return;
    rpc_call_close(state->call);
    mem_free(state);
}

/* On the rpc client's thread. */
static void take_result(void *user, const struct service_result *result)
{
    struct caller_call_state *state = user;
    struct caller *caller = state->caller;
    mutex_lock(caller->mutex);
    (void)map_u64_remove(caller->calls, state->tag);
    mutex_unlock(caller->mutex);
    shell_response(state->shell, state->tag, result->method, result->status, result->text,
                   result->response);
    arena_close(result->arena);
    mutex_lock(caller->mutex);
    leave(state);
    mutex_unlock(caller->mutex);
}

static enum status start(struct caller *caller,
                         struct caller_call_state *state,
                         struct slice address,
                         enum method method,
                         const void *message,
                         int64_t timeout_ms,
                         struct error *reterr_error)
{
    struct rpc_channel *channel = NULL;
    enum status status = rpc_client_channel(caller->client, address, &channel, reterr_error);
    if (status != OK)
        return status;
    struct arena *arena = arena_open(0);
    struct service_target target = {
        .channel = channel,
        .token = caller->token(caller->token_user, arena),
        .timeout_ms = timeout_ms,
    };
    struct rpc_call *call = NULL;
    status = service_call_start(&target, method, message, take_result, state, &call, reterr_error);
    rpc_channel_close(channel);
    arena_close(arena);
    mutex_lock(caller->mutex);
    state->call = call;
    if (status == OK) {
        leave(state);
    } else { /* the callback will not come */
        (void)map_u64_remove(caller->calls, state->tag);
        state->holders--;
        leave(state);
    }
    mutex_unlock(caller->mutex);
    return status;
}

void caller_call(struct caller *caller,
                 struct shell *shell,
                 uint64_t tag,
                 struct slice address,
                 enum method method,
                 const void *message,
                 int64_t timeout_ms)
{
    struct caller_call_state *state = MEM_NEW(struct caller_call_state);
    state->caller = caller;
    state->shell = shell;
    state->tag = tag;
    state->holders = 2;
    mutex_lock(caller->mutex);
    CHECK(map_u64_put(caller->calls, tag, state) == NULL);
    mutex_unlock(caller->mutex);
    struct error error = {.status = OK};
    enum status status = start(caller, state, address, method, message, timeout_ms, &error);
    if (status != OK)
        shell_response(shell, tag, method, status, slice_from_string(error.text), NULL);
}

void caller_cancel(struct caller *caller, uint64_t tag)
{
    mutex_lock(caller->mutex);
    struct caller_call_state *state = map_u64_get(caller->calls, tag);
    /* Started by this same thread, so its call is known by now; the hold keeps it alive. */
    struct rpc_call *call = state != NULL ? state->call : NULL;
    if (call != NULL)
        rpc_call_cancel(call);
    mutex_unlock(caller->mutex);
}
