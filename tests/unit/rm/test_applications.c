/*
 * test_applications.c - submitting, following and killing applications (rm/core/applications.c).
 */
#include <string.h>

#include "tests/unit/rm/fixture.h"

static struct fixture f;

static void setup(void)
{
    f.settings = rm_settings_default();
    f.settings.admin_user = slice_from_string("root");
    f.settings.live_apps_max = 3;
    f.settings.finished_apps_max = 2;
    fixture_open(&f);
}

static void teardown(void)
{
    fixture_close(&f);
}

static enum status kill_as(struct app_id app, const char *user, bool *ret_was_running)
{
    struct rm_kill_app_request request = {.app = app, .diagnostics = slice_from_string("enough")};
    uint64_t call = fixture_request(&f, METHOD_RESOURCE_MANAGER_KILL_APP, &request, user);
    if (fixture_status(&f, call) == OK) {
        const struct rm_kill_app_response *response = fixture_reply(&f, call);
        *ret_was_running = response->was_running;
    }
    return fixture_status(&f, call);
}

static uint64_t submit(struct rm_submit_app_request *request, const char *user)
{
    return fixture_request(&f, METHOD_RESOURCE_MANAGER_SUBMIT_APP, request, user);
}

static void test_apps__submission_is_journaled_with_its_answer(void)
{
    size_t before = fixture_journaled(&f, &journal_app_put_type);
    struct app_id app = given_app(&f, "alice", 1, 0);
    CU_ASSERT_EQUAL(app.sequence, 1);
    CU_ASSERT_EQUAL(app.cluster_timestamp, 1700000000000 + FIXTURE_START_MS);
    CU_ASSERT_EQUAL(fixture_journaled(&f, &journal_app_put_type), before + 1);
    struct rm_app_report report = app_report(&f, app);
    CU_ASSERT_EQUAL(report.state, APP_ACCEPTED);
    CU_ASSERT_TRUE(slice_equal_string(report.user, "alice"));
    CU_ASSERT_TRUE(slice_equal_string(report.queue, "root.default"));
}

static void test_apps__repeated_submission_gets_the_same_id(void)
{
    struct app_id first = given_app(&f, "alice", 1, 0);
    struct app_id again = given_app(&f, "alice", 1, 0);
    struct app_id other = given_app(&f, "alice", 2, 0);
    CU_ASSERT_TRUE(app_id_equal(first, again));
    CU_ASSERT_FALSE(app_id_equal(first, other));
    CU_ASSERT_EQUAL(fixture_journaled(&f, &journal_app_put_type), 2);
}

static void test_apps__request_id_of_another_user_is_refused(void)
{
    (void)given_app(&f, "alice", 1, 0);
    struct slice program = slice_from_string("x");
    struct rm_submit_app_request request = {
        .client_id = 7, .request_id = 1, .master = {.arguments = &program, .arguments_count = 1}
    };
    CU_ASSERT_EQUAL(fixture_status(&f, submit(&request, "bob")), ERR_DENIED);
}

static void test_apps__unknown_queue_is_refused_by_name(void)
{
    struct slice program = slice_from_string("x");
    struct rm_submit_app_request request = {
        .queue = slice_from_string("root.fast"),
        .master = {.arguments = &program, .arguments_count = 1}
    };
    uint64_t call = submit(&request, "alice");
    CU_ASSERT_EQUAL(fixture_status(&f, call), ERR_NOT_FOUND);
    CU_ASSERT_PTR_NOT_NULL(strstr(fixture_answer(&f, call)->text, "root.fast"));
    CU_ASSERT_PTR_NOT_NULL(strstr(fixture_answer(&f, call)->text, "root.fast"));
}

static void test_apps__impossible_submissions_are_refused(void)
{
    struct rm_submit_app_request nothing = {.client_id = 1, .request_id = 1};
    CU_ASSERT_EQUAL(fixture_status(&f, submit(&nothing, "alice")), ERR_INVALID);
    for (uint64_t i = 1; i <= 3; i++)
        (void)given_app(&f, "alice", i, 0);
    struct slice program = slice_from_string("x");
    struct rm_submit_app_request fourth = {
        .client_id = 1, .request_id = 9, .master = {.arguments = &program, .arguments_count = 1}
    };
    CU_ASSERT_EQUAL(fixture_status(&f, submit(&fourth, "alice")), ERR_LIMIT);
}

