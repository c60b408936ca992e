/*
 * report.c - the job as clients see it, now and in its history.
 * Owns held_jobs. Called from appmaster_step only.
 */
#include "appmaster/core/appmaster_internal.h"

#include "lib/base/mem.h"

enum {
    JOB_WAIT_MS_MAX = 60000
};

/* --- counters -----------------------------------------------------------------------------------
 */
struct counter_sums {
    struct map *index; /* "group\0name" to struct counter */
    struct counter *items;
    size_t count;
    size_t capacity;
    struct arena *arena;
};

static void counters_add(struct counter_sums *sums, const struct counter *counters, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        struct slice key = arena_format(sums->arena, "%.*s%c%.*s", SLICE_ARGS(counters[i].group), 1,
                                        SLICE_ARGS(counters[i].name));
        struct counter *sum = map_get(sums->index, key);
        if (!sum) {
            sum = ARENA_NEW(sums->arena, struct counter);
            sum->group = counters[i].group;
            sum->name = counters[i].name;
            (void)map_put(sums->index, key, sum); /* absent */
        }
        sum->value += counters[i].value;
    }
}

static void counters_of(struct counter_sums *sums, const struct appmaster_task *tasks, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (tasks[i].winner)
            counters_add(sums, tasks[i].winner->counters, tasks[i].winner->counters_count);
        else if (tasks[i].state == TASK_RUNNING) {
            const struct appmaster_attempt *last = tasks[i].attempts[tasks[i].attempts_count - 1];
            counters_add(sums, last->counters, last->counters_count);
        }
    }
}

static void counters_make(const struct appmaster *am,
                          struct arena *arena,
                          struct am_job_report *report)
{
    struct counter_sums sums = {.index = map_open(), .arena = arena};
    counters_of(&sums, am->maps, am->maps_count);
    counters_of(&sums, am->reduces, am->reduces_count);
    struct counter *counters = ARENA_ARRAY(arena, struct counter, map_count(sums.index) + 1);
    size_t cursor = 0;
    void *value;
    while (map_next(sums.index, &cursor, NULL, &value))
        counters[report->counters_count++] = *(const struct counter *)value;
    report->counters = counters;
    map_close(sums.index);
}

/* --- the report
 * ----------------------------------------------------------------------------------- */
static float progress_of(const struct appmaster_task *tasks, size_t count, uint32_t *ret_running)
{
    float sum = 0;
    *ret_running = 0;
    for (size_t i = 0; i < count; i++) {
        if (tasks[i].state == TASK_SUCCEEDED) {
            sum += 1;
        } else if (tasks[i].state == TASK_RUNNING) {
            sum += tasks[i].attempts[tasks[i].attempts_count - 1]->progress;
            ++*ret_running;
        }
    }
    return count > 0 ? sum / (float)count : 0;
}

/* Where the finished maps ran, seen from their input: so the three add up to maps_done. */
static void count_places(const struct appmaster *am, struct am_job_report *report)
{
    for (size_t i = 0; i < am->maps_count; i++) {
        const struct appmaster_task *task = &am->maps[i];
        if (!task->winner)
            continue;
        int away = appmaster_split_distance(&task->split, &task->winner->node);
        report->maps_node_local += away == 0;
        report->maps_rack_local += away == 1;
        report->maps_off_rack += away == 2;
    }
}

static void count_durable(const struct appmaster_task *tasks,
                          size_t count,
                          struct am_job_report *report)
{
    for (size_t i = 0; i < count; i++) {
        report->tasks_durable += tasks[i].winner && tasks[i].winner->is_durable;
        report->tasks_recovered += tasks[i].winner && tasks[i].winner->is_recovered;
    }
}

