/*
 * metrics.h - numbers for monitors, as Prometheus reads them (text format 0.0.4): a writer of
 * pages, and the counters of a daemon's RPC calls. What is on the pages: docs/protocols/metrics.md.
 *
 * Names are millrace_<thing>_<unit> in base units (seconds, bytes), counters end in _total, and no
 * label has more values than there are nodes: nothing per file, task or user.
 */
#ifndef MILLRACE_LIB_DAEMON_METRICS_H
#define MILLRACE_LIB_DAEMON_METRICS_H

#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/status.h"
#include "lib/model/messages.h"

#define METRICS_CONTENT_TYPE "text/plain; version=0.0.4; charset=utf-8"

enum metrics_kind {
    METRICS_GAUGE,
    METRICS_COUNTER,
    METRICS_HISTOGRAM,
};

/* One page being written; zeroed but for text (borrowed). A failure stays: look at status after. */
struct metrics_page {
    struct buf *text;
    const char *name; /* of the family begun last */
    enum status status;
};

/* Begins a family: its HELP and TYPE lines. name and help are constants without backslash or LF. */
void metrics_family(struct metrics_page *page,
                    const char *name,
                    enum metrics_kind kind,
                    const char *help);
/* One sample of the family begun last. label NULL: none; value of a label in any bytes. */
void metrics_sample(struct metrics_page *page, const char *label, struct slice of, uint64_t value);
void metrics_sample_seconds(struct metrics_page *page,
                            const char *label,
                            struct slice of,
                            int64_t microseconds);
/* A family of one sample without labels. */
void metrics_gauge(struct metrics_page *page, const char *name, const char *help, uint64_t value);
void metrics_counter(struct metrics_page *page, const char *name, const char *help, uint64_t value);

/* --- RPC calls ------------------------------------------------------------------------------- */

struct metrics_calls; /* any number of threads */

struct metrics_calls *metrics_calls_open(void);
void metrics_calls_close(struct metrics_calls *calls); /* NULL is fine */
/* A call of method was answered with status, took_us after it came. calls may be NULL. */
void metrics_calls_add(struct metrics_calls *calls,
                       enum method method,
                       enum status status,
                       int64_t took_us);
/* The families millrace_rpc_...; only methods that were called appear. */
void metrics_calls_write(const struct metrics_calls *calls, struct metrics_page *page);

/* --- the process ----------------------------------------------------------------------------- */

/* The families process_..., as the clients of Prometheus name them. */
void metrics_process_write(struct metrics_page *page, int64_t started_wall_ms);

#endif
