/*
 * test_namenode_repair.c - copies of lost replicas, surplus and corrupt ones.
 */
#include <stdio.h>
#include <string.h>

#include "tests/unit/namenode/fixture.h"

static uint64_t block_of(const char *path, size_t nth)
{
    struct dfs_get_blocks_response blocks = {0};
    if (do_blocks(path, "", &blocks) != OK || nth >= blocks.blocks_count) {
        CU_FAIL("no such block");
        return 0;
    }
    return blocks.blocks[nth].block_id;
}

/* The n-th node, from 0, that has the block on disk. */
static struct test_node *holder(uint64_t block_id, size_t nth)
{
    for (size_t i = 0; i < f.node_count; i++) {
        if (node_has(&f.nodes[i], block_id) && nth-- == 0) {
            return &f.nodes[i];
        }
    }
    CU_FAIL_FATAL("nobody has it");
    return &f.nodes[0];
}

static bool has_two_racks(uint64_t block_id)
{
    const char *rack = NULL;
    for (size_t i = 0; i < f.node_count; i++) {
        if (!node_has(&f.nodes[i], block_id)) {
            continue;
        }
        if (rack != NULL && strcmp(rack, f.nodes[i].rack) != 0) {
            return true;
        }
        rack = f.nodes[i].rack;
    }
    return false;
}

static void when_lost(struct test_node *node)
{
    node_die(node);
    node->disk_count = 0;
    when_ms_pass(f.settings.rereplicate_ms + 1);
}

static void test_repair__copies_what_a_given_up_node_held(void)
{
    given_nodes(5);
    (void)given_file("/file", 4, 0);
    given_repairing();
    struct test_node *lost = holder(block_of("/file", 0), 0);
    node_die(lost);
    when_ms_pass(f.settings.rereplicate_ms - 1000); /* it was heard less than a beat ago */
    CU_ASSERT_FALSE(was_traced("copy block"));
    lost->disk_count = 0;
    when_ms_pass(3000);
    CU_ASSERT_EQUAL(cluster().under_replicated_count, 0);
    for (size_t i = 0; i < 4; i++) {
        CU_ASSERT_EQUAL(count_readable("/file", i), 3);
        CU_ASSERT_EQUAL(count_on_disk(block_of("/file", i)), 3);
        CU_ASSERT_TRUE(has_two_racks(block_of("/file", i)));
    }
}

static void test_repair__waits_after_safe_mode(void)
{
    given_nodes(4);
    (void)given_file("/file", 1, 0);
    uint64_t block_id = block_of("/file", 0);
    when_restarted();
    for (size_t i = 0; i < 2; i++) {
        struct test_node *node = holder(block_id, i);
        node_register(node);
        node_report(node);
        node_beat(node);
    }
    when_ms_pass(f.settings.repair_start_ms - 1000);
    CU_ASSERT_FALSE(was_traced("copy block"));
    struct test_node *late = holder(block_id, 2);
    node_register(late);
    node_report(late);
    node_beat(late);
    when_ms_pass(10000);
    CU_ASSERT_TRUE(was_traced("repair on"));
    CU_ASSERT_FALSE(was_traced("copy block"));
}

static void test_repair__fewest_replicas_first(void)
{
    f.settings.copies_per_node = 1;
    given_nodes(6);
    (void)given_file("/two", 1, 3);
    (void)given_file("/one", 1, 3);
    uint64_t two = block_of("/two", 0);
    uint64_t one = block_of("/one", 0);
    /* Given: before repair begins one replica of /two is gone, and two of /one. */
    node_says_corrupt(holder(two, 0), two);
    node_says_corrupt(holder(one, 0), one);
    node_says_corrupt(holder(one, 1), one);
    given_started();
    when_ms_pass(f.settings.repair_start_ms + 1);
    char first[64];
    char second[64];
    snprintf(first, sizeof(first), "copy block=%llu", (unsigned long long)one);
    snprintf(second, sizeof(second), "copy block=%llu", (unsigned long long)two);
    const char *one_at = strstr(buf_string(&f.traced), first);
    const char *two_at = strstr(buf_string(&f.traced), second);
    CU_ASSERT_PTR_NOT_NULL_FATAL(one_at);
    CU_ASSERT_PTR_NOT_NULL_FATAL(two_at);
    CU_ASSERT_TRUE(one_at < two_at);
    CU_ASSERT_EQUAL(count_readable("/one", 0), 3);
    CU_ASSERT_EQUAL(count_readable("/two", 0), 3);
}

