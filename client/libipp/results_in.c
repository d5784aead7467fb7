#include "client/libipp/results_in.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "client/libipp/engines.h"
#include "client/libipp/items_out.h"
#include "client/libipp/request.h"
#include "client/libipp/session.h"

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
	slot = slots_of(&request->slots, request->n_taken);
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
		*slots_of(&request->slots, request->first++) = (struct slot){0};
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
		request_fail(request, -request->why.code);
		return false;
	}
	arrival_read(arrival, which, &request->result);
	if (!engines_host(request->client, request->result.engine, &request->result.host))
		return false;
	pop(request, arrival, which);
	return true;
}

/* The owner wants no more. */
static int stop(struct ipp_request *request)
{
	return ipp_fail(&request->why, ECANCELED, "stopped");
}

int results_in_known(struct ipp_request *request, uint64_t index)
{
	if (index == request->first)
		*slots_of(&request->slots, request->first++) = (struct slot){0};
	request->n_taken++;
	return request->known && request->known(request->owner, index) != 0 ? stop(request) : 0;
}

/* Give the next result to its owner; whether there was one. */
static bool give(struct ipp_request *request)
{
	int rc = 0;

	if (!request->unordered && request->n_taken < request->n_sent &&
	    slots_of(&request->slots, request->n_taken)->which == SLOT_KNOWN)
		rc = results_in_known(request, request->n_taken);
	else if (!take(request))
		return false;
	else if (request->done(request->owner, &request->result) != 0)
		rc = stop(request);
	if (rc < 0)
		request_fail(request, rc);
	return true;
}

static void pop_fresh(struct ipp_request *request)
{
	struct arrival *arrival = request->fresh;

	request->fresh = arrival->next_fresh;
	request->fresh_taken = 0;
	if (!request->fresh)
		request->fresh_end = &request->fresh;
	arrival_unref(arrival);
}

/* Tell the owner of the next result that came; whether there was one, whose host is known. */
static bool announce(struct ipp_request *request)
{
	struct arrival *arrival = request->fresh;
	struct ipp_result result;

	if (!arrival)
		return false;
	if (arrival_recall(arrival, &request->why) < 0) {
		request_fail(request, -request->why.code);
		return false;
	}
	arrival_read(arrival, request->fresh_taken, &result);
	if (!engines_host(request->client, result.engine, &result.host))
		return false;
	if (request->arrived(request->owner, &result) != 0)
		request_fail(request, stop(request));
	if (++request->fresh_taken == arrival->results->n_results)
		pop_fresh(request);
	return true;
}

void results_in_report(struct ipp_request *request)
{
	bool told = false;

	if (!request->done || request->detached || request->reporting)
		return;
	request->reporting = true;
	while (!request->over && announce(request))
		told = true;
	while (!request->over && !request->fresh && give(request))
		told = true;
	if (told && request->pause && request->pause(request->owner) != 0 && !request->over)
		request_fail(request, stop(request));
	request->reporting = false;
}

/* Slots behind which nothing waits: where results are taken as they come, any that has ended. */
static void advance_first(struct ipp_request *request)
{
	while (request->first < request->n_sent &&
	       slots_of(&request->slots, request->first)->which > 0)
		*slots_of(&request->slots, request->first++) = (struct slot){0};
}

static int store_one(struct ipp_request *request, struct arrival *arrival, size_t i)
{
	const uint64_t index = arrival->results->results[i]->index;
	struct slot *slot;

	if (index < request->first || index >= request->n_sent ||
	    slots_of(&request->slots, index)->which > 0)
		return ipp_fail(&request->why, EPROTO,
				"the controller sent a result that makes no sense");
	slot = slots_of(&request->slots, index);
	slot->which = (uint32_t)i + 1;
	arrival->places[i].submitted_us = slot->submitted_us;
	arrival->places[i].item_bytes = slot->item_bytes;
	if (!request->window)
		forget_item(request, slot->item_bytes);
	if (!request->unordered) {
		slot->arrival = arrival;
		arrival->users++;
	}
	if (request->work != IPP_RUN)
		failures_add(&request->failures, arrival->results->results[i]);
	request->n_ended++;
	return 0;
}

/* Results of maps do, and so do values from other nodes; those of this node lie where the engine
 * has them. */
static bool takes_memory(const struct ipp_request *request, const struct arrival *arrival)
{
	struct ipp_client *client = request->client;
	const char *host;

	if (request->work == IPP_RUN)
		return request->next_item != NULL;
	return arrival->results->n_results > 0 &&
	       (link_ssl(client->link) ||
		(engines_host(client, arrival->results->results[0]->engine, &host) &&
		 strcmp(host, client->connection.host) != 0));
}

void results_in_store(struct ipp_request *request, struct arrival *arrival)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < arrival->results->n_results; i++)
		rc = store_one(request, arrival, i);
	if (rc < 0) {
		request_fail(request, rc);
		return;
	}
	if (request->unordered && arrival->results->n_results > 0) {
		arrival->users++;
		*request->queue_end = arrival;
		request->queue_end = &arrival->next;
		advance_first(request);
	}
	if (request->arrived && arrival->results->n_results > 0) {
		arrival->users++;
		*request->fresh_end = arrival;
		request->fresh_end = &arrival->next_fresh;
	}
	results_in_report(request);
	if (arrival->users > 1) /* any number of them may wait */
		blob_close_fd(arrival->payload);
	/* One user is who called us, and the others are slots. */
	if (!request->unordered && !request->over && arrival->users > 1 &&
	    request->held != arrival && takes_memory(request, arrival))
		arrival_wait(arrival, &request->waiting);
	request_end_if_complete(request);
	items_out_pump(request);
}

/* ---- for programs ---- */

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
		return request_verdict(request, err);
	items_out_pump(request);
	*out = &request->result;
	return 1;
}

/* Results that never came keep nobody waiting any more, nor do those that the owner has. */
static bool is_missing(const struct ipp_request *request)
{
	const uint32_t which = slots_of(&request->slots, request->n_taken)->which;

	return which == 0 || which == SLOT_KNOWN;
}

static void skip_missing(struct ipp_request *request)
{
	while (!request->unordered && request->n_taken < request->n_sent && is_missing(request)) {
		*slots_of(&request->slots, request->n_taken) = (struct slot){0};
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

void results_in_fini(struct ipp_request *request)
{
	while (request->queue) {
		struct arrival *arrival = request->queue;

		request->queue = arrival->next;
		arrival_unref(arrival);
	}
	while (request->fresh)
		pop_fresh(request);
	slots_fini(&request->slots);
	arrival_unref(request->held);
	if (request->waiting.fd >= 0)
		close(request->waiting.fd);
}
