/*
 * dfs_faults.c - what the seed lets go wrong: which kinds of fault at all (swarm testing), how
 * often, and each one's details.
 */
#include <string.h>

#include "tests/sim/dfs.h"

enum {
    DESTROY_PAUSE_MS = 30000, /* from one destruction to the next, at least */
    HOUR_MS = 3600000
};

static uint32_t below(struct world *world, uint32_t bound)
{
    return (uint32_t)rng_below(&world->rng, bound);
}

/* Half of all kinds of fault are left out of a seed: what is rare alone is not masked by others. */
static uint32_t weight(struct world *world)
{
    return rng_chance(&world->rng, 450000) ? 0 : 1 + below(world, 3);
}

/* Two of three seeds do without a feature. */
static uint32_t feature(struct world *world)
{
    return rng_chance(&world->rng, 650000) ? 0 : 1 + below(world, 3);
}

/* What came later is drawn last, and not at all for a plain seed: that stays what it was. */
static void draw_features(struct world *world)
{
    struct dfs_plan *plan = &world->dfs->plan;
    plan->identity_weight = feature(world);
    plan->rack_weight = feature(world);
    plan->safe_weight = feature(world);
    plan->has_trash = feature(world) > 0;
    plan->has_rack_table = feature(world) > 0;
    plan->retires = feature(world) > 0;
    plan->replicated_ppm = feature(world) * 150000;
    plan->rotten_ppm = feature(world) * 150000;
}

void dfs_plan_draw(struct world *world)
{
    struct dfs_plan *plan = &world->dfs->plan;
    bool is_plain = world->seed >= DFS_PLAIN_SEEDS;
    if (is_plain)
        world->rng = rng_seed(world->seed - DFS_PLAIN_SEEDS);
    plan->nodes = 5 + below(world, DFS_NODES_MAX - 4);
    plan->racks = 2 + below(world, 2);
    plan->crash_weight = weight(world);
    plan->namenode_weight = weight(world);
    plan->power_weight = weight(world);
    plan->partition_weight = weight(world);
    plan->destroy_weight = weight(world);
    plan->disk_weight = weight(world);
    plan->pause_weight = weight(world);
    plan->clock_weight = weight(world);
    plan->admin_weight = weight(world);
    plan->gap_ms = 300 + below(world, 6000);
    plan->zombie_ppm = weight(world) * 15000;
    plan->death_ppm = weight(world) * 15000;
    plan->flip_ppm = weight(world) * 5000;
    world->faults = (struct world_faults){
        .loss_ppm = weight(world) * below(world, 15000),
        .duplicate_ppm = weight(world) * below(world, 15000),
        .slow_ppm = weight(world) * below(world, 25000),
        .slow_ms = 1 + (int64_t)below(world, 4000),
        .crash_step_ppm = weight(world) * below(world, 1500),
    };
    if (!is_plain)
        draw_features(world);
}

int64_t dfs_draw_down_ms(struct world *world)
{
    return 50 + (int64_t)below(world, rng_chance(&world->rng, 500000) ? 500 : 20000);
}

/* --- crashes
 * ------------------------------------------------------------------------------------------ */
static void back(struct world *world, struct process *process)
{
    if (!process->is_up && process->restart)
        process->restart(world, process);
}

static void comes_back(struct world *world, struct process *admin, uint64_t number)
{
    (void)admin;
    back(world, number < DFS_NODES_MAX ? world->dfs->datanodes[number] : world->dfs->namenode);
}

void dfs_crash(struct world *world, struct process *process, int64_t down_ms)
{
    uint64_t number = process == world->dfs->namenode ? DFS_NODES_MAX : dfs_disk(process)->node;
    world_process_crash(world, process);
    world_wake(world, world->dfs->admin, down_ms, comes_back, number);
}

static struct process *any_node(struct world *world)
{
    return world->dfs->datanodes[below(world, world->dfs->plan.nodes)];
}

static void fault_crash(struct world *world)
{
    dfs_crash(world, any_node(world), dfs_draw_down_ms(world));
}

static void fault_namenode(struct world *world)
{
    if (rng_chance(&world->rng, 300000))
        dfs_checkpoint(world);
    else
        dfs_crash(world, world->dfs->namenode, dfs_draw_down_ms(world) / 2);
}

