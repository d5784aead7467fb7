/* engine/runtimes/shell.c - lines for a shell that stays: directory, exports, functions and
 * variables last until the next line, and as long as this worker.
 *
 * There is one shell a worker, bash where there is one, else /bin/sh.  It reads from a pipe
 *
 *	(an empty line)
 *	{ command eval 'the line' </dev/null
 *	{ command printf '%s\n' "$?" >/proc/WORKER/fd/N; } 2>/dev/null || exit 125; }
 *
 * so that a line that does not parse is an error of the line alone, that none can read what is
 * meant for the shell, and that neither it nor its children inherit a descriptor of ours.  After a
 * line with a quote that does not end, bash 5.2 takes the next { for the name of a command, but
 * where a newline comes first: hence the empty line, and one command that is parsed whole before
 * the line is.  The shell leads a session, which is how its background processes are told from what
 * commands left behind. */
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
#include "engine/outlet.h"
#include "engine/runtime.h"
#include "engine/runtimes/child.h"
#include "proto/error.h"

#define BASH "/bin/bash"
#define SH "/bin/sh"
#define LOSS "the next line gets a new one, without what lines before it had set"

struct shell {
	pid_t pid; /* 0: there is none */
	int pidfd;
	/* The other ends stay open here as well: writing to a shell that has just died must not
	 * raise SIGPIPE. */
	int lines[2], codes[2];
};

static struct shell the_shell;
static struct outlet *const shell_out = &outlets[OUTLET_SHELL_OUT];
static struct outlet *const shell_err = &outlets[OUTLET_SHELL_ERR];

static void close_pair(int pair[2])
{
	for (int i = 0; i < 2; i++)
		if (pair[i] >= 0)
			close(pair[i]);
}

/* What is left there is of no line. */
static void outlet_empty(struct outlet *outlet)
{
	struct evbuffer *rest = evbuffer_new();

	if (rest)
		outlet_read(outlet, rest);
	if (!rest || orphans_any()) /* it became another user's, and may still write there */
		outlet_leave(outlet);
	if (rest)
		evbuffer_free(rest);
}

/* Reap it, with all of its session; waitpid()'s status. */
static int shell_end(struct shell *shell)
{
	int status = 0;

	if (shell->pid > 0) {
		kill(-shell->pid, SIGKILL);
		while (waitpid(shell->pid, &status, 0) < 0 && errno == EINTR)
			;
		orphans_spare(0);
		orphans_kill();
	}
	if (shell->pidfd >= 0)
		close(shell->pidfd);
	close_pair(shell->lines);
	close_pair(shell->codes);
	outlet_empty(shell_out);
	outlet_empty(shell_err);
	shell->pid = 0;
	return status;
}

/* Between vfork and exec: system calls alone. */
static void become_shell(const struct shell *shell, const char *program, const char *directory,
			 pid_t worker)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != worker)
		_exit(127);
	setsid();
	dup2(shell->lines[0], STDIN_FILENO);
	dup2(shell_out->ends[1], STDOUT_FILENO);
	dup2(shell_err->ends[1], STDERR_FILENO);
	if (directory[0] && chdir(directory) < 0)
		return;
	execl(program, strrchr(program, '/') + 1, "-s", (char *)NULL);
}

/* 0 or errno. */
static int shell_start(struct shell *shell, const char *directory)
{
	const char *program = access(BASH, X_OK) == 0 ? BASH : SH;
	const pid_t worker = getpid();
	volatile int failed = 0;
	pid_t pid;

	*shell = (struct shell){.pidfd = -1, .lines = {-1, -1}, .codes = {-1, -1}};
	if (pipe2(shell->lines, O_CLOEXEC) < 0 || pipe2(shell->codes, O_CLOEXEC) < 0)
		failed = errno;
	if (failed == 0)
		failed = outlet_open(shell_out);
	if (failed == 0)
		failed = outlet_open(shell_err);
	if (failed) {
		shell_end(shell);
		return failed;
	}
	/* See child.c.
	 * NOLINTNEXTLINE(clang-analyzer-security.insecureAPI.vfork,clang-analyzer-unix.Vfork) */
	pid = vfork();
	if (pid == 0) {
		/* System calls alone.  NOLINTNEXTLINE(clang-analyzer-unix.Vfork) */
		become_shell(shell, program, directory, worker);
		failed = errno;
		_exit(127);
	}
	if (pid < 0)
		failed = errno;
	else
		shell->pid = pid;
	if (failed) {
		shell_end(shell);
		return failed;
	}
	/* The ends that are ours are files of their own: the shell's stay blocking. */
	fcntl(shell->lines[1], F_SETFL, O_NONBLOCK);
	fcntl(shell->codes[0], F_SETFL, O_NONBLOCK);
	shell->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	orphans_spare(pid);
	return 0;
}

/* What the shell reads for `line`. */
static void wrap(const struct shell *shell, const char *line, struct evbuffer *text)
{
	const char *quote;

	evbuffer_add_printf(text, "\n{ command eval '");
	for (; (quote = strchr(line, '\'')); line = quote + 1) {
		evbuffer_add(text, line, (size_t)(quote - line));
		evbuffer_add_printf(text, "'\\''");
	}
	evbuffer_add_printf(text,
			    "%s' </dev/null\n{ command printf '%%s\\n' \"$?\" >/proc/%d/fd/%d; } "
			    "2>/dev/null || exit 125; }\n",
			    line, getpid(), shell->codes[1]);
}

