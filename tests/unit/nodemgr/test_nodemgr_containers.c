/*
 * test_nodemgr_containers.c - a container's life on a node: start, kill, exit, and every way to be
 * refused.
 */
#include "tests/unit/nodemgr/nodemgr_fixture.h"

#include <stdio.h>
#include <string.h>

#include "lib/model/limits.h"

static void test_nodemgr__granted_container_runs_and_ends(void)
{
    given_registered();
    when_start_asked(2);
    EXPECT("nm 7 container 1.2 NEW->LOCALIZING\n"
           "localize 2 for alice\n");
    when_localized(2, OK);
    EXPECT("nm 7 container 1.2 LOCALIZING->LAUNCHING\n"
           "launch 2 mr-task\n");
    when_launched(2, OK);
    EXPECT("nm 7 container 1.2 LAUNCHING->RUNNING\n"
           "reply 1002\n");
    when_exited(2, 0, 0, "warnings\n");
    EXPECT("nm 7 container 1.2 RUNNING->COMPLETED\n"
           "clean 2\n"
           "call ContainersCompleted 2:0\n");
    CU_ASSERT_EQUAL(f.diagnostics.length, 0);
}

static void test_nodemgr__failed_fetch_answers_the_master(void)
{
    given_registered();
    when_start_asked(2);
    when_start_asked(2); /* repeated while it is being prepared */
    buf_clear(&f.text);
    when_localized(2, ERR_NOT_FOUND);
    EXPECT("nm 7 container 1.2 LOCALIZING->COMPLETED\n"
           "fail 1002 ERR_CANCELLED: the container did not start: "
           "cannot fetch the job's files: no such file\n"
           "fail 1002 ERR_CANCELLED: the container did not start: "
           "cannot fetch the job's files: no such file\n"
           "clean 2\n"
           "call ContainersCompleted 2:-1000\n");
}

static void test_nodemgr__failed_launch_answers_the_master(void)
{
    given_registered();
    when_start_asked(2);
    when_localized(2, OK);
    buf_clear(&f.text);
    when_launched(2, ERR_NOT_FOUND);
    EXPECT("nm 7 container 1.2 LAUNCHING->COMPLETED\n"
           "fail 1002 ERR_CANCELLED: the container did not start: "
           "cannot start the process: no such program\n"
           "clean 2\n"
           "call ContainersCompleted 2:-1000\n");
}

static void test_nodemgr__failure_carries_the_last_lines_of_stderr(void)
{
    given_registered();
    given_running(2);
    when_exited(2, 3, 0, "cannot open x\xff\n");
    EXPECT("nm 7 container 1.2 RUNNING->COMPLETED\n"
           "clean 2\n"
           "call ContainersCompleted 2:3\n");
    CU_ASSERT_TRUE(slice_equal_string(
        f.diagnostics, "exited with code 3; last lines of stderr:\ncannot open x\xef\xbf\xbd\n"));
}

static void test_nodemgr__signal_is_shown_as_a_shell_does(void)
{
    given_registered();
    given_running(2);
    when_exited(2, 0, 11, "");
    EXPECT("nm 7 container 1.2 RUNNING->COMPLETED\n"
           "clean 2\n"
           "call ContainersCompleted 2:139\n");
    CU_ASSERT_TRUE(slice_equal_string(f.diagnostics, "killed by signal 11"));
}

static void test_nodemgr__stop_terminates_then_kills(void)
{
    given_registered();
    given_running(2);
    when_stop_asked(2, "alice");
    EXPECT("nm 7 container 1.2 RUNNING->KILLING\n"
           "term 102\n"
           "reply 2002\n");
    when_ms_pass(GRACE_MS - 1);
    EXPECT("");
    CU_ASSERT_EQUAL(nodemgr_deadline_ms(f.nodemgr), f.now_ms + 1);
    when_ms_pass(1);
    EXPECT("nm 7 container 1.2 KILLING->KILLED_HARD\n"
           "kill 102\n");
    when_exited(2, 0, 9, "");
    EXPECT("nm 7 container 1.2 KILLED_HARD->COMPLETED\n"
           "clean 2\n"
           "call ContainersCompleted 2:-105\n");
    CU_ASSERT_TRUE(slice_equal_string(f.diagnostics, "a twin was faster"));
}

