#include "proto/dial.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/util.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/connection.h"
#include "proto/error.h"
#include "proto/link.h"
#include "proto/unix_socket.h"

struct attempt {
	struct dial *dial;
	struct link *link;
};

struct dial {
	struct event_base *base;
	const struct connection *connection;
	dial_done_fn *done;
	void *owner;
	struct event *next; /* time for the next address, or for the outcome of the Unix socket */
	struct event *deadline;
	SSL_CTX *context;
	struct attempt *attempts; /* one an address */
	size_t n_started, n_failed;
	struct link *winner;
	struct ipp_error why; /* of the latest failure */
	bool over;
};

void tcp_tune(int fd)
{
	static const struct {
		int level, name, value;
	} options[] = {
		{IPPROTO_TCP, TCP_NODELAY, 1},	{SOL_SOCKET, SO_KEEPALIVE, 1},
		{IPPROTO_TCP, TCP_KEEPIDLE, 4}, {IPPROTO_TCP, TCP_KEEPINTVL, 2},
		{IPPROTO_TCP, TCP_KEEPCNT, 3},	{IPPROTO_TCP, TCP_USER_TIMEOUT, 10000},
	};

	for (size_t i = 0; i < sizeof(options) / sizeof(options[0]); i++)
		setsockopt(fd, options[i].level, options[i].name, &options[i].value, sizeof(int));
}

static void finish(struct dial *dial, struct link *winner)
{
	if (dial->over)
		return;
	dial->over = true;
	for (size_t i = 0; i < dial->n_started; i++) {
		if (dial->attempts[i].link != winner)
			link_free(dial->attempts[i].link);
		dial->attempts[i].link = NULL;
	}
	event_del(dial->next);
	event_del(dial->deadline);
	dial->done(dial->owner, winner, &dial->why);
}

static void attempt_failed(struct dial *dial)
{
	dial->n_failed++;
	if (dial->n_failed == dial->connection->n_addresses)
		finish(dial, NULL);
	else if (dial->n_failed == dial->n_started)
		event_active(dial->next, EV_TIMEOUT, 0); /* nothing under way: do not wait */
}

static void secured(void *owner, struct link *link)
{
	struct attempt *attempt = owner;
	struct dial *dial = attempt->dial;
	struct fingerprint peer;

	if (tls_peer(link_ssl(link), &peer) == 0 &&
	    CRYPTO_memcmp(&peer, &dial->connection->fingerprint, sizeof(peer)) == 0) {
		link_trust(link);
		finish(dial, link);
		return;
	}
	ipp_fail(
		&dial->why, EPERM,
		"slurm-ipp: %s is not our controller: its certificate is another's: remove its connection file, and start the cluster again",
		dial->connection->addresses[attempt - dial->attempts]);
	attempt->link = NULL;
	link_free(link);
	attempt_failed(dial);
}

static void attempt_closed(void *owner, struct link *link, const struct ipp_error *why)
{
	struct attempt *attempt = owner;
	struct dial *dial = attempt->dial;
	static const char us[] = "slurm-ipp: ";
	const bool named = strncmp(why->text, us, sizeof(us) - 1) == 0;

	ipp_fail(&dial->why, why->code ? why->code : ECONNRESET,
		 "%scannot reach the controller at %s: %.300s", us,
		 dial->connection->addresses[attempt - dial->attempts],
		 why->text + (named ? sizeof(us) - 1 : 0));
	attempt->link = NULL;
	link_free(link);
	attempt_failed(dial);
}

static void early_frame(void *owner, struct link *link, const struct frame *frame)
{
	struct ipp_error err;

	(void)frame;
	ipp_fail(&err, EPROTO, "the peer spoke before it was spoken to");
	attempt_closed(owner, link, &err);
}

static const struct link_events attempt_events = {
	.on_frame = early_frame,
	.on_close = attempt_closed,
	.on_secured = secured,
};

