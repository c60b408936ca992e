/*
 * input.h - cuts a split of a file into records.
 *
 * Invariants: INPUT-1 a split owns exactly the records that begin in [offset, offset + length), so
 * the splits of a file, however cut, own each record once; INPUT-2 a run holds whole records only.
 * A line begins at offset 0 and behind every LF. CR LF ends a line as LF does; a CR alone does not
 * (Hadoop's reader lets it, which tears CSV fields apart).
 */
#ifndef MILLRACE_MR_CORE_INPUT_H
#define MILLRACE_MR_CORE_INPUT_H

#include "lib/base/buf.h"
#include "mr/core/host.h"
#include "mr/mr.h"

enum {
    INPUT_WINDOW_BYTES = 1 << 20,
    INPUT_RECORD_BYTES_MAX = 64 << 20 /* a longer line is refused */
};

struct input_split {
    uint64_t offset;
    uint64_t length;
};

struct input_reader {
    struct byte_source source; /* borrowed */
    uint64_t position;         /* where the next record begins */
    uint64_t end;              /* of the split */
    uint32_t record_bytes;     /* 0: lines */
    uint32_t window_bytes;
    uint32_t record_bytes_max;
    bool is_aligned;
    struct buf carry; /* a record that lies across windows */
};

/* record_bytes: 0 for lines. Nothing is read yet. */
void input_reader_open(struct input_reader *reader,
                       struct byte_source source,
                       struct input_split split,
                       uint32_t record_bytes);
/*
 * Lends the next run of whole records, lent until the next call; *ret_has false at the split's end.
 * ERR_LIMIT for a record longer than the limit, ERR_CORRUPT for a file that ends inside a fixed
 * record.
 */
MUST_USE enum status input_reader_next(struct input_reader *reader,
                                       struct slice *ret_run,
                                       uint64_t *ret_offset,
                                       bool *ret_has,
                                       struct error *reterr_error);
void input_reader_close(struct input_reader *reader);

/* Takes the first line off *rest (not empty); its line end is not part of it. */
struct slice input_take_line(struct slice *rest);

#endif
