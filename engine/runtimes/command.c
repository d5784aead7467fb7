/* engine/runtimes/command.c - commands: an argv, run without a shell; what it writes and its exit
 * code come back. */
#include <errno.h>
#include <event2/buffer.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/orphans.h"
#include "engine/runtime.h"
#include "proto/error.h"

#define READ_MAX (1 << 20)

struct command {
	const Ipp__Call *call;
	bool has_place; /* some word has a {} */
	int null;	/* /dev/null: its stdin */
};

static int command_open(void **opened, const Ipp__Call *call, const struct variables *arguments,
			struct ipp_error *err)
{
	struct command *command;

	(void)arguments;
	if (call->n_argv == 0)
		return ipp_fail(err, EINVAL, "there is no command to run");
	command = calloc(1, sizeof(*command));
	if (!command)
		return ipp_fail(err, ENOMEM, "out of memory");
	command->call = call;
	for (size_t i = 0; i < call->n_argv; i++)
		if (strstr(call->argv[i], "{}"))
			command->has_place = true;
	command->null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (command->null < 0) {
		free(command);
		return ipp_fail(err, errno, "cannot open /dev/null: %m");
	}
	*opened = command;
	return 0;
}

static void command_close(void *opened)
{
	struct command *command = opened;

	close(command->null);
	free(command);
}

/* ---- the words ---- */

/* `word` with each {} replaced by `item` (gives); NULL when out of memory. */
static char *fill_in(const char *word, const char *item)
{
	char *filled = NULL;
	size_t bytes;
	FILE *out = open_memstream(&filled, &bytes);
	const char *place;

	if (!out)
		return NULL;
	while ((place = strstr(word, "{}"))) {
		fwrite(word, 1, (size_t)(place - word), out);
		fputs(item, out);
		word = place + 2;
	}
	fputs(word, out);
	if (fclose(out) == 0)
		return filled;
	free(filled);
	return NULL;
}

static void words_free(char **words)
{
	for (size_t i = 0; words && words[i]; i++)
		free(words[i]);
	free(words);
}

/* The argv for one task (gives): the item goes where {} stands, else behind. */
static char **words_new(const struct command *command, const struct ipp_value *item)
{
	const size_t n = command->call->n_argv;
	char **words = calloc(n + 2, sizeof(*words));
	char number[32];
	const char *text = item->text;
	bool complete = true;

	if (!words)
		return NULL;
	if (item->kind == IPP_INTEGER) {
		snprintf(number, sizeof(number), "%lld", (long long)item->integer);
		text = number;
	}
	for (size_t i = 0; complete && i < n; i++) {
		words[i] = item->kind == IPP_NONE ? strdup(command->call->argv[i])
						  : fill_in(command->call->argv[i], text);
		complete = words[i] != NULL;
	}
	if (complete && item->kind != IPP_NONE && !command->has_place) {
		words[n] = strdup(text);
		complete = words[n] != NULL;
	}
	if (complete)
		return words;
	words_free(words);
	return NULL;
}

/* ---- the process ---- */

struct child {
	pid_t pid;
	int pidfd, out, err;
};

/* Between vfork and exec: system calls alone. */
static void become_command(const struct command *command, char *const *words, int out, int err,
			   pid_t worker)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != worker)
		_exit(127);
	setpgid(0, 0);
	dup2(command->null, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	dup2(err, STDERR_FILENO);
	if (command->call->directory[0] && chdir(command->call->directory) < 0)
		return;
	execvp(words[0], words);
}

