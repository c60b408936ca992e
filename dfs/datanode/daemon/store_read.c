/*
 * store_read.c - blocks read so that no byte leaves unverified.
 */
#include <string.h>

#include "dfs/datanode/daemon/store_internal.h"
#include "lib/base/check.h"
#include "lib/base/mem.h"
#include "lib/model/limits.h"
#include "lib/os/file.h"

struct store_reader {
    struct file *data;
    struct buf sidecar_bytes;
    struct block_sidecar sidecar;
    uint8_t *chunk;     /* BLOCK_CHUNK_BYTES, made when a read does not fit the chunks */
    size_t chunk_index; /* which one it holds, verified */
    bool is_chunk_known;
};

enum status store_open_file(struct store *store,
                            uint64_t block_id,
                            bool is_sidecar,
                            struct file **ret_file,
                            struct error *reterr_error)
{
    struct arena *arena = arena_open(0);
    const char *path =
        store_path(store, arena, STORE_BLOCKS, block_id, is_sidecar ? ".crc" : ".blk");
    enum status status = file_open(path, FILE_MODE_READ, 0, ret_file, reterr_error);
    arena_close(arena);
    return status;
}

static enum status read_sidecar(struct store *store,
                                uint64_t block_id,
                                struct store_reader *reader,
                                struct error *reterr_error)
{
    struct file *file = NULL;
    uint64_t length = 0;
    enum status status = store_open_file(store, block_id, true, &file, reterr_error);
    if (status == ERR_NOT_FOUND)
        return error_set(reterr_error, ERR_CORRUPT, "%s has no sidecar", file_path(reader->data));
    if (status == OK)
        status = file_length(file, &length, reterr_error);
    if (status == OK && length > block_sidecar_bytes(LIMIT_BLOCK_BYTES))
        status = error_set(reterr_error, ERR_CORRUPT, "%s is too long", file_path(file));
    if (status == OK && buf_reserve(&reader->sidecar_bytes, (size_t)length) != OK)
        status = error_set(reterr_error, ERR_NO_MEMORY, "memory for checksums");
    if (status == OK)
        status =
            file_read_exactly(file, 0, reader->sidecar_bytes.data, (size_t)length, reterr_error);
    if (status == OK) {
        reader->sidecar_bytes.length = (size_t)length;
        status =
            block_sidecar_decode(buf_slice(&reader->sidecar_bytes), &reader->sidecar, reterr_error);
    }
    file_close(file);
    return status;
}

static enum status check_identity(struct store_reader *reader,
                                  uint64_t block_id,
                                  struct error *reterr_error)
{
    uint64_t length;
    enum status status = file_length(reader->data, &length, reterr_error);
    if (status != OK)
        return status;
    if (reader->sidecar.block_id != block_id || reader->sidecar.length != length)
        return error_set(reterr_error, ERR_CORRUPT, "%s and its sidecar do not belong together",
                         file_path(reader->data));
    return OK;
}

enum status store_reader_open(struct store *store,
                              uint64_t block_id,
                              struct store_reader **ret_reader,
                              struct error *reterr_error)
{
    struct store_reader *reader = MEM_NEW(struct store_reader);
    enum status status = store_open_file(store, block_id, false, &reader->data, reterr_error);
    if (status == OK)
        status = read_sidecar(store, block_id, reader, reterr_error);
    if (status == OK)
        status = check_identity(reader, block_id, reterr_error);
    if (status != OK) {
        store_reader_close(reader);
        return status;
    }
    *ret_reader = reader;
    return OK;
}

struct dfs_block_info store_reader_block(const struct store_reader *reader)
{
    return (struct dfs_block_info){.block_id = reader->sidecar.block_id,
                                   .length = reader->sidecar.length,
                                   .crc32c = reader->sidecar.crc32c};
}

const struct block_sidecar *store_reader_sidecar(const struct store_reader *reader)
{
    return &reader->sidecar;
}

static enum status bad_chunk(const struct store_reader *reader,
                             size_t index,
                             struct error *reterr_error)
{
    return error_set(reterr_error, ERR_CORRUPT, "%s: the chunk at %llu does not match its checksum",
                     file_path(reader->data), (unsigned long long)index * BLOCK_CHUNK_BYTES);
}

/* A read that meets the end too early means that the file was cut: as bad as a wrong byte. */
static enum status read_chunks(struct store_reader *reader,
                               size_t first,
                               size_t length,
                               uint8_t *data,
                               struct error *reterr_error)
{
    uint64_t begin = (uint64_t)first * BLOCK_CHUNK_BYTES;
    enum status status = file_read_exactly(reader->data, begin, data, length, reterr_error);
    if (status != OK)
        return status;
    size_t index = first;
    for (size_t at = 0; at < length; at += BLOCK_CHUNK_BYTES, index++) {
        struct slice chunk = slice_make(data + at, block_chunk_length(&reader->sidecar, index));
        if (!block_chunk_is_good(&reader->sidecar, index, chunk))
            return bad_chunk(reader, index, reterr_error);
    }
    return OK;
}

/* Reads a part of one chunk by way of the reader's own buffer. */
static enum status read_part(struct store_reader *reader,
                             uint64_t offset,
                             uint8_t *data,
                             size_t length,
                             struct error *reterr_error)
{
    if (reader->chunk == NULL)
        reader->chunk = mem_try_array(BLOCK_CHUNK_BYTES, 1);
    if (reader->chunk == NULL)
        return error_set(reterr_error, ERR_NO_MEMORY, "a buffer for one chunk");
    size_t index = (size_t)(offset / BLOCK_CHUNK_BYTES);
    if (!reader->is_chunk_known || reader->chunk_index != index) {
        reader->is_chunk_known = false;
        size_t whole = block_chunk_length(&reader->sidecar, index);
        enum status status = read_chunks(reader, index, whole, reader->chunk, reterr_error);
        if (status != OK)
            return status;
        reader->chunk_index = index;
        reader->is_chunk_known = true;
    }
    memcpy(data, reader->chunk + offset % BLOCK_CHUNK_BYTES, length);
    return OK;
}

enum status store_reader_read(struct store_reader *reader,
                              uint64_t offset,
                              void *data,
                              size_t length,
                              struct error *reterr_error)
{
    uint64_t block_length = reader->sidecar.length;
    CHECK(offset <= block_length);
    CHECK(length <= block_length - offset);
    uint64_t end = offset + length;
    uint8_t *to = data;
    while (offset < end) {
        size_t into = (size_t)(offset % BLOCK_CHUNK_BYTES);
        size_t part = (size_t)(end - offset);
        size_t chunks = part - part % BLOCK_CHUNK_BYTES;
        if (end == block_length)
            chunks = part; /* the last chunk is short, but whole */
        enum status status;
        if (into == 0 && chunks > 0) {
            part = chunks;
            status =
                read_chunks(reader, (size_t)(offset / BLOCK_CHUNK_BYTES), part, to, reterr_error);
        } else {
            if (part > BLOCK_CHUNK_BYTES - into)
                part = BLOCK_CHUNK_BYTES - into;
            status = read_part(reader, offset, to, part, reterr_error);
        }
        if (status != OK)
            return status;
        to += part;
        offset += part;
    }
    return OK;
}

void store_reader_forget_cached(struct store_reader *reader)
{
    file_forget_cached(reader->data, 0, reader->sidecar.length);
}

void store_reader_close(struct store_reader *reader)
{
    if (reader == NULL)
        return;
    file_close(reader->data);
    buf_close(&reader->sidecar_bytes);
    mem_free(reader->chunk);
    mem_free(reader);
}
