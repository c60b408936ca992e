/*
 * test_namenode_service.c - decommission and maintenance of datanodes.
 */
#include <stdio.h>
#include <string.h>

#include "tests/unit/namenode/fixture.h"

static enum status set_service(uint64_t node_id,
                               enum dfs_datanode_admin_action action,
                               uint64_t until_ms)
{
    struct dfs_set_datanode_admin_request request = {
        .node_id = node_id, .action = action, .until_ms = until_ms};
    return call(METHOD_NAMENODE_SET_DATANODE_ADMIN, &request);
}

static struct dfs_datanode_info info_of(uint64_t node_id)
{
    struct dfs_cluster_status_response status = cluster();
    for (size_t i = 0; i < status.datanodes_count; i++) {
        if (status.datanodes[i].node.node_id == node_id) {
            return status.datanodes[i];
        }
    }
    CU_FAIL("the datanode is not listed");
    return (struct dfs_datanode_info){0};
}

static uint64_t block_of(const char *path, size_t nth)
{
    struct dfs_get_blocks_response blocks = {0};
    CU_ASSERT_EQUAL_FATAL(do_blocks(path, "", &blocks), OK);
    CU_ASSERT_FATAL(nth < blocks.blocks_count);
    return blocks.blocks[nth].block_id;
}

static size_t count_elsewhere(uint64_t block_id, uint64_t node_id)
{
    return count_on_disk(block_id) - (node_has(node_by_id(node_id), block_id) ? 1 : 0);
}

/* The replicas of all blocks of the file that are not on the node. */
static void expect_elsewhere(const char *path, size_t blocks, uint64_t node_id, size_t replicas)
{
    for (size_t i = 0; i < blocks; i++) {
        CU_ASSERT_EQUAL(count_elsewhere(block_of(path, i), node_id), replicas);
    }
}

static void when_nodes_register(void)
{
    for (size_t i = 0; i < f.node_count; i++) {
        if (f.nodes[i].is_alive) {
            node_register(&f.nodes[i]);
            node_report(&f.nodes[i]);
            node_beat(&f.nodes[i]);
        }
    }
    when_ms_pass(f.settings.repair_start_ms + 1);
}

static void when_restarted_with_nodes(void)
{
    when_restarted();
    when_nodes_register();
}

static void when_back(struct test_node *node)
{
    node->is_alive = true;
    node->is_beating = false;
    node->incarnation++;
    node_register(node);
    node_report(node);
    node_beat(node);
}

static void test_service__decommission_copies_everything_elsewhere(void)
{
    given_nodes(5);
    (void)given_file("/a", 10, 3);
    given_repairing();
    size_t held = node_by_id(1)->disk_count;
    CU_ASSERT_FATAL(held > 2);
    CU_ASSERT_EQUAL(set_service(1, DATANODE_DECOMMISSION, 0), OK);
    const struct dfs_set_datanode_admin_response *response = f.response;
    CU_ASSERT_EQUAL(response->datanodes_count, 1);
    CU_ASSERT_EQUAL(response->datanodes[0].admin_state, ADMIN_DECOMMISSIONING);
    CU_ASSERT_EQUAL(response->datanodes[0].blocks_left, held);
    CU_ASSERT_TRUE(was_traced("ADMIN_IN_SERVICE->ADMIN_DECOMMISSIONING"));
    when_ms_pass(5000);
    CU_ASSERT_EQUAL(info_of(1).admin_state, ADMIN_DECOMMISSIONED);
    CU_ASSERT_EQUAL(info_of(1).blocks_left, 0);
    CU_ASSERT_EQUAL(node_by_id(1)->disk_count, held); /* nothing is deleted there */
    expect_elsewhere("/a", 10, 1, 3);
    CU_ASSERT_EQUAL(cluster().under_replicated_count, 0);
    /* And it gets nothing new. */
    (void)given_file("/b", 10, 3);
    CU_ASSERT_EQUAL(node_by_id(1)->disk_count, held);
}

