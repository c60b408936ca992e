/*
 * test_nodemgr_registration.c - a node and the resource manager: sessions, heartbeats, commands,
 * reports, stopping.
 */
#include "tests/unit/nodemgr/nodemgr_fixture.h"

#include <stdio.h>

static void test_nodemgr__open_needs_identity_and_address(void)
{
    struct nodemgr_settings settings = plain_settings();
    settings.self.node_id = 0;
    CU_ASSERT_EQUAL(nodemgr_open(&settings, 1, &f.nodemgr), ERR_INVALID);
    settings = plain_settings();
    settings.rm_address = slice_from_string("");
    CU_ASSERT_EQUAL(nodemgr_open(&settings, 1, &f.nodemgr), ERR_INVALID);
    settings = plain_settings();
    settings.grant_verify = NULL;
    CU_ASSERT_EQUAL(nodemgr_open(&settings, 1, &f.nodemgr), ERR_INVALID);
    CU_ASSERT_PTR_NULL(f.nodemgr);
}

static void test_nodemgr__registration_names_known_applications(void)
{
    struct nodemgr_settings settings = plain_settings();
    struct app_id apps[2] = {
        container(1).app, {.cluster_timestamp = 5, .sequence = 9}
    };
    settings.known_apps = apps;
    settings.known_apps_count = 2;
    CU_ASSERT_EQUAL_FATAL(nodemgr_open(&settings, 1, &f.nodemgr), OK);
    EXPECT("");
    step((struct event){.kind = EVENT_START});
    EXPECT("nm 7 UNREGISTERED->REGISTERING\n"
           "call RegisterNode apps=1,9\n");
    when_registered_with(11);
    EXPECT("nm 7 REGISTERING->REGISTERED\n"
           "call NodeHeartbeat session=11 acknowledged=0 running=0\n");
    CU_ASSERT_EQUAL(nodemgr_deadline_ms(f.nodemgr), INT64_MAX);
}

static void test_nodemgr__refused_registration_is_repeated_with_growing_pauses(void)
{
    given_node();
    int64_t longest = RETRY_MS;
    for (int i = 0; i < 8; i++) {
        when_answered(METHOD_NODE_TRACKER_REGISTER_NODE, ERR_UNAVAILABLE, NULL);
        EXPECT("nm 7 REGISTERING->UNREGISTERED\n");
        int64_t pause = nodemgr_deadline_ms(f.nodemgr) - f.now_ms;
        CU_ASSERT_TRUE(pause >= longest / 2);
        CU_ASSERT_TRUE(pause <= longest);
        longest = longest * 2 < 2000 ? longest * 2 : 2000;
        when_deadline_comes();
        EXPECT("nm 7 UNREGISTERED->REGISTERING\n"
               "call RegisterNode\n");
    }
}

static void test_nodemgr__heartbeat_is_called_again_at_once(void)
{
    given_registered();
    when_commanded(NULL, 0);
    EXPECT("call NodeHeartbeat session=11 acknowledged=0 running=0\n");
}

static void test_nodemgr__cancelled_heartbeat_is_no_failure(void)
{
    given_registered();
    for (int i = 0; i < 3; i++) {
        when_answered(METHOD_NODE_TRACKER_NODE_HEARTBEAT, ERR_CANCELLED, NULL);
        EXPECT("");
        CU_ASSERT_EQUAL(nodemgr_deadline_ms(f.nodemgr), f.now_ms + RETRY_MS);
        when_deadline_comes();
        EXPECT("call NodeHeartbeat session=11 acknowledged=0 running=0\n");
    }
}

static void test_nodemgr__started_containers_are_told_until_heard(void)
{
    given_registered();
    given_running(2);
    when_commanded(NULL, 0);
    EXPECT("call NodeHeartbeat session=11 acknowledged=0 started=2 running=1\n");
    when_answered(METHOD_NODE_TRACKER_NODE_HEARTBEAT, ERR_DEADLINE, NULL);
    when_deadline_comes();
    EXPECT("call NodeHeartbeat session=11 acknowledged=0 started=2 running=1\n");
    given_running(3);
    when_commanded(NULL, 0);
    EXPECT("call NodeHeartbeat session=11 acknowledged=0 started=3 running=2\n");
    when_commanded(NULL, 0);
    EXPECT("call NodeHeartbeat session=11 acknowledged=0 running=2\n");
}

