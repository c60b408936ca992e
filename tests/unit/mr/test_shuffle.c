/*
 * test_shuffle.c - mr/task/shuffle.h, reporter.h and umbilical.h against a master and a node
 * manager made of lib/services and lib/net, on loopback.
 */
#include "mr/task/shuffle.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/net/http_server.h"
#include "lib/net/net.h"
#include "lib/net/rpc.h"
#include "lib/os/clock.h"
#include "lib/services/server.h"
#include "mr/core/counters.h"
#include "mr/core/run.h"
#include "mr/task/reporter.h"
#include "mr/task/umbilical.h"
#include "tests/support/unit.h"
#include "tests/unit/mr/memory_host.h"

enum {
    MAPS_MAX = 40,
    ROWS_MAX = 200,
    GIVE_UP_MS = 20000 /* never reached unless something is broken, or a test wants it */
};

/* What the node manager does with a segment. */
enum behaviour {
    SERVE,
    SERVE_FLIPPED, /* one bit is wrong */
    SERVE_LONGER,
    SERVE_NOTHING /* 404 */
};

struct segment_fixture {
    struct memory_sink run;
    struct run_segment segment;
    enum behaviour behaviour;
    unsigned bad_serves; /* how often the behaviour lasts */
    uint32_t attempt;    /* the only one that is there */
    unsigned served;
};

static struct fixture {
    struct memory_host host;
    struct rpc_server *master;
    struct http_server *node;
    char master_address[32];
    char node_address[32];
    struct umbilical *umbilical;
    struct reporter *reporter;
    struct shuffle *shuffle;
    char directory[64];
    struct error error;

    pthread_mutex_t mutex; /* of what follows */
    pthread_cond_t changed;
    struct segment_fixture maps[MAPS_MAX];
    struct am_map_output rows[ROWS_MAX];
    size_t row_count;
    struct service_request *held;
    bool must_stop;
    bool fails_give_new_output; /* after FetchFailed the master runs the map again */
    unsigned fetch_failures;
    uint32_t failed_map;
    uint32_t failed_attempt;
    unsigned reports;
    float reported_progress;
    uint64_t reported_records;
    char reported_status[100];
} f;

static const struct app_id app = {.cluster_timestamp = 1700000000000, .sequence = 7};

/* --- the master ------------------------------------------------------------------------------- */

/* mutex is held. */
static void answer_held(void)
{
    const struct am_get_map_outputs_request *asked;
    struct am_get_map_outputs_response response = {.must_stop = f.must_stop};
    if (f.held == NULL)
        return;
    asked = f.held->message;
    if (asked->after_sequence >= f.row_count && !f.must_stop)
        return;
    response.outputs = f.rows + asked->after_sequence;
    response.outputs_count = f.row_count - (size_t)asked->after_sequence;
    service_reply(f.held, &response);
    f.held = NULL;
}

/* mutex is held. */
static void add_row(uint32_t map, bool is_lost)
{
    struct segment_fixture *fixture = &f.maps[map];
    f.rows[f.row_count] = (struct am_map_output){
        .map = map,
        .attempt = fixture->attempt,
        .node = {.http_address = slice_from_string(f.node_address)},
        .bytes = is_lost ? 0 : fixture->segment.bytes,
        .sequence = f.row_count + 1,
        .app = app,
        .is_lost = is_lost,
    };
    f.row_count++;
    answer_held();
}

/* mutex is held. */
static void fetch_failed(const struct am_fetch_failed_request *request)
{
    f.fetch_failures++;
    f.failed_map = request->map;
    f.failed_attempt = request->map_attempt;
    if (!f.fails_give_new_output)
        return;
    add_row(request->map, true);
    f.maps[request->map].attempt++;
    f.maps[request->map].behaviour = SERVE;
    add_row(request->map, false);
}

