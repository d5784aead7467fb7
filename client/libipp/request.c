#include "client/libipp/request.h"

#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "client/libipp/arrival.h"
#include "client/libipp/call.h"
#include "client/libipp/engines.h"
#include "client/libipp/outgoing.h"
#include "client/libipp/session.h"

/* Items sent and without a result, and bytes of their texts: bounds memory in the controller. */
#define WINDOW 65536
#define WINDOW_BYTES (64u << 20)
/* How far a result may be ahead of the slowest one where they are taken as they come. */
#define SPREAD_MAX (4u << 20)
#define BACKLOG_MAX (4u << 20)
#define SLOTS_MIN 16

/* One item on its way, and then its result. */
struct slot {
	struct arrival *arrival; /* one of its users is this slot; in input order only */
	int64_t submitted_us;
	uint32_t which; /* result of the arrival, from 1; 0: none yet */
	uint32_t item_bytes;
};

struct ipp_request {
	struct ipp_request *next; /* in the client's list, until it is over */
	struct ipp_client *client;
	uint64_t id;
	int (*next_item)(void *owner, struct ipp_value *item);
	int (*done)(void *owner, const struct ipp_result *result);
	void (*pause)(void *owner);
	void *owner;
	struct event *readable; /* more items may be there; NULL until next() had none */
	int items_fd;
	bool unordered, detached;
	uint64_t window; /* items sent and not taken; 0: no bound, results wait for ever */

	struct outgoing *outgoing; /* NULL: a direct view, or all is sent */
	bool all_sent;		   /* n_sent is the total */
	bool pumping, reporting;   /* in a callback of the owner's */
	uint64_t n_sent, n_ended, n_taken;
	uint64_t item_bytes; /* of those between */

	struct slot *slots; /* of items first .. n_sent - 1, at their index modulo n_slots */
	size_t n_slots;
	uint64_t first;

	struct arrival *queue, **queue_end; /* unordered: with results to take */
	size_t queue_taken;		    /* of the first of them */
	struct arrival *held;		    /* of the result that was given last */
	struct waiting_room waiting;	    /* of a map's in input order */
	struct ipp_result result;

	bool over; /* nothing more comes */
	int rc;	   /* how it ended */
	struct ipp_error why;
};

static int64_t realtime_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
}

/* ---- its end ---- */

static void leave_list(struct ipp_request *request)
{
	struct ipp_request **at = &request->client->requests;

	while (*at != request)
		at = &(*at)->next;
	*at = request->next;
	if (!*at)
		request->client->requests_end = at;
}

static void end(struct ipp_request *request, int rc)
{
	if (request->over)
		return;
	request->over = true;
	request->rc = rc;
	outgoing_free(request->outgoing);
	request->outgoing = NULL;
	if (request->readable)
		event_free(request->readable);
	request->readable = NULL;
	leave_list(request);
}

static void send_cancel(const struct ipp_request *request)
{
	Ipp__Cancel cancelled = IPP__CANCEL__INIT;
	struct link *link = request->client->link;

	cancelled.request = request->id;
	if (!link)
		return;
	link_send(link, FRAME_CANCEL, &cancelled.base, NULL);
	link_flush(link);
}

/* From our side, for request->why or for what a callback of the owner's has said. */
static void fail(struct ipp_request *request, int rc)
{
	if (request->over)
		return;
	send_cancel(request);
	end(request, rc);
}

/* Every result came, and was given where the owner wants to be called. */
static void end_if_complete(struct ipp_request *request)
{
	if (request->all_sent &&
	    (request->detached || (request->n_ended == request->n_sent &&
				   (!request->done || request->n_taken == request->n_sent))))
		end(request, 0);
}

/* ---- slots ---- */

static struct slot *slot_of(const struct ipp_request *request, uint64_t index)
{
	return &request->slots[index & (request->n_slots - 1)];
}

