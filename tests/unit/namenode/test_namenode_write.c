/*
 * test_namenode_write.c - files under construction, their blocks and leases; publishing.
 */
#include <string.h>

#include "tests/unit/namenode/fixture.h"

static void test_create__file_is_seen_but_installed_when_complete(void)
{
    struct dfs_file_status status;
    uint64_t id = 0;
    uint64_t block_id = 0;
    given_nodes(3);
    CU_ASSERT_EQUAL(do_create("/file", false, 0, &id), OK);
    CU_ASSERT_EQUAL(do_status("/file", &status), OK);
    CU_ASSERT_TRUE(status.under_construction);
    CU_ASSERT_STRING_EQUAL(names_in("/"), "file");
    CU_ASSERT_EQUAL(do_write_block(id, 600, &block_id), OK);
    CU_ASSERT_EQUAL(do_complete(id, 600), OK);
    const struct dfs_complete_response *done = f.response;
    CU_ASSERT_TRUE(slice_equal_string(done->status.path, "/file"));
    CU_ASSERT_EQUAL(do_status("/file", &status), OK);
    CU_ASSERT_FALSE(status.under_construction);
    CU_ASSERT_EQUAL(status.length, 600);
    CU_ASSERT_EQUAL(status.file_id, id);
}

static void test_create__tells_the_defaults(void)
{
    given_nodes(3);
    struct dfs_create_request request = {
        .client_id = 1, .request_id = 1, .path = text_of("/a/b/file"), .create_parents = true};
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_CREATE, &request), OK);
    const struct dfs_create_response *made = f.response;
    CU_ASSERT_EQUAL(made->replication, 3);
    CU_ASSERT_EQUAL(made->block_size, BLOCK_SIZE);
    CU_ASSERT_EQUAL(made->min_replicas, 2);
    request.request_id = 2;
    request.path = text_of("/single");
    request.replication = 1;
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_CREATE, &request), OK);
    made = f.response;
    CU_ASSERT_EQUAL(made->min_replicas, 1);
    struct dfs_file_status status;
    CU_ASSERT_EQUAL(do_status("/single", &status), OK);
    CU_ASSERT_EQUAL(status.permission, 0644);
}

static void test_create__refuses_what_is_taken(void)
{
    uint64_t id = 0;
    given_nodes(3);
    given_directory("/dir");
    (void)given_file("/done", 0, 0);
    CU_ASSERT_EQUAL(do_create("/open", false, 0, &id), OK);
    CU_ASSERT_EQUAL(do_create("/done", false, 0, &id), ERR_EXISTS);
    CU_ASSERT_EQUAL(do_create("/dir", true, 0, &id), ERR_IS_DIRECTORY);
    CU_ASSERT_EQUAL(do_create("/", true, 0, &id), ERR_IS_DIRECTORY);
    CU_ASSERT_EQUAL(do_create("/open", true, 0, &id), ERR_BUSY);
    f.client = 8;
    CU_ASSERT_EQUAL(do_create("/open", false, 0, &id), ERR_BUSY);
    CU_ASSERT_EQUAL(do_create("/none/file", false, 0, &id), ERR_NOT_FOUND);
    CU_ASSERT_EQUAL(do_create("/many", false, 1000, &id), ERR_INVALID);
}

static void test_overwrite__replaces_at_complete_only(void)
{
    struct dfs_file_status status;
    uint64_t id = 0;
    uint64_t block_id = 0;
    given_nodes(3);
    uint64_t old_id = given_file("/file", 1, 0);
    struct dfs_get_blocks_response old_blocks;
    CU_ASSERT_EQUAL(do_blocks("/file", "", &old_blocks), OK);
    uint64_t old_block = old_blocks.blocks[0].block_id;
    CU_ASSERT_EQUAL(do_create("/file", true, 0, &id), OK);
    CU_ASSERT_EQUAL(do_write_block(id, 7, &block_id), OK);
    CU_ASSERT_EQUAL(do_status("/file", &status), OK);
    CU_ASSERT_EQUAL(status.file_id, old_id);
    CU_ASSERT_STRING_EQUAL(names_in("/"), "file");
    CU_ASSERT_EQUAL(do_complete(id, 7), OK);
    CU_ASSERT_EQUAL(do_status("/file", &status), OK);
    CU_ASSERT_EQUAL(status.file_id, id);
    CU_ASSERT_EQUAL(status.length, 7);
    CU_ASSERT_EQUAL(count_on_disk(old_block), 0);
    CU_ASSERT_EQUAL(count_on_disk(block_id), 3);
}

static void test_overwrite__abandoned_leaves_the_older_file(void)
{
    struct dfs_file_status status;
    uint64_t id = 0;
    uint64_t block_id = 0;
    given_nodes(3);
    uint64_t old_id = given_file("/file", 1, 0);
    CU_ASSERT_EQUAL(do_create("/file", true, 0, &id), OK);
    CU_ASSERT_EQUAL(do_write_block(id, 7, &block_id), OK);
    struct dfs_abandon_request request = {
        .client_id = f.client, .request_id = f.next_request++, .file_id = id};
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_ABANDON, &request), OK);
    CU_ASSERT_EQUAL(do_status("/file", &status), OK);
    CU_ASSERT_EQUAL(status.file_id, old_id);
    CU_ASSERT_EQUAL(count_on_disk(block_id), 0);
    CU_ASSERT_EQUAL(do_complete(id, 7), ERR_NOT_FOUND);
}

