/* controller/history.h - requests that have ended, for those who ask later.
 *
 * Bounded: the last HISTORY_MAX that kept no results, and as many that did.
 * Thread: loop thread only. */
#ifndef IPP_CONTROLLER_HISTORY_H
#define IPP_CONTROLLER_HISTORY_H

#include <stddef.h>
#include <stdint.h>

struct request;

#define HISTORY_MAX 1000

struct history_queue {
	struct request *oldest, **last;
	size_t n;
};

struct history {
	struct history_queue plain, keeping;
};

void history_init(struct history *history);
void history_fini(struct history *history);

/* Takes a request that was retired; the oldest may be forgotten for it. */
void history_add(struct history *history, struct request *request);

struct request *history_find(const struct history *history, uint64_t id); /* NULL: not there */

/* Free it, and the results it kept. */
void history_forget(struct history *history, struct request *request);

#endif
