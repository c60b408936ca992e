/*
 * crash.h - who did it: when foreign code called by this process crashes or ends the process, one
 * line on stderr says in the middle of what, before anything else is lost.
 *
 *     attempt_1700000000000_0001_m_000007_0: map at byte 4096 of /in/a crashed: signal 11 (SIGSEGV)
 *     attempt_1700000000000_0001_m_000007_0: map at byte 4096 of /in/a called exit()
 *
 * A crash ends the process by its signal, as without the guard. exit() from inside the guard ends
 * it with CRASH_EXIT_CODE, whatever code was given: the work was not finished.
 */
#ifndef MILLRACE_LIB_OS_CRASH_H
#define MILLRACE_LIB_OS_CRASH_H

#include <stdint.h>

#include "lib/base/error.h"
#include "lib/base/status.h"

enum {
    CRASH_EXIT_CODE = 70, /* sysexits.h: EX_SOFTWARE */
    CRASH_TEXT_BYTES = 512
};

/* What a thread is doing, in the words of the line above: "<before> at byte N of <behind>". */
struct crash_scene {
    char before[CRASH_TEXT_BYTES];
    char behind[CRASH_TEXT_BYTES]; /* "": before stands alone */
    volatile uint64_t position;    /* kept up to date while it goes on */
};

/* Installs the handlers, once per process; from then on scenes count. */
MUST_USE enum status crash_guard_open(struct error *reterr_error);
/*
 * From here to crash_guard_leave this thread is in scene, which is borrowed. Works on a full stack,
 * too. Not nested.
 */
void crash_guard_enter(struct crash_scene *scene);
void crash_guard_leave(void);

#endif
