/*
 * dfs_nodes.c - the namenode's and the datanodes' machines, their disks, and what their shells
 * would do.
 */
#include <stdio.h>
#include <string.h>

#include "dfs/namenode/core/namenode.h"
#include "lib/base/check.h"
#include "lib/base/crc32c.h"
#include "lib/base/mem.h"
#include "tests/sim/dfs.h"

enum {
    FIRST_NODE_ID = 100,
    REPORT_PART = 3,
    VOLUME_BYTES = 3000 /* so few that the balancer has something to do */
};

static struct world *stepping_world; /* one world steps at a time */

/* --- the doors
 * ---------------------------------------------------------------------------------------- */
static void namenode_door_step(void *machine, const struct event *event, struct actions *actions)
{
    struct event seen = *event;
    struct event before;
    if (dfs_bugs_event_before(stepping_world, event, &before, actions->arena))
        namenode_step(machine, &before, actions);
    dfs_bugs_event(stepping_world, &seen, actions->arena);
    namenode_step(machine, &seen, actions);
    dfs_bugs_actions(stepping_world, event, actions);
}

static int64_t namenode_door_deadline(const void *machine)
{
    int64_t deadline_ms = namenode_deadline_ms(machine);
    return deadline_ms == INT64_MAX ? deadline_ms : deadline_ms - dfs_bugs_shift_ms(stepping_world);
}

static void namenode_door_check(const void *machine)
{
    namenode_check(machine);
}

static void namenode_door_snapshot(const void *machine, struct actions *actions)
{
    namenode_snapshot(machine, actions);
}

static void namenode_door_close(void *machine)
{
    namenode_close(machine);
}

static const struct door namenode_door = {namenode_door_step, namenode_door_deadline,
                                          namenode_door_check, namenode_door_snapshot,
                                          namenode_door_close};

static void datanode_door_step(void *machine, const struct event *event, struct actions *actions)
{
    datanode_step(machine, event, actions);
}

static int64_t datanode_door_deadline(const void *machine)
{
    return datanode_deadline_ms(machine);
}

static void datanode_door_check(const void *machine)
{
    datanode_check(machine);
}

static void datanode_door_close(void *machine)
{
    datanode_close(machine);
}

static const struct door datanode_door = {datanode_door_step, datanode_door_deadline,
                                          datanode_door_check, NULL, datanode_door_close};

/* --- the namenode
 * ------------------------------------------------------------------------------------- */
static void namenode_settings_of_sim(const struct world *world, struct namenode_settings *settings)
{
    namenode_settings_default(settings);
    settings->block_size_min = 1;
    settings->block_size = DFS_BLOCK_BYTES;
    settings->ids_reserved = 8;
    settings->release_max = 2;
    settings->replication = DFS_REPLICATION;
    settings->min_replicas = DFS_MIN_REPLICAS;
    settings->lease_ms = DFS_LEASE_MS;
    settings->lease_hard_ms = DFS_LEASE_HARD_MS;
    settings->access_time_precision_ms = DFS_ACCESS_MS;
    settings->heartbeat_interval_ms = 1000;
    settings->stale_ms = 3000;
    settings->lost_ms = 6000;
    settings->rereplicate_ms = 12000;
    settings->report_wait_ms = 4000;
    settings->report_interval_ms = 30000;
    settings->repair_start_ms = 3000;
    settings->repair_retry_ms = 2000;
    settings->copy_timeout_ms = 8000;
    settings->pipeline_wait_ms = 3000;
    settings->compact_runs = 3;
    settings->balance_threshold_ppm = 20000;
    settings->unknown_grace_ms = 15000;
    settings->delete_retry_ms = 5000;
    if (world->dfs->plan.has_trash) {
        settings->trash_keep_ms = DFS_TRASH_KEEP_MS;
        settings->trash_checkpoint_ms = DFS_TRASH_ROLL_MS;
    }
    if (world->dfs->plan.has_rack_table)
        settings->rack_table = slice_from_string("racks");
    if (world->bug == (enum world_bug)BUG_SAFE_MODE_EARLY) {
        settings->safe_mode_ppm = 0;
        settings->repair_start_ms = 0;
    }
}

