#include "engine/modules/forest/folds.h"

#include "engine/forest/rng.h"

/* The forest's trees use 0 and row + 1 for their second word: folds stay clear of both. */
#define FOLDS_WORD UINT64_MAX

void folds_deal(uint64_t seed, uint32_t repeat, uint32_t n, uint32_t n_folds, uint32_t *fold_of,
		uint32_t *order)
{
	const uint64_t key = rng_absorb(rng_absorb(rng_absorb(0, seed), FOLDS_WORD), repeat);

	for (uint32_t i = 0; i < n; i++)
		order[i] = i;
	for (uint32_t i = n; i > 1; i--) {
		const uint32_t j = rng_below(key, i, i);
		const uint32_t row = order[j];

		order[j] = order[i - 1];
		order[i - 1] = row;
	}
	for (uint32_t i = 0; i < n; i++)
		fold_of[order[i]] = i % n_folds;
}
