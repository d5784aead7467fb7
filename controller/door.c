#include "controller/door.h"

#include <errno.h>
#include <event2/event.h>
#include <event2/listener.h>
#include <fcntl.h>
#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "controller/cluster.h"
#include "controller/setup.h"
#include "proto/descriptors.h"
#include "proto/dial.h"
#include "proto/error.h"
#include "proto/frame.h"
#include "proto/unix_socket.h"

#define PROOF_S 5	  /* to finish TLS and say HELLO */
#define STRANGERS_MAX 256 /* unproven at a time, of those that came over the network... */
#define STRANGERS_SHARE 4 /* ... and at most this part of all descriptors */
#define PAUSE_MS 20	  /* after descriptors or memory ran out, or too many intruders came */
/* In each pause: what they cost us is a few per cent of a core, however many there are. */
#define INTRUDERS_TCP_MAX 5    /* TLS handshakes that came to nothing */
#define INTRUDERS_UNIX_MAX 256 /* processes of other users */

struct stranger {
	struct stranger *next;
	struct door *door;
	struct link *link;
	struct event *deadline;
	bool over_tls;
	struct fingerprint fingerprint;
};

struct door {
	struct cluster *cluster;
	SSL_CTX *context;
	struct evconnlistener *unix_listener;
	struct evconnlistener *tcp_listeners[8];
	size_t n_tcp;
	struct stranger *strangers;
	size_t n_over_tls, over_tls_max; /* of them */
	bool full;			 /* no peer may have one descriptor more */
	unsigned intruders_tcp, intruders_unix;
	struct event *resume; /* the end of a pause, which begins with the first intruder */
};

static void pause_begin(struct door *door)
{
	const struct timeval pause = {.tv_usec = PAUSE_MS * 1000};

	if (!event_pending(door->resume, EV_TIMEOUT, NULL))
		event_add(door->resume, &pause);
}

/* Whom we do not let in now waits in the kernel's queue. */
static void tcp_let_in(struct door *door)
{
	const bool open = !door->full && door->n_over_tls < door->over_tls_max &&
			  door->intruders_tcp < INTRUDERS_TCP_MAX;

	for (size_t i = 0; i < door->n_tcp; i++)
		if (open)
			evconnlistener_enable(door->tcp_listeners[i]);
		else
			evconnlistener_disable(door->tcp_listeners[i]);
}

static void stranger_forget(struct stranger *stranger)
{
	struct stranger **at = &stranger->door->strangers;

	while (*at != stranger)
		at = &(*at)->next;
	*at = stranger->next;
	if (stranger->over_tls) {
		stranger->door->n_over_tls--;
		tcp_let_in(stranger->door);
	}
	event_free(stranger->deadline);
	free(stranger);
}

static void stranger_drop(struct stranger *stranger)
{
	if (stranger->over_tls) {
		stranger->door->intruders_tcp++;
		pause_begin(stranger->door);
	}
	link_free(stranger->link);
	stranger_forget(stranger);
}

static void stranger_refuse(struct stranger *stranger, const char *why)
{
	Ipp__Refuse refusal = IPP__REFUSE__INIT;

	refusal.why = (char *)why;
	link_send(stranger->link, FRAME_REFUSE, &refusal.base, NULL);
	link_finish(stranger->link);
	stranger_forget(stranger);
}

static void deadline_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	stranger_drop(arg);
}

static bool same(const struct fingerprint *a, const struct fingerprint *b)
{
	return CRYPTO_memcmp(a, b, sizeof(*a)) == 0;
}

/* Over TLS: the engines whose cards PMIx carried, or anyone who holds the key of the connection
 * file. */
static bool is_known(const struct setup *setup, const struct fingerprint *fingerprint)
{
	size_t rank = 0;

	if (setup->by_hand)
		return same(fingerprint, &setup->key_holder);
	while (rank < setup->n_ranks && !same(fingerprint, &setup->ranks[rank].fingerprint))
		rank++;
	return rank < setup->n_ranks;
}

