#include "controller/fetch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>

#include "controller/client.h"
#include "controller/history.h"
#include "controller/kept_results.h"
#include "controller/request.h"
#include "proto/error.h"
#include "proto/frame.h"

/* What is read back for a client that takes it slowly. */
#define BACKLOG_MAX (4u << 20)

struct fetch {
	struct fetch *next;
	struct client *client;
	uint64_t request, number;
	bool results, heads, now, forget;
	bool cancelled;		     /* this client did that, and only waits for it to be so */
	struct kept_place at, until; /* `until`: with `now` */
};

static struct request *find(const struct cluster *cluster, uint64_t id)
{
	struct request *live = request_find(&cluster->index, id);

	return live ? live : history_find(&cluster->history, id);
}

static bool has_ended(const struct request *request)
{
	return request->state >= REQUEST_DONE;
}

static Ipp__Work work_of(const struct request *request)
{
	static const Ipp__Work works[] = {
		[REQUEST_MAP] = IPP__WORK__RUN,	  [REQUEST_APPLY] = IPP__WORK__RUN,
		[REQUEST_PUSH] = IPP__WORK__PUSH, [REQUEST_SCATTER] = IPP__WORK__SCATTER,
		[REQUEST_PULL] = IPP__WORK__PULL, [REQUEST_GATHER] = IPP__WORK__GATHER,
		[REQUEST_LIST] = IPP__WORK__LIST, [REQUEST_REMOVE] = IPP__WORK__REMOVE,
	};

	return works[request->kind];
}

void fetch_finished(struct client *client, uint64_t id, uint64_t number,
		    const struct request *request, const char *why)
{
	Ipp__Finished finished = IPP__FINISHED__INIT;

	finished.request = id;
	finished.fetch = number;
	if (request) {
		finished.work = work_of(request);
		finished.name = (char *)(request->name ? request->name : "");
		finished.targets = request->n_targets;
		finished.done = request->n_done;
		finished.failed = request->n_failed;
		finished.running = !has_ended(request);
		finished.drained = request->state == REQUEST_DRAINED;
		finished.first_failure_ends = request->first_failure_ends;
	}
	if (why)
		finished.why = (char *)why;
	link_send(client->link, FRAME_FINISHED, &finished.base, NULL);
}

/* Send what there is, as far as the client takes it; true when the fetch is over. */
static bool proceed(struct fetch *fetch)
{
	struct cluster *cluster = fetch->client->cluster;
	struct request *request = find(cluster, fetch->request);
	struct link *link = fetch->client->link;
	struct kept_place end = {0};
	struct ipp_error err;

	if (!request) {
		fetch_finished(fetch->client, fetch->request, fetch->number, NULL,
			       fetch->cancelled ? NULL : "its results were forgotten");
		return true;
	}
	if (fetch->results)
		end = fetch->now ? fetch->until : kept_results_end(request->kept);
	while (kept_place_before(&fetch->at, &end)) {
		if (link_backlog(link) >= BACKLOG_MAX)
			return false;
		if (kept_results_send(request->kept, &fetch->at, link, fetch->number, fetch->heads,
				      &err) < 0) {
			fetch_finished(fetch->client, fetch->request, fetch->number, request,
				       err.text);
			return true;
		}
	}
	if (!fetch->now && (!has_ended(request) || request->n_stopping > 0))
		return false;
	fetch_finished(fetch->client, fetch->request, fetch->number, request,
		       fetch->cancelled ? NULL : request->why);
	if (fetch->forget && request->kept && has_ended(request))
		history_forget(&cluster->history, request);
	return true;
}

/* Those of `client`, or of all; of `id`, or of all: on with them. */
static void proceed_all(struct cluster *cluster, const struct client *client, uint64_t id)
{
	struct fetch **at = &cluster->fetches;

	while (*at) {
		struct fetch *fetch = *at;

		if ((client && fetch->client != client) || (id && fetch->request != id) ||
		    !proceed(fetch)) {
			at = &fetch->next;
			continue;
		}
		*at = fetch->next;
		free(fetch);
	}
}

/* 0 or -ENOMEM. */
static int begin(const struct fetch *what, struct ipp_error *err)
{
	struct cluster *cluster = what->client->cluster;
	struct fetch *fetch = malloc(sizeof(*fetch));

	if (!fetch)
		return ipp_fail(err, ENOMEM, "the controller is out of memory");
	*fetch = *what;
	if (proceed(fetch)) {
		free(fetch);
		return 0;
	}
	fetch->next = cluster->fetches;
	cluster->fetches = fetch;
	return 0;
}

int fetch_cancelled(struct client *client, uint64_t id, struct ipp_error *err)
{
	const struct fetch fetch = {.client = client, .request = id, .cancelled = true};

	return begin(&fetch, err);
}

int fetch_start(struct client *client, const Ipp__Fetch *message, struct ipp_error *err)
{
	struct request *request = find(client->cluster, message->request);
	char name[REQUEST_NAME_BYTES], why[128];
	struct fetch fetch;

	request_name(message->request, name);
	if (!request) {
		snprintf(why, sizeof(why), "there is no request %s", name);
		fetch_finished(client, message->request, message->number, NULL, why);
		return 0;
	}
	if ((message->results || message->forget) && !request->kept) {
		snprintf(why, sizeof(why),
			 "the results of request %s were not kept: it was not submitted with "
			 "--async",
			 name);
		fetch_finished(client, message->request, message->number, request, why);
		return 0;
	}
	fetch = (struct fetch){.client = client,
			       .request = message->request,
			       .number = message->number,
			       .results = message->results,
			       .heads = message->heads,
			       .now = message->now,
			       .forget = message->forget};
	if (message->results)
		fetch.until = kept_results_end(request->kept);
	return begin(&fetch, err);
}

void fetch_proceed(struct cluster *cluster, uint64_t request)
{
	proceed_all(cluster, NULL, request);
}

void fetch_drained(struct client *client)
{
	proceed_all(client->cluster, client, 0);
}

/* Those of the client: `number`, or, 0, all. */
static void drop(const struct client *client, uint64_t number)
{
	struct fetch **at = &client->cluster->fetches;

	while (*at) {
		struct fetch *fetch = *at;

		if (fetch->client != client || (number && fetch->number != number)) {
			at = &fetch->next;
			continue;
		}
		*at = fetch->next;
		free(fetch);
	}
}

void fetch_stop(struct client *client, uint64_t number)
{
	if (number > 0)
		drop(client, number);
}

void fetch_drop(struct client *client)
{
	drop(client, 0);
}
