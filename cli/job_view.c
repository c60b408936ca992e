/*
 * job_view.c - finds and shows what is known of one application.
 */
#include "cli/job_view.h"

#include <inttypes.h>
#include <stdio.h>

#include "cli/table.h"
#include "dfs/client/dfs.h"
#include "lib/model/ids.h"
#include "lib/model/message.h"
#include "lib/model/text.h"
#include "lib/os/clock.h"
#include "lib/services/calls.h"
#include "lib/wire/wire.h"

enum {
    MASTER_CALL_MS = 3000,   /* a master that is being replaced does not answer */
    HISTORY_WAIT_MS = 10000, /* for a namenode that is just restarting */
    HISTORY_BYTES_MAX = 64 * 1024 * 1024
};

static const char *const source_names[] = {
    [JOB_VIEW_NONE] = "none",
    [JOB_VIEW_MASTER] = "master",
    [JOB_VIEW_HISTORY] = "history",
};

enum status job_view_parse_id(const char *text, struct app_id *ret_app, struct error *reterr_error)
{
    struct slice whole = slice_from_string(text);
    if (app_id_parse(whole, ret_app) || app_id_parse_job(whole, ret_app))
        return OK;
    return error_set(reterr_error, ERR_INVALID,
                     "%s is no application's id: it looks like application_1700000000000_0001",
                     text_quote(whole).text);
}

bool job_view_is_over(const struct rm_app_report *app)
{
    return app->state == APP_FINISHED || app->state == APP_FAILED || app->state == APP_KILLED;
}

/* --- asking ---------------------------------------------------------------------------------- */

static enum status ask_master(struct cli_session *session, struct job_view *view)
{
    struct service_target target;
    const struct am_get_job_request job_request = {0};
    const struct am_list_attempts_request attempts_request = {0};
    const struct am_get_job_response *job = NULL;
    const struct am_list_attempts_response *attempts = NULL;
    enum status status =
        cli_session_target_at(session, view->app->tracking_address, &target, &view->job_error);
    if (status != OK)
        return status;
    target.timeout_ms = MASTER_CALL_MS;
    status = services_job_get_job(&target, &job_request, &job, &view->job_error);
    if (status == OK)
        status =
            services_job_list_attempts(&target, &attempts_request, &attempts, &view->job_error);
    if (status != OK)
        return error_prefix(&view->job_error, status, "ask the job's master");
    view->source = JOB_VIEW_MASTER;
    view->job = &job->report;
    view->attempts = attempts->attempts;
    view->attempts_count = attempts->attempts_count;
    return OK;
}

static enum status read_history(struct cli_session *session, struct job_view *view)
{
    struct arena *arena = cli_session_arena(session);
    struct dfs *dfs = NULL;
    struct buf bytes;
    void *message = NULL;
    struct dfs_settings settings = {
        .token = (const char *)cli_session_token(session).data,
        .deadline_ms = HISTORY_WAIT_MS,
    };
    buf_open(&bytes, HISTORY_BYTES_MAX);
    enum status status = cluster_rpc_address(cli_session_cluster(session), "namenode",
                                             &settings.namenode_address, &view->job_error);
    if (status == OK)
        status = dfs_open(&settings, &dfs, &view->job_error);
    if (status == OK)
        status = dfs_read_file(dfs, view->app->history_path, &bytes, &view->job_error);
    if (status == OK)
        status =
            wire_unpack(&am_job_history_type, buf_slice(&bytes), arena, &message, &view->job_error);
    dfs_close(dfs);
    buf_close(&bytes);
    if (status != OK)
        return error_prefix(&view->job_error, status, "read the job's history");
    const struct am_job_history *history = message;
    view->source = JOB_VIEW_HISTORY;
    view->job = &history->report;
    view->spec = &history->job;
    view->attempts = history->attempts;
    view->attempts_count = history->attempts_count;
    return OK;
}

