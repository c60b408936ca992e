/*
 * dfs_rules.c - what must hold between a step of the namenode and the disks, at that moment: what
 * is acknowledged is there, nothing is told to be deleted that is needed, a datanode that may be
 * switched off is not needed, nobody is believed who is not the datanode, safe mode is safe.
 */
#include <string.h>

#include "lib/base/mem.h"
#include "tests/sim/dfs.h"

enum {
    RUNNING_MS = 3000 /* three heartbeats: a datanode heard of since runs */
};

struct known_node {
    struct slice address; /* who registered last; empty: nobody has since the restart */
    int64_t heard_ms;
    uint64_t held_call;
    bool is_hung_up;
    enum dfs_datanode_admin_state admin_state;
};

struct dfs_rules {
    struct known_node nodes[DFS_NODES_MAX];
    struct map_u64 *beats; /* call id to the process of a datanode */
};

void dfs_rules_open(struct world *world)
{
    world->dfs->rules = MEM_NEW(struct dfs_rules);
    world->dfs->rules->beats = map_u64_open();
}

void dfs_rules_close(struct world *world)
{
    map_u64_close(world->dfs->rules->beats);
    mem_free(world->dfs->rules);
}

void dfs_rules_restarted(struct world *world)
{
    struct dfs_rules *rules = world->dfs->rules;
    map_u64_clear(rules->beats);
    for (size_t i = 0; i < DFS_NODES_MAX; i++)
        rules->nodes[i] = (struct known_node){.admin_state = rules->nodes[i].admin_state};
}

/* --- blocks on disks
 * ---------------------------------------------------------------------------------- */
const struct model_block *dfs_sealed_block(const struct world *world, uint64_t block_id)
{
    const struct model *model = world->dfs->model;
    for (const struct model_node *node = model_walk(model, NULL); node;
         node = model_walk(model, node))
        for (size_t i = 0; i < node->blocks_count; i++)
            if (node->blocks[i].id == block_id)
                return &node->blocks[i];
    return NULL;
}

/* What destruction, which is rationed, may have taken of any block by now. */
static size_t excused(const struct world *world)
{
    return world->dfs->destroyed_node != DFS_NODES_MAX ? 1 : 0;
}

static bool is_power_lost(const struct world *world, uint64_t block_id)
{
    return map_u64_get(world->dfs->power_lost, block_id) != NULL;
}

void dfs_rules_sealed(struct world *world, const struct dfs_seal_block_request *request)
{
    size_t durable = 0;
    size_t lost = 0;
    const struct model_node *file = model_node_by_id(world->dfs->model, request->file_id);
    bool may_be_cached = file && file->durability == DURABILITY_REPLICATED;
    for (size_t i = 0; i < request->node_ids_count; i++) {
        const struct process *datanode = dfs_node_by_id(world, request->node_ids[i]);
        const struct disk *disk = dfs_disk(datanode);
        bool is_there = false;
        bool may_be_off = world->dfs->rules->nodes[disk->node].admin_state == ADMIN_DECOMMISSIONED;
        for (uint32_t j = 0; j < DFS_VOLUMES; j++) { /* what a disk had before it failed stays */
            const struct disk_block *block = map_u64_get(disk->blocks[j], request->block_id);
            bool is_kept = block && (block->is_synced || (may_be_cached && block->is_cached));
            is_there = is_there || (is_kept && block->info.crc32c == request->crc32c &&
                                    disk_block_is_good(block));
        }
        bool is_excused = disk->is_gone || world->dfs->destroyed_node == disk->node ||
                          (may_be_cached && is_power_lost(world, request->block_id));
        durable += is_there && !may_be_off;
        lost += !is_there && is_excused;
    }
    world->dfs->counters.blocks_sealed++;
    if (durable + lost < DFS_MIN_REPLICAS)
        world_fail(world, "I2 block %llu is acknowledged with %zu synced replicas",
                   (unsigned long long)request->block_id, durable);
}

void dfs_rules_merged(struct world *world, const struct model_block *merged)
{
    size_t held = dfs_held_replicas(world, merged, NULL);
    if (held + excused(world) < DFS_MIN_REPLICAS)
        world_fail(world, "I2 the merged block %llu takes the place of others with %zu replicas",
                   (unsigned long long)merged->id, held);
}

/* --- who is who
 * ---------------------------------------------------------------------------------------- */
static const struct action *answer_in(const struct actions *actions, uint64_t call)
{
    for (size_t i = 0; i < actions->count; i++) {
        const struct action *action = &actions->items[i];
        if ((action->kind == ACTION_REPLY || action->kind == ACTION_FAIL) && action->call == call)
            return action;
    }
    return NULL;
}

