/*
 * test_namenode_fsck.c - CheckFiles: every file, block and replica, page by page.
 */
#include <stdio.h>
#include <string.h>

#include "tests/unit/namenode/fixture.h"

static struct dfs_check_files_response check(const char *path, const char *after, uint32_t limit)
{
    struct dfs_check_files_request request = {
        .path = text_of(path), .start_after = text_of(after), .limit = limit};
    struct dfs_check_files_response none = {0};
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_CHECK_FILES, &request), OK);
    return f.status == OK ? *(const struct dfs_check_files_response *)f.response : none;
}

/* All paths of a walk with pages of limit files, each followed by a blank. */
static const char *walk(const char *path, uint32_t limit)
{
    static char text[1024];
    char after[256] = "";
    size_t length = 0;
    bool has_more = true;
    text[0] = '\0';
    while (has_more) {
        struct dfs_check_files_response page = check(path, after, limit);
        for (size_t i = 0; i < page.files_count; i++) {
            length += (size_t)snprintf(text + length, sizeof(text) - length, "%.*s ",
                                       SLICE_ARGS(page.files[i].status.path));
        }
        has_more = page.has_more;
        snprintf(after, sizeof(after), "%.*s", SLICE_ARGS(page.next_after));
    }
    return text;
}

static size_t count_condition(const struct dfs_checked_block *block,
                              enum dfs_replica_condition condition)
{
    size_t count = 0;
    for (size_t i = 0; i < block->replicas_count; i++) {
        count += block->replicas[i].condition == condition ? 1 : 0;
    }
    return count;
}

static void given_tree(void)
{
    given_nodes(3);
    given_directory("/a/b");
    given_directory("/a/empty");
    given_directory("/c");
    (void)given_file("/a/b/1", 1, 2);
    (void)given_file("/a/b/2", 2, 2);
    (void)given_file("/a/x", 1, 2);
    (void)given_file("/c/3", 0, 2);
    (void)given_file("/z", 1, 2);
}

static void test_fsck__walks_all_files_whatever_the_page(void)
{
    given_tree();
    for (uint32_t limit = 1; limit <= 6; limit++) {
        CU_ASSERT_STRING_EQUAL(walk("/", limit), "/a/b/1 /a/b/2 /a/x /c/3 /z ");
        CU_ASSERT_STRING_EQUAL(walk("/a", limit), "/a/b/1 /a/b/2 /a/x ");
    }
    CU_ASSERT_STRING_EQUAL(walk("/z", 1), "/z ");
    CU_ASSERT_STRING_EQUAL(walk("/a/empty", 1), "");
    CU_ASSERT_EQUAL(check("/", "", 0).directory_count, 5);
}

static void test_fsck__goes_on_after_a_path_that_is_gone(void)
{
    given_tree();
    CU_ASSERT_EQUAL(check("/", "/a/b/11", 0).files_count, 4);
    CU_ASSERT_EQUAL(check("/", "/a/b/9", 0).files_count, 3);
    CU_ASSERT_EQUAL(check("/", "/a/c/d/e", 0).files_count, 3);
    CU_ASSERT_EQUAL(check("/", "/zz", 0).files_count, 0);
    CU_ASSERT_EQUAL(check("/a", "/a/zz", 0).files_count, 0);
    CU_ASSERT_EQUAL(check("/z", "/z", 0).files_count, 0);
    struct dfs_check_files_request request = {.path = text_of("/a"), .start_after = text_of("/z")};
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_CHECK_FILES, &request), ERR_INVALID);
    request.start_after = text_of("z");
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_CHECK_FILES, &request), ERR_INVALID);
    request.path = text_of("/nowhere");
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_CHECK_FILES, &request), ERR_NOT_FOUND);
}

static void test_fsck__shows_both_files_of_a_name_on_one_page(void)
{
    uint64_t file_id = 0;
    given_nodes(3);
    (void)given_file("/a", 1, 2);
    (void)given_file("/b", 1, 2);
    CU_ASSERT_EQUAL(do_create("/a", true, 2, &file_id), OK);
    struct dfs_check_files_response page = check("/", "", 1);
    CU_ASSERT_EQUAL_FATAL(page.files_count, 2);
    CU_ASSERT_FALSE(page.files[0].status.under_construction);
    CU_ASSERT_TRUE(page.files[1].status.under_construction);
    CU_ASSERT_STRING_EQUAL(walk("/", 1), "/a /a /b ");
}

static void test_fsck__shows_every_replica_and_its_condition(void)
{
    given_nodes(4);
    (void)given_file("/a", 1, 3);
    struct dfs_checked_block block = check("/a", "", 0).files[0].blocks[0];
    CU_ASSERT_EQUAL(block.wanted, 3);
    CU_ASSERT_EQUAL(block.good, 3);
    CU_ASSERT_EQUAL(block.length, BLOCK_SIZE);
    CU_ASSERT_EQUAL(count_condition(&block, CHECKED_GOOD), 3);
    CU_ASSERT_FALSE(block.is_misplaced);
    CU_ASSERT_TRUE(block.replicas[0].host.length == 2 && block.replicas[0].rack.length == 3);
    struct test_node *sick = node_by_id(block.replicas[0].node_id);
    node_says_corrupt(sick, block.block_id);
    node_die(node_by_id(block.replicas[1].node_id));
    when_ms_pass(f.settings.stale_ms + 1000);
    block = check("/a", "", 0).files[0].blocks[0];
    CU_ASSERT_EQUAL(block.good, 2);
    CU_ASSERT_TRUE(block.is_under_replicated);
    CU_ASSERT_EQUAL(count_condition(&block, CHECKED_CORRUPT), 1);
    CU_ASSERT_EQUAL(count_condition(&block, CHECKED_STALE), 1);
    when_ms_pass(f.settings.lost_ms - f.settings.stale_ms);
    block = check("/a", "", 0).files[0].blocks[0];
    CU_ASSERT_EQUAL(count_condition(&block, CHECKED_LOST), 1);
}