/* mutex is held. */
static void task_report(const struct am_task_report_request *request)
{
    f.reports++;
    f.reported_progress = request->progress;
    (void)snprintf(f.reported_status, sizeof(f.reported_status), "%.*s",
                   SLICE_ARGS(request->status));
    for (size_t i = 0; i < request->counters_count; i++) {
        if (slice_equal_string(request->counters[i].name, "map_input_records"))
            f.reported_records = request->counters[i].value;
    }
    (void)pthread_cond_broadcast(&f.changed);
}

static void handle_call(void *user, struct rpc_request *rpc)
{
    static const char *const services[] = {"Umbilical", NULL};
    struct service_request *request = service_accept(rpc, services);
    (void)user;
    if (request == NULL)
        return;
    (void)pthread_mutex_lock(&f.mutex);
    if (request->method == METHOD_UMBILICAL_GET_MAP_OUTPUTS) {
        f.held = request;
        answer_held();
    } else if (request->method == METHOD_UMBILICAL_FETCH_FAILED) {
        struct am_fetch_failed_response response = {0};
        fetch_failed(request->message);
        service_reply(request, &response);
    } else if (request->method == METHOD_UMBILICAL_TASK_REPORT) {
        struct am_task_report_response response = {.must_stop = f.must_stop};
        task_report(request->message);
        service_reply(request, &response);
    } else {
        service_fail(request, ERR_UNSUPPORTED, slice_from_string("not here"));
    }
    (void)pthread_mutex_unlock(&f.mutex);
}

static void call_gone(void *user, uint64_t tag)
{
    (void)user;
    (void)tag;
    (void)pthread_mutex_lock(&f.mutex);
    if (f.held != NULL)
        service_fail(f.held, ERR_CANCELLED, slice_from_string("gone"));
    f.held = NULL;
    (void)pthread_mutex_unlock(&f.mutex);
}

/* --- the node manager ------------------------------------------------------------------------- */

static void serve(struct http_request *request, struct segment_fixture *fixture)
{
    struct buf body = {0};
    enum behaviour behaviour = fixture->bad_serves > 0 ? fixture->behaviour : SERVE;

    fixture->served++;
    if (fixture->bad_serves > 0)
        fixture->bad_serves--;
    if (behaviour == SERVE_NOTHING) {
        http_reply_error(request, ERR_NOT_FOUND, "no such output");
        return;
    }
    if (buf_append_slice(&body,
                         slice_sub(buf_slice(&fixture->run.bytes), (size_t)fixture->segment.offset,
                                   (size_t)fixture->segment.bytes)) != OK)
        abort();
    if (behaviour == SERVE_FLIPPED)
        body.data[body.length / 2] ^= 4;
    if (behaviour == SERVE_LONGER && buf_append(&body, "x", 1) != OK)
        abort();
    http_reply(request, 200, "application/octet-stream", buf_slice(&body));
    buf_close(&body);
}

static void handle_get(void *user, struct http_request *request)
{
    unsigned map;
    unsigned attempt;
    unsigned partition;
    (void)user;
    (void)pthread_mutex_lock(&f.mutex);
    if (sscanf(http_request_rest(request), "application_1700000000000_0007/%u_%u/%u", &map,
               &attempt, &partition) != 3 ||
        map >= MAPS_MAX || partition != 5 || f.maps[map].attempt != attempt ||
        !slice_equal_string(http_request_bearer(request), "token"))
        http_reply_error(request, ERR_NOT_FOUND, "another");
    else
        serve(request, &f.maps[map]);
    (void)pthread_mutex_unlock(&f.mutex);
}

static const struct http_route routes[] = {
    {.method = "GET", .prefix = "/v1/shuffle/", .handle = handle_get},
};

/* --- fixture ---------------------------------------------------------------------------------- */

