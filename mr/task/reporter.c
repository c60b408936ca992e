/*
 * reporter.c - the working thread leaves a snapshot when the reporting thread wants one; neither
 * waits for the other.
 */
#include "mr/task/reporter.h"

#include <stdatomic.h>
#include <string.h>

#include "lib/base/arena.h"
#include "lib/base/mem.h"
#include "lib/model/text.h"
#include "lib/os/clock.h"
#include "lib/os/thread.h"
#include "mr/core/counters.h"
#include "mr/core/task_context.h"
#include "mr/task/umbilical.h"

struct reporter {
    struct umbilical *umbilical;
    struct thread *thread;
    struct mutex *mutex; /* guards what follows up to the atomics */
    struct condition *changed;
    struct attempt_id attempt;
    int64_t interval_ms;
    int64_t due_ms;
    bool is_active;
    bool is_sending;
    bool is_closing;
    struct counters *counters; /* the snapshot */
    float progress;
    char text[TASK_STATUS_BYTES];

    atomic_bool wants; /* a new snapshot */
    atomic_bool must_stop;
    float from; /* the working thread's own */
    float span;
};

const struct counter *reporter_counter_rows(const struct counters *counters,
                                            struct arena *arena,
                                            size_t *ret_count)
{
    struct slice group;
    struct slice name;
    uint64_t value;
    size_t cursor = 0;
    size_t count = 0;
    struct counter *rows = ARENA_ARRAY(arena, struct counter, COUNTERS_MAX + TASK_COUNTER_COUNT);

    while (counters_next(counters, &cursor, &group, &name, &value))
        rows[count++] = (struct counter){.group = text_clean(arena_copy(arena, group), arena),
                                         .name = text_clean(arena_copy(arena, name), arena),
                                         .value = value};
    *ret_count = count;
    return rows;
}

/* mutex is held; it is given back while the call is out. */
static void send_report(struct reporter *reporter)
{
    struct arena *arena = arena_open(0);
    struct am_task_report_request request = {
        .attempt = reporter->attempt,
        .progress = reporter->progress,
        .status = text_clean(arena_copy(arena, slice_from_string(reporter->text)), arena),
    };
    struct error error;
    bool must_stop = false;
    enum status status;

    request.counters = reporter_counter_rows(reporter->counters, arena, &request.counters_count);
    reporter->is_sending = true;
    mutex_unlock(reporter->mutex);
    status = umbilical_report(reporter->umbilical, &request, &must_stop, &error);
    /* One report that got lost does not matter; a master that is silent for long does. */
    if (status != OK && umbilical_is_passing(status))
        must_stop = umbilical_check(reporter->umbilical, &error) != OK;
    else if (status != OK)
        must_stop = true;
    if (must_stop)
        atomic_store(&reporter->must_stop, true);
    mutex_lock(reporter->mutex);
    reporter->is_sending = false;
    condition_broadcast(reporter->changed);
    arena_close(arena);
}

static void report(void *argument)
{
    struct reporter *reporter = argument;

    mutex_lock(reporter->mutex);
    while (!reporter->is_closing) {
        int64_t until = reporter->is_active ? reporter->due_ms : INT64_MAX;
        if (clock_monotonic_ms() < until) {
            (void)condition_wait_until(reporter->changed, reporter->mutex, until);
            continue;
        }
        send_report(reporter);
        reporter->due_ms = clock_monotonic_ms() + reporter->interval_ms;
        atomic_store(&reporter->wants, true);
    }
    mutex_unlock(reporter->mutex);
}

enum status reporter_open(struct umbilical *umbilical,
                          struct reporter **ret_reporter,
                          struct error *reterr_error)
{
    struct reporter *reporter = MEM_NEW(struct reporter);
    enum status status;

    reporter->umbilical = umbilical;
    reporter->mutex = mutex_open();
    reporter->changed = condition_open();
    reporter->counters = counters_open();
    status = thread_open("mr-report", report, reporter, &reporter->thread, reterr_error);
    if (status != OK)
        reporter_close(reporter);
    else
        *ret_reporter = reporter;
    return status;
}

void reporter_close(struct reporter *reporter)
{
    if (reporter == NULL)
        return;
    mutex_lock(reporter->mutex);
    reporter->is_closing = true;
    condition_broadcast(reporter->changed);
    mutex_unlock(reporter->mutex);
    thread_join(reporter->thread);
    counters_close(reporter->counters);
    condition_close(reporter->changed);
    mutex_close(reporter->mutex);
    mem_free(reporter);
}

void reporter_begin(struct reporter *reporter,
                    const struct attempt_id *attempt,
                    int64_t interval_ms)
{
    mutex_lock(reporter->mutex);
    reporter->attempt = *attempt;
    reporter->interval_ms = interval_ms > 0 ? interval_ms : 1000;
    reporter->due_ms = clock_monotonic_ms() + reporter->interval_ms;
    reporter->is_active = true;
    reporter->progress = 0;
    reporter->text[0] = '\0';
    counters_clear(reporter->counters);
    atomic_store(&reporter->must_stop, false);
    atomic_store(&reporter->wants, true);
    condition_broadcast(reporter->changed);
    mutex_unlock(reporter->mutex);
}

void reporter_end(struct reporter *reporter)
{
    mutex_lock(reporter->mutex);
    reporter->is_active = false;
    while (reporter->is_sending)
        condition_wait(reporter->changed, reporter->mutex);
    mutex_unlock(reporter->mutex);
}

static void snapshot(struct reporter *reporter,
                     float progress,
                     const struct counters *counters,
                     const char *text)
{
    size_t length = strlen(text);
    if (length >= sizeof(reporter->text))
        length = sizeof(reporter->text) - 1;
    mutex_lock(reporter->mutex);
    reporter->progress = progress;
    memcpy(reporter->text, text, length);
    reporter->text[length] = '\0';
    if (counters != NULL) {
        counters_clear(reporter->counters);
        counters_merge(reporter->counters, counters);
    }
    mutex_unlock(reporter->mutex);
}

static bool is_wanted(void *user,
                      float progress,
                      const struct counters *counters,
                      const char *status_text)
{
    struct reporter *reporter = user;
    if (atomic_exchange(&reporter->wants, false))
        snapshot(reporter, reporter->from + reporter->span * progress, counters, status_text);
    return !atomic_load(&reporter->must_stop);
}

struct watcher reporter_watcher(struct reporter *reporter, float from, float span)
{
    reporter->from = from;
    reporter->span = span;
    return (struct watcher){.user = reporter, .is_wanted = is_wanted};
}

void reporter_tell(struct reporter *reporter, float progress, const char *text)
{
    snapshot(reporter, progress, NULL, text);
}

bool reporter_must_stop(const struct reporter *reporter)
{
    return atomic_load(&reporter->must_stop);
}
