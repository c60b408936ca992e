/*
 * share_judge.c - the slow reference of the scheduler: hierarchical dominant-resource fairness as
 * docs/scheduler.md has it, by loops over everything.
 * Sources: Ghodsi et al., "Dominant Resource Fairness", NSDI 2011; Bhattacharya et al.,
 * "Hierarchical Scheduling for Diverse Datacenter Workloads", SoCC 2013.
 */
#include <stdarg.h>
#include <stdio.h>

#include "tests/unit/rm/share_world.h"

/* Shares that differ by less are equal: the machine multiplies in another order. */
#define EPSILON 1e-9

void share_fault(struct share_world *world, const char *format, ...)
{
    if (world->fault[0] != '\0')
        return;
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(world->fault, sizeof(world->fault), format, arguments);
    va_end(arguments);
}

static void add(struct resource *sum, struct resource resource)
{
    sum->memory_bytes += resource.memory_bytes;
    sum->vcores += resource.vcores;
}

static bool fits(struct resource wanted, struct resource room)
{
    return wanted.memory_bytes <= room.memory_bytes && wanted.vcores <= room.vcores;
}

/* --- sums ------------------------------------------------------------------------------------ */
struct resource share_used(const struct share_world *world, int app)
{
    struct resource used = {0};
    for (int i = 0; i < world->container_count; i++) {
        if (world->containers[i].app == app)
            add(&used, world->containers[i].resource);
    }
    return used;
}

struct resource share_node_room(const struct share_world *world, int node)
{
    struct resource room = world->nodes[node].capacity;
    for (int i = 0; i < world->container_count; i++) {
        if (world->containers[i].node != node)
            continue;
        room.memory_bytes -= world->containers[i].resource.memory_bytes;
        room.vcores -= world->containers[i].resource.vcores;
    }
    return room;
}

static struct resource cluster(const struct share_world *world)
{
    struct resource whole = {0};
    for (int i = 0; i < world->node_count; i++) {
        if (world->nodes[i].is_active)
            add(&whole, world->nodes[i].capacity);
    }
    return whole;
}

static bool is_within(const struct share_world *world, int queue, int ancestor)
{
    while (queue != ancestor && queue >= 0)
        queue = world->queues[queue].parent;
    return queue == ancestor;
}

static struct resource queue_used(const struct share_world *world, int queue)
{
    struct resource used = {0};
    for (int i = 0; i < world->app_count; i++) {
        if (is_within(world, world->apps[i].queue, queue))
            add(&used, share_used(world, i));
    }
    return used;
}

static double part(double of, double whole)
{
    return whole > 0 ? of / whole : 0;
}

static double dominant(struct resource resource, struct resource whole)
{
    double memory = part((double)resource.memory_bytes, (double)whole.memory_bytes);
    double vcores = part(resource.vcores, whole.vcores);
    return memory > vcores ? memory : vcores;
}

static struct resource part_of_cluster(const struct share_world *world, double share)
{
    struct resource whole = cluster(world);
    return (struct resource){.memory_bytes = (uint64_t)((double)whole.memory_bytes * share),
                             .vcores = (uint32_t)((double)whole.vcores * share)};
}

/* --- limits ---------------------------------------------------------------------------------- */
static bool has_demand(const struct share_app *app)
{
    return app->is_live && (!app->has_master || app->want > 0);
}

static struct resource wish_of(const struct share_app *app)
{
    return app->has_master ? app->shape : app->master;
}

static bool user_may(const struct share_world *world, int index, struct resource wish)
{
    const struct share_app *app = &world->apps[index];
    const struct share_queue *queue = &world->queues[app->queue];
    if (queue->spec.user_limit_factor_ppm == 0)
        return true;
    bool is_there[SHARE_USERS] = {false};
    struct resource used = wish;
    for (int i = 0; i < world->app_count; i++) {
        const struct share_app *other = &world->apps[i];
        if (other->queue != app->queue)
            continue;
        struct resource others = share_used(world, i);
        is_there[other->user] = is_there[other->user] || other->is_live || others.vcores > 0;
        if (other->user == app->user)
            add(&used, others);
    }
    int users = 0;
    for (int i = 0; i < SHARE_USERS; i++)
        users += is_there[i];
    double share =
        queue->spec.user_limit_percent == 0 ? 1 : (double)queue->spec.user_limit_percent / 100;
    if (users > 0 && share < 1.0 / users)
        share = 1.0 / users;
    share *= (double)queue->spec.user_limit_factor_ppm / 1e6;
    struct resource guaranteed = part_of_cluster(world, queue->share);
    return (double)used.memory_bytes <= share * (double)guaranteed.memory_bytes + 1 &&
           used.vcores <= (uint32_t)(share * guaranteed.vcores + EPSILON);
}

