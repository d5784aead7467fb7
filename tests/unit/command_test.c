/* The command runtime: what a command is given, and what comes back of it. */
#include <errno.h>
#include <event2/buffer.h>
#include <linux/close_range.h>
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

#include "engine/orphans.h"
#include "tests/unit/runtimes.h"

/* Last: its fail() is a macro. */
#include <cmocka.h>

static unsigned n_told;

static void tell(void *worker)
{
	(void)worker;
	n_told++;
}

/* Run `argv` on `item`; a NULL item is a direct view's task. */
static void run(const char *item, const char *const *argv)
{
	struct task task = {.index = 4,
			    .engine = 2,
			    .item = {.kind = item ? IPP_TEXT : IPP_NONE,
				     .text = item,
				     .bytes = item ? strlen(item) : 0},
			    .tell = tell};
	void *opened;

	call.argv = (char **)argv;
	for (call.n_argv = 0; argv[call.n_argv];)
		call.n_argv++;
	outcome_reset(&outcome);
	assert_int_equal(command_runtime.open(&opened, &call, NULL, NULL, &err), 0);
	command_runtime.run(opened, &task, &outcome);
	command_runtime.close(opened);
}

#define RUN(item, ...) run(item, (const char *const[]){__VA_ARGS__, NULL})

static void assert_holds(struct evbuffer *buffer, const char *text)
{
	const size_t n = evbuffer_get_length(buffer);
	char *got = calloc(1, n + 1);

	evbuffer_copyout(buffer, got, n);
	assert_string_equal(got, text);
	free(got);
}

static void assert_outcome(Ipp__Outcome kind, int code, const char *error)
{
	assert_int_equal(outcome.kind, kind);
	assert_int_equal(outcome.code, code);
	if (!strstr(outcome.error, error))
		fail_msg("'%s' lacks '%s'", outcome.error, error);
}

static void stdout_and_stderr_come_back_apart(void **state)
{
	(void)state;
	RUN(NULL, "sh", "-c", "echo out; echo err >&2; echo more");
	assert_outcome(IPP__OUTCOME__OK, 0, "");
	assert_holds(outcome.out, "out\nmore\n");
	assert_holds(outcome.err, "err\n");
}

static void the_item_goes_where_braces_stand(void **state)
{
	(void)state;
	RUN("x y", "echo", "a{}b{}", "{", "{}");
	assert_holds(outcome.out, "ax ybx y { x y\n");
}

static void without_braces_the_item_comes_last(void **state)
{
	(void)state;
	RUN("{}", "echo", "a");
	assert_holds(outcome.out, "a {}\n");
}

static void numbers_of_task_and_engine_go_where_they_stand(void **state)
{
	(void)state;
	RUN("d/a.b", "echo", "{#}", "{%}", "{/.}");
	assert_holds(outcome.out, "5 3 a\n");
}

static void it_is_told_which_task_it_is(void **state)
{
	(void)state;
	RUN(NULL, "sh", "-c",
	    "echo $IPP_ENGINE $IPP_RANK $IPP_INDEX $PARALLEL_SEQ $PARALLEL_JOBSLOT");
	assert_holds(outcome.out, "2 2 4 5 3\n");
}

static void an_item_with_a_nul_is_the_tasks_failure(void **state)
{
	struct task task = {.item = {.kind = IPP_TEXT, .text = "a\0b", .bytes = 3}};
	char *word = (char *)"echo";
	void *opened;

	(void)state;
	call.argv = &word;
	call.n_argv = 1;
	assert_int_equal(command_runtime.open(&opened, &call, NULL, NULL, &err), 0);
	command_runtime.run(opened, &task, &outcome);
	command_runtime.close(opened);
	assert_outcome(IPP__OUTCOME__NO_COMMAND, 126, "a NUL byte is in the item");
}

static void one_that_runs_too_long_is_killed_and_what_it_wrote_comes_back(void **state)
{
	(void)state;
	call.task_timeout_ms = 100;
	RUN(NULL, "sh", "-c", "echo out; echo err >&2; sleep 1000 & setsid sleep 1000");
	assert_outcome(IPP__OUTCOME__TIMED_OUT, SIGKILL,
		       "sh ran longer than the 0.1 s of --task-timeout and was killed");
	assert_holds(outcome.out, "out\n");
	assert_holds(outcome.err, "err\n");
	call.task_timeout_ms = 60000;
	RUN(NULL, "true");
	assert_outcome(IPP__OUTCOME__OK, 0, "");
}

