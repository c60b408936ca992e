/*
 * fuzz_http.c - any bytes as what a client sends over a connection to a namenode or a datanode:
 * whatever it is, the answers are HTTP with headers and JSON that can be read, nothing that the
 * request took is kept, and the server goes on.
 *
 * The first byte chooses the daemon (bit 0) and the kind of server (bit 1); the others are sent,
 * but for these: 1 stands for a good token, 2 for a run of letters that fills buffers, 3 for the
 * end of a line, 4 and 5 for good tokens of two blocks. Then the client says that it has nothing
 * more to send.
 */
#include <errno.h>
#include <jansson.h>
#include <netinet/in.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/buf.h"
#include "lib/base/check.h"
#include "lib/base/error.h"
#include "lib/daemon/cluster.h"
#include "lib/os/clock.h"
#include "tests/fuzz/http_side.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    SERVERS = 4,
    PATIENCE_MS = 600 * 1000, /* of what takes no time unless something hangs */
    RUN_BYTES = 5000,
    SENT_BYTES_MAX = 60 * 1000, /* the kernel takes it all before anybody reads */
    ANSWERS_BYTES_MAX = 4 << 20
};

const struct token_secret http_side_secret = {.bytes = "of all that is fuzzed"};

/* --- the servers ------------------------------------------------------------------------------ */

struct tried {
    const struct http_side *side;
    struct http_server *server;
};

static struct tried *choose_server(uint8_t choice)
{
    static struct tried servers[SERVERS];
    struct tried *tried = &servers[choice % SERVERS];
    if (tried->server != NULL)
        return tried;
    tried->side = (choice & 1) == 0 ? http_side_namenode() : http_side_datanode();
    struct http_server_options options = {
        .address = "127.0.0.1:0",
        .threading = (choice & 2) == 0 ? HTTP_THREAD_EACH : HTTP_POOL,
        .routes = tried->side->routes,
        .route_count = tried->side->route_count,
        .user = tried->side->user,
    };
    CHECK(http_server_open(&options, &tried->server, NULL) == OK);
    return tried;
}

static bool is_idle(const struct tried *tried)
{
    return http_server_counts_get(tried->server).active == 0 && tried->side->is_idle();
}

/* The last bytes of an answer are sent before its request is over. */
static void wait_until_idle(const struct tried *tried)
{
    int64_t until_ms = clock_monotonic_ms() + PATIENCE_MS;
    while (!is_idle(tried)) {
        CHECK(clock_monotonic_ms() < until_ms);
        (void)sched_yield();
    }
}

/* --- the client ------------------------------------------------------------------------------- */

static const char *good_token(void)
{
    static char token[TOKEN_BYTES];
    if (token[0] == '\0')
        CHECK(token_sign(&http_side_secret, "user:alice", CLUSTER_AUDIENCE, INT64_MAX, token,
                         NULL) == OK);
    return token;
}

static void write_out(struct slice input, struct buf *sent)
{
    for (size_t i = 0; i < input.length && sent->length < SENT_BYTES_MAX - RUN_BYTES; i++) {
        if (input.data[i] == 1)
            CHECK(buf_append_format(sent, "%s", good_token()) == OK);
        else if (input.data[i] == 2)
            for (size_t j = 0; j < RUN_BYTES; j++)
                CHECK(buf_append(sent, "x", 1) == OK);
        else if (input.data[i] == 3)
            CHECK(buf_append(sent, "\r\n", 2) == OK);
        else if (input.data[i] == 4 || input.data[i] == 5)
            CHECK(buf_append_format(sent, "%s", http_side_block_token(input.data[i] == 5)) == OK);
        else
            CHECK(buf_append(sent, &input.data[i], 1) == OK);
    }
}

static int connect_to(uint16_t port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = htons(port)};
    address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(fd >= 0);
    CHECK(connect(fd, (const struct sockaddr *)&address, sizeof(address)) == 0);
    return fd;
}

/* Until the server closes; what it says of a request it does not want may be lost on the way. */
static void read_answers(int fd, struct buf *answers)
{
    static char piece[64 * 1024];
    for (;;) {
        struct pollfd ready = {.fd = fd, .events = POLLIN};
        int count = poll(&ready, 1, PATIENCE_MS);
        if (count < 0 && errno == EINTR)
            continue;
        CHECK(count == 1); /* else the server hangs */
        ssize_t got = recv(fd, piece, sizeof(piece), 0);
        if (got < 0 && errno == EINTR)
            continue;
        if (got <= 0)
            return;
        CHECK(answers->length < ANSWERS_BYTES_MAX);
        CHECK(buf_append(answers, piece, (size_t)got) == OK);
    }
}

static void converse(uint16_t port, struct slice sent, struct buf *answers)
{
    int fd = connect_to(port);
    while (sent.length > 0) {
        ssize_t put = send(fd, sent.data, sent.length, MSG_NOSIGNAL);
        if (put < 0 && errno == EINTR)
            continue;
        if (put < 0)
            break; /* it has heard enough, and may have said why */
        sent = slice_sub(sent, (size_t)put, sent.length - (size_t)put);
    }
    (void)shutdown(fd, SHUT_WR); /* fails when the server was faster */
    read_answers(fd, answers);
    struct linger hard = {.l_onoff = 1}; /* thousands a second: none may linger */
    (void)setsockopt(fd, SOL_SOCKET, SO_LINGER, &hard, sizeof(hard));
    (void)close(fd);
}

/* --- the answers ------------------------------------------------------------------------------ */

