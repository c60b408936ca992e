/*
 * tasks.c - the job's tasks and their attempts, and the table of map outputs that reduces read.
 * Owns maps, reduces, rows and the counts beside them.
 * Invariants: AM-1, AM-5, AM-6 of appmaster.h.
 * Called from appmaster_step only. States: docs/states/appmaster_task.dot, appmaster_attempt.dot.
 */
#include "appmaster/core/appmaster_internal.h"

#include <stdio.h>

#include "lib/base/check.h"
#include "lib/base/mem.h"
#include "lib/model/text.h"

static const struct transition_row task_rows[] = {
    {TASK_PENDING,   TE_ASSIGNED,      TASK_RUNNING,   NULL},
    {TASK_RUNNING,   TE_ATTEMPT_ENDED, TASK_PENDING,   NULL},
    {TASK_RUNNING,   TE_DONE,          TASK_SUCCEEDED, NULL},
    {TASK_PENDING,   TE_RECOVERED,     TASK_SUCCEEDED, NULL}, /* under an earlier master */
    {TASK_SUCCEEDED, TE_OUTPUT_LOST,   TASK_PENDING,   NULL},
};

static const char *const task_state_names[] = {APPMASTER_TASK_STATES(APPMASTER_NAME)};
static const char *const task_event_names[] = {APPMASTER_TASK_EVENTS(APPMASTER_NAME)};

const struct transition_table appmaster_task_table = {
    .name = "appmaster_task",
    .rows = task_rows,
    .count = sizeof task_rows / sizeof task_rows[0],
    .state_names = task_state_names,
    .state_count = TASK_STATE_COUNT,
    .event_names = task_event_names,
    .event_count = TE_COUNT,
};

/* Attempts are made when a process asks, so none waits. */
static const struct transition_row attempt_rows[] = {
    {ATTEMPT_WAITING,   AE_ASSIGNED,  ATTEMPT_RUNNING,   NULL},
    {ATTEMPT_WAITING,   AE_RECOVERED, ATTEMPT_SUCCEEDED, NULL}, /* under an earlier master */
    {ATTEMPT_RUNNING,   AE_DONE,      ATTEMPT_SUCCEEDED, NULL},
    {ATTEMPT_RUNNING,   AE_FAILED,    ATTEMPT_FAILED,    NULL},
    {ATTEMPT_RUNNING,   AE_KILLED,    ATTEMPT_KILLED,    NULL},
    {ATTEMPT_RUNNING,   AE_LOST,      ATTEMPT_LOST,      NULL},
    {ATTEMPT_SUCCEEDED, AE_LOST,      ATTEMPT_LOST,      NULL},
};

static const char *const attempt_state_names[] = {"WAITING", "RUNNING", "SUCCEEDED",
                                                  "FAILED",  "KILLED",  "LOST"};
static const char *const attempt_event_names[] = {APPMASTER_ATTEMPT_EVENTS(APPMASTER_NAME)};

_Static_assert(sizeof attempt_state_names / sizeof attempt_state_names[0] == AM_ATTEMPT_STATE_COUNT,
               "one name for each state");

const struct transition_table appmaster_attempt_table = {
    .name = "appmaster_attempt",
    .rows = attempt_rows,
    .count = sizeof attempt_rows / sizeof attempt_rows[0],
    .state_names = attempt_state_names,
    .state_count = AM_ATTEMPT_STATE_COUNT,
    .event_names = attempt_event_names,
    .event_count = AE_COUNT,
};

static void task_apply(struct appmaster_task *task, enum appmaster_task_event event)
{
    CHECK(transition_apply(&appmaster_task_table, &task->state, (int)event, task, NULL) == OK);
}

