/*
 * dfs_scenario.c - one run: everything is started, faults come for a while, then peace, in which
 * all must become well.
 */
#include "lib/base/mem.h"
#include "tests/sim/dfs.h"

static void free_all(struct map_u64 *map)
{
    size_t cursor = 0;
    void *value;
    while (map_u64_next(map, &cursor, NULL, &value))
        mem_free(value);
    map_u64_close(map);
}

bool dfs_run(struct world *world, struct dfs_counters *ret_counters)
{
    struct dfs_sim *sim = MEM_NEW(struct dfs_sim);
    world->dfs = sim;
    sim->contents = map_u64_open();
    sim->reads = map_u64_open();
    sim->seen_blocks = map_u64_open();
    sim->destroyed_node = DFS_NODES_MAX;
    sim->power_lost = map_u64_open();
    dfs_plan_draw(world);
    dfs_journal_open(world);
    dfs_rules_open(world);
    dfs_bugs_open(world);
    dfs_watch_open(world);
    dfs_clients_start(world);
    dfs_nodes_start(world);
    dfs_faults_run(world);
    if (!world->has_failed)
        dfs_peace(world);
    if (!world->has_failed)
        dfs_verify(world);
    *ret_counters = sim->counters;
    dfs_nodes_free(world);
    dfs_identity_free(world);
    dfs_clients_free(world);
    dfs_watch_close(world);
    dfs_bugs_close(world);
    dfs_rules_close(world);
    dfs_journal_close(world);
    map_u64_close(sim->power_lost);
    map_u64_close(sim->seen_blocks);
    free_all(sim->reads);
    free_all(sim->contents);
    mem_free(sim);
    world->dfs = NULL;
    return !world->has_failed;
}
