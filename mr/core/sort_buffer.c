/*
 * sort_buffer.c - records behind each other, 24-byte references to them, one sort.
 */
#include "mr/core/sort_buffer.h"

#include "lib/base/mem.h"
#include "lib/base/varint.h"

enum {
    VALUE_LENGTH_BYTES = 4,
    PREFETCH_AHEAD = 12
};

enum status sort_buffer_open(struct sort_buffer *buffer, uint32_t partitions, size_t memory_bytes)
{
    *buffer = (struct sort_buffer){.partitions = partitions, .memory_bytes = memory_bytes};
    buffer->first = mem_try_array(partitions + (size_t)1, sizeof(*buffer->first));
    return buffer->first != NULL ? OK : ERR_NO_MEMORY;
}

void sort_buffer_close(struct sort_buffer *buffer)
{
    mem_free(buffer->data);
    mem_free(buffer->entries);
    mem_free(buffer->room);
    mem_free(buffer->first);
    *buffer = (struct sort_buffer){0};
}

bool sort_buffer_fits(const struct sort_buffer *buffer, size_t key_bytes, size_t value_bytes)
{
    size_t used = buffer->used + key_bytes + value_bytes + VALUE_LENGTH_BYTES;
    size_t references = (buffer->count + 1) * 2 * sizeof(struct sort_entry);
    return buffer->count == 0 || used + references <= buffer->memory_bytes;
}

static bool make_room(struct sort_buffer *buffer, size_t bytes)
{
    if (buffer->capacity - buffer->used < bytes) {
        size_t capacity = buffer->capacity == 0 ? 64 << 10 : buffer->capacity * 2;
        uint8_t *data;
        if (capacity - buffer->used < bytes)
            capacity = buffer->used + bytes;
        data = mem_try_grow(buffer->data, capacity, 1);
        if (data == NULL)
            return false;
        buffer->data = data;
        buffer->capacity = capacity;
    }
    if (buffer->count == buffer->entry_capacity) {
        size_t capacity = buffer->entry_capacity == 0 ? 1024 : buffer->entry_capacity * 2;
        struct sort_entry *entries = mem_try_grow(buffer->entries, capacity, sizeof(*entries));
        if (entries == NULL)
            return false;
        buffer->entries = entries;
        buffer->entry_capacity = capacity;
    }
    return true;
}

enum status sort_buffer_add(struct sort_buffer *buffer, uint32_t partition, struct record record)
{
    uint8_t *at;

    if (!make_room(buffer, record.key.length + record.value.length + VALUE_LENGTH_BYTES))
        return ERR_NO_MEMORY;
    buffer->entries[buffer->count++] = (struct sort_entry){
        .prefix = key_prefix(record.key),
        .offset = buffer->used,
        .key_length = (uint32_t)record.key.length,
        .partition = partition,
    };
    at = buffer->data + buffer->used;
    if (record.key.length > 0)
        memcpy(at, record.key.data, record.key.length);
    at += record.key.length;
    fixed_put_u32(at, (uint32_t)record.value.length);
    at += VALUE_LENGTH_BYTES;
    if (record.value.length > 0)
        memcpy(at, record.value.data, record.value.length);
    buffer->used += record.key.length + VALUE_LENGTH_BYTES + record.value.length;
    return OK;
}

enum status sort_buffer_sort(struct sort_buffer *buffer, const struct key_order *order)
{
    if (buffer->room_capacity < buffer->count) {
        mem_free(buffer->room);
        buffer->room_capacity = 0;
        buffer->room = mem_try_grow(NULL, buffer->count, sizeof(*buffer->room));
        if (buffer->room == NULL)
            return ERR_NO_MEMORY;
        buffer->room_capacity = buffer->count;
    }
    sort_entries(buffer->data, buffer->entries, buffer->room, buffer->count, buffer->partitions,
                 order, buffer->first);
    return OK;
}

static enum status sort_cursor_next(struct record_cursor *cursor,
                                    struct record *ret_record,
                                    bool *ret_has,
                                    struct error *reterr_error)
{
    struct sort_cursor *walk = (struct sort_cursor *)(void *)cursor;
    const struct sort_entry *entry;
    const uint8_t *key;

    (void)reterr_error; /* memory cannot fail */
    *ret_has = walk->at < walk->end;
    if (!*ret_has)
        return OK;
    entry = &walk->buffer->entries[walk->at++];
    /* Records lie as they were emitted: each is somewhere else. */
    if (walk->end - walk->at >= PREFETCH_AHEAD) {
        const uint8_t *ahead = walk->buffer->data + entry[PREFETCH_AHEAD].offset;
        __builtin_prefetch(ahead);
        __builtin_prefetch(ahead + 64);
    }
    key = walk->buffer->data + entry->offset;
    ret_record->key = slice_make(key, entry->key_length);
    ret_record->value = slice_make(key + entry->key_length + VALUE_LENGTH_BYTES,
                                   fixed_get_u32(key + entry->key_length));
    return OK;
}

void sort_buffer_walk(const struct sort_buffer *buffer,
                      uint32_t partition,
                      struct sort_cursor *ret_cursor)
{
    *ret_cursor = (struct sort_cursor){
        .cursor = {sort_cursor_next},
        .buffer = buffer,
        .at = buffer->first[partition],
        .end = buffer->first[partition + 1],
    };
}

void sort_buffer_clear(struct sort_buffer *buffer)
{
    buffer->used = 0;
    buffer->count = 0;
}
