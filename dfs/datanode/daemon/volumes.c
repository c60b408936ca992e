/*
 * volumes.c - see volumes.h.
 */
#include "dfs/datanode/daemon/volumes.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <string.h>

#include "lib/base/check.h"
#include "lib/base/mem.h"
#include "lib/os/file.h"
#include "lib/os/host.h"

struct volume_folder {
    const char *directory; /* in arena */
    struct store *store;   /* NULL: it could not be opened */
    struct store_identity identity;
    uint64_t device;
    uint64_t inode;
    atomic_bool is_usable;
    struct error failure; /* written before is_usable is cleared */
};

struct volumes {
    struct arena *arena;
    uint64_t node_id;
    struct volume_folder *folders;
    size_t count;
};

/* --- opening -----------------------------------------------------------------------------------
 */

static enum status open_folder(struct volume_folder *folder, struct error *reterr_error)
{
    struct store_settings store = {.directory = folder->directory};
    enum status status = store_open(&store, &folder->store, reterr_error);
    struct file_info info = {0};
    if (status == OK)
        status = file_info_get(folder->directory, true, &info, reterr_error);
    if (status == OK)
        status = store_identity_load(folder->store, &folder->identity, reterr_error);
    folder->device = info.device;
    folder->inode = info.inode;
    return status;
}

static enum status check_owner(const struct volumes *volumes,
                               const struct volume_folder *folder,
                               struct error *reterr_error)
{
    const struct store_identity *identity = &folder->identity;
    if (identity->node_id != 0 && identity->node_id != volumes->node_id)
        return error_set(reterr_error, ERR_FENCED,
                         "the blocks in %s belong to node %016" PRIx64 ", this is node %016" PRIx64
                         ": were the folders mixed up or copied?",
                         folder->directory, identity->node_id, volumes->node_id);
    return OK;
}

static enum status check_pair(const struct volume_folder *left,
                              const struct volume_folder *right,
                              struct error *reterr_error)
{
    if (left->device == right->device && left->inode == right->inode)
        return error_set(reterr_error, ERR_FENCED, "%s and %s are the same folder", left->directory,
                         right->directory);
    if (left->identity.volume_id != 0 && left->identity.volume_id == right->identity.volume_id)
        return error_set(reterr_error, ERR_FENCED,
                         "%s and %s are copies of each other (volume %016" PRIx64
                         "): remove one of them",
                         left->directory, right->directory, left->identity.volume_id);
    if (left->identity.cluster_id != 0 && right->identity.cluster_id != 0 &&
        left->identity.cluster_id != right->identity.cluster_id)
        return error_set(reterr_error, ERR_FENCED,
                         "%s belongs to cluster %016" PRIx64 ", %s to cluster %016" PRIx64
                         ": were the folders mixed up?",
                         left->directory, left->identity.cluster_id, right->directory,
                         right->identity.cluster_id);
    return OK;
}

static enum status check_owners(const struct volumes *volumes, struct error *reterr_error)
{
    enum status status = OK;
    for (size_t i = 0; i < volumes->count && status == OK; i++) {
        if (!atomic_load(&volumes->folders[i].is_usable))
            continue;
        status = check_owner(volumes, &volumes->folders[i], reterr_error);
        for (size_t j = 0; j < i && status == OK; j++) {
            if (atomic_load(&volumes->folders[j].is_usable))
                status = check_pair(&volumes->folders[j], &volumes->folders[i], reterr_error);
        }
    }
    return status;
}

static bool is_signed(const struct store_identity *identity, uint64_t cluster_id)
{
    return identity->node_id != 0 && identity->volume_id != 0 && identity->cluster_id == cluster_id;
}

static void fail_folder(struct volume_folder *folder, const struct error *error)
{
    folder->failure = *error;
    atomic_store(&folder->is_usable, false);
}

