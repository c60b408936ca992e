/*
 * fuzz_sidecar.c - any bytes as a block's sidecar: never a crash, and one that is accepted has as
 * many checksums as its block has chunks and was damaged nowhere.
 *
 * The first byte says which checksums are put right, so that what is behind them is reached; with
 * IS_BLOCK the rest is a block, summed up in pieces.
 */
#include <string.h>

#include "lib/base/check.h"
#include "lib/base/crc32c.h"
#include "lib/base/varint.h"
#include "lib/model/block.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

enum {
    IS_BLOCK = 1,
    HAS_MAGIC = 2,  /* magic, version and size of chunks are put right */
    HAS_LENGTH = 4, /* the block is as long as the table says, less the bytes of byte 31 */
    HAS_TABLE = 8,  /* the table's checksum */
    HAS_WHOLE = 16, /* the block's */
    HAS_HEADER = 32 /* the header's */
};

enum {
    BLOCK_BYTES_MAX = 2 * BLOCK_CHUNK_BYTES + 1000
};

/* Every range that begins and ends where one may, and one that does not. */
static void try_ranges(const struct block_sidecar *sidecar)
{
    uint32_t crc = 0;
    CHECK(block_sidecar_range_crc(sidecar, 0, sidecar->length, &crc) && crc == sidecar->crc32c);
    CHECK(block_sidecar_range_crc(sidecar, sidecar->length, 0, &crc) ==
          (sidecar->length % BLOCK_CHUNK_BYTES == 0 || sidecar->length == 0));
    CHECK(!block_sidecar_range_crc(sidecar, sidecar->length + 1, 0, &crc));
    CHECK(!block_sidecar_range_crc(sidecar, 0, sidecar->length + 1, &crc));
    CHECK(!block_sidecar_range_crc(sidecar, 1, UINT64_MAX, &crc));
    uint64_t sum = 0;
    size_t count = block_chunk_count(sidecar->length);
    for (size_t i = 0; i < count; i++) {
        uint64_t at = (uint64_t)i * BLOCK_CHUNK_BYTES;
        size_t bytes = block_chunk_length(sidecar, i);
        CHECK(bytes >= 1 && bytes <= BLOCK_CHUNK_BYTES);
        CHECK(block_sidecar_range_crc(sidecar, at, bytes, &crc));
        CHECK(crc == fixed_get_u32(sidecar->table.data + 4 * i));
        CHECK(!block_sidecar_range_crc(sidecar, at + 1, bytes - 1, &crc) ||
              sidecar->length == at + 1);
        sum += bytes;
    }
    CHECK(sum == sidecar->length);
}

static void try_name(uint64_t block_id)
{
    char name[BLOCK_NAME_BYTES];
    uint64_t again = 0;
    block_name_format(block_id, name);
    CHECK(block_name_parse(slice_from_string(name), &again) == (block_id != 0));
    CHECK(again == block_id);
}

/* What any bytes are, as a sidecar and as a name. */
static enum status try_bytes(struct slice bytes)
{
    struct error error = {OK, ""};
    struct block_sidecar sidecar;
    struct block_sidecar header;
    uint64_t block_id = 0;
    CHECK(!block_name_parse(bytes, &block_id) || (block_id != 0 && bytes.length == 16));
    enum status first = block_sidecar_decode_header(bytes, &header, NULL);
    enum status status = block_sidecar_decode(bytes, &sidecar, &error);
    CHECK(status == OK || error.text[0] != '\0');
    CHECK(status == OK || status == ERR_CORRUPT || status == ERR_UNSUPPORTED);
    CHECK(first == OK || first == status);
    if (first == OK)
        try_name(header.block_id);
    if (status != OK)
        return status;
    CHECK(bytes.length == block_sidecar_bytes(sidecar.length));
    CHECK(sidecar.table.length / 4 == block_chunk_count(sidecar.length));
    try_ranges(&sidecar);
    return OK;
}

