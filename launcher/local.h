/* launcher/local.h - a cluster on this machine alone: one controller, N guards with their engines,
 * no Slurm, no PMIx, no TCP. */
#ifndef IPP_LAUNCHER_LOCAL_H
#define IPP_LAUNCHER_LOCAL_H

#include "proto/connection.h"

struct ipp_error;

/* Start one and wait until its engines are ready.
 *   out          filled when it returns 0; connection_fini()
 *   timeout_ms   for all engines to be ready
 *   owner_pidfd  borrowed; the cluster ends when this process ends; -1: it outlives us
 * Returns 0, or -errno with everything that was started on its way to its end. */
int local_start(struct connection *out, unsigned n_engines, unsigned timeout_ms, int owner_pidfd,
		struct ipp_error *err);

/* CPUs that we may use: how many engines suit this machine. */
unsigned local_cpus(void);

#endif
