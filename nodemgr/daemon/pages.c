/*
 * pages.c - what the node manager serves over HTTP (docs/protocols/nodemgr-http.md):
 *
 *     GET /v1/shuffle/<application>/<map>_<attempt>/<partition>
 *     GET /v1/logs/<application>                                     which containers have logs
 *     GET /v1/logs/<application>/<container>/<stdout|stderr>[?tail=<bytes>]
 *     GET /v1/containers
 *     GET /metrics  /healthz
 *
 * Each but the last two needs a bearer token, of the application's owner or of a daemon. Ids in
 * paths are parsed and written anew, so no text of a request becomes part of a path.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/daemon/cluster.h"
#include "lib/daemon/log.h"
#include "lib/daemon/metrics.h"
#include "lib/daemon/shell.h"
#include "lib/model/ids.h"
#include "lib/model/message.h"
#include "lib/net/http_server.h"
#include "lib/os/clock.h"
#include "lib/os/directory.h"
#include "lib/os/file.h"
#include "nodemgr/daemon/nodemgr_daemon.h"

#define RECORDS_HEADER "millrace-records"

enum {
    PAGE_PARTS_MAX = 3,
    ASK_MS = 2000,
    PAGE_BYTES_MAX = 8 * 1024 * 1024
};

static const char json_type[] = "application/json";

/* Answers with status and error's text, or the status's own sentence when there is none. */
static void refuse(struct http_request *request, enum status status, const struct error *error)
{
    http_reply_error(request, status,
                     error->text[0] != '\0' ? error->text : status_sentence(status));
}

/* --- who asks --------------------------------------------------------------------------------- */
struct page_caller {
    struct token_claims claims;
    struct slice user; /* borrows claims; "millrace" for daemons */
};

static enum status caller_identify(const struct nodemgr_daemon *self,
                                   struct http_request *request,
                                   struct page_caller *ret_caller,
                                   struct error *reterr_error)
{
    static const char user_kind[] = "user:";
    static const char daemon_kind[] = "daemon:";
    struct slice token = http_request_bearer(request);
    if (token.length == 0)
        return error_set(reterr_error, ERR_UNAUTHENTICATED, "this needs a bearer token");
    enum status status = token_verify(&self->secret, token, CLUSTER_AUDIENCE, clock_wall_ms(),
                                      &ret_caller->claims, reterr_error);
    if (status != OK)
        return status;
    struct slice subject = slice_from_string(ret_caller->claims.subject);
    if (slice_has_prefix(subject, slice_from_string(daemon_kind)))
        ret_caller->user = slice_from_string("millrace");
    else if (slice_has_prefix(subject, slice_from_string(user_kind)) &&
             !slice_equal_string(subject, "user:millrace")) /* nobody is a daemon by name */
        ret_caller->user =
            slice_sub(subject, sizeof(user_kind) - 1, subject.length - (sizeof(user_kind) - 1));
    else
        return error_set(reterr_error, ERR_UNAUTHENTICATED, "the token is nobody's");
    return OK;
}

/* Is the caller the application's owner or a daemon? Else refuses the request. */
static bool may_see(const struct nodemgr_daemon *self,
                    struct http_request *request,
                    struct app_id app)
{
    struct page_caller caller;
    struct error error = {.status = OK};
    struct arena *arena = arena_open(0);
    struct slice owner;
    enum status status = caller_identify(self, request, &caller, &error);
    if (status == OK)
        status = nodemgr_folders_owner(&self->folders, arena, app, &owner, &error);
    if (status == OK && !slice_equal_string(caller.user, "millrace") &&
        !slice_equal(caller.user, owner))
        status = error_set(&error, ERR_DENIED, "the application is another user's");
    arena_close(arena);
    if (status != OK)
        refuse(request, status, &error);
    return status == OK;
}

/* --- paths ------------------------------------------------------------------------------------ */
/* Splits the rest of the path at its slashes; the number of parts, more than the maximum as that
 * + 1. */
static size_t split_rest(struct http_request *request, struct slice parts[PAGE_PARTS_MAX])
{
    struct slice rest = slice_from_string(http_request_rest(request));
    size_t count = 0;
    while (count < PAGE_PARTS_MAX) {
        size_t end = slice_find(rest, '/');
        parts[count++] = slice_sub(rest, 0, end);
        if (end == rest.length)
            return count;
        rest = slice_sub(rest, end + 1, rest.length - end - 1);
    }
    return PAGE_PARTS_MAX + 1;
}

static bool parse_u32(struct slice text, uint32_t *ret_value)
{
    uint64_t value;
    if (!slice_parse_u64(text, &value) || value > UINT32_MAX)
        return false;
    *ret_value = (uint32_t)value;
    return true;
}

/* "<map>_<attempt>" */
static bool parse_output(struct slice text, uint32_t *ret_map, uint32_t *ret_attempt)
{
    size_t border = slice_find(text, '_');
    return border < text.length && parse_u32(slice_sub(text, 0, border), ret_map) &&
           parse_u32(slice_sub(text, border + 1, text.length - border - 1), ret_attempt);
}

