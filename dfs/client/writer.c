/*
 * writer.c - one file being written: blocks filled, sent down a pipeline, sealed, and the file
 * completed. A block is kept in memory until it is sealed, so that a broken pipeline costs a replay
 * and nothing else: a new block id, other nodes, the same bytes.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include <jansson.h>

#include "dfs/client/internal.h"
#include "lib/base/check.h"
#include "lib/base/crc32c.h"
#include "lib/base/mem.h"
#include "lib/model/block.h"
#include "lib/net/http_client.h"
#include "lib/os/clock.h"

struct excluded_node {
    uint64_t node_id;
    int64_t until_ms;
};

struct dfs_writer {
    struct dfs *dfs;
    uint64_t file_id;
    uint64_t block_size;
    uint32_t min_replicas;
    struct buf block; /* not yet sealed */
    uint64_t sealed_bytes;
    struct excluded_node excluded[DFS_EXCLUDED_MAX];
    size_t excluded_count;
    bool has_failed;
    bool is_complete;
};

/* One try of one block. */
struct block_try {
    struct dfs_writer *writer;
    struct slice data;
    uint32_t crc32c;
    struct arena *arena; /* of this try */
    const struct dfs_add_block_response *block;
    uint64_t synced[LIMIT_REPLICAS];
    size_t synced_count;
    char broken[256]; /* what the datanodes say broke their pipeline; empty: nothing has */
};

/* Create or Append, while the lease is held; released again when it fails. */
static enum status open_file(struct dfs *dfs,
                             enum method method,
                             const void *request,
                             struct arena *arena,
                             const void **ret_response,
                             struct error *reterr_error)
{
    enum status status = dfs_lease_hold(dfs, reterr_error);
    if (status != OK)
        return status;
    status = dfs_call(dfs, method, request, arena, dfs_deadline(dfs), ret_response, reterr_error);
    if (status != OK)
        dfs_lease_release(dfs);
    return status;
}

static struct dfs_writer *writer_new(struct dfs *dfs,
                                     uint64_t file_id,
                                     uint64_t block_size,
                                     uint32_t min_replicas)
{
    struct dfs_writer *writer = MEM_NEW(struct dfs_writer);
    writer->dfs = dfs;
    writer->file_id = file_id;
    writer->block_size = block_size;
    writer->min_replicas = min_replicas;
    if (writer->block_size < 1 || writer->block_size > LIMIT_BLOCK_BYTES)
        writer->block_size = LIMIT_BLOCK_BYTES_MIN; /* a namenode of another mind; it will judge */
    return writer;
}

enum status dfs_create(struct dfs *dfs,
                       struct slice path,
                       const struct dfs_create_options *options,
                       struct dfs_writer **ret_writer,
                       struct error *reterr_error)
{
    static const struct dfs_create_options defaults;
    if (options == NULL)
        options = &defaults;
    struct dfs_create_request request = {
        .client_id = dfs->client_id,
        .request_id = dfs_next_request(dfs),
        .path = path,
        .permission = options->permission != 0 ? options->permission : 0644,
        .replication = options->replication,
        .block_size = options->block_size,
        .overwrite = options->overwrite,
        .create_parents = options->create_parents,
        .durability = options->durability,
    };
    struct arena *arena = arena_open(0);
    const void *response = NULL;
    enum status status =
        open_file(dfs, METHOD_NAMENODE_CREATE, &request, arena, &response, reterr_error);
    if (status == OK) {
        const struct dfs_create_response *created = response;
        *ret_writer = writer_new(dfs, created->file_id, created->block_size, created->min_replicas);
    }
    arena_close(arena);
    return status;
}

/* keep: NULL for all of the file. */
static enum status append(struct dfs *dfs,
                          struct slice path,
                          const uint64_t *keep,
                          enum dfs_durability durability,
                          struct dfs_writer **ret_writer,
                          struct error *reterr_error)
{
    struct dfs_append_request request = {
        .client_id = dfs->client_id,
        .request_id = dfs_next_request(dfs),
        .path = path,
        .has_keep_length = keep != NULL,
        .keep_length = keep != NULL ? *keep : 0,
        .durability = durability,
    };
    struct arena *arena = arena_open(0);
    const void *response = NULL;
    enum status status =
        open_file(dfs, METHOD_NAMENODE_APPEND, &request, arena, &response, reterr_error);
    if (status == OK) {
        const struct dfs_append_response *opened = response;
        *ret_writer = writer_new(dfs, opened->file_id, opened->block_size, opened->min_replicas);
        (*ret_writer)->sealed_bytes = opened->length;
    }
    arena_close(arena);
    return status;
}

