/* launcher/ipp-launch.c - stands between Slurm and the user's command: brings up the cluster, then
 * becomes the command. */
#include <stdio.h>
#include <unistd.h>

#include "launcher/batch.h"
#include "launcher/command.h"
#include "launcher/settings.h"
#include "launcher/step.h"
#include "proto/error.h"

int main(int argc, char **argv)
{
	struct settings settings;
	struct ipp_error err = {0};
	int exit_code;

	(void)argc;
	if (settings_read(&settings, argv, &err) < 0) {
		fprintf(stderr, "%s\n", err.text);
		return EXIT_OURS;
	}
	exit_code = settings.mode == LAUNCH_BATCH ? batch_run(&settings) : step_run(&settings);
	/* What PMIx left running after PMIx_Finalize has nothing to do at our exit. */
	fflush(NULL);
	_exit(exit_code);
}
