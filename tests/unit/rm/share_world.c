/*
 * share_world.c - the random world of share_world.h: it asks, ends containers, lets time pass, and
 * has the reference judge every line in which the machine tells of a new container.
 */
#include "tests/unit/rm/share_world.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/check.h"
#include "lib/base/error.h"
#include "lib/model/messages.h"

#define GIB ((uint64_t)1 << 30)

enum {
    TRACE_STEPS = 120,
    STARVATION_STEPS = 120,
    QUITE_LONG_MS = INT32_MAX
};

static uint64_t below(struct share_world *world, uint64_t bound)
{
    return rng_below(&world->rng, bound);
}

/* --- the queues ------------------------------------------------------------------------------ */
static int add_queue(struct share_world *world, const char *path, int parent)
{
    struct share_queue *queue = &world->queues[world->queue_count];
    *queue = (struct share_queue){.path = path, .parent = parent, .is_leaf = true};
    queue->spec.path = slice_from_string(path);
    if (parent >= 0)
        world->queues[parent].is_leaf = false;
    return world->queue_count++;
}

/* Shares of the queues below parent: together at most all of it. */
static void draw_shares(struct share_world *world, int parent)
{
    uint32_t left = 1000000;
    for (int i = 0; i < world->queue_count; i++) {
        if (world->queues[i].parent != parent || below(world, 4) == 0)
            continue;
        world->queues[i].spec.has_share = true;
        world->queues[i].spec.share_ppm = (uint32_t)below(world, left / 20000 + 1) * 10000;
        left -= world->queues[i].spec.share_ppm;
    }
}

static void resolve_shares(struct share_world *world, int parent)
{
    uint32_t given = 0;
    int without = 0;
    for (int i = 0; i < world->queue_count; i++) {
        if (world->queues[i].parent != parent)
            continue;
        given += world->queues[i].spec.share_ppm;
        without += !world->queues[i].spec.has_share;
    }
    for (int i = 0; i < world->queue_count; i++) {
        struct share_queue *queue = &world->queues[i];
        if (queue->parent != parent)
            continue;
        double part = queue->spec.has_share ? (double)queue->spec.share_ppm / 1e6
                                            : (double)(1000000 - given) / 1e6 / (double)without;
        queue->share = part * world->queues[parent].share;
        queue->max_share = world->queues[parent].max_share;
        double least = queue->share * 1e6;
        if (least < 900000 && below(world, 3) == 0) {
            queue->spec.max_share_ppm =
                (uint32_t)least + 1 + (uint32_t)below(world, 1000000 - (uint64_t)least);
            if ((double)queue->spec.max_share_ppm / 1e6 < queue->max_share)
                queue->max_share = (double)queue->spec.max_share_ppm / 1e6;
        }
        if (!queue->is_leaf)
            resolve_shares(world, i);
    }
}

static void draw_leaf(struct share_world *world, struct share_queue *queue)
{
    if (below(world, 4) == 0)
        queue->spec.order = QUEUE_FIFO;
    if (below(world, 3) == 0) {
        queue->spec.user_limit_percent = (uint32_t)below(world, 101);
        queue->spec.user_limit_factor_ppm = 500000 + (uint32_t)below(world, 2000000);
    }
    if (below(world, 3) == 0)
        queue->spec.masters_percent = 5 + (uint32_t)below(world, 40);
    if (below(world, 3) == 0)
        queue->spec.max_running = 1 + (uint32_t)below(world, 3);
}

static void draw_queues(struct share_world *world)
{
    static const char *const paths[] = {"root.a", "root.b", "root.c"};
    static const char *const deep[] = {"root.a.x", "root.a.y", "root.a.z"};
    int root = add_queue(world, "root", -1);
    world->queues[root].share = 1;
    world->queues[root].max_share = 1;
    int top = 1 + (int)below(world, 3);
    for (int i = 0; i < top; i++)
        (void)add_queue(world, paths[i], root);
    int lower = (int)below(world, 4);
    for (int i = 0; i < lower; i++)
        (void)add_queue(world, deep[i], 1);
    draw_shares(world, root);
    draw_shares(world, 1);
    resolve_shares(world, root);
    for (int i = 1; i < world->queue_count; i++) {
        if (world->queues[i].is_leaf)
            draw_leaf(world, &world->queues[i]);
    }
}