static void test_overwrite__older_one_deleted_meanwhile_is_no_matter(void)
{
    uint64_t id = 0;
    given_nodes(3);
    (void)given_file("/file", 1, 0);
    CU_ASSERT_EQUAL(do_create("/file", true, 0, &id), OK);
    CU_ASSERT_EQUAL(do_delete("/file", false), OK);
    CU_ASSERT_EQUAL(do_mkdirs("/file", 0, true), ERR_EXISTS);
    CU_ASSERT_EQUAL(do_complete(id, 0), OK);
    CU_ASSERT_EQUAL(do_status("/file", NULL), OK);
}

static void test_complete__length_must_match(void)
{
    uint64_t id = 0;
    uint64_t block_id = 0;
    given_nodes(3);
    CU_ASSERT_EQUAL(do_create("/file", false, 0, &id), OK);
    CU_ASSERT_EQUAL(do_write_block(id, 600, &block_id), OK);
    CU_ASSERT_EQUAL(do_complete(id, 599), ERR_INVALID);
    CU_ASSERT_EQUAL(do_complete(id, 600), OK);
    CU_ASSERT_EQUAL(do_complete(id, 600), ERR_BAD_TRANSITION);
    struct dfs_add_block_response block;
    CU_ASSERT_EQUAL(do_add_block(id, "h1", &block), ERR_BAD_TRANSITION);
}

static void test_complete__repeated_is_answered_again(void)
{
    uint64_t id = 0;
    given_nodes(3);
    CU_ASSERT_EQUAL(do_create("/file", false, 0, &id), OK);
    struct dfs_complete_request request = {
        .client_id = f.client, .request_id = f.next_request++, .file_id = id};
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_COMPLETE, &request), OK);
    const struct dfs_complete_response *first = f.response;
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_COMPLETE, &request), OK);
    CU_ASSERT_TRUE(message_equal(&dfs_complete_response_type, first, f.response));
    CU_ASSERT_EQUAL(do_delete("/file", false), OK);
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_COMPLETE, &request), OK);
    CU_ASSERT_EQUAL(((const struct dfs_complete_response *)f.response)->status.file_id, id);
}

static void test_abandon__only_by_its_writer(void)
{
    uint64_t id = 0;
    given_nodes(3);
    CU_ASSERT_EQUAL(do_create("/file", false, 0, &id), OK);
    struct dfs_abandon_request request = {.client_id = 99, .request_id = 1, .file_id = id};
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_ABANDON, &request), ERR_DENIED);
    CU_ASSERT_EQUAL(do_status("/file", NULL), OK);
}

static void test_add_block__the_first_of_several_may_be_abandoned(void)
{
    uint64_t id = 0;
    struct dfs_add_block_response blocks[3];
    given_nodes(3);
    CU_ASSERT_EQUAL(do_create("/file", false, 0, &id), OK);
    CU_ASSERT_EQUAL(do_add_block(id, "h1", &blocks[0]), OK);
    CU_ASSERT_EQUAL(do_add_block(id, "h1", &blocks[1]), OK);
    struct dfs_add_block_request again = {.client_id = f.client,
                                          .request_id = f.next_request++,
                                          .file_id = id,
                                          .abandoned_block_id = blocks[0].block_id};
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_ADD_BLOCK, &again), OK);
    blocks[2] = *(const struct dfs_add_block_response *)f.response;
    CU_ASSERT_EQUAL(do_seal(id, &blocks[2], 7, 3), ERR_BAD_TRANSITION);
    CU_ASSERT_EQUAL(do_seal(id, &blocks[1], 5, 3), OK);
    CU_ASSERT_EQUAL(do_seal(id, &blocks[2], 7, 3), OK);
    CU_ASSERT_EQUAL(do_complete(id, 12), OK);
}

static void test_seal__another_files_block_is_refused(void)
{
    uint64_t ids[2];
    struct dfs_add_block_response block;
    given_nodes(3);
    CU_ASSERT_EQUAL(do_create("/one", false, 0, &ids[0]), OK);
    CU_ASSERT_EQUAL(do_create("/two", false, 0, &ids[1]), OK);
    CU_ASSERT_EQUAL(do_add_block(ids[0], "h1", &block), OK);
    CU_ASSERT_EQUAL(do_seal(ids[1], &block, 5, 3), ERR_NOT_FOUND);
    CU_ASSERT_EQUAL(do_seal(ids[0], &block, 5, 3), OK);
}

