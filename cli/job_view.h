/*
 * job_view.h - what is known of one application: from the resource manager, and from its master
 * while that runs, else from its history file.
 */
#ifndef MILLRACE_CLI_JOB_VIEW_H
#define MILLRACE_CLI_JOB_VIEW_H

#include <stdbool.h>
#include <stddef.h>

#include "cli/session.h"
#include "lib/base/buf.h"
#include "lib/base/error.h"
#include "lib/base/status.h"
#include "lib/model/messages.h"

enum job_view_source {
    JOB_VIEW_NONE, /* the job itself could not be asked; why is in job_error */
    JOB_VIEW_MASTER,
    JOB_VIEW_HISTORY
};

struct job_view {
    const struct rm_app_report *app;
    enum job_view_source source;
    struct error job_error;
    const struct am_job_report *job; /* NULL: JOB_VIEW_NONE */
    const struct am_job_spec *spec;  /* history only, else NULL */
    const struct am_attempt_report *attempts;
    size_t attempts_count;
};

/* "application_..." or "job_..."; ERR_INVALID in a sentence that says what an id looks like. */
MUST_USE enum status job_view_parse_id(const char *text,
                                       struct app_id *ret_app,
                                       struct error *reterr_error);
bool job_view_is_over(const struct rm_app_report *app);
/*
 * Asks for everything about app. ERR_NOT_FOUND when the resource manager does not know it. A job
 * that cannot be asked is no failure: see source. What is found lives as long as the session.
 */
MUST_USE enum status job_view_get(struct cli_session *session,
                                  struct app_id app,
                                  struct job_view *ret_view,
                                  struct error *reterr_error);
/* Prints it for people. */
void job_view_print(const struct job_view *view);
void job_view_print_counters(const struct job_view *view);
void job_view_print_attempts(const struct job_view *view);
/* Appends {"application": ..., "source": ..., "job": ..., "spec": ..., "attempts": [...]}. */
MUST_USE enum status job_view_append_json(const struct job_view *view, struct buf *json);

#endif
