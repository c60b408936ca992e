/*
 * containers.c - the containers of this node.
 * Owns the tables containers and by_tag of struct nodemgr; nobody else writes them.
 * Invariants: NM-1, NM-2, NM-6 of nodemgr.h.
 * Called from nodemgr_step only. States: docs/states/nodemgr_container.dot.
 */
#include "nodemgr/core/nodemgr_internal.h"

#include "lib/base/check.h"
#include "lib/base/mem.h"
#include "lib/model/ids.h"
#include "lib/model/limits.h"
#include "lib/model/message.h"
#include "lib/model/text.h"

static void ask_localize(void *object, void *context);
static void ask_launch(void *object, void *context);
static void answer_started(void *object, void *context);
static void send_term(void *object, void *context);
static void send_kill(void *object, void *context);
static void complete(void *object, void *context);

static const struct transition_row container_rows[] = {
    {NC_NEW,               NCE_START,           NC_LOCALIZING,        ask_localize  },
    {NC_NEW,               NCE_REFUSED,         NC_COMPLETED,         NULL          },
    {NC_LOCALIZING,        NCE_LOCALIZED,       NC_LAUNCHING,         ask_launch    },
    {NC_LOCALIZING,        NCE_LOCALIZE_FAILED, NC_COMPLETED,         complete      },
    {NC_LOCALIZING,        NCE_KILL,            NC_LOCALIZING_DOOMED, NULL          },
    {NC_LOCALIZING_DOOMED, NCE_LOCALIZED,       NC_COMPLETED,         complete      },
    {NC_LOCALIZING_DOOMED, NCE_LOCALIZE_FAILED, NC_COMPLETED,         complete      },
    {NC_LOCALIZING_DOOMED, NCE_KILL,            NC_LOCALIZING_DOOMED, NULL          },
    {NC_LAUNCHING,         NCE_LAUNCHED,        NC_RUNNING,           answer_started},
    {NC_LAUNCHING,         NCE_LAUNCH_FAILED,   NC_COMPLETED,         complete      },
    {NC_LAUNCHING,         NCE_EXITED,          NC_COMPLETED,         complete      },
    {NC_LAUNCHING,         NCE_KILL,            NC_LAUNCHING_DOOMED,  NULL          },
    {NC_LAUNCHING_DOOMED,  NCE_LAUNCHED,        NC_KILLED_HARD,       send_kill     },
    {NC_LAUNCHING_DOOMED,  NCE_LAUNCH_FAILED,   NC_COMPLETED,         complete      },
    {NC_LAUNCHING_DOOMED,  NCE_EXITED,          NC_COMPLETED,         complete      },
    {NC_LAUNCHING_DOOMED,  NCE_KILL,            NC_LAUNCHING_DOOMED,  NULL          },
    {NC_RUNNING,           NCE_EXITED,          NC_COMPLETED,         complete      },
    {NC_RUNNING,           NCE_KILL,            NC_KILLING,           send_term     },
    {NC_KILLING,           NCE_EXITED,          NC_COMPLETED,         complete      },
    {NC_KILLING,           NCE_KILL,            NC_KILLING,           NULL          },
    {NC_KILLING,           NCE_GRACE_OVER,      NC_KILLED_HARD,       send_kill     },
    {NC_KILLED_HARD,       NCE_EXITED,          NC_COMPLETED,         complete      },
    {NC_KILLED_HARD,       NCE_KILL,            NC_KILLED_HARD,       NULL          },
};

#define NODEMGR_NAME(value, name) name,

static const char *const container_state_names[] = {NODEMGR_CONTAINER_STATES(NODEMGR_NAME)};
static const char *const container_event_names[] = {NODEMGR_CONTAINER_EVENTS(NODEMGR_NAME)};

#undef NODEMGR_NAME

const struct transition_table nodemgr_container_table = {
    .name = "nodemgr_container",
    .rows = container_rows,
    .count = sizeof container_rows / sizeof container_rows[0],
    .state_names = container_state_names,
    .state_count = NC_STATE_COUNT,
    .event_names = container_event_names,
    .event_count = NC_EVENT_COUNT,
};

struct nodemgr_container *nodemgr_container_find(const struct nodemgr *nodemgr,
                                                 const struct container_id *id)
{
    struct id_key key = container_id_key(*id);
    return map_get(nodemgr->containers, id_key_slice(&key));
}

