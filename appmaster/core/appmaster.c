/*
 * appmaster.c - the door of the application master's machine: the job's states, dispatch, checks.
 */
#include "appmaster/core/appmaster.h"

#include "appmaster/core/appmaster_internal.h"
#include "lib/base/check.h"
#include "lib/base/mem.h"

enum {
    EXIT_STOPPED = 143
};

static const struct transition_row job_rows[] = {
    {JOB_NEW,        JE_START,      JOB_SETUP,      NULL},
    {JOB_SETUP,      JE_PLANNED,    JOB_RUNNING,    NULL},
    {JOB_SETUP,      JE_PUBLISHED,  JOB_SUCCEEDED,  NULL}, /* by the attempt before */
    {JOB_SETUP,      JE_FAIL,       JOB_FAILED,     NULL},
    {JOB_SETUP,      JE_KILL,       JOB_KILLED,     NULL},
    {JOB_RUNNING,    JE_TASKS_DONE, JOB_COMMITTING, NULL},
    {JOB_RUNNING,    JE_FAIL,       JOB_FAILED,     NULL},
    {JOB_RUNNING,    JE_KILL,       JOB_KILLED,     NULL},
    {JOB_COMMITTING, JE_PUBLISHED,  JOB_SUCCEEDED,  NULL},
    {JOB_COMMITTING, JE_FAIL,       JOB_FAILED,     NULL}, /* a kill comes too late here */
};

static const char *const job_state_names[] = {"NEW",       "SETUP",  "RUNNING", "COMMITTING",
                                              "SUCCEEDED", "FAILED", "KILLED"};
static const char *const job_event_names[] = {APPMASTER_JOB_EVENTS(APPMASTER_NAME)};

_Static_assert(sizeof job_state_names / sizeof job_state_names[0] == AM_JOB_STATE_COUNT,
               "one name for each state");

const struct transition_table appmaster_job_table = {
    .name = "appmaster_job",
    .rows = job_rows,
    .count = sizeof job_rows / sizeof job_rows[0],
    .state_names = job_state_names,
    .state_count = AM_JOB_STATE_COUNT,
    .event_names = job_event_names,
    .event_count = JE_COUNT,
};

bool appmaster_job_is_over(const struct appmaster *am)
{
    return am->job == JOB_SUCCEEDED || am->job == JOB_FAILED || am->job == JOB_KILLED;
}

bool appmaster_job_apply(struct appmaster *am,
                         enum appmaster_job_event event,
                         struct actions *actions)
{
    int before = am->job;
    if (transition_apply(&appmaster_job_table, &am->job, (int)event, am, NULL) != OK)
        return false;
    am->version++;
    if (am->job == JOB_RUNNING)
        am->started_ms = (uint64_t)am->wall_ms;
    if (appmaster_job_is_over(am))
        am->finished_ms = (uint64_t)am->wall_ms;
    trace_emit(actions->trace, "job %u %s->%s", am->settings.app.sequence, job_state_names[before],
               job_state_names[am->job]);
    return true;
}

void appmaster_job_fail(struct appmaster *am, struct slice why, struct actions *actions)
{
    if (appmaster_job_is_over(am))
        return; /* the first cause is the one to show */
    am->diagnostics = arena_copy(am->arena, why);
    CHECK(appmaster_job_apply(am, JE_FAIL, actions));
}

int64_t appmaster_backoff(struct appmaster *am, int64_t *backoff_ms)
{
    int64_t pause = *backoff_ms;
    int64_t most = am->settings.retry_max_ms;
    *backoff_ms = pause * 2 > most ? most : pause * 2;
    return pause / 2 + (int64_t)rng_below(&am->rng, (uint64_t)(pause / 2) + 1);
}

/* --- open and close -----------------------------------------------------------------------------
 */
static void set_default(int64_t *value, int64_t fallback)
{
    if (*value <= 0)
        *value = fallback;
}

