/* engine/opened_call.h - the calls that came to a worker and were not closed yet.
 *
 * Thread: the worker's only one. */
#ifndef IPP_ENGINE_OPENED_CALL_H
#define IPP_ENGINE_OPENED_CALL_H

#include <stdbool.h>
#include <stdint.h>

#include "engine/task.h"

struct frame;
struct runtime;
struct variables;

struct opened_call {
	struct opened_call *next;
	Ipp__Call *call;
	struct blob *payload; /* of its arguments */
	bool tried;	      /* to open it */
	struct variables *arguments;
	const struct runtime *runtime; /* NULL: it is not open */
	void *state;
	char error[512]; /* why it could not be opened; tasks fail with it */
};

/* On top of *list, from a CALL frame; false when it is malformed or memory is out. */
bool opened_call_add(struct opened_call **list, const struct frame *frame);

/* That of the request, or NULL. */
struct opened_call *opened_call_find(struct opened_call *list, uint64_t request);

/* Run a task of it; the first one opens it, so that what happens then (a module's constructors run)
 * is put down to a task.  Whatever happens is in *outcome (reset before). */
void opened_call_run(struct opened_call *opened, const struct task *task, struct outcome *outcome);

/* Close that of the request, if it is there, and forget it. */
void opened_call_close(struct opened_call **list, uint64_t request);

#endif
