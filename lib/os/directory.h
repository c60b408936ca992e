/*
 * directory.h - directories: make, list, remove, sync, space; and paths as text.
 */
#ifndef MILLRACE_LIB_OS_DIRECTORY_H
#define MILLRACE_LIB_OS_DIRECTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/error.h"
#include "lib/base/slice.h"
#include "lib/base/status.h"

/* One directory; ERR_EXISTS when path exists. */
MUST_USE enum status directory_make(const char *path,
                                    unsigned permission,
                                    struct error *reterr_error);
/* With all missing parents; fine when it exists already, ERR_NOT_DIRECTORY when that is a file. */
MUST_USE enum status directory_make_all(const char *path,
                                        unsigned permission,
                                        struct error *reterr_error);
/*
 * The same; each name is made durable in its parent, those that were there too: whoever made them
 * may not have done it. Only what this process may not open is believed.
 */
MUST_USE enum status directory_make_durable(const char *path,
                                            unsigned permission,
                                            struct error *reterr_error);
/* Makes a fresh directory prefix + six random characters, 0700; the path comes from arena. */
MUST_USE enum status directory_make_temporary(const char *prefix,
                                              struct arena *arena,
                                              const char **ret_path,
                                              struct error *reterr_error);
/*
 * Lists the names in path, without "." and "..", sorted by bytes; names and array come from arena.
 */
MUST_USE enum status directory_list(const char *path,
                                    struct arena *arena,
                                    struct slice **ret_names,
                                    size_t *ret_count,
                                    struct error *reterr_error);
/* rmdir(2): ERR_NOT_EMPTY, ERR_NOT_FOUND. */
MUST_USE enum status directory_remove(const char *path, struct error *reterr_error);
/*
 * Removes path and everything below it; symlinks are removed, never followed. An absent path is
 * fine. Stops at the first name that cannot be removed.
 */
MUST_USE enum status directory_remove_tree(const char *path, struct error *reterr_error);
/* Bytes of all regular files below path. Files that vanish meanwhile count 0. */
MUST_USE enum status directory_tree_bytes(const char *path,
                                          uint64_t *ret_bytes,
                                          struct error *reterr_error);
/* Makes names created, renamed or removed in path durable. */
MUST_USE enum status directory_sync(const char *path, struct error *reterr_error);
/* The same for the directory that holds the last component of path. */
MUST_USE enum status directory_sync_parent(const char *path, struct error *reterr_error);

struct directory_space {
    uint64_t capacity_bytes;
    uint64_t free_bytes; /* for unprivileged users */
};

/* Room of the filesystem that holds path. */
MUST_USE enum status directory_space_get(const char *path,
                                         struct directory_space *ret_space,
                                         struct error *reterr_error);

/* left + "/" + right, from arena; right as it is when it is absolute or left is empty. */
const char *path_join(struct arena *arena, const char *left, const char *right);
/* The part after the last slash; borrowed. */
const char *path_name(const char *path);
/* The part before the last slash, "." when there is none, "/" for names in the root. */
const char *path_parent(struct arena *arena, const char *path);
/* Absolute, from arena: the working directory is put in front when needed; no symlink is resolved.
 */
MUST_USE enum status path_absolute(struct arena *arena,
                                   const char *path,
                                   const char **ret_path,
                                   struct error *reterr_error);
/* True for one plain component: not empty, no slash, no NUL, not "." or ".."; safe to join. */
bool path_is_plain_name(struct slice name);

#endif
