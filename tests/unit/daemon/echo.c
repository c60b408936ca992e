/*
 * echo.c - see echo.h.
 */
#include "tests/unit/daemon/echo.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/check.h"
#include "lib/base/mem.h"

struct echo *echo_open(void)
{
    struct echo *echo = MEM_NEW(struct echo);
    echo->deadline_ms = INT64_MAX;
    return echo;
}

static void reply_held(struct echo *echo, struct actions *actions)
{
    size_t kept = 0;
    for (size_t i = 0; i < echo->held_count; i++) {
        struct echo_held *held = &echo->held[i];
        if (echo->count <= held->after) {
            echo->held[kept++] = *held;
            continue;
        }
        struct rm_get_app_response response = {
            .report = {.version = echo->count,
                       .user = slice_from_string(held->user),
                       .diagnostics = slice_from_string(held->groups)}
        };
        actions_reply(actions, held->call, &rm_get_app_response_type, &response);
    }
    echo->held_count = kept;
}

static void raise_count(struct echo *echo, uint64_t by, struct actions *actions)
{
    echo->count += by;
    struct journal_rm_epoch record = {.epoch = (uint32_t)echo->count};
    actions_journal(actions, &journal_rm_epoch_type, &record);
    reply_held(echo, actions);
}

static void take_submit(struct echo *echo, const struct event *event, struct actions *actions)
{
    const struct rm_submit_app_request *request = event->message;
    if (slice_equal_string(request->name, "fail")) {
        actions_fail(actions, event->call, ERR_SAFE_MODE, "asked to fail");
        return;
    }
    if (slice_equal_string(request->name, "bad")) {
        struct journal_fence_raised record = {.key = slice_make("\xff", 1)};
        actions_journal(actions, &journal_fence_raised_type, &record);
    } else {
        raise_count(echo, 1, actions);
    }
    struct rm_submit_app_response response = {.app = {.sequence = (uint32_t)echo->count}};
    actions_reply(actions, event->call, &rm_submit_app_response_type, &response);
    if (slice_equal_string(request->name, "exit"))
        actions_exit(actions, 42);
}

static void take_get(struct echo *echo, const struct event *event, struct actions *actions)
{
    const struct rm_get_app_request *request = event->message;
    CHECK(echo->held_count < ECHO_HELD_MAX);
    struct echo_held *held = &echo->held[echo->held_count++];
    *held = (struct echo_held){.call = event->call};
    held->after = request->after_version;
    (void)snprintf(held->user, sizeof(held->user), "%.*s", SLICE_ARGS(event->user));
    for (size_t i = 0, length = 0; i < event->groups_count && length < sizeof(held->groups); i++) {
        struct slice group = event->groups[i];
        length += (size_t)snprintf(held->groups + length, sizeof(held->groups) - length, "%s%.*s",
                                   i == 0 ? "" : ",", SLICE_ARGS(group));
    }
    reply_held(echo, actions);
}

static void take_kill(struct echo *echo, const struct event *event, struct actions *actions)
{
    const struct rm_kill_app_request *request = event->message;
    uint64_t tag = ++echo->last_tag;
    echo->asked[tag % 1024] = event->call;
    if (slice_equal_string(request->diagnostics, "effect")) {
        uint64_t *number = arena_new(actions->arena, sizeof(*number));
        *number = tag;
        actions_effect(actions, tag, ECHO_EFFECT, number);
        return;
    }
    struct rm_get_app_request ask = {.after_version = request->app.sequence};
    actions_call(actions, tag, request->diagnostics, METHOD_RESOURCE_MANAGER_GET_APP, &ask, 10000);
    if (request->app.cluster_timestamp == 1)
        actions_cancel(actions, tag);
}

static void reply_kill(struct echo *echo, const struct event *event, struct actions *actions)
{
    uint64_t call = echo->asked[event->tag % 1024];
    if (event->status != OK) {
        actions_fail(actions, call, event->status, "%.*s", SLICE_ARGS(event->text));
        return;
    }
    struct rm_kill_app_response response = {.was_running = true};
    actions_reply(actions, call, &rm_kill_app_response_type, &response);
}

static void cancel_held(struct echo *echo, uint64_t call, struct actions *actions)
{
    echo->cancelled_count++;
    for (size_t i = 0; i < echo->held_count; i++) {
        if (echo->held[i].call != call)
            continue;
        echo->held[i] = echo->held[--echo->held_count];
        actions_fail(actions, call, ERR_CANCELLED, "the caller has gone");
        return;
    }
}

static void echo_step(void *machine, const struct event *event, struct actions *actions)
{
    struct echo *echo = machine;
    switch (event->kind) {
    case EVENT_REPLAY:
        CHECK(!echo->is_started && event->type == &journal_rm_epoch_type);
        echo->count = ((const struct journal_rm_epoch *)event->message)->epoch;
        break;
    case EVENT_START:
        CHECK(!echo->is_started);
        echo->is_started = true;
        if (echo->tick_after_ms > 0)
            echo->deadline_ms = event->now_ms + echo->tick_after_ms;
        break;
    case EVENT_TICK:
        CHECK(event->now_ms >= echo->deadline_ms);
        echo->deadline_ms = INT64_MAX;
        raise_count(echo, 1000, actions);
        break;
    case EVENT_REQUEST:
        if (event->method == METHOD_RESOURCE_MANAGER_SUBMIT_APP)
            take_submit(echo, event, actions);
        else if (event->method == METHOD_RESOURCE_MANAGER_GET_APP)
            take_get(echo, event, actions);
        else
            take_kill(echo, event, actions);
        break;
    case EVENT_REQUEST_CANCELLED:
        cancel_held(echo, event->call, actions);
        break;
    case EVENT_RESPONSE:
    case EVENT_EFFECT_DONE:
        reply_kill(echo, event, actions);
        break;
    case EVENT_LOCAL:
        raise_count(echo, *(const uint64_t *)event->data, actions);
        break;
    case EVENT_STOP:
        if (!echo->holds_stop)
            actions_exit(actions, 0);
        break;
    }
}

static int64_t echo_deadline_ms(const void *machine)
{
    return ((const struct echo *)machine)->deadline_ms;
}

static void echo_check(const void *machine)
{
    CHECK(!((const struct echo *)machine)->is_broken);
}

static void echo_snapshot(const void *machine, struct actions *actions)
{
    struct journal_rm_epoch record = {.epoch = (uint32_t)((const struct echo *)machine)->count};
    actions_journal(actions, &journal_rm_epoch_type, &record);
}

static void echo_tally(const void *machine, struct buf *text)
{
    const struct echo *echo = machine;
    uint64_t lie = echo->is_forgetful && echo->is_started ? 1 : 0;
    CHECK(buf_append_format(text, "count=%llu", (unsigned long long)(echo->count + lie)) == OK);
}

static void echo_close(void *machine)
{
    mem_free(machine);
}

const struct machine_door echo_door_row = {
    .name = "echo",
    .step = echo_step,
    .deadline_ms = echo_deadline_ms,
    .check = echo_check,
    .snapshot = echo_snapshot,
    .tally = echo_tally,
    .close = echo_close,
};
