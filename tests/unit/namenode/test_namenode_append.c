/*
 * test_namenode_append.c - append, truncate, concat, and who may write when.
 */
#include <stdio.h>
#include <string.h>

#include "tests/unit/namenode/fixture.h"

enum {
    OTHER_CLIENT = 8,
};

/* --- calls --------------------------------------------------------------------------- */

static enum status append_with(struct dfs_append_request request, uint64_t *ret_file_id)
{
    request.client_id = f.client;
    request.request_id = request.request_id == 0 ? f.next_request++ : request.request_id;
    enum status status = call(METHOD_NAMENODE_APPEND, &request);
    if (status == OK) {
        *ret_file_id = ((const struct dfs_append_response *)f.response)->file_id;
    }
    return status;
}

static enum status append_to(const char *path, uint64_t *ret_file_id)
{
    return append_with((struct dfs_append_request){.path = text_of(path)}, ret_file_id);
}

static enum status cut(const char *path, uint64_t length, uint64_t *ret_file_id)
{
    return append_with((struct dfs_append_request){.path = text_of(path),
                                                   .has_keep_length = true,
                                                   .keep_length = length},
                       ret_file_id);
}

static enum status abandon(uint64_t file_id)
{
    struct dfs_abandon_request request = {
        .client_id = f.client, .request_id = f.next_request++, .file_id = file_id};
    return call(METHOD_NAMENODE_ABANDON, &request);
}

static enum status concat_to(const char *target, const char *first, const char *second)
{
    const struct slice sources[] = {text_of(first), text_of(second == NULL ? "" : second)};
    struct dfs_concat_request request = {.client_id = f.client,
                                         .request_id = f.next_request++,
                                         .target = text_of(target),
                                         .sources = sources,
                                         .sources_count = second == NULL ? 1 : 2};
    return call(METHOD_NAMENODE_CONCAT, &request);
}

static enum status set_byte_quota(const char *path, uint64_t bytes)
{
    struct dfs_set_quota_request request = {.client_id = f.client,
                                            .request_id = f.next_request++,
                                            .path = text_of(path),
                                            .set_bytes = true,
                                            .bytes = bytes};
    return call(METHOD_NAMENODE_SET_QUOTA, &request);
}

static enum status set_replication(const char *path, uint32_t replication)
{
    struct dfs_set_replication_request request = {.client_id = f.client,
                                                  .request_id = f.next_request++,
                                                  .path = text_of(path),
                                                  .replication = replication};
    return call(METHOD_NAMENODE_SET_REPLICATION, &request);
}

static uint64_t length_of(const char *path)
{
    struct dfs_file_status status = {0};
    CU_ASSERT_EQUAL(do_status(path, &status), OK);
    return status.length;
}

static struct dfs_get_blocks_response blocks_of(const char *path)
{
    struct dfs_get_blocks_response blocks = {0};
    CU_ASSERT_EQUAL(do_blocks(path, "", &blocks), OK);
    return blocks;
}

/* --- append -------------------------------------------------------------------------- */

