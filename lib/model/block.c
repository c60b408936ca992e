/*
 * block.c - names, chunks and sidecars of stored blocks (docs/formats/block.md).
 */
#include "lib/model/block.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "lib/base/check.h"
#include "lib/base/crc32c.h"
#include "lib/base/varint.h"

enum {
    SIDECAR_VERSION = 1,
    SIDECAR_MAGIC_BYTES = 8,
    SIDECAR_HEADER_SUMMED_BYTES = 40,
    CRC_BYTES = 4
};

static const char sidecar_magic[SIDECAR_MAGIC_BYTES + 1] = "MRBLKCRC";

size_t block_chunk_count(uint64_t length)
{
    return (size_t)(length / BLOCK_CHUNK_BYTES + (length % BLOCK_CHUNK_BYTES != 0));
}

uint64_t block_sidecar_bytes(uint64_t length)
{
    return BLOCK_SIDECAR_HEADER_BYTES + (uint64_t)CRC_BYTES * block_chunk_count(length);
}

void block_name_format(uint64_t block_id, char ret_name[BLOCK_NAME_BYTES])
{
    (void)snprintf(ret_name, BLOCK_NAME_BYTES, "%016" PRIx64, block_id); /* 16 digits and NUL fit */
}

bool block_name_parse(struct slice name, uint64_t *ret_block_id)
{
    if (name.length != BLOCK_NAME_BYTES - 1)
        return false;
    uint64_t block_id = 0;
    for (size_t i = 0; i < name.length; i++) {
        uint8_t byte = name.data[i];
        unsigned digit;
        if (byte >= '0' && byte <= '9')
            digit = (unsigned)(byte - '0');
        else if (byte >= 'a' && byte <= 'f')
            digit = (unsigned)(byte - 'a') + 10;
        else
            return false;
        block_id = block_id << 4 | digit;
    }
    if (block_id == 0)
        return false;
    *ret_block_id = block_id;
    return true;
}

const char *block_mode_name(enum block_mode mode)
{
    static const char *const names[BLOCK_MODE_COUNT] = {"read", "write", "copy"};
    CHECK((unsigned)mode < BLOCK_MODE_COUNT);
    return names[mode];
}

/* --- reading checksums -------------------------------------------------------------------------
 */

enum status block_sidecar_decode_header(struct slice bytes,
                                        struct block_sidecar *ret_sidecar,
                                        struct error *reterr_error)
{
    if (bytes.length < BLOCK_SIDECAR_HEADER_BYTES)
        return error_set(reterr_error, ERR_CORRUPT, "sidecar: %zu bytes, the header alone has %d",
                         bytes.length, (int)BLOCK_SIDECAR_HEADER_BYTES);
    const uint8_t *data = bytes.data;
    if (memcmp(data, sidecar_magic, SIDECAR_MAGIC_BYTES) != 0)
        return error_set(reterr_error, ERR_CORRUPT, "sidecar: it does not begin with %s",
                         sidecar_magic);
    uint32_t crc = crc32c_update(0, data, SIDECAR_HEADER_SUMMED_BYTES);
    if (crc != fixed_get_u32(data + SIDECAR_HEADER_SUMMED_BYTES))
        return error_set(reterr_error, ERR_CORRUPT, "sidecar: the header's checksum is wrong");
    uint32_t version = fixed_get_u32(data + 8);
    if (version != SIDECAR_VERSION || fixed_get_u32(data + 12) != BLOCK_CHUNK_BYTES)
        return error_set(reterr_error, ERR_UNSUPPORTED,
                         "sidecar: version %" PRIu32 " with chunks of %" PRIu32
                         " bytes; this program reads version 1 with 65536",
                         version, fixed_get_u32(data + 12));
    *ret_sidecar = (struct block_sidecar){
        .block_id = fixed_get_u64(data + 16),
        .length = fixed_get_u64(data + 24),
        .crc32c = fixed_get_u32(data + 32),
        .table_crc = fixed_get_u32(data + 36),
    };
    return OK;
}

uint32_t block_chunk_crc(const struct block_sidecar *sidecar, size_t index)
{
    return fixed_get_u32(sidecar->table.data + index * CRC_BYTES);
}

enum status block_sidecar_decode(struct slice bytes,
                                 struct block_sidecar *ret_sidecar,
                                 struct error *reterr_error)
{
    struct block_sidecar sidecar;
    enum status status = block_sidecar_decode_header(bytes, &sidecar, reterr_error);
    if (status != OK)
        return status;
    if (bytes.length != block_sidecar_bytes(sidecar.length))
        return error_set(reterr_error, ERR_CORRUPT,
                         "sidecar: %zu bytes for a block of %" PRIu64 " bytes", bytes.length,
                         sidecar.length);
    sidecar.table =
        slice_sub(bytes, BLOCK_SIDECAR_HEADER_BYTES, bytes.length - BLOCK_SIDECAR_HEADER_BYTES);
    uint32_t whole = 0;
    if (crc32c_update(0, sidecar.table.data, sidecar.table.length) != sidecar.table_crc ||
        !block_sidecar_range_crc(&sidecar, 0, sidecar.length, &whole) || whole != sidecar.crc32c)
        return error_set(reterr_error, ERR_CORRUPT, "sidecar: the table's checksum is wrong");
    *ret_sidecar = sidecar;
    return OK;
}

