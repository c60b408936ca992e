/*
 * cluster_folder.h - the folder of a cluster on one host (docs/formats/cluster.md): who may use it,
 * what is in it, one command at a time.
 */
#ifndef MILLRACE_CLI_CLUSTER_FOLDER_H
#define MILLRACE_CLI_CLUSTER_FOLDER_H

#include <stdbool.h>
#include <stddef.h>

#include "cli/cluster_plan.h"
#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/error.h"
#include "lib/base/status.h"

struct file_lock;

/* True when there is a cluster.json. */
bool cluster_folder_is_made(const char *directory, struct arena *arena);
/* True when that, or what is left of a start that failed. */
bool cluster_folder_is_ours(const char *directory, struct arena *arena);
/*
 * Makes directory (0700) with its parents. ERR_NOT_EMPTY when it holds something but no cluster;
 * ERR_DENIED when it belongs to another user.
 */
MUST_USE enum status cluster_folder_prepare(const char *directory,
                                            struct arena *arena,
                                            struct error *reterr_error);
/*
 * Takes the folder for a command that changes the cluster, until file_lock_close or the process's
 * end. ERR_BUSY, in a sentence, while another one works on it.
 */
MUST_USE enum status cluster_folder_lock(const char *directory,
                                         struct arena *arena,
                                         struct file_lock **ret_lock,
                                         struct error *reterr_error);
/* Appends millrace.conf to ret_text; nothing when there is none. */
MUST_USE enum status cluster_folder_read_settings(const char *directory,
                                                  struct arena *arena,
                                                  struct buf *ret_text,
                                                  struct error *reterr_error);
MUST_USE enum status cluster_folder_write_settings(const char *directory,
                                                   struct arena *arena,
                                                   struct slice text,
                                                   struct error *reterr_error);
/*
 * Makes what is missing of the secret and the daemons' folders, and writes cluster.json last: then
 * there is a cluster.
 */
MUST_USE enum status cluster_folder_make(const char *directory,
                                         const struct cluster_plan *plan,
                                         struct arena *arena,
                                         struct error *reterr_error);
/* Takes cluster.json and millrace.conf away: there is no cluster any more, just logs. */
MUST_USE enum status cluster_folder_unmake(const char *directory,
                                           struct arena *arena,
                                           struct error *reterr_error);
/*
 * Removes the folder of a cluster of which nothing runs, and its sockets' folders elsewhere.
 * ERR_INVALID when it holds no cluster.
 */
MUST_USE enum status cluster_folder_remove(const char *directory,
                                           struct arena *arena,
                                           struct error *reterr_error);

#endif
