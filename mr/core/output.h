/*
 * output.h - writes pairs as the job's output format says.
 */
#ifndef MILLRACE_MR_CORE_OUTPUT_H
#define MILLRACE_MR_CORE_OUTPUT_H

#include "lib/base/buf.h"
#include "mr/core/host.h"
#include "mr/mr.h"

enum {
    OUTPUT_FLUSH_BYTES = 256 << 10,
    OUTPUT_NUMBER_BYTES = 40 /* room for any number as text */
};

struct output {
    struct byte_sink sink;
    enum mr_output format;
    struct buf pending;
    uint64_t records;
    uint64_t bytes; /* given to the sink or pending */
};

/* sink is borrowed until output_close. */
void output_open(struct output *output, enum mr_output format, struct byte_sink sink);
/* A slice whose data is NULL is absent. */
MUST_USE enum status output_add(struct output *output,
                                struct slice key,
                                struct slice value,
                                struct error *reterr_error);
/* Gives everything to the sink. */
MUST_USE enum status output_flush(struct output *output, struct error *reterr_error);
void output_close(struct output *output); /* frees; a zeroed one is fine */

/* The number that bits are (as in mr_emit_u64, ...) as decimal text; room: OUTPUT_NUMBER_BYTES. */
struct slice output_number(enum mr_value_type type, uint64_t bits, char *room);

#endif
