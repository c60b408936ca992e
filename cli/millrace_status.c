/*
 * millrace_status.c - millrace status: what runs, and what the daemons say of each other.
 */
#include <argp.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "cli/cluster_state.h"
#include "cli/command.h"
#include "cli/millrace_verbs.h"
#include "cli/session.h"
#include "cli/table.h"
#include "lib/base/buf.h"
#include "lib/model/message.h"

struct status_view {
    const char *command;
    struct arena *arena;
    const char *directory;
    bool is_json;
    struct millrace_cluster cluster;
    struct cli_session *session; /* NULL: nobody could be asked */
    struct error session_error;
    struct cluster_state state;
};

/* Sums over the daemons' answers. */
struct status_counts {
    size_t running;
    size_t datanodes[DFS_DATANODE_STATE_COUNT];
    size_t nodes[RM_NODE_STATE_COUNT];
    size_t containers;
    size_t apps[RM_APP_STATE_COUNT];
    struct resource capacity;
    struct resource used;
    uint64_t free_bytes; /* of live datanodes */
};

static struct status_counts count_all(const struct status_view *view)
{
    struct status_counts counts = {.running = 0};
    for (size_t i = 0; i < view->cluster.count; i++)
        counts.running += view->cluster.processes[i].pid > 0;
    const struct cluster_state *state = &view->state;
    for (size_t i = 0; state->filesystem != NULL && i < state->filesystem->datanodes_count; i++) {
        const struct dfs_datanode_info *row = &state->filesystem->datanodes[i];
        counts.datanodes[row->state]++;
        counts.free_bytes += row->state == DATANODE_LIVE ? row->free_bytes : 0;
    }
    for (size_t i = 0; state->nodes != NULL && i < state->nodes->nodes_count; i++) {
        const struct rm_node_report *row = &state->nodes->nodes[i];
        counts.nodes[row->state]++;
        if (row->state != NODE_ACTIVE)
            continue;
        counts.containers += row->containers;
        counts.capacity.memory_bytes += row->capacity.memory_bytes;
        counts.capacity.vcores += row->capacity.vcores;
        counts.used.memory_bytes += row->used.memory_bytes;
        counts.used.vcores += row->used.vcores;
    }
    for (size_t i = 0; state->apps != NULL && i < state->apps->apps_count; i++)
        counts.apps[state->apps->apps[i].state]++;
    return counts;
}

/* Nodes that were planned and are here; more may have been here before and be lost for good. */
static size_t planned_count(const struct status_view *view, const char *role)
{
    size_t count = 0;
    for (size_t i = 0; i < view->cluster.count; i++)
        count += strcmp(view->cluster.processes[i].role, role) == 0;
    return count;
}

static bool is_all_up(const struct status_view *view, const struct status_counts *counts)
{
    return counts->running == view->cluster.count && view->state.filesystem != NULL &&
           view->state.nodes != NULL &&
           counts->datanodes[DATANODE_LIVE] >= planned_count(view, "datanode") &&
           counts->nodes[NODE_ACTIVE] >= planned_count(view, "nodemgr");
}

static const struct cluster_daemon *daemon_of(const struct status_view *view,
                                              const struct cluster_process *process)
{
    for (size_t i = 0; i < view->cluster.cluster.daemon_count; i++) {
        if (strcmp(view->cluster.cluster.daemons[i].name, process->name) == 0)
            return &view->cluster.cluster.daemons[i];
    }
    return NULL;
}

/* A daemon has its lock first and its addresses once it serves. */
static const char *process_state(const struct status_view *view,
                                 const struct cluster_process *process)
{
    const struct cluster_daemon *daemon = daemon_of(view, process);
    if (process->pid == 0)
        return "down";
    return daemon != NULL && daemon->pid == process->pid ? "up" : "starting";
}

/* --- for people ------------------------------------------------------------------------------ */

/* What the namenode or the resource manager thinks of it; NULL: nothing. */
static const char *seen_as(const struct status_view *view, const struct cluster_daemon *daemon)
{
    const struct cluster_state *state = &view->state;
    if (strcmp(daemon->role, "datanode") == 0 && state->filesystem != NULL) {
        for (size_t i = 0; i < state->filesystem->datanodes_count; i++) {
            const struct dfs_datanode_info *row = &state->filesystem->datanodes[i];
            if (slice_equal_string(row->node.http_address, daemon->http_address))
                return dfs_datanode_state_name(row->state);
        }
        return "unknown to the namenode";
    }
    if (strcmp(daemon->role, "nodemgr") == 0 && state->nodes != NULL) {
        const char *name = "unknown to the resource manager";
        for (size_t i = 0; i < state->nodes->nodes_count; i++) {
            const struct rm_node_report *row = &state->nodes->nodes[i];
            if (slice_equal_string(row->node.rpc_address, daemon->rpc_address))
                name = rm_node_state_name(row->state);
        }
        return name;
    }
    return NULL;
}

