/*
 * tasks.c - a task process: asks its master for work, "runs" maps and reduces, tells how it went.
 * What a map makes depends only on its input block, what a reduce makes only on all maps in order,
 * so that the end of a run can be compared with what it must be.
 */
#include <stdio.h>
#include <string.h>

#include "lib/base/check.h"
#include "lib/base/mem.h"
#include "tests/sim/actors.h"

enum {
    CALL_MS = 15000,
    WAIT_MS = 10000,
    RETRY_MS = 300,
    MASTER_SILENT_MS = 30000,
    MAPS_MAX = 16,
    FETCH_TRIES = 3
};

enum task_tag {
    TAG_PUT, /* 0: put.c's calls */
    TAG_GET_TASK,
    TAG_BLOCKS,
    TAG_OUTPUTS,
    TAG_FETCH_FAILED,
    TAG_DONE,
    TAG_FAILED
};

struct fetch {
    bool is_known; /* a row that is not lost */
    bool is_fetched;
    uint32_t attempt;
    uint32_t host;
    uint32_t crc;
    uint32_t tries;
    bool is_reported;
};

struct task {
    struct actor actor;
    struct container_id container;
    struct slice master;
    struct process *nodemgr;
    int64_t heard_ms;
    bool has_attempt;
    struct attempt_id attempt;
    struct attempt_id finished;
    uint32_t job;
    char path[64]; /* the split's */
    uint64_t offset;
    uint32_t map_count;
    uint32_t reduces;
    char output_path[128];
    struct fetch fetches[MAPS_MAX];
    uint64_t sequence;
    uint32_t result; /* checksum */
};

struct slice scenario_outputs_key(
    struct arena *arena, uint32_t host, uint32_t app, uint32_t map, uint32_t attempt)
{
    return arena_format(arena, "%u/%u/%u_%u", host, app, map, attempt);
}

void task_state_free(struct process *process)
{
    mem_free(process->state);
    process->state = NULL;
}

static void ends(struct world *world, struct process *process, int exit_code)
{
    process->exit_code = exit_code;
    world_process_crash(world, process);
}

static void call_master(struct world *world,
                        struct process *process,
                        enum task_tag tag,
                        enum method method,
                        const void *message)
{
    const struct task *task = process->state;
    world_call(world, process, tag, task->master, method, message, CALL_MS);
}

static void ask(struct world *world, struct process *process, uint64_t tag)
{
    struct task *task = process->state;
    (void)tag;
    struct am_get_task_request request = {
        .container = task->container, .finished = task->finished, .wait_ms = WAIT_MS};
    call_master(world, process, TAG_GET_TASK, METHOD_UMBILICAL_GET_TASK, &request);
}

/* --- results
 * ------------------------------------------------------------------------------------------- */
static void tell_done(struct world *world, struct process *process, uint64_t tag)
{
    struct task *task = process->state;
    uint64_t bytes[MAPS_MAX] = {0};
    bool is_map = task->attempt.kind == TASK_MAP;
    (void)tag;
    for (uint32_t i = 0; i < task->reduces; i++)
        bytes[i] = 1;
    struct am_task_done_request request = {
        .container = task->container,
        .attempt = task->attempt,
        .partition_bytes = bytes,
        .partition_bytes_count = is_map ? task->reduces : 0,
        .output_path = slice_from_string(is_map ? "" : task->output_path),
        .output_file_id = is_map ? 0 : task->actor.put.file_id,
        .output_length = is_map ? 0 : SCENARIO_BLOCK_BYTES,
    };
    call_master(world, process, TAG_DONE, METHOD_UMBILICAL_TASK_DONE, &request);
}

static void tell_failed(struct world *world, struct process *process, uint64_t tag)
{
    struct task *task = process->state;
    struct am_task_failed_request request = {.container = task->container,
                                             .attempt = task->attempt,
                                             .diagnostics = slice_from_string("by chance")};
    (void)tag;
    call_master(world, process, TAG_FAILED, METHOD_UMBILICAL_TASK_FAILED, &request);
}

/* --- maps
 * ------------------------------------------------------------------------------------------------
 */
static void call_blocks(struct world *world, struct process *process, uint64_t tag)
{
    struct task *task = process->state;
    struct dfs_get_blocks_request request = {.path = slice_from_string(task->path),
                                             .offset = task->offset,
                                             .length = SCENARIO_BLOCK_BYTES};
    (void)tag;
    world_call(world, process, TAG_BLOCKS, world->scenario->namenode->address,
               METHOD_NAMENODE_GET_BLOCKS, &request, CALL_MS);
}

