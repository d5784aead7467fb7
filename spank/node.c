#include "spank/node.h"

#include <errno.h>
#include <slurm/slurm.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "spank/arguments.h"
#include "spank/life.h"
#include "spank/options.h"
#include "spank/srun.h"

#define EXIT_OURS 125
#define NUMBER_BYTES 16

/* The first task of each node speaks for all of them. */
static void __attribute__((noreturn)) give_up(spank_t spank, const char *who, const char *why)
{
	char host[256] = "this node";
	int task = 0;

	gethostname(host, sizeof(host) - 1);
	spank_get_item(spank, S_TASK_ID, &task);
	if (task == 0)
		dprintf(STDERR_FILENO, "ipp: %s on %s: %s\n", who, host, why);
	_exit(EXIT_OURS);
}

static void set(spank_t spank, const char *name, const char *value)
{
	if (value[0])
		spank_setenv(spank, name, value, 1);
}

static void set_number(spank_t spank, const char *name, unsigned value)
{
	char text[NUMBER_BYTES];

	snprintf(text, sizeof(text), "%u", value);
	if (value)
		spank_setenv(spank, name, text, 1);
}

/* Take away what srun set for itself when it was started anew. */
static void forget_srun(spank_t spank)
{
	char value[64];

	if (spank_getenv(spank, SRUN_SET_VARIABLE, value, sizeof(value)) == ESPANK_SUCCESS &&
	    strstr(value, "SLURM_MPI_TYPE"))
		spank_unsetenv(spank, "SLURM_MPI_TYPE");
	spank_unsetenv(spank, SRUN_SET_VARIABLE);
}

static void put_in_front(spank_t spank, const char *launcher)
{
#if SLURM_VERSION_NUMBER >= SLURM_VERSION_NUM(23, 11, 0)
	const char *front[] = {launcher};

	if (spank_prepend_task_argv(spank, 1, front) == ESPANK_SUCCESS)
		return;
#else
	char **argv = NULL;
	int argc = 0;

	/* The very array that Slurm is about to exec. */
	if (spank_get_item(spank, S_JOB_ARGV, &argc, &argv) == ESPANK_SUCCESS && argc > 0) {
		spank_setenv(spank, "IPP_LAUNCH_COMMAND", argv[0], 1);
		argv[0] = (char *)launcher;
		return;
	}
#endif
	give_up(spank, "spank_ipp.so", "Slurm does not say which command it is about to run");
}

static void set_all(spank_t spank, const char *mode, const struct options *options,
		    const struct arguments *arguments)
{
	set(spank, "IPP_LAUNCH_MODE", mode);
	set(spank, "IPP_LAUNCH_INTERFACE",
	    options->interface[0] ? options->interface : arguments->interface);
	set(spank, "IPP_LAUNCH_PORTS", arguments->ports);
	set_number(spank, "IPP_LAUNCH_ENGINES", options->n_engines);
	set_number(spank, "IPP_LAUNCH_TIMEOUT",
		   options->timeout_s ? options->timeout_s : arguments->timeout_s);
}

static bool is_step(spank_t spank)
{
	uint32_t step = 0;

	return spank_get_item(spank, S_JOB_STEPID, &step) == ESPANK_SUCCESS &&
	       step <= SLURM_MAX_NORMAL_STEP_ID;
}

static bool is_batch(spank_t spank)
{
	uint32_t step = 0;

	return spank_get_item(spank, S_JOB_STEPID, &step) == ESPANK_SUCCESS &&
	       step == SLURM_BATCH_SCRIPT;
}

static bool is_rank_0(spank_t spank)
{
	uint32_t rank = 1;

	return spank_get_item(spank, S_TASK_GLOBAL_ID, &rank) == ESPANK_SUCCESS && rank == 0;
}

void node_begin_step(spank_t spank)
{
	if (is_batch(spank) && !options_given()->asked)
		options_read_variables(spank);
	if (options_given()->asked && (is_step(spank) || is_batch(spank)))
		life_begin();
}

void node_end_task(spank_t spank)
{
	if (options_given()->asked && (is_batch(spank) || is_rank_0(spank)))
		life_wait();
}

void node_prepare_task(spank_t spank, const struct arguments *arguments)
{
	static char launcher[PATH_MAX + sizeof("/ipp-launch")];
	const struct options *options = options_given();
	const bool batch = is_batch(spank);
	int life;

	if (!options->asked || (!batch && !is_step(spank)))
		return;
	options_forget_variables(spank);
	forget_srun(spank);
	if (arguments->trouble[0])
		give_up(spank, "spank_ipp.so", arguments->trouble);
	snprintf(launcher, sizeof(launcher), "%s/ipp-launch", arguments->libexec);
	if (access(launcher, X_OK) < 0) {
		char why[PATH_MAX + 256];

		snprintf(why, sizeof(why),
			 "cannot run %s: %s; install slurm-ipp on every node, or set libexec= in "
			 "plugstack.conf",
			 launcher, strerror(errno));
		give_up(spank, "--ipp-engines", why);
	}
	if ((batch || is_rank_0(spank)) && (life = life_hand_on()) >= 0)
		set_number(spank, "IPP_LAUNCH_LIFE", (unsigned)life);
	set_all(spank, batch ? "batch" : "step", options, arguments);
	put_in_front(spank, launcher);
}
