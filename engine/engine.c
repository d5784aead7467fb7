#include "engine/engine.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/engine_impl.h"
#include "engine/exits.h"
#include "engine/share.h"
#include "engine/worker_process.h"
#include "proto/connection.h"
#include "proto/dial.h"
#include "proto/error.h"
#include "proto/frame.h"
#include "proto/variable.h"

#define GOODBYE_S 2 /* for the controller to end after its GOODBYE */

/* A frame whose payload is being fetched from a neighbour, or that came meanwhile and waits. */
struct held {
	struct held *next;
	struct frame frame; /* owns its head and a reference to its payload */
};

void engine_leave(struct engine *engine, int exit_code)
{
	engine->exit_code = exit_code;
	event_base_loopbreak(engine->base);
}

/* ---- held frames ---- */

static struct held *held_new(const struct frame *frame)
{
	struct held *held = calloc(1, sizeof(*held));
	uint8_t *head = malloc(frame->head_bytes + 1);

	if (!held || !head) {
		free(held);
		free(head);
		return NULL;
	}
	if (frame->head_bytes)
		memcpy(head, frame->head, frame->head_bytes);
	held->frame = (struct frame){.type = frame->type,
				     .head = head,
				     .head_bytes = frame->head_bytes,
				     .payload = blob_ref(frame->payload)};
	return held;
}

static void held_free(struct held *held)
{
	if (!held)
		return;
	free((uint8_t *)held->frame.head);
	blob_unref(held->frame.payload);
	free(held);
}

/* ---- what Slurm says to our step ---- */

static void signal_cb(evutil_socket_t number, short what, void *arg)
{
	struct engine *engine = arg;
	Ipp__Drain drain = IPP__DRAIN__INIT;

	(void)what;
	drain.term = number == SIGTERM;
	if (engine->welcome && !engine->goodbye)
		link_send(engine->controller, FRAME_DRAIN, &drain.base, NULL);
	else if (!engine->welcome && number == SIGTERM) /* who waits for us was told, too */
		engine_leave(engine, EXIT_ENGINE_OURS);
}

/* Where the controller is no task of the step, Slurm may tell our guard alone, which tells us.  It
 * blocked the signal, so that one that came before waits. */
static int watch_signal(struct engine *engine, int number)
{
	struct event **event = &engine->signals[number == SIGTERM];
	sigset_t set;

	if (*event)
		return 0;
	*event = evsignal_new(engine->base, number, signal_cb, engine);
	if (!*event || event_add(*event, NULL) < 0)
		return -ENOMEM;
	sigemptyset(&set);
	sigaddset(&set, number);
	sigprocmask(SIG_UNBLOCK, &set, NULL);
	return 0;
}

/* ---- what the controller says ---- */

static int take_welcome(struct engine *engine, const struct frame *frame)
{
	Ipp__Welcome *welcome = ipp__welcome__unpack(NULL, frame->head_bytes, frame->head);
	const int32_t asked_for = engine->rank;

	if (!welcome || engine->welcome) {
		ipp__welcome__free_unpacked(welcome, NULL);
		return -EPROTO;
	}
	engine->welcome = true;
	engine->rank = welcome->rank;
	ipp__welcome__free_unpacked(welcome, NULL);
	if (!engine->options->standby &&
	    (watch_signal(engine, SIGTERM) < 0 || watch_signal(engine, SIGUSR1) < 0))
		return -ENOMEM;
	/* By hand the rank may be another one, and the worker must know it. */
	if (engine->rank != asked_for && engine->worker) {
		work_end(engine);
		work_start(engine);
	}
	return 0;
}

static int take_refuse(struct engine *engine, const struct frame *frame)
{
	Ipp__Refuse *refusal = ipp__refuse__unpack(NULL, frame->head_bytes, frame->head);

	fprintf(stderr, "ipp-engine: rank %d: the controller on %s refused it: %s\n",
		engine->options->rank, engine->options->connection->host,
		refusal ? refusal->why : "no reason given");
	ipp__refuse__free_unpacked(refusal, NULL);
	engine_leave(engine, EXIT_ENGINE_OURS);
	return 0;
}

/* Stay until the controller has gone: where our guard is its node's last task, slurmstepd kills
 * what is left of the step when we end, and the controller may have others to say goodbye to. */
static int take_goodbye(struct engine *engine, const struct frame *frame)
{
	const struct timeval patience = {.tv_sec = GOODBYE_S};

	(void)frame;
	engine->goodbye = true;
	engine->exit_code = EXIT_ENGINE_GOODBYE;
	work_end(engine);
	event_base_loopexit(engine->base, &patience);
	return 0;
}

