/* controller/variables.h - what was pushed to an engine, so that it gets it back when it was
 * started again.
 *
 * Thread: loop thread only. */
#ifndef IPP_CONTROLLER_VARIABLES_H
#define IPP_CONTROLLER_VARIABLES_H

#include "proto/link.h"

struct engine;

/* Send it `push`, if it is not away, and remember that, in place of an older value of that name.
 *   serial   greater than those of all pushes before      payload  borrowed, may be NULL
 * 0 or -ENOMEM. */
int variables_push(struct engine *engine, const Ipp__Push *push, uint64_t serial,
		   struct blob *payload);

/* It came anew: send it all of them; note_request() is told the request of each. */
void variables_restore(struct engine *engine,
		       void (*note_request)(struct engine *engine, uint64_t request));

/* The payload of a push that is still the variable's value (borrowed), or NULL. */
struct blob *variables_payload(const struct engine *engine, uint64_t serial);

void variables_forget(struct engine *engine, const char *name);

/* A function stored another value in its place: forget it, unless a later push has followed. */
void variables_replaced(struct engine *engine, uint64_t serial);

void variables_clear(struct engine *engine);

#endif
