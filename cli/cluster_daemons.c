/*
 * cluster_daemons.c - looks at locks, starts programs, stops processes.
 */
#include "cli/cluster_daemons.h"

#include <inttypes.h>
#include <string.h>

#include "cli/cluster_plan.h"
#include "lib/base/buf.h"
#include "lib/base/check.h"
#include "lib/base/mem.h"
#include "lib/daemon/cluster.h"
#include "lib/os/clock.h"
#include "lib/os/directory.h"
#include "lib/os/file.h"
#include "lib/os/host.h"
#include "lib/os/process.h"
#include "lib/os/process_handle.h"

enum {
    LOOK_MIN_MS = 1, /* pauses between two looks at what cannot be waited for */
    LOOK_MAX_MS = 16,
    ARGUMENTS_MAX = 24,
    OUTPUT_LINES = 5,          /* of a failed daemon's output */
    OUTPUT_BYTES = 600,        /* of them, so that they fit an error */
    KILLED_MS = 10 * 1000,     /* until a killed process is gone */
    DESCENDANT_GRACE_MS = 5000 /* for what a daemon had started, after the daemon */
};

static const char *file_in(const struct cluster_process *process,
                           struct arena *arena,
                           const char *suffix)
{
    return (const char *)arena_format(arena, "%s/%s%s", process->directory, process->role, suffix)
        .data;
}

enum status cluster_process_look(struct cluster_process *process, struct error *reterr_error)
{
    struct arena *arena = arena_open(0);
    enum status status =
        file_lock_holder(file_in(process, arena, ".lock"), &process->pid, reterr_error);
    arena_close(arena);
    return status;
}

enum status cluster_processes_find(const struct cluster *cluster,
                                   const struct cluster_plan *plan,
                                   struct arena *arena,
                                   struct cluster_process **ret_processes,
                                   size_t *ret_count,
                                   struct error *reterr_error)
{
    struct cluster_process *processes =
        ARENA_ARRAY(arena, struct cluster_process, cluster->daemon_count + 1);
    size_t count = 0;
    for (size_t i = 0; i < cluster->daemon_count; i++) {
        const struct cluster_daemon *daemon = &cluster->daemons[i];
        const struct cluster_plan_daemon *planned = cluster_plan_find(plan, daemon->name);
        if (daemon->directory[0] == '\0')
            continue; /* on another host */
        processes[count] = (struct cluster_process){
            .name = daemon->name,
            .role = daemon->role,
            .directory = daemon->directory,
            .host = planned != NULL ? planned->host : NULL,
            .rack = planned != NULL ? planned->rack : NULL,
        };
        enum status status = cluster_process_look(&processes[count], reterr_error);
        if (status != OK)
            return error_prefix(reterr_error, status, "look at %s", daemon->name);
        count++;
    }
    *ret_processes = processes;
    *ret_count = count;
    return OK;
}

static uint64_t length_of(const char *path)
{
    struct file_info info;
    return file_info_get(path, true, &info, NULL) == OK ? info.bytes : 0;
}

/* Appends "--set", "name=text". */
static void add_setting(
    struct arena *arena, const char **arguments, size_t *count, const char *name, const char *text)
{
    arguments[(*count)++] = "--set";
    arguments[(*count)++] = (const char *)arena_format(arena, "%s=%s", name, text).data;
}

const char *const *cluster_process_arguments(const struct cluster_process *process,
                                             const char *cluster_directory,
                                             struct arena *arena)
{
    const char **arguments = ARENA_ARRAY(arena, const char *, ARGUMENTS_MAX);
    size_t count = 0;
    arguments[count++] =
        (const char *)arena_format(arena, "%s/mr-%s", host_program_directory(arena), process->role)
            .data;
    arguments[count++] = "--cluster";
    arguments[count++] = cluster_directory;
    arguments[count++] = "--dir";
    arguments[count++] = process->directory;
    arguments[count++] = "--config";
    arguments[count++] = path_join(arena, cluster_directory, "millrace.conf");
    add_setting(arena, arguments, &count, "daemon.name", process->name);
    if (process->host != NULL)
        add_setting(arena, arguments, &count, "daemon.host", process->host);
    if (process->rack != NULL)
        add_setting(arena, arguments, &count, "daemon.rack", process->rack);
    if (process->rpc_port != 0)
        add_setting(arena, arguments, &count, "daemon.rpc_port",
                    (const char *)arena_format(arena, "%u", process->rpc_port).data);
    if (process->http_port != 0)
        add_setting(arena, arguments, &count, "daemon.http_port",
                    (const char *)arena_format(arena, "%u", process->http_port).data);
    CHECK(count < ARGUMENTS_MAX);
    return arguments;
}