static void attempt_apply(struct appmaster_attempt *attempt,
                          enum appmaster_attempt_event event,
                          struct actions *actions)
{
    int before = attempt->state;
    CHECK(transition_apply(&appmaster_attempt_table, &attempt->state, (int)event, attempt, NULL) ==
          OK);
    trace_emit(actions->trace, "attempt %c%u.%u %s->%s", attempt->id.kind == TASK_MAP ? 'm' : 'r',
               attempt->id.task, attempt->id.attempt, attempt_state_names[before],
               attempt_state_names[attempt->state]);
}

/* Not lib/model/ids.h's: the few callers here want a C string in their own buffer. */
void appmaster_attempt_name(const struct attempt_id *id, char *ret_text, size_t room)
{
    (void)snprintf(ret_text, /* the buffers have room for the longest id */
                   room, "attempt_%llu_%04u_%c_%06u_%u",
                   (unsigned long long)id->app.cluster_timestamp, id->app.sequence,
                   id->kind == TASK_MAP ? 'm' : 'r', id->task, id->attempt);
}

/* --- tasks ------------------------------------------------------------------------------------ */
void appmaster_map_add(struct appmaster *am, const struct am_input_split *split)
{
    am->maps = mem_reserve(am->maps, am->maps_count, &am->maps_capacity, sizeof *am->maps);
    am->maps[am->maps_count] = (struct appmaster_task){
        .kind = TASK_MAP,
        .index = (uint32_t)am->maps_count,
        .split = *split,
        .pending_since_ms = am->now_ms,
    };
    am->maps_count++;
}

void appmaster_reduces_make(struct appmaster *am)
{
    CHECK(am->reduces == NULL);
    am->reduces_count = am->settings.job.reduces;
    am->reduces = mem_new(sizeof *am->reduces * (am->reduces_count + 1));
    for (size_t i = 0; i < am->reduces_count; i++)
        am->reduces[i] = (struct appmaster_task){
            .kind = TASK_REDUCE, .index = (uint32_t)i, .pending_since_ms = am->now_ms};
}

static struct appmaster_task *task_find(const struct appmaster *am,
                                        enum task_kind kind,
                                        uint32_t index)
{
    size_t count = kind == TASK_MAP ? am->maps_count : am->reduces_count;
    if (index >= count)
        return NULL;
    return kind == TASK_MAP ? &am->maps[index] : &am->reduces[index];
}

struct appmaster_attempt *appmaster_attempt_find(const struct appmaster *am,
                                                 const struct attempt_id *id)
{
    const struct appmaster_task *task = task_find(am, id->kind, id->task);
    if (!task || id->app.cluster_timestamp != am->settings.app.cluster_timestamp ||
        id->app.sequence != am->settings.app.sequence)
        return NULL;
    for (size_t i = 0; i < task->attempts_count; i++)
        if (task->attempts[i]->id.attempt == id->attempt)
            return task->attempts[i];
    return NULL;
}

size_t appmaster_tasks_pending(const struct appmaster *am, enum task_kind kind)
{
    const struct appmaster_task *tasks = kind == TASK_MAP ? am->maps : am->reduces;
    size_t count = kind == TASK_MAP ? am->maps_count : am->reduces_count;
    size_t pending = 0;
    for (size_t i = 0; i < count; i++)
        pending += tasks[i].state == TASK_PENDING;
    return pending;
}

/*
 * Reduces start when no map waits for a place, so they never take one that a map needs, and when a
 * map is done, so there is something to fetch, and a small job's only process does both.
 */
bool appmaster_reduces_may_start(const struct appmaster *am)
{
    return appmaster_tasks_pending(am, TASK_MAP) == 0 && (am->maps_done > 0 || am->maps_count == 0);
}

static bool failed_on(const struct appmaster_task *task, uint64_t node_id)
{
    for (size_t i = 0; i < task->attempts_count; i++)
        if (task->attempts[i]->state == ATTEMPT_FAILED &&
            task->attempts[i]->node.node_id == node_id)
            return true;
    return false;
}

/*
 * True when a worker on a node where the task has not failed is free or will be without this task:
 * one that runs a reduce may be waiting for it.
 */
