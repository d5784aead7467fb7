/* engine/forest/kernel.h - the inner loops, once for each kind of vector unit.
 *
 * Lists and filters give the same result on every path; scans and gains may differ in rounding,
 * within the bounds that their callers allow for, and so never change a tree. */
#ifndef IPP_FOREST_KERNEL_H
#define IPP_FOREST_KERNEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "engine/forest/screen.h"

/* Lists may be read and written this many elements beyond their end. */
#define LIST_SLACK 32

/* Small nodes are split without lists, from the rank table: those of at most this many rows, or as
 * many as the kernel says. */
#define SMALL_MAX 32
#define ROW_BITS 5

/* Lists of 16-bit ids below this; a kernel may say less. */
#define LOCAL_MAX 2048

/* Which local ids are marked: a bit for each of LOCAL_MAX, or a byte for each of 512, as suits the
 * kernel. */
struct marks {
	uint64_t words[64];
	bool few; /* all ids are below 512 */
};

/* Features in lanes: results for this many beyond the last feature may be written. */
#define LANE_SLACK 64

/* Keys of a feature in ascending order, rank << ROW_BITS | row, the i-th at sorted_key(f) + i *
 * KEY_LANES; more bits may be set above the rank. */
#define KEY_LANES 16
static inline size_t sorted_key(uint32_t feature)
{
	return (size_t)(feature / KEY_LANES) * KEY_LANES * SMALL_MAX + feature % KEY_LANES;
}

struct small_row {
	const void *ranks; /* by feature: int16_t if narrow, else int32_t */
	double y;
	uint32_t id, weight;
};

struct small_rows {
	const struct small_row *row; /* m of them */
	unsigned m;
	bool narrow;
	uint32_t n_features;
	uint32_t min_leaf;
	float weight;				      /* W; this and the next for gains alone */
	float weights[SMALL_MAX], targets[SMALL_MAX]; /* centred: sum w * t is about 0 */
};

/* Sums of a table's entries: targets in the high half, weights in the low one.  The halves of a sum
 * over any part of a node are below 2^31 and 2^24 in magnitude. */
static inline int64_t sum_target(int64_t sum)
{
	return sum >> 32;
}

static inline int64_t sum_weight(int64_t sum)
{
	return sum & 0xffffffff;
}

/* Sums may be read this many elements beyond their end. */
#define SUM_SLACK 16

/* Lists of a node: list f has n ids at ids + f * stride. */
struct spans {
	uint16_t *ids;
	size_t stride;
	uint32_t n_lists;
	unsigned n;
};

/* What to scan in them: the splits after places first to last - 1. */
struct scan {
	struct spans spans;
	const uint32_t *features; /* these n_features, or the first so many lists when NULL */
	uint32_t n_features;
	const uint8_t *tied; /* by feature: leave it out */
	unsigned first, last;
	const int64_t *table;
	int64_t *sums[2]; /* room for last + SUM_SLACK each */
};

/* Lists that are glanced at together. */
#define GLANCE_LISTS 4
struct glance;

struct kernel {
	const char *name;
	unsigned small_max; /* rows of a small node */
	unsigned local_max; /* local ids are below this */
	/* Mark ids[n] and no others; all ids in use are below `limit`. */
	void (*mark)(struct marks *marks, const uint16_t *ids, unsigned n, unsigned limit);
	/* Copy the marked ids of n-id lists of `from`, in order, to the front of lists of `to` (its
	 * n is ignored), which may be the same. */
	void (*filter)(const struct spans *to, const struct spans *from, const struct marks *marks);
	/* Stable partition of each list: marked ids first.  `room` as long as a list. */
	void (*partition)(const struct spans *spans, const struct marks *marks, uint16_t *room);
	/* The same for wide lists and bits by id.  dst has room for n. */
	uint32_t (*filter_wide)(uint32_t *dst, const uint32_t *src, uint32_t n,
				const uint64_t *bits);
	void (*partition_wide)(uint32_t *list, uint32_t n, const uint64_t *bits, uint32_t *room);
	/* Which of these lists may have a split that reaches the bar, among those after places
	 * first to last - 1, as bits. */
	unsigned (*glance)(const struct glance *glance, const uint16_t *const lists[GLANCE_LISTS],
			   unsigned first, unsigned last);
	/* Offer the splits that may reach the bar. */
	void (*scan)(struct screen *screen, const struct scan *scan);
	/* The same for n splits whose sums are known; split i is after list[at[i]], or
	 * after list[first + i] when at is NULL. */
	void (*offer)(struct screen *screen, uint32_t feature, const int64_t *sums, unsigned n,
		      const uint32_t *at, uint32_t first);
	/* hits: a bit for each feature, set when one threshold separates the first n_low rows from
	 * the others. */
	void (*separate)(const struct small_rows *rows, unsigned n_low, uint64_t *hits);
	/* gains[f]: the best gain of feature f, relative error 2^-11, beside what single precision
	 * does to sums; -1 when the feature has no valid split.  keys: their ranks, sorted. */
	void (*gains)(const struct small_rows *rows, float *gains, int32_t *keys);
};

/* Of the scalar kernel; nothing is gained by vectors where each bit is looked up by itself. */
uint32_t scalar_filter_wide(uint32_t *dst, const uint32_t *src, uint32_t n, const uint64_t *bits);
void scalar_partition_wide(uint32_t *list, uint32_t n, const uint64_t *bits, uint32_t *room);

extern const struct kernel kernel_scalar;
extern const struct kernel kernel_avx2; /* these two on x86-64 alone */
extern const struct kernel kernel_avx512;

/* The best that this CPU has, or the one that IPP_SIMD=scalar|avx2|avx512 names if it has that. */
const struct kernel *kernel_choose(void);

/* By name, NULL when unknown or not on this CPU. */
const struct kernel *kernel_named(const char *name);

#endif
