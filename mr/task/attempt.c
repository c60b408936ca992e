/*
 * attempt.c - the engine's host in a container: blocks in, run files or filesystem files out.
 */
#include "mr/task/attempt.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "dfs/client/dfs.h"
#include "lib/model/ids.h"
#include "lib/os/crash.h"
#include "lib/os/directory.h"
#include "lib/os/file.h"
#include "lib/os/process.h"
#include "mr/core/map_task.h"
#include "mr/core/reduce_task.h"
#include "mr/task/reporter.h"
#include "mr/task/shuffle.h"
#include "mr/task/task_files.h"

struct attempt {
    const struct attempt_host *host;
    const struct am_get_task_response *work;
    struct arena *arena;
    struct task_settings settings;
    struct task_scratch scratch;
    struct crash_scene scene;
};

/* --- bytes ------------------------------------------------------------------------------------ */

static enum status read_blocks(void *user,
                               uint64_t offset,
                               size_t length_max,
                               struct slice *ret_bytes,
                               struct error *reterr_error)
{
    struct dfs_reader *reader = user;
    enum status status;
    dfs_reader_forget(reader, offset);
    status = dfs_reader_map(reader, offset, length_max, ret_bytes, reterr_error);
    if (status == OK && ret_bytes->length == 0)
        return error_set(reterr_error, ERR_CORRUPT, "the file became shorter while it was read");
    return status;
}

static enum status append_output(void *user, struct slice bytes, struct error *reterr_error)
{
    return dfs_writer_write(user, bytes.data, bytes.length, reterr_error);
}

static enum status open_output(const struct attempt *attempt,
                               struct dfs_writer **ret_writer,
                               struct error *reterr_error)
{
    const struct dfs_create_options options = {.overwrite = true, .create_parents = true};
    return dfs_create(attempt->host->dfs, attempt->work->output_path, &options, ret_writer,
                      reterr_error);
}

static enum status complete_output(const struct attempt *attempt,
                                   struct dfs_writer *writer,
                                   struct attempt_result *ret_result,
                                   struct error *reterr_error)
{
    enum status status = dfs_writer_complete(writer, reterr_error);
    if (status != OK)
        return status;
    ret_result->output_path = attempt->work->output_path;
    ret_result->output_file_id = dfs_writer_file_id(writer);
    ret_result->output_length = dfs_writer_length(writer);
    return OK;
}

/* --- map -------------------------------------------------------------------------------------- */

static const char *run_path(const struct attempt_host *host,
                            const struct attempt_id *id,
                            struct arena *arena,
                            const char *suffix)
{
    return (const char *)arena_format(arena, "%s/output/%" PRIu32 "_%" PRIu32 "%s",
                                      host->app_directory, id->task, id->attempt, suffix)
        .data;
}

static void enter_scene(struct attempt *attempt, const char *what)
{
    (void)snprintf(attempt->scene.before, sizeof(attempt->scene.before), "%s: %s",
                   attempt_id_text(attempt->work->attempt).text, what);
    crash_guard_enter(&attempt->scene);
}

static enum status run_engine_map(struct attempt *attempt,
                                  struct byte_sink sink,
                                  struct run_segment *ret_segments,
                                  bool *is_refused,
                                  struct counters *counters,
                                  struct error *reterr_error)
{
    const struct am_input_split *split = &attempt->work->split;
    struct slice path = arena_copy(attempt->arena, split->path);
    struct dfs_reader *reader;
    enum status status = dfs_reader_open(attempt->host->dfs, split->path, split->offset,
                                         split->length, &reader, reterr_error);

