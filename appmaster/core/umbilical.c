/*
 * umbilical.c - what task processes ask and tell.
 * Owns held_outputs and the held GetTask of each worker. Every call may come twice: a repetition is
 * answered as the first was.
 * Called from appmaster_step only.
 */
#include "appmaster/core/appmaster_internal.h"

#include "lib/base/check.h"
#include "lib/base/mem.h"

enum {
    WAIT_MS_MAX = 60000,
    ROWS_MAX = 1000
};

static int64_t until_ms(const struct appmaster *am, uint64_t wait_ms)
{
    return am->now_ms + (int64_t)(wait_ms < WAIT_MS_MAX ? wait_ms : WAIT_MS_MAX);
}

static bool same_container(const struct container_id *left, const struct container_id *right)
{
    return left->app.cluster_timestamp == right->app.cluster_timestamp &&
           left->app.sequence == right->app.sequence && left->app_attempt == right->app_attempt &&
           left->epoch == right->epoch && left->sequence == right->sequence;
}

static bool same_attempt(const struct attempt_id *left, const struct attempt_id *right)
{
    return left->app.cluster_timestamp == right->app.cluster_timestamp &&
           left->app.sequence == right->app.sequence && left->kind == right->kind &&
           left->task == right->task && left->attempt == right->attempt;
}

/* The attempt if it is running in that container, else NULL: the sender is late or a stranger. */
static struct appmaster_attempt *running_attempt(const struct appmaster *am,
                                                 const struct attempt_id *id,
                                                 const struct container_id *container)
{
    struct appmaster_attempt *attempt = appmaster_attempt_find(am, id);
    if (!attempt || attempt->state != ATTEMPT_RUNNING || !attempt->worker ||
        !same_container(&attempt->container, container))
        return NULL;
    return attempt;
}

/* --- GetTask ------------------------------------------------------------------------------------
 */
static struct slice attempt_output(const struct appmaster *am,
                                   const struct appmaster_attempt *attempt,
                                   struct actions *actions)
{
    char name[128];
    if (attempt->id.kind == TASK_MAP && am->reduces_count > 0)
        return slice_make(NULL, 0);
    appmaster_attempt_name(&attempt->id, name, sizeof name);
    /* With the master's attempt in it, so that two masters' tasks never write to one file. */
    return arena_format(actions->arena, "%.*s/output_%u/%s", SLICE_ARGS(am->settings.job.staging),
                        am->settings.app_attempt, name);
}

static void reply_run(struct appmaster *am,
                      uint64_t call,
                      const struct appmaster_attempt *attempt,
                      struct actions *actions)
{
    struct am_get_task_response response = {
        .kind = GET_TASK_RUN,
        .attempt = attempt->id,
        .map_count = (uint32_t)am->maps_count,
        .output_path = attempt_output(am, attempt, actions),
        .job = am->settings.job,
        .report_interval_ms = (uint64_t)am->settings.report_interval_ms,
    };
    if (attempt->id.kind == TASK_MAP)
        response.split = attempt->task->split;
    actions_reply(actions, call, &am_get_task_response_type, &response);
}

static void reply_kind(uint64_t call, enum am_get_task_kind kind, struct actions *actions)
{
    struct am_get_task_response response = {.kind = kind};
    actions_reply(actions, call, &am_get_task_response_type, &response);
}

static void asked(struct appmaster *am,
                  struct appmaster_worker *worker,
                  const struct event *event,
                  struct actions *actions)
{
    const struct am_get_task_request *request = event->message;
    if (worker->ask_call != 0)
        actions_fail(actions, worker->ask_call, ERR_CANCELLED, "the process asked again");
    worker->ask_call = event->call;
    worker->ask_until_ms = until_ms(am, request->wait_ms);
    worker->has_asked = true;
    am->worker_failures = 0;
    int64_t since_ms = worker->since_ms;
    bool was_idle = worker->state == WORKER_IDLE;
    CHECK(transition_apply(&appmaster_worker_table, &worker->state, WE_ASKED, worker, NULL) == OK);
    worker->since_ms = was_idle ? since_ms : am->now_ms;
}

