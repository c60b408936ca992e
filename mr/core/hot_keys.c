/*
 * hot_keys.c - the cold half of hot_keys.h.
 */
#include "mr/core/hot_keys.h"

#include "lib/base/mem.h"

enum status hot_keys_open(struct hot_keys *hot, uint64_t memory_bytes, const struct mr_job *job)
{
    size_t count = 2;

    *hot = (struct hot_keys){.aggregator = job->aggregator, .type = job->value_type, .shift = 63};
    while (count < HOT_KEYS_MAX && 2 * count * sizeof(struct hot_key) <= memory_bytes / 8) {
        count *= 2;
        hot->shift--;
    }
    hot->places = mem_try_array(count, sizeof(struct hot_key));
    return hot->places != NULL ? OK : ERR_NO_MEMORY;
}

void hot_keys_close(struct hot_keys *hot)
{
    mem_free(hot->places);
    *hot = (struct hot_keys){0};
}

size_t hot_keys_count(const struct hot_keys *hot)
{
    return hot->places == NULL ? 0 : (size_t)1 << (64 - hot->shift);
}

static void hot_store(uint8_t *data, uint64_t word)
{
    uint32_t piece = (uint32_t)word;
    memcpy(data, &piece, sizeof(piece));
}

struct slice hot_key_bytes(const struct hot_key *key, uint8_t *room)
{
    size_t length = key->length;
    if (length >= 4) {
        size_t step = length >> 3 << 2;
        hot_store(room, key->words[0] >> 32);
        hot_store(room + step, key->words[0]);
        hot_store(room + length - 4, key->words[1] >> 32);
        hot_store(room + length - 4 - step, key->words[1]);
    } else if (length > 0) {
        room[0] = (uint8_t)key->words[0];
        room[length / 2] = (uint8_t)(key->words[0] >> 8);
        room[length - 1] = (uint8_t)key->words[1];
    }
    return slice_make(room, length);
}