    if (status != OK)
        return error_prefix(reterr_error, status, "input");
    struct map_task task = {
        .settings = &attempt->settings,
        .task = {.index = attempt->work->attempt.task,
                 .attempt = attempt->work->attempt.attempt,
                 .reduces = attempt->settings.reduces,
                 .input_path = (const char *)path.data,
                 .split_offset = split->offset,
                 .split_length = split->length},
        .source = {.user = reader,        .length = dfs_reader_length(reader),             .read = read_blocks     },
        .scratch = task_scratch_as_scratch(&attempt->scratch),
        .sink = sink,
        .watcher = reporter_watcher(attempt->host->reporter, 0, 1),
        .is_refused = is_refused,
    };
    (void)snprintf(attempt->scene.behind, sizeof(attempt->scene.behind), "%.*s",
                   SLICE_ARGS(split->path));
    attempt->scene.position = split->offset;
    if (split->file_length != 0 && split->file_length != task.source.length)
        status = error_set(reterr_error, ERR_CORRUPT,
                           "input %.*s has %" PRIu64 " bytes and had %" PRIu64 " when the job "
                           "was planned",
                           SLICE_ARGS(split->path), task.source.length, split->file_length);
    if (status == OK) {
        enter_scene(attempt, "map");
        status =
            map_task_run(&task, ret_segments, counters, &attempt->scene.position, reterr_error);
        crash_guard_leave();
    }
    dfs_reader_close(reader);
    return status;
}

static enum status map_to_run(struct attempt *attempt,
                              struct attempt_result *ret_result,
                              struct counters *counters,
                              struct error *reterr_error)
{
    const struct attempt_host *host = attempt->host;
    const struct attempt_id *id = &attempt->work->attempt;
    uint32_t reduces = attempt->settings.reduces;
    char suffix[40];
    const char *final = run_path(host, id, attempt->arena, ".run");
    const char *temporary;
    struct file_sink sink = {0};
    struct run_segment *segments = ARENA_ARRAY(attempt->arena, struct run_segment, reduces);
    uint64_t *partition_bytes = ARENA_ARRAY(attempt->arena, uint64_t, reduces);
    enum status status = directory_make_all(path_parent(attempt->arena, final), 0755, reterr_error);

    (void)snprintf(suffix, sizeof(suffix), ".%" PRId64 ".tmp", process_self());
    temporary = run_path(host, id, attempt->arena, suffix);
    if (status == OK)
        status = file_sink_open(&sink, temporary, reterr_error);
    if (status != OK)
        return error_prefix(reterr_error, status, "map output");
    status = run_engine_map(attempt, file_sink_as_sink(&sink), segments, &ret_result->is_refused,
                            counters, reterr_error);
    if (status == OK)
        status = file_sink_flush(&sink, reterr_error);
    if (status == OK)
        status = file_rename(temporary, final, reterr_error);
    file_sink_close(&sink);
    if (status != OK) {
        struct error unread;
        /* The node manager removes it with the application if we cannot. */
        enum status removed = file_remove(temporary, &unread);
        (void)removed;
        return status;
    }
    for (uint32_t p = 0; p < reduces; p++)
        partition_bytes[p] = segments[p].bytes;
    ret_result->partition_bytes = partition_bytes;
    ret_result->partition_count = reduces;
    return OK;
}

static enum status map_to_output(struct attempt *attempt,
                                 struct attempt_result *ret_result,
                                 struct counters *counters,
                                 struct error *reterr_error)
{
    struct dfs_writer *writer;
    enum status status = open_output(attempt, &writer, reterr_error);

    if (status != OK)
        return error_prefix(reterr_error, status, "output");
    status = run_engine_map(attempt, (struct byte_sink){.user = writer, .append = append_output},
                            NULL, &ret_result->is_refused, counters, reterr_error);
    if (status == OK)
        status = complete_output(attempt, writer, ret_result, reterr_error);
    dfs_writer_close(writer);
    return status;
}

/* --- reduce ----------------------------------------------------------------------------------- */

static enum status run_engine_reduce(struct attempt *attempt,
                                     const struct shuffle *shuffle,
                                     struct attempt_result *ret_result,
                                     struct counters *counters,
                                     struct error *reterr_error)
{
    struct dfs_writer *writer;
    enum status status = open_output(attempt, &writer, reterr_error);

