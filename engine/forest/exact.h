/* engine/forest/exact.h - splits of a node compared as rational numbers.
 *
 * Targets of a node enter as integers q = rint(y * 2^k), k such that the largest |q| is in
 * [2^61, 2^62): no bit of a target is lost unless it is 2^9 times smaller than the largest, and
 * then less than 2^-62 of the largest.  With S the weighted sum of q on the left, T in the node, wL
 * and W the weights, the decrease of squared error is
 *
 *     (W * S - wL * T)^2 / (W * wL * (W - wL) * 4^k)
 *
 * of which W and 4^k are the same for all splits of a node: d^2 / den with d = |W * S - wL * T|
 * and den = wL * (W - wL).  d < 2^127 since weights sum to less than 2^32. */
#ifndef IPP_FOREST_EXACT_H
#define IPP_FOREST_EXACT_H

#include <stdint.h>

__extension__ typedef __int128 exact_int;
__extension__ typedef unsigned __int128 exact_uint;

struct exact_scale {
	double up1, up2; /* 2^k in two factors, as k reaches 1135 */
	int k;
};

struct exact_split {
	exact_uint d;
	uint64_t den;
};

/* The scale for targets of at most `largest` in magnitude. */
struct exact_scale exact_scale_for(double largest);

int64_t exact_target(const struct exact_scale *scale, double y);

/* The mean of targets whose q weighted by w sums to `sum`, correct to 2 ulp of the largest |y|. */
double exact_mean(const struct exact_scale *scale, exact_int sum, uint64_t weight);

struct exact_split exact_split_of(exact_int left, uint64_t left_weight, exact_int total,
				  uint64_t total_weight);

/* Negative, zero, positive as the decrease of a is less than, equal to, more than that of b. */
int exact_compare(const struct exact_split *a, const struct exact_split *b);

#endif
