/* engine/forest/glance_lists.h - a glance at four lists; kernels include it to have it compiled for
 * their instructions. */
#ifndef IPP_FOREST_GLANCE_LISTS_H
#define IPP_FOREST_GLANCE_LISTS_H

#include "engine/forest/glance.h"
#if defined(__SSE2__)
#include <emmintrin.h>
#include <string.h>

#define GLANCE_INLINE static inline __attribute__((always_inline))

/* Entries of two ids in lanes 0 and 2; in 1 and 3 when `table` begins with a zero. */
GLANCE_INLINE __m128i glance_pair(const int32_t *table, size_t a, size_t b)
{
	int64_t low, high;

	memcpy(&low, table + 2 * a, sizeof(low));
	memcpy(&high, table + 2 * b, sizeof(high));
	return _mm_set_epi64x(high, low);
}

/* The entries at place i of the lists, a list a lane. */
GLANCE_INLINE __m128i glance_entries(const struct glance *glance,
				     const uint16_t *const lists[GLANCE_LISTS], unsigned i)
{
	return _mm_add_epi32(glance_pair(glance->table + 1, lists[0][i], lists[2][i]),
			     glance_pair(glance->table, lists[1][i], lists[3][i]));
}

GLANCE_INLINE unsigned glance_lists(const struct glance *glance,
				    const uint16_t *const lists[GLANCE_LISTS], unsigned first,
				    unsigned last)
{
	const __m128i weight = _mm_set1_epi32(glance->weight);
	__m128i sums = _mm_setzero_si128(), below = _mm_set1_epi32(-1);
	unsigned i = 0;

	for (; i < first; i++)
		sums = _mm_add_epi32(sums, glance_entries(glance, lists, i));
	for (; i < last; i++) {
		sums = _mm_add_epi32(sums, glance_entries(glance, lists, i));
		below = _mm_and_si128(below, _mm_madd_epi16(sums, _mm_sub_epi16(sums, weight)));
	}
	return (unsigned)_mm_movemask_ps(_mm_castsi128_ps(below)) ^ 15;
}
#else
static inline unsigned glance_lists(const struct glance *glance,
				    const uint16_t *const lists[GLANCE_LISTS], unsigned first,
				    unsigned last)
{
	unsigned hits = 0;

	for (unsigned l = 0; l < GLANCE_LISTS; l++) {
		int32_t sum = 0;

		for (unsigned i = 0; i < last; i++) {
			int32_t s, w;

			sum += glance->table[2 * lists[l][i] + 1];
			s = sum >> 16;
			w = sum & 0xffff;
			if (i >= first && s * s + w * (w - glance->weight) >= 0)
				hits |= 1u << l;
		}
	}
	return hits;
}
#endif

#endif
