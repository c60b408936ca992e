/*
 * queue_tree.c - the queues as the operator wants them: checked, built, replaced. Owns the settings
 * in struct rm_queue and rm.queues.
 */
#include <string.h>

#include "lib/base/check.h"
#include "lib/base/error.h"
#include "lib/base/mem.h"
#include "lib/model/limits.h"
#include "lib/model/text.h"
#include "rm/core/state.h"

#define PPM_WHOLE 1000000u

static const char root_path[] = "root";

/* --- checking -------------------------------------------------------------------------------- */
static struct slice parent_path(struct slice path)
{
    size_t length = path.length;
    while (length > 0 && path.data[length - 1] != '.')
        length--;
    return slice_sub(path, 0, length == 0 ? 0 : length - 1);
}

static bool name_byte_is_good(uint8_t byte)
{
    return (byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') ||
           (byte >= '0' && byte <= '9') || byte == '_' || byte == '-';
}

static const char *path_fault(struct slice path)
{
    if (path.length > LIMIT_QUEUE_NAME_BYTES)
        return "its path is too long; shorten it";
    size_t names = 1;
    bool is_empty = true;
    for (size_t i = 0; i < path.length; i++) {
        if (path.data[i] == '.') {
            if (is_empty)
                return "a name in its path is empty; write root.parent.name";
            names++;
            is_empty = true;
        } else if (!name_byte_is_good(path.data[i])) {
            return "a name has letters, digits, '_' and '-' only; rename it";
        } else {
            is_empty = false;
        }
    }
    if (is_empty)
        return "a name in its path is empty; write root.parent.name";
    if (names > LIMIT_QUEUE_DEPTH)
        return "it lies too deep; eight names are the most";
    if (!slice_equal_string(path, root_path) && !slice_has_prefix(path, slice_from_string("root.")))
        return "every queue lies below root; write root.name";
    return NULL;
}

static const struct rm_queue_spec *spec_find(const struct rm_queue_specs *specs, struct slice path)
{
    for (size_t i = 0; i < specs->queues_count; i++) {
        if (slice_equal(specs->queues[i].path, path))
            return &specs->queues[i];
    }
    return NULL;
}

static bool is_child(const struct rm_queue_spec *spec, struct slice path)
{
    return !slice_equal_string(spec->path, root_path) && slice_equal(parent_path(spec->path), path);
}

static bool has_children(const struct rm_queue_specs *specs, struct slice path)
{
    for (size_t i = 0; i < specs->queues_count; i++) {
        if (is_child(&specs->queues[i], path))
            return true;
    }
    return false;
}

/* Of the parent's, in millionths: what was given, or an equal part of what the others leave. */
static double share_of_parent(const struct rm_queue_specs *specs, const struct rm_queue_spec *spec)
{
    if (slice_equal_string(spec->path, root_path))
        return 1;
    if (spec->has_share)
        return (double)spec->share_ppm / PPM_WHOLE;
    uint64_t given = 0;
    size_t without = 0;
    for (size_t i = 0; i < specs->queues_count; i++) {
        const struct rm_queue_spec *other = &specs->queues[i];
        if (!is_child(other, parent_path(spec->path)))
            continue;
        given += other->has_share ? other->share_ppm : 0;
        without += !other->has_share;
    }
    return given >= PPM_WHOLE ? 0 : (double)(PPM_WHOLE - given) / PPM_WHOLE / (double)without;
}

static double share_of_cluster(const struct rm_queue_specs *specs, struct slice path)
{
    double share = 1;
    const struct rm_queue_spec *spec;
    while ((spec = spec_find(specs, path)) != NULL && !slice_equal_string(path, root_path)) {
        share *= share_of_parent(specs, spec);
        path = parent_path(path);
    }
    return share;
}

static const char *leaf_fault(const struct rm_queue_specs *specs, const struct rm_queue_spec *spec)
{
    if (!has_children(specs, spec->path))
        return NULL;
    if (spec->order != QUEUE_ORDER_DEFAULT)
        return "order is for queues without queues below; remove it";
    if (spec->user_limit_percent > 0 || spec->user_limit_factor_ppm > 0)
        return "user limits are for queues without queues below; remove them";
    return NULL;
}

static const char *number_fault(const struct rm_queue_specs *specs,
                                const struct rm_queue_spec *spec)
{
    bool is_root = slice_equal_string(spec->path, root_path);
    if (spec->has_share && spec->share_ppm > PPM_WHOLE)
        return "share is above 100; it is a percentage of the parent";
    if (is_root && ((spec->has_share && spec->share_ppm != PPM_WHOLE) ||
                    (spec->max_share_ppm != 0 && spec->max_share_ppm != PPM_WHOLE)))
        return "root has all of the cluster; remove its share and max_share";
    if (spec->max_share_ppm > PPM_WHOLE)
        return "max_share is above 100; it is a percentage of the cluster";
    if (spec->user_limit_percent > 100 || spec->masters_percent > 100)
        return "a percentage is above 100; lower it";
    if (spec->max_share_ppm > 0 &&
        (double)spec->max_share_ppm / PPM_WHOLE + 1e-9 < share_of_cluster(specs, spec->path))
        return "max_share is below what share guarantees of the cluster; raise it or lower share";
    return leaf_fault(specs, spec);
}

static uint64_t sum_of_shares(const struct rm_queue_specs *specs, struct slice path)
{
    uint64_t sum = 0;
    for (size_t i = 0; i < specs->queues_count; i++) {
        if (is_child(&specs->queues[i], path) && specs->queues[i].has_share)
            sum += specs->queues[i].share_ppm;
    }
    return sum;
}

static enum status refuse(const struct rm_queue_specs *specs,
                          const struct rm_queue_spec *spec,
                          const char *why,
                          struct error *reterr_error)
{
    return error_set(reterr_error, ERR_INVALID, "%.*s:%u: queue %s: %s", SLICE_ARGS(specs->file),
                     (unsigned)spec->line, text_quote(spec->path).text, why);
}

static enum status check_spec(const struct rm_queue_specs *specs,
                              const struct rm_queue_spec *spec,
                              struct error *reterr_error)
{
    const char *fault = path_fault(spec->path);
    if (fault == NULL && spec_find(specs, spec->path) != spec)
        fault = "it has two sections; keep one";
    if (fault == NULL && !slice_equal_string(spec->path, root_path) &&
        !slice_equal_string(parent_path(spec->path), root_path) &&
        spec_find(specs, parent_path(spec->path)) == NULL)
        fault = "the queue above it has no section; add one";
    if (fault == NULL)
        fault = number_fault(specs, spec);
    if (fault != NULL)
        return refuse(specs, spec, fault, reterr_error);
    uint64_t sum = sum_of_shares(specs, spec->path);
    if (sum > PPM_WHOLE)
        return error_set(reterr_error, ERR_INVALID,
                         "%.*s:%u: queue %s: the shares of the queues below it add up to %.6g "
                         "percent; lower them to 100 together",
                         SLICE_ARGS(specs->file), (unsigned)spec->line, text_quote(spec->path).text,
                         (double)sum / 1e4);
    return OK;
}

enum status rm_queues_check_specs(const struct rm_queue_specs *specs, struct error *reterr_error)
{
    if (specs->queues_count > LIMIT_QUEUES)
        return error_set(reterr_error, ERR_LIMIT, "%.*s: more than %d queues; merge some",
                         SLICE_ARGS(specs->file), (int)LIMIT_QUEUES);
    static const uint8_t *root_bytes = (const uint8_t *)root_path;
    struct rm_queue_spec root = {.path = slice_make(root_bytes, sizeof(root_path) - 1), .line = 1};
    if (spec_find(specs, root.path) == NULL && sum_of_shares(specs, root.path) > PPM_WHOLE)
        return refuse(specs, &root,
                      "the shares of the queues below it add up to more than 100 percent; lower "
                      "them to 100 together",
                      reterr_error);
    for (size_t i = 0; i < specs->queues_count; i++) {
        enum status status = check_spec(specs, &specs->queues[i], reterr_error);
        if (status != OK)
            return status;
    }
    return OK;
}

/* --- building -------------------------------------------------------------------------------- */
static struct rm_queue *queue_new(struct rm *rm, struct rm_queue *parent, struct slice path)
{
    struct rm_queue *queue = MEM_NEW(struct rm_queue);
    queue->path = path;
    queue->parent = parent;
    queue->order = rm->queues.order++;
    queue->users = map_open();
    queue->below_seen_ms = -1;
    queue->share = 1;
    queue->max_share = 1;
    queue->masters_percent = 100;
    queue->priority_max = LIMIT_PRIORITY;
    queue->has_preemption = true;
    if (parent != NULL) {
        list_append(&parent->children, &queue->sibling_link, queue);
        queue->max_share = parent->max_share;
        queue->masters_percent = parent->masters_percent;
        queue->priority_max = parent->priority_max;
        queue->has_preemption = parent->has_preemption;
        queue->is_stopped = parent->is_stopped;
        queue->is_draining = parent->is_draining;
    }
    return queue;
}

static void queue_set(struct rm *rm,
                      struct rm_queue *queue,
                      const struct rm_queue_specs *specs,
                      const struct rm_queue_spec *spec)
{
    message_copy_into(&rm_queue_spec_type, spec, &queue->spec, rm->queues.arena);
    queue->share =
        share_of_parent(specs, spec) * (queue->parent == NULL ? 1 : queue->parent->share);
    if (spec->max_share_ppm > 0 && (double)spec->max_share_ppm / PPM_WHOLE < queue->max_share)
        queue->max_share = (double)spec->max_share_ppm / PPM_WHOLE;
    queue->is_stopped = queue->is_stopped || spec->state == QUEUE_STOPPED;
    queue->is_draining = queue->is_draining || spec->state == QUEUE_DRAINING;
    queue->is_fifo = spec->order == QUEUE_FIFO;
    if (spec->preemption != QUEUE_PREEMPTION_INHERITED)
        queue->has_preemption = spec->preemption == QUEUE_PREEMPTION_ON;
    if (spec->masters_percent > 0)
        queue->masters_percent = spec->masters_percent;
    if (spec->has_priority_max)
        queue->priority_max = spec->priority_max;
}

static void build_below(struct rm *rm, struct rm_queue *queue, const struct rm_queue_specs *specs)
{
    for (size_t i = 0; i < specs->queues_count; i++) {
        const struct rm_queue_spec *spec = &specs->queues[i];
        if (!is_child(spec, queue->path))
            continue;
        struct rm_queue *child = queue_new(rm, queue, arena_copy(rm->queues.arena, spec->path));
        queue_set(rm, child, specs, spec);
        (void)map_put(rm->queues.paths, child->path, child);
        build_below(rm, child, specs);
    }
}

void rm_queues_open(struct rm *rm, const struct rm_queue_specs *specs)
{
    rm->queues.arena = arena_open(0);
    rm->queues.paths = map_open();
    rm->queues.vanished = map_open();
    rm->queues.order = 0;
    struct slice path = slice_from_string(root_path);
    rm->queues.root = queue_new(rm, NULL, path);
    (void)map_put(rm->queues.paths, path, rm->queues.root);
    const struct rm_queue_spec *spec = spec_find(specs, path);
    if (spec != NULL)
        queue_set(rm, rm->queues.root, specs, spec);
    build_below(rm, rm->queues.root, specs);
    if (rm->queues.root->children.count == 0) {
        struct slice leaf = slice_from_string(RM_QUEUE_DEFAULT);
        (void)map_put(rm->queues.paths, leaf, queue_new(rm, rm->queues.root, leaf));
    }
    rm_queues_measure(rm);
}

static void queue_free(struct rm *rm, struct rm_queue *queue)
{
    while (queue->children.first != NULL)
        queue_free(rm, queue->children.first->object);
    CHECK(queue->apps.count == 0);
    if (queue->parent != NULL) {
        for (int which = 0; which < QUEUE_RANK_COUNT; which++)
            rm_rank_remove(&queue->parent->ranks[which], &queue->nodes[which]);
    }
    list_remove(&queue->sibling_link);
    list_remove(&queue->relaxed_link);
    map_close(queue->users);
    mem_free(queue);
}

void rm_queues_close(struct rm *rm)
{
    if (rm->queues.root == NULL)
        return;
    queue_free(rm, rm->queues.root);
    map_close(rm->queues.paths);
    map_close(rm->queues.vanished);
    arena_close(rm->queues.arena);
    rm->queues = (struct rm_queues){0};
}

void rm_queues_replace(struct rm *rm, const struct rm_queue_specs *specs)
{
    size_t total = map_u64_count(rm->apps);
    struct rm_app **members = ARENA_ARRAY(rm->actions->arena, struct rm_app *, total);
    size_t count = 0;
    size_t cursor = 0;
    void *value;
    while (map_u64_next(rm->apps, &cursor, NULL, &value)) {
        struct rm_app *app = value;
        if (app->queue == NULL)
            continue;
        members[count++] = app;
        rm_queue_leave(rm, app);
    }
    rm_queues_close(rm);
    rm_queues_open(rm, specs);
    for (size_t i = 0; i < count; i++)
        rm_queue_join(rm, members[i], members[i]->report.queue);
    rm_scheduler_mark_all(rm);
}

struct rm_queue *rm_queue_find(const struct rm *rm, struct slice path)
{
    return map_get(rm->queues.paths, path);
}

struct rm_queue *rm_queue_or_stand_in(struct rm *rm, struct slice path)
{
    struct rm_queue *queue = rm_queue_find(rm, path);
    if (queue != NULL && rm_queue_is_leaf(queue))
        return queue;
    queue = map_get(rm->queues.vanished, path);
    if (queue != NULL)
        return queue;
    queue = queue_new(rm, rm->queues.root, arena_copy(rm->queues.arena, path));
    queue->is_vanished = true;
    queue->is_draining = true;
    queue->is_stopped = false;
    queue->share = 0;
    (void)map_put(rm->queues.vanished, path, queue);
    rm_queues_measure(rm);
    return queue;
}

void rm_queue_prune(struct rm *rm, struct rm_queue *queue)
{
    if (!queue->is_vanished || queue->apps.count > 0)
        return;
    CHECK(map_remove(rm->queues.vanished, queue->path) == queue);
    queue_free(rm, queue);
}

/* --- who may --------------------------------------------------------------------------------- */
static bool list_names(struct slice list, const struct event *event)
{
    size_t from = 0;
    while (from < list.length) {
        size_t to = from;
        while (to < list.length && list.data[to] != ',' && list.data[to] != ' ')
            to++;
        struct slice name = slice_sub(list, from, to - from);
        from = to + 1;
        if (name.length == 0)
            continue;
        if (slice_equal_string(name, "*") || slice_equal(name, event->user))
            return true;
        for (size_t i = 0; name.data[0] == '@' && i < event->groups_count; i++) {
            if (slice_equal(slice_sub(name, 1, name.length - 1), event->groups[i]))
                return true;
        }
    }
    return false;
}

bool rm_queue_may_administer(const struct rm *rm,
                             const struct rm_queue *queue,
                             const struct event *event)
{
    if (rm_user_is_admin(rm, event->user))
        return true;
    for (; queue != NULL; queue = queue->parent) {
        if (queue->spec.has_administer && list_names(queue->spec.administer, event))
            return true;
    }
    return false;
}

bool rm_queue_may_submit(const struct rm *rm,
                         const struct rm_queue *queue,
                         const struct event *event)
{
    if (rm_queue_may_administer(rm, queue, event))
        return true;
    /* The nearest list counts: a wider one above does not open what a narrower one closes. */
    while (queue != NULL && !queue->spec.has_submit)
        queue = queue->parent;
    return queue == NULL || list_names(queue->spec.submit, event);
}
