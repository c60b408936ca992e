/*
 * publish.c - the output of jobs: fences and the transaction that installs it.
 * Everything is verified before anything is changed, so a publish happens in one step's records or
 * not at all. Owns namenode->fences.
 */
#include <string.h>

#include "dfs/namenode/core/state.h"
#include "lib/base/check.h"
#include "lib/base/mem.h"
#include "lib/model/path.h"

enum {
    PUBLISHED_PERMISSION = 0755,
    SUCCESS_PERMISSION = 0644,
    KEY_BYTES_MAX = 255,
};

static const char success_name[] = "_SUCCESS";

/* --- fences -------------------------------------------------------------------------- */

static struct fence *fence_new(struct namenode *nn, struct slice key)
{
    struct fence *fence = MEM_NEW(struct fence);
    uint8_t *copy = mem_new(key.length + 1);
    memcpy(copy, key.data, key.length);
    fence->key = slice_make(copy, key.length);
    CHECK(map_put(nn->fences, fence->key, fence) == NULL);
    list_append(&nn->fence_order, &fence->in_order, fence);
    return fence;
}

void namenode_fence_set(struct namenode *nn, struct slice key, uint64_t epoch, bool is_published)
{
    struct fence *fence = map_get(nn->fences, key);
    if (fence == NULL) {
        fence = fence_new(nn, key);
    }
    fence->epoch = epoch;
    fence->is_published = is_published;
    if (nn->fence_order.count > nn->settings.fences_max) {
        struct fence *oldest = list_pop(&nn->fence_order);
        CHECK(map_remove(nn->fences, oldest->key) == oldest);
        mem_free((void *)(uintptr_t)oldest->key.data);
        mem_free(oldest);
    }
}

/* False and the call failed: no key, or a newer epoch has been seen. */
static bool fence_lets_pass(struct namenode *nn, struct slice key, uint64_t epoch)
{
    if (key.length == 0 || key.length > KEY_BYTES_MAX) {
        namenode_fail(nn, ERR_INVALID, "a key has 1 to %d bytes", (int)KEY_BYTES_MAX);
        return false;
    }
    const struct fence *fence = map_get(nn->fences, key);
    if (fence != NULL && fence->epoch > epoch) {
        NAMENODE_TRACE(nn, "fenced key=%.*s epoch=%llu", SLICE_ARGS(key),
                       (unsigned long long)epoch);
        namenode_fail(nn, ERR_FENCED, "%.*s is fenced at epoch %llu", SLICE_ARGS(key),
                      (unsigned long long)fence->epoch);
        return false;
    }
    return true;
}

static bool is_published(const struct namenode *nn, struct slice key)
{
    const struct fence *fence = map_get(nn->fences, key);
    return fence != NULL && fence->is_published;
}

static void raise_fence(struct namenode *nn, struct slice key, uint64_t epoch, bool publishes)
{
    const struct fence *fence = map_get(nn->fences, key);
    bool was_published = fence != NULL && fence->is_published;
    if (fence == NULL || fence->epoch != epoch || (publishes && !was_published)) {
        namenode_fence_set(nn, key, epoch, publishes || was_published);
        namenode_record_fence(nn, key, epoch, publishes || was_published);
    }
}

/* Its answer is made from the fence, also for a repetition: a publish may have come between. */
void namenode_fence_output(struct namenode *nn, const struct dfs_fence_output_request *request)
{
    if (namenode_mutation_is_answered(nn, request->client_id, request->request_id) ||
        !fence_lets_pass(nn, request->key, request->epoch)) {
        return;
    }
    raise_fence(nn, request->key, request->epoch, false);
    namenode_mutation_done(nn, request->client_id, request->request_id, 0);
    namenode_reply_fenced(nn, request);
}

void namenode_reply_fenced(struct namenode *nn, const struct dfs_fence_output_request *request)
{
    namenode_reply(
        nn, &(struct dfs_fence_output_response){.is_published = is_published(nn, request->key)});
}

/* --- verification -------------------------------------------------------------------- */

struct publish {
    const struct dfs_publish_output_request *request;
    struct target destination;
    struct inode *staging;  /* NULL: none to remove */
    struct inode **sources; /* one per entry */
};

