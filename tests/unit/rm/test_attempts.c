/*
 * test_attempts.c - how an application's master is launched, lost, retried and finished
 * (rm/core/attempts.c, masters.c).
 */
#include <string.h>

#include "tests/unit/rm/fixture.h"

static struct fixture f;

static void setup(void)
{
    f.settings = rm_settings_default();
    fixture_open(&f);
}

static void teardown(void)
{
    fixture_close(&f);
}

/* The nodes go on beating while time passes. */
static void pass_ms_beating(struct fake_node **nodes, size_t count, int64_t duration_ms)
{
    int64_t end_ms = f.now_ms + duration_ms;
    while (f.now_ms < end_ms) {
        fixture_pass_ms(&f, end_ms - f.now_ms < 500 ? end_ms - f.now_ms : 500);
        for (size_t i = 0; i < count; i++)
            node_listen(&f, nodes[i]);
    }
}

static struct container_id master_container(const struct fake_master *master,
                                            const struct fake_node *node)
{
    struct container_id container = {0};
    const struct rm_node_command *launch;
    for (size_t i = 0; (launch = node_command(node, NODE_LAUNCH_MASTER, i)) != NULL; i++) {
        if (app_id_equal(launch->app, master->app) &&
            launch->container.app_attempt == master->app_attempt)
            container = launch->container;
    }
    return container;
}

static void test_attempts__master_is_launched_at_once(void)
{
    struct fake_node node = given_node(&f, 1, "h1", "/r0", 4);
    CU_ASSERT_TRUE(fixture_is_held(&f, node.call));
    struct app_id app = given_app(&f, "alice", 1, 0);
    CU_ASSERT_FALSE(fixture_is_held(&f, node.call));
    node_listen(&f, &node);
    const struct rm_node_command *launch = node_command(&node, NODE_LAUNCH_MASTER, 0);
    CU_ASSERT_PTR_NOT_NULL_FATAL(launch);
    CU_ASSERT_TRUE(app_id_equal(launch->app, app));
    CU_ASSERT_EQUAL(launch->container.sequence, RM_MASTER_SEQUENCE);
    CU_ASSERT_EQUAL(launch->container.app_attempt, 1);
    CU_ASSERT_EQUAL(launch->container.epoch, 1);
    CU_ASSERT_EQUAL(launch->resource.vcores, 1);
    CU_ASSERT_TRUE(slice_equal_string(launch->user, "alice"));
    CU_ASSERT_TRUE(slice_equal_string(launch->launch.arguments[0], "mr-appmaster"));
    CU_ASSERT_EQUAL(fixture_journaled(&f, &journal_app_state_changed_type), 1);
}

static void test_attempts__launch_is_repeated_until_acknowledged(void)
{
    struct fake_node node = given_node(&f, 1, "h1", "/r0", 4);
    (void)given_app(&f, "alice", 1, 0);
    for (int i = 0; i < 3; i++) {
        const struct rm_node_heartbeat_response *response = fixture_reply(&f, node.call);
        CU_ASSERT_EQUAL_FATAL(response->commands_count, 1);
        CU_ASSERT_EQUAL(response->commands[0].sequence, 1);
        node_beat(&f, &node); /* the answer was lost */
    }
    node.acknowledged = 1;
    node_beat(&f, &node);
    CU_ASSERT_TRUE(fixture_is_held(&f, node.call));
}

static void test_attempts__exited_master_is_retried_then_fails(void)
{
    struct fake_node one = given_node(&f, 1, "h1", "/r0", 4);
    struct fake_node two = given_node(&f, 2, "h2", "/r0", 4);
    struct app_id app = given_app(&f, "alice", 1, 0);
    node_listen(&f, &one);
    node_listen(&f, &two);
    bool is_on_one = node_command(&one, NODE_LAUNCH_MASTER, 0) != NULL;
    struct fake_node *first = is_on_one ? &one : &two;
    struct fake_node *other = is_on_one ? &two : &one;
    struct fake_master master = given_master(&f, first, app);
    node_complete(&f, first, master_container(&master, first), 1);
    CU_ASSERT_EQUAL(app_report(&f, app).state, APP_ACCEPTED);
    CU_ASSERT_EQUAL(app_report(&f, app).app_attempt, 2);
    CU_ASSERT_EQUAL(app_report(&f, app).tracking_address.length, 0);
    struct fake_master second = given_master(&f, other, app);
    CU_ASSERT_EQUAL(second.app_attempt, 2);
    node_complete(&f, other, master_container(&second, other), 139);
    struct rm_app_report report = app_report(&f, app);
    CU_ASSERT_EQUAL(report.state, APP_FAILED);
    CU_ASSERT_EQUAL(report.final_status, FINAL_FAILED);
    const char *text = (const char *)arena_copy(f.arena, report.diagnostics).data;
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "exited with status 139: it ended"));
    CU_ASSERT_PTR_NOT_NULL(strstr(text, "_000001: the master's container exited with status 1"));
}

