/*
 * test_queues.c - what an operator may write about queues, and what that does (queue_tree.c,
 * queues.c). That shares and limits hold on every trace is test_shares.c.
 */
#include <string.h>

#include "lib/base/error.h"
#include "tests/unit/rm/fixture.h"

static struct fixture f;
static struct rm_queue_spec specs[8];
static size_t spec_count;

static struct rm_queue_spec *given_queue(const char *path)
{
    struct rm_queue_spec *spec = &specs[spec_count++];
    *spec = (struct rm_queue_spec){.path = slice_from_string(path), .line = (uint32_t)spec_count};
    return spec;
}

static struct rm_queue_spec *given_share(const char *path, uint32_t percent)
{
    struct rm_queue_spec *spec = given_queue(path);
    spec->has_share = true;
    spec->share_ppm = percent * 10000;
    return spec;
}

static struct rm_queue_specs all_specs(void)
{
    return (struct rm_queue_specs){
        .file = slice_from_string("q.conf"), .queues = specs, .queues_count = spec_count};
}

static void setup(void)
{
    spec_count = 0;
    f.settings = rm_settings_default();
    f.settings.masters_percent_max = 100;
}

static void open_fixture(void)
{
    static struct rm_queue_specs all;
    all = all_specs();
    f.settings.queues = &all;
    fixture_open(&f);
}

static bool is_refused(const char *sentence)
{
    struct rm_queue_specs all = all_specs();
    struct error error = {0};
    bool is_right =
        rm_queues_check_specs(&all, &error) == ERR_INVALID && strcmp(error.text, sentence) == 0;
    if (!is_right)
        fprintf(stderr, "%s\n", error.text);
    struct rm *rm = NULL;
    f.settings.queues = &all;
    spec_count = 0;
    return is_right && rm_open(&f.settings, 1, &rm) == ERR_INVALID;
}

static void test_queues__what_is_wrong_is_said_in_one_sentence(void)
{
    (void)given_queue("root");
    (void)given_share("root.a", 60);
    (void)given_share("root.b", 41);
    CU_ASSERT_TRUE(is_refused("q.conf:1: queue \"root\": the shares of the queues below it add up "
                              "to 101 percent; lower them to 100 together"));
    (void)given_queue("root.a.b");
    CU_ASSERT_TRUE(
        is_refused("q.conf:1: queue \"root.a.b\": the queue above it has no section; add one"));
    (void)given_queue("roots");
    CU_ASSERT_TRUE(
        is_refused("q.conf:1: queue \"roots\": every queue lies below root; write root.name"));
    (void)given_queue("root.a");
    (void)given_queue("root.a");
    CU_ASSERT_TRUE(is_refused("q.conf:2: queue \"root.a\": it has two sections; keep one"));
    given_queue("root.a")->order = QUEUE_FIFO;
    (void)given_queue("root.a.b");
    CU_ASSERT_TRUE(is_refused("q.conf:1: queue \"root.a\": order is for queues without queues "
                              "below; remove it"));
    given_share("root.a", 50)->max_share_ppm = 400000;
    CU_ASSERT_TRUE(is_refused("q.conf:1: queue \"root.a\": max_share is below what share "
                              "guarantees of the cluster; raise it or lower share"));
    (void)given_queue("root..a");
    CU_ASSERT_TRUE(is_refused("q.conf:1: queue \"root..a\": a name in its path is empty; write "
                              "root.parent.name"));
    (void)given_share("root", 50);
    CU_ASSERT_TRUE(is_refused("q.conf:1: queue \"root\": root has all of the cluster; remove its "
                              "share and max_share"));
}

static uint64_t submit_to(const char *queue, const char *user, uint32_t priority)
{
    struct slice program = slice_from_string("mr-appmaster");
    struct rm_submit_app_request request = {
        .name = slice_from_string("job"),
        .queue = slice_from_string(queue),
        .master_resource = resource_of(1, 1),
        .master = {.arguments = &program, .arguments_count = 1},
        .priority = priority
    };
    return fixture_request(&f, METHOD_RESOURCE_MANAGER_SUBMIT_APP, &request, user);
}

