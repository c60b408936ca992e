/*
 * mrfs.h - what the files of mrfs share: one parsed command line, one connection, one way to
 * complain, one way to name files.
 */
#ifndef MILLRACE_CLI_MRFS_H
#define MILLRACE_CLI_MRFS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/word_commands.h"
#include "dfs/client/dfs.h"

struct file_info;
struct mutex;

/* Options that have no letter; letters number themselves. */
enum mrfs_key {
    KEY_CLUSTER = 1,
    KEY_TIMEOUT,
    KEY_DEFINE,
    KEY_URI,
    KEY_HELP,
    KEY_LITERAL,
    KEY_JSON,
    KEY_BLOCKS,
    KEY_REPLICATION,
    KEY_BLOCK_SIZE,
    KEY_DURABILITY,
    KEY_REMOTE,
    KEY_PARENTS,
    KEY_SKIP_TRASH,
    KEY_SAFELY,
    KEY_NEWLINE,
    KEY_SKIP_EMPTY,
    KEY_IGNORE_NON_EMPTY,
    KEY_IMMEDIATE,
    KEY_FILES,
    KEY_LOCATIONS,
    KEY_RACKS,
    KEY_OPEN,
    KEY_LIST_CORRUPT,
    KEY_DELETE,
    KEY_WAIT
};

struct mrfs {
    struct dfs *dfs;
    struct arena *arena; /* for the whole run; the main thread's */
    const char *command;
    struct words words; /* the command's own options and arguments */
    struct slice user;
    struct slice home;   /* "/user/NAME": where relative names begin */
    struct mutex *mutex; /* of stderr and the three results below */
    bool has_failed;
    bool is_unreachable;
    bool is_interrupted;
    bool is_nothing_fine; /* a pattern that matches nothing is no failure: rm -f */
    bool is_false;        /* "test": the answer is no */
    bool is_terminal;     /* progress may be shown on stderr */
};

struct mrfs_command {
    struct word_command words;
    void (*run)(struct mrfs *mrfs);
    bool is_cancelled; /* SIGINT ends it in order: what it had begun is taken back */
};

/* --- mrfs_verbs.c -------------------------------------------------------------------------------
 */
/* With or without a dash; NULL when there is none. */
const struct mrfs_command *mrfs_find_command(const char *name);
void mrfs_print_commands(void);

/* --- mrfs.c -------------------------------------------------------------------------------------
 */
bool mrfs_has(const struct mrfs *mrfs, int key);
/* "mrfs: put: "/a": already exists" on stderr; the run goes on and ends with CLI_FAILED. Any
 * thread.
 */
void mrfs_complain(struct mrfs *mrfs, struct slice name, enum status status, const char *text);
/* A number above 0 in an option; complains and returns false when it is none. */
bool mrfs_number(struct mrfs *mrfs, int key, uint64_t fallback, uint64_t max, uint64_t *ret_value);
/* True after SIGINT or SIGTERM. */
bool mrfs_was_interrupted(void);

/* --- mrfs_paths.c -------------------------------------------------------------------------------
 */
/*
 * The normal form of a path of the filesystem, taken literally: "hdfs://host/a" and "millrace:///a"
 * are "/a", "a" is in the home directory. Complains and returns false when it is none.
 */
bool mrfs_path(struct mrfs *mrfs, const char *text, struct slice *ret_path);
/*
 * The same for a pattern: all paths that match, sorted. A pattern that matches nothing, and a list
 * of nothing, is complained of. A text without special characters is not looked up.
 */
void mrfs_expand(struct mrfs *mrfs, const char *text, struct slice **ret_paths, size_t *ret_count);
/* Calls visit for each path that arguments from..to - 1 stand for. */
void mrfs_each(struct mrfs *mrfs,
               size_t from,
               size_t to,
               void (*visit)(struct mrfs *mrfs, struct slice path, void *user),
               void *user);