static void on_secured(void *owner, struct link *link)
{
	struct stranger *stranger = owner;

	if (tls_peer(link_ssl(link), &stranger->fingerprint) < 0 ||
	    !is_known(stranger->door->cluster->setup, &stranger->fingerprint))
		stranger_drop(stranger);
}

/* Over TLS an engine is the rank whose certificate it has. */
static bool may_enter(const struct stranger *stranger, const Ipp__Hello *hello)
{
	const struct setup *setup = stranger->door->cluster->setup;

	if (!stranger->over_tls || setup->by_hand)
		return true;
	return hello->role != IPP__ROLE__CLIENT && hello->rank >= 0 &&
	       (size_t)hello->rank < setup->n_ranks &&
	       same(&stranger->fingerprint, &setup->ranks[hello->rank].fingerprint);
}

static void on_frame(void *owner, struct link *link, const struct frame *frame)
{
	struct stranger *stranger = owner;
	struct cluster *cluster = stranger->door->cluster;
	Ipp__Hello *hello = frame->type == FRAME_HELLO
				    ? ipp__hello__unpack(NULL, frame->head_bytes, frame->head)
				    : NULL;

	if (!hello) {
		stranger_refuse(stranger, "the first frame must be a HELLO");
		return;
	}
	if (!may_enter(stranger, hello)) {
		stranger_drop(stranger);
	} else if (strcmp(hello->job, cluster->setup->job) != 0) {
		stranger_refuse(stranger, "this controller is of another job");
	} else {
		stranger_forget(stranger);
		link_trust(link);
		cluster_admit(cluster, link, hello);
	}
	ipp__hello__free_unpacked(hello, NULL);
}

static void on_close(void *owner, struct link *link, const struct ipp_error *why)
{
	(void)link;
	(void)why;
	stranger_drop(owner);
}

static const struct link_events events = {
	.on_frame = on_frame,
	.on_close = on_close,
	.on_secured = on_secured,
};

/* For want of descriptors or memory: pause rather than spin. */
static void shut(struct door *door)
{
	door->full = true;
	evconnlistener_disable(door->unix_listener);
	tcp_let_in(door);
	pause_begin(door);
}

/* Takes `fd`; `ssl` is NULL on the Unix socket (takes). */
static void greet(struct door *door, int fd, SSL *ssl)
{
	const struct timeval proof = {.tv_sec = PROOF_S};
	struct stranger *stranger = calloc(1, sizeof(*stranger));
	struct event_base *base = door->cluster->base;

	if (!descriptors_allow(DESCRIPTORS_PEERS, fd))
		shut(door);
	if (!stranger) {
		SSL_free(ssl);
		close(fd);
		return;
	}
	*stranger = (struct stranger){
		.next = door->strangers, .door = door, .over_tls = ssl != NULL};
	stranger->deadline = event_new(base, -1, 0, deadline_cb, stranger);
	stranger->link = ssl ? link_tls(base, fd, ssl, true, &events, stranger)
			     : link_unix(base, fd, &events, stranger);
	if (!stranger->link || !stranger->deadline || event_add(stranger->deadline, &proof) < 0) {
		link_free(stranger->link);
		if (stranger->deadline)
			event_free(stranger->deadline);
		free(stranger);
		return;
	}
	door->strangers = stranger;
	if (!stranger->over_tls)
		return;
	door->n_over_tls++;
	tcp_let_in(door);
}

static void unix_cb(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address,
		    int bytes, void *arg)
{
	struct door *door = arg;

	(void)address;
	(void)bytes;
	if (unix_peer_is_ours(fd, NULL) == 0) {
		greet(door, fd, NULL);
		return;
	}
	close(fd);
	pause_begin(door);
	if (++door->intruders_unix >= INTRUDERS_UNIX_MAX)
		evconnlistener_disable(listener);
}

