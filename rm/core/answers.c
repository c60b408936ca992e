/*
 * answers.c - what an application's master is told, so that nothing is lost or told as new twice.
 * Owns the answer, granted, completed and lost_node_ids of struct rm_attempt (RM-8). News gather;
 * an answer takes them along, gets the next number and is kept until the master acknowledges it.
 */
#include "lib/base/check.h"
#include "lib/base/mem.h"
#include "lib/model/limits.h"
#include "lib/model/text.h"
#include "rm/core/state.h"

enum {
    /* Of grants, and of completed containers, in one answer; the rest goes with the next one. */
    ANSWER_ROWS_MAX = 1000
};

void rm_answer_mark(struct rm *rm, struct rm_app *app)
{
    if (!list_node_is_listed(&app->news_link))
        list_append(&rm->news_apps, &app->news_link, app);
}

bool rm_answer_has_news(const struct rm_app *app)
{
    const struct rm_attempt *attempt = &app->attempt;
    return attempt->granted.count > 0 || attempt->completed_count > 0 || attempt->lost_count > 0 ||
           attempt->warning_count > 0 || attempt->must_resync ||
           (app->is_kill_asked && !attempt->is_stop_told);
}

/* The texts of status are copied. */
static void add_completed(struct rm_attempt *attempt, const struct rm_container_status *status)
{
    attempt->completed = mem_reserve(attempt->completed, attempt->completed_count,
                                     &attempt->completed_capacity, sizeof(attempt->completed[0]));
    message_copy_into(&rm_container_status_type, status,
                      &attempt->completed[attempt->completed_count++], attempt->news_arena);
}

static void add_lost_node(struct rm_attempt *attempt, uint64_t node_id)
{
    attempt->lost_node_ids =
        mem_reserve(attempt->lost_node_ids, attempt->lost_count, &attempt->lost_capacity,
                    sizeof(attempt->lost_node_ids[0]));
    attempt->lost_node_ids[attempt->lost_count++] = node_id;
}

void rm_answer_add_completed(struct rm *rm,
                             struct rm_app *app,
                             struct container_id container,
                             int32_t exit_status,
                             struct slice diagnostics,
                             struct resource resource)
{
    struct slice text = text_clean(diagnostics, rm->actions->arena);
    struct rm_container_status status = {.container = container,
                                         .state = CONTAINER_COMPLETED,
                                         .exit_status = exit_status,
                                         .diagnostics =
                                             text_cut_front(text, LIMIT_DIAGNOSTICS_BYTES),
                                         .resource = resource};
    add_completed(&app->attempt, &status);
    rm_answer_mark(rm, app);
}

void rm_answer_add_lost_node(struct rm *rm, struct rm_app *app, uint64_t node_id)
{
    add_lost_node(&app->attempt, node_id);
    rm_answer_mark(rm, app);
}

void rm_answer_add_warning(struct rm *rm, const struct rm_allocation *allocation)
{
    struct rm_attempt *attempt = &allocation->app->attempt;
    int64_t left_ms = allocation->preempt_due_ms - rm->now_ms;
    attempt->warnings = mem_reserve(attempt->warnings, attempt->warning_count,
                                    &attempt->warning_capacity, sizeof(attempt->warnings[0]));
    attempt->warnings[attempt->warning_count++] = (struct rm_preempt_warning){
        .container = allocation->id, .deadline_ms = left_ms > 0 ? (uint64_t)left_ms : 0};
    rm_answer_mark(rm, allocation->app);
}

struct rm_grant rm_answer_grant(const struct rm_allocation *allocation)
{
    return (struct rm_grant){.container = allocation->id,
                             .node = allocation->node->endpoint,
                             .resource = allocation->resource,
                             .priority = allocation->priority,
                             .user = allocation->app->report.user};
}

static struct resource headroom_of(const struct rm *rm)
{
    struct resource room = {0};
    if (rm->capacity.memory_bytes > rm->used.memory_bytes)
        room.memory_bytes = rm->capacity.memory_bytes - rm->used.memory_bytes;
    if (rm->capacity.vcores > rm->used.vcores)
        room.vcores = rm->capacity.vcores - rm->used.vcores;
    return room;
}

static size_t at_most(size_t count)
{
    return count < ANSWER_ROWS_MAX ? count : ANSWER_ROWS_MAX;
}

