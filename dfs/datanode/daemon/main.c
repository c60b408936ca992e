/*
 * main.c - mr-datanode: opens the store and the servers around the machine, and closes them.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "dfs/datanode/daemon/node.h"
#include "lib/base/mem.h"
#include "lib/daemon/daemon.h"
#include "lib/daemon/log.h"
#include "lib/daemon/workers.h"
#include "lib/model/limits.h"
#include "lib/net/fd_pass.h"
#include "lib/net/http_client.h"
#include "lib/net/http_server.h"
#include "lib/os/clock.h"
#include "lib/os/host.h"
#include "lib/os/thread.h"

MACHINE_DOOR(datanode);

enum {
    OTHER_JOBS = 3, /* workers beside those that copy: scrub, delete, measure */
    FD_SOCKET_MODE = 0666
};

/* clang-format off */
static const struct setting settings[] = {
    {"datanode.directory",       SETTING_STRING, "",       "folder of the blocks; empty: data/ in its own", 0, 0},
    {"datanode.capacity",        SETTING_BYTES,  "0",      "bytes offered; 0: all of the volume", 0, 0},
    {"datanode.reserve",         SETTING_BYTES,  "64m",    "bytes kept free on the volume", 0, 0},
    {"datanode.durability",      SETTING_STRING, "synced", "synced: what is acknowledged is on disk; replicated: on its way there", 0, 0},
    {"datanode.copies_max",      SETTING_U64,    "4",      "copies for repair at a time", 1, 64},
    {"datanode.receives_max",    SETTING_U64,    "64",     "blocks received at a time", 1, 1024},
    {"datanode.connections_max", SETTING_U64,    "512",    "HTTP connections at a time", 8, 65536},
    {"datanode.scrub_rate",      SETTING_BYTES,  "8m",     "bytes verified per second; 0: none", 0, 0},
    {"datanode.scrub_pause",     SETTING_MS,     "24h",    "a block is not verified again sooner", 0, 0},
    {"datanode.space_interval",  SETTING_MS,     "5s",     "between two looks at the free space", 10, 3600000},
};

static const struct http_route routes[] = {
    {.method = "PUT", .prefix = "/v1/block/", .begin = node_receive_begin, .chunk = node_receive_chunk,
     .handle = node_receive_handle, .end = node_receive_end},
    {.method = "GET", .prefix = "/v1/block/", .handle = node_serve_block},
    {.method = "GET", .prefix = "/v1/status", .handle = node_serve_status},
    {.method = "GET", .prefix = "/metrics", .handle = node_serve_metrics},
    {.method = "GET", .prefix = "/healthz", .handle = node_serve_health},
};

/* clang-format on */

/* --- parts -------------------------------------------------------------------------------------
 */

static enum status open_store(struct node *node, struct arena *arena, struct error *reterr_error)
{
    const struct settings *s = daemon_settings(node->daemon);
    const char *directory = settings_string(s, "datanode.directory");
    const char *durability = settings_string(s, "datanode.durability");
    bool is_synced = strcmp(durability, "synced") == 0;
    if (!is_synced && strcmp(durability, "replicated") != 0)
        return error_set(reterr_error, ERR_INVALID,
                         "datanode.durability is \"synced\" or \"replicated\", not \"%s\"",
                         durability);
    if (directory[0] == 0)
        directory =
            (const char *)arena_format(arena, "%s/data", daemon_directory(node->daemon)).data;
    struct store_settings store_settings = {.directory = directory, .is_synced = is_synced};
    enum status status = store_open(&store_settings, &node->store, reterr_error);
    if (status != OK)
        return error_prefix(reterr_error, status, "open the blocks in %s", directory);
    struct store_identity identity;
    status = store_identity_load(node->store, &identity, reterr_error);
    if (status != OK)
        return status;
    if (identity.node_id != 0 && identity.node_id != node->node_id)
        return error_set(reterr_error, ERR_FENCED,
                         "the blocks in %s belong to node %016" PRIx64 ", this is node %016" PRIx64
                         ": were the folders mixed up or copied?",
                         directory, identity.node_id, node->node_id);
    atomic_store(&node->cluster_id, identity.cluster_id);
    if (identity.node_id != 0)
        return OK;
    identity.node_id = node->node_id;
    return store_identity_save(node->store, &identity, reterr_error);
}