static struct app_id app_in(const char *queue)
{
    const struct rm_submit_app_response *response = fixture_reply(&f, submit_to(queue, "alice", 0));
    return response->app;
}

static bool says(uint64_t call, enum status status, const char *text)
{
    return fixture_status(&f, call) == status && strcmp(fixture_answer(&f, call)->text, text) == 0;
}

static void test_queues__refusals_say_who_what_and_which_limit(void)
{
    (void)given_queue("root.a");
    (void)given_queue("root.a.b");
    struct rm_queue_spec *closed = given_queue("root.closed");
    closed->has_submit = true;
    closed->submit = slice_from_string("bob, @ops");
    given_queue("root.stopped")->state = QUEUE_STOPPED;
    given_queue("root.draining")->state = QUEUE_DRAINING;
    given_queue("root.full")->max_apps = 1;
    specs[spec_count - 1].has_priority_max = true;
    specs[spec_count - 1].priority_max = 3;
    open_fixture();
    CU_ASSERT_TRUE(says(submit_to("root.a", "alice", 0), ERR_INVALID,
                        "queue \"root.a\" has queues below it; name one of these"));
    CU_ASSERT_TRUE(says(submit_to("root.x", "alice", 0), ERR_NOT_FOUND,
                        "unknown queue \"root.x\"; \"mradmin queues\" lists what there is"));
    CU_ASSERT_TRUE(says(submit_to("root.closed", "alice", 0), ERR_DENIED,
                        "\"alice\" may not submit to queue \"root.closed\""));
    CU_ASSERT_EQUAL(fixture_status(&f, submit_to("root.closed", "bob", 0)), OK);
    CU_ASSERT_TRUE(says(submit_to("root.stopped", "alice", 0), ERR_BAD_TRANSITION,
                        "queue \"root.stopped\" is stopped"));
    CU_ASSERT_TRUE(says(submit_to("root.draining", "alice", 0), ERR_BAD_TRANSITION,
                        "queue \"root.draining\" is draining and takes no new application"));
    CU_ASSERT_TRUE(says(submit_to("root.full", "alice", 4), ERR_LIMIT,
                        "priority 4 is above 3, the highest in queue \"root.full\""));
    CU_ASSERT_EQUAL(fixture_status(&f, submit_to("root.full", "alice", 3)), OK);
    CU_ASSERT_TRUE(says(submit_to("root.full", "alice", 0), ERR_LIMIT,
                        "queue \"root.full\" is full: it has 1 applications, and max_apps is 1"));
    fixture_close(&f);
}

static struct fake_master master_on(struct fake_node *node, const char *queue)
{
    struct app_id app = app_in(queue);
    return given_master(&f, node, app);
}

static size_t grants_of(struct fake_master *master, uint32_t want)
{
    struct rm_ask ask = ask_of(1, "*", want);
    master_allocate(&f, master, &ask, 1);
    return fixture_is_held(&f, master->call) ? 0 : master_hear(&f, master)->grants_count;
}

static void test_queues__guarantees_divide_a_cluster_that_all_want(void)
{
    (void)given_share("root.large", 75);
    (void)given_share("root.small", 25);
    open_fixture();
    struct fake_node first = given_node(&f, 1, "h1", "/r", 2);
    struct fake_master large = master_on(&first, "root.large");
    struct fake_master small = master_on(&first, "root.small");
    (void)grants_of(&large, 100);
    (void)grants_of(&small, 100);
    (void)given_node(&f, 2, "h2", "/r", 38);
    CU_ASSERT_EQUAL(master_hear(&f, &large)->grants_count, 29); /* with its master 30 of 40 */
    CU_ASSERT_EQUAL(master_hear(&f, &small)->grants_count, 9);
    fixture_close(&f);
}

