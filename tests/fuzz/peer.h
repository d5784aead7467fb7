/* tests/fuzz/peer.h - the other end of a link of what is fuzzed: a socket pair in the network's
 * place. */
#ifndef IPP_TESTS_FUZZ_PEER_H
#define IPP_TESTS_FUZZ_PEER_H

#include <event2/event.h>
#include <sys/socket.h>

#include "tests/fuzz/message.h"

/* What came, which must be what its type says (gives; NULL: no head).  Who asks for a STATUS or
 * REQUESTS says nothing of what the answer has. */
static inline ProtobufCMessage *look_at(const struct frame *frame)
{
	ProtobufCMessage *head = heads[frame->type] ? frame_unpack(frame, heads[frame->type])
						    : NULL;

	assert(head || !heads[frame->type] || frame->type == FRAME_STATUS ||
	       frame->type == FRAME_REQUESTS);
	return head;
}

static inline void forget(ProtobufCMessage *head)
{
	if (head)
		protobuf_c_message_free_unpacked(head, NULL);
}

/* ---- an end that is its own owner: NULL once it was closed ---- */

static inline void end_frame(void *end, struct link *link, const struct frame *frame)
{
	(void)end;
	(void)link;
	forget(look_at(frame));
}

static inline void end_closed(void *end, struct link *link, const struct ipp_error *why)
{
	(void)why;
	link_free(link);
	*(struct link **)end = NULL;
}

/* Take `fd` as the end. */
static inline void end_open(struct link **end, struct event_base *base,
			    const struct link_events *events, int fd)
{
	link_free(*end);
	*end = link_unix(base, fd, events, end);
	if (!*end)
		abort();
	link_trust(*end);
}

/* Join it to the descriptor that is returned (gives). */
static inline int end_join(struct link **end, struct event_base *base,
			   const struct link_events *events)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends) < 0)
		abort();
	end_open(end, base, events, ends[0]);
	return ends[1];
}

#endif
