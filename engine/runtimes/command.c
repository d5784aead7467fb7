/* engine/runtimes/command.c - commands: an argv, run without a shell; what it writes and its exit
 * code come back. */
#include <errno.h>
<<<<<<< Updated upstream
=======
#include <event2/buffer.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
	>>>>>>> Stashed changes
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
	<<<<<<< Updated upstream
=======
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>
	>>>>>>> Stashed changes

#include "engine/runtime.h"
#include "engine/runtimes/child.h"
#include "proto/error.h"
#include "proto/template.h"

	struct command {
	const Ipp__Call *call;
<<<<<<< Updated upstream
	bool has_place; /* some word has a {} */
=======
	int null; /* /dev/null: its stdin */
>>>>>>> Stashed changes
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
<<<<<<< Updated upstream
	for (size_t i = 0; i < call->n_argv; i++)
		if (strstr(call->argv[i], "{}"))
			command->has_place = true;
=======
	command->null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (command->null < 0) {
		free(command);
		return ipp_fail(err, errno, "cannot open /dev/null: %m");
	}
>>>>>>> Stashed changes
	*opened = command;
	return 0;
}

static void command_close(void *opened)
{
	free(opened);
}

/* ---- what it is given ---- */

/* The argv for one task (gives; template_free()); a direct view's has no item, and braces stay. */
static int words_new(const struct command *command, const struct task *task, char ***out,
		     struct ipp_error *err)
{
	const Ipp__Call *call = command->call;
	struct template_task filled = {.item = task->item.text,
				       .item_bytes = task->item.bytes,
				       .n_values = call->values ? call->values : 1,
				       .index = task->index,
				       .engine = task->engine};
	char number[32];

	if (task->item.kind == IPP_NONE)
		return template_copy(out, call->argv, call->n_argv, err);
	if (task->item.kind == IPP_INTEGER) {
		filled.item = number;
		filled.item_bytes = (size_t)snprintf(number, sizeof(number), "%lld",
						     (long long)task->item.integer);
	}
	return template_fill(out, call->argv, call->n_argv, &filled, err);
}

/* Variables that tell a command which task it is.  The environment refers to these bytes, so that a
 * million tasks do not leave a million strings behind, as setenv() would. */
static void name_task(const struct task *task)
{
	static char engine[32], rank[32], place[40], number[40], slot[32];

	snprintf(engine, sizeof(engine), "IPP_ENGINE=%u", task->engine);
	snprintf(rank, sizeof(rank), "IPP_RANK=%u", task->engine);
	snprintf(place, sizeof(place), "IPP_INDEX=%llu", (unsigned long long)task->index);
	snprintf(number, sizeof(number), "PARALLEL_SEQ=%llu", (unsigned long long)task->index + 1);
	snprintf(slot, sizeof(slot), "PARALLEL_JOBSLOT=%u", task->engine + 1);
	putenv(engine);
	putenv(rank);
	putenv(place);
	putenv(number);
	putenv(slot);
}

<<<<<<< Updated upstream
static void command_run(void *opened, const struct task *task, struct outcome *outcome)
{
	struct command *command = opened;
	char **words = words_new(command, &task->item);
	const struct child child = {
		.words = words, .directory = command->call->directory, .program = -1};
	int failed, status;

	if (!words) {
		outcome_fail(outcome, IPP__OUTCOME__NO_COMMAND, 126, "out of memory for its words");
		return;
	}
	failed = child_run(&child, outcome, &status);
	if (failed == 0)
		child_judge(status, words[0], outcome);
	else
		child_refused(&child, failed, words[0], outcome);
	words_free(words);
=======
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

static int64_t clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

/* For poll(): what is left until then, -1 for ever. */
static int left_ms(int64_t deadline_ms)
{
	const int64_t left = deadline_ms - clock_ms();

	if (deadline_ms == 0)
		return -1;
	return left < 0 ? 0 : left < INT_MAX ? (int)left : INT_MAX;
}

/* Collect what it writes until it has ended, or until its time is up, which kills it; whether it
 * was.  What outlives it is killed: a task is over when its command is. */
static bool child_wait(struct child *child, uint32_t timeout_ms, struct outcome *outcome,
		       int *status)
{
	struct pollfd on[3] = {{.fd = child->pidfd, .events = POLLIN},
			       {.fd = child->out, .events = POLLIN},
			       {.fd = child->err, .events = POLLIN}};
	const int64_t deadline_ms = timeout_ms ? clock_ms() + timeout_ms : 0;
	bool late = false;

	while (!on[0].revents) {
		const int n = poll(on, 3, late ? -1 : left_ms(deadline_ms));

		if (n < 0)
			continue;
		if (n == 0) {
			late = true;
			kill(-child->pid, SIGKILL);
			kill(child->pid, SIGKILL); /* it may lead a group of its own no more */
		}
		if (on[1].revents && !read_some(child->out, outcome->out))
			on[1].fd = -1;
		if (on[2].revents && !read_some(child->err, outcome->err))
			on[2].fd = -1;
	}
	while (waitpid(child->pid, status, 0) < 0 && errno == EINTR)
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
	return late;
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

static void run_words(const struct command *command, char **words, struct outcome *outcome)
{
	const uint32_t timeout_ms = command->call->task_timeout_ms;
	struct child child = {.pidfd = -1, .out = -1, .err = -1};
	const int failed = child_start(&child, command, words);
	int status = 0;

	if (failed == 0 && child_wait(&child, timeout_ms, outcome, &status))
		outcome_fail(outcome, IPP__OUTCOME__TIMED_OUT, SIGKILL,
			     "%.200s ran longer than the %g s of --task-timeout and was killed",
			     words[0], timeout_ms / 1000.0);
	else if (failed == 0)
		judge(status, words[0], outcome);
	else if (command->call->directory[0] && access(command->call->directory, X_OK) < 0)
		outcome_fail(outcome, IPP__OUTCOME__NO_COMMAND, 126,
			     "cannot enter the directory %.200s on this node: %s",
			     command->call->directory, strerror(failed));
	else
		outcome_fail(outcome, IPP__OUTCOME__NO_COMMAND, failed == ENOENT ? 127 : 126,
			     "cannot run %.200s: %s", words[0], strerror(failed));
}

static void command_run(void *opened, const struct task *task, struct outcome *outcome)
{
	const struct command *command = opened;
	struct ipp_error err;
	char **words = NULL;

	if (words_new(command, task, &words, &err) < 0) {
		outcome_fail(outcome, IPP__OUTCOME__NO_COMMAND, 126, "%s", err.text);
		return;
	}
	name_task(task);
	run_words(command, words, outcome);
	template_free(words);
>>>>>>> Stashed changes
}

const struct runtime command_runtime = {
	.name = "command",
	.open = command_open,
	.run = command_run,
	.close = command_close,
};
