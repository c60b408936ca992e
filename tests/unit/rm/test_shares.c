/*
 * test_shares.c - the scheduler against a slow reference on random traces (share_world.h), and
 * bugs planted at the machine's door, each of which the reference must notice.
 * MILLRACE_TEST_WORLDS: how many seeds, 1,000 when not set.
 */
#include <stdio.h>
#include <stdlib.h>

#include "tests/support/unit.h"
#include "tests/unit/rm/share_world.h"

enum {
    SEEDS = 1000,
    SEEDS_FOR_A_BUG = 400
};

static uint64_t seeds(void)
{
    const char *text = getenv("MILLRACE_TEST_WORLDS");
    return text == NULL ? SEEDS : strtoull(text, NULL, 10);
}

static bool is_well(uint64_t seed, const char *fault)
{
    if (fault == NULL)
        return true;
    fprintf(stderr, "seed %llu: %s\n", (unsigned long long)seed, fault);
    return false;
}

static void test_shares__every_grant_is_whose_turn_it_is(void)
{
    uint64_t first = unit_seed() % 1000000000;
    unsigned grants = 0;
    for (uint64_t i = 0; i < seeds(); i++) {
        bool is_good = is_well(first + i, share_run_trace(first + i, SHARE_BUG_NONE, &grants));
        CU_ASSERT_TRUE_FATAL(is_good);
    }
    CU_ASSERT_TRUE(grants > 10 * seeds());
}

static void test_shares__seeds_that_found_something_stay_good(void)
{
    /* A kept node opened in the middle of a pass: whoever was passed over must be asked again. */
    static const uint64_t kept[] = {569094381};
    unsigned grants = 0;
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
        CU_ASSERT_TRUE(is_well(kept[i], share_run_trace(kept[i], SHARE_BUG_NONE, &grants)));
}

static void test_shares__large_containers_do_not_starve(void)
{
    uint64_t first = unit_seed() % 1000000000;
    for (uint64_t i = 0; i < seeds() / 20; i++) {
        bool is_good = is_well(first + i, share_run_starvation(first + i, SHARE_BUG_NONE));
        CU_ASSERT_TRUE_FATAL(is_good);
    }
}

static void test_shares__guarantees_are_met_in_time(void)
{
    uint64_t first = unit_seed() % 1000000000;
    for (uint64_t i = 0; i < seeds() / 20; i++) {
        bool is_good = is_well(first + i, share_run_guarantees(first + i, SHARE_BUG_NONE));
        CU_ASSERT_TRUE_FATAL(is_good);
    }
}

static void test_shares__planted_bugs_are_noticed(void)
{
    for (int bug = SHARE_BUG_NONE + 1; bug < SHARE_BUG_COUNT; bug++) {
        bool is_noticed = false;
        unsigned grants = 0;
        for (uint64_t seed = 1; seed <= SEEDS_FOR_A_BUG && !is_noticed; seed++)
            is_noticed = share_run_trace(seed, (enum share_bug)bug, &grants) != NULL ||
                         (seed == 1 && (share_run_starvation(seed, (enum share_bug)bug) != NULL ||
                                        share_run_guarantees(seed, (enum share_bug)bug) != NULL));
        if (!is_noticed)
            fprintf(stderr, "planted bug %d is not noticed\n", bug);
        CU_ASSERT_TRUE(is_noticed);
    }
}

static const struct unit_test tests[] = {
    {"test_shares__every_grant_is_whose_turn_it_is",
     "On random traces every grant is within all limits and goes to the one whose turn it is.",   test_shares__every_grant_is_whose_turn_it_is},
    {"test_shares__seeds_that_found_something_stay_good", "What a seed once found stays mended.",
     test_shares__seeds_that_found_something_stay_good                                                                                        },
    {"test_shares__large_containers_do_not_starve",
     "A large container among small ones is served within the stated bound.",                     test_shares__large_containers_do_not_starve },
    {"test_shares__guarantees_are_met_in_time",
     "Queues get their guarantees back from one that has taken everything, in time.",             test_shares__guarantees_are_met_in_time     },
    {"test_shares__planted_bugs_are_noticed",             "Each of the planted bugs is noticed.",
     test_shares__planted_bugs_are_noticed                                                                                                    },
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "rm/shares", tests, UNIT_COUNT(tests), NULL, NULL);
}
