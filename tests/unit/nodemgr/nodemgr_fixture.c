/*
 * nodemgr_fixture.c - see nodemgr_fixture.h.
 */
#include "tests/unit/nodemgr/nodemgr_fixture.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/model/message.h"

struct nodemgr_fixture f;

static void say(const char *format, ...) __attribute__((format(printf, 1, 2)));

static void say(const char *format, ...)
{
    char line[512];
    va_list arguments;
    va_start(arguments, format);
    vsnprintf(line, sizeof(line), format, arguments);
    va_end(arguments);
    if (buf_append_format(&f.text, "%s", line) != OK)
        abort();
}

static void take_trace(void *user, const char *text)
{
    (void)user;
    say("%s\n", text);
}

static void say_statuses(const char *name, const struct rm_container_status *statuses, size_t count)
{
    if (count > 0)
        f.diagnostics = arena_copy(f.arena, statuses[0].diagnostics);
    for (size_t i = 0; i < count; i++) {
        say("%s%" PRIu64 ":", i == 0 ? name : ",", statuses[i].container.sequence);
        if (statuses[i].state == CONTAINER_COMPLETED)
            say("%" PRId32, statuses[i].exit_status);
        else
            say("%s", rm_container_state_name(statuses[i].state));
    }
}

static void note_call(const struct action *action)
{
    f.tag_of[action->method] = action->tag;
    say("call %s", method_info(action->method)->name);
    if (action->method == METHOD_NODE_TRACKER_REGISTER_NODE) {
        const struct rm_register_node_request *request = action->message;
        say_statuses(" containers=", request->containers, request->containers_count);
        for (size_t i = 0; i < request->apps_count; i++)
            say(i == 0 ? " apps=%" PRIu32 : ",%" PRIu32, request->apps[i].sequence);
        if (request->unusable.length > 0)
            say(" unusable=\"%.*s\"", SLICE_ARGS(request->unusable));
    } else if (action->method == METHOD_NODE_TRACKER_NODE_HEARTBEAT) {
        const struct rm_node_heartbeat_request *request = action->message;
        say(" session=%" PRIu64 " acknowledged=%" PRIu64, request->session, request->acknowledged);
        for (size_t i = 0; i < request->started_count; i++)
            say(i == 0 ? " started=%" PRIu64 : ",%" PRIu64, request->started[i].sequence);
        say_statuses(" completed=", request->completed, request->completed_count);
        say(" running=%" PRIu32, request->running);
        if (request->unusable.length > 0)
            say(" unusable=\"%.*s\"", SLICE_ARGS(request->unusable));
    } else if (action->method == METHOD_NODE_TRACKER_CONTAINERS_COMPLETED) {
        const struct rm_containers_completed_request *request = action->message;
        say_statuses(" ", request->completed, request->completed_count);
    }
    say("\n");
}

static void note_effect(const struct action *action)
{
    const struct nodemgr_localize *localize = action->data;
    const struct nodemgr_launch *launch = action->data;
    const struct nodemgr_signal *signal = action->data;
    const struct nodemgr_clean *clean = action->data;
    const struct nodemgr_forget *forget = action->data;
    switch ((enum nodemgr_effect)action->effect) {
    case NODEMGR_LOCALIZE:
        f.localize_tag[localize->container.sequence] = action->tag;
        say("localize %" PRIu64 " for %.*s\n", localize->container.sequence,
            SLICE_ARGS(localize->user));
        break;
    case NODEMGR_LAUNCH:
        f.launch_tag[launch->container.sequence] = action->tag;
        say("launch %" PRIu64 " %.*s\n", launch->container.sequence,
            SLICE_ARGS(launch->launch.arguments[0]));
        break;
    case NODEMGR_SIGNAL:
        say("%s %" PRIu64 "\n", signal->is_kill ? "kill" : "term", signal->process_id);
        break;
    case NODEMGR_CLEAN:
        say("clean %" PRIu64 "\n", clean->container.sequence);
        break;
    case NODEMGR_FORGET:
        f.forget_tag[forget->app.sequence] = action->tag;
        say("forget %" PRIu32 "\n", forget->app.sequence);
        break;
    case NODEMGR_EFFECT_COUNT:
        abort();
    }
}

