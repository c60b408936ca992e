/*
 * mrsubmit.h - shared by the files of mrsubmit: its options, exit codes and what it prints.
 */
#ifndef MILLRACE_CLI_MRSUBMIT_H
#define MILLRACE_CLI_MRSUBMIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/error.h"
#include "lib/base/status.h"
#include "lib/model/messages.h"
#include "mr/client/client.h"
#include "mr/client/job_settings.h"

/* docs/exit-codes.md is the list for people. */
enum submit_exit {
    SUBMIT_SUCCEEDED = 0,
    SUBMIT_JOB_FAILED = 1,
    SUBMIT_USAGE = 2,
    SUBMIT_NO_CLUSTER = 3,
    SUBMIT_KILLED = 4,
    SUBMIT_BAD_INPUT = 5,
    SUBMIT_BAD_OUTPUT = 6,
    SUBMIT_BAD_OBJECT = 7,
    SUBMIT_REFUSED = 8,
    SUBMIT_INTERRUPTED = 130
};

struct submit_options {
    struct mr_client_job job;
    struct job_settings settings; /* read from the job's parameters */
    const char *directory;        /* --dir, or NULL */
    bool is_local;
    bool is_json;
    bool is_quiet;
    bool wants_help;
    bool wants_version;
};

/*
 * Reads the command line; everything in *ret_options borrows from argv or lives in arena.
 * ERR_INVALID with a sentence, an empty one when argp has told on stderr what is wrong.
 */
MUST_USE enum status submit_options_parse(int argc,
                                          char **argv,
                                          struct arena *arena,
                                          struct submit_options *ret_options,
                                          struct error *reterr_error);
/* Prints the help text to stdout. */
void submit_options_help(void);

/* --- what people see -------------------------------------------------------------------------- */

/* One job's progress on stderr: a line that is drawn again, or lines when it is no terminal. */
struct submit_display {
    bool is_quiet;
    bool is_terminal;
    bool has_line; /* the terminal's line is not empty */
    int64_t started_ms;
    int64_t drawn_ms;
    char last[128]; /* state that was printed last */
};

void submit_display_open(struct submit_display *display, bool is_quiet);
/* A sentence that stays, in front of the progress. */
void submit_display_say(struct submit_display *display, const char *sentence);
/* report: app, state, maps and reduces are shown. waiting: instead of a state, or NULL. */
void submit_display_report(struct submit_display *display,
                           const struct am_job_report *report,
                           const char *waiting);
/* Removes the line. */
void submit_display_close(struct submit_display *display);

/* The summary on stdout, or with is_json the report as one line of JSON. */
void submit_print_result(const struct am_job_report *report, bool is_json, bool is_local);
/* Why it failed and where to look, to stderr. */
void submit_print_failure(const struct am_job_report *report, bool is_local);
enum submit_exit submit_exit_of(const struct am_job_report *report);

/* --- the ways to run -------------------------------------------------------------------------- */

/* In this process; prints, returns the exit code. */
enum submit_exit submit_run_local(const struct submit_options *options);
/* On the cluster; the same. */
enum submit_exit submit_run_cluster(const struct submit_options *options);
/* Prints "mrsubmit: sentence", unless that is empty, and returns code. */
enum submit_exit submit_fail(enum submit_exit code, const struct error *error);

#endif