enum status dfs_append(struct dfs *dfs,
                       struct slice path,
                       enum dfs_durability durability,
                       struct dfs_writer **ret_writer,
                       struct error *reterr_error)
{
    return append(dfs, path, NULL, durability, ret_writer, reterr_error);
}

/* Reads [offset, end) of the file as it still is and writes it behind what is kept. */
static enum status copy_head(struct dfs_writer *writer,
                             struct slice path,
                             uint64_t offset,
                             uint64_t end,
                             struct error *reterr_error)
{
    struct dfs_reader *reader = NULL;
    enum status status =
        dfs_reader_open(writer->dfs, path, offset, end - offset, &reader, reterr_error);
    while (status == OK && offset < end) {
        struct slice part = {0};
        status = dfs_reader_map(reader, offset, (size_t)(end - offset), &part, reterr_error);
        if (status == OK && part.length == 0)
            status = error_set(reterr_error, ERR_STALE, "%.*s became shorter", SLICE_ARGS(path));
        if (status == OK)
            status = dfs_writer_write(writer, part.data, part.length, reterr_error);
        offset += part.length;
    }
    dfs_reader_close(reader);
    return status;
}

enum status dfs_truncate(struct dfs *dfs,
                         struct slice path,
                         uint64_t length,
                         struct error *reterr_error)
{
    struct arena *arena = arena_open(0);
    struct dfs_get_blocks_response found;
    enum status status = dfs_get_blocks(dfs, path, 0, 0, arena, &found, reterr_error);
    uint64_t keep = 0;
    if (status == OK && length > found.status.length)
        status = error_set(reterr_error, ERR_INVALID, "%.*s has only %" PRIu64 " bytes",
                           SLICE_ARGS(path), found.status.length);
    for (size_t i = 0; status == OK && i < found.blocks_count; i++) {
        uint64_t end = found.blocks[i].offset + found.blocks[i].length;
        keep = end <= length ? end : keep;
    }
    arena_close(arena);
    if (status != OK)
        return status;
    struct dfs_writer *writer = NULL;
    status = append(dfs, path, &keep, DURABILITY_SYNCED, &writer, reterr_error);
    if (status != OK)
        return status;
    if (keep < length)
        status = copy_head(writer, path, keep, length, reterr_error);
    if (status == OK)
        status = dfs_writer_complete(writer, reterr_error);
    dfs_writer_close(writer);
    return status;
}

/* --- nodes to avoid ----------------------------------------------------------------------------
 */

static void forget_old_exclusions(struct dfs_writer *writer)
{
    size_t kept = 0;
    int64_t now_ms = clock_monotonic_ms();
    for (size_t i = 0; i < writer->excluded_count; i++) {
        if (writer->excluded[i].until_ms > now_ms)
            writer->excluded[kept++] = writer->excluded[i];
    }
    writer->excluded_count = kept;
}

static void exclude(struct dfs_writer *writer, uint64_t node_id)
{
    int64_t until_ms = clock_monotonic_ms() + DFS_EXCLUDED_MS;
    for (size_t i = 0; i < writer->excluded_count; i++) {
        if (writer->excluded[i].node_id == node_id) {
            writer->excluded[i].until_ms = until_ms;
            return;
        }
    }
    if (writer->excluded_count < DFS_EXCLUDED_MAX)
        writer->excluded[writer->excluded_count++] = (struct excluded_node){node_id, until_ms};
}

static bool is_synced_at(const struct block_try *try, uint64_t node_id)
{
    for (size_t i = 0; i < try->synced_count; i++) {
        if (try->synced[i] == node_id)
            return true;
    }
    return false;
}

/*
 * The first node of the pipeline that has not kept the block is the one that broke. Nodes behind
 * those that answered may still be at work: without a word about a failure none is excluded.
 */
