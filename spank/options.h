/* spank/options.h - what the user asked for: --ipp-engines[=N], --ipp-timeout, --ipp-interface.
 *
 * Registered in every context, for sbatch and salloc know no other way.  A bad value is refused
 * where it is typed, before anything is allocated; on a node it is never refused, for a failure
 * there would drain the node. */
#ifndef IPP_SPANK_OPTIONS_H
#define IPP_SPANK_OPTIONS_H

#include <net/if.h>
#include <slurm/spank.h>
#include <stdbool.h>

struct options {
	bool asked;		     /* --ipp-engines was given */
	unsigned n_engines;	     /* 0: one per task */
	unsigned timeout_s;	     /* 0: not given */
	char interface[IF_NAMESIZE]; /* "": not given */
};

/* Register them with Slurm; slurm_spank_init only.  An option that Slurm does not take is logged.
 *   asked  called each time --ipp-engines is accepted where it was typed; its failure refuses it */
void options_register(spank_t spank, int (*asked)(void));

/* What was given so far (borrows). */
const struct options *options_given(void);

/* sbatch hands its options to every srun in the script by variables.  Take them away; or, in the
 * batch step itself, take the options from them: with --export=NONE (22.05) Slurm does not. */
void options_forget_variables(spank_t spank);
void options_read_variables(spank_t spank);

/* A whole number from 1 to `most`.  Returns 0 when it is none. */
unsigned options_number(const char *text, unsigned most);

#endif
