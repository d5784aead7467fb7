#include "controller/request.h"

#include <errno.h>
#include <event2/event.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "controller/client.h"
#include "controller/kept_results.h"
#include "controller/scheduler.h"
#include "controller/setup.h"

/* Weight of the newest task in the running mean: some ten tasks back are forgotten. */
#define NEWEST 0.1
/* Of how much longer a long one took than those since, so much is forgotten with each of them: one
 * that took an hour among thousands of a second shall not keep engines idle for the last hour. */
#define FADES 0.02

static int64_t realtime_us(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * INT64_C(1000000) + now.tv_nsec / 1000;
}

/* Bytes of `text` that are kept: it is a person's, so no half of a character (UTF-8) is. */
static size_t label_bytes(const char *text)
{
	size_t n = strnlen(text, REQUEST_LABEL_MAX + 1);

	if (n <= REQUEST_LABEL_MAX)
		return n;
	for (n = REQUEST_LABEL_MAX; n > 0 && ((unsigned char)text[n] & 0xc0) == 0x80;)
		n--;
	return n;
}

/* What a person calls it is what they typed. */
static void name_it(struct request *request, const char *label)
{
	static const char *const verbs[] = {
		[REQUEST_MAP] = "",	  [REQUEST_APPLY] = "",
		[REQUEST_PUSH] = "push ", [REQUEST_SCATTER] = "scatter ",
		[REQUEST_PULL] = "pull ", [REQUEST_GATHER] = "gather ",
		[REQUEST_LIST] = "ls",	  [REQUEST_REMOVE] = "rm ",
	};
	const char *verb = verbs[request->kind];

	if (asprintf(&request->label, "%s%.*s", verb, label ? (int)label_bytes(label) : 0,
		     label ? label : "") < 0)
		request->label = NULL;
	else if (label)
		request->name = request->label + strlen(verb);
}

struct request *request_new(struct client *client, uint64_t id, enum request_kind kind,
			    const Ipp__Targets *targets, const char *label)
{
	struct cluster *cluster = client->cluster;
	struct request *request = calloc(1, sizeof(*request));
	bool expected;

	if (!request)
		return NULL;
	*request = (struct request){.next = cluster->requests,
				    .at = &cluster->requests,
				    .place = cluster->n_requests,
				    .id = id,
				    .kind = kind,
				    .cluster = cluster,
				    .client = client,
				    .submitted_us = realtime_us(),
				    .served_us = cluster->served_us};
	request->total = targets ? targets->n_ranks : UINT64_MAX;
	slices_init(&request->pending);
	name_it(request, label);
	if (targets && targets->n_ranks > 0)
		request->targets = malloc(targets->n_ranks * sizeof(*request->targets));
	expected = request->label && (!targets || targets->n_ranks == 0 || request->targets) &&
		   line_expect(&cluster->line) == 0;
	if (!expected || request_index_add(&cluster->index, request) < 0) {
		if (expected)
			line_expect_no_more(&cluster->line);
		free(request->targets);
		free(request->label);
		free(request);
		return NULL;
	}
	if (targets && request->targets) {
		memcpy(request->targets, targets->ranks,
		       targets->n_ranks * sizeof(*request->targets));
		request->n_targets = (uint32_t)targets->n_ranks;
	}
	if (request->next)
		request->next->at = &request->next;
	cluster->requests = request;
	cluster->n_requests++;
	return request;
}

bool request_can_have(const Ipp__Targets *targets)
{
	return targets->n_ranks > 0 && targets->n_ranks <= SETUP_RANKS_MAX;
}

int request_add_targets(struct request *request, const Ipp__Targets *targets)
{
	const size_t n = request->n_targets + targets->n_ranks;
	uint32_t *room;

	if (targets->n_ranks == 0 || n > request->total)
		return -EPROTO;
	room = realloc(request->targets, n * sizeof(*room));
	if (!room)
		return -ENOMEM;
	memcpy(room + request->n_targets, targets->ranks, targets->n_ranks * sizeof(*room));
	request->targets = room;
	request->n_targets = (uint32_t)n;
	return 0;
}