/* What the machine is told, which a planted bug may falsify. */
static void tell_queues(const struct share_world *world, struct rm_queue_spec *told)
{
    for (int i = 0; i < world->queue_count; i++) {
        told[i] = world->queues[i].spec;
        if (world->bug == SHARE_BUG_NO_MAX_SHARE)
            told[i].max_share_ppm = 0;
        if (world->bug == SHARE_BUG_NO_USER_LIMIT)
            told[i].user_limit_factor_ppm = 0;
        if (world->bug == SHARE_BUG_FIFO && world->queues[i].is_leaf)
            told[i].order = QUEUE_FIFO;
        if (world->bug == SHARE_BUG_SHARES_EQUAL) {
            told[i].has_share = false;
            told[i].max_share_ppm = 0;
        }
        if (world->bug == SHARE_BUG_MASTERS_WITHOUT_END)
            told[i].masters_percent = 0;
        if (world->bug == SHARE_BUG_NO_PREEMPTION)
            told[i].preemption = QUEUE_PREEMPTION_OFF;
        if (world->bug == SHARE_BUG_RUNNING_WITHOUT_END)
            told[i].max_running = 0;
    }
}

/* --- the machine ----------------------------------------------------------------------------- */
static int app_by_sequence(const struct share_world *world, uint32_t sequence)
{
    for (int i = 0; i < world->app_count; i++) {
        if (world->apps[i].id.sequence == sequence)
            return i;
    }
    return world->submitting; /* its answer is not out yet */
}

static void note_container(struct share_world *world, struct container_id id, int node)
{
    int index = app_by_sequence(world, id.app.sequence);
    CHECK(index >= 0);
    struct share_app *app = &world->apps[index];
    bool is_master = id.sequence == RM_MASTER_SEQUENCE;
    app->id = id.app;
    struct resource resource = is_master ? app->master : app->shape;
    share_judge_grant(world, index, node, resource, is_master);
    CHECK(world->container_count < SHARE_CONTAINERS_MAX);
    world->containers[world->container_count++] = (struct share_container){
        .id = id,
        .app = index,
        .node = node,
        .resource = resource,
        .ends_ms = world->now_ms + 1 + (int64_t)below(world, SHARE_LIFE_MS),
        .is_master = is_master};
    if (is_master)
        app->has_master = true;
    else if (app->want > 0)
        app->want--;
    world->grants++;
}

/* Taken back: never a master before all others, never below its queue's guarantee. */
static void note_killed(struct share_world *world, struct container_id id)
{
    for (int i = 0; i < world->container_count; i++) {
        struct share_container *container = &world->containers[i];
        if (!container_id_equal(container->id, id))
            continue;
        container->is_killed = true;
        if (container->is_master && world->apps[container->app].is_live)
            share_fault(world, "a master is taken back before all others");
        if (world->apps[container->app].is_live)
            share_judge_taken(world, container->app);
    }
}

static void sink(void *user, const char *text)
{
    struct share_world *world = user;
    char id_text[128];
    unsigned long long node;
    char states[64];
    if (sscanf(text, "container %127s %63s", id_text, states) == 2 &&
        strstr(states, "->KILLING") != NULL) {
        struct container_id id;
        CHECK(container_id_parse(slice_from_string(id_text), &id));
        note_killed(world, id);
        return;
    }
    if (sscanf(text, "container %127s on node %llu", id_text, &node) == 2) {
        struct container_id id;
        CHECK(container_id_parse(slice_from_string(id_text), &id));
        note_container(world, id, (int)node - 1);
        return;
    }
    if (sscanf(text, "node %llu kept for %127s", &node, id_text) == 2) {
        struct app_id id;
        CHECK(app_id_parse(slice_from_string(id_text), &id));
        world->nodes[node - 1].kept_for = app_by_sequence(world, id.sequence);
    } else if (sscanf(text, "node %llu kept no mor%1s", &node, id_text) == 2) {
        world->nodes[node - 1].kept_for = -1;
    }
}

