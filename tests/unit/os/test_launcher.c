/*
 * test_launcher.c - the launcher's four promises.
 */
#include <stdio.h>
#include <string.h>

#include "lib/base/mem.h"
#include "lib/os/clock.h"
#include "lib/os/directory.h"
#include "lib/os/file.h"
#include "lib/os/launcher.h"
#include "lib/os/thread.h"
#include "lib/os/usage.h"
#include "tests/support/unit.h"

enum {
    PATIENCE_MS = 20000,
    ENDED_MAX = 64
};

struct ended_row {
    uint64_t tag;
    int64_t pid;
    struct process_exit exit;
};

struct fixture {
    struct arena *arena;
    const char *directory;
    struct launcher *launcher;
    struct mutex *mutex;
    struct condition *changed;
    struct ended_row ended[ENDED_MAX];
    size_t ended_count;
    bool is_lost;
    struct error error;
};

static struct fixture f;

static void take_ended(void *user, uint64_t tag, int64_t pid, struct process_exit exit)
{
    (void)user;
    mutex_lock(f.mutex);
    if (f.ended_count < ENDED_MAX)
        f.ended[f.ended_count++] = (struct ended_row){.tag = tag, .pid = pid, .exit = exit};
    condition_broadcast(f.changed);
    mutex_unlock(f.mutex);
}

static void take_lost(void *user)
{
    (void)user;
    mutex_lock(f.mutex);
    f.is_lost = true;
    condition_broadcast(f.changed);
    mutex_unlock(f.mutex);
}

static void setup(void)
{
    f = (struct fixture){.arena = arena_open(0), .mutex = mutex_open()};
    f.changed = condition_open();
    CU_ASSERT_EQUAL_FATAL(
        directory_make_temporary("/tmp/millrace-test-", f.arena, &f.directory, &f.error), OK);
    CU_ASSERT_EQUAL_FATAL(launcher_open(&f.launcher, &f.error), OK);
    struct launcher_host host = {.ended = take_ended, .lost = take_lost};
    CU_ASSERT_EQUAL_FATAL(launcher_start(f.launcher, &host, &f.error), OK);
}

static void teardown(void)
{
    launcher_close(f.launcher);
    CU_ASSERT_EQUAL(directory_remove_tree(f.directory, &f.error), OK);
    condition_close(f.changed);
    mutex_close(f.mutex);
    arena_close(f.arena);
}

static const char *in(const char *name)
{
    return path_join(f.arena, f.directory, name);
}

static enum status launch(uint64_t tag, const char *script, int64_t *ret_pid)
{
    const char *arguments[] = {"sh", "-c", script, NULL};
    const char *environment[] = {"PATH=/usr/bin:/bin", "WORD=hello", NULL};
    struct process_spec spec = {
        .arguments = arguments,
        .environment = environment,
        .directory = f.directory,
        .stdout_path = in("stdout"),
        .stderr_path = in("stderr"),
    };
    return launcher_launch(f.launcher, tag, &spec, ret_pid, &f.error);
}

static void expect_ended(size_t count)
{
    int64_t deadline_ms = clock_monotonic_ms() + PATIENCE_MS;
    mutex_lock(f.mutex);
    bool in_time = true;
    while (f.ended_count < count && in_time)
        in_time = condition_wait_until(f.changed, f.mutex, deadline_ms);
    CU_ASSERT_EQUAL(f.ended_count, count);
    mutex_unlock(f.mutex);
}

/* Polls a process that is not ours to wait for. */
static void expect_gone(int64_t pid)
{
    int64_t deadline_ms = clock_monotonic_ms() + PATIENCE_MS;
    struct usage usage = {.processes = 1};
    while (usage.processes > 0 && clock_monotonic_ms() < deadline_ms) {
        CU_ASSERT_EQUAL(usage_of_trees(&pid, 1, &usage, &f.error), OK);
        clock_sleep_until_ms(clock_monotonic_ms() + 1);
    }
    CU_ASSERT_EQUAL(usage.processes, 0);
}

/* The number a script wrote to a file, once it is there. */
static int64_t wait_for_number(const char *name)
{
    int64_t deadline_ms = clock_monotonic_ms() + PATIENCE_MS;
    while (clock_monotonic_ms() < deadline_ms) {
        struct buf buf;
        uint64_t number = 0;
        buf_open(&buf, 64);
        enum status status = file_read_whole(in(name), &buf, NULL);
        struct slice whole = buf_slice(&buf);
        bool is_there = status == OK && slice_find(whole, '\n') < whole.length &&
                        slice_parse_u64(slice_sub(whole, 0, slice_find(whole, '\n')), &number);
        buf_close(&buf);
        if (is_there)
            return (int64_t)number;
        clock_sleep_until_ms(clock_monotonic_ms() + 1);
    }
    CU_FAIL_FATAL("the script wrote no number");
    return 0;
}

