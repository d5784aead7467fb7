/* spank/life.h - in slurmstepd: whether the processes beside the user's command still live.
 *
 * slurmstepd kills what a step left behind as soon as its last task on the node has ended, looks at
 * once whether that is gone, and if not looks again a second later.  Controller and engine end by
 * themselves within milliseconds of the command, and the controller has others to say goodbye to.
 * So slurmstepd waits for them, a little: they hold the one end of a pipe, and we the other.  Under
 * a batch script it is the srun of the engines' step that is waited for: killed, it leaves tasks
 * that try for seconds to tell it of their end, and the job stays COMPLETING as long. */
#ifndef IPP_SPANK_LIFE_H
#define IPP_SPANK_LIFE_H

/* In slurmstepd, before it starts the tasks. */
void life_begin(void);

/* In a task: keep the end that is handed on.  Its number, or -1. */
int life_hand_on(void);

/* In slurmstepd, after the user's command has ended: wait until all that was started beside it has
 * ended too, two seconds at most. */
void life_wait(void);

#endif
