/*
 * test_namenode_compact.c - small blocks at a file's end are merged, or nothing happens.
 */
#include <stdio.h>
#include <string.h>

#include "lib/base/crc32c.h"
#include "tests/unit/namenode/fixture.h"

enum {
    RUNS = 4,
    PART = 5, /* bytes of one append */
};

static void setup(void)
{
    fixture_setup();
    f.settings.compact_runs = RUNS;
}

/* --- given, when, then --------------------------------------------------------------- */

static uint64_t given_open_for_append(const char *path, bool is_cut)
{
    struct dfs_append_request request = {.client_id = f.client,
                                         .request_id = f.next_request++,
                                         .path = text_of(path),
                                         .has_keep_length = is_cut};
    CU_ASSERT_EQUAL_FATAL(call(METHOD_NAMENODE_APPEND, &request), OK);
    return ((const struct dfs_append_response *)f.response)->file_id;
}

static uint64_t length_of(const char *path)
{
    struct dfs_file_status status = {0};
    CU_ASSERT_EQUAL_FATAL(do_status(path, &status), OK);
    return status.length;
}

static struct dfs_get_blocks_response blocks_of(const char *path)
{
    struct dfs_get_blocks_response blocks = {0};
    CU_ASSERT_EQUAL_FATAL(do_blocks(path, "", &blocks), OK);
    return blocks;
}

static void when_appended(const char *path, size_t times, uint64_t length)
{
    uint64_t block_id = 0;
    for (size_t i = 0; i < times; i++) {
        uint64_t before = length_of(path);
        uint64_t id = given_open_for_append(path, false);
        CU_ASSERT_EQUAL(do_write_block(id, length, &block_id), OK);
        CU_ASSERT_EQUAL(do_complete(id, before + length), OK);
    }
}

static void given_appended(const char *path, size_t times, uint32_t replication)
{
    (void)given_file(path, 0, replication);
    when_appended(path, times, PART);
}

static void given_cluster(size_t nodes)
{
    given_nodes(nodes);
    given_repairing();
}

static void given_all_obedient(bool are_obedient)
{
    for (size_t i = 0; i < f.node_count; i++) {
        f.nodes[i].is_obedient = are_obedient;
    }
}

/* That a datanode was told to write. */
static uint64_t merged_id(void)
{
    unsigned long long id = 0;
    const char *told = strstr(buf_string(&f.traced), ": merge ");
    CU_ASSERT_PTR_NOT_NULL_FATAL(told);
    CU_ASSERT_EQUAL_FATAL(sscanf(told, ": merge %*u into %llu", &id), 1);
    return id;
}

/* Who was told to. */
static uint64_t merger_id(void)
{
    unsigned long long id = 0;
    const char *started = strstr(buf_string(&f.traced), "merge file=");
    CU_ASSERT_PTR_NOT_NULL_FATAL(started);
    CU_ASSERT_EQUAL_FATAL(sscanf(started, "merge file=%*u blocks=%*u into=%*u node=%llu", &id), 1);
    return id;
}

/* --- tests --------------------------------------------------------------------------- */

static void test_merge__small_blocks_become_one(void)
{
    given_cluster(4);
    given_appended("/file", RUNS, 3);
    struct dfs_file_status before;
    CU_ASSERT_EQUAL(do_status("/file", &before), OK);
    uint64_t old = blocks_of("/file").blocks[0].block_id;
    when_ms_pass(2000);
    CU_ASSERT_TRUE(was_traced(": merge 4 into"));
    struct dfs_get_blocks_response blocks = blocks_of("/file");
    CU_ASSERT_EQUAL_FATAL(blocks.blocks_count, 1);
    CU_ASSERT_EQUAL(blocks.blocks[0].length, RUNS * PART);
    CU_ASSERT_EQUAL(blocks.blocks[0].replicas_count, 3);
    CU_ASSERT_EQUAL(blocks.status.length, RUNS * PART);
    CU_ASSERT_EQUAL(blocks.status.file_id, before.file_id);
    CU_ASSERT_EQUAL(blocks.status.modified_ms, before.modified_ms);
    CU_ASSERT_EQUAL(count_on_disk(old), 3); /* for readers that know it */
    when_ms_pass(f.settings.unknown_grace_ms + 2000);
    CU_ASSERT_EQUAL(count_on_disk(old), 0);
    CU_ASSERT_EQUAL(cluster().block_count, 1);
    CU_ASSERT_EQUAL(cluster().under_replicated_count, 0);
    EXPECT_REPLAY_EQUAL();
}

