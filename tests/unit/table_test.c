/* client/table.h and client/csv.h: what is read, and one sentence for each mistake. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "client/csv.h"
#include "client/table.h"
#include "proto/error.h"
#include "proto/npy.h"

static struct ipp_error err;
static struct table table;
static char folder[] = "/tmp/ipp-table-XXXXXX";
static char x_path[64], y_path[64];

static int make_folder(void **state)
{
	(void)state;
	if (!mkdtemp(folder))
		return -1;
	snprintf(x_path, sizeof(x_path), "%s/X.npy", folder);
	snprintf(y_path, sizeof(y_path), "%s/Y.npy", folder);
	return 0;
}

static int remove_folder(void **state)
{
	(void)state;
	unlink(x_path);
	unlink(y_path);
	return rmdir(folder);
}

static int empty_table(void **state)
{
	(void)state;
	table_fini(&table);
	return 0;
}

/* ---- CSV ------------------------------------------------------------------------------------ */

static int parse(const char *text, const char *target)
{
	return csv_table(&table, text, strlen(text), target, "data.csv", &err);
}

static void assert_refused(const char *text, const char *target, const char *message)
{
	assert_int_equal(parse(text, target), -EINVAL);
	assert_string_equal(err.text, message);
	assert_null(table.x);
}

static void assert_table(size_t n, size_t p, const double *x, const double *y)
{
	assert_int_equal(table.n, n);
	assert_int_equal(table.p, p);
	assert_memory_equal(table.x, x, n * p * sizeof(*x));
	assert_memory_equal(table.y, y, n * sizeof(*y));
	table_fini(&table);
}

static const double abcd_x[] = {1, 3, 4, 6};
static const double abcd_y[] = {2, 5};

static void the_target_is_taken_out_of_the_features(void **state)
{
	(void)state;
	assert_int_equal(parse("a,y,c\n1,2,3\n4,5,6\n", "y"), 0);
	assert_table(2, 2, abcd_x, abcd_y);
}

static void the_target_may_be_a_number_from_1(void **state)
{
	(void)state;
	assert_int_equal(parse("a,y,c\n1,2,3\n4,5,6\n", "2"), 0);
	assert_table(2, 2, abcd_x, abcd_y);
}

static void a_column_called_by_a_number_goes_before_its_position(void **state)
{
	(void)state;
	assert_int_equal(parse("3,2,c\n2,1,3\n5,4,6\n", "3"), 0);
	assert_table(2, 2, abcd_x, abcd_y);
}

static void line_ends_byte_order_mark_blanks_and_empty_lines_do_not_matter(void **state)
{
	static const char *const texts[] = {
		("\xef\xbb\xbf"
		 "a,y,c\r\n1,2,3\r\n4,5,6\r\n"),
		"a,y,c\r1,2,3\r4,5,6",
		"\n\na , y,\tc\n\n 1, 2 ,3\n  \n4,5, 6 \n\r\n\n ",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
		assert_int_equal(parse(texts[i], "y"), 0);
		assert_table(2, 2, abcd_x, abcd_y);
	}
}

static void quoted_cells_hold_commas_quotes_and_lines(void **state)
{
	(void)state;
	assert_int_equal(parse("\"a\nb\",\"the \"\"y\"\", in m\",c\n\"1\",\"2\",3\n4,5, \"6\" \n",
			       "the \"y\", in m"),
			 0);
	assert_table(2, 2, abcd_x, abcd_y);
}

static void numbers_are_read_to_the_last_bit(void **state)
{
	(void)state;
	assert_int_equal(parse("a,y\n1.7640523459676641,-4.9406564584124654e-324\n", "y"), 0);
	assert_true(table.x[0] == 1.7640523459676641);
	assert_true(table.y[0] == -4.9406564584124654e-324);
}

