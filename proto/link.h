/* proto/link.h - a peer at the other end of a Unix socket or a TLS stream, frame by frame.
 *
 * Frames go out in the order of link_send() and come in by on_frame.  On a Unix link a large
 * payload passes as a memfd, on a TLS link as bytes.  Thread: the thread of its event_base. */
#ifndef IPP_PROTO_LINK_H
#define IPP_PROTO_LINK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "proto/blob.h"
#include "proto/ipp.pb-c.h"

struct event_base;
struct ipp_error;
struct link;
typedef struct ssl_st SSL;

/* Until link_trust() a peer may send no more than this in one frame. */
#define LINK_UNPROVEN_MAX 4096

struct frame {
	uint16_t type;
	const uint8_t *head; /* never NULL; valid during on_frame */
	size_t head_bytes;
	struct blob *payload; /* borrowed; blob_ref() to keep; NULL when there is none */
};

struct link_events {
	/* A frame arrived.  `link` may be freed here. */
	void (*on_frame)(void *owner, struct link *link, const struct frame *frame);
	/* No more will arrive: `why` says why, with code 0 when the peer closed.  Called once, from
	 * the loop; the owner frees the link, now or later. */
	void (*on_close)(void *owner, struct link *link, const struct ipp_error *why);
	/* TLS handshake finished, before any frame; may be NULL on Unix links. */
	void (*on_secured)(void *owner, struct link *link);
	/* Everything queued was given to the kernel; may be NULL. */
	void (*on_drained)(void *owner, struct link *link);
};

/* Take a connected Unix stream socket (takes `fd`).  `owner` is handed to the events (borrows
 * both). NULL when out of memory. */
struct link *link_unix(struct event_base *base, int fd, const struct link_events *events,
		       void *owner);

/* Take a connected or connecting TCP socket and an SSL on it (takes both), as client or server. */
struct link *link_tls(struct event_base *base, int fd, SSL *ssl, bool server,
		      const struct link_events *events, void *owner);

void link_free(struct link *link); /* NULL is fine; unsent frames are dropped */

/* Free it once what is queued has been sent (takes); a peer that does not read is given 5 s. */
void link_finish(struct link *link);

/* From now on frames to `owner` and by `events`. */
void link_own(struct link *link, const struct link_events *events, void *owner);

/* The peer has proved itself: lift LINK_UNPROVEN_MAX. */
void link_trust(struct link *link);

/* Queue a frame.  `head` may be NULL, `payload` too (borrows both; the payload must be sealed).
 * Out of memory ends the link by on_close. */
void link_send(struct link *link, uint16_t type, const ProtobufCMessage *head,
	       struct blob *payload);

/* The same for news that can wait: on a Unix link it goes out with the next frame, or after
 * LINK_LATER_MS, and wakes nobody on its own. */
#define LINK_LATER_MS 50
void link_send_later(struct link *link, uint16_t type, const ProtobufCMessage *head);

/* The same with a head that is packed already, such as one that only passes through. */
void link_forward(struct link *link, uint16_t type, const uint8_t *head, size_t head_bytes,
		  struct blob *payload);

/* Bytes queued and not yet given to the kernel; memfds count in full. */
size_t link_backlog(const struct link *link);

/* How often something has come from the peer, be it part of a frame: more than before means that it
 * lives. */
uint64_t link_arrivals(const struct link *link);

/* Write what the kernel takes at once, now instead of at the end of the turn. */
void link_flush(struct link *link);

/* Write all of it, however long the kernel takes: for a Unix link whose peer always reads. */
void link_drain(struct link *link);

int link_fd(const struct link *link); /* its socket (borrowed) */

SSL *link_ssl(struct link *link); /* NULL on a Unix link */

/* Unpack a frame's head as `descriptor`'s message (gives; protobuf_c_message_free_unpacked()).
 * NULL when malformed. */
ProtobufCMessage *frame_unpack(const struct frame *frame,
			       const ProtobufCMessageDescriptor *descriptor);

#endif
