/* controller/loss.h - engines that are lost, and what becomes of what they had.
 *
 * Thread: loop thread only. */
#ifndef IPP_CONTROLLER_LOSS_H
#define IPP_CONTROLLER_LOSS_H

struct engine;

/* It is lost: close its link, give its tasks to others, tell clients why. */
void engine_lose(struct engine *engine, const char *why);

/* The same of one that nothing is heard of: what becomes of the job, if its node is lost. */
void engine_lose_silent(struct engine *engine, const char *why);

/* It is lost for good: what waited for its return fails. */
void engine_give_up(struct engine *engine);

#endif
