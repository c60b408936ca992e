/*
 * process.c - starts, waits for and signals children.
 * Everything that allocates or may lock happens before the fork: between fork and exec the child
 * calls only async-signal-safe functions (signal-safety(7)), because other threads may have held a
 * lock of the C library at that moment.
 */
#include "lib/os/process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/check.h"
#include "lib/os/calls.h"
#include "lib/os/directory.h"
#include "lib/os/host.h"

enum {
    CLOSE_FALLBACK_MAX = 65536, /* descriptors marked one by one on a kernel without close_range */
    EXIT_NOT_STARTED = 127      /* of a child that failed before exec; nobody sees it */
};

/* What the child was doing when it failed, as sent over the pipe. */
enum spawn_step {
    SPAWN_STDIN,
    SPAWN_STDOUT,
    SPAWN_STDERR,
    SPAWN_DIRECTORY,
    SPAWN_GROUP,
    SPAWN_PARENT,
    SPAWN_LIMITS,
    SPAWN_CONTROL,
    SPAWN_EXEC,
    SPAWN_STEP_COUNT
};

static const char *const spawn_step_names[SPAWN_STEP_COUNT] = {
    [SPAWN_STDIN] = "open its standard input",
    [SPAWN_STDOUT] = "open its standard output",
    [SPAWN_STDERR] = "open its standard error",
    [SPAWN_DIRECTORY] = "enter its directory",
    [SPAWN_GROUP] = "make its process group",
    [SPAWN_PARENT] = "bind it to its parent",
    [SPAWN_LIMITS] = "set its limits",
    [SPAWN_CONTROL] = "join its control groups",
    [SPAWN_EXEC] = "execute it",
};

struct spawn_failure {
    int step;
    int reason; /* errno */
};

/* All that the child needs, ready before the fork. */
struct spawn_plan {
    const struct process_spec *spec;
    const char *program;
    int failure_pipe; /* write end, close-on-exec, above 2 */
    pid_t parent;
};

int process_exit_code(struct process_exit exit)
{
    return exit.by_signal ? 128 + exit.code : exit.code;
}

/* A name without slash is looked up in PATH, as a shell does. */
static enum status find_program(struct arena *arena,
                                const char *name,
                                const char **ret_program,
                                struct error *reterr_error)
{
    if (strchr(name, '/') != NULL) {
        *ret_program = name;
        return OK;
    }
    const char *path = host_environment("PATH");
    struct slice rest = slice_from_string(path != NULL ? path : "/usr/local/bin:/usr/bin:/bin");
    while (rest.length > 0) {
        size_t end = slice_find(rest, ':');
        const char *directory = (const char *)arena_copy(arena, slice_sub(rest, 0, end)).data;
        const char *candidate = path_join(arena, end > 0 ? directory : ".", name);
        struct stat info;
        if (stat(candidate, &info) == 0 && S_ISREG(info.st_mode) && access(candidate, X_OK) == 0) {
            *ret_program = candidate;
            return OK;
        }
        size_t skip = end < rest.length ? end + 1 : end;
        rest = slice_sub(rest, skip, rest.length - skip);
    }
    return error_set(reterr_error, ERR_NOT_FOUND, "start %s: no such program in PATH", name);
}

_Noreturn static void fail_child(const struct spawn_plan *plan, enum spawn_step step)
{
    struct spawn_failure failure = {.step = (int)step, .reason = errno};
    ssize_t ignored = write(plan->failure_pipe, &failure, sizeof(failure));
    (void)ignored; /* the parent is gone: nobody is left to tell */
    _exit(EXIT_NOT_STARTED);
}

static void redirect(
    const struct spawn_plan *plan, const char *path, int flags, int target, enum spawn_step step)
{
    if (path == NULL)
        return;
    int descriptor = open(path, flags, 0644);
    if (descriptor < 0 || dup2(descriptor, target) < 0)
        fail_child(plan, step);
}

static void reset_signals(void)
{
    struct sigaction action = {.sa_handler = SIG_DFL};
    for (int signal = 1; signal < NSIG; signal++)
        (void)sigaction(signal, &action, NULL); /* some cannot be changed, and need not be */
    sigset_t none;
    (void)sigemptyset(&none); /* cannot fail */
    (void)sigprocmask(SIG_SETMASK, &none, NULL);
}

static void set_limit(const struct spawn_plan *plan, int resource, uint64_t value)
{
    struct rlimit limit = {.rlim_cur = (rlim_t)value, .rlim_max = (rlim_t)value};
    if (setrlimit((__rlimit_resource_t)resource, &limit) != 0)
        fail_child(plan, SPAWN_LIMITS);
}

