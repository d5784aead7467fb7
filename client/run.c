#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/session.h"
#include "client/value.h"

/* Items sent and not delivered, and bytes of their texts: bounds memory here and in the controller.
 */
#define WINDOW 65536
#define WINDOW_BYTES (64u << 20)
/* Items a frame, and bytes of texts a frame. */
#define FRAME_ITEMS 4096
#define FRAME_BYTES (256u << 10)
#define BACKLOG_MAX (4u << 20)

/* A frame of results, as long as one of them waits for its turn. */
struct arrival {
	Ipp__Results *results;
	struct blob *payload;
	size_t waiting;
};

/* One item on its way; then its result and where the bytes of that are. */
struct waiting {
	size_t item_bytes;
	struct arrival *arrival;
	const Ipp__Result *result;
	const uint8_t *bytes; /* stdout, then stderr */
	const uint8_t *array;
};

struct running {
	struct ipp_client *client;
	const struct ipp_run *run;
	uint64_t request;
	uint64_t n_sent, n_delivered;
	uint64_t item_bytes; /* of those between */
	bool ended;	     /* END was sent: n_sent is the total */
	int rc;
	struct ipp_error *err;
	struct waiting ring[WINDOW]; /* by index */
};

static int stop(struct running *running, int rc)
{
	running->rc = rc;
	session_enough(running->client);
	return rc;
}

/* ---- items out ---- */

struct batch {
	Ipp__Tasks head;
	uint64_t item_bytes[FRAME_ITEMS];
	char *texts;
	size_t bytes, room;
};

static int add_text(struct batch *batch, const struct ipp_value *item)
{
	if (batch->bytes + item->bytes > batch->room) {
		const size_t room = 2 * batch->room + item->bytes + 4096;
		char *texts = realloc(batch->texts, room);

		if (!texts)
			return -ENOMEM;
		batch->texts = texts;
		batch->room = room;
	}
	memcpy(batch->texts + batch->bytes, item->text, item->bytes);
	batch->bytes += item->bytes;
	batch->item_bytes[batch->head.count++] = item->bytes;
	return 0;
}

/* Whether the item can go into the batch: texts with texts, integers at equal steps. */
static bool fits(const struct batch *batch, const struct ipp_value *item)
{
	const Ipp__Tasks *head = &batch->head;

	if (head->count == 0)
		return true;
	if (head->count == FRAME_ITEMS || batch->bytes >= FRAME_BYTES ||
	    head->range != (item->kind == IPP_INTEGER))
		return false;
	return !head->range || head->count == 1 ||
	       item->integer == head->start + (int64_t)head->count * head->step;
}

static int add(struct batch *batch, const struct ipp_value *item)
{
	Ipp__Tasks *head = &batch->head;

	if (item->kind == IPP_TEXT)
		return add_text(batch, item);
	if (head->count == 0) {
		head->range = true;
		head->start = item->integer;
	} else if (head->count == 1) {
		head->step = item->integer - head->start;
	}
	head->count++;
	return 0;
}

static int send_batch(struct running *running, struct batch *batch)
{
	Ipp__Tasks *head = &batch->head;
	struct blob *payload = NULL;

	if (head->count == 0)
		return 0;
	head->request = running->request;
	head->first = running->n_sent;
	if (!head->range) {
		head->n_item_bytes = head->count;
		head->item_bytes = batch->item_bytes;
		payload = blob_copy(batch->texts, batch->bytes);
		if (!payload)
			return ipp_fail(running->err, ENOMEM, "ipp-run: out of memory for items");
	}
	link_send(running->client->link, FRAME_TASKS, &head->base, payload);
	blob_unref(payload);
	running->n_sent += head->count;
	ipp__tasks__init(head);
	batch->bytes = 0;
	return 0;
}

static void send_end(struct running *running)
{
	Ipp__End end = IPP__END__INIT;

	end.request = running->request;
	end.total = running->n_sent;
	link_send(running->client->link, FRAME_END, &end.base, NULL);
	running->ended = true;
}

static void note_bytes(struct running *running, uint64_t index, const struct ipp_value *item)
{
	struct waiting *waiting = &running->ring[index % WINDOW];

	waiting->item_bytes = item->kind == IPP_TEXT ? item->bytes : 0;
	running->item_bytes += waiting->item_bytes;
}