static void test_complete__drops_blocks_that_were_not_sealed(void)
{
    uint64_t id = 0;
    struct dfs_add_block_response block;
    given_nodes(3);
    CU_ASSERT_EQUAL(do_create("/file", false, 0, &id), OK);
    CU_ASSERT_EQUAL(do_add_block(id, "h1", &block), OK);
    CU_ASSERT_EQUAL(do_complete(id, 0), OK);
    CU_ASSERT_TRUE(was_traced("h1: delete"));
    struct dfs_get_blocks_response blocks;
    CU_ASSERT_EQUAL(do_blocks("/file", "", &blocks), OK);
    CU_ASSERT_EQUAL(blocks.blocks_count, 0);
}

static void test_writers__only_the_owner_and_his_client_write(void)
{
    uint64_t id = 0;
    struct dfs_add_block_response block;
    given_nodes(3);
    CU_ASSERT_EQUAL(do_create("/file", false, 0, &id), OK);
    f.client = 8;
    CU_ASSERT_EQUAL(do_add_block(id, "h1", &block), ERR_DENIED);
    f.client = CLIENT;
    f.user = "bob";
    CU_ASSERT_EQUAL(do_add_block(id, "h1", &block), ERR_DENIED);
    CU_ASSERT_EQUAL(do_complete(id, 0), ERR_DENIED);
}

/* --- blocks -------------------------------------------------------------------------- */

static void test_add_block__repeated_names_the_same_block(void)
{
    uint64_t id = 0;
    given_nodes(3);
    CU_ASSERT_EQUAL(do_create("/file", false, 0, &id), OK);
    struct dfs_add_block_request request = {
        .client_id = f.client, .request_id = f.next_request++, .file_id = id};
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_ADD_BLOCK, &request), OK);
    const struct dfs_add_block_response *first = f.response;
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_ADD_BLOCK, &request), OK);
    CU_ASSERT_TRUE(message_equal(&dfs_add_block_response_type, first, f.response));
    CU_ASSERT_EQUAL(first->targets_count, 3);
}

static void test_add_block__abandoned_try_is_forgotten(void)
{
    uint64_t id = 0;
    struct dfs_add_block_response block;
    given_nodes(4);
    CU_ASSERT_EQUAL(do_create("/file", false, 0, &id), OK);
    CU_ASSERT_EQUAL(do_add_block(id, "h1", &block), OK);
    uint64_t excluded = block.targets[0].node_id;
    struct dfs_add_block_request request = {.client_id = f.client,
                                            .request_id = f.next_request++,
                                            .file_id = id,
                                            .client_host = text_of("h1"),
                                            .excluded_node_ids = &excluded,
                                            .excluded_node_ids_count = 1,
                                            .abandoned_block_id = block.block_id};
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_ADD_BLOCK, &request), OK);
    const struct dfs_add_block_response *second = f.response;
    CU_ASSERT_NOT_EQUAL(second->block_id, block.block_id);
    CU_ASSERT_EQUAL(second->targets_count, 3);
    for (size_t i = 0; i < second->targets_count; i++) {
        CU_ASSERT_NOT_EQUAL(second->targets[i].node_id, excluded);
    }
    struct dfs_add_block_response kept = *second;
    CU_ASSERT_EQUAL(do_seal(id, &block, 5, 3), ERR_NOT_FOUND);
    CU_ASSERT_EQUAL(do_seal(id, &kept, 5, 3), OK);
}

static void test_add_block__limits_hold(void)
{
    uint64_t id = 0;
    struct dfs_add_block_response block;
    f.settings.blocks_per_file_max = 5;
    given_nodes(3);
    CU_ASSERT_EQUAL(do_create("/file", false, 0, &id), OK);
    struct dfs_add_block_request request = {.client_id = f.client,
                                            .request_id = f.next_request++,
                                            .file_id = id,
                                            .length = BLOCK_SIZE + 1};
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_ADD_BLOCK, &request), ERR_INVALID);
    for (int i = 0; i < 4; i++) {
        CU_ASSERT_EQUAL(do_add_block(id, "h1", &block), OK);
    }
    CU_ASSERT_EQUAL(do_add_block(id, "h1", &block), ERR_LIMIT); /* too many at once */
    uint64_t other = 0;
    uint64_t block_id = 0;
    CU_ASSERT_EQUAL(do_create("/other", false, 0, &other), OK);
    for (int i = 0; i < 5; i++) {
        CU_ASSERT_EQUAL(do_write_block(other, 1, &block_id), OK);
    }
    CU_ASSERT_EQUAL(do_add_block(other, "h1", &block), ERR_LIMIT); /* too many in all */
}

static void test_add_block__needs_min_replicas_nodes(void)
{
    uint64_t id = 0;
    struct dfs_add_block_response block;
    given_nodes(1);
    CU_ASSERT_EQUAL(do_create("/file", false, 3, &id), OK);
    CU_ASSERT_EQUAL(do_add_block(id, "h1", &block), ERR_NO_NODES);
    CU_ASSERT_EQUAL(do_create("/single", false, 1, &id), OK);
    CU_ASSERT_EQUAL(do_add_block(id, "h1", &block), OK);
    (void)given_node("h2", "/r2"); /* found by its id */
    CU_ASSERT_EQUAL(do_create("/double", false, 3, &id), OK);
    CU_ASSERT_EQUAL(do_add_block(id, "h1", &block), OK);
    CU_ASSERT_EQUAL(block.targets_count, 2);
}

