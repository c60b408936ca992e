/*
 * test_namenode_failures.c - copies that a datanode says have failed are made another way at once;
 * replicas that a reader says are bad are verified first.
 */
#include <stdio.h>
#include <string.h>

#include "tests/unit/namenode/fixture.h"

/* --- given, when, then --------------------------------------------------------------- */

static uint64_t block_of(const char *path, size_t nth)
{
    struct dfs_get_blocks_response blocks = {0};
    CU_ASSERT_EQUAL_FATAL(do_blocks(path, "", &blocks), OK);
    CU_ASSERT_TRUE_FATAL(nth < blocks.blocks_count);
    return blocks.blocks[nth].block_id;
}

static struct test_node *holder(uint64_t block_id)
{
    for (size_t i = 0; i < f.node_count; i++) {
        if (node_has(&f.nodes[i], block_id)) {
            return &f.nodes[i];
        }
    }
    CU_FAIL_FATAL("nobody has it");
    return &f.nodes[0];
}

/* From whom to whom the newest copy goes. */
static struct dfs_failed_work newest_copy(struct test_node **ret_source)
{
    const char *at = NULL;
    const char *next = buf_string(&f.traced);
    while ((next = strstr(next, "copy block=")) != NULL) {
        at = next++;
    }
    CU_ASSERT_PTR_NOT_NULL_FATAL(at);
    unsigned long long block_id = 0;
    unsigned long long from = 0;
    unsigned long long to = 0;
    CU_ASSERT_EQUAL_FATAL(sscanf(at, "copy block=%llu from=%llu to=%llu", &block_id, &from, &to),
                          3);
    *ret_source = node_by_id(from);
    return (struct dfs_failed_work){.block_id = block_id, .target_node_id = to};
}

static void given_all_obedient(bool are_obedient)
{
    for (size_t i = 0; i < f.node_count; i++) {
        f.nodes[i].is_obedient = are_obedient;
    }
}

/* A block with one replica too few, whose copy has been told to somebody who does not follow. */
static uint64_t given_copy_told(size_t nodes, uint32_t replication)
{
    given_nodes(nodes);
    (void)given_file("/file", 1, replication);
    given_repairing();
    uint64_t block_id = block_of("/file", 0);
    given_all_obedient(false);
    node_says_corrupt(holder(block_id), block_id);
    when_ms_pass(1000);
    CU_ASSERT_TRUE_FATAL(was_traced("copy block="));
    return block_id;
}

/* --- tests --------------------------------------------------------------------------- */

static void test_failure__of_a_target_takes_another_at_once(void)
{
    (void)given_copy_told(6, 3);
    struct test_node *source = NULL;
    struct dfs_failed_work first = newest_copy(&source);
    forget_traced();
    node_says_failed(source, &first);
    CU_ASSERT_TRUE(was_traced("copy failed"));
    struct test_node *other = NULL;
    struct dfs_failed_work second = newest_copy(&other);
    CU_ASSERT_NOT_EQUAL(second.target_node_id, first.target_node_id);
    CU_ASSERT_PTR_NOT_EQUAL(other, source); /* it may have been the reason as well */
}

static void test_failure__of_a_source_takes_another_at_once(void)
{
    (void)given_copy_told(5, 3);
    struct test_node *source = NULL;
    struct dfs_failed_work first = newest_copy(&source);
    forget_traced();
    first.fault = FAULT_SOURCE;
    node_says_failed(source, &first);
    struct test_node *other = NULL;
    (void)newest_copy(&other); /* its target does not matter */
    CU_ASSERT_PTR_NOT_EQUAL(other, source);
}

/* The only target there is gets it when it has had time to recover. */
static void test_failure__is_forgotten_after_a_while(void)
{
    uint64_t block_id = given_copy_told(4, 3);
    struct test_node *source = NULL;
    struct dfs_failed_work first = newest_copy(&source);
    forget_traced();
    node_says_failed(source, &first);
    given_all_obedient(true);
    when_ms_pass(f.settings.copy_timeout_ms / 4 - 2000);
    CU_ASSERT_FALSE(was_traced("copy block="));
    CU_ASSERT_EQUAL(count_readable("/file", 0), 2);
    when_ms_pass(f.settings.repair_retry_ms + 4000);
    CU_ASSERT_TRUE(node_has(node_by_id(first.target_node_id), block_id));
    CU_ASSERT_EQUAL(count_readable("/file", 0), 3);
}

/* The corrupt one makes room only when nobody else could ever take it. */
static void test_failure__does_not_cost_the_corrupt_replica(void)
{
    (void)given_copy_told(4, 3);
    struct test_node *source = NULL;
    struct dfs_failed_work first = newest_copy(&source);
    forget_traced();
    node_says_failed(source, &first);
    when_ms_pass(10000);
    CU_ASSERT_FALSE(was_traced("CORRUPT->DELETING"));
}

