/*
 * local.h - a whole job in this process, with threads, over local files: mrsubmit --local.
 *
 * The engine, the rules for inputs, splits and partitions and the names of the output's files are
 * the cluster's, so that the output is the same to the byte. Outputs become visible by one rename
 * of the directory, after everything in it is synced; nothing is left behind on failure.
 * A crash of the job's code ends the process (lib/os/crash.h says who did it).
 */
#ifndef MILLRACE_MR_TASK_LOCAL_H
#define MILLRACE_MR_TASK_LOCAL_H

#include "lib/base/error.h"
#include "mr/core/counters.h"
#include "mr/core/task_context.h"

enum {
    LOCAL_SPLIT_BYTES_DEFAULT = 128 << 20 /* the filesystem's block size */
};

struct local_progress {
    uint32_t maps_total;
    uint32_t maps_done;
    uint32_t reduces_total;
    uint32_t reduces_done;
};

struct local_job {
    const struct mr_job *job;
    const char *const *inputs; /* files, or directories of files */
    size_t input_count;
    const char *output; /* directory, must not exist */
    uint32_t reduces;   /* 0: maps write the output */
    const struct task_parameter *parameters;
    size_t parameter_count;
    uint64_t split_bytes;  /* 0: LOCAL_SPLIT_BYTES_DEFAULT */
    uint64_t memory_bytes; /* 0: TASK_MEMORY_BYTES_DEFAULT; for each running task */
    uint32_t threads;      /* 0: one for each processor */
    /* Called after each task, one call at a time, from any thread. May be NULL. */
    void (*progressed)(void *user, const struct local_progress *progress);
    /* Asked often, from any thread; false ends the job with ERR_CANCELLED. May be NULL. */
    bool (*is_wanted)(void *user);
    void *user;
};

/*
 * Runs the job. counters: the tasks' counters are added to it. ret_progress: how far it came, also
 * on failure. Statuses: ERR_NOT_FOUND an input, ERR_EXISTS the output, ERR_INVALID the job or what
 * it failed with, ERR_CANCELLED, or what the files said.
 */
MUST_USE enum status local_job_run(const struct local_job *job,
                                   struct counters *counters,
                                   struct local_progress *ret_progress,
                                   struct error *reterr_error);

#endif