static void test_seal__wants_blocks_in_order(void)
{
    uint64_t id = 0;
    struct dfs_add_block_response first;
    struct dfs_add_block_response second;
    given_nodes(3);
    CU_ASSERT_EQUAL(do_create("/file", false, 0, &id), OK);
    CU_ASSERT_EQUAL(do_add_block(id, "h1", &first), OK);
    CU_ASSERT_EQUAL(do_add_block(id, "h1", &second), OK);
    CU_ASSERT_EQUAL(do_seal(id, &second, 5, 3), ERR_BAD_TRANSITION);
    CU_ASSERT_EQUAL(do_seal(id, &first, 1000, 3), OK);
    CU_ASSERT_EQUAL(do_seal(id, &second, 5, 3), OK);
    struct dfs_get_blocks_response blocks;
    CU_ASSERT_EQUAL(do_blocks("/file", "", &blocks), OK);
    CU_ASSERT_EQUAL(blocks.blocks_count, 2);
    CU_ASSERT_EQUAL(blocks.blocks[1].offset, 1000);
    CU_ASSERT_EQUAL(blocks.blocks[1].block_id, second.block_id);
}

static void test_seal__wants_min_replicas_of_its_targets(void)
{
    uint64_t id = 0;
    struct dfs_add_block_response block;
    given_nodes(4);
    CU_ASSERT_EQUAL(do_create("/file", false, 0, &id), OK);
    CU_ASSERT_EQUAL(do_add_block(id, "h1", &block), OK);
    CU_ASSERT_EQUAL(do_seal(id, &block, 5, 1), ERR_NO_NODES);
    uint64_t others[] = {block.targets[0].node_id, block.targets[0].node_id, 99};
    struct dfs_seal_block_request request = {.client_id = f.client,
                                             .request_id = f.next_request++,
                                             .file_id = id,
                                             .block_id = block.block_id,
                                             .length = 5,
                                             .crc32c = (uint32_t)block.block_id,
                                             .node_ids = others,
                                             .node_ids_count = 3};
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_SEAL_BLOCK, &request), ERR_NO_NODES);
    CU_ASSERT_EQUAL(do_seal(id, &block, 0, 3), ERR_INVALID);
    CU_ASSERT_EQUAL(do_seal(id, &block, BLOCK_SIZE + 1, 3), ERR_INVALID);
    CU_ASSERT_EQUAL(do_seal(id, &block, 5, 2), OK);
}

static void test_seal__repeated_is_fine_but_not_with_other_bytes(void)
{
    uint64_t id = 0;
    struct dfs_add_block_response block;
    given_nodes(3);
    CU_ASSERT_EQUAL(do_create("/file", false, 0, &id), OK);
    CU_ASSERT_EQUAL(do_add_block(id, "h1", &block), OK);
    CU_ASSERT_EQUAL(do_seal(id, &block, 5, 3), OK);
    size_t records = f.record_count;
    CU_ASSERT_EQUAL(do_seal(id, &block, 5, 3), OK);
    CU_ASSERT_EQUAL(f.record_count, records);
    CU_ASSERT_EQUAL(do_seal(id, &block, 6, 3), ERR_BAD_TRANSITION);
    CU_ASSERT_EQUAL(do_complete(id, 5), OK);
    CU_ASSERT_EQUAL(do_seal(id, &block, 5, 3), OK);
}

static void test_seal__a_target_that_stored_other_bytes_does_not_count(void)
{
    uint64_t id = 0;
    struct dfs_add_block_response block;
    given_nodes(3);
    CU_ASSERT_EQUAL(do_create("/file", false, 0, &id), OK);
    CU_ASSERT_EQUAL(do_add_block(id, "h1", &block), OK);
    struct dfs_block_info torn = {.block_id = block.block_id, .length = 3, .crc32c = 1};
    node_received(node_by_id(block.targets[0].node_id), &torn);
    CU_ASSERT_EQUAL(do_seal(id, &block, 5, 2), ERR_NO_NODES);
    CU_ASSERT_EQUAL(do_seal(id, &block, 5, 3), OK);
    CU_ASSERT_EQUAL(count_readable("/file", 0), 2);
}

