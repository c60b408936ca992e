/*
 * client.h - submits jobs to a cluster and follows them: what mrsubmit does, for any program.
 *
 * A client belongs to one thread; only mr_client_cancel may be called from others. Struct members
 * are borrowed for the length of a call. Failures: a status, a sentence for people in
 * *reterr_error, and mr_client_fault, which says what kind of thing was at fault.
 */
#ifndef MILLRACE_MR_CLIENT_CLIENT_H
#define MILLRACE_MR_CLIENT_CLIENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/error.h"
#include "lib/base/status.h"
#include "lib/model/messages.h"

struct mr_client;

/* What to change before trying again. */
enum mr_client_fault {
    MR_CLIENT_FAULT_NONE,
    MR_CLIENT_FAULT_JOB,      /* a name, number or -D of the job */
    MR_CLIENT_FAULT_OBJECT,   /* the shared object */
    MR_CLIENT_FAULT_INPUT,    /* an input is missing, unreadable or has nothing in it */
    MR_CLIENT_FAULT_OUTPUT,   /* the output exists, or cannot be made there */
    MR_CLIENT_FAULT_CLUSTER,  /* there is no cluster, or it does not answer */
    MR_CLIENT_FAULT_REFUSED,  /* the cluster said no, or something failed on the way */
    MR_CLIENT_FAULT_CANCELLED /* mr_client_cancel */
};

struct object_check;

struct mr_client_settings {
    const char *directory; /* the cluster's folder; NULL: lib/daemon/cluster.h's rule */
    /*
     * Told a sentence when something takes longer than it should (a daemon does not answer and is
     * asked again), and when that is over. May be NULL.
     */
    void (*noticed)(void *user, const char *sentence);
    void *user;
};

struct mr_client_parameter {
    const char *key;
    const char *value;
};

struct mr_client_job {
    const char *object; /* local file */
    /*
     * A look at object that is under way (mr/client/object_check.h), waited for while other things
     * are done; what is wrong with the object is told before all else. NULL: somebody has looked.
     */
    struct object_check *check;
    const char *name; /* what people see; NULL: what check finds, else the file's */
    const char *const *inputs;
    size_t input_count;
    const char *output;
    uint32_t reduces;
    const struct mr_client_parameter *parameters; /* of two with one key the later counts */
    size_t parameter_count;
    uint64_t split_bytes; /* 0: the file's block size */
};

/* How far a job is; valid until the callback returns. */
struct mr_client_progress {
    const struct rm_app_report *app;
    const struct am_job_report *job; /* NULL until a master has told of it */
};

/* How a job ended. */
struct mr_client_result {
    struct rm_app_report app; /* as last heard of; zeroed when the master told all */
    struct am_job_report job;
    bool is_complete; /* false: neither master nor history could be read, job is as last heard of */
};

typedef void mr_client_progressed(void *user, const struct mr_client_progress *progress);

/*
 * Finds the cluster and gets the user's token. Nothing is called over the network before it is
 * needed. One client per process at a time.
 */
MUST_USE enum status mr_client_open(const struct mr_client_settings *settings,
                                    struct mr_client **ret_client,
                                    struct error *reterr_error);
void mr_client_close(struct mr_client *client); /* NULL is fine */
/* Any thread: calls in progress and all later ones end soon, with ERR_CANCELLED. */
void mr_client_cancel(struct mr_client *client);
/* Of the call that failed last. */
enum mr_client_fault mr_client_fault(const struct mr_client *client);

/*
 * Checks inputs and output, uploads object and description, and submits. The same submission is
 * repeated while the resource manager does not answer, for some minutes, and counts once. OK: the
 * cluster will run it, whatever becomes of this process. On failure nothing of it is left, unless
 * the sentence says that the submission may have arrived.
 */
MUST_USE enum status mr_client_submit(struct mr_client *client,
                                      const struct mr_client_job *job,
                                      struct app_id *ret_app,
                                      struct error *reterr_error);
/*
 * Waits for the job to end, over restarts of its master and of the resource manager. progressed
 * (may be NULL) is called on this thread after each change. OK says that it ended, *ret_result how,
 * in arena. ERR_NOT_FOUND: there is no such application, nor its history.
 */
MUST_USE enum status mr_client_follow(struct mr_client *client,
                                      struct app_id app,
                                      mr_client_progressed *progressed,
                                      void *user,
                                      struct arena *arena,
                                      struct mr_client_result *ret_result,
                                      struct error *reterr_error);

#endif