enum answer { ANSWERED, ENDED, TOO_FAR };

/* Give it the text and collect what it writes, until it tells the line's exit code, has ended, or
 * goes too far, *code being child_excess(). */
static enum answer converse(struct shell *shell, struct evbuffer *text, uint32_t timeout_ms,
			    struct outcome *outcome, int *code)
{
	struct pollfd on[] = {{.fd = shell->pidfd, .events = POLLIN},
			      {.fd = shell->codes[0], .events = POLLIN},
			      {.fd = shell_out->ends[0], .events = POLLIN},
			      {.fd = shell_err->ends[0], .events = POLLIN},
			      {.fd = shell->lines[1], .events = POLLOUT}};
	char answer[16] = "";
	struct stopwatch watch;

	stopwatch_start(&watch, stopwatch_clock_us());
	while (!on[0].revents && !on[1].revents) {
		if (evbuffer_get_length(text) == 0)
			on[4].fd = -1;
		if (poll(on, 5, stopwatch_wait_ms(&watch, timeout_ms)) < 0)
			continue;
		*code = child_excess(&watch, timeout_ms, outcome);
		if (*code)
			return TOO_FAR;
		if (on[4].revents)
			evbuffer_write(text, shell->lines[1]);
		if (on[2].revents)
			outlet_read(shell_out, outcome->out);
		if (on[3].revents)
			outlet_read(shell_err, outcome->err);
	}
	/* Once, not until it is empty: what runs in the background may write for ever. */
	outlet_read(shell_out, outcome->out);
	outlet_read(shell_err, outcome->err);
	if (read(shell->codes[0], answer, sizeof(answer) - 1) <= 0)
		return ENDED;
	*code = atoi(answer);
	return ANSWERED;
}

/* The first line of it, for messages. */
static void name_line(char *name, size_t bytes, const char *line)
{
	const size_t n = strcspn(line, "\n");

	snprintf(name, bytes, "'%.*s%s'", n > 60 ? 60 : (int)n, line,
		 n > 60 || line[n] ? "..." : "");
}

static void say_ended(int status, const char *name, struct outcome *outcome)
{
	if (WIFSIGNALED(status))
		outcome_fail(outcome, IPP__OUTCOME__KILLED, WTERMSIG(status),
			     "its shell was killed by signal %d (%s) at %s; " LOSS,
			     WTERMSIG(status), strsignal(WTERMSIG(status)), name);
	else if (WEXITSTATUS(status) != 0)
		outcome_fail(outcome, IPP__OUTCOME__EXITED, WEXITSTATUS(status),
			     "%s ended its shell with code %d; " LOSS, name, WEXITSTATUS(status));
	else
		evbuffer_add_printf(outcome->err,
				    "ipp-run: %s ended the engine's shell; " LOSS "\n", name);
}

static int shell_open(void **opened, const Ipp__Call *call, const struct variables *arguments,
		      struct blob *payload, struct ipp_error *err)
{
	(void)arguments;
	(void)payload;
	if (!call->function[0])
		return ipp_fail(err, EINVAL, "there is no line to run");
	*opened = (void *)call;
	return 0;
}

static void shell_close(void *opened)
{
	(void)opened; /* the shell stays */
}

static bool has_ended(const struct shell *shell)
{
	struct pollfd on = {.fd = shell->pidfd, .events = POLLIN};

	return shell->pid > 0 && poll(&on, 1, 0) == 1;
}

static void run_line(struct shell *shell, const Ipp__Call *call, struct evbuffer *text,
		     struct outcome *outcome)
{
	char name[80];
	int code = 0;

	name_line(name, sizeof(name), call->function);
	wrap(shell, call->function, text);
	outlet_begin(shell_out);
	outlet_begin(shell_err);
	switch (converse(shell, text, call->task_timeout_ms, outcome, &code)) {
	case ENDED:
		say_ended(shell_end(shell), name, outcome);
		break;
	case TOO_FAR:
		shell_end(shell);
		child_exceeds(code, call->task_timeout_ms, name,
			      ", and its shell was killed; " LOSS, outcome);
		break;
	case ANSWERED:
		if (code != 0)
			outcome_fail(outcome, IPP__OUTCOME__EXITED, code, "%s exited with code %d",
				     name, code);
		break;
	}
	outlet_end(shell_out);
	outlet_end(shell_err);
}

static void shell_run(void *opened, const struct task *task, struct outcome *outcome)
{
	const Ipp__Call *call = opened;
	const struct child what = {.directory = call->directory};
	struct evbuffer *text = evbuffer_new();
	int failed = text ? 0 : ENOMEM;

	if (has_ended(&the_shell)) {
		shell_end(&the_shell);
		evbuffer_add_printf(outcome->err, "ipp-run: the engine's shell had ended since the "
						  "line before; this is a new one\n");
	}
	if (!failed && the_shell.pid == 0) {
		task_environment(task);
		failed = shell_start(&the_shell, call->directory);
	}
	if (failed)
		child_refused(&what, failed, "a shell", outcome);
	else
		run_line(&the_shell, call, text, outcome);
	if (text)
		evbuffer_free(text);
}

const struct runtime shell_runtime = {
	.name = "shell",
	.open = shell_open,
	.run = shell_run,
	.close = shell_close,
};