enum status job_view_get(struct cli_session *session,
                         struct app_id app,
                         struct job_view *ret_view,
                         struct error *reterr_error)
{
    struct service_target target;
    const struct rm_get_app_request request = {.app = app};
    const struct rm_get_app_response *response = NULL;
    enum status status = cli_session_target(session, "rm", &target, reterr_error);
    if (status == OK)
        status = services_resource_manager_get_app(&target, &request, &response, reterr_error);
    if (status != OK)
        return status;
    *ret_view = (struct job_view){.app = &response->report};
    if (job_view_is_over(ret_view->app) && ret_view->app->history_path.length > 0)
        status = read_history(session, ret_view);
    else if (!job_view_is_over(ret_view->app) && ret_view->app->tracking_address.length > 0)
        status = ask_master(session, ret_view);
    else
        status = error_set(&ret_view->job_error, ERR_NOT_FOUND, "%s",
                           job_view_is_over(ret_view->app) ? "it left no history"
                                                           : "its master does not run yet");
    status_ignore(status); /* source and job_error tell */
    return OK;
}

/* --- for people ------------------------------------------------------------------------------ */

static void print_row(const char *name, struct slice text)
{
    if (text.length > 0)
        printf("%-12s %.*s\n", name, SLICE_ARGS(text));
}

/* Of several lines, each indented like the first. */
static void print_text(const char *name, struct slice text)
{
    while (text.length > 0) {
        size_t end = slice_find(text, '\n');
        printf("%-12s %.*s\n", name, SLICE_ARGS(slice_sub(text, 0, end)));
        size_t skip = end < text.length ? end + 1 : end;
        text = slice_sub(text, skip, text.length - skip);
        name = "";
    }
}

/* "KILLED" of "APP_KILLED" */
static const char *after_underscore(const char *name)
{
    const char *at = name;
    while (*at != '\0' && *at != '_')
        at++;
    return *at == '_' ? at + 1 : name;
}

static uint64_t elapsed_ms(const struct rm_app_report *app)
{
    uint64_t begin = app->started_ms > 0 ? app->started_ms : app->submitted_ms;
    uint64_t end = app->finished_ms > 0 ? app->finished_ms : (uint64_t)clock_wall_ms();
    return end > begin ? end - begin : 0;
}

static void print_app(const struct rm_app_report *app)
{
    printf("%-12s %s\n", "Application", app_id_text(app->app).text);
    print_row("Name", app->name);
    print_row("User", app->user);
    print_row("Queue", app->queue);
    printf("%-12s %s", "State", after_underscore(rm_app_state_name(app->state)));
    if (app->final_status != FINAL_UNDEFINED)
        printf(", %s", after_underscore(rm_final_status_name(app->final_status)));
    if (app->app_attempt > 1)
        printf(", attempt %" PRIu32 " of its master", app->app_attempt);
    printf("\n%-12s %s UTC\n", "Submitted", cli_time(app->submitted_ms).text);
    if (app->finished_ms > 0)
        printf("%-12s %s UTC\n", "Finished", cli_time(app->finished_ms).text);
    printf("%-12s %s\n", "Elapsed", cli_duration(elapsed_ms(app)).text);
}

static void print_phase(
    const char *name, uint32_t done, uint32_t total, uint32_t running, float part)
{
    printf("%-12s %" PRIu32 " of %" PRIu32 " done, %" PRIu32 " running, %s\n", name, done, total,
           running, cli_percent(part).text);
}

static void print_job(const struct am_job_report *job)
{
    printf("%-12s %s\n", "Job", after_underscore(am_job_state_name(job->state)));
    print_phase("Maps", job->maps_done, job->maps_total, job->maps_running, job->map_progress);
    print_phase("Reduces", job->reduces_done, job->reduces_total, job->reduces_running,
                job->reduce_progress);
    printf("%-12s %" PRIu32 " on the node of their data, %" PRIu32 " on its rack, %" PRIu32
           " elsewhere\n",
           "Locality", job->maps_node_local, job->maps_rack_local, job->maps_off_rack);
    if (job->attempts_failed + job->attempts_killed + job->attempts_lost + job->maps_rerun > 0)
        printf("%-12s %" PRIu32 " attempts failed, %" PRIu32 " killed, %" PRIu32 " lost; %" PRIu32
               " finished maps run again\n",
               "Trouble", job->attempts_failed, job->attempts_killed, job->attempts_lost,
               job->maps_rerun);
    print_row("Output", job->output);
}

