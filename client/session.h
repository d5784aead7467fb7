/* client/session.h - what the functions of ipp/client.h share: a link and what is awaited on it. */
#ifndef IPP_CLIENT_SESSION_H
#define IPP_CLIENT_SESSION_H

#include <stdbool.h>

#include "client/ipp/client.h"
#include "proto/connection.h"
#include "proto/error.h"
#include "proto/frame.h"
#include "proto/link.h"

struct event;
struct event_base;
struct dial;

struct ipp_client {
	struct event_base *base;
	struct connection connection;
	struct dial *dial;
	struct link *link; /* NULL once it is lost */
	struct event *interrupt;
	int interrupt_fd; /* an eventfd */
	bool interrupted;
	bool goodbye;	       /* the cluster ended by intention */
	struct ipp_error lost; /* why there is no link */
	void (*notice)(const char *text);
	uint32_t number; /* ours, from the controller; 0 before its WELCOME */
	uint32_t requests;

	/* The frame types that the function which waits takes; returns false when it has enough. */
	bool (*take)(void *waiter, const struct frame *frame);
	void (*drained)(void *waiter);
	void *waiter;
	bool done;

	struct ipp_engine *engines;
	size_t n_engines;
	Ipp__Roster *roster; /* owns the names in engines */

	struct ipp_request_info *requests_seen;
	Ipp__Requests *requests_head; /* owns the texts in it */
	struct ipp_engine_status *statuses;
	struct ipp_status status;
	Ipp__Status *status_head; /* likewise */
};

/* Turn the loop until `take` returns false.  0; -EINTR when interrupted and `interruptible`;
 * -ECONNRESET when the link is lost. */
int session_wait(struct ipp_client *client, bool (*take)(void *waiter, const struct frame *frame),
		 void (*drained)(void *waiter), void *waiter, bool interruptible,
		 struct ipp_error *err);

/* End the wait from within a callback. */
void session_enough(struct ipp_client *client);

uint64_t session_request(struct ipp_client *client); /* a fresh id */

#endif
