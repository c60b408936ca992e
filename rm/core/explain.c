/*
 * explain.c - why what is wanted is not granted, and how the queues stand. Reads everything, owns
 * nothing. The order of the reasons is the order in which the scheduler would refuse.
 */
#include <stdarg.h>
#include <stdio.h>

#include "lib/base/check.h"
#include "lib/model/text.h"
#include "rm/core/state.h"

#define PPM_WHOLE 1000000

enum {
    RESOURCE_TEXT_BYTES = 64
};

/* Use as resource_text(r).text within one expression. */
struct resource_text {
    char text[RESOURCE_TEXT_BYTES];
};

static struct resource_text resource_text(struct resource resource)
{
    struct resource_text text;
    (void)snprintf(text.text, sizeof(text.text), "%.6g GiB and %u vcores",
                   (double)resource.memory_bytes / (double)((uint64_t)1 << 30),
                   (unsigned)resource.vcores);
    return text;
}

struct wish {
    struct rm_app *app;
    struct rm_group *group; /* NULL: its master */
    struct resource resource;
};

static struct slice sentence(struct rm *rm, const char *format, ...)
    __attribute__((format(printf, 2, 3)));

static struct slice sentence(struct rm *rm, const char *format, ...)
{
    char text[512];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    return arena_copy(rm->actions->arena, slice_from_string(text));
}

/* --- the reasons, each true when it is the one ----------------------------------------------- */
static bool is_stopped(struct rm *rm, const struct wish *wish, struct rm_waiting *ret)
{
    const struct rm_queue *queue = wish->app->queue;
    if (!queue->is_stopped)
        return false;
    while (queue->parent != NULL && queue->parent->is_stopped)
        queue = queue->parent;
    ret->reason = WAIT_QUEUE_STOPPED;
    ret->queue = queue->path;
    ret->text = sentence(rm, "queue %s is stopped", text_quote(queue->path).text);
    ret->would_free = sentence(rm, "its state set to running in the queues' file, and \"mradmin "
                                   "refresh\"; or a move to another queue");
    return true;
}

static bool is_too_big(struct rm *rm, const struct wish *wish, struct rm_waiting *ret)
{
    for (size_t i = 0; i < rm->node_count; i++) {
        if (rm->nodes[i]->state == NODE_ACTIVE &&
            resource_fits(wish->resource, rm->nodes[i]->capacity))
            return false;
    }
    ret->reason = WAIT_TOO_BIG;
    ret->text =
        rm->capacity.vcores == 0
            ? sentence(rm, "no node is there")
            : sentence(rm, "%s are more than any node has; the most on one are %s",
                       resource_text(wish->resource).text, resource_text(rm->largest_node).text);
    ret->would_free = sentence(rm, "a node that has %s", resource_text(wish->resource).text);
    return true;
}

static bool is_above_queue_max(struct rm *rm, const struct wish *wish, struct rm_waiting *ret)
{
    for (const struct rm_queue *queue = wish->app->queue; queue != NULL; queue = queue->parent) {
        if (resource_fits(wish->resource, rm_queue_headroom(queue)))
            continue;
        ret->reason = WAIT_QUEUE_MAX;
        ret->queue = queue->path;
        ret->text = sentence(rm, "queue %s holds %s of at most %s", text_quote(queue->path).text,
                             resource_text(queue->used).text, resource_text(queue->max).text);
        ret->would_free = sentence(rm, "the end of containers in queue %s, or a higher max_share",
                                   text_quote(queue->path).text);
        return true;
    }
    return false;
}

static bool is_above_user_limit(struct rm *rm, const struct wish *wish, struct rm_waiting *ret)
{
    if (resource_fits(wish->resource, rm_user_headroom(rm, wish->app)))
        return false;
    const struct rm_user *user = wish->app->user;
    ret->reason = WAIT_USER_LIMIT;
    ret->queue = wish->app->queue->path;
    ret->text = sentence(rm, "user %s holds %s of at most %s in queue %s",
                         text_quote(user->name).text, resource_text(user->used).text,
                         resource_text(rm_user_limit(rm, wish->app->queue, user)).text,
                         text_quote(wish->app->queue->path).text);
    ret->would_free = sentence(rm,
                               "the end of containers of user %s, or a higher "
                               "user_limit_percent or user_limit_factor",
                               text_quote(user->name).text);
    return true;
}

