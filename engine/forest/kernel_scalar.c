/* The inner loops for any CPU, in vectors of 16 bytes, which every x86-64 has and other CPUs have
 * or get by with. */
#include "engine/forest/kernel.h"

#include <math.h>
#include <string.h>
#if defined(__SSE2__)
#include <emmintrin.h>
#endif

#include "engine/forest/glance_lists.h"
#include "engine/forest/scan_lists.h"
#include "engine/forest/sort_network.h"

typedef int16_t v8s __attribute__((vector_size(16)));
typedef int64_t v2l __attribute__((vector_size(16)));
typedef int32_t v4i __attribute__((vector_size(16)));
typedef float v4f __attribute__((vector_size(16)));

#define INLINE static inline __attribute__((always_inline))

/* ---- lists ---- */

/* Marks are bytes, of MARK or 0: one load tells by how many bits to shift a pair of ids. */
#define IDS 512
#define MARK 16

/* Rows of a small node. */
#define SMALL 16

static void mark(struct marks *marks, const uint16_t *ids, unsigned n, unsigned limit)
{
	uint8_t *const marked = (uint8_t *)marks->words;

	memset(marked, 0, limit);
	for (unsigned i = 0; i < n; i++)
		marked[ids[i]] = MARK;
}

/* Two ids, the first in the low half. */
INLINE uint32_t load_pair(const uint16_t *ids)
{
	return ids[0] | (uint32_t)ids[1] << 16;
}

INLINE void store_pair(uint16_t *ids, uint32_t pair)
{
	ids[0] = (uint16_t)pair;
	ids[1] = (uint16_t)(pair >> 16);
}

INLINE unsigned filter_list(uint16_t *dst, const uint16_t *src, unsigned n,
			    const struct marks *marks)
{
	const uint8_t *const marked = (const uint8_t *)marks->words;
	unsigned kept = 0, i = 0;

	for (; i + 2 <= n; i += 2) {
		const uint32_t pair = load_pair(src + i);
		const unsigned a = marked[pair & 0xffff], b = marked[pair >> 16];

		store_pair(dst + kept, pair >> (MARK - a));
		kept += (a + b) / MARK;
	}
	if (i < n && marked[src[i]])
		dst[kept++] = src[i];
	return kept;
}

INLINE unsigned partition_list(uint16_t *list, unsigned n, const struct marks *marks,
			       uint16_t *room)
{
	const uint8_t *const marked = (const uint8_t *)marks->words;
	unsigned left = 0, i = 0;

	for (; i + 2 <= n; i += 2) {
		const uint32_t pair = load_pair(list + i);
		const unsigned a = marked[pair & 0xffff], b = marked[pair >> 16];

		store_pair(list + left, pair >> (MARK - a));
		store_pair(room + i - left, pair >> a);
		left += (a + b) / MARK;
	}
	if (i < n) {
		const uint16_t id = list[i];

		list[left] = id;
		room[i - left] = id;
		left += marked[id] / MARK;
	}
	memcpy(list + left, room, (n - left) * sizeof(*list));
	return left;
}

static void filter(const struct spans *to, const struct spans *from, const struct marks *marks)
{
	for (uint32_t f = 0; f < from->n_lists; f++)
		filter_list(to->ids + f * to->stride, from->ids + f * from->stride, from->n, marks);
}

static void partition(const struct spans *spans, const struct marks *marks, uint16_t *room)
{
	for (uint32_t f = 0; f < spans->n_lists; f++)
		partition_list(spans->ids + f * spans->stride, spans->n, marks, room);
}

uint32_t scalar_filter_wide(uint32_t *dst, const uint32_t *src, uint32_t n, const uint64_t *bits)
{
	uint32_t kept = 0;

	for (uint32_t i = 0; i < n; i++) {
		const uint32_t id = src[i];

		dst[kept] = id;
		kept += (bits[id / 64] >> (id % 64)) & 1;
	}
	return kept;
}