static void note(const struct action *action)
{
    switch (action->kind) {
    case ACTION_CALL:
        note_call(action);
        break;
    case ACTION_EFFECT:
        note_effect(action);
        break;
    case ACTION_CANCEL:
        say("cancel %s\n",
            action->tag == f.tag_of[METHOD_NODE_TRACKER_NODE_HEARTBEAT] ? "heartbeat" : "?");
        break;
    case ACTION_REPLY:
        say("reply %" PRIu64 "\n", action->call);
        break;
    case ACTION_FAIL:
        say("fail %" PRIu64 " %s: %.*s\n", action->call, status_name(action->status),
            SLICE_ARGS(action->text));
        break;
    case ACTION_EXIT:
        say("exit %d\n", action->exit_code);
        break;
    case ACTION_JOURNAL:
        abort(); /* it has none */
    }
}

void step(struct event event)
{
    event.now_ms = f.now_ms;
    actions_reset(&f.actions);
    nodemgr_step(f.nodemgr, &event, &f.actions);
    nodemgr_check(f.nodemgr);
    for (size_t i = 0; i < f.actions.count; i++)
        note(&f.actions.items[i]);
}

void expect_text(const char *expected, int line)
{
    if (strcmp(buf_string(&f.text), expected) != 0) {
        printf("line %d: expected:\n%sgot:\n%s", line, expected, buf_string(&f.text));
        CU_FAIL("the trace differs");
    }
    buf_clear(&f.text);
}

/* --- given ------------------------------------------------------------------------------------ */

void nodemgr_setup(void)
{
    f = (struct nodemgr_fixture){.now_ms = 1000};
    f.arena = arena_open(0);
    f.trace.sink = take_trace;
    actions_open(&f.actions);
    f.actions.trace = &f.trace;
}

void nodemgr_teardown(void)
{
    nodemgr_close(f.nodemgr);
    actions_close(&f.actions);
    buf_close(&f.text);
    arena_close(f.arena);
}

/* A token is good when it says "good"; it grants 1 GiB and 1 vcore to alice. */
static enum status verify(void *context,
                          struct slice token,
                          const struct container_id *id,
                          uint64_t node_id,
                          int64_t wall_ms,
                          struct nodemgr_grant *ret_grant)
{
    (void)context;
    (void)id;
    (void)wall_ms;
    if (!slice_equal_string(token, "good") || node_id != NODE)
        return ERR_UNAUTHENTICATED;
    ret_grant->resource = (struct resource){.memory_bytes = GIB, .vcores = 1};
    ret_grant->user = slice_from_string("alice");
    return OK;
}

struct nodemgr_settings plain_settings(void)
{
    return (struct nodemgr_settings){
        .self = {.node_id = NODE,            .host = slice_from_string("n1")},
        .capacity = {.memory_bytes = 4ULL * GIB, .vcores = 4                    },
        .incarnation = 3,
        .rm_address = slice_from_string("127.0.0.1:9"),
        .term_grace_ms = GRACE_MS,
        .retry_min_ms = RETRY_MS,
        .grant_verify = verify,
    };
}

void given_node(void)
{
    struct nodemgr_settings settings = plain_settings();
    CU_ASSERT_EQUAL_FATAL(nodemgr_open(&settings, 1, &f.nodemgr), OK);
    step((struct event){.kind = EVENT_START});
    buf_clear(&f.text);
}

void given_registered(void)
{
    given_node();
    when_registered_with(11);
    buf_clear(&f.text);
}

void given_running(uint64_t sequence)
{
    when_start_asked(sequence);
    when_localized(sequence, OK);
    when_launched(sequence, OK);
    buf_clear(&f.text);
}

struct container_id container(uint64_t sequence)
{
    return (struct container_id){
        .app = {.cluster_timestamp = 5, .sequence = 1},
        .app_attempt = 1,
        .epoch = EPOCH,
        .sequence = sequence,
    };
}

struct rm_launch_spec plain_launch(void)
{
    static const struct slice arguments[] = {
        {(const uint8_t *)"mr-task", 7}
    };
    return (struct rm_launch_spec){.arguments = arguments, .arguments_count = 1};
}

/* --- when ------------------------------------------------------------------------------------- */

void when_ms_pass(int64_t ms)
{
    f.now_ms += ms;
    step((struct event){.kind = EVENT_TICK});
}

void when_deadline_comes(void)
{
    int64_t deadline = nodemgr_deadline_ms(f.nodemgr);
    CU_ASSERT_NOT_EQUAL_FATAL(deadline, INT64_MAX);
    when_ms_pass(deadline > f.now_ms ? deadline - f.now_ms : 0);
}