static void setup(void)
{
    struct rpc_server_options master = {
        .address = "127.0.0.1:0", .handle = handle_call, .cancelled = call_gone};
    struct http_server_options node = {
        .address = "127.0.0.1:0", .routes = routes, .route_count = 1};
    struct umbilical_settings umbilical = {
        .master_address = f.master_address, .token = "token", .give_up_ms = GIVE_UP_MS};

    f = (struct fixture){.directory = "/tmp/test_shuffle.XXXXXX"};
    (void)pthread_mutex_init(&f.mutex, NULL);
    (void)pthread_cond_init(&f.changed, NULL);
    CU_ASSERT_PTR_NOT_NULL_FATAL(mkdtemp(f.directory));
    CU_ASSERT_EQUAL_FATAL(rpc_server_open(&master, &f.master, &f.error), OK);
    CU_ASSERT_EQUAL_FATAL(http_server_open(&node, &f.node, &f.error), OK);
    (void)snprintf(f.master_address, sizeof(f.master_address), "127.0.0.1:%u",
                   (unsigned)rpc_server_port(f.master));
    (void)snprintf(f.node_address, sizeof(f.node_address), "127.0.0.1:%u",
                   (unsigned)http_server_port(f.node));
    CU_ASSERT_EQUAL_FATAL(umbilical_open(&umbilical, &f.umbilical, &f.error), OK);
    CU_ASSERT_EQUAL_FATAL(reporter_open(f.umbilical, &f.reporter, &f.error), OK);
}

static void teardown(void)
{
    shuffle_close(f.shuffle);
    reporter_close(f.reporter);
    umbilical_close(f.umbilical);
    (void)pthread_mutex_lock(&f.mutex);
    if (f.held != NULL)
        service_fail(f.held, ERR_CANCELLED, slice_from_string("over"));
    f.held = NULL;
    (void)pthread_mutex_unlock(&f.mutex);
    rpc_server_close(f.master, 1000);
    http_server_close(f.node);
    for (size_t i = 0; i < MAPS_MAX; i++)
        buf_close(&f.maps[i].run.bytes);
    memory_host_close(&f.host);
    CU_ASSERT_EQUAL(rmdir(f.directory), 0); /* the shuffle's file has no name */
    (void)pthread_cond_destroy(&f.changed);
    (void)pthread_mutex_destroy(&f.mutex);
}

/* Map's segment: the record "key <map>" with value_bytes of value; none when 0. */
static void given_output(uint32_t map, size_t value_bytes)
{
    struct segment_fixture *fixture = &f.maps[map];
    struct run_writer writer;
    char key[20];
    char *value = calloc(value_bytes + 1, 1);

    (void)snprintf(key, sizeof(key), "key %u", map);
    CU_ASSERT_PTR_NOT_NULL_FATAL(value);
    memset(value, 'v', value_bytes);
    fixture->run.host = &f.host;
    CU_ASSERT_EQUAL_FATAL(run_writer_open(&writer, memory_sink_as_sink(&fixture->run), &f.error),
                          OK);
    if (value_bytes > 0)
        CU_ASSERT_EQUAL_FATAL(
            run_writer_add(&writer,
                           (struct record){slice_from_string(key), slice_make(value, value_bytes)},
                           &f.error),
            OK);
    CU_ASSERT_EQUAL_FATAL(run_writer_end_partition(&writer, &fixture->segment, &f.error), OK);
    run_writer_close(&writer);
    free(value);
}

static void given_row(uint32_t map)
{
    (void)pthread_mutex_lock(&f.mutex);
    add_row(map, false);
    (void)pthread_mutex_unlock(&f.mutex);
}

static void given_lost_row(uint32_t map)
{
    (void)pthread_mutex_lock(&f.mutex);
    add_row(map, true);
    (void)pthread_mutex_unlock(&f.mutex);
}

static struct attempt_id attempt(void)
{
    return (struct attempt_id){.app = app, .kind = TASK_REDUCE, .task = 5};
}

