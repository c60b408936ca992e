/*
 * scheduler.c - who gets room: the queue furthest below its share, in it the application that holds
 * least, its groups by priority, nodes by locality; one container at a time (docs/scheduler.md).
 * Owns rm.cursor, rm.pass, rm.relaxed_queues, rm.waiting_apps and the waiting of groups (RM-11).
 *
 * Room and asks meet in three ways: a node whose room has grown is offered to all that have demand
 * (offer_node); applications whose asks have changed look for room (serve_ready); where a limit has
 * given way, those below it do (serve_relaxed). Between steps nobody could take room that exists,
 * so nothing else ever needs to be looked at.
 */
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

static void add_wish(struct rm_app *app, struct resource wish, bool *has_wish)
{
    if (!*has_wish) {
        app->head_wish = wish;
        app->least_wish = wish;
    }
    app->least_wish = resource_smaller(app->least_wish, wish);
    *has_wish = true;
}

bool rm_app_sum_wishes(struct rm *rm, struct rm_app *app)
{
    bool has_wish = false;
    bool is_waiting = !rm_app_is_over(app) && app->attempt.state == RM_ATTEMPT_WAITING;
    if (is_waiting)
        add_wish(app, app->submission.master_resource, &has_wish);
    if (is_waiting && !list_node_is_listed(&app->waiting_link))
        list_append(&rm->waiting_apps, &app->waiting_link, app);
    if (!is_waiting) {
        list_remove(&app->waiting_link);
        app->is_parked = false;
    }
    for (const struct list_node *link = app->groups.first; link != NULL; link = link->next) {
        const struct rm_group *group = link->object;
        if (group->any > 0)
            add_wish(app, group->resource, &has_wish);
    }
    return has_wish;
}

void rm_scheduler_mark_app(struct rm *rm, struct rm_app *app)
{
    if (app->queue == NULL)
        return;
    rm_reserve_review(rm, app);
    rm_queue_rank_app(rm, app);
    if (app->rank_nodes[QUEUE_RANK_DEMAND].is_ranked)
        rm_queue_set_ready(rm, app, true);
}

void rm_scheduler_mark_all(struct rm *rm)
{
    rm->is_all_marked = true;
}

void rm_scheduler_mark_masters(struct rm *rm)
{
    rm->are_masters_changed = true;
}

void rm_scheduler_mark_node(struct rm *rm, struct rm_node *node)
{
    if (!list_node_is_listed(&node->dirty_link))
        list_append(&rm->dirty_nodes, &node->dirty_link, node);
}

void rm_scheduler_forget_app(struct rm *rm, struct rm_app *app)
{
    list_remove(&app->waiting_link);
    if (app->queue != NULL)
        rm_queue_rank_app(rm, app);
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
    rm_reserve_clear(rm, &group->reserve);
    list_append(&app->attempt.granted, &allocation->granted_link, allocation);
    rm_asks_take(rm, allocation);
    CHECK(allocation->took_any);
    trace_emit(rm->actions->trace, "grant %s %s", container_id_text(id).text,
               allocation->took_host   ? "node-local"
               : allocation->took_rack ? "rack-local"
                                       : "off-switch");
    if (group->any == 0)
        rm_queue_rank_app(rm, app);
    note_grant(rm, group, allocation);
    rm_answer_mark(rm, app);
}

