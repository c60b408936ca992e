/*
 * calls.c - the table of calls; the fault points and the drill in front of it.
 */
#include "lib/os/calls.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/fault.h"
#include "lib/os/drill.h"

static int open_file(const char *path, int flags, mode_t mode)
{
    return open(path, flags, mode);
}

static struct dirent *read_directory(void *stream)
{
    return readdir(stream);
}

static int set_times(const char *path, const struct timespec *times)
{
    return utimensat(AT_FDCWD, path, times, 0);
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
    .readdir = read_directory,
    .mmap = mmap,
    .chmod = chmod,
    .fchmod = fchmod,
    .symlink = symlink,
    .set_times = set_times,
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

/*
 * True, with errno set, when the test at hand wants this call to fail; *bytes, if there is such a
 * count, becomes smaller for one that shall be short.
 */
static bool is_faulted(enum fault_point point,
                       enum drill_kind kind,
                       const char *call,
                       size_t *bytes)
{
    if (fault_hit(point)) {
        errno = point == FAULT_SPAWN ? ENOMEM : EIO;
        return true;
    }
    enum drill_answer answer = drill_ask(kind, call);
    if (answer == DRILL_SHORT && bytes != NULL && *bytes > 1)
        *bytes /= 2;
    return answer == DRILL_FAIL;
}

int os_open(const char *path, int flags, mode_t mode)
{
    enum drill_kind kind = (flags & O_CREAT) != 0 ? DRILL_CREATE : DRILL_OPEN;
    if (is_faulted(FAULT_FILE_OPEN, kind, "open", NULL))
        return -1;
    return calls_in_use->open(path, flags, mode);
}

int os_close(int descriptor)
{
    return calls_in_use->close(descriptor);
}

ssize_t os_pread(int descriptor, void *data, size_t bytes, off_t offset)
{
    if (is_faulted(FAULT_FILE_READ, DRILL_READ, "pread", &bytes))
        return -1;
    return calls_in_use->pread(descriptor, data, bytes, offset);
}

ssize_t os_read(int descriptor, void *data, size_t bytes)
{
    if (is_faulted(FAULT_FILE_READ, DRILL_READ, "read", &bytes))
        return -1;
    return calls_in_use->read(descriptor, data, bytes);
}

ssize_t os_pwrite(int descriptor, const void *data, size_t bytes, off_t offset)
{
    if (is_faulted(FAULT_FILE_WRITE, DRILL_WRITE, "pwrite", &bytes))
        return -1;
    return calls_in_use->pwrite(descriptor, data, bytes, offset);
}

ssize_t os_write(int descriptor, const void *data, size_t bytes)
{
    if (is_faulted(FAULT_FILE_WRITE, DRILL_WRITE, "write", &bytes))
        return -1;
    return calls_in_use->write(descriptor, data, bytes);
}

int os_fsync(int descriptor)
{
    if (is_faulted(FAULT_FILE_SYNC, DRILL_SYNC, "fsync", NULL))
        return -1;
    return calls_in_use->fsync(descriptor);
}

int os_fdatasync(int descriptor)
{
    if (is_faulted(FAULT_FILE_SYNC, DRILL_SYNC, "fdatasync", NULL))
        return -1;
    return calls_in_use->fdatasync(descriptor);
}

int os_ftruncate(int descriptor, off_t length)
{
    if (is_faulted(FAULT_FILE_WRITE, DRILL_ROOM, "ftruncate", NULL))
        return -1;
    return calls_in_use->ftruncate(descriptor, length);
}

int os_fallocate(int descriptor, int mode, off_t offset, off_t length)
{
    if (is_faulted(FAULT_FILE_WRITE, DRILL_ROOM, "fallocate", NULL))
        return -1;
    return calls_in_use->fallocate(descriptor, mode, offset, length);
}

int os_rename(const char *source, const char *destination)
{
    if (is_faulted(FAULT_FILE_RENAME, DRILL_NAME, "rename", NULL))
        return -1;
    return calls_in_use->rename(source, destination);
}

int os_link(const char *source, const char *destination)
{
    if (is_faulted(FAULT_FILE_RENAME, DRILL_NAME, "link", NULL))
        return -1;
    return calls_in_use->link(source, destination);
}

int os_unlink(const char *path)
{
    if (is_faulted(FAULT_FILE_REMOVE, DRILL_NAME, "unlink", NULL))
        return -1;
    return calls_in_use->unlink(path);
}

int os_rmdir(const char *path)
{
    if (is_faulted(FAULT_FILE_REMOVE, DRILL_NAME, "rmdir", NULL))
        return -1;
    return calls_in_use->rmdir(path);
}

int os_mkdir(const char *path, mode_t mode)
{
    if (is_faulted(FAULT_DIRECTORY, DRILL_NAME, "mkdir", NULL))
        return -1;
    return calls_in_use->mkdir(path, mode);
}

int os_fstat(int descriptor, struct stat *ret_status)
{
    if (is_faulted(FAULT_FILE_READ, DRILL_LOOK, "fstat", NULL))
        return -1;
    return calls_in_use->fstat(descriptor, ret_status);
}

int os_stat(const char *path, struct stat *ret_status)
{
    if (is_faulted(FAULT_FILE_READ, DRILL_LOOK, "stat", NULL))
        return -1;
    return calls_in_use->stat(path, ret_status);
}

int os_lstat(const char *path, struct stat *ret_status)
{
    if (is_faulted(FAULT_FILE_READ, DRILL_LOOK, "lstat", NULL))
        return -1;
    return calls_in_use->lstat(path, ret_status);
}

int os_statvfs(const char *path, struct statvfs *ret_status)
{
    if (is_faulted(FAULT_FILE_READ, DRILL_LOOK, "statvfs", NULL))
        return -1;
    return calls_in_use->statvfs(path, ret_status);
}

struct dirent *os_readdir(void *stream)
{
    if (is_faulted(FAULT_FILE_READ, DRILL_LOOK, "readdir", NULL))
        return NULL;
    return calls_in_use->readdir(stream);
}

void *os_mmap(void *address, size_t bytes, int protection, int flags, int descriptor, off_t offset)
{
    if (is_faulted(FAULT_FILE_READ, DRILL_LOOK, "mmap", NULL))
        return MAP_FAILED;
    return calls_in_use->mmap(address, bytes, protection, flags, descriptor, offset);
}

int os_chmod(const char *path, mode_t mode)
{
    if (is_faulted(FAULT_FILE_WRITE, DRILL_NAME, "chmod", NULL))
        return -1;
    return calls_in_use->chmod(path, mode);
}

int os_fchmod(int descriptor, mode_t mode)
{
    if (is_faulted(FAULT_FILE_WRITE, DRILL_NAME, "fchmod", NULL))
        return -1;
    return calls_in_use->fchmod(descriptor, mode);
}

int os_symlink(const char *target, const char *path)
{
    if (is_faulted(FAULT_FILE_RENAME, DRILL_NAME, "symlink", NULL))
        return -1;
    return calls_in_use->symlink(target, path);
}

int os_set_times(const char *path, const struct timespec *times)
{
    if (is_faulted(FAULT_FILE_WRITE, DRILL_NAME, "set_times", NULL))
        return -1;
    return calls_in_use->set_times(path, times);
}

pid_t os_fork(void)
{
    if (is_faulted(FAULT_SPAWN, DRILL_FORK, "fork", NULL))
        return -1;
    return calls_in_use->fork();
}

pid_t os_waitpid(pid_t pid, int *ret_status, int options)
{
    return calls_in_use->waitpid(pid, ret_status, options);
}

int os_kill(pid_t pid, int signal)
{
    return calls_in_use->kill(pid, signal);
}
