#include "engine/outbox.h"

#include <errno.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "proto/blob.h"
#include "proto/frame.h"
#include "proto/link.h"

#define HELD 0x68656c64 /* nothing that a stray store leaves */
#define PATIENCE 10000	/* turns of a CPU, then it is left alone */

/* Whoever holds it; 0: we do now. */
static uint32_t try_hold(struct outbox *outbox)
{
	uint32_t holder = 0;

	__atomic_compare_exchange_n(&outbox->held, &holder, HELD, false, __ATOMIC_ACQUIRE,
				    __ATOMIC_RELAXED);
	return holder;
}

static void let_go(struct outbox *outbox)
{
	__atomic_store_n(&outbox->held, 0, __ATOMIC_RELEASE);
}

/* The engine holds it for the time of a copy, unless it is stopped.  False: not for us either, as a
 * task wrote here. */
static bool hold(struct outbox *outbox)
{
	const struct timespec nap = {.tv_nsec = 1000000};
	uint32_t holder;

	for (unsigned n = 0; (holder = try_hold(outbox)) != 0; n++)
		if (holder != HELD)
			return false;
		else if (n < PATIENCE)
			sched_yield();
		else
			nanosleep(&nap, NULL);
	if (outbox->head_bytes <= OUTBOX_HEAD_BYTES &&
	    outbox->payload_bytes <= OUTBOX_PAYLOAD_BYTES)
		return true;
	let_go(outbox);
	return false;
}

static void empty(struct outbox *outbox)
{
	outbox->n_results = outbox->head_bytes = outbox->payload_bytes = 0;
}

bool outbox_open(struct outbox *outbox, size_t head_bytes, size_t payload_bytes)
{
	if (!hold(outbox))
		return false;
	if (head_bytes <= OUTBOX_HEAD_BYTES - outbox->head_bytes &&
	    payload_bytes <= OUTBOX_PAYLOAD_BYTES - outbox->payload_bytes)
		return true;
	let_go(outbox);
	return false;
}

void outbox_close(struct outbox *outbox, size_t head_bytes, size_t payload_bytes)
{
	outbox->head_bytes += (uint32_t)head_bytes;
	outbox->payload_bytes += (uint32_t)payload_bytes;
	outbox->n_results++;
	let_go(outbox);
}

int outbox_send(struct outbox *outbox, struct link *link)
{
	struct blob *payload = NULL;
	int rc = 0;

	if (!hold(outbox))
		return -EPROTO;
	if (outbox->payload_bytes > 0) {
		payload = blob_copy(outbox->payload, outbox->payload_bytes);
		rc = payload ? 0 : -ENOMEM;
	}
	if (rc == 0 && outbox->n_results > 0) {
		link_forward(link, FRAME_RESULTS, outbox->head, outbox->head_bytes, payload);
		outbox->n_sent++;
		empty(outbox);
	}
	let_go(outbox);
	blob_unref(payload);
	return rc;
}

/* User code runs beside it: each length is read once, and checked. */
static bool copy_out(const struct outbox *outbox, uint8_t **head, size_t *head_bytes,
		     struct blob **payload)
{
	const uint32_t payload_bytes = __atomic_load_n(&outbox->payload_bytes, __ATOMIC_RELAXED);

	*head_bytes = __atomic_load_n(&outbox->head_bytes, __ATOMIC_RELAXED);
	if (*head_bytes > OUTBOX_HEAD_BYTES || payload_bytes > OUTBOX_PAYLOAD_BYTES)
		return false;
	*head = malloc(*head_bytes + 1);
	*payload = payload_bytes > 0 ? blob_copy(outbox->payload, payload_bytes) : NULL;
	if (!*head || (payload_bytes > 0 && !*payload)) {
		free(*head);
		blob_unref(*payload);
		return false;
	}
	memcpy(*head, outbox->head, *head_bytes);
	return true;
}

bool outbox_take(struct outbox *outbox, uint64_t n_heard, uint8_t **head, size_t *head_bytes,
		 struct blob **payload)
{
	bool taken = false;

	if (try_hold(outbox) != 0)
		return false;
	if (outbox->n_results > 0 && outbox->n_sent == n_heard)
		taken = copy_out(outbox, head, head_bytes, payload);
	if (taken)
		empty(outbox);
	let_go(outbox);
	return taken;
}
