/* engine/oom.h - whether the kernel killed for want of memory.
 *
 * It tells nobody why a process got its SIGKILL, but counts such kills for each control group, and
 * Slurm gives a step one of its own on each node.  Thread: main. */
#ifndef IPP_ENGINE_OOM_H
#define IPP_ENGINE_OOM_H

#include <stdbool.h>

#define OOM_TEXT "; out of memory: the kernel's OOM killer was at work"

void oom_mark(void); /* from now on */

/* Whether it has killed since then in our control group, or on this machine where that is not to be
 * seen; false where nothing is. */
bool oom_struck(void);

#endif
