#include "controller/scheduler.h"

#include <math.h>

#include "controller/client.h"
#include "controller/curfew.h"
#include "controller/engine.h"
#include "controller/errand.h"
#include "controller/recall.h"
#include "controller/request.h"
#include "controller/retry.h"

/* Work an engine should have before it, so that a round trip never leaves it idle; and the level at
 * which it is filled up again, so that refills are few and large. */
#define HORIZON_US 20000.0
#define REFILL_US (HORIZON_US / 2)
/* A task this long makes the round trip, some 0.2 ms, not worth a queue behind it. */
#define SINGLE_US 10000.0
#define BATCH_MAX 8192
/* Less work than this is not worth a frame, however many engines there are to share it; but a batch
 * is no more than a part of what is left. */
#define BATCH_MIN_US 50.0
#define PARTS_MIN 8
/* Of direct views: what keeps an engine busy, however short they are.  The others wait here, where
 * thousands more cost nothing. */
#define PINNED_MAX 1000
#define PINNED_MIN 2
/* What their results should come to, in all engines: they come, whether the client takes them or
 * not. */
#define PINNED_BYTES (16u << 20)

uint64_t scheduler_quota(double task_us, uint64_t in_flight, double in_flight_us, uint64_t pending,
			 uint64_t n_engines)
{
	uint64_t share = pending / (2 * n_engines);
	uint64_t n;

	if (task_us > 0 && (double)share * task_us < BATCH_MIN_US) {
		const uint64_t least = (uint64_t)(BATCH_MIN_US / task_us);
		const uint64_t part = pending / PARTS_MIN;

		if (share < part)
			share = least < part ? least : part;
	}

	if (task_us <= 0 || task_us >= SINGLE_US || share == 0)
		return in_flight == 0 && pending > 0;
	if (in_flight > 0 && in_flight_us > REFILL_US)
		return 0;
	n = (uint64_t)((HORIZON_US - in_flight_us) / task_us) + 1;
	if (n > share)
		n = share;
	return n < BATCH_MAX ? n : BATCH_MAX;
}

uint64_t scheduler_bounded(uint64_t quota, uint64_t in_flight, uint64_t share, uint32_t chunk,
			   uint32_t hwm)
{
	uint64_t n = quota;

	if (hwm > 0) {
		n = hwm > in_flight ? hwm - in_flight : 0;
		n = n < share ? n : share;
	} else if (chunk > 0 && n > 0) {
		n = chunk;
	}
	return chunk > 0 && n > chunk ? chunk : n;
}

void scheduler_joins(struct request *request)
{
	struct cluster *cluster = request->cluster;

	if (request->in_line || request->waits)
		return;
	if (request->served_us < cluster->served_us)
		request->served_us = cluster->served_us;
	line_join(&cluster->line, request);
}

void scheduler_leaves(struct request *request)
{
	if (request->in_line)
		line_leave(&request->cluster->line, request);
}

void scheduler_charge(struct request *request, double us)
{
	request->served_us += us;
	if (request->in_line)
		line_move(&request->cluster->line, request);
}

bool scheduler_allows(const struct request *request, const struct engine *engine)
{
	return request_may_use(request, engine->rank) &&
	       (request->kept || link_backlog(request->client->link) < CLIENT_BACKLOG_MAX) &&
	       curfew_allows(request->cluster->curfew, request);
}

static bool has_some_for(struct request *request, const void *engine)
{
	return scheduler_allows(request, engine) && retry_first_for(request, engine);
}

/* How long the engine will be at what it has: for ever, as far as one can tell, with a task of
 * unknown length among it, or when all of it should have been done some time ago. */
static double ahead_us(const struct engine *engine)
{
	const struct slice *slice = engine->in_flight.first;

	while (slice && slice->task_us > 0)
		slice = slice->next;
	if (slice ||
	    (engine->in_flight.n_tasks > 0 &&
	     (double)(engine_now_us() - engine->since_us) > engine->in_flight_us + SINGLE_US))
		return INFINITY;
	return engine->in_flight_us;
}

