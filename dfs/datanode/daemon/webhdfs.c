/*
 * webhdfs.c - WebHDFS at a datanode: OPEN, CREATE and APPEND, which the namenode sends here
 * (docs/protocols/webhdfs.md). Any datanode can serve any part of any file: what is not here comes
 * from the others by way of the filesystem client, in the caller's name.
 *
 * An upload that fails is read to its end all the same and answered then: a client that is
 * still sending would see a broken connection instead of the reason.
 */
#include <inttypes.h>
#include <string.h>

#include "dfs/client/dfs.h"
#include "dfs/datanode/daemon/node.h"
#include "dfs/datanode/daemon/web_clients.h"
#include "dfs/webhdfs/answer.h"
#include "lib/base/mem.h"
#include "lib/daemon/audit.h"
#include "lib/daemon/cluster.h"
#include "lib/daemon/daemon.h"
#include "lib/daemon/http_caller.h"
#include "lib/net/http_client.h"
#include "lib/net/http_server.h"

enum {
    URL_BYTES_MAX = 64 * 1024,
    REPLICATION_MAX = 32767 /* HDFS's; the namenode knows what it allows */
};

/* One request; the state of an upload between its callbacks. */
struct web_request {
    struct node *node;
    struct http_request *request;
    struct webhdfs_parameters parameters;
    enum webhdfs_op op;
    struct arena *arena;
    struct slice user;
    struct slice path;
    struct web_client *client;
    struct dfs_writer *writer;
    enum status status; /* of an upload so far */
    struct error error;
};

static const char *get_parameter(const void *user, const char *name)
{
    return http_request_query(user, name);
}

/* The namenode has judged who may act for whom and names the effective user in its token. */
static enum status parse(struct web_request *web)
{
    const struct http_caller_rules rules = {
        .secret = &web->node->secret,
        .host = daemon_host(web->node->daemon),
    };
    enum status status =
        http_caller_identify(&rules, web->request, web->arena, &web->user, &web->error);
    if (status == OK)
        status = webhdfs_op_parse(http_request_method(web->request),
                                  http_request_query(web->request, "op"), &web->op, &web->error);
    if (status == OK)
        status = webhdfs_path_parse(http_request_rest(web->request), web->arena, &web->path,
                                    &web->error);
    if (status == OK && web->op != WEBHDFS_OPEN && web->op != WEBHDFS_CREATE &&
        web->op != WEBHDFS_APPEND)
        status = error_set(&web->error, ERR_UNSUPPORTED, "%s is the namenode's to do",
                           webhdfs_op_name(web->op));
    return status;
}

static void refuse(const struct web_request *web, enum status status)
{
    const struct audit audit = {
        .user = web->user,
        .from = slice_from_string(http_request_peer(web->request)),
        .what = slice_from_string(web->op < WEBHDFS_OP_COUNT ? webhdfs_op_name(web->op)
                                                             : http_request_method(web->request)),
        .object = web->path,
        .status = status,
        .why = slice_from_string(web->error.text),
    };
    audit_refusal(web->node->log, &audit);
    webhdfs_reply_failure(web->request, web->op, status, web->error.text);
}

static struct web_request *web_request_open(struct node *node, struct http_request *request)
{
    struct web_request *web = MEM_NEW(struct web_request);
    web->node = node;
    web->request = request;
    web->parameters = (struct webhdfs_parameters){.get = get_parameter, .user = request};
    web->op = WEBHDFS_OP_COUNT;
    web->arena = arena_open(0);
    return web;
}

static void web_request_close(struct web_request *web)
{
    dfs_writer_close(web->writer); /* what is not complete leaves nothing */
    web_client_release(web->client, WEB_WRITE);
    arena_close(web->arena);
    mem_free(web);
}

/* --- OPEN ------------------------------------------------------------------------------------ */

struct web_stream {
    struct web_client *client;
    struct dfs_reader *reader;
    uint64_t begin;
    uint64_t end;
};

static enum status stream_read(
    void *state, uint64_t offset, uint8_t *data, size_t room, size_t *ret_length)
{
    const struct web_stream *stream = state;
    uint64_t at = stream->begin + offset;
    uint64_t left = stream->end - at;
    (void)web_client_dfs(stream->client); /* a slow reader outlives a token */
    return dfs_reader_pread(stream->reader, at, data, left < room ? (size_t)left : room, ret_length,
                            NULL);
}

static void stream_close(void *state)
{
    struct web_stream *stream = state;
    dfs_reader_close(stream->reader);
    web_client_release(stream->client, WEB_READ);
    mem_free(stream);
}

/* Where the part that is asked for begins and ends in a file of file_bytes. */
static enum status find_part(struct web_request *web,
                             uint64_t offset,
                             uint64_t length,
                             uint64_t file_bytes,
                             uint64_t *ret_end)
{
    if (offset > file_bytes)
        return error_set(&web->error, ERR_IO,
                         "Offset=%" PRIu64 " out of the range [0, %" PRIu64 "]; OPEN, path=%.*s",
                         offset, file_bytes, SLICE_ARGS(web->path));
    *ret_end = length < file_bytes - offset ? offset + length : file_bytes;
    return OK;
}

