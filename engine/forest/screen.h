/* engine/forest/screen.h - the splits of a node that may be the best one.
 *
 * Scans see targets rounded to whole quanta of a table (see grower.h).  The decrease they find for
 * a split, g = S^2 / (wL * wR) with S the sum of centred targets left of it, has |sqrt(g) -
 * sqrt(exact g)| <= SCREEN_ERROR quanta: an entry is off by half a quantum, S by min(wL, wR) of
 * them at most, and sqrt(wL * wR) is no less than that; double rounding adds far less than the
 * other half.  So the exact best split is among those with sqrt(g) within 2 * SCREEN_ERROR of the
 * largest.  Usually it is the only one.
 *
 * Vector units look in single precision first, for g >= rough_bar.  That S is off by 5 * 2^-24 of
 * the largest sum possible: rounding of the sum, the mean, their product and difference. */
#ifndef IPP_FOREST_SCREEN_H
#define IPP_FOREST_SCREEN_H

#include <stdbool.h>
#include <stdint.h>

#define SCREEN_ERROR 1.5
#define SCREEN_MAX 64

struct candidate {
	double gain;
	uint32_t feature;
	uint32_t at; /* the left side is list[0..at] */
};

struct screen {
	double weight;	 /* W of the node */
	double mean;	 /* of the table's entries over the node */
	double rounding; /* error of sqrt(g) in single precision */
	double best;	 /* largest gain so far; -1: no split yet */
	double bar;	 /* gains below cannot be the exact best */
	float rough_bar; /* nor gains below this in single precision */
	unsigned n;
	bool overflow; /* more candidates than fit: any split may be the best */
	struct candidate candidates[SCREEN_MAX];
};

/* Entries of the node's rows are at most `largest` quanta. */
void screen_init(struct screen *screen, double weight, double mean, double largest);

/* Take in a split from the sum of entries on the left, if it reaches the bar. */
void screen_offer(struct screen *screen, uint32_t feature, uint32_t at, int64_t sum,
		  int64_t weight);

/* The same for those of up to 16 packed sums whose bit in `lanes` is set: sums[i] is that at place
 * at[i], or first + i when at is NULL. */
void screen_offer_lanes(struct screen *screen, uint32_t feature, const int64_t *sums,
			unsigned lanes, const uint32_t *at, uint32_t first);

/* Some split has this gain in single precision: raise the bar before splits are offered. */
void screen_seed(struct screen *screen, float gain);

/* Drop candidates below the bar. */
void screen_prune(struct screen *screen);

#endif
