/*
 * launcher_child.c - the launcher process: one loop over its owner's socket and SIGCHLD.
 * It never blocks on the socket: what it cannot send waits in a buffer, so that it always reads and
 * its owner's writes always end. It is a subreaper, so orphans of containers become its children
 * and end with it.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/check.h"
#include "lib/base/map.h"
#include "lib/base/mem.h"
#include "lib/os/calls.h"
#include "lib/os/cgroup.h"
#include "lib/os/clock.h"
#include "lib/os/launcher_wire.h"
#include "lib/os/proc.h"

enum {
    READ_BYTES = 64 << 10,
    CLOSE_FALLBACK_MAX = 65536,
    GROUPS_END_MS = 5000, /* longer than any killed process that can end needs for it */
    GROUPS_POLL_MS = 10
};

/* A launched process. */
struct launched {
    struct arena *arena; /* owns it */
    uint64_t tag;
    int64_t pid;
    const char *const *group_files; /* NULL: none */
    struct process_exit exit;       /* once it has ended */
    int64_t give_up_ms;             /* the same: until when its groups are waited for */
};

struct launcher_child {
    int socket;
    int signals;                    /* signalfd of SIGCHLD */
    struct map_u64 *launches;       /* leader's pid to struct launched */
    struct map_u64 *ending;         /* tag to struct launched that has ended, but not its groups */
    const char *const *group_files; /* of the first launch that had some: all are in one folder */
    struct buf input;
    struct buf output;
    struct arena *arena;
};

static void close_inherited(int keep)
{
    unsigned kept = (unsigned)keep;
    bool below = kept == 3 || syscall(SYS_close_range, 3u, kept - 1, 0u) == 0;
    if (below && syscall(SYS_close_range, kept + 1, ~0u, 0u) == 0)
        return;
    for (int descriptor = 3; descriptor < CLOSE_FALLBACK_MAX; descriptor++) {
        if (descriptor != keep)
            (void)close(descriptor); /* most are not open */
    }
}

static void send_frame(struct launcher_child *child, const struct launcher_frame *frame)
{
    CHECK(launcher_frame_append(&child->output, frame) == OK); /* bounded by what the owner asked */
}

static const char *const *copy_strings(struct arena *arena, const char *const *strings)
{
    size_t count = 0;
    while (strings[count] != NULL)
        count++;
    const char **copies = ARENA_ARRAY(arena, const char *, count + 1);
    for (size_t i = 0; i < count; i++)
        copies[i] = (const char *)arena_copy(arena, slice_from_string(strings[i])).data;
    return copies;
}

static struct launched *launched_open(const struct launcher_frame *frame, int64_t pid)
{
    struct arena *arena = arena_open(0);
    struct launched *launched = ARENA_NEW(arena, struct launched);
    launched->arena = arena;
    launched->tag = frame->tag;
    launched->pid = pid;
    if (frame->spec.group_files != NULL)
        launched->group_files = copy_strings(arena, frame->spec.group_files);
    return launched;
}

static void launch(struct launcher_child *child, const struct launcher_frame *frame)
{
    struct error error = {.status = OK};
    struct launcher_frame answer = {.kind = LAUNCHER_ANSWER, .request = frame->request};
    answer.status = process_spawn(&frame->spec, &answer.pid, &error);
    if (answer.status == OK) {
        struct launched *launched = launched_open(frame, answer.pid);
        CHECK(map_u64_put(child->launches, (uint64_t)answer.pid, launched) == NULL);
        if (child->group_files == NULL && launched->group_files != NULL)
            child->group_files = copy_strings(arena_open(0), launched->group_files);
    } else if (frame->spec.group_files != NULL) {
        (void)cgroup_end(
            frame->spec.group_files); /* what tried to start is reaped: all are empty */
    }
    answer.text = slice_from_string(error.text);
    send_frame(child, &answer);
}

