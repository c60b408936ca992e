/*
 * dfs_journal.c - the namenode's journal: the records since a checkpoint, behind that checkpoint.
 * The checkpoint before and what came between the two are kept, too, as on real disks; now and then
 * the newest one turns out to be rotten when the namenode starts, and the older one must lead to
 * the same state.
 */
#include "lib/base/check.h"
#include "lib/base/mem.h"
#include "tests/sim/dfs.h"

struct dfs_checkpoints {
    struct record *older; /* the checkpoint before the newest, and all records up to that */
    size_t older_count;
    size_t older_image;  /* how many of these are that checkpoint itself */
    size_t newest_count; /* records of the journal that are the newest checkpoint; 0: none is */
};

void dfs_journal_open(struct world *world)
{
    world->dfs->checkpoints = MEM_NEW(struct dfs_checkpoints);
}

void dfs_journal_close(struct world *world)
{
    mem_free(world->dfs->checkpoints->older);
    mem_free(world->dfs->checkpoints);
}

static void append(struct process *process, const struct record *record)
{
    process->journal = mem_reserve(process->journal, process->journal_count,
                                   &process->journal_capacity, sizeof *process->journal);
    process->journal[process->journal_count++] = *record;
}

void dfs_checkpoint(struct world *world)
{
    struct process *process = world->dfs->namenode;
    struct dfs_checkpoints *checkpoints = world->dfs->checkpoints;
    if (!process->is_up)
        return;
    struct actions snapshot;
    actions_open(&snapshot);
    process->door->snapshot(process->machine, &snapshot);
    mem_free(checkpoints->older);
    checkpoints->older = process->journal;
    checkpoints->older_count = process->journal_count;
    checkpoints->older_image = checkpoints->newest_count;
    process->journal = NULL;
    process->journal_count = 0;
    process->journal_capacity = 0;
    for (size_t i = 0; i < snapshot.count; i++) {
        const struct action *action = &snapshot.items[i];
        CHECK(action->kind == ACTION_JOURNAL);
        append(process, &(struct record){
                            .type = action->type,
                            .message = message_copy(action->type, action->message, process->disk)});
    }
    checkpoints->newest_count = process->journal_count;
    actions_close(&snapshot);
    world->dfs->counters.checkpoints++;
    world_trace(world, "checkpoint: %zu records", process->journal_count);
}

/* The newest checkpoint cannot be read: the older one, and every record since. */
static void fall_back(struct world *world)
{
    struct process *process = world->dfs->namenode;
    struct dfs_checkpoints *checkpoints = world->dfs->checkpoints;
    struct record *newest = process->journal;
    size_t count = process->journal_count;
    process->journal = checkpoints->older;
    process->journal_count = checkpoints->older_count;
    process->journal_capacity = checkpoints->older_count;
    if (world->bug == (enum world_bug)BUG_TAIL_LOST && checkpoints->older_image > 0)
        process->journal_count = checkpoints->older_image;
    for (size_t i = checkpoints->newest_count; i < count; i++)
        append(process, &newest[i]);
    mem_free(newest);
    *checkpoints = (struct dfs_checkpoints){0};
    world->dfs->counters.older_checkpoints++;
    world_trace(world, "the newest checkpoint is rotten: %zu records", process->journal_count);
}

/* The planted bug: results of mutations are not read back. */
static void forget_results(struct process *process)
{
    size_t kept = 0;
    for (size_t i = 0; i < process->journal_count; i++)
        if (process->journal[i].type != &journal_mutation_done_type)
            process->journal[kept++] = process->journal[i];
    process->journal_count = kept;
}

/* The planted bug: how long a checkpoint of the trash was kept is taken from the wall clock. */
static void age_trash(struct process *process)
{
    for (size_t i = 0; i < process->journal_count; i++) {
        if (process->journal[i].type != &journal_inode_put_type)
            continue;
        struct journal_inode_put *put =
            message_copy(&journal_inode_put_type, process->journal[i].message, process->disk);
        if (put->kind == FILE_DIRECTORY && put->name.length >= 12 && put->name.data[0] <= '9')
            put->trash_age_ms = DFS_TRASH_KEEP_MS;
        process->journal[i].message = put;
    }
}

void dfs_journal_find(struct world *world)
{
    struct process *process = world->dfs->namenode;
    uint32_t rotten_ppm = world->dfs->plan.rotten_ppm;
    if (rotten_ppm > 0 && world->dfs->checkpoints->older && rng_chance(&world->rng, rotten_ppm))
        fall_back(world);
    if (world->bug == (enum world_bug)BUG_RESULTS_FORGOTTEN)
        forget_results(process);
    if (world->bug == (enum world_bug)BUG_TRASH_AGES)
        age_trash(process);
}
