/*
 * nodemgr_daemon.c - the node manager's shell: settings, life, effects.
 */
#include "nodemgr/daemon/nodemgr_daemon.h"

#include <stdio.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/daemon/cluster.h"
#include "lib/daemon/grant.h"
#include "lib/daemon/log.h"
#include "lib/daemon/workers.h"
#include "lib/model/ids.h"
#include "lib/model/limits.h"
#include "lib/net/http_server.h"
#include "lib/os/clock.h"
#include "lib/os/directory.h"
#include "lib/os/host.h"
#include "lib/os/launcher.h"

MACHINE_DOOR(nodemgr);

static const struct setting nodemgr_settings_rows[] = {
    {"nodemgr.memory",            SETTING_BYTES,  "0",
     "Memory that containers may hold together; 0: 80 % of the host's.",                                                                                                         0, 0              },
    {"nodemgr.vcores",            SETTING_U64,    "0",
     "Virtual cores that containers may hold together; 0: as many as the host has processors.",                                                                                  0,
     LIMIT_VCORES                                                                                                                                                                                  },
    {"nodemgr.term_grace_ms",     SETTING_MS,     "250ms",
     "Time between SIGTERM and SIGKILL when a container is stopped.",                                                                                                            1, LIMIT_WAIT_MS  },
    {"nodemgr.memory_check_ms",   SETTING_MS,     "1s",
     "How often memory, processes and logs of containers are measured; 0: never.",                                                                                               0,
     LIMIT_WAIT_MS                                                                                                                                                                                 },
    {"nodemgr.limits",            SETTING_STRING, "auto",
     "What limits the processes of a container: cgroup2, cgroup1, polling, or auto, the first of "
     "these that is to be had.",                                                                                                                                                 0, 0              },
    {"nodemgr.processes_max",     SETTING_U64,    "1024",
     "Processes and threads that a container may have; 0: no limit.",                                                                                                            0, LIMIT_PROCESSES},
    {"nodemgr.log_bytes_max",     SETTING_BYTES,  "1g",
     "Bytes of logs that a container may write; 0: no limit.",                                                                                                                   0, 0              },
    {"nodemgr.reserve",           SETTING_BYTES,  "64m",
     "With less room than this on the disks of its folders the node gets nothing new to do.",                                                                                    0, 0              },
    {"nodemgr.disk_check_ms",     SETTING_MS,     "1s",                                        "How often the room on these disks is looked at.",
     1,                                                                                                                                                                             LIMIT_WAIT_MS  },
    {"nodemgr.disk_write_ms",     SETTING_MS,     "2m",
     "How often it is tried whether these disks can be written.",                                                                                                                1, INT64_MAX      },
    {"nodemgr.disk_full_percent", SETTING_U64,    "90",
     "With these disks fuller than this the node gets nothing new to do; 100: only nodemgr.reserve "
     "counts.",                                                                                                                                                                  1, 100            },
    {"nodemgr.disk_well_percent", SETTING_U64,    "85",
     "Not fuller than this, a node that got nothing new to do gets it again.",                                                                                                   1, 100            },
    {"nodemgr.log_apps",          SETTING_U64,    "1000",                                      "Finished applications whose logs are kept.",                                     0,
     1000 * 1000                                                                                                                                                                                   },
    {"nodemgr.log_age_ms",        SETTING_MS,     "168h",                                      "How long logs of finished applications are kept.",
     0,                                                                                                                                                                             0              },
    {"nodemgr.http_threads",      SETTING_U64,    "4",                                         "Threads that serve map outputs and logs.",                                       1, 256            },
    {"nodemgr.token_lifetime_ms", SETTING_MS,     "168h",                                      "How long a container may act for its user.",
     1000,                                                                                                                                                                          INT64_MAX      },
    {"nodemgr.programs",          SETTING_STRING, "",
     "Folder of mr-task and mr-appmaster; empty: beside this program.",                                                                                                          0, 0              },
    {"nodemgr.fd_path",           SETTING_STRING, "",
     "Socket on which this host's datanode hands out descriptors, told to containers.",                                                                                          0, 0              },
    {"nodemgr.keep_environment",  SETTING_STRING,
     "TZ LD_LIBRARY_PATH ASAN_OPTIONS UBSAN_OPTIONS TSAN_OPTIONS LSAN_OPTIONS MILLRACE_CHECK", "Names of variables, separated by spaces, that containers get from this daemon.", 0, 0              },
};