static enum status open_clients(struct node *node, struct error *reterr_error)
{
    enum status status = OK;
    for (size_t i = 0; i < NODE_CLIENTS && status == OK; i++) {
        struct http_client_options options = {.stall_ms = NODE_STALL_MS * (int64_t)(i + 1)};
        status = http_client_open(&options, &node->clients[i], reterr_error);
    }
    return status;
}

static enum status open_http(struct node *node, const char **ret_address, struct error *error)
{
    struct http_server_options options = {
        .threading = HTTP_THREAD_EACH,
        .connections_max =
            (unsigned)settings_u64(daemon_settings(node->daemon), "datanode.connections_max"),
        .routes = routes,
        .route_count = sizeof(routes) / sizeof(routes[0]),
        .user = node,
    };
    return daemon_listen_http(node->daemon, &options, &node->server, ret_address, error);
}

/* Readers on this host fetch over HTTP when there is no socket; so its absence is no failure. */
static const char *open_descriptors(struct node *node, struct arena *arena)
{
    const char *path = "";
    struct error error = {0};
    enum status status = daemon_socket_path(node->daemon, "fd", arena, &path, &error);
    if (status == OK) {
        struct fd_pass_server_options options = {
            .path = path, .mode = FD_SOCKET_MODE, .answer = node_answer_descriptor, .user = node};
        status = fd_pass_server_open(&options, &node->fd_server, &error);
    }
    if (status != OK) {
        log_event(node->log, LOG_LEVEL_WARN, "no_descriptors", log_text("path", path),
                  log_text("why", error.text));
        return "";
    }
    daemon_set_fd_socket(node->daemon, path);
    return path;
}

/* --- the machine -------------------------------------------------------------------------------
 */

static void feed_scan(struct datanode *machine, const struct store_scan *scan)
{
    struct datanode_found found = {
        .blocks = scan->blocks,
        .blocks_count = scan->blocks_count,
        .corrupt = scan->corrupt,
        .corrupt_count = scan->corrupt_count,
    };
    struct event event = {
        .kind = EVENT_LOCAL,
        .now_ms = clock_monotonic_ms(),
        .wall_ms = clock_wall_ms(),
        .effect = DATANODE_LOCAL_BLOCKS_FOUND,
        .data = &found,
    };
    struct actions actions;
    actions_open(&actions);
    datanode_step(machine, &event, &actions); /* takes note and asks for nothing */
    actions_close(&actions);
}

static enum status open_machine(struct node *node,
                                struct arena *arena,
                                const char *fd_path,
                                const char *http_address,
                                struct datanode **ret_machine,
                                struct error *reterr_error)
{
    struct store_scan scan;
    enum status status = store_scan(node->store, arena, &scan, reterr_error);
    if (status != OK)
        return error_prefix(reterr_error, status, "scan the blocks");
    const struct settings *s = daemon_settings(node->daemon);
    struct datanode_settings machine;
    datanode_settings_default(&machine);
    machine.node = (struct endpoint){
        .node_id = node->node_id,
        .host = slice_from_string(daemon_host(node->daemon)),
        .rack = slice_from_string(daemon_rack(node->daemon)),
        .rpc_address = slice_from_string(daemon_rpc_address(node->daemon)),
        .http_address = slice_from_string(http_address),
        .fd_path = slice_from_string(fd_path),
    };
    machine.cluster_id = atomic_load(&node->cluster_id);
    machine.incarnation = daemon_incarnation(node->daemon);
    machine.capacity_bytes = settings_bytes(s, "datanode.capacity");
    machine.reserve_bytes = settings_bytes(s, "datanode.reserve");
    machine.copies_max = (uint32_t)settings_u64(s, "datanode.copies_max");
    machine.receives_max = (uint32_t)settings_u64(s, "datanode.receives_max");
    machine.scrub_bytes_per_second = settings_bytes(s, "datanode.scrub_rate");
    machine.scrub_pause_ms = settings_ms(s, "datanode.scrub_pause");
    machine.space_interval_ms = settings_ms(s, "datanode.space_interval");
    status = datanode_open(&machine, host_random_u64(), ret_machine);
    if (status != OK)
        return error_set(reterr_error, status, "the datanode's settings do not fit together");
    feed_scan(*ret_machine, &scan);
    log_event(node->log, scan.corrupt_count > 0 ? LOG_LEVEL_WARN : LOG_LEVEL_INFO, "scanned",
              log_unsigned("blocks", scan.blocks_count),
              log_unsigned("corrupt", scan.corrupt_count), log_unsigned("stray", scan.stray_count));
    return OK;
}

