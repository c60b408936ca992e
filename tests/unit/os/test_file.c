/*
 * test_file.c - files: contents, errors, atomic replacement under every single failure, locks.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/types.h>

#include "lib/base/arena.h"
#include "lib/base/fault.h"
#include "lib/os/calls.h"
#include "lib/os/directory.h"
#include "lib/os/file.h"
#include "lib/os/process.h"
#include "lib/os/thread.h"
#include "tests/support/unit.h"

struct fixture {
    struct arena *arena;
    const char *directory;
    const char *path;
    struct error error;
};

static struct fixture f;

static void setup(void)
{
    f = (struct fixture){.arena = arena_open(0)};
    CU_ASSERT_EQUAL_FATAL(
        directory_make_temporary("/tmp/millrace-test-", f.arena, &f.directory, &f.error), OK);
    f.path = path_join(f.arena, f.directory, "file");
}

static void teardown(void)
{
    fault_disarm_all();
    (void)os_calls_set(NULL);
    CU_ASSERT_EQUAL(directory_remove_tree(f.directory, &f.error), OK);
    arena_close(f.arena);
}

static struct slice text(const char *string)
{
    return slice_from_string(string);
}

static void expect_content(const char *path, const char *content)
{
    struct buf buf;
    buf_open(&buf, 1 << 20);
    CU_ASSERT_EQUAL(file_read_whole(path, &buf, &f.error), OK);
    CU_ASSERT_STRING_EQUAL(buf_string(&buf), content);
    buf_close(&buf);
}

static void test_file__positioned_bytes_come_back(void)
{
    struct file *file = NULL;
    CU_ASSERT_EQUAL_FATAL(file_open(f.path, FILE_MODE_CREATE_NEW, FILE_PUBLIC, &file, &f.error),
                          OK);
    CU_ASSERT_EQUAL(file_write_at(file, 3, text("world"), &f.error), OK);
    CU_ASSERT_EQUAL(file_write_at(file, 0, text("abc"), &f.error), OK);
    char data[16];
    size_t length = 0;
    CU_ASSERT_EQUAL(file_read_at(file, 2, data, sizeof(data), &length, &f.error), OK);
    CU_ASSERT_EQUAL(length, 6);
    CU_ASSERT_NSTRING_EQUAL(data, "cworld", 6);
    CU_ASSERT_EQUAL(file_read_exactly(file, 4, data, 5, &f.error), ERR_CORRUPT);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.error.text, f.path));
    uint64_t bytes = 0;
    CU_ASSERT_EQUAL(file_truncate(file, 4, &f.error), OK);
    CU_ASSERT_EQUAL(file_length(file, &bytes, &f.error), OK);
    CU_ASSERT_EQUAL(bytes, 4);
    CU_ASSERT_EQUAL(file_sync(file, &f.error), OK);
    CU_ASSERT_EQUAL(file_sync_data(file, &f.error), OK);
    file_close(file);
    struct file *again = NULL;
    CU_ASSERT_EQUAL(file_open(f.path, FILE_MODE_CREATE_NEW, FILE_PUBLIC, &again, &f.error),
                    ERR_EXISTS);
}

static void test_file__errors_name_the_path(void)
{
    struct file *file = NULL;
    CU_ASSERT_EQUAL(file_open(f.path, FILE_MODE_READ, 0, &file, &f.error), ERR_NOT_FOUND);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.error.text, f.path));
    CU_ASSERT_EQUAL(file_remove(f.path, &f.error), ERR_NOT_FOUND);
    CU_ASSERT_EQUAL(file_open(f.directory, FILE_MODE_TRUNCATE, FILE_PUBLIC, &file, &f.error),
                    ERR_IS_DIRECTORY);
}

static void test_file__appends_go_to_the_end(void)
{
    for (int i = 0; i < 2; i++) {
        struct file *file = NULL;
        CU_ASSERT_EQUAL_FATAL(file_open(f.path, FILE_MODE_APPEND, FILE_PUBLIC, &file, &f.error),
                              OK);
        CU_ASSERT_EQUAL(file_append(file, text("line\n"), &f.error), OK);
        file_close(file);
    }
    expect_content(f.path, "line\nline\n");
}

/* A table that does one byte at a time and is interrupted before each. */
static int interrupts;

