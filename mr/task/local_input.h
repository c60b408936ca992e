/*
 * local_input.h - which files and splits a local job reads: the application master's rules
 * (appmaster/core/setup.c) over local files.
 */
#ifndef MILLRACE_MR_TASK_LOCAL_INPUT_H
#define MILLRACE_MR_TASK_LOCAL_INPUT_H

#include "lib/base/arena.h"
#include "lib/base/error.h"
#include "lib/base/status.h"

struct local_split {
    const char *path;
    uint64_t offset;
    uint64_t length;
};

/*
 * Inputs in the order given; a directory stands for its files by name, without those whose name
 * begins with "_" or "."; a directory inside a directory is refused. Splits are of split_bytes, the
 * last of a file up to a tenth longer. Empty files have none. All from arena.
 */
MUST_USE enum status local_input_plan(const char *const *inputs,
                                      size_t input_count,
                                      uint64_t split_bytes,
                                      struct arena *arena,
                                      struct local_split **ret_splits,
                                      size_t *ret_count,
                                      struct error *reterr_error);

#endif
