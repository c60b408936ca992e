/*
 * fail_below.c - preloaded into a daemon: a disk that is full. While the file FAIL_WHILE is there,
 * writes to, and reservations of, files below the folder FAIL_BELOW fail with ENOSPC.
 */
#ifndef _GNU_SOURCE
# define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static void *next(const char *name)
{
    return dlsym(RTLD_NEXT, name);
}

static bool is_full(int descriptor)
{
    const char *below = getenv("FAIL_BELOW");
    const char *wanted = getenv("FAIL_WHILE");
    char name[64];
    char path[4096];
    if (below == NULL || wanted == NULL || access(wanted, F_OK) != 0)
        return false;
    (void)snprintf(name, sizeof(name), "/proc/self/fd/%d", descriptor);
    ssize_t length = readlink(name, path, sizeof(path) - 1);
    path[length < 0 ? 0 : length] = '\0';
    return strncmp(path, below, strlen(below)) == 0;
}

ssize_t pwrite(int descriptor, const void *data, size_t bytes, off_t offset)
{
    ssize_t (*call)(int, const void *, size_t, off_t);
    void *found = next("pwrite");
    memcpy(&call, &found, sizeof(call)); /* ISO C has no cast from object to function pointer */
    if (is_full(descriptor)) {
        errno = ENOSPC;
        return -1;
    }
    return call(descriptor, data, bytes, offset);
}

ssize_t pwrite64(int descriptor, const void *data, size_t bytes, off_t offset)
{
    return pwrite(descriptor, data, bytes, offset);
}

int fallocate(int descriptor, int mode, off_t offset, off_t bytes)
{
    int (*call)(int, int, off_t, off_t);
    void *found = next("fallocate");
    memcpy(&call, &found, sizeof(call));
    if (is_full(descriptor)) {
        errno = ENOSPC;
        return -1;
    }
    return call(descriptor, mode, offset, bytes);
}

int fallocate64(int descriptor, int mode, off_t offset, off_t bytes)
{
    return fallocate(descriptor, mode, offset, bytes);
}
