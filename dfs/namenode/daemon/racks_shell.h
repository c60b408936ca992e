/*
 * racks_shell.h - what the machine asks the shell of racks: the table's file is read, the script
 * run. See namenode.h.
 */
#ifndef MILLRACE_DFS_NAMENODE_DAEMON_RACKS_SHELL_H
#define MILLRACE_DFS_NAMENODE_DAEMON_RACKS_SHELL_H

#include <stdint.h>

#include "lib/base/error.h"
#include "lib/base/status.h"

struct daemon;
struct namenode;
struct shell;

/* Gives the machine the table of dfs.rack_table, if set. Errors name file and line. */
MUST_USE enum status racks_shell_load(const struct daemon *daemon,
                                      struct namenode *namenode,
                                      struct error *reterr_error);
/* Performs an enum namenode_effect on a worker's thread. */
void racks_shell_effect(
    struct daemon *daemon, struct shell *shell, uint64_t tag, int effect, const void *data);

#endif
