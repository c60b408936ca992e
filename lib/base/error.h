/*
 * error.h - what a person needs beside the status: one sentence, collected from the inside out.
 * The buffer is fixed, so reporting an error cannot itself fail; a longer text is cut. Control
 * characters, which names of files may have, become "\n", "\t" or "\x1b": a text is one line.
 */
#ifndef MILLRACE_LIB_BASE_ERROR_H
#define MILLRACE_LIB_BASE_ERROR_H

#include "lib/base/status.h"

enum {
    ERROR_TEXT_BYTES = 1024
};

struct error {
    enum status status;
    char text[ERROR_TEXT_BYTES]; /* NUL-terminated, "" when never set */
};

/* For where {.status = OK}, which clears all of the text, would cost: once for each record, say. */
static inline void error_clear(struct error *error)
{
    error->status = OK;
    error->text[0] = '\0';
}

/*
 * Sets status and text (printf style) and returns status, so that "return error_set(...)" reads
 * well. error may be NULL: then only the status is returned.
 */
MUST_USE enum status error_set(struct error *error, enum status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* The same with the text of errno_value appended: "open /x: No such file or directory". */
MUST_USE enum status error_set_errno(struct error *error, int errno_value, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/*
 * Puts "context: " in front of the text while it travels outward and returns error's status
 * (fallback status when error is NULL).
 */
MUST_USE enum status error_prefix(struct error *error, enum status status, const char *format, ...)
    __attribute__((format(printf, 3, 4)));

/* Maps errno to the nearest status: ENOENT to ERR_NOT_FOUND, ENOSPC to ERR_NO_SPACE, ... */
enum status status_from_errno(int errno_value);

#endif
