/* engine/progress.h - the page by which an engine knows which task its worker is at.
 *
 * The worker writes all but the last of it.  What the engine reads is exact once the worker is
 * dead; while it lives, progress_read() says whether the worker was not writing just then. */
#ifndef IPP_ENGINE_PROGRESS_H
#define IPP_ENGINE_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/outbox.h"
#include "engine/outlet.h"

/* In the worker: its end of the link, a memfd of struct worker_page, and the ends of outlets. */
enum { WORKER_LINK_FD = 3, WORKER_PAGE_FD, WORKER_OUTLETS_FD };
#define N_WORKER_FDS (2 + 2 * N_OUTLETS)

struct progress {
	uint64_t request, index; /* the task that runs */
	int64_t started_us;	 /* CLOCK_REALTIME */
	int64_t start_us;	 /* the same in CLOCK_MONOTONIC */
	uint64_t running;	 /* 0: none */
	uint64_t turn;		 /* odd while another task is written in */
	uint64_t severed;	 /* it ends because a task closed its descriptors */

	/* The engine writes: */
	uint64_t held;	  /* not 0 while no task is to be begun */
	uint64_t careful; /* not 0: tell each result at once, and whether its task closed ours */
};

/* All that worker and engine share; or the first of it alone, where `ulimit -f` leaves no room for
 * more: what lies in memory counts, too. */
struct worker_page {
	struct progress progress;
	struct outlet_tail tails[N_OUTLETS];
	struct outbox outbox;
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

/* The worker looks once it has said which task it begins, the engine reads that once it has said
 * that none is to be begun: so either sees what the other did. */
static inline void progress_hold(struct progress *progress, bool held)
{
	__atomic_store_n(&progress->held, held, __ATOMIC_SEQ_CST);
}

static inline bool progress_is_held(const struct progress *progress)
{
	return __atomic_load_n(&progress->held, __ATOMIC_SEQ_CST) != 0;
}

#endif
