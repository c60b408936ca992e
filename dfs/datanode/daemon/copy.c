/*
 * copy.c - blocks on their way to other nodes: copies for repair, and several small blocks made
 * one. Both are the PUT of any writer (docs/protocols/data-plane.md), fed from disks and other
 * datanodes at the rate of datanode.copy_rate. Nothing is sent on before it was verified, and who
 * receives it verifies it again.
 */
#include <inttypes.h>
#include <string.h>

#include "dfs/datanode/daemon/job.h"
#include "lib/base/crc32c.h"
#include "lib/base/mem.h"
#include "lib/daemon/daemon.h"
#include "lib/model/limits.h"
#include "lib/net/http_client.h"

enum {
    COPY_BYTES = 1024 * 1024 /* read, verified and sent at once */
};

static struct slice pipeline_of(const struct job *job)
{
    struct slice pipeline = {0};
    for (size_t i = 1; i < job->targets_count; i++)
        pipeline = arena_format(job->arena, "%.*s%s%.*s", SLICE_ARGS(pipeline), i == 1 ? "" : ",",
                                SLICE_ARGS(job->targets[i].http_address));
    return pipeline;
}

/* What fails over there says nothing about the replica here. */
static enum status others_fault(enum status status)
{
    return status == ERR_CORRUPT || status == ERR_IO || status == ERR_NOT_FOUND ? ERR_UNAVAILABLE
                                                                                : status;
}

/* The status is never one that blames the replica here. */
static enum status begin_put(struct job *job, struct http_put **ret_put)
{
    const struct node_wish all_synced = {0};
    const struct http_header header = {BLOCK_TOKEN_HEADER, job->token};
    struct http_request_options options = {
        .url = node_block_url(job->arena, job->targets[0].http_address, &job->block,
                              pipeline_of(job), &all_synced),
        .headers = &header,
        .header_count = 1,
        .bearer = (const char *)daemon_token(job->node->daemon, job->arena).data,
    };
    return others_fault(http_put_begin(node_client(job->node, job->targets_count - 1), &options,
                                       job->block.length, ret_put, &job->error));
}

static enum status push_paced(struct job *job, struct http_put *put, struct slice data)
{
    if (!rate_take(job->node->copy_rate, data.length)) {
        job->has_put_failed = true;
        return error_set(&job->error, ERR_CANCELLED, "the datanode is stopping");
    }
    enum status status = others_fault(http_put_push(put, data, &job->error));
    job->has_put_failed = status != OK;
    return status;
}

/* All of one block; ERR_CORRUPT and ERR_IO are about the replica here. */
static enum status push_block(struct job *job, struct store_reader *reader, struct http_put *put)
{
    uint64_t length = store_reader_block(reader).length;
    uint8_t *piece = mem_try_array(COPY_BYTES, 1);
    if (piece == NULL)
        return error_set(&job->error, ERR_NO_MEMORY, "a buffer to copy blocks with");
    enum status status = OK;
    for (uint64_t at = 0; at < length && status == OK; at += COPY_BYTES) {
        uint64_t left = length - at;
        size_t part = left < COPY_BYTES ? (size_t)left : COPY_BYTES;
        status = store_reader_read(reader, at, piece, part, &job->error);
        if (status == OK)
            status = push_paced(job, put, slice_make(piece, part));
    }
    mem_free(piece);
    return status;
}

static enum status finish_put(struct job *job, struct http_put *put)
{
    struct http_response response = {0};
    struct node_synced synced = {0};
    enum status status = http_put_finish(put, &response, &job->error);
    if (status == OK)
        status = node_parse_synced(buf_slice(&response.body), &synced, &job->error);
    http_response_close(&response);
    if (status != OK)
        return others_fault(status);
    struct datanode_copied *copied = MEM_NEW(struct datanode_copied);
    copied->synced_count = (uint32_t)synced.count;
    job->data = copied;
    return OK;
}

