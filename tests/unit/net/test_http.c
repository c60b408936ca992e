/*
 * test_http.c - lib/net/http_server.h and http_client.h against each other: requests, files,
 * waiting.
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

struct getter {
    pthread_t thread;
    const struct http_server *server;
    const char *path;
    enum status status;
    struct buf body;
};

static void *get_in_thread(void *user)
{
    struct getter *getter = user;
    char url[128];
    (void)snprintf(url, sizeof(url), "http://127.0.0.1:%u%s",
                   (unsigned)http_server_port(getter->server), getter->path);
    struct http_request_options options = {
        .url = url, .data = http_keep_data, .user = &getter->body};
    getter->status = http_get(f.client, &options, NULL, NULL);
    return NULL;
}

/* --- simple requests -------------------------------------------------------------------------- */

static void keep_answer_header(void *user, struct slice name, struct slice value)
{
    if (slice_equal_string(name, "x-answer"))
        CU_ASSERT_EQUAL(buf_append_slice(user, value), OK);
}

static void test_http__request_and_answer_are_whole(void)
{
    struct http_header header = {"X-Test", "given"};
    struct buf answer_header = {0};
    struct http_request_options options = {
        .url = http_make_url(f.server, "/hello/a%20b?name=x%2By&other"),
        .headers = &header,
        .header_count = 1,
        .bearer = "abc.def",
        .header = keep_answer_header,
        .user = &answer_header,
    };
    CU_ASSERT_EQUAL(http_get(f.client, &options, &f.response, &f.error), OK);
    CU_ASSERT_EQUAL(f.response.code, 200);
    CU_ASSERT_STRING_EQUAL(buf_string(&f.response.body),
                           "GET /hello/a b rest=/a b name=x+y header=given bearer=abc.def");
    CU_ASSERT_STRING_EQUAL(buf_string(&answer_header), "a??b");
    buf_close(&answer_header);
}

static void test_http__longest_prefix_wins(void)
{
    CU_ASSERT_EQUAL(http_fetch_all(f.pool, "/hello/deep/er?name"), OK);
    CU_ASSERT_STRING_EQUAL(buf_string(&f.body),
                           "GET /hello/deep/er rest=er name= header=(none) bearer=");
    CU_ASSERT_EQUAL(http_fetch_all(f.pool, "/hello?token=t"), OK);
    CU_ASSERT_STRING_EQUAL(buf_string(&f.body),
                           "GET /hello rest= name=(none) header=(none) bearer=t");
}

static void test_http__unknown_addresses_and_methods_are_refused(void)
{
    CU_ASSERT_EQUAL(http_fetch_all(f.server, "/nothing"), ERR_NOT_FOUND);
    CU_ASSERT_EQUAL(f.response.code, 404);
    CU_ASSERT_EQUAL(http_fetch_all(f.server, "/echo"), ERR_UNSUPPORTED);
    CU_ASSERT_EQUAL(f.response.code, 405);
    CU_ASSERT_EQUAL(http_fetch_all(f.server, "/hello%00"), ERR_INVALID);
    CU_ASSERT_EQUAL(http_fetch_all(f.server, "/hello?name=%00"), ERR_INVALID);
}

static void test_http__each_status_comes_back_by_name(void)
{
    for (int i = OK + 1; i < STATUS_COUNT; i++) {
        char path[64];
        (void)snprintf(path, sizeof(path), "/fail/%s", status_name((enum status)i));
        CU_ASSERT_EQUAL(http_fetch_all(f.pool, path), (enum status)i);
        CU_ASSERT_EQUAL(f.response.code, http_code_from_status((enum status)i));
        CU_ASSERT_STRING_EQUAL(buf_string(&f.response.body), "block 7\nsecond line\n");
        CU_ASSERT_EQUAL(f.body.length, 0);
        CU_ASSERT_PTR_NOT_NULL(strstr(f.error.text, path));
        CU_ASSERT_PTR_NOT_NULL(strstr(f.error.text, "block 7"));
        CU_ASSERT_PTR_NULL(strstr(f.error.text, "second"));
    }
}

static void test_http__redirect_is_not_followed(void)
{
    CU_ASSERT_EQUAL(http_fetch_all(f.pool, "/redirect"), ERR_UNSUPPORTED);
    CU_ASSERT_EQUAL(f.response.code, 307);
}

