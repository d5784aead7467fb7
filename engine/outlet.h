/* engine/outlet.h - what a worker's children write stdout or stderr to: a pipe.
 *
 * Its engine has an end of it as well, and the end of what the worker has read from it: so the last
 * words of a command are there when its worker is not.  Thread: main. */
#ifndef IPP_ENGINE_OUTLET_H
#define IPP_ENGINE_OUTLET_H

#include <stdint.h>

struct evbuffer;

#define OUTLET_TAIL_BYTES (64 << 10)

/* In memory that worker and engine share; the worker writes.  It reads from the pipe right into
 * `last`, and may be killed as soon as what it read is no longer there: up to `coming` it then lies
 * in `last`, unless the mark that was there before it still does. */
struct outlet_tail {
	uint64_t in_use; /* 0: no task writes there just now */
	uint64_t bytes;	 /* that were read of this task */
	uint64_t coming; /* as many there will be when what is being read is */
	uint64_t moved;	 /* not 0: the worker has another pipe than its engine */
	uint8_t last[OUTLET_TAIL_BYTES];
};

struct outlet {
	int ends[2];		  /* to read from, which does not block, and to write to; or -1 */
	struct outlet_tail *tail; /* NULL: nobody wants to know */
};

/* Those of a worker: of what a task runs, and of the shell that stays. */
enum { OUTLET_OUT, OUTLET_ERR, OUTLET_SHELL_OUT, OUTLET_SHELL_ERR, N_OUTLETS };
extern struct outlet outlets[N_OUTLETS];

/* A pipe, unless there is one, as new.  0 or errno. */
int outlet_open(struct outlet *outlet);
void outlet_close(struct outlet *outlet);

/* The same in a worker, as somebody else may still write there: what comes of that is no task's. */
void outlet_leave(struct outlet *outlet);

/* A task writes there from now on; now it does no more. */
void outlet_begin(struct outlet *outlet);
void outlet_end(struct outlet *outlet);

/* Add what is there at this moment to `into`. */
void outlet_read(struct outlet *outlet, struct evbuffer *into);

/* For the engine, once the worker and its children are dead: add what a task wrote there last, if
 * it died of one; once. */
void outlet_take_last(const struct outlet *outlet, struct evbuffer *into);

#endif
