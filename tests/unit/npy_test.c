/* proto/npy.h: files as NumPy writes them, files as nobody should. */
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

#include "proto/error.h"
#include "proto/npy.h"

static struct ipp_error err;
static struct npy npy;

/* A version 1.0 file with that header and `data_bytes` of `data`, in memory of exactly its size. */
static int parse(const char *header, const void *data, size_t data_bytes)
{
	size_t header_bytes = strlen(header);
	char *file = test_malloc(10 + header_bytes + data_bytes);
	int rc;

	memcpy(file, "\x93NUMPY\1\0", 8);
	file[8] = (char)(header_bytes & 0xff);
	file[9] = (char)(header_bytes >> 8);
	memcpy(file + 10, header, header_bytes);
	if (data_bytes > 0)
		memcpy(file + 10 + header_bytes, data, data_bytes);
	rc = npy_parse(&npy, file, 10 + header_bytes + data_bytes, "X.npy", &err);
	test_free(file);
	return rc;
}

static void assert_refused(const char *header, int code, const char *message)
{
	assert_int_equal(parse(header, NULL, 0), code);
	assert_string_equal(err.text, message);
}

static void a_file_of_numpy_is_described(void **state)
{
	(void)state;
	assert_int_equal(parse("{'descr': '<f8', 'fortran_order': False, 'shape': (2, 3), }   \n",
			       "012345670123456701234567012345670123456701234567", 48),
			 0);
	assert_string_equal(npy.dtype, "<f8");
	assert_false(npy.fortran);
	assert_int_equal(npy.n_dims, 2);
	assert_int_equal(npy.shape[0], 2);
	assert_int_equal(npy.shape[1], 3);
	assert_int_equal(npy.n_items, 6);
	assert_int_equal(npy.item_bytes, 8);
	assert_int_equal(npy.data_bytes, 48);
	assert_int_equal(npy.data_offset, 73);
}

static void versions_2_and_3_have_a_longer_length(void **state)
{
	char file[] = "\x93NUMPY\2\0\x36\0\0\0"
		      "{\"shape\":(3L,),\"fortran_order\":False,\"descr\":'|u1'}  \nabc";

	(void)state;
	for (char version = 2; version <= 3; version++) {
		file[6] = version;
		assert_int_equal(npy_parse(&npy, file, sizeof(file) - 1, "X.npy", &err), 0);
		assert_int_equal(npy.shape[0], 3);
		assert_int_equal(npy.data_offset, 66);
	}
}

static void a_zero_dimensional_array_has_one_item(void **state)
{
	(void)state;
	assert_int_equal(parse("{'descr': '|b1', 'fortran_order': False, 'shape': (), }", "x", 1),
			 0);
	assert_int_equal(npy.n_dims, 0);
	assert_int_equal(npy.n_items, 1);
}

static void bytes_after_the_array_are_ignored(void **state)
{
	(void)state;
	assert_int_equal(
		parse("{'descr': '|b1', 'fortran_order': False, 'shape': (2,), }", "xyz", 3), 0);
	assert_int_equal(npy.data_bytes, 2);
}

static void dtypes_are_normalised_as_numpy_does(void **state)
{
	static const struct {
		const char *given, *normal;
		size_t bytes;
	} dtypes[] = {
		/* clang-format off */
		{ "<f8",   "<f8",   8 }, { "=i4",       "<i4",        4 },
		{ ">f2",   ">f2",   2 }, { "u8",        "<u8",        8 },
		{ ">i1",   "|i1",   1 }, { "|b1",       "|b1",        1 },
		{ "<c16",  "<c16", 16 }, { "<U5",       "<U5",       20 },
		{ "S7",    "|S7",   7 }, { "<V3",       "|V3",        3 },
		{ "<M8",   "<M8",   8 }, { ">M8[ns]",   ">M8[ns]",    8 },
		{ ">m8[D]", ">m8[D]", 8 }, { "<m8[25us]", "<m8[25us]",  8 },
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(dtypes) / sizeof(dtypes[0]); i++) {
		assert_int_equal(npy_init(&npy, dtypes[i].given, 0, NULL, false, "X.npy", &err), 0);
		assert_string_equal(npy.dtype, dtypes[i].normal);
		assert_int_equal(npy.item_bytes, dtypes[i].bytes);
	}
}

static void other_dtypes_are_refused_by_name(void **state)
{
	static const char *const wrong[] = {
		/* clang-format off */
		"", "f", "<f3", "<i16", "<f08", "<f8x", "<f 8", "<b2", "float64", "<S1234567890",
		"<M4", "<M8[]", "<M8[ ]", "<M8[x]", "<M8[ns]x", "<M8[123456789123456789ns]",
		/* clang-format on */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(npy_init(&npy, wrong[i], 0, NULL, false, "X.npy", &err), -EINVAL);
		assert_non_null(strstr(err.text, "is not one of NumPy's plain dtypes"));
		assert_non_null(strstr(err.text, wrong[i]));
	}
}

