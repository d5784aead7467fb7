#include "engine/orphans.h"

#include <dirent.h>
#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

void orphans_adopt(void)
{
	prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0);
}

static pid_t spared; /* leads the session that lives on; 0: none */

void orphans_spare(pid_t session)
{
	spared = session;
}

/* Of the spared session; those that have ended are reaped, its leader aside. */
static bool lives_on(pid_t pid)
{
	if (spared == 0 || getsid(pid) != spared)
		return false;
	if (pid != spared)
		waitpid(pid, NULL, WNOHANG);
	return true;
}

/* Kill the children of one of our threads; whether there was any.  *foreign: one is another user's,
 * whom we cannot kill. */
static bool kill_children_of(const char *thread, bool *foreign)
{
	char path[64];
	bool found = false;
	FILE *children;
	int pid;

	snprintf(path, sizeof(path), "/proc/self/task/%.20s/children", thread);
	children = fopen(path, "re");
	if (!children)
		return false;
	while (fscanf(children, "%d", &pid) == 1) {
		if (lives_on(pid))
			continue;
		if (kill(pid, SIGKILL) < 0 && errno == EPERM) { /* sudo: not ours to wait for */
			*foreign = true;
			continue;
		}
		/* Killed, it cannot take long; its own children become ours as it goes. */
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
		found = true;
	}
	fclose(children);
	return found;
}

/* All of them: those that a thread has forked, which lives, are no other one's. */
static bool kill_children(bool *foreign)
{
	DIR *threads = opendir("/proc/self/task");
	const struct dirent *thread;
	bool found = false;

	while (threads && (thread = readdir(threads)))
		if (thread->d_name[0] != '.')
			found |= kill_children_of(thread->d_name, foreign);
	if (threads)
		closedir(threads);
	return found;
}

bool orphans_any(void)
{
	siginfo_t info;

	return waitid(P_ALL, 0, &info, WEXITED | WNOHANG | WNOWAIT) == 0;
}

bool orphans_any_to_kill(void)
{
	return spared == 0 && orphans_any();
}

bool orphans_kill(void)
{
	bool foreign = false;

	while (orphans_any() && kill_children(&foreign))
		foreign = false;
	return !foreign;
}
