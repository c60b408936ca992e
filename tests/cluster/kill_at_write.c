/*
 * kill_at_write.c - preloaded into a daemon: ends the process with SIGKILL at its n-th durable call
 * (pwrite, fsync, fdatasync, rename, unlink, ftruncate), so that a drill can crash it at each of
 * them.
 *
 *     KILL_PROGRAM   name of the program this is for; all others run undisturbed
 *     KILL_CALL      n, from 1
 *     KILL_MODE      before   the call is not made
 *                    after    it is made, and nothing after it
 *                    torn     of a pwrite only the sectors up to its middle arrive; other calls as
 *                             before
 *                    late     of a pwrite only the sectors from its middle on arrive
 *                    power    not made, and what was written since the last sync of its file is
 * undone: what the loss of power may do
 */
#ifndef _GNU_SOURCE
# define _GNU_SOURCE
#endif
#include <dlfcn.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum {
    WRITES_MAX = 4096,
    SECTOR_BYTES = 512 /* arrive as a whole or not at all */
};

struct written {
    int descriptor;
    off_t offset;
    size_t bytes;
    char *before; /* what stood there; zeros where nothing stood */
};

static pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
static struct written unsynced[WRITES_MAX];
static size_t unsynced_count;
static uint64_t calls;
static uint64_t kill_call; /* 0: not this program */
static const char *kill_mode = "";

static ssize_t (*next_pwrite)(int, const void *, size_t, off_t);
static int (*next_fsync)(int);
static int (*next_fdatasync)(int);
static int (*next_rename)(const char *, const char *);
static int (*next_unlink)(const char *);
static int (*next_ftruncate)(int, off_t);

static void look_up(void *to, const char *name)
{
    void *found = dlsym(RTLD_NEXT, name);
    memcpy(to, &found, sizeof(found)); /* ISO C has no cast from object to function pointer */
}

__attribute__((constructor)) static void prepare(void)
{
    const char *program = getenv("KILL_PROGRAM");
    look_up(&next_pwrite, "pwrite");
    look_up(&next_fsync, "fsync");
    look_up(&next_fdatasync, "fdatasync");
    look_up(&next_rename, "rename");
    look_up(&next_unlink, "unlink");
    look_up(&next_ftruncate, "ftruncate");
    if (program == NULL || strcmp(program, program_invocation_short_name) != 0)
        return;
    kill_call = strtoull(getenv("KILL_CALL"), NULL, 10);
    kill_mode = getenv("KILL_MODE");
}

static void die(void)
{
    (void)kill(getpid(), SIGKILL);
    for (;;)
        pause();
}

static void undo_unsynced(void)
{
    while (unsynced_count > 0) {
        struct written *last = &unsynced[--unsynced_count];
        (void)!next_pwrite(last->descriptor, last->before, last->bytes, last->offset);
    }
}

static void forget_unsynced(int descriptor)
{
    size_t kept = 0;
    for (size_t i = 0; i < unsynced_count; i++) {
        if (unsynced[i].descriptor == descriptor)
            free(unsynced[i].before);
        else
            unsynced[kept++] = unsynced[i];
    }
    unsynced_count = kept;
}

static void remember(int descriptor, size_t bytes, off_t offset)
{
    struct written *to = &unsynced[unsynced_count];
    if (strcmp(kill_mode, "power") != 0)
        return;
    if (unsynced_count == WRITES_MAX)
        abort();
    *to = (struct written){descriptor, offset, bytes, calloc(1, bytes + 1)};
    if (to->before == NULL)
        abort();
    (void)!pread(descriptor, to->before, bytes, offset);
    unsynced_count++;
}

/* Counts one call, with the mutex held; true when the process is to die of this one. */
static bool is_last(void)
{
    return kill_call != 0 && ++calls == kill_call;
}

static bool mode_is(const char *mode)
{
    return strcmp(kill_mode, mode) == 0;
}

/* Lets some sectors of the last write arrive; of one that lies in one sector, none does. */
static void tear(int descriptor, const char *data, size_t bytes, off_t offset)
{
    off_t end = offset + (off_t)bytes;
    off_t middle = (offset + end) / 2 / SECTOR_BYTES * SECTOR_BYTES;
    if (middle <= offset)
        middle += SECTOR_BYTES;
    if (middle >= end)
        return;
    if (mode_is("torn"))
        (void)!next_pwrite(descriptor, data, (size_t)(middle - offset), offset);
    if (mode_is("late"))
        (void)!next_pwrite(descriptor, data + (middle - offset), (size_t)(end - middle), middle);
}

static void die_before(bool last)
{
    if (!last || mode_is("after"))
        return;
    if (mode_is("power"))
        undo_unsynced();
    die();
}

static void die_after(bool last)
{
    if (last)
        die();
}

ssize_t pwrite(int descriptor, const void *data, size_t bytes, off_t offset)
{
    pthread_mutex_lock(&mutex);
    bool last = is_last();
    if (last)
        tear(descriptor, data, bytes, offset);
    die_before(last);
    if (kill_call != 0)
        remember(descriptor, bytes, offset);
    ssize_t written = next_pwrite(descriptor, data, bytes, offset);
    die_after(last);
    pthread_mutex_unlock(&mutex);
    return written;
}

ssize_t pwrite64(int descriptor, const void *data, size_t bytes, off_t offset)
{
    return pwrite(descriptor, data, bytes, offset);
}

static int sync_by(int (*next)(int), int descriptor)
{
    pthread_mutex_lock(&mutex);
    bool last = is_last();
    die_before(last);
    int result = next(descriptor);
    if (result == 0)
        forget_unsynced(descriptor);
    die_after(last);
    pthread_mutex_unlock(&mutex);
    return result;
}

int fsync(int descriptor)
{
    return sync_by(next_fsync, descriptor);
}

int fdatasync(int descriptor)
{
    return sync_by(next_fdatasync, descriptor);
}

int rename(const char *from, const char *to)
{
    pthread_mutex_lock(&mutex);
    bool last = is_last();
    die_before(last);
    int result = next_rename(from, to);
    die_after(last);
    pthread_mutex_unlock(&mutex);
    return result;
}

int unlink(const char *path)
{
    pthread_mutex_lock(&mutex);
    bool last = is_last();
    die_before(last);
    int result = next_unlink(path);
    die_after(last);
    pthread_mutex_unlock(&mutex);
    return result;
}

int ftruncate(int descriptor, off_t bytes)
{
    pthread_mutex_lock(&mutex);
    bool last = is_last();
    die_before(last);
    int result = next_ftruncate(descriptor, bytes);
    die_after(last);
    pthread_mutex_unlock(&mutex);
    return result;
}

int ftruncate64(int descriptor, off_t bytes)
{
    return ftruncate(descriptor, bytes);
}
