/* ipp-guard - parent of an engine: restarts it when it dies, kills what it left, and ends with it
 * when the cluster ends.  It exits with 0 once the engine has been part of a cluster, because srun
 * returns the worst exit code of all tasks, and that must be the client's. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "engine/exits.h"
#include "engine/orphans.h"
#include "proto/bystander.h"

#define RESTARTS_MAX 10 /* deaths in a row, none of which lasted STEADY_MS */
#define STEADY_MS 10000
#define BACKOFF_MS 20	 /* doubled with each such death */
#define PATIENCE_MS 2000 /* for an engine to end by itself once the owner has */
#define STOPPED_MS 3000	 /* for a stopped engine to go on; the controller bears a longer silence */
#define LATE_MS                                                                                    \
	2000 /* past a deadline by so much: we were stopped ourselves, as by scontrol suspend */

static long long now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000LL + now.tv_nsec / 1000000;
}

/* What Slurm says of the job's end is passed on to the engine, for proctrack/cgroup tells a step's
 * tasks alone, as which we run; and again to each that is started again, for what it was told, the
 * one before may not have passed on. */
static const int passed_on[] = {SIGTERM, SIGUSR1};
static sigset_t told; /* of those */

/* What is for the user's command must not end us. */
static int take_signals(void)
{
	sigset_t set;

	bystander_ignore_signals();
	sigemptyset(&told);
	sigemptyset(&set);
	sigaddset(&set, SIGCHLD);
	for (size_t i = 0; i < sizeof(passed_on) / sizeof(passed_on[0]); i++)
		sigaddset(&set, passed_on[i]);
	sigprocmask(SIG_SETMASK, &set, NULL);
	return signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
}

/* It begins with the signals blocked that are passed on, so that they wait until it can take them.
 */
static pid_t start_engine(const char *path, char **argv)
{
	const pid_t guard = getpid();
	const pid_t pid = fork();
	sigset_t ended;

	for (size_t i = 0; pid > 0 && i < sizeof(passed_on) / sizeof(passed_on[0]); i++)
		if (sigismember(&told, passed_on[i]))
			kill(pid, passed_on[i]);
	if (pid != 0)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != guard)
		_exit(EXIT_ENGINE_OURS);
	sigemptyset(&ended);
	sigaddset(&ended, SIGCHLD);
	sigprocmask(SIG_UNBLOCK, &ended, NULL);
	execv(path, argv);
	fprintf(stderr,
		"ipp-guard: cannot start %s: %s; is slurm-ipp installed whole on this node?\n",
		path, strerror(errno));
	_exit(EXIT_ENGINE_OURS);
}

/* What is left until `until`, for poll(); at its end the engine is killed.  -1: there is none. */
static int time_left(pid_t pid, long long until)
{
	const long long left = until - now_ms();

	if (until < 0)
		return -1;
	if (left > 0)
		return (int)left;
	kill(pid, SIGKILL);
	return -1;
}

/* Wait for the engine to end; its status.  When the owner ends first the engine is given
 * PATIENCE_MS, then killed; so it is when it stays stopped. */
static int wait_engine(pid_t pid, int signals, int *owner)
{
	bool dying = false; /* as its owner has ended */
	long long until = -1;
	int status;

	for (;;) {
		struct pollfd on[2] = {{.fd = signals, .events = POLLIN},
				       {.fd = *owner, .events = POLLIN}};
		struct signalfd_siginfo info;

		while (waitpid(pid, &status, WNOHANG | WUNTRACED | WCONTINUED) == pid) {
			if (WIFEXITED(status) || WIFSIGNALED(status))
				return status;
			if (!dying)
				until = WIFSTOPPED(status) ? now_ms() + STOPPED_MS : -1;
		}
		if (until >= 0 && now_ms() - until > LATE_MS)
			until = now_ms() + STOPPED_MS;
		poll(on, 2, time_left(pid, until));
		if (on[1].revents) {
			*owner = -1;
			dying = true;
			until = now_ms() + PATIENCE_MS;
		}
		while (read(signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
			if (info.ssi_signo != SIGCHLD) {
				sigaddset(&told, (int)info.ssi_signo);
				kill(pid, (int)info.ssi_signo);
			}
	}
}

/* Not before its time, but at once when the owner ends. */
static void back_off(unsigned deaths, int owner)
{
	const unsigned doublings = deaths < 7 ? deaths : 7;
	struct pollfd on = {.fd = owner, .events = POLLIN};

	poll(&on, 1, BACKOFF_MS << doublings);
}

/* `again` is where argv ends, with room for one more. */
static int guard(const char *path, char **argv, char **again, int owner)
{
	const int signals = take_signals();
	const bool owned = owner >= 0;
	unsigned deaths = 0;

	orphans_adopt();
	for (;;) {
		const long long started = now_ms();
		const pid_t pid = start_engine(path, argv);
		int status;

		if (pid < 0) {
			fprintf(stderr, "ipp-guard: cannot fork: %s\n", strerror(errno));
			return EXIT_ENGINE_OURS;
		}
		status = wait_engine(pid, signals, &owner);
		orphans_kill();
		if (owned && owner < 0)
			return 0;
		if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_ENGINE_OURS)
			return deaths > 0 ? 0 : EXIT_ENGINE_OURS;
		if (WIFEXITED(status))
			return 0; /* goodbye, or it has said why it left */
		*again = (char *)"--again";
		deaths = now_ms() - started < STEADY_MS ? deaths + 1 : 1;
		if (deaths > RESTARTS_MAX) {
			fprintf(stderr,
				"ipp-guard: the engine died %u times in a row, the last time by "
				"%s: not started again\n",
				deaths, strsignal(WTERMSIG(status)));
			return 0;
		}
		back_off(deaths - 1, owner);
	}
}

/* Ours is --owner-fd; everything else is for the engine, whose program lies beside this one. */
int main(int argc, char **argv)
{
	char path[4096];
	char **engine_argv = calloc((size_t)argc + 2, sizeof(*engine_argv));
	const ssize_t n = readlink("/proc/self/exe", path, sizeof(path) - sizeof("ipp-engine"));
	int engine_argc = 0;
	int owner = -1;
	int code;

	if (!engine_argv || n < 0) {
		fprintf(stderr, "ipp-guard: cannot find its own folder: %s\n", strerror(errno));
		free(engine_argv);
		return EXIT_ENGINE_OURS;
	}
	path[n] = '\0';
	strcpy(strrchr(path, '/') + 1, "ipp-engine");
	engine_argv[engine_argc++] = path;
	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "--owner-fd") == 0 && i + 1 < argc) {
			owner = atoi(argv[++i]);
			fcntl(owner, F_SETFD, FD_CLOEXEC);
		} else {
			engine_argv[engine_argc++] = argv[i];
		}
	}
	code = guard(path, engine_argv, engine_argv + engine_argc, owner);
	free(engine_argv);
	return code;
}