/* One line for each host. */
struct slice dfs_rack_table(struct world *world, bool is_first)
{
    const struct dfs_plan *plan = &world->dfs->plan;
    struct slice text = slice_from_string("# where everything is\n");
    for (uint32_t i = 0; i < plan->nodes; i++)
        text = arena_format(world->dfs->namenode->disk, "%.*shost%u /rack%u\n", SLICE_ARGS(text), i,
                            is_first ? i % plan->racks : world->dfs->racks[i]);
    if (world->dfs->copy) /* its host or, when it has won, still its host */
        text = arena_format(world->dfs->namenode->disk, "%.*shost%u /rack%u\n", SLICE_ARGS(text),
                            (unsigned)DFS_SPARE_HOST,
                            world->dfs->racks[dfs_disk(world->dfs->copy)->node]);
    return text;
}

static void namenode_perform(
    struct world *world, struct process *process, uint64_t tag, int effect, const void *data)
{
    (void)data;
    CHECK(effect == NAMENODE_EFFECT_READ_RACKS); /* there is no script */
    struct namenode_rack_text text = {
        .text = dfs_rack_table(world, world->bug == (enum world_bug)BUG_RACKS_OLD)};
    world_effect_done(world, process, world_delay(world), tag, effect, OK, &text, sizeof text);
}

void dfs_namenode_restart(struct world *world, struct process *process)
{
    struct namenode_settings settings;
    struct namenode *namenode = NULL;
    struct error error = {0};
    namenode_settings_of_sim(world, &settings);
    dfs_journal_find(world);
    CHECK(namenode_open(&settings, rng_u64(&world->rng), &namenode) == OK);
    if (world->dfs->plan.has_rack_table)
        CHECK(namenode_load_racks(namenode, dfs_rack_table(world, false), &error) == OK);
    dfs_tokens_begin(namenode);
    world_process_start(world, process, namenode);
    world->dfs->namenode_up_ms = world->now_ms;
    map_u64_clear(world->dfs->seen_blocks);
    world->dfs->moved_blocks = 0;
    world->dfs->is_left_by_hand = false;
    memset(world->dfs->sessions, 0, sizeof world->dfs->sessions);
    dfs_watch_restarted(world);
    if (rng_chance(&world->rng, 300000))
        dfs_checkpoint(world);
    world_step(world, process, (struct event){.kind = EVENT_START});
    if (process->is_up)
        dfs_watch_compare(world);
}

static void namenode_crashed(struct world *world, struct process *process)
{
    (void)process;
    world->dfs->counters.namenode_crashes++;
    world->dfs->is_healthy = false;
}

/* --- datanodes
 * ---------------------------------------------------------------------------------------- */
struct disk *dfs_disk(const struct process *datanode)
{
    return datanode->state;
}

uint64_t dfs_node_id(const struct process *datanode)
{
    return dfs_disk(datanode)->node_id;
}

struct process *dfs_node_by_id(const struct world *world, uint64_t node_id)
{
    return node_id >= FIRST_NODE_ID && node_id < FIRST_NODE_ID + world->dfs->plan.nodes
               ? world->dfs->datanodes[node_id - FIRST_NODE_ID]
               : NULL;
}

bool disk_block_is_good(const struct disk_block *block)
{
    return !block->is_unreadable && block->info.length > 0 &&
           block->info.length <= DFS_BLOCK_BYTES &&
           crc32c_update(0, block->bytes, (size_t)block->info.length) == block->info.crc32c;
}

struct disk_block *disk_find_on(const struct disk *disk, uint32_t volume, uint64_t block_id)
{
    return disk->is_failed[volume] ? NULL : map_u64_get(disk->blocks[volume], block_id);
}

struct disk_block *disk_find(const struct disk *disk, uint64_t block_id)
{
    struct disk_block *found = NULL;
    for (uint32_t i = 0; i < DFS_VOLUMES; i++) {
        struct disk_block *block = disk_find_on(disk, i, block_id);
        if (block && (!found || found->is_quarantined))
            found = block;
    }
    return found;
}

struct disk_block *disk_next(const struct disk *disk, struct disk_cursor *cursor)
{
    void *value = NULL;
    while (cursor->volume < DFS_VOLUMES &&
           !map_u64_next(disk->blocks[cursor->volume], &cursor->at, NULL, &value)) {
        cursor->volume++;
        cursor->at = 0;
    }
    return cursor->volume < DFS_VOLUMES ? value : NULL;
}

