/*
 * base64.h - names and signatures as text that may stand in a URL and in a header: base64url (RFC
 * 4648, 5) without padding. Each run of bytes has one spelling only.
 */
#ifndef MILLRACE_LIB_BASE_BASE64_H
#define MILLRACE_LIB_BASE_BASE64_H

#include <stdbool.h>
#include <stddef.h>

#include "lib/base/slice.h"

/* Length of the text of so many bytes, without its NUL. */
#define BASE64_TEXT_BYTES(bytes) (((bytes)*4 + 2) / 3)

/* Writes the text and a NUL (room for BASE64_TEXT_BYTES and one); returns its length. */
size_t base64_encode(struct slice bytes, char *text);
/*
 * Decodes a name, which has no NUL, and adds one. False for anything that base64_encode does not
 * write, for a name with a NUL, and for one of name_bytes or more.
 */
bool base64_decode_name(struct slice text, char *name, size_t name_bytes);

#endif
