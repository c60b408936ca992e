/*
 * mrfs_trash.c - what rm spares: a file goes to /user/NAME/.Trash/Current and keeps its path there.
 * The namenode rolls Current and removes what is old; expunge does the same at once, for the
 * caller.
 */
#include "cli/mrfs_trash.h"

#include <inttypes.h>
#include <stdio.h>

#include "cli/file_text.h"
#include "lib/model/path.h"
#include "lib/os/clock.h"

enum {
    TRASH_PERMISSION = 0700,
    TRASH_TRIES = 5 /* the namenode may roll Current away between two calls */
};

static struct slice trash_of(struct mrfs *mrfs)
{
    return path_append(mrfs->home, slice_from_string(".Trash"), mrfs->arena);
}

static struct slice current_of(struct mrfs *mrfs)
{
    return path_append(trash_of(mrfs), slice_from_string("Current"), mrfs->arena);
}

bool mrfs_trash_open(struct mrfs *mrfs, bool *ret_is_on)
{
    struct error error = {OK, ""};
    struct dfs_get_server_defaults_response defaults;
    enum status status = dfs_server_defaults(mrfs->dfs, mrfs->arena, &defaults, &error);
    if (status != OK)
        mrfs_complain(mrfs, slice_from_string("/"), status, error.text);
    else
        *ret_is_on = defaults.trash_keep_ms > 0;
    return status == OK;
}

bool mrfs_trash_holds(struct mrfs *mrfs, struct slice path)
{
    return path_is_within(path, trash_of(mrfs));
}

/* A name that is free: with number, or one above, behind it where something lies there already. */
static enum status free_name(struct mrfs *mrfs,
                             struct slice *path,
                             int64_t number,
                             struct error *reterr_error)
{
    struct dfs_file_status found;
    struct slice wanted = *path;
    enum status status = OK;
    while ((status = dfs_get_status(mrfs->dfs, *path, mrfs->arena, &found, reterr_error)) == OK)
        *path = arena_format(mrfs->arena, "%.*s-%" PRId64, SLICE_ARGS(wanted), number++);
    return status == ERR_NOT_FOUND || status == ERR_NOT_DIRECTORY ? OK : status;
}

static enum status move_once(struct mrfs *mrfs, struct slice path, struct error *reterr_error)
{
    struct slice current = current_of(mrfs);
    struct slice target =
        arena_format(mrfs->arena, "%.*s%.*s", SLICE_ARGS(current), SLICE_ARGS(path));
    enum status status = path_check(target, reterr_error);
    if (status == OK)
        status =
            dfs_mkdirs(mrfs->dfs, path_directory(target), TRASH_PERMISSION, true, reterr_error);
    if (status == ERR_NOT_DIRECTORY || status == ERR_EXISTS || status == ERR_INVALID) {
        /* A file lies in the trash where a directory is needed, or the path becomes too long. */
        target = path_append(current, path_last_name(path), mrfs->arena);
        status = dfs_mkdirs(mrfs->dfs, current, TRASH_PERMISSION, true, reterr_error);
    }
    if (status == OK)
        status = free_name(mrfs, &target, clock_wall_ms(), reterr_error);
    if (status == OK)
        status = dfs_rename(mrfs->dfs, path, target, reterr_error);
    if (status == OK)
        fprintf(stderr, "mrfs: rm: moved to the trash: %.*s\n", SLICE_ARGS(target));
    return status;
}

enum status mrfs_trash_move(struct mrfs *mrfs, struct slice path, struct error *reterr_error)
{
    struct dfs_file_status found;
    enum status status = ERR_NOT_FOUND;
    if (path_is_within(current_of(mrfs), path))
        return error_set(reterr_error, ERR_INVALID, "holds the trash; -skipTrash removes it");
    for (int i = 0; i < TRASH_TRIES && status == ERR_NOT_FOUND; i++) {
        status = move_once(mrfs, path, reterr_error);
        if (status == ERR_NOT_FOUND &&
            dfs_get_status(mrfs->dfs, path, mrfs->arena, &found, NULL) == ERR_NOT_FOUND)
            return error_set(reterr_error, ERR_NOT_FOUND, "is not there any more");
    }
    if (status != OK)
        return error_prefix(reterr_error, status, "not moved to the trash (-skipTrash removes it)");
    return OK;
}

/* --- expunge -----------------------------------------------------------------------------------
 */

/* "260131100000", perhaps with a number behind it, is 2026-01-31 10:00:00. */
static bool checkpoint_time(struct slice name, uint64_t *ret_wall_ms)
{
    struct cli_word word;
    if (name.length < 12)
        return false;
    (void)snprintf(word.text, sizeof(word.text), "20%.6s:%.6s", (const char *)name.data,
                   (const char *)name.data + 6);
    return file_text_parse_time(slice_from_string(word.text), ret_wall_ms);
}

static enum status roll_current(struct mrfs *mrfs, struct error *reterr_error)
{
    struct slice current = current_of(mrfs);
    struct dfs_file_status found;
    enum status status = dfs_get_status(mrfs->dfs, current, mrfs->arena, &found, reterr_error);
    if (status != OK)
        return status == ERR_NOT_FOUND ? OK : status;
    char text[CLOCK_TEXT_BYTES];
    clock_format_wall(clock_wall_ms(), text); /* 2026-01-31T10:00:00 */
    struct slice name = arena_format(mrfs->arena, "%.2s%.2s%.2s%.2s%.2s%.2s", text + 2, text + 5,
                                     text + 8, text + 11, text + 14, text + 17);
    struct slice target = path_append(trash_of(mrfs), name, mrfs->arena);
    status = free_name(mrfs, &target, 1, reterr_error); /* as the namenode names them */
    if (status == OK)
        status = dfs_rename(mrfs->dfs, current, target, reterr_error);
    return status;
}

void mrfs_expunge(struct mrfs *mrfs)
{
    struct error error = {OK, ""};
    struct dfs_get_server_defaults_response defaults;
    const struct dfs_file_status *entries = NULL;
    size_t count = 0;
    struct slice trash = trash_of(mrfs);
    enum status status = dfs_server_defaults(mrfs->dfs, mrfs->arena, &defaults, &error);
    if (status == OK)
        status = dfs_list(mrfs->dfs, trash, mrfs->arena, &entries, &count, &error);
    for (size_t i = 0; i < count && status == OK; i++) {
        uint64_t made_ms = 0;
        bool is_checkpoint = checkpoint_time(entries[i].path, &made_ms);
        bool is_old =
            is_checkpoint && made_ms + defaults.trash_keep_ms <= (uint64_t)clock_wall_ms();
        if (is_old || mrfs_has(mrfs, KEY_IMMEDIATE))
            status = dfs_delete(mrfs->dfs, path_append(trash, entries[i].path, mrfs->arena), true,
                                &error);
        if (status == ERR_NOT_FOUND)
            status = OK; /* the namenode was faster */
    }
    if (status == OK && !mrfs_has(mrfs, KEY_IMMEDIATE))
        status = roll_current(mrfs, &error);
    if (status != OK && status != ERR_NOT_FOUND) /* who has no trash has nothing to do */
        mrfs_complain(mrfs, trash, status, error.text);
}