static void tell_done(struct engine *engine, uint64_t request)
{
	Ipp__Done done = IPP__DONE__INIT;

	done.request = request;
	link_send(engine->controller, FRAME_DONE, &done.base, NULL);
}

/* Get the frame's payload from the neighbour that has it: then it is obeyed. */
static int fetch(struct engine *engine, const struct frame *frame, const char *lead,
		 uint64_t serial)
{
	if (!engine->share)
		return -EPROTO;
	engine->fetching = held_new(frame);
	if (!engine->fetching)
		return -ENOMEM;
	engine->fetching_serial = serial;
	share_fetch(engine->share, lead, serial);
	return 0;
}

/* A value is here whole (takes `push`). */
static int accept_push(struct engine *engine, Ipp__Push *push, struct blob *payload)
{
	const uint64_t request = push->request, serial = push->serial;
	int rc = variable_check(push->value, payload, NULL);

	if (rc < 0) {
		ipp__push__free_unpacked(push, NULL);
		return rc;
	}
	rc = work_add_errand(engine, FRAME_PUSH, request, 0, &push->base, payload);
	if (rc < 0)
		return rc;
	if (engine->share)
		share_arrived(engine->share, serial);
	tell_done(engine, request);
	return 0;
}

static int take_push(struct engine *engine, const struct frame *frame)
{
	Ipp__Push *push = ipp__push__unpack(NULL, frame->head_bytes, frame->head);

	int rc;

	if (!push)
		return -EPROTO;
	if (!push->lead[0] || frame->payload)
		return accept_push(engine, push, frame->payload);
	rc = fetch(engine, frame, push->lead, push->serial);
	ipp__push__free_unpacked(push, NULL);
	return rc;
}

static int take_pull(struct engine *engine, const struct frame *frame)
{
	Ipp__Pull *pull = ipp__pull__unpack(NULL, frame->head_bytes, frame->head);

	return pull ? work_add_errand(engine, FRAME_PULL, pull->request, pull->index, &pull->base,
				      NULL)
		    : -EPROTO;
}

static int take_list(struct engine *engine, const struct frame *frame)
{
	Ipp__List *list = ipp__list__unpack(NULL, frame->head_bytes, frame->head);

	return list ? work_add_errand(engine, FRAME_LIST, list->request, list->index, &list->base,
				      NULL)
		    : -EPROTO;
}

static int take_remove(struct engine *engine, const struct frame *frame)
{
	Ipp__Remove *removal = ipp__remove__unpack(NULL, frame->head_bytes, frame->head);

	return removal ? work_add_errand(engine, FRAME_REMOVE, removal->request, 0, &removal->base,
					 NULL)
		       : -EPROTO;
}

static int take_call(struct engine *engine, const struct frame *frame)
{
	Ipp__Call *call = ipp__call__unpack(NULL, frame->head_bytes, frame->head);
	int rc = -EPROTO;

	if (call && call->lead[0] && !frame->payload) {
		rc = fetch(engine, frame, call->lead, call->serial);
	} else if (call) {
		rc = work_open(engine, frame, call);
		if (rc == 0 && engine->share)
			share_arrived(engine->share, call->serial);
	}
	ipp__call__free_unpacked(call, NULL);
	return rc;
}

static int take_cancel(struct engine *engine, const struct frame *frame)
{
	Ipp__Cancel *cancel = ipp__cancel__unpack(NULL, frame->head_bytes, frame->head);
	const int rc = cancel ? work_cancel(engine, cancel->request) : -EPROTO;

	if (rc == 0)
		tell_done(engine, cancel->request);
	ipp__cancel__free_unpacked(cancel, NULL);
	return rc;
}

static int take_close(struct engine *engine, const struct frame *frame)
{
	Ipp__Close *closed = ipp__close__unpack(NULL, frame->head_bytes, frame->head);

	if (!closed)
		return -EPROTO;
	work_close(engine, closed->request);
	ipp__close__free_unpacked(closed, NULL);
	return 0;
}

static int take_recall(struct engine *engine, const struct frame *frame)
{
	Ipp__Recall *recall = ipp__recall__unpack(NULL, frame->head_bytes, frame->head);

	if (!recall)
		return -EPROTO;
	recall->count = work_recall(engine, recall->request);
	link_send(engine->controller, FRAME_RECALL, &recall->base, NULL);
	ipp__recall__free_unpacked(recall, NULL);
	return 0;
}

