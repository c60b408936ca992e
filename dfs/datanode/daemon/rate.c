/*
 * rate.c - see rate.h. Keeps the time at which all that was given out so far is paid for.
 */
#include "dfs/datanode/daemon/rate.h"

#include "lib/base/mem.h"
#include "lib/os/clock.h"
#include "lib/os/thread.h"

#define SECOND_US INT64_C(1000000)

struct rate {
    struct mutex *mutex;
    struct condition *stopped;
    uint64_t bytes_per_second;
    int64_t paid_us; /* monotonic */
    bool has_stopped;
};

struct rate *rate_open(uint64_t bytes_per_second)
{
    struct rate *rate = MEM_NEW(struct rate);
    rate->mutex = mutex_open();
    rate->stopped = condition_open();
    rate->bytes_per_second = bytes_per_second;
    rate->paid_us = clock_monotonic_us();
    return rate;
}

void rate_close(struct rate *rate)
{
    if (rate == NULL)
        return;
    condition_close(rate->stopped);
    mutex_close(rate->mutex);
    mem_free(rate);
}

bool rate_take(struct rate *rate, size_t bytes)
{
    if (rate == NULL)
        return true;
    mutex_lock(rate->mutex);
    if (rate->bytes_per_second > 0) {
        int64_t oldest_us = clock_monotonic_us() - SECOND_US;
        if (rate->paid_us < oldest_us)
            rate->paid_us = oldest_us;
        /* The bytes are a piece's, so the product is far from 2^64. */
        rate->paid_us += (int64_t)((uint64_t)bytes * (uint64_t)SECOND_US / rate->bytes_per_second);
        int64_t due_ms = rate->paid_us / 1000;
        while (!rate->has_stopped && condition_wait_until(rate->stopped, rate->mutex, due_ms)) {
        }
    }
    bool may_go_on = !rate->has_stopped;
    mutex_unlock(rate->mutex);
    return may_go_on;
}

void rate_stop(struct rate *rate)
{
    mutex_lock(rate->mutex);
    rate->has_stopped = true;
    condition_broadcast(rate->stopped);
    mutex_unlock(rate->mutex);
}