static void print_daemons(const struct status_view *view)
{
    static const char *const titles[] = {"DAEMON", "STATE", ">PID",    "HOST", "RACK",
                                         "RPC",    "HTTP",  "SEEN AS", NULL};
    struct cli_table *table = cli_table_open(titles);
    for (size_t i = 0; i < view->cluster.count; i++) {
        const struct cluster_process *process = &view->cluster.processes[i];
        const struct cluster_daemon *daemon = daemon_of(view, process);
        const char *seen = daemon != NULL && daemon->pid > 0 ? seen_as(view, daemon) : NULL;
        cli_table_add_string(table, process->name);
        cli_table_add_string(table, process_state(view, process));
        if (process->pid > 0)
            cli_table_add_format(table, "%" PRId64, process->pid);
        else
            cli_table_add_string(table, "");
        cli_table_add_string(table, process->host != NULL ? process->host : "");
        cli_table_add_string(table, process->rack != NULL ? process->rack : "");
        cli_table_add_string(table, daemon != NULL ? daemon->rpc_address : "");
        cli_table_add_string(table, daemon != NULL ? daemon->http_address : "");
        cli_table_add_string(table, seen != NULL ? seen : "");
    }
    cli_table_print(table, 2);
    cli_table_close(table);
}

static void print_people(const struct status_view *view, const struct status_counts *counts)
{
    const struct cluster_state *state = &view->state;
    printf("Cluster in %s: %zu of %zu daemons run\n", view->cluster.directory, counts->running,
           view->cluster.count);
    print_daemons(view);
    if (view->session == NULL)
        printf("Filesystem and resources: unknown: %s\n", view->session_error.text);
    else if (state->filesystem == NULL)
        printf("Filesystem: unknown: %s\n", state->filesystem_error.text);
    else
        printf("Filesystem: %s, %zu datanodes live, %zu stale, %zu lost, %" PRIu64
               " files, %" PRIu64 " blocks (%" PRIu64 " short of copies, %" PRIu64
               " missing), %s free\n",
               state->filesystem->in_safe_mode ? "in safe mode" : "ready",
               counts->datanodes[DATANODE_LIVE], counts->datanodes[DATANODE_STALE],
               counts->datanodes[DATANODE_LOST], state->filesystem->file_count,
               state->filesystem->block_count, state->filesystem->under_replicated_count,
               state->filesystem->missing_count, cli_bytes(counts->free_bytes).text);
    if (state->nodes != NULL)
        printf("Resources: %zu nodes active, %zu lost, %zu containers, %s of %s and %" PRIu32
               " of %" PRIu32 " vcores in use\n",
               counts->nodes[NODE_ACTIVE], counts->nodes[NODE_LOST], counts->containers,
               cli_bytes(counts->used.memory_bytes).text,
               cli_bytes(counts->capacity.memory_bytes).text, counts->used.vcores,
               counts->capacity.vcores);
    else if (view->session != NULL)
        printf("Resources: unknown: %s\n", state->rm_error.text);
    if (state->apps != NULL)
        printf("Applications: %zu waiting, %zu running, %zu finished, %zu failed, %zu killed\n",
               counts->apps[APP_NEW] + counts->apps[APP_SUBMITTED] + counts->apps[APP_ACCEPTED],
               counts->apps[APP_RUNNING], counts->apps[APP_FINISHED], counts->apps[APP_FAILED],
               counts->apps[APP_KILLED]);
}

/* --- for programs ---------------------------------------------------------------------------- */

static enum status append_string(struct buf *json, const char *name, const char *text)
{
    enum status status = buf_append_format(json, "\"%s\": ", name);
    if (status == OK)
        status = message_print_json_string(slice_from_string(text), json);
    return status == OK ? buf_append_format(json, ", ") : status;
}

static enum status append_daemon(const struct status_view *view,
                                 const struct cluster_process *process,
                                 struct buf *json)
{
    const struct cluster_daemon *daemon = daemon_of(view, process);

