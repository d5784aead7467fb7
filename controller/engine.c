#include "controller/engine.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "controller/answer.h"
#include "controller/client.h"
#include "controller/curfew.h"
#include "controller/errand.h"
#include "controller/fetch.h"
#include "controller/lead.h"
#include "controller/loss.h"
#include "controller/recall.h"
#include "controller/request.h"
#include "controller/results.h"
#include "controller/returning.h"
#include "controller/setup.h"
#include "controller/survey.h"
#include "controller/variables.h"
#include "proto/connection.h"
#include "proto/error.h"
#include "proto/frame.h"

/* A guess, on the large side: after some ten of them it counts for little. */
#define RESULT_BYTES_AT_FIRST (256u << 10)

/* ---- small things ---- */

struct engine *engine_find(const struct cluster *cluster, uint32_t rank)
{
	struct engine *engine = rank < cluster->n_ranks ? cluster->engines[rank] : NULL;

	return engine && engine->link ? engine : NULL;
}

int64_t engine_now_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
}

/* ---- what it has ---- */

bool engine_owes(const struct engine *engine)
{
	return engine->in_flight.n_tasks > 0 || engine->unanswered.n > 0 || engine->stopping.n > 0;
}

double engine_owes_us(const struct engine *engine, uint64_t request)
{
	double us = 0;

	for (const struct slice *slice = engine->in_flight.first; slice; slice = slice->next)
		if (slice->request == request)
			us += slice->task_us * (double)(slice->to - slice->from);
	return us;
}

void engine_stopped(struct engine *engine, uint64_t id)
{
	struct request *request = history_find(&engine->cluster->history, id);

	if (!request || --request->n_stopping == 0) /* without it, who waits would wait for ever */
		fetch_proceed(engine->cluster, id);
}

/* ---- what it says ---- */

static int take_done(struct engine *engine, const struct frame *frame, struct ipp_error *err)
{
	Ipp__Done *done = ipp__done__unpack(NULL, frame->head_bytes, frame->head);
	const struct slice *first = engine->in_flight.first;
	struct request *request;

	if (done && ids_remove(&engine->restored, done->request)) {
		ipp__done__free_unpacked(done, NULL);
		return 0;
	}
	if (done && ids_remove(&engine->stopping, done->request)) {
		engine_stopped(engine, done->request);
		ipp__done__free_unpacked(done, NULL);
		return 0;
	}
	if (!done || !ids_remove(&engine->unanswered, done->request)) {
		ipp__done__free_unpacked(done, NULL);
		return ipp_fail(err, EPROTO, "a DONE frame that nobody asked for");
	}
	request = request_find(&engine->cluster->index, done->request);
	if (request && request->kind == REQUEST_REMOVE) {
		if (!first || first->request != request->id) {
			ipp__done__free_unpacked(done, NULL);
			return ipp_fail(err, EPROTO, "a DONE frame that is not its turn");
		}
		slices_finish_first(&engine->in_flight);
	}
	if (request) {
		for (size_t i = 0; i < done->n_failures; i++) {
			Ipp__Failure *failure = request_fail_target(request, engine->rank,
								    done->failures[i]->text);

			if (failure)
				failure->absent = done->failures[i]->absent;
		}
		errand_answered(request);
	}
	ipp__done__free_unpacked(done, NULL);
	return 0;
}

static bool has_opened(const struct engine *engine, uint64_t request)
{
	return ids_have(&engine->opened, request);
}

/* Of the push or call of that serial, if the engine was sent it and it is still needed. */
static struct blob *payload_of(const struct engine *engine, uint64_t serial)
{
	const struct request *request = engine->cluster->requests;

	while (request && (request->serial != serial || !has_opened(engine, request->id)))
		request = request->next;
	return request ? request->arguments : variables_payload(engine, serial);
}

static int take_share(struct engine *engine, const struct frame *frame, struct ipp_error *err)
{
	Ipp__Share *question = ipp__share__unpack(NULL, frame->head_bytes, frame->head);

	if (!question)
		return ipp_fail(err, EPROTO, "a SHARE frame is malformed");
	/* A neighbour did not give it to the engine: we do, if it is still needed. */
	link_send(engine->link, FRAME_SHARE, &question->base, payload_of(engine, question->serial));
	ipp__share__free_unpacked(question, NULL);
	return 0;
}

