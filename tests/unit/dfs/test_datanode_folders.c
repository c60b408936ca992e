/*
 * test_datanode_folders.c - dfs/datanode/daemon/volumes.h: several data folders, and those that are
 * not ours.
 */
#include "dfs/datanode/daemon/volumes.h"

#include <string.h>

#include "lib/base/crc32c.h"
#include "lib/base/fault.h"
#include "lib/os/directory.h"
#include "lib/os/file.h"
#include "tests/support/unit.h"

enum {
    NODE = 0x77
};

static struct fixture {
    struct arena *arena;
    const char *directory;
    struct volumes *volumes;
    struct error error;
} f;

static const char *path_of(const char *name)
{
    return (const char *)arena_format(f.arena, "%s/%s", f.directory, name).data;
}

static void setup(void)
{
    f = (struct fixture){.arena = arena_open(0)};
    CU_ASSERT_EQUAL_FATAL(
        directory_make_temporary("/tmp/millrace-volumes-", f.arena, &f.directory, &f.error), OK);
}

static void teardown(void)
{
    fault_disarm_all();
    volumes_close(f.volumes);
    CU_ASSERT_EQUAL(directory_remove_tree(f.directory, &f.error), OK);
    arena_close(f.arena);
}

static enum status open_two(const char *left, const char *right, uint64_t node_id, size_t tolerated)
{
    struct slice names[] = {slice_from_string(path_of(left)), slice_from_string(path_of(right))};
    struct volumes_settings settings = {
        .directories = names, .count = 2, .node_id = node_id, .tolerated = tolerated};
    volumes_close(f.volumes);
    f.volumes = NULL;
    return volumes_open(&settings, &f.volumes, &f.error);
}

static void expect_refused(const char *left, const char *right, uint64_t node_id, const char *word)
{
    CU_ASSERT_EQUAL(open_two(left, right, node_id, 1), ERR_FENCED);
    CU_ASSERT_PTR_NULL(f.volumes);
    if (strstr(f.error.text, word) == NULL)
        CU_FAIL("the sentence does not say why");
}

static void write_text(const char *name, const char *text)
{
    CU_ASSERT_EQUAL_FATAL(
        file_replace(path_of(name), slice_from_string(text), FILE_PRIVATE, &f.error), OK);
}

static void put_block(size_t index, uint64_t block_id)
{
    struct store *store = NULL;
    struct store_writer *writer = NULL;
    struct slice data = slice_from_string("some bytes");
    struct dfs_block_info block = {.block_id = block_id,
                                   .length = data.length,
                                   .crc32c = crc32c_update(0, data.data, data.length)};
    CU_ASSERT_EQUAL_FATAL(volumes_store(f.volumes, index, &store, &f.error), OK);
    CU_ASSERT_EQUAL_FATAL(store_writer_open(store, &block, true, &writer, &f.error), OK);
    CU_ASSERT_EQUAL(store_writer_push(writer, data, &f.error), OK);
    CU_ASSERT_EQUAL(store_writer_commit(writer, &f.error), OK);
    store_writer_close(writer);
}

/* --- whose they are ----------------------------------------------------------------------------
 */

static void test_folders__new_folders_are_signed_and_open_again(void)
{
    CU_ASSERT_EQUAL_FATAL(open_two("a", "b", NODE, 0), OK);
    CU_ASSERT_EQUAL(volumes_cluster_id(f.volumes), 0);
    CU_ASSERT_EQUAL(volumes_sign(f.volumes, 0, 5, &f.error), OK);
    /* A crash came before the second was signed: it is signed at the start. */
    CU_ASSERT_EQUAL_FATAL(open_two("a", "b", NODE, 0), OK);
    CU_ASSERT_EQUAL(volumes_cluster_id(f.volumes), 5);
    CU_ASSERT_EQUAL_FATAL(open_two("c", "b", NODE, 0), OK);
    CU_ASSERT_EQUAL(volumes_cluster_id(f.volumes), 5);
}

static void test_folders__layout_with_one_folder_still_opens(void)
{
    CU_ASSERT_EQUAL_FATAL(open_two("a", "b", NODE, 0), OK);
    put_block(0, 9);
    write_text("a/VERSION", "format=1\nnode_id=0000000000000077\ncluster_id=0000000000000005\n");
    CU_ASSERT_EQUAL_FATAL(open_two("a", "b", NODE, 0), OK);
    CU_ASSERT_EQUAL(volumes_cluster_id(f.volumes), 5);
    struct buf text;
    buf_open(&text, 0);
    CU_ASSERT_EQUAL(file_read_whole(path_of("a/VERSION"), &text, &f.error), OK);
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_string(&text), "format=2\n"));
    buf_close(&text);
}

