/*
 * applications.c - the life of an application from submission until it is no longer remembered.
 * Owns rm.apps, rm.requests, rm.finished and the reports (RM-1, RM-2, RM-12).
 * States: docs/states/rm_application.dot.
 */
#include "lib/base/check.h"
#include "lib/base/mem.h"
#include "lib/base/varint.h"
#include "lib/model/limits.h"
#include "lib/model/text.h"
#include "rm/core/state.h"

static const struct transition_row app_rows[] = {
    {APP_NEW,       RM_APP_SUBMIT,            APP_SUBMITTED, NULL},
    {APP_SUBMITTED, RM_APP_ACCEPT,            APP_ACCEPTED,  NULL},
    {APP_ACCEPTED,  RM_APP_MASTER_REGISTERED, APP_RUNNING,   NULL},
    {APP_ACCEPTED,  RM_APP_MASTER_LOST,       APP_ACCEPTED,  NULL},
    {APP_ACCEPTED,  RM_APP_FINISH,            APP_FINISHED,  NULL},
    {APP_ACCEPTED,  RM_APP_FAIL,              APP_FAILED,    NULL},
    {APP_ACCEPTED,  RM_APP_KILL,              APP_KILLED,    NULL},
    {APP_RUNNING,   RM_APP_MASTER_LOST,       APP_ACCEPTED,  NULL},
    {APP_RUNNING,   RM_APP_FINISH,            APP_FINISHED,  NULL},
    {APP_RUNNING,   RM_APP_FAIL,              APP_FAILED,    NULL},
    {APP_RUNNING,   RM_APP_KILL,              APP_KILLED,    NULL},
};

#define RM_STATE_NAME(constant, name) name,

static const char *const app_state_names[] = {"NEW",      "SUBMITTED", "ACCEPTED", "RUNNING",
                                              "FINISHED", "FAILED",    "KILLED"};
_Static_assert(sizeof(app_state_names) / sizeof(app_state_names[0]) == RM_APP_STATE_COUNT,
               "one name for each rm.AppState");

static const char *const app_event_names[] = {RM_APP_EVENT_LIST(RM_STATE_NAME)};

const struct transition_table rm_app_table = {
    .name = "rm_application",
    .rows = app_rows,
    .count = sizeof(app_rows) / sizeof(app_rows[0]),
    .state_names = app_state_names,
    .state_count = RM_APP_STATE_COUNT,
    .event_names = app_event_names,
    .event_count = RM_APP_EVENT_COUNT,
};

enum {
    REQUEST_KEY_BYTES = 16,
    DIAGNOSTICS_OF_KILL_BYTES = 1024
};

struct request_key {
    uint8_t data[REQUEST_KEY_BYTES];
};

static struct request_key request_key_of(const struct rm_submit_app_request *submission)
{
    struct request_key key;
    fixed_put_u64(key.data, submission->client_id);
    fixed_put_u64(key.data + 8, submission->request_id);
    return key;
}

/* --- the table of applications --------------------------------------------------------------- */
struct rm_app *rm_app_find(const struct rm *rm, struct app_id id)
{
    if (id.cluster_timestamp != rm->cluster_timestamp)
        return NULL;
    return map_u64_get(rm->apps, id.sequence);
}

bool rm_app_is_over(const struct rm_app *app)
{
    return app->state == APP_FINISHED || app->state == APP_FAILED || app->state == APP_KILLED;
}

struct rm_app *rm_app_new(struct rm *rm, struct app_id id)
{
    struct rm_app *app = MEM_NEW(struct rm_app);
    app->arena = arena_open(0);
    app->report.app = id;
    app->nodes = map_u64_open();
    rm_attempt_open(&app->attempt, app);
    CHECK(map_u64_put(rm->apps, id.sequence, app) == NULL);
    if (id.sequence > rm->app_sequence)
        rm->app_sequence = id.sequence;
    return app;
}

