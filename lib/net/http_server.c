/*
 * http_server.c - the HTTP server: its life, and the way of a request through its callbacks.
 *
 * The library calls on_access for the headers, for each piece of the body, at the end of the
 * request and, in a pool, once more after a reply from another thread. A request whose handle has
 * returned without a reply waits: in a pool its connection is suspended, with a thread each the
 * thread sleeps (suspending such connections loses wake-ups, they all share one event descriptor).
 */
#include <arpa/inet.h>
#include <errno.h>
#include <microhttpd.h>
#include <netinet/in.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/check.h"
#include "lib/base/mem.h"
#include "lib/net/http_server_private.h"
#include "lib/net/net.h"
#include "lib/net/net_private.h"
#include "lib/net/peer.h"
#include "lib/net/token.h"

enum {
    SERVER_THREADS = 2,
    SERVER_BACKLOG = 511,
    POOL_PIECE_BYTES = 32 * 1024,
    EACH_PIECE_BYTES = 64 * 1024,
    LOG_TEXT_BYTES = 512,
};

/* --- requests --------------------------------------------------------------------------------- */

static struct http_request *request_open(struct http_server *server,
                                         struct MHD_Connection *connection)
{
    struct http_request *request = MEM_NEW(struct http_request);
    request->server = server;
    request->connection = connection;
    net_condition_open(&request->replied);
    (void)pthread_mutex_lock(&server->mutex);
    server->active_count++;
    (void)pthread_mutex_unlock(&server->mutex);
    return request;
}

static void request_close(struct http_request *request, unsigned code_class)
{
    struct http_server *server = request->server;
    if (request->response != NULL)
        MHD_destroy_response(request->response);
    for (size_t i = 0; i < request->header_count; i++)
        mem_free(request->headers[i]);
    mem_free(request->headers);
    mem_free(request->path);
    buf_close(&request->body);
    (void)pthread_cond_destroy(&request->replied);
    mem_free(request);
    (void)pthread_mutex_lock(&server->mutex);
    server->by_class[code_class < HTTP_CODE_CLASSES ? code_class : 0]++;
    server->active_count--;
    (void)pthread_cond_broadcast(&server->changed);
    (void)pthread_mutex_unlock(&server->mutex);
}

void http_request_finish(struct http_request *request, unsigned code, struct MHD_Response *response)
{
    struct http_server *server = request->server;
    struct MHD_Connection *connection = request->connection;
    (void)pthread_mutex_lock(&server->mutex);
    CHECK(!request->is_replied);
    request->is_replied = true;
    request->response = response;
    request->code = code;
    if (request->is_pending) {
        request->is_pending = false;
        server->pending_count--;
        (void)pthread_cond_broadcast(&server->changed);
    }
    (void)pthread_cond_signal(&request->replied);
    /* Under the mutex: afterwards the server may be closed and the connection gone. */
    if (request->is_suspended)
        MHD_resume_connection(connection);
    request->is_suspended = false;
    (void)pthread_mutex_unlock(&server->mutex);
}

static enum MHD_Result request_queue(struct http_request *request)
{
    return MHD_queue_response(request->connection, request->code, request->response);
}

const char *http_request_method(const struct http_request *request)
{
    return request->method;
}

const char *http_request_path(const struct http_request *request)
{
    return request->path;
}

const char *http_request_rest(const struct http_request *request)
{
    return request->path + strlen(request->route->prefix);
}

static const char *request_value(const struct http_request *request,
                                 enum MHD_ValueKind kind,
                                 const char *name)
{
    const char *value = NULL;
    if (MHD_lookup_connection_value_n(request->connection, kind, name, strlen(name), &value,
                                      NULL) != MHD_YES)
        return NULL;
    return value == NULL ? "" : value;
}

const char *http_request_query(const struct http_request *request, const char *name)
{
    return request_value(request, MHD_GET_ARGUMENT_KIND, name);
}

const char *http_request_header(const struct http_request *request, const char *name)
{
    return request_value(request, MHD_HEADER_KIND, name);
}

struct slice http_request_bearer(const struct http_request *request)
{
    const char *header = http_request_header(request, MHD_HTTP_HEADER_AUTHORIZATION);
    if (header != NULL)
        return token_from_bearer(slice_from_string(header));
    return slice_from_string(http_request_query(request, "token"));
}

