/*
 * shell_loop.c - the core thread: rounds of take, step, journal, perform.
 */
#include <string.h>

#include "lib/base/check.h"
#include "lib/base/mem.h"
#include "lib/daemon/daemon.h"
#include "lib/daemon/log.h"
#include "lib/daemon/shell_item.h"
#include "lib/model/message.h"
#include "lib/os/clock.h"

enum {
    ROUND_ITEMS =
        1024 /* steps that share a sync: when so many wait, some ms of steps to one sync */
};

static void step(struct shell *shell, struct event *event, int64_t now_ms, int64_t wall_ms)
{
    event->now_ms = now_ms;
    event->wall_ms = wall_ms;
    struct shell_step step = {.from = shell->actions.count};
    int64_t before_us = clock_monotonic_us();
    shell->settings.door->step(shell->machine, event, &shell->actions);
    uint64_t took_us = (uint64_t)(clock_monotonic_us() - before_us);
    if (took_us > atomic_load(&shell->step_us_max))
        atomic_store(&shell->step_us_max, took_us);
    if (shell->settings.check_every_step)
        shell->settings.door->check(shell->machine);
    step.to = shell->actions.count;
    shell->steps =
        mem_reserve(shell->steps, shell->step_count, &shell->step_capacity, sizeof(step));
    shell->steps[shell->step_count++] = step;
    atomic_fetch_add(&shell->events, 1);
}

void shell_open_request(struct shell *shell, const struct shell_item *item)
{
    struct shell_open_call *call = MEM_NEW(struct shell_open_call);
    call->answer = item->answer;
    call->user = item->answer_user;
    CHECK(map_u64_put(shell->open_calls, item->event.call, call) == NULL);
    atomic_fetch_add(&shell->requests, 1);
    atomic_fetch_add(&shell->requests_open, 1);
}

/* Answers an open call; that it is open is the machine's promise (rule 2 of the door). */
void shell_answer_call(struct shell *shell, uint64_t number, const struct shell_answer *answer)
{
    struct shell_open_call *call = map_u64_remove(shell->open_calls, number);
    CHECK(call != NULL);
    atomic_fetch_sub(&shell->requests_open, 1);
    call->answer(call->user, answer);
    mem_free(call);
}

static const struct shell_answer full_answer = {
    .status = ERR_NO_SPACE,
    .text = {(const uint8_t *)"the disk of the metadata is full: reads are answered, changes are "
                              "refused until there is room again", 98},
};

/* Answers what the machine is not to see: true. */
static bool intercept(struct shell *shell, const struct shell_item *item)
{
    const struct shell_settings *settings = &shell->settings;
    if (shell_checkpoint_take(shell, item))
        return true;
    if (!shell->is_read_only || settings->needs_room == NULL ||
        !settings->needs_room(settings->host.user, item->event.method))
        return false;
    shell_open_request(shell, item);
    shell_answer_call(shell, item->event.call, &full_answer);
    return true;
}

static void take_item(struct shell *shell, struct shell_item *item, int64_t now_ms, int64_t wall_ms)
{
    switch (item->kind) {
    case SHELL_EVENT:
        if (item->event.kind == EVENT_REQUEST && intercept(shell, item))
            break;
        if (item->event.kind == EVENT_REQUEST)
            shell_open_request(shell, item);
        step(shell, &item->event, now_ms, wall_ms);
        break;
    case SHELL_CANCEL:
        if (map_u64_get(shell->open_calls, item->event.call) != NULL &&
            !shell_checkpoint_holds(shell, item->event.call))
            step(shell, &item->event, now_ms, wall_ms);
        break;
    case SHELL_INSPECT:
    case SHELL_PULSE:
        break; /* after the round's sync: nobody sees what is not durable */
    case SHELL_CHECKPOINT:
        shell_checkpoint_end(shell);
        break;
    case SHELL_EXIT:
        shell->must_exit = true;
        shell->asked_exit_code = item->exit_code;
        break;
    }
}

static void end_inspection(struct shell_inspection *inspection, const void *machine)
{
    mutex_lock(inspection->mutex);
    if (machine != NULL)
        inspection->function(inspection->user, machine);
    inspection->was_run = machine != NULL;
    inspection->is_over = true;
    condition_broadcast(inspection->changed);
    mutex_unlock(inspection->mutex);
}

static void perform(struct shell *shell, const struct action *action)
{
    const struct shell_host *host = &shell->settings.host;
    struct shell_answer answer = {.status = OK};
    switch (action->kind) {
    case ACTION_JOURNAL:
        break; /* done */
    case ACTION_REPLY:
        answer.type = action->type;
        answer.message = action->message;
        shell_answer_call(shell, action->call, &answer);
        break;
    case ACTION_FAIL:
        answer.status = action->status;
        answer.text = action->text;
        shell_answer_call(shell, action->call, &answer);
        break;
    case ACTION_CALL:
        CHECK(host->call != NULL);
        host->call(host->user, shell, action->tag, action->address, action->method, action->message,
                   action->timeout_ms);
        break;
    case ACTION_CANCEL:
        CHECK(host->cancel != NULL);
        host->cancel(host->user, shell, action->tag);
        break;
    case ACTION_EFFECT:
        CHECK(host->effect != NULL);
        host->effect(host->user, shell, action->tag, action->effect, action->data);
        break;
    case ACTION_EXIT:
        shell->must_exit = true;
        shell->asked_exit_code = action->exit_code;
        break;
    }
}

