/*
 * test_namenode_attributes.c - groups, the sticky bit, times, replication, quotas.
 */
#include <stdio.h>
#include <string.h>

#include "tests/unit/namenode/fixture.h"

/* --- calls --------------------------------------------------------------------------- */

static enum status chmod_to(const char *path, uint32_t permission)
{
    struct dfs_set_permission_request request = {.client_id = f.client,
                                                 .request_id = f.next_request++,
                                                 .path = text_of(path),
                                                 .permission = permission};
    return call(METHOD_NAMENODE_SET_PERMISSION, &request);
}

static enum status chown_to(const char *path, const char *owner, const char *group)
{
    struct dfs_set_owner_request request = {.client_id = f.client,
                                            .request_id = f.next_request++,
                                            .path = text_of(path),
                                            .owner = text_of(owner),
                                            .group = text_of(group)};
    return call(METHOD_NAMENODE_SET_OWNER, &request);
}

static enum status set_replication(const char *path, uint32_t replication)
{
    struct dfs_set_replication_request request = {.client_id = f.client,
                                                  .request_id = f.next_request++,
                                                  .path = text_of(path),
                                                  .replication = replication};
    return call(METHOD_NAMENODE_SET_REPLICATION, &request);
}

static enum status set_quota(const char *path, uint64_t names, uint64_t bytes)
{
    struct dfs_set_quota_request request = {.client_id = f.client,
                                            .request_id = f.next_request++,
                                            .path = text_of(path),
                                            .set_names = true,
                                            .names = names,
                                            .set_bytes = true,
                                            .bytes = bytes};
    return call(METHOD_NAMENODE_SET_QUOTA, &request);
}

static struct dfs_content_summary_response summary_of(const char *path)
{
    struct dfs_content_summary_request request = {.path = text_of(path)};
    struct dfs_content_summary_response none = {0};
    if (call(METHOD_NAMENODE_CONTENT_SUMMARY, &request) != OK) {
        CU_FAIL("no summary");
        return none;
    }
    return *(const struct dfs_content_summary_response *)f.response;
}

static struct dfs_file_status status_of(const char *path)
{
    struct dfs_file_status status = {0};
    CU_ASSERT_EQUAL(do_status(path, &status), OK);
    return status;
}

/* From now on calls are user's, who is in group (NULL: nothing is known). */
static void given_user(const char *user, const char *group)
{
    static struct slice groups[1];
    groups[0] = text_of(group == NULL ? "" : group);
    f.user = user;
    f.groups = groups;
    f.groups_count = group == NULL ? 0 : 1;
}

static void given_superuser(void)
{
    given_user("root", NULL);
}

static void given_owned(const char *path, const char *owner, const char *group, uint32_t permission)
{
    given_superuser();
    given_directory(path);
    CU_ASSERT_EQUAL(chown_to(path, owner, group), OK);
    CU_ASSERT_EQUAL(chmod_to(path, permission), OK);
}

/* --- groups -------------------------------------------------------------------------- */

static void test_groups__members_have_the_groups_bits(void)
{
    given_owned("/shared", "alice", "team", 0770);
    given_user("bob", "team");
    CU_ASSERT_EQUAL(do_mkdirs("/shared/bob", 0, false), OK);
    given_user("carol", "others");
    CU_ASSERT_EQUAL(do_mkdirs("/shared/carol", 0, false), ERR_DENIED);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.text, "carol lacks x on /shared (alice:team 0770)"));
    given_user("carol", NULL);
    CU_ASSERT_EQUAL(do_mkdirs("/shared/carol", 0, false), ERR_DENIED);
}

static void test_groups__who_has_groups_is_not_in_the_one_of_his_name(void)
{
    given_owned("/staff", "alice", "staff", 0770);
    given_user("staff", NULL);
    CU_ASSERT_EQUAL(do_mkdirs("/staff/a", 0, false), OK);
    given_user("staff", "users");
    CU_ASSERT_EQUAL(do_mkdirs("/staff/b", 0, false), ERR_DENIED);
}

