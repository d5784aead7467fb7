#include "engine/forest/exact.h"

#include <math.h>
#include <string.h>

/* 2^k for -1022 <= k <= 1023. */
static double power_of_two(int k)
{
	const uint64_t bits = (uint64_t)(k + 1023) << 52;
	double value;

	memcpy(&value, &bits, sizeof(value));
	return value;
}

struct exact_scale exact_scale_for(double largest)
{
	struct exact_scale scale;
	int exponent = 0;

	frexp(largest, &exponent); /* largest < 2^exponent */
	scale.k = 62 - exponent;
	scale.up1 = power_of_two(scale.k / 2);
	scale.up2 = power_of_two(scale.k - scale.k / 2);
	return scale;
}

int64_t exact_target(const struct exact_scale *scale, double y)
{
	return llrint(y * scale->up1 * scale->up2);
}

double exact_mean(const struct exact_scale *scale, exact_int sum, uint64_t weight)
{
	return (double)sum / (double)weight / scale->up1 / scale->up2;
}

struct exact_split exact_split_of(exact_int left, uint64_t left_weight, exact_int total,
				  uint64_t total_weight)
{
	const exact_int d = left * (exact_int)total_weight - total * (exact_int)left_weight;

	return (struct exact_split){(exact_uint)(d < 0 ? -d : d),
				    left_weight * (total_weight - left_weight)};
}

/* limbs = d^2 * factor, least significant first. */
static void square_times(exact_uint d, uint64_t factor, uint64_t limbs[5])
{
	const uint64_t lo = (uint64_t)d, hi = (uint64_t)(d >> 64);
	const exact_uint ll = (exact_uint)lo * lo, lh = (exact_uint)lo * hi,
			 hh = (exact_uint)hi * hi;
	uint64_t square[4];
	exact_uint carry;

	square[0] = (uint64_t)ll;
	carry = (ll >> 64) + (exact_uint)(uint64_t)lh * 2;
	square[1] = (uint64_t)carry;
	carry = (carry >> 64) + (lh >> 64) * 2 + (uint64_t)hh;
	square[2] = (uint64_t)carry;
	square[3] = (uint64_t)((carry >> 64) + (hh >> 64));
	carry = 0;
	for (int i = 0; i < 4; i++) {
		carry += (exact_uint)square[i] * factor;
		limbs[i] = (uint64_t)carry;
		carry >>= 64;
	}
	limbs[4] = (uint64_t)carry;
}

int exact_compare(const struct exact_split *a, const struct exact_split *b)
{
	uint64_t left[5], right[5];

	if (a->den == b->den)
		return (a->d > b->d) - (a->d < b->d);
	square_times(a->d, b->den, left);
	square_times(b->d, a->den, right);
	for (int i = 4; i >= 0; i--) {
		if (left[i] != right[i])
			return left[i] > right[i] ? 1 : -1;
	}
	return 0;
}
