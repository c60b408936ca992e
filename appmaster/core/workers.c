/*
 * workers.c - containers of this job: one task process each, which takes attempt after attempt.
 * Owns workers, workers_by_id and worker_failures.
 * Invariants: AM-2, AM-3 of appmaster.h.
 * Called from appmaster_step only. States: docs/states/appmaster_worker.dot.
 */
#include "appmaster/core/appmaster_internal.h"

#include "lib/base/check.h"
#include "lib/base/mem.h"

static const struct transition_row worker_rows[] = {
    {WORKER_NEW,      WE_GRANTED, WORKER_STARTING, NULL},
    {WORKER_STARTING, WE_STARTED, WORKER_AWAITED,  NULL},
    {WORKER_STARTING, WE_ASKED,   WORKER_IDLE,     NULL}, /* it was quicker than the answer */
    {WORKER_STARTING, WE_RELEASE, WORKER_RELEASED, NULL},
    {WORKER_AWAITED,  WE_ASKED,   WORKER_IDLE,     NULL},
    {WORKER_AWAITED,  WE_RELEASE, WORKER_RELEASED, NULL},
    {WORKER_IDLE,     WE_ASKED,   WORKER_IDLE,     NULL},
    {WORKER_IDLE,     WE_GIVEN,   WORKER_BUSY,     NULL},
    {WORKER_IDLE,     WE_RELEASE, WORKER_RELEASED, NULL},
    {WORKER_BUSY,     WE_FREED,   WORKER_AWAITED,  NULL},
    {WORKER_BUSY,     WE_RELEASE, WORKER_RELEASED, NULL},
    {WORKER_RELEASED, WE_RELEASE, WORKER_RELEASED, NULL},
};

static const char *const worker_state_names[] = {APPMASTER_WORKER_STATES(APPMASTER_NAME)};
static const char *const worker_event_names[] = {APPMASTER_WORKER_EVENTS(APPMASTER_NAME)};

const struct transition_table appmaster_worker_table = {
    .name = "appmaster_worker",
    .rows = worker_rows,
    .count = sizeof worker_rows / sizeof worker_rows[0],
    .state_names = worker_state_names,
    .state_count = WORKER_STATE_COUNT,
    .event_names = worker_event_names,
    .event_count = WE_COUNT,
};

static void apply(struct appmaster *am,
                  struct appmaster_worker *worker,
                  enum appmaster_worker_event event,
                  struct actions *actions)
{
    int before = worker->state;
    CHECK(transition_apply(&appmaster_worker_table, &worker->state, (int)event, worker, NULL) ==
          OK);
    worker->since_ms = am->now_ms;
    if (before != worker->state)
        trace_emit(actions->trace, "worker %u.%llu %s->%s", worker->id.epoch,
                   (unsigned long long)worker->id.sequence, worker_state_names[before],
                   worker_state_names[worker->state]);
}

static struct slice id_key(const struct container_id *id, uint64_t words[5])
{
    words[0] = id->app.cluster_timestamp;
    words[1] = id->app.sequence;
    words[2] = id->app_attempt;
    words[3] = id->epoch;
    words[4] = id->sequence;
    return slice_make(words, 5 * sizeof words[0]);
}

struct appmaster_worker *appmaster_worker_find(const struct appmaster *am,
                                               const struct container_id *id)
{
    uint64_t words[5];
    return map_get(am->workers_by_id, id_key(id, words));
}

/* --- start -------------------------------------------------------------------------------------
 */
static void environment_add(struct key_value *environment,
                            size_t *count,
                            const char *key,
                            struct slice value)
{
    environment[(*count)++] = (struct key_value){.key = slice_from_string(key), .value = value};
}

static void call_start(struct appmaster *am,
                       struct appmaster_worker *worker,
                       struct actions *actions)
{
    const struct am_job_spec *job = &am->settings.job;
    struct key_value environment[4];
    size_t count = 0;
    environment_add(environment, &count, "MILLRACE_MASTER_ADDRESS", am->settings.self_address);
    environment_add(environment, &count, "MILLRACE_TASK_TOKEN", am->settings.credential);
    struct slice argument = slice_from_string("mr-task");
    struct rm_local_resource object = {.name = job->object_name, .path = job->object_path};
    struct nm_start_container_request request = {
        .container = worker->id,
        .token = worker->token,
        .launch = {.arguments = &argument,
                   .arguments_count = 1,
                   .environment = environment,
                   .environment_count = count,
                   .resources = &object,
                   .resources_count = object.path.length > 0 ? 1 : 0},
    };
    worker->retry_at_ms = INT64_MAX;
    actions_call(actions, worker->tag, worker->node.rpc_address,
                 METHOD_NODE_MANAGER_START_CONTAINER, &request, am->settings.worker_start_ms);
}