static void test_attempts__lost_nodes_do_not_count(void)
{
    struct app_id app = given_app(&f, "alice", 1, 0);
    for (uint64_t id = 1; id <= 4; id++) {
        struct fake_node node = given_node(&f, id, "h1", "/r0", 4);
        struct fake_master master = given_master(&f, &node, app);
        CU_ASSERT_EQUAL(master.app_attempt, id);
        fixture_pass_ms(&f, f.settings.node_lost_ms);
    }
    CU_ASSERT_EQUAL(app_report(&f, app).state, APP_ACCEPTED);
    CU_ASSERT_EQUAL(app_report(&f, app).app_attempt, 5);
}

static void test_attempts__silent_master_is_replaced_and_fenced(void)
{
    struct fake_node node = given_node(&f, 1, "h1", "/r0", 8);
    struct fake_node *nodes[] = {&node};
    struct app_id app = given_app(&f, "alice", 1, 0);
    struct fake_master master = given_master(&f, &node, app);
    struct rm_ask ask = ask_of(5, "*", 2);
    master_allocate(&f, &master, &ask, 1);
    CU_ASSERT_EQUAL(master_hear(&f, &master)->grants_count, 2);
    pass_ms_beating(nodes, 1, f.settings.master_lost_ms - 1);
    CU_ASSERT_EQUAL(app_report(&f, app).app_attempt, 1);
    pass_ms_beating(nodes, 1, 1);
    CU_ASSERT_EQUAL(app_report(&f, app).app_attempt, 2);
    CU_ASSERT_PTR_NOT_NULL(node_command(&node, NODE_KILL_CONTAINER, 2));
    struct fake_master second = given_master(&f, &node, app);
    CU_ASSERT_EQUAL(second.app_attempt, 2);
    master_allocate(&f, &master, NULL, 0);
    CU_ASSERT_EQUAL(fixture_status(&f, master.call), ERR_FENCED);
    CU_ASSERT_EQUAL(fixture_status(&f, master_finish(&f, &master, FINAL_SUCCEEDED)), ERR_FENCED);
    CU_ASSERT_EQUAL(app_report(&f, app).state, APP_RUNNING);
}

static void test_attempts__master_that_never_registers_is_given_up(void)
{
    struct fake_node node = given_node(&f, 1, "h1", "/r0", 4);
    struct fake_node *nodes[] = {&node};
    struct app_id app = given_app(&f, "alice", 1, 0);
    node_listen(&f, &node);
    node_beat_started(&f, &node, node_command(&node, NODE_LAUNCH_MASTER, 0)->container);
    pass_ms_beating(nodes, 1, f.settings.master_launch_ms);
    CU_ASSERT_EQUAL(app_report(&f, app).app_attempt, 2);
}

static void test_attempts__master_never_started_is_launched_again(void)
{
    f.settings.container_launch_ms = 5000;
    fixture_restart(&f);
    struct fake_node node = given_node(&f, 1, "h1", "/r0", 4);
    struct fake_node *nodes[] = {&node};
    struct app_id app = given_app(&f, "alice", 1, 0);
    node_listen(&f, &node);
    pass_ms_beating(nodes, 1, 5000);
    const struct rm_node_command *order = node_command(&node, NODE_KILL_CONTAINER, 0);
    CU_ASSERT_PTR_NOT_NULL_FATAL(order);
    CU_ASSERT_EQUAL(app_report(&f, app).app_attempt, 1);
    node_complete(&f, &node, order->container, -106);
    CU_ASSERT_EQUAL(app_report(&f, app).app_attempt, 2);
    CU_ASSERT_EQUAL(app_report(&f, app).state, APP_ACCEPTED);
}

