/*
 * nodes.c - which nodes there are, what they can hold, and whether they still speak.
 * Owns rm.nodes, the places, the sums over nodes and the room index (RM-5 to RM-7, RM-10).
 * What a node brings along when it registers is in registration.c. States: docs/states/rm_node.dot.
 */
#include <string.h>

#include "lib/base/check.h"
#include "lib/base/mem.h"
#include "lib/model/limits.h"
#include "rm/core/state.h"

/* Of a node: 64 TiB; keeps sums of a cluster in 64 bits. */
#define MEMORY_BYTES_MAX ((uint64_t)1 << 46)

static const struct transition_row node_rows[] = {
    {NODE_ACTIVE,   RM_NODE_REGISTER,   NODE_ACTIVE,   NULL},
    {NODE_ACTIVE,   RM_NODE_LOSE,       NODE_LOST,     NULL},
    {NODE_ACTIVE,   RM_NODE_UNREGISTER, NODE_SHUTDOWN, NULL},
    {NODE_LOST,     RM_NODE_REGISTER,   NODE_ACTIVE,   NULL},
    {NODE_SHUTDOWN, RM_NODE_REGISTER,   NODE_ACTIVE,   NULL},
};

#define RM_STATE_NAME(constant, name) name,

static const char *const node_state_names[] = {"ACTIVE", "LOST", "SHUTDOWN"};
_Static_assert(sizeof(node_state_names) / sizeof(node_state_names[0]) == RM_NODE_STATE_COUNT,
               "one name for each rm.NodeState");

static const char *const node_event_names[] = {RM_NODE_EVENT_LIST(RM_STATE_NAME)};

const struct transition_table rm_node_table = {
    .name = "rm_node",
    .rows = node_rows,
    .count = sizeof(node_rows) / sizeof(node_rows[0]),
    .state_names = node_state_names,
    .state_count = RM_NODE_STATE_COUNT,
    .event_names = node_event_names,
    .event_count = RM_NODE_EVENT_COUNT,
};

static void node_apply(struct rm *rm, struct rm_node *node, enum rm_node_event event)
{
    int before = node->state;
    CHECK(transition_apply(&rm_node_table, &node->state, (int)event, node, rm) == OK);
    trace_emit(rm->actions->trace, "node %llu %s->%s", (unsigned long long)node->node_id,
               node_state_names[before], node_state_names[node->state]);
}

struct rm_node *rm_node_find(const struct rm *rm, uint64_t node_id)
{
    return map_u64_get(rm->nodes_by_id, node_id);
}

bool rm_node_has_app(const struct rm_node *node, struct app_id app)
{
    for (const struct list_node *link = node->allocations.first; link != NULL; link = link->next) {
        const struct rm_allocation *allocation = link->object;
        if (app_id_equal(allocation->id.app, app))
            return true;
    }
    return false;
}

/* --- what is held and what is free ----------------------------------------------------------- */
struct resource rm_node_free(const struct rm_node *node)
{
    struct resource room = {0};
    if (node->state != NODE_ACTIVE || node->unusable[0] != '\0' ||
        node->allocations.count >= LIMIT_CONTAINERS_PER_NODE)
        return room;
    if (node->capacity.memory_bytes > node->used.memory_bytes)
        room.memory_bytes = node->capacity.memory_bytes - node->used.memory_bytes;
    if (node->capacity.vcores > node->used.vcores)
        room.vcores = node->capacity.vcores - node->used.vcores;
    return room;
}

struct resource rm_node_room_for(const struct rm_node *node, const struct rm_group *group)
{
    if (node->reserved_for != NULL && node->reserved_for != &group->reserve)
        return (struct resource){0};
    return rm_node_free(node);
}

void rm_node_room_changed(struct rm *rm, const struct rm_node *node)
{
    struct resource room = {0};
    if (node->reserved_for == NULL)
        room = rm_node_free(node);
    rm_room_set(rm->room, node->index, room);
}

void rm_node_hold(struct rm *rm, struct rm_node *node, struct resource resource)
{
    node->used.memory_bytes += resource.memory_bytes;
    node->used.vcores += resource.vcores;
    rm->used.memory_bytes += resource.memory_bytes;
    rm->used.vcores += resource.vcores;
    rm_node_room_changed(rm, node);
}

void rm_node_release(struct rm *rm, struct rm_node *node, struct resource resource)
{
    node->used.memory_bytes -= resource.memory_bytes;
    node->used.vcores -= resource.vcores;
    rm->used.memory_bytes -= resource.memory_bytes;
    rm->used.vcores -= resource.vcores;
    rm_node_room_changed(rm, node);
    rm_scheduler_mark_node(rm, node);
}

