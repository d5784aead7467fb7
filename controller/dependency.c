#include "controller/dependency.h"

#include <errno.h>
#include <event2/event.h>
#include <stdlib.h>

#include "controller/answer.h"
#include "controller/client.h"
#include "controller/history.h"
#include "controller/request.h"
#include "proto/error.h"

/* How a request ended, as far as others want to know. */
struct ending {
	uint64_t id;
	enum request_state state;
	const struct ranks *ran; /* NULL: not known any more */
};

static bool is_met(const struct condition *condition)
{
	return condition->any ? condition->n_met > 0 || condition->n == 0
			      : condition->n_met == condition->n;
}

/* What was drained has come to no end of any kind: another job goes on with it. */
static bool counts(const struct condition *condition, enum request_state state)
{
	return state != REQUEST_DRAINED &&
	       (condition->ending == IPP__ENDING__EITHER ||
		(condition->ending == IPP__ENDING__WELL) == (state == REQUEST_DONE));
}

static int fail_unmet(const struct condition *condition, const struct ending *ended,
		      struct ipp_error *err)
{
	char name[REQUEST_NAME_BYTES];
	const char *how = ended->state == REQUEST_DONE	      ? "ended well"
			  : ended->state == REQUEST_CANCELLED ? "was cancelled"
							      : "failed";
	const char *when = condition->ending == IPP__ENDING__BADLY ? " had failed" : "";

	if (condition->drained)
		return ipp_fail(
			err, ETIME,
			"it was to run after request %s, which was drained: let the next job run "
			"both",
			request_name(condition->drained, name));
	request_name(ended->id, name);
	if (condition->any && condition->n > 1)
		return ipp_fail(err, ECANCELED,
				"it was to run after any of %zu requests%s, and the last of them, "
				"%s, %s",
				condition->n, when, name, how);
	return ipp_fail(err, ECANCELED, "it was to run after request %s%s, which %s", name, when,
			how);
}

/* It may run where that one did. */
static int go_there(struct request *request, const struct ending *ended, struct ipp_error *err)
{
	const struct condition *follow = &request->follow;
	char name[REQUEST_NAME_BYTES];

	if (!ended->ran)
		return ipp_fail(err, ENOENT,
				"it was to run where request %s ran, which ended too long ago for "
				"that to be known; say --targets",
				request_name(ended->id, name));
	if (!follow->any && follow->n_met > 1)
		ranks_keep(&request->among, ended->ran);
	else if (ranks_join(&request->among, ended->ran) < 0)
		return ipp_fail(err, ENOMEM, "the controller is out of memory");
	return 0;
}

/* One that `request` waits for has ended.  0, or -errno: now it can never run. */
static int take_ending(struct request *request, const struct ending *ended, bool follow,
		       struct ipp_error *err)
{
	struct condition *condition = follow ? &request->follow : &request->after;

	condition->n_open--;
	if (counts(condition, ended->state)) {
		condition->n_met++;
		return follow ? go_there(request, ended, err) : 0;
	}
	if (ended->state == REQUEST_DRAINED)
		condition->drained = ended->id;
	if (condition->any && condition->n_met + condition->n_open > 0)
		return 0;
	return fail_unmet(condition, ended, err);
}

static int wait_for(struct request *other, uint64_t id, bool follow)
{
	if (other->n_waiters == other->waiters_room) {
		const size_t n = other->waiters_room > 0 ? 2 * other->waiters_room : 4;
		struct waiter *room = realloc(other->waiters, n * sizeof(*room));

		if (!room)
			return -ENOMEM;
		other->waiters = room;
		other->waiters_room = n;
	}
	other->waiters[other->n_waiters++] = (struct waiter){id, follow};
	return 0;
}

