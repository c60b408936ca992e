/*
 * test_nodemgr_daemon.c - mr-nodemgr as a whole: real processes, files, gRPC and HTTP.
 */
#include "tests/unit/nodemgr/daemon_fixture.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/net/net.h"
#include "lib/os/directory.h"
#include "lib/os/file.h"
#include "lib/os/process.h"
#include "mr/core/run.h"

static int64_t number_of(struct slice line)
{
    uint64_t value = 0;
    CU_ASSERT_TRUE_FATAL(slice_parse_u64(line, &value));
    return (int64_t)value;
}

static void test_daemon__registers_what_it_has(void)
{
    given_daemon();
    CU_ASSERT_EQUAL(f.node.incarnation, 1);
    CU_ASSERT_EQUAL(f.node.capacity.memory_bytes, 1024ULL * MIB);
    CU_ASSERT_EQUAL(f.node.capacity.vcores, 4);
    CU_ASSERT_TRUE(slice_equal_string(f.node.node.host, "n1"));
    CU_ASSERT_EQUAL(f.node.apps_count, 0);
    CU_ASSERT_EQUAL(when_daemon_ends(false), 0);
    CU_ASSERT_TRUE(has_unregistered());
}

static void test_daemon__commanded_container_runs_in_its_own_world(void)
{
    given_daemon();
    when_launch_commanded(1, 64 * MIB,
                          "echo $MILLRACE_USER; pwd; ls; echo first >&2; echo last >&2; exit 3");
    struct rm_container_status end = expect_completed(1);
    CU_ASSERT_EQUAL(end.exit_status, 3);
    CU_ASSERT_TRUE(slice_equal_string(end.diagnostics,
                                      "exited with code 3; last lines of stderr:\nfirst\nlast\n"));
    struct buf out;
    buf_open(&out, 0);
    CU_ASSERT_EQUAL_FATAL(
        file_read_whole(path_join(f.arena, f.directory, log_path(1, "stdout")), &out, NULL), OK);
    struct slice expected = arena_format(f.arena,
                                         "alice\n%s/apps/application_5_0001/containers/"
                                         "container_e01_5_0001_01_000001\nmillrace.token\ntmp\n",
                                         f.directory);
    CU_ASSERT_TRUE(slice_equal(buf_slice(&out), expected));
    buf_close(&out);
    CU_ASSERT_EQUAL(when_daemon_ends(false), 0);
    CU_ASSERT_FALSE(is_there("apps/application_5_0001/containers/container_e01_5_0001_01_000001"));
    CU_ASSERT_TRUE(is_there(log_path(1, "stdout")));
}

static void test_daemon__granted_container_is_started_and_stopped(void)
{
    given_daemon();
    struct rm_launch_spec launch = shell_launch("echo $$; exec sleep 1000");
    CU_ASSERT_EQUAL(when_start_asked(2, 2, "user:alice", &launch, NULL), OK);
    CU_ASSERT_EQUAL(when_start_asked(2, 2, "user:alice", &launch, NULL), OK);
    int64_t pid = number_of(expect_line(log_path(2, "stdout")));
    CU_ASSERT_EQUAL(when_stop_asked(2, "user:mallory"), ERR_DENIED);
    CU_ASSERT_EQUAL(when_stop_asked(2, "user:alice"), OK);
    struct rm_container_status end = expect_completed(2);
    CU_ASSERT_EQUAL(end.exit_status, -105);
    CU_ASSERT_TRUE(slice_equal_string(end.diagnostics, "enough"));
    expect_gone(pid);
    CU_ASSERT_EQUAL(when_start_asked(2, 2, "user:alice", &launch, NULL), ERR_STALE);
    CU_ASSERT_EQUAL(when_daemon_ends(false), 0);
}

