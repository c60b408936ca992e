/*
 * commit.c - the end of a job: one transaction that publishes the whole output, then history, then
 * good-bye to the resource manager.
 * Owns is_finishing, finish_step, finish_out. Invariant: AM-4 of appmaster.h.
 * Called from appmaster_step only.
 */
#include "appmaster/core/appmaster_internal.h"

#include "lib/base/check.h"

/*
 * The staging folder goes last: should this master die before the resource manager has heard of the
 * end, the next attempt needs the job's files from it.
 */
enum finish_step {
    FINISH_HISTORY,
    FINISH_SAY,
    FINISH_CLEAN,
    FINISH_DONE
};

enum {
    EXIT_FENCED = 3
};

static uint64_t client_id(const struct appmaster *am)
{
    return am->settings.app.cluster_timestamp ^ am->settings.app.sequence;
}

static struct slice app_name(const struct appmaster *am, struct arena *arena)
{
    return arena_format(arena, "application_%llu_%04u",
                        (unsigned long long)am->settings.app.cluster_timestamp,
                        am->settings.app.sequence);
}

/* --- publish ------------------------------------------------------------------------------------
 */
static void publish(struct appmaster *am, struct actions *actions)
{
    const struct am_job_spec *job = &am->settings.job;
    bool is_map_only = am->reduces_count == 0;
    const struct appmaster_task *tasks = is_map_only ? am->maps : am->reduces;
    size_t count = is_map_only ? am->maps_count : am->reduces_count;
    struct dfs_publish_entry *entries =
        ARENA_ARRAY(actions->arena, struct dfs_publish_entry, count + 1);
    for (size_t i = 0; i < count; i++) {
        const struct appmaster_attempt *winner = tasks[i].winner;
        CHECK(winner != NULL);
        entries[i] = (struct dfs_publish_entry){
            .source = winner->output_path,
            .file_id = winner->output_file_id,
            .length = winner->output_length,
            .name = arena_format(actions->arena, "part-%c-%05u", is_map_only ? 'm' : 'r',
                                 tasks[i].index),
        };
    }
    struct dfs_publish_output_request request = {
        .client_id = client_id(am),
        .request_id = 1000000 + (uint64_t)am->settings.app_attempt, /* beside the fences' */
        .key = app_name(am, actions->arena),
        .epoch = am->settings.app_attempt,
        .destination = job->output,
        .entries = entries,
        .entries_count = count,
        .write_success = true,
        .permission = 0755,
    };
    appmaster_namenode_call(am, METHOD_NAMENODE_PUBLISH_OUTPUT, &request, actions);
}

static void published(struct appmaster *am, const struct event *event, struct actions *actions)
{
    if (event->status == OK) {
        CHECK(appmaster_job_apply(am, JE_PUBLISHED, actions));
    } else if (event->status == ERR_FENCED) {
        trace_emit(actions->trace, "master is fenced: %.*s", SLICE_ARGS(event->text));
        actions_exit(actions, EXIT_FENCED);
    } else {
        appmaster_job_fail(am,
                           arena_format(actions->arena, "cannot publish the output %.*s: %.*s",
                                        SLICE_ARGS(am->settings.job.output),
                                        SLICE_ARGS(event->text)),
                           actions);
    }
}

/* --- after the end ------------------------------------------------------------------------------
 */
static void clean(struct appmaster *am, struct actions *actions)
{
    struct dfs_delete_request request = {
        .client_id = client_id(am),
        .request_id = 2000000 + (uint64_t)am->settings.app_attempt,
        .path = am->settings.job.staging,
        .recursive = true,
    };
    if (am->journal_out)
        return; /* what it writes is in the folder */
    if (request.path.length == 0) {
        am->finish_step = FINISH_DONE;
        actions_exit(actions, 0);
    } else if (appmaster_namenode_is_ready(am)) {
        appmaster_namenode_call(am, METHOD_NAMENODE_DELETE, &request, actions);
    }
}