/* What an engine may be filled with, where it is the user who says how far: nothing while another
 * that the map may run on has nothing to do, whose own share an equal part is. */
static uint64_t share_of(const struct engine *engine, const struct request *request,
			 uint64_t n_engines)
{
	const struct cluster *cluster = engine->cluster;
	uint64_t n_idle = 0;

	for (size_t rank = 0; request->hwm > 0 && rank < cluster->n_ranks; rank++) {
		const struct engine *other = engine_find(cluster, (uint32_t)rank);

		n_idle += other && other->in_flight.n_tasks == 0 &&
			  request_may_use(request, (uint32_t)rank);
	}
	if (n_idle > 0 && engine->in_flight.n_tasks > 0)
		return 0;
	if (n_idle > 0)
		n_engines = n_idle;
	return (request->pending.n_tasks + n_engines - 1) / n_engines;
}

/* Fill the engine from one request; whether anything was handed out.  What the tasks should take is
 * charged now, and corrected by what they took. */
static bool give_some(struct engine *engine, struct request *request)
{
	struct cluster *cluster = engine->cluster;
	const uint64_t in_flight = engine->in_flight.n_tasks;
	const uint64_t n_engines = request->n_chosen > 0 && request->n_chosen < cluster->n_live
					   ? request->n_chosen
					   : cluster->n_live;
	const uint64_t quota = scheduler_quota(request->task_us, in_flight, ahead_us(engine),
					       request->pending.n_tasks, n_engines);
	const uint64_t n = curfew_fit(cluster->curfew, request, engine->in_flight_us,
				      scheduler_bounded(quota, in_flight,
							share_of(engine, request, n_engines),
							request->chunk, request->hwm));
	struct slice *slice = n > 0 ? slices_take_at(&request->pending,
						     retry_first_for(request, engine), n)
				    : NULL;

	if (!slice)
		return false;
	if (cluster->served_us < request->served_us)
		cluster->served_us = request->served_us;
	scheduler_charge(request, request->task_us * (double)(slice->to - slice->from));
	if (request->pending.n_tasks == 0)
		scheduler_leaves(request);
	engine_give(engine, request, slice);
	return true;
}

static uint64_t pinned_max(const struct engine *engine)
{
	const double n = PINNED_BYTES / (engine->result_bytes * (double)engine->cluster->n_live);

	if (n < PINNED_MIN)
		return PINNED_MIN;
	return n < PINNED_MAX ? (uint64_t)n : PINNED_MAX;
}

/* Where the next in line has to wait, such as for the engine to be idle, nobody overtakes it. */
static bool serve(struct cluster *cluster, struct engine *engine)
{
	struct slice **at = errand_next(engine);
	struct slice *pinned;
	struct request *next;

	if (at && engine->in_flight.n_tasks >= pinned_max(engine))
		return false;
	pinned = at ? slices_take_at(&engine->pinned, at, UINT64_MAX) : NULL;
	if (pinned) {
		engine_give(engine, request_find(&cluster->index, pinned->request), pinned);
		return true;
	}
	next = line_first(&cluster->line, has_some_for, engine);
	return next && give_some(engine, next);
}

void scheduler_run(struct cluster *cluster)
{
	bool served;

	curfew_look(cluster->curfew);
	/* In rounds, one batch an engine, so that the first engine does not take everything. */
	do {
		served = false;
		for (size_t rank = 0; rank < cluster->n_ranks; rank++) {
			struct engine *engine = engine_find(cluster, (uint32_t)rank);

			if (engine && engine->recalled == 0 &&
			    (cluster->line.n > 0 || engine->pinned.first) && serve(cluster, engine))
				served = true;
		}
	} while (served);
	recall_look(cluster);
	curfew_settle(cluster->curfew);
}
