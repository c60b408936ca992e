/*
 * block.h - the form of a stored block: its name, its chunks and its sidecar of checksums, shared
 * by the datanode that writes them and the client that reads them through a passed descriptor.
 * Source: docs/formats/block.md.
 */
#ifndef MILLRACE_LIB_MODEL_BLOCK_H
#define MILLRACE_LIB_MODEL_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/error.h"
#include "lib/base/slice.h"
#include "lib/base/status.h"

enum {
    BLOCK_CHUNK_BYTES = 64 * 1024, /* what one checksum covers; the last may be shorter */
    BLOCK_SIDECAR_HEADER_BYTES = 44,
    BLOCK_NAME_BYTES = 17 /* 16 hexadecimal digits and NUL */
};

/* Chunks of a block of length bytes; 0 for an empty one. */
size_t block_chunk_count(uint64_t length);
/* Size of its sidecar. */
uint64_t block_sidecar_bytes(uint64_t length);

void block_name_format(uint64_t block_id, char ret_name[BLOCK_NAME_BYTES]);
/* Exactly 16 lower-case hexadecimal digits; false for anything else, and for 0. */
bool block_name_parse(struct slice name, uint64_t *ret_block_id);

/* --- who may do what with a block: what a token of docs/protocols/block-token.md says
 * -------------
 */
/* The header of an HTTP request that carries one. */
#define BLOCK_TOKEN_HEADER "Millrace-Block-Token"

enum block_mode {
    BLOCK_READ,
    BLOCK_WRITE, /* bring it in */
    BLOCK_COPY,  /* either, from one datanode to another */
    BLOCK_MODE_COUNT
};

struct block_grant {
    uint64_t block_id;
    enum block_mode mode;
    struct slice user;       /* as event.user shows him */
    int64_t expires_wall_ms; /* since 1970; not valid from this moment on */
};

/* "read", "write", "copy". */
const char *block_mode_name(enum block_mode mode);

/* --- reading checksums -------------------------------------------------------------------------
 */
struct block_sidecar {
    uint64_t block_id;
    uint64_t length;
    uint32_t crc32c;    /* of the whole block */
    uint32_t table_crc; /* of table */
    struct slice table; /* encoded; empty after block_sidecar_decode_header */
};

/*
 * Decodes the header at the front of bytes. ERR_CORRUPT when it is short or damaged,
 * ERR_UNSUPPORTED when it is sound and of another version.
 */
MUST_USE enum status block_sidecar_decode_header(struct slice bytes,
                                                 struct block_sidecar *ret_sidecar,
                                                 struct error *reterr_error);
/*
 * Decodes a whole sidecar; table borrows from bytes. ERR_CORRUPT also when the size, the table's
 * checksum or its combination to the whole block's does not fit.
 */
MUST_USE enum status block_sidecar_decode(struct slice bytes,
                                          struct block_sidecar *ret_sidecar,
                                          struct error *reterr_error);
/* Bytes of the chunk with this index. */
size_t block_chunk_length(const struct block_sidecar *sidecar, size_t index);
uint32_t block_chunk_crc(const struct block_sidecar *sidecar, size_t index);
/* True when data, the whole chunk, matches its checksum. */
bool block_chunk_is_good(const struct block_sidecar *sidecar, size_t index, struct slice data);
/*
 * The checksum of [offset, offset + length), which begins on a chunk and ends on one or at the end
 * of the block; false when it does not.
 */
bool block_sidecar_range_crc(const struct block_sidecar *sidecar,
                             uint64_t offset,
                             uint64_t length,
                             uint32_t *ret_crc);

/* --- making them -------------------------------------------------------------------------------
 */

/* Sums a block up as it comes in. A zeroed one is ready for an empty block; block_summer_close. */
struct block_summer {
    uint64_t length;
    uint32_t crc32c;       /* of the full chunks */
    uint32_t chunk;        /* of the chunk being filled */
    struct buf table;      /* of the full chunks, encoded */
    size_t chunk_fill;     /* bytes in the chunk being filled */
    uint32_t chunk_factor; /* of a full chunk; 0: not yet known */
};

/* ERR_NO_MEMORY, ERR_LIMIT as buf_append. */
MUST_USE enum status block_summer_add(struct block_summer *summer, struct slice data);
/* The checksum of all that was added. */
uint32_t block_summer_crc(const struct block_summer *summer);
/* Appends the whole sidecar. Nothing may be added afterwards. */
MUST_USE enum status block_summer_finish(struct block_summer *summer,
                                         uint64_t block_id,
                                         struct buf *ret_bytes);
void block_summer_close(struct block_summer *summer);

#endif
