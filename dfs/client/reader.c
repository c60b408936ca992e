/*
 * reader.c - one file being read: which block covers an offset, and how long to be patient with it.
 * The namenode may merge blocks of a file while it is read: then the bytes are those of before, in
 * another block. A file that was cut or replaced is told apart and given up.
 */
#include <inttypes.h>
#include <string.h>

#include "dfs/client/internal.h"
#include "lib/base/check.h"
#include "lib/base/mem.h"

struct reader_block {
    struct dfs_located_block located; /* its lists live in the reader's arena */
    struct dfs_source *source;        /* NULL until it is read */
};

struct dfs_reader {
    struct dfs *dfs;
    struct arena *arena;
    struct slice path;
    uint64_t file_id;
    uint64_t length;
    uint32_t cut_count;
    struct reader_block **blocks; /* known so far, by offset */
    size_t blocks_count;
    size_t blocks_capacity;
    struct reader_block **retired; /* merged into others since; slices of them may be in use */
    size_t retired_count;
    size_t retired_capacity;
    struct dfs_spare spare;
    struct dfs_reader_totals totals;
};

/* --- which block -------------------------------------------------------------------------------
 */

/* Index of the first block that ends behind offset. */
static size_t find_index(const struct dfs_reader *reader, uint64_t offset)
{
    size_t low = 0;
    size_t high = reader->blocks_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        const struct dfs_located_block *block = &reader->blocks[middle]->located;
        if (block->offset + block->length <= offset)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct reader_block *find_block(const struct dfs_reader *reader, uint64_t offset)
{
    size_t index = find_index(reader, offset);
    if (index == reader->blocks_count || reader->blocks[index]->located.offset > offset)
        return NULL;
    return reader->blocks[index];
}

/* file_length: of the file as it is now, which may have grown since it was opened. */
static bool is_sound(uint64_t file_length, const struct dfs_located_block *block)
{
    return block->block_id != 0 && block->length > 0 && block->length <= LIMIT_BLOCK_BYTES &&
           block->offset <= file_length && block->length <= file_length - block->offset;
}

/* Takes the known blocks out that lie, at least in part, where block does. */
static void retire_under(struct dfs_reader *reader, const struct dfs_located_block *block)
{
    size_t first = find_index(reader, block->offset);
    size_t end = first;
    while (end < reader->blocks_count &&
           reader->blocks[end]->located.offset < block->offset + block->length) {
        reader->retired = mem_reserve(reader->retired, reader->retired_count,
                                      &reader->retired_capacity, sizeof(struct reader_block *));
        reader->retired[reader->retired_count++] = reader->blocks[end++];
    }
    if (end == first)
        return; /* and there may be no array yet */
    memmove(reader->blocks + first, reader->blocks + end,
            (reader->blocks_count - end) * sizeof(struct reader_block *));
    reader->blocks_count -= end - first;
}

/* Takes over new blocks, and newer replicas of known ones. */
static enum status take_blocks(struct dfs_reader *reader,
                               const struct dfs_get_blocks_response *response,
                               struct error *reterr_error)
{
    for (size_t i = 0; i < response->blocks_count; i++) {
        const struct dfs_located_block *block = &response->blocks[i];
        if (!is_sound(response->status.length, block))
            return error_set(reterr_error, ERR_CORRUPT, "the namenode's list of blocks is wrong");
        struct reader_block *known = find_block(reader, block->offset);
        if (known != NULL && known->located.block_id == block->block_id &&
            known->located.length == block->length) {
            known->located = *block;
            if (known->source != NULL)
                dfs_source_relocate(known->source, &known->located);
            continue;
        }
        retire_under(reader, block);
        struct reader_block *added = MEM_NEW(struct reader_block);
        added->located = *block;
        reader->blocks = mem_reserve(reader->blocks, reader->blocks_count, &reader->blocks_capacity,
                                     sizeof(struct reader_block *));
        size_t index = find_index(reader, block->offset);
        memmove(reader->blocks + index + 1, reader->blocks + index,
                (reader->blocks_count - index) * sizeof(struct reader_block *));
        reader->blocks[index] = added;
        reader->blocks_count++;
    }
    return OK;
}

static enum status locate(struct dfs_reader *reader,
                          uint64_t offset,
                          uint64_t length,
                          struct error *reterr_error)
{
    struct dfs_get_blocks_response response;
    enum status status = dfs_get_blocks(reader->dfs, reader->path, offset, length, reader->arena,
                                        &response, reterr_error);
    if (status != OK)
        return status;
    if (response.status.kind != FILE_REGULAR)
        return error_set(reterr_error, ERR_IS_DIRECTORY, "%.*s is a directory",
                         SLICE_ARGS(reader->path));
    if (reader->file_id == 0) {
        reader->file_id = response.status.file_id;
        reader->length = response.status.length;
        reader->cut_count = response.status.cut_count;
    }
    if (response.status.cut_count != reader->cut_count)
        return error_set(reterr_error, ERR_STALE, "%.*s was cut while it was read",
                         SLICE_ARGS(reader->path));
    if (response.status.file_id != reader->file_id)
        return error_set(reterr_error, ERR_STALE, "%.*s was replaced while it was read",
                         SLICE_ARGS(reader->path));
    return take_blocks(reader, &response, reterr_error);
}

enum status dfs_reader_open(struct dfs *dfs,
                            struct slice path,
                            uint64_t offset,
                            uint64_t length,
                            struct dfs_reader **ret_reader,
                            struct error *reterr_error)
{
    struct dfs_reader *reader = MEM_NEW(struct dfs_reader);
    reader->dfs = dfs;
    reader->arena = arena_open(0);
    reader->path = arena_copy(reader->arena, path);
    enum status status = locate(reader, offset, length, reterr_error);
    if (status != OK) {
        dfs_reader_close(reader);
        return status;
    }
    *ret_reader = reader;
    return OK;
}

uint64_t dfs_reader_length(const struct dfs_reader *reader)
{
    return reader->length;
}

uint64_t dfs_reader_file_id(const struct dfs_reader *reader)
{
    return reader->file_id;
}

struct dfs_reader_totals dfs_reader_totals(const struct dfs_reader *reader)
{
    return reader->totals;
}

/* --- reading -----------------------------------------------------------------------------------
 */

static enum status block_at(struct dfs_reader *reader,
                            uint64_t offset,
                            struct reader_block **ret_block,
                            struct error *reterr_error)
{
    struct reader_block *block = find_block(reader, offset);
    if (block == NULL) {
        enum status status = locate(reader, offset, 1, reterr_error);
        if (status != OK)
            return status;
        block = find_block(reader, offset);
    }
    if (block == NULL)
        return error_set(reterr_error, ERR_CORRUPT, "%.*s has no block at %" PRIu64,
                         SLICE_ARGS(reader->path), offset);
    if (block->source == NULL)
        block->source = dfs_source_open(reader->dfs, &block->located, &reader->spare);
    *ret_block = block;
    return OK;
}

/* The next bytes from offset on, at most length_max of them, as far as their block and the file go.
 */
static enum status need_once(struct dfs_reader *reader,
                             uint64_t offset,
                             size_t length_max,
                             struct slice *ret_slice,
                             struct error *reterr_error)
{
    struct reader_block *block = NULL;
    enum status status = block_at(reader, offset, &block, reterr_error);
    if (status != OK)
        return status;
    CHECK(block != NULL);
    uint64_t into = offset - block->located.offset;
    uint64_t left = block->located.length - into;
    if (left > reader->length - offset)
        left = reader->length - offset; /* merged with what was appended since */
    size_t length = length_max < left ? length_max : (size_t)left;
    status = dfs_source_need(block->source, into, length, &reader->totals, reterr_error);
    if (status == OK)
        *ret_slice = slice_make(dfs_source_data(block->source) + into, length);
    return status;
}

/* Where replicas are may have changed since they were looked up; a datanode may be restarting. */
static enum status need(struct dfs_reader *reader,
                        uint64_t offset,
                        size_t length_max,
                        struct slice *ret_slice,
                        struct error *reterr_error)
{
    int64_t deadline_ms = dfs_deadline(reader->dfs);
    bool was_denied = false;
    for (uint32_t attempt = 0;; attempt++) {
        enum status status = need_once(reader, offset, length_max, ret_slice, reterr_error);
        bool is_first_denial = status == ERR_DENIED && !was_denied;
        if (status != ERR_UNAVAILABLE && !is_first_denial)
            return status;
        was_denied = was_denied || is_first_denial; /* tokens of blocks end */
        if (!is_first_denial &&
            !dfs_pause(reader->dfs, attempt, deadline_ms, &status, reterr_error))
            return status;
        status = locate(reader, offset, 1, reterr_error);
        if (status != OK)
            return status;
    }
}

enum status dfs_reader_map(struct dfs_reader *reader,
                           uint64_t offset,
                           size_t length_max,
                           struct slice *ret_slice,
                           struct error *reterr_error)
{
    if (offset >= reader->length || length_max == 0) {
        *ret_slice = (struct slice){0};
        return OK;
    }
    enum status status = need(reader, offset, length_max, ret_slice, reterr_error);
    if (status != OK)
        return error_prefix(reterr_error, status, "read %.*s", SLICE_ARGS(reader->path));
    return OK;
}

void dfs_reader_forget(struct dfs_reader *reader, uint64_t offset)
{
    size_t end = find_index(reader, offset);
    for (size_t i = 0; i < end; i++) {
        dfs_source_close(reader->blocks[i]->source);
        reader->blocks[i]->source = NULL;
    }
    for (size_t i = 0; i < reader->retired_count; i++) {
        struct reader_block *block = reader->retired[i];
        if (block->located.offset + block->located.length > offset)
            continue;
        dfs_source_close(block->source);
        block->source = NULL;
    }
}

enum status dfs_reader_pread(struct dfs_reader *reader,
                             uint64_t offset,
                             void *data,
                             size_t length,
                             size_t *ret_length,
                             struct error *reterr_error)
{
    size_t done = 0;
    while (done < length) {
        struct slice part;
        enum status status =
            dfs_reader_map(reader, offset + done, length - done, &part, reterr_error);
        if (status != OK)
            return status;
        if (part.length == 0)
            break;
        memcpy((uint8_t *)data + done, part.data, part.length);
        done += part.length;
        size_t current = find_index(reader, offset + done - 1);
        for (size_t i = 0; i < reader->blocks_count; i++) {
            if (i == current)
                continue;
            dfs_source_close(reader->blocks[i]->source);
            reader->blocks[i]->source = NULL;
        }
    }
    *ret_length = done;
    return OK;
}

void dfs_reader_close(struct dfs_reader *reader)
{
    if (reader == NULL)
        return;
    for (size_t i = 0; i < reader->blocks_count; i++) {
        dfs_source_close(reader->blocks[i]->source);
        mem_free(reader->blocks[i]);
    }
    for (size_t i = 0; i < reader->retired_count; i++) {
        dfs_source_close(reader->retired[i]->source);
        mem_free(reader->retired[i]);
    }
    mem_free(reader->blocks);
    mem_free(reader->retired);
    mem_free(reader->spare.memory);
    arena_close(reader->arena);
    mem_free(reader);
}

enum status dfs_read_file(struct dfs *dfs,
                          struct slice path,
                          struct buf *ret_content,
                          struct error *reterr_error)
{
    struct dfs_reader *reader;
    enum status status = dfs_reader_open(dfs, path, 0, 0, &reader, reterr_error);
    if (status != OK)
        return status;
    uint64_t offset = 0;
    while (offset < dfs_reader_length(reader) && status == OK) {
        struct slice part;
        status = dfs_reader_map(reader, offset, SIZE_MAX, &part, reterr_error);
        if (status != OK)
            break;
        status = buf_append_slice(ret_content, part);
        if (status != OK)
            status = error_set(reterr_error, status, "%.*s has %" PRIu64 " bytes", SLICE_ARGS(path),
                               dfs_reader_length(reader));
        offset += part.length;
        dfs_reader_forget(reader, offset);
    }
    dfs_reader_close(reader);
    return status;
}