static void test_nodemgr__new_session_hears_of_running_containers(void)
{
    given_registered();
    given_running(2);
    when_commanded(NULL, 0);
    when_commanded(NULL, 0);
    buf_clear(&f.text);
    when_answered(METHOD_NODE_TRACKER_NODE_HEARTBEAT, ERR_STALE, NULL);
    EXPECT("nm 7 REGISTERED->UNREGISTERED\n");
    when_deadline_comes();
    EXPECT("nm 7 UNREGISTERED->REGISTERING\n"
           "call RegisterNode containers=2:CONTAINER_RUNNING apps=1\n");
    when_registered_with(12);
    EXPECT("nm 7 REGISTERING->REGISTERED\n"
           "call NodeHeartbeat session=12 acknowledged=0 started=2 running=1\n");
}

static void test_nodemgr__completed_container_is_told_beside_the_heartbeat(void)
{
    given_registered();
    given_running(2);
    given_running(3);
    when_exited(2, 0, 0, "");
    buf_clear(&f.text);
    when_exited(3, 0, 0, "");
    EXPECT("nm 7 container 1.3 RUNNING->COMPLETED\n"
           "clean 3\n"); /* one report at a time */
    when_answered(METHOD_NODE_TRACKER_CONTAINERS_COMPLETED, OK, NULL);
    EXPECT("call ContainersCompleted 3:0\n");
    when_answered(METHOD_NODE_TRACKER_CONTAINERS_COMPLETED, OK, NULL);
    EXPECT("");
    CU_ASSERT_EQUAL(nodemgr_deadline_ms(f.nodemgr), INT64_MAX);
}

static void test_nodemgr__lost_report_is_repeated(void)
{
    given_registered();
    given_running(2);
    when_exited(2, 0, 0, "");
    buf_clear(&f.text);
    when_answered(METHOD_NODE_TRACKER_CONTAINERS_COMPLETED, ERR_DEADLINE, NULL);
    EXPECT("");
    when_commanded(NULL, 0);
    EXPECT("call NodeHeartbeat session=11 acknowledged=0 completed=2:0 running=0\n");
    when_deadline_comes();
    EXPECT("call ContainersCompleted 2:0\n");
}

static void test_nodemgr__heartbeat_acknowledges_completed_containers(void)
{
    given_registered();
    given_running(2);
    when_exited(2, 0, 0, "");
    buf_clear(&f.text);
    struct container_id known = container(2);
    struct rm_node_heartbeat_response response = {.acknowledged = &known, .acknowledged_count = 1};
    when_answered(METHOD_NODE_TRACKER_NODE_HEARTBEAT, OK, &response);
    EXPECT("call NodeHeartbeat session=11 acknowledged=0 running=0\n");
    when_answered(METHOD_NODE_TRACKER_CONTAINERS_COMPLETED, ERR_DEADLINE, NULL);
    when_ms_pass(5000);
    EXPECT("");
}

static void test_nodemgr__registration_acknowledges_completed_containers(void)
{
    given_registered();
    given_running(2);
    given_running(3);
    when_exited(2, 0, 0, "");
    when_answered(METHOD_NODE_TRACKER_CONTAINERS_COMPLETED, ERR_STALE, NULL);
    buf_clear(&f.text);
    when_deadline_comes();
    EXPECT("nm 7 UNREGISTERED->REGISTERING\n"
           "call RegisterNode containers=2:0,3:CONTAINER_RUNNING apps=1\n");
    when_exited(3, 0, 0, ""); /* not listed as completed: still to be told */
    buf_clear(&f.text);
    when_answered(METHOD_NODE_TRACKER_NODE_HEARTBEAT, ERR_CANCELLED, NULL);
    when_registered_with(12);
    EXPECT("nm 7 REGISTERING->REGISTERED\n"
           "call ContainersCompleted 3:0\n"
           "call NodeHeartbeat session=12 acknowledged=0 completed=3:0 running=0\n");
}

