/*
 * failure.c - failures as HDFS tells them, and the replies that are no page.
 */
#include <stdlib.h>

#include <jansson.h>

#include "dfs/webhdfs/answer.h"
#include "lib/base/check.h"
#include "lib/net/http_server.h"

#define HADOOP "org.apache.hadoop."
#define IO     403, "IOException", "java.io.IOException"

/* One row per status, in the order of status.h; clang-format would need a column of 70 bytes. */
/* clang-format off */
static const struct webhdfs_failure failures[] = {
    [OK] = {IO},
    [ERR_INVALID] = {400, "IllegalArgumentException", "java.lang.IllegalArgumentException"},
    [ERR_NOT_FOUND] = {404, "FileNotFoundException", "java.io.FileNotFoundException"},
    [ERR_EXISTS] = {403, "FileAlreadyExistsException", HADOOP "fs.FileAlreadyExistsException"},
    [ERR_NOT_DIRECTORY] = {403, "ParentNotDirectoryException", HADOOP "fs.ParentNotDirectoryException"},
    [ERR_IS_DIRECTORY] = {404, "FileNotFoundException", "java.io.FileNotFoundException"},
    [ERR_NOT_EMPTY] = {403, "PathIsNotEmptyDirectoryException", HADOOP "fs.PathIsNotEmptyDirectoryException"},
    [ERR_DENIED] = {403, "AccessControlException", HADOOP "security.AccessControlException"},
    [ERR_UNAUTHENTICATED] = {401, "SecurityException", "java.lang.SecurityException"},
    [ERR_NO_MEMORY] = {500, "RuntimeException", "java.lang.RuntimeException"},
    [ERR_LIMIT] = {IO},
    [ERR_NO_SPACE] = {IO},
    [ERR_NO_NODES] = {IO},
    [ERR_IO] = {IO},
    [ERR_CORRUPT] = {403, "ChecksumException", HADOOP "fs.ChecksumException"},
    [ERR_UNAVAILABLE] = {403, "RetriableException", HADOOP "ipc.RetriableException"},
    [ERR_DEADLINE] = {403, "RetriableException", HADOOP "ipc.RetriableException"},
    [ERR_CANCELLED] = {IO},
    [ERR_STALE] = {IO},
    [ERR_FENCED] = {IO},
    [ERR_BAD_TRANSITION] = {IO},
    [ERR_SAFE_MODE] = {403, "SafeModeException", HADOOP "hdfs.server.namenode.SafeModeException"},
    [ERR_BUSY] = {403, "RetriableException", HADOOP "ipc.RetriableException"},
    [ERR_UNSUPPORTED] = {400, "UnsupportedOperationException", "java.lang.UnsupportedOperationException"},
    [ERR_INTERNAL] = {500, "RuntimeException", "java.lang.RuntimeException"},
    [ERR_QUOTA] = {403, "QuotaExceededException", HADOOP "hdfs.protocol.QuotaExceededException"},
};
/* clang-format on */

_Static_assert(sizeof(failures) / sizeof(failures[0]) == STATUS_COUNT, "one row per status");

struct webhdfs_failure webhdfs_failure_of(enum webhdfs_op op, enum status status)
{
    if (status == ERR_IS_DIRECTORY && op == WEBHDFS_CREATE)
        return failures[ERR_EXISTS];
    if (status == ERR_BUSY &&
        (op == WEBHDFS_CREATE || op == WEBHDFS_APPEND || op == WEBHDFS_TRUNCATE))
        return (struct webhdfs_failure){403, "AlreadyBeingCreatedException",
                                        HADOOP "hdfs.protocol.AlreadyBeingCreatedException"};
    CHECK((unsigned)status < STATUS_COUNT);
    return failures[status];
}

/* json_stringn refuses what is not UTF-8; a sentence may quote anything. */
static json_t *json_of(const char *text)
{
    json_t *string = json_string(text);
    return string != NULL ? string : json_string("(the reason does not print)");
}

/* Sends json (taken). */
static void reply_object(struct http_request *request, unsigned code, json_t *json)
{
    char *text = json_dumps(json, JSON_COMPACT);
    if (text != NULL)
        http_reply(request, code, "application/json", slice_from_string(text));
    else
        http_reply_error(request, ERR_NO_MEMORY, "no memory for the answer");
    free(text); /* from jansson, hence not mem_free */
    json_decref(json);
}

void webhdfs_reply_failure(struct http_request *request,
                           enum webhdfs_op op,
                           enum status status,
                           const char *text)
{
    struct webhdfs_failure failure = webhdfs_failure_of(op, status);
    http_reply_header(request, HTTP_STATUS_HEADER, status_name(status));
    if (status == ERR_UNAUTHENTICATED)
        http_reply_header(request, "WWW-Authenticate", "Bearer");
    reply_object(request, failure.code,
                 json_pack("{s:{s:s,s:s,s:o}}", "RemoteException", "exception", failure.exception,
                           "javaClassName", failure.java_class, "message",
                           json_of(text[0] != '\0' ? text : status_sentence(status))));
}

void webhdfs_reply_json(struct http_request *request, const struct buf *page)
{
    http_reply(request, 200, "application/json", buf_slice(page));
}

void webhdfs_reply_empty(struct http_request *request)
{
    http_reply(request, 200, "application/octet-stream", slice_make(NULL, 0));
}

void webhdfs_reply_redirect(struct http_request *request, const char *url, bool noredirect)
{
    if (noredirect) {
        reply_object(request, 200, json_pack("{s:s}", "Location", url));
        return;
    }
    http_reply_header(request, "Location", url);
    http_reply(request, 307, "application/octet-stream", slice_make(NULL, 0));
}
