#include "client/libipp/arrival.h"

#include <errno.h>
#include <stdlib.h>

#include "client/libipp/value.h"
#include "proto/error.h"
#include "proto/frame.h"

static uint64_t array_bytes(const Ipp__Result *result)
{
	const Ipp__Value *value = result->value;

	return value && value->kind_case == IPP__VALUE__KIND_ARRAY ? value->array->bytes : 0;
}

/* Move *offset behind `bytes` more of a payload of `end`; false when it is shorter. */
static bool advance(uint64_t *offset, uint64_t bytes, uint64_t end)
{
	if (bytes > end - *offset)
		return false;
	*offset += bytes;
	return true;
}

/* Find the result's bytes in the payload, from *offset on, which is moved behind them. */
static bool locate(const Ipp__Result *result, const struct blob *payload, uint64_t *offset,
		   struct place *place)
{
	static const uint8_t nothing[1];
	const uint8_t *bytes = payload ? payload->data : nothing;
	const uint64_t end = payload ? payload->bytes : 0;

	place->bytes = bytes + *offset;
	if (!advance(offset, result->stdout_bytes, end) ||
	    !advance(offset, result->stderr_bytes, end))
		return false;
	if (array_bytes(result) > 0 && !advance(offset, array_padding(*offset), end))
		return false;
	place->array = bytes + *offset;
	return advance(offset, array_bytes(result), end);
}

/* Those that are run again are not their tasks' results. */
static void drop_retried(struct arrival *arrival)
{
	Ipp__Results *results = arrival->results;
	size_t n = 0;

	for (size_t i = 0; i < results->n_results; i++) {
		if (results->results[i]->again) {
			ipp__result__free_unpacked(results->results[i], NULL);
			continue;
		}
		arrival->places[n] = arrival->places[i];
		results->results[n++] = results->results[i];
	}
	results->n_results = n;
}

int arrival_new(struct arrival **out, const struct frame *frame, struct ipp_error *err)
{
	Ipp__Results *results = ipp__results__unpack(NULL, frame->head_bytes, frame->head);
	struct arrival *arrival;
	uint64_t offset = 0;

	if (!results)
		return ipp_fail(err, EPROTO, "the controller sent malformed results");
	arrival = calloc(1, sizeof(*arrival) + results->n_results * sizeof(*arrival->places));
	if (!arrival) {
		ipp__results__free_unpacked(results, NULL);
		return ipp_fail(err, ENOMEM, "out of memory for results");
	}
	arrival->results = results;
	arrival->payload = blob_ref(frame->payload);
	arrival->users = 1;
	for (size_t i = 0; i < results->n_results; i++)
		if (!locate(results->results[i], arrival->payload, &offset, &arrival->places[i])) {
			arrival_unref(arrival);
			return ipp_fail(err, EPROTO,
					"the controller sent results that are cut short");
		}
	drop_retried(arrival);
	*out = arrival;
	return 0;
}

void arrival_unref(struct arrival *arrival)
{
	if (!arrival || --arrival->users > 0)
		return;
	ipp__results__free_unpacked(arrival->results, NULL);
	blob_unref(arrival->payload);
	free(arrival);
}

void arrival_read(const struct arrival *arrival, size_t i, struct ipp_result *out)
{
	const Ipp__Result *head = arrival->results->results[i];
	const struct place *place = &arrival->places[i];

	*out = (struct ipp_result){.index = head->index,
				   .engine = head->engine,
				   .outcome = (enum ipp_outcome)head->outcome,
				   .code = head->code,
				   .error = head->error,
				   .submitted_us = place->submitted_us,
				   .started_us = head->started_us,
				   .elapsed_us = head->elapsed_us,
				   .tries = head->tries,
				   .out = (const char *)place->bytes,
				   .out_bytes = head->stdout_bytes,
				   .err = (const char *)place->bytes + head->stdout_bytes,
				   .err_bytes = head->stderr_bytes};
	value_read(head->value, place->array, &out->value);
}
