/*
 * conf_text.h - changing one row of a settings file's text (millrace.conf) and nothing else of it:
 * comments, order and blank lines are somebody's work.
 */
#ifndef MILLRACE_CLI_CONF_TEXT_H
#define MILLRACE_CLI_CONF_TEXT_H

#include <stdbool.h>

#include "lib/base/arena.h"
#include "lib/base/buf.h"
#include "lib/base/error.h"
#include "lib/base/slice.h"
#include "lib/base/status.h"

/* Takes "section.name=value" apart, without blanks around. ERR_INVALID in a sentence. */
MUST_USE enum status conf_text_split(const char *assignment,
                                     struct slice *ret_name,
                                     struct slice *ret_value,
                                     struct error *reterr_error);
/* The value of "section.name", borrowed; false when no row has it. */
bool conf_text_get(struct slice text, struct slice name, struct slice *ret_value);
/*
 * Appends text to ret_text (open) with the value of "section.name" replaced, or with a row for it
 * at the end of its section, or of the text. Fails as buf_append does.
 */
MUST_USE enum status conf_text_set(struct slice text,
                                   struct slice name,
                                   struct slice value,
                                   struct buf *ret_text);

#endif