const char *http_request_peer(const struct http_request *request)
{
    return request->peer;
}

/* The two ends of the connection; false when the library or the system does not tell. */
static bool read_ends(const struct http_request *request,
                      struct sockaddr_storage *ret_peer,
                      struct sockaddr_storage *ret_own)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CONNECTION_FD);
    socklen_t peer_length = sizeof(*ret_peer);
    socklen_t own_length = sizeof(*ret_own);
    return info != NULL &&
           getpeername(info->connect_fd, (struct sockaddr *)ret_peer, &peer_length) == 0 &&
           getsockname(info->connect_fd, (struct sockaddr *)ret_own, &own_length) == 0;
}

bool http_request_is_loopback(const struct http_request *request)
{
    struct sockaddr_storage peer;
    struct sockaddr_storage own;
    return read_ends(request, &peer, &own) && peer_is_loopback(&peer) && peer_is_loopback(&own);
}

enum status http_request_peer_uid(const struct http_request *request,
                                  uint32_t *ret_uid,
                                  struct error *reterr_error)
{
    struct sockaddr_storage peer;
    struct sockaddr_storage own;
    if (!read_ends(request, &peer, &own))
        return error_set(reterr_error, ERR_UNAUTHENTICATED, "the peer has gone");
    return peer_find_uid(&peer, &own, ret_uid, reterr_error);
}

bool http_request_content_length(const struct http_request *request, uint64_t *ret_length)
{
    const char *text = http_request_header(request, MHD_HTTP_HEADER_CONTENT_LENGTH);
    return text != NULL && slice_parse_u64(slice_from_string(text), ret_length);
}

struct slice http_request_body(const struct http_request *request)
{
    return buf_slice(&request->body);
}

enum status http_request_body_status(const struct http_request *request)
{
    return request->body_status;
}

void http_request_set_state(struct http_request *request, void *state)
{
    request->state = state;
}

void *http_request_state(const struct http_request *request)
{
    return request->state;
}

/* --- the way of a request --------------------------------------------------------------------- */

static bool route_takes_method(const struct http_route *route, const char *method)
{
    return strcmp(route->method, method) == 0 || (strcmp(method, MHD_HTTP_METHOD_HEAD) == 0 &&
                                                  strcmp(route->method, MHD_HTTP_METHOD_GET) == 0);
}

/* The route with the longest prefix, or NULL; ret_has_path: another method would have had one. */
static const struct http_route *find_route(const struct http_request *request,
                                           const char *path,
                                           bool *ret_has_path)
{
    const struct http_server_options *options = &request->server->options;
    const struct http_route *best = NULL;
    size_t best_length = 0;
    for (size_t i = 0; i < options->route_count; i++) {
        const struct http_route *route = &options->routes[i];
        size_t length = strlen(route->prefix);
        if (strncmp(path, route->prefix, length) != 0)
            continue;
        *ret_has_path = true;
        if (!route_takes_method(route, request->method) || (best != NULL && length <= best_length))
            continue;
        best = route;
        best_length = length;
    }
    return best;
}

static void request_read_peer(struct http_request *request)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(request->connection, MHD_CONNECTION_INFO_CLIENT_ADDRESS);
    if (info == NULL || info->client_addr == NULL)
        return;
    char host[INET6_ADDRSTRLEN] = "";
    unsigned port = 0;
    if (info->client_addr->sa_family == AF_INET) {
        struct sockaddr_in four;
        memcpy(&four, info->client_addr, sizeof(four));
        (void)inet_ntop(AF_INET, &four.sin_addr, host, sizeof(host));
        port = ntohs(four.sin_port);
    } else if (info->client_addr->sa_family == AF_INET6) {
        struct sockaddr_in6 six;
        memcpy(&six, info->client_addr, sizeof(six));
        (void)inet_ntop(AF_INET6, &six.sin6_addr, host, sizeof(host));
        port = ntohs(six.sin6_port);
    }
    (void)snprintf(request->peer, sizeof(request->peer), "%s:%u", host, port);
}

