/*
 * metrics.c - see metrics.h.
 */
#include "lib/daemon/metrics.h"

#include <inttypes.h>
#include <stdatomic.h>

#include "lib/base/check.h"
#include "lib/base/mem.h"
#include "lib/model/message.h"
#include "lib/os/clock.h"
#include "lib/os/usage.h"

/* --- pages ----------------------------------------------------------------------------------- */

static const char *const kind_names[] = {"gauge", "counter", "histogram"};

static void take(struct metrics_page *page, enum status status)
{
    if (page->status == OK)
        page->status = status;
}

void metrics_family(struct metrics_page *page,
                    const char *name,
                    enum metrics_kind kind,
                    const char *help)
{
    page->name = name;
    if (page->status == OK)
        take(page, buf_append_format(page->text, "# HELP %s %s\n# TYPE %s %s\n", name, help, name,
                                     kind_names[kind]));
}

/* Backslash, quote and line end are escaped; the rest stands as it is. */
static void write_label(struct metrics_page *page, const char *label, struct slice of)
{
    take(page, buf_append_format(page->text, "%s=\"", label));
    for (size_t i = 0; i < of.length && page->status == OK; i++) {
        char byte = (char)of.data[i];
        if (byte == '\n')
            take(page, buf_append(page->text, "\\n", 2));
        else if (byte == '"' || byte == '\\')
            take(page, buf_append_format(page->text, "\\%c", byte));
        else
            take(page, buf_append(page->text, &byte, 1));
    }
    take(page, buf_append(page->text, "\"", 1));
}

/* "name" or "name{label="of"}" and a space. */
static void begin_sample(struct metrics_page *page, const char *label, struct slice of)
{
    CHECK(page->name != NULL);
    take(page, buf_append_format(page->text, "%s%s", page->name, label == NULL ? "" : "{"));
    if (label != NULL) {
        write_label(page, label, of);
        take(page, buf_append(page->text, "}", 1));
    }
    take(page, buf_append(page->text, " ", 1));
}

static void write_seconds(struct metrics_page *page, int64_t microseconds)
{
    take(page,
         buf_append_format(page->text, "%s%" PRId64 ".%06" PRId64 "\n", microseconds < 0 ? "-" : "",
                           (microseconds < 0 ? -microseconds : microseconds) / 1000000,
                           (microseconds < 0 ? -microseconds : microseconds) % 1000000));
}

void metrics_sample(struct metrics_page *page, const char *label, struct slice of, uint64_t value)
{
    begin_sample(page, label, of);
    take(page, buf_append_format(page->text, "%" PRIu64 "\n", value));
}

void metrics_sample_seconds(struct metrics_page *page,
                            const char *label,
                            struct slice of,
                            int64_t microseconds)
{
    begin_sample(page, label, of);
    write_seconds(page, microseconds);
}

void metrics_gauge(struct metrics_page *page, const char *name, const char *help, uint64_t value)
{
    metrics_family(page, name, METRICS_GAUGE, help);
    metrics_sample(page, NULL, (struct slice){0}, value);
}

void metrics_counter(struct metrics_page *page, const char *name, const char *help, uint64_t value)
{
    metrics_family(page, name, METRICS_COUNTER, help);
    metrics_sample(page, NULL, (struct slice){0}, value);
}

/* --- RPC calls ------------------------------------------------------------------------------- */

struct bucket {
    int64_t up_to_us;
    const char *text; /* the same, in seconds */
};

/* From a lookup in memory to a heartbeat that was held. */
static const struct bucket buckets[] = {
    {100,      "0.0001"},
    {500,      "0.0005"},
    {1000,     "0.001" },
    {5000,     "0.005" },
    {10000,    "0.01"  },
    {50000,    "0.05"  },
    {100000,   "0.1"   },
    {500000,   "0.5"   },
    {1000000,  "1"     },
    {5000000,  "5"     },
    {30000000, "30"    },
};

enum {
    BUCKET_COUNT = sizeof(buckets) / sizeof(buckets[0])
};

struct call_counts {
    atomic_uint_fast64_t by_status[STATUS_COUNT];
    atomic_uint_fast64_t by_bucket[BUCKET_COUNT + 1]; /* each call once; the last: slower */
    atomic_uint_fast64_t took_us;
};

struct metrics_calls {
    struct call_counts methods[METHOD_COUNT];
};

struct metrics_calls *metrics_calls_open(void)
{
    return MEM_NEW(struct metrics_calls);
}

void metrics_calls_close(struct metrics_calls *calls)
{
    mem_free(calls);
}