static int take_probe(struct engine *engine, const struct frame *frame)
{
	const struct progress progress = worker_progress(engine->worker);
	Ipp__Health health;

	(void)frame;
	health_describe(&engine->health, &progress, worker_pid(engine->worker),
			engine->queue.n_tasks, &health);
	link_send(engine->controller, FRAME_HEALTH, &health.base, NULL);
	work_look(engine);
	return 0;
}

static const struct {
	uint16_t type;
	int (*take)(struct engine *engine, const struct frame *frame);
	bool needs_worker;
} rules[] = {
	{FRAME_WELCOME, take_welcome, false}, {FRAME_REFUSE, take_refuse, false},
	{FRAME_GOODBYE, take_goodbye, false}, {FRAME_PUSH, take_push, true},
	{FRAME_CALL, take_call, true},	      {FRAME_TASKS, work_add_tasks, true},
	{FRAME_CANCEL, take_cancel, true},    {FRAME_CLOSE, take_close, true},
	{FRAME_PROBE, take_probe, true},      {FRAME_PULL, take_pull, true},
	{FRAME_LIST, take_list, true},	      {FRAME_REMOVE, take_remove, true},
	{FRAME_RECALL, take_recall, true},
};

static void obey(struct engine *engine, const struct frame *frame)
{
	int rc = -EPROTO;

	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (rules[i].type == frame->type && (engine->worker || !rules[i].needs_worker))
			rc = rules[i].take(engine, frame);
	if (rc == 0)
		return;
	fprintf(stderr,
		"ipp-engine: rank %d: the controller sent a %s frame that is not its turn: "
		"leaving\n",
		engine->rank, frame_name(frame->type));
	engine_leave(engine, EXIT_ENGINE_LEFT);
}

/* ---- while a neighbour is asked for a value ---- */

static void hold(struct engine *engine, const struct frame *frame)
{
	struct held *held = held_new(frame);

	if (!held) {
		fprintf(stderr, "ipp-engine: rank %d: out of memory: leaving\n", engine->rank);
		engine_leave(engine, EXIT_ENGINE_LEFT);
		return;
	}
	*engine->hold = held;
	engine->hold = &held->next;
}

/* It is here, or there is nothing to wait for: on with what was held. */
static void go_on(struct engine *engine)
{
	while (engine->held && !engine->fetching) {
		struct held *held = engine->held;

		engine->held = held->next;
		if (!engine->held)
			engine->hold = &engine->held;
		obey(engine, &held->frame);
		held_free(held);
	}
}

static void arrived(struct engine *engine, struct blob *payload)
{
	struct held *held = engine->fetching;

	engine->fetching = NULL;
	held->frame.payload = blob_ref(payload);
	obey(engine, &held->frame);
	held_free(held);
	go_on(engine);
}

/* The variable has been set anew or removed, or the request has ended: of that one's tasks, which
 * are held, nobody awaits results, and they fail for want of the payload.  Neighbours that wait for
 * it here are to ask the controller themselves. */
static void is_gone(struct engine *engine)
{
	struct held *held = engine->fetching;
	const struct frame *frame = &held->frame;
	Ipp__Push *push = frame->type == FRAME_PUSH
				  ? ipp__push__unpack(NULL, frame->head_bytes, frame->head)
				  : NULL;
	Ipp__Call *call = frame->type == FRAME_CALL
				  ? ipp__call__unpack(NULL, frame->head_bytes, frame->head)
				  : NULL;

	engine->fetching = NULL;
	if (push)
		tell_done(engine, push->request);
	else if (!call || work_open(engine, frame, call) < 0)
		engine_leave(engine, EXIT_ENGINE_LEFT);
	ipp__push__free_unpacked(push, NULL);
	ipp__call__free_unpacked(call, NULL);
	held_free(held);
	share_arrived(engine->share, engine->fetching_serial);
	go_on(engine);
}

static void fetched(void *owner, uint64_t serial, struct blob *payload)
{
	struct engine *engine = owner;
	Ipp__Share question = IPP__SHARE__INIT;

	if (engine->goodbye)
		return;
	if (payload) {
		arrived(engine, payload);
		return;
	}
	question.serial = serial;
	link_send(engine->controller, FRAME_SHARE, &question.base, NULL);
}

/* What the controller says to a question of ours; false: it is about something else. */
static bool take_answer(struct engine *engine, const struct frame *frame)
{
	Ipp__Share *answer = frame->type == FRAME_SHARE
				     ? ipp__share__unpack(NULL, frame->head_bytes, frame->head)
				     : NULL;
	const bool ours = answer && answer->serial == engine->fetching_serial;

	ipp__share__free_unpacked(answer, NULL);
	if (!ours)
		return false;
	share_give_up(engine->share);
	if (frame->payload)
		arrived(engine, frame->payload);
	else
		is_gone(engine);
	return true;
}

