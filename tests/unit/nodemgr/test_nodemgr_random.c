/*
 * test_nodemgr_random.c - the node manager's machine against a model of the resource manager, of
 * masters and of processes that lose, delay, refuse and crash at random. After every step its
 * invariants hold; when the faults stop, the resource manager knows how every container ended and
 * nothing is left on the node.
 */
#include "nodemgr/core/nodemgr.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/rng.h"
#include "lib/model/message.h"
#include "tests/support/unit.h"

enum {
    GIB = 1 << 30,
    NODE = 7,
    CAPACITY = 5, /* containers of 1 GiB and 1 vcore */
    APPS = 4,
    SEQUENCES = 16, /* of an application; the first is its master */
    PENDING_MAX = 256,
    COMMANDS_MAX = 256,
    STEPS = 3000,
    ROUNDS = 40
};

struct model_call {
    uint64_t tag;
    enum method method;
    const void *message;
    bool is_cancelled;
};

struct model_effect {
    uint64_t tag;
    int effect;
    struct container_id container;
    struct app_id app;
};

/* What the model knows of one container. */
struct model_container {
    bool is_ordered;   /* launch commanded, start answered well, or killed by command */
    bool is_completed; /* as the resource manager heard */
    uint32_t launches;
    bool is_alive;
    bool is_doomed; /* its process got a signal */
};

static struct model {
    struct nodemgr *nodemgr;
    struct actions actions;
    struct arena *arena;
    struct rng rng;
    int64_t now_ms;
    bool is_calm;
    bool has_exited;
    uint64_t session;
    uint64_t sessions;
    uint64_t sequence; /* of the newest command */
    struct rm_node_command commands[COMMANDS_MAX];
    size_t commands_count;
    struct model_call calls[PENDING_MAX];
    size_t calls_count;
    struct model_effect effects[PENDING_MAX];
    size_t effects_count;
    struct model_container containers[APPS][SEQUENCES];
    bool is_forgotten[APPS];
    bool is_removed[APPS]; /* folders */
    uint64_t next_request;
    uint64_t open_requests;
    uint64_t processes;
} m;

static bool chance(uint64_t percent)
{
    return rng_below(&m.rng, 100) < percent;
}

static struct container_id container_of(uint64_t app, uint64_t sequence)
{
    return (struct container_id){
        .app = {.cluster_timestamp = 5, .sequence = (uint32_t)app + 1},
        .app_attempt = 1,
        .epoch = 1,
        .sequence = sequence + 1
    };
}

static struct model_container *model_of(const struct container_id *id)
{
    return &m.containers[id->app.sequence - 1][id->sequence - 1];
}

static struct rm_launch_spec launch(void)
{
    static const struct slice arguments[] = {
        {(const uint8_t *)"x", 1}
    };
    return (struct rm_launch_spec){.arguments = arguments, .arguments_count = 1};
}

static enum status verify(void *context,
                          struct slice token,
                          const struct container_id *id,
                          uint64_t node_id,
                          int64_t wall_ms,
                          struct nodemgr_grant *ret_grant)
{
    (void)context;
    (void)token;
    (void)id;
    (void)node_id;
    (void)wall_ms;
    ret_grant->resource = (struct resource){.memory_bytes = GIB, .vcores = 1};
    ret_grant->user = slice_from_string("alice");
    return OK;
}

/* --- what the machine asks for ---------------------------------------------------------------- */
static void take_effect(const struct action *action)
{
    struct model_effect effect = {.tag = action->tag, .effect = action->effect};
    if (action->effect == NODEMGR_SIGNAL) {
        const struct nodemgr_signal *signal = action->data;
        struct model_container *container = model_of(&signal->container);
        container->is_doomed = true;
        return;
    }
    if (action->effect == NODEMGR_CLEAN) {
        const struct nodemgr_clean *clean = action->data;
        CU_ASSERT_FALSE_FATAL(model_of(&clean->container)->is_alive);
        return;
    }
    if (action->effect == NODEMGR_FORGET) {
        const struct nodemgr_forget *forget = action->data;
        effect.app = forget->app;
        for (size_t i = 0; i < SEQUENCES; i++)
            CU_ASSERT_FALSE_FATAL(m.containers[forget->app.sequence - 1][i].is_alive);
    } else if (action->effect == NODEMGR_LAUNCH) {
        const struct nodemgr_launch *asked = action->data;
        effect.container = asked->container;
    } else {
        const struct nodemgr_localize *asked = action->data;
        effect.container = asked->container;
    }
    CU_ASSERT_TRUE_FATAL(m.effects_count < PENDING_MAX);
    m.effects[m.effects_count++] = effect;
}

