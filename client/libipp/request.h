/* client/libipp/request.h - what was submitted: its items go out (items_out.h), its results come in
 * (results_in.h), and it ends.
 *
 * Thread: the client's. */
#ifndef IPP_CLIENT_LIBIPP_REQUEST_H
#define IPP_CLIENT_LIBIPP_REQUEST_H

#include <stdbool.h>
#include <stdint.h>

#include "client/ipp/client.h"
#include "client/libipp/arrival.h"
#include "client/libipp/failures.h"
#include "client/libipp/slots.h"
#include "proto/error.h"

struct event;
struct frame;
struct outgoing;

/* Items sent and without a result: bounds memory in the controller. */
#define REQUEST_WINDOW 65536

struct ipp_request {
	struct ipp_request *next; /* in the client's list, until it is over */
	struct ipp_client *client;
	uint64_t id;
	int (*next_item)(void *owner, struct ipp_value *item);
	int (*done)(void *owner, const struct ipp_result *result);
	int (*known)(void *owner, uint64_t index);
	int (*arrived)(void *owner, const struct ipp_result *result);
	int (*pause)(void *owner);
	void *owner;
	struct event *readable; /* more items may be there; NULL until it was needed */
	int items_fd;
	bool unordered, detached;
	enum ipp_work work;
	char *name;		  /* of the variable; NULL where it is about none */
	struct failures failures; /* of an errand */
	uint64_t window;	  /* items sent and not taken; 0: no bound, results wait for ever */

	struct outgoing *outgoing; /* NULL: a direct view, or all is sent */
	bool all_sent;		   /* n_sent is the total */
	bool pumping, reporting;   /* in a callback of the owner's */
	uint64_t n_sent, n_ended, n_taken;
	uint64_t item_bytes; /* of those between */

	struct slots slots; /* of items first .. n_sent - 1 */
	uint64_t first;

	struct arrival *queue, **queue_end; /* unordered: with results to take */
	size_t queue_taken;		    /* of the first of them */
	struct arrival *fresh, **fresh_end; /* with results to tell arrived() of */
	size_t fresh_taken;		    /* likewise */
	struct arrival *held;		    /* of the result that was given last */
	struct waiting_room waiting;	    /* of a map's in input order */
	struct ipp_result result;

	bool over; /* nothing more comes */
	int rc;	   /* how it ended */
	struct ipp_error why;
};

/* Submit a copy of `as` (gives *out): begin() sends it, or says what is wrong. */
int request_submit(struct ipp_client *client, const struct ipp_request *as,
		   int (*begin)(struct ipp_request *request, const void *what,
				struct ipp_error *err),
		   const void *what, struct ipp_request **out, struct ipp_error *err);

/* It is over, for request->why or for what a callback of the owner's has said; the controller is
 * told. */
void request_fail(struct ipp_request *request, int rc);

/* It is over if every result came, and was given where the owner wants to be called. */
void request_end_if_complete(struct ipp_request *request);

/* How it ended; a callback of the owner's that ended it has filled *err itself. */
int request_verdict(const struct ipp_request *request, struct ipp_error *err);

/* ---- what session.c tells the requests of a client ---- */

/* Whether the frame was about one of them: RESULTS or ENDED. */
bool requests_take(struct ipp_client *client, const struct frame *frame);

/* There is room for more items on the link. */
void requests_pump(struct ipp_client *client);

/* Hosts of engines that results wait for may be known by now. */
void requests_report(struct ipp_client *client);

/* ipp_drain(): its maps begin nothing more; and what they still run is given up. */
void requests_drain(struct ipp_client *client);
void requests_give_up(struct ipp_client *client);

/* The link is lost (client->lost says why), or the client is about to be freed. */
void requests_lose(struct ipp_client *client);

#endif