static void test_queues__what_one_leaves_the_others_may_take(void)
{
    (void)given_share("root.idle", 75);
    given_share("root.busy", 25)->max_share_ppm = 500000;
    open_fixture();
    struct fake_node node = given_node(&f, 1, "h1", "/r", 40);
    struct fake_master busy = master_on(&node, "root.busy");
    CU_ASSERT_EQUAL(grants_of(&busy, 100), 19); /* with its master max_share */
    fixture_close(&f);
}

static void test_queues__an_equal_part_of_what_is_not_given(void)
{
    (void)given_share("root.a", 50);
    (void)given_queue("root.b");
    (void)given_queue("root.c");
    open_fixture();
    struct fake_node first = given_node(&f, 1, "h1", "/r", 3);
    struct fake_master masters[3] = {master_on(&first, "root.a"), master_on(&first, "root.b"),
                                     master_on(&first, "root.c")};
    for (size_t i = 0; i < 3; i++)
        (void)grants_of(&masters[i], 100);
    (void)given_node(&f, 2, "h2", "/r", 37);
    CU_ASSERT_EQUAL(master_hear(&f, &masters[0])->grants_count, 19);
    CU_ASSERT_EQUAL(master_hear(&f, &masters[1])->grants_count, 9);
    CU_ASSERT_EQUAL(master_hear(&f, &masters[2])->grants_count, 9);
    fixture_close(&f);
}

/* Ghodsi et al., figure 3: 9 CPUs, 18 GB; <1 CPU, 4 GB> and <3 CPUs, 1 GB> get 3 and 2. */
static void test_queues__dominant_shares_are_equal(void)
{
    open_fixture();
    struct fake_node first = given_node(&f, 1, "h1", "/r", 2);
    struct fake_master masters[2] = {master_on(&first, "root.default"),
                                     master_on(&first, "root.default")};
    struct rm_ask asks[2] = {ask_of(1, "*", 100), ask_of(1, "*", 100)};
    asks[0].resource = resource_of(4, 1);
    asks[1].resource = resource_of(1, 3);
    for (size_t i = 0; i < 2; i++)
        master_allocate(&f, &masters[i], &asks[i], 1);
    struct fake_node second = {
        .id = 2, .host = "h2", .rack = "/r", .capacity = resource_of(18, 9), .incarnation = 1};
    node_register(&f, &second, NULL, 0, NULL, 0);
    CU_ASSERT_EQUAL(master_hear(&f, &masters[0])->grants_count, 3);
    CU_ASSERT_EQUAL(master_hear(&f, &masters[1])->grants_count, 2);
    fixture_close(&f);
}

/* An application that takes much of a resource nobody else wants does not starve its sibling. */
static void test_queues__a_siblings_other_resource_does_not_count(void)
{
    (void)given_share("root.a", 50);
    (void)given_share("root.b", 50);
    open_fixture();
    struct fake_node first = given_node(&f, 1, "h1", "/r", 3);
    struct fake_master a = master_on(&first, "root.a");
    struct fake_master memory = master_on(&first, "root.b");
    struct fake_master vcores = master_on(&first, "root.b");
    struct rm_ask wide = ask_of(1, "*", 100);
    wide.resource = resource_of(1, 4);
    struct rm_ask deep = ask_of(1, "*", 4);
    deep.resource = resource_of(60, 1);
    master_allocate(&f, &memory, &deep, 1);
    struct fake_node big = {
        .id = 2, .host = "h2", .rack = "/r", .capacity = resource_of(300, 84), .incarnation = 1};
    node_register(&f, &big, NULL, 0, NULL, 0);
    CU_ASSERT_EQUAL(master_hear(&f, &memory)->grants_count, 4);
    master_allocate(&f, &a, &wide, 1);
    const struct rm_allocate_response *all = master_hear(&f, &a);
    CU_ASSERT_EQUAL_FATAL(all->grants_count, 20);
    master_allocate(&f, &a, NULL, 0);
    master_allocate(&f, &vcores, &wide, 1);
    struct container_id ended = all->grants[0].container;
    node_complete(&f, &big, ended, 0);
    /* Queue b holds 80 % of the memory, but its next wish is for vcores, of which it holds few. */
    CU_ASSERT_EQUAL(master_hear(&f, &vcores)->grants_count, 1);
    fixture_close(&f);
}

