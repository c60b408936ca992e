/*
 * mem.c - allocation. Only the calls that may fail pass the fault point: failing one that aborts
 * would end the test instead of reaching an error path.
 */
#include "lib/base/mem.h"

#include <stdint.h>
#include <stdlib.h>

#include "lib/base/check.h"
#include "lib/base/fault.h"

void *mem_new(size_t bytes)
{
    void *block = calloc(1, bytes == 0 ? 1 : bytes);
    CHECK(block != NULL);
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
    void *moved = realloc(block, grown * bytes);
    CHECK(moved != NULL);
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
