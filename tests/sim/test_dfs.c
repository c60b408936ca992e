/*
 * test_dfs.c - runs the simulated filesystem over many seeds, and over the planted bugs.
 *
 *   test_dfs                      kept seeds, repeatability, planted bugs, then 1,000 seeds
 *   test_dfs --seed S [--bug N] [--verbose]    one seed
 *   test_dfs --seeds N            N seeds instead of 1,000; MILLRACE_SIM_SEEDS does it, too
 *   test_dfs --bugs               only the planted bugs
 *   test_dfs --only N             only N seeds
 * The seeds are 1, 2, ...; with MILLRACE_TEST_SEED they begin there. docs/simulation.md
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/sim/dfs.h"
#include "tests/sim/runner.h"

enum {
    SEEDS = 1000,
    REPEATED = 5,
    BUG_SEEDS_MAX = 300 /* a planted bug must be found within so many */
};

/* Seeds that once found a bug of the product, kept so that it stays found. */
static const uint64_t kept_seeds[] = {
    DFS_PLAIN_SEEDS +
        2, /* a wall clock that jumped made the namenode forget results, and do things twice */
    DFS_PLAIN_SEEDS +
        9, /* a replica too many stayed when its datanode had been silent at the wrong moment */
    DFS_PLAIN_SEEDS + 1849, /* the balancer moved a block that waited for a place in another rack */
};

static const struct {
    enum world_bug bug;
    uint64_t seed; /* that finds it */
    const char *name;
} bugs[] = {
    {BUG_REPLY_BEFORE_SYNC,                  29, "reply before the sync"                        },
    {BUG_TORN_BATCH,                         29, "take half of a torn batch"                    },
    {(enum world_bug)BUG_RECORD_LOST,        2,  "do not journal a rename"                      },
    {(enum world_bug)BUG_IDS_REUSED,         2,  "do not journal which ids are reserved"        },
    {(enum world_bug)BUG_RESULTS_FORGOTTEN,  2,  "forget results at a restart"                  },
    {(enum world_bug)BUG_OLD_SESSION,        13, "believe a report of an old session"           },
    {(enum world_bug)BUG_CORRUPT_IS_GOOD,    5,  "count a corrupt replica as good"              },
    {(enum world_bug)BUG_TRIMS_ALL,          1,  "delete the last good replica when trimming"   },
    {(enum world_bug)BUG_ZOMBIE_SEALS,       4,  "accept a zombie's seal"                       },
    {(enum world_bug)BUG_LEASE_ENDLESS,      3,  "renew the leases of dead writers"             },
    {(enum world_bug)BUG_LEASE_ON_WALL,      2,  "let timers follow the wall clock"             },
    {(enum world_bug)BUG_WIPED_COUNTS,       1,  "count the replicas of a wiped disk"           },
    {(enum world_bug)BUG_EARLY_REPLACE,      2,  "remove the old file when the new one is begun"},
    {(enum world_bug)BUG_SAFE_MODE_EARLY,    3,  "leave safe mode too early"                    },
    {(enum world_bug)BUG_ACK_BEFORE_SYNC,    1,  "confirm a block before its sync"              },
    {(enum world_bug)BUG_SERVES_UNVERIFIED,  6,  "serve and copy without verifying"             },
    {(enum world_bug)BUG_SYNC_RETRIED,       31, "believe a sync after a failed one"            },
    {(enum world_bug)BUG_SEALS_ONE,          1,  "claim replicas that are not there"            },
    {(enum world_bug)BUG_DELETE_FORGOTTEN,   1,  "lose orders to delete"                        },
    {(enum world_bug)BUG_SAFE_MODE_IGNORED,  3,  "go on in safe mode"                           },
    {(enum world_bug)BUG_RENEWAL_UNHEARD,    14, "do not hear renewals of leases"               },
    {(enum world_bug)BUG_UNDER_WAY_IS_FREE,  3,  "count blocks under way for nothing"           },
    {(enum world_bug)BUG_TRASH_AGES,         3,  "take the age of trash from the wall clock"    },
    {(enum world_bug)BUG_MOVE_DELETES_FIRST, 1,  "delete a moved replica before it is copied"   },
    {(enum world_bug)BUG_MERGE_UNCONFIRMED,  8,  "believe a merge that was only ordered"        },
    {(enum world_bug)BUG_COPY_ADMITTED,      4,  "take a copied folder for its original"        },
    {(enum world_bug)BUG_STRANGER_ADMITTED,  9,  "let another cluster's datanode in"            },
    {(enum world_bug)BUG_RACKS_IGNORED,      2,  "put everything into one rack"                 },
    {(enum world_bug)BUG_RACKS_OLD,          20, "refresh an old rack table"                    },
    {(enum world_bug)BUG_DRAINED_AT_ONCE,    16, "decommission before blocks are elsewhere"     },
    {(enum world_bug)BUG_TAIL_LOST,          13, "lose records behind an older checkpoint"      },
    {(enum world_bug)BUG_NEVER_WRITTEN_BACK, 9,  "never sync what was confirmed from memory"    },
};

