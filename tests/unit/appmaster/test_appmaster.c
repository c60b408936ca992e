/*
 * test_appmaster.c - one job's machine, driven by events; its calls are answered by hand.
 */
#include "appmaster/core/appmaster.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/check.h"
#include "lib/base/mem.h"
#include "lib/base/rng.h"
#include "tests/support/unit.h"

enum {
    CALLS_MAX = 4096,
    REPLIES_MAX = 4096
};

struct call {
    uint64_t tag;
    enum method method;
    const void *message; /* in f.arena */
    bool is_answered;
};

struct reply {
    uint64_t call;
    enum status status;
    const void *message; /* in f.arena; NULL for a failure */
};

static struct fixture {
    struct appmaster *am;
    struct appmaster_settings settings;
    struct actions actions;
    struct arena *arena;
    int64_t now_ms;
    uint64_t next_call;
    struct call calls[CALLS_MAX];
    size_t calls_count;
    struct reply replies[REPLIES_MAX];
    size_t replies_count;
    int exit_code; /* -1: still running */
    const struct am_job_history *history;
    uint64_t history_tag;
    uint64_t response_sequence;
    uint64_t next_container;
} f;

static struct slice text(const char *string)
{
    return slice_from_string(string);
}

static void keep(const struct action *action)
{
    if (action->kind == ACTION_CALL && f.calls_count < CALLS_MAX) {
        const struct message_type *type = method_info(action->method)->request;
        f.calls[f.calls_count++] = (struct call){
            .tag = action->tag,
            .method = action->method,
            .message = message_copy(type, action->message, f.arena),
        };
    } else if (action->kind == ACTION_REPLY && f.replies_count < REPLIES_MAX) {
        f.replies[f.replies_count++] = (struct reply){
            .call = action->call,
            .status = OK,
            .message = message_copy(action->type, action->message, f.arena),
        };
    } else if (action->kind == ACTION_FAIL && f.replies_count < REPLIES_MAX) {
        f.replies[f.replies_count++] =
            (struct reply){.call = action->call, .status = action->status};
    } else if (action->kind == ACTION_EFFECT && action->effect == APPMASTER_WRITE_HISTORY) {
        f.history = message_copy(&am_job_history_type, action->data, f.arena);
        f.history_tag = action->tag;
    } else if (action->kind == ACTION_EXIT) {
        f.exit_code = action->exit_code;
    }
}

static void step(struct event event)
{
    if (f.exit_code >= 0)
        return;
    event.now_ms = f.now_ms;
    event.wall_ms = 1700000000000 + f.now_ms;
    actions_reset(&f.actions);
    appmaster_step(f.am, &event, &f.actions);
    for (size_t i = 0; i < f.actions.count; i++)
        keep(&f.actions.items[i]);
    appmaster_check(f.am);
}

static void open_job(uint32_t reduces, uint32_t app_attempt)
{
    static struct slice input;
    input = text("/in");
    f.settings = (struct appmaster_settings){
        .app = {.cluster_timestamp = 1700000000000, .sequence = 1},
        .app_attempt = app_attempt,
        .job = { .name = text("words"),
                .object_name = text("wc.so"),
                .object_path = text("/staging/wc.so"),
                .inputs = &input,
                .inputs_count = 1,
                .output = text("/out"),
                .reduces = reduces,
                .split_bytes = 100,
                .map_resource = {.memory_bytes = 100, .vcores = 1},
                .reduce_resource = {.memory_bytes = 100, .vcores = 1},
                .task_timeout_ms = 60000,
                .staging = text("/staging")},
        .user = text("alice"),
        .self_address = text("127.0.0.1:7"),
        .rm_address = text("127.0.0.1:8"),
        .namenode_address = text("127.0.0.1:9"),
        .history_path = text("/history/1.pb"),
    };
    CU_ASSERT_EQUAL_FATAL(appmaster_open(&f.settings, 1, &f.am), OK);
    step((struct event){.kind = EVENT_START});
}

static void setup(void)
{
    memset(&f, 0, sizeof f);
    f.arena = arena_open(0);
    actions_open(&f.actions);
    f.exit_code = -1;
    f.now_ms = 1000;
    f.next_call = 1;
    f.next_container = 2;
}