static void note_known(struct share_world *world, struct container_id id)
{
    for (int i = 0; i < world->container_count; i++) {
        if (container_id_equal(world->containers[i].id, id))
            world->containers[i].is_known = true;
    }
}

static void hear_allocate(struct share_world *world,
                          uint64_t call,
                          const struct rm_allocate_response *response)
{
    for (int i = 0; i < world->app_count; i++) {
        struct share_app *app = &world->apps[i];
        if (app->call != call)
            continue;
        app->call = 0;
        app->response_sequence = response->response_sequence;
        app->granted_total += (uint32_t)response->grants_count;
    }
    for (size_t i = 0; i < response->grants_count; i++)
        note_known(world, response->grants[i].container);
}

/* message NULL: a tick. Returns the reply to call, which lives until the next step, or NULL. */
static const void *step(struct share_world *world,
                        enum method method,
                        const void *message,
                        const char *user)
{
    struct event event = {.kind = message == NULL ? EVENT_TICK : EVENT_REQUEST,
                          .now_ms = world->now_ms,
                          .wall_ms = 1700000000000 + world->now_ms,
                          .call = message == NULL ? 0 : ++world->last_call,
                          .method = method,
                          .message = message,
                          .user = slice_from_string(user)};
    actions_reset(&world->actions);
    uint64_t call = world->last_call;
    rm_step(world->rm, &event, &world->actions);
    const void *reply = NULL;
    for (size_t i = 0; i < world->actions.count; i++) {
        const struct action *action = &world->actions.items[i];
        if (action->kind == ACTION_REPLY && action->type == &rm_allocate_response_type)
            hear_allocate(world, action->call, action->message);
        if (action->kind == ACTION_REPLY && action->call == call)
            reply = action->message;
    }
    rm_check(world->rm);
    return reply;
}

/* --- what happens in it ---------------------------------------------------------------------- */
static void node_comes(struct share_world *world, int index)
{
    struct share_node *node = &world->nodes[index];
    char host[16];
    snprintf(host, sizeof(host), "h%d", index);
    struct rm_register_node_request request = {
        .node = {.node_id = (uint64_t)index + 1,
                 .host = slice_from_string(host),
                 .rack = slice_from_string("/r")},
        .capacity = node->capacity,
        .incarnation = 1
    };
    if (world->bug == SHARE_BUG_NODE_IS_LARGER)
        request.capacity.vcores++;
    node->is_active = true;
    const struct rm_register_node_response *response =
        step(world, METHOD_NODE_TRACKER_REGISTER_NODE, &request, RM_DAEMON_USER);
    node->session = response->session;
}

static void submit(struct share_world *world)
{
    static const char *const users[SHARE_USERS] = {"ann", "bob", "cyd"};
    if (world->app_count == SHARE_APPS_MAX)
        return;
    int index = world->app_count;
    struct share_app *app = &world->apps[index];
    const struct share_queue *queue = &world->queues[app->queue];
    struct slice program = slice_from_string("mr-appmaster");
    struct rm_submit_app_request request = {
        .name = slice_from_string("job"),
        .queue = slice_from_string(queue->path),
        .master_resource = app->master,
        .master = {.arguments = &program, .arguments_count = 1},
        .priority = world->bug == SHARE_BUG_NO_PRIORITY ? 0 : app->priority
    };
    for (int i = 0; world->bug == SHARE_BUG_ONE_QUEUE && i < world->queue_count; i++) {
        if (world->queues[i].is_leaf)
            request.queue = slice_from_string(world->queues[i].path);
    }
    app->is_live = true;
    world->submitting = index;
    world->app_count++;
    const struct rm_submit_app_response *response =
        step(world, METHOD_RESOURCE_MANAGER_SUBMIT_APP, &request, users[app->user]);
    world->submitting = -1;
    CHECK(response != NULL);
    app->id = response->app;
}