static void take_actions(void)
{
    for (size_t i = 0; i < m.actions.count; i++) {
        const struct action *action = &m.actions.items[i];
        if (action->kind == ACTION_CALL) {
            CU_ASSERT_TRUE_FATAL(m.calls_count < PENDING_MAX);
            const struct message_type *type = method_info(action->method)->request;
            m.calls[m.calls_count++] =
                (struct model_call){.tag = action->tag,
                                    .method = action->method,
                                    .message = message_copy(type, action->message, m.arena)};
        } else if (action->kind == ACTION_EFFECT)
            take_effect(action);
        else if (action->kind == ACTION_REPLY || action->kind == ACTION_FAIL)
            m.open_requests--;
        else if (action->kind == ACTION_EXIT)
            m.has_exited = true;
        else if (action->kind == ACTION_CANCEL) {
            for (size_t j = 0; j < m.calls_count; j++)
                m.calls[j].is_cancelled |= m.calls[j].tag == action->tag;
        }
    }
}

static void step(struct event event)
{
    event.now_ms = m.now_ms;
    actions_reset(&m.actions);
    nodemgr_step(m.nodemgr, &event, &m.actions);
    nodemgr_check(m.nodemgr);
    CU_ASSERT_TRUE_FATAL(nodemgr_deadline_ms(m.nodemgr) > m.now_ms);
    take_actions();
}

/* --- the resource manager --------------------------------------------------------------------- */
static void command(struct rm_node_command command)
{
    if (m.commands_count == COMMANDS_MAX)
        return;
    command.sequence = ++m.sequence;
    m.commands[m.commands_count++] = command;
}

static void hear_completed(const struct rm_container_status *statuses, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        CU_ASSERT_EQUAL_FATAL(statuses[i].state, CONTAINER_COMPLETED);
        CU_ASSERT_FALSE_FATAL(model_of(&statuses[i].container)->is_alive);
        model_of(&statuses[i].container)->is_completed = true;
    }
}

static void acknowledge_commands(uint64_t up_to)
{
    size_t kept = 0;
    for (size_t i = 0; i < m.commands_count; i++) {
        if (m.commands[i].sequence > up_to)
            m.commands[kept++] = m.commands[i];
    }
    m.commands_count = kept;
}

static void serve_register(const struct rm_register_node_request *request,
                           struct rm_register_node_response *ret_response)
{
    struct container_id *kill =
        ARENA_ARRAY(m.arena, struct container_id, request->containers_count + 1);
    ret_response->kill = kill;
    for (size_t i = 0; i < request->containers_count; i++) {
        const struct rm_container_status *status = &request->containers[i];
        if (status->state == CONTAINER_COMPLETED)
            hear_completed(status, 1);
        else if (model_of(&status->container)->is_completed || chance(5))
            kill[ret_response->kill_count++] = status->container;
    }
    for (size_t i = 0; i < request->apps_count; i++) {
        if (m.is_forgotten[request->apps[i].sequence - 1])
            command((struct rm_node_command){.kind = NODE_FORGET_APP, .app = request->apps[i]});
    }
    m.session = ++m.sessions;
    ret_response->session = m.session;
    ret_response->epoch = 1;
    ret_response->heartbeat_interval_ms = 1000;
}

