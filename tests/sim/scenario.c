/*
 * scenario.c - one run: start, faults for a while, peace, the end.
 */
#include "tests/sim/scenario.h"

#include <stdio.h>

#include "lib/base/check.h"
#include "lib/base/mem.h"

enum {
    QUIET_STEP_MS = 1000
};

/* --- faults
 * ------------------------------------------------------------------------------------------- */
static void back(struct world *world, struct process *process)
{
    if (!process->is_up && !process->is_removed)
        process->restart(world, process);
}

/* A restart is a wake of a process that is up all the time: the writer, on behalf of the world. */
static void restarts(struct world *world, struct process *process, uint64_t tag)
{
    (void)process;
    back(world, world->processes[tag]);
}

static size_t index_of(const struct world *world, const struct process *process)
{
    for (size_t i = 0; i < world->processes_count; i++)
        if (world->processes[i] == process)
            return i;
    return 0;
}

static void fault_crash(struct world *world, struct process *process, int64_t down_ms)
{
    if (!process->is_up)
        return;
    world->scenario->crashes++;
    world_process_crash(world, process);
    world_wake(world, world->scenario->writer, down_ms, restarts, index_of(world, process));
}

static void heals(struct world *world, struct process *process, uint64_t tag)
{
    (void)process;
    world->is_cut[tag] = false;
    world_trace(world, "host%llu is back", (unsigned long long)tag);
}

static void fault_partition(struct world *world)
{
    uint32_t host = (uint32_t)rng_below(&world->rng, WORLD_HOSTS);
    world->is_cut[host] = true;
    world_trace(world, "host%u is cut off", host);
    world_wake(world, world->scenario->writer, 1 + (int64_t)rng_below(&world->rng, 15000), heals,
               host);
}

static void fault_child(struct world *world)
{
    size_t start = (size_t)rng_below(&world->rng, world->processes_count);
    for (size_t i = 0; i < world->processes_count; i++) {
        struct process *process = world->processes[(start + i) % world->processes_count];
        bool is_child = process->kind == PROCESS_APPMASTER || process->kind == PROCESS_TASK;
        if (is_child && process->is_up) {
            world_process_crash(world, process);
            return;
        }
    }
}

static size_t good_copies(const struct world *world, uint64_t block_id)
{
    size_t count = 0;
    for (size_t i = 0; i < WORLD_HOSTS; i++) {
        const struct process *datanode = world->scenario->datanodes[i];
        const struct stored_block *block = map_u64_get(datanode_disk(datanode)->blocks, block_id);
        count += block && !block->is_corrupt && !datanode->is_removed;
    }
    return count;
}

/* A bit rots; never in the last good copy, which nothing could save. */
static void fault_rot(struct world *world)
{
    struct process *datanode = world->scenario->datanodes[rng_below(&world->rng, WORLD_HOSTS)];
    struct datanode_disk *disk = datanode_disk(datanode);
    size_t count = map_u64_count(disk->blocks);
    if (count == 0 || !datanode->is_up)
        return;
    size_t pick = (size_t)rng_below(&world->rng, count);
    size_t cursor = 0;
    void *value = NULL;
    for (size_t i = 0; i <= pick; i++)
        (void)map_u64_next(disk->blocks, &cursor, NULL, &value);
    struct stored_block *block = value;
    if (!block || block->is_corrupt || good_copies(world, block->info.block_id) < 3)
        return;
    block->is_corrupt = true;
    world_trace(world, "block %llu rots on dn%u", (unsigned long long)block->info.block_id,
                datanode->number);
}

static void fault_remove(struct world *world)
{
    struct process *datanode = world->scenario->datanodes[rng_below(&world->rng, WORLD_HOSTS)];
    if (!datanode->is_up)
        return;
    world_trace(world, "dn%u is lost for good", datanode->number);
    datanode->is_removed = true;
    world_process_crash(world, datanode);
}

static void fault_one(struct world *world, bool may_rot)
{
    struct scenario *scenario = world->scenario;
    uint32_t host = (uint32_t)rng_below(&world->rng, WORLD_HOSTS);
    int64_t down_ms =
        50 + (int64_t)rng_below(&world->rng, rng_chance(&world->rng, 500000) ? 500 : 20000);
    switch (rng_below(&world->rng, 8)) {
    case 0:
        fault_crash(world, scenario->namenode, down_ms);
        return;
    case 1:
        fault_crash(world, scenario->rm, down_ms);
        return;
    case 2:
        fault_crash(world, scenario->datanodes[host], down_ms);
        return;
    case 3:
    case 4:
        fault_crash(world, scenario->nodemgrs[host], down_ms);
        return;
    case 5:
        fault_partition(world);
        return;
    case 6:
        fault_child(world);
        return;
    default:
        if (may_rot)
            fault_rot(world);
        return;
    }
}

