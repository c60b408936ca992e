/*
 * unit.h - the frame of a CUnit program: a table of tests, a main and a report that tools/run-tests
 * adds up. A test's title is the sentence it proves.
 */
#ifndef MILLRACE_TESTS_SUPPORT_UNIT_H
#define MILLRACE_TESTS_SUPPORT_UNIT_H

#include <limits.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <CUnit/CUnit.h>

struct unit_test {
    const char *name;     /* the function's name: "test_map__removed_key_is_absent" */
    const char *sentence; /* "A removed key is absent." */
    void (*function)(void);
};

#define UNIT_COUNT(tests) (sizeof(tests) / sizeof((tests)[0]))

/*
 * Runs the tests, each between setup and teardown (NULL: none), prints failures and, last,
 * "unit: <name>: N passed, N failed". Returns the exit code for main. With an argument or in
 * MILLRACE_TEST_FILTER: only tests whose name contains that text. With MILLRACE_TEST_MEMORY=N set:
 * unit_sweep_memory instead.
 */
int unit_main(int argument_count,
              char **arguments,
              const char *name,
              const struct unit_test *tests,
              size_t count,
              void (*setup)(void),
              void (*teardown)(void));
/*
 * Runs each test again and again, each time in a process of its own and with another allocation of
 * lib/base/mem.h's kind that must not fail failing, and all after it: all allocations of a test
 * that makes few, else about points_max of them. The process must end with MEM_EXIT_CODE and say
 * so. Returns the exit code for main; the last line is "memory: <name>: N passed, N failed". Only
 * for tests that leave nothing behind when they are cut off.
 */
int unit_sweep_memory(CU_pSuite suite, const char *name, uint64_t points_max);
/*
 * A seed for random tests: MILLRACE_TEST_SEED when set, else a new one in every process. It is
 * printed once, so that a failure can be repeated.
 */
uint64_t unit_seed(void);
#define UNIT_NO_EXIT_CODE INT_MIN
/*
 * Runs function in a child process, its stderr silenced: how that ended, minus the signal's number
 * when one killed it; 0 when function came back.
 */
int unit_exit_code(void (*function)(void));
/* The same; true when it died of abort(), as in CHECK. */
bool unit_aborts(void (*function)(void));

#endif
