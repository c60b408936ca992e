/*
 * http_fixture.c - see http_fixture.h.
 */
#include "tests/unit/net/http_fixture.h"

#include <arpa/inet.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/fault.h"
#include "lib/base/mem.h"
#include "tests/support/unit.h"

struct http_fixture f;

uint8_t http_pattern(uint64_t position)
{
    return (uint8_t)(position * 31 + position / 251);
}

/* --- the servers' side ------------------------------------------------------------------------ */

static void on_hello(void *user, struct http_request *request)
{
    (void)user;
    struct buf body = {0};
    const char *name = http_request_query(request, "name");
    const char *header = http_request_header(request, "X-Test");
    struct slice bearer = http_request_bearer(request);
    CU_ASSERT_EQUAL(buf_append_format(&body, "%s %s rest=%s name=%s header=%s bearer=%.*s",
                                      http_request_method(request), http_request_path(request),
                                      http_request_rest(request), name == NULL ? "(none)" : name,
                                      header == NULL ? "(none)" : header, SLICE_ARGS(bearer)),
                    OK);
    http_reply_header(request, "X-Answer", "a\r\nb");
    http_reply(request, 200, "text/plain", buf_slice(&body));
    buf_close(&body);
}

static void on_file(void *user, struct http_request *request)
{
    (void)user;
    http_reply_file(request, "application/octet-stream", dup(f.file), 0, FILE_BYTES);
}

static void on_part(void *user, struct http_request *request)
{
    (void)user;
    http_reply_file(request, NULL, dup(f.file), 1000, 100);
}

/* Promises more than the file has. */
static void on_short(void *user, struct http_request *request)
{
    (void)user;
    http_reply_file(request, NULL, dup(f.file), FILE_BYTES - 1000, 2000);
}

static void on_fail(void *user, struct http_request *request)
{
    (void)user;
    http_reply_error(request, status_from_name(http_request_rest(request)), "block 7\nsecond line");
}

static void on_redirect(void *user, struct http_request *request)
{
    (void)user;
    http_reply_header(request, "Location", "http://127.0.0.1:1/elsewhere");
    http_reply(request, 307, NULL, slice_from_string(""));
}

static void on_echo(void *user, struct http_request *request)
{
    (void)user;
    http_reply(request, 201, NULL, http_request_body(request));
}

static void on_held(void *user, struct http_request *request)
{
    (void)user;
    (void)pthread_mutex_lock(&f.mutex);
    f.held = request;
    f.held_count++;
    (void)pthread_cond_broadcast(&f.changed);
    (void)pthread_mutex_unlock(&f.mutex);
}

static void on_end(void *user, struct http_request *request, bool is_complete)
{
    (void)user;
    struct buf *state = http_request_state(request);
    if (state != NULL) {
        buf_close(state);
        mem_free(state);
    }
    (void)pthread_mutex_lock(&f.mutex);
    f.ended_count++;
    f.broken_count += is_complete ? 0 : 1;
    (void)pthread_cond_broadcast(&f.changed);
    (void)pthread_mutex_unlock(&f.mutex);
}

static void on_store_begin(void *user, struct http_request *request)
{
    (void)user;
    if (strcmp(http_request_rest(request), "denied") == 0)
        http_reply_error(request, ERR_DENIED, "not yours");
    else
        http_request_set_state(request, MEM_NEW(struct buf));
}

static enum status on_store_chunk(void *user, struct http_request *request, struct slice data)
{
    (void)user;
    struct buf *state = http_request_state(request);
    if (strcmp(http_request_rest(request), "full") == 0 && state->length + data.length > 100000)
        return ERR_NO_SPACE;
    return buf_append_slice(state, data);
}

static void on_store(void *user, struct http_request *request)
{
    (void)user;
    struct buf *state = http_request_state(request);
    enum status status = http_request_body_status(request);
    if (status != OK) {
        http_reply_error(request, status, "the disk is full");
        return;
    }
    (void)pthread_mutex_lock(&f.mutex);
    buf_close(&f.stored);
    f.stored = *state;
    *state = (struct buf){0};
    f.stored_count++;
    (void)pthread_mutex_unlock(&f.mutex);
    char text[32];
    (void)snprintf(text, sizeof(text), "%zu", f.stored.length);
    http_reply(request, 201, NULL, slice_from_string(text));
}

