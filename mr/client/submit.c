/*
 * submit.c - object and description into a staging folder of the filesystem, then SubmitApp.
 * The master's side of the bargain: appmaster/daemon/job.h.
 */
#include "mr/client/client_internal.h"

#include <string.h>

#include "lib/base/buf.h"
#include "lib/model/limits.h"
#include "lib/model/path.h"
#include "lib/model/text.h"
#include "lib/os/clock.h"
#include "lib/os/file.h"
#include "lib/os/host.h"
#include "lib/wire/wire.h"
#include "mr/client/job_settings.h"

#define STAGING_FOLDER "/.millrace/staging"
#define HISTORY_FOLDER "/.millrace/history"
#define OBJECT_FILE    "job.so"
#define JOB_FILE       "job.pb"

enum {
    SHARED_PERMISSION = 01777, /* everybody makes names there, nobody removes another's */
    STAGING_PERMISSION = 0700,
    FILE_PERMISSION = 0600,
    CLEAN_UP_MS = 5000
};

struct submission {
    struct mr_client *client;
    const struct mr_client_job *job;
    struct job_settings settings;
    struct am_job_spec spec;
    struct rm_local_resource resources[2];
    struct arena *arena;
};

/* --- folders ---------------------------------------------------------------------------------- */

/* Somebody else may make it at the same time, hence create_parents, which takes what is there. */
static enum status make_shared(struct submission *submission,
                               const char *folder,
                               struct error *reterr_error)
{
    struct dfs *dfs = submission->client->dfs;
    struct dfs_file_status status_there;
    struct slice path = slice_from_string(folder);
    enum status status = dfs_get_status(dfs, path, submission->arena, &status_there, reterr_error);
    if (status != ERR_NOT_FOUND)
        return status;
    status = dfs_mkdirs(dfs, path_directory(path), 0755, true, reterr_error);
    if (status == OK)
        status = dfs_mkdirs(dfs, path, SHARED_PERMISSION, true, reterr_error);
    return status;
}

static enum status make_staging(struct submission *submission, struct error *reterr_error)
{
    struct dfs *dfs = submission->client->dfs;
    const char *user = host_user_name(submission->arena, host_uid());
    if (path_check_name(slice_from_string(user), NULL) != OK)
        user = "nameless"; /* the folder is as private under this name */
    struct slice own = arena_format(submission->arena, STAGING_FOLDER "/%s", user);
    submission->spec.staging = arena_format(submission->arena, "%.*s/%016llx", SLICE_ARGS(own),
                                            (unsigned long long)host_random_u64());
    /* Nearly always all folders above are there. */
    enum status status = make_shared(submission, HISTORY_FOLDER, reterr_error);
    if (status != OK)
        return status;
    status = dfs_mkdirs(dfs, submission->spec.staging, STAGING_PERMISSION, false, reterr_error);
    if (status != ERR_NOT_FOUND)
        return status;
    status = make_shared(submission, STAGING_FOLDER, reterr_error);
    if (status == OK)
        status = dfs_mkdirs(dfs, own, STAGING_PERMISSION, true, reterr_error);
    if (status == OK)
        status = dfs_mkdirs(dfs, submission->spec.staging, STAGING_PERMISSION, false, reterr_error);
    return status;
}

/* --- files ------------------------------------------------------------------------------------ */

static enum status put(struct submission *submission,
                       const char *name,
                       struct slice content,
                       struct rm_local_resource *resource,
                       struct error *reterr_error)
{
    struct dfs_create_options options = {.permission = FILE_PERMISSION};
    *resource = (struct rm_local_resource){
        .name = slice_from_string(name),
        .path = path_append(submission->spec.staging, slice_from_string(name), submission->arena),
        .length = content.length,
    };
    return dfs_write_file(submission->client->dfs, resource->path, content, &options,
                          &resource->file_id, reterr_error);
}

static enum status put_object(struct submission *submission, struct error *reterr_error)
{
    struct mr_client *client = submission->client;
    struct file *file = NULL;
    struct file_map map = {0};
    uint64_t bytes = 0;
    enum status status = file_open(submission->job->object, FILE_MODE_READ, 0, &file, reterr_error);
    if (status == OK)
        status = file_length(file, &bytes, reterr_error);
    if (status == OK && bytes > LIMIT_JOB_OBJECT_BYTES)
        status = error_set(reterr_error, ERR_LIMIT, "%s has %llu bytes, at most %d are allowed",
                           text_quote(slice_from_string(submission->job->object)).text,
                           (unsigned long long)bytes, (int)LIMIT_JOB_OBJECT_BYTES);
    if (status == OK)
        status = file_map_open(file, 0, bytes, &map, reterr_error);
    file_close(file);
    if (status != OK)
        return mr_client_blame(client, MR_CLIENT_FAULT_OBJECT, status);
    status = put(submission, OBJECT_FILE, map.bytes, &submission->resources[1], reterr_error);
    file_map_close(&map);
    submission->spec.object_name = submission->resources[1].name;
    submission->spec.object_path = submission->resources[1].path;
    return mr_client_blame(client, MR_CLIENT_FAULT_REFUSED, status);
}

static enum status put_job(struct submission *submission, struct error *reterr_error)
{
    struct buf bytes;
    buf_open(&bytes, LIMIT_MESSAGE_BYTES);
    enum status status = wire_pack(&am_job_spec_type, &submission->spec, &bytes, reterr_error);
    if (status == OK)
        status =
            put(submission, JOB_FILE, buf_slice(&bytes), &submission->resources[0], reterr_error);
    buf_close(&bytes);
    return mr_client_blame(submission->client, MR_CLIENT_FAULT_REFUSED, status);
}

/* --- the description -------------------------------------------------------------------------- */