void when_answered(enum method method, enum status status, const void *message)
{
    step((struct event){
        .kind = EVENT_RESPONSE,
        .tag = f.tag_of[method],
        .method = method,
        .status = status,
        .message = message,
    });
}

void when_registered_with(uint64_t session)
{
    struct rm_register_node_response response = {
        .session = session,
        .heartbeat_interval_ms = INTERVAL_MS,
        .epoch = EPOCH,
        .cluster_timestamp = 5,
    };
    when_answered(METHOD_NODE_TRACKER_REGISTER_NODE, OK, &response);
}

void when_commanded(const struct rm_node_command *commands, size_t count)
{
    struct rm_node_heartbeat_response response = {.commands = commands, .commands_count = count};
    when_answered(METHOD_NODE_TRACKER_NODE_HEARTBEAT, OK, &response);
}

void when_kill_commanded(uint64_t sequence)
{
    struct rm_node_command command = {
        .kind = NODE_KILL_CONTAINER, .container = container(sequence), .sequence = 1};
    when_commanded(&command, 1);
}

void when_forget_commanded(void)
{
    struct rm_node_command command = {
        .kind = NODE_FORGET_APP, .app = container(1).app, .sequence = 2};
    when_commanded(&command, 1);
}

void when_launch_commanded(uint64_t sequence, uint64_t memory_bytes)
{
    struct rm_node_command command = {
        .kind = NODE_LAUNCH_MASTER,
        .container = container(sequence),
        .launch = plain_launch(),
        .resource = {.memory_bytes = memory_bytes, .vcores = 1},
        .user = slice_from_string("alice"),
        .sequence = 3,
    };
    when_commanded(&command, 1);
}

void when_start_asked_with(uint64_t sequence,
                           const char *token,
                           const char *user,
                           const struct rm_launch_spec *launch)
{
    struct nm_start_container_request request = {
        .container = container(sequence),
        .token = slice_from_string(token),
        .launch = *launch,
    };
    step((struct event){
        .kind = EVENT_REQUEST,
        .call = 1000 + sequence,
        .method = METHOD_NODE_MANAGER_START_CONTAINER,
        .message = &request,
        .user = slice_from_string(user),
    });
}

void when_start_asked(uint64_t sequence)
{
    struct rm_launch_spec launch = plain_launch();
    when_start_asked_with(sequence, "good", "alice", &launch);
}

void when_stop_asked(uint64_t sequence, const char *user)
{
    struct nm_stop_container_request request = {
        .container = container(sequence), .diagnostics = slice_from_string("a twin was faster")};
    step((struct event){
        .kind = EVENT_REQUEST,
        .call = 2000 + sequence,
        .method = METHOD_NODE_MANAGER_STOP_CONTAINER,
        .message = &request,
        .user = slice_from_string(user),
    });
}

void when_localized(uint64_t sequence, enum status status)
{
    step((struct event){
        .kind = EVENT_EFFECT_DONE,
        .tag = f.localize_tag[sequence],
        .effect = NODEMGR_LOCALIZE,
        .status = status,
        .text = slice_from_string(status == OK ? "" : "no such file"),
    });
}

void when_launched(uint64_t sequence, enum status status)
{
    struct nodemgr_launched launched = {.process_id = 100 + sequence};
    step((struct event){
        .kind = EVENT_EFFECT_DONE,
        .tag = f.launch_tag[sequence],
        .effect = NODEMGR_LAUNCH,
        .status = status,
        .text = slice_from_string(status == OK ? "" : "no such program"),
        .data = status == OK ? &launched : NULL,
    });
}

void when_forgotten(enum status status)
{
    step((struct event){
        .kind = EVENT_EFFECT_DONE,
        .tag = f.forget_tag[1],
        .effect = NODEMGR_FORGET,
        .status = status,
        .text = slice_from_string(status == OK ? "" : "busy"),
    });
}

void when_exited(uint64_t sequence, int32_t exit_code, int32_t signal, const char *stderr_tail)
{
    struct nodemgr_exited seen = {
        .container = container(sequence),
        .exit_code = exit_code,
        .signal = signal,
        .stderr_tail = slice_from_string(stderr_tail),
    };
    step((struct event){.kind = EVENT_LOCAL, .effect = NODEMGR_EXITED, .data = &seen});
}
