/*
 * task_context.h - the engine's side of struct mr_context: what user functions reach through it.
 * One for each attempt, used by one thread.
 */
#ifndef MILLRACE_MR_CORE_TASK_CONTEXT_H
#define MILLRACE_MR_CORE_TASK_CONTEXT_H

#include "mr/core/counters.h"
#include "mr/core/output.h"
#include "mr/core/record.h"

enum {
    TASK_STATUS_BYTES = 256
};

/* A job parameter; both NUL-terminated, which the slices do not count. */
struct task_parameter {
    struct slice key;
    struct slice value;
};

/* What every attempt of a job has in common; borrowed from the host while a task runs. */
struct task_settings {
    const struct mr_job *job;
    const struct task_parameter *parameters;
    size_t parameter_count;
    uint32_t reduces;
    uint64_t memory_bytes; /* of the sort or combine buffer; a part of the job, not of the node */
};

enum {
    TASK_MEMORY_BYTES_MIN = 64 << 10,
    TASK_MEMORY_BYTES_DEFAULT = 100 << 20 /* Hadoop's mapreduce.task.io.sort.mb */
};

struct task_context;

/* Where an emitted pair goes; changes while a combine function runs. */
struct task_emitter {
    void *user;
    enum status (*emit)(void *user, struct slice key, struct slice value, struct error *error);
    /* For jobs whose values are numbers; NULL where emit takes them as 8 bytes. */
    enum status (*emit_number)(void *user, struct slice key, uint64_t bits, struct error *error);
    bool is_output; /* any kind of value, numbers become text */
};

struct task_context {
    struct mr_context base;
    const struct task_settings *settings;
    struct mr_task task;
    struct counters *counters; /* the context's own */
    struct task_emitter emitter;
    struct watcher watcher;
    float progress;
    uint64_t offset; /* of the record or run of records that is being mapped */
    bool knows_offset;
    uint32_t calls_until_watch;
    char status_text[TASK_STATUS_BYTES];
    bool in_setup;
    bool is_refused;    /* mr_fail was called in setup */
    enum status status; /* first failure: the user's, or of the engine under an emit */
    struct error error; /* its text */
};

/* settings is borrowed until close, task copied (its path borrowed). */
void task_context_open(struct task_context *context,
                       const struct task_settings *settings,
                       const struct mr_task *task,
                       struct watcher watcher);
void task_context_close(struct task_context *context);
/* From now on emitting fails the task. */
void task_context_close_emitter(struct task_context *context);

/* Notes a failure of the engine; the first one counts. */
void task_context_fail(struct task_context *context, enum status status, const struct error *error);
/* Tells the watcher; fails the context when the attempt is not wanted any more. */
void task_context_watch(struct task_context *context);
/* The same once in a few calls. */
void task_context_watch_sometimes(struct task_context *context);
/* Copies the failure outward. */
MUST_USE enum status task_context_result(const struct task_context *context,
                                         struct error *reterr_error);

/*
 * Calls the job's function, if it has one, and returns the first failure so far. That of a setup
 * which calls mr_fail would be the same on every host and in every attempt: it sets *is_refused
 * (NULL: nobody asks).
 */
MUST_USE enum status task_context_setup(struct task_context *context,
                                        bool *is_refused,
                                        struct error *reterr_error);
MUST_USE enum status task_context_finish(struct task_context *context, struct error *reterr_error);
/* Also after a failure (status, *reterr_error), which then stays the one that is told. */
MUST_USE enum status task_context_cleanup(struct task_context *context,
                                          enum status status,
                                          struct error *reterr_error);

/* An emitter that writes to output, which must outlive it. */
struct task_emitter task_output_emitter(struct output *output);

/*
 * Says in one sentence what is wrong with the job itself or with its number of reduces:
 * ERR_INVALID; OK otherwise. Does not call into the job.
 */
MUST_USE enum status task_job_check(const struct mr_job *job, struct error *reterr_error);
MUST_USE enum status task_settings_check(const struct task_settings *settings,
                                         struct error *reterr_error);

#endif
