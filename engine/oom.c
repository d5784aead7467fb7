#include "engine/oom.h"

#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define PATH_BYTES 4096

/* Where control groups tell, by version, below where systemd and everybody mounts them. */
static const struct {
	const char *controller; /* as /proc/self/cgroup says it */
	const char *root, *file;
} places[] = {
	{":memory:", "/sys/fs/cgroup/memory", "memory.oom_control"},
	{"::", "/sys/fs/cgroup", "memory.events"},
	{"::", "/sys/fs/cgroup/unified", "memory.events"},
};

/* Our group in a hierarchy, such as "/slurm/job_3/step_0"; false: none. */
static bool find_group(const char *controller, char group[PATH_BYTES])
{
	FILE *file = fopen("/proc/self/cgroup", "re");
	char line[PATH_BYTES];
	bool found = false;

	while (file && !found && fgets(line, sizeof(line), file)) {
		const char *at = strstr(line, controller);

		line[strcspn(line, "\n")] = '\0';
		found = at && at == strchr(line, ':');
		if (found)
			strcpy(group, at + strlen(controller));
	}
	if (file)
		fclose(file);
	return found;
}

/* Its line "oom_kill N", or -1. */
static long long count_in(int fd)
{
	char text[16384];
	const ssize_t n = pread(fd, text, sizeof(text) - 1, 0);
	const char *at;

	if (n <= 0)
		return -1;
	text[n] = '\0';
	at = strstr(text, "oom_kill ");
	return at ? atoll(at + strlen("oom_kill ")) : -1;
}

static int open_counter(void)
{
	char group[PATH_BYTES], path[2 * PATH_BYTES];

	for (size_t i = 0; i < sizeof(places) / sizeof(places[0]); i++) {
		int fd;

		if (!find_group(places[i].controller, group))
			continue;
		snprintf(path, sizeof(path), "%s%s/%s", places[i].root, group, places[i].file);
		fd = open(path, O_RDONLY | O_CLOEXEC);
		if (fd >= 0 && count_in(fd) >= 0)
			return fd;
		if (fd >= 0)
			close(fd);
	}
	return open("/proc/vmstat", O_RDONLY | O_CLOEXEC);
}

/* How many it has killed so far. */
static long long count(void)
{
	static int counter = -1;
	long long n;

	if (counter < 0)
		counter = open_counter();
	n = counter < 0 ? -1 : count_in(counter);
	if (n < 0 && counter >= 0) { /* a function closed it, or something else is there by now */
		close(counter);
		counter = -1;
	}
	return n;
}

static long long marked;

void oom_mark(void)
{
	marked = count();
}

bool oom_struck(void)
{
	return marked >= 0 && count() > marked;
}