static void test_append__readers_see_the_old_file_until_complete(void)
{
    uint64_t id = 0;
    uint64_t block_id = 0;
    struct dfs_file_status status;
    given_nodes(3);
    uint64_t file_id = given_file("/file", 2, 0);
    when_ms_pass(1000);
    CU_ASSERT_EQUAL(append_to("/file", &id), OK);
    CU_ASSERT_EQUAL(((const struct dfs_append_response *)f.response)->length, 2 * BLOCK_SIZE);
    CU_ASSERT_EQUAL(((const struct dfs_append_response *)f.response)->block_size, BLOCK_SIZE);
    CU_ASSERT_EQUAL(((const struct dfs_append_response *)f.response)->min_replicas, 2);
    CU_ASSERT_EQUAL(do_write_block(id, 10, &block_id), OK);
    CU_ASSERT_EQUAL(length_of("/file"), 2 * BLOCK_SIZE);
    CU_ASSERT_EQUAL(blocks_of("/file").blocks_count, 2);
    CU_ASSERT_STRING_EQUAL(names_in("/"), "file");
    CU_ASSERT_EQUAL(do_complete(id, 10), ERR_INVALID);
    CU_ASSERT_EQUAL(do_complete(id, 2 * BLOCK_SIZE + 10), OK);
    status = ((const struct dfs_complete_response *)f.response)->status;
    CU_ASSERT_EQUAL(status.file_id, file_id);
    CU_ASSERT_EQUAL(status.modified_ms, (uint64_t)f.wall_ms);
    CU_ASSERT_EQUAL(length_of("/file"), 2 * BLOCK_SIZE + 10);
    CU_ASSERT_EQUAL(blocks_of("/file").blocks[2].block_id, block_id);
    CU_ASSERT_EQUAL(blocks_of("/file").blocks[2].offset, 2 * BLOCK_SIZE);
    CU_ASSERT_EQUAL(cluster().file_count, 1);
    CU_ASSERT_EQUAL(do_complete(id, 0), ERR_NOT_FOUND);
}

static void test_append__again_and_again_over_restarts(void)
{
    uint64_t id = 0;
    uint64_t block_id = 0;
    given_nodes(3);
    (void)given_file("/file", 0, 0);
    for (uint64_t i = 1; i <= 5; i++) {
        CU_ASSERT_EQUAL(append_to("/file", &id), OK);
        CU_ASSERT_EQUAL(do_write_block(id, 10, &block_id), OK);
        if (i == 3) {
            when_restarted(); /* what was sealed is journaled */
            for (size_t n = 0; n < f.node_count; n++) {
                node_register(&f.nodes[n]);
                node_report(&f.nodes[n]);
                node_beat(&f.nodes[n]);
            }
        }
        CU_ASSERT_EQUAL(do_complete(id, 10 * i), OK);
    }
    CU_ASSERT_EQUAL(length_of("/file"), 50);
    when_restarted();
    CU_ASSERT_EQUAL(length_of("/file"), 50);
}

static void test_append__abandoned_or_expired_leaves_the_file_as_it_was(void)
{
    uint64_t id = 0;
    uint64_t block_id = 0;
    given_nodes(3);
    (void)given_file("/file", 1, 0);
    CU_ASSERT_EQUAL(append_to("/file", &id), OK);
    CU_ASSERT_EQUAL(do_write_block(id, 10, &block_id), OK);
    CU_ASSERT_EQUAL(abandon(id), OK);
    CU_ASSERT_EQUAL(length_of("/file"), BLOCK_SIZE);
    CU_ASSERT_EQUAL(count_on_disk(block_id), 0);
    CU_ASSERT_EQUAL(cut("/file", 0, &id), OK);
    CU_ASSERT_EQUAL(do_write_block(id, 10, &block_id), OK);
    when_ms_pass(f.settings.lease_hard_ms + 1);
    CU_ASSERT_TRUE(was_traced("abandoned"));
    CU_ASSERT_EQUAL(length_of("/file"), BLOCK_SIZE);
    CU_ASSERT_EQUAL(do_complete(id, 10), ERR_NOT_FOUND);
    CU_ASSERT_EQUAL(append_to("/file", &id), OK);
}

static void test_append__conflicts_are_busy_and_name_the_writer(void)
{
    uint64_t id = 0;
    uint64_t other = 0;
    given_nodes(3);
    given_directory("/dir");
    (void)given_file("/file", 1, 0);
    (void)given_file("/other", 1, 0);
    CU_ASSERT_EQUAL(append_to("/file", &id), OK);
    when_ms_pass(1500);
    f.client = OTHER_CLIENT;
    CU_ASSERT_EQUAL(append_to("/file", &other), ERR_BUSY);
    CU_ASSERT_STRING_EQUAL(f.text, "/file is being appended to by root (client 0000000000000007, "
                                   "last heard of 1500 ms ago)");
    CU_ASSERT_EQUAL(do_create("/file", true, 0, &other), ERR_BUSY);
    CU_ASSERT_EQUAL(do_create("/file", false, 0, &other), ERR_EXISTS);
    CU_ASSERT_EQUAL(do_rename("/file", "/dir"), ERR_BUSY);
    CU_ASSERT_EQUAL(concat_to("/file", "/other", NULL), ERR_BUSY);
    CU_ASSERT_EQUAL(concat_to("/other", "/file", NULL), ERR_BUSY);
    CU_ASSERT_EQUAL(do_create("/new", false, 0, &other), OK);
    f.client = CLIENT;
    CU_ASSERT_EQUAL(append_to("/new", &id), ERR_BUSY);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.text, "/new is being written by root"));
}

