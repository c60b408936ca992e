/*
 * localize.c - brings files of the filesystem into a container's working folder. A file is fetched
 * once per application, whatever number of containers ask for it at the same time, under a
 * temporary name that becomes the real one when it is whole; containers get a hard link.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "dfs/client/dfs.h"
#include "lib/base/check.h"
#include "lib/base/mem.h"
#include "lib/daemon/log.h"
#include "lib/daemon/shell.h"
#include "lib/daemon/workers.h"
#include "lib/model/ids.h"
#include "lib/model/limits.h"
#include "lib/model/message.h"
#include "lib/os/clock.h"
#include "lib/os/directory.h"
#include "lib/os/file.h"
#include "lib/os/thread.h"
#include "nodemgr/daemon/nodemgr_daemon.h"

enum {
    CLIENT_LIFE_MS = 60 * 1000, /* how long a connection may serve one job after the other */
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

/* A connection of a user to the filesystem; under the lock of struct nodemgr_fetches. */
struct fetch_client {
    struct arena *arena; /* owns the client */
    struct slice user;
    const char *address;
    struct dfs *dfs;
    int64_t until_ms;
    size_t fetches; /* that use it now */
    bool is_retired;
};

/* --- life ------------------------------------------------------------------------------------- */
void nodemgr_fetches_open(struct nodemgr_fetches *fetches)
{
    *fetches = (struct nodemgr_fetches){
        .mutex = mutex_open(),
        .changed = condition_open(),
        .running = map_open(),
        .clients = map_open(),
        .by_user = map_open(),
    };
}

void nodemgr_fetches_stop(struct nodemgr_fetches *fetches)
{
    mutex_lock(fetches->mutex);
    fetches->is_stopping = true;
    size_t cursor = 0;
    void *value;
    while (map_next(fetches->clients, &cursor, NULL, &value))
        dfs_cancel(((struct fetch_client *)value)->dfs);
    condition_broadcast(fetches->changed);
    mutex_unlock(fetches->mutex);
}

static void client_free(struct fetch_client *client)
{
    dfs_close(client->dfs);
    arena_close(client->arena); /* owns the client */
}

void nodemgr_fetches_close(struct nodemgr_fetches *fetches)
{
    size_t cursor = 0;
    void *client;
    while (map_next(fetches->clients, &cursor, NULL, &client))
        client_free(client);
    map_close(fetches->running);
    map_close(fetches->clients);
    map_close(fetches->by_user);
    condition_close(fetches->changed);
    mutex_close(fetches->mutex);
}

/* --- clients of the filesystem ---------------------------------------------------------------- */
static struct slice address_key(struct fetch_client *const *client)
{
    return slice_make(client, sizeof(*client));
}

/* No new fetch takes it; whoever has it still does keep it. Locked. */
static void client_retire(struct nodemgr_fetches *fetches, struct fetch_client *client)
{
    if (map_get(fetches->by_user, client->user) == client) /* not its successor */
        (void)map_remove(fetches->by_user, client->user);
    client->is_retired = true;
    if (client->fetches > 0)
        return;
    (void)map_remove(fetches->clients, address_key(&client));
    client_free(client);
}

/* Those whose time is over; a connection is kept for a while only. Locked. */
static void clients_retire_old(struct nodemgr_fetches *fetches, int64_t now_ms)
{
    size_t cursor = 0;
    void *value;
    while (map_next(fetches->clients, &cursor, NULL, &value)) {
        struct fetch_client *client = value;
        if (!client->is_retired && now_ms >= client->until_ms)
            client_retire(fetches, client);
    }
}

/* Locked. */
static enum status client_open(struct nodemgr_daemon *self,
                               struct slice user,
                               const char *address,
                               int64_t now_ms,
                               struct fetch_client **ret_client,
                               struct error *reterr_error)
{
    struct arena *arena = arena_open(0);
    struct fetch_client *client = ARENA_NEW(arena, struct fetch_client);
    struct dfs_settings settings = {.host = daemon_host(self->daemon)};
    int64_t life_ms = self->token_lifetime_ms / 2;
    client->arena = arena;
    client->user = arena_copy(arena, user);
    client->address = (const char *)arena_copy(arena, slice_from_string(address)).data;
    client->until_ms = now_ms + (life_ms < CLIENT_LIFE_MS ? life_ms : CLIENT_LIFE_MS);
    settings.namenode_address = client->address;
    enum status status =
        nodemgr_daemon_user_token(self, user, arena, &settings.token, reterr_error);
    if (status == OK)
        status = dfs_open(&settings, &client->dfs, reterr_error);
    if (status != OK) {
        arena_close(arena);
        return status;
    }
    (void)map_put(self->fetches.clients, address_key(&client), client); /* its own address */
    (void)map_put(self->fetches.by_user, client->user, client); /* retired if there was one */
    *ret_client = client;
    return OK;
}

/* A client of user's, connected already if one was used lately; for client_give. */
static enum status client_take(struct nodemgr_daemon *self,
                               struct slice user,
                               const char *address,
                               struct fetch_client **ret_client,
                               struct error *reterr_error)
{
    struct nodemgr_fetches *fetches = &self->fetches;
    int64_t now_ms = clock_monotonic_ms();
    enum status status = OK;
    mutex_lock(fetches->mutex);
    clients_retire_old(fetches, now_ms);
    struct fetch_client *client = map_get(fetches->by_user, user);
    if (client != NULL && strcmp(client->address, address) != 0) { /* the namenode has moved */
        client_retire(fetches, client);
        client = NULL;
    }
    if (fetches->is_stopping)
        status = error_set(reterr_error, ERR_CANCELLED, "the node manager is stopping");
    else if (client == NULL)
        status = client_open(self, user, address, now_ms, &client, reterr_error);
    if (status == OK) {
        client->fetches++;
        *ret_client = client;
    }
    mutex_unlock(fetches->mutex);
    return status;
}

static void client_give(struct nodemgr_fetches *fetches, struct fetch_client *client)
{
    mutex_lock(fetches->mutex);
    client->fetches--;
    if (client->is_retired)
        client_retire(fetches, client);
    mutex_unlock(fetches->mutex);
}

/* --- fetches in progress ---------------------------------------------------------------------- */
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
    struct fetch_client *client = NULL;
    const char *address = NULL;
    enum status status = daemon_find(self->daemon, "namenode", job->arena, &address, reterr_error);
    if (status == OK)
        status = client_take(self, job->user, address, &client, reterr_error);
    if (status != OK)
        return status;
    for (size_t i = 0; i < job->launch.resources_count && status == OK; i++)
        status = localize_one(job, client->dfs, job->launch.resources[i], reterr_error);
    client_give(&self->fetches, client);
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
