/*
 * test_nodes.c - node managers: sessions, liveness, what they bring along (rm/core/nodes.c,
 * registration.c, commands.c).
 */
#include <string.h>

#include "lib/model/limits.h"
#include "tests/unit/rm/fixture.h"

static struct fixture f;
static struct fake_node node;
static struct app_id app;
static struct fake_master master;

/* One node with a registered master, sequence 1, and a started task, sequence 2. */
static void setup(void)
{
    f.settings = rm_settings_default();
    fixture_open(&f);
    node = given_node(&f, 1, "h1", "/r0", 4);
    app = given_app(&f, "alice", 1, 0);
    master = given_master(&f, &node, app);
}

static void teardown(void)
{
    fixture_close(&f);
}

static struct container_id container_of(uint64_t sequence)
{
    return (struct container_id){.app = app, .app_attempt = 1, .epoch = 1, .sequence = sequence};
}

static struct rm_container_status status_of(struct container_id container,
                                            enum rm_container_state state)
{
    return (struct rm_container_status){
        .container = container, .state = state, .resource = resource_of(1, 1)};
}

/* The master is granted a container and its node starts it. */
static struct container_id given_task(void)
{
    struct rm_ask ask = ask_of(5, "*", 1);
    master_allocate(&f, &master, &ask, 1);
    const struct rm_allocate_response *answer = master_hear(&f, &master);
    node_beat_started(&f, &node, answer->grants[0].container);
    return answer->grants[0].container;
}

static const struct rm_list_nodes_response *list_nodes(void)
{
    struct rm_list_nodes_request request = {0};
    uint64_t call = fixture_request(&f, METHOD_RESOURCE_MANAGER_LIST_NODES, &request, "bob");
    return fixture_reply(&f, call);
}

static struct rm_node_report report_of(size_t index)
{
    return list_nodes()->nodes[index];
}

static const struct rm_register_node_response *registered(void)
{
    return fixture_reply(&f, node.call);
}

static void test_nodes__users_are_refused(void)
{
    struct rm_node_heartbeat_request request = {.node_id = 1, .session = node.session};
    uint64_t call = fixture_request(&f, METHOD_NODE_TRACKER_NODE_HEARTBEAT, &request, "alice");
    CU_ASSERT_EQUAL(fixture_status(&f, call), ERR_DENIED);
    struct rm_register_node_request registration = {0};
    call = fixture_request(&f, METHOD_NODE_TRACKER_REGISTER_NODE, &registration, "alice");
    CU_ASSERT_EQUAL(fixture_status(&f, call), ERR_DENIED);
}

static void test_nodes__incomplete_nodes_are_refused(void)
{
    struct rm_register_node_request request = {
        .node = {.node_id = 2, .host = slice_from_string("h2"), .rack = slice_from_string("r0")},
        .capacity = resource_of(1, 1)
    };
    uint64_t call =
        fixture_request(&f, METHOD_NODE_TRACKER_REGISTER_NODE, &request, RM_DAEMON_USER);
    CU_ASSERT_EQUAL(fixture_status(&f, call), ERR_INVALID);
    CU_ASSERT_EQUAL(list_nodes()->nodes_count, 1);
}

static void test_nodes__heartbeat_is_held(void)
{
    uint64_t first = node.call;
    fixture_pass_ms(&f, 999);
    CU_ASSERT_TRUE(fixture_is_held(&f, first));
    node_beat(&f, &node);
    CU_ASSERT_EQUAL(fixture_status(&f, first), ERR_CANCELLED);
    fixture_pass_ms(&f, 1000);
    const struct rm_node_heartbeat_response *response = fixture_reply(&f, node.call);
    CU_ASSERT_EQUAL(response->commands_count, 0);
}

static void test_nodes__other_sessions_are_stale(void)
{
    uint64_t old_session = node.session;
    node_register(&f, &node, NULL, 0, NULL, 0);
    CU_ASSERT_NOT_EQUAL(node.session, old_session);
    struct rm_node_heartbeat_request request = {.node_id = 1, .session = old_session};
    uint64_t call =
        fixture_request(&f, METHOD_NODE_TRACKER_NODE_HEARTBEAT, &request, RM_DAEMON_USER);
    CU_ASSERT_EQUAL(fixture_status(&f, call), ERR_STALE);
    request.node_id = 77;
    call = fixture_request(&f, METHOD_NODE_TRACKER_NODE_HEARTBEAT, &request, RM_DAEMON_USER);
    CU_ASSERT_EQUAL(fixture_status(&f, call), ERR_STALE);
}