/* --- shuffle ---------------------------------------------------------------------------------- */
static void serve_shuffle(void *user, struct http_request *request)
{
    const struct nodemgr_daemon *self = user;
    struct slice parts[PAGE_PARTS_MAX];
    struct app_id app;
    uint32_t map;
    uint32_t attempt;
    uint32_t partition;
    if (split_rest(request, parts) != 3 || !app_id_parse(parts[0], &app) ||
        !parse_output(parts[1], &map, &attempt) || !parse_u32(parts[2], &partition)) {
        http_reply_error(request, ERR_INVALID,
                         "the path is /v1/shuffle/<application>/<map>_<attempt>/<partition>");
        return;
    }
    if (!may_see(self, request, app))
        return;
    struct error error = {.status = OK};
    struct file *file = NULL;
    uint64_t offset;
    uint64_t bytes;
    uint64_t records;
    enum status status = nodemgr_folders_open_segment(&self->folders, app, map, attempt, partition,
                                                      &file, &offset, &bytes, &records, &error);
    if (status != OK) {
        if (status != ERR_NOT_FOUND)
            log_event(daemon_log(self->daemon), LOG_LEVEL_WARN, "map_output_unreadable",
                      log_status("status", status), log_text("error", error.text));
        refuse(request, status, &error);
        return;
    }
    char number[24];
    snprintf(number, sizeof(number), "%" PRIu64, records);
    http_reply_header(request, RECORDS_HEADER, number);
    http_reply_file(request, "application/octet-stream", file_release(file), offset, bytes);
}

/* --- logs ------------------------------------------------------------------------------------- */
static void serve_log_file(const struct nodemgr_daemon *self,
                           struct http_request *request,
                           struct container_id container,
                           const char *name)
{
    struct arena *arena = arena_open(0);
    struct error error = {.status = OK};
    struct file *file = NULL;
    uint64_t length = 0;
    uint64_t wanted = UINT64_MAX;
    const char *tail = http_request_query(request, "tail");
    const char *path =
        path_join(arena, nodemgr_folders_logs(&self->folders, arena, container), name);
    enum status status = OK;
    if (tail && !slice_parse_u64(slice_from_string(tail), &wanted))
        status = error_set(&error, ERR_INVALID, "tail is a number of bytes");
    if (status == OK)
        status = file_open(path, FILE_MODE_READ, 0, &file, &error);
    if (status == OK)
        status = file_length(file, &length, &error);
    arena_close(arena);
    if (status != OK) {
        file_close(file);
        refuse(request, status, &error);
        return;
    }
    uint64_t from = length > wanted ? length - wanted : 0;
    http_reply_file(request, "text/plain; charset=utf-8", file_release(file), from, length - from);
}

static enum status list_log(
    const char *folder, struct slice name, struct arena *arena, bool is_first, struct buf *page)
{
    struct container_id container;
    if (!container_id_parse(name, &container))
        return OK; /* the owner's name */
    struct file_info out = {.bytes = 0};
    struct file_info err = {.bytes = 0};
    const char *logs = path_join(arena, folder, container_id_text(container).text);
    /* A log that cannot be read is as good as empty; asking for it says why. */
    status_ignore(file_info_get(path_join(arena, logs, "stdout"), false, &out, NULL));
    status_ignore(file_info_get(path_join(arena, logs, "stderr"), false, &err, NULL));
    return buf_append_format(
        page, "%s{\"container\":\"%s\",\"stdout\":%" PRIu64 ",\"stderr\":%" PRIu64 "}",
        is_first ? "" : ",", container_id_text(container).text, out.bytes, err.bytes);
}

static void serve_log_list(const struct nodemgr_daemon *self,
                           struct http_request *request,
                           struct app_id app)
{
    struct arena *arena = arena_open(0);
    struct error error = {.status = OK};
    struct slice *names = NULL;
    size_t count = 0;
    struct buf page;
    buf_open(&page, PAGE_BYTES_MAX);
    const char *folder = nodemgr_folders_app_logs(&self->folders, arena, app);
    enum status status = directory_list(folder, arena, &names, &count, &error);
    if (status == OK)
        status = buf_append_format(&page, "{\"containers\":[");
    size_t empty = page.length;
    for (size_t i = 0; i < count && status == OK; i++)
        status = list_log(folder, names[i], arena, page.length == empty, &page);
    if (status == OK)
        status = buf_append_format(&page, "]}\n");
    if (status == OK)
        http_reply(request, 200, json_type, buf_slice(&page));
    else
        refuse(request, status, &error);
    buf_close(&page);
    arena_close(arena);
}

