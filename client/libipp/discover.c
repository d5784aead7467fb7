#include "client/libipp/discover.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/error.h"

static const char *job_id(void)
{
	const char *job = getenv("SLURM_JOB_ID");

	return job && *job ? job : "local";
}

/* "slurm-ipp/<job>/..." is of our job. */
static bool of_our_job(const char *unix_name)
{
	const char *job = job_id();
	const char *slash = strchr(unix_name, '/');

	return slash && strncmp(slash + 1, job, strlen(job)) == 0 && slash[1 + strlen(job)] == '/';
}

static int from_unix_name(struct connection *out, const char *name, struct ipp_error *err)
{
	*out = (struct connection){0};
	out->job = strdup(job_id());
	out->host = strdup("this node");
	out->unix_name = strdup(name);
	if (out->job && out->host && out->unix_name)
		return DISCOVERED_GIVEN;
	connection_fini(out);
	return ipp_fail(err, ENOMEM, "out of memory");
}

static int from_environment(struct connection *out, const char *text, struct ipp_error *err)
{
	int rc;

	if (strncmp(text, "unix:@", 6) == 0)
		return of_our_job(text + 6) ? from_unix_name(out, text + 6, err) : DISCOVERED_NONE;
	if (strncmp(text, "file:", 5) != 0)
		return ipp_fail(err, EINVAL,
				"IPP_CONNECT is '%.100s'; it must be unix:@NAME or "
				"file:PATH: unset it, or set it to a connection file",
				text);
	rc = connection_from_file(out, text + 5, err);
	if (rc < 0)
		return rc;
	if (strcmp(out->job, job_id()) == 0)
		return DISCOVERED_GIVEN;
	connection_fini(out);
	return DISCOVERED_NONE;
}

int discover_named(struct connection *out, const char *name, struct ipp_error *err)
{
	int rc;

	*out = (struct connection){0};
	if (strncmp(name, "unix:@", 6) == 0)
		return from_unix_name(out, name + 6, err);
	rc = connection_from_file(out, strncmp(name, "file:", 5) == 0 ? name + 5 : name, err);
	return rc < 0 ? rc : DISCOVERED_GIVEN;
}

int discover(struct connection *out, struct ipp_error *err)
{
	const char *given = getenv("IPP_CONNECT");
	char *path;
	int rc = DISCOVERED_NONE;

	*out = (struct connection){0};
	if (given && *given)
		rc = from_environment(out, given, err);
	if (rc != DISCOVERED_NONE)
		return rc;
	path = connection_path(job_id());
	if (!path || access(path, F_OK) < 0) {
		free(path);
		return DISCOVERED_NONE;
	}
	rc = connection_from_file(out, path, err);
	free(path);
	return rc < 0 ? rc : DISCOVERED_FILE;
}

int discover_check_alone(bool chosen, struct ipp_error *err)
{
	const char *tasks = getenv("SLURM_STEP_NUM_TASKS"), *rank = getenv("SLURM_PROCID");
	const int n = tasks ? atoi(tasks) : 1;

	if (!chosen && getenv("SLURM_JOB_ID") && !getenv("SLURMD_NODENAME"))
		return ipp_fail(err, EINVAL,
				"this shell holds a job but is on none of its nodes: type "
				"srun --ipp-engines ipp-run ..., or --engines N for engines here");
	if (n <= 1)
		return 0;
	if (rank && strcmp(rank, "0") != 0) /* rank 0 speaks for all */
		return ipp_fail(err, EINVAL, "%s", "");
	return ipp_fail(err, EINVAL,
			"this step has %d tasks and no engines, and each task would "
			"start a cluster of its own: type srun -n%d --ipp-engines ipp-run ...",
			n, n);
}