enum status appmaster_open(const struct appmaster_settings *settings,
                           uint64_t seed,
                           struct appmaster **ret_appmaster)
{
    if (settings->rm_address.length == 0 || settings->namenode_address.length == 0 ||
        settings->self_address.length == 0 || settings->app_attempt == 0 ||
        settings->job.inputs_count == 0 || settings->job.output.length == 0 ||
        settings->job.reduces > 100000)
        return ERR_INVALID;
    struct appmaster *am = MEM_NEW(struct appmaster);
    struct appmaster_settings *own = &am->settings;
    *own = *settings;
    set_default(&own->worker_idle_ms, 1000);
    set_default(&own->worker_start_ms, 30000);
    set_default(&own->report_interval_ms, 1000);
    set_default(&own->starve_ms, 2000);
    set_default(&own->retry_min_ms, 50);
    set_default(&own->retry_max_ms, 2000);
    set_default(&own->give_up_ms, 600000);
    set_default(&own->call_timeout_ms, 10000);
    set_default(&own->journal_after_ms, 200);
    if (own->worker_failures_max == 0)
        own->worker_failures_max = 8;
    am->rng = rng_seed(seed);
    am->arena = arena_open(0);
    am->next_tag = APPMASTER_TAG_FIRST;
    am->workers = map_u64_open();
    am->workers_by_id = map_open();
    am->call_backoff_ms = own->retry_min_ms;
    am->rm_backoff_ms = own->retry_min_ms;
    am->journal_backoff_ms = own->retry_min_ms;
    am->call_first_ms = INT64_MAX;
    *ret_appmaster = am;
    return OK;
}

void appmaster_close(struct appmaster *am)
{
    if (!am)
        return;
    appmaster_tasks_free(am);
    appmaster_workers_free(am);
    map_u64_close(am->workers);
    map_close(am->workers_by_id);
    mem_free(am->plan_files);
    mem_free(am->held_outputs);
    mem_free(am->held_jobs);
    arena_close(am->arena);
    mem_free(am);
}

/* --- the door -----------------------------------------------------------------------------------
 */
static void request(struct appmaster *am, const struct event *event, struct actions *actions)
{
    if (event->method == METHOD_JOB_GET_JOB || event->method == METHOD_JOB_LIST_ATTEMPTS)
        appmaster_job_request(am, event, actions);
    else
        appmaster_umbilical_request(am, event, actions);
}

static void response(struct appmaster *am, const struct event *event, struct actions *actions)
{
    if (event->tag == APPMASTER_TAG_NAMENODE) {
        am->call_out = false;
        if (am->job == JOB_SETUP)
            appmaster_setup_response(am, event, actions);
        else
            appmaster_commit_response(am, event, actions);
    } else if (event->tag == APPMASTER_TAG_FINISH) {
        appmaster_finish_response(am, event, actions);
    } else if (event->tag == APPMASTER_TAG_REGISTER ||
               event->method == METHOD_MASTER_TRACKER_ALLOCATE) {
        appmaster_allocation_response(am, event, actions);
    } else if (event->method == METHOD_NODE_MANAGER_START_CONTAINER) {
        appmaster_worker_started(am, event, actions);
    }
}

void appmaster_step(struct appmaster *am, const struct event *event, struct actions *ret_actions)
{
    am->now_ms = event->now_ms;
    am->wall_ms = event->wall_ms;
    switch (event->kind) {
    case EVENT_START:
        am->call_at_ms = event->now_ms;
        am->rm_at_ms = event->now_ms;
        am->begun_ms = event->now_ms;
        am->journal_at_ms = event->now_ms; /* to be read, and at the first attempt to be written */
        if (am->settings.app_attempt == 1)
            am->journal_at_ms += am->settings.journal_after_ms;
        CHECK(appmaster_job_apply(am, JE_START, ret_actions));
        break;
    case EVENT_REQUEST:
        request(am, event, ret_actions);
        break;
    case EVENT_REQUEST_CANCELLED:
        appmaster_umbilical_cancelled(am, event->call);
        break;
    case EVENT_RESPONSE:
        response(am, event, ret_actions);
        break;
    case EVENT_EFFECT_DONE:
        if (event->tag == APPMASTER_TAG_JOURNAL)
            appmaster_journal_answered(am, event, ret_actions);
        else
            appmaster_finish_response(am, event, ret_actions);
        break;
    case EVENT_STOP:
        /* Not the job's end: the resource manager starts another attempt if it wants one. */
        actions_exit(ret_actions, EXIT_STOPPED);
        return;
    case EVENT_TICK:
    case EVENT_LOCAL:
    case EVENT_REPLAY:
        break;
    }
    if (am->job == JOB_NEW)
        return;
    appmaster_setup_advance(am, ret_actions);
    appmaster_umbilical_advance(am, ret_actions);
    appmaster_commit_advance(am, ret_actions);
    appmaster_journal_advance(am, ret_actions);
    appmaster_workers_advance(am, ret_actions);
    appmaster_allocation_advance(am, ret_actions);
    appmaster_jobs_advance(am, ret_actions);
}

