/* Trees against a brute-force grower that shares nothing with the forest but the generator. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/forest/forest.h"
#include "engine/forest/model.h"
#include "engine/forest/rng.h"

#define MAX_ROWS 1400
#define MAX_COLS 70

struct problem {
	uint32_t n, p;
	double x[MAX_ROWS][MAX_COLS];
	double y[MAX_ROWS];
	int64_t q[MAX_ROWS]; /* targets as integers, in proportion to y */
	uint32_t w[MAX_ROWS];
	struct forest_options options;
	struct node nodes[2 * MAX_ROWS];
	uint32_t n_nodes;
};

static uint64_t random_key, random_count;

static uint32_t pick(uint32_t n)
{
	return rng_below(random_key, random_count++, n);
}

static double normal(void)
{
	double sum = 0;

	for (int i = 0; i < 12; i++)
		sum += pick(1u << 30) * 0x1p-30;
	return sum - 6;
}

__extension__ typedef unsigned __int128 u128;
__extension__ typedef __int128 i128;

/* a^2 * f as nine 32-bit digits and one more, by schoolbook multiplication. */
static void product(u128 a, uint64_t f, uint32_t out[10])
{
	uint32_t factors[3][4] = {{0}};
	uint32_t value[10] = {1};

	for (int i = 0; i < 4; i++)
		factors[0][i] = factors[1][i] = (uint32_t)(a >> (32 * i));
	factors[2][0] = (uint32_t)f;
	factors[2][1] = (uint32_t)(f >> 32);
	for (int k = 0; k < 3; k++) {
		uint32_t next[10] = {0};

		for (int i = 0; i < 4; i++) {
			uint64_t carry = 0;

			for (int j = 0; i + j < 10; j++) {
				carry += next[i + j] + (uint64_t)factors[k][i] * value[j];
				next[i + j] = (uint32_t)carry;
				carry >>= 32;
			}
		}
		memcpy(value, next, sizeof(value));
	}
	memcpy(out, value, sizeof(value));
}

static int compare_gains(u128 da, uint64_t den_a, u128 db, uint64_t den_b)
{
	uint32_t a[10], b[10];

	product(da, den_b, a);
	product(db, den_a, b);
	for (int i = 9; i >= 0; i--) {
		if (a[i] != b[i])
			return a[i] > b[i] ? 1 : -1;
	}
	return 0;
}

static const struct problem *sorting;
static uint32_t sorting_feature;

static int by_feature(const void *a, const void *b)
{
	const double va = sorting->x[*(const uint32_t *)a][sorting_feature];
	const double vb = sorting->x[*(const uint32_t *)b][sorting_feature];

	return (va > vb) - (va < vb);
}

