/*
 * test_namenode_tree.c - names, permissions, owners, remembered results, format and restart.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/namenode/fixture.h"

static void test_tables__are_sound(void)
{
    size_t row = 0;
    for (size_t i = 0; namenode_table(i) != NULL; i++) {
        CU_ASSERT_TRUE(transition_table_is_sound(namenode_table(i), &row));
    }
}

/* Given MILLRACE_DRAW, the drawings are written anew. */
static void test_tables__are_drawn_as_in_docs(void)
{
    const char *root = getenv("MILLRACE_SOURCE_DIR");
    for (size_t i = 0; namenode_table(i) != NULL; i++) {
        char path[512];
        struct buf drawn = {0};
        static char file[16384];
        snprintf(path, sizeof(path), "%s/docs/states/%s.dot", root == NULL ? "." : root,
                 namenode_table(i)->name);
        CU_ASSERT_EQUAL(transition_draw(namenode_table(i), &drawn), OK);
        FILE *stream = fopen(path, getenv("MILLRACE_DRAW") == NULL ? "r" : "w+");
        CU_ASSERT_PTR_NOT_NULL_FATAL(stream);
        if (getenv("MILLRACE_DRAW") != NULL) {
            CU_ASSERT_EQUAL(fwrite(drawn.data, 1, drawn.length, stream), drawn.length);
            rewind(stream);
        }
        size_t length = fread(file, 1, sizeof(file) - 1, stream);
        fclose(stream);
        file[length] = '\0';
        CU_ASSERT_STRING_EQUAL(file, buf_string(&drawn));
        buf_close(&drawn);
    }
}

static void test_settings__out_of_range_are_refused(void)
{
    struct namenode *nn = NULL;
    struct namenode_settings settings = f.settings;
    settings.lost_ms = settings.stale_ms;
    CU_ASSERT_EQUAL(namenode_open(&settings, 1, &nn), ERR_INVALID);
    settings = f.settings;
    settings.replication = 0;
    CU_ASSERT_EQUAL(namenode_open(&settings, 1, &nn), ERR_INVALID);
    settings = f.settings;
    settings.superuser = text_of("");
    CU_ASSERT_EQUAL(namenode_open(&settings, 1, &nn), ERR_INVALID);
    CU_ASSERT_PTR_NULL(nn);
    namenode_close(nn);
}

static void test_start__a_new_cluster_gets_an_id_and_a_root(void)
{
    struct dfs_file_status status;
    given_started();
    CU_ASSERT_EQUAL(do_status("/", &status), OK);
    CU_ASSERT_EQUAL(status.kind, FILE_DIRECTORY);
    CU_ASSERT_TRUE(slice_equal_string(status.path, "/"));
    CU_ASSERT_TRUE(slice_equal_string(status.owner, "root"));
    CU_ASSERT_TRUE(slice_equal_string(status.group, "supergroup"));
    CU_ASSERT_EQUAL(status.permission, 0755);
    uint64_t cluster_id = cluster().cluster_id;
    CU_ASSERT_NOT_EQUAL(cluster_id, 0);
    CU_ASSERT_FALSE(cluster().in_safe_mode);
    when_restarted();
    CU_ASSERT_EQUAL(cluster().cluster_id, cluster_id);
}

static void test_calls__without_user_are_refused(void)
{
    f.user = "";
    CU_ASSERT_EQUAL(do_status("/", NULL), ERR_UNAUTHENTICATED);
}

static void test_calls__before_start_and_after_stop_are_unavailable(void)
{
    CU_ASSERT_EQUAL(namenode_open(&f.settings, 1, &f.nn), OK);
    f.replay_every = 0;
    CU_ASSERT_EQUAL(do_status("/", NULL), ERR_UNAVAILABLE);
    step((struct event){.kind = EVENT_START});
    CU_ASSERT_EQUAL(do_status("/", NULL), OK);
    step((struct event){.kind = EVENT_STOP});
    CU_ASSERT_EQUAL(f.actions.items[f.actions.count - 1].kind, ACTION_EXIT);
    CU_ASSERT_EQUAL(do_status("/", NULL), ERR_UNAVAILABLE);
    CU_ASSERT_EQUAL(namenode_deadline_ms(f.nn), INT64_MAX);
}

static void test_paths__malformed_ones_are_invalid(void)
{
    static const char *const paths[] = {"",    "a",       "a/b",  "/a/./b",
                                        "/..", "/a/../b", "/a\n", "/\xff"};
    for (size_t i = 0; i < UNIT_COUNT(paths); i++) {
        CU_ASSERT_EQUAL(do_status(paths[i], NULL), ERR_INVALID);
    }
}

static void test_paths__extra_slashes_are_ignored(void)
{
    given_directory("/a/b");
    CU_ASSERT_EQUAL(do_status("//a///b/", NULL), OK);
}

