/*
 * dfs_bugs.c - planted bugs at the namenode's door: events are altered before the machine sees
 * them, actions before anybody else does, records before they are kept. The machine itself knows
 * nothing of it. The bugs of datanodes, clients and settings are where these are simulated.
 */
#include "lib/base/check.h"
#include "lib/base/mem.h"
#include "tests/sim/dfs.h"

enum {
    NOBODY = 1, /* the call id of what nobody asked */
    SHIFT_STEP_MS = 1500,
    COMMANDS_MAX = 256
};

struct dfs_planted {
    int64_t shift_ms;
    uint64_t requests;
    uint64_t sessions[DFS_NODES_MAX];
    struct map_u64 *blocks[DFS_NODES_MAX]; /* what a node once reported, or is to delete */
    struct map_u64 *heartbeats;            /* call id to the node */
};

static bool is_planted(const struct world *world, enum dfs_bug bug)
{
    return world->bug == (enum world_bug)bug;
}

void dfs_bugs_open(struct world *world)
{
    struct dfs_planted *planted = MEM_NEW(struct dfs_planted);
    for (size_t i = 0; i < DFS_NODES_MAX; i++)
        planted->blocks[i] = map_u64_open();
    planted->heartbeats = map_u64_open();
    world->dfs->planted = planted;
}

void dfs_bugs_close(struct world *world)
{
    struct dfs_planted *planted = world->dfs->planted;
    for (size_t i = 0; i < DFS_NODES_MAX; i++) {
        size_t cursor = 0;
        void *value;
        while (map_u64_next(planted->blocks[i], &cursor, NULL, &value))
            mem_free(value);
        map_u64_close(planted->blocks[i]);
    }
    map_u64_close(planted->heartbeats);
    mem_free(planted);
}

int64_t dfs_bugs_shift_ms(const struct world *world)
{
    return world->dfs->planted->shift_ms;
}

/* --- events
 * ------------------------------------------------------------------------------------------- */
static bool is_request(const struct event *event, enum method method)
{
    return event->kind == EVENT_REQUEST && event->method == method;
}

static struct event request_of_nobody(const struct event *event,
                                      enum method method,
                                      const void *message)
{
    struct event made = *event;
    made.kind = EVENT_REQUEST;
    made.call = NOBODY;
    made.method = method;
    made.message = message;
    made.user = slice_from_string("millrace");
    return made;
}

/* One of the merges that were only ordered is reported in the name of its datanode. */
static bool report_merge(struct world *world,
                         const struct event *event,
                         struct event *ret_before,
                         struct arena *arena)
{
    struct dfs_planted *planted = world->dfs->planted;
    for (size_t i = 0; i < world->dfs->plan.nodes; i++) {
        size_t cursor = 0;
        uint64_t block_id;
        void *value;
        if (!map_u64_next(planted->blocks[i], &cursor, &block_id, &value))
            continue;
        struct dfs_block_info *info = ARENA_NEW(arena, struct dfs_block_info);
        struct dfs_block_changes_request *made = ARENA_NEW(arena, struct dfs_block_changes_request);
        *info = *(const struct dfs_block_info *)value;
        mem_free(map_u64_remove(planted->blocks[i], block_id));
        *made = (struct dfs_block_changes_request){.node_id = dfs_node_id(world->dfs->datanodes[i]),
                                                   .session = planted->sessions[i],
                                                   .received = info,
                                                   .received_count = 1};
        *ret_before = request_of_nobody(event, METHOD_DATANODE_TRACKER_BLOCK_CHANGES, made);
        return true;
    }
    return false;
}

