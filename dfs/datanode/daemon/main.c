/*
 * main.c - mr-datanode: opens the store and the servers around the machine, and closes them.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "dfs/datanode/daemon/node.h"
#include "dfs/datanode/daemon/web_clients.h"
#include "dfs/webhdfs/request.h"
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
    BAD_READS_MAX = 3, /* a disk with so many unreadable blocks has failed */
    TAILS = 8,
    OTHER_JOBS = 3,           /* workers beside those that copy: scrub, delete, measure */
    PIECE_BYTES = 256 * 1024, /* of a block that comes in */
    FD_SOCKET_MODE = 0666
};

/* clang-format off */
static const struct setting settings[] = {
    {"datanode.directories",     SETTING_STRING, "",       "folders of the blocks, one for each disk, with commas; empty: data/ in its own", 0, 0},
    {"datanode.volumes_tolerated", SETTING_U64,  "0",      "folders that may be unusable at the start", 0, DATANODE_VOLUMES_MAX},
    {"datanode.capacity",        SETTING_BYTES,  "0",      "bytes offered; 0: all of the disks", 0, 0},
    {"datanode.reserve",         SETTING_BYTES,  "64m",    "bytes kept free on each disk", 0, 0},
    {"datanode.copies_max",      SETTING_U64,    "4",      "copies for repair at a time", 1, 64},
    {"datanode.copy_rate",       SETTING_BYTES,  "100m",   "bytes per second that copies and merges may send; 0: no limit", 0, 0},
    {"datanode.receives_max",    SETTING_U64,    "64",     "blocks received at a time", 1, 1024},
    {"datanode.pipeline_stall",  SETTING_MS,     "10s",    "the next of a pipeline is left out when it takes no byte for so long", 10, 600000},
    {"datanode.pipeline_rate_min", SETTING_BYTES, "1m",    "... or takes less per second on the whole", 1, 1 << 30},
    {"datanode.connections_max", SETTING_U64,    "512",    "HTTP connections at a time", 8, 65536},
    {"datanode.scrub_rate",      SETTING_BYTES,  "8m",     "bytes verified per second; 0: none", 0, 0},
    {"datanode.scrub_pause",     SETTING_MS,     "24h",    "a block is not verified again sooner", 0, 0},
    {"datanode.webhdfs_reads_max", SETTING_U64,  "128",    "files read over WebHDFS at a time; more wait", 1, 65536},
    {"datanode.webhdfs_uploads_max", SETTING_U64, "16",    "files written over WebHDFS at a time, a block of memory each; more wait", 1, 65536},
    {"datanode.space_interval",  SETTING_MS,     "5s",     "between two looks at the free space", 10, 3600000},
};

static const struct http_route routes[] = {
    {.method = "PUT", .prefix = "/v1/block/", .begin = node_receive_begin, .chunk = node_receive_chunk,
     .handle = node_receive_handle, .end = node_receive_end},
    {.method = "GET", .prefix = "/v1/block/", .handle = node_serve_block},
    {.method = "GET", .prefix = "/v1/status", .handle = node_serve_status},
    {.method = "GET", .prefix = WEBHDFS_PREFIX, .handle = node_webhdfs_get},
    {.method = "PUT", .prefix = WEBHDFS_PREFIX, .begin = node_webhdfs_begin, .chunk = node_webhdfs_chunk,
     .handle = node_webhdfs_handle, .end = node_webhdfs_end},
    {.method = "POST", .prefix = WEBHDFS_PREFIX, .begin = node_webhdfs_begin, .chunk = node_webhdfs_chunk,
     .handle = node_webhdfs_handle, .end = node_webhdfs_end},
    {.method = "GET", .prefix = "/metrics", .handle = node_serve_metrics},
    {.method = "GET", .prefix = "/healthz", .handle = node_serve_health},
};

/* clang-format on */

/* --- parts -------------------------------------------------------------------------------------
 */

