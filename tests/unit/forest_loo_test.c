/* Leave-one-out on the tutorial's data, against scikit-learn 1.2.1 (tests/data/sklearn_loo50.csv).
 */
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

#include "engine/forest/forest.h"
#include "proto/error.h"

#define ROWS 500
#define COLS 50
#define HELD_OUT 50
#define SEEDS 10

static double x[ROWS * COLS], y[ROWS];
static struct forest_data *data;

static void read_doubles(const char *path, double *to, size_t n)
{
	FILE *file = fopen(path, "rb");

	assert_non_null(file);
	assert_int_equal(fseek(file, 128, SEEK_SET), 0); /* the .npy header */
	assert_int_equal(fread(to, sizeof(*to), n, file), n);
	fclose(file);
}

static int setup(void **state)
{
	struct forest_matrix matrix = forest_matrix(x, ROWS, COLS);

	(void)state;
	read_doubles("tests/data/X.npy", x, ROWS * COLS);
	read_doubles("tests/data/Y.npy", y, ROWS);
	return forest_data_new(&data, &matrix, y, NULL);
}

static int teardown(void **state)
{
	(void)state;
	forest_data_free(data);
	return 0;
}

static void growing_the_path_alone_gives_the_bits_of_full_trees(void **state)
{
	struct forest_options options;
	double path, full;

	(void)state;
	forest_options_init(&options);
	options.n_trees = 20;
	for (size_t row = 0; row < ROWS; row += 17) {
		options.seed = row;
		options.mtry = row % 3 ? 0 : 1 + row % 50;
		options.min_leaf = 1 + row % 4;
		options.full_trees = false;
		assert_int_equal(forest_loo_predict(data, &options, row, &path, NULL), 0);
		options.full_trees = true;
		assert_int_equal(forest_loo_predict(data, &options, row, &full, NULL), 0);
		assert_true(path == full);
	}
}

static void predictions_agree_with_scikit_learn_within_sampling_error(void **state)
{
	double mean[HELD_OUT] = {0}, mse_sum = 0, z_sum = 0, z2_sum = 0;
	FILE *file = fopen("tests/data/sklearn_loo50.csv", "r");
	struct forest_options options;
	int middle = 0;
	char line[256];

	(void)state;
	forest_options_init(&options);
	for (uint64_t seed = 0; seed < SEEDS; seed++) {
		double mse = 0, sp = 0, st = 0, spp = 0, stt = 0, spt = 0, r;

		options.seed = seed;
		for (size_t i = 0; i < HELD_OUT; i++) {
			double p;

			assert_int_equal(forest_loo_predict(data, &options, i, &p, NULL), 0);
			mean[i] += p / SEEDS;
			mse += (p - y[i]) * (p - y[i]) / HELD_OUT;
			sp += p;
			st += y[i];
			spp += p * p;
			stt += y[i] * y[i];
			spt += p * y[i];
		}
		r = (HELD_OUT * spt - sp * st) /
		    sqrt((HELD_OUT * spp - sp * sp) * (HELD_OUT * stt - st * st));
		/* scikit-learn's lie in 1.04 to 1.19, and about 0.846 */
		assert_true(mse > 1.116 - 4 * 0.04 && mse < 1.116 + 4 * 0.04);
		assert_true(r > 0.80 && r < 0.89);
		mse_sum += mse;
	}
	assert_true(fabs(mse_sum / SEEDS - 1.116) < 4 * 0.04 * sqrt(1.0 / SEEDS + 1.0 / 20));

	assert_non_null(file);
	assert_non_null(fgets(line, sizeof(line), file));
	for (size_t i = 0; i < HELD_OUT; i++) {
		double truth, theirs, sd, z;
		unsigned row;

		assert_int_equal(fscanf(file, "%u,%lf,%lf,%lf,%*f", &row, &truth, &theirs, &sd), 4);
		assert_true(fabs(truth - y[i]) < 1e-12);
		z = (mean[i] - theirs) / (sd * sqrt(1.0 / SEEDS + 1.0 / 20));
		z_sum += z;
		z2_sum += z * z;
		middle += fabs(z) < 0.6745;
	}
	fclose(file);
	/* z are 50 draws from a t distribution of 19 degrees: mean 0 +- 0.15, mean square 1.12 +-
	 * 0.25, half of them within 0.69 */
	print_message("z: mean %.3f, mean square %.3f, %d of 50 in the middle half\n", z_sum / 50,
		      z2_sum / 50, middle);
	assert_true(fabs(z_sum / 50) < 0.5);
	assert_true(z2_sum / 50 > 0.55 && z2_sum / 50 < 1.9);
	assert_in_range(middle, 13, 37);
}

static void a_row_that_is_not_there_is_refused_by_name(void **state)
{
	struct forest_options options;
	struct ipp_error err;
	double p;

	(void)state;
	forest_options_init(&options);
	assert_true(forest_loo_predict(data, &options, ROWS, &p, &err) < 0);
	assert_string_equal(err.text, "forest: there is no row 500; rows are 0 to 499");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(growing_the_path_alone_gives_the_bits_of_full_trees),
		cmocka_unit_test(predictions_agree_with_scikit_learn_within_sampling_error),
		cmocka_unit_test(a_row_that_is_not_there_is_refused_by_name),
	};

	return cmocka_run_group_tests_name("forest: leave-one-out", tests, setup, teardown);
}