static enum status run(uint32_t map_count, uint64_t memory_bytes)
{
    struct shuffle_settings settings = {
        .umbilical = f.umbilical,
        .reporter = f.reporter,
        .token = "token",
        .attempt = attempt(),
        .map_count = map_count,
        .memory_bytes = memory_bytes,
        .directory = f.directory,
    };
    CU_ASSERT_EQUAL_FATAL(shuffle_open(&settings, &f.shuffle, &f.error), OK);
    return shuffle_run(f.shuffle, &f.error);
}

/* Each segment holds its map's record, in map order. */
static void expect_segments(uint32_t map_count)
{
    const struct reduce_segment *segments = shuffle_segments(f.shuffle);
    uint64_t bytes = 0;
    for (uint32_t i = 0; i < map_count; i++) {
        struct run_reader reader;
        struct record record;
        bool has;
        char key[20];
        (void)snprintf(key, sizeof(key), "key %u", i);
        CU_ASSERT_EQUAL(segments[i].bytes, f.maps[i].segment.bytes);
        bytes += segments[i].bytes;
        run_reader_open(&reader, segments[i].store, segments[i].offset, segments[i].bytes);
        CU_ASSERT_EQUAL_FATAL(reader.cursor.next(&reader.cursor, &record, &has, &f.error), OK);
        CU_ASSERT_EQUAL(has, f.maps[i].segment.bytes > 0);
        if (has)
            CU_ASSERT_TRUE(slice_equal_string(record.key, key));
        run_reader_close(&reader);
    }
    CU_ASSERT_EQUAL(shuffle_bytes(f.shuffle), bytes);
}

/* --- tests ------------------------------------------------------------------------------------ */

static void test_shuffle__segments_come_in_map_order(void)
{
    for (uint32_t i = 0; i < MAPS_MAX; i++)
        given_output(i, 100 + i);
    for (uint32_t i = MAPS_MAX; i > 0; i--)
        given_row(i - 1);
    CU_ASSERT_EQUAL_FATAL(run(MAPS_MAX, 1 << 20), OK);
    expect_segments(MAPS_MAX);
    for (uint32_t i = 0; i < MAPS_MAX; i++)
        CU_ASSERT_EQUAL(f.maps[i].served, 1);
}

static void test_shuffle__what_does_not_fit_memory_goes_to_disk(void)
{
    for (uint32_t i = 0; i < 20; i++) {
        given_output(i, i % 2 == 0 ? 50000 : 200000);
        given_row(i);
    }
    CU_ASSERT_EQUAL_FATAL(run(20, 300000), OK);
    expect_segments(20);
}

static void *add_rows_slowly(void *argument)
{
    (void)argument;
    for (uint32_t i = 0; i < 10; i++) {
        struct timespec pause = {.tv_nsec = 2000000};
        given_row(i);
        (void)nanosleep(&pause, NULL); /* only so that rows come in several answers */
    }
    return NULL;
}

static void test_shuffle__rows_may_come_one_by_one(void)
{
    pthread_t thread;
    for (uint32_t i = 0; i < 10; i++)
        given_output(i, 10);
    CU_ASSERT_EQUAL_FATAL(pthread_create(&thread, NULL, add_rows_slowly, NULL), 0);
    CU_ASSERT_EQUAL(run(10, 1 << 20), OK);
    CU_ASSERT_EQUAL(pthread_join(thread, NULL), 0);
    expect_segments(10);
}

static void test_shuffle__empty_segments_are_not_fetched(void)
{
    given_output(0, 0);
    given_output(1, 5);
    given_row(0);
    given_row(1);
    CU_ASSERT_EQUAL_FATAL(run(2, 1 << 20), OK);
    expect_segments(2);
    CU_ASSERT_EQUAL(f.maps[0].served, 0);
}

