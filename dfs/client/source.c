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
#include "lib/net/http_client.h"
#include "lib/os/file.h"

enum {
    WINDOW_CHUNKS_MIN = 4,   /* 256 KiB */
    WINDOW_CHUNKS_MAX = 128, /* 8 MiB */
    FD_TIMEOUT_MS = 2000,
    CRC_TEXT_BYTES = 8
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
    uint8_t *is_ready;                  /* a byte for each chunk */
    uint64_t bad_nodes[LIMIT_REPLICAS]; /* found corrupt by this source */
    size_t bad_nodes_count;
    size_t replica;       /* the one that served last */
    size_t window_chunks; /* how much to fetch at once */
    size_t window_end;    /* chunk after the last fetch */
};

/* Verifies bytes as they arrive. */
struct fetch {
    uint8_t *to;
    size_t length;
    size_t received;
    uint32_t crc32c;
    uint32_t announced;
    bool is_announced;
};

static void report_corrupt(struct dfs_source *source, uint64_t node_id)
{
    struct dfs_report_corrupt_request request = {.block_id = source->block->block_id,
                                                 .node_id = node_id};
    struct arena *arena = arena_open(0);
    const void *response = NULL;
    /* Help for others; this reader goes on without that replica whether or not it is heard. */
    enum status status = dfs_call_once(source->dfs, METHOD_NAMENODE_REPORT_CORRUPT, &request, arena,
                                       source->dfs->call_timeout_ms, &response, NULL);
    (void)status;
    arena_close(arena);
    if (source->bad_nodes_count < LIMIT_REPLICAS)
        source->bad_nodes[source->bad_nodes_count++] = node_id;
}

static bool is_bad(const struct dfs_source *source, uint64_t node_id)
{
    for (size_t i = 0; i < source->bad_nodes_count; i++) {
        if (source->bad_nodes[i] == node_id)
            return true;
    }
    return false;
}

/* --- a replica on this host --------------------------------------------------------------------
 */

static enum status ask_file(struct fd_pass_client *client,
                            const char *what,
                            const char *name,
                            struct file **ret_file,
                            struct error *reterr_error)
{
    char question[32];
    (void)snprintf(question, sizeof(question), "%s %s", what, name); /* at most 8 + 1 + 16 */
    struct buf answer = {0};
    int descriptor = -1;
    enum status status =
        fd_pass_ask(client, slice_from_string(question), &answer, &descriptor, reterr_error);
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
    char name[BLOCK_NAME_BYTES];
    if (node->fd_path.length > FD_PASS_PATH_BYTES)
        return error_set(reterr_error, ERR_LIMIT, "the path of the datanode's socket is too long");
    (void)snprintf(path, sizeof(path), "%.*s", SLICE_ARGS(node->fd_path)); /* just checked */
    block_name_format(source->block->block_id, name);
    struct fd_pass_client *client = NULL;
    struct file *data = NULL;
    struct file *sidecar = NULL;
    enum status status = fd_pass_connect(path, FD_TIMEOUT_MS, &client, reterr_error);
    if (status == OK)
        status = ask_file(client, "block", name, &data, reterr_error);
    if (status == OK)
        status = ask_file(client, "sidecar", name, &sidecar, reterr_error);
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
            report_corrupt(source, node->node_id);
    }
}

/* --- a replica somewhere else ------------------------------------------------------------------
 */

static enum status take_data(void *user, struct slice data)
{
    struct fetch *fetch = user;
    if (data.length > fetch->length - fetch->received)
        return ERR_CORRUPT;
    memcpy(fetch->to + fetch->received, data.data, data.length);
    fetch->crc32c = crc32c_update(fetch->crc32c, data.data, data.length); /* while it is hot */
    fetch->received += data.length;
    return OK;
}

static void take_header(void *user, struct slice name, struct slice value)
{
    struct fetch *fetch = user;
    if (!slice_equal_string(name, "x-millrace-crc32c") || value.length != CRC_TEXT_BYTES)
        return;
    char padded[BLOCK_NAME_BYTES];
    uint64_t crc = 0;
    (void)snprintf(padded, sizeof(padded), "00000000%.*s", SLICE_ARGS(value)); /* 16 digits */
    fetch->is_announced =
        block_name_parse(slice_from_string(padded), &crc) || slice_equal_string(value, "00000000");
    fetch->announced = (uint32_t)crc;
}