static void test_nodemgr__refused_registration_acknowledges_nothing(void)
{
    given_registered();
    given_running(2);
    when_exited(2, 0, 0, "");
    when_answered(METHOD_NODE_TRACKER_CONTAINERS_COMPLETED, ERR_STALE, NULL);
    when_deadline_comes();
    when_answered(METHOD_NODE_TRACKER_REGISTER_NODE, ERR_DEADLINE, NULL);
    buf_clear(&f.text);
    when_deadline_comes();
    EXPECT("nm 7 UNREGISTERED->REGISTERING\n"
           "call RegisterNode containers=2:0 apps=1\n");
}

static void test_nodemgr__lost_session_ends_the_held_heartbeat(void)
{
    given_registered();
    given_running(2);
    when_exited(2, 0, 0, "");
    buf_clear(&f.text);
    when_answered(METHOD_NODE_TRACKER_CONTAINERS_COMPLETED, ERR_NOT_FOUND, NULL);
    EXPECT("nm 7 REGISTERED->UNREGISTERED\n"
           "cancel heartbeat\n");
}

static void test_nodemgr__commands_of_an_earlier_session_are_ignored(void)
{
    given_registered();
    given_running(2);
    given_running(3);
    when_exited(2, 0, 0, "");
    when_answered(METHOD_NODE_TRACKER_CONTAINERS_COMPLETED, ERR_STALE, NULL);
    when_deadline_comes();
    when_registered_with(12);
    buf_clear(&f.text);
    when_kill_commanded(3); /* the answer to the heartbeat of session 11 */
    EXPECT("call NodeHeartbeat session=12 acknowledged=0 started=3 running=1\n");
    when_kill_commanded(3);
    EXPECT("nm 7 container 1.3 RUNNING->KILLING\n"
           "term 103\n"
           "call NodeHeartbeat session=12 acknowledged=1 running=1\n");
}

static void test_nodemgr__repeated_command_is_performed_once(void)
{
    given_registered();
    given_running(2);
    when_kill_commanded(2);
    EXPECT("nm 7 container 1.2 RUNNING->KILLING\n"
           "term 102\n"
           "call NodeHeartbeat session=11 acknowledged=1 started=2 running=1\n");
    when_kill_commanded(2);
    EXPECT("call NodeHeartbeat session=11 acknowledged=1 running=1\n");
}

static void test_nodemgr__killed_before_its_start_is_reported_and_refused(void)
{
    given_registered();
    when_kill_commanded(2);
    EXPECT("nm 7 container 1.2 NEW->COMPLETED\n"
           "call ContainersCompleted 2:-106\n"
           "call NodeHeartbeat session=11 acknowledged=1 completed=2:-106 running=0\n");
    when_start_asked(2);
    EXPECT("fail 1002 ERR_CANCELLED: the container did not start: killed by the resource manager "
           "before it was started\n");
    when_answered(METHOD_NODE_TRACKER_CONTAINERS_COMPLETED, OK, NULL);
    when_start_asked(2);
    EXPECT("nm 7 refuses container 1.2: ERR_STALE\n"
           "fail 1002 ERR_STALE: the container has already run, or was killed before it could\n");
}

static void test_nodemgr__registration_answer_kills_unknown_containers(void)
{
    given_registered();
    given_running(2);
    when_answered(METHOD_NODE_TRACKER_NODE_HEARTBEAT, ERR_STALE, NULL);
    when_deadline_comes();
    buf_clear(&f.text);
    struct container_id unknown = container(2);
    struct rm_register_node_response response = {.session = 12,
                                                 .heartbeat_interval_ms = INTERVAL_MS,
                                                 .epoch = EPOCH,
                                                 .kill = &unknown,
                                                 .kill_count = 1};
    when_answered(METHOD_NODE_TRACKER_REGISTER_NODE, OK, &response);
    EXPECT("nm 7 REGISTERING->REGISTERED\n"
           "nm 7 container 1.2 RUNNING->KILLING\n"
           "term 102\n"
           "call NodeHeartbeat session=12 acknowledged=0 started=2 running=1\n");
}

