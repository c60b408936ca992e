/*
 * answer.h - what WebHDFS answers: JSON as HDFS writes it, failures as RemoteException
 * (docs/protocols/webhdfs.md). All functions that append to a page fail as buf_append does.
 */
#ifndef MILLRACE_DFS_WEBHDFS_ANSWER_H
#define MILLRACE_DFS_WEBHDFS_ANSWER_H

#include <stdbool.h>

#include "dfs/webhdfs/request.h"
#include "lib/base/buf.h"
#include "lib/model/messages.h"

struct http_request;

/* --- failures -------------------------------------------------------------------------------- */

struct webhdfs_failure {
    unsigned code;          /* HTTP's */
    const char *exception;  /* "FileNotFoundException" */
    const char *java_class; /* with its package */
};

/* How a failure of op is told; op WEBHDFS_OP_COUNT: none was recognised. */
struct webhdfs_failure webhdfs_failure_of(enum webhdfs_op op, enum status status);
/* Replies so; text may be any bytes. */
void webhdfs_reply_failure(struct http_request *request,
                           enum webhdfs_op op,
                           enum status status,
                           const char *text);
void webhdfs_reply_json(struct http_request *request, const struct buf *page);
/* 200 with an empty body. */
void webhdfs_reply_empty(struct http_request *request);
/* 307 to url, or with noredirect 200 and {"Location": url}. */
void webhdfs_reply_redirect(struct http_request *request, const char *url, bool noredirect);

/* --- JSON ------------------------------------------------------------------------------------ */

MUST_USE enum status webhdfs_write_boolean(bool value, struct buf *page);
MUST_USE enum status webhdfs_write_path(struct slice path, struct buf *page);
MUST_USE enum status webhdfs_write_token(struct slice token, struct buf *page);
MUST_USE enum status webhdfs_write_file_status(const struct dfs_file_status *file,
                                               struct buf *page);
/* path of each: its name in the directory; empty for a file that lists itself. */
MUST_USE enum status webhdfs_write_list(const struct dfs_file_status *files,
                                        size_t count,
                                        struct buf *page);
MUST_USE enum status webhdfs_write_batch(const struct dfs_file_status *files,
                                         size_t count,
                                         uint64_t remaining,
                                         struct buf *page);
MUST_USE enum status webhdfs_write_summary(const struct dfs_content_summary_response *summary,
                                           struct buf *page);
MUST_USE enum status webhdfs_write_quota(const struct dfs_content_summary_response *summary,
                                         struct buf *page);
MUST_USE enum status webhdfs_write_fs_status(const struct dfs_cluster_status_response *cluster,
                                             struct buf *page);
MUST_USE enum status webhdfs_write_defaults(const struct dfs_get_server_defaults_response *defaults,
                                            struct buf *page);
MUST_USE enum status webhdfs_write_acl(const struct dfs_file_status *file, struct buf *page);
/* The checksum of the whole file, put together from its blocks'. */
MUST_USE enum status webhdfs_write_checksum(const struct dfs_get_blocks_response *blocks,
                                            struct buf *page);
/* Only what lies in [offset, offset + length). */
MUST_USE enum status webhdfs_write_locations(const struct dfs_get_blocks_response *blocks,
                                             uint64_t offset,
                                             uint64_t length,
                                             struct buf *page);

#endif
