/* The forest at its edges: extreme values and shapes, refusals. */
#include <float.h>
#include <math.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "engine/forest/model.h"
#include "tests/unit/forest_tables.h"

/* Every row in every tree: predictions of the training rows are their targets. */
static struct forest_options whole_sample(void)
{
	struct forest_options options;

	forest_options_init(&options);
	options.replace = false;
	options.n_trees = 1;
	return options;
}

static void assert_fits_exactly(const struct table *t)
{
	const struct forest_matrix x = forest_matrix(t->x, t->n, t->p);
	const struct forest_options options = whole_sample();
	double *const predictions = malloc(t->n * sizeof(*predictions));
	struct forest *const forest = fit(t, &options);

	assert_int_equal(forest_predict(forest, &x, predictions, NULL), 0);
	for (size_t i = 0; i < t->n; i++)
		assert_true(predictions[i] == t->y[i]);
	forest_free(forest);
	free(predictions);
}

/* ---- values ---- */

static void targets_from_1e_minus_300_to_1e300_are_told_apart(void **state)
{
	struct table t = table_new(601, 3, 0);

	(void)state;
	for (size_t i = 0; i < t.n; i++)
		t.y[i] = pow(10.0, (double)i - 300) * (i % 2 ? 1 : -1);
	assert_fits_exactly(&t);
	for (size_t i = 0; i < t.n; i++)
		t.y[i] = 1e-300 * (1 + uniform());
	assert_fits_exactly(&t);
	for (size_t i = 0; i < t.n; i++)
		t.y[i] = 1e300 * uniform();
	assert_fits_exactly(&t);
	for (size_t i = 0; i < t.n; i++)
		t.y[i] = (double)i * DBL_TRUE_MIN;
	assert_fits_exactly(&t);
	for (size_t i = 0; i < t.n; i++)
		t.y[i] = i % 3 ? DBL_MAX : -DBL_MAX * uniform();
	assert_fits_exactly(&t);
	table_free(&t);
}

static void targets_are_told_apart_down_to_the_last_bit(void **state)
{
	struct table t = table_new(400, 2, 0);

	(void)state;
	for (size_t i = 0; i < t.n; i++)
		t.y[i] = 0x1p53 - (double)i;
	assert_fits_exactly(&t);
	for (size_t i = 0; i < t.n; i++)
		t.y[i] = 1e9 + (double)i * 0x1p-23;
	assert_fits_exactly(&t);
	for (size_t i = 0; i < t.n; i++)
		t.y[i] = i == 7 ? 1e300 : uniform(); /* one that dwarfs all others */
	assert_fits_exactly(&t);
	table_free(&t);
}

static void values_from_1e_minus_300_to_1e300_are_told_apart(void **state)
{
	struct table t = table_new(601, 1, 0);

	(void)state;
	for (size_t i = 0; i < t.n; i++)
		t.x[i] = pow(10.0, (double)i - 300);
	assert_fits_exactly(&t);
	for (size_t i = 0; i < t.n; i++)
		t.x[i] = (i % 2 ? DBL_MAX : -DBL_MAX) * (1 - (double)i * 0x1p-50);
	assert_fits_exactly(&t);
	for (size_t i = 0; i < t.n; i++)
		t.x[i] = (double)i * DBL_TRUE_MIN;
	assert_fits_exactly(&t);
	table_free(&t);
}

static void neighbouring_doubles_are_parted_by_the_lower_one(void **state)
{
	double x[2] = {1.0, 1.0 + DBL_EPSILON}, y[2] = {3, 4};
	const struct table t = {2, 1, x, y};
	const struct forest_options options = whole_sample();
	struct forest *const forest = fit(&t, &options);

	(void)state;
	assert_int_equal(forest_nodes(forest), 3);
	assert_true(forest->nodes.nodes[0].value == 1.0);
	forest_free(forest);
	assert_fits_exactly(&t);
}

static void columns_that_differ_in_their_last_bits_are_sorted(void **state)
{
	double x[300], y[300];
	const struct table t = {300, 1, x, y};
	const struct forest_options options = whole_sample();
	struct forest *forest;

	(void)state;
	for (int i = 0; i < 300; i++) {
		const int hundred = i / 100;

		y[i] = hundred;
		/* out of order within each hundred rows of the same target */
		x[i] = 1 + (100 * y[i] + i * 37 % 100) * DBL_EPSILON;
	}
	forest = fit(&t, &options);
	assert_int_equal(forest_nodes(forest), 5);
	forest_free(forest);
	assert_fits_exactly(&t);
}

