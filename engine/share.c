#include "engine/share.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/connection.h"
#include "proto/error.h"
#include "proto/frame.h"
#include "proto/unix_socket.h"

/* A lead may wait for its bytes for long, but answers at once that it does: one that was asked so
 * often, so many seconds apart, and said nothing is stopped. */
#define ASK_S 1
#define UNHEARD_MAX 3

/* A neighbour that connected to us. */
struct asker {
	struct asker *next;
	struct share *share;
	struct link *link;
	uint64_t serial; /* what it waits for; 0: it has not asked */
};

struct share {
	struct event_base *base;
	const struct share_events *events;
	void *owner;
	char name[CONNECTION_NAME_BYTES];
	int fd;
	struct event *acceptable;
	struct event *resume; /* accepting */
	struct asker *askers;
	uint64_t latest; /* number that came */

	struct link *lead; /* whom we asked, or NULL */
	uint64_t wanted;
	unsigned n_unheard;  /* times that we asked since it answered */
	struct event *again; /* time to ask again; active at once when it cannot be asked */
};

static const struct timeval accept_pause = {.tv_usec = 200000};
static const struct timeval ask_again = {.tv_sec = ASK_S};

/* ---- neighbours that ask us ---- */

static void asker_free(struct asker *asker)
{
	struct asker **at = &asker->share->askers;

	while (*at != asker)
		at = &(*at)->next;
	*at = asker->next;
	link_free(asker->link);
	free(asker);
}

static void say(struct link *link, uint64_t serial, struct blob *payload)
{
	Ipp__Share share = IPP__SHARE__INIT;

	share.serial = serial;
	link_send(link, FRAME_SHARE, &share.base, payload);
}

/* What it waits for has come, or never will. */
static void answer(struct asker *asker)
{
	struct share *share = asker->share;
	struct blob *payload = share->events->find(share->owner, asker->serial);
	Ipp__Refuse refusal = IPP__REFUSE__INIT;

	refusal.why = (char *)"it is not here any more";
	if (payload)
		say(asker->link, asker->serial, payload);
	else
		link_send(asker->link, FRAME_REFUSE, &refusal.base, NULL);
	asker->serial = 0;
}

static void asker_frame(void *owner, struct link *link, const struct frame *frame)
{
	struct asker *asker = owner;
	Ipp__Share *question = frame->type == FRAME_SHARE
				       ? ipp__share__unpack(NULL, frame->head_bytes, frame->head)
				       : NULL;

	if (!question) {
		asker_free(asker);
		return;
	}
	asker->serial = question->serial;
	ipp__share__free_unpacked(question, NULL);
	if (asker->serial > asker->share->latest)
		say(link, asker->serial, NULL); /* we are alive, and it is still to come */
	else
		answer(asker);
}

static void asker_closed(void *owner, struct link *link, const struct ipp_error *why)
{
	(void)link;
	(void)why;
	asker_free(owner);
}

static const struct link_events asker_events = {.on_frame = asker_frame, .on_close = asker_closed};

/* For want of descriptors or memory: pause rather than spin. */
static void resume_cb(evutil_socket_t fd, short what, void *arg)
{
	struct share *share = arg;

	(void)fd;
	(void)what;
	event_add(share->acceptable, NULL);
}

static void accept_cb(evutil_socket_t fd, short what, void *arg)
{
	struct share *share = arg;
	const int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct asker *asker;

	(void)what;
	if (peer < 0) {
		if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
			event_del(share->acceptable);
			event_add(share->resume, &accept_pause);
		}
		return;
	}
	asker = unix_peer_is_ours(peer, NULL) == 0 ? calloc(1, sizeof(*asker)) : NULL;
	if (!asker) {
		close(peer);
		return;
	}
	*asker = (struct asker){.next = share->askers, .share = share};
	asker->link = link_unix(share->base, peer, &asker_events, asker);
	if (!asker->link) {
		free(asker);
		return;
	}
	link_trust(asker->link);
	share->askers = asker;
}

void share_arrived(struct share *share, uint64_t serial)
{
	if (share->latest < serial)
		share->latest = serial;
	for (struct asker *asker = share->askers; asker; asker = asker->next)
		if (asker->serial > 0 && asker->serial <= serial)
			answer(asker);
}

/* ---- the neighbour we ask ---- */

void share_give_up(struct share *share)
{
	link_free(share->lead);
	share->lead = NULL;
	share->wanted = 0;
	event_del(share->again);
}

static void finish(struct share *share, struct blob *payload)
{
	const uint64_t serial = share->wanted;

	share_give_up(share);
	share->events->on_fetched(share->owner, serial, payload);
}

static void lead_frame(void *owner, struct link *link, const struct frame *frame)
{
	struct share *share = owner;

	(void)link;
	if (frame->type == FRAME_SHARE && !frame->payload)
		share->n_unheard = 0; /* it is still to come */
	else
		finish(share, frame->type == FRAME_SHARE ? frame->payload : NULL);
}

static void lead_closed(void *owner, struct link *link, const struct ipp_error *why)
{
	(void)link;
	(void)why;
	finish(owner, NULL);
}

static const struct link_events lead_events = {.on_frame = lead_frame, .on_close = lead_closed};

static void ask(struct share *share)
{
	share->n_unheard++;
	say(share->lead, share->wanted, NULL);
	event_add(share->again, &ask_again);
}

static void again_cb(evutil_socket_t fd, short what, void *arg)
{
	struct share *share = arg;

	(void)fd;
	(void)what;
	if (share->lead && share->n_unheard < UNHEARD_MAX)
		ask(share);
	else
		finish(share, NULL);
}

void share_fetch(struct share *share, const char *name, uint64_t serial)
{
	const int fd = unix_connect(name, NULL);

	share->wanted = serial;
	share->n_unheard = 0;
	share->lead = fd < 0 ? NULL : link_unix(share->base, fd, &lead_events, share);
	if (!share->lead) {
		event_active(share->again, 0, 0);
		return;
	}
	link_trust(share->lead);
	ask(share);
}

/* ---- open and close ---- */

struct share *share_open(struct event_base *base, const char *job,
			 const struct share_events *events, void *owner, struct ipp_error *err)
{
	struct share *share = calloc(1, sizeof(*share));

	if (!share) {
		ipp_fail(err, ENOMEM, "out of memory");
		return NULL;
	}
	*share = (struct share){.base = base, .events = events, .owner = owner};
	connection_name(share->name, job);
	share->fd = unix_listen(share->name, err);
	if (share->fd < 0)
		goto fail;
	share->acceptable = event_new(base, share->fd, EV_READ | EV_PERSIST, accept_cb, share);
	share->resume = event_new(base, -1, 0, resume_cb, share);
	share->again = event_new(base, -1, 0, again_cb, share);
	if (share->acceptable && share->resume && share->again &&
	    event_add(share->acceptable, NULL) == 0)
		return share;
	ipp_fail(err, ENOMEM, "out of memory");
fail:
	share_close(share);
	return NULL;
}

void share_close(struct share *share)
{
	if (!share)
		return;
	link_free(share->lead);
	for (struct asker *asker = share->askers, *next; asker; asker = next) {
		next = asker->next;
		link_free(asker->link);
		free(asker);
	}
	if (share->acceptable)
		event_free(share->acceptable);
	if (share->resume)
		event_free(share->resume);
	if (share->again)
		event_free(share->again);
	if (share->fd >= 0)
		close(share->fd);
	free(share);
}

const char *share_name(const struct share *share)
{
	return share->name;
}
