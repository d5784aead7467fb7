#include <errno.h>
#include <stdlib.h>

#include "client/libipp/session.h"

/* ---- lists ---- */

static bool take_requests(void *waiter, const struct frame *frame)
{
	struct ipp_client *client = waiter;

	if (frame->type != FRAME_REQUESTS)
		return true;
	ipp__requests__free_unpacked(client->requests_head, NULL);
	client->requests_head = ipp__requests__unpack(NULL, frame->head_bytes, frame->head);
	return false;
}

int ipp_requests(struct ipp_client *client, const struct ipp_request_info **out, size_t *n,
		 struct ipp_error *err)
{
	const Ipp__Requests *head;
	struct ipp_request_info *list;
	int rc;

	if (client->link)
		link_send(client->link, FRAME_REQUESTS, NULL, NULL);
	rc = session_wait(client, take_requests, client, err);
	if (rc < 0)
		return rc;
	head = client->requests_head;
	list = head ? calloc(head->n_requests + 1, sizeof(*list)) : NULL;
	if (!list)
		return ipp_fail(err, ENOMEM, "out of memory");
	for (size_t i = 0; i < head->n_requests; i++) {
		const Ipp__Request *one = head->requests[i];

		list[i] = (struct ipp_request_info){.id = one->id,
						    .label = one->label,
						    .state = one->state,
						    .tasks = one->tasks,
						    .done = one->done,
						    .failed = one->failed,
						    .submitted_us = one->submitted_us,
						    .started_us = one->started_us,
						    .ended_us = one->ended_us,
						    .detached = one->detached,
						    .map = one->map};
	}
	free(client->requests_seen);
	client->requests_seen = list;
	*out = list;
	*n = head->n_requests;
	return 0;
}

static bool take_status(void *waiter, const struct frame *frame)
{
	struct ipp_client *client = waiter;

	if (frame->type != FRAME_STATUS)
		return true;
	ipp__status__free_unpacked(client->status_head, NULL);
	client->status_head = ipp__status__unpack(NULL, frame->head_bytes, frame->head);
	return false;
}

int ipp_status(struct ipp_client *client, const struct ipp_status **out, struct ipp_error *err)
{
	const Ipp__Status *head;
	struct ipp_engine_status *list;
	int rc;

	if (client->link)
		link_send(client->link, FRAME_STATUS, NULL, NULL);
	rc = session_wait(client, take_status, client, err);
	if (rc < 0)
		return rc;
	head = client->status_head;
	list = head ? calloc(head->n_engines + 1, sizeof(*list)) : NULL;
	if (!list)
		return ipp_fail(err, ENOMEM, "out of memory");
	for (size_t i = 0; i < head->n_engines; i++) {
		const Ipp__Health *one = head->engines[i];

		list[i] = (struct ipp_engine_status){.rank = one->rank,
						     .pid = one->pid,
						     .host = one->host,
						     .state = one->state,
						     .done = one->done,
						     .failed = one->failed,
						     .queued = one->queued,
						     .busy_us = one->busy_us,
						     .up_us = one->up_us,
						     .memory_bytes = one->memory_bytes,
						     .losses = one->losses};
	}
	free(client->statuses);
	client->statuses = list;
	client->status = (struct ipp_status){.engines = list,
					     .n_engines = head->n_engines,
					     .clients = head->clients,
					     .pending = head->pending};
	*out = &client->status;
	return 0;
}

/* ---- one request ---- */

struct awaited_end {
	uint64_t request;
	Ipp__Finished *finished;
};

static bool take_finished(void *waiter, const struct frame *frame)
{
	struct awaited_end *awaited = waiter;
	Ipp__Finished *finished = frame->type == FRAME_FINISHED
					  ? ipp__finished__unpack(NULL, frame->head_bytes,
								  frame->head)
					  : NULL;

	if (!finished || finished->request != awaited->request) {
		ipp__finished__free_unpacked(finished, NULL);
		return true;
	}
	awaited->finished = finished;
	return false;
}

int ipp_cancel_request(struct ipp_client *client, uint64_t id, struct ipp_error *err)
{
	struct awaited_end awaited = {.request = id};
	Ipp__Cancel cancel = IPP__CANCEL__INIT;
	int rc;

	if (id >> 32 == client->number)
		return ipp_fail(err, EINVAL,
				"ipp_cancel_request() is for requests of other clients");
	cancel.request = id;
	if (client->link)
		link_send(client->link, FRAME_CANCEL, &cancel.base, NULL);
	rc = session_wait(client, take_finished, &awaited, err);
	if (rc == 0 && awaited.finished->why[0])
		rc = ipp_fail(err, ESRCH, "%s", awaited.finished->why);
	ipp__finished__free_unpacked(awaited.finished, NULL);
	return rc;
}
