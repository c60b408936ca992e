/*
 * attempt.h - runs one attempt that the master gave: input from the filesystem, the engine of
 * mr/core, output to where the master or the node manager expects it.
 */
#ifndef MILLRACE_MR_TASK_ATTEMPT_H
#define MILLRACE_MR_TASK_ATTEMPT_H

#include "lib/base/arena.h"
#include "lib/base/error.h"
#include "lib/model/messages.h"
#include "mr/mr.h"

struct counters;
struct dfs;
struct reporter;
struct umbilical;

/* What all attempts of one process share; borrowed. */
struct attempt_host {
    struct umbilical *umbilical;
    struct reporter *reporter;
    struct dfs *dfs;
    const struct mr_job *job;
    const char *token;
    const char *work_directory; /* of the container: scratch files */
    const char *app_directory;  /* output/<map>_<attempt>.run is served from there */
};

/* What TaskDone says; in the arena given to attempt_run. */
struct attempt_result {
    const uint64_t *partition_bytes; /* maps of a job with reduces: one for each */
    size_t partition_count;
    struct slice output_path; /* file written in the filesystem, or empty */
    uint64_t output_file_id;
    uint64_t output_length;
    bool is_refused; /* after a failure: the job's setup says so, every other attempt would fail,
                        too */
};

/*
 * counters: the attempt's are added, also on failure. ERR_CANCELLED: the master does not want it
 * any more. Nothing is left behind on failure but what the node manager removes with the container.
 */
MUST_USE enum status attempt_run(const struct attempt_host *host,
                                 const struct am_get_task_response *work,
                                 struct arena *arena,
                                 struct attempt_result *ret_result,
                                 struct counters *counters,
                                 struct error *reterr_error);
/* Throws away the output of an attempt that succeeded too late. */
MUST_USE enum status attempt_discard(const struct attempt_host *host,
                                     const struct am_get_task_response *work,
                                     const struct attempt_result *result,
                                     struct error *reterr_error);

#endif
