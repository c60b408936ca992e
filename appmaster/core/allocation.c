/*
 * allocation.c - this master and the resource manager: registration, absolute asks, grants.
 * Owns is_registered .. rm_backoff_ms of struct appmaster.
 * Invariant: AM-7 of appmaster.h. The rules of the protocol: rm/core/rm.h, FOR APPLICATION MASTERS.
 * Called from appmaster_step only.
 */
#include "appmaster/core/appmaster_internal.h"

#include "lib/base/check.h"

enum {
    EXIT_FENCED = 3
};

struct ask_table {
    struct rm_ask *rows;
    size_t count;
    size_t capacity;
};

static void ask_add(struct ask_table *table,
                    struct arena *arena,
                    uint32_t priority,
                    struct slice place,
                    const struct resource *resource,
                    uint32_t want)
{
    for (size_t i = 0; i < table->count; i++)
        if (table->rows[i].priority == priority && slice_equal(table->rows[i].place, place)) {
            table->rows[i].want += want;
            return;
        }
    if (table->count == table->capacity) {
        size_t capacity = table->capacity * 2 + 8;
        struct rm_ask *rows = ARENA_ARRAY(arena, struct rm_ask, capacity);
        for (size_t i = 0; i < table->count; i++)
            rows[i] = table->rows[i];
        table->rows = rows;
        table->capacity = capacity;
    }
    table->rows[table->count++] = (struct rm_ask){.priority = priority,
                                                  .place = place,
                                                  .resource = *resource,
                                                  .want = want,
                                                  .relax_locality = true};
}

/* Workers that are free, or will be once they have started. */
static size_t workers_free_count(const struct appmaster *am)
{
    size_t count = 0;
    size_t cursor = 0;
    void *value;
    while (map_u64_next(am->workers, &cursor, NULL, &value)) {
        const struct appmaster_worker *worker = value;
        count += worker->state == WORKER_STARTING || worker->state == WORKER_AWAITED ||
                 worker->state == WORKER_IDLE;
    }
    return count;
}

static void ask_for_maps(const struct appmaster *am,
                         size_t want,
                         struct ask_table *table,
                         struct arena *arena)
{
    const struct resource *resource = &am->settings.job.map_resource;
    for (size_t i = 0; i < am->maps_count; i++) {
        const struct appmaster_task *task = &am->maps[i];
        if (task->state != TASK_PENDING)
            continue;
        for (size_t k = 0; k < task->split.hosts_count; k++)
            ask_add(table, arena, APPMASTER_MAP_PRIORITY, task->split.hosts[k], resource, 1);
        for (size_t k = 0; k < task->split.racks_count; k++) {
            bool is_new = true;
            for (size_t j = 0; j < k; j++)
                is_new = is_new && !slice_equal(task->split.racks[j], task->split.racks[k]);
            if (is_new)
                ask_add(table, arena, APPMASTER_MAP_PRIORITY, task->split.racks[k], resource, 1);
        }
    }
    ask_add(table, arena, APPMASTER_MAP_PRIORITY, slice_from_string("*"), resource, (uint32_t)want);
}

static void asks_make(const struct appmaster *am, struct arena *arena, struct ask_table *table)
{
    *table = (struct ask_table){0};
    if (am->job != JOB_RUNNING)
        return;
    size_t idle = workers_free_count(am);
    size_t maps = appmaster_tasks_pending(am, TASK_MAP);
    if (maps > idle)
        ask_for_maps(am, maps - idle, table, arena);
    idle = idle > maps ? idle - maps : 0;
    size_t reduces = appmaster_reduces_may_start(am) ? appmaster_tasks_pending(am, TASK_REDUCE) : 0;
    if (reduces > idle)
        ask_add(table, arena, APPMASTER_REDUCE_PRIORITY, slice_from_string("*"),
                &am->settings.job.reduce_resource, (uint32_t)(reduces - idle));
}

static size_t releases_make(const struct appmaster *am, struct container_id *ret_ids)
{
    size_t count = 0;
    size_t cursor = 0;
    void *value;
    while (map_u64_next(am->workers, &cursor, NULL, &value)) {
        const struct appmaster_worker *worker = value;
        if (worker->is_releasing)
            ret_ids[count++] = worker->id;
    }
    return count;
}