/* Room for `n` items from `first` on. */
static int make_slots(struct ipp_request *request, uint64_t n)
{
	const struct ipp_request before = *request;
	size_t n_slots = before.n_slots ? before.n_slots : SLOTS_MIN;

	while (n_slots < n)
		n_slots *= 2;
	if (n_slots == before.n_slots)
		return 0;
	request->slots = calloc(n_slots, sizeof(*request->slots));
	if (!request->slots) {
		request->slots = before.slots;
		return ipp_fail(&request->why, ENOMEM, "out of memory for %" PRIu64 " results", n);
	}
	request->n_slots = n_slots;
	for (uint64_t i = before.first; i < before.n_sent; i++)
		*slot_of(request, i) = *slot_of(&before, i);
	free(before.slots);
	return 0;
}

static int add_slot(struct ipp_request *request, uint32_t item_bytes, int64_t now_us)
{
	int rc = 0;

	if (request->detached) {
		request->n_sent++;
		return 0;
	}
	rc = make_slots(request, request->n_sent + 1 - request->first);
	if (rc < 0)
		return rc;
	*slot_of(request, request->n_sent++) = (struct slot){.submitted_us = now_us,
							     .item_bytes = item_bytes};
	request->item_bytes += item_bytes;
	return 0;
}

/* ---- items out ---- */

static uint64_t outstanding(const struct ipp_request *request)
{
	return request->n_sent - (request->window ? request->n_taken : request->n_ended);
}

static bool has_room(const struct ipp_request *request)
{
	const uint64_t window = request->window ? request->window : WINDOW;

	if (request->detached) /* whose results do not come here */
		return link_backlog(request->client->link) < BACKLOG_MAX;
	return outstanding(request) < window && request->item_bytes < WINDOW_BYTES &&
	       request->n_sent - request->n_ended < WINDOW &&
	       (request->window == 0 || request->n_sent - request->first < SPREAD_MAX) &&
	       link_backlog(request->client->link) < BACKLOG_MAX;
}

/* Refill in large steps, not item by item. */
static bool wants_items(const struct ipp_request *request)
{
	const uint64_t window = request->window ? request->window : WINDOW;

	return request->outgoing && !request->pumping && !request->over && request->client->link &&
	       (request->detached ||
		(outstanding(request) <= window / 2 && request->item_bytes <= WINDOW_BYTES / 2));
}

/* Ask for an item and send it, or the end. 1: there may be more; 0 or a negative errno: not. */
static int send_item(struct ipp_request *request, int64_t now_us)
{
	struct ipp_value item = {.kind = IPP_NONE};
	struct link *link = request->client->link;
	int rc = request->next_item(request->owner, &item);

	if (rc < 0 || request->over)
		return rc < 0 ? rc : 0;
	if (rc == 0) {
		request->all_sent = true;
		return outgoing_end(request->outgoing, link, &request->why);
	}
	rc = outgoing_add(request->outgoing, link, &item, &request->why);
	if (rc == 0)
		rc = add_slot(request, item.kind == IPP_TEXT ? (uint32_t)item.bytes : 0, now_us);
	return rc < 0 ? rc : 1;
}

static void pump(struct ipp_request *request);

static void readable_cb(evutil_socket_t fd, short what, void *arg)
{
	(void)fd;
	(void)what;
	pump(arg);
}

static int await_items(struct ipp_request *request)
{
	if (!request->readable)
		request->readable = event_new(request->client->base, request->items_fd, EV_READ,
					      readable_cb, request);
	if (request->readable && event_add(request->readable, NULL) == 0)
		return 0;
	return ipp_fail(&request->why, EINVAL, "descriptor %d cannot be waited for",
			request->items_fd);
}

static void pump(struct ipp_request *request)
{
	const int64_t now_us = wants_items(request) ? realtime_us() : 0;
	int rc = 1;

	if (now_us == 0)
		return;
	request->why.code = 0;
	request->pumping = true;
	while (rc == 1 && has_room(request))
		rc = send_item(request, now_us);
	request->pumping = false;
	if (rc == 1 || rc == -EAGAIN) {
		const bool wait = rc == -EAGAIN;

		rc = outgoing_send(request->outgoing, request->client->link, &request->why);
		if (rc == 0 && wait)
			rc = await_items(request);
	}
	if (rc < 0)
		fail(request, rc);
	else if (request->all_sent)
		end_if_complete(request);
	if (request->all_sent) {
		outgoing_free(request->outgoing);
		request->outgoing = NULL;
	}
}

void requests_pump(struct ipp_client *client)
{
	for (struct ipp_request *request = client->requests, *next; request; request = next) {
		next = request->next;
		pump(request);
	}
}

