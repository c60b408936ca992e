/*
 * run.h - run files: sorted records by partition, with checksums. Format: docs/formats/run.md.
 *
 * Invariants: RUN-1 a segment is whole chunks and one end; RUN-2 no record is handed out before its
 * chunk's checksum held; RUN-3 a segment that ends early or late is refused.
 */
#ifndef MILLRACE_MR_CORE_RUN_H
#define MILLRACE_MR_CORE_RUN_H

#include "lib/base/buf.h"
#include "mr/core/host.h"
#include "mr/core/record.h"

#define RUN_MAGIC "MRRUN\x00\x00\x01" /* the last byte is the version */

enum {
    RUN_MAGIC_BYTES = 8,
    RUN_CHUNK_HEAD_BYTES = 12,
    RUN_END_BYTES = 20,
    RUN_INDEX_ENTRY_BYTES = 24,
    RUN_TRAILER_BYTES = 24,
    RUN_CHUNK_BYTES = 64 << 10,    /* a chunk is closed when its payload reaches this */
    RUN_CHUNK_BYTES_MAX = 1 << 28, /* a larger one is refused as corrupt */
    RUN_PARTITIONS_MAX = 1 << 20
};

/* Where one partition's segment lies in the file. bytes 0: no records. */
struct run_segment {
    uint64_t offset;
    uint64_t bytes;
    uint64_t records;
};

/* --- index ------------------------------------------------------------------------------------ */

/* The first RUN_MAGIC_BYTES of a file: ERR_CORRUPT when they are another format's or version's. */
MUST_USE enum status run_head_parse(struct slice head, struct error *reterr_error);
/* The last RUN_TRAILER_BYTES of a file say where the index begins and how many partitions it has.
 */
MUST_USE enum status run_trailer_parse(struct slice trailer,
                                       uint64_t file_length,
                                       uint64_t *ret_index_offset,
                                       uint32_t *ret_partitions,
                                       struct error *reterr_error);
/*
 * Checks index (partitions * RUN_INDEX_ENTRY_BYTES at index_offset) against the trailer's checksum
 * and its own rules, and gives the place of one partition's segment.
 */
MUST_USE enum status run_index_find(struct slice index,
                                    struct slice trailer,
                                    uint32_t partition,
                                    struct run_segment *ret_segment,
                                    struct error *reterr_error);

/* --- writing ---------------------------------------------------------------------------------- */

struct run_writer {
    struct byte_sink sink;
    struct buf chunk; /* head (filled in at its end) and payload */
    struct buf index;
    uint64_t offset;  /* of the next byte that goes to the sink */
    uint64_t records; /* in the open segment */
    uint64_t records_total;
    uint64_t segment_offset;
    uint32_t partitions; /* closed so far */
};

/* Begins a file of partitions segments; the sink is borrowed until run_writer_close. */
MUST_USE enum status run_writer_open(struct run_writer *writer,
                                     struct byte_sink sink,
                                     struct error *reterr_error);
/* Adds to the open segment; keys must come in order (RECORD_BYTES_MAX at most). */
MUST_USE enum status run_writer_add(struct run_writer *writer,
                                    struct record record,
                                    struct error *reterr_error);
/* Ends the segment of the current partition; the next add belongs to the next one. */
MUST_USE enum status run_writer_end_partition(struct run_writer *writer,
                                              struct run_segment *ret_segment,
                                              struct error *reterr_error);
/* Writes index and trailer; the file is complete. */
MUST_USE enum status run_writer_finish(struct run_writer *writer, struct error *reterr_error);
void run_writer_close(struct run_writer *writer); /* frees; finished or not */

/* --- reading one segment ---------------------------------------------------------------------- */

struct run_reader {
    struct record_cursor cursor; /* run_reader's next */
    struct byte_store store;
    uint64_t position; /* of the next chunk in store */
    uint64_t end;
    uint64_t records;
    struct slice rest; /* of the checked chunk */
    uint8_t *room;     /* chunk buffer, unless the store is memory */
    size_t room_bytes;
    bool is_at_end;
};

/* The segment is the bytes [offset, offset + bytes) of store. */
void run_reader_open(struct run_reader *reader,
                     struct byte_store store,
                     uint64_t offset,
                     uint64_t bytes);
void run_reader_close(struct run_reader *reader); /* a zeroed reader is fine */

/* Reads a whole segment and checks everything, as a fetch does before it trusts its bytes. */
MUST_USE enum status run_store_verify(struct byte_store store,
                                      uint64_t offset,
                                      uint64_t bytes,
                                      struct error *reterr_error);
/* The same in memory. */
MUST_USE enum status run_segment_verify(struct slice segment, struct error *reterr_error);

#endif