static void a_dtype_of_any_bytes_is_shown_on_one_line(void **state)
{
	(void)state;
	assert_int_equal(npy_init(&npy, "<f\n\x1b[31m8\xff", 0, NULL, false, "X.npy", &err),
			 -EINVAL);
	assert_non_null(strstr(err.text, "'<f??[31m8?'"));
}

static void headers_are_numpys_to_the_byte(void **state)
{
	/* From np.save of NumPy 1.24, less prefix and padding: the blanks leave room to grow. */
	static const struct {
		const char *dtype;
		size_t n_dims;
		uint64_t shape[14];
		bool fortran;
		size_t bytes;
		const char *text;
	} headers[] = {
		/* clang-format off */
		{ "<f8", 2, { 500, 50 }, false, 128,
		  "{'descr': '<f8', 'fortran_order': False, 'shape': (500, 50), }" },
		{ "<U5", 1, { 3 }, false, 128,
		  "{'descr': '<U5', 'fortran_order': False, 'shape': (3,), }" },
		{ "|b1", 0, { 0 }, false, 128,
		  "{'descr': '|b1', 'fortran_order': False, 'shape': (), }" },
		{ ">i2", 3, { 2, 3, 4 }, true, 128,
		  "{'descr': '>i2', 'fortran_order': True, 'shape': (2, 3, 4), }" },
		/* An order that makes no difference is written as row-major. */
		{ "<f4", 2, { 1, 5 }, true, 128,
		  "{'descr': '<f4', 'fortran_order': False, 'shape': (1, 5), }" },
		/* Where no blank is needed, NumPy writes 64. */
		{ "<f4", 14, { 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 10, 10 }, false, 192,
		  "{'descr': '<f4', 'fortran_order': False, "
		  "'shape': (1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 1, 10, 10), }" },
		/* clang-format on */
	};
	char out[NPY_HEADER_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
		size_t text_bytes = strlen(headers[i].text);

		assert_int_equal(npy_init(&npy, headers[i].dtype, headers[i].n_dims,
					  headers[i].shape, headers[i].fortran, "X.npy", &err),
				 0);
		assert_int_equal(npy_header(&npy, out), headers[i].bytes);
		assert_memory_equal(out, "\x93NUMPY\1\0", 8);
		assert_int_equal((unsigned char)out[8], headers[i].bytes - 10);
		assert_int_equal(out[9], 0);
		assert_memory_equal(out + 10, headers[i].text, text_bytes);
		for (size_t at = 10 + text_bytes; at < headers[i].bytes - 1; at++)
			assert_int_equal(out[at], ' ');
		assert_int_equal(out[headers[i].bytes - 1], '\n');
	}
}

static void the_longest_header_fits(void **state)
{
	uint64_t shape[NPY_DIMS_MAX];
	char out[NPY_HEADER_MAX];

	(void)state;
	for (size_t i = 0; i < NPY_DIMS_MAX; i++)
		shape[i] = 1;
	shape[NPY_DIMS_MAX - 1] = 1000000000000000000;
	assert_int_equal(npy_init(&npy, "|V1", NPY_DIMS_MAX, shape, false, "X.npy", &err), 0);
	assert_int_equal(npy_header(&npy, out) % 64, 0);
}

/* ---- as doubles ---------------------------------------------------------------------------- */

static void assert_doubles(const char *dtype, const void *data, size_t n, const double *expected)
{
	const uint64_t shape[1] = {n};
	double out[8];

	assert_int_equal(npy_init(&npy, dtype, 1, shape, false, "X.npy", &err), 0);
	assert_int_equal(npy_doubles(&npy, data, out, "X.npy", &err), 0);
	assert_memory_equal(out, expected, n * sizeof(double));
}

static void every_real_dtype_becomes_double(void **state)
{
	(void)state;
	assert_doubles("|b1", "\0\1\2", 3, (const double[]){0, 1, 1});
	assert_doubles("|i1", "\x80\x7f", 2, (const double[]){-128, 127});
	assert_doubles("|u1", "\x80\xff", 2, (const double[]){128, 255});
	assert_doubles("<i2", "\xfe\xff\x01\x02", 2, (const double[]){-2, 513});
	assert_doubles(">i2", "\xff\xfe\x02\x01", 2, (const double[]){-2, 513});
	assert_doubles("<u2", "\xfe\xff", 1, (const double[]){65534});
	assert_doubles(">i4", "\xff\xff\xff\xfe", 1, (const double[]){-2});
	assert_doubles("<u4", "\xfe\xff\xff\xff", 1, (const double[]){4294967294});
	assert_doubles("<i8", "\xfe\xff\xff\xff\xff\xff\xff\xff", 1, (const double[]){-2});
	assert_doubles(">u8", "\xff\xff\xff\xff\xff\xff\xff\xff", 1, (const double[]){0x1p64});
	assert_doubles("<f4", "\0\0\xc0\x3f", 1, (const double[]){1.5});
	assert_doubles(">f8", "\xbf\xf8\0\0\0\0\0\0", 1, (const double[]){-1.5});
}