static void test_daemon__grant_is_for_one_container_and_user(void)
{
    given_daemon();
    struct rm_launch_spec launch = shell_launch("true");
    CU_ASSERT_EQUAL(when_start_asked(2, 3, "user:alice", &launch, NULL), ERR_UNAUTHENTICATED);
    CU_ASSERT_EQUAL(when_start_asked(2, 2, "user:mallory", &launch, NULL), ERR_DENIED);
    CU_ASSERT_EQUAL(when_start_asked(2, 2, "user:millrace", &launch, NULL), ERR_DENIED);
    CU_ASSERT_EQUAL(when_start_asked(2, 2, "daemon:appmaster", &launch, NULL), OK);
    CU_ASSERT_EQUAL(expect_completed(2).exit_status, 0);
    CU_ASSERT_EQUAL(when_daemon_ends(false), 0);
}

static void test_daemon__program_that_is_not_there_is_told(void)
{
    given_daemon();
    struct slice name = slice_from_string("./no-such-program");
    struct rm_launch_spec launch = {.arguments = &name, .arguments_count = 1};
    struct error error = {.status = OK};
    CU_ASSERT_EQUAL(when_start_asked(2, 2, "user:alice", &launch, &error), ERR_CANCELLED);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "no-such-program"));
    CU_ASSERT_EQUAL(expect_completed(2).exit_status, -1000);
    CU_ASSERT_EQUAL(when_daemon_ends(false), 0);
}

static void test_daemon__resource_without_a_filesystem_is_told(void)
{
    given_daemon();
    struct rm_launch_spec launch = shell_launch("true");
    struct rm_local_resource resource = {.name = slice_from_string("job.so"),
                                         .path = slice_from_string("/job.so")};
    launch.resources = &resource;
    launch.resources_count = 1;
    struct error error = {.status = OK};
    CU_ASSERT_EQUAL(when_start_asked(2, 2, "user:alice", &launch, &error), ERR_CANCELLED);
    CU_ASSERT_PTR_NOT_NULL(strstr(error.text, "cannot fetch the job's files"));
    CU_ASSERT_EQUAL(expect_completed(2).exit_status, -1000);
    CU_ASSERT_EQUAL(when_daemon_ends(false), 0);
}

static void test_daemon__container_over_its_memory_is_killed(void)
{
    given_daemon();
    when_launch_commanded(1, 32 * MIB,
                          "x=$(head -c 100000000 /dev/zero | tr '\\0' x); exec sleep 1000");
    CU_ASSERT_EQUAL(expect_completed(1).exit_status, -104);
    CU_ASSERT_EQUAL(when_daemon_ends(false), 0);
}

/* The subshell may be refused a process and give up; who waits is the container. */
static const char too_many_script[] =
    "(i=0; while [ $i -lt 100 ]; do sleep 1000 & i=$((i + 1)); done; wait); exec sleep 1000";

static void test_daemon__container_with_too_many_processes_is_killed(void)
{
    given_daemon();
    when_launch_commanded(1, 512 * MIB, too_many_script);
    struct rm_container_status end = expect_completed(1);
    CU_ASSERT_EQUAL(end.exit_status, -110);
    CU_ASSERT_PTR_NOT_NULL(strstr((const char *)end.diagnostics.data, "its limit is 64"));
    CU_ASSERT_EQUAL(when_daemon_ends(false), 0);
}

static void test_daemon__processes_are_counted_without_control_groups(void)
{
    f.limits = "nodemgr.limits=polling";
    given_daemon();
    when_launch_commanded(1, 512 * MIB, too_many_script);
    CU_ASSERT_EQUAL(expect_completed(1).exit_status, -110);
    CU_ASSERT_EQUAL(when_daemon_ends(false), 0);
}

static void test_daemon__container_that_floods_its_log_is_killed(void)
{
    given_daemon();
    when_launch_commanded(1, 64 * MIB, "exec yes");
    CU_ASSERT_EQUAL(expect_completed(1).exit_status, -109);
    CU_ASSERT_EQUAL(when_daemon_ends(false), 0);
}

