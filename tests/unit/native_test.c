/* The native runtime: functions of tests/modules/, loaded and called as a worker does. */
#include <errno.h>
#include <event2/buffer.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/runtime.h"
#include "engine/variables.h"
#include "proto/error.h"

/* Last: its fail() is a macro. */
#include <cmocka.h>

static Ipp__Call call;
static struct variables *arguments, *variables;
static struct outcome outcome;
static struct task task;
static void *opened;
static struct blob
	*module; /* the first call.module_bytes of it, for those that come with the call */
static struct ipp_error err;

static int setup(void **state)
{
	(void)state;
	ipp__call__init(&call);
	arguments = variables_new();
	variables = variables_new();
	outcome = (struct outcome){.out = evbuffer_new(), .err = evbuffer_new()};
	task = (struct task){.index = 41, .variables = variables};
	opened = NULL;
	module = NULL;
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	if (opened)
		native_runtime.close(opened);
	outcome_reset(&outcome);
	evbuffer_free(outcome.out);
	evbuffer_free(outcome.err);
	variables_free(arguments);
	variables_free(variables);
	blob_unref(module);
	return 0;
}

static void set_text(struct variables *into, const char *name, const char *text)
{
	Ipp__Value value = IPP__VALUE__INIT;
	size_t offset = 0;

	value.name = (char *)name;
	value.kind_case = IPP__VALUE__KIND_TEXT;
	value.text = (char *)text;
	assert_int_equal(variables_set(into, &value, NULL, &offset), 0);
}

static int open_function(const char *function)
{
	call.function = (char *)function;
	return native_runtime.open(&opened, &call, arguments, module, &err);
}

static void run(const char *function)
{
	if (!opened && open_function(function) < 0)
		fail_msg("%s", err.text);
	outcome_reset(&outcome);
	native_runtime.run(opened, &task, &outcome);
}

static void assert_error(int code, const char *error)
{
	assert_int_equal(outcome.kind, IPP__OUTCOME__ERROR);
	assert_int_equal(outcome.code, code);
	assert_string_equal(outcome.error, error);
}

static void assert_not_opened(const char *function, int code, const char *why)
{
	assert_int_equal(open_function(function), code);
	assert_null(opened);
	if (!strstr(err.text, why))
		fail_msg("'%s' lacks '%s'", err.text, why);
}

static void a_function_sees_its_item_and_returns_a_number(void **state)
{
	(void)state;
	task.item = (struct ipp_value){.kind = IPP_INTEGER, .integer = 12};
	run("sample.so:square");
	assert_int_equal(outcome.kind, IPP__OUTCOME__OK);
	assert_int_equal(outcome.value.kind, IPP_INTEGER);
	assert_int_equal(outcome.value.integer, 144);
}

static void a_function_sees_its_place_in_the_map(void **state)
{
	(void)state;
	run("sample.so:place");
	assert_int_equal(outcome.value.integer, 41);
}

static void a_function_sees_its_arguments(void **state)
{
	(void)state;
	set_text(arguments, "text", "hello ");
	task.item = (struct ipp_value){.kind = IPP_TEXT, .text = "world", .bytes = 5};
	run("sample.so:say");
	assert_int_equal(outcome.value.bytes, 11);
	assert_string_equal(outcome.value.text, "hello world");
}

static void an_argument_is_no_variable(void **state)
{
	(void)state;
	set_text(variables, "text", "hello");
	run("sample.so:say");
	assert_error(1, "the argument text is missing: it is a text, given as text=VALUE");
}

static void a_function_sees_the_engines_variables_as_they_are_now(void **state)
{
	const double data[4] = {1, 2, 3, 4};
	uint64_t shape[] = {3};
	struct blob *payload = blob_copy(data, sizeof(data));
	Ipp__Array array = IPP__ARRAY__INIT;
	Ipp__Value value = IPP__VALUE__INIT;
	size_t offset = sizeof(double);

	(void)state;
	run("sample.so:sum");
	assert_error(1, "there is no v");
	array.dtype = (char *)"<f8";
	array.shape = shape;
	array.n_shape = 1;
	array.bytes = 3 * sizeof(double);
	value.name = (char *)"v";
	value.kind_case = IPP__VALUE__KIND_ARRAY;
	value.array = &array;
	assert_int_equal(variables_set(variables, &value, payload, &offset), 0);
	assert_int_equal(offset, sizeof(data));
	blob_unref(payload);
	run("sample.so:sum");
	assert_true(outcome.value.kind == IPP_REAL && outcome.value.real == 9);
}

