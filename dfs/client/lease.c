/*
 * lease.c - keeps the client's lease while it writes: one thread, from the first writer on.
 * A renewal that fails is tried again sooner; when the lease is lost after all, the writer's next
 * call says so.
 */
#include "dfs/client/internal.h"
#include "lib/base/check.h"
#include "lib/os/clock.h"
#include "lib/os/thread.h"

enum {
    RENEWALS_PER_LEASE = 4,
    RENEW_RETRY_MS = 500
};

/* When to renew again. */
static int64_t renew(struct dfs *dfs)
{
    struct arena *arena = arena_open(0);
    struct dfs_renew_lease_request request = {.client_id = dfs->client_id};
    const void *response = NULL;
    int64_t pause_ms = RENEW_RETRY_MS;
    enum status status = dfs_call_once(dfs, METHOD_NAMENODE_RENEW_LEASE, &request, arena,
                                       dfs->call_timeout_ms, &response, NULL);
    if (status == OK) {
        const struct dfs_renew_lease_response *renewed = response;
        uint64_t lease_ms = renewed->lease_ms;
        if (lease_ms == 0 || lease_ms > DFS_LEASE_GUESS_MS * 1000u)
            lease_ms = DFS_LEASE_GUESS_MS;
        pause_ms = (int64_t)(lease_ms / RENEWALS_PER_LEASE) + 1;
    }
    arena_close(arena);
    return clock_monotonic_ms() + pause_ms;
}

static void keep_lease(void *argument)
{
    struct dfs *dfs = argument;
    /* The mutations that open a file renew the lease as well, so the first renewal has time. */
    int64_t due_ms = clock_monotonic_ms() + DFS_LEASE_GUESS_MS / RENEWALS_PER_LEASE;
    mutex_lock(dfs->mutex);
    while (!dfs->is_closing) {
        if (dfs->writers_open == 0) {
            condition_wait(dfs->condition, dfs->mutex);
            due_ms = clock_monotonic_ms() + DFS_LEASE_GUESS_MS / RENEWALS_PER_LEASE;
        } else if (clock_monotonic_ms() < due_ms) {
            (void)condition_wait_until(dfs->condition, dfs->mutex, due_ms); /* asked again above */
        } else {
            mutex_unlock(dfs->mutex);
            due_ms = renew(dfs);
            mutex_lock(dfs->mutex);
        }
    }
    mutex_unlock(dfs->mutex);
}

enum status dfs_lease_hold(struct dfs *dfs, struct error *reterr_error)
{
    enum status status = OK;
    mutex_lock(dfs->mutex);
    if (dfs->lease_thread == NULL)
        status = thread_open("dfs-lease", keep_lease, dfs, &dfs->lease_thread, reterr_error);
    if (status == OK && ++dfs->writers_open == 1)
        condition_broadcast(dfs->condition);
    mutex_unlock(dfs->mutex);
    return status;
}

void dfs_lease_release(struct dfs *dfs)
{
    mutex_lock(dfs->mutex);
    CHECK(dfs->writers_open > 0);
    dfs->writers_open--;
    mutex_unlock(dfs->mutex);
}

void dfs_lease_close(struct dfs *dfs)
{
    mutex_lock(dfs->mutex);
    CHECK(dfs->writers_open == 0);
    dfs->is_closing = true;
    condition_broadcast(dfs->condition);
    mutex_unlock(dfs->mutex);
    thread_join(dfs->lease_thread);
}