static void teardown(void)
{
    appmaster_close(f.am);
    actions_close(&f.actions);
    arena_close(f.arena);
}

static struct call *open_call(enum method method)
{
    for (size_t i = f.calls_count; i > 0; i--)
        if (f.calls[i - 1].method == method && !f.calls[i - 1].is_answered)
            return &f.calls[i - 1];
    return NULL;
}

/* The message of the newest such call that is not answered; there must be one. */
static const void *sent(enum method method)
{
    const struct call *call = open_call(method);
    CHECK(call != NULL);
    return call->message;
}

static void answer(enum method method, enum status status, const void *message)
{
    struct call *call = open_call(method);
    CHECK(call != NULL);
    call->is_answered = true;
    step((struct event){.kind = EVENT_RESPONSE,
                        .tag = call->tag,
                        .method = method,
                        .status = status,
                        .text = text(status == OK ? "" : "because of the test"),
                        .message = status == OK ? message : NULL});
}

static void answer_register(void)
{
    struct rm_register_master_response response = {.epoch = 1};
    answer(METHOD_MASTER_TRACKER_REGISTER_MASTER, OK, &response);
}

static void answer_fence(bool is_published)
{
    struct dfs_fence_output_response response = {.is_published = is_published};
    answer(METHOD_NAMENODE_FENCE_OUTPUT, OK, &response);
}

/* One file of maps * 100 bytes, a block for each 100, the i-th on host h<i % 3>. */
static void answer_plan(size_t maps)
{
    struct dfs_get_status_response status = {
        .status = {.kind = FILE_REGULAR, .length = maps * 100}
    };
    struct dfs_located_block blocks[64] = {0};
    struct dfs_block_replica replicas[64] = {0};
    static const char *const hosts[] = {"h0", "h1", "h2"};
    static const char *const racks[] = {"/r0", "/r1", "/r1"};
    for (size_t i = 0; i < maps; i++) {
        replicas[i].node.host = text(hosts[i % 3]);
        replicas[i].node.rack = text(racks[i % 3]);
        blocks[i] = (struct dfs_located_block){.block_id = i + 1,
                                               .offset = i * 100,
                                               .length = 100,
                                               .replicas = &replicas[i],
                                               .replicas_count = 1};
    }
    struct dfs_get_blocks_response located = {
        .status = {.length = maps * 100, .block_size = 100},
        .blocks = blocks,
        .blocks_count = maps
    };
    answer_fence(false);
    answer(METHOD_NAMENODE_GET_STATUS, ERR_NOT_FOUND, NULL);
    answer(METHOD_NAMENODE_GET_STATUS, OK, &status);
    answer(METHOD_NAMENODE_GET_BLOCKS, OK, &located);
}

static void given_running_job(size_t maps, uint32_t reduces)
{
    open_job(reduces, 1);
    answer_register();
    answer_plan(maps);
}

static struct container_id container(uint64_t sequence)
{
    return (struct container_id){
        .app = f.settings.app, .app_attempt = 1, .epoch = 1, .sequence = sequence};
}

static struct endpoint node(uint64_t id)
{
    static const char *const hosts[] = {"h0", "h1", "h2"};
    static const char *const racks[] = {"/r0", "/r1", "/r1"};
    return (struct endpoint){.node_id = id + 1,
                             .host = text(hosts[id % 3]),
                             .rack = text(racks[id % 3]),
                             .rpc_address = text("127.0.0.1:70")};
}

static void answer_allocate(struct rm_allocate_response response)
{
    response.response_sequence = ++f.response_sequence;
    answer(METHOD_MASTER_TRACKER_ALLOCATE, OK, &response);
}

/* Grants one container on the node and lets its process start; returns its sequence. */
static uint64_t when_granted(uint64_t node_index)
{
    struct rm_grant grant = {
        .container = container(f.next_container++),
        .node = node(node_index),
        .resource = {.memory_bytes = 100, .vcores = 1},
        .priority = 10,
        .token = text("signed")
    };
    answer_allocate((struct rm_allocate_response){.grants = &grant, .grants_count = 1});
    if (open_call(METHOD_NODE_MANAGER_START_CONTAINER)) {
        struct nm_start_container_response response = {0};
        answer(METHOD_NODE_MANAGER_START_CONTAINER, OK, &response);
    }
    return grant.container.sequence;
}

