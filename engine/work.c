#include "engine/engine_impl.h"

#include <errno.h>
#include <event2/buffer.h>
#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "engine/exits.h"
#include "engine/oom.h"
#include "engine/stopwatch.h"
#include "engine/verdict.h"
#include "engine/worker_process.h"
#include "proto/error.h"
#include "proto/extent.h"
#include "proto/frame.h"
#include "proto/variable.h"

#define IDLE_DEATHS_MAX 5
/* A worker that ends a command for its time also reports what that wrote; only when it does not,
 * it is ended itself. */
#define COMMAND_PATIENCE_MS 500
/* Results may wait in a worker for a task that runs no longer. */
#define WAIT_MS 10

/* A CALL, which a new worker must see. */
struct kept {
	struct kept *next;
	uint64_t request, serial;
	uint8_t *head;
	size_t head_bytes;
	struct blob *payload;
};

/* A request that was cancelled with tasks in the queue, which are dropped once it is known which of
 * them ended: when the worker says that it holds, or is dead. */
struct doomed {
	struct doomed *next;
	uint64_t request;
};

/* ---- what a new worker must be told ---- */

static void pass_to_worker(struct engine *engine, const struct frame *frame)
{
	link_forward(worker_link(engine->worker), frame->type, frame->head, frame->head_bytes,
		     frame->payload);
}

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

int work_open(struct engine *engine, const struct frame *frame, const Ipp__Call *call)
{
	struct kept *kept = calloc(1, sizeof(*kept));

	if (!kept)
		return -ENOMEM;
	*kept = (struct kept){.request = call->request,
			      .serial = call->serial,
			      .head = malloc(frame->head_bytes + 1),
			      .head_bytes = frame->head_bytes,
			      .payload = blob_ref(frame->payload)};
	if (!kept->head) {
		kept_free(kept);
		return -ENOMEM;
	}
	memcpy(kept->head, frame->head, frame->head_bytes);
	unkeep(engine, call->request);
	kept->next = engine->kept;
	engine->kept = kept;
	pass_to_worker(engine, frame);
	return time_limits_set(&engine->limits, call->request, call->task_timeout_ms,
			       strcmp(call->runtime, "native") ? COMMAND_PATIENCE_MS : 0);
}

struct blob *work_payload(const struct engine *engine, uint64_t serial)
{
	const struct kept *kept = engine->kept;

	while (kept && kept->serial != serial)
		kept = kept->next;
	return kept ? kept->payload : NULL;
}

