/*
 * test_nodemgr_folders.c - what a node manager keeps on disk, on a real one.
 */
#include "nodemgr/daemon/folders.h"

#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/time.h>

#include "lib/base/fault.h"
#include "lib/model/ids.h"
#include "lib/os/directory.h"
#include "lib/os/file.h"
#include "mr/core/run.h"
#include "tests/support/unit.h"

static struct fixture {
    struct arena *arena;
    struct nodemgr_folders folders;
} f;

static void setup(void)
{
    f.arena = arena_open(0);
    CU_ASSERT_EQUAL_FATAL(
        directory_make_temporary("/tmp/nodemgr-folders-", f.arena, &f.folders.root, NULL), OK);
}

static void teardown(void)
{
    CU_ASSERT_EQUAL(directory_remove_tree(f.folders.root, NULL), OK);
    arena_close(f.arena);
}

static struct app_id app(uint32_t sequence)
{
    return (struct app_id){.cluster_timestamp = 1700000000000, .sequence = sequence};
}

static struct container_id container(uint32_t sequence, uint64_t number)
{
    return (struct container_id){
        .app = app(sequence), .app_attempt = 1, .epoch = 1, .sequence = number};
}

static bool is_there(const char *path)
{
    struct file_info info;
    return file_info_get(path, false, &info, NULL) == OK;
}

static void given_prepared(uint32_t sequence, uint64_t number, const char *user)
{
    CU_ASSERT_EQUAL_FATAL(nodemgr_folders_prepare(&f.folders, container(sequence, number),
                                                  slice_from_string(user), NULL),
                          OK);
}

static void given_file(const char *folder, const char *name, struct slice content)
{
    struct file *file = NULL;
    CU_ASSERT_EQUAL_FATAL(
        file_open(path_join(f.arena, folder, name), FILE_MODE_TRUNCATE, FILE_PRIVATE, &file, NULL),
        OK);
    CU_ASSERT_EQUAL_FATAL(file_append(file, content, NULL), OK);
    file_close(file);
}

static void test_folders__paths_are_the_documented_ones(void)
{
    char expected[512];
    snprintf(expected, sizeof(expected),
             "%s/apps/application_1700000000000_0003/containers/"
             "container_e01_1700000000000_0003_01_000007",
             f.folders.root);
    CU_ASSERT_STRING_EQUAL(nodemgr_folders_work(&f.folders, f.arena, container(3, 7)), expected);
    snprintf(expected, sizeof(expected),
             "%s/logs/application_1700000000000_0003/container_e01_1700000000000_0003_01_000007",
             f.folders.root);
    CU_ASSERT_STRING_EQUAL(nodemgr_folders_logs(&f.folders, f.arena, container(3, 7)), expected);
}

static void test_folders__prepared_container_has_all_it_needs(void)
{
    given_prepared(1, 2, "alice");
    const char *work = nodemgr_folders_work(&f.folders, f.arena, container(1, 2));
    CU_ASSERT_TRUE(is_there(path_join(f.arena, work, "tmp")));
    CU_ASSERT_TRUE(is_there(nodemgr_folders_logs(&f.folders, f.arena, container(1, 2))));
    CU_ASSERT_TRUE(is_there(nodemgr_folders_output(&f.folders, f.arena, app(1))));
    CU_ASSERT_TRUE(is_there(nodemgr_folders_resources(&f.folders, f.arena, app(1))));
    given_prepared(1, 2, "alice"); /* twice is fine */
}

/* Each call to the system fails once; what was left half-done is put right by the next try. */
static void test_folders__preparation_survives_every_failure(void)
{
    static const enum fault_point points[] = {FAULT_DIRECTORY, FAULT_FILE_OPEN, FAULT_FILE_READ,
                                              FAULT_FILE_WRITE, FAULT_FILE_RENAME};

    uint32_t sequence = 1;
    for (size_t i = 0; i < sizeof(points) / sizeof(points[0]); i++) {
        enum status status = ERR_IO;
        for (uint64_t nth = 1; status != OK && nth < 100; nth++, sequence++) {
            struct error error = {.status = OK};
            fault_arm(points[i], nth, 1);
            status = nodemgr_folders_prepare(&f.folders, container(sequence, 2),
                                             slice_from_string("alice"), &error);
            fault_disarm_all();
            CU_ASSERT_EQUAL(status == OK, error.text[0] == '\0');
            CU_ASSERT_TRUE(status == OK || nth < 99);
            given_prepared(sequence, 2, "alice");
        }
    }
}

