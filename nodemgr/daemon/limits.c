/*
 * limits.c - what a container may have: memory, processes, processors, bytes of logs.
 * Owns struct nodemgr_limits. Where control groups are to be had the kernel refuses a container
 * more processes than its limit, divides the processors, and tells who is in it, whatever it did to
 * hide; the rest is looked at from time to time, and everything where there are none. Who is over a
 * limit is stopped by the machine.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/daemon/log.h"
#include "lib/daemon/shell.h"
#include "lib/model/ids.h"
#include "lib/model/limits.h"
#include "lib/os/clock.h"
#include "lib/os/directory.h"
#include "lib/os/thread.h"
#include "lib/os/usage.h"
#include "nodemgr/daemon/nodemgr_daemon.h"

/* --- the choice ------------------------------------------------------------------------------- */
const char *nodemgr_limits_name(const struct nodemgr_limits *limits)
{
    if (!limits->has_groups)
        return "polling";
    return limits->tree.version == CGROUP_VERSION_2 ? "cgroup2" : "cgroup1";
}

/* In the order of preference. */
static enum status choose_tree(struct nodemgr_daemon *self,
                               const char *wanted,
                               uint32_t vcores,
                               struct error *reterr_error)
{
    static const enum cgroup_version versions[] = {CGROUP_VERSION_2, CGROUP_VERSION_1};

    static const char *const names[] = {"cgroup2", "cgroup1"};
    struct nodemgr_limits *limits = &self->limits;
    bool is_auto = strcmp(wanted, "auto") == 0;
    const char *name = (const char *)arena_format(self->arena, "millrace-nodemgr-%" PRIu64,
                                                  daemon_node_id(self->daemon))
                           .data;
    for (size_t i = 0; i < sizeof(versions) / sizeof(versions[0]); i++) {
        struct error why = {.status = OK};
        if (!is_auto && strcmp(wanted, names[i]) != 0)
            continue;
        limits->has_groups = cgroup_tree_open(versions[i], name, vcores, NULL, self->arena,
                                              &limits->tree, &why) == OK;
        if (limits->has_groups)
            return OK;
        if (!is_auto)
            return error_set(reterr_error, ERR_UNSUPPORTED, "nodemgr.limits is %s, but %s", wanted,
                             why.text);
        log_event(daemon_log(self->daemon), LOG_LEVEL_INFO, "limits_not_by",
                  log_text("kind", names[i]), log_text("why", why.text));
    }
    if (is_auto || strcmp(wanted, "polling") == 0)
        return OK;
    return error_set(reterr_error, ERR_INVALID,
                     "nodemgr.limits is %s; it can be auto, cgroup2, cgroup1 or polling", wanted);
}

enum status nodemgr_limits_choose(struct nodemgr_daemon *self,
                                  uint32_t vcores,
                                  struct error *reterr_error)
{
    const struct settings *settings = daemon_settings(self->daemon);
    struct nodemgr_limits *limits = &self->limits;
    limits->check_ms = settings_ms(settings, "nodemgr.memory_check_ms");
    limits->processes_max = settings_u64(settings, "nodemgr.processes_max");
    limits->log_bytes_max = settings_bytes(settings, "nodemgr.log_bytes_max");
    enum status status =
        choose_tree(self, settings_string(settings, "nodemgr.limits"), vcores, reterr_error);
    if (status != OK)
        return status;
    bool has_cpu = limits->has_groups && limits->tree.cpu != NULL;
    log_event(daemon_log(self->daemon), LOG_LEVEL_INFO, "limits_chosen",
              log_text("processes", nodemgr_limits_name(limits)),
              log_text("processors", has_cpu ? nodemgr_limits_name(limits) : "none"),
              log_text("memory", "polling"), log_text("logs", "polling"));
    return OK;
}

/* --- groups ----------------------------------------------------------------------------------- */
enum status nodemgr_limits_make(struct nodemgr_daemon *self,
                                struct container_id container,
                                struct resource resource,
                                struct arena *arena,
                                const char *const **ret_join_files,
                                struct error *reterr_error)
{
    const struct nodemgr_limits *limits = &self->limits;
    *ret_join_files = NULL;
    if (!limits->has_groups)
        return OK;
    struct cgroup_limits wanted = {
        .processes_max = limits->processes_max > 0 ? limits->processes_max : LIMIT_PROCESSES,
        .vcores = resource.vcores,
    };
    struct id_text name = container_id_text(container);
    return cgroup_make(&limits->tree, name.text, &wanted, arena, ret_join_files, reterr_error);
}

