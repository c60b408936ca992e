/*
 * rm.c - the door: opens the machine, hands each event to the file that knows it, then lets timers
 * fire, grants what can be granted and answers held calls that have something to be told.
 */
#include "rm/core/rm.h"

#include "lib/base/check.h"
#include "lib/base/error.h"
#include "lib/base/mem.h"
#include "rm/core/state.h"

enum {
    /* Stepped this much too late, the machine itself was silent: others' silence proves nothing. */
    STALL_MS = 1000,
    /* Of any duration, ms, or count: 24 days; keeps sums far from overflow. */
    SETTING_MAX = INT32_MAX
};

struct rm_settings rm_settings_default(void)
{
    return (struct rm_settings){
        .node_heartbeat_interval_ms = 1000,
        .node_lost_ms = 10 * 1000,
        .master_heartbeat_interval_ms = 1000,
        .master_lost_ms = 30 * 1000,
        .master_launch_ms = 60 * 1000,
        .container_launch_ms = 60 * 1000,
        .kill_grace_ms = 10 * 1000,
        .recovery_grace_ms = 10 * 1000,
        .node_delay_ms = 50,
        .rack_delay_ms = 50,
        .master_attempts_max = 2,
        .masters_percent_max = 50,
        .finished_apps_max = 1000,
        .live_apps_max = 10 * 1000,
        .hold_after_ms = 2 * 1000,
        .hold_percent = 10,
        .preempt_interval_ms = 3 * 1000,
        .preempt_grace_ms = 15 * 1000,
        .master_resource = {.memory_bytes = (uint64_t)512 << 20, .vcores = 1},
    };
}

const char *rm_settings_check(const struct rm_settings *settings)
{
    const struct rm_settings *s = settings;

    const struct {
        const char *name;
        int64_t value;
        int64_t least;
    } rows[] = {
        {"node_heartbeat_interval_ms",   s->node_heartbeat_interval_ms,   1                                  },
        {"node_lost_ms",                 s->node_lost_ms,                 s->node_heartbeat_interval_ms + 1  },
        {"master_heartbeat_interval_ms", s->master_heartbeat_interval_ms, 1                                  },
        {"master_lost_ms",               s->master_lost_ms,               s->master_heartbeat_interval_ms + 1},
        {"master_launch_ms",             s->master_launch_ms,             1                                  },
        {"container_launch_ms",          s->container_launch_ms,          1                                  },
        {"kill_grace_ms",                s->kill_grace_ms,                1                                  },
        {"recovery_grace_ms",            s->recovery_grace_ms,            1                                  },
        {"node_delay_ms",                s->node_delay_ms,                0                                  },
        {"rack_delay_ms",                s->rack_delay_ms,                0                                  },
        {"master_attempts_max",          s->master_attempts_max,          1                                  },
        {"masters_percent_max",          s->masters_percent_max,          1                                  },
        {"live_apps_max",                s->live_apps_max,                1                                  },
        {"hold_after_ms",                s->hold_after_ms,                2                                  },
        {"preempt_interval_ms",          s->preempt_interval_ms,          1                                  },
        {"preempt_grace_ms",             s->preempt_grace_ms,             1                                  },
        {"hold_percent",                 s->hold_percent,                 0                                  },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].value < rows[i].least || rows[i].value > SETTING_MAX)
            return rows[i].name;
    }
    if (s->masters_percent_max > 100)
        return "masters_percent_max";
    if (s->hold_percent > 100)
        return "hold_percent";
    if ((s->container_max.memory_bytes == 0) != (s->container_max.vcores == 0))
        return "container_max";
    if (s->master_resource.memory_bytes == 0 || s->master_resource.vcores == 0)
        return "master_resource";
    return NULL;
}

/* Every node that comes back has: masters now learn which of their containers are left. */
static void recovery_over(struct rm *rm, void *owner)
{
    (void)owner;
    trace_emit(rm->actions->trace, "recovery over");
    size_t cursor = 0;
    void *value;
    while (map_u64_next(rm->apps, &cursor, NULL, &value)) {
        struct rm_app *app = value;
        if (app->attempt.state != RM_ATTEMPT_REGISTERED || !app->attempt.is_restored)
            continue;
        app->attempt.must_resync = true;
        rm_answer_mark(rm, app);
    }
}