/* Items are rows of such an array, `bytes` of `data`. */
static void set_rows(const char *dtype, const uint64_t *shape, size_t n_dims, const void *data,
		     size_t bytes)
{
	static Ipp__Array array;
	static Ipp__Value value, *first = &value;
	struct blob *payload = blob_copy(data, bytes);
	size_t offset = 0;

	ipp__array__init(&array);
	array.dtype = (char *)dtype;
	array.shape = (uint64_t *)shape;
	array.n_shape = n_dims;
	array.bytes = bytes;
	ipp__value__init(&value);
	value.name = (char *)"items";
	value.kind_case = IPP__VALUE__KIND_ARRAY;
	value.array = &array;
	assert_int_equal(variables_set(arguments, &value, payload, &offset), 0);
	blob_unref(payload);
	call.arguments = &first;
	call.n_arguments = 1;
	call.rows = true;
	task.item = (struct ipp_value){.kind = IPP_INTEGER, .text = ""};
	if (opened)
		native_runtime.close(opened);
	opened = NULL;
}

static void an_item_may_be_a_row_of_the_first_argument(void **state)
{
	const double data[] = {1, 2, 3, 4, 5, 6};
	const uint64_t shape[] = {3, 2, 1};

	(void)state;
	set_rows("<f8", shape, 3, data, sizeof(data));
	task.item.integer = 2;
	run("sample.so:itself");
	assert_int_equal(outcome.value.kind, IPP_ARRAY);
	assert_string_equal(outcome.dtype, "<f8");
	assert_int_equal(outcome.value.n_dims, 2);
	assert_int_equal(outcome.shape[0], 2);
	assert_int_equal(outcome.shape[1], 1);
	assert_int_equal(outcome.value.bytes, 16);
	assert_memory_equal(outcome.bytes->data, data + 4, 16);
}

static void assert_number(const char *dtype, const void *data, size_t bytes, enum ipp_kind kind,
			  const char *digits)
{
	const uint64_t shape[] = {1};

	set_rows(dtype, shape, 1, data, bytes);
	run("sample.so:itself");
	assert_int_equal(outcome.value.kind, kind);
	native_runtime.close(opened);
	opened = NULL;
	run("sample.so:digits");
	assert_int_equal(outcome.value.bytes, strlen(digits));
	if (*digits)
		assert_string_equal(outcome.value.text, digits);
}

static void a_row_of_an_array_of_one_axis_is_a_number_with_its_digits(void **state)
{
	(void)state;
	assert_number("<i8", "\0\0\0\0\0\0\0\x80", 8, IPP_INTEGER, "-9223372036854775808");
	assert_number(">i2", "\xff\xfe", 2, IPP_INTEGER, "-2");
	assert_number("|u1", "\xfe", 1, IPP_INTEGER, "254");
	assert_number("|b1", "\x01", 1, IPP_INTEGER, "1");
	assert_number("<f4", "\0\0\x20\x40", 4, IPP_REAL, "2.5");
	assert_number("<u8", "\0\0\0\0\0\0\0\x80", 8, IPP_REAL, "9.2233720368547758e+18");
	assert_number("|S3", "abc", 3, IPP_ARRAY, "");
}

static void an_item_that_is_no_row_of_the_array_fails(void **state)
{
	const uint64_t shape[] = {2, 3};

	(void)state;
	set_rows("|u1", shape, 2, "abcdef", 6);
	task.item = (struct ipp_value){.kind = IPP_INTEGER, .integer = 2, .text = "2"};
	run("sample.so:itself");
	assert_error(EINVAL, "its item '2' is none of the 2 rows of its array");
	task.item = (struct ipp_value){.kind = IPP_INTEGER, .integer = -1, .text = "-1"};
	run("sample.so:itself");
	assert_error(EINVAL, "its item '-1' is none of the 2 rows of its array");
	task.item = (struct ipp_value){.kind = IPP_TEXT, .text = "a"};
	run("sample.so:itself");
	assert_error(EINVAL, "its item 'a' is none of the 2 rows of its array");
}

static void what_has_no_rows_is_refused(void **state)
{
	const uint64_t shape[] = {2, 3};

	(void)state;
	set_rows("|u1", shape, 2, "abc", 3);
	assert_not_opened("sample.so:itself", -EINVAL, "items: 3 bytes are no array of that");
	set_rows("|u1", shape, 0, "a", 1);
	assert_not_opened("sample.so:itself", -EINVAL, "items: has no rows");
	set_text(arguments, "items", "abc");
	assert_not_opened("sample.so:itself", -EINVAL, "items: has no rows");
	call.n_arguments = 0;
	assert_not_opened("sample.so:itself", -EINVAL, "its first argument, and it has none");
}

