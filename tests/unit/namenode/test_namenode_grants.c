/*
 * test_namenode_grants.c - who gets a token of which block: whoever may read or write it, for
 * himself. Tokens of copies and merges are checked wherever the fixture's datanodes get them.
 */
#include "tests/unit/namenode/fixture.h"

static void expect_read_tokens(const char *user, size_t count)
{
    struct dfs_get_blocks_response blocks = {0};
    f.user = user;
    CU_ASSERT_EQUAL_FATAL(do_blocks("/f", "", &blocks), OK);
    CU_ASSERT_EQUAL_FATAL(blocks.blocks_count, count);
    for (size_t i = 0; i < count; i++) {
        expect_token(blocks.blocks[i].token, blocks.blocks[i].block_id, BLOCK_READ, user);
    }
}

static void test_grants__reader_gets_a_token_of_each_block_for_himself(void)
{
    given_nodes(3);
    (void)given_file("/f", 3, 3);
    expect_read_tokens("alice", 3);
    expect_read_tokens("bob", 3);
    f.wall_ms += 12345; /* it begins when it is given */
    expect_read_tokens("alice", 3);
}

static void test_grants__who_may_not_read_gets_none(void)
{
    given_nodes(3);
    (void)given_file("/f", 1, 3);
    struct dfs_set_permission_request request = {.client_id = f.client,
                                                 .request_id = f.next_request++,
                                                 .path = text_of("/f"),
                                                 .permission = 0600};
    CU_ASSERT_EQUAL_FATAL(call(METHOD_NAMENODE_SET_PERMISSION, &request), OK);
    struct dfs_get_blocks_response blocks = {0};
    f.user = "bob";
    CU_ASSERT_EQUAL(do_blocks("/f", "", &blocks), ERR_DENIED);
    CU_ASSERT_PTR_NULL(blocks.blocks);
}

static void test_grants__writer_gets_a_token_of_the_block_he_adds(void)
{
    given_nodes(3);
    uint64_t file_id = 0;
    CU_ASSERT_EQUAL_FATAL(do_create("/f", 3, false, &file_id), OK);
    struct dfs_add_block_request request = {.client_id = f.client,
                                            .request_id = f.next_request++,
                                            .file_id = file_id,
                                            .length = BLOCK_SIZE};
    /* Asked again, the block is the same, and its token is of now. */
    for (int i = 0; i < 2; i++) {
        CU_ASSERT_EQUAL_FATAL(call(METHOD_NAMENODE_ADD_BLOCK, &request), OK);
        const struct dfs_add_block_response *block = f.response;
        expect_token(block->token, block->block_id, BLOCK_WRITE, f.user);
        f.wall_ms += 1000;
    }
}

static const struct unit_test tests[] = {
    {"test_grants__reader_gets_a_token_of_each_block_for_himself",
     "A reader gets a token of each block, for himself and from now.",                                test_grants__reader_gets_a_token_of_each_block_for_himself},
    {"test_grants__who_may_not_read_gets_none",                    "Who may not read gets no token.",
     test_grants__who_may_not_read_gets_none                                                                                                                    },
    {"test_grants__writer_gets_a_token_of_the_block_he_adds",
     "A writer gets a token of the block that he adds.",                                              test_grants__writer_gets_a_token_of_the_block_he_adds     },
};

int main(int argc, char **argv)
{
    return unit_main(argc, argv, "namenode grants", tests, UNIT_COUNT(tests), fixture_setup,
                     fixture_teardown);
}