static void grow(struct problem *pr, const uint32_t *rows, uint32_t m, uint64_t key, uint32_t depth)
{
	const struct forest_options *const o = &pr->options;
	const uint32_t here = pr->n_nodes++, mtry = o->mtry ? o->mtry : pr->p;
	uint32_t order[MAX_COLS], sorted[MAX_ROWS], sides[MAX_ROWS];
	uint32_t best_feature = 0, n_left = 0, k = 0;
	u128 best_d = 0;
	uint64_t best_den = 0, total_w = 0;
	double threshold = 0, mean = 0;
	bool pure = true, constant = true;
	i128 total = 0;

	for (uint32_t i = 0; i < m; i++) {
		total += (i128)pr->q[rows[i]] * pr->w[rows[i]];
		total_w += pr->w[rows[i]];
		pure = pure && pr->y[rows[i]] == pr->y[rows[0]];
	}
	mean = (double)total / (double)total_w;
	for (uint32_t f = 0; f < pr->p; f++)
		order[f] = f;
	for (uint32_t f = 0; f < pr->p; f++) {
		const uint32_t other = f + rng_below(key, f, pr->p - f), swap = order[f];

		order[f] = order[other];
		order[other] = swap;
	}
	if (!pure && m >= o->min_split && m >= 2 * o->min_leaf &&
	    (o->max_depth == 0 || depth < o->max_depth)) {
		for (uint32_t j = 0; j < pr->p && (j < mtry || constant); j++) {
			const uint32_t f = order[j];
			uint64_t w = 0;
			i128 sum = 0;

			memcpy(sorted, rows, m * sizeof(*rows));
			sorting = pr;
			sorting_feature = f;
			qsort(sorted, m, sizeof(*sorted), by_feature);
			if (pr->x[sorted[0]][f] < pr->x[sorted[m - 1]][f])
				constant = false;
			for (uint32_t i = 0; i + 1 < m; i++) {
				const double a = pr->x[sorted[i]][f], b = pr->x[sorted[i + 1]][f];
				i128 d;
				u128 size;

				w += pr->w[sorted[i]];
				sum += (i128)pr->q[sorted[i]] * pr->w[sorted[i]];
				if (a == b || i + 1 < o->min_leaf || m - i - 1 < o->min_leaf)
					continue;
				d = sum * (i128)total_w - total * (i128)w;
				size = (u128)(d < 0 ? -d : d);
				if (best_den &&
				    compare_gains(size, w * (total_w - w), best_d, best_den) <= 0)
					continue;
				best_d = size;
				best_den = w * (total_w - w);
				best_feature = f;
				n_left = i + 1;
				threshold = a / 2 + b / 2;
			}
		}
	}
	if (best_den == 0) {
		/* q is y * 2^k exactly, for a k that any non-zero target tells */
		double unit = 0;

		for (uint32_t i = 0; i < m && unit == 0; i++) {
			if (pr->q[rows[i]] != 0)
				unit = pr->y[rows[i]] / (double)pr->q[rows[i]];
		}
		pr->nodes[here] = (struct node){pure ? pr->y[rows[0]] : mean * unit, NODE_LEAF,
						NODE_NONE};
		return;
	}
	for (uint32_t i = 0; i < m; i++) {
		if (pr->x[rows[i]][best_feature] <= threshold)
			sides[k++] = rows[i];
	}
	assert_int_equal(k, n_left);
	for (uint32_t i = 0; i < m; i++) {
		if (!(pr->x[rows[i]][best_feature] <= threshold))
			sides[k++] = rows[i];
	}
	pr->nodes[here] = (struct node){threshold, best_feature, NODE_NONE};
	grow(pr, sides, n_left, rng_absorb(key, RNG_LEFT), depth + 1);
	pr->nodes[here].right = pr->n_nodes;
	grow(pr, sides + n_left, m - n_left, rng_absorb(key, RNG_RIGHT), depth + 1);
}

static void brute_force(struct problem *pr, uint32_t tree)
{
	const uint64_t key = rng_tree(pr->options.seed, 0, tree);
	const uint64_t draw = rng_absorb(key, RNG_BOOTSTRAP);
	uint32_t rows[MAX_ROWS], m = 0;

	memset(pr->w, 0, sizeof(pr->w));
	for (uint32_t j = 0; j < pr->n; j++)
		pr->w[rng_below(draw, j, pr->n)]++;
	for (uint32_t i = 0; i < pr->n; i++) {
		if (pr->w[i])
			rows[m++] = i;
	}
	pr->n_nodes = 0;
	grow(pr, rows, m, rng_absorb(key, RNG_ROOT), 0);
}

static void compare(struct problem *pr)
{
	struct forest_matrix x = {&pr->x[0][0], pr->n, pr->p, MAX_COLS, 1};
	struct forest_data *data;
	struct forest *forest;

	pr->options.n_trees = 2;
	assert_int_equal(forest_data_new(&data, &x, pr->y, NULL), 0);
	assert_int_equal(forest_fit(&forest, data, &pr->options, NULL, 0, 2, NULL), 0);
	for (uint32_t t = 0; t < 2; t++) {
		const struct node *const nodes = forest_tree(forest, t);

		brute_force(pr, t);
		assert_int_equal(forest->start[t + 1] - forest->start[t], pr->n_nodes);
		for (uint32_t i = 0; i < pr->n_nodes; i++) {
			assert_int_equal(nodes[i].feature, pr->nodes[i].feature);
			assert_int_equal(nodes[i].right, pr->nodes[i].right);
			if (nodes[i].feature != NODE_LEAF)
				assert_true(nodes[i].value == pr->nodes[i].value);
			else /* a sum of integers here, of doubles there */
				assert_true(fabs(nodes[i].value - pr->nodes[i].value) <=
					    1e-15 * (1 + fabs(pr->nodes[i].value)));
		}
	}
	forest_free(forest);
	forest_data_free(data);
}

/* Fill x: `levels` distinct values a column, 0 for no ties. */
static void fill_x(struct problem *pr, uint32_t levels)
{
	for (uint32_t i = 0; i < pr->n; i++) {
		for (uint32_t f = 0; f < pr->p; f++)
			pr->x[i][f] = levels ? pick(levels) : normal();
	}
}

