#include "controller/client.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "controller/engine.h"
#include "controller/request.h"
#include "controller/setup.h"
#include "proto/error.h"
#include "proto/frame.h"

/* ---- answers ---- */

void client_results(struct client *client, const struct frame *frame)
{
	link_forward(client->link, FRAME_RESULTS, frame->head, frame->head_bytes, frame->payload);
}

void client_report_lost(struct request *request, uint64_t index, uint32_t rank, const char *why)
{
	Ipp__Result result = IPP__RESULT__INIT;
	Ipp__Results results = IPP__RESULTS__INIT;
	Ipp__Result *one = &result;

	result.index = index;
	result.engine = rank;
	result.outcome = IPP__OUTCOME__LOST;
	result.error = (char *)why;
	results.request = request->id;
	results.n_results = 1;
	results.results = &one;
	link_send(request->client->link, FRAME_RESULTS, &results.base, NULL);
	request->n_done++;
	if (request_finished(request))
		client_request_over(request, false);
}

static void send_done(const struct request *request)
{
	Ipp__Done done = IPP__DONE__INIT;

	done.request = request->id;
	done.n_failures = request->n_failures;
	done.failures = request->failures;
	link_send(request->client->link, FRAME_DONE, &done.base, NULL);
}

void client_request_over(struct request *request, bool cancel)
{
	struct cluster *cluster = request->client->cluster;

	if (request->kind == REQUEST_PUSH && !cancel)
		send_done(request);
	for (size_t rank = 0; rank < cluster->n_ranks; rank++)
		if (cluster->engines[rank])
			engine_forget(cluster->engines[rank], request, cancel);
	request_free(&cluster->requests, request);
	cluster_wake(cluster);
}

/* ---- questions ---- */

static int take_roster(struct client *client, const struct frame *frame, struct ipp_error *err)
{
	const struct cluster *cluster = client->cluster;
	Ipp__Roster roster = IPP__ROSTER__INIT;
	Ipp__Engine *engines = calloc(cluster->n_ranks + 1, sizeof(*engines));
	Ipp__Engine **pointers = calloc(cluster->n_ranks + 1, sizeof(*pointers));
	int rc = 0;

	(void)frame;
	if (!engines || !pointers) {
		rc = ipp_fail(err, ENOMEM, "the controller is out of memory");
		goto out;
	}
	roster.engines = pointers;
	for (size_t rank = 0; rank < cluster->n_ranks; rank++) {
		const struct engine *engine = engine_find(cluster, (uint32_t)rank);

		if (!engine)
			continue;
		ipp__engine__init(&engines[rank]);
		engines[rank].rank = engine->rank;
		engines[rank].host = engine->host;
		engines[rank].pid = engine->pid;
		pointers[roster.n_engines++] = &engines[rank];
	}
	link_send(client->link, FRAME_ROSTER, &roster.base, NULL);
out:
	free(engines);
	free(pointers);
	return rc;
}

/* A new request must be the client's own, by its number, and not there yet. */
static int check_id(const struct client *client, uint64_t id, struct ipp_error *err)
{
	if (id >> 32 == client->number && !request_find(client->cluster->requests, id))
		return 0;
	return ipp_fail(err, EPROTO, "the client named a request %llx that is not its to make",
			(unsigned long long)id);
}

static int take_push(struct client *client, const struct frame *frame, struct ipp_error *err)
{
	Ipp__Push *push = ipp__push__unpack(NULL, frame->head_bytes, frame->head);
	struct cluster *cluster = client->cluster;
	struct request *request;
	int rc;

	if (!push || !push->targets || !push->value || !push->value->name[0]) {
		rc = ipp_fail(err, EPROTO, "a PUSH frame is malformed");
		goto out;
	}
	rc = check_id(client, push->request, err);
	if (rc < 0)
		goto out;
	request = request_new(&cluster->requests, client, push->request, REQUEST_PUSH,
			      push->targets);
	if (!request) {
		rc = ipp_fail(err, ENOMEM, "the controller is out of memory");
		goto out;
	}
	for (uint32_t i = 0; i < request->n_targets; i++) {
		struct engine *engine = engine_find(cluster, request->targets[i]);

		if (engine && engine_push(engine, push, frame) == 0)
			continue;
		request_fail_target(request, request->targets[i],
				    engine ? "the controller is out of memory"
					   : "there is no such engine");
		request->n_done++;
	}
	if (request_finished(request))
		client_request_over(request, false);
out:
	ipp__push__free_unpacked(push, NULL);
	return rc;
}

