#include "engine/engine.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/errands.h"
#include "engine/exits.h"
#include "engine/health.h"
#include "engine/namespace.h"
#include "engine/share.h"
#include "engine/time_limits.h"
#include "engine/worker_process.h"
#include "proto/connection.h"
#include "proto/dial.h"
#include "proto/error.h"
#include "proto/frame.h"
#include "proto/items.h"
#include "proto/link.h"
#include "proto/variable.h"

#define IDLE_DEATHS_MAX 5
#define GOODBYE_S 2 /* for the controller to end after its GOODBYE */
/* A worker that ends a command for its time also reports what that wrote; only when it does not,
 * it is ended itself. */
#define COMMAND_PATIENCE_MS 500

/* A CALL, which a new worker must see. */
struct kept {
	struct kept *next;
	uint64_t request;
	uint8_t *head;
	size_t head_bytes;
	struct blob *payload;
};

/* A request that was cancelled while its tasks were queued behind one of another's that runs: they
 * are dropped, and the worker that has them is ended, once that one is over. */
struct doomed {
	struct doomed *next;
	uint64_t request;
};

/* A frame that came while a value was being fetched, and waits for its turn. */
struct held {
	struct held *next;
	struct frame frame; /* owns its head and a reference to its payload */
};

/* A task that killed its worker: its result, until its turn comes. */
struct verdict {
	struct verdict *next;
	uint64_t request, index;
	int64_t started_us;
	int signal; /* 0: the worker exited with `code` */
	int code;
	uint32_t limit_ms;   /* we killed it for running longer; 0: we did not */
	uint64_t elapsed_us; /* 0: not known */
};

struct engine {
	struct event_base *base;
	const struct engine_options *options;
	struct dial *dial;
	struct link *controller;
	struct worker_process *worker;
	struct kept *kept;
	struct namespace names; /* as the tasks and errands before the queue left it */
	struct slices queue;	/* no result yet, in order: the worker's tasks, and our errands */
	struct errands errands;
	struct share *share;	   /* with neighbours; NULL beside the controller */
	Ipp__Push *fetching;	   /* its value is with a neighbour; all else waits; NULL: none */
	struct held *held, **hold; /* what waits, and where the next goes */
	struct verdict *verdicts;
	struct doomed *doomed;
	struct health health;
	struct time_limits limits;
	struct progress late; /* what the worker is being killed for, while that is running */
	unsigned idle_deaths; /* workers in a row that died and ran nothing */
	int32_t rank;
	bool welcome, goodbye;
	char trouble[300]; /* why it can run nothing; empty: it can */
	int exit_code;
};

static void leave(struct engine *engine, int exit_code)
{
	engine->exit_code = exit_code;
	event_base_loopbreak(engine->base);
}

/* ---- what a new worker must be told ---- */

static void kept_free(struct kept *kept)
{
	free(kept->head);
	blob_unref(kept->payload);
	free(kept);
}

static void unkeep(struct engine *engine, uint64_t request)
{
	for (struct kept **at = &engine->kept; *at; at = &(*at)->next)
		if ((*at)->request == request) {
			struct kept *old = *at;

			*at = old->next;
			kept_free(old);
			return;
		}
}

static int keep(struct engine *engine, const struct frame *frame, uint64_t request)
{
	struct kept *kept = calloc(1, sizeof(*kept));

	if (!kept)
		return -ENOMEM;
	*kept = (struct kept){.request = request,
			      .head = malloc(frame->head_bytes + 1),
			      .head_bytes = frame->head_bytes,
			      .payload = blob_ref(frame->payload)};
	if (!kept->head) {
		kept_free(kept);
		return -ENOMEM;
	}
	memcpy(kept->head, frame->head, frame->head_bytes);
	unkeep(engine, request);
	kept->next = engine->kept;
	engine->kept = kept;
	return 0;
}

/* ---- errands ---- */

