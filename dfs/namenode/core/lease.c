/*
 * lease.c - who is writing: one lease per client, holding the client's files under construction.
 * Owns namenode->leases. A lease exists while it holds a file. Leases are not journaled; a restart
 * gives every one its full time again.
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
            lease->due_ms = nn->now_ms + nn->settings.lease_ms;
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
        lease->due_ms = nn->now_ms + nn->settings.lease_ms;
        namenode_timer_set(nn, &lease->timer, lease->due_ms);
    }
}

/* The writer is gone: what it sealed stays, what it would have replaced stays rather. */
static void end_file(struct namenode *nn, struct inode *file)
{
    bool has_older = namenode_inode_installed(nn, file->parent, file->name) != NULL;
    if (file->sealed_count > 0 && !has_older) {
        NAMENODE_TRACE(nn, "lease end file=%llu completed", (unsigned long long)file->id);
        namenode_finish_file(nn, file);
        return;
    }
    NAMENODE_TRACE(nn, "lease end file=%llu abandoned", (unsigned long long)file->id);
    namenode_remove_journaled(nn, file);
}

void namenode_lease_expired(struct namenode *nn, struct lease *lease)
{
    if (nn->mode != MODE_OPEN) { /* nothing may change yet */
        lease->due_ms = nn->now_ms + nn->settings.lease_ms;
        namenode_timer_set(nn, &lease->timer, lease->due_ms);
        return;
    }
    NAMENODE_TRACE(nn, "lease expired client=%llu", (unsigned long long)lease->client_id);
    /* The lease goes with its last file. */
    for (size_t left = lease->files.count; left > 0; left--) {
        end_file(nn, lease->files.first->object);
    }
}

void namenode_renew_lease(struct namenode *nn, const struct dfs_renew_lease_request *request)
{
    namenode_lease_renew(nn, request->client_id);
    struct dfs_renew_lease_response response = {.lease_ms = (uint64_t)nn->settings.lease_ms};
    namenode_reply(nn, &response);
}