static void draw_app(struct share_world *world)
{
    int queue = 0;
    do {
        queue = (int)below(world, (uint64_t)world->queue_count);
    } while (!world->queues[queue].is_leaf);
    world->apps[world->app_count % SHARE_APPS_MAX] = (struct share_app){
        .queue = queue,
        .user = (int)below(world, SHARE_USERS),
        .priority = (uint32_t)below(world, 2),
        .master = {.memory_bytes = GIB,                 .vcores = 1},
        .shape = { .memory_bytes = (1 + below(world, 6)) * GIB / 2,
                   .vcores = 1 + (uint32_t)below(world, 4)}
    };
}

static void join_master(struct share_world *world, struct share_app *app)
{
    struct rm_register_master_request request = {
        .app = app->id, .app_attempt = 1, .tracking_address = slice_from_string("127.0.0.1:2")};
    CHECK(step(world, METHOD_MASTER_TRACKER_REGISTER_MASTER, &request, RM_DAEMON_USER) != NULL);
    app->is_registered = true;
}

/* Granted, but in no answer yet: the master still counts them as wanted. */
static uint32_t unheard(const struct share_world *world, const struct share_app *app)
{
    uint32_t count = 0;
    for (int i = 0; i < world->container_count; i++) {
        const struct share_container *container = &world->containers[i];
        count +=
            &world->apps[container->app] == app && !container->is_master && !container->is_known;
    }
    return count;
}

/* Asks for `more` containers beyond those wanted; 0 only listens. */
static void ask(struct share_world *world, struct share_app *app, uint32_t more)
{
    app->want += more;
    struct rm_ask row = {.priority = 1,
                         .place = slice_from_string("*"),
                         .resource = app->shape,
                         .want = app->want + unheard(world, app),
                         .relax_locality = true};
    if (world->bug == SHARE_BUG_ONE_MORE && more > 0)
        row.want++;
    if (world->bug == SHARE_BUG_ONE_RESOURCE)
        row.resource.vcores = 1;
    struct rm_allocate_request request = {.app = app->id,
                                          .app_attempt = 1,
                                          .response_sequence = app->response_sequence,
                                          .granted_total = app->granted_total,
                                          .request_sequence = ++app->request_sequence,
                                          .asks = &row,
                                          .asks_count = 1,
                                          .asks_changed = more > 0};
    app->call = world->last_call + 1;
    (void)step(world, METHOD_MASTER_TRACKER_ALLOCATE, &request, RM_DAEMON_USER);
}

/* Every master that runs is registered and listens. */
static void masters_live(struct share_world *world)
{
    for (int i = 0; i < world->app_count; i++) {
        struct share_app *app = &world->apps[i];
        if (!app->is_live || !app->has_master)
            continue;
        if (!app->is_registered)
            join_master(world, app);
        if (app->call == 0)
            ask(world, app, 0);
    }
}

static void end_container(struct share_world *world, int index)
{
    struct share_container ended = world->containers[index];
    struct rm_container_status status = {.container = ended.id, .state = CONTAINER_COMPLETED};
    struct rm_containers_completed_request request = {.node_id = (uint64_t)ended.node + 1,
                                                      .session = world->nodes[ended.node].session,
                                                      .completed = &status,
                                                      .completed_count = 1};
    world->containers[index] = world->containers[--world->container_count];
    if (world->bug == SHARE_BUG_END_IS_LOST && below(world, 4) == 0)
        return;
    (void)step(world, METHOD_NODE_TRACKER_CONTAINERS_COMPLETED, &request, RM_DAEMON_USER);
}

/* A container that may end: a task's, or of an application that is over. */
static int some_container(struct share_world *world)
{
    if (world->container_count == 0)
        return -1;
    int index = (int)below(world, (uint64_t)world->container_count);
    const struct share_container *container = &world->containers[index];
    bool may_end =
        container->is_master ? !world->apps[container->app].is_live : container->is_known;
    return may_end ? index : -1;
}

