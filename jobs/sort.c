/*
 * sort.c - sorts records of 100 bytes by their first 10, as the sort benchmarks do.
 *
 *     mrsubmit sort.so -i RECORDS -o SORTED -r 4
 *
 * The parts in order are the whole in order: each reduce gets an equal share of all possible keys,
 * by their first four bytes. That is even when keys are (random binary ones are); where they are
 * not, one part gets most, and nothing else suffers. Records with equal keys keep their order.
 */
#include "mr/mr.h"

enum {
    RECORD_BYTES = 100,
    KEY_BYTES = 10
};

static void map(struct mr_context *context, struct mr_slice key, struct mr_slice value)
{
    mr_emit(context, key, value);
}

static uint32_t partition(struct mr_context *context, struct mr_slice key, uint32_t reduces)
{
    uint64_t first = 0;
    (void)context;
    for (unsigned i = 0; i < 4; i++)
        first = first << 8 | (unsigned char)key.data[i];
    return (uint32_t)(first * reduces >> 32);
}

static const struct mr_job job = {
    MR_JOB_HEADER,          .name = "sort",          .map = map,
    .partition = partition, .input = MR_INPUT_FIXED, .record_bytes = RECORD_BYTES,
    .key_bytes = KEY_BYTES, .output = MR_OUTPUT_RAW,
};

MR_JOB_EXPORT(job);