static uint64_t request(enum method method, const void *message)
{
    uint64_t call = f.next_call++;
    step((struct event){.kind = EVENT_REQUEST,
                        .call = call,
                        .method = method,
                        .message = message,
                        .user = text("alice")});
    return call;
}

static const struct reply *find_reply(uint64_t call)
{
    for (size_t i = 0; i < f.replies_count; i++)
        if (f.replies[i].call == call)
            return &f.replies[i];
    return NULL;
}

static const struct reply *reply_to(uint64_t call)
{
    const struct reply *reply = find_reply(call);
    CHECK(reply != NULL);
    return reply;
}

static uint64_t when_asked(uint64_t sequence)
{
    struct am_get_task_request message = {.container = container(sequence), .wait_ms = 1000};
    return request(METHOD_UMBILICAL_GET_TASK, &message);
}

/* The attempt that the container's process is given; fails the test when it is not given one. */
static struct attempt_id expect_task(uint64_t sequence)
{
    const struct reply *reply = reply_to(when_asked(sequence));
    CHECK(reply != NULL);
    const struct am_get_task_response *response = reply->message;
    CHECK(response != NULL);
    CU_ASSERT_EQUAL_FATAL(response->kind, GET_TASK_RUN);
    return response->attempt;
}

static bool when_done(uint64_t sequence, struct attempt_id attempt)
{
    uint64_t bytes[8] = {10, 20, 30, 40, 50, 60, 70, 80};
    struct am_task_done_request message = {
        .container = container(sequence),
        .attempt = attempt,
        .partition_bytes = bytes,
        .partition_bytes_count = attempt.kind == TASK_MAP ? f.settings.job.reduces : 0,
        .output_path = text("/staging/part"),
        .output_file_id = 77,
        .output_length = 5,
    };
    const struct reply *reply = reply_to(request(METHOD_UMBILICAL_TASK_DONE, &message));
    CHECK(reply != NULL);
    return reply->status == OK &&
           ((const struct am_task_done_response *)reply->message)->is_accepted;
}

static void when_failed(uint64_t sequence, struct attempt_id attempt, bool is_fatal)
{
    struct am_task_failed_request message = {.container = container(sequence),
                                             .attempt = attempt,
                                             .diagnostics = text("map function crashed"),
                                             .is_fatal = is_fatal};
    (void)request(METHOD_UMBILICAL_TASK_FAILED, &message);
}

static struct am_job_report job_report(void)
{
    struct am_get_job_request message = {0};
    const struct reply *reply = reply_to(request(METHOD_JOB_GET_JOB, &message));
    CHECK(reply != NULL);
    return ((const struct am_get_job_response *)reply->message)->report;
}

static void when_ms_pass(int64_t ms)
{
    f.now_ms += ms;
    step((struct event){.kind = EVENT_TICK});
}

static void when_published(void)
{
    struct dfs_publish_output_response response = {0};
    answer(METHOD_NAMENODE_PUBLISH_OUTPUT, OK, &response);
}

/* The history is written and the resource manager hears how it ended. */
static void when_told(enum rm_final_status final_status)
{
    step((struct event){
        .kind = EVENT_EFFECT_DONE, .tag = f.history_tag, .effect = APPMASTER_WRITE_HISTORY});
    const struct rm_finish_master_request *finish = sent(METHOD_MASTER_TRACKER_FINISH_MASTER);
    CU_ASSERT_EQUAL(finish->final_status, final_status);
    CU_ASSERT_PTR_NULL(open_call(METHOD_NAMENODE_DELETE));
    if (open_call(METHOD_MASTER_TRACKER_ALLOCATE)) /* the end may overtake the answer to Finish */
        answer(METHOD_MASTER_TRACKER_ALLOCATE, ERR_NOT_FOUND, NULL);
    struct rm_finish_master_response response = {0};
    answer(METHOD_MASTER_TRACKER_FINISH_MASTER, OK, &response);
}

