/*
 * test_restart.c - what a restart of the resource manager keeps (rm/core/records.c,
 * registration.c).
 */
#include <string.h>

#include "tests/unit/rm/fixture.h"

static struct fixture f;
static struct fake_node node;
static struct app_id app;
static struct fake_master master;
static struct container_id task;

static void setup(void)
{
    f.settings = rm_settings_default();
    f.settings.finished_apps_max = 1;
    fixture_open(&f);
    node = given_node(&f, 1, "h1", "/r0", 4);
    app = given_app(&f, "alice", 1, 0);
    master = given_master(&f, &node, app);
    struct rm_ask ask = ask_of(5, "*", 1);
    master_allocate(&f, &master, &ask, 1);
    task = master_hear(&f, &master)->grants[0].container;
    node_beat_started(&f, &node, task);
}

static void teardown(void)
{
    fixture_close(&f);
}

static struct container_id master_container(void)
{
    struct container_id container = task;
    container.sequence = RM_MASTER_SEQUENCE;
    return container;
}

/* The node comes back with the master's container and the task's. */
static void when_node_returns(enum rm_container_state task_state, int32_t exit_status)
{
    struct rm_container_status listed[] = {
        {.container = master_container(),
         .state = CONTAINER_RUNNING,
         .resource = resource_of(1, 1)},
        { .container = task,
         .state = task_state,
         .exit_status = exit_status,
         .resource = resource_of(1, 1)}
    };
    node_register(&f, &node, listed, 2, &app, 1);
}

static void kill_app(struct app_id id)
{
    struct rm_kill_app_request request = {.app = id};
    uint64_t call = fixture_request(&f, METHOD_RESOURCE_MANAGER_KILL_APP, &request, "alice");
    CU_ASSERT_EQUAL(fixture_status(&f, call), OK);
}

static void test_restart__applications_survive(void)
{
    uint64_t version = app_report(&f, app).version;
    fixture_restart(&f);
    struct rm_app_report report = app_report(&f, app);
    CU_ASSERT_EQUAL(report.state, APP_RUNNING);
    CU_ASSERT_TRUE(report.version > version);
    CU_ASSERT_TRUE(slice_equal_string(report.user, "alice"));
    CU_ASSERT_TRUE(slice_equal_string(report.tracking_address, "127.0.0.1:2"));
    CU_ASSERT_TRUE(app_id_equal(given_app(&f, "alice", 1, 0), app));
    struct app_id next = given_app(&f, "alice", 2, 0);
    CU_ASSERT_EQUAL(next.sequence, app.sequence + 1);
    CU_ASSERT_EQUAL(next.cluster_timestamp, app.cluster_timestamp);
    struct rm_list_nodes_request request = {0};
    uint64_t call = fixture_request(&f, METHOD_RESOURCE_MANAGER_LIST_NODES, &request, "bob");
    const struct rm_list_nodes_response *nodes = fixture_reply(&f, call);
    CU_ASSERT_EQUAL(nodes->epoch, 2);
    CU_ASSERT_EQUAL(nodes->nodes_count, 0);
}

static void test_restart__snapshot_equals_the_journal(void)
{
    struct app_id second = given_app(&f, "alice", 2, 3);
    kill_app(second);
    (void)given_app(&f, "bob", 3, 0);
    fixture_restart(&f);
    struct actions first;
    actions_open(&first);
    rm_snapshot(f.rm, &first);
    fixture_restart_from_snapshot(&f);
    struct actions again;
    actions_open(&again);
    rm_snapshot(f.rm, &again);
    CU_ASSERT_EQUAL_FATAL(first.count, again.count);
    for (size_t i = 2; i < first.count; i++) { /* after format and epoch */
        CU_ASSERT_PTR_EQUAL_FATAL(first.items[i].type, again.items[i].type);
        if (first.items[i].type == &journal_app_put_type)
            continue; /* live ones' versions grow with the epoch */
        const struct journal_app_state_changed *left = first.items[i].message;
        const struct journal_app_state_changed *right = again.items[i].message;
        CU_ASSERT_EQUAL(left->report.app.sequence, right->report.app.sequence);
        CU_ASSERT_EQUAL(left->report.state, right->report.state);
        CU_ASSERT_EQUAL(left->is_master_launched, right->is_master_launched);
        CU_ASSERT_EQUAL(left->report.app_attempt, right->report.app_attempt);
    }
    actions_close(&first);
    actions_close(&again);
}

