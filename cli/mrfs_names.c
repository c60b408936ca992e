/*
 * mrfs_names.c - commands that make, move and remove names.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/file_mode.h"
#include "cli/file_text.h"
#include "cli/mrfs_trash.h"
#include "lib/model/path.h"
#include "lib/os/clock.h"

enum {
    SAFELY_COUNT = 100 /* rm -safely asks before it removes more files than this */
};

void mrfs_mkdir(struct mrfs *mrfs)
{
    uint32_t mode = 0755;
    struct file_mode_change change;
    struct error error = {OK, ""};
    if (mrfs_has(mrfs, 'm')) {
        struct slice text = slice_from_string(mrfs->words.values['m']);
        if (file_mode_parse(text, &change, &error) != OK) {
            mrfs_complain(mrfs, text, ERR_INVALID, error.text);
            return;
        }
        mode = file_mode_apply(&change, mode, true);
    }
    for (size_t i = 0; i < mrfs->words.count; i++) {
        struct slice path;
        if (!mrfs_path(mrfs, mrfs->words.arguments[i], &path))
            continue;
        enum status status = dfs_mkdirs(mrfs->dfs, path, mode, mrfs_has(mrfs, 'p'), &error);
        if (status != OK)
            mrfs_complain(mrfs, path, status, error.text);
    }
}

/* --- mv ----------------------------------------------------------------------------------------
 */

static void move_path(struct mrfs *mrfs, struct slice path, void *user)
{
    const struct slice *destination = user;
    struct error error = {OK, ""};
    enum status status = dfs_rename(mrfs->dfs, path, *destination, &error);
    if (status != OK)
        mrfs_complain(mrfs, path, status, error.text);
}

void mrfs_mv(struct mrfs *mrfs)
{
    struct slice destination;
    struct error error = {OK, ""};
    size_t count = mrfs->words.count - 1;
    const char *last = mrfs->words.arguments[count];
    struct slice *paths = NULL;
    size_t sources = count;
    if (!mrfs_path(mrfs, last, &destination))
        return;
    if (count == 1) {
        mrfs_expand(mrfs, mrfs->words.arguments[0], &paths, &sources);
        if (sources == 1)
            move_path(mrfs, paths[0], &destination);
    }
    if (sources <= 1)
        return;
    struct dfs_file_status found;
    enum status status = dfs_get_status(mrfs->dfs, destination, mrfs->arena, &found, &error);
    if (status == OK && found.kind != FILE_DIRECTORY)
        status = error_set(&error, ERR_NOT_DIRECTORY,
                           "several files can be moved into a directory only");
    if (status != OK) {
        mrfs_complain(mrfs, slice_from_string(last), status, error.text);
        return;
    }
    for (size_t i = 0; i < sources && count == 1; i++)
        move_path(mrfs, paths[i], &destination);
    if (count > 1)
        mrfs_each(mrfs, 0, count, move_path, &destination);
}

/* --- rm, rmdir ---------------------------------------------------------------------------------
 */

/* "-safely": a person agrees, or little would be lost. */
static bool may_remove(struct mrfs *mrfs, struct slice path)
{
    struct dfs_content_summary_response summary;
    struct error error = {OK, ""};
    char answer[16];
    enum status status = dfs_content_summary(mrfs->dfs, path, &summary, &error);
    if (status != OK) {
        mrfs_complain(mrfs, path, status, error.text);
        return false;
    }
    if (summary.file_count <= SAFELY_COUNT)
        return true;
    fprintf(stderr, "mrfs: rm: %.*s holds %" PRIu64 " files. Remove them all? (Y or N) ",
            SLICE_ARGS(path), summary.file_count);
    if (fgets(answer, sizeof(answer), stdin) != NULL && (answer[0] == 'y' || answer[0] == 'Y'))
        return true;
    mrfs_complain(mrfs, path, ERR_CANCELLED, "is kept");
    return false;
}

static void remove_path(struct mrfs *mrfs, struct slice path, void *user)
{
    struct error error = {OK, ""};
    struct dfs_file_status found = {.kind = FILE_REGULAR};
    bool is_recursive = mrfs_has(mrfs, 'r');
    const bool *is_trash_on = user;
    enum status status = OK;
    if (path_is_root(path))
        status = error_set(&error, ERR_INVALID, "the root is not removed");
    if (status == OK)
        status = dfs_get_status(mrfs->dfs, path, mrfs->arena, &found, &error);
    bool is_directory = status == OK && found.kind == FILE_DIRECTORY;
    if (is_directory && !is_recursive)
        status = error_set(&error, ERR_IS_DIRECTORY, "is a directory; -r removes it");
    if (is_directory && is_recursive && mrfs_has(mrfs, KEY_SAFELY) && !may_remove(mrfs, path))
        return;
    if (status == OK && *is_trash_on && !mrfs_trash_holds(mrfs, path))
        status = mrfs_trash_move(mrfs, path, &error);
    else if (status == OK)
        status = dfs_delete(mrfs->dfs, path, is_recursive, &error);
    if (status == ERR_NOT_FOUND && mrfs_has(mrfs, 'f'))
        return;
    if (status != OK)
        mrfs_complain(mrfs, path, status, error.text);
}

