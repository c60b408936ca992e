/*
 * dfs_identity.c - datanodes that are not who they say: a folder that was copied and is started
 * beside its original, another cluster's datanode, disks that are put back from an older image.
 *
 * A copy that the namenode takes for the datanode (it had not heard of the original) costs what the
 * original got since, and so does an older image: both are rationed like other destruction.
 */
#include "lib/base/crc32c.h"
#include "lib/base/mem.h"
#include "tests/sim/dfs.h"

enum {
    COPY_NUMBER = 2 * DFS_NODES_MAX, /* among the datanodes: only for its address */
    STRANGER_NUMBER,
    STRANGER_ID = 4711,
    STRANGER_BLOCKS = 8
};

/* --- copies
 * ------------------------------------------------------------------------------------------- */
static void copy_blocks(const struct disk *from, struct disk *to)
{
    struct disk_cursor cursor = {0};
    const struct disk_block *block;
    while ((block = disk_next(from, &cursor)) != NULL) {
        if (!block->is_synced)
            continue;
        struct disk_block *copy = MEM_NEW(struct disk_block);
        *copy = *block;
        disk_put(to, copy);
    }
    to->cluster_id = from->cluster_id;
    to->incarnation = from->incarnation;
}

static void copy_folder(struct world *world, struct process *original)
{
    struct dfs_sim *sim = world->dfs;
    const struct disk *disk = dfs_disk(original);
    if (sim->copy || disk->is_gone || !dfs_may_destroy(world))
        return;
    dfs_destroyed(world, disk->node);
    sim->copy = dfs_datanode_new(world, COPY_NUMBER, DFS_SPARE_HOST, disk->node, disk->node_id);
    copy_blocks(disk, dfs_disk(sim->copy));
    sim->counters.folders_copied++;
    world_trace(world, "the folder of dn%u is copied and started on host%u", disk->node,
                sim->copy->host);
    if (sim->plan.has_rack_table) {
        sim->rack_version++;
        sim->is_refreshed = false;
        dfs_admin_refresh(world);
    }
    dfs_datanode_restart(world, sim->copy);
}

bool dfs_identity_is_open(const struct world *world)
{
    const struct process *copy = world->dfs->copy;
    return copy && copy->exit_code != DFS_EXIT_REFUSED && !dfs_disk(copy)->is_gone;
}

/* The copy came first: the original is the one that should not be there now. */
void dfs_identity_registered(struct world *world, struct slice address, uint64_t node_id)
{
    struct dfs_sim *sim = world->dfs;
    if (!sim->copy || !slice_equal(sim->copy->address, address) ||
        dfs_node_id(sim->copy) != node_id)
        return;
    uint32_t node = dfs_disk(sim->copy)->node;
    struct process *original = sim->datanodes[node];
    sim->datanodes[node] = sim->copy;
    sim->copy = original;
    sim->counters.copies_won++;
    world_trace(world, "the copy is dn%u from now on", node);
}

/* --- strangers
 * ---------------------------------------------------------------------------------------- */
/* With blocks of the same numbers as ours, and other bytes. */
static void fill_stranger(struct world *world, struct disk *disk)
{
    const struct model *model = world->dfs->model;
    size_t count = 0;
    dfs_disk_clear(disk);
    for (const struct model_node *node = model_walk(model, NULL); node && count < STRANGER_BLOCKS;
         node = model_walk(model, node)) {
        for (size_t i = 0; i < node->blocks_count && count < STRANGER_BLOCKS; i++, count++) {
            struct disk_block *block = MEM_NEW(struct disk_block);
            block->info.block_id = node->blocks[i].id;
            block->info.length = node->blocks[i].length;
            block->bytes[0] = (uint8_t)count;
            block->info.crc32c = crc32c_update(0, block->bytes, (size_t)block->info.length);
            block->is_synced = true;
            disk_put(disk, block);
        }
    }
}

static void start_stranger(struct world *world)
{
    struct dfs_sim *sim = world->dfs;
    if (!sim->model->root || (sim->stranger && sim->stranger->is_up))
        return;
    if (!sim->stranger)
        sim->stranger = dfs_datanode_new(world, STRANGER_NUMBER, DFS_SPARE_HOST + 1, DFS_NODES_MAX,
                                         STRANGER_ID);
    struct disk *disk = dfs_disk(sim->stranger);
    fill_stranger(world, disk);
    disk->cluster_id = STRANGER_ID;
    sim->counters.strangers++;
    dfs_datanode_restart(world, sim->stranger);
}

/* --- old disks
 * ---------------------------------------------------------------------------------------- */
static void put_back(struct world *world)
{
    struct dfs_sim *sim = world->dfs;
    struct process *datanode = sim->datanodes[sim->backup->node];
    struct disk *disk = dfs_disk(datanode);
    if (disk->is_gone || !dfs_may_destroy(world))
        return;
    dfs_destroyed(world, disk->node);
    world_trace(world, "dn%u gets the disks of earlier", disk->node);
    dfs_crash(world, datanode, dfs_draw_down_ms(world));
    uint64_t incarnation = disk->incarnation;
    dfs_disk_clear(disk);
    copy_blocks(sim->backup, disk);
    if (rng_chance(&world->rng, 500000))
        disk->incarnation = incarnation; /* the folder with its counter of starts was elsewhere */
    dfs_disk_free(sim->backup);
    sim->backup = NULL;
    sim->counters.old_disks++;
}

static void back_up(struct world *world, const struct process *datanode)
{
    const struct disk *disk = dfs_disk(datanode);
    if (disk->is_gone)
        return;
    struct disk *backup = MEM_NEW(struct disk);
    for (uint32_t i = 0; i < DFS_VOLUMES; i++)
        backup->blocks[i] = map_u64_open();
    backup->transfers = map_u64_open();
    backup->node = disk->node;
    copy_blocks(disk, backup);
    world->dfs->backup = backup;
}

/* --- all of them
 * -------------------------------------------------------------------------------------- */
void dfs_fault_identity(struct world *world)
{
    struct dfs_sim *sim = world->dfs;
    struct process *datanode = sim->datanodes[rng_below(&world->rng, sim->plan.nodes)];
    switch (rng_below(&world->rng, 4)) {
    case 0:
        start_stranger(world);
        return;
    case 1:
        copy_folder(world, datanode);
        return;
    default:
        if (sim->backup)
            put_back(world);
        else
            back_up(world, datanode);
        return;
    }
}

static void back(struct world *world, struct process *process)
{
    if (!process)
        return;
    process->paused_until_ms = 0;
    if (!process->is_up && process->exit_code != DFS_EXIT_REFUSED)
        dfs_datanode_restart(world, process);
}

void dfs_identity_peace(struct world *world)
{
    back(world, world->dfs->copy);
    back(world, world->dfs->stranger);
}

void dfs_identity_free(struct world *world)
{
    struct process *const processes[] = {world->dfs->copy, world->dfs->stranger};
    for (size_t i = 0; i < sizeof processes / sizeof processes[0]; i++) {
        if (!processes[i])
            continue;
        dfs_transfers_end(world, processes[i]);
        dfs_disk_free(dfs_disk(processes[i]));
    }
    dfs_disk_free(world->dfs->backup);
}
