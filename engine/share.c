#include "engine/share.h"

#include <event2/event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/connection.h"
#include "proto/error.h"
#include "proto/frame.h"
#include "proto/unix_socket.h"

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
	struct asker *askers;
	uint64_t latest; /* push that came */

	struct link *lead; /* whom we asked, or NULL */
	uint64_t wanted;
	struct event *failed; /* made active when it cannot be asked */
};

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

static void answer(struct asker *asker)
{
	struct share *share = asker->share;
	struct blob *payload = NULL;
	Ipp__Refuse refusal = IPP__REFUSE__INIT;
	const Ipp__Push *push = share->events->find(share->owner, asker->serial, &payload);

	if (!push && asker->serial > share->latest)
		return;
	asker->serial = 0;
	refusal.why = (char *)"it has another value by now";
	if (push)
		link_send(asker->link, FRAME_PUSH, &push->base, payload);
	else
		link_send(asker->link, FRAME_REFUSE, &refusal.base, NULL);
}

static void asker_frame(void *owner, struct link *link, const struct frame *frame)
{
	struct asker *asker = owner;
	Ipp__Share *question = frame->type == FRAME_SHARE
				       ? ipp__share__unpack(NULL, frame->head_bytes, frame->head)
				       : NULL;

	(void)link;
	if (!question) {
		asker_free(asker);
		return;
	}
	asker->serial = question->serial;
	ipp__share__free_unpacked(question, NULL);
	answer(asker);
}

static void asker_closed(void *owner, struct link *link, const struct ipp_error *why)
{
	(void)link;
	(void)why;
	asker_free(owner);
}

static const struct link_events asker_events = {.on_frame = asker_frame, .on_close = asker_closed};

static void accept_cb(evutil_socket_t fd, short what, void *arg)
{
	struct share *share = arg;
	const int peer = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
	struct asker *asker;

	(void)what;
	if (peer < 0)
		return;
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
		if (asker->serial > 0)
			answer(asker);
}

/* ---- the neighbour we ask ---- */

void share_give_up(struct share *share)
{
	link_free(share->lead);
	share->lead = NULL;
	share->wanted = 0;
}

static void finish(struct share *share, struct blob *payload)
{
	const uint64_t serial = share->wanted;

	share_give_up(share);
	share->events->on_fetched(share->owner, serial, payload);
}

static void lead_frame(void *owner, struct link *link, const struct frame *frame)
{
	(void)link;
	finish(owner, frame->type == FRAME_PUSH ? frame->payload : NULL);
}

static void lead_closed(void *owner, struct link *link, const struct ipp_error *why)
{
	(void)link;
	(void)why;
	finish(owner, NULL);
}

static const struct link_events lead_events = {.on_frame = lead_frame, .on_close = lead_closed};

static void failed_cb(evutil_socket_t fd, short what, void *arg)
{
	struct share *share = arg;

	(void)fd;
	(void)what;
	if (share->wanted > 0 && !share->lead)
		finish(share, NULL);
}

void share_fetch(struct share *share, const char *name, uint64_t serial)
{
	const int fd = unix_connect(name, NULL);
	Ipp__Share question = IPP__SHARE__INIT;

	share->wanted = serial;
	share->lead = fd < 0 ? NULL : link_unix(share->base, fd, &lead_events, share);
	if (!share->lead) {
		event_active(share->failed, 0, 0);
		return;
	}
	link_trust(share->lead);
	question.serial = serial;
	link_send(share->lead, FRAME_SHARE, &question.base, NULL);
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
	share->failed = event_new(base, -1, 0, failed_cb, share);
	if (share->acceptable && share->failed && event_add(share->acceptable, NULL) == 0)
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
	share_give_up(share);
	for (struct asker *asker = share->askers, *next; asker; asker = next) {
		next = asker->next;
		link_free(asker->link);
		free(asker);
	}
	if (share->acceptable)
		event_free(share->acceptable);
	if (share->failed)
		event_free(share->failed);
	if (share->fd >= 0)
		close(share->fd);
	free(share);
}

const char *share_name(const struct share *share)
{
	return share->name;
}