bool request_is_whole(const struct request *request)
{
	return request->kind == REQUEST_SCATTER ? request->n_targets == request->total
						: request->total != UINT64_MAX;
}

int request_keep_call(struct request *request, const struct frame *frame)
{
	request->call = malloc(frame->head_bytes + 1);
	if (!request->call)
		return -ENOMEM;
	memcpy(request->call, frame->head, frame->head_bytes);
	request->call_bytes = frame->head_bytes;
	request->arguments = blob_ref(frame->payload);
	return 0;
}

int request_keep_results(struct request *request)
{
	request->kept = kept_results_new(&request->cluster->kept_bytes);
	return request->kept ? 0 : -ENOMEM;
}

void request_retire(struct request *request)
{
	*request->at = request->next;
	if (request->next)
		request->next->at = request->at;
	request->next = NULL;
	request_index_remove(&request->cluster->index, request);
	scheduler_leaves(request);
	line_expect_no_more(&request->cluster->line);
	request->ended_us = realtime_us();
	request->client = NULL;
	slices_clear(&request->pending);
	blob_unref(request->arguments);
	request->arguments = NULL;
	for (size_t i = 0; i < request->n_failures; i++)
		ipp__failure__free_unpacked(request->failures[i], NULL);
	request->n_failures = 0;
	free(request->failures);
	free(request->call);
	free(request->targets);
	if (request->patience)
		event_free(request->patience);
	request->patience = NULL;
	ranks_fini(&request->among);
	ranks_fini(&request->chosen);
	request->failures = NULL;
	request->call = NULL;
	request->targets = NULL;
}

void request_free(struct request *request)
{
	ranks_fini(&request->ran);
	free(request->waiters);
	kept_results_free(request->kept);
	free(request->label);
	free(request->why);
	free(request);
}

Ipp__Failure *request_fail_target(struct request *request, uint32_t rank, const char *text)
{
	Ipp__Failure **room = realloc(request->failures,
				      (request->n_failures + 1) * sizeof(*request->failures));
	Ipp__Failure *failure = malloc(sizeof(*failure));

	request->n_failed++;
	if (room)
		request->failures = room;
	if (!room || !failure) {
		free(failure);
		return NULL;
	}
	ipp__failure__init(failure);
	failure->rank = rank;
	failure->text = strdup(text);
	request->failures[request->n_failures++] = failure;
	return failure;
}

bool request_finished(const struct request *request)
{
	return request->n_done == request->total;
}

bool request_may_use(const struct request *request, uint32_t rank)
{
	return (request->n_chosen == 0 || ranks_have(&request->chosen, rank)) &&
	       (request->follow.n == 0 || ranks_have(&request->among, rank));
}

void request_learn(struct request *request, uint64_t elapsed_us, double expected_us)
{
	const double us = elapsed_us > 0 ? (double)elapsed_us : 0.5;

	scheduler_charge(request, us - expected_us);
	request->task_us = request->task_us > 0
				   ? request->task_us + NEWEST * (us - request->task_us)
				   : us;
	request->long_us -= FADES * (request->long_us - us);
	if (request->long_us < us)
		request->long_us = us;
}

void request_started(struct request *request)
{
	request->state = REQUEST_RUNNING;
	request->started_us = realtime_us();
}

const char *request_name(uint64_t id, char name[REQUEST_NAME_BYTES])
{
	snprintf(name, REQUEST_NAME_BYTES, "%" PRIu64 ".%" PRIu64, id >> 32, id & UINT32_MAX);
	return name;
}

const char *request_state_name(enum request_state state)
{
	static const char *const names[] = {"waiting", "running",   "done",
					    "failed",  "cancelled", "drained"};

	return names[state];
}
