/*
 * usage.h - what trees of processes use, from one pass over /proc.
 * A process belongs to a root when it is the root, descends from it, or is in the process group the
 * root leads (children that outlived their parent).
 */
#ifndef MILLRACE_LIB_OS_USAGE_H
#define MILLRACE_LIB_OS_USAGE_H

#include <stddef.h>
#include <stdint.h>

#include "lib/base/error.h"
#include "lib/base/status.h"

struct usage {
    uint64_t resident_bytes; /* shared pages count in each process */
    uint64_t cpu_ms;         /* user and system, of the processes alive now */
    uint32_t processes;      /* 0: the root is gone */
    uint32_t threads;
};

/* ret_usage[i] belongs to roots[i]; a root that is gone gets zeros. */
MUST_USE enum status usage_of_trees(const int64_t *roots,
                                    size_t count,
                                    struct usage *ret_usage,
                                    struct error *reterr_error);
/* This process's file descriptors: open now, and the most it may open. */
MUST_USE enum status usage_of_descriptors(uint64_t *ret_open,
                                          uint64_t *ret_max,
                                          struct error *reterr_error);
/* This process alone. */
MUST_USE enum status usage_of_self(struct usage *ret_usage, struct error *reterr_error);

#endif
