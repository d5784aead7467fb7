/* tls_stream - what a link between nodes carries, beside one bare TLS stream of the same cipher:
 *
 *	tls_stream bare|link MEGABYTES   milliseconds for them over the loopback, between two
 *	                                 processes, from the first byte to the answer of one byte
 *
 * A bare stream is SSL_write() of what lies in memory and SSL_read() into a buffer that is read
 * over and over; a link makes a payload of it, in a memfd that can be passed on. */
#include <event2/event.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "proto/blob.h"
#include "proto/error.h"
#include "proto/frame.h"
#include "proto/identity.h"
#include "proto/link.h"

static size_t bytes;

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec * 1e-6;
}

static void die(const char *what)
{
	perror(what);
	exit(1);
}

/* ---- a bare stream ---- */

static void bare_receive(int fd, SSL *ssl)
{
	static uint8_t room[64 * 1024];
	size_t left = bytes;

	SSL_set_fd(ssl, fd);
	if (SSL_accept(ssl) != 1)
		die("SSL_accept");
	while (left > 0) {
		const int n = SSL_read(ssl, room, sizeof(room));

		if (n <= 0)
			die("SSL_read");
		left -= (size_t)n;
	}
	SSL_write(ssl, room, 1);
}

static double bare_send(int fd, SSL *ssl, const struct blob *blob)
{
	double begin;
	char answer;

	SSL_set_fd(ssl, fd);
	if (SSL_connect(ssl) != 1)
		die("SSL_connect");
	begin = now_ms();
	if (SSL_write(ssl, blob->data, (int)bytes) != (int)bytes || SSL_read(ssl, &answer, 1) != 1)
		die("SSL_write");
	return now_ms() - begin;
}

/* ---- a link ---- */

static struct event_base *base;
static struct blob *outgoing;
static double began;

static void on_frame(void *owner, struct link *link, const struct frame *frame)
{
	(void)owner;
	if (!frame->payload) {
		event_base_loopbreak(base);
		return;
	}
	link_send(link, FRAME_DONE, NULL, NULL);
	link_flush(link); /* before the payload goes: freeing it is no part of its way */
}

static void on_close(void *owner, struct link *link, const struct ipp_error *why)
{
	(void)owner;
	(void)link;
	if (outgoing)
		fputs(why->text, stderr);
	exit(outgoing ? 1 : 0);
}

static void on_secured(void *owner, struct link *link)
{
	(void)owner;
	link_trust(link);
	if (!outgoing)
		return;
	began = now_ms();
	link_send(link, FRAME_PUSH, NULL, outgoing);
}

static double through_link(int fd, SSL *ssl, struct blob *blob)
{
	static const struct link_events events = {
		.on_frame = on_frame, .on_close = on_close, .on_secured = on_secured};

	outgoing = blob;
	base = event_base_new();
	evutil_make_socket_nonblocking(fd);
	link_tls(base, fd, ssl, !blob, &events, NULL);
	event_base_dispatch(base);
	return now_ms() - began;
}

static struct blob *payload(void)
{
	struct blob *blob = blob_new(bytes);

	for (size_t i = 0; i < bytes; i++)
		blob->data[i] = (uint8_t)(i * 31 + i / 977);
	blob_seal(blob, NULL);
	return blob;
}

int main(int argc, char **argv)
{
	struct sockaddr_in name = {.sin_family = AF_INET,
				   .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	const bool bare = argc == 3 && strcmp(argv[1], "bare") == 0;
	const int listener = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	const int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	socklen_t name_bytes = sizeof(name);
	struct identity *identity;
	struct ipp_error err;
	SSL_CTX *context;
	struct blob *blob;

	if (argc != 3 || (!bare && strcmp(argv[1], "link") != 0)) {
		fputs("usage: tls_stream bare|link MEGABYTES\n", stderr);
		return 1;
	}
	bytes = strtoul(argv[2], NULL, 10) << 20;
	if (identity_new(&identity, &err) < 0 || bind(listener, (void *)&name, name_bytes) < 0 ||
	    listen(listener, 1) < 0 || getsockname(listener, (void *)&name, &name_bytes) < 0)
		die("tls_stream");
	context = identity_tls_context(identity);
	if (fork() == 0) {
		const int accepted = accept(listener, NULL, NULL);

		close(fd); /* the parent's end */
		if (bare)
			bare_receive(accepted, SSL_new(context));
		else
			through_link(accepted, SSL_new(context), NULL);
		_exit(0);
	}
	blob = payload();
	if (connect(fd, (void *)&name, name_bytes) < 0)
		die("connect");
	printf("%.3f\n", bare ? bare_send(fd, SSL_new(context), blob)
			      : through_link(fd, SSL_new(context), blob));
	return 0;
}