static int64_t sooner(int64_t left, int64_t right)
{
    return left < right ? left : right;
}

int64_t appmaster_deadline_ms(const struct appmaster *am)
{
    if (am->job == JOB_NEW)
        return INT64_MAX;
    int64_t deadline = appmaster_workers_deadline_ms(am);
    deadline = sooner(deadline, appmaster_umbilical_deadline_ms(am));
    deadline = sooner(deadline, appmaster_allocation_deadline_ms(am));
    deadline = sooner(deadline, appmaster_journal_deadline_ms(am));
    bool wants_namenode = am->job == JOB_SETUP || am->job == JOB_COMMITTING || am->is_finishing;
    if (wants_namenode && !am->call_out && am->call_at_ms > am->now_ms)
        deadline = sooner(deadline, am->call_at_ms);
    if (am->is_finishing && !am->finish_out && am->rm_at_ms > am->now_ms)
        deadline = sooner(deadline, am->rm_at_ms);
    return deadline;
}

/* --- invariants ----------------------------------------------------------------------------------
 */
static void task_check(const struct appmaster *am, const struct appmaster_task *task)
{
    uint32_t most =
        am->settings.job.attempts_max > 0 ? am->settings.job.attempts_max : APPMASTER_ATTEMPTS_MAX;
    size_t running = 0;
    size_t succeeded = 0;
    for (size_t i = 0; i < task->attempts_count; i++) {
        const struct appmaster_attempt *attempt = task->attempts[i];
        running += attempt->state == ATTEMPT_RUNNING;
        succeeded += attempt->state == ATTEMPT_SUCCEEDED;
        if (attempt->state == ATTEMPT_RUNNING)
            CHECK(attempt->worker && attempt->worker->attempt == attempt); /* AM-2 */
    }
    CHECK((task->state == TASK_SUCCEEDED) == (task->winner != NULL)); /* AM-1 */
    CHECK(succeeded == (task->winner != NULL ? 1U : 0U));
    CHECK(running == (task->state == TASK_RUNNING ? 1U : 0U));
    CHECK(task->failures < most || appmaster_job_is_over(am)); /* AM-5 */
}

static void rows_check(const struct appmaster *am)
{
    if (am->maps_count == 0)
        return;
    bool *is_made = mem_new(am->maps_count * sizeof *is_made);
    for (size_t i = 0; i < am->rows_count; i++)
        is_made[am->rows[i].map] = !am->rows[i].is_lost;
    for (size_t i = 0; i < am->maps_count; i++)
        CHECK(is_made[i] == (am->maps[i].state == TASK_SUCCEEDED)); /* AM-6 */
    mem_free(is_made);
}

void appmaster_check(const struct appmaster *am)
{
    size_t maps_done = 0;
    size_t reduces_done = 0;
    for (size_t i = 0; i < am->maps_count; i++) {
        task_check(am, &am->maps[i]);
        maps_done += am->maps[i].state == TASK_SUCCEEDED;
    }
    for (size_t i = 0; i < am->reduces_count; i++) {
        task_check(am, &am->reduces[i]);
        reduces_done += am->reduces[i].state == TASK_SUCCEEDED;
    }
    CHECK(maps_done == am->maps_done && reduces_done == am->reduces_done);
    rows_check(am);
    size_t cursor = 0;
    void *value;
    while (map_u64_next(am->workers, &cursor, NULL, &value)) {
        const struct appmaster_worker *worker = value;
        CHECK((worker->state == WORKER_BUSY) == (worker->attempt != NULL)); /* AM-3 */
        CHECK(worker->ask_call == 0 || worker->state == WORKER_IDLE);
    }
    CHECK(am->log_durable <= am->log_sent && am->log_sent <= am->log_count); /* AM-8 */
    for (size_t i = 0; i < am->log_count; i++)
        CHECK(am->log[i].attempt->is_durable == (i < am->log_durable) || am->log[i].is_lost);
    if (am->job == JOB_COMMITTING && am->reduces_count > 0)
        CHECK(am->reduces_done == am->reduces_count); /* AM-4 */
}
