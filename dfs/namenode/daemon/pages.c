/*
 * pages.c - see pages.h.
 */
#include "dfs/namenode/daemon/pages_private.h"

#include <inttypes.h>

#include "dfs/webhdfs/request.h"
#include "lib/base/buf.h"
#include "lib/base/mem.h"
#include "lib/daemon/daemon.h"
#include "lib/daemon/metrics.h"
#include "lib/model/messages.h"
#include "lib/net/http_server.h"
#include "lib/os/clock.h"
#include "lib/os/host.h"

enum {
    ASK_MS = 5000
};

/* Asks as the namenode itself. */
static enum status ask_self(const struct namenode_pages *self,
                            struct arena *arena,
                            enum method method,
                            const void *message,
                            void **ret_answer,
                            struct error *error)
{
    return shell_ask(daemon_shell(self->daemon), method, message, slice_from_string("millrace"),
                     slice_make(NULL, 0), clock_monotonic_ms() + ASK_MS, arena, ret_answer, error);
}

static enum status ask_status(const struct namenode_pages *self,
                              struct arena *arena,
                              const struct dfs_cluster_status_response **ret_status,
                              struct error *error)
{
    static const struct dfs_cluster_status_request ask;
    void *answer = NULL;
    enum status status =
        ask_self(self, arena, METHOD_NAMENODE_CLUSTER_STATUS, &ask, &answer, error);
    if (status == OK)
        *ret_status = answer;
    return status;
}

static enum status ask_safe_mode(const struct namenode_pages *self,
                                 struct arena *arena,
                                 const struct dfs_set_safe_mode_response **ret_mode,
                                 struct error *error)
{
    static const struct dfs_set_safe_mode_request ask = {.action = SAFE_MODE_GET};
    void *answer = NULL;
    enum status status = ask_self(self, arena, METHOD_NAMENODE_SET_SAFE_MODE, &ask, &answer, error);
    if (status == OK)
        *ret_mode = answer;
    return status;
}

/* --- /metrics -------------------------------------------------------------------------------- */

/* Sums over datanodes. */
struct node_sums {
    uint64_t by_state[DFS_DATANODE_STATE_COUNT];
    uint64_t by_admin[DFS_DATANODE_ADMIN_STATE_COUNT];
    uint64_t slow;
    uint64_t volumes_failed;
    uint64_t capacity_bytes;
    uint64_t used_bytes;
    uint64_t free_bytes;
};

static struct node_sums sum_datanodes(const struct dfs_cluster_status_response *cluster)
{
    struct node_sums sums = {0};
    for (size_t i = 0; i < cluster->datanodes_count; i++) {
        const struct dfs_datanode_info *node = &cluster->datanodes[i];
        if ((size_t)node->state < DFS_DATANODE_STATE_COUNT)
            sums.by_state[node->state]++;
        if ((size_t)node->admin_state < DFS_DATANODE_ADMIN_STATE_COUNT)
            sums.by_admin[node->admin_state]++;
        sums.slow += node->is_slow;
        for (size_t v = 0; v < node->volumes_count; v++)
            sums.volumes_failed += node->volumes[v].state == VOLUME_FAILED;
        sums.capacity_bytes += node->capacity_bytes;
        sums.used_bytes += node->used_bytes;
        sums.free_bytes += node->free_bytes;
    }
    return sums;
}

static void write_datanodes(const struct dfs_cluster_status_response *cluster,
                            struct metrics_page *page)
{
    static const char *const states[DFS_DATANODE_STATE_COUNT] = {"live", "stale", "lost"};
    static const char *const admins[DFS_DATANODE_ADMIN_STATE_COUNT] = {
        "in_service", "decommissioning", "decommissioned", "entering_maintenance",
        "in_maintenance"};
    struct node_sums sums = sum_datanodes(cluster);
    metrics_family(page, "millrace_dfs_datanodes", METRICS_GAUGE,
                   "Datanodes by how long they have been silent.");
    for (size_t i = 0; i < DFS_DATANODE_STATE_COUNT; i++)
        metrics_sample(page, "state", slice_from_string(states[i]), sums.by_state[i]);
    metrics_family(page, "millrace_dfs_datanodes_by_service", METRICS_GAUGE,
                   "Datanodes by what their administrator wants of them.");
    for (size_t i = 0; i < DFS_DATANODE_ADMIN_STATE_COUNT; i++)
        metrics_sample(page, "service", slice_from_string(admins[i]), sums.by_admin[i]);
    metrics_gauge(page, "millrace_dfs_slow_datanodes", "Datanodes much slower than the others.",
                  sums.slow);
    metrics_gauge(page, "millrace_dfs_failed_volumes", "Disks that datanodes have retired.",
                  sums.volumes_failed);
    metrics_gauge(page, "millrace_dfs_capacity_bytes", "Bytes all datanodes offer.",
                  sums.capacity_bytes);
    metrics_gauge(page, "millrace_dfs_used_bytes", "Bytes of blocks on all datanodes.",
                  sums.used_bytes);
    metrics_gauge(page, "millrace_dfs_free_bytes", "Bytes all datanodes could still take.",
                  sums.free_bytes);
}

