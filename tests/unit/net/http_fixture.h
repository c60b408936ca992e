/*
 * http_fixture.h - two HTTP servers, one of each kind, and a client, for the tests of both sides.
 */
#ifndef MILLRACE_TESTS_UNIT_NET_HTTP_FIXTURE_H
#define MILLRACE_TESTS_UNIT_NET_HTTP_FIXTURE_H

#include <pthread.h>

#include "lib/net/http_client.h"
#include "lib/net/http_server.h"
#include "lib/net/net.h"

enum {
    PATIENCE_MS = 30 * 1000,
    FILE_BYTES = 3 * 1024 * 1024 + 17, /* several blocks and a bit */
};

/* The one fixture of these tests, rebuilt for each. */
extern struct http_fixture {
    struct http_server *server; /* HTTP_THREAD_EACH, /next/ goes on to pool */
    struct http_server *pool;   /* HTTP_POOL */
    struct http_client *client;
    int file; /* FILE_BYTES long, byte i is http_pattern(i) */
    pthread_mutex_t mutex;
    pthread_cond_t changed;
    struct buf stored; /* what the last upload to /store/ brought */
    size_t stored_count;
    size_t ended_count;
    size_t broken_count;     /* of them those that were not completed */
    size_t next_begun_count; /* of /next/ */
    size_t next_ended_count;
    size_t closed_streams;
    struct http_request *held;
    size_t held_count;
    struct buf body;
    struct http_response response;
    struct error error;
} f;

void http_setup(void);
void http_teardown(void);
uint8_t http_pattern(uint64_t position);
/* True for exactly count bytes of the pattern from position from on. */
bool http_body_is_pattern(struct slice body, uint64_t from, uint64_t count);
/* Waits until *counter, under f.mutex, is at least wanted. */
void http_wait_for(const size_t *counter, size_t wanted);
struct http_server *http_open_server(enum http_threading threading, bool use_sendfile);
/* The URL of path at server; good until the next call. */
const char *http_make_url(const struct http_server *server, const char *path);
/* A data callback; user is a struct buf. */
enum status http_keep_data(void *user, struct slice data);
/* Fetches into f.body and f.response. */
enum status http_fetch_range(const struct http_server *server,
                             const char *path,
                             uint64_t offset,
                             uint64_t length);
enum status http_fetch_all(const struct http_server *server, const char *path);
/* A listening socket that nobody serves, and a URL to it. */
int http_open_silence(char *url, size_t url_bytes);

#endif
