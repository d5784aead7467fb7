/* launcher/slurm.h - what only Slurm knows.  Thread: any. */
#ifndef IPP_LAUNCHER_SLURM_H
#define IPP_LAUNCHER_SLURM_H

#include <sys/socket.h>

/* The address by which Slurm reaches `node`: slurmctld's, else what its name resolves to.
 * 0 or -ENOENT, after two seconds at most. */
int slurm_node_address(struct sockaddr_storage *out, const char *node);

/* First host of a list such as "n[1-4,7]" (gives; free()).  NULL when it is empty. */
char *slurm_first_host(const char *list);

/* Write "END KILLWAIT\n" on `fd`: when `job` ends at the latest by what slurmctld knows at the
 * moment (CLOCK_REALTIME seconds), and how many seconds it gives a job between SIGTERM and SIGKILL.
 * 0 or -EIO.  The process may end instead of it: by libslurm where there is no slurm.conf, by
 * SIGALRM after five seconds. */
int slurm_tell_end(const char *job, int fd);

#endif
