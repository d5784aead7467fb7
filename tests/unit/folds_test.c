/* Dealing rows into folds. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "engine/modules/forest/folds.h"

#define ROWS 103

static uint32_t fold_of[ROWS], order[ROWS];

static void folds_are_as_equal_as_can_be(void **state)
{
	(void)state;
	for (uint32_t n_folds = 2; n_folds <= ROWS; n_folds++) {
		uint32_t sizes[ROWS] = {0};

		folds_deal(1, 0, ROWS, n_folds, fold_of, order);
		for (size_t i = 0; i < ROWS; i++) {
			assert_true(fold_of[i] < n_folds);
			sizes[fold_of[i]]++;
		}
		for (uint32_t k = 0; k < n_folds; k++)
			assert_in_range(sizes[k], ROWS / n_folds, (ROWS + n_folds - 1) / n_folds);
	}
}

static void the_same_seed_and_repeat_deal_the_same_folds(void **state)
{
	uint32_t again[ROWS], other[ROWS];

	(void)state;
	folds_deal(5, 2, ROWS, 10, fold_of, order);
	folds_deal(5, 2, ROWS, 10, again, order);
	assert_memory_equal(fold_of, again, sizeof(again));
	folds_deal(5, 3, ROWS, 10, other, order);
	assert_memory_not_equal(fold_of, other, sizeof(other));
	folds_deal(6, 2, ROWS, 10, other, order);
	assert_memory_not_equal(fold_of, other, sizeof(other));
}

/* Each row comes into fold 0 of 10 about every tenth time. */
static void no_row_is_favoured(void **state)
{
	uint32_t times[ROWS] = {0};

	(void)state;
	for (uint32_t repeat = 0; repeat < 2000; repeat++) {
		folds_deal(0, repeat, ROWS, 10, fold_of, order);
		for (size_t i = 0; i < ROWS; i++)
			times[i] += fold_of[i] == 0;
	}
	for (size_t i = 0; i < ROWS; i++)
		assert_in_range(times[i], 213 - 70, 213 + 70); /* 2000 * 11 / 103; 5 deviations */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(folds_are_as_equal_as_can_be),
		cmocka_unit_test(the_same_seed_and_repeat_deal_the_same_folds),
		cmocka_unit_test(no_row_is_favoured),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
