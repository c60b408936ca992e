/*
 * fuzz_reply.c - any bytes as what a server answers to our HTTP client: a body is taken or the
 * failure has a reason, nothing hangs, and nothing comes twice or beyond its limit.
 *
 * The first byte says what is asked for: bit 0 a range, bit 1 an upload, bit 2 a callback for the
 * body. The same bytes answer each connection. The library reads HTTP; tried here is what is made
 * of it: status and reason, headers, ranges, the body's end, and a datanode's answer to a block.
 */
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "dfs/datanode/daemon/node.h"
#include "lib/base/check.h"
#include "lib/net/http_client.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    IS_RANGE = 1,
    IS_UPLOAD = 2,
    HAS_CALLBACK = 4
};

/* --- the server ------------------------------------------------------------------------------- */

static struct {
    int listener;
    char url[64];
    pthread_t thread;
    pthread_mutex_t mutex;
    struct slice answer; /* under the mutex */
} server = {.mutex = PTHREAD_MUTEX_INITIALIZER};

/* Until the request's headers, or all there is of it, have come. */
static void read_request(int fd)
{
    char piece[4096];
    size_t held = 0;
    while (held < sizeof(piece)) {
        ssize_t got = recv(fd, piece + held, sizeof(piece) - held, 0);
        if (got <= 0)
            return;
        held += (size_t)got;
        if (memmem(piece, held, "\r\n\r\n", 4) != NULL)
            return;
    }
}

static void write_answer(int fd)
{
    (void)pthread_mutex_lock(&server.mutex);
    struct slice rest = server.answer;
    while (rest.length > 0) {
        ssize_t put = send(fd, rest.data, rest.length, MSG_NOSIGNAL);
        if (put <= 0)
            break; /* the client has heard enough */
        rest = slice_sub(rest, (size_t)put, rest.length - (size_t)put);
    }
    (void)pthread_mutex_unlock(&server.mutex);
}

static void *serve(void *unused)
{
    char thrown_away[4096];
    (void)unused;
    for (;;) {
        int fd = accept(server.listener, NULL, NULL);
        if (fd < 0)
            continue;
        read_request(fd);
        write_answer(fd);
        (void)shutdown(fd, SHUT_WR);
        while (recv(fd, thrown_away, sizeof(thrown_away), 0) > 0) {
            /* an upload, so that the answer is not lost with a reset */
        }
        (void)close(fd);
    }
    return NULL;
}

static void open_server(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t length = sizeof(address);
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    server.listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(server.listener >= 0);
    CHECK(bind(server.listener, (const struct sockaddr *)&address, length) == 0);
    CHECK(listen(server.listener, 16) == 0);
    CHECK(getsockname(server.listener, (struct sockaddr *)&address, &length) == 0);
    (void)snprintf(server.url, sizeof(server.url), "http://127.0.0.1:%u/x",
                   (unsigned)ntohs(address.sin_port)); /* fits */
    CHECK(pthread_create(&server.thread, NULL, serve, NULL) == 0);
}

/* --- the client ------------------------------------------------------------------------------- */

struct taken {
    uint64_t bytes;
    uint64_t headers;
};

static enum status take_data(void *user, struct slice data)
{
    struct taken *taken = user;
    CHECK(data.length > 0);
    taken->bytes += data.length;
    return OK;
}

static void take_header(void *user, struct slice name, struct slice value)
{
    struct taken *taken = user;
    taken->headers++;
    for (size_t i = 0; i < name.length; i++)
        CHECK(name.data[i] < 'A' || name.data[i] > 'Z');
    CHECK(slice_find(name, ':') == name.length);
    CHECK(slice_find(value, '\n') == value.length);
}

static enum status ask(struct http_client *client,
                       uint8_t flags,
                       struct taken *taken,
                       struct http_response *response,
                       struct error *error)
{
    struct http_request_options options = {.url = server.url, .header = take_header, .user = taken};
    if ((flags & IS_UPLOAD) != 0)
        return http_send(client, "PUT", &options, slice_from_string("some bytes"), response, error);
    if ((flags & HAS_CALLBACK) != 0)
        options.data = take_data;
    if ((flags & IS_RANGE) != 0) {
        options.offset = 3;
        options.length = 7;
    }
    return http_get(client, &options, response, error);
}

static void check_response(uint8_t flags,
                           enum status status,
                           const struct taken *taken,
                           const struct http_response *response,
                           const struct error *error)
{
    bool is_success = response->code >= 200 && response->code < 300;
    bool is_given = (flags & HAS_CALLBACK) != 0 && (flags & IS_UPLOAD) == 0;
    CHECK(status != OK || is_success);
    CHECK(status == OK || error->text[0] != '\0');
    CHECK(response->body.length <= HTTP_RESPONSE_BODY_BYTES);
    CHECK(taken->bytes == 0 || (is_given && is_success));
    CHECK(status != OK || !is_given || response->body.length == 0);
    if (status == OK && is_given && (flags & IS_RANGE) != 0)
        CHECK(response->code == 206 || taken->bytes == 0);
}

/* The body may be what a datanode says of a block. */
static void try_synced(struct slice body)
{
    struct node_synced synced;
    struct error error = {OK, ""};
    if (node_parse_synced(body, &synced, &error) != OK) {
        CHECK(error.text[0] != '\0');
        return;
    }
    CHECK(synced.count <= LIMIT_REPLICAS);
    for (size_t i = 0; i < synced.count; i++)
        CHECK(synced.ids[i] != 0);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct http_client *client;
    struct taken taken = {0};
    struct http_response response = {0};
    struct error error = {OK, ""};
    if (size == 0)
        return 0;
    if (client == NULL) {
        open_server();
        CHECK(http_client_open(NULL, &client, NULL) == OK);
    }
    (void)pthread_mutex_lock(&server.mutex);
    server.answer = slice_make(data + 1, size - 1);
    (void)pthread_mutex_unlock(&server.mutex);
    enum status status = ask(client, data[0], &taken, &response, &error);
    check_response(data[0], status, &taken, &response, &error);
    try_synced(buf_slice(&response.body));
    http_response_close(&response);
    (void)pthread_mutex_lock(&server.mutex); /* the input ends with this call */
    server.answer = (struct slice){0};
    (void)pthread_mutex_unlock(&server.mutex);
    return 0;
}
