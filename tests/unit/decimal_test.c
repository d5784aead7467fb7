/* client/decimal.h: every text becomes the double nearest to it. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "client/decimal.h"

static double value;

static int parse(const char *text)
{
	return decimal_parse(text, text + strlen(text), &value);
}

static void assert_nearest(const char *text)
{
	double expected = strtod(text, NULL);

	assert_int_equal(parse(text), 0);
	if (memcmp(&value, &expected, sizeof(value)) != 0)
		fail_msg("%s became %.17g, not %.17g", text, value, expected);
}

static void ordinary_numbers_are_read(void **state)
{
	static const char *const texts[] = {"0",     "-0",	   "+1",  "1.",
					    ".5",    "-.5e1",	   "007", "1e22",
					    "1E-22", "1e+3",	   "0.1", "3.14159265358979",
					    "0e9",   "0.0e-400000"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_nearest(texts[i]);
}

static void numbers_halfway_between_doubles_are_rounded_to_even(void **state)
{
	static const char *const texts[] = {
		/* clang-format off */
		"9007199254740993", "9007199254740993.0", "9007199254740993.0000000000001",
		"900719925474099.3e1", "9007199254740995", "18014398509481990",
		"1.00000000000000011102230246251565404236316680908203125",
		"1.00000000000000011102230246251565404236316680908203126", "0.5000000000000000277",
		"18446744073709551615", "9999999999999999999", "99999999999999999999",
		"0.9999999999999999999", "1.7976931348623157e308", "4.9406564584124654e-324",
		"2.4703282292062327e-324", "2.2250738585072011e-308", "123456789012345678e-19",
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_nearest(texts[i]);
}

static void random_numbers_agree_with_strtod(void **state)
{
	uint64_t random = 1;

	(void)state;
	for (int i = 0; i < 200000; i++) {
		char text[64];
		double any;

		random = random * 6364136223846793005u + 1442695040888963407u;
		memcpy(&any, &random, sizeof(any));
		if (isfinite(any)) {
			snprintf(text, sizeof(text), "%.*g", 1 + i % 20, any);
			if (isfinite(strtod(text, NULL)))
				assert_nearest(text);
		}
		snprintf(text, sizeof(text), "-%llu.%llu",
			 (unsigned long long)(random >> 33 >> i % 31),
			 (unsigned long long)(random >> i % 64));
		assert_nearest(text);
		snprintf(text, sizeof(text), "%llue%d", (unsigned long long)(random >> i % 16),
			 i % 45 - 22);
		assert_nearest(text);
	}
}

static void very_long_numbers_are_read(void **state)
{
	char text[4096] = "0.";

	(void)state;
	memset(text + 2, '0', 300);
	memset(text + 302, '7', 3000);
	assert_nearest(text);
	strcat(text, "e300");
	assert_nearest(text);
}

static void what_is_no_decimal_number_is_refused(void **state)
{
	static const char *const texts[] = {"",	   ".",	   "-",	    "e5",   "1e",    "1e+",
					    "nan", "inf",  "-Inf",  "0x10", "1,5",   "1 ",
					    " 1",  "1.2.", "1_000", "--1",  "1e5.0", "NA"};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++)
		assert_int_equal(parse(texts[i]), -EINVAL);
}

static void numbers_beyond_the_largest_double_are_refused(void **state)
{
	(void)state;
	assert_int_equal(parse("1e309"), -ERANGE);
	assert_int_equal(parse("-9e99999999999"), -ERANGE);
}

static void printed_numbers_are_short_and_read_back(void **state)
{
	static const struct {
		double value;
		const char *text;
	} some[] = {{0.1, "0.1"},
		    {0.1 + 0.2, "0.30000000000000004"},
		    {9007199254740993.0, "9007199254740992"},
		    {-1.7976931348623157e308, "-1.7976931348623157e+308"},
		    {INFINITY, "inf"}};
	char text[DECIMAL_BYTES];

	(void)state;
	for (size_t i = 0; i < sizeof(some) / sizeof(some[0]); i++)
		assert_string_equal(decimal_text(some[i].value, false, text), some[i].text);
	assert_string_equal(decimal_text(0.1F, true, text), "0.1");
	assert_string_equal(decimal_text(16777217e-10F, true, text), "0.0016777217");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ordinary_numbers_are_read),
		cmocka_unit_test(numbers_halfway_between_doubles_are_rounded_to_even),
		cmocka_unit_test(random_numbers_agree_with_strtod),
		cmocka_unit_test(very_long_numbers_are_read),
		cmocka_unit_test(what_is_no_decimal_number_is_refused),
		cmocka_unit_test(numbers_beyond_the_largest_double_are_refused),
		cmocka_unit_test(printed_numbers_are_short_and_read_back),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