static void test_service__decommission_waits_for_nodes_to_take_the_blocks(void)
{
    given_nodes(3);
    (void)given_file("/a", 4, 3);
    given_repairing();
    CU_ASSERT_EQUAL(set_service(2, DATANODE_DECOMMISSION, 0), OK);
    when_ms_pass(600000);
    CU_ASSERT_EQUAL(info_of(2).admin_state, ADMIN_DECOMMISSIONING);
    CU_ASSERT_EQUAL(info_of(2).blocks_left, 4);
    CU_ASSERT_EQUAL(cluster().under_replicated_count, 4);
    (void)given_node("h4", "/r2");
    when_ms_pass(2 * f.settings.repair_retry_ms);
    CU_ASSERT_EQUAL(info_of(2).admin_state, ADMIN_DECOMMISSIONED);
    expect_elsewhere("/a", 4, 2, 3);
}

static void test_service__only_replica_is_read_and_copied_from_a_leaving_node(void)
{
    given_nodes(3);
    (void)given_file("/a", 1, 1);
    given_repairing();
    uint64_t block_id = block_of("/a", 0);
    uint64_t holder = node_has(node_by_id(1), block_id)   ? 1
                      : node_has(node_by_id(2), block_id) ? 2
                                                          : 3;
    for (size_t i = 0; i < f.node_count; i++) {
        f.nodes[i].is_obedient = false;
    }
    CU_ASSERT_EQUAL(set_service(holder, DATANODE_DECOMMISSION, 0), OK);
    CU_ASSERT_EQUAL(cluster().missing_count, 0);
    CU_ASSERT_EQUAL(count_readable("/a", 0), 1);
    CU_ASSERT_TRUE(was_traced("copy block"));
    for (size_t i = 0; i < f.node_count; i++) {
        f.nodes[i].is_obedient = true;
    }
    when_ms_pass(f.settings.copy_timeout_ms + 5000);
    CU_ASSERT_EQUAL(info_of(holder).admin_state, ADMIN_DECOMMISSIONED);
    CU_ASSERT_EQUAL(count_elsewhere(block_id, holder), 1);
    CU_ASSERT_EQUAL(count_readable("/a", 0), 2);
}

static void test_service__back_in_service_what_is_surplus_goes(void)
{
    given_nodes(5);
    (void)given_file("/a", 10, 3);
    given_repairing();
    CU_ASSERT_EQUAL(set_service(1, DATANODE_DECOMMISSION, 0), OK);
    when_ms_pass(5000);
    CU_ASSERT_EQUAL(set_service(1, DATANODE_SERVE, 0), OK);
    when_ms_pass(5000);
    CU_ASSERT_EQUAL(info_of(1).admin_state, ADMIN_IN_SERVICE);
    for (size_t i = 0; i < 10; i++) {
        CU_ASSERT_EQUAL(count_on_disk(block_of("/a", i)), 3);
    }
}

static void test_service__decommission_goes_on_after_a_restart(void)
{
    given_nodes(3);
    (void)given_file("/a", 4, 3);
    given_repairing();
    CU_ASSERT_EQUAL(set_service(2, DATANODE_DECOMMISSION, 0), OK);
    when_restarted_with_nodes();
    CU_ASSERT_EQUAL(info_of(2).admin_state, ADMIN_DECOMMISSIONING);
    CU_ASSERT_EQUAL(info_of(2).blocks_left, 4);
    (void)given_node("h4", "/r2");
    when_ms_pass(2 * f.settings.repair_retry_ms);
    CU_ASSERT_EQUAL(info_of(2).admin_state, ADMIN_DECOMMISSIONED);
    when_restarted_with_nodes();
    CU_ASSERT_EQUAL(info_of(2).admin_state, ADMIN_DECOMMISSIONED);
    CU_ASSERT_EQUAL(cluster().under_replicated_count, 0);
}