static void when_cleaned(void)
{
    struct dfs_delete_response response = {0};
    answer(METHOD_NAMENODE_DELETE, OK, &response);
}

static void test_appmaster__job_runs_to_its_end(void)
{
    given_running_job(2, 1);
    uint64_t worker = when_granted(0);
    CU_ASSERT_TRUE(when_done(worker, expect_task(worker)));
    CU_ASSERT_TRUE(when_done(worker, expect_task(worker)));
    struct attempt_id reduce = expect_task(worker);
    CU_ASSERT_EQUAL(reduce.kind, TASK_REDUCE);
    CU_ASSERT_TRUE(when_done(worker, reduce));

    struct call *call = open_call(METHOD_NAMENODE_PUBLISH_OUTPUT);
    CHECK(call != NULL);
    const struct dfs_publish_output_request *publish = call->message;
    CU_ASSERT_EQUAL(publish->entries_count, 1);
    CU_ASSERT_TRUE(slice_equal_string(publish->entries[0].name, "part-r-00000"));
    CU_ASSERT_TRUE(publish->write_success);
    CU_ASSERT_EQUAL(publish->epoch, 1);
    when_published();
    CU_ASSERT_EQUAL(job_report().state, JOB_SUCCEEDED);
    CHECK(f.history != NULL);
    CU_ASSERT_EQUAL(f.history->attempts_count, 3);
    when_told(FINAL_SUCCEEDED);
    CU_ASSERT_EQUAL(f.exit_code, -1); /* its files are still there */
    when_cleaned();
    CU_ASSERT_EQUAL(f.exit_code, 0);
}

static void test_appmaster__job_without_reduces_publishes_its_maps(void)
{
    given_running_job(2, 0);
    uint64_t worker = when_granted(0);
    (void)when_done(worker, expect_task(worker));
    (void)when_done(worker, expect_task(worker));
    const struct dfs_publish_output_request *publish = sent(METHOD_NAMENODE_PUBLISH_OUTPUT);
    CU_ASSERT_EQUAL_FATAL(publish->entries_count, 2);
    CU_ASSERT_TRUE(slice_equal_string(publish->entries[1].name, "part-m-00001"));
}

static void test_appmaster__process_gets_the_map_of_its_host_first(void)
{
    given_running_job(3, 1);
    uint64_t on_h1 = when_granted(1);
    struct attempt_id map = expect_task(on_h1);
    CU_ASSERT_EQUAL(map.task, 1);
    CU_ASSERT_EQUAL(expect_task(when_granted(2)).task, 2);
    CU_ASSERT_EQUAL(job_report().maps_node_local, 0); /* none is done */
    CU_ASSERT_TRUE(when_done(on_h1, map));
    CU_ASSERT_EQUAL(job_report().maps_node_local, 1);
}

static void test_appmaster__asks_name_hosts_racks_and_the_total(void)
{
    given_running_job(4, 1);
    const struct rm_allocate_request *request_message = sent(METHOD_MASTER_TRACKER_ALLOCATE);
    uint32_t h0 = 0;
    uint32_t r1 = 0;
    uint32_t any = 0;
    for (size_t i = 0; i < request_message->asks_count; i++) {
        const struct rm_ask *ask = &request_message->asks[i];
        h0 += slice_equal_string(ask->place, "h0") ? ask->want : 0;
        r1 += slice_equal_string(ask->place, "/r1") ? ask->want : 0;
        any += slice_equal_string(ask->place, "*") ? ask->want : 0;
    }
    CU_ASSERT_EQUAL(h0, 2);
    CU_ASSERT_EQUAL(r1, 2);
    CU_ASSERT_EQUAL(any, 4);
}

static void test_appmaster__lost_answer_gives_the_same_attempt_again(void)
{
    given_running_job(2, 1);
    uint64_t worker = when_granted(0);
    struct attempt_id first = expect_task(worker);
    struct attempt_id again = expect_task(worker);
    CU_ASSERT_EQUAL(first.task, again.task);
    CU_ASSERT_EQUAL(first.attempt, again.attempt);
    CU_ASSERT_TRUE(when_done(worker, first));
    CU_ASSERT_TRUE(when_done(worker, first)); /* its answer was lost */
    CU_ASSERT_EQUAL(job_report().maps_done, 1);
}

