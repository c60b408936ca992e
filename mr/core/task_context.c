/*
 * task_context.c - the functions behind mr/mr.h.
 */
#include "mr/core/task_context.h"

#include <stdio.h>

#include "lib/base/varint.h"
#include "mr/core/run.h"

enum {
    WATCH_EVERY = 64 /* records or groups */
};

static struct task_context *of(struct mr_context *context)
{
    return (struct task_context *)(void *)context;
}

void task_context_fail(struct task_context *context, enum status status, const struct error *error)
{
    if (context->status != OK)
        return;
    context->status = status;
    if (error != &context->error)
        context->error = *error;
    context->error.status = status;
}

static void fail_text(struct task_context *context, const char *text)
{
    struct error error;
    enum status status = error_set(&error, ERR_INVALID, "%s", text);
    task_context_fail(context, status, &error);
}

/* --- struct mr_calls -------------------------------------------------------------------------- */

static void call_emit(struct mr_context *base, struct mr_slice key, struct mr_slice value)
{
    struct task_context *context = of(base);
    struct error error;
    enum status status;

    if (context->status != OK)
        return;
    error_clear(&error); /* or what has no sentence of its own would borrow another's */
    if (!context->emitter.is_output && context->settings->job->value_type != MR_VALUE_BYTES) {
        fail_text(context,
                  "mr_emit: the job's value_type says numbers, use mr_emit_u64 or the like");
        return;
    }
    status = context->emitter.emit(context->emitter.user, slice_make(key.data, key.length),
                                   slice_make(value.data, value.length), &error);
    if (status != OK)
        task_context_fail(context, status, &error);
}

/* Without a table behind it: as 8 bytes, or as text in the output. */
static enum status emit_number_as_value(const struct task_emitter *emitter,
                                        struct slice key,
                                        uint64_t bits,
                                        enum mr_value_type type,
                                        struct error *error)
{
    char room[OUTPUT_NUMBER_BYTES];
    if (emitter->is_output)
        return emitter->emit(emitter->user, key, output_number(type, bits, room), error);
    fixed_put_u64((uint8_t *)room, bits);
    return emitter->emit(emitter->user, key, slice_make(room, 8), error);
}

static inline void emit_number(struct mr_context *base,
                               struct mr_slice key,
                               uint64_t bits,
                               enum mr_value_type type)
{
    struct task_context *context = of(base);
    const struct task_emitter *emitter = &context->emitter;
    struct slice key_bytes = {(const uint8_t *)key.data, key.length};
    struct error error;
    enum status status;

    if (context->status != OK)
        return;
    error_clear(&error); /* or what has no sentence of its own would borrow another's */
    if (!emitter->is_output && context->settings->job->value_type != type) {
        fail_text(context, "mr_emit of a number: the job's value_type is another");
        return;
    }
    status = emitter->emit_number != NULL
                 ? emitter->emit_number(emitter->user, key_bytes, bits, &error)
                 : emit_number_as_value(emitter, key_bytes, bits, type, &error);
    if (status != OK)
        task_context_fail(context, status, &error);
}

static void call_emit_u64(struct mr_context *base, struct mr_slice key, uint64_t value)
{
    emit_number(base, key, value, MR_VALUE_U64);
}

static void call_emit_i64(struct mr_context *base, struct mr_slice key, int64_t value)
{
    emit_number(base, key, (uint64_t)value, MR_VALUE_I64);
}

static void call_emit_f64(struct mr_context *base, struct mr_slice key, double value)
{
    uint64_t bits;
    memcpy(&bits, &value, sizeof(bits));
    emit_number(base, key, bits, MR_VALUE_F64);
}

static void call_count(struct mr_context *base, const char *group, const char *name, uint64_t n)
{
    counters_add(of(base)->counters, slice_from_string(group), slice_from_string(name), n);
}

static void call_status(struct mr_context *base, const char *text)
{
    struct task_context *context = of(base);
    size_t length = strlen(text);
    if (length >= sizeof(context->status_text))
        length = sizeof(context->status_text) - 1;
    memcpy(context->status_text, text, length);
    context->status_text[length] = '\0';
}

static const char *call_parameter(struct mr_context *base, const char *name)
{
    const struct task_settings *settings = of(base)->settings;
    /* The last of several with one name wins, as on the command line. */
    for (size_t i = settings->parameter_count; i > 0; i--) {
        if (slice_equal_string(settings->parameters[i - 1].key, name))
            return (const char *)settings->parameters[i - 1].value.data;
    }
    return NULL;
}

__attribute__((format(printf, 2, 0))) static void call_fail(struct mr_context *base,
                                                            const char *format,
                                                            va_list arguments)
{
    char text[ERROR_TEXT_BYTES];
    (void)vsnprintf(text, sizeof(text), format, arguments);
    if (of(base)->status == OK)
        of(base)->is_refused = of(base)->in_setup;
    fail_text(of(base), text);
}

static bool call_has_failed(struct mr_context *base)
{
    task_context_watch_sometimes(of(base));
    return of(base)->status != OK;
}

static const struct mr_task *call_task(struct mr_context *base)
{
    return &of(base)->task;
}

static uint64_t call_offset(struct mr_context *base)
{
    return of(base)->offset;
}

static const struct mr_calls task_calls = {
    .emit = call_emit,
    .emit_u64 = call_emit_u64,
    .emit_i64 = call_emit_i64,
    .emit_f64 = call_emit_f64,
    .count = call_count,
    .status = call_status,
    .parameter = call_parameter,
    .fail = call_fail,
    .has_failed = call_has_failed,
    .task = call_task,
    .offset = call_offset,
};

/* --- the engine's own ------------------------------------------------------------------------- */