static void an_array_that_passes_its_payload_is_no_variable(void **state)
{
	struct blob *payload = blob_copy("12345678", 8);
	Ipp__Array array = IPP__ARRAY__INIT;
	Ipp__Value value = IPP__VALUE__INIT;
	size_t offset = 1;

	(void)state;
	array.bytes = 8;
	value.name = (char *)"v";
	value.kind_case = IPP__VALUE__KIND_ARRAY;
	value.array = &array;
	assert_int_equal(variables_set(variables, &value, payload, &offset), -EPROTO);
	assert_null(variables_get(variables, "v"));
	blob_unref(payload);
}

static void an_array_comes_back_with_its_shape(void **state)
{
	(void)state;
	run("sample.so:matrix");
	assert_int_equal(outcome.value.kind, IPP_ARRAY);
	assert_string_equal(outcome.dtype, "<f8");
	assert_int_equal(outcome.value.n_dims, 2);
	assert_int_equal(outcome.shape[0], 2);
	assert_int_equal(outcome.shape[1], 3);
	assert_true(((const double *)outcome.bytes->data)[5] == 6);
}

static void what_is_not_whole_is_no_result(void **state)
{
	static const char *const why[] = {
		"its result is an array of 8 bytes, but its shape (1000,) of dtype <f8 takes 8000",
		"its result: 'double' is not one of NumPy's plain dtypes, such as '<f8'",
		"its result is an array whose dtype is NULL",
		"its result is an array whose shape is NULL",
		"its result is an array whose data is NULL",
		"its result: has 65 dimensions; at most 64 are possible",
		("its result is a text of 3 bytes with a NUL among them, at 1: make it an array of "
		 "|u1"),
		"its result is a text whose pointer is NULL",
		"its result is of kind 99, which ipp/module.h does not have",
		"it failed without saying why",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(why) / sizeof(why[0]); i++) {
		task.index = i;
		run("sample.so:give_badly");
		assert_error(outcome.code, why[i]);
		assert_int_equal(outcome.value.kind, IPP_NONE);
	}
}

static void the_later_of_two_results_counts(void **state)
{
	(void)state;
	run("sample.so:twice_said");
	assert_true(outcome.value.kind == IPP_REAL && outcome.value.real == 2.5);
	assert_null(outcome.bytes);
}

static void a_function_that_returns_nothing_is_well(void **state)
{
	(void)state;
	run("sample.so:nothing");
	assert_int_equal(outcome.kind, IPP__OUTCOME__OK);
	assert_int_equal(outcome.value.kind, IPP_NONE);
}

static void a_failure_is_told_in_the_functions_own_words(void **state)
{
	(void)state;
	run("sample.so:complain");
	assert_error(1, "I will not");
}

static void a_failure_without_words_is_told_by_its_number(void **state)
{
	(void)state;
	run("sample.so:silent");
	assert_error(3, "it returned 3 without saying why");
}

static void state_lasts_for_the_call_and_is_released_with_it(void **state)
{
	(void)state;
	unsetenv("IPP_TEST_RELEASED");
	for (int i = 0; i < 3; i++) {
		run("sample.so:count");
		assert_int_equal(outcome.value.integer, i);
	}
	assert_null(getenv("IPP_TEST_RELEASED"));
	native_runtime.close(opened);
	opened = NULL;
	assert_non_null(getenv("IPP_TEST_RELEASED"));
	run("sample.so:count");
	assert_int_equal(outcome.value.integer, 0);
}

static void a_module_that_is_not_there_is_named(void **state)
{
	(void)state;
	assert_not_opened("none.so:square", -ENOENT, "modules/none.so: cannot open");
	assert_not_opened("/none/none.so:square", -ENOENT, "cannot load the module /none/none.so");
}

static void a_function_that_is_not_there_is_named(void **state)
{
	(void)state;
	assert_not_opened("sample.so:cube", -ENOENT, "has no function 'cube'");
	assert_not_opened("sample.so:ipp_module_version", -ENOENT,
			  "has no function 'ipp_module_version'"); /* but data */
}

static void a_module_of_another_version_is_refused_and_both_are_named(void **state)
{
	(void)state;
	assert_not_opened("other_version.so:square", -EINVAL,
			  "built for version 2 of ipp/module.h, this is version 1");
}

static void a_shared_object_that_is_no_module_is_refused(void **state)
{
	(void)state;
	assert_not_opened("no_module.so:square", -EINVAL, "lacks IPP_MODULE");
}