static const char *const services[] = {"NodeManager", NULL};

/* --- tokens ----------------------------------------------------------------------------------- */
/* For the machine: is token the resource manager's grant? Core thread only. */
static enum status verify_grant(void *context,
                                struct slice token,
                                const struct container_id *container,
                                uint64_t node_id,
                                int64_t wall_ms,
                                struct nodemgr_grant *ret_grant)
{
    struct nodemgr_daemon *self = context;
    struct grant grant;
    struct error error = {.status = OK};
    enum status status = grant_verify(&self->secret, token, *container, node_id, wall_ms,
                                      &self->grant_claims, &grant, &error);
    if (status != OK) {
        log_event(daemon_log(self->daemon), LOG_LEVEL_WARN, "grant_refused",
                  log_text("container", container_id_text(*container).text),
                  log_text("error", error.text));
        return status;
    }
    ret_grant->resource = grant.resource;
    ret_grant->user = grant.user;
    return OK;
}

enum status nodemgr_daemon_user_token(const struct nodemgr_daemon *self,
                                      struct slice user,
                                      struct arena *arena,
                                      const char **ret_token,
                                      struct error *reterr_error)
{
    char *token = arena_new(arena, TOKEN_BYTES);
    struct slice subject = arena_format(arena, "user:%.*s", SLICE_ARGS(user));
    enum status status = token_sign(&self->secret, (const char *)subject.data, CLUSTER_AUDIENCE,
                                    clock_wall_ms() + self->token_lifetime_ms, token, reterr_error);
    if (status == OK)
        *ret_token = token;
    return status;
}

/* --- folders, on the cleaner -------------------------------------------------------------------
 */
struct clean_job {
    struct nodemgr_daemon *self;
    uint64_t tag;
    struct container_id container;
    struct app_id app;
};

static void clean_run(void *argument)
{
    struct clean_job *job = argument;
    struct error error = {.status = OK};
    enum status status = nodemgr_folders_clean(&job->self->folders, job->container, &error);
    if (status != OK) /* it goes with the application, or at the next start */
        log_event(daemon_log(job->self->daemon), LOG_LEVEL_WARN, "clean_failed",
                  log_text("container", container_id_text(job->container).text),
                  log_text("error", error.text));
    mem_free(job);
}

static void trim_logs(struct nodemgr_daemon *self)
{
    struct error error = {.status = OK};
    enum status status = nodemgr_folders_trim_logs(&self->folders, self->log_apps_max,
                                                   clock_wall_ms() - self->log_age_ms, &error);
    if (status != OK) /* tried again with the next application */
        log_event(daemon_log(self->daemon), LOG_LEVEL_WARN, "log_trim_failed",
                  log_text("error", error.text));
}

static void forget_run(void *argument)
{
    struct clean_job *job = argument;
    struct nodemgr_daemon *self = job->self;
    struct error error = {.status = OK};
    enum status status = nodemgr_folders_forget(&self->folders, job->app, &error);
    struct id_text app = app_id_text(job->app);
    if (status == OK)
        log_event(daemon_log(self->daemon), LOG_LEVEL_INFO, "app_forgotten",
                  log_text("app", app.text));
    else
        log_event(daemon_log(self->daemon), LOG_LEVEL_WARN, "app_forget_failed",
                  log_text("app", app.text), log_text("error", error.text));
    shell_effect_done(daemon_shell(self->daemon), job->tag, NODEMGR_FORGET, status,
                      slice_from_string(error.text), NULL, NULL);
    trim_logs(self);
    mem_free(job);
}

static void clean_post(struct nodemgr_daemon *self, const struct nodemgr_clean *clean)
{
    struct clean_job *job = MEM_NEW(struct clean_job);
    job->self = self;
    job->container = clean->container;
    workers_post(self->cleaner, clean_run, job);
}

