/*
 * cluster_daemons.h - the processes of a cluster on this host: which run, starting and stopping.
 * Truth about running is the lock file in each daemon's folder, <role>.lock, which its process
 * holds until its end, however that comes.
 */
#ifndef MILLRACE_CLI_CLUSTER_DAEMONS_H
#define MILLRACE_CLI_CLUSTER_DAEMONS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/error.h"
#include "lib/base/status.h"

struct cluster;
struct cluster_plan;

struct cluster_process {
    const char *name; /* as in cluster.json */
    const char *role; /* its program is mr-<role> */
    const char *directory;
    const char *host; /* as planned; NULL: the host's own */
    const char *rack;
    uint16_t rpc_port; /* 0: any */
    uint16_t http_port;
    int64_t pid; /* 0: does not run */
    /* The rest is set by cluster_process_start only. */
    bool is_new;
    int64_t started_ms;  /* monotonic */
    uint64_t log_before; /* bytes of its log file */
};

/*
 * One row for each daemon of the cluster that has a folder on this host, in cluster.json's order.
 * plan says where nodes stand.
 */
MUST_USE enum status cluster_processes_find(const struct cluster *cluster,
                                            const struct cluster_plan *plan,
                                            struct arena *arena,
                                            struct cluster_process **ret_processes,
                                            size_t *ret_count,
                                            struct error *reterr_error);
/* True when it runs now; sets pid. */
MUST_USE enum status cluster_process_look(struct cluster_process *process,
                                          struct error *reterr_error);
/* The command line it is started with, NULL-terminated, from arena; the program stands beside ours.
 */
const char *const *cluster_process_arguments(const struct cluster_process *process,
                                             const char *cluster_directory,
                                             struct arena *arena);
/*
 * Starts one that does not run, in a session of its own; its log and whatever else it says goes to
 * <role>.log in its folder. Returns when the program runs, not when it serves.
 */
MUST_USE enum status cluster_process_start(struct cluster_process *process,
                                           const char *cluster_directory,
                                           struct error *reterr_error);
/*
 * OK while all that are new run. When one has ended, the error says which, and ends with its last
 * lines of output; it counts as not running from then on.
 */
MUST_USE enum status cluster_processes_check(struct cluster_process *processes,
                                             size_t count,
                                             struct error *reterr_error);
/*
 * Waits until all that are new have written their address file, which they do when they serve. When
 * one ends instead, as above; ERR_DEADLINE at deadline_ms (monotonic); is_cancelled (may be NULL)
 * is asked now and then: ERR_CANCELLED.
 */
MUST_USE enum status cluster_processes_wait(struct cluster_process *processes,
                                            size_t count,
                                            int64_t deadline_ms,
                                            bool (*is_cancelled)(void),
                                            struct error *reterr_error);
/*
 * Stops those that run: resource manager and node managers first, then datanodes, then the
 * namenode, each group asked with SIGTERM and killed grace_ms later. Returns when they and all that
 * they had started have ended; pids are 0 then. ret_killed (may be NULL): how many had to be
 * killed.
 */
MUST_USE enum status cluster_processes_stop(struct cluster_process *processes,
                                            size_t count,
                                            int64_t grace_ms,
                                            size_t *ret_killed,
                                            struct error *reterr_error);

#endif
