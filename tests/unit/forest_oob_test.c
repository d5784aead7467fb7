/* Out-of-bag predictions, permutation importance, and forests as bytes. */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "engine/forest/forest.h"
#include "proto/error.h"

#define ROWS 120
#define COLS 6
#define TREES 40

static double x[ROWS * COLS], y[ROWS];
static struct forest_data *data;
static struct forest_options options;

/* Features 0 and 1 matter, 5 is constant, the others are noise. */
static int setup(void **state)
{
	const struct forest_matrix matrix = forest_matrix(x, ROWS, COLS);
	uint64_t word = 1;

	(void)state;
	for (size_t i = 0; i < ROWS; i++) {
		for (size_t j = 0; j < COLS; j++) {
			word = word * 6364136223846793005u + 1442695040888963407u;
			x[i * COLS + j] = j == 5 ? 7 : (double)(word >> 40) * 0x1p-24;
		}
		y[i] = 3 * x[i * COLS] - 2 * x[i * COLS + 1];
	}
	forest_options_init(&options);
	options.n_trees = TREES;
	options.seed = 9;
	return forest_data_new(&data, &matrix, y, NULL);
}

static int teardown(void **state)
{
	(void)state;
	forest_data_free(data);
	return 0;
}

static struct forest *fitted(uint32_t first, uint32_t last)
{
	struct forest *forest;

	assert_int_equal(forest_fit(&forest, data, &options, NULL, first, last, NULL), 0);
	return forest;
}

static void about_a_third_of_the_trees_leave_a_row_out(void **state)
{
	uint32_t counts[ROWS] = {0};
	double sums[ROWS] = {0}, left_out = 0;
	struct forest *forest = fitted(0, TREES);

	(void)state;
	assert_int_equal(forest_oob(forest, data, sums, counts, NULL), 0);
	for (size_t i = 0; i < ROWS; i++)
		left_out += counts[i];
	/* (1 - 1/n)^n = 0.366 of ROWS * TREES; its standard deviation is below 0.01. */
	assert_true(fabs(left_out / (ROWS * TREES) - 0.366) < 0.03);
	forest_free(forest);
}

/* Leaves are pure, so a tree that saw a row predicts that row exactly. */
static void only_trees_that_did_not_see_a_row_speak_for_it(void **state)
{
	uint32_t counts[ROWS] = {0};
	double sums[ROWS] = {0};
	size_t n_exact = 0;
	struct forest *forest = fitted(0, 1);

	(void)state;
	assert_int_equal(forest_oob(forest, data, sums, counts, NULL), 0);
	for (size_t i = 0; i < ROWS; i++)
		n_exact += counts[i] > 0 && sums[i] == y[i];
	assert_int_equal(n_exact, 0);
	forest_free(forest);
}

static void parts_of_a_forest_add_up_to_the_whole(void **state)
{
	uint32_t counts[2][ROWS] = {{0}};
	double sums[2][ROWS] = {{0}};
	struct forest *whole = fitted(0, TREES), *first = fitted(0, 10),
		      *second = fitted(10, TREES);

	(void)state;
	assert_int_equal(forest_oob(whole, data, sums[0], counts[0], NULL), 0);
	assert_int_equal(forest_oob(first, data, sums[1], counts[1], NULL), 0);
	assert_int_equal(forest_oob(second, data, sums[1], counts[1], NULL), 0);
	assert_memory_equal(counts[0], counts[1], sizeof(counts[0]));
	assert_memory_equal(sums[0], sums[1], sizeof(sums[0]));
	forest_free(whole);
	forest_free(first);
	forest_free(second);
}

static void features_that_matter_have_the_importance(void **state)
{
	double importance[COLS] = {0};
	struct forest *forest = fitted(0, TREES);

	(void)state;
	assert_int_equal(forest_importance(forest, data, importance, NULL), 0);
	for (size_t f = 2; f < COLS; f++) {
		assert_true(importance[0] > 10 * fabs(importance[f]));
		assert_true(importance[1] > 5 * fabs(importance[f]));
	}
	assert_true(importance[0] > importance[1]);
	assert_true(importance[5] == 0);
	forest_free(forest);
}

static void data_of_another_width_is_refused(void **state)
{
	const struct forest_matrix narrow = forest_matrix(x, ROWS, COLS - 1);
	struct forest *forest = fitted(0, 1);
	struct forest_data *other;
	uint32_t counts[ROWS] = {0};
	double sums[ROWS] = {0};
	struct ipp_error err;

	(void)state;
	assert_int_equal(forest_data_new(&other, &narrow, y, NULL), 0);
	assert_true(forest_oob(forest, other, sums, counts, &err) < 0);
	assert_non_null(strstr(err.text, "5 columns"));
	forest_data_free(other);
	forest_free(forest);
}

/* ---- bytes ---- */