static void test_nodes__earlier_incarnation_is_refused(void)
{
    struct rm_container_status mine = status_of(container_of(1), CONTAINER_RUNNING);
    node.incarnation = 5;
    node_register(&f, &node, &mine, 1, NULL, 0);
    struct rm_register_node_request request = {
        .node = {.node_id = 1, .host = slice_from_string("h1"), .rack = slice_from_string("/r0")},
        .capacity = resource_of(1, 1),
        .incarnation = 4
    };
    uint64_t call =
        fixture_request(&f, METHOD_NODE_TRACKER_REGISTER_NODE, &request, RM_DAEMON_USER);
    CU_ASSERT_EQUAL(fixture_status(&f, call), ERR_STALE);
    CU_ASSERT_EQUAL(report_of(0).capacity.vcores, 4);
}

static void test_nodes__silent_node_loses_its_containers(void)
{
    struct fake_node two = given_node(&f, 2, "h2", "/r0", 4);
    struct rm_ask ask = ask_of(5, "h2", 1);
    struct rm_ask asks[] = {ask, ask_of(5, "*", 1)};
    master_allocate(&f, &master, asks, 2);
    struct container_id task = master_hear(&f, &master)->grants[0].container;
    node_beat_started(&f, &two, task);
    master_allocate(&f, &master, NULL, 0);
    for (int64_t at = 0; at < f.settings.node_lost_ms; at += 1000) {
        fixture_pass_ms(&f, 1000);
        node_listen(&f, &node);
        if (!fixture_is_held(&f, master.call) && at + 1000 < f.settings.node_lost_ms) {
            (void)master_hear(&f, &master);
            master_allocate(&f, &master, NULL, 0);
        }
    }
    const struct rm_allocate_response *answer = master_hear(&f, &master);
    CU_ASSERT_EQUAL_FATAL(answer->completed_count, 1);
    CU_ASSERT_TRUE(container_id_equal(answer->completed[0].container, task));
    CU_ASSERT_EQUAL(answer->completed[0].exit_status, RM_EXIT_ABORTED);
    CU_ASSERT_EQUAL_FATAL(answer->lost_node_ids_count, 1);
    CU_ASSERT_EQUAL(answer->lost_node_ids[0], 2);
    CU_ASSERT_EQUAL(report_of(1).state, NODE_LOST);
    CU_ASSERT_EQUAL(report_of(1).containers, 0);
    master_allocate(&f, &master, NULL, 0);
    CU_ASSERT_TRUE(fixture_is_held(&f, master.call));
}

static void test_nodes__returning_node_kills_its_containers(void)
{
    struct container_id task = given_task();
    fixture_pass_ms(&f, f.settings.node_lost_ms);
    CU_ASSERT_EQUAL(report_of(0).state, NODE_LOST);
    struct rm_container_status listed[] = {status_of(container_of(1), CONTAINER_RUNNING),
                                           status_of(task, CONTAINER_RUNNING)};
    node_register(&f, &node, listed, 2, NULL, 0);
    CU_ASSERT_EQUAL_FATAL(registered()->kill_count, 2);
    CU_ASSERT_TRUE(container_id_equal(registered()->kill[1], task));
    /* The next master has room beside the two that are on their way out. */
    CU_ASSERT_EQUAL(report_of(0).used.vcores, 3);
    node_complete(&f, &node, task, -106);
    CU_ASSERT_EQUAL(report_of(0).used.vcores, 2);
    node_complete(&f, &node, container_of(1), -106);
    CU_ASSERT_EQUAL(report_of(0).used.vcores, 1);
    CU_ASSERT_EQUAL(app_report(&f, app).app_attempt, 2);
}

static void test_nodes__restarted_node_manager_keeps_its_containers(void)
{
    struct container_id task = given_task();
    struct rm_container_status listed[] = {status_of(container_of(1), CONTAINER_RUNNING),
                                           status_of(task, CONTAINER_RUNNING)};
    node.incarnation++;
    node_register(&f, &node, listed, 2, NULL, 0);
    CU_ASSERT_EQUAL(registered()->kill_count, 0);
    CU_ASSERT_EQUAL(report_of(0).used.vcores, 2);
    CU_ASSERT_EQUAL(app_report(&f, app).containers_running, 2);
    CU_ASSERT_EQUAL(app_report(&f, app).app_attempt, 1);
}