/* Each target's task waits for it at its engine. */
static void pin_tasks(struct request *request)
{
	const uint32_t n_targets = request->n_targets;

	for (uint32_t i = 0; i < n_targets; i++) {
		struct engine *engine = engine_find(request->client->cluster, request->targets[i]);
		struct slice *slice = engine ? slice_new(request->id, NULL, i, i + 1) : NULL;
		const bool last = i + 1 == n_targets;

		if (slice) {
			slices_append(&engine->pinned, slice);
			continue;
		}
		/* May finish and free the request, but with the last target only. */
		client_report_lost(request, i, request->targets[i],
				   engine ? "the controller is out of memory"
					  : "there is no such engine");
		if (last)
			return;
	}
}

static int take_call(struct client *client, const struct frame *frame, struct ipp_error *err)
{
	Ipp__Call *call = ipp__call__unpack(NULL, frame->head_bytes, frame->head);
	struct cluster *cluster = client->cluster;
	struct request *request;
	int rc;

	if (!call || (call->targets && call->targets->n_ranks == 0)) {
		rc = ipp_fail(err, EPROTO, "a CALL frame is malformed");
		goto out;
	}
	rc = check_id(client, call->request, err);
	if (rc < 0)
		goto out;
	request = request_new(&cluster->requests, client, call->request,
			      call->targets ? REQUEST_APPLY : REQUEST_MAP, call->targets);
	if (!request || request_keep_call(request, frame) < 0) {
		rc = ipp_fail(err, ENOMEM, "the controller is out of memory");
		goto out;
	}
	pin_tasks(request);
	cluster_wake(cluster);
out:
	ipp__call__free_unpacked(call, NULL);
	return rc;
}

static int take_tasks(struct client *client, const struct frame *frame, struct ipp_error *err)
{
	Ipp__Tasks *tasks = ipp__tasks__unpack(NULL, frame->head_bytes, frame->head);
	struct request *request;
	struct items *items = NULL;
	struct slice *slice;
	int rc = 0;

	if (!tasks) {
		rc = ipp_fail(err, EPROTO, "a TASKS frame is malformed");
		goto out;
	}
	request = request_find(client->cluster->requests, tasks->request);
	if (!request) /* cancelled meanwhile */
		goto out;
	if (request->client != client || request->kind != REQUEST_MAP ||
	    tasks->first != request->n_received || request->total != UINT64_MAX) {
		rc = ipp_fail(err, EPROTO, "a TASKS frame came out of turn");
		goto out;
	}
	rc = items_new(&items, tasks, frame->payload, err);
	if (rc < 0)
		goto out;
	slice = slice_new(request->id, items, tasks->first, tasks->first + tasks->count);
	if (!slice) {
		rc = ipp_fail(err, ENOMEM, "the controller is out of memory");
		goto out;
	}
	slices_append(&request->pending, slice);
	request->n_received += tasks->count;
	cluster_wake(client->cluster);
out:
	items_unref(items);
	ipp__tasks__free_unpacked(tasks, NULL);
	return rc;
}

