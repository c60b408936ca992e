/*
 * fuzz_sidecar.c - any bytes as a block's sidecar: never a crash, and one that is accepted has as
 * many checksums as its block has chunks.
 */
#include "lib/base/check.h"
#include "lib/model/block.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error error;
    struct block_sidecar sidecar;
    uint32_t crc = 0;
    if (block_sidecar_decode(slice_make(data, size), &sidecar, &error) != OK)
        return 0;
    CHECK(size == block_sidecar_bytes(sidecar.length));
    CHECK(sidecar.table.length / 4 == block_chunk_count(sidecar.length));
    CHECK(block_sidecar_range_crc(&sidecar, 0, sidecar.length, &crc));
    CHECK(crc == sidecar.crc32c);
    return 0;
}