struct resource rm_app_allowance(const struct rm *rm, const struct rm_app *app)
{
    struct resource allowance = rm_user_headroom(rm, app);
    for (const struct rm_queue *queue = app->queue; queue != NULL; queue = queue->parent)
        allowance = resource_smaller(allowance, rm_queue_headroom(queue));
    return allowance;
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

static bool masters_allow(const struct rm *rm, const struct rm_app *app)
{
    struct resource wanted = app->submission.master_resource;
    return rm_scheduler_may_place_master(rm, wanted) &&
           rm_queue_may_place_master(app->queue, wanted) &&
           rm_queue_full_of_running(app->queue) == NULL;
}

bool rm_app_may_place_master(const struct rm *rm, const struct rm_app *app)
{
    return resource_fits(app->submission.master_resource, rm_app_allowance(rm, app)) &&
           masters_allow(rm, app);
}

/*
 * A master beyond a limit of masters stands in no rank until such a limit gives way: it holds
 * nothing, so it would stand before everybody who does.
 */
static void settle_masters(struct rm *rm)
{
    if (!rm->are_masters_changed)
        return;
    rm->are_masters_changed = false;
    for (struct list_node *link = rm->waiting_apps.first; link != NULL; link = link->next) {
        struct rm_app *app = link->object;
        bool is_allowed = masters_allow(rm, app);
        if (is_allowed != app->is_parked)
            continue;
        app->is_parked = !is_allowed;
        rm_queue_rank_app(rm, app);
        if (is_allowed)
            rm_queue_set_ready(rm, app, true);
    }
}

/* On node, when that is given and fits. */
static bool serve_master(struct rm *rm, struct rm_app *app, const struct rm_node *node)
{
    struct resource wanted = app->submission.master_resource;
    size_t index;
    if (!rm_app_may_place_master(rm, app))
        return false;
    struct rm_node *reserved = app->attempt.reserve.node;
    if (reserved != NULL && resource_fits(wanted, rm_node_free(reserved)))
        index = reserved->index;
    else if (node != NULL && node->node_id != app->attempt.avoid_node_id &&
             resource_fits(wanted, rm_room_get(rm->room, node->index)))
        index = node->index;
    else if (!rm_room_find(rm->room, wanted, rm->cursor, &index))
        return false;
    /* Another node than the one on which the last attempt ended, if there is one. */
    else if (rm->nodes[index]->node_id == app->attempt.avoid_node_id)
        CHECK(rm_room_find(rm->room, wanted, index + 1, &index));
    rm->cursor = index + 1;
    rm_attempt_place(rm, app, rm->nodes[index]);
    rm_reserve_clear(rm, &app->attempt.reserve);
    return true;
}

static bool node_fits(const struct rm_group *group, const struct rm_node *node)
{
    return resource_fits(group->resource, rm_node_room_for(node, group));
}

static struct rm_node *place_find(const struct rm_group *group, const struct rm_place *place)
{
    for (struct list_node *link = place->nodes.first; link != NULL; link = link->next) {
        if (node_fits(group, link->object))
            return link->object;
    }
    return NULL;
}

/* In one pass room only shrinks: rows found without it are not looked at again. */
static void begin_pass(struct rm *rm, struct rm_group *group)
{
    if (group->pass == rm->pass)
        return;
    group->pass = rm->pass;
    group->host_cursor = 0;
    group->rack_cursor = 0;
}

static bool serve_hosts(struct rm *rm, struct rm_group *group)
{
    size_t next = group->host_cursor;
    struct slice name;
    void *value;
    while (map_next(group->hosts, &next, &name, &value)) {
        const struct rm_want *row = value;
        const struct rm_place *place = map_get(rm->hosts, name);
        struct rm_node *node = row->count == 0 || place == NULL ? NULL : place_find(group, place);
        if (node != NULL) {
            grant(rm, group, node);
            return true;
        }
        group->host_cursor = next;
    }
    return false;
}

/* Grants on a wanted rack if it is time; else says whether a rack's room had to be refused. */
static bool serve_racks(struct rm *rm, struct rm_group *group, bool *ret_has_refused)
{
    bool is_time = waited_ms(rm, group) >= rm_group_host_wait_ms(rm, group);
    size_t next = group->rack_cursor;
    struct slice name;
    void *value;
    while (map_next(group->racks, &next, &name, &value)) {
        struct rm_want *row = value;
        struct rm_place *place = map_get(rm->racks, name);
        struct rm_node *node = row->count == 0 || !row->relax_locality || place == NULL
                                   ? NULL
                                   : place_find(group, place);
        if (node != NULL && !is_time) {
            *ret_has_refused = true;
            return false;
        }
        if (node != NULL) {
            /* The next one goes elsewhere, to spread them. */
            list_remove(&node->rack_link);
            list_append(&place->nodes, &node->rack_link, node);
            grant(rm, group, node);
            return true;
        }
        group->rack_cursor = next;
    }
    return false;
}

/* Grants anywhere if it is time; else says whether room had to be refused. */
static bool serve_anywhere(struct rm *rm, struct rm_group *group, bool *ret_has_refused)
{
    size_t index;
    size_t passed_over = 0; /* nodes on racks from which the group does not relax */
    size_t from = rm->cursor;
    while (group->relax_any && passed_over < rm->node_count &&
           rm_room_find(rm->room, group->resource, from, &index)) {
        bool waits;
        from = index + 1;
        if (rm_group_may_take(rm, group, rm->nodes[index], &waits)) {
            rm->cursor = from;
            grant(rm, group, rm->nodes[index]);
            return true;
        }
        if (waits) {
            *ret_has_refused = true;
            return false;
        }
        passed_over++;
    }
    return false;
}

static bool offer_to_group(struct rm *rm, struct rm_node *node, struct rm_group *group)
{
    if (group->any == 0 || !node_fits(group, node))
        return false;
    rm_group_refresh(rm, group);
    bool waits;
    if (rm_group_may_take(rm, group, node, &waits)) {
        grant(rm, group, node);
        return true;
    }
    if (waits)
        note_refusal(rm, group);
    return false;
}

/* The group looks for room everywhere, for one container. */
static bool serve_group(struct rm *rm, struct rm_group *group)
{
    size_t index;
    if (group->reserve.node != NULL && offer_to_group(rm, group->reserve.node, group))
        return true;
    if (!rm_room_find(rm->room, group->resource, rm->cursor, &index))
        return false;
    rm_group_refresh(rm, group);
    begin_pass(rm, group);
    bool has_refused = false;
    if (serve_hosts(rm, group) || serve_racks(rm, group, &has_refused))
        return true;
    if (!has_refused && serve_anywhere(rm, group, &has_refused))
        return true;
    if (has_refused)
        note_refusal(rm, group);
    return false;
}

static void note_overtaken(struct rm *rm, struct rm_reserve *reserve, struct resource wish)
{
    size_t index;
    if (reserve->since_ms < 0 && !rm_room_find(rm->room, wish, 0, &index))
        rm_reserve_note(rm, reserve);
}

/* One container for the application, on node or (NULL) wherever there is room. */
static bool serve_app(struct rm *rm, struct rm_app *app, struct rm_node *node)
{
    if (app->attempt.state == RM_ATTEMPT_WAITING)
        return serve_master(rm, app, node);
    struct resource allowance = rm_app_allowance(rm, app);
    struct rm_group *passed_over = NULL;
    for (struct list_node *link = app->groups.first; link != NULL; link = link->next) {
        struct rm_group *group = link->object;
        if (group->any == 0 || !resource_fits(group->resource, allowance))
            continue;
        if (node == NULL ? serve_group(rm, group) : offer_to_group(rm, node, group)) {
            if (passed_over != NULL)
                note_overtaken(rm, &passed_over->reserve, passed_over->resource);
            return true;
        }
        if (passed_over == NULL)
            passed_over = group;
    }
    return false;
}

/* --- whose turn it is ------------------------------------------------------------------------ */
/*
 * The application in or below queue that is to be served first, of those whose smallest wish fits
 * into room and every limit and that were not passed over in this pass. NULL: nobody.
 */
static struct rm_app *pick(struct rm *rm,
                           const struct rm_queue *queue,
                           enum rm_queue_rank which,
                           struct resource room)
{
    room = resource_smaller(room, rm_queue_headroom(queue));
    struct rm_rank_node *node = NULL;
    while ((node = rm_rank_next(&queue->ranks[which], node, room)) != NULL) {
        struct rm_app *app = node->object;
        if (!rm_queue_is_leaf(queue)) {
            app = pick(rm, node->object, which, room);
            if (app != NULL)
                return app;
        } else if (app->passed != rm->pass &&
                   resource_fits(app->least_wish, rm_user_headroom(rm, app))) {
            return app;
        }
    }
    return NULL;
}

static const struct resource boundless = {.memory_bytes = UINT64_MAX, .vcores = UINT32_MAX};

/* Of all that some node could hold: who is first, whether there is room now or not. */
static struct rm_app *first_in_turn(struct rm *rm)
{
    return pick(rm, rm->queues.root, QUEUE_RANK_DEMAND, rm->largest_node);
}

/* first was before the one that has just been served. */
static void note_first(struct rm *rm, struct rm_app *first, const struct rm_app *served)
{
    if (first == NULL || first == served)
        return;
    if (first->attempt.state == RM_ATTEMPT_WAITING) {
        if (rm_app_may_place_master(rm, first))
            note_overtaken(rm, &first->attempt.reserve, first->submission.master_resource);
        return;
    }
    struct resource allowance = rm_app_allowance(rm, first);
    for (struct list_node *link = first->groups.first; link != NULL; link = link->next) {
        struct rm_group *group = link->object;
        if (group->any == 0 || !resource_fits(group->resource, allowance))
            continue;
        note_overtaken(rm, &group->reserve, group->resource);
        return;
    }
}

/* What it is reserved for goes first, and alone. */
static void offer_reserved(struct rm *rm, struct rm_node *node)
{
    struct rm_reserve *reserve = node->reserved_for;
    struct rm_app *app = reserve->app;
    if (reserve->group == NULL)
        (void)serve_master(rm, app, node);
    else if (resource_fits(reserve->group->resource, rm_app_allowance(rm, app)))
        (void)offer_to_group(rm, node, reserve->group);
}

static void offer_node(struct rm *rm, struct rm_node *node)
{
    if (node->reserved_for != NULL)
        offer_reserved(rm, node);
    rm->pass++;
    while (node->reserved_for == NULL) {
        settle_masters(rm);
        struct resource room = rm_node_free(node);
        if (room.memory_bytes == 0 || room.vcores == 0)
            return;
        struct rm_app *app = pick(rm, rm->queues.root, QUEUE_RANK_DEMAND, room);
        if (app == NULL)
            return;
        struct rm_app *first = first_in_turn(rm);
        if (serve_app(rm, app, node))
            note_first(rm, first, app);
        else
            app->passed = rm->pass;
    }
}

static void serve_ready(struct rm *rm)
{
    rm->pass++;
    struct rm_app *app;
    while ((app = pick(rm, rm->queues.root, QUEUE_RANK_READY, boundless)) != NULL) {
        struct rm_app *first = first_in_turn(rm);
        if (serve_app(rm, app, NULL))
            note_first(rm, first, app);
        else
            rm_queue_set_ready(rm, app, false);
        settle_masters(rm);
        if (rm->dirty_nodes.count > 0)
            return; /* a kept node was opened: it is offered to all first, then they go on */
    }
    /* Whom a limit holds back is looked at again when it gives way. */
    for (;;) {
        const struct rm_queue *queue = rm->queues.root;
        while (!rm_queue_is_leaf(queue)) {
            const struct rm_rank_node *first = rm_rank_first(&queue->ranks[QUEUE_RANK_READY]);
            if (first == NULL)
                return;
            queue = first->object;
        }
        rm_queue_set_ready(rm, rm_rank_first(&queue->ranks[QUEUE_RANK_READY])->object, false);
    }
}

/* No node has more for anybody; on a kept one there may be more for the one it is kept for. */
static struct resource room_at_most(const struct rm *rm)
{
    return rm->reserved_count > 0 ? boundless : rm_room_largest(rm->room);
}

static void serve_relaxed(struct rm *rm, struct rm_queue *queue)
{
    rm->pass++;
    for (;;) {
        settle_masters(rm);
        struct resource room = room_at_most(rm);
        for (const struct rm_queue *above = queue->parent; above != NULL; above = above->parent)
            room = resource_smaller(room, rm_queue_headroom(above));
        struct rm_app *app = pick(rm, queue, QUEUE_RANK_DEMAND, room);
        if (app == NULL)
            return;
        if (!serve_app(rm, app, NULL))
            app->passed = rm->pass;
        if (rm->dirty_nodes.count > 0) { /* as in serve_ready */
            if (!list_node_is_listed(&queue->relaxed_link))
                list_append(&rm->relaxed_queues, &queue->relaxed_link, queue);
            return;
        }
    }
}

/* Others look for room, too: all must stand in one order. */
static void ready_all_below(struct rm *rm, struct rm_queue *queue)
{
    for (struct list_node *link = queue->children.first; link != NULL; link = link->next)
        ready_all_below(rm, link->object);
    struct resource room = room_at_most(rm);
    struct rm_rank_node *node = NULL;
    while ((node = rm_rank_next(&queue->ranks[QUEUE_RANK_DEMAND], node, room)) != NULL) {
        if (rm_queue_is_leaf(queue))
            rm_queue_set_ready(rm, node->object, true);
    }
}

static void serve_searching(struct rm *rm)
{
    if (rm->relaxed_queues.count == 1 && rm->queues.root->ranks[QUEUE_RANK_READY].count == 0) {
        serve_relaxed(rm, list_pop(&rm->relaxed_queues));
        return;
    }
    while (rm->relaxed_queues.count > 0)
        ready_all_below(rm, list_pop(&rm->relaxed_queues));
    serve_ready(rm);
}

static void mark_everyone(struct rm *rm)
{
    rm->is_all_marked = false;
    rm_queues_measure(rm);
    size_t cursor = 0;
    void *value;
    while (map_u64_next(rm->apps, &cursor, NULL, &value)) {
        if (!rm_app_is_over(value))
            rm_scheduler_mark_app(rm, value);
    }
}

struct rm_app *rm_scheduler_first_in_turn(struct rm *rm)
{
    rm->pass++; /* nobody was passed over in it */
    return first_in_turn(rm);
}

void rm_scheduler_run(struct rm *rm)
{
    for (;;) {
        if (rm->is_all_marked)
            mark_everyone(rm);
        settle_masters(rm);
        if (rm->dirty_nodes.count > 0) {
            struct rm_node *node = list_pop(&rm->dirty_nodes);
            if (node->state == NODE_ACTIVE)
                offer_node(rm, node);
        } else if (rm->queues.root->ranks[QUEUE_RANK_READY].count > 0 ||
                   rm->relaxed_queues.count > 0) {
            serve_searching(rm);
        } else {
            break;
        }
    }
    rm_preempt_watch(rm);
}
