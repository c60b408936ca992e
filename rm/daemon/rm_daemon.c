/*
 * rm_daemon.c - the resource manager's shell: settings, life, and the door with signatures.
 */
#include "rm/daemon/rm_daemon.h"

#include <stddef.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/daemon/grant.h"
#include "lib/daemon/log.h"
#include "lib/daemon/shell.h"
#include "lib/daemon/workers.h"
#include "lib/model/limits.h"
#include "lib/net/http_server.h"
#include "lib/os/clock.h"
#include "lib/os/host.h"
#include "rm/daemon/queues_file.h"

static const struct setting rm_settings_rows[] = {
    {"rm.node_heartbeat_interval_ms",   SETTING_MS,     "1s",    "How long a node's heartbeat is held.",            1,
     LIMIT_WAIT_MS                                                                                                                       },
    {"rm.node_lost_ms",                 SETTING_MS,     "10s",
     "Silence after which a node and its containers are lost.",                                                     2, INT32_MAX         },
    {"rm.master_heartbeat_interval_ms", SETTING_MS,     "1s",    "How long a master's Allocate is held.",
     1,                                                                                                                LIMIT_WAIT_MS     },
    {"rm.master_lost_ms",               SETTING_MS,     "30s",   "Silence after which a master is given up.",       2,
     INT32_MAX                                                                                                                           },
    {"rm.master_launch_ms",             SETTING_MS,     "60s",   "Time from a master's grant to its registration.", 1,
     INT32_MAX                                                                                                                           },
    {"rm.container_launch_ms",          SETTING_MS,     "60s",
     "Time from a grant's answer to its process's start.",                                                          1, GRANT_LIFETIME_MS },
    {"rm.kill_grace_ms",                SETTING_MS,     "10s",
     "Time for a master to stop when asked to, and to exit when it has finished.",                                  1, INT32_MAX         },
    {"rm.recovery_grace_ms",            SETTING_MS,     "10s",
     "Time for nodes and masters to come back after a restart.",                                                    1, INT32_MAX         },
    {"rm.node_delay_ms",                SETTING_MS,     "50ms",
     "How long room elsewhere is refused for a wanted host; 0: not at all.",                                        0, INT32_MAX         },
    {"rm.rack_delay_ms",                SETTING_MS,     "50ms",  "How long it is then refused for a wanted rack.",  0,
     INT32_MAX                                                                                                                           },
    {"rm.master_attempts_max",          SETTING_U64,    "2",
     "Masters that may fail before their application does.",                                                        1, LIMIT_APP_ATTEMPTS},
    {"rm.masters_percent_max",          SETTING_U64,    "50",
     "Share of the cluster that masters may hold together, in percent.",                                            1, 100               },
    {"rm.finished_apps_max",            SETTING_U64,    "1000",  "Finished applications that are remembered.",      0,
     LIMIT_APPS_REMEMBERED                                                                                                               },
    {"rm.live_apps_max",                SETTING_U64,    "10000", "Applications that may wait and run.",             1,
     LIMIT_APPS_ACTIVE                                                                                                                   },
    {"rm.hold_after_ms",                SETTING_MS,     "2s",
     "Time after which room is kept for what was overtaken for lack of it.",                                        2, INT32_MAX         },
    {"rm.hold_percent",                 SETTING_U64,    "10",
     "Share of the nodes that may be kept at once, in percent; 0: none, else at least one.",                        0,
     100                                                                                                                                 },
    {"rm.preempt_interval_ms",          SETTING_MS,     "3s",
     "How often queues below their guarantee are looked for; at the second time room is made.",                     1,
     INT32_MAX                                                                                                                           },
    {"rm.preempt_grace_ms",             SETTING_MS,     "15s",
     "Time from the warning of a container that is preempted to its end.",                                          1, INT32_MAX         },
    {"rm.queues",                       SETTING_STRING, "",
     "The queues' file; empty: queues.conf in the cluster's directory.",                                            0, 0                 },
    {"rm.container_max_memory",         SETTING_BYTES,  "0",
     "Memory of the largest container; 0: of the largest node.",                                                    0, 0                 },
    {"rm.container_max_vcores",         SETTING_U64,    "0",
     "Virtual cores of the largest container; 0: of the largest node.",                                             0, LIMIT_VCORES      },
    {"rm.master_memory",                SETTING_BYTES,  "512m",
     "Memory of a master when its submission names none.",                                                          1, (uint64_t)1 << 46 },
    {"rm.master_vcores",                SETTING_U64,    "1",
     "Virtual cores of a master when its submission names none.",                                                   1, LIMIT_VCORES      },
    {"rm.admin_user",                   SETTING_STRING, "",
     "Who may kill any application; empty: who runs the resource manager.",                                         0, 0                 },
};

