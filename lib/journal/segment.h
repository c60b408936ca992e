/*
 * segment.h - private to lib/journal: segments and checkpoints as bytes (docs/formats/journal.md),
 * made and checked.
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
    SEGMENT_VERSION = 2,
    SEGMENT_VERSION_OLD = 1 /* read, not written: each segment began with a snapshot */
};

enum segment_kind {
    SEGMENT_LOG,
    SEGMENT_CHECKPOINT,
    SEGMENT_KIND_COUNT
};

struct segment_header {
    uint32_t version;
    enum segment_kind kind;
    uint8_t id[SEGMENT_ID_BYTES];
    uint64_t generation;
    uint64_t first_sequence; /* a checkpoint: of the first batch that it does not hold */
    uint64_t content_bytes;  /* a checkpoint: all frames; version 1: the snapshot in front */
    uint32_t previous;       /* chain at the batch before first_sequence; version 1: 0 */
};

/* Where the next frame goes, and what it must continue. */
struct segment_end {
    uint64_t offset;
    uint64_t sequence; /* of the last frame */
    uint32_t chain;    /* its header checksum, or what the first frame continues */
};

/* Writes the header as version SEGMENT_VERSION and returns its checksum. */
uint32_t segment_header_encode(const struct segment_header *header,
                               uint8_t bytes[SEGMENT_HEADER_BYTES]);
/*
 * Where the frames of a segment with this header begin. checksum: of the header, which the first
 * frame of a log continues; the frames of a checkpoint are written before its header is known and
 * continue what identifies it.
 */
struct segment_end segment_start(const struct segment_header *header, uint32_t checksum);
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

/* Where a record was found. */
struct segment_place {
    uint64_t offset;   /* of its frame */
    uint64_t sequence; /* of its frame */
    uint64_t index;    /* among the frame's records */
};

typedef enum status segment_visit(void *user,
                                  const struct segment_place *place,
                                  const struct journal_record *record,
                                  struct error *reterr_error);

/* What is expected of a segment, and who receives its records. */
struct segment_reading {
    enum segment_kind kind; /* SEGMENT_KIND_COUNT: any */
    uint64_t generation;    /* of its name; 0: any */
    bool is_last;           /* a log: its end may be torn; of all others everything was synced */
    bool is_header_only;
    segment_visit *visit; /* NULL: only check */
    void *user;
    uint64_t probe_sequence; /* tells the chain after this batch */
};

/* What reading a segment found. */
struct segment_content {
    struct segment_header header;
    struct segment_end end; /* of the last good frame */
    uint64_t file_bytes;    /* beyond end.offset: a torn tail, or reserved room */
    bool is_room;           /* ... nothing but zeros: reserved, and no write was torn */
    uint64_t batches;
    uint64_t records;
    uint32_t probe_chain;
    bool was_probed; /* the batch asked for is here; just before the first: of the header */
};

/*
 * Reads the whole segment. Changes nothing. ERR_CORRUPT by the rules of docs/formats/journal.md;
 * ERR_UNSUPPORTED for another version; failures of visit as they are. *ret_content is set on
 * failure, too: what was good before.
 */
MUST_USE enum status segment_read(struct file *file,
                                  const struct segment_reading *reading,
                                  struct segment_content *ret_content,
                                  struct error *reterr_error);

#endif