/* The lights go out: everybody is gone at once, with all that was not synced. */
static void fault_power(struct world *world)
{
    world->dfs->counters.power_losses++;
    world->dfs->is_power_loss = true;
    for (uint32_t i = 0; i < world->dfs->plan.nodes; i++)
        dfs_crash(world, world->dfs->datanodes[i], 50 + (int64_t)below(world, 4000));
    dfs_crash(world, world->dfs->namenode, 50 + (int64_t)below(world, 4000));
    world->dfs->is_power_loss = false;
}

/* --- network
 * ------------------------------------------------------------------------------------------ */
static void heals(struct world *world, struct process *admin, uint64_t pair)
{
    (void)admin;
    uint64_t from = pair / WORLD_HOSTS_MAX;
    uint64_t to = pair % WORLD_HOSTS_MAX;
    world->is_blocked[from][to] = false;
    if (from == to)
        world->is_cut[from] = false;
    world_trace(world, "the way from host%llu to host%llu is open", (unsigned long long)from,
                (unsigned long long)to);
}

static void block_way(struct world *world, uint32_t from, uint32_t to, int64_t for_ms)
{
    world->is_blocked[from][to] = true;
    world_wake(world, world->dfs->admin, for_ms, heals, (uint64_t)from * WORLD_HOSTS_MAX + to);
}

static void fault_partition(struct world *world)
{
    int64_t for_ms = 1 + (int64_t)below(world, 15000);
    uint32_t host = below(world, world->dfs->plan.nodes);
    uint32_t other =
        rng_chance(&world->rng, 500000) ? DFS_ADMIN_HOST : below(world, world->dfs->plan.nodes);
    world->dfs->counters.partitions++;
    world_trace(world, "host%u and host%u are parted", host, other);
    switch (below(world, 3)) {
    case 0: /* the host from everybody */
        world->is_cut[host] = true;
        world_wake(world, world->dfs->admin, for_ms, heals,
                   (uint64_t)host * WORLD_HOSTS_MAX + host);
        return;
    case 1: /* two from each other, both still reach all others */
        block_way(world, host, other, for_ms);
        block_way(world, other, host, for_ms);
        return;
    default: /* one way only */
        block_way(world, host, other, for_ms);
        return;
    }
}

static void fault_pause(struct world *world)
{
    struct process *process =
        rng_chance(&world->rng, 300000) ? world->dfs->namenode : any_node(world);
    if (!process->is_up)
        return;
    process->paused_until_ms = world->now_ms + 200 + (int64_t)below(world, 10000);
    world->dfs->counters.pauses++;
    world_trace(world, "%.*s is paused", SLICE_ARGS(process->address));
}

static void fault_clock(struct world *world)
{
    static const int64_t offsets_ms[] = {HOUR_MS, -HOUR_MS, 24 * HOUR_MS, -24 * HOUR_MS, 0};
    world->dfs->namenode->wall_offset_ms = offsets_ms[below(world, 5)];
    world->dfs->counters.clock_jumps++;
    world_trace(world, "the wall clock is off by %lld ms",
                (long long)world->dfs->namenode->wall_offset_ms);
}

/* One datanode at a time is taken out of service, for good or for a while, or put back. */
static void fault_admin(struct world *world)
{
    static const enum dfs_datanode_admin_action actions[] = {
        DATANODE_DECOMMISSION, DATANODE_MAINTENANCE, DATANODE_SERVE, DATANODE_SERVE};

    dfs_admin_serve(world, below(world, world->dfs->plan.nodes), actions[below(world, 4)]);
}

/* --- disks
 * -------------------------------------------------------------------------------------------- */
static void fault_disk(struct world *world)
{
    struct process *datanode = any_node(world);
    struct disk *disk = dfs_disk(datanode);
    switch (below(world, 3)) {
    case 0:
        disk->full_until_ms = world->now_ms + (int64_t)below(world, 10000);
        world->dfs->counters.full_disks++;
        world_trace(world, "dn%u is full", disk->node);
        return;
    case 1:
        disk->fails_next_sync = true;
        return;
    default:
        disk->slow_ms = disk->slow_ms > 0 ? 0 : 200 + (int64_t)below(world, 2000);
        world_trace(world, "dn%u is %s", disk->node, disk->slow_ms > 0 ? "slow" : "well");
        return;
    }
}

