/*
 * world.c - time, network and processes of the simulation.
 */
#include "tests/sim/world.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/check.h"
#include "lib/base/mem.h"

enum item_kind {
    ITEM_REQUEST,
    ITEM_RESPONSE,
    ITEM_TIMEOUT,
    ITEM_TIMER, /* a process's deadline; the node is in the process */
    ITEM_WAKE,
    ITEM_EFFECT
};

#define WORLD_WALL_MS INT64_C(1700000000000)

struct item {
    struct heap_node node;
    enum item_kind kind;
    struct process *process;
    uint64_t life;
    uint64_t call_id;
    enum status status;
    const void *message;
    uint64_t tag;
    int effect;
    void *data;
    wake_function *wake;
    struct arena *arena; /* of message */
};

struct call {
    uint64_t id;
    struct process *from;
    uint64_t from_life;
    uint64_t tag;
    struct slice address;
    enum method method;
    const void *message;
    struct arena *arena;
    struct process *server; /* while it is there to be answered */
    uint64_t server_life;
    bool is_answered; /* the caller has its response */
    bool is_served;   /* the server has answered */
    bool is_ghost;    /* a duplicate: nobody waits for its answer */
    bool is_lost;     /* never arrives */
};

static const char *const kind_names[PROCESS_KIND_COUNT] = {"nn", "rm",   "dn",    "nm",
                                                           "am", "task", "client"};

/* --- trace and failure --------------------------------------------------------------------------
 */
static void trace_line(struct world *world, const char *text)
{
    world->hash = slice_hash(slice_from_string(text), world->hash);
    char *line = world->trace[world->trace_next++ % WORLD_TRACE_LINES];
    (void)snprintf(line, sizeof world->trace[0], "%8lld %s", (long long)world->now_ms, text);
    if (world->is_verbose)
        fprintf(stderr, "%s\n", line);
}

void world_trace(struct world *world, const char *format, ...)
{
    char text[240];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof text, format, arguments);
    va_end(arguments);
    trace_line(world, text);
}

static void on_core_trace(void *user, const char *text)
{
    struct world *world = user;
    const struct process *process = world->stepping;
    world_trace(world, "%s%u: %s", process ? kind_names[process->kind] : "?",
                process ? process->number : 0, text);
}

void world_fail(struct world *world, const char *format, ...)
{
    if (world->has_failed)
        return;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(world->failure, sizeof world->failure, format, arguments);
    va_end(arguments);
    world->has_failed = true;
}

/* --- open and close ------------------------------------------------------------------------------
 */
struct world *world_open(uint64_t seed, enum world_bug bug)
{
    struct world *world = MEM_NEW(struct world);
    world->seed = seed;
    world->bug = bug;
    world->rng = rng_seed(seed);
    world->by_address = map_open();
    world->calls = map_u64_open();
    world->next_id = 1;
    world->sink = (struct trace){.sink = on_core_trace, .user = world};
    heap_open(&world->queue, NULL);
    actions_open(&world->actions);
    return world;
}

static void item_free(struct item *item)
{
    arena_close(item->arena);
    mem_free(item->data);
    mem_free(item);
}

static void call_free(struct world *world, struct call *call)
{
    (void)map_u64_remove(world->calls, call->id);
    arena_close(call->arena);
    mem_free(call);
}

void world_close(struct world *world)
{
    struct heap_node *node;
    while ((node = heap_pop(&world->queue)) != NULL) {
        struct item *item = node->object;
        if (item->kind != ITEM_TIMER)
            item_free(item);
        else
            mem_free(item);
    }
    size_t cursor = 0;
    void *value;
    while (map_u64_next(world->calls, &cursor, NULL, &value)) {
        struct call *call = value;
        arena_close(call->arena);
        mem_free(call);
    }
    for (size_t i = 0; i < world->processes_count; i++) {
        struct process *process = world->processes[i];
        if (process->machine)
            process->door->close(process->machine);
        mem_free(process->journal);
        arena_close(process->disk);
        mem_free(process);
    }
    mem_free(world->processes);
    map_u64_close(world->calls);
    map_close(world->by_address);
    heap_close(&world->queue);
    actions_close(&world->actions);
    mem_free(world);
}