static void test_append__goes_with_its_file_and_its_directory(void)
{
    uint64_t id = 0;
    uint64_t block_id = 0;
    given_nodes(3);
    given_directory("/dir");
    (void)given_file("/dir/file", 1, 0);
    CU_ASSERT_EQUAL(append_to("/dir/file", &id), OK);
    CU_ASSERT_EQUAL(do_rename("/dir", "/moved"), OK);
    CU_ASSERT_EQUAL(do_write_block(id, 10, &block_id), OK);
    CU_ASSERT_EQUAL(do_complete(id, BLOCK_SIZE + 10), OK);
    CU_ASSERT_EQUAL(length_of("/moved/file"), BLOCK_SIZE + 10);
    CU_ASSERT_EQUAL(append_to("/moved/file", &id), OK);
    CU_ASSERT_EQUAL(do_write_block(id, 10, &block_id), OK);
    CU_ASSERT_EQUAL(do_delete("/moved/file", false), OK);
    CU_ASSERT_EQUAL(do_complete(id, BLOCK_SIZE + 20), ERR_NOT_FOUND);
    CU_ASSERT_EQUAL(count_on_disk(block_id), 0);
    CU_ASSERT_EQUAL(cluster().file_count, 0);
}

static void test_append__needs_a_file_that_one_may_write(void)
{
    uint64_t id = 0;
    given_nodes(3);
    given_directory("/dir");
    (void)given_file("/file", 1, 0);
    CU_ASSERT_EQUAL(append_to("/dir", &id), ERR_IS_DIRECTORY);
    CU_ASSERT_EQUAL(append_to("/none", &id), ERR_NOT_FOUND);
    f.user = "bob";
    CU_ASSERT_EQUAL(append_to("/file", &id), ERR_DENIED);
    f.user = "root";
    struct dfs_set_permission_request request = {.client_id = f.client,
                                                 .request_id = f.next_request++,
                                                 .path = text_of("/file"),
                                                 .permission = 0666};
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_SET_PERMISSION, &request), OK);
    f.user = "bob"; /* not the owner, but the writer */
    uint64_t block_id = 0;
    CU_ASSERT_EQUAL(append_to("/file", &id), OK);
    CU_ASSERT_EQUAL(do_write_block(id, 10, &block_id), OK);
    CU_ASSERT_EQUAL(do_complete(id, BLOCK_SIZE + 10), OK);
    struct dfs_file_status status;
    CU_ASSERT_EQUAL(do_status("/file", &status), OK);
    CU_ASSERT_TRUE(slice_equal_string(status.owner, "root"));
}

static void test_append__a_full_file_takes_no_more_blocks(void)
{
    uint64_t id = 0;
    uint64_t block_id = 0;
    f.settings.blocks_per_file_max = 2;
    given_nodes(3);
    (void)given_file("/file", 1, 0);
    CU_ASSERT_EQUAL(append_to("/file", &id), OK);
    CU_ASSERT_EQUAL(do_write_block(id, 10, &block_id), OK);
    CU_ASSERT_EQUAL(do_write_block(id, 10, &block_id), ERR_LIMIT);
}