static void when_over_limit(uint64_t sequence,
                            enum nodemgr_limit limit,
                            uint64_t used,
                            uint64_t used_max)
{
    struct nodemgr_over_limit seen = {
        .container = container(sequence), .limit = limit, .used = used, .used_max = used_max};
    step((struct event){.kind = EVENT_LOCAL, .effect = NODEMGR_OVER_LIMIT, .data = &seen});
}

static void test_nodemgr__first_cause_of_a_kill_is_kept(void)
{
    given_registered();
    given_running(2);
    when_over_limit(2, NODEMGR_LIMIT_MEMORY, 3000000000, GIB);
    when_stop_asked(2, "alice");
    buf_clear(&f.text);
    when_exited(2, 0, 15, "");
    EXPECT("nm 7 container 1.2 KILLING->COMPLETED\n"
           "clean 2\n"
           "call ContainersCompleted 2:-104\n");
    CU_ASSERT_TRUE(slice_equal_string(f.diagnostics,
                                      "uses 3000000000 bytes of memory, its limit is 1073741824"));
}

static void expect_stopped_over(enum nodemgr_limit limit, const char *end, const char *why)
{
    given_registered();
    given_running(2);
    when_over_limit(2, limit, 2001, 2000);
    EXPECT("nm 7 container 1.2 RUNNING->KILLING\n"
           "term 102\n");
    when_over_limit(2, NODEMGR_LIMIT_MEMORY, 3000000000, GIB); /* the second cause is not told */
    when_exited(2, 0, 15, "");
    EXPECT(end);
    CU_ASSERT_TRUE(slice_equal_string(f.diagnostics, why));
    when_over_limit(2, limit, 2001, 2000); /* it is over */
    EXPECT("");
}

static void test_nodemgr__too_many_processes_stop_a_container(void)
{
    expect_stopped_over(NODEMGR_LIMIT_PROCESSES,
                        "nm 7 container 1.2 KILLING->COMPLETED\n"
                        "clean 2\n"
                        "call ContainersCompleted 2:-110\n",
                        "has 2001 processes and threads, its limit is 2000");
}

static void test_nodemgr__too_long_logs_stop_a_container(void)
{
    expect_stopped_over(NODEMGR_LIMIT_LOGS,
                        "nm 7 container 1.2 KILLING->COMPLETED\n"
                        "clean 2\n"
                        "call ContainersCompleted 2:-109\n",
                        "has written 2001 bytes of logs, its limit is 2000");
}

static void test_nodemgr__stop_while_fetching_never_starts_it(void)
{
    given_registered();
    when_start_asked(2);
    when_stop_asked(2, "alice");
    buf_clear(&f.text);
    when_localized(2, OK);
    EXPECT("nm 7 container 1.2 LOCALIZING_DOOMED->COMPLETED\n"
           "fail 1002 ERR_CANCELLED: the container did not start: a twin was faster\n"
           "clean 2\n"
           "call ContainersCompleted 2:-105\n");
}

static void test_nodemgr__stop_while_launching_kills_at_once(void)
{
    given_registered();
    when_start_asked(2);
    when_localized(2, OK);
    when_stop_asked(2, "alice");
    when_stop_asked(2, "alice");
    buf_clear(&f.text);
    when_launched(2, OK);
    EXPECT("nm 7 container 1.2 LAUNCHING_DOOMED->KILLED_HARD\n"
           "reply 1002\n"
           "kill 102\n");
    when_exited(2, 0, 9, "");
    EXPECT("nm 7 container 1.2 KILLED_HARD->COMPLETED\n"
           "clean 2\n"
           "call ContainersCompleted 2:-105\n");
}

static void test_nodemgr__stop_of_nothing_is_done_already(void)
{
    given_registered();
    when_stop_asked(2, "alice");
    EXPECT("reply 2002\n");
}

static void test_nodemgr__stranger_cannot_stop_a_container(void)
{
    given_registered();
    given_running(2);
    when_stop_asked(2, "mallory");
    EXPECT("fail 2002 ERR_DENIED: the container belongs to alice\n");
}

static void test_nodemgr__bad_token_starts_nothing(void)
{
    given_registered();
    struct rm_launch_spec launch = plain_launch();
    when_start_asked_with(2, "forged", "alice", &launch);
    EXPECT("fail 1002 ERR_UNAUTHENTICATED: the token is not the resource manager's grant of this "
           "container on this node\n");
}