static void test_mkdirs__makes_parents_only_when_asked(void)
{
    CU_ASSERT_EQUAL(do_mkdirs("/a/b/c", 0, false), ERR_NOT_FOUND);
    CU_ASSERT_EQUAL(do_mkdirs("/a/b/c", 0750, true), OK);
    struct dfs_file_status status;
    CU_ASSERT_EQUAL(do_status("/a/b/c", &status), OK);
    CU_ASSERT_EQUAL(status.permission, 0750);
    CU_ASSERT_EQUAL(do_status("/a/b", &status), OK);
    CU_ASSERT_EQUAL(status.child_count, 1);
    CU_ASSERT_EQUAL(do_mkdirs("/a/b/c", 0, true), OK);
    CU_ASSERT_EQUAL(do_mkdirs("/a/b/c", 0, false), ERR_EXISTS);
    CU_ASSERT_EQUAL(do_mkdirs("/a/b/d", 0, false), OK);
    CU_ASSERT_EQUAL(cluster().directory_count, 5);
}

static void test_mkdirs__a_file_is_in_the_way(void)
{
    given_nodes(3);
    (void)given_file("/file", 0, 0);
    CU_ASSERT_EQUAL(do_mkdirs("/file", 0, true), ERR_EXISTS);
    CU_ASSERT_EQUAL(do_mkdirs("/file/below", 0, true), ERR_NOT_DIRECTORY);
    CU_ASSERT_EQUAL(do_status("/file/below", NULL), ERR_NOT_DIRECTORY);
}

static void test_list__is_ordered_by_bytes_and_paged(void)
{
    static const char *const names[] = {"/d/b", "/d/a", "/d/B", "/d/\xc3\xa4", "/d/aa", "/d/0"};
    given_directory("/d");
    for (size_t i = 0; i < UNIT_COUNT(names); i++) {
        given_directory(names[i]);
    }
    CU_ASSERT_STRING_EQUAL(names_in("/d"), "0 B a aa b \xc3\xa4");
    struct dfs_list_status_request request = {
        .path = text_of("/d"), .start_after = text_of("B"), .limit = 2};
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_LIST_STATUS, &request), OK);
    const struct dfs_list_status_response *page = f.response;
    CU_ASSERT_EQUAL(page->entries_count, 2);
    CU_ASSERT_TRUE(slice_equal_string(page->entries[0].path, "a"));
    CU_ASSERT_TRUE(slice_equal_string(page->entries[1].path, "aa"));
    CU_ASSERT_TRUE(page->has_more);
    request.start_after = text_of("aa");
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_LIST_STATUS, &request), OK);
    page = f.response;
    CU_ASSERT_EQUAL(page->entries_count, 2);
    CU_ASSERT_FALSE(page->has_more);
}

static void test_list__page_is_no_longer_than_the_limit(void)
{
    f.settings.list_limit = 2;
    given_directory("/a");
    given_directory("/b");
    given_directory("/c");
    struct dfs_list_status_request request = {.path = text_of("/"), .limit = 100};
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_LIST_STATUS, &request), OK);
    CU_ASSERT_EQUAL(((const struct dfs_list_status_response *)f.response)->entries_count, 2);
    CU_ASSERT_TRUE(((const struct dfs_list_status_response *)f.response)->has_more);
}

static void test_list__a_file_lists_itself(void)
{
    given_nodes(3);
    (void)given_file("/file", 1, 0);
    CU_ASSERT_STRING_EQUAL(names_in("/file"), "file");
}

static void test_rename__moves_a_tree(void)
{
    given_nodes(3);
    given_directory("/a/b");
    given_directory("/x");
    uint64_t id = given_file("/a/b/file", 1, 0);
    CU_ASSERT_EQUAL(do_rename("/a", "/x/y"), OK);
    struct dfs_file_status status;
    CU_ASSERT_EQUAL(do_status("/x/y/b/file", &status), OK);
    CU_ASSERT_EQUAL(status.file_id, id);
    CU_ASSERT_EQUAL(do_status("/a", NULL), ERR_NOT_FOUND);
}

static void test_rename__into_an_existing_directory_keeps_the_name(void)
{
    given_nodes(3);
    given_directory("/target");
    (void)given_file("/file", 0, 0);
    CU_ASSERT_EQUAL(do_rename("/file", "/target"), OK);
    CU_ASSERT_EQUAL(do_status("/target/file", NULL), OK);
    (void)given_file("/file", 0, 0);
    CU_ASSERT_EQUAL(do_rename("/file", "/target"), ERR_EXISTS);
    CU_ASSERT_EQUAL(do_rename("/target/file", "/"), ERR_EXISTS);
}