/* Takes call number index from the list, serves it or not, and answers it or not. */
static void serve_call(size_t index)
{
    struct model_call call = m.calls[index];
    memmove(&m.calls[index], &m.calls[index + 1], (--m.calls_count - index) * sizeof(m.calls[0]));
    struct event event = {
        .kind = EVENT_RESPONSE, .tag = call.tag, .method = call.method, .status = OK};
    struct rm_register_node_response registered = {0};
    struct rm_node_heartbeat_response beaten = {0};
    static const struct rm_containers_completed_response completed = {0};
    static const struct rm_unregister_node_response unregistered = {0};
    if (call.is_cancelled || (!m.is_calm && chance(15))) {
        event.status = call.is_cancelled ? ERR_CANCELLED : ERR_UNAVAILABLE;
        step(event);
        return;
    }
    if (call.method == METHOD_NODE_TRACKER_REGISTER_NODE) {
        serve_register(call.message, &registered);
        event.message = &registered;
    } else if (call.method == METHOD_NODE_TRACKER_NODE_HEARTBEAT) {
        const struct rm_node_heartbeat_request *request = call.message;
        if (request->session == m.session) {
            hear_completed(request->completed, request->completed_count);
            struct container_id *known =
                ARENA_ARRAY(m.arena, struct container_id, request->completed_count + 1);
            for (size_t i = 0; i < request->completed_count; i++)
                known[i] = request->completed[i].container;
            acknowledge_commands(request->acknowledged);
            beaten.acknowledged = known;
            beaten.acknowledged_count = request->completed_count;
            beaten.commands = m.commands;
            beaten.commands_count = m.commands_count;
            event.message = &beaten;
        } else
            event.status = ERR_STALE;
    } else if (call.method == METHOD_NODE_TRACKER_CONTAINERS_COMPLETED) {
        const struct rm_containers_completed_request *request = call.message;
        if (request->session == m.session)
            hear_completed(request->completed, request->completed_count);
        else
            event.status = ERR_STALE;
        event.message = &completed;
    } else
        event.message = &unregistered;
    if (!m.is_calm && chance(10))
        event.status = ERR_DEADLINE; /* served, but the answer is lost */
    if (event.status != OK)
        event.message = NULL;
    step(event);
}

/* --- the shell and the processes -------------------------------------------------------------- */
static void finish_effect(size_t index)
{
    struct model_effect effect = m.effects[index];
    memmove(&m.effects[index], &m.effects[index + 1],
            (--m.effects_count - index) * sizeof(m.effects[0]));
    struct nodemgr_launched launched = {.process_id = effect.tag};
    struct event event = {
        .kind = EVENT_EFFECT_DONE, .tag = effect.tag, .effect = effect.effect, .status = OK};
    if (!m.is_calm && chance(20))
        event.status = ERR_IO;
    if (effect.effect == NODEMGR_LAUNCH && event.status == OK) {
        struct model_container *container = model_of(&effect.container);
        container->launches++;
        CU_ASSERT_EQUAL_FATAL(container->launches, 1); /* NM-6 */
        CU_ASSERT_FALSE_FATAL(m.is_removed[effect.container.app.sequence - 1]);
        container->is_alive = true;
        m.processes++;
        CU_ASSERT_TRUE_FATAL(m.processes <= CAPACITY); /* NM-1 */
        event.data = &launched;
    }
    if (effect.effect == NODEMGR_FORGET)
        m.is_removed[effect.app.sequence - 1] = true;
    step(event);
}

static void end_process(uint64_t app, uint64_t sequence)
{
    struct model_container *container = &m.containers[app][sequence];
    if (!container->is_alive)
        return;
    container->is_alive = false;
    m.processes--;
    struct nodemgr_exited seen = {.container = container_of(app, sequence),
                                  .exit_code = chance(50) ? 0 : 1,
                                  .signal = container->is_doomed ? 15 : 0};
    step((struct event){.kind = EVENT_LOCAL, .effect = NODEMGR_EXITED, .data = &seen});
}

