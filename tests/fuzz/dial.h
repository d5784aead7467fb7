/* tests/fuzz/dial.h - in place of proto/dial.c: whoever dials reaches the controller, a turn of the
 * loop later, on what dialled() returns. */
#ifndef IPP_TESTS_FUZZ_DIAL_H
#define IPP_TESTS_FUZZ_DIAL_H

#include "proto/dial.h"
#include "tests/fuzz/peer.h"

/* By the target: a descriptor that is joined to its controller.  `dialler` turns its other end. */
int dialled(struct event_base *dialler);

struct dial {
	dial_done_fn *done;
	void *owner;
	struct event *answer;
	struct event_base *base;
};

static void answer_cb(evutil_socket_t fd, short what, void *arg)
{
	struct dial *dial = arg;
	struct link *link = link_unix(dial->base, dialled(dial->base), NULL, NULL);

	(void)fd;
	(void)what;
	if (!link)
		abort();
	link_trust(link);
	dial->done(dial->owner, link, NULL);
}

struct dial *dial_start(struct event_base *base, const struct connection *connection,
			int timeout_ms, dial_done_fn *done, void *owner)
{
	struct dial *dial = malloc(sizeof(*dial));

	(void)connection;
	(void)timeout_ms;
	if (!dial)
		return NULL;
	*dial = (struct dial){.done = done, .owner = owner, .base = base};
	dial->answer = event_new(base, -1, 0, answer_cb, dial);
	event_active(dial->answer, 0, 0);
	return dial;
}

void dial_free(struct dial *dial)
{
	if (!dial)
		return;
	event_free(dial->answer);
	free(dial);
}

#endif
