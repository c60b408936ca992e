/*
 * follow.c - watches a job to its end: first the resource manager, until a master serves, then the
 * master; back to the resource manager whenever the master does not answer, because a new one may
 * have come, or the job is over and its history tells the rest.
 */
#include "mr/client/client_internal.h"

#include <string.h>

#include "lib/base/buf.h"
#include "lib/model/ids.h"
#include "lib/model/limits.h"
#include "lib/os/clock.h"
#include "lib/wire/wire.h"

enum {
    HELD_MS = 20 * 1000,       /* how long a daemon may hold a call for want of news */
    HELD_MARGIN_MS = 5 * 1000, /* beyond it a call counts as lost */
    QUESTION_MAX_MS = 100      /* between two questions to a master with much news */
};

struct follower {
    struct mr_client *client;
    struct app_id app;
    mr_client_progressed *progressed;
    void *user;
    int64_t started_ms;

    struct arena *app_arena; /* holds report */
    struct rm_app_report report;
    struct arena *job_arena; /* holds job */
    struct am_job_report job;
    bool has_job;
    struct mr_client_outage rm_outage;
    struct mr_client_outage master_outage;
};

static bool job_is_over(const struct am_job_report *job)
{
    return job->state == JOB_SUCCEEDED || job->state == JOB_FAILED || job->state == JOB_KILLED;
}

static bool app_is_over(const struct rm_app_report *app)
{
    return app->state == APP_FINISHED || app->state == APP_FAILED || app->state == APP_KILLED;
}

static void tell(struct follower *follower)
{
    struct mr_client_progress progress = {.app = &follower->report,
                                          .job = follower->has_job ? &follower->job : NULL};
    if (follower->progressed != NULL)
        follower->progressed(follower->user, &progress);
}

/* --- the master ------------------------------------------------------------------------------- */

static void take_job(struct follower *follower,
                     struct arena *arena,
                     const struct am_job_report *job)
{
    arena_close(follower->job_arena);
    follower->job_arena = arena;
    follower->job = *job;
    follower->has_job = true;
}

/* A master answers each change; a short job is asked without pause, a long one seldom. */
static int64_t pause_ms(const struct follower *follower)
{
    int64_t part_ms = (clock_monotonic_ms() - follower->started_ms) / 50;
    return part_ms < QUESTION_MAX_MS ? part_ms : QUESTION_MAX_MS;
}

/* False when the resource manager must be asked. */
static bool ask_master(struct follower *follower)
{
    bool is_same = follower->has_job && follower->job.app_attempt == follower->report.app_attempt;
    struct am_get_job_request request = {.after_version = is_same ? follower->job.version : 0,
                                         .wait_ms = HELD_MS};
    struct arena *arena = arena_open(0);
    const void *response = NULL;
    struct error error = {0};
    enum status status =
        mr_client_call(follower->client, follower->report.tracking_address, METHOD_JOB_GET_JOB,
                       &request, HELD_MS + HELD_MARGIN_MS, arena, &response, &error);
    if (status != OK) {
        arena_close(arena);
        return false;
    }
    const struct am_job_report *job = &((const struct am_get_job_response *)response)->report;
    if (!app_id_equal(job->app, follower->app)) { /* another master has this address now */
        arena_close(arena);
        return false;
    }
    bool is_news = !is_same || job->version != follower->job.version;
    take_job(follower, arena, job);
    if (is_news)
        tell(follower);
    return true;
}

/* --- the resource manager --------------------------------------------------------------------- */

/* Takes the report; version 0 and wait 0: at once. */
static enum status ask_rm(struct follower *follower,
                          uint64_t after_version,
                          int64_t wait_ms,
                          struct error *reterr_error)
{
    struct rm_get_app_request request = {
        .app = follower->app, .after_version = after_version, .wait_ms = (uint64_t)wait_ms};
    struct arena *arena = arena_open(0);
    const void *response = NULL;
    enum status status =
        mr_client_call_rm(follower->client, METHOD_RESOURCE_MANAGER_GET_APP, &request,
                          wait_ms + HELD_MARGIN_MS, arena, &response, reterr_error);
    if (status != OK) {
        arena_close(arena);
        return status;
    }
    bool is_news =
        follower->report.version != ((const struct rm_get_app_response *)response)->report.version;
    arena_close(follower->app_arena);
    follower->app_arena = arena;
    follower->report = ((const struct rm_get_app_response *)response)->report;
    if (is_news)
        tell(follower);
    return OK;
}

/* --- the end ---------------------------------------------------------------------------------- */

static enum status read_history(struct follower *follower,
                                struct slice path,
                                struct error *reterr_error)
{
    struct buf bytes;
    struct arena *arena = arena_open(0);
    void *history = NULL;
    buf_open(&bytes, LIMIT_MESSAGE_BYTES);
    enum status status = dfs_read_file(follower->client->dfs, path, &bytes, reterr_error);
    if (status == OK)
        status =
            wire_unpack(&am_job_history_type, buf_slice(&bytes), arena, &history, reterr_error);
    buf_close(&bytes);
    if (status != OK) {
        arena_close(arena);
        return status;
    }
    take_job(follower, arena, &((const struct am_job_history *)history)->report);
    return OK;
}

static enum am_job_state final_state(const struct rm_app_report *app)
{
    if (app->state == APP_KILLED || app->final_status == FINAL_KILLED)
        return JOB_KILLED;
    return app->final_status == FINAL_SUCCEEDED ? JOB_SUCCEEDED : JOB_FAILED;
}

