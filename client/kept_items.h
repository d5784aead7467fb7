/* client/kept_items.h - items of a map that were sent and whose results are awaited.
 *
 * Thread: any. */
#ifndef IPP_CLIENT_KEPT_ITEMS_H
#define IPP_CLIENT_KEPT_ITEMS_H

#include <stddef.h>
#include <stdint.h>

#include "client/ipp/client.h"

struct kept_item {
	char *text; /* NULL: an integer, or it was dropped */
	size_t bytes;
	int64_t integer;
	int dropped;
};

/* All zero is empty. */
struct kept_items {
	struct kept_item *ring; /* first .. end - 1 by index, at their index modulo room */
	size_t room;		/* a power of two */
	uint64_t first, end;
};

/* Keep a copy of the next item. 0 or -ENOMEM. */
int kept_items_add(struct kept_items *items, const struct ipp_value *item);

/* Item `index`, which was added and not dropped (borrows). */
struct ipp_value kept_items_get(const struct kept_items *items, uint64_t index);
void kept_items_drop(struct kept_items *items, uint64_t index);
void kept_items_fini(struct kept_items *items);

#endif
