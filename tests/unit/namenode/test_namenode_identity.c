/*
 * test_namenode_identity.c - datanodes that return wrong (row F20 of the faults): another
 * cluster's, a copy, an older process, a wiped disk, stale and foreign blocks. Refused or cleaned,
 * never counted.
 */
#include <stdio.h>
#include <string.h>

#include "tests/unit/namenode/fixture.h"

static enum status register_as(uint64_t node_id,
                               uint64_t cluster_id,
                               uint64_t incarnation,
                               const char *address)
{
    struct dfs_register_datanode_request request = {
        .node = {.node_id = node_id,
                 .host = text_of("hx"),
                 .rack = text_of("/r1"),
                 .http_address = text_of(address)},
        .cluster_id = cluster_id,
        .incarnation = incarnation,
        .capacity_bytes = NODE_BYTES,
    };
    const char *user = f.user;
    f.user = "millrace";
    enum status status = call(METHOD_DATANODE_TRACKER_REGISTER_DATANODE, &request);
    f.user = user;
    return status;
}

/* Like given_nodes, with addresses. */
static void given_places(size_t count)
{
    given_nodes(count);
    for (size_t i = 0; i < count; i++) {
        struct test_node *node = &f.nodes[i];
        node->incarnation = 5;
        snprintf(node->address, sizeof(node->address), "10.0.0.%zu:9864", i + 1);
        node_register(node);
        CU_ASSERT_EQUAL(f.status, OK);
        node_report(node);
        node_beat(node);
    }
}

static uint64_t block_of(const char *path, size_t nth)
{
    struct dfs_get_blocks_response blocks = {0};
    CU_ASSERT_EQUAL_FATAL(do_blocks(path, "", &blocks), OK);
    CU_ASSERT_FATAL(nth < blocks.blocks_count);
    return blocks.blocks[nth].block_id;
}

static struct test_node *holder_of(uint64_t block_id)
{
    for (size_t i = 0; i < f.node_count; i++) {
        if (node_has(&f.nodes[i], block_id)) {
            return &f.nodes[i];
        }
    }
    CU_FAIL_FATAL("nobody has it");
    return &f.nodes[0];
}

static size_t count_nodes(void)
{
    return cluster().datanodes_count;
}

static void expect_still_served(struct test_node *node)
{
    forget_traced();
    node_report(node);
    CU_ASSERT_EQUAL(f.status, OK);
    when_ms_pass(3000);
    CU_ASSERT_TRUE(node->is_beating);
    CU_ASSERT_FALSE(was_traced("TRACKED_"));
}

/* --- refused ------------------------------------------------------------------------- */

static void test_identity__another_clusters_node_is_refused(void)
{
    given_places(2);
    uint64_t cluster_id = cluster().cluster_id;
    CU_ASSERT_EQUAL(register_as(77, cluster_id + 1, 1, "10.0.0.9:9864"), ERR_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.text, "belongs to cluster"));
    CU_ASSERT_EQUAL(count_nodes(), 2);
    CU_ASSERT_EQUAL(register_as(77, cluster_id, 1, "10.0.0.9:9864"), OK);
    CU_ASSERT_EQUAL(count_nodes(), 3);
}

static void test_identity__older_process_is_refused(void)
{
    given_places(2);
    CU_ASSERT_EQUAL(register_as(1, 0, 4, "10.0.0.1:9864"), ERR_STALE);
    expect_still_served(node_by_id(1));
}

/* A copy of the folder was started on another port: it has the same id and the next incarnation. */
static void test_identity__a_late_heartbeat_of_the_dead_process_refuses_nobody(void)
{
    given_places(3);
    struct test_node *node = node_by_id(1);
    CU_ASSERT_EQUAL(register_as(1, 0, 6, "10.0.0.1:9864"), ERR_BUSY);
    node->is_alive = false;
    when_ms_pass(2000);
    node_beat(node);
    CU_ASSERT_EQUAL(register_as(1, 0, 6, "10.0.0.1:9864"), ERR_BUSY);
    when_ms_pass(3001);
    CU_ASSERT_EQUAL(register_as(1, 0, 6, "10.0.0.1:9864"), OK);
}

static void test_identity__copy_of_a_running_node_is_refused_for_good(void)
{
    given_places(3);
    (void)given_file("/a", 3, 3);
    for (int i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL(register_as(1, 0, 6, "10.0.0.7:9864"), ERR_BUSY);
        CU_ASSERT_PTR_NOT_NULL(strstr(f.text, "datanode 1 still runs, at 10.0.0.1:9864 on h1"));
    }
    when_ms_pass(3000);
    CU_ASSERT_EQUAL(register_as(1, 0, 6, "10.0.0.7:9864"), ERR_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.text, "this folder is a copy of its folder"));
    expect_still_served(node_by_id(1));
    CU_ASSERT_EQUAL(cluster().under_replicated_count, 0);
}

