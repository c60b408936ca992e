/*
 * client.c - a client's way into the cluster: its folder, a token, calls that can be given up.
 */
#include "mr/client/client_internal.h"

#include <string.h>

#include "lib/base/mem.h"
#include "lib/net/net.h"
#include "lib/net/rpc.h"
#include "lib/os/clock.h"
#include "lib/services/client.h"

/* --- opening ---------------------------------------------------------------------------------- */

enum status mr_client_open_dfs(const struct mr_client *client,
                               int64_t deadline_ms,
                               struct dfs **ret_dfs,
                               struct error *reterr_error)
{
    const char *address = NULL;
    enum status status = cluster_rpc_address(&client->cluster, "namenode", &address, reterr_error);
    if (status != OK)
        return status;
    struct dfs_settings settings = {
        .namenode_address = address,
        .token = (const char *)client->token.data, /* arena_copy put a NUL behind it */
        .deadline_ms = deadline_ms,
    };
    return dfs_open(&settings, ret_dfs, reterr_error);
}

enum status mr_client_open(const struct mr_client_settings *settings,
                           struct mr_client **ret_client,
                           struct error *reterr_error)
{
    struct mr_client *client = MEM_NEW(struct mr_client);
    bool is_net_open = false;
    client->arena = arena_open(0);
    client->mutex = mutex_open();
    client->changed = condition_open();
    client->noticed = settings->noticed;
    client->user = settings->user;
    client->directory = cluster_directory(client->arena, settings->directory);
    enum status status =
        cluster_load(client->arena, client->directory, &client->cluster, reterr_error);
    if (status == OK)
        status = cluster_token(&client->cluster, client->arena, &client->token, reterr_error);
    if (status == OK) {
        status = net_open(NULL, reterr_error);
        is_net_open = status == OK;
    }
    if (status == OK)
        status = rpc_client_open(NULL, &client->rpc, reterr_error);
    if (status == OK)
        status = mr_client_open_dfs(client, 0, &client->dfs, reterr_error);
    if (status == OK) {
        net_prepare_http(); /* for the upload, while the paths are looked at */
        *ret_client = client;
        return OK;
    }
    rpc_client_close(client->rpc);
    if (is_net_open)
        net_close();
    condition_close(client->changed);
    mutex_close(client->mutex);
    arena_close(client->arena);
    mem_free(client);
    return status;
}

void mr_client_close(struct mr_client *client)
{
    if (client == NULL)
        return;
    dfs_close(client->dfs);
    rpc_client_close(client->rpc);
    net_close();
    condition_close(client->changed);
    mutex_close(client->mutex);
    arena_close(client->arena);
    mem_free(client);
}

enum mr_client_fault mr_client_fault(const struct mr_client *client)
{
    return client->fault;
}

enum status mr_client_blame(struct mr_client *client,
                            enum mr_client_fault fault,
                            enum status status)
{
    if (status == ERR_CANCELLED && mr_client_is_cancelled(client))
        fault = MR_CLIENT_FAULT_CANCELLED;
    else if (mr_client_may_pass(status) || status == ERR_UNAUTHENTICATED)
        fault = MR_CLIENT_FAULT_CLUSTER;
    client->fault = status == OK ? MR_CLIENT_FAULT_NONE : fault;
    return status;
}

/* --- giving up -------------------------------------------------------------------------------- */

void mr_client_cancel(struct mr_client *client)
{
    mutex_lock(client->mutex);
    client->is_cancelled = true;
    if (client->call != NULL)
        rpc_call_cancel(client->call);
    condition_broadcast(client->changed);
    mutex_unlock(client->mutex);
    dfs_cancel(client->dfs);
}

bool mr_client_is_cancelled(struct mr_client *client)
{
    mutex_lock(client->mutex);
    bool is_cancelled = client->is_cancelled;
    mutex_unlock(client->mutex);
    return is_cancelled;
}

bool mr_client_pause(struct mr_client *client, int64_t ms)
{
    int64_t deadline_ms = clock_monotonic_ms() + ms;
    mutex_lock(client->mutex);
    while (!client->is_cancelled &&
           condition_wait_until(client->changed, client->mutex, deadline_ms))
        continue;
    bool is_cancelled = client->is_cancelled;
    mutex_unlock(client->mutex);
    return !is_cancelled;
}

/* --- calls ------------------------------------------------------------------------------------ */

struct answer {
    struct mr_client *client;
    const struct message_type *type;
    struct arena *arena; /* the caller's */
    enum status status;
    const void *response;
    struct error *error;
};

/* On the rpc client's thread; the caller's thread waits, so its arena may be used here. */
static void answered(void *user, const struct service_result *result)
{
    struct answer *answer = user;
    struct mr_client *client = answer->client;
    answer->status = result->status;
    if (result->status == OK)
        answer->response = message_copy(answer->type, result->response, answer->arena);
    else
        status_ignore(error_set(answer->error, result->status, "%.*s", SLICE_ARGS(result->text)));
    arena_close(result->arena);
    mutex_lock(client->mutex);
    client->is_done = true;
    condition_broadcast(client->changed);
    mutex_unlock(client->mutex);
}

