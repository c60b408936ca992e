/*
 * file.c - open files: read, write, sync, size.
 */
#include "lib/os/file.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "lib/base/check.h"
#include "lib/base/mem.h"
#include "lib/os/calls.h"

struct file {
    int descriptor;
    char path[]; /* NUL-terminated */
};

static const int open_flags[] = {
    [FILE_MODE_READ] = O_RDONLY,
    [FILE_MODE_UPDATE] = O_RDWR,
    [FILE_MODE_CREATE] = O_RDWR | O_CREAT,
    [FILE_MODE_CREATE_NEW] = O_RDWR | O_CREAT | O_EXCL,
    [FILE_MODE_TRUNCATE] = O_RDWR | O_CREAT | O_TRUNC,
    [FILE_MODE_APPEND] = O_WRONLY | O_CREAT | O_APPEND,
};

enum status file_open(const char *path,
                      enum file_mode mode,
                      unsigned permission,
                      struct file **ret_file,
                      struct error *reterr_error)
{
    CHECK((size_t)mode < sizeof(open_flags) / sizeof(open_flags[0]));
    int descriptor;
    do
        descriptor = os_open(path, open_flags[mode] | O_CLOEXEC, (mode_t)permission);
    while (descriptor < 0 && errno == EINTR);
    if (descriptor < 0)
        return error_set_errno(reterr_error, errno, "open %s", path);
    *ret_file = file_adopt(descriptor, path);
    return OK;
}

void file_close(struct file *file)
{
    if (file == NULL)
        return;
    /* After EINTR Linux has closed the descriptor all the same; see the header for the rest. */
    (void)os_close(file->descriptor);
    mem_free(file);
}

const char *file_path(const struct file *file)
{
    return file->path;
}

int file_descriptor(const struct file *file)
{
    return file->descriptor;
}

int file_release(struct file *file)
{
    int descriptor = file->descriptor;
    mem_free(file);
    return descriptor;
}

struct file *file_adopt(int descriptor, const char *name)
{
    CHECK(descriptor >= 0);
    size_t length = strlen(name);
    struct file *file = mem_new(sizeof(*file) + length + 1);
    file->descriptor = descriptor;
    memcpy(file->path, name, length + 1);
    return file;
}

enum status file_read_at(struct file *file,
                         uint64_t offset,
                         void *data,
                         size_t bytes,
                         size_t *ret_bytes,
                         struct error *reterr_error)
{
    size_t done = 0;
    while (done < bytes) {
        ssize_t got = os_pread(file->descriptor, (uint8_t *)data + done, bytes - done,
                               (off_t)(offset + done));
        if (got < 0 && errno == EINTR)
            continue;
        if (got < 0)
            return error_set_errno(reterr_error, errno, "read %s at %llu", file->path,
                                   (unsigned long long)(offset + done));
        if (got == 0)
            break;
        done += (size_t)got;
    }
    *ret_bytes = done;
    return OK;
}

enum status file_read_exactly(
    struct file *file, uint64_t offset, void *data, size_t bytes, struct error *reterr_error)
{
    size_t done = 0;
    enum status status = file_read_at(file, offset, data, bytes, &done, reterr_error);
    if (status != OK)
        return status;
    if (done < bytes)
        return error_set(reterr_error, ERR_CORRUPT,
                         "read %s at %llu: the file ends after %zu of %zu bytes", file->path,
                         (unsigned long long)offset, done, bytes);
    return OK;
}

enum status file_read_next(
    struct file *file, void *data, size_t bytes, size_t *ret_bytes, struct error *reterr_error)
{
    ssize_t got;
    do
        got = os_read(file->descriptor, data, bytes);
    while (got < 0 && errno == EINTR);
    if (got < 0)
        return error_set_errno(reterr_error, errno, "read %s", file->path);
    *ret_bytes = (size_t)got;
    return OK;
}

enum status file_write_at(struct file *file,
                          uint64_t offset,
                          struct slice data,
                          struct error *reterr_error)
{
    size_t done = 0;
    while (done < data.length) {
        ssize_t put = os_pwrite(file->descriptor, data.data + done, data.length - done,
                                (off_t)(offset + done));
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0) /* no kernel answers 0, but a loop on it would never end */
            return error_set_errno(reterr_error, put < 0 ? errno : EIO, "write %s at %llu",
                                   file->path, (unsigned long long)(offset + done));
        done += (size_t)put;
    }
    return OK;
}

enum status file_append(struct file *file, struct slice data, struct error *reterr_error)
{
    size_t done = 0;
    while (done < data.length) {
        ssize_t put = os_write(file->descriptor, data.data + done, data.length - done);
        if (put < 0 && errno == EINTR)
            continue;
        if (put <= 0)
            return error_set_errno(reterr_error, put < 0 ? errno : EIO, "write %s", file->path);
        done += (size_t)put;
    }
    return OK;
}

enum status file_sync(struct file *file, struct error *reterr_error)
{
    if (os_fsync(file->descriptor) != 0)
        return error_set_errno(reterr_error, errno, "sync %s", file->path);
    return OK;
}

enum status file_sync_data(struct file *file, struct error *reterr_error)
{
    if (os_fdatasync(file->descriptor) != 0)
        return error_set_errno(reterr_error, errno, "sync %s", file->path);
    return OK;
}

enum status file_truncate(struct file *file, uint64_t length, struct error *reterr_error)
{
    int result;
    do
        result = os_ftruncate(file->descriptor, (off_t)length);
    while (result != 0 && errno == EINTR);
    if (result != 0)
        return error_set_errno(reterr_error, errno, "truncate %s to %llu", file->path,
                               (unsigned long long)length);
    return OK;
}

enum status file_reserve(struct file *file,
                         uint64_t offset,
                         uint64_t bytes,
                         struct error *reterr_error)
{
    int result;
    do
        result = os_fallocate(file->descriptor, 0, (off_t)offset, (off_t)bytes);
    while (result != 0 && errno == EINTR);
    if (result != 0 && (errno == EOPNOTSUPP || errno == ENOSYS))
        return error_set(reterr_error, ERR_UNSUPPORTED,
                         "reserve room for %s: the filesystem cannot", file->path);
    if (result != 0)
        return error_set_errno(reterr_error, errno, "reserve room for %s", file->path);
    return OK;
}

enum status file_length(struct file *file, uint64_t *ret_bytes, struct error *reterr_error)
{
    struct stat info;
    if (os_fstat(file->descriptor, &info) != 0)
        return error_set_errno(reterr_error, errno, "look at %s", file->path);
    *ret_bytes = (uint64_t)info.st_size;
    return OK;
}

void file_start_writing(struct file *file, uint64_t offset, uint64_t bytes)
{
    (void)sync_file_range(file->descriptor, (off_t)offset, (off_t)bytes, SYNC_FILE_RANGE_WRITE);
}

void file_forget_cached(struct file *file, uint64_t offset, uint64_t bytes)
{
    (void)posix_fadvise(file->descriptor, (off_t)offset, (off_t)bytes, POSIX_FADV_DONTNEED);
}
