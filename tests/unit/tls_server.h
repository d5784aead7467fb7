/* tests/unit/tls_server.h - a controller's end of TLS on loopback, and the connection that names
 * it. Who comes is a peer of wire.h. */
#ifndef IPP_TESTS_TLS_SERVER_H
#define IPP_TESTS_TLS_SERVER_H

#include <arpa/inet.h>
#include <event2/listener.h>
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <stdio.h>

#include "proto/connection.h"
#include "proto/identity.h"
#include "tests/unit/wire.h"

static struct event_base *base;
static struct identity *server_identity, *client_identity;
static SSL_CTX *server_context;
static struct evconnlistener *listener;
static struct peer *server; /* of the connection accepted last */
static struct connection connection;
static char address[64], *addresses[4];
static struct ipp_error err;

static struct peer *others[16]; /* accepted before */
static size_t n_others;

static inline void accepted(struct evconnlistener *which, evutil_socket_t fd, struct sockaddr *from,
			    int n, void *arg)
{
	(void)which;
	(void)from;
	(void)n;
	(void)arg;
	if (server)
		others[n_others++] = server;
	server = calloc(1, sizeof(*server));
	server->link = link_tls(base, fd, SSL_new(server_context), true, &peer_events, server);
	link_trust(server->link);
}

static inline uint16_t port_of(int fd)
{
	struct sockaddr_in name;
	socklen_t bytes = sizeof(name);

	assert_int_equal(getsockname(fd, (struct sockaddr *)&name, &bytes), 0);
	return ntohs(name.sin_port);
}

static inline void server_open(void)
{
	struct sockaddr_in any = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};

	base = event_base_new();
	assert_int_equal(identity_new(&server_identity, &err), 0);
	assert_int_equal(identity_new(&client_identity, &err), 0);
	server_context = identity_tls_context(server_identity);
	listener = evconnlistener_new_bind(base, accepted, NULL,
					   LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 16,
					   (struct sockaddr *)&any, sizeof(any));
	sprintf(address, "127.0.0.1:%u", port_of(evconnlistener_get_fd(listener)));
	addresses[0] = address;
	connection = (struct connection){.job = (char *)"1",
					 .host = (char *)"n1",
					 .unix_name = (char *)"slurm-ipp/test/nobody",
					 .addresses = addresses,
					 .n_addresses = 1,
					 .fingerprint = identity_fingerprint(server_identity),
					 .identity_pem = identity_pem(client_identity)};
}

static inline void server_close(void)
{
	if (server)
		peer_free(server);
	while (n_others > 0)
		peer_free(others[--n_others]);
	server = NULL;
	evconnlistener_free(listener);
	SSL_CTX_free(server_context);
	identity_free(server_identity);
	identity_free(client_identity);
	free(connection.identity_pem);
	event_base_free(base);
}

#endif