/* --- items
 * ----------------------------------------------------------------------------------------- */
static struct item *item_add(struct world *world,
                             enum item_kind kind,
                             struct process *process,
                             int64_t delay_ms)
{
    struct item *item = MEM_NEW(struct item);
    item->kind = kind;
    item->process = process;
    item->life = process ? process->life : 0;
    heap_push(&world->queue, &item->node, world->now_ms + delay_ms, item);
    return item;
}

int64_t world_delay(struct world *world)
{
    if (rng_chance(&world->rng, world->faults.slow_ppm))
        return (int64_t)rng_below(&world->rng, (uint64_t)world->faults.slow_ms + 1);
    return 1 + (int64_t)rng_below(&world->rng, 4);
}

bool world_is_reachable(const struct world *world, uint32_t from_host, const struct process *to)
{
    if (!to->is_up)
        return false;
    return from_host == to->host || (!world->is_cut[from_host] && !world->is_cut[to->host] &&
                                     !world->is_blocked[from_host][to->host]);
}

/* --- processes
 * --------------------------------------------------------------------------------------- */
struct process *world_process_add(
    struct world *world, enum process_kind kind, uint32_t number, uint32_t host, struct slice user)
{
    struct process *process = MEM_NEW(struct process);
    process->kind = kind;
    process->number = number;
    process->host = host;
    process->disk = arena_open(0);
    process->user = arena_copy(process->disk, user);
    process->address = arena_format(process->disk, "%s%u:1", kind_names[kind], number);
    process->exit_code = -1;
    world->processes = mem_reserve(world->processes, world->processes_count,
                                   &world->processes_capacity, sizeof(struct process *));
    world->processes[world->processes_count++] = process;
    (void)map_put(world->by_address, process->address, process);
    return process;
}

static void timer_set(struct world *world, struct process *process)
{
    int64_t deadline =
        process->is_up && process->door ? process->door->deadline_ms(process->machine) : INT64_MAX;
    struct heap_node *node = &process->timer;
    if (heap_node_is_queued(node)) {
        mem_free(node->object);
        heap_remove(&world->queue, node);
    }
    if (deadline == INT64_MAX)
        return;
    struct item *item = MEM_NEW(struct item);
    item->kind = ITEM_TIMER;
    item->process = process;
    /* Not before now: a machine that is late is stepped at once, but time must move on. */
    int64_t due = deadline > world->now_ms ? deadline : world->now_ms + 1;
    *node = (struct heap_node){0};
    heap_push(&world->queue, node, due, item);
}

static void journal_append(struct process *process, const struct action *action)
{
    process->journal = mem_reserve(process->journal, process->journal_count,
                                   &process->journal_capacity, sizeof *process->journal);
    process->journal[process->journal_count++] =
        (struct record){.type = action->type,
                        .message = message_copy(action->type, action->message, process->disk)};
}

static void deliver_response(struct world *world,
                             struct call *call,
                             enum status status,
                             const void *message,
                             int64_t delay_ms)
{
    if (call->is_ghost || call->is_answered)
        return;
    struct item *item = item_add(world, ITEM_RESPONSE, call->from, delay_ms);
    item->life = call->from_life;
    item->call_id = call->id;
    item->status = status;
    if (message) {
        item->arena = arena_open(0);
        item->message = message_copy(method_info(call->method)->response, message, item->arena);
    }
}