/* --- places ---------------------------------------------------------------------------------- */
static struct rm_place *place_of(struct rm *rm, struct map *places, struct slice name)
{
    struct rm_place *place = map_get(places, name);
    if (place == NULL) {
        place = MEM_NEW(struct rm_place);
        (void)map_put(places, name, place);
    }
    if (place->nodes.count == 0)
        rm->places_version++;
    return place;
}

static void place_leave(struct rm *rm, struct rm_place *place, struct list_node *link)
{
    list_remove(link);
    if (place->nodes.count == 0)
        rm->places_version++;
}

/* The node's capacity joins the cluster, and it the places it stands in. */
static void node_join(struct rm *rm, struct rm_node *node)
{
    rm->capacity.memory_bytes += node->capacity.memory_bytes;
    rm->capacity.vcores += node->capacity.vcores;
    node->host = place_of(rm, rm->hosts, node->endpoint.host);
    node->rack = place_of(rm, rm->racks, node->endpoint.rack);
    list_append(&node->host->nodes, &node->host_link, node);
    list_append(&node->rack->nodes, &node->rack_link, node);
    rm_node_room_changed(rm, node);
    rm_scheduler_mark_node(rm, node);
    rm_scheduler_mark_all(rm); /* limits and waits depend on what the cluster has */
}

/* The opposite; what it holds stays counted in `used` until each container has ended. */
static void node_leave(struct rm *rm, struct rm_node *node)
{
    rm->capacity.memory_bytes -= node->capacity.memory_bytes;
    rm->capacity.vcores -= node->capacity.vcores;
    if (node->reserved_for != NULL)
        rm_reserve_clear(rm, node->reserved_for);
    place_leave(rm, node->host, &node->host_link);
    place_leave(rm, node->rack, &node->rack_link);
    rm_node_room_changed(rm, node);
    rm_scheduler_mark_all(rm);
}

/* --- coming and going ------------------------------------------------------------------------ */
static void end_hold(struct rm *rm, struct rm_node *node, enum status status, const char *why)
{
    if (node->hold == NULL)
        return;
    actions_fail(rm->actions, node->hold->call, status, "%s", why);
    rm_hold_close(rm, node->hold);
    node->hold = NULL;
    node->taken = NULL;
    node->taken_count = 0;
}

static void node_gone(struct rm *rm, struct rm_node *node, enum rm_node_event event)
{
    node_apply(rm, node, event);
    node_leave(rm, node);
    rm_timer_clear(rm, &node->timer);
    end_hold(rm, node, ERR_STALE, "the node was given up; register again");
    size_t cursor = 0;
    void *value;
    while (map_u64_next(rm->apps, &cursor, NULL, &value)) {
        struct rm_app *app = value;
        if (!rm_app_is_over(app) && map_u64_get(app->nodes, node->node_id) != NULL)
            rm_answer_add_lost_node(rm, app, node->node_id);
    }
    const char *why = event == RM_NODE_LOSE ? "the node was lost" : "the node was shut down";
    while (node->allocations.first != NULL) {
        struct rm_allocation *allocation = node->allocations.first->object;
        /* A master's launch may have been heard before it was acknowledged. */
        if (allocation->state != RM_ALLOCATION_GRANTED || allocation->is_master)
            rm_node_add_gone(node, allocation->id);
        rm_allocation_end(rm, allocation, RM_EXIT_ABORTED, slice_from_string(why));
    }
    node->ceiling = node->capacity;
}

static void node_silent(struct rm *rm, void *owner)
{
    struct rm_node *node = owner;
    if (rm->now_ms < rm->lenient_until_ms)
        rm_timer_set(rm, &node->timer, rm->lenient_until_ms);
    else
        node_gone(rm, node, RM_NODE_LOSE);
}

static void node_heard(struct rm *rm, struct rm_node *node)
{
    node->heard_ms = rm->now_ms;
    rm_timer_set(rm, &node->timer, rm->now_ms + rm->settings.node_lost_ms);
}

static struct rm_node *node_new(struct rm *rm, uint64_t node_id)
{
    struct rm_node *node = MEM_NEW(struct rm_node);
    node->node_id = node_id;
    node->index = rm->node_count;
    node->state = NODE_LOST; /* until its first registration is through */
    node->arena = arena_open(0);
    node->taken_arena = arena_open(0);
    rm_timer_open(&node->timer, node_silent, node);
    rm->nodes =
        mem_reserve(rm->nodes, rm->node_count, &rm->node_capacity, sizeof(struct rm_node *));
    rm->nodes[rm->node_count++] = node;
    (void)map_u64_put(rm->nodes_by_id, node_id, node);
    return node;
}

