#include "controller/client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "controller/answer.h"
#include "controller/curfew.h"
#include "controller/dependency.h"
#include "controller/engine.h"
#include "controller/errand.h"
#include "controller/fetch.h"
#include "controller/listing.h"
#include "controller/push.h"
#include "controller/request.h"
#include "controller/returning.h"
#include "controller/scheduler.h"
#include "controller/setup.h"
#include "controller/stranded.h"
#include "controller/survey.h"
#include "proto/error.h"
#include "proto/frame.h"

/* ---- questions ---- */

static int send_roster(struct client *client, struct ipp_error *err)
{
	const struct cluster *cluster = client->cluster;
	Ipp__Roster roster = IPP__ROSTER__INIT;
	Ipp__Engine *engines = calloc(cluster->n_ranks + 1, sizeof(*engines));
	Ipp__Engine **pointers = calloc(cluster->n_ranks + 1, sizeof(*pointers));
	int rc = 0;

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

static int take_roster(struct client *client, const struct frame *frame, struct ipp_error *err)
{
	Ipp__Roster *question = ipp__roster__unpack(NULL, frame->head_bytes, frame->head);
	const bool waits = question && question->whole && returning_any(client->cluster);

	if (!question)
		return ipp_fail(err, EPROTO, "a ROSTER frame is malformed");
	ipp__roster__free_unpacked(question, NULL);
	client->n_rosters += waits;
	return waits ? 0 : send_roster(client, err);
}

void client_tell_rosters(struct cluster *cluster)
{
	struct ipp_error err;

	for (struct client *client = cluster->clients; client; client = client->next)
		for (; client->n_rosters > 0; client->n_rosters--)
			send_roster(client, &err); /* out of memory: it waits in vain */
}

int client_check_id(struct client *client, uint64_t id, struct ipp_error *err)
{
	if (id >> 32 == client->number && id > client->last_request) {
		client->last_request = id;
		return 0;
	}
	return ipp_fail(err, EPROTO, "the client named a request %llx that is not its to make",
			(unsigned long long)id);
}

/* Each target's task waits for it at its engine, which may be away. */
static void pin_tasks(struct request *request)
{
	struct cluster *cluster = request->cluster;
	const uint64_t id = request->id;

	/* With the last target, and where results cannot be kept, the request ends here. */
	for (uint32_t i = 0; request && i < request->n_targets; i++) {
		struct engine *engine = returning_find(cluster, request->targets[i]);
		struct slice *slice = engine ? slice_new(id, NULL, i, i + 1) : NULL;

		if (slice) {
			slices_append(&engine->pinned, slice);
			continue;
		}
		answer_report_lost(request, i, request->targets[i],
				   engine ? "the controller is out of memory"
					  : "there is no such engine");
		request = request_find(&cluster->index, id);
	}
}

/* None of the engines that there ever were may run it, whoever comes back. */
static bool has_nowhere(const struct request *request)
{
	size_t rank = 0;

	while (rank < request->cluster->n_ranks && !request_may_use(request, (uint32_t)rank))
		rank++;
	return request->follow.n > 0 && rank == request->cluster->n_ranks;
}

void client_request_ready(struct request *request)
{
	cluster_wake(request->cluster);
	if (request->pending.n_tasks > 0)
		scheduler_joins(request);
	if (request->kind != REQUEST_MAP)
		pin_tasks(request);
	else if (has_nowhere(request))
		answer_ended(request, REQUEST_FAILED,
			     "it was to run where what it follows ran, and may run on none "
			     "of those engines");
	else
		stranded_watch(request);
}

/* Engines that a map is kept to must be there when it comes. */
static int choose_engines(struct request *request, const Ipp__Call *call, struct ipp_error *err)
{
	for (size_t i = 0; i < call->n_among; i++) {
		if (!returning_find(request->cluster, call->among[i]))
			return ipp_fail(err, ENOENT,
					"it was to run on engine %u, which is not there; ipp-run "
					"ids lists them",
					call->among[i]);
		if (ranks_have(&request->chosen, call->among[i]))
			continue;
		if (ranks_add(&request->chosen, call->among[i]) < 0)
			return ipp_fail(err, ENOMEM, "the controller is out of memory");
		request->n_chosen++;
	}
	return 0;
}

/* A request is a call's; what cannot be kept or can never run has ended when this returns false. */
static bool prepare(struct request *request, const Ipp__Call *call)
{
	struct ipp_error err;
	int rc;

	request->first_failure_ends = call->first_failure_ends;
	request->retries = call->retries;
	request->chunk = call->chunk;
	request->hwm = call->hwm;
	rc = choose_engines(request, call, &err);
	if (rc == 0)
		rc = dependency_add(request, call, &err);
	if (rc == 0)
		return true;
	answer_ended(request, rc == -ETIME ? REQUEST_DRAINED : REQUEST_FAILED, err.text);
	return false;
}

static int take_call(struct client *client, const struct frame *frame, struct ipp_error *err)
{
	Ipp__Call *call = ipp__call__unpack(NULL, frame->head_bytes, frame->head);
	struct request *request;
	int rc;

	if (!call || frame->head_bytes > FRAME_CALL_HEAD_MAX ||
	    (call->targets && !request_can_have(call->targets)) || call->serial > 0 ||
	    call->lead[0]) {
		rc = ipp_fail(err, EPROTO, "a CALL frame is malformed");
		goto out;
	}
	rc = client_check_id(client, call->request, err);
	if (rc < 0)
		goto out;
	request = request_new(client, call->request, call->targets ? REQUEST_APPLY : REQUEST_MAP,
			      call->targets, call->label);
	if (!request || request_keep_call(request, frame) < 0 ||
	    (call->detached && request_keep_results(request) < 0)) {
		rc = ipp_fail(err, ENOMEM, "the controller is out of memory");
		goto out;
	}
	if (prepare(request, call) && !request->waits)
		client_request_ready(request);
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
	request = request_find(&client->cluster->index, tasks->request);
	if (!request || (request->client == client && request->stopped)) /* it ended meanwhile */
		goto out;
	if (request->client != client || request->kind != REQUEST_MAP ||
	    tasks->first < request->next_item ||
	    (request->kept && tasks->first > request->next_item) || request->total != UINT64_MAX) {
		rc = ipp_fail(err, EPROTO, "a TASKS frame came out of turn");
		goto out;
	}
	rc = items_new(&items, tasks, frame->payload, err);
	if (rc < 0)
		goto out;
	items_wait(items, &client->cluster->items);
	slice = slice_new(request->id, items, tasks->first, tasks->first + tasks->count);
	if (!slice) {
		rc = ipp_fail(err, ENOMEM, "the controller is out of memory");
		goto out;
	}
	scheduler_joins(request);
	slices_append(&request->pending, slice);
	request->n_received += tasks->count;
	request->next_item = tasks->first + tasks->count;
	cluster_wake(client->cluster);
out:
	items_unref(items);
	ipp__tasks__free_unpacked(tasks, NULL);
	return rc;
}

static int take_end(struct client *client, const struct frame *frame, struct ipp_error *err)
{
	Ipp__End *end = ipp__end__unpack(NULL, frame->head_bytes, frame->head);
	struct request *request = end ? request_find(&client->cluster->index, end->request) : NULL;
	int rc = 0;

	if (!end)
		return ipp_fail(err, EPROTO, "an END frame is malformed");
	if (request && request->stopped && request->client == client)
		request = NULL;
	if (request && (request->client != client || request->kind != REQUEST_MAP ||
			end->total != request->n_received))
		rc = ipp_fail(err, EPROTO, "an END frame came out of turn");
	else if (request)
		request->total = end->total;
	ipp__end__free_unpacked(end, NULL);
	if (rc == 0 && request && request_finished(request))
		answer_over(request, false);
	return rc;
}

/* Of another client's, who is told by whom; this one is told whether there was such a request. */
static int cancel_for(struct client *client, uint64_t id, struct ipp_error *err)
{
	struct cluster *cluster = client->cluster;
	struct request *request = request_find(&cluster->index, id);
	const struct request *ended = history_find(&cluster->history, id);
	char name[REQUEST_NAME_BYTES], why[128] = "";

	request_name(id, name);
	if (request) {
		snprintf(why, sizeof(why), "it was cancelled by client %u", client->number);
		answer_ended(request, REQUEST_CANCELLED, why);
		return fetch_cancelled(client, id, err);
	}
	if (ended)
		snprintf(why, sizeof(why), "request %s has ended already: %s", name,
			 request_state_name(ended->state));
	else
		snprintf(why, sizeof(why), "there is no request %s", name);
	fetch_finished(client, id, 0, ended, why);
	return 0;
}

static int take_cancel(struct client *client, const struct frame *frame, struct ipp_error *err)
{
	Ipp__Cancel *cancel = ipp__cancel__unpack(NULL, frame->head_bytes, frame->head);
	struct request *request = cancel ? request_find(&client->cluster->index, cancel->request)
					 : NULL;
	int rc = 0;

	if (!cancel)
		return ipp_fail(err, EPROTO, "a CANCEL frame is malformed");
	if (cancel->request >> 32 != client->number)
		rc = cancel_for(client, cancel->request, err);
	else if (request)
		answer_over(request, true);
	ipp__cancel__free_unpacked(cancel, NULL);
	return rc;
}

static int take_drain(struct client *client, const struct frame *frame, struct ipp_error *err)
{
	Ipp__Drain *drain = ipp__drain__unpack(NULL, frame->head_bytes, frame->head);
	struct request *request = drain ? request_find(&client->cluster->index, drain->request)
					: NULL;

	if (!drain)
		return ipp_fail(err, EPROTO, "a DRAIN frame is malformed");
	if (request && request->client == client) /* else it has ended meanwhile */
		curfew_drain(request);
	ipp__drain__free_unpacked(drain, NULL);
	return 0;
}

static int take_fetch(struct client *client, const struct frame *frame, struct ipp_error *err)
{
	Ipp__Fetch *fetch = ipp__fetch__unpack(NULL, frame->head_bytes, frame->head);
	const int rc = fetch ? fetch_start(client, fetch, err)
			     : ipp_fail(err, EPROTO, "a FETCH frame is malformed");

	ipp__fetch__free_unpacked(fetch, NULL);
	return rc;
}

static int take_enough(struct client *client, const struct frame *frame, struct ipp_error *err)
{
	Ipp__Enough *enough = ipp__enough__unpack(NULL, frame->head_bytes, frame->head);

	if (!enough)
		return ipp_fail(err, EPROTO, "an ENOUGH frame is malformed");
	fetch_stop(client, enough->fetch);
	ipp__enough__free_unpacked(enough, NULL);
	return 0;
}

static int take_requests(struct client *client, const struct frame *frame, struct ipp_error *err)
{
	(void)frame;
	return listing_send(client, err);
}

static int take_status(struct client *client, const struct frame *frame, struct ipp_error *err)
{
	(void)frame;
	return survey_start(client, err);
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
	{FRAME_ROSTER, take_roster}, {FRAME_PUSH, push_take},	  {FRAME_CALL, take_call},
	{FRAME_TASKS, take_tasks},   {FRAME_END, take_end},	  {FRAME_CANCEL, take_cancel},
	{FRAME_PULL, errand_pull},   {FRAME_LIST, errand_list},	  {FRAME_REMOVE, errand_remove},
	{FRAME_STOP, take_stop},     {FRAME_FETCH, take_fetch},	  {FRAME_REQUESTS, take_requests},
	{FRAME_STATUS, take_status}, {FRAME_ENOUGH, take_enough}, {FRAME_DRAIN, take_drain},
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

bool client_is_behind(struct client *client)
{
	if (client && link_backlog(client->link) >= CLIENT_BACKLOG_MAX)
		client->behind = true;
	return client && client->behind;
}

static void on_drained(void *owner, struct link *link)
{
	struct client *client = owner;
	const struct cluster *cluster = client->cluster;

	(void)link;
	for (size_t rank = 0; client->behind && rank < cluster->n_ranks; rank++)
		if (cluster->engines[rank])
			cluster->engines[rank]->passed = NULL;
	client->behind = false;
	fetch_drained(client);
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

static bool is_deserted(const struct request *request)
{
	return !request->client && !(request->kept && request_is_whole(request));
}

static struct request *find_deserted(const struct cluster *cluster)
{
	struct request *request = cluster->requests;

	while (request && !is_deserted(request))
		request = request->next;
	return request;
}

static bool has_no_owner(const struct slice *slice, const void *cluster)
{
	return is_deserted(request_find(&((const struct cluster *)cluster)->index, slice->request));
}

/* Tasks that wait for their engines go all at once: there may be thousands of requests, and each of
 * them would search for its own. */
static void drop_deserted(struct cluster *cluster)
{
	for (size_t rank = 0; rank < cluster->n_ranks; rank++) {
		struct engine *engine = cluster->engines[rank];

		if (!engine)
			continue;
		engine->passed = NULL;
		slices_drop_if(&engine->pinned, has_no_owner, cluster);
	}
}

/* Its requests go with it, but for detached ones that were sent whole. */
void client_free(struct client *client)
{
	struct cluster *cluster = client->cluster;
	struct client **at = &cluster->clients;
	struct request *request = cluster->requests;

	fetch_drop(client);
	survey_drop(client);
	for (; request; request = request->next)
		if (request->client == client)
			request->client = NULL;
	drop_deserted(cluster);
	while ((request = find_deserted(cluster)))
		if (request->kept)
			answer_ended(request, REQUEST_FAILED,
				     "its client left before it had sent all of it");
		else
			answer_over(request, true);
	cluster_wake(cluster); /* what was held back of its detached ones */
	while (*at != client)
		at = &(*at)->next;
	*at = client->next;
	link_free(client->link);
	free(client);
}
