/* engine/forest/feature_order.h - a node's own uniformly random order of the features, as far as it
 * is needed: Fisher-Yates from the identity, undone after use at a cost of what was drawn. */
#ifndef IPP_FOREST_FEATURE_ORDER_H
#define IPP_FOREST_FEATURE_ORDER_H

#include <stdint.h>

#include "engine/forest/rng.h"

struct feature_order {
	uint64_t key;
	uint32_t n, drawn;
	uint32_t *features; /* the identity when nothing is drawn */
	uint32_t *partner;  /* partner[j]: the place swapped with j */
};

int feature_order_init(struct feature_order *order, uint32_t n_features); /* -ENOMEM */
void feature_order_fini(struct feature_order *order);

static inline void feature_order_begin(struct feature_order *order, uint64_t node_key)
{
	order->key = node_key;
	order->drawn = 0;
}

/* The next feature; there must be one. */
static inline uint32_t feature_order_next(struct feature_order *order)
{
	const uint32_t j = order->drawn++;
	const uint32_t k = j + rng_below(order->key, j, order->n - j);
	const uint32_t feature = order->features[k];

	order->features[k] = order->features[j];
	order->features[j] = feature;
	order->partner[j] = k;
	return feature;
}

static inline void feature_order_end(struct feature_order *order)
{
	while (order->drawn > 0) {
		const uint32_t j = --order->drawn;
		const uint32_t k = order->partner[j];
		const uint32_t feature = order->features[j];

		order->features[j] = order->features[k];
		order->features[k] = feature;
	}
}

#endif
