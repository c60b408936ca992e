/*
 * journal_checkpoint.c - a checkpoint in the making, on local files: replays what was closed, takes
 * the records of the state, and gives the finished file its name. Shares nothing with the journal,
 * so that it may run on a thread of its own (docs/checkpoint.md).
 */
#include <stdio.h>
#include <string.h>

#include "lib/base/check.h"
#include "lib/base/mem.h"
#include "lib/journal/journal_local.h"
#include "lib/os/directory.h"
#include "lib/os/file.h"

/* The checkpoint in one directory. */
struct checkpoint_side {
    struct family family;
    const char *path;
    const char *temporary;
    struct file *file;
    struct error error; /* why it has failed; status OK: it has not */
    bool is_installed;
};

struct checkpoint_local {
    struct journal_checkpoint checkpoint; /* first */
    struct arena *arena;
    struct checkpoint_side sides[JOURNAL_DIRECTORIES_MAX];
    size_t side_count;
    struct segment_header header;
    struct segment_end end;
    struct buf frame;
};

static struct checkpoint_local *self_of(struct journal_checkpoint *checkpoint)
{
    return (struct checkpoint_local *)checkpoint;
}

/* --- replay ----------------------------------------------------------------------------------- */

/* What was closed must end exactly where the segment in use begins. */
static enum status check_end(const struct checkpoint_local *self,
                             const struct history *history,
                             struct error *reterr_error)
{
    if (history->last_segment + 1 == self->header.generation &&
        history->end.sequence + 1 == self->header.first_sequence &&
        history->end.chain == self->header.previous)
        return OK;
    return error_set(reterr_error, ERR_CORRUPT,
                     "the segments of %s below %llu end with batch %llu and not with %llu",
                     history->family.directory, (unsigned long long)self->header.generation,
                     (unsigned long long)history->end.sequence,
                     (unsigned long long)self->header.first_sequence - 1);
}

static enum status replay_checkpoint(struct journal_checkpoint *checkpoint,
                                     journal_replay *replay,
                                     void *user,
                                     struct error *reterr_error)
{
    struct checkpoint_local *self = self_of(checkpoint);
    struct error first = {.status = OK};
    for (size_t i = 0; i < self->side_count; i++) {
        struct history history;
        struct error error = {.status = OK};
        enum status status = history_examine(&self->sides[i].family, self->header.generation,
                                             self->arena, &history, &error);
        if (status == OK)
            status = check_end(self, &history, &error);
        if (status == OK) /* from here on the machine is fed: no other directory can help */
            return history_replay(&history, replay, user, reterr_error);
        if (first.status == OK)
            first = error;
    }
    return error_set(reterr_error, first.status, "%s", first.text);
}

/* --- write ------------------------------------------------------------------------------------ */

static void fail_side(struct checkpoint_side *side)
{
    CHECK(side->error.status != OK);
    file_close(side->file);
    side->file = NULL;
    status_ignore(file_remove(side->temporary, NULL)); /* the first failure is the one to tell */
}

/* OK while at least one directory goes on. */
static enum status sides_status(const struct checkpoint_local *self, struct error *reterr_error)
{
    for (size_t i = 0; i < self->side_count; i++) {
        if (self->sides[i].error.status == OK)
            return OK;
    }
    return error_set(reterr_error, self->sides[0].error.status, "%s", self->sides[0].error.text);
}

/* Writes data in every directory that has not failed; opens the files with the first. */
static void write_sides(struct checkpoint_local *self, uint64_t offset, struct slice data)
{
    for (size_t i = 0; i < self->side_count; i++) {
        struct checkpoint_side *side = &self->sides[i];
        if (side->error.status != OK)
            continue;
        enum status status = OK;
        if (side->file == NULL)
            status = file_open(side->temporary, FILE_MODE_TRUNCATE, FILE_PRIVATE, &side->file,
                               &side->error);
        if (status == OK)
            status = file_write_at(side->file, offset, data, &side->error);
        if (status != OK)
            fail_side(side);
    }
}

/* How many of the first records share the next frame; at least one. */
static size_t frame_records(const struct journal_record *records, size_t count)
{
    size_t taken = 1;
    uint64_t bytes = segment_payload_bytes(records, 1);
    while (taken < count && bytes < SNAPSHOT_FRAME_BYTES)
        bytes += segment_payload_bytes(records + taken++, 1);
    return taken;
}

