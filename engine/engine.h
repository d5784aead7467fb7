/* engine/engine.h - an engine: a link to the controller, variables, and a worker that runs what
 * comes.  The worker may die at any time; the engine then says which task did it, starts another
 * and gives it everything again.
 *
 * Thread: loop thread only. */
#ifndef IPP_ENGINE_ENGINE_H
#define IPP_ENGINE_ENGINE_H

#include <stdbool.h>
#include <stdint.h>

struct connection;
struct event_base;

struct engine_options {
	const struct connection *connection; /* borrows */
	int32_t rank;			     /* -1: the controller gives one */
	bool standby;			     /* wait for the end and run nothing */
	bool again;			     /* another was lost that had its place */
	int timeout_ms;			     /* to reach the controller */
};

/* Run until the cluster ends: an enum engine_exit.  What went wrong was said on stderr. */
int engine_run(struct event_base *base, const struct engine_options *options);

#endif
