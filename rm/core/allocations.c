/*
 * allocations.c - which container holds which resources on which node.
 * Owns rm.allocations and each struct rm_allocation; a node's `used` follows them (RM-4, RM-5).
 * States: docs/states/rm_allocation.dot.
 */
#include "lib/base/check.h"
#include "lib/base/mem.h"
#include "rm/core/state.h"

static const struct transition_row allocation_rows[] = {
    {RM_ALLOCATION_GRANTED,  RM_ALLOCATION_DELIVERED, RM_ALLOCATION_ACQUIRED,  NULL},
    {RM_ALLOCATION_GRANTED,  RM_ALLOCATION_WITHDRAWN, RM_ALLOCATION_COMPLETED, NULL},
    {RM_ALLOCATION_GRANTED,  RM_ALLOCATION_STARTED,   RM_ALLOCATION_RUNNING,   NULL},
    {RM_ALLOCATION_GRANTED,  RM_ALLOCATION_KILL,      RM_ALLOCATION_KILLING,   NULL},
    {RM_ALLOCATION_GRANTED,  RM_ALLOCATION_ENDED,     RM_ALLOCATION_COMPLETED, NULL},
    {RM_ALLOCATION_ACQUIRED, RM_ALLOCATION_STARTED,   RM_ALLOCATION_RUNNING,   NULL},
    {RM_ALLOCATION_ACQUIRED, RM_ALLOCATION_KILL,      RM_ALLOCATION_KILLING,   NULL},
    {RM_ALLOCATION_ACQUIRED, RM_ALLOCATION_ENDED,     RM_ALLOCATION_COMPLETED, NULL},
    {RM_ALLOCATION_RUNNING,  RM_ALLOCATION_KILL,      RM_ALLOCATION_KILLING,   NULL},
    {RM_ALLOCATION_RUNNING,  RM_ALLOCATION_ENDED,     RM_ALLOCATION_COMPLETED, NULL},
    {RM_ALLOCATION_KILLING,  RM_ALLOCATION_ENDED,     RM_ALLOCATION_COMPLETED, NULL},
};

#define RM_STATE_NAME(constant, name) name,

static const char *const allocation_state_names[] = {RM_ALLOCATION_STATE_LIST(RM_STATE_NAME)};
static const char *const allocation_event_names[] = {RM_ALLOCATION_EVENT_LIST(RM_STATE_NAME)};

const struct transition_table rm_allocation_table = {
    .name = "rm_allocation",
    .rows = allocation_rows,
    .count = sizeof(allocation_rows) / sizeof(allocation_rows[0]),
    .state_names = allocation_state_names,
    .state_count = RM_ALLOCATION_STATE_COUNT,
    .event_names = allocation_event_names,
    .event_count = RM_ALLOCATION_EVENT_COUNT,
};

static void count_master(struct rm *rm, const struct rm_allocation *allocation, bool is_new)
{
    if (!allocation->is_master)
        return;
    if (is_new) {
        rm->masters_count++;
        rm->masters_used.memory_bytes += allocation->resource.memory_bytes;
        rm->masters_used.vcores += allocation->resource.vcores;
        rm_scheduler_mark_masters(rm);
        return;
    }
    rm->masters_count--;
    rm->masters_used.memory_bytes -= allocation->resource.memory_bytes;
    rm->masters_used.vcores -= allocation->resource.vcores;
    rm_scheduler_mark_masters(rm);
}

static void allocation_expired(struct rm *rm, void *owner)
{
    struct rm_allocation *allocation = owner;
    trace_emit(rm->actions->trace, "container %s expired", container_id_text(allocation->id).text);
    rm_allocation_kill(rm, allocation, RM_EXIT_ABORTED, "the container was not started in time");
}

struct rm_allocation *rm_allocation_new(struct rm *rm,
                                        struct container_id id,
                                        struct rm_app *app,
                                        struct rm_node *node,
                                        struct resource resource,
                                        uint32_t priority)
{
    struct rm_allocation *allocation = MEM_NEW(struct rm_allocation);
    allocation->id = id;
    allocation->app = app;
    allocation->node = node;
    allocation->resource = resource;
    allocation->priority = priority;
    allocation->number = ++rm->allocation_number;
    allocation->is_master = id.sequence == RM_MASTER_SEQUENCE;
    rm_timer_open(&allocation->timer, allocation_expired, allocation);
    struct id_key key = container_id_key(id);
    CHECK(map_put(rm->allocations, id_key_slice(&key), allocation) == NULL);
    list_append(&node->allocations, &allocation->node_link, allocation);
    if (app != NULL) {
        list_append(&app->allocations, &allocation->app_link, allocation);
        (void)map_u64_put(app->nodes, node->node_id, node); /* replaces itself */
    }
    rm_node_hold(rm, node, resource);
    count_master(rm, allocation, true);
    if (app != NULL)
        rm_queue_charge(rm, app, resource, allocation->is_master);
    trace_emit(rm->actions->trace, "container %s on node %llu", container_id_text(id).text,
               (unsigned long long)node->node_id);
    return allocation;
}

struct rm_allocation *rm_allocation_find(const struct rm *rm, struct container_id id)
{
    struct id_key key = container_id_key(id);
    return map_get(rm->allocations, id_key_slice(&key));
}

