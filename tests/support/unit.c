/*
 * unit.c - CUnit set up from a table; the report line.
 */
#include "tests/support/unit.h"

#include <fcntl.h>
#include <inttypes.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <CUnit/Basic.h>

static int unit_give_up(const char *name)
{
    (void)fprintf(stderr, "CUnit: %s\n", CU_get_error_msg());
    printf("unit: %s: 0 passed, 1 failed\n", name);
    return EXIT_FAILURE;
}

int unit_main(int argument_count,
              char **arguments,
              const char *name,
              const struct unit_test *tests,
              size_t count,
              void (*setup)(void),
              void (*teardown)(void))
{
    const char *filter = argument_count > 1 ? arguments[1] : getenv("MILLRACE_TEST_FILTER");
    if (CU_initialize_registry() != CUE_SUCCESS)
        return unit_give_up(name);
    CU_pSuite suite = CU_add_suite_with_setup_and_teardown(name, NULL, NULL, setup, teardown);
    if (suite == NULL)
        return unit_give_up(name);
    for (size_t i = 0; i < count; i++) {
        if (filter != NULL && strstr(tests[i].name, filter) == NULL)
            continue;
        if (CU_add_test(suite, tests[i].sentence, tests[i].function) == NULL)
            return unit_give_up(name);
    }
    const char *points = getenv("MILLRACE_TEST_MEMORY");
    if (points != NULL) {
        int code = unit_sweep_memory(suite, name, strtoull(points, NULL, 10));
        CU_cleanup_registry();
        return code;
    }
    CU_basic_set_mode(CU_BRM_NORMAL);
    if (CU_basic_run_tests() != CUE_SUCCESS)
        return unit_give_up(name);
    unsigned run = CU_get_number_of_tests_run();
    unsigned failed = CU_get_number_of_tests_failed();
    /* A program that tests nothing proves nothing. */
    if (run == 0 && filter == NULL)
        failed = 1;
    CU_cleanup_registry();
    printf("unit: %s: %u passed, %u failed\n", name, run < failed ? 0 : run - failed, failed);
    return failed == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}

uint64_t unit_seed(void)
{
    static uint64_t seed;
    static bool is_chosen;
    if (is_chosen)
        return seed;
    is_chosen = true;
    const char *wish = getenv("MILLRACE_TEST_SEED");
    if (wish != NULL)
        seed = strtoull(wish, NULL, 0);
    else if (getrandom(&seed, sizeof(seed), 0) != (ssize_t)sizeof(seed))
        seed = 1;
    printf("MILLRACE_TEST_SEED=%" PRIu64 "\n", seed);
    (void)fflush(stdout);
    return seed;
}

int unit_exit_code(void (*function)(void))
{
    (void)fflush(NULL);
    pid_t child = fork();
    if (child == 0) {
        /* Neither a message nor a core file: this death is wanted. */
        struct rlimit no_core = {0, 0};
        (void)setrlimit(RLIMIT_CORE, &no_core);
        int silence = open("/dev/null", O_WRONLY | O_CLOEXEC);
        if (silence >= 0)
            (void)dup2(silence, STDERR_FILENO);
        (void)signal(SIGABRT, SIG_DFL);
        function();
        _exit(EXIT_SUCCESS);
    }
    int exit_state = 0;
    if (child < 0 || waitpid(child, &exit_state, 0) != child)
        return UNIT_NO_EXIT_CODE;
    return WIFSIGNALED(exit_state) ? -WTERMSIG(exit_state) : WEXITSTATUS(exit_state);
}

bool unit_aborts(void (*function)(void))
{
    return unit_exit_code(function) == -SIGABRT;
}