void mrfs_rm(struct mrfs *mrfs)
{
    bool is_trash_on = false;
    mrfs->is_nothing_fine = mrfs_has(mrfs, 'f');
    if (mrfs_has(mrfs, KEY_SKIP_TRASH) || mrfs_trash_open(mrfs, &is_trash_on))
        mrfs_each(mrfs, 0, mrfs->words.count, remove_path, &is_trash_on);
}

static void remove_directory(struct mrfs *mrfs, struct slice path, void *user)
{
    struct error error = {OK, ""};
    struct dfs_file_status found;
    (void)user;
    enum status status = OK;
    if (path_is_root(path))
        status = error_set(&error, ERR_INVALID, "the root is not removed");
    if (status == OK)
        status = dfs_get_status(mrfs->dfs, path, mrfs->arena, &found, &error);
    if (status == OK && found.kind != FILE_DIRECTORY)
        status = error_set(&error, ERR_NOT_DIRECTORY, "is no directory");
    if (status == OK)
        status = dfs_delete(mrfs->dfs, path, false, &error);
    if (status == ERR_NOT_EMPTY && mrfs_has(mrfs, KEY_IGNORE_NON_EMPTY))
        return;
    if (status != OK)
        mrfs_complain(mrfs, path, status, error.text);
}

void mrfs_rmdir(struct mrfs *mrfs)
{
    mrfs_each(mrfs, 0, mrfs->words.count, remove_directory, NULL);
}

/* --- touch, touchz -----------------------------------------------------------------------------
 */

/* -a or -m: only that time. */
static enum status set_times(struct mrfs *mrfs,
                             struct slice path,
                             uint64_t wall_ms,
                             struct error *reterr_error)
{
    bool is_accessed = mrfs_has(mrfs, 'a');
    bool is_modified = mrfs_has(mrfs, 'm');
    if (is_accessed == is_modified)
        return dfs_set_times(mrfs->dfs, path, &wall_ms, &wall_ms, reterr_error);
    return dfs_set_times(mrfs->dfs, path, is_modified ? &wall_ms : NULL,
                         is_accessed ? &wall_ms : NULL, reterr_error);
}

static void touch_path(struct mrfs *mrfs, struct slice path, const uint64_t *wall_ms)
{
    struct error error = {OK, ""};
    struct dfs_file_status found;
    struct dfs_create_options options = {.permission = 0644};
    enum status status = dfs_get_status(mrfs->dfs, path, mrfs->arena, &found, &error);
    bool is_new = status == ERR_NOT_FOUND;
    if (is_new && mrfs_has(mrfs, 'c'))
        return;
    if (is_new)
        status = dfs_write_file(mrfs->dfs, path, (struct slice){0}, &options, NULL, &error);
    if (status == OK && (!is_new || wall_ms != NULL))
        status =
            set_times(mrfs, path, wall_ms != NULL ? *wall_ms : (uint64_t)clock_wall_ms(), &error);
    if (status != OK)
        mrfs_complain(mrfs, path, status, error.text);
}

void mrfs_touch(struct mrfs *mrfs)
{
    uint64_t wall_ms = 0;
    bool has_time = mrfs_has(mrfs, 't');
    struct slice text = slice_from_string(mrfs->words.values['t']);
    if (has_time && !file_text_parse_time(text, &wall_ms)) {
        mrfs_complain(mrfs, text, ERR_INVALID, "a time is yyyyMMdd:HHmmss, in UTC");
        return;
    }
    for (size_t i = 0; i < mrfs->words.count; i++) {
        struct slice path;
        if (mrfs_path(mrfs, mrfs->words.arguments[i], &path))
            touch_path(mrfs, path, has_time ? &wall_ms : NULL);
    }
}

void mrfs_touchz(struct mrfs *mrfs)
{
    for (size_t i = 0; i < mrfs->words.count; i++) {
        struct slice path;
        struct error error = {OK, ""};
        struct dfs_file_status found;
        struct dfs_create_options options = {.permission = 0644};
        if (!mrfs_path(mrfs, mrfs->words.arguments[i], &path))
            continue;
        enum status status = dfs_get_status(mrfs->dfs, path, mrfs->arena, &found, &error);
        if (status == OK && found.kind == FILE_DIRECTORY)
            status = error_set(&error, ERR_IS_DIRECTORY, "is a directory");
        else if (status == OK && found.length > 0)
            status = error_set(&error, ERR_EXISTS, "has content and is left alone");
        else if (status == OK)
            options.overwrite = true; /* an empty file again, made now */
        if (status == OK || status == ERR_NOT_FOUND)
            status = dfs_write_file(mrfs->dfs, path, (struct slice){0}, &options, NULL, &error);
        if (status != OK)
            mrfs_complain(mrfs, path, status, error.text);
    }
}