static void test_restart__forgotten_ids_are_not_given_again(void)
{
    struct app_id second = given_app(&f, "alice", 2, 0);
    kill_app(second);
    kill_app(app);
    for (int64_t passed = 0; passed < f.settings.kill_grace_ms; passed += 1000) {
        fixture_pass_ms(&f, 1000);
        node_listen(&f, &node);
    }
    node_complete(&f, &node, task, -106);
    node_complete(&f, &node, master_container(), -106);
    CU_ASSERT_EQUAL(fixture_journaled(&f, &journal_app_remove_type), 1);
    fixture_restart_from_snapshot(&f);
    CU_ASSERT_EQUAL(given_app(&f, "alice", 9, 0).sequence, second.sequence + 1);
}

static void test_restart__master_and_containers_are_kept(void)
{
    fixture_restart(&f);
    master_allocate(&f, &master, NULL, 0);
    const struct rm_allocate_response *answer = fixture_reply(&f, master.call);
    CU_ASSERT_TRUE(answer->must_resync);
    const struct rm_register_master_response *early = master_register(&f, &master);
    CU_ASSERT_EQUAL(early->running_count, 0);
    CU_ASSERT_TRUE(early->is_recovering);
    CU_ASSERT_EQUAL(early->epoch, 2);
    when_node_returns(CONTAINER_RUNNING, 0);
    const struct rm_register_node_response *registered = fixture_reply(&f, node.call);
    CU_ASSERT_EQUAL(registered->kill_count, 0);
    CU_ASSERT_EQUAL(app_report(&f, app).containers_running, 2);
    const struct rm_register_master_response *late = master_register(&f, &master);
    CU_ASSERT_EQUAL_FATAL(late->running_count, 1);
    CU_ASSERT_TRUE(container_id_equal(late->running[0].container, task));
    /* New containers are of the new epoch and do not meet the old ones. */
    struct rm_ask ask = ask_of(5, "*", 1);
    master_allocate(&f, &master, &ask, 1);
    struct container_id fresh = master_hear(&f, &master)->grants[0].container;
    CU_ASSERT_EQUAL(fresh.epoch, 2);
    CU_ASSERT_EQUAL(fresh.sequence, 2);
    CU_ASSERT_EQUAL(app_report(&f, app).app_attempt, 1);
}

static void test_restart__masters_learn_what_is_left(void)
{
    fixture_restart(&f);
    CU_ASSERT_TRUE(master_register(&f, &master)->is_recovering);
    int64_t end_ms = f.now_ms + f.settings.recovery_grace_ms;
    bool must_resync = false;
    while (f.now_ms < end_ms) {
        CU_ASSERT_FALSE(must_resync);
        master_allocate(&f, &master, NULL, 0);
        fixture_pass_ms(&f, 1000);
        must_resync = master_hear(&f, &master)->must_resync;
    }
    CU_ASSERT_TRUE(must_resync);
    const struct rm_register_master_response *response = master_register(&f, &master);
    CU_ASSERT_EQUAL(response->running_count, 0); /* the node never came back */
    CU_ASSERT_FALSE(response->is_recovering);
    master_allocate(&f, &master, NULL, 0);
    CU_ASSERT_TRUE(fixture_is_held(&f, master.call));
}

static void test_restart__completions_meanwhile_are_told(void)
{
    fixture_restart(&f);
    (void)master_register(&f, &master);
    master_allocate(&f, &master, NULL, 0);
    when_node_returns(CONTAINER_COMPLETED, 7);
    const struct rm_allocate_response *answer = master_hear(&f, &master);
    CU_ASSERT_EQUAL_FATAL(answer->completed_count, 1);
    CU_ASSERT_EQUAL(answer->completed[0].exit_status, 7);
}

