/*
 * main.c - mr-task: one process in a container that runs attempts of one job, one after the other,
 * as long as the master has any. Started by a node manager; docs/containers.md has the environment.
 *
 * Exit codes: 0 the master had no more work; 1 it could not begin, the master is gone, or the disk
 * here let an attempt fail; 70 the job's code called exit(); 128 + n it crashed with signal n.
 */
#include <stdio.h>
#include <string.h>

#include "dfs/client/dfs.h"
#include "lib/model/ids.h"
#include "lib/model/limits.h"
#include "lib/model/text.h"
#include "lib/net/net.h"
#include "lib/os/clock.h"
#include "lib/os/crash.h"
#include "lib/os/directory.h"
#include "lib/os/host.h"
#include "lib/os/signals.h"
#include "mr/core/counters.h"
#include "mr/task/attempt.h"
#include "mr/task/job_object.h"
#include "mr/task/reporter.h"
#include "mr/task/umbilical.h"

struct task_process {
    struct arena *arena; /* for the process's life */
    struct container_id container;
    const char *master_address;
    const char *namenode_address;
    const char *host_name;
    struct attempt_host host;
    struct job_object *object;
    struct signal_watcher *signals;
    bool is_net_open;
    bool is_disk_ill; /* an attempt failed because of this host's disk: the next may do so, too */
};

static enum status variable(const char *name, const char **ret_value, struct error *reterr_error)
{
    *ret_value = host_environment(name);
    if (*ret_value == NULL || (*ret_value)[0] == '\0')
        return error_set(reterr_error, ERR_INVALID,
                         "%s is not set: mr-task is started by a node manager, not by hand", name);
    return OK;
}

static enum status read_environment(struct task_process *process, struct error *reterr_error)
{
    const char *container = NULL;

    const struct {
        const char *name;
        const char **value;
    } rows[] = {
        {"MILLRACE_CONTAINER_ID",     &container                   },
        {"MILLRACE_MASTER_ADDRESS",   &process->master_address     },
        {"MILLRACE_TASK_TOKEN",       &process->host.token         },
        {"MILLRACE_WORK_DIR",         &process->host.work_directory},
        {"MILLRACE_APP_DIR",          &process->host.app_directory },
        {"MILLRACE_NAMENODE_ADDRESS", &process->namenode_address   },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        enum status status = variable(rows[i].name, rows[i].value, reterr_error);
        if (status != OK)
            return status;
    }
    process->host_name = host_environment("MILLRACE_HOST");
    if (!container_id_parse(slice_from_string(container), &process->container))
        return error_set(reterr_error, ERR_INVALID,
                         "MILLRACE_CONTAINER_ID is \"%s\", which is no container id", container);
    return OK;
}

static void on_signal(void *user, enum signal_kind kind)
{
    struct task_process *process = user;
    if (kind != SIGNAL_STOP)
        return;
    umbilical_cancel(process->host.umbilical);
    dfs_cancel(process->host.dfs);
}

static enum status open_process(struct task_process *process, struct error *reterr_error)
{
    struct umbilical_settings umbilical = {0};
    struct dfs_settings dfs = {0};
    enum status status = read_environment(process, reterr_error);

    if (status == OK)
        status = crash_guard_open(reterr_error);
    if (status == OK)
        status = net_open(NULL, reterr_error);
    if (status != OK)
        return status;
    process->is_net_open = true;
    umbilical.master_address = process->master_address;
    umbilical.token = process->host.token;
    umbilical.container = process->container;
    status = umbilical_open(&umbilical, &process->host.umbilical, reterr_error);
    dfs.namenode_address = process->namenode_address;
    dfs.token = process->host.token;
    dfs.host = process->host_name;
    if (status == OK)
        status = dfs_open(&dfs, &process->host.dfs, reterr_error);
    if (status == OK)
        status = reporter_open(process->host.umbilical, &process->host.reporter, reterr_error);
    if (status == OK)
        status = signal_watcher_open(on_signal, process, &process->signals, reterr_error);
    if (status == OK)
        net_prepare_http(); /* a reduce needs it, when it has heard from its master */
    return status;
}

static void close_process(struct task_process *process)
{
    signal_watcher_close(process->signals);
    reporter_close(process->host.reporter);
    dfs_close(process->host.dfs);
    umbilical_close(process->host.umbilical);
    if (process->is_net_open)
        net_close();
    job_object_close(process->object);
    arena_close(process->arena);
}

/* --- attempts --------------------------------------------------------------------------------- */

/* The job's object is loaded with the first work; its constructors may crash, too. */
static enum status load_object(struct task_process *process,
                               const struct am_get_task_response *work,
                               struct error *reterr_error)
{
    static struct crash_scene scene;
    const char *path;
    enum status status;

    if (process->object != NULL)
        return OK;
    path = path_join(process->arena, process->host.work_directory,
                     (const char *)arena_copy(process->arena, work->job.object_name).data);
    (void)snprintf(scene.before, sizeof(scene.before), "%s: loading %.*s",
                   attempt_id_text(work->attempt).text, SLICE_ARGS(work->job.object_name));
    crash_guard_enter(&scene);
    status = job_object_open(path, &process->object, reterr_error);
    crash_guard_leave();
    if (status == OK)
        process->host.job = job_object_job(process->object);
    return status;
}

