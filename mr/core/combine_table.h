/*
 * combine_table.h - the map side's table of aggregated keys: one probe for each emission, one entry
 * for each distinct key; sorted only when it spills.
 */
#ifndef MILLRACE_MR_CORE_COMBINE_TABLE_H
#define MILLRACE_MR_CORE_COMBINE_TABLE_H

#include "mr/core/sort.h"

struct combine_table {
    uint64_t *slots; /* high half: of the hash; low half: entry's place in data / 8, plus 1 */
    size_t slot_count;
    uint8_t *data; /* for each entry: value (8), key length (4), partition (4), key, padding to 8 */
    size_t used;
    size_t capacity;
    size_t count;
    struct sort_entry *entries; /* room for 2 * count, once sorted */
    size_t *first;              /* partitions + 1, once sorted */
    uint32_t partitions;
    size_t memory_bytes;
    enum mr_aggregator aggregator;
    enum mr_value_type type;
};

struct combine_cursor {
    struct record_cursor cursor; /* combine_table's next */
    const struct combine_table *table;
    size_t at;
    size_t end;
    uint8_t value[8];
};

enum combine_result {
    COMBINE_FOLDED, /* the key was there */
    COMBINE_NEW,    /* it is not: call combine_table_insert */
    COMBINE_RESULT_COUNT
};

MUST_USE enum status combine_table_open(struct combine_table *table,
                                        uint32_t partitions,
                                        size_t memory_bytes,
                                        const struct mr_job *job);
void combine_table_close(struct combine_table *table); /* a zeroed one is fine */

/*
 * Starts to fetch what a fold with this hash will read: first the slot, later (once that is there)
 * the entry. A table beyond the caches is many times faster when its probes overlap.
 */
static inline uint32_t combine_tag(uint64_t hash)
{
    return (uint32_t)(hash >> 32);
}

static inline void combine_table_prefetch_slot(const struct combine_table *table, uint64_t hash)
{
    __builtin_prefetch(&table->slots[combine_tag(hash) & (table->slot_count - 1)], 0);
}

static inline void combine_table_prefetch_entry(const struct combine_table *table, uint64_t hash)
{
    uint64_t slot = table->slots[combine_tag(hash) & (table->slot_count - 1)];
    if (slot != 0)
        __builtin_prefetch(table->data + ((slot & UINT32_MAX) - 1) * 8, 1);
}

/* hash: slice_hash(key, 0). */
enum combine_result combine_table_fold(struct combine_table *table,
                                       struct slice key,
                                       uint64_t hash,
                                       uint64_t bits);
/*
 * False when one more key would take the table beyond its memory (counted as in sort_buffer_fits).
 * An empty table takes any key.
 */
bool combine_table_fits(const struct combine_table *table, size_t key_bytes);
/* key must not be in the table. ERR_NO_MEMORY leaves the table as it was. */
MUST_USE enum status combine_table_insert(struct combine_table *table,
                                          struct slice key,
                                          uint64_t hash,
                                          uint32_t partition,
                                          uint64_t bits);
/* After this only walks, until the table is cleared. */
MUST_USE enum status combine_table_sort(struct combine_table *table, const struct key_order *order);
void combine_table_walk(const struct combine_table *table,
                        uint32_t partition,
                        struct combine_cursor *ret_cursor);
void combine_table_clear(struct combine_table *table); /* keeps the memory */

#endif
