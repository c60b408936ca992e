/*
 * pages.c - what the resource manager serves over HTTP (docs/protocols/rm-http.md):
 *
 *     GET /ws/v1/cluster/info  /ws/v1/cluster/metrics  /ws/v1/cluster/nodes
 *     GET /ws/v1/cluster/apps[?limit=<number>&states=live]  /ws/v1/cluster/apps/<application>
 *     GET /ws/v1/cluster/apps/<application>/why  /ws/v1/cluster/queues
 *     GET /metrics  /healthz
 *
 * All but the last line's need a bearer token. The numbers come from the machine, by the same calls
 * as over gRPC.
 */
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/daemon/metrics.h"
#include "lib/daemon/serve.h"
#include "lib/daemon/shell.h"
#include "lib/model/ids.h"
#include "lib/model/message.h"
#include "lib/net/http_server.h"
#include "lib/os/clock.h"
#include "rm/daemon/rm_daemon.h"

enum {
    ASK_MS = 5000,
    PAGE_BYTES_MAX = 64 * 1024 * 1024
};

/* One request on its way to its page. */
struct visit {
    const struct rm_daemon *self;
    struct http_request *request; /* NULL: nobody's, it is for /metrics */
    struct arena *arena;
    struct buf page;
    struct slice user;
    struct error error;
};

static enum status visit_ask(struct visit *visit,
                             enum method method,
                             const void *message,
                             const void **ret_answer)
{
    void *answer = NULL;
    enum status status =
        shell_ask(daemon_shell(visit->self->daemon), method, message, visit->user,
                  visit->request == NULL ? slice_make(NULL, 0)
                                         : slice_from_string(http_request_peer(visit->request)),
                  clock_monotonic_ms() + ASK_MS, visit->arena, &answer, &visit->error);
    if (status == OK)
        *ret_answer = answer;
    return status;
}

static enum status visit_nodes(struct visit *visit, const struct rm_list_nodes_response **ret_nodes)
{
    static const struct rm_list_nodes_request ask = {0};
    const void *answer = NULL;
    enum status status = visit_ask(visit, METHOD_RESOURCE_MANAGER_LIST_NODES, &ask, &answer);
    if (status == OK)
        *ret_nodes = answer;
    return status;
}

static enum status visit_apps(struct visit *visit,
                              bool include_finished,
                              uint32_t limit,
                              const struct rm_list_apps_response **ret_apps)
{
    struct rm_list_apps_request ask = {.include_finished = include_finished, .limit = limit};
    const void *answer = NULL;
    enum status status = visit_ask(visit, METHOD_RESOURCE_MANAGER_LIST_APPS, &ask, &answer);
    if (status == OK)
        *ret_apps = answer;
    return status;
}

/* Checks who asks, has the page made, and answers. */
static void serve_visit(void *user,
                        struct http_request *request,
                        const char *content_type,
                        enum status (*make)(struct visit *visit))
{
    struct visit visit = {
        .self = user, .request = request, .arena = arena_open(0), .error = {.status = OK}};
    buf_open(&visit.page, PAGE_BYTES_MAX);
    struct slice token = http_request_bearer(request);
    enum status status =
        token.length == 0
            ? error_set(&visit.error, ERR_UNAUTHENTICATED, "this needs a bearer token")
            : serve_authenticate(visit.self->secret, token, visit.arena, &visit.user, &visit.error);
    if (status == OK)
        status = make(&visit);
    if (status == OK)
        http_reply(request, 200, content_type, buf_slice(&visit.page));
    else
        http_reply_error(request, status,
                         visit.error.text[0] != '\0' ? visit.error.text : status_sentence(status));
    buf_close(&visit.page);
    arena_close(visit.arena);
}

static enum status make_info(struct visit *visit)
{
    const struct rm_list_nodes_response *nodes = NULL;
    enum status status = visit_nodes(visit, &nodes);
    return status == OK ? rm_render_info(nodes, visit->self->started_wall_ms, &visit->page)
                        : status;
}

static enum status make_nodes(struct visit *visit)
{
    const struct rm_list_nodes_response *nodes = NULL;
    enum status status = visit_nodes(visit, &nodes);
    return status == OK ? rm_render_nodes(nodes, &visit->page) : status;
}

static enum status make_metrics(struct visit *visit)
{
    const struct rm_list_nodes_response *nodes = NULL;
    const struct rm_list_apps_response *apps = NULL;
    enum status status = visit_nodes(visit, &nodes);
    if (status == OK)
        status = visit_apps(visit, true, 0, &apps);
    return status == OK ? rm_render_metrics(apps, nodes, &visit->page) : status;
}

static enum status make_apps(struct visit *visit)
{
    const char *limit_text = http_request_query(visit->request, "limit");
    const char *states = http_request_query(visit->request, "states");
    uint64_t limit = 0;
    if (limit_text != NULL &&
        (!slice_parse_u64(slice_from_string(limit_text), &limit) || limit > UINT32_MAX))
        return error_set(&visit->error, ERR_INVALID, "limit is a number");
    if (states != NULL && !slice_equal_string(slice_from_string(states), "live"))
        return error_set(&visit->error, ERR_INVALID, "states is \"live\" or left out");
    const struct rm_list_apps_response *apps = NULL;
    enum status status = visit_apps(visit, states == NULL, (uint32_t)limit, &apps);
    return status == OK ? rm_render_apps(apps, &visit->page) : status;
}

