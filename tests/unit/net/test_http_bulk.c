/*
 * test_http_bulk.c - uploads and pipelines, and many fetches at once.
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

/* --- uploads ---------------------------------------------------------------------------------- */

/* Pushes FILE_BYTES of the pattern in pieces of a size that divides nothing. */
static enum status push_pattern(struct http_put *put, uint64_t count)
{
    uint8_t *piece = malloc(99991);
    CU_ASSERT_PTR_NOT_NULL_FATAL(piece);
    enum status status = OK;
    for (uint64_t at = 0; at < count && status == OK;) {
        size_t length = count - at < 99991 ? (size_t)(count - at) : 99991;
        for (size_t i = 0; i < length; i++)
            piece[i] = http_pattern(at + i);
        status = http_put_push(put, slice_make(piece, length), &f.error);
        memset(piece, 0, length); /* it was only lent */
        at += length;
    }
    free(piece);
    return status;
}

static enum status put_pattern(const char *url, uint64_t promised, uint64_t count)
{
    f.error.text[0] = '\0';
    struct http_request_options options = {.url = url};
    struct http_put *put = NULL;
    enum status status = http_put_begin(f.client, &options, promised, &put, &f.error);
    if (status != OK)
        return status;
    status = push_pattern(put, count);
    if (status != OK) {
        http_put_abort(put);
        return status;
    }
    return http_put_finish(put, &f.response, &f.error);
}

static void test_http_bulk__upload_arrives_whole(void)
{
    struct http_server *servers[] = {f.server, f.pool};
    for (size_t i = 0; i < 2; i++) {
        const char *url = http_make_url(servers[i], "/store/a");
        CU_ASSERT_EQUAL(put_pattern(url, FILE_BYTES, FILE_BYTES), OK);
        CU_ASSERT_EQUAL(f.response.code, 201);
        CU_ASSERT_TRUE(http_body_is_pattern(buf_slice(&f.stored), 0, FILE_BYTES));
        CU_ASSERT_EQUAL(put_pattern(url, HTTP_LENGTH_CHUNKED, FILE_BYTES - 3), OK);
        CU_ASSERT_TRUE(http_body_is_pattern(buf_slice(&f.stored), 0, FILE_BYTES - 3));
        CU_ASSERT_EQUAL(put_pattern(url, 0, 0), OK);
        CU_ASSERT_EQUAL(put_pattern(url, 1, 1), OK);
        CU_ASSERT_EQUAL(put_pattern(url, HTTP_LENGTH_CHUNKED, 0), OK);
        CU_ASSERT_EQUAL(f.stored.length, 0);
    }
    http_wait_for(&f.ended_count, 10);
    CU_ASSERT_EQUAL(f.broken_count, 0);
}

static void test_http_bulk__refused_upload_shows_at_the_start(void)
{
    CU_ASSERT_EQUAL(put_pattern(http_make_url(f.server, "/store/denied"), FILE_BYTES, FILE_BYTES),
                    ERR_DENIED);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.error.text, "not yours"));
    CU_ASSERT_EQUAL(put_pattern(http_make_url(f.server, "/nowhere"), FILE_BYTES, 0), ERR_NOT_FOUND);
    CU_ASSERT_EQUAL(put_pattern(http_make_url(f.server, "/echo"), 5, 5), ERR_UNSUPPORTED);
    CU_ASSERT_EQUAL(f.stored_count, 0);
}

static void test_http_bulk__failing_disk_is_told_at_the_end(void)
{
    CU_ASSERT_EQUAL(put_pattern(http_make_url(f.server, "/store/full"), FILE_BYTES, FILE_BYTES),
                    ERR_NO_SPACE);
    CU_ASSERT_EQUAL(f.stored_count, 0);
}

