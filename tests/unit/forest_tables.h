/* tests/unit/forest_tables.h - tables of random numbers, and forests fitted to them. */
#ifndef IPP_TESTS_FOREST_TABLES_H
#define IPP_TESTS_FOREST_TABLES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engine/forest/forest.h"
#include "engine/forest/rng.h"
#include "proto/error.h"

static uint64_t random_key, random_count;

static uint32_t pick(uint32_t n)
{
	return rng_below(random_key, random_count++, n);
}

static double uniform(void)
{
	return (pick(1u << 31) + 0.5) * 0x1p-31;
}

struct table {
	size_t n, p;
	double *x, *y;
};

/* `levels` distinct values a column, 0 for no ties. */
static struct table table_new(size_t n, size_t p, uint32_t levels)
{
	struct table t = {n, p, malloc(n * p * sizeof(double)), malloc(n * sizeof(double))};

	assert_non_null(t.x);
	assert_non_null(t.y);
	for (size_t i = 0; i < n * p; i++)
		t.x[i] = levels ? pick(levels) : uniform();
	for (size_t i = 0; i < n; i++)
		t.y[i] = t.x[i * p] + uniform();
	return t;
}

static void table_free(struct table *t)
{
	free(t->x);
	free(t->y);
}

static struct forest_data *prepare(const struct table *t)
{
	const struct forest_matrix x = forest_matrix(t->x, t->n, t->p);
	struct forest_data *data;
	struct ipp_error err;

	if (forest_data_new(&data, &x, t->y, &err) < 0)
		fail_msg("%s", err.text);
	return data;
}

static struct forest *fit(const struct table *t, const struct forest_options *options)
{
	struct forest_data *const data = prepare(t);
	struct forest *forest;
	struct ipp_error err;

	if (forest_fit(&forest, data, options, NULL, 0, options->n_trees, &err) < 0)
		fail_msg("%s", err.text);
	forest_data_free(data);
	return forest;
}

#endif
