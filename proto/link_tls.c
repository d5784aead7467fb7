#include <errno.h>
#include <limits.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/link_impl.h"

#define READ_BYTES (64 * 1024)	 /* four records: as many as a system call brings */
#define WRITE_BYTES (256 * 1024) /* then others have their turn */

struct link_tls {
	struct link link;
	int fd;
	SSL *ssl;
	struct event *readable, *writable;
	struct evbuffer *in, *out;
	bool secured;
};

static struct link_tls *tls_of(struct link *link)
{
	return (struct link_tls *)link;
}

/* An SSL function returned `rc`, which is no success: wait for what it wants, or end the link. */
static void wait_or_fail(struct link_tls *self, int rc)
{
	const int socket_error = errno;
	const int what = SSL_get_error(self->ssl, rc);
	struct ipp_error err = {0};

	if (what == SSL_ERROR_WANT_READ)
		return; /* which is always watched */
	if (what == SSL_ERROR_WANT_WRITE) {
		event_add(self->writable, NULL);
		return;
	}
	if (what == SSL_ERROR_SSL)
		ipp_fail(&err, EPROTO, "slurm-ipp: TLS with the peer failed: %s",
			 ERR_reason_error_string(ERR_peek_error()));
	else if (what == SSL_ERROR_SYSCALL && socket_error && !self->secured)
		ipp_fail(&err, socket_error, "slurm-ipp: %m");
	else if (what == SSL_ERROR_SYSCALL && socket_error && socket_error != EPIPE &&
		 socket_error != ECONNRESET)
		ipp_fail(&err, socket_error, "slurm-ipp: the network link to the peer failed: %m");
	else
		strcpy(err.text, "slurm-ipp: the peer closed the link");
	event_del(self->readable);
	link_fail(&self->link, &err);
}

static void shake_hands(struct link_tls *self)
{
	int rc;

	ERR_clear_error();
	errno = 0;
	rc = SSL_do_handshake(self->ssl);
	if (rc != 1) {
		wait_or_fail(self, rc);
		return;
	}
	self->secured = true;
	/* What came right behind the handshake, and what had to wait for it. */
	event_active(self->readable, EV_READ, 0);
	event_active(self->writable, EV_WRITE, 0);
	if (self->link.events->on_secured)
		self->link.events->on_secured(self->link.owner, &self->link);
}

/* ---- out ---- */

static void unref_cb(const void *data, size_t bytes, void *blob)
{
	(void)data;
	(void)bytes;
	blob_unref(blob);
}

static int tls_send(struct link *link, struct frame_header *header, const uint8_t *head,
		    struct blob *payload)
{
	struct link_tls *self = tls_of(link);
	uint8_t raw[FRAME_HEADER_BYTES];

	frame_encode(header, raw);
	if (evbuffer_add(self->out, raw, sizeof(raw)) < 0 ||
	    evbuffer_add(self->out, head, header->head_bytes) < 0)
		return -ENOMEM;
	if (payload &&
	    evbuffer_add_reference(self->out, payload->data, payload->bytes, unref_cb, payload) < 0)
		return -ENOMEM;
	blob_ref(payload);
	/* At the end of this turn of the loop, so that frames sent in one turn share a record. */
	event_active(self->writable, EV_WRITE, 0);
	return 0;
}

static void tls_flush(struct link *link)
{
	struct link_tls *self = tls_of(link);
	size_t written = 0;

	ERR_clear_error();
	while (self->secured && !link->failed && evbuffer_get_length(self->out) > 0) {
		struct evbuffer_iovec piece;
		int n;

		if (written >= WRITE_BYTES) {
			event_add(self->writable, NULL);
			return;
		}
		evbuffer_peek(self->out, -1, NULL, &piece, 1);
		n = SSL_write(self->ssl, piece.iov_base,
			      piece.iov_len < INT_MAX ? (int)piece.iov_len : INT_MAX);
		if (n <= 0) {
			wait_or_fail(self, n);
			return;
		}
		evbuffer_drain(self->out, (size_t)n);
		written += (size_t)n;
	}
}

static void writable_cb(evutil_socket_t fd, short what, void *arg)
{
	struct link *link = arg;

	(void)fd;
	(void)what;
	if (link->failed)
		return;
	if (!tls_of(link)->secured) {
		shake_hands(arg);
		return;
	}
	tls_flush(link);
	if (!link->failed && evbuffer_get_length(tls_of(link)->out) == 0 &&
	    link->events->on_drained)
		link->events->on_drained(link->owner, link);
}

static size_t tls_backlog(const struct link *link)
{
	return evbuffer_get_length(((const struct link_tls *)link)->out);
}

/* ---- in ---- */

/* What there is, up to READ_BYTES, into `in`: its length, or what SSL_read() returned instead.  A
 * failure behind something good is met again next time. */