static void test_queues__users_are_held_to_their_limit(void)
{
    struct rm_queue_spec *spec = given_queue("root.a");
    spec->user_limit_percent = 25;
    spec->user_limit_factor_ppm = 1000000;
    open_fixture();
    struct fake_node node = given_node(&f, 1, "h1", "/r", 40);
    struct fake_master alone = master_on(&node, "root.a");
    CU_ASSERT_EQUAL(grants_of(&alone, 100), 39); /* the only user has all */
    fixture_close(&f);
    setup();
    spec = given_queue("root.a");
    spec->user_limit_percent = 25;
    spec->user_limit_factor_ppm = 1000000;
    open_fixture();
    node = given_node(&f, 1, "h1", "/r", 40);
    struct fake_master first = master_on(&node, "root.a");
    CU_ASSERT_EQUAL(fixture_status(&f, submit_to("root.a", "bob", 0)), OK);
    CU_ASSERT_EQUAL(grants_of(&first, 100), 19); /* one of two users has half */
    fixture_close(&f);
}

static void test_queues__only_so_many_run_at_once(void)
{
    given_queue("root.a")->max_running = 1;
    open_fixture();
    struct fake_node node = given_node(&f, 1, "h1", "/r", 40);
    struct fake_master first = master_on(&node, "root.a");
    struct app_id second = app_in("root.a");
    node_listen(&f, &node);
    CU_ASSERT_PTR_NULL(node_command(&node, NODE_LAUNCH_MASTER, 1));
    CU_ASSERT_EQUAL(fixture_status(&f, master_finish(&f, &first, FINAL_SUCCEEDED)), OK);
    node_listen(&f, &node);
    const struct rm_node_command *launch = node_command(&node, NODE_LAUNCH_MASTER, 1);
    CU_ASSERT_PTR_NOT_NULL_FATAL(launch);
    CU_ASSERT_TRUE(app_id_equal(launch->app, second));
    fixture_close(&f);
}

static void test_queues__a_vanished_queue_drains(void)
{
    (void)given_queue("root.old");
    open_fixture();
    struct fake_node node = given_node(&f, 1, "h1", "/r", 4);
    struct app_id app = app_in("root.old");
    spec_count = 0;
    (void)given_queue("root.new");
    struct rm_queue_specs all = all_specs();
    f.settings.queues = &all;
    fixture_restart(&f);
    CU_ASSERT_TRUE(says(submit_to("root.old", "alice", 0), ERR_NOT_FOUND,
                        "unknown queue \"root.old\"; \"mradmin queues\" lists what there is"));
    node.incarnation++;
    node_register(&f, &node, NULL, 0, NULL, 0);
    node_beat(&f, &node);
    fixture_pass_ms(&f, 20000);
    CU_ASSERT_EQUAL(app_report(&f, app).state, APP_ACCEPTED);
    CU_ASSERT_TRUE(slice_equal_string(app_report(&f, app).queue, "root.old"));
    fixture_close(&f);
}

/* --- what people change and ask ------------------------------------------------------------- */
static const struct rm_waiting *why(struct app_id app, size_t expected)
{
    struct rm_explain_app_request request = {.app = app};
    const struct rm_explain_app_response *response = fixture_reply(
        &f, fixture_request(&f, METHOD_RESOURCE_MANAGER_EXPLAIN_APP, &request, "anyone"));
    CU_ASSERT_EQUAL_FATAL(response->waiting_count, expected);
    return response->waiting;
}

