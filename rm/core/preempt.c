/*
 * preempt.c - containers taken back for queues that are below their guarantee. Owns rm.warned,
 * rm_allocation.preempt_* and rm_queue.below_seen_ms (RM-15).
 *
 * A leaf is below when it has demand that no limit but room holds back and holds less than its
 * guarantee of what is wanted first. One that is so at two looks in a row gets room from the leaves
 * furthest above theirs: their youngest containers are warned, masters last, at most
 * PREEMPT_PERCENT_MAX of the cluster a look, less what is about to end anyway. A warned container
 * that has not ended by itself after preempt_grace_ms is killed with -102, unless the need has
 * gone.
 */
#include <stdlib.h>

#include "lib/base/check.h"
#include "lib/base/mem.h"
#include "rm/core/state.h"

/* What a queue may hold above its guarantee and not be asked for it, so that nothing goes to and
 * fro. */
#define DEAD_ZONE 1.1

enum {
    PREEMPT_PERCENT_MAX = 10
};

static struct resource minus(struct resource left, struct resource right)
{
    struct resource rest = {0};
    if (left.memory_bytes > right.memory_bytes)
        rest.memory_bytes = left.memory_bytes - right.memory_bytes;
    if (left.vcores > right.vcores)
        rest.vcores = left.vcores - right.vcores;
    return rest;
}

static void add(struct resource *sum, struct resource resource)
{
    sum->memory_bytes += resource.memory_bytes;
    sum->vcores += resource.vcores;
}

/* --- who is below ---------------------------------------------------------------------------- */
static bool is_below(struct rm *rm, const struct rm_queue *leaf)
{
    const struct rm_rank_node *first = rm_rank_first(&leaf->ranks[QUEUE_RANK_DEMAND]);
    if (first == NULL || leaf->share <= 0)
        return false;
    const struct rm_app *app = first->object;
    size_t index;
    return rm_queue_ratio(rm, leaf, app->head_wish) < 1 &&
           resource_fits(app->head_wish, rm_app_allowance(rm, app)) &&
           !rm_room_find(rm->room, app->head_wish, 0, &index);
}

/* What the leaf wants, at most what it lacks. */
static struct resource lack_of(const struct rm_queue *leaf)
{
    struct resource lack = minus(leaf->guaranteed, leaf->used);
    struct resource wanted = {0};
    for (const struct list_node *link = leaf->apps.first; link != NULL; link = link->next) {
        const struct rm_app *app = link->object;
        if (!rm_app_is_over(app) && app->attempt.state == RM_ATTEMPT_WAITING && !app->is_parked)
            add(&wanted, app->submission.master_resource);
        for (const struct list_node *g = app->groups.first; g != NULL; g = g->next) {
            const struct rm_group *group = g->object;
            /* More than it lacks makes no difference: no need to multiply. */
            for (uint32_t i = 0; i < group->any && !resource_fits(lack, wanted); i++)
                add(&wanted, group->resource);
        }
    }
    return resource_smaller(lack, wanted);
}

/* Adds what leaves below queue lack that have been so since the last look. */
static void look_for_need(struct rm *rm, struct rm_queue *queue, struct resource *need)
{
    for (struct list_node *link = queue->children.first; link != NULL; link = link->next)
        look_for_need(rm, link->object, need);
    if (!rm_queue_is_leaf(queue))
        return;
    if (!is_below(rm, queue)) {
        queue->below_seen_ms = -1;
        return;
    }
    if (queue->below_seen_ms >= 0 &&
        rm->now_ms - queue->below_seen_ms <= 2 * rm->settings.preempt_interval_ms)
        add(need, lack_of(queue));
    queue->below_seen_ms = rm->now_ms;
}

static bool is_anybody_below(struct rm *rm, const struct rm_queue *queue)
{
    for (struct list_node *link = queue->children.first; link != NULL; link = link->next) {
        if (is_anybody_below(rm, link->object))
            return true;
    }
    return rm_queue_is_leaf(queue) && is_below(rm, queue);
}

