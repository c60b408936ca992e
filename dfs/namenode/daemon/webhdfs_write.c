/*
 * webhdfs_write.c - WebHDFS's operations that change names.
 */
#include "dfs/client/dfs.h"
#include "dfs/namenode/daemon/visit.h"
#include "lib/daemon/daemon.h"
#include "lib/daemon/http_caller.h"
#include "lib/model/limits.h"
#include "lib/os/clock.h"

enum {
    TRUNCATE_MS = 30 * 1000
};

static enum status change(struct visit *visit, enum method method, const void *message)
{
    const void *answer = NULL;
    return namenode_visit_ask(visit, method, message, &answer);
}

enum status namenode_webhdfs_mkdirs(struct visit *visit)
{
    struct dfs_mkdirs_request ask = {
        .client_id = visit->self->client_id,
        .request_id = namenode_visit_next_request(visit),
        .path = visit->path,
        .create_parents = true,
    };
    enum status status =
        webhdfs_permission(&visit->parameters, "permission", 0755, &ask.permission, &visit->error);
    if (status == OK)
        status = change(visit, METHOD_NAMENODE_MKDIRS, &ask);
    return status == OK ? webhdfs_write_boolean(true, &visit->page) : status;
}

/* HDFS tells these with {"boolean": false}. */
static bool is_false_of_rename(enum status status)
{
    return status == ERR_NOT_FOUND || status == ERR_EXISTS || status == ERR_NOT_DIRECTORY ||
           status == ERR_IS_DIRECTORY || status == ERR_NOT_EMPTY || status == ERR_INVALID;
}

enum status namenode_webhdfs_rename(struct visit *visit)
{
    struct dfs_rename_request ask = {
        .client_id = visit->self->client_id,
        .request_id = namenode_visit_next_request(visit),
        .source = visit->path,
    };
    enum status status = webhdfs_path(&visit->parameters, "destination", visit->arena,
                                      &ask.destination, &visit->error);
    if (status != OK)
        return status;
    status = change(visit, METHOD_NAMENODE_RENAME, &ask);
    if (status != OK && !is_false_of_rename(status))
        return status;
    return webhdfs_write_boolean(status == OK, &visit->page);
}

enum status namenode_webhdfs_delete(struct visit *visit)
{
    struct dfs_delete_request ask = {
        .client_id = visit->self->client_id,
        .request_id = namenode_visit_next_request(visit),
        .path = visit->path,
    };
    enum status status =
        webhdfs_boolean(&visit->parameters, "recursive", false, &ask.recursive, &visit->error);
    if (status == OK)
        status = change(visit, METHOD_NAMENODE_DELETE, &ask);
    if (status != OK && status != ERR_NOT_FOUND)
        return status;
    return webhdfs_write_boolean(status == OK, &visit->page);
}

enum status namenode_webhdfs_replication(struct visit *visit)
{
    uint64_t replication = 0;
    struct dfs_set_replication_request ask = {
        .client_id = visit->self->client_id,
        .request_id = namenode_visit_next_request(visit),
        .path = visit->path,
    };
    enum status status = webhdfs_number(&visit->parameters, "replication", 0, LIMIT_REPLICAS,
                                        &replication, &visit->error);
    ask.replication = (uint32_t)replication;
    if (status == OK && replication == 0)
        status = error_set(&visit->error, ERR_INVALID,
                           "Invalid value for webhdfs parameter \"replication\": 1 to %d",
                           (int)LIMIT_REPLICAS);
    if (status == OK)
        status = change(visit, METHOD_NAMENODE_SET_REPLICATION, &ask);
    if (status != OK && status != ERR_IS_DIRECTORY)
        return status;
    return webhdfs_write_boolean(status == OK, &visit->page);
}

enum status namenode_webhdfs_owner(struct visit *visit)
{
    struct dfs_set_owner_request ask = {
        .client_id = visit->self->client_id,
        .request_id = namenode_visit_next_request(visit),
        .path = visit->path,
    };
    enum status status = webhdfs_text(&visit->parameters, "owner", &ask.owner, &visit->error);
    if (status == OK)
        status = webhdfs_text(&visit->parameters, "group", &ask.group, &visit->error);
    if (status != OK)
        return status;
    if (ask.owner.length == 0 && ask.group.length == 0)
        return error_set(&visit->error, ERR_INVALID, "Both owner and group are empty.");
    return change(visit, METHOD_NAMENODE_SET_OWNER, &ask);
}

