/*
 * test_namenode_rates.c - how fast repair goes, in what order, and when it is taken back.
 */
#include <stdio.h>
#include <string.h>

#include "dfs/namenode/core/bucket.h"
#include "lib/base/rng.h"
#include "tests/unit/namenode/fixture.h"

static uint64_t block_of(const char *path, size_t nth)
{
    struct dfs_get_blocks_response blocks = {0};
    CU_ASSERT_EQUAL_FATAL(do_blocks(path, "", &blocks), OK);
    CU_ASSERT_FATAL(nth < blocks.blocks_count);
    return blocks.blocks[nth].block_id;
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

/* --- buckets ------------------------------------------------------------------------- */

static void test_bucket__spends_no_more_than_its_rate(void)
{
    struct rng rng = rng_seed(unit_seed());
    for (int round = 0; round < 200; round++) {
        struct bucket bucket = {0};
        uint64_t rate = 1 + rng_below(&rng, 100000);
        uint64_t largest = 1 + rng_below(&rng, 300000);
        uint64_t spent = 0;
        int64_t now_ms = (int64_t)rng_below(&rng, 1000);
        int64_t start_ms = now_ms;
        for (int i = 0; i < 200; i++) {
            while (namenode_bucket_is_open(&bucket, now_ms)) {
                uint64_t bytes = 1 + rng_below(&rng, largest);
                namenode_bucket_spend(&bucket, rate, bytes, now_ms);
                spent += bytes;
            }
            /* A second's worth ahead, and one block. */
            uint64_t allowed = rate + rate * (uint64_t)(now_ms - start_ms) / 1000 + largest + 1;
            CU_ASSERT_TRUE_FATAL(spent <= allowed);
            CU_ASSERT_FALSE(namenode_bucket_is_open(&bucket, bucket.due_ms - 1));
            now_ms = rng_below(&rng, 10) == 0 ? now_ms + 5000 : bucket.due_ms;
        }
        /* And no less, when nothing is wasted. */
        struct bucket busy = {0};
        uint64_t sum = 0;
        for (now_ms = 0; now_ms < 10000; now_ms = busy.due_ms) {
            namenode_bucket_spend(&busy, rate, largest, now_ms);
            sum += largest;
        }
        CU_ASSERT_TRUE(sum >= rate * 9);
    }
}

static void test_bucket__without_a_rate_is_always_open(void)
{
    struct bucket bucket = {0};
    namenode_bucket_spend(&bucket, 0, (uint64_t)1 << 40, 5);
    CU_ASSERT_TRUE(namenode_bucket_is_open(&bucket, 5));
    /* The largest numbers there may be. */
    for (int i = 0; i < 100000; i++) {
        namenode_bucket_spend(&bucket, 1, (uint64_t)1 << 40, 5 + i);
    }
    CU_ASSERT_FALSE(namenode_bucket_is_open(&bucket, 1000000));
    struct bucket wide = {0};
    namenode_bucket_spend(&wide, (uint64_t)1 << 40, (uint64_t)1 << 40, 5);
    namenode_bucket_spend(&wide, (uint64_t)1 << 40, 1, INT64_MAX / 2);
    CU_ASSERT_TRUE(namenode_bucket_is_open(&wide, INT64_MAX / 2));
}

/* --- caps ---------------------------------------------------------------------------- */

static void test_rates__cluster_copies_no_faster_than_allowed(void)
{
    f.settings.repair_bytes_per_second = 2 * BLOCK_SIZE;
    f.settings.repair_node_bytes_per_second = 0;
    given_nodes(6);
    (void)given_file("/a", 60, 3);
    given_repairing();
    struct test_node *lost = holder_of(block_of("/a", 0));
    size_t held = lost->disk_count;
    CU_ASSERT_FATAL(held > 15);
    node_die(lost);
    lost->disk_count = 0;
    when_ms_pass(f.settings.rereplicate_ms - 1000);
    forget_traced();
    when_ms_pass(6000);
    size_t copies = count_traced("copy block=");
    CU_ASSERT_TRUE(copies >= 8);
    CU_ASSERT_TRUE(copies <= 2 * 6 + 3);
    when_ms_pass((int64_t)held * 1000);
    CU_ASSERT_EQUAL(cluster().under_replicated_count, 0);
}

static void test_rates__node_takes_and_sends_no_faster_than_allowed(void)
{
    f.settings.repair_node_bytes_per_second = BLOCK_SIZE;
    given_nodes(4);
    (void)given_file("/a", 40, 1);
    given_repairing();
    (void)given_node("h5", "/r1");
    struct dfs_set_datanode_admin_request request = {.node_id = 1, .action = DATANODE_DECOMMISSION};
    size_t held = node_by_id(1)->disk_count;
    CU_ASSERT_FATAL(held > 12);
    forget_traced();
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_SET_DATANODE_ADMIN, &request), OK);
    when_ms_pass(8000);
    size_t sent = count_traced(" from=1 to=");
    CU_ASSERT_TRUE(sent >= 6);
    CU_ASSERT_TRUE(sent <= 8 + 3);
    when_ms_pass((int64_t)held * 1100);
    CU_ASSERT_EQUAL(cluster().under_replicated_count, 0);
}