static void test_merge__few_or_large_blocks_stay(void)
{
    given_cluster(3);
    given_appended("/few", RUNS - 1, 3);
    (void)given_file("/large", 0, 3);
    when_appended("/large", RUNS, BLOCK_SIZE / 8);
    (void)given_file("/mixed", 0, 3);
    when_appended("/mixed", RUNS - 1, PART);
    when_appended("/mixed", 1, BLOCK_SIZE);
    when_ms_pass(10000);
    CU_ASSERT_FALSE(was_traced("merge"));
    when_appended("/mixed", RUNS, PART); /* those before the large block are not at the end */
    when_ms_pass(10000);
    CU_ASSERT_EQUAL(blocks_of("/mixed").blocks_count, RUNS - 1 + 1 + 1);
}

static void test_merge__is_off_with_0(void)
{
    f.settings.compact_runs = 0;
    given_cluster(3);
    given_appended("/file", 20, 3);
    when_ms_pass(10000);
    CU_ASSERT_EQUAL(blocks_of("/file").blocks_count, 20);
}

static void test_merge__sources_may_lie_on_different_nodes(void)
{
    f.settings.min_replicas = 1;
    given_cluster(4);
    (void)given_file("/file", 0, 1);
    for (size_t i = 0; i < RUNS; i++) {
        uint64_t id = given_open_for_append("/file", false);
        struct dfs_add_block_response block;
        CU_ASSERT_EQUAL(do_add_block(id, f.nodes[i % 4].host, &block), OK);
        CU_ASSERT_EQUAL(block.targets[0].node_id, f.nodes[i % 4].id);
        CU_ASSERT_EQUAL(do_seal(id, &block, PART, 1), OK);
        CU_ASSERT_EQUAL(do_complete(id, (i + 1) * PART), OK);
    }
    when_ms_pass(2000);
    CU_ASSERT_EQUAL(blocks_of("/file").blocks_count, 1);
}

static void test_merge__of_a_file_that_changed_is_dropped(void)
{
    uint64_t block_id = 0;
    given_cluster(3);
    given_appended("/file", RUNS, 3);
    given_all_obedient(false);
    when_ms_pass(2000);
    CU_ASSERT_TRUE(was_traced("merge 4 into"));
    struct dfs_get_blocks_response blocks = blocks_of("/file");
    struct dfs_block_info merged = {.block_id = merged_id(), .length = RUNS * PART};
    for (size_t i = 0; i < RUNS; i++) {
        merged.crc32c =
            crc32c_combine(merged.crc32c, blocks.blocks[i].crc32c, blocks.blocks[i].length);
    }
    uint64_t id = given_open_for_append("/file", true);
    CU_ASSERT_EQUAL(do_write_block(id, 7, &block_id), OK);
    CU_ASSERT_EQUAL(do_complete(id, 7), OK);
    given_all_obedient(true);
    for (size_t i = 0; i < 3; i++) {
        node_received(&f.nodes[i], &merged);
    }
    CU_ASSERT_TRUE(was_traced("merge dropped"));
    CU_ASSERT_EQUAL(length_of("/file"), 7);
    when_ms_pass(f.settings.unknown_grace_ms + 2000);
    CU_ASSERT_EQUAL(count_on_disk(merged.block_id), 0);
    CU_ASSERT_EQUAL(count_on_disk(block_id), 3);
}

static void test_merge__with_other_bytes_is_not_taken(void)
{
    given_cluster(3);
    given_appended("/file", RUNS, 3);
    given_all_obedient(false);
    when_ms_pass(2000);
    struct dfs_block_info wrong = {.block_id = merged_id(), .length = RUNS * PART, .crc32c = 1};
    given_all_obedient(true);
    for (size_t i = 0; i < 3; i++) {
        node_received(&f.nodes[i], &wrong);
    }
    when_ms_pass(f.settings.copy_timeout_ms + 2000);
    CU_ASSERT_TRUE(was_traced("merge overdue"));
    CU_ASSERT_EQUAL(blocks_of("/file").blocks_count, RUNS);
    CU_ASSERT_EQUAL(count_on_disk(wrong.block_id), 0);
}

static void test_merge__that_failed_is_tried_again_without_an_append(void)
{
    given_cluster(3);
    given_appended("/file", RUNS, 3);
    given_all_obedient(false);
    when_ms_pass(2000);
    uint64_t merged = merged_id();
    struct test_node *worker = node_by_id(merger_id());
    /* Given: the worker says at once that it could not read the first block there. */
    struct dfs_get_blocks_response blocks = blocks_of("/file");
    struct dfs_failed_work work = {.block_id = merged,
                                   .fault = FAULT_SOURCE,
                                   .source_block_id = blocks.blocks[0].block_id,
                                   .source_node_id = worker->id};
    node_says_failed(worker, &work);
    CU_ASSERT_TRUE(was_traced("merge failed"));
    given_all_obedient(true);
    forget_traced();
    when_ms_pass(f.settings.repair_retry_ms + 2000);
    CU_ASSERT_EQUAL(blocks_of("/file").blocks_count, 1);
    CU_ASSERT_NOT_EQUAL(merged_id(), merged);
    EXPECT_REPLAY_EQUAL();
}

