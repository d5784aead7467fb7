#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "client/libipp/lacking.h"
#include "client/libipp/session.h"
#include "proto/variable.h"

struct removal {
	uint64_t request;
	Ipp__Done *done;
};

static bool take_done(void *waiter, const struct frame *frame)
{
	struct removal *removal = waiter;

	if (frame->type != FRAME_DONE)
		return true;
	ipp__done__free_unpacked(removal->done, NULL);
	removal->done = ipp__done__unpack(NULL, frame->head_bytes, frame->head);
	return removal->done && removal->done->request != removal->request;
}

static const Ipp__Failure *failure_of(const Ipp__Done *done, uint32_t rank)
{
	for (size_t i = 0; i < done->n_failures; i++)
		if (done->failures[i]->rank == rank)
			return done->failures[i];
	return NULL;
}

int ipp_remove(struct ipp_client *client, const uint32_t *targets, size_t n_targets,
	       const char *name, struct ipp_error *err)
{
	struct removal removal = {.request = session_request(client)};
	Ipp__Targets ranks = IPP__TARGETS__INIT;
	Ipp__Remove head = IPP__REMOVE__INIT;
	struct lacking lacking = {0};
	int rc = variable_check_name(name, err);

	if (rc < 0)
		return rc;
	ranks.ranks = (uint32_t *)targets;
	ranks.n_ranks = n_targets;
	head.request = removal.request;
	head.targets = &ranks;
	head.name = (char *)name;
	if (client->link)
		link_send(client->link, FRAME_REMOVE, &head.base, NULL);
	rc = session_wait(client, take_done, NULL, &removal, true, err);
	if (rc == 0 && !removal.done)
		rc = ipp_fail(err, EPROTO, "the controller sent a malformed DONE");
	for (size_t i = 0; rc == 0 && i < n_targets; i++) {
		const Ipp__Failure *failure = failure_of(removal.done, targets[i]);

		if (failure && failure->absent)
			lacking_add(&lacking, failure->rank);
		else if (failure)
			rc = ipp_fail(err, EIO, "cannot remove '%s' from engine %u: %.200s", name,
				      failure->rank, failure->text);
	}
	if (rc == 0 && lacking.n > 0)
		rc = lacking_fail(&lacking, name, err);
	ipp__done__free_unpacked(removal.done, NULL);
	return rc;
}
