/*
 * dfs_data.c - bytes on their way between clients, datanodes and disks: what the data plane's
 * threads would do (docs/protocols/data-plane.md), with a bit that flips now and then, connections
 * that break, and disks that write first and sync later.
 */
#include <string.h>

#include "dfs/datanode/core/datanode.h"
#include "lib/base/check.h"
#include "lib/base/crc32c.h"
#include "lib/base/mem.h"
#include "tests/sim/dfs.h"

enum transfer_phase {
    TRANSFER_ASKED,   /* the machine is asked whether it may begin */
    TRANSFER_WRITING, /* bytes are coming in */
    TRANSFER_SYNCING,
    TRANSFER_ENDED /* the machine has been told */
};

struct sending {
    struct process *sender;
    uint64_t sender_life;
    struct dfs_block_info block;
    uint8_t bytes[DFS_BLOCK_BYTES];
    enum dfs_durability durability;
    size_t remaining;
    uint64_t synced[DFS_NODES_MAX];
    size_t synced_count;
    dfs_sent_function *done;
    uint64_t tag;
};

struct transfer {
    uint64_t number;
    struct process *datanode;
    struct sending *sending;
    enum transfer_phase phase;
    uint32_t volume;
};

struct reading {
    uint64_t number;
    uint64_t node_id;
    uint64_t block_id;
    dfs_read_function *done;
    uint64_t tag;
    enum status status;
    uint8_t bytes[DFS_BLOCK_BYTES];
    uint64_t length;
};

static int64_t disk_delay(struct world *world, const struct process *datanode)
{
    int64_t slow_ms = dfs_disk(datanode)->slow_ms;
    int64_t delay_ms = 1 + (int64_t)rng_below(&world->rng, 5);
    return slow_ms == 0 ? delay_ms : delay_ms + (int64_t)rng_below(&world->rng, (uint64_t)slow_ms);
}

/* --- sending
 * ------------------------------------------------------------------------------------------ */
static void sending_ends(struct world *world, struct process *sender, uint64_t tag)
{
    struct sending *sending = map_u64_remove(world->dfs->reads, tag);
    if (!sending)
        return;
    sending->done(world, sender, sending->tag, sending->synced, sending->synced_count);
    mem_free(sending);
}

static void part_ends(struct world *world, struct sending *sending, uint64_t node_id)
{
    if (node_id != 0)
        sending->synced[sending->synced_count++] = node_id;
    if (--sending->remaining > 0)
        return;
    if (!sending->sender->is_up || sending->sender->life != sending->sender_life) {
        mem_free(sending);
        return;
    }
    uint64_t number = ++world->dfs->next_read;
    (void)map_u64_put(world->dfs->reads, number, sending); /* the number is new */
    world_wake(world, sending->sender, 1, sending_ends, number);
}

static void transfer_end(struct world *world, struct transfer *transfer, bool is_confirmed)
{
    struct sending *sending = transfer->sending;
    uint64_t node_id = dfs_node_id(transfer->datanode);
    (void)map_u64_remove(dfs_disk(transfer->datanode)->transfers, transfer->number);
    mem_free(transfer);
    part_ends(world, sending, is_confirmed ? node_id : 0);
}

void dfs_transfers_end(struct world *world, struct process *datanode)
{
    size_t cursor = 0;
    void *value;
    while (map_u64_next(dfs_disk(datanode)->transfers, &cursor, NULL, &value))
        transfer_end(world, value, false);
}

static void tell_received(struct world *world,
                          struct process *datanode,
                          struct transfer *transfer,
                          enum status status,
                          bool is_volume_failed)
{
    struct datanode_received received = {.transfer = transfer->number,
                                         .block_id = transfer->sending->block.block_id,
                                         .status = status,
                                         .is_volume_failed = is_volume_failed};
    transfer->phase = TRANSFER_ENDED;
    world_step(world, datanode,
               (struct event){
                   .kind = EVENT_LOCAL, .effect = DATANODE_LOCAL_RECEIVE_DONE, .data = &received});
}