static void half_precision_keeps_subnormals_and_infinities(void **state)
{
	(void)state;
	assert_doubles(">f2", "\x3e\0\x80\1\x7b\xff\xfc\0\x80\0", 5,
		       (const double[]){1.5, -0x1p-24, 65504, -INFINITY, -0.0});
}

static void fortran_order_is_transposed(void **state)
{
	const uint64_t shape[3] = {2, 3, 2};
	double out[12];

	(void)state;
	/* np.arange(12).reshape(2, 3, 2), column-major */
	assert_int_equal(npy_init(&npy, "|u1", 3, shape, true, "X.npy", &err), 0);
	assert_true(npy.fortran);
	assert_int_equal(npy_doubles(&npy, "\0\6\2\10\4\12\1\7\3\11\5\13", out, "X.npy", &err), 0);
	for (int i = 0; i < 12; i++)
		assert_true(out[i] == i);
}

static void complex_numbers_are_no_real_ones(void **state)
{
	(void)state;
	assert_int_equal(npy_init(&npy, "<c16", 0, NULL, false, "X.npy", &err), 0);
	assert_int_equal(npy_doubles(&npy, "", NULL, "X.npy", &err), -ENOTSUP);
	assert_string_equal(err.text, "X.npy: has dtype <c16; real numbers of at most 64 bits are "
				      "needed: save it with .astype(float)");
}

/* ---- what is refused ------------------------------------------------------------------------ */

static void another_kind_of_file_is_named(void **state)
{
	(void)state;
	assert_int_equal(npy_parse(&npy, "a,b\n1,2\n", 8, "X.csv", &err), -EINVAL);
	assert_string_equal(err.text, "X.csv: is not a .npy file; np.save writes them");
	assert_int_equal(npy_parse(&npy, NULL, 0, "empty", &err), -EINVAL);
	assert_string_equal(err.text, "empty: is not a .npy file; np.save writes them");
	assert_int_equal(npy_parse(&npy, "PK\3\4....", 8, "X.npz", &err), -EINVAL);
	assert_string_equal(err.text,
			    "X.npz: is an .npz archive; save each array by itself with np.save");
}

static void an_unknown_version_is_named(void **state)
{
	(void)state;
	assert_int_equal(npy_parse(&npy, "\x93NUMPY\4\0\0\0", 10, "X.npy", &err), -EINVAL);
	assert_string_equal(err.text,
			    "X.npy: is in version 4.0 of the .npy format; 1.0, 2.0 and 3.0 "
			    "can be read");
}

static void a_header_longer_than_the_file_is_refused(void **state)
{
	static const char *const files[] = {"\x93NUMPY", "\x93NUMPY\1\0\xff",
					    "\x93NUMPY\1\0\xff\xff{",
					    "\x93NUMPY\2\0\xff\xff\xff\xff{"};
	static const size_t bytes[] = {6, 9, 11, 13};

	(void)state;
	for (size_t i = 0; i < 4; i++) {
		assert_int_equal(npy_parse(&npy, files[i], bytes[i], "X.npy", &err), -EINVAL);
		assert_string_equal(err.text, "X.npy: is cut short in its .npy header");
	}
}

static void missing_data_is_counted(void **state)
{
	(void)state;
	assert_int_equal(
		parse("{'descr': '<f8', 'fortran_order': False, 'shape': (500, 50), }", "abc", 3),
		-EINVAL);
	assert_string_equal(err.text,
			    "X.npy: is cut short: shape (500, 50) of dtype <f8 needs 200000 "
			    "bytes of data, 3 are there");
}

static void a_product_that_overflows_is_refused(void **state)
{
	static const char expected[] =
		"X.npy: an array of shape (4294967296, 4294967296) and dtype |u1 "
		"fits no memory";

	(void)state;
	assert_refused(
		"{'descr': '|u1', 'fortran_order': False, 'shape': (4294967296, 4294967296)}",
		-EOVERFLOW, expected);
	/* An empty axis does not excuse the others. */
	assert_int_equal(parse("{'descr': '|u1', 'fortran_order': True, 'shape': (0, 4294967296, "
			       "4294967296)}",
			       NULL, 0),
			 -EOVERFLOW);
	assert_int_equal(
		parse("{'descr': '<f8', 'fortran_order': True, 'shape': (2305843009213693952,)}",
		      NULL, 0),
		-EOVERFLOW);
	assert_refused(
		"{'descr': '|u1', 'fortran_order': True, 'shape': (18446744073709551616,)}",
		-EINVAL,
		"X.npy: malformed .npy header: expected a length below 2**64 at its character "
		"70");
}