static void pass_limit(uint64_t app, uint64_t sequence)
{
    struct nodemgr_over_limit seen = {
        .container = container_of(app, sequence),
        .limit = (enum nodemgr_limit)rng_below(&m.rng, NODEMGR_LIMIT_COUNT),
        .used = 2,
        .used_max = 1};
    /* Also of one that has ended meanwhile: who looks is not who hears of ends. */
    step((struct event){.kind = EVENT_LOCAL, .effect = NODEMGR_OVER_LIMIT, .data = &seen});
}

/* --- what happens at random ------------------------------------------------------------------- */
static void ask_start(uint64_t app, uint64_t sequence)
{
    struct nm_start_container_request request = {.container = container_of(app, sequence),
                                                 .launch = launch()};
    m.open_requests++;
    step((struct event){.kind = EVENT_REQUEST,
                        .call = m.next_request++,
                        .method = METHOD_NODE_MANAGER_START_CONTAINER,
                        .message = &request,
                        .user = slice_from_string("alice")});
}

static void ask_stop(uint64_t app, uint64_t sequence)
{
    struct nm_stop_container_request request = {.container = container_of(app, sequence)};
    m.open_requests++;
    step((struct event){.kind = EVENT_REQUEST,
                        .call = m.next_request++,
                        .method = METHOD_NODE_MANAGER_STOP_CONTAINER,
                        .message = &request,
                        .user = slice_from_string("alice")});
}

static void order(uint64_t app, uint64_t sequence)
{
    struct container_id id = container_of(app, sequence);
    uint64_t which = rng_below(&m.rng, 20);
    if (which == 0) {
        m.is_forgotten[app] = true;
        command((struct rm_node_command){.kind = NODE_FORGET_APP, .app = id.app});
    } else if (which < 10) {
        model_of(&id)->is_ordered = true;
        command((struct rm_node_command){.kind = NODE_KILL_CONTAINER, .container = id});
    } else {
        struct container_id master = container_of(app, 0);
        model_of(&master)->is_ordered = true;
        command((struct rm_node_command){
            .kind = NODE_LAUNCH_MASTER,
            .container = master,
            .launch = launch(),
            .resource = {.memory_bytes = GIB, .vcores = 1},
            .user = slice_from_string("alice"),
            .app = id.app
        });
    }
}

static void pass_time(void)
{
    int64_t deadline = nodemgr_deadline_ms(m.nodemgr);
    m.now_ms += (int64_t)rng_below(&m.rng, 400);
    if (deadline < m.now_ms)
        m.now_ms = deadline;
    step((struct event){.kind = EVENT_TICK});
}

static void anything_happens(void)
{
    uint64_t app = rng_below(&m.rng, APPS);
    uint64_t sequence = rng_below(&m.rng, SEQUENCES);
    switch (rng_below(&m.rng, 10)) {
    case 0:
    case 1:
        if (m.calls_count > 0)
            serve_call(rng_below(&m.rng, m.calls_count));
        break;
    case 2:
    case 3:
        if (m.effects_count > 0)
            finish_effect(rng_below(&m.rng, m.effects_count));
        break;
    case 4:
        if (chance(10))
            pass_limit(app, sequence);
        else
            end_process(app, sequence);
        break;
    case 5:
        ask_start(app, sequence);
        break;
    case 6:
        if (chance(30))
            ask_stop(app, sequence);
        break;
    case 7:
        if (chance(30))
            order(app, sequence);
        break;
    case 8:
        if (chance(2)) { /* the resource manager restarts */
            m.session = 0;
            m.commands_count = 0;
            m.sequence = 0;
        }
        break;
    default:
        pass_time();
        break;
    }
}

/* One of everything that is due, without faults; processes end when they were told to. */
static void calm_round(void)
{
    for (size_t i = m.effects_count; i > 0; i--)
        finish_effect(0);
    for (uint64_t app = 0; app < APPS; app++) {
        for (uint64_t sequence = 0; sequence < SEQUENCES; sequence++) {
            if (m.containers[app][sequence].is_doomed)
                end_process(app, sequence);
        }
    }
    for (size_t i = m.calls_count; i > 0; i--)
        serve_call(0);
    pass_time();
}

