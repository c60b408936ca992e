/*
 * test_preempt.c - containers taken back for queues below their guarantee (rm/core/preempt.c).
 */
#include "tests/unit/rm/fixture.h"

enum {
    VCORES = 40,
    INTERVAL_MS = 3000,
    GRACE_MS = 15000,
    ROUND_VCORES = VCORES / 10
};

static struct fixture f;
static struct rm_queue_spec specs[2];
static struct fake_node node;
static struct fake_master greedy;
static struct fake_master needy;
static size_t killed; /* of greedy, with -102 */
static size_t warned;

static struct fake_master master_in(const char *queue, uint64_t request_id)
{
    struct slice program = slice_from_string("mr-appmaster");
    struct rm_submit_app_request request = {
        .client_id = 7,
        .request_id = request_id,
        .name = slice_from_string("job"),
        .queue = slice_from_string(queue),
        .master_resource = resource_of(1, 1),
        .master = {.arguments = &program, .arguments_count = 1}
    };
    const struct rm_submit_app_response *response = fixture_reply(
        &f, fixture_request(&f, METHOD_RESOURCE_MANAGER_SUBMIT_APP, &request, "alice"));
    struct app_id app = response->app;
    return given_master(&f, &node, app);
}

static void hear_greedy(void)
{
    if (fixture_is_held(&f, greedy.call))
        return;
    const struct rm_allocate_response *answer = master_hear(&f, &greedy);
    for (size_t i = 0; i < answer->completed_count; i++)
        killed += answer->completed[i].exit_status == RM_EXIT_PREEMPTED;
    for (size_t i = 0; i < answer->preempt_count; i++) {
        CU_ASSERT_EQUAL(answer->preempt[i].deadline_ms, GRACE_MS);
        CU_ASSERT_TRUE(answer->preempt[i].container.sequence != RM_MASTER_SEQUENCE);
    }
    warned += answer->preempt_count;
    for (size_t i = 0; i < answer->grants_count; i++)
        node_beat_started(&f, &node, answer->grants[i].container);
    master_allocate(&f, &greedy, NULL, 0);
}

/* The node ends what it is told to end; both masters listen. Returns what needy was granted. */
static size_t live_ms(int64_t duration_ms)
{
    size_t granted = 0;
    static size_t commands_seen;
    if (node.command_count < commands_seen)
        commands_seen = 0;
    for (int64_t passed = 0; passed < duration_ms; passed += 100) {
        fixture_pass_ms(&f, 100);
        node_listen(&f, &node);
        for (; commands_seen < node.command_count; commands_seen++) {
            const struct rm_node_command *command = &node.commands[commands_seen];
            if (command->kind == NODE_KILL_CONTAINER)
                node_complete(&f, &node, command->container, 143);
        }
        hear_greedy();
        if (!fixture_is_held(&f, needy.call)) {
            const struct rm_allocate_response *answer = master_hear(&f, &needy);
            granted += answer->grants_count;
            for (size_t i = 0; i < answer->grants_count; i++)
                node_beat_started(&f, &node, answer->grants[i].container);
            master_allocate(&f, &needy, NULL, 0);
        }
    }
    return granted;
}

static void setup(void)
{
    specs[0] = (struct rm_queue_spec){.path = slice_from_string("root.greedy")};
    specs[1] = (struct rm_queue_spec){.path = slice_from_string("root.needy")};
}

/* root.greedy has the cluster but for needy's master, and wants more; needy wants `want`. */
static void open_world(uint32_t want)
{
    static struct rm_queue_specs all;
    all =
        (struct rm_queue_specs){.file = slice_from_string("q"), .queues = specs, .queues_count = 2};
    f.settings = rm_settings_default();
    f.settings.queues = &all;
    f.settings.node_lost_ms = f.settings.master_lost_ms = INT32_MAX;
    f.settings.node_heartbeat_interval_ms = f.settings.master_heartbeat_interval_ms = 50;
    fixture_open(&f);
    node = given_node(&f, 1, "h1", "/r", VCORES);
    greedy = master_in("root.greedy", 1);
    needy = master_in("root.needy", 2);
    killed = 0;
    warned = 0;
    struct rm_ask ask = ask_of(1, "*", 1000);
    master_allocate(&f, &greedy, &ask, 1);
    hear_greedy();
    ask.want = want;
    master_allocate(&f, &needy, &ask, 1);
}

