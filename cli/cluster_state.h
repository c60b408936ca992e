/*
 * cluster_state.h - what the namenode and the resource manager say of a cluster.
 */
#ifndef MILLRACE_CLI_CLUSTER_STATE_H
#define MILLRACE_CLI_CLUSTER_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/cluster_daemons.h"
#include "cli/session.h"
#include "lib/base/error.h"
#include "lib/base/status.h"
#include "lib/model/messages.h"

enum {
    CLUSTER_STATE_CALL_MS = 2000,
    CLUSTER_STATE_APPS = 1000 /* looked at */
};

/* NULL where the daemon could not be asked; then its error says why. */
struct cluster_state {
    const struct dfs_cluster_status_response *filesystem;
    const struct rm_list_nodes_response *nodes;
    const struct rm_list_apps_response *apps;
    struct error filesystem_error;
    struct error rm_error;
};

/* Asks each daemon once; both are always asked. The answers live as long as the session. */
void cluster_state_get(struct cli_session *session,
                       bool with_apps,
                       struct cluster_state *ret_state);
/*
 * True when the namenode is out of safe mode and knows each datanode of processes as live, and the
 * resource manager each node manager as active, each of the new ones heard of since its start.
 * Otherwise ret_missing says in words what is missing.
 */
bool cluster_state_is_ready(const struct cluster *cluster,
                            const struct cluster_state *state,
                            const struct cluster_process *processes,
                            size_t count,
                            int64_t asked_ms,
                            struct error *ret_missing);
/* Asks until it is ready; else fails as cluster_processes_wait does. */
MUST_USE enum status cluster_state_wait(struct cli_session *session,
                                        struct cluster_process *processes,
                                        size_t count,
                                        int64_t deadline_ms,
                                        bool (*is_cancelled)(void),
                                        struct error *reterr_error);

#endif
