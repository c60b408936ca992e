/*
 * runner.c - many seeds, many processes.
 */
#include "tests/sim/runner.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    SHARE = 25 /* seeds that one child runs */
};

/* What a child hands back. */
struct tally {
    uint64_t failed;
    uint64_t counters[RUNNER_COUNTERS_MAX];
};

struct outcome {
    bool is_passed;
    uint64_t hash;
    uint64_t steps;
};

static void tell_failure(const struct simulation *simulation, const struct world *world)
{
    fprintf(stderr, "seed %llu failed: %s\n", (unsigned long long)world->seed, world->failure);
    size_t from = world->trace_next > WORLD_TRACE_LINES ? world->trace_next - WORLD_TRACE_LINES : 0;
    for (size_t i = from; i < world->trace_next && !world->is_verbose; i++)
        fprintf(stderr, "  %s\n", world->trace[i % WORLD_TRACE_LINES]);
    fprintf(stderr, "again: %s --seed %llu --bug %d --verbose\n", simulation->program,
            (unsigned long long)world->seed, (int)world->bug);
}

static struct outcome run(const struct simulation *simulation,
                          struct runner_seed seed,
                          bool is_verbose,
                          bool is_told,
                          uint64_t *counters)
{
    struct world *world = world_open(seed.seed, seed.bug);
    world->is_verbose = is_verbose;
    struct outcome outcome = {.is_passed = simulation->run(world, counters)};
    outcome.hash = world->hash;
    outcome.steps = world->steps;
    if (!outcome.is_passed && is_told)
        tell_failure(simulation, world);
    world_close(world);
    return outcome;
}

bool runner_repeats(const struct simulation *simulation, uint64_t seed)
{
    uint64_t counters[RUNNER_COUNTERS_MAX] = {0};
    struct runner_seed plain = {.seed = seed};
    struct outcome once = run(simulation, plain, false, true, counters);
    struct outcome again = run(simulation, plain, false, true, counters);
    if (once.hash == again.hash && once.steps == again.steps)
        return true;
    fprintf(stderr, "seed %llu does not repeat itself\n", (unsigned long long)seed);
    return false;
}

bool runner_run_one(const struct simulation *simulation, struct runner_seed seed, bool is_verbose)
{
    uint64_t counters[RUNNER_COUNTERS_MAX] = {0};
    struct outcome outcome = run(simulation, seed, is_verbose, true, counters);
    printf("steps %llu hash %016llx %s\n", (unsigned long long)outcome.steps,
           (unsigned long long)outcome.hash, outcome.is_passed ? "passed" : "failed");
    return outcome.is_passed;
}

bool runner_run_guarded(const struct simulation *simulation, struct runner_seed seed, bool is_told)
{
    uint64_t counters[RUNNER_COUNTERS_MAX] = {0};
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        if (!is_told && !freopen("/dev/null", "w", stderr))
            _exit(2);
        _exit(run(simulation, seed, false, is_told, counters).is_passed ? 0 : 1);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child)
        return false;
    if (WIFSIGNALED(status) && is_told)
        fprintf(stderr,
                "seed %llu broke an invariant (signal %d)\n"
                "again: %s --seed %llu --bug %d --verbose\n",
                (unsigned long long)seed.seed, WTERMSIG(status), simulation->program,
                (unsigned long long)seed.seed, (int)seed.bug);
    return WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

/* One child runs a share of the seeds; when it dies, the seeds are run one by one to find which. */
static void run_share(const struct simulation *simulation,
                      uint64_t first,
                      size_t count,
                      struct tally *tally)
{
    struct tally own = {0};
    int pipes[2];
    if (pipe(pipes) != 0) {
        tally->failed += count;
        return;
    }
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        for (size_t i = 0; i < count; i++)
            if (!run(simulation, (struct runner_seed){.seed = first + i}, false, false,
                     own.counters)
                     .is_passed)
                _exit(1);
        _exit(write(pipes[1], &own, sizeof own) == (ssize_t)sizeof own ? 0 : 1);
    }
    close(pipes[1]);
    bool is_passed = child > 0 && read(pipes[0], &own, sizeof own) == (ssize_t)sizeof own;
    int status = 0;
    is_passed = child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) &&
                WEXITSTATUS(status) == 0 && is_passed;
    close(pipes[0]);
    for (size_t i = 0; i < RUNNER_COUNTERS_MAX && is_passed; i++)
        tally->counters[i] += own.counters[i];
    for (size_t i = 0; i < count && !is_passed; i++)
        tally->failed +=
            !runner_run_guarded(simulation, (struct runner_seed){.seed = first + i}, true);
}

size_t runner_run_many(const struct simulation *simulation,
                       uint64_t first,
                       size_t count,
                       uint64_t *counters)
{
    long processors = sysconf(_SC_NPROCESSORS_ONLN);
    size_t workers = processors > 1 ? (size_t)processors : 1;
    size_t failed = 0;
    int pipes[2];
    if (pipe(pipes) != 0)
        return count;
    for (size_t w = 0; w < workers; w++) {
        fflush(stdout);
        if (fork() != 0)
            continue;
        struct tally own = {0};
        for (size_t from = w * SHARE; from < count; from += workers * SHARE)
            run_share(simulation, first + from, count - from < SHARE ? count - from : SHARE, &own);
        _exit(write(pipes[1], &own, sizeof own) == (ssize_t)sizeof own ? 0 : 1);
    }
    close(pipes[1]);
    for (size_t w = 0; w < workers; w++) {
        struct tally own = {0};
        int status = 0;
        if (read(pipes[0], &own, sizeof own) != (ssize_t)sizeof own)
            failed++;
        failed += (size_t)own.failed;
        for (size_t i = 0; i < simulation->counters_count; i++)
            counters[i] += own.counters[i];
        if (wait(&status) < 0)
            failed++;
    }
    close(pipes[0]);
    return failed;
}

uint64_t runner_find_bug(const struct simulation *simulation,
                         enum world_bug bug,
                         uint64_t kept,
                         uint64_t seeds_max)
{
    if (kept != 0 &&
        !runner_run_guarded(simulation, (struct runner_seed){.seed = kept, .bug = bug}, false))
        return kept;
    for (uint64_t seed = 1; seed <= seeds_max; seed++)
        if (!runner_run_guarded(simulation, (struct runner_seed){.seed = seed, .bug = bug}, false))
            return seed;
    return 0;
}
