/*
 * registration.c - a node's containers and this machine's allocations are made to agree when the
 * node registers, and whenever it says that a container has completed.
 */
#include "lib/base/mem.h"
#include "rm/core/state.h"

/*
 * True when the container may go on: its application's current attempt is, or may be, alive, and
 * has not yet been told what is left of it.
 */
static bool is_wanted(const struct rm *rm, const struct rm_app *app, struct container_id id)
{
    if (app == NULL || rm_app_is_over(app) || id.app_attempt != app->report.app_attempt)
        return false;
    /* Of this epoch it would be known; what is not was given up. */
    bool is_recovering = rm->now_ms < rm->recovering_until_ms;
    return id.epoch < rm->epoch && (app->attempt.state == RM_ATTEMPT_RECOVERING ||
                                    (app->attempt.state == RM_ATTEMPT_REGISTERED && is_recovering));
}

/* A running container that is not known here. */
static void take_over(struct rm *rm,
                      struct rm_node *node,
                      const struct rm_container_status *status,
                      bool is_first)
{
    struct rm_app *app = rm_app_find(rm, status->container.app);
    bool is_wanted_here = is_first && is_wanted(rm, app, status->container);
    struct rm_allocation *allocation =
        rm_allocation_new(rm, status->container, app, node, status->resource, 0);
    allocation->is_listed = true;
    if (is_wanted_here) {
        rm_allocation_apply(rm, allocation, RM_ALLOCATION_STARTED);
        if (allocation->is_master)
            rm_attempt_master_seen(rm, app, allocation);
        return;
    }
    rm_allocation_apply(rm, allocation, RM_ALLOCATION_KILL);
    rm_node_add_gone(node, status->container);
}

static void reconcile_listed(struct rm *rm,
                             struct rm_node *node,
                             const struct rm_container_status *status,
                             bool is_first)
{
    struct rm_allocation *allocation = rm_allocation_find(rm, status->container);
    if (allocation == NULL) {
        take_over(rm, node, status, is_first);
        return;
    }
    if (allocation->node != node) {
        rm_node_add_gone(node, status->container); /* RM-4: it is elsewhere */
        return;
    }
    allocation->is_listed = true;
    rm_command_drop_container(node, status->container);
    if (allocation->state == RM_ALLOCATION_KILLING)
        rm_node_add_gone(node, status->container);
    else
        rm_allocation_start(rm, allocation);
}

/* What this machine counts on the node but the node did not name. */
static void reconcile_unlisted(struct rm *rm, struct rm_node *node)
{
    struct list_node *link = node->allocations.first;
    while (link != NULL) {
        struct rm_allocation *allocation = link->object;
        link = link->next;
        if (allocation->is_listed)
            continue;
        if (allocation->state == RM_ALLOCATION_RUNNING ||
            allocation->state == RM_ALLOCATION_KILLING) {
            rm_node_add_gone(node, allocation->id);
            rm_allocation_end(rm, allocation, RM_EXIT_ABORTED,
                              slice_from_string("the node came back without the container"));
            link = node->allocations.first; /* that may have ended others, the next one, too */
            continue;
        }
        /* A master whose launch was acknowledged but not survived is launched again. */
        if (allocation->is_master && allocation->state == RM_ALLOCATION_ACQUIRED)
            rm_command_launch(rm, node, allocation->id);
        allocation->is_listed = true; /* done with */
    }
    for (link = node->allocations.first; link != NULL; link = link->next) {
        struct rm_allocation *allocation = link->object;
        allocation->is_listed = false;
    }
}

/* Folders of applications that are over, and the nodes of those that are not. */
static void reconcile_apps(struct rm *rm,
                           struct rm_node *node,
                           const struct rm_register_node_request *request)
{
    for (size_t i = 0; i < request->apps_count; i++) {
        struct rm_app *app = rm_app_find(rm, request->apps[i]);
        if (app != NULL && !rm_app_is_over(app))
            (void)map_u64_put(app->nodes, node->node_id, node);
        else if (!rm_node_has_app(node, request->apps[i]))
            rm_command_forget(rm, node, request->apps[i]);
    }
}

void rm_node_add_gone(struct rm_node *node, struct container_id container)
{
    for (size_t i = 0; i < node->gone_count; i++) {
        if (container_id_equal(node->gone[i], container))
            return;
    }
    node->gone =
        mem_reserve(node->gone, node->gone_count, &node->gone_capacity, sizeof(node->gone[0]));
    node->gone[node->gone_count++] = container;
}

void rm_node_reconcile(struct rm *rm,
                       struct rm_node *node,
                       const struct rm_register_node_request *request,
                       bool is_first)
{
    for (size_t i = 0; i < request->containers_count; i++) {
        const struct rm_container_status *status = &request->containers[i];
        if (container_id_is_none(status->container))
            continue;
        if (status->state == CONTAINER_COMPLETED)
            rm_node_take_completed(rm, node, status);
        else
            reconcile_listed(rm, node, status, is_first);
    }
    reconcile_unlisted(rm, node);
    reconcile_apps(rm, node, request);
}

void rm_node_take_completed(struct rm *rm,
                            struct rm_node *node,
                            const struct rm_container_status *status)
{
    struct rm_allocation *allocation = rm_allocation_find(rm, status->container);
    if (allocation != NULL) {
        if (allocation->node == node)
            rm_allocation_end(rm, allocation, status->exit_status, status->diagnostics);
        return;
    }
    /* It ended while this machine was down: its master is still to hear of it. */
    struct rm_app *app = rm_app_find(rm, status->container.app);
    if (!is_wanted(rm, app, status->container))
        return;
    if (status->container.sequence != RM_MASTER_SEQUENCE)
        rm_answer_add_completed(rm, app, status->container, status->exit_status,
                                status->diagnostics, status->resource);
    else if (app->attempt.master == NULL && app->attempt.state == RM_ATTEMPT_RECOVERING)
        rm_attempt_master_ended(rm, app, status->exit_status, status->diagnostics, node->node_id);
}
