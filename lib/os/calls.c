/*
 * calls.c - the table of calls, and the fault points in front of it.
 */
#include "lib/os/calls.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/fault.h"

static int open_file(const char *path, int flags, mode_t mode)
{
    return open(path, flags, mode);
}

static const struct os_calls posix_calls = {
    .open = open_file,
    .close = close,
    .pread = pread,
    .read = read,
    .pwrite = pwrite,
    .write = write,
    .fsync = fsync,
    .fdatasync = fdatasync,
    .ftruncate = ftruncate,
    .fallocate = fallocate,
    .rename = rename,
    .link = link,
    .unlink = unlink,
    .rmdir = rmdir,
    .mkdir = mkdir,
    .fstat = fstat,
    .stat = stat,
    .lstat = lstat,
    .statvfs = statvfs,
    .fork = fork,
    .waitpid = waitpid,
    .kill = kill,
};

static const struct os_calls *calls_in_use = &posix_calls;

const struct os_calls *os_calls_posix(void)
{
    return &posix_calls;
}

const struct os_calls *os_calls_set(const struct os_calls *calls)
{
    const struct os_calls *before = calls_in_use;
    calls_in_use = calls != NULL ? calls : &posix_calls;
    return before;
}

/* True, with errno set, when the test at hand wants this call to fail. */
static bool is_faulted(enum fault_point point)
{
    if (!fault_hit(point))
        return false;
    errno = point == FAULT_SPAWN ? ENOMEM : EIO;
    return true;
}

int os_open(const char *path, int flags, mode_t mode)
{
    return is_faulted(FAULT_FILE_OPEN) ? -1 : calls_in_use->open(path, flags, mode);
}

int os_close(int descriptor)
{
    return calls_in_use->close(descriptor);
}

ssize_t os_pread(int descriptor, void *data, size_t bytes, off_t offset)
{
    return is_faulted(FAULT_FILE_READ) ? -1 : calls_in_use->pread(descriptor, data, bytes, offset);
}

ssize_t os_read(int descriptor, void *data, size_t bytes)
{
    return is_faulted(FAULT_FILE_READ) ? -1 : calls_in_use->read(descriptor, data, bytes);
}

ssize_t os_pwrite(int descriptor, const void *data, size_t bytes, off_t offset)
{
    return is_faulted(FAULT_FILE_WRITE) ? -1
                                        : calls_in_use->pwrite(descriptor, data, bytes, offset);
}

ssize_t os_write(int descriptor, const void *data, size_t bytes)
{
    return is_faulted(FAULT_FILE_WRITE) ? -1 : calls_in_use->write(descriptor, data, bytes);
}

int os_fsync(int descriptor)
{
    return is_faulted(FAULT_FILE_SYNC) ? -1 : calls_in_use->fsync(descriptor);
}

int os_fdatasync(int descriptor)
{
    return is_faulted(FAULT_FILE_SYNC) ? -1 : calls_in_use->fdatasync(descriptor);
}

int os_ftruncate(int descriptor, off_t length)
{
    return is_faulted(FAULT_FILE_WRITE) ? -1 : calls_in_use->ftruncate(descriptor, length);
}

int os_fallocate(int descriptor, int mode, off_t offset, off_t length)
{
    return is_faulted(FAULT_FILE_WRITE) ? -1
                                        : calls_in_use->fallocate(descriptor, mode, offset, length);
}

int os_rename(const char *source, const char *destination)
{
    return is_faulted(FAULT_FILE_RENAME) ? -1 : calls_in_use->rename(source, destination);
}

int os_link(const char *source, const char *destination)
{
    return is_faulted(FAULT_FILE_RENAME) ? -1 : calls_in_use->link(source, destination);
}

int os_unlink(const char *path)
{
    return is_faulted(FAULT_FILE_REMOVE) ? -1 : calls_in_use->unlink(path);
}

int os_rmdir(const char *path)
{
    return is_faulted(FAULT_FILE_REMOVE) ? -1 : calls_in_use->rmdir(path);
}

int os_mkdir(const char *path, mode_t mode)
{
    return is_faulted(FAULT_DIRECTORY) ? -1 : calls_in_use->mkdir(path, mode);
}

int os_fstat(int descriptor, struct stat *ret_status)
{
    return is_faulted(FAULT_FILE_READ) ? -1 : calls_in_use->fstat(descriptor, ret_status);
}

int os_stat(const char *path, struct stat *ret_status)
{
    return is_faulted(FAULT_FILE_READ) ? -1 : calls_in_use->stat(path, ret_status);
}

int os_lstat(const char *path, struct stat *ret_status)
{
    return is_faulted(FAULT_FILE_READ) ? -1 : calls_in_use->lstat(path, ret_status);
}

int os_statvfs(const char *path, struct statvfs *ret_status)
{
    return is_faulted(FAULT_FILE_READ) ? -1 : calls_in_use->statvfs(path, ret_status);
}

pid_t os_fork(void)
{
    return is_faulted(FAULT_SPAWN) ? -1 : calls_in_use->fork();
}

pid_t os_waitpid(pid_t pid, int *ret_status, int options)
{
    return calls_in_use->waitpid(pid, ret_status, options);
}

int os_kill(pid_t pid, int signal)
{
    return calls_in_use->kill(pid, signal);
}