static void test_appmaster__fourth_failure_fails_the_job_with_its_cause(void)
{
    given_running_job(1, 1);
    uint64_t worker = when_granted(0);
    for (int i = 0; i < 4; i++)
        when_failed(worker, expect_task(worker), false);
    struct am_job_report report = job_report();
    CU_ASSERT_EQUAL(report.state, JOB_FAILED);
    CU_ASSERT_EQUAL(report.attempts_failed, 4);
    CU_ASSERT_PTR_NOT_NULL(strstr((const char *)report.diagnostics.data, "map function crashed"));
    CU_ASSERT_PTR_NOT_NULL(
        strstr((const char *)report.diagnostics.data, "attempt_1700000000000_0001_m_000000_3"));
    CU_ASSERT_PTR_NULL(open_call(METHOD_NAMENODE_PUBLISH_OUTPUT));
    when_told(FINAL_FAILED);
    when_cleaned();
}

static void test_appmaster__map_that_failed_everywhere_is_tried_again(void)
{
    given_running_job(1, 1);
    uint64_t first = when_granted(0);
    uint64_t second = when_granted(1);
    when_failed(first, expect_task(first), false);
    uint64_t waiting = when_asked(first);
    CU_ASSERT_PTR_NULL(find_reply(waiting)); /* another node is free */
    when_failed(second, expect_task(second), false);
    const struct am_get_task_response *response = reply_to(waiting)->message;
    CU_ASSERT_EQUAL(response->kind, GET_TASK_RUN);
    CU_ASSERT_EQUAL(response->attempt.attempt, 2);
}

static void test_appmaster__fatal_failure_is_not_tried_again(void)
{
    given_running_job(1, 1);
    uint64_t worker = when_granted(0);
    when_failed(worker, expect_task(worker), true);
    CU_ASSERT_EQUAL(job_report().state, JOB_FAILED);
}

static void when_completed(uint64_t sequence, int32_t exit_status)
{
    struct rm_container_status status = {
        .container = container(sequence), .state = CONTAINER_COMPLETED, .exit_status = exit_status};
    answer_allocate((struct rm_allocate_response){.completed = &status, .completed_count = 1});
}

static void test_appmaster__attempt_lost_with_its_node_is_no_failure(void)
{
    given_running_job(1, 1);
    uint64_t worker = when_granted(0);
    (void)expect_task(worker);
    when_completed(worker, -100);
    struct am_job_report report = job_report();
    CU_ASSERT_EQUAL(report.attempts_lost, 1);
    CU_ASSERT_EQUAL(report.attempts_failed, 0);
    uint64_t other = when_granted(1);
    CU_ASSERT_EQUAL(expect_task(other).attempt, 1);
}

static void test_appmaster__crashed_process_is_a_failure(void)
{
    given_running_job(1, 1);
    uint64_t worker = when_granted(0);
    (void)expect_task(worker);
    when_completed(worker, 139);
    CU_ASSERT_EQUAL(job_report().attempts_failed, 1);
}

static void test_appmaster__outputs_of_a_lost_node_are_made_again(void)
{
    given_running_job(2, 1);
    uint64_t first = when_granted(0);
    uint64_t second = when_granted(1);
    (void)when_done(first, expect_task(first));
    (void)when_done(second, expect_task(second));
    struct attempt_id reduce = expect_task(second);
    uint64_t lost = node(0).node_id;
    answer_allocate(
        (struct rm_allocate_response){.lost_node_ids = &lost, .lost_node_ids_count = 1});
    struct am_job_report report = job_report();
    CU_ASSERT_EQUAL(report.maps_rerun, 1);
    CU_ASSERT_EQUAL(report.maps_done, 1);

    struct am_get_map_outputs_request outputs = {.attempt = reduce};
    const struct reply *reply = reply_to(request(METHOD_UMBILICAL_GET_MAP_OUTPUTS, &outputs));
    CHECK(reply != NULL);
    const struct am_get_map_outputs_response *response = reply->message;
    CU_ASSERT_EQUAL_FATAL(response->outputs_count, 3);
    CU_ASSERT_TRUE(response->outputs[2].is_lost);
    CU_ASSERT_EQUAL(response->outputs[2].map, 0);
    CU_ASSERT_FALSE(response->must_stop);
}

