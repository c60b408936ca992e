/*
 * test_rpc.c - lib/net/rpc.h: a server and a client in one process, over
 * loopback.
 */
#include "lib/net/rpc.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "lib/base/mem.h"
#include "tests/support/unit.h"

enum {
    PATIENCE_MS = 30 * 1000, /* a limit for what must happen, never waited for in a good run */
    MESSAGE_MAX = 64 * 1024,
    HELD_MAX = 128,
};

/* The result of one asynchronous call. */
struct answer {
    unsigned count; /* how often the callback came */
    enum rpc_code code;
    enum status status;
    char status_name[64];
    char text[RPC_TEXT_BYTES + 1];
    struct buf body;
};

static struct fixture {
    struct rpc_server *server;
    struct rpc_client *client;
    struct rpc_channel *channel;
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct rpc_request *held[HELD_MAX];
    size_t held_count; /* ever, also those answered since */
    uint64_t cancelled[HELD_MAX];
    size_t cancelled_count;
    struct answer answers[HELD_MAX];
    size_t answer_count; /* callbacks in all */
    struct error error;
    struct buf body;
} f;

static void copy_text(char *text, size_t text_bytes, struct slice slice)
{
    size_t length = slice.length < text_bytes ? slice.length : text_bytes - 1;
    if (length > 0)
        memcpy(text, slice.data, length);
    text[length] = '\0';
}

/* Waits until *counter is at least wanted. */
static void wait_for(const size_t *counter, size_t wanted)
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

static void hold(struct rpc_request *request)
{
    (void)pthread_mutex_lock(&f.mutex);
    rpc_request_set_tag(request, 1000 + f.held_count);
    if (f.held_count < HELD_MAX)
        f.held[f.held_count++] = request;
    (void)pthread_cond_broadcast(&f.changed);
    (void)pthread_mutex_unlock(&f.mutex);
}

/* The path says what the server does. */
static void on_request(void *user, struct rpc_request *request)
{
    (void)user;
    struct slice path = rpc_request_path(request);
    struct slice value = {0};
    if (slice_equal_string(path, "/test.T/Echo")) {
        rpc_request_reply(request, rpc_request_body(request));
    } else if (slice_equal_string(path, "/test.T/Hold")) {
        hold(request);
    } else if (slice_equal_string(path, "/test.T/Token")) {
        if (rpc_request_metadata(request, "authorization", &value))
            rpc_request_reply(request, value);
        else
            rpc_request_fail_status(request, ERR_UNAUTHENTICATED, slice_from_string("who?"));
    } else if (slice_equal_string(path, "/test.T/Peer")) {
        rpc_request_reply(request, rpc_request_peer(request));
    } else if (slice_equal_string(path, "/test.T/Remaining")) {
        char text[32];
        (void)snprintf(text, sizeof(text), "%lld", (long long)rpc_request_remaining_ms(request));
        rpc_request_reply(request, slice_from_string(text));
    } else if (slice_equal_string(path, "/test.T/Big")) {
        struct buf big = {0};
        while (big.length <= MESSAGE_MAX)
            CU_ASSERT_EQUAL(buf_append(&big, "0123456789abcdef", 16), OK);
        rpc_request_reply(request, buf_slice(&big));
        buf_close(&big);
    } else if (slice_equal_string(path, "/test.T/SafeMode")) {
        rpc_request_fail_status(request, ERR_SAFE_MODE,
                                slice_from_string("3 of 10 blocks\n(30 %) \xc3\xa4 known"));
    } else if (slice_equal_string(path, "/test.T/Plain")) {
        rpc_request_fail(request, RPC_NOT_FOUND, NULL, rpc_request_body(request));
    } else {
        rpc_request_fail(request, RPC_UNIMPLEMENTED, NULL, slice_from_string("no such method"));
    }
}

static void on_cancelled(void *user, uint64_t tag)
{
    (void)user;
    (void)pthread_mutex_lock(&f.mutex);
    f.cancelled[f.cancelled_count++] = tag;
    (void)pthread_cond_broadcast(&f.changed);
    (void)pthread_mutex_unlock(&f.mutex);
}

