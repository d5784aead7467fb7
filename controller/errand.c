#include "controller/errand.h"

#include <errno.h>
#include <stdlib.h>

#include "controller/answer.h"
#include "controller/client.h"
#include "controller/engine.h"
#include "controller/kept_results.h"
#include "controller/request.h"
#include "controller/variables.h"
#include "proto/error.h"
#include "proto/frame.h"
#include "proto/variable.h"

/* Of a request: values on their way from other nodes. */
#define MOVING_MAX 4

static bool is_pull(const struct request *request)
{
	return request->kind == REQUEST_PULL || request->kind == REQUEST_GATHER;
}

bool errand_is(const struct request *request)
{
	return is_pull(request) || request->kind == REQUEST_LIST || request->kind == REQUEST_REMOVE;
}

static int start(struct client *client, enum request_kind kind, uint64_t id,
		 const Ipp__Targets *targets, const char *name, bool detached,
		 struct ipp_error *err)
{
	struct request *request;
	int rc;

	if (!targets || !request_can_have(targets) || (name && variable_check_name(name, NULL) < 0))
		return ipp_fail(err, EPROTO, "a PULL, LIST or REMOVE frame is malformed");
	rc = client_check_id(client, id, err);
	if (rc < 0)
		return rc;
	request = request_new(client, id, kind, targets, name);
	if (!request || (detached && request_keep_results(request) < 0))
		return ipp_fail(err, ENOMEM, "the controller is out of memory");
	client_request_ready(request);
	return 0;
}

int errand_pull(struct client *client, const struct frame *frame, struct ipp_error *err)
{
	Ipp__Pull *pull = ipp__pull__unpack(NULL, frame->head_bytes, frame->head);
	int rc;

	if (!pull)
		return ipp_fail(err, EPROTO, "a PULL frame is malformed");
	rc = start(client, pull->gather ? REQUEST_GATHER : REQUEST_PULL, pull->request,
		   pull->targets, pull->name, pull->detached, err);
	ipp__pull__free_unpacked(pull, NULL);
	return rc;
}

int errand_list(struct client *client, const struct frame *frame, struct ipp_error *err)
{
	Ipp__List *list = ipp__list__unpack(NULL, frame->head_bytes, frame->head);
	int rc;

	if (!list)
		return ipp_fail(err, EPROTO, "a LIST frame is malformed");
	rc = start(client, REQUEST_LIST, list->request, list->targets, NULL, list->detached, err);
	ipp__list__free_unpacked(list, NULL);
	return rc;
}

int errand_remove(struct client *client, const struct frame *frame, struct ipp_error *err)
{
	Ipp__Remove *removal = ipp__remove__unpack(NULL, frame->head_bytes, frame->head);
	int rc;

	if (!removal)
		return ipp_fail(err, EPROTO, "a REMOVE frame is malformed");
	rc = start(client, REQUEST_REMOVE, removal->request, removal->targets, removal->name,
		   removal->detached, err);
	ipp__remove__free_unpacked(removal, NULL);
	return rc;
}

/* ---- values on their way ---- */

/* On our own node they lie in the engine's memory, and only a descriptor comes. */
static bool moves(const struct engine *engine, const struct request *request)
{
	return engine->share && is_pull(request);
}

struct slice **errand_next(struct engine *engine)
{
	struct slice **at = engine->passed ? engine->passed : &engine->pinned.first;
	struct slice **first = NULL;

	for (; *at; at = &(*at)->next) {
		const struct request *request = request_find(&engine->cluster->index,
							     (*at)->request);

		if (client_is_behind(request->client)) {
			if (!first)
				engine->passed = &(*at)->next;
			continue;
		}
		if (!first)
			first = at;
		if (!is_pull(request) && request->kind != REQUEST_LIST)
			return first; /* it must overtake no value that waits */
		if (!moves(engine, request) || request->n_moving < MOVING_MAX)
			return at;
	}
	return NULL;
}

void errand_arrived(struct engine *engine, const struct slice *slice)
{
	struct request *request = request_find(&engine->cluster->index, slice->request);

	if (request && moves(engine, request))
		request->n_moving--;
}

void errand_send(struct engine *engine, struct request *request, const struct slice *slice)
{
	Ipp__Pull pull = IPP__PULL__INIT;
	Ipp__List list = IPP__LIST__INIT;
	Ipp__Remove removal = IPP__REMOVE__INIT;

	pull.request = list.request = removal.request = request->id;
	pull.index = list.index = slice->from;
	pull.name = removal.name = (char *)request->name;
	request->n_moving += moves(engine, request);
	if (is_pull(request)) {
		link_send(engine->link, FRAME_PULL, &pull.base, NULL);
	} else if (request->kind == REQUEST_LIST) {
		link_send(engine->link, FRAME_LIST, &list.base, NULL);
	} else {
		variables_forget(engine, request->name);
		link_send(engine->link, FRAME_REMOVE, &removal.base, NULL);
	}
}

/* ---- answers to PUSH and REMOVE ---- */

void errand_answered(struct request *request)
{
	request->n_done++;
	if (request_finished(request))
		answer_over(request, false);
}

static void describe_failure(const Ipp__Failure *failure, Ipp__Result *result)
{
	result->outcome = IPP__OUTCOME__ERROR;
	result->code = failure->absent ? ENOENT : EIO;
	result->error = failure->text;
}

bool errand_report(struct request *request)
{
	Ipp__Result *each = calloc(request->n_targets, sizeof(*each));
	Ipp__Result **pointers = calloc(request->n_targets, sizeof(*pointers));
	Ipp__Results results = IPP__RESULTS__INIT;
	bool goes_on = false;

	for (uint32_t i = 0; each && pointers && i < request->n_targets; i++) {
		ipp__result__init(&each[i]);
		each[i].index = i;
		each[i].engine = request->targets[i];
		for (size_t k = 0; k < request->n_failures; k++)
			if (request->failures[k]->rank == request->targets[i])
				describe_failure(request->failures[k], &each[i]);
		pointers[results.n_results++] = &each[i];
	}
	results.request = request->id;
	results.results = pointers;
	if (results.n_results > 0)
		goes_on = answer_send_results(request, &results, NULL);
	else
		answer_ended(request, REQUEST_FAILED, "the controller is out of memory");
	free(each);
	free(pointers);
	return goes_on;
}