static int take_replaced(struct engine *engine, const struct frame *frame, struct ipp_error *err)
{
	Ipp__Remove *replaced = ipp__remove__unpack(NULL, frame->head_bytes, frame->head);

	if (!replaced)
		return ipp_fail(err, EPROTO, "a REMOVE frame is malformed");
	variables_replaced(engine, replaced->serial);
	ipp__remove__free_unpacked(replaced, NULL);
	return 0;
}

static int take_notice(struct engine *engine, const struct frame *frame, struct ipp_error *err)
{
	Ipp__Notice *notice = ipp__notice__unpack(NULL, frame->head_bytes, frame->head);

	if (!notice)
		return ipp_fail(err, EPROTO, "a NOTICE frame is malformed");
	cluster_notice(engine->cluster, "%s", notice->text);
	ipp__notice__free_unpacked(notice, NULL);
	return 0;
}

/* A signal to its step, of which the controller need not be a task. */
static int take_drain(struct engine *engine, const struct frame *frame, struct ipp_error *err)
{
	Ipp__Drain *drain = ipp__drain__unpack(NULL, frame->head_bytes, frame->head);

	if (!drain)
		return ipp_fail(err, EPROTO, "a DRAIN frame is malformed");
	curfew_fall(engine->cluster, drain->term ? SIGTERM : SIGUSR1);
	ipp__drain__free_unpacked(drain, NULL);
	return 0;
}

static int take_health(struct engine *engine, const struct frame *frame, struct ipp_error *err)
{
	Ipp__Health *health = ipp__health__unpack(NULL, frame->head_bytes, frame->head);

	if (!health)
		return ipp_fail(err, EPROTO, "a HEALTH frame is malformed");
	survey_answer(engine, health);
	ipp__health__free_unpacked(health, NULL);
	return 0;
}

static const struct {
	uint16_t type;
	int (*take)(struct engine *engine, const struct frame *frame, struct ipp_error *err);
} rules[] = {
	{FRAME_RESULTS, results_take}, {FRAME_DONE, take_done},
	{FRAME_NOTICE, take_notice},   {FRAME_HEALTH, take_health},
	{FRAME_SHARE, take_share},     {FRAME_REMOVE, take_replaced},
	{FRAME_DRAIN, take_drain},     {FRAME_RECALL, recall_answered},
};

static void on_frame(void *owner, struct link *link, const struct frame *frame)
{
	struct engine *engine = owner;
	struct ipp_error err = {0};

	(void)link;
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (rules[i].type == frame->type) {
			if (rules[i].take(engine, frame, &err) < 0)
				engine_lose(engine, err.text);
			else /* it may have room */
				cluster_wake(engine->cluster);
			return;
		}
	ipp_fail(&err, EPROTO, "it sent a %s frame, which engines do not", frame_name(frame->type));
	engine_lose(engine, err.text);
}

static void on_close(void *owner, struct link *link, const struct ipp_error *why)
{
	(void)link;
	if (why->code == ETIMEDOUT || why->code == EHOSTUNREACH || why->code == ENETUNREACH)
		engine_lose_silent(owner, why->text);
	else
		engine_lose(owner, why->code ? why->text : "its process ended");
}

static const struct link_events events = {.on_frame = on_frame, .on_close = on_close};

/* ---- what it is told ---- */

static void refuse(struct link *link, const char *why)
{
	Ipp__Refuse refusal = IPP__REFUSE__INIT;

	refusal.why = (char *)why;
	link_send(link, FRAME_REFUSE, &refusal.base, NULL);
	link_finish(link);
}

/* It has said what there is to say: let it end quietly. */
static void dismiss(struct link *link, const char *why)
{
	Ipp__Goodbye goodbye = IPP__GOODBYE__INIT;

	goodbye.why = (char *)why;
	link_send(link, FRAME_GOODBYE, &goodbye.base, NULL);
	link_finish(link);
}

static int make_room(struct cluster *cluster, size_t n_ranks)
{
	struct engine **room;

	if (n_ranks <= cluster->n_ranks)
		return 0;
	room = realloc(cluster->engines, n_ranks * sizeof(struct engine *));
	if (!room)
		return -ENOMEM;
	memset(room + cluster->n_ranks, 0, (n_ranks - cluster->n_ranks) * sizeof(struct engine *));
	cluster->engines = room;
	cluster->n_ranks = n_ranks;
	return 0;
}