/* --- transitions ------------------------------------------------------------------------------ */
static void apply(struct nodemgr *nodemgr,
                  struct nodemgr_container *container,
                  enum nodemgr_container_event event,
                  struct actions *actions)
{
    struct nodemgr_context context = {.nodemgr = nodemgr, .actions = actions};
    int before = container->state;
    CHECK(transition_apply(&nodemgr_container_table, &container->state, (int)event, container,
                           &context) == OK);
    if (container->state != before)
        trace_emit(actions->trace, "nm %llu container %u.%llu %s->%s",
                   (unsigned long long)nodemgr->settings.self.node_id, container->id.app.sequence,
                   (unsigned long long)container->id.sequence, container_state_names[before],
                   container_state_names[container->state]);
}

/* Whatever the text's origin, it fits a message: a text that does not would stop every report. */
static void set_diagnostics(struct nodemgr_container *container, struct slice text)
{
    struct slice clean = text_clean(text, container->arena);
    container->diagnostics = arena_copy(container->arena, text_cut(clean, LIMIT_DIAGNOSTICS_BYTES));
}

static void ask_localize(void *object, void *context)
{
    struct nodemgr_container *container = object;
    struct nodemgr_context *in = context;
    struct nodemgr_localize *localize = ARENA_NEW(in->actions->arena, struct nodemgr_localize);
    const struct rm_launch_spec *launch =
        message_copy(&rm_launch_spec_type, &container->launch, in->actions->arena);
    localize->container = container->id;
    localize->user = arena_copy(in->actions->arena, container->user);
    localize->resources = launch->resources;
    localize->resources_count = launch->resources_count;
    actions_effect(in->actions, container->tag, NODEMGR_LOCALIZE, localize);
}

static void ask_launch(void *object, void *context)
{
    struct nodemgr_container *container = object;
    struct nodemgr_context *in = context;
    struct nodemgr_launch *launch = ARENA_NEW(in->actions->arena, struct nodemgr_launch);
    launch->container = container->id;
    launch->user = arena_copy(in->actions->arena, container->user);
    message_copy_into(&rm_launch_spec_type, &container->launch, &launch->launch,
                      in->actions->arena);
    launch->resource = container->resource;
    actions_effect(in->actions, container->tag, NODEMGR_LAUNCH, launch);
}

static void answer_waiters(struct nodemgr_container *container, struct actions *actions)
{
    static const struct nm_start_container_response response = {0};
    for (size_t i = 0; i < container->waiters_count; i++) {
        uint64_t call = container->waiters[i];
        if (container->process_id != 0)
            actions_reply(actions, call, &nm_start_container_response_type, &response);
        else if (container->was_started)
            actions_fail(actions, call, ERR_STALE, "the container has already run and is over");
        else
            actions_fail(actions, call, ERR_CANCELLED, "the container did not start: %.*s",
                         SLICE_ARGS(container->diagnostics));
    }
    container->waiters_count = 0;
}

static void answer_started(void *object, void *context)
{
    struct nodemgr_context *in = context;
    answer_waiters(object, in->actions);
}

static void signal_container(const struct nodemgr_container *container,
                             bool is_kill,
                             struct actions *actions)
{
    struct nodemgr_signal *signal = ARENA_NEW(actions->arena, struct nodemgr_signal);
    signal->container = container->id;
    signal->process_id = container->process_id;
    signal->is_kill = is_kill;
    actions_effect(actions, NODEMGR_TAG_NO_ANSWER, NODEMGR_SIGNAL, signal);
}

static void send_term(void *object, void *context)
{
    struct nodemgr_container *container = object;
    struct nodemgr_context *in = context;
    container->kill_at_ms = in->nodemgr->now_ms + in->nodemgr->settings.term_grace_ms;
    signal_container(container, false, in->actions);
}

static void send_kill(void *object, void *context)
{
    struct nodemgr_container *container = object;
    struct nodemgr_context *in = context;
    container->kill_at_ms = INT64_MAX;
    answer_waiters(container, in->actions); /* it did start, whoever asked */
    signal_container(container, true, in->actions);
}

