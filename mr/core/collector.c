/*
 * collector.c - collects emitted pairs, spills, and merges the spills.
 */
#include "mr/core/collector.h"

#include "lib/base/mem.h"
#include "mr/core/fold.h"
#include "mr/core/group.h"
#include "mr/core/merge.h"

enum {
    COUNTS_FLUSH_RECORDS = 4096
};

static void add(struct task_context *context, enum task_counter counter, uint64_t n)
{
    counters_add_task(context->counters, counter, n);
}

/* --- writing a sorted walk into a run --------------------------------------------------------- */

static enum status write_plain(struct record_cursor *cursor,
                               struct run_writer *writer,
                               struct error *reterr_error)
{
    struct record record;
    bool has = true;
    while (has) {
        enum status status = cursor->next(cursor, &record, &has, reterr_error);
        if (status == OK && has)
            status = run_writer_add(writer, record, reterr_error);
        if (status != OK)
            return status;
    }
    return OK;
}

/* What a combine function emits: it must stay under its group's key, or the run's order breaks. */
struct combine_target {
    struct run_writer *writer;
    const struct key_order *order;
    struct slice key;
    uint64_t records;
};

static enum status combine_emit(void *user,
                                struct slice key,
                                struct slice value,
                                struct error *error)
{
    struct combine_target *target = user;
    if (key_order_compare(target->order, key, target->key) != 0)
        return error_set(error, ERR_INVALID, "combine must emit under the key that it was given");
    if (key.length + value.length > RECORD_BYTES_MAX || key.length > RECORD_BYTES_MAX)
        return error_set(error, ERR_LIMIT, "a pair is longer than %d bytes", RECORD_BYTES_MAX);
    target->records++;
    return run_writer_add(target->writer, (struct record){key, value}, error);
}

static enum status write_combined(struct task_context *context,
                                  struct record_cursor *cursor,
                                  const struct key_order *order,
                                  struct run_writer *writer,
                                  struct error *reterr_error)
{
    struct combine_target target = {.writer = writer, .order = order};
    struct task_emitter emitter = context->emitter;
    struct group group;
    bool has = true;
    enum status status = OK;

    group_open(&group, cursor, *order, reterr_error);
    context->emitter = (struct task_emitter){.user = &target, .emit = combine_emit};
    while (has && status == OK) {
        status = group_next(&group, &target.key, &has);
        if (status != OK || !has)
            break;
        context->settings->job->combine(&context->base, record_lend(target.key), &group.values);
        status = task_context_result(context, reterr_error);
    }
    context->emitter = emitter;
    add(context, TASK_COMBINE_INPUT_RECORDS, group.records);
    add(context, TASK_COMBINE_OUTPUT_RECORDS, target.records);
    group_close(&group);
    return status;
}

/* cursor yields one partition's records in order; equal keys may be neighbours. */
static enum status write_reduced(struct task_context *context,
                                 struct record_cursor *cursor,
                                 const struct key_order *order,
                                 struct run_writer *writer,
                                 struct error *reterr_error)
{
    const struct mr_job *job = context->settings->job;
    struct fold_cursor fold;
    enum status status;

    if (job->combine != NULL)
        return write_combined(context, cursor, order, writer, reterr_error);
    if (job->aggregator == MR_AGGREGATE_NONE)
        return write_plain(cursor, writer, reterr_error);
    fold_cursor_open(&fold, cursor, *order, job);
    status = write_plain(&fold.cursor, writer, reterr_error);
    fold_cursor_close(&fold);
    return status;
}

enum status collector_merge(struct task_context *context,
                            struct record_cursor *const *cursors,
                            size_t count,
                            struct key_order order,
                            struct run_writer *writer,
                            struct error *reterr_error)
{
    struct merge merge;
    enum status status = merge_open(&merge, cursors, count, order);
    if (status != OK)
        return error_set(reterr_error, status, "merge %zu runs", count);
    status = write_reduced(context, &merge.cursor, &order, writer, reterr_error);
    merge_close(&merge);
    return status;
}

