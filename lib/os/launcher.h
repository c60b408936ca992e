/*
 * launcher.h - a small process, forked before threads and grpc_init, that starts all containers of
 * a node manager, because gRPC must not live across a fork and a fork of a small process is cheap.
 *
 * Promises:
 *   L-1 every launched process leads its own process group, whose id is its pid; when it ends, what
 *       is left of the group is killed;
 *   L-2 every launch that succeeded is followed by exactly one exit notification with its tag, or
 * by lost; L-3 when the process that opened the launcher ends, however it ends, the launcher kills
 *       (SIGKILL) every group it started and every orphan it inherited, reaps them and exits;
 *   L-4 when the launcher itself is killed, the kernel kills the group leaders, and lost is called;
 *   L-5 when a launched process ends or fails to start, what is left in its control groups is
 *       killed and they are removed before its end is told; with L-3 all are, and their folder.
 * Wire format between the two (private, same build, one socketpair): launcher.c.
 */
#ifndef MILLRACE_LIB_OS_LAUNCHER_H
#define MILLRACE_LIB_OS_LAUNCHER_H

#include <stdint.h>

#include "lib/base/error.h"
#include "lib/base/status.h"
#include "lib/os/process.h"

struct launcher;

struct launcher_host {
    void *user;
    /*
     * The process of this launch has ended and was reaped; called on the launcher's reader thread,
     * possibly before launcher_launch has returned its pid.
     */
    void (*ended)(void *user, uint64_t tag, int64_t pid, struct process_exit exit);
    /* The launcher died: its containers are gone or going, no notification will follow. */
    void (*lost)(void *user);
};

/* Forks the launcher. Call while the process has one thread. */
MUST_USE enum status launcher_open(struct launcher **ret_launcher, struct error *reterr_error);
/* Starts the reader thread; before it nothing can be launched. host is copied. */
MUST_USE enum status launcher_start(struct launcher *launcher,
                                    const struct launcher_host *host,
                                    struct error *reterr_error);
/*
 * Starts a process (spec: own_group and dies_with_parent are implied). Waits for the answer; any
 * thread may call. tag comes back in ended. Fails as process_spawn does, ERR_UNAVAILABLE when the
 * launcher is gone, ERR_LIMIT when the spec does not fit LAUNCHER_REQUEST_BYTES.
 */
MUST_USE enum status launcher_launch(struct launcher *launcher,
                                     uint64_t tag,
                                     const struct process_spec *spec,
                                     int64_t *ret_pid,
                                     struct error *reterr_error);
/*
 * Signals the whole process group of a launched process; ERR_NOT_FOUND when its leader was reaped
 * already (so a recycled pid is never hit).
 */
MUST_USE enum status launcher_signal(struct launcher *launcher,
                                     int64_t pid,
                                     enum process_signal signal,
                                     struct error *reterr_error);
/* The launcher's own pid. */
int64_t launcher_pid(const struct launcher *launcher);
/* Kills what still runs (L-3), waits for the launcher to end; NULL is fine. No callback afterwards.
 */
void launcher_close(struct launcher *launcher);

enum {
    LAUNCHER_REQUEST_BYTES = 1 << 20 /* arguments and environment of one launch */
};

#endif
