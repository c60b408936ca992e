/*
 * sort.h - sorts references to keys: by partition, then key, then order of arrival.
 */
#ifndef MILLRACE_MR_CORE_SORT_H
#define MILLRACE_MR_CORE_SORT_H

#include "mr/core/record.h"

/* A key at base + offset; offsets grow in order of arrival, so they break ties. */
struct sort_entry {
    uint64_t prefix; /* key_prefix of the key */
    uint64_t offset;
    uint32_t key_length;
    uint32_t partition;
};

/*
 * Sorts count entries, which are in order of arrival. room: as many entries, overwritten.
 * ret_first: partitions + 1 numbers; partition p is entries[ret_first[p]] up to entries[ret_first[p
 * + 1]]. The result is in entries. order as in record.h; with a compare of its own the result is
 * stable whatever it answers.
 */
void sort_entries(const uint8_t *base,
                  struct sort_entry *entries,
                  struct sort_entry *room,
                  size_t count,
                  uint32_t partitions,
                  const struct key_order *order,
                  size_t *ret_first);

#endif
