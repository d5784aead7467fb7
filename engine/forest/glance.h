/* engine/forest/glance.h - whether any split of a local list may reach the bar, in whole numbers of
 * 16 bits: much faster than a scan, which is then left to the few lists of which it is true.
 *
 * An entry has a row's target (centred on the node's mean, scaled) in its high half, and c times
 * the row's weight in the low half.  Summed over the rows left of a split these are S and c * wL,
 * and the sign of S^2 - c^2 * wL * (W - wL) is that of one multiplication of pairs.  Rounding:
 * targets are off by less than one each and together by nothing, so S is off by less than min(wL,
 * wR) <= sqrt(wL * wR), and c is the scaled root of the bar, less one, rounded down. */
#ifndef IPP_FOREST_GLANCE_H
#define IPP_FOREST_GLANCE_H

#include "engine/forest/kernel.h"

struct glance {
	double bar;	/* that of the screen when the table was made */
	int32_t weight; /* c * W */
	/* that of id at 2 * id + 1, and zeros between them */
	int32_t table[2 * LOCAL_MAX + 1];
	/* of the node, in order of target */
	const uint16_t *ids;
	unsigned m;
	double sums[LOCAL_MAX]; /* of centred targets */
	double least;		/* of those */
	uint32_t weights[LOCAL_MAX];
};

/* Read the node's m rows, ids in order of target, from the lists' table, and set the bar. */
void glance_begin(struct glance *glance, const struct screen *screen, const uint16_t *ids,
		  unsigned m, const int64_t *table);

/* Make the table for the screen's bar. */
void glance_set_bar(struct glance *glance, const struct screen *screen);

#endif
