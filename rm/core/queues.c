/*
 * queues.c - the tree's counts and ranks. Owns everything in struct rm_queue but its settings
 * (queue_tree.c), and rm_app.queue, user, used, demand_node, ready_node (RM-13).
 */
#include "rm/core/queues.h"

#include <string.h>

#include "lib/base/check.h"
#include "lib/base/mem.h"
#include "lib/model/limits.h"
#include "rm/core/state.h"

/* Without a guarantee a queue comes after all that have one, the emptiest of these first. */
#define RATIO_WITHOUT_GUARANTEE 1e9

static void add(struct resource *sum, struct resource resource)
{
    sum->memory_bytes += resource.memory_bytes;
    sum->vcores += resource.vcores;
}

static void subtract(struct resource *sum, struct resource resource)
{
    CHECK(resource_fits(resource, *sum));
    sum->memory_bytes -= resource.memory_bytes;
    sum->vcores -= resource.vcores;
}

static struct resource what_is_left(struct resource limit, struct resource used)
{
    struct resource left = {0};
    if (limit.memory_bytes > used.memory_bytes)
        left.memory_bytes = limit.memory_bytes - used.memory_bytes;
    if (limit.vcores > used.vcores)
        left.vcores = limit.vcores - used.vcores;
    return left;
}

bool rm_queue_is_leaf(const struct rm_queue *queue)
{
    return queue->children.count == 0;
}

/* --- shares ---------------------------------------------------------------------------------- */
static double share_of_memory(struct resource resource, struct resource whole)
{
    return whole.memory_bytes == 0 ? 0 : (double)resource.memory_bytes / (double)whole.memory_bytes;
}

static double share_of_vcores(struct resource resource, struct resource whole)
{
    return whole.vcores == 0 ? 0 : (double)resource.vcores / (double)whole.vcores;
}

double rm_dominant_share(struct resource resource, struct resource whole)
{
    double memory = share_of_memory(resource, whole);
    double vcores = share_of_vcores(resource, whole);
    return memory > vcores ? memory : vcores;
}

double rm_queue_ratio(const struct rm *rm, const struct rm_queue *queue, struct resource wish)
{
    bool is_memory = share_of_memory(wish, rm->capacity) >= share_of_vcores(wish, rm->capacity);
    double used = is_memory ? share_of_memory(queue->used, rm->capacity)
                            : share_of_vcores(queue->used, rm->capacity);
    if (queue->share <= 0)
        return RATIO_WITHOUT_GUARANTEE + used;
    return used / queue->share;
}

/* --- ranks ----------------------------------------------------------------------------------- */
/* What the queue wants first: of the application that is first in the queue that is first in it. */
static struct resource head_wish(const struct rm_queue *queue)
{
    while (!rm_queue_is_leaf(queue)) {
        const struct rm_rank_node *first = rm_rank_first(&queue->ranks[QUEUE_RANK_DEMAND]);
        if (first == NULL)
            return (struct resource){0};
        queue = first->object;
    }
    const struct rm_rank_node *first = rm_rank_first(&queue->ranks[QUEUE_RANK_DEMAND]);
    const struct rm_app *app = first == NULL ? NULL : first->object;
    return app == NULL ? (struct resource){0} : app->head_wish;
}

/* Every queue from this one up takes its place among its siblings, or leaves. */
static void rank_upwards(struct rm *rm, struct rm_queue *queue, enum rm_queue_rank which)
{
    for (; queue->parent != NULL; queue = queue->parent) {
        struct rm_rank *rank = &queue->parent->ranks[which];
        if (queue->ranks[which].count == 0) {
            rm_rank_remove(rank, &queue->nodes[which]);
            continue;
        }
        struct rm_rank_key key = {.share = rm_queue_ratio(rm, queue, head_wish(queue)),
                                  .order = queue->order};
        rm_rank_put(rank, &queue->nodes[which], key, rm_rank_least(&queue->ranks[which]), queue);
    }
}

static struct rm_rank_key app_key(const struct rm *rm, const struct rm_app *app)
{
    return (struct rm_rank_key){
        .tier = LIMIT_PRIORITY - app->submission.priority,
        .share = app->queue->is_fifo ? 0 : rm_dominant_share(app->used, rm->capacity),
        .order = app->report.app.sequence};
}