    const struct {
        const char *name;
        const char *text;
    } rows[] = {
        {"name",  process->name     },
        {"role",  process->role     },
        {"state", process_state(view, process)},
        {"directory",       process->directory              },
        {"host",       process->host != NULL ? process->host : ""     },
        {"rack",       process->rack != NULL ? process->rack : ""              },
        {"rpc_address",       daemon != NULL ? daemon->rpc_address : ""},
        {"http_address",       daemon != NULL ? daemon->http_address : ""             },
    };
    enum status status = buf_append_format(json, "{");
    for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]) && status == OK; i++)
        status = append_string(json, rows[i].name, rows[i].text);
    return status == OK ? buf_append_format(json, "\"pid\": %" PRId64 "}", process->pid) : status;
}

/* "name": the answer, or null. */
static enum status append_answer(struct buf *json,
                                 const char *name,
                                 const struct message_type *type,
                                 const void *message)
{
    enum status status = buf_append_format(json, ",\n \"%s\": ", name);
    if (status == OK && message == NULL)
        return buf_append_format(json, "null");
    return status == OK ? message_print_json(type, message, json) : status;
}

static enum status print_json(const struct status_view *view,
                              bool is_up,
                              struct error *reterr_error)
{
    struct buf json;
    buf_open(&json, 0);
    enum status status = buf_append_format(&json, "{");
    if (status == OK)
        status = append_string(&json, "directory", view->cluster.directory);
    if (status == OK)
        status =
            buf_append_format(&json, "\"all_up\": %s,\n \"daemons\": [", is_up ? "true" : "false");
    for (size_t i = 0; i < view->cluster.count && status == OK; i++) {
        status = buf_append_format(&json, "%s\n  ", i > 0 ? "," : "");
        if (status == OK)
            status = append_daemon(view, &view->cluster.processes[i], &json);
    }
    if (status == OK)
        status = buf_append_format(&json, "]");
    if (status == OK)
        status = append_answer(&json, "filesystem", &dfs_cluster_status_response_type,
                               view->state.filesystem);
    if (status == OK)
        status = append_answer(&json, "resources", &rm_list_nodes_response_type, view->state.nodes);
    if (status == OK)
        status =
            append_answer(&json, "applications", &rm_list_apps_response_type, view->state.apps);
    if (status == OK)
        printf("%s}\n", buf_string(&json));
    else
        status = error_set(reterr_error, status, "print as JSON: %s", status_sentence(status));
    buf_close(&json);
    return status;
}

/* --- the verb -------------------------------------------------------------------------------- */

static error_t take_option(int key, char *argument, struct argp_state *state)
{
    struct status_view *view = state->input;
    switch (key) {
    case ARGP_KEY_INIT:
        state->child_inputs[0] = &view->directory;
        return 0;
    case 'j':
        view->is_json = true;
        return 0;
    case ARGP_KEY_ARG:
        argp_error(state, "unexpected argument %s", argument);
        return EINVAL;
    default:
        return ARGP_ERR_UNKNOWN;
    }
}

static const struct argp_option option_rows[] = {
    {"json", 'j', NULL, 0, "Prints one JSON object", 0},
    {0 },
};

static const struct argp status_argp = {
    .options = option_rows,
    .parser = take_option,
    .children = cli_folder_child,
    .doc = "Shows a cluster: its daemons, its filesystem, its nodes and applications.\v"
           "Exit code 0: all runs; 3: something does not.",
};

static enum status look(struct status_view *view, bool *ret_is_up, struct error *reterr_error)
{
    enum status status =
        millrace_cluster_open(view->directory, view->arena, &view->cluster, reterr_error);
    if (status != OK)
        return status;
    if (cli_session_open(view->cluster.directory, &view->session, &view->session_error) == OK)
        cluster_state_get(view->session, true, &view->state);
    struct status_counts counts = count_all(view);
    *ret_is_up = is_all_up(view, &counts);
    if (view->is_json)
        status = print_json(view, *ret_is_up, reterr_error);
    else
        print_people(view, &counts);
    cli_session_close(view->session);
    millrace_cluster_close(&view->cluster);
    return status;
}

int millrace_status(int argc, char **argv)
{
    struct status_view view = {.command = argv[0], .arena = arena_open(0)};
    struct error error = {OK, ""};
    int exit_code = CLI_USAGE;
    bool is_up = false;
    if (argp_parse(&status_argp, argc, argv, 0, NULL, &view) == 0) {
        if (look(&view, &is_up, &error) == OK)
            exit_code = is_up ? CLI_DONE : CLI_DOWN;
        else
            exit_code = cli_fail(view.command, &error);
    }
    arena_close(view.arena);
    return exit_code;
}
