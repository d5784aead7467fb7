/* engine/progress.h - the page by which an engine knows which task its worker is at.
 *
 * The worker writes, the engine reads once the worker is dead, so that no lock is needed. */
#ifndef IPP_ENGINE_PROGRESS_H
#define IPP_ENGINE_PROGRESS_H

#include <stdint.h>

#define PROGRESS_FD 4	 /* in the worker: a memfd of this size */
#define WORKER_LINK_FD 3 /* in the worker: its end of the link */

struct progress {
	uint64_t request, index; /* the task that runs */
	int64_t started_us;	 /* CLOCK_REALTIME */
	uint64_t running;	 /* 0: none */
};

#endif
