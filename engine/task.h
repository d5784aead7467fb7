/* engine/task.h - one task as a runtime sees it, and what came of it.
 *
 * Thread: the worker's only one. */
#ifndef IPP_ENGINE_TASK_H
#define IPP_ENGINE_TASK_H

#include <stdarg.h>
#include <stdint.h>

#include "engine/ipp/module.h"
#include "proto/blob.h"
#include "proto/ipp.pb-c.h"

struct evbuffer;
struct ipp_error;
struct variables;

struct task {
	uint64_t index;
	struct ipp_value item; /* IPP_NONE in a direct view */
	const struct variables *variables;
	uint32_t engine;
	/* Set a variable, here and at the engine.  0 or -errno and the reason. */
	int (*store)(void *worker, const char *name, const struct ipp_value *value,
		     struct ipp_error *err);
	/* Send what earlier tasks returned: to be called by one that waits for a process. */
	void (*tell)(void *worker);
	void *worker; /* what both are called with */
};

struct outcome {
	Ipp__Outcome kind;
	int code;
	char error[512];	    /* one sentence; empty when OK */
	struct evbuffer *out, *err; /* what a command wrote; empty at the beginning */
	struct ipp_value value;	    /* the result, which points to what follows */
	char *text;		    /* owned, as these are */
	struct blob *bytes;	    /* of an array */
	uint64_t *shape;
	char dtype[64];
};

/* Set the variables by which a command learns which task it is (IPP_ENGINE, ...): until the next
 * call. */
void task_environment(const struct task *task);

/* Begin with OK and nothing; `out` and `err` are kept and emptied. */
void outcome_reset(struct outcome *outcome);

/* Note a failure, in one sentence; a control character becomes a ?. */
void outcome_fail(struct outcome *outcome, Ipp__Outcome kind, int code, const char *fmt, ...)
	__attribute__((format(printf, 4, 5)));

/* Copy a value in as the result. 0 or -ENOMEM. */
int outcome_return(struct outcome *outcome, const struct ipp_value *value);

#endif
