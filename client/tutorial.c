#include "client/tutorial.h"

#include <errno.h>
#include <math.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>

#include "client/table.h"
#include "proto/error.h"

/* ---- MT19937 -------------------------------------------------------------------------------- */

#define STATE_WORDS 624
#define SHIFT_WORDS 397

struct twister {
	uint32_t state[STATE_WORDS];
	size_t next;	/* word to hand out; STATE_WORDS: make new ones first */
	bool has_spare; /* the polar method makes normals in pairs */
	double spare;
};

/* As np.random.seed() of an integer does: init_genrand() of the paper's 2002 version. */
static void twister_init(struct twister *twister, uint32_t seed)
{
	twister->state[0] = seed;
	for (uint32_t i = 1; i < STATE_WORDS; i++) {
		uint32_t before = twister->state[i - 1];

		twister->state[i] = 1812433253u * (before ^ before >> 30) + i;
	}
	twister->next = STATE_WORDS;
	twister->has_spare = false;
}

static void twister_advance(struct twister *twister)
{
	uint32_t *state = twister->state;

	for (size_t i = 0; i < STATE_WORDS; i++) {
		uint32_t joined = (state[i] & 0x80000000u) |
				  (state[(i + 1) % STATE_WORDS] & 0x7fffffffu);

		state[i] = state[(i + SHIFT_WORDS) % STATE_WORDS] ^ joined >> 1 ^
			   (joined & 1 ? 0x9908b0dfu : 0);
	}
	twister->next = 0;
}

static uint32_t twister_word(struct twister *twister)
{
	uint32_t word;

	if (twister->next == STATE_WORDS)
		twister_advance(twister);
	word = twister->state[twister->next++];
	word ^= word >> 11;
	word ^= word << 7 & 0x9d2c5680u;
	word ^= word << 15 & 0xefc60000u;
	return word ^ word >> 18;
}

/* Uniform in [0, 1), of 53 random bits: 27 from the first word, 26 from the second. */
static double twister_uniform(struct twister *twister)
{
	uint64_t high = twister_word(twister) >> 5;
	uint64_t low = twister_word(twister) >> 6;

	return (double)(high << 26 | low) * 0x1p-53;
}

/* A point drawn evenly from the unit disc gives two independent normals.  NumPy hands out the one
 * of its second coordinate first. */
static double twister_normal(struct twister *twister)
{
	double a, b, square, factor;

	if (twister->has_spare) {
		twister->has_spare = false;
		return twister->spare;
	}
	do {
		a = 2 * twister_uniform(twister) - 1;
		b = 2 * twister_uniform(twister) - 1;
		square = a * a + b * b;
	} while (square >= 1 || square == 0);
	factor = sqrt(-2 * log(square) / square);
	twister->spare = factor * a;
	twister->has_spare = true;
	return factor * b;
}

/* ---- the data ------------------------------------------------------------------------------- */

int tutorial_table(struct table *out, size_t n, size_t p, struct ipp_error *err)
{
	struct table table = {.n = n, .p = p};
	struct twister twister;
	size_t n_items;

	if (n < 1)
		return ipp_fail(err, EINVAL, "the tutorial's data needs at least 1 row, not %zu",
				n);
	if (p < 3)
		return ipp_fail(
			err, EINVAL,
			"the tutorial's data needs at least 3 features, not %zu: its target is "
			"made of the first three",
			p);
	if (!__builtin_mul_overflow(n, p, &n_items)) {
		table.x = reallocarray(NULL, n_items, sizeof(double));
		table.y = reallocarray(NULL, n, sizeof(double));
	}
	if (!table.x || !table.y) {
		table_fini(&table);
		return ipp_fail(err, ENOMEM, "%zu rows of %zu features: %m", n, p);
	}

	twister_init(&twister, 0);
	for (size_t i = 0; i < n_items; i++)
		table.x[i] = twister_normal(&twister);
	for (size_t i = 0; i < n; i++) {
		const double *x = table.x + i * p;

		table.y[i] = x[0] + sqrt(fabs(x[1] * x[2])) + x[1] - x[2] +
			     twister_normal(&twister);
	}
	*out = table;
	return 0;
}
