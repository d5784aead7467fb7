#include "controller/retry.h"

#include "controller/request.h"
#include "controller/scheduler.h"

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

/* Whether it is to be run again: at no cost where it is not to blame. */
static bool has_another(const struct request *request, const struct slice *slice,
			const Ipp__Result *result)
{
	return request->kind == REQUEST_MAP &&
	       (result->stray || (slice->tries < request->retries && may_succeed(result)));
}

bool retry_consider(struct request *request, const struct slice *slice, Ipp__Result *result)
{
	struct slice *again = NULL;

	result->tries = slice->tries;
	if (has_another(request, slice, result))
		again = slice_new(request->id, slice->items, slice->from, slice->from + 1);
	if (again) {
		again->tries = slice->tries + !result->stray;
		result->again = true;
		scheduler_joins(request);
		slices_prepend(&request->pending, again);
	}
	return result->tries > 0 || result->again;
}
