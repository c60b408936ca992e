/*
 * fault.c - counters of the fault points. They are the only mutable state of lib/base, because a
 * failing malloc or write has no context to be told through; all are atomic.
 */
#include "lib/base/fault.h"

#include <assert.h>
#include <stdatomic.h>
#include <string.h>

#include "lib/base/check.h"

struct fault_counter {
    atomic_bool is_armed;
    atomic_uint_fast64_t nth;
    atomic_uint_fast64_t repeat;
    atomic_uint_fast64_t calls;
    atomic_uint_fast64_t failures;
};

static struct fault_counter fault_counters[FAULT_POINT_COUNT];

static const char *const fault_names[] = {
#define FAULT_NAME(constant, name) name,
    FAULT_LIST(FAULT_NAME)
#undef FAULT_NAME
};

static_assert(sizeof(fault_names) / sizeof(fault_names[0]) == FAULT_POINT_COUNT,
              "one name a fault point");

static struct fault_counter *fault_counter_of(enum fault_point point)
{
    CHECK((unsigned)point < FAULT_POINT_COUNT);
    return &fault_counters[point];
}

const char *fault_name(enum fault_point point)
{
    CHECK((unsigned)point < FAULT_POINT_COUNT);
    return fault_names[point];
}

enum status fault_from_name(const char *name, enum fault_point *ret_point)
{
    for (unsigned i = 0; i < FAULT_POINT_COUNT; i++) {
        if (strcmp(fault_names[i], name) == 0) {
            *ret_point = (enum fault_point)i;
            return OK;
        }
    }
    return ERR_NOT_FOUND;
}

void fault_arm(enum fault_point point, uint64_t nth, uint64_t repeat)
{
    CHECK(nth > 0);
    struct fault_counter *counter = fault_counter_of(point);
    atomic_store(&counter->is_armed, false);
    atomic_store(&counter->nth, nth);
    atomic_store(&counter->repeat, repeat);
    atomic_store(&counter->calls, 0);
    atomic_store(&counter->failures, 0);
    atomic_store(&counter->is_armed, true);
}

void fault_disarm(enum fault_point point)
{
    atomic_store(&fault_counter_of(point)->is_armed, false);
}

void fault_disarm_all(void)
{
    for (unsigned i = 0; i < FAULT_POINT_COUNT; i++)
        fault_disarm((enum fault_point)i);
}

bool fault_hit(enum fault_point point)
{
    struct fault_counter *counter = fault_counter_of(point);
    if (!atomic_load_explicit(&counter->is_armed, memory_order_relaxed))
        return false;
    uint64_t call = atomic_fetch_add(&counter->calls, 1) + 1;
    uint64_t nth = atomic_load(&counter->nth);
    /* The difference, not the sum: nth + FAULT_FOREVER would wrap. */
    if (call < nth || call - nth >= atomic_load(&counter->repeat))
        return false;
    atomic_fetch_add(&counter->failures, 1);
    return true;
}

uint64_t fault_calls(enum fault_point point)
{
    return atomic_load(&fault_counter_of(point)->calls);
}

uint64_t fault_failures(enum fault_point point)
{
    return atomic_load(&fault_counter_of(point)->failures);
}