static bool verify_destination(struct namenode *nn, struct publish *publish)
{
    struct slice path = publish->request->destination;
    struct target *target = &publish->destination;
    if (!namenode_path_resolve(nn, path, true, target)) {
        return false;
    }
    if (target->installed != NULL || target->writing != NULL) {
        namenode_fail(nn, ERR_EXISTS, "%.*s exists", SLICE_ARGS(path));
        return false;
    }
    size_t added = target->missing + 1 + (publish->request->write_success ? 1 : 0);
    return namenode_access_check(nn, target->deepest, ACCESS_WRITE | ACCESS_EXECUTE) &&
           namenode_has_room(nn, added);
}

static bool verify_staging(struct namenode *nn, struct publish *publish)
{
    struct slice path = publish->request->staging;
    struct target target;
    if (path.length == 0) {
        return true;
    }
    if (!namenode_path_resolve(nn, path, true, &target)) {
        return false;
    }
    struct inode *staging = target.installed != NULL ? target.installed : target.writing;
    if (staging == NULL) {
        return true; /* nothing to remove */
    }
    if (!namenode_inode_is_directory(staging)) {
        namenode_fail(nn, ERR_NOT_DIRECTORY, "%.*s is a file", SLICE_ARGS(path));
        return false;
    }
    if (staging->parent == NULL || namenode_inode_is_below(publish->destination.deepest, staging)) {
        namenode_fail(nn, ERR_INVALID, "%.*s holds the destination", SLICE_ARGS(path));
        return false;
    }
    unsigned all = ACCESS_READ | ACCESS_WRITE | ACCESS_EXECUTE;
    publish->staging = staging;
    return namenode_access_check_removal(nn, staging) &&
           namenode_access_check_below(nn, staging, all, true);
}

/* The file that entry names, if it is the one that was meant. NULL: failed. */
static struct inode *verify_source(struct namenode *nn, const struct dfs_publish_entry *entry)
{
    struct target target;
    struct inode *file = namenode_path_find(nn, entry->source, &target);
    if (file == NULL) {
        return NULL;
    }
    bool is_meant = file->kind == FILE_REGULAR && file->state == INODE_INSTALLED &&
                    file->id == entry->file_id && file->length == entry->length;
    if (!is_meant) {
        namenode_fail(nn, ERR_BAD_TRANSITION, "%.*s is not the complete file %llu of %llu bytes",
                      SLICE_ARGS(entry->source), (unsigned long long)entry->file_id,
                      (unsigned long long)entry->length);
        return NULL;
    }
    return namenode_lease_is_free(nn, file) && namenode_access_check_removal(nn, file) ? file
                                                                                       : NULL;
}

static bool verify_entries_with(struct namenode *nn,
                                struct publish *publish,
                                struct map *names,
                                struct map_u64 *ids)
{
    for (size_t i = 0; i < publish->request->entries_count; i++) {
        const struct dfs_publish_entry *entry = &publish->request->entries[i];
        bool is_taken =
            publish->request->write_success && slice_equal_string(entry->name, success_name);
        if (path_check_name(entry->name, NULL) != OK || is_taken ||
            map_get(names, entry->name) != NULL || map_u64_get(ids, entry->file_id) != NULL) {
            namenode_fail(nn, ERR_INVALID, "entry %zu: \"%.*s\" is no name, or given twice", i,
                          SLICE_ARGS(entry->name));
            return false;
        }
        publish->sources[i] = verify_source(nn, entry);
        if (publish->sources[i] == NULL) {
            return false;
        }
        (void)map_put(names, entry->name, publish->sources[i]);      /* it was absent */
        (void)map_u64_put(ids, entry->file_id, publish->sources[i]); /* it was absent */
    }
    return true;
}

static bool verify_entries(struct namenode *nn, struct publish *publish)
{
    size_t count = publish->request->entries_count;
    if (count > LIMIT_PUBLISH_ENTRIES) {
        namenode_fail(nn, ERR_LIMIT, "at most %d files are published at once",
                      (int)LIMIT_PUBLISH_ENTRIES);
        return false;
    }
    publish->sources = ARENA_ARRAY(nn->actions->arena, struct inode *, count + 1);
    struct map *names = map_open();
    struct map_u64 *ids = map_u64_open();
    bool is_verified = verify_entries_with(nn, publish, names, ids);
    map_u64_close(ids);
    map_close(names);
    return is_verified;
}

