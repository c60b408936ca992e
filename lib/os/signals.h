/*
 * signals.h - signals as calls on a thread. signals_block comes first in main, before any thread.
 */
#ifndef MILLRACE_LIB_OS_SIGNALS_H
#define MILLRACE_LIB_OS_SIGNALS_H

#include "lib/base/error.h"
#include "lib/base/status.h"

struct signal_watcher;

enum signal_kind {
    SIGNAL_STOP,   /* SIGTERM or SIGINT */
    SIGNAL_RELOAD, /* SIGHUP */
    SIGNAL_REPORT  /* SIGUSR1 */
};

/* Blocks those signals in this thread and all it will start, and ignores SIGPIPE. */
void signals_block(void);
/*
 * Calls back, on a thread of its own, for each such signal sent to the process. signals_block came
 * before. One watcher at a time; SIGUSR2 is its own.
 */
MUST_USE enum status signal_watcher_open(void (*callback)(void *user, enum signal_kind kind),
                                         void *user,
                                         struct signal_watcher **ret_watcher,
                                         struct error *reterr_error);
void signal_watcher_close(struct signal_watcher *watcher); /* NULL is fine */

#endif