static void check_registration(struct world *world,
                               const struct event *event,
                               const struct actions *actions)
{
    const struct dfs_register_datanode_request *request = event->message;
    const struct action *answer = answer_in(actions, event->call);
    const struct process *datanode = dfs_node_by_id(world, request->node.node_id);
    if (!answer || answer->kind == ACTION_FAIL)
        return;
    const struct dfs_register_datanode_response *response = answer->message;
    if (!datanode || (request->cluster_id != 0 && request->cluster_id != response->cluster_id)) {
        world_fail(world, "I5 datanode %llu of cluster %llu is let in",
                   (unsigned long long)request->node.node_id,
                   (unsigned long long)request->cluster_id);
        return;
    }
    uint32_t node = dfs_disk(datanode)->node;
    struct known_node *known = &world->dfs->rules->nodes[node];
    bool is_other =
        known->address.length > 0 && !slice_equal(known->address, request->node.rpc_address);
    if (is_other && !known->is_hung_up && world->now_ms - known->heard_ms < RUNNING_MS)
        world_fail(world, "I5 dn%u runs at %.*s, and a copy of it is let in", node,
                   SLICE_ARGS(known->address));
    known->address = dfs_node_by_id(world, request->node.node_id)->address;
    if (world->dfs->copy && slice_equal(world->dfs->copy->address, request->node.rpc_address))
        known->address = world->dfs->copy->address;
    known->heard_ms = world->now_ms;
    known->is_hung_up = false;
    world->dfs->sessions[node] = response->session;
    dfs_identity_registered(world, request->node.rpc_address, request->node.node_id);
}

/* I5: what a datanode says in an earlier session than its last one is refused. */
static void check_session(struct world *world,
                          const struct event *event,
                          const struct actions *actions)
{
    const struct dfs_block_report_request *message = event->message; /* all begin with these */
    const struct process *datanode = dfs_node_by_id(world, message->node_id);
    const struct action *answer = answer_in(actions, event->call);
    if (!datanode)
        return;
    struct known_node *known = &world->dfs->rules->nodes[dfs_disk(datanode)->node];
    if (message->session == world->dfs->sessions[dfs_disk(datanode)->node]) {
        known->heard_ms = world->now_ms;
        known->is_hung_up = false;
        if (event->method == METHOD_DATANODE_TRACKER_DATANODE_HEARTBEAT)
            known->held_call = event->call;
    } else if (answer && answer->kind == ACTION_FAIL) {
        world->dfs->counters.stale_sessions++;
    } else if (answer) {
        world_fail(world, "I5 node %llu is believed what it said in an earlier session",
                   (unsigned long long)message->node_id);
    }
}

static void note_hung_up(struct world *world, uint64_t call)
{
    for (size_t i = 0; i < DFS_NODES_MAX; i++) {
        struct known_node *known = &world->dfs->rules->nodes[i];
        known->is_hung_up = known->is_hung_up || known->held_call == call;
    }
}

/* --- safe mode by hand
 * -------------------------------------------------------------------------------- */
static size_t count_sealed(const struct model *model)
{
    size_t count = 0;
    for (const struct model_node *node = model_walk(model, NULL); node;
         node = model_walk(model, node))
        count += node->blocks_count;
    return count;
}

static void check_safe_mode(struct world *world,
                            const struct dfs_set_safe_mode_request *request,
                            const struct dfs_set_safe_mode_response *response)
{
    const struct model *model = world->dfs->model;
    bool is_by_hand =
        request->action == SAFE_MODE_ENTER || (request->action == SAFE_MODE_GET && model->is_safe);
    bool is_open = request->action == SAFE_MODE_LEAVE || (!is_by_hand && !model->may_be_safe);
    bool is_waiting = response->in_safe_mode && !response->is_manual;
    if (response->is_manual != is_by_hand || (is_open && response->in_safe_mode) ||
        (is_by_hand && !response->in_safe_mode))
        world_fail(world, "safe mode is %s%s after %s", response->in_safe_mode ? "on" : "off",
                   response->is_manual ? " by hand" : "",
                   dfs_safe_mode_action_name(request->action));
    else if (response->in_safe_mode != (response->reason.length > 0))
        world_fail(world, "safe mode has no reason, or a reason is all there is");
    else if (is_waiting && (response->blocks_total != count_sealed(model) ||
                            response->blocks_found >= response->blocks_needed ||
                            response->blocks_needed > response->blocks_total))
        world_fail(world, "safe mode waits for %llu of %llu blocks and has found %llu",
                   (unsigned long long)response->blocks_needed,
                   (unsigned long long)response->blocks_total,
                   (unsigned long long)response->blocks_found);
}

/* NULL: the step is no such call, or it failed. */
static const struct dfs_set_safe_mode_response *safe_mode_set(const struct event *event,
                                                              const struct actions *actions)
{
    if (event->kind != EVENT_REQUEST || event->method != METHOD_NAMENODE_SET_SAFE_MODE)
        return NULL;
    const struct action *answer = answer_in(actions, event->call);
    return answer && answer->kind == ACTION_REPLY ? answer->message : NULL;
}