static bool has_hidden_rot(const struct world *world)
{
    for (uint32_t i = 0; i < world->dfs->plan.nodes; i++) {
        const struct disk *disk = dfs_disk(world->dfs->datanodes[i]);
        struct disk_cursor cursor = {0};
        const struct disk_block *block;
        while (!disk->is_gone && (block = disk_next(disk, &cursor)) != NULL) {
            if (block->is_synced && !block->is_quarantined && !disk_block_is_good(block))
                return true;
        }
    }
    return false;
}

/*
 * What min_replicas synced copies promise is to survive the loss of all but one of them, and then,
 * once repaired, again: so one node's disk may be struck at a time, and the next only when the
 * namenode has had the time to see it and says that all is well.
 */
bool dfs_may_destroy(struct world *world)
{
    struct dfs_sim *sim = world->dfs;
    if (dfs_identity_is_open(world))
        return false;
    if (sim->destroyed_node == DFS_NODES_MAX)
        return !has_hidden_rot(world);
    bool is_healed = world->now_ms - sim->destroyed_ms >= DESTROY_PAUSE_MS && sim->is_healthy &&
                     world->now_ms - sim->healthy_ms < 3000 && !has_hidden_rot(world);
    if (is_healed)
        sim->destroyed_node = DFS_NODES_MAX;
    return is_healed;
}

static void rot_one(struct world *world, struct process *datanode)
{
    struct disk *disk = dfs_disk(datanode);
    size_t count = disk_count(disk);
    if (count == 0)
        return;
    struct disk_cursor cursor = {0};
    struct disk_block *block = NULL;
    for (uint64_t i = rng_below(&world->rng, count) + 1; i > 0; i--)
        block = disk_next(disk, &cursor);
    if (!block || !block->is_synced || block->is_quarantined)
        return;
    uint8_t bit = (uint8_t)(1U << below(world, 8));
    if (rng_chance(&world->rng, 200000))
        block->is_unreadable = true;
    else if (rng_chance(&world->rng, 100000))
        memset(block->bytes, 0, sizeof block->bytes); /* a write that never came, or went astray */
    else
        block->bytes[rng_below(&world->rng, block->info.length)] ^= bit;
    world->dfs->counters.rots++;
    world_trace(world, "block %llu rots on dn%u", (unsigned long long)block->info.block_id,
                disk->node);
}

static void wipe(struct world *world, struct process *datanode)
{
    struct disk *disk = dfs_disk(datanode);
    world_process_crash(world, datanode);
    dfs_disk_clear(disk);
    disk->cluster_id = 0;
    world->dfs->counters.wipes++;
}

size_t dfs_count_gone(const struct world *world)
{
    size_t count = 0;
    for (uint32_t i = 0; i < world->dfs->plan.nodes; i++)
        count += dfs_disk(world->dfs->datanodes[i])->is_gone;
    return count;
}

void dfs_destroyed(struct world *world, uint32_t node)
{
    world->dfs->destroyed_node = node;
    world->dfs->destroyed_ms = world->now_ms;
}

static void fault_destroy(struct world *world)
{
    struct dfs_sim *sim = world->dfs;
    if (!dfs_may_destroy(world))
        return;
    struct process *datanode = any_node(world);
    if (dfs_disk(datanode)->is_gone)
        return;
    uint32_t node = dfs_disk(datanode)->node;
    dfs_destroyed(world, node);
    uint32_t kind = below(world, 8);
    if (kind == 0 && dfs_count_gone(world) == 0) {
        world_trace(world, "dn%u is lost for good", node);
        wipe(world, datanode);
        dfs_disk(datanode)->is_gone = true;
    } else if (kind < 4) {
        world_trace(world, "dn%u is wiped", node);
        wipe(world, datanode);
        world_wake(world, sim->admin, dfs_draw_down_ms(world), comes_back, node);
    } else {
        for (uint32_t i = 1 + below(world, 5); i > 0; i--)
            rot_one(world, datanode);
    }
}

/* --- safe mode and racks
 * -------------------------------------------------------------------------------------- */
static void fault_safe_mode(struct world *world)
{
    dfs_admin_safe_mode(world, rng_chance(&world->rng, 600000) ? SAFE_MODE_ENTER : SAFE_MODE_LEAVE);
}