static void test_append__follows_a_new_replication(void)
{
    uint64_t id = 0;
    uint64_t block_id = 0;
    given_nodes(4);
    given_directory("/d");
    CU_ASSERT_EQUAL(set_byte_quota("/d", 100 * BLOCK_SIZE), OK);
    (void)given_file("/d/file", 1, 2);
    CU_ASSERT_EQUAL(append_to("/d/file", &id), OK);
    CU_ASSERT_EQUAL(do_write_block(id, 10, &block_id), OK);
    CU_ASSERT_EQUAL(set_replication("/d/file", 4), OK);
    CU_ASSERT_EQUAL(do_complete(id, BLOCK_SIZE + 10), OK);
    CU_ASSERT_EQUAL(blocks_of("/d/file").status.replication, 4);
}

static void test_append__a_repetition_is_answered_the_same(void)
{
    uint64_t id = 0;
    uint64_t again = 0;
    given_nodes(3);
    (void)given_file("/file", 1, 0);
    struct dfs_append_request request = {.path = text_of("/file"), .request_id = f.next_request++};
    CU_ASSERT_EQUAL(append_with(request, &id), OK);
    CU_ASSERT_EQUAL(append_with(request, &again), OK);
    CU_ASSERT_EQUAL(again, id);
    when_restarted();
    CU_ASSERT_EQUAL(append_with(request, &again), OK); /* in safe mode */
    CU_ASSERT_EQUAL(again, id);
    CU_ASSERT_EQUAL(((const struct dfs_append_response *)f.response)->length, BLOCK_SIZE);
}

/* --- truncate ------------------------------------------------------------------------ */

static void test_truncate__drops_blocks_at_complete(void)
{
    uint64_t id = 0;
    uint64_t block_id = 0;
    given_nodes(3);
    (void)given_file("/file", 3, 0);
    uint64_t last = blocks_of("/file").blocks[2].block_id;
    CU_ASSERT_EQUAL(cut("/file", BLOCK_SIZE, &id), OK);
    CU_ASSERT_EQUAL(((const struct dfs_append_response *)f.response)->length, BLOCK_SIZE);
    CU_ASSERT_EQUAL(do_write_block(id, 7, &block_id), OK);
    CU_ASSERT_EQUAL(length_of("/file"), 3 * BLOCK_SIZE);
    CU_ASSERT_EQUAL(do_complete(id, BLOCK_SIZE + 7), OK);
    CU_ASSERT_EQUAL(length_of("/file"), BLOCK_SIZE + 7);
    CU_ASSERT_EQUAL(blocks_of("/file").status.cut_count, 1);
    CU_ASSERT_EQUAL(count_on_disk(last), 0);
    CU_ASSERT_EQUAL(cut("/file", 0, &id), OK);
    CU_ASSERT_EQUAL(do_complete(id, 0), OK);
    CU_ASSERT_EQUAL(length_of("/file"), 0);
    CU_ASSERT_EQUAL(append_to("/file", &id), OK);
    CU_ASSERT_EQUAL(do_write_block(id, 7, &block_id), OK);
    CU_ASSERT_EQUAL(do_complete(id, 7), OK);
    CU_ASSERT_EQUAL(blocks_of("/file").status.cut_count, 2); /* an append changes no byte */
    CU_ASSERT_EQUAL(do_delete("/file", false), OK);
    CU_ASSERT_EQUAL(cluster().block_count, 0);
}

static void test_truncate__is_possible_between_blocks_only(void)
{
    uint64_t id = 0;
    given_nodes(3);
    (void)given_file("/file", 2, 0);
    CU_ASSERT_EQUAL(cut("/file", BLOCK_SIZE + 1, &id), ERR_INVALID);
    CU_ASSERT_STRING_EQUAL(f.text, "1001 is inside a block of /file: one begins at 1000");
    CU_ASSERT_EQUAL(cut("/file", 2 * BLOCK_SIZE + 1, &id), ERR_INVALID);
    CU_ASSERT_EQUAL(cut("/file", 2 * BLOCK_SIZE, &id), OK);
}

/* --- concat -------------------------------------------------------------------------- */