void scalar_partition_wide(uint32_t *list, uint32_t n, const uint64_t *bits, uint32_t *room)
{
	uint32_t left = 0;

	for (uint32_t i = 0; i < n; i++) {
		const uint32_t id = list[i];

		list[left] = id;
		room[i - left] = id;
		left += (bits[id / 64] >> (id % 64)) & 1;
	}
	memcpy(list + left, room, (n - left) * sizeof(*list));
}

/* ---- splits ---- */

INLINE unsigned lane_bits(v4i lanes)
{
#if defined(__SSE2__)
	return (unsigned)_mm_movemask_ps((__m128)lanes);
#else
	return (unsigned)((lanes[0] & 1) | (lanes[1] & 2) | (lanes[2] & 4) | (lanes[3] & 8));
#endif
}

/* Weights and targets of four sums. */
INLINE void split_sums(v2l a, v2l b, v4f *w, v4f *s)
{
	*w = __builtin_convertvector(__builtin_shufflevector((v4i)a, (v4i)b, 0, 2, 4, 6), v4f);
	*s = __builtin_convertvector(__builtin_shufflevector((v4i)a, (v4i)b, 1, 3, 5, 7), v4f);
}

INLINE void load_sums(const int64_t *sums, v4f *w, v4f *s)
{
	v2l a, b;

	memcpy(&a, sums, sizeof(a));
	memcpy(&b, sums + 2, sizeof(b));
	split_sums(a, b, w, s);
}

INLINE float sample_gains(const struct screen *screen, const int64_t *sums, unsigned n)
{
	const float total = (float)screen->weight, mean = (float)screen->mean;
	float most = -1.0f;

	/* one in three will do: divisions cost more than what they save */
	for (unsigned i = 0; i + 4 <= n; i += 12) {
		v4f w, s, gain;

		load_sums(sums + i, &w, &s);
		s -= w * mean;
		gain = s * s / (w * (total - w));
		for (unsigned j = 0; j < 4; j++)
			most = gain[j] > most ? gain[j] : most;
	}
	return most;
}

/* Which of four splits reach the bar. */
INLINE v4i reach(const int64_t *sums, float mean, float total, float bar)
{
	v4f w, s, d;

	load_sums(sums, &w, &s);
	d = s - w * mean;
	return d * d >= w * (total - w) * bar;
}

INLINE void offer_sums(struct screen *screen, uint32_t feature, const int64_t *sums, unsigned n,
		       const uint32_t *at, uint32_t first)
{
	const float total = (float)screen->weight, mean = (float)screen->mean;
	float bar = screen->rough_bar;

	for (unsigned i = 0; i < n; i += 8) {
		const v4i a = reach(sums + i, mean, total, bar);
		const v4i b = reach(sums + i + 4, mean, total, bar);
		unsigned lanes;

		if (__builtin_expect(lane_bits(a | b) == 0, 1))
			continue;
		lanes = lane_bits(a) | lane_bits(b) << 4;
		if (n - i < 8)
			lanes &= (1u << (n - i)) - 1;
		screen_offer_lanes(screen, feature, sums + i, lanes, at ? at + i : NULL, first + i);
		bar = screen->rough_bar;
	}
}

static void offer(struct screen *screen, uint32_t feature, const int64_t *sums, unsigned n,
		  const uint32_t *at, uint32_t first)
{
	offer_sums(screen, feature, sums, n, at, first);
}

static unsigned glance(const struct glance *at, const uint16_t *const lists[GLANCE_LISTS],
		       unsigned first, unsigned last)
{
	return glance_lists(at, lists, first, last);
}

static void scan(struct screen *screen, const struct scan *job)
{
	scan_lists(screen, job, offer_sums, sample_gains);
}

/* ---- small nodes: a lane is a feature ---- */

INLINE v8s least16(v8s a, v8s b)
{
#if defined(__SSE2__)
	return (v8s)_mm_min_epi16((__m128i)a, (__m128i)b);
#else
	return (a & (a < b)) | (b & (a >= b));
#endif
}

INLINE v8s most16(v8s a, v8s b)
{
#if defined(__SSE2__)
	return (v8s)_mm_max_epi16((__m128i)a, (__m128i)b);
#else
	return (a & (a > b)) | (b & (a <= b));
#endif
}