bool dfs_bugs_event_before(struct world *world,
                           const struct event *event,
                           struct event *ret_before,
                           struct arena *arena)
{
    struct dfs_sim *sim = world->dfs;
    if (is_planted(world, BUG_EARLY_REPLACE) && is_request(event, METHOD_NAMENODE_CREATE)) {
        const struct dfs_create_request *request = event->message;
        const struct model_node *node = model_find(sim->model, request->path);
        if (!request->overwrite || !node || node->is_writing || node->kind == FILE_DIRECTORY)
            return false;
        struct dfs_delete_request *made = ARENA_NEW(arena, struct dfs_delete_request);
        *made = (struct dfs_delete_request){
            .client_id = UINT64_MAX, .request_id = ++sim->planted->requests, .path = request->path};
        *ret_before = request_of_nobody(event, METHOD_NAMENODE_DELETE, made);
        return true;
    }
    if (is_planted(world, BUG_MERGE_UNCONFIRMED) && event->kind == EVENT_TICK)
        return report_merge(world, event, ret_before, arena);
    size_t count = map_u64_count(sim->model->leases);
    if (is_planted(world, BUG_LEASE_ENDLESS) && event->kind == EVENT_TICK && count > 0) {
        uint64_t client_id = 0;
        size_t cursor = 0;
        void *value;
        for (uint64_t i = sim->planted->requests++ % count + 1; i > 0; i--)
            (void)map_u64_next(sim->model->leases, &cursor, &client_id, &value);
        struct dfs_renew_lease_request *made = ARENA_NEW(arena, struct dfs_renew_lease_request);
        made->client_id = client_id;
        *ret_before = request_of_nobody(event, METHOD_NAMENODE_RENEW_LEASE, made);
        return true;
    }
    return false;
}

static size_t index_of(const struct world *world, uint64_t node_id)
{
    const struct process *node = dfs_node_by_id(world, node_id);
    return node ? dfs_disk(node)->node : 0;
}

static uint64_t current_session(const struct world *world, uint64_t node_id, uint64_t session)
{
    uint64_t current = world->dfs->planted->sessions[index_of(world, node_id)];
    return current == 0 ? session : current;
}

/* The headers of the node's quarantined replicas are added to good ones. */
static const struct dfs_block_info *add_corrupt(const struct world *world,
                                                uint64_t node_id,
                                                const struct dfs_block_info *blocks,
                                                size_t *count,
                                                struct arena *arena)
{
    const struct disk *disk = dfs_disk(world->dfs->datanodes[index_of(world, node_id)]);
    struct dfs_block_info *all =
        ARENA_ARRAY(arena, struct dfs_block_info, *count + disk_count(disk) + 1);
    for (size_t i = 0; i < *count; i++)
        all[i] = blocks[i];
    struct disk_cursor cursor = {0};
    const struct disk_block *block;
    while ((block = disk_next(disk, &cursor)) != NULL) {
        if (block->is_quarantined)
            all[(*count)++] = block->info;
    }
    return all;
}

/* What the node ever reported is added to what it reports now. */
static const struct dfs_block_info *add_earlier(const struct world *world,
                                                uint64_t node_id,
                                                const struct dfs_block_info *blocks,
                                                size_t *count,
                                                struct arena *arena)
{
    struct map_u64 *earlier = world->dfs->planted->blocks[index_of(world, node_id)];
    for (size_t i = 0; i < *count; i++) {
        struct dfs_block_info *copy = MEM_NEW(struct dfs_block_info);
        *copy = blocks[i];
        mem_free(map_u64_put(earlier, copy->block_id, copy));
    }
    struct dfs_block_info *all =
        ARENA_ARRAY(arena, struct dfs_block_info, map_u64_count(earlier) + 1);
    size_t cursor = 0;
    void *value;
    *count = 0;
    while (map_u64_next(earlier, &cursor, NULL, &value))
        all[(*count)++] = *(const struct dfs_block_info *)value;
    return all;
}