static void test_groups__members_of_the_supergroup_may_everything(void)
{
    given_owned("/alice", "alice", "alice", 0700);
    given_user("bob", "supergroup");
    CU_ASSERT_EQUAL(do_mkdirs("/alice/dir", 0, false), OK);
    CU_ASSERT_EQUAL(chown_to("/alice", "bob", "bob"), OK);
    CU_ASSERT_EQUAL(set_quota("/alice", 10, 0), OK);
    given_user("carol", "team");
    CU_ASSERT_EQUAL(do_mkdirs("/alice/other", 0, false), ERR_DENIED);
}

static void test_groups__what_is_created_gets_the_directorys(void)
{
    given_nodes(3);
    given_owned("/shared", "alice", "team", 0777);
    given_user("bob", "users");
    CU_ASSERT_EQUAL(do_mkdirs("/shared/a/b", 0, true), OK);
    (void)given_file("/shared/file", 1, 0);
    CU_ASSERT_TRUE(slice_equal_string(status_of("/shared/a/b").group, "team"));
    CU_ASSERT_TRUE(slice_equal_string(status_of("/shared/file").group, "team"));
    CU_ASSERT_TRUE(slice_equal_string(status_of("/shared/file").owner, "bob"));
}

static void test_groups__owners_give_files_to_their_own_groups_only(void)
{
    given_owned("/alice", "alice", "users", 0755);
    given_user("alice", "team");
    CU_ASSERT_EQUAL(chown_to("/alice", "", "wheel"), ERR_DENIED);
    CU_ASSERT_STRING_EQUAL(f.text, "alice is not in group wheel");
    CU_ASSERT_EQUAL(chown_to("/alice", "bob", ""), ERR_DENIED);
    CU_ASSERT_EQUAL(chown_to("/alice", "alice", "users"), OK); /* as it is */
    CU_ASSERT_EQUAL(chown_to("/alice", "", "team"), OK);
    given_user("bob", "team");
    CU_ASSERT_EQUAL(chown_to("/alice", "", "team"), ERR_DENIED);
}

static void test_sticky__overwriting_is_for_owners(void)
{
    uint64_t id = 0;
    given_nodes(3);
    given_owned("/tmp", "root", "users", 01777);
    given_user("alice", "users");
    (void)given_file("/tmp/file", 1, 0);
    CU_ASSERT_EQUAL(chmod_to("/tmp/file", 0666), OK);
    given_user("bob", "users");
    CU_ASSERT_EQUAL(do_create("/tmp/file", true, 0, &id), ERR_DENIED);
    CU_ASSERT_EQUAL(do_rename("/tmp/file", "/tmp/mine"), ERR_DENIED);
    CU_ASSERT_EQUAL(do_delete("/tmp/file", false), ERR_DENIED);
    given_user("alice", "users");
    CU_ASSERT_EQUAL(do_create("/tmp/file", true, 0, &id), OK);
}

/* --- times --------------------------------------------------------------------------- */

static void test_times__are_set_alone_and_together(void)
{
    given_nodes(3);
    (void)given_file("/file", 1, 0);
    uint64_t accessed_ms = status_of("/file").accessed_ms;
    CU_ASSERT_EQUAL(accessed_ms, (uint64_t)f.wall_ms);
    struct dfs_set_times_request request = {.client_id = f.client,
                                            .request_id = f.next_request++,
                                            .path = text_of("/file"),
                                            .set_modified = true,
                                            .modified_ms = 5};
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_SET_TIMES, &request), OK);
    CU_ASSERT_EQUAL(status_of("/file").modified_ms, 5);
    CU_ASSERT_EQUAL(status_of("/file").accessed_ms, accessed_ms);
    request = (struct dfs_set_times_request){.client_id = f.client,
                                             .request_id = f.next_request++,
                                             .path = text_of("/"),
                                             .set_modified = true,
                                             .modified_ms = 7,
                                             .set_accessed = true,
                                             .accessed_ms = 8};
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_SET_TIMES, &request), OK);
    given_user("bob", NULL);
    request.request_id = f.next_request++;
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_SET_TIMES, &request), ERR_DENIED);
    when_restarted();
    CU_ASSERT_EQUAL(status_of("/").modified_ms, 7);
    CU_ASSERT_EQUAL(status_of("/").accessed_ms, 8);
}