static uint64_t request_hash(const struct ask_table *table,
                             const struct container_id *releases,
                             size_t releases_count)
{
    uint64_t hash = 1;
    for (size_t i = 0; i < table->count; i++) {
        uint64_t numbers[2] = {table->rows[i].priority, table->rows[i].want};
        hash = slice_hash(table->rows[i].place, hash);
        hash = slice_hash(slice_make(numbers, sizeof numbers), hash);
    }
    for (size_t i = 0; i < releases_count; i++) {
        uint64_t numbers[2] = {releases[i].epoch, releases[i].sequence};
        hash = slice_hash(slice_make(numbers, sizeof numbers), hash);
    }
    return hash;
}

static float job_progress(const struct appmaster *am)
{
    size_t total = am->maps_count + am->reduces_count;
    if (appmaster_job_is_over(am))
        return 1;
    return total > 0 ? (float)(am->maps_done + am->reduces_done) / (float)total : 0;
}

static void call_register(struct appmaster *am, struct actions *actions)
{
    struct rm_register_master_request request = {
        .app = am->settings.app,
        .app_attempt = am->settings.app_attempt,
        .tracking_address = am->settings.self_address,
    };
    am->register_out = true;
    actions_call(actions, APPMASTER_TAG_REGISTER, am->settings.rm_address,
                 METHOD_MASTER_TRACKER_REGISTER_MASTER, &request, am->settings.call_timeout_ms);
}

static void allocate(struct appmaster *am, struct actions *actions)
{
    struct ask_table table;
    struct container_id *releases =
        ARENA_ARRAY(actions->arena, struct container_id, map_u64_count(am->workers) + 1);
    size_t releases_count = releases_make(am, releases);
    asks_make(am, actions->arena, &table);
    uint64_t hash = request_hash(&table, releases, releases_count);
    bool is_news = !am->asks_sent || hash != am->asks_hash;
    if (am->allocate_tag != 0 && !is_news)
        return; /* the one that is held will bring what there is */
    struct rm_allocate_request request = {
        .app = am->settings.app,
        .app_attempt = am->settings.app_attempt,
        .response_sequence = am->response_sequence,
        .asks = table.rows,
        .asks_count = table.count,
        .asks_changed = true, /* the whole table every time: small, and never out of step */
        .release = releases,
        .release_count = releases_count,
        .progress = job_progress(am),
        .granted_total = am->granted_total,
        .request_sequence = ++am->request_sequence,
    };
    am->asks_sent = true;
    am->asks_hash = hash;
    am->allocate_tag = am->next_tag++;
    actions_call(actions, am->allocate_tag, am->settings.rm_address, METHOD_MASTER_TRACKER_ALLOCATE,
                 &request, am->settings.call_timeout_ms);
}

void appmaster_allocation_advance(struct appmaster *am, struct actions *actions)
{
    if (am->now_ms < am->rm_at_ms)
        return;
    if (!am->is_registered) {
        if (!am->register_out)
            call_register(am, actions);
        return;
    }
    if (!am->is_finishing)
        allocate(am, actions);
}

/* --- answers ------------------------------------------------------------------------------------
 */
static void pause(struct appmaster *am)
{
    am->rm_at_ms = am->now_ms + appmaster_backoff(am, &am->rm_backoff_ms);
}

/* A newer master exists, or the job is unknown: nothing this one does may count any more. */
static bool is_fenced(const struct event *event, struct actions *actions)
{
    if (event->status != ERR_FENCED && event->status != ERR_NOT_FOUND)
        return false;
    trace_emit(actions->trace, "master is fenced: %.*s", SLICE_ARGS(event->text));
    actions_exit(actions, EXIT_FENCED);
    return true;
}

static bool is_listed(const struct rm_register_master_response *response,
                      const struct appmaster_worker *worker)
{
    for (size_t i = 0; i < response->running_count; i++) {
        const struct container_id *id = &response->running[i].container;
        if (id->sequence == worker->id.sequence && id->epoch == worker->id.epoch &&
            id->app_attempt == worker->id.app_attempt)
            return true;
    }
    return false;
}

/* What no node is large enough for would be waited for in vain. */
static bool check_size(struct appmaster *am,
                       const char *kind,
                       const struct resource *wanted,
                       const struct resource *most,
                       struct actions *actions)
{
    if (wanted->memory_bytes <= most->memory_bytes && wanted->vcores <= most->vcores)
        return true;
    appmaster_job_fail(am,
                       arena_format(actions->arena,
                                    "a %s asks for %llu MiB and %u vcores, but a container may "
                                    "have %llu MiB and %u vcores at most; lower mr.%s.memory or "
                                    "mr.%s.vcores",
                                    kind, (unsigned long long)(wanted->memory_bytes >> 20),
                                    wanted->vcores, (unsigned long long)(most->memory_bytes >> 20),
                                    most->vcores, kind, kind),
                       actions);
    return false;
}