/* 0; or the errno of what the child could not do, *in_exec says whether that was exec. */
static int child_start(struct child *child, const struct command *command, char *const *words)
{
	const pid_t worker = getpid();
	volatile int failed = 0;
	int out[2], err[2];

	if (pipe2(out, O_CLOEXEC) < 0)
		return errno;
	if (pipe2(err, O_CLOEXEC) < 0) {
		failed = errno;
		close(out[0]);
		close(out[1]);
		return failed;
	}
	/* vfork: posix_spawn cannot set the parent-death signal, and fork copies page tables that
	 * grow with what was pushed. */
	/* NOLINTNEXTLINE(clang-analyzer-security.insecureAPI.vfork,clang-analyzer-unix.Vfork) */
	child->pid = vfork();
	if (child->pid == 0) {
		become_command(command, words, out[1], err[1], worker);
		failed = errno;
		_exit(127);
	}
	if (child->pid < 0)
		failed = errno;
	close(out[1]);
	close(err[1]);
	if (failed) {
		if (child->pid > 0)
			waitpid(child->pid, NULL, 0);
		close(out[0]);
		close(err[0]);
		return failed;
	}
	fcntl(out[0], F_SETFL, O_NONBLOCK);
	fcntl(err[0], F_SETFL, O_NONBLOCK);
	child->out = out[0];
	child->err = err[0];
	child->pidfd = (int)syscall(SYS_pidfd_open, child->pid, 0);
	return 0;
}

/* Take what is there; false at the end or when nothing more can come. */
static bool read_some(int fd, struct evbuffer *into)
{
	const int n = evbuffer_read(into, fd, READ_MAX);

	return n > 0 || (n < 0 && (errno == EAGAIN || errno == EINTR));
}

/* Collect what it writes until it has ended.  What outlives it is killed: a task is over when its
 * command is. */
static int child_wait(struct child *child, struct outcome *outcome)
{
	struct pollfd on[3] = {{.fd = child->pidfd, .events = POLLIN},
			       {.fd = child->out, .events = POLLIN},
			       {.fd = child->err, .events = POLLIN}};
	int status = 0;

	while (!on[0].revents) {
		if (poll(on, 3, -1) < 0)
			continue;
		if (on[1].revents && !read_some(child->out, outcome->out))
			on[1].fd = -1;
		if (on[2].revents && !read_some(child->err, outcome->err))
			on[2].fd = -1;
	}
	while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR)
		;
	kill(-child->pid, SIGKILL);
	orphans_kill(); /* those that left the group, too */
	while (on[1].fd >= 0 && evbuffer_read(outcome->out, child->out, READ_MAX) > 0)
		;
	while (on[2].fd >= 0 && evbuffer_read(outcome->err, child->err, READ_MAX) > 0)
		;
	close(child->out);
	close(child->err);
	close(child->pidfd);
	return status;
}

static void judge(int status, const char *name, struct outcome *outcome)
{
	if (WIFSIGNALED(status))
		outcome_fail(outcome, IPP__OUTCOME__KILLED, WTERMSIG(status),
			     "%.200s was killed by signal %d (%s)", name, WTERMSIG(status),
			     strsignal(WTERMSIG(status)));
	else if (WEXITSTATUS(status) != 0)
		outcome_fail(outcome, IPP__OUTCOME__EXITED, WEXITSTATUS(status),
			     "%.200s exited with code %d", name, WEXITSTATUS(status));
}

static void command_run(void *opened, const struct task *task, struct outcome *outcome)
{
	struct command *command = opened;
	char **words = words_new(command, &task->item);
	struct child child = {.pidfd = -1, .out = -1, .err = -1};
	int failed;

	if (!words) {
		outcome_fail(outcome, IPP__OUTCOME__NO_COMMAND, 126, "out of memory for its words");
		return;
	}
	failed = child_start(&child, command, words);
	if (failed == 0)
		judge(child_wait(&child, outcome), words[0], outcome);
	else if (command->call->directory[0] && access(command->call->directory, X_OK) < 0)
		outcome_fail(outcome, IPP__OUTCOME__NO_COMMAND, 126,
			     "cannot enter the directory %.200s on this node: %s",
			     command->call->directory, strerror(failed));
	else
		outcome_fail(outcome, IPP__OUTCOME__NO_COMMAND, failed == ENOENT ? 127 : 126,
			     "cannot run %.200s: %s", words[0], strerror(failed));
	words_free(words);
}

const struct runtime command_runtime = {
	.name = "command",
	.open = command_open,
	.run = command_run,
	.close = command_close,
};
