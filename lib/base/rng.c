/*
 * rng.c - xoshiro256** 1.0 by Blackman and Vigna, seeded by splitmix64 as they advise.
 */
#include "lib/base/rng.h"

#include "lib/base/check.h"

enum {
    RNG_MILLION = 1000000
};

static uint64_t rotate_left(uint64_t value, unsigned bits)
{
    return (value << bits) | (value >> (64 - bits));
}

static uint64_t splitmix64_next(uint64_t *state)
{
    *state += 0x9e3779b97f4a7c15u;
    uint64_t value = *state;
    value = (value ^ (value >> 30)) * 0xbf58476d1ce4e5b9u;
    value = (value ^ (value >> 27)) * 0x94d049bb133111ebu;
    return value ^ (value >> 31);
}

struct rng rng_seed(uint64_t seed)
{
    struct rng rng;
    for (unsigned i = 0; i < 4; i++)
        rng.state[i] = splitmix64_next(&seed);
    return rng;
}

uint64_t rng_u64(struct rng *rng)
{
    uint64_t *state = rng->state;
    uint64_t result = rotate_left(state[1] * 5, 7) * 9;
    uint64_t shifted = state[1] << 17;
    state[2] ^= state[0];
    state[3] ^= state[1];
    state[1] ^= state[2];
    state[0] ^= state[3];
    state[2] ^= shifted;
    state[3] = rotate_left(state[3], 45);
    return result;
}

uint64_t rng_below(struct rng *rng, uint64_t bound)
{
    CHECK(bound > 0);
    /* The 2^64 mod bound smallest numbers would make the first remainders likelier. */
    uint64_t unfair = (0 - bound) % bound;
    uint64_t value = rng_u64(rng);
    while (value < unfair)
        value = rng_u64(rng);
    return value % bound;
}

bool rng_chance(struct rng *rng, uint32_t per_million)
{
    return rng_below(rng, RNG_MILLION) < per_million;
}