/* A restart forgets the write that was under way to it, so it is drained before that ends. */
static void test_service__decommissioned_node_acknowledges_nothing(void)
{
    uint64_t id = 0;
    struct dfs_add_block_response block;
    given_nodes(4);
    given_repairing();
    CU_ASSERT_EQUAL_FATAL(do_create("/a", false, 0, &id), OK);
    CU_ASSERT_EQUAL_FATAL(do_add_block(id, "h1", &block), OK);
    CU_ASSERT_EQUAL_FATAL(block.targets[0].node_id, 1);
    CU_ASSERT_EQUAL(set_service(1, DATANODE_DECOMMISSION, 0), OK);
    when_ms_pass(5000);
    CU_ASSERT_EQUAL(info_of(1).admin_state, ADMIN_DECOMMISSIONING);
    when_restarted();
    CU_ASSERT_EQUAL(do_seal(id, &block, 5, 3), ERR_NOT_FOUND); /* but it is on three disks now */
    when_nodes_register();
    when_ms_pass(5000);
    CU_ASSERT_EQUAL(info_of(1).admin_state, ADMIN_DECOMMISSIONED);
    CU_ASSERT_EQUAL(do_seal(id, &block, 5, 2), ERR_NO_NODES);
    CU_ASSERT_EQUAL(do_seal(id, &block, 5, 3), OK);
    when_ms_pass(5000);
    CU_ASSERT_EQUAL(count_elsewhere(block.block_id, 1), 3);
}

static void test_service__leaving_node_that_dies_is_done_when_its_blocks_are(void)
{
    given_nodes(4);
    (void)given_file("/a", 4, 3);
    given_repairing();
    for (size_t i = 0; i < f.node_count; i++) {
        f.nodes[i].is_obedient = false;
    }
    CU_ASSERT_EQUAL(set_service(2, DATANODE_DECOMMISSION, 0), OK);
    node_die(node_by_id(2));
    node_by_id(2)->disk_count = 0;
    when_ms_pass(f.settings.rereplicate_ms + 2000);
    CU_ASSERT_EQUAL(info_of(2).state, DATANODE_LOST);
    CU_ASSERT_EQUAL(info_of(2).admin_state, ADMIN_DECOMMISSIONING);
    for (size_t i = 0; i < f.node_count; i++) {
        f.nodes[i].is_obedient = true;
    }
    when_ms_pass(2 * f.settings.copy_timeout_ms);
    CU_ASSERT_EQUAL(info_of(2).admin_state, ADMIN_DECOMMISSIONED);
    expect_elsewhere("/a", 4, 2, 3);
}

static void test_service__maintenance_copies_nothing_while_the_node_is_away(void)
{
    given_nodes(5);
    (void)given_file("/a", 10, 3);
    given_repairing();
    size_t held = node_by_id(1)->disk_count;
    CU_ASSERT_EQUAL(set_service(1, DATANODE_MAINTENANCE, 0), OK);
    when_ms_pass(2000);
    CU_ASSERT_EQUAL(info_of(1).admin_state, ADMIN_IN_MAINTENANCE);
    node_die(node_by_id(1));
    when_ms_pass(10 * f.settings.rereplicate_ms);
    CU_ASSERT_FALSE(was_traced("copy block"));
    CU_ASSERT_EQUAL(cluster().under_replicated_count, 0);
    when_back(node_by_id(1));
    when_ms_pass(2000);
    CU_ASSERT_EQUAL(info_of(1).admin_state, ADMIN_IN_MAINTENANCE);
    CU_ASSERT_EQUAL(set_service(1, DATANODE_SERVE, 0), OK);
    when_ms_pass(2000);
    CU_ASSERT_EQUAL(node_by_id(1)->disk_count, held);
    CU_ASSERT_FALSE(was_traced("copy block"));
}

static void test_service__maintenance_keeps_a_copy_elsewhere(void)
{
    given_nodes(3);
    (void)given_file("/a", 6, 1);
    given_repairing();
    struct test_node *away = node_by_id(1);
    size_t held = away->disk_count;
    CU_ASSERT_FATAL(held > 0);
    CU_ASSERT_EQUAL(set_service(1, DATANODE_MAINTENANCE, 0), OK);
    CU_ASSERT_EQUAL(info_of(1).admin_state, ADMIN_ENTERING_MAINTENANCE);
    when_ms_pass(5000);
    CU_ASSERT_EQUAL(info_of(1).admin_state, ADMIN_IN_MAINTENANCE);
    for (size_t i = 0; i < 6; i++) {
        CU_ASSERT_TRUE(count_elsewhere(block_of("/a", i), 1) >= 1);
    }
}