void rm_node_close(struct rm *rm, struct rm_node *node)
{
    rm_hold_close(rm, node->hold);
    rm_timer_clear(rm, &node->timer);
    arena_close(node->arena);
    arena_close(node->taken_arena);
    mem_free(node->commands);
    mem_free(node->gone);
    mem_free(node);
}

/* What it runs goes on; it is only not chosen for more until it says that it is well again. */
static void node_set_unusable(struct rm *rm, struct rm_node *node, struct slice why)
{
    bool was_unusable = node->unusable[0] != '\0';
    size_t length = why.length < sizeof(node->unusable) ? why.length : sizeof(node->unusable) - 1;
    if (length > 0)
        memcpy(node->unusable, why.data, length);
    node->unusable[length] = '\0';
    if (was_unusable == (length > 0))
        return;
    trace_emit(rm->actions->trace, "node %llu %s", (unsigned long long)node->node_id,
               length > 0 ? "unusable" : "usable");
    if (length > 0 && node->reserved_for != NULL)
        rm_reserve_clear(rm, node->reserved_for); /* who waits for it may wait for another */
    rm_node_room_changed(rm, node);
    rm_scheduler_mark_node(rm, node);
}

/* --- the calls of NodeTracker ---------------------------------------------------------------- */
static bool admit_daemon(struct rm *rm, const struct event *event)
{
    if (slice_equal_string(event->user, RM_DAEMON_USER))
        return true;
    actions_fail(rm->actions, event->call, ERR_DENIED, "only node managers may call this");
    return false;
}

/* NULL when the call has been failed: another session, or a node that is not ACTIVE. */
static struct rm_node *admit_node(struct rm *rm,
                                  const struct event *event,
                                  uint64_t node_id,
                                  uint64_t session)
{
    if (!admit_daemon(rm, event))
        return NULL;
    struct rm_node *node = rm_node_find(rm, node_id);
    if (node != NULL && node->state == NODE_ACTIVE && node->session == session)
        return node;
    actions_fail(rm->actions, event->call, ERR_STALE, "no such session; register again");
    return NULL;
}

static const char *registration_fault(const struct rm *rm,
                                      const struct rm_register_node_request *request,
                                      enum status *ret_status)
{
    const struct endpoint *endpoint = &request->node;
    *ret_status = ERR_INVALID;
    if (endpoint->node_id == 0 || endpoint->host.length == 0)
        return "the node has no id or host";
    if (endpoint->rack.length == 0 || endpoint->rack.data[0] != '/')
        return "the node's rack does not begin with a slash";
    if (request->capacity.memory_bytes == 0 || request->capacity.vcores == 0)
        return "the node has no memory or vcores";
    *ret_status = ERR_LIMIT;
    if (request->capacity.vcores > LIMIT_VCORES ||
        request->capacity.memory_bytes > MEMORY_BYTES_MAX)
        return "the node's capacity is beyond belief";
    if (rm_node_find(rm, endpoint->node_id) == NULL && rm->node_count >= LIMIT_NODES)
        return "the cluster has too many nodes";
    return NULL;
}

void rm_node_register(struct rm *rm, const struct event *event)
{
    const struct rm_register_node_request *request = event->message;
    if (!admit_daemon(rm, event))
        return;
    enum status status;
    const char *fault = registration_fault(rm, request, &status);
    if (fault != NULL) {
        actions_fail(rm->actions, event->call, status, "%s", fault);
        return;
    }
    struct rm_node *node = rm_node_find(rm, request->node.node_id);
    bool is_first = node == NULL;
    if (is_first)
        node = node_new(rm, request->node.node_id);
    if (request->incarnation < node->incarnation) {
        actions_fail(rm->actions, event->call, ERR_STALE, "a later incarnation has registered");
        return;
    }
    end_hold(rm, node, ERR_CANCELLED, "the node registered again");
    if (node->state == NODE_ACTIVE)
        node_leave(rm, node);
    arena_reset(node->arena);
    message_copy_into(&endpoint_type, &request->node, &node->endpoint, node->arena);
    node->capacity = request->capacity;
    node->incarnation = request->incarnation;
    node->session = ((uint64_t)rm->epoch << 32) | ++rm->session_counter;
    node_apply(rm, node, RM_NODE_REGISTER);
    node_join(rm, node);
    node_set_unusable(rm, node, request->unusable);
    node_heard(rm, node);
    rm_command_restart(rm, node);
    rm_node_reconcile(rm, node, request, is_first);
    node->ceiling = node->capacity;
    if (node->used.memory_bytes > node->ceiling.memory_bytes)
        node->ceiling.memory_bytes = node->used.memory_bytes;
    if (node->used.vcores > node->ceiling.vcores)
        node->ceiling.vcores = node->used.vcores;
    struct rm_register_node_response response = {
        .session = node->session,
        .heartbeat_interval_ms = (uint64_t)rm->settings.node_heartbeat_interval_ms,
        .epoch = rm->epoch,
        .cluster_timestamp = rm->cluster_timestamp,
        .kill = node->gone,
        .kill_count = node->gone_count};
    actions_reply(rm->actions, event->call, &rm_register_node_response_type, &response);
}