static void test_seal__after_a_restart_reports_vouch_for_the_client(void)
{
    uint64_t id = 0;
    struct dfs_add_block_response block;
    given_nodes(3);
    CU_ASSERT_EQUAL(do_create("/file", false, 0, &id), OK);
    CU_ASSERT_EQUAL(do_add_block(id, "h1", &block), OK);
    struct dfs_block_info info = {
        .block_id = block.block_id, .length = 5, .crc32c = (uint32_t)block.block_id};
    when_restarted();
    CU_ASSERT_EQUAL(do_seal(id, &block, 5, 3), ERR_NOT_FOUND);
    for (size_t i = 0; i < 2; i++) {
        node_register(&f.nodes[i]);
        node_report(&f.nodes[i]);
        node_beat(&f.nodes[i]);
        CU_ASSERT_TRUE(node_has(&f.nodes[i], info.block_id));
    }
    CU_ASSERT_EQUAL(do_seal(id, &block, 6, 3), ERR_NOT_FOUND);
    CU_ASSERT_EQUAL(do_seal(id, &block, 5, 3), OK);
    CU_ASSERT_EQUAL(count_readable("/file", 0), 2);
    CU_ASSERT_EQUAL(do_complete(id, 5), OK);
}

static void test_get_blocks__gives_the_asked_range_nearest_first(void)
{
    struct dfs_get_blocks_response blocks;
    given_nodes(6);
    (void)given_file("/file", 4, 0);
    struct dfs_get_blocks_request request = {
        .path = text_of("/file"), .offset = 1500, .length = 600, .client_host = text_of("h1")};
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_GET_BLOCKS, &request), OK);
    blocks = *(const struct dfs_get_blocks_response *)f.response;
    CU_ASSERT_EQUAL(blocks.blocks_count, 2);
    CU_ASSERT_EQUAL(blocks.blocks[0].offset, 1000);
    CU_ASSERT_EQUAL(blocks.blocks[1].offset, 2000);
    CU_ASSERT_EQUAL(blocks.status.length, 4000);
    CU_ASSERT_TRUE(slice_equal_string(blocks.blocks[0].replicas[0].node.host, "h1"));
    /* Then: a host without the block gets its own rack's replicas first. */
    for (size_t i = 0; i < f.node_count; i++) {
        CU_ASSERT_EQUAL(do_blocks("/file", f.nodes[i].host, &blocks), OK);
        const struct dfs_located_block *block = &blocks.blocks[0];
        bool was_away = false;
        for (size_t r = 0; r < block->replicas_count; r++) {
            bool is_near = slice_equal_string(block->replicas[r].node.rack, f.nodes[i].rack);
            CU_ASSERT_FALSE(is_near && was_away);
            was_away = was_away || !is_near;
        }
    }
    CU_ASSERT_EQUAL(do_blocks("/", "h1", &blocks), ERR_IS_DIRECTORY);
}

/* --- leases -------------------------------------------------------------------------- */

static void test_lease__expired_files_end(void)
{
    struct dfs_file_status status;
    uint64_t ids[3];
    uint64_t block_id = 0;
    given_nodes(3);
    (void)given_file("/old", 1, 0);
    CU_ASSERT_EQUAL(do_create("/filled", false, 0, &ids[0]), OK);
    CU_ASSERT_EQUAL(do_create("/empty", false, 0, &ids[1]), OK);
    CU_ASSERT_EQUAL(do_create("/old", true, 0, &ids[2]), OK);
    CU_ASSERT_EQUAL(do_write_block(ids[0], 9, &block_id), OK);
    CU_ASSERT_EQUAL(do_write_block(ids[2], 9, &block_id), OK);
    when_ms_pass(f.settings.lease_hard_ms - 1);
    CU_ASSERT_EQUAL(do_status("/empty", &status), OK);
    CU_ASSERT_TRUE(status.under_construction);
    when_ms_pass(1);
    CU_ASSERT_EQUAL(do_status("/empty", &status), ERR_NOT_FOUND);
    CU_ASSERT_EQUAL(do_status("/filled", &status), ERR_NOT_FOUND);
    CU_ASSERT_EQUAL(do_status("/old", &status), OK);
    CU_ASSERT_EQUAL(status.length, BLOCK_SIZE);
    CU_ASSERT_EQUAL(do_complete(ids[0], 9), ERR_NOT_FOUND);
}

static void test_lease__renewed_lasts_on(void)
{
    struct dfs_file_status status;
    uint64_t id = 0;
    given_nodes(3);
    CU_ASSERT_EQUAL(do_create("/file", false, 0, &id), OK);
    for (int i = 0; i < 4; i++) {
        when_ms_pass(f.settings.lease_hard_ms - 1000);
        struct dfs_renew_lease_request request = {.client_id = CLIENT};
        CU_ASSERT_EQUAL(call(METHOD_NAMENODE_RENEW_LEASE, &request), OK);
        CU_ASSERT_EQUAL(((const struct dfs_renew_lease_response *)f.response)->lease_ms,
                        (uint64_t)f.settings.lease_ms);
    }
    CU_ASSERT_EQUAL(do_status("/file", &status), OK);
    CU_ASSERT_TRUE(status.under_construction);
}

static void test_lease__of_another_client_goes_on(void)
{
    struct dfs_file_status status;
    uint64_t id = 0;
    given_nodes(3);
    CU_ASSERT_EQUAL(do_create("/mine", false, 0, &id), OK);
    when_ms_pass(f.settings.lease_hard_ms / 2);
    f.client = 8;
    CU_ASSERT_EQUAL(do_create("/other", false, 0, &id), OK);
    when_ms_pass(f.settings.lease_hard_ms / 2);
    CU_ASSERT_EQUAL(do_status("/mine", &status), ERR_NOT_FOUND);
    CU_ASSERT_EQUAL(do_status("/other", &status), OK);
}

