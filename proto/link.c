#include "proto/link.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/link_impl.h"

static void closing_cb(evutil_socket_t fd, short what, void *arg)
{
	struct link *link = arg;

	(void)fd;
	(void)what;
	link->events->on_close(link->owner, link, &link->why);
}

int link_init(struct link *link, struct event_base *base, const struct link_transport *transport,
	      const struct link_events *events, void *owner)
{
	link->transport = transport;
	link->events = events;
	link->owner = owner;
	link->closing = event_new(base, -1, 0, closing_cb, link);
	return link->closing ? 0 : -ENOMEM;
}

void link_free(struct link *link)
{
	if (!link)
		return;
	if (link->freed)
		*link->freed = true;
	if (link->closing)
		event_free(link->closing);
	free(link->head);
	blob_unref(link->payload);
	link->transport->free(link);
	free(link);
}

static void finished_frame(void *owner, struct link *link, const struct frame *frame)
{
	(void)owner;
	(void)link;
	(void)frame;
}

static void finished_close(void *owner, struct link *link, const struct ipp_error *why)
{
	(void)owner;
	(void)why;
	link_free(link);
}

static void finished_drained(void *owner, struct link *link)
{
	(void)owner;
	link_free(link);
}

void link_finish(struct link *link)
{
	static const struct link_events finished = {
		.on_frame = finished_frame,
		.on_close = finished_close,
		.on_drained = finished_drained,
	};
	const struct timeval patience = {.tv_sec = 5};

	link_own(link, &finished, NULL);
	link_flush(link);
	if (link_backlog(link) == 0)
		link_free(link);
	else
		event_add(link->closing, &patience);
}

void link_own(struct link *link, const struct link_events *events, void *owner)
{
	link->events = events;
	link->owner = owner;
}

void link_trust(struct link *link)
{
	link->trusted = true;
}

void link_fail(struct link *link, const struct ipp_error *why)
{
	if (link->failed)
		return;
	link->failed = true;
	link->why = *why;
	event_active(link->closing, 0, 0);
}

static int take_header(struct link *link, struct evbuffer *in, struct ipp_error *err)
{
	uint8_t raw[FRAME_HEADER_BYTES];
	int rc;

	evbuffer_remove(in, raw, sizeof(raw));
	rc = frame_decode(&link->header, raw, err);
	if (rc < 0)
		return rc;
	if (!link->trusted &&
	    (link->header.payload_bytes > 0 || link->header.head_bytes > LINK_UNPROVEN_MAX))
		return ipp_fail(
			err, EPROTO,
			"slurm-ipp: the peer sent a large %s frame before it had proved itself",
			frame_name(link->header.type));
	if (!link->head || link->header.head_bytes > link->head_room) {
		uint8_t *room = realloc(link->head, link->header.head_bytes + 1);

		if (!room)
			return ipp_fail(err, ENOMEM, "slurm-ipp: out of memory for a frame's head");
		link->head = room;
		link->head_room = link->header.head_bytes;
	}
	link->have_header = true;
	link->head_filled = 0;
	return 0;
}

/* What is there of the head, whose end may have to wait for room in the transport's buffer. */
static void take_some_head(struct link *link, struct evbuffer *in)
{
	const size_t wanted = link->header.head_bytes - link->head_filled;
	const int n = wanted ? evbuffer_remove(in, link->head + link->head_filled, wanted) : 0;

	if (n > 0)
		link->head_filled += (size_t)n;
}

/* The head is whole: make ready for the payload. */
static int finish_head(struct link *link, struct ipp_error *err)
{
	const struct frame_header *header = &link->header;

	link->have_head = true;
	link->payload_filled = 0;
	if (header->flags & FRAME_DESCRIPTOR) {
		const int fd = link->transport->take_descriptor(link);
		int rc;

		if (fd < 0)
			return ipp_fail(err, EPROTO,
					"slurm-ipp: a %s frame came without its descriptor",
					frame_name(header->type));
		rc = blob_map(&link->payload, fd, header->payload_bytes, err);
		if (rc < 0) {
			close(fd);
			return rc;
		}
		link->payload_filled = header->payload_bytes;
	} else if (header->payload_bytes > 0) {
		link->payload = blob_new(header->payload_bytes);
		if (!link->payload)
			return ipp_fail(err, errno,
					"slurm-ipp: no room for a payload of %llu bytes: %m",
					(unsigned long long)header->payload_bytes);
	}
	return 0;
}

/* What `in` has of the payload, up to `wanted` bytes; how many, or -errno.  Fresh pages of a memfd
 * are written, not copied into by way of the mapping, where each would be a page fault. */