void job_view_print(const struct job_view *view)
{
    print_app(view->app);
    if (view->job != NULL)
        print_job(view->job);
    print_text("Diagnostics", view->app->diagnostics.length > 0 || view->job == NULL
                                  ? view->app->diagnostics
                                  : view->job->diagnostics);
}

void job_view_print_counters(const struct job_view *view)
{
    static const char *const titles[] = {"COUNTER", ">VALUE", NULL};
    if (view->job == NULL || view->job->counters_count == 0)
        return;
    struct cli_table *table = cli_table_open(titles);
    for (size_t i = 0; i < view->job->counters_count; i++) {
        const struct counter *counter = &view->job->counters[i];
        cli_table_add_format(table, "%.*s.%.*s", SLICE_ARGS(counter->group),
                             SLICE_ARGS(counter->name));
        cli_table_add_format(table, "%" PRIu64, counter->value);
    }
    cli_table_print(table, 0);
    cli_table_close(table);
}

void job_view_print_attempts(const struct job_view *view)
{
    static const char *const titles[] = {"ATTEMPT",   "STATE", ">PROGRESS", "NODE",
                                         "CONTAINER", ">TIME", "STATUS",    NULL};
    struct cli_table *table = cli_table_open(titles);
    for (size_t i = 0; i < view->attempts_count; i++) {
        const struct am_attempt_report *row = &view->attempts[i];
        uint64_t end = row->finished_ms > 0 ? row->finished_ms : (uint64_t)clock_wall_ms();
        bool has_time = row->started_ms > 0 && end >= row->started_ms;
        cli_table_add_string(table, attempt_id_text(row->attempt).text);
        cli_table_add_string(table, after_underscore(am_attempt_state_name(row->state)));
        cli_table_add_string(table, cli_percent(row->progress).text);
        cli_table_add(table, row->node.host);
        cli_table_add_string(table, container_id_is_none(row->container)
                                        ? ""
                                        : container_id_text(row->container).text);
        cli_table_add_string(table, has_time ? cli_duration(end - row->started_ms).text : "");
        cli_table_add(table, row->diagnostics.length > 0 ? row->diagnostics : row->status);
    }
    cli_table_print(table, 0);
    cli_table_close(table);
}

/* --- for programs ---------------------------------------------------------------------------- */

static enum status append_member(struct buf *json,
                                 const char *name,
                                 const struct message_type *type,
                                 const void *message)
{
    enum status status = buf_append_format(json, ",\n \"%s\": ", name);
    if (status == OK && message == NULL)
        return buf_append_format(json, "null");
    return status == OK ? message_print_json(type, message, json) : status;
}

enum status job_view_append_json(const struct job_view *view, struct buf *json)
{
    enum status status =
        buf_append_format(json, "{\"id\": \"%s\", \"state\": \"%s\", \"source\": \"%s\"",
                          app_id_text(view->app->app).text, rm_app_state_name(view->app->state),
                          source_names[view->source]);
    if (status == OK)
        status = append_member(json, "application", &rm_app_report_type, view->app);
    if (status == OK)
        status = append_member(json, "job", &am_job_report_type, view->job);
    if (status == OK)
        status = append_member(json, "spec", &am_job_spec_type, view->spec);
    if (status == OK)
        status = buf_append_format(json, ",\n \"attempts\": [");
    for (size_t i = 0; i < view->attempts_count && status == OK; i++) {
        const struct am_attempt_report *row = &view->attempts[i];
        status = buf_append_format(
            json, "%s\n  {\"id\": \"%s\", \"container_id\": \"%s\", \"report\": ", i > 0 ? "," : "",
            attempt_id_text(row->attempt).text,
            container_id_is_none(row->container) ? "" : container_id_text(row->container).text);
        if (status == OK)
            status = message_print_json(&am_attempt_report_type, row, json);
        if (status == OK)
            status = buf_append_format(json, "}");
    }
    return status == OK ? buf_append_format(json, "]}\n") : status;
}
