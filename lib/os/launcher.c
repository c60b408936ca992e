/*
 * launcher.c - the owner's side of the launcher. One mutex guards the table of requests and the
 * writes to the socket; holding it while writing is safe because the launcher always reads.
 */
#include "lib/os/launcher.h"

#include <errno.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/check.h"
#include "lib/base/map.h"
#include "lib/base/mem.h"
#include "lib/os/calls.h"
#include "lib/os/launcher_wire.h"
#include "lib/os/thread.h"

enum {
    READ_BYTES = 64 << 10
};

/* A request that waits for its ANSWER; on the stack of its caller. */
struct launcher_wait {
    bool is_answered;
    enum status status;
    int64_t pid;
    struct error *error;
};

struct launcher {
    int socket;
    pid_t pid;
    struct launcher_host host;
    struct thread *reader;
    struct mutex *mutex;
    struct condition *answered;
    struct map_u64 *waits; /* request to struct launcher_wait */
    uint64_t last_request;
    bool is_lost;
    bool is_closing;
};

enum status launcher_open(struct launcher **ret_launcher, struct error *reterr_error)
{
    int sockets[2];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0)
        return error_set_errno(reterr_error, errno, "start the launcher: socketpair");
    pid_t pid = os_fork();
    if (pid == 0)
        launcher_run(sockets[1]);
    int reason = errno;
    (void)close(sockets[1]); /* the launcher's end */
    if (pid < 0) {
        (void)close(sockets[0]);
        if (reason == EAGAIN) /* not a thing that is in use: the limit of processes */
            return error_set(reterr_error, ERR_LIMIT, "start the launcher: too many processes");
        return error_set_errno(reterr_error, reason, "start the launcher: fork");
    }
    struct launcher *launcher = MEM_NEW(struct launcher);
    launcher->socket = sockets[0];
    launcher->pid = pid;
    launcher->mutex = mutex_open();
    launcher->answered = condition_open();
    launcher->waits = map_u64_open();
    *ret_launcher = launcher;
    return OK;
}

static void take_answer(struct launcher *launcher, const struct launcher_frame *frame)
{
    mutex_lock(launcher->mutex);
    struct launcher_wait *wait = map_u64_remove(launcher->waits, frame->request);
    CHECK(wait != NULL);
    wait->is_answered = true;
    wait->pid = frame->pid;
    wait->status = frame->status;
    if (frame->status != OK && frame->text.length > 0)
        wait->status = error_set(wait->error, frame->status, "%.*s", SLICE_ARGS(frame->text));
    condition_broadcast(launcher->answered);
    mutex_unlock(launcher->mutex);
}

static void take_frames(struct launcher *launcher, struct buf *input, struct arena *arena)
{
    struct slice rest = buf_slice(input);
    for (;;) {
        bool is_found = false;
        struct launcher_frame frame;
        arena_reset(arena);
        launcher_frame_take(&rest, arena, &is_found, &frame);
        if (!is_found)
            break;
        if (frame.kind == LAUNCHER_ANSWER)
            take_answer(launcher, &frame);
        else
            launcher->host.ended(launcher->host.user, frame.tag, frame.pid, frame.exit);
    }
    struct buf left;
    buf_open(&left, 0);
    CHECK(buf_append_slice(&left, rest) == OK);
    buf_close(input);
    *input = left;
}

/* The launcher is gone: nobody will answer any more. */
static void fail_waits(struct launcher *launcher)
{
    mutex_lock(launcher->mutex);
    launcher->is_lost = true;
    bool is_closing = launcher->is_closing;
    size_t cursor = 0;
    uint64_t request = 0;
    void *value = NULL;
    while (map_u64_next(launcher->waits, &cursor, &request, &value)) {
        struct launcher_wait *wait = value;
        wait->is_answered = true;
        wait->status = error_set(wait->error, ERR_UNAVAILABLE, "the launcher process has died");
        (void)map_u64_remove(launcher->waits, request);
    }
    condition_broadcast(launcher->answered);
    mutex_unlock(launcher->mutex);
    if (!is_closing)
        launcher->host.lost(launcher->host.user);
}

