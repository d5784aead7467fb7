/* controller/errand.h - what a target does itself, behind the tasks it was given before: PULL, LIST
 * and REMOVE of variables.
 *
 * Values from other nodes come a few at a time: what is on its way to a client or a file lies here.
 * Thread: loop thread only. */
#ifndef IPP_CONTROLLER_ERRAND_H
#define IPP_CONTROLLER_ERRAND_H

#include <stdbool.h>
#include <stdint.h>

#include "proto/link.h"

struct client;
struct engine;
struct ipp_error;
struct request;
struct slice;

/* Whether it is one, and not tasks. */
bool errand_is(const struct request *request);

/* A client asks for one.  0, -EPROTO or -ENOMEM. */
int errand_pull(struct client *client, const struct frame *frame, struct ipp_error *err);
int errand_list(struct client *client, const struct frame *frame, struct ipp_error *err);
int errand_remove(struct client *client, const struct frame *frame, struct ipp_error *err);

/* Tell the engine what to do for this target of the request. */
void errand_send(struct engine *engine, struct request *request, const struct slice *slice);

/* Which of what waits for the engine goes next, as slices_take_at() wants it; NULL: nothing.  What
 * clients wait for that do not take their results stays, and others go past it.  Values wait for
 * those of others to come; what reads goes past them, what changes variables does not: then they go
 * at once. */
struct slice **errand_next(struct engine *engine);

/* The engine has answered the first in flight, or is lost with it. */
void errand_arrived(struct engine *engine, const struct slice *slice);

/* One more target of a PUSH or REMOVE has answered: the request may end with that. */
void errand_answered(struct request *request);

/* All of them have: what each said, as results.  False when the request has ended otherwise. */
bool errand_report(struct request *request);

#endif
