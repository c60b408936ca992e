/*
 * test_allocate.c - asks, grants and answers (rm/core/asks.c, scheduler.c, answers.c, masters.c).
 */
#include "tests/unit/rm/fixture.h"

static struct fixture f;
static struct fake_node nodes[4]; /* h0, h1 on /r0; h2, h3 on /r1; 4 vcores each */
static struct app_id app;
static struct fake_master master; /* its container is on h0 */

static void setup(void)
{
    static const char *const hosts[] = {"h0", "h1", "h2", "h3"};
    f.settings = rm_settings_default();
    f.settings.container_max = resource_of(4, 4);
    fixture_open(&f);
    app = given_app(&f, "alice", 1, 0);
    for (uint64_t i = 0; i < 4; i++)
        nodes[i] = given_node(&f, i + 1, hosts[i], i < 2 ? "/r0" : "/r1", 4);
    master = given_master(&f, &nodes[0], app);
}

static void teardown(void)
{
    fixture_close(&f);
}

/* Takes all room of the node by a strict ask and starts the containers. */
static void given_full_node(size_t index, struct container_id *ret_containers)
{
    struct rm_ask asks[] = {ask_of(1, nodes[index].host, 4), ask_of(1, "*", 4)};
    asks[1].relax_locality = false;
    master_allocate(&f, &master, asks, 2);
    const struct rm_allocate_response *answer = master_hear(&f, &master);
    for (size_t i = 0; i < answer->grants_count; i++) {
        ret_containers[i] = answer->grants[i].container;
        node_beat_started(&f, &nodes[index], ret_containers[i]);
    }
}

static size_t index_of(struct slice host)
{
    size_t index = 0;
    while (!slice_equal_string(host, nodes[index].host))
        index++;
    return index;
}

static void test_allocate__room_is_granted_at_once(void)
{
    struct rm_ask ask = ask_of(5, "*", 4);
    master_allocate(&f, &master, &ask, 1);
    const struct rm_allocate_response *answer = master_hear(&f, &master);
    CU_ASSERT_EQUAL_FATAL(answer->grants_count, 4);
    unsigned seen = 0;
    for (size_t i = 0; i < 4; i++) {
        CU_ASSERT_EQUAL(answer->grants[i].container.sequence, 2 + i);
        CU_ASSERT_EQUAL(answer->grants[i].priority, 5);
        CU_ASSERT_EQUAL(answer->grants[i].token.length, 0);
        CU_ASSERT_TRUE(slice_equal_string(answer->grants[i].user, "alice"));
        seen |= 1u << index_of(answer->grants[i].node.host);
    }
    CU_ASSERT_EQUAL(seen, 15);
    CU_ASSERT_EQUAL(answer->headroom.vcores, 16 - 1 - 4);
}

static void test_allocate__freed_room_is_granted_at_once(void)
{
    struct rm_ask ask = ask_of(5, "*", 16);
    master_allocate(&f, &master, &ask, 1);
    const struct rm_allocate_response *all = master_hear(&f, &master);
    CU_ASSERT_EQUAL_FATAL(all->grants_count, 15);
    master_allocate(&f, &master, NULL, 0);
    CU_ASSERT_TRUE(fixture_is_held(&f, master.call));
    size_t index = index_of(all->grants[3].node.host);
    node_complete(&f, &nodes[index], all->grants[3].container, 0);
    const struct rm_allocate_response *more = master_hear(&f, &master);
    CU_ASSERT_EQUAL_FATAL(more->grants_count, 1);
    CU_ASSERT_EQUAL(index_of(more->grants[0].node.host), index);
    CU_ASSERT_EQUAL(more->completed_count, 1);
    master_allocate(&f, &master, NULL, 0);
    node_complete(&f, &nodes[index], more->grants[0].container, 0);
    CU_ASSERT_EQUAL(master_hear(&f, &master)->grants_count, 0); /* all wants are met */
}

static void test_allocate__held_call_is_answered_after_the_interval(void)
{
    master_allocate(&f, &master, NULL, 0);
    fixture_pass_ms(&f, 999);
    CU_ASSERT_TRUE(fixture_is_held(&f, master.call));
    fixture_pass_ms(&f, 1);
    CU_ASSERT_EQUAL(master_hear(&f, &master)->response_sequence, 1);
    master_allocate(&f, &master, NULL, 0);
    fixture_pass_ms(&f, 1000);
    CU_ASSERT_EQUAL(master_hear(&f, &master)->response_sequence, 2);
}

