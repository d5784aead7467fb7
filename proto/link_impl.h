/* proto/link_impl.h - what link.c shares with its two transports, link_unix.c and link_tls.c. */
#ifndef IPP_PROTO_LINK_IMPL_H
#define IPP_PROTO_LINK_IMPL_H

#include <event2/buffer.h>
#include <event2/event.h>
#include <stdbool.h>

#include "proto/error.h"
#include "proto/frame.h"
#include "proto/link.h"

struct link_transport {
	/* Queue header and head, then the payload. 0 or -ENOMEM. */
	int (*send)(struct link *link, struct frame_header *header, const uint8_t *head,
		    struct blob *payload);
	/* The descriptor that came with a FRAME_DESCRIPTOR header (gives), or -1. */
	int (*take_descriptor)(struct link *link);
	void (*flush)(struct link *link);
	size_t (*backlog)(const struct link *link);
	int (*fd)(const struct link *link);
	void (*free)(struct link *link); /* what the transport added to the link */
};

struct link {
	const struct link_transport *transport;
	const struct link_events *events;
	void *owner;
	struct event *closing; /* made active by link_fail() */
	struct ipp_error why;
	bool failed, trusted;
	bool can_wait; /* the frame that is being sent; see link_send_later() */
	uint64_t arrivals;
	bool *freed; /* set by link_free() while a callback runs */

	/* The frame that is coming in. */
	bool have_header, have_head;
	struct frame_header header;
	uint8_t *head;
	size_t head_room, head_filled;
	struct blob *payload;
	size_t payload_filled;
};

int link_init(struct link *link, struct event_base *base, const struct link_transport *transport,
	      const struct link_events *events, void *owner);

/* Take all whole frames out of `in`; events are called.  False when the link was freed or failed.
 */
bool link_parse(struct link *link, struct evbuffer *in);

/* End the link: on_close follows from the loop. */
void link_fail(struct link *link, const struct ipp_error *why);

#endif
