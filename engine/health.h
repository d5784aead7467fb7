/* engine/health.h - how an engine is: what it has done, how long its worker was busy with it, and
 * the memory that takes.
 *
 * Thread: loop thread only. */
#ifndef IPP_ENGINE_HEALTH_H
#define IPP_ENGINE_HEALTH_H

#include <stdint.h>
#include <sys/types.h>

#include "engine/progress.h"
#include "proto/ipp.pb-c.h"

/* All zero at the beginning. */
struct health {
	uint64_t done, failed; /* tasks */
	uint64_t busy_us;      /* in those */
};

void health_count(struct health *health, const Ipp__Result *result);

/* What to answer a PROBE, the time in the task that runs included.
 *   progress  the worker's      worker_pid  0: there is none      queued  tasks it was given */
void health_describe(const struct health *health, const struct progress *progress, pid_t worker_pid,
		     uint64_t queued, Ipp__Health *out);

#endif
