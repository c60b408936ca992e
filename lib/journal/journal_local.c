/*
 * journal_local.c - the journal on local files: appending, syncing, going on to the next segment,
 * in one directory or several.
 *
 * Invariant: a batch is acknowledged only when every active directory has it synced, and a
 * directory that is dropped is left behind by a generation before anything more is acknowledged.
 * So the directories with the newest generation have all that was ever acknowledged.
 */
#include "lib/journal/journal_local.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/check.h"
#include "lib/base/mem.h"
#include "lib/os/directory.h"
#include "lib/os/file.h"
#include "lib/os/host.h"

static struct journal_local *local_of(struct journal *journal)
{
    return (struct journal_local *)journal;
}

static const struct journal_local *local_of_const(const struct journal *journal)
{
    return (const struct journal_local *)journal;
}

static enum status refuse(const struct journal_local *local, struct error *reterr_error)
{
    return error_set(reterr_error, ERR_IO,
                     "journal %s/%s: a write or sync failed before; open it again",
                     local->sides[0].family.directory, local->name);
}

/* --- directories ------------------------------------------------------------------------------ */

void journal_local_tell(const struct journal_local *local,
                        enum journal_notice notice,
                        const char *format,
                        ...)
{
    if (local->options.notice == NULL)
        return;
    char text[ERROR_TEXT_BYTES * 2];
    va_list arguments;
    va_start(arguments, format);
    (void)vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    local->options.notice(local->options.notice_user, notice, text);
}

void journal_local_drop(struct journal_local *local, struct journal_side *side, const char *why)
{
    file_close(side->file);
    side->file = NULL;
    side->is_active = false;
    journal_local_tell(local, JOURNAL_DIRECTORY_FAILED,
                       "%s is not used any more until the next start, when it is brought up to "
                       "date: %s",
                       side->family.directory, why);
}

size_t journal_local_active(const struct journal_local *local)
{
    size_t count = 0;
    for (size_t i = 0; i < local->side_count; i++)
        count += local->sides[i].is_active ? 1 : 0;
    return count;
}

/* --- appending -------------------------------------------------------------------------------- */

static enum status append_local(struct journal *journal,
                                const struct journal_record *records,
                                size_t count,
                                struct error *reterr_error)
{
    struct journal_local *local = local_of(journal);
    if (local->has_failed)
        return refuse(local, reterr_error);
    uint64_t before = local->end.offset;
    enum status status = segment_frame_append(&local->pending, local->header.id,
                                              local->synced_sequence, records, count, &local->end);
    if (status != OK)
        return error_set(reterr_error, status, "append %zu records to journal %s: %s", count,
                         local->name, status_sentence(status));
    local->log_bytes += local->end.offset - before;
    return OK;
}

/*
 * Keeps at least half of the reserve free ahead of the end. Room ahead spares the filesystem a
 * change of the file's size with each sync, and lets what is under way end well when the disk is
 * full.
 */
static void reserve_ahead(const struct journal_local *local, struct journal_side *side)
{
    uint64_t reserve = local->options.reserve_bytes;
    if (reserve == 0)
        return;
    if (side->is_unable) {
        struct directory_space space;
        side->has_no_room = directory_space_get(side->family.directory, &space, NULL) == OK &&
                            space.free_bytes < reserve;
        return;
    }
    if (local->end.offset + reserve / 2 <= side->reserved_end)
        return;
    uint64_t bytes = local->end.offset - local->written_end + reserve;
    enum status status = file_reserve(side->file, local->written_end, bytes, NULL);
    if (status == OK)
        side->reserved_end = local->written_end + bytes;
    side->has_no_room = status == ERR_NO_SPACE;
    side->is_unable = status != OK && status != ERR_NO_SPACE;
}

void journal_local_reserve(struct journal_local *local)
{
    for (size_t i = 0; i < local->side_count; i++) {
        if (local->sides[i].is_active)
            reserve_ahead(local, &local->sides[i]);
    }
}

static void drop_failed(struct journal_local *local, struct journal_side *side, struct error *error)
{
    journal_local_drop(local, side, error->text);
    *error = (struct error){.status = OK};
}

enum side_work {
    SIDE_WRITE,
    SIDE_SYNC
};

/* Does one thing in all directories; the last failure is the one that is told. */
static void work_on_sides(struct journal_local *local, enum side_work work, struct error *last)
{
    for (size_t i = 0; i < local->side_count; i++) {
        struct journal_side *side = &local->sides[i];
        struct error error = {.status = OK};
        if (!side->is_active)
            continue;
        enum status status = OK;
        if (work == SIDE_WRITE) {
            reserve_ahead(local, side);
            status =
                file_write_at(side->file, local->written_end, buf_slice(&local->pending), &error);
        } else {
            status = file_sync_data(side->file, &error);
        }
        if (status == OK)
            continue;
        *last = error;
        drop_failed(local, side, &error);
    }
}

static enum status fail(struct journal_local *local,
                        const struct error *error,
                        struct error *reterr_error)
{
    local->has_failed = true;
    return error_set(reterr_error, error->status, "journal: %s", error->text);
}