static const char *const services[] = {"ResourceManager", "NodeTracker", "MasterTracker", NULL};

static struct rm_settings read_settings(const struct settings *settings, struct arena *arena)
{
    const char *admin = settings_string(settings, "rm.admin_user");
    if (admin[0] == '\0')
        admin = host_user_name(arena, host_uid());
    return (struct rm_settings){
        .admin_user = slice_from_string(admin),
        .node_heartbeat_interval_ms = settings_ms(settings, "rm.node_heartbeat_interval_ms"),
        .node_lost_ms = settings_ms(settings, "rm.node_lost_ms"),
        .master_heartbeat_interval_ms = settings_ms(settings, "rm.master_heartbeat_interval_ms"),
        .master_lost_ms = settings_ms(settings, "rm.master_lost_ms"),
        .master_launch_ms = settings_ms(settings, "rm.master_launch_ms"),
        .container_launch_ms = settings_ms(settings, "rm.container_launch_ms"),
        .kill_grace_ms = settings_ms(settings, "rm.kill_grace_ms"),
        .recovery_grace_ms = settings_ms(settings, "rm.recovery_grace_ms"),
        .node_delay_ms = settings_ms(settings, "rm.node_delay_ms"),
        .rack_delay_ms = settings_ms(settings, "rm.rack_delay_ms"),
        .master_attempts_max = (uint32_t)settings_u64(settings, "rm.master_attempts_max"),
        .masters_percent_max = (uint32_t)settings_u64(settings, "rm.masters_percent_max"),
        .finished_apps_max = (uint32_t)settings_u64(settings, "rm.finished_apps_max"),
        .live_apps_max = (uint32_t)settings_u64(settings, "rm.live_apps_max"),
        .hold_after_ms = settings_ms(settings, "rm.hold_after_ms"),
        .hold_percent = (uint32_t)settings_u64(settings, "rm.hold_percent"),
        .preempt_interval_ms = settings_ms(settings, "rm.preempt_interval_ms"),
        .preempt_grace_ms = settings_ms(settings, "rm.preempt_grace_ms"),
        .container_max = {.memory_bytes = settings_bytes(settings, "rm.container_max_memory"),
                          .vcores = (uint32_t)settings_u64(settings, "rm.container_max_vcores")},
        .master_resource = {.memory_bytes = settings_bytes(settings, "rm.master_memory"),
                          .vcores = (uint32_t)settings_u64(settings, "rm.master_vcores")       },
    };
}

const char *rm_queues_path(const struct rm_daemon *self, struct arena *arena)
{
    const char *path = settings_string(daemon_settings(self->daemon), "rm.queues");
    if (path[0] != '\0')
        return path;
    struct slice text =
        arena_format(arena, "%s/queues.conf", daemon_cluster_directory(self->daemon));
    return (const char *)text.data;
}

/* --- effects ---------------------------------------------------------------------------------
 */
struct reading {
    struct rm_daemon *self;
    struct shell *shell;
    uint64_t tag;
    struct arena *arena;
    struct rm_queue_specs specs;
};

static void reading_close(void *data)
{
    struct rm_queue_specs *specs = data;
    struct reading *reading =
        (struct reading *)(void *)((char *)specs - offsetof(struct reading, specs));
    arena_close(reading->arena);
    mem_free(reading);
}

/* On a worker's thread. */
static void read_queues(void *argument)
{
    struct reading *reading = argument;
    struct error error = {.status = OK};
    enum status status = rm_queues_file_read(rm_queues_path(reading->self, reading->arena),
                                             reading->arena, &reading->specs, &error);
    struct log_field why = log_text("why", error.text);
    if (status != OK)
        log_write(daemon_log(reading->self->daemon), LOG_LEVEL_WARN, "queues_refused", &why, 1);
    shell_effect_done(reading->shell, reading->tag, RM_EFFECT_READ_QUEUES, status,
                      slice_from_string(error.text), &reading->specs, reading_close);
}

static void perform_effect(
    void *state, struct shell *shell, uint64_t tag, int effect, const void *data)
{
    struct rm_daemon *self = state;
    (void)effect; /* there is one only */
    (void)data;
    struct reading *reading = MEM_NEW(struct reading);
    reading->self = self;
    reading->shell = shell;
    reading->tag = tag;
    reading->arena = arena_open(0);
    workers_post(daemon_workers(self->daemon), read_queues, reading);
}

/* --- the door: the machine's, and signatures on what comes out ---------------------------------
 */
static void door_step(void *machine, const struct event *event, struct actions *ret_actions)
{
    struct rm_signing *signing = machine;
    rm_step(signing->rm, event, ret_actions);
    rm_grants_sign(ret_actions, &signing->secret, event->wall_ms);
}

