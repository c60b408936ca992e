/*
 * mrsubmit_cluster.c - submits to the cluster and follows to the end.
 */
#include <stdio.h>

#include "cli/mrsubmit.h"
#include "lib/model/ids.h"
#include "lib/os/directory.h"
#include "lib/os/host.h"
#include "lib/os/signals.h"
#include "mr/client/object_check.h"

struct cluster_run {
    const struct submit_options *options;
    struct submit_display display;
    struct mr_client *client;
    struct app_id app; /* once submitted */
    bool is_submitted;
};

/* --- what the client tells -------------------------------------------------------------------- */

static void noticed(void *user, const char *sentence)
{
    struct cluster_run *run = user;
    submit_display_say(&run->display, sentence);
}

static void progressed(void *user, const struct mr_client_progress *progress)
{
    struct cluster_run *run = user;
    static const struct am_job_report nothing = {0};
    if (progress->job != NULL)
        submit_display_report(&run->display, progress->job, NULL);
    else
        submit_display_report(&run->display, &nothing,
                              progress->app->tracking_address.length > 0
                                  ? "its master runs"
                                  : "waiting for room for its master");
}

static void interrupted(void *user, enum signal_kind kind)
{
    struct cluster_run *run = user;
    if (kind == SIGNAL_STOP)
        mr_client_cancel(run->client);
}

/* --- running ---------------------------------------------------------------------------------- */

static enum submit_exit exit_of_fault(enum mr_client_fault fault)
{
    switch (fault) {
    case MR_CLIENT_FAULT_JOB:
        return SUBMIT_USAGE;
    case MR_CLIENT_FAULT_OBJECT:
        return SUBMIT_BAD_OBJECT;
    case MR_CLIENT_FAULT_INPUT:
        return SUBMIT_BAD_INPUT;
    case MR_CLIENT_FAULT_OUTPUT:
        return SUBMIT_BAD_OUTPUT;
    case MR_CLIENT_FAULT_CLUSTER:
        return SUBMIT_NO_CLUSTER;
    case MR_CLIENT_FAULT_CANCELLED:
        return SUBMIT_INTERRUPTED;
    case MR_CLIENT_FAULT_NONE:
    case MR_CLIENT_FAULT_REFUSED:
        break;
    }
    return SUBMIT_REFUSED;
}

/* After a failed submit or follow. */
static enum submit_exit give_up(struct cluster_run *run, const struct error *error)
{
    enum submit_exit code = exit_of_fault(mr_client_fault(run->client));
    struct id_text id = app_id_text(run->app);
    submit_display_close(&run->display);
    if (!run->is_submitted && code == SUBMIT_INTERRUPTED) {
        fprintf(stderr, "mrsubmit: interrupted: %s\n", error->text);
        return code;
    }
    if (!run->is_submitted)
        return submit_fail(code, error);
    if (code != SUBMIT_INTERRUPTED)
        fprintf(stderr, "mrsubmit: %s\n", error->text);
    fprintf(stderr, "mrsubmit: %s goes on: `mrjob status %s` shows it, `mrjob kill %s` ends it\n",
            id.text, id.text, id.text);
    return code;
}

static enum submit_exit follow(struct cluster_run *run, struct arena *arena)
{
    struct mr_client_result result = {0};
    struct error error = {0};
    if (mr_client_follow(run->client, run->app, progressed, run, arena, &result, &error) != OK)
        return give_up(run, &error);
    submit_display_close(&run->display);
    if (!result.is_complete)
        submit_display_say(&run->display,
                           "neither its master nor its history could be read; this is what the "
                           "resource manager knows");
    if (result.job.output.length == 0 && result.job.state == JOB_SUCCEEDED)
        result.job.output = slice_from_string(run->options->job.output);
    if (result.job.finished_ms == 0)
        result.job.finished_ms = result.app.finished_ms;
    submit_print_result(&result.job, run->options->is_json, false);
    submit_print_failure(&result.job, false);
    return submit_exit_of(&result.job);
}

static enum submit_exit submit_and_follow(struct cluster_run *run,
                                          const struct mr_client_job *job,
                                          struct arena *arena)
{
    char sentence[64 + ID_TEXT_BYTES];
    struct error error = {0};
    if (mr_client_submit(run->client, job, &run->app, &error) != OK)
        return give_up(run, &error);
    run->is_submitted = true;
    (void)snprintf(sentence, sizeof(sentence), "submitted %s", app_id_text(run->app).text);
    submit_display_say(&run->display, sentence);
    return follow(run, arena);
}

static enum submit_exit run_with_client(struct cluster_run *run,
                                        const struct mr_client_job *job,
                                        struct arena *arena)
{
    struct mr_client_settings settings = {
        .directory = run->options->directory, .noticed = noticed, .user = run};
    struct signal_watcher *watcher = NULL;
    struct error error = {0};
    if (mr_client_open(&settings, &run->client, &error) != OK) {
        struct error object_error = {0};
        const char *name = NULL;
        if (object_check_wait(job->check, &name, &object_error) != OK)
            return submit_fail(SUBMIT_BAD_OBJECT, &object_error);
        return submit_fail(error.status == ERR_INVALID ? SUBMIT_USAGE : SUBMIT_NO_CLUSTER, &error);
    }
    enum submit_exit code = SUBMIT_REFUSED;
    if (signal_watcher_open(interrupted, run, &watcher, &error) == OK)
        code = submit_and_follow(run, job, arena);
    else
        code = submit_fail(code, &error);
    signal_watcher_close(watcher);
    /* The client stays open: main ends the process with it, and its threads would take their time.
     */
    return code;
}

enum submit_exit submit_run_cluster(const struct submit_options *options)
{
    struct cluster_run run = {.options = options};
    struct mr_client_job job = options->job;
    struct arena *arena = arena_open(0);
    struct error error = {0};
    const char *program = path_join(arena, host_program_directory(arena), "mrsubmit");
    enum submit_exit code = SUBMIT_BAD_OBJECT;
    submit_display_open(&run.display, options->is_quiet);
    if (object_check_begin(program, job.object, job.reduces, &job.check, &error) == OK)
        code = run_with_client(&run, &job, arena);
    else
        code = submit_fail(code, &error);
    object_check_close(job.check);
    arena_close(arena);
    return code;
}