static void on_done(void *user, const struct rpc_result *result)
{
    struct answer *answer = user;
    answer->code = result->code;
    answer->status = result->status;
    copy_text(answer->status_name, sizeof(answer->status_name), result->status_name);
    copy_text(answer->text, sizeof(answer->text), result->text);
    (void)pthread_mutex_lock(&f.mutex);
    if (buf_append_slice(&answer->body, result->body) == OK)
        answer->count++;
    f.answer_count++;
    (void)pthread_cond_broadcast(&f.changed);
    (void)pthread_mutex_unlock(&f.mutex);
}

static struct rpc_server *open_server(const char *address)
{
    struct rpc_server_options options = {
        .address = address,
        .message_bytes_max = MESSAGE_MAX,
        .handle = on_request,
        .cancelled = on_cancelled,
    };
    struct rpc_server *server = NULL;
    enum status status = rpc_server_open(&options, &server, &f.error);
    CU_ASSERT_EQUAL_FATAL(status, OK);
    return server;
}

static void open_channel(uint16_t port)
{
    char address[64];
    (void)snprintf(address, sizeof(address), "127.0.0.1:%u", (unsigned)port);
    struct rpc_channel_options options = {.message_bytes_max = MESSAGE_MAX,
                                          .has_own_connection = true};
    CU_ASSERT_EQUAL_FATAL(rpc_channel_open(f.client, address, &options, &f.channel, &f.error), OK);
}

static void setup(void)
{
    f = (struct fixture){.held_count = 0};
    (void)pthread_mutex_init(&f.mutex, NULL);
    (void)pthread_cond_init(&f.changed, NULL);
    CU_ASSERT_EQUAL_FATAL(net_open(NULL, &f.error), OK);
    f.server = open_server("127.0.0.1:0");
    CU_ASSERT_EQUAL_FATAL(rpc_client_open(NULL, &f.client, &f.error), OK);
    open_channel(rpc_server_port(f.server));
}

static void teardown(void)
{
    rpc_channel_close(f.channel);
    rpc_client_close(f.client);
    rpc_server_close(f.server, PATIENCE_MS);
    net_close();
    for (size_t i = 0; i < HELD_MAX; i++)
        buf_close(&f.answers[i].body);
    buf_close(&f.body);
    (void)pthread_cond_destroy(&f.changed);
    (void)pthread_mutex_destroy(&f.mutex);
}

static enum status call_with(const char *path, struct slice body, struct rpc_call_options options)
{
    buf_clear(&f.body);
    f.error = (struct error){.status = OK};
    return rpc_call_wait(f.channel, path, body, &options, &f.body, &f.error);
}

static enum status call(const char *path, const char *body)
{
    return call_with(path, slice_from_string(body),
                     (struct rpc_call_options){.timeout_ms = PATIENCE_MS});
}

/* Starts a call whose result goes to answers[index]. */
static void start(const char *path, size_t index, int64_t timeout_ms, struct rpc_call **ret_call)
{
    struct rpc_call_options options = {.timeout_ms = timeout_ms};
    CU_ASSERT_EQUAL(rpc_call_start(f.channel, path, slice_from_string("x"), &options, on_done,
                                   &f.answers[index], ret_call),
                    OK);
}

static void test_rpc__call_brings_the_answer(void)
{
    CU_ASSERT_EQUAL(call("/test.T/Echo", "hello"), OK);
    CU_ASSERT_STRING_EQUAL(buf_string(&f.body), "hello");
    CU_ASSERT_EQUAL(call("/test.T/Echo", ""), OK);
    CU_ASSERT_EQUAL(f.body.length, 0);
}

static void test_rpc__failure_brings_code_name_and_text(void)
{
    start("/test.T/SafeMode", 0, PATIENCE_MS, NULL);
    wait_for(&f.answer_count, 1);
    CU_ASSERT_EQUAL(f.answers[0].code, RPC_UNAVAILABLE);
    CU_ASSERT_EQUAL(f.answers[0].status, ERR_SAFE_MODE);
    CU_ASSERT_STRING_EQUAL(f.answers[0].status_name, "ERR_SAFE_MODE");
    CU_ASSERT_STRING_EQUAL(f.answers[0].text, "3 of 10 blocks\n(30 %) \xc3\xa4 known");
    CU_ASSERT_EQUAL(f.answers[0].body.length, 0);
}

static void test_rpc__failure_without_name_is_translated(void)
{
    CU_ASSERT_EQUAL(call("/test.T/Plain", "no block 7"), ERR_NOT_FOUND);
    CU_ASSERT_STRING_EQUAL(f.error.text, "no block 7");
    CU_ASSERT_EQUAL(call("/test.T/Unknown", ""), ERR_UNSUPPORTED);
}

