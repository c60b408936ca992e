/*
 * job.c - the environment and the job file of a master.
 */
#include "appmaster/daemon/job.h"

#include "lib/base/buf.h"
#include "lib/model/ids.h"
#include "lib/model/limits.h"
#include "lib/os/directory.h"
#include "lib/os/file.h"
#include "lib/os/host.h"
#include "lib/wire/wire.h"

static enum status variable(const char *name, struct slice *ret_value, struct error *reterr_error)
{
    const char *value = host_environment(name);
    if (!value || value[0] == '\0')
        return error_set(reterr_error, ERR_INVALID,
                         "%s is not set: a master is started by a node manager, not by hand", name);
    *ret_value = slice_from_string(value);
    return OK;
}

static enum status place(struct appmaster_settings *settings, struct error *reterr_error)
{
    struct slice container;
    enum status status = variable("MILLRACE_CONTAINER_ID", &container, reterr_error);
    if (status != OK)
        return status;
    if (!container_id_parse(container, &settings->container))
        return error_set(reterr_error, ERR_INVALID,
                         "MILLRACE_CONTAINER_ID is \"%.*s\", which is no container id",
                         SLICE_ARGS(container));
    settings->app = settings->container.app;
    settings->app_attempt = settings->container.app_attempt;
    return OK;
}

static enum status read_job(const char *path,
                            struct arena *arena,
                            struct am_job_spec *ret_job,
                            struct error *reterr_error)
{
    struct buf bytes;
    void *job = NULL;
    buf_open(&bytes, LIMIT_MESSAGE_BYTES);
    enum status status = file_read_whole(path, &bytes, reterr_error);
    if (status == OK) {
        status = wire_unpack(&am_job_spec_type, buf_slice(&bytes), arena, &job, reterr_error);
        if (status != OK)
            status = error_prefix(reterr_error, ERR_CORRUPT, "job file %s", path);
    }
    if (status == OK && job)
        *ret_job = *(const struct am_job_spec *)job;
    buf_close(&bytes);
    return status;
}

enum status job_read(const char *folder,
                     struct arena *arena,
                     struct appmaster_settings *ret_settings,
                     struct error *reterr_error)
{
    struct appmaster_settings settings = {0};
    enum status status = place(&settings, reterr_error);
    if (status == OK)
        status = variable("MILLRACE_USER", &settings.user, reterr_error);
    if (status == OK)
        status = variable("MILLRACE_USER_TOKEN", &settings.credential, reterr_error);
    if (status == OK)
        status = variable("MILLRACE_RM_ADDRESS", &settings.rm_address, reterr_error);
    if (status == OK)
        status = variable("MILLRACE_NAMENODE_ADDRESS", &settings.namenode_address, reterr_error);
    if (status == OK)
        status = read_job(path_join(arena, folder, JOB_FILE), arena, &settings.job, reterr_error);
    if (status != OK)
        return status;
    const char *submitted = host_environment("MILLRACE_SUBMITTED_MS");
    if (submitted && !slice_parse_u64(slice_from_string(submitted), &settings.submitted_ms))
        return error_set(reterr_error, ERR_INVALID,
                         "MILLRACE_SUBMITTED_MS is \"%s\", which is no number of milliseconds",
                         submitted);
    settings.history_path =
        arena_format(arena, "%s/%s.pb", JOB_HISTORY_FOLDER, app_id_text(settings.app).text);
    *ret_settings = settings;
    return OK;
}