size_t disk_count(const struct disk *disk)
{
    size_t count = 0;
    for (uint32_t i = 0; i < DFS_VOLUMES; i++)
        count += map_u64_count(disk->blocks[i]);
    return count;
}

void disk_put(struct disk *disk, struct disk_block *block)
{
    mem_free(map_u64_put(disk->blocks[block->volume], block->info.block_id, block));
}

void disk_drop(struct disk *disk, uint32_t volume, uint64_t block_id)
{
    mem_free(map_u64_remove(disk->blocks[volume], block_id));
}

size_t dfs_good_replicas(const struct world *world, const struct model_block *wanted)
{
    size_t count = 0;
    for (size_t i = 0; i < world->dfs->plan.nodes; i++) {
        const struct disk *disk = dfs_disk(world->dfs->datanodes[i]);
        const struct disk_block *block = disk_find(disk, wanted->id);
        count += block && !disk->is_gone && !block->is_quarantined && block->is_synced &&
                 block->info.length == wanted->length && block->info.crc32c == wanted->crc32c &&
                 disk_block_is_good(block);
    }
    return count;
}

size_t dfs_held_replicas(const struct world *world,
                         const struct model_block *wanted,
                         const struct process *except)
{
    size_t count = 0;
    for (size_t i = 0; i < world->dfs->plan.nodes; i++) {
        const struct process *datanode = world->dfs->datanodes[i];
        const struct disk *disk = dfs_disk(datanode);
        bool is_held = false;
        for (uint32_t j = 0; j < DFS_VOLUMES; j++) {
            const struct disk_block *block = map_u64_get(disk->blocks[j], wanted->id);
            is_held = is_held ||
                      (block && !block->is_quarantined && (block->is_synced || block->is_cached) &&
                       block->info.crc32c == wanted->crc32c && disk_block_is_good(block));
        }
        count += is_held && !disk->is_gone && datanode != except;
    }
    return count;
}

static struct endpoint endpoint_of(const struct world *world, const struct process *process)
{
    const struct disk *disk = dfs_disk(process);
    struct slice rack = world->dfs->plan.has_rack_table
                            ? slice_from_string("/unknown")
                            : arena_format(process->disk, "/rack%u", world->dfs->racks[disk->node]);
    return (struct endpoint){
        .node_id = dfs_node_id(process),
        .host = arena_format(process->disk, "host%u", process->host),
        .rack = rack,
        .rpc_address = process->address,
        .http_address = process->address,
    };
}

static void copied(struct world *world,
                   struct process *datanode,
                   uint64_t tag,
                   const uint64_t *node_ids,
                   size_t count)
{
    (void)node_ids;
    struct datanode_copied data = {.synced_count = (uint32_t)count};
    world->dfs->counters.copies += count;
    world_effect_done(world, datanode, 1, tag, DATANODE_EFFECT_COPY_BLOCK,
                      count > 0 ? OK : ERR_UNAVAILABLE, &data, sizeof data);
}

/* What reading a replica that is not good comes to. */
static enum status why_bad(const struct disk_block *block)
{
    if (!block)
        return ERR_NOT_FOUND;
    return block->is_unreadable ? ERR_IO : ERR_CORRUPT;
}

static void copy_block(struct world *world,
                       struct process *process,
                       uint64_t tag,
                       const struct datanode_copy *copy)
{
    const struct disk_block *block =
        disk_find_on(dfs_disk(process), copy->volume, copy->block.block_id);
    bool verifies = world->bug != (enum world_bug)BUG_SERVES_UNVERIFIED;
    if (!block || block->is_quarantined || block->is_unreadable ||
        (verifies && !disk_block_is_good(block))) {
        world->dfs->counters.corrupt_seen += block != NULL;
        world_effect_done(world, process, 1, tag, DATANODE_EFFECT_COPY_BLOCK, why_bad(block), NULL,
                          0);
        return;
    }
    dfs_token_check(world, copy->token, copy->block.block_id, BLOCK_COPY,
                    slice_from_string("millrace"));
    dfs_send(world, process, &block->info, block->bytes, copy->targets, copy->targets_count,
             DURABILITY_SYNCED, copied, tag);
}

