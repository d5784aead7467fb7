#include "engine/orphans.h"

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

/* Kill all children; whether there was any. */
static bool kill_children(void)
{
	char path[64];
	bool found = false;
	FILE *children;
	int pid;

	snprintf(path, sizeof(path), "/proc/self/task/%d/children", getpid());
	children = fopen(path, "re");
	if (!children)
		return false;
	while (fscanf(children, "%d", &pid) == 1) {
		if (kill(pid, SIGKILL) < 0 && errno == EPERM)
			continue; /* it became another user's (sudo): not ours to wait for */
		/* Killed, it cannot take long; its own children become ours as it goes. */
		while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
			;
		found = true;
	}
	fclose(children);
	return found;
}

void orphans_kill(void)
{
	while (kill_children())
		;
}
