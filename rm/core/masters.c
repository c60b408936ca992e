/*
 * masters.c - the calls of MasterTracker: register, allocate, finish.
 * A call passes one door first, which knows the caller's application, right and attempt; stale
 * messages end there.
 */
#include "lib/base/check.h"
#include "rm/core/state.h"

/* NULL when the call has been failed: unknown, not the caller's, or of another attempt. */
static struct rm_app *admit(struct rm *rm,
                            const struct event *event,
                            struct app_id id,
                            uint32_t app_attempt)
{
    struct rm_app *app = rm_app_find(rm, id);
    if (app == NULL) {
        actions_fail(rm->actions, event->call, ERR_NOT_FOUND, "%s is unknown",
                     app_id_text(id).text);
        return NULL;
    }
    if (!slice_equal_string(event->user, RM_DAEMON_USER) &&
        !slice_equal(event->user, app->report.user)) {
        actions_fail(rm->actions, event->call, ERR_DENIED, "%s belongs to another user",
                     app_id_text(id).text);
        return NULL;
    }
    bool is_launched = app->is_master_launched || rm_app_is_over(app);
    if (app_attempt < app->report.app_attempt ||
        (app_attempt == app->report.app_attempt && !is_launched)) {
        actions_fail(rm->actions, event->call, ERR_FENCED, "%s is over",
                     app_attempt_text(id, app_attempt).text);
        return NULL;
    }
    if (app_attempt > app->report.app_attempt) {
        actions_fail(rm->actions, event->call, ERR_INVALID, "%s does not exist",
                     app_attempt_text(id, app_attempt).text);
        return NULL;
    }
    return app;
}

static void reply_registered(struct rm *rm, struct rm_app *app, uint64_t call)
{
    struct rm_grant *running =
        ARENA_ARRAY(rm->actions->arena, struct rm_grant, app->allocations.count);
    size_t count = 0;
    for (struct list_node *link = app->allocations.first; link != NULL; link = link->next) {
        const struct rm_allocation *allocation = link->object;
        if (rm_allocation_is_current(allocation) && !allocation->is_master &&
            allocation->state != RM_ALLOCATION_KILLING)
            running[count++] = rm_answer_grant(allocation);
    }
    struct resource container_max = rm->settings.container_max;
    if (resource_is_zero(container_max)) {
        for (size_t i = 0; i < rm->node_count; i++) {
            const struct rm_node *node = rm->nodes[i];
            if (node->state != NODE_ACTIVE)
                continue;
            if (node->capacity.memory_bytes > container_max.memory_bytes)
                container_max.memory_bytes = node->capacity.memory_bytes;
            if (node->capacity.vcores > container_max.vcores)
                container_max.vcores = node->capacity.vcores;
        }
    }
    struct rm_register_master_response response = {
        .container_max = container_max,
        .heartbeat_interval_ms = (uint64_t)rm->settings.master_heartbeat_interval_ms,
        .epoch = rm->epoch,
        .running = running,
        .running_count = count,
        .is_recovering = rm->now_ms < rm->recovering_until_ms};
    actions_reply(rm->actions, call, &rm_register_master_response_type, &response);
}

void rm_master_register(struct rm *rm, const struct event *event)
{
    const struct rm_register_master_request *request = event->message;
    struct rm_app *app = admit(rm, event, request->app, request->app_attempt);
    if (app == NULL)
        return;
    if (rm_app_is_over(app)) {
        actions_fail(rm->actions, event->call, ERR_FENCED, "%s is over",
                     app_id_text(app->report.app).text);
        return;
    }
    struct rm_attempt *attempt = &app->attempt;
    rm_answer_restart(rm, app);
    rm_asks_clear(rm, app);
    rm_scheduler_mark_app(rm, app); /* it wants nothing any more */
    /*
     * Its call proves that its container has started, whether the node could say so or not. Were it
     * still to be launched, a node that comes back would start a second master of this epoch.
     */
    if (attempt->master != NULL) {
        rm_command_drop_container(attempt->master->node, attempt->master->id);
        rm_allocation_start(rm, attempt->master);
    }
    bool is_new = attempt->state != RM_ATTEMPT_REGISTERED;
    if (is_new)
        rm_attempt_apply(rm, app, RM_ATTEMPT_REGISTER);
    if (app->report.started_ms == 0)
        app->report.started_ms = (uint64_t)event->wall_ms;
    bool has_moved = !slice_equal(app->report.tracking_address, request->tracking_address);
    if (has_moved)
        app->report.tracking_address = arena_copy(app->arena, request->tracking_address);
    if (app->state == APP_ACCEPTED)
        rm_app_apply(rm, app, RM_APP_MASTER_REGISTERED);
    if (is_new || has_moved) {
        rm_app_changed(rm, app);
        rm_app_journal(rm, app);
    }
    if (is_new && app->is_kill_asked)
        rm_attempt_ask_stop(rm, app);
    rm_attempt_heard(rm, app);
    reply_registered(rm, app, event->call);
}