static void rank_app_in(struct rm *rm, struct rm_app *app, enum rm_queue_rank which)
{
    rm_rank_put(&app->queue->ranks[which], &app->rank_nodes[which], app_key(rm, app),
                app->least_wish, app);
}

/* The application's share, or what is held below the queues, has changed. */
static void rank_anew(struct rm *rm, struct rm_app *app)
{
    for (int which = 0; which < QUEUE_RANK_COUNT; which++) {
        if (app->rank_nodes[which].is_ranked)
            rank_app_in(rm, app, (enum rm_queue_rank)which);
        rank_upwards(rm, app->queue, (enum rm_queue_rank)which);
    }
}

void rm_queue_rank_app(struct rm *rm, struct rm_app *app)
{
    if (app->queue == NULL)
        return;
    if (rm_app_sum_wishes(rm, app) && !app->is_parked) {
        rank_app_in(rm, app, QUEUE_RANK_DEMAND);
        if (app->rank_nodes[QUEUE_RANK_READY].is_ranked)
            rank_app_in(rm, app, QUEUE_RANK_READY);
    } else {
        rm_rank_remove(&app->queue->ranks[QUEUE_RANK_DEMAND], &app->rank_nodes[QUEUE_RANK_DEMAND]);
        rm_rank_remove(&app->queue->ranks[QUEUE_RANK_READY], &app->rank_nodes[QUEUE_RANK_READY]);
    }
    rank_upwards(rm, app->queue, QUEUE_RANK_DEMAND);
    rank_upwards(rm, app->queue, QUEUE_RANK_READY);
}

void rm_queue_set_ready(struct rm *rm, struct rm_app *app, bool is_ready)
{
    if (app->rank_nodes[QUEUE_RANK_READY].is_ranked == is_ready || app->is_parked)
        return;
    if (is_ready)
        rank_app_in(rm, app, QUEUE_RANK_READY);
    else
        rm_rank_remove(&app->queue->ranks[QUEUE_RANK_READY], &app->rank_nodes[QUEUE_RANK_READY]);
    rank_upwards(rm, app->queue, QUEUE_RANK_READY);
}

/* --- limits ---------------------------------------------------------------------------------- */
/* Some limit of the queue or one above has given way: there may be room on any node. */
static void relax(struct rm *rm, struct rm_queue *queue)
{
    if (!list_node_is_listed(&queue->relaxed_link))
        list_append(&rm->relaxed_queues, &queue->relaxed_link, queue);
}

struct resource rm_queue_headroom(const struct rm_queue *queue)
{
    if (queue->is_stopped)
        return (struct resource){0};
    return what_is_left(queue->max, queue->used);
}

static bool has_user_limit(const struct rm_queue *queue)
{
    return queue->spec.user_limit_factor_ppm > 0;
}

struct resource rm_user_limit(const struct rm *rm,
                              const struct rm_queue *queue,
                              const struct rm_user *user)
{
    (void)rm;
    (void)user;
    struct resource limit = {.memory_bytes = UINT64_MAX, .vcores = UINT32_MAX};
    if (!has_user_limit(queue))
        return limit;
    double part =
        queue->spec.user_limit_percent == 0 ? 1 : (double)queue->spec.user_limit_percent / 100;
    size_t users = map_count(queue->users);
    if (users > 0 && part < 1 / (double)users)
        part = 1 / (double)users;
    part *= (double)queue->spec.user_limit_factor_ppm / 1e6;
    double memory = part * (double)queue->guaranteed.memory_bytes;
    double vcores = part * (double)queue->guaranteed.vcores;
    if (memory < 1e18)
        limit.memory_bytes = (uint64_t)memory;
    if (vcores < 4e9)
        limit.vcores = (uint32_t)vcores;
    return limit;
}

struct resource rm_user_headroom(const struct rm *rm, const struct rm_app *app)
{
    return what_is_left(rm_user_limit(rm, app->queue, app->user), app->user->used);
}

