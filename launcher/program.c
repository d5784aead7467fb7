#include "launcher/program.h"

#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <linux/close_range.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "proto/error.h"

/* `name` in the folder of `program`, symbolic links followed. */
static int beside(char path[PATH_MAX], const char *program, const char *name)
{
	char real[PATH_MAX];

	if (!realpath(program, real) ||
	    snprintf(path, PATH_MAX, "%s/%s", dirname(real), name) >= PATH_MAX)
		return -ENOENT;
	return access(path, X_OK) < 0 ? -errno : 0;
}

/* Where the ipp-run that people type lies: for programs of theirs that use libipp. */
static int beside_ipp_run(char path[PATH_MAX], const char *name)
{
	const char *at = getenv("PATH");
	char ipp_run[PATH_MAX];

	while (at && *at) {
		const int bytes = (int)strcspn(at, ":");

		if (bytes > 0 &&
		    snprintf(ipp_run, sizeof(ipp_run), "%.*s/ipp-run", bytes, at) < PATH_MAX &&
		    beside(path, ipp_run, name) == 0)
			return 0;
		at += bytes + (at[bytes] == ':');
	}
	return -ENOENT;
}

int program_path(char path[PATH_MAX], const char *name, struct ipp_error *err)
{
	static const char self[] = "/proc/self/exe";
	char other[PATH_MAX];
	const int rc = beside(path, self, name);

	if (rc == 0)
		return 0;
	/* A program of the user's; ours are whole where they lie, or say what they lack. */
	if (beside(other, self, "ipp-run") < 0) {
		if (beside_ipp_run(path, name) == 0)
			return 0;
		snprintf(path, PATH_MAX, "%s/%s", IPP_LIBEXECDIR, name);
		if (access(path, X_OK) == 0)
			return 0;
		return ipp_fail(err, ENOENT,
				"cannot find slurm-ipp's programs: install it, or put its ipp-run "
				"into the PATH");
	}
	return ipp_fail(err, -rc, "cannot run %s: %m; install slurm-ipp anew on this node", path);
}

void program_reset_signals(void)
{
	sigset_t none;

	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
}

static int handed_on = -1;

void program_hand_on(int fd)
{
	handed_on = fd;
}

static void keep_only(const int *keep, size_t n_keep)
{
	/* Linux before 5.11 cannot; all descriptors of ours are close-on-exec anyway. */
	close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
	for (size_t i = 0; i < n_keep; i++)
		fcntl(keep[i], F_SETFD, 0);
	if (handed_on >= 0)
		fcntl(handed_on, F_SETFD, 0);
}

int program_become(char *const argv[], char *const envp[], const int *keep, size_t n_keep,
		   struct ipp_error *err)
{
	program_reset_signals();
	keep_only(keep, n_keep);
	execve(argv[0], argv, envp ? envp : environ);
	return ipp_fail(err, errno, "cannot run %s: %m", argv[0]);
}

/* What the grandchild does; tells errno on `failure` when it cannot. */
static void __attribute__((noreturn))
run(char *const argv[], char *const envp[], const int *keep, size_t n_keep, int failure)
{
	const int nothing = open("/dev/null", O_RDONLY | O_CLOEXEC);
	int why;

	if (nothing >= 0 && dup2(nothing, 0) == 0 && dup2(2, 1) == 1)
		program_become(argv, envp, keep, n_keep, NULL);
	why = errno;
	if (write(failure, &why, sizeof(why)) < 0)
		_exit(126);
	_exit(127);
}

/* What the child between does: tell the pid of its own child, keep it from being reaped (so that
 * the number stays its own) until we have opened a pidfd and hung up, and go. */
static void __attribute__((noreturn))
go_between(char *const argv[], char *const envp[], const int *keep, size_t n_keep, int failure,
	   int parent)
{
	pid_t pid;
	char hung_up;

	setsid();
	pid = fork();
	if (pid == 0)
		run(argv, envp, keep, n_keep, failure);
	if (pid < 0)
		pid = -errno;
	if (write(parent, &pid, sizeof(pid)) < 0 || read(parent, &hung_up, 1) < 0)
		_exit(1);
	_exit(0);
}

static bool read_whole(int fd, void *into, size_t bytes)
{
	ssize_t got;

	do
		got = read(fd, into, bytes);
	while (got < 0 && errno == EINTR);
	return got == (ssize_t)bytes;
}

static int pidfd_of(int between, struct ipp_error *err)
{
	pid_t pid;
	int pidfd;

	if (!read_whole(between, &pid, sizeof(pid)))
		return ipp_fail(err, EIO,
				"the child that starts it died; is the machine out of memory?");
	if (pid < 0)
		return ipp_fail(err, -pid, "fork: %m; see ulimit -u, and what else runs here");
	pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (pidfd < 0)
		return ipp_fail(err, errno, "pidfd_open: %m; Linux 5.3 or later is needed");
	return pidfd;
}

int program_start(char *const argv[], char *const envp[], const int *keep, size_t n_keep,
		  struct ipp_error *err)
{
	struct ipp_error why = {0};
	int failure[2] = {-1, -1}, between[2] = {-1, -1};
	int pidfd = -1, code;
	pid_t child;

	if (pipe2(failure, O_CLOEXEC) < 0 ||
	    socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, between) < 0) {
		pidfd = ipp_fail(err, errno, "cannot start %s: %m", argv[0]);
		goto out;
	}
	child = fork();
	if (child < 0) {
		pidfd = ipp_fail(
			err, errno,
			"cannot start %s: fork: %m; see ulimit -u, and what else runs here",
			argv[0]);
		goto out;
	}
	if (child == 0) {
		close(between[0]);
		go_between(argv, envp, keep, n_keep, failure[1], between[1]);
	}
	close(between[1]);
	close(failure[1]);
	between[1] = failure[1] = -1;
	pidfd = pidfd_of(between[0], &why);
	close(between[0]);
	between[0] = -1;
	while (waitpid(child, NULL, 0) < 0 && errno == EINTR)
		;
	if (pidfd >= 0 && read_whole(failure[0], &code, sizeof(code))) {
		close(pidfd);
		errno = code;
		pidfd = ipp_fail(&why, code, "%m");
	}
	if (pidfd < 0)
		pidfd = ipp_fail(err, -pidfd, "cannot start %s: %s", argv[0], why.text);
out:
	for (int i = 0; i < 2; i++) {
		if (failure[i] >= 0)
			close(failure[i]);
		if (between[i] >= 0)
			close(between[i]);
	}
	return pidfd;
}