/* The folders named by the setting, without the blanks around their names. */
static size_t take_directories(const struct node *node,
                               struct arena *arena,
                               struct slice ret_directories[DATANODE_VOLUMES_MAX + 1])
{
    struct slice rest =
        slice_from_string(settings_string(daemon_settings(node->daemon), "datanode.directories"));
    size_t count = 0;
    while (rest.length > 0 && count <= DATANODE_VOLUMES_MAX) {
        size_t end = slice_find(rest, ',');
        struct slice name = slice_sub(rest, 0, end);
        while (name.length > 0 && name.data[0] == ' ')
            name = slice_sub(name, 1, name.length - 1);
        while (name.length > 0 && name.data[name.length - 1] == ' ')
            name.length--;
        if (name.length > 0)
            ret_directories[count++] = arena_copy(arena, name);
        rest =
            end < rest.length ? slice_sub(rest, end + 1, rest.length - end - 1) : (struct slice){0};
    }
    if (count == 0)
        ret_directories[count++] = arena_format(arena, "%s/data", daemon_directory(node->daemon));
    return count;
}

static enum status open_volumes(struct node *node, struct arena *arena, struct error *reterr_error)
{
    const struct settings *s = daemon_settings(node->daemon);
    struct slice directories[DATANODE_VOLUMES_MAX + 1];
    struct volumes_settings volumes = {
        .directories = directories,
        .count = take_directories(node, arena, directories),
        .node_id = node->node_id,
        .tolerated = (size_t)settings_u64(s, "datanode.volumes_tolerated"),
    };
    if (volumes.count > DATANODE_VOLUMES_MAX)
        return error_set(reterr_error, ERR_LIMIT, "datanode.directories names more than %d folders",
                         (int)DATANODE_VOLUMES_MAX);
    enum status status = volumes_open(&volumes, &node->volumes, reterr_error);
    if (status != OK)
        return error_prefix(reterr_error, status, "open the blocks");
    atomic_store(&node->cluster_id, volumes_cluster_id(node->volumes));
    return OK;
}

static enum status open_clients(struct node *node, struct error *reterr_error)
{
    enum status status = OK;
    for (size_t i = 0; i < NODE_CLIENTS && status == OK; i++) {
        struct http_client_options options = {.stall_ms =
                                                  node->pipeline_stall_ms * (int64_t)(i + 1)};
        status = http_client_open(&options, &node->clients[i], reterr_error);
    }
    return status;
}