/* A pipeline's middle: what comes in goes on to the other server while it comes. */
static void on_next_begin(void *user, struct http_request *request)
{
    (void)user;
    char url[128];
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u/store/%s",
                   (unsigned)http_server_port(f.pool), http_request_rest(request));
    struct http_request_options options = {.url = url};
    uint64_t length = HTTP_LENGTH_CHUNKED;
    (void)http_request_content_length(request, &length);
    struct http_put *put = NULL;
    struct error error;
    enum status status = http_put_begin(f.client, &options, length, &put, &error);
    if (status != OK)
        http_reply_error(request, status, error.text);
    else
        http_request_set_state(request, put);
}

static enum status on_next_chunk(void *user, struct http_request *request, struct slice data)
{
    (void)user;
    return http_put_push(http_request_state(request), data, NULL);
}

static void on_next(void *user, struct http_request *request)
{
    (void)user;
    struct error error;
    struct http_response response = {0};
    struct http_put *put = http_request_state(request);
    http_request_set_state(request, NULL);
    enum status status = http_put_finish(put, &response, &error);
    if (status != OK)
        http_reply_error(request, status, error.text);
    else
        http_reply(request, 201, NULL, buf_slice(&response.body));
    http_response_close(&response);
}

static void on_next_end(void *user, struct http_request *request, bool is_complete)
{
    (void)user;
    (void)is_complete;
    http_put_abort(http_request_state(request));
    (void)pthread_mutex_lock(&f.mutex);
    f.next_ended_count++;
    (void)pthread_cond_broadcast(&f.changed);
    (void)pthread_mutex_unlock(&f.mutex);
}

struct counter {
    uint64_t limit;
    bool has_fault;
};

static enum status stream_read(
    void *user, uint64_t offset, uint8_t *data, size_t room, size_t *ret_length)
{
    const struct counter *counter = user;
    if (counter->has_fault && offset >= counter->limit / 2)
        return ERR_IO;
    size_t length = 0;
    while (length < room && offset + length < counter->limit) {
        data[length] = http_pattern(offset + length);
        length++;
    }
    *ret_length = length;
    return OK;
}

static void stream_close(void *user)
{
    mem_free(user);
    (void)pthread_mutex_lock(&f.mutex);
    f.closed_streams++;
    (void)pthread_cond_broadcast(&f.changed);
    (void)pthread_mutex_unlock(&f.mutex);
}

/* /stream/exact, /stream/unknown, /stream/early (ends before the promised length), /stream/fault */
static void on_stream(void *user, struct http_request *request)
{
    (void)user;
    const char *what = http_request_rest(request);
    struct counter *counter = MEM_NEW(struct counter);
    counter->limit = strcmp(what, "early") == 0 ? FILE_BYTES - 1 : FILE_BYTES;
    counter->has_fault = strcmp(what, "fault") == 0;
    struct http_stream stream = {.read = stream_read, .close = stream_close, .state = counter};
    http_reply_stream(request, 200, "text/plain",
                      strcmp(what, "unknown") == 0 ? HTTP_LENGTH_UNKNOWN : FILE_BYTES, &stream);
}

static const struct http_route routes[] = {
    {"GET",  "/hello",       0,    NULL,           NULL,           on_hello,    NULL       },
    {"GET",  "/hello/deep/", 0,    NULL,           NULL,           on_hello,    NULL       },
    {"GET",  "/file",        0,    NULL,           NULL,           on_file,     NULL       },
    {"GET",  "/part",        0,    NULL,           NULL,           on_part,     NULL       },
    {"GET",  "/short",       0,    NULL,           NULL,           on_short,    NULL       },
    {"GET",  "/fail/",       0,    NULL,           NULL,           on_fail,     NULL       },
    {"GET",  "/redirect",    0,    NULL,           NULL,           on_redirect, NULL       },
    {"GET",  "/held",        0,    NULL,           NULL,           on_held,     on_end     },
    {"GET",  "/stream/",     0,    NULL,           NULL,           on_stream,   NULL       },
    {"POST", "/echo",        1000, NULL,           NULL,           on_echo,     NULL       },
    {"PUT",  "/store/",      0,    on_store_begin, on_store_chunk, on_store,    on_end     },
    {"PUT",  "/next/",       0,    on_next_begin,  on_next_chunk,  on_next,     on_next_end},
};

/* --- the frame -------------------------------------------------------------------------------- */