static void what_was_done_before_is_told_while_it_runs(void **state)
{
	(void)state;
	n_told = 0;
	RUN(NULL, "sleep", "0.1");
	assert_int_equal(n_told, 1);
	RUN(NULL, "sh", "-c", "n=0; while [ $((n+=1)) -lt 1000 ]; do echo; done; sleep 0.1");
	assert_int_equal(n_told, 2);
}

/* One that was killed in time has had nothing told meanwhile, unless this process lost its CPU. */
static void a_limit_may_be_shorter_than_others_wait_to_be_told(void **state)
{
	unsigned n_tries = 0;

	(void)state;
	call.task_timeout_ms = 1;
	do {
		n_told = 0;
		RUN(NULL, "sleep", "1000");
		assert_outcome(IPP__OUTCOME__TIMED_OUT, SIGKILL, "the 0.001 s of --task-timeout");
	} while (n_told > 0 && ++n_tries < 1000);
	call.task_timeout_ms = 0;
	assert_int_equal(n_told, 0);
}

static void no_shell_reads_the_words(void **state)
{
	(void)state;
	RUN("$(id); *", "printf", "%s|");
	assert_holds(outcome.out, "$(id); *|");
}

static void in_a_direct_view_braces_stay(void **state)
{
	(void)state;
	RUN(NULL, "echo", "{}");
	assert_holds(outcome.out, "{}\n");
}

static void its_stdin_is_empty(void **state)
{
	(void)state;
	RUN(NULL, "cat");
	assert_outcome(IPP__OUTCOME__OK, 0, "");
	RUN(NULL, "readlink", "/proc/self/fd/0");
	assert_holds(outcome.out, "/dev/null\n");
}

static void it_inherits_no_descriptor_of_ours(void **state)
{
	(void)state;
	RUN(NULL, "sh", "-c", "ls /proc/$$/fd; :");
	assert_holds(outcome.out, "0\n1\n2\n");
}

static void it_runs_in_the_directory_it_was_given(void **state)
{
	(void)state;
	call.directory = (char *)"/usr";
	RUN(NULL, "pwd");
	assert_holds(outcome.out, "/usr\n");
}

static void a_directory_that_is_not_there_is_named(void **state)
{
	(void)state;
	call.directory = (char *)"/none/here";
	RUN(NULL, "pwd");
	assert_outcome(IPP__OUTCOME__NO_COMMAND, 126, "cannot enter the directory /none/here");
}

static void an_exit_code_comes_back(void **state)
{
	(void)state;
	RUN(NULL, "sh", "-c", "exit 7");
	assert_outcome(IPP__OUTCOME__EXITED, 7, "sh exited with code 7");
}

static void a_signal_comes_back_by_number_and_name(void **state)
{
	(void)state;
	RUN(NULL, "sh", "-c", "kill -9 $$");
	assert_outcome(IPP__OUTCOME__KILLED, 9, "sh was killed by signal 9 (Killed)");
}

static void a_command_that_is_not_there_is_127(void **state)
{
	(void)state;
	RUN(NULL, "no-such-command");
	assert_outcome(IPP__OUTCOME__NO_COMMAND, 127,
		       "cannot run no-such-command: No such file or directory");
}

static void a_file_that_is_not_executable_is_126(void **state)
{
	(void)state;
	RUN(NULL, "/etc/passwd");
	assert_outcome(IPP__OUTCOME__NO_COMMAND, 126, "cannot run /etc/passwd: Permission denied");
}

static void nothing_to_run_is_refused(void **state)
{
	void *opened = NULL;

	(void)state;
	assert_int_equal(command_runtime.open(&opened, &call, NULL, NULL, &err), -EINVAL);
	assert_string_equal(err.text, "there is no command to run");
}

static void ten_megabytes_come_back_whole(void **state)
{
	const size_t n = 10 << 20;
	uint8_t *bytes;

	(void)state;
	RUN(NULL, "sh", "-c", "yes 1234567 | head -c 10485760 | tee /dev/stderr");
	assert_int_equal(evbuffer_get_length(outcome.out), n);
	assert_int_equal(evbuffer_get_length(outcome.err), n);
	bytes = evbuffer_pullup(outcome.out, -1);
	for (size_t i = 0; i < n; i += 8)
		assert_memory_equal(bytes + i, "1234567\n", 8);
}