void rm_app_free(struct rm *rm, struct rm_app *app)
{
    CHECK(app->allocations.count == 0);
    struct request_key key = request_key_of(&app->submission);
    struct slice request = slice_make(key.data, sizeof(key.data));
    if (map_get(rm->requests, request) == app)
        (void)map_remove(rm->requests, request);
    rm_asks_clear(rm, app);
    rm_reserve_clear(rm, &app->attempt.reserve);
    rm_queue_leave(rm, app);
    list_remove(&app->waiting_link);
    while (app->waiters.first != NULL)
        rm_hold_close(rm, app->waiters.first->object);
    rm_attempt_close(rm, &app->attempt);
    list_remove(&app->news_link);
    list_remove(&app->changed_link);
    list_remove(&app->finished_link);
    (void)map_u64_remove(rm->apps, app->report.app.sequence);
    map_u64_close(app->nodes);
    arena_close(app->asks_arena);
    arena_close(app->arena);
    mem_free(app);
}

void rm_app_remember_request(struct rm *rm, struct rm_app *app)
{
    if (app->submission.client_id == 0)
        return; /* a caller that does not repeat itself */
    struct request_key key = request_key_of(&app->submission);
    (void)map_put(rm->requests, slice_make(key.data, sizeof(key.data)), app);
}

void rm_app_prune(struct rm *rm)
{
    struct list_node *next;
    for (struct list_node *link = rm->finished.first;
         link != NULL && rm->finished.count > rm->settings.finished_apps_max; link = next) {
        next = link->next;
        struct rm_app *app = link->object;
        if (app->allocations.count > 0)
            continue;
        struct journal_app_remove record = {.app = app->report.app};
        actions_journal(rm->actions, &journal_app_remove_type, &record);
        rm_app_free(rm, app);
    }
}

/* --- changes --------------------------------------------------------------------------------- */
void rm_app_apply(struct rm *rm, struct rm_app *app, enum rm_app_event event)
{
    int before = app->state;
    CHECK(transition_apply(&rm_app_table, &app->state, (int)event, app, rm) == OK);
    app->report.state = (enum rm_app_state)app->state;
    trace_emit(rm->actions->trace, "app %s %s->%s", app_id_text(app->report.app).text,
               app_state_names[before], app_state_names[app->state]);
    rm_app_changed(rm, app);
}

void rm_app_changed(struct rm *rm, struct rm_app *app)
{
    app->report.version++;
    if (!list_node_is_listed(&app->changed_link))
        list_append(&rm->changed_apps, &app->changed_link, app);
}

void rm_app_journal(struct rm *rm, const struct rm_app *app)
{
    struct journal_app_state_changed record = {.report = app->report,
                                               .master_failures = app->master_failures,
                                               .is_master_launched = app->is_master_launched,
                                               .is_kill_asked = app->is_kill_asked};
    actions_journal(rm->actions, &journal_app_state_changed_type, &record);
}

void rm_app_add_diagnostics(struct rm_app *app, struct slice text)
{
    if (text.length == 0)
        return;
    struct slice old = app->report.diagnostics;
    struct slice both = text;
    if (old.length > 0)
        both = arena_format(app->arena, "%.*s\n%.*s", SLICE_ARGS(old), SLICE_ARGS(text));
    /* The latest says most about the end; the oldest lines go when there are too many. */
    both = text_cut_front(text_clean(both, app->arena), LIMIT_DIAGNOSTICS_BYTES);
    app->report.diagnostics = arena_copy(app->arena, both);
}

void rm_app_end(struct rm *rm,
                struct rm_app *app,
                enum rm_app_event event,
                enum rm_final_status final_status,
                struct slice diagnostics,
                bool keep_master)
{
    rm_app_add_diagnostics(app, diagnostics);
    app->report.final_status = final_status;
    app->report.finished_ms = (uint64_t)rm->wall_ms;
    if (final_status == FINAL_SUCCEEDED)
        app->report.progress = 1;
    rm_app_apply(rm, app, event);
    if (app->attempt.state != RM_ATTEMPT_OVER)
        rm_attempt_apply(rm, app, RM_ATTEMPT_ENDED);
    rm_answer_clear(rm, app);
    rm_asks_clear(rm, app);
    rm_reserve_clear(rm, &app->attempt.reserve);
    rm_scheduler_forget_app(rm, app);
    rm_queue_count_app(rm, app);
    rm_timer_clear(rm, &app->attempt.timer);
    rm_timer_clear(rm, &app->attempt.kill_timer);
    struct list_node *next;
    for (struct list_node *link = app->allocations.first; link != NULL; link = next) {
        next = link->next;
        struct rm_allocation *allocation = link->object;
        if (keep_master && allocation == app->attempt.master)
            rm_timer_set(rm, &app->attempt.timer, rm->now_ms + rm->settings.kill_grace_ms);
        else
            rm_allocation_kill(rm, allocation, 0, NULL);
    }
    size_t cursor = 0;
    void *value;
    while (map_u64_next(app->nodes, &cursor, NULL, &value)) {
        struct rm_node *node = value;
        if (!rm_node_has_app(node, app->report.app))
            rm_command_forget(rm, node, app->report.app);
    }
    if (resource_is_zero(app->used))
        rm_queue_leave(rm, app);
    rm->live_count--;
    list_append(&rm->finished, &app->finished_link, app);
    rm_app_journal(rm, app);
}