static void finish_some_app(struct share_world *world)
{
    struct share_app *app = &world->apps[below(world, (uint64_t)world->app_count)];
    if (!app->is_live || !app->is_registered)
        return;
    struct rm_finish_master_request request = {
        .app = app->id, .app_attempt = 1, .final_status = FINAL_SUCCEEDED};
    app->is_live = false;
    app->want = 0;
    for (int i = world->container_count - 1; i >= 0; i--) {
        const struct share_container *container = &world->containers[i];
        if (&world->apps[container->app] == app && !container->is_master && !container->is_known)
            world->containers[i] = world->containers[--world->container_count]; /* taken back */
    }
    (void)step(world, METHOD_MASTER_TRACKER_FINISH_MASTER, &request, RM_DAEMON_USER);
}

static void one_thing_happens(struct share_world *world)
{
    uint64_t what = below(world, 100);
    if (what < 15 && world->app_count < SHARE_APPS_MAX) {
        draw_app(world);
        submit(world);
    } else if (what < 40 && world->app_count > 0) {
        struct share_app *app = &world->apps[below(world, (uint64_t)world->app_count)];
        if (app->is_live && app->is_registered)
            ask(world, app, 1 + (uint32_t)below(world, 10));
    } else if (what < 85) {
        int index = some_container(world);
        if (index >= 0)
            end_container(world, index);
    } else if (what < 90 && world->app_count > 0) {
        finish_some_app(world);
    } else {
        world->now_ms += (int64_t)below(world, 100);
        (void)step(world, METHOD_COUNT, NULL, "");
    }
}

/* Whatever is wanted has exactly one reason to wait, and nothing else has. */
static void ask_why(struct share_world *world)
{
    struct share_app *app = &world->apps[below(world, (uint64_t)world->app_count)];
    struct rm_explain_app_request request = {.app = app->id};
    const struct rm_explain_app_response *response =
        step(world, METHOD_RESOURCE_MANAGER_EXPLAIN_APP, &request, "ann");
    size_t expected = app->is_live && (!app->has_master || app->want > 0);
    if (response->waiting_count != expected)
        share_fault(world, "%zu reasons to wait instead of %zu", response->waiting_count, expected);
    for (size_t i = 0; i < response->waiting_count; i++) {
        if (response->waiting[i].reason == WAIT_NONE || response->waiting[i].text.length == 0 ||
            response->waiting[i].would_free.length == 0)
            share_fault(world, "somebody waits without a reason");
        if (response->waiting[i].want != (app->has_master ? app->want : 1))
            share_fault(world, "the wrong number of containers is said to wait");
    }
}

/* --- worlds ---------------------------------------------------------------------------------- */
static void open_world(struct share_world *world, uint64_t seed, enum share_bug bug)
{
    *world = (struct share_world){.rng = rng_seed(seed), .bug = bug, .submitting = -1};
    world->trace = (struct trace){.sink = sink, .user = world};
    actions_open(&world->actions);
    world->actions.trace = &world->trace;
    world->now_ms = 1000;
}