/* Journals and performs what the round's steps asked for. */
static enum status finish_round(struct shell *shell, struct error *reterr_error)
{
    enum status status = shell_journal_round(shell, reterr_error);
    if (status != OK)
        return status;
    bool had_exit =
        shell->must_exit; /* of shell_exit: what was stepped before is still performed */
    for (size_t i = 0; i < shell->actions.count && shell->must_exit == had_exit; i++)
        perform(shell, &shell->actions.items[i]);
    return shell_checkpoint_review(shell, reterr_error);
}

static const struct shell_answer ended_answer = {
    .status = ERR_UNAVAILABLE,
    .text = {(const uint8_t *)"the daemon is stopping", 22},
};

static void fail_journal(struct shell *shell, enum status status, const char *reason)
{
    log_event(shell->settings.log, LOG_LEVEL_ERROR, "journal_failed", log_status("status", status),
              log_text("reason", reason));
    shell->must_exit = true;
    shell->asked_exit_code = EXIT_JOURNAL_FAILED;
}

static void run_round(struct shell *shell, struct shell_item **items, size_t count)
{
    int64_t now_ms = clock_monotonic_ms();
    int64_t wall_ms = clock_wall_ms();
    shell_journal_look_at_room(shell);
    for (size_t i = 0; i < count; i++)
        take_item(shell, items[i], now_ms, wall_ms);
    if (shell->settings.door->deadline_ms(shell->machine) <= now_ms) {
        struct event tick = {.kind = EVENT_TICK};
        step(shell, &tick, now_ms, wall_ms);
    }
    struct error error = {.status = OK};
    enum status status = finish_round(shell, &error);
    if (status != OK)
        fail_journal(shell, status, error.text);
    static const struct shell_answer alive = {.status = OK};
    for (size_t i = 0; i < count; i++) {
        if (items[i]->kind == SHELL_INSPECT)
            end_inspection(items[i]->inspection, shell->machine);
        if (items[i]->kind == SHELL_PULSE)
            items[i]->answer(items[i]->answer_user, status == OK ? &alive : &ended_answer);
        shell_item_close(items[i]);
    }
    actions_reset(&shell->actions);
    shell->step_count = 0;
    atomic_fetch_add(&shell->rounds, 1);
}

/* Nobody will step any more: what waits in the mailbox is refused. */
static void refuse_item(struct shell *shell, struct shell_item *item)
{
    if (item->kind == SHELL_INSPECT)
        end_inspection(item->inspection, NULL);
    if (item->kind == SHELL_PULSE ||
        (item->kind == SHELL_EVENT && item->event.kind == EVENT_REQUEST))
        item->answer(item->answer_user, &ended_answer);
    (void)shell;
    shell_item_close(item);
}

static void end_thread(struct shell *shell)
{
    void *items[ROUND_ITEMS];
    size_t count;
    shell_checkpoint_cancel(shell);
    mailbox_shut(shell->mailbox);
    while ((count = mailbox_take(shell->mailbox, items, ROUND_ITEMS, 0)) > 0) {
        for (size_t i = 0; i < count; i++)
            refuse_item(shell, items[i]);
    }
    size_t cursor = 0;
    uint64_t number = 0;
    while (map_u64_next(shell->open_calls, &cursor, &number, NULL))
        shell_answer_call(shell, number, &ended_answer);
    mutex_lock(shell->mutex);
    shell->is_over = true;
    shell->exit_code = shell->asked_exit_code;
    condition_broadcast(shell->changed);
    mutex_unlock(shell->mutex);
}

void shell_run(void *argument)
{
    struct shell *shell = argument;
    struct shell_item *start = MEM_NEW(struct shell_item);
    start->event.kind = EVENT_START;
    run_round(shell, &start, 1);
    while (!shell->must_exit) {
        void *taken[ROUND_ITEMS];
        struct shell_item *items[ROUND_ITEMS];
        int64_t deadline_ms = shell->settings.door->deadline_ms(shell->machine);
        int64_t checkpoint_ms = shell_checkpoint_deadline_ms(shell);
        size_t count = mailbox_take(shell->mailbox, taken, ROUND_ITEMS,
                                    deadline_ms < checkpoint_ms ? deadline_ms : checkpoint_ms);
        for (size_t i = 0; i < count; i++)
            items[i] = taken[i];
        run_round(shell, items, count);
    }
    end_thread(shell);
}