static void test_rpc__long_text_is_cut(void)
{
    char text[3 * RPC_TEXT_BYTES];
    memset(text, 'x', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    CU_ASSERT_EQUAL(call("/test.T/Plain", text), ERR_NOT_FOUND);
    CU_ASSERT_EQUAL(strlen(f.error.text), ERROR_TEXT_BYTES - 1);
}

static void test_rpc__metadata_arrives(void)
{
    struct rpc_metadata metadata[] = {
        {"other",         slice_from_string("1")         },
        {"authorization", slice_from_string("Bearer abc")}
    };
    CU_ASSERT_EQUAL(call_with("/test.T/Token", slice_from_string(""),
                              (struct rpc_call_options){.timeout_ms = PATIENCE_MS,
                                                        .metadata = metadata,
                                                        .metadata_count = 2}),
                    OK);
    CU_ASSERT_STRING_EQUAL(buf_string(&f.body), "Bearer abc");
    CU_ASSERT_EQUAL(call("/test.T/Token", ""), ERR_UNAUTHENTICATED);
}

static void test_rpc__bad_metadata_is_refused_at_once(void)
{
    const struct rpc_metadata bad[] = {
        {"Capital", slice_from_string("1")   },
        {"key",     slice_from_string("a\nb")},
        {"key-bin", slice_from_string("1")   }
    };
    for (size_t i = 0; i < UNIT_COUNT(bad); i++)
        CU_ASSERT_EQUAL(call_with("/test.T/Echo", slice_from_string(""),
                                  (struct rpc_call_options){.timeout_ms = PATIENCE_MS,
                                                            .metadata = &bad[i],
                                                            .metadata_count = 1}),
                        ERR_INVALID);
}

static void test_rpc__server_knows_peer_and_time_left(void)
{
    CU_ASSERT_EQUAL(call("/test.T/Peer", ""), OK);
    CU_ASSERT_EQUAL(strncmp(buf_string(&f.body), "ipv4:127.0.0.1:", 15), 0);
    CU_ASSERT_EQUAL(call("/test.T/Remaining", ""), OK);
    uint64_t left = 0;
    CU_ASSERT_TRUE(slice_parse_u64(buf_slice(&f.body), &left));
    CU_ASSERT_TRUE(left > 0 && left <= PATIENCE_MS + 100);
    CU_ASSERT_EQUAL(call_with("/test.T/Remaining", slice_from_string(""),
                              (struct rpc_call_options){.timeout_ms = RPC_NO_DEADLINE}),
                    OK);
    CU_ASSERT_STRING_EQUAL(buf_string(&f.body), "9223372036854775807");
}

static void test_rpc__deadline_ends_a_held_call(void)
{
    CU_ASSERT_EQUAL(call_with("/test.T/Hold", slice_from_string(""),
                              (struct rpc_call_options){.timeout_ms = 50}),
                    ERR_DEADLINE);
    wait_for(&f.held_count, 1);
    wait_for(&f.cancelled_count, 1);
    CU_ASSERT_EQUAL(f.cancelled[0], 1000);
    CU_ASSERT_TRUE(rpc_request_is_cancelled(f.held[0]));
    rpc_request_reply(f.held[0], slice_from_string("too late"));
}

static void test_rpc__server_notices_a_cancelled_held_call(void)
{
    struct rpc_call *call_to_cancel = NULL;
    start("/test.T/Hold", 0, RPC_NO_DEADLINE, &call_to_cancel);
    wait_for(&f.held_count, 1);
    CU_ASSERT_FALSE(rpc_request_is_cancelled(f.held[0]));
    rpc_call_cancel(call_to_cancel);
    wait_for(&f.answer_count, 1);
    CU_ASSERT_EQUAL(f.answers[0].status, ERR_CANCELLED);
    wait_for(&f.cancelled_count, 1);
    rpc_request_fail_status(f.held[0], ERR_CANCELLED, slice_from_string("gone"));
    rpc_call_cancel(call_to_cancel); /* a second time, after the end: nothing */
    rpc_call_close(call_to_cancel);
    CU_ASSERT_EQUAL(f.answers[0].count, 1);
}

static void test_rpc__held_call_is_answered_from_another_thread(void)
{
    start("/test.T/Hold", 0, PATIENCE_MS, NULL);
    wait_for(&f.held_count, 1);
    rpc_request_reply(f.held[0], slice_from_string("late"));
    wait_for(&f.answer_count, 1);
    CU_ASSERT_EQUAL(f.answers[0].status, OK);
    CU_ASSERT_STRING_EQUAL(buf_string(&f.answers[0].body), "late");
    CU_ASSERT_EQUAL(f.cancelled_count, 0);
}

static void test_rpc__messages_up_to_the_limit_pass(void)
{
    struct buf big = {0};
    while (big.length < MESSAGE_MAX)
        CU_ASSERT_EQUAL_FATAL(buf_append(&big, "0123456789abcdef", 16), OK);
    struct rpc_call_options options = {.timeout_ms = PATIENCE_MS};
    CU_ASSERT_EQUAL(call_with("/test.T/Echo", buf_slice(&big), options), OK);
    CU_ASSERT_TRUE(slice_equal(buf_slice(&f.body), buf_slice(&big)));
    CU_ASSERT_EQUAL_FATAL(buf_append(&big, "!", 1), OK);
    CU_ASSERT_EQUAL(call_with("/test.T/Echo", buf_slice(&big), options), ERR_LIMIT);
    CU_ASSERT_EQUAL(call_with("/test.T/Big", slice_from_string(""), options), ERR_LIMIT);
    CU_ASSERT_EQUAL(call("/test.T/Echo", "still there"), OK);
    buf_close(&big);
}

static void test_rpc__second_server_on_the_port_is_refused(void)
{
    char address[64];
    (void)snprintf(address, sizeof(address), "127.0.0.1:%u", (unsigned)rpc_server_port(f.server));
    struct rpc_server_options options = {.address = address, .handle = on_request};
    struct rpc_server *second = NULL;
    CU_ASSERT_EQUAL(rpc_server_open(&options, &second, &f.error), ERR_BUSY);
    CU_ASSERT_PTR_NULL(second);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.error.text, address));
    CU_ASSERT_PTR_NOT_NULL(strstr(f.error.text, "in use"));
    CU_ASSERT_EQUAL(call("/test.T/Echo", "mine"), OK);
}