static bool waits_for(struct app_id app, enum rm_wait_reason reason, const char *text)
{
    const struct rm_waiting *waiting = why(app, 1);
    bool is_right = waiting->reason == reason && slice_equal_string(waiting->text, text) &&
                    waiting->would_free.length > 0;
    if (!is_right)
        fprintf(stderr, "%s: %.*s\n", rm_wait_reason_name(waiting->reason),
                SLICE_ARGS(waiting->text));
    return is_right;
}

static void ask_wide(struct fake_master *master, uint32_t vcores, uint32_t want)
{
    struct rm_ask ask = ask_of(1, "*", want);
    ask.resource = resource_of(1, vcores);
    master_allocate(&f, master, &ask, 1);
}

static void test_queues__every_wait_has_a_reason_with_its_numbers(void)
{
    given_queue("root.small")->max_share_ppm = 500000;
    given_queue("root.one")->max_running = 1;
    struct rm_queue_spec *each = given_queue("root.users");
    each->user_limit_factor_ppm = 500000;
    (void)given_queue("root.rest");
    open_fixture();
    CU_ASSERT_TRUE(waits_for(app_in("root.one"), WAIT_TOO_BIG, "no node is there"));
    struct fake_node node = given_node(&f, 1, "h1", "/r", 16);
    struct fake_master small = master_on(&node, "root.small");
    ask_wide(&small, 8, 1);
    CU_ASSERT_TRUE(waits_for(small.app, WAIT_QUEUE_MAX,
                             "queue \"root.small\" holds 1 GiB and 1 vcores of at most 8 GiB and "
                             "8 vcores"));
    CU_ASSERT_TRUE(waits_for(app_in("root.one"), WAIT_APPS_MAX,
                             "queue \"root.one\" runs 1 applications, and max_running is 1"));
    struct fake_master user = master_on(&node, "root.users");
    ask_wide(&user, 2, 1);
    CU_ASSERT_TRUE(waits_for(user.app, WAIT_USER_LIMIT,
                             "user \"alice\" holds 1 GiB and 1 vcores of at most 2 GiB and 2 "
                             "vcores in queue \"root.users\""));
    struct fake_master rest = master_on(&node, "root.rest");
    ask_wide(&rest, 17, 1);
    CU_ASSERT_TRUE(waits_for(rest.app, WAIT_TOO_BIG,
                             "1 GiB and 17 vcores are more than any node has; the most on one are "
                             "16 GiB and 16 vcores"));
    ask_wide(&rest, 13, 1);
    CU_ASSERT_TRUE(waits_for(rest.app, WAIT_NO_ROOM,
                             "no node has enough vcores free for 1 GiB and 13 vcores; the most "
                             "free are 12 GiB and 12 vcores"));
    ask_wide(&rest, 12, 2);
    (void)why(rest.app, 1);
    struct fake_master late = {0};
    late.app = app_in("root.rest");
    CU_ASSERT_EQUAL(why(late.app, 1)->is_master, true);
    ask_wide(&rest, 12, 0);
    CU_ASSERT_EQUAL(fixture_status(&f, submit_to("root.rest", "bob", 0)), OK);
    (void)why(late.app, 1);
    fixture_close(&f);
}

static void test_queues__who_comes_before_is_named(void)
{
    open_fixture();
    struct fake_node node = given_node(&f, 1, "h1", "/r", 4);
    struct fake_master first = master_on(&node, "root.default");
    struct fake_master second = master_on(&node, "root.default");
    CU_ASSERT_EQUAL(grants_of(&first, 100), 2);
    CU_ASSERT_EQUAL(grants_of(&second, 100), 0);
    const struct rm_waiting *waiting = why(first.app, 1);
    CU_ASSERT_EQUAL(waiting->reason, WAIT_NOT_ITS_TURN);
    CU_ASSERT_TRUE(app_id_equal(waiting->behind, second.app));
    CU_ASSERT_EQUAL(why(second.app, 1)->reason, WAIT_NO_ROOM);
    fixture_close(&f);
}

