/*
 * check_state.c - rm_check: asserts the invariants of rm.h by number. For tests and the simulator;
 * it walks everything, and applications x nodes for RM-11.
 */
#include "lib/base/check.h"
#include "rm/core/state.h"

#define REQUIRE(condition, invariant)                                                              \
 ((condition) ? (void)0 : check_failed(__FILE__, __LINE__, invariant ": " #condition))

static void check_allocation(const struct rm *rm, const struct rm_allocation *allocation)
{
    REQUIRE(rm_allocation_find(rm, allocation->id) == allocation, "RM-4");
    REQUIRE(allocation->state != RM_ALLOCATION_COMPLETED, "RM-4");
    REQUIRE(allocation->node != NULL, "RM-4");
    REQUIRE(allocation->id.epoch <= rm->epoch || allocation->state == RM_ALLOCATION_KILLING,
            "RM-1");
    bool is_undelivered = allocation->state == RM_ALLOCATION_GRANTED && !allocation->is_master;
    REQUIRE(list_node_is_listed(&allocation->granted_link) == is_undelivered, "RM-8");
    bool is_waiting_for_start = allocation->state == RM_ALLOCATION_ACQUIRED;
    REQUIRE(heap_node_is_queued(&allocation->timer.heap_node) == is_waiting_for_start, "RM-8");
    REQUIRE(!allocation->is_listed, "RM-4");
    bool is_warned = allocation->preempt_due_ms > 0;
    REQUIRE(list_node_is_listed(&allocation->warned_link) == is_warned, "RM-15");
    REQUIRE(!is_warned || allocation->state != RM_ALLOCATION_KILLING, "RM-15");
    REQUIRE(!is_warned || (heap_node_is_queued(&rm->warned_timer.heap_node) &&
                           rm->warned_timer.heap_node.key <= allocation->preempt_due_ms),
            "RM-15");
    if (rm_allocation_is_current(allocation)) {
        const struct rm_attempt *attempt = &allocation->app->attempt;
        REQUIRE(allocation->is_master || allocation->id.epoch != rm->epoch ||
                    allocation->id.sequence <= attempt->container_sequence ||
                    allocation->state == RM_ALLOCATION_KILLING,
                "RM-1");
        if (allocation->is_master && allocation->state != RM_ALLOCATION_KILLING)
            REQUIRE(attempt->master == allocation, "RM-3");
    } else if (allocation->state != RM_ALLOCATION_KILLING) {
        /* The master of an application that is over, on its way out. */
        REQUIRE(allocation->app != NULL && rm_app_is_over(allocation->app), "RM-3");
        REQUIRE(allocation->app->attempt.master == allocation, "RM-3");
    }
}

static void check_node(const struct rm *rm, const struct rm_node *node)
{
    struct resource used = {0};
    for (const struct list_node *link = node->allocations.first; link != NULL; link = link->next) {
        const struct rm_allocation *allocation = link->object;
        REQUIRE(allocation->node == node, "RM-4");
        check_allocation(rm, allocation);
        used.memory_bytes += allocation->resource.memory_bytes;
        used.vcores += allocation->resource.vcores;
    }
    REQUIRE(resource_equal(used, node->used), "RM-5");
    bool is_active = node->state == NODE_ACTIVE;
    if (is_active)
        REQUIRE(resource_fits(node->used, node->ceiling), "RM-5");
    struct resource open = node->reserved_for == NULL ? rm_node_free(node) : (struct resource){0};
    REQUIRE(resource_equal(rm_room_get(rm->room, node->index), open), "RM-5");
    REQUIRE(node->reserved_for == NULL || node->reserved_for->node == node, "RM-14");
    REQUIRE(is_active || node->allocations.count == 0, "RM-7");
    REQUIRE(is_active == list_node_is_listed(&node->host_link), "RM-6");
    REQUIRE(is_active == list_node_is_listed(&node->rack_link), "RM-6");
    REQUIRE(is_active == heap_node_is_queued(&node->timer.heap_node), "RM-7");
    uint64_t sequence = 0;
    for (size_t i = 0; i < node->command_count; i++) {
        REQUIRE(node->commands[i].sequence > sequence, "RM-10");
        sequence = node->commands[i].sequence;
        if (node->commands[i].kind == NODE_FORGET_APP)
            REQUIRE(!rm_node_has_app(node, node->commands[i].app) ||
                        rm_app_find(rm, node->commands[i].app) == NULL ||
                        rm_app_is_over(rm_app_find(rm, node->commands[i].app)),
                    "RM-10");
    }
    REQUIRE(sequence <= node->command_sequence, "RM-10");
    REQUIRE(node->hold == NULL || node->command_count == 0, "RM-10");
    REQUIRE(node->hold == NULL || map_u64_get(rm->holds, node->hold->call) == node->hold, "RM-9");
}

static void check_attempt(const struct rm *rm, const struct rm_app *app)
{
    const struct rm_attempt *attempt = &app->attempt;
    bool is_over = rm_app_is_over(app);
    REQUIRE(is_over == (attempt->state == RM_ATTEMPT_OVER), "RM-3");
    REQUIRE(attempt->state == RM_ATTEMPT_REGISTERED || attempt->granted.count == 0, "RM-3");
    REQUIRE(attempt->state == RM_ATTEMPT_REGISTERED || app->groups.count == 0, "RM-3");
    REQUIRE(attempt->state == RM_ATTEMPT_REGISTERED || attempt->hold == NULL, "RM-3");
    REQUIRE(!rm->is_started || is_over ||
                app->is_master_launched == (attempt->state != RM_ATTEMPT_WAITING),
            "RM-2");
    if (rm->is_started && app->state == APP_RUNNING)
        REQUIRE(attempt->state == RM_ATTEMPT_REGISTERED || attempt->state == RM_ATTEMPT_RECOVERING,
                "RM-3");
    if (app->state == APP_ACCEPTED)
        REQUIRE(attempt->state != RM_ATTEMPT_REGISTERED, "RM-3");
    if (rm->is_started && !is_over && attempt->state != RM_ATTEMPT_WAITING)
        REQUIRE(heap_node_is_queued(&attempt->timer.heap_node), "RM-3");
    if (attempt->hold != NULL) {
        REQUIRE(map_u64_get(rm->holds, attempt->hold->call) == attempt->hold, "RM-9");
        REQUIRE(!attempt->has_answer && !rm_answer_has_news(app), "RM-9");
    }
    if (attempt->has_answer)
        REQUIRE(attempt->answer.response_sequence == attempt->response_sequence, "RM-8");
    for (const struct list_node *link = attempt->granted.first; link != NULL; link = link->next) {
        const struct rm_allocation *allocation = link->object;
        REQUIRE(allocation->state == RM_ALLOCATION_GRANTED, "RM-8");
        REQUIRE(rm_allocation_is_current(allocation), "RM-3");
    }
}

static void check_app(const struct rm *rm, const struct rm_app *app)
{
    REQUIRE(rm_app_find(rm, app->report.app) == app, "RM-1");
    REQUIRE(app->report.app.sequence <= rm->app_sequence, "RM-1");
    REQUIRE((int)app->report.state == app->state, "RM-3");
    REQUIRE(app->report.app_attempt >= 1, "RM-3");
    bool is_over = rm_app_is_over(app);
    REQUIRE(is_over || app->master_failures < app->submission.master_attempts_max, "RM-3");
    REQUIRE(is_over == list_node_is_listed(&app->finished_link), "RM-12");
    bool is_ranked = app->rank_nodes[QUEUE_RANK_DEMAND].is_ranked;
    REQUIRE(!rm->is_started || (is_ranked || app->is_parked) == rm_app_has_demand(app), "RM-11");
    REQUIRE(!app->is_parked || (app->attempt.state == RM_ATTEMPT_WAITING && !is_over), "RM-11");
    REQUIRE(!app->rank_nodes[QUEUE_RANK_READY].is_ranked, "RM-11");
    check_attempt(rm, app);
    struct resource used = {0};
    for (const struct list_node *link = app->allocations.first; link != NULL; link = link->next) {
        const struct rm_allocation *allocation = link->object;
        REQUIRE(allocation->app == app, "RM-4");
        used.memory_bytes += allocation->resource.memory_bytes;
        used.vcores += allocation->resource.vcores;
    }
    REQUIRE(resource_equal(used, app->used), "RM-13");
    if (rm->is_started)
        REQUIRE((app->queue != NULL) == (!is_over || !resource_is_zero(used)), "RM-13");
    for (const struct list_node *link = app->waiters.first; link != NULL; link = link->next) {
        const struct rm_hold *hold = link->object;
        REQUIRE(hold->after_version >= app->report.version, "RM-9");
    }
}

/* Room that exists is refused only to wait for a better place, and then not for ever. */
static void check_group(const struct rm *rm,
                        const struct rm_group *group,
                        const struct rm_node *node)
{
    if (!resource_fits(group->resource, rm_node_room_for(node, group)))
        return;
    REQUIRE(group->places_version == rm->places_version, "RM-11");
    bool waits;
    REQUIRE(!rm_group_may_take(rm, group, node, &waits), "RM-11");
    if (!waits)
        return;
    REQUIRE(group->skipped_ms >= 0, "RM-11");
    REQUIRE(heap_node_is_queued(&group->timer.heap_node), "RM-11");
    REQUIRE(group->timer.heap_node.key > rm->now_ms, "RM-11");
}

static void check_reserve(const struct rm *rm, const struct rm_reserve *reserve, bool is_wanted)
{
    REQUIRE((reserve->since_ms >= 0) == list_node_is_listed(&reserve->link), "RM-14");
    REQUIRE(reserve->since_ms < 0 || is_wanted, "RM-14");
    REQUIRE(reserve->since_ms >= 0 || reserve->node == NULL, "RM-14");
    REQUIRE(reserve->node == NULL || reserve->node->reserved_for == reserve, "RM-14");
    REQUIRE(reserve->since_ms < 0 || heap_node_is_queued(&rm->reserve_timer.heap_node), "RM-14");
}

/* Nothing that it wants could be had now. */
static void check_wishes(const struct rm *rm, const struct rm_app *app)
{
    size_t index;
    struct resource wanted = app->submission.master_resource;
    bool is_waiting = app->attempt.state == RM_ATTEMPT_WAITING;
    check_reserve(rm, &app->attempt.reserve, is_waiting);
    if (is_waiting)
        REQUIRE(!rm_app_may_place_master(rm, app) || !rm_room_find(rm->room, wanted, 0, &index),
                "RM-11");
    struct resource allowance = rm_app_allowance(rm, app);
    for (const struct list_node *link = app->groups.first; link != NULL; link = link->next) {
        const struct rm_group *group = link->object;
        check_reserve(rm, &group->reserve, group->any > 0);
        bool is_allowed = resource_fits(group->resource, allowance);
        for (size_t n = 0; group->any > 0 && is_allowed && n < rm->node_count; n++)
            check_group(rm, group, rm->nodes[n]);
    }
}

/* What stands in the leaf adds up, and what stands below the queue. */
static void check_queue(const struct rm *rm, const struct rm_queue *queue)
{
    struct resource used = {0};
    size_t live = 0;
    size_t running = 0;
    for (const struct list_node *link = queue->children.first; link != NULL; link = link->next) {
        const struct rm_queue *child = link->object;
        check_queue(rm, child);
        used.memory_bytes += child->used.memory_bytes;
        used.vcores += child->used.vcores;
        live += child->live_count;
        running += child->running_count;
    }
    for (const struct list_node *link = queue->apps.first; link != NULL; link = link->next) {
        const struct rm_app *app = link->object;
        REQUIRE(app->queue == queue, "RM-13");
        REQUIRE(slice_equal(app->report.queue, queue->path), "RM-13");
        used.memory_bytes += app->used.memory_bytes;
        used.vcores += app->used.vcores;
        live += !rm_app_is_over(app);
        running += !rm_app_is_over(app) && app->is_master_launched;
    }
    REQUIRE(resource_equal(used, queue->used), "RM-13");
    REQUIRE(live == queue->live_count, "RM-13");
    REQUIRE(running == queue->running_count, "RM-13");
    for (int which = 0; which < QUEUE_RANK_COUNT && queue->parent != NULL; which++)
        REQUIRE(queue->nodes[which].is_ranked == (queue->ranks[which].count > 0), "RM-13");
}

static void check_demand(const struct rm *rm)
{
    REQUIRE(rm->dirty_nodes.count == 0 && rm->relaxed_queues.count == 0, "RM-11");
    REQUIRE(!rm->is_all_marked, "RM-11");
    check_queue(rm, rm->queues.root);
    size_t cursor = 0;
    void *value;
    while (map_u64_next(rm->apps, &cursor, NULL, &value)) {
        const struct rm_app *app = value;
        if (!rm_app_is_over(app))
            check_wishes(rm, app);
    }
}

static void check_sums(const struct rm *rm)
{
    struct resource capacity = {0};
    struct resource used = {0};
    size_t allocations = 0;
    for (size_t i = 0; i < rm->node_count; i++) {
        const struct rm_node *node = rm->nodes[i];
        check_node(rm, node);
        allocations += node->allocations.count;
        if (node->state != NODE_ACTIVE)
            continue;
        capacity.memory_bytes += node->capacity.memory_bytes;
        capacity.vcores += node->capacity.vcores;
        used.memory_bytes += node->used.memory_bytes;
        used.vcores += node->used.vcores;
    }
    REQUIRE(resource_equal(capacity, rm->capacity), "RM-6");
    REQUIRE(resource_equal(used, rm->used), "RM-6");
    REQUIRE(allocations == map_count(rm->allocations), "RM-4");
}

void rm_check(const struct rm *rm)
{
    check_sums(rm);
    size_t live = 0;
    size_t cursor = 0;
    void *value;
    while (map_u64_next(rm->apps, &cursor, NULL, &value)) {
        const struct rm_app *app = value;
        check_app(rm, app);
        live += !rm_app_is_over(app);
    }
    REQUIRE(live == rm->live_count, "RM-12");
    REQUIRE(live + rm->finished.count == map_u64_count(rm->apps), "RM-12");
    for (const struct list_node *link = rm->finished.first;
         link != NULL && rm->finished.count > rm->settings.finished_apps_max; link = link->next) {
        const struct rm_app *app = link->object;
        REQUIRE(app->allocations.count > 0, "RM-12");
    }
    if (rm->is_started)
        check_demand(rm);
}