static void test_lease__starts_anew_with_the_namenode_and_not_in_its_pauses(void)
{
    struct dfs_file_status status;
    uint64_t id = 0;
    given_nodes(3);
    CU_ASSERT_EQUAL(do_create("/file", false, 0, &id), OK);
    when_ms_pass(f.settings.lease_hard_ms - 1);
    when_restarted();
    when_ms_pass(f.settings.lease_hard_ms - 1);
    CU_ASSERT_EQUAL(do_status("/file", &status), OK);
    when_paused(f.settings.lease_hard_ms);
    CU_ASSERT_EQUAL(do_status("/file", &status), OK);
    when_ms_pass(1);
    CU_ASSERT_EQUAL(do_status("/file", &status), ERR_NOT_FOUND);
}

static void test_delete__of_a_file_being_written_ends_it(void)
{
    uint64_t id = 0;
    uint64_t block_id = 0;
    given_nodes(3);
    given_directory("/dir");
    CU_ASSERT_EQUAL(do_create("/dir/file", false, 0, &id), OK);
    CU_ASSERT_EQUAL(do_write_block(id, 9, &block_id), OK);
    CU_ASSERT_EQUAL(do_delete("/dir", false), ERR_NOT_EMPTY);
    CU_ASSERT_EQUAL(do_delete("/dir", true), OK);
    CU_ASSERT_EQUAL(do_complete(id, 9), ERR_NOT_FOUND);
    CU_ASSERT_EQUAL(count_on_disk(block_id), 0);
}

/* --- publishing ---------------------------------------------------------------------- */

static struct dfs_publish_entry entries[2];

/* Two files in /job/tmp, to be published from /job/tmp to destination. */
static struct dfs_publish_output_request given_output(const char *destination)
{
    given_nodes(3);
    given_directory("/job/tmp/a1");
    uint64_t first = given_file("/job/tmp/a1/part", 2, 0);
    uint64_t second = given_file("/job/tmp/rest", 0, 0);
    entries[0] = (struct dfs_publish_entry){.source = text_of("/job/tmp/a1/part"),
                                            .file_id = first,
                                            .length = 2 * BLOCK_SIZE,
                                            .name = text_of("part-00000")};
    entries[1] = (struct dfs_publish_entry){
        .source = text_of("/job/tmp/rest"), .file_id = second, .name = text_of("part-00001")};
    return (struct dfs_publish_output_request){
        .client_id = f.client,
        .request_id = f.next_request++,
        .key = text_of("app_1"),
        .epoch = 1,
        .destination = text_of(destination),
        .entries = entries,
        .entries_count = 2,
        .write_success = true,
        .staging = text_of("/job/tmp"),
    };
}

static void test_publish__installs_all_and_removes_the_staging(void)
{
    struct dfs_publish_output_request request = given_output("/out/x");
    size_t steps = f.steps;
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_PUBLISH_OUTPUT, &request), OK);
    CU_ASSERT_EQUAL(f.steps, steps + 1);
    CU_ASSERT_STRING_EQUAL(names_in("/out/x"), "_SUCCESS part-00000 part-00001");
    CU_ASSERT_STRING_EQUAL(names_in("/job"), "");
    CU_ASSERT_EQUAL(count_readable("/out/x/part-00000", 1), 3);
    /* Then: the retry of a lost answer is answered the same. */
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_PUBLISH_OUTPUT, &request), OK);
    request.request_id = f.next_request++;
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_PUBLISH_OUTPUT, &request), ERR_EXISTS);
}

static void expect_unpublished(void)
{
    CU_ASSERT_EQUAL(do_status("/out", NULL), ERR_NOT_FOUND);
    CU_ASSERT_EQUAL(do_status("/job/tmp/a1/part", NULL), OK);
    CU_ASSERT_EQUAL(do_status("/job/tmp/rest", NULL), OK);
}

static void test_publish__is_all_or_nothing(void)
{
    struct dfs_publish_output_request request = given_output("/out");
    struct dfs_publish_entry good = entries[1];
    entries[1].length = 1;
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_PUBLISH_OUTPUT, &request), ERR_BAD_TRANSITION);
    entries[1] = good;
    entries[1].file_id = 12345;
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_PUBLISH_OUTPUT, &request), ERR_BAD_TRANSITION);
    entries[1] = good;
    entries[1].source = text_of("/job/none");
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_PUBLISH_OUTPUT, &request), ERR_NOT_FOUND);
    entries[1] = good;
    entries[1].name = text_of("part-00000");
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_PUBLISH_OUTPUT, &request), ERR_INVALID);
    entries[1].name = text_of("_SUCCESS");
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_PUBLISH_OUTPUT, &request), ERR_INVALID);
    entries[1].name = text_of("a/b");
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_PUBLISH_OUTPUT, &request), ERR_INVALID);
    entries[1] = entries[0];
    entries[1].name = text_of("again");
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_PUBLISH_OUTPUT, &request), ERR_INVALID);
    expect_unpublished();
    entries[1] = good;
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_PUBLISH_OUTPUT, &request), OK);
}

