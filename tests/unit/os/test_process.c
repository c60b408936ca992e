/*
 * test_process.c - children: their environment, exit, limits, and what goes wrong before exec.
 */
#include <string.h>

#include "lib/base/fault.h"
#include "lib/os/clock.h"
#include "lib/os/directory.h"
#include "lib/os/file.h"
#include "lib/os/host.h"
#include "lib/os/process.h"
#include "lib/os/usage.h"
#include "tests/support/unit.h"

struct fixture {
    struct arena *arena;
    const char *directory;
    const char *output;
    struct error error;
};

static struct fixture f;

static void setup(void)
{
    f = (struct fixture){.arena = arena_open(0)};
    CU_ASSERT_EQUAL_FATAL(
        directory_make_temporary("/tmp/millrace-test-", f.arena, &f.directory, &f.error), OK);
    f.output = path_join(f.arena, f.directory, "output");
}

static void teardown(void)
{
    fault_disarm_all();
    CU_ASSERT_EQUAL(directory_remove_tree(f.directory, &f.error), OK);
    arena_close(f.arena);
}

/* Runs "sh -c script" with the rest of spec and returns how it ended. */
static struct process_exit run_shell(const char *script, struct process_spec spec)
{
    const char *arguments[] = {"sh", "-c", script, NULL};
    spec.arguments = arguments;
    int64_t pid = 0;
    struct process_exit exit = {.code = -1};
    CU_ASSERT_EQUAL_FATAL(process_spawn(&spec, &pid, &f.error), OK);
    CU_ASSERT_EQUAL(process_wait(pid, &exit, &f.error), OK);
    return exit;
}

static void expect_output(const char *expected)
{
    struct buf buf;
    buf_open(&buf, 1 << 16);
    CU_ASSERT_EQUAL(file_read_whole(f.output, &buf, &f.error), OK);
    CU_ASSERT_STRING_EQUAL(buf_string(&buf), expected);
    buf_close(&buf);
}

static void test_process__child_gets_what_the_spec_says(void)
{
    const char *environment[] = {"PATH=/usr/bin:/bin", "WORD=hello", NULL};
    struct process_spec spec = {
        .environment = environment,
        .directory = f.directory,
        .stdout_path = f.output,
        .stderr_path = f.output,
    };
    struct process_exit exit =
        run_shell("pwd; echo $WORD; echo err >&2; wc -c; ls /proc/self/fd | wc -l; exit 7", spec);
    CU_ASSERT_FALSE(exit.by_signal);
    CU_ASSERT_EQUAL(exit.code, 7);
    /* Descriptors of ls: 0, 1, 2 and the one it lists with. */
    const char *expected =
        (const char *)arena_format(f.arena, "%s\nhello\nerr\n0\n4\n", f.directory).data;
    expect_output(expected);
}

static void test_process__signal_and_exit_code_are_told_apart(void)
{
    struct process_exit exit = run_shell("kill -TERM $$", (struct process_spec){.own_group = true});
    CU_ASSERT_TRUE(exit.by_signal);
    CU_ASSERT_EQUAL(exit.code, 15);
    CU_ASSERT_EQUAL(process_exit_code(exit), 143);
    exit = run_shell("exit 143", (struct process_spec){.own_session = true});
    CU_ASSERT_FALSE(exit.by_signal);
    CU_ASSERT_EQUAL(process_exit_code(exit), 143);
}

static void test_process__failures_before_exec_are_told(void)
{
    const char *missing[] = {"no-such-program-here", NULL};
    const char *missing_path[] = {"/no/such/program", NULL};
    const char *fine[] = {"true", NULL};
    int64_t pid = 0;
    struct process_spec spec = {.arguments = missing};
    CU_ASSERT_EQUAL(process_spawn(&spec, &pid, &f.error), ERR_NOT_FOUND);
    spec.arguments = missing_path;
    CU_ASSERT_EQUAL(process_spawn(&spec, &pid, &f.error), ERR_NOT_FOUND);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.error.text, "execute"));
    spec.arguments = fine;
    spec.directory = "/no/such/directory";
    CU_ASSERT_EQUAL(process_spawn(&spec, &pid, &f.error), ERR_NOT_FOUND);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.error.text, "directory"));
    spec.directory = NULL;
    spec.stdout_path = f.directory;
    CU_ASSERT_EQUAL(process_spawn(&spec, &pid, &f.error), ERR_IS_DIRECTORY);
    spec.stdout_path = NULL;
    fault_arm(FAULT_SPAWN, 1, 1);
    CU_ASSERT_EQUAL(process_spawn(&spec, &pid, &f.error), ERR_NO_MEMORY);
}

static void test_process__limits_hold(void)
{
    struct process_spec spec = {.stdout_path = f.output, .limits = {.open_files = 17}};
    CU_ASSERT_EQUAL(run_shell("ulimit -n; ulimit -c", spec).code, 0);
    expect_output("17\n0\n");
}