static void exclude_the_broken(const struct block_try *try)
{
    for (size_t i = 0; i < try->block->targets_count; i++) {
        if (!is_synced_at(try, try->block->targets[i].node_id)) {
            exclude(try->writer, try->block->targets[i].node_id);
            return;
        }
    }
}

/* --- one try -----------------------------------------------------------------------------------
 */

static enum status ask_for_block(struct block_try *try,
                                 uint64_t abandoned,
                                 int64_t deadline_ms,
                                 struct error *error)
{
    struct dfs_writer *writer = try->writer;
    forget_old_exclusions(writer);
    uint64_t *excluded = ARENA_ARRAY(try->arena, uint64_t, writer->excluded_count);
    for (size_t i = 0; i < writer->excluded_count; i++)
        excluded[i] = writer->excluded[i].node_id;
    struct dfs_add_block_request request = {
        .client_id = writer->dfs->client_id,
        .request_id = dfs_next_request(writer->dfs),
        .file_id = writer->file_id,
        .client_host = writer->dfs->host,
        .excluded_node_ids = excluded,
        .excluded_node_ids_count = writer->excluded_count,
        .length = try->data.length,
        .abandoned_block_id = abandoned,
    };
    const void *response = NULL;
    enum status status = dfs_call(writer->dfs, METHOD_NAMENODE_ADD_BLOCK, &request, try->arena,
                                  deadline_ms, &response, error);
    if (status != OK)
        return status;
    try->block = response;
    if (try->block->targets_count == 0 || try->block->targets_count > LIMIT_REPLICAS)
        return error_set(error, ERR_INTERNAL, "the namenode named %zu nodes for a block",
                         try->block->targets_count);
    return OK;
}

static const char *block_url(const struct block_try *try)
{
    char name[BLOCK_NAME_BYTES];
    block_name_format(try->block->block_id, name);
    struct slice url = arena_format(
        try->arena, "http://%.*s/v1/block/%s?length=%zu&crc32c=%08" PRIx32,
        SLICE_ARGS(try->block->targets[0].http_address), name, try->data.length, try->crc32c);
    for (size_t i = 1; i < try->block->targets_count; i++)
        url = arena_format(try->arena, "%.*s%s%.*s", SLICE_ARGS(url), i == 1 ? "&pipeline=" : ",",
                           SLICE_ARGS(try->block->targets[i].http_address));
    url = arena_format(
        try->arena, "%.*s&needed=%" PRIu32 "%s", SLICE_ARGS(url), try->writer->min_replicas,
        try->block->durability == DURABILITY_REPLICATED ? "&durability=replicated" : "");
    return (const char *)url.data;
}

/* Takes {"synced": ["<node id>", ...]}. */
static enum status take_answer(struct block_try *try, struct slice body, struct error *reterr_error)
{
    json_error_t where;
    json_t *answer = json_loadb((const char *)body.data, body.length, 0, &where);
    const json_t *synced = answer == NULL ? NULL : json_object_get(answer, "synced");
    size_t count = json_array_size(synced);
    enum status status = OK;
    if (!json_is_array(synced) || count > LIMIT_REPLICAS)
        status = error_set(reterr_error, ERR_CORRUPT, "the datanode's answer is not understood");
    for (size_t i = 0; i < count && status == OK; i++) {
        const char *node = json_string_value(json_array_get(synced, i));
        if (node == NULL || !block_name_parse(slice_from_string(node), &try->synced[i]))
            status =
                error_set(reterr_error, ERR_CORRUPT, "the datanode's answer is not understood");
        else
            try->synced_count = i + 1;
    }
    const char *failed =
        answer == NULL ? NULL : json_string_value(json_object_get(answer, "failed"));
    if (failed != NULL)
        (void)snprintf(try->broken, sizeof(try->broken), "%s", failed); /* cut when it is long */
    json_decref(answer);
    return status;
}