static void test_apps__get_is_held_until_something_changes(void)
{
    struct app_id app = given_app(&f, "alice", 1, 0);
    struct rm_get_app_request request = {
        .app = app, .after_version = app_report(&f, app).version, .wait_ms = 5000};
    uint64_t call = fixture_request(&f, METHOD_RESOURCE_MANAGER_GET_APP, &request, "bob");
    CU_ASSERT_TRUE(fixture_is_held(&f, call));
    struct fake_node node = given_node(&f, 1, "h1", "/r0", 4);
    CU_ASSERT_TRUE(fixture_is_held(&f, call)); /* launching is no news for clients */
    (void)given_master(&f, &node, app);
    const struct rm_get_app_response *response = fixture_reply(&f, call);
    CU_ASSERT_EQUAL(response->report.state, APP_RUNNING);
    CU_ASSERT_TRUE(response->report.version > request.after_version);
    CU_ASSERT_TRUE(slice_equal_string(response->report.tracking_address, "127.0.0.1:2"));
}

static void test_apps__get_is_answered_when_its_time_is_over(void)
{
    struct app_id app = given_app(&f, "alice", 1, 0);
    struct rm_get_app_request request = {
        .app = app, .after_version = app_report(&f, app).version, .wait_ms = 5000};
    uint64_t waiting = fixture_request(&f, METHOD_RESOURCE_MANAGER_GET_APP, &request, "bob");
    uint64_t leaving = fixture_request(&f, METHOD_RESOURCE_MANAGER_GET_APP, &request, "bob");
    struct event gone = {.kind = EVENT_REQUEST_CANCELLED, .call = leaving};
    fixture_step(&f, &gone);
    CU_ASSERT_EQUAL(fixture_status(&f, leaving), ERR_CANCELLED);
    fixture_pass_ms(&f, 4999);
    CU_ASSERT_TRUE(fixture_is_held(&f, waiting));
    fixture_pass_ms(&f, 1);
    CU_ASSERT_EQUAL(fixture_status(&f, waiting), OK);
}

static void test_apps__list_is_newest_first(void)
{
    struct app_id first = given_app(&f, "alice", 1, 0);
    (void)given_app(&f, "alice", 2, 0);
    bool was_running = false;
    CU_ASSERT_EQUAL(kill_as(first, "alice", &was_running), OK);
    struct rm_list_apps_request request = {.include_finished = true};
    uint64_t call = fixture_request(&f, METHOD_RESOURCE_MANAGER_LIST_APPS, &request, "bob");
    const struct rm_list_apps_response *all = fixture_reply(&f, call);
    CU_ASSERT_EQUAL_FATAL(all->apps_count, 2);
    CU_ASSERT_EQUAL(all->apps[0].app.sequence, 2);
    CU_ASSERT_EQUAL(all->apps[1].state, APP_KILLED);
    request.include_finished = false;
    request.limit = 5;
    call = fixture_request(&f, METHOD_RESOURCE_MANAGER_LIST_APPS, &request, "bob");
    const struct rm_list_apps_response *live = fixture_reply(&f, call);
    CU_ASSERT_EQUAL_FATAL(live->apps_count, 1);
    CU_ASSERT_EQUAL(live->apps[0].app.sequence, 2);
}

static void test_apps__strangers_may_not_kill(void)
{
    bool was_running = false;
    struct app_id first = given_app(&f, "alice", 1, 0);
    struct app_id second = given_app(&f, "alice", 2, 0);
    CU_ASSERT_EQUAL(kill_as(first, "bob", &was_running), ERR_DENIED);
    CU_ASSERT_EQUAL(app_report(&f, first).state, APP_ACCEPTED);
    CU_ASSERT_EQUAL(kill_as(first, "alice", &was_running), OK);
    CU_ASSERT_TRUE(was_running);
    CU_ASSERT_EQUAL(kill_as(second, "root", &was_running), OK);
    CU_ASSERT_EQUAL(app_report(&f, second).state, APP_KILLED);
    CU_ASSERT_EQUAL(app_report(&f, second).final_status, FINAL_KILLED);
    CU_ASSERT_TRUE(
        slice_equal_string(app_report(&f, second).diagnostics, "killed by root: enough"));
    CU_ASSERT_EQUAL(kill_as(second, "root", &was_running), OK);
    CU_ASSERT_FALSE(was_running);
    struct app_id unknown = {.cluster_timestamp = 1, .sequence = 1};
    CU_ASSERT_EQUAL(kill_as(unknown, "root", &was_running), ERR_NOT_FOUND);
}

