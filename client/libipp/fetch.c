/* The results of detached requests, and the end of any. */
#include <errno.h>
#include <stdio.h>
#include <unistd.h>

#include "client/libipp/arrival.h"
#include "client/libipp/engines.h"
#include "client/libipp/failures.h"
#include "client/libipp/session.h"
#include "client/libipp/slots.h"

/* How far a result may be ahead of its turn. */
#define SPREAD_MAX (UINT64_C(1) << 28)

struct fetching {
	struct ipp_client *client;
	const struct ipp_fetch *fetch;
	uint64_t request, number;
	struct failures failures; /* of an errand */
	struct slots slots;	  /* of results first .. last-1 */
	struct waiting_room waiting;
	uint64_t first, last; /* the next in turn; one behind the last that is here */
	Ipp__Finished *finished;
	int rc;
	struct ipp_error *err;
};

static int give(struct fetching *fetching, struct arrival *arrival, size_t which)
{
	const struct ipp_fetch *fetch = fetching->fetch;
	struct ipp_result result;
	const int rc = arrival_recall(arrival, fetching->err);

	if (rc < 0)
		return rc;
	arrival_read(arrival, which, &result);
	engines_host(fetching->client, result.engine, &result.host);
	if (fetch->done(fetch->owner, &result) != 0)
		return ipp_fail(fetching->err, ECANCELED, "stopped");
	return 0;
}

/* In input order up to the first that is missing; with `rest`, those behind it too. */
static int give_ready(struct fetching *fetching, bool rest)
{
	int rc = 0;

	while (rc == 0 && fetching->first < fetching->last) {
		struct slot *slot = slots_of(&fetching->slots, fetching->first);
		struct arrival *arrival = slot->arrival;

		if (!arrival && !rest)
			return 0;
		if (arrival)
			rc = give(fetching, arrival, slot->which - 1);
		slot->arrival = NULL;
		arrival_unref(arrival);
		fetching->first++;
	}
	return rc;
}

static int store(struct fetching *fetching, struct arrival *arrival, size_t which)
{
	const uint64_t index = arrival->results->results[which]->index;
	struct slot *slot;
	int rc;

	if (arrival->results->results[which]->again) /* it failed, and was run once more */
		return 0;
	failures_add(&fetching->failures, arrival->results->results[which]);
	if (fetching->fetch->unordered)
		return give(fetching, arrival, which);
	if (index < fetching->first || index - fetching->first >= SPREAD_MAX)
		return ipp_fail(fetching->err, EPROTO,
				"the controller sent a result that makes no sense");
	rc = slots_grow(&fetching->slots, fetching->first, fetching->last,
			index - fetching->first + 1, fetching->err);
	if (rc < 0)
		return rc;
	slot = slots_of(&fetching->slots, index);
	if (slot->arrival)
		return ipp_fail(fetching->err, EPROTO, "the controller sent a result twice");
	arrival->users++;
	*slot = (struct slot){.arrival = arrival, .which = (uint32_t)which + 1};
	if (fetching->last <= index)
		fetching->last = index + 1;
	return 0;
}

static int take_results(struct fetching *fetching, const struct frame *frame)
{
	struct arrival *arrival = NULL;
	int rc = arrival_new(&arrival, frame, fetching->err);

	if (rc < 0)
		return rc;
	if (arrival->results->fetch == fetching->number &&
	    arrival->results->heads != fetching->fetch->heads)
		rc = ipp_fail(fetching->err, EPROTO, "the controller sent results without payload");
	else if (arrival->results->fetch == fetching->number)
		for (size_t i = 0; rc == 0 && i < arrival->results->n_results; i++)
			rc = store(fetching, arrival, i);
	if (rc == 0)
		rc = give_ready(fetching, false);
	if (arrival->users > 1) {		 /* some of its results have no turn yet */
		blob_close_fd(arrival->payload); /* any number of them may wait */
		arrival_wait(arrival, &fetching->waiting);
	}
	arrival_unref(arrival);
	return rc;
}

/* Whether that was the last: false is enough. */
static bool take(void *waiter, const struct frame *frame)
{
	struct fetching *fetching = waiter;
	Ipp__Finished *finished;

	if (frame->type == FRAME_RESULTS && fetching->fetch->done)
		fetching->rc = take_results(fetching, frame);
	if (frame->type != FRAME_FINISHED)
		return fetching->rc == 0;
	finished = ipp__finished__unpack(NULL, frame->head_bytes, frame->head);
	if (!finished || finished->fetch != fetching->number) {
		ipp__finished__free_unpacked(finished, NULL);
		return true;
	}
	fetching->finished = finished;
	return false;
}

static void send_fetch(const struct fetching *fetching)
{
	Ipp__Fetch message = IPP__FETCH__INIT;

	message.request = fetching->request;
	message.results = fetching->fetch->done != NULL;
	message.now = fetching->fetch->now;
	message.forget = fetching->fetch->forget;
	message.number = fetching->number;
	message.heads = fetching->fetch->heads;
	if (fetching->client->link)
		link_send(fetching->client->link, FRAME_FETCH, &message.base, NULL);
}

static void send_enough(const struct fetching *fetching)
{
	Ipp__Enough enough = IPP__ENOUGH__INIT;

	enough.fetch = fetching->number;
	if (fetching->client->link)
		link_send(fetching->client->link, FRAME_ENOUGH, &enough.base, NULL);
}

static void describe(const Ipp__Finished *finished, struct ipp_fetched *out)
{
	*out = (struct ipp_fetched){.done = finished->done,
				    .failed = finished->failed,
				    .running = finished->running,
				    .first_failure_ends = finished->first_failure_ends,
				    .work = finished->work <= IPP__WORK__REMOVE
						    ? (enum ipp_work)finished->work
						    : IPP_RUN,
				    .n_targets = finished->targets};
	snprintf(out->name, sizeof(out->name), "%s", finished->name);
}

int ipp_fetch(struct ipp_client *client, uint64_t id, const struct ipp_fetch *fetch,
	      struct ipp_fetched *out, struct ipp_error *err)
{
	struct fetching fetching = {.client = client,
				    .fetch = fetch,
				    .request = id,
				    .number = ++client->n_fetches,
				    .waiting = {.fd = -1},
				    .err = err};
	const struct ipp_engine *engines;
	size_t n_engines;
	int rc = 0;

	if (fetch->done) /* which wants to know hosts */
		rc = ipp_engines(client, &engines, &n_engines, err);
	if (rc < 0)
		return rc;
	send_fetch(&fetching);
	rc = session_wait(client, take, &fetching, err);
	if (rc == 0)
		rc = fetching.rc;
	if (rc == 0)
		rc = give_ready(&fetching, true);
	if (rc == 0 && fetching.finished->why[0])
		rc = ipp_fail(err, fetching.finished->drained ? ETIME : ECANCELED, "%.480s",
			      fetching.finished->why);
	if (fetching.finished)
		describe(fetching.finished, out);
	else
		send_enough(&fetching);
	if (rc == 0 && out->work != IPP_RUN)
		rc = failures_verdict(&fetching.failures, out->work, out->name, err);
	ipp__finished__free_unpacked(fetching.finished, NULL);
	slots_fini(&fetching.slots);
	if (fetching.waiting.fd >= 0)
		close(fetching.waiting.fd);
	return rc;
}
