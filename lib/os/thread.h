/*
 * thread.h - threads, mutexes and conditions. Misuse (a lock never opened, a join of oneself) is
 * our own bug and aborts.
 */
#ifndef MILLRACE_LIB_OS_THREAD_H
#define MILLRACE_LIB_OS_THREAD_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/error.h"
#include "lib/base/status.h"

struct thread;
struct mutex;
struct condition;

typedef void thread_function(void *argument);

/* name: shown by ps and gdb, cut to 15 bytes. All signals stay blocked in the new thread. */
MUST_USE enum status thread_open(const char *name,
                                 thread_function *function,
                                 void *argument,
                                 struct thread **ret_thread,
                                 struct error *reterr_error);
/* Waits for the function to return and frees the thread; NULL is fine. */
void thread_join(struct thread *thread);
/* Lets the calling thread give way to all others; where that is refused nothing changes. */
void thread_lower_priority(void);
/* True when called on that thread. */
bool thread_is_self(const struct thread *thread);

struct mutex *mutex_open(void);
void mutex_close(struct mutex *mutex); /* NULL is fine; must be unlocked */
void mutex_lock(struct mutex *mutex);
void mutex_unlock(struct mutex *mutex);

struct condition *condition_open(void);
void condition_close(struct condition *condition); /* NULL is fine; nobody waits */
/* mutex is held; may return without a signal, so loop over what is waited for. */
void condition_wait(struct condition *condition, struct mutex *mutex);
/* The same until the monotonic clock reaches deadline_ms (INT64_MAX: for ever); false: it has. */
bool condition_wait_until(struct condition *condition, struct mutex *mutex, int64_t deadline_ms);
void condition_signal(struct condition *condition);
void condition_broadcast(struct condition *condition);

#endif
