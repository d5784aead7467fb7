/* The items of arrays as people read them. */
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "client/array_text.h"

/* Last: its fail() is a macro. */
#include <cmocka.h>

#define ARRAY(dtype_, data_, ...)                                                                  \
	(&(struct ipp_value){.kind = IPP_ARRAY,                                                    \
			     .dtype = (dtype_),                                                    \
			     .data = (data_),                                                      \
			     .bytes = sizeof(data_),                                               \
			     .shape = (const uint64_t[]){__VA_ARGS__},                             \
			     .n_dims = sizeof((uint64_t[]){__VA_ARGS__}) / sizeof(uint64_t)})

static void assert_text(const struct ipp_value *array, const char *wanted)
{
	char *text = NULL;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);

	assert_non_null(out);
	assert_true(array_text_fits(array));
	array_text_print(out, array);
	fclose(out);
	assert_string_equal(text, wanted);
	free(text);
}

static void integers_are_exact_in_either_byte_order(void **state)
{
	static const int64_t extremes[] = {INT64_MIN, INT64_MAX, -1};
	static const uint64_t largest[] = {UINT64_MAX, (UINT64_C(1) << 53) + 1};
	static const unsigned char big[] = {0xff, 0xfe, 0x01, 0x02};
	static const int8_t bytes[] = {-128, 0, 127};

	(void)state;
	assert_text(ARRAY("<i8", extremes, 3), "[-9223372036854775808, 9223372036854775807, -1]");
	assert_text(ARRAY("<u8", largest, 2), "[18446744073709551615, 9007199254740993]");
	assert_text(ARRAY(">i2", big, 2), "[-2, 258]");
	assert_text(ARRAY(">u2", big, 2), "[65534, 258]");
	assert_text(ARRAY("|i1", bytes, 3), "[-128, 0, 127]");
}

static void reals_have_as_few_digits_as_read_back(void **state)
{
	static const double doubles[] = {0.1, 1.0 / 3, 1e300, -0.0, NAN, -INFINITY};
	static const float floats[] = {0.1F, 16777216.0F, 1e-45F};
	static const uint16_t halves[] = {0x3c00, 0xc500};
	static const unsigned char big[] = {0x3f, 0xf8, 0, 0, 0, 0, 0, 0};

	(void)state;
	assert_text(ARRAY("<f8", doubles, 6), "[0.1, 0.3333333333333333, 1e+300, -0, nan, -inf]");
	assert_text(ARRAY("<f4", floats, 3), "[0.1, 16777216, 1.4013e-45]");
	assert_text(ARRAY("<f2", halves, 2), "[1, -5]");
	assert_text(ARRAY(">f8", big, 1), "[1.5]");
}

static void complex_numbers_and_truth_values_are_python_s(void **state)
{
	static const double two[] = {1, -2.5, 0, 0.1};
	static const float one[] = {0.1F, 3};
	static const char truth[] = {1, 0};

	(void)state;
	assert_text(ARRAY("<c16", two, 2), "[1-2.5j, 0+0.1j]");
	assert_text(ARRAY("<c8", one, 1), "[0.1+3j]");
	assert_text(ARRAY("|b1", truth, 2), "[True, False]");
}

static void axes_nest_in_either_order(void **state)
{
	static const int32_t six[] = {0, 1, 2, 3, 4, 5};
	struct ipp_value *array = ARRAY("<i4", six, 2, 3);

	(void)state;
	assert_text(array, "[[0, 1, 2], [3, 4, 5]]");
	array->fortran_order = 1;
	assert_text(array, "[[0, 2, 4], [1, 3, 5]]");
	assert_text(&(struct ipp_value){.kind = IPP_ARRAY, .dtype = "<i4", .data = six, .bytes = 4},
		    "0");
	assert_text(&(struct ipp_value){.kind = IPP_ARRAY,
					.dtype = "<i4",
					.shape = (const uint64_t[]){2, 0},
					.n_dims = 2},
		    "[[], []]");
}

static void texts_and_bytes_are_quoted_as_python_does(void **state)
{
	static const char bytes[] = "ab\0c\n'\x80\x1b[";
	static const uint32_t words[] = {'h',	 0xe9, 0,	0, '\'',   '\\',     '\t', 0x7f,
					 0x20ac, 0x9b, 0x1f600, 0, 0xd800, 0x110000, 0,	   'x'};
	static const unsigned char big[] = {0, 0, 0, 'a', 0, 0, 0xd7, 0xff, 0, 0, 0, 0};

	(void)state;
	assert_text(ARRAY("|S5", bytes, 2), "[b'ab\\x00c\\n', b'\\'\\x80\\x1b[']");
	assert_text(ARRAY("|V2", bytes, 5),
		    "[b'ab', b'\\x00c', b'\\n\\'', b'\\x80\\x1b', b'[\\x00']");
	assert_text(ARRAY("<U4", words, 4),
		    "['h\xc3\xa9', '\\'\\\\\\t\\x7f', '\xe2\x82\xac\\x9b\xf0\x9f\x98\x80', "
		    "'\\U0000d800\\U00110000\\x00x']");
	assert_text(ARRAY(">U3", big, 1), "['a\xed\x9f\xbf']");
	assert_text(&(struct ipp_value){.kind = IPP_ARRAY,
					.dtype = "<U0",
					.shape = (const uint64_t[]){2},
					.n_dims = 1},
		    "['', '']");
}