    if (status != OK)
        return error_prefix(reterr_error, status, "output");
    struct reduce_task task = {
        .settings = &attempt->settings,
        .task = {.is_reduce = true,
                 .index = attempt->work->attempt.task,
                 .attempt = attempt->work->attempt.attempt,
                 .reduces = attempt->settings.reduces},
        .segments = shuffle_segments(shuffle),
        .segment_count = attempt->work->map_count,
        .scratch = task_scratch_as_scratch(&attempt->scratch),
        .sink = {.user = writer, .append = append_output},
        .watcher = reporter_watcher(attempt->host->reporter, 1.0F / 3, 2.0F / 3),
        .is_refused = &ret_result->is_refused,
    };
    reporter_tell(attempt->host->reporter, 1.0F / 3, "");
    enter_scene(attempt, "reduce");
    status = reduce_task_run(&task, counters, reterr_error);
    crash_guard_leave();
    if (status == OK)
        status = complete_output(attempt, writer, ret_result, reterr_error);
    dfs_writer_close(writer);
    return status;
}

static enum status run_reduce(struct attempt *attempt,
                              struct attempt_result *ret_result,
                              struct counters *counters,
                              struct error *reterr_error)
{
    const struct shuffle_settings settings = {
        .umbilical = attempt->host->umbilical,
        .reporter = attempt->host->reporter,
        .token = attempt->host->token,
        .attempt = attempt->work->attempt,
        .map_count = attempt->work->map_count,
        .memory_bytes = attempt->settings.memory_bytes,
        .directory = attempt->host->work_directory,
    };
    struct shuffle *shuffle;
    enum status status = shuffle_open(&settings, &shuffle, reterr_error);

    if (status != OK)
        return status;
    status = shuffle_run(shuffle, reterr_error);
    counters_add_task(counters, TASK_SHUFFLED_BYTES, shuffle_bytes(shuffle));
    if (status == OK)
        status = run_engine_reduce(attempt, shuffle, ret_result, counters, reterr_error);
    shuffle_close(shuffle);
    return status;
}

/* --- both ------------------------------------------------------------------------------------- */

static struct task_settings settings_of(const struct am_job_spec *spec,
                                        const struct mr_job *job,
                                        struct arena *arena)
{
    struct task_parameter *parameters =
        ARENA_ARRAY(arena, struct task_parameter, spec->parameters_count + 1);
    for (size_t i = 0; i < spec->parameters_count; i++)
        parameters[i] = (struct task_parameter){
            arena_copy(arena, spec->parameters[i].key),
            arena_copy(arena, spec->parameters[i].value),
        };
    return (struct task_settings){
        .job = job,
        .parameters = parameters,
        .parameter_count = spec->parameters_count,
        .reduces = spec->reduces,
        .memory_bytes =
            spec->sort_memory_bytes > 0 ? spec->sort_memory_bytes : TASK_MEMORY_BYTES_DEFAULT,
    };
}

enum status attempt_run(const struct attempt_host *host,
                        const struct am_get_task_response *work,
                        struct arena *arena,
                        struct attempt_result *ret_result,
                        struct counters *counters,
                        struct error *reterr_error)
{
    struct attempt attempt = {
        .host = host,
        .work = work,
        .arena = arena,
        .settings = settings_of(&work->job, host->job, arena),
        .scratch = {.directory = host->work_directory},
    };

    *ret_result = (struct attempt_result){0};
    if (work->attempt.kind == TASK_REDUCE)
        return run_reduce(&attempt, ret_result, counters, reterr_error);
    return work->job.reduces > 0 ? map_to_run(&attempt, ret_result, counters, reterr_error)
                                 : map_to_output(&attempt, ret_result, counters, reterr_error);
}

enum status attempt_discard(const struct attempt_host *host,
                            const struct am_get_task_response *work,
                            const struct attempt_result *result,
                            struct error *reterr_error)
{
    struct arena *arena;
    enum status status;

    if (result->output_path.length > 0)
        return dfs_delete(host->dfs, result->output_path, false, reterr_error);
    arena = arena_open(0);
    status = file_remove(run_path(host, &work->attempt, arena, ".run"), reterr_error);
    arena_close(arena);
    return status;
}