static void perform_answer(struct world *world,
                           struct process *process,
                           const struct action *action)
{
    struct call *call = map_u64_get(world->calls, action->call);
    if (!call)
        return;              /* its caller is gone */
    CHECK(!call->is_served); /* a request is answered exactly once */
    CHECK(call->server == process);
    if (world->is_verbose && action->kind == ACTION_FAIL)
        fprintf(stderr, "%8lld   why: %.*s\n", (long long)world->now_ms, SLICE_ARGS(action->text));
    call->is_served = true;
    bool is_lost = rng_chance(&world->rng, world->faults.loss_ppm) ||
                   !world_is_reachable(world, process->host, call->from);
    if (call->is_ghost || call->is_answered) {
        call_free(world, call);
        return;
    }
    if (is_lost)
        return; /* the caller's deadline will tell it */
    deliver_response(world, call, action->kind == ACTION_REPLY ? OK : action->status,
                     action->kind == ACTION_REPLY ? action->message : NULL, world_delay(world));
}

static void perform_cancel(struct world *world, struct process *process, uint64_t tag)
{
    size_t cursor = 0;
    void *value;
    while (map_u64_next(world->calls, &cursor, NULL, &value)) {
        struct call *call = value;
        if (call->from == process && call->from_life == process->life && call->tag == tag &&
            !call->is_ghost && !call->is_answered)
            deliver_response(world, call, ERR_CANCELLED, NULL, 1);
    }
}

/* A tag names one call: the shell could not tell the answers of two apart, and aborts. */
static bool is_tag_in_use(const struct world *world, const struct process *process, uint64_t tag)
{
    size_t cursor = 0;
    void *value;
    while (map_u64_next(world->calls, &cursor, NULL, &value)) {
        const struct call *call = value;
        if (call->from == process && call->from_life == process->life && call->tag == tag &&
            !call->is_ghost && !call->is_answered)
            return true;
    }
    return false;
}

static void perform(struct world *world, struct process *process, const struct action *action)
{
    switch (action->kind) {
    case ACTION_JOURNAL:
        return;
    case ACTION_REPLY:
    case ACTION_FAIL:
        perform_answer(world, process, action);
        return;
    case ACTION_CALL:
        CHECK(!is_tag_in_use(world, process, action->tag));
        world_call(world, process, action->tag, action->address, action->method, action->message,
                   action->timeout_ms);
        return;
    case ACTION_CANCEL:
        perform_cancel(world, process, action->tag);
        return;
    case ACTION_EFFECT:
        CHECK(process->perform_effect != NULL);
        process->perform_effect(world, process, action->tag, action->effect, action->data);
        return;
    case ACTION_EXIT:
        world_trace(world, "%.*s exits with %d", SLICE_ARGS(process->address), action->exit_code);
        process->exit_code = action->exit_code;
        world_process_crash(world, process);
        return;
    }
}

/* The records of one step are one batch: all are kept. Planted bugs keep fewer. */
static void keep_records(struct world *world,
                         struct process *process,
                         const struct event *event,
                         const struct actions *own,
                         size_t limit)
{
    size_t kept = 0;
    for (size_t i = 0; i < own->count && kept < limit; i++) {
        const struct action *action = &own->items[i];
        if (action->kind != ACTION_JOURNAL)
            continue;
        kept++;
        if (!process->keeps_record || process->keeps_record(world, process, event, action))
            journal_append(process, action);
    }
}

static size_t count_records(const struct actions *own)
{
    size_t count = 0;
    for (size_t i = 0; i < own->count; i++)
        count += own->items[i].kind == ACTION_JOURNAL;
    return count;
}