enum status cluster_process_start(struct cluster_process *process,
                                  const char *cluster_directory,
                                  struct error *reterr_error)
{
    CHECK(process->pid == 0);
    struct arena *arena = arena_open(0);
    const char *log = file_in(process, arena, ".log");
    struct process_spec spec = {
        .arguments = cluster_process_arguments(process, cluster_directory, arena),
        .directory = process->directory,
        .stdout_path = log,
        .stderr_path = log,
        .own_session = true,
        .limits = {.core_dumps = true},
    };
    process->log_before = length_of(log);
    process->started_ms = clock_monotonic_ms();
    enum status status = process_spawn(&spec, &process->pid, reterr_error);
    process->is_new = status == OK;
    arena_close(arena);
    return status;
}

/* The last few lines of text; a first one that is not whole only when there is no other. */
static struct slice last_lines(struct slice text, bool is_cut)
{
    while (text.length > 0 && text.data[text.length - 1] == '\n')
        text.length--;
    size_t begin = text.length;
    for (int lines = 0; begin > 0; begin--)
        if (text.data[begin - 1] == '\n' && ++lines == OUTPUT_LINES)
            break;
    size_t first_end = slice_find(text, '\n');
    if (is_cut && begin == 0 && first_end < text.length)
        begin = first_end + 1;
    return slice_sub(text, begin, text.length - begin);
}

/* Appends what the file got since offset: its last few lines, indented. */
static void append_last_lines(const char *path, uint64_t offset, struct buf *text)
{
    struct file *file = NULL;
    uint64_t length = 0;
    if (file_open(path, FILE_MODE_READ, 0, &file, NULL) != OK)
        return; /* no file is no output */
    char bytes[OUTPUT_BYTES];
    size_t got = 0;
    bool is_cut = false;
    if (file_length(file, &length, NULL) == OK && length > offset) {
        is_cut = length - offset > sizeof(bytes);
        if (file_read_at(file, is_cut ? length - sizeof(bytes) : offset, bytes, sizeof(bytes), &got,
                         NULL) != OK)
            got = 0; /* the sentence in front of the lines has to do */
    }
    file_close(file);
    struct slice rest = last_lines(slice_make(bytes, got), is_cut);
    while (rest.length > 0) {
        size_t end = slice_find(rest, '\n');
        status_ignore(buf_append_format(text, "\n    %.*s", SLICE_ARGS(slice_sub(rest, 0, end))));
        size_t skip = end < rest.length ? end + 1 : end;
        rest = slice_sub(rest, skip, rest.length - skip);
    }
}

/* What it said since it was started. */
static struct buf last_words(const struct cluster_process *process)
{
    struct arena *arena = arena_open(0);
    struct buf text;
    buf_open(&text, 0);
    append_last_lines(file_in(process, arena, ".log"), process->log_before, &text);
    arena_close(arena);
    return text;
}

static bool is_serving(const struct cluster_process *process)
{
    struct arena *arena = arena_open(0);
    struct cluster_daemon daemon;
    bool is = cluster_address_load(arena, process->directory, process->role, &daemon, NULL) == OK &&
              daemon.pid == process->pid;
    arena_close(arena);
    return is;
}

