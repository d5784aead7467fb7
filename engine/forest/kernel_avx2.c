/* The inner loops for AVX2 with BMI2 (Haswell, Zen and later). */
#include "engine/forest/kernel.h"

#if defined(__x86_64__)
#include <immintrin.h>
#include <string.h>

#include "engine/forest/glance_lists.h"
#include "engine/forest/scan_lists.h"
#include "engine/forest/sort_network.h"

#define AVX2 __attribute__((target("avx2,bmi,bmi2,popcnt")))
#define INLINE static inline __attribute__((always_inline)) AVX2

/* A table of 64 bytes has a bit for each of this many ids. */
#define IDS 512

/* Rows of a small node: look-ups are into 16 values. */
#define SMALL 16

/* ---- lists ---- */

/* Numbers of the set bits of a byte, a byte each, lowest first. */
#define BIT(m, i)                                                                                  \
	((uint64_t)((m) >> (i)&1 ? (i) : 0) << 8 * __builtin_popcount((m) & ((1 << (i)) - 1)))
#define BITS(m)                                                                                    \
	(BIT(m, 0) | BIT(m, 1) | BIT(m, 2) | BIT(m, 3) | BIT(m, 4) | BIT(m, 5) | BIT(m, 6) |       \
	 BIT(m, 7))
#define BITS4(m) BITS(m), BITS((m) + 1), BITS((m) + 2), BITS((m) + 3)
#define BITS16(m) BITS4(m), BITS4((m) + 4), BITS4((m) + 8), BITS4((m) + 12)
#define BITS64(m) BITS16(m), BITS16((m) + 16), BITS16((m) + 32), BITS16((m) + 48)

static const uint64_t bit_numbers[256] = {BITS64(0), BITS64(64), BITS64(128), BITS64(192)};

/* The words of v whose bit in mask is set, moved to the front. */
INLINE __m128i compress(__m128i v, unsigned mask)
{
	const __m128i numbers = _mm_cvtsi64_si128((int64_t)bit_numbers[mask]);
	const __m128i twice = _mm_unpacklo_epi8(numbers, numbers);
	const __m128i bytes = _mm_add_epi8(_mm_add_epi8(twice, twice), _mm_set1_epi16(0x100));

	return _mm_shuffle_epi8(v, bytes);
}

/* Bits of ids 0 to 511, 128 in each vector (and again in its upper half). */
struct bit_table {
	__m256i bytes[4];
};

INLINE struct bit_table load_bits(const struct marks *marks)
{
	struct bit_table table;

	for (int i = 0; i < 4; i++)
		table.bytes[i] = _mm256_broadcastsi128_si256(
			_mm_loadu_si128((const __m128i *)(marks->words + 2 * i)));
	return table;
}

AVX2 static void mark(struct marks *marks, const uint16_t *ids, unsigned n, unsigned limit)
{
	(void)limit;
	memset(marks, 0, IDS / 8);
	for (unsigned i = 0; i < n; i++)
		marks->words[ids[i] / 64] |= (uint64_t)1 << (ids[i] % 64);
}

/* Which of 16 ids have their bit set. */
INLINE unsigned marked(__m256i ids, const struct bit_table *table)
{
	const __m256i at = _mm256_srli_epi16(ids, 3), is_high = _mm256_srli_epi16(ids, 1);
	/* a shuffle reads the low four bits of its index; the next two are bits 7 and 8 of the id,
	 * and a blend reads bit 7 */
	const __m256i low = _mm256_blendv_epi8(_mm256_shuffle_epi8(table->bytes[0], at),
					       _mm256_shuffle_epi8(table->bytes[1], at), ids);
	const __m256i high = _mm256_blendv_epi8(_mm256_shuffle_epi8(table->bytes[2], at),
						_mm256_shuffle_epi8(table->bytes[3], at), ids);
	const __m256i byte = _mm256_blendv_epi8(low, high, is_high);
	const __m256i powers = _mm256_set1_epi64x((int64_t)0x8040201008040201);
	const __m256i bit = _mm256_shuffle_epi8(
		powers, _mm256_or_si256(_mm256_and_si256(ids, _mm256_set1_epi16(7)),
					_mm256_set1_epi16((int16_t)0x8000)));
	const __m256i set = _mm256_cmpeq_epi16(_mm256_and_si256(byte, bit), bit);

	return (unsigned)_mm_movemask_epi8(
		_mm_packs_epi16(_mm256_castsi256_si128(set), _mm256_extracti128_si256(set, 1)));
}

/* The same, but none beyond the first n. */
INLINE unsigned marked_of(__m256i ids, const struct bit_table *table, unsigned n)
{
	const unsigned mask = marked(ids, table);

	return n < 16 ? _bzhi_u32(mask, n) : mask;
}

