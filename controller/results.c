#include "controller/results.h"

#include <errno.h>

#include "controller/answer.h"
#include "controller/engine.h"
#include "controller/errand.h"
#include "controller/request.h"
#include "controller/retry.h"
#include "proto/error.h"
#include "proto/extent.h"

/* Weight of the newest result in the running mean of their sizes. */
#define NEWEST 0.1

/* An engine runs the user's code, which may say anything: one after the other, its tasks took no
 * longer than it had any. */
static uint64_t credible_us(struct engine *engine, uint64_t elapsed_us, int64_t now_us)
{
	const uint64_t passed_us = (uint64_t)(now_us - engine->reckoned_us);
	const uint64_t us = elapsed_us < passed_us ? elapsed_us : passed_us;

	engine->reckoned_us += (int64_t)us;
	return us;
}

/* The end of the first task in flight; whether `result` was changed, see retry_consider(). */
static bool count_result(struct engine *engine, struct request *request, Ipp__Result *result,
			 int64_t now_us)
{
	const double expected_us = engine->in_flight.first->task_us;
	const bool changed = retry_consider(engine, request, engine->in_flight.first, result);
	const bool failed = result->outcome != IPP__OUTCOME__OK;

	if (errand_is(request)) {
		errand_arrived(engine, engine->in_flight.first);
		slices_finish_first(&engine->in_flight);
		request->n_done++;
		request->n_failed += failed;
		return changed;
	}
	request_learn(request, credible_us(engine, result->elapsed_us, now_us), expected_us);
	engine->in_flight_us -= expected_us;
	slices_finish_first(&engine->in_flight);
	engine->n_done++;
	engine->n_failed += failed;
	if (result->again)
		return true;
	request->n_done++;
	request->n_failed += failed;
	return changed;
}

/* Who ran a task, and what only we say of results, is not taken from it either.  Whether `results`
 * was changed. */
static bool set_right(const struct engine *engine, Ipp__Results *results)
{
	bool changed = results->fetch > 0 || results->heads;

	results->fetch = 0;
	results->heads = false;
	for (size_t i = 0; i < results->n_results; i++) {
		changed |= results->results[i]->engine != engine->rank;
		results->results[i]->engine = engine->rank;
	}
	return changed;
}

static void learn_size(struct engine *engine, const struct frame *frame)
{
	const size_t bytes = frame->head_bytes + (frame->payload ? frame->payload->bytes : 0);

	engine->result_bytes += NEWEST * ((double)bytes - engine->result_bytes);
}

static void stop_at_failure(struct request *request, const Ipp__Results *results)
{
	for (size_t i = 0; request->first_failure_ends && i < results->n_results; i++)
		if (results->results[i]->outcome != IPP__OUTCOME__OK && !results->results[i]->again)
			answer_stop_at(request, results->results[i]->index);
}

/* Pass on what `results` has become, the payload as it came. */
static bool pass_on(struct request *request, const struct frame *frame, const Ipp__Results *results,
		    bool changed)
{
	return changed ? answer_send_results(request, results, frame->payload)
		       : answer_results(request, frame);
}

int results_take(struct engine *engine, const struct frame *frame, struct ipp_error *err)
{
	Ipp__Results *results = ipp__results__unpack(NULL, frame->head_bytes, frame->head);
	struct request *request = results ? request_find(&engine->cluster->index, results->request)
					  : NULL;
	const int64_t now_us = engine_now_us();
	bool changed = false;
	int rc = 0;

	if (!results)
		return ipp_fail(err, EPROTO, "a RESULTS frame is malformed");
	/* Of a request that was cancelled meanwhile: nobody waits for it. */
	if (request && !slices_in_turn(&engine->in_flight, results))
		rc = ipp_fail(err, EPROTO, "a result came that was not its turn");
	if (request && rc == 0)
		changed = set_right(engine, results);
	if (request && rc == 0 && !extents_fit(results, frame->payload))
		rc = ipp_fail(err, EPROTO, "a result came that is cut short, or none");
	for (size_t i = 0; request && rc == 0 && i < results->n_results; i++)
		changed |= count_result(engine, request, results->results[i], now_us);
	if (engine->in_flight.n_tasks == 0)
		engine->in_flight_us = 0;
	engine->since_us = now_us;
	if (rc == 0 && request && request->kind != REQUEST_MAP)
		learn_size(engine, frame);
	if (rc == 0 && request)
		ranks_add(&request->ran,
			  engine->rank); /* out of memory: nothing follows it there */
	if (rc == 0 && request && pass_on(request, frame, results, changed)) {
		stop_at_failure(request, results);
		if (request_finished(request))
			answer_over(request, false);
	}
	ipp__results__free_unpacked(results, NULL);
	return rc;
}
