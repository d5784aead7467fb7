/* client/ranges.h: numbers as people write them, and as they should not. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "client/ranges.h"
#include "proto/error.h"

static struct ipp_error err;

static void assert_chosen(const char *text, const char *expected)
{
	char chosen[256] = "";
	size_t *numbers;
	size_t n;

	assert_int_equal(ranges_parse(&numbers, &n, text, 10, "--targets", "engine", &err), 0);
	for (size_t i = 0; i < n; i++)
		sprintf(chosen + strlen(chosen), i ? " %zu" : "%zu", numbers[i]);
	free(numbers);
	assert_string_equal(chosen, expected);
}

static void assert_refused(const char *text, int code, const char *message)
{
	size_t *numbers = NULL;
	size_t n;

	assert_int_equal(ranges_parse(&numbers, &n, text, 10, "--targets", "engine", &err), code);
	assert_string_equal(err.text, message);
	assert_null(numbers);
}

static void all_means_every_one(void **state)
{
	(void)state;
	assert_chosen("all", "0 1 2 3 4 5 6 7 8 9");
}

static void both_ends_belong_to_a_range_with_a_dash(void **state)
{
	(void)state;
	assert_chosen("3", "3");
	assert_chosen("0,2-5", "0 2 3 4 5");
	assert_chosen("9-9", "9");
}

static void a_range_with_a_colon_is_pythons(void **state)
{
	(void)state;
	assert_chosen("0:3", "0 1 2");
	assert_chosen("1:10:4", "1 5 9");
	assert_chosen("0:10:5", "0 5");
	assert_chosen("8:", "8 9");
	assert_chosen(":2", "0 1");
	assert_chosen("::9", "0 9");
	assert_chosen("7:9:99999999999999999999", "7");
}

static void numbers_come_in_order_and_once(void **state)
{
	(void)state;
	assert_chosen("5,0:3,2-4,5", "0 1 2 3 4 5");
}

static void what_is_beyond_the_last_is_named(void **state)
{
	(void)state;
	assert_refused("10", -ERANGE, "--targets: there is no engine 10; the last one is 9");
	assert_refused("0,2-12", -ERANGE, "--targets: there is no engine 12; the last one is 9");
	assert_refused("0:11", -ERANGE, "--targets: there is no engine 10; the last one is 9");
	assert_refused("12:", -ERANGE, "--targets: there is no engine 12; the last one is 9");
	assert_refused("0-99999999999999999999", -ERANGE,
		       "--targets: there is no engine 18446744073709551614; the last one is 9");
}

static void a_range_with_nothing_in_it_is_refused(void **state)
{
	(void)state;
	assert_refused(
		"5-2", -EINVAL,
		"--targets: '5-2' has a range with no engine in it: write the lower end first");
	assert_refused(
		"0,5:5", -EINVAL,
		"--targets: '0,5:5' has a range with no engine in it: write the lower end first");
}

static void a_step_of_0_is_refused(void **state)
{
	(void)state;
	assert_refused("0:5:0", -EINVAL, "--targets: '0:5:0' has a step of 0: give another");
}

static void anything_else_is_answered_with_examples(void **state)
{
	static const char *const wrong[] = {"",	    ",",     "0,",     "a",   "-1",
					    "1-",   "1-2-3", "1 ",     "0x1", "0:1:2:3",
					    "0:-1", "all,1", "0:5:-1", "1.5"};
	char expected[128];

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		snprintf(expected, sizeof(expected),
			 "--targets: '%s' is not understood; write all, 0,2-5 or 0:10:2", wrong[i]);
		assert_refused(wrong[i], -EINVAL, expected);
	}
}

static void where_there_are_none_nothing_can_be_named(void **state)
{
	size_t *numbers;
	size_t n;

	(void)state;
	assert_int_equal(ranges_parse(&numbers, &n, "all", 0, "--rows", "row", &err), -ERANGE);
	assert_string_equal(err.text, "--rows: there is no row at all");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(all_means_every_one),
		cmocka_unit_test(both_ends_belong_to_a_range_with_a_dash),
		cmocka_unit_test(a_range_with_a_colon_is_pythons),
		cmocka_unit_test(numbers_come_in_order_and_once),
		cmocka_unit_test(what_is_beyond_the_last_is_named),
		cmocka_unit_test(a_range_with_nothing_in_it_is_refused),
		cmocka_unit_test(a_step_of_0_is_refused),
		cmocka_unit_test(anything_else_is_answered_with_examples),
		cmocka_unit_test(where_there_are_none_nothing_can_be_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