INLINE v8s load16(const struct small_rows *rows, unsigned i, uint32_t f)
{
	v8s ranks;

	memcpy(&ranks, (const int16_t *)rows->row[i].ranks + f, sizeof(ranks));
	return ranks;
}

INLINE v4i load32(const struct small_rows *rows, unsigned i, uint32_t f)
{
	v4i ranks;

	memcpy(&ranks, (const int32_t *)rows->row[i].ranks + f, sizeof(ranks));
	return ranks;
}

INLINE uint64_t word_bits(v8s lanes)
{
#if defined(__SSE2__)
	return (uint64_t)(unsigned)_mm_movemask_epi8(
		_mm_packs_epi16((__m128i)lanes, _mm_setzero_si128()));
#else
	uint64_t bits = 0;

	for (unsigned i = 0; i < 8; i++)
		bits |= (uint64_t)(lanes[i] & 1) << i;
	return bits;
#endif
}

static void separate_narrow(const struct small_rows *rows, unsigned n_low, uint64_t *hits)
{
	for (uint32_t f = 0; f < rows->n_features; f += 8) {
		v8s low_min = load16(rows, 0, f), low_max = low_min;
		v8s high_min = load16(rows, n_low, f), high_max = high_min;

		for (unsigned i = 1; i < n_low; i++) {
			low_min = least16(low_min, load16(rows, i, f));
			low_max = most16(low_max, load16(rows, i, f));
		}
		for (unsigned i = n_low + 1; i < rows->m; i++) {
			high_min = least16(high_min, load16(rows, i, f));
			high_max = most16(high_max, load16(rows, i, f));
		}
		hits[f / 64] |= word_bits((low_max < high_min) | (high_max < low_min)) << (f % 64);
	}
}

static void separate_wide(const struct small_rows *rows, unsigned n_low, uint64_t *hits)
{
	for (uint32_t f = 0; f < rows->n_features; f++) {
		int32_t least[2] = {INT32_MAX, INT32_MAX}, most[2] = {-1, -1};

		for (unsigned i = 0; i < rows->m; i++) {
			const int32_t rank = ((const int32_t *)rows->row[i].ranks)[f];
			const unsigned side = i >= n_low;

			least[side] = rank < least[side] ? rank : least[side];
			most[side] = rank > most[side] ? rank : most[side];
		}
		if (most[0] < least[1] || most[1] < least[0])
			hits[f / 64] |= (uint64_t)1 << (f % 64);
	}
}

static void separate(const struct small_rows *rows, unsigned n_low, uint64_t *hits)
{
	const uint32_t last = (rows->n_features - 1) / 64;

	memset(hits, 0, (last + 1) * sizeof(*hits));
	if (rows->narrow)
		separate_narrow(rows, n_low, hits);
	else
		separate_wide(rows, n_low, hits);
	hits[last] &= UINT64_MAX >> (63 - (rows->n_features - 1) % 64);
}

/* Keys are compared as floats: without SSE4.1 those alone have a minimum of 32-bit lanes.  Bits
 * from 0x10000000 to 0x7f7fffff are floats that are normal, positive and in the order of the
 * integers. */
#define KEY_BASE 0x10000000

INLINE v4f least32(v4f a, v4f b)
{
#if defined(__SSE2__)
	return (v4f)_mm_min_ps((__m128)a, (__m128)b);
#else
	return (v4f)(((v4i)a & (a < b)) | ((v4i)b & (a >= b)));
#endif
}

INLINE v4f most32(v4f a, v4f b)
{
#if defined(__SSE2__)
	return (v4f)_mm_max_ps((__m128)a, (__m128)b);
#else
	return (v4f)(((v4i)a & (a > b)) | ((v4i)b & (a <= b)));
#endif
}

