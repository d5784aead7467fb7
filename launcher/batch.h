/* launcher/batch.h - in front of a batch script. */
#ifndef IPP_LAUNCHER_BATCH_H
#define IPP_LAUNCHER_BATCH_H

struct settings;

/* Start a step of engines beside the script, wait until they are ready, become the script.
 * Returns, with the exit code, only when that fails. */
int batch_run(const struct settings *settings);

#endif
