/*
 * containers.c - the containers and applications of this node.
 * Owns the tables containers, by_tag, apps and forgotten of struct nodemgr; nobody else writes them.
 * Invariants: NM-1, NM-2, NM-4, NM-6 of nodemgr.h.
 * Called from nodemgr_step only. States: docs/states/nodemgr_container.dot.
 */
#include "nodemgr/core/nodemgr_internal.h"

#include "lib/base/check.h"
#include "lib/base/mem.h"

static void ask_localize(void *object, void *context);
static void ask_launch(void *object, void *context);
static void answer_started(void *object, void *context);
static void send_term(void *object, void *context);
static void send_kill(void *object, void *context);
static void complete(void *object, void *context);

static const struct transition_row container_rows[] = {
    {NC_NEW,               NCE_START,           NC_LOCALIZING,        ask_localize  },
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

/* --- keys ------------------------------------------------------------------------------------- */
struct key {
    uint64_t words[5];
};

static struct slice app_key(const struct app_id *id, struct key *key)
{
    *key = (struct key){{id->cluster_timestamp, id->sequence, 0, 0, 0}};
    return slice_make(key->words, 2 * sizeof(uint64_t));
}

static struct slice container_key(const struct container_id *id, struct key *key)
{
    *key = (struct key){
        {id->app.cluster_timestamp, id->app.sequence, id->app_attempt, id->epoch, id->sequence}};
    return slice_make(key->words, sizeof key->words);
}

struct nodemgr_container *nodemgr_container_find(const struct nodemgr *nodemgr,
                                                 const struct container_id *id)
{
    struct key key;
    return map_get(nodemgr->containers, container_key(id, &key));
}

/* --- transitions ------------------------------------------------------------------------------ */
static bool apply(struct nodemgr *nodemgr,
                  struct nodemgr_container *container,
                  enum nodemgr_container_event event,
                  struct actions *actions)
{
    struct nodemgr_context context = {.nodemgr = nodemgr, .actions = actions};
    int before = container->state;
    enum status status = transition_apply(
        &nodemgr_container_table, &container->state, (int)event, container, &context);
    if (status != OK)
        return false;
    if (container->state != before)
        trace_emit(actions->trace,
                   "nm %llu container %u.%llu %s->%s",
                   (unsigned long long)nodemgr->settings.self.node_id,
                   container->id.app.sequence,
                   (unsigned long long)container->id.sequence,
                   container_state_names[before],
                   container_state_names[container->state]);
    return true;
}

static void ask_localize(void *object, void *context)
{
    struct nodemgr_container *container = object;
    struct nodemgr_context *in = context;
    struct nodemgr_localize *localize = ARENA_NEW(in->actions->arena, struct nodemgr_localize);
    localize->container = container->id;
    localize->user = arena_copy(in->actions->arena, container->user);
    /* The container outlives the effect: it is dropped only once COMPLETED, after the answer. */
    localize->resources = container->launch.resources;
    localize->resources_count = container->launch.resources_count;
    actions_effect(in->actions, container->tag, NODEMGR_LOCALIZE, localize);
}

static void ask_launch(void *object, void *context)
{
    struct nodemgr_container *container = object;
    struct nodemgr_context *in = context;
    struct nodemgr_launch *launch = ARENA_NEW(in->actions->arena, struct nodemgr_launch);
    launch->container = container->id;
    launch->user = arena_copy(in->actions->arena, container->user);
    launch->launch = container->launch;
    launch->resource = container->resource;
    actions_effect(in->actions, container->tag, NODEMGR_LAUNCH, launch);
}

static void answer_waiters(struct nodemgr_container *container, struct actions *actions)
{
    static const struct nm_start_container_response response = {0};
    for (size_t i = 0; i < container->waiters_count; i++) {
        if (container->process_id != 0)
            actions_reply(
                actions, container->waiters[i], &nm_start_container_response_type, &response);
        else
            actions_fail(actions,
                         container->waiters[i],
                         ERR_CANCELLED,
                         "the container did not start: %.*s",
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

static void app_clean_when_idle(struct nodemgr *nodemgr,
                                struct nodemgr_app *app,
                                struct actions *actions)
{
    if (!app->is_forgotten || app->live > 0)
        return;
    struct nodemgr_forget *forget = ARENA_NEW(actions->arena, struct nodemgr_forget);
    forget->app = app->id;
    actions_effect(actions, NODEMGR_TAG_FORGET, NODEMGR_FORGET, forget);
    (void)nodemgr;
}

static void complete(void *object, void *context)
{
    struct nodemgr_container *container = object;
    struct nodemgr_context *in = context;
    struct nodemgr *nodemgr = in->nodemgr;
    answer_waiters(container, in->actions);
    container->process_id = 0;
    container->kill_at_ms = INT64_MAX;
    nodemgr->used.memory_bytes -= container->resource.memory_bytes;
    nodemgr->used.vcores -= container->resource.vcores;
    container->app->live--;
    struct nodemgr_clean *clean = ARENA_NEW(in->actions->arena, struct nodemgr_clean);
    clean->container = container->id;
    actions_effect(in->actions, NODEMGR_TAG_NO_ANSWER, NODEMGR_CLEAN, clean);
    app_clean_when_idle(nodemgr, container->app, in->actions);
}

/* --- applications ----------------------------------------------------------------------------- */
static struct nodemgr_app *app_of(struct nodemgr *nodemgr, const struct app_id *id)
{
    struct key key;
    struct nodemgr_app *app = map_get(nodemgr->apps, app_key(id, &key));
    if (app)
        return app;
    app = MEM_NEW(struct nodemgr_app);
    app->id = *id;
    app->started = map_open();
    (void)map_put(nodemgr->apps, app_key(id, &key), app); /* absent: nothing is replaced */
    return app;
}

static void app_free(struct nodemgr_app *app)
{
    map_close(app->started);
    mem_free(app);
}

/* Remembers that the application is over, so that a late start is refused (NM-4); bounded. */
static void forgotten_add(struct nodemgr *nodemgr, const struct app_id *id)
{
    struct key key;
    static char marker;
    (void)map_put(nodemgr->forgotten, app_key(id, &key), &marker);
    if (map_count(nodemgr->forgotten) <= NODEMGR_FORGOTTEN_MAX)
        return;
    size_t cursor = 0;
    struct slice oldest;
    if (map_next(nodemgr->forgotten, &cursor, &oldest, NULL))
        (void)map_remove(nodemgr->forgotten, oldest);
}

void nodemgr_app_forget(struct nodemgr *nodemgr, const struct app_id *id, struct actions *actions)
{
    struct nodemgr_app *app = app_of(nodemgr, id);
    forgotten_add(nodemgr, id);
    app->is_forgotten = true;
    size_t cursor = 0;
    void *value;
    while (map_next(nodemgr->containers, &cursor, NULL, &value)) {
        struct nodemgr_container *container = value;
        if (container->app == app)
            nodemgr_container_kill(nodemgr,
                                   container,
                                   NODEMGR_EXIT_BY_RM,
                                   slice_from_string("the application is over"),
                                   actions);
    }
    app_clean_when_idle(nodemgr, app, actions);
}

/* --- life of a container ---------------------------------------------------------------------- */
static struct nodemgr_container *container_new(struct nodemgr *nodemgr,
                                               const struct container_id *id,
                                               const struct resource *resource,
                                               struct slice user,
                                               const struct rm_launch_spec *launch)
{
    struct nodemgr_container *container = MEM_NEW(struct nodemgr_container);
    container->arena = arena_open(0);
    container->id = *id;
    container->tag = nodemgr->next_tag++;
    container->state = NC_NEW;
    container->resource = *resource;
    container->user = arena_copy(container->arena, user);
    const struct rm_launch_spec *copy =
        message_copy(&rm_launch_spec_type, launch, container->arena);
    container->launch = *copy;
    container->kill_at_ms = INT64_MAX;
    return container;
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
                                 const char **ret_text)
{
    struct key key;
    if (id->epoch < nodemgr->epoch) {
        *ret_text = "the grant is from before the resource manager's restart and was not kept";
        return ERR_STALE;
    }
    if (map_get(nodemgr->forgotten, app_key(&id->app, &key))) {
        *ret_text = "the application is over";
        return ERR_STALE;
    }
    const struct nodemgr_app *app = map_get(nodemgr->apps, app_key(&id->app, &key));
    if (app && map_get(app->started, container_key(id, &key))) {
        *ret_text = "the container has already run and is over";
        return ERR_STALE;
    }
    if (nodemgr->registration >= NR_STOPPING) {
        *ret_text = "the node manager is stopping";
        return ERR_UNAVAILABLE;
    }
    const struct resource *capacity = &nodemgr->settings.capacity;
    if (resource->memory_bytes > capacity->memory_bytes - nodemgr->used.memory_bytes ||
        resource->vcores > capacity->vcores - nodemgr->used.vcores) {
        *ret_text = "the node has no room left for this container";
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
    enum status refused = start_refused(nodemgr, id, resource, &text);
    if (refused != OK) {
        trace_emit(actions->trace,
                   "nm %llu refuses container %u.%llu: %s",
                   (unsigned long long)nodemgr->settings.self.node_id,
                   id->app.sequence,
                   (unsigned long long)id->sequence,
                   status_name(refused));
        if (waiter)
            actions_fail(actions, *waiter, refused, "%s", text);
        return;
    }
    struct key key;
    container = container_new(nodemgr, id, resource, user, launch);
    container->app = app_of(nodemgr, &id->app);
    container->app->live++;
    nodemgr->used.memory_bytes += resource->memory_bytes;
    nodemgr->used.vcores += resource->vcores;
    (void)map_put(nodemgr->containers, container_key(id, &key), container);
    (void)map_put(container->app->started, container_key(id, &key), nodemgr);
    (void)map_u64_put(nodemgr->by_tag, container->tag, container);
    if (waiter)
        waiter_add(container, *waiter, actions);
    CHECK(apply(nodemgr, container, NCE_START, actions));
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
        container->diagnostics = arena_copy(container->arena, diagnostics);
    }
    CHECK(apply(nodemgr, container, NCE_KILL, actions));
}

void nodemgr_container_drop(struct nodemgr *nodemgr, struct nodemgr_container *container)
{
    struct key key;
    CHECK(container->state == NC_COMPLETED);
    (void)map_remove(nodemgr->containers, container_key(&container->id, &key));
    (void)map_u64_remove(nodemgr->by_tag, container->tag);
    arena_close(container->arena);
    mem_free(container);
}

/* --- what the shell tells --------------------------------------------------------------------- */
static void failed_to_start(struct nodemgr_container *container,
                            const char *what,
                            struct slice text)
{
    if (container->has_cause)
        return;
    container->exit_status = NODEMGR_EXIT_INVALID;
    container->diagnostics =
        arena_format(container->arena, "%s: %.*s", what, SLICE_ARGS(text));
}

static void forget_done(struct nodemgr *nodemgr, const struct event *event, struct actions *actions)
{
    const struct nodemgr_forget *forget = event->data;
    struct key key;
    struct nodemgr_app *app =
        forget ? map_get(nodemgr->apps, app_key(&forget->app, &key)) : NULL;
    if (!app || app->live > 0)
        return;
    if (event->status != OK)
        trace_emit(actions->trace,
                   "nm %llu cannot remove app %u: %.*s",
                   (unsigned long long)nodemgr->settings.self.node_id,
                   forget->app.sequence,
                   SLICE_ARGS(event->text));
    (void)map_remove(nodemgr->apps, app_key(&forget->app, &key));
    /* Containers that completed but are not yet acknowledged still point here: give them none. */
    size_t cursor = 0;
    void *value;
    while (map_next(nodemgr->containers, &cursor, NULL, &value)) {
        struct nodemgr_container *container = value;
        if (container->app == app)
            container->app = NULL;
    }
    app_free(app);
}

void nodemgr_container_effect_done(struct nodemgr *nodemgr,
                                   const struct event *event,
                                   struct actions *actions)
{
    if (event->effect == NODEMGR_FORGET) {
        forget_done(nodemgr, event, actions);
        return;
    }
    struct nodemgr_container *container = map_u64_get(nodemgr->by_tag, event->tag);
    if (!container || container->state == NC_COMPLETED)
        return; /* it ended before its launch was reported */
    if (event->effect == NODEMGR_LOCALIZE) {
        if (event->status != OK)
            failed_to_start(container, "cannot fetch the job's files", event->text);
        CHECK(apply(nodemgr,
                    container,
                    event->status == OK ? NCE_LOCALIZED : NCE_LOCALIZE_FAILED,
                    actions));
    } else if (event->effect == NODEMGR_LAUNCH) {
        const struct nodemgr_launched *launched = event->data;
        bool is_ok = event->status == OK && launched && launched->process_id != 0;
        if (is_ok)
            container->process_id = launched->process_id;
        else
            failed_to_start(container, "cannot start the process", event->text);
        CHECK(apply(nodemgr, container, is_ok ? NCE_LAUNCHED : NCE_LAUNCH_FAILED, actions));
    }
}

static void exited(struct nodemgr *nodemgr,
                   struct nodemgr_container *container,
                   const struct nodemgr_exited *exited,
                   struct actions *actions)
{
    const char *by = exited->signal != 0 ? "killed by signal" : "exited with code";
    int number = exited->signal != 0 ? exited->signal : exited->exit_code;
    if (!container->has_cause) {
        container->exit_status = exited->signal != 0 ? 128 + exited->signal : exited->exit_code;
        container->diagnostics = exited->signal == 0 && exited->exit_code == 0
                                     ? slice_make(NULL, 0)
                                     : arena_format(container->arena,
                                                    "%s %d%s%.*s",
                                                    by,
                                                    number,
                                                    exited->stderr_tail.length > 0
                                                        ? "; last lines of stderr:\n"
                                                        : "",
                                                    SLICE_ARGS(exited->stderr_tail));
    }
    CHECK(apply(nodemgr, container, NCE_EXITED, actions));
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
    } else if (event->effect == NODEMGR_OVER_MEMORY) {
        const struct nodemgr_over_memory *seen = event->data;
        struct nodemgr_container *container = nodemgr_container_find(nodemgr, &seen->container);
        if (!container || container->state == NC_COMPLETED)
            return;
        struct slice text = arena_format(actions->arena,
                                         "uses %llu bytes of memory, more than its limit of %llu",
                                         (unsigned long long)seen->used_bytes,
                                         (unsigned long long)container->resource.memory_bytes);
        nodemgr_container_kill(nodemgr, container, NODEMGR_EXIT_OVER_MEMORY, text, actions);
    }
}

void nodemgr_container_tick(struct nodemgr *nodemgr, struct actions *actions)
{
    size_t cursor = 0;
    void *value;
    while (map_next(nodemgr->containers, &cursor, NULL, &value)) {
        struct nodemgr_container *container = value;
        if (container->state == NC_KILLING && nodemgr->now_ms >= container->kill_at_ms)
            CHECK(apply(nodemgr, container, NCE_GRACE_OVER, actions));
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

void nodemgr_app_add(struct nodemgr *nodemgr, const struct app_id *id)
{
    (void)app_of(nodemgr, id);
}

void nodemgr_apps_free(struct nodemgr *nodemgr)
{
    size_t cursor = 0;
    void *value;
    while (map_next(nodemgr->containers, &cursor, NULL, &value)) {
        struct nodemgr_container *container = value;
        arena_close(container->arena);
        mem_free(container);
    }
    cursor = 0;
    while (map_next(nodemgr->apps, &cursor, NULL, &value))
        app_free(value);
}
