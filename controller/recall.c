#include "controller/recall.h"

#include <errno.h>
#include <event2/event.h>

#include "controller/curfew.h"
#include "controller/engine.h"
#include "controller/request.h"
#include "controller/scheduler.h"
#include "proto/error.h"
#include "proto/frame.h"

/* Of a task, beyond what it was thought to take. */
#define PATIENCE_US 10000
#define AGAIN_US 1000000
#define WAIT_MAX_US 500000 /* until another look at the clock */

static bool is_idle(const struct engine *engine)
{
	return engine && engine->in_flight.n_tasks == 0;
}

static bool any_is_idle(const struct cluster *cluster)
{
	size_t rank = 0;

	while (rank < cluster->n_ranks && !is_idle(engine_find(cluster, (uint32_t)rank)))
		rank++;
	return rank < cluster->n_ranks;
}

/* Whether an engine that has nothing to do could run it now. */
static bool is_wanted(const struct request *request)
{
	const struct cluster *cluster = request->cluster;

	if (request->chunk > 0 || request->hwm > 0)
		return false;
	for (size_t rank = 0; rank < cluster->n_ranks; rank++) {
		const struct engine *engine = engine_find(cluster, (uint32_t)rank);

		if (is_idle(engine) && scheduler_allows(request, engine))
			return true;
	}
	return false;
}

/* A map of which tasks wait behind the first that are not to begin any more, or, where that one is
 * `late`, that another could run now; NULL: there is none. */
static const struct request *wanted_of(const struct engine *engine, bool late)
{
	const struct curfew *curfew = engine->cluster->curfew;
	const struct slice *slice = engine->in_flight.first;

	if (slice->to - slice->from == 1)
		slice = slice->next;
	for (; slice; slice = slice->next) {
		const struct request *request = request_find(&engine->cluster->index,
							     slice->request);

		if (request && request->kind == REQUEST_MAP &&
		    (!curfew_allows(curfew, request) || (late && is_wanted(request))))
			return request;
	}
	return NULL;
}

static void ask(struct engine *engine, const struct request *request, int64_t now_us)
{
	Ipp__Recall recall = IPP__RECALL__INIT;

	recall.request = engine->recalled = request->id;
	engine->recalled_us = now_us;
	engine->recalled_since_us = engine->since_us;
	link_send(engine->link, FRAME_RECALL, &recall.base, NULL);
}

/* Before that it is not asked again, as it gave none back and has ended no task since; where its
 * worker was just being started, it may have some now. */
static int64_t askable_us(const struct engine *engine)
{
	return engine->recalled_since_us == engine->since_us ? engine->recalled_us + AGAIN_US : 0;
}

static int64_t late_us(const struct engine *engine)
{
	return engine->since_us + PATIENCE_US + (int64_t)engine->in_flight.first->task_us;
}

static void look_again(const struct cluster *cluster, int64_t in_us)
{
	const struct timeval wait = {.tv_usec = in_us < WAIT_MAX_US ? in_us : WAIT_MAX_US};

	event_add(cluster->schedule, &wait);
}

void recall_look(struct cluster *cluster)
{
	const bool any_idle = any_is_idle(cluster), curbs = curfew_curbs(cluster->curfew);
	const int64_t now_us = engine_now_us();
	int64_t next_us = INT64_MAX;

	if (!any_idle && !curbs)
		return;
	for (size_t rank = 0; rank < cluster->n_ranks; rank++) {
		struct engine *engine = engine_find(cluster, (uint32_t)rank);
		const struct request *request = NULL;
		int64_t from_us;
		bool late;

		if (!engine || engine->in_flight.n_tasks < 2 || engine->recalled > 0)
			continue;
		from_us = askable_us(engine);
		late = any_idle && late_us(engine) <= now_us;
		if (from_us <= now_us && (late || curbs))
			request = wanted_of(engine, late);
		if (request)
			ask(engine, request, now_us);
		if (late_us(engine) > from_us)
			from_us = late_us(engine);
		if (from_us > now_us && from_us < next_us)
			next_us = from_us;
	}
	if (next_us < INT64_MAX)
		look_again(cluster, next_us - now_us);
}

/* Until it answers the engine is given nothing, so the last that it had are the last that it has.
 */
static int take_back(struct engine *engine, const Ipp__Recall *answer, struct ipp_error *err)
{
	struct request *request = request_find(&engine->cluster->index, answer->request);
	double had_us;
	int rc;

	if (engine->recalled == 0 || answer->request != engine->recalled)
		return ipp_fail(err, EPROTO, "a RECALL frame that nobody asked for");
	engine->recalled = 0;
	if (!request || answer->count == 0) /* it was cancelled meanwhile, or cannot tell */
		return 0;
	had_us = engine_owes_us(engine, request->id);
	rc = slices_move_last(&engine->in_flight, request->id, answer->count, &request->pending);
	if (rc < 0)
		return ipp_fail(err, -rc,
				rc == -ENOMEM ? "the controller is out of memory"
					      : "it gave back more tasks than it had");
	had_us -= engine_owes_us(engine, request->id);
	engine->in_flight_us -= had_us;
	scheduler_charge(request, -had_us);
	engine->recalled_since_us = 0; /* it may have tasks of another map */
	scheduler_joins(request);
	return 0;
}

int recall_answered(struct engine *engine, const struct frame *frame, struct ipp_error *err)
{
	Ipp__Recall *answer = ipp__recall__unpack(NULL, frame->head_bytes, frame->head);
	int rc;

	if (!answer)
		return ipp_fail(err, EPROTO, "a RECALL frame is malformed");
	rc = take_back(engine, answer, err);
	ipp__recall__free_unpacked(answer, NULL);
	return rc;
}
