/*
 * map.h - hash maps from byte strings or 64-bit numbers to pointers.
 * Iteration follows insertion order, whatever the hash function does, so that a machine that walks
 * a map takes the same steps on every host. Values are borrowed: the map never frees them, and NULL
 * is not a value.
 */
#ifndef MILLRACE_LIB_BASE_MAP_H
#define MILLRACE_LIB_BASE_MAP_H

#include "lib/base/slice.h"
#include "lib/base/status.h"

struct map;     /* keys are copied into the map */
struct map_u64; /* keys are numbers */

struct map *map_open(void);
void map_close(struct map *map); /* frees the keys, not the values; NULL is fine */
size_t map_count(const struct map *map);
/* NULL when absent. */
void *map_get(const struct map *map, struct slice key);
/*
 * Stores value (not NULL) under key and returns the value that was there, or NULL. A replaced value
 * keeps its place in the order. mem_gone without memory.
 */
void *map_put(struct map *map, struct slice key, void *value);
/* The same for keys that come from outside: ERR_NO_MEMORY leaves the map as it was. */
MUST_USE enum status map_try_put(struct map *map,
                                 struct slice key,
                                 void *value,
                                 void **ret_replaced);
/* Returns the removed value, or NULL when key was absent. */
void *map_remove(struct map *map, struct slice key);
/*
 * Walks in insertion order: start with *cursor 0, stop at false. ret_key (borrowed from the map)
 * and ret_value may be NULL. During the walk any key may be removed and any value replaced, but no
 * new key put.
 */
bool map_next(const struct map *map, size_t *cursor, struct slice *ret_key, void **ret_value);
/* Removes all keys. */
void map_clear(struct map *map);

/* The same for numbers; each function promises what its twin above does. */
struct map_u64 *map_u64_open(void);
void map_u64_close(struct map_u64 *map);
size_t map_u64_count(const struct map_u64 *map);
void *map_u64_get(const struct map_u64 *map, uint64_t key);
void *map_u64_put(struct map_u64 *map, uint64_t key, void *value);
MUST_USE enum status map_u64_try_put(struct map_u64 *map,
                                     uint64_t key,
                                     void *value,
                                     void **ret_replaced);
void *map_u64_remove(struct map_u64 *map, uint64_t key);
bool map_u64_next(const struct map_u64 *map, size_t *cursor, uint64_t *ret_key, void **ret_value);
void map_u64_clear(struct map_u64 *map);

#endif
