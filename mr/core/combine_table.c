/*
 * combine_table.c - open addressing with linear probing over 8-byte slots. Half of a slot is hash,
 * so that a probe touches a key only when it is nearly sure to be the one, and growing reads slots
 * only.
 */
#include "mr/core/combine_table.h"

#include "lib/base/check.h"
#include "lib/base/mem.h"
#include "lib/base/varint.h"
#include "mr/core/fold.h"

enum {
    COMBINE_SLOTS_MIN = 1024,
    COMBINE_HEAD_BYTES = 16
};

static size_t entry_bytes(size_t key_bytes)
{
    return (COMBINE_HEAD_BYTES + key_bytes + 7) & ~(size_t)7;
}

enum status combine_table_open(struct combine_table *table,
                               uint32_t partitions,
                               size_t memory_bytes,
                               const struct mr_job *job)
{
    *table = (struct combine_table){
        .partitions = partitions,
        .memory_bytes = memory_bytes,
        .aggregator = job->aggregator,
        .type = job->value_type,
        .slot_count = COMBINE_SLOTS_MIN,
    };
    table->slots = mem_try_array(COMBINE_SLOTS_MIN, sizeof(*table->slots));
    table->first = mem_try_array(partitions + (size_t)1, sizeof(*table->first));
    return table->slots != NULL && table->first != NULL ? OK : ERR_NO_MEMORY;
}

void combine_table_close(struct combine_table *table)
{
    mem_free(table->slots);
    mem_free(table->data);
    mem_free(table->entries);
    mem_free(table->first);
    *table = (struct combine_table){0};
}

enum combine_result combine_table_fold(struct combine_table *table,
                                       struct slice key,
                                       uint64_t hash,
                                       uint64_t bits)
{
    size_t mask = table->slot_count - 1;
    uint32_t tag = combine_tag(hash);

    for (size_t at = tag & mask; table->slots[at] != 0; at = (at + 1) & mask) {
        uint64_t slot = table->slots[at];
        uint8_t *entry;
        uint32_t key_length;
        uint64_t old;
        if ((uint32_t)(slot >> 32) != tag)
            continue;
        entry = table->data + ((slot & UINT32_MAX) - 1) * 8;
        memcpy(&key_length, entry + 8, sizeof(key_length));
        if (key_length != key.length ||
            (key_length > 0 && memcmp(entry + COMBINE_HEAD_BYTES, key.data, key_length) != 0))
            continue;
        memcpy(&old, entry, sizeof(old));
        old = fold_bits(table->aggregator, table->type, old, bits);
        memcpy(entry, &old, sizeof(old));
        return COMBINE_FOLDED;
    }
    return COMBINE_NEW;
}

/* Three quarters full is the most. */
static bool is_full(const struct combine_table *table)
{
    return (table->count + 1) * 4 > table->slot_count * 3;
}

bool combine_table_fits(const struct combine_table *table, size_t key_bytes)
{
    size_t slots = table->slot_count * (is_full(table) ? 2 : 1);
    size_t bytes = slots * sizeof(*table->slots) + table->used + entry_bytes(key_bytes) +
                   (table->count + 1) * 2 * sizeof(struct sort_entry);
    return table->count == 0 || bytes <= table->memory_bytes;
}

static void put_slot(uint64_t *slots, size_t slot_count, uint64_t slot)
{
    size_t mask = slot_count - 1;
    size_t at = (slot >> 32) & mask;
    while (slots[at] != 0)
        at = (at + 1) & mask;
    slots[at] = slot;
}

static bool make_room(struct combine_table *table, size_t bytes)
{
    if (is_full(table)) {
        uint64_t *slots = mem_try_array(table->slot_count * 2, sizeof(*slots));
        if (slots == NULL)
            return false;
        for (size_t i = 0; i < table->slot_count; i++) {
            if (table->slots[i] != 0)
                put_slot(slots, table->slot_count * 2, table->slots[i]);
        }
        mem_free(table->slots);
        table->slots = slots;
        table->slot_count *= 2;
    }
    if (table->capacity - table->used < bytes) {
        size_t capacity = table->capacity == 0 ? 64 << 10 : table->capacity * 2;
        uint8_t *data;
        if (capacity - table->used < bytes)
            capacity = table->used + bytes;
        data = mem_try_grow(table->data, capacity, 1);
        if (data == NULL)
            return false;
        table->data = data;
        table->capacity = capacity;
    }
    return true;
}

enum status combine_table_insert(
    struct combine_table *table, struct slice key, uint64_t hash, uint32_t partition, uint64_t bits)
{
    size_t bytes = entry_bytes(key.length);
    uint32_t key_length = (uint32_t)key.length;
    uint8_t *entry;

    if (table->used / 8 >= UINT32_MAX - 1 || !make_room(table, bytes))
        return ERR_NO_MEMORY;
    entry = table->data + table->used;
    memcpy(entry, &bits, 8);
    memcpy(entry + 8, &key_length, 4);
    memcpy(entry + 12, &partition, 4);
    if (key.length > 0)
        memcpy(entry + COMBINE_HEAD_BYTES, key.data, key.length);
    put_slot(table->slots, table->slot_count,
             (uint64_t)combine_tag(hash) << 32 | (table->used / 8 + 1));
    table->used += bytes;
    table->count++;
    return OK;
}

enum status combine_table_sort(struct combine_table *table, const struct key_order *order)
{
    size_t offset = 0;

    mem_free(table->entries);
    table->entries = mem_try_grow(NULL, 2 * table->count + 1, sizeof(*table->entries));
    if (table->entries == NULL)
        return ERR_NO_MEMORY;
    for (size_t i = 0; i < table->count; i++) {
        struct sort_entry *entry = &table->entries[i];
        const uint8_t *head = table->data + offset;
        memcpy(&entry->key_length, head + 8, 4);
        memcpy(&entry->partition, head + 12, 4);
        entry->offset = offset + COMBINE_HEAD_BYTES;
        entry->prefix = key_prefix(slice_make(head + COMBINE_HEAD_BYTES, entry->key_length));
        offset += entry_bytes(entry->key_length);
    }
    CHECK(offset == table->used);
    sort_entries(table->data, table->entries, table->entries + table->count, table->count,
                 table->partitions, order, table->first);
    return OK;
}

static enum status combine_cursor_next(struct record_cursor *cursor,
                                       struct record *ret_record,
                                       bool *ret_has,
                                       struct error *reterr_error)
{
    struct combine_cursor *walk = (struct combine_cursor *)(void *)cursor;
    const struct sort_entry *entry;
    uint64_t bits;

    (void)reterr_error; /* memory cannot fail */
    *ret_has = walk->at < walk->end;
    if (!*ret_has)
        return OK;
    entry = &walk->table->entries[walk->at++];
    ret_record->key = slice_make(walk->table->data + entry->offset, entry->key_length);
    memcpy(&bits, walk->table->data + entry->offset - COMBINE_HEAD_BYTES, sizeof(bits));
    fixed_put_u64(walk->value, bits);
    ret_record->value = slice_make(walk->value, sizeof(walk->value));
    return OK;
}

void combine_table_walk(const struct combine_table *table,
                        uint32_t partition,
                        struct combine_cursor *ret_cursor)
{
    *ret_cursor = (struct combine_cursor){
        .cursor = {combine_cursor_next},
        .table = table,
        .at = table->first[partition],
        .end = table->first[partition + 1],
    };
}

void combine_table_clear(struct combine_table *table)
{
    memset(table->slots, 0, table->slot_count * sizeof(*table->slots));
    mem_free(table->entries);
    table->entries = NULL;
    table->used = 0;
    table->count = 0;
}
