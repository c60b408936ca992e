/*
 * fuzz_run.c - any bytes as a run file and as a segment: never a crash, and what passes is read
 * back without error.
 */
#include "mr/core/run.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void read_file(struct slice file)
{
    struct run_segment segment;
    uint64_t index_offset;
    uint32_t partitions;
    struct error error;
    struct slice trailer;

    if (file.length < RUN_TRAILER_BYTES)
        return;
    trailer = slice_sub(file, file.length - RUN_TRAILER_BYTES, RUN_TRAILER_BYTES);
    if (run_trailer_parse(trailer, file.length, &index_offset, &partitions, &error) != OK)
        return;
    for (uint32_t p = 0; p < partitions && p < 100; p++) {
        struct slice index =
            slice_sub(file, (size_t)index_offset, (size_t)partitions * RUN_INDEX_ENTRY_BYTES);
        if (run_index_find(index, trailer, p, &segment, &error) == OK &&
            run_store_verify((struct byte_store){.memory = file}, segment.offset, segment.bytes,
                             &error) != OK)
            return;
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct error error;
    enum status status = run_segment_verify(slice_make(data, size), &error);
    (void)status; /* either is fine */
    read_file(slice_make(data, size));
    return 0;
}
