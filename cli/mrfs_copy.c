/*
 * mrfs_copy.c - commands that move bytes: put, get, cat.
 * A file appears under its name when all of it is there: put writes beside it and renames (or, with
 * -f over an old file, lets the namenode replace it at the end); get does the same locally.
 */
#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/mrfs.h"
#include "lib/base/mem.h"
#include "lib/daemon/settings.h"
#include "lib/model/limits.h"
#include "lib/model/path.h"
#include "lib/model/text.h"
#include "lib/os/clock.h"
#include "lib/os/directory.h"
#include "lib/os/file.h"
#include "lib/os/host.h"
#include "lib/os/signals.h"

enum {
    COPY_BYTES = 1024 * 1024,
    WINDOW_BYTES = 4 * 1024 * 1024,
    PROGRESS_MS = 100,
    NAME_KEPT_BYTES = 200 /* of a name, in the name of its temporary file */
};

/* --- progress ----------------------------------------------------------------------------------
 */

struct progress {
    struct mrfs *mrfs;
    const char *name;
    uint64_t total; /* 0: unknown */
    int64_t next_ms;
    bool is_shown;
};

static void progress_show(struct progress *progress, uint64_t done)
{
    if (!progress->mrfs->is_terminal || clock_monotonic_ms() < progress->next_ms)
        return;
    progress->next_ms = clock_monotonic_ms() + PROGRESS_MS;
    progress->is_shown = true;
    fprintf(stderr, "\r\033[K%s  %s", text_quote(slice_from_string(progress->name)).text,
            mrfs_bytes_text(done, 0));
    if (progress->total > 0)
        fprintf(stderr, " of %s  %" PRIu64 " %%", mrfs_bytes_text(progress->total, 1),
                done * 100 / progress->total);
    fflush(stderr);
}

static void progress_end(const struct progress *progress)
{
    if (progress->is_shown)
        fprintf(stderr, "\r\033[K");
}

/* --- put ---------------------------------------------------------------------------------------
 */

static atomic_bool is_interrupted;

static void interrupted(void *user, enum signal_kind kind)
{
    if (kind != SIGNAL_STOP)
        return;
    if (atomic_exchange(&is_interrupted, true))
        quick_exit(MRFS_INTERRUPTED); /* the second time: at once, whatever is left behind */
    dfs_cancel(user);
}

static enum status copy_in(struct file *source,
                           struct dfs_writer *writer,
                           struct progress *progress,
                           struct error *reterr_error)
{
    uint8_t *piece = mem_try_array(COPY_BYTES, 1);
    if (piece == NULL)
        return error_set(reterr_error, ERR_NO_MEMORY, "no memory to copy with");
    enum status status = OK;
    size_t got = COPY_BYTES;
    while (status == OK && got > 0) {
        status = file_read_next(source, piece, COPY_BYTES, &got, reterr_error);
        if (status == OK && got > 0)
            status = dfs_writer_write(writer, piece, got, reterr_error);
        if (atomic_load(&is_interrupted))
            status = error_set(reterr_error, ERR_CANCELLED, "interrupted; nothing of it is kept");
        progress_show(progress, dfs_writer_length(writer));
    }
    mem_free(piece);
    return status;
}

static bool create_options(struct mrfs *mrfs, struct dfs_create_options *ret_options)
{
    uint64_t value = 0;
    struct error error = {0};
    enum status status = OK;
    *ret_options = (struct dfs_create_options){.create_parents = mrfs->flags['p']};
    if (mrfs->flags[KEY_REPLICATION]) {
        const char *text = mrfs->values[KEY_REPLICATION];
        if (!slice_parse_u64(slice_from_string(text), &value) || value < 1 ||
            value > LIMIT_REPLICAS) {
            mrfs_complain(mrfs, text, ERR_INVALID, "--replication is a number from 1 to 16");
            return false;
        }
        ret_options->replication = (uint32_t)value;
    }
    if (mrfs->flags[KEY_BLOCK_SIZE]) {
        const char *text = mrfs->values[KEY_BLOCK_SIZE];
        status = setting_parse(SETTING_BYTES, slice_from_string(text), &value, &error);
        if (status != OK || value < LIMIT_BLOCK_BYTES_MIN || value > LIMIT_BLOCK_BYTES) {
            mrfs_complain(mrfs, text, ERR_INVALID, "--block-size is from 1k to 1g");
            return false;
        }
        ret_options->block_size = value;
    }
    return true;
}

