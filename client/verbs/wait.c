#include <errno.h>
#include <getopt.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
#include <unistd.h>

#include "client/verb.h"

#define TIMEOUT_MS 60000
#define ENGINES_MAX 65536
#define LOOK_AGAIN_MS 20

struct wait {
	uint64_t n_engines;
	uint32_t timeout_ms;
	double until_s; /* verb_seconds() */
	struct ipp_client *client;
};

static bool nap(const struct wait *wait)
{
	const struct timespec nap = {.tv_nsec = LOOK_AGAIN_MS * 1000000L};

	nanosleep(&nap, NULL);
	return verb_seconds() < wait->until_s;
}

/* The controller may be started after us: until then there is no file that names it. */
static int await_controller(struct wait *wait, struct ipp_error *err)
{
	const struct ipp_connect options = {.timeout_ms = wait->timeout_ms};
	int rc;

	do
		rc = ipp_connect(&wait->client, &options, err);
	while (rc == -ENOENT && nap(wait));
	if (rc == -ENOENT)
		ipp_fail(err, ENOENT,
			 "no controller after %g s; start ipp-controller in this job, on this node",
			 wait->timeout_ms / 1000.0);
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
		"%zu of %llu engines after %g s; missing engine %u%s; those of ipp-run start and "
		"--ipp-engines are as many as were asked for then, and of those started by hand "
		"see what ipp-engine says, and whether its step still runs: squeue -s",
		n, (unsigned long long)wait->n_engines, wait->timeout_ms / 1000.0, missing,
		n + 1 < wait->n_engines ? " and others" : "");
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

/* ---- requests ---- */

static struct ipp_client *interruptible;
static volatile sig_atomic_t timed_out;

static void alarm_handler(int number)
{
	(void)number;
	timed_out = 1;
	ipp_interrupt(interruptible);
}

/* Wait for each to end.  An exit code: tasks that failed, or that one ended without all of them. */
static int await_requests(const uint64_t *ids, int n, uint32_t timeout_ms)
{
	const struct ipp_connect nowhere = {.local_engines = 0};
	const struct ipp_result none = {0};
	const struct ipp_fetch only_the_end = {0};
	const struct itimerval limit = {
		.it_value = {.tv_sec = timeout_ms / 1000, .tv_usec = timeout_ms % 1000 * 1000}};
	struct sigaction action = {.sa_handler = alarm_handler};
	struct ipp_client *client = NULL;
	uint64_t n_failed = 0;
	struct ipp_error err;
	int code, worst = 0;
	int rc = ipp_connect(&client, &nowhere, &err);

	if (rc < 0)
		return verb_fail(&err);
	interruptible = client;
	sigaction(SIGALRM, &action, NULL);
	setitimer(ITIMER_REAL, &limit, NULL);
	for (int i = 0; i < n && (rc == 0 || rc == -ECANCELED || rc == -ETIME); i++) {
		struct ipp_fetched fetched = {0};

		rc = ipp_fetch(client, ids[i], &only_the_end, &fetched, &err);
		n_failed += fetched.failed;
		if (rc == -EINTR && timed_out)
			ipp_fail(
				&err, ETIMEDOUT,
				"not all requests have ended after %g s; they go on: wait again, or end them with ipp-run cancel",
				timeout_ms / 1000.0);
		code = rc < 0 ? verb_fail(&err) : 0;
		if (worst < code)
			worst = code;
	}
	alarm(0);
	verb_disconnect(client);
	if (timed_out)
		return EXIT_TIMED_OUT;
	return worst ? worst : verb_exit_code(n_failed, &none);
}

static int wait_for_requests(char **words, int n, uint32_t timeout_ms)
{
	uint64_t *ids = calloc((size_t)n, sizeof(*ids));
	struct ipp_error err;
	int code = 0;

	if (!ids) {
		ipp_fail(&err, ENOMEM, "out of memory");
		return verb_fail(&err);
	}
	for (int i = 0; code == 0 && i < n; i++)
		if (verb_request_id(words[i], &ids[i], &err) < 0)
			code = verb_fail(&err);
	if (code == 0)
		code = await_requests(ids, n, timeout_ms);
	free(ids);
	return code;
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
	struct wait wait = {.n_engines = 1, .timeout_ms = TIMEOUT_MS};
	struct ipp_error err;
	bool engines_given = false, timeout_given = false;
	int c, rc = 0;

	if (tasks)
		rc = verb_number("SLURM_NTASKS or SLURM_JOB_NUM_NODES", tasks, 1, ENGINES_MAX,
				 &wait.n_engines, &err);
	while (rc == 0 && (c = getopt_long(argc, argv, "n:", options, NULL)) != -1) {
		engines_given |= c == 'n';
		timeout_given |= c == 't';
		if (c == 'n')
			rc = verb_number("--engines", optarg, 1, ENGINES_MAX, &wait.n_engines,
					 &err);
		else if (c == 't')
			rc = verb_duration("--timeout", optarg, &wait.timeout_ms, &err);
		else
			rc = verb_unknown_option("wait", argc, argv, options, &err);
	}
	if (rc == 0 && optind < argc && engines_given)
		return verb_misuse(&verb_wait,
				   "it waits for engines or for requests, not for both");
	if (rc == 0 && optind < argc)
		return wait_for_requests(argv + optind, argc - optind,
					 timeout_given ? wait.timeout_ms : 0);
	wait.until_s = verb_seconds() + wait.timeout_ms / 1000.0;
	if (rc == 0)
		rc = await_controller(&wait, &err);
	if (rc == 0)
		rc = await_engines(&wait, &err);
	verb_disconnect(wait.client);
	return rc < 0 ? verb_fail(&err) : 0;
}

const struct verb verb_wait = {
	.name = "wait",
	.summary = "wait for requests, or for engines that are started by hand",
	.usage = "usage: ipp-run wait [--timeout SECONDS] ID...\n"
		 "       ipp-run wait [-n|--engines N] [--timeout SECONDS]\n"
		 "With ids, wait until these requests have ended, whosever they are.  The exit "
		 "code is that of a\n"
		 "map: the number of tasks that failed; 124 when --timeout was over first.\n"
		 "Without, wait until ipp-controller runs and so many engines have joined it: as "
		 "many as the job\n"
		 "has tasks, unless -n says otherwise; for 60 s, unless --timeout does.\n",
	.run = wait_for,
};