void appmaster_worker_granted(struct appmaster *am,
                              const struct rm_grant *grant,
                              struct actions *actions)
{
    if (appmaster_worker_find(am, &grant->container))
        return; /* an answer that came twice */
    uint64_t words[5];
    struct appmaster_worker *worker = MEM_NEW(struct appmaster_worker);
    worker->arena = arena_open(0);
    const struct rm_grant *copy = message_copy(&rm_grant_type, grant, worker->arena);
    worker->id = grant->container;
    worker->tag = am->next_tag++;
    worker->state = WORKER_NEW;
    worker->node = copy->node;
    worker->resource = copy->resource;
    worker->priority = copy->priority;
    worker->token = copy->token;
    worker->backoff_ms = am->settings.retry_min_ms;
    worker->retry_at_ms = INT64_MAX;
    (void)map_put(am->workers_by_id, id_key(&worker->id, words), worker);
    (void)map_u64_put(am->workers, worker->tag, worker);
    apply(am, worker, WE_GRANTED, actions);
    bool is_wanted = !appmaster_job_is_over(am) && (appmaster_tasks_pending(am, TASK_MAP) > 0 ||
                                                    appmaster_tasks_pending(am, TASK_REDUCE) > 0);
    if (is_wanted)
        call_start(am, worker, actions);
    else
        appmaster_worker_release(am, worker, actions);
}

static void worker_drop(struct appmaster *am, struct appmaster_worker *worker)
{
    uint64_t words[5];
    CHECK(worker->attempt == NULL);
    (void)map_remove(am->workers_by_id, id_key(&worker->id, words));
    (void)map_u64_remove(am->workers, worker->tag);
    arena_close(worker->arena);
    mem_free(worker);
}

/* A container that died before it ever asked for work says something about all of them. */
static void count_failure(struct appmaster *am, struct slice why, struct actions *actions)
{
    am->worker_failures++;
    if (am->worker_failures < am->settings.worker_failures_max || appmaster_job_is_over(am))
        return;
    appmaster_job_fail(am,
                       arena_format(actions->arena,
                                    "%u containers in a row ended before they did any work, the "
                                    "last: %.*s",
                                    am->worker_failures, SLICE_ARGS(why)),
                       actions);
}

void appmaster_worker_started(struct appmaster *am,
                              const struct event *event,
                              struct actions *actions)
{
    struct appmaster_worker *worker = map_u64_get(am->workers, event->tag);
    if (!worker || worker->state != WORKER_STARTING)
        return;
    if (event->status == OK) {
        apply(am, worker, WE_STARTED, actions);
        return;
    }
    bool is_transient = event->status == ERR_UNAVAILABLE || event->status == ERR_DEADLINE;
    if (is_transient && am->now_ms - worker->since_ms < am->settings.worker_start_ms) {
        worker->retry_at_ms = am->now_ms + appmaster_backoff(am, &worker->backoff_ms);
        return;
    }
    if (event->status != ERR_STALE) /* the resource manager took it back: nobody's fault */
        count_failure(am, event->text, actions);
    if (worker->state == WORKER_STARTING)
        appmaster_worker_release(am, worker, actions);
}

/* --- end ---------------------------------------------------------------------------------------
 */
static void answer_exit(struct appmaster_worker *worker, struct actions *actions)
{
    static const struct am_get_task_response response = {.kind = GET_TASK_EXIT};
    if (worker->ask_call != 0)
        actions_reply(actions, worker->ask_call, &am_get_task_response_type, &response);
    worker->ask_call = 0;
}

void appmaster_worker_release(struct appmaster *am,
                              struct appmaster_worker *worker,
                              struct actions *actions)
{
    CHECK(worker->attempt == NULL);
    bool is_polite = worker->ask_call != 0; /* it leaves by itself; that is cheaper than a kill */
    answer_exit(worker, actions);
    apply(am, worker, WE_RELEASE, actions);
    worker->is_releasing = !is_polite;
}

