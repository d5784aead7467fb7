/* launcher/report.h - how the helper step tells the launcher of a batch script that all is ready.
 *
 * The script's launcher listens on an abstract socket of this node; rank 0 of the step connects.
 * What is written there is what a controller writes on its ready_fd, and the controller does. */
#ifndef IPP_LAUNCHER_REPORT_H
#define IPP_LAUNCHER_REPORT_H

struct ipp_error;

/* Connect to the launcher that listens on `name`.  Returns the descriptor (gives), and in
 * *owner_fd a pidfd (gives) of the process that will be the script; or -errno. */
int report_connect(const char *name, int *owner_fd, struct ipp_error *err);

/* Tell it that there will be no cluster, and why. */
void report_error(int fd, const char *why);

/* Wait on `listener` for rank 0 of the step, which the process behind `pidfd` starts.
 * Returns the descriptor (gives); -ETIMEDOUT, or -EPIPE when that process has ended. */
int report_accept(int listener, int pidfd, long long deadline_ms, struct ipp_error *err);

#endif
