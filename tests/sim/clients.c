/*
 * clients.c - two clients: one writes, renames and deletes files and remembers what it was
 * promised; one submits jobs and follows them to their end.
 */
#include <stdio.h>
#include <string.h>

#include "lib/base/check.h"
#include "lib/base/mem.h"
#include "tests/sim/actors.h"

enum {
    CALL_MS = 8000,
    RETRY_MS = 400,
    FILES = 10
};

struct writer {
    struct actor actor;
    size_t file; /* the current one; the first SCENARIO_JOBS are the jobs' inputs */
    int step;    /* of the current file: 0 write, 1 rename, 2 delete */
    uint64_t request_id;
    char moved[64];
};

struct submitter {
    struct actor actor;
    size_t job;
    int step; /* 0 mkdir of the staging folder, 1 submit, 2 follow */
    uint64_t request_id;
    uint64_t version;
};

uint32_t scenario_mix(uint32_t left, uint32_t right)
{
    uint32_t both[2] = {left, right};
    return (uint32_t)slice_hash(slice_make(both, sizeof both), 7);
}

uint32_t scenario_input_crc(uint32_t job, uint64_t offset)
{
    return scenario_mix(1000 + job, (uint32_t)(offset / SCENARIO_BLOCK_BYTES));
}

uint32_t scenario_map_crc(uint32_t input_crc, uint32_t partition)
{
    return scenario_mix(input_crc, partition);
}

/* --- the writer
 * ------------------------------------------------------------------------------------ */
static void writer_next(struct world *world, struct process *process);

static void file_known(struct world *world, struct process *process)
{
    struct writer *writer = process->state;
    struct known_file *file = &world->scenario->files[writer->file];
    const struct put *put = &writer->actor.put;
    file->is_known = true;
    file->length = (uint64_t)put->blocks * SCENARIO_BLOCK_BYTES;
    file->crc32c = 0;
    for (uint32_t i = 0; i < put->blocks; i++)
        file->crc32c = scenario_mix(file->crc32c, put->crc[i]);
    world_trace(world, "client promised %s", file->path);
    writer->step++;
    writer_next(world, process);
}

static void write_file(struct world *world, struct process *process)
{
    struct writer *writer = process->state;
    struct known_file *file = &world->scenario->files[writer->file];
    uint32_t crc[PUT_BLOCKS_MAX];
    uint32_t blocks = (uint32_t)rng_below(&world->rng, 4);
    if (writer->file < SCENARIO_JOBS) {
        blocks = world->scenario->jobs[writer->file].maps;
        (void)snprintf(file->path, sizeof file->path, "%s",
                       world->scenario->jobs[writer->file].input);
    } else {
        (void)snprintf(file->path, sizeof file->path, "/data/d%zu/f", writer->file);
    }
    for (uint32_t i = 0; i < blocks; i++)
        crc[i] =
            writer->file < SCENARIO_JOBS
                ? scenario_input_crc((uint32_t)writer->file, (uint64_t)i * SCENARIO_BLOCK_BYTES)
                : (uint32_t)rng_u64(&world->rng);
    put_start(world, process, file->path, crc, blocks, file_known);
}

static void rename_file(struct world *world, struct process *process)
{
    struct writer *writer = process->state;
    (void)snprintf(writer->moved, sizeof writer->moved, "/data/g%zu", writer->file);
    struct dfs_rename_request request = {
        .client_id = actor_client_id(process),
        .request_id = writer->request_id,
        .source = slice_from_string(world->scenario->files[writer->file].path),
        .destination = slice_from_string(writer->moved),
    };
    world_call(world, process, 1, world->scenario->namenode->address, METHOD_NAMENODE_RENAME,
               &request, CALL_MS);
}

static void delete_file(struct world *world, struct process *process)
{
    struct writer *writer = process->state;
    struct known_file *file = &world->scenario->files[writer->file];
    struct dfs_delete_request request = {
        .client_id = actor_client_id(process),
        .request_id = writer->request_id,
        .path = slice_from_string(file->path),
    };
    file->is_gone = true;
    world_call(world, process, 1, world->scenario->namenode->address, METHOD_NAMENODE_DELETE,
               &request, CALL_MS);
}