static void too_many_dimensions_are_refused(void **state)
{
	char header[512] = "{'descr': '|u1', 'fortran_order': True, 'shape': (";

	(void)state;
	for (int i = 0; i < 65; i++)
		strcat(header, "1,");
	assert_int_equal(parse(header, NULL, 0), -EINVAL);
	assert_non_null(strstr(err.text, "expected no more dimensions"));
}

static void pickled_objects_and_records_are_refused(void **state)
{
	(void)state;
	assert_refused(
		"{'descr': '|O', 'fortran_order': False, 'shape': (2,), }", -ENOTSUP,
		"X.npy: holds pickled Python objects (dtype object), not numbers; save it with "
		".astype(float)");
	assert_refused("{'descr': [('a', '<f8')], 'fortran_order': False, 'shape': (2,), }",
		       -ENOTSUP,
		       "X.npy: holds records (a structured dtype); save one field of it as a plain "
		       "array");
}

static void a_malformed_header_is_pointed_at(void **state)
{
	static const struct {
		const char *header, *expected;
	} wrong[] = {
		{"", "expected { at its character 1"},
		{"{",
		 "expected each of 'descr', 'fortran_order' and 'shape' once at its character 2"},
		{"{'descr'", "expected a colon at its character 9"},
		{"{'descr': '<f8", "expected a dtype such as '<f8' at its character 11"},
		{"{'descr': 8}", "expected a dtype such as '<f8' at its character 11"},
		{"{'shape': 5}", "expected a tuple such as (500, 50) at its character 11"},
		{"{'shape': (5)}",
		 "expected a tuple such as (500,) just before at its character 14"},
		{"{'shape': (-5,)}", "expected a length at its character 12"},
		{"{'shape': (5 6)}", "expected a comma at its character 14"},
		{"{'shape': (5,", "expected a length at its character 14"},
		{"{'fortran_order': 0}", "expected True or False at its character 19"},
		{"{'shape': (5,) 'descr'", "expected a comma at its character 16"},
		{"{'shape': (5,), 'shape': (5,)}",
		 "expected each of 'descr', 'fortran_order' and 'shape' once at its character 24"},
		{"{'color': 1}",
		 "expected each of 'descr', 'fortran_order' and 'shape' once at its character 9"},
		{"{'shape': (5,)}", "no 'descr' in it"},
		{"{'descr': '<f8', 'fortran_order': False, 'shape': ()} 1",
		 "expected nothing more at its character 55"},
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wrong) / sizeof(wrong[0]); i++) {
		assert_int_equal(parse(wrong[i].header, NULL, 0), -EINVAL);
		assert_non_null(strstr(err.text, "X.npy: malformed .npy header: "));
		assert_string_equal(err.text + strlen("X.npy: malformed .npy header: "),
				    wrong[i].expected);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_file_of_numpy_is_described),
		cmocka_unit_test(versions_2_and_3_have_a_longer_length),
		cmocka_unit_test(a_zero_dimensional_array_has_one_item),
		cmocka_unit_test(bytes_after_the_array_are_ignored),
		cmocka_unit_test(dtypes_are_normalised_as_numpy_does),
		cmocka_unit_test(other_dtypes_are_refused_by_name),
		cmocka_unit_test(a_dtype_of_any_bytes_is_shown_on_one_line),
		cmocka_unit_test(headers_are_numpys_to_the_byte),
		cmocka_unit_test(the_longest_header_fits),
		cmocka_unit_test(every_real_dtype_becomes_double),
		cmocka_unit_test(half_precision_keeps_subnormals_and_infinities),
		cmocka_unit_test(fortran_order_is_transposed),
		cmocka_unit_test(complex_numbers_are_no_real_ones),
		cmocka_unit_test(another_kind_of_file_is_named),
		cmocka_unit_test(an_unknown_version_is_named),
		cmocka_unit_test(a_header_longer_than_the_file_is_refused),
		cmocka_unit_test(missing_data_is_counted),
		cmocka_unit_test(a_product_that_overflows_is_refused),
		cmocka_unit_test(too_many_dimensions_are_refused),
		cmocka_unit_test(pickled_objects_and_records_are_refused),
		cmocka_unit_test(a_malformed_header_is_pointed_at),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
