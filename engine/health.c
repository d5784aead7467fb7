#include "engine/health.h"

#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

void health_count(struct health *health, const Ipp__Result *result)
{
	health->done++;
	health->failed += result->outcome != IPP__OUTCOME__OK;
	health->busy_us += result->elapsed_us;
}

/* One line of a file in /proc/PID; false when the process is gone. */
static bool read_line(pid_t pid, const char *name, char *line, int bytes)
{
	char path[64];
	FILE *file;
	bool got;

	snprintf(path, sizeof(path), "/proc/%d/%s", (int)pid, name);
	file = fopen(path, "re");
	if (!file)
		return false;
	got = fgets(line, bytes, file) != NULL;
	fclose(file);
	return got;
}

static uint64_t resident_bytes(pid_t pid)
{
	unsigned long long pages = 0;
	char line[256];

	if (!read_line(pid, "statm", line, sizeof(line)) || sscanf(line, "%*u %llu", &pages) != 1)
		return 0;
	return pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static bool is_guard(pid_t pid)
{
	char line[64];

	return read_line(pid, "comm", line, sizeof(line)) && strcmp(line, "ipp-guard\n") == 0;
}

static uint64_t running_us(const struct progress *progress)
{
	struct timespec now;
	int64_t us;

	if (!progress->running)
		return 0;
	clock_gettime(CLOCK_REALTIME, &now);
	us = now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000 - progress->started_us;
	return us > 0 ? (uint64_t)us : 0; /* the clock may have been set */
}

void health_describe(const struct health *health, const struct progress *progress, pid_t worker_pid,
		     uint64_t queued, Ipp__Health *out)
{
	const pid_t parent = getppid();

	ipp__health__init(out);
	out->state = (char *)(queued > 0 ? "busy" : "idle");
	out->done = health->done;
	out->failed = health->failed;
	out->queued = queued;
	out->busy_us = health->busy_us + running_us(progress);
	out->memory_bytes = resident_bytes(getpid());
	if (worker_pid > 0)
		out->memory_bytes += resident_bytes(worker_pid);
	if (is_guard(parent))
		out->memory_bytes += resident_bytes(parent);
}
