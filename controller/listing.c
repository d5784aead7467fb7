#include "controller/listing.h"

#include <errno.h>
#include <stdlib.h>

#include "controller/client.h"
#include "proto/error.h"
#include "proto/frame.h"

static void describe(const struct request *request, Ipp__Request *out)
{
	ipp__request__init(out);
	out->id = request->id;
	out->label = request->label;
	out->state = (char *)request_state_name(request->state);
	out->tasks = request->total == UINT64_MAX ? request->n_received : request->total;
	out->done = request->n_done;
	out->failed = request->n_failed;
	out->submitted_us = request->submitted_us;
	out->started_us = request->started_us;
	out->ended_us = request->ended_us;
	out->detached = request->kept != NULL;
	out->map = request->kind == REQUEST_MAP;
}

static int by_submission(const void *a, const void *b)
{
	const Ipp__Request *const *x = a, *const *y = b;

	if ((*x)->submitted_us != (*y)->submitted_us)
		return (*x)->submitted_us < (*y)->submitted_us ? -1 : 1;
	return (*x)->id < (*y)->id ? -1 : (*x)->id > (*y)->id;
}

static size_t list_length(const struct request *list)
{
	size_t n = 0;

	for (; list; list = list->next)
		n++;
	return n;
}

int listing_send(struct client *client, struct ipp_error *err)
{
	const struct cluster *cluster = client->cluster;
	const struct request *const lists[] = {cluster->history.plain.oldest,
					       cluster->history.keeping.oldest, cluster->requests};
	const size_t n = list_length(lists[0]) + list_length(lists[1]) + list_length(lists[2]);
	Ipp__Requests message = IPP__REQUESTS__INIT;
	Ipp__Request *each = calloc(n + 1, sizeof(*each));
	Ipp__Request **pointers = calloc(n + 1, sizeof(*pointers));
	int rc = 0;

	if (!each || !pointers) {
		rc = ipp_fail(err, ENOMEM, "the controller is out of memory");
		goto out;
	}
	message.requests = pointers;
	for (size_t i = 0; i < sizeof(lists) / sizeof(lists[0]); i++)
		for (const struct request *at = lists[i]; at; at = at->next) {
			describe(at, &each[message.n_requests]);
			pointers[message.n_requests] = &each[message.n_requests];
			message.n_requests++;
		}
	qsort(pointers, message.n_requests, sizeof(*pointers), by_submission);
	while (ipp__requests__get_packed_size(&message) > FRAME_HEAD_MAX) { /* the latest, then */
		message.requests += message.n_requests / 2;
		message.n_requests -= message.n_requests / 2;
	}
	link_send(client->link, FRAME_REQUESTS, &message.base, NULL);
out:
	free(each);
	free(pointers);
	return rc;
}
