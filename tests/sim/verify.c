/*
 * verify.c - what must hold when all is over:
 *   SIM-1 what a client was promised is there, with the bytes it had, and what it deleted is not;
 *   SIM-2 every job succeeded, and its output is complete, exactly once, and what it must be;
 *   SIM-3 no container of before a resource manager's restart starts once its node has registered
 * anew; SIM-4 in peace everything comes to its end: jobs, repair, and cleaning up after both.
 */
#include <stdio.h>
#include <string.h>

#include "lib/base/check.h"
#include "lib/base/mem.h"
#include "tests/sim/scenario.h"

enum {
    ASK_MS = 5000,
    REPAIR_MS = 900000
};

/* --- asking as a client does, until the answer is there
 * ----------------------------------------------- */
struct asking {
    bool is_answered;
    enum status status;
    const void *message;
    struct arena *arena;
};

static void asker_answered(struct world *world,
                           struct process *process,
                           uint64_t tag,
                           enum method method,
                           enum status status,
                           const void *message)
{
    struct asking *asking = process->state;
    (void)world;
    (void)tag;
    asking->is_answered = true;
    asking->status = status;
    if (message)
        asking->message = message_copy(method_info(method)->response, message, asking->arena);
}

static enum status ask(struct world *world,
                       struct process *asker,
                       struct process *server,
                       enum method method,
                       const void *request,
                       const void **ret_response)
{
    struct asking *asking = asker->state;
    *ret_response = NULL;
    asking->is_answered = false;
    asking->message = NULL;
    world_call(world, asker, 0, server->address, method, request, ASK_MS);
    while (!asking->is_answered && !world->has_failed)
        if (!world_advance(world, world->now_ms + ASK_MS))
            break;
    *ret_response = asking->message;
    return asking->is_answered ? asking->status : ERR_DEADLINE;
}

/* --- files
 * -----------------------------------------------------------------------------------------------
 */
static void verify_block(struct world *world,
                         const char *path,
                         const struct dfs_located_block *block)
{
    size_t good = 0;
    for (size_t i = 0; i < block->replicas_count; i++) {
        const struct process *datanode =
            world->scenario->datanodes[block->replicas[i].node.node_id - 100];
        const struct stored_block *stored =
            map_u64_get(datanode_disk(datanode)->blocks, block->block_id);
        good += datanode->is_up && stored && !stored->is_corrupt &&
                stored->info.crc32c == block->crc32c && stored->info.length == block->length;
    }
    if (good == 0)
        world_fail(world, "SIM-1 no good replica of block %llu of %s",
                   (unsigned long long)block->block_id, path);
}

/* Checks the file's blocks; ret_crc is what known_file.crc32c is made of. */
static bool verify_file(struct world *world,
                        struct process *asker,
                        const char *path,
                        uint64_t *ret_length,
                        uint32_t *ret_crc)
{
    struct dfs_get_blocks_request request = {.path = slice_from_string(path)};
    const void *message;
    enum status status = ask(world, asker, world->scenario->namenode, METHOD_NAMENODE_GET_BLOCKS,
                             &request, &message);
    if (status != OK || !message) {
        world_fail(world, "SIM-1 %s: %s", path, status_name(status));
        return false;
    }
    const struct dfs_get_blocks_response *response = message;
    *ret_length = response->status.length;
    *ret_crc = 0;
    for (size_t i = 0; i < response->blocks_count; i++) {
        *ret_crc = scenario_mix(*ret_crc, response->blocks[i].crc32c);
        verify_block(world, path, &response->blocks[i]);
    }
    return true;
}

static void verify_known(struct world *world, struct process *asker, const struct known_file *file)
{
    uint64_t length = 0;
    uint32_t crc = 0;
    if (file->is_gone) {
        struct dfs_get_status_request request = {.path = slice_from_string(file->path)};
        const void *message;
        enum status status = ask(world, asker, world->scenario->namenode,
                                 METHOD_NAMENODE_GET_STATUS, &request, &message);
        if (file->is_certain && status != ERR_NOT_FOUND)
            world_fail(world, "SIM-1 deleted %s: %s", file->path, status_name(status));
        return;
    }
    if (file->is_known && verify_file(world, asker, file->path, &length, &crc) &&
        (length != file->length || crc != file->crc32c))
        world_fail(world, "SIM-1 %s has other bytes than were promised", file->path);
}