static void test_queues__locality_says_how_long(void)
{
    open_fixture();
    struct fake_node far = given_node(&f, 1, "far", "/r0", 4);
    struct fake_node near = given_node(&f, 2, "near", "/r1", 1);
    struct app_id app = app_in("root.default");
    node_listen(&f, &far);
    bool is_near = node_command(&far, NODE_LAUNCH_MASTER, 0) == NULL;
    struct fake_master master = given_master(&f, is_near ? &near : &far, app);
    struct fake_master other = {0};
    if (!is_near) { /* fills the near host */
        struct app_id second = app_in("root.default");
        other = given_master(&f, &near, second);
    }
    struct rm_ask asks[] = {ask_of(1, "near", 1), ask_of(1, "*", 1)};
    master_allocate(&f, &master, asks, 2);
    const struct rm_waiting *waiting = why(app, 1);
    CU_ASSERT_EQUAL(waiting->reason, WAIT_LOCALITY);
    CU_ASSERT_EQUAL(waiting->for_ms, 50);
    fixture_pass_ms(&f, 50);
    (void)why(app, 0);
    (void)other;
    fixture_close(&f);
}

static uint64_t move_as(struct app_id app, const char *queue, const char *user)
{
    struct rm_move_app_request request = {.app = app, .queue = slice_from_string(queue)};
    return fixture_request(&f, METHOD_RESOURCE_MANAGER_MOVE_APP, &request, user);
}

static void test_queues__an_application_is_moved_with_all_it_holds(void)
{
    given_queue("root.small")->max_share_ppm = 500000;
    (void)given_queue("root.large");
    open_fixture();
    struct fake_node node = given_node(&f, 1, "h1", "/r", 16);
    struct fake_master master = master_on(&node, "root.small");
    CU_ASSERT_EQUAL(grants_of(&master, 100), 7);
    master_allocate(&f, &master, NULL, 0);
    CU_ASSERT_TRUE(fixture_is_held(&f, master.call));
    CU_ASSERT_EQUAL(fixture_status(&f, move_as(master.app, "root.large", "bob")), ERR_DENIED);
    CU_ASSERT_EQUAL(fixture_status(&f, move_as(master.app, "root.none", "alice")), ERR_NOT_FOUND);
    CU_ASSERT_EQUAL(fixture_status(&f, move_as(master.app, "root.large", "alice")), OK);
    CU_ASSERT_EQUAL(master_hear(&f, &master)->grants_count, 8); /* what max_share kept from it */
    fixture_restart(&f);
    CU_ASSERT_TRUE(slice_equal_string(app_report(&f, master.app).queue, "root.large"));
    fixture_restart_from_snapshot(&f);
    CU_ASSERT_TRUE(slice_equal_string(app_report(&f, master.app).queue, "root.large"));
    fixture_close(&f);
}

static void test_queues__a_priority_is_changed_while_it_waits(void)
{
    struct rm_queue_spec *spec = given_queue("root.a");
    spec->has_priority_max = true;
    spec->priority_max = 5;
    open_fixture();
    struct fake_node node = given_node(&f, 1, "h1", "/r", 3);
    struct fake_master first = master_on(&node, "root.a");
    struct fake_master second = master_on(&node, "root.a");
    CU_ASSERT_EQUAL(grants_of(&first, 10), 1);
    CU_ASSERT_EQUAL(grants_of(&second, 10), 0);
    struct rm_set_priority_request request = {.app = first.app, .priority = 6};
    uint64_t call = fixture_request(&f, METHOD_RESOURCE_MANAGER_SET_PRIORITY, &request, "alice");
    CU_ASSERT_TRUE(says(call, ERR_LIMIT, "priority 6 is above 5, the highest in queue \"root.a\""));
    request.priority = 5;
    call = fixture_request(&f, METHOD_RESOURCE_MANAGER_SET_PRIORITY, &request, "alice");
    CU_ASSERT_EQUAL(fixture_status(&f, call), OK);
    master_allocate(&f, &first, NULL, 0);
    (void)given_node(&f, 2, "h2", "/r", 1);
    CU_ASSERT_EQUAL(master_hear(&f, &first)->grants_count, 1); /* though it holds more */
    fixture_restart(&f);
    CU_ASSERT_EQUAL(app_report(&f, first.app).priority, 5);
    fixture_restart_from_snapshot(&f);
    CU_ASSERT_EQUAL(app_report(&f, first.app).priority, 5);
    fixture_close(&f);
}