enum status namenode_webhdfs_permission(struct visit *visit)
{
    struct dfs_set_permission_request ask = {
        .client_id = visit->self->client_id,
        .request_id = namenode_visit_next_request(visit),
        .path = visit->path,
    };
    enum status status =
        webhdfs_permission(&visit->parameters, "permission", 0755, &ask.permission, &visit->error);
    return status == OK ? change(visit, METHOD_NAMENODE_SET_PERMISSION, &ask) : status;
}

enum status namenode_webhdfs_times(struct visit *visit)
{
    struct dfs_set_times_request ask = {
        .client_id = visit->self->client_id,
        .request_id = namenode_visit_next_request(visit),
        .path = visit->path,
    };
    bool has_modified = false;
    bool keeps_modified = false;
    bool has_accessed = false;
    bool keeps_accessed = false;
    enum status status =
        webhdfs_number_or_none(&visit->parameters, "modificationtime", &has_modified,
                               &keeps_modified, &ask.modified_ms, &visit->error);
    if (status == OK)
        status = webhdfs_number_or_none(&visit->parameters, "accesstime", &has_accessed,
                                        &keeps_accessed, &ask.accessed_ms, &visit->error);
    ask.set_modified = has_modified && !keeps_modified;
    ask.set_accessed = has_accessed && !keeps_accessed;
    return status == OK ? change(visit, METHOD_NAMENODE_SET_TIMES, &ask) : status;
}

/* HDFS: absent leaves it, -1 takes it away. */
enum status namenode_webhdfs_set_quota(struct visit *visit)
{
    struct dfs_set_quota_request ask = {
        .client_id = visit->self->client_id,
        .request_id = namenode_visit_next_request(visit),
        .path = visit->path,
    };
    bool is_none = false; /* and the number is 0 then, which is "no quota" here */
    enum status status = webhdfs_number_or_none(
        &visit->parameters, "namespacequota", &ask.set_names, &is_none, &ask.names, &visit->error);
    if (status == OK && ask.set_names && !is_none && ask.names == 0)
        status = error_set(&visit->error, ERR_INVALID,
                           "Invalid value for webhdfs parameter \"namespacequota\": a quota of 0");
    if (status == OK)
        status = webhdfs_number_or_none(&visit->parameters, "storagespacequota", &ask.set_bytes,
                                        &is_none, &ask.bytes, &visit->error);
    if (status == OK && ask.set_bytes && !is_none && ask.bytes == 0)
        status =
            error_set(&visit->error, ERR_INVALID,
                      "Invalid value for webhdfs parameter \"storagespacequota\": a quota of 0");
    return status == OK ? change(visit, METHOD_NAMENODE_SET_QUOTA, &ask) : status;
}

enum status namenode_webhdfs_concat(struct visit *visit)
{
    struct dfs_concat_request ask = {
        .client_id = visit->self->client_id,
        .request_id = namenode_visit_next_request(visit),
        .target = visit->path,
    };
    enum status status = webhdfs_path_list(&visit->parameters, "sources", visit->arena,
                                           &ask.sources, &ask.sources_count, &visit->error);
    return status == OK ? change(visit, METHOD_NAMENODE_CONCAT, &ask) : status;
}

/* --- truncate -------------------------------------------------------------------------------- */

/*
 * Where the cut goes through a block its head has to be read and written anew: so this alone is
 * done by a filesystem client, in the visitor's name.
 */
static enum status truncate_as_visitor(struct visit *visit, uint64_t length)
{
    const struct daemon *daemon = visit->self->daemon;
    struct dfs *dfs = NULL;
    struct slice token;
    enum status status = http_caller_sign_for_cluster(daemon_secret(daemon), visit->user,
                                                      clock_wall_ms() + 2 * TRUNCATE_MS,
                                                      visit->arena, &token, &visit->error);
    if (status != OK)
        return status;
    struct dfs_settings settings = {
        .namenode_address = daemon_rpc_address(daemon),
        .token = (const char *)token.data,
        .host = daemon_host(daemon),
        .deadline_ms = TRUNCATE_MS,
    };
    status = dfs_open(&settings, &dfs, &visit->error);
    if (status == OK)
        status = dfs_truncate(dfs, visit->path, length, &visit->error);
    dfs_close(dfs);
    return status;
}

enum status namenode_webhdfs_truncate(struct visit *visit)
{
    uint64_t length = 0;
    bool is_given = false;
    bool is_none = false;
    enum status status = webhdfs_number_or_none(&visit->parameters, "newlength", &is_given,
                                                &is_none, &length, &visit->error);
    if (status == OK && (!is_given || is_none))
        status = error_set(&visit->error, ERR_INVALID,
                           "Invalid value for webhdfs parameter \"newlength\": it is missing");
    if (status == OK)
        status = truncate_as_visitor(visit, length);
    return status == OK ? webhdfs_write_boolean(true, &visit->page) : status;
}