static void get_task(struct appmaster *am, const struct event *event, struct actions *actions)
{
    const struct am_get_task_request *request = event->message;
    struct appmaster_worker *worker = appmaster_worker_find(am, &request->container);
    if (!worker || worker->state == WORKER_RELEASED) {
        reply_kind(event->call, GET_TASK_EXIT, actions);
        return;
    }
    if (worker->state == WORKER_BUSY) {
        struct appmaster_attempt *attempt = worker->attempt;
        if (!same_attempt(&request->finished, &attempt->id) ||
            request->finished.app.sequence == 0) {
            reply_run(am, event->call, attempt, actions); /* the answer before got lost */
            return;
        }
        appmaster_worker_free_of(am, attempt, actions);
        appmaster_attempt_end(am, attempt, AE_FAILED,
                              slice_from_string("the process gave it up without a word"), actions);
    }
    asked(am, worker, event, actions);
}

static void give(struct appmaster *am,
                 struct appmaster_worker *worker,
                 struct appmaster_task *task,
                 struct actions *actions)
{
    CHECK(transition_apply(&appmaster_worker_table, &worker->state, WE_GIVEN, worker, NULL) == OK);
    worker->since_ms = am->now_ms;
    worker->attempt = appmaster_attempt_new(am, task, worker, actions);
    reply_run(am, worker->ask_call, worker->attempt, actions);
    worker->ask_call = 0;
}

static void workers_feed(struct appmaster *am, struct actions *actions)
{
    size_t cursor = 0;
    void *value;
    while (map_u64_next(am->workers, &cursor, NULL, &value)) {
        struct appmaster_worker *worker = value;
        if (worker->state != WORKER_IDLE || worker->ask_call == 0)
            continue;
        struct appmaster_task *task =
            am->job == JOB_RUNNING ? appmaster_task_choose(am, worker) : NULL;
        if (task) {
            give(am, worker, task, actions);
        } else if (am->now_ms >= worker->ask_until_ms) {
            reply_kind(worker->ask_call, GET_TASK_WAIT, actions);
            worker->ask_call = 0;
        }
    }
}

/* --- reports, results, failures -----------------------------------------------------------------
 */
static void task_report(struct appmaster *am, const struct event *event, struct actions *actions)
{
    const struct am_task_report_request *request = event->message;
    struct appmaster_attempt *attempt = running_attempt(am, &request->attempt, &request->container);
    struct am_task_report_response response = {.must_stop = attempt == NULL};
    if (attempt)
        appmaster_attempt_report(am, attempt, request);
    actions_reply(actions, event->call, &am_task_report_response_type, &response);
}

static void task_done(struct appmaster *am, const struct event *event, struct actions *actions)
{
    const struct am_task_done_request *request = event->message;
    struct am_task_done_response response = {0};
    struct appmaster_attempt *attempt = running_attempt(am, &request->attempt, &request->container);
    bool has_partitions = request->attempt.kind == TASK_MAP && am->reduces_count > 0;
    if (attempt && has_partitions && request->partition_bytes_count != am->reduces_count) {
        actions_fail(actions, event->call, ERR_INVALID,
                     "a map's result names %zu partitions, the job has %zu",
                     request->partition_bytes_count, am->reduces_count);
        return;
    }
    if (attempt) {
        appmaster_worker_free_of(am, attempt, actions);
        appmaster_attempt_done(am, attempt, request, actions);
        response.is_accepted = true;
    } else {
        attempt = appmaster_attempt_find(am, &request->attempt);
        response.is_accepted = attempt && attempt->state == ATTEMPT_SUCCEEDED &&
                               same_container(&attempt->container, &request->container);
    }
    actions_reply(actions, event->call, &am_task_done_response_type, &response);
}

