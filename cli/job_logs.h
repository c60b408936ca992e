/*
 * job_logs.h - what an application's containers wrote, from the node managers that keep it
 * (docs/protocols/nodemgr-http.md).
 */
#ifndef MILLRACE_CLI_JOB_LOGS_H
#define MILLRACE_CLI_JOB_LOGS_H

#include <stdbool.h>
#include <stdint.h>

#include "cli/session.h"
#include "lib/base/error.h"
#include "lib/base/status.h"
#include "lib/model/messages.h"

enum {
    JOB_LOGS_TAIL_MAX = 10000 /* lines */
};

struct job_logs_choice {
    struct app_id app;
    bool has_container; /* only this one: */
    struct container_id container;
    bool with_stdout;
    bool with_stderr;
    uint64_t tail_lines; /* 0: everything */
};

/*
 * Prints the chosen logs to stdout, and a title before each to stderr. Nodes that do not answer are
 * told of on stderr. ERR_NOT_FOUND when no node has any.
 */
MUST_USE enum status job_logs_print(struct cli_session *session,
                                    const struct job_logs_choice *choice,
                                    struct error *reterr_error);

#endif
