/*
 * moves.c - what people change while applications run: an application's queue and priority, and
 * the queues themselves. The file of queues is read by the shell (RM_EFFECT_READ_QUEUES); what it
 * holds is taken only whole and sound, else the old queues stay.
 */
#include "lib/base/check.h"
#include "lib/base/error.h"
#include "lib/model/text.h"
#include "rm/core/state.h"

/* NULL when the call has been failed: unknown, not the caller's, or over. */
static struct rm_app *admit(struct rm *rm, const struct event *event, struct app_id id)
{
    struct rm_app *app = rm_app_or_fail(rm, event, id);
    if (app == NULL)
        return NULL;
    if (!rm_app_may_kill(rm, app, event)) {
        actions_fail(rm->actions, event->call, ERR_DENIED, "%s belongs to %.*s",
                     app_id_text(id).text, SLICE_ARGS(app->report.user));
        return NULL;
    }
    if (rm_app_is_over(app)) {
        actions_fail(rm->actions, event->call, ERR_BAD_TRANSITION, "%s is over",
                     app_id_text(id).text);
        return NULL;
    }
    return app;
}

static bool priority_is_allowed(struct rm *rm,
                                const struct event *event,
                                const struct rm_queue *queue,
                                uint32_t priority)
{
    if (priority <= queue->priority_max)
        return true;
    actions_fail(rm->actions, event->call, ERR_LIMIT,
                 "priority %u is above %u, the highest in queue %s", (unsigned)priority,
                 (unsigned)queue->priority_max, text_quote(queue->path).text);
    return false;
}

static void journal_moved(struct rm *rm, struct rm_app *app)
{
    struct journal_app_moved record = {
        .app = app->report.app, .queue = app->report.queue, .priority = app->submission.priority};
    actions_journal(rm->actions, &journal_app_moved_type, &record);
    trace_emit(rm->actions->trace, "app %s in %.*s priority %u", app_id_text(record.app).text,
               SLICE_ARGS(record.queue), (unsigned)record.priority);
    rm_app_changed(rm, app);
}

void rm_app_take_place(struct rm_app *app, struct slice queue, uint32_t priority)
{
    if (!slice_equal(app->report.queue, queue)) {
        app->report.queue = arena_copy(app->arena, queue);
        app->submission.queue = app->report.queue;
    }
    app->submission.priority = priority;
    app->report.priority = priority;
}

void rm_app_move(struct rm *rm, const struct event *event)
{
    const struct rm_move_app_request *request = event->message;
    struct rm_app *app = admit(rm, event, request->app);
    if (app == NULL)
        return;
    struct rm_queue *queue = rm_queue_admit(rm, event, request->queue);
    if (queue == NULL || !priority_is_allowed(rm, event, queue, app->submission.priority))
        return;
    if (queue != app->queue) {
        if (!rm_queue_has_place(rm, event, queue, app->queue))
            return;
        rm_queue_leave(rm, app);
        rm_app_take_place(app, queue->path, app->submission.priority);
        rm_queue_join(rm, app, queue->path);
        rm_scheduler_mark_app(rm, app);
        journal_moved(rm, app);
    }
    struct rm_move_app_response response = {.report = rm_app_report_now(app)};
    actions_reply(rm->actions, event->call, &rm_move_app_response_type, &response);
}

void rm_app_set_priority(struct rm *rm, const struct event *event)
{
    const struct rm_set_priority_request *request = event->message;
    struct rm_app *app = admit(rm, event, request->app);
    if (app == NULL || !priority_is_allowed(rm, event, app->queue, request->priority))
        return;
    if (request->priority != app->submission.priority) {
        rm_app_take_place(app, app->report.queue, request->priority);
        rm_queue_rank_app(rm, app);
        journal_moved(rm, app);
    }
    struct rm_set_priority_response response = {.report = rm_app_report_now(app)};
    actions_reply(rm->actions, event->call, &rm_set_priority_response_type, &response);
}

void rm_queues_refresh(struct rm *rm, const struct event *event)
{
    if (!rm_user_is_admin(rm, event->user)) {
        actions_fail(rm->actions, event->call, ERR_DENIED, "%s is not the cluster's operator",
                     text_quote(event->user).text);
        return;
    }
    /* The call's own number: the answer goes there. */
    actions_effect(rm->actions, event->call, RM_EFFECT_READ_QUEUES, NULL);
}

void rm_queues_read(struct rm *rm, const struct event *event)
{
    const struct rm_queue_specs *specs = event->data;
    struct error error = {.status = OK};
    if (event->status != OK) {
        actions_fail(rm->actions, event->tag, event->status, "%.*s", SLICE_ARGS(event->text));
        return;
    }
    enum status status = rm_queues_check_specs(specs, &error);
    if (status == OK && !rm->is_started)
        status = error_set(&error, ERR_UNAVAILABLE, "the resource manager stops");
    if (status != OK) {
        actions_fail(rm->actions, event->tag, status, "%s", error.text);
        return;
    }
    rm_queues_replace(rm, specs);
    trace_emit(rm->actions->trace, "queues %zu", specs->queues_count);
    struct rm_refresh_queues_response response = {.file = specs->file,
                                                  .queues = (uint32_t)map_count(rm->queues.paths)};
    actions_reply(rm->actions, event->tag, &rm_refresh_queues_response_type, &response);
}
