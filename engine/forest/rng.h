/* engine/forest/rng.h - the forest's random numbers: a splittable, counter-based generator.
 *
 * A stream is a 64-bit key; its j-th number is mix(key + (j + 1) * GAMMA): SplitMix64 (Steele, Lea,
 * Flood, "Fast splittable pseudorandom number generators", OOPSLA 2014; mix is Stafford's variant
 * 13), read at any place without stepping.  Keys are derived by mixing a word into a key:
 *
 *   tree      = absorb(absorb(absorb(0, seed), row), t)   row: held-out row + 1, or 0 for none
 *   bootstrap = absorb(tree, 1)
 *   root      = absorb(tree, 2)
 *   left, right child of a node = absorb(node, 3), absorb(node, 4)
 *
 * so that what is drawn at a node depends on its place in the tree and not on the order of growing.
 * A number below n is the high word of draw * n: it is off uniform by n / 2^64 at most. */
#ifndef IPP_FOREST_RNG_H
#define IPP_FOREST_RNG_H

#include <stdint.h>

#define RNG_GAMMA 0x9e3779b97f4a7c15u

enum rng_purpose { RNG_BOOTSTRAP = 1, RNG_ROOT, RNG_LEFT, RNG_RIGHT, RNG_PERMUTE };

static inline uint64_t rng_mix(uint64_t z)
{
	z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9u;
	z = (z ^ (z >> 27)) * 0x94d049bb133111ebu;
	return z ^ (z >> 31);
}

static inline uint64_t rng_absorb(uint64_t key, uint64_t word)
{
	return rng_mix(rng_mix(key + RNG_GAMMA) ^ (word * 0xd1342543de82ef95u + RNG_GAMMA));
}

static inline uint64_t rng_tree(uint64_t seed, uint64_t row_plus_one, uint64_t tree)
{
	return rng_absorb(rng_absorb(rng_absorb(0, seed), row_plus_one), tree);
}

static inline uint64_t rng_at(uint64_t key, uint64_t j)
{
	return rng_mix(key + (j + 1) * RNG_GAMMA);
}

static inline uint32_t rng_below(uint64_t key, uint64_t j, uint32_t n)
{
	return (uint32_t)(((unsigned __int128)rng_at(key, j) * n) >> 64);
}

#endif
