/*
 * proc.h - private to lib/os: one pass over /proc.
 */
#ifndef MILLRACE_LIB_OS_PROC_H
#define MILLRACE_LIB_OS_PROC_H

#include <stddef.h>
#include <stdint.h>

#include "lib/base/error.h"
#include "lib/base/status.h"

struct proc_row {
    int64_t pid;
    int64_t parent;
    int64_t group;
    uint64_t cpu_ms;
    uint64_t resident_bytes;
    uint32_t threads;
    char state; /* 'Z': a zombie */
};

/* All processes visible now; *ret_rows is the caller's, for mem_free. */
MUST_USE enum status proc_list(struct proc_row **ret_rows,
                               size_t *ret_count,
                               struct error *reterr_error);
/* One process; ERR_NOT_FOUND when it is gone. */
MUST_USE enum status proc_get(int64_t pid, struct proc_row *ret_row, struct error *reterr_error);

#endif
