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
#include <sys/wait.h>
#include <unistd.h>

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

struct outcome {
    bool is_passed;
    uint64_t hash;
    uint64_t steps;
};

static struct outcome run_seed(uint64_t seed, enum world_bug bug, bool is_verbose, bool is_told)
{
    struct world *world = world_open(seed, bug);
    world->is_verbose = is_verbose;
    struct outcome outcome = {.is_passed = scenario_run(world)};
    outcome.hash = world->hash;
    outcome.steps = world->steps;
    if (!outcome.is_passed && is_told) {
        fprintf(stderr, "seed %llu failed: %s\n", (unsigned long long)seed, world->failure);
        size_t from =
            world->trace_next > WORLD_TRACE_LINES ? world->trace_next - WORLD_TRACE_LINES : 0;
        for (size_t i = from; i < world->trace_next && !is_verbose; i++)
            fprintf(stderr, "  %s\n", world->trace[i % WORLD_TRACE_LINES]);
        fprintf(stderr, "again: tests/sim/test_cluster --seed %llu --verbose\n",
                (unsigned long long)seed);
    }
    world_close(world);
    return outcome;
}

/* In a child, so that a broken invariant (abort) is a failed seed and not the end of the run. */
static bool run_guarded(uint64_t seed, enum world_bug bug, bool is_told)
{
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        if (!is_told && !freopen("/dev/null", "w", stderr))
            _exit(2);
        _exit(run_seed(seed, bug, false, is_told).is_passed ? 0 : 1);
    }
    int status = 0;
    if (child < 0 || waitpid(child, &status, 0) != child)
        return false;
    bool is_passed = WIFEXITED(status) && WEXITSTATUS(status) == 0;
    if (WIFSIGNALED(status) && is_told)
        fprintf(stderr,
                "seed %llu broke an invariant (signal %d)\n"
                "again: tests/sim/test_cluster --seed %llu --verbose\n",
                (unsigned long long)seed, WTERMSIG(status), (unsigned long long)seed);
    return is_passed;
}

/* One child runs a share of the seeds; when it dies, the seeds are run one by one to find which. */
static size_t run_share(uint64_t first, size_t count)
{
    size_t failed = 0;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        for (size_t i = 0; i < count; i++)
            if (!run_seed(first + i, BUG_NONE, false, false).is_passed)
                _exit(1);
        _exit(0);
    }
    int status = 0;
    bool is_passed = child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) &&
                     WEXITSTATUS(status) == 0;
    for (size_t i = 0; i < count && !is_passed; i++)
        failed += !run_guarded(first + i, BUG_NONE, true);
    return failed;
}

static size_t run_many(uint64_t first, size_t count)
{
    enum {
        SHARE = 25
    };

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
        size_t own = 0;
        for (size_t from = w * SHARE; from < count; from += workers * SHARE)
            own += run_share(first + from, count - from < SHARE ? count - from : SHARE);
        _exit(write(pipes[1], &own, sizeof own) == (ssize_t)sizeof own ? 0 : 1);
    }
    close(pipes[1]);
    for (size_t w = 0; w < workers; w++) {
        size_t own = 0;
        int status = 0;
        if (read(pipes[0], &own, sizeof own) != (ssize_t)sizeof own)
            failed++;
        failed += own;
        if (wait(&status) < 0)
            failed++;
    }
    close(pipes[0]);
    return failed;
}

static size_t check_repeatable(uint64_t first)
{
    size_t failed = 0;
    for (uint64_t i = 0; i < REPEATED; i++) {
        struct outcome once = run_seed(first + i, BUG_NONE, false, true);
        struct outcome again = run_seed(first + i, BUG_NONE, false, true);
        if (once.hash == again.hash && once.steps == again.steps)
            continue;
        fprintf(stderr, "seed %llu does not repeat itself\n", (unsigned long long)(first + i));
        failed++;
    }
    return failed;
}

static size_t check_bug(enum world_bug bug, const char *name)
{
    for (uint64_t seed = 1; seed <= BUG_SEEDS_MAX; seed++) {
        if (run_guarded(seed, bug, false))
            continue;
        printf("sim: the planted bug \"%s\" is found by seed %llu\n", name,
               (unsigned long long)seed);
        return 0;
    }
    fprintf(stderr, "the planted bug \"%s\" is not found by %d seeds\n", name, BUG_SEEDS_MAX);
    return 1;
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
        struct outcome outcome = run_seed(strtoull(arguments[2], NULL, 10), bug, is_verbose, true);
        printf("steps %llu hash %016llx %s\n", (unsigned long long)outcome.steps,
               (unsigned long long)outcome.hash, outcome.is_passed ? "passed" : "failed");
        return outcome.is_passed ? 0 : 1;
    }
    size_t count = count_of(argument_count, arguments);
    size_t total = 0;
    size_t failed = 0;
    for (size_t i = 0; i < sizeof kept_seeds / sizeof kept_seeds[0]; i++, total++)
        failed += !run_guarded(kept_seeds[i], BUG_NONE, true);
    failed += check_repeatable(1);
    total += REPEATED;
    static const char *const bugs[BUG_COUNT] = {"", "reply before the sync", "drop a retry",
                                                "accept a stale container id"};
    for (int bug = 1; bug < BUG_COUNT; bug++, total++)
        failed += check_bug((enum world_bug)bug, bugs[bug]);
    const char *first = getenv("MILLRACE_TEST_SEED");
    failed += run_many(first ? strtoull(first, NULL, 10) : 1, count);
    total += count;
    printf("sim: cluster: %zu passed, %zu failed\n", total - failed, failed);
    return failed == 0 ? 0 : 1;
}
