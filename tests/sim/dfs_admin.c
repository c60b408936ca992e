/*
 * dfs_admin.c - the person who looks after the cluster: asks how it is, takes datanodes out of
 * service and back, switches off for good those that may be, enters and leaves safe mode, has racks
 * read again, and in the end deletes files of which a loss of power took every copy, as their
 * writers had accepted.
 */
#include <stdio.h>
#include <string.h>

#include "lib/base/check.h"
#include "tests/sim/dfs.h"

enum {
    ASK_MS = 2000,
    TIMEOUT_MS = 1500,
    STUCK_MS = 60000, /* safe mode after so long in peace waits for what nobody has */
    ADMIN_ID = 90,
    LIVE_MIN = 4 /* datanodes that are never switched off */
};

static void call(struct world *world, uint64_t tag, enum method method, const void *message)
{
    world_call(world, world->dfs->admin, tag, world->dfs->namenode->address, method, message,
               TIMEOUT_MS);
}

/* Not at once: an older order may still be on its way. */
static bool is_time_to_tidy(const struct world *world)
{
    return world->dfs->is_peace && world->now_ms >= world->dfs->peace_ms + DFS_LATE_MS;
}

/* Who throws a datanode away does not put it back: the namenode would count on it for a while. */
static bool is_thrown_away(const struct world *world, uint32_t node)
{
    return world->dfs->plan.retires && dfs_disk(world->dfs->datanodes[node])->is_gone;
}

/* --- orders
 * ------------------------------------------------------------------------------------------- */
void dfs_admin_serve(struct world *world, uint32_t node, enum dfs_datanode_admin_action action)
{
    struct dfs_sim *sim = world->dfs;
    if (is_thrown_away(world, node))
        return;
    struct dfs_set_datanode_admin_request request = {.node_id = dfs_node_id(sim->datanodes[node]),
                                                     .action = action};
    world_trace(world, "dn%u: %s", node, dfs_datanode_admin_action_name(action));
    if (action != DATANODE_DECOMMISSION)
        sim->served_ms[node] = world->now_ms;
    /* The tag: a datanode's number to serve it, or beyond. */
    call(world, sim->is_peace ? node : UINT64_MAX, METHOD_NAMENODE_SET_DATANODE_ADMIN, &request);
}

void dfs_admin_safe_mode(struct world *world, enum dfs_safe_mode_action action)
{
    struct dfs_set_safe_mode_request request = {.action = action};
    call(world, 0, METHOD_NAMENODE_SET_SAFE_MODE, &request);
}

void dfs_admin_refresh(struct world *world)
{
    struct dfs_refresh_nodes_request request = {0};
    call(world, world->dfs->rack_version, METHOD_NAMENODE_REFRESH_NODES, &request);
}

/* --- what is answered
 * ---------------------------------------------------------------------------------- */
/*
 * A decommissioned datanode is switched off and its disks are thrown away: the namenode has said
 * that they are not needed. Not when an order to serve may still be on its way, and not while one
 * of its disks has failed: what that holds may be wanted yet, and the namenode has said nothing of
 * it.
 */
static void switch_off(struct world *world, const struct dfs_datanode_info *info)
{
    struct dfs_sim *sim = world->dfs;
    struct process *datanode = dfs_node_by_id(world, info->node.node_id);
    if (!datanode || dfs_disk(datanode)->is_gone || sim->is_peace || !datanode->is_up)
        return;
    uint32_t node = dfs_disk(datanode)->node;
    bool may_be_served =
        sim->served_ms[node] != 0 && world->now_ms < sim->served_ms[node] + DFS_LATE_MS + ASK_MS;
    bool has_failed = dfs_disk(datanode)->is_failed[0] || dfs_disk(datanode)->is_failed[1];
    if (may_be_served || has_failed || dfs_count_gone(world) + 1 + LIVE_MIN > sim->plan.nodes)
        return;
    world_trace(world, "dn%u is switched off for good", node);
    world_process_crash(world, datanode);
    dfs_disk_clear(dfs_disk(datanode));
    dfs_disk(datanode)->is_gone = true;
    sim->counters.switched_off++;
}

static void status_answered(struct world *world,
                            enum status status,
                            const struct dfs_cluster_status_response *response)
{
    struct dfs_sim *sim = world->dfs;
    sim->is_healthy = status == OK && !response->in_safe_mode &&
                      response->under_replicated_count == 0 && response->missing_count == 0;
    if (sim->is_healthy)
        sim->healthy_ms = world->now_ms;
    for (size_t i = 0; status == OK && sim->plan.retires && i < response->datanodes_count; i++)
        if (response->datanodes[i].admin_state == ADMIN_DECOMMISSIONED)
            switch_off(world, &response->datanodes[i]);
}

