/*
 * fixture.c - see fixture.h.
 */
#include "tests/unit/rm/fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/check.h"
#include "lib/base/mem.h"

static void trace_sink(void *user, const char *text)
{
    struct fixture *f = user;
    CHECK(buf_append_format(&f->text, "%s\n", text) == OK);
}

static void open_machine(struct fixture *f)
{
    CHECK(rm_open(&f->settings, 1, &f->rm) == OK);
}

static void start_machine(struct fixture *f)
{
    struct event start = {.kind = EVENT_START};
    fixture_step(f, &start);
}

void fixture_open(struct fixture *f)
{
    f->arena = arena_open(0);
    f->answers = map_u64_open();
    f->now_ms = FIXTURE_START_MS;
    buf_open(&f->text, 0);
    actions_open(&f->actions);
    f->trace = (struct trace){.sink = trace_sink, .user = f};
    f->actions.trace = &f->trace;
    open_machine(f);
    start_machine(f);
}

void fixture_close(struct fixture *f)
{
    rm_close(f->rm);
    actions_close(&f->actions);
    buf_close(&f->text);
    map_u64_close(f->answers);
    mem_free(f->journal);
    arena_close(f->arena);
    *f = (struct fixture){0};
}

static void take_journal(struct fixture *f, const struct action *action)
{
    f->journal =
        mem_reserve(f->journal, f->journal_count, &f->journal_capacity, sizeof(f->journal[0]));
    f->journal[f->journal_count++] = (struct journal_record){
        .type = action->type, .message = message_copy(action->type, action->message, f->arena)};
}

static void take_answer(struct fixture *f, const struct action *action)
{
    struct answer *answer = map_u64_get(f->answers, action->call);
    CHECK(answer != NULL);  /* never asked */
    CHECK(answer->is_open); /* answered twice */
    answer->is_open = false;
    f->open_calls--;
    answer->status = action->kind == ACTION_FAIL ? action->status : OK;
    answer->text = (const char *)arena_copy(f->arena, action->text).data;
    if (action->kind == ACTION_REPLY)
        answer->message = message_copy(action->type, action->message, f->arena);
}

static void perform(struct fixture *f)
{
    for (size_t i = 0; i < f->actions.count; i++) {
        const struct action *action = &f->actions.items[i];
        switch (action->kind) {
        case ACTION_JOURNAL:
            take_journal(f, action);
            break;
        case ACTION_REPLY:
        case ACTION_FAIL:
            take_answer(f, action);
            break;
        case ACTION_EXIT:
            f->has_exited = true;
            f->exit_code = action->exit_code;
            break;
        case ACTION_EFFECT:
            CHECK(action->effect == RM_EFFECT_READ_QUEUES);
            f->effect_tag = action->tag;
            break;
        case ACTION_CALL:
        case ACTION_CANCEL:
            CHECK(action->kind == ACTION_JOURNAL); /* the resource manager calls nobody */
            break;
        }
    }
    actions_reset(&f->actions);
}

void fixture_step(struct fixture *f, struct event *event)
{
    event->now_ms = f->now_ms;
    event->wall_ms = 1700000000000 + f->now_ms;
    rm_step(f->rm, event, &f->actions);
    perform(f);
    rm_check(f->rm);
}

static void forget_calls(struct fixture *f)
{
    size_t cursor = 0;
    void *value;
    while (map_u64_next(f->answers, &cursor, NULL, &value)) {
        struct answer *answer = value;
        if (!answer->is_open)
            continue;
        answer->is_open = false;
        answer->status = ERR_UNAVAILABLE;
        f->open_calls--;
    }
}

static void replay(struct fixture *f)
{
    struct buf before = {0};
    struct buf after = {0};
    rm_tally(f->rm, &before);
    rm_close(f->rm);
    forget_calls(f);
    open_machine(f);
    size_t count = f->journal_count;
    for (size_t i = 0; i < count; i++) {
        struct event event = {
            .kind = EVENT_REPLAY, .type = f->journal[i].type, .message = f->journal[i].message};
        fixture_step(f, &event);
        CHECK(!f->has_exited);
    }
    CHECK(f->journal_count == count);
    rm_tally(f->rm, &after);
    CHECK(slice_equal(buf_slice(&before), buf_slice(&after)));
    buf_close(&before);
    buf_close(&after);
    start_machine(f);
}