static void test_allocate__lost_answer_is_given_again(void)
{
    struct rm_ask ask = ask_of(5, "*", 3);
    master_allocate(&f, &master, &ask, 1);
    const struct rm_allocate_response *lost = fixture_reply(&f, master.call);
    CU_ASSERT_EQUAL(lost->grants_count, 3);
    /* The master, which knows nothing of it, sends its table again. */
    master_allocate(&f, &master, &ask, 1);
    const struct rm_allocate_response *again = fixture_reply(&f, master.call);
    CU_ASSERT_TRUE(message_equal(&rm_allocate_response_type, lost, again));
    /* And once more with one container more: that one comes with the next answer. */
    ask.want = 4;
    master_allocate(&f, &master, &ask, 1);
    again = master_hear(&f, &master);
    CU_ASSERT_TRUE(message_equal(&rm_allocate_response_type, lost, again));
    master_allocate(&f, &master, NULL, 0);
    CU_ASSERT_EQUAL(master_hear(&f, &master)->grants_count, 1);
    master_allocate(&f, &master, NULL, 0);
    CU_ASSERT_TRUE(fixture_is_held(&f, master.call));
}

static void test_allocate__overtaken_requests_are_stale(void)
{
    struct rm_ask ask = ask_of(5, "*", 1);
    master_allocate(&f, &master, &ask, 1);
    (void)master_hear(&f, &master);
    master_allocate(&f, &master, NULL, 0);
    uint64_t held = master.call;
    struct fake_master late = master;
    late.request_sequence = 0;
    ask.want = 9;
    master_allocate(&f, &late, &ask, 1);
    CU_ASSERT_EQUAL(fixture_status(&f, late.call), ERR_STALE);
    CU_ASSERT_TRUE(fixture_is_held(&f, held));
    late = master;
    late.response_sequence = 7;
    master_allocate(&f, &late, NULL, 0);
    CU_ASSERT_EQUAL(fixture_status(&f, late.call), ERR_STALE);
}

static void test_allocate__newer_call_replaces_the_held_one(void)
{
    master_allocate(&f, &master, NULL, 0);
    uint64_t held = master.call;
    struct rm_ask ask = ask_of(5, "*", 1);
    master_allocate(&f, &master, &ask, 1);
    CU_ASSERT_EQUAL(fixture_status(&f, held), ERR_CANCELLED);
    CU_ASSERT_EQUAL(master_hear(&f, &master)->grants_count, 1);
}

static void test_allocate__counts_that_differ_are_repaired(void)
{
    struct rm_ask ask = ask_of(5, "*", 2);
    master_allocate(&f, &master, &ask, 1);
    (void)master_hear(&f, &master);
    master.granted_total = 1;
    master_allocate(&f, &master, NULL, 0);
    const struct rm_allocate_response *answer = fixture_reply(&f, master.call);
    CU_ASSERT_TRUE(answer->must_resync);
    const struct rm_register_master_response *response = master_register(&f, &master);
    CU_ASSERT_EQUAL(response->running_count, 2);
    CU_ASSERT_FALSE(response->is_recovering);
    master_allocate(&f, &master, NULL, 0);
    CU_ASSERT_TRUE(fixture_is_held(&f, master.call));
}

static void test_allocate__registration_delivers_grants(void)
{
    struct rm_ask ask = ask_of(5, "*", 2);
    master_allocate(&f, &master, &ask, 1); /* its answer is never heard */
    const struct rm_register_master_response *response = master_register(&f, &master);
    CU_ASSERT_EQUAL_FATAL(response->running_count, 2);
    CU_ASSERT_TRUE(slice_equal_string(response->running[0].user, "alice"));
    CU_ASSERT_EQUAL(response->container_max.vcores, 4);
}

static void test_allocate__lower_priority_numbers_come_first(void)
{
    struct rm_ask asks[] = {ask_of(20, "*", 10), ask_of(5, "*", 10)};
    master_allocate(&f, &master, asks, 2);
    const struct rm_allocate_response *answer = master_hear(&f, &master);
    CU_ASSERT_EQUAL_FATAL(answer->grants_count, 15);
    CU_ASSERT_EQUAL(answer->grants[9].priority, 5);
    CU_ASSERT_EQUAL(answer->grants[10].priority, 20);
}

