/*
 * reduce_task.c - the reduce side. Segments on disk beyond RECORD_MERGE_MAX are first merged,
 * always neighbours in map order, so that the order (key, map, emission) survives.
 */
#include "mr/core/reduce_task.h"

#include "lib/base/mem.h"
#include "lib/base/varint.h"
#include "mr/core/fold.h"
#include "mr/core/group.h"
#include "mr/core/merge.h"

struct reduce_run {
    const struct reduce_task *task;
    const struct mr_job *job;
    struct task_context context;
    struct output output;
    struct key_order order;
    struct reduce_segment *segments; /* what is still to be merged, in map order */
    size_t segment_count;
    void **files; /* scratch files made here */
    size_t file_count;
    size_t file_capacity;
    uint64_t bytes_total; /* of the segments of the last merge */
};

/* A record that comes back from a merge of other nodes' bytes is bounded like any other. */
static enum status copy_merged(struct record_cursor *cursor,
                               struct run_writer *writer,
                               struct error *reterr_error)
{
    struct record record;
    bool has = true;
    while (has) {
        enum status status = cursor->next(cursor, &record, &has, reterr_error);
        if (status != OK)
            return status;
        if (!has)
            break;
        if (record.key.length + record.value.length > RECORD_BYTES_MAX)
            return error_set(reterr_error, ERR_CORRUPT, "a record beyond every limit");
        status = run_writer_add(writer, record, reterr_error);
        if (status != OK)
            return status;
    }
    return OK;
}

struct opened_merge {
    struct run_reader *readers;
    struct record_cursor **cursors;
    size_t count;
    struct merge merge;
};

static void close_merge(struct opened_merge *opened)
{
    merge_close(&opened->merge);
    for (size_t i = 0; opened->readers != NULL && i < opened->count; i++)
        run_reader_close(&opened->readers[i]);
    mem_free(opened->readers);
    mem_free(opened->cursors);
}

static enum status open_merge(const struct reduce_segment *segments,
                              size_t count,
                              struct key_order order,
                              struct opened_merge *ret_opened,
                              struct error *reterr_error)
{
    struct opened_merge opened = {.count = count};
    enum status status = ERR_NO_MEMORY;

    opened.readers = mem_try_array(count + 1, sizeof(*opened.readers));
    opened.cursors = mem_try_array(count + 1, sizeof(struct record_cursor *));
    if (opened.readers != NULL && opened.cursors != NULL) {
        for (size_t i = 0; i < count; i++) {
            run_reader_open(&opened.readers[i], segments[i].store, segments[i].offset,
                            segments[i].bytes);
            opened.cursors[i] = &opened.readers[i].cursor;
        }
        status = merge_open(&opened.merge, opened.cursors, count, order);
    }
    if (status != OK) {
        close_merge(&opened);
        return error_set(reterr_error, status, "merge %zu segments", count);
    }
    *ret_opened = opened;
    return OK;
}

/* Merges segments [first, first + count) into a scratch file, which becomes segment `to`. */
static enum status merge_some(
    struct reduce_run *run, size_t first, size_t count, size_t to, struct error *reterr_error)
{
    const struct scratch *scratch = &run->task->scratch;
    struct opened_merge opened = {0};
    struct run_writer writer = {0};
    struct run_segment segment = {0};
    void *file = NULL;
    enum status status = scratch->create(scratch->user, &file, reterr_error);

    if (status != OK)
        return status;
    run->files = mem_reserve(run->files, run->file_count, &run->file_capacity, sizeof(void *));
    run->files[run->file_count++] = file;
    status = open_merge(run->segments + first, count, run->order, &opened, reterr_error);
    if (status != OK)
        return status;
    status = run_writer_open(&writer, (struct byte_sink){.user = file, .append = scratch->append},
                             reterr_error);
    if (status == OK)
        status = copy_merged(&opened.merge.cursor, &writer, reterr_error);
    if (status == OK)
        status = run_writer_end_partition(&writer, &segment, reterr_error);
    if (status == OK)
        status = run_writer_finish(&writer, reterr_error);
    if (status == OK)
        status = scratch->seal(file, reterr_error);
    counters_add_task(run->context.counters, TASK_SPILLED_RECORDS, writer.records_total);
    counters_add_task(run->context.counters, TASK_MERGED_RUNS, count);
    run_writer_close(&writer);
    close_merge(&opened);
    run->segments[to] = (struct reduce_segment){
        .store = {.user = file, .read = scratch->read},
        .offset = segment.offset,
        .bytes = segment.bytes,
    };
    return status;
}

static size_t disk_count(const struct reduce_run *run)
{
    size_t count = 0;
    for (size_t i = 0; i < run->segment_count; i++)
        count += run->segments[i].store.memory.data == NULL;
    return count;
}

/* Segments in memory cost a merge nothing but a leaf; those on disk a chunk each. */
static enum status merge_down(struct reduce_run *run, struct error *reterr_error)
{
    while (disk_count(run) > RECORD_MERGE_MAX) {
        size_t kept = 0;
        for (size_t first = 0; first < run->segment_count; first += RECORD_MERGE_MAX) {
            size_t left = run->segment_count - first;
            size_t count = left < RECORD_MERGE_MAX ? left : RECORD_MERGE_MAX;
            enum status status = merge_some(run, first, count, kept++, reterr_error);
            if (status != OK)
                return error_prefix(reterr_error, status, "merge map outputs");
            task_context_watch(&run->context);
            status = task_context_result(&run->context, reterr_error);
            if (status != OK)
                return status;
        }
        run->segment_count = kept;
    }
    return OK;
}

