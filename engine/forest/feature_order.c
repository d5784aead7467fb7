#include "engine/forest/feature_order.h"

#include <errno.h>
#include <stdlib.h>

int feature_order_init(struct feature_order *order, uint32_t n_features)
{
	order->n = n_features;
	order->drawn = 0;
	order->features = malloc(n_features * sizeof(*order->features));
	order->partner = malloc(n_features * sizeof(*order->partner));
	if (!order->features || !order->partner)
		return -ENOMEM;
	for (uint32_t f = 0; f < n_features; f++)
		order->features[f] = f;
	return 0;
}

void feature_order_fini(struct feature_order *order)
{
	free(order->features);
	free(order->partner);
}