/* The bytes of tests/modules/FILE, followed by `more`, as they come with a call. */
static void send_module(const char *file, size_t more)
{
	static uint8_t bytes[1 << 20];
	char path[4096 + 64];
	const ssize_t n_path = readlink("/proc/self/exe", path, 4096);
	FILE *in;
	size_t n;

	assert_true(n_path > 0);
	path[n_path] = '\0';
	sprintf(strrchr(path, '/'), "/modules/%s", file);
	in = fopen(path, "rbe");
	assert_non_null(in);
	n = fread(bytes, 1, sizeof(bytes) - more, in);
	fclose(in);
	memset(bytes + n, 0, more);
	call.module_bytes = n;
	blob_unref(module);
	module = blob_copy(bytes, n + more);
}

static void a_module_that_this_node_does_not_see_is_loaded_from_its_bytes(void **state)
{
	(void)state;
	send_module("sample.so", 0);
	task.item = (struct ipp_value){.kind = IPP_INTEGER, .integer = 12};
	run("/nowhere/sample.so:square");
	assert_int_equal(outcome.value.integer, 144);
}

static void a_module_in_a_memfd_with_arrays_behind_it_is_loaded_where_it_lies(void **state)
{
	(void)state;
	send_module("sample.so", 1 << 17);
	assert_true(module->fd >= 0);
	run("/nowhere/sample.so:place");
	assert_int_equal(outcome.value.integer, 41);
}

static void another_file_of_that_name_on_this_node_is_not_taken_for_it(void **state)
{
	char path[] = "/tmp/ipp-native-XXXXXX";
	const int fd = mkstemp(path);
	char function[64];

	(void)state;
	send_module("sample.so", 0);
	assert_int_equal(ftruncate(fd, (off_t)call.module_bytes), 0);
	close(fd);
	snprintf(function, sizeof(function), "%s:place", path);
	run(function);
	unlink(path);
	assert_int_equal(outcome.value.integer, 41);
}

static void a_sent_module_gets_no_other_ones_place(void **state)
{
	(void)state;
	send_module("sample.so", 0);
	run("/nowhere/a.so:place");
	native_runtime.close(opened);
	opened = NULL;
	send_module("no_module.so", 0);
	assert_not_opened("/nowhere/b.so:square", -EINVAL, "b.so is no slurm-ipp module");
}

static void bytes_that_are_no_module_are_told_by_their_path(void **state)
{
	(void)state;
	module = blob_copy("#!/bin/sh\n", 10);
	call.module_bytes = 10;
	assert_not_opened("/nowhere/script.so:f", -ENOEXEC,
			  "cannot load the module /nowhere/script.so: ");
}

static void a_name_without_a_module_is_refused(void **state)
{
	(void)state;
	assert_not_opened("square", -EINVAL, "write MODULE.so:NAME");
	assert_not_opened(":square", -EINVAL, "write MODULE.so:NAME");
	assert_not_opened("sample.so:", -EINVAL, "write MODULE.so:NAME");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_function_sees_its_item_and_returns_a_number),
		TEST(a_function_sees_its_place_in_the_map),
		TEST(a_function_sees_its_arguments),
		TEST(an_argument_is_no_variable),
		TEST(a_function_sees_the_engines_variables_as_they_are_now),
		TEST(an_item_may_be_a_row_of_the_first_argument),
		TEST(a_row_of_an_array_of_one_axis_is_a_number_with_its_digits),
		TEST(an_item_that_is_no_row_of_the_array_fails),
		TEST(what_has_no_rows_is_refused),
		TEST(an_array_that_passes_its_payload_is_no_variable),
		TEST(an_array_comes_back_with_its_shape),
		TEST(what_is_not_whole_is_no_result),
		TEST(the_later_of_two_results_counts),
		TEST(a_function_that_returns_nothing_is_well),
		TEST(a_failure_is_told_in_the_functions_own_words),
		TEST(a_failure_without_words_is_told_by_its_number),
		TEST(state_lasts_for_the_call_and_is_released_with_it),
		TEST(a_module_that_is_not_there_is_named),
		TEST(a_function_that_is_not_there_is_named),
		TEST(a_module_of_another_version_is_refused_and_both_are_named),
		TEST(a_shared_object_that_is_no_module_is_refused),
		TEST(a_name_without_a_module_is_refused),
		TEST(a_module_that_this_node_does_not_see_is_loaded_from_its_bytes),
		TEST(a_module_in_a_memfd_with_arrays_behind_it_is_loaded_where_it_lies),
		TEST(another_file_of_that_name_on_this_node_is_not_taken_for_it),
		TEST(a_sent_module_gets_no_other_ones_place),
		TEST(bytes_that_are_no_module_are_told_by_their_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
