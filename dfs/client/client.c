/*
 * client.c - the connection of a filesystem client: opening, patience, cancelling.
 * Owns struct dfs. Locks: dfs->mutex only, never held over a call.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "dfs/client/internal.h"
#include "lib/base/mem.h"
#include "lib/net/http_client.h"
#include "lib/net/rpc.h"
#include "lib/os/clock.h"
#include "lib/os/host.h"
#include "lib/os/thread.h"
#include "lib/services/client.h"

static void set_token(struct dfs *dfs, const char *token)
{
    size_t length = token == NULL ? 0 : strlen(token);
    if (length > LIMIT_TOKEN_BYTES)
        length = 0; /* no such token was ever issued; the namenode will say so */
    if (length > 0)
        memcpy(dfs->token, token, length);
    dfs->token[length] = 0;
}

static enum status connect_to(struct dfs *dfs, const char *address, struct error *reterr_error)
{
    struct rpc_channel_options options = {.message_bytes_max = LIMIT_MESSAGE_BYTES};
    enum status status = rpc_client_open(&options, &dfs->rpc, reterr_error);
    if (status == OK)
        status = rpc_channel_open(dfs->rpc, address, &options, &dfs->namenode, reterr_error);
    if (status == OK)
        status = http_client_open(NULL, &dfs->http, reterr_error);
    return status;
}

enum status dfs_open(const struct dfs_settings *settings,
                     struct dfs **ret_dfs,
                     struct error *reterr_error)
{
    if (settings->namenode_address == NULL || settings->namenode_address[0] == 0)
        return error_set(reterr_error, ERR_INVALID, "the namenode's address is missing");
    struct dfs *dfs = MEM_NEW(struct dfs);
    dfs->arena = arena_open(0);
    dfs->mutex = mutex_open();
    dfs->condition = condition_open();
    dfs->host = settings->host == NULL ? slice_from_string(host_name(dfs->arena))
                                       : arena_copy(dfs->arena, slice_from_string(settings->host));
    dfs->deadline_ms = settings->deadline_ms > 0 ? settings->deadline_ms : DFS_DEADLINE_MS;
    dfs->call_timeout_ms =
        settings->call_timeout_ms > 0 ? settings->call_timeout_ms : DFS_CALL_TIMEOUT_MS;
    dfs->hedged_read_ms =
        settings->hedged_read_ms != 0 ? settings->hedged_read_ms : DFS_HEDGED_READ_MS;
    dfs->no_local_files = settings->no_local_files;
    set_token(dfs, settings->token);
    dfs->rng = rng_seed(settings->seed != 0 ? settings->seed : host_random_u64());
    /* Two clients of one seed must still be two clients, or the namenode takes one for a retry. */
    dfs->client_id = settings->seed != 0 ? rng_u64(&dfs->rng) | 1 : host_random_u64();
    enum status status = connect_to(dfs, settings->namenode_address, reterr_error);
    if (status != OK) {
        dfs_close(dfs);
        return status;
    }
    *ret_dfs = dfs;
    return OK;
}

void dfs_close(struct dfs *dfs)
{
    if (dfs == NULL)
        return;
    dfs_lease_close(dfs);
    rpc_channel_close(dfs->namenode);
    rpc_client_close(dfs->rpc);
    http_client_close(dfs->http);
    while (dfs->fetchers_count > 0)
        http_fetcher_close(dfs->fetchers[--dfs->fetchers_count]);
    condition_close(dfs->condition);
    mutex_close(dfs->mutex);
    arena_close(dfs->arena);
    mem_free(dfs);
}

void dfs_set_token(struct dfs *dfs, const char *token)
{
    mutex_lock(dfs->mutex);
    set_token(dfs, token);
    mutex_unlock(dfs->mutex);
}

void dfs_token(struct dfs *dfs, char *ret_token)
{
    mutex_lock(dfs->mutex);
    memcpy(ret_token, dfs->token, sizeof(dfs->token));
    mutex_unlock(dfs->mutex);
}

void dfs_cancel(struct dfs *dfs)
{
    mutex_lock(dfs->mutex);
    dfs->is_cancelled = true;
    condition_broadcast(dfs->condition);
    mutex_unlock(dfs->mutex);
}