void metrics_calls_add(struct metrics_calls *calls,
                       enum method method,
                       enum status status,
                       int64_t took_us)
{
    if (calls == NULL)
        return;
    CHECK((size_t)method < METHOD_COUNT && (size_t)status < STATUS_COUNT);
    struct call_counts *counts = &calls->methods[method];
    size_t bucket = 0;
    while (bucket < BUCKET_COUNT && took_us > buckets[bucket].up_to_us)
        bucket++;
    atomic_fetch_add(&counts->by_status[status], 1);
    atomic_fetch_add(&counts->by_bucket[bucket], 1);
    atomic_fetch_add(&counts->took_us, took_us > 0 ? (uint64_t)took_us : 0);
}

static void write_statuses(const struct metrics_calls *calls, struct metrics_page *page)
{
    metrics_family(page, "millrace_rpc_calls_total", METRICS_COUNTER, "RPC calls answered.");
    for (size_t method = 0; method < METHOD_COUNT; method++) {
        for (size_t status = 0; status < STATUS_COUNT; status++) {
            uint64_t count = atomic_load(&calls->methods[method].by_status[status]);
            if (count == 0)
                continue;
            const struct method_info *info = method_info((enum method)method);
            take(page,
                 buf_append_format(page->text,
                                   "%s{service=\"%s\",method=\"%s\",status=\"%s\"} %" PRIu64 "\n",
                                   page->name, info->service, info->name,
                                   status_name((enum status)status), count));
        }
    }
}

static void write_histogram(const struct call_counts *counts,
                            const struct method_info *info,
                            struct metrics_page *page)
{
    uint64_t sum_us = atomic_load(&counts->took_us); /* before the counts: never ahead of them */
    uint64_t count = 0;
    uint64_t cumulated[BUCKET_COUNT + 1];
    for (size_t i = 0; i <= BUCKET_COUNT; i++)
        cumulated[i] = count += atomic_load(&counts->by_bucket[i]);
    if (count == 0)
        return;
    for (size_t i = 0; i <= BUCKET_COUNT; i++)
        take(page,
             buf_append_format(page->text,
                               "%s_bucket{service=\"%s\",method=\"%s\",le=\"%s\"} %" PRIu64 "\n",
                               page->name, info->service, info->name,
                               i < BUCKET_COUNT ? buckets[i].text : "+Inf", cumulated[i]));
    take(page, buf_append_format(page->text, "%s_sum{service=\"%s\",method=\"%s\"} ", page->name,
                                 info->service, info->name));
    write_seconds(page, (int64_t)sum_us);
    take(page, buf_append_format(page->text, "%s_count{service=\"%s\",method=\"%s\"} %" PRIu64 "\n",
                                 page->name, info->service, info->name, count));
}

void metrics_calls_write(const struct metrics_calls *calls, struct metrics_page *page)
{
    write_statuses(calls, page);
    metrics_family(page, "millrace_rpc_call_duration_seconds", METRICS_HISTOGRAM,
                   "Time from an RPC call to its answer; heartbeats and the like are held.");
    for (size_t method = 0; method < METHOD_COUNT; method++)
        write_histogram(&calls->methods[method], method_info((enum method)method), page);
}

/* --- the process ----------------------------------------------------------------------------- */

void metrics_process_write(struct metrics_page *page, int64_t started_wall_ms)
{
    struct usage usage = {0};
    uint64_t open_fds = 0;
    uint64_t max_fds = 0;
    /* Without /proc the numbers are left out rather than shown as zero. */
    if (usage_of_self(&usage, NULL) == OK) {
        metrics_gauge(page, "process_resident_memory_bytes", "Resident memory of this process.",
                      usage.resident_bytes);
        metrics_gauge(page, "process_threads", "Threads of this process.", usage.threads);
    }
    if (usage_of_descriptors(&open_fds, &max_fds, NULL) == OK) {
        metrics_gauge(page, "process_open_fds", "Open file descriptors.", open_fds);
        metrics_gauge(page, "process_max_fds", "Most file descriptors this process may open.",
                      max_fds);
    }
    metrics_family(page, "process_cpu_seconds_total", METRICS_COUNTER,
                   "User and system CPU time of this process.");
    metrics_sample_seconds(page, NULL, (struct slice){0}, clock_process_cpu_us());
    metrics_family(page, "process_start_time_seconds", METRICS_GAUGE,
                   "When this process started, since 1970.");
    metrics_sample_seconds(page, NULL, (struct slice){0}, started_wall_ms * 1000);
}