static enum status open_http(struct node *node, const char **ret_address, struct error *error)
{
    struct http_server_options options = {
        .threading = HTTP_THREAD_EACH,
        .piece_bytes = PIECE_BYTES,
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

static void feed(struct datanode *machine, enum datanode_local local, const void *data)
{
    struct event event = {
        .kind = EVENT_LOCAL,
        .now_ms = clock_monotonic_ms(),
        .wall_ms = clock_wall_ms(),
        .effect = (int)local,
        .data = data,
    };
    struct actions actions;
    actions_open(&actions);
    datanode_step(machine, &event, &actions); /* takes note; what it asks for has been done */
    actions_close(&actions);
}

/* What one volume holds. */
struct volume_scan {
    struct store *store; /* NULL: it has failed */
    struct store_scan scan;
    size_t double_count;
};

/* Takes those that were seen already out of the list, and from the disk; returns how many stay. */
static size_t drop_doubles(struct map_u64 *seen,
                           struct volume_scan *volume,
                           struct dfs_block_info *blocks,
                           size_t count)
{
    size_t kept = 0;
    for (size_t i = 0; i < count; i++) {
        const struct volume_scan *first = map_u64_get(seen, blocks[i].block_id);
        if (first == NULL) {
            (void)map_u64_put(seen, blocks[i].block_id, volume); /* was absent */
            blocks[kept++] = blocks[i];
            continue;
        }
        struct error error = {0};
        enum status status = OK;
        if (first != volume) /* deleting removes all that the volume has of the block */
            status = store_delete(volume->store, blocks[i].block_id, &error);
        (void)status; /* it is found again at the next start, and the first is the one served */
    }
    volume->double_count += count - kept;
    return kept;
}

static void feed_failure(struct node *node, struct datanode *machine, size_t index, const char *why)
{
    struct datanode_volume failed = {.volume = (uint32_t)index, .text = slice_from_string(why)};
    volumes_retire(node->volumes, index, failed.text);
    log_event(node->log, LOG_LEVEL_ERROR, "volume_failed",
              log_text("directory", volumes_directory(node->volumes, index)), log_text("why", why));
    feed(machine, DATANODE_LOCAL_VOLUME_FAILED, &failed);
}

static enum status scan_volume(struct node *node,
                               struct datanode *machine,
                               size_t index,
                               struct arena *arena,
                               struct volume_scan *ret_volume,
                               struct error *reterr_error)
{
    struct store *store;
    struct error error = {0};
    enum status status = volumes_store(node->volumes, index, &store, &error);
    if (status == OK)
        status = store_scan(store, arena, &ret_volume->scan, &error);
    if (status == ERR_UNSUPPORTED)
        return error_set(reterr_error, status, "scan the blocks: %s", error.text);
    if (status == OK && ret_volume->scan.unreadable_count >= BAD_READS_MAX)
        status = error_set(&error, ERR_IO, "%zu of its blocks could not be read",
                           ret_volume->scan.unreadable_count);
    if (status == OK)
        ret_volume->store = store;
    else
        feed_failure(node, machine, index, error.text);
    return OK;
}

/* Where the scrubber goes on; without a position it begins its pass anew. */
static void take_position(struct node *node,
                          size_t index,
                          struct store *store,
                          struct datanode_found *found)
{
    struct error error = {0};
    enum status status = store_position_load(store, &found->position, &error);
    found->has_position = status == OK;
    if (status != OK && status != ERR_NOT_FOUND)
        log_event(node->log, LOG_LEVEL_WARN, "scrub_begins_anew",
                  log_text("directory", volumes_directory(node->volumes, index)),
                  log_text("why", error.text));
}

static void feed_volume(struct node *node,
                        struct datanode *machine,
                        size_t index,
                        const struct volume_scan *volume)
{
    struct datanode_found found = {
        .volume = (uint32_t)index,
        .blocks = volume->scan.blocks,
        .blocks_count = volume->scan.blocks_count,
        .corrupt = volume->scan.corrupt,
        .corrupt_count = volume->scan.corrupt_count,
    };
    take_position(node, index, volume->store, &found);
    feed(machine, DATANODE_LOCAL_BLOCKS_FOUND, &found);
    log_event(node->log, found.corrupt_count > 0 ? LOG_LEVEL_WARN : LOG_LEVEL_INFO, "scanned",
              log_text("directory", volumes_directory(node->volumes, index)),
              log_unsigned("blocks", found.blocks_count),
              log_unsigned("corrupt", found.corrupt_count),
              log_unsigned("stray", volume->scan.stray_count),
              log_unsigned("double", volume->double_count));
}

/*
 * A block may lie on two volumes when one of them had failed and is back. One of them is enough, a
 * good one rather than a bad one, on whichever volume each is; the others are removed before
 * anybody counts them.
 */
static void choose_replicas(struct volume_scan *volumes, size_t count)
{
    struct map_u64 *seen = map_u64_open();
    for (size_t i = 0; i < count; i++) {
        struct store_scan *scan = &volumes[i].scan;
        if (volumes[i].store != NULL)
            scan->blocks_count = drop_doubles(seen, &volumes[i], scan->blocks, scan->blocks_count);
    }
    for (size_t i = 0; i < count; i++) {
        struct store_scan *scan = &volumes[i].scan;
        if (volumes[i].store != NULL)
            scan->corrupt_count =
                drop_doubles(seen, &volumes[i], scan->corrupt, scan->corrupt_count);
    }
    map_u64_close(seen);
}

static enum status feed_volumes(struct node *node,
                                struct datanode *machine,
                                struct error *reterr_error)
{
    struct arena *arena = arena_open(0);
    struct volume_scan volumes[DATANODE_VOLUMES_MAX] = {0};
    size_t count = volumes_count(node->volumes);
    enum status status = OK;
    for (size_t i = 0; i < count && status == OK; i++)
        status = scan_volume(node, machine, i, arena, &volumes[i], reterr_error);
    if (status == OK)
        choose_replicas(volumes, count);
    for (size_t i = 0; i < count && status == OK; i++)
        if (volumes[i].store != NULL)
            feed_volume(node, machine, i, &volumes[i]);
    arena_close(arena);
    return status;
}

static enum status open_machine(struct node *node,
                                const char *fd_path,
                                const char *http_address,
                                struct datanode **ret_machine,
                                struct error *reterr_error)
{
    const struct settings *s = daemon_settings(node->daemon);
    struct datanode_settings machine;
    struct slice names[DATANODE_VOLUMES_MAX];
    datanode_settings_default(&machine);
    machine.node = (struct endpoint){
        .node_id = node->node_id,
        .host = slice_from_string(daemon_host(node->daemon)),
        .rack = slice_from_string(daemon_rack(node->daemon)),
        .rpc_address = slice_from_string(daemon_rpc_address(node->daemon)),
        .http_address = slice_from_string(http_address),
        .fd_path = slice_from_string(fd_path),
    };
    machine.volumes = names;
    machine.volumes_count = volumes_count(node->volumes);
    for (size_t i = 0; i < machine.volumes_count; i++)
        names[i] = slice_from_string(volumes_directory(node->volumes, i));
    machine.cluster_id = atomic_load(&node->cluster_id);
    machine.incarnation = daemon_incarnation(node->daemon);
    machine.capacity_bytes = settings_bytes(s, "datanode.capacity");
    machine.reserve_bytes = settings_bytes(s, "datanode.reserve");
    machine.bad_reads_max = BAD_READS_MAX;
    machine.copies_max = (uint32_t)settings_u64(s, "datanode.copies_max");
    machine.receives_max = (uint32_t)settings_u64(s, "datanode.receives_max");
    machine.scrub_bytes_per_second = settings_bytes(s, "datanode.scrub_rate");
    machine.scrub_pause_ms = settings_ms(s, "datanode.scrub_pause");
    machine.space_interval_ms = settings_ms(s, "datanode.space_interval");
    enum status status = datanode_open(&machine, host_random_u64(), ret_machine);
    if (status != OK)
        return error_set(reterr_error, status, "the datanode's settings do not fit together");
    status = feed_volumes(node, *ret_machine, reterr_error);
    if (status != OK) {
        datanode_close(*ret_machine);
        *ret_machine = NULL;
    }
    return status;
}

/* --- definition --------------------------------------------------------------------------------
 */

static void stop_node(void *state)
{
    struct node *node = state;
    node_receives_stop(node);
    if (node->web_clients != NULL)
        web_clients_stop(node->web_clients);
    rate_stop(node->copy_rate);
    rate_stop(node->scrub_rate);
    http_server_close(node->server);
    node->server = NULL;
    fd_pass_server_close(node->fd_server);
    node->fd_server = NULL;
    workers_close(node->workers);
    node->workers = NULL;
    workers_close(node->tails);
    node->tails = NULL;
}

static void close_node(void *state)
{
    struct node *node = state;
    if (node == NULL)
        return;
    stop_node(node);
    web_clients_close(node->web_clients);
    for (size_t i = 0; i < NODE_CLIENTS; i++)
        http_client_close(node->clients[i]);
    latencies_close(node->latencies);
    rate_close(node->copy_rate);
    rate_close(node->scrub_rate);
    volumes_close(node->volumes);
    map_u64_close(node->receives);
    condition_close(node->condition);
    mutex_close(node->mutex);
    node_access_close(node->access);
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
    node->access = node_access_open(&node->secret, node->log);
    node->copy_rate = rate_open(settings_bytes(daemon_settings(daemon), "datanode.copy_rate"));
    node->scrub_rate = rate_open(settings_bytes(daemon_settings(daemon), "datanode.scrub_rate"));
    node->pipeline_stall_ms = settings_ms(daemon_settings(daemon), "datanode.pipeline_stall");
    node->pipeline_rate_min = settings_bytes(daemon_settings(daemon), "datanode.pipeline_rate_min");
    struct arena *arena = arena_open(0);
    struct datanode *machine = NULL;
    const char *address = NULL;
    enum status status = open_volumes(node, arena, reterr_error);
    /* One more for each volume: a disk that does not answer holds its measurement for ever. */
    size_t workers = (size_t)settings_u64(daemon_settings(daemon), "datanode.copies_max") +
                     OTHER_JOBS + (status == OK ? volumes_count(node->volumes) : 0);
    if (status == OK) {
        node->latencies = latencies_open(volumes_count(node->volumes));
        status = open_clients(node, reterr_error);
    }
    if (status == OK)
        status = workers_open("block", workers, &node->workers, reterr_error);
    const size_t uses[WEB_USE_COUNT] = {
        [WEB_READ] = (size_t)settings_u64(daemon_settings(daemon), "datanode.webhdfs_reads_max"),
        [WEB_WRITE] = (size_t)settings_u64(daemon_settings(daemon), "datanode.webhdfs_uploads_max"),
    };
    node->web_clients = web_clients_open(daemon, uses);
    if (status == OK)
        status = workers_open("tail", TAILS, &node->tails, reterr_error);
    if (status == OK)
        status = open_http(node, &address, reterr_error);
    if (status == OK)
        status = open_machine(node, open_descriptors(node, arena), address, &machine, reterr_error);
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
