/* libFuzzer target: a program that uses libipp, and a controller that says whole frames in any
 * order.  `client_fuzz FILE` replays one input: a byte for each thing that the one or the other
 * does, with what message.h takes for it.  In place of the network is a socket pair.
 * Whatever comes, each function returns, and the client gives back all that it took. */
#include <event2/event.h>
#include <event2/event_struct.h>
#include <stdio.h>
#include <sys/eventfd.h>

#include "client/ipp/client.h"
#include "proto/error.h"
#include "tests/fuzz/dial.h"

#define REQUESTS 4

static struct source source;

/* ---- the controller ---- */

static int always;	  /* readable */
static struct event next; /* thing it does, once a turn of the client's loop, and goes with that */
static struct event_base *base;	  /* that its end turns in, within the client's loop */
static struct link *controller;	  /* its end; NULL: it has gone */
static uint64_t latest, answered; /* request it was told of, and results it gave of that */
static uint64_t fetch_number;	  /* number of the FETCH it was asked for last, or 0 */
static bool heads_only;

static void on_frame(void *owner, struct link *link, const struct frame *frame)
{
	ProtobufCMessage *head = look_at(frame);
	static const uint16_t begin[] = {FRAME_CALL, FRAME_PUSH,   FRAME_PULL,
					 FRAME_LIST, FRAME_REMOVE, FRAME_FETCH};

	(void)owner;
	(void)link;
	for (size_t i = 0; i < N(begin); i++)
		if (begin[i] == frame->type) {
			assert(strcmp(heads[frame->type]->fields[0].name, "request") == 0);
			memcpy(&latest, (char *)head + heads[frame->type]->fields[0].offset,
			       sizeof(latest));
			answered = 0;
			fetch_number = 0;
		}
	if (frame->type == FRAME_FETCH) {
		fetch_number = ((Ipp__Fetch *)head)->number;
		heads_only = ((Ipp__Fetch *)head)->heads;
	}
	forget(head);
}

static void leave(void)
{
	link_free(controller);
	controller = NULL;
}

static const struct link_events events = {.on_frame = on_frame, .on_close = end_closed};

static void say_roster(void)
{
	Ipp__Roster roster = IPP__ROSTER__INIT;
	Ipp__Engine engine[2], *engines[2] = {&engine[0], &engine[1]};

	for (uint32_t i = 0; i < 2; i++) {
		ipp__engine__init(&engine[i]);
		engine[i].rank = i;
		engine[i].host = (char *)"n1";
	}
	roster.n_engines = 2;
	roster.engines = engines;
	link_send(controller, FRAME_ROSTER, &roster.base, NULL);
}

static void say_result(void)
{
	Ipp__Results results = IPP__RESULTS__INIT;
	Ipp__Result result = IPP__RESULT__INIT, *one = &result;
	Ipp__Value value = IPP__VALUE__INIT;
	Ipp__Array array = IPP__ARRAY__INIT;
	uint64_t shape = 2;
	const uint8_t what = take(&source);
	struct blob *payload = what & 64 ? blob_copy("ab", 2) : NULL;

	results.request = latest;
	results.fetch = fetch_number;
	results.heads = fetch_number > 0 && heads_only;
	result.index = what & 8 ? what & 7 : answered++;
	result.outcome = what & 16 ? what % 8 : 0;
	result.again = what & 32;
	if (what & 128 && payload) {
		array.dtype = (char *)"|u1";
		array.n_shape = 1;
		array.shape = &shape;
		array.bytes = shape;
		value.kind_case = IPP__VALUE__KIND_ARRAY;
		value.array = &array;
		result.value = &value;
	} else if (payload) {
		result.stdout_bytes = 2;
	}
	results.n_results = 1;
	results.results = &one;
	link_send(controller, FRAME_RESULTS, &results.base, payload);
	blob_unref(payload);
}

static void say_end(uint8_t how)
{
	Ipp__Welcome welcome = IPP__WELCOME__INIT;
	Ipp__Done done = IPP__DONE__INIT;
	Ipp__Finished finished = IPP__FINISHED__INIT;
	Ipp__Ended ended = IPP__ENDED__INIT;

	welcome.client = 1;
	done.request = finished.request = ended.request = latest;
	finished.fetch = fetch_number;
	finished.work = IPP__WORK__GATHER;
	finished.name = (char *)"x";
	finished.targets = 2;
	if (how == 0)
		link_send(controller, FRAME_WELCOME, &welcome.base, NULL);
	else if (how == 1)
		link_send(controller, FRAME_DONE, &done.base, NULL);
	else if (how == 2)
		link_send(controller, FRAME_FINISHED, &finished.base, NULL);
	else
		link_send(controller, FRAME_ENDED, &ended.base, NULL);
}

static void next_cb(evutil_socket_t fd, short what, void *arg)
{
	static const uint16_t known[] = {FRAME_WELCOME,	 FRAME_NOTICE,	FRAME_ROSTER,
					 FRAME_DONE,	 FRAME_RESULTS, FRAME_ENDED,
					 FRAME_FINISHED, FRAME_STATUS,	FRAME_REQUESTS};
	const uint8_t does = take(&source);

	(void)fd;
	(void)what;
	(void)arg;
	event_base_loop(base, EVLOOP_NONBLOCK);
	if (source.left == 0)
		leave();
	else if (!controller || does % 8 == 0)
		; /* it takes its time */
	else if (does % 8 <= 2)
		say_result();
	else if (does % 8 == 3)
		say_roster();
	else if (does % 8 == 4)
		send_any(&source, controller, known, N(known));
	else
		say_end(does / 8 % 4);
	event_base_loop(base, EVLOOP_NONBLOCK);
}

