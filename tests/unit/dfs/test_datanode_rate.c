/*
 * test_datanode_rate.c - dfs/datanode/daemon/rate.h. Only lower bounds of time are asked for: a
 * busy host is never too fast.
 */
#include "dfs/datanode/daemon/rate.h"

#include <stddef.h>

#include "lib/os/clock.h"
#include "lib/os/thread.h"
#include "tests/support/unit.h"

static void test_rate__bytes_take_their_time(void)
{
    struct rate *rate = rate_open(1000000);
    int64_t begin_us = clock_monotonic_us();
    for (int i = 0; i < 10; i++)
        CU_ASSERT_TRUE(rate_take(rate, 10000));
    CU_ASSERT_TRUE(clock_monotonic_us() - begin_us >= 98000); /* 100 ms, in whole ms */
    rate_close(rate);
}

static void test_rate__without_a_limit_nobody_waits(void)
{
    struct rate *rate = rate_open(0);
    CU_ASSERT_TRUE(rate_take(rate, SIZE_MAX));
    CU_ASSERT_TRUE(rate_take(NULL, SIZE_MAX));
    rate_stop(rate);
    CU_ASSERT_FALSE(rate_take(rate, 1));
    rate_close(rate);
}

static void take_long(void *argument)
{
    struct rate *rate = argument;
    CU_ASSERT_FALSE(rate_take(rate, 1000 * 1000)); /* due in 11 days */
}

static void test_rate__stop_sends_waiters_away(void)
{
    struct rate *rate = rate_open(1);
    struct thread *thread = NULL;
    struct error error = {0};
    CU_ASSERT_EQUAL_FATAL(thread_open("waiter", take_long, rate, &thread, &error), OK);
    rate_stop(rate); /* before it waits or while it does */
    thread_join(thread);
    rate_close(rate);
}

static const struct unit_test tests[] = {
    {"test_rate__bytes_take_their_time",        "Bytes take their time.",
     test_rate__bytes_take_their_time       },
    {"test_rate__without_a_limit_nobody_waits", "Without a limit nobody waits.",
     test_rate__without_a_limit_nobody_waits},
    {"test_rate__stop_sends_waiters_away",      "A stop sends waiters away.",
     test_rate__stop_sends_waiters_away     },
};

int main(int argument_count, char **arguments)
{
    return unit_main(argument_count, arguments, "datanode_rate", tests, UNIT_COUNT(tests), NULL,
                     NULL);
}
