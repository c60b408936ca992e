/*
 * registration.c - this node and the resource manager: registration, the held heartbeat, commands,
 * reports of completed containers.
 * Owns registration, session, epoch, performed, heartbeat_out, report_out and the retry times.
 * Invariants: NM-3, NM-5 of nodemgr.h.
 * Called from nodemgr_step only. States: docs/states/nodemgr_registration.dot.
 */
#include "nodemgr/core/nodemgr_internal.h"

#include "lib/base/check.h"
#include "lib/model/limits.h"

static const struct transition_row registration_rows[] = {
    {NR_UNREGISTERED,  NRE_CALL,         NR_REGISTERING,   NULL},
    {NR_REGISTERING,   NRE_ACCEPTED,     NR_REGISTERED,    NULL},
    {NR_REGISTERING,   NRE_REFUSED,      NR_UNREGISTERED,  NULL},
    {NR_REGISTERED,    NRE_SESSION_LOST, NR_UNREGISTERED,  NULL},
    {NR_UNREGISTERED,  NRE_STOP,         NR_STOPPING,      NULL},
    {NR_REGISTERING,   NRE_STOP,         NR_STOPPING,      NULL},
    {NR_REGISTERED,    NRE_STOP,         NR_STOPPING,      NULL},
    {NR_STOPPING,      NRE_DRAINED,      NR_UNREGISTERING, NULL},
    {NR_STOPPING,      NRE_GONE,         NR_STOPPED,       NULL},
    {NR_UNREGISTERING, NRE_GONE,         NR_STOPPED,       NULL},
};

#define NODEMGR_NAME(value, name) name,

static const char *const registration_state_names[] = {NODEMGR_REGISTRATION_STATES(NODEMGR_NAME)};
static const char *const registration_event_names[] = {NODEMGR_REGISTRATION_EVENTS(NODEMGR_NAME)};

#undef NODEMGR_NAME

const struct transition_table nodemgr_registration_table = {
    .name = "nodemgr_registration",
    .rows = registration_rows,
    .count = sizeof registration_rows / sizeof registration_rows[0],
    .state_names = registration_state_names,
    .state_count = NR_STATE_COUNT,
    .event_names = registration_event_names,
    .event_count = NR_EVENT_COUNT,
};

static void apply(struct nodemgr *nodemgr,
                  enum nodemgr_registration_event event,
                  struct actions *actions)
{
    int before = nodemgr->registration;
    CHECK(transition_apply(&nodemgr_registration_table, &nodemgr->registration, (int)event, nodemgr,
                           NULL) == OK);
    trace_emit(actions->trace, "nm %llu %s->%s", (unsigned long long)nodemgr->settings.self.node_id,
               registration_state_names[before], registration_state_names[nodemgr->registration]);
}

/* Doubling pause with jitter, so that a restarted resource manager is not met by all nodes at once.
 */
static int64_t next_pause_ms(struct nodemgr *nodemgr)
{
    int64_t pause = nodemgr->backoff_ms;
    nodemgr->backoff_ms =
        pause * 2 > nodemgr->settings.retry_max_ms ? nodemgr->settings.retry_max_ms : pause * 2;
    return pause / 2 + (int64_t)rng_below(&nodemgr->rng, (uint64_t)(pause / 2) + 1);
}

/* --- calls ------------------------------------------------------------------------------------ */
/* Room for the status of every container, from the arena of the step. */
static struct rm_container_status *status_room(const struct nodemgr *nodemgr,
                                               struct actions *actions)
{
    return ARENA_ARRAY(actions->arena, struct rm_container_status,
                       map_count(nodemgr->containers) + 1);
}

static size_t live_count(const struct nodemgr *nodemgr)
{
    size_t count = 0;
    size_t cursor = 0;
    void *value;
    while (map_next(nodemgr->containers, &cursor, NULL, &value))
        count += ((const struct nodemgr_container *)value)->state != NC_COMPLETED;
    return count;
}

static void call_register(struct nodemgr *nodemgr, struct actions *actions)
{
    struct rm_container_status *statuses = status_room(nodemgr, actions);
    size_t containers_count = 0;
    size_t apps_count = map_count(nodemgr->apps);
    struct app_id *apps = ARENA_ARRAY(actions->arena, struct app_id, apps_count + 1);
    size_t cursor = 0;
    void *value;
    for (size_t i = 0; map_next(nodemgr->apps, &cursor, NULL, &value); i++)
        apps[i] = ((struct nodemgr_app *)value)->id;
    cursor = 0;
    while (map_next(nodemgr->containers, &cursor, NULL, &value)) {
        struct nodemgr_container *container = value;
        container->is_listed = container->state == NC_COMPLETED;
        nodemgr_container_status(container, &statuses[containers_count++]);
    }
    struct rm_register_node_request request = {
        .node = nodemgr->settings.self,
        .capacity = nodemgr->settings.capacity,
        .incarnation = nodemgr->settings.incarnation,
        .containers = statuses,
        .containers_count = containers_count,
        .apps = apps,
        .apps_count = apps_count,
        .unusable = slice_from_string(nodemgr->unusable),
    };
    apply(nodemgr, NRE_CALL, actions);
    nodemgr->register_out = true;
    actions_call(actions, NODEMGR_TAG_REGISTER, nodemgr->settings.rm_address,
                 METHOD_NODE_TRACKER_REGISTER_NODE, &request, nodemgr->settings.call_timeout_ms);
}