INLINE __m256i load_ids(const uint16_t *ids)
{
	return _mm256_loadu_si256((const __m256i *)ids);
}

/* Those of 8 ids whose bit in mask is set. */
INLINE void store_ids(uint16_t *to, __m128i ids, unsigned mask)
{
	_mm_storeu_si128((__m128i *)to, compress(ids, mask));
}

/* Whole vectors are written; what follows the list is put back. */
INLINE unsigned filter_list(uint16_t *dst, const uint16_t *src, unsigned n,
			    const struct bit_table *table)
{
	const __m256i after = load_ids(dst + n);
	unsigned kept = 0;

	for (unsigned i = 0; i < n; i += 16) {
		const __m256i ids = load_ids(src + i);
		const unsigned mask = marked_of(ids, table, n - i);

		store_ids(dst + kept, _mm256_castsi256_si128(ids), mask & 255);
		kept += (unsigned)__builtin_popcount(mask & 255);
		store_ids(dst + kept, _mm256_extracti128_si256(ids, 1), mask >> 8);
		kept += (unsigned)__builtin_popcount(mask >> 8);
	}
	_mm256_storeu_si256((__m256i *)(dst + n), after);
	return kept;
}

INLINE unsigned partition_list(uint16_t *list, unsigned n, const struct bit_table *table,
			       uint16_t *room)
{
	const __m256i after = load_ids(list + n);
	unsigned left = 0;

	for (unsigned i = 0; i < n; i += 16) {
		const __m256i ids = load_ids(list + i);
		const unsigned mask = marked_of(ids, table, n - i);
		const unsigned low_left = mask & 255, high_left = mask >> 8;
		const __m128i low = _mm256_castsi256_si128(ids);
		const __m128i high = _mm256_extracti128_si256(ids, 1);

		store_ids(list + left, low, low_left);
		store_ids(room + i - left, low, low_left ^ 255);
		left += (unsigned)__builtin_popcount(low_left);
		store_ids(list + left, high, high_left);
		store_ids(room + i + 8 - left, high, high_left ^ 255);
		left += (unsigned)__builtin_popcount(high_left);
	}
	for (unsigned i = 0; i < n - left; i += 16)
		_mm256_storeu_si256((__m256i *)(list + left + i), load_ids(room + i));
	_mm256_storeu_si256((__m256i *)(list + n), after);
	return left;
}

AVX2 static void filter(const struct spans *to, const struct spans *from, const struct marks *marks)
{
	const struct bit_table table = load_bits(marks);

	for (uint32_t f = 0; f < from->n_lists; f++)
		filter_list(to->ids + f * to->stride, from->ids + f * from->stride, from->n,
			    &table);
}

AVX2 static void partition(const struct spans *spans, const struct marks *marks, uint16_t *room)
{
	const struct bit_table table = load_bits(marks);

	for (uint32_t f = 0; f < spans->n_lists; f++)
		partition_list(spans->ids + f * spans->stride, spans->n, &table, room);
}

/* ---- splits ---- */

/* Weights and targets of eight sums, in the order 0, 1, 4, 5, 2, 3, 6, 7. */
INLINE void load_sums(const int64_t *sums, __m256 *w, __m256 *s)
{
	const __m256 a = _mm256_loadu_ps((const float *)sums);
	const __m256 b = _mm256_loadu_ps((const float *)(sums + 4));

	*w = _mm256_cvtepi32_ps(_mm256_castps_si256(_mm256_shuffle_ps(a, b, 0x88)));
	*s = _mm256_cvtepi32_ps(_mm256_castps_si256(_mm256_shuffle_ps(a, b, 0xdd)));
}

INLINE float sample_gains(const struct screen *screen, const int64_t *sums, unsigned n)
{
	const __m256 mean = _mm256_set1_ps((float)screen->mean);
	const __m256 total = _mm256_set1_ps((float)screen->weight);
	__m256 most = _mm256_set1_ps(-1.0f);
	__m128 four;

	for (unsigned i = 0; i + 8 <= n; i += 8) {
		__m256 w, s, d, gain;

		load_sums(sums + i, &w, &s);
		d = _mm256_sub_ps(s, _mm256_mul_ps(w, mean));
		gain = _mm256_div_ps(_mm256_mul_ps(d, d),
				     _mm256_mul_ps(w, _mm256_sub_ps(total, w)));
		most = _mm256_max_ps(most, gain);
	}
	four = _mm_max_ps(_mm256_castps256_ps128(most), _mm256_extractf128_ps(most, 1));
	four = _mm_max_ps(four, _mm_movehl_ps(four, four));
	return _mm_cvtss_f32(_mm_max_ss(four, _mm_shuffle_ps(four, four, 1)));
}

