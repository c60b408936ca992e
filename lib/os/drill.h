/*
 * drill.h - makes the calls of calls.h fail by a plan from outside, in any of our processes, also
 * in those that node managers start. The variable MILLRACE_DRILL names the file of the plan; it is
 * read at the process's first call. Without the variable nothing happens and nothing is counted.
 *
 * A call site is a call and the functions that led to it, as offsets into the program: the same in
 * every run of one build, on whatever thread. A plan is one line, words with spaces between:
 *
 *     record FOLDER
 *         writes FOLDER/PROGRAM.PID: "SITE CALL HITS KIND" whenever a site's hits reach 1 to 16 or
 * a power of two, so that the last line of a site is of nearly all of its hits. fail PROGRAM SITE
 * NTH REPEAT WHAT CLAIM In the first process of that program that comes to the site's NTH hit, this
 * hit and the REPEAT - 1 after it fail by WHAT: a row of the list in drill.c (EIO, ENOSPC, EINTR,
 * EAGAIN, EMFILE), or "short", which does half of a read or write. The file CLAIM, made then, tells
 *         that it has happened; where it exists already nothing fails. SITE "*" is all sites as
 * one. Hits at which the kernel never answers WHAT are not counted (a read never says ENOSPC).
 */
#ifndef MILLRACE_LIB_OS_DRILL_H
#define MILLRACE_LIB_OS_DRILL_H

/* What a call does, which decides how it can fail. */
enum drill_kind {
    DRILL_READ,
    DRILL_WRITE,
    DRILL_ROOM, /* changes a file's size */
    DRILL_SYNC,
    DRILL_OPEN,
    DRILL_CREATE,
    DRILL_NAME, /* changes names otherwise */
    DRILL_LOOK, /* changes nothing */
    DRILL_FORK,
    DRILL_KIND_COUNT
};

enum drill_answer {
    DRILL_GO,
    DRILL_FAIL, /* errno is set */
    DRILL_SHORT /* READ and WRITE only: half of it */
};

/* Counts a hit of the caller's site. call: the name of the POSIX call. Safe from any thread. */
enum drill_answer drill_ask(enum drill_kind kind, const char *call);

#endif