static void complete(void *object, void *context)
{
    struct nodemgr_container *container = object;
    struct nodemgr_context *in = context;
    struct nodemgr *nodemgr = in->nodemgr;
    container->process_id = 0;
    container->kill_at_ms = INT64_MAX;
    answer_waiters(container, in->actions);
    nodemgr->used.memory_bytes -= container->resource.memory_bytes;
    nodemgr->used.vcores -= container->resource.vcores;
    struct nodemgr_clean *clean = ARENA_NEW(in->actions->arena, struct nodemgr_clean);
    clean->container = container->id;
    actions_effect(in->actions, NODEMGR_TAG_NO_ANSWER, NODEMGR_CLEAN, clean);
    nodemgr_app_container_completed(container->app, in->actions);
}

/* --- life of a container ---------------------------------------------------------------------- */
static struct nodemgr_container *container_add(struct nodemgr *nodemgr,
                                               const struct container_id *id,
                                               const struct resource *resource,
                                               struct slice user)
{
    struct nodemgr_container *container = MEM_NEW(struct nodemgr_container);
    struct id_key key = container_id_key(*id);
    container->arena = arena_open(0);
    container->id = *id;
    container->tag = nodemgr->next_tag++;
    container->state = NC_NEW;
    container->resource = *resource;
    container->user = arena_copy(container->arena, user);
    container->kill_at_ms = INT64_MAX;
    CHECK(map_put(nodemgr->containers, id_key_slice(&key), container) == NULL);
    CHECK(map_u64_put(nodemgr->by_tag, container->tag, container) == NULL);
    return container;
}

void nodemgr_container_drop(struct nodemgr *nodemgr, struct nodemgr_container *container)
{
    struct id_key key = container_id_key(container->id);
    CHECK(container->state == NC_COMPLETED);
    CHECK(map_remove(nodemgr->containers, id_key_slice(&key)) == container);
    CHECK(map_u64_remove(nodemgr->by_tag, container->tag) == container);
    nodemgr_container_free(container);
}

void nodemgr_container_free(struct nodemgr_container *container)
{
    arena_close(container->arena);
    mem_free(container);
}

static void waiter_add(struct nodemgr_container *container, uint64_t call, struct actions *actions)
{
    if (container->waiters_count == NODEMGR_WAITERS_MAX) {
        actions_fail(actions, call, ERR_BUSY, "too many calls wait for this container's start");
        return;
    }
    container->waiters[container->waiters_count++] = call;
}

/* Answers a repeated start of a container that this node has or had. */
static void answer_repeated(struct nodemgr_container *container,
                            const uint64_t *waiter,
                            struct actions *actions)
{
    if (!waiter)
        return;
    waiter_add(container, *waiter, actions);
    bool is_pending = container->state == NC_LOCALIZING || container->state == NC_LAUNCHING;
    if (!is_pending)
        answer_waiters(container, actions);
}

static enum status start_refused(const struct nodemgr *nodemgr,
                                 const struct container_id *id,
                                 const struct resource *resource,
                                 const struct rm_launch_spec *launch,
                                 const char **ret_text)
{
    if (nodemgr->registration >= NR_STOPPING || nodemgr->registrations == 0) {
        /* Before the first registration the resource manager's epoch is not known. */
        *ret_text = nodemgr->registrations == 0
                        ? "the node manager has not reached the resource manager yet"
                        : "the node manager is stopping";
        return ERR_UNAVAILABLE;
    }
    if (id->epoch < nodemgr->epoch) {
        *ret_text = "the grant is from before the resource manager's restart and was not kept";
        return ERR_STALE;
    }
    enum status status = nodemgr_app_refuses(nodemgr, id, ret_text);
    if (status == OK)
        status = nodemgr_launch_check(launch, ret_text);
    if (status != OK)
        return status;
    const struct resource *capacity = &nodemgr->settings.capacity;
    if (resource->memory_bytes > capacity->memory_bytes - nodemgr->used.memory_bytes ||
        resource->vcores > capacity->vcores - nodemgr->used.vcores) {
        *ret_text = "the node has no room left for this container";
        return ERR_LIMIT;
    }
    if (map_count(nodemgr->containers) >= LIMIT_CONTAINERS_PER_NODE) {
        *ret_text = "the node has as many containers as it can watch";
        return ERR_LIMIT;
    }
    return OK;
}