/* Copies named in the trace so far. */
static size_t count_copies(void)
{
    size_t count = 0;
    const char *at = buf_string(&f.traced);
    while ((at = strstr(at, "copy block=")) != NULL) {
        count++;
        at++;
    }
    return count;
}

static void test_repair__keeps_to_the_cap_of_each_node(void)
{
    f.settings.copies_per_node = 2;
    given_nodes(3);
    (void)given_file("/file", 20, 2);
    (void)given_node("h4", "/r1");
    given_repairing();
    struct test_node *lost = holder(block_of("/file", 0), 0);
    for (size_t i = 0; i < f.node_count; i++) {
        f.nodes[i].is_obedient = false; /* copies stay under way */
    }
    when_lost(lost);
    /* Then: 3 nodes are left, each target of at most 2 copies. */
    CU_ASSERT_TRUE(count_copies() >= 2);
    CU_ASSERT_TRUE(count_copies() <= 6);
}

static void test_repair__goes_on_as_copies_arrive(void)
{
    f.replay_every = 50;
    given_nodes(5);
    (void)given_file("/file", 100, 3);
    given_repairing();
    when_lost(&f.nodes[1]);
    when_ms_pass(2000);
    CU_ASSERT_EQUAL(cluster().under_replicated_count, 0);
}

static void test_repair__a_copy_that_does_not_arrive_is_tried_again(void)
{
    given_nodes(4);
    (void)given_file("/file", 1, 3);
    given_repairing();
    uint64_t block_id = block_of("/file", 0);
    for (size_t i = 0; i < f.node_count; i++) {
        f.nodes[i].is_obedient = false;
    }
    when_lost(holder(block_id, 0));
    CU_ASSERT_EQUAL(count_copies(), 1);
    CU_ASSERT_EQUAL(count_readable("/file", 0), 2);
    for (size_t i = 0; i < f.node_count; i++) {
        f.nodes[i].is_obedient = true;
    }
    when_ms_pass(f.settings.copy_timeout_ms - 1000);
    CU_ASSERT_EQUAL(count_copies(), 1);
    when_ms_pass(2000);
    CU_ASSERT_TRUE(was_traced("replica overdue"));
    CU_ASSERT_EQUAL(count_copies(), 2);
    CU_ASSERT_EQUAL(count_readable("/file", 0), 3);
}

static void test_repair__starts_when_a_node_comes(void)
{
    given_nodes(3);
    (void)given_file("/file", 3, 3);
    given_repairing();
    when_lost(&f.nodes[2]);
    when_ms_pass(20000);
    CU_ASSERT_EQUAL(cluster().under_replicated_count, 3);
    CU_ASSERT_EQUAL(count_copies(), 0);
    (void)given_node("h4", "/r1");
    when_ms_pass(2000);
    CU_ASSERT_EQUAL(cluster().under_replicated_count, 0);
}

static void test_repair__a_missing_block_waits_for_its_node(void)
{
    struct dfs_get_blocks_response blocks;
    given_nodes(3);
    (void)given_file("/file", 1, 1);
    given_repairing();
    struct test_node *lost = holder(block_of("/file", 0), 0);
    node_die(lost);
    when_ms_pass(f.settings.rereplicate_ms + 1);
    CU_ASSERT_EQUAL(cluster().missing_count, 1);
    CU_ASSERT_EQUAL(do_blocks("/file", "", &blocks), OK);
    CU_ASSERT_TRUE(blocks.blocks[0].is_corrupt);
    CU_ASSERT_EQUAL(blocks.blocks[0].replicas_count, 0);
    lost->is_alive = true;
    node_register(lost);
    node_report(lost);
    CU_ASSERT_EQUAL(cluster().missing_count, 0);
}