/* ---- results in ---- */

static void forget_item(struct ipp_request *request, uint32_t item_bytes)
{
	request->item_bytes -= item_bytes;
}

/* The next result to give, in *arrival and *which; false when there is none yet. */
static bool peek(const struct ipp_request *request, struct arrival **arrival, size_t *which)
{
	const struct slot *slot;

	if (request->detached)
		return false;
	if (request->unordered) {
		*arrival = request->queue;
		*which = request->queue_taken;
		return request->queue != NULL;
	}
	if (request->n_taken == request->n_sent)
		return false;
	slot = slot_of(request, request->n_taken);
	*arrival = slot->arrival;
	*which = slot->which - 1;
	return slot->which > 0;
}

/* It was given: its user of the arrival becomes request->held. */
static void pop(struct ipp_request *request, struct arrival *arrival, size_t which)
{
	arrival_unref(request->held);
	request->held = arrival;
	if (!request->unordered) {
		*slot_of(request, request->first++) = (struct slot){0};
	} else if (++request->queue_taken == arrival->results->n_results) {
		request->queue = arrival->next;
		request->queue_taken = 0;
		if (!request->queue)
			request->queue_end = &request->queue;
	} else {
		arrival->users++;
	}
	request->n_taken++;
	if (request->window)
		forget_item(request, arrival->places[which].item_bytes);
}

/* Take the next result into request->result; false when there is none, or its host is not known. */
static bool take(struct ipp_request *request)
{
	struct arrival *arrival;
	size_t which;

	if (!peek(request, &arrival, &which))
		return false;
	if (arrival_recall(arrival, &request->why) < 0) {
		fail(request, -request->why.code);
		return false;
	}
	arrival_read(arrival, which, &request->result);
	if (!engines_host(request->client, request->result.engine, &request->result.host))
		return false;
	pop(request, arrival, which);
	return true;
}

/* Call the owner for what there is, if it wants to be called. */
static void report(struct ipp_request *request)
{
	bool told = false;

	if (!request->done || request->reporting)
		return;
	request->reporting = true;
	while (!request->over && take(request)) {
		told = true;
		if (request->done(request->owner, &request->result) == 0)
			continue;
		ipp_fail(&request->why, ECANCELED, "stopped");
		fail(request, -ECANCELED);
	}
	if (told && request->pause)
		request->pause(request->owner);
	request->reporting = false;
}

void requests_report(struct ipp_client *client)
{
	for (struct ipp_request *request = client->requests, *next; request; request = next) {
		next = request->next;
		report(request);
		end_if_complete(request);
		pump(request);
	}
}

/* Slots behind which nothing waits: where results are taken as they come, any that has ended. */
static void advance_first(struct ipp_request *request)
{
	while (request->first < request->n_sent && slot_of(request, request->first)->which > 0)
		*slot_of(request, request->first++) = (struct slot){0};
}

static int store_one(struct ipp_request *request, struct arrival *arrival, size_t i)
{
	const uint64_t index = arrival->results->results[i]->index;
	struct slot *slot;

	if (index < request->first || index >= request->n_sent ||
	    slot_of(request, index)->which > 0)
		return ipp_fail(&request->why, EPROTO,
				"the controller sent a result that makes no sense");
	slot = slot_of(request, index);
	slot->which = (uint32_t)i + 1;
	arrival->places[i].submitted_us = slot->submitted_us;
	arrival->places[i].item_bytes = slot->item_bytes;
	if (!request->window)
		forget_item(request, slot->item_bytes);
	if (!request->unordered) {
		slot->arrival = arrival;
		arrival->users++;
	}
	request->n_ended++;
	return 0;
}

static void store(struct ipp_request *request, struct arrival *arrival)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < arrival->results->n_results; i++)
		rc = store_one(request, arrival, i);
	if (rc < 0) {
		fail(request, rc);
		return;
	}
	if (request->unordered && arrival->results->n_results > 0) {
		arrival->users++;
		*request->queue_end = arrival;
		request->queue_end = &arrival->next;
		advance_first(request);
	}
	report(request);
	/* One user is who called us, and the others are slots. */
	if (request->next_item && !request->unordered && !request->over && arrival->users > 1 &&
	    request->held != arrival)
		arrival_wait(arrival, &request->waiting);
	end_if_complete(request);
	pump(request);
}