static void run_push(struct engine *engine, struct errand *errand)
{
	Ipp__Push *push = (Ipp__Push *)errand->head;

	errand->head = NULL;
	if (namespace_set(&engine->names, push, errand->payload) < 0)
		fprintf(stderr, "ipp-engine: rank %d: out of memory for a variable\n",
			engine->rank);
}

static void run_pull(struct engine *engine, struct errand *errand)
{
	namespace_pull(&engine->names, (const Ipp__Pull *)errand->head, (uint32_t)engine->rank,
		       engine->controller);
}

static void run_list(struct engine *engine, struct errand *errand)
{
	namespace_list(&engine->names, (const Ipp__List *)errand->head, (uint32_t)engine->rank,
		       engine->controller);
}

static void run_remove(struct engine *engine, struct errand *errand)
{
	const Ipp__Remove *removal = (const Ipp__Remove *)errand->head;
	Ipp__Failure failure = IPP__FAILURE__INIT;
	Ipp__Failure *one = &failure;
	Ipp__Done done = IPP__DONE__INIT;

	done.request = removal->request;
	failure.rank = (uint32_t)engine->rank;
	failure.text = (char *)"there is no such variable";
	failure.absent = true;
	if (!namespace_remove(&engine->names, removal->name)) {
		done.n_failures = 1;
		done.failures = &one;
	}
	link_send(engine->controller, FRAME_DONE, &done.base, NULL);
}

static const struct {
	uint16_t type;
	void (*run)(struct engine *engine, struct errand *errand);
	bool for_worker; /* who has variables of its own */
} errand_rules[] = {
	{FRAME_PUSH, run_push, true},
	{FRAME_PULL, run_pull, false},
	{FRAME_LIST, run_list, false},
	{FRAME_REMOVE, run_remove, true},
};
#define N_ERRAND_RULES (sizeof(errand_rules) / sizeof(errand_rules[0]))

static void run_errand(struct engine *engine)
{
	struct errand *errand = errands_pop(&engine->errands);

	for (size_t i = 0; i < N_ERRAND_RULES; i++)
		if (errand_rules[i].type == errand->type)
			errand_rules[i].run(engine, errand);
	errand_free(errand);
}

/* A worker does at once, in turn with its tasks, what we do when those have ended. */
static void tell_worker(const struct engine *engine, const struct errand *errand)
{
	for (size_t i = 0; i < N_ERRAND_RULES; i++)
		if (errand_rules[i].type == errand->type && errand_rules[i].for_worker)
			link_send(worker_link(engine->worker), errand->type, errand->head,
				  errand->payload);
}

/* ---- results ---- */

static const struct verdict *verdict_find(const struct engine *engine, uint64_t request,
					  uint64_t index)
{
	const struct verdict *verdict = engine->verdicts;

	while (verdict && (verdict->request != request || verdict->index != index))
		verdict = verdict->next;
	return verdict;
}

static void verdict_drop(struct engine *engine, const struct verdict *verdict)
{
	struct verdict **at = &engine->verdicts;

	while (*at != verdict)
		at = &(*at)->next;
	*at = verdict->next;
	free((struct verdict *)verdict);
}

static void send_verdict(struct engine *engine, const struct verdict *verdict)
{
	Ipp__Result result = IPP__RESULT__INIT;
	Ipp__Results results = IPP__RESULTS__INIT;
	Ipp__Result *one = &result;
	char text[256];

	if (verdict->limit_ms > 0)
		snprintf(text, sizeof(text),
			 "it ran longer than the %g s of --task-timeout and was killed with its "
			 "worker on engine %d",
			 (double)verdict->limit_ms / 1000, engine->rank);
	else if (verdict->signal)
		snprintf(text, sizeof(text), "its worker on engine %d was killed by signal %d (%s)",
			 engine->rank, verdict->signal, strsignal(verdict->signal));
	else
		snprintf(text, sizeof(text), "it ended its worker on engine %d with exit code %d",
			 engine->rank, verdict->code);
	result.index = verdict->index;
	result.engine = (uint32_t)engine->rank;
	result.outcome = verdict->limit_ms ? IPP__OUTCOME__TIMED_OUT
			 : verdict->signal ? IPP__OUTCOME__KILLED
					   : IPP__OUTCOME__EXITED;
	result.code = verdict->signal ? verdict->signal : verdict->code;
	result.error = text;
	result.started_us = verdict->started_us;
	result.elapsed_us = verdict->elapsed_us;
	results.request = verdict->request;
	results.n_results = 1;
	results.results = &one;
	health_count(&engine->health, one);
	link_send(engine->controller, FRAME_RESULTS, &results.base, NULL);
}

