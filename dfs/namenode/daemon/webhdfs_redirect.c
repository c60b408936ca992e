/*
 * webhdfs_redirect.c - WebHDFS's operations on bytes: the namenode says which datanode does them.
 */
#include <inttypes.h>

#include "dfs/namenode/daemon/visit.h"
#include "lib/daemon/daemon.h"
#include "lib/daemon/http_caller.h"
#include "lib/net/http_client.h"
#include "lib/os/clock.h"
#include "lib/os/host.h"

enum {
    URL_BYTES_MAX = 64 * 1024
};

/* What the datanode may want to know, too. */
static const char *const repeated[] = {"offset",     "length",       "buffersize",
                                       "overwrite",  "blocksize",    "replication",
                                       "permission", "createparent", "createflag"};

static enum status append_parameter(struct buf *url, const char *name, struct slice value)
{
    enum status status = buf_append_format(url, "&%s=", name);
    return status == OK ? http_url_append(url, value) : status;
}

static enum status write_url(struct visit *visit, struct slice address, struct buf *url)
{
    const struct daemon *daemon = visit->self->daemon;
    int64_t lifetime_ms = settings_ms(daemon_settings(daemon), "dfs.webhdfs_token_lifetime");
    struct slice token;
    enum status status =
        http_caller_sign(daemon_secret(daemon), visit->user, clock_wall_ms() + lifetime_ms,
                         visit->arena, &token, &visit->error);
    if (status == OK)
        status = buf_append_format(url, "http://%.*s" WEBHDFS_PREFIX, SLICE_ARGS(address));
    if (status == OK)
        status = http_url_append(url, visit->path);
    if (status == OK)
        status = buf_append_format(url, "?op=%s&delegation=%.*s", webhdfs_op_name(visit->op),
                                   SLICE_ARGS(token));
    if (status == OK)
        status = append_parameter(url, "namenoderpcaddress",
                                  slice_from_string(daemon_rpc_address(daemon)));
    for (size_t i = 0; i < sizeof(repeated) / sizeof(repeated[0]) && status == OK; i++) {
        const char *value = visit->parameters.get(visit->parameters.user, repeated[i]);
        if (value != NULL && value[0] != '\0')
            status = append_parameter(url, repeated[i], slice_from_string(value));
    }
    return status;
}

static enum status redirect(struct visit *visit, struct slice address)
{
    bool noredirect = false;
    struct buf url;
    buf_open(&url, URL_BYTES_MAX);
    enum status status =
        webhdfs_boolean(&visit->parameters, "noredirect", false, &noredirect, &visit->error);
    if (status == OK)
        status = write_url(visit, address, &url);
    if (status == OK) {
        webhdfs_reply_redirect(visit->request, buf_string(&url), noredirect);
        visit->is_replied = true;
    }
    buf_close(&url);
    return status;
}

/* --- which datanode -------------------------------------------------------------------------- */

/* Has the client been there in vain? "excludedatanodes" lists host:port with commas. */
static bool is_excluded(const struct visit *visit, struct slice address)
{
    struct slice rest =
        slice_from_string(visit->parameters.get(visit->parameters.user, "excludedatanodes"));
    while (rest.length > 0) {
        size_t end = slice_find(rest, ',');
        if (slice_equal(slice_sub(rest, 0, end), address))
            return true;
        rest = slice_sub(rest, end, rest.length - end);
        if (rest.length > 0)
            rest = slice_sub(rest, 1, rest.length - 1);
    }
    return false;
}

/* How gladly the client is sent there: 0 is best; above LAST_RESORT it is not. */
enum {
    LAST_RESORT = 2
};

static int reluctance(const struct visit *visit, const struct dfs_datanode_info *node)
{
    if (node->state != DATANODE_LIVE || is_excluded(visit, node->node.http_address))
        return LAST_RESORT + 1;
    if (node->free_bytes == 0 || node->admin_state != ADMIN_IN_SERVICE)
        return LAST_RESORT;
    return node->is_slow ? 1 : 0;
}

