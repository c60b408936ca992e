/*
 * test_namenode_safemode.c - safe mode: why it lasts, and entering and leaving it by hand.
 */
#include <string.h>

#include "tests/unit/namenode/fixture.h"

static struct dfs_set_safe_mode_response set_mode(enum dfs_safe_mode_action action)
{
    struct dfs_set_safe_mode_request request = {.action = action};
    struct dfs_set_safe_mode_response none = {0};
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_SET_SAFE_MODE, &request), OK);
    return f.status == OK ? *(const struct dfs_set_safe_mode_response *)f.response : none;
}

static bool says(struct slice sentence, const char *part)
{
    char text[512] = "";
    if (sentence.length < sizeof(text)) {
        memcpy(text, sentence.data, sentence.length);
    }
    return strstr(text, part) != NULL;
}

static uint64_t block_of(const char *path)
{
    struct dfs_get_blocks_response blocks = {0};
    CU_ASSERT_EQUAL_FATAL(do_blocks(path, "", &blocks), OK);
    return blocks.blocks[0].block_id;
}

static void test_safemode__says_what_it_waits_for(void)
{
    given_nodes(3);
    (void)given_file("/a", 2, 3);
    when_restarted();
    struct dfs_set_safe_mode_response mode = set_mode(SAFE_MODE_GET);
    CU_ASSERT_TRUE(mode.in_safe_mode);
    CU_ASSERT_FALSE(mode.is_manual);
    CU_ASSERT_EQUAL(mode.blocks_total, 2);
    CU_ASSERT_EQUAL(mode.blocks_found, 0);
    CU_ASSERT_EQUAL(mode.blocks_needed, 2);
    CU_ASSERT_TRUE(says(mode.reason, "0 of 2 blocks have been found, 2 are needed"));
    CU_ASSERT_EQUAL(do_mkdirs("/d", 0, false), ERR_SAFE_MODE);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.text, "0 of 2 blocks have been found, 2 are needed"));
    node_register(node_by_id(1));
    node_report(node_by_id(1));
    mode = set_mode(SAFE_MODE_GET);
    CU_ASSERT_FALSE(mode.in_safe_mode);
    CU_ASSERT_EQUAL(mode.reason.length, 0);
    CU_ASSERT_EQUAL(mode.blocks_found, 2);
    CU_ASSERT_EQUAL(mode.datanodes_live, 1);
}

static void test_safemode__by_hand_refuses_changes_and_lasts(void)
{
    given_nodes(3);
    (void)given_file("/a", 1, 3);
    struct dfs_set_safe_mode_response mode = set_mode(SAFE_MODE_ENTER);
    CU_ASSERT_TRUE(mode.in_safe_mode);
    CU_ASSERT_TRUE(mode.is_manual);
    CU_ASSERT_TRUE(says(mode.reason, "by hand"));
    CU_ASSERT_EQUAL(do_mkdirs("/d", 0, false), ERR_SAFE_MODE);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.text, "by hand"));
    CU_ASSERT_EQUAL(do_delete("/a", false), ERR_SAFE_MODE);
    CU_ASSERT_EQUAL(count_readable("/a", 0), 3);
    when_ms_pass(10 * f.settings.repair_start_ms);
    node_report(node_by_id(1));
    CU_ASSERT_TRUE(set_mode(SAFE_MODE_GET).in_safe_mode);
    mode = set_mode(SAFE_MODE_LEAVE);
    CU_ASSERT_FALSE(mode.in_safe_mode);
    CU_ASSERT_EQUAL(do_mkdirs("/d", 0, false), OK);
}

static void test_safemode__by_hand_holds_back_copies_and_deletions(void)
{
    given_nodes(4);
    (void)given_file("/gone", 1, 3);
    (void)given_file("/a", 1, 3);
    uint64_t gone = block_of("/gone");
    uint64_t block_id = block_of("/a");
    given_repairing();
    for (size_t i = 0; i < f.node_count; i++) {
        f.nodes[i].is_obedient = false;
    }
    CU_ASSERT_EQUAL(do_delete("/gone", false), OK);
    CU_ASSERT_EQUAL(count_on_disk(gone), 3); /* told, and not followed */
    (void)set_mode(SAFE_MODE_ENTER);
    forget_traced();
    size_t holder = 0;
    for (size_t i = 0; i < f.node_count; i++) {
        f.nodes[i].is_obedient = true;
        holder = node_has(&f.nodes[i], block_id) ? i : holder;
    }
    node_says_corrupt(&f.nodes[holder], block_id);
    when_ms_pass(4 * f.settings.delete_retry_ms);
    CU_ASSERT_FALSE(was_traced(": delete"));
    CU_ASSERT_FALSE(was_traced(": copy"));
    CU_ASSERT_EQUAL(count_on_disk(gone), 3);
    CU_ASSERT_EQUAL(count_readable("/a", 0), 2);
    (void)set_mode(SAFE_MODE_LEAVE);
    when_ms_pass(f.settings.repair_start_ms + 2 * f.settings.heartbeat_interval_ms);
    CU_ASSERT_EQUAL(count_on_disk(gone), 0);
    CU_ASSERT_EQUAL(count_readable("/a", 0), 3);
}

