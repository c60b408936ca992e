/*
 * memory_host.c - scratch files are buffers; each call may be made to fail.
 */
#include "tests/unit/mr/memory_host.h"

#include <stdlib.h>
#include <string.h>

#include "lib/base/check.h"

struct memory_file {
    struct memory_host *host;
    struct buf bytes;
    bool is_sealed;
};

static enum status call(struct memory_host *host, struct error *reterr_error)
{
    host->calls++;
    if (host->calls == host->fail_at)
        return error_set(reterr_error, ERR_IO, "call %llu fails", (unsigned long long)host->calls);
    return OK;
}

/* Lends a copy on the heap, so that a sanitizer sees who uses it after the next read. */
static enum status source_read(void *user,
                               uint64_t offset,
                               size_t length_max,
                               struct slice *ret_bytes,
                               struct error *reterr_error)
{
    struct memory_host *host = user;
    enum status status = call(host, reterr_error);
    size_t length;

    if (status != OK)
        return status;
    CHECK(offset < host->input.length);
    length = host->input.length - (size_t)offset;
    if (length > length_max)
        length = length_max;
    if (host->lend_max > 0 && length > host->lend_max)
        length = host->lend_max;
    free(host->lent);
    host->lent = malloc(length);
    CHECK(host->lent != NULL);
    memcpy(host->lent, host->input.data + offset, length);
    *ret_bytes = slice_make(host->lent, length);
    return OK;
}

struct byte_source memory_host_source(struct memory_host *host, struct slice input)
{
    host->input = input;
    return (struct byte_source){.user = host, .length = input.length, .read = source_read};
}

static enum status scratch_create(void *user, void **ret_file, struct error *reterr_error)
{
    struct memory_host *host = user;
    struct memory_file *file;
    enum status status = call(host, reterr_error);
    if (status != OK)
        return status;
    file = calloc(1, sizeof(*file));
    CHECK(file != NULL);
    file->host = host;
    host->files_open++;
    host->files_made++;
    *ret_file = file;
    return OK;
}

static enum status scratch_append(void *user, struct slice bytes, struct error *reterr_error)
{
    struct memory_file *file = user;
    enum status status = call(file->host, reterr_error);
    CHECK(!file->is_sealed);
    if (status == OK && buf_append_slice(&file->bytes, bytes) != OK)
        status = error_set(reterr_error, ERR_NO_MEMORY, "no room in memory");
    return status;
}

static enum status scratch_seal(void *user, struct error *reterr_error)
{
    struct memory_file *file = user;
    enum status status = call(file->host, reterr_error);
    file->is_sealed = status == OK;
    return status;
}

static enum status scratch_read(
    void *user, uint64_t offset, uint8_t *data, size_t length, struct error *reterr_error)
{
    struct memory_file *file = user;
    enum status status = call(file->host, reterr_error);
    if (status != OK)
        return status;
    CHECK(file->is_sealed);
    if (offset > file->bytes.length || length > file->bytes.length - offset)
        return error_set(reterr_error, ERR_CORRUPT, "read behind the end");
    if (length > 0)
        memcpy(data, file->bytes.data + offset, length);
    return OK;
}

static void scratch_discard(void *user)
{
    struct memory_file *file = user;
    if (file == NULL)
        return;
    file->host->files_open--;
    buf_close(&file->bytes);
    free(file);
}

struct scratch memory_host_scratch(struct memory_host *host)
{
    return (struct scratch){
        .user = host,
        .create = scratch_create,
        .append = scratch_append,
        .seal = scratch_seal,
        .read = scratch_read,
        .discard = scratch_discard,
    };
}

static bool is_wanted(void *user,
                      float progress,
                      const struct counters *counters,
                      const char *status_text)
{
    struct memory_host *host = user;
    CHECK(progress >= 0 && progress <= 1);
    CHECK(counters != NULL);
    CHECK(status_text != NULL);
    return ++host->watches != host->cancel_at;
}

struct watcher memory_host_watcher(struct memory_host *host)
{
    return (struct watcher){.user = host, .is_wanted = is_wanted};
}

void memory_host_close(struct memory_host *host)
{
    free(host->lent);
    *host = (struct memory_host){0};
}

static enum status sink_append(void *user, struct slice bytes, struct error *reterr_error)
{
    struct memory_sink *sink = user;
    enum status status = call(sink->host, reterr_error);
    if (status == OK && buf_append_slice(&sink->bytes, bytes) != OK)
        status = error_set(reterr_error, ERR_NO_MEMORY, "no room in memory");
    return status;
}