static void on_synced(struct world *world, struct process *datanode, uint64_t number)
{
    struct disk *disk = dfs_disk(datanode);
    struct transfer *transfer = map_u64_get(disk->transfers, number);
    if (!transfer || transfer->phase != TRANSFER_SYNCING)
        return;
    uint64_t block_id = transfer->sending->block.block_id;
    struct disk_block *block = disk_find_on(disk, transfer->volume, block_id);
    bool fails = disk->fails_next_sync || disk->is_failed[transfer->volume];
    if (disk->fails_next_sync) {
        disk->fails_next_sync = false;
        world->dfs->counters.syncs_failed++;
        world_trace(world, "a sync fails on dn%u", disk->node);
        if (world->bug == (enum world_bug)BUG_SYNC_RETRIED) {
            /* The page is clean after the failed sync: the next one says OK and writes nothing. */
            tell_received(world, datanode, transfer, OK, false);
            return;
        }
    }
    if (fails) {
        disk->is_failed[transfer->volume] = true;
        disk_drop(disk, transfer->volume, block_id);
        tell_received(world, datanode, transfer, ERR_IO, true);
        return;
    }
    if (block)
        block->is_synced = true;
    tell_received(world, datanode, transfer, block ? OK : ERR_IO, false);
}

/* The writer was told long ago: its file wanted no more, or a bug is planted. */
static void on_synced_late(struct world *world, struct process *datanode, uint64_t block_id)
{
    (void)world;
    struct disk_block *block = disk_find(dfs_disk(datanode), block_id);
    if (block) {
        block->is_synced = true;
        block->is_cached = false;
    }
}

/* In memory is enough; the system writes it back when it likes. */
static void keep_in_memory(struct world *world,
                           struct process *datanode,
                           struct transfer *transfer,
                           struct disk_block *block)
{
    int64_t delay_ms = 500 + (int64_t)rng_below(&world->rng, 3000);
    block->is_cached = true;
    if (world->bug != (enum world_bug)BUG_NEVER_WRITTEN_BACK)
        world_wake(world, datanode, delay_ms, on_synced_late, block->info.block_id);
    tell_received(world, datanode, transfer, OK, false);
}

static void on_written(struct world *world, struct process *datanode, uint64_t number)
{
    struct disk *disk = dfs_disk(datanode);
    struct transfer *transfer = map_u64_get(disk->transfers, number);
    if (!transfer || transfer->phase != TRANSFER_WRITING)
        return;
    struct sending *sending = transfer->sending;
    bool is_broken = rng_chance(&world->rng, world->faults.loss_ppm) ||
                     !world_is_reachable(world, sending->sender->host, datanode);
    struct disk_block *block = MEM_NEW(struct disk_block);
    block->info = sending->block;
    block->volume = transfer->volume;
    memcpy(block->bytes, sending->bytes, sizeof block->bytes);
    if (rng_chance(&world->rng, world->dfs->plan.flip_ppm))
        block->bytes[rng_below(&world->rng, block->info.length)] ^=
            (uint8_t)(1U << rng_below(&world->rng, 8));
    if (is_broken || !disk_block_is_good(block)) {
        enum status status = is_broken ? ERR_UNAVAILABLE : ERR_CORRUPT;
        mem_free(block);
        tell_received(world, datanode, transfer, status, false);
        return;
    }
    disk_put(disk, block);
    if (sending->durability == DURABILITY_REPLICATED) {
        keep_in_memory(world, datanode, transfer, block);
        return;
    }
    transfer->phase = TRANSFER_SYNCING;
    if (world->bug == (enum world_bug)BUG_ACK_BEFORE_SYNC) {
        world_wake(world, datanode, 500 + disk_delay(world, datanode), on_synced_late,
                   sending->block.block_id);
        tell_received(world, datanode, transfer, OK, false);
        return;
    }
    world_wake(world, datanode, disk_delay(world, datanode), on_synced, number);
}

void dfs_answer_receive(struct world *world,
                        struct process *datanode,
                        const struct datanode_answer *answer)
{
    uint64_t number = answer->transfer;
    struct transfer *transfer = map_u64_get(dfs_disk(datanode)->transfers, number);
    if (!transfer)
        return;
    if (answer->status != OK) {
        transfer_end(world, transfer, false);
    } else if (transfer->phase == TRANSFER_ASKED) {
        transfer->phase = TRANSFER_WRITING;
        transfer->volume = answer->volume;
        world_wake(world, datanode, disk_delay(world, datanode), on_written, number);
    } else {
        bool is_lost = rng_chance(&world->rng, world->faults.loss_ppm) ||
                       !world_is_reachable(world, datanode->host, transfer->sending->sender);
        transfer_end(world, transfer, !is_lost);
    }
}