static void task_failed(struct appmaster *am, const struct event *event, struct actions *actions)
{
    static const struct am_task_failed_response response = {0};
    const struct am_task_failed_request *request = event->message;
    struct appmaster_attempt *attempt = running_attempt(am, &request->attempt, &request->container);
    if (attempt) {
        appmaster_worker_free_of(am, attempt, actions);
        appmaster_attempt_end(am, attempt, AE_FAILED, request->diagnostics, actions);
        if (request->is_fatal && !appmaster_job_is_over(am))
            appmaster_job_fail(am, request->diagnostics, actions);
    }
    actions_reply(actions, event->call, &am_task_failed_response_type, &response);
}

static void fetch_failed(struct appmaster *am, const struct event *event, struct actions *actions)
{
    static const struct am_fetch_failed_response response = {0};
    const struct am_fetch_failed_request *request = event->message;
    struct attempt_id id = {.app = am->settings.app,
                            .kind = TASK_MAP,
                            .task = request->map,
                            .attempt = request->map_attempt};
    struct appmaster_attempt *map = appmaster_attempt_find(am, &id);
    const struct appmaster_attempt *reduce = appmaster_attempt_find(am, &request->attempt);
    /* Only a reduce that still runs may cost a finished map; it has tried several times itself. */
    if (map && reduce && reduce->state == ATTEMPT_RUNNING && map->task->winner == map &&
        am->job == JOB_RUNNING)
        appmaster_map_output_lost(am, map->task, "a reduce could not fetch its output", actions);
    actions_reply(actions, event->call, &am_fetch_failed_response_type, &response);
}

/* --- GetMapOutputs -------------------------------------------------------------------------------
 */
static void reply_outputs(const struct appmaster *am,
                          const struct appmaster_held *held,
                          bool must_stop,
                          struct actions *actions)
{
    size_t from = held->after < am->rows_count ? (size_t)held->after : am->rows_count;
    size_t limit = held->limit > 0 && held->limit < ROWS_MAX ? held->limit : ROWS_MAX;
    size_t count = am->rows_count - from < limit ? am->rows_count - from : limit;
    struct am_map_output *outputs = ARENA_ARRAY(actions->arena, struct am_map_output, count + 1);
    for (size_t i = 0; i < count; i++) {
        const struct appmaster_output_row *row = &am->rows[from + i];
        outputs[i] = (struct am_map_output){
            .map = row->map,
            .attempt = row->attempt->id.attempt,
            .node = row->attempt->node,
            .bytes = row->is_lost || !row->attempt->partition_bytes
                         ? 0
                         : row->attempt->partition_bytes[held->attempt.task],
            .sequence = from + i + 1,
            .app = am->settings.app,
            .is_lost = row->is_lost,
        };
    }
    struct am_get_map_outputs_response response = {
        .outputs = outputs, .outputs_count = count, .must_stop = must_stop};
    actions_reply(actions, held->call, &am_get_map_outputs_response_type, &response);
}

/* True when there is something to say, and then it is said. */
static bool outputs_answered(const struct appmaster *am,
                             const struct appmaster_held *held,
                             struct actions *actions)
{
    const struct appmaster_attempt *attempt = appmaster_attempt_find(am, &held->attempt);
    bool must_stop =
        !attempt || attempt->id.kind != TASK_REDUCE || attempt->state != ATTEMPT_RUNNING;
    if (!must_stop && held->after >= am->rows_count && am->now_ms < held->until_ms)
        return false;
    struct appmaster_held safe = *held;
    if (must_stop)
        safe.after = am->rows_count; /* a stranger's partition may not exist */
    reply_outputs(am, &safe, must_stop, actions);
    return true;
}

