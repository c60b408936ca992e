/*
 * job.h - what a master is told when it starts: its place in the environment of its container, its
 * job in the file job.pb of its working folder.
 */
#ifndef MILLRACE_APPMASTER_DAEMON_JOB_H
#define MILLRACE_APPMASTER_DAEMON_JOB_H

#include "appmaster/core/appmaster.h"
#include "lib/base/error.h"

/* The packed am.JobSpec in the container's working folder. */
#define JOB_FILE "job.pb"
/* Where histories are kept in the filesystem, one file an application. */
#define JOB_HISTORY_FOLDER "/.millrace/history"

/*
 * Fills app, app_attempt, container, user, rm_address, namenode_address, credential, history_path
 * and submitted_ms from the environment (docs/containers.md) and job from folder/job.pb; all of it
 * lives in arena. ERR_INVALID names the variable that is missing or not what it must be;
 * ERR_CORRUPT a job file that is not one.
 */
MUST_USE enum status job_read(const char *folder,
                              struct arena *arena,
                              struct appmaster_settings *ret_settings,
                              struct error *reterr_error);

#endif