/* What the resource manager knows, over what a master told before it was gone. */
static void conclude(struct follower *follower)
{
    const struct rm_app_report *app = &follower->report;
    struct am_job_report *job = &follower->job;
    job->app = app->app;
    job->name = app->name;
    job->user = app->user;
    job->state = final_state(app);
    job->submitted_ms = app->submitted_ms;
    job->finished_ms = app->finished_ms;
    if (app->diagnostics.length > 0)
        job->diagnostics = app->diagnostics;
}

static void give_result(struct follower *follower,
                        bool is_complete,
                        struct arena *arena,
                        struct mr_client_result *ret_result)
{
    message_copy_into(&rm_app_report_type, &follower->report, &ret_result->app, arena);
    message_copy_into(&am_job_report_type, &follower->job, &ret_result->job, arena);
    ret_result->is_complete = is_complete;
}

/* The application is over, and its master did not say how. */
static void end_from_rm(struct follower *follower,
                        struct arena *arena,
                        struct mr_client_result *ret_result)
{
    struct error ignored;
    bool is_complete = false;
    if (follower->report.history_path.length > 0)
        is_complete = read_history(follower, follower->report.history_path, &ignored) == OK;
    if (!is_complete)
        conclude(follower);
    give_result(follower, is_complete, arena, ret_result);
}

/* The resource manager has forgotten it; histories stay longer. */
static enum status end_from_history(struct follower *follower,
                                    struct arena *arena,
                                    struct mr_client_result *ret_result,
                                    struct error *reterr_error)
{
    struct error ignored;
    struct slice path =
        arena_format(arena, "/.millrace/history/%s.pb", app_id_text(follower->app).text);
    if (read_history(follower, path, &ignored) != OK)
        return mr_client_blame(follower->client, MR_CLIENT_FAULT_JOB,
                               error_set(reterr_error, ERR_NOT_FOUND,
                                         "the cluster knows no %s, and there is no history of it",
                                         app_id_text(follower->app).text));
    give_result(follower, true, arena, ret_result);
    return OK;
}

/* --- the loop --------------------------------------------------------------------------------- */

/* One question to the resource manager; OK also when it is away but waited for. */
static enum status step_rm(struct follower *follower, struct error *reterr_error)
{
    bool is_lost = follower->master_outage.since_ms != 0;
    /* A master that does not answer: its successor is news; until then it is tried again soon. */
    int64_t wait_ms = is_lost ? follower->master_outage.backoff_ms : HELD_MS;
    /* One that was restarted counts versions anew. */
    uint64_t after_version = follower->rm_outage.since_ms != 0 ? 0 : follower->report.version;
    enum status status = ask_rm(follower, after_version, wait_ms, reterr_error);
    if (status == OK) {
        mr_client_outage_over(follower->client, &follower->rm_outage, "resource manager");
        return OK;
    }
    if (!mr_client_may_pass(status))
        return mr_client_blame(follower->client, MR_CLIENT_FAULT_REFUSED, status);
    if (mr_client_outage_wait(follower->client, &follower->rm_outage, "resource manager",
                              reterr_error))
        return OK;
    return mr_client_blame(follower->client, MR_CLIENT_FAULT_CLUSTER, reterr_error->status);
}

static void lose_master(struct follower *follower)
{
    struct mr_client_outage *outage = &follower->master_outage;
    outage->since_ms = clock_monotonic_ms();
    outage->backoff_ms = outage->backoff_ms == 0 ? 20 : outage->backoff_ms * 2;
    if (outage->backoff_ms > MR_CLIENT_BACKOFF_MAX_MS)
        outage->backoff_ms = MR_CLIENT_BACKOFF_MAX_MS;
}

static enum status follow(struct follower *follower,
                          struct arena *arena,
                          struct mr_client_result *ret_result,
                          struct error *reterr_error)
{
    for (;;) {
        if (mr_client_is_cancelled(follower->client))
            return mr_client_blame(follower->client, MR_CLIENT_FAULT_CANCELLED,
                                   error_set(reterr_error, ERR_CANCELLED, "given up"));
        if (follower->report.tracking_address.length > 0) {
            if (ask_master(follower)) {
                follower->master_outage = (struct mr_client_outage){0};
                if (job_is_over(&follower->job)) {
                    give_result(follower, true, arena, ret_result);
                    return OK;
                }
                status_ignore(
                    mr_client_pause(follower->client, pause_ms(follower)) ? OK : ERR_CANCELLED);
                continue;
            }
            lose_master(follower);
        }
        enum status status = step_rm(follower, reterr_error);
        if (status == ERR_NOT_FOUND)
            return end_from_history(follower, arena, ret_result, reterr_error);
        if (status != OK)
            return status;
        if (app_is_over(&follower->report)) {
            end_from_rm(follower, arena, ret_result);
            return OK;
        }
    }
}

enum status mr_client_follow(struct mr_client *client,
                             struct app_id app,
                             mr_client_progressed *progressed,
                             void *user,
                             struct arena *arena,
                             struct mr_client_result *ret_result,
                             struct error *reterr_error)
{
    struct follower follower = {
        .client = client,
        .app = app,
        .progressed = progressed,
        .user = user,
        .started_ms = clock_monotonic_ms(),
    };
    enum status status = follow(&follower, arena, ret_result, reterr_error);
    arena_close(follower.app_arena);
    arena_close(follower.job_arena);
    return status;
}