static void test_preempt__a_queue_below_gets_its_guarantee_back(void)
{
    open_world(1000);
    size_t granted = live_ms(2 * INTERVAL_MS - 100);
    CU_ASSERT_EQUAL(warned, 0);
    granted += live_ms(300);
    CU_ASSERT_EQUAL(warned, ROUND_VCORES); /* one round's worth */
    CU_ASSERT_EQUAL(killed, 0);
    granted += live_ms(GRACE_MS - 1000);
    CU_ASSERT_EQUAL(killed, 0);
    granted += live_ms(10 * GRACE_MS);
    /* greedy keeps a tenth above its half; needy's master holds one of the rest. */
    CU_ASSERT_EQUAL(granted, VCORES - VCORES / 2 * 11 / 10 - 1);
    CU_ASSERT_EQUAL(killed, granted);
    CU_ASSERT_EQUAL(warned, killed);
    CU_ASSERT_EQUAL(app_report(&f, greedy.app).state, APP_RUNNING);
    fixture_close(&f);
}

static void test_preempt__only_as_much_as_is_wanted(void)
{
    open_world(3);
    size_t granted = live_ms(10 * GRACE_MS);
    CU_ASSERT_EQUAL(granted, 3);
    CU_ASSERT_EQUAL(killed, 3);
    fixture_close(&f);
}

static void test_preempt__who_was_warned_is_spared_when_the_need_goes(void)
{
    open_world(1000);
    (void)live_ms(2 * INTERVAL_MS + 500);
    CU_ASSERT_EQUAL(warned, ROUND_VCORES);
    struct rm_ask none = ask_of(1, "*", 0);
    master_allocate(&f, &needy, &none, 1);
    (void)live_ms(10 * GRACE_MS);
    CU_ASSERT_EQUAL(killed, 0);
    fixture_close(&f);
}

static void test_preempt__a_queue_may_be_left_alone(void)
{
    specs[0].preemption = QUEUE_PREEMPTION_OFF;
    open_world(1000);
    CU_ASSERT_EQUAL(live_ms(10 * GRACE_MS), 0);
    CU_ASSERT_EQUAL(warned, 0);
    fixture_close(&f);
}

static void test_preempt__a_little_above_is_no_reason(void)
{
    specs[0].has_share = specs[1].has_share = true;
    specs[0].share_ppm = 900000;
    specs[1].share_ppm = 100000;
    open_world(1000); /* greedy has 39 of its 36: less than a tenth more */
    CU_ASSERT_EQUAL(live_ms(4 * GRACE_MS), 0);
    CU_ASSERT_EQUAL(warned, 0);
    fixture_close(&f);
}

static void test_preempt__a_master_that_registers_anew_is_warned_again(void)
{
    open_world(1000);
    (void)live_ms(2 * INTERVAL_MS + 500);
    CU_ASSERT_EQUAL(warned, ROUND_VCORES);
    (void)master_register(&f, &greedy);
    struct rm_ask ask = ask_of(1, "*", 1000);
    master_allocate(&f, &greedy, &ask, 1);
    const struct rm_allocate_response *answer = master_hear(&f, &greedy);
    CU_ASSERT_EQUAL(answer->preempt_count, ROUND_VCORES);
    fixture_close(&f);
}

static const struct unit_test tests[] = {
    {"test_preempt__a_queue_below_gets_its_guarantee_back",
     "A queue gets its guarantee back but for the dead zone, a tenth of the cluster a round, after "
     "a warning.",                                                                                                  test_preempt__a_queue_below_gets_its_guarantee_back       },
    {"test_preempt__only_as_much_as_is_wanted",                    "No more is taken back than is wanted.",
     test_preempt__only_as_much_as_is_wanted                                                                                                                                  },
    {"test_preempt__who_was_warned_is_spared_when_the_need_goes",
     "Who was warned is spared when the need has gone.",                                                            test_preempt__who_was_warned_is_spared_when_the_need_goes },
    {"test_preempt__a_queue_may_be_left_alone",                    "A queue without preemption keeps what it has.",
     test_preempt__a_queue_may_be_left_alone                                                                                                                                  },
    {"test_preempt__a_little_above_is_no_reason",
     "A queue a tenth above its guarantee is left alone.",                                                          test_preempt__a_little_above_is_no_reason                 },
    {"test_preempt__a_master_that_registers_anew_is_warned_again",
     "A master that registers anew is warned again.",                                                               test_preempt__a_master_that_registers_anew_is_warned_again},
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "rm/preempt", tests, UNIT_COUNT(tests), setup,
                     NULL);
}