static int64_t effect_delay(struct world *world, const struct process *process)
{
    int64_t slow_ms = dfs_disk(process)->slow_ms;
    return 1 + (int64_t)rng_below(&world->rng, 5) +
           (slow_ms > 0 ? (int64_t)rng_below(&world->rng, (uint64_t)slow_ms) : 0);
}

static void measure_space(
    struct world *world, struct process *process, uint64_t tag, int effect, uint32_t volume)
{
    const struct disk *disk = dfs_disk(process);
    struct datanode_space space = {.volume_bytes = VOLUME_BYTES};
    uint64_t used = 0;
    size_t cursor = 0;
    void *value;
    while (map_u64_next(disk->blocks[volume], &cursor, NULL, &value))
        used += ((const struct disk_block *)value)->info.length;
    if (disk->full_until_ms <= world->now_ms && used < VOLUME_BYTES)
        space.free_bytes = VOLUME_BYTES - used;
    world_effect_done(world, process, 1, tag, effect, OK, &space, sizeof space);
}

static void datanode_perform(
    struct world *world, struct process *process, uint64_t tag, int effect, const void *data)
{
    struct disk *disk = dfs_disk(process);
    const struct datanode_block *named = data;
    const struct datanode_volume *volume = data;
    struct disk_block *block = NULL;
    bool is_bad = false;
    switch ((enum datanode_effect)effect) {
    case DATANODE_EFFECT_ANSWER_RECEIVE:
        dfs_answer_receive(world, process, data);
        return;
    case DATANODE_EFFECT_COPY_BLOCK:
        copy_block(world, process, tag, data);
        return;
    case DATANODE_EFFECT_MERGE_BLOCKS:
        dfs_merge(world, process, tag, ((const struct datanode_merge *)data)->command);
        return;
    case DATANODE_EFFECT_DELETE_BLOCK:
        if (!disk->is_failed[named->volume])
            disk_drop(disk, named->volume, named->block.block_id);
        world_effect_done(world, process, effect_delay(world, process), tag, effect, OK, NULL, 0);
        return;
    case DATANODE_EFFECT_QUARANTINE_BLOCK:
        block = disk_find_on(disk, named->volume, named->block.block_id);
        if (block)
            block->is_quarantined = true;
        world_effect_done(world, process, effect_delay(world, process), tag, effect, OK, NULL, 0);
        return;
    case DATANODE_EFFECT_SCRUB_BLOCK:
        block = disk_find_on(disk, named->volume, named->block.block_id);
        is_bad = !block || block->is_quarantined || !disk_block_is_good(block);
        world->dfs->counters.corrupt_seen += is_bad;
        world_effect_done(world, process, effect_delay(world, process), tag, effect,
                          is_bad ? why_bad(block) : OK, NULL, 0);
        return;
    case DATANODE_EFFECT_SAVE_POSITION: {
        const struct datanode_position *position = data;
        bool is_saved = !disk->is_failed[position->volume];
        if (is_saved)
            disk->positions[position->volume] = position->block_id;
        world_effect_done(world, process, effect_delay(world, process), tag, effect,
                          is_saved ? OK : ERR_IO, NULL, 0);
        return;
    }
    case DATANODE_EFFECT_SAVE_IDENTITY:
        disk->cluster_id = ((const struct datanode_identity *)data)->cluster_id;
        world_effect_done(world, process, 1, tag, effect, OK, NULL, 0);
        return;
    case DATANODE_EFFECT_MEASURE_SPACE:
        measure_space(world, process, tag, effect, volume->volume);
        return;
    case DATANODE_EFFECT_FIND_NAMENODE: /* the settings name it */
        world_effect_done(world, process, 1, tag, effect, ERR_UNSUPPORTED, NULL, 0);
        return;
    case DATANODE_EFFECT_RETIRE_VOLUME:
        disk->is_failed[volume->volume] = true;
        world->dfs->counters.volumes_failed++;
        return;
    case DATANODE_EFFECT_TELL_REFUSAL: /* ACTION_EXIT follows */
    case DATANODE_EFFECT_COUNT:
        return;
    }
}