static enum status count_failures(const struct volumes *volumes,
                                  size_t tolerated,
                                  struct error *reterr_error)
{
    size_t failed = 0;
    const struct error *first = NULL;
    for (size_t i = 0; i < volumes->count; i++) {
        if (atomic_load(&volumes->folders[i].is_usable))
            continue;
        failed++;
        first = first == NULL ? &volumes->folders[i].failure : first;
    }
    if (failed <= tolerated && failed < volumes->count)
        return OK;
    return error_set(reterr_error, ERR_IO,
                     "%zu of %zu data folders cannot be used, %zu may "
                     "(datanode.volumes_tolerated): %s",
                     failed, volumes->count, tolerated, first == NULL ? "" : first->text);
}

static enum status open_folders(struct volumes *volumes,
                                const struct volumes_settings *settings,
                                struct error *reterr_error)
{
    for (size_t i = 0; i < volumes->count; i++) {
        struct volume_folder *folder = &volumes->folders[i];
        struct error error = {0};
        folder->directory = (const char *)arena_copy(volumes->arena, settings->directories[i]).data;
        atomic_store(&folder->is_usable, true);
        enum status status = open_folder(folder, &error);
        if (status == ERR_FENCED || status == ERR_UNSUPPORTED)
            return error_set(reterr_error, status, "%s", error.text);
        if (status != OK)
            fail_folder(folder, &error);
    }
    enum status status = check_owners(volumes, reterr_error);
    if (status != OK)
        return status;
    uint64_t cluster_id = volumes_cluster_id(volumes);
    for (size_t i = 0; i < volumes->count; i++) {
        struct volume_folder *folder = &volumes->folders[i];
        struct error error = {0};
        if (atomic_load(&folder->is_usable) && !is_signed(&folder->identity, cluster_id) &&
            volumes_sign(volumes, i, cluster_id, &error) != OK)
            fail_folder(folder, &error);
    }
    return count_failures(volumes, settings->tolerated, reterr_error);
}

enum status volumes_open(const struct volumes_settings *settings,
                         struct volumes **ret_volumes,
                         struct error *reterr_error)
{
    CHECK(settings->count >= 1);
    struct volumes *volumes = MEM_NEW(struct volumes);
    volumes->arena = arena_open(0);
    volumes->node_id = settings->node_id;
    volumes->count = settings->count;
    volumes->folders = mem_new(settings->count * sizeof(*volumes->folders));
    enum status status = open_folders(volumes, settings, reterr_error);
    if (status != OK) {
        volumes_close(volumes);
        return status;
    }
    *ret_volumes = volumes;
    return OK;
}

void volumes_close(struct volumes *volumes)
{
    if (volumes == NULL)
        return;
    for (size_t i = 0; i < volumes->count; i++)
        store_close(volumes->folders[i].store);
    mem_free(volumes->folders);
    arena_close(volumes->arena);
    mem_free(volumes);
}

/* --- looking in --------------------------------------------------------------------------------
 */

size_t volumes_count(const struct volumes *volumes)
{
    return volumes->count;
}

uint64_t volumes_cluster_id(const struct volumes *volumes)
{
    for (size_t i = 0; i < volumes->count; i++) {
        if (atomic_load(&volumes->folders[i].is_usable) &&
            volumes->folders[i].identity.cluster_id != 0)
            return volumes->folders[i].identity.cluster_id;
    }
    return 0;
}

const char *volumes_directory(const struct volumes *volumes, size_t index)
{
    CHECK(index < volumes->count);
    return volumes->folders[index].directory;
}

bool volumes_is_usable(const struct volumes *volumes, size_t index)
{
    CHECK(index < volumes->count);
    return atomic_load(&volumes->folders[index].is_usable);
}

const char *volumes_failure(const struct volumes *volumes, size_t index)
{
    return volumes_is_usable(volumes, index) ? "" : volumes->folders[index].failure.text;
}

enum status volumes_store(const struct volumes *volumes,
                          size_t index,
                          struct store **ret_store,
                          struct error *reterr_error)
{
    if (!volumes_is_usable(volumes, index))
        return error_set(reterr_error, ERR_IO, "%s has failed: %s",
                         volumes->folders[index].directory, volumes->folders[index].failure.text);
    *ret_store = volumes->folders[index].store;
    return OK;
}

