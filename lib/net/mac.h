/*
 * mac.h - HMAC-SHA256 with one key, many times: the work on the key alone is done once, which
 * leaves half a microsecond for a short text.
 */
#ifndef MILLRACE_LIB_NET_MAC_H
#define MILLRACE_LIB_NET_MAC_H

#include <stdbool.h>
#include <stdint.h>

#include "lib/base/slice.h"

enum {
    MAC_BYTES = 32
};

struct mac_key; /* one thread at a time */

/* key: 1 to 64 bytes, copied. */
struct mac_key *mac_key_open(struct slice key);
/* Overwrites it. NULL is fine. */
void mac_key_close(struct mac_key *key);
void mac_key_sign(struct mac_key *key, struct slice text, uint8_t ret_mac[MAC_BYTES]);
/* Takes the same time wherever they differ, so that nobody learns how much of a forgery was right;
 * the lengths are no secret. */
bool mac_text_is_equal(struct slice left, struct slice right);

#endif
