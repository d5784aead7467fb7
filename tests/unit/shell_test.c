/* The shell runtime: what cannot be provoked by ipp-run execute. */
#include <event2/buffer.h>
#include <linux/close_range.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include "engine/orphans.h"
#include "tests/unit/runtimes.h"

#include <cmocka.h>

static void run_line(const char *line)
{
	const struct task task = {0};
	void *opened;

	call.function = (char *)line;
	outcome_reset(&outcome);
	assert_int_equal(shell_runtime.open(&opened, &call, NULL, NULL, &err), 0);
	shell_runtime.run(opened, &task, &outcome);
	shell_runtime.close(opened);
}

static void a_directory_that_is_not_there_is_named(void **state)
{
	(void)state;
	call.directory = (char *)"/no/such/place";
	run_line("true");
	assert_int_equal(outcome.kind, IPP__OUTCOME__NO_COMMAND);
	assert_int_equal(outcome.code, 126);
	assert_non_null(strstr(outcome.error, "cannot enter the directory /no/such/place"));
	call.directory = (char *)"/";
	run_line("[ $PWD = / ]");
	assert_int_equal(outcome.kind, IPP__OUTCOME__OK);
}

static void no_line_is_refused(void **state)
{
	void *opened;

	(void)state;
	call.function = (char *)"";
	assert_true(shell_runtime.open(&opened, &call, NULL, NULL, &err) < 0);
	assert_string_equal(err.text, "there is no line to run");
}

static void its_children_inherit_no_descriptor_of_ours(void **state)
{
	char text[64] = "";

	(void)state;
	run_line("ls /proc/self/fd | tr '\\n' ' '");
	evbuffer_remove(outcome.out, text, sizeof(text) - 1);
	assert_string_equal(text, "0 1 2 3 "); /* 3: the folder itself */
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_directory_that_is_not_there_is_named, setup,
						teardown),
		cmocka_unit_test_setup_teardown(no_line_is_refused, setup, teardown),
		cmocka_unit_test_setup_teardown(its_children_inherit_no_descriptor_of_ours, setup,
						teardown),
	};

	orphans_adopt();
	close_range(3, ~0U, CLOSE_RANGE_CLOEXEC); /* what prove or make left open */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