static int64_t door_deadline_ms(const void *machine)
{
    const struct rm_signing *signing = machine;
    return rm_deadline_ms(signing->rm);
}

static void door_check(const void *machine)
{
    const struct rm_signing *signing = machine;
    rm_check(signing->rm);
}

static void door_snapshot(const void *machine, struct actions *ret_actions)
{
    const struct rm_signing *signing = machine;
    rm_snapshot(signing->rm, ret_actions);
}

static void door_tally(const void *machine, struct buf *text)
{
    const struct rm_signing *signing = machine;
    rm_tally(signing->rm, text);
}

static void door_close(void *machine)
{
    struct rm_signing *signing = machine;
    if (signing == NULL)
        return;
    rm_close(signing->rm);
    token_secret_close(&signing->secret);
    mem_free(signing);
}

static const struct machine_door rm_door = {
    .name = "rm",
    .step = door_step,
    .deadline_ms = door_deadline_ms,
    .check = door_check,
    .snapshot = door_snapshot,
    .tally = door_tally,
    .close = door_close,
};

/* --- life --------------------------------------------------------------------------------------
 */
static enum status open_machine(struct rm_daemon *self,
                                struct rm_signing **ret_signing,
                                struct error *reterr_error)
{
    struct arena *arena = arena_open(0);
    struct rm_settings settings = read_settings(daemon_settings(self->daemon), arena);
    struct rm_queue_specs queues = {0};
    const char *fault = rm_settings_check(&settings);
    struct rm_signing *signing = MEM_NEW(struct rm_signing);
    enum status status;
    if (fault != NULL)
        status =
            error_set(reterr_error, ERR_INVALID,
                      "setting rm.%s does not fit the others: lost_ms is above its interval, and "
                      "container_max has memory and vcores or neither",
                      fault);
    else
        status = rm_queues_file_read(rm_queues_path(self, arena), arena, &queues, reterr_error);
    if (status == OK) {
        settings.queues = &queues;
        status = rm_open(&settings, host_random_u64(), &signing->rm);
    }
    arena_close(arena);
    if (status != OK) {
        mem_free(signing);
        return status;
    }
    signing->secret = *daemon_secret(self->daemon);
    *ret_signing = signing;
    return OK;
}

static enum status open_twin(struct daemon *daemon,
                             void *state,
                             void **ret_machine,
                             struct error *reterr_error)
{
    struct rm_signing *signing = NULL;
    (void)daemon;
    enum status status = open_machine(state, &signing, reterr_error);
    if (status == OK)
        *ret_machine = signing;
    return status;
}

static void stop(void *state)
{
    struct rm_daemon *self = state;
    http_server_close(self->http);
    self->http = NULL;
}

static void close_state(void *state)
{
    stop(state);
    mem_free(state);
}

static enum status open_state(struct daemon *daemon,
                              void **ret_state,
                              void **ret_machine,
                              struct error *reterr_error)
{
    struct rm_daemon *self = MEM_NEW(struct rm_daemon);
    struct rm_signing *signing = NULL;
    self->daemon = daemon;
    self->secret = daemon_secret(daemon);
    self->started_wall_ms = (uint64_t)clock_wall_ms();
    enum status status = open_machine(self, &signing, reterr_error);
    if (status == OK)
        status = rm_pages_open(self, reterr_error);
    if (status != OK) {
        door_close(signing);
        close_state(self);
        return status;
    }
    *ret_state = self;
    *ret_machine = signing;
    return OK;
}

/* Node managers' calls are refused before they cost a step; the machine checks the rest. */
static bool may_call(void *state, enum method method, struct slice user)
{
    (void)state;
    if (strcmp(method_info(method)->service, "NodeTracker") == 0)
        return slice_equal_string(user, RM_DAEMON_USER);
    return true;
}

/* Nothing new begins while the disk is full; for what is under way there is room in the reserve. */
static bool needs_room(void *state, enum method method)
{
    (void)state;
    return method == METHOD_RESOURCE_MANAGER_SUBMIT_APP;
}

const struct daemon_definition rm_daemon_definition = {
    .name = "rm",
    .purpose = "Keeps the cluster's applications and nodes, and grants containers.",
    .door = &rm_door,
    .settings = rm_settings_rows,
    .settings_count = sizeof(rm_settings_rows) / sizeof(rm_settings_rows[0]),
    .services = services,
    .issues_tokens = true,
    .open = open_state,
    .open_twin = open_twin,
    .effect = perform_effect,
    .metrics = rm_pages_metrics,
    .needs_room = needs_room,
    .may_call = may_call,
    .stop = stop,
    .close = close_state,
};