static void dates_are_iso_8601_as_far_as_their_unit_goes(void **state)
{
	static const int64_t one[] = {0, -1, 20000, INT64_MIN};
	static const int64_t nine[] = {1, -1};
	static const unsigned char big[] = {0, 0, 0, 0, 0, 0, 0, 1};

	(void)state;
	assert_text(ARRAY("<M8[D]", one, 4), "[1970-01-01, 1969-12-31, 2024-10-04, NaT]");
	assert_text(ARRAY("<M8[Y]", one, 4), "[1970, 1969, 21970, NaT]");
	assert_text(ARRAY("<M8[M]", one, 4), "[1970-01, 1969-12, 3636-09, NaT]");
	assert_text(ARRAY("<M8[W]", one, 4), "[1970-01-01, 1969-12-25, 2353-04-23, NaT]");
	assert_text(ARRAY("<M8[h]", one, 4), "[1970-01-01T00, 1969-12-31T23, 1972-04-13T08, NaT]");
	assert_text(ARRAY("<M8[15m]", one, 4),
		    "[1970-01-01T00:00, 1969-12-31T23:45, 1970-07-28T08:00, NaT]");
	assert_text(ARRAY("<M8[s]", nine, 2), "[1970-01-01T00:00:01, 1969-12-31T23:59:59]");
	assert_text(ARRAY("<M8[25ms]", nine, 2),
		    "[1970-01-01T00:00:00.025, 1969-12-31T23:59:59.975]");
	assert_text(ARRAY("<M8[ns]", nine, 2),
		    "[1970-01-01T00:00:00.000000001, 1969-12-31T23:59:59.999999999]");
	assert_text(ARRAY("<M8[as]", nine, 2), "[1970-01-01T00:00:00.000000000000000001, "
					       "1969-12-31T23:59:59.999999999999999999]");
	assert_text(ARRAY(">M8[D]", big, 1), "[1970-01-02]");
}

static void times_without_a_date_are_numbers(void **state)
{
	static const int64_t far[] = {INT64_MAX, INT64_MIN + 1, INT64_MIN};
	static const int64_t some[] = {3, -3600, INT64_MIN};

	(void)state;
	assert_text(ARRAY("<m8[s]", some, 3), "[3, -3600, NaT]");
	assert_text(ARRAY("<m8", some, 3), "[3, -3600, NaT]");
	assert_text(ARRAY("<M8", some, 3), "[3, -3600, NaT]");
	assert_text(ARRAY("<M8[D]", far, 3), "[9223372036854775807, -9223372036854775807, NaT]");
	assert_text(ARRAY("<M8[Y]", far, 3), "[9223372036854775807, -9223372036854775807, NaT]");
	assert_text(ARRAY("<M8[s]", far, 3), "[9223372036854775807, -9223372036854775807, NaT]");
	assert_text(ARRAY("<M8[99ns]", far, 3), "[9223372036854775807, -9223372036854775807, NaT]");
}

static void of_many_numbers_the_edges_are_shown(void **state)
{
	static uint8_t many[1001], table[7][200];

	(void)state;
	for (size_t i = 0; i < sizeof(many); i++)
		many[i] = (uint8_t)i;
	for (size_t i = 0; i < sizeof(table); i++)
		table[i / 200][i % 200] = (uint8_t)(i % 200 + i / 200);
	assert_text(ARRAY("|u1", many, 1001), "[0, 1, 2, ..., 230, 231, 232]");
	assert_text(ARRAY("|u1", table, 7, 200),
		    "[[0, 1, 2, ..., 197, 198, 199], [1, 2, 3, ..., 198, 199, 200], "
		    "[2, 3, 4, ..., 199, 200, 201], ..., [4, 5, 6, ..., 201, 202, 203], "
		    "[5, 6, 7, ..., 202, 203, 204], [6, 7, 8, ..., 203, 204, 205]]");
}

static void all_of_a_thousand_numbers_are_shown(void **state)
{
	static uint8_t many[1000];
	char wanted[3 * 1000 + 1] = "[";

	(void)state;
	for (size_t i = 0; i < sizeof(many); i++)
		strcat(wanted, i ? ", 0" : "0");
	strcat(wanted, "]");
	assert_text(ARRAY("|u1", many, 1000), wanted);
}

static void what_is_too_long_or_not_there_or_too_much_is_not_shown(void **state)
{
	static const char bytes[4096], texts[65537];
	const struct ipp_value head = {.kind = IPP_ARRAY,
				       .dtype = "<f8",
				       .shape = (const uint64_t[]){2},
				       .n_dims = 1,
				       .bytes = 16};
	const uint64_t twos[] = {2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2, 2};

	(void)state;
	assert_false(array_text_fits(&head));
	assert_false(array_text_fits(ARRAY("<U4", bytes, 255)));
	assert_false(array_text_fits(ARRAY("|S65537", texts, 1)));
	assert_false(array_text_fits(ARRAY("<f16", bytes, 256)));
	assert_false(array_text_fits(ARRAY("<c32", bytes, 128)));
	assert_false(array_text_fits(ARRAY("<f8", bytes, 511)));
	assert_false(array_text_fits(&(struct ipp_value){.kind = IPP_ARRAY,
							 .dtype = "|u1",
							 .data = bytes,
							 .bytes = sizeof(bytes),
							 .shape = twos,
							 .n_dims = 12}));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(integers_are_exact_in_either_byte_order),
		cmocka_unit_test(reals_have_as_few_digits_as_read_back),
		cmocka_unit_test(complex_numbers_and_truth_values_are_python_s),
		cmocka_unit_test(axes_nest_in_either_order),
		cmocka_unit_test(texts_and_bytes_are_quoted_as_python_does),
		cmocka_unit_test(dates_are_iso_8601_as_far_as_their_unit_goes),
		cmocka_unit_test(times_without_a_date_are_numbers),
		cmocka_unit_test(of_many_numbers_the_edges_are_shown),
		cmocka_unit_test(all_of_a_thousand_numbers_are_shown),
		cmocka_unit_test(what_is_too_long_or_not_there_or_too_much_is_not_shown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