static bool queue_may(const struct share_world *world, int queue, struct resource wish)
{
    for (; queue >= 0; queue = world->queues[queue].parent) {
        if (world->queues[queue].max_share >= 1)
            continue;
        struct resource used = queue_used(world, queue);
        add(&used, wish);
        if (!fits(used, part_of_cluster(world, world->queues[queue].max_share)))
            return false;
    }
    return true;
}

static bool master_may(const struct share_world *world, int queue, struct resource wish)
{
    for (; queue >= 0; queue = world->queues[queue].parent) {
        uint32_t running = 0;
        int masters = 0;
        struct resource used = wish;
        for (int i = 0; i < world->app_count; i++) {
            const struct share_app *app = &world->apps[i];
            running += is_within(world, app->queue, queue) && app->is_live && app->has_master;
        }
        for (int i = 0; i < world->container_count; i++) {
            const struct share_container *container = &world->containers[i];
            if (!container->is_master ||
                !is_within(world, world->apps[container->app].queue, queue))
                continue;
            masters++;
            add(&used, container->resource);
        }
        const struct rm_queue_spec *spec = &world->queues[queue].spec;
        if (spec->max_running > 0 && running >= spec->max_running)
            return false;
        if (masters == 0 || spec->masters_percent == 0)
            continue;
        struct resource most = part_of_cluster(world, world->queues[queue].max_share);
        double percent = (double)spec->masters_percent / 100;
        if ((double)used.memory_bytes > percent * (double)most.memory_bytes ||
            used.vcores > percent * most.vcores)
            return false;
    }
    return true;
}

static bool is_servable(const struct share_world *world, int index, struct resource room)
{
    const struct share_app *app = &world->apps[index];
    struct resource wish = wish_of(app);
    return has_demand(app) && fits(wish, room) && queue_may(world, app->queue, wish) &&
           user_may(world, index, wish) && (app->has_master || master_may(world, app->queue, wish));
}

/* --- the order ------------------------------------------------------------------------------- */
/* <0: left is served first. Both in one leaf. */
static double compare_apps(const struct share_world *world, int left, int right)
{
    const struct share_app *a = &world->apps[left];
    const struct share_app *b = &world->apps[right];
    if (a->priority != b->priority)
        return a->priority > b->priority ? -1 : 1;
    if (world->queues[a->queue].spec.order != QUEUE_FIFO) {
        double difference = dominant(share_used(world, left), cluster(world)) -
                            dominant(share_used(world, right), cluster(world));
        if (difference > EPSILON || difference < -EPSILON)
            return difference;
    } else {
        return a->id.sequence < b->id.sequence ? -1 : 1;
    }
    return 0;
}

/* Stands in the order: a master beyond a limit of masters does not. */
static bool is_in_order(const struct share_world *world, int index)
{
    const struct share_app *app = &world->apps[index];
    return has_demand(app) && (app->has_master || master_may(world, app->queue, app->master));
}

static bool queue_has_demand(const struct share_world *world, int queue)
{
    for (int i = 0; i < world->app_count; i++) {
        if (is_within(world, world->apps[i].queue, queue) && is_in_order(world, i))
            return true;
    }
    return false;
}

static double ratio(const struct share_world *world, int queue);

/* Who is first in the queue, whether servable or not. */
static int head_of(const struct share_world *world, int queue)
{
    int best = -1;
    if (world->queues[queue].is_leaf) {
        for (int i = 0; i < world->app_count; i++) {
            if (world->apps[i].queue != queue || !is_in_order(world, i))
                continue;
            if (best < 0 || compare_apps(world, i, best) < 0)
                best = i;
        }
        return best;
    }
    for (int i = 0; i < world->queue_count; i++) {
        if (world->queues[i].parent != queue || !queue_has_demand(world, i))
            continue;
        if (best < 0 || ratio(world, i) < ratio(world, best))
            best = i;
    }
    return best < 0 ? -1 : head_of(world, best);
}