/* Moves what the answer took along out of the news. */
static void drop_told(struct rm_attempt *attempt, size_t completed_told)
{
    size_t left = attempt->completed_count - completed_told;
    if (left == 0) {
        attempt->completed_count = 0;
        arena_reset(attempt->news_arena);
    } else {
        struct arena *old_arena = attempt->news_arena;
        attempt->news_arena = arena_open(0);
        attempt->completed_count = 0;
        for (size_t i = 0; i < left; i++)
            add_completed(attempt, &attempt->completed[completed_told + i]);
        arena_close(old_arena);
    }
    attempt->lost_count = 0;
    attempt->warning_count = 0;
}

void rm_answer_send(struct rm *rm, struct rm_app *app)
{
    struct rm_attempt *attempt = &app->attempt;
    CHECK(attempt->hold != NULL);
    CHECK(!attempt->has_answer);
    size_t grants_count = at_most(attempt->granted.count);
    struct rm_grant *grants = ARENA_ARRAY(rm->actions->arena, struct rm_grant, grants_count);
    for (size_t i = 0; i < grants_count; i++) {
        struct rm_allocation *allocation = attempt->granted.first->object;
        grants[i] = rm_answer_grant(allocation);
        rm_allocation_deliver(rm, allocation);
    }
    attempt->granted_total += (uint32_t)grants_count;
    size_t completed_count = at_most(attempt->completed_count);
    struct rm_allocate_response answer = {.response_sequence = ++attempt->response_sequence,
                                          .grants = grants,
                                          .grants_count = grants_count,
                                          .completed = attempt->completed,
                                          .completed_count = completed_count,
                                          .lost_node_ids = attempt->lost_node_ids,
                                          .lost_node_ids_count = attempt->lost_count,
                                          .preempt = attempt->warnings,
                                          .preempt_count = attempt->warning_count,
                                          .headroom = headroom_of(rm),
                                          .must_stop = app->is_kill_asked,
                                          .must_resync = attempt->must_resync};
    attempt->is_stop_told = app->is_kill_asked;
    message_copy_into(&rm_allocate_response_type, &answer, &attempt->answer, attempt->answer_arena);
    attempt->has_answer = true;
    drop_told(attempt, completed_count);
    rm_answer_repeat(rm, app, attempt->hold->call);
    rm_hold_close(rm, attempt->hold);
    attempt->hold = NULL;
}

void rm_answer_repeat(struct rm *rm, struct rm_app *app, uint64_t call)
{
    actions_reply(rm->actions, call, &rm_allocate_response_type, &app->attempt.answer);
}

void rm_answer_acknowledge(struct rm_app *app)
{
    app->attempt.has_answer = false;
    app->attempt.answer = (struct rm_allocate_response){0};
    arena_reset(app->attempt.answer_arena);
}

void rm_answer_restart(struct rm *rm, struct rm_app *app)
{
    struct rm_attempt *attempt = &app->attempt;
    if (attempt->hold != NULL) {
        actions_fail(rm->actions, attempt->hold->call, ERR_CANCELLED,
                     "the master registered again");
        rm_hold_close(rm, attempt->hold);
        attempt->hold = NULL;
    }
    if (attempt->has_answer) {
        for (size_t i = 0; i < attempt->answer.completed_count; i++)
            add_completed(attempt, &attempt->answer.completed[i]);
        for (size_t i = 0; i < attempt->answer.lost_node_ids_count; i++)
            add_lost_node(attempt, attempt->answer.lost_node_ids[i]);
    }
    rm_answer_acknowledge(app);
    attempt->warning_count = 0;
    for (struct list_node *link = rm->warned.first; link != NULL; link = link->next) {
        const struct rm_allocation *allocation = link->object;
        if (allocation->app == app && rm_allocation_is_current(allocation) &&
            !allocation->is_master)
            rm_answer_add_warning(rm, allocation);
    }
    while (attempt->granted.first != NULL)
        rm_allocation_deliver(rm, attempt->granted.first->object);
    attempt->response_sequence = 0;
    attempt->granted_total = 0;
    attempt->must_resync = false;
    attempt->is_stop_told = false;
}

void rm_answer_clear(struct rm *rm, struct rm_app *app)
{
    struct rm_attempt *attempt = &app->attempt;
    if (attempt->hold != NULL) {
        actions_fail(rm->actions, attempt->hold->call, ERR_FENCED, "%s is over",
                     app_attempt_text(app->report.app, app->report.app_attempt).text);
        rm_hold_close(rm, attempt->hold);
        attempt->hold = NULL;
    }
    rm_answer_acknowledge(app);
    arena_reset(attempt->news_arena);
    attempt->completed_count = 0;
    attempt->lost_count = 0;
    attempt->warning_count = 0;
    attempt->response_sequence = 0;
    attempt->granted_total = 0;
    attempt->must_resync = false;
    attempt->is_stop_told = false;
    list_remove(&app->news_link);
}