static void test_daemon__unknown_kind_of_limits_is_refused(void)
{
    const char *arguments[] = {"/proc/self/exe",
                               DAEMON_ARGUMENT,
                               "--cluster",
                               f.root,
                               "--dir",
                               f.directory,
                               "-D",
                               "nodemgr.limits=hope",
                               "-D",
                               "log.file=log",
                               NULL};
    struct process_spec spec = {.arguments = arguments,
                                .stderr_path = path_join(f.arena, f.root, "err")};
    struct process_exit exit = {.code = -1};
    struct buf said;
    int64_t pid = 0;
    CU_ASSERT_EQUAL_FATAL(process_spawn(&spec, &pid, NULL), OK);
    CU_ASSERT_EQUAL(process_wait(pid, &exit, NULL), OK);
    CU_ASSERT_EQUAL(process_exit_code(exit), 2);
    buf_open(&said, 0);
    CU_ASSERT_EQUAL(file_read_whole(spec.stderr_path, &said, NULL), OK);
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_string(&said), "auto, cgroup2, cgroup1 or polling"));
    buf_close(&said);
}

static void test_daemon__disk_that_cannot_be_written_gets_nothing_new(void)
{
    /* A folder in the place of the file: who may do everything cannot write it either. */
    CU_ASSERT_EQUAL_FATAL(
        directory_make_all(path_join(f.arena, f.directory, "apps/write-test"), 0755, NULL), OK);
    given_daemon();
    expect_unusable("cannot be written");
    CU_ASSERT_EQUAL(directory_remove(path_join(f.arena, f.directory, "apps/write-test"), NULL), OK);
    expect_unusable(NULL);
    CU_ASSERT_EQUAL(when_daemon_ends(false), 0);
}

static void test_daemon__deaf_container_is_killed_with_its_children(void)
{
    given_daemon();
    when_launch_commanded(
        1, 64 * MIB, "trap '' TERM; (trap '' TERM; echo $$; while :; do sleep 1; done) & wait");
    int64_t pid = number_of(expect_line(log_path(1, "stdout")));
    when_kill_commanded(1);
    CU_ASSERT_EQUAL(expect_completed(1).exit_status, -106);
    expect_gone(pid);
    CU_ASSERT_EQUAL(when_daemon_ends(false), 0);
}

static void test_daemon__nothing_outlives_a_killed_daemon(void)
{
    given_daemon();
    when_launch_commanded(1, 64 * MIB, "trap '' TERM; sleep 1000 & echo $! >&2; echo $$; wait");
    int64_t pid = number_of(expect_line(log_path(1, "stdout")));
    int64_t child = number_of(expect_line(log_path(1, "stderr")));
    CU_ASSERT_EQUAL(when_daemon_ends(true), 137);
    expect_gone(pid);
    expect_gone(child);
}

static void test_daemon__stop_ends_all_containers(void)
{
    given_daemon();
    when_launch_commanded(1, 64 * MIB, "echo $$; exec sleep 1000");
    int64_t pid = number_of(expect_line(log_path(1, "stdout")));
    CU_ASSERT_EQUAL(when_daemon_ends(false), 0);
    expect_gone(pid);
    CU_ASSERT_TRUE(has_unregistered());
}