size_t block_chunk_length(const struct block_sidecar *sidecar, size_t index)
{
    uint64_t begin = (uint64_t)index * BLOCK_CHUNK_BYTES;
    CHECK(begin < sidecar->length);
    uint64_t rest = sidecar->length - begin;
    return rest < BLOCK_CHUNK_BYTES ? (size_t)rest : BLOCK_CHUNK_BYTES;
}

bool block_chunk_is_good(const struct block_sidecar *sidecar, size_t index, struct slice data)
{
    CHECK(data.length == block_chunk_length(sidecar, index));
    return crc32c_update(0, data.data, data.length) == block_chunk_crc(sidecar, index);
}

bool block_sidecar_range_crc(const struct block_sidecar *sidecar,
                             uint64_t offset,
                             uint64_t length,
                             uint32_t *ret_crc)
{
    if (offset > sidecar->length || length > sidecar->length - offset)
        return false;
    uint64_t end = offset + length;
    if (offset % BLOCK_CHUNK_BYTES != 0 || (end % BLOCK_CHUNK_BYTES != 0 && end != sidecar->length))
        return false;
    uint32_t crc = 0;
    uint32_t factor = crc32c_factor(BLOCK_CHUNK_BYTES);
    for (uint64_t at = offset; at < end; at += BLOCK_CHUNK_BYTES) {
        size_t index = (size_t)(at / BLOCK_CHUNK_BYTES);
        size_t bytes = block_chunk_length(sidecar, index);
        if (bytes != BLOCK_CHUNK_BYTES) /* the last */
            factor = crc32c_factor(bytes);
        crc = crc32c_combine_by(crc, block_chunk_crc(sidecar, index), factor);
    }
    *ret_crc = crc;
    return true;
}

/* --- making them -------------------------------------------------------------------------------
 */

static enum status end_chunk(struct block_summer *summer)
{
    enum status status = fixed_append_u32(&summer->table, summer->chunk);
    if (status != OK)
        return status;
    if (summer->chunk_factor == 0)
        summer->chunk_factor = crc32c_factor(BLOCK_CHUNK_BYTES);
    uint32_t factor = summer->chunk_fill == BLOCK_CHUNK_BYTES ? summer->chunk_factor
                                                              : crc32c_factor(summer->chunk_fill);
    summer->crc32c = crc32c_combine_by(summer->crc32c, summer->chunk, factor);
    summer->chunk = 0;
    summer->chunk_fill = 0;
    return OK;
}

enum status block_summer_add(struct block_summer *summer, struct slice data)
{
    size_t done = 0;
    while (done < data.length) {
        size_t part = BLOCK_CHUNK_BYTES - summer->chunk_fill;
        if (part > data.length - done)
            part = data.length - done;
        summer->chunk = crc32c_update(summer->chunk, data.data + done, part);
        summer->chunk_fill += part;
        summer->length += part;
        done += part;
        if (summer->chunk_fill < BLOCK_CHUNK_BYTES)
            break;
        enum status status = end_chunk(summer);
        if (status != OK)
            return status;
    }
    return OK;
}

uint32_t block_summer_crc(const struct block_summer *summer)
{
    return crc32c_combine(summer->crc32c, summer->chunk, summer->chunk_fill);
}

enum status block_summer_finish(struct block_summer *summer,
                                uint64_t block_id,
                                struct buf *ret_bytes)
{
    if (summer->chunk_fill != 0) {
        enum status status = end_chunk(summer);
        if (status != OK)
            return status;
    }
    uint8_t header[BLOCK_SIDECAR_HEADER_BYTES];
    memcpy(header, sidecar_magic, SIDECAR_MAGIC_BYTES);
    fixed_put_u32(header + 8, SIDECAR_VERSION);
    fixed_put_u32(header + 12, BLOCK_CHUNK_BYTES);
    fixed_put_u64(header + 16, block_id);
    fixed_put_u64(header + 24, summer->length);
    fixed_put_u32(header + 32, summer->crc32c);
    struct slice table = buf_slice(&summer->table);
    fixed_put_u32(header + 36, crc32c_update(0, table.data, table.length));
    fixed_put_u32(header + 40, crc32c_update(0, header, SIDECAR_HEADER_SUMMED_BYTES));
    enum status status = buf_append(ret_bytes, header, sizeof(header));
    return status == OK ? buf_append_slice(ret_bytes, table) : status;
}

void block_summer_close(struct block_summer *summer)
{
    buf_close(&summer->table);
}