static ssize_t stuttering_pread(int descriptor, void *data, size_t bytes, off_t offset)
{
    if (interrupts++ % 2 == 0) {
        errno = EINTR;
        return -1;
    }
    return os_calls_posix()->pread(descriptor, data, bytes > 0 ? 1 : 0, offset);
}

static ssize_t stuttering_pwrite(int descriptor, const void *data, size_t bytes, off_t offset)
{
    if (interrupts++ % 2 == 0) {
        errno = EINTR;
        return -1;
    }
    return os_calls_posix()->pwrite(descriptor, data, bytes > 0 ? 1 : 0, offset);
}

static void test_file__short_and_interrupted_calls_are_continued(void)
{
    struct os_calls calls = *os_calls_posix();
    calls.pread = stuttering_pread;
    calls.pwrite = stuttering_pwrite;
    (void)os_calls_set(&calls);
    struct file *file = NULL;
    char data[8];
    CU_ASSERT_EQUAL_FATAL(file_open(f.path, FILE_MODE_CREATE, FILE_PUBLIC, &file, &f.error), OK);
    CU_ASSERT_EQUAL(file_write_at(file, 0, text("piecewise"), &f.error), OK);
    CU_ASSERT_EQUAL(file_read_exactly(file, 1, data, 8, &f.error), OK);
    CU_ASSERT_NSTRING_EQUAL(data, "iecewise", 8);
    file_close(file);
    (void)os_calls_set(NULL);
    expect_content(f.path, "piecewise");
}

static ssize_t full_pwrite(int descriptor, const void *data, size_t bytes, off_t offset)
{
    if (offset >= 4) {
        errno = ENOSPC;
        return -1;
    }
    return os_calls_posix()->pwrite(descriptor, data, bytes > 4 ? 4 : bytes, offset);
}

static void test_file__full_disk_is_no_space(void)
{
    struct os_calls calls = *os_calls_posix();
    calls.pwrite = full_pwrite;
    (void)os_calls_set(&calls);
    CU_ASSERT_EQUAL(file_replace(f.path, text("too much"), FILE_PUBLIC, &f.error), ERR_NO_SPACE);
    (void)os_calls_set(NULL);
    struct file_info info;
    CU_ASSERT_EQUAL(file_info_get(f.path, true, &info, NULL), ERR_NOT_FOUND);
}

/* Fails the n-th call of one point, for all n, until the replacement goes through. */
static void fail_replacements(enum fault_point point)
{
    CU_ASSERT_EQUAL(file_replace(f.path, text("old"), FILE_PRIVATE, &f.error), OK);
    uint64_t failures = 0;
    for (uint64_t nth = 1;; nth++) {
        CU_ASSERT_TRUE_FATAL(nth < 20);
        fault_arm(point, nth, 1);
        enum status status = file_replace(f.path, text("new"), FILE_PRIVATE, &f.error);
        uint64_t hit = fault_failures(point);
        fault_disarm_all();
        if (hit == 0) {
            CU_ASSERT_EQUAL(status, OK);
            expect_content(f.path, "new");
            break;
        }
        failures++;
        CU_ASSERT_EQUAL(status, ERR_IO);
        struct buf buf;
        buf_open(&buf, 64);
        CU_ASSERT_EQUAL(file_read_whole(f.path, &buf, &f.error), OK);
        CU_ASSERT_TRUE(strcmp(buf_string(&buf), "old") == 0 ||
                       strcmp(buf_string(&buf), "new") == 0);
        buf_close(&buf);
        CU_ASSERT_EQUAL(file_replace(f.path, text("old"), FILE_PRIVATE, &f.error), OK);
    }
    CU_ASSERT_TRUE(failures > 0);
    struct slice *names = NULL;
    size_t count = 0;
    CU_ASSERT_EQUAL(directory_list(f.directory, f.arena, &names, &count, &f.error), OK);
    CU_ASSERT_EQUAL(count, 1);
}

static void test_file__replacement_is_all_or_nothing(void)
{
    fail_replacements(FAULT_FILE_OPEN);
    fail_replacements(FAULT_FILE_WRITE);
    fail_replacements(FAULT_FILE_SYNC);
    fail_replacements(FAULT_FILE_RENAME);
    struct file_info info;
    CU_ASSERT_EQUAL(file_info_get(f.path, true, &info, &f.error), OK);
    CU_ASSERT_EQUAL(info.permission, FILE_PRIVATE);
}

