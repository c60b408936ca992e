/*
 * millrace_cluster.c - what the verbs of millrace share: settings, plan, starting.
 */
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>

#include "cli/cluster_state.h"
#include "cli/millrace_verbs.h"
#include "cli/session.h"
#include "cli/table.h"
#include "lib/daemon/settings.h"
#include "lib/os/clock.h"
#include "lib/os/directory.h"
#include "lib/os/host.h"
#include "lib/os/signals.h"

static const struct setting setting_rows[] = {
    {"up.nodes",              SETTING_U64, "3",   "nodes of the cluster, each a datanode and a node manager",   1,
     CLUSTER_PLAN_NODES_MAX                                                                                                 },
    {"up.racks",              SETTING_U64, "0",   "racks that the nodes stand in; 0: two, or one for one node", 0,
     CLUSTER_PLAN_NODES_MAX                                                                                                 },
    {"up.ready_ms",           SETTING_MS,  "30s", "how long a start may take",                                  1, INT64_MAX},
    {"up.stop_ms",            SETTING_MS,  "15s", "how long a daemon may take to stop before it is killed",     1,
     INT64_MAX                                                                                                              },
    {"up.namenode_port",      SETTING_U64, "0",   "gRPC port of the namenode; 0: any",                          0, 65535    },
    {"up.namenode_http_port", SETTING_U64, "0",   "HTTP port of the namenode; 0: any",                          0, 65535    },
    {"up.rm_port",            SETTING_U64, "0",   "gRPC port of the resource manager; 0: any",                  0, 65535    },
    {"up.rm_http_port",       SETTING_U64, "0",   "HTTP port of the resource manager; 0: any",                  0, 65535    },
};

enum {
    RACKS_DEFAULT = 2
};

enum status millrace_settings_open(const char *directory,
                                   struct arena *arena,
                                   struct settings **ret_settings,
                                   struct error *reterr_error)
{
    struct settings *settings = settings_open();
    settings_add(settings, setting_rows, sizeof(setting_rows) / sizeof(setting_rows[0]));
    enum status status = settings_load_file(settings, path_join(arena, directory, "millrace.conf"),
                                            false, reterr_error);
    if (status == OK)
        status = settings_load_environment(settings, reterr_error);
    if (status != OK) {
        settings_close(settings);
        return status;
    }
    *ret_settings = settings;
    return OK;
}

enum status millrace_plan(const struct settings *settings,
                          struct arena *arena,
                          struct cluster_plan *ret_plan,
                          struct error *reterr_error)
{
    uint64_t nodes = settings_u64(settings, "up.nodes");
    uint64_t racks = settings_u64(settings, "up.racks");
    if (racks == 0)
        racks = nodes < RACKS_DEFAULT ? nodes : RACKS_DEFAULT;
    const struct cluster_plan_input input = {
        .nodes = nodes,
        .racks = racks,
        .cpus = host_cpu_count(),
        .memory_bytes = host_memory_bytes(),
    };
    return cluster_plan_make(&input, arena, ret_plan, reterr_error);
}

/* Given ports belong to the two daemons that people talk to. */
static void give_ports(struct millrace_cluster *cluster)
{
    for (size_t i = 0; i < cluster->count; i++) {
        struct cluster_process *process = &cluster->processes[i];
        bool is_namenode = strcmp(process->role, "namenode") == 0;
        if (!is_namenode && strcmp(process->role, "rm") != 0)
            continue;
        process->rpc_port = (uint16_t)settings_u64(cluster->settings,
                                                   is_namenode ? "up.namenode_port" : "up.rm_port");
        process->http_port = (uint16_t)settings_u64(
            cluster->settings, is_namenode ? "up.namenode_http_port" : "up.rm_http_port");
    }
}

enum status millrace_cluster_look(struct millrace_cluster *cluster,
                                  struct arena *arena,
                                  struct error *reterr_error)
{
    return cluster_load(arena, cluster->directory, &cluster->cluster, reterr_error);
}

enum status millrace_cluster_open(const char *directory,
                                  struct arena *arena,
                                  struct millrace_cluster *ret_cluster,
                                  struct error *reterr_error)
{
    struct millrace_cluster cluster = {.directory = cluster_directory(arena, directory)};
    enum status status = millrace_cluster_look(&cluster, arena, reterr_error);
    if (status == OK)
        status = millrace_settings_open(cluster.directory, arena, &cluster.settings, reterr_error);
    if (status != OK)
        return status;
    status = millrace_plan(cluster.settings, arena, &cluster.plan, reterr_error);
    if (status == OK)
        status = cluster_processes_find(&cluster.cluster, &cluster.plan, arena, &cluster.processes,
                                        &cluster.count, reterr_error);
    if (status != OK) {
        millrace_cluster_close(&cluster);
        return status;
    }
    give_ports(&cluster);
    *ret_cluster = cluster;
    return OK;
}

