/*
 * reduce_task.h - runs one reduce attempt once its segments are there: merge, group, reduce, write.
 */
#ifndef MILLRACE_MR_CORE_REDUCE_TASK_H
#define MILLRACE_MR_CORE_REDUCE_TASK_H

#include "mr/core/run.h"
#include "mr/core/task_context.h"

/* One map's output for this reduce. */
struct reduce_segment {
    struct byte_store store;
    uint64_t offset; /* of the segment in store */
    uint64_t bytes;  /* 0: empty */
};

struct reduce_task {
    const struct task_settings *settings;
    struct mr_task task;
    const struct reduce_segment *segments; /* in map order; that order is part of the result */
    size_t segment_count;
    struct scratch scratch;
    struct byte_sink sink; /* the output's bytes */
    struct watcher watcher;
    bool *is_refused; /* set to true when the job's setup calls mr_fail; may be NULL */
};

/*
 * Everything in task is borrowed until the call returns. counters: the attempt's counters are added
 * to it, also when it fails. On failure the sink holds a part that must be thrown away.
 */
MUST_USE enum status reduce_task_run(const struct reduce_task *task,
                                     struct counters *counters,
                                     struct error *reterr_error);

#endif