static bool has_better_node(const struct appmaster *am, const struct appmaster_task *task)
{
    size_t cursor = 0;
    void *value;
    while (map_u64_next(am->workers, &cursor, NULL, &value)) {
        const struct appmaster_worker *worker = value;
        bool is_usable = worker->state == WORKER_STARTING || worker->state == WORKER_AWAITED ||
                         worker->state == WORKER_IDLE ||
                         (worker->state == WORKER_BUSY && worker->attempt->id.kind == TASK_MAP);
        if (is_usable && !failed_on(task, worker->node.node_id))
            return true;
    }
    return false;
}

/* A task is tried elsewhere after a failure, as long as there is an elsewhere. */
static bool is_avoided(const struct appmaster *am,
                       const struct appmaster_task *task,
                       uint64_t node_id)
{
    return failed_on(task, node_id) && has_better_node(am, task);
}

static bool fits(const struct resource *need, const struct resource *has)
{
    return need->memory_bytes <= has->memory_bytes && need->vcores <= has->vcores;
}

int appmaster_split_distance(const struct am_input_split *split, const struct endpoint *node)
{
    int best = 2;
    for (size_t i = 0; i < split->hosts_count; i++) {
        if (slice_equal(split->hosts[i], node->host))
            return 0;
        if (i < split->racks_count && slice_equal(split->racks[i], node->rack))
            best = 1;
    }
    return best;
}

struct appmaster_task *appmaster_task_choose(struct appmaster *am,
                                             const struct appmaster_worker *worker)
{
    struct appmaster_task *best = NULL;
    int best_distance = 3;
    if (fits(&am->settings.job.map_resource, &worker->resource)) {
        for (size_t i = 0; i < am->maps_count && best_distance > 0; i++) {
            struct appmaster_task *task = &am->maps[i];
            if (task->state != TASK_PENDING || is_avoided(am, task, worker->node.node_id))
                continue;
            int here = appmaster_split_distance(&task->split, &worker->node);
            if (here < best_distance) {
                best = task;
                best_distance = here;
            }
        }
    }
    if (best || !appmaster_reduces_may_start(am) ||
        !fits(&am->settings.job.reduce_resource, &worker->resource))
        return best;
    for (size_t i = 0; i < am->reduces_count && !best; i++) {
        struct appmaster_task *task = &am->reduces[i];
        if (task->state == TASK_PENDING && !is_avoided(am, task, worker->node.node_id))
            best = task;
    }
    return best;
}

/* --- attempts --------------------------------------------------------------------------------- */
static struct appmaster_attempt *attempt_add(struct appmaster *am,
                                             struct appmaster_task *task,
                                             const struct container_id *container,
                                             const struct endpoint *node)
{
    struct appmaster_attempt *attempt = ARENA_NEW(am->arena, struct appmaster_attempt);
    attempt->task = task;
    attempt->container = *container;
    attempt->node = *(const struct endpoint *)message_copy(&endpoint_type, node, am->arena);
    attempt->arena = arena_open(0);
    task->attempts = mem_reserve(task->attempts, task->attempts_count, &task->attempts_capacity,
                                 sizeof *task->attempts);
    task->attempts[task->attempts_count++] = attempt;
    return attempt;
}

/* Of this master's own numbers, so that no attempt of an earlier master has it. */
static uint32_t next_number(const struct appmaster *am, const struct appmaster_task *task)
{
    uint32_t number = (am->settings.app_attempt - 1) * APPMASTER_ATTEMPT_NUMBERS;
    for (size_t i = 0; i < task->attempts_count; i++)
        if (task->attempts[i]->id.attempt >= number)
            number = task->attempts[i]->id.attempt + 1;
    return number;
}

