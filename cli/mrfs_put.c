/*
 * mrfs_put.c - local files and folders into the filesystem: put, moveFromLocal.
 */
#include <stdio.h>
#include <string.h>

#include "cli/mrfs_transfer.h"
#include "lib/model/limits.h"
#include "lib/model/path.h"
#include "lib/os/directory.h"
#include "lib/os/file.h"
#include "lib/os/host.h"

struct putting {
    struct mrfs *mrfs;
    struct transfer_settings settings;
    struct transfers *transfers;
};

static void put_file(struct putting *putting,
                     const char *local,
                     const struct file_info *info,
                     struct slice path)
{
    struct transfer transfer = {
        .way = TRANSFER_IN,
        .source = slice_from_string(local),
        .target = path,
        .length = info->bytes,
        .permission = info->permission & 0777,
        .modified_ms = (uint64_t)info->modified_ms,
        .accessed_ms = (uint64_t)info->accessed_ms,
    };
    struct mrfs *mrfs = putting->mrfs;
    if (putting->settings.is_preserving && info->uid != host_uid())
        transfer.owner = slice_from_string(host_user_name(mrfs->arena, info->uid));
    transfers_add(putting->transfers, &transfer);
}

static void put_any(struct putting *putting, const char *local, struct slice path, unsigned depth);

static void put_folder(struct putting *putting,
                       const char *local,
                       struct slice path,
                       unsigned depth)
{
    struct mrfs *mrfs = putting->mrfs;
    struct error error = {OK, ""};
    struct arena *arena = arena_open(0);
    struct slice *names = NULL;
    size_t count = 0;
    enum status status = directory_list(local, arena, &names, &count, &error);
    if (status == OK && depth > LIMIT_PATH_DEPTH)
        status = error_set(&error, ERR_LIMIT, "the folders are nested too deeply");
    if (status == OK)
        status = dfs_mkdirs(mrfs->dfs, path, 0755, true, &error);
    if (status != OK)
        mrfs_complain(mrfs, slice_from_string(local), status, error.text);
    for (size_t i = 0; i < count && status == OK && !mrfs_was_interrupted(); i++) {
        const char *below =
            (const char *)arena_format(arena, "%s/%.*s", local, SLICE_ARGS(names[i])).data;
        struct slice path_below = path_append(path, names[i], arena);
        if (path_check_name(names[i], &error) != OK || path_check(path_below, &error) != OK) {
            mrfs_complain(mrfs, slice_from_string(below), ERR_INVALID, error.text);
            continue;
        }
        put_any(putting, below, path_below, depth + 1);
    }
    arena_close(arena);
}

/* Links to files are followed, links to folders are not: they may lead in a circle. */
static void put_any(struct putting *putting, const char *local, struct slice path, unsigned depth)
{
    struct mrfs *mrfs = putting->mrfs;
    struct error error = {OK, ""};
    struct file_info info;
    struct file_info link;
    enum status status = file_info_get(local, true, &info, &error);
    if (status == OK)
        status = file_info_get(local, false, &link, &error);
    if (status == OK && info.is_directory && link.is_symlink && depth > 0)
        status = error_set(&error, ERR_INVALID, "a link to a folder is not followed");
    else if (status == OK && !info.is_directory && !info.is_regular && depth > 0)
        status = error_set(&error, ERR_INVALID, "is no plain file");
    if (status != OK)
        mrfs_complain(mrfs, slice_from_string(local), status, error.text);
    else if (info.is_directory)
        put_folder(putting, local, path, depth);
    else
        put_file(putting, local, &info, path);
}

/* The name a local path has: its last part, without slashes at the end. */
static struct slice local_name(const char *local)
{
    struct slice name = slice_from_string(local);
    while (name.length > 1 && name.data[name.length - 1] == '/')
        name.length--;
    for (size_t i = name.length; i > 0; i--) {
        if (name.data[i - 1] == '/')
            return slice_sub(name, i, name.length - i);
    }
    return name;
}