static void test_nodemgr__commanded_master_runs_without_a_token(void)
{
    given_registered();
    when_launch_commanded(1, GIB);
    EXPECT("nm 7 container 1.1 NEW->LOCALIZING\n"
           "localize 1 for alice\n"
           "call NodeHeartbeat session=11 acknowledged=3 running=1\n");
}

static void test_nodemgr__commanded_master_without_room_is_reported(void)
{
    given_registered();
    when_launch_commanded(1, 5ULL * GIB);
    EXPECT("nm 7 refuses container 1.1: ERR_LIMIT\n"
           "nm 7 container 1.1 NEW->COMPLETED\n"
           "call ContainersCompleted 1:-100\n"
           "call NodeHeartbeat session=11 acknowledged=3 completed=1:-100 running=0\n");
    CU_ASSERT_TRUE(
        slice_equal_string(f.diagnostics, "the node has no room left for this container"));
}

static void test_nodemgr__forgotten_application_is_removed_when_idle(void)
{
    given_registered();
    given_running(2);
    when_forget_commanded();
    EXPECT("nm 7 container 1.2 RUNNING->KILLING\n"
           "term 102\n"
           "call NodeHeartbeat session=11 acknowledged=2 started=2 running=1\n");
    when_exited(2, 0, 15, "");
    EXPECT("nm 7 container 1.2 KILLING->COMPLETED\n"
           "clean 2\n"
           "forget 1\n"
           "call ContainersCompleted 2:-106\n");
    when_forgotten(OK);
    when_start_asked(3);
    EXPECT("nm 7 refuses container 1.3: ERR_STALE\n"
           "fail 1003 ERR_STALE: the application is over\n");
}

static void test_nodemgr__forget_twice_is_harmless(void)
{
    given_registered();
    given_running(2);
    when_exited(2, 0, 0, "");
    buf_clear(&f.text);
    when_forget_commanded();
    EXPECT("forget 1\n"
           "call NodeHeartbeat session=11 acknowledged=2 completed=2:0 running=0\n");
    when_answered(METHOD_NODE_TRACKER_NODE_HEARTBEAT, ERR_STALE, NULL);
    when_deadline_comes();
    when_registered_with(12);
    buf_clear(&f.text);
    when_forget_commanded(); /* while the removal is still going on */
    EXPECT("call NodeHeartbeat session=12 acknowledged=2 running=0\n");
    when_forgotten(ERR_BUSY);
    EXPECT("nm 7 cannot remove app 1: busy\n");
    struct rm_node_command again = {
        .kind = NODE_FORGET_APP, .app = container(1).app, .sequence = 3};
    when_commanded(&again, 1);
    EXPECT("forget 1\n"
           "call NodeHeartbeat session=12 acknowledged=3 running=0\n");
}

static void test_nodemgr__stop_kills_says_goodbye_and_ends(void)
{
    given_registered();
    given_running(2);
    step((struct event){.kind = EVENT_STOP});
    EXPECT("nm 7 REGISTERED->STOPPING\n"
           "nm 7 container 1.2 RUNNING->KILLING\n"
           "cancel heartbeat\n"
           "term 102\n");
    when_start_asked(3);
    EXPECT("nm 7 refuses container 1.3: ERR_UNAVAILABLE\n"
           "fail 1003 ERR_UNAVAILABLE: the node manager is stopping\n");
    when_answered(METHOD_NODE_TRACKER_NODE_HEARTBEAT, ERR_CANCELLED, NULL);
    EXPECT("");
    when_exited(2, 0, 15, "");
    EXPECT("nm 7 container 1.2 KILLING->COMPLETED\n"
           "nm 7 STOPPING->UNREGISTERING\n"
           "clean 2\n"
           "call UnregisterNode\n");
    when_answered(METHOD_NODE_TRACKER_UNREGISTER_NODE, ERR_UNAVAILABLE, NULL);
    EXPECT("nm 7 UNREGISTERING->STOPPED\n"
           "exit 0\n");
    CU_ASSERT_EQUAL(nodemgr_deadline_ms(f.nodemgr), INT64_MAX);
}

