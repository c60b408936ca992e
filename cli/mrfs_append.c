/*
 * mrfs_append.c - commands that change the content of files that exist: appendToFile, truncate,
 * concat; and setrep.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/mrfs_transfer.h"
#include "lib/model/limits.h"
#include "lib/os/clock.h"
#include "lib/os/file.h"

enum {
    WAIT_MS = 200 /* between two questions of setrep -w */
};

/* --- appendToFile ------------------------------------------------------------------------------
 */

static enum status append_all(struct mrfs *mrfs,
                              struct dfs_writer *writer,
                              struct error *reterr_error)
{
    enum status status = OK;
    for (size_t i = 0; i + 1 < mrfs->words.count && status == OK; i++) {
        const char *local = mrfs_local_text(mrfs, mrfs->words.arguments[i]);
        struct file *source = NULL;
        if (strcmp(local, "-") == 0)
            source = file_adopt(0, "standard input");
        else
            status = file_open(local, FILE_MODE_READ, 0, &source, reterr_error);
        if (status == OK)
            status = transfer_fill(source, writer, NULL, reterr_error);
        file_close(source);
    }
    return status;
}

/* All of it or nothing: readers see the new bytes when the last one is written. */
void mrfs_append_to_file(struct mrfs *mrfs)
{
    struct slice path;
    struct error error = {OK, ""};
    struct dfs_writer *writer = NULL;
    const char *last = mrfs->words.arguments[mrfs->words.count - 1];
    struct dfs_create_options create = {.permission = 0};
    if (!transfer_durability(mrfs, &create.durability) || !mrfs_path(mrfs, last, &path))
        return;
    enum status status = dfs_append(mrfs->dfs, path, create.durability, &writer, &error);
    if (status == ERR_NOT_FOUND)
        status = dfs_create(mrfs->dfs, path, &create, &writer, &error);
    if (status == OK)
        status = append_all(mrfs, writer, &error);
    if (status == OK)
        status = dfs_writer_complete(writer, &error);
    if (status != OK)
        mrfs_complain(mrfs, path, status, error.text);
    if (mrfs_was_interrupted())
        dfs_resume(mrfs->dfs); /* to give the file back */
    dfs_writer_close(writer);
}

/* --- truncate ----------------------------------------------------------------------------------
 */

static void truncate_path(struct mrfs *mrfs, struct slice path, void *user)
{
    const uint64_t *length = user;
    struct error error = {OK, ""};
    enum status status = dfs_truncate(mrfs->dfs, path, *length, &error);
    if (status != OK)
        mrfs_complain(mrfs, path, status, error.text);
}

void mrfs_truncate(struct mrfs *mrfs)
{
    uint64_t length = 0;
    struct slice text = slice_from_string(mrfs->words.arguments[0]);
    if (slice_parse_u64(text, &length))
        mrfs_each(mrfs, 1, mrfs->words.count, truncate_path, &length);
    else
        mrfs_complain(mrfs, text, ERR_INVALID, "a length is a number of bytes");
}

/* --- concat ------------------------------------------------------------------------------------
 */

void mrfs_concat(struct mrfs *mrfs)
{
    struct slice target;
    struct error error = {OK, ""};
    struct slice *all = NULL;
    size_t before = 0;
    if (!mrfs_path(mrfs, mrfs->words.arguments[0], &target))
        return;
    for (size_t i = 1; i < mrfs->words.count; i++) {
        struct slice *paths = NULL;
        size_t count = 0;
        mrfs_expand(mrfs, mrfs->words.arguments[i], &paths, &count);
        if (count == 0)
            return; /* all or nothing */
        struct slice *more = ARENA_ARRAY(mrfs->arena, struct slice, before + count);
        if (before > 0)
            memcpy(more, all, before * sizeof(*more));
        memcpy(more + before, paths, count * sizeof(*more));
        all = more;
        before += count;
    }
    enum status status = dfs_concat(mrfs->dfs, target, all, before, &error);
    if (status != OK)
        mrfs_complain(mrfs, target, status, error.text);
}

/* --- setrep ------------------------------------------------------------------------------------
 */

struct replicating {
    uint32_t replication;
    bool is_waiting; /* second round, for -w */
};

static bool has_replicas(const struct dfs_get_blocks_response *found, uint32_t replication)
{
    for (size_t i = 0; i < found->blocks_count; i++) {
        size_t live = 0;
        for (size_t j = 0; j < found->blocks[i].replicas_count; j++)
            live += found->blocks[i].replicas[j].is_stale ? 0 : 1;
        if (live != replication)
            return false;
    }
    return true;
}

/* Until each block has just as many copies, or SIGINT. */
static enum status wait_for_replicas(struct mrfs *mrfs,
                                     struct slice path,
                                     uint32_t replication,
                                     struct error *reterr_error)
{
    enum status status = OK;
    bool is_done = false;
    while (status == OK && !is_done) {
        struct arena *arena = arena_open(0);
        struct dfs_get_blocks_response found = {.blocks_count = 0};
        status = dfs_get_blocks(mrfs->dfs, path, 0, 0, arena, &found, reterr_error);
        is_done = status == OK && has_replicas(&found, replication);
        arena_close(arena);
        if (status == OK && !is_done && mrfs_was_interrupted())
            status = error_set(reterr_error, ERR_CANCELLED, "interrupted; it goes on by itself");
        else if (status == OK && !is_done)
            clock_sleep_until_ms(clock_monotonic_ms() + WAIT_MS);
    }
    return status;
}

static bool replicate_one(struct mrfs *mrfs,
                          struct slice path,
                          const struct dfs_file_status *file,
                          void *user)
{
    const struct replicating *replicating = user;
    struct error error = {OK, ""};
    enum status status = OK;
    if (file->kind != FILE_REGULAR)
        return true;
    if (replicating->is_waiting)
        status = wait_for_replicas(mrfs, path, replicating->replication, &error);
    else
        status = dfs_set_replication(mrfs->dfs, path, replicating->replication, &error);
    if (status != OK)
        mrfs_complain(mrfs, path, status, error.text);
    else if (mrfs->is_terminal)
        fprintf(stderr, "mrfs: setrep: %s %" PRIu32 ": %.*s\n",
                replicating->is_waiting ? "has copies:" : "set to", replicating->replication,
                SLICE_ARGS(path));
    return true;
}

static void replicate_path(struct mrfs *mrfs, struct slice path, void *user)
{
    struct dfs_file_status found;
    if (mrfs_status(mrfs, path, &found))
        mrfs_walk(mrfs, path, &found, PARENTS_FIRST, replicate_one, user);
}

void mrfs_setrep(struct mrfs *mrfs)
{
    struct replicating replicating = {.is_waiting = false};
    uint64_t value = 0;
    struct slice text = slice_from_string(mrfs->words.arguments[0]);
    if (!slice_parse_u64(text, &value) || value < 1 || value > LIMIT_REPLICAS) {
        mrfs_complain(mrfs, text, ERR_INVALID, "copies are a number from 1 to 16");
        return;
    }
    replicating.replication = (uint32_t)value;
    mrfs_each(mrfs, 1, mrfs->words.count, replicate_path, &replicating);
    replicating.is_waiting = true;
    if (mrfs_has(mrfs, 'w') && !mrfs->has_failed)
        mrfs_each(mrfs, 1, mrfs->words.count, replicate_path, &replicating);
}
