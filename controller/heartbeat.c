#include "controller/heartbeat.h"

#include <event2/event.h>
#include <stdio.h>
#include <stdlib.h>

#include "controller/engine.h"
#include "controller/loss.h"
#include "proto/frame.h"

struct heartbeat {
	struct cluster *cluster;
	struct event *tick;
	int period_ms;
	int64_t last_us; /* of the tick before */
};

/* Frames that come, in whole or in part, and bytes that go. */
static bool has_moved(struct engine *engine)
{
	const uint64_t arrivals = link_arrivals(engine->link);
	const size_t backlog = link_backlog(engine->link);
	const bool moved = arrivals != engine->pulse.arrivals ||
			   (backlog > 0 && backlog < engine->pulse.backlog);

	engine->pulse.arrivals = arrivals;
	engine->pulse.backlog = backlog;
	return moved;
}

/* It has ended no task for a period, whatever else it says. */
static bool is_stuck(const struct heartbeat *heartbeat, const struct engine *engine)
{
	return engine->in_flight.n_tasks > 0 &&
	       heartbeat->last_us - engine->since_us > 1000LL * heartbeat->period_ms;
}

static void listen_to(struct heartbeat *heartbeat, struct engine *engine, bool late)
{
	const bool moved = has_moved(engine);
	char why[128];

	if (late || !engine_owes(engine)) {
		engine->pulse.silent = 0;
		return;
	}
	engine->pulse.silent = moved ? 0 : engine->pulse.silent + 1;
	if (engine->pulse.silent == 1 || (moved && is_stuck(heartbeat, engine))) {
		link_send(engine->link, FRAME_PROBE, NULL, NULL);
	} else if (engine->pulse.silent > HEARTBEAT_PERIODS) {
		snprintf(why, sizeof(why), "it has been silent for %.3g s; is it stopped%s?",
			 (HEARTBEAT_PERIODS + 1) * heartbeat->period_ms / 1000.0,
			 link_ssl(engine->link) ? ", or its node cut off" : "");
		engine_lose_silent(engine, why);
	}
}

static void tick_cb(evutil_socket_t fd, short what, void *arg)
{
	struct heartbeat *heartbeat = arg;
	struct cluster *cluster = heartbeat->cluster;
	const int64_t now_us = engine_now_us();
	const bool late = now_us - heartbeat->last_us > 2 * 1000LL * heartbeat->period_ms;

	(void)fd;
	(void)what;
	heartbeat->last_us = now_us;
	for (uint32_t rank = 0; rank < cluster->n_ranks; rank++) {
		struct engine *engine = engine_find(cluster, rank);

		if (engine)
			listen_to(heartbeat, engine, late);
	}
}

struct heartbeat *heartbeat_start(struct cluster *cluster, int period_ms)
{
	const struct timeval period = {period_ms / 1000, period_ms % 1000 * 1000};
	struct heartbeat *heartbeat = calloc(1, sizeof(*heartbeat));

	if (!heartbeat)
		return NULL;
	*heartbeat = (struct heartbeat){
		.cluster = cluster, .period_ms = period_ms, .last_us = engine_now_us()};
	heartbeat->tick = event_new(cluster->base, -1, EV_PERSIST, tick_cb, heartbeat);
	if (heartbeat->tick && event_add(heartbeat->tick, &period) == 0)
		return heartbeat;
	heartbeat_stop(heartbeat);
	return NULL;
}

void heartbeat_stop(struct heartbeat *heartbeat)
{
	if (!heartbeat)
		return;
	if (heartbeat->tick)
		event_free(heartbeat->tick);
	free(heartbeat);
}