static enum status emit_nowhere(void *user,
                                struct slice key,
                                struct slice value,
                                struct error *error)
{
    (void)user;
    (void)key;
    (void)value;
    return error_set(error, ERR_INVALID, "mr_emit is not possible here");
}

void task_context_open(struct task_context *context,
                       const struct task_settings *settings,
                       const struct mr_task *task,
                       struct watcher watcher)
{
    *context = (struct task_context){
        .base = {.calls = &task_calls},
        .settings = settings,
        .task = *task,
        .counters = counters_open(),
        .emitter = { .emit = emit_nowhere,   .is_output = true},
        .watcher = watcher,
        .calls_until_watch = WATCH_EVERY,
    };
}

void task_context_close_emitter(struct task_context *context)
{
    context->emitter = (struct task_emitter){.emit = emit_nowhere, .is_output = true};
}

void task_context_close(struct task_context *context)
{
    counters_close(context->counters);
    context->counters = NULL;
}

void task_context_watch(struct task_context *context)
{
    const struct watcher *watcher = &context->watcher;
    struct error error;
    enum status status;

    context->calls_until_watch = WATCH_EVERY;
    if (watcher->is_wanted == NULL || watcher->is_wanted(watcher->user, context->progress,
                                                         context->counters, context->status_text))
        return;
    status = error_set(&error, ERR_CANCELLED, "the attempt was told to stop");
    task_context_fail(context, status, &error);
}

void task_context_watch_sometimes(struct task_context *context)
{
    if (--context->calls_until_watch == 0)
        task_context_watch(context);
}

enum status task_context_result(const struct task_context *context, struct error *reterr_error)
{
    if (context->status != OK && reterr_error != NULL)
        *reterr_error = context->error;
    return context->status;
}

enum status task_context_setup(struct task_context *context,
                               bool *is_refused,
                               struct error *reterr_error)
{
    context->in_setup = true;
    if (context->settings->job->setup != NULL)
        context->settings->job->setup(&context->base);
    context->in_setup = false;
    if (is_refused != NULL)
        *is_refused = context->is_refused;
    enum status status = task_context_result(context, reterr_error);
    return status == OK ? OK : error_prefix(reterr_error, status, "setup");
}

enum status task_context_finish(struct task_context *context, struct error *reterr_error)
{
    if (context->settings->job->finish != NULL)
        context->settings->job->finish(&context->base);
    enum status status = task_context_result(context, reterr_error);
    return status == OK ? OK : error_prefix(reterr_error, status, "finish");
}

enum status task_context_cleanup(struct task_context *context,
                                 enum status status,
                                 struct error *reterr_error)
{
    /* A failure of the engine is not in the context yet. */
    if (status != OK)
        task_context_fail(context, status, reterr_error);
    task_context_close_emitter(context);
    if (context->settings->job->cleanup != NULL)
        context->settings->job->cleanup(&context->base);
    if (status != OK)
        return status;
    status = task_context_result(context, reterr_error);
    return status == OK ? OK : error_prefix(reterr_error, status, "cleanup");
}

static enum status output_emit(void *user,
                               struct slice key,
                               struct slice value,
                               struct error *error)
{
    return output_add(user, key, value, error);
}

struct task_emitter task_output_emitter(struct output *output)
{
    return (struct task_emitter){.user = output, .emit = output_emit, .is_output = true};
}

enum status task_job_check(const struct mr_job *job, struct error *reterr_error)
{
    const char *what = NULL;

    if ((job->map == NULL) == (job->map_split == NULL))
        what = "it needs exactly one of map and map_split";
    else if (job->value_type > MR_VALUE_F64)
        what = "its value_type is unknown";
    else if (job->aggregator > MR_AGGREGATE_COUNT)
        what = "its aggregator is unknown";
    else if (job->input > MR_INPUT_FIXED)
        what = "its input format is unknown";
    else if (job->output > MR_OUTPUT_RAW)
        what = "its output format is unknown";
    else if (job->input == MR_INPUT_FIXED &&
             (job->record_bytes == 0 || job->record_bytes > RECORD_BYTES_MAX ||
              job->key_bytes > job->record_bytes))
        what = "MR_INPUT_FIXED needs record_bytes of at least 1 and key_bytes of at most that";
    else if (job->aggregator != MR_AGGREGATE_NONE && job->value_type == MR_VALUE_BYTES)
        what = "an aggregator needs numbers: set value_type";
    else if (job->aggregator == MR_AGGREGATE_COUNT && job->value_type != MR_VALUE_U64)
        what = "MR_AGGREGATE_COUNT needs value_type MR_VALUE_U64";
    else if (job->aggregator != MR_AGGREGATE_NONE && job->combine != NULL)
        what = "it has both an aggregator and a combine function";
    if (what != NULL)
        return error_set(reterr_error, ERR_INVALID, "job %s: %s",
                         job->name != NULL ? job->name : "(without name)", what);
    return OK;
}

enum status task_settings_check(const struct task_settings *settings, struct error *reterr_error)
{
    enum status status = task_job_check(settings->job, reterr_error);
    if (status != OK)
        return status;
    if (settings->reduces == 0 && settings->job->aggregator != MR_AGGREGATE_NONE)
        return error_set(reterr_error, ERR_INVALID,
                         "the job has an aggregator, so it needs at least one reduce");
    if (settings->reduces > RUN_PARTITIONS_MAX)
        return error_set(reterr_error, ERR_LIMIT, "at most %u reduces are possible",
                         RUN_PARTITIONS_MAX);
    if (settings->memory_bytes < TASK_MEMORY_BYTES_MIN)
        return error_set(reterr_error, ERR_INVALID, "the sort memory must be at least %d bytes",
                         TASK_MEMORY_BYTES_MIN);
    return OK;
}