/* OK: go on waiting. */
static enum status check_alive(struct cluster_process *process, struct error *reterr_error)
{
    bool has_ended = false;
    struct process_exit exit = {.code = 0};
    enum status status = process_poll(process->pid, &has_ended, &exit, reterr_error);
    if (status != OK || !has_ended)
        return status;
    process->pid = 0;
    process->is_new = false;
    struct buf words = last_words(process);
    if (exit.by_signal)
        status = error_set(reterr_error, ERR_INTERNAL, "%s did not start: signal %d ended it%s%s",
                           process->name, exit.code, words.length > 0 ? "; its last words:" : "",
                           buf_string(&words));
    else
        status =
            error_set(reterr_error, ERR_INTERNAL,
                      "%s did not start: it ended with exit code %d%s%s", process->name, exit.code,
                      words.length > 0 ? "; its last words:" : "", buf_string(&words));
    buf_close(&words);
    return status;
}

enum status cluster_processes_check(struct cluster_process *processes,
                                    size_t count,
                                    struct error *reterr_error)
{
    for (size_t i = 0; i < count; i++) {
        enum status status = processes[i].is_new ? check_alive(&processes[i], reterr_error) : OK;
        if (status != OK)
            return status;
    }
    return OK;
}

enum status cluster_processes_wait(struct cluster_process *processes,
                                   size_t count,
                                   int64_t deadline_ms,
                                   bool (*is_cancelled)(void),
                                   struct error *reterr_error)
{
    int64_t pause_ms = LOOK_MIN_MS;
    size_t served = 0; /* those before this one serve */
    for (;;) {
        while (served < count && (!processes[served].is_new || is_serving(&processes[served])))
            served++;
        enum status status = cluster_processes_check(processes, count, reterr_error);
        if (status != OK)
            return status;
        if (served == count)
            return OK;
        if (is_cancelled != NULL && is_cancelled())
            return error_set(reterr_error, ERR_CANCELLED, "interrupted");
        if (clock_monotonic_ms() >= deadline_ms) {
            struct buf words = last_words(&processes[served]);
            status = error_set(reterr_error, ERR_DEADLINE, "%s does not serve, though it runs%s%s",
                               processes[served].name, words.length > 0 ? "; its last words:" : "",
                               buf_string(&words));
            buf_close(&words);
            return status;
        }
        clock_sleep_until_ms(clock_monotonic_ms() + pause_ms);
        pause_ms = pause_ms * 2 < LOOK_MAX_MS ? pause_ms * 2 : LOOK_MAX_MS;
    }
}

/* --- stopping -------------------------------------------------------------------------------- */

/* A process to wait for: a daemon, or something a daemon had started. */
struct stopping {
    struct process_handle *handle;
    struct cluster_process *process; /* NULL: not a daemon */
    bool has_ended;
};

struct stop_list {
    struct stopping *rows;
    size_t count;
    size_t capacity;
};

static enum status stop_list_add(struct stop_list *list,
                                 int64_t pid,
                                 struct cluster_process *process,
                                 struct error *reterr_error)
{
    struct process_handle *handle = NULL;
    enum status status = process_handle_open(pid, &handle, reterr_error);
    if (status == ERR_NOT_FOUND)
        return OK; /* it has just ended */
    if (status != OK)
        return status;
    list->rows = mem_reserve(list->rows, list->count, &list->capacity, sizeof(*list->rows));
    list->rows[list->count++] = (struct stopping){.handle = handle, .process = process};
    return OK;
}

static void stop_list_close(struct stop_list *list)
{
    for (size_t i = 0; i < list->count; i++)
        process_handle_close(list->rows[i].handle);
    mem_free(list->rows);
}

/*
 * Opens a handle and only then makes sure that the pid is still the daemon's. A child of ours needs
 * no proof (it is not reaped), and may not have its lock yet.
 */