enum status rm_open(const struct rm_settings *settings, uint64_t seed, struct rm **ret_rm)
{
    (void)seed;
    struct error error;
    if (rm_settings_check(settings) != NULL ||
        (settings->queues != NULL && rm_queues_check_specs(settings->queues, &error) != OK))
        return ERR_INVALID;
    struct rm *rm = MEM_NEW(struct rm);
    rm->settings = *settings;
    rm->arena = arena_open(0);
    rm->settings.admin_user = arena_copy(rm->arena, settings->admin_user);
    heap_open(&rm->timers, NULL);
    rm->holds = map_u64_open();
    rm->apps = map_u64_open();
    rm->requests = map_open();
    rm->allocations = map_open();
    rm->nodes_by_id = map_u64_open();
    rm->hosts = map_open();
    rm->racks = map_open();
    rm->places_version = 1; /* 0 is what a group has that was never counted */
    rm->room = rm_room_open();
    rm_timer_open(&rm->reserve_timer, rm_reserve_due, NULL);
    rm_timer_open(&rm->preempt_timer, rm_preempt_look, NULL);
    rm_timer_open(&rm->warned_timer, rm_preempt_due, NULL);
    rm_queues_open(rm, settings->queues == NULL ? &(struct rm_queue_specs){0} : settings->queues);
    rm->settings.queues = NULL;
    rm_timer_open(&rm->recovery_timer, recovery_over, NULL);
    *ret_rm = rm;
    return OK;
}

static void close_places(struct map *places)
{
    size_t cursor = 0;
    void *value;
    while (map_next(places, &cursor, NULL, &value))
        mem_free(value);
    map_close(places);
}

void rm_close(struct rm *rm)
{
    if (rm == NULL)
        return;
    struct actions unheard;
    actions_open(&unheard);
    rm->actions = &unheard;
    size_t cursor = 0;
    void *value;
    while (map_next(rm->allocations, &cursor, NULL, &value)) {
        struct rm_allocation *allocation = value;
        list_remove(&allocation->app_link);
        list_remove(&allocation->node_link);
        list_remove(&allocation->granted_link);
        list_remove(&allocation->warned_link);
        rm_timer_clear(rm, &allocation->timer);
        mem_free(allocation);
    }
    cursor = 0;
    while (map_u64_next(rm->apps, &cursor, NULL, &value))
        rm_app_free(rm, value);
    for (size_t i = 0; i < rm->node_count; i++)
        rm_node_close(rm, rm->nodes[i]);
    rm_queues_close(rm);
    map_close(rm->allocations);
    map_u64_close(rm->apps);
    map_close(rm->requests);
    map_u64_close(rm->nodes_by_id);
    close_places(rm->hosts);
    close_places(rm->racks);
    map_u64_close(rm->holds);
    rm_room_close(rm->room);
    heap_close(&rm->timers);
    mem_free(rm->nodes);
    arena_close(rm->arena);
    actions_close(&unheard);
    mem_free(rm);
}

/* NULL: no such call here. */
static void (*handler_of(enum method method))(struct rm *rm, const struct event *event)
{
    static const struct {
        enum method method;
        void (*handler)(struct rm *rm, const struct event *event);
    } rows[] = {
        {METHOD_RESOURCE_MANAGER_SUBMIT_APP,       rm_app_submit      },
        {METHOD_RESOURCE_MANAGER_GET_APP,          rm_app_get         },
        {METHOD_RESOURCE_MANAGER_LIST_APPS,        rm_app_list        },
        {METHOD_RESOURCE_MANAGER_KILL_APP,         rm_app_kill        },
        {METHOD_RESOURCE_MANAGER_LIST_NODES,       rm_node_list       },
        {METHOD_RESOURCE_MANAGER_EXPLAIN_APP,      rm_explain_app     },
        {METHOD_RESOURCE_MANAGER_MOVE_APP,         rm_app_move        },
        {METHOD_RESOURCE_MANAGER_SET_PRIORITY,     rm_app_set_priority},
        {METHOD_RESOURCE_MANAGER_GET_QUEUES,       rm_queues_get      },
        {METHOD_RESOURCE_MANAGER_REFRESH_QUEUES,   rm_queues_refresh  },
        {METHOD_NODE_TRACKER_REGISTER_NODE,        rm_node_register   },
        {METHOD_NODE_TRACKER_NODE_HEARTBEAT,       rm_node_heartbeat  },
        {METHOD_NODE_TRACKER_CONTAINERS_COMPLETED, rm_node_completed  },
        {METHOD_NODE_TRACKER_UNREGISTER_NODE,      rm_node_unregister },
        {METHOD_MASTER_TRACKER_REGISTER_MASTER,    rm_master_register },
        {METHOD_MASTER_TRACKER_ALLOCATE,           rm_master_allocate },
        {METHOD_MASTER_TRACKER_FINISH_MASTER,      rm_master_finish   },
    };

    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
        if (rows[i].method == method)
            return rows[i].handler;
    }
    return NULL;
}