/* The same incarnation, as when both were copied from a folder that was never started. */
static void test_identity__twin_of_a_running_node_is_refused(void)
{
    given_places(3);
    CU_ASSERT_EQUAL(register_as(1, 0, 5, "10.0.0.7:9864"), ERR_BUSY);
    when_ms_pass(3000);
    CU_ASSERT_EQUAL(register_as(1, 0, 5, "10.0.0.7:9864"), ERR_INVALID);
    expect_still_served(node_by_id(1));
    /* The same process may always register again. */
    CU_ASSERT_EQUAL(register_as(1, 0, 5, "10.0.0.1:9864"), OK);
}

static void test_identity__other_node_at_a_running_ones_address_is_refused(void)
{
    given_places(3);
    CU_ASSERT_EQUAL(register_as(77, 0, 1, "10.0.0.1:9864"), ERR_BUSY);
    when_ms_pass(3000);
    CU_ASSERT_EQUAL(register_as(77, 0, 1, "10.0.0.1:9864"), ERR_INVALID);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.text, "datanode 1 runs at 10.0.0.1:9864"));
    expect_still_served(node_by_id(1));
    CU_ASSERT_EQUAL(count_nodes(), 3);
}

/* --- let in -------------------------------------------------------------------------- */

static void test_identity__restarted_node_is_let_in_at_once(void)
{
    given_places(3);
    struct test_node *node = node_by_id(1);
    node_die(node);
    node_hang_up(node);
    CU_ASSERT_EQUAL(register_as(1, 0, 6, "10.0.0.1:4711"), OK); /* its port was taken meanwhile */
}

/* Its host lost power: nobody told the namenode that the connection is gone. */
static void test_identity__restarted_node_is_let_in_when_the_old_process_is_silent(void)
{
    given_places(3);
    node_die(node_by_id(1));
    CU_ASSERT_EQUAL(register_as(1, 0, 6, "10.0.0.1:9864"), ERR_BUSY);
    when_ms_pass(4000);
    CU_ASSERT_EQUAL(register_as(1, 0, 6, "10.0.0.1:9864"), OK);
}

/* --- wiped disks --------------------------------------------------------------------- */

static void test_identity__wiped_node_with_a_new_id_is_repaired_at_once(void)
{
    given_places(4);
    (void)given_file("/a", 6, 3);
    given_repairing();
    struct test_node *wiped = holder_of(block_of("/a", 0));
    size_t held = wiped->disk_count;
    node_die(wiped);
    node_hang_up(wiped);
    wiped->disk_count = 0;
    CU_ASSERT_EQUAL(register_as(5, 0, 1, wiped->address), OK);
    CU_ASSERT_TRUE(was_traced("superseded by=5"));
    CU_ASSERT_TRUE(held > 0 && was_traced("copy block="));
    struct test_node *again = &f.nodes[f.node_count++];
    *again = *wiped;
    again->id = 5;
    again->incarnation = 1;
    again->registered = 0;
    again->is_alive = true;
    again->is_beating = false;
    node_register(again);
    node_report(again);
    node_beat(again);
    when_ms_pass(5000); /* long before it would have been given up for its silence */
    CU_ASSERT_EQUAL(cluster().under_replicated_count, 0);
    CU_ASSERT_EQUAL(count_nodes(), 4); /* the id is forgotten */
    when_restarted();
    CU_ASSERT_EQUAL(count_nodes(), 4);
}

static void test_identity__wiped_node_with_its_old_id_is_repaired_at_once(void)
{
    given_places(4);
    (void)given_file("/a", 6, 3);
    given_repairing();
    struct test_node *wiped = holder_of(block_of("/a", 0));
    wiped->disk_count = 0;
    wiped->incarnation++;
    node_register(wiped);
    CU_ASSERT_EQUAL(f.status, OK);
    node_report(wiped);
    node_beat(wiped);
    when_ms_pass(5000);
    CU_ASSERT_EQUAL(cluster().under_replicated_count, 0);
    for (size_t i = 0; i < 6; i++) {
        CU_ASSERT_EQUAL(count_on_disk(block_of("/a", i)), 3);
    }
}

/* --- blocks that are not what they should be ----------------------------------------- */