struct appmaster_attempt *appmaster_attempt_new(struct appmaster *am,
                                                struct appmaster_task *task,
                                                struct appmaster_worker *worker,
                                                struct actions *actions)
{
    uint32_t number = next_number(am, task);
    struct appmaster_attempt *attempt = attempt_add(am, task, &worker->id, &worker->node);
    attempt->id = (struct attempt_id){
        .app = am->settings.app, .kind = task->kind, .task = task->index, .attempt = number};
    attempt->worker = worker;
    attempt->started_ms = (uint64_t)am->wall_ms;
    attempt->heard_ms = am->now_ms;
    attempt_apply(attempt, AE_ASSIGNED, actions);
    task_apply(task, TE_ASSIGNED);
    am->version++;
    return attempt;
}

void appmaster_attempt_report(struct appmaster *am,
                              struct appmaster_attempt *attempt,
                              const struct am_task_report_request *report)
{
    const struct am_task_report_request *copy;
    arena_reset(attempt->arena);
    copy = message_copy(&am_task_report_request_type, report, attempt->arena);
    attempt->progress = report->progress < 0 ? 0 : report->progress > 1 ? 1 : report->progress;
    attempt->status = copy->status;
    attempt->counters = copy->counters;
    attempt->counters_count = copy->counters_count;
    attempt->heard_ms = am->now_ms;
    am->version++;
}

static void row_add(struct appmaster *am, const struct appmaster_attempt *attempt, bool is_lost)
{
    am->rows = mem_reserve(am->rows, am->rows_count, &am->rows_capacity, sizeof *am->rows);
    am->rows[am->rows_count++] = (struct appmaster_output_row){
        .map = attempt->id.task, .attempt = attempt, .is_lost = is_lost};
}

static void keep_result(struct appmaster *am,
                        struct appmaster_attempt *attempt,
                        const struct am_task_done_request *done)
{
    const struct am_task_done_request *copy =
        message_copy(&am_task_done_request_type, done, am->arena);
    arena_reset(attempt->arena);
    attempt->status = slice_make(NULL, 0);
    attempt->counters = copy->counters;
    attempt->counters_count = copy->counters_count;
    attempt->partition_bytes = copy->partition_bytes;
    attempt->output_path = copy->output_path;
    attempt->output_file_id = copy->output_file_id;
    attempt->output_length = copy->output_length;
    attempt->progress = 1;
    attempt->finished_ms = (uint64_t)am->wall_ms;
}

static void task_won(struct appmaster *am, struct appmaster_attempt *attempt)
{
    attempt->task->winner = attempt;
    if (attempt->id.kind == TASK_MAP) {
        am->maps_done++;
        row_add(am, attempt, false);
    } else {
        am->reduces_done++;
    }
    am->version++;
}

void appmaster_attempt_done(struct appmaster *am,
                            struct appmaster_attempt *attempt,
                            const struct am_task_done_request *done,
                            struct actions *actions)
{
    struct appmaster_task *task = attempt->task;
    keep_result(am, attempt, done);
    attempt_apply(attempt, AE_DONE, actions);
    task_apply(task, TE_DONE);
    attempt->worker = NULL;
    task_won(am, attempt);
    appmaster_journal_note(am, attempt, false);
}

bool appmaster_attempt_recover(struct appmaster *am,
                               const struct am_task_succeeded *record,
                               struct actions *actions)
{
    struct appmaster_task *task = task_find(am, record->attempt.kind, record->attempt.task);
    bool has_partitions = record->attempt.kind == TASK_MAP && am->reduces_count > 0;
    if (!task || task->state != TASK_PENDING || appmaster_attempt_find(am, &record->attempt) ||
        (has_partitions && record->partition_bytes_count != am->reduces_count))
        return false;
    struct appmaster_attempt *attempt = attempt_add(am, task, &record->container, &record->node);
    attempt->id = record->attempt;
    attempt->counters = record->counters;
    attempt->counters_count = record->counters_count;
    attempt->partition_bytes = record->partition_bytes;
    attempt->output_path = record->output_path;
    attempt->output_file_id = record->output_file_id;
    attempt->output_length = record->output_length;
    attempt->started_ms = record->started_ms;
    attempt->finished_ms = record->finished_ms;
    attempt->progress = 1;
    attempt->is_durable = true;
    attempt->is_recovered = true;
    attempt_apply(attempt, AE_RECOVERED, actions);
    task_apply(task, TE_RECOVERED);
    task_won(am, attempt);
    return true;
}

