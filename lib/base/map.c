/*
 * map.c - both hash maps over one table.
 * Entries stand in an array in insertion order; an open-addressing index of entry numbers, at most
 * half full, finds them. A removed entry stays as a gap (value NULL) until the next rebuild, which
 * only a put of a new key does; so cursors survive removals.
 */
#include "lib/base/map.h"

#include <string.h>

#include "lib/base/check.h"
#include "lib/base/mem.h"

enum {
    MAP_ENTRIES_MIN = 8,
    MAP_GAP_FACTOR = 4, /* rebuild when the array is this many times longer than its content */
};

#define MAP_ENTRIES_MAX ((size_t)1 << 31)
#define MAP_NOT_FOUND   SIZE_MAX

struct map_entry {
    uint64_t hash;
    uint64_t number; /* the key, or the length of the bytes that are the key */
    uint8_t *bytes;  /* owned; NULL for numbers */
    void *value;     /* NULL: a gap */
};

struct map_table {
    struct map_entry *entries;
    uint32_t *index; /* 2 * capacity slots: 0 empty, else entry number + 1 */
    size_t capacity; /* a power of two, or 0 */
    size_t used;     /* entries written, gaps included */
    size_t first;    /* all entries before this one are gaps */
    size_t count;
};

struct map {
    struct map_table table;
};

struct map_u64 {
    struct map_table table;
};

struct map_key {
    uint64_t hash;
    uint64_t number;
    const uint8_t *bytes; /* NULL for numbers */
};

static struct map_key map_key_of_slice(struct slice slice)
{
    static const uint8_t nothing[1];
    return (struct map_key){.hash = slice_hash(slice, 0),
                            .number = slice.length,
                            .bytes = slice.data == NULL ? nothing : slice.data};
}

static struct map_key map_key_of_number(uint64_t number)
{
    /* The finalizer of splitmix64: every input bit reaches every output bit. */
    uint64_t hash = number + 0x9e3779b97f4a7c15u;
    hash = (hash ^ (hash >> 30)) * 0xbf58476d1ce4e5b9u;
    hash = (hash ^ (hash >> 27)) * 0x94d049bb133111ebu;
    return (struct map_key){.hash = hash ^ (hash >> 31), .number = number};
}

static bool map_entry_matches(const struct map_entry *entry, struct map_key key)
{
    if (entry->value == NULL || entry->hash != key.hash || entry->number != key.number)
        return false;
    return key.bytes == NULL || memcmp(entry->bytes, key.bytes, (size_t)key.number) == 0;
}

static size_t table_find(const struct map_table *table, struct map_key key)
{
    if (table->count == 0)
        return MAP_NOT_FOUND;
    size_t mask = table->capacity * 2 - 1;
    for (size_t slot = (size_t)key.hash & mask; table->index[slot] != 0; slot = (slot + 1) & mask) {
        size_t entry = table->index[slot] - 1;
        if (map_entry_matches(&table->entries[entry], key))
            return entry;
    }
    return MAP_NOT_FOUND;
}

static void table_index_entry(struct map_table *table, size_t entry)
{
    size_t mask = table->capacity * 2 - 1;
    size_t slot = (size_t)table->entries[entry].hash & mask;
    while (table->index[slot] != 0)
        slot = (slot + 1) & mask;
    table->index[slot] = (uint32_t)(entry + 1);
}

/* What must not fail stays clear of the fault point. NULL only when may_fail. */
static void *table_allocate(size_t count, size_t bytes, bool may_fail)
{
    return may_fail ? mem_try_array(count, bytes) : mem_new(count * bytes);
}

/* Copies the content without gaps into arrays that have room for at least as much again. */
static enum status table_rebuild(struct map_table *table, bool may_fail)
{
    size_t capacity = MAP_ENTRIES_MIN;
    while (capacity < table->count * 2)
        capacity *= 2;
    if (capacity > MAP_ENTRIES_MAX)
        return ERR_LIMIT;
    struct map_entry *entries = table_allocate(capacity, sizeof(*entries), may_fail);
    uint32_t *index = table_allocate(capacity * 2, sizeof(*index), may_fail);
    if (entries == NULL || index == NULL) {
        mem_free(entries);
        mem_free(index);
        return ERR_NO_MEMORY;
    }
    struct map_table rebuilt = {.entries = entries, .index = index, .capacity = capacity};
    for (size_t i = table->first; i < table->used; i++) {
        if (table->entries[i].value == NULL)
            continue;
        entries[rebuilt.used] = table->entries[i];
        table_index_entry(&rebuilt, rebuilt.used++);
    }
    rebuilt.count = rebuilt.used;
    CHECK(rebuilt.count == table->count);
    mem_free(table->entries);
    mem_free(table->index);
    *table = rebuilt;
    return OK;
}