static void test_launcher__starts_and_tells_the_end(void)
{
    int64_t pid = 0;
    CU_ASSERT_EQUAL_FATAL(launch(41, "echo $WORD; exit 3", &pid), OK);
    expect_ended(1);
    CU_ASSERT_EQUAL(f.ended[0].tag, 41);
    CU_ASSERT_EQUAL(f.ended[0].pid, pid);
    CU_ASSERT_EQUAL(process_exit_code(f.ended[0].exit), 3);
    struct buf buf;
    buf_open(&buf, 64);
    CU_ASSERT_EQUAL(file_read_whole(in("stdout"), &buf, &f.error), OK);
    CU_ASSERT_STRING_EQUAL(buf_string(&buf), "hello\n");
    buf_close(&buf);
}

static void test_launcher__failed_start_is_told_and_has_no_end(void)
{
    const char *arguments[] = {"/no/such/program", NULL};
    struct process_spec spec = {.arguments = arguments};
    int64_t pid = 0;
    CU_ASSERT_EQUAL(launcher_launch(f.launcher, 1, &spec, &pid, &f.error), ERR_NOT_FOUND);
    CU_ASSERT_PTR_NOT_NULL(strstr(f.error.text, "/no/such/program"));
    CU_ASSERT_EQUAL_FATAL(launch(2, "exit 0", &pid), OK);
    expect_ended(1);
    CU_ASSERT_EQUAL(f.ended[0].tag, 2);
}

static void test_launcher__too_big_a_request_is_refused(void)
{
    char *word = mem_new(LAUNCHER_REQUEST_BYTES + 1);
    memset(word, 'x', LAUNCHER_REQUEST_BYTES);
    const char *arguments[] = {"echo", word, NULL};
    struct process_spec spec = {.arguments = arguments};
    int64_t pid = 0;
    CU_ASSERT_EQUAL(launcher_launch(f.launcher, 1, &spec, &pid, &f.error), ERR_LIMIT);
    mem_free(word);
    CU_ASSERT_EQUAL(launch(2, "exit 0", &pid), OK);
}

static void test_launcher__signals_reach_the_group(void)
{
    int64_t pid = 0;
    CU_ASSERT_EQUAL_FATAL(launch(1, "sleep 600 & echo $! > child; wait", &pid), OK);
    int64_t child = wait_for_number("child");
    CU_ASSERT_EQUAL(launcher_signal(f.launcher, pid, PROCESS_TERMINATE, &f.error), OK);
    expect_ended(1);
    CU_ASSERT_EQUAL(process_exit_code(f.ended[0].exit), 143);
    expect_gone(child);
    CU_ASSERT_EQUAL(launcher_signal(f.launcher, pid, PROCESS_KILL, &f.error), ERR_NOT_FOUND);
    CU_ASSERT_EQUAL(launcher_signal(f.launcher, process_self(), PROCESS_KILL, &f.error),
                    ERR_NOT_FOUND);
}

static void test_launcher__group_ends_with_its_leader(void)
{
    int64_t pid = 0;
    CU_ASSERT_EQUAL_FATAL(launch(1, "sleep 600 & echo $! > child; exit 0", &pid), OK);
    expect_ended(1);
    expect_gone(wait_for_number("child"));
}

static void test_launcher__many_at_once_each_end_once(void)
{
    for (uint64_t tag = 0; tag < 40; tag++) {
        int64_t pid = 0;
        CU_ASSERT_EQUAL_FATAL(launch(tag, tag % 2 == 0 ? "exit 0" : "kill -KILL $$", &pid), OK);
    }
    expect_ended(40);
    uint64_t seen = 0;
    for (size_t i = 0; i < f.ended_count; i++) {
        seen |= UINT64_C(1) << f.ended[i].tag;
        CU_ASSERT_EQUAL(process_exit_code(f.ended[i].exit), f.ended[i].tag % 2 == 0 ? 0 : 137);
    }
    CU_ASSERT_EQUAL(seen, (UINT64_C(1) << 40) - 1);
}

static void test_launcher__close_leaves_nothing_behind(void)
{
    int64_t pid = 0;
    /* The grandchild leaves group and session: only the subreaper can find it. */
    CU_ASSERT_EQUAL_FATAL(launch(1, "trap '' TERM; setsid sleep 600 & echo $! > child; wait", &pid),
                          OK);
    int64_t child = wait_for_number("child");
    launcher_close(f.launcher);
    f.launcher = NULL;
    CU_ASSERT_FALSE(process_is_alive(pid));
    CU_ASSERT_FALSE(process_is_alive(child));
    CU_ASSERT_FALSE(f.is_lost);
}

