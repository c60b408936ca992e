/*
 * test_namenode_balance.c - replicas move from fuller datanodes to emptier ones.
 */
#include <stdio.h>
#include <string.h>

#include "tests/unit/namenode/fixture.h"

static struct dfs_set_balancer_response set_balancer(enum dfs_balancer_action action,
                                                     uint64_t threshold_ppm,
                                                     uint64_t bytes_per_second)
{
    struct dfs_set_balancer_request request = {
        .action = action, .threshold_ppm = threshold_ppm, .bytes_per_second = bytes_per_second};
    struct dfs_set_balancer_response none = {0};
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_SET_BALANCER, &request), OK);
    return f.status == OK ? *(const struct dfs_set_balancer_response *)f.response : none;
}

static size_t count_traced(const char *text)
{
    size_t count = 0;
    const char *at = buf_string(&f.traced);
    while ((at = strstr(at, text)) != NULL) {
        count++;
        at++;
    }
    return count;
}

/* Four nodes in two racks with 250 blocks of two replicas: an eighth of each node's room. */
static void given_full_nodes(void)
{
    uint64_t file_id = 0;
    f.replay_every = 50;
    given_nodes(4);
    CU_ASSERT_EQUAL_FATAL(do_create("/a", false, 2, &file_id), OK);
    for (int i = 0; i < 250; i++) {
        struct dfs_add_block_response block;
        CU_ASSERT_EQUAL_FATAL(do_add_block(file_id, "", &block), OK);
        CU_ASSERT_EQUAL_FATAL(do_seal(file_id, &block, BLOCK_SIZE, 2), OK);
    }
    CU_ASSERT_EQUAL(do_complete(file_id, 250 * BLOCK_SIZE), OK);
    when_ms_pass(2000);
}

static void expect_all_well(const char *path, size_t blocks, size_t replicas)
{
    struct dfs_check_files_request request = {.path = text_of(path)};
    CU_ASSERT_EQUAL_FATAL(call(METHOD_NAMENODE_CHECK_FILES, &request), OK);
    const struct dfs_checked_file *file =
        &((const struct dfs_check_files_response *)f.response)->files[0];
    CU_ASSERT_EQUAL_FATAL(file->blocks_count, blocks);
    for (size_t i = 0; i < blocks; i++) {
        CU_ASSERT_FALSE(file->blocks[i].is_misplaced);
        CU_ASSERT_EQUAL(file->blocks[i].good, replicas);
        CU_ASSERT_EQUAL(count_on_disk(file->blocks[i].block_id), replicas);
    }
}

static void test_balance__fills_a_new_node(void)
{
    given_full_nodes();
    given_repairing();
    struct test_node *empty = given_node("h5", "/r1");
    (void)given_node("h6", "/r2");
    struct dfs_set_balancer_response balancer = set_balancer(BALANCER_ON, 20000, 0);
    CU_ASSERT_TRUE(balancer.is_running);
    CU_ASSERT_TRUE(balancer.left_bytes > 0);
    CU_ASSERT_EQUAL(balancer.mean_ppm, 83333);
    CU_ASSERT_EQUAL(balancer.least_ppm, 0);
    when_ms_pass(60000);
    balancer = set_balancer(BALANCER_GET, 0, 0);
    CU_ASSERT_FALSE(balancer.is_running);
    CU_ASSERT_EQUAL(balancer.left_bytes, 0);
    CU_ASSERT_EQUAL(balancer.moving_blocks, 0);
    CU_ASSERT_TRUE(balancer.moved_blocks >= 2 * 63 && balancer.moved_blocks <= 2 * 90);
    CU_ASSERT_EQUAL(balancer.moved_bytes, balancer.moved_blocks * BLOCK_SIZE);
    CU_ASSERT_TRUE(empty->disk_count >= 63 && empty->disk_count <= 103);
    CU_ASSERT_TRUE(slice_equal_string(balancer.reason, "all datanodes are within the threshold"));
    expect_all_well("/a", 250, 2);
    /* And then it is quiet. */
    forget_traced();
    when_ms_pass(600000);
    CU_ASSERT_EQUAL(count_traced("move block="), 0);
}

