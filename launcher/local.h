/* launcher/local.h - a cluster on this machine alone: one controller, N guards with their engines,
 * no Slurm, no PMIx, no TCP. */
#ifndef IPP_LAUNCHER_LOCAL_H
#define IPP_LAUNCHER_LOCAL_H

#include "proto/connection.h"

struct ipp_error;

/* Give a new cluster its name and a socket that listens under it: who connects before there is a
 * controller waits for it.
 *   out  filled when it returns a descriptor; connection_fini()
 * Returns the socket (gives), or -errno. */
int local_name(struct connection *out, struct ipp_error *err);

/* Start it and wait until its engines are ready.
 *   unix_fd      what local_name() gave (takes, whatever it returns)
 *   timeout_ms   for all engines to be ready
 *   owner_pidfd  borrowed; the cluster ends when this process ends; -1: it outlives us
 * Returns 0, or -errno with everything that was started on its way to its end, as it is when we end
 * before that. */
int local_start(const struct connection *connection, int unix_fd, unsigned n_engines,
		unsigned timeout_ms, int owner_pidfd, struct ipp_error *err);

/* CPUs that we may use: how many engines suit this machine. */
unsigned local_cpus(void);

#endif