static double ratio(const struct share_world *world, int queue)
{
    struct resource whole = cluster(world);
    struct resource used = queue_used(world, queue);
    struct resource wish = wish_of(&world->apps[head_of(world, queue)]);
    bool is_memory = part((double)wish.memory_bytes, (double)whole.memory_bytes) >=
                     part(wish.vcores, whole.vcores);
    double share = is_memory ? part((double)used.memory_bytes, (double)whole.memory_bytes)
                             : part(used.vcores, whole.vcores);
    double guaranteed = world->queues[queue].share;
    return guaranteed <= 0 ? 1e9 + share : share / guaranteed;
}

/* The queue below ancestor on the way to queue. */
static int child_towards(const struct share_world *world, int ancestor, int queue)
{
    while (world->queues[queue].parent != ancestor)
        queue = world->queues[queue].parent;
    return queue;
}

/* True when left is clearly to be served before right. */
static bool is_before(const struct share_world *world, int left, int right)
{
    int a = world->apps[left].queue;
    int b = world->apps[right].queue;
    if (a == b)
        return compare_apps(world, left, right) < 0;
    int common = a;
    while (!is_within(world, b, common))
        common = world->queues[common].parent;
    return ratio(world, child_towards(world, common, a)) <
           ratio(world, child_towards(world, common, b)) - EPSILON;
}

/* --- judging --------------------------------------------------------------------------------- */
static void judge_order(struct share_world *world, int app, int node)
{
    if (world->nodes[node].kept_for == app)
        return;
    if (world->nodes[node].kept_for >= 0) {
        share_fault(world, "app %d is given room on node %d, which is kept for app %d", app, node,
                    world->nodes[node].kept_for);
        return;
    }
    struct resource room = share_node_room(world, node);
    for (int i = 0; i < world->app_count; i++) {
        if (i != app && is_servable(world, i, room) && is_before(world, i, app))
            share_fault(world, "app %d is served on node %d before app %d, whose turn it is", app,
                        node, i);
    }
}

void share_judge_grant(
    struct share_world *world, int app, int node, struct resource resource, bool is_master)
{
    const struct share_app *granted = &world->apps[app];
    if (is_master == granted->has_master || !has_demand(granted)) {
        share_fault(world, "app %d is given what it does not want", app);
        return;
    }
    if (!fits(resource, share_node_room(world, node)))
        share_fault(world, "node %d is given more than it can hold", node);
    if (!is_servable(world, app, world->nodes[node].capacity))
        share_fault(world, "app %d is served beyond a limit of its queue or user", app);
    judge_order(world, app, node);
}

void share_judge_rest(struct share_world *world)
{
    for (int node = 0; node < world->node_count; node++) {
        if (!world->nodes[node].is_active)
            continue;
        struct resource room = share_node_room(world, node);
        for (int app = 0; app < world->app_count; app++) {
            if ((world->nodes[node].kept_for < 0 || world->nodes[node].kept_for == app) &&
                is_servable(world, app, room))
                share_fault(world, "app %d is not served, but node %d has room", app, node);
        }
    }
}

void share_judge_taken(struct share_world *world, int app)
{
    int queue = world->apps[app].queue;
    struct resource left = {0};
    for (int i = 0; i < world->container_count; i++) {
        if (world->apps[world->containers[i].app].queue == queue && !world->containers[i].is_killed)
            add(&left, world->containers[i].resource);
    }
    if (dominant(left, cluster(world)) < world->queues[queue].share - EPSILON)
        share_fault(world, "%s is left below its guarantee", world->queues[queue].path);
}

void share_judge_guarantees(struct share_world *world)
{
    double above = 0; /* what those may keep beyond their guarantee that hold more */
    for (int i = 1; i < world->queue_count; i++) {
        if (dominant(queue_used(world, i), cluster(world)) > world->queues[i].share)
            above += world->queues[i].share / 10;
    }
    for (int i = 1; i < world->queue_count; i++) {
        double share = dominant(queue_used(world, i), cluster(world));
        /* and a container of each, which is not divided */
        if (share < world->queues[i].share - above - 2.0 / cluster(world).vcores)
            share_fault(world, "%s has %.3f of the cluster and is guaranteed %.3f",
                        world->queues[i].path, share, world->queues[i].share);
    }
}
