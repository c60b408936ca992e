/*
 * cluster_state.c - asks, compares, waits.
 */
#include "cli/cluster_state.h"

#include <string.h>

#include "lib/os/clock.h"
#include "lib/services/calls.h"

enum {
    ASK_MIN_MS = 2, /* pauses between two questions */
    ASK_MAX_MS = 50
};

void cluster_state_get(struct cli_session *session, bool with_apps, struct cluster_state *ret_state)
{
    *ret_state = (struct cluster_state){.filesystem = NULL};
    struct service_target target;
    const struct dfs_cluster_status_request filesystem_request = {0};
    enum status status =
        cli_session_target(session, "namenode", &target, &ret_state->filesystem_error);
    target.timeout_ms = CLUSTER_STATE_CALL_MS;
    if (status == OK)
        status = services_namenode_cluster_status(
            &target, &filesystem_request, &ret_state->filesystem, &ret_state->filesystem_error);

    const struct rm_list_nodes_request nodes_request = {0};
    status = cli_session_target(session, "rm", &target, &ret_state->rm_error);
    target.timeout_ms = CLUSTER_STATE_CALL_MS;
    if (status == OK)
        status = services_resource_manager_list_nodes(&target, &nodes_request, &ret_state->nodes,
                                                      &ret_state->rm_error);
    const struct rm_list_apps_request apps_request = {
        .include_finished = true,
        .limit = CLUSTER_STATE_APPS,
    };
    if (status == OK && with_apps)
        status_ignore(services_resource_manager_list_apps(&target, &apps_request, &ret_state->apps,
                                                          &ret_state->rm_error)); /* stays NULL */
}

/* The address that the daemon of process serves now; "" when it does not. */
static const char *address_of(const struct cluster *cluster,
                              const struct cluster_process *process,
                              bool is_http)
{
    for (size_t i = 0; i < cluster->daemon_count; i++) {
        const struct cluster_daemon *daemon = &cluster->daemons[i];
        if (strcmp(daemon->name, process->name) == 0)
            return is_http ? daemon->http_address : daemon->rpc_address;
    }
    return "";
}

/* Heard of since its start, not just before its end. */
static bool is_news(const struct cluster_process *process, uint64_t silent_ms, int64_t asked_ms)
{
    return !process->is_new || (int64_t)silent_ms <= asked_ms - process->started_ms;
}

static bool is_datanode_live(const struct cluster_state *state,
                             const struct cluster_process *process,
                             const char *http_address,
                             int64_t asked_ms)
{
    for (size_t i = 0; i < state->filesystem->datanodes_count; i++) {
        const struct dfs_datanode_info *row = &state->filesystem->datanodes[i];
        if (slice_equal_string(row->node.http_address, http_address))
            return row->state == DATANODE_LIVE && is_news(process, row->silent_ms, asked_ms);
    }
    return false;
}

static bool is_node_active(const struct cluster_state *state,
                           const struct cluster_process *process,
                           const char *rpc_address,
                           int64_t asked_ms)
{
    for (size_t i = 0; i < state->nodes->nodes_count; i++) {
        const struct rm_node_report *row = &state->nodes->nodes[i];
        if (slice_equal_string(row->node.rpc_address, rpc_address) && row->state == NODE_ACTIVE)
            return is_news(process, row->silent_ms, asked_ms);
    }
    return false;
}

static bool is_known(const struct cluster *cluster,
                     const struct cluster_state *state,
                     const struct cluster_process *process,
                     int64_t asked_ms)
{
    if (process->pid == 0)
        return true; /* nobody waits for it */
    if (strcmp(process->role, "datanode") == 0)
        return is_datanode_live(state, process, address_of(cluster, process, true), asked_ms);
    if (strcmp(process->role, "nodemgr") == 0)
        return is_node_active(state, process, address_of(cluster, process, false), asked_ms);
    return true;
}

bool cluster_state_is_ready(const struct cluster *cluster,
                            const struct cluster_state *state,
                            const struct cluster_process *processes,
                            size_t count,
                            int64_t asked_ms,
                            struct error *ret_missing)
{
    enum status missing = OK;
    if (state->filesystem == NULL)
        missing = error_set(ret_missing, ERR_UNAVAILABLE, "the namenode does not answer: %s",
                            state->filesystem_error.text);
    else if (state->nodes == NULL)
        missing = error_set(ret_missing, ERR_UNAVAILABLE,
                            "the resource manager does not answer: %s", state->rm_error.text);
    for (size_t i = 0; i < count && missing == OK; i++) {
        if (!is_known(cluster, state, &processes[i], asked_ms))
            missing =
                error_set(ret_missing, ERR_UNAVAILABLE, "%s has not registered", processes[i].name);
    }
    if (missing == OK && state->filesystem->in_safe_mode)
        missing = error_set(ret_missing, ERR_SAFE_MODE, "the namenode is in safe mode");
    return missing == OK;
}

enum status cluster_state_wait(struct cli_session *session,
                               struct cluster_process *processes,
                               size_t count,
                               int64_t deadline_ms,
                               bool (*is_cancelled)(void),
                               struct error *reterr_error)
{
    int64_t pause_ms = ASK_MIN_MS;
    struct cluster_state state;
    for (;;) {
        int64_t asked_ms = clock_monotonic_ms();
        cluster_state_get(session, false, &state);
        if (cluster_state_is_ready(cli_session_cluster(session), &state, processes, count, asked_ms,
                                   reterr_error))
            return OK;
        enum status status = cluster_processes_check(processes, count, reterr_error);
        if (status != OK)
            return status;
        if (is_cancelled != NULL && is_cancelled())
            return error_set(reterr_error, ERR_CANCELLED, "interrupted");
        int64_t now_ms = clock_monotonic_ms();
        if (now_ms >= deadline_ms)
            return error_prefix(reterr_error, ERR_DEADLINE, "the cluster does not get ready");
        clock_sleep_until_ms(now_ms + pause_ms);
        pause_ms = pause_ms * 2 < ASK_MAX_MS ? pause_ms * 2 : ASK_MAX_MS;
    }
}