/* What the scan of the disk finds; headers are checked, bytes are not. */
static void blocks_found(struct world *world, struct process *process, uint32_t volume)
{
    const struct disk *disk = dfs_disk(process);
    size_t room = map_u64_count(disk->blocks[volume]) + 1;
    struct dfs_block_info *good = mem_new(room * sizeof *good);
    struct dfs_block_info *corrupt = mem_new(room * sizeof *corrupt);
    struct datanode_found found = {.volume = volume,
                                   .blocks = good,
                                   .corrupt = corrupt,
                                   .has_position = disk->positions[volume] != 0,
                                   .position = disk->positions[volume]};
    size_t cursor = 0;
    void *value;
    while (map_u64_next(disk->blocks[volume], &cursor, NULL, &value)) {
        const struct disk_block *block = value;
        if (block->is_quarantined)
            corrupt[found.corrupt_count++] = block->info;
        else
            good[found.blocks_count++] = block->info;
    }
    world_step(
        world, process,
        (struct event){.kind = EVENT_LOCAL, .effect = DATANODE_LOCAL_BLOCKS_FOUND, .data = &found});
    mem_free(good);
    mem_free(corrupt);
}

/* What was never synced was still in incoming/, and the scan clears that away. */
static void clear_incoming(struct disk *disk)
{
    struct disk_cursor cursor = {0};
    struct disk_block *block;
    while ((block = disk_next(disk, &cursor)) != NULL)
        if (!block->is_synced)
            disk_drop(disk, block->volume, block->info.block_id);
}

/* Of replicas on two disks one is enough, a good one rather than a bad one. */
static void choose_replicas(struct disk *disk)
{
    struct disk_cursor cursor = {0};
    struct disk_block *block;
    while ((block = disk_next(disk, &cursor)) != NULL) {
        for (uint32_t i = 0; i < DFS_VOLUMES; i++) {
            const struct disk_block *other = map_u64_get(disk->blocks[i], block->info.block_id);
            bool is_worse = block->is_quarantined && other && !other->is_quarantined;
            bool is_later =
                other && i < block->volume && block->is_quarantined == other->is_quarantined;
            if (i != block->volume && (is_worse || is_later)) {
                disk_drop(disk, block->volume, block->info.block_id);
                break;
            }
        }
    }
}

void dfs_datanode_restart(struct world *world, struct process *process)
{
    struct disk *disk = dfs_disk(process);
    struct datanode_settings settings;
    struct datanode *datanode = NULL;
    if (disk->is_gone)
        return;
    process->exit_code = -1;
    clear_incoming(disk);
    choose_replicas(disk);
    disk->fails_next_sync = false;
    disk->up_since_ms = world->now_ms;
    datanode_settings_default(&settings);
    struct slice folders[DFS_VOLUMES];
    for (uint32_t i = 0; i < DFS_VOLUMES; i++) {
        disk->is_failed[i] = false;
        folders[i] = arena_format(process->disk, "disk%u", i);
    }
    settings.volumes = folders;
    settings.volumes_count = DFS_VOLUMES;
    settings.node = endpoint_of(world, process);
    settings.cluster_id = disk->cluster_id;
    settings.incarnation = ++disk->incarnation;
    settings.namenode_address = world->dfs->namenode->address;
    settings.report_part_blocks = REPORT_PART;
    settings.reserve_bytes = 1;
    settings.scrub_bytes_per_second = 400;
    settings.scrub_pause_ms = 8000;
    settings.scrub_save_ms = 2000;
    settings.call_timeout_ms = 4000;
    settings.retry_max_ms = 1000;
    settings.space_interval_ms = 2000;
    CHECK(datanode_open(&settings, rng_u64(&world->rng), &datanode) == OK);
    world_process_start(world, process, datanode);
    for (uint32_t i = 0; i < DFS_VOLUMES; i++)
        blocks_found(world, process, i);
    world_step(world, process, (struct event){.kind = EVENT_START});
}

/* What its shell had handed to the system survives the process, but not the power. */
static void lose_caches(struct world *world, struct disk *disk)
{
    bool is_power_loss = world->dfs->is_power_loss;
    struct disk_cursor cursor = {0};
    struct disk_block *block;
    while ((block = disk_next(disk, &cursor)) != NULL) {
        if (!block->is_cached || block->is_synced)
            continue;
        if (is_power_loss || rng_chance(&world->rng, 500000)) {
            (void)map_u64_put(world->dfs->power_lost, block->info.block_id, world->dfs);
            world->dfs->counters.unsynced_lost++;
        } else {
            block->is_synced = true;
        }
        block->is_cached = false;
    }
}

