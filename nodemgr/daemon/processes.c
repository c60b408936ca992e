/*
 * processes.c - the processes of containers: launch, signal, exit.
 * Owns struct nodemgr_processes. A process is in the table from before its launch until its exit is
 * told to the core; the exit is told only after the launch was, whichever came first.
 */
#include <string.h>

#include "lib/base/check.h"
#include "lib/base/mem.h"
#include "lib/daemon/log.h"
#include "lib/daemon/shell.h"
#include "lib/daemon/workers.h"
#include "lib/model/ids.h"
#include "lib/model/message.h"
#include "lib/model/text.h"
#include "lib/os/directory.h"
#include "lib/os/file.h"
#include "lib/os/launcher.h"
#include "lib/os/thread.h"
#include "nodemgr/daemon/environment.h"
#include "nodemgr/daemon/nodemgr_daemon.h"

enum {
    STDERR_TAIL_BYTES = 2048
};

struct nodemgr_process {
    struct container_id container;
    int64_t pid; /* 0 while it is being launched */
    uint64_t memory_bytes_max;
    bool is_told; /* the core knows that it runs */
    bool has_ended;
    struct process_exit exit; /* once it has ended */
};

struct launch_job {
    struct nodemgr_daemon *self;
    uint64_t tag;
    struct arena *arena; /* owns the job */
    struct nodemgr_launch launch;
};

struct signal_job {
    struct nodemgr_daemon *self;
    struct nodemgr_signal signal;
};

/* --- exits ------------------------------------------------------------------------------------ */
static void tell_exit(struct nodemgr_daemon *self, const struct nodemgr_process *process)
{
    struct arena *arena = arena_open(0);
    struct slice tail =
        nodemgr_folders_stderr_tail(&self->folders, arena, process->container, STDERR_TAIL_BYTES);
    tail = text_cut_front(text_clean(tail, arena), STDERR_TAIL_BYTES);
    struct nodemgr_exited *seen = mem_new(sizeof(*seen) + tail.length);
    uint8_t *copy = (uint8_t *)(seen + 1);
    if (tail.length > 0)
        memcpy(copy, tail.data, tail.length);
    seen->container = process->container;
    seen->stderr_tail = slice_make(copy, tail.length);
    if (process->exit.by_signal)
        seen->signal = process->exit.code;
    else
        seen->exit_code = process->exit.code;
    log_event(daemon_log(self->daemon), LOG_LEVEL_INFO, "container_exited",
              log_text("container", container_id_text(process->container).text),
              log_number(process->exit.by_signal ? "signal" : "code", process->exit.code));
    shell_local(daemon_shell(self->daemon), NODEMGR_EXITED, seen, mem_free);
    arena_close(arena);
}

/* Takes the process out of the table once both its start and its end were seen; else NULL. */
static struct nodemgr_process *take_if_over(struct nodemgr_processes *processes, uint64_t number)
{
    struct nodemgr_process *process = map_u64_get(processes->by_launch, number);
    if (!process || !process->is_told || !process->has_ended)
        return NULL;
    return map_u64_remove(processes->by_launch, number);
}

static void process_ended(void *user, uint64_t tag, int64_t pid, struct process_exit exit)
{
    struct nodemgr_daemon *self = user;
    struct nodemgr_processes *processes = &self->processes;
    (void)pid;
    mutex_lock(processes->mutex);
    struct nodemgr_process *process = map_u64_get(processes->by_launch, tag);
    CHECK(process != NULL); /* it stays in the table until this was told */
    process->has_ended = true;
    process->exit = exit;
    process = take_if_over(processes, tag);
    mutex_unlock(processes->mutex);
    if (process)
        tell_exit(self, process);
    mem_free(process);
}

static void launcher_lost(void *user)
{
    struct nodemgr_daemon *self = user;
    log_write(daemon_log(self->daemon), LOG_LEVEL_ERROR, "launcher_lost", NULL, 0);
    shell_exit(daemon_shell(self->daemon), EXIT_LAUNCHER_LOST);
}

struct launcher_host nodemgr_processes_host(struct nodemgr_daemon *self)
{
    return (struct launcher_host){.user = self, .ended = process_ended, .lost = launcher_lost};
}

