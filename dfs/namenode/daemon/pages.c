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

static enum status ask_status(const struct namenode_pages *self,
                              struct arena *arena,
                              const struct dfs_cluster_status_response **ret_status,
                              struct error *error)
{
    static const struct dfs_cluster_status_request ask;
    void *answer = NULL;
    enum status status = shell_ask(daemon_shell(self->daemon), METHOD_NAMENODE_CLUSTER_STATUS, &ask,
                                   slice_from_string("millrace"), slice_make(NULL, 0),
                                   clock_monotonic_ms() + ASK_MS, arena, &answer, error);
    if (status == OK)
        *ret_status = answer;
    return status;
}

/* --- /metrics -------------------------------------------------------------------------------- */

static void write_datanodes(const struct dfs_cluster_status_response *cluster,
                            struct metrics_page *page)
{
    uint64_t by_state[DFS_DATANODE_STATE_COUNT] = {0};
    uint64_t capacity = 0;
    uint64_t used = 0;
    uint64_t free = 0;
    for (size_t i = 0; i < cluster->datanodes_count; i++) {
        const struct dfs_datanode_info *node = &cluster->datanodes[i];
        if ((size_t)node->state < DFS_DATANODE_STATE_COUNT)
            by_state[node->state]++;
        capacity += node->capacity_bytes;
        used += node->used_bytes;
        free += node->free_bytes;
    }
    static const char *const names[DFS_DATANODE_STATE_COUNT] = {"live", "stale", "lost"};
    metrics_family(page, "millrace_dfs_datanodes", METRICS_GAUGE,
                   "Datanodes by how long they have been silent.");
    for (size_t i = 0; i < DFS_DATANODE_STATE_COUNT; i++)
        metrics_sample(page, "state", slice_from_string(names[i]), by_state[i]);
    metrics_gauge(page, "millrace_dfs_capacity_bytes", "Bytes all datanodes offer.", capacity);
    metrics_gauge(page, "millrace_dfs_used_bytes", "Bytes of blocks on all datanodes.", used);
    metrics_gauge(page, "millrace_dfs_free_bytes", "Bytes all datanodes could still take.", free);
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
    enum status status = ask_status(pages, arena, &cluster, reterr_error);
    if (status == OK && cluster->in_safe_mode)
        status = buf_append_format(notes, "in safe mode: waits for datanodes to report blocks\n");
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