static void test_service__another_loss_during_maintenance_is_repaired(void)
{
    given_nodes(5);
    (void)given_file("/a", 10, 3);
    given_repairing();
    CU_ASSERT_EQUAL(set_service(1, DATANODE_MAINTENANCE, 0), OK);
    when_ms_pass(2000);
    node_die(node_by_id(1));
    node_die(node_by_id(2));
    node_by_id(2)->disk_count = 0;
    when_ms_pass(f.settings.rereplicate_ms + 10000);
    CU_ASSERT_EQUAL(info_of(1).state, DATANODE_LOST);
    for (size_t i = 0; i < 10; i++) {
        CU_ASSERT_TRUE(count_elsewhere(block_of("/a", i), 1) >= 2);
    }
    CU_ASSERT_EQUAL(cluster().under_replicated_count, 0);
}

static void test_service__maintenance_ends_at_its_time(void)
{
    given_nodes(4);
    (void)given_file("/a", 4, 3);
    given_repairing();
    uint64_t until_ms = (uint64_t)f.wall_ms + 1000000;
    CU_ASSERT_EQUAL(set_service(1, DATANODE_MAINTENANCE, until_ms), OK);
    when_ms_pass(2000);
    CU_ASSERT_EQUAL(info_of(1).maintenance_until_ms, until_ms);
    node_die(node_by_id(1));
    node_by_id(1)->disk_count = 0;
    when_restarted_with_nodes();
    CU_ASSERT_EQUAL(info_of(1).admin_state, ADMIN_IN_MAINTENANCE);
    when_ms_pass(1100000);
    CU_ASSERT_EQUAL(info_of(1).admin_state, ADMIN_IN_SERVICE);
    CU_ASSERT_EQUAL(info_of(1).maintenance_until_ms, 0);
    CU_ASSERT_EQUAL(cluster().under_replicated_count, 0);
    expect_elsewhere("/a", 4, 1, 3);
}

static void test_service__silent_node_is_given_up_when_maintenance_ends(void)
{
    given_nodes(4);
    (void)given_file("/a", 4, 3);
    given_repairing();
    CU_ASSERT_EQUAL(set_service(1, DATANODE_MAINTENANCE, (uint64_t)f.wall_ms + 1000000), OK);
    when_ms_pass(2000);
    node_die(node_by_id(1));
    node_by_id(1)->disk_count = 0;
    when_ms_pass(990000);
    CU_ASSERT_FALSE(was_traced("copy block"));
    when_ms_pass(20000);
    CU_ASSERT_TRUE(was_traced("TRACKED_LOST->TRACKED_GIVEN_UP"));
    expect_elsewhere("/a", 4, 1, 3);
}

static void test_service__forgets_a_node_that_is_given_up(void)
{
    given_nodes(4);
    (void)given_file("/a", 4, 3);
    given_repairing();
    CU_ASSERT_EQUAL(set_service(1, DATANODE_FORGET, 0), ERR_BAD_TRANSITION);
    node_die(node_by_id(1));
    when_ms_pass(f.settings.rereplicate_ms + 5000);
    CU_ASSERT_EQUAL(cluster().datanodes_count, 4);
    when_restarted_with_nodes();
    CU_ASSERT_EQUAL(cluster().datanodes_count, 4); /* known, and absent */
    CU_ASSERT_EQUAL(info_of(1).state, DATANODE_LOST);
    CU_ASSERT_EQUAL(set_service(1, DATANODE_FORGET, 0), OK);
    CU_ASSERT_EQUAL(cluster().datanodes_count, 3);
    when_restarted_with_nodes();
    CU_ASSERT_EQUAL(cluster().datanodes_count, 3);
}

static void test_service__safe_mode_names_absent_datanodes(void)
{
    struct dfs_set_safe_mode_request request = {.action = SAFE_MODE_GET};
    given_nodes(3);
    (void)given_file("/a", 4, 1);
    when_restarted();
    node_register(node_by_id(2));
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_SET_SAFE_MODE, &request), OK);
    const struct dfs_set_safe_mode_response *response = f.response;
    CU_ASSERT_EQUAL(response->datanodes_live, 1);
    CU_ASSERT_EQUAL(response->datanodes_known, 3);
    char reason[300];
    snprintf(reason, sizeof(reason), "%.*s", SLICE_ARGS(response->reason));
    CU_ASSERT_PTR_NOT_NULL(strstr(reason, "2 of 3 datanodes known are absent: h1, h3"));
}

