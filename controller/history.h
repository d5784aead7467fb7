/* controller/history.h - requests that have ended, for those who ask later.
 *
 * Bounded: the last HISTORY_MAX that kept no results, and as many that did; then how the last
 * HISTORY_STATES_MAX before them ended, for requests that are to run after one of them.  Of each of
 * the former some 0.8 kB are kept, and a label of REQUEST_LABEL_MAX bytes at most; of the latter 16
 * bytes: 4 MB in all, besides the results.
 * Thread: loop thread only. */
#ifndef IPP_CONTROLLER_HISTORY_H
#define IPP_CONTROLLER_HISTORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "controller/request_index.h"

struct request;
struct old_state;

#define HISTORY_MAX 1000
#define HISTORY_STATES_MAX 100000

struct history_queue {
	struct request *oldest, **last;
	size_t n;
};

struct history {
	struct history_queue plain, keeping;
	struct request_index index; /* of those two */
	struct old_state *states;   /* a ring; NULL: none yet */
	uint64_t n_states;	    /* there ever were */
};

void history_init(struct history *history);
void history_fini(struct history *history);

/* Takes a request that was retired; the oldest may be forgotten for it, but for how it ended. */
void history_add(struct history *history, struct request *request);

struct request *history_find(const struct history *history, uint64_t id); /* NULL: not there */

/* How one ended (an enum request_state) that is there no more; false when even that was forgotten.
 */
bool history_recall(const struct history *history, uint64_t id, unsigned *state);

/* Free it, and the results it kept. */
void history_forget(struct history *history, struct request *request);

#endif