static void test_rename__refuses_what_makes_no_sense(void)
{
    given_nodes(3);
    given_directory("/a/b");
    (void)given_file("/one", 0, 0);
    (void)given_file("/two", 0, 0);
    CU_ASSERT_EQUAL(do_rename("/a", "/a/b/c"), ERR_INVALID);
    CU_ASSERT_EQUAL(do_rename("/a", "/a/b"), ERR_INVALID);
    CU_ASSERT_EQUAL(do_rename("/a", "/a"), ERR_INVALID);
    CU_ASSERT_EQUAL(do_rename("/", "/a"), ERR_INVALID);
    CU_ASSERT_EQUAL(do_rename("/one", "/two"), ERR_EXISTS);
    CU_ASSERT_EQUAL(do_rename("/one", "/one"), ERR_EXISTS);
    CU_ASSERT_EQUAL(do_rename("/none", "/three"), ERR_NOT_FOUND);
    CU_ASSERT_EQUAL(do_rename("/one", "/none/three"), ERR_NOT_FOUND);
    CU_ASSERT_EQUAL(do_rename("/one", "/two/three"), ERR_NOT_DIRECTORY);
}

static void test_rename__a_file_being_written_is_busy(void)
{
    uint64_t id = 0;
    given_nodes(3);
    CU_ASSERT_EQUAL(do_create("/new", false, 0, &id), OK);
    CU_ASSERT_EQUAL(do_rename("/new", "/other"), ERR_BUSY);
    (void)given_file("/done", 0, 0);
    CU_ASSERT_EQUAL(do_rename("/done", "/new"), ERR_EXISTS);
}

static void test_rename__carries_files_being_written_along(void)
{
    uint64_t id = 0;
    given_nodes(3);
    given_directory("/a");
    CU_ASSERT_EQUAL(do_create("/a/new", false, 0, &id), OK);
    CU_ASSERT_EQUAL(do_rename("/a", "/b"), OK);
    CU_ASSERT_EQUAL(do_complete(id, 0), OK);
    CU_ASSERT_EQUAL(do_status("/b/new", NULL), OK);
}

static void test_delete__refuses_a_filled_directory_unless_recursive(void)
{
    given_nodes(3);
    given_directory("/a/b");
    (void)given_file("/a/b/file", 2, 0);
    CU_ASSERT_EQUAL(do_delete("/a", false), ERR_NOT_EMPTY);
    CU_ASSERT_EQUAL(do_delete("/a", true), OK);
    CU_ASSERT_EQUAL(do_status("/a", NULL), ERR_NOT_FOUND);
    CU_ASSERT_EQUAL(do_delete("/a", true), ERR_NOT_FOUND);
    CU_ASSERT_EQUAL(do_delete("/", true), ERR_INVALID);
    CU_ASSERT_EQUAL(cluster().block_count, 0);
    CU_ASSERT_EQUAL(cluster().file_count, 0);
    CU_ASSERT_EQUAL(cluster().directory_count, 1);
}

static void test_summary__adds_up_a_tree(void)
{
    given_nodes(4);
    given_directory("/a/b");
    (void)given_file("/a/one", 2, 2);
    (void)given_file("/a/b/two", 1, 3);
    struct dfs_content_summary_request request = {.path = text_of("/a")};
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_CONTENT_SUMMARY, &request), OK);
    const struct dfs_content_summary_response *sum = f.response;
    CU_ASSERT_EQUAL(sum->length, 3 * BLOCK_SIZE);
    CU_ASSERT_EQUAL(sum->space_consumed, 2 * 2 * BLOCK_SIZE + 3 * BLOCK_SIZE);
    CU_ASSERT_EQUAL(sum->file_count, 2);
    CU_ASSERT_EQUAL(sum->directory_count, 2);
}

/* --- permissions --------------------------------------------------------------------- */

static enum status chmod_as(const char *user, const char *path, uint32_t permission)
{
    struct dfs_set_permission_request request = {.client_id = f.client,
                                                 .request_id = f.next_request++,
                                                 .path = text_of(path),
                                                 .permission = permission};
    f.user = user;
    return call(METHOD_NAMENODE_SET_PERMISSION, &request);
}

static enum status chown_as(const char *user,
                            const char *path,
                            const char *owner,
                            const char *group)
{
    struct dfs_set_owner_request request = {.client_id = f.client,
                                            .request_id = f.next_request++,
                                            .path = text_of(path),
                                            .owner = text_of(owner),
                                            .group = text_of(group)};
    f.user = user;
    return call(METHOD_NAMENODE_SET_OWNER, &request);
}

static void given_home(const char *user, const char *path)
{
    given_directory(path);
    CU_ASSERT_EQUAL(chown_as("root", path, user, user), OK);
    f.user = "root";
}