static void test_http__body_of_a_post_is_collected_up_to_its_limit(void)
{
    char text[1002];
    memset(text, 'x', sizeof(text));
    struct http_request_options options = {.url = http_make_url(f.server, "/echo")};
    for (size_t length = 0; length <= 1000; length += 250) {
        CU_ASSERT_EQUAL(
            http_send(f.client, "POST", &options, slice_make(text, length), &f.response, &f.error),
            OK);
        CU_ASSERT_EQUAL(f.response.code, 201);
        CU_ASSERT_EQUAL(f.response.body.length, length);
    }
    CU_ASSERT_EQUAL(
        http_send(f.client, "POST", &options, slice_make(text, 1001), &f.response, &f.error),
        ERR_LIMIT);
    /* The same without a length in the headers. */
    options.url = http_make_url(f.server, "/hello");
    CU_ASSERT_EQUAL(
        http_send(f.client, "DELETE", &options, slice_make(NULL, 0), &f.response, &f.error),
        ERR_UNSUPPORTED);
}

static void test_http__proxy_of_the_environment_is_ignored(void)
{
    CU_ASSERT_EQUAL(setenv("http_proxy", "http://127.0.0.1:1", 1), 0);
    CU_ASSERT_EQUAL(setenv("ALL_PROXY", "http://127.0.0.1:1", 1), 0);
    CU_ASSERT_EQUAL(http_fetch_all(f.server, "/hello"), OK);
    CU_ASSERT_EQUAL(unsetenv("http_proxy"), 0);
    CU_ASSERT_EQUAL(unsetenv("ALL_PROXY"), 0);
}

static void test_http__bad_requests_are_refused_by_the_client(void)
{
    struct http_header bad[] = {
        {"X-Test",   "a\r\nB: c"},
        {"X:Test",   "a"        },
        {"X-\nTest", "a"        }
    };
    for (size_t i = 0; i < UNIT_COUNT(bad); i++) {
        struct http_request_options options = {
            .url = http_make_url(f.server, "/hello"), .headers = &bad[i], .header_count = 1};
        CU_ASSERT_EQUAL(http_get(f.client, &options, NULL, &f.error), ERR_INVALID);
    }
    static const char *const urls[] = {"nonsense://x/", "http://", "file:///etc/passwd"};
    for (size_t i = 0; i < UNIT_COUNT(urls); i++) {
        struct http_request_options options = {.url = urls[i]};
        CU_ASSERT_EQUAL(http_get(f.client, &options, NULL, &f.error), ERR_INVALID);
    }
}

static void test_http__url_text_is_escaped(void)
{
    struct buf url = {0};
    CU_ASSERT_EQUAL(http_url_append(&url, slice_make("/a b/%?#&\0\xff~", 12)), OK);
    CU_ASSERT_STRING_EQUAL(buf_string(&url), "/a%20b/%25%3F%23%26%00%FF~");
    buf_close(&url);
}

/* --- files and ranges ------------------------------------------------------------------------- */

static void test_http__file_arrives_whole(void)
{
    CU_ASSERT_EQUAL(http_fetch_all(f.server, "/file"), OK);
    CU_ASSERT_TRUE(http_body_is_pattern(buf_slice(&f.body), 0, FILE_BYTES));
    CU_ASSERT_EQUAL(http_fetch_all(f.pool, "/file"), OK);
    CU_ASSERT_TRUE(http_body_is_pattern(buf_slice(&f.body), 0, FILE_BYTES));
}

static void test_http__file_arrives_by_sendfile_too(void)
{
    struct http_server *server = http_open_server(HTTP_THREAD_EACH, true);
    CU_ASSERT_EQUAL(http_fetch_all(server, "/file"), OK);
    CU_ASSERT_TRUE(http_body_is_pattern(buf_slice(&f.body), 0, FILE_BYTES));
    CU_ASSERT_EQUAL(http_fetch_range(server, "/file", 777, 1000001), OK);
    CU_ASSERT_TRUE(http_body_is_pattern(buf_slice(&f.body), 777, 1000001));
    CU_ASSERT_EQUAL(http_fetch_all(server, "/short"), ERR_UNAVAILABLE);
    http_server_close(server);
}

