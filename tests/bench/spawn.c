/* spawn - run a command N times with posix_spawn, two at a time, its stdout and stderr on pipes:
 * the least that anything must do which runs commands and keeps what they write.
 *
 *	spawn N COMMAND [WORD...] */
#include <fcntl.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/wait.h>
#include <unistd.h>

#define AT_A_TIME 2

struct child {
	pid_t pid;
	int out, err;
};

static struct child child_start(char **argv)
{
	posix_spawn_file_actions_t actions;
	struct child child = {.pid = -1};
	int out[2], err[2];

	if (pipe2(out, O_CLOEXEC) < 0 || pipe2(err, O_CLOEXEC) < 0) {
		perror("spawn: pipe");
		exit(1);
	}
	posix_spawn_file_actions_init(&actions);
	posix_spawn_file_actions_adddup2(&actions, out[1], STDOUT_FILENO);
	posix_spawn_file_actions_adddup2(&actions, err[1], STDERR_FILENO);
	if (posix_spawnp(&child.pid, argv[0], &actions, NULL, argv, environ) != 0) {
		fprintf(stderr, "spawn: cannot run %s\n", argv[0]);
		exit(1);
	}
	posix_spawn_file_actions_destroy(&actions);
	close(out[1]);
	close(err[1]);
	child.out = out[0];
	child.err = err[0];
	return child;
}

static void child_end(const struct child *child)
{
	char text[4096];

	while (read(child->out, text, sizeof(text)) > 0)
		;
	while (read(child->err, text, sizeof(text)) > 0)
		;
	close(child->out);
	close(child->err);
	waitpid(child->pid, NULL, 0);
}

int main(int argc, char **argv)
{
	const long n = argc > 2 ? strtol(argv[1], NULL, 10) : 0;
	struct child running[AT_A_TIME];

	if (n <= 0) {
		fputs("usage: spawn N COMMAND [WORD...]\n", stderr);
		return 125;
	}
	for (long i = 0; i < n + AT_A_TIME; i++) {
		if (i >= AT_A_TIME)
			child_end(&running[i % AT_A_TIME]);
		if (i < n)
			running[i % AT_A_TIME] = child_start(argv + 2);
	}
	return 0;
}