/* Looks at the headers; replies when the request goes no further. */
static void request_begin(struct http_request *request, const char *path, const char *method)
{
    const struct http_server *server = request->server;
    (void)snprintf(request->method, sizeof(request->method), "%s", method);
    size_t path_length = strlen(path);
    request->path = mem_new(path_length + 1);
    memcpy(request->path, path, path_length);
    request_read_peer(request);
    (void)pthread_mutex_lock(&request->server->mutex);
    bool is_stopping = server->is_stopping;
    (void)pthread_mutex_unlock(&request->server->mutex);
    if (is_stopping) {
        http_reply_header(request, MHD_HTTP_HEADER_CONNECTION, "close");
        http_reply_error(request, ERR_UNAVAILABLE, "the server stops");
        return;
    }
    if (request->has_bad_uri) {
        http_reply_error(request, ERR_INVALID, "the address holds %00");
        return;
    }
    bool has_path = false;
    const struct http_route *route = find_route(request, path, &has_path);
    if (route == NULL && has_path) {
        http_reply_header(request, HTTP_STATUS_HEADER, status_name(ERR_UNSUPPORTED));
        http_reply(request, MHD_HTTP_METHOD_NOT_ALLOWED, "text/plain; charset=utf-8",
                   slice_from_string("this method is not possible here\n"));
        return;
    }
    if (route == NULL) {
        http_reply_error(request, ERR_NOT_FOUND, "there is nothing at this address");
        return;
    }
    uint64_t length = 0;
    if (route->chunk == NULL && http_request_content_length(request, &length) &&
        length > route->body_bytes_max) {
        http_reply_error(request, ERR_LIMIT, "the body is too long");
        return;
    }
    request->route = route;
    request->body.length_max = route->body_bytes_max;
    if (route->begin != NULL)
        route->begin(server->options.user, request);
}

/* Takes one piece of the body. */
static void request_take(struct http_request *request, struct slice data)
{
    if (request->body_status != OK || request->is_replied)
        return;
    const struct http_route *route = request->route;
    if (route->chunk != NULL)
        request->body_status = route->chunk(request->server->options.user, request, data);
    else if (route->body_bytes_max == 0)
        request->body_status = ERR_LIMIT;
    else
        request->body_status = buf_append_slice(&request->body, data);
}

/* Calls handle, once; false when the server no longer wants to. */
static bool request_handle(struct http_request *request)
{
    struct http_server *server = request->server;
    (void)pthread_mutex_lock(&server->mutex);
    bool is_cut = server->is_cut;
    if (!is_cut) {
        request->is_pending = true;
        server->pending_count++;
    }
    (void)pthread_mutex_unlock(&server->mutex);
    if (is_cut)
        return false;
    request->phase = HTTP_PHASE_HANDLED;
    if (request->route->chunk == NULL && request->body_status != OK)
        http_reply_error(request, ERR_LIMIT, "the body is too long");
    else
        request->route->handle(server->options.user, request);
    return true;
}

/* Sends the reply if it is there, else waits for it or has the connection wait. */
static enum MHD_Result request_await(struct http_request *request)
{
    struct http_server *server = request->server;
    bool is_pool = server->options.threading == HTTP_POOL;
    (void)pthread_mutex_lock(&server->mutex);
    if (is_pool && !request->is_replied) {
        request->is_suspended = true;
        MHD_suspend_connection(request->connection);
    }
    while (!is_pool && !request->is_replied)
        (void)net_condition_wait(&request->replied, &server->mutex, INT64_MAX);
    bool is_replied = request->is_replied;
    (void)pthread_mutex_unlock(&server->mutex);
    return is_replied ? request_queue(request) : MHD_YES;
}

static enum MHD_Result on_access(void *user,
                                 struct MHD_Connection *connection,
                                 const char *path,
                                 const char *method,
                                 const char *version,
                                 const char *data,
                                 size_t *data_length,
                                 void **request_place)
{
    (void)version;
    if (*request_place == NULL)
        *request_place = request_open(user, connection);
    struct http_request *request = *request_place;
    if (request->phase == HTTP_PHASE_NEW) {
        request->phase = HTTP_PHASE_BODY;
        request_begin(request, path, method);
        return request->is_replied ? request_queue(request) : MHD_YES;
    }
    if (request->phase == HTTP_PHASE_BODY && *data_length > 0) {
        request_take(request, slice_make(data, *data_length));
        *data_length = 0;
        return MHD_YES;
    }
    if (request->phase == HTTP_PHASE_BODY && !request_handle(request))
        return MHD_NO;
    return request_await(request);
}