static void test_nodemgr__stop_before_a_session_ends_at_once(void)
{
    given_node();
    when_answered(METHOD_NODE_TRACKER_REGISTER_NODE, ERR_UNAVAILABLE, NULL);
    buf_clear(&f.text);
    step((struct event){.kind = EVENT_STOP});
    EXPECT("nm 7 UNREGISTERED->STOPPING\n"
           "nm 7 STOPPING->STOPPED\n"
           "exit 0\n");
    step((struct event){.kind = EVENT_STOP});
    EXPECT("");
}

static void test_nodemgr__stop_while_registering_says_goodbye_as_well(void)
{
    given_node();
    step((struct event){.kind = EVENT_STOP});
    EXPECT("nm 7 REGISTERING->STOPPING\n");
    when_registered_with(11);
    EXPECT("nm 7 STOPPING->UNREGISTERING\n"
           "call UnregisterNode\n");
}

static void test_nodemgr__stop_does_not_wait_for_ever(void)
{
    given_registered();
    when_start_asked(2);
    step((struct event){.kind = EVENT_STOP});
    buf_clear(&f.text);
    when_ms_pass(4999);
    EXPECT("");
    when_deadline_comes(); /* the fetch hangs */
    EXPECT("nm 7 STOPPING->UNREGISTERING\n"
           "call UnregisterNode\n");
}

static void when_usable_told(const char *why_not)
{
    struct nodemgr_usable usable = {.why_not = slice_from_string(why_not)};
    step((struct event){.kind = EVENT_LOCAL, .effect = NODEMGR_USABLE, .data = &usable});
}

static void test_nodemgr__unusable_is_told_until_it_is_over(void)
{
    given_registered();
    when_usable_told("the disk is full");
    EXPECT("nm 7 unusable\n"); /* a heartbeat is held already */
    when_commanded(NULL, 0);
    EXPECT(
        "call NodeHeartbeat session=11 acknowledged=0 running=0 unusable=\"the disk is full\"\n");
    when_answered(METHOD_NODE_TRACKER_NODE_HEARTBEAT, ERR_STALE, NULL);
    when_deadline_comes();
    EXPECT("nm 7 REGISTERED->UNREGISTERED\n"
           "nm 7 UNREGISTERED->REGISTERING\n"
           "call RegisterNode unusable=\"the disk is full\"\n");
    when_registered_with(12);
    when_usable_told("");
    when_commanded(NULL, 0);
    EXPECT("nm 7 REGISTERING->REGISTERED\n"
           "call NodeHeartbeat session=12 acknowledged=0 running=0 unusable=\"the disk is full\"\n"
           "nm 7 usable\n"
           "call NodeHeartbeat session=12 acknowledged=0 running=0\n");
}