static void expect_retry(enum behaviour behaviour)
{
    for (uint32_t i = 0; i < 3; i++) {
        given_output(i, 70000);
        given_row(i);
    }
    f.maps[1].behaviour = behaviour;
    f.maps[1].bad_serves = SHUFFLE_TRIES - 1;
    CU_ASSERT_EQUAL_FATAL(run(3, 100000), OK);
    expect_segments(3);
    CU_ASSERT_EQUAL(f.maps[1].served, SHUFFLE_TRIES);
    CU_ASSERT_EQUAL(f.fetch_failures, 0);
}

static void test_shuffle__flipped_bit_is_fetched_again(void)
{
    expect_retry(SERVE_FLIPPED);
}

static void test_shuffle__segment_of_wrong_length_is_fetched_again(void)
{
    expect_retry(SERVE_LONGER);
}

static void test_shuffle__passing_absence_is_ridden_out(void)
{
    expect_retry(SERVE_NOTHING);
}

static void test_shuffle__output_that_stays_bad_is_reported_and_replaced(void)
{
    for (uint32_t i = 0; i < 4; i++) {
        given_output(i, 3000);
        given_row(i);
    }
    f.fails_give_new_output = true;
    f.maps[2].behaviour = SERVE_FLIPPED;
    f.maps[2].bad_serves = UINT32_MAX;
    CU_ASSERT_EQUAL_FATAL(run(4, 1 << 20), OK);
    expect_segments(4);
    CU_ASSERT_EQUAL(f.fetch_failures, 1);
    CU_ASSERT_EQUAL(f.failed_map, 2);
    CU_ASSERT_EQUAL(f.failed_attempt, 0);
    CU_ASSERT_EQUAL(f.maps[2].served, SHUFFLE_TRIES + 1);
}

static void test_shuffle__lost_output_is_waited_for(void)
{
    given_output(0, 10);
    given_output(1, 10);
    given_row(0);
    given_row(1);
    given_lost_row(1);
    f.maps[1].attempt = 1; /* what the first row names is gone */
    given_row(1);
    CU_ASSERT_EQUAL_FATAL(run(2, 1 << 20), OK);
    expect_segments(2);
    CU_ASSERT_EQUAL(f.fetch_failures, 0);
}

static void test_shuffle__attempt_that_is_killed_stops(void)
{
    given_output(0, 10);
    given_row(0);
    f.must_stop = true;
    CU_ASSERT_EQUAL(run(2, 1 << 20), ERR_CANCELLED);
}

static void test_shuffle__silent_master_is_given_up(void)
{
    struct umbilical_settings settings = {
        .master_address = f.master_address, .token = "token", .give_up_ms = 300};
    reporter_close(f.reporter);
    umbilical_close(f.umbilical);
    f.reporter = NULL;
    f.umbilical = NULL;
    rpc_server_close(f.master, 0);
    f.master = NULL;
    CU_ASSERT_EQUAL_FATAL(umbilical_open(&settings, &f.umbilical, &f.error), OK);
    CU_ASSERT_EQUAL_FATAL(reporter_open(f.umbilical, &f.reporter, &f.error), OK);
    CU_ASSERT_EQUAL(run(1, 1 << 20), ERR_UNAVAILABLE);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.error.text, "has not answered"));
}

/* --- reporter --------------------------------------------------------------------------------- */

static void wait_for_reports(unsigned count)
{
    (void)pthread_mutex_lock(&f.mutex);
    while (f.reports < count)
        (void)pthread_cond_wait(&f.changed, &f.mutex);
    (void)pthread_mutex_unlock(&f.mutex);
}

static void test_reporter__snapshots_reach_the_master(void)
{
    struct attempt_id id = attempt();
    struct counters *counters = counters_open();
    struct watcher watcher = reporter_watcher(f.reporter, 0.5F, 0.5F);

    counters_add_task(counters, TASK_MAP_INPUT_RECORDS, 42);
    reporter_begin(f.reporter, &id, 1);
    CU_ASSERT_TRUE(watcher.is_wanted(watcher.user, 0.5F, counters, "half done"));
    wait_for_reports(3);
    reporter_end(f.reporter);
    CU_ASSERT_TRUE(f.reported_progress > 0.74F && f.reported_progress < 0.76F);
    CU_ASSERT_STRING_EQUAL(f.reported_status, "half done");
    CU_ASSERT_EQUAL(f.reported_records, 42);
    counters_close(counters);
}