/* Repair had a copy under way that nobody was told of, and a queue. */
static void test_safemode__by_hand_takes_back_what_was_not_told(void)
{
    f.settings.copies_per_node = 1;
    given_nodes(5);
    (void)given_file("/a", 6, 3);
    given_repairing();
    for (size_t i = 0; i < f.node_count; i++) {
        f.nodes[i].is_obedient = false;
    }
    node_die(node_by_id(1));
    when_ms_pass(f.settings.rereplicate_ms + 1);
    CU_ASSERT_TRUE(was_traced("copy block"));
    (void)set_mode(SAFE_MODE_ENTER);
    CU_ASSERT_TRUE(was_traced("repair off"));
    for (size_t i = 0; i < f.node_count; i++) {
        f.nodes[i].is_obedient = true;
    }
    (void)set_mode(SAFE_MODE_LEAVE);
    when_ms_pass(f.settings.repair_start_ms + f.settings.copy_timeout_ms + 60000);
    CU_ASSERT_EQUAL(cluster().under_replicated_count, 0);
}

static void test_safemode__leaves_early_by_hand_and_reads_what_there_is(void)
{
    given_nodes(3);
    (void)given_file("/a", 1, 3);
    when_restarted();
    CU_ASSERT_TRUE(set_mode(SAFE_MODE_GET).in_safe_mode);
    CU_ASSERT_FALSE(set_mode(SAFE_MODE_LEAVE).in_safe_mode);
    CU_ASSERT_EQUAL(count_readable("/a", 0), 0);
    CU_ASSERT_EQUAL(cluster().missing_count, 1);
    CU_ASSERT_EQUAL(do_mkdirs("/d", 0, false), OK);
}

static void test_safemode__a_corrupt_replica_found_first_is_no_loss(void)
{
    struct dfs_get_blocks_response blocks = {0};
    given_nodes(3);
    (void)given_file("/a", 1, 3);
    uint64_t block_id = block_of("/a");
    when_restarted();
    node_register(node_by_id(1));
    node_by_id(1)->disk_count = 0;
    node_report(node_by_id(1));
    node_says_corrupt(node_by_id(1), block_id);
    CU_ASSERT_EQUAL(do_blocks("/a", "", &blocks), ERR_SAFE_MODE);
    node_register(node_by_id(2));
    node_report(node_by_id(2));
    CU_ASSERT_EQUAL(do_blocks("/a", "", &blocks), OK);
    CU_ASSERT_EQUAL(blocks.blocks[0].replicas_count, 1);
}

static void test_safemode__by_hand_before_the_blocks_are_found_lasts_beyond(void)
{
    given_nodes(3);
    (void)given_file("/a", 1, 3);
    when_restarted();
    (void)set_mode(SAFE_MODE_ENTER);
    node_register(node_by_id(1));
    node_report(node_by_id(1));
    struct dfs_set_safe_mode_response mode = set_mode(SAFE_MODE_GET);
    CU_ASSERT_TRUE(mode.in_safe_mode);
    CU_ASSERT_EQUAL(mode.blocks_found, 1);
    /* A restart forgets that it was by hand. */
    when_restarted();
    node_register(node_by_id(1));
    node_report(node_by_id(1));
    CU_ASSERT_FALSE(set_mode(SAFE_MODE_GET).in_safe_mode);
}

static void test_safemode__is_for_the_superuser_to_change(void)
{
    struct dfs_set_safe_mode_request request = {.action = SAFE_MODE_ENTER};
    given_started();
    f.user = "alice";
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_SET_SAFE_MODE, &request), ERR_DENIED);
    request.action = SAFE_MODE_LEAVE;
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_SET_SAFE_MODE, &request), ERR_DENIED);
    CU_ASSERT_FALSE(set_mode(SAFE_MODE_GET).in_safe_mode);
    request.action = (enum dfs_safe_mode_action)9;
    f.user = "root";
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_SET_SAFE_MODE, &request), ERR_INVALID);
}

static const struct unit_test tests[] = {
    {"test_safemode__says_what_it_waits_for",
     "Safe mode says how many blocks it waits for, and ends when they are found.",    test_safemode__says_what_it_waits_for                          },
    {"test_safemode__by_hand_refuses_changes_and_lasts",
     "Safe mode entered by hand refuses changes, serves reads and lasts until left.", test_safemode__by_hand_refuses_changes_and_lasts               },
    {"test_safemode__by_hand_holds_back_copies_and_deletions",
     "In safe mode nothing is copied or deleted; afterwards it is.",                  test_safemode__by_hand_holds_back_copies_and_deletions         },
    {"test_safemode__by_hand_takes_back_what_was_not_told",
     "Repair under way stops with safe mode and goes on after it.",                   test_safemode__by_hand_takes_back_what_was_not_told            },
    {"test_safemode__leaves_early_by_hand_and_reads_what_there_is",
     "Safe mode can be left by hand although blocks are missing.",                    test_safemode__leaves_early_by_hand_and_reads_what_there_is    },
    {"test_safemode__a_corrupt_replica_found_first_is_no_loss",
     "A corrupt replica that is found first does not make its block lost.",           test_safemode__a_corrupt_replica_found_first_is_no_loss        },
    {"test_safemode__by_hand_before_the_blocks_are_found_lasts_beyond",
     "Safe mode by hand outlasts the finding of the blocks, but no restart.",         test_safemode__by_hand_before_the_blocks_are_found_lasts_beyond},
    {"test_safemode__is_for_the_superuser_to_change",
     "Everybody may ask for safe mode, only the superuser may change it.",            test_safemode__is_for_the_superuser_to_change                  },
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "namenode safe mode", tests, UNIT_COUNT(tests),
                     fixture_setup, fixture_teardown);
}