/* The library's first call for a request, with the address as it was sent. */
static void *on_uri(void *user, const char *uri, struct MHD_Connection *connection)
{
    struct http_request *request = request_open(user, connection);
    request->has_bad_uri = strstr(uri, "%00") != NULL;
    return request;
}

static void on_completed(void *user,
                         struct MHD_Connection *connection,
                         void **request_place,
                         enum MHD_RequestTerminationCode code)
{
    (void)connection;
    struct http_server *server = user;
    struct http_request *request = *request_place;
    *request_place = NULL;
    if (request == NULL)
        return;
    const struct http_route *route = request->route;
    bool is_complete = code == MHD_REQUEST_TERMINATED_COMPLETED_OK && request->is_replied;
    if (route != NULL && route->end != NULL)
        route->end(server->options.user, request, is_complete);
    request_close(request, is_complete ? request->code / 100 : 0);
}

static void on_log(void *user, const char *format, va_list arguments)
    __attribute__((format(printf, 2, 0)));

static void on_log(void *user, const char *format, va_list arguments)
{
    (void)user;
    char text[LOG_TEXT_BYTES];
    (void)vsnprintf(text, sizeof(text), format, arguments);
    net_log_write(NET_LOG_DEBUG, "http: %s", text);
}

/* --- the server ------------------------------------------------------------------------------- */

/* A listening socket of our own, since the library does not say why it could not have one. */
static enum status make_listener(const struct net_address *address,
                                 int *ret_fd,
                                 uint16_t *ret_port,
                                 struct error *error)
{
    char text[NET_ADDRESS_BYTES];
    net_address_format(address, text);
    struct sockaddr_storage storage;
    enum status status = net_address_socket(address, &storage, error);
    if (status != OK)
        return status;
    int fd = socket(storage.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return error_set_errno(error, errno, "listen at %s", text);
    socklen_t length = storage.ss_family == AF_INET ? (socklen_t)sizeof(struct sockaddr_in)
                                                    : (socklen_t)sizeof(struct sockaddr_in6);
    int on = 1;
    if (setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) != 0 ||
        bind(fd, (const struct sockaddr *)&storage, length) != 0 ||
        listen(fd, SERVER_BACKLOG) != 0 ||
        getsockname(fd, (struct sockaddr *)&storage, &length) != 0) {
        int cause = errno;
        (void)close(fd);
        if (cause == EADDRINUSE)
            return error_set(error, ERR_BUSY, "%s is in use by another server", text);
        return error_set_errno(error, cause, "listen at %s", text);
    }
    struct sockaddr_in four;
    struct sockaddr_in6 six;
    memcpy(&four, &storage, sizeof(four));
    memcpy(&six, &storage, sizeof(six));
    *ret_port = ntohs(storage.ss_family == AF_INET ? four.sin_port : six.sin6_port);
    *ret_fd = fd;
    return OK;
}

static struct MHD_Daemon *start_daemon(struct http_server *server, int listener)
{
    const struct http_server_options *options = &server->options;
    bool is_pool = options->threading == HTTP_POOL;
    /* Not epoll: with it a client's end is not seen when it comes together with data. */
    unsigned flags = MHD_USE_ERROR_LOG | MHD_USE_ITC | MHD_USE_POLL_INTERNAL_THREAD;
    flags |= is_pool ? MHD_ALLOW_SUSPEND_RESUME : MHD_USE_THREAD_PER_CONNECTION;
    size_t memory = 2 * options->piece_bytes; /* one half of it takes what comes in */
    struct MHD_OptionItem pool[] = {
        {MHD_OPTION_THREAD_POOL_SIZE, (intptr_t)options->threads, NULL},
        {MHD_OPTION_END,              0,                          NULL}
    };
    /* A pool of one is what the library does without being asked. */
    if (!is_pool || options->threads < 2)
        pool[0].option = MHD_OPTION_END;
    sigset_t before;
    net_signals_block(&before);
    struct MHD_Daemon *daemon = MHD_start_daemon(
        flags, 0, NULL, NULL, on_access, server, MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL,
        MHD_OPTION_LISTEN_SOCKET, (MHD_socket)listener, MHD_OPTION_CONNECTION_LIMIT,
        options->connections_max, MHD_OPTION_CONNECTION_TIMEOUT,
        (unsigned)((options->idle_ms + 999) / 1000), MHD_OPTION_CONNECTION_MEMORY_LIMIT, memory,
        MHD_OPTION_NOTIFY_COMPLETED, on_completed, server, MHD_OPTION_URI_LOG_CALLBACK, on_uri,
        server, MHD_OPTION_ARRAY, pool, MHD_OPTION_END);
    net_signals_restore(&before);
    return daemon;
}