static struct slice temporary_path(struct mrfs *mrfs, struct slice path)
{
    struct slice name = text_cut(path_last_name(path), NAME_KEPT_BYTES);
    struct slice hidden =
        arena_format(mrfs->arena, ".%.*s.mrfs-%016" PRIx64, SLICE_ARGS(name), host_random_u64());
    return path_append(path_directory(path), hidden, mrfs->arena);
}

/* Writes source to path; on failure nothing of it is left. */
static enum status put_stream(struct mrfs *mrfs,
                              struct file *source,
                              const char *name,
                              const struct file_info *info,
                              struct slice path,
                              struct error *reterr_error)
{
    struct dfs_create_options options;
    struct dfs_file_status old;
    if (!create_options(mrfs, &options))
        return error_set(reterr_error, ERR_INVALID, "not copied");
    enum status status = dfs_get_status(mrfs->dfs, path, mrfs->arena, &old, reterr_error);
    if (status == OK && old.kind == FILE_DIRECTORY)
        return error_set(reterr_error, ERR_IS_DIRECTORY, "%.*s is a directory", SLICE_ARGS(path));
    if (status == OK && !mrfs->flags['f'])
        return error_set(reterr_error, ERR_EXISTS, "%.*s exists; -f replaces it", SLICE_ARGS(path));
    if (status != OK && status != ERR_NOT_FOUND)
        return status;
    options.overwrite = status == OK;
    options.permission = info->permission & 0777;
    /* An old file stays until the new one is complete; a new name appears by a rename. */
    struct slice at = options.overwrite ? path : temporary_path(mrfs, path);
    struct progress progress = {.mrfs = mrfs, .name = name, .total = info->bytes};
    struct dfs_writer *writer = NULL;
    status = dfs_create(mrfs->dfs, at, &options, &writer, reterr_error);
    if (status != OK)
        return status;
    status = copy_in(source, writer, &progress, reterr_error);
    if (status == OK)
        status = dfs_writer_complete(writer, reterr_error);
    progress_end(&progress);
    dfs_writer_close(writer); /* abandons it unless it is complete */
    if (status != OK || options.overwrite)
        return status;
    if (atomic_load(&is_interrupted))
        status = error_set(reterr_error, ERR_CANCELLED, "interrupted; nothing of it is kept");
    if (status == OK)
        status = dfs_rename(mrfs->dfs, at, path, reterr_error);
    if (status != OK) {
        dfs_resume(mrfs->dfs);
        enum status removed = dfs_delete(mrfs->dfs, at, false, NULL);
        (void)removed; /* the first failure is what matters; the name says what is left */
    }
    return status;
}

static void put_file(struct mrfs *mrfs, const char *local, struct slice path)
{
    struct error error = {0};
    struct file_info info = {.permission = 0644};
    struct file *source = NULL;
    enum status status = OK;
    if (strcmp(local, "-") == 0) {
        source = file_adopt(0, "standard input");
    } else {
        status = file_open(local, FILE_MODE_READ, 0, &source, &error);
        if (status == OK)
            status = file_info_get(local, true, &info, &error);
    }
    if (status == OK)
        status = put_stream(mrfs, source, local, &info, path, &error);
    if (status != OK)
        mrfs_complain(mrfs, local, status, error.text);
    file_close(source);
}

static void put_any(struct mrfs *mrfs, const char *local, struct slice path, unsigned depth);

static void put_folder(struct mrfs *mrfs, const char *local, struct slice path, unsigned depth)
{
    struct error error = {0};
    struct arena *arena = arena_open(0);
    struct slice *names = NULL;
    size_t count = 0;
    enum status status = directory_list(local, arena, &names, &count, &error);
    if (status == OK && depth > LIMIT_PATH_DEPTH)
        status = error_set(&error, ERR_LIMIT, "the folders are nested too deeply");
    if (status == OK)
        status = dfs_mkdirs(mrfs->dfs, path, 0755, true, &error);
    if (status != OK)
        mrfs_complain(mrfs, local, status, error.text);
    for (size_t i = 0; i < count && status == OK && !atomic_load(&is_interrupted); i++) {
        const char *below =
            (const char *)arena_format(arena, "%s/%.*s", local, SLICE_ARGS(names[i])).data;
        if (path_check_name(names[i], &error) != OK) {
            mrfs_complain(mrfs, below, ERR_INVALID, error.text);
            continue;
        }
        put_any(mrfs, below, path_append(path, names[i], arena), depth + 1);
    }
    arena_close(arena);
}