/* Go on with what is at the head of the queue, as far as that needs no worker: tasks whose end is
 * known, and errands. */
static void proceed(struct engine *engine)
{
	const struct slice *first;

	while ((first = engine->queue.first)) {
		const struct verdict *verdict = verdict_find(engine, first->request, first->from);

		if (errands_due(&engine->errands, first)) {
			run_errand(engine);
		} else if (verdict) {
			send_verdict(engine, verdict);
			verdict_drop(engine, verdict);
		} else {
			return;
		}
		slices_finish_first(&engine->queue);
	}
}

/* ---- what was cancelled ---- */

static void start_worker(struct engine *engine);

/* Whether any of the queue was the request's. */
static bool drop(struct engine *engine, uint64_t request)
{
	unkeep(engine, request);
	time_limits_drop(&engine->limits, request);
	return slices_drop(&engine->queue, request) > 0;
}

static void drop_doomed(struct engine *engine)
{
	while (engine->doomed) {
		struct doomed *next = engine->doomed->next;

		drop(engine, engine->doomed->request);
		free(engine->doomed);
		engine->doomed = next;
	}
}

static bool is_doomed(const struct engine *engine, uint64_t request)
{
	const struct doomed *doomed = engine->doomed;

	while (doomed && doomed->request != request)
		doomed = doomed->next;
	return doomed != NULL;
}

/* What was cancelled is next: a new worker gets what is behind it. */
static void skip_doomed(struct engine *engine)
{
	if (!engine->queue.first || !is_doomed(engine, engine->queue.first->request))
		return;
	drop_doomed(engine);
	worker_free(engine->worker);
	engine->worker = NULL;
	start_worker(engine);
	proceed(engine);
}

static void worker_results(struct engine *engine, const struct frame *frame)
{
	Ipp__Results *results = ipp__results__unpack(NULL, frame->head_bytes, frame->head);
	const bool in_turn = results && slices_in_turn(&engine->queue, results);

	for (size_t i = 0; in_turn && i < results->n_results; i++) {
		health_count(&engine->health, results->results[i]);
		slices_finish_first(&engine->queue);
	}
	if (in_turn) {
		engine->idle_deaths = 0;
		link_forward(engine->controller, frame->type, frame->head, frame->head_bytes,
			     frame->payload);
	} else {
		worker_kill(engine->worker); /* user code scribbled over its link */
	}
	ipp__results__free_unpacked(results, NULL);
	proceed(engine);
	skip_doomed(engine);
}

/* ---- the worker ---- */

/* A function stored a variable. */
static void worker_push(struct engine *engine, const struct frame *frame)
{
	Ipp__Push *push = ipp__push__unpack(NULL, frame->head_bytes, frame->head);

	if (push && variable_check(push->value, frame->payload, NULL) == 0) {
		push->serial = 0; /* it is no push of the controller's */
		if (namespace_set(&engine->names, push, frame->payload) == 0)
			return;
	} else {
		ipp__push__free_unpacked(push, NULL);
	}
	worker_kill(engine->worker);
}

static void dial_up(struct engine *engine);

/* An engine joins once its first worker runs, so that a cluster that is ready can work. */
static void worker_frame(void *owner, const struct frame *frame)
{
	struct engine *engine = owner;

	if (frame->type == FRAME_RESULTS)
		worker_results(engine, frame);
	else if (frame->type == FRAME_PUSH)
		worker_push(engine, frame);
	else if (frame->type == FRAME_READY && !engine->dial)
		dial_up(engine);
}