static void alter_report(struct world *world, struct event *event, struct arena *arena)
{
    struct dfs_block_report_request *report = ARENA_NEW(arena, struct dfs_block_report_request);
    *report = *(const struct dfs_block_report_request *)event->message;
    if (is_planted(world, BUG_OLD_SESSION))
        report->session = current_session(world, report->node_id, report->session);
    if (is_planted(world, BUG_CORRUPT_IS_GOOD) && report->is_last)
        report->blocks =
            add_corrupt(world, report->node_id, report->blocks, &report->blocks_count, arena);
    if (is_planted(world, BUG_WIPED_COUNTS))
        report->blocks =
            add_earlier(world, report->node_id, report->blocks, &report->blocks_count, arena);
    event->message = report;
}

static void alter_changes(struct world *world, struct event *event, struct arena *arena)
{
    struct dfs_block_changes_request *changes = ARENA_NEW(arena, struct dfs_block_changes_request);
    *changes = *(const struct dfs_block_changes_request *)event->message;
    if (is_planted(world, BUG_OLD_SESSION))
        changes->session = current_session(world, changes->node_id, changes->session);
    if (is_planted(world, BUG_CORRUPT_IS_GOOD))
        changes->corrupt_block_ids_count = 0;
    event->message = changes;
}

/* Calls that a planted bug has the namenode see otherwise than they were made. */
static void alter_call(const struct world *world, struct event *event, struct arena *arena)
{
    if (is_planted(world, BUG_SAFE_MODE_IGNORED) &&
        is_request(event, METHOD_NAMENODE_SET_SAFE_MODE)) {
        event->message = ARENA_NEW(arena, struct dfs_set_safe_mode_request); /* GET */
    } else if (is_planted(world, BUG_RENEWAL_UNHEARD) &&
               is_request(event, METHOD_NAMENODE_RENEW_LEASE)) {
        event->message = ARENA_NEW(arena, struct dfs_renew_lease_request); /* of nobody */
    } else if (is_planted(world, BUG_UNDER_WAY_IS_FREE) &&
               is_request(event, METHOD_NAMENODE_ADD_BLOCK)) {
        struct dfs_add_block_request *request = ARENA_NEW(arena, struct dfs_add_block_request);
        *request = *(const struct dfs_add_block_request *)event->message;
        request->length = request->length > 1 ? 1 : request->length;
        event->message = request;
    }
}

static void alter_registration(const struct world *world, struct event *event, struct arena *arena)
{
    struct dfs_register_datanode_request *request =
        ARENA_NEW(arena, struct dfs_register_datanode_request);
    *request = *(const struct dfs_register_datanode_request *)event->message;
    const struct process *datanode = dfs_node_by_id(world, request->node.node_id);
    if (is_planted(world, BUG_RACKS_IGNORED))
        request->node.rack = slice_from_string("/rack0");
    if (is_planted(world, BUG_STRANGER_ADMITTED))
        request->cluster_id = 0;
    if (is_planted(world, BUG_COPY_ADMITTED) && datanode && datanode->is_up) {
        request->incarnation = dfs_disk(datanode)->incarnation;
        request->node.http_address = datanode->address;
    }
    event->message = request;
}

void dfs_bugs_event(struct world *world, struct event *event, struct arena *arena)
{
    struct dfs_planted *planted = world->dfs->planted;
    alter_call(world, event, arena);
    if (is_request(event, METHOD_DATANODE_TRACKER_REGISTER_DATANODE))
        alter_registration(world, event, arena);
    if (is_planted(world, BUG_LEASE_ON_WALL)) {
        int64_t ahead_ms = world->dfs->namenode->wall_offset_ms;
        if (planted->shift_ms < ahead_ms)
            planted->shift_ms += ahead_ms - planted->shift_ms < SHIFT_STEP_MS
                                     ? ahead_ms - planted->shift_ms
                                     : SHIFT_STEP_MS;
        event->now_ms += planted->shift_ms;
    }
    if (is_request(event, METHOD_DATANODE_TRACKER_BLOCK_REPORT))
        alter_report(world, event, arena);
    else if (is_request(event, METHOD_DATANODE_TRACKER_BLOCK_CHANGES))
        alter_changes(world, event, arena);
    else if (is_request(event, METHOD_DATANODE_TRACKER_DATANODE_HEARTBEAT))
        (void)map_u64_put(
            planted->heartbeats, event->call,
            dfs_node_by_id(
                world, ((const struct dfs_datanode_heartbeat_request *)event->message)->node_id));
    else if (is_planted(world, BUG_CORRUPT_IS_GOOD) &&
             is_request(event, METHOD_NAMENODE_REPORT_CORRUPT))
        event->message = ARENA_NEW(arena, struct dfs_report_corrupt_request);
}

