/*
 * pages_private.h - what the files behind pages.h share.
 */
#ifndef MILLRACE_DFS_NAMENODE_DAEMON_PAGES_PRIVATE_H
#define MILLRACE_DFS_NAMENODE_DAEMON_PAGES_PRIVATE_H

#include <stdatomic.h>

#include "dfs/namenode/daemon/pages.h"
#include "lib/base/arena.h"
#include "lib/base/slice.h"

struct http_request;
struct http_server;

struct namenode_pages {
    struct daemon *daemon;
    struct http_server *http;
    struct arena *arena; /* of the strings below */
    const char *superuser;
    const char *supergroup;
    uint64_t client_id; /* of the mutations that come over HTTP */
    atomic_uint_fast64_t request_id;
};

/* webhdfs.c: routes of WEBHDFS_PREFIX; user is the struct namenode_pages. */
void namenode_webhdfs_begin(void *user, struct http_request *request);
enum status namenode_webhdfs_chunk(void *user, struct http_request *request, struct slice data);
void namenode_webhdfs_handle(void *user, struct http_request *request);

#endif