static void test_publish__staging_may_not_hold_the_destination(void)
{
    struct dfs_publish_output_request request = given_output("/job/tmp/out");
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_PUBLISH_OUTPUT, &request), ERR_INVALID);
    request.destination = text_of("/out");
    request.staging = text_of("/");
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_PUBLISH_OUTPUT, &request), ERR_INVALID);
    request.staging = text_of("/job/tmp/rest");
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_PUBLISH_OUTPUT, &request), ERR_NOT_DIRECTORY);
    expect_unpublished();
    request.staging = text_of("/never/was");
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_PUBLISH_OUTPUT, &request), OK);
}

static void test_publish__older_epochs_are_fenced(void)
{
    struct dfs_publish_output_request request = given_output("/out");
    struct dfs_fence_output_request fence = {
        .client_id = f.client, .request_id = f.next_request++, .key = request.key, .epoch = 5};
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_FENCE_OUTPUT, &fence), OK);
    request.epoch = 4;
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_PUBLISH_OUTPUT, &request), ERR_FENCED);
    fence.request_id = f.next_request++;
    fence.epoch = 4;
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_FENCE_OUTPUT, &fence), ERR_FENCED);
    when_restarted();
    for (size_t i = 0; i < f.node_count; i++) {
        node_register(&f.nodes[i]);
        node_report(&f.nodes[i]);
        node_beat(&f.nodes[i]);
    }
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_PUBLISH_OUTPUT, &request), ERR_FENCED);
    expect_unpublished();
    request.epoch = 6;
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_PUBLISH_OUTPUT, &request), OK);
    fence.request_id = f.next_request++;
    fence.epoch = 5;
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_FENCE_OUTPUT, &fence), ERR_FENCED);
}

static void test_publish__needs_the_right_to_move_and_to_make(void)
{
    struct dfs_publish_output_request request = given_output("/out");
    f.user = "bob";
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_PUBLISH_OUTPUT, &request), ERR_DENIED);
    f.user = "root";
    expect_unpublished();
}

static void test_publish__file_still_written_is_not_taken(void)
{
    uint64_t id = 0;
    struct dfs_publish_output_request request = given_output("/out");
    CU_ASSERT_EQUAL(do_create("/job/tmp/open", false, 0, &id), OK);
    entries[1].source = text_of("/job/tmp/open");
    entries[1].file_id = id;
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_PUBLISH_OUTPUT, &request), ERR_BAD_TRANSITION);
    expect_unpublished();
}

static void test_fences__oldest_are_forgotten_beyond_the_limit(void)
{
    f.settings.fences_max = 2;
    static const char *const keys[] = {"a", "b", "c"};
    struct dfs_fence_output_request fence = {.client_id = f.client, .epoch = 5};
    for (size_t i = 0; i < UNIT_COUNT(keys); i++) {
        fence.request_id = f.next_request++;
        fence.key = text_of(keys[i]);
        CU_ASSERT_EQUAL(call(METHOD_NAMENODE_FENCE_OUTPUT, &fence), OK);
    }
    fence.epoch = 4;
    fence.request_id = f.next_request++;
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_FENCE_OUTPUT, &fence), ERR_FENCED);
    fence.key = text_of("a");
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_FENCE_OUTPUT, &fence), OK);
    fence.key = text_of("");
    fence.request_id = f.next_request++;
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_FENCE_OUTPUT, &fence), ERR_INVALID);
}

