/*
 * test_process_handle.c - waiting for and signalling processes by a handle; who descends from whom.
 */
#include "lib/os/clock.h"
#include "lib/os/process_handle.h"
#include "tests/support/unit.h"

enum {
    PATIENCE_MS = 30000
};

struct fixture {
    struct arena *arena;
    struct error error;
    int64_t pid;
};

static struct fixture f;

static void setup(void)
{
    f = (struct fixture){.arena = arena_open(0)};
}

static void teardown(void)
{
    arena_close(f.arena);
}

static void given_shell(const char *script)
{
    const char *arguments[] = {"sh", "-c", script, NULL};
    struct process_spec spec = {.arguments = arguments, .own_group = true};
    CU_ASSERT_EQUAL_FATAL(process_spawn(&spec, &f.pid, &f.error), OK);
}

static void reap(void)
{
    struct process_exit exit;
    CU_ASSERT_EQUAL(process_wait(f.pid, &exit, &f.error), OK);
}

static void test_process_handle__end_is_waited_for(void)
{
    struct process_handle *handle = NULL;
    given_shell("exec sleep 1000");
    CU_ASSERT_EQUAL_FATAL(process_handle_open(f.pid, &handle, &f.error), OK);
    CU_ASSERT_EQUAL(process_handle_pid(handle), f.pid);
    CU_ASSERT_FALSE(process_handle_wait(handle, clock_monotonic_ms() + 1));
    CU_ASSERT_EQUAL(process_handle_signal(handle, PROCESS_KILL), OK);
    CU_ASSERT_TRUE(process_handle_wait(handle, clock_monotonic_ms() + PATIENCE_MS));
    reap();
    CU_ASSERT_TRUE(process_handle_wait(handle, 0));
    CU_ASSERT_EQUAL(process_handle_signal(handle, PROCESS_KILL), ERR_NOT_FOUND);
    process_handle_close(handle);
    CU_ASSERT_EQUAL(process_handle_open(f.pid, &handle, &f.error), ERR_NOT_FOUND);
}

static void test_process_handle__descendants_are_found(void)
{
    const int64_t *pids = NULL;
    size_t count = 0;
    given_shell("(sleep 1000; :) & wait");
    int64_t deadline_ms = clock_monotonic_ms() + PATIENCE_MS;
    while (count < 2 && clock_monotonic_ms() < deadline_ms)
        CU_ASSERT_EQUAL_FATAL(process_descendants(f.pid, f.arena, &pids, &count, &f.error), OK);
    CU_ASSERT_EQUAL(count, 2);
    for (size_t i = 0; i < count; i++)
        CU_ASSERT_TRUE(pids[i] != f.pid && pids[i] != process_self());
    CU_ASSERT_EQUAL(process_descendants(process_self(), f.arena, &pids, &count, &f.error), OK);
    CU_ASSERT_EQUAL(count, 3);
    CU_ASSERT_EQUAL(process_signal_group(f.pid, PROCESS_KILL), OK);
    reap();
    CU_ASSERT_EQUAL(process_descendants(f.pid, f.arena, &pids, &count, &f.error), OK);
    CU_ASSERT_EQUAL(count, 0);
}

static const struct unit_test tests[] = {
    {"test_process_handle__end_is_waited_for",
     "A process is signalled and waited for by its handle, also when its number is free again.", test_process_handle__end_is_waited_for    },
    {"test_process_handle__descendants_are_found",
     "All descendants of a process are found, and nobody else.",                                 test_process_handle__descendants_are_found},
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "os/process_handle", tests, UNIT_COUNT(tests),
                     setup, teardown);
}