static void on_arrival(struct world *world, struct process *datanode, uint64_t number)
{
    struct transfer *transfer = map_u64_get(dfs_disk(datanode)->transfers, number);
    if (!transfer || transfer->phase != TRANSFER_ASKED)
        return;
    struct datanode_receive receive = {.transfer = number, .block = transfer->sending->block};
    world_step(world, datanode,
               (struct event){
                   .kind = EVENT_LOCAL, .effect = DATANODE_LOCAL_RECEIVE_ASKED, .data = &receive});
}

static void begin_transfer(struct world *world, struct sending *sending, struct process *datanode)
{
    bool is_lost = !datanode || rng_chance(&world->rng, world->faults.loss_ppm) ||
                   !world_is_reachable(world, sending->sender->host, datanode);
    if (is_lost) {
        part_ends(world, sending, 0);
        return;
    }
    struct disk *disk = dfs_disk(datanode);
    struct transfer *transfer = MEM_NEW(struct transfer);
    transfer->number = ++disk->next_transfer;
    transfer->datanode = datanode;
    transfer->sending = sending;
    (void)map_u64_put(disk->transfers, transfer->number, transfer); /* the number is new */
    world_wake(world, datanode, world_delay(world), on_arrival, transfer->number);
}

void dfs_send(struct world *world,
              struct process *sender,
              const struct dfs_block_info *block,
              const uint8_t *bytes,
              const struct endpoint *targets,
              size_t targets_count,
              enum dfs_durability durability,
              dfs_sent_function *done,
              uint64_t tag)
{
    struct sending *sending = MEM_NEW(struct sending);
    CHECK(targets_count <= DFS_NODES_MAX);
    *sending = (struct sending){.sender = sender,
                                .sender_life = sender->life,
                                .block = *block,
                                .durability = durability,
                                .remaining = targets_count + 1,
                                .done = done,
                                .tag = tag};
    memcpy(sending->bytes, bytes, block->length);
    for (size_t i = 0; i < targets_count; i++)
        begin_transfer(world, sending, dfs_node_by_id(world, targets[i].node_id));
    part_ends(world, sending, 0); /* this call's own part */
}

/* --- reading
 * ------------------------------------------------------------------------------------------ */
static void read_ends(struct world *world, struct process *reader, uint64_t number)
{
    struct reading *reading = map_u64_remove(world->dfs->reads, number);
    if (!reading)
        return;
    reading->done(world, reader, reading->tag, reading->status,
                  reading->status == OK ? reading->bytes : NULL, reading->length);
    mem_free(reading);
}

static void see_corrupt(struct world *world,
                        struct process *datanode,
                        const struct disk_block *block)
{
    struct datanode_block seen = {
        .block = block->info, .volume = block->volume, .is_unreadable = block->is_unreadable};
    world->dfs->counters.corrupt_seen++;
    world_step(
        world, datanode,
        (struct event){.kind = EVENT_LOCAL, .effect = DATANODE_LOCAL_BLOCK_CORRUPT, .data = &seen});
}

static void serve(struct world *world, struct process *datanode, struct reading *reading)
{
    const struct disk_block *block = disk_find(dfs_disk(datanode), reading->block_id);
    enum datanode_replica_state state =
        datanode_replica_state(datanode->machine, reading->block_id);
    if (!block || block->is_quarantined || (state != REPLICA_SEALED && state != REPLICA_COPYING)) {
        reading->status = ERR_NOT_FOUND;
        return;
    }
    bool verifies = world->bug != (enum world_bug)BUG_SERVES_UNVERIFIED;
    if (block->is_unreadable || (verifies && !disk_block_is_good(block))) {
        reading->status = ERR_CORRUPT;
        see_corrupt(world, datanode, block);
        return;
    }
    reading->status = OK;
    reading->length = block->info.length;
    memcpy(reading->bytes, block->bytes, sizeof reading->bytes);
}

void dfs_read(struct world *world,
              struct process *reader,
              uint64_t node_id,
              uint64_t block_id,
              dfs_read_function *done,
              uint64_t tag)
{
    struct process *datanode = dfs_node_by_id(world, node_id);
    struct reading *reading = MEM_NEW(struct reading);
    *reading = (struct reading){.number = ++world->dfs->next_read,
                                .node_id = node_id,
                                .block_id = block_id,
                                .done = done,
                                .tag = tag,
                                .status = ERR_UNAVAILABLE};
    (void)map_u64_put(world->dfs->reads, reading->number, reading); /* the number is new */
    int64_t delay_ms = 2 * world_delay(world);
    bool is_lost = !datanode || rng_chance(&world->rng, world->faults.loss_ppm) ||
                   datanode->paused_until_ms > world->now_ms ||
                   !world_is_reachable(world, reader->host, datanode) ||
                   !world_is_reachable(world, datanode->host, reader);
    if (is_lost)
        delay_ms += 500;
    else
        serve(world, datanode, reading);
    world_wake(world, reader, delay_ms, read_ends, reading->number);
}

