/*
 * source.c - the bytes of one block in one run of memory, verified before they are shown.
 * A replica on this host is mapped and its chunks are checked on first touch; any other is fetched
 * in windows that grow while they are read in order. A mapped chunk that turns out bad is replaced
 * in place from another replica, so addresses never change.
 */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "dfs/client/internal.h"
#include "lib/base/check.h"
#include "lib/base/crc32c.h"
#include "lib/base/mem.h"
#include "lib/model/block.h"
#include "lib/net/fd_pass.h"
#include "lib/os/file.h"

enum {
    WINDOW_CHUNKS_MIN = 4,   /* 256 KiB */
    WINDOW_CHUNKS_MAX = 128, /* 8 MiB */
    FD_TIMEOUT_MS = 2000
};

struct dfs_source {
    struct dfs *dfs;
    const struct dfs_located_block *block;
    struct file_map map; /* a local replica; base NULL: none */
    struct buf sidecar_bytes;
    struct block_sidecar sidecar;
    uint64_t local_node_id; /* whose replica is mapped */
    struct dfs_spare *spare;
    uint8_t *memory; /* when nothing is mapped; at least the block's length */
    size_t memory_bytes;
    uint8_t *is_ready;        /* a byte for each chunk */
    struct dfs_bad_nodes bad; /* found corrupt by this source */
    size_t replica;           /* the one that served last */
    size_t window_chunks;     /* how much to fetch at once */
    size_t window_end;        /* chunk after the last fetch */
    struct dfs_fetch *fetch;  /* of a window that is not read to its end; NULL: none */
    size_t fetch_first;       /* its chunks: the first of all, and the next */
    size_t fetch_next;
};

/* --- a replica on this host --------------------------------------------------------------------
 */

static enum status ask_file(const struct dfs_source *source,
                            struct fd_pass_client *client,
                            const char *what,
                            struct file **ret_file,
                            struct error *reterr_error)
{
    char name[BLOCK_NAME_BYTES];
    char token[LIMIT_TOKEN_BYTES + 1];
    struct buf question;
    struct buf answer = {0};
    int descriptor = -1;
    block_name_format(source->block->block_id, name);
    dfs_token(source->dfs, token);
    buf_open(&question, FD_PASS_BYTES);
    enum status status = buf_append_format(&question, "%s %s %.*s %s", what, name,
                                           SLICE_ARGS(source->block->token), token);
    if (status == OK)
        status = fd_pass_ask(client, buf_slice(&question), &answer, &descriptor, reterr_error);
    buf_close(&question);
    buf_close(&answer);
    if (status != OK)
        return status;
    if (descriptor < 0)
        return error_set(reterr_error, ERR_CORRUPT, "the datanode sent no descriptor");
    *ret_file = file_adopt(descriptor, name);
    return OK;
}

static enum status read_sidecar(struct dfs_source *source,
                                struct file *file,
                                struct error *reterr_error)
{
    const struct dfs_located_block *block = source->block;
    size_t bytes = (size_t)block_sidecar_bytes(block->length);
    enum status status = buf_reserve(&source->sidecar_bytes, bytes);
    if (status != OK)
        return error_set(reterr_error, status, "memory for checksums");
    status = file_read_exactly(file, 0, source->sidecar_bytes.data, bytes, reterr_error);
    if (status != OK)
        return status;
    source->sidecar_bytes.length = bytes;
    status =
        block_sidecar_decode(buf_slice(&source->sidecar_bytes), &source->sidecar, reterr_error);
    if (status == OK &&
        (source->sidecar.block_id != block->block_id || source->sidecar.length != block->length ||
         source->sidecar.crc32c != block->crc32c))
        status = error_set(reterr_error, ERR_CORRUPT, "the sidecar is another block's");
    return status;
}

static enum status map_files(struct dfs_source *source,
                             struct file *data,
                             struct file *sidecar,
                             struct error *reterr_error)
{
    uint64_t length = 0;
    enum status status = file_length(data, &length, reterr_error);
    if (status == OK && length != source->block->length)
        status = error_set(reterr_error, ERR_CORRUPT, "the file has another length");
    if (status == OK)
        status = read_sidecar(source, sidecar, reterr_error);
    if (status == OK)
        status =
            file_map_open_private(file_descriptor(data), 0, length, &source->map, reterr_error);
    return status;
}