/* --- jobs
 * --------------------------------------------------------------------------------------------------
 */
static uint32_t expected_part(uint32_t job, uint32_t maps, uint32_t partition)
{
    uint32_t sum = 0;
    for (uint32_t i = 0; i < maps; i++)
        sum = scenario_mix(
            sum, scenario_map_crc(scenario_input_crc(job, (uint64_t)i * SCENARIO_BLOCK_BYTES),
                                  partition));
    return scenario_mix(0, sum);
}

static void verify_job(struct world *world, struct process *asker, uint32_t job)
{
    const struct job_plan *plan = &world->scenario->jobs[job];
    struct dfs_list_status_request request = {.path = slice_from_string(plan->output)};
    const void *message;
    enum status status = ask(world, asker, world->scenario->namenode, METHOD_NAMENODE_LIST_STATUS,
                             &request, &message);
    const struct dfs_list_status_response *response = message;
    if (status != OK || !response || response->entries_count != plan->reduces + 1) {
        world_fail(world, "SIM-2 output %s: %s, %zu entries instead of %u", plan->output,
                   status_name(status), response ? response->entries_count : 0, plan->reduces + 1);
        return;
    }
    for (uint32_t i = 0; i < plan->reduces && !world->has_failed; i++) {
        char path[128];
        uint64_t length = 0;
        uint32_t crc = 0;
        (void)snprintf(path, sizeof path, "%s/part-r-%05u", plan->output, i);
        if (verify_file(world, asker, path, &length, &crc) &&
            crc != expected_part(job, plan->maps, i))
            world_fail(world, "SIM-2 %s has other bytes than it must have", path);
    }
}

/* --- the end
 * --------------------------------------------------------------------------------------------------
 */
static bool is_repaired(struct world *world, struct process *asker)
{
    struct dfs_cluster_status_request request = {0};
    const void *message;
    enum status status = ask(world, asker, world->scenario->namenode,
                             METHOD_NAMENODE_CLUSTER_STATUS, &request, &message);
    const struct dfs_cluster_status_response *response = message;
    return status == OK && response && response->under_replicated_count == 0 &&
           response->missing_count == 0 && !response->in_safe_mode;
}

static bool is_clean(const struct world *world)
{
    for (size_t i = 0; i < world->processes_count; i++) {
        const struct process *process = world->processes[i];
        if (process->is_up && (process->kind == PROCESS_TASK || process->kind == PROCESS_APPMASTER))
            return false;
    }
    return map_count(world->scenario->outputs) == 0;
}

bool verify_quiet(struct world *world)
{
    const struct scenario *scenario = world->scenario;
    bool is_over = scenario->writer_is_done;
    for (size_t i = 0; i < SCENARIO_JOBS; i++)
        is_over = is_over && scenario->jobs[i].is_over;
    return is_over;
}

void verify_end(struct world *world)
{
    struct scenario *scenario = world->scenario;
    struct asking asking = {.arena = arena_open(0)};
    struct process *asker =
        world_process_add(world, PROCESS_CLIENT, 9, 0, slice_from_string("millrace"));
    asker->state = &asking;
    asker->on_answer = asker_answered;
    asker->is_up = true;
    int64_t limit_ms = world->now_ms + REPAIR_MS;
    bool is_done = false;
    while (!is_done && !world->has_failed && world->now_ms < limit_ms) {
        int64_t until_ms = world->now_ms + 5000;
        while (world_advance(world, until_ms))
            continue;
        is_done = is_repaired(world, asker) && is_clean(world);
    }
    size_t cursor = 0;
    struct slice left = {0};
    while (!is_done && map_next(scenario->outputs, &cursor, &left, NULL))
        world_trace(world, "left: map output %.*s", SLICE_ARGS(left));
    if (!is_done)
        world_fail(world, "SIM-4 %s",
                   is_clean(world) ? "blocks are still not repaired"
                                   : "processes or map outputs of jobs that are over are left");
    for (size_t i = 0; i < scenario->files_count && !world->has_failed; i++)
        verify_known(world, asker, &scenario->files[i]);
    for (uint32_t i = 0; i < SCENARIO_JOBS && !world->has_failed; i++)
        verify_job(world, asker, i);
    asker->is_up = false;
    asker->state = NULL;
    arena_close(asking.arena);
}