static int add(struct request *request, uint64_t id, bool follow, struct ipp_error *err)
{
	const struct cluster *cluster = request->cluster;
	struct request *other = id == request->id ? NULL : request_find(&cluster->index, id);
	const struct request *ended = other ? NULL : history_find(&cluster->history, id);
	struct ending ending = {.id = id};
	unsigned state;
	char name[REQUEST_NAME_BYTES];

	if (other && wait_for(other, request->id, follow) < 0)
		return ipp_fail(err, ENOMEM, "the controller is out of memory");
	if (other)
		return 0;
	if (ended) {
		ending.state = ended->state;
		ending.ran = &ended->ran;
	} else if (history_recall(&cluster->history, id, &state)) {
		ending.state = state;
	} else {
		return ipp_fail(err, ENOENT,
				"it was to run after request %s, which is unknown; ipp-run queue "
				"and ipp-run history list requests",
				request_name(id, name));
	}
	return take_ending(request, &ending, follow, err);
}

static int add_all(struct request *request, const uint64_t *ids, size_t n,
		   const Ipp__Condition *when, bool follow, struct ipp_error *err)
{
	struct condition *condition = follow ? &request->follow : &request->after;
	int rc = 0;

	*condition = (struct condition){.n = n, .n_open = n};
	if (when) {
		condition->any = when->any;
		condition->ending = when->ending;
	}
	if ((unsigned)condition->ending > IPP__ENDING__EITHER)
		return ipp_fail(err, EPROTO,
				"it was to run on a condition that this version does "
				"not know");
	for (size_t i = 0; rc == 0 && i < n; i++)
		rc = add(request, ids[i], follow, err);
	return rc;
}

static const char *name_awaited(const struct request *request, char name[REQUEST_NAME_BYTES])
{
	for (const struct request *at = request->cluster->requests; at; at = at->next)
		for (size_t i = 0; i < at->n_waiters; i++)
			if (at->waiters[i].id == request->id)
				return request_name(at->id, name);
	return "";
}

static void patience_cb(evutil_socket_t fd, short what, void *arg)
{
	struct request *request = arg;
	char name[REQUEST_NAME_BYTES];
	struct ipp_error err;

	(void)fd;
	(void)what;
	ipp_fail(&err, ETIMEDOUT,
		 "it was to run after request %s, which has not ended in the time that "
		 "--after-timeout gave it: give it longer, or see ipp-run queue",
		 name_awaited(request, name));
	answer_ended(request, REQUEST_FAILED, err.text);
}

static int be_patient(struct request *request, uint32_t ms, struct ipp_error *err)
{
	const struct timeval patience = {ms / 1000, ms % 1000 * 1000};

	request->patience = evtimer_new(request->cluster->base, patience_cb, request);
	if (!request->patience || evtimer_add(request->patience, &patience) < 0)
		return ipp_fail(err, ENOMEM, "the controller is out of memory");
	return 0;
}

static bool waits(const struct request *request)
{
	return !is_met(&request->after) || !is_met(&request->follow);
}

int dependency_add(struct request *request, const Ipp__Call *call, struct ipp_error *err)
{
	int rc = add_all(request, call->after, call->n_after, call->after_if, false, err);

	if (rc == 0)
		rc = add_all(request, call->follow, call->n_follow, call->follow_if, true, err);
	request->waits = rc == 0 && waits(request);
	if (request->waits && call->wait_ms > 0)
		rc = be_patient(request, call->wait_ms, err);
	return rc;
}

void dependency_settle(struct cluster *cluster, struct request *ended)
{
	const struct ending ending = {.id = ended->id, .state = ended->state, .ran = &ended->ran};
	struct ipp_error err;
	int rc;

	for (size_t i = 0; i < ended->n_waiters; i++) {
		struct request *request = request_find(&cluster->index, ended->waiters[i].id);

		if (!request || !request->waits) /* it ended meanwhile, or others were enough */
			continue;
		rc = take_ending(request, &ending, ended->waiters[i].follow, &err);
		if (rc < 0) {
			answer_ended(request, rc == -ETIME ? REQUEST_DRAINED : REQUEST_FAILED,
				     err.text);
		} else if (!waits(request)) {
			request->waits = false;
			if (request->patience)
				evtimer_del(request->patience);
			client_request_ready(request);
		}
	}
	ended->n_waiters = ended->waiters_room = 0;
	free(ended->waiters);
	ended->waiters = NULL;
}