static enum status map_replica(struct dfs_source *source,
                               const struct endpoint *node,
                               struct error *reterr_error)
{
    char path[FD_PASS_PATH_BYTES + 1];
    if (node->fd_path.length > FD_PASS_PATH_BYTES)
        return error_set(reterr_error, ERR_LIMIT, "the path of the datanode's socket is too long");
    (void)snprintf(path, sizeof(path), "%.*s", SLICE_ARGS(node->fd_path)); /* just checked */
    struct fd_pass_client *client = NULL;
    struct file *data = NULL;
    struct file *sidecar = NULL;
    enum status status = fd_pass_connect(path, FD_TIMEOUT_MS, &client, reterr_error);
    if (status == OK)
        status = ask_file(source, client, "block", &data, reterr_error);
    if (status == OK)
        status = ask_file(source, client, "sidecar", &sidecar, reterr_error);
    if (status == OK)
        status = map_files(source, data, sidecar, reterr_error);
    file_close(data);
    file_close(sidecar);
    fd_pass_client_close(client);
    return status;
}

/* When there is none, or it cannot be opened, the block is fetched; so nothing fails here. */
static void map_local(struct dfs_source *source)
{
    const struct dfs_located_block *block = source->block;
    if (source->dfs->no_local_files || block->length == 0)
        return;
    for (size_t i = 0; i < block->replicas_count; i++) {
        const struct endpoint *node = &block->replicas[i].node;
        if (node->fd_path.length == 0 || !slice_equal(node->host, source->dfs->host))
            continue;
        enum status status = map_replica(source, node, NULL);
        if (status == OK) {
            file_map_will_stream(&source->map);
            source->local_node_id = node->node_id;
            return;
        }
        if (status == ERR_CORRUPT)
            dfs_report_corrupt(source->dfs, block->block_id, &source->bad, node->node_id);
    }
}

/* --- a replica somewhere else ------------------------------------------------------------------
 */

static enum status fetch_range(struct dfs_source *source,
                               uint64_t offset,
                               size_t length,
                               uint8_t *to,
                               struct dfs_reader_totals *totals,
                               struct error *reterr_error)
{
    struct dfs_range range = {.block = source->block,
                              .offset = offset,
                              .length = length,
                              .to = to,
                              .bad = &source->bad,
                              .preferred = &source->replica};
    return dfs_fetch_range(source->dfs, &range, totals, reterr_error);
}

/* --- chunks ------------------------------------------------------------------------------------
 */

static uint8_t *source_bytes(const struct dfs_source *source)
{
    return source->map.base != NULL ? file_map_data(&source->map) : source->memory;
}

static size_t chunk_bytes(const struct dfs_source *source, size_t index)
{
    uint64_t rest = source->block->length - (uint64_t)index * BLOCK_CHUNK_BYTES;
    return rest < BLOCK_CHUNK_BYTES ? (size_t)rest : BLOCK_CHUNK_BYTES;
}

static enum status need_mapped(struct dfs_source *source,
                               size_t first,
                               size_t end,
                               struct dfs_reader_totals *totals,
                               struct error *reterr_error)
{
    uint8_t *bytes = source_bytes(source);
    for (size_t i = first; i < end; i++) {
        if (source->is_ready[i] != 0)
            continue;
        uint8_t *chunk = bytes + i * BLOCK_CHUNK_BYTES;
        size_t length = chunk_bytes(source, i);
        if (crc32c_update_cold(0, chunk, length) == block_chunk_crc(&source->sidecar, i)) {
            totals->local_bytes += length;
        } else {
            if (!dfs_node_is_bad(&source->bad, source->local_node_id))
                dfs_report_corrupt(source->dfs, source->block->block_id, &source->bad,
                                   source->local_node_id);
            totals->failovers++;
            enum status status = fetch_range(source, (uint64_t)i * BLOCK_CHUNK_BYTES, length, chunk,
                                             totals, reterr_error);
            if (status != OK)
                return status;
        }
        source->is_ready[i] = 1;
    }
    return OK;
}

/* Bytes of the chunks [first, end), of which there is at least one. */
static size_t bytes_until(const struct dfs_source *source, size_t first, size_t end)
{
    return (end - 1 - first) * BLOCK_CHUNK_BYTES + chunk_bytes(source, end - 1);
}

/* Chunks from first on that are still to be fetched, at most count. */
static size_t missing_run(const struct dfs_source *source, size_t first, size_t count)
{
    size_t chunks = block_chunk_count(source->block->length);
    size_t end = first;
    while (end < chunks && end - first < count && source->is_ready[end] == 0)
        end++;
    return end - first;
}

static void close_fetch(struct dfs_source *source)
{
    dfs_fetch_close(source->fetch);
    source->fetch = NULL;
}

