#include "spank/allocator.h"

#include <errno.h>
#include <slurm/spank.h>
#include <string.h>

#include "spank/arguments.h"

int allocator_asked(const struct arguments *arguments)
{
	/* Slurm has one context for both. */
	if (strcmp(program_invocation_short_name, "salloc") == 0) {
		slurm_error("ipp: salloc starts no engines: type srun --ipp-engines COMMAND inside "
			    "the allocation");
		return -1;
	}
	if (arguments->trouble[0]) {
		slurm_error("ipp: %s", arguments->trouble);
		return -1;
	}
	return 0;
}