void appmaster_report_make(const struct appmaster *am,
                           struct arena *arena,
                           struct am_job_report *ret_report)
{
    *ret_report = (struct am_job_report){
        .app = am->settings.app,
        .name = am->settings.job.name,
        .state = (enum am_job_state)am->job,
        .diagnostics = am->diagnostics,
        .maps_total = (uint32_t)am->maps_count,
        .maps_done = (uint32_t)am->maps_done,
        .reduces_total = am->settings.job.reduces,
        .reduces_done = (uint32_t)am->reduces_done,
        .attempts_failed = am->attempts_failed,
        .attempts_killed = am->attempts_killed,
        .attempts_lost = am->attempts_lost,
        .maps_rerun = am->maps_rerun,
        .submitted_ms = am->settings.submitted_ms,
        .started_ms = am->started_ms,
        .finished_ms = am->finished_ms,
        .version = am->version,
        .output = am->settings.job.output,
        .user = am->settings.user,
        .app_attempt = am->settings.app_attempt,
    };
    ret_report->map_progress = progress_of(am->maps, am->maps_count, &ret_report->maps_running);
    ret_report->reduce_progress =
        progress_of(am->reduces, am->reduces_count, &ret_report->reduces_running);
    count_places(am, ret_report);
    count_durable(am->maps, am->maps_count, ret_report);
    count_durable(am->reduces, am->reduces_count, ret_report);
    counters_make(am, arena, ret_report);
}

static void attempts_of(const struct appmaster_task *tasks,
                        size_t count,
                        struct am_attempt_report *reports,
                        size_t *reports_count)
{
    for (size_t i = 0; i < count; i++)
        for (size_t k = 0; k < tasks[i].attempts_count; k++) {
            const struct appmaster_attempt *attempt = tasks[i].attempts[k];
            reports[(*reports_count)++] = (struct am_attempt_report){
                .attempt = attempt->id,
                .state = (enum am_attempt_state)attempt->state,
                .container = attempt->container,
                .node = attempt->node,
                .progress = attempt->progress,
                .status = attempt->status,
                .diagnostics = attempt->diagnostics,
                .started_ms = attempt->started_ms,
                .finished_ms = attempt->finished_ms,
            };
        }
}

void appmaster_attempts_make(const struct appmaster *am,
                             struct arena *arena,
                             struct am_list_attempts_response *ret_response)
{
    size_t total = 0;
    for (size_t i = 0; i < am->maps_count; i++)
        total += am->maps[i].attempts_count;
    for (size_t i = 0; i < am->reduces_count; i++)
        total += am->reduces[i].attempts_count;
    struct am_attempt_report *reports = ARENA_ARRAY(arena, struct am_attempt_report, total + 1);
    *ret_response = (struct am_list_attempts_response){.attempts = reports};
    attempts_of(am->maps, am->maps_count, reports, &ret_response->attempts_count);
    attempts_of(am->reduces, am->reduces_count, reports, &ret_response->attempts_count);
}

/* --- service Job
 * ------------------------------------------------------------------------------------ */
static bool job_answered(const struct appmaster *am,
                         const struct appmaster_held *held,
                         struct actions *actions)
{
    if (am->version <= held->after && am->now_ms < held->until_ms && !appmaster_job_is_over(am))
        return false;
    struct am_get_job_response response = {0};
    appmaster_report_make(am, actions->arena, &response.report);
    actions_reply(actions, held->call, &am_get_job_response_type, &response);
    return true;
}

void appmaster_job_request(struct appmaster *am, const struct event *event, struct actions *actions)
{
    if (event->method == METHOD_JOB_LIST_ATTEMPTS) {
        struct am_list_attempts_response response;
        appmaster_attempts_make(am, actions->arena, &response);
        actions_reply(actions, event->call, &am_list_attempts_response_type, &response);
        return;
    }
    const struct am_get_job_request *request = event->message;
    uint64_t wait_ms = request->wait_ms < JOB_WAIT_MS_MAX ? request->wait_ms : JOB_WAIT_MS_MAX;
    struct appmaster_held held = {.call = event->call,
                                  .until_ms = am->now_ms + (int64_t)wait_ms,
                                  .after = request->after_version};
    if (job_answered(am, &held, actions))
        return;
    am->held_jobs = mem_reserve(am->held_jobs, am->held_jobs_count, &am->held_jobs_capacity,
                                sizeof *am->held_jobs);
    am->held_jobs[am->held_jobs_count++] = held;
}

void appmaster_jobs_advance(struct appmaster *am, struct actions *actions)
{
    size_t kept = 0;
    for (size_t i = 0; i < am->held_jobs_count; i++)
        if (!job_answered(am, &am->held_jobs[i], actions))
            am->held_jobs[kept++] = am->held_jobs[i];
    am->held_jobs_count = kept;
}