/* Begins to fetch from chunk first on, as far as is wanted by end or worth having. */
static enum status open_fetch(struct dfs_source *source,
                              size_t first,
                              size_t end,
                              struct error *reterr_error)
{
    close_fetch(source);
    /* In order: ever more at once. From somewhere else: little again. */
    if (first != source->window_end || source->window_chunks == 0)
        source->window_chunks = WINDOW_CHUNKS_MIN;
    else if (source->window_chunks < WINDOW_CHUNKS_MAX)
        source->window_chunks *= 2;
    size_t wanted = end - first > source->window_chunks ? end - first : source->window_chunks;
    size_t run =
        missing_run(source, first, wanted < WINDOW_CHUNKS_MAX ? wanted : WINDOW_CHUNKS_MAX);
    uint64_t offset = (uint64_t)first * BLOCK_CHUNK_BYTES;
    struct dfs_range range = {.block = source->block,
                              .offset = offset,
                              .length = bytes_until(source, first, first + run),
                              .to = source->memory + offset,
                              .bad = &source->bad,
                              .preferred = &source->replica};
    source->fetch_first = first;
    source->fetch_next = first;
    source->window_end = first + run;
    return dfs_fetch_open(source->dfs, &range, &source->fetch, reterr_error);
}

static enum status need_fetched(struct dfs_source *source,
                                size_t first,
                                size_t end,
                                struct dfs_reader_totals *totals,
                                struct error *reterr_error)
{
    size_t i = first;
    while (i < end) {
        if (source->is_ready[i] != 0) {
            i++;
            continue;
        }
        enum status status = OK;
        if (source->fetch == NULL || i != source->fetch_next)
            status = open_fetch(source, i, end, reterr_error);
        size_t until = end < source->window_end ? end : source->window_end;
        if (status == OK)
            status = dfs_fetch_need(source->fetch, bytes_until(source, source->fetch_first, until),
                                    totals, reterr_error);
        if (status != OK) {
            close_fetch(source);
            return status;
        }
        memset(source->is_ready + i, 1, until - i);
        i = until;
        source->fetch_next = until;
        if (until == source->window_end)
            close_fetch(source);
    }
    return OK;
}

/* --- the door ----------------------------------------------------------------------------------
 */

struct dfs_source *dfs_source_open(struct dfs *dfs,
                                   const struct dfs_located_block *block,
                                   struct dfs_spare *spare)
{
    struct dfs_source *source = MEM_NEW(struct dfs_source);
    source->dfs = dfs;
    source->block = block;
    source->spare = spare;
    map_local(source);
    return source;
}

/* Not cleared: no chunk is shown before it is ready. */
static void take_memory(struct dfs_source *source)
{
    size_t bytes = (size_t)source->block->length;
    struct dfs_spare *spare = source->spare;
    if (spare->bytes >= bytes) {
        source->memory = spare->memory;
        source->memory_bytes = spare->bytes;
        *spare = (struct dfs_spare){0};
        return;
    }
    source->memory = mem_try_grow(NULL, bytes, 1);
    source->memory_bytes = source->memory == NULL ? 0 : bytes;
}

static void give_memory_back(struct dfs_source *source)
{
    struct dfs_spare *spare = source->spare;
    if (source->memory_bytes <= spare->bytes) {
        mem_free(source->memory);
        return;
    }
    mem_free(spare->memory);
    *spare = (struct dfs_spare){source->memory, source->memory_bytes};
}

enum status dfs_source_need(struct dfs_source *source,
                            uint64_t offset,
                            size_t length,
                            struct dfs_reader_totals *totals,
                            struct error *reterr_error)
{
    const struct dfs_located_block *block = source->block;
    CHECK(length > 0);
    CHECK(offset < block->length);
    CHECK(length <= block->length - offset);
    if (source->is_ready == NULL)
        source->is_ready = mem_try_array(block_chunk_count(block->length), 1);
    if (source->memory == NULL && source->map.base == NULL)
        take_memory(source);
    if (source->is_ready == NULL || source_bytes(source) == NULL)
        return error_set(reterr_error, ERR_NO_MEMORY, "memory for a block of %" PRIu64 " bytes",
                         block->length);
    size_t first = (size_t)(offset / BLOCK_CHUNK_BYTES);
    size_t end = (size_t)((offset + length - 1) / BLOCK_CHUNK_BYTES) + 1;
    if (source->map.base != NULL)
        return need_mapped(source, first, end, totals, reterr_error);
    return need_fetched(source, first, end, totals, reterr_error);
}

void dfs_source_relocate(struct dfs_source *source, const struct dfs_located_block *block)
{
    CHECK(block->block_id == source->block->block_id);
    CHECK(block->length == source->block->length);
    close_fetch(source); /* it knows the replicas of before */
    source->block = block;
    source->replica = 0;
    if (source->map.base != NULL || source->window_end != 0)
        return; /* bytes of it may be in use where they are */
    give_memory_back(source);
    source->memory = NULL;
    source->memory_bytes = 0;
    map_local(source); /* it may have been refused before, or have come here since */
}

const uint8_t *dfs_source_data(const struct dfs_source *source)
{
    return source_bytes(source);
}

void dfs_source_close(struct dfs_source *source)
{
    if (source == NULL)
        return;
    close_fetch(source);
    file_map_close(&source->map);
    buf_close(&source->sidecar_bytes);
    give_memory_back(source);
    mem_free(source->is_ready);
    mem_free(source);
}