static void an_unknown_target_is_answered_with_the_columns(void **state)
{
	(void)state;
	assert_refused(
		"a,y,c\n1,2,3\n", "z",
		"data.csv: has no column 'z'; --target takes a number from 1 to 3 or a name: "
		"a, y, c");
	assert_refused(
		"a,y,c\n1,2,3\n", "4",
		"data.csv: has no column '4'; --target takes a number from 1 to 3 or a name: "
		"a, y, c");
	assert_refused(
		"a,y,c\n1,2,3\n", "0",
		"data.csv: has no column '0'; --target takes a number from 1 to 3 or a name: "
		"a, y, c");
}

static void many_columns_are_not_all_listed(void **state)
{
	char text[8192] = "";

	(void)state;
	for (int i = 0; i < 500; i++)
		sprintf(text + strlen(text), "column_%d,", i);
	strcat(text, "y\n");
	assert_int_equal(parse(text, "z"), -EINVAL);
	assert_non_null(strstr(err.text, "1 to 501 or a name: column_0, column_1,"));
	assert_string_equal(err.text + strlen(err.text) - 5, ", ...");
}

static void a_target_that_two_columns_share_is_refused(void **state)
{
	(void)state;
	assert_refused("y,a,y\n1,2,3\n", "y",
		       "data.csv: columns 1 and 3 are both called 'y'; give --target one of these "
		       "numbers");
}

static void what_is_not_finite_is_named_with_its_place(void **state)
{
	(void)state;
	assert_refused(
		"a,y\n1,2\n\n3,nan\n", "y",
		"data.csv:4: column 2 (y): 'nan' is not a finite number: correct it, or leave the row out");
	assert_refused(
		"a,y\n-inf,2\n", "y",
		"data.csv:2: column 1 (a): '-inf' is not a finite number: correct it, or leave the row out");
	assert_refused(
		"a,y\n1,red\x1b[31m\n", "y",
		"data.csv:2: column 2 (y): 'red?[31m' is not a finite number: correct it, or leave the row out");
	assert_refused(
		"a,y\n1e999,2\n", "y",
		"data.csv:2: column 1 (a): 1e999 is larger than any double can be: correct it, or leave the row out");
}

static void a_long_cell_is_cut_between_characters(void **state)
{
	(void)state;
	assert_refused(
		"a,y\n1,an endless remark about the flavour \xc3\xa4\xc3\xb6\xc3\xbc\n", "y",
		"data.csv:2: column 2 (y): 'an endless remark about the flavour ...' is not a "
		"finite number: correct it, or leave the row out");
	assert_refused(
		"a,y\n1,an endless remark about the flavours\xc3\xa4\xc3\xb6\xc3\xbc\n", "y",
		"data.csv:2: column 2 (y): 'an endless remark about the flavours...' is not a "
		"finite number: correct it, or leave the row out");
}

static void an_empty_cell_is_named_with_its_place(void **state)
{
	(void)state;
	assert_refused("a,b,y\n1,,2\n", "y",
		       "data.csv:2: column 2 (b) is empty; fill it in, or leave the row out");
	assert_refused("a,b,y\n1,2,\n", "y",
		       "data.csv:2: column 3 (y) is empty; fill it in, or leave the row out");
}

static void ragged_rows_are_named_by_line(void **state)
{
	(void)state;
	assert_refused("\"a\nb\",y,c\n1,2,3\n1,2\n", "y",
		       "data.csv:4: has 2 of the header's 3 columns: add what is missing");
	assert_refused(
		"a,y\n1,2\n1,2,3\n", "y",
		"data.csv:3: has more than the header's 2 columns: quote a text that has commas");
	assert_refused(
		"a,y\n1,2,\n", "y",
		"data.csv:2: has more than the header's 2 columns: quote a text that has commas");
}

static void misplaced_quotes_are_named_by_line(void **state)
{
	(void)state;
	assert_refused(
		"a,y\n1,2\n\"3,4\n5,6\n", "y",
		"data.csv:3: a quote opens here and is never closed: close it, or double it if it is part of the text");
	assert_refused("a,y\n\"1\"2,3\n", "y",
		       "data.csv:2: text follows a closing quote; a quote within quotes is written "
		       "twice");
}