static enum status send_block(struct block_try *try, struct error *reterr_error)
{
    char token[LIMIT_TOKEN_BYTES + 1];
    dfs_token(try->writer->dfs, token);
    const struct http_header header = {
        BLOCK_TOKEN_HEADER, (const char *)arena_copy(try->arena, try->block->token).data};
    struct http_request_options options = {
        .url = block_url(try), .headers = &header, .header_count = 1, .bearer = token};
    struct http_response response = {0};
    enum status status =
        http_send(try->writer->dfs->http, "PUT", &options, try->data, &response, reterr_error);
    if (status == OK)
        status = take_answer(try, buf_slice(&response.body), reterr_error);
    http_response_close(&response);
    return status;
}

static enum status seal_block(struct block_try *try,
                              int64_t deadline_ms,
                              struct error *reterr_error)
{
    struct dfs_writer *writer = try->writer;
    struct dfs_seal_block_request request = {
        .client_id = writer->dfs->client_id,
        .request_id = dfs_next_request(writer->dfs),
        .file_id = writer->file_id,
        .block_id = try->block->block_id,
        .length = try->data.length,
        .crc32c = try->crc32c,
        .node_ids = try->synced,
        .node_ids_count = try->synced_count,
    };
    const void *response = NULL;
    return dfs_call(writer->dfs, METHOD_NAMENODE_SEAL_BLOCK, &request, try->arena, deadline_ms,
                    &response, reterr_error);
}

/* --- until it is sealed ------------------------------------------------------------------------
 */

/* *ret_abandoned: the block id of this try, which is to be given up with the next. */
static enum status try_block(struct block_try *try,
                             uint64_t *ret_abandoned,
                             int64_t deadline_ms,
                             bool *ret_may_repeat,
                             struct error *reterr_error)
{
    struct dfs_writer *writer = try->writer;
    *ret_may_repeat = false;
    enum status status = ask_for_block(try, *ret_abandoned, deadline_ms, reterr_error);
    if (status == ERR_NO_NODES) {
        /* Those that failed may be back; with all of them there may be enough. */
        writer->excluded_count = 0;
        *ret_may_repeat = true;
    }
    if (status != OK)
        return status;
    *ret_abandoned = try->block->block_id;
    *ret_may_repeat = true;
    status = send_block(try, reterr_error);
    if (status != OK || try->broken[0] != 0 || try->synced_count < writer->min_replicas)
        exclude_the_broken(try);
    if (status != OK) {
        *ret_may_repeat = status != ERR_UNAUTHENTICATED;
        return status;
    }
    size_t needed = writer->min_replicas;
    if (try->synced_count < needed)
        return error_set(reterr_error, ERR_UNAVAILABLE, "%zu of %zu datanodes have the block: %s",
                         try->synced_count, needed, try->broken);
    status = seal_block(try, deadline_ms, reterr_error);
    *ret_may_repeat = status == ERR_NOT_FOUND || status == ERR_NO_NODES;
    return status;
}

static enum status write_block(struct dfs_writer *writer,
                               struct slice data,
                               struct error *reterr_error)
{
    struct dfs *dfs = writer->dfs;
    uint32_t crc = crc32c_update(0, data.data, data.length);
    int64_t deadline_ms = dfs_deadline(dfs);
    uint64_t abandoned = 0;
    bool was_denied = false;
    for (uint32_t attempt = 0;; attempt++) {
        struct block_try try = {
            .writer = writer, .data = data, .crc32c = crc, .arena = arena_open(0)};
        struct error error = {0};
        bool may_repeat = false;
        enum status status = try_block(&try, &abandoned, deadline_ms, &may_repeat, &error);
        arena_close(try.arena);
        if (status == OK) {
            writer->sealed_bytes += data.length;
            return OK;
        }
        if (status == ERR_DENIED) { /* the next try has a token of its own, and is the last */
            may_repeat = may_repeat && !was_denied;
            was_denied = true;
        }
        if (!may_repeat || !dfs_pause(dfs, attempt, deadline_ms, &status, &error)) {
            writer->has_failed = true;
            return error_set(reterr_error, status, "block at %" PRIu64 ": %s", writer->sealed_bytes,
                             error.text);
        }
    }
}

/* --- the door ----------------------------------------------------------------------------------
 */