bool rm_queue_may_place_master(const struct rm_queue *queue, struct resource resource)
{
    for (; queue->parent != NULL; queue = queue->parent) {
        if (queue->masters_count == 0 || queue->masters_percent >= 100)
            continue;
        struct resource whole = queue->mostly;
        double part = (double)queue->masters_percent / 100;
        if ((double)(queue->masters_used.memory_bytes + resource.memory_bytes) >
                part * (double)whole.memory_bytes ||
            (double)queue->masters_used.vcores + resource.vcores > part * (double)whole.vcores)
            return false;
    }
    return true;
}

const struct rm_queue *rm_queue_full_of_running(const struct rm_queue *queue)
{
    for (; queue != NULL; queue = queue->parent) {
        if (queue->spec.max_running > 0 && queue->running_count >= queue->spec.max_running)
            return queue;
    }
    return NULL;
}

/* --- counting -------------------------------------------------------------------------------- */
void rm_queue_charge(struct rm *rm, struct rm_app *app, struct resource resource, bool is_master)
{
    if (app->queue == NULL)
        rm_queue_join(rm, app, app->report.queue); /* it is over, but not all of it has ended */
    add(&app->used, resource);
    add(&app->user->used, resource);
    for (struct rm_queue *queue = app->queue; queue != NULL; queue = queue->parent) {
        add(&queue->used, resource);
        if (!is_master)
            continue;
        add(&queue->masters_used, resource);
        queue->masters_count++;
    }
    rank_anew(rm, app);
}

static void user_prune(struct rm *rm, struct rm_queue *queue, struct rm_user *user)
{
    if (user->live_count > 0 || !resource_is_zero(user->used))
        return;
    CHECK(map_remove(queue->users, user->name) == user);
    void *text = user->text;
    mem_free(text);
    mem_free(user);
    if (has_user_limit(queue))
        relax(rm, queue);
}

void rm_queue_refund(struct rm *rm, struct rm_app *app, struct resource resource, bool is_master)
{
    subtract(&app->used, resource);
    if (app->queue == NULL)
        return;
    subtract(&app->user->used, resource);
    struct rm_queue *limited = has_user_limit(app->queue) ? app->queue : NULL;
    for (struct rm_queue *queue = app->queue; queue != NULL; queue = queue->parent) {
        subtract(&queue->used, resource);
        if (queue->max_share < 1)
            limited = queue; /* the topmost: those below it are looked at with it */
        if (!is_master)
            continue;
        subtract(&queue->masters_used, resource);
        queue->masters_count--;
    }
    if (limited != NULL)
        relax(rm, limited);
    rank_anew(rm, app);
    if (rm_app_is_over(app) && resource_is_zero(app->used))
        rm_queue_leave(rm, app);
}

void rm_queue_count_app(struct rm *rm, struct rm_app *app)
{
    if (app->queue == NULL)
        return;
    bool is_live = !rm_app_is_over(app);
    bool is_running = is_live && app->is_master_launched;
    bool was_running = app->is_counted_running;
    for (struct rm_queue *queue = app->queue; queue != NULL; queue = queue->parent) {
        queue->live_count += (size_t)is_live - (size_t)app->is_counted_live;
        queue->running_count += (size_t)is_running - (size_t)was_running;
    }
    app->user->live_count += (size_t)is_live - (size_t)app->is_counted_live;
    app->is_counted_live = is_live;
    app->is_counted_running = is_running;
    rm_scheduler_mark_masters(rm);
}

static struct rm_user *user_of(struct rm_queue *queue, struct slice name)
{
    struct rm_user *user = map_get(queue->users, name);
    if (user != NULL)
        return user;
    user = MEM_NEW(struct rm_user);
    user->text = mem_new(name.length + 1);
    memcpy(user->text, name.data, name.length);
    user->name = slice_make(user->text, name.length);
    (void)map_put(queue->users, name, user);
    return user;
}

