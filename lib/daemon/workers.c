/*
 * workers.c - a queue of jobs and the threads that run them.
 */
#include "lib/daemon/workers.h"

#include <stdbool.h>
#include <stdio.h>

#include "lib/base/check.h"
#include "lib/base/list.h"
#include "lib/base/mem.h"
#include "lib/os/thread.h"

struct workers_job {
    struct list_node node;
    workers_function *function;
    void *argument;
};

struct workers {
    struct mutex *mutex;
    struct condition *changed;
    struct list queue;
    size_t running;
    bool is_closing;
    struct thread **threads;
    size_t thread_count;
};

static void run_jobs(void *argument)
{
    struct workers *workers = argument;
    mutex_lock(workers->mutex);
    for (;;) {
        struct workers_job *job = list_pop(&workers->queue);
        if (job == NULL && workers->is_closing && workers->running == 0)
            break; /* a running job may still post another */
        if (job == NULL) {
            condition_wait(workers->changed, workers->mutex);
            continue;
        }
        workers->running++;
        mutex_unlock(workers->mutex);
        job->function(job->argument);
        mem_free(job);
        mutex_lock(workers->mutex);
        workers->running--;
        if (workers->is_closing)
            condition_broadcast(workers->changed);
    }
    mutex_unlock(workers->mutex);
}

enum status workers_open(const char *name,
                         size_t threads,
                         struct workers **ret_workers,
                         struct error *reterr_error)
{
    CHECK(threads > 0);
    struct workers *workers = MEM_NEW(struct workers);
    workers->mutex = mutex_open();
    workers->changed = condition_open();
    workers->threads = mem_new(threads * sizeof(struct thread *));
    for (size_t i = 0; i < threads; i++) {
        char thread_name[32];
        (void)snprintf(thread_name, sizeof(thread_name), "%s-%zu", name, i + 1);
        enum status status =
            thread_open(thread_name, run_jobs, workers, &workers->threads[i], reterr_error);
        if (status != OK) {
            workers_close(workers);
            return status;
        }
        workers->thread_count++;
    }
    *ret_workers = workers;
    return OK;
}

void workers_post(struct workers *workers, workers_function *function, void *argument)
{
    struct workers_job *job = MEM_NEW(struct workers_job);
    job->function = function;
    job->argument = argument;
    mutex_lock(workers->mutex);
    list_append(&workers->queue, &job->node, job);
    condition_signal(workers->changed);
    mutex_unlock(workers->mutex);
}

size_t workers_count(struct workers *workers)
{
    mutex_lock(workers->mutex);
    size_t count = workers->queue.count + workers->running;
    mutex_unlock(workers->mutex);
    return count;
}

void workers_close(struct workers *workers)
{
    if (workers == NULL)
        return;
    mutex_lock(workers->mutex);
    workers->is_closing = true;
    condition_broadcast(workers->changed);
    mutex_unlock(workers->mutex);
    for (size_t i = 0; i < workers->thread_count; i++)
        thread_join(workers->threads[i]);
    mem_free(workers->threads);
    condition_close(workers->changed);
    mutex_close(workers->mutex);
    mem_free(workers);
}