static void tcp_cb(struct evconnlistener *listener, evutil_socket_t fd, struct sockaddr *address,
		   int bytes, void *arg)
{
	struct door *door = arg;
	SSL *ssl = SSL_new(door->context);

	(void)listener;
	(void)address;
	(void)bytes;
	if (!ssl) {
		close(fd);
		return;
	}
	tcp_tune(fd);
	greet(door, fd, ssl);
}

static void accept_error_cb(struct evconnlistener *listener, void *arg)
{
	(void)listener;
	shut(arg);
}

static bool is_full(const struct door *door)
{
	const int fd = fcntl(evconnlistener_get_fd(door->unix_listener), F_DUPFD_CLOEXEC, 0);
	const bool full = fd < 0 || !descriptors_allow(DESCRIPTORS_PEERS, fd);

	if (fd >= 0)
		close(fd);
	return full;
}

static void resume_cb(evutil_socket_t fd, short what, void *arg)
{
	struct door *door = arg;

	(void)fd;
	(void)what;
	if (is_full(door)) {
		pause_begin(door);
		return;
	}
	door->full = false;
	door->intruders_tcp = door->intruders_unix = 0;
	evconnlistener_enable(door->unix_listener);
	tcp_let_in(door);
}

static struct evconnlistener *listen_on(struct door *door, int fd, evconnlistener_cb accepted)
{
	struct evconnlistener *listener;

	evutil_make_socket_nonblocking(fd);
	listener = evconnlistener_new(door->cluster->base, accepted, door,
				      LEV_OPT_CLOSE_ON_FREE | LEV_OPT_CLOSE_ON_EXEC, 0, fd);
	if (listener)
		evconnlistener_set_error_cb(listener, accept_error_cb);
	return listener;
}

static int open_tcp(struct door *door, const struct setup *setup, struct ipp_error *err)
{
	struct identity *identity;
	int rc = identity_from_pem(&identity, setup->identity_pem, err);

	if (rc < 0)
		return rc;
	door->context = identity_tls_context(identity);
	identity_free(identity);
	if (!door->context)
		return ipp_fail(err, ENOMEM, "ipp-controller: out of memory for TLS");
	for (size_t i = 0; i < setup->n_tcp_fds; i++) {
		door->tcp_listeners[i] = listen_on(door, setup->tcp_fds[i], tcp_cb);
		if (!door->tcp_listeners[i])
			return ipp_fail(err, ENOMEM,
					"ipp-controller: cannot listen on its TCP sockets");
		door->n_tcp++;
	}
	return 0;
}

/* Strangers must leave descriptors to those we work with. */
static size_t over_tls_max(void)
{
	const size_t share = descriptors_max() / STRANGERS_SHARE;

	return share < STRANGERS_MAX ? share : STRANGERS_MAX;
}

struct door *door_open(struct cluster *cluster, struct ipp_error *err)
{
	const struct setup *setup = cluster->setup;
	struct door *door = calloc(1, sizeof(*door));

	if (!door) {
		ipp_fail(err, ENOMEM, "ipp-controller: out of memory");
		return NULL;
	}
	door->cluster = cluster;
	door->over_tls_max = over_tls_max();
	door->resume = event_new(cluster->base, -1, 0, resume_cb, door);
	door->unix_listener = listen_on(door, setup->unix_fd, unix_cb);
	if (!door->resume || !door->unix_listener) {
		ipp_fail(err, ENOMEM, "ipp-controller: cannot listen on its Unix socket");
		goto fail;
	}
	if (setup->n_tcp_fds > 0 && open_tcp(door, setup, err) < 0)
		goto fail;
	return door;
fail:
	door_close(door);
	return NULL;
}

void door_close(struct door *door)
{
	if (!door)
		return;
	while (door->strangers)
		stranger_drop(door->strangers); /* NOLINT(clang-analyzer-unix.Malloc): unlinks it */
	if (door->unix_listener)
		evconnlistener_free(door->unix_listener);
	for (size_t i = 0; i < door->n_tcp; i++)
		evconnlistener_free(door->tcp_listeners[i]);
	if (door->resume)
		event_free(door->resume);
	SSL_CTX_free(door->context);
	free(door);
}
