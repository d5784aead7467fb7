/* engine/progress.h - the page by which an engine knows which task its worker is at.
 *
 * The worker writes all but the last of it.  What the engine reads is exact once the worker is
 * dead; while it lives, progress_read() says whether the worker was not writing just then. */
#ifndef IPP_ENGINE_PROGRESS_H
#define IPP_ENGINE_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#define PROGRESS_FD 4	 /* in the worker: a memfd of this size */
#define WORKER_LINK_FD 3 /* in the worker: its end of the link */

#define PROGRESS_CANCELLED_MAX 8

struct progress {
	uint64_t request, index; /* the task that runs */
	int64_t started_us;	 /* CLOCK_REALTIME */
	int64_t start_us;	 /* the same in CLOCK_MONOTONIC */
	uint64_t running;	 /* 0: none */
	uint64_t turn;		 /* odd while another task is written in */

	/* The engine writes: requests that were cancelled, of whose tasks none is to be begun; the
	 * worker waits for its end then. */
	uint64_t cancelled[PROGRESS_CANCELLED_MAX];
	uint64_t n_cancelled;
};

static inline void progress_begin(struct progress *progress, uint64_t request, uint64_t index,
				  int64_t started_us, int64_t start_us)
{
	__atomic_add_fetch(&progress->turn, 1, __ATOMIC_SEQ_CST);
	progress->request = request;
	progress->index = index;
	progress->started_us = started_us;
	progress->start_us = start_us;
	progress->running = 1;
	__atomic_add_fetch(&progress->turn, 1, __ATOMIC_SEQ_CST);
}

/* False when the worker was about to begin another task. */
static inline bool progress_read(const struct progress *progress, struct progress *out)
{
	const uint64_t turn = __atomic_load_n(&progress->turn, __ATOMIC_SEQ_CST);

	*out = *progress;
	return turn % 2 == 0 && __atomic_load_n(&progress->turn, __ATOMIC_SEQ_CST) == turn;
}

/* False when there is no place for it. */
static inline bool progress_cancel(struct progress *progress, uint64_t request)
{
	const uint64_t n = progress->n_cancelled;

	if (n >= PROGRESS_CANCELLED_MAX)
		return false;
	progress->cancelled[n] = request;
	__atomic_store_n(&progress->n_cancelled, n + 1, __ATOMIC_SEQ_CST);
	return true;
}

static inline bool progress_is_cancelled(const struct progress *progress, uint64_t request)
{
	const uint64_t n = __atomic_load_n(&progress->n_cancelled, __ATOMIC_SEQ_CST);

	for (uint64_t i = 0; i < n && i < PROGRESS_CANCELLED_MAX; i++)
		if (progress->cancelled[i] == request)
			return true;
	return false;
}

#endif
