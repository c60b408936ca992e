/*
 * hot_keys.h - a small direct-mapped table of short keys in front of the combine table. A few
 * thousand words make up most of a text; they are folded here without hashing the whole key or
 * leaving the near caches. A key that needs another's place puts it out, with what was folded.
 * Only for integers: folding out of order would change the sums of doubles.
 */
#ifndef MILLRACE_MR_CORE_HOT_KEYS_H
#define MILLRACE_MR_CORE_HOT_KEYS_H

#include "mr/core/fold.h"

enum {
    HOT_KEY_BYTES_MAX = 16,
    HOT_KEYS_MAX = 16 << 10 /* places: half a MiB */
};

/* The key is in two words that overlap, from which, with its length, it can be told exactly. */
struct hot_key {
    uint64_t words[2];
    uint64_t bits;
    uint32_t length;
    uint32_t is_used;
};

struct hot_keys {
    struct hot_key *places; /* NULL: nothing is hot */
    uint32_t shift;         /* 64 - log2 of the number of places */
    enum mr_aggregator aggregator;
    enum mr_value_type type;
};

/* As many places as an eighth of memory_bytes holds. ERR_NO_MEMORY. */
MUST_USE enum status hot_keys_open(struct hot_keys *hot,
                                   uint64_t memory_bytes,
                                   const struct mr_job *job);
void hot_keys_close(struct hot_keys *hot); /* a zeroed one is fine */
size_t hot_keys_count(const struct hot_keys *hot);
/* Writes the key's bytes to room (HOT_KEY_BYTES_MAX). */
struct slice hot_key_bytes(const struct hot_key *key, uint8_t *room);

static inline uint64_t hot_load(const uint8_t *data)
{
    uint32_t piece;
    memcpy(&piece, data, sizeof(piece));
    return piece;
}

/*
 * key: at most HOT_KEY_BYTES_MAX. From 4 bytes on: four pieces of 4 bytes that overlap, without a
 * branch on the length, which nobody can predict.
 */
static inline void hot_key_words(struct slice key, uint64_t *ret_words)
{
    if (key.length >= 4) {
        size_t step = key.length >> 3 << 2;
        const uint8_t *last = key.data + key.length - 4;
        ret_words[0] = hot_load(key.data) << 32 | hot_load(key.data + step);
        ret_words[1] = hot_load(last) << 32 | hot_load(last - step);
    } else if (key.length > 0) {
        ret_words[0] = key.data[0] | (uint64_t)key.data[key.length / 2] << 8;
        ret_words[1] = key.data[key.length - 1];
    } else {
        ret_words[0] = 0;
        ret_words[1] = 0;
    }
}

/*
 * Folds bits into the key's place. True when another key was put out of it: then *ret_out is that
 * key with what was folded of it. places is not NULL; key.length at most HOT_KEY_BYTES_MAX.
 */
static inline bool hot_keys_fold(struct hot_keys *hot,
                                 struct slice key,
                                 uint64_t bits,
                                 struct hot_key *ret_out)
{
    uint64_t words[2];
    uint64_t mixed;
    struct hot_key *place;
    bool is_out;

    hot_key_words(key, words);
    mixed = (words[0] ^ (words[1] << 29 | words[1] >> 35) ^ key.length << 56) *
            UINT64_C(0x9e3779b97f4a7c15);
    mixed ^= mixed >> 32;
    mixed *= UINT64_C(0xd6e8feb86659fd93);
    place = &hot->places[mixed >> hot->shift];
    if (place->words[0] == words[0] && place->words[1] == words[1] && place->length == key.length &&
        place->is_used) {
        place->bits = fold_bits(hot->aggregator, hot->type, place->bits, bits);
        return false;
    }
    is_out = place->is_used;
    *ret_out = *place;
    *place = (struct hot_key){
        .words = {words[0], words[1]},
          .bits = bits, .length = (uint32_t)key.length, .is_used = 1
    };
    return is_out;
}

#endif