static void test_appmaster__unfetchable_output_is_made_again_and_the_reduce_goes_on(void)
{
    given_running_job(1, 1);
    uint64_t mapper = when_granted(0);
    (void)when_done(mapper, expect_task(mapper));
    struct attempt_id reduce = expect_task(mapper);
    struct am_fetch_failed_request failed = {.attempt = reduce, .map = 0, .map_attempt = 0};
    (void)request(METHOD_UMBILICAL_FETCH_FAILED, &failed);
    (void)request(METHOD_UMBILICAL_FETCH_FAILED, &failed); /* repeated: the map is not lost twice */
    CU_ASSERT_EQUAL(job_report().maps_rerun, 1);
    uint64_t second = when_granted(1);
    struct attempt_id again = expect_task(second);
    CU_ASSERT_EQUAL(again.kind, TASK_MAP);
    CU_ASSERT_EQUAL(again.attempt, 1);
    CU_ASSERT_TRUE(when_done(second, again));
    CU_ASSERT_TRUE(when_done(mapper, reduce));
    CU_ASSERT_EQUAL(job_report().attempts_failed, 0);
}

static void test_appmaster__reduce_gives_way_to_a_starving_map(void)
{
    given_running_job(1, 1);
    uint64_t worker = when_granted(0);
    (void)when_done(worker, expect_task(worker));
    struct attempt_id reduce = expect_task(worker);
    struct am_fetch_failed_request failed = {.attempt = reduce, .map = 0, .map_attempt = 0};
    (void)request(METHOD_UMBILICAL_FETCH_FAILED, &failed);
    when_ms_pass(2000);
    struct am_job_report report = job_report();
    CU_ASSERT_EQUAL(report.attempts_killed, 1);
    CU_ASSERT_EQUAL(report.attempts_failed, 0);
    CU_ASSERT_PTR_NOT_NULL(open_call(METHOD_NODE_MANAGER_STOP_CONTAINER));
}

static void test_appmaster__zombie_attempt_is_refused(void)
{
    given_running_job(1, 1);
    uint64_t first = when_granted(0);
    struct attempt_id zombie = expect_task(first);
    when_completed(first, -100);
    uint64_t second = when_granted(1);
    struct attempt_id fresh = expect_task(second);
    CU_ASSERT_FALSE(when_done(first, zombie));
    CU_ASSERT_FALSE(when_done(first, fresh)); /* right attempt, wrong container */
    CU_ASSERT_TRUE(when_done(second, fresh));
}

static void test_appmaster__silent_attempt_times_out(void)
{
    given_running_job(1, 1);
    uint64_t worker = when_granted(0);
    (void)expect_task(worker);
    when_ms_pass(59999);
    CU_ASSERT_EQUAL(job_report().attempts_failed, 0);
    when_ms_pass(1);
    CU_ASSERT_EQUAL(job_report().attempts_failed, 1);
}

static void test_appmaster__existing_output_fails_the_job(void)
{
    struct dfs_get_status_response status = {0};
    open_job(1, 1);
    answer_register();
    answer_fence(false);
    answer(METHOD_NAMENODE_GET_STATUS, OK, &status);
    struct am_job_report report = job_report();
    CU_ASSERT_EQUAL(report.state, JOB_FAILED);
    CU_ASSERT_PTR_NOT_NULL(strstr((const char *)report.diagnostics.data, "/out already exists"));
}

static void test_appmaster__second_master_of_a_published_job_just_finishes(void)
{
    open_job(1, 2);
    answer_register();
    answer_fence(true);
    CU_ASSERT_EQUAL(job_report().state, JOB_SUCCEEDED);
    CU_ASSERT_PTR_NULL(open_call(METHOD_NAMENODE_PUBLISH_OUTPUT));
}

static void test_appmaster__fenced_master_publishes_nothing(void)
{
    given_running_job(1, 1);
    answer(METHOD_MASTER_TRACKER_ALLOCATE, ERR_FENCED, NULL);
    CU_ASSERT_EQUAL(f.exit_code, 3);
}