static void call_heartbeat(struct nodemgr *nodemgr, struct actions *actions)
{
    struct rm_container_status *completed = status_room(nodemgr, actions);
    struct container_id *started =
        ARENA_ARRAY(actions->arena, struct container_id, map_count(nodemgr->containers) + 1);
    struct rm_node_heartbeat_request request = {
        .node_id = nodemgr->settings.self.node_id,
        .session = nodemgr->session,
        .acknowledged = nodemgr->performed,
        .completed = completed,
        .started = started,
        .unusable = slice_from_string(nodemgr->unusable),
    };
    size_t cursor = 0;
    void *value;
    while (map_next(nodemgr->containers, &cursor, NULL, &value)) {
        struct nodemgr_container *container = value;
        if (container->state == NC_COMPLETED) {
            nodemgr_container_status(container, &completed[request.completed_count++]);
            continue;
        }
        request.running++;
        if (container->process_id != 0 && container->started_told != nodemgr->registrations) {
            container->is_telling = true;
            started[request.started_count++] = container->id;
        }
    }
    nodemgr->heartbeat_out = true;
    nodemgr->heartbeat_registration = nodemgr->registrations;
    actions_call(actions, NODEMGR_TAG_HEARTBEAT, nodemgr->settings.rm_address,
                 METHOD_NODE_TRACKER_NODE_HEARTBEAT, &request,
                 nodemgr->heartbeat_interval_ms + nodemgr->settings.call_timeout_ms);
}

/* Completed containers are told at once, beside the heartbeat that is being held. */
static void call_report(struct nodemgr *nodemgr, struct actions *actions)
{
    if (live_count(nodemgr) == map_count(nodemgr->containers))
        return;
    struct rm_container_status *completed = status_room(nodemgr, actions);
    struct rm_containers_completed_request request = {
        .node_id = nodemgr->settings.self.node_id,
        .session = nodemgr->session,
        .completed = completed,
    };
    size_t cursor = 0;
    void *value;
    while (map_next(nodemgr->containers, &cursor, NULL, &value)) {
        struct nodemgr_container *container = value;
        if (container->state != NC_COMPLETED)
            continue;
        container->is_reporting = true;
        nodemgr_container_status(container, &completed[request.completed_count++]);
    }
    nodemgr->report_out = true;
    nodemgr->report_registration = nodemgr->registrations;
    actions_call(actions, NODEMGR_TAG_REPORT, nodemgr->settings.rm_address,
                 METHOD_NODE_TRACKER_CONTAINERS_COMPLETED, &request,
                 nodemgr->settings.call_timeout_ms);
}

static void say_goodbye(struct nodemgr *nodemgr, struct actions *actions)
{
    if (nodemgr->session == 0) { /* the resource manager does not know us */
        apply(nodemgr, NRE_GONE, actions);
        actions_exit(actions, 0);
        return;
    }
    struct rm_unregister_node_request request = {
        .node_id = nodemgr->settings.self.node_id,
        .session = nodemgr->session,
    };
    apply(nodemgr, NRE_DRAINED, actions);
    actions_call(actions, NODEMGR_TAG_UNREGISTER, nodemgr->settings.rm_address,
                 METHOD_NODE_TRACKER_UNREGISTER_NODE, &request, nodemgr->settings.call_timeout_ms);
}

void nodemgr_registration_advance(struct nodemgr *nodemgr, struct actions *actions)
{
    switch ((enum nodemgr_registration_state)nodemgr->registration) {
    case NR_UNREGISTERED:
        if (nodemgr->now_ms >= nodemgr->call_at_ms)
            call_register(nodemgr, actions);
        return;
    case NR_REGISTERED:
        if (!nodemgr->report_out && nodemgr->now_ms >= nodemgr->report_at_ms)
            call_report(nodemgr, actions);
        if (!nodemgr->heartbeat_out && nodemgr->now_ms >= nodemgr->call_at_ms)
            call_heartbeat(nodemgr, actions);
        return;
    case NR_STOPPING:
        /* The answer to a registration on its way says whom to say good-bye as. */
        if ((live_count(nodemgr) == 0 && !nodemgr->register_out) ||
            nodemgr->now_ms >= nodemgr->stop_at_ms)
            say_goodbye(nodemgr, actions);
        return;
    case NR_REGISTERING:
    case NR_UNREGISTERING:
    case NR_STOPPED:
    case NR_STATE_COUNT:
        return;
    }
}