static enum status make_why(struct visit *visit, struct slice id)
{
    struct rm_explain_app_request ask = {0};
    const void *answer = NULL;
    if (!app_id_parse(id, &ask.app))
        return error_set(&visit->error, ERR_INVALID,
                         "the path is /ws/v1/cluster/apps/<application>/why");
    enum status status = visit_ask(visit, METHOD_RESOURCE_MANAGER_EXPLAIN_APP, &ask, &answer);
    return status == OK ? message_print_json(&rm_explain_app_response_type, answer, &visit->page)
                        : status;
}

static enum status make_queues(struct visit *visit)
{
    static const struct rm_get_queues_request ask = {0};
    const void *answer = NULL;
    enum status status = visit_ask(visit, METHOD_RESOURCE_MANAGER_GET_QUEUES, &ask, &answer);
    return status == OK ? message_print_json(&rm_get_queues_response_type, answer, &visit->page)
                        : status;
}

static enum status make_app(struct visit *visit)
{
    struct rm_get_app_request ask = {0};
    struct slice rest = slice_from_string(http_request_rest(visit->request));
    size_t slash = slice_find(rest, '/');
    if (slash < rest.length &&
        slice_equal_string(slice_sub(rest, slash, rest.length - slash), "/why"))
        return make_why(visit, slice_sub(rest, 0, slash));
    if (!app_id_parse(slice_from_string(http_request_rest(visit->request)), &ask.app))
        return error_set(&visit->error, ERR_INVALID,
                         "the path is /ws/v1/cluster/apps/<application>");
    const void *answer = NULL;
    enum status status = visit_ask(visit, METHOD_RESOURCE_MANAGER_GET_APP, &ask, &answer);
    if (status != OK)
        return status;
    const struct rm_get_app_response *response = answer;
    status = buf_append_format(&visit->page, "{\"app\":");
    if (status == OK)
        status = rm_render_app(&response->report, &visit->page);
    return status == OK ? buf_append(&visit->page, "}", 1) : status;
}

static const char json_type[] = "application/json";

static void serve_info(void *user, struct http_request *request)
{
    serve_visit(user, request, json_type, make_info);
}

static void serve_metrics(void *user, struct http_request *request)
{
    serve_visit(user, request, json_type, make_metrics);
}

static void serve_nodes(void *user, struct http_request *request)
{
    serve_visit(user, request, json_type, make_nodes);
}

static void serve_apps(void *user, struct http_request *request)
{
    serve_visit(user, request, json_type, make_apps);
}

static void serve_app(void *user, struct http_request *request)
{
    serve_visit(user, request, json_type, make_app);
}

static void serve_queues(void *user, struct http_request *request)
{
    serve_visit(user, request, json_type, make_queues);
}

static void serve_prometheus(void *user, struct http_request *request)
{
    const struct rm_daemon *self = user;
    daemon_serve_metrics(self->daemon, request);
}

static void serve_health(void *user, struct http_request *request)
{
    const struct rm_daemon *self = user;
    daemon_serve_health(self->daemon, request);
}

void rm_pages_metrics(void *state, struct metrics_page *page)
{
    struct visit visit = {
        .self = state, .arena = arena_open(0), .user = slice_from_string("millrace")};
    const struct rm_list_nodes_response *nodes = NULL;
    const struct rm_list_apps_response *apps = NULL;
    enum status status = visit_nodes(&visit, &nodes);
    if (status == OK)
        status = visit_apps(&visit, true, 0, &apps);
    if (status == OK)
        rm_render_prometheus(apps, nodes, page);
    else if (page->status == OK)
        page->status = status; /* half a page would look as if all applications had gone */
    arena_close(visit.arena);
}

static const struct http_route routes[] = {
    {.method = "GET", .prefix = "/ws/v1/cluster/info",    .handle = serve_info      },
    {.method = "GET", .prefix = "/ws/v1/cluster/metrics", .handle = serve_metrics   },
    {.method = "GET", .prefix = "/ws/v1/cluster/nodes",   .handle = serve_nodes     },
    {.method = "GET", .prefix = "/ws/v1/cluster/apps",    .handle = serve_apps      },
    {.method = "GET", .prefix = "/ws/v1/cluster/apps/",   .handle = serve_app       },
    {.method = "GET", .prefix = "/ws/v1/cluster/queues",  .handle = serve_queues    },
    {.method = "GET", .prefix = "/metrics",               .handle = serve_prometheus},
    {.method = "GET", .prefix = "/healthz",               .handle = serve_health    },
};

enum status rm_pages_open(struct rm_daemon *self, struct error *reterr_error)
{
    struct http_server_options options = {
        .threading = HTTP_THREAD_EACH, /* handlers wait for the machine */
        .routes = routes,
        .route_count = sizeof(routes) / sizeof(routes[0]),
        .user = self,
    };
    return daemon_listen_http(self->daemon, &options, &self->http, NULL, reterr_error);
}
