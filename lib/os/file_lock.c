/*
 * file_lock.c - one process at a time.
 * flock, not fcntl: it belongs to the open file, so a library that opens and closes the same path
 * cannot drop it, and it ends with the process however that ends. Children do not inherit it,
 * because all our descriptors are close-on-exec and the launcher closes what it inherits.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "lib/os/calls.h"
#include "lib/os/file.h"

struct file_lock {
    struct file *file;
};

/* The number at the start of the file; 0 when there is none (yet). */
static int64_t read_pid(struct file *file)
{
    char text[24];
    size_t length = 0;
    if (file_read_at(file, 0, text, sizeof(text), &length, NULL) != OK)
        return 0;
    struct slice whole = slice_make(text, length);
    struct slice digits = slice_sub(whole, 0, slice_find(whole, '\n'));
    uint64_t pid = 0;
    return slice_parse_u64(digits, &pid) && pid <= INT32_MAX ? (int64_t)pid : 0;
}

/* ERR_BUSY when another open file has it. */
static enum status take(struct file *file, int operation, struct error *reterr_error)
{
    int result;
    do
        result = flock(file_descriptor(file), operation | LOCK_NB);
    while (result != 0 && errno == EINTR);
    if (result == 0)
        return OK;
    if (errno == EWOULDBLOCK)
        return error_set(reterr_error, ERR_BUSY, "lock %s: process %lld has it", file_path(file),
                         (long long)read_pid(file));
    return error_set_errno(reterr_error, errno, "lock %s", file_path(file));
}

/*
 * A process that only asks who has the lock (file_lock_holder) holds it shared for a moment, and
 * must not make a daemon's start fail: while others could share it, too, nobody owns it.
 */
static enum status take_exclusively(struct file *file, struct error *reterr_error)
{
    for (;;) {
        enum status status = take(file, LOCK_EX, reterr_error);
        if (status != ERR_BUSY || take(file, LOCK_SH, NULL) != OK)
            return status;
        (void)flock(file_descriptor(file), LOCK_UN); /* cannot fail: it is ours */
        (void)sched_yield();
    }
}

enum status file_lock_open(const char *path,
                           struct file_lock **ret_lock,
                           struct error *reterr_error)
{
    struct file *file = NULL;
    enum status status = file_open(path, FILE_MODE_CREATE, FILE_PUBLIC, &file, reterr_error);
    if (status != OK)
        return status;
    char text[24];
    status = take_exclusively(file, reterr_error);
    if (status == OK)
        status = file_truncate(file, 0, reterr_error);
    if (status == OK) {
        int length = snprintf(text, sizeof(text), "%ld\n", (long)getpid());
        status = file_write_at(file, 0, slice_make(text, (size_t)length), reterr_error);
    }
    if (status != OK) {
        file_close(file);
        return status;
    }
    struct file_lock *lock = MEM_NEW(struct file_lock);
    lock->file = file;
    *ret_lock = lock;
    return OK;
}

void file_lock_close(struct file_lock *lock)
{
    if (lock == NULL)
        return;
    /* The file stays: removing it would let two processes lock two files of one name. */
    file_close(lock->file);
    mem_free(lock);
}

enum status file_lock_holder(const char *path, int64_t *ret_pid, struct error *reterr_error)
{
    struct file *file = NULL;
    enum status status = file_open(path, FILE_MODE_READ, 0, &file, reterr_error);
    if (status == ERR_NOT_FOUND) {
        *ret_pid = 0;
        return OK;
    }
    if (status != OK)
        return status;
    status = take(file, LOCK_SH, reterr_error);
    if (status == ERR_BUSY) {
        *ret_pid = read_pid(file);
        status = OK;
    } else if (status == OK) {
        *ret_pid = 0;
    }
    file_close(file);
    return status;
}