static void test_permissions__others_need_write_on_the_directory(void)
{
    given_home("alice", "/alice");
    f.user = "bob";
    CU_ASSERT_EQUAL(do_mkdirs("/alice/dir", 0, false), ERR_DENIED);
    CU_ASSERT_EQUAL(do_mkdirs("/dir", 0, false), ERR_DENIED);
    CU_ASSERT_EQUAL(do_delete("/alice", false), ERR_DENIED);
    CU_ASSERT_EQUAL(do_rename("/alice", "/bob"), ERR_DENIED);
    uint64_t id = 0;
    CU_ASSERT_EQUAL(do_create("/alice/file", false, 0, &id), ERR_DENIED);
    f.user = "alice";
    CU_ASSERT_EQUAL(do_mkdirs("/alice/dir", 0, false), OK);
    struct dfs_file_status status;
    CU_ASSERT_EQUAL(do_status("/alice/dir", &status), OK);
    CU_ASSERT_TRUE(slice_equal_string(status.owner, "alice"));
    CU_ASSERT_TRUE(slice_equal_string(status.group, "alice"));
}

static void test_permissions__every_directory_passed_needs_execute(void)
{
    given_home("alice", "/alice");
    f.user = "alice";
    CU_ASSERT_EQUAL(do_mkdirs("/alice/dir", 0, false), OK);
    CU_ASSERT_EQUAL(chmod_as("alice", "/alice", 0700), OK);
    f.user = "bob";
    CU_ASSERT_EQUAL(do_status("/alice", NULL), OK);
    CU_ASSERT_EQUAL(do_status("/alice/dir", NULL), ERR_DENIED);
    CU_ASSERT_STRING_EQUAL(names_in("/alice"), "?");
    CU_ASSERT_EQUAL(f.status, ERR_DENIED);
    f.user = "millrace";
    CU_ASSERT_EQUAL(do_status("/alice/dir", NULL), OK);
}

static void test_permissions__the_group_is_the_user_of_that_name(void)
{
    given_home("alice", "/shared");
    CU_ASSERT_EQUAL(chown_as("root", "/shared", "alice", "team"), OK);
    CU_ASSERT_EQUAL(chmod_as("alice", "/shared", 0770), OK);
    f.user = "team";
    CU_ASSERT_EQUAL(do_mkdirs("/shared/dir", 0, false), OK);
    f.user = "bob";
    CU_ASSERT_EQUAL(do_mkdirs("/shared/bob", 0, false), ERR_DENIED);
}

static void test_permissions__the_owner_class_wins_over_others(void)
{
    given_home("alice", "/alice");
    CU_ASSERT_EQUAL(chmod_as("alice", "/alice", 0077), OK);
    CU_ASSERT_STRING_EQUAL(names_in("/alice"), "?");
    f.user = "bob";
    CU_ASSERT_STRING_EQUAL(names_in("/alice"), "");
}

static void test_permissions__the_sticky_bit_keeps_files_their_owners(void)
{
    CU_ASSERT_EQUAL(do_mkdirs("/tmp", 01777, false), OK);
    f.user = "alice";
    CU_ASSERT_EQUAL(do_mkdirs("/tmp/a", 0, false), OK);
    f.user = "bob";
    CU_ASSERT_EQUAL(do_mkdirs("/tmp/b", 0, false), OK);
    CU_ASSERT_EQUAL(do_delete("/tmp/a", false), ERR_DENIED);
    CU_ASSERT_EQUAL(do_rename("/tmp/a", "/tmp/c"), ERR_DENIED);
    CU_ASSERT_EQUAL(do_delete("/tmp/b", false), OK);
}

static void test_permissions__recursive_delete_needs_all_on_filled_directories(void)
{
    given_home("alice", "/alice");
    f.user = "alice";
    CU_ASSERT_EQUAL(do_mkdirs("/alice/dir", 0, false), OK);
    CU_ASSERT_EQUAL(chown_as("root", "/alice/dir", "bob", ""), OK);
    f.user = "alice";
    CU_ASSERT_EQUAL(do_delete("/alice/dir", true), OK); /* an empty one is only a name */
    CU_ASSERT_EQUAL(do_mkdirs("/alice/dir/below", 0, true), OK);
    CU_ASSERT_EQUAL(chown_as("root", "/alice/dir", "bob", ""), OK);
    f.user = "alice";
    CU_ASSERT_EQUAL(do_delete("/alice/dir", true), ERR_DENIED);
}

static void test_permissions__reading_needs_read(void)
{
    given_nodes(3);
    given_home("alice", "/alice");
    f.user = "alice";
    (void)given_file("/alice/file", 1, 0);
    CU_ASSERT_EQUAL(chmod_as("alice", "/alice/file", 0600), OK);
    struct dfs_get_blocks_response blocks;
    f.user = "bob";
    CU_ASSERT_EQUAL(do_blocks("/alice/file", "", &blocks), ERR_DENIED);
    f.user = "alice";
    CU_ASSERT_EQUAL(do_blocks("/alice/file", "", &blocks), OK);
}