static enum status fetch_from(struct dfs_source *source,
                              const struct endpoint *node,
                              uint64_t offset,
                              size_t length,
                              uint8_t *to,
                              struct error *reterr_error)
{
    char name[BLOCK_NAME_BYTES];
    char token[LIMIT_TOKEN_BYTES + 1];
    block_name_format(source->block->block_id, name);
    dfs_token(source->dfs, token);
    struct arena *arena = arena_open(0);
    struct fetch fetch = {.to = to, .length = length};
    struct http_request_options options = {
        .url =
            (const char *)arena_format(
                arena, "http://%.*s/v1/block/%s?length=%" PRIu64 "&crc32c=%08" PRIx32,
                SLICE_ARGS(node->http_address), name, source->block->length, source->block->crc32c)
                .data,
        .bearer = token,
        .offset = offset,
        .length = length,
        .data = take_data,
        .header = take_header,
        .user = &fetch,
    };
    enum status status = http_get(source->dfs->http, &options, NULL, reterr_error);
    arena_close(arena);
    if (status != OK)
        return status;
    if (fetch.received != length)
        return error_set(reterr_error, ERR_UNAVAILABLE, "%zu of %zu bytes came", fetch.received,
                         length);
    if (!fetch.is_announced || fetch.announced != fetch.crc32c) {
        report_corrupt(source, node->node_id);
        return error_set(reterr_error, ERR_CORRUPT, "the bytes do not match their checksum");
    }
    return OK;
}

/* Adds "host: why" to the sentence about all replicas. */
static void note_failure(struct buf *failures, const struct endpoint *node, const char *why)
{
    enum status status = buf_append_format(failures, "%s%.*s: %s", failures->length > 0 ? "; " : "",
                                           SLICE_ARGS(node->host), why);
    (void)status; /* full: the first reasons are enough */
}

/* Asks the replica that served last, then the others, nearest first. */
static enum status fetch_range(struct dfs_source *source,
                               uint64_t offset,
                               size_t length,
                               uint8_t *to,
                               struct dfs_reader_totals *totals,
                               struct error *reterr_error)
{
    const struct dfs_located_block *block = source->block;
    struct buf failures;
    buf_open(&failures, ERROR_TEXT_BYTES / 2);
    enum status status = ERR_UNAVAILABLE;
    size_t corrupt = 0;
    for (size_t i = 0; i <= block->replicas_count; i++) {
        size_t at = i == 0 ? source->replica : i - 1;
        if (at >= block->replicas_count || (i > 0 && at == source->replica))
            continue;
        const struct endpoint *node = &block->replicas[at].node;
        if (is_bad(source, node->node_id)) {
            corrupt++;
            continue;
        }
        struct error error = {0};
        status = fetch_from(source, node, offset, length, to, &error);
        if (status == OK) {
            source->replica = at;
            totals->remote_bytes += length;
            buf_close(&failures);
            return OK;
        }
        totals->failovers++;
        note_failure(&failures, node, error.text);
        if (status == ERR_CORRUPT)
            corrupt++;
        if (status == ERR_UNAUTHENTICATED || status == ERR_DENIED || dfs_is_cancelled(source->dfs))
            break;
    }
    if (status != ERR_UNAUTHENTICATED && status != ERR_DENIED)
        status = corrupt > 0 && corrupt >= block->replicas_count ? ERR_CORRUPT : ERR_UNAVAILABLE;
    if (block->is_corrupt)
        status = ERR_CORRUPT;
    status = error_set(reterr_error, status, "no replica of block %016" PRIx64 " can be read%s%s",
                       block->block_id, failures.length > 0 ? ": " : "", buf_string(&failures));
    buf_close(&failures);
    return status;
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
        if (block_chunk_is_good(&source->sidecar, i, slice_make(chunk, length))) {
            totals->local_bytes += length;
        } else {
            if (!is_bad(source, source->local_node_id))
                report_corrupt(source, source->local_node_id);
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

/* Chunks from first on that are still to be fetched, at most count. */
static size_t missing_run(const struct dfs_source *source, size_t first, size_t count)
{
    size_t chunks = block_chunk_count(source->block->length);
    size_t end = first;
    while (end < chunks && end - first < count && source->is_ready[end] == 0)
        end++;
    return end - first;
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
        /* In order: ever more at once. From somewhere else: little again. */
        if (i != source->window_end || source->window_chunks == 0)
            source->window_chunks = WINDOW_CHUNKS_MIN;
        else if (source->window_chunks < WINDOW_CHUNKS_MAX)
            source->window_chunks *= 2;
        size_t wanted = end - i > source->window_chunks ? end - i : source->window_chunks;
        size_t run =
            missing_run(source, i, wanted < WINDOW_CHUNKS_MAX ? wanted : WINDOW_CHUNKS_MAX);
        uint64_t offset = (uint64_t)i * BLOCK_CHUNK_BYTES;
        size_t length = (run - 1) * BLOCK_CHUNK_BYTES + chunk_bytes(source, i + run - 1);
        enum status status =
            fetch_range(source, offset, length, source->memory + offset, totals, reterr_error);
        if (status != OK)
            return status;
        memset(source->is_ready + i, 1, run);
        i += run;
        source->window_end = i;
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
    source->block = block;
    source->replica = 0;
}

const uint8_t *dfs_source_data(const struct dfs_source *source)
{
    return source_bytes(source);
}

void dfs_source_close(struct dfs_source *source)
{
    if (source == NULL)
        return;
    file_map_close(&source->map);
    buf_close(&source->sidecar_bytes);
    give_memory_back(source);
    mem_free(source->is_ready);
    mem_free(source);
}
