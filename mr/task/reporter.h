/*
 * reporter.h - tells the master regularly how far the attempt is, from a thread of its own, so that
 * a user function that takes long is not taken for dead; and learns that the attempt is to stop.
 */
#ifndef MILLRACE_MR_TASK_REPORTER_H
#define MILLRACE_MR_TASK_REPORTER_H

#include "lib/base/error.h"
#include "lib/model/messages.h"
#include "mr/core/host.h"

struct counters;
struct reporter;
struct umbilical;

/* umbilical is borrowed until reporter_close. */
MUST_USE enum status reporter_open(struct umbilical *umbilical,
                                   struct reporter **ret_reporter,
                                   struct error *reterr_error);
void reporter_close(struct reporter *reporter); /* NULL is fine */
/* From now on this attempt is reported, every interval_ms. */
void reporter_begin(struct reporter *reporter,
                    const struct attempt_id *attempt,
                    int64_t interval_ms);
/* The attempt is over; a report on its way is waited for. */
void reporter_end(struct reporter *reporter);
/*
 * For the thread that runs the attempt. from, span: the part of the whole progress (0..1) that the
 * watched work is.
 */
struct watcher reporter_watcher(struct reporter *reporter, float from, float span);
/* The same by hand, where no engine runs. */
void reporter_tell(struct reporter *reporter, float progress, const char *text);
/* The attempt was killed, or nobody is left to tell. */
bool reporter_must_stop(const struct reporter *reporter);

/* The counters as a message's rows, from arena; names that are no clean text are cleaned. */
const struct counter *reporter_counter_rows(const struct counters *counters,
                                            struct arena *arena,
                                            size_t *ret_count);

#endif