static bool read_block(struct world *world,
                       const struct process *process,
                       const struct dfs_located_block *block)
{
    for (size_t i = 0; i < block->replicas_count; i++) {
        const struct process *datanode =
            world->scenario->datanodes[block->replicas[i].node.node_id - 100];
        const struct stored_block *stored =
            map_u64_get(datanode_disk(datanode)->blocks, block->block_id);
        if (world_is_reachable(world, process->host, datanode) && stored && !stored->is_corrupt)
            return stored->info.crc32c == block->crc32c;
    }
    return false;
}

static void map_read(struct world *world,
                     struct process *process,
                     enum status status,
                     const struct dfs_get_blocks_response *response)
{
    struct task *task = process->state;
    bool is_read = status == OK && response->blocks_count > 0 &&
                   read_block(world, process, &response->blocks[0]);
    if (!is_read) {
        world_wake(world, process, RETRY_MS * 4, call_blocks, 0);
        return;
    }
    uint32_t *crc = arena_new(world->scenario->datanodes[0]->disk, sizeof *crc);
    *crc = response->blocks[0].crc32c;
    struct slice key =
        scenario_outputs_key(process->disk, process->host, task->attempt.app.sequence,
                             task->attempt.task, task->attempt.attempt);
    (void)map_put(world->scenario->outputs, key, crc);
    tell_done(world, process, 0);
}

/* --- reduces
 * -----------------------------------------------------------------------------------------------
 */
static void call_outputs(struct world *world, struct process *process, uint64_t tag)
{
    struct task *task = process->state;
    struct am_get_map_outputs_request request = {
        .attempt = task->attempt, .after_sequence = task->sequence, .limit = 3, .wait_ms = WAIT_MS};
    (void)tag;
    call_master(world, process, TAG_OUTPUTS, METHOD_UMBILICAL_GET_MAP_OUTPUTS, &request);
}

static void fetch_all(struct world *world, struct process *process, uint64_t tag);

static bool fetch_one(struct world *world, struct process *process, uint32_t map)
{
    struct task *task = process->state;
    struct fetch *fetch = &task->fetches[map];
    const struct process *nodemgr = world->scenario->nodemgrs[fetch->host];
    struct slice key = scenario_outputs_key(process->disk, fetch->host, task->attempt.app.sequence,
                                            map, fetch->attempt);
    const uint32_t *crc = map_get(world->scenario->outputs, key);
    if (!world_is_reachable(world, process->host, nodemgr) || !crc ||
        rng_chance(&world->rng, world->faults.loss_ppm)) {
        fetch->tries++;
        return false;
    }
    fetch->crc = scenario_map_crc(*crc, task->attempt.task);
    fetch->is_fetched = true;
    return true;
}

static void reduced(struct world *world, struct process *process)
{
    tell_done(world, process, 0);
}

static void reduce_write(struct world *world, struct process *process)
{
    struct task *task = process->state;
    uint32_t sum = 0;
    for (uint32_t i = 0; i < task->map_count; i++)
        sum = scenario_mix(sum, task->fetches[i].crc);
    task->result = sum;
    put_start(world, process, task->output_path, &sum, 1, reduced);
}

static void fetch_all(struct world *world, struct process *process, uint64_t tag)
{
    struct task *task = process->state;
    uint32_t missing = 0;
    (void)tag;
    for (uint32_t i = 0; i < task->map_count; i++) {
        struct fetch *fetch = &task->fetches[i];
        if (fetch->is_fetched)
            continue;
        if (fetch->is_known && fetch_one(world, process, i))
            continue;
        missing++;
        if (fetch->is_known && fetch->tries >= FETCH_TRIES && !fetch->is_reported) {
            struct am_fetch_failed_request request = {
                .attempt = task->attempt, .map = i, .map_attempt = fetch->attempt};
            fetch->is_reported = true;
            fetch->is_known = false;
            scenario_output_doubted(world, task->attempt.app.sequence, i);
            call_master(world, process, TAG_FETCH_FAILED, METHOD_UMBILICAL_FETCH_FAILED, &request);
            return;
        }
    }
    if (missing == 0)
        reduce_write(world, process);
    else
        world_wake(world, process, RETRY_MS, call_outputs, 0);
}