struct byte_sink memory_sink_as_sink(struct memory_sink *sink)
{
    return (struct byte_sink){.user = sink, .append = sink_append};
}

/* --- whole jobs ------------------------------------------------------------------------------- */

enum {
    MAPS_MAX = 20000
};

struct map_result {
    struct memory_sink run;
    struct run_segment *segments;
};

static enum status run_map(struct memory_host *host,
                           const struct memory_job *job,
                           uint32_t index,
                           struct map_result *ret_result,
                           struct counters *counters,
                           struct error *reterr_error)
{
    struct map_task task = {
        .settings = &job->settings,
        .task = {.index = index,
                 .reduces = job->settings.reduces,
                 .input_path = "/input",
                 .split_offset = index * job->split_bytes,
                 .split_length = job->split_bytes},
        .source = memory_host_source(host, job->input),
        .scratch = memory_host_scratch(host),
        .sink = memory_sink_as_sink(&ret_result->run),
        .watcher = memory_host_watcher(host),
        .is_refused = &host->is_refused,
    };
    uint64_t left = job->input.length - task.task.split_offset;
    if (task.task.split_length > left)
        task.task.split_length = left;
    ret_result->run.host = host;
    ret_result->segments = calloc(job->settings.reduces + 1, sizeof(*ret_result->segments));
    CHECK(ret_result->segments != NULL);
    return map_task_run(&task, ret_result->segments, counters, NULL, reterr_error);
}

static enum status read_store(
    void *user, uint64_t offset, uint8_t *data, size_t length, struct error *reterr_error)
{
    struct memory_sink *sink = user;
    enum status status = call(sink->host, reterr_error);
    CHECK(offset + length <= sink->bytes.length);
    memcpy(data, sink->bytes.data + offset, length);
    return status;
}

static enum status run_reduce(struct memory_host *host,
                              const struct memory_job *job,
                              uint32_t index,
                              struct map_result *maps,
                              size_t map_count,
                              struct buf *ret_output,
                              struct counters *counters,
                              struct error *reterr_error)
{
    struct reduce_segment *segments = calloc(map_count + 1, sizeof(*segments));
    struct memory_sink output = {.host = host, .bytes = *ret_output};
    struct reduce_task task = {
        .settings = &job->settings,
        .task = {.is_reduce = true, .index = index, .reduces = job->settings.reduces},
        .segments = segments,
        .segment_count = map_count,
        .scratch = memory_host_scratch(host),
        .sink = memory_sink_as_sink(&output),
        .watcher = memory_host_watcher(host),
        .is_refused = &host->is_refused,
    };
    enum status status;

    CHECK(segments != NULL);
    for (size_t i = 0; i < map_count; i++) {
        segments[i] = (struct reduce_segment){
            .offset = maps[i].segments[index].offset,
            .bytes = maps[i].segments[index].bytes,
        };
        if (job->segments_on_disk)
            segments[i].store = (struct byte_store){.user = &maps[i].run, .read = read_store};
        else
            segments[i].store.memory = buf_slice(&maps[i].run.bytes);
    }
    status = reduce_task_run(&task, counters, reterr_error);
    *ret_output = output.bytes;
    free(segments);
    return status;
}

enum status memory_job_run(struct memory_host *host,
                           const struct memory_job *job,
                           struct buf *ret_outputs,
                           size_t outputs_max,
                           struct counters *counters,
                           struct error *reterr_error)
{
    size_t map_count = (job->input.length + job->split_bytes - 1) / job->split_bytes;
    struct map_result *maps = calloc(map_count + 1, sizeof(*maps));
    enum status status = OK;

    CHECK(maps != NULL);
    CHECK(map_count <= MAPS_MAX);
    CHECK(outputs_max >= (job->settings.reduces > 0 ? job->settings.reduces : map_count));
    for (uint32_t i = 0; i < map_count && status == OK; i++)
        status = run_map(host, job, i, &maps[i], counters, reterr_error);
    for (uint32_t i = 0; i < job->settings.reduces && status == OK; i++)
        status = run_reduce(host, job, i, maps, map_count, &ret_outputs[i], counters, reterr_error);
    for (size_t i = 0; i < map_count; i++) {
        if (job->settings.reduces == 0) {
            ret_outputs[i] = maps[i].run.bytes;
        } else {
            buf_close(&maps[i].run.bytes);
        }
        free(maps[i].segments);
    }
    free(maps);
    return status;
}