static void test_allocate__applications_are_served_by_priority_and_share(void)
{
    struct app_id ids[2] = {given_app(&f, "alice", 2, 0), given_app(&f, "alice", 3, 5)};
    struct fake_master others[2];
    for (size_t i = 0; i < 2; i++) {
        for (size_t n = 0; n < 4; n++) {
            node_listen(&f, &nodes[n]);
            for (size_t c = 0; node_command(&nodes[n], NODE_LAUNCH_MASTER, c) != NULL; c++) {
                if (app_id_equal(node_command(&nodes[n], NODE_LAUNCH_MASTER, c)->app, ids[i]))
                    others[i] = given_master(&f, &nodes[n], ids[i]);
            }
        }
    }
    struct rm_ask all = ask_of(5, "*", 13);
    master_allocate(&f, &master, &all, 1);
    const struct rm_allocate_response *answer = master_hear(&f, &master);
    CU_ASSERT_EQUAL_FATAL(answer->grants_count, 13);
    struct rm_ask one = ask_of(5, "*", 1);
    master_allocate(&f, &master, &one, 1);
    master_allocate(&f, &others[0], &one, 1);
    master_allocate(&f, &others[1], &one, 1);
    node_complete(&f, &nodes[index_of(answer->grants[0].node.host)], answer->grants[0].container,
                  0);
    CU_ASSERT_EQUAL(master_hear(&f, &others[1])->grants_count, 1); /* priority 5 */
    CU_ASSERT_EQUAL(master_hear(&f, &master)->grants_count, 0);    /* the completion */
    master_allocate(&f, &master, NULL, 0);
    node_complete(&f, &nodes[index_of(answer->grants[1].node.host)], answer->grants[1].container,
                  0);
    CU_ASSERT_EQUAL(master_hear(&f, &others[0])->grants_count, 1); /* holds less */
    CU_ASSERT_EQUAL(master_hear(&f, &master)->grants_count, 0);
}

static void test_allocate__ask_that_does_not_fit_is_passed_over(void)
{
    struct rm_ask asks[] = {ask_of(1, "*", 4), ask_of(5, "*", 1)};
    asks[0].resource = resource_of(4, 4);
    master_allocate(&f, &master, asks, 2);
    const struct rm_allocate_response *answer = master_hear(&f, &master);
    CU_ASSERT_EQUAL_FATAL(answer->grants_count, 4);
    CU_ASSERT_EQUAL(answer->grants[2].resource.vcores, 4);
    CU_ASSERT_EQUAL(answer->grants[3].resource.vcores, 1);
    CU_ASSERT_EQUAL(index_of(answer->grants[3].node.host), 0);
}

static void test_allocate__impossible_asks_are_refused(void)
{
    struct rm_ask ask = ask_of(1, "*", 1);
    ask.resource = resource_of(5, 1);
    master_allocate(&f, &master, &ask, 1);
    CU_ASSERT_EQUAL(fixture_status(&f, master.call), ERR_INVALID);
    CU_ASSERT_STRING_EQUAL(fixture_answer(&f, master.call)->text,
                           "an ask for 5120 MiB and 1 vcores is above the largest container, 4096 "
                           "MiB and 4 vcores");
    ask.resource = resource_of(1, 0);
    master_allocate(&f, &master, &ask, 1);
    CU_ASSERT_EQUAL(fixture_status(&f, master.call), ERR_INVALID);
    ask = ask_of(1, "", 1);
    master_allocate(&f, &master, &ask, 1);
    CU_ASSERT_EQUAL(fixture_status(&f, master.call), ERR_INVALID);
    ask = ask_of(1, "*", UINT32_MAX);
    master_allocate(&f, &master, &ask, 1);
    CU_ASSERT_EQUAL(fixture_status(&f, master.call), ERR_LIMIT);
}

static void test_allocate__wanted_host_is_granted(void)
{
    struct rm_ask asks[] = {ask_of(5, "h2", 1), ask_of(5, "/r1", 1), ask_of(5, "*", 1)};
    master_allocate(&f, &master, asks, 3);
    const struct rm_allocate_response *answer = master_hear(&f, &master);
    CU_ASSERT_EQUAL_FATAL(answer->grants_count, 1);
    CU_ASSERT_EQUAL(index_of(answer->grants[0].node.host), 2);
}