void work_close(struct engine *engine, uint64_t request)
{
	Ipp__Close closed = IPP__CLOSE__INIT;

	unkeep(engine, request);
	time_limits_drop(&engine->limits, request);
	closed.request = request;
	if (engine->worker) /* a new one was not told of it */
		link_send_later(worker_link(engine->worker), FRAME_CLOSE, &closed.base);
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

/* Go on with what is at the head of the queue, as far as that needs no worker: tasks whose end is
 * known, and errands. */
static void proceed(struct engine *engine)
{
	const struct slice *first;

	while ((first = engine->queue.first)) {
		struct verdict *verdict = verdict_find(engine->verdicts, first->request,
						       first->from);

		if (errands_due(&engine->errands, first)) {
			run_errand(engine);
		} else if (verdict) {
			verdict_send(verdict, engine->rank, engine->controller, &engine->health);
			verdict_drop(&engine->verdicts, verdict);
		} else {
			return;
		}
		slices_finish_first(&engine->queue);
	}
}

/* ---- what was cancelled ---- */

static void drop_doomed(struct engine *engine)
{
	while (engine->doomed) {
		struct doomed *next = engine->doomed->next;

		slices_drop(&engine->queue, engine->doomed->request);
		work_close(engine, engine->doomed->request);
		free(engine->doomed);
		engine->doomed = next;
	}
}

bool work_is_doomed(const struct engine *engine, uint64_t request)
{
	const struct doomed *doomed = engine->doomed;

	while (doomed && doomed->request != request)
		doomed = doomed->next;
	return doomed != NULL;
}

/* User code wrote over what its worker had to say.  One that is dead is judged by how it died, one
 * that is being killed for a task's time by that. */
static void distrust(struct engine *engine)
{
	if (worker_pid(engine->worker) > 0 && !engine->late.running)
		engine->spoilt = true;
	worker_kill(engine->worker);
}

static void worker_results(struct engine *engine, const struct frame *frame)
{
	Ipp__Results *results = ipp__results__unpack(NULL, frame->head_bytes, frame->head);
	const bool sound = results && slices_in_turn(&engine->queue, results) && !results->heads &&
			   extents_fit(results, frame->payload);

	for (size_t i = 0; sound && i < results->n_results; i++) {
		health_count(&engine->health, results->results[i]);
		slices_finish_first(&engine->queue);
	}
	if (worker_pid(engine->worker) > 0) /* else why it died is still to be found */
		oom_mark();
	if (sound) {
		if (!engine->queue.first) /* as is what comes next */
			alert_raise(&engine->alert);
		engine->idle_deaths = 0;
		link_forward(engine->controller, frame->type, frame->head, frame->head_bytes,
			     frame->payload);
	} else {
		distrust(engine);
	}
	ipp__results__free_unpacked(results, NULL);
	proceed(engine);
}

/* ---- the worker ---- */

/* What was pushed is no more: an engine started again would have that old value. */
static void tell_replaced(struct engine *engine, const char *name, uint64_t serial)
{
	Ipp__Remove replaced = IPP__REMOVE__INIT;

	replaced.name = (char *)name;
	replaced.serial = serial;
	link_send(engine->controller, FRAME_REMOVE, &replaced.base, NULL);
}

/* A function stored a variable. */
static void worker_push(struct engine *engine, const struct frame *frame)
{
	Ipp__Push *push = ipp__push__unpack(NULL, frame->head_bytes, frame->head);

	if (push && variable_check(push->value, frame->payload, NULL) == 0) {
		const uint64_t replaced = namespace_serial(&engine->names, push->value->name);

		if (replaced > 0)
			tell_replaced(engine, push->value->name, replaced);
		push->serial = 0; /* it is no push of the controller's */
		if (namespace_set(&engine->names, push, frame->payload) == 0)
			return;
	} else {
		ipp__push__free_unpacked(push, NULL);
	}
	distrust(engine);
}

/* It can run nothing.  Before it joined, the controller is told, who tells whoever waits for it. */
static void give_up(struct engine *engine, const char *why)
{
	if (engine->dial) {
		fprintf(stderr, "ipp-engine: rank %d: %s: leaving\n", engine->rank, why);
		engine_leave(engine, EXIT_ENGINE_LEFT);
		return;
	}
	snprintf(engine->trouble, sizeof(engine->trouble), "%s", why);
	engine_dial(engine);
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
		do {
			part.to = verdict_next(engine->verdicts, slice->request, part.from,
					       slice->to);
			if (part.to > part.from &&
			    slice_send(&part, worker_link(engine->worker)) < 0)
				worker_kill(engine->worker);
			part.from = part.to + 1;
		} while (part.to < slice->to);
	}
}

/* The worker begins none of the tasks that it has been sent, once the one that runs is over.  It
 * skips what came before HOLD, says so, and gets what is left of the queue anew. */
static void hold(struct engine *engine)
{
	if (engine->holding)
		return;
	engine->holding = true;
	worker_hold(engine->worker, true);
	link_send(worker_link(engine->worker), FRAME_HOLD, NULL, NULL);
}

static void release(struct engine *engine)
{
	engine->holding = false;
	worker_hold(engine->worker, false);
	drop_doomed(engine);
	give_queue(engine);
	proceed(engine);
}