/* --- the calls of ResourceManager ------------------------------------------------------------ */
bool rm_user_is_admin(const struct rm *rm, struct slice user)
{
    return slice_equal_string(user, RM_DAEMON_USER) ||
           (rm->settings.admin_user.length > 0 && slice_equal(user, rm->settings.admin_user));
}

bool rm_app_may_kill(const struct rm *rm, const struct rm_app *app, const struct event *event)
{
    return rm_user_is_admin(rm, event->user) || slice_equal(event->user, app->report.user) ||
           (app->queue != NULL && rm_queue_may_administer(rm, app->queue, event));
}

/* NULL, or why the submission is refused. */
static const char *submission_fault(const struct rm *rm,
                                    struct slice user,
                                    const struct rm_submit_app_request *request,
                                    enum status *ret_status)
{
    *ret_status = ERR_INVALID;
    if (user.length == 0 || user.length > LIMIT_OWNER_BYTES || !text_is_clean(user))
        return "the user's name is empty, too long or not text";
    if (request->name.length > LIMIT_APP_NAME_BYTES)
        return "the application's name is too long";
    if (request->master.arguments_count == 0)
        return "the submission names no program for the master";
    if (request->priority > LIMIT_PRIORITY)
        return "the priority is too high";
    if (!resource_is_zero(request->master_resource) &&
        (request->master_resource.memory_bytes == 0 || request->master_resource.vcores == 0))
        return "the master's resource lacks memory or vcores";
    if (!resource_is_zero(rm->settings.container_max) &&
        !resource_fits(request->master_resource, rm->settings.container_max))
        return "the master's resource is above the largest container";
    *ret_status = ERR_LIMIT;
    if (request->master.arguments_count > LIMIT_ARGUMENTS ||
        request->master.environment_count > LIMIT_ENVIRONMENT ||
        request->master.resources_count > LIMIT_LOCAL_RESOURCES)
        return "the master's launch has too many parts";
    if (rm->live_count >= rm->settings.live_apps_max)
        return "too many applications are waiting or running";
    return NULL;
}

struct rm_queue *rm_queue_admit(struct rm *rm, const struct event *event, struct slice path)
{
    if (path.length == 0)
        path = slice_from_string(RM_QUEUE_DEFAULT);
    struct rm_queue *queue = rm_queue_find(rm, path);
    const char *name = text_quote(path).text;
    if (queue == NULL) {
        actions_fail(rm->actions, event->call, ERR_NOT_FOUND,
                     "unknown queue %s; \"mradmin queues\" lists what there is", name);
    } else if (!rm_queue_is_leaf(queue)) {
        actions_fail(rm->actions, event->call, ERR_INVALID,
                     "queue %s has queues below it; name one of these", name);
    } else if (!rm_queue_may_submit(rm, queue, event)) {
        actions_fail(rm->actions, event->call, ERR_DENIED, "%s may not submit to queue %s",
                     text_quote(event->user).text, name);
    } else if (queue->is_stopped || queue->is_draining) {
        actions_fail(rm->actions, event->call, ERR_BAD_TRANSITION, "queue %s is %s", name,
                     queue->is_stopped ? "stopped" : "draining and takes no new application");
    } else {
        return queue;
    }
    return NULL;
}

static bool is_at_or_below(const struct rm_queue *queue, const struct rm_queue *ancestor)
{
    while (queue != NULL && queue != ancestor)
        queue = queue->parent;
    return queue != NULL;
}

bool rm_queue_has_place(struct rm *rm,
                        const struct event *event,
                        const struct rm_queue *queue,
                        const struct rm_queue *from)
{
    for (; queue != NULL; queue = queue->parent) {
        if (is_at_or_below(from, queue) || queue->spec.max_apps == 0 ||
            queue->live_count < queue->spec.max_apps)
            continue;
        actions_fail(rm->actions, event->call, ERR_LIMIT,
                     "queue %s is full: it has %zu applications, and max_apps is %u",
                     text_quote(queue->path).text, queue->live_count,
                     (unsigned)queue->spec.max_apps);
        return false;
    }
    return true;
}