/* It can run nothing.  Before it joined, the controller is told, who tells whoever waits for it. */
static void give_up(struct engine *engine, const char *why)
{
	if (engine->dial) {
		fprintf(stderr, "ipp-engine: rank %d: %s: leaving\n", engine->rank, why);
		leave(engine, EXIT_ENGINE_LEFT);
		return;
	}
	snprintf(engine->trouble, sizeof(engine->trouble), "%s", why);
	dial_up(engine);
}

/* Send the queue to a new worker, less the tasks whose end is known. */
static void give_queue(struct engine *engine)
{
	const struct errand *errand = engine->errands.first;

	for (const struct slice *slice = engine->queue.first; slice; slice = slice->next) {
		struct slice part = *slice;

		if (errand && errand->request == slice->request && errand->index == slice->from) {
			tell_worker(engine, errand);
			errand = errand->next;
			continue;
		}
		for (part.to = part.from; part.to < slice->to; part.from = ++part.to) {
			while (part.to < slice->to &&
			       !verdict_find(engine, slice->request, part.to))
				part.to++;
			if (part.to > part.from &&
			    slice_send(&part, worker_link(engine->worker)) < 0)
				worker_kill(engine->worker);
		}
	}
}

/* The task that its worker died of; NULL: of none, it only happened to be at it. */
static struct verdict *judge(struct engine *engine, int status)
{
	const struct progress task = worker_progress(engine->worker);
	const struct progress late = engine->late;
	struct verdict *verdict;

	engine->late.running = 0;
	/* It was killed for an earlier task, which ended in time after all. */
	if (!task.running ||
	    (late.running && (late.request != task.request || late.index != task.index)))
		return NULL;
	verdict = calloc(1, sizeof(*verdict));
	if (!verdict)
		return NULL;
	*verdict = (struct verdict){.next = engine->verdicts,
				    .request = task.request,
				    .index = task.index,
				    .started_us = task.started_us,
				    .signal = WIFSIGNALED(status) ? WTERMSIG(status) : 0,
				    .code = WIFEXITED(status) ? WEXITSTATUS(status) : 0};
	if (late.running) {
		verdict->limit_ms = time_limits_get(&engine->limits, task.request);
		verdict->elapsed_us = (uint64_t)(time_limits_now_us() - task.start_us);
	}
	engine->verdicts = verdict;
	return verdict;
}

static void worker_death(void *owner, int status)
{
	struct engine *engine = owner;
	const bool killed_by_us = engine->late.running;

	if (judge(engine, status) || killed_by_us)
		engine->idle_deaths = 0;
	else
		engine->idle_deaths++;
	worker_free(engine->worker);
	engine->worker = NULL;
	drop_doomed(engine);
	if (engine->idle_deaths > IDLE_DEATHS_MAX || !engine->dial) {
		give_up(engine, "its worker ends as soon as it is started");
		return;
	}
	start_worker(engine);
	proceed(engine);
}

static const struct worker_events worker_events = {
	.on_frame = worker_frame,
	.on_death = worker_death,
};

static void start_worker(struct engine *engine)
{
	struct ipp_error err = {0};

	engine->late.running = 0;
	engine->worker = worker_start(engine->base, (uint32_t)engine->rank, &worker_events, engine,
				      &err);
	if (!engine->worker) {
		give_up(engine, err.text);
		return;
	}
	namespace_tell(&engine->names, worker_link(engine->worker));
	for (const struct kept *kept = engine->kept; kept; kept = kept->next)
		link_forward(worker_link(engine->worker), FRAME_CALL, kept->head, kept->head_bytes,
			     kept->payload);
	give_queue(engine);
}

static bool running(void *owner, struct progress *out)
{
	const struct engine *engine = owner;

	return engine->worker && worker_running(engine->worker, out);
}

/* Between this look and the signal the worker may get to another task: see judge(). */
static void late(void *owner, const struct progress *task)
{
	struct engine *engine = owner;

	engine->late = *task;
	worker_kill(engine->worker);
}

