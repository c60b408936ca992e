/*
 * memory_host.h - the engine's host (mr/core/host.h) in memory, and jobs run through it.
 */
#ifndef MILLRACE_TESTS_UNIT_MR_MEMORY_HOST_H
#define MILLRACE_TESTS_UNIT_MR_MEMORY_HOST_H

#include "lib/base/buf.h"
#include "mr/core/host.h"
#include "mr/core/map_task.h"
#include "mr/core/reduce_task.h"

/* Everything a test's tasks use; zeroed it is ready. */
struct memory_host {
    size_t files_open; /* scratch files not discarded */
    size_t files_made;
    uint64_t calls;   /* of sink, scratch and source */
    uint64_t fail_at; /* this call fails with ERR_IO; 0: none */
    size_t lend_max;  /* the most a source lends at once; 0: what is asked for */
    uint64_t watches;
    uint64_t cancel_at; /* this watch says stop; 0: none */
    bool is_refused;    /* by the setup of the task that ran last */
    struct slice input;
    uint8_t *lent; /* the last bytes lent by the source, freed at the next read */
};

struct byte_source memory_host_source(struct memory_host *host, struct slice input);
struct scratch memory_host_scratch(struct memory_host *host);
struct watcher memory_host_watcher(struct memory_host *host);
void memory_host_close(struct memory_host *host);

struct memory_sink {
    struct memory_host *host;
    struct buf bytes;
};

struct byte_sink memory_sink_as_sink(struct memory_sink *sink);

/* A whole job: input cut into splits of split_bytes, maps, reduces, all in order. */
struct memory_job {
    struct task_settings settings;
    struct slice input;
    uint64_t split_bytes;
    bool segments_on_disk; /* reduces read their segments through a store's read */
};

/*
 * Appends part 0, part 1, ... each to its own ret_outputs (settings.reduces of them, or one per map
 * when reduces is 0; ret_outputs has room for outputs_max).
 */
enum status memory_job_run(struct memory_host *host,
                           const struct memory_job *job,
                           struct buf *ret_outputs,
                           size_t outputs_max,
                           struct counters *counters,
                           struct error *reterr_error);

#endif
