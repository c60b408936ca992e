/*
 * submit.c - object and description into a staging folder of the filesystem, then SubmitApp.
 * The master's side of the bargain: appmaster/daemon/job.h.
 */
#include "mr/client/client_internal.h"

#include <string.h>

#include "lib/base/buf.h"
#include "lib/base/check.h"
#include "lib/model/limits.h"
#include "lib/model/path.h"
#include "lib/model/text.h"
#include "lib/os/clock.h"
#include "lib/os/directory.h"
#include "lib/os/file.h"
#include "lib/os/host.h"
#include "lib/os/thread.h"
#include "lib/wire/wire.h"
#include "mr/client/job_settings.h"
#include "mr/client/object_check.h"

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

/* The upload of the object, on a thread of its own beside that of the description. */
struct object_upload {
    struct submission *submission;
    struct thread *thread;
    enum status status;
    enum mr_client_fault fault;
    struct error error;
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

static void name_file(struct submission *submission,
                      const char *name,
                      struct rm_local_resource *resource)
{
    resource->name = slice_from_string(name);
    resource->path = path_append(submission->spec.staging, resource->name, submission->arena);
}

/* On any thread: only resource is written. */
static enum status put(const struct submission *submission,
                       struct slice content,
                       struct rm_local_resource *resource,
                       struct error *reterr_error)
{
    struct dfs_create_options options = {.permission = FILE_PERMISSION};
    resource->length = content.length;
    return dfs_write_file(submission->client->dfs, resource->path, content, &options,
                          &resource->file_id, reterr_error);
}

static enum status put_object(struct submission *submission,
                              enum mr_client_fault *ret_fault,
                              struct error *reterr_error)
{
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
    *ret_fault = MR_CLIENT_FAULT_OBJECT;
    if (status != OK)
        return status;
    *ret_fault = MR_CLIENT_FAULT_REFUSED;
    status = put(submission, map.bytes, &submission->resources[1], reterr_error);
    file_map_close(&map);
    return status;
}

static void upload_object(void *argument)
{
    struct object_upload *upload = argument;
    upload->status = put_object(upload->submission, &upload->fault, &upload->error);
}

static enum status put_job(struct submission *submission, struct error *reterr_error)
{
    struct buf bytes;
    buf_open(&bytes, LIMIT_MESSAGE_BYTES);
    enum status status = wire_pack(&am_job_spec_type, &submission->spec, &bytes, reterr_error);
    if (status == OK)
        status = put(submission, buf_slice(&bytes), &submission->resources[0], reterr_error);
    buf_close(&bytes);
    return mr_client_blame(submission->client, MR_CLIENT_FAULT_REFUSED, status);
}

/* The job's own name, else its file's, fit to be one. */
static struct slice name_of(const char *object, const char *own_name, struct arena *arena)
{
    const char *name = own_name[0] != '\0' ? own_name : path_name(object);
    struct slice clean = text_cut(text_clean(slice_from_string(name), arena), LIMIT_APP_NAME_BYTES);
    struct slice text = arena_copy(arena, clean);
    if (job_settings_check_name((const char *)text.data, NULL) != OK)
        return slice_from_string("job");
    return text;
}

/* What is wrong with the object is never the cluster's fault. */
static enum status wait_for_check(struct submission *submission, struct error *reterr_error)
{
    const struct mr_client_job *job = submission->job;
    const char *own_name = "";
    enum status status = OK;
    if (job->check != NULL)
        status = object_check_wait(job->check, &own_name, reterr_error);
    if (status != OK)
        submission->client->fault = MR_CLIENT_FAULT_OBJECT;
    else if (job->name == NULL)
        submission->spec.name = name_of(job->object, own_name, submission->arena);
    return status;
}

/* Object and description, at the same time. */
static enum status put_files(struct submission *submission, struct error *reterr_error)
{
    struct mr_client *client = submission->client;
    struct object_upload upload = {.submission = submission};
    name_file(submission, JOB_FILE, &submission->resources[0]);
    name_file(submission, OBJECT_FILE, &submission->resources[1]);
    submission->spec.object_name = submission->resources[1].name;
    submission->spec.object_path = submission->resources[1].path;
    enum status status = mr_client_blame(
        client, MR_CLIENT_FAULT_REFUSED,
        thread_open("upload", upload_object, &upload, &upload.thread, reterr_error));
    if (status != OK)
        return status;
    status = wait_for_check(submission, reterr_error);
    if (status == OK)
        status = put_job(submission, reterr_error);
    thread_join(upload.thread);
    if (status == OK && upload.status != OK) {
        status = error_set(reterr_error, upload.status, "%s", upload.error.text);
        status = mr_client_blame(client, upload.fault, status);
    }
    return status;
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
    spec->name = slice_from_string(job->name == NULL ? "" : job->name);
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
    struct error check_error = {0};
    enum status status = OK;
    CHECK(job->name != NULL || job->check != NULL);
    if (job->name != NULL)
        status = job_settings_check_name(job->name, reterr_error);
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
        status = put_files(&submission, reterr_error);
    else if (client->fault != MR_CLIENT_FAULT_CANCELLED &&
             wait_for_check(&submission, &check_error) != OK)
        status = error_set(reterr_error, check_error.status, "%s", check_error.text);
    if (status == OK) {
        status = submit(&submission, ret_app, reterr_error);
        may_have_arrived = mr_client_may_pass(status);
    }
    if (status != OK)
        status = clean_up(&submission, may_have_arrived, status, reterr_error);
    arena_close(submission.arena);
    return status;
}