static void forget_post(struct nodemgr_daemon *self,
                        uint64_t tag,
                        const struct nodemgr_forget *forget)
{
    struct clean_job *job = MEM_NEW(struct clean_job);
    job->self = self;
    job->tag = tag;
    job->app = forget->app;
    workers_post(self->cleaner, forget_run, job);
}

static void effect(void *state, struct shell *shell, uint64_t tag, int effect, const void *data)
{
    struct nodemgr_daemon *self = state;
    (void)shell;
    switch ((enum nodemgr_effect)effect) {
    case NODEMGR_LOCALIZE:
        nodemgr_localize_post(self, tag, data);
        break;
    case NODEMGR_LAUNCH:
        nodemgr_launch_post(self, tag, data);
        break;
    case NODEMGR_SIGNAL:
        nodemgr_signal_post(self, data);
        break;
    case NODEMGR_CLEAN:
        clean_post(self, data);
        break;
    case NODEMGR_FORGET:
        forget_post(self, tag, data);
        break;
    case NODEMGR_EFFECT_COUNT:
        break;
    }
}

/* --- life ------------------------------------------------------------------------------------- */
/* Ends the threads that use the launcher or ask the shell; may come twice. */
static void stop_serving(struct nodemgr_daemon *self)
{
    http_server_close(self->http);
    workers_close(self->signaller);
    workers_close(self->cleaner);
    self->http = NULL;
    self->signaller = NULL;
    self->cleaner = NULL;
}

static void close_state(void *state)
{
    struct nodemgr_daemon *self = state;
    stop_serving(self);
    nodemgr_processes_close(&self->processes);
    nodemgr_limits_close(&self->limits);
    nodemgr_disk_close(&self->disk);
    nodemgr_fetches_close(&self->fetches);
    token_secret_close(&self->secret);
    arena_close(self->arena);
    mem_free(self);
}

static void read_settings(struct nodemgr_daemon *self)
{
    const struct settings *settings = daemon_settings(self->daemon);
    const char *programs = settings_string(settings, "nodemgr.programs");
    self->programs_directory = programs[0] != '\0' ? programs : host_program_directory(self->arena);
    self->kept_environment = settings_string(settings, "nodemgr.keep_environment");
    self->fd_path = settings_string(settings, "nodemgr.fd_path");
    self->token_lifetime_ms = settings_ms(settings, "nodemgr.token_lifetime_ms");
    self->disk_check_ms = settings_ms(settings, "nodemgr.disk_check_ms");
    self->disk_write_ms = settings_ms(settings, "nodemgr.disk_write_ms");
    self->disk_limits = (struct nodemgr_disk_limits){
        .reserve_bytes = settings_bytes(settings, "nodemgr.reserve"),
        .full_percent = settings_u64(settings, "nodemgr.disk_full_percent"),
        .well_percent = settings_u64(settings, "nodemgr.disk_well_percent"),
    };
    self->log_apps_max = settings_u64(settings, "nodemgr.log_apps");
    self->log_age_ms = settings_ms(settings, "nodemgr.log_age_ms");
}

static struct resource capacity_of(const struct nodemgr_daemon *self)
{
    const struct settings *settings = daemon_settings(self->daemon);
    uint64_t memory = settings_bytes(settings, "nodemgr.memory");
    uint64_t vcores = settings_u64(settings, "nodemgr.vcores");
    return (struct resource){
        .memory_bytes = memory > 0 ? memory : host_memory_bytes() / 10 * 8,
        .vcores = vcores > 0 ? (uint32_t)vcores : host_cpu_count(),
    };
}

static const char *copied(struct nodemgr_daemon *self, const char *text)
{
    return (const char *)arena_copy(self->arena, slice_from_string(text)).data;
}