static void test_http__range_brings_its_bytes(void)
{
    static const uint64_t ranges[][2] = {
        {0,              1         },
        {5,              10        },
        {524287,         2         },
        {1000000,        1048577   },
        {FILE_BYTES - 1, 1         },
        {FILE_BYTES - 9, 100       },
        {100,            FILE_BYTES}
    };
    for (size_t i = 0; i < UNIT_COUNT(ranges); i++) {
        uint64_t left = FILE_BYTES - ranges[i][0];
        uint64_t count = ranges[i][1] < left ? ranges[i][1] : left;
        CU_ASSERT_EQUAL(http_fetch_range(f.server, "/file", ranges[i][0], ranges[i][1]), OK);
        CU_ASSERT_EQUAL(f.response.code, 206);
        CU_ASSERT_TRUE(http_body_is_pattern(buf_slice(&f.body), ranges[i][0], count));
    }
    CU_ASSERT_EQUAL(http_fetch_range(f.server, "/file", FILE_BYTES - 5, HTTP_TO_END), OK);
    CU_ASSERT_TRUE(http_body_is_pattern(buf_slice(&f.body), FILE_BYTES - 5, 5));
    CU_ASSERT_EQUAL(http_fetch_range(f.server, "/part", 10, 20), OK);
    CU_ASSERT_TRUE(http_body_is_pattern(buf_slice(&f.body), 1010, 20));
    CU_ASSERT_EQUAL(http_fetch_all(f.server, "/part"), OK);
    CU_ASSERT_TRUE(http_body_is_pattern(buf_slice(&f.body), 1000, 100));
}

static void test_http__range_outside_is_refused(void)
{
    CU_ASSERT_EQUAL(http_fetch_range(f.server, "/part", 100, 1), ERR_INVALID);
    CU_ASSERT_EQUAL(f.response.code, 416);
    CU_ASSERT_EQUAL(http_fetch_range(f.server, "/hello", 1, 1), ERR_UNSUPPORTED);
}

/* Fetches /part (100 bytes from 1000 on) with a Range header as written. */
static unsigned get_with_range(const char *range, const char *other_header)
{
    struct http_header headers[] = {
        {"Range",                                        range},
        {other_header == NULL ? "X-Test" : other_header, "x"  }
    };
    struct http_request_options options = {
        .url = http_make_url(f.server, "/part"), .headers = headers, .header_count = 2};
    http_response_close(&f.response);
    status_ignore(
        http_get(f.client, &options, &f.response, &f.error)); /* the code is what counts */
    return f.response.code;
}

static void test_http__range_headers_are_read_as_the_standard_says(void)
{
    CU_ASSERT_EQUAL(get_with_range("bytes=-7", NULL), 206);
    CU_ASSERT_TRUE(http_body_is_pattern(buf_slice(&f.response.body), 1093, 7));
    CU_ASSERT_EQUAL(get_with_range("bytes=-700", NULL), 206);
    CU_ASSERT_TRUE(http_body_is_pattern(buf_slice(&f.response.body), 1000, 100));
    CU_ASSERT_EQUAL(get_with_range("bytes=99-", NULL), 206);
    CU_ASSERT_TRUE(http_body_is_pattern(buf_slice(&f.response.body), 1099, 1));
    CU_ASSERT_EQUAL(get_with_range("bytes=0-18446744073709551615", NULL), 206);
    CU_ASSERT_TRUE(http_body_is_pattern(buf_slice(&f.response.body), 1000, 100));
    CU_ASSERT_EQUAL(get_with_range("bytes=100-", NULL), 416);
    CU_ASSERT_EQUAL(get_with_range("bytes=-0", NULL), 416);
    static const char *const ignored[] = {"bytes=5-4",
                                          "bytes=0-1,5-6",
                                          "bytes=a-b",
                                          "bytes=-",
                                          "bytes=",
                                          "lines=1-2",
                                          "bytes=18446744073709551616-"};
    for (size_t i = 0; i < UNIT_COUNT(ignored); i++)
        CU_ASSERT_EQUAL(get_with_range(ignored[i], NULL), 200);
    CU_ASSERT_EQUAL(get_with_range("bytes=1-2", "If-Range"), 200);
}

static void test_http__cut_file_breaks_the_connection(void)
{
    CU_ASSERT_EQUAL(http_fetch_all(f.server, "/short"), ERR_UNAVAILABLE);
    CU_ASSERT_TRUE(f.body.length <= 1000);
    fault_arm(FAULT_FILE_READ, 3, 1);
    CU_ASSERT_EQUAL(http_fetch_all(f.server, "/file"), ERR_UNAVAILABLE);
    CU_ASSERT_EQUAL(fault_failures(FAULT_FILE_READ), 1);
    CU_ASSERT_EQUAL(http_fetch_all(f.server, "/file"), OK);
}