static void test_daemon__restart_keeps_identity_and_applications(void)
{
    given_daemon();
    when_launch_commanded(1, 64 * MIB, "echo x > $MILLRACE_APP_DIR/output/0_0.run; echo done");
    CU_ASSERT_EQUAL(expect_completed(1).exit_status, 0);
    uint64_t node_id = f.node.node.node_id;
    (void)when_daemon_ends(true); /* its code is another test's */
    given_daemon();
    CU_ASSERT_EQUAL(f.node.node.node_id, node_id);
    CU_ASSERT_EQUAL(f.node.incarnation, 2);
    CU_ASSERT_EQUAL_FATAL(f.node.apps_count, 1);
    CU_ASSERT_EQUAL(f.node.apps[0].sequence, 1);
    CU_ASSERT_TRUE(is_there("apps/application_5_0001/output/0_0.run"));
    when_forget_commanded();
    when_launch_commanded(2, 64 * MIB, "true"); /* of a forgotten application */
    CU_ASSERT_EQUAL(expect_completed(2).exit_status, -100);
    CU_ASSERT_EQUAL(when_daemon_ends(false), 0);
    CU_ASSERT_FALSE(is_there("apps/application_5_0001"));
    CU_ASSERT_TRUE(is_there(log_path(1, "stdout")));
}

/* --- HTTP ------------------------------------------------------------------------------------- */
static void expect_body(const char *path, const char *expected)
{
    struct buf body;
    buf_open(&body, 0);
    CU_ASSERT_EQUAL(http_code_of(path, "user:alice", &body), 200);
    if (!slice_equal_string(buf_slice(&body), expected))
        printf("%s: %s\n", path, buf_string(&body));
    CU_ASSERT_TRUE(slice_equal_string(buf_slice(&body), expected));
    buf_close(&body);
}

#define LOGS      "/v1/logs/application_5_0001"
#define CONTAINER "container_e01_5_0001_01_000001"

static void test_daemon__logs_are_served_to_their_owner(void)
{
    given_daemon();
    when_launch_commanded(1, 64 * MIB, "printf 'one\\ntwo\\n'");
    CU_ASSERT_EQUAL(expect_completed(1).exit_status, 0);
    expect_body(LOGS "/" CONTAINER "/stdout", "one\ntwo\n");
    expect_body(LOGS "/" CONTAINER "/stdout?tail=4", "two\n");
    expect_body(LOGS "/" CONTAINER "/stdout?tail=400", "one\ntwo\n");
    expect_body(LOGS "/" CONTAINER "/stderr", "");
    expect_body(LOGS,
                "{\"containers\":[{\"container\":\"" CONTAINER "\",\"stdout\":8,\"stderr\":0}]}\n");
    CU_ASSERT_EQUAL(http_code_of(LOGS "/" CONTAINER "/stdout", NULL, NULL), 401);
    CU_ASSERT_EQUAL(http_code_of(LOGS "/" CONTAINER "/stdout", "user:bob", NULL), 403);
    CU_ASSERT_EQUAL(http_code_of(LOGS "/" CONTAINER "/stdout", "user:millrace", NULL), 401);
    CU_ASSERT_EQUAL(http_code_of(LOGS "/" CONTAINER "/stdout", "daemon:rm", NULL), 200);
    CU_ASSERT_EQUAL(http_code_of(LOGS "/container_e01_5_0001_01_000009/stdout", "user:alice", NULL),
                    404);
    CU_ASSERT_EQUAL(http_code_of("/v1/logs/application_5_0002", "user:alice", NULL), 404);
    static const char *const bad[] = {
        LOGS "/x%2f..%2f..%2f..%2fsecret",
        LOGS "/" CONTAINER "/..%2f..%2fowner",
        LOGS "/" CONTAINER "/core",
        LOGS "/container_e01_5_0002_01_000001/stdout",
        LOGS "/" CONTAINER "/stdout?tail=x",
        LOGS "/owner",
        "/v1/logs/",
        "/v1/logs/application_5_1",
    };
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CU_ASSERT_EQUAL(http_code_of(bad[i], "user:alice", NULL), 400);
    CU_ASSERT_EQUAL(when_daemon_ends(false), 0);
}

