/* client/loo_report.h: the numbers, what people and programs see of them, and the file. */
#include <dirent.h>
#include <errno.h>
#include <math.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "client/loo_report.h"
#include "client/output.h"
#include "proto/error.h"

static const size_t rows[] = {0, 2, 7};
static const double truth[] = {1, 2, 4};
static const double prediction[] = {1.5, 2, 0.1};
static const double constant[] = {0.1, 0.1, 0.1};

static struct loo_report report;
static struct ipp_error err;
static char folder[] = "/tmp/ipp-loo-report-XXXXXX";
static char path[64];

static int make_folder(void **state)
{
	(void)state;
	return mkdtemp(folder) ? 0 : -1;
}

static int remove_folder(void **state)
{
	(void)state;
	return rmdir(folder);
}

static int fresh_report(void **state)
{
	(void)state;
	report = (struct loo_report){
		.n = 500,
		.p = 50,
		.trees = 100,
		.engines = 4,
		.held_out = 3,
		.index = rows,
		.truth = truth,
		.prediction = prediction,
		.seconds = 2,
		.task_seconds = 6,
	};
	snprintf(path, sizeof(path), "%s/out.csv", folder);
	return 0;
}

static int remove_path(void **state)
{
	(void)state;
	unlink(path);
	return 0;
}

/* ---- numbers ----------------------------------------------------------------------------------
 */

static void mean_squared_error_is_the_mean_of_squared_errors(void **state)
{
	(void)state;
	assert_true(fabs(loo_report_mse(&report) - (0.25 + 3.9 * 3.9) / 3) < 1e-15);
}

static void correlation_is_pearsons(void **state)
{
	(void)state;
	assert_true(fabs(loo_report_correlation(&report) - -0.83087511755498966) < 1e-15);
	report.prediction = truth;
	assert_true(loo_report_correlation(&report) == 1);
}

static void correlation_with_a_constant_is_undefined(void **state)
{
	(void)state;
	report.prediction = constant;
	assert_true(isnan(loo_report_correlation(&report)));
	report.prediction = prediction;
	report.truth = constant;
	assert_true(isnan(loo_report_correlation(&report)));
	report.truth = truth;
	report.held_out = 1;
	assert_true(isnan(loo_report_correlation(&report)));
}

static void without_rows_there_is_no_error_to_speak_of(void **state)
{
	(void)state;
	report.held_out = 0;
	assert_true(isnan(loo_report_mse(&report)));
	assert_true(isnan(loo_report_correlation(&report)));
}

static void speed_up_is_time_in_tasks_over_time_elapsed(void **state)
{
	(void)state;
	assert_true(loo_report_speed_up(&report) == 3);
	report.seconds = 0;
	assert_true(isnan(loo_report_speed_up(&report)));
}

/* ---- streams ----------------------------------------------------------------------------------
 */

static void assert_written(int write(const struct loo_report *, FILE *, struct ipp_error *),
			   const char *expected)
{
	char *text;
	size_t bytes;
	FILE *out = open_memstream(&text, &bytes);

	assert_int_equal(write(&report, out, &err), 0);
	fclose(out);
	assert_string_equal(text, expected);
	free(text);
}

static void people_get_a_few_lines(void **state)
{
	(void)state;
	assert_written(loo_report_print,
		       "Leave-one-out of a random forest: 3 of 500 rows, 50 features, 100 trees\n"
		       "\n"
		       "  mean squared error      5.1533\n"
		       "  correlation            -0.8309\n"
		       "\n"
		       "  elapsed                  2.000 s on 4 engines\n"
		       "  in tasks                 6.000 s\n"
		       "  speed-up                  3.00\n"
		       "  efficiency                  75 %\n");
}

static void people_are_told_what_is_undefined(void **state)
{
	(void)state;
	report.prediction = constant;
	report.engines = 1;
	report.seconds = 0;
	assert_written(loo_report_print,
		       "Leave-one-out of a random forest: 3 of 500 rows, 50 features, 100 trees\n"
		       "\n"
		       "  mean squared error      6.5433\n"
		       "  correlation          undefined: truth or prediction is constant\n"
		       "\n"
		       "  elapsed                  0.000 s on 1 engine\n"
		       "  in tasks                 6.000 s\n");
}

static void programs_get_one_json_object(void **state)
{
	(void)state;
	assert_written(loo_report_json,
		       "{\"n\": 500, \"p\": 50, \"trees\": 100, \"held_out\": 3, \"engines\": 4, "
		       "\"mse\": 5.1533333333333333, \"correlation\": -0.83087511755498966, "
		       "\"seconds\": 2.0, \"task_seconds\": 6.0, \"estimator\": \"loo\", "
		       "\"predictions\": [1.5, 2.0, 0.10000000000000001]}\n");
}

static void json_says_null_for_nan(void **state)
{
	(void)state;
	report.held_out = 0;
	assert_written(
		loo_report_json,
		"{\"n\": 500, \"p\": 50, \"trees\": 100, \"held_out\": 0, \"engines\": 4, "
		"\"mse\": null, \"correlation\": null, \"seconds\": 2.0, \"task_seconds\": 6.0, \"estimator\": \"loo\", "
		"\"predictions\": []}\n");
}