/* The engine of `rank`, new or lost before; NULL when out of memory. */
static struct engine *engine_of_rank(struct cluster *cluster, uint32_t rank)
{
	struct engine *engine;

	if (make_room(cluster, (size_t)rank + 1) < 0)
		return NULL;
	engine = cluster->engines[rank];
	if (engine)
		return engine;
	engine = calloc(1, sizeof(*engine));
	if (!engine)
		return NULL;
	*engine = (struct engine){
		.cluster = cluster, .rank = rank, .result_bytes = RESULT_BYTES_AT_FIRST};
	slices_init(&engine->in_flight);
	slices_init(&engine->pinned);
	cluster->engines[rank] = engine;
	return engine;
}

static uint32_t first_free_rank(const struct cluster *cluster)
{
	uint32_t rank = 0;

	while (engine_find(cluster, rank))
		rank++;
	return rank;
}

static void note_restored(struct engine *engine, uint64_t request)
{
	ids_add(&engine->restored, request);
}

void engine_admit(struct cluster *cluster, struct link *link, const Ipp__Hello *hello)
{
	const unsigned limit = cluster->setup->n_engines ? cluster->setup->n_engines
							 : SETUP_RANKS_MAX;
	uint32_t rank = hello->rank < 0 ? first_free_rank(cluster) : (uint32_t)hello->rank;
	Ipp__Welcome welcome = IPP__WELCOME__INIT;
	struct engine *engine, *earlier;
	char *host;

	if (hello->trouble[0]) {
		cluster_hopeless(cluster, hello);
		dismiss(link, hello->trouble);
		return;
	}
	/* By hand, two steps may each bring a rank 0; under PMIx a rank that comes again was
	 * restarted. */
	if (cluster->setup->by_hand && engine_find(cluster, rank))
		rank = first_free_rank(cluster);
	if (rank >= limit) {
		refuse(link, "the cluster has no place for an engine of this rank");
		return;
	}
	earlier = engine_find(cluster, rank);
	if (earlier)
		engine_lose(earlier, "it was started again");
	host = strdup(hello->host);
	engine = host ? engine_of_rank(cluster, rank) : NULL;
	if (!engine) {
		free(host);
		refuse(link, "the controller is out of memory");
		return;
	}
	free(engine->host);
	free(engine->share);
	engine->host = host;
	engine->share = hello->share[0] && strlen(hello->share) < CONNECTION_NAME_BYTES &&
					link_ssl(link)
				? strdup(hello->share)
				: NULL;
	engine->pid = hello->pid;
	engine->link = link;
	engine->joined_us = engine_now_us();
	memset(&engine->health, 0, sizeof(engine->health));
	memset(&engine->pulse, 0, sizeof(engine->pulse));
	link_own(link, &events, engine);
	welcome.rank = (int32_t)rank;
	welcome.job = (char *)cluster->setup->job;
	welcome.host = (char *)cluster->setup->host;
	link_send(link, FRAME_WELCOME, &welcome.base, NULL);
	variables_restore(engine, note_restored);
	cluster->n_live++;
	returning_came(engine);
	cluster_count(cluster);
	cluster_wake(cluster);
}

void engine_free(struct engine *engine)
{
	if (!engine)
		return;
	link_free(engine->link);
	slices_clear(&engine->in_flight);
	slices_clear(&engine->pinned);
	variables_clear(engine);
	free(engine->opened.at);
	free(engine->unanswered.at);
	free(engine->restored.at);
	free(engine->stopping.at);
	free(engine->host);
	free(engine->share);
	free(engine);
}

static void append(struct engine *engine, struct slice *slice)
{
	if (engine->in_flight.n_tasks == 0)
		engine->since_us = engine->reckoned_us = engine_now_us();
	slices_append(&engine->in_flight, slice);
}

static void give_errand(struct engine *engine, struct request *request, struct slice *slice)
{
	append(engine, slice);
	if (request->kind == REQUEST_REMOVE && ids_add(&engine->unanswered, request->id) < 0)
		engine_lose(engine, "the controller is out of memory");
	else
		errand_send(engine, request, slice);
}

