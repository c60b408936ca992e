/*
 * scheduler.c - who gets room: applications in queue order, their groups by priority, nodes by
 * locality. Owns rm.demand, rm.cursor and the waiting of groups (RM-11).
 *
 * Room and asks meet in two ways: a node whose room has grown is offered to all applications in
 * order (offer_node); an application whose asks have changed looks for room (serve_app). Between
 * steps no application could take room that exists, so nothing else ever needs to be looked at.
 */
#include <string.h>

#include "lib/base/check.h"
#include "lib/base/mem.h"
#include "rm/core/state.h"

/* --- who wants something --------------------------------------------------------------------- */
bool rm_app_has_demand(const struct rm_app *app)
{
    if (rm_app_is_over(app))
        return false;
    if (app->attempt.state == RM_ATTEMPT_WAITING)
        return true;
    for (const struct list_node *link = app->groups.first; link != NULL; link = link->next) {
        const struct rm_group *group = link->object;
        if (group->any > 0)
            return true;
    }
    return false;
}

/* Queue order: higher priority first, then the one submitted earlier. */
static bool app_is_before(const struct rm_app *left, const struct rm_app *right)
{
    if (left->submission.priority != right->submission.priority)
        return left->submission.priority > right->submission.priority;
    return left->report.app.sequence < right->report.app.sequence;
}