static void minus_zero_equals_zero(void **state)
{
	double x[4] = {0.0, -0.0, -0.0, 0.0}, y[4] = {1, 2, 3, 6};
	const struct table t = {4, 1, x, y};
	const struct forest_options options = whole_sample();
	struct forest *const forest = fit(&t, &options);

	(void)state;
	assert_int_equal(forest_nodes(forest), 1);
	assert_true(forest->nodes.nodes[0].value == 3.0);
	forest_free(forest);
}

static void constant_targets_make_a_single_leaf(void **state)
{
	struct table t = table_new(50, 4, 0);
	const struct forest_options options = whole_sample();
	struct forest *forest;

	(void)state;
	for (size_t i = 0; i < t.n; i++)
		t.y[i] = 0.1;
	forest = fit(&t, &options);
	assert_int_equal(forest_nodes(forest), 1);
	assert_true(forest->nodes.nodes[0].value == 0.1);
	forest_free(forest);
	table_free(&t);
}

static void constant_columns_are_never_split(void **state)
{
	struct table t = table_new(300, 5, 0);
	struct forest_options options = whole_sample();
	struct forest *forest;

	(void)state;
	for (size_t i = 0; i < t.n; i++)
		t.x[i * 5] = t.x[i * 5 + 1] = t.x[i * 5 + 3] = 2.5;
	options.mtry = 1; /* mostly draws a constant one, and must go on to another */
	forest = fit(&t, &options);
	assert_int_equal(forest_nodes(forest), 2 * t.n - 1);
	for (size_t i = 0; i < forest->nodes.n; i++) {
		const uint32_t f = forest->nodes.nodes[i].feature;

		assert_true(f == NODE_LEAF || f == 2 || f == 4);
	}
	forest_free(forest);
	table_free(&t);
}

static void rows_that_differ_in_target_alone_share_a_leaf(void **state)
{
	double x[6] = {1, 1, 1, 2, 2, 2}, y[6] = {1, 2, 6, 10, 20, 60};
	const struct table t = {6, 1, x, y};
	const struct forest_options options = whole_sample();
	struct forest *const forest = fit(&t, &options);

	(void)state;
	assert_int_equal(forest_nodes(forest), 3);
	assert_true(forest->nodes.nodes[0].value == 1.5);
	assert_true(forest->nodes.nodes[1].value == 3);
	assert_true(forest->nodes.nodes[2].value == 30);
	forest_free(forest);
}

/* ---- shapes ---- */

static void one_row_two_rows_and_one_column_will_do(void **state)
{
	(void)state;
	for (size_t n = 1; n < 40; n++) {
		struct table t = table_new(n, 1, 0);

		assert_fits_exactly(&t);
		table_free(&t);
	}
}

static void a_hundred_thousand_columns_will_do(void **state)
{
	struct forest_options options = whole_sample();
	struct table t = table_new(40, 100000, 0);
	struct forest *forest;

	(void)state;
	assert_fits_exactly(&t);
	options.mtry = 300;
	forest = fit(&t, &options);
	assert_int_equal(forest_nodes(forest), 2 * t.n - 1);
	forest_free(forest);
	table_free(&t);
}

/* The best split of the rows that `in` picks, by sums of integers; columns have no ties. */
struct stump {
	uint32_t feature;
	double threshold;
};

static const double *sort_by;

static int by_value(const void *a, const void *b)
{
	const double va = sort_by[*(const uint32_t *)a], vb = sort_by[*(const uint32_t *)b];

	return (va > vb) - (va < vb);
}

static struct stump best_split(const struct table *t, const uint32_t *rows, size_t m)
{
	uint32_t *const sorted = malloc(m * sizeof(*sorted));
	double *const column = malloc(t->n * sizeof(*column));
	struct stump best = {0, 0};
	long double most = -1;
	int64_t total = 0;