static bool is_master_too_many(struct rm *rm, const struct wish *wish, struct rm_waiting *ret)
{
    if (wish->group != NULL)
        return false;
    const struct rm_queue *full = rm_queue_full_of_running(wish->app->queue);
    if (full != NULL) {
        ret->reason = WAIT_APPS_MAX;
        ret->queue = full->path;
        ret->text = sentence(rm, "queue %s runs %zu applications, and max_running is %u",
                             text_quote(full->path).text, full->running_count,
                             (unsigned)full->spec.max_running);
        ret->would_free =
            sentence(rm, "the end of an application in queue %s", text_quote(full->path).text);
        return true;
    }
    bool is_queues = !rm_queue_may_place_master(wish->app->queue, wish->resource);
    if (!is_queues && rm_scheduler_may_place_master(rm, wish->resource))
        return false;
    const struct rm_queue *queue = wish->app->queue;
    ret->reason = WAIT_MASTERS_SHARE;
    ret->queue = is_queues ? queue->path : rm->queues.root->path;
    ret->text = is_queues ? sentence(rm, "masters hold %s in queue %s, and masters_percent is %u",
                                     resource_text(queue->masters_used).text,
                                     text_quote(queue->path).text, (unsigned)queue->masters_percent)
                          : sentence(rm, "masters hold %s, and rm.masters_percent_max is %u",
                                     resource_text(rm->masters_used).text,
                                     (unsigned)rm->settings.masters_percent_max);
    ret->would_free = sentence(rm, "the end of an application that runs");
    return true;
}

static bool is_there_room(const struct rm *rm, const struct wish *wish)
{
    size_t index;
    return rm_room_find(rm->room, wish->resource, 0, &index);
}

static bool is_for_locality(struct rm *rm, const struct wish *wish, struct rm_waiting *ret)
{
    if (wish->group == NULL || !is_there_room(rm, wish))
        return false;
    const struct rm_timer *timer = &wish->group->timer;
    bool will_relax = heap_node_is_queued(&timer->heap_node);
    ret->reason = WAIT_LOCALITY;
    ret->for_ms = will_relax ? (uint64_t)(timer->heap_node.key - rm->now_ms) : 0;
    ret->text = will_relax
                    ? sentence(rm, "there is room, but not on the hosts or racks it asked for")
                    : sentence(rm, "there is room, but not on the hosts and racks it insists on");
    ret->would_free =
        will_relax ? sentence(rm, "%llu ms more, or room there", (unsigned long long)ret->for_ms)
                   : sentence(rm, "room there");
    return true;
}

static bool is_room_held(struct rm *rm, const struct wish *wish, struct rm_waiting *ret)
{
    for (size_t i = 0; rm->reserved_count > 0 && i < rm->node_count; i++) {
        const struct rm_node *node = rm->nodes[i];
        if (node->reserved_for == NULL || node->reserved_for->app == wish->app ||
            !resource_fits(wish->resource, rm_node_free(node)))
            continue;
        ret->reason = WAIT_ROOM_HELD;
        ret->behind = node->reserved_for->app->report.app;
        ret->text = sentence(rm, "host %s has room, but is kept for a larger container of %s",
                             text_quote(node->endpoint.host).text, app_id_text(ret->behind).text);
        ret->would_free = sentence(rm, "the end of containers elsewhere, or of enough on host %s",
                                   text_quote(node->endpoint.host).text);
        return true;
    }
    return false;
}

static bool is_behind_others(struct rm *rm, const struct wish *wish, struct rm_waiting *ret)
{
    struct rm_app *first = rm_scheduler_first_in_turn(rm);
    if (first == NULL || first == wish->app)
        return false;
    ret->reason = WAIT_NOT_ITS_TURN;
    ret->behind = first->report.app;
    ret->text = sentence(rm, "no node has room, and %s in queue %s is served before",
                         app_id_text(ret->behind).text, text_quote(first->queue->path).text);
    ret->would_free = sentence(rm, "the end of containers, until it is its turn");
    return true;
}

static void has_no_room(struct rm *rm, const struct wish *wish, struct rm_waiting *ret)
{
    const struct rm_reserve *reserve =
        wish->group == NULL ? &wish->app->attempt.reserve : &wish->group->reserve;
    struct resource most = rm_room_largest(rm->room);
    ret->reason = WAIT_NO_ROOM;
    if (reserve->node != NULL) {
        ret->text = sentence(rm, "host %s is kept for it and has %s free",
                             text_quote(reserve->node->endpoint.host).text,
                             resource_text(rm_node_free(reserve->node)).text);
        ret->would_free = sentence(rm, "the end of containers on host %s",
                                   text_quote(reserve->node->endpoint.host).text);
        return;
    }
    const char *lack = most.memory_bytes < wish->resource.memory_bytes ? "memory" : "vcores";
    bool has_each = resource_fits(wish->resource, most);
    ret->text = has_each
                    ? sentence(rm, "no node has memory and vcores free together: %s",
                               resource_text(wish->resource).text)
                    : sentence(rm, "no node has enough %s free for %s; the most free are %s", lack,
                               resource_text(wish->resource).text, resource_text(most).text);
    ret->would_free = sentence(rm, "the end of containers, or another node");
}

static void explain_wish(struct rm *rm, const struct wish *wish, struct rm_waiting *ret)
{
    if (!is_stopped(rm, wish, ret) && !is_too_big(rm, wish, ret) &&
        !is_above_queue_max(rm, wish, ret) && !is_above_user_limit(rm, wish, ret) &&
        !is_master_too_many(rm, wish, ret) && !is_for_locality(rm, wish, ret) &&
        !is_room_held(rm, wish, ret) && !is_behind_others(rm, wish, ret))
        has_no_room(rm, wish, ret);
}

