/* launcher/step.h - a task of a step whose ranks make up a cluster. */
#ifndef IPP_LAUNCHER_STEP_H
#define IPP_LAUNCHER_STEP_H

struct settings;

/* Wire up and become what this rank is for: rank 0 the user's command (in a helper step a guard),
 * others a guard.  Returns, with the exit code, only when that fails. */
int step_run(const struct settings *settings);

#endif
