/*
 * visit.h - one WebHDFS request at the namenode, from its headers to its answer.
 */
#ifndef MILLRACE_DFS_NAMENODE_DAEMON_VISIT_H
#define MILLRACE_DFS_NAMENODE_DAEMON_VISIT_H

#include "dfs/namenode/daemon/pages_private.h"
#include "dfs/webhdfs/answer.h"

struct visit {
    struct namenode_pages *self;
    struct http_request *request;
    struct webhdfs_parameters parameters;
    enum webhdfs_op op;
    struct slice user; /* effective */
    struct slice path;
    struct arena *arena;
    struct buf page; /* JSON; empty: an empty answer */
    bool is_replied; /* by the operation itself */
    struct error error;
};

/* Asks the machine in the name of the visitor; *ret_answer lives in the visit's arena. */
MUST_USE enum status namenode_visit_ask(struct visit *visit,
                                        enum method method,
                                        const void *message,
                                        const void **ret_answer);
/* The same as the namenode itself. */
MUST_USE enum status namenode_visit_ask_as_daemon(struct visit *visit,
                                                  enum method method,
                                                  const void *message,
                                                  const void **ret_answer);
uint64_t namenode_visit_next_request(struct visit *visit);
/* May this user do everything? */
bool namenode_user_is_super(struct namenode_pages *self, struct slice user);
/* Is user in group, by the host's user database? */
bool namenode_user_is_in(struct namenode_pages *self, struct slice user, struct slice group);

/* What an operation does: fills page, or leaves it empty, or replies. */
typedef enum status namenode_visit_serve(struct visit *visit);

/* webhdfs_read.c, webhdfs_write.c, webhdfs_redirect.c */
namenode_visit_serve namenode_webhdfs_file_status, namenode_webhdfs_list, namenode_webhdfs_batch,
    namenode_webhdfs_summary, namenode_webhdfs_quota, namenode_webhdfs_fs_status,
    namenode_webhdfs_defaults, namenode_webhdfs_checksum, namenode_webhdfs_locations,
    namenode_webhdfs_home, namenode_webhdfs_trash_root, namenode_webhdfs_check_access,
    namenode_webhdfs_acl, namenode_webhdfs_token;
namenode_visit_serve namenode_webhdfs_mkdirs, namenode_webhdfs_rename, namenode_webhdfs_replication,
    namenode_webhdfs_owner, namenode_webhdfs_permission, namenode_webhdfs_times,
    namenode_webhdfs_set_quota, namenode_webhdfs_concat, namenode_webhdfs_truncate,
    namenode_webhdfs_delete;
namenode_visit_serve namenode_webhdfs_open, namenode_webhdfs_create, namenode_webhdfs_append;

#endif