static void test_rpc__only_loopback_is_served_without_certificates(void)
{
    static const char *const outside[] = {"0.0.0.0:0", "192.0.2.1:0", "[::]:0", "example.org:0"};
    for (size_t i = 0; i < UNIT_COUNT(outside); i++) {
        struct rpc_server_options options = {.address = outside[i], .handle = on_request};
        struct rpc_server *server = NULL;
        CU_ASSERT_EQUAL(rpc_server_open(&options, &server, &f.error), ERR_DENIED);
        CU_ASSERT_PTR_NOT_NULL(strstr(f.error.text, "mutual TLS"));
    }
    static const char *const wrong[] = {"",       "127.0.0.1:", "127.0.0.1:70000",
                                        "::1:80", "a/b:1",      ":1"};
    for (size_t i = 0; i < UNIT_COUNT(wrong); i++) {
        struct rpc_server_options options = {.address = wrong[i], .handle = on_request};
        struct rpc_server *server = NULL;
        CU_ASSERT_EQUAL(rpc_server_open(&options, &server, &f.error), ERR_INVALID);
        struct rpc_channel *channel = NULL;
        CU_ASSERT_EQUAL(rpc_channel_open(f.client, wrong[i], NULL, &channel, &f.error),
                        ERR_INVALID);
    }
}

static void test_rpc__absent_server_fails_at_once_and_says_why(void)
{
    uint16_t port = rpc_server_port(f.server);
    rpc_server_close(f.server, PATIENCE_MS);
    f.server = NULL;
    CU_ASSERT_EQUAL(call("/test.T/Echo", ""), ERR_UNAVAILABLE);
    char text[64];
    (void)snprintf(text, sizeof(text), "127.0.0.1:%u", (unsigned)port);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.error.text, text));
}