static void a_file_without_rows_is_refused(void **state)
{
	(void)state;
	assert_refused("", "y", "data.csv: is empty: give a file with a header line and rows");
	assert_refused("\xef\xbb\xbf\r\n \n", "y",
		       "data.csv: is empty: give a file with a header line and rows");
	assert_refused("a,y\n", "y", "data.csv: has a header line and no rows: add some");
}

static void a_file_without_a_header_is_refused(void **state)
{
	(void)state;
	assert_refused("1,2\n3,4\n", "2",
		       "data.csv: begins with numbers; the first line must name the columns");
}

static void a_column_without_a_name_is_refused(void **state)
{
	(void)state;
	assert_refused(
		",a,y\n0,1,2\n", "y",
		"data.csv:1: column 1 has no name; name it, or leave it out if it only numbers "
		"the rows");
}

static void other_separators_are_refused(void **state)
{
	(void)state;
	assert_refused(
		"a;y\n1;2\n", "y",
		"data.csv: has one column, 'a;y'; a target and a feature at least are needed, "
		"with a comma between");
}

static void utf_16_is_refused(void **state)
{
	(void)state;
	assert_refused("\xff\xfe"
		       "a",
		       "y", "data.csv: is UTF-16 text; save it as UTF-8");
}

static void a_file_that_cannot_be_read_says_why(void **state)
{
	(void)state;
	assert_int_equal(table_from_csv(&table, "/nowhere/data.csv", "y", &err), -ENOENT);
	assert_string_equal(err.text,
			    "/nowhere/data.csv: cannot be read: No such file or directory");
	assert_int_equal(table_from_csv(&table, "/tmp", "y", &err), -EISDIR);
	assert_string_equal(err.text, "/tmp: cannot be read: Is a directory");
	assert_int_equal(table_from_npy(&table, "/nowhere/X.npy", "Y.npy", &err), -ENOENT);
	assert_string_equal(err.text, "/nowhere/X.npy: cannot be read: No such file or directory");
}

static void a_csv_file_larger_than_one_read_is_read(void **state)
{
	FILE *file = fopen(x_path, "w");

	(void)state;
	fputs("a,y\n", file);
	for (int i = 0; i < 100000; i++)
		fprintf(file, "%d,-%d\n", i, i);
	fclose(file);
	assert_int_equal(table_from_csv(&table, x_path, "y", &err), 0);
	assert_int_equal(table.n, 100000);
	for (int i = 0; i < 100000; i++)
		assert_true(table.x[i] == i && table.y[i] == -i);
}

/* ---- .npy ----------------------------------------------------------------------------------- */

static void save(const char *path, const char *dtype, size_t n_dims, const uint64_t *shape,
		 const void *data)
{
	char header[NPY_HEADER_MAX];
	struct npy npy;
	FILE *file = fopen(path, "w");

	assert_int_equal(npy_init(&npy, dtype, n_dims, shape, false, path, &err), 0);
	fwrite(header, 1, npy_header(&npy, header), file);
	fwrite(data, 1, npy.data_bytes, file);
	fclose(file);
}

/* The message of table_from_npy(), with the folder's name taken out. */
static void assert_npy_refused(int code, const char *message)
{
	char text[sizeof(err.text)] = "";
	char *at;

	assert_int_equal(table_from_npy(&table, x_path, y_path, &err), code);
	assert_null(table.x);
	for (at = err.text; *at; at++) {
		if (strncmp(at, folder, strlen(folder)) == 0)
			at += strlen(folder) + 1;
		text[strlen(text)] = *at;
	}
	assert_string_equal(text, message);
}

static const uint64_t two_by_two[] = {2, 2};
static const uint64_t two_by_one[] = {2, 1};

static void x_and_y_are_read(void **state)
{
	(void)state;
	save(x_path, "|u1", 2, two_by_two, "\1\3\4\6");
	save(y_path, "<f8", 1, two_by_two, abcd_y);
	assert_int_equal(table_from_npy(&table, x_path, y_path, &err), 0);
	assert_table(2, 2, abcd_x, abcd_y);
}

