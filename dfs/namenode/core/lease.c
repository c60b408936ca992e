/*
 * lease.c - who is writing: one lease per client, holding the client's files under construction.
 * Owns namenode->leases. A lease exists while it holds a file. Times are monotonic and not
 * journaled; a restart gives every lease its full time again. After lease_ms of silence another
 * client may take a file over, after lease_hard_ms the files end by themselves.
 * Invariant: NN-4.
 */
#include "dfs/namenode/core/state.h"
#include "lib/base/check.h"
#include "lib/base/mem.h"

void namenode_lease_add(struct namenode *nn, struct inode *file, uint64_t client_id)
{
    struct lease *lease = map_u64_get(nn->leases, client_id);
    if (lease == NULL) {
        lease = MEM_NEW(struct lease);
        lease->client_id = client_id;
        lease->timer.kind = TIMER_LEASE;
        lease->timer.object = lease;
        CHECK(map_u64_put(nn->leases, client_id, lease) == NULL);
        if (nn->mode != MODE_REPLAY) {
            lease->due_ms = nn->now_ms + nn->settings.lease_hard_ms;
            namenode_timer_set(nn, &lease->timer, lease->due_ms);
        }
    }
    CHECK(file->lease == NULL);
    file->lease = lease;
    list_append(&lease->files, &file->in_lease, file);
}

void namenode_lease_remove(struct namenode *nn, struct inode *file)
{
    struct lease *lease = file->lease;
    CHECK(lease != NULL);
    list_remove(&file->in_lease);
    file->lease = NULL;
    if (lease->files.count == 0) {
        namenode_timer_clear(nn, &lease->timer);
        CHECK(map_u64_remove(nn->leases, lease->client_id) == lease);
        mem_free(lease);
    }
}

void namenode_lease_renew(struct namenode *nn, uint64_t client_id)
{
    struct lease *lease = map_u64_get(nn->leases, client_id);
    if (lease != NULL) {
        lease->due_ms = nn->now_ms + nn->settings.lease_hard_ms;
        namenode_timer_set(nn, &lease->timer, lease->due_ms);
    }
}

/*
 * The writer is gone, and nothing was promised to it yet: what it wrote goes, what it would have
 * replaced or appended to stays. A part of a file must not pass for the whole.
 */
static void end_file(struct namenode *nn, struct inode *file)
{
    NAMENODE_TRACE(nn, "lease end file=%llu abandoned", (unsigned long long)file->id);
    if (namenode_inode_is_doomed(nn, file)) {
        namenode_inode_remove(nn, file); /* its directory's record says so already */
        return;
    }
    namenode_remove_journaled(nn, file);
}

void namenode_lease_expired(struct namenode *nn, struct lease *lease)
{
    if (nn->mode != MODE_OPEN) { /* nothing may change yet */
        lease->due_ms = nn->now_ms + nn->settings.lease_hard_ms;
        namenode_timer_set(nn, &lease->timer, lease->due_ms);
        return;
    }
    NAMENODE_TRACE(nn, "lease expired client=%llu", (unsigned long long)lease->client_id);
    /* The lease goes with its last file. */
    for (size_t left = lease->files.count; left > 0; left--) {
        end_file(nn, lease->files.first->object);
    }
}

static void fail_busy(struct namenode *nn, const struct inode *writing)
{
    struct slice path = namenode_inode_path(writing, nn->actions->arena);
    int64_t silent_ms = nn->now_ms - (writing->lease->due_ms - nn->settings.lease_hard_ms);
    namenode_fail(nn, ERR_BUSY,
                  "%.*s is being %s by %.*s (client %016llx, last heard of %lld ms ago)",
                  SLICE_ARGS(path), writing->is_append ? "appended to" : "written",
                  SLICE_ARGS(writing->owner), (unsigned long long)writing->lease->client_id,
                  (long long)silent_ms);
}

bool namenode_lease_take_over(struct namenode *nn, struct inode *writing, uint64_t client_id)
{
    int64_t heard_ms = writing->lease->due_ms - nn->settings.lease_hard_ms;
    bool is_silent = nn->now_ms - heard_ms >= nn->settings.lease_ms;
    if (!is_silent || writing->lease->client_id == client_id ||
        !namenode_access_allows(nn, writing, ACCESS_WRITE)) {
        fail_busy(nn, writing);
        return false;
    }
    NAMENODE_TRACE(nn, "lease taken over client=%llu file=%llu", (unsigned long long)client_id,
                   (unsigned long long)writing->id);
    end_file(nn, writing);
    return true;
}

bool namenode_lease_is_free(struct namenode *nn, const struct inode *file)
{
    const struct inode *writing = file;
    if (file->state == INODE_INSTALLED) {
        writing =
            file->parent == NULL ? NULL : namenode_inode_writing(nn, file->parent, file->name);
    }
    if (writing != NULL) {
        fail_busy(nn, writing);
    }
    return writing == NULL;
}

void namenode_renew_lease(struct namenode *nn, const struct dfs_renew_lease_request *request)
{
    namenode_lease_renew(nn, request->client_id);
    struct dfs_renew_lease_response response = {.lease_ms = (uint64_t)nn->settings.lease_ms};
    namenode_reply(nn, &response);
}