static enum status tell_failed(struct task_process *process,
                               const struct attempt_id *attempt,
                               const struct error *failure,
                               bool is_fatal,
                               struct error *reterr_error)
{
    struct arena *arena = arena_open(0);
    struct am_task_failed_request request = {
        .attempt = *attempt,
        .diagnostics = text_clean(slice_from_string(failure->text), arena),
        .is_fatal = is_fatal,
    };
    enum status status;

    (void)fprintf(stderr, "%s failed: %s\n", attempt_id_text(*attempt).text, failure->text);
    status = umbilical_failed(process->host.umbilical, &request, reterr_error);
    arena_close(arena);
    return status;
}

static enum status tell_done(struct task_process *process,
                             const struct am_get_task_response *work,
                             const struct attempt_result *result,
                             const struct counters *counters,
                             struct arena *arena,
                             struct error *reterr_error)
{
    struct am_task_done_request request = {
        .attempt = work->attempt,
        .partition_bytes = result->partition_bytes,
        .partition_bytes_count = result->partition_count,
        .output_path = result->output_path,
        .output_file_id = result->output_file_id,
        .output_length = result->output_length,
    };
    bool is_accepted = false;
    enum status status;

    request.counters = reporter_counter_rows(counters, arena, &request.counters_count);
    status = umbilical_done(process->host.umbilical, &request, &is_accepted, reterr_error);
    if (status == OK && !is_accepted) {
        struct error error;
        /* Another attempt won. Where this cannot be removed now, the job's end removes it. */
        if (attempt_discard(&process->host, work, result, &error) != OK)
            (void)fprintf(stderr, "%s: %s\n", attempt_id_text(work->attempt).text, error.text);
    }
    return status;
}

/* An object that cannot be read here may be good: another attempt, on another host, will tell. */
static bool is_trouble_of_host(enum status status)
{
    return status == ERR_IO || status == ERR_NO_SPACE || status == ERR_NO_MEMORY ||
           status == ERR_LIMIT || status == ERR_BUSY;
}

/* OK: the master knows how it went. */
static enum status run_attempt(struct task_process *process,
                               const struct am_get_task_response *work,
                               struct arena *arena,
                               struct error *reterr_error)
{
    struct counters *counters = counters_open();
    struct attempt_result result = {0};
    struct error failure = {0};
    int64_t cpu_us = clock_process_cpu_us();
    bool is_fatal = false;
    enum status status;

    reporter_begin(process->host.reporter, &work->attempt, (int64_t)work->report_interval_ms);
    status = load_object(process, work, &failure);
    is_fatal = status != OK && !is_trouble_of_host(status);
    if (status == OK) {
        status = attempt_run(&process->host, work, arena, &result, counters, &failure);
        is_fatal = result.is_refused;
    }
    process->is_disk_ill = status == ERR_IO || status == ERR_NO_SPACE;
    reporter_end(process->host.reporter);
    counters_add_task(counters, TASK_CPU_MS, (uint64_t)(clock_process_cpu_us() - cpu_us) / 1000);
    (void)fflush(stdout); /* what the job printed belongs before what comes next */
    if (status == OK)
        status = tell_done(process, work, &result, counters, arena, reterr_error);
    else if (status == ERR_CANCELLED && reporter_must_stop(process->host.reporter))
        status = OK; /* the master said so and waits for no word */
    else
        status = tell_failed(process, &work->attempt, &failure, is_fatal, reterr_error);
    counters_close(counters);
    return status;
}

static enum status run_all(struct task_process *process, struct error *reterr_error)
{
    struct attempt_id finished = {0};
    struct arena *arena = arena_open(LIMIT_UNPACKED_BYTES);
    enum status status = OK;

    while (status == OK && !process->is_disk_ill) {
        const struct am_get_task_response *work;
        arena_reset(arena);
        status = umbilical_get_task(process->host.umbilical, &finished, arena, &work, reterr_error);
        if (status != OK || work->kind == GET_TASK_EXIT)
            break;
        finished = work->attempt;
        status = run_attempt(process, work, arena, reterr_error);
    }
    arena_close(arena);
    return status;
}

int main(int argc, char **argv)
{
    struct task_process process = {.arena = arena_open(0)};
    struct error error = {0};
    enum status status;

    (void)argv;
    if (argc > 1) {
        (void)fprintf(stderr, "mr-task takes no arguments; a node manager starts it\n");
        return 2;
    }
    signals_block();
    /* A crash loses what is still in stdio's buffer: keep at most a line there. */
    (void)setvbuf(stdout, NULL, _IOLBF, BUFSIZ);
    status = open_process(&process, &error);
    if (status == OK)
        status = run_all(&process, &error);
    if (status == OK && process.is_disk_ill)
        status = error_set(&error, ERR_IO, "this host's disk is full or broken");
    if (status != OK)
        (void)fprintf(stderr, "mr-task: %s\n", error.text);
    close_process(&process);
    return status == OK ? 0 : 1;
}