static void set_limits(const struct spawn_plan *plan)
{
    const struct process_limits *limits = &plan->spec->limits;
    if (!limits->core_dumps)
        set_limit(plan, RLIMIT_CORE, 0);
    if (limits->address_space_bytes > 0)
        set_limit(plan, RLIMIT_AS, limits->address_space_bytes);
    if (limits->open_files > 0)
        set_limit(plan, RLIMIT_NOFILE, limits->open_files);
    if (limits->cpu_seconds > 0)
        set_limit(plan, RLIMIT_CPU, limits->cpu_seconds);
    if (limits->file_bytes > 0)
        set_limit(plan, RLIMIT_FSIZE, limits->file_bytes);
}

/* "0" is who writes it (cgroups(7)). */
static void join_groups(const struct spawn_plan *plan)
{
    const char *const *files = plan->spec->group_files;
    for (size_t i = 0; files != NULL && files[i] != NULL; i++) {
        int descriptor = open(files[i], O_WRONLY | O_CLOEXEC);
        if (descriptor < 0 || write(descriptor, "0", 1) != 1)
            fail_child(plan, SPAWN_CONTROL);
        (void)close(descriptor); /* the write was all */
    }
}

/* Lets exec close every descriptor above 2, whoever opened it. */
static void close_others_at_exec(void)
{
    if (syscall(SYS_close_range, 3u, ~0u, CLOSE_RANGE_CLOEXEC) == 0)
        return;
    for (int descriptor = 3; descriptor < CLOSE_FALLBACK_MAX; descriptor++)
        (void)fcntl(descriptor, F_SETFD, FD_CLOEXEC); /* most are not open */
}

_Noreturn static void run_child(const struct spawn_plan *plan)
{
    const struct process_spec *spec = plan->spec;
    reset_signals();
    if (spec->own_session && setsid() < 0)
        fail_child(plan, SPAWN_GROUP);
    if (spec->own_group && !spec->own_session && setpgid(0, 0) != 0)
        fail_child(plan, SPAWN_GROUP);
    if (spec->dies_with_parent) {
        if (prctl(PR_SET_PDEATHSIG, SIGKILL) != 0)
            fail_child(plan, SPAWN_PARENT);
        if (getppid() != plan->parent) /* it died before prctl could notice */
            _exit(EXIT_NOT_STARTED);
    }
    join_groups(plan);
    redirect(plan, spec->stdin_path != NULL ? spec->stdin_path : "/dev/null", O_RDONLY,
             STDIN_FILENO, SPAWN_STDIN);
    int append = O_WRONLY | O_CREAT | O_APPEND;
    redirect(plan, spec->stdout_path, append, STDOUT_FILENO, SPAWN_STDOUT);
    redirect(plan, spec->stderr_path, append, STDERR_FILENO, SPAWN_STDERR);
    if (spec->directory != NULL && chdir(spec->directory) != 0)
        fail_child(plan, SPAWN_DIRECTORY);
    set_limits(plan);
    close_others_at_exec();
    const char *const *environment =
        spec->environment != NULL ? spec->environment : host_environment_all();

    union { /* execve does not change the strings, but its prototype cannot say so */
        const char *const *borrowed;
        char *const *given;
    } arguments = {.borrowed = spec->arguments}, variables = {.borrowed = environment};

    (void)execve(plan->program, arguments.given, variables.given);
    fail_child(plan, SPAWN_EXEC);
}

/* A pipe whose ends are close-on-exec and above 2, so that redirecting 0..2 cannot hit them. */
static enum status open_failure_pipe(int ret_pipe[2], struct error *reterr_error)
{
    int low[2];
    if (pipe2(low, O_CLOEXEC) != 0)
        return error_set_errno(reterr_error, errno, "make a pipe");
    int high[2] = {fcntl(low[0], F_DUPFD_CLOEXEC, 3), fcntl(low[1], F_DUPFD_CLOEXEC, 3)};
    int reason = errno;
    (void)close(low[0]); /* pipes lose nothing at close */
    (void)close(low[1]);
    if (high[0] >= 0 && high[1] >= 0) {
        ret_pipe[0] = high[0];
        ret_pipe[1] = high[1];
        return OK;
    }
    if (high[0] >= 0)
        (void)close(high[0]);
    if (high[1] >= 0)
        (void)close(high[1]);
    return error_set_errno(reterr_error, reason, "make a pipe");
}