static void test_failure__that_comes_late_changes_nothing(void)
{
    uint64_t block_id = given_copy_told(5, 3);
    struct test_node *source = NULL;
    struct dfs_failed_work first = newest_copy(&source);
    struct test_node *target = node_by_id(first.target_node_id);
    struct dfs_block_info info = source->disk[0];
    CU_ASSERT_EQUAL_FATAL(info.block_id, block_id);
    node_received(target, &info); /* it has come after all */
    forget_traced();
    node_says_failed(source, &first);
    first.target_node_id = 99;
    node_says_failed(source, &first);
    first.block_id += 1000;
    node_says_failed(source, &first);
    CU_ASSERT_FALSE(was_traced("copy failed"));
    CU_ASSERT_EQUAL(count_readable("/file", 0), 3);
}

static void test_failure__is_believed_of_the_source_only(void)
{
    (void)given_copy_told(5, 3);
    struct test_node *source = NULL;
    struct dfs_failed_work first = newest_copy(&source);
    forget_traced();
    node_says_failed(node_by_id(first.target_node_id), &first);
    CU_ASSERT_FALSE(was_traced("copy failed"));
}

static void test_failure__of_thousands_is_bounded(void)
{
    f.replay_every = 0;
    (void)given_copy_told(6, 3);
    for (int i = 0; i < 5000; i++) {
        struct test_node *source = NULL;
        struct dfs_failed_work work = newest_copy(&source);
        forget_traced();
        work.fault = i % 3 == 0 ? FAULT_SOURCE : FAULT_TARGET;
        node_says_failed(source, &work);
        if (!was_traced("copy block=")) {
            when_ms_pass(f.settings.copy_timeout_ms / 4 + f.settings.repair_retry_ms + 2000);
        }
    }
    given_all_obedient(true);
    when_ms_pass(2 * f.settings.copy_timeout_ms);
    CU_ASSERT_EQUAL(count_readable("/file", 0), 3);
}

/* --- replicas that a reader says are bad --------------------------------------------- */

static void when_reader_says_corrupt(uint64_t block_id, const struct test_node *node)
{
    struct dfs_report_corrupt_request request = {.block_id = block_id, .node_id = node->id};
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_REPORT_CORRUPT, &request), OK);
}

/* Whom a reader is to ask last. */
static uint64_t last_to_read(const char *path)
{
    struct dfs_get_blocks_response blocks = {0};
    CU_ASSERT_EQUAL_FATAL(do_blocks(path, "", &blocks), OK);
    const struct dfs_located_block *block = &blocks.blocks[0];
    CU_ASSERT_TRUE_FATAL(block->replicas_count > 0);
    return block->replicas[block->replicas_count - 1].node.node_id;
}

static uint64_t given_suspect(size_t nodes, uint32_t replication)
{
    given_nodes(nodes);
    (void)given_file("/file", 1, replication);
    given_repairing();
    uint64_t block_id = block_of("/file", 0);
    holder(block_id)->is_obedient = false;
    forget_traced();
    when_reader_says_corrupt(block_id, holder(block_id));
    CU_ASSERT_TRUE(was_traced(": verify "));
    return block_id;
}

static void test_suspect__is_read_last_and_counts(void)
{
    uint64_t block_id = given_suspect(4, 3);
    for (int i = 0; i < 20; i++) {
        CU_ASSERT_EQUAL(last_to_read("/file"), holder(block_id)->id);
    }
    CU_ASSERT_EQUAL(count_readable("/file", 0), 3);
    CU_ASSERT_EQUAL(cluster().under_replicated_count, 0);
    CU_ASSERT_FALSE(was_traced("copy block="));
    forget_traced();
    when_reader_says_corrupt(block_id, holder(block_id)); /* once is enough */
    CU_ASSERT_FALSE(was_traced(": verify "));
}

static void test_suspect__that_is_good_is_as_before(void)
{
    uint64_t block_id = given_suspect(4, 3);
    struct test_node *suspect = holder(block_id);
    node_says_verified(suspect, block_id, false);
    CU_ASSERT_TRUE(was_traced("replica verified"));
    bool is_first = false;
    for (int i = 0; i < 100; i++) {
        is_first = is_first || last_to_read("/file") != suspect->id;
    }
    CU_ASSERT_TRUE(is_first);
    when_ms_pass(2 * f.settings.delete_retry_ms);
    CU_ASSERT_FALSE(was_traced("copy block="));
    CU_ASSERT_FALSE(was_traced("delete"));
}

static void test_suspect__that_is_bad_is_replaced(void)
{
    uint64_t block_id = given_suspect(4, 3);
    struct test_node *suspect = holder(block_id);
    suspect->is_obedient = true;
    node_says_verified(suspect, block_id, true);
    when_ms_pass(3000);
    CU_ASSERT_EQUAL(count_readable("/file", 0), 3);
    CU_ASSERT_FALSE(node_has(suspect, block_id));
}

