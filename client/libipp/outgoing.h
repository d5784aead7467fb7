/* client/libipp/outgoing.h - items on their way into TASKS frames.
 *
 * Thread: the client's. */
#ifndef IPP_CLIENT_LIBIPP_OUTGOING_H
#define IPP_CLIENT_LIBIPP_OUTGOING_H

#include "client/ipp/client.h"
#include "proto/link.h"

struct outgoing;

struct outgoing *outgoing_new(uint64_t request); /* gives; NULL when out of memory */
void outgoing_free(struct outgoing *outgoing);	 /* NULL is fine; unsent items are dropped */

/* Add an item (copied): integers at equal steps share a frame as a range, texts as bytes.  A frame
 * that is full, or that the item does not fit, is sent first.  0, -ENOMEM, -EMSGSIZE, -EINVAL. */
int outgoing_add(struct outgoing *outgoing, struct link *link, const struct ipp_value *item,
		 struct ipp_error *err);

/* The next index is no item's. 0 or -ENOMEM. */
int outgoing_skip(struct outgoing *outgoing, struct link *link, struct ipp_error *err);

/* Send what is there, or that nothing will follow. 0 or -ENOMEM. */
int outgoing_send(struct outgoing *outgoing, struct link *link, struct ipp_error *err);
int outgoing_end(struct outgoing *outgoing, struct link *link, struct ipp_error *err);

#endif