void rm_queue_join(struct rm *rm, struct rm_app *app, struct slice path)
{
    CHECK(app->queue == NULL);
    struct rm_queue *queue = rm_queue_or_stand_in(rm, path);
    app->queue = queue;
    app->user = user_of(queue, app->report.user);
    list_append(&queue->apps, &app->queue_link, app);
    struct resource masters = {0};
    size_t masters_count = 0;
    for (struct list_node *link = app->allocations.first; link != NULL; link = link->next) {
        const struct rm_allocation *allocation = link->object;
        if (!allocation->is_master)
            continue;
        add(&masters, allocation->resource);
        masters_count++;
    }
    add(&app->user->used, app->used);
    for (; queue != NULL; queue = queue->parent) {
        add(&queue->used, app->used);
        add(&queue->masters_used, masters);
        queue->masters_count += masters_count;
    }
    rm_queue_count_app(rm, app);
    rm_queue_rank_app(rm, app);
}

void rm_queue_leave(struct rm *rm, struct rm_app *app)
{
    struct rm_queue *leaf = app->queue;
    if (leaf == NULL)
        return;
    struct resource masters = {0};
    size_t masters_count = 0;
    for (struct list_node *link = app->allocations.first; link != NULL; link = link->next) {
        const struct rm_allocation *allocation = link->object;
        if (!allocation->is_master)
            continue;
        add(&masters, allocation->resource);
        masters_count++;
    }
    for (int which = 0; which < QUEUE_RANK_COUNT; which++)
        rm_rank_remove(&leaf->ranks[which], &app->rank_nodes[which]);
    for (struct rm_queue *queue = leaf; queue != NULL; queue = queue->parent) {
        subtract(&queue->used, app->used);
        subtract(&queue->masters_used, masters);
        queue->masters_count -= masters_count;
        queue->live_count -= app->is_counted_live;
        queue->running_count -= app->is_counted_running;
        relax(rm, queue);
    }
    subtract(&app->user->used, app->used);
    app->user->live_count -= app->is_counted_live;
    app->is_counted_live = false;
    app->is_counted_running = false;
    rm_scheduler_mark_masters(rm);
    list_remove(&app->queue_link);
    user_prune(rm, leaf, app->user);
    app->user = NULL;
    app->queue = NULL;
    for (int which = 0; which < QUEUE_RANK_COUNT; which++)
        rank_upwards(rm, leaf, (enum rm_queue_rank)which);
    rm_queue_prune(rm, leaf);
}

static void measure_queue(struct rm *rm, struct rm_queue *queue)
{
    double memory = (double)rm->capacity.memory_bytes;
    double vcores = (double)rm->capacity.vcores;
    queue->guaranteed = (struct resource){.memory_bytes = (uint64_t)(memory * queue->share),
                                          .vcores = (uint32_t)(vcores * queue->share)};
    queue->mostly = (struct resource){.memory_bytes = (uint64_t)(memory * queue->max_share),
                                      .vcores = (uint32_t)(vcores * queue->max_share)};
    queue->max = queue->mostly;
    if (queue->max_share >= 1)
        queue->max = (struct resource){.memory_bytes = UINT64_MAX, .vcores = UINT32_MAX};
    for (struct list_node *link = queue->children.first; link != NULL; link = link->next)
        measure_queue(rm, link->object);
    for (struct list_node *link = queue->apps.first; link != NULL; link = link->next) {
        struct rm_app *app = link->object;
        for (int which = 0; which < QUEUE_RANK_COUNT; which++) {
            if (app->rank_nodes[which].is_ranked)
                rank_app_in(rm, app, (enum rm_queue_rank)which);
        }
    }
    for (int which = 0; which < QUEUE_RANK_COUNT; which++)
        rank_upwards(rm, queue, (enum rm_queue_rank)which);
}

void rm_queues_measure(struct rm *rm)
{
    rm_scheduler_mark_masters(rm);
    rm->largest_node = (struct resource){0};
    for (size_t i = 0; i < rm->node_count; i++) {
        const struct rm_node *node = rm->nodes[i];
        if (node->state != NODE_ACTIVE)
            continue;
        if (node->capacity.memory_bytes > rm->largest_node.memory_bytes)
            rm->largest_node.memory_bytes = node->capacity.memory_bytes;
        if (node->capacity.vcores > rm->largest_node.vcores)
            rm->largest_node.vcores = node->capacity.vcores;
    }
    measure_queue(rm, rm->queues.root);
}