bool rm_allocation_is_current(const struct rm_allocation *allocation)
{
    const struct rm_app *app = allocation->app;
    return app != NULL && !rm_app_is_over(app) &&
           allocation->id.app_attempt == app->report.app_attempt;
}

void rm_allocation_apply(struct rm *rm, struct rm_allocation *allocation, int event)
{
    int before = allocation->state;
    CHECK(transition_apply(&rm_allocation_table, &allocation->state, event, allocation, rm) == OK);
    trace_emit(rm->actions->trace, "container %s %s->%s", container_id_text(allocation->id).text,
               allocation_state_names[before], allocation_state_names[allocation->state]);
}

void rm_allocation_deliver(struct rm *rm, struct rm_allocation *allocation)
{
    list_remove(&allocation->granted_link);
    rm_allocation_apply(rm, allocation, RM_ALLOCATION_DELIVERED);
    rm_timer_set(rm, &allocation->timer, rm->now_ms + rm->settings.container_launch_ms);
}

void rm_allocation_start(struct rm *rm, struct rm_allocation *allocation)
{
    /* A grant that no answer has named cannot have been started: its token does not exist. */
    bool is_undelivered = allocation->state == RM_ALLOCATION_GRANTED && !allocation->is_master;
    if (is_undelivered ||
        !transition_is_possible(&rm_allocation_table, allocation->state, RM_ALLOCATION_STARTED))
        return;
    rm_timer_clear(rm, &allocation->timer);
    rm_allocation_apply(rm, allocation, RM_ALLOCATION_STARTED);
}

static void allocation_free(struct rm *rm, struct rm_allocation *allocation)
{
    struct id_key key = container_id_key(allocation->id);
    CHECK(map_remove(rm->allocations, id_key_slice(&key)) == allocation);
    rm_timer_clear(rm, &allocation->timer);
    list_remove(&allocation->node_link);
    list_remove(&allocation->app_link);
    list_remove(&allocation->granted_link);
    rm_preempt_forget(allocation);
    rm_node_release(rm, allocation->node, allocation->resource);
    count_master(rm, allocation, false);
    if (allocation->app != NULL)
        rm_queue_refund(rm, allocation->app, allocation->resource, allocation->is_master);
    mem_free(allocation);
}

/* Once the last container of an application that is over has left the node, so may its folders. */
static void forget_if_last(struct rm *rm,
                           struct rm_node *node,
                           struct app_id id,
                           const struct rm_app *app)
{
    bool is_wanted = app != NULL && !rm_app_is_over(app);
    if (!is_wanted && !rm_node_has_app(node, id))
        rm_command_forget(rm, node, id);
}

/* Nobody but this machine knows of the grant: undo it. */
static void allocation_withdraw(struct rm *rm, struct rm_allocation *allocation)
{
    rm_allocation_apply(rm, allocation, RM_ALLOCATION_WITHDRAWN);
    if (rm_allocation_is_current(allocation))
        rm_asks_put_back(rm, allocation);
    struct rm_app *app = allocation->app;
    struct rm_node *node = allocation->node;
    struct app_id id = allocation->id.app;
    allocation_free(rm, allocation);
    forget_if_last(rm, node, id, app);
}

void rm_allocation_kill(struct rm *rm,
                        struct rm_allocation *allocation,
                        int exit_override,
                        const char *why)
{
    if (allocation->state == RM_ALLOCATION_KILLING)
        return;
    if (allocation->state == RM_ALLOCATION_GRANTED && !allocation->is_master) {
        allocation_withdraw(rm, allocation);
        return;
    }
    rm_timer_clear(rm, &allocation->timer);
    rm_preempt_forget(allocation);
    rm_allocation_apply(rm, allocation, RM_ALLOCATION_KILL);
    allocation->exit_override = exit_override;
    allocation->why = why;
    rm_command_kill(rm, allocation->node, allocation->id);
}

void rm_allocation_end(struct rm *rm,
                       struct rm_allocation *allocation,
                       int32_t exit_status,
                       struct slice diagnostics)
{
    if (allocation->state == RM_ALLOCATION_GRANTED && !allocation->is_master) {
        allocation_withdraw(rm, allocation);
        return;
    }
    rm_allocation_apply(rm, allocation, RM_ALLOCATION_ENDED);
    if (allocation->exit_override != 0) {
        exit_status = allocation->exit_override;
        diagnostics = slice_from_string(allocation->why);
    }
    rm_command_drop_container(allocation->node, allocation->id);
    struct rm_app *app = allocation->app;
    struct rm_node *node = allocation->node;
    struct container_id id = allocation->id;
    struct resource resource = allocation->resource;
    bool is_current = rm_allocation_is_current(allocation);
    bool is_master = allocation->is_master;
    bool is_attempts_master = app != NULL && app->attempt.master == allocation;
    if (is_attempts_master)
        app->attempt.master = NULL;
    allocation_free(rm, allocation);
    if (is_current && is_attempts_master)
        rm_attempt_master_ended(rm, app, exit_status, diagnostics, node->node_id);
    else if (is_current && !is_master)
        rm_answer_add_completed(rm, app, id, exit_status, diagnostics, resource);
    forget_if_last(rm, node, id.app, app);
}