static void test_file__times_that_were_set_are_read(void)
{
    struct file_info info;
    CU_ASSERT_EQUAL(file_replace(f.path, text("x"), FILE_PUBLIC, &f.error), OK);
    CU_ASSERT_EQUAL(file_set_times(f.path, 1000000000123, 1100000000456, &f.error), OK);
    CU_ASSERT_EQUAL(file_info_get(f.path, true, &info, &f.error), OK);
    CU_ASSERT_EQUAL(info.accessed_ms, 1000000000123);
    CU_ASSERT_EQUAL(info.modified_ms, 1100000000456);
    CU_ASSERT_EQUAL(file_set_times("/nowhere/x", 0, 0, &f.error), ERR_NOT_FOUND);
}

static void test_file__only_the_first_creates(void)
{
    CU_ASSERT_EQUAL(file_create_whole(f.path, text("first"), FILE_PRIVATE, &f.error), OK);
    CU_ASSERT_EQUAL(file_create_whole(f.path, text("second"), FILE_PRIVATE, &f.error), ERR_EXISTS);
    expect_content(f.path, "first");
    struct slice *names = NULL;
    size_t count = 0;
    CU_ASSERT_EQUAL(directory_list(f.directory, f.arena, &names, &count, &f.error), OK);
    CU_ASSERT_EQUAL(count, 1);
}

static void test_file__too_long_file_is_refused(void)
{
    CU_ASSERT_EQUAL(file_replace(f.path, text("12345"), FILE_PUBLIC, &f.error), OK);
    struct buf buf;
    buf_open(&buf, 4);
    CU_ASSERT_EQUAL(file_read_whole(f.path, &buf, &f.error), ERR_LIMIT);
    buf_close(&buf);
}

static void test_file__copy_and_links_have_the_same_bytes(void)
{
    const char *copy = path_join(f.arena, f.directory, "copy");
    const char *hard = path_join(f.arena, f.directory, "hard");
    const char *soft = path_join(f.arena, f.directory, "soft");
    CU_ASSERT_EQUAL(file_replace(f.path, text("bytes"), FILE_PUBLIC, &f.error), OK);
    CU_ASSERT_EQUAL(file_copy(f.path, copy, FILE_PRIVATE, &f.error), OK);
    CU_ASSERT_EQUAL(file_link(f.path, hard, &f.error), OK);
    CU_ASSERT_EQUAL(file_symlink("file", soft, &f.error), OK);
    expect_content(copy, "bytes");
    expect_content(hard, "bytes");
    expect_content(soft, "bytes");
    struct file_info target;
    struct file_info link;
    CU_ASSERT_EQUAL(file_info_get(soft, true, &target, &f.error), OK);
    CU_ASSERT_EQUAL(file_info_get(soft, false, &link, &f.error), OK);
    CU_ASSERT_TRUE(target.is_regular && !target.is_symlink);
    CU_ASSERT_TRUE(link.is_symlink && !link.is_regular);
}

static void test_file__map_shows_any_range(void)
{
    char block[10000];
    for (size_t i = 0; i < sizeof(block); i++)
        block[i] = (char)('a' + i % 26);
    CU_ASSERT_EQUAL(file_replace(f.path, slice_make(block, sizeof(block)), FILE_PUBLIC, &f.error),
                    OK);
    struct file *file = NULL;
    struct file_map map;
    CU_ASSERT_EQUAL_FATAL(file_open(f.path, FILE_MODE_READ, 0, &file, &f.error), OK);
    CU_ASSERT_EQUAL_FATAL(file_map_open(file, 4999, 3000, &map, &f.error), OK);
    file_close(file);
    file_map_will_stream(&map);
    CU_ASSERT_TRUE(slice_equal(map.bytes, slice_make(block + 4999, 3000)));
    file_map_close(&map);
    file_map_close(&map);
}

