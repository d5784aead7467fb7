#include "controller/errand.h"

#include <errno.h>

#include "controller/client.h"
#include "controller/engine.h"
#include "controller/request.h"
#include "controller/variables.h"
#include "proto/error.h"
#include "proto/frame.h"
#include "proto/variable.h"

bool errand_is(const struct request *request)
{
	return request->kind == REQUEST_PULL || request->kind == REQUEST_LIST ||
	       request->kind == REQUEST_REMOVE;
}

static int start(struct client *client, enum request_kind kind, uint64_t id,
		 const Ipp__Targets *targets, const char *name, struct ipp_error *err)
{
	struct request *request;
	int rc;

	if (!targets || targets->n_ranks == 0 || (name && variable_check_name(name, NULL) < 0))
		return ipp_fail(err, EPROTO, "a PULL, LIST or REMOVE frame is malformed");
	rc = client_check_id(client, id, err);
	if (rc < 0)
		return rc;
	request = request_new(client, id, kind, targets, name);
	if (!request)
		return ipp_fail(err, ENOMEM, "the controller is out of memory");
	client_request_ready(request);
	return 0;
}

int errand_pull(struct client *client, const struct frame *frame, struct ipp_error *err)
{
	Ipp__Pull *pull = ipp__pull__unpack(NULL, frame->head_bytes, frame->head);
	const int rc = pull ? start(client, REQUEST_PULL, pull->request, pull->targets, pull->name,
				    err)
			    : ipp_fail(err, EPROTO, "a PULL frame is malformed");

	ipp__pull__free_unpacked(pull, NULL);
	return rc;
}

int errand_list(struct client *client, const struct frame *frame, struct ipp_error *err)
{
	Ipp__List *list = ipp__list__unpack(NULL, frame->head_bytes, frame->head);
	const int rc = list ? start(client, REQUEST_LIST, list->request, list->targets, NULL, err)
			    : ipp_fail(err, EPROTO, "a LIST frame is malformed");

	ipp__list__free_unpacked(list, NULL);
	return rc;
}

int errand_remove(struct client *client, const struct frame *frame, struct ipp_error *err)
{
	Ipp__Remove *removal = ipp__remove__unpack(NULL, frame->head_bytes, frame->head);
	const int rc = removal ? start(client, REQUEST_REMOVE, removal->request, removal->targets,
				       removal->name, err)
			       : ipp_fail(err, EPROTO, "a REMOVE frame is malformed");

	ipp__remove__free_unpacked(removal, NULL);
	return rc;
}

void errand_send(struct engine *engine, const struct request *request, const struct slice *slice)
{
	Ipp__Pull pull = IPP__PULL__INIT;
	Ipp__List list = IPP__LIST__INIT;
	Ipp__Remove removal = IPP__REMOVE__INIT;

	pull.request = list.request = removal.request = request->id;
	pull.index = list.index = slice->from;
	pull.name = removal.name = (char *)request->name;
	if (request->kind == REQUEST_PULL) {
		link_send(engine->link, FRAME_PULL, &pull.base, NULL);
	} else if (request->kind == REQUEST_LIST) {
		link_send(engine->link, FRAME_LIST, &list.base, NULL);
	} else {
		variables_forget(engine, request->name);
		link_send(engine->link, FRAME_REMOVE, &removal.base, NULL);
	}
}

void errand_answered(struct request *request)
{
	request->n_done++;
	if (request_finished(request))
		client_request_over(request, false);
}

int errand_names(struct engine *engine, const struct frame *frame, struct ipp_error *err)
{
	Ipp__Names *names = ipp__names__unpack(NULL, frame->head_bytes, frame->head);
	const struct slice *first = engine->in_flight.first;
	struct request *request = names ? request_find(engine->cluster->requests, names->request)
					: NULL;
	int rc = 0;

	if (!names)
		return ipp_fail(err, EPROTO, "a NAMES frame is malformed");
	if (request && (request->kind != REQUEST_LIST || !first || first->request != request->id ||
			first->from != names->index)) {
		rc = ipp_fail(err, EPROTO, "a NAMES frame that nobody asked for");
	} else if (request) { /* else it was cancelled meanwhile */
		slices_finish_first(&engine->in_flight);
		link_forward(request->client->link, FRAME_NAMES, frame->head, frame->head_bytes,
			     NULL);
		errand_answered(request);
	}
	ipp__names__free_unpacked(names, NULL);
	return rc;
}

void errand_lost(struct request *request, uint64_t index, uint32_t rank, const char *why)
{
	Ipp__Names names = IPP__NAMES__INIT;

	names.request = request->id;
	names.index = index;
	names.rank = rank;
	names.error = (char *)why;
	if (request->kind == REQUEST_LIST) {
		request->n_failed++;
		link_send(request->client->link, FRAME_NAMES, &names.base, NULL);
	} else {
		request_fail_target(request, rank, why);
	}
	errand_answered(request);
}
