/*
 * test_master_journal.c - what a master writes for its successor, and what the successor makes of
 * it.
 */
#include <string.h>

#include "appmaster/core/appmaster.h"
#include "lib/base/check.h"
#include "tests/support/unit.h"

enum {
    CALLS_MAX = 256,
    MAPS = 2
};

struct call {
    uint64_t tag;
    enum method method;
    const void *message; /* in f.arena */
    bool is_answered;
};

static struct fixture {
    struct appmaster *am;
    struct actions actions;
    struct arena *arena;
    int64_t now_ms;
    struct call calls[CALLS_MAX];
    size_t calls_count;
    uint64_t next_call;
    const void *reply;                     /* the last one; in f.arena */
    bool reads;                            /* READ_JOURNAL is out */
    const struct am_master_journal *batch; /* the APPEND_JOURNAL that is out, or NULL */
    size_t appends;
    uint64_t tag; /* of the journal effect that is out */
    uint64_t response_sequence;
} f;

static const struct app_id app = {.cluster_timestamp = 1700000000000, .sequence = 1};

static struct slice text(const char *string)
{
    return slice_from_string(string);
}

static void keep(const struct action *action)
{
    if (action->kind == ACTION_CALL) {
        CHECK(f.calls_count < CALLS_MAX);
        const struct message_type *type = method_info(action->method)->request;
        f.calls[f.calls_count++] = (struct call){
            .tag = action->tag,
            .method = action->method,
            .message = message_copy(type, action->message, f.arena),
        };
    } else if (action->kind == ACTION_REPLY) {
        f.reply = message_copy(action->type, action->message, f.arena);
    } else if (action->kind == ACTION_EFFECT && action->effect == APPMASTER_APPEND_JOURNAL) {
        f.batch = message_copy(&am_master_journal_type, action->data, f.arena);
        f.tag = action->tag;
        f.appends++;
    } else if (action->kind == ACTION_EFFECT && action->effect == APPMASTER_READ_JOURNAL) {
        f.reads = true;
        f.tag = action->tag;
    }
}

static void step(struct event event)
{
    event.now_ms = f.now_ms;
    event.wall_ms = 1700000000000 + f.now_ms;
    actions_reset(&f.actions);
    appmaster_step(f.am, &event, &f.actions);
    for (size_t i = 0; i < f.actions.count; i++)
        keep(&f.actions.items[i]);
    appmaster_check(f.am);
}

static void given_master(uint32_t app_attempt, uint32_t reduces)
{
    static struct slice input;
    input = text("/in");
    struct appmaster_settings settings = {
        .app = app,
        .app_attempt = app_attempt,
        .job = {.inputs = &input,
                .inputs_count = 1,
                .output = text("/out"),
                .reduces = reduces,
                .split_bytes = 100,
                .map_resource = {.memory_bytes = 100, .vcores = 1},
                .reduce_resource = {.memory_bytes = 100, .vcores = 1},
                .staging = text("/staging")},
        .user = text("alice"),
        .self_address = text("127.0.0.1:7"),
        .rm_address = text("127.0.0.1:8"),
        .namenode_address = text("127.0.0.1:9"),
    };
    CU_ASSERT_EQUAL_FATAL(appmaster_open(&settings, 1, &f.am), OK);
    step((struct event){.kind = EVENT_START});
}