INLINE void offer_sums(struct screen *screen, uint32_t feature, const int64_t *sums, unsigned n,
		       const uint32_t *at, uint32_t first)
{
	const __m256 mean = _mm256_set1_ps((float)screen->mean);
	const __m256 total = _mm256_set1_ps((float)screen->weight);

	for (unsigned i = 0; i < n; i += 8) {
		__m256 w, s, d, need;
		unsigned lanes;

		load_sums(sums + i, &w, &s);
		d = _mm256_sub_ps(s, _mm256_mul_ps(w, mean));
		need = _mm256_mul_ps(_mm256_mul_ps(w, _mm256_sub_ps(total, w)),
				     _mm256_set1_ps(screen->rough_bar));
		lanes = (unsigned)_mm256_movemask_ps(
			_mm256_cmp_ps(_mm256_mul_ps(d, d), need, _CMP_GE_OQ));
		if (__builtin_expect(lanes == 0, 1))
			continue;
		/* lanes are those of sums 0, 1, 4, 5, 2, 3, 6, 7 */
		lanes = (lanes & 0xc3) | (lanes & 0x0c) << 2 | (lanes & 0x30) >> 2;
		if (n - i < 8)
			lanes &= (1u << (n - i)) - 1;
		screen_offer_lanes(screen, feature, sums + i, lanes, at ? at + i : NULL, first + i);
	}
}

AVX2 static void offer(struct screen *screen, uint32_t feature, const int64_t *sums, unsigned n,
		       const uint32_t *at, uint32_t first)
{
	offer_sums(screen, feature, sums, n, at, first);
}

AVX2 static unsigned glance(const struct glance *at, const uint16_t *const lists[GLANCE_LISTS],
			    unsigned first, unsigned last)
{
	return glance_lists(at, lists, first, last);
}

AVX2 static void scan(struct screen *screen, const struct scan *job)
{
	scan_lists(screen, job, offer_sums, sample_gains);
}

/* ---- small nodes: a lane is a feature ---- */

INLINE unsigned word_mask(__m256i words)
{
	return (unsigned)_mm_movemask_epi8(
		_mm_packs_epi16(_mm256_castsi256_si128(words), _mm256_extracti128_si256(words, 1)));
}

INLINE __m256i ranks16(const struct small_rows *rows, unsigned i, uint32_t f)
{
	return _mm256_loadu_si256((const __m256i *)((const int16_t *)rows->row[i].ranks + f));
}

INLINE __m256i ranks32(const struct small_rows *rows, unsigned i, uint32_t f)
{
	return _mm256_loadu_si256((const __m256i *)((const int32_t *)rows->row[i].ranks + f));
}

INLINE void separate_narrow(const struct small_rows *rows, unsigned n_low, uint64_t *hits)
{
	for (uint32_t f = 0; f < rows->n_features; f += 16) {
		__m256i low_min = ranks16(rows, 0, f), low_max = low_min;
		__m256i high_min = ranks16(rows, n_low, f), high_max = high_min;

		for (unsigned i = 1; i < n_low; i++) {
			low_min = _mm256_min_epi16(low_min, ranks16(rows, i, f));
			low_max = _mm256_max_epi16(low_max, ranks16(rows, i, f));
		}
		for (unsigned i = n_low + 1; i < rows->m; i++) {
			high_min = _mm256_min_epi16(high_min, ranks16(rows, i, f));
			high_max = _mm256_max_epi16(high_max, ranks16(rows, i, f));
		}
		hits[f / 64] |= (uint64_t)word_mask(
					_mm256_or_si256(_mm256_cmpgt_epi16(high_min, low_max),
							_mm256_cmpgt_epi16(low_min, high_max)))
				<< (f % 64);
	}
}

INLINE void separate_wide(const struct small_rows *rows, unsigned n_low, uint64_t *hits)
{
	for (uint32_t f = 0; f < rows->n_features; f += 8) {
		__m256i low_min = ranks32(rows, 0, f), low_max = low_min;
		__m256i high_min = ranks32(rows, n_low, f), high_max = high_min;
		__m256i apart;

		for (unsigned i = 1; i < n_low; i++) {
			low_min = _mm256_min_epi32(low_min, ranks32(rows, i, f));
			low_max = _mm256_max_epi32(low_max, ranks32(rows, i, f));
		}
		for (unsigned i = n_low + 1; i < rows->m; i++) {
			high_min = _mm256_min_epi32(high_min, ranks32(rows, i, f));
			high_max = _mm256_max_epi32(high_max, ranks32(rows, i, f));
		}
		apart = _mm256_or_si256(_mm256_cmpgt_epi32(high_min, low_max),
					_mm256_cmpgt_epi32(low_min, high_max));
		hits[f / 64] |= (uint64_t)(unsigned)_mm256_movemask_ps(_mm256_castsi256_ps(apart))
				<< (f % 64);
	}
}

