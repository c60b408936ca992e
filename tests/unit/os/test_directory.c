/*
 * test_directory.c - directories and paths.
 */
#include <string.h>

#include "lib/base/fault.h"
#include "lib/os/directory.h"
#include "lib/os/file.h"
#include "tests/support/unit.h"

struct fixture {
    struct arena *arena;
    const char *directory;
    struct error error;
};

static struct fixture f;

static void setup(void)
{
    f = (struct fixture){.arena = arena_open(0)};
    CU_ASSERT_EQUAL_FATAL(
        directory_make_temporary("/tmp/millrace-test-", f.arena, &f.directory, &f.error), OK);
}

static void teardown(void)
{
    fault_disarm_all();
    CU_ASSERT_EQUAL(directory_remove_tree(f.directory, &f.error), OK);
    arena_close(f.arena);
}

static const char *in(const char *name)
{
    return path_join(f.arena, f.directory, name);
}

static void given_file(const char *name, const char *content)
{
    CU_ASSERT_EQUAL_FATAL(file_replace(in(name), slice_from_string(content), FILE_PUBLIC, &f.error),
                          OK);
}

static void test_directory__parents_are_made(void)
{
    CU_ASSERT_EQUAL(directory_make_all(in("a/b//c/"), 0755, &f.error), OK);
    CU_ASSERT_EQUAL(directory_make_all(in("a/b/c"), 0755, &f.error), OK);
    CU_ASSERT_EQUAL(directory_make(in("a/b"), 0755, &f.error), ERR_EXISTS);
    given_file("a/file", "");
    CU_ASSERT_EQUAL(directory_make_all(in("a/file/d"), 0755, &f.error), ERR_NOT_DIRECTORY);
    CU_ASSERT_EQUAL(directory_make_all(in("a/file"), 0755, &f.error), ERR_NOT_DIRECTORY);
    fault_arm(FAULT_DIRECTORY, 1, FAULT_FOREVER);
    CU_ASSERT_EQUAL(directory_make_all(in("x"), 0755, &f.error), ERR_IO);
}

static void test_directory__list_is_sorted(void)
{
    given_file("b", "");
    given_file("a", "");
    given_file("B", "");
    given_file(".c", "");
    struct slice *names = NULL;
    size_t count = 0;
    CU_ASSERT_EQUAL(directory_list(f.directory, f.arena, &names, &count, &f.error), OK);
    CU_ASSERT_EQUAL_FATAL(count, 4);
    const char *expected[] = {".c", "B", "a", "b"};
    for (size_t i = 0; i < count; i++)
        CU_ASSERT_TRUE(slice_equal_string(names[i], expected[i]));
    CU_ASSERT_EQUAL(directory_list(in("none"), f.arena, &names, &count, &f.error), ERR_NOT_FOUND);
}

static void test_directory__tree_is_removed_but_not_what_links_point_to(void)
{
    given_file("precious", "keep me");
    CU_ASSERT_EQUAL(directory_make_all(in("tree/deep/er"), 0755, &f.error), OK);
    given_file("tree/deep/er/file", "12345");
    given_file("tree/file", "123");
    CU_ASSERT_EQUAL(file_symlink(f.directory, in("tree/link"), &f.error), OK);
    uint64_t bytes = 0;
    CU_ASSERT_EQUAL(directory_tree_bytes(in("tree"), &bytes, &f.error), OK);
    CU_ASSERT_EQUAL(bytes, 8);
    CU_ASSERT_EQUAL(directory_remove(in("tree"), &f.error), ERR_NOT_EMPTY);
    CU_ASSERT_EQUAL(file_set_permission(in("tree/deep"), 0, &f.error), OK);
    CU_ASSERT_EQUAL(directory_remove_tree(in("tree"), &f.error), OK);
    struct file_info info;
    CU_ASSERT_EQUAL(file_info_get(in("tree"), false, &info, NULL), ERR_NOT_FOUND);
    CU_ASSERT_EQUAL(file_info_get(in("precious"), false, &info, &f.error), OK);
    CU_ASSERT_EQUAL(directory_remove_tree(in("tree"), &f.error), OK);
}

