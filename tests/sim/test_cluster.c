/*
 * test_cluster.c - runs the simulation over many seeds, and over the hand-planted bugs.
 *
 *   test_cluster                     the seeds below, repeatability, planted bugs, then 1,000 seeds
 *   test_cluster --seed S [--bug N] [--verbose]    one seed
 *   test_cluster --seeds N           N seeds instead of 1,000; MILLRACE_SIM_SEEDS does it, too
 * The seeds are 1, 2, ...; with MILLRACE_TEST_SEED they begin there. A soak gives it a new one each
 * time.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/runner.h"
#include "tests/sim/scenario.h"

enum {
    SEEDS = 1000,
    REPEATED = 5,
    BUG_SEEDS_MAX = 400 /* a planted bug must be found within so many */
};

/* Seeds that once found a bug, kept so that it stays found. */
static const uint64_t kept_seeds[] = {
    11,    /* a master that died after publishing failed its own job's next attempt */
    126,   /* a map that had failed on every node with a free worker was given to nobody */
    1078,  /* a node that came back started a second master of the same epoch */
    4871,  /* an answer of before a registration put master and resource manager out of step */
    4959,  /* a full report that came late undid the news of a corrupt replica */
    12997, /* an AddBlock that came late left a block that nobody would ever seal */
};

static bool run(struct world *world, uint64_t *counters)
{
    (void)counters;
    return scenario_run(world);
}

static const struct simulation simulation = {.program = "tests/sim/test_cluster", .run = run};

static size_t check_repeatable(uint64_t first)
{
    size_t failed = 0;
    for (uint64_t i = 0; i < REPEATED; i++)
        failed += !runner_repeats(&simulation, first + i);
    return failed;
}

static size_t check_bug(enum world_bug bug, const char *name)
{
    uint64_t seed = runner_find_bug(&simulation, bug, 0, BUG_SEEDS_MAX);
    if (seed == 0) {
        fprintf(stderr, "the planted bug \"%s\" is not found by %d seeds\n", name, BUG_SEEDS_MAX);
        return 1;
    }
    printf("sim: the planted bug \"%s\" is found by seed %llu\n", name, (unsigned long long)seed);
    return 0;
}

static size_t count_of(int argument_count, char **arguments)
{
    const char *text = getenv("MILLRACE_SIM_SEEDS");
    if (argument_count == 3 && strcmp(arguments[1], "--seeds") == 0)
        text = arguments[2];
    return text ? (size_t)strtoull(text, NULL, 10) : SEEDS;
}

int main(int argument_count, char **arguments)
{
    if (argument_count >= 3 && strcmp(arguments[1], "--seed") == 0) {
        enum world_bug bug = BUG_NONE;
        bool is_verbose = false;
        for (int i = 3; i < argument_count; i++) {
            if (strcmp(arguments[i], "--verbose") == 0)
                is_verbose = true;
            else if (strcmp(arguments[i], "--bug") == 0 && i + 1 < argument_count)
                bug = (enum world_bug)strtoul(arguments[++i], NULL, 10);
        }
        struct runner_seed seed = {.seed = strtoull(arguments[2], NULL, 10), .bug = bug};
        return runner_run_one(&simulation, seed, is_verbose) ? 0 : 1;
    }
    size_t count = count_of(argument_count, arguments);
    size_t total = 0;
    size_t failed = 0;
    for (size_t i = 0; i < sizeof kept_seeds / sizeof kept_seeds[0]; i++, total++)
        failed +=
            !runner_run_guarded(&simulation, (struct runner_seed){.seed = kept_seeds[i]}, true);
    failed += check_repeatable(1);
    total += REPEATED;
    static const char *const bugs[BUG_COUNT] = {"", "reply before the sync", "drop a retry",
                                                "accept a stale container id",
                                                "forget a master's journal"};
    for (int bug = 1; bug < BUG_COUNT; bug++, total++)
        failed += check_bug((enum world_bug)bug, bugs[bug]);
    const char *first = getenv("MILLRACE_TEST_SEED");
    uint64_t counters[RUNNER_COUNTERS_MAX] = {0};
    failed += runner_run_many(&simulation, first ? strtoull(first, NULL, 10) : 1, count, counters);
    total += count;
    printf("sim: cluster: %zu passed, %zu failed\n", total - failed, failed);
    return failed == 0 ? 0 : 1;
}
