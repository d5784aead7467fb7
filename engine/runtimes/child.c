#include "engine/runtimes/child.h"

#include <errno.h>
#include <event2/buffer.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "engine/orphans.h"

#define TELL_MS 5 /* results of earlier tasks wait no longer for one that runs */

/* Both ends of its pipes stay open here from one child to the next: that saves six system calls a
 * task, and, as nothing hangs up, the end of a silent child wakes the worker once, not thrice. */
static struct pipes {
	bool open;
	int null, out[2], err[2];
} pipes;

static void pipes_close(void)
{
	const int ends[] = {pipes.null, pipes.out[0], pipes.out[1], pipes.err[0], pipes.err[1]};

	for (size_t i = 0; i < sizeof(ends) / sizeof(ends[0]); i++)
		if (ends[i] >= 0)
			close(ends[i]);
	pipes.open = false;
}

/* 0 or errno. */
static int pipes_open(void)
{
	if (pipes.open) {
		/* An earlier child may have made them non-blocking, for all who write there. */
		fcntl(pipes.out[1], F_SETFL, 0);
		fcntl(pipes.err[1], F_SETFL, 0);
		return 0;
	}
	pipes = (struct pipes){.open = true, .out = {-1, -1}, .err = {-1, -1}};
	pipes.null = open("/dev/null", O_RDONLY | O_CLOEXEC);
	if (pipes.null < 0 || pipe2(pipes.out, O_CLOEXEC) < 0 || pipe2(pipes.err, O_CLOEXEC) < 0) {
		const int failed = errno;

		pipes_close();
		return failed;
	}
	fcntl(pipes.out[0], F_SETFL, O_NONBLOCK);
	fcntl(pipes.err[0], F_SETFL, O_NONBLOCK);
	return 0;
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
	char *const *environment = child->environment ? child->environment : environ;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != worker)
		_exit(127);
	setpgid(0, 0);
	dup2(pipes.null, STDIN_FILENO);
	dup2(pipes.out[1], STDOUT_FILENO);
	dup2(pipes.err[1], STDERR_FILENO);
	if (child->directory[0] && chdir(child->directory) < 0)
		return;
	if (child->program < 0) {
		execvpe(child->words[0], child->words, environment);
		return;
	}
	fcntl(child->program, F_SETFD, 0);
	execve(way->path, child->words, environment);
	if (errno == ENOEXEC && way->as_script)
		execve(way->as_script[0], way->as_script, environment);
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

void child_read(int fd, struct evbuffer *into)
{
	struct evbuffer_iovec room[2];
	int there = 0;
	ssize_t got;
	int n;

	if (ioctl(fd, FIONREAD, &there) < 0 || there == 0)
		return;
	n = evbuffer_reserve_space(into, there, room, 2);
	got = n > 0 ? readv(fd, (struct iovec *)room, n) : -1;
	if (got <= 0)
		return;
	for (int i = 0; i < n; i++) {
		if (room[i].iov_len > (size_t)got)
			room[i].iov_len = (size_t)got;
		got -= (ssize_t)room[i].iov_len;
	}
	evbuffer_commit_space(into, room, n);
}

int64_t child_clock_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000) + now.tv_nsec / 1000000;
}

int child_left_ms(int64_t deadline_ms)
{
	const int64_t left = deadline_ms > 0 ? deadline_ms - child_clock_ms() : -1;

	if (deadline_ms == 0)
		return -1;
	return left < 0 ? 0 : left < INT_MAX ? (int)left : INT_MAX;
}

int child_excess(int64_t deadline_ms, const struct outcome *outcome)
{
	if (evbuffer_get_length(outcome->out) > CHILD_OUTPUT_BYTES ||
	    evbuffer_get_length(outcome->err) > CHILD_OUTPUT_BYTES)
		return EFBIG;
	return deadline_ms > 0 && child_left_ms(deadline_ms) == 0 ? ETIME : 0;
}

void child_exceeds(int excess, uint32_t timeout_ms, const char *name, const char *end,
		   struct outcome *outcome)
{
	const bool out = evbuffer_get_length(outcome->out) > CHILD_OUTPUT_BYTES;

	if (excess == ETIME)
		outcome_fail(outcome, IPP__OUTCOME__TIMED_OUT, SIGKILL,
			     "%.200s ran longer than the %g s of --task-timeout%s", name,
			     timeout_ms / 1000.0, end);
	else
		outcome_fail(outcome, IPP__OUTCOME__KILLED, SIGKILL,
			     "%.200s wrote more than %zu MiB to its %s (let it write to a file)%s",
			     name, CHILD_OUTPUT_BYTES >> 20, out ? "stdout" : "stderr", end);
}

static void kill_group(pid_t pid)
{
	kill(-pid, SIGKILL);
	kill(pid, SIGKILL); /* it may have moved to another group */
}

/* Collect what it writes until it has ended, or is killed for going too far, see child_excess(), or
 * because nothing would tell of its end. */
static int await(const struct child *child, pid_t pid, struct outcome *outcome, int *status)
{
	const int pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	const int64_t now_ms = child_clock_ms();
	int64_t deadline_ms = child->timeout_ms ? now_ms + child->timeout_ms : 0;
	int64_t tell_ms = now_ms + TELL_MS; /* 0: done */
	int failed = pidfd < 0 ? errno : 0;

	struct pollfd on[3] = {{.fd = pidfd, .events = POLLIN},
			       {.fd = pipes.out[0], .events = POLLIN},
			       {.fd = pipes.err[0], .events = POLLIN}};

	if (failed)
		kill_group(pid);
	while (pidfd >= 0 && !on[0].revents) {
		const bool tells_next = tell_ms && (deadline_ms == 0 || tell_ms < deadline_ms);
		const int n = poll(on, 3, child_left_ms(tells_next ? tell_ms : deadline_ms));

		if (tell_ms && child_left_ms(tell_ms) == 0) {
			child->task->tell(child->task->worker);
			tell_ms = 0;
		}
		if (n < 0)
			continue;
		if (on[1].revents)
			child_read(pipes.out[0], outcome->out);
		if (on[2].revents)
			child_read(pipes.err[0], outcome->err);
		if (on[0].revents || failed)
			continue;
		failed = child_excess(deadline_ms, outcome);
		if (failed) {
			deadline_ms = 0;
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
	int failed = pipes_open();
	bool alone;
	pid_t pid;

	if (failed)
		return failed;
	pid = start(child);
	if (pid < 0)
		return -pid;
	failed = await(child, pid, outcome, status);
	/* We are a subreaper: whoever it left behind is our child by now. */
	alone = !orphans_any();
	if (!alone) {
		kill(-pid, SIGKILL);
		orphans_kill(); /* those that left the group, too */
	}
	child_read(pipes.out[0], outcome->out);
	child_read(pipes.err[0], outcome->err);
	if (!alone && orphans_any())
		pipes_close(); /* it became another user's, and may still write there */
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