/* --- definition --------------------------------------------------------------------------------
 */

static void stop_node(void *state)
{
    struct node *node = state;
    node_receives_stop(node);
    http_server_close(node->server);
    node->server = NULL;
    fd_pass_server_close(node->fd_server);
    node->fd_server = NULL;
    workers_close(node->workers);
    node->workers = NULL;
}

static void close_node(void *state)
{
    struct node *node = state;
    if (node == NULL)
        return;
    stop_node(node);
    for (size_t i = 0; i < NODE_CLIENTS; i++)
        http_client_close(node->clients[i]);
    store_close(node->store);
    map_u64_close(node->receives);
    condition_close(node->condition);
    mutex_close(node->mutex);
    token_secret_close(&node->secret);
    mem_free(node);
}

static enum status open_node(struct daemon *daemon,
                             void **ret_state,
                             void **ret_machine,
                             struct error *reterr_error)
{
    struct node *node = MEM_NEW(struct node);
    node->daemon = daemon;
    node->shell = daemon_shell(daemon);
    node->log = daemon_log(daemon);
    node->node_id = daemon_node_id(daemon);
    node->mutex = mutex_open();
    node->condition = condition_open();
    node->receives = map_u64_open();
    node->secret = *daemon_secret(daemon);
    struct arena *arena = arena_open(0);
    struct datanode *machine = NULL;
    const char *address = NULL;
    size_t workers =
        (size_t)settings_u64(daemon_settings(daemon), "datanode.copies_max") + OTHER_JOBS;
    enum status status = open_store(node, arena, reterr_error);
    if (status == OK)
        status = open_clients(node, reterr_error);
    if (status == OK)
        status = workers_open("block", workers, &node->workers, reterr_error);
    if (status == OK)
        status = open_http(node, &address, reterr_error);
    if (status == OK)
        status = open_machine(node, arena, open_descriptors(node, arena), address, &machine,
                              reterr_error);
    arena_close(arena);
    if (status != OK) {
        close_node(node);
        return status;
    }
    *ret_state = node;
    *ret_machine = machine;
    return OK;
}

static bool nobody_may_call(void *state, enum method method, struct slice user)
{
    (void)state;
    (void)method;
    (void)user;
    return false;
}

static const char *const services[] = {NULL};

static const struct daemon_definition definition = {
    .name = "datanode",
    .purpose = "stores blocks of the Millrace filesystem, serves and copies them",
    .door = &datanode_door,
    .settings = settings,
    .settings_count = sizeof(settings) / sizeof(settings[0]),
    .services = services,
    .open = open_node,
    .effect = node_effect,
    .metrics = node_metrics,
    .health = node_health,
    .may_call = nobody_may_call,
    .stop = stop_node,
    .close = close_node,
};

int main(int argc, char **argv)
{
    return daemon_main(argc, argv, &definition);
}