static void server_free(struct http_server *server)
{
    if (server->listener >= 0)
        (void)close(server->listener);
    (void)pthread_cond_destroy(&server->changed);
    (void)pthread_mutex_destroy(&server->mutex);
    mem_free(server);
}

enum status http_server_open(const struct http_server_options *options,
                             struct http_server **ret_server,
                             struct error *reterr_error)
{
    struct net_address address;
    enum status status = net_address_parse(options->address, &address, reterr_error);
    if (status != OK)
        return status;
    if (!net_address_is_loopback(&address))
        return error_set(reterr_error, ERR_DENIED,
                         "will not listen at %s: addresses beyond loopback need mutual TLS",
                         options->address);
    int listener = -1;
    uint16_t port = 0;
    status = make_listener(&address, &listener, &port, reterr_error);
    if (status != OK)
        return status;
    struct http_server *server = MEM_NEW(struct http_server);
    server->options = *options;
    server->listener = -1;
    server->port = port;
    if (server->options.threads == 0)
        server->options.threads = SERVER_THREADS;
    if (server->options.connections_max == 0)
        server->options.connections_max = HTTP_SERVER_CONNECTIONS;
    if (server->options.idle_ms <= 0)
        server->options.idle_ms = HTTP_SERVER_IDLE_MS;
    if (server->options.grace_ms <= 0)
        server->options.grace_ms = HTTP_SERVER_GRACE_MS;
    if (server->options.piece_bytes == 0)
        server->options.piece_bytes =
            server->options.threading == HTTP_POOL ? POOL_PIECE_BYTES : EACH_PIECE_BYTES;
    CHECK(pthread_mutex_init(&server->mutex, NULL) == 0);
    net_condition_open(&server->changed);
    server->daemon = start_daemon(server, listener);
    if (server->daemon == NULL) {
        (void)close(listener);
        server_free(server);
        return error_set(reterr_error, ERR_INTERNAL, "the HTTP server does not start");
    }
    *ret_server = server;
    return OK;
}

uint16_t http_server_port(const struct http_server *server)
{
    return server->port;
}

struct http_server_counts http_server_counts_get(struct http_server *server)
{
    struct http_server_counts counts;
    (void)pthread_mutex_lock(&server->mutex);
    memcpy(counts.by_class, server->by_class, sizeof(counts.by_class));
    counts.active = server->active_count;
    (void)pthread_mutex_unlock(&server->mutex);
    return counts;
}

void http_server_stop(struct http_server *server)
{
    (void)pthread_mutex_lock(&server->mutex);
    bool is_first = !server->is_stopping;
    server->is_stopping = true;
    (void)pthread_mutex_unlock(&server->mutex);
    if (!is_first)
        return;
    server->listener = MHD_quiesce_daemon(server->daemon);
    /* The descriptor must live as long as the library's threads, but the port can go now. */
    if (server->listener >= 0)
        (void)shutdown(server->listener, SHUT_RDWR);
}

void http_server_close(struct http_server *server)
{
    if (server == NULL)
        return;
    http_server_stop(server);
    int64_t then_ms = net_time_after_ms(server->options.grace_ms);
    (void)pthread_mutex_lock(&server->mutex);
    bool is_in_time = true;
    while (is_in_time && server->active_count > 0)
        is_in_time = net_condition_wait(&server->changed, &server->mutex, then_ms);
    /* The library must not be stopped while a connection is suspended. */
    while (server->pending_count > 0)
        (void)net_condition_wait(&server->changed, &server->mutex, INT64_MAX);
    server->is_cut = true;
    (void)pthread_mutex_unlock(&server->mutex);
    MHD_stop_daemon(server->daemon);
    server_free(server);
}