/* --- warning --------------------------------------------------------------------------------- */
void rm_preempt_forget(struct rm_allocation *allocation)
{
    list_remove(&allocation->warned_link);
    allocation->preempt_due_ms = 0;
}

static void warn(struct rm *rm, struct rm_allocation *allocation)
{
    allocation->preempt_due_ms = rm->now_ms + rm->settings.preempt_grace_ms;
    list_append(&rm->warned, &allocation->warned_link, allocation);
    if (!heap_node_is_queued(&rm->warned_timer.heap_node))
        rm_timer_set(rm, &rm->warned_timer, allocation->preempt_due_ms);
    trace_emit(rm->actions->trace, "container %s warned", container_id_text(allocation->id).text);
    if (rm_allocation_is_current(allocation) && !allocation->is_master)
        rm_answer_add_warning(rm, allocation);
}

/* --- victims --------------------------------------------------------------------------------- */
/* One leaf above its guarantee, while victims are chosen. */
struct donor {
    struct rm_queue *leaf;
    struct resource left;            /* what it will hold after what is about to end */
    struct rm_allocation **youngest; /* that may be taken, the next one first; masters last */
    size_t count;
    size_t next;
};

static int compare_victims(const void *left, const void *right)
{
    const struct rm_allocation *a = *(struct rm_allocation *const *)left;
    const struct rm_allocation *b = *(struct rm_allocation *const *)right;
    if (a->is_master != b->is_master)
        return a->is_master - b->is_master;
    return a->number < b->number ? 1 : -1;
}

static bool is_ending(const struct rm_allocation *allocation)
{
    return allocation->state == RM_ALLOCATION_KILLING || allocation->preempt_due_ms > 0;
}

static void donor_open(struct rm *rm, struct rm_queue *leaf, struct donor *donor)
{
    size_t most = 0;
    for (struct list_node *link = leaf->apps.first; link != NULL; link = link->next)
        most += ((const struct rm_app *)link->object)->allocations.count;
    *donor =
        (struct donor){.leaf = leaf,
                       .left = leaf->used,
                       .youngest = ARENA_ARRAY(rm->actions->arena, struct rm_allocation *, most)};
    for (struct list_node *link = leaf->apps.first; link != NULL; link = link->next) {
        const struct rm_app *app = link->object;
        for (struct list_node *a = app->allocations.first; a != NULL; a = a->next) {
            struct rm_allocation *allocation = a->object;
            if (is_ending(allocation))
                donor->left = minus(donor->left, allocation->resource);
            else
                donor->youngest[donor->count++] = allocation;
        }
    }
    if (donor->count > 1)
        qsort(donor->youngest, donor->count, sizeof(struct rm_allocation *), compare_victims);
}

static double excess(const struct rm *rm, const struct donor *donor)
{
    double share = rm_dominant_share(donor->left, rm->capacity);
    return donor->leaf->share > 0 ? share / donor->leaf->share : share * 1e9;
}

/* The next container that the donor can spare, or NULL. */
static struct rm_allocation *spare(const struct rm *rm, const struct donor *donor, bool of_masters)
{
    if (donor->next >= donor->count || excess(rm, donor) <= DEAD_ZONE)
        return NULL;
    struct rm_allocation *allocation = donor->youngest[donor->next];
    struct donor after = *donor;
    after.left = minus(donor->left, allocation->resource);
    bool keeps_guarantee = excess(rm, &after) >= 1 || donor->leaf->share <= 0;
    return allocation->is_master == of_masters && keeps_guarantee ? allocation : NULL;
}

static struct donor *furthest_above(const struct rm *rm,
                                    struct donor *donors,
                                    size_t count,
                                    bool of_masters)
{
    struct donor *best = NULL;
    for (size_t i = 0; i < count; i++) {
        if (spare(rm, &donors[i], of_masters) != NULL &&
            (best == NULL || excess(rm, &donors[i]) > excess(rm, best)))
            best = &donors[i];
    }
    return best;
}