/* --- actions
 * ------------------------------------------------------------------------------------------ */
static bool is_wanted(const struct world *world, uint64_t block_id)
{
    const struct model *model = world->dfs->model;
    for (const struct model_node *node = model_walk(model, NULL); node;
         node = model_walk(model, node))
        for (size_t i = 0; i < node->blocks_count; i++)
            if (node->blocks[i].id == block_id)
                return true;
    return false;
}

static void delete_everywhere(struct world *world, uint64_t block_id)
{
    for (size_t i = 0; i < world->dfs->plan.nodes; i++) {
        struct dfs_block_info *info = MEM_NEW(struct dfs_block_info);
        info->block_id = block_id;
        mem_free(map_u64_put(world->dfs->planted->blocks[i], block_id, info));
    }
}

/* Each target will be said to have the new block. */
static void note_merge(struct world *world, const struct dfs_datanode_command *command)
{
    for (size_t i = 0; i < command->targets_count; i++) {
        const struct process *node = dfs_node_by_id(world, command->targets[i].node_id);
        struct dfs_block_info *info = MEM_NEW(struct dfs_block_info);
        *info = command->block;
        if (node)
            mem_free(map_u64_put(world->dfs->planted->blocks[dfs_disk(node)->node], info->block_id,
                                 info));
        else
            mem_free(info);
    }
}

static void alter_commands(struct world *world,
                           const struct process *node,
                           struct action *action,
                           struct arena *arena)
{
    const struct dfs_datanode_heartbeat_response *response = action->message;
    struct dfs_datanode_heartbeat_response *altered =
        ARENA_NEW(arena, struct dfs_datanode_heartbeat_response);
    struct dfs_datanode_command *commands = ARENA_ARRAY(
        arena, struct dfs_datanode_command, 2 * response->commands_count + COMMANDS_MAX);
    altered->commands = commands;
    for (size_t i = 0; i < response->commands_count; i++) {
        const struct dfs_datanode_command *command = &response->commands[i];
        bool is_deletion = command->kind == DATANODE_DELETE_BLOCK;
        if (is_deletion && is_planted(world, BUG_DELETE_FORGOTTEN))
            continue;
        commands[altered->commands_count++] = *command;
        if (command->kind == DATANODE_MERGE_BLOCKS && is_planted(world, BUG_MERGE_UNCONFIRMED))
            note_merge(world, command);
        if (command->kind == DATANODE_COPY_BLOCK && is_planted(world, BUG_MOVE_DELETES_FIRST))
            commands[altered->commands_count++] = (struct dfs_datanode_command){
                .kind = DATANODE_DELETE_BLOCK, .block = {.block_id = command->block.block_id}};
        if (is_deletion && is_planted(world, BUG_TRIMS_ALL) &&
            is_wanted(world, command->block.block_id))
            delete_everywhere(world, command->block.block_id);
    }
    struct map_u64 *more = world->dfs->planted->blocks[dfs_disk(node)->node];
    size_t cursor = 0;
    uint64_t block_id;
    void *value;
    size_t added = 0;
    while (is_planted(world, BUG_TRIMS_ALL) && added < COMMANDS_MAX &&
           map_u64_next(more, &cursor, &block_id, &value)) {
        commands[altered->commands_count++] = (struct dfs_datanode_command){
            .kind = DATANODE_DELETE_BLOCK, .block = {.block_id = block_id}};
        mem_free(map_u64_remove(more, block_id));
        added++;
    }
    action->message = altered;
}