static ssize_t move_payload(struct link *link, struct evbuffer *in, size_t wanted)
{
	const struct blob *payload = link->payload;
	int n;

	if (payload->fd < 0)
		return evbuffer_remove(in, payload->data + link->payload_filled, wanted);
	do
		n = evbuffer_write_atmost(in, payload->fd, (ev_ssize_t)wanted);
	while (n < 0 && errno == EINTR);
	return n < 0 ? -errno : n;
}

static int take_payload(struct link *link, struct evbuffer *in, struct ipp_error *err)
{
	size_t wanted = link->header.payload_bytes - link->payload_filled;

	if (wanted == 0)
		return 0;
	while (wanted > 0 && evbuffer_get_length(in) > 0) {
		const ssize_t n = move_payload(link, in, wanted);

		if (n < 0)
			return ipp_fail(err, (int)-n, "slurm-ipp: cannot keep a payload: %m");
		link->payload_filled += (size_t)n;
		wanted -= (size_t)n;
	}
	return wanted == 0 ? blob_seal(link->payload, err) : 0;
}

/* One step of taking a frame.  1: a frame is complete; 0: more bytes are needed; or an error. */
static int take_frame(struct link *link, struct evbuffer *in, struct ipp_error *err)
{
	int rc = 0;

	if (!link->have_header) {
		if (evbuffer_get_length(in) < FRAME_HEADER_BYTES)
			return 0;
		rc = take_header(link, in, err);
	}
	if (rc == 0 && !link->have_head) {
		take_some_head(link, in);
		if (link->head_filled < link->header.head_bytes)
			return 0;
		rc = finish_head(link, err);
	}
	if (rc == 0)
		rc = take_payload(link, in, err);
	if (rc < 0)
		return rc;
	return link->payload_filled == link->header.payload_bytes;
}

uint64_t link_arrivals(const struct link *link)
{
	return link->arrivals;
}

bool link_parse(struct link *link, struct evbuffer *in)
{
	struct ipp_error err = {0};
	bool freed = false;
	int rc = 0;

	link->arrivals++;
	link->freed = &freed;
	while (!link->failed && (rc = take_frame(link, in, &err)) == 1) {
		struct blob *payload = link->payload;
		const struct frame frame = {.type = link->header.type,
					    .head = link->head,
					    .head_bytes = link->header.head_bytes,
					    .payload = payload};

		link->payload = NULL;
		link->have_header = link->have_head = false;
		link->events->on_frame(link->owner, link, &frame);
		blob_unref(payload);
		if (freed)
			return false;
	}
	link->freed = NULL;
	if (rc < 0)
		link_fail(link, &err);
	return !link->failed;
}

void link_forward(struct link *link, uint16_t type, const uint8_t *head, size_t head_bytes,
		  struct blob *payload)
{
	struct frame_header header = {.type = type,
				      .head_bytes = (uint32_t)head_bytes,
				      .payload_bytes = payload ? payload->bytes : 0};
	struct ipp_error err;

	if (link->failed)
		return;
	if (payload && payload->bytes == 0)
		payload = NULL;
	if (head_bytes > FRAME_HEAD_MAX)
		ipp_fail(&err, EMSGSIZE,
			 "slurm-ipp: a %s frame's head of %zu bytes is past its bound",
			 frame_name(type), head_bytes);
	else if (link->transport->send(link, &header, head, payload) == 0)
		return;
	else
		ipp_fail(&err, ENOMEM, "slurm-ipp: out of memory sending a %s frame",
			 frame_name(type));
	link_fail(link, &err);
}

void link_send(struct link *link, uint16_t type, const ProtobufCMessage *head, struct blob *payload)
{
	const size_t bytes = head ? protobuf_c_message_get_packed_size(head) : 0;
	uint8_t small[512];
	uint8_t *packed = bytes <= sizeof(small) ? small : malloc(bytes);

	if (!packed) {
		struct ipp_error err;

		ipp_fail(&err, ENOMEM, "slurm-ipp: out of memory sending a %s frame",
			 frame_name(type));
		link_fail(link, &err);
		return;
	}
	small[0] = 0;
	if (head)
		protobuf_c_message_pack(head, packed);
	link_forward(link, type, packed, bytes, payload);
	if (packed != small)
		free(packed);
}

void link_send_later(struct link *link, uint16_t type, const ProtobufCMessage *head)
{
	link->can_wait = true;
	link_send(link, type, head, NULL);
	link->can_wait = false;
}

size_t link_backlog(const struct link *link)
{
	return link->transport->backlog(link);
}

int link_fd(const struct link *link)
{
	return link->transport->fd(link);
}

void link_flush(struct link *link)
{
	link->transport->flush(link);
}

ProtobufCMessage *frame_unpack(const struct frame *frame,
			       const ProtobufCMessageDescriptor *descriptor)
{
	return protobuf_c_message_unpack(descriptor, NULL, frame->head_bytes, frame->head);
}
