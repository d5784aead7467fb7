#include "proto/items.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "proto/error.h"
#include "proto/frame.h"
#include "proto/link.h"
#include "proto/spill.h"

/* Of texts that wait. */
#define MEMORY_MAX ((size_t)8 << 20)

struct items {
	unsigned refs;
	uint64_t first, count;
	bool range;
	int64_t start, step;
	struct blob *texts;	   /* NULL: they are in the file, or there are none */
	uint64_t *offsets;	   /* of texts: count + 1 of them; likewise */
	struct items_room *room;   /* where they wait; NULL: they do not */
	size_t in_memory, in_file; /* bytes; at most one is not 0 */
	off_t file_at;
};

int items_new(struct items **out, const Ipp__Tasks *tasks, struct blob *payload,
	      struct ipp_error *err)
{
	const size_t n_texts = tasks->range ? 0 : tasks->count;
	const uint64_t payload_bytes = payload ? payload->bytes : 0;
	struct items *items;
	uint64_t *offsets;

	if (tasks->count == 0 || tasks->n_item_bytes != n_texts ||
	    tasks->count > UINT64_MAX - tasks->first)
		return ipp_fail(err, EPROTO, "slurm-ipp: a TASKS frame whose counts disagree");
	items = calloc(1, sizeof(*items));
	offsets = tasks->range ? NULL : calloc(n_texts + 1, sizeof(*offsets));
	if (!items || (!tasks->range && !offsets)) {
		free(items);
		free(offsets);
		return ipp_fail(err, ENOMEM, "slurm-ipp: out of memory for %zu items", n_texts);
	}
	*items = (struct items){.refs = 1,
				.first = tasks->first,
				.count = tasks->count,
				.range = tasks->range,
				.start = tasks->start,
				.step = tasks->step,
				.offsets = offsets};
	for (size_t i = 0; i < n_texts; i++) {
		if (tasks->item_bytes[i] > payload_bytes - offsets[i]) {
			items_unref(items);
			return ipp_fail(err, EPROTO,
					"slurm-ipp: a TASKS frame whose items pass its end");
		}
		offsets[i + 1] = offsets[i] + tasks->item_bytes[i];
	}
	items->texts = tasks->range ? NULL : blob_ref(payload);
	*out = items;
	return 0;
}

/* ---- texts that wait ---- */

static size_t offsets_bytes(const struct items *items)
{
	return (items->count + 1) * sizeof(*items->offsets);
}

static size_t texts_bytes(const struct items *items)
{
	return items->texts ? items->texts->bytes : 0;
}

/* They wait no more.  Once the file holds nothing that is waited for, it begins anew. */
static void leave_room(struct items *items)
{
	struct items_room *room = items->room;

	if (!room)
		return;
	room->memory_bytes -= items->in_memory;
	if (items->in_file > 0 && --room->n_in_file == 0) {
		room->file_bytes = 0;
		if (ftruncate(room->fd, 0) < 0)
			return; /* what is there is written over */
	}
	items->in_memory = items->in_file = 0;
}

static bool put_in_file(struct items *items, struct items_room *room)
{
	const size_t bytes = texts_bytes(items);

	if (room->fd < 0)
		room->fd = spill_open();
	if (room->fd < 0 ||
	    !spill_write(room->fd, items->offsets, offsets_bytes(items), room->file_bytes) ||
	    (bytes > 0 && !spill_write(room->fd, items->texts->data, bytes,
				       room->file_bytes + (off_t)offsets_bytes(items))))
		return false;
	items->file_at = room->file_bytes;
	items->in_file = offsets_bytes(items) + bytes;
	room->file_bytes += (off_t)items->in_file;
	room->n_in_file++;
	blob_unref(items->texts);
	free(items->offsets);
	items->texts = NULL;
	items->offsets = NULL;
	return true;
}

void items_wait(struct items *items, struct items_room *room)
{
	const size_t bytes = items->range ? 0 : offsets_bytes(items) + texts_bytes(items);

	if (bytes == 0 || items->room)
		return;
	items->room = room;
	if (room->memory_bytes + bytes > MEMORY_MAX && put_in_file(items, room))
		return;
	items->in_memory = bytes;
	room->memory_bytes += bytes;
}