void appmaster_worker_stop(struct appmaster *am,
                           struct appmaster_worker *worker,
                           const char *why,
                           struct actions *actions)
{
    struct nm_stop_container_request request = {.container = worker->id,
                                                .diagnostics = slice_from_string(why)};
    /* Several may be out at once; nobody waits for their answers. */
    actions_call(actions, am->next_tag++, worker->node.rpc_address,
                 METHOD_NODE_MANAGER_STOP_CONTAINER, &request, am->settings.call_timeout_ms);
    answer_exit(worker, actions);
    apply(am, worker, WE_RELEASE, actions);
    worker->is_releasing = true; /* should the node not be reached, the resource manager stops it */
}

void appmaster_worker_gone(struct appmaster *am,
                           struct appmaster_worker *worker,
                           bool counts,
                           struct slice why,
                           struct actions *actions)
{
    struct appmaster_attempt *attempt = worker->attempt;
    bool was_unheard = !worker->has_asked && worker->state != WORKER_RELEASED;
    if (worker->ask_call != 0) {
        actions_fail(actions, worker->ask_call, ERR_CANCELLED, "the container is over");
        worker->ask_call = 0;
    }
    worker->attempt = NULL;
    if (attempt)
        appmaster_attempt_end(am, attempt, counts ? AE_FAILED : AE_LOST, why, actions);
    if (was_unheard && counts)
        count_failure(am, why, actions);
    worker_drop(am, worker);
}

/* YARN's codes below zero are what others did to it; but who has too much memory, logs or processes
 * is to blame for that. */
static bool is_own_doing(int32_t exit_status)
{
    return exit_status >= 0 || exit_status == -104 || exit_status == -109 || exit_status == -110 ||
           exit_status == -1000;
}

void appmaster_worker_completed(struct appmaster *am,
                                const struct rm_container_status *status,
                                struct actions *actions)
{
    struct appmaster_worker *worker = appmaster_worker_find(am, &status->container);
    if (!worker)
        return;
    bool counts = is_own_doing(status->exit_status);
    struct slice why = status->diagnostics;
    if (why.length == 0)
        why = arena_format(actions->arena,
                           "its process ended with exit code %d before the attempt was done",
                           status->exit_status);
    appmaster_worker_gone(am, worker, counts, why, actions);
}

/* The attempt is over, the process lives: it will ask again. */
void appmaster_worker_free_of(struct appmaster *am,
                              struct appmaster_attempt *attempt,
                              struct actions *actions)
{
    struct appmaster_worker *worker = attempt->worker;
    CHECK(worker != NULL && worker->attempt == attempt);
    worker->attempt = NULL;
    apply(am, worker, WE_FREED, actions);
}

/* --- time --------------------------------------------------------------------------------------
 */
static bool has_work_to_come(const struct appmaster *am)
{
    return appmaster_tasks_pending(am, TASK_MAP) > 0 ||
           appmaster_tasks_pending(am, TASK_REDUCE) > 0;
}

static void idle_advance(struct appmaster *am,
                         struct appmaster_worker *worker,
                         struct actions *actions)
{
    if (appmaster_job_is_over(am) || am->job == JOB_COMMITTING ||
        (am->now_ms - worker->since_ms >= am->settings.worker_idle_ms && !has_work_to_come(am)))
        appmaster_worker_release(am, worker, actions);
}

static void busy_advance(struct appmaster *am,
                         struct appmaster_worker *worker,
                         struct actions *actions)
{
    int64_t limit = (int64_t)am->settings.job.task_timeout_ms;
    struct appmaster_attempt *attempt = worker->attempt;
    if (appmaster_job_is_over(am)) {
        worker->attempt = NULL;
        appmaster_attempt_end(am, attempt, AE_KILLED, slice_from_string("the job is over"),
                              actions);
        appmaster_worker_stop(am, worker, "the job is over", actions);
    } else if (limit > 0 && am->now_ms - attempt->heard_ms >= limit) {
        worker->attempt = NULL;
        appmaster_worker_stop(am, worker, "no progress", actions);
        appmaster_attempt_end(am, attempt, AE_FAILED,
                              arena_format(actions->arena,
                                           "no progress for %lld ms (mr.task.timeout)",
                                           (long long)limit),
                              actions);
    }
}

