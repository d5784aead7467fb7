#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "client/verb.h"

#define TIMEOUT_S 60
#define ENGINES_MAX 65536
#define LOOK_AGAIN_MS 20

struct wait {
	uint64_t n_engines, timeout_s;
	time_t until; /* CLOCK_MONOTONIC */
	struct ipp_client *client;
};

static bool nap(const struct wait *wait)
{
	const struct timespec nap = {.tv_nsec = LOOK_AGAIN_MS * 1000000L};
	struct timespec now;

	nanosleep(&nap, NULL);
	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec < wait->until;
}

/* The controller may be started after us: until then there is no file that names it. */
static int await_controller(struct wait *wait, struct ipp_error *err)
{
	const struct ipp_connect options = {.timeout_ms = (unsigned)wait->timeout_s * 1000};
	int rc;

	do
		rc = ipp_connect(&wait->client, &options, err);
	while (rc == -ENOENT && nap(wait));
	if (rc == -ENOENT)
		ipp_fail(err, ENOENT,
			 "ipp-run: no controller after %llu s; start ipp-controller in this job, "
			 "on this node",
			 (unsigned long long)wait->timeout_s);
	return rc;
}

static int fail_missing(const struct wait *wait, const struct ipp_engine *engines, size_t n,
			struct ipp_error *err)
{
	uint32_t missing = 0;

	while (missing < n && engines[missing].rank == missing)
		missing++;
	return ipp_fail(
		err, ETIMEDOUT,
		"ipp-run: %zu of %llu engines after %llu s; missing engine %u%s; see what srun "
		"ipp-engine says, and whether it still runs: squeue -s",
		n, (unsigned long long)wait->n_engines, (unsigned long long)wait->timeout_s,
		missing, n + 1 < wait->n_engines ? " and others" : "");
}

static int await_engines(const struct wait *wait, struct ipp_error *err)
{
	const struct ipp_engine *engines = NULL;
	size_t n = 0;
	int rc;

	do
		rc = ipp_engines(wait->client, &engines, &n, err);
	while (rc == 0 && n < wait->n_engines && nap(wait));
	return rc == 0 && n < wait->n_engines ? fail_missing(wait, engines, n, err) : rc;
}

static int wait_for(int argc, char **argv)
{
	static const struct option options[] = {
		{"engines", required_argument, NULL, 'n'},
		{"timeout", required_argument, NULL, 't'},
		{0},
	};
	/* A job of -N2 without -n has no SLURM_NTASKS, and srun starts a task a node in it. */
	const char *tasks = getenv("SLURM_NTASKS") ? getenv("SLURM_NTASKS")
						   : getenv("SLURM_JOB_NUM_NODES");
	struct wait wait = {.n_engines = 1, .timeout_s = TIMEOUT_S};
	struct ipp_error err;
	struct timespec now;
	int c, rc = 0;

	if (tasks)
		rc = verb_number("SLURM_NTASKS or SLURM_JOB_NUM_NODES", tasks, 1, ENGINES_MAX,
				 &wait.n_engines, &err);
	while (rc == 0 && (c = getopt_long(argc, argv, "n:", options, NULL)) != -1) {
		if (c == 'n')
			rc = verb_number("--engines", optarg, 1, ENGINES_MAX, &wait.n_engines,
					 &err);
		else if (c == 't')
			rc = verb_number("--timeout", optarg, 1, 86400, &wait.timeout_s, &err);
		else
			return verb_misuse(&verb_wait, "'%s' is not an option, or lacks its value",
					   argv[optind - 1]);
	}
	if (rc == 0 && optind < argc)
		return verb_misuse(&verb_wait, "what is '%s'?", argv[optind]);
	clock_gettime(CLOCK_MONOTONIC, &now);
	wait.until = now.tv_sec + (time_t)wait.timeout_s;
	if (rc == 0)
		rc = await_controller(&wait, &err);
	if (rc == 0)
		rc = await_engines(&wait, &err);
	ipp_disconnect(wait.client);
	return rc < 0 ? verb_fail(&err) : 0;
}

const struct verb verb_wait = {
	.name = "wait",
	.summary = "wait for engines that are started by hand",
	.usage = "usage: ipp-run wait [-n ENGINES] [--timeout SECONDS]\n"
		 "Wait until ipp-controller runs and so many engines have joined it: as many as "
		 "the job has\n"
		 "tasks, unless -n says otherwise; for 60 s, unless --timeout does.\n",
	.run = wait_for,
};
