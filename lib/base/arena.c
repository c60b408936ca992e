/*
 * arena.c - bump allocation from chunks. A chunk is a header and its room; the newest is in front.
 * Invariant: the chunk at the end of the chain is the one that arena_reset keeps.
 */
#include "lib/base/arena.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "lib/base/check.h"
#include "lib/base/mem.h"

enum {
    ARENA_ALIGNMENT = 16,
    ARENA_CHUNK_BYTES_MIN = 4096,
    ARENA_CHUNK_BYTES_MAX = 1024 * 1024,
};

struct arena_chunk {
    struct arena_chunk *older;
    size_t room; /* bytes behind the header */
    size_t used;
    size_t padding; /* keeps the header a multiple of ARENA_ALIGNMENT */
};

_Static_assert(sizeof(struct arena_chunk) % ARENA_ALIGNMENT == 0, "allocations stay aligned");

struct arena {
    struct arena_chunk *newest;
    size_t bytes; /* handed out, rounded up */
    size_t bytes_max;
    size_t chunk_bytes; /* room of the next ordinary chunk */
};

struct arena *arena_open(size_t bytes_max)
{
    struct arena *arena = MEM_NEW(struct arena);
    arena->bytes_max = bytes_max;
    arena->chunk_bytes = ARENA_CHUNK_BYTES_MIN - sizeof(struct arena_chunk);
    return arena;
}

static bool arena_add_chunk(struct arena *arena, size_t bytes, bool may_fail)
{
    size_t room = bytes > arena->chunk_bytes ? bytes : arena->chunk_bytes;
    if (room > SIZE_MAX - sizeof(struct arena_chunk))
        return false;
    size_t total = room + sizeof(struct arena_chunk);
    struct arena_chunk *chunk = may_fail ? mem_try_grow(NULL, total, 1) : mem_new_raw(total);
    if (chunk == NULL)
        return false;
    *chunk = (struct arena_chunk){.older = arena->newest, .room = room};
    arena->newest = chunk;
    if (arena->chunk_bytes < ARENA_CHUNK_BYTES_MAX / 2)
        arena->chunk_bytes *= 2;
    return true;
}

static size_t arena_round(size_t bytes)
{
    size_t rounded = bytes == 0 ? ARENA_ALIGNMENT : bytes + (ARENA_ALIGNMENT - 1);
    return rounded - rounded % ARENA_ALIGNMENT;
}

bool arena_is_at_limit(const struct arena *arena, size_t bytes)
{
    if (bytes > SIZE_MAX - ARENA_ALIGNMENT)
        return true;
    size_t rounded = arena_round(bytes);
    return arena->bytes_max != 0 &&
           (rounded > arena->bytes_max || arena->bytes > arena->bytes_max - rounded);
}

/* Not zeroed; NULL at the limit or without memory. */
static void *arena_take(struct arena *arena, size_t bytes, bool may_fail)
{
    if (arena_is_at_limit(arena, bytes))
        return NULL;
    size_t rounded = arena_round(bytes);
    struct arena_chunk *chunk = arena->newest;
    if (chunk == NULL || chunk->room - chunk->used < rounded) {
        if (!arena_add_chunk(arena, rounded, may_fail))
            return NULL;
        chunk = arena->newest;
    }
    uint8_t *block = (uint8_t *)(chunk + 1) + chunk->used;
    chunk->used += rounded;
    arena->bytes += rounded;
    return block;
}

void *arena_try(struct arena *arena, size_t bytes)
{
    void *block = arena_take(arena, bytes, true);
    if (block != NULL)
        memset(block, 0, bytes);
    return block;
}

void *arena_new(struct arena *arena, size_t bytes)
{
    void *block = arena_take(arena, bytes, false);
    CHECK(block != NULL);
    memset(block, 0, bytes);
    return block;
}

struct slice arena_copy(struct arena *arena, struct slice slice)
{
    CHECK(slice.length < SIZE_MAX);
    uint8_t *copy = arena_take(arena, slice.length + 1, false);
    CHECK(copy != NULL);
    if (slice.length > 0)
        memcpy(copy, slice.data, slice.length);
    copy[slice.length] = '\0';
    return slice_make(copy, slice.length);
}

struct slice arena_format(struct arena *arena, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    va_list again;
    va_copy(again, arguments);
    int length = vsnprintf(NULL, 0, format, arguments);
    va_end(arguments);
    CHECK(length >= 0);
    char *text = arena_take(arena, (size_t)length + 1, false);
    CHECK(text != NULL);
    (void)vsnprintf(text, (size_t)length + 1, format, again);
    va_end(again);
    return slice_make(text, (size_t)length);
}

size_t arena_bytes(const struct arena *arena)
{
    return arena->bytes;
}

void arena_reset(struct arena *arena)
{
    struct arena_chunk *chunk = arena->newest;
    while (chunk != NULL && chunk->older != NULL) {
        struct arena_chunk *older = chunk->older;
        mem_free(chunk);
        chunk = older;
    }
    if (chunk != NULL)
        chunk->used = 0;
    arena->newest = chunk;
    arena->bytes = 0;
}

void arena_close(struct arena *arena)
{
    if (arena == NULL)
        return;
    arena_reset(arena);
    mem_free(arena->newest);
    mem_free(arena);
}