void fixture_restart(struct fixture *f)
{
    replay(f);
}

void fixture_restart_from_snapshot(struct fixture *f)
{
    f->journal_count = 0;
    rm_snapshot(f->rm, &f->actions);
    perform(f);
    replay(f);
}

uint64_t fixture_request(struct fixture *f,
                         enum method method,
                         const void *message,
                         const char *user)
{
    struct answer *answer = ARENA_NEW(f->arena, struct answer);
    answer->is_open = true;
    uint64_t call = ++f->last_call;
    (void)map_u64_put(f->answers, call, answer);
    f->open_calls++;
    struct event event = {.kind = EVENT_REQUEST,
                          .call = call,
                          .method = method,
                          .message = message,
                          .user = slice_from_string(user)};
    fixture_step(f, &event);
    return call;
}

void fixture_pass_ms(struct fixture *f, int64_t duration_ms)
{
    int64_t end_ms = f->now_ms + duration_ms;
    for (;;) {
        int64_t due_ms = rm_deadline_ms(f->rm);
        struct event tick = {.kind = EVENT_TICK};
        if (due_ms > end_ms) {
            f->now_ms = end_ms;
            return;
        }
        if (due_ms > f->now_ms)
            f->now_ms = due_ms;
        fixture_step(f, &tick);
        CHECK(rm_deadline_ms(f->rm) > f->now_ms); /* else the shell would spin */
    }
}

void fixture_trace_clear(struct fixture *f)
{
    buf_clear(&f->text);
}

bool fixture_traced(const struct fixture *f, const char *line)
{
    size_t length = strlen(line);
    const char *at = buf_string(&f->text);
    while ((at = strstr(at, line)) != NULL) {
        bool begins = at == buf_string(&f->text) || at[-1] == '\n';
        if (begins && at[length] == '\n')
            return true;
        at += 1;
    }
    return false;
}

struct answer *fixture_answer(const struct fixture *f, uint64_t call)
{
    struct answer *answer = map_u64_get(f->answers, call);
    CHECK(answer != NULL);
    return answer;
}

const void *fixture_reply(const struct fixture *f, uint64_t call)
{
    const struct answer *answer = fixture_answer(f, call);
    if (answer->message == NULL)
        fprintf(stderr, "no reply: %s %s\n", answer->is_open ? "held" : status_name(answer->status),
                answer->is_open ? "" : answer->text);
    CHECK(answer->message != NULL);
    return answer->message;
}

bool fixture_is_held(const struct fixture *f, uint64_t call)
{
    return fixture_answer(f, call)->is_open;
}

enum status fixture_status(const struct fixture *f, uint64_t call)
{
    CHECK(!fixture_is_held(f, call));
    return fixture_answer(f, call)->status;
}

size_t fixture_journaled(const struct fixture *f, const struct message_type *type)
{
    size_t count = 0;
    for (size_t i = 0; i < f->journal_count; i++)
        count += f->journal[i].type == type;
    return count;
}

struct resource resource_of(uint64_t memory_gib, uint32_t vcores)
{
    return (struct resource){.memory_bytes = memory_gib * GIB, .vcores = vcores};
}