/* Where app stands in rm.demand, or would. */
static size_t demand_position(const struct rm *rm, const struct rm_app *app)
{
    size_t low = 0;
    size_t high = rm->demand_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (app_is_before(rm->demand[middle], app))
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static void demand_remove(struct rm *rm, size_t position)
{
    list_remove(&rm->demand[position]->dirty_link);
    rm->demand[position]->has_demand = false;
    rm->demand_count--;
    memmove(&rm->demand[position], &rm->demand[position + 1],
            (rm->demand_count - position) * sizeof(struct rm_app *));
}

void rm_scheduler_mark_app(struct rm *rm, struct rm_app *app)
{
    if (!app->has_demand && rm_app_has_demand(app)) {
        struct rm_app **demand = mem_reserve(rm->demand, rm->demand_count, &rm->demand_capacity,
                                             sizeof(struct rm_app *));
        rm->demand = demand;
        size_t position = demand_position(rm, app);
        memmove(&demand[position + 1], &demand[position],
                (rm->demand_count - position) * sizeof(struct rm_app *));
        demand[position] = app;
        rm->demand_count++;
        app->has_demand = true;
    }
    if (app->has_demand && !list_node_is_listed(&app->dirty_link))
        list_append(&rm->dirty_apps, &app->dirty_link, app);
}

void rm_scheduler_mark_all(struct rm *rm)
{
    for (size_t i = 0; i < rm->demand_count; i++)
        rm_scheduler_mark_app(rm, rm->demand[i]);
}

void rm_scheduler_mark_node(struct rm *rm, struct rm_node *node)
{
    if (!list_node_is_listed(&node->dirty_link))
        list_append(&rm->dirty_nodes, &node->dirty_link, node);
}

void rm_scheduler_forget_app(struct rm *rm, struct rm_app *app)
{
    list_remove(&app->dirty_link);
    if (!app->has_demand)
        return;
    size_t position = demand_position(rm, app);
    CHECK(rm->demand[position] == app);
    demand_remove(rm, position);
}

void rm_scheduler_group_due(struct rm *rm, void *owner)
{
    struct rm_group *group = owner;
    rm_scheduler_mark_app(rm, group->app);
}

/* --- locality -------------------------------------------------------------------------------- */
static int64_t waited_ms(const struct rm *rm, const struct rm_group *group)
{
    return group->skipped_ms < 0 ? 0 : rm->now_ms - group->skipped_ms;
}

bool rm_group_may_take(const struct rm *rm,
                       const struct rm_group *group,
                       const struct rm_node *node,
                       bool *ret_waits)
{
    *ret_waits = false;
    const struct rm_want *host = map_get(group->hosts, node->endpoint.host);
    if (host != NULL && host->count > 0)
        return true;
    int64_t wait_ms = rm_group_host_wait_ms(rm, group);
    const struct rm_want *rack = map_get(group->racks, node->endpoint.rack);
    if (rack != NULL && rack->count > 0) {
        if (!rack->relax_locality)
            return false;
    } else {
        if (!group->relax_any)
            return false;
        wait_ms += rm_group_rack_wait_ms(rm, group);
    }
    *ret_waits = waited_ms(rm, group) < wait_ms;
    return !*ret_waits;
}

/* The timer comes when the next wider level opens. */
static void set_level_timer(struct rm *rm, struct rm_group *group)
{
    int64_t host_wait_ms = rm_group_host_wait_ms(rm, group);
    int64_t all_wait_ms = host_wait_ms + rm_group_rack_wait_ms(rm, group);
    int64_t waited = waited_ms(rm, group);
    if (waited < host_wait_ms)
        rm_timer_set(rm, &group->timer, group->skipped_ms + host_wait_ms);
    else if (waited < all_wait_ms)
        rm_timer_set(rm, &group->timer, group->skipped_ms + all_wait_ms);
    else
        rm_timer_clear(rm, &group->timer);
}

/* Room was there and refused for the sake of locality. */
static void note_refusal(struct rm *rm, struct rm_group *group)
{
    if (group->skipped_ms < 0)
        group->skipped_ms = rm->now_ms;
    set_level_timer(rm, group);
}

/* A grant on a wanted host starts the wait anew, one on a wanted rack the wait for racks. */
static void note_grant(struct rm *rm,
                       struct rm_group *group,
                       const struct rm_allocation *allocation)
{
    if (group->any == 0) {
        group->skipped_ms = -1;
        rm_timer_clear(rm, &group->timer);
        return;
    }
    if (group->skipped_ms < 0 || (!allocation->took_host && !allocation->took_rack))
        return;
    group->skipped_ms = rm->now_ms;
    if (!allocation->took_host)
        group->skipped_ms -= rm_group_host_wait_ms(rm, group);
    set_level_timer(rm, group);
    /* With its last wanted host or rack the reason to wait goes, too: what was refused counts. */
    rm_scheduler_mark_app(rm, group->app);
}

/* --- granting -------------------------------------------------------------------------------- */
static void grant(struct rm *rm, struct rm_group *group, struct rm_node *node)
{
    struct rm_app *app = group->app;
    struct container_id id = {.app = app->report.app,
                              .app_attempt = app->report.app_attempt,
                              .epoch = rm->epoch,
                              .sequence = ++app->attempt.container_sequence};
    struct rm_allocation *allocation =
        rm_allocation_new(rm, id, app, node, group->resource, group->priority);
    list_append(&app->attempt.granted, &allocation->granted_link, allocation);
    rm_asks_take(rm, allocation);
    CHECK(allocation->took_any);
    trace_emit(rm->actions->trace, "grant %s %s", container_id_text(id).text,
               allocation->took_host   ? "node-local"
               : allocation->took_rack ? "rack-local"
                                       : "off-switch");
    note_grant(rm, group, allocation);
    rm_answer_mark(rm, app);
}

bool rm_scheduler_may_place_master(const struct rm *rm, struct resource resource)
{
    if (rm->masters_count == 0)
        return true;
    uint64_t percent = rm->settings.masters_percent_max;
    uint64_t memory = rm->masters_used.memory_bytes + resource.memory_bytes;
    uint64_t vcores = (uint64_t)rm->masters_used.vcores + resource.vcores;
    uint64_t whole = rm->capacity.memory_bytes;
    return memory <= whole / 100 * percent + whole % 100 * percent / 100 &&
           vcores * 100 <= rm->capacity.vcores * percent;
}

static void serve_master(struct rm *rm, struct rm_app *app)
{
    struct resource wanted = app->submission.master_resource;
    size_t index;
    if (!rm_scheduler_may_place_master(rm, wanted) ||
        !rm_room_find(rm->room, wanted, rm->cursor, &index))
        return;
    /* Another node than the one on which the last attempt ended, if there is one. */
    if (rm->nodes[index]->node_id == app->attempt.avoid_node_id)
        CHECK(rm_room_find(rm->room, wanted, index + 1, &index));
    rm->cursor = index + 1;
    rm_attempt_place(rm, app, rm->nodes[index]);
}

static bool node_fits(const struct rm_node *node, struct resource wanted)
{
    return resource_fits(wanted, rm_node_free(node));
}

static void serve_hosts(struct rm *rm, struct rm_group *group)
{
    size_t cursor = 0;
    struct slice name;
    void *value;
    while (group->any > 0 && map_next(group->hosts, &cursor, &name, &value)) {
        const struct rm_want *row = value;
        const struct rm_place *place = map_get(rm->hosts, name);
        if (row->count == 0 || place == NULL)
            continue;
        for (struct list_node *link = place->nodes.first; link != NULL; link = link->next) {
            while (group->any > 0 && row->count > 0 && node_fits(link->object, group->resource))
                grant(rm, group, link->object);
        }
    }
}

/* One container on each of the place's nodes in turn, to spread them. True when one was granted. */
static bool serve_rack_round(struct rm *rm,
                             struct rm_group *group,
                             struct rm_place *place,
                             struct rm_want *row)
{
    bool has_granted = false;
    for (struct list_node *link = place->nodes.first; link != NULL; link = link->next) {
        if (group->any == 0 || row->count == 0)
            break;
        if (!node_fits(link->object, group->resource))
            continue;
        grant(rm, group, link->object);
        has_granted = true;
    }
    return has_granted;
}

/* Grants on wanted racks if it is time; else returns true when a rack's room had to be refused. */
static bool serve_racks(struct rm *rm, struct rm_group *group)
{
    bool is_time = waited_ms(rm, group) >= rm_group_host_wait_ms(rm, group);
    size_t cursor = 0;
    struct slice name;
    void *value;
    while (group->any > 0 && map_next(group->racks, &cursor, &name, &value)) {
        struct rm_want *row = value;
        struct rm_place *place = map_get(rm->racks, name);
        if (row->count == 0 || !row->relax_locality || place == NULL)
            continue;
        if (is_time) {
            while (serve_rack_round(rm, group, place, row)) {
                /* A grant there restarts the racks' wait, not the hosts': still time. */
            }
            continue;
        }
        for (struct list_node *link = place->nodes.first; link != NULL; link = link->next) {
            if (node_fits(link->object, group->resource))
                return true;
        }
    }
    return false;
}

/* Grants anywhere if it is time; else returns true when room had to be refused. */
static bool serve_anywhere(struct rm *rm, struct rm_group *group)
{
    size_t index;
    size_t passed_over = 0; /* nodes on racks from which the group does not relax */
    size_t from = rm->cursor;
    while (group->any > 0 && group->relax_any && passed_over < rm->node_count &&
           rm_room_find(rm->room, group->resource, from, &index)) {
        bool waits;
        from = index + 1;
        if (rm_group_may_take(rm, group, rm->nodes[index], &waits)) {
            rm->cursor = from;
            grant(rm, group, rm->nodes[index]);
        } else if (waits) {
            return true;
        } else {
            passed_over++;
        }
    }
    return false;
}

/* The group looks for room everywhere. */
static void serve_group(struct rm *rm, struct rm_group *group)
{
    size_t index;
    if (group->any == 0 || !rm_room_find(rm->room, group->resource, rm->cursor, &index))
        return;
    rm_group_refresh(rm, group);
    serve_hosts(rm, group);
    bool has_refused = serve_racks(rm, group) || serve_anywhere(rm, group);
    if (group->any > 0 && has_refused)
        note_refusal(rm, group);
}

static void serve_app(struct rm *rm, struct rm_app *app)
{
    if (app->attempt.state == RM_ATTEMPT_WAITING) {
        serve_master(rm, app);
        return;
    }
    for (struct list_node *link = app->groups.first; link != NULL; link = link->next)
        serve_group(rm, link->object);
}

static void offer_node_to_group(struct rm *rm, struct rm_node *node, struct rm_group *group)
{
    rm_group_refresh(rm, group);
    while (group->any > 0 && node_fits(node, group->resource)) {
        bool waits;
        if (rm_group_may_take(rm, group, node, &waits)) {
            grant(rm, group, node);
            continue;
        }
        if (waits)
            note_refusal(rm, group);
        return;
    }
}

static void offer_node(struct rm *rm, struct rm_node *node)
{
    size_t position = 0;
    while (position < rm->demand_count) {
        struct resource room = rm_node_free(node);
        if (room.memory_bytes == 0 || room.vcores == 0)
            return;
        struct rm_app *app = rm->demand[position];
        if (app->attempt.state == RM_ATTEMPT_WAITING)
            serve_master(rm, app);
        for (struct list_node *link = app->groups.first; link != NULL; link = link->next)
            offer_node_to_group(rm, node, link->object);
        if (rm_app_has_demand(app))
            position++;
        else
            demand_remove(rm, position);
    }
}

static void serve_dirty_apps(struct rm *rm)
{
    /* Several are served in queue order, not in the order in which they were marked. */
    size_t position = 0;
    while (rm->dirty_apps.count > 0) {
        struct rm_app *app = rm->dirty_apps.first->object;
        if (rm->dirty_apps.count > 1) {
            while (!list_node_is_listed(&rm->demand[position]->dirty_link))
                position++;
            app = rm->demand[position];
        }
        list_remove(&app->dirty_link);
        serve_app(rm, app);
        if (!rm_app_has_demand(app))
            rm_scheduler_forget_app(rm, app);
    }
}

void rm_scheduler_run(struct rm *rm)
{
    while (rm->dirty_nodes.count > 0) {
        struct rm_node *node = list_pop(&rm->dirty_nodes);
        if (node->state == NODE_ACTIVE)
            offer_node(rm, node);
    }
    serve_dirty_apps(rm);
}