static void test_permissions__only_owners_change_modes_and_only_root_gives_away(void)
{
    given_home("alice", "/alice");
    CU_ASSERT_EQUAL(chmod_as("bob", "/alice", 0777), ERR_DENIED);
    CU_ASSERT_EQUAL(chmod_as("alice", "/alice", 010000), ERR_INVALID);
    CU_ASSERT_EQUAL(chmod_as("alice", "/alice", 01777), OK);
    CU_ASSERT_EQUAL(chown_as("alice", "/alice", "bob", ""), ERR_DENIED);
    CU_ASSERT_EQUAL(chown_as("alice", "/alice", "", "team"), ERR_DENIED);
    CU_ASSERT_EQUAL(chown_as("root", "/alice", "", "team"), OK);
    CU_ASSERT_EQUAL(chown_as("alice", "/alice", "alice", "alice"), OK);
    CU_ASSERT_EQUAL(chown_as("bob", "/alice", "", "bob"), ERR_DENIED);
}

static void test_permissions__members_of_the_supergroup_may_everything(void)
{
    given_home("alice", "/alice");
    CU_ASSERT_EQUAL(chmod_as("supergroup", "/alice", 0700), OK);
    f.user = "supergroup";
    CU_ASSERT_EQUAL(do_mkdirs("/alice/dir", 0, false), OK);
}

/* --- remembered results -------------------------------------------------------------- */

static void test_repeats__are_answered_with_the_first_result(void)
{
    given_started();
    struct dfs_mkdirs_request request = {.client_id = 1, .request_id = 1, .path = text_of("/a")};
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_MKDIRS, &request), OK);
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_MKDIRS, &request), OK);
    when_restarted();
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_MKDIRS, &request), OK);
    request.request_id = 2;
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_MKDIRS, &request), ERR_EXISTS);
}

static void test_repeats__of_delete_and_rename_do_nothing_more(void)
{
    given_directory("/a");
    given_directory("/b");
    struct dfs_delete_request gone = {.client_id = 1, .request_id = 1, .path = text_of("/a")};
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_DELETE, &gone), OK);
    given_directory("/a");
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_DELETE, &gone), OK);
    CU_ASSERT_EQUAL(do_status("/a", NULL), OK);
    struct dfs_rename_request moved = {
        .client_id = 1, .request_id = 2, .source = text_of("/b"), .destination = text_of("/c")};
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_RENAME, &moved), OK);
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_RENAME, &moved), OK);
}

static void test_repeats__of_create_name_the_same_file(void)
{
    given_nodes(3);
    struct dfs_create_request request = {.client_id = 1, .request_id = 1, .path = text_of("/file")};
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_CREATE, &request), OK);
    const struct dfs_create_response *first = f.response;
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_CREATE, &request), OK);
    const struct dfs_create_response *second = f.response;
    CU_ASSERT_TRUE(message_equal(&dfs_create_response_type, first, second));
}

static void test_repeats__failures_are_not_remembered(void)
{
    struct dfs_mkdirs_request request = {.client_id = 1, .request_id = 1, .path = text_of("/a/b")};
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_MKDIRS, &request), ERR_NOT_FOUND);
    given_directory("/a");
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_MKDIRS, &request), OK);
}

static void test_repeats__ids_are_required_and_belong_to_one_call(void)
{
    struct dfs_mkdirs_request request = {.client_id = 1, .request_id = 0, .path = text_of("/a")};
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_MKDIRS, &request), ERR_INVALID);
    request.request_id = 1;
    request.client_id = 0;
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_MKDIRS, &request), ERR_INVALID);
    request.client_id = 1;
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_MKDIRS, &request), OK);
    struct dfs_delete_request other = {.client_id = 1, .request_id = 1, .path = text_of("/a")};
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_DELETE, &other), ERR_INVALID);
}

static void test_repeats__are_forgotten_after_a_while_and_beyond_the_limit(void)
{
    f.settings.mutations_max = 2;
    f.settings.mutation_keep_ms = 5000;
    struct dfs_mkdirs_request request = {.client_id = 1, .request_id = 1, .path = text_of("/a")};
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_MKDIRS, &request), OK);
    given_directory("/b");
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_MKDIRS, &request), OK);
    given_directory("/c");
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_MKDIRS, &request), ERR_EXISTS);
    request.request_id = 2;
    request.path = text_of("/d");
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_MKDIRS, &request), OK);
    when_ms_pass(6001);
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_MKDIRS, &request), ERR_EXISTS);
}

static void test_repeats__outlast_jumps_of_the_wall_clock(void)
{
    given_nodes(3);
    given_directory("/a");
    struct dfs_delete_request request = {.client_id = 1, .request_id = 1, .path = text_of("/a")};
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_DELETE, &request), OK);
    f.wall_ms += 86400000;
    when_ms_pass(2000);
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_DELETE, &request), OK);
    when_restarted();
    f.wall_ms -= 2 * 86400000;
    when_ms_pass(2000);
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_DELETE, &request), OK);
}