static bool queue_admits(struct rm *rm, const struct event *event)
{
    const struct rm_submit_app_request *request = event->message;
    const struct rm_queue *queue = rm_queue_admit(rm, event, request->queue);
    if (queue == NULL || !rm_queue_has_place(rm, event, queue, NULL))
        return false;
    if (request->priority > queue->priority_max) {
        actions_fail(rm->actions, event->call, ERR_LIMIT,
                     "priority %u is above %u, the highest in queue %s",
                     (unsigned)request->priority, (unsigned)queue->priority_max,
                     text_quote(queue->path).text);
        return false;
    }
    return true;
}

static struct rm_app *app_create(struct rm *rm, const struct event *event)
{
    struct app_id id = {.cluster_timestamp = rm->cluster_timestamp,
                        .sequence = rm->app_sequence + 1};
    struct rm_app *app = rm_app_new(rm, id);
    message_copy_into(&rm_submit_app_request_type, event->message, &app->submission, app->arena);
    struct rm_submit_app_request *submission = &app->submission;
    if (submission->queue.length == 0)
        submission->queue = slice_from_string(RM_QUEUE_DEFAULT);
    if (resource_is_zero(submission->master_resource))
        submission->master_resource = rm->settings.master_resource;
    if (submission->master_attempts_max == 0 ||
        submission->master_attempts_max > rm->settings.master_attempts_max)
        submission->master_attempts_max = rm->settings.master_attempts_max;
    app->report.name = submission->name;
    app->report.user = arena_copy(app->arena, event->user);
    app->report.queue = submission->queue;
    app->report.priority = submission->priority;
    app->report.submitted_ms = (uint64_t)event->wall_ms;
    app->report.app_attempt = 1;
    /* Versions of a later epoch are above all of an earlier one: progress is not journaled. */
    app->report.version = (uint64_t)rm->epoch << 32;
    return app;
}

void rm_app_submit(struct rm *rm, const struct event *event)
{
    const struct rm_submit_app_request *request = event->message;
    struct request_key key = request_key_of(request);
    struct rm_app *known = request->client_id == 0
                               ? NULL
                               : map_get(rm->requests, slice_make(key.data, sizeof(key.data)));
    if (known != NULL && !slice_equal(known->report.user, event->user)) {
        actions_fail(rm->actions, event->call, ERR_DENIED, "the request id is another user's");
        return;
    }
    if (known != NULL) {
        struct rm_submit_app_response response = {.app = known->report.app};
        actions_reply(rm->actions, event->call, &rm_submit_app_response_type, &response);
        return;
    }
    if (!queue_admits(rm, event))
        return;
    enum status status;
    const char *fault = submission_fault(rm, event->user, request, &status);
    if (fault != NULL) {
        actions_fail(rm->actions, event->call, status, "%s", fault);
        return;
    }
    struct rm_app *app = app_create(rm, event);
    rm_app_remember_request(rm, app);
    rm->live_count++;
    rm_app_apply(rm, app, RM_APP_SUBMIT);
    rm_app_apply(rm, app, RM_APP_ACCEPT);
    rm_queue_join(rm, app, app->report.queue);
    struct journal_app_put record = {.report = app->report,
                                     .submission = app->submission,
                                     .client_id = app->submission.client_id,
                                     .request_id = app->submission.request_id};
    actions_journal(rm->actions, &journal_app_put_type, &record);
    rm_scheduler_mark_app(rm, app);
    struct rm_submit_app_response response = {.app = app->report.app};
    actions_reply(rm->actions, event->call, &rm_submit_app_response_type, &response);
}

struct rm_app_report rm_app_report_now(const struct rm_app *app)
{
    struct rm_app_report report = app->report;
    report.containers_running = 0;
    for (const struct list_node *link = app->allocations.first; link != NULL; link = link->next) {
        const struct rm_allocation *allocation = link->object;
        if (allocation->state == RM_ALLOCATION_RUNNING)
            report.containers_running++;
    }
    return report;
}