/* --- order --------------------------------------------------------------------------- */

static void test_order__fewest_copies_then_one_rack(void)
{
    f.settings.copies_per_node = 1;
    (void)given_node("h1", "/r1");
    (void)given_node("h2", "/r1");
    (void)given_node("h3", "/r2");
    (void)given_node("h4", "/r2");
    (void)given_file("/spread", 1, 4);
    (void)given_file("/rack", 1, 4);
    (void)given_file("/single", 1, 4);
    uint64_t spread = block_of("/spread", 0);
    uint64_t rack = block_of("/rack", 0);
    uint64_t single = block_of("/single", 0);
    (void)given_node("h5", "/r1");
    (void)given_node("h6", "/r2");
    (void)given_node("h7", "/r1");
    /* Given: two replicas in two racks, two in one rack, and one. */
    node_says_corrupt(node_by_id(2), spread);
    node_says_corrupt(node_by_id(4), spread);
    node_says_corrupt(node_by_id(3), rack);
    node_says_corrupt(node_by_id(4), rack);
    node_says_corrupt(node_by_id(1), single);
    node_says_corrupt(node_by_id(2), single);
    node_says_corrupt(node_by_id(3), single);
    given_started();
    when_ms_pass(f.settings.repair_start_ms + 1);
    char names[3][48];
    const char *at[3];
    uint64_t order[3] = {single, rack, spread};
    for (size_t i = 0; i < 3; i++) {
        snprintf(names[i], sizeof(names[i]), "copy block=%llu from", (unsigned long long)order[i]);
        at[i] = strstr(buf_string(&f.traced), names[i]);
        CU_ASSERT_PTR_NOT_NULL_FATAL(at[i]);
    }
    CU_ASSERT_TRUE(at[0] < at[1]);
    CU_ASSERT_TRUE(at[1] < at[2]);
    when_ms_pass(60000);
    CU_ASSERT_EQUAL(cluster().under_replicated_count, 0);
}

/* --- taken back ---------------------------------------------------------------------- */

static void when_back(struct test_node *node)
{
    node->is_alive = true;
    node->is_beating = false;
    node->incarnation++;
    node_register(node);
    node_report(node);
    node_beat(node);
}

static void test_return__copies_nobody_was_told_of_are_taken_back(void)
{
    f.settings.copies_per_node = 20;
    given_nodes(5);
    (void)given_file("/a", 10, 3);
    given_repairing();
    struct test_node *lost = holder_of(block_of("/a", 0));
    size_t held = lost->disk_count;
    node_die(lost);
    for (size_t i = 0; i < f.node_count; i++) {
        f.nodes[i].is_obedient = false;
    }
    when_ms_pass(f.settings.rereplicate_ms - 2000);
    /* Given: nobody asks for commands while the node is given up and comes back. */
    for (size_t i = 0; i < f.node_count; i++) {
        f.nodes[i].is_alive = false;
    }
    when_ms_pass(f.settings.heartbeat_interval_ms + 1500);
    CU_ASSERT_EQUAL(count_traced("copy block="), held);
    CU_ASSERT_EQUAL(count_traced(": copy"), 0);
    when_back(lost);
    CU_ASSERT_EQUAL(count_traced("copy taken back"), held);
    for (size_t i = 0; i < f.node_count; i++) {
        if (&f.nodes[i] != lost) {
            f.nodes[i].is_alive = true;
            f.nodes[i].is_obedient = true;
            node_beat(&f.nodes[i]);
        }
    }
    when_ms_pass(f.settings.copy_timeout_ms * 2);
    CU_ASSERT_EQUAL(count_traced(": copy"), 0);
    CU_ASSERT_EQUAL(count_traced(": delete"), 0);
    for (size_t i = 0; i < 10; i++) {
        CU_ASSERT_EQUAL(count_on_disk(block_of("/a", i)), 3);
    }
}

/* Copies are told and not made; then one end of them is started anew. */
static void expect_copies_again(bool is_target)
{
    f.settings.copies_per_node = 20;
    given_nodes(4);
    (void)given_file("/a", 10, 3);
    given_repairing();
    for (size_t i = 0; i < f.node_count; i++) {
        f.nodes[i].is_obedient = false;
    }
    struct test_node *fifth = given_node("h5", "/r2");
    fifth->is_obedient = false;
    struct dfs_set_datanode_admin_request request = {.node_id = 2, .action = DATANODE_DECOMMISSION};
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_SET_DATANODE_ADMIN, &request), OK);
    size_t under = cluster().under_replicated_count;
    CU_ASSERT_TRUE(under > 0 && count_traced("copy block=") == under);
    for (size_t i = 0; i < f.node_count; i++) {
        f.nodes[i].is_obedient = true;
    }
    for (size_t i = 0; i < f.node_count; i++) {
        bool is_holder = f.nodes[i].disk_count > 0;
        if (is_holder != is_target) {
            f.nodes[i].incarnation++;
            node_register(&f.nodes[i]);
            node_report(&f.nodes[i]);
            node_beat(&f.nodes[i]);
        }
    }
    when_ms_pass(2000); /* much less than the copies' timeout */
    CU_ASSERT_EQUAL(count_traced("copy lost"), under);
    CU_ASSERT_EQUAL(cluster().under_replicated_count, 0);
}