/* They are in memory again.  0, -ENOMEM or -EIO. */
static int recall(struct items *items)
{
	const size_t n = offsets_bytes(items), bytes = items->in_file - n;
	struct blob *texts;
	uint64_t *offsets;
	int rc = 0;

	if (items->in_file == 0)
		return 0;
	texts = blob_new(bytes);
	offsets = malloc(n);
	if (!texts || !offsets)
		rc = -ENOMEM;
	else if (!spill_read(items->room->fd, offsets, n, items->file_at) ||
		 !spill_read(items->room->fd, texts->data, bytes, items->file_at + (off_t)n) ||
		 blob_seal(texts, NULL) < 0)
		rc = -EIO;
	if (rc < 0) {
		blob_unref(texts);
		free(offsets);
		return rc;
	}
	leave_room(items);
	items->texts = texts;
	items->offsets = offsets;
	return 0;
}

void items_unref(struct items *items)
{
	if (!items || --items->refs > 0)
		return;
	leave_room(items);
	blob_unref(items->texts);
	free(items->offsets);
	free(items);
}

struct slice *slice_new(uint64_t request, struct items *items, uint64_t from, uint64_t to)
{
	struct slice *slice = calloc(1, sizeof(*slice));

	if (!slice)
		return NULL;
	*slice = (struct slice){.request = request, .items = items, .from = from, .to = to};
	if (items)
		items->refs++;
	return slice;
}

void slice_free(struct slice *slice)
{
	items_unref(slice->items);
	free(slice);
}

void slices_init(struct slices *slices)
{
	*slices = (struct slices){.last = &slices->first};
}

void slices_append(struct slices *slices, struct slice *slice)
{
	slice->next = NULL;
	*slices->last = slice;
	slices->last = &slice->next;
	slices->n_tasks += slice->to - slice->from;
}

static void insert_at(struct slices *slices, struct slice **at, struct slice *slice)
{
	slice->next = *at;
	*at = slice;
	if (!slice->next)
		slices->last = &slice->next;
	slices->n_tasks += slice->to - slice->from;
}

void slices_prepend(struct slices *slices, struct slice *slice)
{
	insert_at(slices, &slices->first, slice);
}

static struct slice *unlink_at(struct slices *slices, struct slice **at)
{
	struct slice *slice = *at;

	if (!slice)
		return NULL;
	*at = slice->next;
	if (!*at)
		slices->last = at;
	slices->n_tasks -= slice->to - slice->from;
	return slice;
}

struct slice *slices_pop(struct slices *slices)
{
	return unlink_at(slices, &slices->first);
}

struct slice *slices_take_at(struct slices *slices, struct slice **at, uint64_t n)
{
	struct slice *front = *at;
	struct slice *taken;

	if (!front || n >= front->to - front->from)
		return unlink_at(slices, at);
	taken = slice_new(front->request, front->items, front->from, front->from + n);
	if (!taken)
		return NULL;
	taken->losses = front->losses;
	front->losses = 0;
	front->from += n;
	slices->n_tasks -= n;
	return taken;
}

struct slice *slices_take(struct slices *slices, uint64_t n)
{
	return slices_take_at(slices, &slices->first, n);
}

/* Tasks of `request` among them. */
static uint64_t slices_count(const struct slices *slices, uint64_t request)
{
	uint64_t n = 0;

	for (const struct slice *slice = slices->first; slice; slice = slice->next)
		if (slice->request == request)
			n += slice->to - slice->from;
	return n;
}

int slices_move_last(struct slices *slices, uint64_t request, uint64_t n, struct slices *to)
{
	const uint64_t had = slices_count(slices, request);
	struct slice **at = &slices->first, **put = &to->first;
	uint64_t stay = had - n;

	if (n > had)
		return -ERANGE;
	while (*at) {
		struct slice *slice = *at;
		const uint64_t length = slice->to - slice->from;

		if (slice->request != request || stay >= length) {
			stay -= slice->request == request ? length : 0;
			at = &slice->next;
			continue;
		}
		if (stay > 0) { /* no other was moved yet */
			slice = slice_new(request, slice->items, slice->from + stay, slice->to);
			if (!slice)
				return -ENOMEM;
			(*at)->to = slice->from;
			slices->n_tasks -= length - stay;
			at = &(*at)->next;
			stay = 0;
		} else {
			unlink_at(slices, at);
		}
		insert_at(to, put, slice);
		put = &slice->next;
	}
	return 0;
}

