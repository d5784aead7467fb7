#include "client/libipp/request.h"

#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>
#include <stdlib.h>

#include "client/libipp/call.h"
#include "client/libipp/engines.h"
#include "client/libipp/items_out.h"
#include "client/libipp/outgoing.h"
#include "client/libipp/results_in.h"
#include "client/libipp/session.h"

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

void request_fail(struct ipp_request *request, int rc)
{
	if (request->over)
		return;
	send_cancel(request);
	end(request, rc);
}

void request_end_if_complete(struct ipp_request *request)
{
	if (request->all_sent &&
	    (request->detached || (request->n_ended == request->n_sent &&
				   (!request->done || request->n_taken == request->n_sent))))
		end(request, 0);
}

int request_verdict(const struct ipp_request *request, struct ipp_error *err)
{
	if (request->rc < 0 && request->why.code != 0)
		*err = request->why;
	if (request->rc == 0 && request->work != IPP_RUN)
		return failures_verdict(&request->failures, request->work, request->name, err);
	return request->rc;
}

/* ---- all of a client ---- */

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
	struct ipp_request *request = NULL;
	struct ipp_error err;

	if (arrival_new(&arrival, frame, &err) < 0) {
		session_lose(client, err.text);
		return true;
	}
	if (arrival->results->fetch == 0 && !arrival->results->heads)
		request = find(client, arrival->results->request);
	if (request)
		results_in_store(request, arrival);
	arrival_unref(arrival);
	return request != NULL;
}

static bool take_ended(struct ipp_client *client, const struct frame *frame)
{
	Ipp__Ended *ended = ipp__ended__unpack(NULL, frame->head_bytes, frame->head);
	struct ipp_request *request = ended ? find(client, ended->request) : NULL;

	if (request && ended->drained) {
		ipp_fail(&request->why, ETIME, "%.300s", ended->why);
		end(request, -ETIME);
	} else if (request) {
		ipp_fail(&request->why, ESHUTDOWN, "%.300s", ended->why);
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

/* A map whose results come here; others have nothing that could be begun later. */
static bool is_map(const struct ipp_request *request)
{
	return request->next_item && !request->detached;
}

static void send_drain(const struct ipp_request *request)
{
	Ipp__Drain drain = IPP__DRAIN__INIT;

	drain.request = request->id;
	if (request->client->link)
		link_send(request->client->link, FRAME_DRAIN, &drain.base, NULL);
}

void requests_drain(struct ipp_client *client)
{
	for (const struct ipp_request *request = client->requests; request; request = request->next)
		if (is_map(request))
			send_drain(request);
}

void requests_give_up(struct ipp_client *client)
{
	for (struct ipp_request *request = client->requests, *next; request; request = next) {
		next = request->next;
		if (!is_map(request))
			continue;
		ipp_fail(&request->why, ETIME, "what ran did not end in time");
		request_fail(request, -ETIME);
	}
}

void requests_pump(struct ipp_client *client)
{
	for (struct ipp_request *request = client->requests, *next; request; request = next) {
		next = request->next;
		items_out_pump(request);
	}
}

void requests_report(struct ipp_client *client)
{
	for (struct ipp_request *request = client->requests, *next; request; request = next) {
		next = request->next;
		results_in_report(request);
		request_end_if_complete(request);
		items_out_pump(request);
	}
}

/* ---- for programs ---- */

static uint64_t window_of(const struct ipp_run *run)
{
	if (run->n_targets > 0 || (run->window == 0 && !run->done))
		return 0;
	return run->window && run->window < REQUEST_WINDOW ? run->window : REQUEST_WINDOW;
}

int request_submit(struct ipp_client *client, const struct ipp_request *as,
		   int (*begin)(struct ipp_request *request, const void *what,
				struct ipp_error *err),
		   const void *what, struct ipp_request **out, struct ipp_error *err)
{
	struct ipp_request *request;
	int rc;

	if (!client->link) {
		*err = client->lost;
		return -err->code;
	}
	request = calloc(1, sizeof(*request));
	if (!request)
		return ipp_fail(err, ENOMEM, "out of memory");
	*request = *as;
	request->client = client;
	request->id = session_request(client);
	request->queue_end = &request->queue;
	request->fresh_end = &request->fresh;
	request->waiting.fd = -1;
	*client->requests_end = request;
	client->requests_end = &request->next;
	rc = begin(request, what, err);
	if (rc < 0) {
		ipp_request_free(request);
		return rc;
	}
	if (!client->roster && client->rosters_awaited == 0)
		engines_ask(client);
	if (client->draining && is_map(request))
		send_drain(request);
	if (request->outgoing)
		items_out_pump(request);
	else
		request_end_if_complete(request);
	*out = request;
	return 0;
}

static int begin_run(struct ipp_request *request, const void *what, struct ipp_error *err)
{
	const struct ipp_run *run = what;
	int rc;

	if (run->n_targets == 0) {
		request->outgoing = outgoing_new(request->id);
		if (!request->outgoing)
			return ipp_fail(err, ENOMEM, "out of memory for items");
	}
	rc = call_send(request->client, request->id, run, err);
	return rc == 0 && run->n_targets > 0 ? items_out_targets(request, run->n_targets, err) : rc;
}

int ipp_submit(struct ipp_client *client, const struct ipp_run *run, struct ipp_request **out,
	       struct ipp_error *err)
{
	const struct ipp_request as = {.next_item = run->next,
				       .done = run->done,
				       .known = run->known,
				       .arrived = run->arrived,
				       .pause = run->pause,
				       .items_fd = run->items_fd,
				       .owner = run->owner,
				       .unordered = run->unordered,
				       .detached = run->detached,
				       .window = window_of(run)};

	if (run->n_targets == 0 && !run->next)
		return ipp_fail(err, EINVAL,
				"nothing to run on: give targets, or next() for the items "
				"of a map");
	return request_submit(client, &as, begin_run, run, out, err);
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
	       request->n_ended == request->n_sent && !items_out_wanted(request) &&
	       !request->client->draining;
}

static bool settled_or_stuck(const void *what)
{
	return settled(what) || stuck(what);
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
	return request_verdict(request, err);
}

bool ipp_poll(struct ipp_request *request)
{
	if (!settled(request))
		session_turn(request->client);
	return settled(request);
}

void ipp_cancel(struct ipp_request *request)
{
	if (request->over)
		return;
	ipp_fail(&request->why, ECANCELED, "cancelled");
	request_fail(request, -ECANCELED);
}

void ipp_request_free(struct ipp_request *request)
{
	if (!request)
		return;
	if (!request->over)
		request_fail(request, -ECANCELED);
	results_in_fini(request);
	free(request->name);
	free(request);
}

uint64_t ipp_request_id(const struct ipp_request *request)
{
	return request->id;
}
