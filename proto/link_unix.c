#include <errno.h>
#include <stdlib.h>
#include <linux/sockios.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/link_impl.h"

#define READ_BYTES (64 * 1024 - 64) /* and libevent's head: a chunk of 64 KiB */
#define READS_A_TURN 16		    /* then others have their turn */
#define IOVECS 16
#define DESCRIPTORS 16 /* received and not yet claimed by a frame */
/* In memfds that lie in the socket, which itself counts the few bytes beside them only. */
#define UNREAD_MAX (64u << 20)
#define UNREAD_POLL_MS 2

/* A memfd on its way out, with the first byte of its frame. */
struct departing {
	uint64_t position;
	struct blob *blob;
	struct departing *next;
};

struct link_unix {
	struct link link;
	int fd;
	struct event *readable, *writable;
	struct event *later; /* frames that could wait, or had to, have waited */
	struct evbuffer *in, *out;
	uint64_t queued, sent; /* bytes since the beginning */
	struct departing *first, **last;
	size_t departing_bytes;
	size_t unread_bytes;	      /* in memfds sent since the peer had last read everything */
	int descriptors[DESCRIPTORS]; /* in order of arrival */
	unsigned n_descriptors;
	bool hung_up; /* the peer reads no more; it may have written before */
};

static struct link_unix *unix_of(struct link *link)
{
	return (struct link_unix *)link;
}

static void peer_gone(struct link_unix *self, int code)
{
	struct ipp_error err = {0};

	if (code != 0 && code != EPIPE && code != ECONNRESET)
		ipp_fail(&err, code, "slurm-ipp: the link to a neighbour process failed: %m");
	else
		strcpy(err.text, "slurm-ipp: the peer closed the link");
	link_fail(&self->link, &err);
}

/* ---- out ---- */

static struct departing *departing_pop(struct link_unix *self)
{
	struct departing *head = self->first;

	self->first = head->next;
	if (!self->first)
		self->last = &self->first;
	self->departing_bytes -= head->blob->bytes;
	return head;
}

static void departing_free(struct departing *head)
{
	blob_unref(head->blob);
	free(head);
}

static void unref_cb(const void *data, size_t bytes, void *blob)
{
	(void)data;
	(void)bytes;
	blob_unref(blob);
}

/* A large one stays where it is until it was sent. */
static int add_payload(struct evbuffer *out, struct blob *payload)
{
	if (payload->bytes < BLOB_MEMFD_MIN)
		return evbuffer_add(out, payload->data, payload->bytes);
	if (evbuffer_add_reference(out, payload->data, payload->bytes, unref_cb, payload) < 0)
		return -1;
	blob_ref(payload);
	return 0;
}

/* One sendmsg(): bytes up to the next descriptor, with the descriptor that belongs to the first. */
static ssize_t send_some(struct link_unix *self)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(sizeof(int))];
	} control;
	struct evbuffer_iovec vectors[IOVECS];
	struct msghdr message = {.msg_iov = (struct iovec *)vectors};
	const struct departing *next = self->first;
	size_t limit = evbuffer_get_length(self->out);
	size_t peeked = 0;
	int n;

	if (next && next->position == self->sent) {
		message.msg_control = control.room;
		message.msg_controllen = sizeof(control.room);
		*CMSG_FIRSTHDR(&message) = (struct cmsghdr){.cmsg_len = CMSG_LEN(sizeof(int)),
							    .cmsg_level = SOL_SOCKET,
							    .cmsg_type = SCM_RIGHTS};
		memcpy(CMSG_DATA(CMSG_FIRSTHDR(&message)), &next->blob->fd, sizeof(int));
		next = next->next;
	}
	if (next && next->position - self->sent < limit)
		limit = next->position - self->sent;
	n = evbuffer_peek(self->out, (ev_ssize_t)limit, NULL, vectors, IOVECS);
	if (n > IOVECS)
		n = IOVECS;
	for (int i = 0; i < n; i++) {
		if (peeked + vectors[i].iov_len > limit)
			vectors[i].iov_len = limit - peeked;
		peeked += vectors[i].iov_len;
	}
	message.msg_iovlen = (size_t)n;
	return sendmsg(self->fd, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
}

/* A peer that hung up may have said why: what it sent is read before its end is noticed. */
static void cannot_write(struct link_unix *self, int code)
{
	if (code != EPIPE && code != ECONNRESET) {
		peer_gone(self, code);
		return;
	}
	self->hung_up = true;
	evbuffer_drain(self->out, evbuffer_get_length(self->out));
	while (self->first)
		departing_free(departing_pop(self));
	event_active(self->readable, EV_READ, 0);
}

/* Whether the next is a memfd that has to wait until the peer has read those before it; the kernel
 * does not tell when that is. */