/* A rack is without power for a while, or a datanode is carried to another one. */
static void fault_rack(struct world *world)
{
    struct dfs_sim *sim = world->dfs;
    uint32_t rack = below(world, sim->plan.racks);
    uint32_t node = below(world, sim->plan.nodes);
    if (sim->plan.has_rack_table && rng_chance(&world->rng, 500000)) {
        world_trace(world, "dn%u is in rack%u now", node, rack);
        sim->counters.rack_moves += sim->racks[node] != rack;
        sim->racks[node] = rack;
        sim->rack_version++;
        sim->is_refreshed = false;
        dfs_admin_refresh(world);
        return;
    }
    int64_t down_ms = 500 + (int64_t)below(world, 25000);
    world_trace(world, "rack%u is gone for %lld ms", rack, (long long)down_ms);
    sim->counters.rack_outages++;
    sim->is_power_loss = true;
    for (uint32_t i = 0; i < sim->plan.nodes; i++)
        if (sim->racks[i] == rack)
            dfs_crash(world, sim->datanodes[i], down_ms);
    sim->is_power_loss = false;
}

/* --- all of them
 * -------------------------------------------------------------------------------------- */
static void fault_one(struct world *world)
{
    const struct dfs_plan *plan = &world->dfs->plan;

    const struct {
        uint32_t weight;
        void (*strike)(struct world *world);
    } faults[] = {
        {2 * plan->crash_weight,   fault_crash       },
        {plan->namenode_weight,    fault_namenode    },
        {plan->power_weight,       fault_power       },
        {plan->partition_weight,   fault_partition   },
        {2 * plan->destroy_weight, fault_destroy     },
        {plan->disk_weight,        fault_disk        },
        {plan->pause_weight,       fault_pause       },
        {plan->clock_weight,       fault_clock       },
        {plan->admin_weight,       fault_admin       },
        {plan->identity_weight,    dfs_fault_identity},
        {plan->rack_weight,        fault_rack        },
        {plan->safe_weight,        fault_safe_mode   },
    };

    uint32_t total = 0;
    for (size_t i = 0; i < sizeof faults / sizeof faults[0]; i++)
        total += faults[i].weight;
    if (total == 0)
        return;
    uint32_t draw = below(world, total);
    size_t at = 0;
    for (; draw >= faults[at].weight; at++)
        draw -= faults[at].weight;
    faults[at].strike(world);
}

/* Restarts what a crash inside a step took down: nobody has planned its return. */
static void restart_fallen(struct world *world)
{
    if (!world->dfs->namenode->is_up && rng_chance(&world->rng, 400000))
        back(world, world->dfs->namenode);
}

void dfs_run_until(struct world *world, int64_t until_ms)
{
    while (world_advance(world, until_ms))
        continue;
}

void dfs_faults_run(struct world *world)
{
    uint64_t gap_ms = (uint64_t)world->dfs->plan.gap_ms;
    while (world->now_ms < DFS_FAULTS_MS && !world->has_failed) {
        dfs_run_until(world, world->now_ms + 1 + (int64_t)rng_below(&world->rng, gap_ms));
        if (!world->has_failed)
            fault_one(world);
        restart_fallen(world);
    }
}

void dfs_peace(struct world *world)
{
    struct dfs_sim *sim = world->dfs;
    sim->is_peace = true;
    sim->peace_ms = world->now_ms;
    sim->plan.flip_ppm = 0;
    world->faults = (struct world_faults){0};
    memset(world->is_cut, 0, sizeof world->is_cut);
    memset(world->is_blocked, 0, sizeof world->is_blocked);
    sim->namenode->paused_until_ms = 0;
    back(world, sim->namenode);
    for (uint32_t i = 0; i < sim->plan.nodes; i++) {
        struct disk *disk = dfs_disk(sim->datanodes[i]);
        disk->slow_ms = 0;
        disk->full_until_ms = 0;
        disk->fails_next_sync = false;
        sim->datanodes[i]->paused_until_ms = 0;
        for (uint32_t j = 0; j < DFS_VOLUMES; j++)
            if (disk->is_failed[j]) /* somebody has seen to the disk */
                world_process_crash(world, sim->datanodes[i]);
        back(world, sim->datanodes[i]);
    }
    dfs_identity_peace(world);
    world_trace(world, "peace");
}