static void test_rpc__client_reconnects_to_a_restarted_server(void)
{
    CU_ASSERT_EQUAL(call("/test.T/Echo", "before"), OK);
    char address[64];
    (void)snprintf(address, sizeof(address), "127.0.0.1:%u", (unsigned)rpc_server_port(f.server));
    rpc_server_close(f.server, PATIENCE_MS);
    f.server = NULL;
    CU_ASSERT_EQUAL(call("/test.T/Echo", "between"), ERR_UNAVAILABLE);
    f.server = open_server(address);
    CU_ASSERT_EQUAL(
        call_with("/test.T/Echo", slice_from_string("after"),
                  (struct rpc_call_options){.timeout_ms = PATIENCE_MS, .wait_for_ready = true}),
        OK);
    CU_ASSERT_STRING_EQUAL(buf_string(&f.body), "after");
}

static void test_rpc__stopping_server_lets_calls_finish(void)
{
    for (size_t i = 0; i < 8; i++)
        start("/test.T/Hold", i, PATIENCE_MS, NULL);
    wait_for(&f.held_count, 8);
    rpc_server_stop(f.server);
    for (size_t i = 0; i < 8; i++)
        rpc_request_reply(f.held[i], slice_from_string("done"));
    rpc_server_close(f.server, PATIENCE_MS);
    f.server = NULL;
    wait_for(&f.answer_count, 8);
    for (size_t i = 0; i < 8; i++) {
        CU_ASSERT_EQUAL(f.answers[i].status, OK);
        CU_ASSERT_EQUAL(f.answers[i].count, 1);
    }
    CU_ASSERT_EQUAL(f.cancelled_count, 0);
}

/* Answers each held call when it is told that its caller has gone, as a shell
 * does. */
static void *answer_when_cancelled(void *user)
{
    const size_t *count = user;
    wait_for(&f.cancelled_count, *count);
    for (size_t i = 0; i < *count; i++)
        rpc_request_fail_status(f.held[i], ERR_CANCELLED, slice_from_string(""));
    return NULL;
}

static void test_rpc__grace_over_cancels_held_calls(void)
{
    size_t count = 5;
    for (size_t i = 0; i < count; i++)
        start("/test.T/Hold", i, RPC_NO_DEADLINE, NULL);
    wait_for(&f.held_count, count);
    pthread_t thread;
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, answer_when_cancelled, &count), 0);
    rpc_server_close(f.server, 1);
    f.server = NULL;
    CU_ASSERT_EQUAL(pthread_join(thread, NULL), 0);
    wait_for(&f.answer_count, count);
    for (size_t i = 0; i < count; i++)
        CU_ASSERT_EQUAL(f.answers[i].status, ERR_UNAVAILABLE);
}

static void test_rpc__closing_client_cancels_its_calls(void)
{
    for (size_t i = 0; i < 4; i++)
        start("/test.T/Hold", i, RPC_NO_DEADLINE, NULL);
    wait_for(&f.held_count, 4);
    rpc_channel_close(f.channel);
    f.channel = NULL;
    rpc_client_close(f.client);
    f.client = NULL;
    CU_ASSERT_EQUAL(f.answer_count, 4);
    for (size_t i = 0; i < 4; i++)
        CU_ASSERT_EQUAL(f.answers[i].status, ERR_CANCELLED);
    wait_for(&f.cancelled_count, 4);
    for (size_t i = 0; i < 4; i++)
        rpc_request_reply(f.held[i], slice_from_string(""));
}

static void test_rpc__full_server_refuses_more_calls(void)
{
    struct rpc_server_options options = {
        .address = "0", .handle = on_request, .cancelled = on_cancelled, .calls_max = 2};
    struct rpc_server *small = NULL;
    CU_ASSERT_EQUAL_FATAL(rpc_server_open(&options, &small, &f.error), OK);
    rpc_channel_close(f.channel);
    open_channel(rpc_server_port(small));
    start("/test.T/Hold", 0, PATIENCE_MS, NULL);
    start("/test.T/Hold", 1, PATIENCE_MS, NULL);
    wait_for(&f.held_count, 2);
    CU_ASSERT_EQUAL(call("/test.T/Echo", ""), ERR_UNAVAILABLE);
    rpc_request_reply(f.held[0], slice_from_string(""));
    rpc_request_reply(f.held[1], slice_from_string(""));
    wait_for(&f.answer_count, 2);
    rpc_server_close(small, PATIENCE_MS);
}

