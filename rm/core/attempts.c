/*
 * attempts.c - the application's master: placed, launched, heard of, given up, tried again.
 * Owns struct rm_attempt but for what answers.c and asks.c say is theirs (RM-3).
 * States: docs/states/rm_attempt.dot.
 */
#include "lib/base/check.h"
#include "lib/base/mem.h"
#include "rm/core/state.h"

static const struct transition_row attempt_rows[] = {
    {RM_ATTEMPT_WAITING,    RM_ATTEMPT_PLACED,   RM_ATTEMPT_LAUNCHING,  NULL},
    {RM_ATTEMPT_WAITING,    RM_ATTEMPT_RESTORED, RM_ATTEMPT_RECOVERING, NULL},
    {RM_ATTEMPT_WAITING,    RM_ATTEMPT_ENDED,    RM_ATTEMPT_OVER,       NULL},
    {RM_ATTEMPT_LAUNCHING,  RM_ATTEMPT_REGISTER, RM_ATTEMPT_REGISTERED, NULL},
    {RM_ATTEMPT_LAUNCHING,  RM_ATTEMPT_ENDED,    RM_ATTEMPT_OVER,       NULL},
    {RM_ATTEMPT_RECOVERING, RM_ATTEMPT_REGISTER, RM_ATTEMPT_REGISTERED, NULL},
    {RM_ATTEMPT_RECOVERING, RM_ATTEMPT_ENDED,    RM_ATTEMPT_OVER,       NULL},
    {RM_ATTEMPT_REGISTERED, RM_ATTEMPT_ENDED,    RM_ATTEMPT_OVER,       NULL},
    {RM_ATTEMPT_OVER,       RM_ATTEMPT_RETRIED,  RM_ATTEMPT_WAITING,    NULL},
};

#define RM_STATE_NAME(constant, name) name,

static const char *const attempt_state_names[] = {RM_ATTEMPT_STATE_LIST(RM_STATE_NAME)};
static const char *const attempt_event_names[] = {RM_ATTEMPT_EVENT_LIST(RM_STATE_NAME)};

const struct transition_table rm_attempt_table = {
    .name = "rm_attempt",
    .rows = attempt_rows,
    .count = sizeof(attempt_rows) / sizeof(attempt_rows[0]),
    .state_names = attempt_state_names,
    .state_count = RM_ATTEMPT_STATE_COUNT,
    .event_names = attempt_event_names,
    .event_count = RM_ATTEMPT_EVENT_COUNT,
};

void rm_attempt_apply(struct rm *rm, struct rm_app *app, enum rm_attempt_event event)
{
    int before = app->attempt.state;
    CHECK(transition_apply(&rm_attempt_table, &app->attempt.state, (int)event, app, rm) == OK);
    trace_emit(rm->actions->trace, "attempt %s %s->%s",
               app_attempt_text(app->report.app, app->report.app_attempt).text,
               attempt_state_names[before], attempt_state_names[app->attempt.state]);
}

/* The attempt's one timer; what it means depends on the state. */
static void attempt_due(struct rm *rm, void *owner)
{
    struct rm_app *app = owner;
    struct rm_attempt *attempt = &app->attempt;
    switch ((enum rm_attempt_state)attempt->state) {
    case RM_ATTEMPT_LAUNCHING:
        rm_attempt_lost(rm, app, true, slice_from_string("the master did not register in time"));
        return;
    case RM_ATTEMPT_RECOVERING:
        rm_attempt_lost(rm, app, false,
                        slice_from_string("the master was not heard of after the resource "
                                          "manager's restart"));
        return;
    case RM_ATTEMPT_REGISTERED:
        if (rm->now_ms < rm->lenient_until_ms)
            rm_timer_set(rm, &attempt->timer, rm->lenient_until_ms);
        else
            rm_attempt_lost(rm, app, true, slice_from_string("the master fell silent"));
        return;
    case RM_ATTEMPT_OVER:
        if (attempt->master != NULL)
            rm_allocation_kill(rm, attempt->master, 0, NULL);
        return;
    case RM_ATTEMPT_WAITING:
    case RM_ATTEMPT_STATE_COUNT:
        break;
    }
    CHECK(attempt->state != RM_ATTEMPT_WAITING); /* has no due time */
}

static void stop_due(struct rm *rm, void *owner)
{
    rm_app_end(rm, owner, RM_APP_KILL, FINAL_KILLED,
               slice_from_string("the master did not stop in time and was killed"), false);
}

void rm_attempt_open(struct rm_attempt *attempt, struct rm_app *app)
{
    attempt->answer_arena = arena_open(0);
    attempt->news_arena = arena_open(0);
    attempt->container_sequence = RM_MASTER_SEQUENCE;
    rm_reserve_open(&attempt->reserve, app, NULL);
    rm_timer_open(&attempt->timer, attempt_due, app);
    rm_timer_open(&attempt->kill_timer, stop_due, app);
}

void rm_attempt_close(struct rm *rm, struct rm_attempt *attempt)
{
    rm_hold_close(rm, attempt->hold);
    rm_timer_clear(rm, &attempt->timer);
    rm_timer_clear(rm, &attempt->kill_timer);
    arena_close(attempt->answer_arena);
    arena_close(attempt->news_arena);
    mem_free(attempt->completed);
    mem_free(attempt->lost_node_ids);
    mem_free(attempt->warnings);
}

