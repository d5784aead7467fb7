#include "launcher/command.h"

#include <errno.h>
#include <linux/close_range.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "launcher/program.h"
#include "proto/error.h"

/* 0, or errno of why it cannot be run. */
static int try(const char *path)
{
	struct stat found;

	if (stat(path, &found) < 0)
		return errno == ENOTDIR ? ENOENT : errno;
	if (!S_ISREG(found.st_mode) || access(path, X_OK) < 0)
		return EACCES;
	return 0;
}

static int search(char path[PATH_MAX], const char *name)
{
	const char *folders = getenv("PATH");
	int why = ENOENT;

	if (!folders)
		folders = "/bin:/usr/bin";
	for (const char *at = folders;; at++) {
		const int bytes = (int)strcspn(at, ":");
		if (snprintf(path, PATH_MAX, "%.*s/%s", bytes ? bytes : 1, bytes ? at : ".", name) <
		    PATH_MAX) {
			const int rc = try(path);

			if (rc == 0)
				return 0;
			if (rc == EACCES)
				why = rc;
		}
		at += bytes;
		if (!*at)
			return why;
	}
}

int command_find(char path[PATH_MAX], const char *name, struct ipp_error *err)
{
	char host[HOST_NAME_MAX + 1] = "this node";
	int why;

	if (!strchr(name, '/'))
		why = search(path, name);
	else if (snprintf(path, PATH_MAX, "%s", name) < PATH_MAX)
		why = try(path);
	else
		why = ENAMETOOLONG;
	if (why == 0)
		return 0;
	gethostname(host, sizeof(host));
	errno = why;
	if (why == ENOENT && name[strspn(name, "0123456789")] == '\0')
		return ipp_fail(err, why,
				"cannot run %s: no such command on %s; a number of engines is "
				"written with '=': --ipp-engines=%s",
				name, host, name);
	if (why == ENOENT && !strchr(name, '/'))
		return ipp_fail(err, why,
				"cannot run %s: no such command on %s; give its path, or mend PATH",
				name, host);
	return ipp_fail(err, why, "cannot run %s on %s: %m", name, host);
}

int command_become(const char *path, char *const argv[], char *const envp[], struct ipp_error *err)
{
	program_reset_signals();
	/* Slurm leaves a task nothing but 0, 1 and 2; PMIx leaves a socket open. */
	close_range(3, ~0U, CLOSE_RANGE_CLOEXEC);
	execve(path, argv, envp);
	return ipp_fail(err, errno, "cannot run %s: %m", path);
}

int command_exit_code(int rc)
{
	return rc == -ENOENT ? EXIT_NOT_FOUND : EXIT_CANNOT_RUN;
}
