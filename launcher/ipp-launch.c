/* launcher/ipp-launch.c - stands between Slurm and the user's command: brings up the cluster, then
 * becomes the command.  Controllers, which do not link libslurm, start it to ask when the job ends:
 * ipp-launch --job-end JOB FD. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "launcher/batch.h"
#include "launcher/command.h"
#include "launcher/settings.h"
#include "launcher/slurm.h"
#include "launcher/step.h"
#include "proto/error.h"

int main(int argc, char **argv)
{
	struct settings settings;
	struct ipp_error err = {0};
	int exit_code;

	/* In front of a user's command there is a mode, whatever its words are. */
	if (!getenv("IPP_LAUNCH_MODE") && argc == 4 && strcmp(argv[1], "--job-end") == 0)
		return slurm_tell_end(argv[2], atoi(argv[3])) < 0 ? EXIT_OURS : 0;
	if (settings_read(&settings, argv, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		return EXIT_OURS;
	}
	exit_code = settings.mode == LAUNCH_BATCH ? batch_run(&settings) : step_run(&settings);
	/* What PMIx left running after PMIx_Finalize has nothing to do at our exit. */
	fflush(NULL);
	_exit(exit_code);
}