/* An engine joins once its first worker runs, so that a cluster that is ready can work. */
static void worker_frame(void *owner, const struct frame *frame)
{
	struct engine *engine = owner;

	if (engine->spoilt) /* and killed: what else it says would be believed */
		return;
	if (frame->type == FRAME_READY && !engine->dial)
		engine_dial(engine);
	else if (frame->type == FRAME_RESULTS && engine->controller)
		worker_results(engine, frame);
	else if (frame->type == FRAME_PUSH && engine->controller)
		worker_push(engine, frame);
	else if (frame->type == FRAME_HOLD && engine->holding)
		release(engine);
}

/* What nobody else is told. */
static void say_last_words(const struct engine *engine)
{
	struct evbuffer *words = evbuffer_new();

	if (!words)
		return;
	worker_last_words(engine->worker, words, words);
	evbuffer_write(words, STDERR_FILENO);
	evbuffer_free(words);
}

static void worker_death(void *owner, int status)
{
	struct engine *engine = owner;
	const bool killed_by_us = engine->late.running || engine->doomed;

	worker_take_waiting(engine->worker); /* those tasks are not run twice */
	if (autopsy(engine, status) || killed_by_us)
		engine->idle_deaths = 0;
	else
		engine->idle_deaths++;
	if (!killed_by_us)
		say_last_words(engine);
	work_end(engine);
	drop_doomed(engine);
	if (engine->idle_deaths > IDLE_DEATHS_MAX || !engine->dial) {
		give_up(engine, "its worker ends as soon as it is started");
		return;
	}
	work_start(engine);
	proceed(engine);
}

static const struct worker_events worker_events = {
	.on_frame = worker_frame,
	.on_death = worker_death,
};

