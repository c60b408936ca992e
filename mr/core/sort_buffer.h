/*
 * sort_buffer.h - the map side's buffer of emitted pairs, and its walks in order once sorted.
 */
#ifndef MILLRACE_MR_CORE_SORT_BUFFER_H
#define MILLRACE_MR_CORE_SORT_BUFFER_H

#include "mr/core/sort.h"

struct sort_buffer {
    uint8_t *data; /* for each record: key, value length (4 bytes), value */
    size_t used;
    size_t capacity;
    struct sort_entry *entries;
    struct sort_entry *room;
    size_t count;
    size_t entry_capacity;
    size_t room_capacity;
    size_t *first; /* partitions + 1, once sorted */
    uint32_t partitions;
    size_t memory_bytes;
};

struct sort_cursor {
    struct record_cursor cursor; /* sort_buffer's next */
    const struct sort_buffer *buffer;
    size_t at;
    size_t end;
};

MUST_USE enum status sort_buffer_open(struct sort_buffer *buffer,
                                      uint32_t partitions,
                                      size_t memory_bytes);
void sort_buffer_close(struct sort_buffer *buffer); /* a zeroed one is fine */
/*
 * False when the record would take the buffer beyond its memory, counted by what is in it, not by
 * what the allocator holds, so that spill points are the same on every node. An empty buffer takes
 * any record.
 */
bool sort_buffer_fits(const struct sort_buffer *buffer, size_t key_bytes, size_t value_bytes);
/* Copies the record. ERR_NO_MEMORY leaves the buffer as it was. */
MUST_USE enum status sort_buffer_add(struct sort_buffer *buffer,
                                     uint32_t partition,
                                     struct record record);
/* After this only walks, until the buffer is cleared. */
MUST_USE enum status sort_buffer_sort(struct sort_buffer *buffer, const struct key_order *order);
void sort_buffer_walk(const struct sort_buffer *buffer,
                      uint32_t partition,
                      struct sort_cursor *ret_cursor);
void sort_buffer_clear(struct sort_buffer *buffer); /* keeps the memory */

#endif