static void test_process__group_is_killed_together(void)
{
    const char *arguments[] = {"sh", "-c", "sleep 600 & sleep 600 & echo ready; wait", NULL};
    struct process_spec spec = {.arguments = arguments,
                                .stdout_path = f.output,
                                .own_group = true,
                                .dies_with_parent = true};
    int64_t pid = 0;
    CU_ASSERT_EQUAL_FATAL(process_spawn(&spec, &pid, &f.error), OK);
    struct usage usage = {.processes = 0};
    int64_t deadline_ms = clock_monotonic_ms() + 10000;
    while (usage.processes < 3 && clock_monotonic_ms() < deadline_ms)
        CU_ASSERT_EQUAL(usage_of_trees(&pid, 1, &usage, &f.error), OK);
    CU_ASSERT_EQUAL(usage.processes, 3);
    CU_ASSERT_TRUE(usage.resident_bytes > 0);
    bool has_ended = true;
    struct process_exit exit = {.code = -1};
    CU_ASSERT_EQUAL(process_poll(pid, &has_ended, &exit, &f.error), OK);
    CU_ASSERT_FALSE(has_ended);
    CU_ASSERT_EQUAL(process_signal_group(pid, PROCESS_KILL), OK);
    CU_ASSERT_EQUAL(process_wait(pid, &exit, &f.error), OK);
    CU_ASSERT_EQUAL(process_exit_code(exit), 137);
    while (usage.processes > 0 && clock_monotonic_ms() < deadline_ms)
        CU_ASSERT_EQUAL(usage_of_trees(&pid, 1, &usage, &f.error), OK);
    CU_ASSERT_EQUAL(usage.processes, 0);
    CU_ASSERT_FALSE(process_is_alive(pid));
    CU_ASSERT_EQUAL(process_signal(pid, PROCESS_KILL), ERR_NOT_FOUND);
}

static void test_host__facts_are_plausible(void)
{
    CU_ASSERT_TRUE(host_cpu_count() >= 1);
    CU_ASSERT_TRUE(host_memory_bytes() > (64u << 20));
    CU_ASSERT_TRUE(strlen(host_name(f.arena)) > 0);
    CU_ASSERT_TRUE(strlen(host_user_name(f.arena, host_uid())) > 0);
    CU_ASSERT_STRING_EQUAL(host_user_name(f.arena, 3999999999u), "3999999999");
    CU_ASSERT_TRUE(host_program_directory(f.arena)[0] == '/');
    CU_ASSERT_NOT_EQUAL(host_random_u64(), host_random_u64());
    host_environment_set("MILLRACE_TEST_WORD", "x");
    CU_ASSERT_STRING_EQUAL(host_environment("MILLRACE_TEST_WORD"), "x");
    host_environment_set("MILLRACE_TEST_WORD", NULL);
    CU_ASSERT_PTR_NULL(host_environment("MILLRACE_TEST_WORD"));
    struct usage usage;
    CU_ASSERT_EQUAL(usage_of_self(&usage, &f.error), OK);
    CU_ASSERT_TRUE(usage.resident_bytes > 0 && usage.threads >= 1);
}

static void test_clock__wall_time_is_formatted(void)
{
    char text[CLOCK_TEXT_BYTES];
    clock_format_wall(1769853600123, text);
    CU_ASSERT_STRING_EQUAL(text, "2026-01-31T10:00:00.123Z");
    clock_format_wall(0, text);
    CU_ASSERT_STRING_EQUAL(text, "1970-01-01T00:00:00.000Z");
    clock_format_wall(-1, text);
    CU_ASSERT_STRING_EQUAL(text, "1969-12-31T23:59:59.999Z");
    int64_t before_ms = clock_monotonic_ms();
    clock_sleep_until_ms(before_ms + 2);
    CU_ASSERT_TRUE(clock_monotonic_ms() >= before_ms + 2);
}

static const struct unit_test tests[] = {
    {"test_process__child_gets_what_the_spec_says",
     "A child gets the environment, directory, outputs and no descriptor but those.",                         test_process__child_gets_what_the_spec_says      },
    {"test_process__signal_and_exit_code_are_told_apart",
     "Death by a signal and an exit code are told apart.",                                                    test_process__signal_and_exit_code_are_told_apart},
    {"test_process__failures_before_exec_are_told",       "What fails before exec is named.",
     test_process__failures_before_exec_are_told                                                                                                               },
    {"test_process__limits_hold",                         "Limits hold in the child.",                        test_process__limits_hold                        },
    {"test_process__group_is_killed_together",            "A process group dies together.",
     test_process__group_is_killed_together                                                                                                                    },
    {"test_host__facts_are_plausible",                    "Facts about the host are plausible.",
     test_host__facts_are_plausible                                                                                                                            },
    {"test_clock__wall_time_is_formatted",                "Wall time is formatted as UTC with milliseconds.",
     test_clock__wall_time_is_formatted                                                                                                                        },
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "os/process", tests, UNIT_COUNT(tests), setup,
                     teardown);
}