/* Any of the best: a datanode passes on what it is given, so each can do it. */
static enum status choose_any(struct visit *visit, struct slice *ret_address)
{
    static const struct dfs_cluster_status_request ask;
    const void *answer = NULL;
    enum status status =
        namenode_visit_ask_as_daemon(visit, METHOD_NAMENODE_CLUSTER_STATUS, &ask, &answer);
    if (status != OK)
        return status;
    const struct dfs_cluster_status_response *cluster = answer;
    struct slice *addresses = ARENA_ARRAY(visit->arena, struct slice, cluster->datanodes_count);
    size_t count = 0;
    for (int round = 0; round <= LAST_RESORT && count == 0; round++) {
        for (size_t i = 0; i < cluster->datanodes_count; i++) {
            if (reluctance(visit, &cluster->datanodes[i]) == round)
                addresses[count++] = cluster->datanodes[i].node.http_address;
        }
    }
    if (count == 0)
        return error_set(&visit->error, ERR_NO_NODES,
                         "Failed to find datanode: none is live and not excluded");
    *ret_address = addresses[host_random_u64() % count];
    return OK;
}

/* One that has the block at the offset; any when there is nothing to read. */
static enum status choose_replica(struct visit *visit,
                                  const struct dfs_get_blocks_response *blocks,
                                  struct slice *ret_address)
{
    if (blocks->blocks_count == 0)
        return choose_any(visit, ret_address);
    const struct dfs_located_block *block = &blocks->blocks[0];
    struct slice *addresses = ARENA_ARRAY(visit->arena, struct slice, block->replicas_count);
    size_t count = 0;
    for (int round = 0; round < 2 && count == 0; round++) {
        for (size_t i = 0; i < block->replicas_count; i++) {
            struct slice address = block->replicas[i].node.http_address;
            if ((round > 0 || !block->replicas[i].is_stale) && !is_excluded(visit, address))
                addresses[count++] = address;
        }
    }
    if (count == 0)
        return choose_any(visit, ret_address); /* it will say what is wrong with the block */
    *ret_address = addresses[host_random_u64() % count];
    return OK;
}

/* --- operations ------------------------------------------------------------------------------ */

enum status namenode_webhdfs_open(struct visit *visit)
{
    struct dfs_get_blocks_request ask = {.path = visit->path, .length = 1};
    const void *answer = NULL;
    struct slice address;
    uint64_t length = 0;
    enum status status =
        webhdfs_number(&visit->parameters, "offset", 0, INT64_MAX, &ask.offset, &visit->error);
    if (status == OK)
        status = webhdfs_number(&visit->parameters, "length", 0, INT64_MAX, &length, &visit->error);
    if (status == OK)
        status = namenode_visit_ask(visit, METHOD_NAMENODE_GET_BLOCKS, &ask, &answer);
    if (status != OK)
        return status;
    const struct dfs_get_blocks_response *blocks = answer;
    if (ask.offset > blocks->status.length)
        return error_set(&visit->error, ERR_IO,
                         "Offset=%" PRIu64 " out of the range [0, %" PRIu64 "]; OPEN, path=%.*s",
                         ask.offset, blocks->status.length, SLICE_ARGS(visit->path));
    status = choose_replica(visit, blocks, &address);
    return status == OK ? redirect(visit, address) : status;
}

/* What is wrong with the parameters is told here rather than after the client has sent its data. */
enum status namenode_webhdfs_create(struct visit *visit)
{
    uint64_t number = 0;
    uint32_t permission = 0;
    bool flag = false;
    struct slice address;
    enum status status =
        webhdfs_number(&visit->parameters, "blocksize", 0, INT64_MAX, &number, &visit->error);
    if (status == OK)
        status =
            webhdfs_number(&visit->parameters, "replication", 0, INT16_MAX, &number, &visit->error);
    if (status == OK)
        status = webhdfs_boolean(&visit->parameters, "overwrite", false, &flag, &visit->error);
    if (status == OK)
        status =
            webhdfs_permission(&visit->parameters, "permission", 0644, &permission, &visit->error);
    if (status == OK)
        status = choose_any(visit, &address);
    return status == OK ? redirect(visit, address) : status;
}

enum status namenode_webhdfs_append(struct visit *visit)
{
    struct dfs_get_status_request ask = {.path = visit->path};
    const void *answer = NULL;
    struct slice address;
    enum status status = namenode_visit_ask(visit, METHOD_NAMENODE_GET_STATUS, &ask, &answer);
    if (status == OK &&
        ((const struct dfs_get_status_response *)answer)->status.kind == FILE_DIRECTORY)
        status = error_set(&visit->error, ERR_IS_DIRECTORY, "%.*s is a directory",
                           SLICE_ARGS(visit->path));
    if (status == OK)
        status = choose_any(visit, &address);
    return status == OK ? redirect(visit, address) : status;
}