INLINE v4f load_key(const struct small_rows *rows, unsigned i, uint32_t f)
{
	v4i ranks;

	if (rows->narrow) {
		int16_t four[4];

		memcpy(four, (const int16_t *)rows->row[i].ranks + f, sizeof(four));
		ranks = (v4i){four[0], four[1], four[2], four[3]};
	} else {
		ranks = load32(rows, i, f);
	}
	return (v4f)((ranks << ROW_BITS) + (KEY_BASE + (int32_t)i));
}

/* With a relative error below 2^-11. */
INLINE v4f reciprocal(v4f a)
{
#if defined(__SSE2__)
	return (v4f)_mm_rcp_ps((__m128)a);
#else
	return 1 / a;
#endif
}

/* Rows as sums of targets and weights, in quanta of `unit`. */
struct row_entries {
	int64_t entries[SMALL];
	float unit;
};

/* Here m is a constant, so that the loop unrolls and keys stay in registers.  Targets sum to about
 * nothing. */
INLINE v4f best_gains(const struct small_rows *rows, const struct row_entries *values, const v4f *k,
		      int32_t *sorted, const unsigned m)
{
	const unsigned first = rows->min_leaf - 1, last = m - rows->min_leaf;
	const int64_t *const entries = values->entries;
	const v4f total = rows->weight + (v4f){0};
	v2l a = {0}, b = {0}; /* sums of two features each, in registers */
	v4f best = {-1, -1, -1, -1};

#pragma GCC unroll 16
	for (unsigned i = 0; i < m; i++) {
		int32_t *const four = sorted + i * KEY_LANES;
		v4i better, apart;
		v4f w, s, gain;

		memcpy(four, &k[i], sizeof(k[i]));
		if (i + 1 == m)
			break;
		apart = ((v4i)k[i] ^ (v4i)k[i + 1]) > SMALL_MAX - 1;
		a += (v2l){entries[four[0] & (SMALL - 1)], entries[four[1] & (SMALL - 1)]};
		b += (v2l){entries[four[2] & (SMALL - 1)], entries[four[3] & (SMALL - 1)]};
		if (i < first || i >= last)
			continue;
		split_sums(a, b, &w, &s);
		s *= values->unit;
		gain = s * s * reciprocal(w * (total - w));
		better = apart & (gain > best);
		best = (v4f)(((v4i)gain & better) | ((v4i)best & ~better));
	}
	return best;
}

#define ORDER(i, j)                                                                                \
	{                                                                                          \
		const v4f less = least32(k[i], k[j]);                                              \
		k[j] = most32(k[i], k[j]);                                                         \
		k[i] = less;                                                                       \
	}
#define GAINS(m)                                                                                   \
	__attribute__((noinline)) static void gains_##m(const struct small_rows *rows,             \
							const struct row_entries *values,          \
							float *out, int32_t *keys)                 \
	{                                                                                          \
		for (uint32_t f = 0; f < rows->n_features; f += 4) {                               \
			v4f k[m], best;                                                            \
                                                                                                   \
			_Pragma("GCC unroll 16") for (unsigned i = 0; i < (m); i++)                \
				k[i] = load_key(rows, i, f);                                       \
			SORT_##m(ORDER);                                                           \
			best = best_gains(rows, values, k, keys + sorted_key(f), m);               \
			memcpy(out + f, &best, sizeof(best));                                      \
		}                                                                                  \
	}
FOR_NETWORKS_TO_16(GAINS)
#undef GAINS
#undef ORDER

static void gains(const struct small_rows *rows, float *out, int32_t *keys)
{
	const float quanta = 0x1p28f / rows->weight;
	struct row_entries values = {.unit = 1 / quanta};

	for (unsigned i = 0; i < rows->m; i++)
		values.entries[i] = (int64_t)lrintf(rows->targets[i] * rows->weights[i] * quanta) *
					    ((int64_t)1 << 32) +
				    (int64_t)rows->weights[i];
	switch (rows->m) {
#define GAINS(m)                                                                                   \
	case m:                                                                                    \
		gains_##m(rows, &values, out, keys);                                               \
		break;
		FOR_NETWORKS_TO_16(GAINS)
#undef GAINS
	}
}

const struct kernel kernel_scalar = {
	"scalar",
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