static int receive_some(struct link_tls *self)
{
	struct evbuffer_iovec room;
	int got = 0;
	int n;

	errno = ENOMEM;
	if (evbuffer_reserve_space(self->in, READ_BYTES, &room, 1) != 1)
		return -1;
	errno = 0;
	do {
		n = SSL_read(self->ssl, (uint8_t *)room.iov_base + got, READ_BYTES - got);
		if (n > 0)
			got += n;
	} while (n > 0 && got < READ_BYTES && SSL_has_pending(self->ssl));
	room.iov_len = (size_t)got;
	evbuffer_commit_space(self->in, &room, 1);
	return got > 0 ? got : n;
}

static void readable_cb(evutil_socket_t fd, short what, void *arg)
{
	struct link_tls *self = arg;

	(void)fd;
	(void)what;
	if (!self->secured) {
		shake_hands(self);
		return;
	}
	ERR_clear_error();
	/* No event tells of what has been read ahead.  That runs out soon, and others have their
	 * turn: of a record that it has in part OpenSSL reads the rest and no more. */
	do {
		const int n = receive_some(self);

		if (n <= 0) {
			wait_or_fail(self, n);
			return;
		}
		if (!link_parse(&self->link, self->in))
			return;
	} while (SSL_has_pending(self->ssl));
}

/* ---- the socket ---- */

/* OpenSSL's own write()s, and a program that uses libipp would die of SIGPIPE. */
static int send_quietly(BIO *bio, const char *bytes, int n)
{
	const ssize_t sent = send((int)BIO_get_fd(bio, NULL), bytes, (size_t)n, MSG_NOSIGNAL);

	BIO_clear_retry_flags(bio);
	if (sent < 0 && BIO_sock_should_retry((int)sent))
		BIO_set_retry_write(bio);
	return (int)sent;
}

static BIO_METHOD *quiet_socket;

static void make_quiet_socket(void)
{
	const BIO_METHOD *plain = BIO_s_socket();
	BIO_METHOD *method = BIO_meth_new(BIO_TYPE_SOCKET, "socket without SIGPIPE");

	if (!method)
		return;
	BIO_meth_set_write(method, send_quietly);
	BIO_meth_set_read(method, BIO_meth_get_read(plain));
	BIO_meth_set_ctrl(method, BIO_meth_get_ctrl(plain));
	BIO_meth_set_create(method, BIO_meth_get_create(plain));
	BIO_meth_set_destroy(method, BIO_meth_get_destroy(plain));
	quiet_socket = method;
}

static int give_socket(SSL *ssl, int fd)
{
	static pthread_once_t once = PTHREAD_ONCE_INIT;
	BIO *bio;

	pthread_once(&once, make_quiet_socket);
	bio = quiet_socket ? BIO_new(quiet_socket) : NULL;
	if (!bio)
		return -ENOMEM;
	BIO_set_fd(bio, fd, BIO_NOCLOSE);
	SSL_set_bio(ssl, bio, bio);
	return 0;
}

/* ---- the rest ---- */

static int tls_take_descriptor(struct link *link)
{
	(void)link;
	return -1;
}

static int tls_fd(const struct link *link)
{
	return ((const struct link_tls *)link)->fd;
}

static void tls_free(struct link *link)
{
	struct link_tls *self = tls_of(link);

	if (self->secured && !link->failed)
		SSL_shutdown(self->ssl); /* says goodbye, and waits for nothing */
	SSL_free(self->ssl);
	if (self->readable)
		event_free(self->readable);
	if (self->writable)
		event_free(self->writable);
	if (self->in)
		evbuffer_free(self->in);
	if (self->out)
		evbuffer_free(self->out);
	close(self->fd);
}

static const struct link_transport transport = {
	.send = tls_send,
	.take_descriptor = tls_take_descriptor,
	.flush = tls_flush,
	.backlog = tls_backlog,
	.fd = tls_fd,
	.free = tls_free,
};

struct link *link_tls(struct event_base *base, int fd, SSL *ssl, bool server,
		      const struct link_events *events, void *owner)
{
	struct link_tls *self = calloc(1, sizeof(*self));

	if (!self) {
		SSL_free(ssl);
		close(fd);
		return NULL;
	}
	self->fd = fd;
	self->ssl = ssl;
	self->in = evbuffer_new();
	self->out = evbuffer_new();
	self->readable = event_new(base, fd, EV_READ | EV_PERSIST, readable_cb, self);
	self->writable = event_new(base, fd, EV_WRITE, writable_cb, self);
	if (link_init(&self->link, base, &transport, events, owner) < 0 || !self->in ||
	    !self->out || !self->readable || !self->writable || give_socket(ssl, fd) < 0 ||
	    event_add(self->readable, NULL) < 0) {
		link_free(&self->link);
		return NULL;
	}
	/* A record that could not be written is tried again from wherever it lies then; and what
	 * has been read is taken from the kernel in large pieces. */
	SSL_set_mode(ssl, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_set_read_ahead(ssl, 1);
	SSL_set_default_read_buffer_len(ssl, READ_BYTES);
	if (server)
		SSL_set_accept_state(ssl);
	else
		SSL_set_connect_state(ssl);
	event_active(self->writable, EV_WRITE, 0);
	return &self->link;
}

SSL *link_ssl(struct link *link)
{
	return link->transport == &transport ? tls_of(link)->ssl : NULL;
}