static bool quota_admits(struct namenode *nn,
                         const struct publish *publish,
                         const struct inode *directory)
{
    const struct dfs_publish_output_request *request = publish->request;
    size_t made = publish->destination.missing + 1 + (request->write_success ? 1 : 0);
    int64_t names = (int64_t)made;
    int64_t bytes = 0;
    bool holds_staging =
        publish->staging != NULL && namenode_inode_is_below(publish->staging, directory);
    if (holds_staging) {
        struct usage usage = namenode_quota_usage(nn, publish->staging);
        names -= (int64_t)usage.names;
        bytes -= (int64_t)usage.bytes;
    }
    for (size_t i = 0; i < request->entries_count; i++) {
        const struct inode *source = publish->sources[i];
        bool is_counted = namenode_inode_is_below(source, directory) &&
                          !(holds_staging && namenode_inode_is_below(source, publish->staging));
        names += is_counted ? 0 : 1;
        bytes += is_counted ? 0 : (int64_t)namenode_inode_space(source);
    }
    return namenode_quota_admits(nn, directory, names, bytes);
}

static bool quotas_allow(struct namenode *nn, const struct publish *publish)
{
    const struct inode *at = namenode_quota_above(nn, publish->destination.deepest);
    for (; at != NULL; at = namenode_quota_above(nn, at->parent)) {
        if (!quota_admits(nn, publish, at)) {
            return false;
        }
    }
    return true;
}

/* --- the transaction ----------------------------------------------------------------- */

static void move_sources(struct namenode *nn,
                         const struct publish *publish,
                         struct inode *directory)
{
    struct inode *touched = NULL;
    for (size_t i = 0; i < publish->request->entries_count; i++) {
        struct inode *file = publish->sources[i];
        struct inode *from = file->parent;
        namenode_inode_detach(nn, file);
        namenode_inode_set_name(file, publish->request->entries[i].name);
        namenode_inode_attach(nn, file, directory);
        namenode_record_inode(nn, file);
        bool is_kept = publish->staging == NULL || !namenode_inode_is_below(from, publish->staging);
        if (is_kept && from != touched) {
            namenode_inode_touch(nn, from);
            touched = from;
        }
    }
}

static void add_success(struct namenode *nn, struct inode *directory)
{
    struct inode *file = namenode_inode_new(nn, namenode_new_id(nn), FILE_REGULAR);
    file->state = namenode_transition(&namenode_inode_table, file->state, INODE_INSTALL);
    namenode_inode_set_name(file, slice_from_string(success_name));
    file->permission = SUCCESS_PERMISSION;
    file->owner = namenode_intern(nn, nn->event->user);
    file->group = directory->group;
    file->modified_ms = nn->wall_ms;
    file->accessed_ms = nn->wall_ms;
    file->replication = nn->settings.replication;
    file->block_size = nn->settings.block_size;
    namenode_inode_attach(nn, file, directory);
    namenode_record_inode(nn, file);
}

static uint64_t install(struct namenode *nn, const struct publish *publish)
{
    const struct dfs_publish_output_request *request = publish->request;
    uint32_t permission = request->permission & LIMIT_PERMISSION;
    permission = permission == 0 ? PUBLISHED_PERMISSION : permission;
    struct inode *parent = namenode_make_parents(nn, &publish->destination, PUBLISHED_PERMISSION);
    namenode_inode_touch(nn, parent);
    struct inode *directory =
        namenode_make_directory(nn, parent, publish->destination.name, permission);
    move_sources(nn, publish, directory);
    if (request->write_success) {
        add_success(nn, directory);
    }
    if (publish->staging != NULL) {
        struct inode *holder = publish->staging->parent;
        namenode_remove_journaled(nn, publish->staging);
        namenode_inode_touch(nn, holder);
    }
    return directory->id;
}

void namenode_publish_output(struct namenode *nn, const struct dfs_publish_output_request *request)
{
    if (namenode_mutation_is_answered(nn, request->client_id, request->request_id) ||
        !fence_lets_pass(nn, request->key, request->epoch)) {
        return;
    }
    struct publish publish = {.request = request};
    if (!verify_destination(nn, &publish) || !verify_staging(nn, &publish) ||
        !verify_entries(nn, &publish) || !quotas_allow(nn, &publish)) {
        return;
    }
    raise_fence(nn, request->key, request->epoch, true);
    uint64_t directory_id = install(nn, &publish);
    NAMENODE_TRACE(nn, "published key=%.*s epoch=%llu entries=%zu", SLICE_ARGS(request->key),
                   (unsigned long long)request->epoch, request->entries_count);
    namenode_mutation_done(nn, request->client_id, request->request_id, directory_id);
    namenode_reply(nn, &(struct dfs_publish_output_response){0});
}
