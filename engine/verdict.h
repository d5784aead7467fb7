/* engine/verdict.h - tasks that cost their worker: what is to be reported of each, once its turn in
 * the engine's queue has come.
 *
 * Thread: loop thread only. */
#ifndef IPP_ENGINE_VERDICT_H
#define IPP_ENGINE_VERDICT_H

#include <stddef.h>
#include <stdint.h>

#include "engine/progress.h"
#include "proto/ipp.pb-c.h"

struct blob;
struct health;
struct link;
struct worker_process;

struct verdict {
	struct verdict *next;
	uint64_t request, index;
	int64_t started_us;
	uint64_t elapsed_us;
	Ipp__Outcome outcome;
	int code;
	char text[320];
	struct blob *words; /* the end of what was written to stdout, then stderr; NULL: nothing */
	size_t out_bytes, err_bytes;
};

/* On top of *list, with the last words of the worker (borrowed; NULL: none); NULL when out of
 * memory. */
struct verdict *verdict_add(struct verdict **list, const struct progress *task,
			    const struct worker_process *worker);

/* Of that task, or NULL. */
struct verdict *verdict_find(struct verdict *list, uint64_t request, uint64_t index);

/* The first of the request's tasks from `from` on whose end is known; `to` if that is not before.
 */
uint64_t verdict_next(const struct verdict *list, uint64_t request, uint64_t from, uint64_t to);

void verdict_drop(struct verdict **list, struct verdict *verdict);

/* The worker ended as waitpid() says: how, and for want of memory? */
void verdict_of_status(struct verdict *verdict, int status);

/* Report it, and count it. */
void verdict_send(const struct verdict *verdict, int32_t rank, struct link *link,
		  struct health *health);

#endif
