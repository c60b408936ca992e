/*
 * rm_core.c - grants a second of CPU that the resource manager's machine makes, and how long one
 * decision takes: no RPC, no disk, nothing linked but base, model and the machine.
 * usage: rm_core [NODES [APPS]]  (default 10,000 and 1,000); prints JSON
 *
 * Nodes of 64 GiB and 32 vcores in racks of 40; applications in ten queues of unequal shares and
 * two levels, with containers of 1 to 4 GiB and 1 or 2 vcores. Three figures:
 *   fill    one application after another asks for about twice its part: grants / CPU seconds
 *   full    the cluster is full and all want more: one container ends, the room is granted, its
 *           master hears and acknowledges; grants / CPU seconds of all of that
 *   load80  at 80 % use an application asks for one container: time of the step that decides
 */
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "lib/base/check.h"
#include "lib/base/mem.h"
#include "lib/base/rng.h"
#include "rm/core/rm.h"

#define GIB ((uint64_t)1 << 30)

enum {
    QUEUES = 12, /* with the two that have others below them */
    LEAVES = 10,
    NODE_VCORES = 32,
    NODE_GIB = 64,
    RACK_NODES = 40,
    FULL_ROUNDS = 200000,
    LOAD_ROUNDS = 100000,
    WANT_WITHOUT_END = 100000,
    LONG_MS = INT32_MAX
};

struct bench_app {
    struct app_id id;
    struct resource shape;
    uint64_t response_sequence;
    uint64_t request_sequence;
    uint32_t granted_total;
    uint64_t call;
};

struct bench_container {
    struct container_id id;
    uint32_t app;
    uint32_t node;
};

struct bench {
    struct rm *rm;
    struct actions actions;
    struct rng rng;
    uint64_t call;
    uint32_t node_count;
    uint32_t app_count;
    uint64_t *sessions;
    struct bench_app *apps;
    struct bench_container *containers;
    size_t container_count;
    size_t container_capacity;
    uint32_t *waiting; /* applications whose held call was answered */
    size_t waiting_count;
    uint64_t grants;
};

static double seconds(void)
{
    struct timespec now;
    CHECK(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now) == 0);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static void hear(struct bench *bench, const struct action *action)
{
    const struct rm_allocate_response *response = action->message;
    /* Held calls carry their application's number: see allocate. */
    uint32_t index = (uint32_t)(action->call >> 40) - 1;
    struct bench_app *app = &bench->apps[index];
    if (app->call != action->call)
        return;
    app->call = 0;
    app->response_sequence = response->response_sequence;
    app->granted_total += (uint32_t)response->grants_count;
    bench->grants += response->grants_count;
    for (size_t i = 0; i < response->grants_count; i++) {
        bench->containers = mem_reserve(bench->containers, bench->container_count,
                                        &bench->container_capacity, sizeof(bench->containers[0]));
        bench->containers[bench->container_count++] =
            (struct bench_container){.id = response->grants[i].container,
                                     .app = index,
                                     .node = (uint32_t)response->grants[i].node.node_id - 1};
    }
    bench->waiting[bench->waiting_count++] = index;
}

/* The answer to this very call, or NULL. */
static const void *step(
    struct bench *bench, enum method method, const void *request, const char *user, uint64_t call)
{
    struct event event = {.kind = EVENT_REQUEST,
                          .now_ms = 1000,
                          .wall_ms = 1000,
                          .call = call == 0 ? ++bench->call : call,
                          .method = method,
                          .message = request,
                          .user = slice_from_string(user)};
    actions_reset(&bench->actions);
    rm_step(bench->rm, &event, &bench->actions);
    const void *reply = NULL;
    for (size_t i = 0; i < bench->actions.count; i++) {
        const struct action *action = &bench->actions.items[i];
        CHECK(action->kind != ACTION_FAIL || action->status == ERR_CANCELLED); /* replaced */
        if (action->kind != ACTION_REPLY)
            continue;
        if (action->type == &rm_allocate_response_type)
            hear(bench, action);
        if (action->call == event.call)
            reply = action->message;
    }
    return reply;
}