static void test_apps__killed_master_is_told_at_once(void)
{
    bool was_running = false;
    struct fake_node node = given_node(&f, 1, "h1", "/r0", 4);
    struct app_id app = given_app(&f, "alice", 1, 0);
    struct fake_master master = given_master(&f, &node, app);
    master_allocate(&f, &master, NULL, 0);
    CU_ASSERT_TRUE(fixture_is_held(&f, master.call));
    CU_ASSERT_EQUAL(kill_as(app, "alice", &was_running), OK);
    CU_ASSERT_TRUE(master_hear(&f, &master)->must_stop);
    CU_ASSERT_EQUAL(app_report(&f, app).state, APP_RUNNING);
    master_allocate(&f, &master, NULL, 0);
    CU_ASSERT_TRUE(fixture_is_held(&f, master.call)); /* told once, not in a circle */
    CU_ASSERT_EQUAL(fixture_status(&f, master_finish(&f, &master, FINAL_KILLED)), OK);
    CU_ASSERT_EQUAL(app_report(&f, app).state, APP_KILLED);
    CU_ASSERT_TRUE(slice_equal_string(app_report(&f, app).history_path, "/h/x.pb"));
}

static void test_apps__disobedient_master_is_killed(void)
{
    bool was_running = false;
    f.settings.kill_grace_ms = 10000;
    struct fake_node node = given_node(&f, 1, "h1", "/r0", 4);
    struct app_id app = given_app(&f, "alice", 1, 0);
    struct fake_master master = given_master(&f, &node, app);
    struct rm_ask ask = ask_of(5, "*", 1);
    master_allocate(&f, &master, &ask, 1);
    struct container_id task = master_hear(&f, &master)->grants[0].container;
    CU_ASSERT_EQUAL(kill_as(app, "alice", &was_running), OK);
    int64_t end_ms = f.now_ms + 10000;
    while (f.now_ms < end_ms - 500) {
        fixture_pass_ms(&f, 500);
        node_listen(&f, &node);
    }
    CU_ASSERT_EQUAL(app_report(&f, app).state, APP_RUNNING);
    fixture_pass_ms(&f, end_ms - f.now_ms);
    CU_ASSERT_EQUAL(app_report(&f, app).state, APP_KILLED);
    node_listen(&f, &node);
    const struct rm_node_command *first = node_command(&node, NODE_KILL_CONTAINER, 0);
    const struct rm_node_command *second = node_command(&node, NODE_KILL_CONTAINER, 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(first);
    CU_ASSERT_PTR_NOT_NULL_FATAL(second);
    CU_ASSERT_EQUAL(first->container.sequence, RM_MASTER_SEQUENCE);
    CU_ASSERT_TRUE(container_id_equal(second->container, task));
    CU_ASSERT_PTR_NULL(node_command(&node, NODE_FORGET_APP, 0));
    node_complete(&f, &node, second->container, -106);
    node_complete(&f, &node, first->container, -106);
    node_listen(&f, &node);
    CU_ASSERT_PTR_NOT_NULL(node_command(&node, NODE_FORGET_APP, 0));
}

static void test_apps__oldest_ended_are_forgotten(void)
{
    bool was_running = false;
    struct app_id apps[3];
    for (uint64_t i = 0; i < 3; i++)
        apps[i] = given_app(&f, "alice", i + 1, 0);
    CU_ASSERT_EQUAL(kill_as(apps[1], "alice", &was_running), OK);
    CU_ASSERT_EQUAL(kill_as(apps[0], "alice", &was_running), OK);
    CU_ASSERT_EQUAL(kill_as(apps[2], "alice", &was_running), OK);
    CU_ASSERT_EQUAL(fixture_journaled(&f, &journal_app_remove_type), 1);
    struct rm_get_app_request request = {.app = apps[1]};
    uint64_t call = fixture_request(&f, METHOD_RESOURCE_MANAGER_GET_APP, &request, "bob");
    CU_ASSERT_EQUAL(fixture_status(&f, call), ERR_NOT_FOUND);
    CU_ASSERT_EQUAL(app_report(&f, apps[0]).state, APP_KILLED);
    CU_ASSERT_FALSE(app_id_equal(given_app(&f, "alice", 2, 0), apps[1])); /* forgotten, too */
}

static void test_apps__foreign_calls_and_calls_after_stop_fail(void)
{
    struct rm_get_app_request request = {.app = given_app(&f, "alice", 1, 0)};
    uint64_t call = fixture_request(&f, METHOD_NODE_MANAGER_LIST_CONTAINERS, &request, "bob");
    CU_ASSERT_EQUAL(fixture_status(&f, call), ERR_UNSUPPORTED);
    request.after_version = UINT64_MAX;
    request.wait_ms = 1000;
    uint64_t held = fixture_request(&f, METHOD_RESOURCE_MANAGER_GET_APP, &request, "bob");
    struct event stop = {.kind = EVENT_STOP};
    fixture_step(&f, &stop);
    CU_ASSERT_EQUAL(fixture_status(&f, held), ERR_UNAVAILABLE);
    CU_ASSERT_TRUE(f.has_exited);
    CU_ASSERT_EQUAL(f.exit_code, 0);
    call = fixture_request(&f, METHOD_RESOURCE_MANAGER_GET_APP, &request, "bob");
    CU_ASSERT_EQUAL(fixture_status(&f, call), ERR_UNAVAILABLE);
}

static const struct unit_test tests[] = {
    {"test_apps__submission_is_journaled_with_its_answer",
     "An application is journaled in the step that answers its submission.",                                          test_apps__submission_is_journaled_with_its_answer},
    {"test_apps__repeated_submission_gets_the_same_id",
     "A repeated submission gets the same id and makes nothing.",                                                     test_apps__repeated_submission_gets_the_same_id   },
    {"test_apps__request_id_of_another_user_is_refused",   "A request id of another user is refused.",
     test_apps__request_id_of_another_user_is_refused                                                                                                                   },
    {"test_apps__unknown_queue_is_refused_by_name",        "An unknown queue is refused by its name.",
     test_apps__unknown_queue_is_refused_by_name                                                                                                                        },
    {"test_apps__impossible_submissions_are_refused",
     "A submission without a program or above a limit is refused.",                                                   test_apps__impossible_submissions_are_refused     },
    {"test_apps__get_is_held_until_something_changes",     "GetApp is held until the report changes.",
     test_apps__get_is_held_until_something_changes                                                                                                                     },
    {"test_apps__get_is_answered_when_its_time_is_over",
     "GetApp is answered when its time is over, and forgotten when its caller has gone.",                             test_apps__get_is_answered_when_its_time_is_over  },
    {"test_apps__list_is_newest_first",
     "Applications are listed newest first, the ended ones when asked for.",                                          test_apps__list_is_newest_first                   },
    {"test_apps__strangers_may_not_kill",                  "Only the owner, the administrator and daemons may kill.",
     test_apps__strangers_may_not_kill                                                                                                                                  },
    {"test_apps__killed_master_is_told_at_once",
     "A running master is told at once to stop and may finish by itself.",                                            test_apps__killed_master_is_told_at_once          },
    {"test_apps__disobedient_master_is_killed",
     "A master that does not stop is killed after the grace, with its containers.",                                   test_apps__disobedient_master_is_killed           },
    {"test_apps__oldest_ended_are_forgotten",
     "The oldest ended applications are forgotten beyond the limit.",                                                 test_apps__oldest_ended_are_forgotten             },
    {"test_apps__foreign_calls_and_calls_after_stop_fail",
     "A call of another service is refused, and none is served after the stop.",                                      test_apps__foreign_calls_and_calls_after_stop_fail},
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "rm/applications", tests, UNIT_COUNT(tests), setup,
                     teardown);
}