void dfs_rules_before(struct world *world, const struct event *event, const struct actions *actions)
{
    const struct dfs_set_safe_mode_response *response = safe_mode_set(event, actions);
    if (response) {
        const struct dfs_set_safe_mode_request *request = event->message;
        check_safe_mode(world, request, response);
        if (request->action == SAFE_MODE_LEAVE) {
            world->dfs->is_left_by_hand = true;
            world->dfs->model->is_safe = false;
        }
    }
    if (event->kind == EVENT_REQUEST_CANCELLED)
        note_hung_up(world, event->call);
    if (event->kind != EVENT_REQUEST)
        return;
    switch ((int)event->method) {
    case METHOD_DATANODE_TRACKER_REGISTER_DATANODE:
        check_registration(world, event, actions);
        return;
    case METHOD_DATANODE_TRACKER_DATANODE_HEARTBEAT:
    case METHOD_DATANODE_TRACKER_BLOCK_REPORT:
    case METHOD_DATANODE_TRACKER_BLOCK_CHANGES:
        check_session(world, event, actions);
        return;
    default:
        return;
    }
}

/* --- commands
 * ------------------------------------------------------------------------------------------ */
/* I2: a good replica goes only where others remain. */
static void check_deletion(struct world *world, const struct process *datanode, uint64_t block_id)
{
    const struct model_block *block = dfs_sealed_block(world, block_id);
    if (!block || is_power_lost(world, block_id))
        return;
    size_t all = dfs_held_replicas(world, block, NULL);
    size_t others = dfs_held_replicas(world, block, datanode);
    if (all > others && others + excused(world) < DFS_MIN_REPLICAS)
        world_fail(world, "I2 dn%u is told to delete block %llu, of which there are %zu others",
                   dfs_disk(datanode)->node, (unsigned long long)block_id, others);
}

static void check_commands(struct world *world,
                           const struct process *datanode,
                           const struct dfs_datanode_heartbeat_response *response)
{
    for (size_t i = 0; i < response->commands_count; i++) {
        const struct dfs_datanode_command *command = &response->commands[i];
        bool is_change = command->kind == DATANODE_COPY_BLOCK ||
                         command->kind == DATANODE_DELETE_BLOCK ||
                         command->kind == DATANODE_MERGE_BLOCKS;
        if (world->dfs->model->is_safe && is_change)
            world_fail(world, "NN-8 in safe mode dn%u is told: %s", dfs_disk(datanode)->node,
                       dfs_datanode_command_kind_name(command->kind));
        if (command->kind == DATANODE_DELETE_BLOCK)
            check_deletion(world, datanode, command->block.block_id);
    }
}

/* --- switched off
 * -------------------------------------------------------------------------------------- */
/* I2: without a datanode that is decommissioned nothing is short. */
static void check_drained(struct world *world, const struct process *datanode)
{
    const struct model *model = world->dfs->model;
    /* What it had on a disk that failed, and was exchanged just now, nobody has been told yet. */
    if (!datanode->is_up || datanode_totals(datanode->machine).registration != REGISTRATION_ACTIVE)
        return;
    for (const struct model_node *node = model_walk(model, NULL); node;
         node = model_walk(model, node)) {
        for (size_t i = 0; i < node->blocks_count; i++) {
            const struct model_block *block = &node->blocks[i];
            size_t others = dfs_held_replicas(world, block, datanode);
            bool is_here = disk_find(dfs_disk(datanode), block->id) != NULL;
            if (is_here && others + excused(world) < DFS_MIN_REPLICAS &&
                !is_power_lost(world, block->id))
                world_fail(world, "I2 dn%u is decommissioned, but block %llu has %zu replicas else",
                           dfs_disk(datanode)->node, (unsigned long long)block->id, others);
        }
    }
}

static void note_service(struct world *world, const struct journal_datanode_put *record)
{
    const struct process *datanode = dfs_node_by_id(world, record->node.node_id);
    if (!datanode)
        return;
    struct known_node *known = &world->dfs->rules->nodes[dfs_disk(datanode)->node];
    bool is_new = known->admin_state != record->admin_state;
    known->admin_state = record->admin_state;
    if (is_new && record->admin_state == ADMIN_DECOMMISSIONED)
        check_drained(world, datanode);
}

void dfs_rules_after(struct world *world, const struct event *event, const struct actions *actions)
{
    struct map_u64 *beats = world->dfs->rules->beats;
    if (event->kind == EVENT_REQUEST &&
        event->method == METHOD_DATANODE_TRACKER_DATANODE_HEARTBEAT) {
        const struct dfs_datanode_heartbeat_request *beat = event->message;
        (void)map_u64_put(beats, event->call, dfs_node_by_id(world, beat->node_id));
    }
    for (size_t i = 0; i < actions->count; i++) {
        const struct action *action = &actions->items[i];
        if (action->kind == ACTION_JOURNAL && action->type == &journal_datanode_put_type)
            note_service(world, action->message);
        if (action->kind != ACTION_REPLY && action->kind != ACTION_FAIL)
            continue;
        const struct process *datanode = map_u64_remove(beats, action->call);
        if (datanode && action->kind == ACTION_REPLY)
            check_commands(world, datanode, action->message);
    }
    const struct dfs_set_safe_mode_request *request = event->message;
    if (safe_mode_set(event, actions) && request->action == SAFE_MODE_ENTER) {
        world->dfs->model->is_safe = true;
        world->dfs->counters.safe_modes_by_hand++;
    }
}