static void test_nodemgr__stolen_token_starts_nothing(void)
{
    given_registered();
    struct rm_launch_spec launch = plain_launch();
    when_start_asked_with(2, "good", "mallory", &launch);
    EXPECT("fail 1002 ERR_DENIED: the container was granted to alice\n");
}

static void test_nodemgr__repeated_start_has_one_process(void)
{
    given_registered();
    given_running(2);
    when_start_asked(2);
    EXPECT("reply 1002\n");
}

static void test_nodemgr__container_that_ran_is_not_started_again(void)
{
    given_registered();
    given_running(2);
    when_exited(2, 0, 0, "");
    buf_clear(&f.text);
    when_start_asked(2);
    EXPECT("fail 1002 ERR_STALE: the container has already run and is over\n");
    when_answered(METHOD_NODE_TRACKER_CONTAINERS_COMPLETED, OK, NULL);
    when_start_asked(2);
    EXPECT("nm 7 refuses container 1.2: ERR_STALE\n"
           "fail 1002 ERR_STALE: the container has already run, or was killed before it could\n");
}

static void test_nodemgr__node_never_holds_more_than_it_has(void)
{
    given_registered();
    for (uint64_t sequence = 2; sequence <= 5; sequence++)
        given_running(sequence);
    when_start_asked(6);
    EXPECT("nm 7 refuses container 1.6: ERR_LIMIT\n"
           "fail 1006 ERR_LIMIT: the node has no room left for this container\n");
    when_exited(2, 0, 0, "");
    buf_clear(&f.text);
    when_start_asked(6);
    EXPECT("nm 7 container 1.6 NEW->LOCALIZING\n"
           "localize 6 for alice\n");
}

static void test_nodemgr__nothing_starts_before_the_first_registration(void)
{
    given_node();
    when_start_asked(2);
    EXPECT("nm 7 refuses container 1.2: ERR_UNAVAILABLE\n"
           "fail 1002 ERR_UNAVAILABLE: the node manager has not reached the resource manager "
           "yet\n");
}

static void test_nodemgr__grant_of_an_earlier_epoch_is_stale(void)
{
    given_node();
    struct rm_register_node_response response = {
        .session = 11, .heartbeat_interval_ms = INTERVAL_MS, .epoch = EPOCH + 1};
    when_answered(METHOD_NODE_TRACKER_REGISTER_NODE, OK, &response);
    buf_clear(&f.text);
    when_start_asked(2);
    EXPECT("nm 7 refuses container 1.2: ERR_STALE\n"
           "fail 1002 ERR_STALE: the grant is from before the resource manager's restart and was "
           "not kept\n");
}

static void test_nodemgr__container_given_up_meanwhile_is_refused(void)
{
    given_node();
    struct container_id given_up = container(2);
    struct rm_register_node_response response = {.session = 11,
                                                 .heartbeat_interval_ms = INTERVAL_MS,
                                                 .epoch = EPOCH,
                                                 .kill = &given_up,
                                                 .kill_count = 1};
    when_answered(METHOD_NODE_TRACKER_REGISTER_NODE, OK, &response);
    buf_clear(&f.text);
    when_start_asked(2);
    EXPECT("fail 1002 ERR_CANCELLED: the container did not start: given up by the resource manager "
           "before it was started\n");
}

static void expect_launch_refused(const struct rm_launch_spec *launch, const char *why, int line)
{
    char expected[256];
    snprintf(expected, sizeof(expected),
             "nm 7 refuses container 1.2: ERR_INVALID\nfail 1002 ERR_INVALID: %s\n", why);
    when_start_asked_with(2, "good", "alice", launch);
    expect_text(expected, line);
}