static void a_wrong_shape_is_named_with_its_remedy(void **state)
{
	static const uint64_t three[] = {3};
	static const uint64_t none[] = {0, 5};

	(void)state;
	save(x_path, "|u1", 1, three, "abc");
	assert_npy_refused(-EINVAL, "X.npy: has shape (3,); --x takes two dimensions, rows and "
				    "features: save it with .reshape(-1, 1)");
	save(x_path, "|u1", 2, none, "");
	assert_npy_refused(-EINVAL,
			   "X.npy: has shape (0, 5); --x takes at least one row and one feature");
	save(x_path, "|u1", 2, two_by_two, "abcd");
	save(y_path, "|u1", 2, two_by_one, "ab");
	assert_npy_refused(-EINVAL,
			   "Y.npy: has shape (2, 1); --y takes one dimension: save it with "
			   ".ravel()");
	save(y_path, "|u1", 1, three, "abc");
	assert_npy_refused(-EINVAL, "Y.npy: has 3 items, and X.npy 2 rows; both need as many");
}

static void nan_in_an_array_is_named_with_its_place(void **state)
{
	(void)state;
	save(x_path, ">f2", 2, two_by_two, "\0\0\0\0\x7e\0\0\0");
	save(y_path, ">f2", 1, two_by_two, "\0\0\xfc\0");
	assert_npy_refused(-EINVAL,
			   "X.npy: X[1, 0] is nan; fill in what is missing, or leave the row "
			   "out");
	save(x_path, "|u1", 2, two_by_two, "abcd");
	assert_npy_refused(-EINVAL,
			   "Y.npy: Y[1] is -inf; fill in what is missing, or leave the row "
			   "out");
}

static void dtypes_that_are_no_real_numbers_are_refused(void **state)
{
	(void)state;
	save(x_path, "<U1", 2, two_by_one, "a\0\0\0b\0\0\0");
	assert_npy_refused(-ENOTSUP, "X.npy: has dtype <U1; real numbers of at most 64 bits are "
				     "needed: save it with .astype(float)");
}

static void a_text_file_is_no_array(void **state)
{
	FILE *file = fopen(x_path, "w");

	(void)state;
	fputs("a,y\n1,2\n", file);
	fclose(file);
	assert_npy_refused(-EINVAL, "X.npy: is not a .npy file; np.save writes them");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_target_is_taken_out_of_the_features),
		cmocka_unit_test(the_target_may_be_a_number_from_1),
		cmocka_unit_test(a_column_called_by_a_number_goes_before_its_position),
		cmocka_unit_test(line_ends_byte_order_mark_blanks_and_empty_lines_do_not_matter),
		cmocka_unit_test(quoted_cells_hold_commas_quotes_and_lines),
		cmocka_unit_test_teardown(numbers_are_read_to_the_last_bit, empty_table),
		cmocka_unit_test(an_unknown_target_is_answered_with_the_columns),
		cmocka_unit_test(many_columns_are_not_all_listed),
		cmocka_unit_test(a_target_that_two_columns_share_is_refused),
		cmocka_unit_test(what_is_not_finite_is_named_with_its_place),
		cmocka_unit_test(a_long_cell_is_cut_between_characters),
		cmocka_unit_test(an_empty_cell_is_named_with_its_place),
		cmocka_unit_test(ragged_rows_are_named_by_line),
		cmocka_unit_test(misplaced_quotes_are_named_by_line),
		cmocka_unit_test(a_file_without_rows_is_refused),
		cmocka_unit_test(a_file_without_a_header_is_refused),
		cmocka_unit_test(a_column_without_a_name_is_refused),
		cmocka_unit_test(other_separators_are_refused),
		cmocka_unit_test(utf_16_is_refused),
		cmocka_unit_test(a_file_that_cannot_be_read_says_why),
		cmocka_unit_test_teardown(a_csv_file_larger_than_one_read_is_read, empty_table),
		cmocka_unit_test(x_and_y_are_read),
		cmocka_unit_test(a_wrong_shape_is_named_with_its_remedy),
		cmocka_unit_test(nan_in_an_array_is_named_with_its_place),
		cmocka_unit_test(dtypes_that_are_no_real_numbers_are_refused),
		cmocka_unit_test(a_text_file_is_no_array),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