static void test_http__streams_end_as_promised(void)
{
    CU_ASSERT_EQUAL(http_fetch_all(f.server, "/stream/exact"), OK);
    CU_ASSERT_TRUE(http_body_is_pattern(buf_slice(&f.body), 0, FILE_BYTES));
    CU_ASSERT_EQUAL(http_fetch_all(f.pool, "/stream/unknown"), OK);
    CU_ASSERT_TRUE(http_body_is_pattern(buf_slice(&f.body), 0, FILE_BYTES));
    CU_ASSERT_EQUAL(http_fetch_all(f.server, "/stream/early"), ERR_UNAVAILABLE);
    CU_ASSERT_EQUAL(http_fetch_all(f.server, "/stream/fault"), ERR_UNAVAILABLE);
    http_wait_for(&f.closed_streams, 4);
    CU_ASSERT_EQUAL(f.closed_streams, 4);
}

static enum status refuse_data(void *user, struct slice data)
{
    size_t *left = user;
    *left -= data.length < *left ? data.length : *left;
    return *left == 0 ? ERR_NO_SPACE : OK;
}

static void test_http__receiver_may_stop_a_fetch(void)
{
    size_t left = 1000000;
    struct http_request_options options = {
        .url = http_make_url(f.server, "/file"), .data = refuse_data, .user = &left};
    CU_ASSERT_EQUAL(http_get(f.client, &options, NULL, &f.error), ERR_NO_SPACE);
    CU_ASSERT_EQUAL(http_fetch_all(f.server, "/file"), OK);
}

static void test_http__response_without_callback_is_limited(void)
{
    struct http_request_options options = {.url = http_make_url(f.server, "/file")};
    CU_ASSERT_EQUAL(http_get(f.client, &options, &f.response, &f.error), ERR_LIMIT);
}

/* --- waiting ---------------------------------------------------------------------------------- */

static void test_http__reply_may_come_from_another_thread(void)
{
    const struct http_server *servers[] = {f.server, f.pool};
    for (size_t i = 0; i < 2; i++) {
        for (unsigned round = 0; round < 50; round++) {
            struct getter getter = {.server = servers[i], .path = "/held"};
            size_t held_before = f.held_count;
            CU_ASSERT_EQUAL_FATAL(pthread_create(&getter.thread, NULL, get_in_thread, &getter), 0);
            http_wait_for(&f.held_count, held_before + 1);
            http_reply(f.held, 200, NULL, slice_from_string("late"));
            CU_ASSERT_EQUAL(pthread_join(getter.thread, NULL), 0);
            CU_ASSERT_EQUAL(getter.status, OK);
            CU_ASSERT_STRING_EQUAL(buf_string(&getter.body), "late");
            buf_close(&getter.body);
        }
    }
}

/* Closes the server it is given while a request is held. */
static void *close_server(void *user)
{
    http_server_close(user);
    return NULL;
}

static void test_http__close_waits_for_held_requests(void)
{
    struct http_server **places[] = {&f.server, &f.pool};
    for (size_t i = 0; i < 2; i++) {
        struct getter getter = {.server = *places[i], .path = "/held"};
        CU_ASSERT_EQUAL_FATAL(pthread_create(&getter.thread, NULL, get_in_thread, &getter), 0);
        http_wait_for(&f.held_count, i + 1);
        http_server_stop(*places[i]);
        pthread_t closer;
        CU_ASSERT_EQUAL_FATAL(pthread_create(&closer, NULL, close_server, *places[i]), 0);
        *places[i] = NULL;
        http_reply(f.held, 200, NULL, slice_from_string("late"));
        CU_ASSERT_EQUAL(pthread_join(closer, NULL), 0);
        CU_ASSERT_EQUAL(pthread_join(getter.thread, NULL), 0);
        CU_ASSERT_EQUAL(getter.status, OK);
        buf_close(&getter.body);
    }
}

