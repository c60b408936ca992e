/*
 * journals.c - the journals of the simulated masters, and
 *   SIM-5 a task whose success is durable is never run again while its output can be had.
 * An append is all or nothing, as in the filesystem; its answer may be lost.
 */
#include "appmaster/core/appmaster.h"
#include "lib/base/check.h"
#include "lib/base/mem.h"
#include "tests/sim/scenario.h"

enum {
    ATTEMPT_NUMBERS = 1000, /* of one master */
    UNHEARD_PPM = 50000     /* appends whose end the master does not hear of */
};

struct master_batch {
    uint32_t app_attempt;
    const struct am_master_journal *journal; /* in the master's disk arena */
};

static struct job_journal *journal_of(struct world *world, uint32_t app_sequence)
{
    CHECK(app_sequence >= 1 && app_sequence <= SCENARIO_JOBS);
    return &world->scenario->journals[app_sequence - 1];
}

/* What is written from now on must be known by later masters. */
static void note(struct job_journal *journal, const struct am_master_record *record)
{
    const struct am_task_succeeded *succeeded = &record->succeeded;
    if (record->kind == MASTER_OUTPUT_LOST) {
        journal->tasks[TASK_MAP][record->lost.task].is_durable = false;
    } else if (record->kind == MASTER_TASK_SUCCEEDED) {
        CHECK(succeeded->attempt.task < SCENARIO_TASKS_MAX);
        uint32_t host = (uint32_t)(succeeded->node.host.data[4] - '0');
        journal->tasks[succeeded->attempt.kind][succeeded->attempt.task].is_durable = true;
        journal->tasks[succeeded->attempt.kind][succeeded->attempt.task].host = host;
    }
}

void scenario_journal_append(struct world *world,
                             struct process *master,
                             uint64_t tag,
                             const struct am_master_journal *batch)
{
    const struct container_id *self = master->state;
    struct job_journal *journal = journal_of(world, self->app.sequence);
    enum status status = OK;
    bool is_lost = rng_chance(&world->rng, world->faults.loss_ppm);
    if (is_lost || rng_chance(&world->rng, world->faults.loss_ppm > 0 ? UNHEARD_PPM : 0))
        status = ERR_UNAVAILABLE;
    if (!is_lost && world->bug != BUG_FORGOTTEN_JOURNAL) {
        journal->batches = mem_reserve(journal->batches, journal->count, &journal->capacity,
                                       sizeof *journal->batches);
        journal->batches[journal->count++] = (struct master_batch){
            .app_attempt = self->app_attempt,
            .journal = message_copy(&am_master_journal_type, batch, master->disk),
        };
    }
    for (size_t i = 0;
         !is_lost && self->app_attempt >= journal->read_by && i < batch->records_count; i++)
        note(journal, &batch->records[i]);
    world_effect_done(world, master, world_delay(world), tag, APPMASTER_APPEND_JOURNAL, status,
                      NULL, 0);
}

void scenario_journal_read(struct world *world, struct process *master, uint64_t tag)
{
    const struct container_id *self = master->state;
    struct job_journal *journal = journal_of(world, self->app.sequence);
    if (rng_chance(&world->rng, world->faults.loss_ppm)) {
        world_effect_done(world, master, world_delay(world), tag, APPMASTER_READ_JOURNAL,
                          ERR_UNAVAILABLE, NULL, 0);
        return;
    }
    size_t count = 0;
    for (size_t i = 0; i < journal->count; i++)
        count += journal->batches[i].journal->records_count;
    struct am_master_record *records = arena_new(master->disk, (count + 1) * sizeof *records);
    struct am_master_journal all = {.records = records};
    for (uint32_t attempt = 1; attempt < self->app_attempt; attempt++)
        for (size_t i = 0; i < journal->count; i++) {
            const struct master_batch *batch = &journal->batches[i];
            for (size_t k = 0; batch->app_attempt == attempt && k < batch->journal->records_count;
                 k++)
                records[all.records_count++] = batch->journal->records[k];
        }
    if (self->app_attempt > journal->read_by)
        journal->read_by = self->app_attempt;
    world_effect_done(world, master, world_delay(world), tag, APPMASTER_READ_JOURNAL, OK, &all,
                      sizeof all);
}

void scenario_journals_free(struct world *world)
{
    for (size_t i = 0; i < SCENARIO_JOBS; i++)
        mem_free(world->scenario->journals[i].batches);
}

void scenario_attempt_begins(struct world *world, const struct attempt_id *attempt)
{
    const struct job_journal *journal = journal_of(world, attempt->app.sequence);
    bool is_of_newest = attempt->attempt / ATTEMPT_NUMBERS + 1 >= journal->read_by;
    if (is_of_newest && journal->tasks[attempt->kind][attempt->task].is_durable)
        world_fail(
            world,
            "SIM-5 application %u: %c%u runs again as attempt %u, but its success is durable",
            attempt->app.sequence, attempt->kind == TASK_MAP ? 'm' : 'r', attempt->task,
            attempt->attempt);
}

void scenario_output_doubted(struct world *world, uint32_t app_sequence, uint32_t map)
{
    journal_of(world, app_sequence)->tasks[TASK_MAP][map].is_durable = false;
}

void scenario_outputs_doubted(struct world *world, uint32_t host)
{
    for (size_t i = 0; i < SCENARIO_JOBS; i++)
        for (size_t k = 0; k < SCENARIO_TASKS_MAX; k++)
            if (world->scenario->journals[i].tasks[TASK_MAP][k].host == host)
                world->scenario->journals[i].tasks[TASK_MAP][k].is_durable = false;
}