void http_wait_for(const size_t *counter, size_t wanted)
{
    struct timespec then;
    (void)clock_gettime(CLOCK_REALTIME, &then);
    then.tv_sec += PATIENCE_MS / 1000;
    (void)pthread_mutex_lock(&f.mutex);
    int result = 0;
    while (*counter < wanted && result == 0)
        result = pthread_cond_timedwait(&f.changed, &f.mutex, &then);
    CU_ASSERT_TRUE(*counter >= wanted);
    (void)pthread_mutex_unlock(&f.mutex);
}

struct http_server *http_open_server(enum http_threading threading, bool use_sendfile)
{
    struct http_server_options options = {.address = "127.0.0.1:0",
                                          .threading = threading,
                                          .use_sendfile = use_sendfile,
                                          .routes = routes,
                                          .route_count = UNIT_COUNT(routes)};
    struct http_server *server = NULL;
    CU_ASSERT_EQUAL_FATAL(http_server_open(&options, &server, &f.error), OK);
    return server;
}

static void make_file(void)
{
    char path[] = "/tmp/millrace-test-XXXXXX";
    f.file = mkostemp(path, O_CLOEXEC);
    CU_ASSERT_TRUE_FATAL(f.file >= 0);
    (void)unlink(path);
    uint8_t *bytes = malloc(FILE_BYTES);
    CU_ASSERT_PTR_NOT_NULL_FATAL(bytes);
    for (size_t i = 0; i < FILE_BYTES; i++)
        bytes[i] = http_pattern(i);
    CU_ASSERT_EQUAL(write(f.file, bytes, FILE_BYTES), FILE_BYTES);
    free(bytes);
}

void http_setup(void)
{
    f = (struct http_fixture){.file = -1};
    (void)pthread_mutex_init(&f.mutex, NULL);
    (void)pthread_cond_init(&f.changed, NULL);
    make_file();
    CU_ASSERT_EQUAL_FATAL(net_open(NULL, &f.error), OK);
    net_prepare_http(); /* meets the first requests of each test */
    f.server = http_open_server(HTTP_THREAD_EACH, false);
    f.pool = http_open_server(HTTP_POOL, false);
    CU_ASSERT_EQUAL_FATAL(http_client_open(NULL, &f.client, &f.error), OK);
}

void http_teardown(void)
{
    fault_disarm_all();
    http_server_close(f.server);
    http_client_close(f.client);
    http_server_close(f.pool);
    net_close();
    (void)close(f.file);
    buf_close(&f.stored);
    buf_close(&f.body);
    http_response_close(&f.response);
    (void)pthread_cond_destroy(&f.changed);
    (void)pthread_mutex_destroy(&f.mutex);
}

enum status http_keep_data(void *user, struct slice data)
{
    return buf_append_slice(user, data);
}

const char *http_make_url(const struct http_server *server, const char *path)
{
    static char url[256];
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u%s", (unsigned)http_server_port(server),
                   path);
    return url;
}

/* Fetches into f.body and f.response. */
enum status http_fetch_range(const struct http_server *server,
                             const char *path,
                             uint64_t offset,
                             uint64_t length)
{
    buf_clear(&f.body);
    f.error.text[0] = '\0';
    struct http_request_options options = {.url = http_make_url(server, path),
                                           .offset = offset,
                                           .length = length,
                                           .data = http_keep_data,
                                           .user = &f.body};
    return http_get(f.client, &options, &f.response, &f.error);
}

enum status http_fetch_all(const struct http_server *server, const char *path)
{
    return http_fetch_range(server, path, 0, 0);
}

bool http_body_is_pattern(struct slice body, uint64_t from, uint64_t count)
{
    if (body.length != count)
        return false;
    for (size_t i = 0; i < body.length; i++) {
        if (body.data[i] != http_pattern(from + i))
            return false;
    }
    return true;
}

/* A listening socket that nobody serves. */
int http_open_silence(char *url, size_t url_bytes)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t length = sizeof(address);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CU_ASSERT_EQUAL(bind(fd, (const struct sockaddr *)&address, length), 0);
    CU_ASSERT_EQUAL(listen(fd, 5), 0);
    CU_ASSERT_EQUAL(getsockname(fd, (struct sockaddr *)&address, &length), 0);
    (void)snprintf(url, url_bytes, "http://127.0.0.1:%u/x", (unsigned)ntohs(address.sin_port));
    return fd;
}