/* --- merging
 * ------------------------------------------------------------------------------------------ */
struct merging {
    uint64_t tag;
    const struct dfs_datanode_command *command; /* on the datanode's disk arena */
};

static void merged(struct world *world,
                   struct process *datanode,
                   uint64_t tag,
                   const uint64_t *node_ids,
                   size_t count)
{
    (void)node_ids;
    struct datanode_copied data = {.synced_count = (uint32_t)count};
    world_effect_done(world, datanode, 1, tag, DATANODE_EFFECT_MERGE_BLOCKS,
                      count > 0 ? OK : ERR_UNAVAILABLE, &data, sizeof data);
}

/* The bytes of one source, from the datanode that is named for it. */
static enum status read_source(struct world *world,
                               struct process *datanode,
                               const struct dfs_datanode_command *command,
                               size_t index,
                               uint8_t *bytes,
                               uint64_t *length)
{
    const struct dfs_block_info *wanted = &command->sources[index];
    struct process *holder = dfs_node_by_id(world, command->source_nodes[index].node_id);
    if (!holder || !world_is_reachable(world, datanode->host, holder) ||
        holder->paused_until_ms > world->now_ms)
        return ERR_UNAVAILABLE;
    const struct disk_block *block = disk_find(dfs_disk(holder), wanted->block_id);
    if (!block || block->is_quarantined)
        return ERR_NOT_FOUND;
    if (!disk_block_is_good(block)) {
        see_corrupt(world, holder, block);
        return ERR_CORRUPT;
    }
    if (block->info.length != wanted->length || *length + wanted->length > DFS_BLOCK_BYTES)
        return ERR_INVALID;
    memcpy(bytes + *length, block->bytes, block->info.length);
    *length += block->info.length;
    return OK;
}

static void merge_now(struct world *world, struct process *datanode, uint64_t number)
{
    struct merging *merging = map_u64_remove(world->dfs->reads, number);
    const struct dfs_datanode_command *command = merging->command;
    uint64_t tag = merging->tag;
    uint8_t bytes[DFS_BLOCK_BYTES] = {0};
    uint64_t length = 0;
    enum status status = OK;
    struct datanode_copied bad = {0};
    mem_free(merging);
    for (size_t i = 0; i < command->sources_count && status == OK; i++) {
        status = read_source(world, datanode, command, i, bytes, &length);
        if (status != OK)
            bad = (struct datanode_copied){.bad_block_id = command->sources[i].block_id,
                                           .bad_node_id = command->source_nodes[i].node_id};
    }
    bool is_right = length == command->block.length &&
                    crc32c_update(0, bytes, (size_t)length) == command->block.crc32c;
    if (status == OK && is_right)
        dfs_send(world, datanode, &command->block, bytes, command->targets, command->targets_count,
                 DURABILITY_SYNCED, merged, tag);
    else
        world_effect_done(world, datanode, 1, tag, DATANODE_EFFECT_MERGE_BLOCKS,
                          status == OK ? ERR_CORRUPT : status, &bad, sizeof bad);
}

void dfs_merge(struct world *world,
               struct process *datanode,
               uint64_t tag,
               const struct dfs_datanode_command *command)
{
    const struct slice daemons = slice_from_string("millrace");
    dfs_token_check(world, command->token, command->block.block_id, BLOCK_COPY, daemons);
    CHECK(command->source_tokens_count == command->sources_count);
    for (size_t i = 0; i < command->sources_count; i++)
        dfs_token_check(world, command->source_tokens[i], command->sources[i].block_id, BLOCK_COPY,
                        daemons);
    struct merging *merging = MEM_NEW(struct merging);
    merging->tag = tag;
    merging->command = message_copy(&dfs_datanode_command_type, command, datanode->disk);
    uint64_t number = ++world->dfs->next_read;
    (void)map_u64_put(world->dfs->reads, number, merging); /* the number is new */
    world_wake(world, datanode, disk_delay(world, datanode), merge_now, number);
}