/* --- answers ---------------------------------------------------------------------------------- */
static void pause_after_failure(struct nodemgr *nodemgr, int64_t *at_ms)
{
    *at_ms = nodemgr->now_ms + next_pause_ms(nodemgr);
}

/* Completed containers that the accepted registration listed are acknowledged by it. */
static void registration_over(struct nodemgr *nodemgr, bool is_accepted)
{
    size_t cursor = 0;
    void *value;
    while (map_next(nodemgr->containers, &cursor, NULL, &value)) {
        struct nodemgr_container *container = value;
        bool was_listed = container->is_listed;
        container->is_listed = false;
        if (was_listed && is_accepted)
            nodemgr_container_drop(nodemgr, container);
    }
}

static void registered(struct nodemgr *nodemgr, const struct event *event, struct actions *actions)
{
    nodemgr->register_out = false;
    registration_over(nodemgr, event->status == OK);
    const struct rm_register_node_response *response = event->message;
    if (event->status == OK)
        nodemgr->session = response->session; /* also when stopping, to say good-bye */
    if (nodemgr->registration != NR_REGISTERING)
        return;
    if (event->status != OK) {
        pause_after_failure(nodemgr, &nodemgr->call_at_ms);
        apply(nodemgr, NRE_REFUSED, actions);
        return;
    }
    nodemgr->registrations++;
    nodemgr->epoch = response->epoch;
    nodemgr->heartbeat_interval_ms = response->heartbeat_interval_ms < LIMIT_WAIT_MS
                                         ? (int64_t)response->heartbeat_interval_ms
                                         : LIMIT_WAIT_MS;
    nodemgr->performed = 0;
    nodemgr->call_at_ms = nodemgr->now_ms;
    nodemgr->report_at_ms = nodemgr->now_ms;
    apply(nodemgr, NRE_ACCEPTED, actions);
    for (size_t i = 0; i < response->kill_count; i++) {
        struct nodemgr_container *container = nodemgr_container_find(nodemgr, &response->kill[i]);
        if (container)
            nodemgr_container_kill(nodemgr, container, NODEMGR_EXIT_BY_RM,
                                   slice_from_string("unknown to the resource manager"), actions);
        else /* its master may not know yet that it was given up, and may still start it */
            nodemgr_container_bury(nodemgr, &response->kill[i], NODEMGR_EXIT_BY_RM,
                                   "given up by the resource manager before it was started",
                                   actions);
    }
}

static void perform(struct nodemgr *nodemgr,
                    const struct rm_node_command *command,
                    struct actions *actions)
{
    if (command->sequence <= nodemgr->performed)
        return; /* repeated until acknowledged */
    nodemgr->performed = command->sequence;
    struct nodemgr_container *container = NULL;
    switch (command->kind) {
    case NODE_KILL_CONTAINER:
        container = nodemgr_container_find(nodemgr, &command->container);
        if (container)
            nodemgr_container_kill(nodemgr, container, NODEMGR_EXIT_BY_RM,
                                   slice_from_string("killed by the resource manager"), actions);
        else
            nodemgr_container_bury(nodemgr, &command->container, NODEMGR_EXIT_BY_RM,
                                   "killed by the resource manager before it was started", actions);
        return;
    case NODE_LAUNCH_MASTER:
        nodemgr_container_start(nodemgr, &command->container, &command->resource, command->user,
                                &command->launch, NULL, actions);
        return;
    case NODE_FORGET_APP:
        nodemgr_app_forget(nodemgr, &command->app, actions);
        return;
    case RM_NODE_COMMAND_KIND_COUNT:
        return;
    }
}

static void drop_acknowledged(struct nodemgr *nodemgr, const struct container_id *id)
{
    struct nodemgr_container *container = nodemgr_container_find(nodemgr, id);
    if (container && container->state == NC_COMPLETED)
        nodemgr_container_drop(nodemgr, container);
}

/*
 * The resource manager does not know this session: register again, after a pause that grows until a
 * heartbeat is answered well, so that two that disagree do not spin.
 */
static void session_lost(struct nodemgr *nodemgr, struct actions *actions)
{
    pause_after_failure(nodemgr, &nodemgr->call_at_ms);
    apply(nodemgr, NRE_SESSION_LOST, actions);
    if (nodemgr->heartbeat_out)
        actions_cancel(actions, NODEMGR_TAG_HEARTBEAT);
}