/* Performs what one step asked for; may crash the process before or after its records are kept. */
static void perform_all(struct world *world, struct process *process, const struct event *event)
{
    struct actions own = world->actions; /* effects may step other machines */
    actions_open(&world->actions);
    bool is_crash = process->has_journal && process->kind != PROCESS_CLIENT &&
                    rng_chance(&world->rng, world->faults.crash_step_ppm);
    bool is_before = is_crash && rng_chance(&world->rng, 500000);
    bool is_early = is_before && world->bug == BUG_REPLY_BEFORE_SYNC;
    if (!is_before)
        keep_records(world, process, event, &own, SIZE_MAX);
    else if (world->bug == BUG_TORN_BATCH)
        keep_records(world, process, event, &own, count_records(&own) / 2);
    uint64_t life = process->life;
    if (process->on_stepped)
        process->on_stepped(world, process, event, &own, !is_before);
    for (size_t i = 0; i < own.count && (!is_crash || is_early); i++)
        if (process->is_up && process->life == life)
            perform(world, process, &own.items[i]);
    if (is_crash && process->is_up && process->life == life) {
        world_trace(world, "%.*s crashes %s its sync", SLICE_ARGS(process->address),
                    is_before ? "before" : "after");
        world_process_crash(world, process);
    }
    actions_close(&own);
}

void world_step(struct world *world, struct process *process, struct event event)
{
    if (!process->is_up || world->has_failed)
        return;
    event.now_ms = world->now_ms;
    event.wall_ms = WORLD_WALL_MS + world->now_ms + process->wall_offset_ms;
    world->steps++;
    world->stepping = process;
    actions_reset(&world->actions);
    world->actions.trace = &world->sink;
    process->door->step(process->machine, &event, &world->actions);
    process->door->check(process->machine);
    world->stepping = NULL;
    perform_all(world, process, &event);
    if (process->is_up)
        timer_set(world, process);
}

void world_process_start(struct world *world, struct process *process, void *machine)
{
    CHECK(!process->is_up);
    process->machine = machine;
    process->is_up = true;
    process->life++;
    world_trace(world, "%.*s starts", SLICE_ARGS(process->address));
    for (size_t i = 0; i < process->journal_count; i++) {
        struct event replay = {.kind = EVENT_REPLAY,
                               .now_ms = world->now_ms,
                               .wall_ms = WORLD_WALL_MS + world->now_ms + process->wall_offset_ms,
                               .type = process->journal[i].type,
                               .message = process->journal[i].message};
        actions_reset(&world->actions);
        world->actions.trace = NULL;
        process->door->step(machine, &replay, &world->actions);
        CHECK(world->actions.count == 0); /* replay asks for nothing */
    }
}

void world_process_crash(struct world *world, struct process *process)
{
    if (!process->is_up)
        return;
    world_trace(world, "%.*s is down", SLICE_ARGS(process->address));
    process->is_up = false;
    process->paused_until_ms = 0;
    process->life++;
    if (process->machine)
        process->door->close(process->machine);
    process->machine = NULL;
    timer_set(world, process);
    /* Its callers see the connection break; its own calls have nobody to come back to. */
    size_t cursor = 0;
    void *value;
    while (map_u64_next(world->calls, &cursor, NULL, &value)) {
        struct call *call = value;
        if (call->server == process && !call->is_served) {
            call->is_served = true;
            if (call->is_ghost)
                call_free(world, call);
            else
                deliver_response(world, call, ERR_UNAVAILABLE, NULL, world_delay(world));
        }
    }
    if (process->on_crash)
        process->on_crash(world, process);
}

/* --- calls
 * ---------------------------------------------------------------------------------------------- */
static struct call *call_new(struct world *world,
                             struct process *from,
                             uint64_t tag,
                             struct slice address,
                             enum method method,
                             const void *message)
{
    struct call *call = MEM_NEW(struct call);
    call->id = world->next_id++;
    call->from = from;
    call->from_life = from->life;
    call->tag = tag;
    call->method = method;
    call->arena = arena_open(0);
    call->address = arena_copy(call->arena, address);
    call->message = message_copy(method_info(method)->request, message, call->arena);
    (void)map_u64_put(world->calls, call->id, call);
    return call;
}

static void send(struct world *world, struct call *call, int64_t delay_ms)
{
    struct item *item = item_add(world, ITEM_REQUEST, NULL, delay_ms);
    item->call_id = call->id;
}

