/*
 * file_names.c - whole files and the names of files: read, replace, rename, link, copy, remove.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "lib/os/calls.h"
#include "lib/os/directory.h"
#include "lib/os/file.h"

enum {
    COPY_BYTES = 1 << 20,
    READ_BYTES = 64 << 10
};

enum status file_info_get(const char *path,
                          bool follow_symlink,
                          struct file_info *ret_info,
                          struct error *reterr_error)
{
    struct stat info;
    int result = follow_symlink ? os_stat(path, &info) : os_lstat(path, &info);
    if (result != 0)
        return error_set_errno(reterr_error, errno, "look at %s", path);
    *ret_info = (struct file_info){
        .bytes = (uint64_t)info.st_size,
        .modified_ms = (int64_t)info.st_mtim.tv_sec * 1000 + info.st_mtim.tv_nsec / 1000000,
        .accessed_ms = (int64_t)info.st_atim.tv_sec * 1000 + info.st_atim.tv_nsec / 1000000,
        .device = (uint64_t)info.st_dev,
        .inode = (uint64_t)info.st_ino,
        .uid = (uint32_t)info.st_uid,
        .permission = (unsigned)info.st_mode & 07777u,
        .is_directory = S_ISDIR(info.st_mode),
        .is_regular = S_ISREG(info.st_mode),
        .is_symlink = S_ISLNK(info.st_mode),
    };
    return OK;
}

/* By read, not by size: files of /proc have size 0. */
enum status file_read_whole(const char *path, struct buf *buf, struct error *reterr_error)
{
    struct file *file = NULL;
    enum status status = file_open(path, FILE_MODE_READ, 0, &file, reterr_error);
    if (status != OK)
        return status;
    size_t length_before = buf->length;
    uint8_t *block = mem_try_array(READ_BYTES, 1);
    if (block == NULL) {
        status = error_set(reterr_error, ERR_NO_MEMORY, "read %s: out of memory", path);
        goto fail;
    }
    for (;;) {
        size_t got = 0;
        status =
            file_read_at(file, buf->length - length_before, block, READ_BYTES, &got, reterr_error);
        if (status != OK)
            goto fail;
        if (got == 0)
            break;
        status = buf_append(buf, block, got);
        if (status != OK) {
            status = error_set(reterr_error, status, "read %s: %s after %zu bytes", path,
                               status_sentence(status), buf->length - length_before);
            goto fail;
        }
    }
fail:
    mem_free(block);
    file_close(file);
    return status;
}

/* Writes content to a new file at path and syncs it; removes it again on failure. */
static enum status write_synced(const char *path,
                                struct slice content,
                                unsigned permission,
                                struct error *reterr_error)
{
    struct file *file = NULL;
    enum status status = file_open(path, FILE_MODE_TRUNCATE, permission, &file, reterr_error);
    if (status != OK)
        return status;
    /* A left-over of a crash may have another permission. */
    if (os_fchmod(file_descriptor(file), (mode_t)permission) != 0)
        status = error_set_errno(reterr_error, errno, "change mode of %s", path);
    if (status == OK)
        status = file_write_at(file, 0, content, reterr_error);
    if (status == OK)
        status = file_sync(file, reterr_error);
    file_close(file);
    if (status != OK)
        (void)os_unlink(path); /* the first failure is the one to tell */
    return status;
}

enum status file_replace(const char *path,
                         struct slice content,
                         unsigned permission,
                         struct error *reterr_error)
{
    struct arena *arena = arena_open(0);
    const char *temporary = (const char *)arena_format(arena, "%s.tmp", path).data;
    enum status status = write_synced(temporary, content, permission, reterr_error);
    if (status == OK) {
        status = file_rename(temporary, path, reterr_error);
        if (status != OK)
            (void)os_unlink(temporary); /* the rename's failure is the one to tell */
    }
    if (status == OK)
        status = directory_sync_parent(path, reterr_error);
    arena_close(arena);
    return status;
}

enum status file_create_whole(const char *path,
                              struct slice content,
                              unsigned permission,
                              struct error *reterr_error)
{
    struct arena *arena = arena_open(0);
    /* Several may try at once, so each writes a file of its own; link lets one of them win. */
    const char *temporary =
        (const char *)arena_format(arena, "%s.%ld.tmp", path, (long)getpid()).data;
    enum status status = write_synced(temporary, content, permission, reterr_error);
    if (status == OK) {
        status = file_link(temporary, path, reterr_error);
        (void)os_unlink(temporary); /* a left-over does no harm: it is overwritten next time */
    }
    if (status == OK)
        status = directory_sync_parent(path, reterr_error);
    arena_close(arena);
    return status;
}

enum status file_rename(const char *source, const char *destination, struct error *reterr_error)
{
    if (os_rename(source, destination) != 0)
        return error_set_errno(reterr_error, errno, "rename %s to %s", source, destination);
    return OK;
}

enum status file_link(const char *source, const char *destination, struct error *reterr_error)
{
    if (os_link(source, destination) != 0)
        return error_set_errno(reterr_error, errno, "link %s to %s", source, destination);
    return OK;
}

enum status file_symlink(const char *target, const char *link_path, struct error *reterr_error)
{
    if (os_symlink(target, link_path) != 0)
        return error_set_errno(reterr_error, errno, "make symlink %s", link_path);
    return OK;
}

enum status file_remove(const char *path, struct error *reterr_error)
{
    if (os_unlink(path) != 0)
        return error_set_errno(reterr_error, errno, "remove %s", path);
    return OK;
}

enum status file_set_permission(const char *path, unsigned permission, struct error *reterr_error)
{
    if (os_chmod(path, (mode_t)permission) != 0)
        return error_set_errno(reterr_error, errno, "change mode of %s", path);
    return OK;
}

static struct timespec timespec_of(int64_t wall_ms)
{
    return (struct timespec){.tv_sec = wall_ms / 1000, .tv_nsec = wall_ms % 1000 * 1000000};
}

enum status file_set_times(const char *path,
                           int64_t accessed_ms,
                           int64_t modified_ms,
                           struct error *reterr_error)
{
    struct timespec times[2] = {timespec_of(accessed_ms), timespec_of(modified_ms)};
    if (os_set_times(path, times) != 0)
        return error_set_errno(reterr_error, errno, "change times of %s", path);
    return OK;
}

enum status file_copy(const char *source,
                      const char *destination,
                      unsigned permission,
                      struct error *reterr_error)
{
    struct file *from = NULL;
    struct file *to = NULL;
    uint8_t *block = NULL;
    size_t got = 0;
    enum status status = file_open(source, FILE_MODE_READ, 0, &from, reterr_error);
    if (status != OK)
        return status;
    status = file_open(destination, FILE_MODE_TRUNCATE, permission, &to, reterr_error);
    if (status != OK)
        goto fail;
    block = mem_try_array(COPY_BYTES, 1);
    if (block == NULL) {
        status = error_set(reterr_error, ERR_NO_MEMORY, "copy %s: out of memory", source);
        goto fail;
    }
    for (uint64_t offset = 0;; offset += got) {
        status = file_read_at(from, offset, block, COPY_BYTES, &got, reterr_error);
        if (status != OK || got == 0)
            goto fail;
        status = file_write_at(to, offset, slice_make(block, got), reterr_error);
        if (status != OK)
            goto fail;
    }
fail:
    mem_free(block);
    file_close(to);
    file_close(from);
    return status;
}