static void test_identity__stale_replicas_never_count_and_go(void)
{
    given_places(4);
    (void)given_file("/a", 1, 3);
    given_repairing();
    uint64_t block_id = block_of("/a", 0);
    struct test_node *old = holder_of(block_id);
    for (size_t i = 0; i < old->disk_count; i++) {
        old->disk[i].length--; /* an old disk's version of it */
    }
    for (size_t i = 0; i < f.node_count; i++) {
        f.nodes[i].is_obedient = false;
    }
    node_report(old);
    CU_ASSERT_EQUAL(count_readable("/a", 0), 2);
    CU_ASSERT_EQUAL(cluster().under_replicated_count, 1);
    for (size_t i = 0; i < f.node_count; i++) {
        f.nodes[i].is_obedient = true;
    }
    when_ms_pass(2 * f.settings.copy_timeout_ms);
    CU_ASSERT_EQUAL(count_readable("/a", 0), 3);
    CU_ASSERT_FALSE(node_has(old, block_id) && old->disk[0].length != BLOCK_SIZE);
    CU_ASSERT_EQUAL(count_on_disk(block_id), 3);
}

static void test_identity__foreign_blocks_never_count_and_go_after_grace(void)
{
    given_places(3);
    (void)given_file("/a", 1, 3);
    given_repairing();
    uint64_t block_id = block_of("/a", 0);
    struct test_node *node = node_by_id(1);
    /* Given: a block whose file was deleted while the node was away, and another cluster's block.
     */
    (void)given_file("/gone", 1, 3);
    uint64_t gone = block_of("/gone", 0);
    uint64_t foreign = (uint64_t)1 << 50;
    CU_ASSERT_EQUAL(do_delete("/gone", false), OK);
    when_ms_pass(1000);
    CU_ASSERT_EQUAL(count_on_disk(gone), 0);
    node->disk[node->disk_count++] = (struct dfs_block_info){.block_id = gone, .length = 5};
    node->disk[node->disk_count++] = (struct dfs_block_info){.block_id = foreign, .length = 5};
    node_report(node);
    CU_ASSERT_EQUAL(cluster().block_count, 1);
    when_ms_pass(f.settings.unknown_grace_ms / 2);
    CU_ASSERT_TRUE(node_has(node, gone));
    when_ms_pass(f.settings.unknown_grace_ms);
    CU_ASSERT_FALSE(node_has(node, gone));
    CU_ASSERT_TRUE(node_has(node, foreign)); /* NN-10: whose it is nobody knows */
    CU_ASSERT_EQUAL(count_readable("/a", 0), 3);
    CU_ASSERT_TRUE(node_has(node, block_id));
}

static const struct unit_test tests[] = {
    {"test_identity__another_clusters_node_is_refused",                        "Another cluster's datanode is refused.",
     test_identity__another_clusters_node_is_refused                                                                                                                                               },
    {"test_identity__older_process_is_refused",                                "An older process of a datanode is refused.",
     test_identity__older_process_is_refused                                                                                                                                                       },
    {"test_identity__a_late_heartbeat_of_the_dead_process_refuses_nobody",
     "A late heartbeat of a dead process makes nobody a copy.",                                                              test_identity__a_late_heartbeat_of_the_dead_process_refuses_nobody    },
    {"test_identity__copy_of_a_running_node_is_refused_for_good",
     "A copy of a running datanode is refused, and the datanode goes on.",                                                   test_identity__copy_of_a_running_node_is_refused_for_good             },
    {"test_identity__twin_of_a_running_node_is_refused",
     "A copy with the same incarnation is refused, too.",                                                                    test_identity__twin_of_a_running_node_is_refused                      },
    {"test_identity__other_node_at_a_running_ones_address_is_refused",
     "A datanode at the address of another that runs is refused.",                                                           test_identity__other_node_at_a_running_ones_address_is_refused        },
    {"test_identity__restarted_node_is_let_in_at_once",                        "A restarted datanode is let in at once.",
     test_identity__restarted_node_is_let_in_at_once                                                                                                                                               },
    {"test_identity__restarted_node_is_let_in_when_the_old_process_is_silent",
     "A restarted datanode is let in when its old process is silent.",                                                       test_identity__restarted_node_is_let_in_when_the_old_process_is_silent},
    {"test_identity__wiped_node_with_a_new_id_is_repaired_at_once",
     "A wiped datanode with a new id: its replicas are dropped and copied at once.",                                         test_identity__wiped_node_with_a_new_id_is_repaired_at_once           },
    {"test_identity__wiped_node_with_its_old_id_is_repaired_at_once",
     "A wiped datanode with its old id: its replicas are dropped and copied at once.",                                       test_identity__wiped_node_with_its_old_id_is_repaired_at_once         },
    {"test_identity__stale_replicas_never_count_and_go",
     "Stale replicas never count, and are replaced.",                                                                        test_identity__stale_replicas_never_count_and_go                      },
    {"test_identity__foreign_blocks_never_count_and_go_after_grace",
     "Blocks of no file never count, and go after a grace.",                                                                 test_identity__foreign_blocks_never_count_and_go_after_grace          },
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "namenode identity", tests, UNIT_COUNT(tests),
                     fixture_setup, fixture_teardown);
}