static uint8_t *written(const struct forest *forest, size_t *n)
{
	uint8_t *bytes;

	*n = forest_bytes(forest);
	bytes = malloc(*n);
	assert_non_null(bytes);
	forest_write(forest, bytes);
	return bytes;
}

static void a_forest_read_back_predicts_the_same_bits(void **state)
{
	const struct forest_matrix matrix = forest_matrix(x, ROWS, COLS);
	struct forest *forest = fitted(0, TREES), *back;
	double before[ROWS], after[ROWS];
	size_t n;
	uint8_t *bytes = written(forest, &n);

	(void)state;
	assert_int_equal(forest_read(&back, bytes, n, NULL), 0);
	assert_int_equal(forest_predict(forest, &matrix, before, NULL), 0);
	assert_int_equal(forest_predict(back, &matrix, after, NULL), 0);
	assert_memory_equal(before, after, sizeof(before));
	assert_int_equal(forest_trees(back), TREES);
	assert_int_equal(forest_get_options(back)->seed, 9);
	forest_free(forest);
	forest_free(back);
	free(bytes);
}

static void parts_read_back_can_be_joined(void **state)
{
	struct forest *first = fitted(0, 7), *second = fitted(7, TREES), *whole = fitted(0, TREES);
	struct forest *parts[2], *joined;
	size_t n;
	uint8_t *bytes = written(first, &n), *joined_bytes, *whole_bytes;

	(void)state;
	assert_int_equal(forest_read(&parts[0], bytes, n, NULL), 0);
	free(bytes);
	bytes = written(second, &n);
	assert_int_equal(forest_read(&parts[1], bytes, n, NULL), 0);
	free(bytes);
	assert_int_equal(forest_join(&joined, (const struct forest *const *)parts, 2, NULL), 0);
	joined_bytes = written(joined, &n);
	whole_bytes = written(whole, &n);
	assert_int_equal(forest_bytes(joined), n);
	assert_memory_equal(joined_bytes, whole_bytes, n);
	free(joined_bytes);
	free(whole_bytes);
	for (size_t i = 0; i < 2; i++)
		forest_free(parts[i]);
	forest_free(joined);
	forest_free(whole);
	forest_free(first);
	forest_free(second);
}

static void a_cut_model_is_refused_at_every_length(void **state)
{
	struct forest *forest = fitted(0, 1), *back;
	struct ipp_error err;
	size_t n;
	uint8_t *bytes = written(forest, &n);

	(void)state;
	for (size_t cut = 0; cut < n; cut++) {
		uint8_t *part = malloc(cut + 1); /* of its own, so that a sanitizer sees the end */

		assert_non_null(part);
		memcpy(part, bytes, cut);
		assert_int_equal(forest_read(&back, part, cut, &err), -22);
		free(part);
	}
	forest_free(forest);
	free(bytes);
}

/* Any byte may be wrong: what is read must still end when it predicts. */
static void a_damaged_model_is_refused_or_harmless(void **state)
{
	const struct forest_matrix matrix = forest_matrix(x, ROWS, COLS);
	struct forest *forest = fitted(0, 2), *back;
	double predictions[ROWS];
	size_t n, n_refused = 0;
	uint8_t *bytes = written(forest, &n);

	(void)state;
	for (size_t at = 0; at < n; at++) {
		bytes[at] ^= 0xa5;
		if (forest_read(&back, bytes, n, NULL) < 0) {
			n_refused++;
		} else {
			forest_predict(back, &matrix, predictions, NULL);
			forest_free(back);
		}
		bytes[at] ^= 0xa5;
	}
	assert_true(n_refused > n / 8);
	forest_free(forest);
	free(bytes);
}

static void a_model_of_another_version_names_both(void **state)
{
	struct forest *forest = fitted(0, 1), *back;
	struct ipp_error err;
	size_t n;
	uint8_t *bytes = written(forest, &n);

	(void)state;
	bytes[4] = 9;
	assert_true(forest_read(&back, bytes, n, &err) < 0);
	assert_non_null(strstr(err.text, "version 9"));
	assert_non_null(strstr(err.text, "version 1"));
	forest_free(forest);
	free(bytes);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(about_a_third_of_the_trees_leave_a_row_out),
		cmocka_unit_test(only_trees_that_did_not_see_a_row_speak_for_it),
		cmocka_unit_test(parts_of_a_forest_add_up_to_the_whole),
		cmocka_unit_test(features_that_matter_have_the_importance),
		cmocka_unit_test(data_of_another_width_is_refused),
		cmocka_unit_test(a_forest_read_back_predicts_the_same_bits),
		cmocka_unit_test(parts_read_back_can_be_joined),
		cmocka_unit_test(a_cut_model_is_refused_at_every_length),
		cmocka_unit_test(a_damaged_model_is_refused_or_harmless),
		cmocka_unit_test(a_model_of_another_version_names_both),
	};

	return cmocka_run_group_tests(tests, setup, teardown);
}
