#include "controller/dependency.h"

#include <errno.h>
#include <stdlib.h>

#include "controller/client.h"
#include "controller/history.h"
#include "controller/request.h"
#include "proto/error.h"

/* What `request` may not start without; one that has ended counts as it ended. */
static int check_ended(struct request *request, const struct request *ended, bool follow,
		       struct ipp_error *err)
{
	char name[REQUEST_NAME_BYTES];

	if (ended->state != REQUEST_DONE)
		return ipp_fail(err, ECANCELED, "it was to run after request %s, which %s",
				request_name(ended->id, name),
				ended->state == REQUEST_CANCELLED ? "was cancelled" : "failed");
	if (follow && ranks_join(&request->among, &ended->ran) < 0)
		return ipp_fail(err, ENOMEM, "the controller is out of memory");
	return 0;
}

static int add(struct request *request, uint64_t id, bool follow, struct ipp_error *err)
{
	const struct cluster *cluster = request->cluster;
	const struct request *ended = history_find(&cluster->history, id);
	char name[REQUEST_NAME_BYTES];
	struct awaited *room;

	request->follows |= follow;
	if (ended)
		return check_ended(request, ended, follow, err);
	if (id == request->id || !request_find(cluster->requests, id))
		return ipp_fail(err, ENOENT,
				"it was to run after request %s, which is unknown; ipp-run queue "
				"and ipp-run history list requests",
				request_name(id, name));
	room = realloc(request->awaited, (request->n_awaited + 1) * sizeof(*room));
	if (!room)
		return ipp_fail(err, ENOMEM, "the controller is out of memory");
	request->awaited = room;
	request->awaited[request->n_awaited++] = (struct awaited){id, follow};
	return 0;
}

int dependency_add(struct request *request, const Ipp__Call *call, struct ipp_error *err)
{
	int rc = 0;

	for (size_t i = 0; rc == 0 && i < call->n_after; i++)
		rc = add(request, call->after[i], false, err);
	for (size_t i = 0; rc == 0 && i < call->n_follow; i++)
		rc = add(request, call->follow[i], true, err);
	return rc;
}

/* Take `id` off what it waits for; whether it was there. */
static bool remove_awaited(struct request *request, uint64_t id, bool *follow)
{
	for (size_t i = 0; i < request->n_awaited; i++)
		if (request->awaited[i].id == id) {
			*follow = request->awaited[i].follow;
			request->awaited[i] = request->awaited[--request->n_awaited];
			return true;
		}
	return false;
}

void dependency_settle(struct cluster *cluster, const struct request *ended)
{
	struct request *request = cluster->requests;
	struct ipp_error err;
	bool follow = false;

	while (request) {
		struct request *next = request->next; /* it may end here, but no other */

		if (remove_awaited(request, ended->id, &follow)) {
			if (check_ended(request, ended, follow, &err) < 0)
				client_request_ended(request, REQUEST_FAILED, err.text);
			else if (request->n_awaited == 0)
				client_request_ready(request);
		}
		request = next;
	}
}