static void writer_go(struct world *world, struct process *process, uint64_t tag)
{
    struct writer *writer = process->state;
    (void)tag;
    if (writer->step == 1)
        rename_file(world, process);
    else
        delete_file(world, process);
}

static void writer_wakes(struct world *world, struct process *process, uint64_t tag)
{
    (void)tag;
    write_file(world, process);
}

static void writer_next(struct world *world, struct process *process)
{
    struct writer *writer = process->state;
    bool is_input = writer->file < SCENARIO_JOBS;
    bool wants = !is_input && rng_chance(&world->rng, writer->step == 1 ? 500000 : 300000);
    while (writer->step == 1 && !wants) {
        writer->step = 2;
        wants = !is_input && rng_chance(&world->rng, 300000);
    }
    if (writer->step <= 2 && wants) {
        writer->request_id = writer->actor.next_request_id++;
        writer_go(world, process, 0);
        return;
    }
    writer->file++;
    writer->step = 0;
    if (writer->file >= FILES) {
        world->scenario->writer_is_done = true;
        return;
    }
    world->scenario->files_count = writer->file + 1;
    int64_t pause = writer->file <= SCENARIO_JOBS
                        ? 1
                        : (int64_t)rng_below(&world->rng, SCENARIO_FAULTS_MS / FILES);
    world_wake(world, process, pause, writer_wakes, 0);
}

static void writer_answered(struct world *world,
                            struct process *process,
                            uint64_t tag,
                            enum method method,
                            enum status status,
                            const void *message)
{
    struct writer *writer = process->state;
    struct known_file *file = &world->scenario->files[writer->file];
    (void)method;
    if (tag == 0) {
        put_answered(world, process, status, message);
        return;
    }
    if (status_is_passing(status)) {
        world_wake(world, process, RETRY_MS, writer_go, 0); /* the same request id */
        return;
    }
    if (status != OK)
        world_fail(world, "SIM-1 the %s of %s was answered with %s",
                   writer->step == 1 ? "rename" : "delete", file->path, status_name(status));
    else if (writer->step == 1)
        (void)snprintf(file->path, sizeof file->path, "%s", writer->moved);
    else
        file->is_certain = true;
    writer->step++;
    writer_next(world, process);
}

/* --- the submitter
 * ---------------------------------------------------------------------------------- */
static void submitter_go(struct world *world, struct process *process, uint64_t tag);

static void submit(struct world *world, struct process *process)
{
    struct submitter *submitter = process->state;
    struct slice argument = slice_from_string("mr-appmaster");
    char number[8];
    (void)snprintf(number, sizeof number, "%zu", submitter->job);
    struct key_value environment = {.key = slice_from_string("JOB"),
                                    .value = slice_from_string(number)};
    struct rm_submit_app_request request = {
        .client_id = actor_client_id(process),
        .request_id = submitter->request_id,
        .name = slice_from_string("job"),
        .master_resource = {.memory_bytes = 100,         .vcores = 1},
        .master = { .arguments = &argument,
                            .arguments_count = 1,
                            .environment = &environment,
                            .environment_count = 1},
        .master_attempts_max = 1000,
    };
    world_call(world, process, 1, world->scenario->rm->address, METHOD_RESOURCE_MANAGER_SUBMIT_APP,
               &request, CALL_MS);
}

static void make_staging(struct world *world, struct process *process)
{
    struct submitter *submitter = process->state;
    struct dfs_mkdirs_request request = {
        .client_id = actor_client_id(process),
        .request_id = submitter->request_id,
        .path = slice_from_string(world->scenario->jobs[submitter->job].staging),
        .permission = 0755,
        .create_parents = true,
    };
    world_call(world, process, 0, world->scenario->namenode->address, METHOD_NAMENODE_MKDIRS,
               &request, CALL_MS);
}