/* Asks for want in all, or (has_changed false) only listens. Returns the seconds it took. */
static double allocate(struct bench *bench, uint32_t index, uint32_t want, bool has_changed)
{
    struct bench_app *app = &bench->apps[index];
    struct rm_ask row = {.priority = 1,
                         .place = slice_from_string("*"),
                         .resource = app->shape,
                         .want = want,
                         .relax_locality = true};
    struct rm_allocate_request request = {.app = app->id,
                                          .app_attempt = 1,
                                          .response_sequence = app->response_sequence,
                                          .granted_total = app->granted_total,
                                          .request_sequence = ++app->request_sequence,
                                          .asks = &row,
                                          .asks_count = 1,
                                          .asks_changed = has_changed};
    app->call = ((uint64_t)index + 1) << 40 | ++bench->call;
    double begin = seconds();
    (void)step(bench, METHOD_MASTER_TRACKER_ALLOCATE, &request, RM_DAEMON_USER, app->call);
    return seconds() - begin;
}

/* Masters that were answered acknowledge it and wait for more. */
static void listen(struct bench *bench)
{
    while (bench->waiting_count > 0)
        (void)allocate(bench, bench->waiting[--bench->waiting_count], 0, false);
}

static void open_machine(struct bench *bench)
{
    static const char *const paths[QUEUES] = {"root.a",   "root.b",   "root.a.x", "root.a.y",
                                              "root.a.z", "root.b.x", "root.b.y", "root.b.z",
                                              "root.c",   "root.d",   "root.e",   "root.f"};
    struct rm_queue_spec specs[QUEUES];
    for (size_t i = 0; i < QUEUES; i++)
        specs[i] = (struct rm_queue_spec){.path = slice_from_string(paths[i])};
    specs[0].has_share = specs[2].has_share = true;
    specs[0].share_ppm = 400000;
    specs[2].share_ppm = 500000;
    struct rm_queue_specs queues = {
        .file = slice_from_string("bench"), .queues = specs, .queues_count = QUEUES};
    struct rm_settings settings = rm_settings_default();
    settings.queues = &queues;
    settings.node_lost_ms = settings.master_lost_ms = LONG_MS;
    settings.master_launch_ms = settings.container_launch_ms = LONG_MS;
    settings.node_heartbeat_interval_ms = settings.master_heartbeat_interval_ms = LONG_MS - 1;
    CHECK(rm_open(&settings, 1, &bench->rm) == OK);
    struct event start = {.kind = EVENT_START, .now_ms = 1000, .wall_ms = 1000};
    rm_step(bench->rm, &start, &bench->actions);
}

static void submit_apps(struct bench *bench)
{
    static const char *const leaves[LEAVES] = {"root.a.x", "root.a.y", "root.a.z", "root.b.x",
                                               "root.b.y", "root.b.z", "root.c",   "root.d",
                                               "root.e",   "root.f"};
    struct slice program = slice_from_string("mr-appmaster");
    for (uint32_t i = 0; i < bench->app_count; i++) {
        struct bench_app *app = &bench->apps[i];
        struct rm_submit_app_request submission = {
            .name = slice_from_string("bench"),
            .queue = slice_from_string(leaves[i % LEAVES]),
            .master_resource = {.memory_bytes = GIB,   .vcores = 1         },
            .master = {.arguments = &program, .arguments_count = 1}
        };
        const struct rm_submit_app_response *response =
            step(bench, METHOD_RESOURCE_MANAGER_SUBMIT_APP, &submission, "bench", 0);
        app->id = response->app;
        app->shape = (struct resource){.memory_bytes = (1 + rng_below(&bench->rng, 4)) * GIB,
                                       .vcores = 1 + (uint32_t)rng_below(&bench->rng, 2)};
        struct rm_register_master_request registration = {.app = app->id, .app_attempt = 1};
        CHECK(step(bench, METHOD_MASTER_TRACKER_REGISTER_MASTER, &registration, RM_DAEMON_USER,
                   0) != NULL);
    }
}

static void add_nodes(struct bench *bench)
{
    for (uint32_t i = 0; i < bench->node_count; i++) {
        char host[32];
        char rack[32];
        (void)snprintf(host, sizeof(host), "n%" PRIu32, i);
        (void)snprintf(rack, sizeof(rack), "/r%" PRIu32, i / RACK_NODES);
        struct rm_register_node_request request = {
            .node = {.node_id = i + 1,
                     .host = slice_from_string(host),
                     .rack = slice_from_string(rack)},
            .capacity = {.memory_bytes = NODE_GIB * GIB,                .vcores = NODE_VCORES},
            .incarnation = 1
        };
        const struct rm_register_node_response *response =
            step(bench, METHOD_NODE_TRACKER_REGISTER_NODE, &request, RM_DAEMON_USER, 0);
        bench->sessions[i] = response->session;
    }
}