static void test_folders__folder_of_another_node_is_refused(void)
{
    CU_ASSERT_EQUAL_FATAL(open_two("a", "b", NODE, 0), OK);
    expect_refused("a", "b", NODE + 1, "belong to node 0000000000000077");
}

static void test_folders__folders_of_two_clusters_are_refused(void)
{
    CU_ASSERT_EQUAL_FATAL(open_two("a", "b", NODE, 0), OK);
    CU_ASSERT_EQUAL(volumes_sign(f.volumes, 0, 5, &f.error), OK);
    CU_ASSERT_EQUAL(volumes_sign(f.volumes, 1, 6, &f.error), OK);
    expect_refused("a", "b", NODE, "were the folders mixed up?");
}

static void test_folders__copy_of_a_folder_is_refused(void)
{
    CU_ASSERT_EQUAL_FATAL(open_two("a", "b", NODE, 0), OK);
    struct buf text;
    buf_open(&text, 0);
    CU_ASSERT_EQUAL_FATAL(file_read_whole(path_of("a/VERSION"), &text, &f.error), OK);
    write_text("b/VERSION", buf_string(&text));
    buf_close(&text);
    expect_refused("a", "b", NODE, "copies of each other");
}

static void test_folders__same_folder_twice_is_refused(void)
{
    CU_ASSERT_EQUAL_FATAL(open_two("a", "b", NODE, 0), OK);
    expect_refused("a", "./a", NODE, "are the same folder");
}

static void test_folders__blocks_without_an_owner_are_refused(void)
{
    CU_ASSERT_EQUAL_FATAL(open_two("a", "b", NODE, 0), OK);
    put_block(1, 9);
    CU_ASSERT_EQUAL_FATAL(file_remove(path_of("b/VERSION"), &f.error), OK);
    expect_refused("a", "b", NODE, "no VERSION file says whose");
}

/* --- those that cannot be used -----------------------------------------------------------------
 */

static void test_folders__unusable_folder_is_tolerated_when_it_may_be(void)
{
    write_text("file", "in the way");
    CU_ASSERT_EQUAL(open_two("a", "file", NODE, 0), ERR_IO);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.error.text, "1 of 2 data folders cannot be used"));
    CU_ASSERT_EQUAL_FATAL(open_two("a", "file", NODE, 1), OK);
    CU_ASSERT_TRUE(volumes_is_usable(f.volumes, 0));
    CU_ASSERT_FALSE(volumes_is_usable(f.volumes, 1));
    CU_ASSERT_NOT_EQUAL(strlen(volumes_failure(f.volumes, 1)), 0);
    struct store *store;
    CU_ASSERT_EQUAL(volumes_store(f.volumes, 1, &store, &f.error), ERR_IO);
}

static void test_folders__node_needs_one_folder(void)
{
    write_text("file", "in the way");
    CU_ASSERT_EQUAL(open_two("file", "file/more", NODE, 2), ERR_IO);
}

static void test_folders__any_failing_call_costs_one_folder_at_most(void)
{
    static const enum fault_point points[] = {FAULT_FILE_OPEN, FAULT_FILE_READ,   FAULT_FILE_WRITE,
                                              FAULT_FILE_SYNC, FAULT_FILE_RENAME, FAULT_DIRECTORY};

    for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
        bool has_failed = true;
        for (uint64_t nth = 1; has_failed; nth += nth < 8 ? 1 : nth) {
            CU_ASSERT_EQUAL(directory_remove_tree(path_of("a"), &f.error), OK);
            CU_ASSERT_EQUAL(directory_remove_tree(path_of("b"), &f.error), OK);
            fault_arm(points[i], nth, 1);
            enum status status = open_two("a", "b", NODE, 1);
            has_failed = fault_failures(points[i]) > 0;
            fault_disarm_all();
            CU_ASSERT_EQUAL_FATAL(status, OK);
            size_t usable = volumes_is_usable(f.volumes, 0) + volumes_is_usable(f.volumes, 1);
            CU_ASSERT_TRUE(usable >= 1);
            if (!has_failed)
                CU_ASSERT_EQUAL(usable, 2);
        }
    }
}

/* --- working with them -------------------------------------------------------------------------
 */