static void safe_mode_answered(struct world *world,
                               const struct dfs_set_safe_mode_response *response)
{
    struct dfs_sim *sim = world->dfs;
    if (!is_time_to_tidy(world))
        return;
    bool is_stuck = response->in_safe_mode && !response->is_manual &&
                    map_u64_count(sim->power_lost) > 0 && world->now_ms >= sim->peace_ms + STUCK_MS;
    sim->is_safe_left = !response->is_manual;
    if (response->is_manual || is_stuck)
        dfs_admin_safe_mode(world, SAFE_MODE_LEAVE);
}

static void admin_answered(struct world *world,
                           struct process *process,
                           uint64_t tag,
                           enum method method,
                           enum status status,
                           const void *message)
{
    struct dfs_sim *sim = world->dfs;
    (void)process;
    switch ((int)method) {
    case METHOD_NAMENODE_SET_DATANODE_ADMIN:
        if (tag < DFS_NODES_MAX)
            sim->is_served[tag] = status == OK || status == ERR_NOT_FOUND;
        sim->counters.decommissions += status == OK;
        return;
    case METHOD_NAMENODE_CLUSTER_STATUS:
        status_answered(world, status, message);
        return;
    case METHOD_NAMENODE_SET_SAFE_MODE:
        if (status == OK)
            safe_mode_answered(world, message);
        return;
    case METHOD_NAMENODE_REFRESH_NODES:
        sim->is_refreshed = sim->is_refreshed || (status == OK && tag == sim->rack_version);
        return;
    default:
        return;
    }
}

/* --- files that a loss of power took
 * -------------------------------------------------------------------- */
static bool is_lost(const struct world *world, const struct model_node *file)
{
    for (size_t i = 0; i < file->blocks_count; i++)
        if (map_u64_get(world->dfs->power_lost, file->blocks[i].id) &&
            dfs_held_replicas(world, &file->blocks[i], NULL) == 0)
            return true;
    return false;
}

static void delete_lost(struct world *world)
{
    const struct model *model = world->dfs->model;
    for (const struct model_node *node = model_walk(model, NULL); node;
         node = model_walk(model, node)) {
        char path[DFS_PATH_MAX];
        if (node->is_writing || node->kind != FILE_REGULAR || !is_lost(world, node))
            continue;
        dfs_path_of(node, path);
        struct dfs_delete_request request = {
            .client_id = ADMIN_ID, .request_id = node->id, .path = slice_from_string(path)};
        call(world, 0, METHOD_NAMENODE_DELETE, &request);
    }
}

/* --- the round
 * ---------------------------------------------------------------------------------------- */
static void tidy(struct world *world)
{
    struct dfs_sim *sim = world->dfs;
    for (uint32_t i = 0; i < sim->plan.nodes; i++)
        if (!sim->is_served[i])
            dfs_admin_serve(world, i, DATANODE_SERVE);
    if (sim->plan.has_rack_table && !sim->is_refreshed)
        dfs_admin_refresh(world);
    if (map_u64_count(sim->power_lost) > 0)
        delete_lost(world);
}

static void admin_asks(struct world *world, struct process *process, uint64_t tag)
{
    struct dfs_sim *sim = world->dfs;
    if (is_time_to_tidy(world))
        tidy(world);
    struct dfs_set_balancer_request balancer = {0}; /* asks */
    call(world, UINT64_MAX, METHOD_NAMENODE_SET_BALANCER, &balancer);
    struct dfs_cluster_status_request request = {0};
    call(world, DFS_NODES_MAX + tag, METHOD_NAMENODE_CLUSTER_STATUS, &request);
    if (sim->plan.safe_weight > 0 || map_u64_count(sim->power_lost) > 0)
        dfs_admin_safe_mode(world, SAFE_MODE_GET);
    world_wake(world, process, ASK_MS, admin_asks, tag + 1);
}

bool dfs_admin_is_done(const struct world *world)
{
    const struct dfs_sim *sim = world->dfs;
    for (uint32_t i = 0; i < sim->plan.nodes; i++)
        if (!sim->is_served[i] && !is_thrown_away(world, i))
            return false;
    return (sim->is_refreshed || !sim->plan.has_rack_table) &&
           (sim->is_safe_left || sim->plan.safe_weight == 0);
}

void dfs_admin_start(struct world *world)
{
    struct dfs_sim *sim = world->dfs;
    sim->admin = world_process_add(world, PROCESS_CLIENT, ADMIN_ID, DFS_ADMIN_HOST,
                                   slice_from_string("millrace"));
    sim->admin->is_up = true;
    sim->admin->on_answer = admin_answered;
    world_wake(world, sim->admin, ASK_MS, admin_asks, 0);
}