static void failed_too_often(struct appmaster *am,
                             const struct appmaster_attempt *attempt,
                             struct actions *actions)
{
    char name[128];
    appmaster_attempt_name(&attempt->id, name, sizeof name);
    appmaster_job_fail(
        am,
        arena_format(actions->arena, "%s task %u failed %u times, the last as %s: %.*s",
                     attempt->id.kind == TASK_MAP ? "map" : "reduce", attempt->id.task,
                     attempt->task->failures, name, SLICE_ARGS(attempt->diagnostics)),
        actions);
}

void appmaster_attempt_end(struct appmaster *am,
                           struct appmaster_attempt *attempt,
                           enum appmaster_attempt_event how,
                           struct slice diagnostics,
                           struct actions *actions)
{
    struct appmaster_task *task = attempt->task;
    CHECK(attempt->state == ATTEMPT_RUNNING);
    attempt->diagnostics =
        arena_copy(am->arena, text_cut(diagnostics, APPMASTER_DIAGNOSTICS_BYTES));
    attempt->finished_ms = (uint64_t)am->wall_ms;
    attempt->worker = NULL;
    attempt_apply(attempt, how, actions);
    task_apply(task, TE_ATTEMPT_ENDED);
    task->pending_since_ms = am->now_ms;
    am->attempts_failed += how == AE_FAILED;
    am->attempts_killed += how == AE_KILLED;
    am->attempts_lost += how == AE_LOST;
    am->version++;
    if (how != AE_FAILED)
        return;
    task->failures++;
    uint32_t most = am->settings.job.attempts_max;
    if (task->failures >= (most > 0 ? most : APPMASTER_ATTEMPTS_MAX))
        failed_too_often(am, attempt, actions);
}

/* --- lost outputs -------------------------------------------------------------------------------
 */
void appmaster_map_output_lost(struct appmaster *am,
                               struct appmaster_task *task,
                               const char *why,
                               struct actions *actions)
{
    struct appmaster_attempt *attempt = task->winner;
    CHECK(attempt != NULL && task->kind == TASK_MAP);
    attempt->diagnostics = arena_copy(am->arena, slice_from_string(why));
    attempt_apply(attempt, AE_LOST, actions);
    task_apply(task, TE_OUTPUT_LOST);
    task->winner = NULL;
    task->pending_since_ms = am->now_ms;
    am->maps_done--;
    am->attempts_lost++;
    am->maps_rerun++;
    row_add(am, attempt, true);
    appmaster_journal_note(am, attempt, true);
    am->version++;
}

/* Outputs of a job without reduces are in the filesystem; only the others die with their node. */
void appmaster_node_lost(struct appmaster *am, uint64_t node_id, struct actions *actions)
{
    if (am->reduces_count == 0 || am->reduces_done == am->reduces_count || am->job != JOB_RUNNING)
        return;
    for (size_t i = 0; i < am->maps_count; i++) {
        struct appmaster_task *task = &am->maps[i];
        if (task->state == TASK_SUCCEEDED && task->winner->node.node_id == node_id)
            appmaster_map_output_lost(am, task, "the node that held the output was lost", actions);
    }
}

static void task_free(struct appmaster_task *task)
{
    for (size_t i = 0; i < task->attempts_count; i++)
        arena_close(task->attempts[i]->arena);
    mem_free(task->attempts);
}

void appmaster_tasks_free(struct appmaster *am)
{
    for (size_t i = 0; i < am->maps_count; i++)
        task_free(&am->maps[i]);
    for (size_t i = 0; i < am->reduces_count; i++)
        task_free(&am->reduces[i]);
    mem_free(am->maps);
    mem_free(am->reduces);
    mem_free(am->rows);
    mem_free(am->log);
}