struct answer {
    uint64_t code;
    uint64_t length;
    bool has_length;
    bool is_chunked;
    bool is_json;
    bool is_corrupt; /* the bytes that came do not match their checksum */
};

/* Takes a line without its end off the front; false when it is cut. */
static bool take_line(struct slice *rest, struct slice *ret_line)
{
    size_t end = slice_find(*rest, '\n');
    if (end == rest->length)
        return false;
    CHECK(end > 0 && rest->data[end - 1] == '\r');
    *ret_line = slice_sub(*rest, 0, end - 1);
    *rest = slice_sub(*rest, end + 1, rest->length - end - 1);
    return true;
}

static bool is_caseless(struct slice text, const char *other)
{
    return text.length == strlen(other) &&
           strncasecmp((const char *)text.data, other, text.length) == 0;
}

static void take_header(struct slice line, struct answer *answer)
{
    size_t colon = slice_find(line, ':');
    CHECK(colon > 0 && colon + 1 < line.length && line.data[colon + 1] == ' ');
    struct slice name = slice_sub(line, 0, colon);
    struct slice value = slice_sub(line, colon + 2, line.length - colon - 2);
    for (size_t i = 0; i < name.length; i++)
        CHECK(name.data[i] > ' ' && name.data[i] < 0x7f);
    for (size_t i = 0; i < value.length; i++)
        CHECK(value.data[i] >= ' ' && value.data[i] != 0x7f);
    if (is_caseless(name, "Content-Length")) {
        CHECK(!answer->has_length && slice_parse_u64(value, &answer->length));
        answer->has_length = true;
    }
    if (is_caseless(name, "Transfer-Encoding"))
        answer->is_chunked = is_caseless(value, "chunked");
    if (is_caseless(name, "Content-Type"))
        answer->is_json = is_caseless(value, "application/json");
    if (is_caseless(name, HTTP_STATUS_HEADER))
        answer->is_corrupt = slice_equal_string(value, status_name(ERR_CORRUPT));
}

/* Status line and headers; false when they are cut. */
static bool take_head(struct slice *rest, struct answer *answer)
{
    struct slice line;
    *answer = (struct answer){0};
    if (!take_line(rest, &line))
        return false;
    CHECK(line.length >= 12 && slice_has_prefix(line, slice_from_string("HTTP/1.")));
    CHECK(slice_parse_u64(slice_sub(line, 9, 3), &answer->code));
    CHECK(answer->code >= 100 && answer->code < 600);
    while (take_line(rest, &line)) {
        if (line.length > 0) {
            take_header(line, answer);
            continue;
        }
        CHECK(answer->code != 500 || answer->is_corrupt); /* else it is a failure of ours */
        return true;
    }
    return false;
}

static uint64_t parse_hex(struct slice line)
{
    uint64_t number = 0;
    CHECK(line.length > 0 && line.length <= 8);
    for (size_t i = 0; i < line.length; i++) {
        const char *digits = "0123456789abcdef";
        const char *digit = memchr(digits, line.data[i] | 0x20, 16);
        CHECK(digit != NULL);
        number = number << 4 | (uint64_t)(digit - digits);
    }
    return number;
}

/* False when the body is cut. */
static bool take_chunks(struct slice *rest, struct buf *body)
{
    struct slice line;
    while (take_line(rest, &line)) {
        uint64_t length = parse_hex(line);
        if (length + 2 > rest->length)
            return false;
        CHECK(buf_append(body, rest->data, (size_t)length) == OK);
        *rest = slice_sub(*rest, (size_t)length, rest->length - (size_t)length);
        CHECK(take_line(rest, &line) && line.length == 0);
        if (length == 0)
            return true;
    }
    return false;
}

static bool take_body(struct slice *rest, const struct answer *answer, struct buf *body)
{
    if (answer->is_chunked)
        return take_chunks(rest, body);
    if (answer->has_length && answer->length > rest->length)
        return false;
    size_t length = answer->has_length ? (size_t)answer->length : rest->length;
    CHECK(buf_append(body, rest->data, length) == OK);
    *rest = slice_sub(*rest, length, rest->length - length);
    return true;
}

static void check_json(struct slice body)
{
    json_error_t where;
    json_t *page = json_loadb((const char *)body.data, body.length, JSON_ALLOW_NUL, &where);
    CHECK(page != NULL);
    json_t *failure = json_object_get(page, "RemoteException");
    if (failure != NULL) {
        CHECK(json_string_length(json_object_get(failure, "exception")) > 0);
        CHECK(json_string_length(json_object_get(failure, "javaClassName")) > 0);
        CHECK(json_string_length(json_object_get(failure, "message")) > 0);
    }
    json_decref(page);
}

static void check_answers(struct slice rest, bool has_bodies)
{
    struct answer answer;
    struct buf body = {0};
    while (rest.length > 0 && take_head(&rest, &answer)) {
        if (answer.code < 200)
            continue;
        if (!has_bodies) /* HEAD's are announced and do not come: the first head has to do */
            break;
        if (!take_body(&rest, &answer, &body))
            break;
        if (answer.is_json)
            check_json(buf_slice(&body));
        buf_clear(&body);
    }
    buf_close(&body);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    struct buf sent = {0};
    struct buf answers = {0};
    write_out(slice_make(data + 1, size - 1), &sent);
    const struct tried *tried = choose_server(data[0]);
    converse(http_server_port(tried->server), buf_slice(&sent), &answers);
    wait_until_idle(tried);
    check_answers(buf_slice(&answers), memmem(sent.data, sent.length, "HEAD", 4) == NULL);
    tried->side->reset();
    buf_close(&sent);
    buf_close(&answers);
    return 0;
}
