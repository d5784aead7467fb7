#include "engine/engine.h"

#include <errno.h>
#include <event2/event.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "engine/exits.h"
#include "engine/health.h"
#include "engine/time_limits.h"
#include "engine/worker_process.h"
#include "proto/connection.h"
#include "proto/dial.h"
#include "proto/error.h"
#include "proto/frame.h"
#include "proto/items.h"
#include "proto/link.h"

#define IDLE_DEATHS_MAX 5
#define GOODBYE_S 2 /* for the controller to end after its GOODBYE */
/* A worker that ends a command for its time also reports what that wrote; only when it does not,
 * it is ended itself. */
#define COMMAND_PATIENCE_MS 500

/* A frame that a new worker must see: a PUSH or a CALL, under its name or request. */
struct kept {
	struct kept *next;
	uint16_t type;
	char *name;	  /* of a PUSH */
	uint64_t request; /* of a CALL */
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
	struct kept *kept;   /* pushes before calls do not matter: names are looked up late */
	struct slices queue; /* given to the worker, no result yet, in order */
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
	free(kept->name);
	free(kept->head);
	blob_unref(kept->payload);
	free(kept);
}

static bool kept_same(const struct kept *kept, uint16_t type, const char *name, uint64_t request)
{
	return kept->type == type &&
	       (name ? strcmp(kept->name, name) == 0 : kept->request == request);
}

static void unkeep(struct engine *engine, uint16_t type, const char *name, uint64_t request)
{
	for (struct kept **at = &engine->kept; *at; at = &(*at)->next)
		if (kept_same(*at, type, name, request)) {
			struct kept *old = *at;

			*at = old->next;
			kept_free(old);
			return;
		}
}

static int keep(struct engine *engine, const struct frame *frame, const char *name,
		uint64_t request)
{
	struct kept *kept = calloc(1, sizeof(*kept));

	if (!kept)
		return -ENOMEM;
	*kept = (struct kept){.type = frame->type,
			      .request = request,
			      .head_bytes = frame->head_bytes,
			      .payload = blob_ref(frame->payload)};
	kept->name = name ? strdup(name) : NULL;
	kept->head = malloc(frame->head_bytes + 1);
	if (!kept->head || (name && !kept->name)) {
		kept_free(kept);
		return -ENOMEM;
	}
	memcpy(kept->head, frame->head, frame->head_bytes);
	unkeep(engine, frame->type, name, request);
	kept->next = engine->kept;
	engine->kept = kept;
	return 0;
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

/* Report tasks at the head of the queue whose end is known without the worker. */
static void send_verdicts(struct engine *engine)
{
	const struct verdict *verdict;

	while (engine->queue.first && (verdict = verdict_find(engine, engine->queue.first->request,
							      engine->queue.first->from))) {
		send_verdict(engine, verdict);
		verdict_drop(engine, verdict);
		slices_finish_first(&engine->queue);
	}
}

/* ---- what was cancelled ---- */

static void start_worker(struct engine *engine);

/* Whether any of the queue was the request's. */
static bool drop(struct engine *engine, uint64_t request)
{
	unkeep(engine, FRAME_CALL, NULL, request);
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
	send_verdicts(engine);
	skip_doomed(engine);
}

/* ---- the worker ---- */

static void dial_up(struct engine *engine);

/* An engine joins once its first worker runs, so that a cluster that is ready can work. */
static void worker_frame(void *owner, const struct frame *frame)
{
	struct engine *engine = owner;

	if (frame->type == FRAME_RESULTS)
		worker_results(engine, frame);
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
	for (const struct slice *slice = engine->queue.first; slice; slice = slice->next) {
		struct slice part = *slice;

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
	send_verdicts(engine);
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
	for (const struct kept *kept = engine->kept; kept; kept = kept->next)
		link_forward(worker_link(engine->worker), kept->type, kept->head, kept->head_bytes,
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

static int take_push(struct engine *engine, const struct frame *frame)
{
	Ipp__Push *push = ipp__push__unpack(NULL, frame->head_bytes, frame->head);
	Ipp__Done done = IPP__DONE__INIT;
	int rc = push && push->value ? 0 : -EPROTO;

	if (rc == 0)
		rc = keep(engine, frame, push->value->name, 0);
	if (rc == 0) {
		pass_to_worker(engine, frame);
		done.request = push->request;
		link_send(engine->controller, FRAME_DONE, &done.base, NULL);
	}
	ipp__push__free_unpacked(push, NULL);
	return rc;
}

static int take_call(struct engine *engine, const struct frame *frame)
{
	Ipp__Call *call = ipp__call__unpack(NULL, frame->head_bytes, frame->head);
	int rc = call ? keep(engine, frame, NULL, call->request) : -EPROTO;

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
	return 0;
}

static int take_close(struct engine *engine, const struct frame *frame)
{
	Ipp__Close *closed = ipp__close__unpack(NULL, frame->head_bytes, frame->head);

	if (!closed)
		return -EPROTO;
	unkeep(engine, FRAME_CALL, NULL, closed->request);
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
	{FRAME_PROBE, take_probe, true},
};

static void on_frame(void *owner, struct link *link, const struct frame *frame)
{
	struct engine *engine = owner;
	int rc = -EPROTO;

	(void)link;
	if (engine->goodbye)
		return;
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
	slices_clear(&engine.queue);
	time_limits_fini(&engine.limits);
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