/* On the core thread only, once for a volume. */
void volumes_retire(struct volumes *volumes, size_t index, struct slice why)
{
    struct error error = {0};
    enum status status = error_set(&error, ERR_IO, "%.*s", SLICE_ARGS(why));
    (void)status; /* is ERR_IO */
    if (volumes_is_usable(volumes, index))
        fail_folder(&volumes->folders[index], &error);
}

enum status volumes_space_get(const struct volumes *volumes,
                              size_t index,
                              struct store_space *ret_space,
                              struct error *reterr_error)
{
    struct store *store;
    struct store_space space = {0};
    struct file_info info = {0};
    enum status status = volumes_store(volumes, index, &store, reterr_error);
    if (status == OK)
        status = file_info_get(volumes->folders[index].directory, true, &info, reterr_error);
    if (status == OK && (info.device != volumes->folders[index].device ||
                         info.inode != volumes->folders[index].inode))
        status = error_set(reterr_error, ERR_NOT_FOUND,
                           "%s is another folder than before: was its disk unmounted?",
                           volumes->folders[index].directory);
    if (status == OK)
        status = store_space_get(store, &space, reterr_error);
    if (status != OK)
        return status;
    uint64_t sharers = 0;
    for (size_t i = 0; i < volumes->count; i++)
        sharers += volumes_is_usable(volumes, i) && volumes->folders[i].device == info.device;
    if (sharers > 1) {
        space.volume_bytes /= sharers;
        space.free_bytes /= sharers;
    }
    *ret_space = space;
    return OK;
}

enum status volumes_sign(struct volumes *volumes,
                         size_t index,
                         uint64_t cluster_id,
                         struct error *reterr_error)
{
    struct store *store;
    struct volume_folder *folder = &volumes->folders[index];
    enum status status = volumes_store(volumes, index, &store, reterr_error);
    if (status != OK)
        return status;
    struct store_identity identity = {.node_id = volumes->node_id,
                                      .cluster_id = cluster_id,
                                      .volume_id = folder->identity.volume_id};
    if (identity.volume_id == 0)
        identity.volume_id = host_random_u64();
    status = store_identity_save(store, &identity, reterr_error);
    if (status == OK)
        folder->identity = identity;
    return status;
}

/* --- where a block is --------------------------------------------------------------------------
 */

/*
 * Each volume is asked in turn instead of a table being kept: a name in blocks/ is the only truth,
 * and one that is not there costs a look into the kernel's cache of names.
 */
enum status volumes_reader_open(const struct volumes *volumes,
                                uint64_t block_id,
                                struct store_reader **ret_reader,
                                size_t *ret_index,
                                struct error *reterr_error)
{
    enum status status =
        error_set(reterr_error, ERR_NOT_FOUND, "block %016" PRIx64 " is not here", block_id);
    for (size_t i = 0; i < volumes->count && status == ERR_NOT_FOUND; i++) {
        if (!volumes_is_usable(volumes, i))
            continue;
        *ret_index = i;
        status = store_reader_open(volumes->folders[i].store, block_id, ret_reader, reterr_error);
    }
    return status;
}

enum status volumes_open_file(const struct volumes *volumes,
                              uint64_t block_id,
                              bool is_sidecar,
                              struct file **ret_file,
                              size_t *ret_index,
                              struct error *reterr_error)
{
    enum status status =
        error_set(reterr_error, ERR_NOT_FOUND, "block %016" PRIx64 " is not here", block_id);
    for (size_t i = 0; i < volumes->count && status == ERR_NOT_FOUND; i++) {
        if (!volumes_is_usable(volumes, i))
            continue;
        *ret_index = i;
        status = store_open_file(volumes->folders[i].store, block_id, is_sidecar, ret_file,
                                 reterr_error);
    }
    return status;
}
