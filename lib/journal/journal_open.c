/*
 * journal_open.c - opens a journal on local files: examines every directory, chooses the one to
 * load, and makes the others hold the same.
 *
 * Only directories with the newest generation may be loaded: they have all that was acknowledged
 * (journal_local.c). Of these the one with most batches is; what another has less was acknowledged
 * by nobody.
 */
#include <string.h>

#include "lib/base/check.h"
#include "lib/journal/journal_local.h"
#include "lib/os/directory.h"
#include "lib/os/file.h"

/* What is known of one directory. */
struct examined {
    struct history history;
    enum status status;
    struct error error;
    bool is_there; /* could be read; what it holds may be damaged */
};

struct opening {
    struct journal_local *local;
    struct examined sides[JOURNAL_DIRECTORIES_MAX];
    struct examined *chosen;
    uint64_t newest; /* generation of a segment; 0: no directory has any */
    bool is_any;     /* some directory holds something */
};

static bool is_empty(const struct examined *side)
{
    return side->history.inventory.segment_count == 0 &&
           side->history.inventory.checkpoint_count == 0;
}

static uint64_t newest_of(const struct examined *side)
{
    const struct inventory *inventory = &side->history.inventory;
    return inventory->segment_count > 0 ? inventory->segments[inventory->segment_count - 1] : 0;
}

static const char *directory_of(const struct examined *side)
{
    return side->history.family.directory;
}

/* --- choosing --------------------------------------------------------------------------------- */

static enum status examine_all(struct opening *opening, struct error *reterr_error)
{
    struct journal_local *local = opening->local;
    struct examined *absent = NULL;
    for (size_t i = 0; i < local->side_count; i++) {
        struct examined *side = &opening->sides[i];
        side->status =
            history_examine(&local->sides[i].family, 0, local->arena, &side->history, &side->error);
        if (side->status != OK && side->status != ERR_CORRUPT && side->status != ERR_IO &&
            !is_empty(side)) /* for example of a newer version: not ours to replace */
            return error_set(reterr_error, side->status, "%s", side->error.text);
        side->is_there = side->status == OK || side->status == ERR_CORRUPT;
        if (!side->is_there)
            absent = side;
        opening->is_any = opening->is_any || !is_empty(side);
        if (newest_of(side) > opening->newest)
            opening->newest = newest_of(side);
    }
    if (absent != NULL &&
        !opening->is_any) /* it may hold the journal: nothing is created beside it */
        return error_set(reterr_error, absent->status, "%s", absent->error.text);
    return OK;
}

static enum status refuse_damage(const struct opening *opening,
                                 const struct examined *damaged,
                                 struct error *reterr_error)
{
    for (size_t i = 0; i < opening->local->side_count; i++) {
        const struct examined *side = &opening->sides[i];
        if (side != damaged && side->status == OK && !is_empty(side))
            return error_set(reterr_error, damaged->status,
                             "%s; %s is whole but older: it ends with batch %llu, and what came "
                             "after would be lost; to accept that, move %s away",
                             damaged->error.text, directory_of(side),
                             (unsigned long long)side->history.end.sequence, directory_of(damaged));
    }
    return error_set(reterr_error, damaged->status, "%s", damaged->error.text);
}

static enum status choose(struct opening *opening, struct error *reterr_error)
{
    const struct examined *damaged = NULL;
    for (size_t i = 0; i < opening->local->side_count; i++) {
        struct examined *side = &opening->sides[i];
        if (is_empty(side) || newest_of(side) < opening->newest)
            continue;
        if (side->status != OK)
            damaged = damaged == NULL ? side : damaged;
        else if (opening->chosen == NULL ||
                 side->history.end.sequence > opening->chosen->history.end.sequence)
            opening->chosen = side;
    }
    if (opening->chosen != NULL)
        return OK;
    CHECK(damaged != NULL);
    return refuse_damage(opening, damaged, reterr_error);
}

/* A whole directory must be an earlier state of the chosen one, or the same. */
static enum status check_agreement(const struct opening *opening,
                                   const struct examined *side,
                                   struct error *reterr_error)
{
    const struct history *chosen = &opening->chosen->history;
    const struct history *history = &side->history;
    bool is_found = false;
    bool has_batch = false;
    uint32_t chain = 0;
    bool is_same = memcmp(history->header.id, chosen->header.id, SEGMENT_ID_BYTES) == 0;
    enum status status = OK;
    if (is_same)
        status = history_probe(chosen, history->last_segment, history->end.sequence, &is_found,
                               &has_batch, &chain, reterr_error);
    if (status != OK)
        return status;
    if (is_same && (!is_found || (has_batch && chain == history->end.chain)))
        return OK;
    return error_set(reterr_error, ERR_CORRUPT,
                     "the directories %s and %s contradict each other: %s at batch %llu of segment "
                     "%llu; nothing was changed; move the wrong one away",
                     directory_of(opening->chosen), directory_of(side),
                     is_same ? "both are whole but differ" : "they belong to different journals",
                     (unsigned long long)history->end.sequence,
                     (unsigned long long)history->last_segment);
}

