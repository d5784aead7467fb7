/* controller/errand.h - what a target does itself, behind the tasks it was given before: PULL, LIST
 * and REMOVE of variables.
 *
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
void errand_send(struct engine *engine, const struct request *request, const struct slice *slice);

/* An engine's answer to a LIST.  0 or -EPROTO. */
int errand_names(struct engine *engine, const struct frame *frame, struct ipp_error *err);

/* Target `index` of a LIST or REMOVE will not answer; the request may end with that. */
void errand_lost(struct request *request, uint64_t index, uint32_t rank, const char *why);

/* One more target has answered: the request may end with that. */
void errand_answered(struct request *request);

#endif
