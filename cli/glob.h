/*
 * glob.h - patterns of names as Hadoop's shell has them: * ? [abc] [a-z] [^a] {a,b} and \ to
 * escape. Pure text; who walks the directories is mrfs_paths.c.
 *
 * A character is a character of UTF-8, not a byte. A backslash before none of the special
 * characters (* ? [ ] { } , ^ - \) stands for itself.
 */
#ifndef MILLRACE_CLI_GLOB_H
#define MILLRACE_CLI_GLOB_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/error.h"
#include "lib/base/slice.h"
#include "lib/base/status.h"

struct arena;

enum {
    GLOB_ALTERNATIVES_MAX = 4096 /* of one pattern with its braces written out */
};

/* True when text has a special character that is not escaped. */
bool glob_is_pattern(struct slice text);
/*
 * Writes out all {a,b} of a pattern, nested ones, too: one pattern for each combination, in order,
 * escapes kept. ERR_INVALID when a brace is not closed, ERR_LIMIT beyond GLOB_ALTERNATIVES_MAX.
 */
MUST_USE enum status glob_expand(struct slice pattern,
                                 struct arena *arena,
                                 struct slice **ret_patterns,
                                 size_t *ret_count,
                                 struct error *reterr_error);
/* ERR_INVALID when a [ is not closed or a range runs backwards. For one name, without braces. */
MUST_USE enum status glob_check(struct slice pattern, struct error *reterr_error);
/* True when the whole name matches; pattern passed glob_check. */
bool glob_match(struct slice pattern, struct slice name);
/* The text that a pattern without special characters stands for; in arena. */
struct slice glob_unescape(struct slice pattern, struct arena *arena);
/* The pattern that matches exactly text; in arena. */
struct slice glob_escape(struct slice text, struct arena *arena);

#endif
