/* engine/stray.h - signals that a worker gets because all processes of its step do (scancel -s,
 * sbatch --signal).
 *
 * They do not end a worker, so that functions run on; a command that they killed was killed by no
 * fault of its own.  Thread: the worker's only one. */
#ifndef IPP_ENGINE_STRAY_H
#define IPP_ENGINE_STRAY_H

#include <stdbool.h>

/* From now on HUP, INT, QUIT, TERM, USR1 and USR2 are noted and do nothing else; commands have them
 * as usual. */
void stray_watch(void);

void stray_forget(void); /* those that came */

/* Whether this process got signal `number` since stray_forget(), or gets it within 50 ms: whoever
 * sends it to a whole step takes one process after the other. */
bool stray_came(int number);

#endif
