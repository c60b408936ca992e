/*
 * launcher_wire.h - private to lib/os: what the launcher and its owner say to each other over their
 * socketpair. Both are one build of one program, so nothing is versioned.
 *
 * A frame is a u32 length (little endian), one byte of kind, and length - 1 bytes of body. Bodies
 * are varints and varint-counted strings (lib/base/varint.h):
 *
 *     LAUNCH  request, tag, flags, limits (4 numbers), directory, stdin, stdout, stderr, list of
 *             arguments, files of control groups and environment, each of both 0 for none, or 1
 *             and a list; a list is its count and that many strings
 *     SIGNAL  request, pid, signal
 *     ANSWER  request, status, pid, text
 *     ENDED   tag, pid, by_signal, code
 *
 * An absent string (NULL) is sent as the empty one.
 */
#ifndef MILLRACE_LIB_OS_LAUNCHER_WIRE_H
#define MILLRACE_LIB_OS_LAUNCHER_WIRE_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/os/process.h"

enum launcher_kind {
    LAUNCHER_LAUNCH = 1,
    LAUNCHER_SIGNAL = 2,
    LAUNCHER_ANSWER = 3,
    LAUNCHER_ENDED = 4
};

struct launcher_frame {
    enum launcher_kind kind;
    uint64_t request;         /* LAUNCH, SIGNAL, ANSWER */
    uint64_t tag;             /* LAUNCH, ENDED */
    int64_t pid;              /* SIGNAL, ANSWER, ENDED */
    struct process_spec spec; /* LAUNCH; decoded: from the arena */
    enum process_signal signal;
    enum status status; /* ANSWER */
    struct slice text;  /* ANSWER; decoded: borrowed from the input */
    struct process_exit exit;
};

/* Appends the frame; fails as buf_append does. */
MUST_USE enum status launcher_frame_append(struct buf *buf, const struct launcher_frame *frame);
/*
 * Takes one frame from the front of input; *ret_found false when it is not all there yet. A frame
 * that cannot be decoded is our own bug and aborts.
 */
void launcher_frame_take(struct slice *input,
                         struct arena *arena,
                         bool *ret_found,
                         struct launcher_frame *ret_frame);

/* The launcher's whole life in the forked process; never returns. */
_Noreturn void launcher_run(int socket);

#endif