	for (size_t i = 0; i < m; i++)
		total += (int64_t)t->y[rows[i]];
	for (uint32_t f = 0; f < t->p; f++) {
		int64_t sum = 0;

		for (size_t i = 0; i < t->n; i++)
			column[i] = t->x[i * t->p + f];
		memcpy(sorted, rows, m * sizeof(*sorted));
		sort_by = column;
		qsort(sorted, m, sizeof(*sorted), by_value);
		for (size_t i = 0; i + 1 < m; i++) {
			const int64_t left = (int64_t)i + 1, right = (int64_t)m - left;
			long double d, gain;

			sum += (int64_t)t->y[sorted[i]];
			d = (long double)(sum * (int64_t)m - total * left);
			gain = d * d / left / right;
			if (gain > most) {
				most = gain;
				best.feature = f;
				best.threshold = column[sorted[i]] / 2 + column[sorted[i + 1]] / 2;
			}
		}
	}
	free(sorted);
	free(column);
	return best;
}

static void large_nodes_are_split_where_sums_of_integers_say(void **state)
{
	struct forest_options options = whole_sample();
	struct table t = table_new(150000, 3, 0);
	uint32_t *const rows = malloc(t.n * sizeof(*rows));
	const struct node *nodes;
	struct forest *forest;
	struct stump best;
	size_t m = 0;

	(void)state;
	for (size_t i = 0; i < t.n; i++)
		t.y[i] = floor(1000 * t.x[i * 3 + 1] * t.x[i * 3 + 2]) + pick(2000);
	options.max_depth = 2;
	forest = fit(&t, &options);
	nodes = forest->nodes.nodes;
	for (size_t i = 0; i < t.n; i++)
		rows[m++] = (uint32_t)i;
	best = best_split(&t, rows, m);
	assert_int_equal(nodes[0].feature, best.feature);
	assert_true(nodes[0].value == best.threshold);
	m = 0;
	for (size_t i = 0; i < t.n; i++) {
		if (t.x[i * 3 + best.feature] > best.threshold)
			rows[m++] = (uint32_t)i;
	}
	best = best_split(&t, rows, m);
	assert_int_equal(nodes[nodes[0].right].feature, best.feature);
	assert_true(nodes[nodes[0].right].value == best.threshold);
	forest_free(forest);
	options.max_depth = 0;
	table_free(&t);
	free(rows);
}

static void many_rows_with_many_ties_are_fitted_as_well_as_x_allows(void **state)
{
	struct forest_options options = whole_sample();
	struct table t = table_new(60000, 2, 300);
	struct forest *forest;

	(void)state;
	for (size_t i = 0; i < t.n; i++)
		t.y[i] = 300 * t.x[2 * i] + t.x[2 * i + 1];
	options.n_trees = 1;
	forest = fit(&t, &options);
	assert_fits_exactly(&t);
	forest_free(forest);
	table_free(&t);
}

static void draws_are_as_many_as_the_fraction_says(void **state)
{
	struct table t = table_new(1000, 2, 0);
	struct forest_options options;
	struct forest *forest;

	(void)state;
	forest_options_init(&options);
	options.n_trees = 1;
	options.replace = false;
	options.fraction = 0.25;
	forest = fit(&t, &options);
	assert_int_equal(forest_nodes(forest), 2 * 250 - 1);
	forest_free(forest);
	options.replace = true;
	options.fraction = 1.0;
	forest = fit(&t, &options);
	/* distinct rows of 1000 draws: 632 +- 10 */
	assert_in_range(forest_nodes(forest), 2 * 580, 2 * 690);
	forest_free(forest);
	table_free(&t);
}

/* ---- refusals ---- */

static void nan_is_refused_by_row_and_column(void **state)
{
	struct table t = table_new(10, 4, 0);
	const struct forest_matrix x = forest_matrix(t.x, t.n, t.p);
	struct forest_data *data;
	struct ipp_error err;

	(void)state;
	t.x[7 * 4 + 2] = NAN;
	assert_true(forest_data_new(&data, &x, t.y, &err) < 0);
	assert_null(data);
	assert_string_equal(err.text, "forest: x is NaN at row 7, column 2 (counting from 0); drop "
				      "the row or fill the value");
	t.x[7 * 4 + 2] = 0;
	t.y[3] = -INFINITY;
	assert_true(forest_data_new(&data, &x, t.y, &err) < 0);
	assert_string_equal(err.text,
			    "forest: y is infinite at row 3 (counting from 0); drop the row");
	table_free(&t);
}