static void test_http_bulk__aborted_upload_is_not_stored(void)
{
    struct http_request_options options = {.url = http_make_url(f.server, "/store/a")};
    struct http_put *put = NULL;
    CU_ASSERT_EQUAL_FATAL(http_put_begin(f.client, &options, FILE_BYTES, &put, &f.error), OK);
    CU_ASSERT_EQUAL(push_pattern(put, FILE_BYTES / 2), OK);
    http_put_abort(put);
    http_wait_for(&f.ended_count, 1);
    CU_ASSERT_EQUAL(f.broken_count, 1);
    CU_ASSERT_EQUAL_FATAL(http_put_begin(f.client, &options, FILE_BYTES, &put, &f.error), OK);
    CU_ASSERT_EQUAL(push_pattern(put, FILE_BYTES - 1), OK);
    CU_ASSERT_EQUAL(http_put_finish(put, NULL, &f.error), ERR_INVALID);
    http_wait_for(&f.ended_count, 2);
    CU_ASSERT_EQUAL(f.broken_count, 2);
    CU_ASSERT_EQUAL(f.stored_count, 0);
}

static void test_http_bulk__pipeline_forwards_while_it_receives(void)
{
    CU_ASSERT_EQUAL(put_pattern(http_make_url(f.server, "/next/a"), FILE_BYTES, FILE_BYTES), OK);
    CU_ASSERT_TRUE(http_body_is_pattern(buf_slice(&f.stored), 0, FILE_BYTES));
    char length[32];
    (void)snprintf(length, sizeof(length), "%d", FILE_BYTES);
    CU_ASSERT_STRING_EQUAL(buf_string(&f.response.body), length);
    /* What goes wrong at its end is known at its start. */
    CU_ASSERT_EQUAL(put_pattern(http_make_url(f.server, "/next/denied"), FILE_BYTES, FILE_BYTES),
                    ERR_DENIED);
    CU_ASSERT_EQUAL(put_pattern(http_make_url(f.server, "/next/full"), FILE_BYTES, FILE_BYTES),
                    ERR_NO_SPACE);
    http_wait_for(&f.next_ended_count, f.next_begun_count);
    /*
     * A failing send on the way ends the whole, and nothing is stored; or it is one that is made up
     * for (of the answers that go back), and all is stored once. Which one the nth is depends on
     * timing.
     */
    for (uint64_t nth = 1; nth < 8; nth++) {
        size_t before = f.stored_count;
        fault_arm(FAULT_SEND, nth, 1);
        enum status status =
            put_pattern(http_make_url(f.server, "/next/a"), FILE_BYTES, FILE_BYTES);
        CU_ASSERT_EQUAL(fault_failures(FAULT_SEND), 1);
        fault_disarm_all();
        http_wait_for(&f.next_ended_count, f.next_begun_count); /* it may be sending yet */
        CU_ASSERT_EQUAL(f.stored_count, before + (status == OK ? 1 : 0));
    }
}

/* --- many at once ----------------------------------------------------------------------------- */

struct fetch {
    struct buf body;
    enum status status;
    unsigned done_count;
    struct http_fetcher *again; /* where done adds one more */
    struct fetch *next;
    char text[ERROR_TEXT_BYTES];
};

static enum status fetch_data(void *user, struct slice data)
{
    struct fetch *fetch = user;
    return buf_append_slice(&fetch->body, data);
}

static void fetch_done(void *user,
                       enum status status,
                       const struct http_response *response,
                       const struct error *error)
{
    (void)response;
    struct fetch *fetch = user;
    fetch->status = status;
    fetch->done_count++;
    (void)snprintf(fetch->text, sizeof(fetch->text), "%s", error->text);
    if (fetch->again != NULL) {
        struct http_request_options options = {
            .url = http_make_url(f.pool, "/part"), .data = fetch_data, .user = fetch->next};
        CU_ASSERT_EQUAL(http_fetcher_add(fetch->again, &options, fetch_done, NULL, NULL), OK);
    }
}

static void add_fetch(struct http_fetcher *fetcher,
                      const char *url,
                      uint64_t offset,
                      uint64_t length,
                      struct fetch *fetch,
                      struct http_fetch **ret_fetch)
{
    struct http_request_options options = {
        .url = url, .offset = offset, .length = length, .data = fetch_data, .user = fetch};
    CU_ASSERT_EQUAL_FATAL(http_fetcher_add(fetcher, &options, fetch_done, ret_fetch, &f.error), OK);
}