static enum status open_machine(struct nodemgr_daemon *self,
                                struct app_id *apps,
                                size_t apps_count,
                                struct nodemgr **ret_nodemgr,
                                struct error *reterr_error)
{
    char http_address[64];
    snprintf(http_address, sizeof(http_address), "127.0.0.1:%u", http_server_port(self->http));
    struct nodemgr_settings settings = {
        .self =
            {
                   .node_id = daemon_node_id(self->daemon),
                   .host = slice_from_string(daemon_host(self->daemon)),
                   .rack = slice_from_string(daemon_rack(self->daemon)),
                   .rpc_address = slice_from_string(daemon_rpc_address(self->daemon)),
                   .http_address = slice_from_string(copied(self, http_address)),
                   },
        .capacity = capacity_of(self),
        .incarnation = daemon_incarnation(self->daemon),
        .rm_address = slice_from_string("rm"),
        .known_apps = apps,
        .known_apps_count = apps_count,
        .term_grace_ms = settings_ms(daemon_settings(self->daemon), "nodemgr.term_grace_ms"),
        .grant_verify = verify_grant,
        .grant_context = self,
    };
    enum status status = nodemgr_open(&settings, host_random_u64(), ret_nodemgr);
    if (status != OK)
        return error_set(reterr_error, status, "the node manager's settings are not complete");
    log_event(daemon_log(self->daemon), LOG_LEVEL_INFO, "node_opened",
              log_unsigned("node", settings.self.node_id),
              log_unsigned("memory_bytes", settings.capacity.memory_bytes),
              log_unsigned("vcores", settings.capacity.vcores), log_unsigned("apps", apps_count));
    return OK;
}

static enum status open_state(struct daemon *daemon,
                              void **ret_state,
                              void **ret_machine,
                              struct error *reterr_error)
{
    struct nodemgr_daemon *self = MEM_NEW(struct nodemgr_daemon);
    struct app_id *apps = NULL;
    size_t apps_count = 0;
    struct nodemgr *machine = NULL;
    self->daemon = daemon;
    self->arena = arena_open(0);
    nodemgr_processes_open(&self->processes);
    nodemgr_limits_open(&self->limits);
    nodemgr_disk_open(&self->disk);
    nodemgr_fetches_open(&self->fetches);
    self->secret = *daemon_secret(daemon);
    read_settings(self);
    enum status status =
        path_absolute(self->arena, daemon_directory(daemon), &self->folders.root, reterr_error);
    if (status == OK)
        status =
            nodemgr_folders_recover(&self->folders, self->arena, &apps, &apps_count, reterr_error);
    if (status == OK)
        status = nodemgr_limits_choose(self, capacity_of(self).vcores, reterr_error);
    if (status == OK)
        status = workers_open("signaller", 1, &self->signaller, reterr_error);
    if (status == OK)
        status = workers_open("cleaner", 1, &self->cleaner, reterr_error);
    if (status == OK)
        status = nodemgr_pages_open(self, reterr_error);
    if (status == OK)
        status = open_machine(self, apps, apps_count, &machine, reterr_error);
    if (status != OK) {
        close_state(self);
        return status;
    }
    trim_logs(self);
    *ret_state = self;
    *ret_machine = machine;
    return OK;
}

static enum status start(void *state, struct error *reterr_error)
{
    enum status status = nodemgr_processes_start(state, reterr_error);
    if (status == OK)
        status = nodemgr_limits_start(state, reterr_error);
    return status == OK ? nodemgr_disk_start(state, reterr_error) : status;
}

static void stop(void *state)
{
    struct nodemgr_daemon *self = state;
    stop_serving(self);
    nodemgr_fetches_stop(&self->fetches);
    nodemgr_limits_stop(&self->limits);
    nodemgr_disk_stop(&self->disk);
}

const struct daemon_definition nodemgr_daemon_definition = {
    .name = "nodemgr",
    .purpose = "Runs containers on one host and serves their logs and map outputs.",
    .door = &nodemgr_door,
    .settings = nodemgr_settings_rows,
    .settings_count = sizeof(nodemgr_settings_rows) / sizeof(nodemgr_settings_rows[0]),
    .services = services,
    .has_launcher = true,
    .metrics = nodemgr_pages_metrics,
    .open = open_state,
    .start = start,
    .effect = effect,
    .stop = stop,
    .close = close_state,
};