static void worker_advance(struct appmaster *am,
                           struct appmaster_worker *worker,
                           struct actions *actions)
{
    switch ((enum appmaster_worker_state)worker->state) {
    case WORKER_STARTING:
        if (appmaster_job_is_over(am))
            appmaster_worker_stop(am, worker, "the job is over", actions);
        else if (am->now_ms >= worker->retry_at_ms)
            call_start(am, worker, actions);
        return;
    case WORKER_AWAITED:
        if (appmaster_job_is_over(am)) {
            appmaster_worker_stop(am, worker, "the job is over", actions);
        } else if (am->now_ms - worker->since_ms >= am->settings.worker_start_ms) {
            appmaster_worker_stop(am, worker, "it never asked for work", actions);
            count_failure(am, slice_from_string("its process runs but never asked for work"),
                          actions);
        }
        return;
    case WORKER_IDLE:
        idle_advance(am, worker, actions);
        return;
    case WORKER_BUSY:
        busy_advance(am, worker, actions);
        return;
    case WORKER_NEW:
    case WORKER_RELEASED:
    case WORKER_STATE_COUNT:
        return;
    }
}

/* A map that must run again while reduces hold every place: the youngest reduce gives way. */
static bool map_starves(const struct appmaster *am)
{
    for (size_t i = 0; i < am->maps_count; i++)
        if (am->maps[i].state == TASK_PENDING &&
            am->now_ms - am->maps[i].pending_since_ms >= am->settings.starve_ms)
            return true;
    return false;
}

static void feed_starving_map(struct appmaster *am, struct actions *actions)
{
    if (am->job != JOB_RUNNING || !map_starves(am))
        return;
    struct appmaster_worker *youngest = NULL;
    size_t cursor = 0;
    void *value;
    while (map_u64_next(am->workers, &cursor, NULL, &value)) {
        struct appmaster_worker *worker = value;
        if (worker->state == WORKER_BUSY && worker->attempt->id.kind == TASK_REDUCE)
            youngest = worker;
        else if (worker->state != WORKER_RELEASED)
            return; /* a place is, or will be, free for it; or maps are running and will end */
    }
    if (!youngest)
        return;
    struct appmaster_attempt *attempt = youngest->attempt;
    youngest->attempt = NULL;
    appmaster_worker_stop(am, youngest, "a lost map output must be made again first", actions);
    appmaster_attempt_end(am, attempt, AE_KILLED,
                          slice_from_string("gave way to a map that must run again"), actions);
}

void appmaster_workers_advance(struct appmaster *am, struct actions *actions)
{
    feed_starving_map(am, actions);
    size_t cursor = 0;
    void *value;
    while (map_u64_next(am->workers, &cursor, NULL, &value))
        worker_advance(am, value, actions);
}

static int64_t sooner(int64_t left, int64_t right)
{
    return left < right ? left : right;
}

int64_t appmaster_workers_deadline_ms(const struct appmaster *am)
{
    int64_t deadline = INT64_MAX;
    size_t cursor = 0;
    void *value;
    while (map_u64_next(am->workers, &cursor, NULL, &value)) {
        const struct appmaster_worker *worker = value;
        if (worker->state == WORKER_STARTING)
            deadline = sooner(deadline, worker->retry_at_ms);
        else if (worker->state == WORKER_AWAITED)
            deadline = sooner(deadline, worker->since_ms + am->settings.worker_start_ms);
        else if (worker->state == WORKER_IDLE && !has_work_to_come(am))
            deadline = sooner(deadline, worker->since_ms + am->settings.worker_idle_ms);
        else if (worker->state == WORKER_BUSY && am->settings.job.task_timeout_ms > 0)
            deadline = sooner(deadline, worker->attempt->heard_ms +
                                            (int64_t)am->settings.job.task_timeout_ms);
    }
    for (size_t i = 0; am->job == JOB_RUNNING && i < am->maps_count; i++)
        if (am->maps[i].state == TASK_PENDING &&
            am->maps[i].pending_since_ms + am->settings.starve_ms > am->now_ms)
            deadline = sooner(deadline, am->maps[i].pending_since_ms + am->settings.starve_ms);
    return deadline;
}

void appmaster_workers_free(struct appmaster *am)
{
    size_t cursor = 0;
    void *value;
    while (map_u64_next(am->workers, &cursor, NULL, &value)) {
        struct appmaster_worker *worker = value;
        arena_close(worker->arena);
        mem_free(worker);
    }
}