static void test_seal__a_third_replica_may_come_late(void)
{
    uint64_t id = 0;
    struct dfs_add_block_response block;
    given_nodes(5);
    given_repairing();
    CU_ASSERT_EQUAL(do_create("/file", false, 3, &id), OK);
    CU_ASSERT_EQUAL(do_add_block(id, "h1", &block), OK);
    CU_ASSERT_EQUAL(do_seal(id, &block, 5, 2), OK);
    when_ms_pass(5000);
    CU_ASSERT_EQUAL(count_copies(), 0);
    struct dfs_block_info info = {
        .block_id = block.block_id, .length = 5, .crc32c = (uint32_t)block.block_id};
    node_received(node_by_id(block.targets[2].node_id), &info);
    when_ms_pass(20000);
    CU_ASSERT_EQUAL(count_copies(), 0);
    CU_ASSERT_EQUAL(count_readable("/file", 0), 3);
}

static void test_seal__a_third_replica_that_does_not_come_is_copied(void)
{
    uint64_t id = 0;
    struct dfs_add_block_response block;
    given_nodes(5);
    given_repairing();
    CU_ASSERT_EQUAL(do_create("/file", false, 3, &id), OK);
    CU_ASSERT_EQUAL(do_add_block(id, "h1", &block), OK);
    CU_ASSERT_EQUAL(do_seal(id, &block, 5, 2), OK);
    when_ms_pass(f.settings.pipeline_wait_ms + 1000);
    CU_ASSERT_EQUAL(count_copies(), 1);
    CU_ASSERT_EQUAL(count_readable("/file", 0), 3);
}

/* --- surplus ------------------------------------------------------------------------- */

static void test_surplus__is_deleted_and_two_racks_are_kept(void)
{
    given_nodes(6);
    (void)given_file("/file", 6, 3);
    given_repairing();
    struct test_node *lost = &f.nodes[1];
    struct dfs_block_info kept[8];
    size_t kept_count = lost->disk_count;
    memcpy(kept, lost->disk, kept_count * sizeof(kept[0]));
    CU_ASSERT_TRUE(kept_count > 0);
    when_lost(lost);
    when_ms_pass(2000);
    CU_ASSERT_EQUAL(cluster().under_replicated_count, 0);
    /* When: the node comes back with all it had. */
    memcpy(lost->disk, kept, kept_count * sizeof(kept[0]));
    lost->disk_count = kept_count;
    lost->is_alive = true;
    node_register(lost);
    node_report(lost);
    node_beat(lost);
    when_ms_pass(2000);
    for (size_t i = 0; i < 6; i++) {
        CU_ASSERT_EQUAL(count_readable("/file", i), 3);
        CU_ASSERT_EQUAL(count_on_disk(block_of("/file", i)), 3);
        CU_ASSERT_TRUE(has_two_racks(block_of("/file", i)));
    }
}

static void test_surplus__does_not_count_silent_nodes(void)
{
    given_nodes(5);
    (void)given_file("/file", 1, 3);
    given_repairing();
    uint64_t block_id = block_of("/file", 0);
    node_die(holder(block_id, 0));
    when_ms_pass(15000); /* stale */
    struct dfs_block_info info = {
        .block_id = block_id, .length = BLOCK_SIZE, .crc32c = (uint32_t)block_id};
    for (size_t i = 0; i < f.node_count; i++) {
        if (!node_has(&f.nodes[i], block_id)) {
            node_received(&f.nodes[i], &info);
            break;
        }
    }
    when_ms_pass(2000);
    CU_ASSERT_EQUAL(count_on_disk(block_id), 4);
}

static void test_surplus__goes_when_the_silent_node_is_heard_of_again(void)
{
    given_nodes(5);
    (void)given_file("/file", 1, 3);
    given_repairing();
    uint64_t block_id = block_of("/file", 0);
    struct test_node *silent = holder(block_id, 0);
    silent->is_alive = false;
    when_ms_pass(15000); /* stale */
    struct dfs_block_info info = {
        .block_id = block_id, .length = BLOCK_SIZE, .crc32c = (uint32_t)block_id};
    for (size_t i = 0; i < f.node_count; i++) {
        if (!node_has(&f.nodes[i], block_id)) {
            node_received(&f.nodes[i], &info);
            break;
        }
    }
    CU_ASSERT_EQUAL(count_on_disk(block_id), 4);
    silent->is_alive = true;
    node_beat(silent);
    when_ms_pass(2000);
    CU_ASSERT_EQUAL(count_on_disk(block_id), 3);
}