static void test_balance__within_the_threshold_nothing_moves(void)
{
    given_full_nodes();
    given_repairing();
    CU_ASSERT_FALSE(set_balancer(BALANCER_GET, 0, 0).is_running);
    when_ms_pass(60000);
    CU_ASSERT_EQUAL(count_traced("move block="), 0);
}

static void test_balance__empties_a_node_that_is_too_full(void)
{
    given_full_nodes();
    given_repairing();
    size_t before = node_by_id(1)->disk_count;
    node_by_id(1)->used_bytes = NODE_BYTES / 2; /* of others */
    when_ms_pass(60000);
    CU_ASSERT_TRUE(node_by_id(1)->disk_count < before);
    expect_all_well("/a", 250, 2);
}

/* Two racks with two and three nodes: a replica in each rack fills those of the smaller one more.
 */
static void test_balance__says_when_the_racks_do_not_let_it(void)
{
    given_full_nodes();
    given_repairing();
    (void)given_node("h5", "/r1");
    (void)set_balancer(BALANCER_ON, 10000, 0);
    when_ms_pass(120000);
    struct dfs_set_balancer_response balancer = set_balancer(BALANCER_GET, 0, 0);
    CU_ASSERT_FALSE(balancer.is_running);
    CU_ASSERT_TRUE(balancer.left_bytes > 0);
    CU_ASSERT_TRUE(slice_has_prefix(balancer.reason, text_of("no block can be moved")));
    CU_ASSERT_TRUE(balancer.moved_blocks <= 110);
    forget_traced();
    when_ms_pass(120000);
    CU_ASSERT_EQUAL(count_traced("move block="), 0);
    expect_all_well("/a", 250, 2);
}

static void test_balance__keeps_to_its_rate(void)
{
    given_full_nodes();
    given_repairing();
    (void)given_node("h5", "/r1");
    forget_traced();
    (void)set_balancer(BALANCER_ON, 20000, 2 * BLOCK_SIZE);
    when_ms_pass(10000);
    size_t moves = count_traced("move block=");
    CU_ASSERT_TRUE(moves >= 10);
    CU_ASSERT_TRUE(moves <= 2 * 10 + 3);
}

static void test_balance__waits_while_blocks_are_under_replicated(void)
{
    given_full_nodes();
    given_repairing();
    (void)given_file("/b", 1, 4);
    node_die(node_by_id(2)); /* its blocks cannot all be copied: three nodes are left */
    when_ms_pass(f.settings.rereplicate_ms + 60000);
    CU_ASSERT_EQUAL(cluster().under_replicated_count, 1);
    node_by_id(1)->used_bytes = NODE_BYTES * 3 / 4;
    forget_traced();
    when_ms_pass(60000);
    struct dfs_set_balancer_response balancer = set_balancer(BALANCER_GET, 0, 0);
    CU_ASSERT_FALSE(balancer.is_running);
    CU_ASSERT_TRUE(balancer.left_bytes > 0);
    CU_ASSERT_EQUAL(count_traced("move block="), 0);
    (void)given_node("h5", "/r2");
    when_ms_pass(60000);
    CU_ASSERT_TRUE(count_traced("move block=") > 0);
}

static void test_balance__safe_mode_stops_it(void)
{
    struct dfs_set_safe_mode_request request = {.action = SAFE_MODE_ENTER};
    given_full_nodes();
    given_repairing();
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_SET_SAFE_MODE, &request), OK);
    (void)given_node("h5", "/r1");
    struct dfs_set_balancer_response balancer = set_balancer(BALANCER_ON, 20000, 0);
    CU_ASSERT_FALSE(balancer.is_running);
    CU_ASSERT_TRUE(slice_equal_string(balancer.reason, "safe mode"));
    when_ms_pass(60000);
    CU_ASSERT_EQUAL(count_traced("move block="), 0);
}

