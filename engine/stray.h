/* engine/stray.h - signals that a worker gets because all processes of its step do (scancel -s,
 * sbatch --signal).
 *
 * They do not end a worker, so that functions run on; a command that they killed was killed by no
 * fault of its own.  Thread: the worker's only one. */
#ifndef IPP_ENGINE_STRAY_H
#define IPP_ENGINE_STRAY_H

#include <stdbool.h>

/* From now on all that others can send us (proto/bystander.h) are noted and do nothing else.  What
 * this process sends itself, or gets for its limits and timers, does what it always does, and so
 * does all in what fork() makes of it, and in commands. */
void stray_watch(void);

void stray_forget(void); /* those that came */

/* Whether this process got signal `number` since stray_forget(), or gets it within 50 ms: whoever
 * sends it to a whole step takes one process after the other. */
bool stray_came(int number);

#endif