static void test_restart__completions_wait_for_the_master(void)
{
    fixture_restart(&f);
    when_node_returns(CONTAINER_COMPLETED, 7);
    (void)master_register(&f, &master);
    master_allocate(&f, &master, NULL, 0);
    CU_ASSERT_EQUAL(master_hear(&f, &master)->completed_count, 1);
}

static void test_restart__unheard_master_is_replaced(void)
{
    fixture_restart(&f);
    fixture_pass_ms(&f, f.settings.recovery_grace_ms - 1);
    CU_ASSERT_EQUAL(app_report(&f, app).app_attempt, 1);
    fixture_pass_ms(&f, 1);
    CU_ASSERT_EQUAL(app_report(&f, app).app_attempt, 2);
    /* Its node comes back too late: everything of the old attempt is to be killed. */
    when_node_returns(CONTAINER_RUNNING, 0);
    const struct rm_register_node_response *registered = fixture_reply(&f, node.call);
    CU_ASSERT_EQUAL(registered->kill_count, 2);
    master_allocate(&f, &master, NULL, 0);
    CU_ASSERT_EQUAL(fixture_status(&f, master.call), ERR_FENCED);
}

static void test_restart__seen_master_gets_its_time(void)
{
    fixture_restart(&f);
    when_node_returns(CONTAINER_RUNNING, 0);
    node_beat(&f, &node);
    int64_t end_ms = f.now_ms + f.settings.master_lost_ms;
    while (f.now_ms < end_ms) {
        CU_ASSERT_EQUAL(app_report(&f, app).app_attempt, 1);
        fixture_pass_ms(&f, 1000);
        node_listen(&f, &node);
    }
    CU_ASSERT_EQUAL(app_report(&f, app).app_attempt, 2);
}

static void test_restart__master_that_ended_meanwhile_is_replaced(void)
{
    fixture_restart(&f);
    struct rm_container_status listed = {
        .container = master_container(), .state = CONTAINER_COMPLETED, .exit_status = 1};
    node_register(&f, &node, &listed, 1, &app, 1);
    CU_ASSERT_EQUAL(app_report(&f, app).app_attempt, 2);
}

static void test_restart__waiting_application_is_launched_at_once(void)
{
    struct rm_unregister_node_request request = {.node_id = 1, .session = node.session};
    (void)fixture_request(&f, METHOD_NODE_TRACKER_UNREGISTER_NODE, &request, RM_DAEMON_USER);
    struct app_id second = given_app(&f, "alice", 2, 0);
    fixture_restart(&f);
    struct fake_node two = given_node(&f, 2, "h2", "/r0", 4);
    node_listen(&f, &two);
    CU_ASSERT_PTR_NOT_NULL_FATAL(node_command(&two, NODE_LAUNCH_MASTER, 1));
    CU_ASSERT_EQUAL(node_command(&two, NODE_LAUNCH_MASTER, 0)->container.epoch, 2);
    CU_ASSERT_TRUE(app_id_equal(node_command(&two, NODE_LAUNCH_MASTER, 1)->app, second));
    CU_ASSERT_EQUAL(app_report(&f, second).app_attempt, 1);
}

static void test_restart__promised_kill_is_kept(void)
{
    kill_app(app);
    fixture_restart(&f);
    CU_ASSERT_EQUAL(app_report(&f, app).state, APP_RUNNING);
    (void)master_register(&f, &master);
    master_allocate(&f, &master, NULL, 0);
    CU_ASSERT_TRUE(master_hear(&f, &master)->must_stop);
    fixture_pass_ms(&f, f.settings.kill_grace_ms);
    CU_ASSERT_EQUAL(app_report(&f, app).state, APP_KILLED);
}

