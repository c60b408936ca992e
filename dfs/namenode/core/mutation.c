/*
 * mutation.c - results of mutations, remembered so that a retry is answered the same.
 * Owns namenode->mutations and its order, oldest first. Remembered results are journaled; they are
 * forgotten after mutation_keep_ms on the monotonic clock, which a restart begins anew, or when
 * there are mutations_max younger ones. Not by the wall clock: one that jumps forwards would have a
 * repeated call executed twice.
 * Invariant: NN-11.
 */
#include <string.h>

#include "dfs/namenode/core/state.h"
#include "lib/base/check.h"
#include "lib/base/mem.h"
#include "lib/model/message.h"

struct mutation_key {
    uint64_t ids[2];
};

static struct slice make_key(struct mutation_key *key, uint64_t client_id, uint64_t request_id)
{
    key->ids[0] = client_id;
    key->ids[1] = request_id;
    return slice_make(key->ids, sizeof(key->ids));
}

static void forget(struct namenode *nn, struct mutation *mutation)
{
    struct mutation_key key;
    struct slice name = make_key(&key, mutation->client_id, mutation->request_id);
    CHECK(map_remove(nn->mutations, name) == mutation);
    list_remove(&mutation->in_order);
    mem_free(mutation);
}

static void answer_again(struct namenode *nn, const struct mutation *mutation)
{
    if (mutation->method != nn->event->method) {
        namenode_fail(nn, ERR_INVALID, "request %llu of this client was %s",
                      (unsigned long long)mutation->request_id,
                      method_info(mutation->method)->name);
        return;
    }
    NAMENODE_TRACE(nn, "answer again client=%llu request=%llu",
                   (unsigned long long)mutation->client_id,
                   (unsigned long long)mutation->request_id);
    switch ((int)mutation->method) {
    case METHOD_NAMENODE_CREATE:
        namenode_reply_create(nn, mutation->value);
        return;
    case METHOD_NAMENODE_APPEND:
        namenode_reply_append(nn, mutation->value);
        return;
    case METHOD_NAMENODE_COMPLETE:
        namenode_reply_complete(nn, mutation->value);
        return;
    case METHOD_NAMENODE_FENCE_OUTPUT: /* from the fence: a publish may have come between */
        namenode_reply_fenced(nn, nn->event->message);
        return;
    default: /* the others say only that it was done */
        namenode_reply(
            nn, arena_new(nn->actions->arena, method_info(mutation->method)->response->size + 1));
        return;
    }
}

static bool ids_are_missing(struct namenode *nn, uint64_t client_id, uint64_t request_id)
{
    if (client_id != 0 && request_id != 0) {
        return false;
    }
    namenode_fail(nn, ERR_INVALID, "a mutation needs client_id and request_id");
    return true;
}

static bool is_safe_mode(struct namenode *nn)
{
    if (nn->mode == MODE_OPEN) {
        return false;
    }
    namenode_fail(nn, ERR_SAFE_MODE, "safe mode: %.*s", SLICE_ARGS(namenode_safe_mode_reason(nn)));
    return true;
}

bool namenode_mutation_is_refused(struct namenode *nn, uint64_t client_id, uint64_t request_id)
{
    if (ids_are_missing(nn, client_id, request_id)) {
        return true;
    }
    namenode_lease_renew(nn, client_id);
    return is_safe_mode(nn);
}

bool namenode_mutation_is_answered(struct namenode *nn, uint64_t client_id, uint64_t request_id)
{
    if (ids_are_missing(nn, client_id, request_id)) {
        return true;
    }
    namenode_lease_renew(nn, client_id);
    struct mutation_key key;
    const struct mutation *known = map_get(nn->mutations, make_key(&key, client_id, request_id));
    if (known != NULL) {
        answer_again(nn, known);
        return true;
    }
    return is_safe_mode(nn);
}

static void remember(struct namenode *nn,
                     uint64_t client_id,
                     uint64_t request_id,
                     enum method method,
                     uint64_t value,
                     uint64_t wall_ms)
{
    struct mutation *mutation = MEM_NEW(struct mutation);
    mutation->client_id = client_id;
    mutation->request_id = request_id;
    mutation->method = method;
    mutation->value = value;
    mutation->wall_ms = wall_ms;
    mutation->known_ms = nn->now_ms;
    struct mutation_key key;
    CHECK(map_put(nn->mutations, make_key(&key, client_id, request_id), mutation) == NULL);
    list_append(&nn->mutation_order, &mutation->in_order, mutation);
    if (nn->mutation_order.count > nn->settings.mutations_max) {
        forget(nn, nn->mutation_order.first->object);
    }
}

void namenode_mutation_done(struct namenode *nn,
                            uint64_t client_id,
                            uint64_t request_id,
                            uint64_t value)
{
    enum method method = nn->event->method;
    remember(nn, client_id, request_id, method, value, nn->wall_ms);
    struct journal_mutation_done record = {
        .client_id = client_id,
        .request_id = request_id,
        .method = slice_from_string(method_info(method)->path),
        .value = value,
        .wall_ms = nn->wall_ms,
    };
    actions_journal(nn->actions, &journal_mutation_done_type, &record);
}

void namenode_mutation_restore(struct namenode *nn, const struct journal_mutation_done *record)
{
    enum method method = METHOD_COUNT;
    struct mutation_key key;
    struct slice name = make_key(&key, record->client_id, record->request_id);
    /* A method of a newer namenode cannot be answered here. */
    if (method_from_path(record->method, &method) && map_get(nn->mutations, name) == NULL) {
        remember(nn, record->client_id, record->request_id, method, record->value, record->wall_ms);
    }
}

void namenode_mutation_expire(struct namenode *nn)
{
    while (nn->mutation_order.first != NULL) {
        struct mutation *oldest = nn->mutation_order.first->object;
        if (nn->now_ms - oldest->known_ms < nn->settings.mutation_keep_ms) {
            return;
        }
        forget(nn, oldest);
    }
}
