/*
 * nodemgr.c - the door of the node manager's machine: dispatch, deadline, checks.
 */
#include "nodemgr/core/nodemgr.h"

#include <string.h>

#include "lib/base/check.h"
#include "lib/base/mem.h"
#include "nodemgr/core/nodemgr_internal.h"

enum status nodemgr_open(const struct nodemgr_settings *settings,
                         uint64_t seed,
                         struct nodemgr **ret_nodemgr)
{
    if (settings->self.node_id == 0 || settings->rm_address.length == 0 ||
        settings->grant_verify == NULL || settings->capacity.memory_bytes == 0)
        return ERR_INVALID;
    struct nodemgr *nodemgr = MEM_NEW(struct nodemgr);
    nodemgr->settings = *settings;
    struct nodemgr_settings *own = &nodemgr->settings;
    own->term_grace_ms = own->term_grace_ms > 0 ? own->term_grace_ms : 250;
    own->retry_min_ms = own->retry_min_ms > 0 ? own->retry_min_ms : 50;
    own->retry_max_ms = own->retry_max_ms > 0 ? own->retry_max_ms : 2000;
    own->call_timeout_ms = own->call_timeout_ms > 0 ? own->call_timeout_ms : 5000;
    own->stop_max_ms = own->stop_max_ms > 0 ? own->stop_max_ms : 5000;
    nodemgr->rng = rng_seed(seed);
    nodemgr->backoff_ms = own->retry_min_ms;
    nodemgr->next_tag = NODEMGR_TAG_FIRST;
    nodemgr->call_at_ms = INT64_MAX; /* until EVENT_START */
    nodemgr->by_tag = map_u64_open();
    nodemgr->containers = map_open();
    nodemgr->apps = map_open();
    nodemgr->forgotten = map_open();
    for (size_t i = 0; i < settings->known_apps_count; i++)
        (void)nodemgr_app_add(nodemgr, &settings->known_apps[i]);
    own->known_apps = NULL;
    own->known_apps_count = 0;
    *ret_nodemgr = nodemgr;
    return OK;
}

void nodemgr_close(struct nodemgr *nodemgr)
{
    if (!nodemgr)
        return;
    size_t cursor = 0;
    void *value;
    while (map_next(nodemgr->containers, &cursor, NULL, &value))
        nodemgr_container_free(value);
    nodemgr_apps_free(nodemgr);
    map_u64_close(nodemgr->by_tag);
    map_close(nodemgr->containers);
    map_close(nodemgr->apps);
    map_close(nodemgr->forgotten);
    mem_free(nodemgr);
}

/* --- requests --------------------------------------------------------------------------------- */
static bool may_act_for(const struct event *event, struct slice user)
{
    return slice_equal(event->user, user) || slice_equal_string(event->user, "millrace");
}

static void start_container(struct nodemgr *nodemgr,
                            const struct event *event,
                            struct actions *actions)
{
    const struct nm_start_container_request *request = event->message;
    struct nodemgr_grant grant = {0};
    enum status status = nodemgr->settings.grant_verify(
        nodemgr->settings.grant_context, request->token, &request->container,
        nodemgr->settings.self.node_id, event->wall_ms, &grant);
    if (status != OK) {
        actions_fail(
            actions, event->call, status,
            "the token is not the resource manager's grant of this container on this node");
        return;
    }
    if (!may_act_for(event, grant.user)) {
        actions_fail(actions, event->call, ERR_DENIED, "the container was granted to %.*s",
                     SLICE_ARGS(grant.user));
        return;
    }
    nodemgr_container_start(nodemgr, &request->container, &grant.resource, grant.user,
                            &request->launch, &event->call, actions);
}

static void stop_container(struct nodemgr *nodemgr,
                           const struct event *event,
                           struct actions *actions)
{
    static const struct nm_stop_container_response response = {0};
    const struct nm_stop_container_request *request = event->message;
    struct nodemgr_container *container = nodemgr_container_find(nodemgr, &request->container);
    if (container && container->state != NC_COMPLETED && !may_act_for(event, container->user)) {
        actions_fail(actions, event->call, ERR_DENIED, "the container belongs to %.*s",
                     SLICE_ARGS(container->user));
        return;
    }
    if (container)
        nodemgr_container_kill(nodemgr, container, NODEMGR_EXIT_BY_MASTER, request->diagnostics,
                               actions);
    /* A container that is over, or not here, is as stopped as can be told: one that was granted but
     * never started is given back to the resource manager, which then has it refused here. */
    actions_reply(actions, event->call, &nm_stop_container_response_type, &response);
}

static void list_containers(const struct nodemgr *nodemgr,
                            const struct event *event,
                            struct actions *actions)
{
    struct rm_container_status *statuses =
        ARENA_ARRAY(actions->arena, struct rm_container_status, map_count(nodemgr->containers) + 1);
    struct nm_list_containers_response response = {.containers = statuses};
    size_t cursor = 0;
    void *value;
    while (map_next(nodemgr->containers, &cursor, NULL, &value)) {
        const struct nodemgr_container *container = value;
        if (may_act_for(event, container->user))
            nodemgr_container_status(container, &statuses[response.containers_count++]);
    }
    actions_reply(actions, event->call, &nm_list_containers_response_type, &response);
}

