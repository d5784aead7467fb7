#include "controller/request.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

/* Weight of the newest task in the running mean: some ten tasks back are forgotten. */
#define NEWEST 0.1

struct request *request_new(struct request **list, struct client *client, uint64_t id,
			    enum request_kind kind, const Ipp__Targets *targets)
{
	struct request *request = calloc(1, sizeof(*request));

	if (!request)
		return NULL;
	*request = (struct request){.next = *list, .id = id, .kind = kind, .client = client};
	request->total = targets ? targets->n_ranks : UINT64_MAX;
	slices_init(&request->pending);
	if (targets && targets->n_ranks > 0) {
		request->targets = malloc(targets->n_ranks * sizeof(*request->targets));
		if (!request->targets) {
			free(request);
			return NULL;
		}
		memcpy(request->targets, targets->ranks,
		       targets->n_ranks * sizeof(*request->targets));
		request->n_targets = (uint32_t)targets->n_ranks;
	}
	*list = request;
	return request;
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

struct request *request_find(struct request *list, uint64_t id)
{
	while (list && list->id != id)
		list = list->next;
	return list;
}

void request_free(struct request **list, struct request *request)
{
	while (*list != request)
		list = &(*list)->next;
	*list = request->next;
	slices_clear(&request->pending);
	blob_unref(request->arguments);
	for (size_t i = 0; i < request->n_failures; i++)
		ipp__failure__free_unpacked(request->failures[i], NULL);
	free(request->failures);
	free(request->call);
	free(request->targets);
	free(request);
}

void request_fail_target(struct request *request, uint32_t rank, const char *text)
{
	Ipp__Failure **room = realloc(request->failures,
				      (request->n_failures + 1) * sizeof(*request->failures));
	Ipp__Failure *failure = malloc(sizeof(*failure));

	if (room)
		request->failures = room;
	if (!room || !failure) {
		free(failure);
		return;
	}
	ipp__failure__init(failure);
	failure->rank = rank;
	failure->text = strdup(text);
	request->failures[request->n_failures++] = failure;
}

bool request_finished(const struct request *request)
{
	return request->n_done == request->total;
}

void request_learn(struct request *request, uint64_t elapsed_us)
{
	const double us = elapsed_us > 0 ? (double)elapsed_us : 0.5;

	request->task_us = request->task_us > 0
				   ? request->task_us + NEWEST * (us - request->task_us)
				   : us;
}
