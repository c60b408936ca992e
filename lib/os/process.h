/*
 * process.h - child processes.
 * A process that has called grpc_init must not create children that outlive exec errors, nor fork
 * from a big heap: the node manager uses launcher.h. process_spawn itself is safe in a program with
 * threads: the child runs only async-signal-safe calls before exec.
 */
#ifndef MILLRACE_LIB_OS_PROCESS_H
#define MILLRACE_LIB_OS_PROCESS_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/error.h"
#include "lib/base/status.h"

struct process_limits { /* 0: as inherited */
    uint64_t address_space_bytes;
    uint64_t open_files;
    uint64_t cpu_seconds;
    uint64_t file_bytes; /* largest file it may write */
    bool core_dumps;     /* false: none are written */
};

struct process_spec {
    const char *const *arguments; /* NULL-terminated; [0] without slash is looked up in our PATH */
    const char *const *environment; /* NULL-terminated "NAME=value"; NULL: ours */
    const char *directory;          /* working directory; NULL: ours */
    const char *stdin_path;         /* NULL: /dev/null */
    const char *stdout_path;        /* appended, created 0644; relative to ours; NULL: ours */
    const char *stderr_path;        /* the same; may be stdout_path */
    bool own_group;                 /* leads a new process group, whose id is its pid */
    bool own_session;               /* leads a new session (and group): survives our terminal */
    bool dies_with_parent;          /* gets SIGKILL when the thread that spawned it ends */
    const char *const *group_files; /* NULL-terminated, of control groups that it joins: cgroup.h;
                                       NULL: ours */
    struct process_limits limits;
};

struct process_exit {
    bool by_signal;
    int code; /* exit code 0..255, or the signal's number */
};

/* The number a shell would show: the exit code, or 128 + signal. */
int process_exit_code(struct process_exit exit);

/*
 * arguments[0] with a slash in it is relative to spec's directory.
 * Starts a child with default signal handling and no descriptors but 0, 1, 2. Returns after its
 * exec succeeded; when that or a step before fails, there is no child and the error names the step.
 * Reap it with process_wait.
 */
MUST_USE enum status process_spawn(const struct process_spec *spec,
                                   int64_t *ret_pid,
                                   struct error *reterr_error);
/* Waits for the child pid to end, and reaps it. */
MUST_USE enum status process_wait(int64_t pid,
                                  struct process_exit *ret_exit,
                                  struct error *reterr_error);
/* The same without waiting; *ret_ended false: still running, ret_exit untouched. */
MUST_USE enum status process_poll(int64_t pid,
                                  bool *ret_ended,
                                  struct process_exit *ret_exit,
                                  struct error *reterr_error);

/* Signals by name of purpose, so that callers need no POSIX header. */
enum process_signal {
    PROCESS_TERMINATE, /* SIGTERM */
    PROCESS_KILL,      /* SIGKILL */
    PROCESS_INTERRUPT, /* SIGINT */
    PROCESS_STOP,      /* SIGSTOP */
    PROCESS_CONTINUE,  /* SIGCONT */
    PROCESS_SIGNAL_COUNT
};
/* ERR_NOT_FOUND when there is no such process. */
MUST_USE enum status process_signal(int64_t pid, enum process_signal signal);
/* To every member of the process group. */
MUST_USE enum status process_signal_group(int64_t group, enum process_signal signal);
bool process_is_alive(int64_t pid); /* also true for one that is not ours */
int64_t process_self(void);
/*
 * Ends this process at once, with all its threads: nothing is flushed, closed or waited for. For
 * programs whose libraries' threads are slow to stop.
 */
_Noreturn void process_exit_now(int code);
int64_t process_parent(void);

#endif
