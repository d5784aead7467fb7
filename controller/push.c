#include "controller/push.h"

#include <errno.h>

#include "controller/answer.h"
#include "controller/client.h"
#include "controller/engine.h"
#include "controller/request.h"
#include "controller/returning.h"
#include "controller/setup.h"
#include "proto/error.h"
#include "proto/variable.h"

bool push_is(const struct request *request)
{
	return request->kind == REQUEST_PUSH || request->kind == REQUEST_SCATTER;
}

static int begin(struct request **out, struct client *client, const Ipp__Push *push,
		 struct ipp_error *err)
{
	const enum request_kind kind = push->total > 0 ? REQUEST_SCATTER : REQUEST_PUSH;
	struct request *request;
	int rc = client_check_id(client, push->request, err);

	if (rc < 0)
		return rc;
	request = request_new(client, push->request, kind, push->targets, push->value->name);
	if (!request || (push->detached && request_keep_results(request) < 0))
		return ipp_fail(err, ENOMEM, "the controller is out of memory");
	if (push->total > 0)
		request->total = push->total;
	request_started(request);
	*out = request;
	return 0;
}

/* The next part of a scatter; NULL in *out when that was cancelled meanwhile. */
static int go_on(struct request **out, struct client *client, const Ipp__Push *push,
		 struct ipp_error *err)
{
	struct request *request = request_find(&client->cluster->index, push->request);
	int rc = 0;

	if (request && (request->kind != REQUEST_SCATTER || request->client != client))
		rc = -EPROTO;
	else if (request)
		rc = request_add_targets(request, push->targets);
	*out = request;
	return rc == 0 ? 0 : ipp_fail(err, -rc, "a PUSH frame came out of turn");
}

/* Of direct views: its targets have them first.  Requests may end here. */
static void give_what_came_before(const struct client *client, const Ipp__Targets *targets)
{
	for (size_t i = 0; i < targets->n_ranks; i++) {
		struct engine *engine = returning_find(client->cluster, targets->ranks[i]);

		if (engine)
			engine_give_pinned(engine, client);
	}
}

static void push_to(struct request *request, uint32_t rank, const Ipp__Push *push,
		    struct blob *payload)
{
	struct cluster *cluster = request->cluster;
	struct engine *engine = returning_find(cluster, rank);
	int rc = -ENOENT;

	if (engine)
		rc = engine_push(engine, push, cluster->serial, payload);
	if (rc == 0 && engine->link)
		return;
	request->n_done++;
	if (rc < 0)
		request_fail_target(request, rank,
				    engine ? "the controller is out of memory"
					   : "there is no such engine");
}

static int take(struct request **out, struct client *client, const Ipp__Push *push,
		struct ipp_error *err)
{
	give_what_came_before(client, push->targets);
	return push->total > 0 && push->request <= client->last_request
		       ? go_on(out, client, push, err)
		       : begin(out, client, push, err);
}

int push_take(struct client *client, const struct frame *frame, struct ipp_error *err)
{
	Ipp__Push *push = ipp__push__unpack(NULL, frame->head_bytes, frame->head);
	struct request *request = NULL;
	int rc;

	if (!push || !push->targets || !request_can_have(push->targets) ||
	    push->total > SETUP_RANKS_MAX ||
	    (push->total > 0 && push->targets->n_ranks > push->total) ||
	    variable_check(push->value, frame->payload, NULL) < 0)
		rc = ipp_fail(err, EPROTO, "a PUSH frame is malformed");
	else
		rc = take(&request, client, push, err);
	if (rc == 0 && request) {
		client->cluster->serial++;
		for (size_t i = 0; i < push->targets->n_ranks; i++)
			push_to(request, push->targets->ranks[i], push, frame->payload);
		if (request_finished(request))
			answer_over(request, false);
	}
	ipp__push__free_unpacked(push, NULL);
	return rc;
}
