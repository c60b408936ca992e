/*
 * map_task.h - runs one map attempt from its first byte to its finished run (or its output).
 */
#ifndef MILLRACE_MR_CORE_MAP_TASK_H
#define MILLRACE_MR_CORE_MAP_TASK_H

#include "mr/core/input.h"
#include "mr/core/run.h"
#include "mr/core/task_context.h"

struct map_task {
    const struct task_settings *settings;
    struct mr_task task; /* input_path, split_offset and split_length say which split */
    struct byte_source source;
    struct scratch scratch; /* used when reduces > 0 */
    struct byte_sink sink;  /* the run; the output's bytes when reduces is 0 */
    struct watcher watcher;
    bool *is_refused; /* set to true when the job's setup calls mr_fail; may be NULL */
};

/*
 * Everything in task is borrowed until the call returns. ret_segments: room for settings->reduces
 * rows. counters: the attempt's counters are added to it, also when it fails. position, unless
 * NULL, is kept at the offset of the record that is being mapped, for who must report a crash.
 * On failure the sink holds a part that must be thrown away.
 */
MUST_USE enum status map_task_run(const struct map_task *task,
                                  struct run_segment *ret_segments,
                                  struct counters *counters,
                                  volatile uint64_t *position,
                                  struct error *reterr_error);

#endif