static void test_http__stopped_server_takes_nothing_new(void)
{
    CU_ASSERT_EQUAL(http_fetch_all(f.server, "/hello"), OK);
    http_server_stop(f.server);
    CU_ASSERT_EQUAL(http_fetch_all(f.server, "/hello"),
                    ERR_UNAVAILABLE); /* on the kept connection */
    CU_ASSERT_EQUAL(f.response.code, 503);
    CU_ASSERT_EQUAL(http_fetch_all(f.server, "/hello"), ERR_UNAVAILABLE); /* on a new one */
    CU_ASSERT_EQUAL(f.response.code, 0);
}

static void test_http__silent_server_is_left(void)
{
    char url[64];
    int silence = http_open_silence(url, sizeof(url));
    struct http_client *hasty = NULL;
    struct http_client_options limits = {.stall_ms = 30};
    CU_ASSERT_EQUAL_FATAL(http_client_open(&limits, &hasty, &f.error), OK);
    struct http_request_options options = {.url = url};
    CU_ASSERT_EQUAL(http_get(hasty, &options, NULL, &f.error), ERR_DEADLINE);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.error.text, "no byte has moved for 30 ms"));
    struct http_put *put = NULL;
    CU_ASSERT_EQUAL(http_put_begin(hasty, &options, 10, &put, &f.error), ERR_DEADLINE);
    http_client_close(hasty);
    (void)close(silence);
    CU_ASSERT_EQUAL(http_get(f.client, &options, NULL, &f.error), ERR_UNAVAILABLE);
}

/* --- servers ---------------------------------------------------------------------------------- */

static void test_http__second_server_on_the_port_is_refused(void)
{
    char address[64];
    (void)snprintf(address, sizeof(address), "127.0.0.1:%u", (unsigned)http_server_port(f.pool));
    struct http_server_options options = {.address = address};
    struct http_server *second = NULL;
    CU_ASSERT_EQUAL(http_server_open(&options, &second, &f.error), ERR_BUSY);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.error.text, address));
    options.address = "0.0.0.0:0";
    CU_ASSERT_EQUAL(http_server_open(&options, &second, &f.error), ERR_DENIED);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.error.text, "mutual TLS"));
    options.address = "nonsense";
    CU_ASSERT_EQUAL(http_server_open(&options, &second, &f.error), ERR_INVALID);
}

