/* hostile_submit - submit a batch job as no sbatch would: what the kernel or sbatch would refuse on
 * a command line goes straight to slurmctld.  hostile_submit BYTES: an environment whose variables
 * of the plugin have values that long, and entries that are none. */
#include <slurm/slurm.h>
#include <slurm/slurm_errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static char *filled(const char *begin, size_t bytes)
{
	const size_t used = strlen(begin);
	char *text = calloc(1, used + bytes + 1);

	if (!text)
		abort();
	memcpy(text, begin, used);
	for (size_t i = 0; i < bytes; i++)
		text[used + i] = "%n\xff\n4"[i % 5];
	return text;
}

int main(int argc, char **argv)
{
	const size_t bytes = argc > 1 ? strtoul(argv[1], NULL, 10) : 0;
	char *environment[] = {
		filled("SLURM_SPANK__SLURM_SPANK_OPTION_ipp_ipp_engines=", bytes),
		filled("SLURM_SPANK__SLURM_SPANK_OPTION_ipp_ipp_timeout=", bytes),
		filled("SLURM_SPANK__SLURM_SPANK_OPTION_ipp_ipp_interface=", bytes),
		filled("SLURM_SPANK__SLURM_SPANK_OPTION_ipp_", bytes),
		filled("SLURM_IPP_SET=SLURM_MPI_TYPE", bytes),
		filled("IPP_LAUNCH_MODE=", bytes),
		filled("NO_EQUALS_SIGN", bytes),
		(char *)"=",
		(char *)"PATH=/usr/bin:/bin",
	};
	char *job_argv[] = {filled("", bytes), filled("a", bytes)};
	submit_response_msg_t *response = NULL;
	job_desc_msg_t job;

	slurm_init_job_desc_msg(&job);
	job.name = (char *)"hostile";
	job.script = (char *)"#!/bin/sh\ntrue\n";
	job.work_dir = (char *)"/tmp";
	job.user_id = getuid();
	job.group_id = getgid();
	job.min_nodes = 1;
	job.environment = environment;
	job.env_size = sizeof(environment) / sizeof(environment[0]);
	job.argv = job_argv;
	job.argc = 2;
	if (slurm_submit_batch_job(&job, &response) != SLURM_SUCCESS) {
		slurm_perror("hostile_submit");
		return 1;
	}
	printf("%u\n", response->job_id);
	return 0;
}