/* The last argument is a local one when there are several; "." (or fallback) stands for it. */
const char *mrfs_local_text(struct mrfs *mrfs, const char *text);

enum mrfs_order {
    PARENTS_FIRST,
    CHILDREN_FIRST
};

/*
 * Calls visit for found (which is at path) and everything below it, page by page. visit returns
 * false to leave out what is below (PARENTS_FIRST). Complains of what cannot be listed.
 */
typedef bool mrfs_visit(struct mrfs *mrfs,
                        struct slice path,
                        const struct dfs_file_status *file,
                        void *user);
void mrfs_walk(struct mrfs *mrfs,
               struct slice path,
               const struct dfs_file_status *found,
               enum mrfs_order order,
               mrfs_visit *visit,
               void *user);
/* Status of path, complaining when there is none. */
bool mrfs_status(struct mrfs *mrfs, struct slice path, struct dfs_file_status *ret_found);

/* --- mrfs_json.c --------------------------------------------------------------------------------
 */
struct mrfs_json {
    bool is_wanted;
    bool has_begun;
};

/* An array on stdout when --json was given; nothing otherwise. */
struct mrfs_json mrfs_json_open(const struct mrfs *mrfs);
void mrfs_json_add(struct mrfs_json *json, const struct message_type *type, const void *message);
/* The same for an object whose text is at hand. */
void mrfs_json_add_text(struct mrfs_json *json, const char *text);
void mrfs_json_close(struct mrfs_json *json);

/* --- mrfs_put.c, mrfs_get.c, mrfs_cp.c: trees of files, several at a time ------------------------
 */
void mrfs_put(struct mrfs *mrfs);
void mrfs_move_from_local(struct mrfs *mrfs);
void mrfs_get(struct mrfs *mrfs);
void mrfs_move_to_local(struct mrfs *mrfs);
void mrfs_cp(struct mrfs *mrfs);

/* --- mrfs_read.c --------------------------------------------------------------------------------
 */
void mrfs_cat(struct mrfs *mrfs);
void mrfs_head(struct mrfs *mrfs);
void mrfs_tail(struct mrfs *mrfs);
void mrfs_getmerge(struct mrfs *mrfs);
void mrfs_checksum(struct mrfs *mrfs);

/* --- mrfs_list.c, mrfs_usage.c, mrfs_stat.c, mrfs_find.c ----------------------------------------
 */
void mrfs_ls(struct mrfs *mrfs);
void mrfs_lsr(struct mrfs *mrfs);
void mrfs_du(struct mrfs *mrfs);
void mrfs_df(struct mrfs *mrfs);
void mrfs_count(struct mrfs *mrfs);
void mrfs_stat(struct mrfs *mrfs);
void mrfs_test(struct mrfs *mrfs);
void mrfs_find(struct mrfs *mrfs);

/* --- mrfs_names.c, mrfs_change.c ----------------------------------------------------------------
 */
void mrfs_mkdir(struct mrfs *mrfs);
void mrfs_mv(struct mrfs *mrfs);
void mrfs_rm(struct mrfs *mrfs);
void mrfs_rmdir(struct mrfs *mrfs);
void mrfs_touch(struct mrfs *mrfs);
void mrfs_touchz(struct mrfs *mrfs);
void mrfs_chmod(struct mrfs *mrfs);
void mrfs_chown(struct mrfs *mrfs);
void mrfs_chgrp(struct mrfs *mrfs);

/* --- mrfs_fsck.c --------------------------------------------------------------------------------
 */
void mrfs_fsck(struct mrfs *mrfs);

/* --- mrfs_append.c, mrfs_trash.c, mrfs_text.c ---------------------------------------------------
 */
void mrfs_append_to_file(struct mrfs *mrfs);
void mrfs_truncate(struct mrfs *mrfs);
void mrfs_concat(struct mrfs *mrfs);
void mrfs_setrep(struct mrfs *mrfs);
void mrfs_expunge(struct mrfs *mrfs);
void mrfs_text(struct mrfs *mrfs);

#endif