static void test_return__copies_to_a_restarted_node_are_told_again(void)
{
    expect_copies_again(true);
}

static void test_return__copies_from_a_restarted_node_are_told_again(void)
{
    expect_copies_again(false);
}

static void test_return__node_that_hung_up_is_not_copied_to(void)
{
    given_nodes(5);
    (void)given_file("/a", 10, 3);
    given_repairing();
    node_die(node_by_id(1));
    node_hang_up(node_by_id(1));
    for (size_t i = 0; i < 10; i++) {
        uint64_t block_id = block_of("/a", i);
        struct test_node *sick = node_by_id(node_has(node_by_id(2), block_id) ? 2 : 4);
        node_says_corrupt(sick, block_id);
    }
    CU_ASSERT_TRUE(count_traced("copy block=") > 0);
    CU_ASSERT_EQUAL(count_traced("to=1"), 0);
    for (int i = 0; i < 10; i++) {
        uint64_t id = 0;
        char path[32];
        struct dfs_add_block_response block = {0};
        snprintf(path, sizeof(path), "/b%d", i);
        CU_ASSERT_EQUAL(do_create(path, false, 3, &id), OK);
        CU_ASSERT_EQUAL(do_add_block(id, "h1", &block), OK);
        for (size_t t = 0; t < block.targets_count; t++) {
            CU_ASSERT_NOT_EQUAL(block.targets[t].node_id, 1);
        }
    }
}

static void test_return__copies_made_meanwhile_are_trimmed_from_the_fullest(void)
{
    given_nodes(5);
    (void)given_file("/a", 10, 3);
    given_repairing();
    struct test_node *lost = holder_of(block_of("/a", 0));
    node_die(lost);
    when_ms_pass(f.settings.rereplicate_ms + 10000);
    CU_ASSERT_EQUAL(cluster().under_replicated_count, 0);
    for (size_t i = 0; i < f.node_count; i++) {
        f.nodes[i].free_bytes = &f.nodes[i] == lost ? NODE_BYTES / 10 : NODE_BYTES;
    }
    when_back(lost);
    when_ms_pass(5000);
    for (size_t i = 0; i < 10; i++) {
        CU_ASSERT_EQUAL(count_on_disk(block_of("/a", i)), 3);
    }
    struct dfs_check_files_request request = {.path = text_of("/a")};
    CU_ASSERT_EQUAL_FATAL(call(METHOD_NAMENODE_CHECK_FILES, &request), OK);
    const struct dfs_check_files_response *checked = f.response;
    for (size_t i = 0; i < 10; i++) {
        CU_ASSERT_FALSE(checked->files[0].blocks[i].is_misplaced);
    }
}

static const struct unit_test tests[] = {
    {"test_bucket__spends_no_more_than_its_rate",                       "A bucket lets pass its rate, no more, no less.",
     test_bucket__spends_no_more_than_its_rate                                                                                                                                           },
    {"test_bucket__without_a_rate_is_always_open",                      "A rate of 0 is none, and large numbers hold.",
     test_bucket__without_a_rate_is_always_open                                                                                                                                          },
    {"test_rates__cluster_copies_no_faster_than_allowed",
     "All copies together keep to the cluster's rate.",                                                                   test_rates__cluster_copies_no_faster_than_allowed              },
    {"test_rates__node_takes_and_sends_no_faster_than_allowed",         "A node's copies keep to its rate.",
     test_rates__node_takes_and_sends_no_faster_than_allowed                                                                                                                             },
    {"test_order__fewest_copies_then_one_rack",
     "Blocks with the fewest copies come first, of these those in one rack.",                                             test_order__fewest_copies_then_one_rack                        },
    {"test_return__copies_nobody_was_told_of_are_taken_back",
     "When a node returns, copies nobody was told of are taken back.",                                                    test_return__copies_nobody_was_told_of_are_taken_back          },
    {"test_return__copies_to_a_restarted_node_are_told_again",
     "Copies to a datanode that was started anew are told again.",                                                        test_return__copies_to_a_restarted_node_are_told_again         },
    {"test_return__copies_from_a_restarted_node_are_told_again",
     "Copies from a datanode that was started anew are told again.",                                                      test_return__copies_from_a_restarted_node_are_told_again       },
    {"test_return__node_that_hung_up_is_not_copied_to",
     "A datanode whose connection broke gets no copies while others can take them.",                                      test_return__node_that_hung_up_is_not_copied_to                },
    {"test_return__copies_made_meanwhile_are_trimmed_from_the_fullest",
     "When a node returns, surplus replicas are trimmed and racks kept.",                                                 test_return__copies_made_meanwhile_are_trimmed_from_the_fullest},
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "namenode rates", tests, UNIT_COUNT(tests),
                     fixture_setup, fixture_teardown);
}