static void test_directory__failed_removal_is_told(void)
{
    CU_ASSERT_EQUAL(directory_make(in("tree"), 0755, &f.error), OK);
    given_file("tree/file", "");
    fault_arm(FAULT_FILE_REMOVE, 1, 1);
    CU_ASSERT_EQUAL(directory_remove_tree(in("tree"), &f.error), ERR_IO);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.error.text, "tree/file"));
}

static void test_directory__space_is_measured(void)
{
    struct directory_space space = {0, 0};
    CU_ASSERT_EQUAL(directory_space_get(f.directory, &space, &f.error), OK);
    CU_ASSERT_TRUE(space.capacity_bytes > 0);
    CU_ASSERT_TRUE(space.free_bytes <= space.capacity_bytes);
    CU_ASSERT_EQUAL(directory_sync(f.directory, &f.error), OK);
}

static void test_path__parts_and_joins(void)
{
    CU_ASSERT_STRING_EQUAL(path_join(f.arena, "/a", "b"), "/a/b");
    CU_ASSERT_STRING_EQUAL(path_join(f.arena, "/a/", "b"), "/a/b");
    CU_ASSERT_STRING_EQUAL(path_join(f.arena, "/a", "/b"), "/b");
    CU_ASSERT_STRING_EQUAL(path_join(f.arena, "", "b"), "b");
    CU_ASSERT_STRING_EQUAL(path_name("/a/b"), "b");
    CU_ASSERT_STRING_EQUAL(path_name("b"), "b");
    CU_ASSERT_STRING_EQUAL(path_parent(f.arena, "/a/b"), "/a");
    CU_ASSERT_STRING_EQUAL(path_parent(f.arena, "/a"), "/");
    CU_ASSERT_STRING_EQUAL(path_parent(f.arena, "a"), ".");
    const char *absolute = NULL;
    CU_ASSERT_EQUAL(path_absolute(f.arena, "x/y", &absolute, &f.error), OK);
    CU_ASSERT_TRUE(absolute[0] == '/' && strstr(absolute, "/x/y") != NULL);
}

static void test_path__plain_names_are_safe_to_join(void)
{
    const char *bad[] = {"", ".", "..", "a/b", "/a", "a/"};
    for (size_t i = 0; i < UNIT_COUNT(bad); i++)
        CU_ASSERT_FALSE(path_is_plain_name(slice_from_string(bad[i])));
    CU_ASSERT_FALSE(path_is_plain_name(slice_make("a\0b", 3)));
    const char *good[] = {"a", "...", "part-r-00000", ".hidden"};
    for (size_t i = 0; i < UNIT_COUNT(good); i++)
        CU_ASSERT_TRUE(path_is_plain_name(slice_from_string(good[i])));
}

static const struct unit_test tests[] = {
    {"test_directory__parents_are_made",                            "Missing parents are made; a file in the way is an error.",
     test_directory__parents_are_made                                                                                                                                                      },
    {"test_directory__list_is_sorted",                              "A listing is sorted by bytes.",
     test_directory__list_is_sorted                                                                                                                                                        },
    {"test_directory__tree_is_removed_but_not_what_links_point_to",
     "A tree is removed with its links, but not what they point to.",                                                           test_directory__tree_is_removed_but_not_what_links_point_to},
    {"test_directory__failed_removal_is_told",                      "A name that cannot be removed is named.",
     test_directory__failed_removal_is_told                                                                                                                                                },
    {"test_directory__space_is_measured",                           "The room of a filesystem is measured.",
     test_directory__space_is_measured                                                                                                                                                     },
    {"test_path__parts_and_joins",                                  "Paths are joined and taken apart.",                        test_path__parts_and_joins                                 },
    {"test_path__plain_names_are_safe_to_join",                     "Only one plain component is a plain name.",
     test_path__plain_names_are_safe_to_join                                                                                                                                               },
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "os/directory", tests, UNIT_COUNT(tests), setup,
                     teardown);
}
