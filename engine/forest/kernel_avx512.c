/* The inner loops for AVX-512 with VBMI2 (Ice Lake, Zen 4 and later). */
#include "engine/forest/kernel.h"

#if defined(__x86_64__)
#include <immintrin.h>
#include <string.h>

#include "engine/forest/glance_lists.h"
#include "engine/forest/scan_lists.h"
#include "engine/forest/sort_network.h"

#define AVX512 __attribute__((target("avx512f,avx512bw,avx512vl,avx512dq,avx512vbmi2,bmi2,popcnt")))
#define INLINE static inline __attribute__((always_inline)) AVX512

/* Bits of ids 0 to 2047. */
struct bit_table {
	__m512i words[4]; /* 512 each */
	bool few;
};

INLINE struct bit_table load_bits(const struct marks *marks)
{
	return (struct bit_table){{
					  _mm512_loadu_si512(marks->words),
					  _mm512_loadu_si512(marks->words + 8),
					  _mm512_loadu_si512(marks->words + 16),
					  _mm512_loadu_si512(marks->words + 24),
				  },
				  marks->few};
}

AVX512 static void mark(struct marks *marks, const uint16_t *ids, unsigned n, unsigned limit)
{
	marks->few = limit <= 512;
	memset(marks->words, 0, marks->few ? 512 / 8 : LOCAL_MAX / 8);
	for (unsigned i = 0; i < n; i++)
		marks->words[ids[i] / 64] |= (uint64_t)1 << (ids[i] % 64);
}

/* Which of 32 ids have their bit set. */
INLINE __mmask32 marked(__m512i ids, const struct bit_table *table)
{
	const __m512i at = _mm512_srli_epi16(ids, 4);
	const __m512i bit = _mm512_and_si512(ids, _mm512_set1_epi16(15));
	__m512i words;

	if (table->few) {
		words = _mm512_permutexvar_epi16(at, table->words[0]);
	} else {
		const __mmask32 is_high = _mm512_test_epi16_mask(at, _mm512_set1_epi16(64));

		words = _mm512_mask_blend_epi16(
			is_high, _mm512_permutex2var_epi16(table->words[0], at, table->words[1]),
			_mm512_permutex2var_epi16(table->words[2], at, table->words[3]));
	}
	return _mm512_test_epi16_mask(_mm512_srlv_epi16(words, bit), _mm512_set1_epi16(1));
}

/* The lowest n bits, n <= 32. */
INLINE __mmask32 lowest(unsigned n)
{
	return (__mmask32)_bzhi_u64(0xffffffff, n);
}

INLINE unsigned filter_list(uint16_t *dst, const uint16_t *src, unsigned n,
			    const struct bit_table *table)
{
	unsigned kept = 0, i = 0;
	__mmask32 keep;
	__m512i ids;

	for (; i + 32 <= n; i += 32) {
		ids = _mm512_loadu_si512(src + i);
		keep = marked(ids, table);
		_mm512_storeu_si512(dst + kept, _mm512_maskz_compress_epi16(keep, ids));
		kept += (unsigned)_mm_popcnt_u32(keep);
	}
	if (i == n)
		return kept;
	ids = _mm512_maskz_loadu_epi16(lowest(n - i), src + i);
	keep = marked(ids, table) & lowest(n - i);
	i = (unsigned)_mm_popcnt_u32(keep);
	_mm512_mask_storeu_epi16(dst + kept, lowest(i), _mm512_maskz_compress_epi16(keep, ids));
	return kept + i;
}

