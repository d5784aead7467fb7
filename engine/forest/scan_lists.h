/* engine/forest/scan_lists.h - sum lists and offer their splits; each kernel includes it with an
 * offer() of its own. */
#ifndef IPP_FOREST_SCAN_LISTS_H
#define IPP_FOREST_SCAN_LISTS_H

#include "engine/forest/kernel.h"

typedef void offer_fn(struct screen *screen, uint32_t feature, const int64_t *sums, unsigned n,
		      const uint32_t *at, uint32_t first);

/* The largest gain, in single precision, of some of n splits; -1 when n is too few. */
typedef float sample_gains_fn(const struct screen *screen, const int64_t *sums, unsigned n);

/* sums[i] = the entries of list[0] to list[i], continuing from `sum`.  Four at a time, so that one
 * addition in four waits for the last. */
#define SUM_LIST(Id)                                                                               \
	static inline int64_t sum_##Id(const Id *list, size_t n, const int64_t *table,             \
				       int64_t sum, int64_t *sums)                                 \
	{                                                                                          \
		size_t i = 0;                                                                      \
                                                                                                   \
		for (; i + 4 <= n; i += 4) {                                                       \
			const int64_t a = table[list[i]];                                          \
			const int64_t ab = a + table[list[i + 1]];                                 \
			const int64_t abc = ab + table[list[i + 2]];                               \
			const int64_t all = abc + table[list[i + 3]];                              \
                                                                                                   \
			sums[i] = sum + a;                                                         \
			sums[i + 1] = sum + ab;                                                    \
			sums[i + 2] = sum + abc;                                                   \
			sums[i + 3] = sum += all;                                                  \
		}                                                                                  \
		for (; i < n; i++)                                                                 \
			sums[i] = sum += table[list[i]];                                           \
		return sum;                                                                        \
	}
SUM_LIST(uint16_t)
SUM_LIST(uint32_t)
#undef SUM_LIST

/* The first list sets the bar: else most of its splits would be offered one by one, each a little
 * better than the last. A list's splits are offered after the next one is summed: sums just
 * written, word by word, cannot yet be read as vectors. */
static inline __attribute__((always_inline)) void scan_lists(struct screen *screen,
							     const struct scan *scan,
							     offer_fn *offer,
							     sample_gains_fn *sample_gains)
{
	const unsigned n = scan->last - scan->first;
	uint32_t waiting = 0;
	unsigned turn = 0;

	for (uint32_t j = 0; j < scan->n_features; j++) {
		const uint32_t f = scan->features ? scan->features[j] : j;

		if (scan->tied[f])
			continue;
		sum_uint16_t(scan->spans.ids + f * scan->spans.stride, scan->last, scan->table, 0,
			     scan->sums[turn & 1]);
		if (turn == 0 && screen->best < 0) {
			const float gain = sample_gains(screen, scan->sums[0] + scan->first, n);

			if (gain > 0)
				screen_seed(screen, gain);
		}
		if (turn++ > 0)
			offer(screen, waiting, scan->sums[turn & 1] + scan->first, n, NULL,
			      scan->first);
		waiting = f;
	}
	if (turn > 0)
		offer(screen, waiting, scan->sums[~turn & 1] + scan->first, n, NULL, scan->first);
}

#endif
