/*
 * process_handle.h - somebody else's process, held so that its number cannot come to mean another.
 * For waiting for processes that are not our children, and for signalling them safely.
 */
#ifndef MILLRACE_LIB_OS_PROCESS_HANDLE_H
#define MILLRACE_LIB_OS_PROCESS_HANDLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/error.h"
#include "lib/base/status.h"
#include "lib/os/process.h"

struct process_handle;

/*
 * Holds process pid. ERR_NOT_FOUND when there is none. The caller learns from elsewhere (a lock it
 * holds, asked after this call) that pid is still the process it means.
 */
MUST_USE enum status process_handle_open(int64_t pid,
                                         struct process_handle **ret_handle,
                                         struct error *reterr_error);
void process_handle_close(struct process_handle *handle); /* NULL is fine */
int64_t process_handle_pid(const struct process_handle *handle);
/* ERR_NOT_FOUND when it has ended, ERR_DENIED when it is another user's. */
MUST_USE enum status process_handle_signal(struct process_handle *handle,
                                           enum process_signal signal);
/* Waits until it has ended (it may still be a zombie), or deadline_ms (monotonic) has come: false.
 */
bool process_handle_wait(struct process_handle *handle, int64_t deadline_ms);

/* The processes alive now that descend from pid, from arena; pid itself is not among them. */
MUST_USE enum status process_descendants(int64_t pid,
                                         struct arena *arena,
                                         const int64_t **ret_pids,
                                         size_t *ret_count,
                                         struct error *reterr_error);

#endif
