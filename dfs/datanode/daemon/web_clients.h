/*
 * web_clients.h - filesystem clients for those who come over WebHDFS: one per user, kept while it
 * is of use, calling in that user's name with tokens the datanode signs. Any number of threads.
 */
#ifndef MILLRACE_DFS_DATANODE_DAEMON_WEB_CLIENTS_H
#define MILLRACE_DFS_DATANODE_DAEMON_WEB_CLIENTS_H

#include <stddef.h>

#include "lib/base/error.h"
#include "lib/base/slice.h"
#include "lib/base/status.h"

struct daemon;
struct dfs;
struct web_client;
struct web_clients;

enum web_use {
    WEB_READ,
    WEB_WRITE, /* keeps a block in memory */
    WEB_USE_COUNT
};

struct web_clients *web_clients_open(struct daemon *daemon, const size_t uses_max[WEB_USE_COUNT]);
/* Breaks off the calls in progress; nobody gets a client any more. */
void web_clients_stop(struct web_clients *clients);
void web_clients_close(struct web_clients *clients); /* all given back; NULL is fine */
/*
 * Waits, not for ever, until one more of this use fits; give it back with web_client_release.
 * ERR_UNAVAILABLE when none comes free or the datanode stops.
 */
MUST_USE enum status web_clients_take(struct web_clients *clients,
                                      struct slice user,
                                      enum web_use use,
                                      struct web_client **ret_client,
                                      struct error *reterr_error);
void web_client_release(struct web_client *client, enum web_use use); /* NULL is fine */
/* With a token that is good for some time from now on: ask before each longer piece of work. */
struct dfs *web_client_dfs(struct web_client *client);

#endif
