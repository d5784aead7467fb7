/* spank/srun.h - in srun: give the step PMIx, keep stdin for the client, refuse what cannot work.
 */
#ifndef IPP_SPANK_SRUN_H
#define IPP_SPANK_SRUN_H

struct arguments;

/* What tells an srun that it was started anew, and later the node which variables are to go. */
#define SRUN_SET_VARIABLE "SLURM_IPP_SET"

/* Before srun reads its options: remember what its environment says. */
void srun_begins(void);

/* Once srun has read all its options, one of which is --ipp-engines, and allocated nothing yet.
 * Starts srun anew, once, with SLURM_MPI_TYPE and SLURM_STDINMODE where the user left them open;
 * ends srun with one sentence where the request cannot be met. */
void srun_options_are_read(const struct arguments *arguments);

#endif