static enum status usable(const struct dfs_writer *writer, struct error *reterr_error)
{
    if (writer->has_failed)
        return error_set(reterr_error, ERR_BAD_TRANSITION, "the file could not be written before");
    if (writer->is_complete)
        return error_set(reterr_error, ERR_BAD_TRANSITION, "the file is complete");
    return OK;
}

static enum status flush(struct dfs_writer *writer, struct error *reterr_error)
{
    enum status status = write_block(writer, buf_slice(&writer->block), reterr_error);
    buf_clear(&writer->block);
    return status;
}

enum status dfs_writer_write(struct dfs_writer *writer,
                             const void *data,
                             size_t length,
                             struct error *reterr_error)
{
    enum status status = usable(writer, reterr_error);
    const uint8_t *from = data;
    while (length > 0 && status == OK) {
        if (writer->block.length == 0 && length >= writer->block_size) {
            /* A whole block lies there already: it is sent from where it is. */
            status =
                write_block(writer, slice_make(from, (size_t)writer->block_size), reterr_error);
            from += writer->block_size;
            length -= (size_t)writer->block_size;
            continue;
        }
        size_t part = (size_t)writer->block_size - writer->block.length;
        if (part > length)
            part = length;
        status = buf_append(&writer->block, from, part);
        if (status != OK) {
            writer->has_failed = true;
            return error_set(reterr_error, status, "memory for a block of %" PRIu64 " bytes",
                             writer->block_size);
        }
        from += part;
        length -= part;
        if (writer->block.length == writer->block_size)
            status = flush(writer, reterr_error);
    }
    return status;
}

uint64_t dfs_writer_length(const struct dfs_writer *writer)
{
    return writer->sealed_bytes + writer->block.length;
}

uint64_t dfs_writer_file_id(const struct dfs_writer *writer)
{
    return writer->file_id;
}

enum status dfs_writer_complete(struct dfs_writer *writer, struct error *reterr_error)
{
    enum status status = usable(writer, reterr_error);
    if (status == OK && writer->block.length > 0)
        status = flush(writer, reterr_error);
    if (status != OK)
        return status;
    struct dfs_complete_request request = {
        .client_id = writer->dfs->client_id,
        .request_id = dfs_next_request(writer->dfs),
        .file_id = writer->file_id,
        .length = writer->sealed_bytes,
    };
    struct arena *arena = arena_open(0);
    const void *response = NULL;
    status = dfs_call(writer->dfs, METHOD_NAMENODE_COMPLETE, &request, arena,
                      dfs_deadline(writer->dfs), &response, reterr_error);
    arena_close(arena);
    writer->is_complete = status == OK;
    writer->has_failed = status != OK;
    return status;
}

/* If it cannot be told, the namenode abandons the file when the lease has run out. */
static void abandon(struct dfs_writer *writer)
{
    struct dfs_abandon_request request = {
        .client_id = writer->dfs->client_id,
        .request_id = dfs_next_request(writer->dfs),
        .file_id = writer->file_id,
    };
    struct arena *arena = arena_open(0);
    const void *response = NULL;
    /* One try, also after dfs_cancel: giving up must not take another minute. */
    enum status status = dfs_call_once(writer->dfs, METHOD_NAMENODE_ABANDON, &request, arena,
                                       DFS_ABANDON_MS, &response, NULL);
    (void)status;
    arena_close(arena);
}

void dfs_writer_close(struct dfs_writer *writer)
{
    if (writer == NULL)
        return;
    if (!writer->is_complete)
        abandon(writer);
    dfs_lease_release(writer->dfs);
    buf_close(&writer->block);
    mem_free(writer);
}

enum status dfs_write_file(struct dfs *dfs,
                           struct slice path,
                           struct slice content,
                           const struct dfs_create_options *options,
                           uint64_t *ret_file_id,
                           struct error *reterr_error)
{
    struct dfs_writer *writer;
    enum status status = dfs_create(dfs, path, options, &writer, reterr_error);
    if (status != OK)
        return status;
    status = dfs_writer_write(writer, content.data, content.length, reterr_error);
    if (status == OK)
        status = dfs_writer_complete(writer, reterr_error);
    if (status == OK && ret_file_id != NULL)
        *ret_file_id = dfs_writer_file_id(writer);
    dfs_writer_close(writer);
    return status;
}