static enum status write_checkpoint(struct journal_checkpoint *checkpoint,
                                    const struct journal_record *records,
                                    size_t count,
                                    struct error *reterr_error)
{
    struct checkpoint_local *self = self_of(checkpoint);
    for (size_t done = 0; done < count;) {
        size_t batch = frame_records(records + done, count - done);
        uint64_t offset = self->end.offset;
        buf_clear(&self->frame);
        enum status status = segment_frame_append(&self->frame, self->header.id, 0, records + done,
                                                  batch, &self->end);
        if (status != OK)
            return error_set(reterr_error, status, "write a checkpoint's batch: %s",
                             status_sentence(status));
        write_sides(self, offset, buf_slice(&self->frame));
        status = sides_status(self, reterr_error);
        if (status != OK)
            return status;
        done += batch;
    }
    return OK;
}

/* --- install ---------------------------------------------------------------------------------- */

static void install_side(struct checkpoint_side *side)
{
    enum status status = file_sync(side->file, &side->error);
    if (status == OK)
        status = file_rename(side->temporary, side->path, &side->error);
    if (status != OK) {
        fail_side(side);
        return;
    }
    file_close(side->file);
    side->file = NULL;
    /* Without its name on the disk it is not one yet: nothing may be removed for it. */
    status = directory_sync(side->family.directory, &side->error);
    side->is_installed = status == OK;
    if (side->is_installed)
        family_prune(&side->family);
}

static enum status install_checkpoint(struct journal_checkpoint *checkpoint,
                                      struct journal_checkpoint_result *ret_result,
                                      struct error *reterr_error)
{
    struct checkpoint_local *self = self_of(checkpoint);
    uint8_t bytes[SEGMENT_HEADER_BYTES];
    self->header.content_bytes = self->end.offset - SEGMENT_HEADER_BYTES;
    (void)segment_header_encode(&self->header, bytes);
    write_sides(self, 0, slice_make(bytes, SEGMENT_HEADER_BYTES));
    struct journal_checkpoint_result result = {
        .generation = self->header.generation,
        .sequence = self->header.first_sequence - 1,
        .bytes = self->end.offset,
    };
    const struct error *failure = NULL;
    for (size_t i = 0; i < self->side_count; i++) {
        if (self->sides[i].error.status == OK)
            install_side(&self->sides[i]);
        result.directories += self->sides[i].is_installed ? 1 : 0;
        if (self->sides[i].error.status != OK && failure == NULL)
            failure = &self->sides[i].error;
    }
    enum status status = OK;
    if (failure != NULL)
        status = error_set(reterr_error, failure->status, "%s", failure->text);
    if (result.directories == 0)
        return status;
    *ret_result = result;
    return OK;
}

static void close_checkpoint(struct journal_checkpoint *checkpoint)
{
    struct checkpoint_local *self = self_of(checkpoint);
    for (size_t i = 0; i < self->side_count; i++) {
        struct checkpoint_side *side = &self->sides[i];
        if (side->file == NULL)
            continue;
        file_close(side->file);
        status_ignore(file_remove(side->temporary, NULL)); /* else the next open does it */
    }
    buf_close(&self->frame);
    arena_close(self->arena);
    mem_free(self);
}

static const struct journal_checkpoint_methods checkpoint_methods = {
    .replay = replay_checkpoint,
    .write = write_checkpoint,
    .install = install_checkpoint,
    .close = close_checkpoint,
};

static const char *keep(struct arena *arena, const char *text)
{
    return (const char *)arena_copy(arena, slice_from_string(text)).data;
}

struct journal_checkpoint *journal_local_checkpoint(const struct journal_local *local)
{
    struct checkpoint_local *self = MEM_NEW(struct checkpoint_local);
    self->checkpoint.methods = &checkpoint_methods;
    self->arena = arena_open(0);
    self->header = local->header;
    self->header.kind = SEGMENT_CHECKPOINT;
    self->end = segment_start(&self->header, 0);
    buf_open(&self->frame, 0);
    for (size_t i = 0; i < local->side_count; i++) {
        if (!local->sides[i].is_active)
            continue;
        struct checkpoint_side *side = &self->sides[self->side_count++];
        side->family.directory = keep(self->arena, local->sides[i].family.directory);
        side->family.name = keep(self->arena, local->name);
        side->path =
            family_path(&side->family, self->header.generation, FAMILY_CHECKPOINT, self->arena);
        side->temporary =
            (const char *)arena_format(self->arena, "%s%s", side->path, FAMILY_UNFINISHED).data;
    }
    return &self->checkpoint;
}