static void test_merge__waits_longer_after_each_failure(void)
{
    size_t tries = 0;
    given_cluster(3);
    given_appended("/file", RUNS, 3);
    given_all_obedient(false);
    for (int second = 0; second < 600; second++) {
        when_ms_pass(1000);
        if (was_traced(": merge ")) {
            tries++;
            struct dfs_failed_work work = {.block_id = merged_id(), .fault = FAULT_TARGET};
            node_says_failed(node_by_id(merger_id()), &work);
            forget_traced();
        }
    }
    CU_ASSERT_TRUE(tries >= 5); /* after 5, 10, 20, 40, 80, 160, 320 seconds */
    CU_ASSERT_TRUE(tries <= 8);
}

static void test_merge__failure_of_another_node_is_not_believed(void)
{
    given_cluster(3);
    given_appended("/file", RUNS, 3);
    given_all_obedient(false);
    when_ms_pass(2000);
    struct dfs_failed_work work = {.block_id = merged_id(), .fault = FAULT_TARGET};
    node_says_failed(node_by_id(merger_id() % 3 + 1), &work);
    CU_ASSERT_FALSE(was_traced("merge failed"));
}

static void test_merge__one_report_is_not_enough(void)
{
    given_cluster(3);
    given_appended("/file", RUNS, 3);
    for (size_t i = 1; i < 3; i++) {
        f.nodes[i].is_obedient = false;
    }
    f.nodes[0].is_obedient = true;
    when_ms_pass(2000);
    CU_ASSERT_EQUAL(blocks_of("/file").blocks_count, RUNS);
    given_all_obedient(true);
    when_ms_pass(f.settings.copy_timeout_ms - 3000);
    CU_ASSERT_EQUAL(blocks_of("/file").blocks_count, RUNS);
    when_ms_pass(3000 + f.settings.repair_retry_ms + 2000); /* when it is tried again */
    CU_ASSERT_EQUAL(blocks_of("/file").blocks_count, 1);
}

static void test_merge__waits_while_the_file_is_written(void)
{
    given_cluster(3);
    given_appended("/file", RUNS, 3);
    uint64_t id = given_open_for_append("/file", false);
    when_ms_pass(5000);
    CU_ASSERT_EQUAL(blocks_of("/file").blocks_count, RUNS);
    CU_ASSERT_EQUAL(do_complete(id, RUNS * PART), OK);
    when_ms_pass(2000);
    CU_ASSERT_EQUAL(blocks_of("/file").blocks_count, 1);
}

static void test_merge__is_rate_limited(void)
{
    f.settings.compact_bytes_per_second = 2;
    given_cluster(3);
    given_appended("/a", RUNS, 3);
    given_appended("/b", RUNS, 3);
    when_ms_pass(3000);
    CU_ASSERT_EQUAL(blocks_of("/a").blocks_count, 1);
    CU_ASSERT_EQUAL(blocks_of("/b").blocks_count, RUNS);
    when_ms_pass(10000); /* 20 bytes, 2 a second */
    CU_ASSERT_EQUAL(blocks_of("/b").blocks_count, 1);
}

static void test_merge__is_remembered_by_the_file_over_a_restart(void)
{
    given_nodes(3);
    given_appended("/file", RUNS, 3);
    when_ms_pass(5000); /* repair has not begun */
    CU_ASSERT_EQUAL(blocks_of("/file").blocks_count, RUNS);
    when_restarted();
    for (size_t i = 0; i < f.node_count; i++) {
        node_register(&f.nodes[i]);
        node_report(&f.nodes[i]);
        node_beat(&f.nodes[i]);
    }
    when_ms_pass(f.settings.repair_start_ms + 2000);
    CU_ASSERT_EQUAL(blocks_of("/file").blocks_count, 1);
}

static void test_merge__rests_in_safe_mode(void)
{
    given_cluster(3);
    given_appended("/file", RUNS, 3);
    struct dfs_set_safe_mode_request request = {.action = SAFE_MODE_ENTER};
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_SET_SAFE_MODE, &request), OK);
    when_ms_pass(60000);
    CU_ASSERT_EQUAL(blocks_of("/file").blocks_count, RUNS);
    request.action = SAFE_MODE_LEAVE;
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_SET_SAFE_MODE, &request), OK);
    when_ms_pass(60000);
    CU_ASSERT_EQUAL(blocks_of("/file").blocks_count, 1);
}