static void setup(void)
{
    memset(&f, 0, sizeof f);
    f.arena = arena_open(0);
    actions_open(&f.actions);
    f.now_ms = 1000;
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

static void answer(enum method method, enum status status, const void *message)
{
    struct call *call = open_call(method);
    CHECK(call != NULL);
    call->is_answered = true;
    step((struct event){.kind = EVENT_RESPONSE,
                        .tag = call->tag,
                        .method = method,
                        .status = status,
                        .text = text("because of the test"),
                        .message = message});
}

static void when_fenced(void)
{
    struct rm_register_master_response registered = {.epoch = 1};
    struct dfs_fence_output_response fenced = {0};
    answer(METHOD_MASTER_TRACKER_REGISTER_MASTER, OK, &registered);
    answer(METHOD_NAMENODE_FENCE_OUTPUT, OK, &fenced);
    answer(METHOD_NAMENODE_GET_STATUS, ERR_NOT_FOUND, NULL);
}

static void when_planned(void)
{
    struct dfs_get_status_response status = {
        .status = {.kind = FILE_REGULAR, .length = MAPS * 100}
    };
    struct dfs_get_blocks_response located = {
        .status = {.length = MAPS * 100, .block_size = 100}
    };
    answer(METHOD_NAMENODE_GET_STATUS, OK, &status);
    answer(METHOD_NAMENODE_GET_BLOCKS, OK, &located);
}

static void when_journal(enum status status, const struct am_master_journal *records)
{
    enum appmaster_effect effect = f.reads ? APPMASTER_READ_JOURNAL : APPMASTER_APPEND_JOURNAL;
    f.reads = false;
    f.batch = NULL;
    step((struct event){.kind = EVENT_EFFECT_DONE,
                        .tag = f.tag,
                        .effect = (int)effect,
                        .status = status,
                        .text = text("because of the test"),
                        .data = records});
}

static void when_ms_pass(int64_t ms)
{
    f.now_ms += ms;
    step((struct event){.kind = EVENT_TICK});
}

static const void *ask(enum method method, const void *message)
{
    f.reply = NULL;
    step((struct event){.kind = EVENT_REQUEST,
                        .call = ++f.next_call,
                        .method = method,
                        .message = message,
                        .user = text("alice")});
    CHECK(f.reply != NULL);
    return f.reply;
}

static struct am_job_report report(void)
{
    struct am_get_job_request message = {0};
    return ((const struct am_get_job_response *)ask(METHOD_JOB_GET_JOB, &message))->report;
}

static struct container_id container(uint32_t app_attempt, uint64_t sequence)
{
    return (struct container_id){
        .app = app, .app_attempt = app_attempt, .epoch = 1, .sequence = sequence};
}

/* A container of this master; its process is given a task. */
static struct attempt_id when_given(uint32_t app_attempt, uint64_t sequence)
{
    struct rm_grant grant = {
        .container = container(app_attempt, sequence),
        .node = {.node_id = 1, .host = text("h0"), .rpc_address = text("127.0.0.1:70")},
        .resource = {.memory_bytes = 100,            .vcores = 1           },
    };
    struct rm_allocate_response granted = {
        .response_sequence = ++f.response_sequence, .grants = &grant, .grants_count = 1};
    struct nm_start_container_response started = {0};
    struct am_get_task_request message = {.container = grant.container, .wait_ms = 1000};
    answer(METHOD_MASTER_TRACKER_ALLOCATE, OK, &granted);
    answer(METHOD_NODE_MANAGER_START_CONTAINER, OK, &started);
    const struct am_get_task_response *response = ask(METHOD_UMBILICAL_GET_TASK, &message);
    CU_ASSERT_EQUAL_FATAL(response->kind, GET_TASK_RUN);
    return response->attempt;
}

static void when_done(uint32_t app_attempt, uint64_t sequence, struct attempt_id attempt)
{
    uint64_t bytes[1] = {10};
    struct am_task_done_request message = {
        .container = container(app_attempt, sequence),
        .attempt = attempt,
        .partition_bytes = bytes,
        .partition_bytes_count = attempt.kind == TASK_MAP ? 1 : 0,
    };
    const struct am_task_done_response *response = ask(METHOD_UMBILICAL_TASK_DONE, &message);
    CU_ASSERT_TRUE_FATAL(response->is_accepted);
}

/* --- records of a master before ------------------------------------------------------------------
 */
static const uint64_t one_partition[1] = {10};

static struct am_master_record planned(void)
{
    static const struct am_input_split splits[MAPS] = {
        {.length = 100,       .file_length = 200},
        { .length = 100, .file_length = 200,      .offset = 100}
    };
    return (struct am_master_record){
        .kind = MASTER_MAPS_PLANNED,
        .planned = {.maps_total = MAPS, .splits = splits, .splits_count = MAPS},
    };
}

static struct am_master_record succeeded(enum task_kind kind, uint32_t task, uint32_t number)
{
    return (struct am_master_record){
        .kind = MASTER_TASK_SUCCEEDED,
        .succeeded = {.attempt = {.app = app, .kind = kind, .task = task, .attempt = number},
                      .container = container(1, 5),
                      .node = {.node_id = 1, .host = text("h0")},
                      .partition_bytes = one_partition,
                      .partition_bytes_count = kind == TASK_MAP ? 1 : 0,
                      .output_path = text(kind == TASK_MAP ? "" : "/staging/output_1/r0"),
                      .output_file_id = kind == TASK_MAP ? 0 : 77},
    };
}

static struct am_master_record lost(uint32_t task, uint32_t number)
{
    return (struct am_master_record){
        .kind = MASTER_OUTPUT_LOST,
        .lost = {.app = app, .kind = TASK_MAP, .task = task, .attempt = number},
    };
}

static void given_second_master(const struct am_master_record *records, size_t count)
{
    struct am_master_journal journal = {.records = records, .records_count = count};
    given_master(2, 1);
    when_fenced();
    CU_ASSERT_TRUE_FATAL(f.reads);
    when_journal(OK, &journal);
}

/* --- writing ------------------------------------------------------------------------------------
 */
static void test_master_journal__young_job_writes_nothing(void)
{
    given_master(1, 1);
    when_fenced();
    when_planned();
    when_done(1, 2, when_given(1, 2));
    when_ms_pass(199);
    CU_ASSERT_EQUAL(f.appends, 0);
    when_ms_pass(1);
    CU_ASSERT_EQUAL(f.appends, 1);
}

static void test_master_journal__success_is_durable_once_it_is_written(void)
{
    given_master(1, 1);
    when_fenced();
    when_planned();
    struct attempt_id attempt = when_given(1, 2);
    when_done(1, 2, attempt);
    when_ms_pass(200);
    CU_ASSERT_PTR_NOT_NULL_FATAL(f.batch);
    CU_ASSERT_EQUAL_FATAL(f.batch->records_count, 2);
    CU_ASSERT_EQUAL(f.batch->records[0].kind, MASTER_MAPS_PLANNED);
    CU_ASSERT_EQUAL(f.batch->records[0].planned.splits_count, MAPS);
    CU_ASSERT_EQUAL(f.batch->records[1].kind, MASTER_TASK_SUCCEEDED);
    CU_ASSERT_EQUAL(f.batch->records[1].succeeded.attempt.task, attempt.task);
    CU_ASSERT_EQUAL(report().tasks_durable, 0);
    when_journal(OK, NULL);
    CU_ASSERT_EQUAL(report().tasks_durable, 1);
}

static void test_master_journal__one_append_at_a_time_takes_what_came_meanwhile(void)
{
    given_master(1, 1);
    when_fenced();
    when_planned();
    struct attempt_id first = when_given(1, 2);
    struct attempt_id second = when_given(1, 3);
    when_ms_pass(200);
    CU_ASSERT_EQUAL_FATAL(f.appends, 1); /* the plan */
    when_done(1, 2, first);
    when_done(1, 3, second);
    when_ms_pass(1000);
    CU_ASSERT_EQUAL(f.appends, 1);
    when_journal(OK, NULL);
    when_ms_pass(200);
    CU_ASSERT_PTR_NOT_NULL_FATAL(f.batch);
    CU_ASSERT_EQUAL(f.batch->records_count, 2);
}

static void test_master_journal__append_that_failed_is_said_again(void)
{
    given_master(1, 1);
    when_fenced();
    when_planned();
    when_done(1, 2, when_given(1, 2));
    when_ms_pass(200);
    when_journal(ERR_UNAVAILABLE, NULL);
    CU_ASSERT_EQUAL(report().tasks_durable, 0);
    when_ms_pass(100);
    CU_ASSERT_PTR_NOT_NULL_FATAL(f.batch);
    CU_ASSERT_EQUAL(f.batch->records_count, 2);
}

/* --- reading ------------------------------------------------------------------------------------
 */
static void test_master_journal__next_master_keeps_what_was_finished(void)
{
    struct am_master_record records[] = {planned(), succeeded(TASK_MAP, 0, 0)};
    given_second_master(records, 2);
    struct am_job_report job = report();
    CU_ASSERT_EQUAL(job.state, JOB_RUNNING);
    CU_ASSERT_EQUAL(job.maps_done, 1);
    CU_ASSERT_EQUAL(job.tasks_recovered, 1);
    struct attempt_id attempt = when_given(2, 2);
    CU_ASSERT_EQUAL(attempt.kind, TASK_MAP);
    CU_ASSERT_EQUAL(attempt.task, 1);
    CU_ASSERT_EQUAL(attempt.attempt, 1000); /* no attempt of the first master had it */
    when_ms_pass(1000);
    CU_ASSERT_EQUAL(f.appends, 0); /* the third one reads the first one's journal, too */
}

static void test_master_journal__finished_job_is_only_published(void)
{
    struct am_master_record records[] = {planned(), succeeded(TASK_MAP, 0, 0),
                                         succeeded(TASK_MAP, 1, 0), succeeded(TASK_REDUCE, 0, 0)};
    given_second_master(records, 4);
    const struct call *call = open_call(METHOD_NAMENODE_PUBLISH_OUTPUT);
    CHECK(call != NULL);
    const struct dfs_publish_output_request *request = call->message;
    CU_ASSERT_EQUAL_FATAL(request->entries_count, 1);
    CU_ASSERT_EQUAL(request->epoch, 2);
    CU_ASSERT_EQUAL(request->entries[0].file_id, 77);
    CU_ASSERT_TRUE(slice_equal_string(request->entries[0].source, "/staging/output_1/r0"));
}

static void test_master_journal__lost_output_is_made_again(void)
{
    struct am_master_record records[] = {planned(), succeeded(TASK_MAP, 0, 0),
                                         succeeded(TASK_MAP, 1, 0), lost(1, 0)};
    given_second_master(records, 4);
    CU_ASSERT_EQUAL(report().maps_done, 1);
    CU_ASSERT_EQUAL(when_given(2, 2).task, 1);
}

static void test_master_journal__batch_that_was_written_twice_counts_once(void)
{
    struct am_master_record records[] = {planned(),
                                         succeeded(TASK_MAP, 0, 0),
                                         lost(0, 0),
                                         planned(),
                                         succeeded(TASK_MAP, 0, 0),
                                         lost(0, 0),
                                         succeeded(TASK_MAP, 1, 0),
                                         succeeded(TASK_MAP, 1, 0)};
    given_second_master(records, 8);
    struct am_job_report job = report();
    CU_ASSERT_EQUAL(job.maps_total, MAPS);
    CU_ASSERT_EQUAL(job.maps_done, 1);
}

static void test_master_journal__later_plan_voids_what_was_before(void)
{
    struct am_master_record records[] = {planned(), succeeded(TASK_MAP, 0, 0), planned()};
    given_second_master(records, 3);
    CU_ASSERT_EQUAL(report().maps_done, 0);
}

static void test_master_journal__without_a_whole_plan_the_job_is_planned_anew(void)
{
    struct am_master_record records[] = {planned(), succeeded(TASK_MAP, 0, 0)};
    records[0].planned.maps_total = MAPS + 1;
    given_second_master(records, 2);
    when_planned();
    struct am_job_report job = report();
    CU_ASSERT_EQUAL(job.state, JOB_RUNNING);
    CU_ASSERT_EQUAL(job.maps_done, 0);
}

static void test_master_journal__records_that_do_not_fit_are_left_out(void)
{
    struct am_master_record records[] = {planned(),
                                         succeeded(TASK_MAP, 7, 0),
                                         succeeded(TASK_REDUCE, 1, 0),
                                         succeeded(TASK_MAP, 0, 0),
                                         lost(9, 0),
                                         lost(1, 3)};
    records[3].succeeded.partition_bytes_count = 0;
    given_second_master(records, 6);
    struct am_job_report job = report();
    CU_ASSERT_EQUAL(job.state, JOB_RUNNING);
    CU_ASSERT_EQUAL(job.maps_done + job.reduces_done, 0);
}

static void test_master_journal__reading_is_tried_again_while_the_failure_passes(void)
{
    struct am_master_record records[] = {planned(), succeeded(TASK_MAP, 0, 0)};
    struct am_master_journal journal = {.records = records, .records_count = 2};
    given_master(2, 1);
    when_fenced();
    when_journal(ERR_UNAVAILABLE, NULL);
    CU_ASSERT_FALSE(f.reads);
    when_ms_pass(100);
    CU_ASSERT_TRUE_FATAL(f.reads);
    when_journal(OK, &journal);
    CU_ASSERT_EQUAL(report().maps_done, 1);
}

static void test_master_journal__journal_that_cannot_be_read_costs_its_work_only(void)
{
    given_master(2, 1);
    when_fenced();
    when_journal(ERR_CORRUPT, NULL);
    when_planned();
    CU_ASSERT_EQUAL(report().state, JOB_RUNNING);
}

#define TEST(function, sentence)                                                                   \
 {                                                                                                 \
#  function, sentence, function                                                                    \
 }

static const struct unit_test tests[] = {
    TEST(test_master_journal__young_job_writes_nothing, "A young job writes nothing."),
    TEST(test_master_journal__success_is_durable_once_it_is_written,
         "A success is durable once it is written."),
    TEST(test_master_journal__one_append_at_a_time_takes_what_came_meanwhile,
         "One append at a time takes what came meanwhile."),
    TEST(test_master_journal__append_that_failed_is_said_again,
         "An append that failed is said again."),
    TEST(test_master_journal__next_master_keeps_what_was_finished,
         "The next master keeps what was finished."),
    TEST(test_master_journal__finished_job_is_only_published, "A finished job is only published."),
    TEST(test_master_journal__lost_output_is_made_again, "A lost output is made again."),
    TEST(test_master_journal__batch_that_was_written_twice_counts_once,
         "A batch that was written twice counts once."),
    TEST(test_master_journal__later_plan_voids_what_was_before,
         "A later plan voids what was before."),
    TEST(test_master_journal__without_a_whole_plan_the_job_is_planned_anew,
         "Without a whole plan the job is planned anew."),
    TEST(test_master_journal__records_that_do_not_fit_are_left_out,
         "Records that do not fit are left out."),
    TEST(test_master_journal__reading_is_tried_again_while_the_failure_passes,
         "Reading is tried again while the failure passes."),
    TEST(test_master_journal__journal_that_cannot_be_read_costs_its_work_only,
         "A journal that cannot be read costs its work only."),
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "master_journal", tests, UNIT_COUNT(tests), setup,
                     teardown);
}