static void get_map_outputs(struct appmaster *am,
                            const struct event *event,
                            struct actions *actions)
{
    const struct am_get_map_outputs_request *request = event->message;
    struct appmaster_held held = {
        .call = event->call,
        .until_ms = until_ms(am, request->wait_ms),
        .after = request->after_sequence,
        .attempt = request->attempt,
        .limit = request->limit,
    };
    if (outputs_answered(am, &held, actions))
        return;
    am->held_outputs = mem_reserve(am->held_outputs, am->held_outputs_count,
                                   &am->held_outputs_capacity, sizeof *am->held_outputs);
    am->held_outputs[am->held_outputs_count++] = held;
}

static void outputs_advance(struct appmaster *am, struct actions *actions)
{
    size_t kept = 0;
    for (size_t i = 0; i < am->held_outputs_count; i++)
        if (!outputs_answered(am, &am->held_outputs[i], actions))
            am->held_outputs[kept++] = am->held_outputs[i];
    am->held_outputs_count = kept;
}

/* --- dispatch -----------------------------------------------------------------------------------
 */
void appmaster_umbilical_request(struct appmaster *am,
                                 const struct event *event,
                                 struct actions *actions)
{
    if (!slice_equal(event->user, am->settings.user) &&
        !slice_equal_string(event->user, "millrace")) {
        actions_fail(actions, event->call, ERR_DENIED,
                     "only tasks of %.*s may speak to this master", SLICE_ARGS(am->settings.user));
        return;
    }
    if (event->method == METHOD_UMBILICAL_GET_TASK)
        get_task(am, event, actions);
    else if (event->method == METHOD_UMBILICAL_TASK_REPORT)
        task_report(am, event, actions);
    else if (event->method == METHOD_UMBILICAL_TASK_DONE)
        task_done(am, event, actions);
    else if (event->method == METHOD_UMBILICAL_TASK_FAILED)
        task_failed(am, event, actions);
    else if (event->method == METHOD_UMBILICAL_GET_MAP_OUTPUTS)
        get_map_outputs(am, event, actions);
    else if (event->method == METHOD_UMBILICAL_FETCH_FAILED)
        fetch_failed(am, event, actions);
    else
        actions_fail(actions, event->call, ERR_UNSUPPORTED, "not a master's method");
}

void appmaster_umbilical_advance(struct appmaster *am, struct actions *actions)
{
    workers_feed(am, actions);
    outputs_advance(am, actions);
}

void appmaster_umbilical_cancelled(struct appmaster *am, uint64_t call)
{
    size_t cursor = 0;
    void *value;
    /* Its time is up at once: the next step gives the answer that the door asks for. */
    while (map_u64_next(am->workers, &cursor, NULL, &value)) {
        struct appmaster_worker *worker = value;
        if (worker->ask_call == call)
            worker->ask_until_ms = INT64_MIN;
    }
    for (size_t i = 0; i < am->held_outputs_count; i++)
        if (am->held_outputs[i].call == call)
            am->held_outputs[i].until_ms = INT64_MIN;
    for (size_t i = 0; i < am->held_jobs_count; i++)
        if (am->held_jobs[i].call == call)
            am->held_jobs[i].until_ms = INT64_MIN;
}

int64_t appmaster_umbilical_deadline_ms(const struct appmaster *am)
{
    int64_t deadline = INT64_MAX;
    size_t cursor = 0;
    void *value;
    while (map_u64_next(am->workers, &cursor, NULL, &value)) {
        const struct appmaster_worker *worker = value;
        if (worker->ask_call != 0 && worker->ask_until_ms < deadline)
            deadline = worker->ask_until_ms;
    }
    for (size_t i = 0; i < am->held_outputs_count; i++)
        if (am->held_outputs[i].until_ms < deadline)
            deadline = am->held_outputs[i].until_ms;
    for (size_t i = 0; i < am->held_jobs_count; i++)
        if (am->held_jobs[i].until_ms < deadline)
            deadline = am->held_jobs[i].until_ms;
    return deadline;
}