/* --- nodes ----------------------------------------------------------------------------------- */
void node_register(struct fixture *f,
                   struct fake_node *node,
                   const struct rm_container_status *containers,
                   size_t containers_count,
                   const struct app_id *apps,
                   size_t apps_count)
{
    struct rm_register_node_request request = {
        .node = {.node_id = node->id,
                 .host = slice_from_string(node->host),
                 .rack = slice_from_string(node->rack),
                 .rpc_address = slice_from_string("127.0.0.1:1")},
        .capacity = node->capacity,
        .incarnation = node->incarnation,
        .containers = containers,
        .containers_count = containers_count,
        .apps = apps,
        .apps_count = apps_count
    };
    uint64_t call = fixture_request(f, METHOD_NODE_TRACKER_REGISTER_NODE, &request, RM_DAEMON_USER);
    const struct rm_register_node_response *response = fixture_reply(f, call);
    node->session = response->session;
    node->acknowledged = 0;
    node->call = call;
}

struct fake_node given_node(
    struct fixture *f, uint64_t id, const char *host, const char *rack, uint32_t vcores)
{
    struct fake_node node = {.id = id,
                             .host = host,
                             .rack = rack,
                             .capacity = resource_of(vcores, vcores),
                             .incarnation = 1};
    node_register(f, &node, NULL, 0, NULL, 0);
    node_beat(f, &node);
    return node;
}

static void beat(struct fixture *f,
                 struct fake_node *node,
                 const struct container_id *started,
                 size_t started_count)
{
    struct rm_node_heartbeat_request request = {.node_id = node->id,
                                                .session = node->session,
                                                .acknowledged = node->acknowledged,
                                                .started = started,
                                                .started_count = started_count};
    node->call = fixture_request(f, METHOD_NODE_TRACKER_NODE_HEARTBEAT, &request, RM_DAEMON_USER);
}

void node_beat(struct fixture *f, struct fake_node *node)
{
    beat(f, node, NULL, 0);
}

void node_beat_started(struct fixture *f, struct fake_node *node, struct container_id started)
{
    beat(f, node, &started, 1);
    node_listen(f, node);
}

void node_complete(struct fixture *f,
                   struct fake_node *node,
                   struct container_id container,
                   int32_t exit_status)
{
    struct rm_container_status status = {.container = container,
                                         .state = CONTAINER_COMPLETED,
                                         .exit_status = exit_status,
                                         .diagnostics = slice_from_string("it ended")};
    struct rm_containers_completed_request request = {
        .node_id = node->id, .session = node->session, .completed = &status, .completed_count = 1};
    uint64_t call =
        fixture_request(f, METHOD_NODE_TRACKER_CONTAINERS_COMPLETED, &request, RM_DAEMON_USER);
    (void)fixture_reply(f, call);
}

void node_listen(struct fixture *f, struct fake_node *node)
{
    while (!fixture_is_held(f, node->call)) {
        const struct answer *answer = fixture_answer(f, node->call);
        if (answer->status == OK && node->call != 0) {
            const struct rm_node_heartbeat_response *response = answer->message;
            for (size_t i = 0; i < response->commands_count; i++) {
                CHECK(node->command_count < FIXTURE_COMMANDS_MAX);
                node->commands[node->command_count++] = response->commands[i];
                node->acknowledged = response->commands[i].sequence;
            }
        }
        node_beat(f, node);
        if (!fixture_is_held(f, node->call) && fixture_status(f, node->call) == ERR_STALE)
            return;
    }
}

const struct rm_node_command *node_command(const struct fake_node *node,
                                           enum rm_node_command_kind kind,
                                           size_t index)
{
    for (size_t i = 0; i < node->command_count; i++) {
        if (node->commands[i].kind == kind && index-- == 0)
            return &node->commands[i];
    }
    return NULL;
}

/* --- applications ---------------------------------------------------------------------------- */
struct app_id given_app(struct fixture *f, const char *user, uint64_t request_id, uint32_t priority)
{
    struct slice program = slice_from_string("mr-appmaster");
    struct rm_submit_app_request request = {
        .client_id = 7,
        .request_id = request_id,
        .name = slice_from_string("job"),
        .master_resource = resource_of(1, 1),
        .master = {.arguments = &program, .arguments_count = 1},
        .priority = priority
    };
    uint64_t call = fixture_request(f, METHOD_RESOURCE_MANAGER_SUBMIT_APP, &request, user);
    const struct rm_submit_app_response *response = fixture_reply(f, call);
    return response->app;
}

