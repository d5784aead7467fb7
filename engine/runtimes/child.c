#include "engine/runtimes/child.h"

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

#define TELL_MS 5 /* results of earlier tasks wait no longer for one that runs */

/* Both ends of its pipes stay open here from one child to the next: that saves six system calls a
 * task, and, as nothing hangs up, the end of a silent child wakes the worker once, not thrice. */
static struct outlet *const out = &outlets[OUTLET_OUT], *const err = &outlets[OUTLET_ERR];
static int nothing = -1;

/* 0 or errno. */
static int streams_open(void)
{
	int failed = outlet_open(out);

	if (failed == 0)
		failed = outlet_open(err);
	if (failed == 0 && nothing < 0)
		nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
	return failed || nothing >= 0 ? failed : errno;
}

/* How to run the program: by `path`; and as a shell's script where it is no program and has no #!
 * line, as execvp() does. */
struct way {
	char path[32];
	char **as_script;
};

static int way_find(struct way *way, const struct child *child)
{
	size_t n = 0;

	way->as_script = NULL;
	if (child->program < 0)
		return 0;
	snprintf(way->path, sizeof(way->path), "/proc/self/fd/%d", child->program);
	while (child->words[n])
		n++;
	way->as_script = calloc(n + 2, sizeof(*way->as_script));
	if (!way->as_script)
		return ENOMEM;
	way->as_script[0] = (char *)"/bin/sh";
	way->as_script[1] = way->path;
	for (size_t i = 1; i < n; i++)
		way->as_script[i + 1] = child->words[i];
	return 0;
}

/* Between vfork and exec: system calls alone.  Returns when something failed, see errno. */
static void become(const struct child *child, const struct way *way, pid_t worker)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != worker)
		_exit(127);
	setpgid(0, 0);
	dup2(nothing, STDIN_FILENO);
	dup2(out->ends[1], STDOUT_FILENO);
	dup2(err->ends[1], STDERR_FILENO);
	if (child->directory[0] && chdir(child->directory) < 0)
		return;
	if (child->program < 0) {
		execvp(child->words[0], child->words);
		return;
	}
	fcntl(child->program, F_SETFD, 0);
	execve(way->path, child->words, environ);
	if (errno == ENOEXEC && way->as_script)
		execve(way->as_script[0], way->as_script, environ);
}

/* Its pid, or the negative errno of what could not be done. */
static pid_t start(const struct child *child)
{
	const pid_t worker = getpid();
	volatile int failed = 0;
	struct way way;
	pid_t pid;

	failed = way_find(&way, child);
	if (failed)
		return -failed;
	/* vfork: posix_spawn cannot set the parent-death signal, and fork copies page tables that
	 * grow with what was pushed. */
	/* NOLINTNEXTLINE(clang-analyzer-security.insecureAPI.vfork,clang-analyzer-unix.Vfork) */
	pid = vfork();
	if (pid == 0) {
		/* System calls alone.  NOLINTNEXTLINE(clang-analyzer-unix.Vfork) */
		become(child, &way, worker);
		failed = errno;
		_exit(127);
	}
	if (pid < 0)
		failed = errno;
	else if (failed)
		waitpid(pid, NULL, 0);
	free(way.as_script);
	return failed ? -failed : pid;
}

int child_excess(struct stopwatch *watch, uint32_t timeout_ms, const struct outcome *outcome)
{
	if (evbuffer_get_length(outcome->out) > CHILD_OUTPUT_BYTES ||
	    evbuffer_get_length(outcome->err) > CHILD_OUTPUT_BYTES)
		return EFBIG;
	return stopwatch_wait_ms(watch, timeout_ms) == 0 ? ETIME : 0;
}

void child_exceeds(int excess, uint32_t timeout_ms, const char *name, const char *end,
		   struct outcome *outcome)
{
	const bool is_out = evbuffer_get_length(outcome->out) > CHILD_OUTPUT_BYTES;

	if (excess == ETIME)
		outcome_fail(outcome, IPP__OUTCOME__TIMED_OUT, SIGKILL,
			     "%.200s ran longer than the %g s of --task-timeout%s", name,
			     timeout_ms / 1000.0, end);
	else
		outcome_fail(outcome, IPP__OUTCOME__KILLED, SIGKILL,
			     "%.200s wrote more than %zu MiB to its %s (let it write to a file)%s",
			     name, CHILD_OUTPUT_BYTES >> 20, is_out ? "stdout" : "stderr", end);
}