static void test_balance__what_is_set_outlasts_a_restart(void)
{
    given_full_nodes();
    given_repairing();
    struct dfs_set_balancer_response balancer = set_balancer(BALANCER_OFF, 30000, 12345);
    CU_ASSERT_FALSE(balancer.is_enabled);
    (void)given_node("h5", "/r1");
    when_ms_pass(60000);
    CU_ASSERT_EQUAL(count_traced("move block="), 0);
    when_restarted();
    balancer = set_balancer(BALANCER_GET, 0, 0);
    CU_ASSERT_FALSE(balancer.is_enabled);
    CU_ASSERT_EQUAL(balancer.threshold_ppm, 30000);
    CU_ASSERT_EQUAL(balancer.bytes_per_second, 12345);
    struct dfs_set_balancer_request request = {.action = BALANCER_ON};
    f.user = "alice";
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_SET_BALANCER, &request), ERR_DENIED);
    CU_ASSERT_FALSE(set_balancer(BALANCER_GET, 0, 0).is_enabled);
    f.user = "root";
    request.threshold_ppm = 1000001;
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_SET_BALANCER, &request), ERR_INVALID);
}

/* A node dies while moves to it and from it are under way. */
static void test_balance__loss_during_moves_leaves_all_replicas(void)
{
    for (uint64_t victim = 1; victim <= 5; victim += 4) {
        given_full_nodes();
        given_repairing();
        (void)given_node("h5", "/r1");
        (void)set_balancer(BALANCER_ON, 20000, 20 * BLOCK_SIZE);
        when_ms_pass(1500);
        CU_ASSERT_TRUE(count_traced("move block=") > 0);
        node_die(node_by_id(victim));
        node_by_id(victim)->disk_count = 0;
        when_ms_pass(f.settings.rereplicate_ms + 120000);
        CU_ASSERT_EQUAL(cluster().under_replicated_count, 0);
        expect_all_well("/a", 250, 2);
        fixture_teardown();
        fixture_setup();
    }
}

/* Moves that are told and never made. */
static void test_balance__move_that_fails_is_given_up(void)
{
    given_full_nodes();
    given_repairing();
    struct test_node *deaf = given_node("h5", "/r1");
    deaf->is_obedient = false;
    (void)set_balancer(BALANCER_ON, 20000, 0);
    when_ms_pass(5000);
    CU_ASSERT_TRUE(set_balancer(BALANCER_GET, 0, 0).moving_blocks > 0);
    (void)set_balancer(BALANCER_OFF, 0, 0);
    when_ms_pass(f.settings.copy_timeout_ms + 1000);
    CU_ASSERT_EQUAL(set_balancer(BALANCER_GET, 0, 0).moving_blocks, 0);
    CU_ASSERT_EQUAL(set_balancer(BALANCER_GET, 0, 0).moved_blocks, 0);
    expect_all_well("/a", 250, 2);
}

static const struct unit_test tests[] = {
    {"test_balance__fills_a_new_node",
     "A new datanode is filled to near the mean, then it is quiet.",                                             test_balance__fills_a_new_node                       },
    {"test_balance__within_the_threshold_nothing_moves",      "Within the threshold nothing moves.",
     test_balance__within_the_threshold_nothing_moves                                                                                                                 },
    {"test_balance__empties_a_node_that_is_too_full",
     "A datanode that is too full gives blocks away.",                                                           test_balance__empties_a_node_that_is_too_full        },
    {"test_balance__says_when_the_racks_do_not_let_it",
     "When the racks do not let it, it says so and is quiet.",                                                   test_balance__says_when_the_racks_do_not_let_it      },
    {"test_balance__keeps_to_its_rate",                       "Moves keep to the balancer's rate.",
     test_balance__keeps_to_its_rate                                                                                                                                  },
    {"test_balance__waits_while_blocks_are_under_replicated",
     "Nothing moves while a block has too few replicas.",                                                        test_balance__waits_while_blocks_are_under_replicated},
    {"test_balance__safe_mode_stops_it",                      "Nothing moves in safe mode.",
     test_balance__safe_mode_stops_it                                                                                                                                 },
    {"test_balance__what_is_set_outlasts_a_restart",          "What an operator sets outlasts a restart.",
     test_balance__what_is_set_outlasts_a_restart                                                                                                                     },
    {"test_balance__loss_during_moves_leaves_all_replicas",
     "A datanode lost during moves leaves all blocks with their replicas.",                                      test_balance__loss_during_moves_leaves_all_replicas  },
    {"test_balance__move_that_fails_is_given_up",             "A move that is never made leaves all as it was.",
     test_balance__move_that_fails_is_given_up                                                                                                                        },
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "namenode balance", tests, UNIT_COUNT(tests),
                     fixture_setup, fixture_teardown);
}