static void describe(struct submission *submission)
{
    const struct mr_client_job *job = submission->job;
    const struct job_settings *settings = &submission->settings;
    struct am_job_spec *spec = &submission->spec;
    struct key_value *parameters =
        ARENA_ARRAY(submission->arena, struct key_value, job->parameter_count + 1);
    for (size_t i = 0; i < job->parameter_count; i++) {
        parameters[i].key = slice_from_string(job->parameters[i].key);
        parameters[i].value = slice_from_string(job->parameters[i].value);
    }
    spec->name = slice_from_string(job->name);
    spec->reduces = job->reduces;
    spec->parameters = parameters;
    spec->parameters_count = job->parameter_count;
    spec->split_bytes = job->split_bytes > 0 ? job->split_bytes : settings->split_bytes;
    spec->attempts_max = (uint32_t)settings->task_attempts_max;
    spec->map_resource = (struct resource){.memory_bytes = settings->map_memory_bytes,
                                           .vcores = (uint32_t)settings->map_vcores};
    spec->reduce_resource = (struct resource){.memory_bytes = settings->reduce_memory_bytes,
                                              .vcores = (uint32_t)settings->reduce_vcores};
    spec->sort_memory_bytes = settings->sort_memory_bytes;
    spec->task_timeout_ms = settings->task_timeout_ms;
    spec->client_host = slice_from_string(dfs_host(submission->client->dfs));
}

/* --- submitting ------------------------------------------------------------------------------- */

static enum status submit(struct submission *submission,
                          struct app_id *ret_app,
                          struct error *reterr_error)
{
    struct mr_client *client = submission->client;
    struct slice arguments[] = {slice_from_string("mr-appmaster")};
    struct key_value environment[] = {
        {slice_from_string("MILLRACE_SUBMITTED_MS"),
         arena_format(submission->arena, "%lld", (long long)clock_wall_ms())},
    };
    struct rm_submit_app_request request = {
        .client_id = host_random_u64(),
        .request_id = 1,
        .name = submission->spec.name,
        .queue = slice_from_string(submission->settings.queue),
        .master_resource = {.memory_bytes = submission->settings.master_memory_bytes, .vcores = 1},
        .master = { .arguments = arguments,
                            .arguments_count = 1,
                            .environment = environment,
                            .environment_count = 1,
                            .resources = submission->resources,
                            .resources_count = 2},
        .master_attempts_max = (uint32_t)submission->settings.master_attempts_max,
        .priority = (uint32_t)submission->settings.priority,
    };
    struct mr_client_outage outage = {0};
    for (;;) {
        const void *response = NULL;
        enum status status =
            mr_client_call_rm(client, METHOD_RESOURCE_MANAGER_SUBMIT_APP, &request,
                              MR_CLIENT_CALL_MS, submission->arena, &response, reterr_error);
        if (status == OK) {
            mr_client_outage_over(client, &outage, "resource manager");
            *ret_app = ((const struct rm_submit_app_response *)response)->app;
            return OK;
        }
        if (!mr_client_may_pass(status))
            return mr_client_blame(client, MR_CLIENT_FAULT_REFUSED, status);
        if (!mr_client_outage_wait(client, &outage, "resource manager", reterr_error))
            return mr_client_blame(client, MR_CLIENT_FAULT_CLUSTER, reterr_error->status);
    }
}

/*
 * After a submission that may have arrived its files must stay: the job would fail without them.
 */
static enum status clean_up(struct submission *submission,
                            bool may_have_arrived,
                            enum status status,
                            struct error *reterr_error)
{
    struct error ignored;
    struct dfs *dfs = NULL;
    if (submission->spec.staging.length == 0)
        return status;
    if (may_have_arrived) {
        return error_prefix(reterr_error, status,
                            "the submission may have arrived (see `mrjob list`)");
    }
    /* The client's own may be cancelled. What failed before says more than a failure of this. */
    if (mr_client_open_dfs(submission->client, CLEAN_UP_MS, &dfs, &ignored) == OK)
        status_ignore(dfs_delete(dfs, submission->spec.staging, true, &ignored));
    dfs_close(dfs);
    return status;
}

enum status mr_client_submit(struct mr_client *client,
                             const struct mr_client_job *job,
                             struct app_id *ret_app,
                             struct error *reterr_error)
{
    struct submission submission = {.client = client, .job = job, .arena = arena_open(0)};
    bool may_have_arrived = false;
    const char *address = NULL;
    enum status status = job_settings_check_name(job->name, reterr_error);
    if (status == OK)
        status = job_settings_read(job->parameters, job->parameter_count, &submission.settings,
                                   reterr_error);
    status = mr_client_blame(client, MR_CLIENT_FAULT_JOB, status);
    if (status == OK) /* without one there is no need to wait for it */
        status =
            mr_client_blame(client, MR_CLIENT_FAULT_CLUSTER,
                            cluster_rpc_address(&client->cluster, "rm", &address, reterr_error));
    if (status == OK)
        status =
            mr_client_check_paths(client, job, submission.arena, &submission.spec, reterr_error);
    if (status == OK) {
        describe(&submission);
        status = mr_client_blame(client, MR_CLIENT_FAULT_REFUSED,
                                 make_staging(&submission, reterr_error));
        if (status != OK)
            status = error_prefix(reterr_error, status, "make a staging folder");
    }
    if (status == OK)
        status = put_object(&submission, reterr_error);
    if (status == OK)
        status = put_job(&submission, reterr_error);
    if (status == OK) {
        status = submit(&submission, ret_app, reterr_error);
        may_have_arrived = mr_client_may_pass(status);
    }
    if (status != OK)
        status = clean_up(&submission, may_have_arrived, status, reterr_error);
    arena_close(submission.arena);
    return status;
}