/* --- the buffer as a run ---------------------------------------------------------------------- */

static size_t buffered_count(const struct collector *collector)
{
    return collector->is_aggregating ? collector->table.count : collector->buffer.count;
}

static enum status sort_buffered(struct collector *collector, struct error *reterr_error)
{
    enum status status = collector->is_aggregating
                             ? combine_table_sort(&collector->table, &collector->order)
                             : sort_buffer_sort(&collector->buffer, &collector->order);
    if (status != OK)
        return error_set(reterr_error, status, "sort %zu records: %s", buffered_count(collector),
                         status_sentence(status));
    return task_context_result(collector->context, reterr_error);
}

static enum status write_buffered(struct collector *collector,
                                  struct byte_sink sink,
                                  struct run_segment *ret_segments,
                                  struct error *reterr_error)
{
    struct run_writer writer;
    enum status status = sort_buffered(collector, reterr_error);

    if (status != OK)
        return status;
    status = run_writer_open(&writer, sink, reterr_error);
    for (uint32_t p = 0; p < collector->partitions && status == OK; p++) {
        if (collector->is_aggregating) {
            struct combine_cursor walk;
            combine_table_walk(&collector->table, p, &walk);
            status = write_plain(&walk.cursor, &writer, reterr_error);
        } else {
            struct sort_cursor walk;
            sort_buffer_walk(&collector->buffer, p, &walk);
            status = write_reduced(collector->context, &walk.cursor, &collector->order, &writer,
                                   reterr_error);
        }
        if (status == OK)
            status = run_writer_end_partition(&writer, &ret_segments[p], reterr_error);
    }
    if (status == OK)
        status = run_writer_finish(&writer, reterr_error);
    add(collector->context, TASK_SPILLED_RECORDS, writer.records_total);
    run_writer_close(&writer);
    return status;
}

/* --- spills ----------------------------------------------------------------------------------- */

static void discard_spill(struct collector *collector, struct collector_spill *spill)
{
    if (spill->file != NULL)
        collector->scratch.discard(spill->file);
    mem_free(spill->segments);
    *spill = (struct collector_spill){0};
}

static enum status open_spill(struct collector *collector,
                              struct collector_spill *ret_spill,
                              struct error *reterr_error)
{
    struct collector_spill spill = {0};
    enum status status;

    spill.segments = mem_try_array(collector->partitions, sizeof(*spill.segments));
    if (spill.segments == NULL)
        return error_set(reterr_error, ERR_NO_MEMORY, "a spill's index");
    status = collector->scratch.create(collector->scratch.user, &spill.file, reterr_error);
    if (status != OK)
        mem_free(spill.segments);
    else
        *ret_spill = spill;
    return status;
}

static struct byte_sink spill_sink(struct collector *collector, struct collector_spill *spill)
{
    return (struct byte_sink){.user = spill->file, .append = collector->scratch.append};
}

static enum status spill(struct collector *collector, struct error *reterr_error)
{
    struct collector_spill made = {0};
    enum status status = open_spill(collector, &made, reterr_error);
    if (status != OK)
        return status;
    status = write_buffered(collector, spill_sink(collector, &made), made.segments, reterr_error);
    if (status == OK)
        status = collector->scratch.seal(made.file, reterr_error);
    if (status != OK) {
        discard_spill(collector, &made);
        return error_prefix(reterr_error, status, "spill");
    }
    collector->spills = mem_reserve(collector->spills, collector->spill_count,
                                    &collector->spill_capacity, sizeof(*collector->spills));
    collector->spills[collector->spill_count++] = made;
    add(collector->context, TASK_SPILLS, 1);
    if (collector->is_aggregating)
        combine_table_clear(&collector->table);
    else
        sort_buffer_clear(&collector->buffer);
    task_context_watch(collector->context);
    return task_context_result(collector->context, reterr_error);
}

