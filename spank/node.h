/* spank/node.h - on a node, in a task that is about to run the user's command. */
#ifndef IPP_SPANK_NODE_H
#define IPP_SPANK_NODE_H

#include <slurm/spank.h>

struct arguments;

/* In slurmstepd, before the tasks of a step start and after one of them has ended. */
void node_begin_step(spank_t spank);
void node_end_task(spank_t spank);

/* Where the user asked for engines, put ipp-launch in front of the command of a step's task or of
 * the batch script. Never fails: a failure here would be Slurm's to explain.  What cannot work ends
 * the task alone with one sentence and exit code 125. */
void node_prepare_task(spank_t spank, const struct arguments *arguments);

#endif