static void test_nodes__container_missing_at_registration_has_ended(void)
{
    struct container_id task = given_task();
    struct rm_container_status listed = status_of(container_of(1), CONTAINER_RUNNING);
    master_allocate(&f, &master, NULL, 0);
    node_register(&f, &node, &listed, 1, NULL, 0);
    const struct rm_allocate_response *answer = master_hear(&f, &master);
    CU_ASSERT_EQUAL_FATAL(answer->completed_count, 1);
    CU_ASSERT_TRUE(container_id_equal(answer->completed[0].container, task));
    CU_ASSERT_EQUAL(answer->completed[0].exit_status, RM_EXIT_ABORTED);
}

static void test_nodes__grant_survives_registration(void)
{
    struct rm_ask ask = ask_of(5, "*", 1);
    master_allocate(&f, &master, &ask, 1);
    struct container_id task = master_hear(&f, &master)->grants[0].container;
    struct rm_container_status listed = status_of(container_of(1), CONTAINER_RUNNING);
    master_allocate(&f, &master, NULL, 0);
    node_register(&f, &node, &listed, 1, NULL, 0);
    CU_ASSERT_TRUE(fixture_is_held(&f, master.call));
    node_beat(&f, &node);
    node_beat_started(&f, &node, task);
    CU_ASSERT_EQUAL(app_report(&f, app).containers_running, 2);
}

static void test_nodes__lost_launch_is_repeated(void)
{
    struct app_id second = given_app(&f, "alice", 2, 0);
    node_listen(&f, &node); /* and acknowledges */
    CU_ASSERT_TRUE(app_id_equal(node_command(&node, NODE_LAUNCH_MASTER, 1)->app, second));
    struct rm_container_status listed = status_of(container_of(1), CONTAINER_RUNNING);
    node_register(&f, &node, &listed, 1, NULL, 0);
    node.command_count = 0;
    node_beat(&f, &node);
    node_listen(&f, &node);
    CU_ASSERT_PTR_NOT_NULL_FATAL(node_command(&node, NODE_LAUNCH_MASTER, 0));
    CU_ASSERT_TRUE(app_id_equal(node_command(&node, NODE_LAUNCH_MASTER, 0)->app, second));
}

static void test_nodes__completions_may_be_repeated(void)
{
    struct container_id task = given_task();
    master_allocate(&f, &master, NULL, 0);
    node_complete(&f, &node, task, 3);
    node_complete(&f, &node, task, 3);
    struct rm_container_status status = status_of(task, CONTAINER_COMPLETED);
    struct rm_node_heartbeat_request request = {.node_id = 1,
                                                .session = node.session,
                                                .acknowledged = node.acknowledged,
                                                .completed = &status,
                                                .completed_count = 1};
    node.call = fixture_request(&f, METHOD_NODE_TRACKER_NODE_HEARTBEAT, &request, RM_DAEMON_USER);
    const struct rm_allocate_response *answer = master_hear(&f, &master);
    CU_ASSERT_EQUAL_FATAL(answer->completed_count, 1);
    CU_ASSERT_EQUAL(answer->completed[0].exit_status, 3);
    CU_ASSERT_TRUE(slice_equal_string(answer->completed[0].diagnostics, "it ended"));
    master_allocate(&f, &master, NULL, 0);
    CU_ASSERT_TRUE(fixture_is_held(&f, master.call));
    fixture_pass_ms(&f, 1000);
    const struct rm_node_heartbeat_response *response = fixture_reply(&f, node.call);
    CU_ASSERT_EQUAL_FATAL(response->acknowledged_count, 1);
    CU_ASSERT_TRUE(container_id_equal(response->acknowledged[0], task));
}

static void test_nodes__unknown_started_container_is_killed(void)
{
    node_beat_started(&f, &node, container_of(99));
    const struct rm_node_command *order = node_command(&node, NODE_KILL_CONTAINER, 0);
    CU_ASSERT_PTR_NOT_NULL_FATAL(order);
    CU_ASSERT_EQUAL(order->container.sequence, 99);
}