/* Restarts what a crash inside a step took down: nobody has planned their return. */
static void restart_fallen(struct world *world)
{
    struct scenario *scenario = world->scenario;
    struct process *daemons[2 + 2 * WORLD_HOSTS] = {scenario->namenode, scenario->rm};
    for (size_t i = 0; i < WORLD_HOSTS; i++) {
        daemons[2 + i] = scenario->datanodes[i];
        daemons[2 + WORLD_HOSTS + i] = scenario->nodemgrs[i];
    }
    for (size_t i = 0; i < 2 + 2 * WORLD_HOSTS; i++)
        if (!daemons[i]->is_up && rng_chance(&world->rng, 300000))
            back(world, daemons[i]);
}

static void run_until(struct world *world, int64_t until_ms)
{
    while (world_advance(world, until_ms))
        continue;
}

static void faults_run(struct world *world)
{
    bool loses_a_disk = rng_chance(&world->rng, 200000);
    world->faults = (struct world_faults){
        .loss_ppm = (uint32_t)rng_below(&world->rng, 30000),
        .duplicate_ppm = (uint32_t)rng_below(&world->rng, 30000),
        .slow_ppm = (uint32_t)rng_below(&world->rng, 50000),
        .slow_ms = 1 + (int64_t)rng_below(&world->rng, 4000),
        .crash_step_ppm = (uint32_t)rng_below(&world->rng, 3000),
    };
    int64_t gap_ms = 500 + (int64_t)rng_below(&world->rng, 8000);
    while (world->now_ms < SCENARIO_FAULTS_MS && !world->has_failed) {
        run_until(world, world->now_ms + 1 + (int64_t)rng_below(&world->rng, (uint64_t)gap_ms));
        if (loses_a_disk && rng_chance(&world->rng, 50000)) {
            fault_remove(world);
            loses_a_disk = false;
        } else {
            fault_one(world, !loses_a_disk && !world->scenario->datanodes[0]->is_removed);
        }
        restart_fallen(world);
    }
}

static void peace_begins(struct world *world)
{
    struct scenario *scenario = world->scenario;
    world->faults = (struct world_faults){0};
    scenario->is_peace = true;
    for (size_t i = 0; i < WORLD_HOSTS; i++)
        world->is_cut[i] = false;
    back(world, scenario->namenode);
    back(world, scenario->rm);
    for (size_t i = 0; i < WORLD_HOSTS; i++) {
        back(world, scenario->datanodes[i]);
        back(world, scenario->nodemgrs[i]);
    }
    world_trace(world, "peace");
}

static void plan_jobs(struct world *world)
{
    for (uint32_t i = 0; i < SCENARIO_JOBS; i++) {
        struct job_plan *plan = &world->scenario->jobs[i];
        plan->maps = 1 + (uint32_t)rng_below(&world->rng, 6);
        plan->reduces = 1 + (uint32_t)rng_below(&world->rng, 3);
        (void)snprintf(plan->input, sizeof plan->input, "/in/job%u", i);
        (void)snprintf(plan->output, sizeof plan->output, "/out%u", i);
        (void)snprintf(plan->staging, sizeof plan->staging, "/staging/%u", i);
    }
}

bool scenario_run(struct world *world)
{
    struct scenario *scenario = MEM_NEW(struct scenario);
    world->scenario = scenario;
    plan_jobs(world);
    machines_start(world);
    clients_start(world);
    faults_run(world);
    peace_begins(world);
    int64_t limit_ms = world->now_ms + SCENARIO_LIMIT_MS;
    while (!world->has_failed && world->now_ms < limit_ms && !verify_quiet(world))
        run_until(world, world->now_ms + QUIET_STEP_MS);
    if (!world->has_failed && !verify_quiet(world))
        world_fail(world, "SIM-4 not over after %d s of peace: writer %s, jobs %s %s",
                   SCENARIO_LIMIT_MS / 1000, scenario->writer_is_done ? "done" : "not done",
                   scenario->jobs[0].is_over ? "over" : "not over",
                   scenario->jobs[1].is_over ? "over" : "not over");
    if (!world->has_failed)
        verify_end(world);
    machines_free(world);
    scenario_journals_free(world);
    actors_free(world);
    mem_free(scenario);
    world->scenario = NULL;
    return !world->has_failed;
}