static void reply_stop(struct rm *rm, const struct event *event)
{
    const struct rm_allocate_request *request = event->message;
    struct rm_allocate_response response = {.response_sequence = request->response_sequence + 1,
                                            .must_stop = true};
    actions_reply(rm->actions, event->call, &rm_allocate_response_type, &response);
}

static void reply_resync(struct rm *rm, const struct event *event)
{
    const struct rm_allocate_request *request = event->message;
    struct rm_allocate_response response = {.response_sequence = request->response_sequence + 1,
                                            .must_resync = true};
    actions_reply(rm->actions, event->call, &rm_allocate_response_type, &response);
}

static void release_containers(struct rm *rm,
                               struct rm_app *app,
                               const struct rm_allocate_request *request)
{
    for (size_t i = 0; i < request->release_count; i++) {
        struct rm_allocation *allocation = rm_allocation_find(rm, request->release[i]);
        if (allocation != NULL && allocation->app == app && rm_allocation_is_current(allocation) &&
            !allocation->is_master)
            rm_allocation_kill(rm, allocation, RM_EXIT_ABORTED,
                               "the application released the container");
    }
}

/* False when the request was failed or answered: it is overtaken, or the counts do not meet. */
static bool check_sequences(struct rm *rm,
                            struct rm_app *app,
                            const struct event *event,
                            bool *ret_is_repeat)
{
    const struct rm_allocate_request *request = event->message;
    struct rm_attempt *attempt = &app->attempt;
    bool is_last = request->response_sequence == attempt->response_sequence;
    bool is_repeat =
        attempt->has_answer && request->response_sequence + 1 == attempt->response_sequence;
    if (request->request_sequence < attempt->request_sequence || (!is_last && !is_repeat)) {
        actions_fail(rm->actions, event->call, ERR_STALE, "the request was overtaken");
        return false;
    }
    uint32_t received = attempt->granted_total;
    if (is_repeat)
        received -= (uint32_t)attempt->answer.grants_count;
    if (request->granted_total != received) {
        reply_resync(rm, event);
        return false;
    }
    *ret_is_repeat = is_repeat;
    return true;
}

static void allocate_due(struct rm *rm, void *owner)
{
    struct rm_hold *hold = owner;
    rm_answer_send(rm, hold->owner);
}

static void note_progress(struct rm *rm, struct rm_app *app, float progress)
{
    /* Written so that a NaN is no progress either. */
    if (!(progress >= 0 && progress <= 1))
        return;
    if (progress < app->report.progress || progress > app->report.progress) {
        app->report.progress = progress;
        rm_app_changed(rm, app);
    }
}

void rm_master_allocate(struct rm *rm, const struct event *event)
{
    const struct rm_allocate_request *request = event->message;
    struct rm_app *app = admit(rm, event, request->app, request->app_attempt);
    if (app == NULL)
        return;
    if (rm_app_is_over(app)) {
        reply_stop(rm, event);
        return;
    }
    struct rm_attempt *attempt = &app->attempt;
    rm_attempt_heard(rm, app);
    if (attempt->state != RM_ATTEMPT_REGISTERED) {
        reply_resync(rm, event);
        return;
    }
    const char *fault;
    enum status status = rm_asks_check(rm, request, &fault);
    if (status != OK) {
        actions_fail(rm->actions, event->call, status, "%s", fault);
        return;
    }
    bool is_repeat;
    if (!check_sequences(rm, app, event, &is_repeat))
        return;
    attempt->request_sequence = request->request_sequence;
    if (attempt->hold != NULL) {
        actions_fail(rm->actions, attempt->hold->call, ERR_CANCELLED, "a newer call came");
        rm_hold_close(rm, attempt->hold);
        attempt->hold = NULL;
    }
    if (!is_repeat)
        rm_answer_acknowledge(app);
    note_progress(rm, app, request->progress);
    release_containers(rm, app, request);
    if (request->asks_changed)
        rm_asks_replace(rm, app, request);
    if (is_repeat) {
        rm_answer_repeat(rm, app, event->call);
        return;
    }
    attempt->hold =
        rm_hold_open(rm, RM_HOLD_MASTER, app, event->call,
                     rm->now_ms + rm->settings.master_heartbeat_interval_ms, allocate_due);
    rm_answer_mark(rm, app);
}

void rm_master_finish(struct rm *rm, const struct event *event)
{
    const struct rm_finish_master_request *request = event->message;
    struct rm_app *app = admit(rm, event, request->app, request->app_attempt);
    if (app == NULL)
        return;
    struct rm_finish_master_response response = {0};
    if (rm_app_is_over(app) && request->final_status != app->report.final_status) {
        actions_fail(rm->actions, event->call, ERR_FENCED, "%s is over",
                     app_id_text(app->report.app).text);
        return;
    }
    if (!rm_app_is_over(app)) {
        bool is_killed = request->final_status == FINAL_KILLED;
        app->report.history_path = arena_copy(app->arena, request->history_path);
        rm_app_end(rm, app, is_killed ? RM_APP_KILL : RM_APP_FINISH, request->final_status,
                   request->diagnostics, true);
    }
    actions_reply(rm->actions, event->call, &rm_finish_master_response_type, &response);
}
