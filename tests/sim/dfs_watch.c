/*
 * dfs_watch.c - stands beside the namenode: every durable step is held against the model, what is
 * acknowledged against what is durable and what is on the disks.
 */
#include <stdio.h>
#include <string.h>

#include "lib/base/check.h"
#include "lib/base/mem.h"
#include "lib/model/limits.h"
#include "tests/sim/dfs.h"

enum {
    COMPARE_PPM = 20000 /* of steps: the whole state is compared */
};

/* A merged block has the bytes of its sources, one after the other. */
static void note_merged(void *context, uint64_t merged_id, const uint64_t *sources, size_t count)
{
    struct world *world = context;
    struct content *merged = MEM_NEW(struct content);
    for (size_t i = 0; i < count; i++) {
        const struct content *part = map_u64_get(world->dfs->contents, sources[i]);
        CHECK(part != NULL);
        CHECK(merged->length + part->length <= DFS_BLOCK_BYTES);
        memcpy(merged->bytes + merged->length, part->bytes, part->length);
        merged->length += part->length;
    }
    mem_free(map_u64_put(world->dfs->contents, merged_id, merged));
    world->dfs->counters.merges++;
}

void dfs_watch_open(struct world *world)
{
    struct model *model = model_open();
    model->lease_ms = DFS_LEASE_MS;
    model->lease_hard_ms = DFS_LEASE_HARD_MS;
    model->access_precision_ms = DFS_ACCESS_MS;
    model->min_replicas = DFS_MIN_REPLICAS;
    model->replication = DFS_REPLICATION;
    model->replication_max = LIMIT_REPLICAS;
    model->block_size = DFS_BLOCK_BYTES;
    model->block_size_max = LIMIT_BLOCK_BYTES;
    model->on_merged = note_merged;
    model->context = world;
    world->dfs->model = model;
}

void dfs_watch_close(struct world *world)
{
    model_close(world->dfs->model);
}

static void tell_problem(struct world *world)
{
    if (world->dfs->model->problem[0] != '\0')
        world_fail(world, "I2 %s", world->dfs->model->problem);
}

void dfs_watch_restarted(struct world *world)
{
    model_restarted(world->dfs->model, world->now_ms);
}

void dfs_watch_compare(struct world *world)
{
    struct process *process = world->dfs->namenode;
    struct actions records;
    actions_open(&records);
    process->door->snapshot(process->machine, &records);
    model_compare(world->dfs->model, &records);
    actions_close(&records);
    tell_problem(world);
}

/* --- the disks at the moment of acknowledgement
 * ------------------------------------------------------- */
/* I2: at least min_replicas of the nodes named have the block, except for what was destroyed. */
static void check_sealed(struct world *world, const struct dfs_seal_block_request *request)
{
    size_t durable = 0;
    size_t excused = 0;
    for (size_t i = 0; i < request->node_ids_count; i++) {
        const struct process *datanode = dfs_node_by_id(world, request->node_ids[i]);
        const struct disk *disk = dfs_disk(datanode);
        bool is_there = false;
        for (uint32_t j = 0; j < DFS_VOLUMES; j++) { /* what a disk had before it failed stays */
            const struct disk_block *block = map_u64_get(disk->blocks[j], request->block_id);
            is_there =
                is_there || (block && block->is_synced && block->info.crc32c == request->crc32c &&
                             disk_block_is_good(block));
        }
        durable += is_there;
        excused += !is_there && (disk->is_gone || world->dfs->destroyed_node == datanode->number);
    }
    world->dfs->counters.blocks_sealed++;
    if (durable + excused < DFS_MIN_REPLICAS)
        world_fail(world, "I2 block %llu is acknowledged with %zu synced replicas",
                   (unsigned long long)request->block_id, durable);
}

/* A block that nobody has reported since the restart is not to be called lost. */
static void check_located(struct world *world, const struct dfs_get_blocks_response *response)
{
    for (size_t i = 0; i < response->blocks_count; i++) {
        const struct dfs_located_block *block = &response->blocks[i];
        if (block->is_corrupt && !map_u64_get(world->dfs->seen_blocks, block->block_id))
            world_fail(world, "safe mode ended before block %llu was found",
                       (unsigned long long)block->block_id);
    }
}

static void note_seen(struct world *world, const struct dfs_block_info *blocks, size_t count)
{
    for (size_t i = 0; i < count; i++)
        (void)map_u64_put(world->dfs->seen_blocks, blocks[i].block_id, world->dfs);
}

static void note_reports(struct world *world, const struct event *event)
{
    if (event->method == METHOD_DATANODE_TRACKER_BLOCK_REPORT) {
        const struct dfs_block_report_request *report = event->message;
        note_seen(world, report->blocks, report->blocks_count);
    } else if (event->method == METHOD_DATANODE_TRACKER_BLOCK_CHANGES) {
        const struct dfs_block_changes_request *changes = event->message;
        note_seen(world, changes->received, changes->received_count);
    }
}