static enum status table_put(
    struct map_table *table, struct map_key key, void *value, bool may_fail, void **ret_replaced)
{
    CHECK(value != NULL);
    size_t found = table_find(table, key);
    if (found != MAP_NOT_FOUND) {
        *ret_replaced = table->entries[found].value;
        table->entries[found].value = value;
        return OK;
    }
    uint8_t *bytes = NULL;
    if (key.bytes != NULL) {
        bytes = table_allocate((size_t)key.number, 1, may_fail);
        if (bytes == NULL)
            return ERR_NO_MEMORY;
        memcpy(bytes, key.bytes, (size_t)key.number);
    }
    bool is_sparse = table->used > MAP_GAP_FACTOR * (table->count + MAP_ENTRIES_MIN);
    if (table->used == table->capacity || is_sparse) {
        enum status status = table_rebuild(table, may_fail);
        if (status != OK) {
            mem_free(bytes);
            return status;
        }
    }
    table->entries[table->used] =
        (struct map_entry){.hash = key.hash, .number = key.number, .bytes = bytes, .value = value};
    table_index_entry(table, table->used);
    table->used++;
    table->count++;
    *ret_replaced = NULL;
    return OK;
}

static void *table_get(const struct map_table *table, struct map_key key)
{
    size_t found = table_find(table, key);
    return found == MAP_NOT_FOUND ? NULL : table->entries[found].value;
}

static void *table_remove(struct map_table *table, struct map_key key)
{
    size_t found = table_find(table, key);
    if (found == MAP_NOT_FOUND)
        return NULL;
    struct map_entry *entry = &table->entries[found];
    void *value = entry->value;
    mem_free(entry->bytes);
    entry->bytes = NULL;
    entry->value = NULL;
    table->count--;
    while (table->first < table->used && table->entries[table->first].value == NULL)
        table->first++;
    return value;
}

static const struct map_entry *table_next(const struct map_table *table, size_t *cursor)
{
    size_t at = *cursor < table->first ? table->first : *cursor;
    while (at < table->used && table->entries[at].value == NULL)
        at++;
    if (at >= table->used) {
        *cursor = table->used;
        return NULL;
    }
    *cursor = at + 1;
    return &table->entries[at];
}

static void table_clear(struct map_table *table)
{
    for (size_t i = table->first; i < table->used; i++)
        mem_free(table->entries[i].bytes);
    mem_free(table->entries);
    mem_free(table->index);
    *table = (struct map_table){0};
}

struct map *map_open(void)
{
    return MEM_NEW(struct map);
}

void map_close(struct map *map)
{
    if (map == NULL)
        return;
    table_clear(&map->table);
    mem_free(map);
}

size_t map_count(const struct map *map)
{
    return map->table.count;
}

void *map_get(const struct map *map, struct slice key)
{
    return table_get(&map->table, map_key_of_slice(key));
}

enum status map_try_put(struct map *map, struct slice key, void *value, void **ret_replaced)
{
    return table_put(&map->table, map_key_of_slice(key), value, true, ret_replaced);
}

void *map_put(struct map *map, struct slice key, void *value)
{
    void *replaced = NULL;
    CHECK(table_put(&map->table, map_key_of_slice(key), value, false, &replaced) == OK);
    return replaced;
}

void *map_remove(struct map *map, struct slice key)
{
    return table_remove(&map->table, map_key_of_slice(key));
}

bool map_next(const struct map *map, size_t *cursor, struct slice *ret_key, void **ret_value)
{
    const struct map_entry *entry = table_next(&map->table, cursor);
    if (entry == NULL)
        return false;
    if (ret_key != NULL)
        *ret_key = slice_make(entry->bytes, (size_t)entry->number);
    if (ret_value != NULL)
        *ret_value = entry->value;
    return true;
}

void map_clear(struct map *map)
{
    table_clear(&map->table);
}

struct map_u64 *map_u64_open(void)
{
    return MEM_NEW(struct map_u64);
}

void map_u64_close(struct map_u64 *map)
{
    if (map == NULL)
        return;
    table_clear(&map->table);
    mem_free(map);
}

size_t map_u64_count(const struct map_u64 *map)
{
    return map->table.count;
}

void *map_u64_get(const struct map_u64 *map, uint64_t key)
{
    return table_get(&map->table, map_key_of_number(key));
}

enum status map_u64_try_put(struct map_u64 *map, uint64_t key, void *value, void **ret_replaced)
{
    return table_put(&map->table, map_key_of_number(key), value, true, ret_replaced);
}

void *map_u64_put(struct map_u64 *map, uint64_t key, void *value)
{
    void *replaced = NULL;
    CHECK(table_put(&map->table, map_key_of_number(key), value, false, &replaced) == OK);
    return replaced;
}

void *map_u64_remove(struct map_u64 *map, uint64_t key)
{
    return table_remove(&map->table, map_key_of_number(key));
}

bool map_u64_next(const struct map_u64 *map, size_t *cursor, uint64_t *ret_key, void **ret_value)
{
    const struct map_entry *entry = table_next(&map->table, cursor);
    if (entry == NULL)
        return false;
    if (ret_key != NULL)
        *ret_key = entry->number;
    if (ret_value != NULL)
        *ret_value = entry->value;
    return true;
}

void map_u64_clear(struct map_u64 *map)
{
    table_clear(&map->table);
}