static void test_http__garbage_does_no_harm(void)
{
    static const char *const garbage[] = {
        "\x01\x02\x03\x04\r\n\r\n",
        "GET\r\n\r\n",
        "GET /hello%zz HTTP/1.1\r\n\r\n",
        "GET /hello HTTP/1.1\r\nContent-Length: -5\r\nHost: x\r\n\r\n",
        "PUT /store/a HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        "PUT /store/a HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nshort",
        "AVERYLONGMETHODNAME /hello HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    };
    const struct http_server *servers[] = {f.server, f.pool};
    for (size_t i = 0; i < UNIT_COUNT(garbage) * 2; i++) {
        const struct http_server *server = servers[i % 2];
        int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
        struct sockaddr_in peer = {.sin_family = AF_INET,
                                   .sin_port = htons(http_server_port(server)),
                                   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
        CU_ASSERT_EQUAL_FATAL(connect(fd, (const struct sockaddr *)&peer, sizeof(peer)), 0);
        size_t length = strlen(garbage[i / 2]);
        CU_ASSERT_EQUAL(send(fd, garbage[i / 2], length, MSG_NOSIGNAL), (ssize_t)length);
        CU_ASSERT_EQUAL(shutdown(fd, SHUT_WR), 0);
        char rest[256];
        while (recv(fd, rest, sizeof(rest), 0) > 0) /* until the server has closed */
            continue;
        (void)close(fd);
        CU_ASSERT_EQUAL(http_fetch_all(server, "/hello"), OK);
    }
    CU_ASSERT_EQUAL(f.stored_count, 0);
}

static void *get_many(void *user)
{
    struct getter *getter = user;
    for (unsigned i = 0; i < 30 && getter->status == OK; i++) {
        (void)get_in_thread(getter);
        if (!http_body_is_pattern(buf_slice(&getter->body), 1000, 100))
            getter->status = ERR_CORRUPT;
        buf_clear(&getter->body);
    }
    return NULL;
}

static void test_http__threads_share_one_client(void)
{
    struct getter getters[8] = {{.status = OK}};
    for (size_t i = 0; i < UNIT_COUNT(getters); i++) {
        getters[i].server = i % 2 == 0 ? f.server : f.pool;
        getters[i].path = "/part";
        CU_ASSERT_EQUAL_FATAL(pthread_create(&getters[i].thread, NULL, get_many, &getters[i]), 0);
    }
    for (size_t i = 0; i < UNIT_COUNT(getters); i++) {
        CU_ASSERT_EQUAL(pthread_join(getters[i].thread, NULL), 0);
        CU_ASSERT_EQUAL(getters[i].status, OK);
        buf_close(&getters[i].body);
    }
}

static const struct unit_test tests[] = {
    {"test_http__request_and_answer_are_whole",                "Request and answer are whole.",
     test_http__request_and_answer_are_whole                                                                                                                    },
    {"test_http__longest_prefix_wins",                         "Longest prefix wins.",                    test_http__longest_prefix_wins                        },
    {"test_http__unknown_addresses_and_methods_are_refused",
     "Unknown addresses and methods are refused.",                                                        test_http__unknown_addresses_and_methods_are_refused  },
    {"test_http__each_status_comes_back_by_name",              "Each status comes back by name.",
     test_http__each_status_comes_back_by_name                                                                                                                  },
    {"test_http__redirect_is_not_followed",                    "Redirect is not followed.",
     test_http__redirect_is_not_followed                                                                                                                        },
    {"test_http__body_of_a_post_is_collected_up_to_its_limit",
     "Body of a post is collected up to its limit.",                                                      test_http__body_of_a_post_is_collected_up_to_its_limit},
    {"test_http__proxy_of_the_environment_is_ignored",         "Proxy of the environment is ignored.",
     test_http__proxy_of_the_environment_is_ignored                                                                                                             },
    {"test_http__bad_requests_are_refused_by_the_client",      "Bad requests are refused by the client.",
     test_http__bad_requests_are_refused_by_the_client                                                                                                          },
    {"test_http__url_text_is_escaped",                         "Url text is escaped.",                    test_http__url_text_is_escaped                        },
    {"test_http__file_arrives_whole",                          "File arrives whole.",                     test_http__file_arrives_whole                         },
    {"test_http__file_arrives_by_sendfile_too",                "File arrives by sendfile too.",
     test_http__file_arrives_by_sendfile_too                                                                                                                    },
    {"test_http__range_brings_its_bytes",                      "Range brings its bytes.",
     test_http__range_brings_its_bytes                                                                                                                          },
    {"test_http__range_outside_is_refused",                    "Range outside is refused.",
     test_http__range_outside_is_refused                                                                                                                        },
    {"test_http__range_headers_are_read_as_the_standard_says",
     "Range headers are read as the standard says.",                                                      test_http__range_headers_are_read_as_the_standard_says},
    {"test_http__cut_file_breaks_the_connection",              "Cut file breaks the connection.",
     test_http__cut_file_breaks_the_connection                                                                                                                  },
    {"test_http__streams_end_as_promised",                     "Streams end as promised.",
     test_http__streams_end_as_promised                                                                                                                         },
    {"test_http__receiver_may_stop_a_fetch",                   "Receiver may stop a fetch.",
     test_http__receiver_may_stop_a_fetch                                                                                                                       },
    {"test_http__response_without_callback_is_limited",        "Response without callback is limited.",
     test_http__response_without_callback_is_limited                                                                                                            },
    {"test_http__reply_may_come_from_another_thread",          "Reply may come from another thread.",
     test_http__reply_may_come_from_another_thread                                                                                                              },
    {"test_http__close_waits_for_held_requests",               "Close waits for held requests.",
     test_http__close_waits_for_held_requests                                                                                                                   },
    {"test_http__stopped_server_takes_nothing_new",            "Stopped server takes nothing new.",
     test_http__stopped_server_takes_nothing_new                                                                                                                },
    {"test_http__silent_server_is_left",                       "Silent server is left.",
     test_http__silent_server_is_left                                                                                                                           },
    {"test_http__second_server_on_the_port_is_refused",        "Second server on the port is refused.",
     test_http__second_server_on_the_port_is_refused                                                                                                            },
    {"test_http__garbage_does_no_harm",                        "Garbage does no harm.",                   test_http__garbage_does_no_harm                       },
    {"test_http__threads_share_one_client",                    "Threads share one client.",
     test_http__threads_share_one_client                                                                                                                        },
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "net/test_http", tests, UNIT_COUNT(tests),
                     http_setup, http_teardown);
}
