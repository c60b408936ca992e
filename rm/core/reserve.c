/*
 * reserve.c - room kept for large wishes, so that small ones that always fit cannot starve them.
 * Owns each struct rm_reserve, rm_node.reserved_for, rm.overtaken and rm.reserved_count (RM-14).
 *
 * A wish is overtaken when it was its turn but no node had room for it, and another was served.
 * When it has not been served hold_after_ms later it gets one node for itself: the one where least
 * is missing. Nobody else is given room there until the wish is served, withdrawn or held back by a
 * limit, or the node goes. Who was overtaken first comes first. Bound: docs/scheduler.md.
 */
#include "lib/base/check.h"
#include "rm/core/state.h"

void rm_reserve_open(struct rm_reserve *reserve, struct rm_app *app, struct rm_group *group)
{
    *reserve = (struct rm_reserve){.app = app, .group = group, .since_ms = -1};
}

static void let_go(struct rm *rm, struct rm_reserve *reserve)
{
    struct rm_node *node = reserve->node;
    CHECK(node->reserved_for == reserve);
    reserve->node = NULL;
    node->reserved_for = NULL;
    rm->reserved_count--;
    rm_node_room_changed(rm, node);
    rm_scheduler_mark_node(rm, node);
    trace_emit(rm->actions->trace, "node %llu kept no more", (unsigned long long)node->node_id);
}

void rm_reserve_clear(struct rm *rm, struct rm_reserve *reserve)
{
    if (reserve->node != NULL)
        let_go(rm, reserve);
    reserve->since_ms = -1;
    list_remove(&reserve->link);
}

void rm_reserve_note(struct rm *rm, struct rm_reserve *reserve)
{
    if (reserve->since_ms >= 0 || rm->settings.hold_percent == 0)
        return;
    reserve->since_ms = rm->now_ms;
    list_append(&rm->overtaken, &reserve->link, reserve);
    if (!heap_node_is_queued(&rm->reserve_timer.heap_node))
        rm_timer_set(rm, &rm->reserve_timer, rm->now_ms + rm->settings.hold_after_ms);
}

void rm_reserve_review(struct rm *rm, struct rm_app *app)
{
    if (rm_app_is_over(app) || app->attempt.state != RM_ATTEMPT_WAITING)
        rm_reserve_clear(rm, &app->attempt.reserve);
    for (struct list_node *link = app->groups.first; link != NULL; link = link->next) {
        struct rm_group *group = link->object;
        if (group->any == 0)
            rm_reserve_clear(rm, &group->reserve);
    }
}

static struct resource wish_of(const struct rm_reserve *reserve)
{
    return reserve->group == NULL ? reserve->app->submission.master_resource
                                  : reserve->group->resource;
}

/* No limit but room holds the wish back. */
static bool is_allowed(const struct rm *rm, const struct rm_reserve *reserve)
{
    if (reserve->group == NULL)
        return rm_app_may_place_master(rm, reserve->app);
    return resource_fits(wish_of(reserve), rm_app_allowance(rm, reserve->app));
}

/* Could the wish ever be served there? */
static bool node_may_serve(struct rm *rm,
                           const struct rm_reserve *reserve,
                           const struct rm_node *node)
{
    if (node->state != NODE_ACTIVE || node->unusable[0] != '\0' || node->reserved_for != NULL ||
        !resource_fits(wish_of(reserve), node->capacity))
        return false;
    if (reserve->group == NULL)
        return true;
    bool waits;
    return rm_group_may_take(rm, reserve->group, node, &waits) || waits;
}

static double missing_part(struct resource wish, const struct rm_node *node)
{
    struct resource room = rm_node_free(node);
    struct resource missing = {0};
    if (wish.memory_bytes > room.memory_bytes)
        missing.memory_bytes = wish.memory_bytes - room.memory_bytes;
    if (wish.vcores > room.vcores)
        missing.vcores = wish.vcores - room.vcores;
    return rm_dominant_share(missing, node->capacity);
}

static struct rm_node *choose_node(struct rm *rm, const struct rm_reserve *reserve)
{
    struct rm_node *best = NULL;
    for (size_t i = 0; i < rm->node_count; i++) {
        struct rm_node *node = rm->nodes[i];
        if (!node_may_serve(rm, reserve, node))
            continue;
        if (best == NULL ||
            missing_part(wish_of(reserve), node) < missing_part(wish_of(reserve), best))
            best = node;
    }
    return best;
}

static size_t reserved_max(const struct rm *rm)
{
    size_t active = 0;
    for (size_t i = 0; i < rm->node_count; i++)
        active += rm->nodes[i]->state == NODE_ACTIVE;
    size_t most = active * rm->settings.hold_percent / 100;
    return most == 0 && rm->settings.hold_percent > 0 ? 1 : most;
}

static void keep(struct rm *rm, struct rm_reserve *reserve, struct rm_node *node)
{
    reserve->node = node;
    node->reserved_for = reserve;
    rm->reserved_count++;
    rm_node_room_changed(rm, node);
    trace_emit(rm->actions->trace, "node %llu kept for %s", (unsigned long long)node->node_id,
               app_id_text(reserve->app->report.app).text);
}

/* False when the wish was let go: a limit holds it back, or it does not lack room. */
static bool still_lacks_room(struct rm *rm, struct rm_reserve *reserve)
{
    size_t index;
    if (is_allowed(rm, reserve) &&
        (reserve->node != NULL || !rm_room_find(rm->room, wish_of(reserve), 0, &index)))
        return true;
    rm_reserve_clear(rm, reserve);
    return false;
}

static void look_at(struct rm *rm, struct rm_reserve *reserve)
{
    if (!still_lacks_room(rm, reserve) || reserve->node != NULL ||
        rm->reserved_count >= reserved_max(rm))
        return;
    if (reserve->group != NULL)
        rm_group_refresh(rm, reserve->group);
    struct rm_node *node = choose_node(rm, reserve);
    if (node == NULL)
        rm_reserve_clear(rm, reserve); /* all that could serve it are kept, or none could */
    else
        keep(rm, reserve, node);
}

void rm_reserve_due(struct rm *rm, void *owner)
{
    (void)owner;
    struct list_node *next;
    for (struct list_node *link = rm->overtaken.first; link != NULL; link = next) {
        next = link->next;
        struct rm_reserve *reserve = link->object;
        if (rm->now_ms - reserve->since_ms < rm->settings.hold_after_ms)
            break; /* those behind it came later */
        look_at(rm, reserve);
    }
    if (rm->overtaken.count == 0)
        return;
    const struct rm_reserve *first = rm->overtaken.first->object;
    int64_t due_ms = first->since_ms + rm->settings.hold_after_ms;
    int64_t again_ms = rm->now_ms + rm->settings.hold_after_ms / 2;
    rm_timer_set(rm, &rm->reserve_timer, due_ms > rm->now_ms ? due_ms : again_ms);
}