static void test_times__reading_is_noted_once_per_precision(void)
{
    struct dfs_get_blocks_response blocks;
    given_nodes(3);
    (void)given_file("/file", 1, 0);
    uint64_t written_ms = status_of("/file").accessed_ms;
    when_ms_pass(f.settings.access_time_precision_ms - 1);
    CU_ASSERT_EQUAL(do_blocks("/file", "", &blocks), OK);
    CU_ASSERT_EQUAL(status_of("/file").accessed_ms, written_ms);
    when_ms_pass(1);
    size_t records = f.record_count;
    CU_ASSERT_EQUAL(do_blocks("/file", "", &blocks), OK);
    CU_ASSERT_EQUAL(do_blocks("/file", "", &blocks), OK);
    CU_ASSERT_EQUAL(f.record_count, records); /* nobody waits for it */
    when_ms_pass(1000);
    uint64_t noted_ms = (uint64_t)f.wall_ms;
    CU_ASSERT_EQUAL(f.record_count, records + 1);
    CU_ASSERT_EQUAL(do_blocks("/file", "", &blocks), OK);
    when_ms_pass(1000);
    CU_ASSERT_EQUAL(f.record_count, records + 1);
    CU_ASSERT_EQUAL(status_of("/file").accessed_ms, noted_ms);
    CU_ASSERT_EQUAL(status_of("/file").modified_ms, written_ms);
    f.replay_every = 0; /* results forgotten by the later clock would be remembered again */
    f.wall_ms -= 2 * f.settings.access_time_precision_ms; /* a clock that goes back */
    CU_ASSERT_EQUAL(do_blocks("/file", "", &blocks), OK);
    when_ms_pass(1000);
    CU_ASSERT_EQUAL(f.record_count, records + 1);
}

static void test_times__reading_a_file_that_is_gone_then_is_forgotten(void)
{
    struct dfs_get_blocks_response blocks;
    given_nodes(3);
    (void)given_file("/file", 1, 0);
    when_ms_pass(f.settings.access_time_precision_ms);
    CU_ASSERT_EQUAL(do_blocks("/file", "", &blocks), OK);
    CU_ASSERT_EQUAL(do_delete("/file", false), OK);
    size_t records = f.record_count;
    when_ms_pass(1000);
    CU_ASSERT_EQUAL(f.record_count, records);
}

static void test_times__reading_leaves_no_trace_with_precision_0(void)
{
    struct dfs_get_blocks_response blocks;
    f.settings.access_time_precision_ms = 0;
    given_nodes(3);
    (void)given_file("/file", 1, 0);
    uint64_t written_ms = status_of("/file").accessed_ms;
    when_ms_pass(90000000);
    CU_ASSERT_EQUAL(do_blocks("/file", "", &blocks), OK);
    CU_ASSERT_EQUAL(status_of("/file").accessed_ms, written_ms);
}

static void test_times__directories_change_with_their_names(void)
{
    given_directory("/a");
    given_directory("/b");
    when_ms_pass(1000);
    given_directory("/a/x");
    uint64_t made_ms = (uint64_t)f.wall_ms;
    CU_ASSERT_EQUAL(status_of("/a").modified_ms, made_ms);
    when_ms_pass(1000);
    CU_ASSERT_EQUAL(do_rename("/a/x", "/b"), OK);
    CU_ASSERT_EQUAL(status_of("/a").modified_ms, made_ms + 1000);
    CU_ASSERT_EQUAL(status_of("/b").modified_ms, made_ms + 1000);
    CU_ASSERT_EQUAL(status_of("/b/x").modified_ms, made_ms);
}

/* --- replication --------------------------------------------------------------------- */

static void test_replication__copies_are_made_and_removed(void)
{
    given_nodes(4);
    given_repairing();
    (void)given_file("/file", 2, 2);
    CU_ASSERT_EQUAL(set_replication("/file", 4), OK);
    when_ms_pass(60000);
    CU_ASSERT_EQUAL(count_readable("/file", 0), 4);
    CU_ASSERT_EQUAL(count_readable("/file", 1), 4);
    CU_ASSERT_EQUAL(set_replication("/file", 1), OK);
    when_ms_pass(60000);
    CU_ASSERT_EQUAL(count_readable("/file", 0), 1);
    CU_ASSERT_EQUAL(count_readable("/file", 1), 1);
    when_restarted();
    CU_ASSERT_EQUAL(status_of("/file").replication, 1);
}

