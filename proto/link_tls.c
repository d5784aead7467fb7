#include <errno.h>
#include <event2/bufferevent.h>
#include <event2/bufferevent_ssl.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/link_impl.h"

#define READ_MAX (256 * 1024) /* bytes that wait decrypted; the rest waits in the kernel */

struct link_tls {
	struct link link;
	struct bufferevent *stream;
};

static struct link_tls *tls_of(struct link *link)
{
	return (struct link_tls *)link;
}

static void unref_cb(const void *data, size_t bytes, void *blob)
{
	(void)data;
	(void)bytes;
	blob_unref(blob);
}

static int tls_send(struct link *link, struct frame_header *header, const uint8_t *head,
		    struct blob *payload)
{
	struct evbuffer *out = bufferevent_get_output(tls_of(link)->stream);
	uint8_t raw[FRAME_HEADER_BYTES];

	frame_encode(header, raw);
	if (evbuffer_add(out, raw, sizeof(raw)) < 0 ||
	    evbuffer_add(out, head, header->head_bytes) < 0)
		return -ENOMEM;
	if (!payload)
		return 0;
	if (evbuffer_add_reference(out, payload->data, payload->bytes, unref_cb, payload) < 0)
		return -ENOMEM;
	blob_ref(payload);
	return 0;
}

static void read_cb(struct bufferevent *stream, void *arg)
{
	link_parse(arg, bufferevent_get_input(stream));
}

static void write_cb(struct bufferevent *stream, void *arg)
{
	struct link *link = arg;

	(void)stream;
	if (!link->failed && link->events->on_drained)
		link->events->on_drained(link->owner, link);
}

/* libevent calls it the end of the stream when connect() fails; then errno says why.  Later an end
 * is an end, and errno is left from something else. */
static int connect_error(struct bufferevent *stream, int code)
{
	const bool connected = SSL_is_init_finished(bufferevent_openssl_get_ssl(stream));

	return connected || code == EAGAIN || code == EINPROGRESS || code == EINTR ? 0 : code;
}

static void event_cb(struct bufferevent *stream, short what, void *arg)
{
	const int socket_error = EVUTIL_SOCKET_ERROR();
	struct link *link = arg;
	struct ipp_error err = {0};
	unsigned long code;

	if (what & BEV_EVENT_CONNECTED) {
		if (link->events->on_secured)
			link->events->on_secured(link->owner, link);
		return;
	}
	code = bufferevent_get_openssl_error(stream);
	if (what & BEV_EVENT_EOF && connect_error(stream, socket_error))
		ipp_fail(&err, socket_error, "slurm-ipp: %m");
	else if (what & BEV_EVENT_EOF || (!code && socket_error == 0))
		strcpy(err.text, "slurm-ipp: the peer closed the link");
	else if (code)
		ipp_fail(&err, EPROTO, "slurm-ipp: TLS with the peer failed: %s",
			 ERR_reason_error_string(code));
	else
		ipp_fail(&err, socket_error, "slurm-ipp: the network link to the peer failed: %m");
	link_fail(link, &err);
}

static int tls_take_descriptor(struct link *link)
{
	(void)link;
	return -1;
}

static void tls_flush(struct link *link)
{
	bufferevent_flush(tls_of(link)->stream, EV_WRITE, BEV_FLUSH);
}

static size_t tls_backlog(const struct link *link)
{
	return evbuffer_get_length(bufferevent_get_output(((const struct link_tls *)link)->stream));
}

static int tls_fd(const struct link *link)
{
	return bufferevent_getfd(((const struct link_tls *)link)->stream);
}

static void tls_free(struct link *link)
{
	if (tls_of(link)->stream)
		bufferevent_free(tls_of(link)->stream);
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

	if (!self || link_init(&self->link, base, &transport, events, owner) < 0) {
		free(self);
		SSL_free(ssl);
		close(fd);
		return NULL;
	}
	self->stream = bufferevent_openssl_socket_new(
		base, fd, ssl, server ? BUFFEREVENT_SSL_ACCEPTING : BUFFEREVENT_SSL_CONNECTING,
		BEV_OPT_CLOSE_ON_FREE | BEV_OPT_DEFER_CALLBACKS);
	if (!self->stream) {
		SSL_free(ssl);
		close(fd);
		link_free(&self->link);
		return NULL;
	}
	bufferevent_openssl_set_allow_dirty_shutdown(self->stream, 1);
	bufferevent_setwatermark(self->stream, EV_READ, 0, READ_MAX);
	bufferevent_setcb(self->stream, read_cb, write_cb, event_cb, self);
	bufferevent_enable(self->stream, EV_READ | EV_WRITE);
	return &self->link;
}

SSL *link_ssl(struct link *link)
{
	return link->transport == &transport ? bufferevent_openssl_get_ssl(tls_of(link)->stream)
					     : NULL;
}