static void test_http_bulk__fetcher_brings_many_parts(void)
{
    struct http_fetcher *fetcher = NULL;
    struct http_fetcher_options options = {.parallel_max = 5, .parallel_per_host_max = 2};
    CU_ASSERT_EQUAL_FATAL(http_fetcher_open(&options, &fetcher, &f.error), OK);
    struct fetch fetches[60] = {{.status = OK}};
    for (size_t i = 0; i < UNIT_COUNT(fetches); i++)
        add_fetch(fetcher, http_make_url(i % 3 == 0 ? f.pool : f.server, "/file"), i * 1000,
                  i * 5000 + 1, &fetches[i], NULL);
    CU_ASSERT_EQUAL(http_fetcher_count(fetcher), UNIT_COUNT(fetches));
    while (http_fetcher_run(fetcher, PATIENCE_MS) > 0)
        continue;
    for (size_t i = 0; i < UNIT_COUNT(fetches); i++) {
        CU_ASSERT_EQUAL(fetches[i].done_count, 1);
        CU_ASSERT_EQUAL(fetches[i].status, OK);
        CU_ASSERT_TRUE(http_body_is_pattern(buf_slice(&fetches[i].body), i * 1000, i * 5000 + 1));
        buf_close(&fetches[i].body);
    }
    http_fetcher_close(fetcher);
}

static void test_http_bulk__fetcher_reports_each_failure(void)
{
    struct http_fetcher *fetcher = NULL;
    CU_ASSERT_EQUAL_FATAL(http_fetcher_open(NULL, &fetcher, &f.error), OK);
    struct fetch missing = {.status = OK};
    struct fetch dead = {.status = OK};
    struct fetch cut = {.status = OK};
    struct fetch chain[2] = {
        {.again = fetcher, .next = &chain[1]},
        {.status = ERR_INTERNAL               }
    };
    add_fetch(fetcher, http_make_url(f.pool, "/fail/ERR_CORRUPT"), 0, 0, &missing, NULL);
    char url[64];
    (void)close(http_open_silence(url, sizeof(url)));
    add_fetch(fetcher, url, 0, 0, &dead, NULL);
    add_fetch(fetcher, http_make_url(f.server, "/short"), 0, 0, &cut, NULL);
    add_fetch(fetcher, http_make_url(f.server, "/part"), 0, 0, &chain[0], NULL);
    while (http_fetcher_run(fetcher, PATIENCE_MS) > 0)
        continue;
    CU_ASSERT_EQUAL(missing.status, ERR_CORRUPT);
    CU_ASSERT_PTR_NOT_NULL(strstr(missing.text, "500 block 7"));
    CU_ASSERT_EQUAL(missing.body.length, 0);
    CU_ASSERT_EQUAL(dead.status, ERR_UNAVAILABLE);
    CU_ASSERT_EQUAL(cut.status, ERR_UNAVAILABLE);
    CU_ASSERT_EQUAL(chain[0].status, OK);
    CU_ASSERT_EQUAL(chain[1].status, OK);
    CU_ASSERT_EQUAL(chain[1].body.length, 100);
    buf_close(&cut.body);
    buf_close(&chain[0].body);
    buf_close(&chain[1].body);
    http_fetcher_close(fetcher);
}

static void test_http_bulk__fetcher_gives_up_what_stands_still(void)
{
    char url[64];
    int silence = http_open_silence(url, sizeof(url));
    struct http_fetcher *fetcher = NULL;
    struct http_fetcher_options options = {.stall_ms = 30};
    CU_ASSERT_EQUAL_FATAL(http_fetcher_open(&options, &fetcher, &f.error), OK);
    struct fetch fetch = {.status = OK};
    add_fetch(fetcher, url, 0, 0, &fetch, NULL);
    while (http_fetcher_run(fetcher, PATIENCE_MS) > 0)
        continue;
    CU_ASSERT_EQUAL(fetch.status, ERR_DEADLINE);
    http_fetcher_close(fetcher);
    (void)close(silence);
}

static void *wake_fetcher(void *user)
{
    http_fetcher_wake(user);
    return NULL;
}