/* --- making the directories even -------------------------------------------------------------- */

/* Cuts what is behind the end and makes sure that all before it is on the disk. */
static enum status settle(const struct history *history, struct error *reterr_error)
{
    struct arena *arena = arena_open(0);
    const char *path = family_path(&history->family, history->last_segment, FAMILY_SEGMENT, arena);
    struct file *file = NULL;
    enum status status = file_open(path, FILE_MODE_UPDATE, 0, &file, reterr_error);
    if (status == OK && history->file_bytes > history->end.offset)
        status = file_truncate(file, history->end.offset, reterr_error);
    /*
     * Synced even when nothing was cut: the last process may have written the end and died before
     * its sync, and from now on we answer by what we read.
     */
    if (status == OK)
        status = file_sync(file, reterr_error);
    if (status == OK)
        status = directory_sync(history->family.directory, reterr_error);
    file_close(file);
    arena_close(arena);
    return status;
}

static enum status set_aside(const char *path, struct arena *arena, struct error *reterr_error)
{
    const char *aside = (const char *)arena_format(arena, "%s%s", path, FAMILY_DAMAGED).data;
    return file_rename(path, aside, reterr_error);
}

static bool is_even(const struct history *history, const struct history *chosen)
{
    return history->last_segment == chosen->last_segment &&
           history->end.sequence == chosen->end.sequence && history->end.chain == chosen->end.chain;
}

/* All files of the chosen directory; the newest segment comes last, so half of it counts nothing.
 */
static enum status copy_all(const struct history *chosen,
                            const struct family *to,
                            struct error *reterr_error)
{
    const struct inventory *files = &chosen->inventory;
    enum status status = OK;
    for (size_t i = 0; i < files->checkpoint_count && status == OK; i++) {
        if (files->checkpoints[i] <= chosen->checkpoint) /* a newer one is damaged */
            status = family_copy(&chosen->family, to, files->checkpoints[i], FAMILY_CHECKPOINT,
                                 reterr_error);
    }
    for (size_t i = 0; i < files->segment_count && status == OK; i++) {
        if (files->segments[i] == chosen->last_segment)
            status = directory_sync(to->directory, reterr_error);
        if (status == OK)
            status =
                family_copy(&chosen->family, to, files->segments[i], FAMILY_SEGMENT, reterr_error);
    }
    if (status == OK)
        status = directory_sync(to->directory, reterr_error);
    return status;
}

/* What the chosen directory does not have would only confuse the next open. */
static enum status remove_others(const struct history *history,
                                 const struct history *chosen,
                                 struct arena *arena,
                                 struct error *reterr_error)
{
    const struct inventory *here = &history->inventory;
    const struct inventory *there = &chosen->inventory;
    enum status status = OK;
    for (size_t i = 0; i < here->checkpoint_count && status == OK; i++) {
        uint64_t generation = here->checkpoints[i];
        if (generation > chosen->checkpoint ||
            !family_has(there->checkpoints, there->checkpoint_count, generation))
            status = file_remove(
                family_path(&history->family, generation, FAMILY_CHECKPOINT, arena), reterr_error);
    }
    for (size_t i = 0; i < here->segment_count && status == OK; i++) {
        if (!family_has(there->segments, there->segment_count, here->segments[i]))
            status =
                file_remove(family_path(&history->family, here->segments[i], FAMILY_SEGMENT, arena),
                            reterr_error);
    }
    return status;
}

/* Makes a directory hold what the chosen one does. */
static enum status restore(const struct opening *opening,
                           const struct examined *side,
                           struct error *reterr_error)
{
    const struct history *chosen = &opening->chosen->history;
    const struct history *history = &side->history;
    if (side->status == OK && !is_empty(side) && is_even(history, chosen))
        return settle(history, reterr_error);
    if (side->status != OK)
        journal_local_tell(opening->local, JOURNAL_DIRECTORY_DAMAGED,
                           "%s; %s is whole and is used instead", side->error.text,
                           directory_of(opening->chosen));
    struct arena *arena = arena_open(0);
    enum status status = remove_others(history, chosen, arena, reterr_error);
    if (status == OK)
        status = copy_all(chosen, &history->family, reterr_error);
    arena_close(arena);
    if (status == OK)
        journal_local_tell(opening->local, JOURNAL_DIRECTORY_RESTORED,
                           "%s was behind %s and holds the same now, up to batch %llu",
                           directory_of(side), directory_of(opening->chosen),
                           (unsigned long long)chosen->end.sequence);
    return status;
}

