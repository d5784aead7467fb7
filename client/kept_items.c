#include "client/kept_items.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#define ROOM_MIN 64

static struct kept_item *at(const struct kept_items *items, uint64_t index)
{
	return &items->ring[index & (items->room - 1)];
}

static int make_room(struct kept_items *items)
{
	const struct kept_items before = *items;

	if (items->end - items->first < items->room)
		return 0;
	items->room = before.room ? 2 * before.room : ROOM_MIN;
	items->ring = calloc(items->room, sizeof(*items->ring));
	if (!items->ring) {
		*items = before;
		return -ENOMEM;
	}
	for (uint64_t i = before.first; i < before.end; i++)
		*at(items, i) = *at(&before, i);
	free(before.ring);
	return 0;
}

int kept_items_add(struct kept_items *items, const struct ipp_value *item)
{
	struct kept_item kept = {.integer = item->integer, .bytes = item->bytes};

	if (make_room(items) < 0)
		return -ENOMEM;
	if (item->kind == IPP_TEXT) {
		kept.text = malloc(item->bytes + 1);
		if (!kept.text)
			return -ENOMEM;
		memcpy(kept.text, item->text, item->bytes);
		kept.text[item->bytes] = '\0';
	}
	*at(items, items->end++) = kept;
	return 0;
}

struct ipp_value kept_items_get(const struct kept_items *items, uint64_t index)
{
	const struct kept_item *kept = at(items, index);

	if (!kept->text)
		return (struct ipp_value){.kind = IPP_INTEGER, .integer = kept->integer};
	return (struct ipp_value){.kind = IPP_TEXT, .text = kept->text, .bytes = kept->bytes};
}

void kept_items_drop(struct kept_items *items, uint64_t index)
{
	struct kept_item *kept = at(items, index);

	free(kept->text);
	*kept = (struct kept_item){.dropped = 1};
	while (items->first < items->end && at(items, items->first)->dropped)
		items->first++;
}

void kept_items_fini(struct kept_items *items)
{
	for (uint64_t i = items->first; i < items->end; i++)
		free(at(items, i)->text);
	free(items->ring);
	*items = (struct kept_items){0};
}