INLINE unsigned partition_list(uint16_t *list, unsigned n, const struct bit_table *table,
			       uint16_t *room)
{
	unsigned left = 0, right = 0, i = 0;

	for (; i + 32 <= n; i += 32) {
		const __m512i ids = _mm512_loadu_si512(list + i);
		const __mmask32 is_left = marked(ids, table);
		const unsigned n_left = (unsigned)_mm_popcnt_u32(is_left);

		_mm512_storeu_si512(list + left, _mm512_maskz_compress_epi16(is_left, ids));
		_mm512_storeu_si512(room + right, _mm512_maskz_compress_epi16(~is_left, ids));
		left += n_left;
		right += 32 - n_left;
	}
	if (i < n) {
		const __mmask32 live = lowest(n - i);
		const __m512i ids = _mm512_maskz_loadu_epi16(live, list + i);
		const __mmask32 is_left = marked(ids, table) & live;
		const unsigned n_left = (unsigned)_mm_popcnt_u32(is_left);

		_mm512_mask_storeu_epi16(list + left, lowest(n_left),
					 _mm512_maskz_compress_epi16(is_left, ids));
		_mm512_storeu_si512(room + right,
				    _mm512_maskz_compress_epi16(live & ~is_left, ids));
		left += n_left;
	}
	right = n - left;
	for (i = 0; i + 32 <= right; i += 32)
		_mm512_storeu_si512(list + left + i, _mm512_loadu_si512(room + i));
	_mm512_mask_storeu_epi16(list + left + i, lowest(right - i), _mm512_loadu_si512(room + i));
	return left;
}

AVX512 static void filter(const struct spans *to, const struct spans *from,
			  const struct marks *marks)
{
	const struct bit_table table = load_bits(marks);

	for (uint32_t f = 0; f < from->n_lists; f++)
		filter_list(to->ids + f * to->stride, from->ids + f * from->stride, from->n,
			    &table);
}

AVX512 static void partition(const struct spans *spans, const struct marks *marks, uint16_t *room)
{
	const struct bit_table table = load_bits(marks);

	for (uint32_t f = 0; f < spans->n_lists; f++)
		partition_list(spans->ids + f * spans->stride, spans->n, &table, room);
}

/* Which of 16 wide ids have their bit set. */
INLINE __mmask16 wide_marked(__m512i ids, const uint64_t *bits)
{
	const __m512i words = _mm512_i32gather_epi32(_mm512_srli_epi32(ids, 5), bits, 4);
	const __m512i bit = _mm512_and_si512(ids, _mm512_set1_epi32(31));

	return _mm512_test_epi32_mask(_mm512_srlv_epi32(words, bit), _mm512_set1_epi32(1));
}

AVX512 static uint32_t filter_wide(uint32_t *dst, const uint32_t *src, uint32_t n,
				   const uint64_t *bits)
{
	uint32_t kept = 0, i = 0;

	for (; i + 16 <= n; i += 16) {
		const __m512i ids = _mm512_loadu_si512(src + i);
		const __mmask16 keep = wide_marked(ids, bits);

		_mm512_storeu_si512(dst + kept, _mm512_maskz_compress_epi32(keep, ids));
		kept += (uint32_t)_mm_popcnt_u32(keep);
	}
	return kept + scalar_filter_wide(dst + kept, src + i, n - i, bits);
}

AVX512 static void partition_wide(uint32_t *list, uint32_t n, const uint64_t *bits, uint32_t *room)
{
	uint32_t left = 0, i = 0;

	for (; i + 16 <= n; i += 16) {
		const __m512i ids = _mm512_loadu_si512(list + i);
		const __mmask16 is_left = wide_marked(ids, bits);

		_mm512_storeu_si512(list + left, _mm512_maskz_compress_epi32(is_left, ids));
		_mm512_storeu_si512(room + (i - left),
				    _mm512_maskz_compress_epi32((__mmask16)~is_left, ids));
		left += (uint32_t)_mm_popcnt_u32(is_left);
	}
	for (; i < n; i++) {
		const uint32_t id = list[i];

		list[left] = id;
		room[i - left] = id;
		left += (bits[id / 64] >> (id % 64)) & 1;
	}
	memcpy(list + left, room, (n - left) * sizeof(*list));
}

/* ---- splits ---- */