/* The planted bug: what failed once is not tried again, and nobody hears of it. */
static bool is_dropped_retry(struct world *world, const struct process *process, enum method method)
{
    (void)process;
    return world->bug == BUG_DROP_RETRY &&
           (method == METHOD_NODE_TRACKER_CONTAINERS_COMPLETED ||
            method == METHOD_DATANODE_TRACKER_BLOCK_CHANGES ||
            method == METHOD_NODE_MANAGER_START_CONTAINER) &&
           rng_chance(&world->rng, 50000);
}

static bool tag_is_in_use(const struct world *world, const struct process *process, uint64_t tag)
{
    size_t cursor = 0;
    void *value;
    while (map_u64_next(world->calls, &cursor, NULL, &value)) {
        const struct call *call = value;
        if (call->from == process && call->from_life == process->life && call->tag == tag &&
            !call->is_ghost && !call->is_answered)
            return true;
    }
    return false;
}

void world_call(struct world *world,
                struct process *process,
                uint64_t tag,
                struct slice address,
                enum method method,
                const void *message,
                int64_t timeout_ms)
{
    CHECK(timeout_ms > 0);
    CHECK(process->door == NULL || !tag_is_in_use(world, process, tag)); /* rule 3 of the door */
    struct call *call = call_new(world, process, tag, address, method, message);
    if (is_dropped_retry(world, process, method)) {
        deliver_response(world, call, OK, NULL, 1);
        return;
    }
    struct item *timeout = item_add(world, ITEM_TIMEOUT, process, timeout_ms);
    timeout->call_id = call->id;
    call->is_lost = rng_chance(&world->rng, world->faults.loss_ppm);
    if (!call->is_lost)
        send(world, call, world_delay(world));
    if (rng_chance(&world->rng, world->faults.duplicate_ppm)) {
        struct call *ghost = call_new(world, process, tag, address, method, message);
        ghost->is_ghost = true;
        send(world, ghost, world_delay(world) + world_delay(world));
    }
}

static void on_request(struct world *world, struct call *call)
{
    struct process *server = map_get(world->by_address, call->address);
    if (!server || !world_is_reachable(world, call->from->host, server)) {
        if (call->is_ghost)
            call_free(world, call);
        else
            deliver_response(world, call, ERR_UNAVAILABLE, NULL, world_delay(world));
        return;
    }
    if (call->is_answered) {
        call_free(world, call); /* its deadline was over before it arrived */
        return;
    }
    CHECK(server->door != NULL);
    call->server = server;
    call->server_life = server->life;
    world_step(world, server,
               (struct event){.kind = EVENT_REQUEST,
                              .call = call->id,
                              .method = call->method,
                              .message = call->message,
                              .user = call->from->user,
                              .groups = call->from->groups,
                              .groups_count = call->from->groups_count,
                              .peer = slice_make(NULL, 0)});
}

static void answer_caller(struct world *world,
                          struct call *call,
                          enum status status,
                          const void *message)
{
    static const char zero[512];
    if (call->is_answered)
        return;
    call->is_answered = true;
    struct process *from = call->from;
    uint64_t tag = call->tag;
    enum method method = call->method;
    bool is_alive = from->is_up && from->life == call->from_life;
    if (world->is_verbose) /* not part of the trace: it would be most of it */
        fprintf(stderr, "%8lld   %.*s <- %s %s\n", (long long)world->now_ms,
                SLICE_ARGS(from->address), method_info(method)->name, status_name(status));
    struct process *server = call->server;
    bool is_held = server && !call->is_served && server->is_up && server->life == call->server_life;
    uint64_t id = call->id;
    bool is_under_way =
        !server && !call->is_lost && (status == ERR_DEADLINE || status == ERR_CANCELLED);
    if (!is_held && !is_under_way)
        call_free(world, call);
    if (is_held)
        world_step(world, server, (struct event){.kind = EVENT_REQUEST_CANCELLED, .call = id});
    if (!is_alive)
        return;
    if (status == OK && !message)
        message = zero; /* of a dropped retry: an empty answer */
    if (from->door) {
        world_step(world, from,
                   (struct event){.kind = EVENT_RESPONSE,
                                  .tag = tag,
                                  .method = method,
                                  .status = status,
                                  .text = slice_from_string(status_sentence(status)),
                                  .message = status == OK ? message : NULL});
    } else {
        from->on_answer(world, from, tag, method, status, status == OK ? message : NULL);
    }
}