static void test_appmaster__namenode_restart_is_waited_for(void)
{
    open_job(1, 1);
    answer_register();
    answer(METHOD_NAMENODE_FENCE_OUTPUT, ERR_UNAVAILABLE, NULL);
    CU_ASSERT_PTR_NULL(open_call(METHOD_NAMENODE_FENCE_OUTPUT));
    f.now_ms = appmaster_deadline_ms(f.am);
    step((struct event){.kind = EVENT_TICK});
    CU_ASSERT_PTR_NOT_NULL(open_call(METHOD_NAMENODE_FENCE_OUTPUT));
    CU_ASSERT_EQUAL(job_report().state, JOB_SETUP);
}

static void test_appmaster__kill_stops_the_work_and_cleans(void)
{
    given_running_job(2, 1);
    uint64_t worker = when_granted(0);
    (void)expect_task(worker);
    answer_allocate((struct rm_allocate_response){.must_stop = true});
    struct am_job_report report = job_report();
    CU_ASSERT_EQUAL(report.state, JOB_KILLED);
    CU_ASSERT_EQUAL(report.attempts_killed, 1);
    when_told(FINAL_KILLED);
    when_cleaned();
    CU_ASSERT_PTR_NULL(open_call(METHOD_NAMENODE_PUBLISH_OUTPUT));
}

static void test_appmaster__containers_that_never_work_fail_the_job(void)
{
    given_running_job(1, 1);
    for (int i = 0; i < 8; i++)
        when_completed(when_granted((uint64_t)i % 3), 127);
    CU_ASSERT_EQUAL(job_report().state, JOB_FAILED);
}

static void test_appmaster__stranger_is_refused(void)
{
    given_running_job(1, 1);
    struct am_get_task_request message = {.container = container(2)};
    step((struct event){.kind = EVENT_REQUEST,
                        .call = 999,
                        .method = METHOD_UMBILICAL_GET_TASK,
                        .message = &message,
                        .user = text("mallory")});
    const struct reply *reply = reply_to(999);
    CHECK(reply != NULL);
    CU_ASSERT_EQUAL(reply->status, ERR_DENIED);
}

/* Any order of grants, results, failures, losses and repetitions ends in a published output. */
static void random_job(struct rng *rng)
{
    size_t maps = 1 + (size_t)rng_below(rng, 8);
    given_running_job(maps, 1 + (uint32_t)rng_below(rng, 4));

    struct {
        uint64_t sequence;
        bool has_attempt;
        struct attempt_id attempt;
    } workers[64] = {0};

    size_t count = 0;
    for (int turn = 0; turn < 5000 && !open_call(METHOD_NAMENODE_PUBLISH_OUTPUT); turn++) {
        if (count < 3 && open_call(METHOD_MASTER_TRACKER_ALLOCATE)) {
            workers[count].sequence = when_granted(rng_below(rng, 3));
            workers[count++].has_attempt = false;
            continue;
        }
        if (count == 0) {
            when_ms_pass(100);
            continue;
        }
        size_t i = (size_t)rng_below(rng, count);
        uint64_t roll = rng_below(rng, 100);
        if (roll < 4 && open_call(METHOD_MASTER_TRACKER_ALLOCATE)) {
            when_completed(workers[i].sequence, -100);
            workers[i] = workers[--count];
        } else if (roll < 8 && open_call(METHOD_MASTER_TRACKER_ALLOCATE)) {
            uint64_t lost = 1 + rng_below(rng, 3);
            answer_allocate(
                (struct rm_allocate_response){.lost_node_ids = &lost, .lost_node_ids_count = 1});
        } else if (roll < 12 && open_call(METHOD_MASTER_TRACKER_ALLOCATE)) {
            answer(METHOD_MASTER_TRACKER_ALLOCATE, ERR_UNAVAILABLE, NULL);
            when_ms_pass(2000);
        } else if (!workers[i].has_attempt) {
            const struct reply *reply = find_reply(when_asked(workers[i].sequence));
            const struct am_get_task_response *task = reply ? reply->message : NULL;
            if (task && task->kind == GET_TASK_EXIT)
                workers[i] = workers[--count];
            else if (task && task->kind == GET_TASK_RUN)
                workers[i].attempt = task->attempt;
            if (task && task->kind == GET_TASK_RUN)
                workers[i].has_attempt = true;
        } else {
            (void)when_done(workers[i].sequence, workers[i].attempt);
            workers[i].has_attempt = rng_chance(rng, 100000); /* sometimes it is told twice */
        }
    }
    CU_ASSERT_PTR_NOT_NULL(open_call(METHOD_NAMENODE_PUBLISH_OUTPUT));
}

