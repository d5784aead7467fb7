/* spank/plugin.c - what Slurm calls, and which of our files it is for.
 *
 * Lives in root daemons: no sockets, no threads, no PMIx. */
#include <slurm/spank.h>
#include <stddef.h>

#include "spank/allocator.h"
#include "spank/arguments.h"
#include "spank/node.h"
#include "spank/options.h"
#include "spank/srun.h"

SPANK_PLUGIN(ipp, 1)

static struct arguments arguments;

static int asked_of_allocator(void)
{
	return allocator_asked(&arguments);
}

int slurm_spank_init(spank_t spank, int ac, char *argv[])
{
	arguments_read(&arguments, ac, argv);
	switch (spank_context()) {
	case S_CTX_LOCAL:
		srun_begins();
		options_register(spank, NULL);
		break;
	case S_CTX_REMOTE:
		options_register(spank, NULL);
		break;
	case S_CTX_ALLOCATOR:
		options_register(spank, asked_of_allocator);
		break;
	case S_CTX_SLURMD:
		if (arguments.trouble[0])
			slurm_error("ipp: %s", arguments.trouble);
		break;
	default:
		break;
	}
	return 0;
}

int slurm_spank_init_post_opt(spank_t spank, int ac, char *argv[])
{
	(void)spank, (void)ac, (void)argv;
	if (spank_context() == S_CTX_LOCAL && options_given()->asked)
		srun_options_are_read(&arguments);
	return 0;
}

int slurm_spank_user_init(spank_t spank, int ac, char *argv[])
{
	(void)ac, (void)argv;
	node_begin_step(spank);
	return 0;
}

int slurm_spank_task_init(spank_t spank, int ac, char *argv[])
{
	(void)ac, (void)argv;
	node_prepare_task(spank, &arguments);
	return 0;
}

int slurm_spank_task_exit(spank_t spank, int ac, char *argv[])
{
	(void)ac, (void)argv;
	node_end_task(spank);
	return 0;
}