static struct ipp_request *find(const struct ipp_client *client, uint64_t id)
{
	struct ipp_request *request = client->requests;

	while (request && request->id != id)
		request = request->next;
	return request;
}

static bool take_results(struct ipp_client *client, const struct frame *frame)
{
	struct arrival *arrival = NULL;
	struct ipp_request *request;
	struct ipp_error err;

	if (arrival_new(&arrival, frame, &err) < 0) {
		session_lose(client, err.text);
		return true;
	}
	request = find(client, arrival->results->request);
	if (request)
		store(request, arrival);
	arrival_unref(arrival);
	return request != NULL;
}

static bool take_ended(struct ipp_client *client, const struct frame *frame)
{
	Ipp__Ended *ended = ipp__ended__unpack(NULL, frame->head_bytes, frame->head);
	struct ipp_request *request = ended ? find(client, ended->request) : NULL;

	if (request) {
		ipp_fail(&request->why, ESHUTDOWN,
			 "request %" PRIu64 ".%" PRIu64 " has ended early: %.300s",
			 request->id >> 32, request->id & UINT32_MAX, ended->why);
		end(request, -ESHUTDOWN);
	}
	ipp__ended__free_unpacked(ended, NULL);
	return request != NULL;
}

bool requests_take(struct ipp_client *client, const struct frame *frame)
{
	if (!client->requests)
		return false;
	if (frame->type == FRAME_RESULTS)
		return take_results(client, frame);
	return frame->type == FRAME_ENDED && take_ended(client, frame);
}

void requests_lose(struct ipp_client *client)
{
	requests_report(client);
	while (client->requests) {
		client->requests->why = client->lost;
		end(client->requests, -client->lost.code);
	}
}

/* ---- for programs ---- */

/* Of a direct view: a slot for each target, and nothing more to send. */
static int expect_targets(struct ipp_request *request, size_t n)
{
	const int64_t now_us = realtime_us();
	int rc = make_slots(request, n);

	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = add_slot(request, 0, now_us);
	request->all_sent = true;
	return rc;
}

static uint64_t window_of(const struct ipp_run *run)
{
	if (run->n_targets > 0 || (run->window == 0 && !run->done))
		return 0;
	return run->window && run->window < WINDOW ? run->window : WINDOW;
}

static int begin(struct ipp_request *request, const struct ipp_run *run, struct ipp_error *err)
{
	int rc;

	if (run->n_targets == 0) {
		request->outgoing = outgoing_new(request->id);
		if (!request->outgoing)
			return ipp_fail(err, ENOMEM, "out of memory for items");
	}
	rc = call_send(request->client, request->id, run, err);
	if (rc == 0 && run->n_targets > 0 && expect_targets(request, run->n_targets) < 0) {
		send_cancel(request);
		*err = request->why;
		rc = -err->code;
	}
	return rc;
}

int ipp_submit(struct ipp_client *client, const struct ipp_run *run, struct ipp_request **out,
	       struct ipp_error *err)
{
	struct ipp_request *request;
	int rc;

	if (!client->link) {
		*err = client->lost;
		return -err->code;
	}
	if (run->n_targets == 0 && !run->next)
		return ipp_fail(err, EINVAL,
				"nothing to run on: give targets, or next() for the items "
				"of a map");
	request = calloc(1, sizeof(*request));
	if (!request)
		return ipp_fail(err, ENOMEM, "out of memory");
	*request = (struct ipp_request){.client = client,
					.id = session_request(client),
					.next_item = run->next,
					.done = run->done,
					.pause = run->pause,
					.items_fd = run->items_fd,
					.owner = run->owner,
					.unordered = run->unordered,
					.detached = run->detached,
					.window = window_of(run),
					.queue_end = &request->queue,
					.waiting = {.fd = -1}};
	rc = begin(request, run, err);
	if (rc < 0) {
		outgoing_free(request->outgoing);
		free(request->slots);
		free(request);
		return rc;
	}
	*client->requests_end = request;
	client->requests_end = &request->next;
	if (!client->roster && client->rosters_awaited == 0)
		engines_ask(client);
	if (request->outgoing)
		pump(request);
	else
		end_if_complete(request);
	*out = request;
	return 0;
}