static void test_http_bulk__fetches_can_be_cancelled_and_dropped(void)
{
    char url[64];
    int silence = http_open_silence(url, sizeof(url));
    struct http_fetcher *fetcher = NULL;
    struct http_fetcher_options options = {.parallel_per_host_max = 1};
    CU_ASSERT_EQUAL_FATAL(http_fetcher_open(&options, &fetcher, &f.error), OK);
    struct fetch fetches[4] = {{.status = OK}};
    struct http_fetch *handles[4];
    for (size_t i = 0; i < 4; i++)
        add_fetch(fetcher, url, 0, 0, &fetches[i], &handles[i]);
    CU_ASSERT_EQUAL(http_fetcher_run(fetcher, 0), 4);
    pthread_t thread;
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, wake_fetcher, fetcher), 0);
    CU_ASSERT_EQUAL(http_fetcher_run(fetcher, PATIENCE_MS), 4);
    CU_ASSERT_EQUAL(pthread_join(thread, NULL), 0);
    http_fetch_cancel(handles[0]); /* active */
    http_fetch_cancel(handles[2]); /* waiting */
    CU_ASSERT_EQUAL(http_fetcher_run(fetcher, PATIENCE_MS), 2);
    CU_ASSERT_EQUAL(fetches[0].status, ERR_CANCELLED);
    CU_ASSERT_EQUAL(fetches[2].status, ERR_CANCELLED);
    CU_ASSERT_EQUAL(fetches[1].done_count, 0);
    http_fetcher_close(fetcher); /* one active, one waiting */
    CU_ASSERT_EQUAL(fetches[1].done_count + fetches[3].done_count, 0);
    (void)close(silence);
}

static void test_http_bulk__each_failing_receive_is_reported(void)
{
    uint64_t nth = 1;
    for (;; nth++) {
        fault_arm(FAULT_RECEIVE, nth, 1);
        enum status status = http_fetch_all(f.server, "/file");
        bool was_hit = fault_failures(FAULT_RECEIVE) > 0;
        fault_disarm_all();
        if (!was_hit) {
            CU_ASSERT_EQUAL(status, OK);
            break;
        }
        CU_ASSERT_EQUAL(status, ERR_UNAVAILABLE);
    }
    CU_ASSERT_TRUE(nth > 1);
}

static const struct unit_test tests[] = {
    {"test_http_bulk__upload_arrives_whole",                 "Upload arrives whole.",
     test_http_bulk__upload_arrives_whole                                                                                                                },
    {"test_http_bulk__refused_upload_shows_at_the_start",    "Refused upload shows at the start.",
     test_http_bulk__refused_upload_shows_at_the_start                                                                                                   },
    {"test_http_bulk__failing_disk_is_told_at_the_end",      "Failing disk is told at the end.",
     test_http_bulk__failing_disk_is_told_at_the_end                                                                                                     },
    {"test_http_bulk__aborted_upload_is_not_stored",         "Aborted upload is not stored.",
     test_http_bulk__aborted_upload_is_not_stored                                                                                                        },
    {"test_http_bulk__pipeline_forwards_while_it_receives",  "Pipeline forwards while it receives.",
     test_http_bulk__pipeline_forwards_while_it_receives                                                                                                 },
    {"test_http_bulk__fetcher_brings_many_parts",            "Fetcher brings many parts.",
     test_http_bulk__fetcher_brings_many_parts                                                                                                           },
    {"test_http_bulk__fetcher_reports_each_failure",         "Fetcher reports each failure.",
     test_http_bulk__fetcher_reports_each_failure                                                                                                        },
    {"test_http_bulk__fetcher_gives_up_what_stands_still",   "Fetcher gives up what stands still.",
     test_http_bulk__fetcher_gives_up_what_stands_still                                                                                                  },
    {"test_http_bulk__fetches_can_be_cancelled_and_dropped",
     "Fetches can be cancelled and dropped.",                                                        test_http_bulk__fetches_can_be_cancelled_and_dropped},
    {"test_http_bulk__each_failing_receive_is_reported",     "Each failing receive is reported.",
     test_http_bulk__each_failing_receive_is_reported                                                                                                    },
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "net/test_http_bulk", tests, UNIT_COUNT(tests),
                     http_setup, http_teardown);
}
