/*
 * text.h - text of unknown origin made fit for messages: UTF-8, no NUL, not too long.
 * lib/wire refuses any other string, so what comes from a process's stderr, a file name or a
 * user's mouth passes here first.
 */
#ifndef MILLRACE_LIB_MODEL_TEXT_H
#define MILLRACE_LIB_MODEL_TEXT_H

#include <stdbool.h>

#include "lib/base/slice.h"

struct arena;

enum {
    TEXT_QUOTE_BYTES = 256
};

struct text_quote {
    char text[TEXT_QUOTE_BYTES]; /* NUL-terminated */
};

/* True when text is well-formed UTF-8 without NUL. */
bool text_is_clean(struct slice text);
/* Returns text itself when it is clean, else a copy in arena with U+FFFD for each bad byte. */
struct slice text_clean(struct slice text, struct arena *arena);
/* The longest part of clean text from its start of at most bytes_max that ends between characters.
 */
struct slice text_cut(struct slice text, size_t bytes_max);
/* The same from the end: the last bytes_max. */
struct slice text_cut_front(struct slice text, size_t bytes_max);
/*
 * In double quotes for an error sentence: control and malformed bytes become '?', a long text ends
 * in "...". Use as text_quote(name).text within one expression.
 */
struct text_quote text_quote(struct slice text);

#endif