/* "put . /a" and "put .. /a" name what they stand for. */
static struct slice target_name(struct mrfs *mrfs, const char *local)
{
    struct slice name = local_name(local);
    const char *absolute = NULL;
    if (slice_equal_string(name, ".") && path_absolute(mrfs->arena, ".", &absolute, NULL) == OK)
        return local_name(absolute);
    return name;
}

static void put_one(struct putting *putting,
                    const char *local,
                    struct slice destination,
                    bool is_into)
{
    struct mrfs *mrfs = putting->mrfs;
    struct error error = {OK, ""};
    struct file_info input = {.permission = 0644};
    bool is_input = strcmp(local, "-") == 0;
    struct slice path = destination;
    enum status status = OK;
    if (is_into && is_input) {
        status = error_set(&error, ERR_IS_DIRECTORY, "standard input needs a name to go to");
    } else if (is_into) {
        struct slice name = target_name(mrfs, local);
        status = path_check_name(name, &error);
        path = path_append(destination, name, mrfs->arena);
        if (status == OK)
            status = path_check(path, &error);
    }
    if (status != OK)
        mrfs_complain(mrfs, slice_from_string(local), status, error.text);
    else if (is_input)
        put_file(putting, local, &input, path);
    else
        put_any(putting, local, path, 0);
}

/* What is left of the folders that were moved. */
static void remove_empty_folders(struct mrfs *mrfs, const char *local, unsigned depth)
{
    struct file_info info;
    struct slice *names = NULL;
    size_t count = 0;
    struct error error = {OK, ""};
    struct arena *arena = arena_open(0);
    if (file_info_get(local, false, &info, NULL) == OK && info.is_directory &&
        depth <= LIMIT_PATH_DEPTH && directory_list(local, arena, &names, &count, NULL) == OK) {
        for (size_t i = 0; i < count; i++)
            remove_empty_folders(
                mrfs,
                (const char *)arena_format(arena, "%s/%.*s", local, SLICE_ARGS(names[i])).data,
                depth + 1);
        enum status status = directory_remove(local, &error);
        if (status != OK)
            mrfs_complain(mrfs, slice_from_string(local), status, error.text);
    }
    arena_close(arena);
}

static void put_all(struct mrfs *mrfs, bool is_moving)
{
    struct putting putting = {.mrfs = mrfs};
    struct slice destination;
    struct dfs_file_status found;
    struct error error = {OK, ""};
    size_t count = mrfs->words.count;
    const char *last = count > 1 ? mrfs->words.arguments[--count] : ".";
    if (!transfer_options(mrfs, &putting.settings) || !mrfs_path(mrfs, last, &destination))
        return;
    putting.settings.is_moving = is_moving;
    enum status status = dfs_get_status(mrfs->dfs, destination, mrfs->arena, &found, &error);
    bool is_into = status == OK && found.kind == FILE_DIRECTORY;
    if (status == ERR_NOT_FOUND)
        status = OK;
    if (status == OK && count > 1 && !is_into)
        status = error_set(&error, ERR_NOT_DIRECTORY,
                           "several files can be copied into a directory only");
    if (status != OK) {
        mrfs_complain(mrfs, slice_from_string(last), status, error.text);
        return;
    }
    putting.transfers = transfers_open(mrfs, &putting.settings);
    for (size_t i = 0; i < count && !mrfs_was_interrupted(); i++)
        put_one(&putting, mrfs_local_text(mrfs, mrfs->words.arguments[i]), destination, is_into);
    bool is_done = transfers_close(putting.transfers) && !mrfs->has_failed;
    for (size_t i = 0; i < count && is_done && is_moving; i++)
        remove_empty_folders(mrfs, mrfs_local_text(mrfs, mrfs->words.arguments[i]), 0);
}

void mrfs_put(struct mrfs *mrfs)
{
    put_all(mrfs, false);
}

void mrfs_move_from_local(struct mrfs *mrfs)
{
    for (size_t i = 0; i < mrfs->words.count; i++) {
        if (strcmp(mrfs->words.arguments[i], "-") == 0) {
            mrfs_complain(mrfs, slice_from_string("-"), ERR_INVALID,
                          "standard input can be copied, not moved");
            return;
        }
    }
    put_all(mrfs, true);
}
