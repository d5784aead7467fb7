/* controller/push.h - values that a client puts into the namespaces of engines.
 *
 * Thread: loop thread only. */
#ifndef IPP_CONTROLLER_PUSH_H
#define IPP_CONTROLLER_PUSH_H

#include <stdbool.h>

#include "proto/link.h"

struct client;
struct ipp_error;
struct request;

/* Whether it is one, or a scatter. */
bool push_is(const struct request *request);

/* A client sent one, or one of a scatter's.  0, -EPROTO or -ENOMEM. */
int push_take(struct client *client, const struct frame *frame, struct ipp_error *err);

#endif