/* I5: what a datanode says in an earlier session than its last one is refused. */
static void check_session(struct world *world,
                          const struct event *event,
                          const struct actions *actions)
{
    const struct dfs_register_datanode_request *registration = event->message;
    const struct dfs_block_report_request *message = event->message; /* all begin with these */
    bool is_registration = event->method == METHOD_DATANODE_TRACKER_REGISTER_DATANODE;
    bool has_session = event->method == METHOD_DATANODE_TRACKER_BLOCK_REPORT ||
                       event->method == METHOD_DATANODE_TRACKER_BLOCK_CHANGES ||
                       event->method == METHOD_DATANODE_TRACKER_DATANODE_HEARTBEAT;
    if (!is_registration && !has_session)
        return;
    uint64_t node_id = is_registration ? registration->node.node_id : message->node_id;
    uint64_t *session = &world->dfs->sessions[dfs_node_by_id(world, node_id)->number];
    bool is_stale = has_session && message->session != *session;
    for (size_t i = 0; i < actions->count; i++) {
        const struct action *action = &actions->items[i];
        if (action->call != event->call ||
            (action->kind != ACTION_REPLY && action->kind != ACTION_FAIL))
            continue;
        const struct dfs_register_datanode_response *response = action->message;
        if (is_registration && action->kind == ACTION_REPLY)
            *session = response->session;
        world->dfs->counters.stale_sessions += is_stale && action->kind == ACTION_FAIL;
        is_stale = is_stale && action->kind == ACTION_REPLY;
    }
    if (is_stale)
        world_fail(world, "I5 node %llu is believed what it said in an earlier session",
                   (unsigned long long)node_id);
}

/* --- counting
 * ----------------------------------------------------------------------------------------- */
static void count_success(struct world *world, enum method method)
{
    struct dfs_counters *counters = &world->dfs->counters;
    counters->renames += method == METHOD_NAMENODE_RENAME;
    counters->deletes += method == METHOD_NAMENODE_DELETE;
    counters->files_completed += method == METHOD_NAMENODE_COMPLETE;
    counters->appends += method == METHOD_NAMENODE_APPEND;
    counters->concats += method == METHOD_NAMENODE_CONCAT;
    counters->files_abandoned += method == METHOD_NAMENODE_ABANDON;
}

static void count_failure(struct world *world, enum status status)
{
    world->dfs->counters.denials += status == ERR_DENIED;
    world->dfs->counters.quota_refusals += status == ERR_QUOTA;
    world->dfs->counters.safe_mode_refusals += status == ERR_SAFE_MODE;
}

static void look_at_answer(struct world *world,
                           const struct event *event,
                           const struct action *answer,
                           bool is_repeated)
{
    if (answer->kind == ACTION_FAIL) {
        count_failure(world, answer->status);
        return;
    }
    count_success(world, event->method);
    world->dfs->counters.answered_again += is_repeated;
    if (event->method == METHOD_NAMENODE_SEAL_BLOCK) {
        const struct dfs_seal_block_request *request = event->message;
        note_seen(world, &(struct dfs_block_info){.block_id = request->block_id}, 1);
        if (!is_repeated)
            check_sealed(world, request);
    } else if (event->method == METHOD_NAMENODE_GET_BLOCKS) {
        check_located(world, answer->message);
    } else if (event->method == METHOD_NAMENODE_COMPLETE && !is_repeated) {
        const struct dfs_complete_request *request = event->message;
        const struct dfs_complete_response *response = answer->message;
        dfs_clients_check(world, request->client_id, request->file_id, response->status.file_id);
    }
}

static bool is_repeated(const struct world *world, const struct event *event)
{
    const struct model *model = world->dfs->model;
    if (!model_knows(event->method))
        return false;
    if (event->method == METHOD_NAMENODE_SEAL_BLOCK) {
        const struct dfs_seal_block_request *request = event->message;
        const struct model_handed *handed = map_u64_get(model->handed, request->block_id);
        return handed && handed->is_sealed;
    }
    const uint64_t *ids = event->message;
    return model_remembers(event->method) && model_result(model, ids[0], ids[1]) != NULL;
}

/* The balancer tells of its moves in the trace only: a copy of a block that has enough. */
static void count_moves(struct world *world,
                        const struct event *event,
                        const struct actions *actions)
{
    if (event->method != METHOD_NAMENODE_SET_BALANCER)
        return;
    for (size_t i = 0; i < actions->count; i++) {
        const struct dfs_set_balancer_response *response = actions->items[i].message;
        if (actions->items[i].kind == ACTION_REPLY && actions->items[i].call == event->call &&
            response->moved_blocks > world->dfs->moved_blocks) {
            world->dfs->counters.moves += response->moved_blocks - world->dfs->moved_blocks;
            world->dfs->moved_blocks = response->moved_blocks;
        }
    }
}

/* --- a step
 * ------------------------------------------------------------------------------------------- */
void dfs_watch_namenode(struct world *world,
                        struct process *process,
                        const struct event *event,
                        const struct actions *actions,
                        bool is_durable)
{
    struct model *model = world->dfs->model;
    if (!is_durable)
        return; /* nobody will ever know of it */
    model->now_ms = event->now_ms;
    model->wall_ms = event->wall_ms;
    if (event->kind == EVENT_REQUEST) {
        bool repeated = is_repeated(world, event);
        note_reports(world, event);
        check_session(world, event, actions);
        count_moves(world, event, actions);
        model_step(model, event, actions);
        for (size_t i = 0; i < actions->count; i++) {
            const struct action *action = &actions->items[i];
            bool is_answer = action->kind == ACTION_REPLY || action->kind == ACTION_FAIL;
            if (is_answer && action->call == event->call && model_knows(event->method))
                look_at_answer(world, event, action, repeated);
        }
    }
    world->dfs->counters.leases_ended += model_own_steps(model, actions);
    world->dfs->counters.takeovers = model->takeovers;
    tell_problem(world);
    if (model->root && process->is_up && rng_chance(&world->rng, COMPARE_PPM))
        dfs_watch_compare(world);
}

void dfs_watch_acknowledged(struct world *world,
                            uint64_t client_id,
                            uint64_t request_id,
                            enum method method)
{
    if (!model_result(world->dfs->model, client_id, request_id))
        world_fail(world, "I2 client %llu was told that request %llu (%s) is done: it is not",
                   (unsigned long long)client_id, (unsigned long long)request_id,
                   method_info(method)->name);
}
