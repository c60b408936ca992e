/*
 * millrace_verbs.h - the verbs of millrace, one file each, and what they share.
 */
#ifndef MILLRACE_CLI_MILLRACE_VERBS_H
#define MILLRACE_CLI_MILLRACE_VERBS_H

#include <stdbool.h>
#include <stddef.h>

#include "cli/cluster_daemons.h"
#include "cli/cluster_plan.h"
#include "lib/base/arena.h"
#include "lib/base/error.h"
#include "lib/base/status.h"
#include "lib/daemon/cluster.h"

struct settings;

int millrace_up(int argc, char **argv);
int millrace_down(int argc, char **argv);
int millrace_restart(int argc, char **argv);
int millrace_status(int argc, char **argv);
int millrace_settings(int argc, char **argv);
int millrace_token(int argc, char **argv);

/*
 * millrace's own settings: defaults, then directory/millrace.conf when there is one, then the
 * environment. The caller closes *ret_settings.
 */
MUST_USE enum status millrace_settings_open(const char *directory,
                                            struct arena *arena,
                                            struct settings **ret_settings,
                                            struct error *reterr_error);
/* The plan of a cluster with these settings. */
MUST_USE enum status millrace_plan(const struct settings *settings,
                                   struct arena *arena,
                                   struct cluster_plan *ret_plan,
                                   struct error *reterr_error);

/* An existing cluster as the verbs look at it. */
struct millrace_cluster {
    const char *directory;
    struct settings *settings;
    struct cluster_plan plan;
    struct cluster cluster;
    struct cluster_process *processes;
    size_t count;
};

/* directory: of --dir, may be NULL. ERR_UNAVAILABLE when there is no cluster. */
MUST_USE enum status millrace_cluster_open(const char *directory,
                                           struct arena *arena,
                                           struct millrace_cluster *ret_cluster,
                                           struct error *reterr_error);
void millrace_cluster_close(struct millrace_cluster *cluster);
/* Reads addresses and pids again. */
MUST_USE enum status millrace_cluster_look(struct millrace_cluster *cluster,
                                           struct arena *arena,
                                           struct error *reterr_error);
/*
 * Starts the processes that are to run and do not: who is asked first, then the others; waits until
 * they serve and have registered. When that fails, stops again what it started.
 */
MUST_USE enum status millrace_cluster_start(struct millrace_cluster *cluster,
                                            struct arena *arena,
                                            struct error *reterr_error);
/* Takes SIGINT and SIGTERM as the wish to give up a start in progress; once, in the beginning. */
MUST_USE enum status millrace_take_signals(struct error *reterr_error);
/* Prints the table of daemons with their addresses. */
void millrace_print_daemons(const struct millrace_cluster *cluster);

#endif