static enum status sync_local(struct journal *journal, struct error *reterr_error)
{
    struct journal_local *local = local_of(journal);
    if (local->has_failed)
        return refuse(local, reterr_error);
    if (local->pending.length == 0)
        return OK;
    size_t active = journal_local_active(local);
    struct error error = {.status = OK};
    work_on_sides(local, SIDE_WRITE, &error);
    work_on_sides(local, SIDE_SYNC, &error);
    if (journal_local_active(local) == 0)
        return fail(local, &error, reterr_error);
    buf_clear(&local->pending);
    local->written_end = local->end.offset;
    local->synced_sequence = local->end.sequence;
    if (journal_local_active(local) == active)
        return OK;
    return journal_local_roll(local, true, reterr_error);
}

/* --- segments --------------------------------------------------------------------------------- */

/* Makes the empty segment under its temporary name; on failure nothing is left of it. */
static enum status make_segment(const struct journal_side *side,
                                const struct segment_header *header,
                                struct arena *arena,
                                struct error *reterr_error)
{
    uint8_t bytes[SEGMENT_HEADER_BYTES];
    const char *temporary =
        family_path(&side->family, header->generation, FAMILY_SEGMENT FAMILY_UNFINISHED, arena);
    struct file *file = NULL;
    (void)segment_header_encode(header, bytes);
    enum status status =
        file_open(temporary, FILE_MODE_TRUNCATE, FILE_PRIVATE, &file, reterr_error);
    if (status != OK)
        return status;
    status = file_write_at(file, 0, slice_make(bytes, SEGMENT_HEADER_BYTES), reterr_error);
    if (status == OK)
        status = file_sync(file, reterr_error);
    file_close(file);
    if (status != OK)
        status_ignore(file_remove(temporary, NULL)); /* the first failure is the one to tell */
    return status;
}

/* Gives the finished segment its name, durably, and opens it in place of the one before. */
static enum status install_segment(struct journal_side *side,
                                   const struct segment_header *header,
                                   struct arena *arena,
                                   struct error *reterr_error)
{
    const char *path = family_path(&side->family, header->generation, FAMILY_SEGMENT, arena);
    const char *temporary =
        family_path(&side->family, header->generation, FAMILY_SEGMENT FAMILY_UNFINISHED, arena);
    struct file *file = NULL;
    enum status status = file_rename(temporary, path, reterr_error);
    if (status == OK)
        status = directory_sync(side->family.directory, reterr_error);
    if (status == OK)
        status = file_open(path, FILE_MODE_UPDATE, 0, &file, reterr_error);
    if (status != OK)
        return status;
    file_close(side->file);
    side->file = file;
    side->reserved_end = SEGMENT_HEADER_BYTES;
    return OK;
}

/* May be over by the next time; says nothing about the disk. */
static bool is_passing_want(enum status status)
{
    return status == ERR_NO_SPACE || status == ERR_NO_MEMORY || status == ERR_LIMIT;
}

/*
 * The first half of begin_segment. When nothing forces it, it is all or nothing, but for
 * directories that have failed while another has not: those are dropped as those whose writes fail
 * (J-A), or no checkpoint would ever be made again.
 */
static enum status make_segments(struct journal_local *local,
                                 const struct segment_header *header,
                                 bool is_forced,
                                 struct arena *arena,
                                 struct error *reterr_error)
{
    struct error errors[JOURNAL_DIRECTORIES_MAX] = {{.status = OK}};
    const struct error *refusal = NULL;
    bool is_made = false;
    for (size_t i = 0; i < local->side_count; i++) {
        if (!local->sides[i].is_active)
            continue;
        if (make_segment(&local->sides[i], header, arena, &errors[i]) == OK)
            is_made = true;
        else if (refusal == NULL || is_passing_want(errors[i].status))
            refusal = &errors[i];
    }
    if (refusal != NULL && !is_forced && (!is_made || is_passing_want(refusal->status)))
        return error_set(reterr_error, refusal->status, "%s",
                         refusal->text); /* what was made is removed at the next open */
    for (size_t i = 0; i < local->side_count; i++) {
        if (errors[i].status != OK) {
            *reterr_error = errors[i];
            journal_local_drop(local, &local->sides[i], errors[i].text);
        }
    }
    return OK;
}

/*
 * One attempt at the segment of header. *ret_is_even: all directories still active have it and none
 * was dropped on the way, so that no dropped one can be taken for as new.
 */
static enum status begin_segment(struct journal_local *local,
                                 const struct segment_header *header,
                                 bool is_forced,
                                 bool *ret_is_even,
                                 struct error *reterr_error)
{
    struct arena *arena = arena_open(0);
    size_t active = journal_local_active(local);
    struct error error = {.status = OK};
    if (make_segments(local, header, is_forced, arena, &error) != OK) {
        arena_close(arena);
        return error_set(reterr_error, error.status, "%s", error.text);
    }
    for (size_t i = 0; i < local->side_count; i++) {
        struct journal_side *side = &local->sides[i];
        if (side->is_active && install_segment(side, header, arena, &error) != OK)
            journal_local_drop(local, side, error.text);
    }
    arena_close(arena);
    *ret_is_even = journal_local_active(local) == active;
    if (journal_local_active(local) == 0)
        return fail(local, &error, reterr_error);
    return OK;
}