/* --- launch ----------------------------------------------------------------------------------- */
static uint64_t process_add(struct nodemgr_processes *processes,
                            const struct nodemgr_launch *launch)
{
    struct nodemgr_process *process = MEM_NEW(struct nodemgr_process);
    process->container = launch->container;
    process->memory_bytes_max = launch->resource.memory_bytes;
    mutex_lock(processes->mutex);
    uint64_t number = ++processes->last_launch;
    CHECK(map_u64_put(processes->by_launch, number, process) == NULL);
    mutex_unlock(processes->mutex);
    return number;
}

/* An address that is not known now is not passed; who needs it says so. */
static const char *find_or_empty(struct launch_job *job, const char *role)
{
    const char *address = "";
    if (daemon_find(job->self->daemon, role, job->arena, &address, NULL) != OK)
        return "";
    return address;
}

static enum status write_token(const char *path, const char *token, struct error *reterr_error)
{
    struct file *file = NULL;
    enum status status = file_open(path, FILE_MODE_TRUNCATE, FILE_PRIVATE, &file, reterr_error);
    if (status == OK)
        status = file_append(file, slice_from_string(token), reterr_error);
    file_close(file);
    return status;
}

static enum status launch_process(struct launch_job *job,
                                  uint64_t number,
                                  int64_t *ret_pid,
                                  struct error *reterr_error)
{
    struct nodemgr_daemon *self = job->self;
    struct container_id container = job->launch.container;
    struct nodemgr_facts facts = {
        .node_id = daemon_node_id(self->daemon),
        .host = daemon_host(self->daemon),
        .rack = daemon_rack(self->daemon),
        .cluster_directory = daemon_cluster_directory(self->daemon),
        .rm_address = find_or_empty(job, "rm"),
        .namenode_address = find_or_empty(job, "namenode"),
        .fd_path = self->fd_path,
        .work_directory = nodemgr_folders_work(&self->folders, job->arena, container),
        .app_directory = nodemgr_folders_app(&self->folders, job->arena, container.app),
        .log_directory = nodemgr_folders_logs(&self->folders, job->arena, container),
        .programs_directory = self->programs_directory,
        .kept = self->kept_environment,
    };
    facts.token_file = path_join(job->arena, facts.work_directory, "millrace.token");
    enum status status = nodemgr_daemon_user_token(self, job->launch.user, job->arena,
                                                   &facts.user_token, reterr_error);
    if (status == OK)
        status = write_token(facts.token_file, facts.user_token, reterr_error);
    if (status != OK)
        return status;
    struct process_spec spec = {
        .arguments = nodemgr_environment_arguments(&facts, &job->launch.launch, job->arena),
        .environment = nodemgr_environment_variables(&facts, &job->launch, job->arena),
        .directory = facts.work_directory,
        .stdout_path = path_join(job->arena, facts.log_directory, "stdout"),
        .stderr_path = path_join(job->arena, facts.log_directory, "stderr"),
    };
    status = nodemgr_limits_make(self, container, job->launch.resource, job->arena,
                                 &spec.group_files, reterr_error);
    if (status != OK)
        return status;
    status = launcher_launch(daemon_launcher(self->daemon), number, &spec, ret_pid, reterr_error);
    if (status != OK && spec.group_files != NULL)
        (void)cgroup_end(spec.group_files); /* nobody is in them, and they may be gone */
    return status;
}

/* The launch is told; if the process has ended meanwhile, that is told, too. */
static void launch_succeeded(struct launch_job *job, uint64_t number, int64_t pid)
{
    struct nodemgr_daemon *self = job->self;
    struct nodemgr_processes *processes = &self->processes;
    struct nodemgr_launched *launched = MEM_NEW(struct nodemgr_launched);
    launched->process_id = (uint64_t)pid;
    log_event(daemon_log(self->daemon), LOG_LEVEL_INFO, "container_started",
              log_text("container", container_id_text(job->launch.container).text),
              log_number("pid", pid), log_slice("user", job->launch.user));
    shell_effect_done(daemon_shell(self->daemon), job->tag, NODEMGR_LAUNCH, OK, slice_make(NULL, 0),
                      launched, mem_free);
    mutex_lock(processes->mutex);
    struct nodemgr_process *process = map_u64_get(processes->by_launch, number);
    process->pid = pid;
    process->is_told = true;
    process = take_if_over(processes, number);
    mutex_unlock(processes->mutex);
    if (process)
        tell_exit(self, process);
    mem_free(process);
}

