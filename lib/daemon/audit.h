/*
 * audit.h - who was refused what: one line of the log for each, in one form in all daemons, so that
 * one search finds them: "... WARN namenode access_refused user=bob from=127.0.0.1:4711
 * what=/millrace.dfs.Namenode/GetBlocks object=- status=ERR_DENIED why=...".
 */
#ifndef MILLRACE_LIB_DAEMON_AUDIT_H
#define MILLRACE_LIB_DAEMON_AUDIT_H

#include "lib/base/slice.h"
#include "lib/base/status.h"

struct log;

struct audit {
    struct slice user; /* empty: nobody knows who it was */
    struct slice from; /* "127.0.0.1:4711", "uid 1000" */
    struct slice what; /* the call or request */
    struct slice object;
    enum status status;
    struct slice why;
};

/* Writes the line when the status is ERR_UNAUTHENTICATED or ERR_DENIED, else nothing. Any thread.
 */
void audit_refusal(struct log *log, const struct audit *audit);

#endif