static void test_racks__a_block_in_one_rack_moves_when_there_is_another(void)
{
    (void)given_node("h1", "/r1");
    (void)given_node("h2", "/r1");
    (void)given_node("h3", "/r1");
    (void)given_file("/file", 2, 3);
    given_repairing();
    (void)given_node("h4", "/r2");
    when_ms_pass(7000);
    for (size_t i = 0; i < 2; i++) {
        CU_ASSERT_TRUE(has_two_racks(block_of("/file", i)));
        CU_ASSERT_EQUAL(count_on_disk(block_of("/file", i)), 3);
    }
}

/* --- corrupt replicas ---------------------------------------------------------------- */

static enum status report_corrupt(uint64_t block_id, uint64_t node_id)
{
    struct dfs_report_corrupt_request request = {.block_id = block_id, .node_id = node_id};
    return call(METHOD_NAMENODE_REPORT_CORRUPT, &request);
}

static void test_corrupt__is_replaced_and_then_deleted(void)
{
    given_nodes(4);
    (void)given_file("/file", 1, 3);
    given_repairing();
    uint64_t block_id = block_of("/file", 0);
    struct test_node *bad = holder(block_id, 0);
    bad->has_rot = true;
    CU_ASSERT_EQUAL(report_corrupt(block_id, bad->id), OK);
    when_ms_pass(2000);
    CU_ASSERT_EQUAL(count_readable("/file", 0), 3);
    CU_ASSERT_FALSE(node_has(bad, block_id));
    const char *copied = strstr(buf_string(&f.traced), "copy block");
    const char *deleted = strstr(buf_string(&f.traced), "delete");
    CU_ASSERT_PTR_NOT_NULL_FATAL(copied);
    CU_ASSERT_PTR_NOT_NULL_FATAL(deleted);
    CU_ASSERT_TRUE(copied < deleted);
}

static void test_repair__untold_copies_end_with_their_source(void)
{
    given_nodes(4);
    (void)given_file("/file", 4, 2);
    given_repairing();
    /* Given: all fall silent; copies of what the first held have no one to tell them to. */
    for (size_t i = 0; i < f.node_count; i++) {
        node_die(&f.nodes[i]);
    }
    when_ms_pass(5000);
    f.nodes[3].is_alive = true;
    node_beat(&f.nodes[3]);
    uint64_t block_id = block_of("/file", 0);
    struct test_node *bad = holder(block_id, 0);
    node_says_corrupt(bad, block_id);
    CU_ASSERT_EQUAL(count_copies(), 1);
    when_ms_pass(200000);
    struct dfs_cluster_status_response status = cluster();
    CU_ASSERT_EQUAL(status.datanodes[3].state, DATANODE_LIVE);
    CU_ASSERT_EQUAL(status.datanodes[0].state, DATANODE_LOST);
}

static void test_corrupt__said_of_a_replica_nobody_knew_counts(void)
{
    given_nodes(4);
    (void)given_file("/file", 1, 2);
    uint64_t block_id = block_of("/file", 0);
    for (size_t i = 0; i < f.node_count; i++) {
        if (!node_has(&f.nodes[i], block_id)) {
            node_says_corrupt(&f.nodes[i], block_id);
        }
    }
    CU_ASSERT_EQUAL(count_readable("/file", 0), 2);
    CU_ASSERT_EQUAL(cluster().under_replicated_count, 0);
}

static void test_racks__a_moved_node_brings_its_blocks_into_one_rack(void)
{
    given_nodes(4);
    (void)given_file("/file", 4, 2);
    given_repairing();
    for (size_t i = 0; i < f.node_count; i++) {
        if (strcmp(f.nodes[i].rack, "/r2") == 0) {
            snprintf(f.nodes[i].rack, sizeof(f.nodes[i].rack), "/r1");
            f.nodes[i].incarnation++;
            node_register(&f.nodes[i]);
            node_report(&f.nodes[i]);
            node_beat(&f.nodes[i]);
        }
    }
    (void)given_node("h5", "/r2");
    when_ms_pass(7000);
    for (size_t i = 0; i < 4; i++) {
        CU_ASSERT_TRUE(has_two_racks(block_of("/file", i)));
    }
}