static void request(struct nodemgr *nodemgr, const struct event *event, struct actions *actions)
{
    if (event->method == METHOD_NODE_MANAGER_START_CONTAINER)
        start_container(nodemgr, event, actions);
    else if (event->method == METHOD_NODE_MANAGER_STOP_CONTAINER)
        stop_container(nodemgr, event, actions);
    else if (event->method == METHOD_NODE_MANAGER_LIST_CONTAINERS)
        list_containers(nodemgr, event, actions);
    else
        actions_fail(actions, event->call, ERR_UNSUPPORTED, "not a node manager's method");
}

/* --- the door --------------------------------------------------------------------------------- */
static void take_usable(struct nodemgr *nodemgr,
                        const struct nodemgr_usable *usable,
                        struct actions *actions)
{
    size_t length = usable->why_not.length;
    if (length >= sizeof(nodemgr->unusable))
        length = sizeof(nodemgr->unusable) - 1;
    if (length > 0)
        memcpy(nodemgr->unusable, usable->why_not.data, length);
    nodemgr->unusable[length] = '\0';
    trace_emit(actions->trace, "nm %llu %s", (unsigned long long)nodemgr->settings.self.node_id,
               length > 0 ? "unusable" : "usable");
}

void nodemgr_step(struct nodemgr *nodemgr, const struct event *event, struct actions *ret_actions)
{
    nodemgr->now_ms = event->now_ms;
    switch (event->kind) {
    case EVENT_START:
        nodemgr->call_at_ms = event->now_ms;
        break;
    case EVENT_REQUEST:
        request(nodemgr, event, ret_actions);
        break;
    case EVENT_RESPONSE:
        nodemgr_registration_response(nodemgr, event, ret_actions);
        break;
    case EVENT_EFFECT_DONE:
        if (event->effect == NODEMGR_FORGET)
            nodemgr_app_forget_done(nodemgr, event, ret_actions);
        else
            nodemgr_container_effect_done(nodemgr, event, ret_actions);
        break;
    case EVENT_LOCAL:
        if (event->effect == NODEMGR_USABLE)
            take_usable(nodemgr, event->data, ret_actions);
        else
            nodemgr_container_local(nodemgr, event, ret_actions);
        break;
    case EVENT_STOP:
        nodemgr_registration_stop(nodemgr, ret_actions);
        break;
    case EVENT_TICK:
    case EVENT_REPLAY:            /* it has no journal */
    case EVENT_REQUEST_CANCELLED: /* starts are answered in any case */
        break;
    }
    nodemgr_container_tick(nodemgr, ret_actions);
    nodemgr_registration_advance(nodemgr, ret_actions);
}

int64_t nodemgr_deadline_ms(const struct nodemgr *nodemgr)
{
    int64_t deadline = nodemgr_registration_deadline_ms(nodemgr);
    size_t cursor = 0;
    void *value;
    while (map_next(nodemgr->containers, &cursor, NULL, &value)) {
        const struct nodemgr_container *container = value;
        if (container->state == NC_KILLING && container->kill_at_ms < deadline)
            deadline = container->kill_at_ms;
    }
    return deadline;
}

void nodemgr_check(const struct nodemgr *nodemgr)
{
    struct resource used = {0};
    bool is_reporting = false;
    bool is_listed = false;
    bool is_telling = false;
    size_t cursor = 0;
    void *value;
    while (map_next(nodemgr->containers, &cursor, NULL, &value)) {
        const struct nodemgr_container *container = value;
        bool has_process = container->state == NC_RUNNING || container->state == NC_KILLING ||
                           container->state == NC_KILLED_HARD;
        bool is_completed = container->state == NC_COMPLETED;
        bool is_pending = container->state == NC_LOCALIZING || container->state == NC_LAUNCHING ||
                          container->state == NC_LOCALIZING_DOOMED ||
                          container->state == NC_LAUNCHING_DOOMED;
        CHECK(has_process == (container->process_id != 0)); /* NM-2 */
        CHECK(has_process || is_pending || is_completed);
        CHECK(is_pending || container->waiters_count == 0);
        CHECK(map_u64_get(nodemgr->by_tag, container->tag) == container);
        CHECK(is_completed || (!container->is_reporting && !container->is_listed)); /* NM-3 */
        is_reporting |= container->is_reporting;
        is_listed |= container->is_listed;
        is_telling |= container->is_telling;
        if (is_completed)
            continue;
        CHECK(container->app != NULL);
        used.memory_bytes += container->resource.memory_bytes;
        used.vcores += container->resource.vcores;
    }
    CHECK(map_u64_count(nodemgr->by_tag) == map_count(nodemgr->containers));
    CHECK(used.memory_bytes == nodemgr->used.memory_bytes);
    CHECK(used.vcores == nodemgr->used.vcores);
    CHECK(used.memory_bytes <= nodemgr->settings.capacity.memory_bytes); /* NM-1 */
    CHECK(used.vcores <= nodemgr->settings.capacity.vcores);
    CHECK(!is_reporting || nodemgr->report_out);  /* NM-5 */
    CHECK(!is_telling || nodemgr->heartbeat_out); /* NM-5 */
    CHECK(!is_listed || nodemgr->register_out);
    nodemgr_apps_check(nodemgr);
}