static void test_folders__application_has_one_owner(void)
{
    struct slice owner;
    CU_ASSERT_EQUAL(nodemgr_folders_owner(&f.folders, f.arena, app(1), &owner, NULL),
                    ERR_NOT_FOUND);
    given_prepared(1, 2, "alice");
    given_prepared(1, 3, "alice");
    CU_ASSERT_EQUAL_FATAL(nodemgr_folders_owner(&f.folders, f.arena, app(1), &owner, NULL), OK);
    CU_ASSERT_TRUE(slice_equal_string(owner, "alice"));
    CU_ASSERT_EQUAL(
        nodemgr_folders_prepare(&f.folders, container(1, 4), slice_from_string("mallory"), NULL),
        ERR_DENIED);
}

static void test_folders__clean_leaves_logs_and_outputs(void)
{
    given_prepared(1, 2, "alice");
    given_prepared(1, 3, "alice");
    given_file(nodemgr_folders_output(&f.folders, f.arena, app(1)), "0_0.run",
               slice_from_string("x"));
    CU_ASSERT_EQUAL(nodemgr_folders_clean(&f.folders, container(1, 2), NULL), OK);
    CU_ASSERT_EQUAL(nodemgr_folders_clean(&f.folders, container(1, 2), NULL), OK);
    CU_ASSERT_FALSE(is_there(nodemgr_folders_work(&f.folders, f.arena, container(1, 2))));
    CU_ASSERT_TRUE(is_there(nodemgr_folders_work(&f.folders, f.arena, container(1, 3))));
    CU_ASSERT_TRUE(is_there(nodemgr_folders_logs(&f.folders, f.arena, container(1, 2))));
    CU_ASSERT_TRUE(is_there(
        path_join(f.arena, nodemgr_folders_output(&f.folders, f.arena, app(1)), "0_0.run")));
}

static void test_folders__forget_leaves_only_logs(void)
{
    given_prepared(1, 2, "alice");
    CU_ASSERT_EQUAL(nodemgr_folders_forget(&f.folders, app(1), NULL), OK);
    CU_ASSERT_FALSE(is_there(nodemgr_folders_app(&f.folders, f.arena, app(1))));
    CU_ASSERT_TRUE(is_there(nodemgr_folders_logs(&f.folders, f.arena, container(1, 2))));
    CU_ASSERT_EQUAL(nodemgr_folders_forget(&f.folders, app(1), NULL), OK);
}

static void test_folders__recovery_keeps_outputs_and_names_applications(void)
{
    struct app_id *apps = NULL;
    size_t count = 99;
    CU_ASSERT_EQUAL_FATAL(nodemgr_folders_recover(&f.folders, f.arena, &apps, &count, NULL), OK);
    CU_ASSERT_EQUAL(count, 0);
    given_prepared(1, 2, "alice");
    given_prepared(4, 2, "bob");
    const char *output = nodemgr_folders_output(&f.folders, f.arena, app(4));
    given_file(output, "0_0.run", slice_from_string("x"));
    const char *foreign = path_join(f.arena, f.folders.root, "apps/lost+found");
    CU_ASSERT_EQUAL_FATAL(directory_make(foreign, 0700, NULL), OK);
    CU_ASSERT_EQUAL_FATAL(nodemgr_folders_recover(&f.folders, f.arena, &apps, &count, NULL), OK);
    CU_ASSERT_EQUAL_FATAL(count, 2);
    CU_ASSERT_TRUE(app_id_equal(apps[0], app(1)));
    CU_ASSERT_TRUE(app_id_equal(apps[1], app(4)));
    CU_ASSERT_FALSE(is_there(nodemgr_folders_work(&f.folders, f.arena, container(4, 2))));
    CU_ASSERT_FALSE(is_there(nodemgr_folders_resources(&f.folders, f.arena, app(4))));
    CU_ASSERT_TRUE(is_there(path_join(f.arena, output, "0_0.run")));
    CU_ASSERT_TRUE(is_there(foreign));
}

static void test_folders__newest_logs_of_finished_applications_are_kept(void)
{
    for (uint32_t sequence = 1; sequence <= 5; sequence++)
        given_prepared(sequence, 2, "alice");
    for (uint32_t sequence = 2; sequence <= 5; sequence++)
        CU_ASSERT_EQUAL_FATAL(nodemgr_folders_forget(&f.folders, app(sequence), NULL), OK);
    CU_ASSERT_EQUAL(nodemgr_folders_trim_logs(&f.folders, 2, 0, NULL), OK);
    CU_ASSERT_TRUE(is_there(nodemgr_folders_app_logs(&f.folders, f.arena, app(1)))); /* not over */
    CU_ASSERT_FALSE(is_there(nodemgr_folders_app_logs(&f.folders, f.arena, app(2))));
    CU_ASSERT_FALSE(is_there(nodemgr_folders_app_logs(&f.folders, f.arena, app(3))));
    CU_ASSERT_TRUE(is_there(nodemgr_folders_app_logs(&f.folders, f.arena, app(4))));
    CU_ASSERT_TRUE(is_there(nodemgr_folders_app_logs(&f.folders, f.arena, app(5))));
}

