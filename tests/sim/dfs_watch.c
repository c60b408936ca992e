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
static void note_merged(void *context,
                        const struct model_block *block,
                        const uint64_t *sources,
                        size_t count)
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
    mem_free(map_u64_put(world->dfs->contents, block->id, merged));
    world->dfs->counters.merges++;
    dfs_rules_merged(world, block);
}

void dfs_watch_open(struct world *world)
{
    struct model *model = model_open();
    model->lease_ms = DFS_LEASE_MS;
    model->lease_hard_ms = DFS_LEASE_HARD_MS;
    model->access_precision_ms = DFS_ACCESS_MS;
    model->min_replicas = DFS_MIN_REPLICAS;
    model->replication = DFS_REPLICATION;
    model->trash_keep_ms = world->dfs->plan.has_trash ? DFS_TRASH_KEEP_MS : 0;
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
    dfs_rules_restarted(world);
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

/* --- what readers are told
 * -------------------------------------------------------------------------------- */
/* A block that nobody has reported since the restart is not to be called lost. */
static void check_located(struct world *world, const struct dfs_get_blocks_response *response)
{
    for (size_t i = 0; i < response->blocks_count; i++) {
        const struct dfs_located_block *block = &response->blocks[i];
        if (block->is_corrupt && !world->dfs->is_left_by_hand &&
            !map_u64_get(world->dfs->seen_blocks, block->block_id))
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
            dfs_rules_sealed(world, request);
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
    dfs_rules_before(world, event, actions);
    if (event->kind == EVENT_REQUEST) {
        bool repeated = is_repeated(world, event);
        note_reports(world, event);
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
    world->dfs->counters.trash_rolls = model->trash_rolls;
    world->dfs->counters.trash_expiries = model->trash_expiries;
    tell_problem(world);
    dfs_rules_after(world, event, actions);
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