static void heartbeat_due(struct rm *rm, void *owner)
{
    struct rm_hold *hold = owner;
    rm_command_send(rm, hold->owner);
}

void rm_node_heartbeat(struct rm *rm, const struct event *event)
{
    const struct rm_node_heartbeat_request *request = event->message;
    struct rm_node *node = admit_node(rm, event, request->node_id, request->session);
    if (node == NULL)
        return;
    node_heard(rm, node);
    node_set_unusable(rm, node, request->unusable);
    node->gone_count = 0; /* it has the registration's answer */
    end_hold(rm, node, ERR_CANCELLED, "a newer heartbeat came");
    rm_command_acknowledge(rm, node, request->acknowledged);
    for (size_t i = 0; i < request->started_count; i++) {
        struct rm_allocation *allocation = rm_allocation_find(rm, request->started[i]);
        if (allocation == NULL)
            rm_command_kill(rm, node, request->started[i]); /* nobody counts it */
        else if (allocation->node == node)
            rm_allocation_start(rm, allocation);
    }
    arena_reset(node->taken_arena);
    struct container_id *taken =
        ARENA_ARRAY(node->taken_arena, struct container_id, request->completed_count);
    for (size_t i = 0; i < request->completed_count; i++) {
        rm_node_take_completed(rm, node, &request->completed[i]);
        taken[i] = request->completed[i].container;
    }
    node->taken = taken;
    node->taken_count = request->completed_count;
    node->hold = rm_hold_open(rm, RM_HOLD_NODE, node, event->call,
                              rm->now_ms + rm->settings.node_heartbeat_interval_ms, heartbeat_due);
    if (!list_node_is_listed(&node->news_link))
        list_append(&rm->news_nodes, &node->news_link, node);
}

void rm_node_completed(struct rm *rm, const struct event *event)
{
    const struct rm_containers_completed_request *request = event->message;
    struct rm_node *node = admit_node(rm, event, request->node_id, request->session);
    if (node == NULL)
        return;
    for (size_t i = 0; i < request->completed_count; i++)
        rm_node_take_completed(rm, node, &request->completed[i]);
    struct rm_containers_completed_response response = {0};
    actions_reply(rm->actions, event->call, &rm_containers_completed_response_type, &response);
}

void rm_node_unregister(struct rm *rm, const struct event *event)
{
    const struct rm_unregister_node_request *request = event->message;
    struct rm_node *node = admit_node(rm, event, request->node_id, request->session);
    if (node == NULL)
        return;
    node_gone(rm, node, RM_NODE_UNREGISTER);
    struct rm_unregister_node_response response = {0};
    actions_reply(rm->actions, event->call, &rm_unregister_node_response_type, &response);
}

void rm_node_list(struct rm *rm, const struct event *event)
{
    struct rm_node_report *reports =
        ARENA_ARRAY(rm->actions->arena, struct rm_node_report, rm->node_count);
    for (size_t i = 0; i < rm->node_count; i++) {
        const struct rm_node *node = rm->nodes[i];
        reports[i] = (struct rm_node_report){.node = node->endpoint,
                                             .state = (enum rm_node_state)node->state,
                                             .capacity = node->capacity,
                                             .used = node->used,
                                             .containers = (uint32_t)node->allocations.count,
                                             .silent_ms = (uint64_t)(rm->now_ms - node->heard_ms),
                                             .unusable = slice_from_string(node->unusable)};
    }
    struct rm_list_nodes_response response = {.nodes = reports,
                                              .nodes_count = rm->node_count,
                                              .cluster_timestamp = rm->cluster_timestamp,
                                              .epoch = rm->epoch};
    actions_reply(rm->actions, event->call, &rm_list_nodes_response_type, &response);
}
