/*
 * frames.h - any bytes as frames of a journal with good checksums, so that a fuzzer gets behind
 * them: each frame is a byte of flags, two of length and a payload. What is left is taken as it is.
 */
#ifndef MILLRACE_TESTS_FUZZ_FRAMES_H
#define MILLRACE_TESTS_FUZZ_FRAMES_H

#include <string.h>

#include "lib/base/check.h"
#include "lib/base/crc32c.h"
#include "lib/base/varint.h"
#include "lib/journal/segment.h"

enum {
    FRAMES_IS_RAW = 1,    /* the rest is no frame */
    FRAMES_IS_RECORD = 2, /* the payload is one good record with these bytes */
    FRAMES_SKIPS = 4,     /* a sequence is missing */
    FRAMES_IS_LOOSE = 8   /* does not continue the chain */
};

static void frames_append_one(struct buf *file,
                              const struct segment_header *header,
                              struct segment_end *end,
                              uint8_t flags,
                              struct slice payload)
{
    uint8_t bytes[SEGMENT_FRAME_BYTES] = {'M', 'R', 'F', '1'};
    struct buf record = {0};
    if ((flags & FRAMES_IS_RECORD) != 0) {
        CHECK(varint_append_slice(&record, slice_from_string("t")) == OK);
        CHECK(varint_append_slice(&record, payload) == OK);
        payload = buf_slice(&record);
    }
    end->sequence += (flags & FRAMES_SKIPS) != 0 ? 2 : 1;
    fixed_put_u32(bytes + 4, (uint32_t)payload.length);
    fixed_put_u64(bytes + 8, end->sequence);
    fixed_put_u64(bytes + 16, end->sequence - 1);
    fixed_put_u32(bytes + 24, end->chain + ((flags & FRAMES_IS_LOOSE) != 0 ? 1 : 0));
    fixed_put_u32(bytes + 28, crc32c_update(0, payload.data, payload.length));
    end->chain = crc32c_update(crc32c_update(0, header->id, SEGMENT_ID_BYTES), bytes, 32);
    fixed_put_u32(bytes + 32, end->chain);
    CHECK(buf_append(file, bytes, sizeof(bytes)) == OK);
    CHECK(buf_append_slice(file, payload) == OK);
    end->offset += sizeof(bytes) + payload.length;
    buf_close(&record);
}

/* Appends frames behind a header that is already in file; moves end behind the good ones. */
static void frames_append(struct buf *file,
                          const struct segment_header *header,
                          struct segment_end *end,
                          struct slice input)
{
    while (input.length >= 3 && (input.data[0] & FRAMES_IS_RAW) == 0) {
        uint8_t flags = input.data[0];
        size_t length = (size_t)input.data[1] + ((size_t)(input.data[2] & 7) << 8);
        length = length < input.length - 3 ? length : input.length - 3;
        frames_append_one(file, header, end, flags, slice_sub(input, 3, length));
        input = slice_sub(input, 3 + length, input.length - 3 - length);
    }
    if (input.length > 1)
        CHECK(buf_append_slice(file, slice_sub(input, 1, input.length - 1)) == OK);
}

#endif