static void serve_logs(void *user, struct http_request *request)
{
    const struct nodemgr_daemon *self = user;
    struct slice parts[PAGE_PARTS_MAX];
    struct app_id app;
    struct container_id container;
    size_t count = split_rest(request, parts);
    bool is_list = count == 1 || (count == 2 && parts[1].length == 0);
    bool is_stdout = count == 3 && slice_equal_string(parts[2], "stdout");
    bool is_stderr = count == 3 && slice_equal_string(parts[2], "stderr");
    if (!app_id_parse(parts[0], &app) || !(is_list || is_stdout || is_stderr) ||
        (!is_list &&
         (!container_id_parse(parts[1], &container) || !app_id_equal(container.app, app)))) {
        http_reply_error(request, ERR_INVALID,
                         "the path is /v1/logs/<application>[/<container>/<stdout|stderr>]");
        return;
    }
    if (!may_see(self, request, app))
        return;
    if (is_list)
        serve_log_list(self, request, app);
    else
        serve_log_file(self, request, container, is_stdout ? "stdout" : "stderr");
}

/* --- containers ------------------------------------------------------------------------------- */
static void serve_containers(void *user, struct http_request *request)
{
    static const struct nm_list_containers_request ask = {0};
    const struct nodemgr_daemon *self = user;
    struct page_caller caller;
    struct error error = {.status = OK};
    struct arena *arena = arena_open(0);
    struct buf page;
    void *message = NULL;
    buf_open(&page, PAGE_BYTES_MAX);
    enum status status = caller_identify(self, request, &caller, &error);
    if (status == OK)
        status = shell_ask(daemon_shell(self->daemon), METHOD_NODE_MANAGER_LIST_CONTAINERS, &ask,
                           caller.user, slice_from_string(http_request_peer(request)),
                           clock_monotonic_ms() + ASK_MS, arena, &message, &error);
    if (status == OK)
        status = message_print_json(&nm_list_containers_response_type, message, &page);
    if (status == OK)
        http_reply(request, 200, json_type, buf_slice(&page));
    else
        refuse(request, status, &error);
    buf_close(&page);
    arena_close(arena);
}

/* --- how it is -------------------------------------------------------------------------------- */
void nodemgr_pages_metrics(void *state, struct metrics_page *page)
{
    static const struct nm_list_containers_request ask = {0};
    const struct nodemgr_daemon *self = state;
    struct arena *arena = arena_open(0);
    void *message = NULL;
    metrics_family(page, "millrace_nodemgr_limits", METRICS_GAUGE,
                   "What limits the processes of containers: 1.");
    metrics_sample(page, "by", slice_from_string(nodemgr_limits_name(&self->limits)), 1);
    enum status status = shell_ask(daemon_shell(self->daemon), METHOD_NODE_MANAGER_LIST_CONTAINERS,
                                   &ask, slice_from_string("millrace"), slice_make(NULL, 0),
                                   clock_monotonic_ms() + ASK_MS, arena, &message, NULL);
    if (status == OK) {
        const struct nm_list_containers_response *list = message;
        uint64_t by_state[RM_CONTAINER_STATE_COUNT] = {0};
        static const char *const names[RM_CONTAINER_STATE_COUNT] = {"new", "localizing", "running",
                                                                    "killing", "completed"};
        for (size_t i = 0; i < list->containers_count; i++) {
            if ((size_t)list->containers[i].state < RM_CONTAINER_STATE_COUNT)
                by_state[list->containers[i].state]++;
        }
        metrics_family(page, "millrace_nodemgr_containers", METRICS_GAUGE,
                       "Containers of this host, by state.");
        for (size_t i = 0; i < RM_CONTAINER_STATE_COUNT; i++)
            metrics_sample(page, "state", slice_from_string(names[i]), by_state[i]);
    } else if (page->status == OK) {
        page->status = status;
    }
    arena_close(arena);
}

static void serve_metrics(void *user, struct http_request *request)
{
    const struct nodemgr_daemon *self = user;
    daemon_serve_metrics(self->daemon, request);
}

static void serve_health(void *user, struct http_request *request)
{
    const struct nodemgr_daemon *self = user;
    daemon_serve_health(self->daemon, request);
}

/* --- the server ------------------------------------------------------------------------------- */
static const struct http_route routes[] = {
    {.method = "GET", .prefix = "/v1/shuffle/",   .handle = serve_shuffle   },
    {.method = "GET", .prefix = "/v1/logs/",      .handle = serve_logs      },
    {.method = "GET", .prefix = "/v1/containers", .handle = serve_containers},
    {.method = "GET", .prefix = "/metrics",       .handle = serve_metrics   },
    {.method = "GET", .prefix = "/healthz",       .handle = serve_health    },
};

enum status nodemgr_pages_open(struct nodemgr_daemon *self, struct error *reterr_error)
{
    struct http_server_options options = {
        .threading = HTTP_POOL,
        .threads = (unsigned)settings_u64(daemon_settings(self->daemon), "nodemgr.http_threads"),
        .routes = routes,
        .route_count = sizeof(routes) / sizeof(routes[0]),
        .user = self,
    };
    return daemon_listen_http(self->daemon, &options, &self->http, NULL, reterr_error);
}