static void test_service__refuses_what_makes_no_sense(void)
{
    given_nodes(2);
    CU_ASSERT_EQUAL(set_service(0, DATANODE_DECOMMISSION, 0), ERR_INVALID);
    CU_ASSERT_EQUAL(set_service(9, DATANODE_DECOMMISSION, 0), ERR_NOT_FOUND);
    CU_ASSERT_EQUAL(set_service(1, (enum dfs_datanode_admin_action)7, 0), ERR_INVALID);
    CU_ASSERT_EQUAL(set_service(1, DATANODE_SERVE, UINT64_MAX), ERR_INVALID);
    CU_ASSERT_EQUAL(set_service(1, DATANODE_MAINTENANCE, 5), ERR_INVALID);
    f.user = "alice";
    CU_ASSERT_EQUAL(set_service(1, DATANODE_DECOMMISSION, 0), ERR_DENIED);
    f.user = "root";
    CU_ASSERT_EQUAL(info_of(1).admin_state, ADMIN_IN_SERVICE);
    struct dfs_set_datanode_admin_request by_host = {.host = text_of("h2"),
                                                     .action = DATANODE_DECOMMISSION};
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_SET_DATANODE_ADMIN, &by_host), OK);
    CU_ASSERT_EQUAL(info_of(2).admin_state, ADMIN_DECOMMISSIONING);
}

static const struct unit_test tests[] = {
    {"test_service__decommission_copies_everything_elsewhere",
     "A decommissioned node's blocks are copied elsewhere, and it gets no new ones.",   test_service__decommission_copies_everything_elsewhere           },
    {"test_service__decommission_waits_for_nodes_to_take_the_blocks",
     "A decommission without room elsewhere says how many blocks are left, and waits.", test_service__decommission_waits_for_nodes_to_take_the_blocks    },
    {"test_service__only_replica_is_read_and_copied_from_a_leaving_node",
     "The only replica on a leaving node is read and copied from there.",               test_service__only_replica_is_read_and_copied_from_a_leaving_node},
    {"test_service__back_in_service_what_is_surplus_goes",
     "Back in service, what is surplus is deleted.",                                    test_service__back_in_service_what_is_surplus_goes               },
    {"test_service__decommission_goes_on_after_a_restart",
     "A decommission goes on after a restart of the namenode.",                         test_service__decommission_goes_on_after_a_restart               },
    {"test_service__decommissioned_node_acknowledges_nothing",
     "A decommissioned node's replica acknowledges no block.",                          test_service__decommissioned_node_acknowledges_nothing           },
    {"test_service__leaving_node_that_dies_is_done_when_its_blocks_are",
     "A leaving node that dies is decommissioned when all blocks have their replicas.", test_service__leaving_node_that_dies_is_done_when_its_blocks_are },
    {"test_service__maintenance_copies_nothing_while_the_node_is_away",
     "While a node is away for maintenance nothing is copied.",                         test_service__maintenance_copies_nothing_while_the_node_is_away  },
    {"test_service__maintenance_keeps_a_copy_elsewhere",
     "A node enters maintenance when each block has a copy elsewhere.",                 test_service__maintenance_keeps_a_copy_elsewhere                 },
    {"test_service__another_loss_during_maintenance_is_repaired",
     "What is lost beside a maintenance is repaired.",                                  test_service__another_loss_during_maintenance_is_repaired        },
    {"test_service__maintenance_ends_at_its_time",
     "Maintenance ends at its time, also over a restart.",                              test_service__maintenance_ends_at_its_time                       },
    {"test_service__silent_node_is_given_up_when_maintenance_ends",
     "A node that is still silent when its maintenance ends is given up.",              test_service__silent_node_is_given_up_when_maintenance_ends      },
    {"test_service__forgets_a_node_that_is_given_up",
     "Known nodes are listed until they are forgotten.",                                test_service__forgets_a_node_that_is_given_up                    },
    {"test_service__safe_mode_names_absent_datanodes",
     "Safe mode names the datanodes that are absent.",                                  test_service__safe_mode_names_absent_datanodes                   },
    {"test_service__refuses_what_makes_no_sense",
     "Service is changed by the superuser, of known nodes.",                            test_service__refuses_what_makes_no_sense                        },
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "namenode service", tests, UNIT_COUNT(tests),
                     fixture_setup, fixture_teardown);
}