static void test_concat__joins_files_in_order(void)
{
    given_nodes(4);
    given_repairing();
    given_directory("/in");
    (void)given_file("/target", 1, 3);
    (void)given_file("/in/a", 2, 2);
    (void)given_file("/in/b", 1, 4);
    uint64_t first = blocks_of("/in/a").blocks[0].block_id;
    uint64_t last = blocks_of("/in/b").blocks[0].block_id;
    CU_ASSERT_EQUAL(concat_to("/target", "/in/a", "/in/b"), OK);
    struct dfs_get_blocks_response blocks = blocks_of("/target");
    CU_ASSERT_EQUAL(blocks.status.length, 4 * BLOCK_SIZE);
    CU_ASSERT_EQUAL(blocks.blocks[1].block_id, first);
    CU_ASSERT_EQUAL(blocks.blocks[3].block_id, last);
    CU_ASSERT_STRING_EQUAL(names_in("/in"), "");
    when_ms_pass(60000); /* all have the target's replication by then */
    for (size_t i = 0; i < 4; i++) {
        CU_ASSERT_EQUAL(count_readable("/target", i), 3);
    }
    when_restarted();
    CU_ASSERT_EQUAL(length_of("/target"), 4 * BLOCK_SIZE);
}

static void test_concat__bad_sources_change_nothing(void)
{
    uint64_t id = 0;
    f.settings.blocks_per_file_max = 3;
    given_nodes(3);
    given_directory("/dir");
    (void)given_file("/target", 1, 0);
    (void)given_file("/a", 1, 0);
    (void)given_file("/long", 2, 0);
    CU_ASSERT_EQUAL(do_create("/open", false, 0, &id), OK);
    CU_ASSERT_EQUAL(concat_to("/target", "/a", "/none"), ERR_NOT_FOUND);
    CU_ASSERT_EQUAL(concat_to("/target", "/a", "/dir"), ERR_IS_DIRECTORY);
    CU_ASSERT_EQUAL(concat_to("/target", "/a", "/open"), ERR_BUSY);
    CU_ASSERT_EQUAL(concat_to("/target", "/a", "/a"), ERR_INVALID);
    CU_ASSERT_STRING_EQUAL(f.text, "/a is given twice");
    CU_ASSERT_EQUAL(concat_to("/target", "/target", NULL), ERR_INVALID);
    CU_ASSERT_EQUAL(concat_to("/target", "/a", "/long"), ERR_LIMIT);
    CU_ASSERT_EQUAL(concat_to("/dir", "/a", NULL), ERR_IS_DIRECTORY);
    struct dfs_concat_request request = {
        .client_id = f.client, .request_id = f.next_request++, .target = text_of("/target")};
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_CONCAT, &request), ERR_INVALID);
    f.user = "bob";
    CU_ASSERT_EQUAL(concat_to("/target", "/a", NULL), ERR_DENIED);
    f.user = "root";
    CU_ASSERT_STRING_EQUAL(names_in("/"), "a dir long open target");
    CU_ASSERT_EQUAL(length_of("/target"), BLOCK_SIZE);
}

static void test_concat__larger_blocks_do_not_fit(void)
{
    uint64_t id = 0;
    given_nodes(3);
    (void)given_file("/a", 1, 0);
    struct dfs_create_request request = {.client_id = f.client,
                                         .request_id = f.next_request++,
                                         .path = text_of("/small"),
                                         .block_size = BLOCK_SIZE / 2};
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_CREATE, &request), OK);
    id = ((const struct dfs_create_response *)f.response)->file_id;
    CU_ASSERT_EQUAL(do_complete(id, 0), OK);
    CU_ASSERT_EQUAL(concat_to("/small", "/a", NULL), ERR_INVALID);
    CU_ASSERT_EQUAL(concat_to("/a", "/small", NULL), OK);
}

