/*
 * test_namenode_durability.c - what an acknowledged block of a file means is remembered while the
 * file is written, and told with each of its blocks.
 */
#include "tests/unit/namenode/fixture.h"

static uint64_t given_created(const char *path, enum dfs_durability durability)
{
    struct dfs_create_request request = {.client_id = f.client,
                                         .request_id = ++f.next_request,
                                         .path = slice_from_string(path),
                                         .durability = durability};
    CU_ASSERT_EQUAL_FATAL(call(METHOD_NAMENODE_CREATE, &request), OK);
    return ((const struct dfs_create_response *)f.response)->file_id;
}

static void expect_durability(uint64_t file_id, enum dfs_durability durability)
{
    struct dfs_add_block_response block = {0};
    CU_ASSERT_EQUAL_FATAL(do_add_block(file_id, "h1", &block), OK);
    CU_ASSERT_EQUAL(block.durability, durability);
}

static void test_durability__every_block_is_as_the_file_was_created(void)
{
    given_nodes(3);
    expect_durability(given_created("/safe", DURABILITY_SYNCED), DURABILITY_SYNCED);
    uint64_t file_id = given_created("/fast", DURABILITY_REPLICATED);
    expect_durability(file_id, DURABILITY_REPLICATED);
    expect_durability(file_id, DURABILITY_REPLICATED);
}

static void test_durability__is_remembered_over_a_restart(void)
{
    given_nodes(3);
    uint64_t file_id = given_created("/fast", DURABILITY_REPLICATED);
    when_restarted();
    for (size_t i = 0; i < f.node_count; i++) {
        node_register(&f.nodes[i]);
        node_report(&f.nodes[i]);
        node_beat(&f.nodes[i]);
    }
    expect_durability(file_id, DURABILITY_REPLICATED);
}

/* Whatever the file was created with; and remembered like that. */
static void test_durability__of_an_append_is_its_own(void)
{
    given_nodes(3);
    (void)given_file("/file", 1, 3);
    struct dfs_append_request request = {.client_id = f.client,
                                         .request_id = ++f.next_request,
                                         .path = slice_from_string("/file"),
                                         .durability = DURABILITY_REPLICATED};
    CU_ASSERT_EQUAL_FATAL(call(METHOD_NAMENODE_APPEND, &request), OK);
    uint64_t file_id = ((const struct dfs_append_response *)f.response)->file_id;
    expect_durability(file_id, DURABILITY_REPLICATED);
    EXPECT_REPLAY_EQUAL();
}

static void test_durability__unknown_one_is_refused(void)
{
    given_nodes(3);
    struct dfs_create_request request = {.client_id = f.client,
                                         .request_id = ++f.next_request,
                                         .path = slice_from_string("/odd"),
                                         .durability = (enum dfs_durability)7};
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_CREATE, &request), ERR_INVALID);
    (void)given_file("/file", 1, 3);
    struct dfs_append_request append = {.client_id = f.client,
                                        .request_id = ++f.next_request,
                                        .path = slice_from_string("/file"),
                                        .durability = (enum dfs_durability)7};
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_APPEND, &append), ERR_INVALID);
}

static const struct unit_test tests[] = {
    {"test_durability__every_block_is_as_the_file_was_created",
     "Every block is as the file was created.",                                                     test_durability__every_block_is_as_the_file_was_created},
    {"test_durability__is_remembered_over_a_restart",           "It is remembered over a restart.",
     test_durability__is_remembered_over_a_restart                                                                                                         },
    {"test_durability__of_an_append_is_its_own",                "That of an append is its own.",
     test_durability__of_an_append_is_its_own                                                                                                              },
    {"test_durability__unknown_one_is_refused",                 "An unknown one is refused.",
     test_durability__unknown_one_is_refused                                                                                                               },
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "namenode durability", tests, UNIT_COUNT(tests),
                     fixture_setup, fixture_teardown);
}