/* Links to files are followed, links to folders are not: they may lead in a circle. */
static void put_any(struct mrfs *mrfs, const char *local, struct slice path, unsigned depth)
{
    struct error error = {0};
    struct file_info info;
    struct file_info link;
    enum status status = file_info_get(local, true, &info, &error);
    if (status == OK)
        status = file_info_get(local, false, &link, &error);
    if (status != OK) {
        mrfs_complain(mrfs, local, status, error.text);
    } else if (info.is_directory && link.is_symlink && depth > 0) {
        mrfs_complain(mrfs, local, ERR_INVALID, "a link to a folder is not followed");
    } else if (info.is_directory && !mrfs->flags['r']) {
        mrfs_complain(mrfs, local, ERR_IS_DIRECTORY, "is a folder; -r copies it");
    } else if (info.is_directory) {
        put_folder(mrfs, local, path, depth);
    } else if (!info.is_regular && depth > 0) {
        mrfs_complain(mrfs, local, ERR_INVALID, "is no plain file");
    } else {
        put_file(mrfs, local, path);
    }
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

static void put_all(struct mrfs *mrfs, struct slice destination, bool is_into)
{
    for (size_t i = 0; i + 1 < mrfs->paths_count && !atomic_load(&is_interrupted); i++) {
        const char *local = mrfs->paths[i];
        struct slice path = destination;
        struct error error = {0};
        bool is_input = strcmp(local, "-") == 0;
        if (is_into && is_input) {
            mrfs_complain(mrfs, local, ERR_IS_DIRECTORY, "standard input needs a name to go to");
            continue;
        }
        if (is_into) {
            struct slice name = local_name(local);
            enum status status = path_check_name(name, &error);
            path = path_append(destination, name, mrfs->arena);
            if (status == OK)
                status = path_check(path, &error);
            if (status != OK) {
                mrfs_complain(mrfs, local, status, error.text);
                continue;
            }
        }
        if (is_input)
            put_file(mrfs, local, path);
        else
            put_any(mrfs, local, path, 0);
    }
}

void mrfs_put(struct mrfs *mrfs)
{
    const char *last = mrfs->paths[mrfs->paths_count - 1];
    struct slice destination;
    struct dfs_file_status found;
    struct error error = {0};
    struct signal_watcher *watcher = NULL;
    struct dfs_create_options options;
    if (!mrfs_path(mrfs, last, &destination) || !create_options(mrfs, &options))
        return;
    enum status status = signal_watcher_open(interrupted, mrfs->dfs, &watcher, &error);
    if (status == OK)
        status = dfs_get_status(mrfs->dfs, destination, mrfs->arena, &found, &error);
    bool is_into = status == OK && found.kind == FILE_DIRECTORY;
    if (status == ERR_NOT_FOUND)
        status = OK;
    if (status == OK && mrfs->paths_count > 2 && !is_into)
        status = error_set(&error, ERR_NOT_DIRECTORY,
                           "several files can be copied into a directory only");
    if (status == OK)
        put_all(mrfs, destination, is_into);
    else
        mrfs_complain(mrfs, last, status, error.text);
    signal_watcher_close(watcher);
    mrfs->is_interrupted = atomic_load(&is_interrupted);
}

/* --- get and cat -------------------------------------------------------------------------------
 */

/* Hands all bytes of path to a function. */
static enum status read_through(struct mrfs *mrfs,
                                const char *name,
                                struct slice path,
                                enum status (*take)(void *user, struct slice, struct error *),
                                void *user,
                                struct error *reterr_error)
{
    struct dfs_reader *reader;
    enum status status = dfs_reader_open(mrfs->dfs, path, 0, 0, &reader, reterr_error);
    if (status != OK)
        return status;
    uint64_t length = dfs_reader_length(reader);
    struct progress progress = {.mrfs = mrfs, .name = name, .total = length};
    uint64_t at = 0;
    while (at < length && status == OK) {
        struct slice part;
        status = dfs_reader_map(reader, at, WINDOW_BYTES, &part, reterr_error);
        if (status != OK)
            break;
        status = take(user, part, reterr_error);
        at += part.length;
        dfs_reader_forget(reader, at);
        progress_show(&progress, at);
    }
    progress_end(&progress);
    dfs_reader_close(reader);
    return status;
}

static enum status take_to_file(void *user, struct slice part, struct error *reterr_error)
{
    return file_append(user, part, reterr_error);
}

static enum status take_to_output(void *user, struct slice part, struct error *reterr_error)
{
    (void)user;
    if (fwrite(part.data, 1, part.length, stdout) != part.length)
        return error_set(reterr_error, ERR_IO, "standard output could not be written");
    return OK;
}

static enum status get_to_file(struct mrfs *mrfs,
                               const char *name,
                               struct slice path,
                               const char *local,
                               uint32_t permission,
                               struct error *reterr_error)
{
    struct file_info info;
    if (!mrfs->flags['f'] && file_info_get(local, false, &info, NULL) == OK)
        return error_set(reterr_error, ERR_EXISTS, "%s exists; -f replaces it", local);
    const char *temporary =
        (const char *)arena_format(mrfs->arena, "%s.mrfs-%016" PRIx64, local, host_random_u64())
            .data;
    struct file *file;
    enum status status =
        file_open(temporary, FILE_MODE_CREATE_NEW, permission & 0777, &file, reterr_error);
    if (status != OK)
        return status;
    status = read_through(mrfs, name, path, take_to_file, file, reterr_error);
    file_close(file);
    if (status == OK)
        status = file_rename(temporary, local, reterr_error);
    if (status != OK) {
        enum status removed = file_remove(temporary, NULL);
        (void)removed; /* the first failure is the one to tell */
    }
    return status;
}

static void get_any(struct mrfs *mrfs,
                    const char *name,
                    struct slice path,
                    const struct dfs_file_status *found,
                    const char *local)
{
    struct error error = {0};
    enum status status = OK;
    if (found->kind == FILE_REGULAR) {
        status = get_to_file(mrfs, name, path, local, found->permission, &error);
        if (status != OK)
            mrfs_complain(mrfs, name, status, error.text);
        return;
    }
    struct arena *arena = arena_open(0);
    const struct dfs_file_status *entries = NULL;
    size_t count = 0;
    if (!mrfs->flags['r'])
        status = error_set(&error, ERR_IS_DIRECTORY, "is a directory; -r copies it");
    if (status == OK)
        status = directory_make_all(local, 0755, &error);
    if (status == OK)
        status = dfs_list(mrfs->dfs, path, arena, &entries, &count, &error);
    if (status != OK)
        mrfs_complain(mrfs, name, status, error.text);
    for (size_t i = 0; i < count && status == OK; i++) {
        struct slice below = path_append(path, entries[i].path, arena);
        const char *below_name = (const char *)arena_copy(arena, below).data;
        if (!path_is_plain_name(entries[i].path)) { /* it must not lead out of the folder */
            mrfs_complain(mrfs, below_name, ERR_INVALID, "its name cannot be a local one");
            continue;
        }
        const char *below_local =
            (const char *)arena_format(arena, "%s/%.*s", local, SLICE_ARGS(entries[i].path)).data;
        get_any(mrfs, below_name, below, &entries[i], below_local);
    }
    arena_close(arena);
}

/* One PATH to LOCAL, which is a folder (is_into) or the new name. */
static void get_one(struct mrfs *mrfs, const char *name, const char *local, bool is_into)
{
    struct slice path;
    struct error error = {0};
    struct dfs_file_status found;
    if (!mrfs_path(mrfs, name, &path))
        return;
    enum status status = dfs_get_status(mrfs->dfs, path, mrfs->arena, &found, &error);
    if (status == OK && strcmp(local, "-") == 0) {
        if (found.kind == FILE_DIRECTORY)
            status = error_set(&error, ERR_IS_DIRECTORY, "is a directory");
        else
            status = read_through(mrfs, name, path, take_to_output, NULL, &error);
    } else if (status == OK) {
        struct slice last = path_last_name(path);
        if (is_into && last.length > 0)
            local =
                (const char *)arena_format(mrfs->arena, "%s/%.*s", local, SLICE_ARGS(last)).data;
        get_any(mrfs, name, path, &found, local);
    }
    if (status != OK)
        mrfs_complain(mrfs, name, status, error.text);
}

void mrfs_get(struct mrfs *mrfs)
{
    const char *local = mrfs->paths[mrfs->paths_count - 1];
    struct file_info info;
    bool is_output = strcmp(local, "-") == 0;
    bool is_into = !is_output && file_info_get(local, true, &info, NULL) == OK && info.is_directory;
    if (mrfs->paths_count > 2 && !is_into && !is_output) {
        mrfs_complain(mrfs, local, ERR_NOT_DIRECTORY, "several files need a folder to go to");
        return;
    }
    for (size_t i = 0; i + 1 < mrfs->paths_count; i++)
        get_one(mrfs, mrfs->paths[i], local, is_into);
}

void mrfs_cat(struct mrfs *mrfs)
{
    for (size_t i = 0; i < mrfs->paths_count; i++)
        get_one(mrfs, mrfs->paths[i], "-", false);
}
