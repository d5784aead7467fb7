#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "client/libipp/session.h"
#include "client/libipp/value.h"

struct push {
	uint64_t request;
	Ipp__Done *done;
};

static bool take_done(void *waiter, const struct frame *frame)
{
	struct push *push = waiter;

	if (frame->type != FRAME_DONE)
		return true;
	ipp__done__free_unpacked(push->done, NULL);
	push->done = ipp__done__unpack(NULL, frame->head_bytes, frame->head);
	return push->done && push->done->request != push->request;
}

int ipp_push(struct ipp_client *client, const uint32_t *targets, size_t n_targets, const char *name,
	     const struct ipp_value *value, struct ipp_error *err)
{
	struct push push = {.request = session_request(client)};
	Ipp__Targets ranks = IPP__TARGETS__INIT;
	Ipp__Push head = IPP__PUSH__INIT;
	struct blob *payload = NULL;
	Ipp__Value described;
	Ipp__Array array;
	int rc;

	if (value->kind == IPP_ARRAY) {
		payload = blob_copy(value->data, value->bytes);
		if (!payload)
			return ipp_fail(err, ENOMEM, "out of memory for '%s', %zu bytes", name,
					value->bytes);
	}
	value_describe(name, value, &described, &array);
	ranks.ranks = (uint32_t *)targets;
	ranks.n_ranks = n_targets;
	head.request = push.request;
	head.targets = &ranks;
	head.value = &described;
	if (client->link)
		link_send(client->link, FRAME_PUSH, &head.base, payload);
	blob_unref(payload);
	rc = session_wait(client, take_done, NULL, &push, true, err);
	if (rc == 0 && !push.done)
		rc = ipp_fail(err, EPROTO, "the controller sent a malformed DONE");
	else if (rc == 0 && push.done->n_failures > 0)
		rc = ipp_fail(err, EIO, "cannot push '%s' to engine %u: %s (%zu engines in all)",
			      name, push.done->failures[0]->rank, push.done->failures[0]->text,
			      push.done->n_failures);
	ipp__done__free_unpacked(push.done, NULL);
	return rc;
}