static void start_world(struct share_world *world)
{
    struct rm_queue_spec told[SHARE_QUEUES_MAX];
    tell_queues(world, told);
    struct rm_queue_specs specs = {.file = slice_from_string("queues.conf"),
                                   .queues = told,
                                   .queues_count = (size_t)world->queue_count};
    struct rm_settings settings = rm_settings_default();
    settings.queues = &specs;
    settings.node_lost_ms = QUITE_LONG_MS;
    settings.master_lost_ms = QUITE_LONG_MS;
    settings.master_launch_ms = QUITE_LONG_MS;
    settings.container_launch_ms = QUITE_LONG_MS;
    settings.kill_grace_ms = QUITE_LONG_MS;
    settings.node_heartbeat_interval_ms = QUITE_LONG_MS - 1;
    settings.master_heartbeat_interval_ms = QUITE_LONG_MS - 1;
    settings.masters_percent_max = 100;
    settings.hold_after_ms = SHARE_HOLD_AFTER_MS;
    settings.preempt_interval_ms = SHARE_PREEMPT_INTERVAL_MS;
    settings.preempt_grace_ms = SHARE_PREEMPT_GRACE_MS;
    if (world->bug == SHARE_BUG_LATE_PREEMPTION)
        settings.preempt_interval_ms *= 100;
    settings.hold_percent = world->bug == SHARE_BUG_NO_HOLD ? 0 : 10;
    struct error error = {0};
    if (rm_queues_check_specs(&specs, &error) != OK)
        share_fault(world, "%s", error.text);
    CHECK(rm_open(&settings, 1, &world->rm) == OK);
    struct event event = {.kind = EVENT_START, .now_ms = world->now_ms, .wall_ms = 1700000000000};
    rm_step(world->rm, &event, &world->actions);
}

static const char *close_world(struct share_world *world)
{
    static char fault[sizeof(world->fault)];
    rm_close(world->rm);
    actions_close(&world->actions);
    memcpy(fault, world->fault, sizeof(fault));
    return fault[0] == '\0' ? NULL : fault;
}

const char *share_run_trace(uint64_t seed, enum share_bug bug, unsigned *ret_grants)
{
    static struct share_world world;
    open_world(&world, seed, bug);
    draw_queues(&world);
    start_world(&world);
    world.node_count = 2 + (int)below(&world, SHARE_NODES_MAX - 1);
    for (int i = 0; i < world.node_count; i++)
        world.nodes[i] = (struct share_node){
            .capacity = {.memory_bytes = (2 + below(&world, 12)) * GIB,
                         .vcores = 2 + (uint32_t)below(&world, 12)},
            .kept_for = -1
        };
    int known = 0;
    for (int i = 0; i < TRACE_STEPS && world.fault[0] == '\0'; i++) {
        if (known < world.node_count && below(&world, 8) == 0)
            node_comes(&world, known++);
        one_thing_happens(&world);
        masters_live(&world);
        share_judge_rest(&world);
        if (world.app_count > 0)
            ask_why(&world);
    }
    *ret_grants += world.grants;
    return close_world(&world);
}

/* --- starvation ------------------------------------------------------------------------------ */
static void end_due(struct share_world *world)
{
    for (int i = world->container_count - 1; i >= 0; i--) {
        if (world->containers[i].ends_ms <= world->now_ms && world->containers[i].is_known)
            end_container(world, i);
    }
}

static void add_starvation_app(struct share_world *world, struct resource shape)
{
    world->apps[world->app_count] = (struct share_app){
        .queue = 1, .master = {.memory_bytes = GIB / 4, .vcores = 1},
             .shape = shape
    };
    submit(world);
}

