/*
 * mrfs_cp.c - copies within the filesystem.
 */
#include <string.h>

#include "cli/mrfs_transfer.h"
#include "lib/model/path.h"

struct copying {
    struct mrfs *mrfs;
    struct transfer_settings settings;
    struct transfers *transfers;
    struct slice root; /* of the tree that is walked */
    struct slice onto; /* what root becomes */
    struct slice destination;
    bool is_into;
};

static struct slice target_of(const struct copying *copying, struct slice path, struct arena *arena)
{
    struct slice below = slice_sub(path, copying->root.length, path.length - copying->root.length);
    struct slice onto =
        path_is_root(copying->onto) ? slice_sub(copying->onto, 0, 0) : copying->onto;
    if (below.length == 0)
        return copying->onto;
    return arena_format(arena, "%.*s%s%.*s", SLICE_ARGS(onto), below.data[0] == '/' ? "" : "/",
                        SLICE_ARGS(below));
}

static bool copy_found(struct mrfs *mrfs,
                       struct slice path,
                       const struct dfs_file_status *file,
                       void *user)
{
    struct copying *copying = user;
    struct error error = {OK, ""};
    struct arena *arena = arena_open(0);
    struct slice target = target_of(copying, path, arena);
    enum status status = path_check(target, &error);
    if (status == OK && file->kind == FILE_DIRECTORY) {
        uint32_t mode = copying->settings.is_preserving ? file->permission : 0755;
        status = dfs_mkdirs(mrfs->dfs, target, mode, true, &error);
    } else if (status == OK) {
        struct transfer transfer = {
            .way = TRANSFER_WITHIN,
            .source = path,
            .target = target,
            .length = file->length,
            .permission = file->permission,
            .modified_ms = file->modified_ms,
            .accessed_ms = file->accessed_ms,
        };
        if (copying->settings.is_preserving && !slice_equal(file->owner, mrfs->user))
            transfer.owner = file->owner;
        if (copying->settings.is_preserving)
            transfer.group = file->group;
        transfers_add(copying->transfers, &transfer);
    }
    if (status != OK)
        mrfs_complain(mrfs, path, status, error.text);
    arena_close(arena);
    return status == OK;
}

static void copy_path(struct mrfs *mrfs, struct slice path, void *user)
{
    struct copying *copying = user;
    struct dfs_file_status found;
    struct error error = {OK, ""};
    enum status status = OK;
    if (!mrfs_status(mrfs, path, &found))
        return;
    copying->root = path_is_root(path) ? slice_sub(path, 0, 0) : path;
    copying->onto = copying->destination;
    if (copying->is_into && !path_is_root(path))
        copying->onto = path_append(copying->destination, path_last_name(path), mrfs->arena);
    if (slice_equal(copying->onto, path))
        status = error_set(&error, ERR_EXISTS, "cannot be copied onto itself");
    else if (found.kind == FILE_DIRECTORY && path_is_within(copying->onto, path))
        status = error_set(&error, ERR_INVALID, "cannot be copied below itself, to %.*s",
                           SLICE_ARGS(copying->onto));
    if (status != OK)
        mrfs_complain(mrfs, path, status, error.text);
    else
        mrfs_walk(mrfs, path, &found, PARENTS_FIRST, copy_found, copying);
}

void mrfs_cp(struct mrfs *mrfs)
{
    struct copying copying = {.mrfs = mrfs};
    struct dfs_file_status found;
    struct error error = {OK, ""};
    size_t count = mrfs->words.count - 1;
    const char *last = mrfs->words.arguments[count];
    struct slice *paths = NULL;
    size_t sources = count;
    if (!transfer_options(mrfs, &copying.settings) || !mrfs_path(mrfs, last, &copying.destination))
        return;
    if (count == 1)
        mrfs_expand(mrfs, mrfs->words.arguments[0], &paths, &sources);
    enum status status =
        dfs_get_status(mrfs->dfs, copying.destination, mrfs->arena, &found, &error);
    copying.is_into = status == OK && found.kind == FILE_DIRECTORY;
    if (status == ERR_NOT_FOUND)
        status = OK;
    if (status == OK && sources > 1 && !copying.is_into)
        status = error_set(&error, ERR_NOT_DIRECTORY,
                           "several files can be copied into a directory only");
    if (status != OK) {
        mrfs_complain(mrfs, slice_from_string(last), status, error.text);
        return;
    }
    copying.transfers = transfers_open(mrfs, &copying.settings);
    for (size_t i = 0; i < sources && count == 1; i++)
        copy_path(mrfs, paths[i], &copying);
    if (count > 1)
        mrfs_each(mrfs, 0, count, copy_path, &copying);
    (void)transfers_close(copying.transfers); /* what failed was complained of */
}