static void test_namespace__is_full_at_its_limit(void)
{
    f.settings.inodes_max = 3;
    CU_ASSERT_EQUAL(do_mkdirs("/a/b/c", 0, true), ERR_LIMIT);
    CU_ASSERT_EQUAL(do_mkdirs("/a/b", 0, true), OK);
    uint64_t id = 0;
    CU_ASSERT_EQUAL(do_create("/a/file", false, 0, &id), ERR_LIMIT);
}

static void test_snapshot__rebuilds_everything(void)
{
    uint64_t id = 0;
    given_nodes(3);
    given_home("alice", "/a/b");
    (void)given_file("/a/b/file", 3, 0);
    (void)given_file("/old", 1, 0);
    CU_ASSERT_EQUAL(do_create("/old", true, 0, &id), OK);
    CU_ASSERT_EQUAL(do_write_block(id, 5, &id), OK);
    struct dfs_fence_output_request fence = {
        .client_id = 1, .request_id = 1, .key = text_of("app"), .epoch = 3};
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_FENCE_OUTPUT, &fence), OK);
    /* Then: the journal may be replaced by the snapshot. */
    struct actions snapshot;
    actions_open(&snapshot);
    namenode_snapshot(f.nn, &snapshot);
    CU_ASSERT_TRUE(snapshot.count < f.record_count);
    for (size_t i = 0; i < snapshot.count; i++) {
        f.records[i].type = snapshot.items[i].type;
        f.records[i].message =
            message_copy(snapshot.items[i].type, snapshot.items[i].message, f.journal);
    }
    f.record_count = snapshot.count;
    actions_close(&snapshot);
    EXPECT_REPLAY_EQUAL();
    when_restarted();
    CU_ASSERT_STRING_EQUAL(names_in("/"), "a old");
}

/* --- a large tree goes in parts ------------------------------------------------------ */

static void given_tree(size_t files, uint32_t release_max)
{
    f.settings.release_max = release_max;
    given_nodes(3);
    given_directory("/tree");
    given_directory("/tree/below");
    for (size_t i = 0; i < files; i++) {
        char path[32];
        snprintf(path, sizeof(path), "/tree/%sf%zu", i % 2 == 0 ? "below/" : "", i);
        (void)given_file(path, 1, 3);
    }
}

static void test_release__large_tree_is_gone_at_once_and_freed_in_parts(void)
{
    given_tree(20, 5);
    CU_ASSERT_EQUAL(do_delete("/tree", true), OK);
    struct dfs_file_status status;
    CU_ASSERT_EQUAL(do_status("/tree", &status), ERR_NOT_FOUND);
    CU_ASSERT_TRUE(cluster().block_count > 10); /* it has begun, and goes on */
    given_directory("/tree");                   /* the name is free */
    CU_ASSERT_EQUAL(do_status("/tree/below", &status), ERR_NOT_FOUND);
    EXPECT_REPLAY_EQUAL();
    when_ms_pass(100);
    CU_ASSERT_EQUAL(cluster().block_count, 0);
    CU_ASSERT_EQUAL(cluster().directory_count, 2);
    CU_ASSERT_EQUAL(cluster().file_count, 0);
    when_ms_pass(5000);
    for (size_t i = 0; i < f.node_count; i++) {
        CU_ASSERT_EQUAL(f.nodes[i].disk_count, 0);
    }
}

static void test_release__quota_is_right_at_once(void)
{
    f.settings.release_max = 5;
    given_nodes(3);
    given_directory("/limited");
    struct dfs_set_quota_request limit = {.client_id = f.client,
                                          .request_id = f.next_request++,
                                          .path = text_of("/limited"),
                                          .set_names = true,
                                          .names = 23};
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_SET_QUOTA, &limit), OK);
    for (int round = 0; round < 3; round++) {
        given_directory("/limited/tree");
        for (int i = 0; i < 21; i++) {
            char path[32];
            snprintf(path, sizeof(path), "/limited/tree/f%d", i);
            (void)given_file(path, 1, 3);
        }
        CU_ASSERT_EQUAL(do_mkdirs("/limited/more", 0755, false), ERR_QUOTA);
        CU_ASSERT_EQUAL(do_delete("/limited/tree", true), OK);
    }
}

/* What is in it can be reached by its id no more than by its name. */
static void test_release__writer_in_it_is_told_that_his_file_is_gone(void)
{
    uint64_t file_id = 0;
    struct dfs_add_block_response block;
    given_tree(20, 5);
    CU_ASSERT_EQUAL(do_create("/tree/writing", false, 3, &file_id), OK);
    CU_ASSERT_EQUAL(do_add_block(file_id, "h1", &block), OK);
    CU_ASSERT_EQUAL(do_delete("/tree", true), OK);
    CU_ASSERT_TRUE(cluster().file_count > 10);
    CU_ASSERT_EQUAL(do_seal(file_id, &block, 10, 3), ERR_NOT_FOUND);
    CU_ASSERT_EQUAL(do_complete(file_id, 10), ERR_NOT_FOUND);
    EXPECT_REPLAY_EQUAL();
}

