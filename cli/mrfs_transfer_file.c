/*
 * mrfs_transfer_file.c - one file, in, out or within.
 */
#include <inttypes.h>
#include <stdio.h>

#include "cli/mrfs_transfer.h"
#include "lib/base/mem.h"
#include "lib/model/path.h"
#include "lib/model/text.h"
#include "lib/os/directory.h"
#include "lib/os/file.h"
#include "lib/os/host.h"

enum {
    COPY_BYTES = 1024 * 1024,
    WINDOW_BYTES = 4 * 1024 * 1024,
    NAME_KEPT_BYTES = 200 /* of a name, in the name of its temporary file */
};

static const char *text_of(struct slice slice)
{
    return (const char *)slice.data; /* strings of a transfer end in NUL: arena_copy */
}

static enum status say_interrupted(struct error *reterr_error)
{
    return error_set(reterr_error, ERR_CANCELLED, "interrupted; nothing of it is kept");
}

/* --- reading -----------------------------------------------------------------------------------
 */

enum status transfer_read(struct mrfs *mrfs,
                          struct slice path,
                          uint64_t offset,
                          uint64_t length_max,
                          struct transfer_progress *progress,
                          enum status (*take)(void *user, struct slice, struct error *),
                          void *user,
                          struct error *reterr_error)
{
    struct dfs_reader *reader;
    enum status status = dfs_reader_open(mrfs->dfs, path, 0, 0, &reader, reterr_error);
    if (status != OK)
        return status;
    uint64_t length = dfs_reader_length(reader);
    uint64_t at = offset < length ? offset : length;
    uint64_t end = length_max < length - at ? at + length_max : length;
    while (at < end && status == OK) {
        struct slice part;
        size_t wanted = end - at < WINDOW_BYTES ? (size_t)(end - at) : WINDOW_BYTES;
        status = dfs_reader_map(reader, at, wanted, &part, reterr_error);
        if (status == OK && mrfs_was_interrupted())
            status = say_interrupted(reterr_error);
        if (status == OK)
            status = take(user, part, reterr_error);
        if (status != OK)
            break;
        at += part.length;
        dfs_reader_forget(reader, at);
        transfer_progress_add(progress, part.length);
    }
    dfs_reader_close(reader);
    return status;
}

enum status transfer_take_to_file(void *user, struct slice part, struct error *reterr_error)
{
    return file_append(user, part, reterr_error);
}

enum status transfer_take_to_output(void *user, struct slice part, struct error *reterr_error)
{
    (void)user;
    if (fwrite(part.data, 1, part.length, stdout) != part.length)
        return error_set(reterr_error, ERR_IO, "standard output could not be written");
    return OK;
}

static enum status take_to_writer(void *user, struct slice part, struct error *reterr_error)
{
    return dfs_writer_write(user, part.data, part.length, reterr_error);
}

enum status transfer_fill(struct file *source,
                          struct dfs_writer *writer,
                          struct transfer_progress *progress,
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
        if (mrfs_was_interrupted())
            status = say_interrupted(reterr_error);
        if (status == OK)
            transfer_progress_add(progress, got);
    }
    mem_free(piece);
    return status;
}

/* --- into the filesystem -----------------------------------------------------------------------
 */

static struct slice temporary_path(struct slice path, struct arena *arena)
{
    struct slice name = text_cut(path_last_name(path), NAME_KEPT_BYTES);
    struct slice hidden =
        arena_format(arena, ".%.*s.mrfs-%016" PRIx64, SLICE_ARGS(name), host_random_u64());
    return path_append(path_directory(path), hidden, arena);
}

static enum status fill(struct mrfs *mrfs,
                        const struct transfer *transfer,
                        struct dfs_writer *writer,
                        struct transfer_progress *progress,
                        struct error *reterr_error)
{
    if (transfer->way == TRANSFER_WITHIN)
        return transfer_read(mrfs, transfer->source, 0, UINT64_MAX, progress, take_to_writer,
                             writer, reterr_error);
    struct file *source = NULL;
    enum status status = OK;
    if (slice_equal_string(transfer->source, "-"))
        source = file_adopt(0, "standard input");
    else
        status = file_open(text_of(transfer->source), FILE_MODE_READ, 0, &source, reterr_error);
    if (status == OK)
        status = transfer_fill(source, writer, progress, reterr_error);
    file_close(source);
    return status;
}

/* Takes back what was written under a name of our own. */
static void take_back(struct mrfs *mrfs, struct slice path)
{
    if (mrfs_was_interrupted())
        dfs_resume(mrfs->dfs);
    status_ignore(dfs_delete(mrfs->dfs, path, false, NULL)); /* the first failure is what matters */
}

