/*
 * mrfs_names.c - commands that change names, permissions and owners.
 */
#include <stdio.h>
#include <string.h>

#include "cli/mrfs.h"
#include "lib/model/path.h"

/* Octal, 0 to 1777; complains otherwise. */
static bool parse_mode(struct mrfs *mrfs, const char *text, uint32_t *ret_mode)
{
    uint32_t mode = 0;
    size_t length = strlen(text);
    bool is_octal = length >= 1 && length <= 4;
    for (size_t i = 0; i < length && is_octal; i++) {
        is_octal = text[i] >= '0' && text[i] <= '7';
        mode = mode * 8 + (uint32_t)(text[i] - '0');
    }
    if (!is_octal || mode > 01777) {
        mrfs_complain(mrfs, text, ERR_INVALID, "a mode is an octal number from 0 to 1777");
        return false;
    }
    *ret_mode = mode;
    return true;
}

void mrfs_mkdir(struct mrfs *mrfs)
{
    uint32_t mode = 0755;
    if (mrfs->flags['m'] && !parse_mode(mrfs, mrfs->values['m'], &mode))
        return;
    for (size_t i = 0; i < mrfs->paths_count; i++) {
        struct slice path;
        struct error error = {0};
        if (!mrfs_path(mrfs, mrfs->paths[i], &path))
            continue;
        enum status status = dfs_mkdirs(mrfs->dfs, path, mode, mrfs->flags['p'], &error);
        if (status != OK)
            mrfs_complain(mrfs, mrfs->paths[i], status, error.text);
    }
}

void mrfs_mv(struct mrfs *mrfs)
{
    struct slice destination;
    struct error error = {0};
    const char *last = mrfs->paths[mrfs->paths_count - 1];
    if (!mrfs_path(mrfs, last, &destination))
        return;
    if (mrfs->paths_count > 2) {
        struct dfs_file_status found;
        enum status status = dfs_get_status(mrfs->dfs, destination, mrfs->arena, &found, &error);
        if (status == OK && found.kind != FILE_DIRECTORY)
            status = error_set(&error, ERR_NOT_DIRECTORY,
                               "several files can be moved into a directory only");
        if (status != OK) {
            mrfs_complain(mrfs, last, status, error.text);
            return;
        }
    }
    for (size_t i = 0; i + 1 < mrfs->paths_count; i++) {
        struct slice source;
        if (!mrfs_path(mrfs, mrfs->paths[i], &source))
            continue;
        enum status status = dfs_rename(mrfs->dfs, source, destination, &error);
        if (status != OK)
            mrfs_complain(mrfs, mrfs->paths[i], status, error.text);
    }
}

void mrfs_rm(struct mrfs *mrfs)
{
    for (size_t i = 0; i < mrfs->paths_count; i++) {
        struct slice path;
        struct error error = {0};
        if (!mrfs_path(mrfs, mrfs->paths[i], &path))
            continue;
        if (path_is_root(path)) {
            mrfs_complain(mrfs, mrfs->paths[i], ERR_INVALID, "the root is not removed");
            continue;
        }
        struct dfs_file_status found;
        enum status status = dfs_get_status(mrfs->dfs, path, mrfs->arena, &found, &error);
        if (status == OK && found.kind == FILE_DIRECTORY && !mrfs->flags['r'])
            status = error_set(&error, ERR_IS_DIRECTORY, "is a directory; -r removes it");
        if (status == OK)
            status = dfs_delete(mrfs->dfs, path, mrfs->flags['r'], &error);
        if (status == ERR_NOT_FOUND && mrfs->flags['f'])
            continue;
        if (status != OK)
            mrfs_complain(mrfs, mrfs->paths[i], status, error.text);
    }
}

/* --- for a path, or everything from it down ----------------------------------------------------
 */

struct change {
    uint32_t mode;
    struct slice owner;
    struct slice group;
    bool is_mode;
};

static enum status change_one(struct mrfs *mrfs,
                              struct slice path,
                              const struct change *change,
                              struct error *reterr_error)
{
    if (change->is_mode)
        return dfs_set_permission(mrfs->dfs, path, change->mode, reterr_error);
    return dfs_set_owner(mrfs->dfs, path, change->owner, change->group, reterr_error);
}

/*
 * Children first, so that a mode that shuts a directory does not shut it before its children. The
 * depth of a path is limited (LIMIT_PATH_DEPTH), and so is this recursion.
 */
static void change_tree(struct mrfs *mrfs, struct slice path, const struct change *change)
{
    struct error error = {0};
    struct arena *arena = arena_open(0);
    struct dfs_file_status found;
    enum status status = dfs_get_status(mrfs->dfs, path, arena, &found, &error);
    const struct dfs_file_status *entries = NULL;
    size_t count = 0;
    if (status == OK && found.kind == FILE_DIRECTORY)
        status = dfs_list(mrfs->dfs, path, arena, &entries, &count, &error);
    for (size_t i = 0; i < count && status == OK; i++)
        change_tree(mrfs, path_append(path, entries[i].path, arena), change);
    if (status == OK)
        status = change_one(mrfs, path, change, &error);
    if (status != OK)
        mrfs_complain(mrfs, (const char *)arena_copy(arena, path).data, status, error.text);
    arena_close(arena);
}

static void change_all(struct mrfs *mrfs, const struct change *change)
{
    for (size_t i = 1; i < mrfs->paths_count; i++) {
        struct slice path;
        struct error error = {0};
        if (!mrfs_path(mrfs, mrfs->paths[i], &path))
            continue;
        if (mrfs->flags['R']) {
            change_tree(mrfs, path, change);
            continue;
        }
        enum status status = change_one(mrfs, path, change, &error);
        if (status != OK)
            mrfs_complain(mrfs, mrfs->paths[i], status, error.text);
    }
}

void mrfs_chmod(struct mrfs *mrfs)
{
    struct change change = {.is_mode = true};
    if (parse_mode(mrfs, mrfs->paths[0], &change.mode))
        change_all(mrfs, &change);
}

void mrfs_chown(struct mrfs *mrfs)
{
    struct slice text = slice_from_string(mrfs->paths[0]);
    size_t colon = slice_find(text, ':');
    struct change change = {.owner = slice_sub(text, 0, colon)};
    if (colon < text.length)
        change.group = slice_sub(text, colon + 1, text.length - colon - 1);
    if (change.owner.length == 0 && change.group.length == 0) {
        mrfs_complain(mrfs, mrfs->paths[0], ERR_INVALID, "expected OWNER, OWNER:GROUP or :GROUP");
        return;
    }
    change_all(mrfs, &change);
}