void millrace_cluster_close(struct millrace_cluster *cluster)
{
    settings_close(cluster->settings);
    cluster->settings = NULL;
}

/* --- starting -------------------------------------------------------------------------------- */

static atomic_bool is_interrupted;

static void take_signal(void *user, enum signal_kind kind)
{
    (void)user;
    if (kind == SIGNAL_STOP)
        atomic_store(&is_interrupted, true);
}

static bool is_start_cancelled(void)
{
    return atomic_load(&is_interrupted);
}

enum status millrace_take_signals(struct error *reterr_error)
{
    /* Daemons are told their folders; what the starting shell has set must not win over that. */
    host_environment_set("MILLRACE_DIR", NULL);
    host_environment_set("MILLRACE_CONFIG", NULL);
    host_environment_set("MILLRACE_TOKEN_FILE", NULL);
    signals_block();
    struct signal_watcher *watcher = NULL; /* until the end of the process */
    return signal_watcher_open(take_signal, NULL, &watcher, reterr_error);
}

static bool is_asked_by_others(const struct cluster_process *process)
{
    return strcmp(process->role, "namenode") == 0 || strcmp(process->role, "rm") == 0;
}

static enum status start_group(struct millrace_cluster *cluster,
                               bool is_first,
                               int64_t deadline_ms,
                               struct error *reterr_error)
{
    for (size_t i = 0; i < cluster->count; i++) {
        struct cluster_process *process = &cluster->processes[i];
        if (process->pid > 0 || is_asked_by_others(process) != is_first)
            continue;
        enum status status = cluster_process_start(process, cluster->directory, reterr_error);
        if (status != OK)
            return status;
    }
    return cluster_processes_wait(cluster->processes, cluster->count, deadline_ms,
                                  is_start_cancelled, reterr_error);
}

static enum status wait_until_ready(struct millrace_cluster *cluster,
                                    int64_t deadline_ms,
                                    struct error *reterr_error)
{
    struct cli_session *session = NULL;
    enum status status = cli_session_open(cluster->directory, &session, reterr_error);
    if (status == OK)
        status = cluster_state_wait(session, cluster->processes, cluster->count, deadline_ms,
                                    is_start_cancelled, reterr_error);
    cli_session_close(session);
    return status;
}

/* Leaves alone what ran before. */
static void stop_new(struct millrace_cluster *cluster, struct arena *arena)
{
    struct cluster_process *processes =
        ARENA_ARRAY(arena, struct cluster_process, cluster->count + 1);
    size_t count = 0;
    for (size_t i = 0; i < cluster->count; i++) {
        if (cluster->processes[i].is_new)
            processes[count++] = cluster->processes[i];
    }
    struct error error = {OK, ""};
    if (cluster_processes_stop(processes, count, settings_ms(cluster->settings, "up.stop_ms"), NULL,
                               &error) != OK)
        fprintf(stderr, "while stopping what was started: %s\n", error.text);
}

enum status millrace_cluster_start(struct millrace_cluster *cluster,
                                   struct arena *arena,
                                   struct error *reterr_error)
{
    int64_t deadline_ms = clock_monotonic_ms() + settings_ms(cluster->settings, "up.ready_ms");
    enum status status = start_group(cluster, true, deadline_ms, reterr_error);
    if (status == OK)
        status = start_group(cluster, false, deadline_ms, reterr_error);
    if (status == OK)
        status = wait_until_ready(cluster, deadline_ms, reterr_error);
    if (status != OK) {
        stop_new(cluster, arena);
        return status;
    }
    return millrace_cluster_look(cluster, arena, reterr_error);
}

void millrace_print_daemons(const struct millrace_cluster *cluster)
{
    static const char *const titles[] = {"DAEMON", ">PID", "HOST", "RACK", "RPC", "HTTP", NULL};
    struct cli_table *table = cli_table_open(titles);
    for (size_t i = 0; i < cluster->count; i++) {
        const struct cluster_process *process = &cluster->processes[i];
        const struct cluster_daemon *daemon = NULL;
        for (size_t j = 0; j < cluster->cluster.daemon_count; j++) {
            if (strcmp(cluster->cluster.daemons[j].name, process->name) == 0)
                daemon = &cluster->cluster.daemons[j];
        }
        cli_table_add_string(table, process->name);
        cli_table_add_format(table, "%lld", (long long)process->pid);
        cli_table_add_string(table, process->host != NULL ? process->host : "");
        cli_table_add_string(table, process->rack != NULL ? process->rack : "");
        cli_table_add_string(table, daemon != NULL ? daemon->rpc_address : "");
        cli_table_add_string(table, daemon != NULL ? daemon->http_address : "");
    }
    cli_table_print(table, 2);
    cli_table_close(table);
}