static void test_restart__master_may_finish_at_once(void)
{
    fixture_restart(&f);
    CU_ASSERT_EQUAL(fixture_status(&f, master_finish(&f, &master, FINAL_SUCCEEDED)), OK);
    CU_ASSERT_EQUAL(app_report(&f, app).state, APP_FINISHED);
    fixture_restart(&f);
    CU_ASSERT_EQUAL(app_report(&f, app).state, APP_FINISHED);
    when_node_returns(CONTAINER_RUNNING, 0);
    const struct rm_register_node_response *registered = fixture_reply(&f, node.call);
    CU_ASSERT_EQUAL(registered->kill_count, 2);
    node_complete(&f, &node, task, -106);
    node_complete(&f, &node, master_container(), 0);
    node.command_count = 0;
    node_beat(&f, &node);
    node_listen(&f, &node);
    CU_ASSERT_PTR_NOT_NULL(node_command(&node, NODE_FORGET_APP, 0));
}

static void test_restart__senseless_records_stop_the_machine(void)
{
    struct journal_app_remove record = {.app = app};
    struct rm *rm = NULL;
    CU_ASSERT_EQUAL_FATAL(rm_open(&f.settings, 1, &rm), OK);
    struct event event = {
        .kind = EVENT_REPLAY, .type = &journal_app_remove_type, .message = &record};
    struct actions actions;
    actions_open(&actions);
    rm_step(rm, &event, &actions);
    CU_ASSERT_EQUAL_FATAL(actions.count, 1);
    CU_ASSERT_EQUAL(actions.items[0].kind, ACTION_EXIT);
    CU_ASSERT_EQUAL(actions.items[0].exit_code, 1);
    actions_close(&actions);
    rm_close(rm);
}

static const struct unit_test tests[] = {
    {"test_restart__applications_survive",
     "Applications, their requests and the cluster's timestamp survive; the epoch grows.",                      test_restart__applications_survive                   },
    {"test_restart__snapshot_equals_the_journal",             "A snapshot rebuilds what the journal rebuilds.",
     test_restart__snapshot_equals_the_journal                                                                                                                       },
    {"test_restart__forgotten_ids_are_not_given_again",
     "Ids are not given again, even when the newest application was forgotten.",                                test_restart__forgotten_ids_are_not_given_again      },
    {"test_restart__master_and_containers_are_kept",
     "A registered master must register again and keeps its containers.",                                       test_restart__master_and_containers_are_kept         },
    {"test_restart__masters_learn_what_is_left",
     "When recovery is over masters register once more and learn what is left.",                                test_restart__masters_learn_what_is_left             },
    {"test_restart__completions_meanwhile_are_told",
     "A container that ended meanwhile is told to its master.",                                                 test_restart__completions_meanwhile_are_told         },
    {"test_restart__completions_wait_for_the_master",
     "Even before its master has registered again.",                                                            test_restart__completions_wait_for_the_master        },
    {"test_restart__unheard_master_is_replaced",
     "A master that is not heard of within the grace is replaced, without blame.",                              test_restart__unheard_master_is_replaced             },
    {"test_restart__seen_master_gets_its_time",
     "A master whose container is seen gets its full time to speak.",                                           test_restart__seen_master_gets_its_time              },
    {"test_restart__master_that_ended_meanwhile_is_replaced",
     "A master that ended meanwhile is replaced at once.",                                                      test_restart__master_that_ended_meanwhile_is_replaced},
    {"test_restart__waiting_application_is_launched_at_once",
     "An application whose master was not yet launched has it launched at once.",                               test_restart__waiting_application_is_launched_at_once},
    {"test_restart__promised_kill_is_kept",
     "A kill that was promised is carried out after the restart.",                                              test_restart__promised_kill_is_kept                  },
    {"test_restart__master_may_finish_at_once",               "A master may finish without registering again.",
     test_restart__master_may_finish_at_once                                                                                                                         },
    {"test_restart__senseless_records_stop_the_machine",
     "A journal that makes no sense stops the machine.",                                                        test_restart__senseless_records_stop_the_machine     },
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "rm/restart", tests, UNIT_COUNT(tests), setup,
                     teardown);
}