/* Merges spills [first, first + count) into one run behind sink. */
static enum status merge_spills(struct collector *collector,
                                size_t first,
                                size_t count,
                                struct byte_sink sink,
                                struct run_segment *ret_segments,
                                struct error *reterr_error)
{
    struct run_reader *readers = mem_try_array(count, sizeof(*readers));
    struct record_cursor **cursors = mem_try_array(count, sizeof(struct record_cursor *));
    struct run_writer writer = {0};
    enum status status = OK;

    if (readers == NULL || cursors == NULL)
        status = error_set(reterr_error, ERR_NO_MEMORY, "merge %zu spills", count);
    if (status == OK)
        status = run_writer_open(&writer, sink, reterr_error);
    for (uint32_t p = 0; p < collector->partitions && status == OK; p++) {
        for (size_t i = 0; i < count; i++) {
            const struct collector_spill *from = &collector->spills[first + i];
            struct byte_store store = {.user = from->file, .read = collector->scratch.read};
            run_reader_open(&readers[i], store, from->segments[p].offset, from->segments[p].bytes);
            cursors[i] = &readers[i].cursor;
        }
        status = collector_merge(collector->context, cursors, count, collector->order, &writer,
                                 reterr_error);
        if (status == OK)
            status = run_writer_end_partition(&writer, &ret_segments[p], reterr_error);
        for (size_t i = 0; i < count; i++)
            run_reader_close(&readers[i]);
        task_context_watch(collector->context);
        if (status == OK)
            status = task_context_result(collector->context, reterr_error);
    }
    if (status == OK)
        status = run_writer_finish(&writer, reterr_error);
    add(collector->context, TASK_SPILLED_RECORDS, writer.records_total);
    add(collector->context, TASK_MERGED_RUNS, count);
    run_writer_close(&writer);
    mem_free(readers);
    mem_free(cursors);
    return status;
}

/* Makes one spill of each RECORD_MERGE_MAX neighbours. */
static enum status merge_round(struct collector *collector, struct error *reterr_error)
{
    size_t kept = 0;
    for (size_t first = 0; first < collector->spill_count; first += RECORD_MERGE_MAX) {
        size_t left = collector->spill_count - first;
        size_t count = left < RECORD_MERGE_MAX ? left : RECORD_MERGE_MAX;
        struct collector_spill merged = {0};
        enum status status = open_spill(collector, &merged, reterr_error);
        if (status != OK)
            return status;
        status = merge_spills(collector, first, count, spill_sink(collector, &merged),
                              merged.segments, reterr_error);
        if (status == OK)
            status = collector->scratch.seal(merged.file, reterr_error);
        if (status != OK) {
            discard_spill(collector, &merged);
            return status;
        }
        for (size_t i = first; i < first + count; i++)
            discard_spill(collector, &collector->spills[i]);
        collector->spills[kept++] = merged;
    }
    collector->spill_count = kept;
    return OK;
}

/* --- emitting --------------------------------------------------------------------------------- */

static enum status pick_partition(struct collector *collector,
                                  struct slice key,
                                  uint64_t hash,
                                  uint32_t *ret_partition)
{
    const struct mr_job *job = collector->context->settings->job;
    *ret_partition =
        job->partition == NULL
            ? (uint32_t)(hash % collector->partitions)
            : job->partition(&collector->context->base, record_lend(key), collector->partitions);
    return *ret_partition < collector->partitions ? OK : ERR_INVALID;
}

static enum status bad_partition(uint32_t partition, uint32_t partitions, struct error *error)
{
    return error_set(error, ERR_INVALID, "partition answered %u, but there are %u reduces",
                     partition, partitions);
}

static enum status check_length(struct slice key, struct slice value, struct error *error)
{
    if (key.length > RECORD_BYTES_MAX || value.length > RECORD_BYTES_MAX - key.length)
        return error_set(error, ERR_LIMIT, "a pair of %zu bytes; the most is %d",
                         key.length + value.length, RECORD_BYTES_MAX);
    return OK;
}