bool slices_in_turn(const struct slices *slices, const Ipp__Results *results)
{
	const struct slice *slice = slices->first;
	uint64_t next = slice ? slice->from : 0;

	for (size_t i = 0; i < results->n_results; i++) {
		if (slice && next == slice->to) {
			slice = slice->next;
			next = slice ? slice->from : 0;
		}
		if (!slice || slice->request != results->request ||
		    results->results[i]->index != next++)
			return false;
	}
	return true;
}

void slices_finish_first(struct slices *slices)
{
	slices->n_tasks--;
	slices->first->losses = 0;
	if (++slices->first->from == slices->first->to)
		slice_free(slices_pop(slices));
}

const struct slice *slices_find(const struct slices *slices, uint64_t request, uint64_t index)
{
	const struct slice *slice = slices->first;

	while (slice && (slice->request != request || index < slice->from || index >= slice->to))
		slice = slice->next;
	return slice;
}

bool slices_have(const struct slices *slices, uint64_t request)
{
	const struct slice *slice = slices->first;

	while (slice && slice->request != request)
		slice = slice->next;
	return slice != NULL;
}

uint64_t slices_drop_if(struct slices *slices, slice_test_fn *test, const void *arg)
{
	struct slice **at = &slices->first;
	uint64_t dropped = 0;

	while (*at) {
		if (!test(*at, arg)) {
			at = &(*at)->next;
			continue;
		}
		dropped += (*at)->to - (*at)->from;
		slice_free(unlink_at(slices, at));
	}
	return dropped;
}

static bool is_of(const struct slice *slice, const void *request)
{
	return slice->request == *(const uint64_t *)request;
}

uint64_t slices_drop(struct slices *slices, uint64_t request)
{
	return slices_drop_if(slices, is_of, &request);
}

void slices_clear(struct slices *slices)
{
	struct slice *slice;

	while ((slice = slices_pop(slices)))
		slice_free(slice);
}

static int send_texts(const struct slice *slice, Ipp__Tasks *tasks, struct link *link)
{
	const struct items *items = slice->items;
	const uint64_t *offsets = items->offsets + (slice->from - items->first);
	const size_t n = slice->to - slice->from;
	const size_t bytes = offsets[n] - offsets[0];
	uint64_t *item_bytes = malloc(n * sizeof(*item_bytes));
	/* A lone large item travels as it came, without a copy. */
	struct blob *payload =
		items->texts && bytes == items->texts->bytes
			? blob_ref(items->texts)
			: blob_copy(items->texts ? items->texts->data + offsets[0] : NULL, bytes);

	const int rc = item_bytes && payload ? 0 : -ENOMEM;

	if (rc == 0) {
		for (size_t i = 0; i < n; i++)
			item_bytes[i] = offsets[i + 1] - offsets[i];
		tasks->n_item_bytes = n;
		tasks->item_bytes = item_bytes;
		link_send(link, FRAME_TASKS, &tasks->base, payload);
	}
	blob_unref(payload);
	free(item_bytes);
	return rc;
}

int slice_send(const struct slice *slice, struct link *link)
{
	struct items *items = slice->items;
	Ipp__Tasks tasks = IPP__TASKS__INIT;
	int rc;

	tasks.request = slice->request;
	tasks.first = slice->from;
	tasks.count = slice->to - slice->from;
	tasks.range = !items || items->range;
	if (tasks.range) {
		/* A direct view's task has no item; its place among the targets stands for it. */
		tasks.start = items ? items_integer(items->start, items->step,
						    slice->from - items->first)
				    : (int64_t)slice->from;
		tasks.step = items ? items->step : 1;
		link_send(link, FRAME_TASKS, &tasks.base, NULL);
		return 0;
	}
	rc = recall(items);
	return rc < 0 ? rc : send_texts(slice, &tasks, link);
}