static void write_values(struct reduce_run *run, struct slice key, struct mr_values *values)
{
    bool is_number = run->job->value_type != MR_VALUE_BYTES;
    struct mr_slice value;

    (void)key; /* with group, the values of one call may have different keys */
    while (run->context.status == OK && values->next(values, &value)) {
        struct error error;
        enum status status;
        error_clear(&error);
        if (is_number) {
            char room[OUTPUT_NUMBER_BYTES];
            uint64_t bits = value.length == 8 ? fixed_get_u64((const uint8_t *)value.data) : 0;
            status = output_add(&run->output, slice_make(values->key.data, values->key.length),
                                output_number(run->job->value_type, bits, room), &error);
        } else {
            status = output_add(&run->output, slice_make(values->key.data, values->key.length),
                                slice_make(value.data, value.length), &error);
        }
        if (status != OK)
            task_context_fail(&run->context, status, &error);
    }
}

static void note_progress(struct reduce_run *run, const struct opened_merge *opened)
{
    uint64_t left = 0;
    if (run->context.calls_until_watch > 1 || run->bytes_total == 0)
        return;
    for (size_t i = 0; i < opened->count; i++)
        left += opened->readers[i].end - opened->readers[i].position;
    run->context.progress = (float)(run->bytes_total - left) / (float)run->bytes_total;
}

static enum status reduce_groups(struct reduce_run *run,
                                 struct record_cursor *cursor,
                                 const struct opened_merge *opened,
                                 uint64_t *ret_records,
                                 struct error *reterr_error)
{
    const struct mr_job *job = run->job;
    struct key_order grouping = {job->group != NULL ? job->group : job->compare,
                                 &run->context.base};
    struct group group;
    bool has = true;
    enum status status = OK;

    group_open(&group, cursor, grouping, reterr_error);
    while (status == OK && has) {
        struct slice key;
        status = group_next(&group, &key, &has);
        if (status != OK || !has)
            break;
        counters_add_task(run->context.counters, TASK_REDUCE_INPUT_GROUPS, 1);
        if (job->reduce != NULL)
            job->reduce(&run->context.base, record_lend(key), &group.values);
        else
            write_values(run, key, &group.values);
        note_progress(run, opened);
        task_context_watch_sometimes(&run->context);
        status =
            group.status != OK ? group.status : task_context_result(&run->context, reterr_error);
    }
    *ret_records = group.records;
    group_close(&group);
    return status;
}

static enum status reduce_all(struct reduce_run *run, struct error *reterr_error)
{
    struct opened_merge opened;
    struct fold_cursor fold;
    uint64_t records = 0;
    enum status status = merge_down(run, reterr_error);

    if (status == OK)
        status = open_merge(run->segments, run->segment_count, run->order, &opened, reterr_error);
    if (status != OK)
        return status;
    for (size_t i = 0; i < run->segment_count; i++)
        run->bytes_total += run->segments[i].bytes;
    if (run->job->aggregator == MR_AGGREGATE_NONE) {
        status = reduce_groups(run, &opened.merge.cursor, &opened, &records, reterr_error);
    } else {
        fold_cursor_open(&fold, &opened.merge.cursor, run->order, run->job);
        status = reduce_groups(run, &fold.cursor, &opened, &records, reterr_error);
        records = fold.records; /* what came in, before it was folded */
        fold_cursor_close(&fold);
    }
    counters_add_task(run->context.counters, TASK_REDUCE_INPUT_RECORDS, records);
    close_merge(&opened);
    if (status != OK && status != ERR_CANCELLED)
        status = error_prefix(reterr_error, status, "reduce %u", run->task->task.index);
    return status;
}

enum status reduce_task_run(const struct reduce_task *task,
                            struct counters *counters,
                            struct error *reterr_error)
{
    struct reduce_run run = {.task = task, .job = task->settings->job};
    struct error unread;
    enum status status;

    if (reterr_error == NULL)
        reterr_error = &unread;
    status = task_settings_check(task->settings, reterr_error);
    if (status != OK)
        return status;
    task_context_open(&run.context, task->settings, &task->task, task->watcher);
    output_open(&run.output, run.job->output, task->sink);
    run.context.emitter = task_output_emitter(&run.output);
    run.order = (struct key_order){run.job->compare, &run.context.base};
    run.segments = mem_try_array(task->segment_count + 1, sizeof(*run.segments));
    if (run.segments == NULL)
        status = error_set(reterr_error, ERR_NO_MEMORY, "%zu segments", task->segment_count);
    for (size_t i = 0; status == OK && i < task->segment_count; i++) {
        if (task->segments[i].bytes > 0)
            run.segments[run.segment_count++] = task->segments[i];
    }
    if (status == OK)
        status = task_context_setup(&run.context, task->is_refused, reterr_error);
    if (status == OK)
        status = reduce_all(&run, reterr_error);
    if (status == OK)
        status = task_context_finish(&run.context, reterr_error);
    if (status == OK)
        status = output_flush(&run.output, reterr_error);
    status = task_context_cleanup(&run.context, status, reterr_error);
    counters_add_task(run.context.counters, TASK_OUTPUT_RECORDS, run.output.records);
    counters_add_task(run.context.counters, TASK_OUTPUT_BYTES, run.output.bytes);
    counters_merge(counters, run.context.counters);
    for (size_t i = 0; i < run.file_count; i++)
        task->scratch.discard(run.files[i]);
    mem_free(run.files);
    mem_free(run.segments);
    output_close(&run.output);
    task_context_close(&run.context);
    return status;
}