static void test_allocate__locality_is_waited_for_by_the_clock(void)
{
    struct container_id full[4];
    given_full_node(2, full);
    struct rm_ask asks[] = {ask_of(5, "h2", 6), ask_of(5, "/r1", 6), ask_of(5, "*", 6)};
    master_allocate(&f, &master, asks, 3);
    CU_ASSERT_TRUE(fixture_is_held(&f, master.call));
    fixture_pass_ms(&f, 49);
    CU_ASSERT_TRUE(fixture_is_held(&f, master.call));
    fixture_pass_ms(&f, 1);
    const struct rm_allocate_response *answer = master_hear(&f, &master);
    CU_ASSERT_EQUAL_FATAL(answer->grants_count, 4);
    CU_ASSERT_EQUAL(index_of(answer->grants[0].node.host), 3);
    master_allocate(&f, &master, NULL, 0);
    fixture_pass_ms(&f, 49);
    CU_ASSERT_TRUE(fixture_is_held(&f, master.call));
    fixture_pass_ms(&f, 1);
    answer = master_hear(&f, &master);
    CU_ASSERT_EQUAL_FATAL(answer->grants_count, 2);
    CU_ASSERT_TRUE(index_of(answer->grants[0].node.host) < 2);
}

static void test_allocate__local_grant_starts_the_wait_anew(void)
{
    struct container_id full[4];
    given_full_node(2, full);
    struct rm_ask asks[] = {ask_of(5, "h2", 2), ask_of(5, "*", 2)};
    master_allocate(&f, &master, asks, 2);
    fixture_pass_ms(&f, 40);
    CU_ASSERT_TRUE(fixture_is_held(&f, master.call));
    node_complete(&f, &nodes[2], full[0], 0);
    CU_ASSERT_EQUAL(master_hear(&f, &master)->grants_count, 1);
    master_allocate(&f, &master, NULL, 0);
    fixture_pass_ms(&f, 49);
    CU_ASSERT_TRUE(fixture_is_held(&f, master.call));
    fixture_pass_ms(&f, 1);
    CU_ASSERT_EQUAL(master_hear(&f, &master)->grants_count, 1);
}

static void test_allocate__absent_hosts_are_not_waited_for(void)
{
    struct rm_ask asks[] = {ask_of(5, "h9", 1), ask_of(5, "/r9", 1), ask_of(5, "*", 1)};
    master_allocate(&f, &master, asks, 3);
    CU_ASSERT_EQUAL(master_hear(&f, &master)->grants_count, 1);
}

static void test_allocate__served_hosts_are_not_waited_for(void)
{
    struct rm_ask asks[] = {ask_of(5, "h2", 1), ask_of(5, "*", 3)};
    master_allocate(&f, &master, asks, 2);
    CU_ASSERT_EQUAL(master_hear(&f, &master)->grants_count, 3);
}

static void test_allocate__strict_asks_do_not_relax(void)
{
    struct container_id full[4];
    given_full_node(2, full);
    struct rm_ask asks[] = {ask_of(5, "h2", 1), ask_of(5, "/r1", 1), ask_of(5, "*", 1)};
    asks[1].relax_locality = false;
    asks[2].relax_locality = false;
    master_allocate(&f, &master, asks, 3);
    fixture_pass_ms(&f, 900);
    CU_ASSERT_TRUE(fixture_is_held(&f, master.call));
    node_complete(&f, &nodes[2], full[0], 0);
    CU_ASSERT_EQUAL(master_hear(&f, &master)->grants_count, 1);
}

static void test_allocate__rack_strict_asks_stay_on_the_rack(void)
{
    struct rm_ask asks[] = {ask_of(5, "/r1", 9), ask_of(5, "*", 9)};
    asks[1].relax_locality = false;
    master_allocate(&f, &master, asks, 2);
    const struct rm_allocate_response *answer = master_hear(&f, &master);
    CU_ASSERT_EQUAL_FATAL(answer->grants_count, 8);
    for (size_t i = 0; i < 8; i++)
        CU_ASSERT_TRUE(index_of(answer->grants[i].node.host) >= 2);
}

static void test_allocate__the_any_row_is_the_total(void)
{
    struct rm_ask rows[] = {ask_of(5, "h1", 3), ask_of(5, "h2", 3), ask_of(5, "*", 2)};
    master_allocate(&f, &master, rows, 2);
    CU_ASSERT_TRUE(fixture_is_held(&f, master.call));
    master_allocate(&f, &master, rows, 3);
    CU_ASSERT_EQUAL(master_hear(&f, &master)->grants_count, 2);
}