static void end_some_container(struct bench *bench)
{
    size_t index = (size_t)rng_below(&bench->rng, bench->container_count);
    struct bench_container ended = bench->containers[index];
    bench->containers[index] = bench->containers[--bench->container_count];
    struct rm_container_status status = {.container = ended.id, .state = CONTAINER_COMPLETED};
    struct rm_containers_completed_request request = {.node_id = ended.node + 1,
                                                      .session = bench->sessions[ended.node],
                                                      .completed = &status,
                                                      .completed_count = 1};
    (void)step(bench, METHOD_NODE_TRACKER_CONTAINERS_COMPLETED, &request, RM_DAEMON_USER, 0);
}

/* Grants a second while all ask for together all there is and more. */
static double fill(struct bench *bench, uint32_t want)
{
    double begin = seconds();
    uint64_t before = bench->grants;
    for (uint32_t i = 0; i < bench->app_count; i++) {
        (void)allocate(bench, i, want, true);
        listen(bench);
    }
    return (double)(bench->grants - before) / (seconds() - begin);
}

static void ask_all(struct bench *bench, uint32_t want)
{
    for (uint32_t i = 0; i < bench->app_count; i++) {
        (void)allocate(bench, i, want, true);
        listen(bench);
    }
}

static double keep_full(struct bench *bench)
{
    ask_all(bench, WANT_WITHOUT_END);
    double begin = seconds();
    uint64_t before = bench->grants;
    for (int i = 0; i < FULL_ROUNDS; i++) {
        end_some_container(bench);
        listen(bench);
    }
    return (double)(bench->grants - before) / (seconds() - begin);
}

static int compare_times(const void *left, const void *right)
{
    const double *a = left;
    const double *b = right;
    return (*a > *b) - (*a < *b);
}

/* p50 and p99 of a decision, microseconds, with a fifth of the cluster free. */
static void decide(struct bench *bench, double *ret_p50, double *ret_p99)
{
    ask_all(bench, 0);
    size_t target = bench->container_count * 8 / 10;
    while (bench->container_count > target) {
        end_some_container(bench);
        listen(bench);
    }
    double *times = mem_new(LOAD_ROUNDS * sizeof(double));
    for (int i = 0; i < LOAD_ROUNDS; i++) {
        uint32_t index = (uint32_t)rng_below(&bench->rng, bench->app_count);
        uint64_t before = bench->grants;
        times[i] = allocate(bench, index, 1, true) * 1e6;
        CHECK(bench->grants == before + 1);
        listen(bench);
        end_some_container(bench);
        listen(bench);
    }
    qsort(times, LOAD_ROUNDS, sizeof(double), compare_times);
    *ret_p50 = times[LOAD_ROUNDS / 2];
    *ret_p99 = times[LOAD_ROUNDS / 100 * 99];
    mem_free(times);
}

int main(int argument_count, char **arguments)
{
    struct bench bench = {.rng = rng_seed(1)};
    bench.node_count = argument_count > 1 ? (uint32_t)strtoul(arguments[1], NULL, 10) : 10000;
    bench.app_count = argument_count > 2 ? (uint32_t)strtoul(arguments[2], NULL, 10) : 1000;
    if (bench.node_count == 0 || bench.app_count == 0)
        return 2;
    bench.sessions = mem_new(bench.node_count * sizeof(bench.sessions[0]));
    bench.apps = mem_new(bench.app_count * sizeof(bench.apps[0]));
    bench.waiting = mem_new(bench.app_count * sizeof(bench.waiting[0]));
    actions_open(&bench.actions);
    open_machine(&bench);
    double begin = seconds();
    add_nodes(&bench);
    double joined = seconds() - begin;
    submit_apps(&bench);
    /* About twice what there is: the last ones get nothing yet. */
    double filled = fill(&bench, bench.node_count * NODE_VCORES * 4 / 3 / bench.app_count + 10);
    size_t most = bench.container_count;
    double full = keep_full(&bench);
    double p50 = 0;
    double p99 = 0;
    decide(&bench, &p50, &p99);
    rm_check(bench.rm);
    printf("{\"nodes\": %" PRIu32 ", \"apps\": %" PRIu32 ", \"containers\": %zu, "
           "\"join_seconds\": %.3f, \"fill_grants_per_second\": %.0f, "
           "\"full_grants_per_second\": %.0f, \"decide_p50_us\": %.2f, \"decide_p99_us\": %.2f}\n",
           bench.node_count, bench.app_count, most, joined, filled, full, p50, p99);
    rm_close(bench.rm);
    actions_close(&bench.actions);
    mem_free(bench.containers);
    mem_free(bench.waiting);
    mem_free(bench.apps);
    mem_free(bench.sessions);
    return 0;
}