static void small_integers(struct problem *pr, uint32_t levels)
{
	for (uint32_t i = 0; i < pr->n; i++) {
		pr->q[i] = (int64_t)pick(levels) - levels / 2;
		pr->y[i] = (double)pr->q[i];
	}
}

/* Doubles with 40 bits after the point. */
static void real_targets(struct problem *pr)
{
	for (uint32_t i = 0; i < pr->n; i++) {
		const double y = pr->x[i][0] + (pr->p > 2 ? pr->x[i][2] : 0) + normal();

		pr->q[i] = llrint(y * 0x1p40);
		pr->y[i] = (double)pr->q[i] * 0x1p-40;
	}
}

static void vary_options(struct problem *pr)
{
	forest_options_init(&pr->options);
	pr->options.seed = pick(1u << 30);
	if (pick(2))
		pr->options.mtry = 1 + pick(pr->p);
	if (pick(3) == 0)
		pr->options.min_leaf = 1 + pick(5);
	if (pick(4) == 0)
		pr->options.min_split = 2 + pick(8);
	if (pick(4) == 0)
		pr->options.max_depth = 1 + pick(6);
}

static struct problem problem;

static void trees_of_small_data_sets_are_those_of_brute_force(void **state)
{
	(void)state;
	random_key = 1;
	for (int i = 0; i < 600; i++) {
		problem.n = 1 + pick(40);
		problem.p = 1 + pick(MAX_COLS);
		fill_x(&problem, pick(3) ? 0 : 1 + pick(6));
		if (pick(2))
			small_integers(&problem, 1 + pick(10));
		else
			real_targets(&problem);
		vary_options(&problem);
		compare(&problem);
	}
}

static void trees_of_hundreds_of_rows_are_those_of_brute_force(void **state)
{
	(void)state;
	random_key = 2;
	for (int i = 0; i < 60; i++) {
		problem.n = 100 + pick(411);
		problem.p = 1 + pick(12);
		fill_x(&problem, pick(3) ? 0 : 1 + pick(300));
		if (pick(2))
			small_integers(&problem, 1 + pick(50));
		else
			real_targets(&problem);
		vary_options(&problem);
		compare(&problem);
	}
}

static void trees_of_more_rows_than_local_lists_hold_are_those_of_brute_force(void **state)
{
	(void)state;
	random_key = 3;
	for (int i = 0; i < 16; i++) {
		problem.n = 513 + pick(MAX_ROWS - 513);
		problem.p = 1 + pick(6);
		fill_x(&problem, pick(3) ? 0 : 1 + pick(300));
		if (pick(2))
			small_integers(&problem, 2 + pick(50));
		else
			real_targets(&problem);
		vary_options(&problem);
		compare(&problem);
	}
}

static void copies_of_columns_tie_and_are_chosen_as_brute_force_does(void **state)
{
	(void)state;
	random_key = 4;
	for (int i = 0; i < 100; i++) {
		problem.n = 20 + pick(100);
		problem.p = 2 + pick(10);
		fill_x(&problem, 0);
		for (uint32_t r = 0; r < problem.n; r++) {
			for (uint32_t f = 1; f < problem.p; f += 2)
				problem.x[r][f] = f % 4 == 1 ? problem.x[r][f - 1]
							     : -problem.x[r][f - 1];
		}
		real_targets(&problem);
		vary_options(&problem);
		compare(&problem);
	}
}

/* Each value of x occurs with targets 1 and -1: no split gains anything, at any node of more
 * than one value, and all tie. */
static void splits_of_no_gain_are_taken_and_tie(void **state)
{
	(void)state;
	random_key = 5;
	for (int i = 0; i < 20; i++) {
		problem.n = 40 + 2 * pick(100);
		problem.p = 1 + pick(4);
		fill_x(&problem, 0);
		for (uint32_t r = 0; r < problem.n; r++) {
			memcpy(problem.x[r], problem.x[r & ~1u], sizeof(problem.x[r]));
			problem.q[r] = r & 1 ? 1 : -1;
			problem.y[r] = (double)problem.q[r];
		}
		vary_options(&problem);
		compare(&problem);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(trees_of_small_data_sets_are_those_of_brute_force),
		cmocka_unit_test(trees_of_hundreds_of_rows_are_those_of_brute_force),
		cmocka_unit_test(trees_of_more_rows_than_local_lists_hold_are_those_of_brute_force),
		cmocka_unit_test(copies_of_columns_tie_and_are_chosen_as_brute_force_does),
		cmocka_unit_test(splits_of_no_gain_are_taken_and_tie),
	};

	return cmocka_run_group_tests_name("forest: exact trees", tests, NULL, NULL);
}