void rm_attempt_place(struct rm *rm, struct rm_app *app, struct rm_node *node)
{
    struct container_id id = {.app = app->report.app,
                              .app_attempt = app->report.app_attempt,
                              .epoch = rm->epoch,
                              .sequence = RM_MASTER_SEQUENCE};
    struct rm_attempt *attempt = &app->attempt;
    attempt->master = rm_allocation_new(rm, id, app, node, app->submission.master_resource, 0);
    app->is_master_launched = true;
    rm_attempt_apply(rm, app, RM_ATTEMPT_PLACED);
    rm_queue_count_app(rm, app);
    rm_queue_rank_app(rm, app);
    rm_timer_set(rm, &attempt->timer, rm->now_ms + rm->settings.master_launch_ms);
    rm_app_journal(rm, app);
    rm_command_launch(rm, node, id);
}

void rm_attempt_restore(struct rm *rm, struct rm_app *app)
{
    app->attempt.is_restored = true;
    rm_attempt_apply(rm, app, RM_ATTEMPT_RESTORED);
    rm_queue_rank_app(rm, app);
    rm_timer_set(rm, &app->attempt.timer, rm->now_ms + rm->settings.recovery_grace_ms);
}

void rm_attempt_master_seen(struct rm *rm, struct rm_app *app, struct rm_allocation *master)
{
    app->attempt.master = master;
    if (app->attempt.state == RM_ATTEMPT_RECOVERING)
        rm_timer_set(rm, &app->attempt.timer, rm->now_ms + rm->settings.master_lost_ms);
}

/* What is not the master's own fault. */
static bool exit_is_excused(int32_t exit_status)
{
    enum {
        EXIT_KILLED_BY_MASTER = -105
    };

    return exit_status == RM_EXIT_ABORTED || exit_status == RM_EXIT_PREEMPTED ||
           exit_status == EXIT_KILLED_BY_MASTER || exit_status == RM_EXIT_KILLED_BY_RM;
}

void rm_attempt_master_ended(struct rm *rm,
                             struct rm_app *app,
                             int32_t exit_status,
                             struct slice diagnostics,
                             uint64_t node_id)
{
    app->attempt.avoid_node_id = node_id;
    struct slice text =
        arena_format(rm->actions->arena, "%s: the master's container exited with status %d%s%.*s",
                     app_attempt_text(app->report.app, app->report.app_attempt).text,
                     (int)exit_status, diagnostics.length > 0 ? ": " : "", SLICE_ARGS(diagnostics));
    rm_attempt_lost(rm, app, !exit_is_excused(exit_status), text);
}

static void attempt_retry(struct rm *rm, struct rm_app *app)
{
    struct rm_attempt *attempt = &app->attempt;
    app->report.app_attempt++;
    app->report.tracking_address = (struct slice){0};
    app->report.progress = 0;
    app->is_master_launched = false;
    attempt->master = NULL;
    attempt->is_restored = false;
    attempt->container_sequence = RM_MASTER_SEQUENCE;
    attempt->request_sequence = 0;
    rm_attempt_apply(rm, app, RM_ATTEMPT_RETRIED);
    rm_queue_count_app(rm, app);
    rm_app_apply(rm, app, RM_APP_MASTER_LOST);
    rm_app_journal(rm, app);
    rm_scheduler_mark_app(rm, app);
}

void rm_attempt_lost(struct rm *rm, struct rm_app *app, bool is_failure, struct slice diagnostics)
{
    CHECK(!rm_app_is_over(app));
    struct rm_attempt *attempt = &app->attempt;
    if (attempt->master != NULL)
        attempt->avoid_node_id = attempt->master->node->node_id;
    if (is_failure)
        app->master_failures++;
    if (app->is_kill_asked) {
        rm_app_end(rm, app, RM_APP_KILL, FINAL_KILLED, diagnostics, false);
        return;
    }
    if (app->master_failures >= app->submission.master_attempts_max) {
        rm_app_end(rm, app, RM_APP_FAIL, FINAL_FAILED, diagnostics, false);
        return;
    }
    rm_app_add_diagnostics(app, diagnostics);
    rm_attempt_apply(rm, app, RM_ATTEMPT_ENDED);
    rm_timer_clear(rm, &attempt->timer);
    rm_timer_clear(rm, &attempt->kill_timer);
    rm_answer_clear(rm, app);
    rm_asks_clear(rm, app);
    struct list_node *next;
    for (struct list_node *link = app->allocations.first; link != NULL; link = next) {
        next = link->next;
        rm_allocation_kill(rm, link->object, 0, NULL);
    }
    attempt_retry(rm, app);
}

void rm_attempt_ask_stop(struct rm *rm, struct rm_app *app)
{
    rm_timer_set(rm, &app->attempt.kill_timer, rm->now_ms + rm->settings.kill_grace_ms);
    rm_answer_mark(rm, app);
}

void rm_attempt_heard(struct rm *rm, struct rm_app *app)
{
    app->attempt.heard_ms = rm->now_ms;
    if (app->attempt.state == RM_ATTEMPT_REGISTERED)
        rm_timer_set(rm, &app->attempt.timer, rm->now_ms + rm->settings.master_lost_ms);
}