static bool is_held(struct link_unix *self)
{
	static const struct timeval soon = {.tv_usec = UNREAD_POLL_MS * 1000L};
	int unread = 0;

	if (!self->first || self->first->position != self->sent ||
	    self->unread_bytes + self->first->blob->bytes <= UNREAD_MAX || self->unread_bytes == 0)
		return false;
	if (ioctl(self->fd, SIOCOUTQ, &unread) == 0 && unread > 0) {
		event_add(self->later, &soon);
		return true;
	}
	self->unread_bytes = 0;
	return false;
}

/* The frame to be sent next goes without its descriptor: all of the user's processes together have
 * too many on their way, which a peer that is stopped does not take. */
static bool send_as_bytes(struct link_unix *self)
{
	struct departing *first = departing_pop(self);
	struct evbuffer *frame = evbuffer_new();
	const size_t bytes = first->blob->bytes;
	struct frame_header header;
	uint8_t raw[FRAME_HEADER_BYTES];
	bool done;

	evbuffer_remove(self->out, raw, sizeof(raw));
	frame_decode(&header, raw, NULL);
	header.flags &= ~FRAME_DESCRIPTOR;
	frame_encode(&header, raw);
	done = frame && evbuffer_add(frame, raw, sizeof(raw)) == 0 &&
	       evbuffer_remove_buffer(self->out, frame, header.head_bytes) ==
		       (int)header.head_bytes &&
	       add_payload(frame, first->blob) == 0 &&
	       evbuffer_prepend_buffer(self->out, frame) == 0;
	for (struct departing *next = self->first; next; next = next->next)
		next->position += bytes;
	self->queued += bytes;
	departing_free(first);
	if (frame)
		evbuffer_free(frame);
	return done;
}

static void unix_flush(struct link *link)
{
	struct link_unix *self = unix_of(link);

	while (!link->failed && evbuffer_get_length(self->out) > 0 && !is_held(self)) {
		const ssize_t n = send_some(self);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0 && errno == ETOOMANYREFS && send_as_bytes(self))
			continue;
		if (n < 0 && (errno == EAGAIN || errno == ENOBUFS)) {
			event_add(self->writable, NULL);
			return;
		}
		if (n < 0) {
			cannot_write(self, errno);
			return;
		}
		if (n > 0 && self->first && self->first->position == self->sent) {
			self->unread_bytes += self->first->blob->bytes;
			departing_free(departing_pop(self));
		}
		self->sent += (uint64_t)n;
		evbuffer_drain(self->out, (size_t)n);
	}
}

void link_drain(struct link *link)
{
	struct link_unix *self = unix_of(link);
	struct pollfd room = {.fd = self->fd};
	bool held;

	for (unix_flush(link); !link->failed && evbuffer_get_length(self->out) > 0;
	     unix_flush(link)) {
		held = is_held(self);
		room.events = held ? 0 : POLLOUT;
		poll(&room, 1, held ? UNREAD_POLL_MS : -1);
	}
}

static void writable_cb(evutil_socket_t fd, short what, void *arg)
{
	struct link *link = arg;

	(void)fd;
	(void)what;
	unix_flush(link);
	if (!link->failed && evbuffer_get_length(unix_of(link)->out) == 0 &&
	    link->events->on_drained)
		link->events->on_drained(link->owner, link);
}

static int depart(struct link_unix *self, struct blob *blob)
{
	struct departing *departing = malloc(sizeof(*departing));

	if (!departing)
		return -ENOMEM;
	*departing = (struct departing){.position = self->queued, .blob = blob_ref(blob)};
	*self->last = departing;
	self->last = &departing->next;
	self->departing_bytes += blob->bytes;
	return 0;
}

static int unix_send(struct link *link, struct frame_header *header, const uint8_t *head,
		     struct blob *payload)
{
	static const struct timeval later = {.tv_usec = LINK_LATER_MS * 1000L};
	struct link_unix *self = unix_of(link);
	const size_t before = evbuffer_get_length(self->out);
	uint8_t raw[FRAME_HEADER_BYTES];

	if (self->hung_up)
		return 0;
	if (payload && payload->fd >= 0) {
		header->flags |= FRAME_DESCRIPTOR;
		if (depart(self, payload) < 0)
			return -ENOMEM;
		payload = NULL;
	}
	frame_encode(header, raw);
	if (evbuffer_add(self->out, raw, sizeof(raw)) < 0 ||
	    evbuffer_add(self->out, head, header->head_bytes) < 0 ||
	    (payload && add_payload(self->out, payload) < 0))
		return -ENOMEM;
	self->queued += evbuffer_get_length(self->out) - before;
	/* At the end of this turn of the loop, so that frames sent in one turn share a system call.
	 */
	if (!link->can_wait)
		event_active(self->writable, EV_WRITE, 0);
	else if (!event_pending(self->later, EV_TIMEOUT, NULL))
		event_add(self->later, &later);
	return 0;
}