static void test_daemon__containers_are_listed(void)
{
    given_daemon();
    expect_body("/v1/containers", "{\"containers\":[]}");
    struct rm_launch_spec launch = shell_launch("exec sleep 1000");
    CU_ASSERT_EQUAL(when_start_asked(2, 2, "user:alice", &launch, NULL), OK);
    struct buf body;
    buf_open(&body, 0);
    CU_ASSERT_EQUAL(http_code_of("/v1/containers", "daemon:rm", &body), 200);
    CU_ASSERT_PTR_NOT_NULL(strstr(buf_string(&body), "\"CONTAINER_RUNNING\""));
    buf_close(&body);
    CU_ASSERT_EQUAL(http_code_of("/v1/containers", NULL, NULL), 401);
    CU_ASSERT_EQUAL(when_daemon_ends(false), 0);
}

static enum status run_append(void *user, struct slice data, struct error *reterr_error)
{
    return buf_append_slice(user, data) == OK ? OK : error_set(reterr_error, ERR_LIMIT, "run");
}

/* Writes a run of two partitions, one record in the second; returns the second's segment. */
static struct slice given_run(const char *path)
{
    struct buf content;
    struct run_writer writer;
    struct run_segment segment;
    buf_open(&content, 0);
    CU_ASSERT_EQUAL_FATAL(
        run_writer_open(&writer, (struct byte_sink){.user = &content, .append = run_append}, NULL),
        OK);
    CU_ASSERT_EQUAL_FATAL(run_writer_end_partition(&writer, &segment, NULL), OK);
    struct record record = {.key = slice_from_string("k"), .value = slice_from_string("v")};
    CU_ASSERT_EQUAL_FATAL(run_writer_add(&writer, record, NULL), OK);
    CU_ASSERT_EQUAL_FATAL(run_writer_end_partition(&writer, &segment, NULL), OK);
    CU_ASSERT_EQUAL_FATAL(run_writer_finish(&writer, NULL), OK);
    run_writer_close(&writer);
    CU_ASSERT_EQUAL_FATAL(file_replace(path_join(f.arena, f.directory, path), buf_slice(&content),
                                       FILE_PRIVATE, NULL),
                          OK);
    struct slice whole = arena_copy(f.arena, buf_slice(&content));
    buf_close(&content);
    return slice_sub(whole, (size_t)segment.offset, (size_t)segment.bytes);
}

#define SHUFFLE "/v1/shuffle/application_5_0001"

static void test_daemon__map_outputs_are_served_by_partition(void)
{
    given_daemon();
    when_launch_commanded(1, 64 * MIB, "true");
    CU_ASSERT_EQUAL(expect_completed(1).exit_status, 0);
    struct slice segment = given_run("apps/application_5_0001/output/12_1.run");
    struct buf body;
    buf_open(&body, 0);
    CU_ASSERT_EQUAL(http_code_of(SHUFFLE "/12_1/1", "user:alice", &body), 200);
    CU_ASSERT_TRUE(slice_equal(buf_slice(&body), segment));
    buf_close(&body);
    expect_body(SHUFFLE "/12_1/0", "");
    CU_ASSERT_EQUAL(http_code_of(SHUFFLE "/12_1/2", "user:alice", NULL), 404);
    CU_ASSERT_EQUAL(http_code_of(SHUFFLE "/12_0/0", "user:alice", NULL), 404);
    CU_ASSERT_EQUAL(http_code_of(SHUFFLE "/12_1/1", "user:bob", NULL), 403);
    CU_ASSERT_EQUAL(http_code_of(SHUFFLE "/12_1/1", NULL, NULL), 401);
    static const char *const bad[] = {SHUFFLE "/12_1",
                                      SHUFFLE "/12/1",
                                      SHUFFLE "/12_1/-1",
                                      SHUFFLE "/12_1/1/2",
                                      SHUFFLE "/12_1/4294967296",
                                      "/v1/shuffle/..%2f12_1/1"};
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        CU_ASSERT_EQUAL(http_code_of(bad[i], "user:alice", NULL), 400);
    CU_ASSERT_EQUAL(when_daemon_ends(false), 0);
}

