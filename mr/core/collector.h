/*
 * collector.h - the map side behind mr_emit: pairs go into a table (aggregators) or a buffer (all
 * else), which spills as a sorted run when its memory is used up; at the end all become one run.
 *
 * Invariants: COLLECT-1 when the buffer spills depends only on the emitted pairs and the job's
 * memory; COLLECT-2 the finished run is ordered by (partition, key, emission number), and with an
 * aggregator or a combine function by (partition, key).
 */
#ifndef MILLRACE_MR_CORE_COLLECTOR_H
#define MILLRACE_MR_CORE_COLLECTOR_H

#include "mr/core/combine_table.h"
#include "mr/core/hot_keys.h"
#include "mr/core/run.h"
#include "mr/core/sort_buffer.h"
#include "mr/core/task_context.h"

struct collector_spill {
    void *file; /* of the scratch; NULL: merged into another */
    struct run_segment *segments;
};

enum {
    COLLECTOR_BATCH = 32,
    COLLECTOR_BATCH_KEY_BYTES = 44 /* longer keys do not wait */
};

/* An emission of a number that waits until memory has caught up with it. */
struct collector_waiting {
    uint64_t hash;
    uint64_t bits;
    uint32_t key_length;
    uint8_t key[COLLECTOR_BATCH_KEY_BYTES];
};

struct collector {
    struct task_context *context; /* borrowed */
    struct scratch scratch;
    struct key_order order;
    uint32_t partitions;
    bool is_aggregating;
    struct combine_table table;
    struct hot_keys hot; /* in front of table */
    struct sort_buffer buffer;
    struct collector_waiting waiting[COLLECTOR_BATCH]; /* in order */
    size_t waiting_count;
    uint64_t emitted_records; /* not yet in the counters */
    uint64_t emitted_bytes;
    struct collector_spill *spills; /* in the order in which they were made */
    size_t spill_count;
    size_t spill_capacity;
};

/* context's settings have at least one reduce. */
MUST_USE enum status collector_open(struct collector *collector,
                                    struct task_context *context,
                                    struct scratch scratch,
                                    struct error *reterr_error);
/* What to set as the context's emitter while user code runs. */
struct task_emitter collector_emitter(struct collector *collector);
/*
 * Writes everything as one run to sink. ret_segments: room for one per reduce.
 */
MUST_USE enum status collector_finish(struct collector *collector,
                                      struct byte_sink sink,
                                      struct run_segment *ret_segments,
                                      struct error *reterr_error);
void collector_close(struct collector *collector); /* discards the spills */

/*
 * Merges cursors (in order) into writer's current partition: folded, combined or as they are, as
 * the job says.
 */
MUST_USE enum status collector_merge(struct task_context *context,
                                     struct record_cursor *const *cursors,
                                     size_t count,
                                     struct key_order order,
                                     struct run_writer *writer,
                                     struct error *reterr_error);

#endif
