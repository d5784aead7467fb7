/* client/libipp/session.h - what the functions of ipp/client.h share: a link and what is awaited on
 * it. */
#ifndef IPP_CLIENT_LIBIPP_SESSION_H
#define IPP_CLIENT_LIBIPP_SESSION_H

#include <signal.h>
#include <stdbool.h>

#include "client/ipp/client.h"
#include "proto/alert.h"
#include "proto/connection.h"
#include "proto/error.h"
#include "proto/frame.h"
#include "proto/link.h"

struct event;
struct event_base;
struct dial;
struct host;
struct module_file;

#define SESSION_TIMEOUT_MS 60000 /* to reach a cluster or to start one */

struct ipp_client {
	struct event_base *base;
	struct connection connection;
	struct dial *dial;
	struct link *link; /* NULL once it is lost */
	struct event *interrupt;
	int interrupt_fd; /* an eventfd */
	bool interrupted;
	bool draining;			/* maps begin nothing more */
	volatile sig_atomic_t drain_ms; /* ipp_drain()'s limit */
	struct event *drained_late;	/* it has passed */
	bool by_file;			/* the file in ~/.slurm-ipp led to the cluster */
	bool goodbye;			/* the cluster ended by intention */
	struct ipp_error lost;		/* why there is no link */
	void (*notice)(const char *text);
	struct event *timer; /* of a wait with a deadline */
	uint32_t number;     /* ours, from the controller; 0 before its WELCOME */
	uint32_t n_requests; /* so far */
	uint64_t n_fetches;  /* likewise */
	struct alert alert;  /* since the last request was numbered */

	/* The frame types that the function which waits takes; returns false when it has enough. */
	bool (*take)(void *waiter, const struct frame *frame);
	void *waiter;
	bool done;

	struct ipp_request *requests, **requests_end; /* not over, oldest first */

	struct ipp_engine *engines;
	Ipp__Roster *roster; /* owns the names in engines */
	unsigned rosters_awaited;
	const char **hosts; /* by rank; NULL: not heard of */
	size_t n_hosts;
	struct host *host_names;
	uint32_t unknown_rank; /* whose host is being asked for; UINT32_MAX: nobody's */

	struct module_file *module; /* the one that was sent last */

	struct ipp_request_info *requests_seen;
	Ipp__Requests *requests_head; /* owns the texts in it */
	struct ipp_engine_status *statuses;
	struct ipp_status status;
	Ipp__Status *status_head; /* likewise */
};

/* Turn the loop until `take` returns false.  0; -EINTR when interrupted; -ECONNRESET when the link
 * is lost. */
int session_wait(struct ipp_client *client, bool (*take)(void *waiter, const struct frame *frame),
		 void *waiter, struct ipp_error *err);

/* Turn the loop until is_so(what), or for `timeout_ms` (-1: for ever).  0, -ETIMEDOUT, -EINTR after
 * ipp_interrupt(), or -ECONNRESET when the link is lost. */
int session_until(struct ipp_client *client, bool (*is_so)(const void *what), const void *what,
		  int timeout_ms, struct ipp_error *err);

/* Do what can be done without waiting. */
void session_turn(struct ipp_client *client);

/* The link is of no more use: note why, and end what depends on it. */
void session_lose(struct ipp_client *client, const char *why);

uint64_t session_request(struct ipp_client *client); /* a fresh id */

#endif