static void test_allocate__released_container_comes_back(void)
{
    struct rm_ask ask = ask_of(5, "*", 1);
    master_allocate(&f, &master, &ask, 1);
    struct rm_grant grant = master_hear(&f, &master)->grants[0];
    struct fake_node *node = &nodes[index_of(grant.node.host)];
    node_listen(&f, node);
    master_release(&f, &master, grant.container);
    CU_ASSERT_TRUE(fixture_is_held(&f, master.call));
    node_listen(&f, node);
    CU_ASSERT_PTR_NOT_NULL_FATAL(node_command(node, NODE_KILL_CONTAINER, 0));
    node_complete(&f, node, grant.container, -106);
    const struct rm_allocate_response *answer = master_hear(&f, &master);
    CU_ASSERT_EQUAL_FATAL(answer->completed_count, 1);
    CU_ASSERT_EQUAL(answer->completed[0].exit_status, RM_EXIT_ABORTED);
    master_release(&f, &master, grant.container); /* again: harmless */
    CU_ASSERT_TRUE(fixture_is_held(&f, master.call));
}

static void test_allocate__unstarted_container_is_taken_back(void)
{
    struct rm_ask ask = ask_of(5, "*", 1);
    master_allocate(&f, &master, &ask, 1);
    struct rm_grant grant = master_hear(&f, &master)->grants[0];
    struct fake_node *node = &nodes[index_of(grant.node.host)];
    int64_t end_ms = f.now_ms + f.settings.container_launch_ms;
    while (f.now_ms < end_ms) {
        master_allocate(&f, &master, NULL, 0);
        fixture_pass_ms(&f, 1000);
        (void)master_hear(&f, &master);
        for (size_t i = 0; i < 4; i++)
            node_listen(&f, &nodes[i]);
    }
    CU_ASSERT_PTR_NOT_NULL_FATAL(node_command(node, NODE_KILL_CONTAINER, 0));
    CU_ASSERT_TRUE(
        container_id_equal(node_command(node, NODE_KILL_CONTAINER, 0)->container, grant.container));
    node_complete(&f, node, grant.container, -106);
    master_allocate(&f, &master, NULL, 0);
    CU_ASSERT_EQUAL(master_hear(&f, &master)->completed[0].exit_status, RM_EXIT_ABORTED);
}

static void test_allocate__undelivered_grant_is_made_again(void)
{
    struct container_id full[4];
    given_full_node(2, full);
    /* A table with no call held: the grant of freed room waits for the next call. */
    struct rm_ask asks[] = {ask_of(5, "h2", 1), ask_of(5, "*", 1)};
    asks[1].relax_locality = false;
    master_allocate(&f, &master, asks, 2);
    struct event gone = {.kind = EVENT_REQUEST_CANCELLED, .call = master.call};
    fixture_step(&f, &gone);
    node_complete(&f, &nodes[2], full[0], 0);
    CU_ASSERT_TRUE(
        fixture_traced(&f, "grant container_e01_1700000001000_0001_01_000006 node-local"));
    struct rm_unregister_node_request request = {.node_id = 3, .session = nodes[2].session};
    (void)fixture_request(&f, METHOD_NODE_TRACKER_UNREGISTER_NODE, &request, RM_DAEMON_USER);
    nodes[2] = given_node(&f, 3, "h2", "/r1", 4);
    master_allocate(&f, &master, NULL, 0);
    const struct rm_allocate_response *answer = master_hear(&f, &master);
    CU_ASSERT_EQUAL_FATAL(answer->grants_count, 1);
    CU_ASSERT_EQUAL(answer->grants[0].container.sequence, 7);
    CU_ASSERT_EQUAL(answer->completed_count, 4);
    CU_ASSERT_EQUAL(answer->lost_node_ids_count, 1);
}

static void test_allocate__many_grants_come_in_several_answers(void)
{
    f.settings.container_max = (struct resource){0};
    fixture_restart(&f);
    struct fake_node big = given_node(&f, 9, "big", "/r0", 900);
    struct fake_node bigger = given_node(&f, 10, "bigger", "/r0", 900);
    (void)big;
    (void)bigger;
    CU_ASSERT_EQUAL(master_register(&f, &master)->running_count, 0);
    struct rm_ask ask = ask_of(5, "*", 1500);
    master_allocate(&f, &master, &ask, 1);
    CU_ASSERT_EQUAL(master_hear(&f, &master)->grants_count, 1000);
    master_allocate(&f, &master, NULL, 0);
    CU_ASSERT_EQUAL(master_hear(&f, &master)->grants_count, 500);
    master_allocate(&f, &master, NULL, 0);
    CU_ASSERT_TRUE(fixture_is_held(&f, master.call));
}

