#include "client/libipp/outgoing.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/error.h"
#include "proto/frame.h"

/* Items a frame, and bytes of texts a frame. */
#define FRAME_ITEMS 4096
#define FRAME_BYTES (256u << 10)
/* One item may be longer than a frame should be, but not without end. */
#define ITEM_MAX UINT32_MAX

struct outgoing {
	Ipp__Tasks head; /* of the frame that is being filled */
	uint64_t n_sent;
	uint64_t item_bytes[FRAME_ITEMS];
	char *texts;
	size_t bytes, room;
};

struct outgoing *outgoing_new(uint64_t request)
{
	struct outgoing *outgoing = calloc(1, sizeof(*outgoing));

	if (outgoing) {
		ipp__tasks__init(&outgoing->head);
		outgoing->head.request = request;
	}
	return outgoing;
}

void outgoing_free(struct outgoing *outgoing)
{
	if (outgoing)
		free(outgoing->texts);
	free(outgoing);
}

static int add_text(struct outgoing *outgoing, const struct ipp_value *item)
{
	if (outgoing->bytes + item->bytes > outgoing->room) {
		const size_t room = 2 * outgoing->room + item->bytes + 4096;
		char *texts = realloc(outgoing->texts, room);

		if (!texts)
			return -ENOMEM;
		outgoing->texts = texts;
		outgoing->room = room;
	}
	memcpy(outgoing->texts + outgoing->bytes, item->text, item->bytes);
	outgoing->bytes += item->bytes;
	outgoing->item_bytes[outgoing->head.count++] = item->bytes;
	return 0;
}

static void add_integer(Ipp__Tasks *head, int64_t integer)
{
	if (head->count == 0) {
		head->range = true;
		head->start = integer;
	} else if (head->count == 1) {
		head->step = integer - head->start;
	}
	head->count++;
}

/* Whether the item can go into the frame: texts with texts, integers at equal steps. */
static bool fits(const struct outgoing *outgoing, const struct ipp_value *item)
{
	const Ipp__Tasks *head = &outgoing->head;
	int64_t step, next;

	if (head->count == 0)
		return true;
	if (head->count == FRAME_ITEMS || outgoing->bytes >= FRAME_BYTES ||
	    head->range != (item->kind == IPP_INTEGER))
		return false;
	if (!head->range)
		return true;
	if (head->count == 1)
		return !__builtin_sub_overflow(item->integer, head->start, &step);
	return !__builtin_mul_overflow((int64_t)head->count, head->step, &step) &&
	       !__builtin_add_overflow(head->start, step, &next) && item->integer == next;
}

int outgoing_send(struct outgoing *outgoing, struct link *link, struct ipp_error *err)
{
	Ipp__Tasks *head = &outgoing->head;
	const uint64_t request = head->request, next = head->first + head->count;
	struct blob *payload = NULL;

	if (head->count == 0)
		return 0;
	if (!head->range) {
		head->n_item_bytes = head->count;
		head->item_bytes = outgoing->item_bytes;
		payload = blob_copy(outgoing->texts, outgoing->bytes);
		if (!payload)
			return ipp_fail(err, ENOMEM, "out of memory for items");
	}
	link_send(link, FRAME_TASKS, &head->base, payload);
	blob_unref(payload);
	outgoing->n_sent += head->count;
	ipp__tasks__init(head);
	head->request = request;
	head->first = next;
	outgoing->bytes = 0;
	return 0;
}

int outgoing_add(struct outgoing *outgoing, struct link *link, const struct ipp_value *item,
		 struct ipp_error *err)
{
	int rc = 0;

	if (item->kind != IPP_TEXT && item->kind != IPP_INTEGER)
		return ipp_fail(err, EINVAL, "an item is neither an integer nor a text");
	if (item->kind == IPP_TEXT && item->bytes > ITEM_MAX)
		return ipp_fail(err, EMSGSIZE,
				"an item has %zu bytes, and %u are the most: put it into "
				"a file or a variable, and name that",
				item->bytes, ITEM_MAX);
	if (!fits(outgoing, item))
		rc = outgoing_send(outgoing, link, err);
	if (rc < 0)
		return rc;
	if (item->kind == IPP_INTEGER)
		add_integer(&outgoing->head, item->integer);
	else if (add_text(outgoing, item) < 0)
		return ipp_fail(err, ENOMEM, "out of memory for an item of %zu bytes", item->bytes);
	return 0;
}

int outgoing_skip(struct outgoing *outgoing, struct link *link, struct ipp_error *err)
{
	const int rc = outgoing_send(outgoing, link, err);

	if (rc == 0)
		outgoing->head.first++;
	return rc;
}

int outgoing_end(struct outgoing *outgoing, struct link *link, struct ipp_error *err)
{
	Ipp__End end = IPP__END__INIT;
	const int rc = outgoing_send(outgoing, link, err);

	if (rc < 0)
		return rc;
	end.request = outgoing->head.request;
	end.total = outgoing->n_sent;
	link_send(link, FRAME_END, &end.base, NULL);
	return 0;
}
