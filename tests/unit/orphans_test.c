/* engine/orphans.h */
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "engine/orphans.h"

/* Exit code of a process that leaves a child to orphans_kill(), as another user than its child. */
static int as_another_user(void)
{
	const pid_t child = fork();

	if (child == 0) {
		alarm(10);
		pause();
		_exit(0);
	}
	if (setresuid(65534, 65534, 65534) < 0)
		return 1;
	alarm(5);
	orphans_kill();
	return 0;
}

static void a_child_of_another_user_is_not_waited_for(void **state)
{
	int status;
	pid_t pid;

	(void)state;
	if (geteuid() != 0)
		skip();
	pid = fork();
	if (pid == 0)
		_exit(as_another_user());
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
}

static void children_are_killed_and_reaped(void **state)
{
	(void)state;
	for (int i = 0; i < 3; i++)
		if (fork() == 0) {
			pause();
			_exit(0);
		}
	orphans_kill();
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
}

static void *fork_and_live_on(void *end)
{
	const int test = *(int *)end;
	char byte;

	if (fork() == 0) {
		pause();
		_exit(0);
	}
	if (write(test, "", 1) != 1 || read(test, &byte, 1) != 1)
		abort();
	return NULL;
}

static void children_of_a_thread_that_lives_are_killed_too(void **state)
{
	pthread_t thread;
	char byte;
	int ends[2];

	(void)state;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
	assert_int_equal(pthread_create(&thread, NULL, fork_and_live_on, &ends[1]), 0);
	assert_int_equal(read(ends[0], &byte, 1), 1);
	orphans_kill();
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(write(ends[0], "", 1), 1);
	pthread_join(thread, NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_child_of_another_user_is_not_waited_for),
		cmocka_unit_test(children_are_killed_and_reaped),
		cmocka_unit_test(children_of_a_thread_that_lives_are_killed_too),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
