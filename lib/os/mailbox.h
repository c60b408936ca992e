/*
 * mailbox.h - a bounded queue of pointers: many threads post, one takes. Items leave in the order
 * in which they were posted.
 */
#ifndef MILLRACE_LIB_OS_MAILBOX_H
#define MILLRACE_LIB_OS_MAILBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/status.h"

struct mailbox;

struct mailbox *mailbox_open(size_t capacity);
/* Frees the queue, not the items: drain it first. NULL is fine; nobody may use it any more. */
void mailbox_close(struct mailbox *mailbox);
/* ERR_BUSY when capacity items wait already, ERR_UNAVAILABLE after mailbox_shut. Never waits. */
MUST_USE enum status mailbox_post(struct mailbox *mailbox, void *item);
/*
 * The same for items whose number is bounded elsewhere (the answer to something the taker itself
 * asked for) and that must not be lost: capacity does not count. ERR_UNAVAILABLE after
 * mailbox_shut.
 */
MUST_USE enum status mailbox_post_owed(struct mailbox *mailbox, void *item);
/*
 * Takes up to items_max items, waiting until there is one, or mailbox_wake or mailbox_shut is
 * called, or the monotonic clock reaches deadline_ms (INT64_MAX: never). Returns how many, 0
 * included. One thread only.
 */
size_t mailbox_take(struct mailbox *mailbox, void **items, size_t items_max, int64_t deadline_ms);
/* Makes the mailbox_take that waits now, or the next one, return at once. */
void mailbox_wake(struct mailbox *mailbox);
/* Nothing can be posted any more; what is in it can still be taken. */
void mailbox_shut(struct mailbox *mailbox);
bool mailbox_is_shut(struct mailbox *mailbox);
size_t mailbox_count(struct mailbox *mailbox);

#endif