void nodemgr_container_start(struct nodemgr *nodemgr,
                             const struct container_id *id,
                             const struct resource *resource,
                             struct slice user,
                             const struct rm_launch_spec *launch,
                             const uint64_t *waiter,
                             struct actions *actions)
{
    struct nodemgr_container *container = nodemgr_container_find(nodemgr, id);
    if (container) {
        answer_repeated(container, waiter, actions);
        return;
    }
    const char *text = "";
    enum status refused = start_refused(nodemgr, id, resource, launch, &text);
    if (refused != OK) {
        trace_emit(actions->trace, "nm %llu refuses container %u.%llu: %s",
                   (unsigned long long)nodemgr->settings.self.node_id, id->app.sequence,
                   (unsigned long long)id->sequence, status_name(refused));
        if (waiter)
            actions_fail(actions, *waiter, refused, "%s", text);
        else /* nobody waits, but the resource manager counts it */
            nodemgr_container_bury(
                nodemgr, id, refused == ERR_INVALID ? NODEMGR_EXIT_INVALID : NODEMGR_EXIT_ABORTED,
                text, actions);
        return;
    }
    container = container_add(nodemgr, id, resource, user);
    message_copy_into(&rm_launch_spec_type, launch, &container->launch, container->arena);
    nodemgr->used.memory_bytes += resource->memory_bytes;
    nodemgr->used.vcores += resource->vcores;
    nodemgr_app_container_started(nodemgr, container);
    if (waiter)
        waiter_add(container, *waiter, actions);
    apply(nodemgr, container, NCE_START, actions);
}

void nodemgr_container_bury(struct nodemgr *nodemgr,
                            const struct container_id *id,
                            int32_t exit_status,
                            const char *text,
                            struct actions *actions)
{
    static const struct resource nothing = {0};
    if (nodemgr_container_find(nodemgr, id))
        return;
    struct nodemgr_container *container = container_add(nodemgr, id, &nothing, slice_make(NULL, 0));
    container->has_cause = true;
    container->exit_status = exit_status;
    set_diagnostics(container, slice_from_string(text));
    nodemgr_app_refuse_later(nodemgr, id);
    apply(nodemgr, container, NCE_REFUSED, actions);
}

void nodemgr_container_kill(struct nodemgr *nodemgr,
                            struct nodemgr_container *container,
                            int32_t exit_status,
                            struct slice diagnostics,
                            struct actions *actions)
{
    if (container->state == NC_COMPLETED)
        return;
    if (!container->has_cause) { /* the first cause is the one to show */
        container->has_cause = true;
        container->exit_status = exit_status;
        set_diagnostics(container, diagnostics);
    }
    apply(nodemgr, container, NCE_KILL, actions);
}

void nodemgr_container_kill_all(struct nodemgr *nodemgr,
                                const struct nodemgr_app *app,
                                int32_t exit_status,
                                const char *text,
                                struct actions *actions)
{
    size_t cursor = 0;
    void *value;
    while (map_next(nodemgr->containers, &cursor, NULL, &value)) {
        struct nodemgr_container *container = value;
        if (!app || container->app == app)
            nodemgr_container_kill(nodemgr, container, exit_status, slice_from_string(text),
                                   actions);
    }
}

/* --- what the shell tells --------------------------------------------------------------------- */
static void failed_to_start(struct nodemgr_container *container,
                            const char *what,
                            struct slice text)
{
    if (container->has_cause)
        return;
    container->exit_status = NODEMGR_EXIT_INVALID;
    set_diagnostics(container, arena_format(container->arena, "%s: %.*s", what, SLICE_ARGS(text)));
}

void nodemgr_container_effect_done(struct nodemgr *nodemgr,
                                   const struct event *event,
                                   struct actions *actions)
{
    struct nodemgr_container *container = map_u64_get(nodemgr->by_tag, event->tag);
    if (!container || container->state == NC_COMPLETED)
        return; /* it ended before its launch was reported */
    bool is_ok = event->status == OK;
    if (event->effect == NODEMGR_LOCALIZE) {
        if (!is_ok)
            failed_to_start(container, "cannot fetch the job's files", event->text);
        apply(nodemgr, container, is_ok ? NCE_LOCALIZED : NCE_LOCALIZE_FAILED, actions);
        return;
    }
    CHECK(event->effect == NODEMGR_LAUNCH);
    const struct nodemgr_launched *launched = event->data;
    CHECK(!is_ok || launched->process_id != 0);
    if (is_ok) {
        container->process_id = launched->process_id;
        container->was_started = true;
    } else
        failed_to_start(container, "cannot start the process", event->text);
    apply(nodemgr, container, is_ok ? NCE_LAUNCHED : NCE_LAUNCH_FAILED, actions);
}