static void test_folders__old_logs_of_finished_applications_go(void)
{
    given_prepared(1, 2, "alice");
    given_prepared(2, 2, "alice");
    CU_ASSERT_EQUAL_FATAL(nodemgr_folders_forget(&f.folders, app(1), NULL), OK);
    CU_ASSERT_EQUAL_FATAL(nodemgr_folders_forget(&f.folders, app(2), NULL), OK);
    const char *old = nodemgr_folders_app_logs(&f.folders, f.arena, app(1));
    const struct timeval long_ago[2] = {{.tv_sec = 1000}, {.tv_sec = 1000}};
    CU_ASSERT_EQUAL_FATAL(utimes(old, long_ago), 0);
    CU_ASSERT_EQUAL(nodemgr_folders_trim_logs(&f.folders, 10, 2000 * 1000, NULL), OK);
    CU_ASSERT_FALSE(is_there(old));
    CU_ASSERT_TRUE(is_there(nodemgr_folders_app_logs(&f.folders, f.arena, app(2))));
}

static void expect_tail(const char *content, size_t bytes_max, const char *expected)
{
    const char *logs = nodemgr_folders_logs(&f.folders, f.arena, container(1, 2));
    given_file(logs, "stderr", slice_from_string(content));
    struct slice tail =
        nodemgr_folders_stderr_tail(&f.folders, f.arena, container(1, 2), bytes_max);
    CU_ASSERT_TRUE(slice_equal_string(tail, expected));
}

static void test_folders__tail_of_stderr_is_whole_lines(void)
{
    struct slice nothing = nodemgr_folders_stderr_tail(&f.folders, f.arena, container(1, 2), 10);
    CU_ASSERT_EQUAL(nothing.length, 0);
    given_prepared(1, 2, "alice");
    expect_tail("", 10, "");
    expect_tail("one\ntwo\n", 10, "one\ntwo\n");
    expect_tail("one\ntwo\nthree\n", 10, "three\n");
    expect_tail("a line without any end", 10, "ut any end");
    expect_tail("a line that is long\n", 5, "long\n");
}

/* --- map outputs ------------------------------------------------------------------------------ */
static enum status run_append(void *user, struct slice data, struct error *reterr_error)
{
    (void)reterr_error;
    return file_append(user, data, NULL);
}

/* Map 3, attempt 1 of application 1: partition 0 has one record, 1 none, 2 two. */
static const char *given_map_output(void)
{
    given_prepared(1, 2, "alice");
    const char *path =
        path_join(f.arena, nodemgr_folders_output(&f.folders, f.arena, app(1)), "3_1.run");
    static const char *const keys[3][2] = {
        {"a",  NULL},
        {NULL, NULL},
        {"b",  "c" }
    };
    struct file *file = NULL;
    struct run_writer writer;
    CU_ASSERT_EQUAL_FATAL(file_open(path, FILE_MODE_TRUNCATE, FILE_PRIVATE, &file, NULL), OK);
    struct byte_sink sink = {.user = file, .append = run_append};
    CU_ASSERT_EQUAL_FATAL(run_writer_open(&writer, sink, NULL), OK);
    for (size_t partition = 0; partition < 3; partition++) {
        struct run_segment segment;
        for (size_t i = 0; i < 2 && keys[partition][i]; i++) {
            struct record record = {.key = slice_from_string(keys[partition][i]),
                                    .value = slice_from_string("1")};
            CU_ASSERT_EQUAL_FATAL(run_writer_add(&writer, record, NULL), OK);
        }
        CU_ASSERT_EQUAL_FATAL(run_writer_end_partition(&writer, &segment, NULL), OK);
    }
    CU_ASSERT_EQUAL_FATAL(run_writer_finish(&writer, NULL), OK);
    run_writer_close(&writer);
    file_close(file);
    return path;
}

