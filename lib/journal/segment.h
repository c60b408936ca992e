/*
 * segment.h - private to lib/journal: segments as bytes (docs/formats/journal.md), made and
 * checked.
 */
#ifndef MILLRACE_LIB_JOURNAL_SEGMENT_H
#define MILLRACE_LIB_JOURNAL_SEGMENT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/base/buf.h"
#include "lib/base/error.h"
#include "lib/journal/journal.h"

struct file;

enum {
    SEGMENT_ID_BYTES = 16,
    SEGMENT_HEADER_BYTES = 64,
    SEGMENT_FRAME_BYTES = 36, /* a frame's header */
    SEGMENT_VERSION = 1
};

struct segment_header {
    uint8_t id[SEGMENT_ID_BYTES];
    uint64_t generation;
    uint64_t first_sequence;
    uint64_t snapshot_bytes;
};

/* Where the next frame goes, and what it must continue. */
struct segment_end {
    uint64_t offset;
    uint64_t sequence; /* of the last frame */
    uint32_t chain;    /* its header checksum, or the segment header's */
};

/* Writes the header and returns its checksum, the first link of the chain. */
uint32_t segment_header_encode(const struct segment_header *header,
                               uint8_t bytes[SEGMENT_HEADER_BYTES]);
/*
 * Appends one frame to buf and moves end behind it. Fails as buf_append does, ERR_LIMIT for a batch
 * too long, ERR_INVALID for a type name too long or empty; then buf and end are as before.
 */
MUST_USE enum status segment_frame_append(struct buf *buf,
                                          const uint8_t id[SEGMENT_ID_BYTES],
                                          uint64_t synced_sequence,
                                          const struct journal_record *records,
                                          size_t count,
                                          struct segment_end *end);
/* Bytes of the records as payload. */
uint64_t segment_payload_bytes(const struct journal_record *records, size_t count);

/* What reading a segment found. */
struct segment_content {
    struct segment_header header;
    struct segment_end end; /* of the last good frame */
    uint64_t file_bytes;    /* beyond end.offset: a torn tail, to be cut */
    uint64_t batches;
    uint64_t records;
};

/*
 * Reads the whole segment and replays it. Changes nothing. ERR_CORRUPT by the rules of
 * docs/formats/journal.md; ERR_UNSUPPORTED for another version; failures of replay as they are.
 */
MUST_USE enum status segment_read(struct file *file,
                                  uint64_t generation,
                                  journal_replay *replay,
                                  void *user,
                                  struct segment_content *ret_content,
                                  struct error *reterr_error);

#endif