/* Ask for items and send them while there is room for them. */
static int send_items(struct running *running, struct batch *batch)
{
	struct ipp_value item = {.kind = IPP_NONE};
	int more = 1;
	int rc = 0;

	while (rc == 0 && running->n_sent + batch->head.count - running->n_delivered < WINDOW &&
	       running->item_bytes < WINDOW_BYTES &&
	       link_backlog(running->client->link) < BACKLOG_MAX) {
		more = running->run->next(running->run->owner, &item);
		if (more <= 0)
			break;
		if (!fits(batch, &item))
			rc = send_batch(running, batch);
		if (rc == 0)
			rc = add(batch, &item);
		if (rc == 0)
			note_bytes(running, running->n_sent + batch->head.count - 1, &item);
	}
	if (rc == 0)
		rc = send_batch(running, batch);
	if (rc == 0 && more == 0)
		send_end(running);
	return more < 0 ? more : rc;
}

static bool finished(const struct running *running)
{
	return running->ended && running->n_delivered == running->n_sent;
}

static void pump(void *waiter)
{
	struct running *running = waiter;
	struct batch *batch;
	int rc;

	/* Refill in large steps, not item by item. */
	if (running->ended || running->n_sent - running->n_delivered > WINDOW / 2 ||
	    running->item_bytes > WINDOW_BYTES / 2)
		return;
	batch = calloc(1, sizeof(*batch));
	if (!batch) {
		stop(running, ipp_fail(running->err, ENOMEM, "ipp-run: out of memory for items"));
		return;
	}
	ipp__tasks__init(&batch->head);
	rc = send_items(running, batch);
	free(batch->texts);
	free(batch);
	if (rc < 0)
		stop(running, rc);
	else if (finished(running))
		session_enough(running->client);
}

/* ---- results in ---- */

static void arrival_release(struct arrival *arrival)
{
	if (--arrival->waiting > 0)
		return;
	ipp__results__free_unpacked(arrival->results, NULL);
	blob_unref(arrival->payload);
	free(arrival);
}

static int deliver(struct running *running, const struct waiting *waiting)
{
	const Ipp__Result *head = waiting->result;
	struct ipp_result result = {.index = head->index,
				    .engine = head->engine,
				    .outcome = (enum ipp_outcome)head->outcome,
				    .code = head->code,
				    .error = head->error,
				    .started_us = head->started_us,
				    .elapsed_us = head->elapsed_us,
				    .tries = head->tries,
				    .out = (const char *)waiting->bytes,
				    .out_bytes = head->stdout_bytes,
				    .err = (const char *)waiting->bytes + head->stdout_bytes,
				    .err_bytes = head->stderr_bytes};

	value_read(head->value, waiting->array, &result.value);
	if (running->run->done(running->run->owner, &result) != 0)
		return ipp_fail(running->err, ECANCELED, "ipp-run: stopped");
	return 0;
}

/* In input order, as far as it goes without a gap. */
static int deliver_ready(struct running *running)
{
	int rc = 0;

	for (;;) {
		struct waiting *waiting = &running->ring[running->n_delivered % WINDOW];
		struct arrival *arrival = waiting->arrival;

		if (rc != 0 || !arrival)
			return rc;
		rc = deliver(running, waiting);
		waiting->arrival = NULL;
		arrival_release(arrival);
		running->item_bytes -= waiting->item_bytes;
		running->n_delivered++;
	}
}

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
		   struct waiting *waiting)
{
	static const uint8_t nothing[1];
	const uint8_t *bytes = payload ? payload->data : nothing;
	const uint64_t end = payload ? payload->bytes : 0;

	waiting->bytes = bytes + *offset;
	if (!advance(offset, result->stdout_bytes, end) ||
	    !advance(offset, result->stderr_bytes, end))
		return false;
	if (array_bytes(result) > 0 && !advance(offset, array_padding(*offset), end))
		return false;
	waiting->array = bytes + *offset;
	return advance(offset, array_bytes(result), end);
}

static int store(struct running *running, struct arrival *arrival)
{
	uint64_t offset = 0;

	for (size_t i = 0; i < arrival->results->n_results; i++) {
		const Ipp__Result *result = arrival->results->results[i];
		struct waiting *waiting = &running->ring[result->index % WINDOW];

		if (result->index < running->n_delivered || result->index >= running->n_sent ||
		    waiting->arrival || !locate(result, arrival->payload, &offset, waiting))
			return ipp_fail(
				running->err, EPROTO,
				"ipp-run: the controller sent a result that makes no sense");
		waiting->arrival = arrival;
		waiting->result = result;
		arrival->waiting++;
	}
	return 0;
}