static void test_nodemgr__malformed_launch_is_refused(void)
{
    given_registered();
    struct rm_launch_spec launch = {0};
    expect_launch_refused(&launch, "the launch has no command to run", __LINE__);

    launch = plain_launch();
    struct key_value variable = {.key = slice_from_string("A=B")};
    launch.environment = &variable;
    launch.environment_count = 1;
    const char *strings = "an argument or a variable of the launch is malformed or too long";
    expect_launch_refused(&launch, strings, __LINE__);

    static const char *const names[] = {"", ".", "..", "../x", "a/b", "tmp", "millrace.token"};
    const char *resources = "a local resource's name is not a plain file name of its own";
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct rm_local_resource resource = {.name = slice_from_string(names[i]),
                                             .path = slice_from_string("/x")};
        launch = plain_launch();
        launch.resources = &resource;
        launch.resources_count = 1;
        expect_launch_refused(&launch, resources, __LINE__);
    }
    struct rm_local_resource twins[2] = {
        {.name = slice_from_string("x"), .path = slice_from_string("/x")},
        {.name = slice_from_string("x"), .path = slice_from_string("/y")}
    };
    launch.resources = twins;
    launch.resources_count = 2;
    expect_launch_refused(&launch, resources, __LINE__);

    twins[0].length = LIMIT_LOCAL_RESOURCE_BYTES + 1ULL;
    launch.resources_count = 1;
    expect_launch_refused(&launch, "a local resource is too large", __LINE__);

    static struct slice many[LIMIT_ARGUMENTS + 1];
    for (size_t i = 0; i <= LIMIT_ARGUMENTS; i++)
        many[i] = slice_from_string("x");
    launch = (struct rm_launch_spec){.arguments = many, .arguments_count = LIMIT_ARGUMENTS + 1};
    expect_launch_refused(
        &launch, "the launch has too many arguments, variables or local resources", __LINE__);

    static uint8_t bytes[LIMIT_LAUNCH_STRING_BYTES + 1];
    memset(bytes, 'x', sizeof(bytes));
    many[0] = slice_make(bytes, sizeof(bytes));
    launch.arguments_count = 1;
    expect_launch_refused(&launch, strings, __LINE__);

    for (size_t i = 0; i < 9; i++)
        many[i] = slice_make(bytes, LIMIT_LAUNCH_STRING_BYTES);
    launch.arguments_count = 9;
    expect_launch_refused(&launch, "the launch's arguments and environment are too long together",
                          __LINE__);
}

static void when_list_asked(const char *user)
{
    static const struct nm_list_containers_request request = {0};
    step((struct event){.kind = EVENT_REQUEST,
                        .call = 1,
                        .method = METHOD_NODE_MANAGER_LIST_CONTAINERS,
                        .message = &request,
                        .user = slice_from_string(user)});
}

static void test_nodemgr__everybody_lists_his_own_containers(void)
{
    given_registered();
    given_running(2);
    when_list_asked("alice");
    CU_ASSERT_EQUAL_FATAL(f.actions.count, 1);
    const struct nm_list_containers_response *own = f.actions.items[0].message;
    CU_ASSERT_EQUAL_FATAL(own->containers_count, 1);
    CU_ASSERT_EQUAL(own->containers[0].state, CONTAINER_RUNNING);
    CU_ASSERT_EQUAL(own->containers[0].resource.memory_bytes, GIB);
    when_list_asked("bob");
    const struct nm_list_containers_response *none = f.actions.items[0].message;
    CU_ASSERT_EQUAL(none->containers_count, 0);
    when_list_asked("millrace");
    const struct nm_list_containers_response *all = f.actions.items[0].message;
    CU_ASSERT_EQUAL(all->containers_count, 1);
}

static void test_nodemgr__foreign_method_is_refused(void)
{
    given_registered();
    step((struct event){.kind = EVENT_REQUEST, .call = 4, .method = METHOD_NAMENODE_CREATE});
    EXPECT("fail 4 ERR_UNSUPPORTED: not a node manager's method\n");
}

static void test_nodemgr__tables_are_sound(void)
{
    size_t row = 0;
    CU_ASSERT_TRUE(transition_table_is_sound(&nodemgr_container_table, &row));
    CU_ASSERT_TRUE(transition_table_is_sound(&nodemgr_registration_table, &row));
}