static void step_request(struct rm *rm, const struct event *event)
{
    if (!rm->is_started) {
        actions_fail(rm->actions, event->call, ERR_UNAVAILABLE, "not serving");
        return;
    }
    void (*handler)(struct rm *, const struct event *) = handler_of(event->method);
    if (handler == NULL)
        actions_fail(rm->actions, event->call, ERR_UNSUPPORTED, "not a resource manager's call");
    else
        handler(rm, event);
}

/* Takes the hold away from its owner and fails its call. */
static void drop_hold(struct rm *rm, struct rm_hold *hold, enum status status, const char *why)
{
    if (hold->kind == RM_HOLD_NODE) {
        struct rm_node *node = hold->owner;
        node->hold = NULL;
    } else if (hold->kind == RM_HOLD_MASTER) {
        struct rm_app *app = hold->owner;
        app->attempt.hold = NULL;
    }
    actions_fail(rm->actions, hold->call, status, "%s", why);
    rm_hold_close(rm, hold);
}

static void step_cancelled(struct rm *rm, uint64_t call)
{
    struct rm_hold *hold = map_u64_get(rm->holds, call);
    if (hold != NULL)
        drop_hold(rm, hold, ERR_CANCELLED, "the caller has gone");
}

static void step_stop(struct rm *rm)
{
    size_t cursor = 0;
    void *value;
    while (map_u64_next(rm->holds, &cursor, NULL, &value))
        drop_hold(rm, value, ERR_UNAVAILABLE, "the resource manager stops");
    rm->is_started = false;
    actions_exit(rm->actions, 0);
}

static void dispatch(struct rm *rm, const struct event *event)
{
    switch (event->kind) {
    case EVENT_START:
        rm->is_started = true;
        rm_record_start(rm);
        break;
    case EVENT_REQUEST:
        step_request(rm, event);
        break;
    case EVENT_REQUEST_CANCELLED:
        step_cancelled(rm, event->call);
        break;
    case EVENT_STOP:
        step_stop(rm);
        break;
    case EVENT_EFFECT_DONE:
        rm_queues_read(rm, event);
        break;
    case EVENT_REPLAY:
    case EVENT_TICK:
    case EVENT_RESPONSE:
    case EVENT_LOCAL:
        break;
    }
}

static void answer_held(struct rm *rm)
{
    while (rm->news_nodes.count > 0) {
        struct rm_node *node = list_pop(&rm->news_nodes);
        if (node->hold != NULL && node->command_count > 0)
            rm_command_send(rm, node);
    }
    while (rm->news_apps.count > 0) {
        struct rm_app *app = list_pop(&rm->news_apps);
        if (app->attempt.hold != NULL && rm_answer_has_news(app))
            rm_answer_send(rm, app);
    }
    while (rm->changed_apps.count > 0)
        rm_app_answer_waiters(rm, list_pop(&rm->changed_apps));
}

static void note_stall(struct rm *rm)
{
    int64_t due_ms = rm_deadline_ms(rm);
    if (due_ms > rm->now_ms || rm->now_ms - due_ms <= STALL_MS)
        return;
    int64_t interval_ms = rm->settings.node_heartbeat_interval_ms;
    if (interval_ms < rm->settings.master_heartbeat_interval_ms)
        interval_ms = rm->settings.master_heartbeat_interval_ms;
    rm->lenient_until_ms = rm->now_ms + 2 * interval_ms;
    trace_emit(rm->actions->trace, "stalled ms=%lld", (long long)(rm->now_ms - due_ms));
}

void rm_step(struct rm *rm, const struct event *event, struct actions *ret_actions)
{
    CHECK(event->now_ms >= rm->now_ms);
    rm->now_ms = event->now_ms;
    rm->wall_ms = event->wall_ms;
    rm->actions = ret_actions;
    if (event->kind == EVENT_REPLAY) {
        CHECK(!rm->is_started);
        if (!rm_record_replay(rm, event)) {
            trace_emit(ret_actions->trace, "bad record %s", event->type->name);
            actions_exit(ret_actions, 1);
        }
        return;
    }
    note_stall(rm);
    dispatch(rm, event);
    if (rm->is_started) {
        rm_timers_run(rm);
        rm_scheduler_run(rm);
        answer_held(rm);
        rm_app_prune(rm);
    }
    rm->actions = NULL;
}

int64_t rm_deadline_ms(const struct rm *rm)
{
    const struct heap_node *first = heap_peek(&rm->timers);
    return first == NULL || !rm->is_started ? INT64_MAX : first->key;
}

const struct transition_table *rm_table(size_t index)
{
    static const struct transition_table *const tables[RM_TABLE_COUNT] = {
        &rm_app_table, &rm_attempt_table, &rm_allocation_table, &rm_node_table};
    CHECK(index < RM_TABLE_COUNT);
    return tables[index];
}