/* Refused for an old counter of starts: somebody starts it again, until it is not. */
static void starts_again(struct world *world, struct process *admin, uint64_t node)
{
    struct process *datanode = world->dfs->datanodes[node];
    (void)admin;
    if (!datanode->is_up)
        datanode->restart(world, datanode);
}

static void datanode_crashed(struct world *world, struct process *process)
{
    struct disk *disk = dfs_disk(process);
    world->dfs->counters.datanode_crashes++;
    dfs_transfers_end(world, process);
    lose_caches(world, disk);
    if (process->exit_code != DFS_EXIT_REFUSED)
        return;
    world->dfs->counters.refused++;
    if (disk->node < DFS_NODES_MAX && world->dfs->datanodes[disk->node] == process)
        world_wake(world, world->dfs->admin, 400, starts_again, disk->node);
}

/* --- all of them
 * -------------------------------------------------------------------------------------- */
static struct process *daemon_add(struct world *world,
                                  enum process_kind kind,
                                  uint32_t number,
                                  uint32_t host,
                                  const struct door *door)
{
    struct process *process =
        world_process_add(world, kind, number, host, slice_from_string("millrace"));
    process->door = door;
    return process;
}

struct process *dfs_datanode_new(
    struct world *world, uint32_t number, uint32_t host, uint32_t node, uint64_t node_id)
{
    struct process *datanode = daemon_add(world, PROCESS_DATANODE, number, host, &datanode_door);
    struct disk *disk = MEM_NEW(struct disk);
    disk->node = node;
    disk->node_id = node_id;
    for (uint32_t i = 0; i < DFS_VOLUMES; i++)
        disk->blocks[i] = map_u64_open();
    disk->transfers = map_u64_open();
    datanode->state = disk;
    datanode->perform_effect = datanode_perform;
    datanode->restart = dfs_datanode_restart;
    datanode->on_crash = datanode_crashed;
    return datanode;
}

void dfs_disk_clear(struct disk *disk)
{
    struct disk_cursor cursor = {0};
    struct disk_block *block;
    while ((block = disk_next(disk, &cursor)) != NULL)
        mem_free(block);
    for (uint32_t i = 0; i < DFS_VOLUMES; i++)
        map_u64_clear(disk->blocks[i]);
}

void dfs_disk_free(struct disk *disk)
{
    if (!disk)
        return;
    dfs_disk_clear(disk);
    for (uint32_t i = 0; i < DFS_VOLUMES; i++)
        map_u64_close(disk->blocks[i]);
    map_u64_close(disk->transfers);
    mem_free(disk);
}

void dfs_nodes_start(struct world *world)
{
    struct dfs_sim *sim = world->dfs;
    stepping_world = world;
    sim->namenode = daemon_add(world, PROCESS_NAMENODE, 0, DFS_ADMIN_HOST, &namenode_door);
    sim->namenode->has_journal = true;
    sim->namenode->restart = dfs_namenode_restart;
    sim->namenode->on_stepped = dfs_watch_namenode;
    sim->namenode->keeps_record = dfs_bugs_keeps_record;
    sim->namenode->on_crash = namenode_crashed;
    sim->namenode->perform_effect = namenode_perform;
    for (uint32_t i = 0; i < sim->plan.nodes; i++) {
        sim->racks[i] = i % sim->plan.racks;
        sim->datanodes[i] = dfs_datanode_new(world, i, i, i, FIRST_NODE_ID + i);
    }
    dfs_namenode_restart(world, sim->namenode);
    for (uint32_t i = 0; i < sim->plan.nodes; i++)
        dfs_datanode_restart(world, sim->datanodes[i]);
}

void dfs_nodes_free(struct world *world)
{
    struct dfs_sim *sim = world->dfs;
    for (uint32_t i = 0; i < sim->plan.nodes; i++) {
        dfs_transfers_end(world, sim->datanodes[i]);
        dfs_disk_free(dfs_disk(sim->datanodes[i]));
    }
}