static void test_attempts__masters_take_only_their_share(void)
{
    struct app_id first = given_app(&f, "alice", 1, 0);
    struct app_id second = given_app(&f, "alice", 2, 0);
    struct app_id third = given_app(&f, "alice", 3, 9);
    struct fake_node node = given_node(&f, 1, "h1", "/r0", 4);
    node_listen(&f, &node);
    /* Two of four vcores: the one of higher priority, then the one submitted first. */
    CU_ASSERT_TRUE(app_id_equal(node_command(&node, NODE_LAUNCH_MASTER, 0)->app, third));
    CU_ASSERT_TRUE(app_id_equal(node_command(&node, NODE_LAUNCH_MASTER, 1)->app, first));
    CU_ASSERT_PTR_NULL(node_command(&node, NODE_LAUNCH_MASTER, 2));
    struct fake_master master = given_master(&f, &node, first);
    CU_ASSERT_EQUAL(fixture_status(&f, master_finish(&f, &master, FINAL_SUCCEEDED)), OK);
    node_complete(&f, &node, master_container(&master, &node), 0);
    node_listen(&f, &node);
    CU_ASSERT_PTR_NOT_NULL_FATAL(node_command(&node, NODE_LAUNCH_MASTER, 2));
    CU_ASSERT_TRUE(app_id_equal(node_command(&node, NODE_LAUNCH_MASTER, 2)->app, second));
}

static void test_attempts__finish_ends_the_application(void)
{
    struct fake_node node = given_node(&f, 1, "h1", "/r0", 4);
    struct fake_node *nodes[] = {&node};
    struct app_id app = given_app(&f, "alice", 1, 0);
    struct fake_master master = given_master(&f, &node, app);
    struct rm_ask ask = ask_of(5, "*", 1);
    master_allocate(&f, &master, &ask, 1);
    struct container_id task = master_hear(&f, &master)->grants[0].container;
    master_allocate(&f, &master, NULL, 0);
    CU_ASSERT_EQUAL(fixture_status(&f, master_finish(&f, &master, FINAL_SUCCEEDED)), OK);
    CU_ASSERT_EQUAL(fixture_status(&f, master.call), ERR_FENCED);
    CU_ASSERT_EQUAL(app_report(&f, app).state, APP_FINISHED);
    CU_ASSERT_EQUAL(app_report(&f, app).final_status, FINAL_SUCCEEDED);
    CU_ASSERT_EQUAL(fixture_status(&f, master_finish(&f, &master, FINAL_SUCCEEDED)), OK);
    CU_ASSERT_EQUAL(fixture_status(&f, master_finish(&f, &master, FINAL_FAILED)), ERR_FENCED);
    node_listen(&f, &node);
    CU_ASSERT_TRUE(
        container_id_equal(node_command(&node, NODE_KILL_CONTAINER, 0)->container, task));
    CU_ASSERT_PTR_NULL(node_command(&node, NODE_KILL_CONTAINER, 1));
    pass_ms_beating(nodes, 1, f.settings.kill_grace_ms);
    CU_ASSERT_PTR_NOT_NULL(node_command(&node, NODE_KILL_CONTAINER, 1)); /* the master */
    master_allocate(&f, &master, NULL, 0);
    CU_ASSERT_TRUE(master_hear(&f, &master)->must_stop);
}

static void test_attempts__failed_job_is_a_finished_application(void)
{
    struct fake_node node = given_node(&f, 1, "h1", "/r0", 4);
    struct app_id app = given_app(&f, "alice", 1, 0);
    struct fake_master master = given_master(&f, &node, app);
    CU_ASSERT_EQUAL(fixture_status(&f, master_finish(&f, &master, FINAL_FAILED)), OK);
    CU_ASSERT_EQUAL(app_report(&f, app).state, APP_FINISHED);
    CU_ASSERT_EQUAL(app_report(&f, app).final_status, FINAL_FAILED);
    CU_ASSERT_EQUAL(app_report(&f, app).app_attempt, 1);
}