static void given_world(uint64_t seed)
{
    m = (struct model){.now_ms = 1000, .rng = rng_seed(seed), .next_request = 1};
    m.arena = arena_open(0);
    actions_open(&m.actions);
    struct nodemgr_settings settings = {
        .self = {.node_id = NODE,                          .host = slice_from_string("n1")},
        .capacity = {.memory_bytes = (uint64_t)CAPACITY * GIB, .vcores = CAPACITY             },
        .incarnation = 1,
        .rm_address = slice_from_string("127.0.0.1:9"),
        .grant_verify = verify,
    };
    CU_ASSERT_EQUAL_FATAL(nodemgr_open(&settings, seed, &m.nodemgr), OK);
    step((struct event){.kind = EVENT_START});
}

static void end_world(void)
{
    nodemgr_close(m.nodemgr);
    actions_close(&m.actions);
    arena_close(m.arena);
}

static void expect_everything_over(void)
{
    CU_ASSERT_EQUAL(m.processes, 0);
    CU_ASSERT_EQUAL(m.open_requests, 0);
    for (uint64_t app = 0; app < APPS; app++) {
        CU_ASSERT_TRUE(m.is_removed[app]);
        for (uint64_t sequence = 0; sequence < SEQUENCES; sequence++) {
            const struct model_container *container = &m.containers[app][sequence];
            CU_ASSERT_TRUE(container->is_completed ||
                           (!container->is_ordered && container->launches == 0)); /* NM-7 */
        }
    }
    static const struct nm_list_containers_request request = {0};
    m.open_requests++;
    step((struct event){.kind = EVENT_REQUEST,
                        .call = m.next_request++,
                        .method = METHOD_NODE_MANAGER_LIST_CONTAINERS,
                        .message = &request,
                        .user = slice_from_string("millrace")});
    CU_ASSERT_EQUAL_FATAL(m.actions.count, 1);
    const struct nm_list_containers_response *left = m.actions.items[0].message;
    CU_ASSERT_EQUAL(left->containers_count, 0); /* NM-3 */
}

static void run_world(uint64_t seed)
{
    given_world(seed);
    for (int i = 0; i < STEPS; i++)
        anything_happens();
    m.is_calm = true;
    for (int i = 0; i < 50; i++)
        calm_round();
    m.commands_count = 0;
    for (uint64_t app = 0; app < APPS; app++) {
        /* Orders that a restart of the resource manager lost are given again. */
        for (uint64_t sequence = 0; sequence < SEQUENCES; sequence++) {
            struct container_id id = container_of(app, sequence);
            const struct model_container *container = model_of(&id);
            if (container->is_ordered && !container->is_completed)
                command((struct rm_node_command){.kind = NODE_KILL_CONTAINER, .container = id});
        }
        m.is_removed[app] = false;
        m.is_forgotten[app] = true;
        command((struct rm_node_command){.kind = NODE_FORGET_APP, .app = container_of(app, 0).app});
    }
    for (int i = 0; i < 50; i++)
        calm_round();
    expect_everything_over();
    step((struct event){.kind = EVENT_STOP});
    for (int i = 0; i < 10 && !m.has_exited; i++)
        calm_round();
    CU_ASSERT_TRUE(m.has_exited);
    end_world();
}

static void test_nodemgr__random_faults_leave_nothing_behind(void)
{
    uint64_t seed = unit_seed();
    for (uint64_t round = 0; round < ROUNDS; round++) {
        unsigned failures = CU_get_number_of_failures();
        run_world(seed + round);
        if (CU_get_number_of_failures() > failures) {
            printf("failed with MILLRACE_TEST_SEED=%" PRIu64 "\n", seed + round);
            return;
        }
    }
}

static const struct unit_test tests[] = {
    {"test_nodemgr__random_faults_leave_nothing_behind",
     "Whatever fails in whatever order, every container's end is told and nothing is left.", test_nodemgr__random_faults_leave_nothing_behind},
};

int main(int argc, char **argv)
{
    return unit_main(argc, argv, "nodemgr_random", tests, UNIT_COUNT(tests), NULL, NULL);
}
