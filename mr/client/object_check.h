/*
 * object_check.h - looks at a job's shared object without running any of it in this process.
 *
 * Loading an object runs its constructors, so a child process does it: a program that calls
 * object_check_answer with what it found, started with the arguments
 *     program OBJECT_CHECK_OPTION OBJECT REDUCES RESULT
 * RESULT is a file that the child makes; without it the child has crashed or ended on the way.
 */
#ifndef MILLRACE_MR_CLIENT_OBJECT_CHECK_H
#define MILLRACE_MR_CLIENT_OBJECT_CHECK_H

#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/error.h"
#include "lib/base/status.h"

#define OBJECT_CHECK_OPTION "--check-object"

enum {
    OBJECT_CHECK_TIMEOUT_MS = 30 * 1000
};

struct object_check; /* one under way; used by one thread at a time */

/* Starts the child; program, object and reduces as for object_check. */
MUST_USE enum status object_check_begin(const char *program,
                                        const char *object,
                                        uint32_t reduces,
                                        struct object_check **ret_check,
                                        struct error *reterr_error);
/* Waits for its end; the same answer each time. *ret_name lives as long as check. */
MUST_USE enum status object_check_wait(struct object_check *check,
                                       const char **ret_name,
                                       struct error *reterr_error);
/* Ends the child if it still runs. NULL is fine. */
void object_check_close(struct object_check *check);

/*
 * All three in one: checks object for a job with this many reduces. *ret_name: what the job calls
 * itself, "" when it does not say, from arena. Statuses are those of the child
 * (mr/task/job_object.h), and ERR_INVALID when the object crashed, ended or hung its process.
 */
MUST_USE enum status object_check(const char *program,
                                  const char *object,
                                  uint32_t reduces,
                                  struct arena *arena,
                                  const char **ret_name,
                                  struct error *reterr_error);
/* The child's last act: error->status OK and name, or the failure, into the file result. */
MUST_USE enum status object_check_answer(const char *result,
                                         const char *name,
                                         const struct error *error,
                                         struct error *reterr_error);

#endif
