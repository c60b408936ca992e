/*
 * mrsubmit_local.c - mrsubmit --local: mr/task/local.h with mrsubmit's options, faults and summary.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "cli/mrsubmit.h"
#include "lib/base/mem.h"
#include "lib/model/text.h"
#include "lib/os/clock.h"
#include "lib/os/crash.h"
#include "lib/os/directory.h"
#include "lib/os/file.h"
#include "lib/os/host.h"
#include "lib/os/signals.h"
#include "mr/client/object_check.h"
#include "mr/task/job_object.h"
#include "mr/task/local.h"

struct local_watch {
    struct submit_display display;
    atomic_bool is_interrupted;
};

static void interrupted(void *user, enum signal_kind kind)
{
    struct local_watch *watch = user;
    if (kind == SIGNAL_STOP)
        atomic_store(&watch->is_interrupted, true);
}

static bool is_wanted(void *user)
{
    struct local_watch *watch = user;
    return !atomic_load(&watch->is_interrupted);
}

static void fill_progress(struct am_job_report *report, const struct local_progress *progress)
{
    report->maps_total = progress->maps_total;
    report->maps_done = progress->maps_done;
    report->reduces_total = progress->reduces_total;
    report->reduces_done = progress->reduces_done;
    report->map_progress =
        progress->maps_total > 0 ? (float)progress->maps_done / (float)progress->maps_total : 0;
    report->reduce_progress = progress->reduces_total > 0
                                  ? (float)progress->reduces_done / (float)progress->reduces_total
                                  : 0;
}

static void progressed(void *user, const struct local_progress *progress)
{
    struct local_watch *watch = user;
    struct am_job_report report = {.state = JOB_RUNNING};
    fill_progress(&report, progress);
    submit_display_report(&watch->display, &report, NULL);
}

/* --- checks ----------------------------------------------------------------------------------- */

/* A directory must have a file that counts, as on the cluster. */
static enum status check_input(const char *path, struct arena *arena, struct error *reterr_error)
{
    struct file_info info;
    struct slice *names = NULL;
    size_t count = 0;
    enum status status = file_info_get(path, true, &info, reterr_error);
    if (status == ERR_NOT_FOUND)
        return error_set(reterr_error, status, "input %s does not exist",
                         text_quote(slice_from_string(path)).text);
    if (status != OK || !info.is_directory)
        return status;
    status = directory_list(path, arena, &names, &count, reterr_error);
    for (size_t i = 0; i < count && status == OK; i++) {
        if (names[i].data[0] != '_' && names[i].data[0] != '.')
            return OK;
    }
    if (status != OK)
        return error_prefix(reterr_error, status, "input");
    return error_set(reterr_error, ERR_NOT_FOUND,
                     "input %s is a directory without files (names that begin with _ or . do not "
                     "count)",
                     text_quote(slice_from_string(path)).text);
}

static enum submit_exit check_paths(const struct mr_client_job *job, struct error *reterr_error)
{
    struct arena *arena = arena_open(0);
    struct file_info info;
    enum submit_exit code = SUBMIT_SUCCEEDED;
    enum status status = file_info_get(job->output, false, &info, reterr_error);
    if (status == OK)
        status = error_set(reterr_error, ERR_EXISTS,
                           "output %s already exists; name another, or remove it",
                           text_quote(slice_from_string(job->output)).text);
    if (status != ERR_NOT_FOUND)
        code = SUBMIT_BAD_OUTPUT;
    for (size_t i = 0; i < job->input_count && code == SUBMIT_SUCCEEDED; i++) {
        if (check_input(job->inputs[i], arena, reterr_error) != OK)
            code = SUBMIT_BAD_INPUT;
    }
    arena_close(arena);
    return code;
}

/* --- running ---------------------------------------------------------------------------------- */

static void fill_counters(struct am_job_report *report,
                          const struct counters *counters,
                          struct arena *arena)
{
    struct counter *rows = ARENA_ARRAY(arena, struct counter, COUNTERS_MAX + TASK_COUNTER_COUNT);
    size_t cursor = 0;
    while (report->counters_count < COUNTERS_MAX + TASK_COUNTER_COUNT &&
           counters_next(counters, &cursor, &rows[report->counters_count].group,
                         &rows[report->counters_count].name, &rows[report->counters_count].value))
        report->counters_count++;
    report->counters = rows;
}