static void rows_take(struct task *task, const struct am_get_map_outputs_response *response)
{
    for (size_t i = 0; i < response->outputs_count; i++) {
        const struct am_map_output *row = &response->outputs[i];
        struct fetch *fetch = &task->fetches[row->map];
        task->sequence = row->sequence;
        if (fetch->is_fetched)
            continue; /* what is here stays good, whatever happened to its source */
        *fetch = (struct fetch){0};
        if (row->is_lost)
            continue;
        fetch->is_known = true;
        fetch->attempt = row->attempt;
        fetch->host = (uint32_t)(row->node.host.data[4] - '0');
    }
}

/* --- GetTask
 * -------------------------------------------------------------------------------------------------
 */
static void text_copy(char *target, size_t room, struct slice text)
{
    (void)snprintf(target, room, "%.*s", SLICE_ARGS(text));
}

static void task_given(struct world *world,
                       struct process *process,
                       const struct am_get_task_response *response)
{
    struct task *task = process->state;
    scenario_attempt_begins(world, &response->attempt);
    task->has_attempt = true;
    task->attempt = response->attempt;
    task->map_count = response->map_count;
    task->reduces = response->job.reduces;
    task->job = (uint32_t)(response->job.output.data[4] - '0');
    task->sequence = 0;
    memset(task->fetches, 0, sizeof task->fetches);
    text_copy(task->path, sizeof task->path, response->split.path);
    text_copy(task->output_path, sizeof task->output_path, response->output_path);
    task->offset = response->split.offset;
    if (!world->scenario->is_peace && rng_chance(&world->rng, 20000)) {
        ends(world, process, 139);
        return;
    }
    int64_t work_ms = 5 + (int64_t)rng_below(&world->rng, 2000);
    wake_function *next = task->attempt.kind == TASK_MAP ? call_blocks : call_outputs;
    if (!world->scenario->is_peace && rng_chance(&world->rng, 20000))
        next = tell_failed;
    world_wake(world, process, work_ms, next, 0);
}

static void given_up(struct world *world, struct process *process)
{
    struct task *task = process->state;
    task->finished = task->attempt;
    task->has_attempt = false;
    task->actor.is_putting = false;
    ask(world, process, 0);
}

static void got_task(struct world *world,
                     struct process *process,
                     const struct am_get_task_response *response)
{
    if (response->kind == GET_TASK_RUN)
        task_given(world, process, response);
    else if (response->kind == GET_TASK_EXIT)
        ends(world, process, 0);
    else
        ask(world, process, 0);
}

static void again(struct world *world, struct process *process, uint64_t tag)
{
    if (tag == TAG_GET_TASK)
        ask(world, process, 0);
    else if (tag == TAG_OUTPUTS || tag == TAG_FETCH_FAILED)
        call_outputs(world, process, 0);
    else if (tag == TAG_DONE)
        tell_done(world, process, 0);
    else
        tell_failed(world, process, 0);
}

static void task_answered(struct world *world,
                          struct process *process,
                          uint64_t tag,
                          enum method method,
                          enum status status,
                          const void *message)
{
    struct task *task = process->state;
    (void)method;
    if (tag == TAG_PUT) {
        put_answered(world, process, status, message);
        return;
    }
    if (tag == TAG_BLOCKS) {
        map_read(world, process, status, message);
        return;
    }
    if (status != OK) {
        if (world->now_ms - task->heard_ms > MASTER_SILENT_MS)
            ends(world, process, 1);
        else
            world_wake(world, process, RETRY_MS, again, tag);
        return;
    }
    task->heard_ms = world->now_ms;
    if (tag == TAG_GET_TASK) {
        got_task(world, process, message);
    } else if (tag == TAG_OUTPUTS) {
        const struct am_get_map_outputs_response *response = message;
        rows_take(task, response);
        if (response->must_stop)
            given_up(world, process);
        else
            fetch_all(world, process, 0);
    } else if (tag == TAG_FETCH_FAILED) {
        call_outputs(world, process, 0);
    } else {
        given_up(world, process); /* accepted or not: it is over */
    }
}

struct process *task_start(struct world *world,
                           uint32_t host,
                           const struct container_id *container,
                           struct slice master_address,
                           struct process *nodemgr)
{
    struct process *process = world_process_add(
        world, PROCESS_TASK, ++world->scenario->tasks_started, host, slice_from_string("millrace"));
    struct task *task = MEM_NEW(struct task);
    task->actor.next_request_id = 1;
    task->container = *container;
    task->master = arena_copy(process->disk, master_address);
    task->nodemgr = nodemgr;
    task->heard_ms = world->now_ms;
    process->state = task;
    process->on_answer = task_answered;
    process->is_up = true;
    process->life++;
    world_wake(world, process, world_delay(world), ask, 0);
    return process;
}