/* --- others
 * ------------------------------------------------------------------------------------------------
 */
void world_wake(struct world *world,
                struct process *process,
                int64_t delay_ms,
                wake_function *wake,
                uint64_t tag)
{
    struct item *item = item_add(world, ITEM_WAKE, process, delay_ms);
    item->wake = wake;
    item->tag = tag;
}

void world_effect_done(struct world *world,
                       struct process *process,
                       int64_t delay_ms,
                       uint64_t tag,
                       int effect,
                       enum status status,
                       const void *data,
                       size_t size)
{
    struct item *item = item_add(world, ITEM_EFFECT, process, delay_ms);
    item->tag = tag;
    item->effect = effect;
    item->status = status;
    if (data) {
        item->data = mem_new(size);
        memcpy(item->data, data, size);
    }
}

static void deliver(struct world *world, struct item *item)
{
    struct process *process = item->process;
    struct call *call = NULL;
    bool is_current = process && process->is_up && process->life == item->life;
    switch (item->kind) {
    case ITEM_REQUEST:
        call = map_u64_get(world->calls, item->call_id);
        if (call)
            on_request(world, call);
        return;
    case ITEM_RESPONSE:
        call = map_u64_get(world->calls, item->call_id);
        if (call)
            answer_caller(world, call, item->status, item->message);
        return;
    case ITEM_TIMEOUT:
        call = map_u64_get(world->calls, item->call_id);
        if (call)
            answer_caller(world, call, ERR_DEADLINE, NULL);
        return;
    case ITEM_WAKE:
        if (is_current)
            item->wake(world, process, item->tag);
        return;
    case ITEM_EFFECT:
        if (is_current)
            world_step(world, process,
                       (struct event){.kind = EVENT_EFFECT_DONE,
                                      .tag = item->tag,
                                      .effect = item->effect,
                                      .status = item->status,
                                      .text = slice_from_string(status_sentence(item->status)),
                                      .data = item->data});
        return;
    case ITEM_TIMER:
        world_step(world, process, (struct event){.kind = EVENT_TICK});
        return;
    }
}

/* Whom an item is for; NULL: nobody in particular. */
static const struct process *addressee(const struct world *world, const struct item *item)
{
    if (item->kind == ITEM_TIMER || item->kind == ITEM_WAKE || item->kind == ITEM_EFFECT)
        return item->process;
    const struct call *call = map_u64_get(world->calls, item->call_id);
    if (!call)
        return NULL;
    return item->kind == ITEM_REQUEST ? map_get(world->by_address, call->address) : call->from;
}

bool world_advance(struct world *world, int64_t until_ms)
{
    struct heap_node *next = heap_peek(&world->queue);
    if (!next || next->key > until_ms || world->has_failed) {
        if (!world->has_failed)
            world->now_ms = until_ms;
        return false;
    }
    (void)heap_pop(&world->queue);
    struct item *item = next->object;
    world->now_ms = next->key > world->now_ms ? next->key : world->now_ms;
    const struct process *process = addressee(world, item);
    if (process && process->is_up && process->paused_until_ms > world->now_ms) {
        heap_push(&world->queue, next, process->paused_until_ms, item);
        return true;
    }
    bool is_timer = item->kind == ITEM_TIMER;
    deliver(world, item);
    if (is_timer)
        mem_free(item);
    else
        item_free(item);
    return true;
}
