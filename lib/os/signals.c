/*
 * signals.c - signals as calls on a thread.
 */
#include "lib/os/signals.h"

#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <unistd.h>

#include "lib/base/check.h"
#include "lib/base/mem.h"
#include "lib/os/thread.h"

struct signal_watcher {
    struct thread *thread;
    void (*callback)(void *user, enum signal_kind kind);
    void *user;
    atomic_bool is_closing;
};

static void watched_set(sigset_t *set)
{
    CHECK(sigemptyset(set) == 0);
    CHECK(sigaddset(set, SIGTERM) == 0);
    CHECK(sigaddset(set, SIGINT) == 0);
    CHECK(sigaddset(set, SIGHUP) == 0);
    CHECK(sigaddset(set, SIGUSR1) == 0);
    CHECK(sigaddset(set, SIGUSR2) == 0); /* ends the watcher itself */
}

void signals_block(void)
{
    sigset_t set;
    watched_set(&set);
    CHECK(pthread_sigmask(SIG_BLOCK, &set, NULL) == 0);
    struct sigaction ignore = {.sa_handler = SIG_IGN};
    CHECK(sigaction(SIGPIPE, &ignore, NULL) == 0);
}

static void watch(void *argument)
{
    struct signal_watcher *watcher = argument;
    sigset_t set;
    watched_set(&set);
    while (!atomic_load(&watcher->is_closing)) {
        int signal = sigwaitinfo(&set, NULL);
        if (signal == SIGTERM || signal == SIGINT)
            watcher->callback(watcher->user, SIGNAL_STOP);
        else if (signal == SIGHUP)
            watcher->callback(watcher->user, SIGNAL_RELOAD);
        else if (signal == SIGUSR1)
            watcher->callback(watcher->user, SIGNAL_REPORT);
    }
}

enum status signal_watcher_open(void (*callback)(void *user, enum signal_kind kind),
                                void *user,
                                struct signal_watcher **ret_watcher,
                                struct error *reterr_error)
{
    struct signal_watcher *watcher = MEM_NEW(struct signal_watcher);
    watcher->callback = callback;
    watcher->user = user;
    atomic_init(&watcher->is_closing, false);
    enum status status = thread_open("signals", watch, watcher, &watcher->thread, reterr_error);
    if (status != OK) {
        mem_free(watcher);
        return status;
    }
    *ret_watcher = watcher;
    return OK;
}

void signal_watcher_close(struct signal_watcher *watcher)
{
    if (watcher == NULL)
        return;
    atomic_store(&watcher->is_closing, true);
    /* To the process, not the thread: it is blocked everywhere, so only the watcher takes it. */
    CHECK(kill(getpid(), SIGUSR2) == 0);
    thread_join(watcher->thread);
    mem_free(watcher);
}