static enum status call_on_channel(struct mr_client *client,
                                   struct rpc_channel *channel,
                                   enum method method,
                                   const void *request,
                                   int64_t timeout_ms,
                                   struct answer *answer)
{
    struct service_target target = {
        .channel = channel, .token = client->token, .timeout_ms = timeout_ms};
    struct rpc_call *call = NULL;
    client->is_done = false; /* no call is in flight */
    enum status status =
        service_call_start(&target, method, request, answered, answer, &call, answer->error);
    if (status != OK)
        return status;
    mutex_lock(client->mutex);
    client->call = call;
    if (client->is_cancelled)
        rpc_call_cancel(call);
    while (!client->is_done)
        condition_wait(client->changed, client->mutex);
    client->call = NULL;
    bool is_cancelled = client->is_cancelled;
    mutex_unlock(client->mutex);
    rpc_call_close(call);
    if (is_cancelled && answer->status != OK)
        return error_set(answer->error, ERR_CANCELLED, "given up");
    return answer->status;
}

enum status mr_client_call(struct mr_client *client,
                           struct slice address,
                           enum method method,
                           const void *request,
                           int64_t timeout_ms,
                           struct arena *arena,
                           const void **ret_response,
                           struct error *reterr_error)
{
    struct rpc_channel *channel = NULL;
    struct answer answer = {.client = client,
                            .type = method_info(method)->response,
                            .arena = arena,
                            .error = reterr_error};
    enum status status = rpc_client_channel(client->rpc, address, &channel, reterr_error);
    if (status != OK)
        return status;
    status = call_on_channel(client, channel, method, request, timeout_ms, &answer);
    rpc_channel_close(channel);
    if (status == OK)
        *ret_response = answer.response;
    return status;
}

/* A daemon that was started again has other addresses, and perhaps the token is old. */
static enum status refresh(struct mr_client *client, struct error *reterr_error)
{
    enum status status =
        cluster_load(client->arena, client->directory, &client->cluster, reterr_error);
    if (status == OK)
        status = cluster_token(&client->cluster, client->arena, &client->token, reterr_error);
    if (status == OK)
        dfs_set_token(client->dfs, (const char *)client->token.data);
    return status;
}

enum status mr_client_call_rm(struct mr_client *client,
                              enum method method,
                              const void *request,
                              int64_t timeout_ms,
                              struct arena *arena,
                              const void **ret_response,
                              struct error *reterr_error)
{
    const char *address = NULL;
    enum status status = cluster_rpc_address(&client->cluster, "rm", &address, reterr_error);
    if (status == OK)
        status = mr_client_call(client, slice_from_string(address), method, request, timeout_ms,
                                arena, ret_response, reterr_error);
    if (status != ERR_UNAVAILABLE && status != ERR_UNAUTHENTICATED)
        return status;
    struct error ignored;
    if (refresh(client, &ignored) != OK ||
        cluster_rpc_address(&client->cluster, "rm", &address, &ignored) != OK)
        return status; /* the first reason says more */
    return mr_client_call(client, slice_from_string(address), method, request, timeout_ms, arena,
                          ret_response, reterr_error);
}

/* --- outages ---------------------------------------------------------------------------------- */

bool mr_client_may_pass(enum status status)
{
    return status == ERR_UNAVAILABLE || status == ERR_DEADLINE || status == ERR_CANCELLED ||
           status == ERR_BUSY || status == ERR_SAFE_MODE;
}

static void notice(struct mr_client *client, const char *sentence)
{
    if (client->noticed != NULL)
        client->noticed(client->user, sentence);
}

bool mr_client_outage_wait(struct mr_client *client,
                           struct mr_client_outage *outage,
                           const char *daemon,
                           struct error *error)
{
    int64_t now_ms = clock_monotonic_ms();
    if (outage->since_ms == 0) {
        outage->since_ms = now_ms;
        outage->backoff_ms = MR_CLIENT_BACKOFF_MS;
    } else if (!outage->is_told) { /* the first failure may be a hiccup */
        struct error told = *error;
        outage->is_told = true;
        status_ignore(error_prefix(&told, told.status,
                                   "the %s does not answer and will be asked again", daemon));
        notice(client, told.text);
    }
    if (now_ms - outage->since_ms > MR_CLIENT_PATIENCE_MS) {
        status_ignore(error_prefix(error, error->status, "the %s has not answered for %d minutes",
                                   daemon, MR_CLIENT_PATIENCE_MS / 60000));
        return false;
    }
    if (!mr_client_pause(client, outage->backoff_ms)) {
        status_ignore(error_set(error, ERR_CANCELLED, "given up"));
        return false;
    }
    outage->backoff_ms *= 2;
    if (outage->backoff_ms > MR_CLIENT_BACKOFF_MAX_MS)
        outage->backoff_ms = MR_CLIENT_BACKOFF_MAX_MS;
    return true;
}

void mr_client_outage_over(struct mr_client *client,
                           struct mr_client_outage *outage,
                           const char *daemon)
{
    if (outage->is_told) {
        struct error told;
        status_ignore(error_set(&told, OK, "the %s answers again", daemon));
        notice(client, told.text);
    }
    *outage = (struct mr_client_outage){0};
}
