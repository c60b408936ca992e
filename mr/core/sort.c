/*
 * sort.c - a counting pass by partition, radix passes over the 8-byte prefix, and a merge sort
 * where prefixes tie (or for everything when the job brings its own compare).
 */
#include "mr/core/sort.h"

enum {
    SORT_RADIX_MIN = 128, /* below, merging is faster than eight histograms */
    SORT_INSERT_MAX = 12
};

struct sort_job {
    const uint8_t *base;
    const struct key_order *order;
};

static int compare_entries(const struct sort_job *job,
                           const struct sort_entry *left,
                           const struct sort_entry *right)
{
    if (job->order->compare == NULL) {
        if (left->prefix != right->prefix)
            return left->prefix < right->prefix ? -1 : 1;
        /* The prefix pads with zeros, so short keys that tie there differ in length at most. */
        if (left->key_length <= 8 || right->key_length <= 8)
            return left->key_length < right->key_length ? -1 : left->key_length > right->key_length;
    }
    return key_order_compare(job->order, slice_make(job->base + left->offset, left->key_length),
                             slice_make(job->base + right->offset, right->key_length));
}

static void insert_sort(const struct sort_job *job, struct sort_entry *entries, size_t count)
{
    for (size_t i = 1; i < count; i++) {
        struct sort_entry entry = entries[i];
        size_t at = i;
        while (at > 0 && compare_entries(job, &entry, &entries[at - 1]) < 0) {
            entries[at] = entries[at - 1];
            at--;
        }
        entries[at] = entry;
    }
}

/* Stable; the left half wins ties, so arrival order survives any compare. Depth: log2(count). */
static void merge_sort(const struct sort_job *job,
                       struct sort_entry *entries,
                       struct sort_entry *room,
                       size_t count)
{
    size_t half = count / 2;
    size_t left = 0;
    size_t right = half;
    size_t out = 0;

    if (count <= SORT_INSERT_MAX) {
        insert_sort(job, entries, count);
        return;
    }
    merge_sort(job, entries, room, half);
    merge_sort(job, entries + half, room + half, count - half);
    if (compare_entries(job, &entries[half - 1], &entries[half]) <= 0)
        return;
    memcpy(room, entries, half * sizeof(*entries));
    while (left < half && right < count) {
        if (compare_entries(job, &room[left], &entries[right]) <= 0)
            entries[out++] = room[left++];
        else
            entries[out++] = entries[right++];
    }
    memcpy(entries + out, room + left, (half - left) * sizeof(*entries));
}

/*
 * Sorts by as many of the prefix's leading bytes as tell count entries apart if keys are spread
 * well: least significant of these first, without those that are the same everywhere. Returns the
 * mask of the bytes before which nothing is sorted any more: entries whose masked prefixes differ
 * are in order.
 */
static uint64_t radix_sort(struct sort_entry *entries, struct sort_entry *room, size_t count)
{
    static const size_t digits = 256;
    size_t counts[8][256] = {{0}};
    struct sort_entry *from = entries;
    struct sort_entry *to = room;
    unsigned wanted = 1;
    unsigned lowest = 8;

    for (size_t rest = count; rest > 0; rest >>= 8)
        wanted++;
    for (size_t i = 0; i < count; i++) {
        for (unsigned byte = 0; byte < 8; byte++)
            counts[byte][entries[i].prefix >> (8 * byte) & 0xff]++;
    }
    while (lowest > 0 && wanted > 0) {
        lowest--;
        wanted -= counts[lowest][entries[0].prefix >> (8 * lowest) & 0xff] < count;
    }
    for (unsigned byte = lowest; byte < 8; byte++) {
        size_t *starts = counts[byte];
        struct sort_entry *swap = from;
        size_t sum = 0;
        if (starts[from[0].prefix >> (8 * byte) & 0xff] == count)
            continue;
        for (size_t digit = 0; digit < digits; digit++) {
            size_t here = starts[digit];
            starts[digit] = sum;
            sum += here;
        }
        for (size_t i = 0; i < count; i++)
            to[starts[from[i].prefix >> (8 * byte) & 0xff]++] = from[i];
        from = to;
        to = swap;
    }
    if (from != entries)
        memcpy(entries, from, count * sizeof(*entries));
    return UINT64_MAX << (8 * lowest);
}

static void sort_ties(const struct sort_job *job,
                      struct sort_entry *entries,
                      struct sort_entry *room,
                      size_t count,
                      uint64_t mask)
{
    for (size_t first = 0; first < count;) {
        size_t last = first + 1;
        while (last < count && ((entries[last].prefix ^ entries[first].prefix) & mask) == 0)
            last++;
        if (last - first > 1)
            merge_sort(job, entries + first, room, last - first);
        first = last;
    }
}

static void sort_partition(const struct sort_job *job,
                           struct sort_entry *entries,
                           struct sort_entry *room,
                           size_t count)
{
    if (count < SORT_RADIX_MIN || job->order->compare != NULL) {
        merge_sort(job, entries, room, count);
        return;
    }
    sort_ties(job, entries, room, count, radix_sort(entries, room, count));
}

void sort_entries(const uint8_t *base,
                  struct sort_entry *entries,
                  struct sort_entry *room,
                  size_t count,
                  uint32_t partitions,
                  const struct key_order *order,
                  size_t *ret_first)
{
    struct sort_job job = {base, order};

    memset(ret_first, 0, (partitions + (size_t)1) * sizeof(*ret_first));
    if (partitions > 1 && count > 0) {
        for (size_t i = 0; i < count; i++)
            ret_first[entries[i].partition]++;
        for (size_t p = 0, sum = 0; p <= partitions; p++) {
            size_t here = ret_first[p];
            ret_first[p] = sum;
            sum += here;
        }
        for (size_t i = 0; i < count; i++)
            room[ret_first[entries[i].partition]++] = entries[i];
        memcpy(entries, room, count * sizeof(*entries));
        /* Each start has moved to its end; move them back. */
        memmove(ret_first + 1, ret_first, partitions * sizeof(*ret_first));
        ret_first[0] = 0;
    } else {
        ret_first[partitions] = count;
    }
    for (uint32_t p = 0; p < partitions; p++) {
        size_t part = ret_first[p + 1] - ret_first[p];
        if (part > 1)
            sort_partition(&job, entries + ret_first[p], room, part);
    }
}