static void follow(struct world *world, struct process *process)
{
    struct submitter *submitter = process->state;
    struct rm_get_app_request request = {
        .app = world->scenario->jobs[submitter->job].app,
        .after_version = submitter->version,
        .wait_ms = 5000,
    };
    world_call(world, process, 2, world->scenario->rm->address, METHOD_RESOURCE_MANAGER_GET_APP,
               &request, CALL_MS);
}

static void submitter_go(struct world *world, struct process *process, uint64_t tag)
{
    struct submitter *submitter = process->state;
    (void)tag;
    if (submitter->job >= SCENARIO_JOBS)
        return;
    if (!world->scenario->files[submitter->job].is_known) {
        world_wake(world, process, RETRY_MS, submitter_go, 0);
        return;
    }
    if (submitter->step == 0)
        make_staging(world, process);
    else if (submitter->step == 1)
        submit(world, process);
    else
        follow(world, process);
}

static void step_next(struct process *process)
{
    struct submitter *submitter = process->state;
    submitter->step++;
    submitter->request_id = submitter->actor.next_request_id++;
}

static void job_over(struct world *world,
                     struct process *process,
                     const struct rm_app_report *report)
{
    struct submitter *submitter = process->state;
    struct job_plan *plan = &world->scenario->jobs[submitter->job];
    plan->is_over = true;
    plan->final_status = report->final_status;
    world_trace(world, "client sees job %zu over: %d", submitter->job, (int)report->final_status);
    if (report->final_status != FINAL_SUCCEEDED)
        world_fail(world, "SIM-2 job %zu ended with state %d: %.*s", submitter->job,
                   (int)report->state, SLICE_ARGS(report->diagnostics));
    submitter->job++;
    submitter->step = -1;
    submitter->version = 0;
    step_next(process);
}

static void submitter_answered(struct world *world,
                               struct process *process,
                               uint64_t tag,
                               enum method method,
                               enum status status,
                               const void *message)
{
    struct submitter *submitter = process->state;
    struct job_plan *plan = &world->scenario->jobs[submitter->job];
    (void)method;
    if (status != OK) {
        if (!status_is_passing(status))
            world_fail(world, "SIM-1 step %d of job %zu was answered with %s", submitter->step,
                       submitter->job, status_name(status));
        world_wake(world, process, RETRY_MS, submitter_go, 0);
        return;
    }
    if (tag == 0) {
        step_next(process);
    } else if (tag == 1) {
        plan->app = ((const struct rm_submit_app_response *)message)->app;
        plan->is_submitted = true;
        step_next(process);
    } else {
        const struct rm_app_report *report = &((const struct rm_get_app_response *)message)->report;
        submitter->version = report->version;
        if (report->state == APP_FINISHED || report->state == APP_FAILED ||
            report->state == APP_KILLED)
            job_over(world, process, report);
    }
    world_wake(world, process, 1, submitter_go, 0);
}

/* --- both
 * ---------------------------------------------------------------------------------------------- */
static struct process *client_add(
    struct world *world, uint32_t number, uint32_t host, void *state, answer_function *on_answer)
{
    struct process *process =
        world_process_add(world, PROCESS_CLIENT, number, host, slice_from_string("millrace"));
    process->state = state;
    process->on_answer = on_answer;
    process->is_up = true;
    return process;
}

void clients_start(struct world *world)
{
    struct scenario *scenario = world->scenario;
    struct writer *writer = MEM_NEW(struct writer);
    struct submitter *submitter = MEM_NEW(struct submitter);
    writer->actor.next_request_id = 1;
    submitter->actor.next_request_id = 2;
    submitter->request_id = 1;
    scenario->files_count = 1;
    scenario->writer = client_add(world, 0, 3, writer, writer_answered);
    scenario->submitter = client_add(world, 1, 2, submitter, submitter_answered);
    world_wake(world, scenario->writer, 10, writer_wakes, 0);
    world_wake(world, scenario->submitter, 20, submitter_go, 0);
}

void actors_free(struct world *world)
{
    for (size_t i = 0; i < world->processes_count; i++) {
        struct process *process = world->processes[i];
        if (process->kind == PROCESS_TASK)
            task_state_free(process);
        else if (process->kind == PROCESS_CLIENT)
            mem_free(process->state);
    }
}
