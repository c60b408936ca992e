/*
 * runner.h - runs a simulation over many seeds on all processors, each share in a child, so that a
 * broken invariant (abort) is a failed seed and not the end of the run.
 */
#ifndef MILLRACE_TESTS_SIM_RUNNER_H
#define MILLRACE_TESTS_SIM_RUNNER_H

#include "tests/sim/world.h"

enum {
    RUNNER_COUNTERS_MAX = 64
};

struct runner_seed {
    uint64_t seed;
    enum world_bug bug;
};

struct simulation {
    const char *program; /* "tests/sim/test_x", for "again:" */
    /* Runs the world to its end; adds to counters what it saw. */
    bool (*run)(struct world *world, uint64_t *counters);
    size_t counters_count; /* at most RUNNER_COUNTERS_MAX */
};

/* True when the same seed twice gives the same trace. */
bool runner_repeats(const struct simulation *simulation, uint64_t seed);
/* One seed in this process; prints its steps, hash and outcome. */
bool runner_run_one(const struct simulation *simulation, struct runner_seed seed, bool is_verbose);
/* One seed in a child. is_told: a failure is printed. */
bool runner_run_guarded(const struct simulation *simulation, struct runner_seed seed, bool is_told);
/* Returns how many of the seeds first, first + 1, ... failed. */
size_t runner_run_many(const struct simulation *simulation,
                       uint64_t first,
                       size_t count,
                       uint64_t *counters);
/*
 * Finds a seed at which the planted bug is noticed: the kept one or, because seeds mean something
 * else when machines change, one of 1..seeds_max. Returns it, or 0.
 */
uint64_t runner_find_bug(const struct simulation *simulation,
                         enum world_bug bug,
                         uint64_t kept,
                         uint64_t seeds_max);

#endif