static void test_reporter__killed_attempt_is_not_wanted(void)
{
    struct attempt_id id = attempt();
    struct counters *counters = counters_open();
    struct watcher watcher = reporter_watcher(f.reporter, 0, 1);

    f.must_stop = true;
    reporter_begin(f.reporter, &id, 1);
    while (watcher.is_wanted(watcher.user, 0, counters, ""))
        continue;
    CU_ASSERT_TRUE(reporter_must_stop(f.reporter));
    reporter_end(f.reporter);
    (void)pthread_mutex_lock(&f.mutex);
    f.must_stop = false;
    (void)pthread_mutex_unlock(&f.mutex);
    reporter_begin(f.reporter, &id, 1000);
    CU_ASSERT_TRUE(watcher.is_wanted(watcher.user, 0, counters, ""));
    reporter_end(f.reporter);
    counters_close(counters);
}

static const struct unit_test tests[] = {
    {"test_shuffle__segments_come_in_map_order",                     "Segments come in map order.",
     test_shuffle__segments_come_in_map_order                                                                                                                        },
    {"test_shuffle__what_does_not_fit_memory_goes_to_disk",
     "What does not fit memory goes to disk.",                                                           test_shuffle__what_does_not_fit_memory_goes_to_disk         },
    {"test_shuffle__rows_may_come_one_by_one",                       "Rows may come one by one.",
     test_shuffle__rows_may_come_one_by_one                                                                                                                          },
    {"test_shuffle__empty_segments_are_not_fetched",                 "Empty segments are not fetched.",
     test_shuffle__empty_segments_are_not_fetched                                                                                                                    },
    {"test_shuffle__flipped_bit_is_fetched_again",                   "A flipped bit is fetched again.",
     test_shuffle__flipped_bit_is_fetched_again                                                                                                                      },
    {"test_shuffle__segment_of_wrong_length_is_fetched_again",
     "A segment of the wrong length is fetched again.",                                                  test_shuffle__segment_of_wrong_length_is_fetched_again      },
    {"test_shuffle__passing_absence_is_ridden_out",                  "A passing absence is ridden out.",
     test_shuffle__passing_absence_is_ridden_out                                                                                                                     },
    {"test_shuffle__output_that_stays_bad_is_reported_and_replaced",
     "An output that stays bad is reported and replaced.",                                               test_shuffle__output_that_stays_bad_is_reported_and_replaced},
    {"test_shuffle__lost_output_is_waited_for",                      "A lost output is waited for.",
     test_shuffle__lost_output_is_waited_for                                                                                                                         },
    {"test_shuffle__attempt_that_is_killed_stops",                   "An attempt that is killed stops.",
     test_shuffle__attempt_that_is_killed_stops                                                                                                                      },
    {"test_shuffle__silent_master_is_given_up",                      "A silent master is given up.",
     test_shuffle__silent_master_is_given_up                                                                                                                         },
    {"test_reporter__snapshots_reach_the_master",                    "Snapshots reach the master.",
     test_reporter__snapshots_reach_the_master                                                                                                                       },
    {"test_reporter__killed_attempt_is_not_wanted",                  "A killed attempt is not wanted.",
     test_reporter__killed_attempt_is_not_wanted                                                                                                                     },
};

int main(int argument_count, char **arguments)
{
    struct error error;
    int code;
    if (net_open(NULL, &error) != OK)
        return 1;
    code = unit_main(argument_count, arguments, "mr/shuffle", tests, UNIT_COUNT(tests), setup,
                     teardown);
    net_close();
    return code;
}