static void write_history(struct appmaster *am, struct actions *actions)
{
    struct am_job_history *history = ARENA_NEW(actions->arena, struct am_job_history);
    struct am_list_attempts_response attempts = {0};
    appmaster_report_make(am, actions->arena, &history->report);
    appmaster_attempts_make(am, actions->arena, &attempts);
    history->job = am->settings.job;
    history->attempts = attempts.attempts;
    history->attempts_count = attempts.attempts_count;
    am->finish_out = true;
    actions_effect(actions, APPMASTER_TAG_HISTORY, APPMASTER_WRITE_HISTORY, history);
}

static void say(struct appmaster *am, struct actions *actions)
{
    static const enum rm_final_status finals[AM_JOB_STATE_COUNT] = {
        [JOB_SUCCEEDED] = FINAL_SUCCEEDED,
        [JOB_FAILED] = FINAL_FAILED,
        [JOB_KILLED] = FINAL_KILLED,
    };
    struct rm_finish_master_request request = {
        .app = am->settings.app,
        .app_attempt = am->settings.app_attempt,
        .final_status = finals[am->job],
        .diagnostics = am->diagnostics,
        .history_path = am->settings.history_path,
    };
    if (!am->is_registered || am->now_ms < am->rm_at_ms)
        return; /* after a restart the resource manager must know us first */
    am->finish_out = true;
    actions_call(actions, APPMASTER_TAG_FINISH, am->settings.rm_address,
                 METHOD_MASTER_TRACKER_FINISH_MASTER, &request, am->settings.call_timeout_ms);
}

static bool output_is_complete(const struct appmaster *am)
{
    return am->reduces_count > 0 ? am->reduces_done == am->reduces_count
                                 : am->maps_done == am->maps_count;
}

void appmaster_commit_advance(struct appmaster *am, struct actions *actions)
{
    if (am->job == JOB_RUNNING && output_is_complete(am))
        CHECK(appmaster_job_apply(am, JE_TASKS_DONE, actions));
    if (am->job == JOB_COMMITTING && appmaster_namenode_is_ready(am))
        publish(am, actions);
    if (!appmaster_job_is_over(am) || am->finish_out)
        return;
    am->is_finishing = true;
    if (am->finish_step == FINISH_HISTORY)
        write_history(am, actions);
    else if (am->finish_step == FINISH_SAY)
        say(am, actions);
    else if (am->finish_step == FINISH_CLEAN)
        clean(am, actions);
}

void appmaster_commit_response(struct appmaster *am,
                               const struct event *event,
                               struct actions *actions)
{
    if (appmaster_namenode_retry(am, event, actions))
        return;
    if (event->method == METHOD_NAMENODE_PUBLISH_OUTPUT)
        published(am, event, actions);
    else if (event->method == METHOD_NAMENODE_DELETE && am->finish_step == FINISH_CLEAN) {
        am->finish_step = FINISH_DONE; /* what cannot be removed now is no reason to fail */
        actions_exit(actions, 0);
    }
}

void appmaster_finish_response(struct appmaster *am,
                               const struct event *event,
                               struct actions *actions)
{
    am->finish_out = false;
    if (am->finish_step == FINISH_HISTORY) {
        if (event->status != OK)
            trace_emit(actions->trace, "history was not written: %.*s", SLICE_ARGS(event->text));
        am->finish_step = FINISH_SAY;
        return;
    }
    if (event->status == ERR_FENCED) { /* the files are the next attempt's now */
        am->finish_step = FINISH_DONE;
        actions_exit(actions, 0);
        return;
    }
    if (event->status == OK || event->status == ERR_NOT_FOUND) {
        am->finish_step = FINISH_CLEAN;
        return;
    }
    if (event->status == ERR_STALE || event->status == ERR_BAD_TRANSITION)
        am->is_registered = false;
    am->rm_at_ms = am->now_ms + appmaster_backoff(am, &am->rm_backoff_ms);
}