static void flush_counts(struct collector *collector)
{
    add(collector->context, TASK_MAP_OUTPUT_RECORDS, collector->emitted_records);
    add(collector->context, TASK_MAP_OUTPUT_BYTES, collector->emitted_bytes);
    collector->emitted_records = 0;
    collector->emitted_bytes = 0;
}

/* Counted here first, since this is done for each record. */
static void count_emitted(struct collector *collector, size_t bytes)
{
    collector->emitted_bytes += bytes;
    if (++collector->emitted_records == COUNTS_FLUSH_RECORDS)
        flush_counts(collector);
}

static enum status fold_number(struct collector *collector,
                               struct slice key,
                               uint64_t hash,
                               uint64_t bits,
                               struct error *error)
{
    struct combine_table *table = &collector->table;
    uint32_t partition = 0;
    enum status status = OK;

    if (combine_table_fold(table, key, hash, bits) == COMBINE_FOLDED)
        return OK;
    if (pick_partition(collector, key, hash, &partition) != OK)
        return bad_partition(partition, collector->partitions, error);
    if (!combine_table_fits(table, key.length))
        status = spill(collector, error);
    if (status != OK)
        return status;
    status = combine_table_insert(table, key, hash, partition, bits);
    if (status != OK)
        return error_set(error, status, "table of %zu keys", table->count);
    return OK;
}

/* Folds what waits, in order of emission. */
static enum status fold_waiting(struct collector *collector, struct error *error)
{
    enum status status = OK;
    size_t count = collector->waiting_count;

    collector->waiting_count = 0;
    for (size_t i = 0; i < count; i++)
        combine_table_prefetch_entry(&collector->table, collector->waiting[i].hash);
    for (size_t i = 0; i < count && status == OK; i++) {
        const struct collector_waiting *waiting = &collector->waiting[i];
        status = fold_number(collector, (struct slice){waiting->key, waiting->key_length},
                             waiting->hash, waiting->bits, error);
    }
    return status;
}

/* Lets the emission wait for its slot; longer keys do not. */
static enum status enqueue_number(struct collector *collector,
                                  struct slice key,
                                  uint64_t bits,
                                  struct error *error)
{
    uint64_t hash = slice_hash(key, 0);
    struct collector_waiting *waiting;

    if (key.length > COLLECTOR_BATCH_KEY_BYTES) {
        enum status status = fold_waiting(collector, error);
        return status == OK ? fold_number(collector, key, hash, bits, error) : status;
    }
    combine_table_prefetch_slot(&collector->table, hash);
    waiting = &collector->waiting[collector->waiting_count++];
    waiting->hash = hash;
    waiting->bits = bits;
    waiting->key_length = (uint32_t)key.length;
    if (key.length > 0)
        memcpy(waiting->key, key.data, key.length);
    return collector->waiting_count == COLLECTOR_BATCH ? fold_waiting(collector, error) : OK;
}

static enum status collect_number(void *user, struct slice key, uint64_t bits, struct error *error)
{
    struct collector *collector = user;
    enum status status;

    if (collector->table.aggregator == MR_AGGREGATE_COUNT)
        bits = 1;
    count_emitted(collector, key.length + 8);
    if (collector->hot.places != NULL && key.length <= HOT_KEY_BYTES_MAX) {
        struct hot_key out;
        uint8_t room[HOT_KEY_BYTES_MAX];
        if (!hot_keys_fold(&collector->hot, key, bits, &out))
            return OK;
        return enqueue_number(collector, hot_key_bytes(&out, room), out.bits, error);
    }
    status = check_length(key, (struct slice){0}, error);
    if (status != OK)
        return status;
    /* A partition function of the job's is to fail where the record is, not some records later. */
    if (collector->context->settings->job->partition != NULL)
        return fold_number(collector, key, slice_hash(key, 0), bits, error);
    return enqueue_number(collector, key, bits, error);
}

/* In the order of the places, which depends on nothing but what was emitted. */
static enum status put_out_hot_keys(struct collector *collector, struct error *error)
{
    size_t count = hot_keys_count(&collector->hot);
    enum status status = OK;