static bool run(struct world *world, uint64_t *counters)
{
    struct dfs_counters seen = {0};
    bool is_passed = dfs_run(world, &seen);
    size_t at = 0;
#define ADD_COUNTER(name) counters[at++] += seen.name;
    DFS_COUNTER_LIST(ADD_COUNTER)
#undef ADD_COUNTER
    return is_passed;
}

#define COUNT_ONE(name)    +1
#define COUNTER_NAME(name) #name,
static const char *const counter_names[] = {DFS_COUNTER_LIST(COUNTER_NAME)};

static const struct simulation simulation = {
    .program = "tests/sim/test_dfs", .run = run, .counters_count = 0 DFS_COUNTER_LIST(COUNT_ONE)};

static size_t check_bugs(void)
{
    size_t failed = 0;
    for (size_t i = 0; i < sizeof bugs / sizeof bugs[0]; i++) {
        uint64_t seed = runner_find_bug(&simulation, bugs[i].bug, bugs[i].seed, BUG_SEEDS_MAX);
        if (seed != 0)
            printf("sim: the planted bug \"%s\" (%d) is found by seed %llu\n", bugs[i].name,
                   (int)bugs[i].bug, (unsigned long long)seed);
        else
            fprintf(stderr, "the planted bug \"%s\" (%d) is not found by %d seeds\n", bugs[i].name,
                    (int)bugs[i].bug, BUG_SEEDS_MAX);
        failed += seed == 0;
    }
    return failed;
}

/* Many seeds must have seen everything, or the simulation does not test what it says. */
static size_t check_counters(const uint64_t *counters)
{
    size_t failed = 0;
    for (size_t i = 0; i < simulation.counters_count; i++) {
        printf("sim: %s %llu\n", counter_names[i], (unsigned long long)counters[i]);
        failed += counters[i] == 0;
    }
    if (failed > 0)
        fprintf(stderr, "%zu things never happened in all seeds\n", failed);
    return failed;
}

static int run_one(int argument_count, char **arguments)
{
    struct runner_seed seed = {.seed = strtoull(arguments[2], NULL, 10)};
    bool is_verbose = false;
    for (int i = 3; i < argument_count; i++) {
        if (strcmp(arguments[i], "--verbose") == 0)
            is_verbose = true;
        else if (strcmp(arguments[i], "--bug") == 0 && i + 1 < argument_count)
            seed.bug = (enum world_bug)strtoul(arguments[++i], NULL, 10);
    }
    return runner_run_one(&simulation, seed, is_verbose) ? 0 : 1;
}

int main(int argument_count, char **arguments)
{
    if (argument_count >= 3 && strcmp(arguments[1], "--seed") == 0)
        return run_one(argument_count, arguments);
    const char *text = getenv("MILLRACE_SIM_SEEDS");
    if (argument_count == 3 && strcmp(arguments[1], "--seeds") == 0)
        text = arguments[2];
    const char *first = getenv("MILLRACE_TEST_SEED");
    bool is_seeds_only = argument_count == 3 && strcmp(arguments[1], "--only") == 0;
    if (is_seeds_only)
        text = arguments[2];
    size_t count = text ? (size_t)strtoull(text, NULL, 10) : SEEDS;
    size_t failed = is_seeds_only ? 0 : check_bugs();
    size_t total = is_seeds_only ? 0 : sizeof bugs / sizeof bugs[0];
    bool is_bugs_only = argument_count == 2 && strcmp(arguments[1], "--bugs") == 0;
    if (!is_bugs_only) {
        uint64_t counters[RUNNER_COUNTERS_MAX] = {0};
        for (size_t i = 0; i < sizeof kept_seeds / sizeof kept_seeds[0]; i++)
            failed +=
                !runner_run_guarded(&simulation, (struct runner_seed){.seed = kept_seeds[i]}, true);
        for (uint64_t i = 1; i <= REPEATED; i++)
            failed += !runner_repeats(&simulation, i);
        failed +=
            runner_run_many(&simulation, first ? strtoull(first, NULL, 10) : 1, count, counters);
        failed += count >= SEEDS ? check_counters(counters) : 0;
        total += sizeof kept_seeds / sizeof kept_seeds[0] + REPEATED + count;
    }
    printf("sim: dfs: %zu passed, %zu failed\n", total - failed, failed);
    return failed == 0 ? 0 : 1;
}
