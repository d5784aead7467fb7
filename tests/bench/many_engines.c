/* many_engines - N engines in one process, each with a real link to the controller that was started
 * by hand on this machine.  Their tasks take no time and succeed: what is measured is the
 * controller.  Prints how long it took until all had registered, in ms, then works until the
 * cluster ends.
 *
 *	ipp-controller & many_engines N */
#include <event2/event.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "proto/connection.h"
#include "proto/dial.h"
#include "proto/error.h"
#include "proto/frame.h"
#include "proto/link.h"

#define TIMEOUT_MS 60000
#define RESULTS_MAX 512 /* a frame, as a worker does */

struct crowd;

struct engine {
	struct crowd *crowd;
	struct dial *dial;
	struct link *link;
	uint32_t rank;
};

struct crowd {
	struct event_base *base;
	struct connection connection;
	struct engine *engines;
	size_t n, n_welcome, n_goodbye;
	double begin_ms;
};

static double now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (double)now.tv_sec * 1e3 + (double)now.tv_nsec / 1e6;
}

static void die(const char *why)
{
	fprintf(stderr, "many_engines: %s\n", why);
	exit(1);
}

static void take_welcome(struct engine *engine, const struct frame *frame)
{
	Ipp__Welcome *welcome = ipp__welcome__unpack(NULL, frame->head_bytes, frame->head);
	struct crowd *crowd = engine->crowd;

	if (!welcome)
		die("a WELCOME is malformed");
	engine->rank = (uint32_t)welcome->rank;
	ipp__welcome__free_unpacked(welcome, NULL);
	if (++crowd->n_welcome < crowd->n)
		return;
	printf("%.1f\n", now_ms() - crowd->begin_ms);
	fflush(stdout);
}

static void take_push(struct engine *engine, const struct frame *frame)
{
	Ipp__Push *push = ipp__push__unpack(NULL, frame->head_bytes, frame->head);
	Ipp__Done done = IPP__DONE__INIT;

	if (!push)
		die("a PUSH is malformed");
	done.request = push->request;
	link_send(engine->link, FRAME_DONE, &done.base, NULL);
	ipp__push__free_unpacked(push, NULL);
}

static void take_tasks(struct engine *engine, const struct frame *frame)
{
	static Ipp__Result room[RESULTS_MAX], *pointers[RESULTS_MAX];
	Ipp__Tasks *tasks = ipp__tasks__unpack(NULL, frame->head_bytes, frame->head);
	Ipp__Results results = IPP__RESULTS__INIT;

	if (!tasks)
		die("TASKS are malformed");
	results.request = tasks->request;
	results.results = pointers;
	for (uint64_t i = 0; i < tasks->count; i++) {
		Ipp__Result *result = &room[results.n_results];

		ipp__result__init(result);
		result->index = tasks->first + i;
		result->engine = engine->rank;
		pointers[results.n_results++] = result;
		if (results.n_results < RESULTS_MAX && i + 1 < tasks->count)
			continue;
		link_send(engine->link, FRAME_RESULTS, &results.base, NULL);
		results.n_results = 0;
	}
	ipp__tasks__free_unpacked(tasks, NULL);
}

/* Nothing waits here. */
static void take_recall(struct engine *engine, const struct frame *frame)
{
	Ipp__Recall *recall = ipp__recall__unpack(NULL, frame->head_bytes, frame->head);

	if (!recall)
		die("a RECALL is malformed");
	recall->count = 0;
	link_send(engine->link, FRAME_RECALL, &recall->base, NULL);
	ipp__recall__free_unpacked(recall, NULL);
}

static void take_probe(struct engine *engine, const struct frame *frame)
{
	Ipp__Health health = IPP__HEALTH__INIT;

	(void)frame;
	health.rank = engine->rank;
	link_send(engine->link, FRAME_HEALTH, &health.base, NULL);
}

static void take_goodbye(struct engine *engine, const struct frame *frame)
{
	(void)frame;
	if (++engine->crowd->n_goodbye == engine->crowd->n)
		event_base_loopbreak(engine->crowd->base);
}

static const struct {
	uint16_t type;
	void (*take)(struct engine *engine, const struct frame *frame);
} rules[] = {
	{FRAME_WELCOME, take_welcome}, {FRAME_PUSH, take_push},	      {FRAME_TASKS, take_tasks},
	{FRAME_PROBE, take_probe},     {FRAME_GOODBYE, take_goodbye}, {FRAME_RECALL, take_recall},
};

static void on_frame(void *owner, struct link *link, const struct frame *frame)
{
	(void)link;
	for (size_t i = 0; i < sizeof(rules) / sizeof(rules[0]); i++)
		if (rules[i].type == frame->type)
			rules[i].take(owner, frame);
}

static void on_close(void *owner, struct link *link, const struct ipp_error *why)
{
	struct engine *engine = owner;

	(void)link;
	if (engine->crowd->n_goodbye == 0)
		die(why->text);
	event_base_loopbreak(engine->crowd->base);
}

static const struct link_events events = {.on_frame = on_frame, .on_close = on_close};

static void dialled(void *owner, struct link *link, const struct ipp_error *why)
{
	struct engine *engine = owner;
	Ipp__Hello hello = IPP__HELLO__INIT;

	if (!link)
		die(why->text);
	engine->link = link;
	link_own(link, &events, engine);
	link_trust(link);
	hello.role = IPP__ROLE__ENGINE;
	hello.rank = -1;
	hello.host = (char *)"here";
	hello.pid = (uint32_t)getpid();
	hello.job = engine->crowd->connection.job;
	link_send(link, FRAME_HELLO, &hello.base, NULL);
}

static void find_controller(struct crowd *crowd)
{
	char *path = connection_path("local");
	const struct timespec nap = {.tv_nsec = 20 * 1000 * 1000};
	struct ipp_error err;
	int tries = TIMEOUT_MS / 20;

	while (path && tries-- > 0 && connection_from_file(&crowd->connection, path, &err) < 0)
		nanosleep(&nap, NULL);
	if (!path || tries < 0)
		die("there is no controller");
	free(path);
}

int main(int argc, char **argv)
{
	struct rlimit limit = {0};
	struct crowd crowd = {.n = argc > 1 ? strtoul(argv[1], NULL, 10) : 0};

	if (crowd.n == 0) {
		fputs("usage: many_engines N\n", stderr);
		return 125;
	}
	getrlimit(RLIMIT_NOFILE, &limit);
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
	find_controller(&crowd);
	crowd.base = event_base_new();
	crowd.engines = calloc(crowd.n, sizeof(*crowd.engines));
	if (!crowd.base || !crowd.engines)
		die("out of memory");
	crowd.begin_ms = now_ms();
	for (size_t i = 0; i < crowd.n; i++) {
		crowd.engines[i].crowd = &crowd;
		crowd.engines[i].dial = dial_start(crowd.base, &crowd.connection, TIMEOUT_MS,
						   dialled, &crowd.engines[i]);
		if (!crowd.engines[i].dial)
			die("out of memory");
	}
	event_base_dispatch(crowd.base);
	for (size_t i = 0; i < crowd.n; i++) {
		dial_free(crowd.engines[i].dial);
		link_free(crowd.engines[i].link);
	}
	free(crowd.engines);
	event_base_free(crowd.base);
	connection_fini(&crowd.connection);
	return 0;
}