static void test_attempts__strangers_are_refused(void)
{
    struct fake_node node = given_node(&f, 1, "h1", "/r0", 4);
    struct app_id app = given_app(&f, "alice", 1, 0);
    node_listen(&f, &node);
    struct rm_register_master_request request = {.app = app, .app_attempt = 1};
    uint64_t call = fixture_request(&f, METHOD_MASTER_TRACKER_REGISTER_MASTER, &request, "bob");
    CU_ASSERT_EQUAL(fixture_status(&f, call), ERR_DENIED);
    request.app_attempt = 2;
    call = fixture_request(&f, METHOD_MASTER_TRACKER_REGISTER_MASTER, &request, "alice");
    CU_ASSERT_EQUAL(fixture_status(&f, call), ERR_INVALID);
    request.app.sequence = 99;
    call = fixture_request(&f, METHOD_MASTER_TRACKER_REGISTER_MASTER, &request, "alice");
    CU_ASSERT_EQUAL(fixture_status(&f, call), ERR_NOT_FOUND);
    request.app = app;
    request.app_attempt = 1;
    call = fixture_request(&f, METHOD_MASTER_TRACKER_REGISTER_MASTER, &request, "alice");
    CU_ASSERT_EQUAL(fixture_status(&f, call), OK);
}

static void test_attempts__own_stall_is_not_others_silence(void)
{
    struct fake_node node = given_node(&f, 1, "h1", "/r0", 4);
    struct app_id app = given_app(&f, "alice", 1, 0);
    struct fake_master master = given_master(&f, &node, app);
    master_allocate(&f, &master, NULL, 0);
    f.now_ms += 60000; /* not stepped for a minute */
    struct event tick = {.kind = EVENT_TICK};
    fixture_step(&f, &tick);
    CU_ASSERT_EQUAL(app_report(&f, app).state, APP_RUNNING);
    fixture_pass_ms(&f, 1999);
    CU_ASSERT_EQUAL(app_report(&f, app).state, APP_RUNNING);
    fixture_pass_ms(&f, 1); /* but in the end it does */
    CU_ASSERT_EQUAL(app_report(&f, app).state, APP_ACCEPTED);
}

static const struct unit_test tests[] = {
    {"test_attempts__master_is_launched_at_once",
     "A held heartbeat is answered with the launch in the step of the submission.",                test_attempts__master_is_launched_at_once             },
    {"test_attempts__launch_is_repeated_until_acknowledged",
     "A launch is repeated until it is acknowledged, then no more.",                               test_attempts__launch_is_repeated_until_acknowledged  },
    {"test_attempts__exited_master_is_retried_then_fails",
     "A master that exits before FinishMaster is tried again, elsewhere, and then the application "
     "* fails with the container's diagnostics.",                                                  test_attempts__exited_master_is_retried_then_fails    },
    {"test_attempts__lost_nodes_do_not_count",
     "The loss of its node does not count against the application.",                               test_attempts__lost_nodes_do_not_count                },
    {"test_attempts__silent_master_is_replaced_and_fenced",
     "A silent master is given up: its containers are killed, it is fenced, the next one starts.", test_attempts__silent_master_is_replaced_and_fenced   },
    {"test_attempts__master_that_never_registers_is_given_up",
     "A master that never registers is given up.",                                                 test_attempts__master_that_never_registers_is_given_up},
    {"test_attempts__master_never_started_is_launched_again",
     "A master whose process never starts is launched again without blame.",                       test_attempts__master_never_started_is_launched_again },
    {"test_attempts__masters_take_only_their_share",
     "Masters together take only their share, but one always may run.",                            test_attempts__masters_take_only_their_share          },
    {"test_attempts__finish_ends_the_application",
     "FinishMaster ends the application, kills its tasks, leaves the master time to exit, and may "
     "be * repeated.",                                                                             test_attempts__finish_ends_the_application            },
    {"test_attempts__failed_job_is_a_finished_application",
     "A master's failure is told as a finished application that failed.",                          test_attempts__failed_job_is_a_finished_application   },
    {"test_attempts__strangers_are_refused",
     "Another user cannot speak for a master, nor can an attempt that does not exist.",            test_attempts__strangers_are_refused                  },
    {"test_attempts__own_stall_is_not_others_silence",
     "A resource manager that was itself stopped does not hold silence against the others.",       test_attempts__own_stall_is_not_others_silence        },
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "rm/attempts", tests, UNIT_COUNT(tests), setup,
                     teardown);
}