static void test_launcher__its_death_is_told_and_kills_the_containers(void)
{
    int64_t pid = 0;
    CU_ASSERT_EQUAL_FATAL(launch(1, "echo $$ > child; exec sleep 600", &pid), OK);
    (void)wait_for_number("child");
    CU_ASSERT_EQUAL(process_signal(launcher_pid(f.launcher), PROCESS_KILL), OK);
    int64_t deadline_ms = clock_monotonic_ms() + PATIENCE_MS;
    mutex_lock(f.mutex);
    bool in_time = true;
    while (!f.is_lost && in_time)
        in_time = condition_wait_until(f.changed, f.mutex, deadline_ms);
    CU_ASSERT_TRUE(f.is_lost);
    mutex_unlock(f.mutex);
    expect_gone(pid);
    CU_ASSERT_EQUAL(launch(2, "exit 0", &pid), ERR_UNAVAILABLE);
}

/* Run as a child of the test: opens a launcher, starts containers, and is then killed. */
static int run_owner(const char *directory)
{
    struct fixture *fixture = &f;
    *fixture = (struct fixture){.arena = arena_open(0), .mutex = mutex_open()};
    fixture->changed = condition_open();
    fixture->directory = directory;
    struct launcher_host host = {.ended = take_ended, .lost = take_lost};
    int64_t pid = 0;
    if (launcher_open(&fixture->launcher, NULL) != OK ||
        launcher_start(fixture->launcher, &host, NULL) != OK ||
        launch(1, "setsid sleep 600 & echo $! > grandchild; echo $$ > child; wait", &pid) != OK)
        return 1;
    const char *path = in("launcher");
    struct slice number =
        arena_format(fixture->arena, "%lld\n", (long long)launcher_pid(fixture->launcher));
    if (file_replace(path, number, FILE_PUBLIC, NULL) != OK)
        return 1;
    mutex_lock(fixture->mutex);
    for (;;) /* until killed */
        condition_wait(fixture->changed, fixture->mutex);
}

static void test_launcher__killed_owner_leaves_nothing_behind(void)
{
    const char *arguments[] = {"/proc/self/exe", "--owner", f.directory, NULL};
    struct process_spec spec = {.arguments = arguments};
    int64_t owner = 0;
    CU_ASSERT_EQUAL_FATAL(process_spawn(&spec, &owner, &f.error), OK);
    int64_t child = wait_for_number("child");
    int64_t grandchild = wait_for_number("grandchild");
    int64_t launcher = wait_for_number("launcher");
    CU_ASSERT_TRUE(process_is_alive(child) && process_is_alive(grandchild));
    struct process_exit exit;
    CU_ASSERT_EQUAL(process_signal(owner, PROCESS_KILL), OK);
    CU_ASSERT_EQUAL(process_wait(owner, &exit, &f.error), OK);
    expect_gone(launcher);
    expect_gone(child);
    expect_gone(grandchild);
}

static const struct unit_test tests[] = {
    {"test_launcher__starts_and_tells_the_end",                   "A launched process runs and its end is told.",
     test_launcher__starts_and_tells_the_end                                                                                                                                },
    {"test_launcher__failed_start_is_told_and_has_no_end",
     "A start that fails is told, and has no end.",                                                                test_launcher__failed_start_is_told_and_has_no_end       },
    {"test_launcher__too_big_a_request_is_refused",               "A request that is too big is refused.",
     test_launcher__too_big_a_request_is_refused                                                                                                                            },
    {"test_launcher__signals_reach_the_group",
     "A signal reaches the whole group, and never a process that is not ours.",                                    test_launcher__signals_reach_the_group                   },
    {"test_launcher__group_ends_with_its_leader",                 "What is left of a group ends with its leader.",
     test_launcher__group_ends_with_its_leader                                                                                                                              },
    {"test_launcher__many_at_once_each_end_once",                 "Of many processes each has one end.",
     test_launcher__many_at_once_each_end_once                                                                                                                              },
    {"test_launcher__close_leaves_nothing_behind",                "Closing the launcher leaves nothing behind.",
     test_launcher__close_leaves_nothing_behind                                                                                                                             },
    {"test_launcher__its_death_is_told_and_kills_the_containers",
     "When the launcher dies its owner is told and its containers die.",                                           test_launcher__its_death_is_told_and_kills_the_containers},
    {"test_launcher__killed_owner_leaves_nothing_behind",
     "When the owner is killed the launcher kills everything and ends.",                                           test_launcher__killed_owner_leaves_nothing_behind        },
};

int main(int argument_count, char **arguments)
{
    if (argument_count == 3 && strcmp(arguments[1], "--owner") == 0)
        return run_owner(arguments[2]);
    return unit_main(argument_count, arguments, "os/launcher", tests, UNIT_COUNT(tests), setup,
                     teardown);
}
