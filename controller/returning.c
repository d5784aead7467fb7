#include "controller/returning.h"

#include <event2/event.h>

#include "controller/client.h"
#include "controller/engine.h"
#include "controller/loss.h"
#include "controller/setup.h"

struct engine *returning_find(const struct cluster *cluster, uint32_t rank)
{
	struct engine *engine = rank < cluster->n_ranks ? cluster->engines[rank] : NULL;

	return engine && (engine->link || engine->awaited_until_us > 0) ? engine : NULL;
}

/* The one that is given up first; NULL when none is awaited. */
static struct engine *first_due(const struct cluster *cluster)
{
	struct engine *first = NULL;

	for (size_t rank = 0; rank < cluster->n_ranks; rank++) {
		struct engine *engine = cluster->engines[rank];

		if (engine && engine->awaited_until_us > 0 &&
		    (!first || engine->awaited_until_us < first->awaited_until_us))
			first = engine;
	}
	return first;
}

bool returning_any(const struct cluster *cluster)
{
	return first_due(cluster) != NULL;
}

static void start_timer(struct cluster *cluster, int64_t until_us)
{
	const int64_t now_us = engine_now_us(), left_us = until_us > now_us ? until_us - now_us : 0;
	const struct timeval left = {left_us / 1000000, left_us % 1000000};

	evtimer_add(cluster->returning, &left);
}

static void timer_cb(evutil_socket_t fd, short what, void *arg)
{
	struct cluster *cluster = arg;
	struct engine *due;

	(void)fd;
	(void)what;
	while ((due = first_due(cluster)) && due->awaited_until_us <= engine_now_us()) {
		due->awaited_until_us = 0;
		engine_give_up(due);
	}
	if (due)
		start_timer(cluster, due->awaited_until_us);
	else
		client_tell_rosters(cluster);
}

struct event *returning_new(struct cluster *cluster)
{
	return evtimer_new(cluster->base, timer_cb, cluster);
}

void returning_await(struct engine *engine)
{
	struct cluster *cluster = engine->cluster;

	if (cluster->setup->by_hand)
		return;
	engine->awaited_until_us = engine_now_us() + ENGINE_AWAITED_S * INT64_C(1000000);
	if (!evtimer_pending(cluster->returning, NULL))
		start_timer(cluster, engine->awaited_until_us);
}

void returning_came(struct engine *engine)
{
	engine->awaited_until_us = 0;
	if (!returning_any(engine->cluster))
		client_tell_rosters(engine->cluster);
}