static void nothing_to_train_on_is_refused(void **state)
{
	struct table t = table_new(5, 2, 0);
	struct forest_matrix x = forest_matrix(t.x, 0, t.p);
	static const uint8_t none[5];
	struct forest_options options;
	struct forest_data *data;
	struct forest *forest;
	struct ipp_error err;

	(void)state;
	assert_true(forest_data_new(&data, &x, t.y, &err) < 0);
	assert_non_null(strstr(err.text, "0 rows and 2 columns"));
	forest_options_init(&options);
	data = prepare(&t);
	assert_true(forest_fit(&forest, data, &options, none, 0, 1, &err) < 0);
	assert_string_equal(err.text, "forest: no row is left to train on");
	assert_true(forest_fit(&forest, data, &options, NULL, 5, 5, &err) < 0);
	assert_string_equal(err.text, "forest: trees 5 to 5 of 100 are no range to grow");
	forest_data_free(data);
	table_free(&t);
}

static void wrong_options_are_refused_by_name(void **state)
{
	static const struct {
		size_t offset;
		uint32_t value;
		const char *text;
	} cases[] = {
		{offsetof(struct forest_options, n_trees), 0, "trees=0 is out of range"},
		{offsetof(struct forest_options, mtry), 11, "mtry=11, but there are 10 features"},
		{offsetof(struct forest_options, min_leaf), 0, "min_leaf=0"},
		{offsetof(struct forest_options, min_split), 1, "min_split=1"},
	};
	struct forest_options options;
	struct ipp_error err;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		forest_options_init(&options);
		memcpy((char *)&options + cases[i].offset, &cases[i].value, sizeof(uint32_t));
		assert_true(forest_options_check(&options, 10, &err) < 0);
		assert_non_null(strstr(err.text, cases[i].text));
	}
	forest_options_init(&options);
	options.fraction = NAN;
	assert_true(forest_options_check(&options, 10, &err) < 0);
	assert_non_null(strstr(err.text, "fraction"));
}

static void predicting_with_other_columns_is_refused(void **state)
{
	struct table t = table_new(5, 2, 0);
	const struct forest_matrix x = forest_matrix(t.x, 3, 3);
	const struct forest_options options = whole_sample();
	struct forest *const forest = fit(&t, &options);
	struct ipp_error err;
	double predictions[3];

	(void)state;
	assert_true(forest_predict(forest, &x, predictions, &err) < 0);
	assert_string_equal(err.text, "forest: x has 3 columns, but the forest was fitted to 2");
	forest_free(forest);
	table_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(targets_from_1e_minus_300_to_1e300_are_told_apart),
		cmocka_unit_test(targets_are_told_apart_down_to_the_last_bit),
		cmocka_unit_test(values_from_1e_minus_300_to_1e300_are_told_apart),
		cmocka_unit_test(neighbouring_doubles_are_parted_by_the_lower_one),
		cmocka_unit_test(columns_that_differ_in_their_last_bits_are_sorted),
		cmocka_unit_test(minus_zero_equals_zero),
		cmocka_unit_test(constant_targets_make_a_single_leaf),
		cmocka_unit_test(constant_columns_are_never_split),
		cmocka_unit_test(rows_that_differ_in_target_alone_share_a_leaf),
		cmocka_unit_test(one_row_two_rows_and_one_column_will_do),
		cmocka_unit_test(a_hundred_thousand_columns_will_do),
		cmocka_unit_test(large_nodes_are_split_where_sums_of_integers_say),
		cmocka_unit_test(many_rows_with_many_ties_are_fitted_as_well_as_x_allows),
		cmocka_unit_test(draws_are_as_many_as_the_fraction_says),
		cmocka_unit_test(nan_is_refused_by_row_and_column),
		cmocka_unit_test(nothing_to_train_on_is_refused),
		cmocka_unit_test(wrong_options_are_refused_by_name),
		cmocka_unit_test(predicting_with_other_columns_is_refused),
	};

	return cmocka_run_group_tests_name("forest: edges", tests, NULL, NULL);
}