/* Puts right what flags ask for, in the order in which one goes into the next. */
static void put_right(uint8_t flags, uint8_t *bytes, size_t size)
{
    if (size < BLOCK_SIDECAR_HEADER_BYTES)
        return;
    struct slice table =
        slice_make(bytes + BLOCK_SIDECAR_HEADER_BYTES, size - BLOCK_SIDECAR_HEADER_BYTES);
    if ((flags & HAS_MAGIC) != 0) {
        memcpy(bytes, "MRBLKCRC", 8);
        fixed_put_u32(bytes + 8, 1);
        fixed_put_u32(bytes + 12, BLOCK_CHUNK_BYTES);
    }
    if ((flags & HAS_LENGTH) != 0) {
        uint64_t full = (uint64_t)(table.length / 4) * BLOCK_CHUNK_BYTES;
        fixed_put_u64(bytes + 24, full - (full == 0 ? 0 : bytes[31]));
    }
    if ((flags & HAS_TABLE) != 0)
        fixed_put_u32(bytes + 36, crc32c_update(0, table.data, table.length));
    struct block_sidecar sidecar = {.length = fixed_get_u64(bytes + 24), .table = table};
    uint32_t whole = 0;
    if ((flags & HAS_WHOLE) != 0 && size == block_sidecar_bytes(sidecar.length) &&
        block_sidecar_range_crc(&sidecar, 0, sidecar.length, &whole))
        fixed_put_u32(bytes + 32, whole);
    if ((flags & HAS_HEADER) != 0)
        fixed_put_u32(bytes + 40, crc32c_update(0, bytes, 40));
}

static void try_sidecar(uint8_t flags, struct slice input)
{
    const uint8_t all = HAS_MAGIC | HAS_LENGTH | HAS_TABLE | HAS_WHOLE | HAS_HEADER;
    struct buf bytes = {0};
    CHECK(buf_append_slice(&bytes, input) == OK);
    put_right(flags, bytes.data, bytes.length);
    enum status status = try_bytes(buf_slice(&bytes));
    if ((flags & all) == all && input.length >= BLOCK_SIDECAR_HEADER_BYTES &&
        (input.length - BLOCK_SIDECAR_HEADER_BYTES) % 4 == 0)
        CHECK(status == OK);
    buf_close(&bytes);
}

/* The two ways to sum a block up agree, and a change of one byte is found, where input says. */
static void try_block(struct slice input)
{
    struct block_summer summer = {0};
    struct block_sidecar sidecar;
    struct buf block = {0};
    struct buf bytes = {0};
    if (input.length < 4)
        return;
    uint32_t seed = fixed_get_u32(input.data);
    input = slice_sub(input, 4, input.length - 4);
    size_t wanted = input.length == 0 ? 0 : seed % BLOCK_BYTES_MAX;
    while (block.length < wanted) {
        size_t rest = wanted - block.length;
        struct slice piece = slice_sub(input, 0, rest < input.length ? rest : input.length);
        CHECK(buf_append_slice(&block, piece) == OK);
    }
    for (size_t at = 0; at < block.length;) {
        size_t bytes_next = 1 + (seed >> 3) % 50000;
        if (bytes_next > block.length - at)
            bytes_next = block.length - at;
        CHECK(block_summer_add(&summer, slice_make(block.data + at, bytes_next)) == OK);
        at += bytes_next;
    }
    uint32_t crc = crc32c_update(0, block.data, block.length);
    CHECK(block_summer_crc(&summer) == crc);
    CHECK(block_summer_finish(&summer, 1 + (uint64_t)seed, &bytes) == OK);
    CHECK(try_bytes(buf_slice(&bytes)) == OK);
    CHECK(block_sidecar_decode(buf_slice(&bytes), &sidecar, NULL) == OK);
    CHECK(sidecar.length == block.length && sidecar.crc32c == crc);
    for (size_t i = 0; i < block_chunk_count(sidecar.length); i++) {
        uint8_t *chunk = block.data + i * BLOCK_CHUNK_BYTES;
        struct slice whole = slice_make(chunk, block_chunk_length(&sidecar, i));
        CHECK(block_chunk_is_good(&sidecar, i, whole));
        chunk[seed % whole.length] ^= 1;
        CHECK(!block_chunk_is_good(&sidecar, i, whole));
    }
    bytes.data[seed % bytes.length] ^= 1;
    CHECK(block_sidecar_decode(buf_slice(&bytes), &sidecar, NULL) == ERR_CORRUPT);
    block_summer_close(&summer);
    buf_close(&bytes);
    buf_close(&block);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size == 0)
        return 0;
    struct slice input = slice_make(data + 1, size - 1);
    if ((data[0] & IS_BLOCK) != 0)
        try_block(input);
    else
        try_sidecar(data[0], input);
    return 0;
}