/* Over, and where it was detached the kernel has all of it. */
static bool settled(const void *what)
{
	const struct ipp_request *request = what;

	return request->over && (!request->detached || request->rc < 0 || !request->client->link ||
				 link_backlog(request->client->link) == 0);
}

/* Nothing can come before some of what is there is taken. */
static bool stuck(const struct ipp_request *request)
{
	return request->outgoing && !request->done && request->window > 0 && request->n_sent > 0 &&
	       request->n_ended == request->n_sent && !wants_items(request);
}

static bool settled_or_stuck(const void *what)
{
	return settled(what) || stuck(what);
}

/* How it ended; a callback of the owner's that ended it has filled *err itself. */
static int verdict(const struct ipp_request *request, struct ipp_error *err)
{
	if (request->rc < 0 && request->why.code != 0)
		*err = request->why;
	return request->rc;
}

int ipp_wait(struct ipp_request *request, int timeout_ms, struct ipp_error *err)
{
	int rc = 0;

	if (!settled(request))
		rc = session_until(request->client, settled_or_stuck, request, timeout_ms, err);
	if (rc < 0)
		return rc;
	if (!settled(request))
		return ipp_fail(err, EDEADLK,
				"%" PRIu64 " results wait to be taken and no more fit the "
				"window: take them with ipp_next(), or give a larger window",
				request->n_sent - request->n_taken);
	return verdict(request, err);
}

bool ipp_poll(struct ipp_request *request)
{
	if (!settled(request))
		session_turn(request->client);
	return settled(request);
}

/* A result can be given, or none will come. */
static bool has_next(const void *what)
{
	const struct ipp_request *request = what;
	struct arrival *arrival;
	const char *host;
	size_t which;

	if (!peek(request, &arrival, &which))
		return request->over;
	return engines_host(request->client, arrival->results->results[which]->engine, &host);
}

int ipp_next(struct ipp_request *request, int timeout_ms, const struct ipp_result **out,
	     struct ipp_error *err)
{
	int rc = 0;

	if (!has_next(request))
		rc = session_until(request->client, has_next, request, timeout_ms, err);
	if (rc < 0)
		return rc;
	if (!take(request))
		return verdict(request, err);
	pump(request);
	*out = &request->result;
	return 1;
}

void ipp_cancel(struct ipp_request *request)
{
	if (request->over)
		return;
	ipp_fail(&request->why, ECANCELED, "cancelled");
	fail(request, -ECANCELED);
}

/* Results that never came keep nobody waiting any more. */
static void skip_missing(struct ipp_request *request)
{
	while (!request->unordered && request->n_taken < request->n_sent &&
	       slot_of(request, request->n_taken)->which == 0) {
		request->first++;
		request->n_taken++;
	}
}

int ipp_take_rest(struct ipp_request *request,
		  void (*take_one)(void *owner, const struct ipp_result *result),
		  struct ipp_error *err)
{
	struct arrival *arrival;
	const char *host;
	size_t which;

	ipp_cancel(request);
	if (request->detached)
		return 0;
	for (skip_missing(request); peek(request, &arrival, &which); skip_missing(request)) {
		int rc = arrival_recall(arrival, err);

		if (rc < 0)
			return rc;
		arrival_read(arrival, which, &request->result);
		engines_host(request->client, request->result.engine, &host);
		request->result.host = host;
		pop(request, arrival, which);
		take_one(request->owner, &request->result);
	}
	return 0;
}

void ipp_request_free(struct ipp_request *request)
{
	if (!request)
		return;
	if (!request->over)
		fail(request, -ECANCELED);
	while (request->queue) {
		struct arrival *arrival = request->queue;

		request->queue = arrival->next;
		arrival_unref(arrival);
	}
	for (size_t i = 0; !request->unordered && i < request->n_slots; i++)
		arrival_unref(request->slots[i].arrival);
	arrival_unref(request->held);
	if (request->waiting.fd >= 0)
		close(request->waiting.fd);
	free(request->slots);
	free(request);
}

uint64_t ipp_request_id(const struct ipp_request *request)
{
	return request->id;
}
