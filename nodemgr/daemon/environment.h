/*
 * environment.h - what a container's process finds in its arguments and environment.
 * The list for people is docs/containers.md.
 */
#ifndef MILLRACE_NODEMGR_DAEMON_ENVIRONMENT_H
#define MILLRACE_NODEMGR_DAEMON_ENVIRONMENT_H

#include "lib/base/arena.h"
#include "nodemgr/core/nodemgr.h"

/* Facts about node and container. A string that is "" gives no variable. */
struct nodemgr_facts {
    uint64_t node_id;
    const char *host;
    const char *rack;
    const char *cluster_directory;
    const char *rm_address;
    const char *namenode_address;
    const char *fd_path; /* of the datanode on this host */
    const char *user_token;
    const char *token_file; /* holds user_token */
    const char *work_directory;
    const char *app_directory;
    const char *log_directory;
    const char *programs_directory; /* where mr-task and mr-appmaster are */
    const char *kept;               /* names, separated by spaces, passed on from our environment */
};

/* The arguments, NULL-terminated, from arena; argv[0] of our own programs becomes their path. */
const char *const *nodemgr_environment_arguments(const struct nodemgr_facts *facts,
                                                 const struct rm_launch_spec *launch,
                                                 struct arena *arena);
/*
 * "NAME=value" rows, NULL-terminated, from arena. The launch's own variables win over the defaults
 * (PATH, LANG, HOME, TMPDIR and the kept ones), the MILLRACE_ ones win over the launch's.
 */
const char *const *nodemgr_environment_variables(const struct nodemgr_facts *facts,
                                                 const struct nodemgr_launch *launch,
                                                 struct arena *arena);

#endif