void work_start(struct engine *engine)
{
	struct ipp_error err = {0};

	engine->late.running = 0;
	engine->spoilt = false;
	engine->holding = false;
	engine->stopped = false;
	engine->worker = worker_start(engine->base, (uint32_t)engine->rank, engine->idle_deaths > 0,
				      &worker_events, engine, &err);
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

/* Between this look and the signal the worker may get to another task: see autopsy.c. */
static void late(void *owner, const struct progress *task)
{
	struct engine *engine = owner;

	engine->late = *task;
	worker_kill(engine->worker);
}

/* The controller asks from time to time, while it waits for something. */
void work_look(struct engine *engine)
{
	const bool was_stopped = engine->stopped;
	struct progress task;

	engine->stopped = worker_is_stopped(engine->worker);
	if (!engine->stopped || !was_stopped)
		return;
	if (worker_running(engine->worker, &task) && task.running)
		late(engine, &task);
	else
		worker_kill(engine->worker);
}

/* Where a worker has several tasks at once, results of the first may wait in it. */
static void watch(struct engine *engine)
{
	const struct timeval wait = {.tv_usec = WAIT_MS * 1000};

	if (!event_pending(engine->waiting, EV_TIMEOUT, NULL))
		event_add(engine->waiting, &wait);
}

static void waiting_cb(evutil_socket_t fd, short what, void *arg)
{
	struct engine *engine = arg;
	struct progress task;

	(void)fd;
	(void)what;
	if (!engine->worker || !engine->queue.first)
		return;
	if (worker_running(engine->worker, &task) && task.running &&
	    stopwatch_clock_us() - task.start_us >= WAIT_MS * 1000)
		worker_take_waiting(engine->worker);
	if (engine->queue.n_tasks > 1)
		watch(engine);
}

/* ---- what the controller wants done ---- */

int work_add_errand(struct engine *engine, uint16_t type, uint64_t request, uint64_t index,
		    ProtobufCMessage *head, struct blob *payload)
{
	const struct errand probe = {.type = type, .head = head, .payload = payload};

	if (!engine->holding)
		tell_worker(engine, &probe);
	if (errands_add(&engine->errands, &engine->queue, type, request, index, head, payload) < 0)
		return -ENOMEM;
	proceed(engine);
	return 0;
}

int work_add_tasks(struct engine *engine, const struct frame *frame)
{
	Ipp__Tasks *tasks = ipp__tasks__unpack(NULL, frame->head_bytes, frame->head);
	struct items *items = NULL;
	struct slice *slice = NULL;

	if (tasks && items_new(&items, tasks, frame->payload, NULL) == 0)
		slice = slice_new(tasks->request, items, tasks->first, tasks->first + tasks->count);
	if (slice) {
		if (!engine->queue.first) { /* its result is awaited, perhaps */
			oom_mark();
			alert_raise(&engine->alert);
		}
		slices_append(&engine->queue, slice);
		if (tasks->count > 1)
			watch(engine);
		if (!engine->holding)
			pass_to_worker(engine, frame);
	}
	items_unref(items);
	ipp__tasks__free_unpacked(tasks, NULL);
	return slice ? 0 : -EPROTO;
}

/* What runs can only be stopped by ending its worker; a new one gets the rest.  A task that cannot
 * be seen is one that the worker will not begin. */
int work_cancel(struct engine *engine, uint64_t request)
{
	struct doomed *doomed;
	struct progress task;

	if (!slices_have(&engine->queue, request)) {
		work_close(engine, request);
		return 0;
	}
	doomed = malloc(sizeof(*doomed));
	if (!doomed)
		return -ENOMEM;
	*doomed = (struct doomed){.next = engine->doomed, .request = request};
	engine->doomed = doomed;
	hold(engine);
	if (worker_running(engine->worker, &task) && task.running && task.request == request)
		worker_kill(engine->worker);
	return 0;
}

/* Tasks of the request behind the one that runs. */
static uint64_t n_behind(const struct engine *engine, uint64_t request, const struct progress *task)
{
	const struct slice *slice = slices_find(&engine->queue, task->request, task->index);
	uint64_t n = 0;

	if (slice && slice->request == request)
		n = slice->to - task->index - 1;
	for (slice = slice ? slice->next : NULL; slice; slice = slice->next)
		if (slice->request == request && slice->items) /* else it is an errand */
			n += slice->to - slice->from;
	return n;
}

/* A task that can be seen is the last that the worker has begun, and it begins no other.  Where the
 * end of a task is known before its turn, that is among those that would be forgotten. */
uint64_t work_recall(struct engine *engine, uint64_t request)
{
	struct slices forgotten;
	struct progress task;
	uint64_t n;

	if (engine->verdicts || !slices_have(&engine->queue, request))
		return 0;
	hold(engine);
	if (!worker_running(engine->worker, &task) || !task.running)
		return 0;
	n = n_behind(engine, request, &task);
	slices_init(&forgotten);
	if (slices_move_last(&engine->queue, request, n, &forgotten) < 0)
		return 0;
	slices_clear(&forgotten);
	return n;
}

void work_end(struct engine *engine)
{
	worker_free(engine->worker);
	engine->worker = NULL;
}

int work_init(struct engine *engine)
{
	slices_init(&engine->queue);
	errands_init(&engine->errands);
	engine->limits = (struct time_limits){.running = running, .late = late, .owner = engine};
	engine->waiting = evtimer_new(engine->base, waiting_cb, engine);
	return engine->waiting ? time_limits_init(&engine->limits, engine->base) : -ENOMEM;
}

void work_fini(struct engine *engine)
{
	work_end(engine);
	slices_clear(&engine->queue);
	time_limits_fini(&engine->limits);
	if (engine->waiting)
		event_free(engine->waiting);
	errands_clear(&engine->errands);
	namespace_clear(&engine->names);
	while (engine->kept) {
		struct kept *next = engine->kept->next;

		kept_free(engine->kept);
		engine->kept = next;
	}
	while (engine->verdicts)
		verdict_drop(&engine->verdicts, engine->verdicts);
	drop_doomed(engine);
}