static void test_nodes__folders_of_ended_applications_are_forgotten(void)
{
    struct app_id apps[] = {
        app, {.cluster_timestamp = 5, .sequence = 5}
    };
    struct rm_container_status listed = status_of(container_of(1), CONTAINER_RUNNING);
    node_register(&f, &node, &listed, 1, apps, 2);
    node_beat(&f, &node);
    node_listen(&f, &node);
    const struct rm_node_command *order = node_command(&node, NODE_FORGET_APP, 0);
    CU_ASSERT_PTR_NOT_NULL_FATAL(order);
    CU_ASSERT_EQUAL(order->app.sequence, 5);
    CU_ASSERT_PTR_NULL(node_command(&node, NODE_FORGET_APP, 1));
    /* A second node with nothing but the folder hears of the end as well. */
    struct fake_node two = {.id = 2, .host = "h2", .rack = "/r0", .capacity = resource_of(1, 1)};
    node_register(&f, &two, NULL, 0, &app, 1);
    node_beat(&f, &two);
    (void)master_finish(&f, &master, FINAL_SUCCEEDED);
    node_listen(&f, &two);
    CU_ASSERT_PTR_NOT_NULL(node_command(&two, NODE_FORGET_APP, 0));
}

static void test_nodes__unregistered_node_is_gone_at_once(void)
{
    struct rm_unregister_node_request request = {.node_id = 1, .session = node.session};
    uint64_t held = node.call;
    uint64_t call =
        fixture_request(&f, METHOD_NODE_TRACKER_UNREGISTER_NODE, &request, RM_DAEMON_USER);
    CU_ASSERT_EQUAL(fixture_status(&f, call), OK);
    CU_ASSERT_EQUAL(fixture_status(&f, held), ERR_STALE);
    CU_ASSERT_EQUAL(report_of(0).state, NODE_SHUTDOWN);
    CU_ASSERT_EQUAL(app_report(&f, app).app_attempt, 2);
    CU_ASSERT_EQUAL(app_report(&f, app).state, APP_ACCEPTED);
}

static void test_nodes__commands_wait_for_the_next_heartbeat(void)
{
    struct event gone = {.kind = EVENT_REQUEST_CANCELLED, .call = node.call};
    fixture_step(&f, &gone);
    CU_ASSERT_EQUAL(fixture_status(&f, node.call), ERR_CANCELLED);
    struct app_id second = given_app(&f, "alice", 2, 0);
    node_beat(&f, &node);
    node_listen(&f, &node);
    CU_ASSERT_TRUE(app_id_equal(node_command(&node, NODE_LAUNCH_MASTER, 1)->app, second));
}

static void test_nodes__given_up_grants_are_refused_later(void)
{
    struct rm_ask ask = ask_of(5, "*", 1);
    master_allocate(&f, &master, &ask, 1);
    struct container_id granted = master_hear(&f, &master)->grants[0].container;
    fixture_pass_ms(&f, f.settings.node_lost_ms);
    node_register(&f, &node, NULL, 0, NULL, 0);
    CU_ASSERT_EQUAL_FATAL(registered()->kill_count, 2);
    node_register(&f, &node, NULL, 0, NULL, 0); /* the answer was lost */
    CU_ASSERT_EQUAL_FATAL(registered()->kill_count, 2);
    CU_ASSERT_EQUAL(registered()->kill[0].sequence, RM_MASTER_SEQUENCE);
    CU_ASSERT_TRUE(container_id_equal(registered()->kill[1], granted));
    node_beat(&f, &node); /* it was not */
    node_register(&f, &node, NULL, 0, NULL, 0);
    CU_ASSERT_EQUAL(registered()->kill_count, 0);
}

static void when_node_says(const char *unusable)
{
    struct rm_node_heartbeat_request request = {.node_id = node.id,
                                                .session = node.session,
                                                .acknowledged = node.acknowledged,
                                                .unusable = slice_from_string(unusable)};
    node.call = fixture_request(&f, METHOD_NODE_TRACKER_NODE_HEARTBEAT, &request, RM_DAEMON_USER);
}