static void test_replication__a_silent_nodes_surplus_is_removed_when_it_is_heard(void)
{
    given_nodes(3);
    given_repairing();
    (void)given_file("/file", 1, 3);
    node_die(&f.nodes[2]);
    node_die(&f.nodes[1]);
    when_ms_pass(f.settings.stale_ms + 1);
    CU_ASSERT_EQUAL(set_replication("/file", 2), OK);
    when_ms_pass(2000);
    CU_ASSERT_EQUAL(count_readable("/file", 0), 3); /* they may be lost already */
    for (size_t i = 1; i < 3; i++) {
        f.nodes[i].is_alive = true;
        node_beat(&f.nodes[i]);
    }
    when_ms_pass(2000);
    CU_ASSERT_EQUAL(count_readable("/file", 0), 2);
}

static void test_replication__bad_numbers_and_directories_are_refused(void)
{
    f.settings.replication_max = 5;
    given_nodes(3);
    given_directory("/dir");
    (void)given_file("/file", 1, 0);
    CU_ASSERT_EQUAL(set_replication("/file", 0), ERR_INVALID);
    CU_ASSERT_EQUAL(set_replication("/file", 6), ERR_INVALID);
    CU_ASSERT_STRING_EQUAL(f.text, "replication is 1 to 5, not 6");
    CU_ASSERT_EQUAL(set_replication("/dir", 2), ERR_IS_DIRECTORY);
    CU_ASSERT_EQUAL(set_replication("/none", 2), ERR_NOT_FOUND);
    given_user("bob", NULL);
    CU_ASSERT_EQUAL(set_replication("/file", 2), ERR_DENIED);
}

/* --- quotas -------------------------------------------------------------------------- */

static void test_quota__is_for_superusers_and_directories(void)
{
    given_nodes(3);
    given_owned("/alice", "alice", "alice", 0755);
    (void)given_file("/file", 1, 0);
    CU_ASSERT_EQUAL(set_quota("/file", 1, 1), ERR_NOT_DIRECTORY);
    CU_ASSERT_EQUAL(set_quota("/alice", UINT64_MAX, 0), ERR_INVALID);
    given_user("alice", NULL);
    CU_ASSERT_EQUAL(set_quota("/alice", 10, 0), ERR_DENIED);
}

static void test_quota__of_names_stops_what_would_grow_beyond(void)
{
    uint64_t id = 0;
    given_nodes(3);
    given_directory("/d");
    CU_ASSERT_EQUAL(set_quota("/d", 3, 0), OK);
    given_directory("/d/a");
    CU_ASSERT_EQUAL(do_mkdirs("/d/b/c", 0, true), ERR_QUOTA);
    CU_ASSERT_STRING_EQUAL(f.text,
                           "the quota of names on /d is 3: 2 are used, 2 more are asked for");
    CU_ASSERT_EQUAL(do_status("/d/b", NULL), ERR_NOT_FOUND);
    (void)given_file("/d/file", 0, 0);
    CU_ASSERT_EQUAL(do_create("/d/more", false, 0, &id), ERR_QUOTA);
    CU_ASSERT_EQUAL(do_create("/d/file", true, 0, &id), OK); /* no name is added */
    CU_ASSERT_EQUAL(do_complete(id, 0), OK);
    (void)given_file("/outside", 0, 0);
    CU_ASSERT_EQUAL(do_rename("/outside", "/d"), ERR_QUOTA);
    CU_ASSERT_EQUAL(do_rename("/d/file", "/d/a/file"), OK); /* it was in it before */
    CU_ASSERT_EQUAL(do_delete("/d/a", true), OK);
    CU_ASSERT_EQUAL(do_rename("/outside", "/d"), OK);
    CU_ASSERT_EQUAL(summary_of("/d").name_quota, 3);
    CU_ASSERT_EQUAL(set_quota("/d", 0, 0), OK);
    given_directory("/d/1/2/3");
}

