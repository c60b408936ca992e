/*
 * test_crash.c - lib/os/crash.h. Each case runs in a child, whose last words the parent reads.
 */
#include "lib/os/crash.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/support/unit.h"

static struct fixture {
    char words[2000];
    int status;
} f;

static void setup(void)
{
    f = (struct fixture){0};
}

static void in_child(void (*function)(void))
{
    int pipe_ends[2];
    size_t length = 0;
    ssize_t bytes;
    pid_t pid;

    CU_ASSERT_EQUAL_FATAL(pipe(pipe_ends), 0);
    (void)fflush(stdout);
    pid = fork();
    CU_ASSERT_TRUE_FATAL(pid >= 0);
    if (pid == 0) {
        struct rlimit none = {0, 0};
        (void)setrlimit(RLIMIT_CORE, &none);
        (void)dup2(pipe_ends[1], STDERR_FILENO);
        function();
        _exit(3);
    }
    (void)close(pipe_ends[1]);
    while ((bytes = read(pipe_ends[0], f.words + length, sizeof(f.words) - 1 - length)) > 0)
        length += (size_t)bytes;
    (void)close(pipe_ends[0]);
    CU_ASSERT_EQUAL_FATAL(waitpid(pid, &f.status, 0), pid);
}

static struct crash_scene scene = {.before = "task 1: map", .behind = "/in/a", .position = 4096};

static void enter(void)
{
    struct error error;
    if (crash_guard_open(&error) != OK)
        _exit(4);
    crash_guard_enter(&scene);
}

static void segfault(void)
{
    enter();
    (void)raise(SIGSEGV);
}

static void test_crash__line_names_scene_and_signal(void)
{
    in_child(segfault);
    CU_ASSERT_TRUE(WIFSIGNALED(f.status));
    CU_ASSERT_EQUAL(WTERMSIG(f.status), SIGSEGV);
    CU_ASSERT_STRING_EQUAL(f.words,
                           "task 1: map at byte 4096 of /in/a crashed: signal 11 (SIGSEGV)\n");
}

static void abort_without_place(void)
{
    enter();
    scene.behind[0] = '\0';
    abort();
}

static void test_crash__abort_is_a_crash_and_the_place_may_be_unknown(void)
{
    in_child(abort_without_place);
    CU_ASSERT_TRUE(WIFSIGNALED(f.status));
    CU_ASSERT_EQUAL(WTERMSIG(f.status), SIGABRT);
    CU_ASSERT_STRING_EQUAL(f.words, "task 1: map crashed: signal 6 (SIGABRT)\n");
}

/* Never inlined into a loop: each level keeps its array. */
static unsigned recurse(unsigned depth)
{
    volatile char room[4096];
    room[depth % sizeof(room)] = (char)depth;
    return depth == UINT32_MAX ? 0 : recurse(depth + 1) + (unsigned)room[depth % sizeof(room)];
}

static void overflow_the_stack(void)
{
    enter();
    _exit((int)(recurse(0) & 1));
}

static void test_crash__full_stack_is_reported(void)
{
    in_child(overflow_the_stack);
    CU_ASSERT_TRUE(WIFSIGNALED(f.status));
    CU_ASSERT_PTR_NOT_NULL(strstr(f.words, "crashed: signal 11 (SIGSEGV)"));
}

static void call_exit(void)
{
    enter();
    exit(0);
}

static void test_crash__exit_from_inside_is_not_success(void)
{
    in_child(call_exit);
    CU_ASSERT_TRUE(WIFEXITED(f.status));
    CU_ASSERT_EQUAL(WEXITSTATUS(f.status), CRASH_EXIT_CODE);
    CU_ASSERT_STRING_EQUAL(f.words, "task 1: map at byte 4096 of /in/a called exit()\n");
}

static void leave_and_exit(void)
{
    enter();
    crash_guard_leave();
    exit(5);
}

static void leave_and_crash(void)
{
    enter();
    crash_guard_leave();
    (void)raise(SIGFPE);
}

static void test_crash__outside_of_a_scene_nothing_is_said(void)
{
    in_child(leave_and_exit);
    CU_ASSERT_TRUE(WIFEXITED(f.status));
    CU_ASSERT_EQUAL(WEXITSTATUS(f.status), 5);
    CU_ASSERT_STRING_EQUAL(f.words, "");
    in_child(leave_and_crash);
    CU_ASSERT_TRUE(WIFSIGNALED(f.status));
    CU_ASSERT_EQUAL(WTERMSIG(f.status), SIGFPE);
    CU_ASSERT_STRING_EQUAL(f.words, "");
}

static const struct unit_test tests[] = {
    {"test_crash__line_names_scene_and_signal",                   "The line names scene and signal.",
     test_crash__line_names_scene_and_signal                                                                                                                      },
    {"test_crash__abort_is_a_crash_and_the_place_may_be_unknown",
     "An abort is a crash, and the place may be unknown.",                                               test_crash__abort_is_a_crash_and_the_place_may_be_unknown},
    {"test_crash__full_stack_is_reported",                        "A full stack is reported.",
     test_crash__full_stack_is_reported                                                                                                                           },
    {"test_crash__exit_from_inside_is_not_success",               "exit() from inside is not success.",
     test_crash__exit_from_inside_is_not_success                                                                                                                  },
    {"test_crash__outside_of_a_scene_nothing_is_said",            "Outside of a scene nothing is said.",
     test_crash__outside_of_a_scene_nothing_is_said                                                                                                               },
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "os/crash", tests, UNIT_COUNT(tests), setup, NULL);
}
