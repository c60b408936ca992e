/*
 * local.c - maps, then reduces, each by a pool of threads that take the next task until none is
 * left. Map outputs are run files in a temporary directory beside the output, mapped by all
 * reduces.
 */
#include "mr/task/local.h"

#include <inttypes.h>
#include <stdatomic.h>
#include <stdio.h>

#include "lib/base/arena.h"
#include "lib/base/mem.h"
#include "lib/model/limits.h"
#include "lib/os/clock.h"
#include "lib/os/crash.h"
#include "lib/os/directory.h"
#include "lib/os/file.h"
#include "lib/os/host.h"
#include "lib/os/thread.h"
#include "mr/core/map_task.h"
#include "mr/core/reduce_task.h"
#include "mr/task/local_input.h"
#include "mr/task/task_files.h"

struct map_output {
    struct file_map run;
    struct run_segment *segments;
};

struct local_run {
    const struct local_job *job;
    struct task_settings settings;
    struct arena *arena; /* used before and after the threads only */
    struct local_split *splits;
    size_t map_count;
    struct map_output *outputs;
    const char *temporary; /* holds runs, scratch files and parts/ */
    const char *parts;

    struct mutex *mutex; /* guards what follows */
    bool is_reducing;
    uint32_t next;
    uint32_t total;
    struct local_progress progress;
    struct counters *counters;
    uint32_t failed_index; /* of the first failing task, in task order */
    enum status status;
    struct error error;
    atomic_bool is_stopping;
};

/* --- one task --------------------------------------------------------------------------------- */

static bool is_wanted(void *user,
                      float progress,
                      const struct counters *counters,
                      const char *status_text)
{
    struct local_run *run = user;
    (void)progress; /* a local job counts whole tasks */
    (void)counters;
    (void)status_text;
    if (run->job->is_wanted != NULL && !run->job->is_wanted(run->job->user))
        atomic_store(&run->is_stopping, true);
    return !atomic_load(&run->is_stopping);
}

static void enter_scene(struct crash_scene *scene,
                        const char *kind,
                        uint32_t index,
                        const char *path)
{
    (void)snprintf(scene->before, sizeof(scene->before), "task %s %u", kind, index);
    (void)snprintf(scene->behind, sizeof(scene->behind), "%s", path);
    crash_guard_enter(scene);
}

/* Sized so that it cannot be cut: see local_prepare, which bounds the output's path. */
struct local_path {
    char text[LIMIT_PATH_BYTES + 64];
};

static struct local_path part_path(const struct local_run *run, char kind, uint32_t index)
{
    struct local_path path;
    (void)snprintf(path.text, sizeof(path.text), "%s/part-%c-%05" PRIu32, run->parts, kind, index);
    return path;
}

static enum status map_segments(struct map_output *output, const char *path, struct error *error)
{
    struct mapped_input mapped;
    enum status status = mapped_input_open(&mapped, path, error);
    if (status == OK)
        output->run = mapped.map;
    return status;
}

static enum status run_map(struct local_run *run,
                           uint32_t index,
                           struct counters *counters,
                           struct error *error)
{
    const struct local_split *split = &run->splits[index];
    struct map_output *output = &run->outputs[index];
    struct task_scratch scratch = {.directory = run->temporary};
    bool is_output = run->settings.reduces == 0;
    struct local_path path = part_path(run, 'm', index);
    struct crash_scene scene = {.position = split->offset};
    struct mapped_input input;
    struct file_sink sink = {0};
    enum status status = mapped_input_open(&input, split->path, error);

    if (!is_output)
        (void)snprintf(path.text, sizeof(path.text), "%s/map.%" PRIu32, run->temporary, index);
    if (status == OK)
        status = file_sink_open(&sink, path.text, error);
    if (status == OK) {
        struct map_task task = {
            .settings = &run->settings,
            .task = {.index = index,
                     .reduces = run->settings.reduces,
                     .input_path = split->path,
                     .split_offset = split->offset,
                     .split_length = split->length},
            .source = mapped_input_as_source(&input),
            .scratch = task_scratch_as_scratch(&scratch),
            .sink = file_sink_as_sink(&sink),
            .watcher = {.user = run, .is_wanted = is_wanted   },
        };
        enter_scene(&scene, "map", index, split->path);
        status = map_task_run(&task, output->segments, counters, &scene.position, error);
        crash_guard_leave();
    }
    if (status == OK)
        status = is_output ? file_sink_sync(&sink, error) : file_sink_flush(&sink, error);
    if (status == OK && !is_output)
        status = map_segments(output, path.text, error);
    file_sink_close(&sink);
    mapped_input_close(&input);
    /* The map keeps the bytes; the name is not needed any more. */
    if (status == OK && !is_output)
        status = file_remove(path.text, error);
    return status;
}