static void test_quota__of_bytes_counts_every_replica_and_pending_blocks(void)
{
    uint64_t id = 0;
    uint64_t block_id = 0;
    struct dfs_add_block_response block;
    given_nodes(3);
    given_directory("/d");
    CU_ASSERT_EQUAL(set_quota("/d", 0, 5 * BLOCK_SIZE), OK);
    (void)given_file("/d/a", 1, 3);
    CU_ASSERT_EQUAL(do_create("/d/b", false, 2, &id), OK);
    CU_ASSERT_EQUAL(do_add_block(id, "h1", &block), OK); /* 3 + 2: full */
    CU_ASSERT_EQUAL(summary_of("/d").space_consumed, 5 * BLOCK_SIZE);
    struct dfs_add_block_response other;
    CU_ASSERT_EQUAL(do_add_block(id, "h1", &other), ERR_QUOTA);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.text, "the quota of bytes on /d is 5000: 5000 are used"));
    CU_ASSERT_EQUAL(do_seal(id, &block, 100, 2), OK); /* shorter than was asked for */
    CU_ASSERT_EQUAL(summary_of("/d").space_consumed, 3 * BLOCK_SIZE + 200);
    CU_ASSERT_EQUAL(do_write_block(id, 10, &block_id), ERR_QUOTA);
    CU_ASSERT_EQUAL(do_complete(id, 100), OK);
    CU_ASSERT_EQUAL(do_delete("/d/a", false), OK);
    CU_ASSERT_EQUAL(summary_of("/d").space_consumed, 200);
}

static void test_quota__of_bytes_limits_replication_and_moves(void)
{
    given_nodes(3);
    given_directory("/d");
    given_directory("/e");
    (void)given_file("/d/a", 1, 1);
    CU_ASSERT_EQUAL(set_quota("/d", 0, 2 * BLOCK_SIZE), OK);
    CU_ASSERT_EQUAL(set_replication("/d/a", 3), ERR_QUOTA);
    CU_ASSERT_EQUAL(status_of("/d/a").replication, 1);
    CU_ASSERT_EQUAL(set_replication("/d/a", 2), OK);
    (void)given_file("/e/b", 1, 1);
    CU_ASSERT_EQUAL(do_rename("/e", "/d"), ERR_QUOTA);
    CU_ASSERT_EQUAL(set_replication("/d/a", 1), OK);
    CU_ASSERT_EQUAL(do_rename("/e", "/d"), OK);
    CU_ASSERT_EQUAL(summary_of("/d").space_consumed, 2 * BLOCK_SIZE);
}

static void test_quota__below_what_is_used_only_stops_growth(void)
{
    given_directory("/d/a/b");
    CU_ASSERT_EQUAL(set_quota("/d", 2, 0), OK);
    CU_ASSERT_EQUAL(do_mkdirs("/d/c", 0, false), ERR_QUOTA);
    CU_ASSERT_EQUAL(do_rename("/d/a/b", "/d/b"), OK);
    CU_ASSERT_EQUAL(do_delete("/d/b", false), OK);
    CU_ASSERT_EQUAL(do_mkdirs("/d/c", 0, false), ERR_QUOTA);
    CU_ASSERT_EQUAL(do_delete("/d/a", false), OK);
    CU_ASSERT_EQUAL(do_mkdirs("/d/c", 0, false), OK);
}

static void test_quota__nested_ones_are_all_asked(void)
{
    given_directory("/d/e");
    given_directory("/x");
    CU_ASSERT_EQUAL(set_quota("/d", 4, 0), OK);
    CU_ASSERT_EQUAL(set_quota("/d/e", 10, 0), OK);
    given_directory("/d/e/1");
    given_directory("/d/e/2");
    CU_ASSERT_EQUAL(do_mkdirs("/d/e/3", 0, false), ERR_QUOTA);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.text, "on /d is 4"));
    CU_ASSERT_EQUAL(do_rename("/d/e", "/x"), OK); /* with its own quota */
    given_directory("/x/e/3");
    when_restarted();
    CU_ASSERT_EQUAL(do_rename("/x/e", "/d"), ERR_QUOTA);
    CU_ASSERT_EQUAL(summary_of("/x/e").name_quota, 10);
    CU_ASSERT_EQUAL(do_delete("/x", true), OK);
}