static int take_end(struct client *client, const struct frame *frame, struct ipp_error *err)
{
	Ipp__End *end = ipp__end__unpack(NULL, frame->head_bytes, frame->head);
	struct request *request = end ? request_find(client->cluster->requests, end->request)
				      : NULL;
	int rc = 0;

	if (!end)
		return ipp_fail(err, EPROTO, "an END frame is malformed");
	if (request && (request->client != client || request->kind != REQUEST_MAP ||
			end->total != request->n_received))
		rc = ipp_fail(err, EPROTO, "an END frame came out of turn");
	else if (request)
		request->total = end->total;
	ipp__end__free_unpacked(end, NULL);
	if (rc == 0 && request && request_finished(request))
		client_request_over(request, false);
	return rc;
}

static int take_cancel(struct client *client, const struct frame *frame, struct ipp_error *err)
{
	Ipp__Cancel *cancel = ipp__cancel__unpack(NULL, frame->head_bytes, frame->head);
	struct request *request = cancel ? request_find(client->cluster->requests, cancel->request)
					 : NULL;

	if (!cancel)
		return ipp_fail(err, EPROTO, "a CANCEL frame is malformed");
	ipp__cancel__free_unpacked(cancel, NULL);
	if (request && request->client == client)
		client_request_over(request, true);
	return 0;
}

static int take_stop(struct client *client, const struct frame *frame, struct ipp_error *err)
{
	(void)frame;
	(void)err;
	cluster_end(client->cluster, "a client stopped the cluster");
	return 0;
}

static const struct {
	uint16_t type;
	int (*take)(struct client *client, const struct frame *frame, struct ipp_error *err);
} rules[] = {
	{FRAME_ROSTER, take_roster}, {FRAME_PUSH, take_push}, {FRAME_CALL, take_call},
	{FRAME_TASKS, take_tasks},   {FRAME_END, take_end},   {FRAME_CANCEL, take_cancel},
	{FRAME_STOP, take_stop},
};

static void on_frame(void *owner, struct link *link, const struct frame *frame)
{
	struct client *client = owner;
	Ipp__Refuse refusal = IPP__REFUSE__INIT;
	struct ipp_error err = {0};
	int rc = -EPROTO;

	ipp_fail(&err, EPROTO, "the client sent a %s frame, which clients do not",
		 frame_name(frame->type));
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (rules[i].type == frame->type)
			rc = rules[i].take(client, frame, &err);
	if (rc == 0)
		return;
	refusal.why = err.text;
	link_send(link, FRAME_REFUSE, &refusal.base, NULL);
	link_finish(link);
	client->link = NULL;
	client_free(client);
}

static void on_close(void *owner, struct link *link, const struct ipp_error *why)
{
	(void)link;
	(void)why;
	client_free(owner);
}

static void on_drained(void *owner, struct link *link)
{
	struct client *client = owner;

	(void)link;
	cluster_wake(client->cluster);
}

static const struct link_events events = {
	.on_frame = on_frame,
	.on_close = on_close,
	.on_drained = on_drained,
};

void client_admit(struct cluster *cluster, struct link *link)
{
	struct client *client = calloc(1, sizeof(*client));
	Ipp__Welcome welcome = IPP__WELCOME__INIT;

	if (!client) {
		link_free(link);
		return;
	}
	*client = (struct client){.next = cluster->clients,
				  .cluster = cluster,
				  .link = link,
				  .number = ++cluster->clients_seen};
	cluster->clients = client;
	link_own(link, &events, client);
	welcome.client = client->number;
	welcome.job = (char *)cluster->setup->job;
	welcome.host = (char *)cluster->setup->host;
	link_send(link, FRAME_WELCOME, &welcome.base, NULL);
}

/* Its requests go with it. */
void client_free(struct client *client)
{
	struct cluster *cluster = client->cluster;
	struct client **at = &cluster->clients;
	struct request *request = cluster->requests;

	while (request) {
		struct request *next = request->next;

		if (request->client == client)
			client_request_over(request, true);
		request = next;
	}
	while (*at != client)
		at = &(*at)->next;
	*at = client->next;
	link_free(client->link);
	free(client);
}