enum status node_copy_block(struct job *job, struct store *store)
{
    struct store_reader *reader;
    struct http_put *put = NULL;
    enum status status = store_reader_open(store, job->block.block_id, &reader, &job->error);
    if (status != OK)
        return status;
    status = begin_put(job, &put);
    if (status == OK) {
        status = push_block(job, reader, put);
        if (status == OK)
            status = finish_put(job, put);
        else
            http_put_abort(put);
    }
    store_reader_close(reader);
    return status;
}

/* --- merging -----------------------------------------------------------------------------------
 */

/* A source that is fetched from another node and handed on as it comes. */
struct passage {
    struct job *job;
    struct http_put *put;
    uint64_t left;
    uint32_t crc32c;
};

static enum status pass_on(void *user, struct slice data)
{
    struct passage *passage = user;
    if (data.length > passage->left)
        return ERR_LIMIT;
    passage->left -= data.length;
    passage->crc32c = crc32c_update(passage->crc32c, data.data, data.length);
    return push_paced(passage->job, passage->put, data);
}

static enum status push_from_peer(struct job *job,
                                  struct http_put *put,
                                  const struct dfs_block_info *source,
                                  const char *token,
                                  const struct endpoint *node)
{
    const struct node_wish none = {0};
    const struct http_header header = {BLOCK_TOKEN_HEADER, token};
    struct passage passage = {.job = job, .put = put, .left = source->length};
    struct http_request_options options = {
        .url = node_block_url(job->arena, node->http_address, source, (struct slice){0}, &none),
        .headers = &header,
        .header_count = 1,
        .bearer = (const char *)daemon_token(job->node->daemon, job->arena).data,
        .data = pass_on,
        .user = &passage,
    };
    enum status status = http_get(node_client(job->node, 0), &options, NULL, &job->error);
    if (status != OK)
        return others_fault(status);
    if (passage.left != 0 || passage.crc32c != source->crc32c)
        return error_set(&job->error, ERR_UNAVAILABLE,
                         "block %016" PRIx64 " came from %.*s with other bytes", source->block_id,
                         SLICE_ARGS(node->host));
    return OK;
}

/* A bad replica here is told at once: the answer is about the merge. */
static enum status push_from_here(struct job *job,
                                  struct http_put *put,
                                  const struct dfs_block_info *source)
{
    struct node *node = job->node;
    struct store_reader *reader = NULL;
    size_t volume = 0;
    enum status status =
        volumes_reader_open(node->volumes, source->block_id, &reader, &volume, &job->error);
    if (status == OK) {
        struct dfs_block_info block = store_reader_block(reader);
        if (block.length != source->length || block.crc32c != source->crc32c)
            status = error_set(&job->error, ERR_STALE, "block %016" PRIx64 " is another one here",
                               source->block_id);
        else
            status = push_block(job, reader, put);
        store_reader_close(reader);
    }
    node_tell_corrupt(node, source->block_id, volume, status, job->error.text);
    return others_fault(status);
}

static void note_bad_source(struct job *job,
                            const struct dfs_block_info *source,
                            const struct endpoint *node)
{
    struct datanode_copied *copied = MEM_NEW(struct datanode_copied);
    copied->bad_block_id = source->block_id;
    copied->bad_node_id = node->node_id;
    job->data = copied;
}

/* Without one the peer refuses, and says so. */
static const char *source_token(const struct job *job, size_t index)
{
    const struct dfs_datanode_command *command = job->command;
    return index < command->source_tokens_count
               ? (const char *)arena_copy(job->arena, command->source_tokens[index]).data
               : "";
}

enum status node_merge_blocks(struct job *job)
{
    const struct dfs_datanode_command *command = job->command;
    struct http_put *put = NULL;
    enum status status = begin_put(job, &put);
    if (status != OK)
        return status;
    for (size_t i = 0; i < command->sources_count && status == OK; i++) {
        const struct endpoint *from = &command->source_nodes[i];
        if (from->node_id == job->node->node_id)
            status = push_from_here(job, put, &command->sources[i]);
        else
            status = push_from_peer(job, put, &command->sources[i], source_token(job, i), from);
        if (status != OK && !job->has_put_failed)
            note_bad_source(job, &command->sources[i], from);
    }
    if (status == OK)
        return finish_put(job, put);
    http_put_abort(put);
    return status;
}
