/*
 * mrfs_get.c - files and directories out of the filesystem: get, moveToLocal.
 */
#include <string.h>

#include "cli/mrfs_transfer.h"
#include "lib/base/mem.h"
#include "lib/model/path.h"
#include "lib/os/directory.h"
#include "lib/os/file.h"

struct getting {
    struct mrfs *mrfs;
    struct transfer_settings settings;
    struct transfers *transfers;
    struct slice root;  /* of the tree that is walked */
    const char *local;  /* what root becomes */
    const char *target; /* the last argument */
    bool is_into;
    bool is_output;
    struct slice *done; /* every PATH, for moveToLocal */
    size_t done_count;
    size_t done_capacity;
};

/* One file or directory of the tree. Its names were made by others: none may lead out of local. */
static bool get_found(struct mrfs *mrfs,
                      struct slice path,
                      const struct dfs_file_status *file,
                      void *user)
{
    struct getting *getting = user;
    struct error error = {OK, ""};
    struct arena *arena = arena_open(0);
    struct slice below = slice_sub(path, getting->root.length, path.length - getting->root.length);
    const char *slash = below.length > 0 && below.data[0] != '/' ? "/" : "";
    struct slice local = arena_format(arena, "%s%s%.*s", getting->local, slash, SLICE_ARGS(below));
    struct transfer transfer = {
        .way = TRANSFER_OUT,
        .source = path,
        .target = local,
        .length = file->length,
        .permission = file->permission,
        .modified_ms = file->modified_ms,
        .accessed_ms = file->accessed_ms,
    };
    enum status status = OK;
    if (below.length > 0 && !path_is_plain_name(path_last_name(path)))
        status = error_set(&error, ERR_INVALID, "its name cannot be a local one");
    else if (file->kind == FILE_DIRECTORY)
        status = directory_make_all((const char *)local.data, 0755, &error);
    else
        transfers_add(getting->transfers, &transfer);
    if (status != OK)
        mrfs_complain(mrfs, path, status, error.text);
    arena_close(arena);
    return status == OK;
}

static enum status get_to_output(struct mrfs *mrfs,
                                 struct slice path,
                                 const struct dfs_file_status *found,
                                 struct error *reterr_error)
{
    if (found->kind == FILE_DIRECTORY)
        return error_set(reterr_error, ERR_IS_DIRECTORY, "is a directory");
    return transfer_read(mrfs, path, 0, UINT64_MAX, NULL, transfer_take_to_output, NULL,
                         reterr_error);
}

static void get_path(struct mrfs *mrfs, struct slice path, void *user)
{
    struct getting *getting = user;
    struct dfs_file_status found;
    struct error error = {OK, ""};
    if (!mrfs_status(mrfs, path, &found))
        return;
    if (getting->is_output) {
        enum status status = get_to_output(mrfs, path, &found, &error);
        if (status != OK)
            mrfs_complain(mrfs, path, status, error.text);
        return;
    }
    struct slice name = path_last_name(path);
    getting->local = getting->target;
    if (getting->is_into && name.length > 0)
        getting->local =
            (const char *)arena_format(mrfs->arena, "%s/%.*s", getting->target, SLICE_ARGS(name))
                .data;
    getting->root = path_is_root(path) ? slice_sub(path, 0, 0) : path;
    getting->done = mem_reserve(getting->done, getting->done_count, &getting->done_capacity,
                                sizeof(*getting->done));
    getting->done[getting->done_count++] = path;
    mrfs_walk(mrfs, path, &found, PARENTS_FIRST, get_found, getting);
}

/* How many paths the sources stand for decides whether LOCAL must be a folder. */
static size_t count_sources(struct mrfs *mrfs, size_t count, struct slice **ret_first)
{
    size_t sum = 0;
    if (count > 1)
        return count;
    mrfs_expand(mrfs, mrfs->words.arguments[0], ret_first, &sum);
    return sum;
}

static void get_all(struct mrfs *mrfs, bool is_moving)
{
    struct getting getting = {.mrfs = mrfs};
    struct file_info info;
    size_t count = mrfs->words.count;
    struct slice *first = NULL;
    getting.target = count > 1 ? mrfs_local_text(mrfs, mrfs->words.arguments[--count]) : ".";
    getting.is_output = strcmp(getting.target, "-") == 0 && !is_moving;
    getting.is_into = !getting.is_output &&
                      file_info_get(getting.target, true, &info, NULL) == OK && info.is_directory;
    if (!transfer_options(mrfs, &getting.settings))
        return;
    size_t sources = count_sources(mrfs, count, &first);
    if (sources > 1 && !getting.is_into && !getting.is_output) {
        mrfs_complain(mrfs, slice_from_string(getting.target), ERR_NOT_DIRECTORY,
                      "several files need a folder to go to");
        return;
    }
    getting.transfers = transfers_open(mrfs, &getting.settings);
    for (size_t i = 0; i < sources && count == 1 && !mrfs_was_interrupted(); i++)
        get_path(mrfs, first[i], &getting);
    if (count > 1)
        mrfs_each(mrfs, 0, count, get_path, &getting);
    bool is_done = transfers_close(getting.transfers) && !mrfs->has_failed;
    for (size_t i = 0; i < getting.done_count && is_done && is_moving; i++) {
        struct error error = {OK, ""};
        enum status status = dfs_delete(mrfs->dfs, getting.done[i], true, &error);
        if (status != OK)
            mrfs_complain(mrfs, getting.done[i], status, error.text);
    }
    mem_free(getting.done);
}

void mrfs_get(struct mrfs *mrfs)
{
    get_all(mrfs, false);
}

void mrfs_move_to_local(struct mrfs *mrfs)
{
    get_all(mrfs, true);
}