/* A late call on a file that its lease has lost is answered as if nothing had been. */
static void let_zombie_in(const struct world *world,
                          const struct event *event,
                          struct action *action,
                          struct arena *arena)
{
    if (!is_request(event, METHOD_NAMENODE_SEAL_BLOCK) || action->call != event->call)
        return;
    const struct dfs_seal_block_request *request = event->message;
    const struct model_node *file = model_node_by_id(world->dfs->model, request->file_id);
    if (file && file->is_writing)
        return;
    action->kind = ACTION_REPLY;
    action->type = &dfs_seal_block_response_type;
    action->message = ARENA_NEW(arena, uint64_t); /* an empty response */
}

/* The answer says what was asked for; the machine has heard nothing of it. */
static void pretend_safe(const struct event *event, struct action *action, struct arena *arena)
{
    const struct dfs_set_safe_mode_request *request = event->message;
    struct dfs_set_safe_mode_response *response =
        ARENA_NEW(arena, struct dfs_set_safe_mode_response);
    if (request->action != SAFE_MODE_ENTER)
        return;
    *response = *(const struct dfs_set_safe_mode_response *)action->message;
    response->in_safe_mode = true;
    response->is_manual = true;
    response->reason = slice_from_string("somebody wants it");
    action->message = response;
}

static void end_service(struct action *action, struct arena *arena)
{
    struct journal_datanode_put *record = ARENA_NEW(arena, struct journal_datanode_put);
    *record = *(const struct journal_datanode_put *)action->message;
    if (record->admin_state == ADMIN_DECOMMISSIONING)
        record->admin_state = ADMIN_DECOMMISSIONED;
    action->message = record;
}

static void note_session(struct world *world, const struct event *event, const void *message)
{
    const struct dfs_register_datanode_request *request = event->message;
    const struct dfs_register_datanode_response *response = message;
    world->dfs->planted->sessions[index_of(world, request->node.node_id)] = response->session;
}

void dfs_bugs_actions(struct world *world, const struct event *event, struct actions *actions)
{
    struct dfs_planted *planted = world->dfs->planted;
    for (size_t i = 0; i < actions->count; i++) {
        struct action *action = &actions->items[i];
        if (is_planted(world, BUG_SAFE_MODE_IGNORED) && action->kind == ACTION_REPLY &&
            action->call == event->call && is_request(event, METHOD_NAMENODE_SET_SAFE_MODE))
            pretend_safe(event, action, actions->arena);
        if (is_planted(world, BUG_DRAINED_AT_ONCE) && action->kind == ACTION_JOURNAL &&
            action->type == &journal_datanode_put_type)
            end_service(action, actions->arena);
        if (action->kind == ACTION_FAIL && is_planted(world, BUG_ZOMBIE_SEALS))
            let_zombie_in(world, event, action, actions->arena);
        if (action->kind != ACTION_REPLY && action->kind != ACTION_FAIL)
            continue;
        const struct process *node = map_u64_remove(planted->heartbeats, action->call);
        if (action->kind == ACTION_REPLY && node)
            alter_commands(world, node, action, actions->arena);
        else if (action->kind == ACTION_REPLY && action->call == event->call &&
                 is_request(event, METHOD_DATANODE_TRACKER_REGISTER_DATANODE))
            note_session(world, event, action->message);
    }
}

bool dfs_bugs_keeps_record(struct world *world,
                           const struct process *process,
                           const struct event *event,
                           const struct action *record)
{
    (void)process;
    if (is_planted(world, BUG_RECORD_LOST) && record->type == &journal_inode_put_type &&
        is_request(event, METHOD_NAMENODE_RENAME))
        return false;
    if (is_planted(world, BUG_IDS_REUSED) && record->type == &journal_block_ids_reserved_type)
        return ((const struct journal_block_ids_reserved *)record->message)->up_to <= 16;
    return true;
}