void namenode_pages_metrics(void *pages, struct metrics_page *page)
{
    struct arena *arena = arena_open(0);
    const struct dfs_cluster_status_response *cluster = NULL;
    enum status status = ask_status(pages, arena, &cluster, NULL);
    if (status == OK) {
        metrics_gauge(page, "millrace_dfs_files", "Files.", cluster->file_count);
        metrics_gauge(page, "millrace_dfs_directories", "Directories.", cluster->directory_count);
        metrics_gauge(page, "millrace_dfs_blocks", "Sealed blocks.", cluster->block_count);
        metrics_gauge(page, "millrace_dfs_under_replicated_blocks",
                      "Blocks with fewer good replicas than wanted.",
                      cluster->under_replicated_count);
        metrics_gauge(page, "millrace_dfs_missing_blocks", "Blocks without a good replica.",
                      cluster->missing_count);
        metrics_gauge(page, "millrace_dfs_safe_mode", "1 while the namenode is in safe mode.",
                      cluster->in_safe_mode);
        write_datanodes(cluster, page);
    } else if (page->status == OK) {
        page->status = status; /* half a page would look as if all files had gone */
    }
    arena_close(arena);
}

/* --- /healthz -------------------------------------------------------------------------------- */

enum status namenode_pages_health(void *pages, struct buf *notes, struct error *reterr_error)
{
    struct arena *arena = arena_open(0);
    const struct dfs_cluster_status_response *cluster = NULL;
    const struct dfs_set_safe_mode_response *mode = NULL;
    enum status status = ask_status(pages, arena, &cluster, reterr_error);
    if (status == OK)
        status = ask_safe_mode(pages, arena, &mode, reterr_error);
    if (status == OK && mode->in_safe_mode)
        status = buf_append_format(notes, "in safe mode: %.*s\n", SLICE_ARGS(mode->reason));
    if (status == OK && cluster->missing_count > 0)
        status = buf_append_format(notes, "%" PRIu64 " blocks have no good replica\n",
                                   cluster->missing_count);
    arena_close(arena);
    return status;
}

/* --- the server ------------------------------------------------------------------------------ */

static void serve_metrics(void *user, struct http_request *request)
{
    const struct namenode_pages *self = user;
    daemon_serve_metrics(self->daemon, request);
}

static void serve_health(void *user, struct http_request *request)
{
    const struct namenode_pages *self = user;
    daemon_serve_health(self->daemon, request);
}

/* clang-format off */
static const struct http_route routes[] = {
    {.method = "GET", .prefix = "/metrics", .handle = serve_metrics},
    {.method = "GET", .prefix = "/healthz", .handle = serve_health },
    {.method = "GET", .prefix = WEBHDFS_PREFIX, .handle = namenode_webhdfs_handle},
    {.method = "DELETE", .prefix = WEBHDFS_PREFIX, .begin = namenode_webhdfs_begin,
     .chunk = namenode_webhdfs_chunk, .handle = namenode_webhdfs_handle},
    {.method = "POST", .prefix = WEBHDFS_PREFIX, .begin = namenode_webhdfs_begin,
     .chunk = namenode_webhdfs_chunk, .handle = namenode_webhdfs_handle},
    {.method = "PUT", .prefix = WEBHDFS_PREFIX, .begin = namenode_webhdfs_begin,
     .chunk = namenode_webhdfs_chunk, .handle = namenode_webhdfs_handle},
};

/* clang-format on */

enum status namenode_pages_open(struct daemon *daemon,
                                struct namenode_pages **ret_pages,
                                struct error *reterr_error)
{
    struct namenode_pages *self = MEM_NEW(struct namenode_pages);
    self->daemon = daemon;
    self->arena = arena_open(0);
    self->client_id = host_random_u64();
    self->superuser = settings_string(daemon_settings(daemon), "dfs.superuser");
    if (self->superuser[0] == '\0')
        self->superuser = host_user_name(self->arena, host_uid());
    self->supergroup = settings_string(daemon_settings(daemon), "dfs.supergroup");
    struct http_server_options options = {
        .threading = HTTP_THREAD_EACH, /* handlers wait for the machine */
        .routes = routes,
        .route_count = sizeof(routes) / sizeof(routes[0]),
        .user = self,
    };
    enum status status = daemon_listen_http(daemon, &options, &self->http, NULL, reterr_error);
    if (status != OK) {
        arena_close(self->arena);
        mem_free(self);
        return status;
    }
    *ret_pages = self;
    return OK;
}

void namenode_pages_stop(void *pages)
{
    struct namenode_pages *self = pages;
    http_server_close(self->http);
    self->http = NULL;
}

void namenode_pages_close(void *pages)
{
    struct namenode_pages *self = pages;
    if (self == NULL)
        return;
    namenode_pages_stop(self);
    arena_close(self->arena);
    mem_free(self);
}
