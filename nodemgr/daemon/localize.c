/*
 * localize.c - brings files of the filesystem into a container's working folder. A file is fetched
 * once per application, whatever number of containers ask for it at the same time, under a
 * temporary name that becomes the real one when it is whole; containers get a hard link.
 */
#include <inttypes.h>
#include <stdio.h>

#include "dfs/client/dfs.h"
#include "lib/base/check.h"
#include "lib/base/mem.h"
#include "lib/daemon/log.h"
#include "lib/daemon/shell.h"
#include "lib/daemon/workers.h"
#include "lib/model/ids.h"
#include "lib/model/limits.h"
#include "lib/model/message.h"
#include "lib/os/directory.h"
#include "lib/os/file.h"
#include "lib/os/thread.h"
#include "nodemgr/daemon/nodemgr_daemon.h"

enum {
    COPY_BYTES = 1024 * 1024,
    /* Containers may run it but not change what the others see. */
    RESOURCE_PERMISSION = 0555
};

struct localize_job {
    struct nodemgr_daemon *self;
    uint64_t tag;
    struct arena *arena; /* owns the job */
    struct container_id container;
    struct slice user;
    struct rm_launch_spec launch; /* only its resources */
};

/* --- fetches in progress ---------------------------------------------------------------------- */
void nodemgr_fetches_open(struct nodemgr_fetches *fetches)
{
    *fetches = (struct nodemgr_fetches){
        .mutex = mutex_open(),
        .changed = condition_open(),
        .running = map_open(),
        .clients = map_open(),
    };
}

void nodemgr_fetches_stop(struct nodemgr_fetches *fetches)
{
    mutex_lock(fetches->mutex);
    fetches->is_stopping = true;
    size_t cursor = 0;
    void *dfs;
    while (map_next(fetches->clients, &cursor, NULL, &dfs))
        dfs_cancel(dfs);
    condition_broadcast(fetches->changed);
    mutex_unlock(fetches->mutex);
}

void nodemgr_fetches_close(struct nodemgr_fetches *fetches)
{
    map_close(fetches->running);
    map_close(fetches->clients);
    condition_close(fetches->changed);
    mutex_close(fetches->mutex);
}

static struct slice address_key(struct dfs *const *dfs)
{
    return slice_make(dfs, sizeof(*dfs));
}

/* False: the daemon stops, do not begin. */
static bool client_add(struct nodemgr_fetches *fetches, struct dfs *dfs)
{
    mutex_lock(fetches->mutex);
    bool may_begin = !fetches->is_stopping;
    if (may_begin)
        (void)map_put(fetches->clients, address_key(&dfs), dfs); /* its address is its own */
    mutex_unlock(fetches->mutex);
    return may_begin;
}

static void client_remove(struct nodemgr_fetches *fetches, struct dfs *dfs)
{
    mutex_lock(fetches->mutex);
    (void)map_remove(fetches->clients, address_key(&dfs)); /* absent when it was refused */
    mutex_unlock(fetches->mutex);
}

/* Waits while somebody else fetches path; true: it is there now, false: the caller is to fetch it.
 */
static bool fetch_begin(struct nodemgr_fetches *fetches, const char *path)
{
    struct slice key = slice_from_string(path);
    struct file_info info;
    mutex_lock(fetches->mutex);
    while (map_get(fetches->running, key) != NULL)
        condition_wait(fetches->changed, fetches->mutex);
    bool is_there = file_info_get(path, false, &info, NULL) == OK;
    if (!is_there)
        (void)map_put(fetches->running, key, fetches); /* absent, as was just seen */
    mutex_unlock(fetches->mutex);
    return is_there;
}

static void fetch_end(struct nodemgr_fetches *fetches, const char *path)
{
    mutex_lock(fetches->mutex);
    (void)map_remove(fetches->running, slice_from_string(path)); /* put by fetch_begin */
    condition_broadcast(fetches->changed);
    mutex_unlock(fetches->mutex);
}

/* --- one file --------------------------------------------------------------------------------- */
static enum status copy_all(struct dfs_reader *reader,
                            struct file *file,
                            struct error *reterr_error)
{
    uint64_t offset = 0;
    uint8_t *block = mem_new(COPY_BYTES);
    enum status status = OK;
    for (size_t got = 1; status == OK && got > 0; offset += got) {
        status = dfs_reader_pread(reader, offset, block, COPY_BYTES, &got, reterr_error);
        if (status == OK)
            status = file_write_at(file, offset, slice_make(block, got), reterr_error);
    }
    mem_free(block);
    return status;
}

