/*
 * unit_memory.c - a program's tests once more, each many times: in a process of its own the n-th
 * allocation that must not fail finds no memory. Then the process ends at once, with its exit code
 * and one sentence: it is not heard again, so nothing that the unfinished step wanted to do is
 * done.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CUnit/Basic.h>

#include "lib/base/fault.h"
#include "lib/base/mem.h"
#include "tests/support/unit.h"

enum {
    SWEEP_ALL = 64,        /* so many allocations, or fewer: each of them */
    SWEEP_SURVIVED = 0,    /* exit codes of the children */
    SWEEP_WENT_ON = 99,    /* the allocation failed and the test went on */
    SWEEP_TEXT_BYTES = 512 /* of what a child said last */
};

/* In the child; does not return. */
static _Noreturn void sweep_run(CU_pSuite suite, CU_pTest test, uint64_t nth, int output)
{
    (void)dup2(output, STDOUT_FILENO);
    (void)dup2(output, STDERR_FILENO);
    CU_basic_set_mode(CU_BRM_SILENT);
    fault_arm(FAULT_MEM_NEW, nth, FAULT_FOREVER);
    (void)CU_basic_run_test(suite, test);
    if (fault_failures(FAULT_MEM_NEW) > 0)
        _exit(SWEEP_WENT_ON);
    uint64_t calls = fault_calls(FAULT_MEM_NEW);
    if (pwrite(output, &calls, sizeof(calls), 0) != (ssize_t)sizeof(calls))
        _exit(SWEEP_WENT_ON);
    _exit(SWEEP_SURVIVED);
}

/* How the child ended, what it said last, and, when it survived, its allocations. */
static int sweep_child(
    CU_pSuite suite, CU_pTest test, uint64_t nth, char *text, uint64_t *ret_calls)
{
    char name[] = "/tmp/millrace-sweep-XXXXXX";
    int output = mkostemp(name, O_CLOEXEC);
    if (output < 0)
        return UNIT_NO_EXIT_CODE;
    (void)unlink(name);
    (void)fflush(NULL);
    int exit_state = 0;
    pid_t child = fork();
    if (child == 0)
        sweep_run(suite, test, nth, output);
    if (child < 0 || waitpid(child, &exit_state, 0) != child) {
        (void)close(output);
        return UNIT_NO_EXIT_CODE;
    }
    off_t end = lseek(output, 0, SEEK_END);
    off_t begin = end < SWEEP_TEXT_BYTES ? 0 : end - (SWEEP_TEXT_BYTES - 1);
    ssize_t got = pread(output, text, SWEEP_TEXT_BYTES - 1, begin);
    text[got < 0 ? 0 : got] = '\0';
    if (pread(output, ret_calls, sizeof(*ret_calls), 0) != (ssize_t)sizeof(*ret_calls))
        *ret_calls = 0;
    (void)close(output);
    return WIFSIGNALED(exit_state) ? -WTERMSIG(exit_state) : WEXITSTATUS(exit_state);
}

/* True when the test ended as it must at each of the n that are tried. */
static bool sweep_test(CU_pSuite suite, CU_pTest test, uint64_t points_max, uint64_t *points)
{
    char text[SWEEP_TEXT_BYTES];
    uint64_t calls = 0;
    int code = sweep_child(suite, test, UINT64_MAX, text, &calls);
    if (code != SWEEP_SURVIVED) {
        printf("%s: undisturbed it ends with %d: %s\n", test->pName, code, text);
        return false;
    }
    uint64_t step = calls <= SWEEP_ALL || calls <= points_max ? 1 : calls / points_max + 1;
    for (uint64_t nth = 1; nth <= calls; nth += step) {
        uint64_t ignored;
        code = sweep_child(suite, test, nth, text, &ignored);
        (*points)++;
        if (code == MEM_EXIT_CODE && strstr(text, "out of memory: ") != NULL)
            continue;
        printf("%s: without allocation %" PRIu64 " of %" PRIu64 " it ends with %d: %s\n",
               test->pName, nth, calls, code, text);
        return false;
    }
    return true;
}

int unit_sweep_memory(CU_pSuite suite, const char *name, uint64_t points_max)
{
    unsigned passed = 0;
    unsigned failed = 0;
    uint64_t points = 0;
    /* Every child must take the same way. */
    (void)setenv("MILLRACE_TEST_SEED", "22", 0);
    for (CU_pTest test = suite->pTest; test != NULL; test = test->pNext) {
        if (sweep_test(suite, test, points_max, &points))
            passed++;
        else
            failed++;
    }
    printf("%" PRIu64 " allocations failed\n", points);
    printf("memory: %s: %u passed, %u failed\n", name, passed, failed);
    return failed == 0 && points > 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