static void test_appmaster__random_jobs_end_published(void)
{
    struct rng rng = rng_seed(unit_seed());
    for (int i = 0; i < 200; i++) {
        random_job(&rng);
        teardown();
        setup();
    }
}

static void test_appmaster__tables_are_sound(void)
{
    const struct transition_table *tables[] = {&appmaster_job_table, &appmaster_task_table,
                                               &appmaster_attempt_table, &appmaster_worker_table};
    for (size_t i = 0; i < 4; i++) {
        size_t row = 0;
        CU_ASSERT_TRUE(transition_table_is_sound(tables[i], &row));
    }
}

#define TEST(function, sentence)                                                                   \
 {                                                                                                 \
#  function, sentence, function                                                                    \
 }

static const struct unit_test tests[] = {
    TEST(test_appmaster__job_runs_to_its_end, "A job runs to its end."),
    TEST(test_appmaster__job_without_reduces_publishes_its_maps,
         "A job without reduces publishes what its maps wrote."),
    TEST(test_appmaster__process_gets_the_map_of_its_host_first,
         "A process gets the map whose block is on its host first."),
    TEST(test_appmaster__asks_name_hosts_racks_and_the_total,
         "Asks name hosts, racks and the total."),
    TEST(test_appmaster__lost_answer_gives_the_same_attempt_again,
         "A process whose answer was lost is given the same attempt again."),
    TEST(test_appmaster__fourth_failure_fails_the_job_with_its_cause,
         "The fourth failure of a task fails the job and names cause and attempt."),
    TEST(test_appmaster__map_that_failed_everywhere_is_tried_again,
         "A map that failed on every free node is tried again all the same."),
    TEST(test_appmaster__fatal_failure_is_not_tried_again, "A fatal failure is not tried again."),
    TEST(test_appmaster__attempt_lost_with_its_node_is_no_failure,
         "An attempt that is lost with its node is no failure of the task."),
    TEST(test_appmaster__crashed_process_is_a_failure, "A crashed process is a failure."),
    TEST(test_appmaster__outputs_of_a_lost_node_are_made_again,
         "Map outputs on a lost node are made again."),
    TEST(test_appmaster__unfetchable_output_is_made_again_and_the_reduce_goes_on,
         "An output that cannot be fetched is made again, and the reduce goes on."),
    TEST(test_appmaster__reduce_gives_way_to_a_starving_map,
         "A reduce gives way to a map that waits for a place too long."),
    TEST(test_appmaster__zombie_attempt_is_refused, "The result of a zombie is refused."),
    TEST(test_appmaster__silent_attempt_times_out, "An attempt without progress times out."),
    TEST(test_appmaster__existing_output_fails_the_job, "An output that exists fails the job."),
    TEST(test_appmaster__second_master_of_a_published_job_just_finishes,
         "The second master of a job that has published just finishes."),
    TEST(test_appmaster__fenced_master_publishes_nothing, "A fenced master leaves at once."),
    TEST(test_appmaster__namenode_restart_is_waited_for, "A namenode's restart is waited for."),
    TEST(test_appmaster__kill_stops_the_work_and_cleans,
         "A kill stops the work and removes what it left."),
    TEST(test_appmaster__containers_that_never_work_fail_the_job,
         "Containers that die before any work fail the job in the end."),
    TEST(test_appmaster__stranger_is_refused, "A stranger's call is refused."),
    TEST(test_appmaster__random_jobs_end_published,
         "Random orders of grants, results and losses end in a published output."),
    TEST(test_appmaster__tables_are_sound, "The state tables are sound."),
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "appmaster", tests, UNIT_COUNT(tests), setup,
                     teardown);
}