static enum status run_reduce(struct local_run *run,
                              uint32_t index,
                              struct counters *counters,
                              struct error *error)
{
    struct reduce_segment *segments = mem_try_array(run->map_count + 1, sizeof(*segments));
    struct task_scratch scratch = {.directory = run->temporary};
    struct local_path path = part_path(run, 'r', index);
    struct crash_scene scene = {0};
    struct file_sink sink = {0};
    enum status status = OK;

    if (segments == NULL)
        return error_set(error, ERR_NO_MEMORY, "%zu segments", run->map_count);
    for (size_t i = 0; i < run->map_count; i++) {
        const struct run_segment *segment = &run->outputs[i].segments[index];
        segments[i] = (struct reduce_segment){
            .store = {.memory = run->outputs[i].run.bytes},
            .offset = segment->offset,
            .bytes = segment->bytes,
        };
        counters_add_task(counters, TASK_SHUFFLED_BYTES, segment->bytes);
    }
    status = file_sink_open(&sink, path.text, error);
    if (status == OK) {
        struct reduce_task task = {
            .settings = &run->settings,
            .task = {.is_reduce = true, .index = index, .reduces = run->settings.reduces},
            .segments = segments,
            .segment_count = run->map_count,
            .scratch = task_scratch_as_scratch(&scratch),
            .sink = file_sink_as_sink(&sink),
            .watcher = {.user = run,                 .is_wanted = is_wanted                    },
        };
        enter_scene(&scene, "reduce", index, "");
        status = reduce_task_run(&task, counters, error);
        crash_guard_leave();
    }
    if (status == OK)
        status = file_sink_sync(&sink, error);
    file_sink_close(&sink);
    mem_free(segments);
    return status;
}

/* --- the pool --------------------------------------------------------------------------------- */

/* mutex is held. */
static void finish_task(struct local_run *run,
                        uint32_t index,
                        enum status status,
                        const struct error *error,
                        const struct counters *counters)
{
    if (status != OK) {
        /* What another task's failure cancelled is not what went wrong. */
        bool is_first = run->status == OK ||
                        (run->status == ERR_CANCELLED && status != ERR_CANCELLED) ||
                        (status != ERR_CANCELLED && index < run->failed_index);
        if (is_first) {
            run->status = status;
            run->error = *error;
            run->failed_index = index;
        }
        atomic_store(&run->is_stopping, true);
        return;
    }
    counters_merge(run->counters, counters);
    if (run->is_reducing)
        run->progress.reduces_done++;
    else
        run->progress.maps_done++;
    if (run->job->progressed != NULL)
        run->job->progressed(run->job->user, &run->progress);
}

static void work(void *argument)
{
    struct local_run *run = argument;

    mutex_lock(run->mutex);
    while (run->next < run->total && !atomic_load(&run->is_stopping)) {
        struct counters *counters = counters_open();
        uint32_t index = run->next++;
        struct error error = {0};
        enum status status;
        mutex_unlock(run->mutex);
        status = run->is_reducing ? run_reduce(run, index, counters, &error)
                                  : run_map(run, index, counters, &error);
        mutex_lock(run->mutex);
        finish_task(run, index, status, &error, counters);
        counters_close(counters);
    }
    mutex_unlock(run->mutex);
}

static enum status run_all(struct local_run *run,
                           uint32_t total,
                           bool is_reducing,
                           struct error *reterr_error)
{
    uint32_t wanted = run->job->threads > 0 ? run->job->threads : host_cpu_count();
    struct thread **threads;
    uint32_t started = 0;
    enum status status = OK;

    run->is_reducing = is_reducing;
    run->next = 0;
    run->total = total;
    run->failed_index = UINT32_MAX;
    if (wanted > total)
        wanted = total;
    threads = mem_try_array(wanted + (size_t)1, sizeof(struct thread *));
    if (threads == NULL)
        return error_set(reterr_error, ERR_NO_MEMORY, "%u threads", wanted);
    while (started < wanted && status == OK) {
        status = thread_open("mr-local", work, run, &threads[started], reterr_error);
        started += status == OK;
    }
    /* Fewer threads than wished for do the same work. */
    if (started > 0)
        status = OK;
    for (uint32_t i = 0; i < started; i++)
        thread_join(threads[i]);
    mem_free(threads);
    if (status == OK && run->status != OK) {
        *reterr_error = run->error;
        status = run->status;
    }
    if (status == OK && atomic_load(&run->is_stopping))
        status = error_set(reterr_error, ERR_CANCELLED, "the job was told to stop");
    return status;
}

/* --- before and after ------------------------------------------------------------------------- */

static enum status check_output(const struct local_job *job, struct error *reterr_error)
{
    struct file_info info;
    struct error error;
    enum status status = file_info_get(job->output, false, &info, &error);