static void a_full_stream_is_reported(void **state)
{
	FILE *full = fopen("/dev/full", "w");

	(void)state;
	assert_int_equal(loo_report_print(&report, full, &err), -ENOSPC);
	assert_string_equal(err.text, "the report: cannot be written: No space left on device");
	assert_int_equal(loo_report_json(&report, full, &err), -ENOSPC);
	fclose(full);
}

/* ---- files ------------------------------------------------------------------------------------
 */

static void assert_file(const char *expected)
{
	char text[256] = "";
	FILE *file = fopen(path, "r");

	assert_non_null(file);
	text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
	fclose(file);
	assert_string_equal(text, expected);
}

static size_t count_files(void)
{
	DIR *directory = opendir(folder);
	size_t n = 0;

	for (const struct dirent *entry; (entry = readdir(directory));)
		n += entry->d_name[0] != '.';
	closedir(directory);
	return n;
}

static void write_old_file(void)
{
	FILE *file = fopen(path, "w");

	fputs("old\n", file);
	fclose(file);
	chmod(path, 0640);
}

static void a_saved_report_replaces_the_old_file_and_keeps_its_mode(void **state)
{
	struct stat status;

	(void)state;
	write_old_file();
	assert_int_equal(output_check(path, &err), 0);
	assert_file("old\n");
	assert_int_equal(loo_report_save(&report, path, &err), 0);
	assert_file("index,truth,prediction\n0,1,1.5\n2,2,2\n7,4,0.10000000000000001\n");
	assert_int_equal(count_files(), 1);
	assert_int_equal(stat(path, &status), 0);
	assert_int_equal(status.st_mode & 0777, 0640);
}

static void a_symbolic_link_stays(void **state)
{
	char link[80];
	struct stat status;

	(void)state;
	write_old_file();
	snprintf(link, sizeof(link), "%s.link", path);
	assert_int_equal(symlink("out.csv", link), 0);
	assert_int_equal(loo_report_save(&report, link, &err), 0);
	assert_int_equal(lstat(link, &status), 0);
	unlink(link);
	assert_true(S_ISLNK(status.st_mode));
	assert_file("index,truth,prediction\n0,1,1.5\n2,2,2\n7,4,0.10000000000000001\n");
}

static void a_device_is_written_to_as_it_stands(void **state)
{
	struct stat status;

	(void)state;
	assert_int_equal(output_check("/dev/null", &err), 0);
	assert_int_equal(loo_report_save(&report, "/dev/null", &err), 0);
	assert_int_equal(stat("/dev/null", &status), 0);
	assert_true(S_ISCHR(status.st_mode));
	assert_int_equal(loo_report_save(&report, "/dev/full", &err), -ENOSPC);
	assert_string_equal(err.text, "/dev/full: cannot be written: No space left on device");
}

/* A limit on file sizes fails the write as a full disk does. */
static void a_disk_that_fills_up_leaves_the_old_file(void **state)
{
	struct rlimit before, tight;
	int rc;

	(void)state;
	write_old_file();
	signal(SIGXFSZ, SIG_IGN);
	getrlimit(RLIMIT_FSIZE, &before);
	tight = before;
	tight.rlim_cur = 10;
	setrlimit(RLIMIT_FSIZE, &tight);
	rc = loo_report_save(&report, path, &err);
	setrlimit(RLIMIT_FSIZE, &before);
	assert_int_equal(rc, -EFBIG);
	assert_non_null(strstr(err.text, "out.csv: cannot be written: File too large"));
	assert_file("old\n");
	assert_int_equal(count_files(), 1);
}

static void a_path_that_leads_nowhere_is_named(void **state)
{
	(void)state;
	assert_int_equal(loo_report_save(&report, "/nowhere/out.csv", &err), -ENOENT);
	assert_string_equal(err.text,
			    "/nowhere/out.csv: cannot be written: No such file or directory");
	assert_int_equal(output_check("/nowhere/out.csv", &err), -ENOENT);
	assert_int_equal(output_check(folder, &err), -EISDIR);
	assert_int_equal(loo_report_save(&report, folder, &err), -EISDIR);
	assert_int_equal(output_check("", &err), -ENOENT);
	assert_int_equal(output_check(path, &err), 0);
	assert_int_equal(count_files(), 0);
}

#define REPORT_TEST(name) cmocka_unit_test_setup_teardown(name, fresh_report, remove_path)

int main(void)
{
	const struct CMUnitTest tests[] = {
		REPORT_TEST(mean_squared_error_is_the_mean_of_squared_errors),
		REPORT_TEST(correlation_is_pearsons),
		REPORT_TEST(correlation_with_a_constant_is_undefined),
		REPORT_TEST(without_rows_there_is_no_error_to_speak_of),
		REPORT_TEST(speed_up_is_time_in_tasks_over_time_elapsed),
		REPORT_TEST(people_get_a_few_lines),
		REPORT_TEST(people_are_told_what_is_undefined),
		REPORT_TEST(programs_get_one_json_object),
		REPORT_TEST(json_says_null_for_nan),
		REPORT_TEST(a_full_stream_is_reported),
		REPORT_TEST(a_saved_report_replaces_the_old_file_and_keeps_its_mode),
		REPORT_TEST(a_symbolic_link_stays),
		REPORT_TEST(a_device_is_written_to_as_it_stands),
		REPORT_TEST(a_disk_that_fills_up_leaves_the_old_file),
		REPORT_TEST(a_path_that_leads_nowhere_is_named),
	};

	return cmocka_run_group_tests(tests, make_folder, remove_folder);
}