static enum status run(const struct submit_options *options,
                       const struct mr_job *mr_job,
                       struct local_watch *watch,
                       struct counters *counters,
                       struct arena *arena,
                       struct am_job_report *report,
                       struct error *reterr_error)
{
    const struct mr_client_job *job = &options->job;
    struct task_parameter *parameters =
        ARENA_ARRAY(arena, struct task_parameter, job->parameter_count + 1);
    for (size_t i = 0; i < job->parameter_count; i++) {
        parameters[i].key = slice_from_string(job->parameters[i].key);
        parameters[i].value = slice_from_string(job->parameters[i].value);
    }
    struct local_job local = {
        .job = mr_job,
        .inputs = job->inputs,
        .input_count = job->input_count,
        .output = job->output,
        .reduces = job->reduces,
        .parameters = parameters,
        .parameter_count = job->parameter_count,
        .split_bytes = job->split_bytes,
        .memory_bytes = options->settings.sort_memory_bytes,
        .progressed = progressed,
        .is_wanted = is_wanted,
        .user = watch,
    };
    struct local_progress progress = {0};
    report->submitted_ms = (uint64_t)clock_wall_ms();
    report->started_ms = report->submitted_ms;
    enum status status = local_job_run(&local, counters, &progress, reterr_error);
    report->finished_ms = (uint64_t)clock_wall_ms();
    fill_progress(report, &progress);
    fill_counters(report, counters, arena);
    return status;
}

static const char *name_of(const struct submit_options *options, const struct mr_job *job)
{
    if (options->job.name != NULL)
        return options->job.name;
    return job->name != NULL && job->name[0] != '\0' ? job->name : path_name(options->job.object);
}

static enum submit_exit run_and_print(const struct submit_options *options,
                                      const struct mr_job *mr_job,
                                      struct local_watch *watch)
{
    struct arena *arena = arena_open(0);
    struct counters *counters = counters_open();
    struct error error = {0};
    struct am_job_report report = {
        .name = text_clean(slice_from_string(name_of(options, mr_job)), arena),
        .output = text_clean(slice_from_string(options->job.output), arena),
        .user = slice_from_string(host_user_name(arena, host_uid())),
    };
    enum submit_exit code = SUBMIT_INTERRUPTED;
    enum status status = run(options, mr_job, watch, counters, arena, &report, &error);
    submit_display_close(&watch->display);
    if (status == ERR_CANCELLED && !is_wanted(watch)) {
        fputs("mrsubmit: interrupted; nothing was written\n", stderr);
    } else {
        report.state = status == OK ? JOB_SUCCEEDED : JOB_FAILED;
        report.diagnostics =
            status == OK ? slice_make(NULL, 0) : text_clean(slice_from_string(error.text), arena);
        submit_print_result(&report, options->is_json, true);
        submit_print_failure(&report, true);
        code = submit_exit_of(&report);
    }
    counters_close(counters);
    arena_close(arena);
    return code;
}

/*
 * In a child first, as for the cluster: a damaged object (one that was cut, say) may crash whoever
 * loads it, and what crashes before the job begins is the object's fault.
 */
static enum status load(const struct mr_client_job *job,
                        struct job_object **ret_object,
                        struct error *reterr_error)
{
    struct arena *arena = arena_open(0);
    const char *name = NULL;
    const char *program = path_join(arena, host_program_directory(arena), "mrsubmit");
    enum status status =
        object_check(program, job->object, job->reduces, arena, &name, reterr_error);
    if (status == OK)
        status = job_object_open(job->object, ret_object, reterr_error);
    arena_close(arena);
    return status;
}

enum submit_exit submit_run_local(const struct submit_options *options)
{
    struct local_watch watch = {.is_interrupted = false};
    struct signal_watcher *watcher = NULL;
    struct job_object *object = NULL;
    struct error error = {0};
    enum submit_exit code = check_paths(&options->job, &error);
    if (code != SUBMIT_SUCCEEDED)
        return submit_fail(code, &error);
    if (load(&options->job, &object, &error) != OK)
        return submit_fail(SUBMIT_BAD_OBJECT, &error);
    const struct mr_job *job = job_object_job(object);
    struct task_settings settings = {.job = job,
                                     .reduces = options->job.reduces,
                                     .memory_bytes = options->settings.sort_memory_bytes};
    submit_display_open(&watch.display, options->is_quiet);
    enum status status = task_settings_check(&settings, &error);
    if (status == OK)
        status = crash_guard_open(&error);
    if (status == OK)
        status = signal_watcher_open(interrupted, &watch, &watcher, &error);
    if (status == OK)
        code = run_and_print(options, job, &watch);
    else
        code = submit_fail(status == ERR_INVALID ? SUBMIT_BAD_OBJECT : SUBMIT_REFUSED, &error);
    signal_watcher_close(watcher);
    job_object_close(object);
    return code;
}