static int start_attempt(struct dial *dial, struct attempt *attempt, const char *address)
{
	struct sockaddr_storage to;
	int to_bytes = sizeof(to);
	SSL *ssl;
	int fd;

	attempt->dial = dial;
	if (evutil_parse_sockaddr_port(address, (struct sockaddr *)&to, &to_bytes) < 0)
		return ipp_fail(&dial->why, EINVAL, "slurm-ipp: '%s' is not an address with a port",
				address);
	fd = socket(to.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
	if (fd < 0)
		return ipp_fail(&dial->why, errno, "slurm-ipp: cannot make a socket: %m");
	tcp_tune(fd);
	if (connect(fd, (struct sockaddr *)&to, (socklen_t)to_bytes) < 0 && errno != EINPROGRESS) {
		ipp_fail(&dial->why, errno, "slurm-ipp: cannot reach the controller at %s: %m",
			 address);
		close(fd);
		return -dial->why.code;
	}
	ssl = SSL_new(dial->context);
	if (!ssl) {
		close(fd);
		return ipp_fail(&dial->why, ENOMEM, "slurm-ipp: out of memory for TLS");
	}
	attempt->link = link_tls(dial->base, fd, ssl, false, &attempt_events, attempt);
	return attempt->link ? 0 : ipp_fail(&dial->why, ENOMEM, "slurm-ipp: out of memory for TLS");
}

static int make_context(struct dial *dial)
{
	struct identity *identity;
	int rc;

	if (!dial->connection->identity_pem)
		return ipp_fail(
			&dial->why, EPERM,
			"slurm-ipp: the controller's certificate is known but none to show it");
	rc = identity_from_pem(&identity, dial->connection->identity_pem, &dial->why);
	if (rc < 0)
		return rc;
	dial->context = identity_tls_context(identity);
	identity_free(identity);
	return dial->context ? 0 : ipp_fail(&dial->why, ENOMEM, "slurm-ipp: out of memory for TLS");
}

static void next_address(struct dial *dial)
{
	const struct connection *connection = dial->connection;
	const struct timeval stagger = {.tv_usec = DIAL_STAGGER_MS * 1000};

	if (connection->n_addresses == 0 || (!dial->context && make_context(dial) < 0)) {
		finish(dial, NULL);
		return;
	}
	if (dial->n_started < connection->n_addresses) {
		const size_t i = dial->n_started++;

		event_add(dial->next, &stagger);
		if (start_attempt(dial, &dial->attempts[i], connection->addresses[i]) < 0)
			attempt_failed(dial);
	}
}

static const struct link_events nobody;

/* The Unix socket first: it answers or refuses at once. */
static void next_cb(evutil_socket_t fd, short what, void *arg)
{
	struct dial *dial = arg;
	struct link *link;

	(void)what;
	if (dial->n_started > 0) {
		next_address(dial);
		return;
	}
	fd = unix_connect(dial->connection->unix_name, &dial->why);
	if (fd < 0) {
		if (dial->connection->n_addresses > 0) /* it is on another node, then */
			dial->why = (struct ipp_error){0};
		next_address(dial);
		return;
	}
	link = link_unix(dial->base, fd, &nobody, NULL);
	if (link)
		link_trust(link);
	else
		ipp_fail(&dial->why, ENOMEM, "slurm-ipp: out of memory for a link");
	finish(dial, link);
}

static void deadline_cb(evutil_socket_t fd, short what, void *arg)
{
	struct dial *dial = arg;

	(void)fd;
	(void)what;
	if (!dial->why.code)
		ipp_fail(
			&dial->why, ETIMEDOUT,
			"slurm-ipp: the controller on %s did not answer in time: is it stopped, or its node overloaded?",
			dial->connection->host);
	finish(dial, NULL);
}

struct dial *dial_start(struct event_base *base, const struct connection *connection,
			int timeout_ms, dial_done_fn *done, void *owner)
{
	const struct timeval timeout = {timeout_ms / 1000, timeout_ms % 1000 * 1000};
	struct dial *dial = calloc(1, sizeof(*dial));

	if (!dial)
		return NULL;
	*dial = (struct dial){.base = base, .connection = connection, .done = done, .owner = owner};
	dial->attempts = calloc(connection->n_addresses + 1, sizeof(*dial->attempts));
	dial->next = event_new(base, -1, 0, next_cb, dial);
	dial->deadline = event_new(base, -1, 0, deadline_cb, dial);
	if (!dial->attempts || !dial->next || !dial->deadline ||
	    event_add(dial->deadline, &timeout) < 0) {
		dial->over = true;
		dial_free(dial);
		return NULL;
	}
	event_active(dial->next, EV_TIMEOUT, 0);
	return dial;
}

void dial_free(struct dial *dial)
{
	if (!dial)
		return;
	if (!dial->over)
		for (size_t i = 0; i < dial->n_started; i++)
			link_free(dial->attempts[i].link);
	if (dial->next)
		event_free(dial->next);
	if (dial->deadline)
		event_free(dial->deadline);
	SSL_CTX_free(dial->context);
	free(dial->attempts);
	free(dial);
}
