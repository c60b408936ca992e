/*
 * timers.c - due times, and calls that are held open until something is due or known.
 * Owns rm.timers and rm.holds. A timer is cleared before it fires; firing may set it again.
 */
#include "lib/base/check.h"
#include "lib/base/mem.h"
#include "rm/core/state.h"

void rm_timer_open(struct rm_timer *timer, rm_timer_fire *fire, void *owner)
{
    *timer = (struct rm_timer){.fire = fire, .owner = owner};
}

void rm_timer_set(struct rm *rm, struct rm_timer *timer, int64_t due_ms)
{
    if (heap_node_is_queued(&timer->heap_node))
        heap_update(&rm->timers, &timer->heap_node, due_ms);
    else
        heap_push(&rm->timers, &timer->heap_node, due_ms, timer);
}

void rm_timer_clear(struct rm *rm, struct rm_timer *timer)
{
    heap_remove(&rm->timers, &timer->heap_node);
}

void rm_timers_run(struct rm *rm)
{
    for (;;) {
        struct heap_node *first = heap_peek(&rm->timers);
        if (first == NULL || first->key > rm->now_ms)
            return;
        struct rm_timer *timer = first->object;
        heap_remove(&rm->timers, first);
        timer->fire(rm, timer->owner);
    }
}

struct rm_hold *rm_hold_open(struct rm *rm,
                             enum rm_hold_kind kind,
                             void *owner,
                             uint64_t call,
                             int64_t due_ms,
                             rm_timer_fire *fire)
{
    struct rm_hold *hold = MEM_NEW(struct rm_hold);
    hold->call = call;
    hold->kind = kind;
    hold->owner = owner;
    rm_timer_open(&hold->timer, fire, hold);
    rm_timer_set(rm, &hold->timer, due_ms);
    CHECK(map_u64_put(rm->holds, call, hold) == NULL);
    return hold;
}

void rm_hold_close(struct rm *rm, struct rm_hold *hold)
{
    if (hold == NULL)
        return;
    CHECK(map_u64_remove(rm->holds, hold->call) == hold);
    rm_timer_clear(rm, &hold->timer);
    list_remove(&hold->waiter_link);
    mem_free(hold);
}