static void test_corrupt__is_never_read(void)
{
    struct dfs_get_blocks_response blocks;
    given_nodes(3);
    (void)given_file("/file", 1, 3);
    uint64_t block_id = block_of("/file", 0);
    node_says_corrupt(&f.nodes[0], block_id);
    CU_ASSERT_EQUAL(do_blocks("/file", "h1", &blocks), OK);
    CU_ASSERT_EQUAL(blocks.blocks[0].replicas_count, 2);
    for (size_t i = 0; i < 2; i++) {
        CU_ASSERT_NOT_EQUAL(blocks.blocks[0].replicas[i].node.node_id, 1);
    }
    CU_ASSERT_EQUAL(cluster().under_replicated_count, 1);
}

static void test_corrupt__makes_room_when_all_nodes_are_taken(void)
{
    given_nodes(3);
    (void)given_file("/file", 1, 3);
    given_repairing();
    uint64_t block_id = block_of("/file", 0);
    node_says_corrupt(&f.nodes[2], block_id);
    when_ms_pass(f.settings.repair_retry_ms + 2000);
    CU_ASSERT_EQUAL(count_readable("/file", 0), 3);
    CU_ASSERT_EQUAL(cluster().under_replicated_count, 0);
}

static void test_corrupt__last_ones_are_kept(void)
{
    struct dfs_get_blocks_response blocks;
    given_nodes(3);
    (void)given_file("/file", 1, 3);
    given_repairing();
    uint64_t block_id = block_of("/file", 0);
    for (size_t i = 0; i < 3; i++) {
        f.nodes[i].is_obedient = false;
    }
    for (size_t i = 0; i < 3; i++) {
        node_says_corrupt(&f.nodes[i], block_id);
    }
    for (size_t i = 0; i < 3; i++) {
        f.nodes[i].is_obedient = true;
    }
    when_ms_pass(300000);
    CU_ASSERT_EQUAL(do_blocks("/file", "", &blocks), OK);
    CU_ASSERT_TRUE(blocks.blocks[0].is_corrupt);
    CU_ASSERT_EQUAL(cluster().missing_count, 1);
    CU_ASSERT_TRUE(count_on_disk(block_id) >= 1);
}

static void test_corrupt__a_wrong_length_in_a_report_is_corruption(void)
{
    given_nodes(4);
    (void)given_file("/file", 1, 3);
    uint64_t block_id = block_of("/file", 0);
    struct test_node *bad = holder(block_id, 1);
    for (size_t i = 0; i < bad->disk_count; i++) {
        bad->disk[i].length--;
    }
    node_report(bad);
    CU_ASSERT_EQUAL(count_readable("/file", 0), 2);
    given_repairing();
    CU_ASSERT_EQUAL(count_readable("/file", 0), 3);
    CU_ASSERT_FALSE(node_has(bad, block_id));
}

static void test_corrupt__only_readers_of_the_file_may_say_so(void)
{
    given_nodes(3);
    (void)given_file("/file", 1, 3);
    struct dfs_set_permission_request secret = {.client_id = f.client,
                                                .request_id = f.next_request++,
                                                .path = text_of("/file"),
                                                .permission = 0600};
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_SET_PERMISSION, &secret), OK);
    uint64_t block_id = block_of("/file", 0);
    f.user = "bob";
    CU_ASSERT_EQUAL(report_corrupt(block_id, 1), ERR_DENIED);
    f.user = "root";
    CU_ASSERT_EQUAL(report_corrupt(block_id, 99), ERR_NOT_FOUND);
    CU_ASSERT_EQUAL(report_corrupt(block_id + 50, 1), ERR_NOT_FOUND);
    CU_ASSERT_EQUAL(count_readable("/file", 0), 3);
}