AVX2 static void separate(const struct small_rows *rows, unsigned n_low, uint64_t *hits)
{
	const uint32_t last = (rows->n_features - 1) / 64;

	memset(hits, 0, (last + 1) * sizeof(*hits));
	if (rows->narrow)
		separate_narrow(rows, n_low, hits);
	else
		separate_wide(rows, n_low, hits);
	hits[last] &= UINT64_MAX >> (63 - (rows->n_features - 1) % 64);
}

INLINE __m256i load_key(const struct small_rows *rows, unsigned i, uint32_t f)
{
	const __m256i ranks =
		rows->narrow ? _mm256_cvtepi16_epi32(_mm_loadu_si128(
				       (const __m128i *)((const int16_t *)rows->row[i].ranks + f)))
			     : ranks32(rows, i, f);

	return _mm256_or_si256(_mm256_slli_epi32(ranks, ROW_BITS), _mm256_set1_epi32((int)i));
}

/* In these, m is a constant, so that loops unroll and keys stay in registers. */

/* table[key & 15] of each lane, for keys of m rows. */
INLINE __m256 look_up(const float *table, __m256i keys, const unsigned m)
{
	const __m256 low = _mm256_permutevar8x32_ps(_mm256_loadu_ps(table), keys);

	if (m <= 8)
		return low;
	return _mm256_blendv_ps(low, _mm256_permutevar8x32_ps(_mm256_loadu_ps(table + 8), keys),
				_mm256_castsi256_ps(_mm256_slli_epi32(keys, 28)));
}

/* products: weights times targets. */
INLINE __m256 best_gains(const struct small_rows *rows, const float *products, const __m256i *k,
			 int32_t *sorted, const unsigned m)
{
	const unsigned first = rows->min_leaf - 1, last = m - rows->min_leaf;
	const __m256 total = _mm256_set1_ps(rows->weight);
	__m256 best = _mm256_set1_ps(-1.0f), sum = _mm256_setzero_ps(), weight = sum;

#pragma GCC unroll 16
	for (unsigned i = 0; i < m; i++) {
		__m256 gain;
		__m256i apart;

		_mm256_storeu_si256((__m256i *)(sorted + i * KEY_LANES), k[i]);
		if (i + 1 == m)
			break;
		sum = _mm256_add_ps(sum, look_up(products, k[i], m));
		weight = _mm256_add_ps(weight, look_up(rows->weights, k[i], m));
		if (i < first || i >= last)
			continue;
		gain = _mm256_mul_ps(
			_mm256_mul_ps(sum, sum),
			_mm256_rcp_ps(_mm256_mul_ps(weight, _mm256_sub_ps(total, weight))));
		apart = _mm256_cmpgt_epi32(_mm256_xor_si256(k[i], k[i + 1]),
					   _mm256_set1_epi32(SMALL_MAX - 1));
		best = _mm256_max_ps(best,
				     _mm256_blendv_ps(best, gain, _mm256_castsi256_ps(apart)));
	}
	return best;
}

#define ORDER(i, j)                                                                                \
	{                                                                                          \
		const __m256i less = _mm256_min_epi32(k[i], k[j]);                                 \
		k[j] = _mm256_max_epi32(k[i], k[j]);                                               \
		k[i] = less;                                                                       \
	}
#define GAINS(m)                                                                                   \
	__attribute__((noinline)) AVX2 static void gains_##m(                                      \
		const struct small_rows *rows, const float *products, float *out, int32_t *keys)   \
	{                                                                                          \
		for (uint32_t f = 0; f < rows->n_features; f += 8) {                               \
			__m256i k[m];                                                              \
                                                                                                   \
			_Pragma("GCC unroll 16") for (unsigned i = 0; i < (m); i++)                \
				k[i] = load_key(rows, i, f);                                       \
			SORT_##m(ORDER);                                                           \
			_mm256_storeu_ps(out + f,                                                  \
					 best_gains(rows, products, k, keys + sorted_key(f), m));  \
		}                                                                                  \
	}
FOR_NETWORKS_TO_16(GAINS)
#undef GAINS
#undef ORDER

AVX2 static void gains(const struct small_rows *rows, float *out, int32_t *keys)
{
	float products[SMALL];

	for (unsigned i = 0; i < SMALL; i++)
		products[i] = rows->targets[i] * rows->weights[i];
	switch (rows->m) {
#define GAINS(m)                                                                                   \
	case m:                                                                                    \
		gains_##m(rows, products, out, keys);                                              \
		break;
		FOR_NETWORKS_TO_16(GAINS)
#undef GAINS
	}
}

const struct kernel kernel_avx2 = {
	"avx2",
	SMALL,
	IDS,
	mark,
	filter,
	partition,
	scalar_filter_wide,
	scalar_partition_wide,
	glance,
	scan,
	offer,
	separate,
	gains,
};
#endif
