/*
 * workers.h - a few threads for effects that block: disk, copies, downloads. Jobs start in the
 * order in which they were posted.
 */
#ifndef MILLRACE_LIB_DAEMON_WORKERS_H
#define MILLRACE_LIB_DAEMON_WORKERS_H

#include <stddef.h>

#include "lib/base/error.h"
#include "lib/base/status.h"

struct workers;

typedef void workers_function(void *argument);

/* name: the threads are called name-1, name-2, ... */
MUST_USE enum status workers_open(const char *name,
                                  size_t threads,
                                  struct workers **ret_workers,
                                  struct error *reterr_error);
/*
 * Queues one job; it is never refused, because effects must be answered: their number is bounded by
 * the core that asks for them. Any thread may post, also from within a job, until workers_close.
 */
void workers_post(struct workers *workers, workers_function *function, void *argument);
/* Jobs queued or running now. */
size_t workers_count(struct workers *workers);
/* Runs what is queued to its end, then ends the threads. NULL is fine. */
void workers_close(struct workers *workers);

#endif