/* In safe mode nothing is deleted; afterwards it goes on. */
static void test_release__rests_in_safe_mode_and_ends_with_a_restart(void)
{
    given_tree(20, 5);
    CU_ASSERT_EQUAL(do_delete("/tree", true), OK);
    struct dfs_set_safe_mode_request request = {.action = SAFE_MODE_ENTER};
    CU_ASSERT_EQUAL(call(METHOD_NAMENODE_SET_SAFE_MODE, &request), OK);
    uint64_t left = cluster().block_count;
    when_ms_pass(5000);
    CU_ASSERT_EQUAL(cluster().block_count, left);
    when_restarted();
    CU_ASSERT_EQUAL(cluster().block_count, 0);
}

static void test_release__of_several_trees_and_ends_of_leases(void)
{
    uint64_t file_id = 0;
    f.replay_every = 20;
    given_tree(20, 1);
    CU_ASSERT_EQUAL(do_create("/tree/writing", false, 3, &file_id), OK);
    given_directory("/other");
    (void)given_file("/other/a", 3, 3);
    (void)given_file("/other/b", 3, 3);
    CU_ASSERT_EQUAL(do_delete("/tree", true), OK);
    CU_ASSERT_EQUAL(do_delete("/other", true), OK);
    when_paused(f.settings.lease_hard_ms);
    when_ms_pass(f.settings.lease_hard_ms + 1000);
    CU_ASSERT_EQUAL(cluster().file_count, 0);
    CU_ASSERT_EQUAL(cluster().directory_count, 1);
    EXPECT_REPLAY_EQUAL();
}