static void test_nodes__unusable_node_gets_no_containers(void)
{
    struct rm_ask ask = ask_of(5, "*", 1);
    when_node_says("the disk of apps is full");
    CU_ASSERT_TRUE(slice_equal_string(report_of(0).unusable, "the disk of apps is full"));
    CU_ASSERT_EQUAL(report_of(0).state, NODE_ACTIVE);
    CU_ASSERT_EQUAL(report_of(0).containers, 1); /* the master goes on */
    master_allocate(&f, &master, &ask, 1);
    fixture_pass_ms(&f, 500);
    CU_ASSERT_TRUE(fixture_is_held(&f, master.call));
    when_node_says("");
    CU_ASSERT_EQUAL(report_of(0).unusable.length, 0);
    CU_ASSERT_EQUAL(master_hear(&f, &master)->grants_count, 1);
}

static void test_nodes__long_reason_is_cut(void)
{
    char reason[4 * LIMIT_UNUSABLE_BYTES];
    memset(reason, 'x', sizeof(reason) - 1);
    reason[sizeof(reason) - 1] = '\0';
    when_node_says(reason);
    CU_ASSERT_EQUAL(report_of(0).unusable.length, LIMIT_UNUSABLE_BYTES - 1);
}

static const struct unit_test tests[] = {
    {"test_nodes__users_are_refused",                           "Only daemons speak as node managers.",
     test_nodes__users_are_refused                                                                                                                               },
    {"test_nodes__incomplete_nodes_are_refused",
     "A node without id, host, rack or capacity is refused.",                                             test_nodes__incomplete_nodes_are_refused               },
    {"test_nodes__heartbeat_is_held",
     "A heartbeat is held for the interval, and a newer one ends it.",                                    test_nodes__heartbeat_is_held                          },
    {"test_nodes__other_sessions_are_stale",                    "A message of another session is stale.",
     test_nodes__other_sessions_are_stale                                                                                                                        },
    {"test_nodes__earlier_incarnation_is_refused",
     "A copy of the node's directory, which counts earlier starts, is refused.",                          test_nodes__earlier_incarnation_is_refused             },
    {"test_nodes__silent_node_loses_its_containers",
     "A silent node is lost: its containers end with -100 and their master is told both, once.",          test_nodes__silent_node_loses_its_containers           },
    {"test_nodes__returning_node_kills_its_containers",
     "A lost node that returns is told to kill what it still runs, which holds room until it ends.",      test_nodes__returning_node_kills_its_containers        },
    {"test_nodes__restarted_node_manager_keeps_its_containers",
     "A node manager that restarts keeps its containers.",                                                test_nodes__restarted_node_manager_keeps_its_containers},
    {"test_nodes__container_missing_at_registration_has_ended",
     "A started container that the node no longer names has ended.",                                      test_nodes__container_missing_at_registration_has_ended},
    {"test_nodes__grant_survives_registration",
     "A granted container not yet started survives the node manager's restart.",                          test_nodes__grant_survives_registration                },
    {"test_nodes__lost_launch_is_repeated",
     "A master whose accepted launch did not survive the node manager's restart is launched again.",      test_nodes__lost_launch_is_repeated                    },
    {"test_nodes__completions_may_be_repeated",
     "Completed containers may be told again and again; the heartbeat's answer names them.",              test_nodes__completions_may_be_repeated                },
    {"test_nodes__unknown_started_container_is_killed",
     "A started container that nobody counts is killed.",                                                 test_nodes__unknown_started_container_is_killed        },
    {"test_nodes__folders_of_ended_applications_are_forgotten",
     "A node is told to forget the folders it names of applications that are over or unknown.",           test_nodes__folders_of_ended_applications_are_forgotten},
    {"test_nodes__unusable_node_gets_no_containers",
     "A node that says it is unusable gets no containers until it says that it is well; what runs "
     "goes on.",                                                                                          test_nodes__unusable_node_gets_no_containers           },
    {"test_nodes__long_reason_is_cut",                          "A long reason is cut.",                  test_nodes__long_reason_is_cut                         },
    {"test_nodes__unregistered_node_is_gone_at_once",
     "A node that says good-bye takes its containers along at once.",                                     test_nodes__unregistered_node_is_gone_at_once          },
    {"test_nodes__commands_wait_for_the_next_heartbeat",
     "A held heartbeat whose caller has gone is forgotten; commands wait for the next one.",              test_nodes__commands_wait_for_the_next_heartbeat       },
    {"test_nodes__given_up_grants_are_refused_later",
     "A returning node learns what was given up meanwhile, also what it never started.",                  test_nodes__given_up_grants_are_refused_later          },
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "rm/nodes", tests, UNIT_COUNT(tests), setup,
                     teardown);
}