/* Waits for exec (the pipe closes) or for what went wrong before. */
static enum status read_outcome(int descriptor, const char *name, struct error *reterr_error)
{
    struct spawn_failure failure;
    ssize_t got;
    do
        got = read(descriptor, &failure, sizeof(failure));
    while (got < 0 && errno == EINTR);
    if (got == 0)
        return OK;
    CHECK(got == (ssize_t)sizeof(failure)); /* written in one piece, well below PIPE_BUF */
    CHECK(failure.step >= 0 && failure.step < SPAWN_STEP_COUNT);
    return error_set_errno(reterr_error, failure.reason, "start %s: %s", name,
                           spawn_step_names[failure.step]);
}

enum status process_spawn(const struct process_spec *spec,
                          int64_t *ret_pid,
                          struct error *reterr_error)
{
    CHECK(spec->arguments != NULL && spec->arguments[0] != NULL);
    const char *name = spec->arguments[0];
    struct arena *arena = arena_open(0);
    struct spawn_plan plan = {.spec = spec, .parent = getpid()};
    int failure_pipe[2] = {-1, -1};
    enum status status = find_program(arena, name, &plan.program, reterr_error);
    if (status == OK)
        status = open_failure_pipe(failure_pipe, reterr_error);
    if (status != OK) {
        arena_close(arena);
        return status;
    }
    plan.failure_pipe = failure_pipe[1];
    pid_t pid = os_fork();
    if (pid == 0)
        run_child(&plan);
    int reason = errno;
    (void)close(failure_pipe[1]);    /* pipes lose nothing at close */
    if (pid < 0 && reason == EAGAIN) /* not a thing that is in use: the limit of processes */
        status = error_set(reterr_error, ERR_LIMIT, "start %s: too many processes", name);
    else if (pid < 0)
        status = error_set_errno(reterr_error, reason, "start %s: fork", name);
    else
        status = read_outcome(failure_pipe[0], name, reterr_error);
    (void)close(failure_pipe[0]);
    arena_close(arena);
    if (pid > 0 && status != OK) {
        pid_t reaped;
        do
            reaped = os_waitpid(pid, NULL, 0);
        while (reaped < 0 && errno == EINTR);
    }
    if (status == OK)
        *ret_pid = (int64_t)pid;
    return status;
}

static struct process_exit exit_from_wait(int wait_status)
{
    if (WIFSIGNALED(wait_status))
        return (struct process_exit){.by_signal = true, .code = WTERMSIG(wait_status)};
    return (struct process_exit){.by_signal = false, .code = WEXITSTATUS(wait_status)};
}

enum status process_wait(int64_t pid, struct process_exit *ret_exit, struct error *reterr_error)
{
    int wait_status = 0;
    pid_t reaped;
    do
        reaped = os_waitpid((pid_t)pid, &wait_status, 0);
    while (reaped < 0 && errno == EINTR);
    if (reaped < 0)
        return error_set_errno(reterr_error, errno, "wait for process %lld", (long long)pid);
    *ret_exit = exit_from_wait(wait_status);
    return OK;
}

enum status process_poll(int64_t pid,
                         bool *ret_ended,
                         struct process_exit *ret_exit,
                         struct error *reterr_error)
{
    int wait_status = 0;
    pid_t reaped = os_waitpid((pid_t)pid, &wait_status, WNOHANG);
    if (reaped < 0)
        return error_set_errno(reterr_error, errno, "wait for process %lld", (long long)pid);
    *ret_ended = reaped > 0;
    if (reaped > 0)
        *ret_exit = exit_from_wait(wait_status);
    return OK;
}

static const int signal_numbers[PROCESS_SIGNAL_COUNT] = {
    [PROCESS_TERMINATE] = SIGTERM, [PROCESS_KILL] = SIGKILL,     [PROCESS_INTERRUPT] = SIGINT,
    [PROCESS_STOP] = SIGSTOP,      [PROCESS_CONTINUE] = SIGCONT,
};

static enum status send_signal(pid_t target, enum process_signal signal)
{
    CHECK((size_t)signal < PROCESS_SIGNAL_COUNT);
    if (os_kill(target, signal_numbers[signal]) == 0)
        return OK;
    return errno == ESRCH ? ERR_NOT_FOUND : status_from_errno(errno);
}

enum status process_signal(int64_t pid, enum process_signal signal)
{
    CHECK(pid > 1); /* 0, -1 and 1 would mean far more than one process of ours */
    return send_signal((pid_t)pid, signal);
}

enum status process_signal_group(int64_t group, enum process_signal signal)
{
    CHECK(group > 1);
    return send_signal((pid_t)-group, signal);
}

bool process_is_alive(int64_t pid)
{
    return pid > 0 && (os_kill((pid_t)pid, 0) == 0 || errno == EPERM);
}

int64_t process_self(void)
{
    return (int64_t)getpid();
}

_Noreturn void process_exit_now(int code)
{
    _exit(code);
}

int64_t process_parent(void)
{
    return (int64_t)getppid();
}