/* Weights and targets of 16 sums. */
INLINE void load_sums(const int64_t *sums, __m512 *w, __m512 *s)
{
	/* dwords 0, 2, 4 ... of two vectors hold weights, 1, 3, 5 ... targets */
	const __m512i even = _mm512_set_epi32(30, 28, 26, 24, 22, 20, 18, 16, 14, 12, 10, 8, 6, 4,
					      2, 0);
	const __m512i odd = _mm512_add_epi32(even, _mm512_set1_epi32(1));
	const __m512i a = _mm512_loadu_si512(sums), b = _mm512_loadu_si512(sums + 8);

	*w = _mm512_cvtepi32_ps(_mm512_permutex2var_epi32(a, even, b));
	*s = _mm512_cvtepi32_ps(_mm512_permutex2var_epi32(a, odd, b));
}

INLINE float sample_gains(const struct screen *screen, const int64_t *sums, unsigned n)
{
	const __m512 mean = _mm512_set1_ps((float)screen->mean);
	const __m512 total = _mm512_set1_ps((float)screen->weight);
	__m512 most = _mm512_set1_ps(-1.0f);

	for (unsigned i = 0; i + 16 <= n; i += 16) {
		__m512 w, s, d, gain;

		load_sums(sums + i, &w, &s);
		d = _mm512_fnmadd_ps(w, mean, s);
		gain = _mm512_div_ps(_mm512_mul_ps(d, d),
				     _mm512_mul_ps(w, _mm512_sub_ps(total, w)));
		most = _mm512_max_ps(most, gain);
	}
	return _mm512_reduce_max_ps(most);
}

/* gain >= bar is d^2 >= w * (bar * W - bar * w). */
struct bars {
	__m512 slope, top;
};

INLINE struct bars set_bars(const struct screen *screen)
{
	/* the difference is off by 2^-23 of its terms */
	const float top = (float)(screen->weight * (1 - 0x1p-22)) * screen->rough_bar;

	return (struct bars){_mm512_set1_ps(screen->rough_bar), _mm512_set1_ps(top)};
}

INLINE void offer_sums(struct screen *screen, uint32_t feature, const int64_t *sums, unsigned n,
		       const uint32_t *at, uint32_t first)
{
	const __m512 mean = _mm512_set1_ps((float)screen->mean);
	struct bars bars = set_bars(screen);

	for (unsigned i = 0; i < n; i += 16) {
		__m512 w, s, d, need;
		unsigned lanes;

		load_sums(sums + i, &w, &s);
		d = _mm512_fnmadd_ps(w, mean, s);
		need = _mm512_mul_ps(w, _mm512_fnmadd_ps(w, bars.slope, bars.top));
		lanes = _mm512_cmp_ps_mask(_mm512_mul_ps(d, d), need, _CMP_GE_OQ);
		if (__builtin_expect(lanes == 0, 1))
			continue;
		if (n - i < 16)
			lanes &= (1u << (n - i)) - 1;
		screen_offer_lanes(screen, feature, sums + i, lanes, at ? at + i : NULL, first + i);
		bars = set_bars(screen);
	}
}

AVX512 static void offer(struct screen *screen, uint32_t feature, const int64_t *sums, unsigned n,
			 const uint32_t *at, uint32_t first)
{
	offer_sums(screen, feature, sums, n, at, first);
}

AVX512 static unsigned glance(const struct glance *at, const uint16_t *const lists[GLANCE_LISTS],
			      unsigned first, unsigned last)
{
	return glance_lists(at, lists, first, last);
}

AVX512 static void scan(struct screen *screen, const struct scan *job)
{
	scan_lists(screen, job, offer_sums, sample_gains);
}

/* ---- small nodes: a lane is a feature ---- */