static const struct unit_test tests[] = {
    {"test_nodemgr__open_needs_identity_and_address",
     "A node without identity, address or verifier is refused.",                                                      test_nodemgr__open_needs_identity_and_address                     },
    {"test_nodemgr__registration_names_known_applications",
     "The registration names the applications that have folders; a heartbeat follows.",                               test_nodemgr__registration_names_known_applications               },
    {"test_nodemgr__refused_registration_is_repeated_with_growing_pauses",
     "A refused registration is repeated with growing pauses.",                                                       test_nodemgr__refused_registration_is_repeated_with_growing_pauses},
    {"test_nodemgr__heartbeat_is_called_again_at_once",
     "An answered heartbeat is called again at once.",                                                                test_nodemgr__heartbeat_is_called_again_at_once                   },
    {"test_nodemgr__cancelled_heartbeat_is_no_failure",
     "A cancelled heartbeat is called again without growing pauses.",                                                 test_nodemgr__cancelled_heartbeat_is_no_failure                   },
    {"test_nodemgr__started_containers_are_told_until_heard",
     "A started container is told until a heartbeat that named it is answered.",                                      test_nodemgr__started_containers_are_told_until_heard             },
    {"test_nodemgr__new_session_hears_of_running_containers",
     "A new session hears of all running containers.",                                                                test_nodemgr__new_session_hears_of_running_containers             },
    {"test_nodemgr__completed_container_is_told_beside_the_heartbeat",
     "A completed container is told at once, one report at a time.",                                                  test_nodemgr__completed_container_is_told_beside_the_heartbeat    },
    {"test_nodemgr__lost_report_is_repeated",                              "A report that was lost is repeated.",
     test_nodemgr__lost_report_is_repeated                                                                                                                                              },
    {"test_nodemgr__heartbeat_acknowledges_completed_containers",
     "A completed container that a heartbeat acknowledges is not told again.",                                        test_nodemgr__heartbeat_acknowledges_completed_containers         },
    {"test_nodemgr__registration_acknowledges_completed_containers",
     "A completed container that an accepted registration listed is not told again.",                                 test_nodemgr__registration_acknowledges_completed_containers      },
    {"test_nodemgr__refused_registration_acknowledges_nothing",
     "A refused registration acknowledges nothing.",                                                                  test_nodemgr__refused_registration_acknowledges_nothing           },
    {"test_nodemgr__lost_session_ends_the_held_heartbeat",
     "A session that a report finds lost ends the held heartbeat.",                                                   test_nodemgr__lost_session_ends_the_held_heartbeat                },
    {"test_nodemgr__commands_of_an_earlier_session_are_ignored",
     "Commands in an answer to an earlier session's heartbeat are ignored.",                                          test_nodemgr__commands_of_an_earlier_session_are_ignored          },
    {"test_nodemgr__repeated_command_is_performed_once",                   "A repeated command is performed once.",
     test_nodemgr__repeated_command_is_performed_once                                                                                                                                   },
    {"test_nodemgr__killed_before_its_start_is_reported_and_refused",
     "A container that is killed before its start is reported and refused.",                                          test_nodemgr__killed_before_its_start_is_reported_and_refused     },
    {"test_nodemgr__registration_answer_kills_unknown_containers",
     "Containers that the resource manager does not know are killed.",                                                test_nodemgr__registration_answer_kills_unknown_containers        },
    {"test_nodemgr__commanded_master_runs_without_a_token",
     "A master that the resource manager launches needs no token.",                                                   test_nodemgr__commanded_master_runs_without_a_token               },
    {"test_nodemgr__commanded_master_without_room_is_reported",
     "A master that cannot be launched is reported.",                                                                 test_nodemgr__commanded_master_without_room_is_reported           },
    {"test_nodemgr__forgotten_application_is_removed_when_idle",
     "A forgotten application is removed once its containers are over, and stays forgotten.",                         test_nodemgr__forgotten_application_is_removed_when_idle          },
    {"test_nodemgr__forget_twice_is_harmless",
     "Forgetting an application twice is harmless; a failed removal can be repeated.",                                test_nodemgr__forget_twice_is_harmless                            },
    {"test_nodemgr__unusable_is_told_until_it_is_over",
     "That nothing new shall be started here is told with each heartbeat and registration until it "
     "is over.",                                                                                                      test_nodemgr__unusable_is_told_until_it_is_over                   },
    {"test_nodemgr__stop_kills_says_goodbye_and_ends",
     "A stop kills what runs, says good-bye and ends.",                                                               test_nodemgr__stop_kills_says_goodbye_and_ends                    },
    {"test_nodemgr__stop_before_a_session_ends_at_once",                   "A stop before any session ends at once.",
     test_nodemgr__stop_before_a_session_ends_at_once                                                                                                                                   },
    {"test_nodemgr__stop_while_registering_says_goodbye_as_well",
     "A stop while registering waits for the session and says good-bye.",                                             test_nodemgr__stop_while_registering_says_goodbye_as_well         },
    {"test_nodemgr__stop_does_not_wait_for_ever",                          "A stop does not wait for ever.",
     test_nodemgr__stop_does_not_wait_for_ever                                                                                                                                          },
};

int main(int argc, char **argv)
{
    return unit_main(argc, argv, "nodemgr_registration", tests, UNIT_COUNT(tests), nodemgr_setup,
                     nodemgr_teardown);
}
