/* engine/forest/order.h - sort one column. */
#ifndef IPP_FOREST_ORDER_H
#define IPP_FOREST_ORDER_H

#include <stddef.h>
#include <stdint.h>

struct order_item {
	uint64_t key;
	uint32_t id;
};

/* A key that orders as the double does; -0.0 and 0.0 have the same. */
uint64_t order_key(double value);

/* Stable radix sort of items[n] by key; spare[n] is room to work in.  Returns the one of the two
 * that holds the result. */
struct order_item *order_sort(struct order_item *items, struct order_item *spare, size_t n);

#endif
