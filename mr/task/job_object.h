/*
 * job_object.h - the user's shared object, loaded. Nothing else in the tree calls dlopen.
 */
#ifndef MILLRACE_MR_TASK_JOB_OBJECT_H
#define MILLRACE_MR_TASK_JOB_OBJECT_H

#include "lib/base/error.h"
#include "lib/base/status.h"
#include "mr/mr.h"

struct job_object;

/*
 * Loads path and finds the job it exports. Constructors of the object run; none of the job's
 * functions does. Says in one sentence which of these it is: ERR_NOT_FOUND no such file;
 * ERR_INVALID not a shared object, for another processor, no job exported, or a job that cannot
 * work; ERR_UNSUPPORTED another version of mr/mr.h; ERR_UNAVAILABLE a library or symbol that it
 * needs is missing.
 */
MUST_USE enum status job_object_open(const char *path,
                                     struct job_object **ret_object,
                                     struct error *reterr_error);
/* Valid until job_object_close. */
const struct mr_job *job_object_job(const struct job_object *object);
/* Unloads the object; NULL is fine. */
void job_object_close(struct job_object *object);

#endif