/* Before the file has its name: readers never see it with other times or owners. */
static enum status preserve(struct mrfs *mrfs,
                            const struct transfer *transfer,
                            struct slice path,
                            struct error *reterr_error)
{
    enum status status = OK;
    if (transfer->owner.length > 0 || transfer->group.length > 0)
        status = dfs_set_owner(mrfs->dfs, path, transfer->owner, transfer->group, reterr_error);
    if (status != OK)
        return error_prefix(reterr_error, status, "-p keeps the owner");
    return dfs_set_times(mrfs->dfs, path, &transfer->modified_ms, &transfer->accessed_ms,
                         reterr_error);
}

static enum status write_in(struct mrfs *mrfs,
                            const struct transfer_settings *settings,
                            const struct transfer *transfer,
                            struct transfer_progress *progress,
                            struct arena *arena,
                            struct error *reterr_error)
{
    struct slice path = transfer->target;
    struct dfs_create_options options = settings->create;
    struct dfs_file_status old;
    enum status status = dfs_get_status(mrfs->dfs, path, arena, &old, reterr_error);
    if (status == OK && old.kind == FILE_DIRECTORY)
        return error_set(reterr_error, ERR_IS_DIRECTORY, "%.*s is a directory", SLICE_ARGS(path));
    if (status == OK && !settings->is_forced)
        return error_set(reterr_error, ERR_EXISTS, "%.*s exists; -f replaces it", SLICE_ARGS(path));
    if (status != OK && status != ERR_NOT_FOUND)
        return status;
    options.overwrite = status == OK;
    options.permission = transfer->permission;
    /* An old file stays until the new one is complete; a new name appears by a rename. */
    bool is_beside = !options.overwrite && !settings->is_direct;
    struct slice at = is_beside ? temporary_path(path, arena) : path;
    struct dfs_writer *writer = NULL;
    status = dfs_create(mrfs->dfs, at, &options, &writer, reterr_error);
    if (status != OK)
        return status;
    status = fill(mrfs, transfer, writer, progress, reterr_error);
    if (status == OK)
        status = dfs_writer_complete(writer, reterr_error);
    dfs_writer_close(writer); /* abandons it unless it is complete */
    if (status != OK)
        return status;
    if (settings->is_preserving)
        status = preserve(mrfs, transfer, at, reterr_error);
    if (!is_beside)
        return status;
    if (status == OK && mrfs_was_interrupted())
        status = say_interrupted(reterr_error);
    if (status == OK)
        status = dfs_rename(mrfs->dfs, at, path, reterr_error);
    if (status != OK)
        take_back(mrfs, at);
    return status;
}

/* --- out of the filesystem ---------------------------------------------------------------------
 */

const char *transfer_temporary(const char *local, struct arena *arena)
{
    struct slice name = arena_format(arena, ".mrfs-%016" PRIx64, host_random_u64());
    return path_join(arena, path_parent(arena, local), text_of(name));
}

static enum status write_out(struct mrfs *mrfs,
                             const struct transfer_settings *settings,
                             const struct transfer *transfer,
                             struct transfer_progress *progress,
                             struct arena *arena,
                             struct error *reterr_error)
{
    struct file_info info;
    const char *local = text_of(transfer->target);
    if (!settings->is_forced && file_info_get(local, false, &info, NULL) == OK)
        return error_set(reterr_error, ERR_EXISTS, "%s exists; -f replaces it", local);
    const char *temporary = transfer_temporary(local, arena);
    struct file *file;
    enum status status = file_open(temporary, FILE_MODE_CREATE_NEW, transfer->permission & 0777,
                                   &file, reterr_error);
    if (status != OK)
        return status;
    status = transfer_read(mrfs, transfer->source, 0, UINT64_MAX, progress, transfer_take_to_file,
                           file, reterr_error);
    file_close(file);
    if (status == OK && settings->is_preserving) /* whatever the umask says */
        status = file_set_permission(temporary, transfer->permission & 0777, reterr_error);
    if (status == OK && settings->is_preserving)
        status = file_set_times(temporary, (int64_t)transfer->accessed_ms,
                                (int64_t)transfer->modified_ms, reterr_error);
    if (status == OK)
        status = file_rename(temporary, local, reterr_error);
    if (status != OK)
        status_ignore(file_remove(temporary, NULL)); /* the first failure is the one to tell */
    return status;
}

enum status transfer_one(struct mrfs *mrfs,
                         const struct transfer_settings *settings,
                         const struct transfer *transfer,
                         struct transfer_progress *progress,
                         struct arena *arena,
                         struct error *reterr_error)
{
    if (transfer->way == TRANSFER_OUT)
        return write_out(mrfs, settings, transfer, progress, arena, reterr_error);
    enum status status = write_in(mrfs, settings, transfer, progress, arena, reterr_error);
    if (status == OK && settings->is_moving)
        status = file_remove(text_of(transfer->source), reterr_error);
    return status;
}
