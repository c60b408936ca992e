/*
 * rng.h - repeatable random numbers (xoshiro256**, seeded by splitmix64). Not for secrets.
 * The same seed gives the same numbers on every machine.
 */
#ifndef MILLRACE_LIB_BASE_RNG_H
#define MILLRACE_LIB_BASE_RNG_H

#include <stdbool.h>
#include <stdint.h>

struct rng {
    uint64_t state[4];
};

struct rng rng_seed(uint64_t seed);
uint64_t rng_u64(struct rng *rng);
/* Evenly in [0, bound); bound at least 1. */
uint64_t rng_below(struct rng *rng, uint64_t bound);
/* True in per_million of 1,000,000 cases: 0 never, 1,000,000 or more always. */
bool rng_chance(struct rng *rng, uint32_t per_million);

#endif