static size_t unix_backlog(const struct link *link)
{
	const struct link_unix *self = (const struct link_unix *)link;

	return evbuffer_get_length(self->out) + self->departing_bytes;
}

static int unix_fd(const struct link *link)
{
	return ((const struct link_unix *)link)->fd;
}

/* ---- in ---- */

/* Why the kernel dropped descriptors on their way in: we have no room for one more, or there were
 * too many in one message. */
static int why_dropped(void)
{
	const int fd = memfd_create("slurm-ipp", MFD_CLOEXEC);

	if (fd < 0)
		return -errno;
	close(fd);
	return -EPROTO;
}

static int keep_descriptors(struct link_unix *self, struct msghdr *message)
{
	int rc = 0;

	for (struct cmsghdr *c = CMSG_FIRSTHDR(message); c; c = CMSG_NXTHDR(message, c)) {
		const size_t n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);

		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (size_t i = 0; i < n; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
			if (self->n_descriptors < DESCRIPTORS) {
				self->descriptors[self->n_descriptors++] = fd;
			} else {
				close(fd);
				rc = -EPROTO;
			}
		}
	}
	return message->msg_flags & MSG_CTRUNC ? why_dropped() : rc;
}

/* One recvmsg() into `in`: its return value, or -errno. */
static ssize_t receive_some(struct link_unix *self)
{
	union {
		struct cmsghdr align;
		char room[CMSG_SPACE(4 * sizeof(int))];
	} control;
	struct evbuffer_iovec vectors[2];
	struct msghdr message = {.msg_iov = (struct iovec *)vectors,
				 .msg_control = control.room,
				 .msg_controllen = sizeof(control.room)};
	const int n = evbuffer_reserve_space(self->in, READ_BYTES, vectors, 2);
	ssize_t got;
	ssize_t left;

	if (n < 0)
		return -ENOMEM;
	message.msg_iovlen = (size_t)n;
	got = recvmsg(self->fd, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	if (got < 0)
		return -errno;
	left = keep_descriptors(self, &message);
	if (left < 0)
		return left;
	left = got;
	for (int i = 0; i < n; i++) {
		if ((size_t)left < vectors[i].iov_len)
			vectors[i].iov_len = (size_t)left;
		left -= (ssize_t)vectors[i].iov_len;
	}
	evbuffer_commit_space(self->in, vectors, n);
	return got;
}

static void readable_cb(evutil_socket_t fd, short what, void *arg)
{
	struct link_unix *self = arg;

	(void)fd;
	(void)what;
	for (int i = 0; i < READS_A_TURN; i++) {
		const ssize_t n = receive_some(self);

		if (n == -EINTR)
			continue;
		if (n == -EAGAIN)
			return;
		if (n <= 0) {
			event_del(self->readable);
			peer_gone(self, (int)-n);
			return;
		}
		if (!link_parse(&self->link, self->in))
			return;
		if (n < READ_BYTES)
			return;
	}
}

static int unix_take_descriptor(struct link *link)
{
	struct link_unix *self = unix_of(link);
	int fd;

	if (self->n_descriptors == 0)
		return -1;
	fd = self->descriptors[0];
	self->n_descriptors--;
	memmove(self->descriptors, self->descriptors + 1, self->n_descriptors * sizeof(int));
	return fd;
}

static void unix_free(struct link *link)
{
	struct link_unix *self = unix_of(link);

	if (self->readable)
		event_free(self->readable);
	if (self->writable)
		event_free(self->writable);
	if (self->later)
		event_free(self->later);
	if (self->in)
		evbuffer_free(self->in);
	if (self->out)
		evbuffer_free(self->out);
	while (self->first)
		departing_free(departing_pop(self));
	for (unsigned i = 0; i < self->n_descriptors; i++)
		close(self->descriptors[i]);
	close(self->fd);
}

static const struct link_transport transport = {
	.send = unix_send,
	.take_descriptor = unix_take_descriptor,
	.flush = unix_flush,
	.backlog = unix_backlog,
	.fd = unix_fd,
	.free = unix_free,
};

struct link *link_unix(struct event_base *base, int fd, const struct link_events *events,
		       void *owner)
{
	struct link_unix *self = calloc(1, sizeof(*self));

	if (!self) {
		close(fd);
		return NULL;
	}
	self->fd = fd;
	self->last = &self->first;
	self->in = evbuffer_new();
	self->out = evbuffer_new();
	self->readable = event_new(base, fd, EV_READ | EV_PERSIST, readable_cb, self);
	self->writable = event_new(base, fd, EV_WRITE, writable_cb, self);
	self->later = event_new(base, -1, 0, writable_cb, self);
	if (link_init(&self->link, base, &transport, events, owner) < 0 || !self->in ||
	    !self->out || !self->readable || !self->writable || !self->later ||
	    event_add(self->readable, NULL) < 0) {
		link_free(&self->link);
		return NULL;
	}
	return &self->link;
}