void dfs_resume(struct dfs *dfs)
{
    mutex_lock(dfs->mutex);
    dfs->is_cancelled = false;
    mutex_unlock(dfs->mutex);
}

bool dfs_is_cancelled(struct dfs *dfs)
{
    mutex_lock(dfs->mutex);
    bool is_cancelled = dfs->is_cancelled;
    mutex_unlock(dfs->mutex);
    return is_cancelled;
}

const char *dfs_host(const struct dfs *dfs)
{
    return (const char *)dfs->host.data;
}

uint64_t dfs_next_request(struct dfs *dfs)
{
    return atomic_fetch_add(&dfs->request_id, 1) + 1;
}

int64_t dfs_deadline(const struct dfs *dfs)
{
    return clock_monotonic_ms() + dfs->deadline_ms;
}

/* --- patience ----------------------------------------------------------------------------------
 */

bool dfs_pause(struct dfs *dfs,
               uint32_t attempt,
               int64_t deadline_ms,
               enum status *status,
               struct error *reterr_error)
{
    int64_t pause_ms = DFS_RETRY_MIN_MS;
    for (uint32_t i = 0; i < attempt && pause_ms < DFS_RETRY_MAX_MS; i++)
        pause_ms *= 2;
    if (pause_ms > DFS_RETRY_MAX_MS)
        pause_ms = DFS_RETRY_MAX_MS;
    mutex_lock(dfs->mutex);
    pause_ms = pause_ms / 2 + (int64_t)rng_below(&dfs->rng, (uint64_t)pause_ms / 2 + 1);
    int64_t until_ms = clock_monotonic_ms() + pause_ms;
    bool is_late = until_ms >= deadline_ms;
    while (!is_late && !dfs->is_cancelled &&
           condition_wait_until(dfs->condition, dfs->mutex, until_ms)) {
    }
    bool is_cancelled = dfs->is_cancelled;
    mutex_unlock(dfs->mutex);
    if (is_cancelled)
        *status = error_set(reterr_error, ERR_CANCELLED, "the operation was cancelled");
    else if (is_late)
        *status = error_prefix(reterr_error, *status, "no success within %" PRId64 " ms",
                               dfs->deadline_ms);
    return !is_cancelled && !is_late;
}

static bool is_passing(enum method method, enum status status)
{
    if (status == ERR_BUSY) /* of these: somebody else is writing that file */
        return method != METHOD_NAMENODE_CREATE && method != METHOD_NAMENODE_APPEND &&
               method != METHOD_NAMENODE_RENAME && method != METHOD_NAMENODE_CONCAT;
    return status == ERR_UNAVAILABLE || status == ERR_DEADLINE || status == ERR_SAFE_MODE;
}

enum status dfs_call_once(struct dfs *dfs,
                          enum method method,
                          const void *request,
                          struct arena *arena,
                          int64_t timeout_ms,
                          const void **ret_response,
                          struct error *reterr_error)
{
    char token[LIMIT_TOKEN_BYTES + 1];
    dfs_token(dfs, token);
    struct service_target target = {
        .channel = dfs->namenode,
        .token = slice_from_string(token),
        .timeout_ms = timeout_ms,
        .arena = arena,
    };
    return service_call(&target, method, request, ret_response, reterr_error);
}

enum status dfs_call(struct dfs *dfs,
                     enum method method,
                     const void *request,
                     struct arena *arena,
                     int64_t deadline_ms,
                     const void **ret_response,
                     struct error *reterr_error)
{
    for (uint32_t attempt = 0;; attempt++) {
        if (dfs_is_cancelled(dfs))
            return error_set(reterr_error, ERR_CANCELLED, "the operation was cancelled");
        int64_t left_ms = deadline_ms - clock_monotonic_ms();
        int64_t timeout_ms = left_ms < dfs->call_timeout_ms ? left_ms : dfs->call_timeout_ms;
        if (timeout_ms < 1)
            timeout_ms = 1;
        enum status status =
            dfs_call_once(dfs, method, request, arena, timeout_ms, ret_response, reterr_error);
        if (status == OK || !is_passing(method, status))
            return status;
        if (!dfs_pause(dfs, attempt, deadline_ms, &status, reterr_error))
            return status;
    }
}