static struct blob *find_for_neighbour(void *owner, uint64_t serial)
{
	const struct engine *engine = owner;
	const struct named *named = namespace_of_serial(&engine->names, serial);

	for (const struct errand *errand = engine->errands.first; errand; errand = errand->next)
		if (errand->type == FRAME_PUSH &&
		    ((const Ipp__Push *)errand->head)->serial == serial)
			return errand->payload;
	return named ? named->payload : work_payload(engine, serial);
}

static const struct share_events share_events = {
	.find = find_for_neighbour,
	.on_fetched = fetched,
};

static void on_frame(void *owner, struct link *link, const struct frame *frame)
{
	struct engine *engine = owner;

	(void)link;
	if (engine->goodbye)
		return;
	if (!engine->fetching || frame->type == FRAME_GOODBYE || frame->type == FRAME_PROBE)
		obey(engine, frame);
	else if (!take_answer(engine, frame))
		hold(engine, frame);
}

static void on_close(void *owner, struct link *link, const struct ipp_error *why)
{
	struct engine *engine = owner;

	(void)link;
	if (engine->goodbye) {
		engine_leave(engine, EXIT_ENGINE_GOODBYE);
		return;
	}
	fprintf(stderr, "ipp-engine: rank %d lost the controller on %s (%s): leaving\n",
		engine->rank, engine->options->connection->host, why->text);
	engine_leave(engine, EXIT_ENGINE_LEFT);
}

static const struct link_events controller_events = {.on_frame = on_frame, .on_close = on_close};

static void dialled(void *owner, struct link *link, const struct ipp_error *why)
{
	struct engine *engine = owner;
	Ipp__Hello hello = IPP__HELLO__INIT;
	struct ipp_error err;
	char host[256] = "";

	if (!link) {
		fprintf(stderr, "ipp-engine: rank %d cannot join the cluster: %s\n", engine->rank,
			why->text);
		engine_leave(engine, EXIT_ENGINE_OURS);
		return;
	}
	gethostname(host, sizeof(host) - 1);
	engine->controller = link;
	link_own(link, &controller_events, engine);
	hello.role = engine->options->standby ? IPP__ROLE__STANDBY : IPP__ROLE__ENGINE;
	hello.rank = engine->options->rank;
	hello.host = host;
	hello.pid = (uint32_t)getpid();
	hello.job = engine->options->connection->job;
	hello.trouble = engine->trouble;
	if (link_ssl(link) && !engine->options->standby) {
		engine->share = share_open(engine->base, engine->options->connection->job,
					   &share_events, engine, &err);
		if (engine->share)
			hello.share = (char *)share_name(engine->share);
		else
			fprintf(stderr,
				"ipp-engine: rank %d cannot share with its neighbours: %s\n",
				engine->rank, err.text);
	}
	link_send(link, FRAME_HELLO, &hello.base, NULL);
}

void engine_dial(struct engine *engine)
{
	const struct engine_options *options = engine->options;

	engine->dial = dial_start(engine->base, options->connection, options->timeout_ms, dialled,
				  engine);
	if (!engine->dial) {
		fprintf(stderr, "ipp-engine: rank %d: out of memory\n", engine->rank);
		engine_leave(engine, EXIT_ENGINE_OURS);
	}
}

int engine_run(struct event_base *base, const struct engine_options *options)
{
	struct engine engine = {.base = base,
				.options = options,
				.rank = options->rank,
				.exit_code = EXIT_ENGINE_OURS};

	engine.hold = &engine.held;
	if (work_init(&engine) < 0)
		return EXIT_ENGINE_OURS;
	if (options->standby)
		engine_dial(&engine);
	else if (options->again || watch_signal(&engine, SIGTERM) == 0)
		work_start(&engine);
	if (engine.dial || engine.worker)
		alert_dispatch(&engine.alert, base);
	dial_free(engine.dial);
	for (size_t i = 0; i < 2; i++)
		if (engine.signals[i])
			event_free(engine.signals[i]);
	work_fini(&engine);
	link_free(engine.controller);
	share_close(engine.share);
	held_free(engine.fetching);
	while (engine.held) {
		struct held *next = engine.held->next;

		held_free(engine.held);
		engine.held = next;
	}
	return engine.exit_code;
}