enum status journal_local_roll(struct journal_local *local,
                               bool is_forced,
                               struct error *reterr_error)
{
    CHECK(local->pending.length == 0);
    bool is_even = false;
    while (!is_even) {
        struct segment_header header = {
            .version = SEGMENT_VERSION,
            .kind = SEGMENT_LOG,
            .generation = local->header.generation + 1,
            .first_sequence = local->end.sequence + 1,
            .previous = local->end.chain,
        };
        memcpy(header.id, local->header.id, SEGMENT_ID_BYTES);
        enum status status = begin_segment(local, &header, is_forced, &is_even, reterr_error);
        if (status != OK)
            return status;
        uint8_t bytes[SEGMENT_HEADER_BYTES];
        local->header = header;
        local->end = segment_start(&header, segment_header_encode(&header, bytes));
        local->written_end = local->end.offset;
        is_forced = true; /* a directory was lost on the way: it must be left behind */
    }
    return OK;
}

enum status journal_local_create(struct journal_local *local, struct error *reterr_error)
{
    /* As if a generation 0 had ended with batch 0. */
    local->header = (struct segment_header){.kind = SEGMENT_LOG};
    host_random_bytes(local->header.id, sizeof(local->header.id));
    return journal_local_roll(local, false, reterr_error);
}

static enum status checkpoint_begin_local(struct journal *journal,
                                          struct journal_checkpoint **ret_checkpoint,
                                          struct error *reterr_error)
{
    struct journal_local *local = local_of(journal);
    if (local->has_failed)
        return refuse(local, reterr_error);
    enum status status = journal_local_roll(local, false, reterr_error);
    if (status != OK)
        return error_prefix(reterr_error, status, "begin a segment of journal %s", local->name);
    local->rolled_bytes = local->log_bytes;
    *ret_checkpoint = journal_local_checkpoint(local);
    return OK;
}

static void checkpoint_done_local(struct journal *journal,
                                  const struct journal_checkpoint_result *result)
{
    struct journal_local *local = local_of(journal);
    local->checkpoint_bytes = result->bytes;
    local->log_bytes -= local->rolled_bytes;
    local->rolled_bytes = 0;
}

/* --- the rest of the interface ---------------------------------------------------------------- */

static struct journal_size size_local(const struct journal *journal)
{
    const struct journal_local *local = local_of_const(journal);
    return (struct journal_size){
        .checkpoint_bytes = local->checkpoint_bytes,
        .log_bytes = local->log_bytes,
        .sequence = local->end.sequence,
        .directories = journal_local_active(local),
    };
}

static bool has_failed_local(const struct journal *journal)
{
    return local_of_const(journal)->has_failed;
}

static bool is_short_of_room_local(struct journal *journal)
{
    struct journal_local *local = local_of(journal);
    bool is_short = false;
    for (size_t i = 0; i < local->side_count && !local->has_failed; i++) {
        struct journal_side *side = &local->sides[i];
        if (!side->is_active)
            continue;
        if (side->has_no_room || side->is_unable)
            reserve_ahead(local, side);
        is_short = is_short || side->has_no_room;
    }
    return is_short;
}

static void close_local(struct journal *journal)
{
    struct journal_local *local = local_of(journal);
    for (size_t i = 0; i < local->side_count; i++)
        file_close(local->sides[i].file);
    buf_close(&local->pending);
    arena_close(local->arena);
    mem_free(local);
}

static const struct journal_methods local_methods = {
    .append = append_local,
    .sync = sync_local,
    .checkpoint_begin = checkpoint_begin_local,
    .checkpoint_done = checkpoint_done_local,
    .size = size_local,
    .has_failed = has_failed_local,
    .is_short_of_room = is_short_of_room_local,
    .close = close_local,
};

struct journal_local *journal_local_new(const char *directory,
                                        const char *name,
                                        const struct journal_options *options)
{
    CHECK(path_is_plain_name(slice_from_string(name)));
    CHECK(options->mirror_count < JOURNAL_DIRECTORIES_MAX);
    struct journal_local *local = MEM_NEW(struct journal_local);
    local->journal.methods = &local_methods;
    local->arena = arena_open(0);
    local->name = (const char *)arena_copy(local->arena, slice_from_string(name)).data;
    local->options = *options;
    buf_open(&local->pending, 0);
    local->side_count = 1 + options->mirror_count;
    for (size_t i = 0; i < local->side_count; i++) {
        const char *path = i == 0 ? directory : options->mirrors[i - 1];
        path = (const char *)arena_copy(local->arena, slice_from_string(path)).data;
        local->sides[i] = (struct journal_side){
            .family = {path, local->name},
              .is_active = true
        };
    }
    return local;
}
