/*
 * machine.c - the action list that a machine appends to.
 */
#include "lib/model/machine.h"

#include <stdarg.h>
#include <stdio.h>

#include "lib/base/check.h"
#include "lib/base/mem.h"
#include "lib/model/limits.h"
#include "lib/model/text.h"

void actions_open(struct actions *actions)
{
    *actions = (struct actions){.arena = arena_open(0)};
}

void actions_reset(struct actions *actions)
{
    actions->count = 0;
    arena_reset(actions->arena);
}

void actions_close(struct actions *actions)
{
    arena_close(actions->arena);
    mem_free(actions->items);
    *actions = (struct actions){0};
}

static struct action *append_action(struct actions *actions, enum action_kind kind)
{
    actions->items =
        mem_reserve(actions->items, actions->count, &actions->capacity, sizeof(actions->items[0]));
    struct action *action = &actions->items[actions->count++];
    *action = (struct action){.kind = kind};
    return action;
}

static void set_message(struct actions *actions,
                        struct action *action,
                        const struct message_type *type,
                        const void *message)
{
    action->type = type;
    action->message = message_copy(type, message, actions->arena);
}

void actions_journal(struct actions *actions, const struct message_type *type, const void *message)
{
    set_message(actions, append_action(actions, ACTION_JOURNAL), type, message);
    if (actions->drain != NULL && arena_bytes(actions->arena) >= actions->drain_bytes)
        actions->drain(actions->drain_user, actions);
}

void actions_reply(struct actions *actions,
                   uint64_t call,
                   const struct message_type *type,
                   const void *message)
{
    struct action *action = append_action(actions, ACTION_REPLY);
    action->call = call;
    set_message(actions, action, type, message);
}

void actions_fail(
    struct actions *actions, uint64_t call, enum status status, const char *format, ...)
{
    CHECK(status != OK);
    char text[LIMIT_STATUS_TEXT_BYTES + 1];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    struct action *action = append_action(actions, ACTION_FAIL);
    action->call = call;
    action->status = status;
    /* The text may quote what a peer sent, or be cut within a character. */
    struct slice clean = text_clean(slice_from_string(text), actions->arena);
    action->text = arena_copy(actions->arena, text_cut(clean, LIMIT_STATUS_TEXT_BYTES));
}

void actions_call(struct actions *actions,
                  uint64_t tag,
                  struct slice address,
                  enum method method,
                  const void *message,
                  int64_t timeout_ms)
{
    CHECK(timeout_ms > 0);
    struct action *action = append_action(actions, ACTION_CALL);
    action->tag = tag;
    action->address = arena_copy(actions->arena, address);
    action->method = method;
    action->timeout_ms = timeout_ms;
    set_message(actions, action, method_info(method)->request, message);
}

void actions_cancel(struct actions *actions, uint64_t tag)
{
    append_action(actions, ACTION_CANCEL)->tag = tag;
}

void actions_effect(struct actions *actions, uint64_t tag, int effect, const void *data)
{
    struct action *action = append_action(actions, ACTION_EFFECT);
    action->tag = tag;
    action->effect = effect;
    action->data = data;
}

void actions_exit(struct actions *actions, int exit_code)
{
    append_action(actions, ACTION_EXIT)->exit_code = exit_code;
}
