#include "controller/stranded.h"

#include <event2/event.h>

#include "controller/answer.h"
#include "controller/engine.h"
#include "controller/request.h"

#define NEVER INT64_MAX

/* When it is over for the map: some time after the last of the engines that it may run on was lost;
 * NEVER as long as there is one. */
static int64_t due_us(const struct request *request)
{
	const struct cluster *cluster = request->cluster;
	int64_t lost_us = 0;

	if (request->kind != REQUEST_MAP || request->waits ||
	    (request->n_chosen == 0 && request->follow.n == 0))
		return NEVER;
	for (size_t rank = 0; rank < cluster->n_ranks; rank++) {
		const struct engine *engine = cluster->engines[rank];

		if (!engine || !request_may_use(request, (uint32_t)rank))
			continue;
		if (engine->link)
			return NEVER;
		lost_us = engine->lost_us > lost_us ? engine->lost_us : lost_us;
	}
	return lost_us + ENGINE_AWAITED_S * INT64_C(1000000);
}

/* The one that is over first; NULL when none is stranded. */
static struct request *first_due(const struct cluster *cluster)
{
	struct request *first = NULL;
	int64_t first_us = NEVER;

	for (struct request *request = cluster->requests; request; request = request->next) {
		const int64_t us = due_us(request);

		if (us < first_us) {
			first = request;
			first_us = us;
		}
	}
	return first;
}

static void start_timer(const struct request *request)
{
	const int64_t left_us = due_us(request) - engine_now_us();
	const struct timeval left = {left_us / 1000000, left_us % 1000000};
	const struct timeval none = {0};

	evtimer_add(request->cluster->stranded, left_us > 0 ? &left : &none);
}

static void timer_cb(evutil_socket_t fd, short what, void *arg)
{
	struct cluster *cluster = arg;
	struct request *request;

	(void)fd;
	(void)what;
	while ((request = first_due(cluster)) && due_us(request) <= engine_now_us())
		answer_ended(request, REQUEST_FAILED,
			     "none of the engines that it may run on is left");
	if (request)
		start_timer(request);
}

struct event *stranded_new(struct cluster *cluster)
{
	return evtimer_new(cluster->base, timer_cb, cluster);
}

void stranded_watch(const struct request *request)
{
	if (due_us(request) < NEVER)
		stranded_watch_all(request->cluster);
}

void stranded_watch_all(const struct cluster *cluster)
{
	const struct request *request = first_due(cluster);

	if (request)
		start_timer(request);
}