INLINE void separate_narrow(const struct small_rows *rows, unsigned n_low, uint64_t *hits)
{
	for (uint32_t f = 0; f < rows->n_features; f += 32) {
		__m512i r = _mm512_loadu_si512((const int16_t *)rows->row[0].ranks + f);
		__m512i low_min = r, low_max = r, high_min, high_max;
		__mmask32 mask;

		for (unsigned i = 1; i < n_low; i++) {
			r = _mm512_loadu_si512((const int16_t *)rows->row[i].ranks + f);
			low_min = _mm512_min_epi16(low_min, r);
			low_max = _mm512_max_epi16(low_max, r);
		}
		r = _mm512_loadu_si512((const int16_t *)rows->row[n_low].ranks + f);
		high_min = high_max = r;
		for (unsigned i = n_low + 1; i < rows->m; i++) {
			r = _mm512_loadu_si512((const int16_t *)rows->row[i].ranks + f);
			high_min = _mm512_min_epi16(high_min, r);
			high_max = _mm512_max_epi16(high_max, r);
		}
		mask = _mm512_cmplt_epi16_mask(low_max, high_min) |
		       _mm512_cmplt_epi16_mask(high_max, low_min);
		hits[f / 64] |= (uint64_t)mask << (f % 64);
	}
}

INLINE void separate_wide(const struct small_rows *rows, unsigned n_low, uint64_t *hits)
{
	for (uint32_t f = 0; f < rows->n_features; f += 16) {
		__m512i r = _mm512_loadu_si512((const int32_t *)rows->row[0].ranks + f);
		__m512i low_min = r, low_max = r, high_min, high_max;
		__mmask16 mask;

		for (unsigned i = 1; i < n_low; i++) {
			r = _mm512_loadu_si512((const int32_t *)rows->row[i].ranks + f);
			low_min = _mm512_min_epi32(low_min, r);
			low_max = _mm512_max_epi32(low_max, r);
		}
		r = _mm512_loadu_si512((const int32_t *)rows->row[n_low].ranks + f);
		high_min = high_max = r;
		for (unsigned i = n_low + 1; i < rows->m; i++) {
			r = _mm512_loadu_si512((const int32_t *)rows->row[i].ranks + f);
			high_min = _mm512_min_epi32(high_min, r);
			high_max = _mm512_max_epi32(high_max, r);
		}
		mask = _mm512_cmplt_epi32_mask(low_max, high_min) |
		       _mm512_cmplt_epi32_mask(high_max, low_min);
		hits[f / 64] |= (uint64_t)mask << (f % 64);
	}
}

AVX512 static void separate(const struct small_rows *rows, unsigned n_low, uint64_t *hits)
{
	const uint32_t last = (rows->n_features - 1) / 64;

	memset(hits, 0, (last + 1) * sizeof(*hits));
	if (rows->narrow)
		separate_narrow(rows, n_low, hits);
	else
		separate_wide(rows, n_low, hits);
	hits[last] &= UINT64_MAX >> (63 - (rows->n_features - 1) % 64);
}

INLINE __m512i load_ranks(const struct small_rows *rows, unsigned i, uint32_t f)
{
	if (rows->narrow)
		return _mm512_cvtepi16_epi32(_mm256_loadu_si256(
			(const __m256i *)((const int16_t *)rows->row[i].ranks + f)));
	return _mm512_loadu_si512((const int32_t *)rows->row[i].ranks + f);
}

/* What goes with the rows' numbers in keys: products are weights times targets. */
struct row_values {
	__m512 weights[2], products[2], total;
};

INLINE struct row_values load_values(const struct small_rows *rows)
{
	struct row_values values;

	for (int i = 0; i < 2; i++) {
		values.weights[i] = _mm512_loadu_ps(rows->weights + 16 * i);
		values.products[i] = _mm512_mul_ps(_mm512_loadu_ps(rows->targets + 16 * i),
						   values.weights[i]);
	}
	values.total = _mm512_set1_ps(rows->weight);
	return values;
}

/* In these, m is a constant, so that loops unroll and keys stay in registers.  There may be fewer
 * rows than m: then keys above all others, of no weight, fill up. */

