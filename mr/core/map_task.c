/*
 * map_task.c - reads the split, calls map, collects.
 */
#include "mr/core/map_task.h"

#include "mr/core/collector.h"

struct map_run {
    const struct map_task *task;
    const struct mr_job *job;
    struct task_context context;
    struct collector collector;
    struct output output;
    volatile uint64_t *position;
};

static void at(struct map_run *run, uint64_t offset)
{
    run->context.offset = offset;
    if (run->position != NULL)
        *run->position = offset;
}

static void map_one(struct map_run *run, struct slice key, struct slice value)
{
    run->job->map(&run->context.base, record_lend(key), record_lend(value));
    counters_add_task(run->context.counters, TASK_MAP_INPUT_RECORDS, 1);
    task_context_watch_sometimes(&run->context);
}

static void map_lines(struct map_run *run, struct slice records, uint64_t offset)
{
    const uint8_t *base = records.data;
    bool has_key = run->job->input == MR_INPUT_KEY_VALUE;

    while (records.length > 0 && run->context.status == OK) {
        struct slice key = {0};
        struct slice value;
        at(run, offset + (uint64_t)(records.data - base));
        value = input_take_line(&records);
        if (has_key) {
            size_t tab = slice_find(value, '\t');
            key = slice_sub(value, 0, tab);
            value = tab < value.length ? slice_sub(value, tab + 1, value.length - tab - 1)
                                       : (struct slice){0};
        }
        map_one(run, key, value);
    }
}

static void map_fixed(struct map_run *run, struct slice records, uint64_t offset)
{
    size_t record_bytes = run->job->record_bytes;
    size_t key_bytes = run->job->key_bytes;

    for (size_t i = 0; i < records.length && run->context.status == OK; i += record_bytes) {
        at(run, offset + i);
        map_one(run, slice_sub(records, i, key_bytes),
                slice_sub(records, i + key_bytes, record_bytes - key_bytes));
    }
}

static void map_run_of_records(struct map_run *run, struct slice records, uint64_t offset)
{
    at(run, offset);
    if (run->job->map_split != NULL) {
        run->job->map_split(&run->context.base, record_lend(records));
        if (run->job->input == MR_INPUT_FIXED)
            counters_add_task(run->context.counters, TASK_MAP_INPUT_RECORDS,
                              records.length / run->job->record_bytes);
    } else if (run->job->input == MR_INPUT_FIXED) {
        map_fixed(run, records, offset);
    } else {
        map_lines(run, records, offset);
    }
    counters_add_task(run->context.counters, TASK_MAP_INPUT_BYTES, records.length);
}

static enum status map_input(struct map_run *run, struct error *reterr_error)
{
    const struct mr_task *task = &run->task->task;
    struct input_split split = {task->split_offset, task->split_length};
    struct input_reader reader;
    bool has = true;
    enum status status = OK;

    input_reader_open(&reader, run->task->source, split,
                      run->job->input == MR_INPUT_FIXED ? run->job->record_bytes : 0);
    while (status == OK && has) {
        struct slice records;
        uint64_t offset;
        status = input_reader_next(&reader, &records, &offset, &has, reterr_error);
        if (status != OK) {
            status = error_prefix(reterr_error, status, "read %s", task->input_path);
            break;
        }
        if (!has)
            break;
        map_run_of_records(run, records, offset);
        if (split.length > 0) {
            uint64_t done = offset + records.length - split.offset;
            run->context.progress = done >= split.length ? 1 : (float)done / (float)split.length;
        }
        task_context_watch(&run->context);
        status = task_context_result(&run->context, reterr_error);
        if (status != OK && status != ERR_CANCELLED)
            status = error_prefix(reterr_error, status, "map at byte %llu of %s",
                                  (unsigned long long)run->context.offset, task->input_path);
    }
    input_reader_close(&reader);
    return status;
}

static enum status write_result(struct map_run *run,
                                struct run_segment *ret_segments,
                                struct error *reterr_error)
{
    uint64_t bytes = 0;
    enum status status;

    if (run->task->settings->reduces == 0)
        return output_flush(&run->output, reterr_error);
    status = collector_finish(&run->collector, run->task->sink, ret_segments, reterr_error);
    for (uint32_t p = 0; status == OK && p < run->task->settings->reduces; p++)
        bytes += ret_segments[p].bytes;
    counters_add_task(run->context.counters, TASK_MAP_FILE_BYTES, bytes);
    return status;
}

enum status map_task_run(const struct map_task *task,
                         struct run_segment *ret_segments,
                         struct counters *counters,
                         volatile uint64_t *position,
                         struct error *reterr_error)
{
    struct map_run run = {.task = task, .job = task->settings->job, .position = position};
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
    if (task->settings->reduces > 0) {
        status = collector_open(&run.collector, &run.context, task->scratch, reterr_error);
        run.context.emitter = collector_emitter(&run.collector);
    }
    if (status == OK)
        status = task_context_setup(&run.context, task->is_refused, reterr_error);
    if (status == OK)
        status = map_input(&run, reterr_error);
    if (status == OK)
        status = task_context_finish(&run.context, reterr_error);
    if (status == OK)
        status = write_result(&run, ret_segments, reterr_error);
    status = task_context_cleanup(&run.context, status, reterr_error);
    counters_add_task(run.context.counters, TASK_OUTPUT_RECORDS, run.output.records);
    counters_add_task(run.context.counters, TASK_OUTPUT_BYTES, run.output.bytes);
    counters_merge(counters, run.context.counters);
    collector_close(&run.collector);
    output_close(&run.output);
    task_context_close(&run.context);
    return status;
}
