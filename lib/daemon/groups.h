/*
 * groups.h - to which groups of the host a caller belongs: what struct event's groups say.
 *
 * The host's user database may be slow (files, or a server somewhere), so answers are kept for a
 * while, and an old answer serves while one thread asks for the next. Any number of threads.
 */
#ifndef MILLRACE_LIB_DAEMON_GROUPS_H
#define MILLRACE_LIB_DAEMON_GROUPS_H

#include <stddef.h>
#include <stdint.h>

#include "lib/base/arena.h"
#include "lib/base/slice.h"

struct groups;
struct group_list; /* one answer; never changes; counted */

enum {
    GROUPS_USERS_MAX = 10000 /* answers kept at once */
};

/*
 * Looks up the groups of a user, all of them, the main one too, from arena. No such user, or nobody
 * to ask: none. May block; several threads may be in it.
 */
typedef void groups_lookup(void *user,
                           struct slice name,
                           struct arena *arena,
                           const struct slice **ret_groups,
                           size_t *ret_count);

struct groups_options {
    int64_t keep_ms;               /* an older answer is asked for again, 1.. */
    groups_lookup *lookup;         /* NULL: the host's user database */
    int64_t (*now_ms)(void *user); /* NULL: the monotonic clock */
    void *user;                    /* of both */
};

/* options are copied. */
struct groups *groups_open(const struct groups_options *options);
void groups_close(struct groups *groups); /* NULL is fine; lists given out live on */
/* The groups of name: the caller's reference, for group_list_release. May block. */
struct group_list *groups_find(struct groups *groups, struct slice name);
/* Borrowed from list, as the names in it; list may be NULL: none. */
const struct slice *group_list_names(const struct group_list *list, size_t *ret_count);
void group_list_release(struct group_list *list); /* NULL is fine */

#endif