/* The first thing it says is who we are, mostly. */
int dialled(struct event_base *dialler)
{
	const int fd = end_join(&controller, base, &events);

	if (take(&source) < 250)
		say_end(0);
	event_assign(&next, dialler, always, EV_READ | EV_PERSIST, next_cb, NULL);
	event_add(&next, NULL);
	return fd;
}

/* ---- the program ---- */

static const uint32_t targets[] = {0, 1};
static struct ipp_request *requests[REQUESTS];
static unsigned n_items;

static int next_item(void *owner, struct ipp_value *item)
{
	(void)owner;
	if (n_items == 0)
		return 0;
	*item = (struct ipp_value){.kind = IPP_INTEGER, .integer = n_items--};
	return 1;
}

static int take_result(void *owner, const struct ipp_result *result)
{
	unsigned sum = 0;

	(void)owner;
	for (size_t i = 0; i < result->out_bytes; i++)
		sum += (unsigned char)result->out[i];
	*(volatile unsigned *)&sum = sum;
	assert(result->error && result->host);
	return take(&source) == 255;
}

static int keep_value(void *owner, size_t place, const struct ipp_value *value)
{
	(void)owner;
	(void)value;
	assert(place < N(targets));
	return 0;
}

static int keep_variables(void *owner, size_t place, const struct ipp_variable *variables, size_t n)
{
	(void)owner;
	assert(place < N(targets) && (variables || n == 0));
	return 0;
}

static struct ipp_run any_run(uint8_t what)
{
	static const char *const argv[] = {"true", "{}", NULL};
	struct ipp_run run = {.argv = argv, .next = next_item, .items_fd = -1};

	n_items = what % 8;
	run.targets = what & 8 ? targets : NULL;
	run.n_targets = what & 8 ? N(targets) : 0;
	run.done = what & 16 ? take_result : NULL;
	run.unordered = what & 32;
	run.detached = what & 64;
	run.window = what & 128 ? 1 : 0;
	return run;
}

static void use_request(struct ipp_request **request, uint8_t how)
{
	const struct ipp_result *result;
	struct ipp_error err;

	if (!*request)
		return;
	if (how < 64)
		ipp_wait(*request, -1, &err);
	else if (how < 128 && ipp_next(*request, how % 2 ? 0 : -1, &result, &err) == 1)
		take_result(NULL, result);
	else if (how < 160)
		ipp_poll(*request);
	else if (how < 192)
		ipp_cancel(*request);
	if (how % 8 != 0)
		return;
	ipp_request_free(*request);
	*request = NULL;
}

static void ask(struct ipp_client *client, uint8_t what)
{
	const struct ipp_value value = {.kind = IPP_INTEGER, .integer = 7};
	const struct ipp_fetch fetch = {
		.done = what & 128 ? take_result : NULL, .unordered = what & 64, .now = what & 32};
	const struct ipp_engine *engines;
	const struct ipp_request_info *infos;
	const struct ipp_status *status;
	struct ipp_gathered gathered;
	struct ipp_fetched fetched;
	struct ipp_error err;
	size_t n;

	switch (what % 10) {
	case 0:
		ipp_engines(client, &engines, &n, &err);
		break;
	case 1:
		ipp_push(client, targets, N(targets), "x", &value, &err);
		break;
	case 2:
		ipp_pull(client, targets, N(targets), "x", keep_value, NULL, &err);
		break;
	case 3:
		ipp_list(client, targets, N(targets), keep_variables, NULL, &err);
		break;
	case 4:
		ipp_remove(client, targets, N(targets), "x", &err);
		break;
	case 5:
		if (what & 128
			    ? ipp_fetch_gathered(client, take_number(&source), &gathered, &err) == 0
			    : ipp_gather(client, targets, N(targets), "x", &gathered, &err) == 0)
			ipp_gathered_free(&gathered);
		break;
	case 6:
		ipp_requests(client, &infos, &n, &err);
		break;
	case 7:
		ipp_status(client, &status, &err);
		break;
	case 8:
		ipp_fetch(client, take_number(&source), &fetch, &fetched, &err);
		break;
	default:
		ipp_cancel_request(client, take_number(&source), &err);
		break;
	}
}

static void use(struct ipp_client *client)
{
	const uint8_t what = take(&source);
	struct ipp_request **request = &requests[what % REQUESTS];
	struct ipp_run run;
	struct ipp_error err;

	if (what < 96) {
		ask(client, take(&source));
	} else if (what < 176 && !*request) {
		run = any_run(take(&source));
		if (ipp_submit(client, &run, request, &err) < 0)
			*request = NULL;
	} else if (what < 250) {
		use_request(request, take(&source));
	} else {
		ipp_drain(client, -1);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	const struct ipp_connect options = {.cluster = "unix:@slurm-ipp/7/0"};
	struct ipp_client *client;
	struct ipp_error err;

	source = (struct source){data, bytes};
	fetch_number = 0;
	base = event_base_new();
	if (always == 0)
		always = eventfd(1, EFD_CLOEXEC);
	if (!base || always < 0)
		abort();
	if (ipp_connect(&client, &options, &err) == 0) {
		while (source.left > 0)
			use(client);
		for (int i = 0; i < REQUESTS; i++) {
			ipp_request_free(requests[i]);
			requests[i] = NULL;
		}
		ipp_disconnect(client);
	}
	leave();
	event_base_free(base);
	return 0;
}
