/* client/tutorial.h: NumPy's numbers, made without NumPy.  tests/data holds what NumPy made. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "client/table.h"
#include "client/tutorial.h"
#include "proto/error.h"

static struct ipp_error err;

static void the_data_is_numpys(void **state)
{
	struct table ours, numpys;

	(void)state;
	assert_int_equal(tutorial_table(&ours, 500, 50, &err), 0);
	if (table_from_npy(&numpys, "tests/data/X.npy", "tests/data/Y.npy", &err) < 0)
		fail_msg("%s", err.text);
	assert_int_equal(numpys.n, 500);
	assert_int_equal(numpys.p, 50);
	for (size_t i = 0; i < 500 * 50; i++)
		assert_true(fabs(ours.x[i] - numpys.x[i]) <= 1e-12);
	for (size_t i = 0; i < 500; i++)
		assert_true(fabs(ours.y[i] - numpys.y[i]) <= 1e-12);
	table_fini(&ours);
	table_fini(&numpys);
}

/* An odd number of normals in X leaves one in stock for Y. */
static void other_sizes_are_numpys_too(void **state)
{
	static const double y[] = {2.2218887834911083, 6.5807438144557295, 2.4812152367114511};
	struct table table;

	(void)state;
	assert_int_equal(tutorial_table(&table, 3, 3, &err), 0);
	for (size_t i = 0; i < 3; i++)
		assert_true(fabs(table.y[i] - y[i]) <= 1e-12);
	table_fini(&table);
}

static void too_few_rows_or_features_are_refused(void **state)
{
	struct table table;

	(void)state;
	assert_int_equal(tutorial_table(&table, 0, 50, &err), -EINVAL);
	assert_string_equal(err.text, "the tutorial's data needs at least 1 row, not 0");
	assert_int_equal(tutorial_table(&table, 500, 2, &err), -EINVAL);
	assert_string_equal(err.text, "the tutorial's data needs at least 3 features, not 2: its "
				      "target is made of the first three");
}

static void more_than_memory_holds_is_refused(void **state)
{
	struct table table;

	(void)state;
	assert_int_equal(tutorial_table(&table, SIZE_MAX / 2, 50, &err), -ENOMEM);
	assert_string_equal(err.text,
			    "9223372036854775807 rows of 50 features: Cannot allocate memory");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_data_is_numpys),
		cmocka_unit_test(other_sizes_are_numpys_too),
		cmocka_unit_test(too_few_rows_or_features_are_refused),
		cmocka_unit_test(more_than_memory_holds_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