static void test_quota__blocks_of_before_a_restart_are_asked_for_again(void)
{
    uint64_t id = 0;
    struct dfs_add_block_response block;
    given_nodes(3);
    given_directory("/d");
    CU_ASSERT_EQUAL(set_quota("/d", 0, 3 * BLOCK_SIZE), OK);
    CU_ASSERT_EQUAL(do_create("/d/a", false, 3, &id), OK);
    CU_ASSERT_EQUAL(do_add_block(id, "h1", &block), OK);
    for (size_t i = 0; i < 3; i++) {
        node_received(&f.nodes[i], &(struct dfs_block_info){.block_id = block.block_id,
                                                            .length = BLOCK_SIZE,
                                                            .crc32c = (uint32_t)block.block_id});
    }
    when_restarted(); /* it forgets the pending block */
    for (size_t i = 0; i < 3; i++) {
        node_register(&f.nodes[i]);
        node_report(&f.nodes[i]);
        node_beat(&f.nodes[i]);
    }
    (void)given_file("/other", 1, 1);
    CU_ASSERT_EQUAL(do_rename("/other", "/d"), OK);
    CU_ASSERT_EQUAL(do_seal(id, &block, BLOCK_SIZE, 3), ERR_QUOTA);
    CU_ASSERT_EQUAL(do_delete("/d/other", false), OK);
    CU_ASSERT_EQUAL(do_seal(id, &block, BLOCK_SIZE, 3), OK);
    CU_ASSERT_EQUAL(do_complete(id, BLOCK_SIZE), OK);
}

static void test_quota__a_published_output_is_asked_for_as_a_whole(void)
{
    given_nodes(3);
    given_directory("/in");
    given_directory("/d/staging");
    uint64_t inside = given_file("/d/staging/1", 1, 1);
    uint64_t outside = given_file("/in/2", 1, 1);
    const struct dfs_publish_entry entries[] = {
        {.source = text_of("/d/staging/1"),
         .file_id = inside,
         .length = BLOCK_SIZE,
         .name = text_of("part-1")},
        {.source = text_of("/in/2"),
         .file_id = outside,
         .length = BLOCK_SIZE,
         .name = text_of("part-2")},
    };
    struct dfs_publish_output_request request = {.client_id = f.client,
                                                 .request_id = f.next_request++,
                                                 .key = text_of("app"),
                                                 .epoch = 1,
                                                 .destination = text_of("/d/out"),
                                                 .entries = entries,
                                                 .entries_count = 2,
                                                 .write_success = true,
                                                 .staging = text_of("/d/staging")};
    /* /d, out, part-1, part-2, _SUCCESS, while staging goes. */
    CU_ASSERT_EQUAL(set_quota("/d", 4, 0), OK);
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_PUBLISH_OUTPUT, &request), ERR_QUOTA);
    CU_ASSERT_EQUAL(set_quota("/d", 5, 2 * BLOCK_SIZE - 1), OK);
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_PUBLISH_OUTPUT, &request), ERR_QUOTA);
    CU_ASSERT_EQUAL(do_status("/d/staging/1", NULL), OK);
    CU_ASSERT_EQUAL(set_quota("/d", 5, 2 * BLOCK_SIZE), OK);
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_PUBLISH_OUTPUT, &request), OK);
    CU_ASSERT_STRING_EQUAL(names_in("/d/out"), "_SUCCESS part-1 part-2");
}

static void test_defaults__are_the_settings(void)
{
    struct dfs_get_server_defaults_request request = {0};
    f.settings.replication = 1;
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_GET_SERVER_DEFAULTS, &request), OK);
    const struct dfs_get_server_defaults_response *defaults = f.response;
    CU_ASSERT_EQUAL(defaults->block_size, BLOCK_SIZE);
    CU_ASSERT_EQUAL(defaults->replication, 1);
    CU_ASSERT_EQUAL(defaults->min_replicas, 1);
    CU_ASSERT_EQUAL(defaults->permission_mask, 022);
    CU_ASSERT_TRUE(slice_equal_string(defaults->supergroup, "supergroup"));
}