static void reply_report(struct rm *rm, const struct rm_app *app, uint64_t call)
{
    struct rm_get_app_response response = {.report = rm_app_report_now(app)};
    actions_reply(rm->actions, call, &rm_get_app_response_type, &response);
}

static void waiter_due(struct rm *rm, void *owner)
{
    struct rm_hold *hold = owner;
    reply_report(rm, hold->owner, hold->call);
    rm_hold_close(rm, hold);
}

void rm_app_answer_waiters(struct rm *rm, struct rm_app *app)
{
    struct list_node *next;
    for (struct list_node *link = app->waiters.first; link != NULL; link = next) {
        next = link->next;
        struct rm_hold *hold = link->object;
        if (app->report.version > hold->after_version)
            waiter_due(rm, hold);
    }
}

struct rm_app *rm_app_or_fail(struct rm *rm, const struct event *event, struct app_id id)
{
    struct rm_app *app = rm_app_find(rm, id);
    if (app == NULL)
        actions_fail(rm->actions, event->call, ERR_NOT_FOUND, "%s is unknown",
                     app_id_text(id).text);
    return app;
}

void rm_app_get(struct rm *rm, const struct event *event)
{
    const struct rm_get_app_request *request = event->message;
    struct rm_app *app = rm_app_or_fail(rm, event, request->app);
    if (app == NULL)
        return;
    if (app->report.version > request->after_version || request->wait_ms == 0) {
        reply_report(rm, app, event->call);
        return;
    }
    uint64_t wait_ms = request->wait_ms < LIMIT_WAIT_MS ? request->wait_ms : LIMIT_WAIT_MS;
    struct rm_hold *hold = rm_hold_open(rm, RM_HOLD_WAITER, app, event->call,
                                        rm->now_ms + (int64_t)wait_ms, waiter_due);
    hold->after_version = request->after_version;
    list_append(&app->waiters, &hold->waiter_link, hold);
}

void rm_app_list(struct rm *rm, const struct event *event)
{
    const struct rm_list_apps_request *request = event->message;
    size_t total = map_u64_count(rm->apps);
    struct rm_app **all = ARENA_ARRAY(rm->actions->arena, struct rm_app *, total);
    size_t cursor = 0;
    size_t count = 0;
    void *value;
    while (map_u64_next(rm->apps, &cursor, NULL, &value))
        all[count++] = value;
    size_t limit = request->limit == 0 ? total : request->limit;
    struct rm_app_report *reports =
        ARENA_ARRAY(rm->actions->arena, struct rm_app_report, limit < total ? limit : total);
    size_t taken = 0;
    for (size_t i = count; i > 0 && taken < limit; i--) {
        if (request->include_finished || !rm_app_is_over(all[i - 1]))
            reports[taken++] = rm_app_report_now(all[i - 1]);
    }
    struct rm_list_apps_response response = {.apps = reports, .apps_count = taken};
    actions_reply(rm->actions, event->call, &rm_list_apps_response_type, &response);
}

void rm_app_kill(struct rm *rm, const struct event *event)
{
    const struct rm_kill_app_request *request = event->message;
    struct rm_app *app = rm_app_or_fail(rm, event, request->app);
    if (app == NULL)
        return;
    if (!rm_app_may_kill(rm, app, event)) {
        actions_fail(rm->actions, event->call, ERR_DENIED, "%s belongs to %.*s",
                     app_id_text(app->report.app).text, SLICE_ARGS(app->report.user));
        return;
    }
    struct rm_kill_app_response response = {.was_running = !rm_app_is_over(app)};
    if (response.was_running && !app->is_kill_asked) {
        app->is_kill_asked = true;
        struct slice why = text_cut(text_clean(request->diagnostics, rm->actions->arena),
                                    DIAGNOSTICS_OF_KILL_BYTES);
        struct slice text =
            arena_format(rm->actions->arena, "killed by %.*s%s%.*s", SLICE_ARGS(event->user),
                         why.length > 0 ? ": " : "", SLICE_ARGS(why));
        if (app->attempt.state == RM_ATTEMPT_REGISTERED) {
            rm_app_add_diagnostics(app, text);
            rm_app_changed(rm, app);
            rm_app_journal(rm, app);
            rm_attempt_ask_stop(rm, app);
        } else {
            rm_app_end(rm, app, RM_APP_KILL, FINAL_KILLED, text, false);
        }
    }
    actions_reply(rm->actions, event->call, &rm_kill_app_response_type, &response);
}
