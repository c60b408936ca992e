/*
 * thread.c - threads, mutexes, conditions over pthreads.
 */
#include "lib/os/thread.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "lib/base/check.h"
#include "lib/base/fault.h"
#include "lib/base/mem.h"

struct thread {
    pthread_t handle;
    thread_function *function;
    void *argument;
    char name[16];
};

struct mutex {
    pthread_mutex_t handle;
};

struct condition {
    pthread_cond_t handle;
};

static void *run_thread(void *argument)
{
    struct thread *thread = argument;
    (void)pthread_setname_np(pthread_self(), thread->name); /* only for people */
    thread->function(thread->argument);
    return NULL;
}

enum status thread_open(const char *name,
                        thread_function *function,
                        void *argument,
                        struct thread **ret_thread,
                        struct error *reterr_error)
{
    if (fault_hit(FAULT_SPAWN))
        return error_set(reterr_error, ERR_NO_MEMORY, "start thread %s: out of memory", name);
    struct thread *thread = MEM_NEW(struct thread);
    thread->function = function;
    thread->argument = argument;
    (void)snprintf(thread->name, sizeof(thread->name), "%s", name); /* cut on purpose */
    sigset_t all;
    sigset_t before;
    CHECK(sigfillset(&all) == 0);
    CHECK(pthread_sigmask(SIG_SETMASK, &all, &before) == 0);
    int result = pthread_create(&thread->handle, NULL, run_thread, thread);
    CHECK(pthread_sigmask(SIG_SETMASK, &before, NULL) == 0);
    if (result != 0) {
        mem_free(thread);
        return error_set_errno(reterr_error, result, "start thread %s", name);
    }
    *ret_thread = thread;
    return OK;
}

void thread_join(struct thread *thread)
{
    if (thread == NULL)
        return;
    CHECK(pthread_join(thread->handle, NULL) == 0);
    mem_free(thread);
}

bool thread_is_self(const struct thread *thread)
{
    return pthread_equal(thread->handle, pthread_self()) != 0;
}

void thread_lower_priority(void)
{
    (void)setpriority(PRIO_PROCESS, (id_t)gettid(), 10); /* only a wish; see the header */
}

struct mutex *mutex_open(void)
{
    struct mutex *mutex = MEM_NEW(struct mutex);
    pthread_mutexattr_t attributes;
    CHECK(pthread_mutexattr_init(&attributes) == 0);
    /* Finds our own bugs: a second lock by the same thread fails instead of hanging. */
    CHECK(pthread_mutexattr_settype(&attributes, PTHREAD_MUTEX_ERRORCHECK) == 0);
    CHECK(pthread_mutex_init(&mutex->handle, &attributes) == 0);
    CHECK(pthread_mutexattr_destroy(&attributes) == 0);
    return mutex;
}

void mutex_close(struct mutex *mutex)
{
    if (mutex == NULL)
        return;
    CHECK(pthread_mutex_destroy(&mutex->handle) == 0);
    mem_free(mutex);
}

void mutex_lock(struct mutex *mutex)
{
    CHECK(pthread_mutex_lock(&mutex->handle) == 0);
}

void mutex_unlock(struct mutex *mutex)
{
    CHECK(pthread_mutex_unlock(&mutex->handle) == 0);
}

struct condition *condition_open(void)
{
    struct condition *condition = MEM_NEW(struct condition);
    pthread_condattr_t attributes;
    CHECK(pthread_condattr_init(&attributes) == 0);
    CHECK(pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC) == 0);
    CHECK(pthread_cond_init(&condition->handle, &attributes) == 0);
    CHECK(pthread_condattr_destroy(&attributes) == 0);
    return condition;
}

void condition_close(struct condition *condition)
{
    if (condition == NULL)
        return;
    CHECK(pthread_cond_destroy(&condition->handle) == 0);
    mem_free(condition);
}

void condition_wait(struct condition *condition, struct mutex *mutex)
{
    CHECK(pthread_cond_wait(&condition->handle, &mutex->handle) == 0);
}

bool condition_wait_until(struct condition *condition, struct mutex *mutex, int64_t deadline_ms)
{
    if (deadline_ms == INT64_MAX) {
        condition_wait(condition, mutex);
        return true;
    }
    if (deadline_ms < 0)
        deadline_ms = 0;
    struct timespec until = {.tv_sec = deadline_ms / 1000,
                             .tv_nsec = (long)(deadline_ms % 1000) * 1000000};
    int result = pthread_cond_timedwait(&condition->handle, &mutex->handle, &until);
    CHECK(result == 0 || result == ETIMEDOUT);
    return result == 0;
}

void condition_signal(struct condition *condition)
{
    CHECK(pthread_cond_signal(&condition->handle) == 0);
}

void condition_broadcast(struct condition *condition)
{
    CHECK(pthread_cond_broadcast(&condition->handle) == 0);
}