static void expect_segment(uint32_t partition, uint64_t records)
{
    struct file *file = NULL;
    uint64_t offset = 0;
    uint64_t bytes = 0;
    uint64_t found = 99;
    uint8_t content[1024];
    size_t got = 0;
    CU_ASSERT_EQUAL_FATAL(nodemgr_folders_open_segment(&f.folders, app(1), 3, 1, partition, &file,
                                                       &offset, &bytes, &found, NULL),
                          OK);
    CU_ASSERT_EQUAL(found, records);
    CU_ASSERT_TRUE_FATAL(bytes <= sizeof(content));
    CU_ASSERT_EQUAL(file_read_at(file, offset, content, (size_t)bytes, &got, NULL), OK);
    file_close(file);
    if (records == 0)
        CU_ASSERT_EQUAL(bytes, 0);
    if (records > 0)
        CU_ASSERT_EQUAL(run_segment_verify(slice_make(content, got), NULL), OK);
}

static enum status open_segment(uint32_t map, uint32_t partition)
{
    struct file *file = NULL;
    uint64_t offset;
    uint64_t bytes;
    uint64_t records;
    enum status status = nodemgr_folders_open_segment(&f.folders, app(1), map, 1, partition, &file,
                                                      &offset, &bytes, &records, NULL);
    CU_ASSERT_EQUAL(file == NULL, status != OK);
    file_close(file);
    return status;
}

static void test_folders__each_segment_of_a_map_output_is_found(void)
{
    (void)given_map_output(); /* its path is not needed here */
    expect_segment(0, 1);
    expect_segment(1, 0);
    expect_segment(2, 2);
    CU_ASSERT_EQUAL(open_segment(3, 3), ERR_NOT_FOUND);
    CU_ASSERT_EQUAL(open_segment(4, 0), ERR_NOT_FOUND);
}

static void test_folders__damaged_map_output_is_refused(void)
{
    struct file_info info;
    const char *path = given_map_output();
    CU_ASSERT_EQUAL_FATAL(file_info_get(path, false, &info, NULL), OK);
    for (uint64_t length = 0; length < info.bytes; length++) {
        struct file *file = NULL;
        path = given_map_output();
        CU_ASSERT_EQUAL_FATAL(file_open(path, FILE_MODE_UPDATE, 0, &file, NULL), OK);
        CU_ASSERT_EQUAL_FATAL(file_truncate(file, length, NULL), OK);
        file_close(file);
        CU_ASSERT_EQUAL(open_segment(3, 0), ERR_CORRUPT);
    }
}

static const struct unit_test tests[] = {
    {"test_folders__paths_are_the_documented_ones",                 "Paths are the documented ones.",
     test_folders__paths_are_the_documented_ones                                                                                                                                  },
    {"test_folders__prepared_container_has_all_it_needs",
     "A prepared container has working folder, temporary folder, logs and output.",                                    test_folders__prepared_container_has_all_it_needs          },
    {"test_folders__preparation_survives_every_failure",
     "A preparation that fails anywhere says so and succeeds at the next try.",                                        test_folders__preparation_survives_every_failure           },
    {"test_folders__application_has_one_owner",
     "An application belongs to the user of its first container.",                                                     test_folders__application_has_one_owner                    },
    {"test_folders__clean_leaves_logs_and_outputs",
     "Cleaning a container leaves its logs, the outputs and the other containers.",                                    test_folders__clean_leaves_logs_and_outputs                },
    {"test_folders__forget_leaves_only_logs",                       "Forgetting an application leaves its logs only.",
     test_folders__forget_leaves_only_logs                                                                                                                                        },
    {"test_folders__recovery_keeps_outputs_and_names_applications",
     "A start removes what containers left, keeps outputs, and names the applications.",                               test_folders__recovery_keeps_outputs_and_names_applications},
    {"test_folders__newest_logs_of_finished_applications_are_kept",
     "Of finished applications the newest logs are kept, of others all.",                                              test_folders__newest_logs_of_finished_applications_are_kept},
    {"test_folders__old_logs_of_finished_applications_go",          "Old logs of finished applications go.",
     test_folders__old_logs_of_finished_applications_go                                                                                                                           },
    {"test_folders__tail_of_stderr_is_whole_lines",
     "The tail of stderr is whole lines where it has one.",                                                            test_folders__tail_of_stderr_is_whole_lines                },
    {"test_folders__each_segment_of_a_map_output_is_found",
     "Each partition's segment of a map output is found.",                                                             test_folders__each_segment_of_a_map_output_is_found        },
    {"test_folders__damaged_map_output_is_refused",
     "A map output that was cut anywhere is refused.",                                                                 test_folders__damaged_map_output_is_refused                },
};

int main(int argc, char **argv)
{
    return unit_main(argc, argv, "nodemgr_folders", tests, UNIT_COUNT(tests), setup, teardown);
}