static void test_fsck__tells_missing_corrupt_and_open_apart(void)
{
    uint64_t file_id = 0;
    struct dfs_add_block_response added;
    given_nodes(2);
    (void)given_file("/corrupt", 1, 2);
    (void)given_file("/missing", 1, 2);
    CU_ASSERT_EQUAL(do_create("/open", false, 2, &file_id), OK);
    CU_ASSERT_EQUAL(do_add_block(file_id, "", &added), OK);
    uint64_t corrupt = check("/corrupt", "", 0).files[0].blocks[0].block_id;
    uint64_t missing = check("/missing", "", 0).files[0].blocks[0].block_id;
    for (size_t i = 0; i < 2; i++) {
        struct test_node *node = &f.nodes[i];
        for (size_t d = 0; d < node->disk_count; d++) {
            if (node->disk[d].block_id == missing) {
                node->disk[d] = node->disk[--node->disk_count];
            }
        }
        node_report(node);
        node_says_corrupt(node, corrupt);
    }
    const struct dfs_checked_block *block = &check("/corrupt", "", 0).files[0].blocks[0];
    CU_ASSERT_TRUE(block->is_missing && block->is_corrupt);
    CU_ASSERT_EQUAL(count_condition(block, CHECKED_CORRUPT), 2);
    block = &check("/missing", "", 0).files[0].blocks[0];
    CU_ASSERT_TRUE(block->is_missing && !block->is_corrupt);
    CU_ASSERT_EQUAL(block->replicas_count, 0);
    const struct dfs_checked_file *open = &check("/open", "", 0).files[0];
    CU_ASSERT_TRUE(open->status.under_construction);
    CU_ASSERT_TRUE(open->blocks[0].is_open && !open->blocks[0].is_missing);
    CU_ASSERT_EQUAL(count_condition(&open->blocks[0], CHECKED_COPYING), 2);
}

static void test_fsck__knows_misplaced_blocks(void)
{
    (void)given_node("h1", "/r1");
    (void)given_node("h2", "/r1");
    (void)given_file("/a", 1, 2);
    CU_ASSERT_FALSE(check("/a", "", 0).files[0].blocks[0].is_misplaced); /* one rack is all */
    (void)given_node("h3", "/r2");
    CU_ASSERT_TRUE(check("/a", "", 0).files[0].blocks[0].is_misplaced);
    CU_ASSERT_EQUAL(check("/a", "", 0).rack_count, 2);
    given_repairing();
    when_ms_pass(1000);
    CU_ASSERT_FALSE(check("/a", "", 0).files[0].blocks[0].is_misplaced);
}

static void test_fsck__needs_read_access(void)
{
    given_tree();
    CU_ASSERT_EQUAL(do_mkdirs("/secret", 0700, false), OK);
    (void)given_file("/secret/x", 0, 2);
    f.user = "alice";
    CU_ASSERT_STRING_EQUAL(walk("/a", 2), "/a/b/1 /a/b/2 /a/x ");
    struct dfs_check_files_request request = {.path = text_of("/")};
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_CHECK_FILES, &request), ERR_DENIED);
    request.start_after = text_of("/secret/a");
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_CHECK_FILES, &request), ERR_DENIED);
}

static const struct unit_test tests[] = {
    {"test_fsck__walks_all_files_whatever_the_page",
     "Pages of any size name every file once, in order.",                                                   test_fsck__walks_all_files_whatever_the_page     },
    {"test_fsck__goes_on_after_a_path_that_is_gone",
     "A page begins after a path that does not exist any more.",                                            test_fsck__goes_on_after_a_path_that_is_gone     },
    {"test_fsck__shows_both_files_of_a_name_on_one_page",
     "A file and the one that is to overwrite it are on one page.",                                         test_fsck__shows_both_files_of_a_name_on_one_page},
    {"test_fsck__shows_every_replica_and_its_condition",
     "Every replica has host, rack and condition.",                                                         test_fsck__shows_every_replica_and_its_condition },
    {"test_fsck__tells_missing_corrupt_and_open_apart",
     "Missing, corrupt and open blocks are told apart.",                                                    test_fsck__tells_missing_corrupt_and_open_apart  },
    {"test_fsck__knows_misplaced_blocks",
     "A block in one rack is misplaced only while there is another.",                                       test_fsck__knows_misplaced_blocks                },
    {"test_fsck__needs_read_access",                      "Who may not read a directory may not check it.",
     test_fsck__needs_read_access                                                                                                                            },
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "namenode fsck", tests, UNIT_COUNT(tests),
                     fixture_setup, fixture_teardown);
}
