#include "launcher/settings.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "launcher/clock.h"
#include "proto/error.h"

#define TIMEOUT_DEFAULT_S 60

static const char *const mode_names[] = {
	[LAUNCH_STEP] = "step",
	[LAUNCH_BATCH] = "batch",
	[LAUNCH_HELPER] = "helper",
};

static bool read_mode(enum launch_mode *mode)
{
	const char *name = getenv("IPP_LAUNCH_MODE");

	for (int i = LAUNCH_STEP; name && i <= LAUNCH_HELPER; i++) {
		if (strcmp(name, mode_names[i]) == 0) {
			*mode = (enum launch_mode)i;
			return true;
		}
	}
	return false;
}

static unsigned number(const char *name, unsigned otherwise)
{
	const char *text = getenv(name);

	return text ? (unsigned)strtoul(text, NULL, 10) : otherwise;
}

static const char *text_or(const char *name, const char *otherwise)
{
	const char *text = getenv(name);

	return text && *text ? text : otherwise;
}

/* Slurm gives each command as argv, the plugin puts us in front or in the place of argv[0]. */
static void read_command(struct settings *out, char **argv)
{
	out->command = getenv("IPP_LAUNCH_COMMAND");
	out->argv = out->command ? argv : argv + 1;
	if (!out->command)
		out->command = argv[1];
}

int settings_read(struct settings *out, char **argv, struct ipp_error *err)
{
	const char *deadline = getenv("IPP_LAUNCH_DEADLINE");
	unsigned low, high;

	*out = (struct settings){0};
	if (!read_mode(&out->mode))
		return ipp_fail(err, EINVAL,
				"ipp-launch is started by Slurm's plugin: type srun --ipp-engines "
				"COMMAND, or ipp-run for engines on this machine");
	if (out->mode != LAUNCH_HELPER)
		read_command(out, argv);
	out->n_engines = number("IPP_LAUNCH_ENGINES", 0);
	out->timeout_ms = number("IPP_LAUNCH_TIMEOUT", TIMEOUT_DEFAULT_S) * 1000;
	out->deadline_ms = deadline ? strtoll(deadline, NULL, 10) : clock_ms() + out->timeout_ms;
	out->interface = text_or("IPP_LAUNCH_INTERFACE", NULL);
	if (sscanf(text_or("IPP_LAUNCH_PORTS", ""), "%u-%u", &low, &high) == 2)
		out->ports = (struct port_range){(uint16_t)low, (uint16_t)high};
	out->job = text_or("SLURM_JOB_ID", "0");
	out->host = text_or("SLURMD_NODENAME", "localhost");
	out->rank = number("SLURM_PROCID", 0);
	out->n_tasks = number("SLURM_STEP_NUM_TASKS", 1);
	out->life_fd = (int)number("IPP_LAUNCH_LIFE", 0);
	if (out->life_fd == 0)
		out->life_fd = -1;
	out->report = getenv("IPP_LAUNCH_REPORT");
	out->unix_name = getenv("IPP_LAUNCH_UNIX");
	if (out->mode == LAUNCH_HELPER ? !out->report || !out->unix_name : !out->command)
		return ipp_fail(err, EINVAL,
				"ipp-launch was not told what to start; is the same "
				"version of slurm-ipp on all nodes?");
	return 0;
}