static const struct unit_test tests[] = {
    {"test_allocate__room_is_granted_at_once",
     "An ask that room is there for is answered in the same step, spread over the nodes.",                       test_allocate__room_is_granted_at_once                      },
    {"test_allocate__freed_room_is_granted_at_once",
     "Without room the call is held, and answered the moment room appears.",                                     test_allocate__freed_room_is_granted_at_once                },
    {"test_allocate__held_call_is_answered_after_the_interval",
     "A call without news is answered after the interval with the next number.",                                 test_allocate__held_call_is_answered_after_the_interval     },
    {"test_allocate__lost_answer_is_given_again",
     "An answer that was lost is given again, and nothing is granted twice.",                                    test_allocate__lost_answer_is_given_again                   },
    {"test_allocate__overtaken_requests_are_stale",
     "A request that was overtaken is stale, also when it comes last.",                                          test_allocate__overtaken_requests_are_stale                 },
    {"test_allocate__newer_call_replaces_the_held_one",
     "A newer call replaces the held one and its asks count.",                                                   test_allocate__newer_call_replaces_the_held_one             },
    {"test_allocate__counts_that_differ_are_repaired",
     "A master whose count of grants differs must register again, which lists every container.",                 test_allocate__counts_that_differ_are_repaired              },
    {"test_allocate__registration_delivers_grants",
     "A registration lists grants that no answer has delivered.",                                                test_allocate__registration_delivers_grants                 },
    {"test_allocate__lower_priority_numbers_come_first",             "Lower priority numbers are served first.",
     test_allocate__lower_priority_numbers_come_first                                                                                                                        },
    {"test_allocate__applications_are_served_by_priority_and_share",
     "Applications are served by priority, then whoever holds least.",                                           test_allocate__applications_are_served_by_priority_and_share},
    {"test_allocate__ask_that_does_not_fit_is_passed_over",
     "An ask that fits nowhere is passed over, and served once it fits.",                                        test_allocate__ask_that_does_not_fit_is_passed_over         },
    {"test_allocate__impossible_asks_are_refused",
     "Asks that can never be met are refused and change nothing.",                                               test_allocate__impossible_asks_are_refused                  },
    {"test_allocate__wanted_host_is_granted",
     "A wanted host is granted at once, though others have more room.",                                          test_allocate__wanted_host_is_granted                       },
    {"test_allocate__locality_is_waited_for_by_the_clock",
     "With its host full a group waits for the host, then takes the rack, then any node, each by * "
     "the deadline.",                                                                                            test_allocate__locality_is_waited_for_by_the_clock          },
    {"test_allocate__local_grant_starts_the_wait_anew",
     "A grant on a wanted host starts the wait for the others anew.",                                            test_allocate__local_grant_starts_the_wait_anew             },
    {"test_allocate__absent_hosts_are_not_waited_for",
     "Nobody waits for a host that is not in the cluster.",                                                      test_allocate__absent_hosts_are_not_waited_for              },
    {"test_allocate__served_hosts_are_not_waited_for",
     "When the last wanted host is served the rest no longer waits for hosts.",                                  test_allocate__served_hosts_are_not_waited_for              },
    {"test_allocate__strict_asks_do_not_relax",                      "Strict asks get their place or nothing.",
     test_allocate__strict_asks_do_not_relax                                                                                                                                 },
    {"test_allocate__rack_strict_asks_stay_on_the_rack",
     "An ask strict on its rack does not leave it.",                                                             test_allocate__rack_strict_asks_stay_on_the_rack            },
    {"test_allocate__the_any_row_is_the_total",
     "The total is what counts: host rows alone get nothing, and may be more than the total.",                   test_allocate__the_any_row_is_the_total                     },
    {"test_allocate__released_container_comes_back",
     "A released container comes back when its node has ended it, and its room with it.",                        test_allocate__released_container_comes_back                },
    {"test_allocate__unstarted_container_is_taken_back",
     "A granted container that is never started is taken back.",                                                 test_allocate__unstarted_container_is_taken_back            },
    {"test_allocate__undelivered_grant_is_made_again",
     "A grant that no answer has named is undone when its node is lost, and made again elsewhere.",              test_allocate__undelivered_grant_is_made_again              },
    {"test_allocate__many_grants_come_in_several_answers",
     "More grants than fit an answer come with the next ones.",                                                  test_allocate__many_grants_come_in_several_answers          },
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "rm/allocate", tests, UNIT_COUNT(tests), setup,
                     teardown);
}
