/* libFuzzer target: what a peer sends.  `frames_fuzz FILE` replays one input: its first byte says
 * whether the peer is trusted and how the bytes are split, the rest is the stream.
 * Whatever comes, each frame is whole and unpacks or not, and the link ends by on_close alone. */
#include <assert.h>
#include <event2/event.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "proto/error.h"
#include "proto/frame.h"
#include "proto/items.h"
#include "proto/link.h"
#include "proto/variable.h"
#include "tests/fuzz/message.h"

/* Of a value that is whole, every byte is there. */
static void look_at_value(const Ipp__Push *push, const struct blob *payload)
{
	if (variable_check(push->value, payload, NULL) == 0 &&
	    push->value->kind_case == IPP__VALUE__KIND_ARRAY)
		assert((payload ? payload->bytes : 0) >= push->value->array->bytes);
}

static void on_frame(void *owner, struct link *link, const struct frame *frame)
{
	ProtobufCMessage *head;
	struct items *items = NULL;
	unsigned sum = 0;

	(void)owner;
	(void)link;
	assert(frame->type > 0 && frame->type < FRAME_TYPES);
	for (size_t i = 0; i < frame->head_bytes; i++)
		sum += frame->head[i];
	for (size_t i = 0; frame->payload && i < frame->payload->bytes; i++)
		sum += frame->payload->data[i];
	*(volatile unsigned *)&sum = sum;
	head = heads[frame->type] ? frame_unpack(frame, heads[frame->type]) : NULL;
	if (head && frame->type == FRAME_TASKS &&
	    items_new(&items, (const Ipp__Tasks *)head, frame->payload, NULL) == 0)
		items_unref(items);
	if (head && frame->type == FRAME_PUSH)
		look_at_value((const Ipp__Push *)head, frame->payload);
	if (head)
		protobuf_c_message_free_unpacked(head, NULL);
}

static void on_close(void *closed, struct link *link, const struct ipp_error *why)
{
	(void)link;
	assert(why->text[0] && !strchr(why->text, '\n') && !*(bool *)closed);
	*(bool *)closed = true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t bytes)
{
	static const struct link_events events = {.on_frame = on_frame, .on_close = on_close};
	static struct event_base *base;
	struct link *link;
	bool closed = false;
	size_t step;
	int ends[2];

	if (!base)
		base = event_base_new();
	if (bytes < 1 || socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends) < 0)
		return 0;
	link = link_unix(base, ends[0], &events, &closed);
	if (!base || !link)
		abort();
	if (data[0] & 1)
		link_trust(link);
	step = data[0] >> 1 ? data[0] >> 1 : bytes;
	for (size_t at = 1; at < bytes && !closed; at += step) {
		const size_t n = bytes - at < step ? bytes - at : step;

		if (send(ends[1], data + at, n, MSG_NOSIGNAL) < 0)
			break;
		event_base_loop(base, EVLOOP_NONBLOCK);
	}
	close(ends[1]);
	for (int i = 0; i < 10 && !closed; i++)
		event_base_loop(base, EVLOOP_NONBLOCK);
	assert(closed);
	link_free(link);
	return 0;
}