static const struct unit_test tests[] = {
    {"test_tables__are_sound",                                              "Every state table is sound.",                    test_tables__are_sound                                             },
    {"test_tables__are_drawn_as_in_docs",                                   "docs/states shows the tables as they are.",
     test_tables__are_drawn_as_in_docs                                                                                                                                                           },
    {"test_settings__out_of_range_are_refused",                             "Settings out of range are refused.",
     test_settings__out_of_range_are_refused                                                                                                                                                     },
    {"test_start__a_new_cluster_gets_an_id_and_a_root",
     "A new cluster gets an id that stays, and a root directory.",                                                            test_start__a_new_cluster_gets_an_id_and_a_root                    },
    {"test_calls__without_user_are_refused",                                "A call without a user is refused.",
     test_calls__without_user_are_refused                                                                                                                                                        },
    {"test_calls__before_start_and_after_stop_are_unavailable",
     "Before the start and after a stop calls are unavailable.",                                                              test_calls__before_start_and_after_stop_are_unavailable            },
    {"test_paths__malformed_ones_are_invalid",                              "Malformed paths are invalid.",
     test_paths__malformed_ones_are_invalid                                                                                                                                                      },
    {"test_paths__extra_slashes_are_ignored",                               "Extra slashes in a path are ignored.",
     test_paths__extra_slashes_are_ignored                                                                                                                                                       },
    {"test_mkdirs__makes_parents_only_when_asked",                          "mkdirs makes parents only when asked to.",
     test_mkdirs__makes_parents_only_when_asked                                                                                                                                                  },
    {"test_mkdirs__a_file_is_in_the_way",                                   "A file in the way of mkdirs is told.",
     test_mkdirs__a_file_is_in_the_way                                                                                                                                                           },
    {"test_list__is_ordered_by_bytes_and_paged",                            "A listing is ordered by bytes and paged.",
     test_list__is_ordered_by_bytes_and_paged                                                                                                                                                    },
    {"test_list__page_is_no_longer_than_the_limit",                         "A page is no longer than the server's limit.",
     test_list__page_is_no_longer_than_the_limit                                                                                                                                                 },
    {"test_list__a_file_lists_itself",                                      "A file lists itself.",                           test_list__a_file_lists_itself                                     },
    {"test_rename__moves_a_tree",                                           "A rename moves a whole tree.",                   test_rename__moves_a_tree                                          },
    {"test_rename__into_an_existing_directory_keeps_the_name",
     "A rename into a directory keeps the source's name.",                                                                    test_rename__into_an_existing_directory_keeps_the_name             },
    {"test_rename__refuses_what_makes_no_sense",
     "A rename into itself, over a file, or of the root is refused.",                                                         test_rename__refuses_what_makes_no_sense                           },
    {"test_rename__a_file_being_written_is_busy",
     "A file being written cannot be renamed or renamed over.",                                                               test_rename__a_file_being_written_is_busy                          },
    {"test_rename__carries_files_being_written_along",
     "A renamed directory takes files being written along.",                                                                  test_rename__carries_files_being_written_along                     },
    {"test_delete__refuses_a_filled_directory_unless_recursive",
     "A filled directory is deleted only recursively.",                                                                       test_delete__refuses_a_filled_directory_unless_recursive           },
    {"test_summary__adds_up_a_tree",                                        "A content summary adds up a tree.",
     test_summary__adds_up_a_tree                                                                                                                                                                },
    {"test_permissions__others_need_write_on_the_directory",
     "Changing a directory needs write permission on it.",                                                                    test_permissions__others_need_write_on_the_directory               },
    {"test_permissions__every_directory_passed_needs_execute",
     "Passing a directory needs execute permission.",                                                                         test_permissions__every_directory_passed_needs_execute             },
    {"test_permissions__the_group_is_the_user_of_that_name",
     "The group's bits are for the user of the group's name.",                                                                test_permissions__the_group_is_the_user_of_that_name               },
    {"test_permissions__the_owner_class_wins_over_others",
     "The owner's bits hold for the owner even if they grant less.",                                                          test_permissions__the_owner_class_wins_over_others                 },
    {"test_permissions__the_sticky_bit_keeps_files_their_owners",
     "In a sticky directory only owners delete and rename.",                                                                  test_permissions__the_sticky_bit_keeps_files_their_owners          },
    {"test_permissions__recursive_delete_needs_all_on_filled_directories",
     "A recursive delete needs permission on every filled directory below.",                                                  test_permissions__recursive_delete_needs_all_on_filled_directories },
    {"test_permissions__reading_needs_read",                                "Reading a file's blocks needs read permission.",
     test_permissions__reading_needs_read                                                                                                                                                        },
    {"test_permissions__only_owners_change_modes_and_only_root_gives_away",
     "Owners change modes; only the superuser gives away.",                                                                   test_permissions__only_owners_change_modes_and_only_root_gives_away},
    {"test_permissions__members_of_the_supergroup_may_everything",
     "The supergroup may do everything.",                                                                                     test_permissions__members_of_the_supergroup_may_everything         },
    {"test_repeats__are_answered_with_the_first_result",
     "A repeated mutation is answered with its first result, after a restart, too.",                                          test_repeats__are_answered_with_the_first_result                   },
    {"test_repeats__of_delete_and_rename_do_nothing_more",
     "A repeated delete or rename does nothing more.",                                                                        test_repeats__of_delete_and_rename_do_nothing_more                 },
    {"test_repeats__of_create_name_the_same_file",                          "A repeated create names the same file.",
     test_repeats__of_create_name_the_same_file                                                                                                                                                  },
    {"test_repeats__failures_are_not_remembered",                           "A failure is not remembered.",
     test_repeats__failures_are_not_remembered                                                                                                                                                   },
    {"test_repeats__ids_are_required_and_belong_to_one_call",
     "A mutation needs its ids, and they belong to one call.",                                                                test_repeats__ids_are_required_and_belong_to_one_call              },
    {"test_repeats__are_forgotten_after_a_while_and_beyond_the_limit",
     "Results are forgotten after a while and beyond the limit.",                                                             test_repeats__are_forgotten_after_a_while_and_beyond_the_limit     },
    {"test_repeats__outlast_jumps_of_the_wall_clock",
     "Jumps of the wall clock make nothing forgotten.",                                                                       test_repeats__outlast_jumps_of_the_wall_clock                      },
    {"test_namespace__is_full_at_its_limit",                                "A full namespace refuses new inodes.",
     test_namespace__is_full_at_its_limit                                                                                                                                                        },
    {"test_snapshot__rebuilds_everything",                                  "A snapshot rebuilds what the journal did.",
     test_snapshot__rebuilds_everything                                                                                                                                                          },
    {"test_release__large_tree_is_gone_at_once_and_freed_in_parts",
     "A large tree is gone at once, and freed in parts.",                                                                     test_release__large_tree_is_gone_at_once_and_freed_in_parts        },
    {"test_release__quota_is_right_at_once",                                "Quotas are right at once.",
     test_release__quota_is_right_at_once                                                                                                                                                        },
    {"test_release__writer_in_it_is_told_that_his_file_is_gone",
     "Who writes in it is told that his file is gone.",                                                                       test_release__writer_in_it_is_told_that_his_file_is_gone           },
    {"test_release__rests_in_safe_mode_and_ends_with_a_restart",
     "It rests in safe mode, and ends with a restart.",                                                                       test_release__rests_in_safe_mode_and_ends_with_a_restart           },
    {"test_release__of_several_trees_and_ends_of_leases",
     "Several trees, and leases in them, come to their end.",                                                                 test_release__of_several_trees_and_ends_of_leases                  },
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "namenode tree", tests, UNIT_COUNT(tests),
                     fixture_setup, fixture_teardown);
}