static const struct unit_test tests[] = {
    {"test_nodemgr__granted_container_runs_and_ends",
     "A granted container is prepared, runs, ends and is reported.",                                             test_nodemgr__granted_container_runs_and_ends             },
    {"test_nodemgr__failed_fetch_answers_the_master",
     "A failed fetch answers every call that waits for the start.",                                              test_nodemgr__failed_fetch_answers_the_master             },
    {"test_nodemgr__failed_launch_answers_the_master",             "A failed launch answers the master.",
     test_nodemgr__failed_launch_answers_the_master                                                                                                                        },
    {"test_nodemgr__failure_carries_the_last_lines_of_stderr",
     "A failed container's report has the last lines of its stderr, made UTF-8.",                                test_nodemgr__failure_carries_the_last_lines_of_stderr    },
    {"test_nodemgr__signal_is_shown_as_a_shell_does",
     "A container that a signal ended has exit status 128 + signal.",                                            test_nodemgr__signal_is_shown_as_a_shell_does             },
    {"test_nodemgr__stop_terminates_then_kills",
     "A stopped container gets SIGTERM and, after the grace, SIGKILL.",                                          test_nodemgr__stop_terminates_then_kills                  },
    {"test_nodemgr__too_many_processes_stop_a_container",
     "A container with too many processes is stopped.",                                                          test_nodemgr__too_many_processes_stop_a_container         },
    {"test_nodemgr__too_long_logs_stop_a_container",               "A container with too long logs is stopped.",
     test_nodemgr__too_long_logs_stop_a_container                                                                                                                          },
    {"test_nodemgr__first_cause_of_a_kill_is_kept",
     "A container that is killed twice is reported with the first cause.",                                       test_nodemgr__first_cause_of_a_kill_is_kept               },
    {"test_nodemgr__stop_while_fetching_never_starts_it",
     "A container that is stopped while its files are fetched never starts.",                                    test_nodemgr__stop_while_fetching_never_starts_it         },
    {"test_nodemgr__stop_while_launching_kills_at_once",
     "A container that is stopped while it is launched is killed at once.",                                      test_nodemgr__stop_while_launching_kills_at_once          },
    {"test_nodemgr__stop_of_nothing_is_done_already",
     "Stopping a container that is not here succeeds.",                                                          test_nodemgr__stop_of_nothing_is_done_already             },
    {"test_nodemgr__stranger_cannot_stop_a_container",
     "A user cannot stop another user's container.",                                                             test_nodemgr__stranger_cannot_stop_a_container            },
    {"test_nodemgr__bad_token_starts_nothing",
     "Nothing starts without the resource manager's token.",                                                     test_nodemgr__bad_token_starts_nothing                    },
    {"test_nodemgr__stolen_token_starts_nothing",                  "Nothing starts with another user's token.",
     test_nodemgr__stolen_token_starts_nothing                                                                                                                             },
    {"test_nodemgr__repeated_start_has_one_process",
     "A repeated start is answered and starts nothing.",                                                         test_nodemgr__repeated_start_has_one_process              },
    {"test_nodemgr__container_that_ran_is_not_started_again",
     "A container that ran is not started again.",                                                               test_nodemgr__container_that_ran_is_not_started_again     },
    {"test_nodemgr__node_never_holds_more_than_it_has",
     "A full node refuses a container until another has ended.",                                                 test_nodemgr__node_never_holds_more_than_it_has           },
    {"test_nodemgr__nothing_starts_before_the_first_registration",
     "Nothing starts before the first registration.",                                                            test_nodemgr__nothing_starts_before_the_first_registration},
    {"test_nodemgr__container_given_up_meanwhile_is_refused",
     "A container given up while the node was away is refused.",                                                 test_nodemgr__container_given_up_meanwhile_is_refused     },
    {"test_nodemgr__grant_of_an_earlier_epoch_is_stale",
     "A grant from before a restart of the resource manager is stale.",                                          test_nodemgr__grant_of_an_earlier_epoch_is_stale          },
    {"test_nodemgr__malformed_launch_is_refused",
     "Every kind of malformed launch is refused, and says why.",                                                 test_nodemgr__malformed_launch_is_refused                 },
    {"test_nodemgr__everybody_lists_his_own_containers",
     "Users list their own containers, daemons all.",                                                            test_nodemgr__everybody_lists_his_own_containers          },
    {"test_nodemgr__foreign_method_is_refused",                    "A method of another service is refused.",
     test_nodemgr__foreign_method_is_refused                                                                                                                               },
    {"test_nodemgr__tables_are_sound",                             "The state tables are sound.",
     test_nodemgr__tables_are_sound                                                                                                                                        },
};

int main(int argc, char **argv)
{
    return unit_main(argc, argv, "nodemgr_containers", tests, UNIT_COUNT(tests), nodemgr_setup,
                     nodemgr_teardown);
}