/* --- opening ---------------------------------------------------------------------------------- */

static enum status open_file(struct journal_local *local,
                             struct journal_side *side,
                             struct error *reterr_error)
{
    const char *path =
        family_path(&side->family, local->header.generation, FAMILY_SEGMENT, local->arena);
    side->reserved_end = local->end.offset;
    return file_open(path, FILE_MODE_UPDATE, 0, &side->file, reterr_error);
}

/* Brings all directories to the same state; one that fails is left behind. */
static enum status restore_all(struct opening *opening, struct error *reterr_error)
{
    struct journal_local *local = opening->local;
    for (size_t i = 0; i < local->side_count; i++) {
        struct examined *side = &opening->sides[i];
        struct error error = {.status = OK};
        enum status status = side->is_there ? OK : side->status;
        if (status != OK)
            error = side->error;
        if (status == OK && side != opening->chosen)
            status = restore(opening, side, &error);
        if (status == OK)
            status = open_file(local, &local->sides[i], &error);
        if (status == OK)
            continue;
        if (side == opening->chosen)
            return error_set(reterr_error, status, "%s", error.text);
        journal_local_drop(local, &local->sides[i], error.text);
    }
    return journal_local_active(local) < local->side_count
               ? journal_local_roll(local, true, reterr_error)
               : OK;
}

static void fill_report(const struct history *history, struct journal_report *report)
{
    report->checkpoint = history->checkpoint;
    report->batches = history->batches;
    report->records = history->records;
    if (history->file_bytes > history->end.offset) {
        report->cut_offset = history->end.offset;
        report->cut_bytes = history->file_bytes - history->end.offset;
        report->was_room = history->is_room;
    }
}

static enum status load(struct opening *opening,
                        journal_replay *replay,
                        void *user,
                        struct journal_report *report,
                        struct error *reterr_error)
{
    struct journal_local *local = opening->local;
    enum status status = choose(opening, reterr_error);
    for (size_t i = 0; i < local->side_count && status == OK; i++) {
        const struct examined *side = &opening->sides[i];
        if (side != opening->chosen && side->status == OK && !is_empty(side))
            status = check_agreement(opening, side, reterr_error);
    }
    if (status != OK)
        return status;
    struct history *chosen = &opening->chosen->history;
    if (replay != NULL)
        status = history_replay(chosen, replay, user, reterr_error);
    if (status == OK)
        status = settle(chosen, reterr_error);
    if (status == OK && chosen->damaged != NULL) {
        journal_local_tell(local, JOURNAL_CHECKPOINT_DAMAGED,
                           "%s; an older checkpoint and all segments since hold the same and were "
                           "loaded instead: nothing is lost, but the disk is suspect",
                           chosen->damage);
        if (chosen->is_damage_lasting)
            status = set_aside(chosen->damaged, local->arena, reterr_error);
    }
    if (status != OK)
        return status;
    fill_report(chosen, report);
    local->header = chosen->header;
    local->end = chosen->end;
    local->checkpoint_bytes = chosen->checkpoint_bytes;
    local->log_bytes = chosen->log_bytes;
    return restore_all(opening, reterr_error);
}

enum status journal_open(const char *directory,
                         const char *name,
                         const struct journal_options *options,
                         journal_replay *replay,
                         void *user,
                         struct journal_report *ret_report,
                         struct journal **ret_journal,
                         struct error *reterr_error)
{
    struct journal_local *local = journal_local_new(directory, name, options);
    struct opening opening = {.local = local};
    struct journal_report report = {.generation = 0};
    enum status status = examine_all(&opening, reterr_error);
    if (status == OK && !opening.is_any) {
        report.was_created = true;
        status = journal_local_create(local, reterr_error);
    } else if (status == OK) {
        status = load(&opening, replay, user, &report, reterr_error);
    }
    if (status != OK) {
        journal_close(&local->journal);
        return error_prefix(reterr_error, status, "open journal %s", name);
    }
    local->written_end = local->end.offset;
    local->synced_sequence = local->end.sequence;
    journal_local_reserve(local);
    report.generation = local->header.generation;
    report.sequence = local->end.sequence;
    report.bytes = local->end.offset;
    if (ret_report != NULL)
        *ret_report = report;
    *ret_journal = &local->journal;
    return OK;
}