/* Opens the file and reads its first byte, so that what is wrong can still be told. */
static enum status open_stream(struct web_request *web, struct web_stream *stream)
{
    uint64_t offset = 0;
    uint64_t length = 0;
    uint8_t first;
    size_t got = 0;
    enum status status =
        webhdfs_number(&web->parameters, "offset", 0, INT64_MAX, &offset, &web->error);
    if (status == OK)
        status =
            webhdfs_number(&web->parameters, "length", INT64_MAX, INT64_MAX, &length, &web->error);
    if (status == OK)
        status = web_clients_take(web->node->web_clients, web->user, WEB_READ, &stream->client,
                                  &web->error);
    if (status == OK) /* length 0 would mean all of it */
        status = dfs_reader_open(web_client_dfs(stream->client), web->path, offset,
                                 length == 0 ? 1 : length, &stream->reader, &web->error);
    if (status == OK)
        status = find_part(web, offset, length, dfs_reader_length(stream->reader), &stream->end);
    stream->begin = offset;
    if (status == OK && stream->end > stream->begin)
        status = dfs_reader_pread(stream->reader, offset, &first, 1, &got, &web->error);
    return status;
}

void node_webhdfs_get(void *user, struct http_request *request)
{
    struct web_request *web = web_request_open(user, request);
    struct web_stream *stream = MEM_NEW(struct web_stream);
    enum status status = parse(web);
    if (status == OK)
        status = open_stream(web, stream);
    if (status == OK && stream->end > stream->begin) {
        struct http_stream source = {stream_read, stream_close, stream};
        http_reply_stream(request, 200, "application/octet-stream", stream->end - stream->begin,
                          &source);
    } else {
        if (status == OK)
            webhdfs_reply_empty(request);
        else
            refuse(web, status);
        stream_close(stream);
    }
    web_request_close(web);
}

/* --- CREATE, APPEND -------------------------------------------------------------------------- */

static enum status begin_create(struct web_request *web)
{
    struct dfs_create_options options = {0};
    uint64_t replication = 0;
    enum status status =
        webhdfs_permission(&web->parameters, "permission", 0644, &options.permission, &web->error);
    if (status == OK)
        status = webhdfs_number(&web->parameters, "replication", 0, REPLICATION_MAX, &replication,
                                &web->error);
    if (status == OK)
        status = webhdfs_number(&web->parameters, "blocksize", 0, INT64_MAX, &options.block_size,
                                &web->error);
    if (status == OK)
        status =
            webhdfs_boolean(&web->parameters, "overwrite", false, &options.overwrite, &web->error);
    if (status == OK)
        status = webhdfs_boolean(&web->parameters, "createparent", true, &options.create_parents,
                                 &web->error);
    options.replication = (uint32_t)replication;
    if (status == OK)
        status =
            dfs_create(web_client_dfs(web->client), web->path, &options, &web->writer, &web->error);
    return status;
}

void node_webhdfs_begin(void *user, struct http_request *request)
{
    struct web_request *web = web_request_open(user, request);
    http_request_set_state(request, web);
    web->status = parse(web);
    if (web->status == OK)
        web->status = web_clients_take(web->node->web_clients, web->user, WEB_WRITE, &web->client,
                                       &web->error);
    if (web->status == OK && web->op == WEBHDFS_CREATE)
        web->status = begin_create(web);
    else if (web->status == OK)
        web->status = dfs_append(web_client_dfs(web->client), web->path, DURABILITY_SYNCED,
                                 &web->writer, &web->error);
    /* A client that waits for a word before it sends is told at once. */
    if (web->status != OK && http_request_header(request, "Expect") != NULL)
        refuse(web, web->status);
}

enum status node_webhdfs_chunk(void *user, struct http_request *request, struct slice data)
{
    (void)user;
    struct web_request *web = http_request_state(request);
    if (web->status != OK)
        return OK; /* thrown away; the reason is told at the end */
    (void)web_client_dfs(web->client);
    web->status = dfs_writer_write(web->writer, data.data, data.length, &web->error);
    return OK;
}

/* "webhdfs://<namenode>/<path>", as HDFS says; without the namenode when it is not known. */
static void add_location(struct web_request *web)
{
    struct cluster cluster;
    const struct cluster_daemon *namenode = NULL;
    if (cluster_load_role(web->arena, daemon_cluster_directory(web->node->daemon), "namenode",
                          &cluster, NULL) == OK)
        namenode = cluster_find(&cluster, "namenode");
    struct buf url;
    buf_open(&url, URL_BYTES_MAX);
    enum status status =
        buf_append_format(&url, "webhdfs://%s", namenode == NULL ? "" : namenode->http_address);
    if (status == OK)
        status = http_url_append(&url, web->path);
    if (status == OK) /* else the answer is as good without */
        http_reply_header(web->request, "Location", buf_string(&url));
    buf_close(&url);
}

void node_webhdfs_handle(void *user, struct http_request *request)
{
    (void)user;
    struct web_request *web = http_request_state(request);
    if (web->status == OK) {
        (void)web_client_dfs(web->client);
        web->status = dfs_writer_complete(web->writer, &web->error);
    }
    if (web->status != OK) {
        /* First, so that who hears of the failure finds nothing of the file. */
        dfs_writer_close(web->writer);
        web->writer = NULL;
        refuse(web, web->status);
    } else if (web->op == WEBHDFS_CREATE) {
        add_location(web);
        http_reply(request, 201, "application/octet-stream", slice_make(NULL, 0));
    } else {
        webhdfs_reply_empty(request);
    }
}

/* Also when the connection broke in the middle: then the file was not completed. */
void node_webhdfs_end(void *user, struct http_request *request, bool is_complete)
{
    (void)user;
    (void)is_complete;
    struct web_request *web = http_request_state(request);
    if (web != NULL)
        web_request_close(web);
}
