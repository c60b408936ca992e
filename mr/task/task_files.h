/*
 * task_files.h - the engine's host (mr/core/host.h) over local files.
 */
#ifndef MILLRACE_MR_TASK_TASK_FILES_H
#define MILLRACE_MR_TASK_TASK_FILES_H

#include "lib/base/buf.h"
#include "lib/os/file.h"
#include "mr/core/host.h"

/* A new file written front to back through a buffer. */
struct file_sink {
    struct file *file;
    struct buf pending;
    uint64_t length; /* with what is pending */
};

/* Creates path, which must not exist. */
MUST_USE enum status file_sink_open(struct file_sink *sink,
                                    const char *path,
                                    struct error *reterr_error);
MUST_USE enum status file_sink_append(struct file_sink *sink,
                                      struct slice bytes,
                                      struct error *reterr_error);
/* Writes what is pending. */
MUST_USE enum status file_sink_flush(struct file_sink *sink, struct error *reterr_error);
/* The same and makes it durable. */
MUST_USE enum status file_sink_sync(struct file_sink *sink, struct error *reterr_error);
void file_sink_close(struct file_sink *sink); /* what is pending is dropped; a zeroed one is fine */
struct byte_sink file_sink_as_sink(struct file_sink *sink);

/* Scratch files in directory, which must outlive them; they have no name there, so that a crash
 * leaves none behind. */
struct task_scratch {
    const char *directory;
    uint64_t next;
};

/* scratch is borrowed and used by one thread. */
struct scratch task_scratch_as_scratch(struct task_scratch *scratch);

/* A mapped file as input. */
struct mapped_input {
    struct file_map map;
};

MUST_USE enum status mapped_input_open(struct mapped_input *input,
                                       const char *path,
                                       struct error *reterr_error);
void mapped_input_close(struct mapped_input *input); /* a zeroed one is fine */
struct byte_source mapped_input_as_source(struct mapped_input *input);

#endif
