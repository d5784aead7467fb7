#include "launcher/batch.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "launcher/clock.h"
#include "launcher/command.h"
#include "launcher/environment.h"
#include "launcher/program.h"
#include "launcher/report.h"
#include "launcher/settings.h"
#include "launcher/slurm.h"
#include "launcher/start.h"
#include "proto/connection.h"
#include "proto/error.h"
#include "proto/unix_socket.h"

#define NUMBER_BYTES 24
/* Rank 0 and the controller name who is missing at the deadline: let them speak first. */
#define STEP_FIRST_MS 5000
#define LAST_WORDS_MS 2000

/* What the user said to other steps, and would bend this one.  The options given to srun below
 * overrule the rest. */
static const char *const bends_srun[] = {
	"SLURM_CPU_BIND*",  "SLURM_MEM_BIND*",	 "SLURM_HOSTFILE",    "SLURM_EXPORT_ENV",
	"SLURM_LABELIO",    "SLURM_STDINMODE",	 "SLURM_STDOUTMODE",  "SLURM_STDERRMODE",
	"SLURM_WAIT",	    "SLURM_EXACT",	 "SLURM_EXCLUSIVE",   "SLURM_IMMEDIATE",
	"SLURM_MULTI_PROG", "SLURM_WORKING_DIR", "SLURM_CONTAINER",   "SLURM_PROLOG",
	"SLURM_EPILOG",	    "SLURM_TASK_PROLOG", "SLURM_TASK_EPILOG", NULL,
};

struct names {
	char report[CONNECTION_NAME_BYTES];  /* where we listen */
	char cluster[CONNECTION_NAME_BYTES]; /* where the controller will */
};

static int refuse_what_cannot_work(const struct settings *settings, struct ipp_error *err)
{
	const char *list = getenv("SLURM_JOB_NODELIST");
	char *first = list ? slurm_first_host(list) : NULL;
	int rc = 0;

	if (getenv("SLURM_HET_SIZE"))
		rc = ipp_fail(
			err, ENOTSUP,
			"sbatch --ipp-engines does not work for a heterogeneous job; use srun "
			"--ipp-engines in its script");
	else if (first && strcmp(first, settings->host) != 0)
		rc = ipp_fail(
			err, ENOTSUP,
			"the batch script runs on %s, but the engines' controller would be on the "
			"job's first node, %s; leave out --batch, or use srun --ipp-engines in the "
			"script",
			settings->host, first);
	free(first);
	return rc;
}

static void set_environment_of_srun(const struct settings *settings, const struct names *names)
{
	const char *cpus = getenv("SLURM_CPUS_PER_TASK");
	char number[NUMBER_BYTES];

	environment_scrub(bends_srun);
	/* Since Slurm 22.05 srun does not take it from the job any more. */
	if (cpus)
		setenv("SRUN_CPUS_PER_TASK", cpus, 0);
	/* Engines, timeout, interface and ports are there already, from the plugin. */
	unsetenv("IPP_LAUNCH_COMMAND");
	unsetenv("IPP_LAUNCH_LIFE"); /* srun itself holds it; its tasks do not */
	setenv("IPP_LAUNCH_MODE", "helper", 1);
	setenv("IPP_LAUNCH_REPORT", names->report, 1);
	setenv("IPP_LAUNCH_UNIX", names->cluster, 1);
	snprintf(number, sizeof(number), "%lld", settings->deadline_ms);
	setenv("IPP_LAUNCH_DEADLINE", number, 1);
}

/* Returns a pidfd of srun (gives) or -errno. */
static int start_step(const struct settings *settings, const struct names *names,
		      struct ipp_error *err)
{
	static const char *const options[] = {
		"--overlap",
		"--no-kill",
		"--kill-on-bad-exit=0",
		"--export=ALL",
		"--input=none",
		"--distribution=block",
		"--job-name=ipp-engines",
		"--mpi=pmix",
		"--wait=0",
		"--quiet",
	};
	const size_t n = sizeof(options) / sizeof(options[0]);
	char srun[PATH_MAX], self[PATH_MAX];
	char *argv[sizeof(options) / sizeof(options[0]) + 3] = {srun};
	char **environment;
	int rc = program_path(self, "ipp-launch", err);

	if (rc == 0)
		rc = command_find(srun, "srun", err);
	if (rc < 0)
		return rc;
	for (size_t i = 0; i < n; i++)
		argv[i + 1] = (char *)options[i];
	argv[n + 1] = self;
	environment = environment_copy();
	if (!environment)
		return ipp_fail(err, ENOMEM, "cannot start the engines' step: %m");
	set_environment_of_srun(settings, names);
	rc = program_start(argv, environ, NULL, 0, err);
	environ = environment;
	return rc;
}

static int bring_up(const struct settings *settings, const struct names *names,
		    struct ipp_error *err)
{
	const int listener = unix_listen(names->report, err);
	int srun = -1, report = -1;
	int rc = listener;

	if (rc >= 0)
		rc = srun = start_step(settings, names, err);
	if (rc >= 0)
		rc = report = report_accept(listener, srun, settings->deadline_ms + STEP_FIRST_MS,
					    err);
	if (rc >= 0)
		rc = controller_wait(
			report, (unsigned)clock_left_ms(settings->deadline_ms) + 2 * STEP_FIRST_MS,
			err);
	/* Its message is the reason of ours: let srun pass it on. */
	if (rc == -EPIPE)
		poll(&(struct pollfd){.fd = srun, .events = POLLIN}, 1, LAST_WORDS_MS);
	for (int i = 0; i < 3; i++) {
		const int fd = ((const int[]){listener, srun, report})[i];

		if (fd >= 0)
			close(fd);
	}
	return rc;
}

int batch_run(const struct settings *settings)
{
	char connect[CONNECTION_NAME_BYTES + sizeof("unix:@")];
	struct ipp_error err = {0};
	struct names names;
	int rc = refuse_what_cannot_work(settings, &err);

	program_hand_on(settings->life_fd);
	connection_name(names.report, settings->job);
	connection_name(names.cluster, settings->job);
	if (rc == 0)
		rc = bring_up(settings, &names, &err);
	if (rc < 0) {
		fprintf(stderr, "ipp: %s\n", err.text);
		return EXIT_OURS;
	}
	environment_scrub(environment_of_launcher);
	snprintf(connect, sizeof(connect), "unix:@%s", names.cluster);
	setenv("IPP_CONNECT", connect, 1);
	settings->argv[0] = (char *)settings->command;
	rc = command_become(settings->command, settings->argv, environ, &err);
	fprintf(stderr, "ipp: %s\n", err.text);
	return command_exit_code(rc);
}