static void launch_run(void *argument)
{
    struct launch_job *job = argument;
    struct nodemgr_processes *processes = &job->self->processes;
    struct error error = {.status = OK};
    int64_t pid = 0;
    uint64_t number = process_add(processes, &job->launch);
    enum status status = launch_process(job, number, &pid, &error);
    if (status == OK) {
        launch_succeeded(job, number, pid);
    } else {
        mutex_lock(processes->mutex);
        struct nodemgr_process *process = map_u64_remove(processes->by_launch, number);
        mutex_unlock(processes->mutex);
        mem_free(process);
        log_event(daemon_log(job->self->daemon), LOG_LEVEL_WARN, "launch_failed",
                  log_text("container", container_id_text(job->launch.container).text),
                  log_text("error", error.text));
        shell_effect_done(daemon_shell(job->self->daemon), job->tag, NODEMGR_LAUNCH, status,
                          slice_from_string(error.text), NULL, NULL);
    }
    arena_close(job->arena);
}

void nodemgr_launch_post(struct nodemgr_daemon *self,
                         uint64_t tag,
                         const struct nodemgr_launch *launch)
{
    struct arena *arena = arena_open(0);
    struct launch_job *job = ARENA_NEW(arena, struct launch_job);
    job->self = self;
    job->tag = tag;
    job->arena = arena;
    job->launch = *launch;
    job->launch.user = arena_copy(arena, launch->user);
    message_copy_into(&rm_launch_spec_type, &launch->launch, &job->launch.launch, arena);
    workers_post(daemon_workers(self->daemon), launch_run, job);
}

/* --- signals ---------------------------------------------------------------------------------- */
static void signal_run(void *argument)
{
    struct signal_job *job = argument;
    struct error error = {.status = OK};
    enum status status =
        launcher_signal(daemon_launcher(job->self->daemon), (int64_t)job->signal.process_id,
                        job->signal.is_kill ? PROCESS_KILL : PROCESS_TERMINATE, &error);
    if (status != OK && status != ERR_NOT_FOUND) /* not found: it ended by itself, which is told */
        log_event(daemon_log(job->self->daemon), LOG_LEVEL_WARN, "signal_failed",
                  log_text("container", container_id_text(job->signal.container).text),
                  log_text("error", error.text));
    mem_free(job);
}

void nodemgr_signal_post(struct nodemgr_daemon *self, const struct nodemgr_signal *sent)
{
    struct signal_job *job = MEM_NEW(struct signal_job);
    job->self = self;
    job->signal = *sent;
    workers_post(self->signaller, signal_run, job);
}

/* --- life ------------------------------------------------------------------------------------- */
void nodemgr_processes_open(struct nodemgr_processes *processes)
{
    *processes = (struct nodemgr_processes){
        .mutex = mutex_open(),
        .by_launch = map_u64_open(),
    };
}

enum status nodemgr_processes_start(struct nodemgr_daemon *self, struct error *reterr_error)
{
    struct launcher_host host = nodemgr_processes_host(self);
    return daemon_start_launcher(self->daemon, &host, reterr_error);
}

size_t nodemgr_processes_list(const struct nodemgr_processes *processes,
                              struct arena *arena,
                              struct nodemgr_running **ret_running)
{
    mutex_lock(processes->mutex);
    struct nodemgr_running *running =
        ARENA_ARRAY(arena, struct nodemgr_running, map_u64_count(processes->by_launch) + 1);
    size_t count = 0;
    size_t cursor = 0;
    void *value;
    while (map_u64_next(processes->by_launch, &cursor, NULL, &value)) {
        const struct nodemgr_process *process = value;
        if (process->is_told && !process->has_ended)
            running[count++] =
                (struct nodemgr_running){.container = process->container,
                                         .pid = process->pid,
                                         .memory_bytes_max = process->memory_bytes_max};
    }
    mutex_unlock(processes->mutex);
    *ret_running = running;
    return count;
}

void nodemgr_processes_close(struct nodemgr_processes *processes)
{
    size_t cursor = 0;
    void *process;
    while (map_u64_next(processes->by_launch, &cursor, NULL, &process))
        mem_free(process); /* the launcher ended it without us */
    map_u64_close(processes->by_launch);
    mutex_close(processes->mutex);
}