static const struct unit_test tests[] = {
    {"test_repair__copies_what_a_given_up_node_held",
     "What a given up node held is copied, in two racks.",                                                                 test_repair__copies_what_a_given_up_node_held              },
    {"test_repair__waits_after_safe_mode",                          "Repair waits a while after safe mode.",
     test_repair__waits_after_safe_mode                                                                                                                                               },
    {"test_repair__fewest_replicas_first",                          "The block with the fewest replicas is copied first.",
     test_repair__fewest_replicas_first                                                                                                                                               },
    {"test_repair__keeps_to_the_cap_of_each_node",
     "A node takes part in no more copies than its cap.",                                                                  test_repair__keeps_to_the_cap_of_each_node                 },
    {"test_repair__goes_on_as_copies_arrive",                       "Repair goes on as copies arrive.",
     test_repair__goes_on_as_copies_arrive                                                                                                                                            },
    {"test_repair__a_copy_that_does_not_arrive_is_tried_again",
     "A copy that does not arrive is tried again.",                                                                        test_repair__a_copy_that_does_not_arrive_is_tried_again    },
    {"test_repair__starts_when_a_node_comes",
     "Blocks that no node could take are copied when a node comes.",                                                       test_repair__starts_when_a_node_comes                      },
    {"test_repair__a_missing_block_waits_for_its_node",
     "A block without replica is missing until its node is back.",                                                         test_repair__a_missing_block_waits_for_its_node            },
    {"test_seal__a_third_replica_may_come_late",                    "A third replica may come late without a copy.",
     test_seal__a_third_replica_may_come_late                                                                                                                                         },
    {"test_seal__a_third_replica_that_does_not_come_is_copied",
     "A third replica that does not come is copied.",                                                                      test_seal__a_third_replica_that_does_not_come_is_copied    },
    {"test_surplus__is_deleted_and_two_racks_are_kept",
     "Surplus replicas are deleted, two racks are kept.",                                                                  test_surplus__is_deleted_and_two_racks_are_kept            },
    {"test_surplus__goes_when_the_silent_node_is_heard_of_again",
     "A surplus goes when the silent node is heard of again.",                                                             test_surplus__goes_when_the_silent_node_is_heard_of_again  },
    {"test_surplus__does_not_count_silent_nodes",                   "Replicas on silent nodes are no surplus.",
     test_surplus__does_not_count_silent_nodes                                                                                                                                        },
    {"test_racks__a_block_in_one_rack_moves_when_there_is_another",
     "A block in one rack moves when there is another rack.",                                                              test_racks__a_block_in_one_rack_moves_when_there_is_another},
    {"test_corrupt__is_replaced_and_then_deleted",                  "A corrupt replica is replaced, then deleted.",
     test_corrupt__is_replaced_and_then_deleted                                                                                                                                       },
    {"test_corrupt__is_never_read",                                 "A corrupt replica is neither read nor counted.",
     test_corrupt__is_never_read                                                                                                                                                      },
    {"test_corrupt__makes_room_when_all_nodes_are_taken",
     "A corrupt replica makes room when no other node is left.",                                                           test_corrupt__makes_room_when_all_nodes_are_taken          },
    {"test_corrupt__last_ones_are_kept",                            "The last corrupt replica is kept.",
     test_corrupt__last_ones_are_kept                                                                                                                                                 },
    {"test_corrupt__a_wrong_length_in_a_report_is_corruption",
     "A wrong length in a report is corruption.",                                                                          test_corrupt__a_wrong_length_in_a_report_is_corruption     },
    {"test_corrupt__only_readers_of_the_file_may_say_so",
     "Only readers of the file may report corruption.",                                                                    test_corrupt__only_readers_of_the_file_may_say_so          },
    {"test_repair__untold_copies_end_with_their_source",
     "Copies that their source was not told of end with it.",                                                              test_repair__untold_copies_end_with_their_source           },
    {"test_corrupt__said_of_a_replica_nobody_knew_counts",
     "Corruption of a replica that was not known changes nothing else.",                                                   test_corrupt__said_of_a_replica_nobody_knew_counts         },
    {"test_racks__a_moved_node_brings_its_blocks_into_one_rack",
     "Blocks that a move of nodes put into one rack are spread again.",                                                    test_racks__a_moved_node_brings_its_blocks_into_one_rack   },
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "namenode repair", tests, UNIT_COUNT(tests),
                     fixture_setup, fixture_teardown);
}