static bool take_results(void *waiter, const struct frame *frame)
{
	struct running *running = waiter;
	struct arrival *arrival;
	int rc;

	if (frame->type != FRAME_RESULTS)
		return true;
	arrival = calloc(1, sizeof(*arrival));
	if (!arrival)
		return stop(running, ipp_fail(running->err, ENOMEM, "ipp-run: out of memory")) == 0;
	arrival->waiting = 1; /* us, for now */
	arrival->payload = blob_ref(frame->payload);
	arrival->results = ipp__results__unpack(NULL, frame->head_bytes, frame->head);
	if (!arrival->results)
		rc = ipp_fail(running->err, EPROTO,
			      "ipp-run: the controller sent malformed results");
	else if (arrival->results->request != running->request)
		rc = 0; /* of a run that was cancelled */
	else
		rc = store(running, arrival);
	arrival_release(arrival);
	if (rc == 0)
		rc = deliver_ready(running);
	if (rc == 0 && finished(running))
		return false;
	if (rc == 0)
		pump(running);
	else
		stop(running, rc);
	return true;
}

/* ---- the whole ---- */

static const char *runtime_of(const struct ipp_run *run)
{
	return run->function ? "native" : run->line ? "shell" : run->script ? "script" : "command";
}

static void describe_script(const struct ipp_run *run, Ipp__Value *head, Ipp__Array *array)
{
	const struct ipp_value value = {
		.kind = IPP_ARRAY, .dtype = "|u1", .bytes = run->script_bytes};

	value_describe("script", &value, head, array);
}

static void send_call(struct running *running)
{
	const struct ipp_run *run = running->run;
	Ipp__Call call = IPP__CALL__INIT;
	Ipp__Targets targets = IPP__TARGETS__INIT;
	Ipp__Value *heads = calloc(run->n_arguments + 1, sizeof(*heads));
	Ipp__Value **pointers = calloc(run->n_arguments + 1, sizeof(*pointers));
	struct blob *script = NULL;
	Ipp__Value script_head, *only = &script_head;
	Ipp__Array script_array;

	for (size_t i = 0; heads && pointers && i < run->n_arguments; i++) {
		value_describe(run->arguments[i].name, &run->arguments[i].value, &heads[i], NULL);
		pointers[i] = &heads[i];
	}
	call.request = running->request;
	call.runtime = (char *)runtime_of(run);
	if (run->function)
		call.function = (char *)run->function;
	else if (run->line)
		call.function = (char *)run->line;
	call.argv = (char **)run->argv;
	while (run->argv && run->argv[call.n_argv])
		call.n_argv++;
	call.arguments = pointers;
	call.n_arguments = pointers && heads ? run->n_arguments : 0;
	if (run->script) {
		script = blob_copy(run->script, run->script_bytes);
		describe_script(run, &script_head, &script_array);
		call.arguments = &only;
		call.n_arguments = script ? 1 : 0; /* without memory its engines say so */
	}
	if (run->directory)
		call.directory = (char *)run->directory;
	if (run->label)
		call.label = (char *)run->label;
	call.task_timeout_ms = run->task_timeout_ms;
	call.among = (uint32_t *)run->among;
	call.n_among = run->n_among;
	call.retries = run->retries;
	call.chunk = run->chunk;
	call.hwm = run->hwm;
	call.after = (uint64_t *)run->after;
	call.n_after = run->n_after;
	call.follow = (uint64_t *)run->follow;
	call.n_follow = run->n_follow;
	call.detached = run->detached;
	if (run->n_targets > 0) {
		targets.ranks = (uint32_t *)run->targets;
		targets.n_ranks = run->n_targets;
		call.targets = &targets;
		running->n_sent = run->n_targets;
		running->ended = true;
	}
	link_send(running->client->link, FRAME_CALL, &call.base, script);
	blob_unref(script);
	free(heads);
	free(pointers);
}

static void cancel(struct running *running)
{
	Ipp__Cancel cancelled = IPP__CANCEL__INIT;

	cancelled.request = running->request;
	link_send(running->client->link, FRAME_CANCEL, &cancelled.base, NULL);
	link_flush(running->client->link);
}

static void running_free(struct running *running)
{
	for (size_t i = 0; i < WINDOW; i++)
		if (running->ring[i].arrival)
			arrival_release(running->ring[i].arrival);
	free(running);
}

int ipp_run(struct ipp_client *client, const struct ipp_run *run, struct ipp_error *err)
{
	struct running *running = calloc(1, sizeof(*running));
	int rc;

	if (!running)
		return ipp_fail(err, ENOMEM, "ipp-run: out of memory");
	running->client = client;
	running->run = run;
	running->request = session_request(client);
	running->err = err;
	if (client->link) {
		send_call(running);
		pump(running);
	}
	if (running->rc == 0 && !finished(running))
		rc = session_wait(client, take_results, pump, running, true, err);
	else
		rc = 0;
	if (rc == 0)
		rc = running->rc;
	if (rc < 0 && client->link)
		cancel(running);
	running_free(running);
	return rc;
}