static void test_concat__quotas_count_what_comes_in(void)
{
    given_nodes(4);
    given_directory("/d/in");
    given_directory("/out");
    (void)given_file("/d/target", 1, 2);
    (void)given_file("/d/in/a", 1, 1);
    (void)given_file("/out/b", 1, 3);
    CU_ASSERT_EQUAL(set_byte_quota("/d", 4 * BLOCK_SIZE), OK);
    CU_ASSERT_EQUAL(concat_to("/d/target", "/out/b", NULL), ERR_QUOTA);
    CU_ASSERT_EQUAL(concat_to("/d/target", "/d/in/a", NULL), OK); /* 2 + 1 became 4 */
    CU_ASSERT_EQUAL(set_byte_quota("/d", 6 * BLOCK_SIZE), OK);
    CU_ASSERT_EQUAL(concat_to("/d/target", "/out/b", NULL), OK);
    when_restarted();
    CU_ASSERT_EQUAL(length_of("/d/target"), 3 * BLOCK_SIZE);
}

static void test_concat__the_sticky_bit_keeps_sources(void)
{
    given_nodes(3);
    CU_ASSERT_EQUAL(do_mkdirs("/tmp", 01777, false), OK);
    f.user = "alice";
    (void)given_file("/tmp/a", 1, 0);
    f.user = "bob";
    (void)given_file("/tmp/b", 1, 0);
    CU_ASSERT_EQUAL(concat_to("/tmp/b", "/tmp/a", NULL), ERR_DENIED);
    CU_ASSERT_EQUAL(length_of("/tmp/a"), BLOCK_SIZE);
}

/* --- leases -------------------------------------------------------------------------- */

static void test_takeover__of_a_silent_writer_after_the_soft_limit(void)
{
    uint64_t mine = 0;
    uint64_t id = 0;
    uint64_t block_id = 0;
    given_nodes(3);
    (void)given_file("/old", 1, 0);
    CU_ASSERT_EQUAL(append_to("/old", &mine), OK);
    CU_ASSERT_EQUAL(do_write_block(mine, 10, &block_id), OK);
    when_ms_pass(f.settings.lease_ms - 1);
    f.client = OTHER_CLIENT;
    CU_ASSERT_EQUAL(append_to("/old", &id), ERR_BUSY);
    when_ms_pass(1);
    CU_ASSERT_EQUAL(append_to("/old", &id), OK);
    CU_ASSERT_TRUE(was_traced("lease taken over client=8"));
    f.client = CLIENT;
    CU_ASSERT_EQUAL(do_complete(mine, BLOCK_SIZE + 10), ERR_NOT_FOUND);
    f.client = OTHER_CLIENT;
    CU_ASSERT_EQUAL(do_complete(id, BLOCK_SIZE), OK);
    CU_ASSERT_EQUAL(length_of("/old"), BLOCK_SIZE);
}

static void test_takeover__of_a_new_file_leaves_nothing_of_it(void)
{
    uint64_t mine = 0;
    uint64_t id = 0;
    uint64_t block_id = 0;
    given_nodes(3);
    CU_ASSERT_EQUAL(do_create("/new", false, 0, &mine), OK);
    CU_ASSERT_EQUAL(do_write_block(mine, 10, &block_id), OK);
    when_ms_pass(f.settings.lease_ms);
    f.client = OTHER_CLIENT;
    CU_ASSERT_EQUAL(append_to("/new", &id), ERR_NOT_FOUND);
    CU_ASSERT_EQUAL(do_create("/new", false, 0, &id), OK);
    CU_ASSERT_EQUAL(do_complete(id, 0), OK);
    CU_ASSERT_EQUAL(length_of("/new"), 0);
    CU_ASSERT_EQUAL(count_on_disk(block_id), 0);
    f.client = CLIENT;
    CU_ASSERT_EQUAL(do_complete(mine, 10), ERR_NOT_FOUND);
}