static bool is_session_lost(enum status status)
{
    return status == ERR_STALE || status == ERR_NOT_FOUND;
}

/* What the heartbeat that is over told of started containers has arrived, or must be told again. */
static void heartbeat_over(struct nodemgr *nodemgr, bool has_arrived)
{
    nodemgr->heartbeat_out = false;
    size_t cursor = 0;
    void *value;
    while (map_next(nodemgr->containers, &cursor, NULL, &value)) {
        struct nodemgr_container *container = value;
        if (container->is_telling && has_arrived)
            container->started_told = nodemgr->heartbeat_registration;
        container->is_telling = false;
    }
}

static void heartbeat_answered(struct nodemgr *nodemgr,
                               const struct event *event,
                               struct actions *actions)
{
    heartbeat_over(nodemgr, event->status == OK);
    if (nodemgr->registration != NR_REGISTERED ||
        nodemgr->heartbeat_registration != nodemgr->registrations)
        return; /* an answer to an earlier session, or stopping */
    if (event->status == OK) {
        const struct rm_node_heartbeat_response *response = event->message;
        nodemgr->backoff_ms = nodemgr->settings.retry_min_ms;
        nodemgr->call_at_ms = nodemgr->now_ms;
        for (size_t i = 0; i < response->acknowledged_count; i++)
            drop_acknowledged(nodemgr, &response->acknowledged[i]);
        for (size_t i = 0; i < response->commands_count; i++)
            perform(nodemgr, &response->commands[i], actions);
    } else if (is_session_lost(event->status))
        session_lost(nodemgr, actions);
    else if (event->status == ERR_CANCELLED) /* a newer one took its place: nothing is wrong */
        nodemgr->call_at_ms = nodemgr->now_ms + nodemgr->settings.retry_min_ms;
    else
        pause_after_failure(nodemgr, &nodemgr->call_at_ms);
}

static void report_answered(struct nodemgr *nodemgr,
                            const struct event *event,
                            struct actions *actions)
{
    bool is_current = nodemgr->report_registration == nodemgr->registrations;
    nodemgr->report_out = false;
    size_t cursor = 0;
    void *value;
    while (map_next(nodemgr->containers, &cursor, NULL, &value)) {
        struct nodemgr_container *container = value;
        bool was_reporting = container->is_reporting;
        container->is_reporting = false;
        if (was_reporting && event->status == OK)
            nodemgr_container_drop(nodemgr, container);
    }
    if (event->status == OK || !is_current || nodemgr->registration != NR_REGISTERED)
        return;
    if (is_session_lost(event->status))
        session_lost(nodemgr, actions);
    else
        pause_after_failure(nodemgr, &nodemgr->report_at_ms);
}

void nodemgr_registration_response(struct nodemgr *nodemgr,
                                   const struct event *event,
                                   struct actions *actions)
{
    switch (event->tag) {
    case NODEMGR_TAG_REGISTER:
        registered(nodemgr, event, actions);
        return;
    case NODEMGR_TAG_HEARTBEAT:
        heartbeat_answered(nodemgr, event, actions);
        return;
    case NODEMGR_TAG_REPORT:
        report_answered(nodemgr, event, actions);
        return;
    case NODEMGR_TAG_UNREGISTER:
        /* Whatever the answer: the resource manager finds out by itself if it did not hear us. */
        apply(nodemgr, NRE_GONE, actions);
        actions_exit(actions, 0);
        return;
    default:
        return;
    }
}

void nodemgr_registration_stop(struct nodemgr *nodemgr, struct actions *actions)
{
    if (nodemgr->registration >= NR_STOPPING)
        return;
    if (nodemgr->heartbeat_out)
        actions_cancel(actions, NODEMGR_TAG_HEARTBEAT);
    nodemgr->stop_at_ms = nodemgr->now_ms + nodemgr->settings.stop_max_ms;
    apply(nodemgr, NRE_STOP, actions);
    nodemgr_container_kill_all(nodemgr, NULL, NODEMGR_EXIT_ABORTED, "the node manager is stopping",
                               actions);
}

int64_t nodemgr_registration_deadline_ms(const struct nodemgr *nodemgr)
{
    int64_t deadline = INT64_MAX;
    if (nodemgr->registration == NR_UNREGISTERED ||
        (nodemgr->registration == NR_REGISTERED && !nodemgr->heartbeat_out))
        deadline = nodemgr->call_at_ms;
    if (nodemgr->registration == NR_REGISTERED && !nodemgr->report_out &&
        nodemgr->report_at_ms < deadline && live_count(nodemgr) < map_count(nodemgr->containers))
        deadline = nodemgr->report_at_ms;
    if (nodemgr->registration == NR_STOPPING)
        deadline = nodemgr->stop_at_ms;
    return deadline;
}
