/*
 * mrfs_trash.h - the caller's trash.
 */
#ifndef MILLRACE_CLI_MRFS_TRASH_H
#define MILLRACE_CLI_MRFS_TRASH_H

#include "cli/mrfs.h"

/* Whether the cluster keeps what is removed. Complains and returns false when it does not answer.
 */
bool mrfs_trash_open(struct mrfs *mrfs, bool *ret_is_on);
/* True when path is the trash or lies in it: removing it there is final. */
bool mrfs_trash_holds(struct mrfs *mrfs, struct slice path);
/* Moves path to Current under the same path; what lies there already is not touched. */
MUST_USE enum status mrfs_trash_move(struct mrfs *mrfs,
                                     struct slice path,
                                     struct error *reterr_error);

#endif