static void test_file__lock_has_one_holder(void)
{
    struct file_lock *lock = NULL;
    struct file_lock *second = NULL;
    int64_t pid = -1;
    CU_ASSERT_EQUAL(file_lock_holder(f.path, &pid, &f.error), OK);
    CU_ASSERT_EQUAL(pid, 0);
    CU_ASSERT_EQUAL_FATAL(file_lock_open(f.path, &lock, &f.error), OK);
    CU_ASSERT_EQUAL(file_lock_open(f.path, &second, &f.error), ERR_BUSY);
    char number[32];
    (void)snprintf(number, sizeof(number), "%lld", (long long)process_self());
    CU_ASSERT_PTR_NOT_NULL(strstr(f.error.text, number));
    CU_ASSERT_EQUAL(file_lock_holder(f.path, &pid, &f.error), OK);
    CU_ASSERT_EQUAL(pid, process_self());
    file_lock_close(lock);
    CU_ASSERT_EQUAL(file_lock_holder(f.path, &pid, &f.error), OK);
    CU_ASSERT_EQUAL(pid, 0);
    CU_ASSERT_EQUAL_FATAL(file_lock_open(f.path, &second, &f.error), OK);
    file_lock_close(second);
}

static atomic_bool is_asking;
static atomic_int questions_failed;

static void ask_for_holder(void *argument)
{
    (void)argument;
    while (atomic_load(&is_asking)) {
        int64_t pid = 0;
        if (file_lock_holder(f.path, &pid, NULL) != OK)
            atomic_fetch_add(&questions_failed, 1);
    }
}

/* Before, the question took the lock for a moment, and a daemon starting just then gave up. */
static void test_file__asking_for_the_holder_disturbs_nobody(void)
{
    struct thread *thread = NULL;
    struct error error = {OK, ""};
    atomic_store(&is_asking, true);
    CU_ASSERT_EQUAL_FATAL(thread_open("ask", ask_for_holder, NULL, &thread, &f.error), OK);
    size_t refused = 0;
    for (int i = 0; i < 5000; i++) {
        struct file_lock *lock = NULL;
        refused += file_lock_open(f.path, &lock, &error) != OK;
        file_lock_close(lock);
    }
    atomic_store(&is_asking, false);
    thread_join(thread);
    CU_ASSERT_EQUAL(refused, 0);
    CU_ASSERT_EQUAL(atomic_load(&questions_failed), 0);
}

static const struct unit_test tests[] = {
    {"test_file__times_that_were_set_are_read",              "Times that were set are read.",
     test_file__times_that_were_set_are_read                                                                                                                            },
    {"test_file__positioned_bytes_come_back",                "Bytes written at an offset are read back there.",
     test_file__positioned_bytes_come_back                                                                                                                              },
    {"test_file__errors_name_the_path",                      "An error says which path it is about.",
     test_file__errors_name_the_path                                                                                                                                    },
    {"test_file__appends_go_to_the_end",                     "Appended bytes go to the end.",
     test_file__appends_go_to_the_end                                                                                                                                   },
    {"test_file__short_and_interrupted_calls_are_continued",
     "Short and interrupted calls are continued.",                                                                  test_file__short_and_interrupted_calls_are_continued},
    {"test_file__full_disk_is_no_space",                     "A full disk leaves no half file and says so.",
     test_file__full_disk_is_no_space                                                                                                                                   },
    {"test_file__replacement_is_all_or_nothing",
     "Whichever call fails, a replaced file has the old content or the new.",                                       test_file__replacement_is_all_or_nothing            },
    {"test_file__only_the_first_creates",                    "Of several that create a whole file one wins.",
     test_file__only_the_first_creates                                                                                                                                  },
    {"test_file__too_long_file_is_refused",                  "A file longer than the buffer's maximum is refused.",
     test_file__too_long_file_is_refused                                                                                                                                },
    {"test_file__copy_and_links_have_the_same_bytes",        "Copies and links show the same bytes.",
     test_file__copy_and_links_have_the_same_bytes                                                                                                                      },
    {"test_file__map_shows_any_range",                       "A map shows any range and outlives the open file.",
     test_file__map_shows_any_range                                                                                                                                     },
    {"test_file__asking_for_the_holder_disturbs_nobody",     "Asking who has a lock disturbs nobody.",
     test_file__asking_for_the_holder_disturbs_nobody                                                                                                                   },
    {"test_file__lock_has_one_holder",                       "A lock has one holder, whose pid can be asked for.",
     test_file__lock_has_one_holder                                                                                                                                     },
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "os/file", tests, UNIT_COUNT(tests), setup,
                     teardown);
}
