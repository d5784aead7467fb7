#include "controller/answer.h"

#include <stdlib.h>
#include <string.h>

#include "controller/client.h"
#include "controller/dependency.h"
#include "controller/engine.h"
#include "controller/errand.h"
#include "controller/fetch.h"
#include "controller/kept_results.h"
#include "controller/push.h"
#include "controller/request.h"
#include "controller/scheduler.h"
#include "proto/error.h"
#include "proto/frame.h"

bool answer_results(struct request *request, const struct frame *frame)
{
	struct ipp_error err;

	if (!request->kept) {
		link_forward(request->client->link, FRAME_RESULTS, frame->head, frame->head_bytes,
			     frame->payload);
		return true;
	}
	if (kept_results_add(request->kept, frame, &err) < 0) {
		answer_ended(request, REQUEST_FAILED, err.text);
		return false;
	}
	fetch_proceed(request->cluster, request->id);
	return true;
}

bool answer_send_results(struct request *request, const Ipp__Results *results, struct blob *payload)
{
	uint8_t *head = malloc(ipp__results__get_packed_size(results));
	struct frame frame = {.type = FRAME_RESULTS, .head = head, .payload = payload};
	bool goes_on;

	if (!head) {
		answer_ended(request, REQUEST_FAILED, "the controller is out of memory");
		return false;
	}
	frame.head_bytes = ipp__results__pack(results, head);
	goes_on = answer_results(request, &frame);
	free(head);
	return goes_on;
}

void answer_report_lost(struct request *request, uint64_t index, uint32_t rank, const char *why)
{
	Ipp__Result result = IPP__RESULT__INIT;
	Ipp__Results results = IPP__RESULTS__INIT;
	Ipp__Result *one = &result;

	if (request->kind == REQUEST_REMOVE) {
		request_fail_target(request, rank, why);
		errand_answered(request);
		return;
	}
	result.index = index;
	result.engine = rank;
	result.outcome = IPP__OUTCOME__LOST;
	result.error = (char *)why;
	results.request = request->id;
	results.n_results = 1;
	results.results = &one;
	request->n_done++;
	request->n_failed++;
	if (!answer_send_results(request, &results, NULL))
		return;
	if (request->first_failure_ends)
		answer_stop_at(request, index);
	if (request_finished(request))
		answer_over(request, false);
}

static void send_ended(const struct request *request)
{
	Ipp__Ended ended = IPP__ENDED__INIT;

	ended.request = request->id;
	ended.why = request->why;
	ended.drained = request->state == REQUEST_DRAINED;
	link_send(request->client->link, FRAME_ENDED, &ended.base, NULL);
}

/* Whoever waited for the end of these is told, which may end more of them, and the history
 * remembers them. */
static void settle_ended(struct cluster *cluster)
{
	while (cluster->ended) {
		struct request *first = cluster->ended;
		const uint64_t id = first->id;

		dependency_settle(cluster, first); /* may fill the history: it is not there yet */
		cluster->ended = first->next;
		history_add(&cluster->history, first);
		fetch_proceed(cluster, id);
	}
}

/* Engines forget it; what else its end brings is for the first that ended, if this came of it: a
 * long line of requests that wait for each other is no deep recursion. */
static void settle(struct request *request, bool cancel)
{
	struct cluster *cluster = request->cluster;

	for (size_t rank = 0; rank < cluster->n_ranks; rank++)
		if (cluster->engines[rank])
			engine_forget(cluster->engines[rank], request, cancel);
	request_retire(request);
	cluster_wake(cluster);
	if (cluster->ended) {
		cluster->last_ended->next = request;
		cluster->last_ended = request;
		return;
	}
	cluster->ended = cluster->last_ended = request;
	settle_ended(cluster);
}

void answer_over(struct request *request, bool cancel)
{
	if ((push_is(request) || request->kind == REQUEST_REMOVE) && !cancel &&
	    !errand_report(request))
		return;
	request->state = request->n_failed > 0 ? REQUEST_FAILED
			 : cancel	       ? REQUEST_CANCELLED
					       : REQUEST_DONE;
	settle(request, cancel);
}

void answer_ended(struct request *request, enum request_state state, const char *why)
{
	request->why = strdup(why);
	request->state = state;
	if (request->client)
		send_ended(request);
	settle(request, true);
}

/* Whatever comes before `index` has been handed out, or was and waits to be again. */
void answer_stop_at(struct request *request, uint64_t index)
{
	struct slices before;
	struct slice *slice;
	uint64_t dropped = 0;

	slices_init(&before);
	while ((slice = slices_pop(&request->pending))) {
		if (slice->from < index) {
			slices_append(&before, slice);
			continue;
		}
		dropped += slice->to - slice->from;
		slice_free(slice);
	}
	while ((slice = slices_pop(&before)))
		slices_append(&request->pending, slice);
	if (request->pending.n_tasks == 0)
		scheduler_leaves(request);
	if (request->kind == REQUEST_MAP && request->total == UINT64_MAX)
		request->total = request->n_received;
	request->total -= dropped;
	request->stopped = true;
}
