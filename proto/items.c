#include "proto/items.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "proto/error.h"
#include "proto/frame.h"
#include "proto/link.h"

struct items {
	unsigned refs;
	uint64_t first, count;
	bool range;
	int64_t start, step;
	struct blob *texts;
	uint64_t offsets[]; /* of texts: count + 1 of them */
};

int items_new(struct items **out, const Ipp__Tasks *tasks, struct blob *payload,
	      struct ipp_error *err)
{
	const size_t n_texts = tasks->range ? 0 : tasks->count;
	const uint64_t payload_bytes = payload ? payload->bytes : 0;
	struct items *items;

	if (tasks->count == 0 || tasks->n_item_bytes != n_texts ||
	    tasks->count > UINT64_MAX - tasks->first)
		return ipp_fail(err, EPROTO, "slurm-ipp: a TASKS frame whose counts disagree");
	items = calloc(1, sizeof(*items) + (n_texts + 1) * sizeof(items->offsets[0]));
	if (!items)
		return ipp_fail(err, ENOMEM, "slurm-ipp: out of memory for %zu items", n_texts);
	*items = (struct items){.refs = 1,
				.first = tasks->first,
				.count = tasks->count,
				.range = tasks->range,
				.start = tasks->start,
				.step = tasks->step};
	for (size_t i = 0; i < n_texts; i++) {
		if (tasks->item_bytes[i] > payload_bytes - items->offsets[i]) {
			free(items);
			return ipp_fail(err, EPROTO,
					"slurm-ipp: a TASKS frame whose items pass its end");
		}
		items->offsets[i + 1] = items->offsets[i] + tasks->item_bytes[i];
	}
	items->texts = tasks->range ? NULL : blob_ref(payload);
	*out = items;
	return 0;
}

void items_unref(struct items *items)
{
	if (!items || --items->refs > 0)
		return;
	blob_unref(items->texts);
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

void slices_prepend(struct slices *slices, struct slice *slice)
{
	slice->next = slices->first;
	slices->first = slice;
	if (!slice->next)
		slices->last = &slice->next;
	slices->n_tasks += slice->to - slice->from;
}

struct slice *slices_pop(struct slices *slices)
{
	struct slice *slice = slices->first;

	if (!slice)
		return NULL;
	slices->first = slice->next;
	if (!slices->first)
		slices->last = &slices->first;
	slices->n_tasks -= slice->to - slice->from;
	return slice;
}

struct slice *slices_take(struct slices *slices, uint64_t n)
{
	struct slice *front = slices->first;
	struct slice *taken;

	if (!front || n >= front->to - front->from)
		return slices_pop(slices);
	taken = slice_new(front->request, front->items, front->from, front->from + n);
	if (!taken)
		return NULL;
	taken->losses = front->losses;
	front->losses = 0;
	front->from += n;
	slices->n_tasks -= n;
	return taken;
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

bool slices_have(const struct slices *slices, uint64_t request)
{
	const struct slice *slice = slices->first;

	while (slice && slice->request != request)
		slice = slice->next;
	return slice != NULL;
}

uint64_t slices_drop(struct slices *slices, uint64_t request)
{
	struct slices kept;
	struct slice *slice;
	uint64_t dropped = 0;

	if (!slices->first) /* mostly: each end of a request asks every engine */
		return 0;
	slices_init(&kept);
	while ((slice = slices_pop(slices))) {
		if (slice->request != request) {
			slices_append(&kept, slice);
			continue;
		}
		dropped += slice->to - slice->from;
		slice_free(slice);
	}
	*slices = kept;
	if (!kept.first)
		slices_init(slices);
	return dropped;
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
	const struct items *items = slice->items;
	Ipp__Tasks tasks = IPP__TASKS__INIT;

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
	return send_texts(slice, &tasks, link);
}
