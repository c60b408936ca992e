/*
 * fault.h - points at which a test makes the n-th call fail, so that every error path can be
 * reached. All points are off unless a test (or an operator's drill) arms them; the state is the
 * process's own and safe to use from any thread. A failing fault_hit makes its caller behave as if
 * the call failed.
 */
#ifndef MILLRACE_LIB_BASE_FAULT_H
#define MILLRACE_LIB_BASE_FAULT_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/status.h"

/* X(constant, name) */
#define FAULT_LIST(X)                                                                              \
 X(FAULT_MEM, "mem")                                                                               \
 X(FAULT_MEM_NEW, "mem_new")                                                                       \
 X(FAULT_FILE_OPEN, "file_open")                                                                   \
 X(FAULT_FILE_READ, "file_read")                                                                   \
 X(FAULT_FILE_WRITE, "file_write")                                                                 \
 X(FAULT_FILE_SYNC, "file_sync")                                                                   \
 X(FAULT_FILE_RENAME, "file_rename")                                                               \
 X(FAULT_FILE_REMOVE, "file_remove")                                                               \
 X(FAULT_DIRECTORY, "directory")                                                                   \
 X(FAULT_SPAWN, "spawn")                                                                           \
 X(FAULT_SEND, "send")                                                                             \
 X(FAULT_RECEIVE, "receive")

enum fault_point {
#define FAULT_ENUM(constant, name) constant,
    FAULT_LIST(FAULT_ENUM)
#undef FAULT_ENUM
    FAULT_POINT_COUNT
};

#define FAULT_FOREVER UINT64_MAX

const char *fault_name(enum fault_point point);
/* ERR_NOT_FOUND when no point has this name. */
MUST_USE enum status fault_from_name(const char *name, enum fault_point *ret_point);
/* The nth call from now (1: the next) and the repeat - 1 calls after it fail. Counts start at 0. */
void fault_arm(enum fault_point point, uint64_t nth, uint64_t repeat);
void fault_disarm(enum fault_point point);
void fault_disarm_all(void);
/* Counts one call; true when it shall fail. Costs one load while nothing is armed. */
bool fault_hit(enum fault_point point);
/* Calls, and failures among them, since the point was last armed. */
uint64_t fault_calls(enum fault_point point);
uint64_t fault_failures(enum fault_point point);

#endif
