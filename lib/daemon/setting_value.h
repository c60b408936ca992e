/*
 * setting_value.h - how far one name is from another, to suggest the one that was meant.
 */
#ifndef MILLRACE_LIB_DAEMON_SETTING_VALUE_H
#define MILLRACE_LIB_DAEMON_SETTING_VALUE_H

#include <stddef.h>

#include "lib/base/slice.h"

/*
 * Levenshtein distance: insertions, deletions and replacements that make one of the other. Names
 * longer than 128 bytes are as far as their length.
 */
size_t setting_name_distance(struct slice left, struct slice right);

#endif