static const struct rm_get_queues_response *queues_now(void)
{
    struct rm_get_queues_request request = {0};
    return fixture_reply(
        &f, fixture_request(&f, METHOD_RESOURCE_MANAGER_GET_QUEUES, &request, "anyone"));
}

static void answer_reading(const struct rm_queue_specs *all, enum status status, const char *text)
{
    struct event event = {.kind = EVENT_EFFECT_DONE,
                          .tag = f.effect_tag,
                          .effect = RM_EFFECT_READ_QUEUES,
                          .status = status,
                          .text = slice_from_string(text),
                          .data = all};
    fixture_step(&f, &event);
}

static uint64_t refresh_as(const char *user)
{
    struct rm_refresh_queues_request request = {0};
    return fixture_request(&f, METHOD_RESOURCE_MANAGER_REFRESH_QUEUES, &request, user);
}

static void test_queues__are_read_again_while_applications_run(void)
{
    f.settings.admin_user = slice_from_string("op");
    given_share("root.a", 50)->max_share_ppm = 500000;
    open_fixture();
    struct fake_node node = given_node(&f, 1, "h1", "/r", 16);
    struct fake_master master = master_on(&node, "root.a");
    CU_ASSERT_EQUAL(grants_of(&master, 100), 7);
    master_allocate(&f, &master, NULL, 0);
    CU_ASSERT_EQUAL(fixture_status(&f, refresh_as("alice")), ERR_DENIED);
    uint64_t call = refresh_as("op");
    CU_ASSERT_TRUE(fixture_is_held(&f, call));
    answer_reading(NULL, ERR_INVALID, "q.conf:3: no");
    CU_ASSERT_TRUE(says(call, ERR_INVALID, "q.conf:3: no"));
    CU_ASSERT_EQUAL(queues_now()->queues_count, 2); /* as they were */
    call = refresh_as("op");
    specs[0].max_share_ppm = 750000;
    (void)given_queue("root.b");
    struct rm_queue_specs all = all_specs();
    answer_reading(&all, OK, "");
    CU_ASSERT_EQUAL(fixture_status(&f, call), OK);
    CU_ASSERT_EQUAL(master_hear(&f, &master)->grants_count, 4); /* 12 of 16 */
    const struct rm_get_queues_response *found = queues_now();
    CU_ASSERT_EQUAL_FATAL(found->queues_count, 3);
    CU_ASSERT_TRUE(slice_equal_string(found->queues[1].path, "root.a"));
    CU_ASSERT_EQUAL(found->queues[1].used.vcores, 12);
    CU_ASSERT_EQUAL(found->queues[1].containers_pending, 100 - 11);
    CU_ASSERT_EQUAL(found->queues[1].share_ppm, 500000);
    fixture_close(&f);
}

static void test_queues__a_removed_queue_drains_and_a_stopped_one_waits(void)
{
    (void)given_queue("root.a");
    (void)given_queue("root.b");
    open_fixture();
    struct fake_node node = given_node(&f, 1, "h1", "/r", 4);
    struct fake_master gone = master_on(&node, "root.a");
    struct fake_master stopped = master_on(&node, "root.b");
    (void)refresh_as(RM_DAEMON_USER);
    spec_count = 0;
    given_queue("root.b")->state = QUEUE_STOPPED;
    struct rm_queue_specs all = all_specs();
    answer_reading(&all, OK, "");
    const struct rm_get_queues_response *found = queues_now();
    CU_ASSERT_EQUAL_FATAL(found->queues_count, 3);
    CU_ASSERT_TRUE(found->queues[2].is_vanished);
    CU_ASSERT_EQUAL(found->queues[2].used.vcores, 1);
    CU_ASSERT_EQUAL(grants_of(&stopped, 1), 0);
    CU_ASSERT_TRUE(waits_for(stopped.app, WAIT_QUEUE_STOPPED, "queue \"root.b\" is stopped"));
    CU_ASSERT_EQUAL(grants_of(&gone, 1), 1);
    CU_ASSERT_EQUAL(fixture_status(&f, master_finish(&f, &gone, FINAL_SUCCEEDED)), OK);
    (void)refresh_as(RM_DAEMON_USER);
    specs[0].state = QUEUE_RUNNING;
    answer_reading(&all, OK, "");
    CU_ASSERT_EQUAL(master_hear(&f, &stopped)->grants_count, 1);
    fixture_close(&f);
}