static void test_takeover__is_not_for_the_same_client_nor_for_whom_it_is_denied(void)
{
    uint64_t mine = 0;
    uint64_t id = 0;
    given_nodes(3);
    CU_ASSERT_EQUAL(do_mkdirs("/tmp", 0777, false), OK);
    f.user = "alice";
    CU_ASSERT_EQUAL(do_create("/tmp/new", false, 0, &mine), OK);
    when_ms_pass(f.settings.lease_ms);
    f.client = OTHER_CLIENT;
    f.user = "bob";
    CU_ASSERT_EQUAL(do_create("/tmp/new", true, 0, &id), ERR_BUSY);
    f.client = CLIENT;
    f.user = "alice";
    CU_ASSERT_EQUAL(do_create("/tmp/new", true, 0, &id), ERR_BUSY);
    CU_ASSERT_EQUAL(do_complete(mine, 0), OK);
}

/* clang-format off */
static const struct unit_test tests[] = {
    {"test_append__readers_see_the_old_file_until_complete",
     "An appended file is what it was until Complete, and keeps its id.",
     test_append__readers_see_the_old_file_until_complete},
    {"test_append__again_and_again_over_restarts", "Append goes on over restarts.",
     test_append__again_and_again_over_restarts},
    {"test_append__abandoned_or_expired_leaves_the_file_as_it_was",
     "An append that is given up or whose lease ends leaves the file as it was.",
     test_append__abandoned_or_expired_leaves_the_file_as_it_was},
    {"test_append__conflicts_are_busy_and_name_the_writer",
     "Who is in the way of a writer is told who writes.",
     test_append__conflicts_are_busy_and_name_the_writer},
    {"test_append__goes_with_its_file_and_its_directory",
     "An appending file moves with its directory and goes with its file.",
     test_append__goes_with_its_file_and_its_directory},
    {"test_append__needs_a_file_that_one_may_write", "Append needs a file and write permission.",
     test_append__needs_a_file_that_one_may_write},
    {"test_append__a_full_file_takes_no_more_blocks", "Blocks that stay count for the limit.",
     test_append__a_full_file_takes_no_more_blocks},
    {"test_append__follows_a_new_replication", "New replication holds for appended blocks.",
     test_append__follows_a_new_replication},
    {"test_append__a_repetition_is_answered_the_same",
     "A repeated append is answered the same, after a restart too.",
     test_append__a_repetition_is_answered_the_same},
    {"test_truncate__drops_blocks_at_complete", "Truncation drops blocks when it is complete.",
     test_truncate__drops_blocks_at_complete},
    {"test_truncate__is_possible_between_blocks_only", "Only whole blocks are dropped.",
     test_truncate__is_possible_between_blocks_only},
    {"test_concat__joins_files_in_order", "Concat joins files, which are gone then.",
     test_concat__joins_files_in_order},
    {"test_concat__bad_sources_change_nothing", "A bad source changes nothing.",
     test_concat__bad_sources_change_nothing},
    {"test_concat__larger_blocks_do_not_fit", "A source with larger blocks is refused.",
     test_concat__larger_blocks_do_not_fit},
    {"test_concat__quotas_count_what_comes_in", "Concat asks the quotas above its target.",
     test_concat__quotas_count_what_comes_in},
    {"test_concat__the_sticky_bit_keeps_sources", "Concat takes no file out of a sticky directory.",
     test_concat__the_sticky_bit_keeps_sources},
    {"test_takeover__of_a_silent_writer_after_the_soft_limit",
     "A silent appender is replaced after the soft limit.",
     test_takeover__of_a_silent_writer_after_the_soft_limit},
    {"test_takeover__of_a_new_file_leaves_nothing_of_it",
     "Nothing a silent writer sealed is left when another comes.",
     test_takeover__of_a_new_file_leaves_nothing_of_it},
    {"test_takeover__is_not_for_the_same_client_nor_for_whom_it_is_denied",
     "Only another client that may write takes over.",
     test_takeover__is_not_for_the_same_client_nor_for_whom_it_is_denied},
};

/* clang-format on */

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "namenode append", tests, UNIT_COUNT(tests),
                     fixture_setup, fixture_teardown);
}