static enum status add_daemon(struct stop_list *daemons,
                              struct stop_list *descendants,
                              struct cluster_process *process,
                              struct arena *arena,
                              struct error *reterr_error)
{
    int64_t pid = process->pid;
    enum status status = stop_list_add(daemons, pid, process, reterr_error);
    if (status == OK && !process->is_new)
        status = cluster_process_look(process, reterr_error);
    if (status != OK)
        return status;
    if (process->pid != pid) {
        if (daemons->count > 0 && daemons->rows[daemons->count - 1].process == process)
            process_handle_close(daemons->rows[--daemons->count].handle);
        return OK; /* another one runs by now, or none */
    }
    const int64_t *pids = NULL;
    size_t count = 0;
    status = process_descendants(pid, arena, &pids, &count, reterr_error);
    for (size_t i = 0; i < count && status == OK; i++)
        status = stop_list_add(descendants, pids[i], NULL, reterr_error);
    return status;
}

static enum status signal_rows(struct stop_list *list,
                               enum process_signal signal,
                               struct error *reterr_error)
{
    for (size_t i = 0; i < list->count; i++) {
        struct stopping *row = &list->rows[i];
        if (row->has_ended)
            continue;
        enum status status = process_handle_signal(row->handle, signal);
        if (status != OK && status != ERR_NOT_FOUND)
            return error_set(reterr_error, status, "stop process %" PRId64 ": %s",
                             process_handle_pid(row->handle), status_sentence(status));
    }
    return OK;
}

/* Returns how many are left at the deadline. */
static size_t wait_for_rows(struct stop_list *list, int64_t deadline_ms)
{
    size_t left = 0;
    for (size_t i = 0; i < list->count; i++) {
        struct stopping *row = &list->rows[i];
        if (!row->has_ended)
            row->has_ended = process_handle_wait(row->handle, deadline_ms);
        if (row->has_ended && row->process != NULL)
            row->process->pid = 0;
        left += !row->has_ended;
    }
    return left;
}

static enum status end_rows(struct stop_list *list,
                            int64_t grace_ms,
                            size_t *killed,
                            struct error *reterr_error)
{
    size_t left = wait_for_rows(list, clock_monotonic_ms() + grace_ms);
    if (left == 0)
        return OK;
    *killed += left;
    enum status status = signal_rows(list, PROCESS_KILL, reterr_error);
    if (status == OK && wait_for_rows(list, clock_monotonic_ms() + KILLED_MS) > 0)
        return error_set(reterr_error, ERR_DEADLINE, "a killed process does not end");
    return status;
}

static int stop_group_of(const struct cluster_process *process)
{
    if (strcmp(process->role, "namenode") == 0)
        return 2;
    return strcmp(process->role, "datanode") == 0 ? 1 : 0;
}

static enum status stop_group(struct cluster_process *processes,
                              size_t count,
                              int group,
                              int64_t grace_ms,
                              size_t *killed,
                              struct error *reterr_error)
{
    struct arena *arena = arena_open(0);
    struct stop_list daemons = {.count = 0};
    struct stop_list descendants = {.count = 0};
    enum status status = OK;
    for (size_t i = 0; i < count && status == OK; i++) {
        if (processes[i].pid > 0 && stop_group_of(&processes[i]) == group)
            status = add_daemon(&daemons, &descendants, &processes[i], arena, reterr_error);
    }
    if (status == OK)
        status = signal_rows(&daemons, PROCESS_TERMINATE, reterr_error);
    if (status == OK)
        status = end_rows(&daemons, grace_ms, killed, reterr_error);
    /* A node manager kills its containers; what did not hear of that is killed here. */
    size_t descendants_killed = 0;
    if (status == OK)
        status = end_rows(&descendants, DESCENDANT_GRACE_MS, &descendants_killed, reterr_error);
    stop_list_close(&descendants);
    stop_list_close(&daemons);
    arena_close(arena);
    return status;
}

enum status cluster_processes_stop(struct cluster_process *processes,
                                   size_t count,
                                   int64_t grace_ms,
                                   size_t *ret_killed,
                                   struct error *reterr_error)
{
    size_t killed = 0;
    for (int group = 0; group <= 2; group++) {
        enum status status = stop_group(processes, count, group, grace_ms, &killed, reterr_error);
        if (status != OK)
            return status;
    }
    if (ret_killed != NULL)
        *ret_killed = killed;
    return OK;
}