static enum status download(struct dfs *dfs,
                            const struct rm_local_resource *resource,
                            const char *destination,
                            struct error *reterr_error)
{
    struct dfs_reader *reader = NULL;
    struct file *file = NULL;
    char temporary[4096];
    if (snprintf(temporary, sizeof(temporary), "%s.tmp", destination) >= (int)sizeof(temporary))
        return error_set(reterr_error, ERR_LIMIT, "%s: the path is too long", destination);
    enum status status = dfs_reader_open(dfs, resource->path, 0, 0, &reader, reterr_error);
    if (status != OK)
        return status;
    if (dfs_reader_length(reader) != resource->length ||
        dfs_reader_file_id(reader) != resource->file_id)
        status = error_set(reterr_error, ERR_STALE, "it was replaced since the job was submitted");
    if (status == OK)
        status = file_open(temporary, FILE_MODE_TRUNCATE, FILE_PRIVATE, &file, reterr_error);
    if (status == OK)
        status = copy_all(reader, file, reterr_error);
    file_close(file);
    dfs_reader_close(reader);
    if (status == OK)
        status = file_set_permission(temporary, RESOURCE_PERMISSION, reterr_error);
    if (status == OK)
        status = file_rename(temporary, destination, reterr_error);
    return status;
}

/* A submitter who named only the path gets what is there now. */
static enum status complete_resource(struct dfs *dfs,
                                     struct arena *arena,
                                     struct rm_local_resource *resource,
                                     struct error *reterr_error)
{
    struct dfs_file_status found;
    if (resource->file_id != 0)
        return OK;
    enum status status = dfs_get_status(dfs, resource->path, arena, &found, reterr_error);
    if (status != OK)
        return status;
    resource->file_id = found.file_id;
    resource->length = found.length;
    if (found.length > LIMIT_LOCAL_RESOURCE_BYTES)
        return error_set(reterr_error, ERR_LIMIT, "it is too large for a local resource");
    return OK;
}

static enum status localize_one(struct localize_job *job,
                                struct dfs *dfs,
                                struct rm_local_resource resource,
                                struct error *reterr_error)
{
    struct nodemgr_daemon *self = job->self;
    const char *folder = nodemgr_folders_resources(&self->folders, job->arena, job->container.app);
    const char *work = nodemgr_folders_work(&self->folders, job->arena, job->container);
    enum status status = complete_resource(dfs, job->arena, &resource, reterr_error);
    if (status == OK) {
        struct slice cached = arena_format(job->arena, "%s/%016" PRIx64 "-%" PRIu64, folder,
                                           resource.file_id, resource.length);
        const char *path = (const char *)cached.data;
        if (!fetch_begin(&self->fetches, path)) {
            status = download(dfs, &resource, path, reterr_error);
            fetch_end(&self->fetches, path);
        }
        const char *name = (const char *)arena_copy(job->arena, resource.name).data;
        if (status == OK)
            status = file_link(path, path_join(job->arena, work, name), reterr_error);
    }
    if (status != OK)
        return error_prefix(reterr_error, status, "%.*s", SLICE_ARGS(resource.path));
    return OK;
}

/* --- one container ---------------------------------------------------------------------------- */
static enum status localize_all(struct localize_job *job, struct error *reterr_error)
{
    struct nodemgr_daemon *self = job->self;
    struct dfs_settings settings = {.host = daemon_host(self->daemon)};
    struct dfs *dfs = NULL;
    enum status status =
        daemon_find(self->daemon, "namenode", job->arena, &settings.namenode_address, reterr_error);
    if (status == OK)
        status =
            nodemgr_daemon_user_token(self, job->user, job->arena, &settings.token, reterr_error);
    if (status == OK)
        status = dfs_open(&settings, &dfs, reterr_error);
    if (status != OK)
        return status;
    if (!client_add(&self->fetches, dfs))
        status = error_set(reterr_error, ERR_CANCELLED, "the node manager is stopping");
    for (size_t i = 0; i < job->launch.resources_count && status == OK; i++)
        status = localize_one(job, dfs, job->launch.resources[i], reterr_error);
    client_remove(&self->fetches, dfs);
    dfs_close(dfs);
    return status;
}

static void localize_run(void *argument)
{
    struct localize_job *job = argument;
    struct error error = {.status = OK};
    enum status status =
        nodemgr_folders_prepare(&job->self->folders, job->container, job->user, &error);
    if (status == OK && job->launch.resources_count > 0)
        status = localize_all(job, &error);
    if (status != OK)
        log_event(daemon_log(job->self->daemon), LOG_LEVEL_WARN, "localize_failed",
                  log_text("container", container_id_text(job->container).text),
                  log_text("error", error.text));
    shell_effect_done(daemon_shell(job->self->daemon), job->tag, NODEMGR_LOCALIZE, status,
                      slice_from_string(error.text), NULL, NULL);
    arena_close(job->arena);
}

void nodemgr_localize_post(struct nodemgr_daemon *self,
                           uint64_t tag,
                           const struct nodemgr_localize *localize)
{
    struct arena *arena = arena_open(0);
    struct localize_job *job = ARENA_NEW(arena, struct localize_job);
    struct rm_launch_spec resources = {.resources = localize->resources,
                                       .resources_count = localize->resources_count};
    job->self = self;
    job->tag = tag;
    job->arena = arena;
    job->container = localize->container;
    job->user = arena_copy(arena, localize->user);
    message_copy_into(&rm_launch_spec_type, &resources, &job->launch, arena);
    workers_post(daemon_workers(self->daemon), localize_run, job);
}