/* --- looking ---------------------------------------------------------------------------------- */
static void tell_over(struct nodemgr_daemon *self,
                      const struct nodemgr_running *running,
                      enum nodemgr_limit limit,
                      uint64_t used,
                      uint64_t used_max)
{
    static const char *const names[NODEMGR_LIMIT_COUNT] = {
        [NODEMGR_LIMIT_MEMORY] = "container_over_memory",
        [NODEMGR_LIMIT_PROCESSES] = "container_over_processes",
        [NODEMGR_LIMIT_LOGS] = "container_over_logs",
    };
    struct nodemgr_over_limit *over = MEM_NEW(struct nodemgr_over_limit);
    over->container = running->container;
    over->limit = limit;
    over->used = used;
    over->used_max = used_max;
    log_event(daemon_log(self->daemon), LOG_LEVEL_WARN, names[limit],
              log_text("container", container_id_text(running->container).text),
              log_unsigned("used", used), log_unsigned("limit", used_max));
    shell_local(daemon_shell(self->daemon), NODEMGR_OVER_LIMIT, over, mem_free);
}

/* The first limit that is passed is told. */
static void judge(struct nodemgr_daemon *self,
                  const struct nodemgr_running *running,
                  const struct usage *usage,
                  struct arena *arena)
{
    const struct nodemgr_limits *limits = &self->limits;
    /* The kernel counts the one that it refused. */
    bool was_refused =
        limits->has_groups &&
        cgroup_refusals(&limits->tree, container_id_text(running->container).text) > 0;
    uint64_t tasks = was_refused ? limits->processes_max + 1 : usage->threads;
    if (limits->processes_max > 0 && tasks > limits->processes_max) {
        tell_over(self, running, NODEMGR_LIMIT_PROCESSES, tasks, limits->processes_max);
        return;
    }
    if (running->memory_bytes_max > 0 && usage->resident_bytes > running->memory_bytes_max) {
        tell_over(self, running, NODEMGR_LIMIT_MEMORY, usage->resident_bytes,
                  running->memory_bytes_max);
        return;
    }
    uint64_t log_bytes = 0;
    const char *logs = nodemgr_folders_logs(&self->folders, arena, running->container);
    if (limits->log_bytes_max > 0 && directory_tree_bytes(logs, &log_bytes, NULL) == OK &&
        log_bytes > limits->log_bytes_max)
        tell_over(self, running, NODEMGR_LIMIT_LOGS, log_bytes, limits->log_bytes_max);
}

static void look(struct nodemgr_daemon *self, struct arena *arena)
{
    struct nodemgr_running *running = NULL;
    size_t count = nodemgr_processes_list(&self->processes, arena, &running);
    if (count == 0)
        return;
    int64_t *pids = ARENA_ARRAY(arena, int64_t, count);
    struct usage *usages = ARENA_ARRAY(arena, struct usage, count);
    struct error error = {.status = OK};
    for (size_t i = 0; i < count; i++)
        pids[i] = running[i].pid;
    if (usage_of_trees(pids, count, usages, &error) != OK)
        log_event(daemon_log(self->daemon), LOG_LEVEL_WARN, "usage_unknown",
                  log_text("error", error.text)); /* usages are zeros: the other limits hold */
    for (size_t i = 0; i < count; i++)
        judge(self, &running[i], &usages[i], arena);
}

static void watch_limits(void *argument)
{
    struct nodemgr_daemon *self = argument;
    struct nodemgr_limits *limits = &self->limits;
    struct arena *arena = arena_open(0);
    mutex_lock(limits->mutex);
    int64_t next_ms = clock_monotonic_ms() + limits->check_ms;
    while (!limits->is_stopping) {
        if (condition_wait_until(limits->changed, limits->mutex, next_ms))
            continue; /* woken for another reason */
        mutex_unlock(limits->mutex);
        look(self, arena);
        arena_reset(arena);
        mutex_lock(limits->mutex);
        next_ms = clock_monotonic_ms() + limits->check_ms;
    }
    mutex_unlock(limits->mutex);
    arena_close(arena);
}

/* --- life ------------------------------------------------------------------------------------- */
void nodemgr_limits_open(struct nodemgr_limits *limits)
{
    *limits = (struct nodemgr_limits){.mutex = mutex_open(), .changed = condition_open()};
}

enum status nodemgr_limits_start(struct nodemgr_daemon *self, struct error *reterr_error)
{
    if (self->limits.check_ms == 0)
        return OK;
    return thread_open("limits", watch_limits, self, &self->limits.watcher, reterr_error);
}

void nodemgr_limits_stop(struct nodemgr_limits *limits)
{
    mutex_lock(limits->mutex);
    limits->is_stopping = true;
    condition_broadcast(limits->changed);
    mutex_unlock(limits->mutex);
    thread_join(limits->watcher);
    limits->watcher = NULL;
}

void nodemgr_limits_close(struct nodemgr_limits *limits)
{
    if (limits->has_groups)
        (void)cgroup_tree_remove(
            &limits->tree); /* what cannot be removed now is at the next start */
    condition_close(limits->changed);
    mutex_close(limits->mutex);
}
