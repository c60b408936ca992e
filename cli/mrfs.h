/*
 * mrfs.h - what the files of mrfs share: one parsed command line, one connection, one way to
 * complain.
 */
#ifndef MILLRACE_CLI_MRFS_H
#define MILLRACE_CLI_MRFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "dfs/client/dfs.h"

enum {
    MRFS_INTERRUPTED = 130 /* SIGINT or SIGTERM; half-written files were abandoned */
};

/* Options without a letter; below the letters. */
enum mrfs_key {
    KEY_CLUSTER = 1,
    KEY_TIMEOUT,
    KEY_JSON,
    KEY_BLOCKS,
    KEY_REPLICATION,
    KEY_BLOCK_SIZE,
    KEY_REMOTE
};

struct mrfs {
    struct dfs *dfs;
    struct arena *arena; /* for the whole run */
    const char *command;
    bool flags[128];         /* options given, by their letter or key */
    const char *values[128]; /* their arguments */
    char **paths;            /* what is left of the command line */
    size_t paths_count;
    bool has_failed;
    bool is_unreachable;
    bool is_interrupted;
    bool is_terminal; /* progress may be shown on stderr */
};

/* "mrfs: put: /a: already exists" on stderr; the run goes on and ends with CLI_FAILED. */
void mrfs_complain(struct mrfs *mrfs, const char *name, enum status status, const char *text);
/* The normal form of a path of the filesystem; complains and returns false when it is none. */
bool mrfs_path(struct mrfs *mrfs, const char *text, struct slice *ret_path);
/* "12.3 MiB"; static storage for one number at a time of each of the two slots. */
const char *mrfs_bytes_text(uint64_t bytes, unsigned slot);

/* --- mrfs_copy.c --------------------------------------------------------------------------------
 */
void mrfs_put(struct mrfs *mrfs);
void mrfs_get(struct mrfs *mrfs);
void mrfs_cat(struct mrfs *mrfs);

/* --- mrfs_show.c --------------------------------------------------------------------------------
 */
void mrfs_ls(struct mrfs *mrfs);
void mrfs_du(struct mrfs *mrfs);
void mrfs_stat(struct mrfs *mrfs);

/* --- mrfs_names.c -------------------------------------------------------------------------------
 */
void mrfs_mkdir(struct mrfs *mrfs);
void mrfs_mv(struct mrfs *mrfs);
void mrfs_rm(struct mrfs *mrfs);
void mrfs_chmod(struct mrfs *mrfs);
void mrfs_chown(struct mrfs *mrfs);

#endif