static const struct unit_test tests[] = {
    {"test_create__file_is_seen_but_installed_when_complete",
     "A created file is seen, and installed when it is complete.",                                                                test_create__file_is_seen_but_installed_when_complete          },
    {"test_create__tells_the_defaults",                                 "Create tells replication, block size and min_replicas.",
     test_create__tells_the_defaults                                                                                                                                                             },
    {"test_create__refuses_what_is_taken",
     "Create refuses existing files, directories and files being written.",                                                       test_create__refuses_what_is_taken                             },
    {"test_overwrite__replaces_at_complete_only",
     "An overwriting file replaces the older one when complete, not before.",                                                     test_overwrite__replaces_at_complete_only                      },
    {"test_overwrite__abandoned_leaves_the_older_file",
     "An abandoned overwrite leaves the older file.",                                                                             test_overwrite__abandoned_leaves_the_older_file                },
    {"test_overwrite__older_one_deleted_meanwhile_is_no_matter",
     "The older file may go while it is overwritten.",                                                                            test_overwrite__older_one_deleted_meanwhile_is_no_matter       },
    {"test_complete__length_must_match",                                "Complete wants the length of the sealed blocks, once.",
     test_complete__length_must_match                                                                                                                                                            },
    {"test_complete__drops_blocks_that_were_not_sealed",
     "Complete drops blocks that were not sealed.",                                                                               test_complete__drops_blocks_that_were_not_sealed               },
    {"test_writers__only_the_owner_and_his_client_write",
     "Only the owner and the client that created write.",                                                                         test_writers__only_the_owner_and_his_client_write              },
    {"test_add_block__repeated_names_the_same_block",
     "A repeated AddBlock names the same block and targets.",                                                                     test_add_block__repeated_names_the_same_block                  },
    {"test_add_block__abandoned_try_is_forgotten",
     "An abandoned try is forgotten, excluded nodes are avoided.",                                                                test_add_block__abandoned_try_is_forgotten                     },
    {"test_add_block__limits_hold",                                     "The limits on blocks hold.",                             test_add_block__limits_hold                                    },
    {"test_add_block__needs_min_replicas_nodes",
     "AddBlock needs min_replicas nodes and takes fewer than replication only then.",                                             test_add_block__needs_min_replicas_nodes                       },
    {"test_seal__wants_blocks_in_order",                                "Blocks are sealed in the order they were added.",
     test_seal__wants_blocks_in_order                                                                                                                                                            },
    {"test_seal__wants_min_replicas_of_its_targets",
     "A seal names min_replicas distinct targets and a length.",                                                                  test_seal__wants_min_replicas_of_its_targets                   },
    {"test_seal__repeated_is_fine_but_not_with_other_bytes",
     "A repeated seal is fine, but not with other bytes.",                                                                        test_seal__repeated_is_fine_but_not_with_other_bytes           },
    {"test_seal__a_target_that_stored_other_bytes_does_not_count",
     "A target that reported other bytes does not count.",                                                                        test_seal__a_target_that_stored_other_bytes_does_not_count     },
    {"test_seal__after_a_restart_reports_vouch_for_the_client",
     "A block named before a restart is sealed when datanodes reported it.",                                                      test_seal__after_a_restart_reports_vouch_for_the_client        },
    {"test_get_blocks__gives_the_asked_range_nearest_first",
     "GetBlocks gives the asked range, nearest replicas first.",                                                                  test_get_blocks__gives_the_asked_range_nearest_first           },
    {"test_lease__expired_files_end",                                   "Files of an expired lease vanish, older ones stay.",
     test_lease__expired_files_end                                                                                                                                                               },
    {"test_lease__renewed_lasts_on",                                    "A renewed lease lasts on.",                              test_lease__renewed_lasts_on                                   },
    {"test_lease__of_another_client_goes_on",                           "A lease ends alone.",
     test_lease__of_another_client_goes_on                                                                                                                                                       },
    {"test_lease__starts_anew_with_the_namenode_and_not_in_its_pauses",
     "A restart renews leases; a pause of the namenode does not count.",                                                          test_lease__starts_anew_with_the_namenode_and_not_in_its_pauses},
    {"test_delete__of_a_file_being_written_ends_it",                    "Deleting a file being written ends it.",
     test_delete__of_a_file_being_written_ends_it                                                                                                                                                },
    {"test_publish__installs_all_and_removes_the_staging",
     "A publish installs all in one step and removes the staging.",                                                               test_publish__installs_all_and_removes_the_staging             },
    {"test_publish__is_all_or_nothing",                                 "A publish with one bad entry changes nothing.",
     test_publish__is_all_or_nothing                                                                                                                                                             },
    {"test_publish__staging_may_not_hold_the_destination",
     "The staging directory may not hold the destination.",                                                                       test_publish__staging_may_not_hold_the_destination             },
    {"test_publish__older_epochs_are_fenced",
     "A publish or fence of an older epoch is refused, after a restart, too.",                                                    test_publish__older_epochs_are_fenced                          },
    {"test_publish__needs_the_right_to_move_and_to_make",
     "A publish needs the right to do what it does.",                                                                             test_publish__needs_the_right_to_move_and_to_make              },
    {"test_publish__file_still_written_is_not_taken",                   "A file still written is not published.",
     test_publish__file_still_written_is_not_taken                                                                                                                                               },
    {"test_fences__oldest_are_forgotten_beyond_the_limit",
     "The oldest fences are forgotten beyond the limit.",                                                                         test_fences__oldest_are_forgotten_beyond_the_limit             },
    {"test_complete__repeated_is_answered_again",
     "A repeated Complete is answered again, even after a delete.",                                                               test_complete__repeated_is_answered_again                      },
    {"test_abandon__only_by_its_writer",                                "Only the writer abandons a file.",
     test_abandon__only_by_its_writer                                                                                                                                                            },
    {"test_add_block__the_first_of_several_may_be_abandoned",
     "The first of several pending blocks may be abandoned.",                                                                     test_add_block__the_first_of_several_may_be_abandoned          },
    {"test_seal__another_files_block_is_refused",                       "Another file's block is refused.",
     test_seal__another_files_block_is_refused                                                                                                                                                   },
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "namenode write", tests, UNIT_COUNT(tests),
                     fixture_setup, fixture_teardown);
}