static void test_suspect__is_not_copied_from(void)
{
    uint64_t block_id = given_suspect(5, 2);
    struct test_node *suspect = holder(block_id);
    for (size_t i = 0; i < f.node_count; i++) {
        if (&f.nodes[i] != suspect && node_has(&f.nodes[i], block_id)) {
            node_says_corrupt(&f.nodes[i], block_id);
        }
    }
    when_ms_pass(3 * f.settings.repair_retry_ms);
    CU_ASSERT_FALSE(was_traced("copy block="));
    suspect->is_obedient = true;
    node_says_verified(suspect, block_id, false);
    when_ms_pass(3000);
    CU_ASSERT_TRUE(was_traced("copy block="));
    CU_ASSERT_EQUAL(count_readable("/file", 0), 2);
}

/* The node did not answer, or is a new process that was told nothing. */
static void test_suspect__is_asked_for_until_it_is_answered(void)
{
    uint64_t block_id = given_suspect(4, 3);
    struct test_node *suspect = holder(block_id);
    forget_traced();
    when_ms_pass(f.settings.delete_retry_ms - 2000);
    CU_ASSERT_FALSE(was_traced(": verify "));
    when_ms_pass(4000);
    CU_ASSERT_TRUE(was_traced(": verify "));
    forget_traced();
    node_die(suspect);
    when_ms_pass(f.settings.stale_ms);
    suspect->is_alive = true;
    suspect->incarnation++;
    node_register(suspect);
    node_report(suspect);
    node_beat(suspect);
    CU_ASSERT_TRUE(was_traced(": verify "));
}

/* Which of them is the surplus one is known when the suspect has been looked at. */
static void test_suspect__keeps_the_surplus(void)
{
    uint64_t block_id = given_suspect(4, 3);
    struct dfs_set_replication_request fewer = {.client_id = f.client,
                                                .request_id = f.next_request++,
                                                .path = text_of("/file"),
                                                .replication = 1};
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_SET_REPLICATION, &fewer), OK);
    when_ms_pass(5000);
    CU_ASSERT_EQUAL(count_on_disk(block_id), 3);
    node_says_verified(holder(block_id), block_id, true);
    holder(block_id)->is_obedient = true;
    when_ms_pass(f.settings.delete_retry_ms + 5000);
    CU_ASSERT_EQUAL(count_readable("/file", 0), 1);
    CU_ASSERT_EQUAL(count_on_disk(block_id), 1);
}

/* clang-format off */
static const struct unit_test tests[] = {
    {"test_failure__of_a_target_takes_another_at_once",
     "A copy that its target did not take goes to another one at once.",
     test_failure__of_a_target_takes_another_at_once},
    {"test_failure__of_a_source_takes_another_at_once",
     "A copy that could not be read is made from another replica at once.",
     test_failure__of_a_source_takes_another_at_once},
    {"test_failure__is_forgotten_after_a_while",
     "A target that failed is tried again after a while.",
     test_failure__is_forgotten_after_a_while},
    {"test_failure__does_not_cost_the_corrupt_replica",
     "A corrupt replica makes no room while a target may recover.",
     test_failure__does_not_cost_the_corrupt_replica},
    {"test_failure__that_comes_late_changes_nothing",
     "A failure of a copy that has arrived, or of none, changes nothing.",
     test_failure__that_comes_late_changes_nothing},
    {"test_failure__is_believed_of_the_source_only",
     "Only who was told to copy may say that it failed.",
     test_failure__is_believed_of_the_source_only},
    {"test_suspect__is_read_last_and_counts",
     "A replica that a reader says is bad is verified; it is read last, and counts.",
     test_suspect__is_read_last_and_counts},
    {"test_suspect__that_is_good_is_as_before", "A suspect replica that is good is as before.",
     test_suspect__that_is_good_is_as_before},
    {"test_suspect__that_is_bad_is_replaced", "A suspect replica that is bad is replaced.",
     test_suspect__that_is_bad_is_replaced},
    {"test_suspect__is_not_copied_from", "A suspect replica is not copied from.",
     test_suspect__is_not_copied_from},
    {"test_suspect__is_asked_for_until_it_is_answered",
     "A datanode is asked to verify until it has answered.",
     test_suspect__is_asked_for_until_it_is_answered},
    {"test_suspect__keeps_the_surplus",
     "No replica of a block is deleted while one of them is suspect.",
     test_suspect__keeps_the_surplus},
    {"test_failure__of_thousands_is_bounded", "Thousands of failures end well.",
     test_failure__of_thousands_is_bounded},
};

/* clang-format on */

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "namenode failures", tests, UNIT_COUNT(tests),
                     fixture_setup, fixture_teardown);
}