/* Payloads go to the first engine of a node that needs them, and the others get them there:
 * what is to be said about that, appended to a packed message, is merged into it. */
static void open_call(struct engine *engine, struct request *request)
{
	const bool shared = lead_could_be(engine, request->arguments);
	const struct engine *lead = shared ? lead_of(engine, has_opened, request->id) : NULL;
	Ipp__Call more = IPP__CALL__INIT;
	uint8_t *head;

	if (shared && request->serial == 0)
		request->serial = ++engine->cluster->serial;
	more.serial = request->serial;
	if (lead)
		more.lead = lead->share;
	head = malloc(request->call_bytes + ipp__call__get_packed_size(&more) + 1);
	if (!head) {
		link_forward(engine->link, FRAME_CALL, request->call, request->call_bytes,
			     request->arguments);
		return;
	}
	memcpy(head, request->call, request->call_bytes);
	link_forward(engine->link, FRAME_CALL, head,
		     request->call_bytes + ipp__call__pack(&more, head + request->call_bytes),
		     lead ? NULL : request->arguments);
	free(head);
}

void engine_give(struct engine *engine, struct request *request, struct slice *slice)
{
	int rc;

	if (request->state == REQUEST_WAITING)
		request_started(request);
	if (errand_is(request)) {
		give_errand(engine, request, slice);
		return;
	}
	if (!has_opened(engine, request->id) && ids_add(&engine->opened, request->id) == 0)
		open_call(engine, request);
	slice->task_us = request->task_us;
	rc = slice_send(slice, engine->link);
	if (rc < 0) {
		const char *why = rc == -EIO ? "the controller cannot read back the items it kept"
					     : "the controller is out of memory";
		const uint64_t id = request->id;

		for (uint64_t at = slice->from; request && at < slice->to; at++) {
			answer_report_lost(request, at, engine->rank, why);
			request = request_find(&engine->cluster->index, id);
		}
		slice_free(slice);
		return;
	}
	engine->in_flight_us += slice->task_us * (double)(slice->to - slice->from);
	append(engine, slice);
}

void engine_give_pinned(struct engine *engine, const struct client *client)
{
	struct slice **at;

	if (client->behind) /* its own are among them */
		engine->passed = NULL;
	at = engine->passed ? engine->passed : &engine->pinned.first;
	while (engine->link && *at) {
		struct request *request = request_find(&engine->cluster->index, (*at)->request);

		if (request->client != client && client_is_behind(request->client))
			at = &(*at)->next;
		else
			engine_give(engine, request,
				    slices_take_at(&engine->pinned, at, UINT64_MAX));
	}
}

int engine_push(struct engine *engine, const Ipp__Push *push, uint64_t serial, struct blob *payload)
{
	if (!engine->link)
		return variables_push(engine, push, serial, payload);
	if (ids_add(&engine->unanswered, push->request) < 0)
		return -ENOMEM;
	if (variables_push(engine, push, serial, payload) == 0)
		return 0;
	ids_remove(&engine->unanswered, push->request);
	return -ENOMEM;
}

static void drop_tasks(struct engine *engine, uint64_t request)
{
	engine->passed = NULL;
	slices_drop(&engine->pinned, request);
	engine->in_flight_us -= engine_owes_us(engine, request);
	if (slices_drop(&engine->in_flight, request) > 0)
		engine->since_us = engine_now_us();
	if (engine->in_flight.n_tasks == 0)
		engine->in_flight_us = 0;
}

void engine_forget(struct engine *engine, struct request *request, bool cancel)
{
	Ipp__Cancel cancelled = IPP__CANCEL__INIT;
	Ipp__Close closed = IPP__CLOSE__INIT;

	if (cancel) /* else they have all ended, and those of others may be many */
		drop_tasks(engine, request->id);
	if (!ids_remove(&engine->opened, request->id) || !engine->link)
		return;
	cancelled.request = closed.request = request->id;
	if (!cancel) {
		link_send_later(engine->link, FRAME_CLOSE, &closed.base);
		return;
	}
	link_send(engine->link, FRAME_CANCEL, &cancelled.base, NULL);
	if (ids_add(&engine->stopping, request->id) == 0)
		request->n_stopping++;
}
