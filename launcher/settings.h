/* launcher/settings.h - what the plugin, or the launcher of a batch script, asks of this process:
 * environment variables IPP_LAUNCH_*. */
#ifndef IPP_LAUNCHER_SETTINGS_H
#define IPP_LAUNCHER_SETTINGS_H

#include "launcher/listener.h"

struct ipp_error;

enum launch_mode {
	LAUNCH_STEP,   /* a task of srun --ipp-engines */
	LAUNCH_BATCH,  /* the script of sbatch --ipp-engines */
	LAUNCH_HELPER, /* a task of the step that the launcher of a script starts */
};

struct settings { /* borrows from environment and argv: read before a scrub */
	enum launch_mode mode;
	const char *command; /* as Slurm was about to run it; NULL in a helper */
	char **argv;	     /* of the command */
	unsigned n_engines;  /* 0: one per task */
	unsigned timeout_ms;
	long long deadline_ms; /* of our own wait, on this node's CLOCK_MONOTONIC */
	const char *interface; /* NULL: all */
	struct port_range ports;
	const char *job;
	const char *host;	/* this node as Slurm calls it */
	unsigned rank, n_tasks; /* not in a batch script */
	int life_fd;		/* what controller and guard hold while they live; -1: none */
	const char *report;	/* helper: abstract socket of the script's launcher */
	const char *unix_name;	/* helper: what the controller shall listen on */
};

/* Fill *out.  -EINVAL when this was not started by Slurm with our plugin. */
int settings_read(struct settings *out, char **argv, struct ipp_error *err);

#endif
