#include "client/libipp/pushes.h"

#include <errno.h>
#include <stdio.h>

#include "proto/value.h"

static void note_failures(struct pushes *pushes, const Ipp__Done *done)
{
	if (done->n_failures == 0)
		return;
	if (pushes->n_failures == 0) {
		pushes->failed = done->failures[0]->rank;
		snprintf(pushes->why, sizeof(pushes->why), "%s", done->failures[0]->text);
	}
	pushes->n_failures += done->n_failures;
}

/* Until all are answered: what arrives behind the last frame that is waited for is not kept. */
static bool take_done(void *waiter, const struct frame *frame)
{
	struct pushes *pushes = waiter;
	Ipp__Done *done = frame->type == FRAME_DONE
				  ? ipp__done__unpack(NULL, frame->head_bytes, frame->head)
				  : NULL;
	bool ours = false;

	for (size_t i = 0; done && !ours && i < pushes->n; i++)
		if (pushes->requests[i] == done->request) {
			note_failures(pushes, done);
			pushes->requests[i] = pushes->requests[--pushes->n];
			ours = true;
		}
	ipp__done__free_unpacked(done, NULL);
	return pushes->n > 0;
}

int pushes_send(struct pushes *pushes, const uint32_t *targets, size_t n_targets,
		const struct ipp_value *value, struct blob *payload, struct ipp_error *err)
{
	struct ipp_client *client = pushes->client;
	Ipp__Targets ranks = IPP__TARGETS__INIT;
	Ipp__Push head = IPP__PUSH__INIT;
	Ipp__Value described;
	Ipp__Array array;
	int rc = 0;

	value_describe(pushes->name, value, &described, &array);
	ranks.ranks = (uint32_t *)targets;
	ranks.n_ranks = n_targets;
	head.request = session_request(client);
	head.targets = &ranks;
	head.value = &described;
	pushes->requests[pushes->n++] = head.request;
	if (client->link) {
		link_send(client->link, FRAME_PUSH, &head.base, payload);
		link_flush(client->link);
	}
	if (pushes->n == PUSHES_WINDOW)
		rc = session_wait(client, take_done, NULL, pushes, true, err);
	return rc;
}

int pushes_finish(struct pushes *pushes, struct ipp_error *err)
{
	int rc = 0;

	if (pushes->n > 0)
		rc = session_wait(pushes->client, take_done, NULL, pushes, true, err);
	if (rc == 0 && pushes->n_failures > 0)
		rc = ipp_fail(err, EIO, "cannot push '%s' to engine %u: %s (%zu engines in all)",
			      pushes->name, pushes->failed, pushes->why, pushes->n_failures);
	return rc;
}