static void test_folders__block_is_found_on_whichever_volume_it_is(void)
{
    CU_ASSERT_EQUAL_FATAL(open_two("a", "b", NODE, 0), OK);
    put_block(0, 1);
    put_block(1, 2);
    struct store_reader *reader = NULL;
    size_t index = 99;
    CU_ASSERT_EQUAL_FATAL(volumes_reader_open(f.volumes, 2, &reader, &index, &f.error), OK);
    CU_ASSERT_EQUAL(index, 1);
    store_reader_close(reader);
    struct file *file = NULL;
    CU_ASSERT_EQUAL_FATAL(volumes_open_file(f.volumes, 1, true, &file, &index, &f.error), OK);
    CU_ASSERT_EQUAL(index, 0);
    file_close(file);
    CU_ASSERT_EQUAL(volumes_reader_open(f.volumes, 3, &reader, &index, &f.error), ERR_NOT_FOUND);
}

static void test_folders__retired_volume_is_not_read(void)
{
    CU_ASSERT_EQUAL_FATAL(open_two("a", "b", NODE, 0), OK);
    put_block(1, 2);
    volumes_retire(f.volumes, 1, slice_from_string("smoke"));
    struct store_reader *reader = NULL;
    size_t index;
    CU_ASSERT_EQUAL(volumes_reader_open(f.volumes, 2, &reader, &index, &f.error), ERR_NOT_FOUND);
    CU_ASSERT_STRING_EQUAL(volumes_failure(f.volumes, 1), "smoke");
}

static void test_folders__folders_on_one_file_system_share_its_room(void)
{
    struct store_space one;
    struct store_space two;
    CU_ASSERT_EQUAL_FATAL(open_two("a", "b", NODE, 0), OK);
    CU_ASSERT_EQUAL(volumes_space_get(f.volumes, 0, &two, &f.error), OK);
    volumes_retire(f.volumes, 1, slice_from_string("smoke"));
    CU_ASSERT_EQUAL(volumes_space_get(f.volumes, 0, &one, &f.error), OK);
    CU_ASSERT_EQUAL(two.volume_bytes, one.volume_bytes / 2);
}

static void test_folders__folder_that_was_replaced_is_noticed(void)
{
    struct store_space space;
    CU_ASSERT_EQUAL_FATAL(open_two("a", "b", NODE, 0), OK);
    CU_ASSERT_EQUAL_FATAL(file_rename(path_of("a"), path_of("old"), &f.error), OK);
    CU_ASSERT_EQUAL(volumes_space_get(f.volumes, 0, &space, &f.error), ERR_NOT_FOUND);
    CU_ASSERT_EQUAL_FATAL(directory_make(path_of("a"), 0700, &f.error), OK);
    CU_ASSERT_EQUAL(volumes_space_get(f.volumes, 0, &space, &f.error), ERR_NOT_FOUND);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.error.text, "unmounted?"));
}

#define TEST(name, sentence)                                                                       \
 {                                                                                                 \
#  name, sentence, name                                                                            \
 }

static const struct unit_test tests[] = {
    TEST(test_folders__new_folders_are_signed_and_open_again,
         "New folders are signed, and open again."),
    TEST(test_folders__layout_with_one_folder_still_opens,
         "The layout with one folder still opens."),
    TEST(test_folders__folder_of_another_node_is_refused, "A folder of another node is refused."),
    TEST(test_folders__folders_of_two_clusters_are_refused, "Folders of two clusters are refused."),
    TEST(test_folders__copy_of_a_folder_is_refused, "A copy of a folder is refused."),
    TEST(test_folders__same_folder_twice_is_refused, "The same folder twice is refused."),
    TEST(test_folders__blocks_without_an_owner_are_refused, "Blocks without an owner are refused."),
    TEST(test_folders__unusable_folder_is_tolerated_when_it_may_be,
         "An unusable folder is tolerated when it may be."),
    TEST(test_folders__node_needs_one_folder, "A node needs one folder."),
    TEST(test_folders__any_failing_call_costs_one_folder_at_most,
         "Any failing call costs one folder at most."),
    TEST(test_folders__block_is_found_on_whichever_volume_it_is,
         "A block is found on whichever volume it is."),
    TEST(test_folders__retired_volume_is_not_read, "A retired volume is not read."),
    TEST(test_folders__folders_on_one_file_system_share_its_room,
         "Folders on one file system share its room."),
    TEST(test_folders__folder_that_was_replaced_is_noticed,
         "A folder that was replaced is noticed."),
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "datanode_folders", tests, UNIT_COUNT(tests), setup,
                     teardown);
}