static void test_rpc__garbage_at_the_port_does_no_harm(void)
{
    static const char *const garbage[] = {
        "GET / HTTP/1.1\r\nHost: x\r\n\r\n",
        "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\xff\xff\xff\xff\xff\xff\xff\xff\xff",
        "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
        "\x01\x02\x03\x04",
    };
    for (size_t i = 0; i < UNIT_COUNT(garbage); i++) {
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct sockaddr_in peer = {.sin_family = AF_INET,
                                   .sin_port = htons(rpc_server_port(f.server)),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        CU_ASSERT_EQUAL_FATAL(connect(fd, (const struct sockaddr *)&peer, sizeof(peer)), 0);
        size_t length = strlen(garbage[i]);
        CU_ASSERT_EQUAL(send(fd, garbage[i], length, MSG_NOSIGNAL), (ssize_t)length);
        CU_ASSERT_EQUAL(shutdown(fd, SHUT_WR), 0);
        char rest[256];
        while (recv(fd, rest, sizeof(rest), 0) > 0) /* until the server has closed */
            continue;
        (void)close(fd);
        CU_ASSERT_EQUAL(call("/test.T/Echo", "alive"), OK);
    }
}

static void test_rpc__cached_channel_is_shared(void)
{
    char address[64];
    (void)snprintf(address, sizeof(address), "127.0.0.1:%u", (unsigned)rpc_server_port(f.server));
    struct rpc_channel *first = NULL;
    struct rpc_channel *second = NULL;
    CU_ASSERT_EQUAL_FATAL(
        rpc_client_channel(f.client, slice_from_string(address), &first, &f.error), OK);
    CU_ASSERT_EQUAL_FATAL(
        rpc_client_channel(f.client, slice_from_string(address), &second, &f.error), OK);
    CU_ASSERT_PTR_EQUAL(first, second);
    rpc_channel_close(first);
    struct rpc_call_options options = {.timeout_ms = PATIENCE_MS};
    CU_ASSERT_EQUAL(
        rpc_call_wait(second, "/test.T/Echo", slice_from_string("x"), &options, &f.body, &f.error),
        OK);
    rpc_channel_close(second);
    CU_ASSERT_EQUAL(rpc_client_channel(f.client, slice_from_string("nonsense:"), &first, &f.error),
                    ERR_INVALID);
}

/* More addresses than the cache keeps: the oldest go, nothing leaks, the rest
 * still work. */
static void test_rpc__cache_of_channels_is_bounded(void)
{
    for (unsigned i = 0; i < RPC_CLIENT_CHANNELS + 10; i++) {
        char address[64];
        (void)snprintf(address, sizeof(address), "127.1.%u.%u:1", i / 250, i % 250 + 1);
        struct rpc_channel *channel = NULL;
        CU_ASSERT_EQUAL_FATAL(
            rpc_client_channel(f.client, slice_from_string(address), &channel, &f.error), OK);
        rpc_channel_close(channel);
    }
    CU_ASSERT_EQUAL(call("/test.T/Echo", "alive"), OK);
}

struct load {
    pthread_t thread;
    unsigned failures;
};

static void *call_many(void *user)
{
    struct load *load = user;
    for (unsigned i = 0; i < 200; i++) {
        char text[32];
        (void)snprintf(text, sizeof(text), "%p %u", user, i);
        struct buf body = {0};
        struct rpc_call_options options = {.timeout_ms = PATIENCE_MS};
        if (rpc_call_wait(f.channel, "/test.T/Echo", slice_from_string(text), &options, &body,
                          NULL) != OK ||
            strcmp(buf_string(&body), text) != 0)
            load->failures++;
        buf_close(&body);
    }
    return NULL;
}

static void test_rpc__threads_share_one_channel(void)
{
    struct load loads[6] = {{.failures = 0}};
    for (size_t i = 0; i < UNIT_COUNT(loads); i++)
        CU_ASSERT_EQUAL_FATAL(pthread_create(&loads[i].thread, NULL, call_many, &loads[i]), 0);
    for (size_t i = 0; i < UNIT_COUNT(loads); i++) {
        CU_ASSERT_EQUAL(pthread_join(loads[i].thread, NULL), 0);
        CU_ASSERT_EQUAL(loads[i].failures, 0);
    }
}

static void test_rpc__codes_and_statuses_agree(void)
{
    for (int i = 0; i < STATUS_COUNT; i++) {
        enum rpc_code code = rpc_code_from_status((enum status)i);
        CU_ASSERT_EQUAL(code == RPC_OK, i == OK);
        CU_ASSERT_EQUAL(rpc_code_status(code) == OK, i == OK);
    }
    CU_ASSERT_EQUAL(rpc_code_status((enum rpc_code)99), ERR_INTERNAL);
}

static const struct unit_test tests[] = {
    {"test_rpc__call_brings_the_answer",                       "A call brings the answer.",
     test_rpc__call_brings_the_answer                                                                                                                                    },
    {"test_rpc__failure_brings_code_name_and_text",            "A failure brings code, name and text.",
     test_rpc__failure_brings_code_name_and_text                                                                                                                         },
    {"test_rpc__failure_without_name_is_translated",
     "A failure without a status name is translated from its code.",                                               test_rpc__failure_without_name_is_translated          },
    {"test_rpc__long_text_is_cut",                             "A long failure text is cut.",                      test_rpc__long_text_is_cut                            },
    {"test_rpc__metadata_arrives",                             "Metadata arrives.",                                test_rpc__metadata_arrives                            },
    {"test_rpc__bad_metadata_is_refused_at_once",
     "Metadata that cannot be sent is refused at once.",                                                           test_rpc__bad_metadata_is_refused_at_once             },
    {"test_rpc__server_knows_peer_and_time_left",              "The server knows the peer and the time left.",
     test_rpc__server_knows_peer_and_time_left                                                                                                                           },
    {"test_rpc__deadline_ends_a_held_call",                    "A deadline ends a held call on both sides.",
     test_rpc__deadline_ends_a_held_call                                                                                                                                 },
    {"test_rpc__server_notices_a_cancelled_held_call",
     "The server notices that a held call was cancelled.",                                                         test_rpc__server_notices_a_cancelled_held_call        },
    {"test_rpc__held_call_is_answered_from_another_thread",
     "A held call is answered from another thread.",                                                               test_rpc__held_call_is_answered_from_another_thread   },
    {"test_rpc__messages_up_to_the_limit_pass",
     "Messages up to the limit pass, longer ones fail alone.",                                                     test_rpc__messages_up_to_the_limit_pass               },
    {"test_rpc__second_server_on_the_port_is_refused",         "A second server on the port is refused.",
     test_rpc__second_server_on_the_port_is_refused                                                                                                                      },
    {"test_rpc__only_loopback_is_served_without_certificates",
     "Only loopback is served without certificates.",                                                              test_rpc__only_loopback_is_served_without_certificates},
    {"test_rpc__absent_server_fails_at_once_and_says_why",
     "A call to an absent server fails at once and says why.",                                                     test_rpc__absent_server_fails_at_once_and_says_why    },
    {"test_rpc__client_reconnects_to_a_restarted_server",
     "A client reconnects to a restarted server.",                                                                 test_rpc__client_reconnects_to_a_restarted_server     },
    {"test_rpc__stopping_server_lets_calls_finish",            "A stopping server lets calls finish.",
     test_rpc__stopping_server_lets_calls_finish                                                                                                                         },
    {"test_rpc__grace_over_cancels_held_calls",                "When the grace is over held calls are cancelled.",
     test_rpc__grace_over_cancels_held_calls                                                                                                                             },
    {"test_rpc__closing_client_cancels_its_calls",
     "A closing client cancels its calls and waits for them.",                                                     test_rpc__closing_client_cancels_its_calls            },
    {"test_rpc__full_server_refuses_more_calls",               "A full server refuses more calls.",
     test_rpc__full_server_refuses_more_calls                                                                                                                            },
    {"test_rpc__garbage_at_the_port_does_no_harm",             "Garbage at the port does no harm.",
     test_rpc__garbage_at_the_port_does_no_harm                                                                                                                          },
    {"test_rpc__cached_channel_is_shared",                     "A cached channel is shared.",
     test_rpc__cached_channel_is_shared                                                                                                                                  },
    {"test_rpc__cache_of_channels_is_bounded",                 "The cache of channels is bounded.",
     test_rpc__cache_of_channels_is_bounded                                                                                                                              },
    {"test_rpc__threads_share_one_channel",                    "Threads share one channel.",
     test_rpc__threads_share_one_channel                                                                                                                                 },
    {"test_rpc__codes_and_statuses_agree",                     "Codes and statuses agree.",
     test_rpc__codes_and_statuses_agree                                                                                                                                  },
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "net/test_rpc", tests, UNIT_COUNT(tests), setup,
                     teardown);
}