static const struct unit_test tests[] = {
    {"test_queues__what_is_wrong_is_said_in_one_sentence",
     "What is wrong with the queues is said in one sentence: file, line, queue, reason, way out.",               test_queues__what_is_wrong_is_said_in_one_sentence         },
    {"test_queues__refusals_say_who_what_and_which_limit",
     "A submission is refused with who, what and which limit.",                                                  test_queues__refusals_say_who_what_and_which_limit         },
    {"test_queues__guarantees_divide_a_cluster_that_all_want",
     "When all want everything each queue gets its share.",                                                      test_queues__guarantees_divide_a_cluster_that_all_want     },
    {"test_queues__what_one_leaves_the_others_may_take",
     "What a queue leaves others may take, up to their maximum share.",                                          test_queues__what_one_leaves_the_others_may_take           },
    {"test_queues__an_equal_part_of_what_is_not_given",
     "Queues without a share divide equally what is not given.",                                                 test_queues__an_equal_part_of_what_is_not_given            },
    {"test_queues__dominant_shares_are_equal",
     "Applications of one queue get equal dominant shares.",                                                     test_queues__dominant_shares_are_equal                     },
    {"test_queues__a_siblings_other_resource_does_not_count",
     "What an application holds of another resource does not starve those beside it.",                           test_queues__a_siblings_other_resource_does_not_count      },
    {"test_queues__users_are_held_to_their_limit",
     "One of two users gets half of the queue when a user's limit says so.",                                     test_queues__users_are_held_to_their_limit                 },
    {"test_queues__only_so_many_run_at_once",
     "Beyond max_running applications wait for another's end.",                                                  test_queues__only_so_many_run_at_once                      },
    {"test_queues__every_wait_has_a_reason_with_its_numbers",
     "Every wait has a reason with its numbers.",                                                                test_queues__every_wait_has_a_reason_with_its_numbers      },
    {"test_queues__who_comes_before_is_named",                      "Who comes before is named.",
     test_queues__who_comes_before_is_named                                                                                                                                 },
    {"test_queues__locality_says_how_long",                         "A wait for a host says how long it lasts.",
     test_queues__locality_says_how_long                                                                                                                                    },
    {"test_queues__an_application_is_moved_with_all_it_holds",
     "An application is moved with all it holds, and stays there after a restart.",                              test_queues__an_application_is_moved_with_all_it_holds     },
    {"test_queues__a_priority_is_changed_while_it_waits",
     "A priority is changed while the application waits, and stays after a restart.",                            test_queues__a_priority_is_changed_while_it_waits          },
    {"test_queues__are_read_again_while_applications_run",
     "Queues are read again while applications run; bad ones leave them as they were.",                          test_queues__are_read_again_while_applications_run         },
    {"test_queues__a_removed_queue_drains_and_a_stopped_one_waits",
     "A removed queue's applications go on, a stopped one's wait until it runs again.",                          test_queues__a_removed_queue_drains_and_a_stopped_one_waits},
    {"test_queues__a_vanished_queue_drains",
     "Applications of a queue that is gone after a restart go on; new ones are refused.",                        test_queues__a_vanished_queue_drains                       },
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "rm/queues", tests, UNIT_COUNT(tests), setup, NULL);
}