const char *share_run_starvation(uint64_t seed, enum share_bug bug)
{
    static struct share_world world;
    open_world(&world, seed, bug);
    int root = add_queue(&world, "root", -1);
    world.queues[root].share = world.queues[root].max_share = 1;
    int leaf = add_queue(&world, "root.a", root);
    world.queues[leaf].share = world.queues[leaf].max_share = 1;
    start_world(&world);
    world.node_count = 3;
    for (int i = 0; i < world.node_count; i++) {
        world.nodes[i] = (struct share_node){
            .capacity = {.memory_bytes = 16 * GIB, .vcores = 16},
              .kept_for = -1
        };
        node_comes(&world, i);
    }
    for (int i = 0; i < 4; i++)
        add_starvation_app(&world, (struct resource){.memory_bytes = GIB, .vcores = 1});
    masters_live(&world);
    for (int i = 0; i < world.app_count; i++)
        ask(&world, &world.apps[i], 10000);
    masters_live(&world);
    add_starvation_app(&world, (struct resource){.memory_bytes = 12 * GIB, .vcores = 12});
    int large = world.app_count - 1;
    int64_t asked_ms = 0;
    /* Overtaken at the next end at the latest; then the wait, then the longest life on the node. */
    int64_t bound_ms = SHARE_LIFE_MS + SHARE_HOLD_AFTER_MS * 3 / 2 + SHARE_LIFE_MS;
    while (world.fault[0] == '\0') {
        world.now_ms += 10;
        (void)step(&world, METHOD_COUNT, NULL, "");
        end_due(&world);
        masters_live(&world);
        share_judge_rest(&world);
        struct share_app *app = &world.apps[large];
        if (asked_ms == 0 && app->is_registered) {
            ask(&world, app, 1);
            asked_ms = world.now_ms;
        } else if (asked_ms > 0 && app->want == 0) {
            break;
        }
        if (world.now_ms > 1000 + 2 * SHARE_LIFE_MS + bound_ms ||
            (asked_ms > 0 && world.now_ms > asked_ms + bound_ms))
            share_fault(&world, "the large container is not served within %lld ms",
                        (long long)bound_ms);
    }
    return close_world(&world);
}

/* --- guarantees ------------------------------------------------------------------------------ */
static void end_killed(struct share_world *world)
{
    for (int i = world->container_count - 1; i >= 0; i--) {
        if (world->containers[i].is_killed)
            end_container(world, i);
    }
}

static void draw_guarantees(struct share_world *world)
{
    static const char *const paths[] = {"root.a", "root.b", "root.c"};
    static const uint32_t percents[][3] = {
        {30, 30, 40},
        {20, 20, 60},
        {50, 25, 25},
        {15, 70, 15},
        {33, 33, 34}
    };
    int root = add_queue(world, "root", -1);
    world->queues[root].share = world->queues[root].max_share = 1;
    const uint32_t *drawn = percents[below(world, sizeof(percents) / sizeof(percents[0]))];
    for (int i = 0; i < 3; i++) {
        struct share_queue *queue = &world->queues[add_queue(world, paths[i], root)];
        queue->spec.has_share = true;
        queue->spec.share_ppm = drawn[i] * 10000;
        queue->share = (double)drawn[i] / 100;
        queue->max_share = 1;
    }
}

/* Containers live for ever unless they are taken back: what a queue gets, it gets by that. */
const char *share_run_guarantees(uint64_t seed, enum share_bug bug)
{
    static struct share_world world;
    open_world(&world, seed, bug);
    draw_guarantees(&world);
    start_world(&world);
    world.node_count = 4;
    for (int i = 0; i < world.node_count; i++) {
        world.nodes[i] = (struct share_node){
            .capacity = {.memory_bytes = 32 * GIB, .vcores = 32},
              .kept_for = -1
        };
        node_comes(&world, i);
    }
    for (int i = 0; i < 3; i++) {
        world.apps[world.app_count] = (struct share_app){
            .queue = 1 + i,
            .user = i,
            .master = {.memory_bytes = GIB / 4, .vcores = 1},
            .shape = { .memory_bytes = (1 + below(&world,          2)) * GIB / 2, .vcores = 1}
        };
        submit(&world);
        masters_live(&world);
    }
    int greedy = (int)below(&world, 3);
    ask(&world, &world.apps[greedy], 1000);
    masters_live(&world);
    for (int i = 0; i < 3; i++) {
        if (i != greedy)
            ask(&world, &world.apps[i], 1000);
    }
    /* Two looks; then a tenth of the cluster a look, and the last one's grace. */
    int64_t end_ms = world.now_ms + 12 * SHARE_PREEMPT_INTERVAL_MS + SHARE_PREEMPT_GRACE_MS;
    while (world.fault[0] == '\0' && world.now_ms < end_ms) {
        world.now_ms += 10;
        (void)step(&world, METHOD_COUNT, NULL, "");
        end_killed(&world);
        masters_live(&world);
        share_judge_rest(&world);
    }
    share_judge_guarantees(&world);
    return close_world(&world);
}