INLINE void load_keys(const struct small_rows *rows, uint32_t f, __m512i *k, const unsigned m)
{
#pragma GCC unroll 32
	for (unsigned i = 0; i < m; i++) {
		if (m > 16 && i + 4 > m && i >= rows->m)
			k[i] = _mm512_set1_epi32(INT32_MAX - 31 + (int)i);
		else
			k[i] = _mm512_or_si512(_mm512_slli_epi32(load_ranks(rows, i, f), ROW_BITS),
					       _mm512_set1_epi32((int)i));
	}
}

/* table[key & 31] of each lane; the upper half only when there are rows in it. */
INLINE __m512 look_up(const __m512 table[2], __m512i keys, const unsigned m)
{
	return m <= 16 ? _mm512_permutexvar_ps(keys, table[0])
		       : _mm512_permutex2var_ps(table[0], keys, table[1]);
}

INLINE __m512 best_gains(const struct small_rows *rows, const struct row_values *values,
			 const __m512i *k, int32_t *sorted, const unsigned m)
{
	const unsigned first = rows->min_leaf - 1, last = rows->m - rows->min_leaf;
	__m512 best = _mm512_set1_ps(-1.0f), sum = _mm512_setzero_ps(), weight = sum;

#pragma GCC unroll 32
	for (unsigned i = 0; i < m; i++) {
		__m512 rest, gain;
		__mmask16 apart;

		_mm512_storeu_si512(sorted + i * KEY_LANES, k[i]);
		if (i + 1 == m)
			break;
		sum = _mm512_add_ps(sum, look_up(values->products, k[i], m));
		weight = _mm512_add_ps(weight, look_up(values->weights, k[i], m));
		if (i < first || i >= last)
			continue;
		rest = _mm512_sub_ps(values->total, weight);
		gain = _mm512_mul_ps(_mm512_mul_ps(sum, sum),
				     _mm512_rcp14_ps(_mm512_mul_ps(weight, rest)));
		apart = _mm512_cmpgt_epu32_mask(_mm512_xor_si512(k[i], k[i + 1]),
						_mm512_set1_epi32(SMALL_MAX - 1));
		best = _mm512_mask_max_ps(best, apart, best, gain);
	}
	return best;
}

#define ORDER(i, j)                                                                                \
	{                                                                                          \
		const __m512i less = _mm512_min_epi32(k[i], k[j]);                                 \
		k[j] = _mm512_max_epi32(k[i], k[j]);                                               \
		k[i] = less;                                                                       \
	}
#define GAINS(m)                                                                                   \
	__attribute__((noinline))                                                                  \
	AVX512 static void gains_##m(const struct small_rows *rows, float *out, int32_t *keys)     \
	{                                                                                          \
		const struct row_values values = load_values(rows);                                \
                                                                                                   \
		for (uint32_t f = 0; f < rows->n_features; f += 16) {                              \
			__m512i k[m];                                                              \
                                                                                                   \
			load_keys(rows, f, k, m);                                                  \
			SORT_##m(ORDER);                                                           \
			_mm512_storeu_ps(out + f,                                                  \
					 best_gains(rows, &values, k, keys + sorted_key(f), m));   \
		}                                                                                  \
	}
FOR_NETWORKS_TO_16(GAINS)
FOR_NETWORKS_ABOVE_16(GAINS)
#undef GAINS
#undef ORDER

AVX512 static void gains(const struct small_rows *rows, float *out, int32_t *keys)
{
	switch (rows->m <= 16 ? rows->m : (rows->m + 3) / 4 * 4) {
#define GAINS(m)                                                                                   \
	case m:                                                                                    \
		gains_##m(rows, out, keys);                                                        \
		break;
		FOR_NETWORKS_TO_16(GAINS)
		FOR_NETWORKS_ABOVE_16(GAINS)
#undef GAINS
	}
}

const struct kernel kernel_avx512 = {
	"avx512",	SMALL_MAX, LOCAL_MAX, mark,  filter,   partition, filter_wide,
	partition_wide, glance,	   scan,      offer, separate, gains,
};
#endif
