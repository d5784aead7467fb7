#include "controller/retry.h"

#include "controller/engine.h"
#include "controller/request.h"
#include "controller/scheduler.h"

/* Tasks that failed are passed over to find others; where there are more, the engine waits. */
#define PASSED_MAX 16
/* More signals than anybody sends to a step: the task sends them itself. */
#define STRAYS_MAX 16

/* What may go better another time.  A command that is not there, or a request that was cancelled,
 * will not. */
static bool may_succeed(const Ipp__Result *result)
{
	switch (result->outcome) {
	case IPP__OUTCOME__ERROR:
	case IPP__OUTCOME__EXITED:
	case IPP__OUTCOME__KILLED:
	case IPP__OUTCOME__TIMED_OUT:
		return true;
	default:
		return false;
	}
}

/* It is not to blame, and to be run again at no cost. */
static bool is_stray(const struct slice *slice, const Ipp__Result *result)
{
	return result->stray && result->outcome == IPP__OUTCOME__KILLED &&
	       slice->strays < STRAYS_MAX;
}

static bool has_another(const struct request *request, const struct slice *slice,
			const Ipp__Result *result)
{
	return request->kind == REQUEST_MAP &&
	       (is_stray(slice, result) ||
		(slice->tries < request->retries && may_succeed(result)));
}

bool retry_consider(const struct engine *engine, struct request *request, const struct slice *slice,
		    Ipp__Result *result)
{
	const bool stray = is_stray(slice, result);
	const bool mended = result->tries != slice->tries || result->again; /* ours to say */
	struct slice *again = NULL;

	result->tries = slice->tries;
	result->again = false;
	if (has_another(request, slice, result))
		again = slice_new(request->id, slice->items, slice->from, slice->from + 1);
	if (again) {
		again->tries = slice->tries + !stray;
		again->strays = slice->strays + stray;
		again->failed_on = stray ? slice->failed_on : engine->rank;
		result->again = true;
		scheduler_joins(request);
		slices_prepend(&request->pending, again);
	}
	return mended || result->again;
}

static bool others_may(const struct request *request, const struct engine *engine)
{
	const struct cluster *cluster = engine->cluster;

	for (size_t rank = 0; rank < cluster->n_ranks; rank++)
		if (rank != engine->rank && engine_find(cluster, (uint32_t)rank) &&
		    request_may_use(request, (uint32_t)rank))
			return true;
	return false;
}

struct slice **retry_first_for(struct request *request, const struct engine *engine)
{
	struct slice **at = &request->pending.first;

	for (unsigned passed = 0; *at && passed < PASSED_MAX; passed++, at = &(*at)->next)
		if ((*at)->tries == 0 || (*at)->failed_on != engine->rank ||
		    !others_may(request, engine))
			return at;
	return NULL;
}
