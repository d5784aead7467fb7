#include "client/libipp/arrival.h"

#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "proto/error.h"
#include "proto/frame.h"
#include "proto/spill.h"
#include "proto/value.h"

/* Of payloads that wait for their turn. */
#define MEMORY_MAX ((size_t)64 << 20)

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

/* Heads of variables are read here, for all results at once. */
static int read_variables(struct arrival *arrival)
{
	const Ipp__Results *results = arrival->results;
	size_t n = 0, at = 0;

	for (size_t i = 0; i < results->n_results; i++)
		n += results->results[i]->n_variables;
	if (n == 0)
		return 0;
	arrival->variables = calloc(n, sizeof(*arrival->variables));
	if (!arrival->variables)
		return -ENOMEM;
	for (size_t i = 0; i < results->n_results; i++) {
		const Ipp__Result *result = results->results[i];

		arrival->places[i].variable = at;
		for (size_t k = 0; k < result->n_variables; k++, at++) {
			arrival->variables[at].name = result->variables[k]->name;
			value_read(result->variables[k], NULL, &arrival->variables[at].value);
		}
	}
	return 0;
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
	for (size_t i = 0; results->heads && i < results->n_results; i++)
		results->results[i]->stdout_bytes = results->results[i]->stderr_bytes = 0;
	for (size_t i = 0; i < results->n_results; i++)
		if (!extent_find(results, i, arrival->payload, &offset,
				 &arrival->places[i].extent)) {
			arrival_unref(arrival);
			return ipp_fail(err, EPROTO,
					"the controller sent results that are cut short, or none");
		}
	if (read_variables(arrival) < 0) {
		arrival_unref(arrival);
		return ipp_fail(err, ENOMEM, "out of memory for variables");
	}
	drop_retried(arrival);
	*out = arrival;
	return 0;
}

/* ---- waiting ---- */

static bool put_in_file(struct arrival *arrival, struct waiting_room *room)
{
	const size_t bytes = arrival->payload->bytes;

	if (room->fd < 0)
		room->fd = spill_open();
	if (room->fd < 0 || !spill_write(room->fd, arrival->payload->data, bytes, room->file_bytes))
		return false;
	arrival->in_file = bytes;
	arrival->file_at = room->file_bytes;
	room->file_bytes += (off_t)bytes;
	room->n_in_file++;
	blob_unref(arrival->payload);
	arrival->payload = NULL;
	return true;
}

void arrival_wait(struct arrival *arrival, struct waiting_room *room)
{
	const size_t bytes = arrival->payload ? arrival->payload->bytes : 0;

	if (bytes == 0 || arrival->room)
		return;
	arrival->room = room;
	if (room->memory_bytes + bytes > MEMORY_MAX && put_in_file(arrival, room))
		return;
	arrival->in_memory = bytes;
	room->memory_bytes += bytes;
}

/* It waits no more.  Once the file holds nothing that is waited for, it begins anew. */
static void leave_room(struct arrival *arrival)
{
	struct waiting_room *room = arrival->room;

	if (!room)
		return;
	room->memory_bytes -= arrival->in_memory;
	if (arrival->in_file > 0 && --room->n_in_file == 0) {
		room->file_bytes = 0;
		if (ftruncate(room->fd, 0) < 0)
			return; /* what is there is written over */
	}
}

int arrival_recall(struct arrival *arrival, struct ipp_error *err)
{
	struct blob *payload;

	if (arrival->payload || arrival->in_file == 0)
		return 0;
	payload = blob_new(arrival->in_file);
	if (!payload)
		return ipp_fail(err, ENOMEM, "out of memory for results of %zu bytes",
				arrival->in_file);
	if (!spill_read(arrival->room->fd, payload->data, arrival->in_file, arrival->file_at)) {
		const int why = errno;

		blob_unref(payload);
		return ipp_fail(err, why, "results that waited in %.200s cannot be read back: %m",
				spill_folder());
	}
	blob_close_fd(payload);
	arrival->payload = payload;
	return 0;
}

/* ---- the rest ---- */

void arrival_unref(struct arrival *arrival)
{
	if (!arrival || --arrival->users > 0)
		return;
	leave_room(arrival);
	ipp__results__free_unpacked(arrival->results, NULL);
	blob_unref(arrival->payload);
	free(arrival->variables);
	free(arrival);
}

void arrival_read(const struct arrival *arrival, size_t i, struct ipp_result *out)
{
	static const uint8_t nothing[1];
	const uint8_t *bytes = arrival->payload ? arrival->payload->data : nothing;
	const Ipp__Result *head = arrival->results->results[i];
	const struct place *place = &arrival->places[i];

	*out = (struct ipp_result){
		.index = head->index,
		.engine = head->engine,
		.outcome = (enum ipp_outcome)head->outcome,
		.code = head->code,
		.error = head->error,
		.submitted_us = place->submitted_us,
		.started_us = head->started_us,
		.elapsed_us = head->elapsed_us,
		.tries = head->tries,
		.out = (const char *)bytes + place->extent.output,
		.out_bytes = head->stdout_bytes,
		.err = (const char *)bytes + place->extent.output + head->stdout_bytes,
		.err_bytes = head->stderr_bytes,
		.variables = arrival->variables ? arrival->variables + place->variable : NULL,
		.n_variables = head->n_variables};
	value_read(head->value, arrival->results->heads ? NULL : bytes + place->extent.array,
		   &out->value);
	if (out->value.kind == IPP_ARRAY)
		out->value.origin = arrival->payload;
}