static void collect_donors(struct rm *rm,
                           struct rm_queue *queue,
                           struct donor *donors,
                           size_t *count)
{
    for (struct list_node *link = queue->children.first; link != NULL; link = link->next)
        collect_donors(rm, link->object, donors, count);
    struct donor donor = {.leaf = queue, .left = queue->used};
    if (rm_queue_is_leaf(queue) && queue->has_preemption && excess(rm, &donor) > DEAD_ZONE)
        donor_open(rm, queue, &donors[(*count)++]);
}

static struct resource about_to_end(const struct rm *rm)
{
    struct resource sum = {0};
    size_t cursor = 0;
    void *value;
    while (map_next(rm->allocations, &cursor, NULL, &value)) {
        const struct rm_allocation *allocation = value;
        if (is_ending(allocation))
            add(&sum, allocation->resource);
    }
    return sum;
}

static void choose_victims(struct rm *rm, struct resource need)
{
    size_t most = map_count(rm->queues.paths) + map_count(rm->queues.vanished);
    struct donor *donors = ARENA_ARRAY(rm->actions->arena, struct donor, most);
    size_t count = 0;
    uint64_t memory = rm->capacity.memory_bytes;
    struct resource budget = {
        .memory_bytes =
            memory / 100 * PREEMPT_PERCENT_MAX + memory % 100 * PREEMPT_PERCENT_MAX / 100,
        .vcores = (uint32_t)((uint64_t)rm->capacity.vcores * PREEMPT_PERCENT_MAX / 100)};
    collect_donors(rm, rm->queues.root, donors, &count);
    bool of_masters = false;
    while (!resource_is_zero(need)) {
        struct donor *donor = furthest_above(rm, donors, count, of_masters);
        if (donor == NULL && of_masters)
            return;
        of_masters = donor == NULL;
        if (donor == NULL)
            continue;
        struct rm_allocation *allocation = donor->youngest[donor->next++];
        if (!resource_fits(allocation->resource, budget))
            return;
        budget = minus(budget, allocation->resource);
        need = minus(need, allocation->resource);
        donor->left = minus(donor->left, allocation->resource);
        warn(rm, allocation);
    }
}

/* --- timers ---------------------------------------------------------------------------------- */
void rm_preempt_look(struct rm *rm, void *owner)
{
    (void)owner;
    struct resource need = {0};
    look_for_need(rm, rm->queues.root, &need);
    if (!resource_is_zero(need))
        need = minus(need, about_to_end(rm));
    if (!resource_is_zero(need))
        choose_victims(rm, need);
}

void rm_preempt_watch(struct rm *rm)
{
    bool has_demand = rm->queues.root->ranks[QUEUE_RANK_DEMAND].count > 0;
    bool has_choice = map_count(rm->queues.paths) + map_count(rm->queues.vanished) > 2;
    if (has_demand && has_choice && !heap_node_is_queued(&rm->preempt_timer.heap_node))
        rm_timer_set(rm, &rm->preempt_timer, rm->now_ms + rm->settings.preempt_interval_ms);
}

static bool is_above(const struct rm *rm, const struct rm_allocation *allocation)
{
    struct rm_queue *leaf = allocation->app == NULL ? NULL : allocation->app->queue;
    if (leaf == NULL)
        return false;
    struct donor donor = {.leaf = leaf, .left = leaf->used};
    return leaf->has_preemption && excess(rm, &donor) > 1;
}

void rm_preempt_due(struct rm *rm, void *owner)
{
    (void)owner;
    bool is_needed = is_anybody_below(rm, rm->queues.root);
    while (rm->warned.first != NULL) {
        struct rm_allocation *allocation = rm->warned.first->object;
        if (allocation->preempt_due_ms > rm->now_ms) {
            rm_timer_set(rm, &rm->warned_timer, allocation->preempt_due_ms);
            return;
        }
        rm_preempt_forget(allocation);
        if (is_needed && is_above(rm, allocation))
            rm_allocation_kill(rm, allocation, RM_EXIT_PREEMPTED,
                               "preempted for a queue below its guarantee");
        else
            trace_emit(rm->actions->trace, "container %s spared",
                       container_id_text(allocation->id).text);
    }
}