    for (size_t i = 0; i < count && status == OK; i++) {
        struct hot_key *place = &collector->hot.places[i];
        uint8_t room[HOT_KEY_BYTES_MAX];
        if (place->is_used)
            status = enqueue_number(collector, hot_key_bytes(place, room), place->bits, error);
        place->is_used = 0;
    }
    return status == OK ? fold_waiting(collector, error) : status;
}

static enum status collect(void *user, struct slice key, struct slice value, struct error *error)
{
    struct collector *collector = user;
    const struct mr_job *job = collector->context->settings->job;
    uint64_t hash = job->partition == NULL && collector->partitions > 1 ? slice_hash(key, 0) : 0;
    uint32_t partition = 0;
    enum status status = check_length(key, value, error);

    if (status != OK)
        return status;
    count_emitted(collector, key.length + value.length);
    if (pick_partition(collector, key, hash, &partition) != OK)
        return bad_partition(partition, collector->partitions, error);
    if (!sort_buffer_fits(&collector->buffer, key.length, value.length))
        status = spill(collector, error);
    if (status != OK)
        return status;
    status = sort_buffer_add(&collector->buffer, partition, (struct record){key, value});
    if (status != OK)
        return error_set(error, status, "buffer of %zu records", collector->buffer.count);
    return OK;
}

/* --- public ----------------------------------------------------------------------------------- */

enum status collector_open(struct collector *collector,
                           struct task_context *context,
                           struct scratch scratch,
                           struct error *reterr_error)
{
    const struct task_settings *settings = context->settings;
    enum status status;

    *collector = (struct collector){
        .context = context,
        .scratch = scratch,
        .order = {settings->job->compare, &context->base},
        .partitions = settings->reduces,
        .is_aggregating = settings->job->aggregator != MR_AGGREGATE_NONE,
    };
    status = collector->is_aggregating
                 ? combine_table_open(&collector->table, settings->reduces,
                                      (size_t)settings->memory_bytes, settings->job)
                 : sort_buffer_open(&collector->buffer, settings->reduces,
                                    (size_t)settings->memory_bytes);
    /* Sums of doubles keep record order, and a partition function sees each record in its place. */
    if (status == OK && collector->is_aggregating && settings->job->value_type != MR_VALUE_F64 &&
        settings->job->partition == NULL)
        status = hot_keys_open(&collector->hot, settings->memory_bytes, settings->job);
    if (status != OK) {
        collector_close(collector);
        return error_set(reterr_error, status, "map buffers: %s", status_sentence(status));
    }
    return OK;
}

struct task_emitter collector_emitter(struct collector *collector)
{
    return (struct task_emitter){
        .user = collector,
        .emit = collect,
        .emit_number = collector->is_aggregating ? collect_number : NULL,
    };
}

enum status collector_finish(struct collector *collector,
                             struct byte_sink sink,
                             struct run_segment *ret_segments,
                             struct error *reterr_error)
{
    enum status status = put_out_hot_keys(collector, reterr_error);

    flush_counts(collector);
    if (status != OK)
        return status;
    if (collector->spill_count == 0)
        return write_buffered(collector, sink, ret_segments, reterr_error);
    if (buffered_count(collector) > 0)
        status = spill(collector, reterr_error);
    while (status == OK && collector->spill_count > RECORD_MERGE_MAX)
        status = merge_round(collector, reterr_error);
    if (status != OK)
        return status;
    return merge_spills(collector, 0, collector->spill_count, sink, ret_segments, reterr_error);
}

void collector_close(struct collector *collector)
{
    for (size_t i = 0; i < collector->spill_count; i++)
        discard_spill(collector, &collector->spills[i]);
    mem_free(collector->spills);
    hot_keys_close(&collector->hot);
    combine_table_close(&collector->table);
    sort_buffer_close(&collector->buffer);
    *collector = (struct collector){0};
}