/* clang-format off */
static const struct unit_test tests[] = {
    {"test_groups__members_have_the_groups_bits", "Members of a file's group have its group bits.",
     test_groups__members_have_the_groups_bits},
    {"test_groups__who_has_groups_is_not_in_the_one_of_his_name",
     "A user whose groups are known is in no other.",
     test_groups__who_has_groups_is_not_in_the_one_of_his_name},
    {"test_groups__members_of_the_supergroup_may_everything",
     "Members of the supergroup are superusers.",
     test_groups__members_of_the_supergroup_may_everything},
    {"test_groups__what_is_created_gets_the_directorys",
     "What is created gets its directory's group.",
     test_groups__what_is_created_gets_the_directorys},
    {"test_groups__owners_give_files_to_their_own_groups_only",
     "An owner gives files to groups that he is in.",
     test_groups__owners_give_files_to_their_own_groups_only},
    {"test_sticky__overwriting_is_for_owners", "The sticky bit guards against overwriting, too.",
     test_sticky__overwriting_is_for_owners},
    {"test_times__are_set_alone_and_together", "Times are set, each alone or both.",
     test_times__are_set_alone_and_together},
    {"test_times__reading_is_noted_once_per_precision",
     "Reading moves the access time once per precision, with one record.",
     test_times__reading_is_noted_once_per_precision},
    {"test_times__reading_a_file_that_is_gone_then_is_forgotten",
     "The access of a file that is deleted at once is forgotten.",
     test_times__reading_a_file_that_is_gone_then_is_forgotten},
    {"test_times__reading_leaves_no_trace_with_precision_0",
     "With precision 0 reading leaves no trace.",
     test_times__reading_leaves_no_trace_with_precision_0},
    {"test_times__directories_change_with_their_names",
     "A directory's time is that of its last change of names.",
     test_times__directories_change_with_their_names},
    {"test_replication__copies_are_made_and_removed",
     "Another replication makes copies and removes some.",
     test_replication__copies_are_made_and_removed},
    {"test_replication__a_silent_nodes_surplus_is_removed_when_it_is_heard",
     "A replica too many on a silent node is removed when the node is heard.",
     test_replication__a_silent_nodes_surplus_is_removed_when_it_is_heard},
    {"test_replication__bad_numbers_and_directories_are_refused",
     "A replication out of range is refused, and one for a directory.",
     test_replication__bad_numbers_and_directories_are_refused},
    {"test_quota__is_for_superusers_and_directories",
     "Quotas are set by superusers on directories.",
     test_quota__is_for_superusers_and_directories},
    {"test_quota__of_names_stops_what_would_grow_beyond",
     "A quota of names stops what would grow a directory beyond it.",
     test_quota__of_names_stops_what_would_grow_beyond},
    {"test_quota__of_bytes_counts_every_replica_and_pending_blocks",
     "A quota of bytes counts every replica and blocks under way.",
     test_quota__of_bytes_counts_every_replica_and_pending_blocks},
    {"test_quota__of_bytes_limits_replication_and_moves",
     "A quota of bytes limits replication and what is moved in.",
     test_quota__of_bytes_limits_replication_and_moves},
    {"test_quota__below_what_is_used_only_stops_growth",
     "A quota below what is used stops growth and nothing else.",
     test_quota__below_what_is_used_only_stops_growth},
    {"test_quota__nested_ones_are_all_asked", "All quotas above are asked, moved ones too.",
     test_quota__nested_ones_are_all_asked},
    {"test_quota__blocks_of_before_a_restart_are_asked_for_again",
     "A block added before a restart must fit when it is sealed.",
     test_quota__blocks_of_before_a_restart_are_asked_for_again},
    {"test_quota__a_published_output_is_asked_for_as_a_whole",
     "Publishing asks for the whole output, less the staging it removes.",
     test_quota__a_published_output_is_asked_for_as_a_whole},
    {"test_defaults__are_the_settings", "The defaults told to clients are the settings.",
     test_defaults__are_the_settings},
};

/* clang-format on */

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "namenode attributes", tests, UNIT_COUNT(tests),
                     fixture_setup, fixture_teardown);
}