struct rm_app_report app_report(struct fixture *f, struct app_id app)
{
    struct rm_get_app_request request = {.app = app};
    uint64_t call = fixture_request(f, METHOD_RESOURCE_MANAGER_GET_APP, &request, "anyone");
    const struct rm_get_app_response *response = fixture_reply(f, call);
    return response->report;
}

/* --- masters --------------------------------------------------------------------------------- */
const struct rm_register_master_response *master_register(struct fixture *f,
                                                          struct fake_master *master)
{
    struct rm_register_master_request request = {.app = master->app,
                                                 .app_attempt = master->app_attempt,
                                                 .tracking_address =
                                                     slice_from_string("127.0.0.1:2")};
    uint64_t call =
        fixture_request(f, METHOD_MASTER_TRACKER_REGISTER_MASTER, &request, RM_DAEMON_USER);
    master->response_sequence = 0;
    master->granted_total = 0;
    return fixture_reply(f, call);
}

struct fake_master given_master(struct fixture *f, struct fake_node *node, struct app_id app)
{
    node_listen(f, node);
    struct fake_master master = {.app = app};
    const struct rm_node_command *launch = NULL;
    for (size_t i = 0; (launch = node_command(node, NODE_LAUNCH_MASTER, i)) != NULL; i++) {
        if (app_id_equal(launch->app, app))
            master.app_attempt = launch->container.app_attempt;
    }
    CHECK(master.app_attempt > 0); /* the node was told to launch it */
    struct container_id container = {
        .app = app, .app_attempt = master.app_attempt, .sequence = RM_MASTER_SEQUENCE};
    for (size_t i = 0; (launch = node_command(node, NODE_LAUNCH_MASTER, i)) != NULL; i++) {
        if (app_id_equal(launch->app, app))
            container.epoch = launch->container.epoch;
    }
    node_beat_started(f, node, container);
    (void)master_register(f, &master);
    return master;
}

static void allocate(struct fixture *f,
                     struct fake_master *master,
                     struct rm_allocate_request *request)
{
    request->app = master->app;
    request->app_attempt = master->app_attempt;
    request->response_sequence = master->response_sequence;
    request->granted_total = master->granted_total;
    request->request_sequence = ++master->request_sequence;
    master->call = fixture_request(f, METHOD_MASTER_TRACKER_ALLOCATE, request, RM_DAEMON_USER);
}

void master_allocate(struct fixture *f,
                     struct fake_master *master,
                     const struct rm_ask *asks,
                     size_t asks_count)
{
    struct rm_allocate_request request = {
        .asks = asks, .asks_count = asks_count, .asks_changed = asks != NULL};
    allocate(f, master, &request);
}

void master_release(struct fixture *f, struct fake_master *master, struct container_id container)
{
    struct rm_allocate_request request = {.release = &container, .release_count = 1};
    allocate(f, master, &request);
}

const struct rm_allocate_response *master_hear(struct fixture *f, struct fake_master *master)
{
    const struct rm_allocate_response *response = fixture_reply(f, master->call);
    CHECK(response->response_sequence == master->response_sequence + 1);
    master->response_sequence = response->response_sequence;
    master->granted_total += (uint32_t)response->grants_count;
    return response;
}

uint64_t master_finish(struct fixture *f, struct fake_master *master, enum rm_final_status status)
{
    struct rm_finish_master_request request = {.app = master->app,
                                               .app_attempt = master->app_attempt,
                                               .final_status = status,
                                               .history_path = slice_from_string("/h/x.pb")};
    return fixture_request(f, METHOD_MASTER_TRACKER_FINISH_MASTER, &request, RM_DAEMON_USER);
}

struct rm_ask ask_of(uint32_t priority, const char *place, uint32_t want)
{
    return (struct rm_ask){.priority = priority,
                           .place = slice_from_string(place),
                           .resource = resource_of(1, 1),
                           .want = want,
                           .relax_locality = true};
}
