/*
 * process_handle.c - pidfd_open(2), pidfd_send_signal(2).
 */
#include "lib/os/process_handle.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "lib/base/check.h"
#include "lib/base/mem.h"
#include "lib/os/clock.h"
#include "lib/os/proc.h"

struct process_handle {
    int64_t pid;
    int descriptor;
};

enum status process_handle_open(int64_t pid,
                                struct process_handle **ret_handle,
                                struct error *reterr_error)
{
    CHECK(pid > 1);
    long descriptor = syscall(SYS_pidfd_open, (pid_t)pid, 0u);
    if (descriptor < 0 && errno == ESRCH)
        return error_set(reterr_error, ERR_NOT_FOUND, "there is no process %lld", (long long)pid);
    if (descriptor < 0)
        return error_set_errno(reterr_error, errno, "open process %lld", (long long)pid);
    struct process_handle *handle = MEM_NEW(struct process_handle);
    handle->pid = pid;
    handle->descriptor = (int)descriptor;
    *ret_handle = handle;
    return OK;
}

void process_handle_close(struct process_handle *handle)
{
    if (handle == NULL)
        return;
    (void)close(handle->descriptor); /* nothing can be lost */
    mem_free(handle);
}

int64_t process_handle_pid(const struct process_handle *handle)
{
    return handle->pid;
}

static const int handle_signal_numbers[PROCESS_SIGNAL_COUNT] = {
    [PROCESS_TERMINATE] = SIGTERM, [PROCESS_KILL] = SIGKILL,     [PROCESS_INTERRUPT] = SIGINT,
    [PROCESS_STOP] = SIGSTOP,      [PROCESS_CONTINUE] = SIGCONT,
};

enum status process_handle_signal(struct process_handle *handle, enum process_signal signal)
{
    CHECK((size_t)signal < PROCESS_SIGNAL_COUNT);
    if (syscall(SYS_pidfd_send_signal, handle->descriptor, handle_signal_numbers[signal], NULL,
                0u) == 0)
        return OK;
    return errno == ESRCH ? ERR_NOT_FOUND : status_from_errno(errno);
}

bool process_handle_wait(struct process_handle *handle, int64_t deadline_ms)
{
    for (;;) {
        int64_t left = deadline_ms - clock_monotonic_ms();
        struct pollfd row = {.fd = handle->descriptor, .events = POLLIN};
        int timeout = left < 0 ? 0 : left > 60000 ? 60000 : (int)left;
        if (poll(&row, 1, timeout) > 0)
            return true;
        if (left <= 0)
            return false;
    }
}

/* Rows come in no useful order, so passes are made until one finds nobody new. */
static size_t mark_descendants(const struct proc_row *rows, size_t count, int64_t pid, bool *marks)
{
    size_t marked = 0;
    for (bool is_new = true; is_new;) {
        is_new = false;
        for (size_t i = 0; i < count; i++) {
            bool is_child = !marks[i] && rows[i].parent == pid;
            for (size_t j = 0; j < count && !marks[i] && !is_child; j++)
                is_child = marks[j] && rows[i].parent == rows[j].pid;
            if (!is_child || rows[i].pid == pid)
                continue;
            marks[i] = true;
            is_new = true;
            marked++;
        }
    }
    return marked;
}

enum status process_descendants(int64_t pid,
                                struct arena *arena,
                                const int64_t **ret_pids,
                                size_t *ret_count,
                                struct error *reterr_error)
{
    struct proc_row *rows = NULL;
    size_t count = 0;
    enum status status = proc_list(&rows, &count, reterr_error);
    if (status != OK)
        return status;
    bool *marks = mem_new(count + 1);
    size_t marked = mark_descendants(rows, count, pid, marks);
    int64_t *pids = ARENA_ARRAY(arena, int64_t, marked + 1);
    size_t filled = 0;
    for (size_t i = 0; i < count; i++) {
        if (marks[i] && rows[i].state != 'Z')
            pids[filled++] = rows[i].pid;
    }
    mem_free(marks);
    mem_free(rows);
    *ret_pids = pids;
    *ret_count = filled;
    return OK;
}