static void exited(struct nodemgr *nodemgr,
                   struct nodemgr_container *container,
                   const struct nodemgr_exited *seen,
                   struct actions *actions)
{
    const char *by = seen->signal != 0 ? "killed by signal" : "exited with code";
    int number = seen->signal != 0 ? seen->signal : seen->exit_code;
    container->was_started = true;
    if (!container->has_cause) {
        container->exit_status = seen->signal != 0 ? 128 + seen->signal : seen->exit_code;
        if (number != 0)
            set_diagnostics(
                container,
                arena_format(container->arena, "%s %d%s%.*s", by, number,
                             seen->stderr_tail.length > 0 ? "; last lines of stderr:\n" : "",
                             SLICE_ARGS(seen->stderr_tail)));
    }
    apply(nodemgr, container, NCE_EXITED, actions);
}

static void over_limit(struct nodemgr *nodemgr,
                       struct nodemgr_container *container,
                       const struct nodemgr_over_limit *seen,
                       struct actions *actions)
{
    static const struct {
        int32_t exit_status;
        const char *does;
        const char *of;
    } rows[NODEMGR_LIMIT_COUNT] = {
        [NODEMGR_LIMIT_MEMORY] = {NODEMGR_EXIT_OVER_MEMORY,    "uses",        "bytes of memory"      },
        [NODEMGR_LIMIT_PROCESSES] = {NODEMGR_EXIT_OVER_PROCESSES, "has",         "processes and threads"},
        [NODEMGR_LIMIT_LOGS] = {NODEMGR_EXIT_OVER_LOGS,      "has written", "bytes of logs"        },
    };

    CHECK((size_t)seen->limit < NODEMGR_LIMIT_COUNT);
    struct slice text = arena_format(actions->arena, "%s %llu %s, its limit is %llu",
                                     rows[seen->limit].does, (unsigned long long)seen->used,
                                     rows[seen->limit].of, (unsigned long long)seen->used_max);
    nodemgr_container_kill(nodemgr, container, rows[seen->limit].exit_status, text, actions);
}

void nodemgr_container_local(struct nodemgr *nodemgr,
                             const struct event *event,
                             struct actions *actions)
{
    if (event->effect == NODEMGR_EXITED) {
        const struct nodemgr_exited *seen = event->data;
        struct nodemgr_container *container = nodemgr_container_find(nodemgr, &seen->container);
        if (container && container->state != NC_COMPLETED)
            exited(nodemgr, container, seen, actions);
    } else if (event->effect == NODEMGR_OVER_LIMIT) {
        const struct nodemgr_over_limit *seen = event->data;
        struct nodemgr_container *container = nodemgr_container_find(nodemgr, &seen->container);
        if (container && container->process_id != 0)
            over_limit(nodemgr, container, seen, actions);
    }
}

void nodemgr_container_tick(struct nodemgr *nodemgr, struct actions *actions)
{
    size_t cursor = 0;
    void *value;
    while (map_next(nodemgr->containers, &cursor, NULL, &value)) {
        struct nodemgr_container *container = value;
        if (container->state == NC_KILLING && nodemgr->now_ms >= container->kill_at_ms)
            apply(nodemgr, container, NCE_GRACE_OVER, actions);
    }
}

void nodemgr_container_status(const struct nodemgr_container *container,
                              struct rm_container_status *ret_status)
{
    static const enum rm_container_state shown[NC_STATE_COUNT] = {
        [NC_NEW] = CONTAINER_NEW,
        [NC_LOCALIZING] = CONTAINER_LOCALIZING,
        [NC_LOCALIZING_DOOMED] = CONTAINER_KILLING,
        [NC_LAUNCHING] = CONTAINER_LOCALIZING,
        [NC_LAUNCHING_DOOMED] = CONTAINER_KILLING,
        [NC_RUNNING] = CONTAINER_RUNNING,
        [NC_KILLING] = CONTAINER_KILLING,
        [NC_KILLED_HARD] = CONTAINER_KILLING,
        [NC_COMPLETED] = CONTAINER_COMPLETED,
    };

    *ret_status = (struct rm_container_status){
        .container = container->id,
        .state = shown[container->state],
        .exit_status = container->exit_status,
        .diagnostics = container->diagnostics,
        .resource = container->resource,
    };
}