static void packets_come_back_whole_and_the_next_command_gets_none(void **state)
{
	(void)state;
	RUN(NULL, "dd", "if=/dev/zero", "bs=4k", "count=100", "oflag=direct", "status=none");
	assert_outcome(IPP__OUTCOME__OK, 0, "");
	assert_int_equal(evbuffer_get_length(outcome.out), 100 * 4096);
	RUN(NULL, "echo", "next");
	assert_holds(outcome.out, "next\n");
}

/* The pid that it printed is dead or a zombie's. */
static void assert_dead(struct evbuffer *out)
{
	char text[32] = "";
	pid_t pid;

	evbuffer_copyout(out, text, sizeof(text) - 1);
	pid = atoi(text);
	assert_true(pid > 1);
	assert_int_equal(kill(pid, 0), -1);
}

static void what_it_leaves_in_the_background_is_killed_and_not_waited_for(void **state)
{
	(void)state;
	RUN(NULL, "sh", "-c", "sleep 1000 & echo $!");
	assert_outcome(IPP__OUTCOME__OK, 0, "");
	assert_dead(outcome.out);
}

static void what_leaves_its_session_is_killed_too(void **state)
{
	(void)state;
	RUN(NULL, "sh", "-c", "setsid sh -c 'echo $$; exec sleep 1000' & sleep 0.2");
	assert_dead(outcome.out);
}

/* Enough of them to begin it: the pipes are those of the one before. */
static void one_whose_end_could_not_be_seen_is_killed_and_fails(void **state)
{
	struct rlimit limit, none;

	(void)state;
	RUN(NULL, "true");
	getrlimit(RLIMIT_NOFILE, &limit);
	none = limit;
	none.rlim_cur = 0;
	setrlimit(RLIMIT_NOFILE, &none);
	RUN(NULL, "sleep", "1000");
	setrlimit(RLIMIT_NOFILE, &limit);
	assert_outcome(IPP__OUTCOME__NO_COMMAND, 126, "cannot run sleep: Too many open files");
	RUN(NULL, "echo", "out");
	assert_outcome(IPP__OUTCOME__OK, 0, "");
	assert_holds(outcome.out, "out\n");
}

static void it_dies_with_its_worker_by_the_kernels_hand(void **state)
{
	(void)state;
	/* Signal 9 to whoever loses its parent: PR_GET_PDEATHSIG as /proc does not show it. */
	RUN(NULL, "python3", "-c",
	    "import ctypes; s = ctypes.c_int(); ctypes.CDLL(None).prctl(2, ctypes.byref(s)); "
	    "print(s.value)");
	assert_holds(outcome.out, "9\n");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(stdout_and_stderr_come_back_apart),
		TEST(the_item_goes_where_braces_stand),
		TEST(without_braces_the_item_comes_last),
		TEST(numbers_of_task_and_engine_go_where_they_stand),
		TEST(it_is_told_which_task_it_is),
		TEST(an_item_with_a_nul_is_the_tasks_failure),
		TEST(one_that_runs_too_long_is_killed_and_what_it_wrote_comes_back),
		TEST(what_was_done_before_is_told_while_it_runs),
		TEST(a_limit_may_be_shorter_than_others_wait_to_be_told),
		TEST(no_shell_reads_the_words),
		TEST(in_a_direct_view_braces_stay),
		TEST(its_stdin_is_empty),
		TEST(it_inherits_no_descriptor_of_ours),
		TEST(it_runs_in_the_directory_it_was_given),
		TEST(a_directory_that_is_not_there_is_named),
		TEST(an_exit_code_comes_back),
		TEST(a_signal_comes_back_by_number_and_name),
		TEST(a_command_that_is_not_there_is_127),
		TEST(a_file_that_is_not_executable_is_126),
		TEST(nothing_to_run_is_refused),
		TEST(ten_megabytes_come_back_whole),
		TEST(packets_come_back_whole_and_the_next_command_gets_none),
		TEST(what_it_leaves_in_the_background_is_killed_and_not_waited_for),
		TEST(what_leaves_its_session_is_killed_too),
		TEST(one_whose_end_could_not_be_seen_is_killed_and_fails),
		TEST(it_dies_with_its_worker_by_the_kernels_hand),
	};

	orphans_adopt();
	close_range(3, ~0U, CLOSE_RANGE_CLOEXEC); /* what prove or make left open */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