    if (status == OK)
        return error_set(reterr_error, ERR_EXISTS,
                         "output %s already exists; remove it or name another", job->output);
    if (status != ERR_NOT_FOUND) {
        *reterr_error = error;
        return error_prefix(reterr_error, status, "output");
    }
    return OK;
}

static enum status make_directories(struct local_run *run, struct error *reterr_error)
{
    const char *output = run->job->output;
    const char *parent;
    const char *prefix;
    size_t length = strlen(output);
    enum status status;

    while (length > 1 && output[length - 1] == '/')
        length--;
    if (length > LIMIT_PATH_BYTES - 64)
        return error_set(reterr_error, ERR_LIMIT, "the output's path is too long");
    prefix = (const char *)arena_format(run->arena, "%.*s._temporary.", (int)length, output).data;
    parent = path_parent(run->arena, prefix);
    status = directory_make_all(parent, 0777, reterr_error);
    if (status == OK)
        status = directory_make_temporary(prefix, run->arena, &run->temporary, reterr_error);
    if (status != OK)
        return status;
    run->parts = path_join(run->arena, run->temporary, "parts");
    return directory_make(run->parts, 0777, reterr_error);
}

static enum status prepare(struct local_run *run, struct error *reterr_error)
{
    const struct local_job *job = run->job;
    uint64_t split_bytes = job->split_bytes > 0 ? job->split_bytes : LOCAL_SPLIT_BYTES_DEFAULT;
    enum status status = task_settings_check(&run->settings, reterr_error);

    if (status == OK && job->input_count == 0)
        status = error_set(reterr_error, ERR_INVALID, "no input is named");
    if (status == OK && job->reduces > LIMIT_REDUCES)
        status =
            error_set(reterr_error, ERR_LIMIT, "at most %d reduces are possible", LIMIT_REDUCES);
    if (status == OK)
        status = check_output(job, reterr_error);
    if (status == OK)
        status = local_input_plan(job->inputs, job->input_count, split_bytes, run->arena,
                                  &run->splits, &run->map_count, reterr_error);
    if (status != OK)
        return status;
    run->outputs = ARENA_ARRAY(run->arena, struct map_output, run->map_count + 1);
    for (size_t i = 0; i < run->map_count; i++)
        run->outputs[i].segments =
            ARENA_ARRAY(run->arena, struct run_segment, job->reduces + (size_t)1);
    run->progress.maps_total = (uint32_t)run->map_count;
    run->progress.reduces_total = job->reduces;
    return make_directories(run, reterr_error);
}

static enum status publish(struct local_run *run, struct error *reterr_error)
{
    const char *output = run->job->output;
    const char *success = path_join(run->arena, run->parts, "_SUCCESS");
    enum status status = file_create_whole(success, (struct slice){0}, FILE_PUBLIC, reterr_error);

    if (status == OK)
        status = directory_sync(run->parts, reterr_error);
    /* Somebody may have made it meanwhile; rename would replace an empty directory silently. */
    if (status == OK)
        status = check_output(run->job, reterr_error);
    if (status == OK)
        status = file_rename(run->parts, output, reterr_error);
    if (status == OK)
        status = directory_sync_parent(output, reterr_error);
    return status;
}

enum status local_job_run(const struct local_job *job,
                          struct counters *counters,
                          struct local_progress *ret_progress,
                          struct error *reterr_error)
{
    struct local_run run = {
        .job = job,
        .settings = {.job = job->job,
                     .parameters = job->parameters,
                     .parameter_count = job->parameter_count,
                     .reduces = job->reduces,
                     .memory_bytes =
                         job->memory_bytes > 0 ? job->memory_bytes : TASK_MEMORY_BYTES_DEFAULT},
        .arena = arena_open(0),
        .mutex = mutex_open(),
        .counters = counters,
    };
    int64_t cpu_us = clock_process_cpu_us();
    enum status status = prepare(&run, reterr_error);

    if (status == OK)
        status = run_all(&run, run.progress.maps_total, false, reterr_error);
    if (status == OK)
        status = run_all(&run, run.progress.reduces_total, true, reterr_error);
    if (status == OK)
        status = publish(&run, reterr_error);
    for (size_t i = 0; run.outputs != NULL && i < run.map_count; i++)
        file_map_close(&run.outputs[i].run);
    if (run.temporary != NULL) {
        struct error error;
        /* Parts have left it by now or are not wanted: what stays is only in the way. */
        enum status removed = directory_remove_tree(run.temporary, &error);
        (void)removed;
    }
    counters_add_task(counters, TASK_CPU_MS, (uint64_t)(clock_process_cpu_us() - cpu_us) / 1000);
    *ret_progress = run.progress;
    mutex_close(run.mutex);
    arena_close(run.arena);
    return status;
}
