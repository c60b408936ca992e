/*
 * mem.h - allocation in three shapes.
 * mem_new ends the process when memory is gone: small fixed-size objects of our own. mem_try* may
 * fail: sizes that come from outside. mem_try* pass the fault point "mem" of lib/base/fault.h, the
 * others "mem_new".
 */
#ifndef MILLRACE_LIB_BASE_MEM_H
#define MILLRACE_LIB_BASE_MEM_H

#include <stddef.h>

/* Of a process without memory; docs/exit-codes.md is the list for people. */
enum {
    MEM_EXIT_CODE = 9
};

/*
 * Ends the process with MEM_EXIT_CODE and one sentence on stderr. Nothing is flushed and nothing
 * runs on the way out: what was promised is on the disk already, and a machine in the middle of a
 * step must not be heard.
 */
_Noreturn void mem_gone(size_t bytes);
/* Zeroed; mem_gone when there is none. Free with mem_free. */
void *mem_new(size_t bytes);
/* The same, not zeroed. */
void *mem_new_raw(size_t bytes);
/* Zeroed array; NULL when memory is gone or count * bytes overflows. */
void *mem_try_array(size_t count, size_t bytes);
/* Like realloc of an array; NULL leaves the old block as it was. New room is not zeroed. */
void *mem_try_grow(void *block, size_t count, size_t bytes);
/* NULL is fine. */
void mem_free(void *block);

#define MEM_NEW(type) ((type *)mem_new(sizeof(type)))

/* Makes sure that an array has room for one more; doubles; mem_gone without memory. */
void *mem_reserve(void *block, size_t count, size_t *capacity, size_t bytes);
/* The same for arrays of which there are millions and most of which stay short: 1, 2, 3, 4, 8. */
void *mem_reserve_tight(void *block, size_t count, size_t *capacity, size_t bytes);

#endif