static void explain_master(struct rm *rm, struct rm_app *app, struct rm_waiting *ret)
{
    struct wish wish = {.app = app, .resource = app->submission.master_resource};
    *ret = (struct rm_waiting){.is_master = true, .resource = wish.resource, .want = 1};
    if (app->attempt.state == RM_ATTEMPT_WAITING) {
        explain_wish(rm, &wish, ret);
        return;
    }
    int64_t due_ms = app->attempt.timer.heap_node.key;
    ret->reason = WAIT_RECOVERY_GRACE;
    ret->for_ms = due_ms > rm->now_ms ? (uint64_t)(due_ms - rm->now_ms) : 0;
    ret->text = sentence(rm, "its master ran before the resource manager's restart and has not "
                             "been heard of yet");
    ret->would_free = sentence(rm, "its master's call, or %llu ms, after which it is started anew",
                               (unsigned long long)ret->for_ms);
}

void rm_explain_app(struct rm *rm, const struct event *event)
{
    const struct rm_explain_app_request *request = event->message;
    struct rm_app *app = rm_app_or_fail(rm, event, request->app);
    if (app == NULL)
        return;
    struct rm_waiting *waiting =
        ARENA_ARRAY(rm->actions->arena, struct rm_waiting, app->groups.count + 1);
    size_t count = 0;
    if (app->attempt.state == RM_ATTEMPT_WAITING || app->attempt.state == RM_ATTEMPT_RECOVERING)
        explain_master(rm, app, &waiting[count++]);
    for (struct list_node *link = app->groups.first; link != NULL; link = link->next) {
        struct rm_group *group = link->object;
        if (group->any == 0)
            continue;
        struct wish wish = {.app = app, .group = group, .resource = group->resource};
        waiting[count] = (struct rm_waiting){
            .priority = group->priority, .resource = group->resource, .want = group->any};
        explain_wish(rm, &wish, &waiting[count++]);
    }
    struct rm_explain_app_response response = {
        .report = rm_app_report_now(app), .waiting = waiting, .waiting_count = count};
    actions_reply(rm->actions, event->call, &rm_explain_app_response_type, &response);
}

/* --- the queues ------------------------------------------------------------------------------ */
static void add_pending(struct rm_queue_report *report, struct resource resource, uint32_t count)
{
    uint64_t vcores = (uint64_t)report->pending.vcores + (uint64_t)resource.vcores * count;
    report->pending.memory_bytes += resource.memory_bytes * count;
    report->pending.vcores = vcores < UINT32_MAX ? (uint32_t)vcores : UINT32_MAX;
    report->containers_pending += count;
}

static void add_pending_of(struct rm_queue_report *report, const struct rm_app *app)
{
    if (!rm_app_is_over(app) && app->attempt.state == RM_ATTEMPT_WAITING)
        add_pending(report, app->submission.master_resource, 1);
    for (const struct list_node *link = app->groups.first; link != NULL; link = link->next) {
        const struct rm_group *group = link->object;
        add_pending(report, group->resource, group->any);
    }
}

/* Writes the queue's report and those below it; returns how many. */
static size_t report_queues(const struct rm_queue *queue, struct rm_queue_report *reports)
{
    size_t count = 1;
    *reports = (struct rm_queue_report){
        .path = queue->path,
        .is_leaf = rm_queue_is_leaf(queue),
        .is_vanished = queue->is_vanished,
        .state = queue->is_stopped    ? QUEUE_STOPPED
                 : queue->is_draining ? QUEUE_DRAINING
                                      : QUEUE_RUNNING,
        .share_ppm = (uint32_t)(queue->share * PPM_WHOLE + 0.5),
        .max_share_ppm = (uint32_t)(queue->max_share * PPM_WHOLE + 0.5),
        .guaranteed = queue->guaranteed,
        .max = queue->mostly,
        .used = queue->used,
        .apps = (uint32_t)queue->live_count,
        .apps_running = (uint32_t)queue->running_count,
    };
    for (const struct list_node *link = queue->apps.first; link != NULL; link = link->next)
        add_pending_of(reports, link->object);
    for (const struct list_node *link = queue->children.first; link != NULL; link = link->next) {
        struct rm_queue_report *below = &reports[count];
        count += report_queues(link->object, below);
        reports->pending.memory_bytes += below->pending.memory_bytes;
        uint64_t vcores = (uint64_t)reports->pending.vcores + below->pending.vcores;
        reports->pending.vcores = vcores < UINT32_MAX ? (uint32_t)vcores : UINT32_MAX;
        reports->containers_pending += below->containers_pending;
    }
    return count;
}

void rm_queues_get(struct rm *rm, const struct event *event)
{
    size_t most = map_count(rm->queues.paths) + map_count(rm->queues.vanished);
    struct rm_queue_report *reports = ARENA_ARRAY(rm->actions->arena, struct rm_queue_report, most);
    struct rm_get_queues_response response = {.queues = reports, .capacity = rm->capacity};
    response.queues_count = report_queues(rm->queues.root, reports);
    CHECK(response.queues_count == most);
    actions_reply(rm->actions, event->call, &rm_get_queues_response_type, &response);
}