static void kill_group(pid_t pid)
{
	kill(-pid, SIGKILL);
	kill(pid, SIGKILL); /* it may have moved to another group */
}

/* Of two times for poll(). */
static int sooner_ms(int one, int other)
{
	return one < 0 || (other >= 0 && other < one) ? other : one;
}

/* Collect what it writes until it has ended, or is killed for going too far, see child_excess(), or
 * because nothing would tell of its end. */
static int await(const struct child *child, pid_t pid, struct outcome *outcome, int *status)
{
	const int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	uint32_t timeout_ms = child->timeout_ms;
	uint32_t tell_ms = TELL_MS; /* 0: done */
	struct stopwatch watch;
	int failed = pidfd < 0 ? errno : 0;

	struct pollfd on[3] = {{.fd = pidfd, .events = POLLIN},
			       {.fd = out->ends[0], .events = POLLIN},
			       {.fd = err->ends[0], .events = POLLIN}};

	stopwatch_start(&watch, stopwatch_clock_us());
	if (failed)
		kill_group(pid);
	while (pidfd >= 0 && !on[0].revents) {
		const int n = poll(on, 3,
				   sooner_ms(stopwatch_wait_ms(&watch, tell_ms),
					     stopwatch_wait_ms(&watch, timeout_ms)));

		if (stopwatch_wait_ms(&watch, tell_ms) == 0) {
			child->task->tell(child->task->worker);
			tell_ms = 0;
		}
		if (n < 0)
			continue;
		if (on[1].revents)
			outlet_read(out, outcome->out);
		if (on[2].revents)
			outlet_read(err, outcome->err);
		if (on[0].revents || failed)
			continue;
		failed = child_excess(&watch, timeout_ms, outcome);
		if (failed) {
			timeout_ms = 0;
			kill_group(pid);
		}
	}
	while (waitpid(pid, status, 0) < 0 && errno == EINTR)
		;
	if (pidfd >= 0)
		close(pidfd);
	return failed;
}

int child_run(const struct child *child, struct outcome *outcome, int *status)
{
	int failed = streams_open();
	bool writes_on = false; /* who became another user's */
	pid_t pid;

	if (failed)
		return failed;
	outlet_begin(out);
	outlet_begin(err);
	pid = start(child);
	if (pid < 0) {
		failed = -pid;
		goto done;
	}
	failed = await(child, pid, outcome, status);
	/* We are a subreaper: whoever it left behind is our child by now. */
	if (orphans_any()) {
		kill(-pid, SIGKILL);
		writes_on = !orphans_kill(); /* those that left the group, too */
	}
	outlet_read(out, outcome->out);
	outlet_read(err, outcome->err);
	if (writes_on) {
		outlet_leave(out);
		outlet_leave(err);
	}
done:
	outlet_end(out);
	outlet_end(err);
	return failed;
}

void child_judge(int status, const char *name, struct outcome *outcome)
{
	if (WIFSIGNALED(status))
		outcome_fail(outcome, IPP__OUTCOME__KILLED, WTERMSIG(status),
			     "%.200s was killed by signal %d (%s)", name, WTERMSIG(status),
			     strsignal(WTERMSIG(status)));
	else if (WEXITSTATUS(status) != 0)
		outcome_fail(outcome, IPP__OUTCOME__EXITED, WEXITSTATUS(status),
			     "%.200s exited with code %d", name, WEXITSTATUS(status));
}

void child_refused(const struct child *child, int failed, const char *name, struct outcome *outcome)
{
	if (failed == ETIME || failed == EFBIG)
		child_exceeds(failed, child->timeout_ms, name, " and was killed", outcome);
	else if (child->directory[0] && access(child->directory, X_OK) < 0)
		outcome_fail(outcome, IPP__OUTCOME__NO_COMMAND, 126,
			     "cannot enter the directory %.200s on this node: %s", child->directory,
			     strerror(failed));
	else
		outcome_fail(outcome, IPP__OUTCOME__NO_COMMAND, failed == ENOENT ? 127 : 126,
			     "cannot run %.200s: %s", name, strerror(failed));
}
