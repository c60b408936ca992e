/*
 * arena.h - a batch of allocations freed at once.
 */
#ifndef MILLRACE_LIB_BASE_ARENA_H
#define MILLRACE_LIB_BASE_ARENA_H

#include "lib/base/slice.h"

struct arena;

/* bytes_max: the arena's limit, 0 for none. Never NULL (mem_gone without memory). */
struct arena *arena_open(size_t bytes_max);
/* Zeroed, aligned to 16 bytes; NULL when the limit or memory is reached. */
void *arena_try(struct arena *arena, size_t bytes);
/* Why arena_try of so many bytes answers NULL: true, its own limit; false, there is no memory. */
bool arena_is_at_limit(const struct arena *arena, size_t bytes);
/* The same as arena_try, but mem_gone instead of NULL: for small objects of our own. */
void *arena_new(struct arena *arena, size_t bytes);
/* Copies bytes into the arena (a NUL follows them, not counted); mem_gone without memory. */
struct slice arena_copy(struct arena *arena, struct slice slice);
/* printf into the arena; a NUL follows. */
struct slice arena_format(struct arena *arena, const char *format, ...)
    __attribute__((format(printf, 2, 3)));
size_t arena_bytes(const struct arena *arena);
/* Frees all allocations but keeps the first chunk for reuse. */
void arena_reset(struct arena *arena);
void arena_close(struct arena *arena); /* NULL is fine */

#define ARENA_NEW(arena, type)          ((type *)arena_new((arena), sizeof(type)))
#define ARENA_ARRAY(arena, type, count) ((type *)arena_new((arena), sizeof(type) * (count)))

#endif