/* At the first registration only: later on the largest node may just be away. */
static void check_sizes(struct appmaster *am, const struct resource *most, struct actions *actions)
{
    const struct am_job_spec *job = &am->settings.job;
    if (am->registered_tag != 0 || most->memory_bytes == 0 || appmaster_job_is_over(am))
        return;
    if (check_size(am, "map", &job->map_resource, most, actions) && job->reduces > 0)
        (void)check_size(am, "reduce", &job->reduce_resource, most, actions); /* it has told */
}

static void registered(struct appmaster *am, const struct event *event, struct actions *actions)
{
    am->register_out = false;
    if (is_fenced(event, actions))
        return;
    if (event->status != OK) {
        pause(am);
        return;
    }
    const struct rm_register_master_response *response = event->message;
    am->is_registered = true;
    am->is_recovering = response->is_recovering;
    am->rm_backoff_ms = am->settings.retry_min_ms;
    am->rm_at_ms = am->now_ms;
    am->response_sequence = 0;
    am->granted_total = 0;
    am->asks_sent = false;
    am->allocate_tag = 0;
    if (!am->is_recovering)
        check_sizes(am, &response->container_max, actions);
    am->registered_tag = am->next_tag;
    size_t cursor = 0;
    void *value;
    while (!am->is_recovering && map_u64_next(am->workers, &cursor, NULL, &value)) {
        struct appmaster_worker *worker = value;
        if (!is_listed(response, worker))
            appmaster_worker_gone(am, worker, false,
                                  slice_from_string("unknown to the resource manager"), actions);
    }
    for (size_t i = 0; i < response->running_count; i++)
        appmaster_worker_granted(am, &response->running[i], actions);
}

static void news(struct appmaster *am,
                 const struct rm_allocate_response *response,
                 struct actions *actions)
{
    am->response_sequence = response->response_sequence;
    for (size_t i = 0; i < response->completed_count; i++)
        appmaster_worker_completed(am, &response->completed[i], actions);
    for (size_t i = 0; i < response->lost_node_ids_count; i++)
        appmaster_node_lost(am, response->lost_node_ids[i], actions);
    for (size_t i = 0; i < response->grants_count; i++)
        appmaster_worker_granted(am, &response->grants[i], actions);
    am->granted_total += (uint32_t)response->grants_count;
    if (response->grants_count > 0)
        am->asks_sent = false; /* the table at the resource manager is a guess until corrected */
}

static void allocated(struct appmaster *am, const struct event *event, struct actions *actions)
{
    bool is_newest = event->tag == am->allocate_tag;
    if (is_newest)
        am->allocate_tag = 0;
    if (event->status != OK) {
        /* The resource manager ends what it held when it hears of our end: FinishMaster's answer
         * says whether there is a newer master, and the job's files must still be removed. */
        if (am->is_finishing || is_fenced(event, actions))
            return;
        if (is_newest) {
            pause(am);
            /* The two have lost count of each other: registering anew starts the count again. */
            am->is_registered = am->is_registered && event->status != ERR_STALE;
        }
        return;
    }
    if (event->tag < am->registered_tag)
        return; /* of the registration before: its numbers mean nothing now */
    const struct rm_allocate_response *response = event->message;
    am->rm_backoff_ms = am->settings.retry_min_ms;
    if (response->must_resync) {
        am->is_registered = false;
        return;
    }
    if (response->must_stop && (am->job == JOB_SETUP || am->job == JOB_RUNNING)) {
        am->diagnostics = slice_from_string("killed on request");
        CHECK(appmaster_job_apply(am, JE_KILL, actions));
    }
    if (am->is_registered && response->response_sequence == am->response_sequence + 1)
        news(am, response, actions);
}

void appmaster_allocation_response(struct appmaster *am,
                                   const struct event *event,
                                   struct actions *actions)
{
    if (event->method == METHOD_MASTER_TRACKER_REGISTER_MASTER)
        registered(am, event, actions);
    else
        allocated(am, event, actions);
}

int64_t appmaster_allocation_deadline_ms(const struct appmaster *am)
{
    if (!am->is_registered)
        return am->register_out ? INT64_MAX : am->rm_at_ms;
    return am->is_finishing || am->allocate_tag != 0 ? INT64_MAX : am->rm_at_ms;
}
