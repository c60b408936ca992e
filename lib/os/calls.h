/*
 * calls.h - the one table through which lib/os makes every call that a disk or the process table
 * can refuse. Only the sources of lib/os and tests include this header; everybody else calls
 * file.h, directory.h and process.h. Each entry keeps the contract of the POSIX call of its name:
 * -1 and errno on failure. Before the entry runs, its fault point (lib/base/fault.h) is asked; a
 * hit fails the call with EIO, or ENOMEM for a spawn. Then the plan of a drill (drill.h) is asked.
 */
#ifndef MILLRACE_LIB_OS_CALLS_H
#define MILLRACE_LIB_OS_CALLS_H

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

struct dirent;
struct stat;
struct statvfs;
struct timespec;

struct os_calls {
    int (*open)(const char *path, int flags, mode_t mode);                    /* file_open */
    int (*close)(int descriptor);                                             /* no fault */
    ssize_t (*pread)(int descriptor, void *data, size_t bytes, off_t offset); /* file_read */
    ssize_t (*read)(int descriptor, void *data, size_t bytes);                /* file_read */
    ssize_t (*pwrite)(int descriptor,
                      const void *data,
                      size_t bytes,
                      off_t offset);                                        /* file_write */
    ssize_t (*write)(int descriptor, const void *data, size_t bytes);       /* file_write */
    int (*fsync)(int descriptor);                                           /* file_sync */
    int (*fdatasync)(int descriptor);                                       /* file_sync */
    int (*ftruncate)(int descriptor, off_t length);                         /* file_write */
    int (*fallocate)(int descriptor, int mode, off_t offset, off_t length); /* file_write */
    int (*rename)(const char *source, const char *destination);             /* file_rename */
    int (*link)(const char *source, const char *destination);               /* file_rename */
    int (*unlink)(const char *path);                                        /* file_remove */
    int (*rmdir)(const char *path);                                         /* file_remove */
    int (*mkdir)(const char *path, mode_t mode);                            /* directory */
    int (*fstat)(int descriptor, struct stat *ret_status);                  /* file_read */
    int (*stat)(const char *path, struct stat *ret_status);                 /* file_read */
    int (*lstat)(const char *path, struct stat *ret_status);                /* file_read */
    int (*statvfs)(const char *path, struct statvfs *ret_status);           /* file_read */
    struct dirent *(*readdir)(void *stream); /* file_read; stream: a DIR. NULL, errno 0: the end */
    void *(*mmap)(void *address,
                  size_t bytes,
                  int protection,
                  int flags,
                  int descriptor,
                  off_t offset);                                      /* file_read */
    int (*chmod)(const char *path, mode_t mode);                      /* file_write */
    int (*fchmod)(int descriptor, mode_t mode);                       /* file_write */
    int (*symlink)(const char *target, const char *path);             /* file_rename */
    int (*set_times)(const char *path, const struct timespec *times); /* file_write */
    pid_t (*fork)(void);                                              /* spawn */
    pid_t (*waitpid)(pid_t pid, int *ret_status, int options);        /* no fault */
    int (*kill)(pid_t pid, int signal);                               /* no fault */
};

/* The table that calls the kernel. */
const struct os_calls *os_calls_posix(void);
/*
 * Makes calls the table in use and returns the one used before; NULL restores the kernel's. The
 * table is borrowed. Set it before other threads use lib/os: the pointer itself is not locked.
 */
const struct os_calls *os_calls_set(const struct os_calls *calls);

/* What lib/os calls: the fault point, then the entry of the table in use. */
int os_open(const char *path, int flags, mode_t mode);
int os_close(int descriptor);
ssize_t os_pread(int descriptor, void *data, size_t bytes, off_t offset);
ssize_t os_read(int descriptor, void *data, size_t bytes);
ssize_t os_pwrite(int descriptor, const void *data, size_t bytes, off_t offset);
ssize_t os_write(int descriptor, const void *data, size_t bytes);
int os_fsync(int descriptor);
int os_fdatasync(int descriptor);
int os_ftruncate(int descriptor, off_t length);
int os_fallocate(int descriptor, int mode, off_t offset, off_t length);
int os_rename(const char *source, const char *destination);
int os_link(const char *source, const char *destination);
int os_unlink(const char *path);
int os_rmdir(const char *path);
int os_mkdir(const char *path, mode_t mode);
int os_fstat(int descriptor, struct stat *ret_status);
int os_stat(const char *path, struct stat *ret_status);
int os_lstat(const char *path, struct stat *ret_status);
int os_statvfs(const char *path, struct statvfs *ret_status);
struct dirent *os_readdir(void *stream);
void *os_mmap(void *address, size_t bytes, int protection, int flags, int descriptor, off_t offset);
int os_chmod(const char *path, mode_t mode);
int os_fchmod(int descriptor, mode_t mode);
int os_symlink(const char *target, const char *path);
int os_set_times(const char *path, const struct timespec *times);
pid_t os_fork(void);
pid_t os_waitpid(pid_t pid, int *ret_status, int options);
int os_kill(pid_t pid, int signal);

#endif