static void pass_signal(struct launcher_child *child, const struct launcher_frame *frame)
{
    struct launcher_frame answer = {.kind = LAUNCHER_ANSWER, .request = frame->request};
    /* Only reaping frees a pid, and only this loop reaps: a pid in the map is still that leader's.
     */
    bool is_ours = map_u64_get(child->launches, (uint64_t)frame->pid) != NULL;
    answer.status = is_ours ? process_signal_group(frame->pid, frame->signal) : ERR_NOT_FOUND;
    send_frame(child, &answer);
}

/* Reads and performs what has come; false at the end of the owner. */
static bool serve_owner(struct launcher_child *child)
{
    uint8_t block[READ_BYTES];
    ssize_t got = recv(child->socket, block, sizeof(block), MSG_DONTWAIT);
    if (got < 0)
        return errno == EINTR || errno == EAGAIN;
    if (got == 0)
        return false;
    CHECK(buf_append(&child->input, block, (size_t)got) == OK);
    struct slice rest = buf_slice(&child->input);
    for (;;) {
        bool is_found = false;
        struct launcher_frame frame;
        arena_reset(child->arena);
        launcher_frame_take(&rest, child->arena, &is_found, &frame);
        if (!is_found)
            break;
        if (frame.kind == LAUNCHER_LAUNCH)
            launch(child, &frame);
        else
            pass_signal(child, &frame);
    }
    struct buf left;
    buf_open(&left, 0);
    CHECK(buf_append_slice(&left, rest) == OK);
    buf_close(&child->input);
    child->input = left;
    return true;
}

/* Sends what the socket takes; false when the owner is gone. */
static bool send_output(struct launcher_child *child)
{
    ssize_t sent =
        send(child->socket, child->output.data, child->output.length, MSG_DONTWAIT | MSG_NOSIGNAL);
    if (sent < 0)
        return errno == EINTR || errno == EAGAIN;
    struct buf left;
    buf_open(&left, 0);
    struct slice all = buf_slice(&child->output);
    CHECK(buf_append_slice(&left, slice_sub(all, (size_t)sent, all.length - (size_t)sent)) == OK);
    buf_close(&child->output);
    child->output = left;
    return true;
}

/* Ends the groups of a process that was reaped and tells its end; false: they are not empty yet. */
static bool tell_ended(struct launcher_child *child, struct launched *launched)
{
    if (launched->group_files != NULL && !cgroup_end(launched->group_files) &&
        clock_monotonic_ms() < launched->give_up_ms)
        return false;
    struct launcher_frame ended = {
        .kind = LAUNCHER_ENDED, .tag = launched->tag, .pid = launched->pid, .exit = launched->exit};
    send_frame(child, &ended);
    arena_close(launched->arena);
    return true;
}

/*
 * Reaps who has ended. A leader's group is killed while the leader is still a zombie: until it is
 * reaped its number cannot belong to anybody else.
 */
static void reap(struct launcher_child *child)
{
    for (;;) {
        siginfo_t info = {.si_pid = 0};
        if (waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) != 0 || info.si_pid == 0)
            return;
        pid_t pid = info.si_pid;
        struct launched *launched = map_u64_remove(child->launches, (uint64_t)pid);
        if (launched != NULL)
            status_ignore(process_signal_group(pid, PROCESS_KILL)); /* nobody left in it: fine */
        struct process_exit exit;
        CHECK(process_wait(pid, &exit, NULL) == OK);
        if (launched == NULL)
            continue;
        launched->exit = exit;
        launched->give_up_ms = clock_monotonic_ms() + GROUPS_END_MS;
        if (!tell_ended(child, launched))
            CHECK(map_u64_put(child->ending, launched->tag, launched) == NULL);
    }
}

/* Tries again those whose groups were not empty. */
static void finish_ending(struct launcher_child *child)
{
    size_t cursor = 0;
    uint64_t tag = 0;
    void *launched = NULL;
    while (map_u64_next(child->ending, &cursor, &tag, &launched)) {
        if (tell_ended(child, launched))
            (void)map_u64_remove(child->ending, tag);
    }
}

