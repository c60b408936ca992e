/*
 * mem.c - allocation. The calls that may fail and those that end the process have fault points of
 * their own: failing one of the latter would end the test instead of reaching an error path.
 */
#include "lib/base/mem.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "lib/base/check.h"
#include "lib/base/fault.h"

_Noreturn void mem_gone(size_t bytes)
{
    (void)fprintf(stderr, "out of memory: %zu bytes were not to be had; ending\n", bytes);
    _Exit(MEM_EXIT_CODE);
}

void *mem_new(size_t bytes)
{
    void *block = fault_hit(FAULT_MEM_NEW) ? NULL : calloc(1, bytes == 0 ? 1 : bytes);
    if (block == NULL)
        mem_gone(bytes);
    return block;
}

void *mem_new_raw(size_t bytes)
{
    void *block = fault_hit(FAULT_MEM_NEW) ? NULL : malloc(bytes == 0 ? 1 : bytes);
    if (block == NULL)
        mem_gone(bytes);
    return block;
}

void *mem_try_array(size_t count, size_t bytes)
{
    if (fault_hit(FAULT_MEM))
        return NULL;
    if (count == 0 || bytes == 0)
        return calloc(1, 1);
    /* calloc would refuse it too, but sanitizers take that for a bug. */
    if (count > SIZE_MAX / bytes)
        return NULL;
    return calloc(count, bytes);
}

void *mem_try_grow(void *block, size_t count, size_t bytes)
{
    if (fault_hit(FAULT_MEM))
        return NULL;
    if (bytes != 0 && count > SIZE_MAX / bytes)
        return NULL;
    size_t total = count * bytes;
    return realloc(block, total == 0 ? 1 : total);
}

void mem_free(void *block)
{
    free(block);
}

static void *reserve(void *block, size_t count, size_t *capacity, size_t grown, size_t bytes)
{
    CHECK(bytes > 0);
    CHECK(grown > count);
    CHECK(grown <= SIZE_MAX / bytes);
    void *moved = fault_hit(FAULT_MEM_NEW) ? NULL : realloc(block, grown * bytes);
    if (moved == NULL)
        mem_gone(grown * bytes);
    *capacity = grown;
    return moved;
}

void *mem_reserve(void *block, size_t count, size_t *capacity, size_t bytes)
{
    if (count < *capacity)
        return block;
    return reserve(block, count, capacity, *capacity < 8 ? 8 : *capacity * 2, bytes);
}

void *mem_reserve_tight(void *block, size_t count, size_t *capacity, size_t bytes)
{
    if (count < *capacity)
        return block;
    return reserve(block, count, capacity, *capacity < 4 ? *capacity + 1 : *capacity * 2, bytes);
}