static void test_merge__quotas_stay_the_same(void)
{
    given_cluster(3);
    given_directory("/d");
    given_appended("/d/file", RUNS, 3);
    struct dfs_set_quota_request request = {.client_id = f.client,
                                            .request_id = f.next_request++,
                                            .path = text_of("/d"),
                                            .set_bytes = true,
                                            .bytes = (uint64_t)3 * RUNS * PART};
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_SET_QUOTA, &request), OK);
    when_ms_pass(2000);
    CU_ASSERT_EQUAL(blocks_of("/d/file").blocks_count, 1); /* NN-21 is checked at each step */
}

static void test_merge__bytes_are_rewritten_few_times(void)
{
    uint64_t rewritten = 0;
    given_cluster(3);
    f.replay_every = 50;
    f.settings.unknown_grace_ms = 1000;
    (void)given_file("/file", 0, 3);
    for (size_t i = 0; i < 110; i++) {
        size_t before = blocks_of("/file").blocks_count;
        when_appended("/file", 1, 1);
        when_ms_pass(2000);
        struct dfs_get_blocks_response blocks = blocks_of("/file");
        CU_ASSERT_EQUAL(blocks.status.length, i + 1);
        if (blocks.blocks_count <= before) {
            rewritten += blocks.blocks[blocks.blocks_count - 1].length;
        }
        CU_ASSERT_TRUE(blocks.blocks_count <= 16);
    }
    CU_ASSERT_TRUE(rewritten >= 110 / 2);
    CU_ASSERT_TRUE(rewritten <= (uint64_t)110 * 4); /* all of it each time would be 1,500 */
    printf("rewritten %llu bytes of 110\n", (unsigned long long)rewritten);
}

/* clang-format off */
static const struct unit_test tests[] = {
    {"test_merge__small_blocks_become_one",
     "Small blocks at a file's end become one; the old ones stay for a while.",
     test_merge__small_blocks_become_one},
    {"test_merge__few_or_large_blocks_stay", "Few blocks, and blocks that are not small, stay.",
     test_merge__few_or_large_blocks_stay},
    {"test_merge__is_off_with_0", "Nothing is merged when the setting is 0.",
     test_merge__is_off_with_0},
    {"test_merge__sources_may_lie_on_different_nodes",
     "Sources may lie on different datanodes.",
     test_merge__sources_may_lie_on_different_nodes},
    {"test_merge__of_a_file_that_changed_is_dropped",
     "A merge of a file that has changed since is dropped.",
     test_merge__of_a_file_that_changed_is_dropped},
    {"test_merge__with_other_bytes_is_not_taken",
     "A merged block with another checksum is not taken.",
     test_merge__with_other_bytes_is_not_taken},
    {"test_merge__one_report_is_not_enough",
     "A merged block on fewer than min_replicas nodes is not taken.",
     test_merge__one_report_is_not_enough},
    {"test_merge__that_failed_is_tried_again_without_an_append",
     "A merge that failed is tried again, without waiting for an append.",
     test_merge__that_failed_is_tried_again_without_an_append},
    {"test_merge__waits_longer_after_each_failure", "The time between two tries doubles.",
     test_merge__waits_longer_after_each_failure},
    {"test_merge__failure_of_another_node_is_not_believed",
     "Only who was told to merge may say that it failed.",
     test_merge__failure_of_another_node_is_not_believed},
    {"test_merge__waits_while_the_file_is_written", "A file that is written is not merged.",
     test_merge__waits_while_the_file_is_written},
    {"test_merge__is_rate_limited", "Merges keep to their rate.", test_merge__is_rate_limited},
    {"test_merge__is_remembered_by_the_file_over_a_restart",
     "A restart does not forget what is worth merging.",
     test_merge__is_remembered_by_the_file_over_a_restart},
    {"test_merge__rests_in_safe_mode", "Nothing is merged in safe mode.",
     test_merge__rests_in_safe_mode},
    {"test_merge__quotas_stay_the_same", "A quota that is used up does not hinder merging.",
     test_merge__quotas_stay_the_same},
    {"test_merge__bytes_are_rewritten_few_times",
     "A byte is rewritten a few times, however often is appended.",
     test_merge__bytes_are_rewritten_few_times},
};

/* clang-format on */

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "namenode compact", tests, UNIT_COUNT(tests), setup,
                     fixture_teardown);
}