static void pass_to_worker(struct engine *engine, const struct frame *frame)
{
	link_forward(worker_link(engine->worker), frame->type, frame->head, frame->head_bytes,
		     frame->payload);
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
	/* By hand the rank may be another one, and the worker must know it. */
	if (engine->rank != asked_for && engine->worker) {
		worker_free(engine->worker);
		start_worker(engine);
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
	leave(engine, EXIT_ENGINE_OURS);
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
	worker_free(engine->worker);
	engine->worker = NULL;
	event_base_loopexit(engine->base, &patience);
	return 0;
}

static int add_errand(struct engine *engine, uint16_t type, uint64_t request, uint64_t index,
		      ProtobufCMessage *head, struct blob *payload)
{
	const struct errand probe = {.type = type, .head = head, .payload = payload};

	tell_worker(engine, &probe);
	if (errands_add(&engine->errands, &engine->queue, type, request, index, head, payload) < 0)
		return -ENOMEM;
	proceed(engine);
	return 0;
}

static void tell_done(struct engine *engine, uint64_t request)
{
	Ipp__Done done = IPP__DONE__INIT;

	done.request = request;
	link_send(engine->controller, FRAME_DONE, &done.base, NULL);
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
	rc = add_errand(engine, FRAME_PUSH, request, 0, &push->base, payload);
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

	if (!push)
		return -EPROTO;
	if (!push->lead[0])
		return accept_push(engine, push, frame->payload);
	if (!engine->share) {
		ipp__push__free_unpacked(push, NULL);
		return -EPROTO;
	}
	engine->fetching = push;
	share_fetch(engine->share, push->lead, push->serial);
	return 0;
}

static int take_pull(struct engine *engine, const struct frame *frame)
{
	Ipp__Pull *pull = ipp__pull__unpack(NULL, frame->head_bytes, frame->head);

	return pull ? add_errand(engine, FRAME_PULL, pull->request, pull->index, &pull->base, NULL)
		    : -EPROTO;
}

static int take_list(struct engine *engine, const struct frame *frame)
{
	Ipp__List *list = ipp__list__unpack(NULL, frame->head_bytes, frame->head);

	return list ? add_errand(engine, FRAME_LIST, list->request, list->index, &list->base, NULL)
		    : -EPROTO;
}

static int take_remove(struct engine *engine, const struct frame *frame)
{
	Ipp__Remove *removal = ipp__remove__unpack(NULL, frame->head_bytes, frame->head);

	return removal ? add_errand(engine, FRAME_REMOVE, removal->request, 0, &removal->base, NULL)
		       : -EPROTO;
}

static int take_call(struct engine *engine, const struct frame *frame)
{
	Ipp__Call *call = ipp__call__unpack(NULL, frame->head_bytes, frame->head);
	int rc = call ? keep(engine, frame, call->request) : -EPROTO;

	if (rc == 0)
		rc = time_limits_set(&engine->limits, call->request, call->task_timeout_ms,
				     strcmp(call->runtime, "native") ? COMMAND_PATIENCE_MS : 0);
	if (rc == 0)
		pass_to_worker(engine, frame);
	ipp__call__free_unpacked(call, NULL);
	return rc;
}

static int take_tasks(struct engine *engine, const struct frame *frame)
{
	Ipp__Tasks *tasks = ipp__tasks__unpack(NULL, frame->head_bytes, frame->head);
	struct items *items = NULL;
	struct slice *slice = NULL;

	if (tasks && items_new(&items, tasks, frame->payload, NULL) == 0)
		slice = slice_new(tasks->request, items, tasks->first, tasks->first + tasks->count);
	if (slice) {
		slices_append(&engine->queue, slice);
		pass_to_worker(engine, frame);
	}
	items_unref(items);
	ipp__tasks__free_unpacked(tasks, NULL);
	return slice ? 0 : -EPROTO;
}

/* Whether the task that runs, as far as can be seen, is another request's. */
static bool other_runs(const struct engine *engine, uint64_t request)
{
	const struct progress progress = worker_progress(engine->worker);

	return progress.running && progress.request != request && engine->queue.first &&
	       engine->queue.first->request == progress.request;
}

static bool doom(struct engine *engine, uint64_t request)
{
	struct doomed *doomed = malloc(sizeof(*doomed));

	if (!doomed || !worker_skip(engine->worker, request)) {
		free(doomed);
		return false;
	}
	*doomed = (struct doomed){.next = engine->doomed, .request = request};
	engine->doomed = doomed;
	return true;
}

/* What runs can only be stopped by ending its worker; a new one gets the rest. */
static int take_cancel(struct engine *engine, const struct frame *frame)
{
	Ipp__Cancel *cancel = ipp__cancel__unpack(NULL, frame->head_bytes, frame->head);
	Ipp__Close closed = IPP__CLOSE__INIT;

	if (!cancel)
		return -EPROTO;
	closed.request = cancel->request;
	ipp__cancel__free_unpacked(cancel, NULL);
	if (other_runs(engine, closed.request) && slices_have(&engine->queue, closed.request) &&
	    doom(engine, closed.request))
		return 0;
	if (!drop(engine, closed.request)) {
		link_send(worker_link(engine->worker), FRAME_CLOSE, &closed.base, NULL);
		return 0;
	}
	drop_doomed(engine);
	worker_free(engine->worker);
	engine->worker = NULL;
	start_worker(engine);
	proceed(engine);
	return 0;
}

static int take_close(struct engine *engine, const struct frame *frame)
{
	Ipp__Close *closed = ipp__close__unpack(NULL, frame->head_bytes, frame->head);

	if (!closed)
		return -EPROTO;
	unkeep(engine, closed->request);
	time_limits_drop(&engine->limits, closed->request);
	link_send_later(worker_link(engine->worker), FRAME_CLOSE, &closed->base);
	ipp__close__free_unpacked(closed, NULL);
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
	return 0;
}

static const struct {
	uint16_t type;
	int (*take)(struct engine *engine, const struct frame *frame);
	bool needs_worker;
} rules[] = {
	{FRAME_WELCOME, take_welcome, false}, {FRAME_REFUSE, take_refuse, false},
	{FRAME_GOODBYE, take_goodbye, false}, {FRAME_PUSH, take_push, true},
	{FRAME_CALL, take_call, true},	      {FRAME_TASKS, take_tasks, true},
	{FRAME_CANCEL, take_cancel, true},    {FRAME_CLOSE, take_close, true},
	{FRAME_PROBE, take_probe, true},      {FRAME_PULL, take_pull, true},
	{FRAME_LIST, take_list, true},	      {FRAME_REMOVE, take_remove, true},
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
	leave(engine, EXIT_ENGINE_LEFT);
}

/* ---- while a neighbour is asked for a value ---- */

static void held_free(struct held *held)
{
	free((uint8_t *)held->frame.head);
	blob_unref(held->frame.payload);
	free(held);
}

static void hold(struct engine *engine, const struct frame *frame)
{
	struct held *held = calloc(1, sizeof(*held));
	uint8_t *head = malloc(frame->head_bytes + 1);

	if (!held || !head) {
		fprintf(stderr, "ipp-engine: rank %d: out of memory: leaving\n", engine->rank);
		leave(engine, EXIT_ENGINE_LEFT);
		free(held);
		free(head);
		return;
	}
	if (frame->head_bytes)
		memcpy(head, frame->head, frame->head_bytes);
	held->frame = (struct frame){.type = frame->type,
				     .head = head,
				     .head_bytes = frame->head_bytes,
				     .payload = blob_ref(frame->payload)};
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

/* Whether `payload` is the one that was asked for: then it is taken. */
static bool accept_fetched(struct engine *engine, struct blob *payload)
{
	Ipp__Push *push = engine->fetching;

	if (variable_check(push->value, payload, NULL) < 0)
		return false;
	engine->fetching = NULL;
	accept_push(engine, push, payload);
	go_on(engine);
	return true;
}

static void fetched(void *owner, uint64_t serial, struct blob *payload)
{
	struct engine *engine = owner;
	Ipp__Share question = IPP__SHARE__INIT;

	if (engine->goodbye || (payload && accept_fetched(engine, payload)))
		return;
	question.serial = serial;
	link_send(engine->controller, FRAME_SHARE, &question.base, NULL);
}

/* What the controller says to a question of ours; false: it is about something else. */
static bool take_answer(struct engine *engine, const struct frame *frame)
{
	const uint64_t serial = engine->fetching->serial, request = engine->fetching->request;
	Ipp__Share *gone = frame->type == FRAME_SHARE
				   ? ipp__share__unpack(NULL, frame->head_bytes, frame->head)
				   : NULL;
	Ipp__Push *push = frame->type == FRAME_PUSH
				  ? ipp__push__unpack(NULL, frame->head_bytes, frame->head)
				  : NULL;
	const bool is_gone = gone && gone->serial == serial;
	const bool is_here = push && push->serial == serial && !push->lead[0];

	ipp__share__free_unpacked(gone, NULL);
	ipp__push__free_unpacked(push, NULL);
	if (is_gone) {
		ipp__push__free_unpacked(engine->fetching, NULL);
		engine->fetching = NULL;
		tell_done(engine, request);
		go_on(engine);
	}
	return is_gone || (is_here && accept_fetched(engine, frame->payload));
}

static const Ipp__Push *find_for_neighbour(void *owner, uint64_t serial, struct blob **payload)
{
	const struct engine *engine = owner;
	const struct named *named = namespace_of_serial(&engine->names, serial);

	for (const struct errand *errand = engine->errands.first; errand && !named;
	     errand = errand->next) {
		const Ipp__Push *push = (const Ipp__Push *)errand->head;

		if (errand->type == FRAME_PUSH && push->serial == serial) {
			*payload = errand->payload;
			return push;
		}
	}
	*payload = named ? named->payload : NULL;
	return named ? named->push : NULL;
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
		leave(engine, EXIT_ENGINE_GOODBYE);
		return;
	}
	fprintf(stderr, "ipp-engine: rank %d lost the controller on %s (%s): leaving\n",
		engine->rank, engine->options->connection->host, why->text);
	leave(engine, EXIT_ENGINE_LEFT);
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
		leave(engine, EXIT_ENGINE_OURS);
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

static void dial_up(struct engine *engine)
{
	const struct engine_options *options = engine->options;

	engine->dial = dial_start(engine->base, options->connection, options->timeout_ms, dialled,
				  engine);
	if (!engine->dial) {
		fprintf(stderr, "ipp-engine: rank %d: out of memory\n", engine->rank);
		leave(engine, EXIT_ENGINE_OURS);
	}
}

int engine_run(struct event_base *base, const struct engine_options *options)
{
	struct engine engine = {.base = base,
				.options = options,
				.rank = options->rank,
				.exit_code = EXIT_ENGINE_OURS};

	slices_init(&engine.queue);
	errands_init(&engine.errands);
	engine.hold = &engine.held;
	engine.limits = (struct time_limits){.running = running, .late = late, .owner = &engine};
	if (time_limits_init(&engine.limits, base) < 0)
		return EXIT_ENGINE_OURS;
	if (options->standby)
		dial_up(&engine);
	else
		start_worker(&engine);
	if (engine.dial || engine.worker)
		event_base_dispatch(base);
	dial_free(engine.dial);
	worker_free(engine.worker);
	link_free(engine.controller);
	share_close(engine.share);
	slices_clear(&engine.queue);
	time_limits_fini(&engine.limits);
	errands_clear(&engine.errands);
	namespace_clear(&engine.names);
	ipp__push__free_unpacked(engine.fetching, NULL);
	while (engine.held) {
		struct held *next = engine.held->next;

		held_free(engine.held);
		engine.held = next;
	}
	while (engine.kept) {
		struct kept *next = engine.kept->next;

		kept_free(engine.kept);
		engine.kept = next;
	}
	while (engine.verdicts)
		verdict_drop(&engine, engine.verdicts);
	drop_doomed(&engine);
	return engine.exit_code;
}