static void read_launcher(void *argument)
{
    struct launcher *launcher = argument;
    struct arena *arena = arena_open(0);
    uint8_t *block = mem_new(READ_BYTES);
    struct buf input;
    buf_open(&input, 0);
    for (;;) {
        ssize_t got = recv(launcher->socket, block, READ_BYTES, 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            break;
        CHECK(buf_append(&input, block, (size_t)got) == OK);
        take_frames(launcher, &input, arena);
    }
    fail_waits(launcher);
    buf_close(&input);
    mem_free(block);
    arena_close(arena);
}

enum status launcher_start(struct launcher *launcher,
                           const struct launcher_host *host,
                           struct error *reterr_error)
{
    CHECK(launcher->reader == NULL);
    CHECK(host->ended != NULL && host->lost != NULL);
    launcher->host = *host;
    return thread_open("launcher", read_launcher, launcher, &launcher->reader, reterr_error);
}

/* Writes all of bytes; false when the launcher is gone. */
static bool write_all(struct launcher *launcher, struct slice bytes)
{
    while (bytes.length > 0) {
        ssize_t sent = send(launcher->socket, bytes.data, bytes.length, MSG_NOSIGNAL);
        if (sent < 0 && errno == EINTR)
            continue;
        if (sent < 0)
            return false;
        bytes = slice_sub(bytes, (size_t)sent, bytes.length - (size_t)sent);
    }
    return true;
}

/* Sends a request and waits for its answer. */
static enum status ask(struct launcher *launcher,
                       struct launcher_frame *frame,
                       int64_t *ret_pid,
                       struct error *reterr_error)
{
    CHECK(launcher->reader != NULL);
    struct buf bytes;
    buf_open(&bytes, LAUNCHER_REQUEST_BYTES);
    struct launcher_wait wait = {.error = reterr_error};
    mutex_lock(launcher->mutex);
    frame->request = ++launcher->last_request;
    enum status status = launcher_frame_append(&bytes, frame);
    if (status != OK) {
        status =
            error_set(reterr_error, status, "the launch does not fit %zu bytes", bytes.length_max);
    } else if (launcher->is_lost || !write_all(launcher, buf_slice(&bytes))) {
        status = error_set(reterr_error, ERR_UNAVAILABLE, "the launcher process has died");
    } else {
        (void)map_u64_put(launcher->waits, frame->request, &wait);
        while (!wait.is_answered)
            condition_wait(launcher->answered, launcher->mutex);
        status = wait.status;
    }
    mutex_unlock(launcher->mutex);
    buf_close(&bytes);
    if (status == OK && ret_pid != NULL)
        *ret_pid = wait.pid;
    return status;
}

enum status launcher_launch(struct launcher *launcher,
                            uint64_t tag,
                            const struct process_spec *spec,
                            int64_t *ret_pid,
                            struct error *reterr_error)
{
    struct launcher_frame frame = {.kind = LAUNCHER_LAUNCH, .tag = tag, .spec = *spec};
    return ask(launcher, &frame, ret_pid, reterr_error);
}

enum status launcher_signal(struct launcher *launcher,
                            int64_t pid,
                            enum process_signal signal,
                            struct error *reterr_error)
{
    struct launcher_frame frame = {.kind = LAUNCHER_SIGNAL, .pid = pid, .signal = signal};
    enum status status = ask(launcher, &frame, NULL, reterr_error);
    if (status == ERR_NOT_FOUND)
        return error_set(reterr_error, status, "signal process group %lld: it has ended",
                         (long long)pid);
    return status;
}

int64_t launcher_pid(const struct launcher *launcher)
{
    return (int64_t)launcher->pid;
}

void launcher_close(struct launcher *launcher)
{
    if (launcher == NULL)
        return;
    mutex_lock(launcher->mutex);
    launcher->is_closing = true;
    mutex_unlock(launcher->mutex);
    (void)shutdown(launcher->socket, SHUT_WR); /* fails only when the launcher is gone already */
    thread_join(launcher->reader);
    struct process_exit exit;
    /* Reaped by somebody else: gone all the same. */
    status_ignore(process_wait(launcher->pid, &exit, NULL));
    (void)close(launcher->socket);
    map_u64_close(launcher->waits);
    condition_close(launcher->answered);
    mutex_close(launcher->mutex);
    mem_free(launcher);
}
