/* forest_bits - a hash of every bit that the forest computes, a line for each vector path.
 *
 * tests/local/bits.bats compiles it and engine/forest by different compilers: all must print the
 * same.  Data: words of rng.h, which are exact everywhere. */
#include <stdio.h>
#include <stdlib.h>

#include "engine/forest/forest.h"
#include "engine/forest/rng.h"
#include "proto/error.h"

#define SEED 7

static const struct shape {
	size_t n, p;
	uint32_t levels; /* distinct values of a column; 0: no ties */
	uint32_t mtry, min_leaf;
	bool replace;
	double fraction;
} shapes[] = {
	{300, 20, 0, 0, 1, true, 1},
	{2500, 6, 30, 2, 3, true, 0.7},
	{900, 9, 0, 4, 1, false, 0.5},
};

static uint64_t hash = 0xcbf29ce484222325u; /* FNV-1a */

static void take(const void *bytes, size_t n)
{
	const uint8_t *byte = bytes;

	for (size_t i = 0; i < n; i++)
		hash = (hash ^ byte[i]) * 0x100000001b3u;
}

static void must(int rc, const struct ipp_error *err)
{
	if (rc == 0)
		return;
	fprintf(stderr, "forest_bits: %s\n", err->text);
	exit(1);
}

static void *room(size_t n, size_t bytes)
{
	void *memory = calloc(n, bytes);

	if (!memory)
		abort();
	return memory;
}

/* In (0, 1), or one of so many levels. */
static double value(uint64_t key, uint64_t count, uint32_t levels)
{
	return levels ? rng_below(key, count, levels)
		      : (rng_below(key, count, 1u << 31) + 0.5) * 0x1p-31;
}

static void take_model(const struct forest *forest)
{
	const size_t n = forest_bytes(forest);
	uint8_t *bytes = room(n, 1);

	forest_write(forest, bytes);
	take(bytes, n);
	free(bytes);
}

static void take_results(const struct forest *forest, const struct forest_data *data,
			 const struct forest_options *options, const struct forest_matrix *x)
{
	const size_t n = x->n_rows;
	double *sums = room(n + x->n_cols, sizeof(*sums));
	uint32_t *counts = room(n, sizeof(*counts));
	struct ipp_error err;

	must(forest_predict(forest, x, sums, &err), &err);
	take(sums, n * sizeof(*sums));
	must(forest_oob(forest, data, sums, counts, &err), &err);
	must(forest_importance(forest, data, sums + n, &err), &err);
	take(sums, (n + x->n_cols) * sizeof(*sums));
	take(counts, n * sizeof(*counts));
	for (size_t row = 0; row < 3; row++)
		must(forest_loo_predict(data, options, row, &sums[row], &err), &err);
	take(sums, 3 * sizeof(*sums));
	free(sums);
	free(counts);
}

static void take_shape(const struct shape *shape)
{
	const uint64_t key = rng_absorb(SEED, shape->n);
	double *cells = room(shape->n * shape->p, sizeof(*cells));
	double *y = room(shape->n, sizeof(*y));
	const struct forest_matrix x = forest_matrix(cells, shape->n, shape->p);
	struct forest_options options;
	struct forest_data *data;
	struct forest *forest;
	struct ipp_error err;

	for (size_t i = 0; i < shape->n * shape->p; i++)
		cells[i] = value(key, i, shape->levels);
	for (size_t i = 0; i < shape->n; i++)
		y[i] = cells[i * shape->p] + value(key, shape->n * shape->p + i, 0);
	forest_options_init(&options);
	options.n_trees = 4;
	options.seed = SEED;
	options.mtry = shape->mtry;
	options.min_leaf = shape->min_leaf;
	options.replace = shape->replace;
	options.fraction = shape->fraction;
	must(forest_data_new(&data, &x, y, &err), &err);
	must(forest_fit(&forest, data, &options, NULL, 0, options.n_trees, &err), &err);
	take_model(forest);
	take_results(forest, data, &options, &x);
	forest_free(forest);
	forest_data_free(data);
	free(cells);
	free(y);
}

int main(void)
{
	/* Where the CPU lacks one, this is the best that it has. */
	static const char *const paths[] = {"scalar", "avx2", "avx512"};

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		setenv("IPP_SIMD", paths[i], 1);
		hash = 0xcbf29ce484222325u;
		for (size_t s = 0; s < sizeof(shapes) / sizeof(shapes[0]); s++)
			take_shape(&shapes[s]);
		printf("%016llx\n", (unsigned long long)hash);
	}
	return 0;
}
