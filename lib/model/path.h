/*
 * path.h - paths of the block filesystem: absolute, "/"-separated, UTF-8.
 *
 * A normal path is "/" or "/name/name" without a slash at its end. A name is 1..255 bytes of UTF-8
 * without "/" and without control characters (NUL, newline, ... U+007F), and neither "." nor "..".
 * So a path has exactly one spelling, prints on one line, and fits any local filesystem.
 */
#ifndef MILLRACE_LIB_MODEL_PATH_H
#define MILLRACE_LIB_MODEL_PATH_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/error.h"
#include "lib/base/slice.h"
#include "lib/base/status.h"

struct arena;

/* ERR_INVALID unless path is a normal path; the error says in one sentence what is wrong. */
MUST_USE enum status path_check(struct slice path, struct error *reterr_error);
/*
 * Makes a normal path of one that may have doubled slashes or a slash at its end; everything else
 * is refused as above. *ret_path is path itself when it was normal, else lives in arena.
 */
MUST_USE enum status path_normalise(struct slice path,
                                    struct arena *arena,
                                    struct slice *ret_path,
                                    struct error *reterr_error);
/* ERR_INVALID unless name is a name as above. */
MUST_USE enum status path_check_name(struct slice name, struct error *reterr_error);

/* The functions below take normal paths. */

/*
 * Walks the names: start with *rest the whole path; each call takes one name off the front.
 * False at the end. Both slices borrow from the path.
 */
bool path_next_name(struct slice *rest, struct slice *ret_name);
/* Number of names; 0 for "/". */
size_t path_depth(struct slice path);
bool path_is_root(struct slice path);
/* "/a" for "/a/b", "/" for "/a" and for "/". Borrowed from path. */
struct slice path_directory(struct slice path);
/* "b" for "/a/b", empty for "/". Borrowed from path. */
struct slice path_last_name(struct slice path);
/* directory + "/" + name, in arena. The caller checks the length with path_check where it matters.
 */
struct slice path_append(struct slice directory, struct slice name, struct arena *arena);
/* True when path is ancestor or lies below it: "/a/b" is within "/a", "/ab" is not. */
bool path_is_within(struct slice path, struct slice ancestor);

#endif