static void kill_children(void)
{
    struct proc_row *rows = NULL;
    size_t count = 0;
    if (proc_list(&rows, &count, NULL) != OK)
        return; /* no /proc: the groups were killed, the kernel kills the leaders when we exit */
    for (size_t i = 0; i < count; i++) {
        if (rows[i].parent == getpid())
            status_ignore(process_signal(rows[i].pid, PROCESS_KILL)); /* ended by itself: fine */
    }
    mem_free(rows);
}

/* Nobody is left in them. */
static void end_groups(const struct map_u64 *launches)
{
    size_t cursor = 0;
    void *value = NULL;
    while (map_u64_next(launches, &cursor, NULL, &value)) {
        const struct launched *launched = value;
        if (launched->group_files != NULL)
            (void)cgroup_end(launched->group_files); /* what cannot be removed waits for the next */
    }
}

/* L-3: nothing stays behind. Each round kills our children; their orphans become ours, and so on.
 */
_Noreturn static void end_all(struct launcher_child *child)
{
    size_t cursor = 0;
    uint64_t pid = 0;
    while (map_u64_next(child->launches, &cursor, &pid, NULL))
        status_ignore(process_signal_group((int64_t)pid, PROCESS_KILL)); /* ended by itself: fine */
    for (;;) {
        kill_children();
        pid_t reaped = os_waitpid(-1, NULL, 0);
        if (reaped < 0 && errno != EINTR)
            break;
    }
    end_groups(child->launches);
    end_groups(child->ending);
    for (size_t i = 0; child->group_files != NULL && child->group_files[i] != NULL; i++)
        cgroup_end_folder(child->group_files[i]);
    _exit(0);
}

static int open_signals(void)
{
    sigset_t all;
    CHECK(sigfillset(&all) == 0);
    CHECK(sigprocmask(SIG_SETMASK, &all, NULL) == 0);
    /* An inherited "ignore" would let the kernel reap our children before we see them. */
    struct sigaction action = {.sa_handler = SIG_DFL};
    CHECK(sigaction(SIGCHLD, &action, NULL) == 0);
    sigset_t child;
    CHECK(sigemptyset(&child) == 0);
    CHECK(sigaddset(&child, SIGCHLD) == 0);
    int descriptor = signalfd(-1, &child, SFD_CLOEXEC | SFD_NONBLOCK);
    CHECK(descriptor >= 0);
    return descriptor;
}

_Noreturn void launcher_run(int socket)
{
    close_inherited(socket);
    (void)prctl(PR_SET_NAME, "mr-launcher");
    CHECK(prctl(PR_SET_CHILD_SUBREAPER, 1) == 0);
    struct launcher_child child = {
        .socket = socket,
        .signals = open_signals(),
        .launches = map_u64_open(),
        .ending = map_u64_open(),
        .arena = arena_open(0),
    };
    for (;;) {
        struct pollfd polled[2] = {
            {.fd = socket,        .events = POLLIN},
            {.fd = child.signals, .events = POLLIN},
        };
        if (child.output.length > 0)
            polled[0].events |= POLLOUT;
        if (poll(polled, 2, map_u64_count(child.ending) > 0 ? GROUPS_POLL_MS : -1) < 0) {
            CHECK(errno == EINTR);
            continue;
        }
        if ((polled[1].revents & POLLIN) != 0) {
            struct signalfd_siginfo drained;
            while (read(child.signals, &drained, sizeof(drained)) > 0)
                continue;
            reap(&child);
        }
        finish_ending(&child);
        if ((polled[0].revents & (POLLIN | POLLHUP | POLLERR)) != 0 && !serve_owner(&child))
            end_all(&child);
        if (child.output.length > 0 && !send_output(&child))
            end_all(&child);
    }
}