static const struct unit_test tests[] = {
    {"test_daemon__registers_what_it_has",
     "A node manager registers with its capacity and says good-bye.",                                     test_daemon__registers_what_it_has                       },
    {"test_daemon__commanded_container_runs_in_its_own_world",
     "A commanded container runs in its folder and environment, and its end is told.",                    test_daemon__commanded_container_runs_in_its_own_world   },
    {"test_daemon__granted_container_is_started_and_stopped",
     "A granted container is started once, and stopped by its owner only.",                               test_daemon__granted_container_is_started_and_stopped    },
    {"test_daemon__grant_is_for_one_container_and_user",
     "A grant starts its own container for its own user.",                                                test_daemon__grant_is_for_one_container_and_user         },
    {"test_daemon__program_that_is_not_there_is_told",            "A program that is not there is told.",
     test_daemon__program_that_is_not_there_is_told                                                                                                                },
    {"test_daemon__resource_without_a_filesystem_is_told",
     "A resource that cannot be fetched is told.",                                                        test_daemon__resource_without_a_filesystem_is_told       },
    {"test_daemon__container_over_its_memory_is_killed",
     "A container that uses more memory than granted is killed.",                                         test_daemon__container_over_its_memory_is_killed         },
    {"test_daemon__container_with_too_many_processes_is_killed",
     "A container with too many processes is killed.",                                                    test_daemon__container_with_too_many_processes_is_killed },
    {"test_daemon__processes_are_counted_without_control_groups",
     "Processes are counted where there are no control groups.",                                          test_daemon__processes_are_counted_without_control_groups},
    {"test_daemon__container_that_floods_its_log_is_killed",
     "A container that floods its log is killed.",                                                        test_daemon__container_that_floods_its_log_is_killed     },
    {"test_daemon__unknown_kind_of_limits_is_refused",
     "A kind of limits that is not known is refused at the start.",                                       test_daemon__unknown_kind_of_limits_is_refused           },
    {"test_daemon__disk_that_cannot_be_written_gets_nothing_new",
     "A disk that cannot be written is told, and that it can be again.",                                  test_daemon__disk_that_cannot_be_written_gets_nothing_new},
    {"test_daemon__deaf_container_is_killed_with_its_children",
     "A container that ignores SIGTERM is killed with its children.",                                     test_daemon__deaf_container_is_killed_with_its_children  },
    {"test_daemon__nothing_outlives_a_killed_daemon",
     "No process outlives a node manager that was killed.",                                               test_daemon__nothing_outlives_a_killed_daemon            },
    {"test_daemon__stop_ends_all_containers",                     "A stop ends all containers.",
     test_daemon__stop_ends_all_containers                                                                                                                         },
    {"test_daemon__restart_keeps_identity_and_applications",
     "A restarted node manager is the same node and still has its applications.",                         test_daemon__restart_keeps_identity_and_applications     },
    {"test_daemon__logs_are_served_to_their_owner",
     "Logs are served to their owner and to daemons, and no other file is.",                              test_daemon__logs_are_served_to_their_owner              },
    {"test_daemon__containers_are_listed",                        "Containers are listed.",
     test_daemon__containers_are_listed                                                                                                                            },
    {"test_daemon__map_outputs_are_served_by_partition",
     "Map outputs are served by partition to their owner.",                                               test_daemon__map_outputs_are_served_by_partition         },
};

int main(int argc, char **argv)
{
    if (argc > 1 && strcmp(argv[1], DAEMON_ARGUMENT) == 0)
        return daemon_fixture_be_daemon(argc, argv);
    if (net_open(NULL, NULL) != OK)
        return EXIT_FAILURE;
    int code = unit_main(argc, argv, "nodemgr_daemon", tests, UNIT_COUNT(tests),
                         daemon_fixture_setup, daemon_fixture_teardown);
    net_close();
    return code;
}
